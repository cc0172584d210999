"""The predictive mean where exponentials under- and overflow, and its gradient."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from fragile_learning.bayes.models import CNN, MLP  # noqa: E402
from fragile_learning.bayes.predict import (  # noqa: E402
    PerceptronPosterior,
    Posterior,
    log_mean,
    posterior_predictive,
)

NETWORK = MLP(input_shape=(6,), widths=(5,), n_outputs=4)


def posterior(n_samples=7, scale=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn((n_samples, NETWORK.n_parameters), generator=generator, dtype=dtype)
    return Posterior(NETWORK, scale * weights)


def images(n=3):
    return torch.rand((n, 6), generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_it_is_the_log_of_mean_probabilities():
    samples = posterior()
    logs = samples(images())
    assert logs.shape == (7, 3, 4)
    expected = samples.logits(images()).softmax(-1).mean(0).log()
    found = posterior_predictive(samples, images())
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.softmax(-1), expected.exp())
    torch.testing.assert_close(found, torch.logsumexp(logs, 0) - math.log(7))
    torch.testing.assert_close(posterior_predictive(samples, images(), batch_size=2), expected)


def test_its_gradient_weighs_members_by_their_share_of_the_probability():
    samples, x = posterior(), images().requires_grad_()
    (found,) = torch.autograd.grad(posterior_predictive(samples, x)[:, 1].sum(), x)
    logs = samples(x)[..., 1]
    members = [torch.autograd.grad(row.sum(), x, retain_graph=True)[0] for row in logs]
    weights = (logs.detach() - torch.logsumexp(logs.detach(), 0)).exp()
    expected = (weights[..., None] * torch.stack(members)).sum(0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_nothing_underflows():
    logs = torch.tensor([[-1e4, -2e4], [-1e4, -3e4]]).requires_grad_()
    found = log_mean(logs)
    assert found.tolist() == pytest.approx([-1e4, -2e4 - math.log(2)])
    found.sum().backward()
    assert logs.grad.tolist() == [[0.5, 1.0], [0.5, 0.0]]
    wide = posterior(scale=1e3, dtype=torch.float32)
    x = images().float().requires_grad_()
    logs = posterior_predictive(wide, x)
    assert float(logs.detach().min()) < -1e4
    assert bool(logs.isfinite().all())
    logs.sum().backward()
    assert bool(x.grad.isfinite().all())


def test_agreement_is_exact():
    value = torch.rand((5,), generator=torch.Generator().manual_seed(3)).log()
    for n in (1, 3, 10, 64):
        assert torch.equal(log_mean(value.expand(n, 5)), value)
    nothing = torch.tensor([[-math.inf, 0.0], [-math.inf, -math.inf]])
    assert log_mean(nothing).tolist() == pytest.approx([-math.inf, -math.log(2)])


def test_draws_are_pooled_and_thinned_evenly():
    draws = torch.zeros((2, 10, NETWORK.n_parameters))
    draws[..., 0] = torch.arange(20.0).view(2, 10)
    assert Posterior.from_draws(NETWORK, draws).n_samples == 20
    thin = Posterior.from_draws(NETWORK, draws, n_samples=4)
    assert thin.parameters[:, 0].tolist() == [2.0, 7.0, 12.0, 17.0]
    assert thin.chosen(torch.tensor([1, 3])).parameters[:, 0].tolist() == [7.0, 17.0]
    assert thin.to(dtype=torch.float64).parameters.dtype == torch.float64


def test_wrong_arguments_are_refused():
    size = NETWORK.n_parameters
    with pytest.raises(ValueError, match=rf"parameters must have the shape \(n_samples, {size}\)"):
        Posterior(NETWORK, torch.zeros(size))
    with pytest.raises(ValueError, match="n_samples >= 1"):
        Posterior(NETWORK, torch.zeros(0, size))
    with pytest.raises(ValueError, match="parameters must be finite"):
        Posterior(NETWORK, torch.full((1, size), math.nan))
    with pytest.raises(TypeError, match="parameters must be a floating point tensor"):
        Posterior(NETWORK, [[0.0] * size])
    with pytest.raises(ValueError, match="n_samples must be an integer >= 1 and <= 7, got 8"):
        posterior().thinned(8)
    with pytest.raises(ValueError, match="draws must have the shape"):
        Posterior.from_draws(NETWORK, torch.zeros(2, size))
    with pytest.raises(ValueError, match="batch_size"):
        posterior_predictive(posterior(), images(), batch_size=0)
    with pytest.raises(ValueError, match="log_probabilities"):
        log_mean(torch.zeros(0, 3))


@pytest.mark.parametrize(
    "network",
    [
        MLP(input_shape=(2, 3), widths=(5, 4), n_outputs=3, shift=0.2, scale=0.5),
        MLP(input_shape=(6,), widths=(5,), n_outputs=3, slope=0.3, bias=False),
        MLP(input_shape=(6,), widths=(), n_outputs=3),
    ],
    ids=["deep", "leaky without bias", "linear"],
)
def test_the_pullback_is_that_of_automatic_differentiation(network):
    draw = torch.Generator().manual_seed(1)
    weights = torch.randn(7, network.n_parameters, generator=draw, dtype=torch.float64)
    posterior = Posterior(network, weights)
    x = torch.rand(9, *network.input_shape, generator=draw, dtype=torch.float64).requires_grad_()
    logits = posterior.logits(x)
    derivative = torch.randn(logits.shape, generator=draw, dtype=torch.float64)
    (expected,) = torch.autograd.grad(logits, x, derivative)
    found, pullback = posterior.prepared().with_pullback(x)
    torch.testing.assert_close(found, posterior(x).detach())
    torch.testing.assert_close(pullback(derivative), expected)
    assert not found.requires_grad


def test_only_perceptrons_are_laid_out_anew():
    network = CNN(input_shape=(1, 6, 6), channels=(2,), kernel=3, n_outputs=3)
    posterior = Posterior(network, torch.zeros(2, network.n_parameters))
    assert posterior.prepared() is posterior
    with pytest.raises(TypeError, match="posterior must be of an MLP"):
        PerceptronPosterior(posterior)
