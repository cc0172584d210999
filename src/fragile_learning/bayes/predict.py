"""The posterior predictive: what many weight vectors together say of an input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fragile_learning._validation import whole_number
from fragile_learning.bayes.models import MLP, Network

__all__ = [
    "PerceptronPosterior",
    "Posterior",
    "PredictiveSamples",
    "log_mean",
    "posterior_predictive",
]

PredictiveSamples = Callable[[Tensor], Tensor]
"""From inputs (n, ...) to log-probabilities (n_samples, n, n_classes), differentiable."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Samples of the weights of a network; called with inputs, their log-probabilities.

    Attributes
    ----------
    network : Network
    parameters : Tensor, shape (n_samples, n_parameters)
        Equally weighted. One row for a network without uncertainty.

    Raises
    ------
    TypeError, ValueError
        If the parameters do not fit the network, or are not finite.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> posterior = Posterior(MLP(input_shape=(4,), widths=(), n_outputs=2), torch.zeros(3, 10))
    >>> posterior(torch.rand(5, 4)).shape
    torch.Size([3, 5, 2])
    """

    network: Network
    parameters: Tensor

    def __post_init__(self) -> None:
        kind = getattr(self.parameters, "dtype", type(self.parameters).__name__)
        if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
            raise TypeError(f"parameters must be a floating point tensor, got {kind}")
        size = self.network.n_parameters
        if (
            self.parameters.ndim != 2
            or not len(self.parameters)
            or self.parameters.shape[1] != size
        ):
            raise ValueError(
                f"parameters must have the shape (n_samples, {size}) with n_samples >= 1, got "
                f"{tuple(self.parameters.shape)}"
            )
        if not bool(self.parameters.isfinite().all()):
            raise ValueError("parameters must be finite, got NaN or infinity")

    @classmethod
    def from_draws(
        cls, network: Network, draws: Tensor, *, n_samples: int | None = None
    ) -> Posterior:
        """Pool chains, and keep evenly spaced draws of each.

        Parameters
        ----------
        network : Network
        draws : Tensor, shape (n_chains, n_draws, n_parameters)
        n_samples : int, optional
            In [1, n_chains * n_draws]; None: all.
        """
        if draws.ndim != 3:
            raise ValueError(
                f"draws must have the shape (n_chains, n_draws, n_parameters), got "
                f"{tuple(draws.shape)}"
            )
        return cls(network, draws.flatten(0, 1)).thinned(n_samples)

    @property
    def n_samples(self) -> int:
        """Rows of ``parameters``."""
        return len(self.parameters)

    def thinned(self, n_samples: int | None) -> Posterior:
        """Evenly spaced samples; None: all."""
        if n_samples is None:
            return self
        count = whole_number("n_samples", n_samples, maximum=self.n_samples)
        middle = (torch.arange(count, dtype=torch.float64) + 0.5) * self.n_samples / count
        return self.chosen(middle.long())

    def chosen(self, rows: Tensor) -> Posterior:
        """Choose samples by row numbers, on any device."""
        return Posterior(self.network, self.parameters[rows.to(self.parameters.device)])

    def to(self, *, dtype: torch.dtype | None = None, device: str | None = None) -> Posterior:
        """Move samples to another precision or device."""
        return Posterior(self.network, self.parameters.to(dtype=dtype, device=device))

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits of each sample, shape (n_samples, n, n_classes)."""
        return self.network.logits(self.parameters, inputs)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Log-probabilities of each sample.

        Parameters
        ----------
        inputs : Tensor, shape (n, ...)

        Returns
        -------
        Tensor, shape (n_samples, n, n_classes)
            Differentiable in the inputs.
        """
        return self.logits(inputs).log_softmax(dim=-1)

    def prepared(self) -> PredictiveSamples:
        """Make ready for many calls with a gradient in the inputs, as attacks do.

        Returns
        -------
        PerceptronPosterior or Posterior
            The first if the network is a perceptron.
        """
        return PerceptronPosterior(self) if isinstance(self.network, MLP) else self


class PerceptronPosterior:
    """Samples of a perceptron's weights, laid out for many calls and without autograd.

    The first layers of all samples are one matrix product, forwards and backwards, and inputs run
    along the rows of all that is computed.

    Parameters
    ----------
    posterior : Posterior
        Of an `models.MLP`. Its weights are copied.

    Attributes
    ----------
    n_samples : int
    bytes_per_input : int
        Memory that an attack needs for each input in a call, roughly.

    Examples
    --------
    >>> weights = torch.linspace(-1, 1, 115).view(5, 23)
    >>> posterior = Posterior(MLP(input_shape=(4,), widths=(3,), n_outputs=2), weights)
    >>> fast, inputs = PerceptronPosterior(posterior), torch.linspace(0, 1, 24).view(6, 4)
    >>> torch.allclose(fast(inputs), posterior(inputs), atol=1e-6)
    True
    """

    def __init__(self, posterior: Posterior) -> None:
        network = posterior.network
        if not isinstance(network, MLP):
            raise TypeError(f"posterior must be of an MLP, got one of {type(network).__name__}")
        self.network, self.n_samples = network, posterior.n_samples
        first, *self._rest = network.unpack(posterior.parameters)
        self._weight = first.weight.mT.flatten(0, 1)  # (n_samples * n_units, n_inputs)
        units = sum(network.widths) * 2 + 10 * network.n_outputs + 2
        self.bytes_per_input = self.n_samples * units * self._weight.itemsize
        self._bias = None if first.bias is None else first.bias.reshape(-1, 1)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Log-probabilities of each sample, shape (n_samples, n, n_classes); no gradient."""
        return self.with_pullback(inputs)[0]

    @torch.no_grad()
    def with_pullback(self, inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Compute log-probabilities, and how a derivative in logits becomes one in the inputs.

        Parameters
        ----------
        inputs : Tensor, shape (n, ...)

        Returns
        -------
        log_probabilities : Tensor, shape (n_samples, n, n_classes)
        pullback : callable
            From a tensor of that shape, a derivative in the logits, to one of the shape of the
            inputs. May be called once.
        """
        network = self.network
        flat = ((inputs - network.shift) / network.scale).flatten(1)
        if self._bias is None:
            outputs = torch.mm(self._weight, flat.mT)
        else:
            outputs = torch.addmm(self._bias, self._weight, flat.mT)
        seen, hidden = [], outputs.view(self.n_samples, -1, len(inputs))
        for layer in self._rest:
            seen.append(functional.leaky_relu_(hidden, network.slope))
            if layer.bias is None:
                hidden = torch.bmm(layer.weight.mT, seen[-1])
            else:
                hidden = torch.baddbmm(layer.bias[..., None], layer.weight.mT, seen[-1])
        logs = hidden.log_softmax(dim=1)  # (n_samples, n_classes, n)

        @torch.no_grad()
        def pullback(derivative: Tensor) -> Tensor:
            back = derivative.mT
            for layer, units in zip(reversed(self._rest), reversed(seen), strict=True):
                # what leaves a rectifier has the sign of what enters it
                back = torch.bmm(layer.weight, back)
                torch.ops.aten.leaky_relu_backward(
                    back, units, network.slope, False, grad_input=back
                )
            found = torch.mm(back.flatten(0, 1).mT, self._weight)
            return found.div_(network.scale).view_as(inputs)

        return logs.mT, pullback


def log_mean(log_probabilities: Tensor) -> Tensor:
    """Log of the mean over samples, without underflow.

    Parameters
    ----------
    log_probabilities : Tensor, shape (n_samples, ...)
        Less than infinity.

    Returns
    -------
    Tensor, shape (...)
        Exactly the common value where all samples agree. Its gradient weighs samples by their
        share of the probability. -inf where all samples are.

    Examples
    --------
    >>> log_mean(torch.tensor([-1e4, -1e4]))
    tensor(-10000.)
    """
    if log_probabilities.ndim < 1 or not len(log_probabilities):
        raise ValueError(
            "log_probabilities must have the shape (n_samples, ...) with n_samples >= 1, got "
            f"{tuple(log_probabilities.shape)}"
        )
    top = log_probabilities.detach().amax(dim=0)
    top = torch.where(top.isfinite(), top, 0.0)
    return top + (log_probabilities - top).exp().mean(dim=0).log()


def posterior_predictive(
    posterior: PredictiveSamples, inputs: Tensor, *, batch_size: int | None = None
) -> Tensor:
    """Log of the posterior predictive mean, whose softmax is that mean.

    Parameters
    ----------
    posterior : Posterior or callable
        From inputs to log-probabilities (n_samples, n, n_classes).
    inputs : Tensor, shape (n, ...)
    batch_size : int, optional
        Inputs at a time, >= 1, to save memory; None: all.

    Returns
    -------
    Tensor, shape (n, n_classes)
        Differentiable in the inputs.

    Notes
    -----
    This is the logarithm of averaged probabilities: neither the softmax of mean logits nor the
    network of mean weights.

    Examples
    --------
    >>> votes = torch.tensor([[[0.9, 0.1]], [[0.2, 0.8]]]).log()
    >>> posterior_predictive(lambda x: votes.expand(2, len(x), 2), torch.zeros(1, 4)).exp()
    tensor([[0.5500, 0.4500]])
    """
    if batch_size is None:
        return log_mean(posterior(inputs))
    size = whole_number("batch_size", batch_size)
    return torch.cat([log_mean(posterior(part)) for part in torch.split(inputs, size)])
