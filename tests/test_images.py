"""Image tasks, labels and random features, against another implementation where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from fragile_learning import datasets
from fragile_learning.images import image_task, one_hot, parity, relu_features, standardise

DIGITS = datasets.load("digits")
TASK = image_task(DIGITS, n_train=400, n_test=150)


def test_without_a_split_the_test_images_are_the_last():
    assert np.array_equal(TASK.train_images, DIGITS.images[:400].reshape(400, 64))
    assert np.array_equal(TASK.test_classes, DIGITS.labels[-150:])


def test_with_a_split_each_part_stays_its_own():
    mini = datasets.load("fashion-mnist-mini")
    task = image_task(mini, n_train=mini.n_train, n_test=5)
    assert len(task.train_images) == mini.n_train
    assert np.array_equal(task.test_images, mini.images[-5:].reshape(5, -1).astype(float))
    with pytest.raises(ValueError, match=f"n_train must be an integer >= 1 and <= {mini.n_train}"):
        image_task(mini, n_train=mini.n_train + 1, n_test=5)
    with pytest.raises(ValueError, match=f"n_test must be an integer >= 1 and <= {mini.n_test}"):
        image_task(mini, n_train=5, n_test=mini.n_test + 1)


def test_parts_may_not_overlap():
    with pytest.raises(ValueError, match="n_train must be an integer >= 1 and <= 1000"):
        image_task(DIGITS, n_train=1001, n_test=797)
    with pytest.raises(TypeError, match="dataset must be a Dataset"):
        image_task("digits", n_train=1, n_test=1)


def test_standardise_like_scikit_learn():
    found = standardise(TASK.test_images, TASK.train_images)
    reference = StandardScaler().fit(TASK.train_images)
    varies = TASK.train_images.std(axis=0) > 0
    assert not varies.all()
    assert found[:, varies] == pytest.approx(reference.transform(TASK.test_images)[:, varies])
    assert np.all(found[:, ~varies] == 0.0)
    with pytest.raises(ValueError, match="reference must have shape"):
        standardise(TASK.test_images, np.ones((3, 2)))


def test_labels():
    assert np.array_equal(parity(TASK.train_classes), TASK.train_classes % 2)
    assert np.array_equal(one_hot(TASK.train_classes).argmax(1), TASK.train_classes)
    assert one_hot([1], 3).sum() == 1.0
    for bad in ([3], [-1]):
        with pytest.raises(ValueError, match="classes must be >= 0 and < n_classes = 3"):
            one_hot(bad, 3)


def test_features_of_one_seed_are_one_layer():
    one = relu_features(TASK.test_images, width=5, rng=3)
    assert np.array_equal(one, relu_features(TASK.test_images, width=5, rng=3))
    assert one.min() == 0.0
    assert one.max() > 0.0
