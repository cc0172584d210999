"""Kernels and chains on images, each against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise

from fragile_learning import datasets
from fragile_learning.images import image_task, one_hot, standardise
from fragile_learning.regression import kernels, random_features
from fragile_learning.statistics import check_mean, z_bound

DIGITS = datasets.load("digits")
TASK = image_task(DIGITS, n_train=400, n_test=150)
FALSE_ALARM = 1e-8


# --- kernels ----------------------------------------------------------------------------------


def test_kernels_like_scikit_learn():
    a, b = TASK.train_images[:40], TASK.test_images[:30]
    assert kernels.rbf_kernel(a, b, bandwidth=0.02) == pytest.approx(
        pairwise.rbf_kernel(a, b, gamma=0.02), rel=1e-9
    )
    assert kernels.polynomial_kernel(a, b, bandwidth=0.1, degree=5, offset=0.5) == pytest.approx(
        pairwise.polynomial_kernel(a, b, degree=5, gamma=0.1, coef0=0.5)
    )
    assert kernels.polynomial_kernel(a, b, bandwidth=0.1, degree=1) == pytest.approx(
        1.0 + 0.1 * a @ b.T
    )


@pytest.mark.parametrize("kernel", kernels.KERNELS)
def test_the_papers_settings(kernel):
    problem = kernels.kernel_problem(TASK, kernel)
    assert np.array_equal(problem.pool_labels, TASK.train_classes % 2)
    if kernel == "rbf":
        pixels = standardise(TASK.train_images, TASK.train_images)
        matrix = pairwise.rbf_kernel(pixels[:9], gamma=1e-4)
    else:
        matrix = pairwise.polynomial_kernel(TASK.train_images[:9], degree=5, gamma=1e-3, coef0=1)
    assert problem.kernel(problem.pool[:9], problem.pool[:9]) == pytest.approx(matrix, rel=1e-9)


SETTING = {
    "n_generations": [0, 1, 3],
    "n_samples": [20, 50],
    "n_generator_samples": 30,
    "ridges": [[1e-2, 1e-3], [1e-3, 1e-2]],
    "generator_ridge": 1e-3,
    "noise_std": 0.0,
    "generator_noise_std": 0.0,
}


def plain_chain(problem, rng):
    """The same chain with scikit-learn's estimator, one fit after another, without noise."""
    rows = rng.permutation(len(problem.pool))[:50]
    rng.standard_normal(50)
    models = [None]
    for _ in range(3):
        chosen = rng.permutation(len(problem.pool))[:30]
        seen = problem.pool[chosen]
        last = models[-1]
        if last is None:
            labels = problem.pool_labels[chosen]
        else:
            labels = problem.kernel(seen, last[0]) @ last[1]
        rng.standard_normal(30)
        fit = KernelRidge(alpha=30 * 1e-3, kernel="precomputed")
        fit.fit(problem.kernel(seen, seen), labels)
        models.append((seen, fit.dual_coef_))
    errors = np.empty((3, 2, 2))
    for i, n in enumerate((0, 1, 3)):
        for j, size in enumerate((20, 50)):
            points = problem.pool[rows[:size]]
            if n == 0:
                labels = problem.pool_labels[rows[:size]]
            else:
                seen, dual = models[n]
                labels = problem.kernel(points, seen) @ dual
            for k, ridge in enumerate(SETTING["ridges"][j]):
                fit = KernelRidge(alpha=size * ridge, kernel="precomputed")
                fit.fit(problem.kernel(points, points), labels)
                shown = fit.predict(problem.kernel(problem.test, points))
                errors[i, j, k] = np.mean((shown - problem.test_labels) ** 2)
    return errors


def test_chain_equals_a_plain_loop():
    problem = kernels.kernel_problem(TASK, "rbf")
    found = kernels.iterated_kernel_ridge(problem, **SETTING, rng=5)
    assert found.shape == (3, 2, 2)
    assert found == pytest.approx(plain_chain(problem, np.random.default_rng(5)), rel=1e-6)


def test_noise_adds_what_linear_algebra_says():
    """The mean over noise of the error is that without noise plus a trace."""
    task = image_task(DIGITS, n_train=60, n_test=40)
    problem = kernels.kernel_problem(task, "polynomial")
    setting = {
        "n_generations": [0],
        "n_samples": [60],  # the whole pool: its order does not matter
        "n_generator_samples": 60,
        "ridges": [[1e-3]],
        "generator_ridge": 1e-3,
        "generator_noise_std": 0.0,
    }
    quiet = kernels.iterated_kernel_ridge(problem, **setting, noise_std=0.0, rng=0)[0, 0, 0]
    noisy = [
        kernels.iterated_kernel_ridge(problem, **setting, noise_std=0.5, rng=seed)[0, 0, 0]
        for seed in range(1, 1001)
    ]
    gram = problem.kernel(problem.pool, problem.pool)
    smoother = problem.kernel(problem.test, problem.pool) @ np.linalg.inv(
        gram + 60 * 1e-3 * np.eye(60)
    )
    law = quiet + 0.25 * np.sum(smoother**2) / 40
    check = check_mean(noisy, law)
    assert abs(check.z) < z_bound(FALSE_ALARM)
    assert z_bound(FALSE_ALARM) * check.relative_error < 0.1
    wrong = check_mean(noisy, quiet + 0.5 * np.sum(smoother**2) / 40)
    assert abs(wrong.z) > z_bound(FALSE_ALARM)


def test_comparisons_are_paired():
    """More chain lengths, sizes or policies do not change the others; equal policies are equal."""
    problem = kernels.kernel_problem(TASK, "rbf")
    noisy = {**SETTING, "noise_std": 1.0, "generator_noise_std": 1.0}
    all_of_them = kernels.iterated_kernel_ridge(problem, **noisy, rng=7)
    fewer = {**noisy, "n_generations": [3], "ridges": [[1e-3, 1e-3], [1e-3, 1e-3]]}
    some = kernels.iterated_kernel_ridge(problem, **fewer, rng=7)
    assert some[0, 0, 1] == pytest.approx(all_of_them[2, 0, 1], rel=1e-9)
    assert some[0, 1, 0] == pytest.approx(all_of_them[2, 1, 0], rel=1e-9)
    assert np.array_equal(some[..., 0], some[..., 1])
    assert not np.allclose(all_of_them, kernels.iterated_kernel_ridge(problem, **noisy, rng=8))


@pytest.mark.parametrize(("beta", "r"), [(2.0, 0.25), (1.5, 0.4)])
def test_exponents_of_a_synthetic_power_law(beta, r):
    size = 600
    rng = np.random.default_rng(3)
    vectors = np.linalg.qr(rng.standard_normal((size, size)))[0]
    ranks = np.arange(1.0, size + 1)
    matrix = size * (vectors * ranks**-beta) @ vectors.T
    labels = np.sqrt(size) * vectors @ ranks ** (-(1 + 2 * r * beta) / 2)
    found = kernels.estimate_exponents((matrix + matrix.T) / 2, labels, ranks=(5, 60))
    assert found[0] == pytest.approx(beta, rel=1e-6)
    # the tail ends at the sample size, so it is no pure power
    tail = np.cumsum((ranks ** -(1 + 2 * r * beta))[::-1])[::-1][4:60]
    slope = np.polyfit(np.log(ranks[4:60]), np.log(tail), 1)[0]
    assert found[1] == pytest.approx(-slope / (2 * beta), rel=1e-6)
    assert found[1] == pytest.approx(r, rel=0.1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_samples": [20, 401]}, ValueError, "n_samples must be <= 400"),
        ({"n_generations": []}, ValueError, "n_generations and n_samples must hold"),
        ({"n_generator_samples": 401}, ValueError, "n_generator_samples must be"),
        ({"ridges": [[1e-3]]}, ValueError, "ridges must have 2 rows"),
        ({"ridges": [[0.0], [1.0]]}, ValueError, "ridges must be finite and > 0"),
        ({"generator_ridge": 0.0}, ValueError, "generator_ridge must be finite and > 0"),
        ({"generator_ridge": 1e-30}, ValueError, "generator_ridge is too small"),
        ({"noise_std": -1.0}, ValueError, "noise_std must be"),
        ({"rng": None}, TypeError, "rng must be"),
    ],
)
def test_bad_chains(change, error, message):
    problem = kernels.kernel_problem(TASK, "polynomial")
    doubled = np.concatenate([problem.pool[:200]] * 2)  # two equal rows: a singular matrix
    problem = kernels.KernelProblem(
        doubled, problem.pool_labels, problem.test, problem.test_labels, problem.kernel
    )
    setting = {**SETTING, "n_generator_samples": 400, "rng": 0, **change}
    with pytest.raises(error, match=message):
        kernels.iterated_kernel_ridge(problem, **setting)


def test_bad_problems():
    with pytest.raises(ValueError, match="pool_labels must have one entry for each row"):
        kernels.KernelProblem(np.ones((3, 2)), np.ones(2), np.ones((1, 2)), np.ones(1), len)
    with pytest.raises(ValueError, match="test must have 2 columns"):
        kernels.KernelProblem(np.ones((3, 2)), np.ones(3), np.ones((1, 3)), np.ones(1), len)
    with pytest.raises(TypeError, match="kernel must be a function"):
        kernels.KernelProblem(np.ones((3, 2)), np.ones(3), np.ones((1, 2)), np.ones(1), "rbf")
    with pytest.raises(TypeError, match="problem must be a KernelProblem"):
        kernels.iterated_kernel_ridge(TASK, **SETTING, rng=0)
    with pytest.raises(ValueError, match="kernel must be one of"):
        kernels.kernel_problem(TASK, "laplace")
    with pytest.raises(ValueError, match="b must have 2 columns"):
        kernels.rbf_kernel(np.ones((1, 2)), np.ones((1, 3)), bandwidth=1.0)
    with pytest.raises(ValueError, match="bandwidth must be"):
        kernels.rbf_kernel(np.ones((1, 2)), np.ones((1, 2)), bandwidth=0.0)
    with pytest.raises(ValueError, match="kernel_matrix must have shape"):
        kernels.estimate_exponents(np.ones((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match=r"ranks\[1\] must be an integer >= 7 and <= 9, got 6"):
        kernels.estimate_exponents(np.eye(9), np.ones(9), ranks=(5, 6))


# --- random features --------------------------------------------------------------------------

FEATURES = {"width": 120, "n_generations": 3, "ridge": 1e-4, "noise_std": 0.1}
LABELS = one_hot(TASK.train_classes), one_hot(TASK.test_classes)


def chain_of_features(**change):
    setting = {**FEATURES, "rng": 11, **change}
    return random_features.iterated_random_features(
        TASK.train_images, LABELS[0], TASK.test_images, LABELS[1], **setting
    )


@pytest.mark.parametrize("width", [60, 700])  # the second has more features than images
def test_first_model_like_scikit_learn(width):
    found = chain_of_features(width=width, n_generations=0)
    both = np.concatenate([TASK.train_images, TASK.test_images])
    layer = np.sqrt(2 / 64) * np.random.default_rng(11).standard_normal((64, width))
    features = np.maximum(both @ layer, 0)
    fit = Ridge(alpha=400 * 1e-4, fit_intercept=False, solver="svd").fit(features[:400], LABELS[0])
    expected = np.mean((fit.predict(features[400:]) - LABELS[1]) ** 2)
    assert found[0] == pytest.approx(expected, rel=1e-7)


def test_without_noise_nearly_nothing_is_lost():
    errors = chain_of_features(noise_std=0.0, ridge=1e-9)
    assert errors == pytest.approx(np.full(4, errors[0]), rel=1e-3)


def test_a_generation_adds_noise_in_proportion_to_the_trace():
    """Shared frozen layer, tiny ridge: each generation adds sigma^2 |B|^2 on the test inputs."""
    images = np.concatenate([TASK.train_images, TASK.test_images])
    increments = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        errors = chain_of_features(width=40, ridge=1e-9, noise_std=0.3, rng=rng)
        layer = np.sqrt(2 / 64) * np.random.default_rng(seed).standard_normal((64, 40))
        features = np.maximum(images @ layer, 0)
        response = features[400:] @ np.linalg.pinv(features[:400])
        law = 0.09 * np.sum(response**2) / 150
        increments.append([(errors[1] - errors[0]) / law, (errors[3] - errors[2]) / law])
    bound = z_bound(FALSE_ALARM, n_checks=2)
    for column in np.transpose(increments):
        check = check_mean(column, 1.0)
        assert abs(check.z) < bound
        assert bound * check.relative_error < 0.5
        assert abs(check_mean(column, 2.0).z) > bound  # negative control


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"width": 0}, ValueError, "width must be"),
        ({"n_generations": -1}, ValueError, "n_generations must be"),
        ({"ridge": 0.0}, ValueError, "ridge must be"),
        ({"noise_std": float("nan")}, ValueError, "noise_std must be"),
        ({"rng": "seed"}, TypeError, "rng must be"),
    ],
)
def test_bad_feature_chains(change, error, message):
    with pytest.raises(error, match=message):
        chain_of_features(**change)


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (1, np.ones((3, 10)), "train_labels must have 400"),
        (3, np.ones((3, 10)), "test_labels must have 150"),
        (3, np.ones((150, 9)), "test_images and test_labels must have"),
        (0, np.full((400, 64), np.nan), "train_images must be finite"),
    ],
)
def test_bad_shapes(position, value, message):
    arrays = [TASK.train_images, LABELS[0], TASK.test_images, LABELS[1]]
    arrays[position] = value
    with pytest.raises(ValueError, match=message):
        random_features.iterated_random_features(*arrays, **FEATURES, rng=0)
