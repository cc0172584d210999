"""Image data as regression problems: flat pixels, labels as numbers, random features."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_array, whole_number
from fragile_learning.datasets import Dataset

__all__ = ["ImageTask", "image_task", "one_hot", "parity", "relu_features", "standardise"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class ImageTask:
    """Training and test images of a data set, pixels flattened.

    Attributes
    ----------
    name : str
        Of the data set.
    train_images, test_images : ndarray of float64, shape (N, n_pixels)
        In [0, 1].
    train_classes, test_classes : ndarray of int64, shape (N,)

    Examples
    --------
    >>> from fragile_learning.datasets import load
    >>> task = image_task(load("digits"), n_train=1000, n_test=500)
    >>> task.name, task.test_images.shape, task.test_classes.shape
    ('digits', (500, 64), (500,))
    """

    name: str
    train_images: Array
    train_classes: NDArray[np.int64]
    test_images: Array
    test_classes: NDArray[np.int64]


def image_task(dataset: Dataset, *, n_train: int, n_test: int) -> ImageTask:
    """Take the first training images and the last test images of a data set.

    Parameters
    ----------
    dataset : Dataset
    n_train, n_test : int
        >= 1. Without an official split the test images are the last ones, and the two must not
        overlap; with one, each must be at most the size of its part.

    Returns
    -------
    ImageTask

    Raises
    ------
    TypeError
        If ``dataset`` is not a `fragile_learning.datasets.Dataset`.
    ValueError
        If there are not that many images.

    Examples
    --------
    >>> from fragile_learning.datasets import load
    >>> image_task(load("digits"), n_train=1000, n_test=500).train_images.shape
    (1000, 64)
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset must be a Dataset, got {type(dataset).__name__}")
    split = dataset.n_test > 0
    most_test = dataset.n_test if split else len(dataset) - 1
    tested = whole_number("n_test", n_test, maximum=most_test)
    most_train = dataset.n_train if split else len(dataset) - tested
    trained = whole_number("n_train", n_train, maximum=most_train)
    pixels = dataset.images.reshape(len(dataset), -1)
    return ImageTask(
        dataset.name,
        pixels[:trained].astype(np.float64),
        dataset.labels[:trained],
        pixels[len(dataset) - tested :].astype(np.float64),
        dataset.labels[len(dataset) - tested :],
    )


def parity(classes: Any) -> Array:
    """Labels 0 and 1: the class modulo 2.

    >>> parity([3, 8, 1])
    array([1., 0., 1.])
    """
    return np.asarray(np.asarray(classes) % 2, dtype=np.float64)


def one_hot(classes: Any, n_classes: int = 10) -> Array:
    """One column a class, 1 in that of the image.

    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    count = whole_number("n_classes", n_classes)
    labels = np.asarray(classes)
    if labels.size and not (labels.min() >= 0 and labels.max() < count):
        raise ValueError(
            f"classes must be >= 0 and < n_classes = {count}, "
            f"got values in [{labels.min()}, {labels.max()}]"
        )
    return np.asarray(np.eye(count)[labels])


def standardise(images: Any, reference: Any) -> Array:
    """Subtract each pixel's mean and divide by its standard deviation, both over a reference.

    Parameters
    ----------
    images : array_like, shape (N, n_pixels)
    reference : array_like, shape (M, n_pixels)
        Usually the training images. A pixel that is constant there becomes 0.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or a pixel is not finite.

    Examples
    --------
    >>> standardise([[3.0, 7.0]], [[0.0, 5.0], [2.0, 5.0]])
    array([[2., 0.]])
    """
    pixels = real_array("images", images, ndim=2)
    known = real_array("reference", reference, ndim=2)
    if pixels.shape[1] != known.shape[1] or len(known) == 0:
        raise ValueError(
            f"reference must have shape (M, {pixels.shape[1]}) with M >= 1, got {known.shape}"
        )
    spread = known.std(axis=0)
    varies = spread > 0
    centred = (pixels - known.mean(axis=0)) * varies
    return np.asarray(centred / np.where(varies, spread, 1.0))


def relu_features(
    images: ArrayLike,
    *,
    width: int,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> Array:
    r"""Random first layer, :math:`\mathrm{ReLU}(x^\top W)`; ``W`` has variance 2 / n_pixels.

    Parameters
    ----------
    images : array_like, shape (N, n_pixels)
    width : int
        >= 1.
    rng : Generator, SeedSequence or int
        The same seed gives the same layer.

    Returns
    -------
    ndarray, shape (N, width)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> relu_features([[0.0, 0.0]], width=3, rng=1)
    array([[0., 0., 0.]])
    """
    pixels = real_array("images", images, ndim=2)
    size = whole_number("width", width)
    scale = np.sqrt(2.0 / max(pixels.shape[1], 1))
    layer = scale * as_generator(rng).standard_normal((pixels.shape[1], size))
    return np.asarray(np.maximum(pixels @ layer, 0.0))
