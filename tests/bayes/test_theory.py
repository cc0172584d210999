"""Closed forms against brute force, quadrature by scipy, simulation and automatic differentiation.

Statistical checks: false-alarm probability 1e-7 for each test function, all of its checks together.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from scipy.special import expit

from fragile_learning.bayes import exact_problems, theory
from fragile_learning.statistics import z_bound

FALSE_ALARM = 1e-7


def agrees(samples, expected, *, n_checks=1):
    """Whether the mean of independent samples is within its bound."""
    error = samples.std(ddof=1) / np.sqrt(len(samples))
    return abs(samples.mean() - expected) < z_bound(FALSE_ALARM, n_checks) * error


# --- leapfrog -----------------------------------------------------------------------------------


def one_step(size):
    """Half a kick, a drift, half a kick, for the potential q^2 / 2."""
    kick = np.array([[1.0, 0.0], [-0.5 * size, 1.0]])
    return kick @ np.array([[1.0, size], [0.0, 1.0]]) @ kick


@pytest.mark.parametrize("size", [0.01, 0.5, 1.0, 1.9])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_leapfrog_matrix_is_the_product_of_its_steps(size, steps):
    found = theory.leapfrog_matrix(size, steps)
    np.testing.assert_allclose(
        found, np.linalg.matrix_power(one_step(size), steps), rtol=0, atol=1e-12
    )
    assert np.linalg.det(found) == pytest.approx(1.0, abs=1e-12)
    state = np.array([0.7, -0.3])
    after = theory.leapfrog_matrix(size, 1) @ state
    form = [q**2 * (1 - size**2 / 4) + p**2 for q, p in (state, after)]
    assert form[0] == pytest.approx(form[1], abs=1e-12)


def test_leapfrog_broadcasts():
    found = theory.leapfrog_matrix([[0.5], [1.0]], [1, 2, 3])
    assert found.shape == (2, 3, 2, 2)
    np.testing.assert_allclose(found[1, 2], theory.leapfrog_matrix(1.0, 3), atol=1e-15)
    assert theory.leapfrog_acceptance([0.5, 1.0], [[1], [2]], 10).shape == (2, 2)


SETTINGS = [(0.5, 3, 50), (1.0, 2, 20), (0.3, 10, 200), (1.7, 5, 1), (0.9, 1, 2)]


@pytest.mark.parametrize(("size", "steps", "d"), SETTINGS)
def test_energy_errors_and_acceptance_are_those_of_trajectories(size, steps, d):
    matrix = np.linalg.matrix_power(one_step(size), steps)
    # the mean by the trace of the quadratic form
    exact = 0.5 * d * (np.trace(matrix.T @ matrix) - 2.0)
    assert theory.leapfrog_energy_error(size, steps, d) == pytest.approx(exact, rel=1e-9)
    rng, changes = np.random.default_rng(1), []
    for _ in range(10):
        start = rng.standard_normal((2, 5000, d))
        end = np.einsum("ij,jnd->ind", matrix, start)
        changes.append(0.5 * (end**2 - start**2).sum(axis=(0, 2)))
    change = np.concatenate(changes)
    accepted = np.exp(np.minimum(-change, 0.0))
    exact = theory.leapfrog_acceptance(size, steps, d)
    assert agrees(change, theory.leapfrog_energy_error(size, steps, d), n_checks=2)
    assert agrees(accepted, exact, n_checks=2)
    assert not agrees(accepted, exact + 0.02, n_checks=2)


def test_acceptance_of_reference():
    found = [theory.leapfrog_acceptance(*setting) for setting in SETTINGS[:3]]
    normal = [theory.leapfrog_acceptance(*setting, method="normal") for setting in SETTINGS[:3]]
    assert found[1:] == pytest.approx([0.58236, 0.98335], abs=1e-5)
    assert normal == pytest.approx([0.8197, 0.5762, 0.98333], abs=5e-5)
    error = [theory.leapfrog_energy_error(*setting) for setting in SETTINGS[:3]]
    assert error == pytest.approx([0.10386, 0.625, 0.000873], rel=1e-3)


def test_acceptance_for_many_dimensions_and_full_turns():
    # the same mean error from more and more dimensions: the normal formula is the limit
    off = []
    for d in (10, 1000, 100_000):
        size = optimize.brentq(
            lambda e, d=d: theory.leapfrog_energy_error(e, 1, d) - 0.5, 1e-3, 1.4
        )
        exact = theory.leapfrog_acceptance(size, 1, d)
        off.append(abs(exact - theory.leapfrog_acceptance(size, 1, d, method="normal")))
    assert off[2] < 1e-4 < off[1] < off[0] / 10
    # six steps of size 1 are one turn: exact return
    assert theory.leapfrog_acceptance(1.0, 6, 7) == pytest.approx(1.0, abs=1e-7)
    assert theory.leapfrog_energy_error(1.0, 6, 7) == pytest.approx(0.0, abs=1e-15)


def test_the_step_size_has_a_limit():
    grown = np.linalg.matrix_power(one_step(theory.LEAPFROG_LIMIT + 0.01), 200)
    kept = np.linalg.matrix_power(one_step(theory.LEAPFROG_LIMIT - 0.01), 200)
    assert np.abs(grown).max() > 1e6 > 100 > np.abs(kept).max()
    for function in (theory.leapfrog_matrix, lambda e, n: theory.leapfrog_acceptance(e, n, 3)):
        with pytest.raises(ValueError, match="step_size must be > 0 and < 2"):
            function(theory.LEAPFROG_LIMIT, 1)


def test_langevin_variance():
    for rate, size in ((1.0, 0.5), (4.0, 0.3), (0.2, 3.0)):
        # the variance that one step leaves as it is
        shrink = 1.0 - 0.5 * size * rate
        assert theory.langevin_variance(rate, size) == pytest.approx(size / (1.0 - shrink**2))
    assert theory.langevin_variance(1.0, 0.5) == pytest.approx(1.142857, abs=1e-6)
    assert theory.langevin_variance(2.0, 1e-9) == pytest.approx(0.5)
    np.testing.assert_array_equal(theory.langevin_variance([1.0, 4.0], [4.0, 1.5]), [np.inf] * 2)


def test_monte_carlo_bound():
    for size in (1, 16, 400):
        worst = max(math.sqrt(p * (1 - p) / size) for p in np.linspace(0, 1, 1001))
        assert theory.monte_carlo_bound(size) == pytest.approx(worst, rel=1e-12)
    assert theory.monte_carlo_bound([4.0, 100.0]).tolist() == [0.25, 0.05]


# --- linear regression --------------------------------------------------------------------------


def regression():
    problem = exact_problems.regression_problem()
    return problem, theory.linear_posterior(
        problem.inputs,
        problem.targets,
        noise_variance=problem.noise_variance,
        prior_variance=problem.prior_variance,
    )


def test_the_posterior_of_a_linear_regression_is_that_of_gaussian_conditioning():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((12, 3)), rng.standard_normal(12)
    found = theory.linear_posterior(x, y, noise_variance=0.7, prior_variance=2.5)
    # in the space of targets
    kernel = 2.5 * x @ x.T + 0.7 * np.eye(12)
    gain = 2.5 * x.T @ np.linalg.inv(kernel)
    np.testing.assert_allclose(found.mean, gain @ y, atol=1e-12)
    np.testing.assert_allclose(found.covariance, 2.5 * (np.eye(3) - gain @ x), atol=1e-12)
    np.testing.assert_allclose(found.precision @ found.covariance, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.stds**2, np.diag(found.covariance), atol=1e-15)
    evidence = stats.multivariate_normal(np.zeros(12), kernel).logpdf(y)
    assert found.log_evidence == pytest.approx(evidence, abs=1e-10)


def test_mean_field_numbers_of_reference():
    problem, posterior = regression()
    best = theory.mean_field_optimum(posterior)
    numbers = (posterior.log_evidence, best.bound, best.gap, posterior.stds[0], best.stds[0])
    assert numbers == pytest.approx((-37.2176, -38.0029, 0.7853, 0.1504, 0.0813), abs=5e-5)
    law = {"means": best.means, "stds": best.stds, "prior_variance": 1.0}
    found = [theory.function_divergence(context=problem.inputs[:n], **law) for n in (5, 3)]
    assert found == pytest.approx([12.4800, 8.0551], abs=5e-5)


def test_no_other_mean_field_law_is_closer():
    _, posterior = regression()
    best = theory.mean_field_optimum(posterior)

    def divergence(z):
        return theory.gaussian_divergence(
            z[:5], np.diag(np.exp(2 * z[5:])), posterior.mean, posterior.covariance
        )

    start = np.concatenate([best.means, np.log(best.stds)])
    assert divergence(start) == pytest.approx(best.gap, abs=1e-9)
    found = optimize.minimize(divergence, start + 0.1, method="BFGS")
    assert found.fun == pytest.approx(best.gap, abs=1e-6)
    np.testing.assert_allclose(found.x, start, atol=1e-3)
    assert (best.stds <= posterior.stds).all()


def test_divergences():
    rng = np.random.default_rng(3)
    roots = rng.standard_normal((2, 3, 3))
    q, p = (root @ root.T + 0.3 * np.eye(3) for root in roots)
    m, k = rng.standard_normal((2, 3))
    laws = stats.multivariate_normal(m, q), stats.multivariate_normal(k, p)
    draws = rng.multivariate_normal(m, q, size=200_000)
    exact = theory.gaussian_divergence(m, q, k, p)
    samples = laws[0].logpdf(draws) - laws[1].logpdf(draws)
    assert agrees(samples, exact)
    assert not agrees(samples, 1.05 * exact)
    assert theory.gaussian_divergence(m, q, m, q) == pytest.approx(0.0, abs=1e-12)
    # functions: invariant for as many points as weights, growing with each point
    stds, points = rng.uniform(0.2, 2.0, 3), rng.standard_normal((3, 3))
    law = {"means": m, "stds": stds, "prior_variance": 1.7}
    weights = theory.gaussian_divergence(m, np.diag(stds**2), np.zeros(3), 1.7 * np.eye(3))
    growing = [theory.function_divergence(context=points[:n], **law) for n in (1, 2, 3)]
    assert growing[2] == pytest.approx(weights, abs=1e-9)
    assert growing[0] < growing[1] < growing[2]
    one = points[:1]
    by_hand = theory.gaussian_divergence(
        one @ m, one**2 @ stds[:, None] ** 2, [0], 1.7 * one @ one.T
    )
    assert growing[0] == pytest.approx(by_hand, abs=1e-12)
    with pytest.raises(ValueError, match="linearly independent"):
        theory.function_divergence(context=np.ones((2, 3)), **law)


# --- logistic regression ------------------------------------------------------------------------


def logistic():
    problem = exact_problems.logistic_problem()
    return problem, theory.logistic_posterior(
        problem.inputs, problem.labels, prior_variance=problem.prior_variance
    )


def test_logistic_numbers_of_reference():
    _, posterior = logistic()
    assert posterior.mean == pytest.approx([1.9154, -1.1475], abs=5e-5)
    assert posterior.stds == pytest.approx([0.6935, 0.5356], abs=5e-5)
    assert posterior.predictive([[1.0, 1.0]]) == pytest.approx([0.664753], abs=5e-7)
    parts = [float(part[0]) for part in posterior.entropies([[1.0, 1.0]])]
    assert parts == pytest.approx([0.637833, 0.589025, 0.048807], abs=6e-7)


def test_the_logistic_posterior_is_that_of_gauss_quadrature():
    x, y, prior = np.array([[1.0, 0.5], [-0.3, 2.0], [0.8, -1.0]]), np.array([1, -1, 1]), 1.5
    found = theory.logistic_posterior(x, y, prior_variance=prior)
    nodes, weights = np.polynomial.legendre.leggauss(160)
    w = np.stack(np.meshgrid(10 * nodes, 10 * nodes, indexing="ij"))
    joint = np.prod([expit(b * np.tensordot(a, w, 1)) for a, b in zip(x, y, strict=True)], axis=0)
    joint = joint * stats.norm.pdf(w, scale=math.sqrt(prior)).prod(axis=0)
    joint = joint * 100 * np.outer(weights, weights)

    def integral(function):
        return float((function(w) * joint).sum())

    evidence = integral(lambda w: 1.0)
    assert found.log_evidence == pytest.approx(math.log(evidence), abs=1e-11)
    assert found.mean[0] == pytest.approx(integral(lambda w: w[0]) / evidence, abs=1e-11)
    assert found.mean[1] == pytest.approx(integral(lambda w: w[1]) / evidence, abs=1e-11)
    cross = integral(lambda w: w[0] * w[1]) / evidence - found.mean[0] * found.mean[1]
    assert found.covariance[0, 1] == pytest.approx(cross, abs=1e-11)
    square = integral(lambda w: w[1] ** 2) / evidence - found.mean[1] ** 2
    assert found.stds[1] ** 2 == pytest.approx(square, abs=1e-11)
    point = np.array([2.0, -0.4])
    up = integral(lambda w: expit(np.tensordot(point, w, 1))) / evidence
    assert found.predictive([point]) == pytest.approx([up], abs=1e-11)
    own = integral(lambda w: stats.bernoulli.entropy(expit(np.tensordot(point, w, 1)))) / evidence
    total = stats.bernoulli.entropy(up)
    parts = [float(part[0]) for part in found.entropies([point])]
    assert parts == pytest.approx([total, own, total - own], abs=1e-11)


def test_quantiles_of_the_logistic_posterior():
    _, posterior = logistic()
    for weight in (0, 1):
        axis, marginal = posterior.axes[weight], posterior.masses.sum(axis=1 - weight)
        below = np.cumsum(marginal) - 0.5 * marginal  # at the middle of a cell
        for level in (0.05, 0.3, 0.5, 0.95):
            expected = np.interp(level, below, axis)
            assert posterior.quantile(level, weight) == pytest.approx(expected, abs=1e-3)
    # without data it is the prior: exact
    prior = theory.logistic_posterior([[0.0, 0.0]], [1], prior_variance=4.0)
    for level in (1e-6, 0.05, 0.3, 0.999):
        assert prior.quantile(level, 1) == pytest.approx(2 * stats.norm.ppf(level), abs=1e-7)
    assert prior.log_evidence == pytest.approx(math.log(0.5), abs=1e-12)
    with pytest.raises(ValueError, match="probability must be"):
        prior.quantile(0.0, 0)
    with pytest.raises(ValueError, match="weight must be one of"):
        prior.quantile(0.5, 2)


def test_hard_logistic_posteriors_do_not_depend_on_the_grid():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((25, 2))
    twin = np.column_stack([x[:, 0], x[:, 0] + 0.05 * x[:, 1]])
    hard = [
        (x, np.where(x[:, 0] > 0, 1, -1), 100.0, 1e-9),  # separable: a long tail
        (twin, np.where(x[:, 0] + x[:, 1] > 0, 1, -1), 25.0, 1e-9),  # correlated
        (100 * x, np.where(x[:, 0] + 2 * x[:, 1] > 0, 1, -1), 1.0, 1e-3),  # nearly a step
    ]
    for inputs, labels, prior, tolerance in hard:
        coarse, fine = (
            theory.logistic_posterior(inputs, labels, prior_variance=prior, n_nodes=n)
            for n in (401, 600)
        )
        np.testing.assert_allclose(coarse.mean, fine.mean, rtol=tolerance)
        np.testing.assert_allclose(coarse.covariance, fine.covariance, rtol=tolerance)
        assert coarse.log_evidence == pytest.approx(fine.log_evidence, abs=tolerance)
        edges = (coarse.masses[0], coarse.masses[-1], coarse.masses[:, 0], coarse.masses[:, -1])
        assert max(float(edge.max()) for edge in edges) < 1e-15


def test_the_grid_lies_about_the_peak():
    problem, posterior = logistic()
    signed = problem.inputs * problem.labels[:, None]
    found = optimize.minimize(
        lambda w: np.logaddexp(0, -signed @ w).sum() + w @ w / 8, np.zeros(2), tol=1e-12
    )
    highest = np.unravel_index(posterior.masses.argmax(), posterior.masses.shape)
    for j in (0, 1):
        axis = posterior.axes[j]
        step = axis[1] - axis[0]
        assert abs(axis[highest[j]] - found.x[j]) < step
        assert step < 0.08 * posterior.stds[j]


def test_entropies_of_members():
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.ones(4), size=(6, 20))
    total, expected, mutual = theory.member_entropies(p)
    np.testing.assert_allclose(total, [stats.entropy(q) for q in p.mean(0)], atol=1e-13)
    np.testing.assert_allclose(
        expected, np.mean([[stats.entropy(q) for q in member] for member in p], axis=0), atol=1e-13
    )
    np.testing.assert_allclose(mutual, total - expected, atol=1e-13)
    certain = np.eye(3)[:, None]
    found = [float(part[0]) for part in theory.member_entropies(certain)]
    assert found == pytest.approx([math.log(3), 0.0, math.log(3)], abs=1e-15)
    with pytest.raises(ValueError, match="must add up to 1"):
        theory.member_entropies(1.01 * certain)


# --- linear models under attack -----------------------------------------------------------------


def corners(x, radius, clip):
    """Every corner of the ball of one input."""
    low, high = x - radius, x + radius
    if clip:
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    return np.array(list(itertools.product(*zip(low, high, strict=True))))


@pytest.mark.parametrize("clip", [True, False])
def test_worst_margins_and_losses_by_all_corners(clip):
    rng = np.random.default_rng(6)
    W, b, x = rng.standard_normal((3, 6)), rng.standard_normal(3), rng.random((15, 6))
    y, radii = rng.integers(0, 3, 15), np.array([0.0, 0.1, 0.5])
    found = theory.linear_worst_margin(W, b, x, y, radius=radii, clip=clip)
    share = theory.linear_robust_accuracy(W, b, x, y, radius=radii, clip=clip)
    w, signs = rng.standard_normal(6), rng.choice([-1.0, 1.0], 15)
    loss = theory.worst_binary_loss(w, 0.3, x, signs, radius=radii, clip=clip)
    assert found.shape == loss.shape == (3, 15)
    for r, radius in enumerate(radii):
        robust = 0
        for i in range(15):
            points = corners(x[i], radius, clip)
            logits = points @ W.T + b
            others = np.delete(logits, y[i], axis=1).max(axis=1) - logits[:, y[i]]
            assert found[r, i] == pytest.approx(others.max(), abs=1e-12)
            robust += others.max() < 0
            worst = np.logaddexp(0, -signs[i] * (points @ w + 0.3)).max()
            assert loss[r, i] == pytest.approx(worst, abs=1e-12)
        assert share[r] == robust / 15
    assert isinstance(theory.linear_robust_accuracy(W, b, x, y, radius=0.1), float)


def test_linear_numbers_of_reference():
    many, two = exact_problems.softmax_problem(), exact_problems.binary_problem()
    share = theory.linear_robust_accuracy(*many, radius=[0.0, 0.01, 0.05, 0.1])
    assert share.tolist() == [1.0, 0.845, 0.3925, 0.0925]
    loss = theory.worst_binary_loss(*two, radius=[0.05, 0.2])
    assert loss.mean(axis=1) == pytest.approx([1.02201, 3.90736], abs=6e-6)
    free = theory.worst_binary_loss(*two, radius=[0.05, 0.2], clip=False)
    np.testing.assert_allclose(loss, free, atol=1e-12)  # the box is out of reach
    score = two.labels * (two.inputs @ two.weights + two.bias)
    np.testing.assert_allclose(
        free[1], np.logaddexp(0, 0.2 * np.abs(two.weights).sum() - score), atol=1e-12
    )


# --- a normal law of weights --------------------------------------------------------------------


@pytest.mark.parametrize("mean", [-6.0, 0.0, 0.4, 3.0])
@pytest.mark.parametrize("std", [0.0, 0.05, 1.0, 2.99, 3.01, 20.0, 500.0])
def test_the_gaussian_predictive_is_that_of_adaptive_quadrature(mean, std):
    found = theory.gaussian_predictive([mean], [std**2], [[1.0]])
    if std == 0.0:
        assert found == pytest.approx([expit(mean)], abs=1e-13)
        return
    where = np.clip(-mean / std, -9, 9)  # of the rise, of a width 1 / std
    points = sorted(
        {-10.0, 10.0, float(where), *np.clip(where + np.array([-40, 40]) / std, -10, 10)}
    )
    expected = sum(
        integrate.quad(lambda z: expit(mean + std * z) * stats.norm.pdf(z), a, b, epsabs=1e-13)[0]
        for a, b in itertools.pairwise(points)
    )
    assert found == pytest.approx([expected], abs=1e-11)


def test_the_gradient_of_the_gaussian_predictive_is_its_difference():
    rng = np.random.default_rng(7)
    m, root = rng.standard_normal(4), rng.standard_normal((4, 4))
    for scale in (0.1, 1.0, 6.0):  # narrow and wide laws
        covariance = scale**2 * root @ root.T
        x = rng.standard_normal((3, 4))
        found = theory.gaussian_predictive_gradient(m, covariance, x)
        steps = 1e-4 * np.eye(4)
        for i in range(3):
            up = theory.gaussian_predictive(m, covariance, x[i] + steps)
            down = theory.gaussian_predictive(m, covariance, x[i] - steps)
            np.testing.assert_allclose(found[i], (up - down) / 2e-4, atol=1e-8)
    variances = np.array([0.5, 2.0, 0.0, 1.0])
    np.testing.assert_allclose(
        theory.gaussian_predictive_gradient(m, variances, x),
        theory.gaussian_predictive_gradient(m, np.diag(variances), x),
        atol=1e-15,
    )


def test_predictive_probabilities_by_drawn_weights():
    rng = np.random.default_rng(8)
    m, root, x = rng.standard_normal(3), rng.standard_normal((3, 3)), rng.standard_normal((1, 3))
    covariance = root @ root.T
    weights = rng.multivariate_normal(m, covariance, size=100_000)
    up = expit(weights @ x[0])
    exact = float(theory.gaussian_predictive(m, covariance, x)[0])
    assert agrees(up, exact)
    assert not agrees(up, exact + 0.01)


def test_label_and_loss_under_attack():
    m, s, x = np.array([0.8, -0.3, 0.1]), np.array([0.1, 0.9, 2.0]), np.array([1.0, -0.5, 0.4])
    step = theory.gaussian_label_attack(m, [1, -1], radius=0.25)
    assert step.tolist() == [[-0.25, 0.25, -0.25], [0.25, -0.25, 0.25]]
    assert theory.gaussian_label_attack([0.0, 2.0], [1], radius=0.1).tolist() == [[0.0, -0.1]]
    points = corners(x, 0.25, clip=False)
    found = theory.gaussian_predictive(m, s**2, [x + step[0], *points])
    assert found[0] == pytest.approx(0.6609, abs=5e-5)
    assert found.min() == pytest.approx(0.6354, abs=5e-5)  # a larger loss elsewhere
    assert points[found[1:].argmin()] @ m > (x + step[0]) @ m


@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0])
def test_the_label_is_robust_by_the_mean_alone(spread):
    rng = np.random.default_rng(9)
    outcomes = set()
    for _ in range(60):
        m, x = rng.standard_normal((2, 4))
        variances = (spread * rng.random(4)) ** 2
        y = float(np.sign(m @ x))
        up = theory.gaussian_predictive(m, variances, corners(x, 0.3, clip=False))
        robust = bool(((up > 0.5) == (y > 0)).all())
        assert robust == (y * (m @ x) > 0.3 * np.abs(m).sum())
        moved = x + theory.gaussian_label_attack(m, [y], radius=0.3)
        own = theory.gaussian_predictive(m, variances, moved)[0]
        assert ((own > 0.5) == (y > 0)) == robust
        outcomes.add(robust)
    assert outcomes == {True, False}


def test_gradients_on_and_off_the_span_of_the_data():
    rng = np.random.default_rng(10)
    tau, data = 2.0, rng.standard_normal((30, 2)) @ rng.standard_normal((2, 5))
    y = data @ rng.standard_normal(5) + 0.5 * rng.standard_normal(30)
    posterior = theory.linear_posterior(data, y, noise_variance=0.25, prior_variance=tau**2)
    inside = 0.4 * rng.standard_normal((6, 2)) @ data[:2]
    gradient = theory.gaussian_predictive_gradient(posterior.mean, posterior.covariance, inside)
    along, off = theory.span_parts(gradient, data)
    np.testing.assert_allclose(off, 0.0, atol=1e-12)
    assert np.abs(along).max() > 0.05
    # off the span: E[sigma''] tau^2 x_perp, towards less confidence
    away = theory.span_parts(rng.standard_normal((6, 5)), data)[1]
    moved = theory.gaussian_predictive_gradient(posterior.mean, posterior.covariance, inside + away)
    _, off = theory.span_parts(moved, data)
    ratio = off / away
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-6)
    up = theory.gaussian_predictive(posterior.mean, posterior.covariance, inside + away)
    assert (np.sign(ratio[:, 0]) == -np.sign(up - 0.5)).all()
    variance = np.einsum("ni,ij,nj->n", inside + away, posterior.covariance, inside + away)
    for i in range(6):
        centre, std = (inside + away)[i] @ posterior.mean, math.sqrt(variance[i])

        def curved(z, centre=centre, std=std):
            p = expit(centre + std * z)
            return p * (1 - p) * (1 - 2 * p) * stats.norm.pdf(z)

        expected = tau**2 * integrate.quad(curved, -10, 10, limit=200)[0]
        assert ratio[i, 0] == pytest.approx(expected, abs=1e-7)
    # confidence falls with the distance, the label stays
    far = [inside[0] + k * away[0] for k in (0, 1, 3)]
    found = theory.gaussian_predictive(posterior.mean, posterior.covariance, far)
    assert (np.diff(np.abs(found - 0.5)) < 0).all()
    assert len(set((found > 0.5).tolist())) == 1


def test_parts_along_a_span():
    rng = np.random.default_rng(11)
    data, v = rng.standard_normal((7, 3)) @ rng.standard_normal((3, 6)), rng.standard_normal((4, 6))
    along, off = theory.span_parts(v, data)
    np.testing.assert_allclose(along + off, v, atol=1e-12)
    np.testing.assert_allclose(off @ data.T, 0.0, atol=1e-12)
    projection = data.T @ np.linalg.pinv(data.T)
    np.testing.assert_allclose(along, v @ projection, atol=1e-12)


def test_shares_of_the_optimal_shift_and_norms():
    means, std = exact_problems.gaussian_weights()
    sizes = [1, 4, 16, 64, 256]
    exact = theory.optimal_shift_fraction(means, std, sizes)
    assert exact == pytest.approx([0.3563, 0.6336, 0.8998, 0.9902, 0.9999], abs=5e-5)
    norms = np.sqrt(theory.expected_squared_norm(means, std, [1, 10, 100]))
    assert norms == pytest.approx([3.28, 1.63, 1.36], abs=5e-3)
    limit = math.sqrt(theory.expected_squared_norm(means, std, 10**12))
    assert limit == pytest.approx(np.linalg.norm(means))
    assert limit == pytest.approx(1.329, abs=5e-4)

    rng = np.random.default_rng(12)
    m, s = rng.standard_normal(5), rng.uniform(0.5, 3.0, 5)
    m[3] = 0.0
    bound = {"n_checks": 4}
    for n in (1, 9):
        gradients = (m + s * rng.standard_normal((100_000, n, 5))).mean(axis=1)
        shift = np.sign(gradients) @ m / np.abs(m).sum()
        share, square = theory.optimal_shift_fraction(m, s, n), (gradients**2).sum(axis=1)
        assert agrees(shift, share, **bound)
        assert not agrees(shift, share + 0.02, **bound)
        norm = theory.expected_squared_norm(m, s, n)
        assert agrees(square, norm, **bound)
        assert not agrees(square, 1.05 * norm, **bound)
    some = theory.optimal_shift_fraction([1.0, -3.0], [0.0, 1e12], 1)
    assert some == pytest.approx(0.25, abs=1e-9)
    assert theory.optimal_shift_fraction([1.0, -3.0], 0.0, 1) == 1.0


# --- gradients of a predictive mean ---------------------------------------------------------------


def test_weighted_member_gradients_are_those_of_autograd():
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn((6, 4, 3), generator=generator, dtype=torch.float64)
    x = torch.randn((5, 4), generator=generator, dtype=torch.float64).requires_grad_()
    logs = torch.einsum("ni,sik->snk", x.sin(), weights).log_softmax(2)[..., 1]
    (whole,) = torch.autograd.grad(-logs.exp().mean(0).log().sum(), x, retain_graph=True)
    members = torch.stack(
        [torch.autograd.grad(-row.sum(), x, retain_graph=True)[0] for row in logs]
    )
    found = theory.predictive_gradient(logs.detach().numpy(), members.numpy())
    np.testing.assert_allclose(found, whole.numpy(), rtol=0, atol=1e-14)
    assert np.abs(members.numpy().mean(0) - whole.numpy()).max() > 0.01
    shares = theory.member_weights(logs.detach().numpy())
    p = logs.detach().exp().numpy()
    np.testing.assert_allclose(shares, p / p.sum(0), atol=1e-15)
    tiny = theory.member_weights([[-2000.0], [-2001.0]])  # beyond the range of exp
    assert tiny[:, 0] == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.e)])


# --- double softmax -------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 10])
def test_double_softmax_by_random_and_certain_probabilities(k):
    rng = np.random.default_rng(13)
    many = np.concatenate([rng.dirichlet(np.full(k, 0.05), 4000), np.eye(k)])
    again = np.exp(many) / np.exp(many).sum(axis=1, keepdims=True)
    losses = -np.log(again[:, 0])
    low, high = theory.double_softmax_range(k)
    assert losses.min() == pytest.approx(low, abs=1e-12)
    assert losses.max() == pytest.approx(high, abs=1e-12)
    least = min(float((1 - np.abs(row - again).max(axis=1)).min()) for row in again[-k:])
    assert least == pytest.approx(theory.double_softmax_floor(k), abs=1e-12)


def test_double_softmax_numbers_of_reference():
    low, high = theory.double_softmax_range([2, 10])
    assert (low[1], high[1]) == pytest.approx((1.4612, 2.4612), abs=5e-5)
    assert theory.double_softmax_floor([2, 10, 100]) == pytest.approx(
        [0.5379, 0.8534, 0.9831], abs=5e-5
    )


# --- selective prediction -----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7, 500])
def test_selective_areas_by_summation(n):
    for right in {0, 1, n // 2, n - 1, n}:
        flags = np.arange(n) < right
        accuracy = {
            "perfect": np.cumsum(flags) / np.arange(1, n + 1),
            "worst": np.cumsum(flags[::-1]) / np.arange(1, n + 1),
            "useless": np.full(n, right / n),
        }
        for ranking, values in accuracy.items():
            found = theory.selective_area(ranking, right / n, n=n)
            assert found == pytest.approx(values.mean(), abs=1e-12)
            limit = theory.selective_area(ranking, right / n)
            assert abs(limit - found) <= 0.5 / n + 1e-12


def test_selective_numbers_of_reference():
    found = [theory.selective_area(ranking, 0.5) for ranking in ("perfect", "worst", "useless")]
    assert found == pytest.approx([0.8466, 0.1534, 0.5], abs=5e-5)
    assert theory.selective_area("perfect", [0.0, 1.0]).tolist() == [0.0, 1.0]
    assert theory.selective_area("worst", [0.0, 1.0]).tolist() == [0.0, 1.0]
    off = theory.selective_area("perfect", 0.5) - theory.selective_area("perfect", 0.5, n=200)
    assert off == pytest.approx(1.2e-3, abs=1e-4)


# --- bad input ----------------------------------------------------------------------------------

POSTERIOR = theory.linear_posterior([[1.0]], [1.0], noise_variance=1.0, prior_variance=1.0)
ONE = {"weights": [[1.0], [2.0]], "bias": [0.0, 0.0], "inputs": [[0.5]], "labels": [0], "radius": 0}
TWO = {"weights": [1.0], "bias": 0.0, "inputs": [[0.5]], "labels": [1], "radius": 0.1}
FIT = {"noise_variance": 1.0, "prior_variance": 1.0}

BAD = [
    (lambda: theory.leapfrog_matrix(0.0, 1), ValueError, "step_size must be finite and > 0"),
    (lambda: theory.leapfrog_matrix(0.5, 1.5), ValueError, "n_steps must hold whole numbers"),
    (lambda: theory.leapfrog_matrix([0.5, 1], [1, 2, 3]), ValueError, "shapes must broadcast"),
    (lambda: theory.leapfrog_energy_error(0.5, 1, 0), ValueError, "n_dimensions must be"),
    (lambda: theory.leapfrog_acceptance(0.5, 1, 2, method="f"), ValueError, "method must be one"),
    (lambda: theory.langevin_variance(-1.0, 1.0), ValueError, "precision must be"),
    (lambda: theory.langevin_variance(1.0, 0.0), ValueError, "step_size must be"),
    (lambda: theory.monte_carlo_bound(0), ValueError, "effective_samples must be"),
    (lambda: theory.linear_posterior([[1.0]], [1, 2], **FIT), ValueError, "inputs and targets"),
    (
        lambda: theory.linear_posterior([[1.0]], [1], noise_variance=0, prior_variance=1),
        ValueError,
        "noise_variance must be finite and > 0",
    ),
    (lambda: theory.mean_field_optimum((1, 2)), TypeError, "posterior must be a LinearPosterior"),
    (
        lambda: theory.gaussian_divergence([0], [[1]], [0], [[-1]]),
        ValueError,
        "covariance_p must be positive definite",
    ),
    (
        lambda: theory.gaussian_divergence([0, 1], [[1]], [0], [[1]]),
        ValueError,
        "mean_q and covariance_q must have shapes",
    ),
    (
        lambda: theory.gaussian_divergence([0], [[1]], [0, 1], np.eye(2)),
        ValueError,
        "mean_q and mean_p must have one shape",
    ),
    (
        lambda: theory.function_divergence([0], [1, 1], [[1]], prior_variance=1),
        ValueError,
        "means, stds and context must have shapes",
    ),
    (
        lambda: theory.logistic_posterior([[1.0, 2.0]], [0], prior_variance=1),
        ValueError,
        "labels must be -1 or 1",
    ),
    (
        lambda: theory.logistic_posterior([[1.0]], [1], prior_variance=1),
        ValueError,
        r"shapes \(n, 2\)",
    ),
    (
        lambda: theory.logistic_posterior([[1.0, 2.0]], [1], prior_variance=1, n_nodes=10),
        ValueError,
        "n_nodes must be",
    ),
    (lambda: theory.member_entropies(np.ones((0, 1, 2))), ValueError, "none of them 0"),
    (lambda: theory.linear_worst_margin(**(ONE | {"labels": [2]})), ValueError, "labels must have"),
    (
        lambda: theory.linear_worst_margin(**(ONE | {"inputs": [[1.01]]})),
        ValueError,
        "inputs must be finite and >= 0 and <= 1",
    ),
    (lambda: theory.linear_worst_margin(**(ONE | {"bias": [0.0]})), ValueError, "weights and bias"),
    (lambda: theory.linear_worst_margin(**(ONE | {"radius": -1})), ValueError, "radius must be"),
    (lambda: theory.worst_binary_loss(**(TWO | {"labels": [0]})), ValueError, "labels must be 1"),
    (
        lambda: theory.worst_binary_loss(**(TWO | {"inputs": [[0.5, 0.5]]})),
        ValueError,
        r"inputs must have the shape \(n, 1\)",
    ),
    (lambda: theory.gaussian_predictive([1.0], [-1.0], [[1.0]]), ValueError, "covariance must be"),
    (
        lambda: theory.gaussian_predictive([1.0, 0], [[0, 1], [1, 0]], [[1.0, 0]]),
        ValueError,
        "covariance must be symmetric and positive semidefinite",
    ),
    (
        lambda: theory.gaussian_predictive([1.0], [1.0, 2.0], [[1.0]]),
        ValueError,
        "mean and covariance must have shapes",
    ),
    (
        lambda: theory.gaussian_predictive([1.0], [1.0], [[1.0, 2.0]]),
        ValueError,
        "inputs must have the shape",
    ),
    (lambda: theory.span_parts([[1.0]], [[1.0, 2.0]]), ValueError, "vectors and data"),
    (lambda: theory.gaussian_label_attack([1.0], [2], radius=0.1), ValueError, "labels must be"),
    (lambda: theory.optimal_shift_fraction([0.0], 1.0, 1), ValueError, "mean must not be 0"),
    (lambda: theory.optimal_shift_fraction([1.0], [1.0, 2.0], 1), ValueError, "mean and std"),
    (lambda: theory.expected_squared_norm([1.0], 1.0, 0), ValueError, "n_gradients must be"),
    (lambda: theory.member_weights([0.1]), ValueError, "log_probabilities must be"),
    (lambda: theory.member_weights(-1.0), ValueError, "n_samples >= 1"),
    (
        lambda: theory.predictive_gradient([[-1.0]], [[1.0], [2.0]]),
        ValueError,
        "log_probabilities and gradients must have shapes",
    ),
    (lambda: theory.double_softmax_range(1), ValueError, "n_classes must be"),
    (lambda: theory.double_softmax_floor(2.5), ValueError, "n_classes must hold whole"),
    (lambda: theory.selective_area("good", 0.5), ValueError, "ranking must be one of"),
    (lambda: theory.selective_area("perfect", 1.5), ValueError, "share must be"),
    (lambda: theory.selective_area("perfect", 0.5, n=3), ValueError, r"share \* n whole"),
    (lambda: theory.langevin_variance(True, 1.0), TypeError, "precision must be an array of real"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_good_arguments_are_not_refused():
    theory.linear_worst_margin(**ONE)
    theory.worst_binary_loss(**TWO)
    assert theory.mean_field_optimum(POSTERIOR).gap == pytest.approx(0.0, abs=1e-15)
