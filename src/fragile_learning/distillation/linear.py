"""Linear models: how few distilled examples hold all that they can learn. Derived here."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, whole_number

__all__ = ["linear_distillation_floor", "linear_distilled_set"]

Array = NDArray[np.float64]


def linear_distillation_floor(inputs: ArrayLike, targets: ArrayLike, n_images: int) -> float:
    r"""Least mean squared error of a linear model that learns from a few distilled examples.

    Trained from 0 by gradient descent, its weights stay in the span of the ``B`` images: they have
    rank ``B`` at most. So no distilled set is better than the best model of rank ``B``,

    .. math:: \frac1n\lVert Y - PY\rVert^2 + \frac1n\sum_{k>B}\sigma_k(PY)^2,

    with the projector ``P`` on the columns of the inputs and singular values :math:`\sigma_k`. With
    learned labels it is reached: see `linear_distilled_set`.

    Parameters
    ----------
    inputs : array_like, shape (n, d)
        Real inputs, without intercept.
    targets : array_like, shape (n, c)
    n_images : int
        ``B`` >= 0.

    Returns
    -------
    float
        Squared error of an example, summed over the outputs.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Notes
    -----
    Zero training steps or ``B = 0`` leave the squared size of the targets. From as many images as
    outputs on the floor is that of least squares on all data: one image for each class is enough
    for a linear model. The same holds in the feature space of a kernel, where images with the
    wanted features need not exist.

    References
    ----------
    Reduced-rank regression: Izenman, J. Multivariate Analysis 5 (1975) 248.

    Examples
    --------
    >>> inputs, targets = np.eye(3), np.diag([3.0, 2.0, 1.0])
    >>> [round(linear_distillation_floor(inputs, targets, n), 4) for n in range(4)]
    [4.6667, 1.6667, 0.3333, 0.0]
    """
    X, Y = _regression(inputs, targets)
    rank = whole_number("n_images", n_images, minimum=0)
    fitted = X @ (np.linalg.pinv(X) @ Y)
    values = np.linalg.svd(fitted, compute_uv=False)
    return float((np.sum((Y - fitted) ** 2) + np.sum(values[rank:] ** 2)) / len(X))


def linear_distilled_set(
    inputs: ArrayLike, targets: ArrayLike, n_images: int
) -> tuple[Array, Array]:
    r"""Distilled examples with learned labels that teach a linear model the best it can learn.

    The images are an orthonormal basis of the columns of the best weights ``W`` of rank ``B``, the
    labels what ``W`` predicts for them. Gradient descent from 0 on the sum of the halved squared
    errors comes to ``W`` for any learning rate below 2, and with a rate of 1 in a single step.

    Parameters
    ----------
    inputs, targets
        As in `linear_distillation_floor`.
    n_images : int
        ``B``, from 1 to the smaller of inputs and outputs.

    Returns
    -------
    images : ndarray, shape (n_images, d)
    labels : ndarray, shape (n_images, c)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Examples
    --------
    >>> images, labels = linear_distilled_set(np.eye(3), np.diag([3.0, 2.0, 1.0]), 2)
    >>> (images.T @ labels).round(12).tolist()
    [[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    """
    X, Y = _regression(inputs, targets)
    most = min(X.shape[1], Y.shape[1])
    rank = whole_number("n_images", n_images, maximum=most)
    least_squares = np.linalg.pinv(X) @ Y
    _, _, right = np.linalg.svd(X @ least_squares, full_matrices=False)
    if len(right) < rank:  # fewer real examples than outputs
        raise ValueError(f"n_images must be at most the {len(X)} real examples, got {rank}")
    weights = least_squares @ right[:rank].T @ right[:rank]
    columns, _, _ = np.linalg.svd(weights, full_matrices=False)
    images = columns[:, :rank].T
    return images, images @ weights


def _regression(inputs: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    X, Y = real_array("inputs", inputs, ndim=2), real_array("targets", targets, ndim=2)
    if len(X) != len(Y) or 0 in X.shape or 0 in Y.shape:
        raise ValueError(
            f"inputs (n, d) and targets (n, c) must have one n >= 1, got {X.shape} and {Y.shape}"
        )
    return X, Y
