"""What is done to images before anything learns from them: standardise, whiten. Numpy alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number

__all__ = ["Whitened", "standardise", "zca"]

Array = NDArray[np.float64]


class Whitened(NamedTuple):
    """Whitened images.

    Attributes
    ----------
    train, test : ndarray, shape of the images given
    matrix : ndarray, shape (n_pixels, n_pixels)
        What each normalised, flattened image was multiplied with; symmetric.

    Examples
    --------
    >>> images = np.random.default_rng(1).normal(size=(50, 1, 3, 3))
    >>> whitened = zca(images, images[:2])
    >>> whitened.train.shape, whitened.test.shape, whitened.matrix.shape
    ((50, 1, 3, 3), (2, 1, 3, 3), (9, 9))
    >>> np.allclose(whitened.train[:2], whitened.test)
    True
    """

    train: Array
    test: Array
    matrix: Array


def _pair(train: ArrayLike, test: ArrayLike) -> tuple[Array, Array]:
    known, other = real_array("train", train), real_array("test", test)
    if known.ndim < 2 or len(known) < 2 or known.shape[1:] != other.shape[1:]:
        raise ValueError(
            "train and test must have the shapes (n, ...) with n >= 2, and (m, ...), got "
            f"{known.shape} and {other.shape}"
        )
    return known, other


def standardise(train: ArrayLike, test: ArrayLike) -> tuple[Array, Array]:
    """Subtract the training pixels' overall mean and divide by their overall standard deviation.

    Parameters
    ----------
    train, test : array_like, shapes (n, ...) and (m, ...)

    Returns
    -------
    train, test : ndarray
        No pixel is 0 in all images just because it is background: dividing by a constant alone
        leaves such pixels, and they make Adam's derivative useless (see the chapter).

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit together, a pixel is not finite, or all are the same.

    Examples
    --------
    >>> standardise([[0.0, 2.0], [2.0, 4.0]], [[2.0, 2.0]])[1]
    array([[0., 0.]])
    """
    known, other = _pair(train, test)
    spread = known.std()
    if spread == 0.0:
        raise ValueError(f"train must hold different pixels, got {known.flat[0]!r} everywhere")
    return (known - known.mean()) / spread, (other - known.mean()) / spread


def _normalised(images: Array) -> Array:
    """Each image flattened, its mean subtracted, divided by its norm; a constant one becomes 0."""
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.where(norms > 0.0, norms, 1.0))


def zca(train: ArrayLike, test: ArrayLike, *, regularization: float = 0.1) -> Whitened:
    r"""Whiten images by the training set's covariance, as the field does for colour images.

    Each image is flattened, its mean subtracted and divided by its norm. Then the training mean is
    subtracted and the image multiplied by :math:`(C + r \, \bar\lambda I)^{-1/2}`, where ``C`` is
    the covariance of the training images and :math:`\bar\lambda` its mean eigenvalue.

    Parameters
    ----------
    train, test : array_like, shapes (n, ...) and (m, ...)
    regularization : float
        ``r`` > 0.

    Returns
    -------
    Whitened

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit together, a value is out of range, or all normalised images are one.

    Examples
    --------
    >>> images = np.random.default_rng(1).normal(size=(500, 1, 3, 3))
    >>> whitened = zca(images, images[:2], regularization=1e-6)
    >>> spectrum = np.linalg.eigvalsh(np.cov(whitened.train.reshape(500, 9).T))
    >>> spectrum[1:].round(2)  # the mean of each image was subtracted: one direction is empty
    array([1., 1., 1., 1., 1., 1., 1., 1.])
    """
    known, other = _pair(train, test)
    ridge = real_number("regularization", regularization, minimum=0.0, open_minimum=True)
    normal, tested = _normalised(known), _normalised(other)
    mean = normal.mean(axis=0)
    covariance = np.cov(normal, rowvar=False, ddof=1)
    values, vectors = np.linalg.eigh(covariance)
    floor = ridge * values.mean()
    if not floor > 0.0:
        raise ValueError("train must hold images that differ, got one image many times")
    matrix = (vectors / np.sqrt(np.clip(values, 0.0, None) + floor)) @ vectors.T
    return Whitened(
        ((normal - mean) @ matrix).reshape(known.shape),
        ((tested - mean) @ matrix).reshape(other.shape),
        matrix,
    )
