"""Small problems whose answers are known exactly, the same each time: data of the room's checks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BinaryProblem",
    "LogisticProblem",
    "RegressionProblem",
    "SoftmaxProblem",
    "binary_problem",
    "gaussian_weights",
    "logistic_problem",
    "regression_problem",
    "selective_toy",
    "softmax_problem",
]

Array = NDArray[np.float64]


class RegressionProblem(NamedTuple):
    """Data of a linear regression with normal weights and noise.

    Attributes
    ----------
    inputs : ndarray, shape (40, 5)
    targets : ndarray, shape (40,)
    noise_variance, prior_variance : float

    Examples
    --------
    >>> from fragile_learning.bayes import theory
    >>> problem = regression_problem()
    >>> theory.linear_posterior(**problem._asdict()).stds.round(3).tolist()
    [0.15, 0.18, 0.109, 0.242, 0.05]
    """

    inputs: Array
    targets: Array
    noise_variance: float
    prior_variance: float


def regression_problem() -> RegressionProblem:
    """Forty rows with unequal, correlated columns.

    Examples
    --------
    >>> regression_problem().inputs.shape
    (40, 5)
    """
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 5)) @ np.diag([1.0, 1.0, 1.0, 0.3, 2.0])
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    y = x @ np.array([1.0, -1.0, 0.5, 2.0, 0.0]) + 0.5 * rng.standard_normal(40)
    return RegressionProblem(x, y, noise_variance=0.25, prior_variance=1.0)


class LogisticProblem(NamedTuple):
    """Data of a logistic regression in two weights.

    Attributes
    ----------
    inputs : ndarray, shape (30, 2)
    labels : ndarray, shape (30,)
        -1 or 1.
    prior_variance : float

    Examples
    --------
    >>> problem = logistic_problem()
    >>> problem.inputs.shape, problem.prior_variance
    ((30, 2), 4.0)
    """

    inputs: Array
    labels: Array
    prior_variance: float


def logistic_problem() -> LogisticProblem:
    """Thirty labels drawn with the weights (2, -1).

    Examples
    --------
    >>> sorted(set(logistic_problem().labels.tolist()))
    [-1.0, 1.0]
    """
    rng = np.random.default_rng(2)
    x = rng.standard_normal((30, 2))
    up = rng.random(30) < 1.0 / (1.0 + np.exp(-(2.0 * x[:, 0] - x[:, 1])))
    return LogisticProblem(x, np.where(up, 1.0, -1.0), prior_variance=4.0)


class SoftmaxProblem(NamedTuple):
    """A linear softmax model, and inputs with the classes that it predicts.

    Attributes
    ----------
    weights : ndarray, shape (4, 30)
    bias : ndarray, shape (4,)
    inputs : ndarray, shape (400, 30)
        In [0, 1].
    labels : ndarray of int, shape (400,)

    Examples
    --------
    >>> problem = softmax_problem()
    >>> scores = problem.inputs @ problem.weights.T + problem.bias
    >>> bool((scores.argmax(axis=1) == problem.labels).all())
    True
    """

    weights: Array
    bias: Array
    inputs: Array
    labels: NDArray[np.int64]


class BinaryProblem(NamedTuple):
    """A binary linear model, and inputs with the classes that it predicts.

    Attributes
    ----------
    weights : ndarray, shape (30,)
    bias : float
    inputs : ndarray, shape (50, 30)
        In [0.3, 0.7]: a radius up to 0.3 stays in [0, 1].
    labels : ndarray, shape (50,)
        -1 or 1.

    Examples
    --------
    >>> problem = binary_problem()
    >>> scores = problem.inputs @ problem.weights + problem.bias
    >>> bool((np.sign(scores) == problem.labels).all())
    True
    """

    weights: Array
    bias: float
    inputs: Array
    labels: Array


def _linear() -> tuple[SoftmaxProblem, BinaryProblem]:
    rng = np.random.default_rng(5)
    weights, bias = rng.standard_normal((4, 30)), 0.1 * rng.standard_normal(4)
    x = rng.random((400, 30))
    labels = (x @ weights.T + bias).argmax(axis=1)
    w = rng.standard_normal(30)
    inner = 0.3 + 0.4 * rng.random((50, 30))
    shift = -0.5 * float(w.sum())
    signs = np.where(inner @ w + shift > 0.0, 1.0, -1.0)
    return SoftmaxProblem(weights, bias, x, labels), BinaryProblem(w, shift, inner, signs)


def softmax_problem() -> SoftmaxProblem:
    """Four classes in thirty dimensions.

    Examples
    --------
    >>> softmax_problem().inputs.shape
    (400, 30)
    """
    return _linear()[0]


def binary_problem() -> BinaryProblem:
    """Two classes in thirty dimensions, inputs away from the edges of the box.

    Examples
    --------
    >>> binary_problem().inputs.shape
    (50, 30)
    """
    return _linear()[1]


def gaussian_weights() -> tuple[Array, float]:
    """Means of a hundred independent normal weights, and their common standard deviation.

    Examples
    --------
    >>> means, std = gaussian_weights()
    >>> means.shape, std
    ((100,), 0.3)
    """
    return 0.05 + 0.15 * np.random.default_rng(3).random(100), 0.3


def selective_toy() -> tuple[Array, NDArray[np.bool_]]:
    """Uncertainties of eight inputs, and whether each is predicted correctly.

    Examples
    --------
    >>> int(selective_toy()[1].sum())
    5
    """
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    return scores, np.array([1, 1, 1, 0, 1, 0, 1, 0], dtype=bool)
