"""Chains of fully trained two-layer networks, all seeds of an experiment trained at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number, whole_number
from fragile_learning.networks.models import TwoLayerWeights, forward, initialise
from fragile_learning.networks.training import train_networks

__all__ = ["train_chain"]

Array = NDArray[np.float64]


def train_chain(
    train_images: ArrayLike,
    train_labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    *,
    width: int,
    n_generations: int,
    n_epochs: int,
    noise_std: float,
    seeds: Sequence[int],
    batch_size: int = 128,
    learning_rate: float = 0.1,
    device: str = "cpu",
) -> Array:
    """Test error along chains of two-layer networks that share their training images.

    Model 0 learns from the clean labels, model ``g`` from the predictions of model ``g - 1`` on the
    training images plus noise. Each model starts from new random weights.

    Parameters
    ----------
    train_images, test_images : array_like, shapes (N, n_pixels) and (M, n_pixels)
    train_labels, test_labels : array_like, shapes (N, n_outputs) and (M, n_outputs)
        Clean.
    width : int
        Hidden units, >= 1.
    n_generations : int
        >= 0.
    n_epochs : int
        >= 1 for each model.
    noise_std : float
        Of the generated labels, >= 0.
    seeds : sequence of int
        One chain each, >= 0. A chain's result does not depend on the other seeds but for rounding.
    batch_size : int
    learning_rate : float
    device : str
        As PyTorch names it. Random numbers are drawn on the CPU, so that a seed means the same
        everywhere.

    Returns
    -------
    ndarray, shape (len(seeds), n_generations + 1)
        Mean squared difference to the clean test labels, over images and outputs.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together, an argument is out of range, or the training diverged.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, tests = rng.normal(size=(256, 4)), rng.normal(size=(64, 4))
    >>> errors = train_chain(
    ...     x,
    ...     x[:, :2],
    ...     tests,
    ...     tests[:, :2],
    ...     width=16,
    ...     n_generations=2,
    ...     n_epochs=5,
    ...     noise_std=0.5,
    ...     seeds=[0, 1, 2],
    ... )
    >>> errors.shape  # chains, generations
    (3, 3)
    """
    arrays = {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }
    tensors = {
        name: torch.as_tensor(real_array(name, value, ndim=2), dtype=torch.float32, device=device)
        for name, value in arrays.items()
    }
    images, labels, tests, truth = tensors.values()
    if len(images) != len(labels) or len(tests) != len(truth):
        raise ValueError(
            "train_labels and test_labels must have as many rows as their images, got "
            f"{[tuple(tensor.shape) for tensor in tensors.values()]}"
        )
    if images.shape[1] != tests.shape[1] or labels.shape[1] != truth.shape[1]:
        raise ValueError(
            "test_images and test_labels must have as many columns as the training ones, got "
            f"{[tuple(tensor.shape) for tensor in tensors.values()]}"
        )
    size = whole_number("width", width)
    steps = whole_number("n_generations", n_generations, minimum=0)
    epochs = whole_number("n_epochs", n_epochs)
    noise = real_number("noise_std", noise_std, minimum=0.0)
    numbers = [whole_number(f"seeds[{i}]", seed, minimum=0) for i, seed in enumerate(seeds)]
    if not numbers:
        raise ValueError("seeds must hold at least 1 seed, got none")
    generators = [torch.Generator().manual_seed(seed) for seed in numbers]

    errors = np.empty((len(numbers), steps + 1))
    taught = labels.expand(len(numbers), *labels.shape)
    for step in range(steps + 1):
        start = initialise(images.shape[1], size, labels.shape[1], generators=generators)
        weights = train_networks(
            TwoLayerWeights(*(tensor.to(device) for tensor in start)),
            images,
            taught,
            n_epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            generators=generators,
        )
        residual = forward(weights, tests.expand(len(numbers), *tests.shape)) - truth
        errors[:, step] = residual.square().mean(dim=(1, 2)).double().cpu().numpy()
        if not np.isfinite(errors[:, step]).all():
            raise ValueError(
                f"learning_rate must be small enough for training to converge at width {size}: "
                f"generation {step} diverged at {learning_rate!r}"
            )
        fresh = torch.stack([torch.randn(labels.shape, generator=one) for one in generators])
        taught = forward(weights, images.expand(len(numbers), *images.shape))
        taught = taught + noise * fresh.to(device)
    return errors
