"""Approximations where the exact answer is known: linear models, convex fits, exact Hessians."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.bayes import approximations, models  # noqa: E402
from fragile_learning.bayes.approximations import FitConfig, MeanField  # noqa: E402
from fragile_learning.bayes.predict import posterior_predictive  # noqa: E402
from fragile_learning.statistics import z_bound  # noqa: E402

F64 = torch.float64
NETWORK = models.MLP(input_shape=(5,), widths=(), n_outputs=1, bias=False)
PRIOR = models.GaussianPrior.constant(NETWORK)
NOISE = models.Gaussian(0.5)


def regression():
    """Linear regression of the samplers' tests: data, precision and mean of the posterior."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 5)) @ np.diag([1, 1, 1, 0.3, 2])
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    y = x @ np.array([1, -1, 0.5, 2, 0]) + 0.5 * rng.standard_normal(40)
    precision = x.T @ x / 0.25 + np.eye(5)
    data = models.make_data(x, y[:, None], network=NETWORK, dtype=F64)
    return data, precision, np.linalg.solve(precision, x.T @ y / 0.25)


def log_evidence(data):
    x, y = data.inputs.numpy(), data.labels.numpy()[:, 0]
    covariance = 0.25 * np.eye(40) + x @ x.T
    sign_and_log = np.linalg.slogdet(2 * np.pi * covariance)
    return -0.5 * (sign_and_log[1] + y @ np.linalg.solve(covariance, y))


def optimum():
    """The best mean-field law, in closed form."""
    data, precision, mean = regression()
    stds = torch.from_numpy(np.diag(precision) ** -0.5)
    return data, precision, MeanField(NETWORK, torch.from_numpy(mean), stds)


def test_the_bound_at_its_optimum_is_the_closed_form():
    data, precision, law = optimum()
    gap = (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]) / 2
    evidence = log_evidence(data)
    assert (evidence, gap, evidence - gap) == pytest.approx((-37.2176, 0.7853, -38.0029), abs=1e-4)
    bound, error = approximations.elbo(law, data, PRIOR, likelihood=NOISE, n_samples=20_000, rng=1)
    assert error < 0.02
    assert abs(bound - (evidence - gap)) < z_bound(1e-7) * error


def test_the_divergence_is_that_of_torch():
    _, _, law = optimum()
    prior = models.GaussianPrior((0.7,), (1.0,))
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(law.means, law.stds), normal(torch.zeros(5, dtype=F64), 0.7)
    ).sum()
    assert law.divergence(prior) == pytest.approx(float(expected), abs=1e-10)
    assert MeanField(NETWORK, law.means, 0 * law.stds).divergence(prior) == math.inf


def test_mean_field_inference_finds_the_optimum():
    data, _, best = optimum()
    config = FitConfig(n_epochs=2500, batch_size=40, learning_rate=0.03)
    law = approximations.mfvi(NETWORK, data, PRIOR, likelihood=NOISE, config=config, rng=1)
    torch.testing.assert_close(law.stds, best.stds, rtol=0.05, atol=0)
    torch.testing.assert_close(law.means, best.means, rtol=0, atol=0.01)
    # the same draws for both: their difference has little noise
    found, wanted = (
        approximations.elbo(q, data, PRIOR, likelihood=NOISE, n_samples=2000, rng=2)[0]
        for q in (law, best)
    )
    assert found == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_local_noise_has_the_law_of_drawn_weights(name):
    # one hidden layer without activation in its way: outputs of the first layer are normal
    network = {
        "mlp": models.MLP(input_shape=(4,), widths=(), n_outputs=3),
        "cnn": models.CNN(input_shape=(1, 6, 6), channels=(2,), kernel=3, n_outputs=3),
    }[name]
    generator = torch.Generator().manual_seed(1)
    means = torch.randn((1, network.n_parameters), generator=generator, dtype=F64)
    stds = torch.rand((1, network.n_parameters), generator=generator, dtype=F64)
    x = torch.randn((2, *network.input_shape), generator=generator, dtype=F64)
    noise = torch.randn((20_000, network.n_parameters), generator=generator, dtype=F64)
    drawn = network.unpack(means + stds * noise)[0](x)
    centre = network.unpack(means)[0](x)[0]
    variance = approximations._squared(network.unpack(stds)[0])(x.square())[0]
    z = (drawn.mean(0) - centre) / (variance / 20_000).sqrt()
    ratio = (drawn.var(0) / variance - 1) / math.sqrt(2 / 20_000)
    bound = z_bound(1e-7, 2 * z.numel())
    assert float(z.abs().max()) < bound
    assert float(ratio.abs().max()) < bound
    local = approximations._noisy(
        centre.expand(20_000, *centre.shape), variance, approximations._Draws(1, means)
    )
    assert float(((local.var(0) / variance - 1) / math.sqrt(2 / 20_000)).abs().max()) < bound


def test_mean_field_inference_of_a_convolutional_network_raises_the_bound():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand((40, 1, 6, 6), generator=generator)
    y = (x[:, 0, :3].mean((1, 2)) > x[:, 0, 3:].mean((1, 2))).long()
    network = models.CNN(input_shape=(1, 6, 6), channels=(3,), kernel=3, n_outputs=2, shift=0.5)
    data, prior = models.make_data(x, y, network=network), models.GaussianPrior.by_fan_in(network)
    first, last = (
        approximations.elbo(
            approximations.mfvi(
                network,
                data,
                prior,
                config=FitConfig(n_epochs=n_epochs, batch_size=20, learning_rate=0.03),
                rng=1,
            ),
            data,
            prior,
            rng=2,
        )[0]
        for n_epochs in (1, 200)
    )
    # from a law of standard deviation exp(-3) far from the prior's
    assert last > first + 30
    assert last > -40 * math.log(2) - 10


def test_samples_of_a_mean_field_have_its_moments():
    _, _, law = optimum()
    draws = law.sample(20_000, rng=3).parameters
    z = (draws.mean(0) - law.means) / law.stds * math.sqrt(20_000)
    ratio = (draws.var(0) / law.stds.square() - 1) / math.sqrt(2 / 20_000)
    assert float(torch.cat([z, ratio]).abs().max()) < z_bound(1e-7, 10)


# --- point estimates ----------------------------------------------------------------------------


def classes(n=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((n, 4), generator=generator, dtype=F64)
    y = (x[:, :3] + 0.3 * torch.randn((n, 3), generator=generator, dtype=F64)).argmax(1)
    return x, y


def test_members_on_a_convex_problem_are_the_one_solution():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = classes()
    network = models.MLP(input_shape=(4,), widths=(), n_outputs=3, bias=False)
    prior = models.GaussianPrior.constant(network, std=0.5)
    data = models.make_data(x, y, network=network, dtype=F64)
    expected = linear_model.LogisticRegression(C=0.25, fit_intercept=False, tol=1e-10).fit(x, y)
    config = FitConfig(n_epochs=1500, batch_size=60, learning_rate=0.05)
    found = approximations.deep_ensemble(network, data, prior, n_members=3, config=config, rng=1)
    for row in found.parameters:
        np.testing.assert_allclose(row.view(4, 3).T, expected.coef_, atol=2e-4)
    one = approximations.map_estimate(network, data, prior, config=config, rng=5)
    assert one.n_samples == 1
    torch.testing.assert_close(one.parameters[0], found.parameters[0], rtol=0, atol=2e-4)


def test_members_differ_and_are_reproducible():
    x, y = classes()
    network = models.MLP(input_shape=(4,), widths=(8,), n_outputs=3)
    prior = models.GaussianPrior.by_fan_in(network)
    data = models.make_data(x, y, network=network)
    config = FitConfig(n_epochs=60, batch_size=16, learning_rate=0.05)

    def fit(rng):
        return approximations.deep_ensemble(
            network, data, prior, n_members=4, config=config, rng=rng
        )

    members = fit(1)
    distances = torch.cdist(members.parameters, members.parameters)
    assert float((distances + 9 * torch.eye(4)).min()) > 0.5
    assert torch.equal(members.parameters, fit(1).parameters)
    assert not torch.equal(members.parameters, fit(2).parameters)
    alone = (members(data.inputs).argmax(-1) == data.labels).float().mean(1)
    assert float(alone.min()) > 0.7


def test_dropout_samples_are_masks_of_one_network():
    x, y = classes()
    network = models.MLP(input_shape=(4,), widths=(16, 12), n_outputs=3)
    prior = models.GaussianPrior.by_fan_in(network)
    data = models.make_data(x, y, network=network)
    config = FitConfig(n_epochs=20, batch_size=20)
    samples = approximations.mc_dropout(
        network, data, prior, rate=0.25, n_samples=200, config=config, rng=1
    )
    first, *others = network.unpack(samples.parameters)
    assert float(first.weight.std(0).max()) == 0.0
    dropped = 0
    for layer in others:
        largest = layer.weight.abs().amax(0)
        kept = layer.weight.abs().amax(2) > 0  # (n_samples, n_inputs)
        dropped += int((~kept).sum())
        assert float(layer.bias.std(0).max()) == 0.0
        expected = torch.where(kept[..., None], layer.weight.sum(0) / kept.sum(0)[:, None], 0.0)
        torch.testing.assert_close(layer.weight, expected, rtol=1e-4, atol=1e-5)
        assert float(largest.min()) > 0
    total = 200 * 28
    assert abs(dropped - 0.25 * total) < z_bound(1e-7) * math.sqrt(total * 0.25 * 0.75)
    accuracy = (posterior_predictive(samples, data.inputs).argmax(-1) == data.labels).float().mean()
    assert float(accuracy) > 0.7
    none = approximations.mc_dropout(
        network, data, prior, rate=0.0, n_samples=2, config=config, rng=1
    )
    assert torch.equal(*none.parameters)


def test_dropout_is_at_work_in_the_fit(monkeypatch):
    seen = {}

    def capture(network, data, prior, *, change, **others):
        seen["change"] = change
        return torch.zeros(1, network.n_parameters)

    monkeypatch.setattr(approximations, "_fit_points", capture)
    network = models.MLP(input_shape=(4,), widths=(6,), n_outputs=3)
    data = models.make_data(*classes(), network=network)
    approximations.mc_dropout(
        network, data, models.GaussianPrior.by_fan_in(network), rate=0.25, rng=1
    )
    found = seen["change"](1, torch.ones(1, 500, 6))
    assert found.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert abs(int((found == 0).sum()) - 750) < z_bound(1e-7) * math.sqrt(3000 * 0.25 * 0.75)
    # each input has a mask of its own
    assert len(found[0].unique(dim=0)) > 20


def test_dropout_of_a_convolutional_network_masks_its_dense_layer():
    network = models.CNN(input_shape=(1, 6, 6), channels=(2,), kernel=3, n_outputs=3)
    x = torch.rand((20, 1, 6, 6), generator=torch.Generator().manual_seed(1))
    data = models.make_data(x, torch.arange(20) % 3, network=network)
    samples = approximations.mc_dropout(
        network,
        data,
        models.GaussianPrior.by_fan_in(network),
        rate=0.5,
        n_samples=50,
        config=FitConfig(n_epochs=1, batch_size=10),
        rng=1,
    )
    convolution, dense = network.unpack(samples.parameters)
    assert float(convolution.weight.std(0).max()) == 0.0
    assert 0.3 < float((dense.weight == 0).float().mean()) < 0.7


# --- Laplace ------------------------------------------------------------------------------------


def test_the_laplace_law_of_a_linear_regression_is_its_posterior():
    data, precision, mean = regression()
    law = approximations.last_layer_laplace(
        NETWORK, torch.from_numpy(mean), data, PRIOR, likelihood=NOISE, batch_size=7
    )
    np.testing.assert_allclose(law.precision, precision, rtol=1e-12)
    np.testing.assert_allclose(law.covariance(), np.linalg.inv(precision), rtol=1e-10)
    draws = law.sample(40_000, rng=1).parameters
    expected = torch.from_numpy(np.linalg.inv(precision))
    scale = torch.outer(expected.diagonal(), expected.diagonal()).sqrt()
    # the standard error of a covariance is at most sqrt(2 / n) of this scale
    error = (draws.T.cov() - expected) / scale / math.sqrt(2 / 40_000)
    assert float(error.abs().max()) < z_bound(1e-7, 25)


def test_the_laplace_precision_is_the_hessian_of_the_last_layer():
    x, y = classes(20)
    network = models.MLP(input_shape=(4,), widths=(5,), n_outputs=3)
    prior = models.GaussianPrior((0.7, 0.4), (0.3, 0.9))
    data = models.make_data(x, y, network=network, dtype=F64)
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn((network.n_parameters,), generator=generator, dtype=F64)
    law = approximations.last_layer_laplace(network, weights, data, prior, batch_size=6)

    def energy(last):
        both = torch.cat([weights[: -network.n_last], last])
        return -models.log_joint(network, both[None], data, prior)[0]

    expected = torch.autograd.functional.hessian(energy, weights[-network.n_last :])
    torch.testing.assert_close(law.precision, expected, rtol=1e-9, atol=1e-9)
    samples = law.sample(5, rng=1).parameters
    assert torch.equal(samples[:, : -network.n_last], weights[: -network.n_last].expand(5, -1))


# --- function space -----------------------------------------------------------------------------


def test_the_divergence_of_normal_laws_is_that_of_torch():
    generator = torch.Generator().manual_seed(1)
    root = torch.randn((2, 3, 4, 6), generator=generator, dtype=F64)
    mean = torch.randn((2, 3, 4), generator=generator, dtype=F64)
    cov = root @ root.mT
    law = torch.distributions.MultivariateNormal
    expected = torch.distributions.kl_divergence(law(mean[0], cov[0]), law(mean[1], cov[1]))
    found = approximations.gaussian_kl(mean[0], cov[0], mean[1], cov[1])
    torch.testing.assert_close(found, expected)


def test_functions_diverge_no_more_than_their_weights():
    data, _, law = optimum()
    variances, weights = law.stds.square(), law.divergence(PRIOR)

    def divergence(n):
        points = data.inputs[:n]
        return float(
            approximations.gaussian_kl(
                points @ law.means,
                points @ torch.diag(variances) @ points.T,
                torch.zeros(n, dtype=F64),
                points @ points.T,
            )
        )

    assert weights == pytest.approx(12.4800, abs=1e-4)
    assert divergence(5) == pytest.approx(weights, abs=1e-8)
    assert divergence(3) == pytest.approx(8.0551, abs=1e-4)


def test_function_space_inference_of_a_linear_model_is_that_of_its_weights():
    data, _, _ = optimum()
    network = models.MLP(input_shape=(5,), widths=(), n_outputs=2)
    # a prior that weighs as much as the data
    prior = models.GaussianPrior((0.1,), (0.15,))
    targets = torch.cat([data.labels, 1.0 - 0.5 * data.labels], dim=1)
    data = data._replace(labels=targets)
    x = torch.cat([data.inputs, torch.ones_like(data.inputs[:, :1])], dim=1)
    precision = x.T @ x / 0.25 + torch.tensor([0.1] * 5 + [0.15], dtype=F64).pow(-2).diag()
    means = torch.linalg.solve(precision, x.T @ targets / 0.25)  # (6, 2)
    stds = precision.diagonal().pow(-0.5)[:, None].expand(6, 2)
    config = FitConfig(n_epochs=2000, batch_size=40, learning_rate=0.03)
    law = approximations.fsvi(
        network,
        data,
        prior,
        context=data.inputs[:6],
        n_context=6,
        jitter=1e-10,
        likelihood=NOISE,
        config=config,
        rng=1,
    )
    torch.testing.assert_close(law.stds.view(6, 2), stds, rtol=0.05, atol=0)
    torch.testing.assert_close(law.means.view(6, 2), means, rtol=0, atol=0.01)


def test_context_points_are_drawn_from_the_whole_pool():
    data, _, _ = optimum()
    config = FitConfig(n_epochs=5, batch_size=40)

    def fit(pool):
        return approximations.fsvi(
            NETWORK,
            data,
            PRIOR,
            context=pool,
            n_context=2,
            likelihood=NOISE,
            config=config,
            rng=1,
        ).stds

    first = fit(data.inputs)
    for rows in (slice(0, 10), slice(30, 40)):
        other = data.inputs.clone()
        other[rows] *= 5.0
        assert not torch.equal(first, fit(other))


def test_function_space_inference_learns_features_without_variance():
    x, y = classes(120)
    network = models.MLP(input_shape=(4,), widths=(12,), n_outputs=3)
    prior = models.GaussianPrior.by_fan_in(network)
    data = models.make_data(x, y, network=network)
    config = FitConfig(n_epochs=60, batch_size=20, learning_rate=0.03)
    law = approximations.fsvi(network, data, prior, context=3 * x, config=config, rng=1)
    assert float(law.stds[: -network.n_last].max()) == 0.0
    assert float(law.stds[-network.n_last :].min()) > 0.0
    logs = posterior_predictive(law.sample(20, rng=2), data.inputs)
    assert float((logs.argmax(-1) == data.labels).float().mean()) > 0.75


def test_wrong_arguments_are_refused():
    data, _, law = optimum()
    given = (NETWORK, data, PRIOR)
    for name, value, error in [
        ("n_epochs", 0, ValueError),
        ("batch_size", 2.5, TypeError),
        ("learning_rate", 0.0, ValueError),
        ("start_std", -1.0, ValueError),
        ("prior_weight", -1.0, ValueError),
    ]:
        with pytest.raises(error, match=name):
            FitConfig(**{name: value})
    with pytest.raises(ValueError, match="batch_size must be <= 40 rows, got 100"):
        approximations.map_estimate(*given, likelihood=NOISE, rng=1)
    small = FitConfig(n_epochs=2, batch_size=40)
    with pytest.raises(ValueError, match="n_members"):
        approximations.deep_ensemble(*given, n_members=0, likelihood=NOISE, config=small, rng=1)
    with pytest.raises(ValueError, match="rate must be finite and >= 0 and < 1"):
        approximations.mc_dropout(*given, rate=1.0, config=small, rng=1)
    with pytest.raises(ValueError, match="start must have the shape"):
        approximations.mfvi(*given, start=torch.zeros(4), likelihood=NOISE, config=small, rng=1)
    wild = FitConfig(n_epochs=50, batch_size=40, learning_rate=1e200)
    with pytest.raises(ValueError, match="learning_rate must be small enough"):
        approximations.map_estimate(*given, likelihood=NOISE, config=wild, rng=1)
    with pytest.raises(ValueError, match="parameters must have the shape"):
        approximations.last_layer_laplace(NETWORK, torch.zeros(4), data, PRIOR)
    for name, value in [("n_context", 41), ("jitter", 0.0)]:
        with pytest.raises(ValueError, match=name):
            approximations.fsvi(
                *given, context=data.inputs, likelihood=NOISE, config=small, rng=1, **{name: value}
            )
    with pytest.raises(ValueError, match="n_samples"):
        law.sample(0, rng=1)
    with pytest.raises(ValueError, match="n_samples"):
        approximations.elbo(law, data, PRIOR, likelihood=NOISE, n_samples=1, rng=1)
