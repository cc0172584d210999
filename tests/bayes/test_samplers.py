"""Samplers against laws that are known exactly; what should fail the same checks does."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch")

from fragile_learning.bayes import diagnostics, models, samplers  # noqa: E402
from fragile_learning.bayes.predict import Posterior  # noqa: E402
from fragile_learning.bayes.samplers import PhasePoint, hmc, leapfrog, sgld, with_gradient  # noqa: E402
from fragile_learning.statistics import z_bound  # noqa: E402

F64 = torch.float64
FALSE_ALARM = 1e-7  # of one test, all its checks together


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


STANDARD = with_gradient(lambda z: -0.5 * z.square().sum(dim=1))


def scores(draws, means, stds, quantiles):
    """z of means, squares and both tails of each parameter, from means of independent chains.

    ``quantiles`` has the shape (2, n_parameters): where 10 % and 90 % of the mass lie below.
    """
    values = draws.numpy()
    low, high = quantiles
    columns = [
        (values - means).mean(axis=1),
        ((values - means) ** 2 - stds**2).mean(axis=1),
        (values < low).mean(axis=1) - 0.1,
        (values > high).mean(axis=1) - 0.1,
    ]
    found = np.stack(columns, axis=1)  # (n_chains, 4, n_parameters)
    return found.mean(axis=0) / (found.std(axis=0, ddof=1) / np.sqrt(len(found)) + 1e-300)


def passes(z):
    return bool(np.abs(z).max() < z_bound(FALSE_ALARM, z.size))


# --- leapfrog -----------------------------------------------------------------------------------


def quartic(z):
    return -(z**4).sum(dim=1) / 4 - 0.3 * (z[:, :1] * z[:, 1:]).sum(dim=1)


def start_of(density, position, momentum):
    return PhasePoint(position, momentum, *density(position))


def test_leapfrog_is_reversible():
    density, mass = with_gradient(quartic), torch.tensor([1.0, 2.0, 0.5], dtype=F64)
    first = start_of(density, normal(5, 3), normal(5, 3, seed=1))
    settings = {"step_size": 0.11, "n_steps": 13, "inverse_mass": mass}
    there = leapfrog(density, first, **settings)
    assert float((there.position - first.position).abs().min()) > 1e-3
    back = leapfrog(density, there._replace(momentum=-there.momentum), **settings)
    torch.testing.assert_close(back.position, first.position, rtol=0, atol=1e-12)
    torch.testing.assert_close(-back.momentum, first.momentum, rtol=0, atol=1e-12)
    torch.testing.assert_close(back.value, first.value, rtol=0, atol=1e-12)


def test_leapfrog_preserves_volume():
    mass = torch.tensor([1.0, 2.0, 0.5], dtype=F64)

    def density(z):  # with a gradient that can be differentiated again
        others = torch.stack([z[:, 1] + z[:, 2], z[:, 0], z[:, 0]], dim=1)
        return quartic(z), -(z**3) - 0.3 * others

    position = normal(1, 3)
    torch.testing.assert_close(density(position)[1], with_gradient(quartic)(position)[1])

    def flow(state):
        point = start_of(density, state[None, :3], state[None, 3:])
        end = leapfrog(density, point, step_size=0.2, n_steps=7, inverse_mass=mass)
        return torch.cat([end.position[0], end.momentum[0]])

    jacobian = torch.autograd.functional.jacobian(flow, normal(6, seed=2))
    assert float((jacobian - torch.eye(6)).abs().max()) > 0.5
    assert float(torch.linalg.det(jacobian)) == pytest.approx(1.0, abs=1e-12)


def test_energy_errors_fall_with_the_square_of_the_step():
    density, mass = with_gradient(quartic), torch.ones(3, dtype=F64)

    def error(size, density=density):
        first = start_of(density, normal(200, 3), normal(200, 3, seed=1))
        last = leapfrog(density, first, step_size=size, n_steps=round(1 / size), inverse_mass=mass)
        return float((last.energy(mass) - first.energy(mass)).square().mean().sqrt())

    assert error(0.02) / error(0.01) == pytest.approx(4.0, rel=0.02)

    def wrong(z):  # a gradient of another density
        value, gradient = density(z)
        return value, 1.1 * gradient

    assert error(0.02, wrong) / error(0.01, wrong) < 1.1


@pytest.mark.parametrize(("size", "steps", "d"), [(0.5, 3, 50), (1.0, 2, 20), (0.3, 10, 200)])
def test_acceptance_on_a_normal_law_is_the_closed_form(size, steps, d):
    # of the leapfrog matrix: cos phi = 1 - e^2 / 2, s^2 = 1 / (1 - e^2 / 4)
    phi, s = math.acos(1 - size**2 / 2), (1 - size**2 / 4) ** -0.5
    matrix = np.array(
        [
            [math.cos(steps * phi), s * math.sin(steps * phi)],
            [-math.sin(steps * phi) / s, math.cos(steps * phi)],
        ]
    )
    grown = d / 2 * math.sin(steps * phi) ** 2 * (s - 1 / s) ** 2
    kappa = np.linalg.eigvalsh(matrix.T @ matrix)[-1]
    accepted = 2 * stats.f.cdf(1 / kappa, d, d)
    result = hmc(
        STANDARD,
        normal(2500, d),
        n_draws=20,
        step_size=size,
        trajectory=size * steps,
        jitter=0.0,
        rng=3,
    )
    assert result.n_steps == steps
    for values, theory in ((result.energy_errors, grown), (result.acceptance, accepted)):
        means = values.mean(dim=1).numpy()
        error = means.std(ddof=1) / math.sqrt(len(means))
        assert abs(means.mean() - theory) < z_bound(FALSE_ALARM, 2) * error
    # an acceptance wrong by 2 % would be seen
    assert z_bound(FALSE_ALARM, 2) * error < 0.02 * accepted


@pytest.mark.parametrize("temperature", [1.0, 0.2])
@pytest.mark.parametrize(
    "kind", ["deep", "leaky", "linear", "no bias", "regression", "convolution"]
)
def test_the_joint_density_has_the_gradient_of_automatic_differentiation(kind, temperature):
    network = {
        "deep": models.MLP(input_shape=(2, 4), widths=(6, 5), n_outputs=3, shift=0.3, scale=0.5),
        "leaky": models.MLP(input_shape=(8,), widths=(6, 5), n_outputs=3, slope=0.2),
        "linear": models.MLP(input_shape=(8,), widths=(), n_outputs=3),
        "no bias": models.MLP(input_shape=(8,), widths=(5,), n_outputs=3, bias=False),
        "regression": models.MLP(input_shape=(8,), widths=(5,), n_outputs=2),
        "convolution": models.CNN(input_shape=(1, 6, 6), channels=(2,), kernel=3, n_outputs=3),
    }[kind]
    likelihood = models.Gaussian(0.7) if kind == "regression" else None
    labels = normal(9, 2, seed=1) if likelihood else torch.arange(9) % 3
    data = models.make_data(
        normal(9, math.prod(network.input_shape)), labels, network=network, dtype=F64
    )
    prior = models.GaussianPrior.by_fan_in(network, gain=1.7, bias_std=0.6)
    settings = {"likelihood": likelihood, "temperature": temperature}
    weights = normal(4, network.n_parameters, seed=2)
    weights[0] *= 100  # probabilities that underflow
    found = samplers.joint_density(network, data, prior, **settings)(weights)
    expected = with_gradient(lambda w: models.log_joint(network, w, data, prior, **settings))
    for one, other in zip(found, expected(weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    with pytest.raises(ValueError, match="temperature"):
        samplers.joint_density(network, data, prior, temperature=0.0)


@pytest.mark.parametrize(
    "network",
    [
        models.MLP(input_shape=(2, 4), widths=(6, 5), n_outputs=3, shift=0.3, scale=0.5),
        models.MLP(input_shape=(8,), widths=(6, 5), n_outputs=3, slope=0.2, bias=False),
        models.MLP(input_shape=(8,), widths=(), n_outputs=3),
        models.MLP(input_shape=(8,), widths=(5,), n_outputs=2),
    ],
    ids=["deep", "leaky without bias", "linear", "regression"],
)
def test_leapfrog_in_place_is_leapfrog(network):
    likelihood = models.Gaussian(0.7) if network.n_outputs == 2 else None
    labels = normal(9, 2, seed=1) if likelihood else torch.arange(9) % 3
    data = models.make_data(
        normal(9, math.prod(network.input_shape)), labels, network=network, dtype=F64
    )
    prior = models.GaussianPrior.by_fan_in(network)
    density = samplers.joint_density(network, data, prior, likelihood=likelihood, temperature=0.5)
    wrapped = with_gradient(
        lambda w: models.log_joint(network, w, data, prior, likelihood=likelihood, temperature=0.5)
    )
    first = start_of(wrapped, normal(4, network.n_parameters), normal(4, network.n_parameters))
    kept = [part.clone() for part in first]
    settings = {
        "step_size": torch.tensor([[0.01], [0.02], [0.03], [0.04]], dtype=F64),
        "n_steps": 7,
        "inverse_mass": prior.standard_deviations(network, dtype=F64) ** 2,
    }
    ours = leapfrog(density, first, **settings)
    for one, other in zip(ours, leapfrog(wrapped, first, **settings), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    for one, other in zip(first, kept, strict=True):
        assert torch.equal(one, other)
    # nothing is shared with the workspace
    again = leapfrog(density, first, **settings)
    assert all(torch.equal(one, other) for one, other in zip(ours, again, strict=True))
    with pytest.raises(ValueError, match="parameters must have the shape"):
        density(torch.zeros(4, 3, dtype=F64))


def test_the_sampler_draws_the_same_whoever_takes_the_gradient():
    network = models.MLP(input_shape=(4,), widths=(5,), n_outputs=3)
    data = models.make_data(normal(20, 4), torch.arange(20) % 3, network=network, dtype=F64)
    prior = models.GaussianPrior.by_fan_in(network)
    by_hand = samplers.joint_density(network, data, prior)
    found = [
        hmc(
            density,
            normal(3, network.n_parameters, seed=1),
            n_draws=20,
            step_size=0.05,
            trajectory=0.5,
            rng=1,
        )
        for density in (
            by_hand,
            lambda w: by_hand(w),  # not known to be a perceptron's
            with_gradient(lambda w: models.log_joint(network, w, data, prior)),
        )
    ]
    for other in found[1:]:
        torch.testing.assert_close(found[0].draws, other.draws, rtol=0, atol=1e-7)
        torch.testing.assert_close(found[0].log_densities, other.log_densities, rtol=0, atol=1e-7)


# --- exact posteriors ---------------------------------------------------------------------------


def conjugate():
    """Linear regression on known data, with its exact posterior."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 5)) @ np.diag([1, 1, 1, 0.3, 2])
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    y = x @ np.array([1, -1, 0.5, 2, 0]) + 0.5 * rng.standard_normal(40)
    network = models.MLP(input_shape=(5,), widths=(), n_outputs=1, bias=False)
    data = models.make_data(x, y[:, None], network=network, dtype=F64)
    prior = models.GaussianPrior.constant(network)
    precision = x.T @ x / 0.25 + np.eye(5)
    mean = np.linalg.solve(precision, x.T @ y / 0.25)
    stds = np.sqrt(np.diag(np.linalg.inv(precision)))

    density = samplers.joint_density(network, data, prior, likelihood=models.Gaussian(0.5))
    quantiles = mean + np.array([[-1], [1]]) * stats.norm.ppf(0.9) * stds
    return density, mean, stds, quantiles


@pytest.mark.parametrize("adapt_mass", [False, True])
def test_the_posterior_of_a_linear_regression(adapt_mass):
    density, mean, stds, quantiles = conjugate()
    result = hmc(
        density,
        normal(800, 5),
        n_draws=60,
        n_warmup=80,
        step_size=0.02,
        trajectory=math.pi / 2 if adapt_mass else 0.25,
        adapt_mass=adapt_mass,
        rng=4,
    )
    z = scores(result.draws, mean, stds, quantiles)
    assert passes(z), z
    assert result.n_divergent == 0
    assert 0.7 < float(result.acceptance.mean()) < 0.92
    if adapt_mass:
        np.testing.assert_allclose(result.inverse_mass, stds**2, rtol=0.1)
    # a standard deviation wrong by 5 % would be seen
    assert not passes(scores(result.draws, mean, 1.05 * stds, quantiles))
    torch.testing.assert_close(result.log_densities[:, -1], density(result.draws[:, -1])[0])


@functools.cache
def logistic():
    """Logistic regression on known data, prior variance 4, with its moments by quadrature."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((30, 2))
    y = rng.random(30) < 1 / (1 + np.exp(-(2 * x[:, 0] - x[:, 1])))
    signed = x * np.where(y, 1, -1)[:, None]
    axis = np.linspace(-4, 8, 1201)
    grid = np.stack(np.meshgrid(axis, axis - 2, indexing="ij"), axis=-1)
    logs = -np.logaddexp(0, -grid @ signed.T).sum(-1) - (grid**2).sum(-1) / 8
    mass = np.exp(logs - logs.max())
    mass /= mass.sum()
    mean = (mass[..., None] * grid).sum((0, 1))
    stds = np.sqrt((mass[..., None] * (grid - mean) ** 2).sum((0, 1)))
    quantiles = np.array(
        [
            # the distribution function at the middle of a cell
            [np.interp(q, np.cumsum(m), a + 0.005) for m, a in zip(marginals, axes, strict=True)]
            for q in (0.1, 0.9)
            for marginals, axes in [((mass.sum(1), mass.sum(0)), (axis, axis - 2))]
        ]
    )
    tensor = torch.from_numpy(signed)

    def log_joint(w):
        return -torch.nn.functional.softplus(-(w @ tensor.T)).sum(1) - w.square().sum(1) / 8

    return log_joint, mean, stds, quantiles


def test_quadrature_gives_the_reference_numbers():
    _, mean, stds, _ = logistic()
    assert mean == pytest.approx([1.9154, -1.1475], abs=1e-4)
    assert stds == pytest.approx([0.6935, 0.5356], abs=1e-4)


def test_the_posterior_of_a_logistic_regression():
    log_joint, mean, stds, quantiles = logistic()
    result = hmc(
        with_gradient(log_joint),
        torch.zeros(400, 2, dtype=F64),
        n_draws=50,
        n_warmup=60,
        trajectory=0.9,
        rng=5,
    )
    z = scores(result.draws, mean, stds, quantiles)
    assert passes(z), z


def test_chains_of_a_network_mix_in_function_space():
    x = normal(60, 4)
    y = (x[:, :3] + 0.3 * normal(60, 3, seed=1)).argmax(1)
    network = models.MLP(input_shape=(4,), widths=(5,), n_outputs=3)
    prior = models.GaussianPrior.by_fan_in(network)
    data = models.make_data(x, y, network=network)  # float32
    stds = prior.standard_deviations(network)
    result = hmc(
        samplers.joint_density(network, data, prior),
        stds * normal(8, network.n_parameters, seed=2).float(),
        n_draws=150,
        n_warmup=100,
        inverse_mass=stds**2,
        rng=3,
    )
    assert result.n_divergent == 0
    assert 0.7 < float(result.acceptance.mean()) < 0.9
    seen = normal(20, 4, seed=4).float()
    probabilities = torch.stack([Posterior(network, chain)(seen).exp() for chain in result.draws])
    rhat = diagnostics.split_rhat(probabilities.numpy())
    assert float(np.median(rhat)) < 1.01
    assert float(rhat.max()) < 1.1
    assert float(diagnostics.split_rhat(result.log_densities.numpy())) < 1.05
    assert float(np.median(diagnostics.effective_sample_size(probabilities.numpy()))) > 300
    # the energies say what the draws say
    joint = models.log_joint(network, result.draws[0], data, prior)
    torch.testing.assert_close(result.log_densities[0], joint, rtol=0, atol=1e-3)


def test_without_the_correction_a_large_step_fails():
    log_joint, mean, stds, quantiles = logistic()
    settings = {
        "n_draws": 50,
        "step_size": 0.6,
        "trajectory": 1.2,
        "rng": 6,
    }
    start = torch.from_numpy(mean).expand(400, 2)
    density = with_gradient(log_joint)
    warm = hmc(density, start, **(settings | {"n_draws": 30})).draws[:, -1]
    assert passes(scores(hmc(density, warm, **settings).draws, mean, stds, quantiles))
    wrong = hmc(density, warm, **settings, correct=False)
    assert not passes(scores(wrong.draws, mean, stds, quantiles))


def test_a_wrong_gradient_fails():
    # The correction repairs any gradient field: the law stays right, acceptance falls. Without it,
    # or with a value that is wrong too, the law is another one.
    log_joint, mean, stds, quantiles = logistic()
    right = with_gradient(log_joint)
    without_prior = with_gradient(lambda w: log_joint(w) + w.square().sum(1) / 8)

    def mixed(w):
        return right(w)[0], without_prior(w)[1]

    settings = {"n_draws": 50, "n_warmup": 0, "step_size": 0.1, "trajectory": 0.9, "rng": 7}
    start = hmc(right, torch.zeros(400, 2, dtype=F64), **settings).draws[:, -1]
    repaired = hmc(mixed, start, **settings)
    assert passes(scores(repaired.draws, mean, stds, quantiles))
    assert float(hmc(right, start, **settings).acceptance.mean()) > 0.99
    assert float(repaired.acceptance.mean()) < 0.97
    for wrong, correct in ((mixed, False), (without_prior, True)):
        found = hmc(wrong, start, **settings, correct=correct)
        assert not passes(scores(found.draws, mean, stds, quantiles))


def test_a_chain_does_not_depend_on_others():
    # of many chains with one step size, when nothing is adapted
    start = normal(4, 3)
    kick = torch.zeros(4, 3, dtype=F64)
    kick[2] = 5.0
    settings = {"n_draws": 20, "step_size": 0.3, "rng": 8}
    one, other = (hmc(STANDARD, s, **settings).draws for s in (start, start + kick))
    rows = [0, 1, 3]
    assert torch.equal(one[rows], other[rows])
    assert not torch.equal(one[2], other[2])
    assert torch.equal(one, hmc(STANDARD, start, **settings).draws)
    assert not torch.equal(one, hmc(STANDARD, start, **(settings | {"rng": 9})).draws)


def test_records_fit_together():
    counted = []

    def density(z):
        counted.append(len(z))
        return STANDARD(z)

    result = hmc(density, normal(3, 4), n_draws=30, n_warmup=20, step_size=0.5, max_steps=2, rng=1)
    assert result.draws.shape == (3, 30, 4)
    assert result.log_densities.shape == result.energies.shape == (3, 30)
    assert result.n_gradients == len(counted)
    assert 1 + 50 <= len(counted) <= 1 + 50 * 2
    assert result.n_steps == 2
    torch.testing.assert_close(
        result.acceptance, result.energy_errors.neg().clamp(max=0).exp(), rtol=0, atol=0
    )
    torch.testing.assert_close(result.log_densities, -0.5 * result.draws.square().sum(2))


def test_divergent_trajectories_are_counted_and_refused():
    def wall(z):
        value, gradient = STANDARD(z)
        return torch.where(z[:, 0] > 1, torch.nan, value), gradient

    result = hmc(wall, torch.zeros(50, 2, dtype=F64), n_draws=50, step_size=0.2, rng=1)
    assert result.n_divergent > 100
    assert float(result.draws[..., 0].max()) <= 1.0
    assert float(result.acceptance.min()) == 0.0
    assert bool(result.energy_errors.isinf().any())


def test_the_step_size_reaches_the_target():
    for target in (0.6, 0.9):
        result = hmc(
            STANDARD,
            normal(8, 100),
            n_draws=100,
            n_warmup=200,
            step_size=1e-3,
            max_steps=50,
            target_acceptance=target,
            rng=2,
        )
        assert float(result.acceptance.mean()) == pytest.approx(target, abs=0.08)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"n_draws": 0}, ValueError, "n_draws"),
        ({"n_warmup": -1}, ValueError, "n_warmup"),
        ({"step_size": 0.0}, ValueError, "step_size must be finite and > 0"),
        ({"trajectory": -1.0}, ValueError, "trajectory"),
        ({"max_steps": 0}, ValueError, "max_steps"),
        ({"jitter": 1.0}, ValueError, "jitter"),
        ({"target_acceptance": 1.0}, ValueError, "target_acceptance"),
        ({"inverse_mass": torch.ones(2)}, ValueError, r"inverse_mass must have the shape \(3,\)"),
        ({"inverse_mass": torch.tensor([1.0, 0.0, 1.0])}, ValueError, "inverse_mass must be"),
        ({"adapt_mass": True}, ValueError, "n_warmup must be >= 40"),
        ({"rng": None}, TypeError, "rng"),
        ({"start": torch.zeros(3)}, ValueError, "start must have the shape"),
        ({"start": torch.zeros(2, 3, dtype=int)}, TypeError, "start must be a floating point"),
        ({"start": np.zeros((2, 3))}, TypeError, "start must be a floating point"),
        ({"start": torch.full((2, 3), math.inf)}, ValueError, "start must have a finite density"),
    ],
)
def test_wrong_arguments_are_refused(settings, error, words):
    given = {"start": torch.zeros(2, 3), "n_draws": 5, "rng": 1} | settings
    start = given.pop("start")
    with pytest.raises(error, match=words):
        hmc(STANDARD, start, **given)


# --- Langevin dynamics --------------------------------------------------------------------------


def test_langevin_dynamics_has_the_variance_of_its_step():
    scale = torch.tensor([1.0, 4.0], dtype=F64)  # variances; precision 1 and 1/4
    for preconditioner, expected in (
        (None, scale / (1 - 0.5 / scale / 4)),
        (scale, scale / (1 - 0.5 / 4)),
    ):
        result = sgld(
            lambda w, rows: -w / scale,
            scale.sqrt() * normal(2000, 2),
            n_data=1,
            batch_size=1,
            n_draws=5,
            n_warmup=40,
            thinning=5,
            step_size=0.5,
            preconditioner=preconditioner,
            rng=1,
        )
        assert result.n_gradients == 65
        squares = result.draws.square().mean(dim=1).numpy()
        z = (squares.mean(0) - expected.numpy()) / (squares.std(0, ddof=1) / math.sqrt(2000))
        assert np.abs(z).max() < z_bound(FALSE_ALARM, 4)
        # and not the variance of the law itself
        wrong = (squares.mean(0) - scale.numpy()) / (squares.std(0, ddof=1) / math.sqrt(2000))
        assert wrong.max() > z_bound(FALSE_ALARM, 4)


def test_langevin_dynamics_with_batches_is_near_the_posterior_for_small_steps():
    x, y = normal(40, 1, seed=1), normal(40, 1, seed=2)
    network = models.MLP(input_shape=(1,), widths=(), n_outputs=1, bias=False)
    data = models.make_data(x, y, network=network, dtype=F64)
    gradient = models.minibatch_gradient(
        network, data, models.GaussianPrior.constant(network), likelihood=models.Gaussian(1.0)
    )
    variance = 1 / float(1 + x.square().sum())
    mean = variance * float((x * y).sum())
    result = sgld(
        gradient,
        torch.full((500, 1), mean, dtype=F64),
        n_data=40,
        batch_size=20,
        n_draws=10,
        n_warmup=200,
        thinning=20,
        step_size=0.05 * variance,
        rng=3,
    )
    error = math.sqrt(variance / 500)
    assert float(result.draws.mean()) == pytest.approx(mean, abs=5 * error)
    assert float(result.draws.var()) == pytest.approx(variance, rel=0.15)


def test_langevin_batches_are_epochs():
    seen = []

    def gradient(w, rows):
        seen.append(rows)
        return torch.zeros_like(w)

    settings = {"n_data": 7, "batch_size": 3, "step_size": 1.0, "rng": 1}
    start = torch.zeros(2, 1)
    still = sgld(gradient, start, n_draws=4, temperature=0.0, **settings)
    assert float(still.draws.abs().max()) == 0.0
    for chain in range(2):
        for epoch in (seen[:2], seen[2:]):
            rows = torch.cat([batch[chain] for batch in epoch]).tolist()
            assert len(set(rows)) == 6
            assert set(rows) <= set(range(7))
    assert not torch.equal(seen[0][0], seen[0][1])


def test_wrong_langevin_arguments_are_refused():
    settings = {"n_data": 4, "batch_size": 2, "n_draws": 2, "step_size": 0.1, "rng": 1}

    def run(gradient=lambda w, rows: -w, start=None, **changes):
        return sgld(gradient, torch.ones(2, 3) if start is None else start, **(settings | changes))

    for name, value in [
        ("batch_size", 5),
        ("n_data", 0),
        ("n_draws", 0),
        ("thinning", 0),
        ("n_warmup", -1),
        ("step_size", 0.0),
        ("temperature", -1.0),
        ("preconditioner", -torch.ones(3)),
    ]:
        with pytest.raises(ValueError, match=name):
            run(**{name: value})
    with pytest.raises(ValueError, match="start"):
        run(start=torch.ones(3))
    with pytest.raises(ValueError, match="step_size must be small enough"):
        run(gradient=lambda w, rows: w * math.inf)


def test_the_gradient_is_that_of_each_row():
    value, gradient = samplers.with_gradient(quartic)(torch.ones(2, 3, dtype=F64))
    assert value.tolist() == pytest.approx([-0.75 - 0.6] * 2)
    torch.testing.assert_close(gradient, torch.tensor([[-1.6, -1.3, -1.3]] * 2, dtype=F64))
    assert not value.requires_grad
    assert not gradient.requires_grad
