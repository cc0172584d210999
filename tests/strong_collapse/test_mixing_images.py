"""Random-feature models on mixed labels, against scikit-learn and explicit loops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fragile_learning import datasets
from fragile_learning.images import ImageTask, image_task, one_hot
from fragile_learning.strong_collapse import images
from fragile_learning.strong_collapse.images import (
    image_scaling,
    random_feature_mixing,
    synthetic_positions,
)

TASK = image_task(datasets.load("digits"), n_train=200, n_test=90)
SETTING = {
    "widths": [20, 50, 90],  # on both sides of the sample sizes, and at one of them
    "sample_sizes": [30, 50, 120],
    "synthetic_fractions": [0.2, 0.5, 1.0],
    "n_generator_images": 25,
    "generator_width": 40,
    "ridge": 1e-3,
}


def mixing(**change):
    return random_feature_mixing(TASK, **{**SETTING, "rng": 5, **change})


def plain_mixing(ridge_scale=1.0, **change):
    """One fit after another with scikit-learn, on features and labels written out."""
    setting = {**SETTING, **change}
    rng = np.random.default_rng(5)
    order = rng.permutation(200)
    layer, teacher_layer = rng.integers(2**63, size=2)
    centre = TASK.train_images.mean(axis=0)
    norm = np.sqrt(np.mean(np.sum((TASK.train_images - centre) ** 2, axis=1)))
    train, test = ((x - centre) / norm for x in (TASK.train_images, TASK.test_images))
    labels, truth = (one_hot(c) - 0.1 for c in (TASK.train_classes, TASK.test_classes))

    def features(pixels, seed, drawn, width):
        weights = np.random.default_rng(seed).standard_normal((64, drawn))[:, :width]
        return np.maximum(pixels @ weights, 0.0) * np.sqrt(2.0 / width)

    def fit(seen, taught):
        alpha = len(seen) * setting["ridge"] * ridge_scale
        return Ridge(alpha=alpha, fit_intercept=False, solver="svd").fit(seen, taught)

    n_generator, teacher = setting["n_generator_images"], setting["generator_width"]
    first, rest = order[:n_generator], order[n_generator:]
    generator = fit(features(train[first], teacher_layer, teacher, teacher), labels[first])
    said = generator.predict(features(train, teacher_layer, teacher, teacher))
    shown = generator.predict(features(test, teacher_layer, teacher, teacher))
    widest = max(setting["widths"])
    errors = np.empty((len(setting["widths"]), len(setting["sample_sizes"]), 4))
    for i, width in enumerate(setting["widths"]):
        for j, size in enumerate(setting["sample_sizes"]):
            for k, fraction in enumerate((0.0, *setting["synthetic_fractions"])):
                taught, count = [], 0
                for position, row in enumerate(rest[:size], start=1):
                    synthetic = int(position * fraction + 0.5) > count
                    count += synthetic
                    taught.append(said[row] if synthetic else labels[row])
                model = fit(features(train[rest[:size]], layer, widest, width), np.array(taught))
                out = model.predict(features(test, layer, widest, width))
                errors[i, j, k] = np.mean(np.sum((out - truth) ** 2, axis=1))
    return errors, np.mean(np.sum((shown - truth) ** 2, axis=1))


@pytest.mark.parametrize("change", [{}, {"generator_width": 20}, {"ridge": 1e-6}])
def test_all_combinations_equal_single_fits(change):
    found = mixing(**change)
    errors, generator = plain_mixing(**change)
    assert found.clean == pytest.approx(errors[..., 0], rel=1e-8)
    assert found.mixed == pytest.approx(errors[..., 1:], rel=1e-8)
    assert found.generator == pytest.approx(generator, rel=1e-8)


def test_the_comparison_sees_a_ridge_that_is_off_by_a_hundredth():
    errors, _ = plain_mixing(ridge_scale=1.01)
    assert np.all(np.abs(mixing().mixed / errors[..., 1:] - 1.0) > 1e-6)


@pytest.mark.parametrize("block", [1, 90 * 7, 90 * 50])
def test_blocks_do_not_matter(monkeypatch, block):
    whole = mixing()
    monkeypatch.setattr(images, "_BLOCK", block)
    for found, expected in zip(mixing(), whole, strict=True):
        assert found == pytest.approx(expected, rel=1e-9)


def test_a_combination_does_not_depend_on_the_others():
    whole = mixing()
    some = mixing(widths=[50, 90], sample_sizes=[50], synthetic_fractions=[0.5])
    assert some.mixed[:, 0, 0] == pytest.approx(whole.mixed[1:, 1, 1], rel=1e-9)
    assert some.clean[:, 0] == pytest.approx(whole.clean[1:, 1], rel=1e-9)
    assert some.generator == whole.generator


def test_no_synthetic_labels_are_clean_labels():
    found = mixing(synthetic_fractions=[0.0])
    assert found.mixed[..., 0] == pytest.approx(found.clean, rel=1e-12)
    assert np.all(np.abs(mixing().mixed[..., 0] - found.clean) > 1e-6)


def test_a_seed_is_a_result():
    one, same, other = mixing(), mixing(rng=np.random.default_rng(5)), mixing(rng=6)
    assert np.array_equal(one.mixed, same.mixed)
    assert not np.allclose(one.mixed, other.mixed)


def test_every_prefix_has_its_share():
    shares = [0.0, 0.01, 0.29, 0.5, 0.9, 1.0]
    counts = np.cumsum(synthetic_positions(1000, shares), axis=0)
    sizes = np.arange(1, 1001)[:, None]
    assert np.all(np.abs(counts - sizes * shares) <= 0.5 + 1e-9)
    assert counts[99].tolist() == [0, 1, 29, 50, 90, 100]


def test_scaled_images():
    scaled = image_scaling(TASK)(TASK.train_images)
    assert np.mean(np.sum(scaled**2, axis=1)) == pytest.approx(64.0)
    assert scaled.mean(axis=0) == pytest.approx(np.zeros(64), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"widths": []}, ValueError, "widths must be strictly increasing and not empty"),
        ({"widths": [20, 20]}, ValueError, "widths must be strictly increasing"),
        ({"widths": [0]}, ValueError, r"widths\[0\] must be an integer >= 1"),
        ({"widths": [2.5]}, TypeError, r"widths\[0\] must be an integer"),
        ({"sample_sizes": [50, 30]}, ValueError, "sample_sizes must be strictly increasing"),
        ({"sample_sizes": [176]}, ValueError, r"sample_sizes\[0\] must be .* <= 175, got 176"),
        ({"synthetic_fractions": [1.1]}, ValueError, r"synthetic_fractions\[0\] must be .* <= 1"),
        ({"n_generator_images": 200}, ValueError, "n_generator_images must be .* <= 199"),
        ({"generator_width": 0}, ValueError, "generator_width must be"),
        ({"ridge": 0.0}, ValueError, "ridge must be finite and > 0"),
        ({"rng": None}, TypeError, "rng must be"),
    ],
)
def test_bad_input(change, error, message):
    with pytest.raises(error, match=message):
        mixing(**change)


def test_bad_tasks():
    with pytest.raises(TypeError, match="task must be an ImageTask"):
        random_feature_mixing("digits", **SETTING, rng=0)
    flat = ImageTask(
        "flat", np.ones((200, 4)), TASK.train_classes, np.ones((90, 4)), TASK.test_classes
    )
    with pytest.raises(ValueError, match="training images that vary"):
        random_feature_mixing(flat, **SETTING, rng=0)
    few = dataclasses.replace(TASK, train_images=np.resize(TASK.train_images[:3], (200, 64)))
    with pytest.raises(ValueError, match="ridge is too small for double precision"):
        random_feature_mixing(few, **SETTING | {"ridge": 1e-40}, rng=0)
    with pytest.raises(ValueError, match="n_samples must be"):
        synthetic_positions(0, [0.5])
