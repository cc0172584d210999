"""Small sets of real images, chosen by rule: what a distilled set has to beat. Numpy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import as_generator, whole_number
from fragile_learning.distillation.distilled import DistilledSet, LabelledImages, labelled

__all__ = ["class_means", "herding", "k_centre", "random_real"]

Array = NDArray[np.float64]
Chooser = Callable[[Array, int], NDArray[np.int64]]


def _checked(train: LabelledImages, images_per_class: int) -> tuple[LabelledImages, int, int]:
    """LabelledImages, images of a class, classes."""
    known = labelled(*train)
    n_classes = int(known.labels.max()) + 1
    fewest = int(np.bincount(known.labels, minlength=n_classes).min())
    if not fewest:
        missing = np.flatnonzero(np.bincount(known.labels) == 0).tolist()
        raise ValueError(f"train must hold images of all classes, got none of {missing}")
    count = whole_number("images_per_class", images_per_class, maximum=fewest)
    return known, count, n_classes


def _chosen(train: LabelledImages, images_per_class: int, choose: Chooser) -> DistilledSet:
    known, count, n_classes = _checked(train, images_per_class)
    flat = known.images.reshape(len(known.images), -1).astype(np.float64)
    rows = []
    for label in range(n_classes):
        members = np.flatnonzero(known.labels == label)
        rows.append(members[choose(flat[members], count)])
    order = np.stack(rows, axis=1).ravel()  # first images of all classes, then second ones
    return DistilledSet.of_classes(known.images[order], known.labels[order], n_classes=n_classes)


def random_real(
    train: LabelledImages,
    images_per_class: int,
    *,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> DistilledSet:
    """Draw real images, without replacement in each class.

    Parameters
    ----------
    train : LabelledImages
    images_per_class : int
        >= 1, at most as many as the rarest class has.
    rng : Generator, SeedSequence or int

    Returns
    -------
    DistilledSet
        Round by round: the first image of each class, then the second, ...

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or a class has no image.

    Examples
    --------
    >>> train = labelled([[0.0], [1.0], [5.0], [9.0]], [0, 0, 1, 1])
    >>> found = random_real(train, 2, rng=1)
    >>> found.classes, np.sort(found.images[:, 0])
    (array([0, 1, 0, 1]), array([0., 1., 5., 9.], dtype=float32))
    """
    draw = as_generator(rng)
    return _chosen(train, images_per_class, lambda flat, count: draw.permutation(len(flat))[:count])


def class_means(train: LabelledImages) -> DistilledSet:
    """Take the mean image of each class.

    Examples
    --------
    >>> class_means(labelled([[0.0, 0.0], [2.0, 4.0], [1.0, 1.0]], [0, 0, 1])).images
    array([[1., 2.],
           [1., 1.]], dtype=float32)
    """
    known, _, n_classes = _checked(train, 1)
    means = [
        known.images[known.labels == label].mean(axis=0, dtype=np.float64)
        for label in range(n_classes)
    ]
    return DistilledSet.of_classes(np.stack(means), np.arange(n_classes), n_classes=n_classes)


def herding(train: LabelledImages, images_per_class: int) -> DistilledSet:
    """Choose real images one after another so that their mean is nearest to the class mean.

    Parameters
    ----------
    train, images_per_class
        See `random_real`.

    Returns
    -------
    DistilledSet
        At one image per class: the real image that is nearest to the class mean.

    Examples
    --------
    >>> train = labelled([[0.0], [1.0], [5.0]], [0, 0, 0])  # mean 2
    >>> herding(train, 2).images[:, 0]  # nearest to 2; then with it to a mean of 2
    array([1., 5.], dtype=float32)
    """

    def choose(flat: Array, count: int) -> NDArray[np.int64]:
        mean, total = flat.mean(axis=0), np.zeros(flat.shape[1])
        taken: list[int] = []
        for i in range(count):
            distances = _squares(flat, (i + 1) * mean - total)
            distances[taken] = np.inf
            taken.append(int(distances.argmin()))
            total += flat[taken[-1]]
        return np.array(taken)

    return _chosen(train, images_per_class, choose)


def k_centre(train: LabelledImages, images_per_class: int) -> DistilledSet:
    """Choose real images so that no image of the class is far from all of them, greedily.

    The first one has the smallest largest distance to the others of its class; each next one is
    farthest from those chosen (Gonzalez 1985: at most twice the best radius).

    Parameters
    ----------
    train, images_per_class
        See `random_real`.

    Returns
    -------
    DistilledSet

    Examples
    --------
    >>> train = labelled([[0.0], [1.0], [6.0], [10.0]], [0, 0, 0, 0])
    >>> k_centre(train, 2).images[:, 0]  # none is farther than 6 from it; then the farthest
    array([6., 0.], dtype=float32)
    """

    def choose(flat: Array, count: int) -> NDArray[np.int64]:
        norms = np.einsum("ij,ij->i", flat, flat)
        radii = [
            (norms + part[:, None] - 2.0 * (rows @ flat.T)).max(axis=1)
            for rows, part in (
                (flat[i : i + 500], norms[i : i + 500]) for i in range(0, len(flat), 500)
            )
        ]
        taken = [int(np.argmin(np.concatenate(radii)))]
        nearest = _squares(flat, flat[taken[0]])
        for _ in range(count - 1):
            taken.append(int(nearest.argmax()))
            nearest = np.minimum(nearest, _squares(flat, flat[taken[-1]]))
        return np.array(taken)

    return _chosen(train, images_per_class, choose)


def _squares(flat: Array, point: Array) -> Any:
    """Squared distances of rows to a point."""
    gap = flat - point
    return np.einsum("ij,ij->i", gap, gap)
