"""A chain of random-feature models: the first layer random and frozen, the second a ridge fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from fragile_learning._validation import as_generator, real_array, real_number, whole_number
from fragile_learning.images import relu_features

__all__ = ["iterated_random_features"]

Array = NDArray[np.float64]


def iterated_random_features(
    train_images: ArrayLike,
    train_labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    *,
    width: int,
    n_generations: int,
    ridge: float,
    noise_std: float,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> Array:
    """Test error along a chain of random-feature models that share their images.

    Model 0 learns from the clean labels; model ``g`` from the predictions of model ``g - 1`` on
    the training images plus noise. All models of a chain have the same frozen first layer.

    Parameters
    ----------
    train_images, test_images : array_like, shapes (N, n_pixels) and (M, n_pixels)
    train_labels, test_labels : array_like, shapes (N, n_outputs) and (M, n_outputs)
        Clean.
    width : int
        Features, >= 1.
    n_generations : int
        >= 0.
    ridge : float
        > 0; it multiplies N, as everywhere in the room.
    noise_std : float
        Of the generated labels, >= 0.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_generations + 1,)
        Mean squared difference to the clean test labels, over images and outputs.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together or an argument is out of range.

    Notes
    -----
    The smoother is one matrix for the whole chain, so it is factored once, in the smaller of
    features and images; a generation costs two products with it. With a small ridge and ``width``
    features below N the theory of the room for a shared design predicts that a generation adds
    noise_std^2 times about ``width / N`` on the training inputs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, tests = rng.normal(size=(400, 8)), rng.normal(size=(100, 8))
    >>> labels, truth = x.sum(axis=1, keepdims=True), tests.sum(axis=1, keepdims=True)
    >>> errors = iterated_random_features(
    ...     x, labels, tests, truth, width=40, n_generations=3, ridge=1e-3, noise_std=0.5, rng=0
    ... )
    >>> errors.shape, bool((np.diff(errors) > 0).all())
    ((4,), True)
    """
    inputs = real_array("train_images", train_images, ndim=2)
    labels = real_array("train_labels", train_labels, ndim=2)
    tests = real_array("test_images", test_images, ndim=2)
    truth = real_array("test_labels", test_labels, ndim=2)
    if len(inputs) != len(labels) or len(inputs) == 0:
        raise ValueError(
            f"train_labels must have {len(inputs)} >= 1 rows as train_images, got {labels.shape}"
        )
    if len(tests) != len(truth) or len(tests) == 0:
        raise ValueError(
            f"test_labels must have {len(tests)} >= 1 rows as test_images, got {truth.shape}"
        )
    if inputs.shape[1] != tests.shape[1] or labels.shape[1] != truth.shape[1]:
        raise ValueError(
            f"test_images and test_labels must have {inputs.shape[1]} and {labels.shape[1]} "
            f"columns, got {tests.shape[1]} and {truth.shape[1]}"
        )
    steps = whole_number("n_generations", n_generations, minimum=0)
    penalty = real_number("ridge", ridge, minimum=0.0, open_minimum=True) * len(inputs)
    noise = real_number("noise_std", noise_std, minimum=0.0)
    generator = as_generator(rng)
    both = relu_features(np.concatenate([inputs, tests]), width=width, rng=generator)
    features, test_features = both[: len(inputs)], both[len(inputs) :]
    primal = features.shape[1] <= len(inputs)
    gram = features.T @ features if primal else features @ features.T
    gram[np.diag_indices_from(gram)] += penalty
    factor = cho_factor(gram, overwrite_a=True, check_finite=False)

    errors = np.empty(steps + 1)
    taught = labels
    for step in range(steps + 1):
        if primal:
            weights = cho_solve(factor, features.T @ taught, check_finite=False)
        else:
            weights = features.T @ cho_solve(factor, taught, check_finite=False)
        errors[step] = np.mean((test_features @ weights - truth) ** 2)
        taught = features @ weights + noise * generator.standard_normal(labels.shape)
    return errors
