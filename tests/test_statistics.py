"""Means, errors, bounds and slopes against numbers worked out by hand or by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fragile_learning.statistics import (
    MeanCheck,
    check_mean,
    log_log_slope,
    mean_and_standard_error,
    share_interval,
    z_bound,
)


def test_mean_and_error():
    samples = np.random.default_rng(0).normal(size=(50, 3))
    mean, error = mean_and_standard_error(samples)
    np.testing.assert_allclose(mean, samples.mean(axis=0))
    np.testing.assert_allclose(error, stats.sem(samples, axis=0))
    mean, error = mean_and_standard_error(samples, axis=1)
    np.testing.assert_allclose(error, stats.sem(samples, axis=1))


@pytest.mark.parametrize(("probability", "checks"), [(1e-6, 1), (0.05, 1), (1e-6, 24), (1e-12, 7)])
def test_bound_has_the_stated_false_alarm(probability, checks):
    bound = z_bound(probability, checks)
    assert 2 * checks * stats.norm.sf(bound) == pytest.approx(probability, rel=1e-9)


def test_check_mean():
    samples = np.random.default_rng(1).normal(3.0, 2.0, size=400)
    check = check_mean(samples, 2.5)
    assert check.z == pytest.approx(stats.ttest_1samp(samples, 2.5).statistic)
    assert check.relative_error == pytest.approx(stats.sem(samples) / 2.5)
    assert MeanCheck(1.0, 0.0, 1.0).z == 0.0
    assert MeanCheck(1.0, 0.0, 2.0).z == -math.inf
    assert MeanCheck(1.0, 0.5, 0.0).relative_error == math.inf


def test_shares_by_binomial_tails():
    for found, total in [(3, 20), (0, 7), (7, 7), (150, 400)]:
        _, low, high = share_interval(found, total, confidence=0.9)
        if found > 0:
            assert stats.binom.sf(found - 1, total, low) == pytest.approx(0.05)
        if found < total:
            assert stats.binom.cdf(found, total, high) == pytest.approx(0.05)
    assert share_interval(0, 7).low == 0.0
    assert share_interval(7, 7).high == 1.0
    assert share_interval(3, 20).estimate == 0.15


def test_slope_against_scipy():
    rng = np.random.default_rng(2)
    x = np.geomspace(1, 1e4, 20)
    y = 3 * x**-0.7 * np.exp(0.1 * rng.normal(size=20))
    expected = stats.linregress(np.log(x), np.log(y))
    found = log_log_slope(x, y)
    assert found.slope == pytest.approx(expected.slope)
    assert found.standard_error == pytest.approx(expected.stderr)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mean_and_standard_error([1.0]), ValueError, "samples must hold at least 2"),
        (lambda: mean_and_standard_error([1.0, math.nan]), ValueError, "samples must be finite"),
        (lambda: z_bound(0.0), ValueError, "false_alarm must be finite and > 0 and < 1, got 0.0"),
        (lambda: z_bound(1.0), ValueError, "false_alarm"),
        (lambda: z_bound(0.1, 0), ValueError, "n_checks must be an integer >= 1, got 0"),
        (lambda: check_mean([1.0] * 29, 1.0), ValueError, "samples must hold at least 30"),
        (lambda: log_log_slope([1, 2], [1, 2]), ValueError, "x and y must have one length >= 3"),
        (lambda: log_log_slope([1, 2, 3], [1, 2]), ValueError, "x and y must have one length"),
        (lambda: log_log_slope([1, 2, 0], [1, 2, 3]), ValueError, "x must be finite and > 0"),
        (lambda: log_log_slope([1, 2, 3], [1, -2, 3]), ValueError, "y must be finite and > 0"),
        (lambda: log_log_slope([2, 2, 2], [1, 2, 3]), ValueError, "at least two different"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
