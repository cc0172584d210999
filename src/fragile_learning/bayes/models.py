"""Networks as pure functions of their weights, many weight vectors at a time, and their densities.

All weights of a network are one flat vector; a batch of them, of samples or of chains, is a matrix
with one row each. What a network computes is batched over the rows by matrix products.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from fragile_learning._validation import real_number, whole_number

__all__ = [
    "CNN",
    "MLP",
    "Affine",
    "Data",
    "Gaussian",
    "GaussianPrior",
    "Layer",
    "Likelihood",
    "Network",
    "Softmax",
    "log_joint",
    "log_likelihoods",
    "make_data",
    "minibatch_gradient",
]


class Layer(NamedTuple):
    """Shape of an affine map.

    Attributes
    ----------
    weight_shape : tuple of int
        (n_inputs, n_outputs) of a dense layer; (n_outputs, n_inputs, height, width) of a
        convolution.
    fan_in : int
        Numbers that one output depends on.
    n_biases : int
        As many as outputs, or 0.

    Examples
    --------
    >>> Layer((9, 4), fan_in=9, n_biases=4).n_weights
    36
    """

    weight_shape: tuple[int, ...]
    fan_in: int
    n_biases: int

    @property
    def n_weights(self) -> int:
        """Without the biases."""
        return math.prod(self.weight_shape)


class Affine(NamedTuple):
    """Weights of one layer of ``n_samples`` networks.

    Attributes
    ----------
    weight : Tensor, shape (n_samples, ...)
    bias : Tensor, shape (n_samples, n_outputs), or None

    Examples
    --------
    >>> two = Affine(torch.tensor([[[1.0], [2.0]], [[0.0], [3.0]]]), torch.tensor([[0.0], [1.0]]))
    >>> two(torch.tensor([[1.0, 1.0]])).flatten()
    tensor([3., 4.])
    """

    weight: Tensor
    bias: Tensor | None

    def __call__(self, hidden: Tensor) -> Tensor:
        """Apply the map.

        Parameters
        ----------
        hidden : Tensor, shape (n, ...) or (n_samples, n, ...)
            The same for all samples, or one set for each.

        Returns
        -------
        Tensor, shape (n_samples, n, ...)
        """
        if self.weight.ndim == 3:
            out = torch.matmul(hidden, self.weight)
            return out if self.bias is None else out + self.bias[:, None]
        paired = hidden.ndim == 5
        if paired and hidden.device.type != "cpu":
            # one after another: on a GPU, a convolution in groups of few channels can be far slower
            return torch.stack(
                [
                    functional.conv2d(one, weight, bias)
                    for one, weight, bias in zip(hidden, self.weight, self._biases(), strict=True)
                ]
            )
        # measured on one thread, 4 samples of a 5x5 convolution with gradient: this 26 ms, a loop
        # 24 ms, one grouped convolution 36 ms, unfolded patches 53 ms
        return torch.func.vmap(functional.conv2d, in_dims=(0 if paired else None, 0, 0))(
            hidden, self.weight, self._biases()
        )

    def _biases(self) -> Tensor:
        if self.bias is not None:
            return self.bias
        return self.weight.new_zeros(self.weight.shape[:2])


class Network(ABC):
    """A stack of affine maps with something fixed between them.

    Examples
    --------
    >>> network: Network = MLP(input_shape=(2,), widths=(3,), n_outputs=2)
    >>> [layer.weight_shape for layer in network.layers], network.n_parameters, network.n_last
    ([(2, 3), (3, 2)], 17, 8)
    """

    __slots__ = ()

    input_shape: tuple[int, ...]
    n_outputs: int
    shift: float
    scale: float

    @property
    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """Shapes of the affine maps, first to last."""

    @abstractmethod
    def between(self, layer: int, hidden: Tensor) -> Tensor:
        """Apply what follows a layer that is not the last, (n_samples, n, ...) to (..., n, ...)."""

    @property
    def n_parameters(self) -> int:
        """Length of the flat vector: for each layer its weights, then its biases."""
        return sum(layer.n_weights + layer.n_biases for layer in self.layers)

    @property
    def n_last(self) -> int:
        """Entries of the last layer, which are the last of the vector."""
        last = self.layers[-1]
        return last.n_weights + last.n_biases

    def unpack(self, parameters: Tensor) -> list[Affine]:
        """View flat weights as layers.

        Parameters
        ----------
        parameters : Tensor, shape (n_samples, n_parameters)

        Raises
        ------
        ValueError
            If the shape is another one.
        """
        if parameters.ndim != 2 or parameters.shape[1] != self.n_parameters:
            raise ValueError(
                f"parameters must have the shape (n_samples, {self.n_parameters}), got "
                f"{tuple(parameters.shape)}"
            )
        found, start = [], 0
        for layer in self.layers:
            middle = start + layer.n_weights
            weight = parameters[:, start:middle].reshape(len(parameters), *layer.weight_shape)
            start = middle + layer.n_biases
            found.append(Affine(weight, parameters[:, middle:start] if layer.n_biases else None))
        return found

    def run(
        self,
        inputs: Tensor,
        layer: Callable[[int, Tensor], Tensor],
        *,
        last: bool = True,
        change: Callable[[int, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Run inputs through layers that the caller supplies.

        Parameters
        ----------
        inputs : Tensor, shape (n, ...) or (n_samples, n, ...)
            The same for all samples, or one set for each.
        layer : callable
            From the number of a layer and its input to its output, (n_samples, n, ...).
        last : bool
            False: without the last layer, so that the features that it sees are returned.
        change : callable, optional
            From the number of a layer and its input, flat or not, to what it shall see instead;
            for layers other than the first.

        Raises
        ------
        TypeError, ValueError
            If the inputs are not floating point numbers of the stated shape.
        """
        if not inputs.is_floating_point():
            raise TypeError(f"inputs must be floating point numbers, got {inputs.dtype}")
        rank = len(self.input_shape)
        if inputs.ndim - rank not in (1, 2) or inputs.shape[-rank:] != self.input_shape:
            raise ValueError(
                f"inputs must have the shape (n, *{self.input_shape}) or (n_samples, n, "
                f"*{self.input_shape}), got {tuple(inputs.shape)}"
            )
        hidden = (inputs - self.shift) / self.scale
        if len(self.layers[0].weight_shape) == 2:
            hidden = hidden.flatten(-rank)
        for i in range(len(self.layers)):
            if change is not None and i:
                hidden = change(i, hidden)
            if i == len(self.layers) - 1:
                return layer(i, hidden) if last else hidden
            hidden = self.between(i, layer(i, hidden))
        raise AssertionError("a network has a last layer")  # pragma: no cover

    def logits(
        self,
        parameters: Tensor,
        inputs: Tensor,
        *,
        change: Callable[[int, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Compute the outputs of each network on each input, differentiable in both.

        Parameters
        ----------
        parameters : Tensor, shape (n_samples, n_parameters)
        inputs : Tensor, shape (n, ...) or (n_samples, n, ...)
            The same for all samples, or one set for each.
        change : callable, optional
            See `run`.

        Returns
        -------
        Tensor, shape (n_samples, n, n_outputs)
        """
        maps = self.unpack(parameters)
        return self.run(inputs, lambda i, hidden: maps[i](hidden), change=change)

    def features(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Compute what the last layer sees, shape (n_samples, n, n_features); see `logits`."""
        maps = self.unpack(parameters)
        found = self.run(inputs, lambda i, hidden: maps[i](hidden), last=False)
        return found if found.ndim == 3 else found.expand(len(parameters), *found.shape)


def _check_network(network: Network) -> None:
    if not isinstance(network.input_shape, tuple):
        raise TypeError(f"input_shape must be a tuple of integers, got {network.input_shape!r}")
    if not network.input_shape:
        raise ValueError("input_shape must have at least one entry, got ()")
    for i, size in enumerate(network.input_shape):
        whole_number(f"input_shape[{i}]", size)
    whole_number("n_outputs", network.n_outputs)
    real_number("shift", network.shift)
    real_number("scale", network.scale, minimum=0.0, open_minimum=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class MLP(Network):
    """A multilayer perceptron with ReLU, or leaky ReLU, between its layers.

    Attributes
    ----------
    input_shape : tuple of int
        Of one input, flattened first.
    widths : tuple of int
        Of the hidden layers, >= 1; empty for a linear model.
    n_outputs : int
        Classes, or targets of a regression, >= 1.
    bias : bool
    shift, scale : float
        Inputs are standardised inside the network, ``(x - shift) / scale``, so that a perturbation
        is measured in the units of the inputs; scale > 0.
    slope : float
        In [0, 1], of the activation below zero: 0 is ReLU.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> network = MLP(input_shape=(196,), widths=(32,), n_outputs=10)
    >>> network.n_parameters, network.logits(torch.zeros(3, 6634), torch.rand(5, 196)).shape
    (6634, torch.Size([3, 5, 10]))
    """

    input_shape: tuple[int, ...]
    widths: tuple[int, ...] = (32,)
    n_outputs: int = 10
    bias: bool = True
    shift: float = 0.0
    scale: float = 1.0
    slope: float = 0.0

    def __post_init__(self) -> None:
        _check_network(self)
        real_number("slope", self.slope, minimum=0.0, maximum=1.0)
        if not isinstance(self.widths, tuple):
            raise TypeError(f"widths must be a tuple of integers, got {self.widths!r}")
        for i, width in enumerate(self.widths):
            whole_number(f"widths[{i}]", width)
        if not isinstance(self.bias, bool):
            raise TypeError(f"bias must be True or False, got {self.bias!r}")

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Shapes of the affine maps, first to last."""
        sizes = (math.prod(self.input_shape), *self.widths, self.n_outputs)
        return tuple(
            Layer((n_in, n_out), n_in, n_out if self.bias else 0) for n_in, n_out in pairwise(sizes)
        )

    def between(self, layer: int, hidden: Tensor) -> Tensor:  # noqa: ARG002
        """ReLU, leaky if there is a slope."""
        return functional.leaky_relu(hidden, self.slope) if self.slope else hidden.relu()


@dataclass(frozen=True, slots=True, kw_only=True)
class CNN(Network):
    """Convolutions without padding, each with ReLU and mean pooling by two, and a dense layer.

    Attributes
    ----------
    input_shape : tuple of int
        (channels, height, width) of one image.
    channels : tuple of int
        Of the convolutions, >= 1, at least one of them.
    kernel : int
        Side of the convolutions, >= 1.
    n_outputs : int
        Classes, >= 1.
    shift, scale : float
        See `MLP`.

    Raises
    ------
    TypeError, ValueError
        Naming the field; also if nothing is left of the image.

    Examples
    --------
    >>> CNN(input_shape=(1, 28, 28)).n_parameters
    5994
    """

    input_shape: tuple[int, ...]
    channels: tuple[int, ...] = (8, 16)
    kernel: int = 5
    n_outputs: int = 10
    shift: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        _check_network(self)
        if len(self.input_shape) != 3:
            raise ValueError(
                f"input_shape must be (channels, height, width), got {self.input_shape}"
            )
        if not isinstance(self.channels, tuple):
            raise TypeError(f"channels must be a tuple of integers, got {self.channels!r}")
        if not self.channels:
            raise ValueError("channels must have at least one entry, got ()")
        for i, count in enumerate(self.channels):
            whole_number(f"channels[{i}]", count)
        whole_number("kernel", self.kernel)
        if min(self._left()) < 1:
            raise ValueError(
                f"kernel must leave something of an image of {self.input_shape[1:]} after "
                f"{len(self.channels)} convolutions, got {self.kernel}"
            )

    def _left(self) -> tuple[int, int]:
        """Height and width after the last pooling."""
        _, height, width = self.input_shape
        for _ in self.channels:
            height, width = (height - self.kernel + 1) // 2, (width - self.kernel + 1) // 2
        return height, width

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Shapes of the affine maps, first to last."""
        counts, side = (self.input_shape[0], *self.channels), self.kernel
        found = [
            Layer((n_out, n_in, side, side), n_in * side**2, n_out)
            for n_in, n_out in pairwise(counts)
        ]
        n_features = self.channels[-1] * math.prod(self._left())
        return (*found, Layer((n_features, self.n_outputs), n_features, self.n_outputs))

    def between(self, layer: int, hidden: Tensor) -> Tensor:
        """ReLU and pooling; after the last convolution also flattening."""
        pooled = functional.avg_pool2d(hidden.relu().flatten(0, 1), 2)
        n_samples, n = hidden.shape[:2]
        pooled = pooled.view(n_samples, n, *pooled.shape[1:])
        return pooled.flatten(2) if layer == len(self.channels) - 1 else pooled


# --- data, likelihood, prior --------------------------------------------------------------------


class Data(NamedTuple):
    """Inputs and what is known of them; see `make_data`.

    Attributes
    ----------
    inputs : Tensor, shape (n, ...)
    labels : Tensor, shape (n,) of int64, or (n, n_outputs) of real numbers
        Classes, or targets of a regression.

    Examples
    --------
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=3)
    >>> data = make_data([[0.1, 0.9], [0.5, 0.5]], [0, 2], network=network)
    >>> data.inputs.dtype, data.labels
    (torch.float32, tensor([0, 2]))
    """

    inputs: Tensor
    labels: Tensor


def make_data(
    inputs: ArrayLike | Tensor,
    labels: ArrayLike | Tensor,
    *,
    network: Network,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Data:
    """Check data against a network and put them on a device.

    Parameters
    ----------
    inputs : array_like, shape (n, ...)
        Finite; reshaped if the numbers of an input are as many as the network wants.
    labels : array_like, shape (n,) of int, or (n, n_outputs) of float
        Classes in [0, n_outputs - 1], or targets.
    network : Network
    dtype : torch.dtype
        Floating point.
    device : str
        As PyTorch names it.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, an input is not finite, or a class does not exist.

    Examples
    --------
    >>> network = MLP(input_shape=(1, 2), widths=(), n_outputs=3)
    >>> make_data([[[0.25, 0.75]]], [2], network=network).inputs.shape
    torch.Size([1, 1, 2])
    """
    images = torch.as_tensor(inputs).to(device=device, dtype=dtype)
    size = math.prod(network.input_shape)
    if images.ndim < 2 or not len(images) or images[0].numel() != size:
        raise ValueError(
            f"inputs must have the shape (n, *{network.input_shape}) with n >= 1, got "
            f"{tuple(images.shape)}"
        )
    if not bool(images.isfinite().all()):
        raise ValueError("inputs must be finite, got NaN or infinity")
    images = images.reshape(len(images), *network.input_shape)
    known = torch.as_tensor(labels, device=device)
    if known.dtype == torch.bool or known.is_complex():
        raise TypeError(f"labels must be integers or real numbers, got {known.dtype}")
    if known.is_floating_point():
        if known.shape != (len(images), network.n_outputs):
            raise ValueError(
                f"labels that are real numbers must have the shape ({len(images)}, "
                f"{network.n_outputs}), got {tuple(known.shape)}"
            )
        if not bool(known.isfinite().all()):
            raise ValueError("labels must be finite, got NaN or infinity")
        return Data(images, known.to(dtype))
    if known.shape != (len(images),):
        raise ValueError(f"labels must have the shape ({len(images)},), got {tuple(known.shape)}")
    if int(known.min()) < 0 or int(known.max()) >= network.n_outputs:
        raise ValueError(
            f"labels must be in [0, {network.n_outputs - 1}], got {int(known.min())} to "
            f"{int(known.max())}"
        )
    return Data(images, known.long())


@dataclass(frozen=True, slots=True)
class Softmax:
    """Classes with probabilities softmax of the logits.

    Examples
    --------
    >>> outputs = torch.zeros(1, 2, 4)
    >>> Softmax().log_likelihoods(outputs, torch.tensor([0, 3])).exp()
    tensor([[0.2500, 0.2500]])
    """

    def log_likelihoods(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Log-probability of each label.

        Parameters
        ----------
        outputs : Tensor, shape (n_samples, n, n_classes)
        labels : Tensor of int64, shape (n,) or (n_samples, n)

        Returns
        -------
        Tensor, shape (n_samples, n)
        """
        chosen = labels.expand(outputs.shape[:2])[..., None]
        return outputs.log_softmax(dim=-1).gather(2, chosen)[..., 0]


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Targets are outputs plus normal noise: a regression, whose posterior may be known exactly.

    Attributes
    ----------
    noise_std : float
        > 0.

    Examples
    --------
    >>> outputs, targets = torch.zeros(1, 2, 1), torch.tensor([[0.0], [1.0]])
    >>> Gaussian(noise_std=1.0).log_likelihoods(outputs, targets)
    tensor([[-0.9189, -1.4189]])
    """

    noise_std: float

    def __post_init__(self) -> None:
        real_number("noise_std", self.noise_std, minimum=0.0, open_minimum=True)

    def log_likelihoods(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Log-density of each target, summed over outputs.

        Parameters
        ----------
        outputs : Tensor, shape (n_samples, n, n_outputs)
        labels : Tensor, shape (n, n_outputs) or (n_samples, n, n_outputs)

        Returns
        -------
        Tensor, shape (n_samples, n)
        """
        squares = ((outputs - labels) / self.noise_std).square().sum(dim=-1)
        constant = math.log(2.0 * math.pi) + 2.0 * math.log(self.noise_std)
        return -0.5 * (squares + outputs.shape[-1] * constant)


Likelihood = Softmax | Gaussian


@dataclass(frozen=True, slots=True)
class GaussianPrior:
    """Independent normal weights of mean 0, with one variance for each layer.

    Attributes
    ----------
    weight_stds, bias_stds : tuple of float
        One a layer, > 0.

    Examples
    --------
    >>> prior = GaussianPrior.by_fan_in(MLP(input_shape=(8,), widths=(2,), n_outputs=3))
    >>> prior
    GaussianPrior(weight_stds=(0.5, 1.0), bias_stds=(0.5, 0.5))
    """

    weight_stds: tuple[float, ...]
    bias_stds: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("weight_stds", "bias_stds"):
            values: Sequence[float] = getattr(self, name)
            if not isinstance(values, tuple):
                raise TypeError(f"{name} must be a tuple of numbers, got {values!r}")
            for i, value in enumerate(values):
                real_number(f"{name}[{i}]", value, minimum=0.0, open_minimum=True)

    @classmethod
    def by_fan_in(
        cls, network: Network, *, gain: float = 2.0, bias_std: float = 0.5
    ) -> GaussianPrior:
        """Weights of variance ``gain / fan_in``: signals keep their size through ReLU layers."""
        size = real_number("gain", gain, minimum=0.0, open_minimum=True)
        layers = network.layers
        return cls(
            tuple(math.sqrt(size / layer.fan_in) for layer in layers), (bias_std,) * len(layers)
        )

    @classmethod
    def constant(cls, network: Network, *, std: float = 1.0) -> GaussianPrior:
        """One standard deviation for everything, whatever the width: logits grow with it."""
        count = len(network.layers)
        return cls((std,) * count, (std,) * count)

    def standard_deviations(
        self, network: Network, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> Tensor:
        """One for each entry of the flat weight vector, shape (n_parameters,).

        Raises
        ------
        ValueError
            If the network has another number of layers.
        """
        layers = network.layers
        if not len(layers) == len(self.weight_stds) == len(self.bias_stds):
            raise ValueError(
                f"weight_stds and bias_stds must have {len(layers)} entries, one a layer, got "
                f"{len(self.weight_stds)} and {len(self.bias_stds)}"
            )
        parts = []
        for layer, weight, bias in zip(layers, self.weight_stds, self.bias_stds, strict=True):
            parts += [torch.full((layer.n_weights,), weight, dtype=dtype)]
            parts += [torch.full((layer.n_biases,), bias, dtype=dtype)]
        return torch.cat(parts).to(device)

    def log_density(self, network: Network, parameters: Tensor) -> Tensor:
        """Log-density of flat weights, (n_samples, n_parameters) to float64 (n_samples,)."""
        stds, constant = _scale_of(self, network, parameters.dtype, str(parameters.device))
        return -0.5 * (parameters / stds).square().double().sum(dim=1) - constant


@functools.lru_cache(maxsize=32)
def _scale_of(
    prior: GaussianPrior, network: Network, dtype: torch.dtype, device: str
) -> tuple[Tensor, float]:
    """Keep standard deviations and constant: a chain asks for them at each of its steps."""
    with torch.inference_mode(mode=False):
        stds = prior.standard_deviations(network, dtype=dtype, device=device)
    return stds, float(stds.double().log().sum()) + 0.5 * len(stds) * math.log(2.0 * math.pi)


def log_likelihoods(
    network: Network, parameters: Tensor, data: Data, *, likelihood: Likelihood | None = None
) -> Tensor:
    """Log-probability of each label under each weight vector, shape (n_samples, n).

    Parameters
    ----------
    network : Network
    parameters : Tensor, shape (n_samples, n_parameters)
    data : Data
        Of n examples shared by the samples, or with a leading axis of n_samples.
    likelihood : Softmax or Gaussian, optional
        None: softmax.

    Examples
    --------
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False)
    >>> data = make_data([[0.1, 0.9], [0.5, 0.5]], [0, 1], network=network)
    >>> prior = GaussianPrior.constant(network)
    >>> log_likelihoods(network, torch.zeros(1, 4), data).exp()
    tensor([[0.5000, 0.5000]])
    """
    outputs = network.logits(parameters, data.inputs)
    return (likelihood or Softmax()).log_likelihoods(outputs, data.labels)


def log_joint(
    network: Network,
    parameters: Tensor,
    data: Data,
    prior: GaussianPrior,
    *,
    likelihood: Likelihood | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Log-density of weights and labels together, log p(labels | weights) + log p(weights).

    Parameters
    ----------
    network : Network
    parameters : Tensor, shape (n_samples, n_parameters)
    data : Data
    prior : GaussianPrior
    likelihood : Softmax or Gaussian, optional
        None: softmax.
    temperature : float
        > 0, divides the sum. 1 is Bayes' rule, below is a "cold" posterior.

    Returns
    -------
    Tensor of float64, shape (n_samples,)
        With all constants; sums are taken in float64, whatever the network computes in.
        Differentiable; a row depends on its own weights alone.

    Examples
    --------
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False)
    >>> data = make_data([[0.1, 0.9], [0.5, 0.5]], [0, 1], network=network)
    >>> prior = GaussianPrior.constant(network)
    >>> weights = torch.zeros(1, 4)
    >>> likelihood = log_likelihoods(network, weights, data).sum(dim=1)
    >>> parts = likelihood + prior.log_density(network, weights)
    >>> torch.allclose(log_joint(network, weights, data, prior), parts.double())
    True
    """
    heat = real_number("temperature", temperature, minimum=0.0, open_minimum=True)
    logs = log_likelihoods(network, parameters, data, likelihood=likelihood)
    return (logs.double().sum(dim=1) + prior.log_density(network, parameters)) / heat


def minibatch_gradient(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    likelihood: Likelihood | None = None,
) -> Callable[[Tensor, Tensor], Tensor]:
    """Unbiased estimates of the gradient of `log_joint`, for `samplers.sgld`.

    Parameters
    ----------
    network : Network
    data : Data
        Of n examples.
    prior : GaussianPrior
    likelihood : Softmax or Gaussian, optional
        None: softmax.

    Returns
    -------
    callable
        From weights (n_chains, n_parameters) and row numbers (n_chains, batch_size) to gradients
        (n_chains, n_parameters): the likelihood of the rows counts n / batch_size times.

    Examples
    --------
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False)
    >>> data = make_data([[0.1, 0.9], [0.5, 0.5]], [0, 1], network=network)
    >>> prior = GaussianPrior.constant(network)
    >>> weights = torch.ones(1, 4)
    >>> gradient = minibatch_gradient(network, data, prior)
    >>> one, other = (gradient(weights, torch.tensor([[row]])) for row in (0, 1))
    >>> torch.allclose((one + other) / 2, gradient(weights, torch.tensor([[0, 1]])))
    True
    """
    count = len(data.inputs)

    def gradient(parameters: Tensor, rows: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = parameters.detach().requires_grad_()
            part = Data(data.inputs[rows], data.labels[rows])
            logs = log_likelihoods(network, leaf, part, likelihood=likelihood).double().sum(dim=1)
            total = logs * (count / rows.shape[1]) + prior.log_density(network, leaf)
            (found,) = torch.autograd.grad(total.sum(), leaf)
        return found

    return gradient
