"""Fits against a general minimiser, and that each draw is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import ndtr

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.verification import Generator, Verifier
from fragile_learning.verification.simulation import (
    fit_rule,
    simulate_accuracy,
    simulate_classes,
    simulate_linear_verifier,
    simulate_mixing,
    simulate_rounds,
    simulate_rules,
)

LOSSES = {"ridge": lambda u: (1 - u) ** 2 / 2, "logistic": lambda u: np.logaddexp(0, -u)}


@pytest.mark.parametrize("estimator", ["ridge", "logistic"])
@pytest.mark.parametrize("shape", [(30, 4), (4, 9)])
@pytest.mark.parametrize("ridge", [0.01, 2.0])
def test_fits_minimise(estimator, shape, ridge):
    x = np.random.default_rng(1).standard_normal(shape) + 0.5

    def objective(w):
        return LOSSES[estimator](x @ w).sum() / 40 + ridge / 2 * w @ w

    best = minimize(objective, np.zeros(shape[1]), method="BFGS", options={"gtol": 1e-9})
    assert fit_rule(estimator, x, 40, ridge) == pytest.approx(best.x, abs=1e-6)


def test_fits_at_the_ends():
    x = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    assert fit_rule("ridge", x, 2, 0.0) == pytest.approx(np.linalg.pinv(x) @ [1.0, 1.0])
    assert fit_rule("one-shot", x, 4) == pytest.approx(x.sum(axis=0) / 4)
    for estimator, ridge in (("one-shot", None), ("ridge", 0.1), ("logistic", 0.1)):
        assert not np.any(fit_rule(estimator, np.empty((0, 3)), 4, ridge))
    large = fit_rule("logistic", 30.0 * x, 2, 1e-6)
    assert np.all(np.isfinite(large))
    heavy = fit_rule("logistic", x, 2, 1e8)
    assert heavy == pytest.approx(x.sum(axis=0) / 4 / 1e8, rel=1e-5)


def test_the_draws_of_a_mixture():
    """Mean and second moment of the one-shot rule, by adding all cases up."""
    p, phi, psi, n = 0.3, 0.9, 0.4, 50
    mean, variances = np.array([1.5, 0.0]), np.array([1.0, 4.0])
    rules = simulate_rules(
        "one-shot",
        Generator(p),
        Verifier(phi, psi),
        6000,
        mean=mean,
        variances=variances,
        n_generated=n,
        rng=2,
    )
    A, B = (1 - p) * phi, p * psi
    bound = z_bound(1e-7, 4)
    assert abs(check_mean(rules[:, 0], (A - B) * 1.5).z) < bound
    assert abs(check_mean(rules[:, 1], 0.0).z) < bound
    square = ((A + B) * (1 + 1.5**2) - ((A - B) * 1.5) ** 2) / n
    assert abs(check_mean((rules[:, 0] - (A - B) * 1.5) ** 2, square).z) < bound
    assert abs(check_mean(rules[:, 1] ** 2, (A + B) * 4 / n).z) < bound
    assert abs(check_mean(rules[:, 1] ** 2, 4 / n).z) > bound


def test_accuracy_is_that_of_the_rules():
    players = Generator(0.3), Verifier(0.9, 0.4)
    sizes = {"n_generated": 60, "ridge": 0.1}
    rules = simulate_rules("ridge", *players, 5, mean=[1.2, 0.0, 0.0], rng=3, **sizes)
    found = simulate_accuracy("ridge", *players, 5, signal=1.2, n_features=3, rng=3, **sizes)
    assert found == pytest.approx(ndtr(1.2 * rules[:, 0] / np.linalg.norm(rules, axis=1)))
    nobody = simulate_accuracy(
        "one-shot", Generator(1.0), Verifier(1, 0), 3, signal=1, n_features=2, n_generated=5, rng=1
    )
    assert nobody.tolist() == [0.5] * 3


def test_mixing_without_synthesized_examples():
    sizes = {"signal": 1.0, "n_features": 20, "n_generated": 10}
    players = Generator(0.5), Verifier(1, 1)
    real = simulate_mixing(*players, 3000, n_real=40, weight=0.0, rng=4, **sizes)
    clean = {"signal": 1.0, "n_features": 20, "n_generated": 40}
    other = simulate_accuracy("one-shot", Generator(0.0), Verifier(1, 1), 3000, rng=5, **clean)
    error = np.sqrt((real.var() + other.var()) / 3000)
    assert abs(real.mean() - other.mean()) < z_bound(1e-7) * error
    plain = simulate_mixing(*players, 4, n_real=0, rng=6, **sizes)
    same = simulate_accuracy("one-shot", *players, 4, rng=6, **sizes)
    assert plain == pytest.approx(same)


def test_what_a_linear_verifier_keeps():
    setting = {"n_features": 3, "n_generated": 400, "rng": 7}
    every = simulate_linear_verifier(0.8, 0.4, 0.5, 3, keep="all", **setting)
    oracle = simulate_linear_verifier(0.8, 0.4, 0.5, 3, keep="oracle", **setting)
    agreed = simulate_linear_verifier(0.8, 0.4, 0.5, 3, **setting)
    assert np.array_equal(every.n_kept_right, every.n_right)
    assert np.array_equal(every.n_kept_wrong, every.n_wrong)
    assert np.array_equal(oracle.n_kept_right, oracle.n_right)
    assert not oracle.n_kept_wrong.any()
    assert np.all((agreed.n_kept_wrong > 0) & (agreed.n_kept_wrong < agreed.n_wrong))
    # with a signal the true label is the class, and a generator on the class mean errs too
    mixture = simulate_linear_verifier(0.0, 0.0, 0.0, 200, signal=1.0, keep="all", **setting)
    check = check_mean(mixture.n_wrong / 400, ndtr(-1.0))
    assert abs(check.z) < z_bound(1e-7)
    opposite = simulate_linear_verifier(0.0, np.pi, 0.0, 1, **setting)
    assert opposite.accuracy == pytest.approx([0.5])


def test_classes():
    players = {
        0.7: Generator(0.7),
        0.9: Generator(0.9),
    }
    sizes = {"signal": 2.0, "n_features": 10, "n_generated": 20_000, "rng": 8}
    below = simulate_classes(players[0.7], Verifier(1, 1), 5, 2, **sizes)
    above = simulate_classes(players[0.9], Verifier(1, 1), 5, 2, **sizes)
    assert below[:, 1] == pytest.approx(0.79, abs=0.03)  # of the true means
    assert np.all(below[:, 0] > 0.9 * below[:, 1])
    assert np.all(above[:, 0] < 0.1)
    rescued = simulate_classes(players[0.9], Verifier(0.9, 0.2), 5, 2, **sizes)
    assert np.all(rescued[:, 0] > 0.9 * rescued[:, 1])


def test_streams():
    players = Generator(0.3), Verifier(0.9, 0.4)
    sizes = {"signal": 1.0, "n_features": 3, "n_generated": 20}
    one = simulate_accuracy("one-shot", *players, 3, rng=1, **sizes)
    assert np.array_equal(one, simulate_accuracy("one-shot", *players, 3, rng=1, **sizes))
    assert not np.array_equal(one, simulate_accuracy("one-shot", *players, 3, rng=2, **sizes))
    source = np.random.default_rng(1)
    assert np.array_equal(one, simulate_accuracy("one-shot", *players, 3, rng=source, **sizes))
    again = simulate_accuracy("one-shot", *players, 3, rng=source, **sizes)
    assert not np.array_equal(one, again)


def test_rounds():
    setting = {"n_features": 4, "n_generated": 3000, "rng": 9}
    found = simulate_rounds(0.9, 0.6, 0.3, 2, 40, **setting)
    assert found[:, 0] == pytest.approx(np.full(40, 1 - 0.9 / np.pi))
    one = simulate_linear_verifier(0.9, 0.6, 0.3, 40, **setting)
    error = np.sqrt((found[:, 1].var() + one.accuracy.var()) / 40)
    assert abs(found[:, 1].mean() - one.accuracy.mean()) < z_bound(1e-7) * error
    # the second student: the rule is between the first and the verifier
    v = np.array([np.cos(0.6), 0.3 * np.sin(0.6), np.sqrt(0.91) * np.sin(0.6)])
    w = np.array([np.cos(0.9), np.sin(0.9), 0.0])
    for step in (1, 2):
        w = (w + v) / np.linalg.norm(w + v)
        check = check_mean(found[:, step], 1 - np.arccos(w[0]) / np.pi)
        assert abs(check.mean - check.theory) < z_bound(1e-7) * check.standard_error + 2e-3
    assert np.all(simulate_rounds(0.0, np.pi, 0.0, 1, 2, **setting) == [1.0, 0.5])
