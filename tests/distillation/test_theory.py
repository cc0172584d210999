"""Closed forms against worked numbers, against unrolled runs, and against integrals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from fragile_learning.distillation import simulation, theory

PROBLEM = {
    "hessian": np.diag([1.0, 0.2]),
    "outer_hessian": np.diag([1.0, 3.0]),
    "target": [1.0, 2.0],
    "start": [0.0, 1.0],
    "learning_rate": 0.4,
}
DATA = {"data": [0.5, -0.5]}

# N, M, end, gradient: worked out with 10 decimals
WORKED = [
    (10, 10, (0.4969766912, 0.1515826813), (-0.4999817192, -3.1364585305)),
    (10, 4, (0.4969766912, 0.1515826813), (-0.4378314880, -1.5726724933)),
    (4, 4, (0.4352, 0.57458944), (-0.4916019200, -1.2127694091)),
    (30, 30, (0.4999998895, -0.3770506946), (-0.5, -6.5466386205)),
    (30, 4, (0.4999998895, -0.3770506946), (-0.4352000962, -2.0224449343)),
]


def dense(seed=0, d=4):
    """A problem whose matrices do not commute, with rates from a contraction to an explosion."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((d, d)))
    root = rng.standard_normal((d, d))
    return {
        "hessian": (turn * np.linspace(-0.1, 2.3, d)) @ turn.T,
        "outer_hessian": root @ root.T,
        "target": rng.standard_normal(d),
        "start": rng.standard_normal(d),
        "data": rng.standard_normal(d),
    }


# --- rules --------------------------------------------------------------------------------------


def test_pairs_of_the_rules():
    assert theory.window_pairs("full", 6, 4) == ((6, 6),)
    assert theory.window_pairs("truncated", 6, 4) == ((6, 4),)
    assert theory.window_pairs("random", 6, 4) == ((4, 4), (5, 5), (6, 6))
    assert theory.window_pairs("random-truncated", 6, 4) == ((4, 4), (5, 4), (6, 4))
    for rule in theory.RULES:  # a window over the whole run is full back-propagation
        assert theory.window_pairs(rule, 5, 5) == ((5, 5),)


def test_worked_coverage():
    expected = np.array([1, 2, 3, 3, 3, 3, 3, 3, 2, 1]) / 8
    np.testing.assert_allclose(theory.window_coverage(10, 3), expected, rtol=1e-14)


@pytest.mark.parametrize("rule", theory.RULES)
@pytest.mark.parametrize(("T", "M"), [(1, 1), (5, 5), (9, 4), (10, 3), (12, 11), (7, 1)])
def test_coverage_is_the_share_of_pairs_that_hold_a_step(rule, T, M):
    pairs = theory.window_pairs(rule, T, M)
    share = [np.mean([n - m <= t < n for n, m in pairs]) for t in range(T)]
    np.testing.assert_allclose(theory.window_coverage(T, M, rule=rule), share, atol=1e-14)


# --- the quadratic problem ----------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m", "end", "gradient"), WORKED)
def test_worked_quadratic_problem(n, m, end, gradient):
    place = {"start": PROBLEM["start"], **DATA, "learning_rate": 0.4, "n_steps": n}
    np.testing.assert_allclose(theory.quadratic_end(PROBLEM["hessian"], **place), end, atol=6e-11)
    found = theory.quadratic_meta_gradient(**PROBLEM, **DATA, n_steps=n, window=m)
    np.testing.assert_allclose(found, gradient, atol=6e-11)


@pytest.mark.parametrize(
    ("rule", "root", "loss", "mean_loss"),
    [
        ("full", 1.8742882236, 0.7556297498, 0.9022296548),
        ("truncated", 1.6358454857, 0.8109977217, 0.9515812878),
        ("random", 1.8924720992, 0.7559517553, 0.9019806217),
        ("random-truncated", 1.7411515360, 0.7728915431, 0.9192262897),
    ],
)
def test_worked_constrained_roots(rule, root, loss, mean_loss):
    windows = theory.window_pairs(rule, 10, 4)
    v = theory.quadratic_solution(**PROBLEM, basis=[[1.0], [1.0]], windows=windows)
    assert v == pytest.approx([root], abs=6e-11)
    losses = [
        theory.quadratic_outer_loss(**PROBLEM, data=[v[0], v[0]], n_steps=n) for n in range(4, 11)
    ]
    assert losses[-1] == pytest.approx(loss, abs=6e-11)
    assert np.mean(losses) == pytest.approx(mean_loss, abs=6e-11)


@pytest.mark.parametrize(
    ("rule", "root"),
    [
        ("full", (1.0061, 2.7680)),
        ("truncated", (1.0061, 2.7680)),
        ("random", (1.0451, 3.1992)),
        ("random-truncated", (1.0471, 3.3022)),
    ],
)
def test_worked_free_roots(rule, root):
    windows = theory.window_pairs(rule, 10, 4)
    v = theory.quadratic_solution(**PROBLEM, basis=np.eye(2), windows=windows)
    np.testing.assert_allclose(v, root, atol=6e-5)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (1, 0), (1, 1), (6, 2), (6, 6), (40, 13)])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_dense_problems(n, m, seed):
    problem = {**dense(seed), "learning_rate": 0.7, "n_steps": n}
    found = theory.quadratic_meta_gradient(**problem, window=m)
    unrolled = simulation.unrolled_meta_gradient(**problem, window=m)
    np.testing.assert_allclose(found, unrolled, rtol=1e-9, atol=1e-10)
    frozen = problem["data"]
    del problem["data"]
    differenced = simulation.central_difference(
        lambda u: simulation.unrolled_outer_loss(**problem, data=u, frozen=frozen, window=m),
        frozen,
        step=1e-3,  # the loss is quadratic: no step is too large
    )
    np.testing.assert_allclose(found, differenced, rtol=1e-6, atol=1e-8)
    loss = theory.quadratic_outer_loss(**problem, data=frozen)
    assert loss == pytest.approx(
        simulation.unrolled_outer_loss(**problem, data=frozen, frozen=frozen, window=m), rel=1e-10
    )


def test_no_cancellation_at_small_rates():
    """1 - (1 - 1e-12)^5 to ten digits."""
    one = {"outer_hessian": [1.0], "target": [-1.0], "start": [0.0], "data": [0.0]}
    found = theory.quadratic_meta_gradient([1e-9], **one, learning_rate=1e-3, n_steps=5, window=5)
    assert found == pytest.approx([5e-12], rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (6, 2), (6, 6), (5, 0)])
def test_gradient_of_each_step(n, m):
    """Differences with data of a name of their own at each step."""
    problem = dense(5)
    u, H, rate = problem.pop("data"), problem["hessian"], 0.7

    def loss(data):
        theta = problem["start"]
        for t in range(n):
            theta = theta - rate * H @ (theta - (data[t] if t >= n - m else u))
        off = theta - problem["target"]
        return 0.5 * off @ problem["outer_hessian"] @ off

    same = np.tile(u, (n, 1))
    sizes = {"learning_rate": rate, "n_steps": n, "window": m}
    found = theory.quadratic_step_gradients(**problem, data=u, **sizes)
    np.testing.assert_allclose(
        found, simulation.central_difference(loss, same, step=1e-3), rtol=1e-7, atol=1e-9
    )
    total = theory.quadratic_meta_gradient(**problem, data=u, **sizes)
    np.testing.assert_allclose(found.sum(axis=0), total, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("rule", theory.RULES)
def test_moments_of_the_gradient(rule):
    """Over every pair, and starts on the axes of the covariance: no draw."""
    problem = dense(3, 3)
    spread = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, 0.1], [0.0, 0.1, 0.3]])
    windows = theory.window_pairs(rule, 7, 3)
    root = np.linalg.cholesky(spread)
    # six points with the mean of the starts and this covariance
    points = np.concatenate([root.T, -root.T]) * np.sqrt(3.0)
    middle = problem.pop("start")
    gradients = [
        simulation.unrolled_meta_gradient(
            **problem, start=middle + point, learning_rate=0.7, n_steps=n, window=m
        )
        for n, m in windows
        for point in points
    ]
    found = theory.quadratic_gradient_moments(
        **problem, start=middle, start_covariance=spread, learning_rate=0.7, windows=windows
    )
    np.testing.assert_allclose(found.mean, np.mean(gradients, axis=0), rtol=1e-10)
    np.testing.assert_allclose(
        found.covariance, np.cov(np.transpose(gradients), bias=True), rtol=1e-9
    )


def test_truncation_is_a_fixed_map_of_the_full_gradient():
    """At a fixed length and with free data no window has more signal for its noise."""
    problem = dense(4, 3)
    H, rate = problem["hessian"], 0.7
    power = np.linalg.matrix_power
    step = np.eye(3) - rate * H
    turn = (np.eye(3) - power(step, 2)) @ np.linalg.inv(np.eye(3) - power(step, 9))
    moments = [
        theory.quadratic_gradient_moments(
            **problem, start_covariance=np.eye(3), learning_rate=rate, windows=[(9, m)]
        )
        for m in (9, 2)
    ]
    np.testing.assert_allclose(moments[1].mean, turn @ moments[0].mean, rtol=1e-8)
    np.testing.assert_allclose(
        moments[1].covariance, turn @ moments[0].covariance @ turn.T, rtol=1e-7
    )


@pytest.mark.parametrize("rule", theory.RULES)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_roots_of_dense_problems(rule, k):
    problem = dense(7)
    del problem["data"]
    problem["hessian"] = problem["hessian"] @ problem["hessian"] / 4 + 0.05 * np.eye(4)
    basis = np.random.default_rng(k).standard_normal((4, k))
    windows = theory.window_pairs(rule, 8, 3)
    place = {**problem, "basis": basis, "learning_rate": 0.5, "windows": windows}
    v = theory.quadratic_solution(**place)
    np.testing.assert_allclose(v, simulation.search_solution(**place), rtol=1e-6, atol=1e-8)
    gradients = [
        simulation.unrolled_meta_gradient(
            **problem, data=basis @ v, learning_rate=0.5, n_steps=n, window=m
        )
        for n, m in windows
    ]
    np.testing.assert_allclose(basis.T @ np.sum(gradients, axis=0), 0.0, atol=1e-8)


def test_free_roots_do_not_depend_on_the_window():
    roots = [
        theory.quadratic_solution(**PROBLEM, basis=np.eye(2), windows=[(10, m)])
        for m in range(1, 11)
    ]
    assert np.ptp(roots, axis=0).max() < 1e-12
    two = theory.quadratic_solution(**PROBLEM, basis=np.eye(2), windows=[(9, 3), (10, 3)])
    assert np.abs(two - roots[0]).max() > 1e-3


def test_growth_of_norms():
    H = dense(1)["hessian"]
    for rate in (0.3, 0.9, 1.2):
        step = np.eye(4) - rate * H
        norms = [np.linalg.norm(np.linalg.matrix_power(step, n), 2) for n in (10, 11)]
        assert theory.quadratic_growth(H, learning_rate=rate) == pytest.approx(
            np.log(norms[1] / norms[0]), abs=1e-9
        )
    assert theory.quadratic_growth([1.0, 0.2], learning_rate=1.999) < 0.0
    assert theory.quadratic_growth([1.0, 0.2], learning_rate=2.001) > 0.0
    assert theory.quadratic_growth([1.0, -0.01], learning_rate=0.1) > 0.0
    assert theory.quadratic_growth([2.0, 2.0], learning_rate=0.5) == -np.inf


def test_one_dimension_is_a_diagonal():
    place = {"start": [0.0, 1.0], "data": [0.5, -0.5], "learning_rate": 0.4, "n_steps": 7}
    np.testing.assert_array_equal(
        theory.quadratic_end([1.0, 0.2], **place),
        theory.quadratic_end(np.diag([1.0, 0.2]), **place),
    )


# --- Adam -----------------------------------------------------------------------------------------


def test_worked_first_step():
    first, second = theory.adam_first_step_moments(0.02, 1e-4, 1.0 / np.sqrt(2.0 * np.pi))
    assert first == pytest.approx(0.0159577, abs=5e-8)
    assert second == pytest.approx(1.0638461, abs=5e-8)


@pytest.mark.parametrize("step", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_first_gradient_by_quadrature(step, rate):
    density = 1.0 / np.sqrt(2.0 * np.pi)
    law = theory.adam_step_moments(rate, 1e-6, density, step=step)
    found = simulation.adam_quadrature(learning_rate=rate, eps=1e-6, step=step)
    np.testing.assert_allclose(found, law, rtol=1e-4)
    wrong = theory.adam_step_moments(rate, 1e-6, density, step=step + 1)
    assert abs(found[1] / wrong[1] - 1.0) > 1e-3


def test_share_of_later_steps():
    """As printed for the first three: 1, .39, .074 of the first step's mean square."""
    first = theory.adam_step_moments(0.02, 1e-8, 0.4, step=1)[1]
    shares = [theory.adam_step_moments(0.02, 1e-8, 0.4, step=t)[1] / first for t in (1, 2, 10)]
    assert shares == pytest.approx([1.0, 0.39, 0.074], abs=2e-3)


def test_other_betas():
    law = theory.adam_step_moments(0.1, 1e-6, 0.5, step=3, beta1=0.0, beta2=0.5)
    r, s = 1.0, np.sqrt(0.5 / (1.0 - 0.5**3))

    def derivative(g):
        return 0.1 * r * 1e-6 / (s * g + 1e-6) ** 2

    ends = {"points": [1e-6, 1e-3], "limit": 200, "epsabs": 0.0}
    first = quad(lambda g: derivative(g), 0.0, 1.0, **ends)[0]  # density 1/2 on both sides
    second = quad(lambda g: derivative(g) ** 2, 0.0, 1.0, **ends)[0]
    assert law == pytest.approx((first, second), rel=1e-4)


# --- the outer loop -------------------------------------------------------------------------------


def test_worked_thresholds():
    np.testing.assert_allclose(theory.clip_thresholds([2, 2, 8, 1]), [4, 4, 5.2, 4.88], rtol=1e-14)
    assert len(theory.clip_thresholds([])) == 0


def test_thresholds_by_the_weights_of_the_average():
    norms = np.random.default_rng(2).random(7)
    found = theory.clip_thresholds(norms, decay=0.6, factor=3.0)
    for k in range(7):
        weights = 0.4 * 0.6 ** np.arange(k, -1, -1.0)
        weights[0] = 0.6**k
        assert found[k] == pytest.approx(3.0 * weights @ norms[: k + 1], rel=1e-12)


def test_costs_of_networks():
    """As counted by another counter, to two decimals."""
    expected = {
        (784, 128, 10): (2.01, 6.04),
        (784, 256, 128, 10): (2.15, 6.44),
        (196, 64, 10): (2.05, 6.15),
    }
    for widths, ratios in expected.items():
        costs = theory.perceptron_costs(widths)
        assert costs.forward == sum(a * b for a, b in itertools.pairwise(widths))
        found = costs.gradient / costs.forward, costs.window / costs.forward
        assert found == pytest.approx(ratios, abs=6e-3)


@pytest.mark.parametrize("widths", [(3, 4, 2), (5, 3), (6, 5, 4, 3)])
def test_costs_are_counted(widths):
    rng = np.random.default_rng(1)
    parameters = rng.standard_normal(sum((a + 1) * b for a, b in itertools.pairwise(widths)))
    examples = [
        rng.standard_normal((4, widths[0])),
        [0, 1, 0, 1],
        rng.standard_normal((7, widths[0])),
        [1] * 7,
    ]
    counted = []
    for n, m in [(5, 2), (3, 3), (4, 0)]:
        run = simulation.mlp_run(
            parameters, widths, *examples, optimizer="sgd", learning_rate=0.1, n_steps=n, window=m
        )
        place = {"n_distilled": 4, "n_outer": 7}
        assert theory.meta_step_cost(widths, windows=[(n, m)], **place) == run.n_multiplications
        counted.append(run.n_multiplications)
        again = theory.meta_step_cost(widths, windows=[(n, m)], recompute=True, **place)
        plain = theory.perceptron_costs(widths).gradient
        assert again == run.n_multiplications + 4 * m * plain
    mean = theory.meta_step_cost(widths, windows=[(5, 2), (3, 3), (4, 0)], n_distilled=4, n_outer=7)
    assert mean == pytest.approx(np.mean(counted), rel=1e-14)


def test_outer_steps_of_a_budget():
    """25,000 units of an inner gradient, where the first layer is not cheaper."""
    units = {}
    for rule in theory.RULES:
        pairs = theory.window_pairs(rule, 40, 12)
        units[rule] = np.mean([(n - m) + 3 * m for n, m in pairs]) + 25.6
    found = {rule: int(25_000 / value) for rule, value in units.items()}
    assert found == {"full": 171, "truncated": 279, "random": 241, "random-truncated": 330}
    costs = {
        rule: theory.meta_step_cost(
            [64, 64, 10], windows=theory.window_pairs(rule, 40, 12), n_distilled=10, n_outer=256
        )
        for rule in theory.RULES
    }
    for rule in theory.RULES:  # both passes cost three times a gradient in every layer
        assert costs[rule] / costs["full"] == pytest.approx(units[rule] / units["full"], rel=1e-12)


# --- nothing valid gives NaN ----------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    m1=st.floats(-3, 3),
    excess=st.floats(0, 4),
    window=st.integers(0, 30),
    n_draws=st.integers(1, 10**6),
)
def test_contractions_are_never_nan(m1, excess, window, n_draws):
    m2 = m1**2 + excess
    numbers = [*theory.jacobian_moments(m1, m2, window)]
    numbers += [theory.jacobian_error(m1, m2, window, n_draws)]
    numbers += [theory.best_window(m1, m2, n_draws)]
    assert not np.isnan(numbers).any()
    assert numbers[1] >= -1e-9 * m2**window


@settings(deadline=None, max_examples=60)
@given(
    mean=st.floats(-5, 5),
    std=st.floats(0, 5),
    order=st.floats(0, 100),
    law=st.sampled_from(theory.LAWS),
)
def test_growth_is_never_nan(mean, std, order, law):
    assert not np.isnan(theory.growth_rate(mean, std, order, law=law))
    found = theory.explosion_order(mean, std, law=law)
    assert found >= 0.0
