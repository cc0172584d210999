"""Two-layer ReLU networks as pure functions of their weights, a batch of networks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fragile_learning._validation import whole_number

__all__ = ["TwoLayerWeights", "forward", "gradients", "initialise"]


class TwoLayerWeights(NamedTuple):
    """Weights of ``n_seeds`` networks.

    Attributes
    ----------
    first : Tensor, shape (n_seeds, n_pixels, width)
    first_bias : Tensor, shape (n_seeds, 1, width)
    second : Tensor, shape (n_seeds, width, n_outputs)
    second_bias : Tensor, shape (n_seeds, 1, n_outputs)

    Examples
    --------
    >>> weights = TwoLayerWeights(
    ...     torch.ones(1, 2, 3), torch.zeros(1, 1, 3), torch.ones(1, 3, 1), torch.zeros(1, 1, 1)
    ... )
    >>> forward(weights, torch.tensor([[[1.0, 2.0]]]))  # three hidden units, each 1 + 2
    tensor([[[9.]]])
    """

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor


def initialise(
    n_pixels: int, width: int, n_outputs: int, *, generators: Sequence[torch.Generator]
) -> TwoLayerWeights:
    """Draw weights with variance 2 / n_pixels and 1 / width, and no biases.

    Parameters
    ----------
    n_pixels, width, n_outputs : int
        >= 1.
    generators : sequence of torch.Generator
        One a network, on the CPU.

    Returns
    -------
    TwoLayerWeights
        On the CPU, float32.

    Examples
    --------
    >>> generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    >>> weights = initialise(3, 16, 1, generators=generators)
    >>> {name: tuple(tensor.shape) for name, tensor in weights._asdict().items()}
    {'first': (2, 3, 16), 'first_bias': (2, 1, 16), 'second': (2, 16, 1), 'second_bias': (2, 1, 1)}
    """
    inputs = whole_number("n_pixels", n_pixels)
    hidden = whole_number("width", width)
    outputs = whole_number("n_outputs", n_outputs)
    first, second = [], []
    for one in generators:
        first.append(torch.randn((inputs, hidden), generator=one) * (2.0 / inputs) ** 0.5)
        second.append(torch.randn((hidden, outputs), generator=one) * (1.0 / hidden) ** 0.5)
    count = len(first)
    return TwoLayerWeights(
        torch.stack(first),
        torch.zeros(count, 1, hidden),
        torch.stack(second),
        torch.zeros(count, 1, outputs),
    )


def forward(weights: TwoLayerWeights, images: Tensor) -> Tensor:
    """Compute the outputs of each network.

    Parameters
    ----------
    weights : TwoLayerWeights
    images : Tensor, shape (n_seeds, N, n_pixels)

    Returns
    -------
    Tensor, shape (n_seeds, N, n_outputs)

    Examples
    --------
    >>> signs, no = torch.tensor([[[1.0, -1.0]]]), torch.zeros(1, 1, 2)
    >>> weights = TwoLayerWeights(signs, no, torch.ones(1, 2, 1), torch.zeros(1, 1, 1))
    >>> forward(weights, torch.tensor([[[2.0], [-3.0]]])).flatten().tolist()  # relu(x) + relu(-x)
    [2.0, 3.0]
    """
    hidden = torch.baddbmm(weights.first_bias, images, weights.first).relu_()
    return torch.baddbmm(weights.second_bias, hidden, weights.second)


def gradients(weights: TwoLayerWeights, images: Tensor, labels: Tensor) -> TwoLayerWeights:
    """Gradients of each network's mean squared error over its batch and outputs, by hand.

    Parameters
    ----------
    weights : TwoLayerWeights
    images : Tensor, shape (n_seeds, batch, n_pixels)
    labels : Tensor, shape (n_seeds, batch, n_outputs)

    Returns
    -------
    TwoLayerWeights
        Gradients in place of weights.

    Examples
    --------
    >>> weights = TwoLayerWeights(
    ...     torch.ones(1, 1, 1), torch.zeros(1, 1, 1), torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
    ... )
    >>> found = gradients(weights, torch.tensor([[[2.0]]]), torch.tensor([[[1.0]]]))
    >>> found.second.item()  # of (2 w - 1)^2 at w = 1
    4.0
    """
    hidden = torch.baddbmm(weights.first_bias, images, weights.first).relu_()
    residual = torch.baddbmm(weights.second_bias, hidden, weights.second).sub_(labels)
    residual.mul_(2.0 / (labels.shape[1] * labels.shape[2]))
    back = torch.bmm(residual, weights.second.transpose(1, 2)).mul_(hidden > 0)
    return TwoLayerWeights(
        torch.bmm(images.transpose(1, 2), back),
        back.sum(dim=1, keepdim=True),
        torch.bmm(hidden.transpose(1, 2), residual),
        residual.sum(dim=1, keepdim=True),
    )
