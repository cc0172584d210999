"""Training of two-layer networks, all seeds of an experiment at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fragile_learning._validation import real_number, whole_number
from fragile_learning.networks.models import TwoLayerWeights, gradients

__all__ = ["train_networks"]


def train_networks(
    weights: TwoLayerWeights,
    images: Tensor,
    labels: Tensor,
    *,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    generators: Sequence[torch.Generator],
) -> TwoLayerWeights:
    """Train several networks by stochastic gradient descent on the mean squared error.

    Parameters
    ----------
    weights : TwoLayerWeights
        Starting point, one network a seed; not changed.
    images : Tensor, shape (N, n_pixels)
        Shared by the networks.
    labels : Tensor, shape (n_seeds, N, n_outputs)
    n_epochs : int
        >= 0.
    batch_size : int
        In [1, N]. An incomplete last batch of an epoch is left out.
    learning_rate : float
        > 0, for the loss averaged over batch and outputs.
    generators : sequence of torch.Generator
        One a seed, for the order of its batches; on the CPU.

    Returns
    -------
    TwoLayerWeights
    """
    epochs = whole_number("n_epochs", n_epochs, minimum=0)
    batch = whole_number("batch_size", batch_size, maximum=len(images))
    rate = real_number("learning_rate", learning_rate, minimum=0.0, open_minimum=True)
    current = TwoLayerWeights(*(tensor.clone() for tensor in weights))
    seeds = torch.arange(len(generators), device=images.device)[:, None]
    for _ in range(epochs):
        orders = torch.stack([torch.randperm(len(images), generator=one) for one in generators]).to(
            images.device
        )
        for start in range(0, len(images) - batch + 1, batch):
            chosen = orders[:, start : start + batch]  # (n_seeds, batch)
            step = gradients(current, images[chosen], labels[seeds, chosen])
            for tensor, gradient in zip(current, step, strict=True):
                tensor.sub_(gradient, alpha=rate)
    return current
