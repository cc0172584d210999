"""Training of two-layer networks, all seeds of an experiment at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from fragile_learning._validation import real_array, real_number, whole_number
from fragile_learning.networks.models import TwoLayerWeights, forward, gradients, initialise

__all__ = ["fit_networks", "network_outputs", "train_networks"]

Array = NDArray[np.float64]


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

    Examples
    --------
    >>> draw = torch.Generator().manual_seed(1)
    >>> images = torch.randn(40, 3, generator=draw)
    >>> labels = images[None, :, :1]  # of one network: the first pixel
    >>> start = initialise(3, 32, 1, generators=[draw])
    >>> trained = train_networks(
    ...     start,
    ...     images,
    ...     labels,
    ...     n_epochs=30,
    ...     batch_size=10,
    ...     learning_rate=0.1,
    ...     generators=[draw],
    ... )
    >>> errors = [
    ...     float((forward(w, images[None]) - labels).square().mean()) for w in (start, trained)
    ... ]
    >>> errors[1] < 0.1 * errors[0]
    True
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


def fit_networks(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    width: int,
    n_steps: int,
    batch_size: int,
    learning_rate: float,
    seeds: Sequence[int],
    device: str = "cpu",
) -> TwoLayerWeights:
    """Fit several networks to each of several sets of images, by Adam on the mean squared error.

    The networks of a set have their own labels; images, first weights and batches they share, so
    that labels alone make them differ. The second layer starts from zero: no network says anything
    before it has learned.

    Parameters
    ----------
    images : array_like, shape (n_sets, N, n_pixels)
    labels : array_like, shape (n_sets, n_fits, N, n_outputs)
    width : int
        Hidden units, >= 1.
    n_steps : int
        >= 1.
    batch_size : int
        In [1, N]. An incomplete last batch of an epoch is left out.
    learning_rate : float
        > 0, of the first step; it falls to 0 linearly.
    seeds : sequence of int
        One a set, >= 0. Random numbers are drawn on the CPU, so that a seed means the same on
        every device.
    device : str
        As PyTorch names it.

    Returns
    -------
    TwoLayerWeights
        Of ``n_sets * n_fits`` networks, those of a set side by side; on the device.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together, an argument is out of range, or the training diverged.

    Examples
    --------
    >>> draw = np.random.default_rng(1)
    >>> images = draw.standard_normal((1, 40, 3))
    >>> labels = np.stack([images[:, :, :1], -images[:, :, :1]], axis=1)  # two networks' own
    >>> weights = fit_networks(
    ...     images, labels, width=32, n_steps=200, batch_size=10, learning_rate=0.02, seeds=[1]
    ... )
    >>> bool(np.abs(network_outputs(weights, images) - labels[0]).mean() < 0.1)
    True
    """
    pixels, taught = real_array("images", images, ndim=3), real_array("labels", labels, ndim=4)
    if taught.shape[::2] != pixels.shape[:2] or 0 in taught.shape:
        raise ValueError(
            f"labels must have shape ({len(pixels)}, n_fits, {pixels.shape[1]}, n_outputs), none "
            f"of them 0, got {taught.shape}"
        )
    steps = whole_number("n_steps", n_steps)
    batch = whole_number("batch_size", batch_size, maximum=pixels.shape[1])
    rate = real_number("learning_rate", learning_rate, minimum=0.0, open_minimum=True)
    numbers = [whole_number(f"seeds[{i}]", seed, minimum=0) for i, seed in enumerate(seeds)]
    if len(numbers) != len(pixels):
        raise ValueError(f"seeds must have one entry for each of {len(pixels)} sets, got {numbers}")
    n_fits, n_outputs = taught.shape[1], taught.shape[3]
    generators = [torch.Generator().manual_seed(number) for number in numbers]
    start = initialise(pixels.shape[2], width, n_outputs, generators=generators)
    weights = TwoLayerWeights(*(t.repeat_interleave(n_fits, 0).to(device) for t in start))
    weights.second.zero_()

    inputs = torch.as_tensor(pixels, dtype=torch.float32, device=device)
    targets = torch.as_tensor(taught, dtype=torch.float32, device=device).flatten(0, 1)
    of_set = torch.arange(len(inputs), device=device)[:, None]
    of_fit = torch.arange(len(targets), device=device)[:, None]
    optimiser = torch.optim.Adam(list(weights), lr=rate, fused=True)
    for step, chosen in enumerate(islice(_batches(generators, inputs.shape[1], batch), steps)):
        rows = chosen.to(device)  # (n_sets, batch)
        seen = inputs[of_set, rows].repeat_interleave(n_fits, 0)
        right = targets[of_fit, rows.repeat_interleave(n_fits, 0)]
        for tensor, gradient in zip(weights, gradients(weights, seen, right), strict=True):
            tensor.grad = gradient
        optimiser.param_groups[0]["lr"] = rate * (1.0 - step / steps)
        optimiser.step()
    for tensor in weights:
        tensor.grad = None
        if not bool(tensor.isfinite().all()):
            raise ValueError(
                f"learning_rate must be small enough for training to converge at width {width}: "
                f"it diverged at {learning_rate!r}"
            )
    return weights


def _batches(generators: Sequence[torch.Generator], size: int, batch: int) -> Iterator[Tensor]:
    """Batches of row numbers, one row of them a generator, epoch after epoch."""
    while True:
        orders = torch.stack([torch.randperm(size, generator=one) for one in generators])
        for start in range(0, size - batch + 1, batch):
            yield orders[:, start : start + batch]


def network_outputs(weights: TwoLayerWeights, images: ArrayLike) -> Array:
    """Compute what each network says of images.

    Parameters
    ----------
    weights : TwoLayerWeights
        Of ``n_networks`` networks.
    images : array_like, shape (N, n_pixels) or (n_sets, N, n_pixels)
        The same for all networks; or one set for each of ``n_sets`` equal groups of networks that
        lie side by side, as `fit_networks` returns them.

    Returns
    -------
    ndarray, shape (n_networks, N, n_outputs)

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together.

    Examples
    --------
    >>> weights = TwoLayerWeights(
    ...     torch.ones(2, 1, 1), torch.zeros(2, 1, 1), torch.ones(2, 1, 1), torch.zeros(2, 1, 1)
    ... )
    >>> network_outputs(weights, [[1.0], [3.0]])[:, :, 0]  # two networks, the same images
    array([[1., 3.],
           [1., 3.]])
    >>> network_outputs(weights, [[[1.0]], [[3.0]]])[:, :, 0]  # images of its own for each
    array([[1.],
           [3.]])
    """
    pixels = real_array("images", images)
    sets = pixels[None] if pixels.ndim == 2 else pixels
    count, n_pixels = weights.first.shape[:2]
    if sets.ndim != 3 or not len(sets) or count % len(sets) or sets.shape[2] != n_pixels:
        raise ValueError(
            f"images must have shape (N, {n_pixels}) or (n_sets, N, {n_pixels}) with n_sets a "
            f"divisor of {count}, got {pixels.shape}"
        )
    inputs = torch.as_tensor(sets, dtype=torch.float32, device=weights.first.device)
    group = count // len(sets)
    outputs = [  # one network at a time: the hidden layers of all would not fit
        forward(TwoLayerWeights(*(t[k : k + 1] for t in weights)), inputs[k // group, None])
        for k in range(count)
    ]
    return np.asarray(torch.cat(outputs).double().cpu().numpy())
