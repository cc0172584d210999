"""Linear models: the floor of few examples, and sets that reach it in one step."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.distillation import simulation, theory


def regression(seed=0, n=40, d=6, c=4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.linspace(2.0, 0.5, d)
    return X, X @ rng.standard_normal((d, c)) + rng.standard_normal((n, c))


@pytest.mark.parametrize("n_images", [1, 2, 3, 4])
def test_distilled_sets_reach_the_floor(n_images):
    X, Y = regression()
    images, labels = theory.linear_distilled_set(X, Y, n_images)
    assert images.shape == (n_images, 6)
    assert labels.shape == (n_images, 4)
    np.testing.assert_allclose(images @ images.T, np.eye(n_images), atol=1e-12)
    floor = theory.linear_distillation_floor(X, Y, n_images)
    for rate, steps in ((1.0, 1), (0.3, 120), (1.7, 120)):
        W = simulation.simulate_linear_student(images, labels, learning_rate=rate, n_steps=steps)
        assert np.sum((Y - X @ W) ** 2) / 40 == pytest.approx(floor, rel=1e-12)


def test_nothing_is_below_the_floor():
    X, Y = regression(1)
    rng = np.random.default_rng(2)
    least_squares = np.linalg.lstsq(X, Y, rcond=None)[0]
    best = np.sum((Y - X @ least_squares) ** 2) / 40
    for n_images in (1, 2, 3):
        floor = theory.linear_distillation_floor(X, Y, n_images)
        images, labels = theory.linear_distilled_set(X, Y, n_images)
        for scale in (1e-3, 1e-1, 3.0):
            moved = images + scale * rng.standard_normal(images.shape)
            W = np.linalg.pinv(moved) @ (labels + scale * rng.standard_normal(labels.shape))
            assert np.sum((Y - X @ W) ** 2) / 40 > floor
        assert floor > best
    for n_images in (4, 5, 9):
        assert theory.linear_distillation_floor(X, Y, n_images) == pytest.approx(best, rel=1e-12)
    assert theory.linear_distillation_floor(X, Y, 0) == pytest.approx(np.sum(Y**2) / 40)


def test_more_features_than_real_data():
    X, Y = regression(3, n=5, d=9, c=3)
    assert theory.linear_distillation_floor(X, Y, 3) == pytest.approx(0.0, abs=1e-20)
    images, labels = theory.linear_distilled_set(X, Y, 3)
    np.testing.assert_allclose(X @ images.T @ labels, Y, atol=1e-10)
    with pytest.raises(ValueError, match="n_images must be at most the 2 real examples"):
        theory.linear_distilled_set(X[:2], Y[:2], 3)


def test_one_image_for_each_class_is_enough_with_the_classes_as_labels():
    """Hard labels, free images: the pseudo-inverse of the weights teaches them."""
    X, Y = regression(5)
    weights = np.linalg.lstsq(X, Y, rcond=None)[0]
    images = np.linalg.pinv(weights)
    steps = simulation.simulate_linear_student(
        images, np.eye(4), learning_rate=1.0 / np.linalg.norm(images, 2) ** 2, n_steps=4000
    )
    error = np.sum((Y - X @ steps) ** 2) / 40
    assert error == pytest.approx(theory.linear_distillation_floor(X, Y, 4), rel=1e-9)
