"""Means, errors, bounds and slopes against numbers worked out by hand or by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fragile_learning.statistics import (
    MeanCheck,
    beside,
    check_mean,
    log_log_slope,
    mean_and_standard_error,
    mean_plus_minus,
    plus_minus,
    share_interval,
    significant,
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
    ("value", "error", "text"),
    [
        (0.14483, 0.0000416, "0.144830 ± 0.000042"),
        (0.0996, 0.0996, "0.10 ± 0.10"),  # the error rounds up to the next decade
        (12343.0, 234.0, "12,340 ± 230"),
        (-0.0139, 0.0016, "−0.0139 ± 0.0016"),
        (-1e-9, 0.5, "0.00 ± 0.50"),  # no minus in front of a zero
        (2.5e7, 3e5, "(2.500 ± 0.030)·10⁷"),
        (3e-7, 0.5, "0.00 ± 0.50"),
        (3e-7, 2e-9, "(3.000 ± 0.020)·10⁻⁷"),
        (0.0, 0.0, "0 ± 0"),
        (100_000.0, 0.0, "100,000 ± 0"),
        (-0.25, 1e-14, "−0.25 ± 0"),
        (3e-9, 0.0, "3·10⁻⁹ ± 0"),
        (5e-324, 5e-324, "(4.9 ± 4.9)·10⁻³²⁴"),
    ],
)
def test_value_with_its_error(value, error, text):
    assert plus_minus(value, error) == text
    signed = plus_minus(value, error, signed=True)
    assert signed.replace("+", "") == text
    assert ("+" in signed) == ("−" not in text.partition("±")[0] and text != "0 ± 0")


@pytest.mark.parametrize(
    ("samples", "options", "text"),
    [
        ([1.0, 2.0, 3.0], {}, "2.00 ± 0.58"),  # 1 / sqrt(3)
        ([0.1, 0.3], {"scale": 100.0}, "20 ± 10"),
        ([[0.1], [0.3]], {"scale": -1.0}, "−0.20 ± 0.10"),
        ([0.1, 0.3], {"signed": True}, "+0.20 ± 0.10"),
        ([0.5, 0.5], {}, "0.5 ± 0"),
        ([0.123456], {}, "0.123"),
        ([0.123456], {"scale": 100.0, "signed": True}, "+12.3"),
    ],
)
def test_mean_with_its_error(samples, options, text):
    assert mean_plus_minus(samples, **options) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (99.96, 3, "100"),
        (99.94, 3, "99.9"),
        (0.99996e-4, 3, "0.000100"),
        (9.94e-5, 2, "9.9·10⁻⁵"),
        (999_999.9, 3, "1.00·10⁶"),
        (999_499.0, 3, "999,000"),
        (-0.0, 3, "0"),
        (-3e-20, 1, "−3·10⁻²⁰"),
    ],
)
def test_significant_digits(value, digits, text):
    assert significant(value, digits) == text


@pytest.mark.parametrize(
    ("value", "error", "law", "text"),
    [
        (0.80703, 8.2e-5, 0.8069912, "0.807030 ± 0.000082 (law 0.806991)"),
        (9.98, 0.12, 10.0, "9.98 ± 0.12 (law 10.00)"),
        (-0.3120, 0.011, -1 / 3, "−0.312 ± 0.011 (law −0.333)"),
        (1.27e-9, 4e-11, 1.2e-9, "(1.270 ± 0.040)·10⁻⁹ (law 1.200·10⁻⁹)"),
        (12343.0, 234.0, 12000.0, "12,340 ± 230 (law 12,000)"),
        (0.01, 0.5, 0.0, "0.01 ± 0.50 (law 0)"),
        (2.0, 0.5, 1e-5, "2.00 ± 0.50 (law 1·10⁻⁵)"),
        (0.25, 0.0, 0.25, "0.25 ± 0 (law 0.25)"),
    ],
)
def test_value_beside_its_law(value, error, law, text):
    assert beside(value, error, law) == text


def test_a_number_read_back_is_within_half_of_its_last_digit():
    rng = np.random.default_rng(3)
    for value, ratio in zip(
        rng.normal(size=200) * 10.0 ** rng.uniform(-8, 9, 200),
        10.0 ** rng.uniform(-6, 1, 200),
        strict=True,
    ):
        error = abs(value) * ratio
        shown = plus_minus(value, error).translate(
            str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-", ",()")
        )
        numbers, _, power = shown.partition("·10")
        mean, spread = (float(one) * 10.0 ** int(power or 0) for one in numbers.split(" ± "))
        assert spread == pytest.approx(error, rel=0.0501)
        assert abs(mean - value) <= 0.0501 * error
        back = significant(value, 3).translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-", ","))
        mantissa, _, power = back.partition("·10")
        assert float(mantissa) * 10.0 ** int(power or 0) == pytest.approx(value, rel=0.00501)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mean_and_standard_error([1.0]), ValueError, "samples must hold at least 2"),
        (lambda: mean_and_standard_error([1.0, math.nan]), ValueError, "samples must be finite"),
        (lambda: plus_minus(1.0, -0.1), ValueError, "error must be finite and >= 0, got -0.1"),
        (lambda: plus_minus(math.nan, 0.1), ValueError, "value must be finite, got nan"),
        (lambda: plus_minus(1.0, math.inf), ValueError, "error must be finite and >= 0, got inf"),
        (lambda: beside(1.0, 0.1, math.nan), ValueError, "law must be finite, got nan"),
        (lambda: beside(1.0, -0.1, 1.0), ValueError, "error must be finite and >= 0, got -0.1"),
        (lambda: mean_plus_minus([]), ValueError, "samples must hold at least 1, got 0"),
        (lambda: mean_plus_minus([1.0, math.inf]), ValueError, "samples must be finite"),
        (lambda: mean_plus_minus([1.0], scale=math.inf), ValueError, "scale must be finite"),
        (lambda: significant(math.nan), ValueError, "value must be finite, got nan"),
        (lambda: significant(1.0, 0), ValueError, "digits must be an integer >= 1, got 0"),
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
