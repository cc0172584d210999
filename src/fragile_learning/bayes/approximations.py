"""Cheaper posteriors: one network, ensembles, dropout, and normal laws of weights or functions.

All are fitted in whitened weights, each divided by its standard deviation under the prior, and end
as a `Posterior`: frozen samples of weights that an attack and an evaluation can share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.bayes.models import (
    Affine,
    Data,
    GaussianPrior,
    Likelihood,
    Network,
    Softmax,
    log_likelihoods,
)
from fragile_learning.bayes.predict import Posterior

__all__ = [
    "FitConfig",
    "LastLayerLaplace",
    "MeanField",
    "deep_ensemble",
    "elbo",
    "fsvi",
    "gaussian_kl",
    "last_layer_laplace",
    "map_estimate",
    "mc_dropout",
    "mfvi",
]

Rng = np.random.Generator | np.random.SeedSequence | int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """How a fit is optimised: Adam, its rate falling along a cosine to 0.

    Attributes
    ----------
    n_epochs, batch_size : int
        >= 1. An incomplete last batch of an epoch is left out.
    learning_rate : float
        > 0, in whitened weights.
    start_std : float
        >= 0, of the whitened first weights; 1 is a draw from the prior.
    prior_weight : float
        >= 0, multiplies the log-density of the prior, or the divergence from it. Only 1 is Bayes'
        rule; less is a common way to a better point estimate.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> FitConfig(n_epochs=5, batch_size=20).learning_rate
    0.015
    """

    n_epochs: int = 30
    batch_size: int = 100
    learning_rate: float = 0.015
    start_std: float = 0.5
    prior_weight: float = 1.0

    def __post_init__(self) -> None:
        whole_number("n_epochs", self.n_epochs)
        whole_number("batch_size", self.batch_size)
        real_number("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        real_number("start_std", self.start_std, minimum=0.0)
        real_number("prior_weight", self.prior_weight, minimum=0.0)


class _Draws:
    """Random tensors of one seed, drawn on the CPU and moved to where they are needed."""

    def __init__(self, rng: Rng, like: Tensor) -> None:
        seed = int(as_generator(rng).integers(0, 2**62))
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype, self.device = like.dtype, like.device

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=self.dtype).to(self.device)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, dtype=self.dtype).to(self.device)

    def batches(self, n_rows: int, config: FitConfig, n_members: int) -> Iterator[Tensor]:
        """Row numbers of each step, (n_members, batch_size), each member in its own order."""
        size = config.batch_size
        for _ in range(config.n_epochs):
            keys = torch.rand((n_members, n_rows), generator=self.generator, dtype=torch.float64)
            order = keys.argsort(dim=1).to(self.device)
            for start in range(0, n_rows - size + 1, size):
                yield order[:, start : start + size]


def _minimise(
    variables: list[Tensor],
    loss: Callable[[Tensor], Tensor],
    *,
    n_rows: int,
    n_members: int,
    config: FitConfig,
    draws: _Draws,
) -> None:
    """Change variables in place so that the loss of a batch of row numbers becomes small."""
    if config.batch_size > n_rows:
        raise ValueError(f"batch_size must be <= {n_rows} rows, got {config.batch_size}")
    n_steps = config.n_epochs * (n_rows // config.batch_size)
    for variable in variables:
        variable.requires_grad_()
    optimiser = torch.optim.Adam(variables, lr=config.learning_rate, fused=True)
    for step, rows in enumerate(draws.batches(n_rows, config, n_members)):
        cosine = 0.5 * (1.0 + math.cos(math.pi * step / n_steps))
        optimiser.param_groups[0]["lr"] = config.learning_rate * cosine
        for variable, gradient in zip(
            variables, torch.autograd.grad(loss(rows), variables), strict=True
        ):
            variable.grad = gradient
        optimiser.step()
    for variable in variables:
        variable.requires_grad_(False)
        variable.grad = None
        if not bool(variable.isfinite().all()):
            raise ValueError(
                f"learning_rate must be small enough for the fit to converge, got "
                f"{config.learning_rate!r}"
            )


def _scales(network: Network, prior: GaussianPrior, data: Data) -> Tensor:
    return prior.standard_deviations(
        network, dtype=data.inputs.dtype, device=str(data.inputs.device)
    )


def _fit_points(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    n_members: int,
    config: FitConfig,
    likelihood: Likelihood | None,
    draws: _Draws,
    change: Callable[[int, Tensor], Tensor] | None = None,
) -> Tensor:
    """Weights of networks fitted side by side, (n_members, n_parameters)."""
    scales, law, count = _scales(network, prior, data), likelihood or Softmax(), len(data.inputs)
    whitened = config.start_std * draws.normal(n_members, network.n_parameters)
    decay = config.prior_weight / (2.0 * count)

    def loss(rows: Tensor) -> Tensor:
        outputs = network.logits(whitened * scales, data.inputs[rows], change=change)
        logs = law.log_likelihoods(outputs, data.labels[rows])
        return decay * whitened.square().sum() - logs.mean(dim=1).sum()

    _minimise([whitened], loss, n_rows=count, n_members=n_members, config=config, draws=draws)
    return whitened * scales


def deep_ensemble(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    n_members: int,
    config: FitConfig | None = None,
    likelihood: Likelihood | None = None,
    rng: Rng,
) -> Posterior:
    """Fit networks from different starts and with different batches, all at once.

    Parameters
    ----------
    network : Network
    data : Data
    prior : GaussianPrior
        Its log-density is a penalty, and its standard deviations are the units of the fit.
    n_members : int
        >= 1.
    config : FitConfig, optional
    likelihood : Softmax or Gaussian, optional
        None: softmax.
    rng : Generator, SeedSequence or int

    Returns
    -------
    Posterior
        The members as samples.

    References
    ----------
    Lakshminarayanan, Pritzel, Blundell, "Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles", NeurIPS 2017; without its adversarial training.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2)
    >>> inputs = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    >>> data = make_data(inputs, (inputs[:, 0] > inputs[:, 1]).long(), network=network)
    >>> prior = GaussianPrior.by_fan_in(network)
    >>> config = FitConfig(n_epochs=10, batch_size=20, learning_rate=0.2)
    >>> found = deep_ensemble(network, data, prior, n_members=3, config=config, rng=1)
    >>> right = found(data.inputs).argmax(dim=2) == data.labels
    >>> right.float().mean(dim=1) > 0.8
    tensor([True, True, True])
    """
    count = whole_number("n_members", n_members)
    weights = _fit_points(
        network,
        data,
        prior,
        n_members=count,
        config=config or FitConfig(),
        likelihood=likelihood,
        draws=_Draws(rng, data.inputs),
    )
    return Posterior(network, weights)


def map_estimate(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    config: FitConfig | None = None,
    likelihood: Likelihood | None = None,
    rng: Rng,
) -> Posterior:
    """Fit the most probable weights: an ensemble of one, see `deep_ensemble`.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2)
    >>> inputs = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    >>> data = make_data(inputs, (inputs[:, 0] > inputs[:, 1]).long(), network=network)
    >>> prior = GaussianPrior.by_fan_in(network)
    >>> config = FitConfig(n_epochs=10, batch_size=20, learning_rate=0.2)
    >>> found = map_estimate(network, data, prior, config=config, rng=1)
    >>> right = found(data.inputs)[0].argmax(dim=1) == data.labels
    >>> found.n_samples, right.float().mean().item() > 0.8
    (1, True)
    """
    return deep_ensemble(
        network, data, prior, n_members=1, config=config, likelihood=likelihood, rng=rng
    )


def mc_dropout(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    rate: float = 0.2,
    n_samples: int = 32,
    config: FitConfig | None = None,
    rng: Rng,
) -> Posterior:
    """Fit a network with dropout, and keep dropping afterwards.

    Parameters
    ----------
    network : Network
        Inputs of its dense layers other than the first layer are dropped.
    data : Data
    prior : GaussianPrior
    rate : float
        In [0, 1), share that is dropped.
    n_samples : int
        Masks, >= 1.
    config : FitConfig, optional
    rng : Generator, SeedSequence or int

    Returns
    -------
    Posterior
        A sample is one mask for all inputs, folded into the weights that read what it masks.

    References
    ----------
    Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(8,), n_outputs=2)
    >>> data = make_data(torch.full((20, 2), 0.5), torch.arange(20) % 2, network=network)
    >>> config = FitConfig(n_epochs=2, batch_size=10)
    >>> prior = GaussianPrior.by_fan_in(network)
    >>> found = mc_dropout(network, data, prior, n_samples=5, config=config, rng=1)
    >>> found.n_samples, found(data.inputs).shape
    (5, torch.Size([5, 20, 2]))
    """
    share = real_number("rate", rate, minimum=0.0, maximum=1.0, open_maximum=True)
    count, draws = whole_number("n_samples", n_samples), _Draws(rng, data.inputs)
    layers = network.layers

    def mask(shape: tuple[int, ...]) -> Tensor:
        return (draws.uniform(*shape) >= share).to(draws.dtype) / (1.0 - share)

    def drop(layer: int, hidden: Tensor) -> Tensor:
        dense = len(layers[layer].weight_shape) == 2
        return hidden * mask(hidden.shape) if dense else hidden

    weights = _fit_points(
        network,
        data,
        prior,
        n_members=1,
        config=config or FitConfig(),
        likelihood=None,
        draws=draws,
        change=drop,
    )
    parts = []
    for i, layer in enumerate(network.unpack(weights.expand(count, -1))):
        weight = layer.weight
        if i and weight.ndim == 3:
            weight = weight * mask(tuple(weight.shape[:2]))[..., None]
        parts.append(weight.reshape(count, -1))
        if layer.bias is not None:
            parts.append(layer.bias)
    return Posterior(network, torch.cat(parts, dim=1))


# --- normal laws --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class MeanField:
    """Independent normal weights.

    Attributes
    ----------
    network : Network
    means, stds : Tensor, shape (n_parameters,)
        ``stds`` >= 0.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(3,), widths=(), n_outputs=2)
    >>> prior = GaussianPrior.constant(network)
    >>> law = MeanField(network, torch.zeros(8), torch.ones(8))
    >>> law.divergence(prior), law.sample(5, rng=1).parameters.shape
    (0.0, torch.Size([5, 8]))
    """

    network: Network
    means: Tensor
    stds: Tensor

    def sample(self, n_samples: int, *, rng: Rng) -> Posterior:
        """Draw weights.

        Parameters
        ----------
        n_samples : int
            >= 1.
        rng : Generator, SeedSequence or int
        """
        count = whole_number("n_samples", n_samples)
        noise = _Draws(rng, self.means).normal(count, len(self.means))
        return Posterior(self.network, self.means + self.stds * noise)

    def divergence(self, prior: GaussianPrior) -> float:
        """KL divergence from the prior, in nats; inf if a standard deviation is 0."""
        scales = prior.standard_deviations(
            self.network, dtype=torch.float64, device=str(self.means.device)
        )
        whitened = (self.means.double() / scales), (self.stds.double() / scales)
        return float(_standard_kl(whitened[0], whitened[1].log()))


def _standard_kl(means: Tensor, log_stds: Tensor) -> Tensor:
    """Divergence of independent normal variables from standard ones, summed."""
    return 0.5 * (means.square() + (2.0 * log_stds).exp() - 1.0 - 2.0 * log_stds).sum()


def _noisy(mean: Tensor, variance: Tensor, draws: _Draws) -> Tensor:
    # below the least variance the square root would have an infinite slope
    return mean + variance.clamp(min=1e-16).sqrt() * draws.normal(*mean.shape)


def _squared(layer: Affine) -> Affine:
    return Affine(layer.weight.square(), None if layer.bias is None else layer.bias.square())


def mfvi(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    start: Tensor | None = None,
    start_log_std: float = -3.0,
    config: FitConfig | None = None,
    likelihood: Likelihood | None = None,
    rng: Rng,
) -> MeanField:
    """Fit independent normal weights by variational inference, with local reparametrisation.

    Maximises the evidence lower bound: the expected log-likelihood of a batch, times
    n / batch_size, less the divergence from the prior in closed form.

    Parameters
    ----------
    network : Network
    data : Data
    prior : GaussianPrior
    start : Tensor, shape (n_parameters,), optional
        First means, such as a point estimate. None: drawn, see `FitConfig`.
    start_log_std : float
        Logarithm of the first standard deviations of whitened weights.
    config : FitConfig, optional
    likelihood : Softmax or Gaussian, optional
        None: softmax.
    rng : Generator, SeedSequence or int

    Returns
    -------
    MeanField

    Notes
    -----
    Each pre-activation is drawn from its own normal law, independently for each input. In a
    convolution it is independent for each place too, although places share weights: there the
    bound is that of a factorised approximation.

    References
    ----------
    Blundell et al., "Weight Uncertainty in Neural Networks", ICML 2015. Kingma, Salimans, Welling,
    "Variational Dropout and the Local Reparameterization Trick", NeurIPS 2015.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2)
    >>> inputs = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    >>> data = make_data(inputs, (inputs[:, 0] > inputs[:, 1]).long(), network=network)
    >>> prior = GaussianPrior.by_fan_in(network)
    >>> config = FitConfig(n_epochs=20, batch_size=40, learning_rate=0.1)
    >>> law = mfvi(network, data, prior, config=config, rng=1)
    >>> bool((law.stds < prior.standard_deviations(network)).all())
    True
    """
    settings, law, draws = config or FitConfig(), likelihood or Softmax(), _Draws(rng, data.inputs)
    scales, count = _scales(network, prior, data), len(data.inputs)
    first = real_number("start_log_std", start_log_std)
    means = _first_means(network, start, scales, settings, draws)
    log_stds = torch.full_like(means, first)

    def loss(rows: Tensor) -> Tensor:
        centres = network.unpack((means * scales)[None])
        spreads = [_squared(s) for s in network.unpack((log_stds.exp() * scales)[None])]

        def layer(i: int, hidden: Tensor) -> Tensor:
            return _noisy(centres[i](hidden), spreads[i](hidden.square()), draws)

        outputs = network.run(data.inputs[rows[0]], layer)
        logs = law.log_likelihoods(outputs, data.labels[rows[0]])
        return settings.prior_weight / count * _standard_kl(means, log_stds) - logs.mean()

    _minimise([means, log_stds], loss, n_rows=count, n_members=1, config=settings, draws=draws)
    return MeanField(network, means * scales, log_stds.exp() * scales)


def _first_means(
    network: Network, start: Tensor | None, scales: Tensor, config: FitConfig, draws: _Draws
) -> Tensor:
    """First whitened weights, (n_parameters,)."""
    if start is None:
        return config.start_std * draws.normal(network.n_parameters)
    if start.shape != scales.shape:
        raise ValueError(f"start must have the shape ({len(scales)},), got {tuple(start.shape)}")
    return start.detach().to(scales) / scales


def elbo(
    law: MeanField,
    data: Data,
    prior: GaussianPrior,
    *,
    likelihood: Likelihood | None = None,
    n_samples: int = 100,
    rng: Rng,
) -> tuple[float, float]:
    """Evidence lower bound, E log p(labels | weights) - KL, by drawing weights.

    Parameters
    ----------
    law : MeanField
    data : Data
    prior : GaussianPrior
    likelihood : Softmax or Gaussian, optional
        None: softmax.
    n_samples : int
        >= 2.
    rng : Generator, SeedSequence or int

    Returns
    -------
    bound, standard_error : float
        In nats.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2)
    >>> inputs = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    >>> data = make_data(inputs, (inputs[:, 0] > inputs[:, 1]).long(), network=network)
    >>> prior = GaussianPrior.by_fan_in(network)
    >>> scales = prior.standard_deviations(network)
    >>> bound, error = elbo(MeanField(network, torch.zeros(6), scales), data, prior, rng=1)
    >>> config = FitConfig(n_epochs=20, batch_size=40, learning_rate=0.1)
    >>> better, _ = elbo(mfvi(network, data, prior, config=config, rng=1), data, prior, rng=1)
    >>> better > bound + 4.0 * error
    True
    """
    count = whole_number("n_samples", n_samples, minimum=2)
    weights = law.sample(count, rng=rng).parameters
    logs = log_likelihoods(law.network, weights, data, likelihood=likelihood).double().sum(dim=1)
    error = float(logs.std()) / math.sqrt(count)
    return float(logs.mean()) - law.divergence(prior), error


@dataclass(frozen=True, slots=True, eq=False)
class LastLayerLaplace:
    """A normal law of the last layer's weights; those of other layers are fixed.

    Attributes
    ----------
    network : Network
    parameters : Tensor, shape (n_parameters,)
        Its mean, and the fixed weights.
    precision : Tensor of float64, shape (n_last, n_last)
        Inverse covariance of the last layer's entries of ``parameters``.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(3,), widths=(), n_outputs=2)
    >>> law = LastLayerLaplace(network, torch.zeros(8), 4.0 * torch.eye(8, dtype=torch.float64))
    >>> law.covariance().diag()[0].item(), law.sample(5, rng=1).parameters.shape
    (0.25, torch.Size([5, 8]))
    """

    network: Network
    parameters: Tensor
    precision: Tensor

    def covariance(self) -> Tensor:
        """Of the last layer's entries, shape (n_last, n_last)."""
        return torch.cholesky_inverse(torch.linalg.cholesky(self.precision))

    def sample(self, n_samples: int, *, rng: Rng) -> Posterior:
        """Draw weights.

        Parameters
        ----------
        n_samples : int
            >= 1.
        rng : Generator, SeedSequence or int
        """
        count, size = whole_number("n_samples", n_samples), self.network.n_last
        factor = torch.linalg.cholesky(self.precision)
        noise = _Draws(rng, self.precision).normal(size, count)
        shift = torch.linalg.solve_triangular(factor.mT, noise, upper=True).mT
        weights = self.parameters.repeat(count, 1)
        weights[:, -size:] += shift.to(weights)
        return Posterior(self.network, weights)


@torch.no_grad()
def last_layer_laplace(
    network: Network,
    parameters: Tensor,
    data: Data,
    prior: GaussianPrior,
    *,
    likelihood: Likelihood | None = None,
    batch_size: int = 256,
) -> LastLayerLaplace:
    """Approximate the posterior of the last layer by a normal law around a point estimate.

    Parameters
    ----------
    network : Network
    parameters : Tensor, shape (n_parameters,)
        The point estimate.
    data : Data
    prior : GaussianPrior
    likelihood : Softmax or Gaussian, optional
        None: softmax.
    batch_size : int
        Examples at a time, >= 1.

    Returns
    -------
    LastLayerLaplace
        Its precision is the Hessian of the last layer's negative log joint density, which is here
        also the generalised Gauss-Newton matrix.

    References
    ----------
    Daxberger et al., "Laplace Redux", NeurIPS 2021.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2)
    >>> inputs = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    >>> data = make_data(inputs, (inputs[:, 0] > inputs[:, 1]).long(), network=network)
    >>> prior = GaussianPrior.by_fan_in(network)
    >>> config = FitConfig(n_epochs=10, batch_size=20, learning_rate=0.2)
    >>> best = map_estimate(network, data, prior, config=config, rng=1).parameters[0]
    >>> law = last_layer_laplace(network, best, data, prior)
    >>> bool((law.covariance().diag() < prior.standard_deviations(network).square()).all())
    True
    """
    law, size = likelihood or Softmax(), whole_number("batch_size", batch_size)
    if parameters.shape != (network.n_parameters,):
        raise ValueError(
            f"parameters must have the shape ({network.n_parameters},), got "
            f"{tuple(parameters.shape)}"
        )
    weights, last = parameters.detach()[None], network.n_last
    has_bias = bool(network.layers[-1].n_biases)
    scales = prior.standard_deviations(network, dtype=torch.float64, device=str(parameters.device))
    precision = torch.diag(scales[-last:] ** -2)
    for part in torch.split(data.inputs, size):
        features = network.features(weights, part)[0].double()
        if has_bias:
            features = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
        outputs = network.logits(weights, part)[0].double()
        if isinstance(law, Softmax):
            # (diag p - p p') = A A' with A = diag(sqrt p) - p sqrt(p)'
            p = outputs.softmax(dim=-1)
            root = torch.diag_embed(p.sqrt()) - p[:, :, None] * p.sqrt()[:, None, :]
        else:
            root = torch.eye(network.n_outputs).to(outputs).expand(len(part), -1, -1)
            root = root / law.noise_std
        rows = torch.einsum("nj,nkm->nmjk", features, root).reshape(-1, last)
        precision = precision.addmm(rows.mT, rows)
    return LastLayerLaplace(network, parameters.detach(), precision)


def gaussian_kl(mean_q: Tensor, cov_q: Tensor, mean_p: Tensor, cov_p: Tensor) -> Tensor:
    """Divergence of normal laws, KL(q || p), in nats.

    Parameters
    ----------
    mean_q, mean_p : Tensor, shape (..., d)
    cov_q, cov_p : Tensor, shape (..., d, d)
        Positive definite.

    Returns
    -------
    Tensor, shape (...)

    Examples
    --------
    >>> zero, one = torch.zeros(2), torch.eye(2)
    >>> round(gaussian_kl(zero, one, torch.ones(2), one).item(), 4)
    1.0
    >>> gaussian_kl(zero, one, zero, one).item()
    0.0
    """
    factor_q, factor_p = torch.linalg.cholesky(cov_q), torch.linalg.cholesky(cov_p)
    both = torch.cat([factor_q, (mean_q - mean_p)[..., None]], dim=-1)
    whitened = torch.linalg.solve_triangular(factor_p, both, upper=False)
    ratio: Tensor = factor_p.diagonal(dim1=-2, dim2=-1) / factor_q.diagonal(dim1=-2, dim2=-1)
    squares: Tensor = whitened.square().sum(dim=(-2, -1))
    return ratio.log().sum(dim=-1) + 0.5 * (squares - mean_q.shape[-1])


def fsvi(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    context: Tensor,
    n_context: int = 10,
    jitter: float = 0.01,
    start: Tensor | None = None,
    start_log_std: float = -3.0,
    config: FitConfig | None = None,
    likelihood: Likelihood | None = None,
    rng: Rng,
) -> MeanField:
    """Fit a normal last layer on trained features by function-space variational inference.

    Maximises the expected log-likelihood less the divergence between the laws of function values
    on a few context points, redrawn at each step. Features are deterministic: their laws are then
    exactly normal.

    Parameters
    ----------
    network : Network
    data : Data
    prior : GaussianPrior
        Of the last layer; the features of the prior's functions are those of one network drawn
        from it.
    context : Tensor, shape (n_pool, ...)
        Inputs where functions are compared, such as unlabelled or distorted ones.
    n_context : int
        Drawn for each step, in [1, n_pool].
    jitter : float
        > 0, added to the variances of both laws.
    start : Tensor, shape (n_parameters,), optional
        First means. None: drawn, see `FitConfig`.
    start_log_std : float
        Logarithm of the first standard deviations of the last layer's whitened weights.
    config : FitConfig, optional
    likelihood : Softmax or Gaussian, optional
        None: softmax.
    rng : Generator, SeedSequence or int

    Returns
    -------
    MeanField
        With standard deviation 0 before the last layer.

    Notes
    -----
    A small variant after Rudner et al., "Tractable Function-Space Variational Inference in Bayesian
    Neural Networks", NeurIPS 2022, which linearises the whole network.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2)
    >>> inputs = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    >>> data = make_data(inputs, (inputs[:, 0] > inputs[:, 1]).long(), network=network)
    >>> prior = GaussianPrior.by_fan_in(network)
    >>> config = FitConfig(n_epochs=5, batch_size=20)
    >>> law = fsvi(network, data, prior, context=inputs.flip(1), config=config, rng=1)
    >>> law.sample(4, rng=2)(data.inputs).shape
    torch.Size([4, 40, 2])
    """
    settings, law, draws = config or FitConfig(), likelihood or Softmax(), _Draws(rng, data.inputs)
    scales, count = _scales(network, prior, data), len(data.inputs)
    points = whole_number("n_context", n_context, maximum=len(context))
    noise = real_number("jitter", jitter, minimum=0.0, open_minimum=True)
    first = real_number("start_log_std", start_log_std)
    pool = context.to(data.inputs)
    means = _first_means(network, start, scales, settings, draws)
    log_stds = torch.full_like(means[-network.n_last :], first)
    reference = draws.normal(1, network.n_parameters) * scales
    last_scales = scales[-network.n_last :]

    def covariance(features: Tensor, stds: Tensor) -> Tensor:
        """Of function values on context points for each class, (n_outputs, n, n)."""
        layer = network.layers[-1]
        spread = stds[: layer.n_weights].view(layer.weight_shape).square()  # (h, n_outputs)
        found = torch.einsum("ih,hk,jh->kij", features, spread, features)
        if layer.n_biases:
            found = found + stds[layer.n_weights :].square()[:, None, None]
        return torch.add(found, torch.eye(len(features)).to(features), alpha=noise)

    def loss(rows: Tensor) -> Tensor:
        weights = (means * scales)[None]
        stds = log_stds.exp() * last_scales
        centre = network.unpack(weights)[-1]
        padded = torch.cat([torch.zeros_like(scales[: -network.n_last]), stds])
        spread = _squared(network.unpack(padded[None])[-1])
        features = network.features(weights, data.inputs[rows[0]])
        outputs = _noisy(centre(features), spread(features.square()), draws)
        logs = law.log_likelihoods(outputs, data.labels[rows[0]])

        keys = torch.rand(len(pool), generator=draws.generator, dtype=torch.float64)
        seen = pool[keys.argsort()[:points].to(pool.device)]
        features = network.features(weights, seen)
        before = network.features(reference, seen)[0]
        values = centre(features)[0].mT  # (n_outputs, n_context)
        divergence = gaussian_kl(
            values,
            covariance(features[0], stds),
            torch.zeros_like(values),
            covariance(before, last_scales),
        )
        return settings.prior_weight / count * divergence.sum() - logs.mean()

    _minimise([means, log_stds], loss, n_rows=count, n_members=1, config=settings, draws=draws)
    stds = torch.cat([torch.zeros_like(scales[: -network.n_last]), log_stds.exp() * last_scales])
    return MeanField(network, means * scales, stds)
