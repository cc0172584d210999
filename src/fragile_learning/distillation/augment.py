"""Differentiable flips and rotations, drawn beforehand so that a step can be done twice."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fragile_learning._validation import real_number

__all__ = ["Change", "apply_change", "draw_change"]


class Change(NamedTuple):
    """What is done to each image of a batch.

    Attributes
    ----------
    flips : Tensor of bool, shape (n,), or None
        Which images are mirrored, left to right.
    angles : Tensor, shape (n,), or None
        By how much each is turned, in radians, anticlockwise.

    Examples
    --------
    >>> pictures = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> quarter = Change(None, torch.tensor([math.pi / 2]))
    >>> apply_change(pictures, quarter)[0, 0].round(decimals=4)
    tensor([[2., 4.],
            [1., 3.]])
    """

    flips: Tensor | None
    angles: Tensor | None


def draw_change(n: int, *, generator: torch.Generator, max_degrees: float = 15.0) -> Change:
    """Draw one kind of change for a batch: flips or rotations, either with probability 1/2.

    Parameters
    ----------
    n : int
        Images.
    generator : torch.Generator
        On the CPU.
    max_degrees : float
        In [0, 180]. Angles are uniform within plus and minus this (as the authors' code).

    Returns
    -------
    Change
        On the CPU. Each image is mirrored with probability 1/2, or turned by its own angle.

    Examples
    --------
    >>> change = draw_change(5, generator=torch.Generator().manual_seed(1))
    >>> (change.flips is None) != (change.angles is None)  # one of the two
    True
    >>> [len(values) for values in change if values is not None]
    [5]
    """
    most = real_number("max_degrees", max_degrees, minimum=0.0, maximum=180.0)
    coin, *numbers = torch.rand(1 + n, generator=generator).tolist()
    values = torch.tensor(numbers)
    if coin < 0.5:
        return Change(values < 0.5, None)
    return Change(None, (2.0 * values - 1.0) * math.radians(most))


def apply_change(images: Tensor, change: Change) -> Tensor:
    """Change images; linear in the pixels, hence differentiable.

    Parameters
    ----------
    images : Tensor, shape (n, channels, height, width)
    change : Change
        Of n images.

    Returns
    -------
    Tensor, shape of ``images``
        Rotations interpolate between the four nearest pixels; outside the picture is 0.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    >>> apply_change(torch.tensor([[[[1.0, 2.0]]]]), Change(torch.tensor([True]), None))
    tensor([[[[2., 1.]]]])
    """
    given = change.flips if change.flips is not None else change.angles
    if images.ndim != 4 or (given is not None and len(given) != len(images)):
        raise ValueError(
            "images must have the shape (n, channels, height, width) with n that of the change, "
            f"got {tuple(images.shape)}"
        )
    if change.flips is not None:
        chosen = change.flips.to(images.device)[:, None, None, None]
        images = torch.where(chosen, images.flip(3), images)
    if change.angles is not None:
        angles = change.angles.to(images)
        height, width = images.shape[2:]
        cosine, sine = angles.cos(), angles.sin()
        zero = torch.zeros_like(cosine)
        # where each pixel comes from, in units in which the picture is [-1, 1] by [-1, 1]
        rows = (
            torch.stack([cosine, -sine * (height / width), zero], 1),
            torch.stack([sine * (width / height), cosine, zero], 1),
        )
        places = functional.affine_grid(
            torch.stack(rows, 1), list(images.shape), align_corners=False
        )
        images = functional.grid_sample(images, places, align_corners=False)
    return images
