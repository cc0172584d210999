"""Linear rules: agreement by the bivariate normal, limits by minimising the population's loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.verification import Generator, Verifier
from fragile_learning.verification.rules import (
    accuracy_of_rule,
    agreement_of_rules,
    limit_rule,
)
from fragile_learning.verification.simulation import simulate_rules

MEAN = np.array([1.0, 0.8, 0.6, 0.4, 0.2])
VARIANCES = np.array([4.0, 2.0, 1.0, 0.5, 0.25])


def by_bivariate_normal(u, v, mean, variances):
    su, sv = np.sqrt(variances @ u**2), np.sqrt(variances @ v**2)
    r = (variances * u) @ v / (su * sv)
    cov = [[1.0, r], [r, 1.0]]
    e = np.array([u @ mean / su, v @ mean / sv])
    return sum(multivariate_normal.cdf(sign * e, cov=cov, abseps=1e-10) for sign in (1, -1))


def test_agreement_by_the_bivariate_normal():
    rng = np.random.default_rng(1)
    for scale in (0.0, 0.5, 2.0):
        for _ in range(10):
            u, v = rng.standard_normal((2, 5))
            found = agreement_of_rules(u, v, mean=scale * MEAN, variances=VARIANCES)
            expected = by_bivariate_normal(u, v, scale * MEAN, VARIANCES)
            assert found == pytest.approx(expected, abs=1e-8)


def test_agreement_by_drawing():
    rng = np.random.default_rng(2)
    u, v = rng.standard_normal((2, 5))
    y = np.where(rng.random(400_000) < 0.5, 1.0, -1.0)
    x = y[:, None] * MEAN + np.sqrt(VARIANCES) * rng.standard_normal((400_000, 5))
    same = ((x @ u > 0) == (x @ v > 0)).astype(float)
    check = check_mean(same, agreement_of_rules(u, v, mean=MEAN, variances=VARIANCES))
    assert abs(check.z) < z_bound(1e-7)
    check = check_mean(
        (y * (x @ u) > 0).astype(float), accuracy_of_rule(u, mean=MEAN, variances=VARIANCES)
    )
    assert abs(check.z) < z_bound(1e-7)
    assert abs(check._replace(theory=accuracy_of_rule(u, mean=MEAN)).z) > z_bound(1e-7)


def test_agreement_at_the_ends():
    assert agreement_of_rules([2.0, 0.0], [0.1, 0.0], mean=[3.0, 1.0]) == 1.0
    assert agreement_of_rules([2.0, 0.0], [-1.0, 0.0], mean=[3.0, 1.0]) == pytest.approx(0.0)
    tiny = 1 - agreement_of_rules([1.0, 0.0], [1.0, 1e-9], mean=[1.5, 0.0])
    assert tiny == pytest.approx(1e-9 * np.exp(-1.125) / np.pi, rel=1e-5)
    strong = agreement_of_rules([1.0, 0.0], [1.0, 1.0], mean=[30.0, 0.0])
    assert strong == pytest.approx(1.0, abs=1e-12)
    # at 30 standard deviations aside, one rule decides all
    aside = agreement_of_rules([1.0, 0.0], [0.0, 1.0], mean=[0.0, 30.0])
    assert aside == pytest.approx(0.5, abs=1e-12)
    both = agreement_of_rules(np.eye(3), [1.0, 0.0, 0.0], mean=[1.0, 0.0, 0.0])
    assert both.shape == (3,)
    assert both[1:] == pytest.approx([0.5, 0.5])


def test_accuracy_of_rules():
    assert accuracy_of_rule([0.0, 0.0], mean=[1.0, 2.0]) == 0.5
    found = accuracy_of_rule(np.eye(2), mean=[1.0, 2.0], variances=[4.0, 1.0])
    assert found == pytest.approx(ndtr([0.5, 2.0]))


def population(w, loss, A, B, ridge):
    level, width = w @ MEAN, np.sqrt(VARIANCES @ w**2)

    def over(f):
        return quad(
            lambda g: np.exp(-g * g / 2) / np.sqrt(2 * np.pi) * f(level + width * g), -9, 9
        )[0]

    value = A * over(loss) + B * over(lambda t: loss(-t))
    return value + ridge / 2 * w @ w


LOSSES = {"ridge": lambda t: (1 - t) ** 2 / 2, "logistic": lambda t: np.logaddexp(0, -t)}


@pytest.mark.parametrize("loss", ["ridge", "logistic"])
@pytest.mark.parametrize("p", [0.3, 0.9])
@pytest.mark.parametrize("ridge", [0.05, 1.0])
def test_limits_minimise_the_loss(loss, p, ridge):
    A, B = (1 - p) * 0.9, p * 0.3
    start = np.full(5, 0.05)
    best = minimize(population, start, (LOSSES[loss], A, B, ridge), method="BFGS", tol=1e-9)
    setting = {"mean": MEAN, "variances": VARIANCES, "ridge": ridge}
    found = limit_rule(loss, Generator(p), Verifier(0.9, 0.3), **setting)
    assert found == pytest.approx(best.x, abs=2e-6)


def test_limits_agree_with_the_bayes_rule_or_not():
    bayes = MEAN / VARIANCES
    place = {"mean": MEAN, "variances": VARIANCES}

    def agreement(loss, p, ridge):
        rule = limit_rule(loss, Generator(p), Verifier(0.9, 0.3), ridge=ridge, **place)
        return agreement_of_rules(rule, bayes, **place)

    assert agreement("ridge", 0.3, 1.0) == pytest.approx(0.931, abs=5e-4)
    assert agreement("ridge", 0.9, 1.0) == pytest.approx(0.088, abs=5e-4)
    assert agreement("ridge", 0.3, 0.0) == pytest.approx(1.0, abs=1e-12)
    assert agreement("logistic", 0.9, 1e-9) == pytest.approx(0.0, abs=1e-6)
    round_mean = np.ones(5)
    rule = limit_rule("logistic", Generator(0.3), Verifier(0.9, 0.3), mean=round_mean, ridge=1.0)
    assert agreement_of_rules(rule, round_mean, mean=round_mean) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("loss", ["ridge", "logistic"])
def test_large_samples_reach_the_limit(loss):
    players = Generator(0.3), Verifier(0.9, 0.3)
    place = {"mean": MEAN, "variances": VARIANCES, "ridge": 0.5}
    found = simulate_rules(loss, *players, 30, n_generated=20_000, rng=3, **place)
    expected = limit_rule(loss, *players, **place)
    for column in range(5):
        check = check_mean(found[:, column], expected[column])
        assert abs(check.mean - check.theory) < z_bound(1e-7, 5) * check.standard_error + 1e-4
    other = limit_rule(loss, *players, **(place | {"ridge": 0.6}))
    check = check_mean(found[:, 4], other[4])
    assert abs(check.mean - other[4]) > z_bound(1e-7, 5) * check.standard_error + 1e-4


def test_limits_that_are_nothing():
    setting = {"mean": MEAN, "ridge": 0.1}
    for players in ((Generator(0.5), Verifier(1, 1)), (Generator(1.0), Verifier(1, 0))):
        for loss in ("ridge", "logistic"):
            assert not np.any(limit_rule(loss, *players, **setting))
