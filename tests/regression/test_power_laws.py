"""Exponents and constants against direct sums and against slopes of the theory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from fragile_learning.equivalents import kappa
from fragile_learning.regression import Chain, Stage, power_laws, theory
from fragile_learning.spectra import Spectrum, source_condition_target
from fragile_learning.statistics import log_log_slope


@pytest.mark.parametrize(("beta", "r"), [(2.0, 0.375), (2.0, 0.5), (3.0, 0.75), (1.5, 0.25)])
def test_constants_are_the_integrals_that_the_sums_tend_to(beta, r):
    constants = power_laws.power_law_constants(beta, r)

    def integral(power, order):
        # sum_j lambda^order / (lambda + kappa)^order and its kin, with j = (t / kappa)^(1/beta)
        head = quad(lambda t: t ** (power - 1) / (1 + t) ** order, 0, 1)[0]
        return head + quad(lambda s: s ** (order - power - 1) / (1 + s) ** order, 0, 1)[0]

    assert constants.df1 == pytest.approx(integral(1 / beta, 1) / beta, rel=1e-7)
    assert constants.df2 == pytest.approx(integral(1 / beta, 2) / beta, rel=1e-7)
    assert constants.bias == pytest.approx(integral(2 - 2 * r, 2) / beta, rel=1e-7)


@pytest.mark.parametrize(("r", "margin"), [(0.375, 0.01), (0.5, 0.01), (0.75, 0.01)])
def test_constants_against_direct_sums(r, margin):
    root, size = 1e-4, 1_000_000
    values = np.arange(1.0, size + 1) ** -2.0
    share = values / (values + root)
    first, second = power_laws.sharp_degrees_of_freedom(root, 2.0)
    assert first == pytest.approx(share.sum(), rel=1e-3)
    assert second == pytest.approx((share**2).sum(), rel=1e-3)
    bias = np.sum(np.arange(1.0, size + 1) ** (-1 - 4 * r) * (1 - share) ** 2)
    law = power_laws.power_law_constants(2.0, r).bias * root ** (2 * r)
    assert law == pytest.approx(bias, rel=margin)


def test_the_bias_constant_has_no_jump_at_one_half():
    near = [power_laws.power_law_constants(2.0, 0.5 + step).bias for step in (-1e-9, 0.0, 1e-9)]
    assert near == pytest.approx([0.5] * 3, abs=1e-8)


@pytest.mark.parametrize(
    ("beta", "r", "ell"), [(2.0, 0.375, 0.6), (2.0, 0.375, 0.8), (2.0, 1.5, 0.6), (3.0, 0.5, 0.75)]
)
def test_clean_exponents_are_slopes_of_the_theory(beta, r, ell):
    size = 100_000
    sizes = np.round(np.logspace(2, 4.5, 11))
    chain = Chain(
        Spectrum.power_law(size, beta),
        source_condition_target(size, beta, r),
        [Stage(100, noise_std=1.0)],
    )
    risk = theory.excess_risk_grid(chain, sizes, sizes**-ell)
    bias, variance = power_laws.clean_exponents(beta, r, ell)
    assert log_log_slope(sizes, risk.bias).slope == pytest.approx(-bias, abs=0.05)
    assert log_log_slope(sizes, risk.variance).slope == pytest.approx(-variance, abs=0.05)
    # negative control: without the saturation at r = 1 the row with r = 1.5 would be off by 0.6
    if r > 1:
        assert abs(log_log_slope(sizes, risk.bias).slope + 2 * r * ell) > 0.5


def test_beyond_the_cap_a_smaller_ridge_changes_nothing():
    assert power_laws.clean_exponents(2.0, 0.375, 4.0) == power_laws.clean_exponents(
        2.0, 0.375, 2.0
    )
    sizes = np.round(np.logspace(2, 3.5, 7))
    spectrum = Spectrum.power_law(1_000_000, 2.0)
    slope = log_log_slope(sizes, np.asarray(kappa(spectrum, sizes, sizes**-4.0))).slope
    assert slope == pytest.approx(-2.0, abs=0.05)


def test_critical_ridge_balances_bias_and_variance():
    for beta, r in ((2.0, 0.375), (1.5, 0.25), (3.0, 2.0)):
        ell = power_laws.critical_ridge_exponent(beta, r)
        bias, variance = power_laws.clean_exponents(beta, r, ell)
        assert bias == pytest.approx(variance, rel=1e-12)
        assert bias == pytest.approx(power_laws.clean_rate(beta, r), rel=1e-12)


GENERATOR_LAW = {"exponent": 2.0, "n_features": 100_000, "n_generator_samples": 200_000}


def generator_noise(sizes, ell):
    spectrum = Spectrum.power_law(100_000, 2.0)
    stages = [Stage(200_000, noise_std=1.0), Stage(100)]
    chain = Chain(spectrum, np.ones(100_000), stages)
    noise = theory.excess_risk_grid(chain, sizes, sizes**-ell).generator_noise
    return noise, np.asarray(kappa(spectrum, sizes, sizes**-ell))


@pytest.mark.parametrize(("low", "high", "side"), [(2.0, 4.0, 0), (6.5, 8.5, 1)])
def test_generator_noise_falls_then_rises(low, high, side):
    sizes = np.round(np.logspace(low, high, 9))
    noise, roots = generator_noise(sizes, 0.8)
    exponent = power_laws.generator_noise_exponents(2.0, 0.8)[side]
    assert log_log_slope(sizes, noise).slope == pytest.approx(-exponent, abs=0.05)
    sharp = power_laws.sharp_generator_noise(roots, sizes, generator_noise=1.0, **GENERATOR_LAW)
    assert np.asarray(sharp) == pytest.approx(noise, rel=0.01)
    order = power_laws.collapsed_risk_order(
        sizes,
        source_exponent=5.0,  # the clean part is far below
        ridge_exponent=0.8,
        noise_std=0.0,
        generator_noise=1.0,
        **GENERATOR_LAW,
    )
    clean = power_laws.collapsed_risk_order(
        sizes,
        source_exponent=5.0,
        ridge_exponent=0.8,
        noise_std=0.0,
        generator_noise=0.0,
        **GENERATOR_LAW,
    )
    ratio = noise / (np.asarray(order) - np.asarray(clean))
    assert np.all((ratio > 0.6) & (ratio < 0.95))  # an order: constants between 0.7 and 0.85


def test_collapsed_order_term_by_term():
    common = {
        "exponent": 2.0,
        "source_exponent": 0.5,
        "ridge_exponent": 1.0,
        "n_features": 10,
        "n_generator_samples": 40,
    }
    # sigma^2 T^-(1/2) with sigma^2 = 4 > T^(1 - 1 - 1/2), and nothing inherited
    assert power_laws.collapsed_risk_order(
        100, noise_std=2.0, generator_noise=0.0, **common
    ) == pytest.approx(0.4)
    # the noise-free order T^(1 - 2 r ell - ell/beta) T^-(1 - ell/beta) = T^-1
    assert power_laws.collapsed_risk_order(
        100, noise_std=0.0, generator_noise=0.0, **common
    ) == pytest.approx(0.01)
    # inherited: 3 / (1 - 1/4) * max(100/40, 1/4) / 10
    assert power_laws.collapsed_risk_order(
        100, noise_std=0.0, generator_noise=3.0, **common
    ) == pytest.approx(0.01 + 4 * 2.5 / 10)
    # and at T = 4: max(4/40, 1/4) = 1/4
    assert power_laws.collapsed_risk_order(
        4, noise_std=0.0, generator_noise=3.0, **common
    ) == pytest.approx(0.25 + 4 * 0.25 / 2)


@pytest.mark.parametrize(("generations", "margin"), [(1, 0.12), (5, 0.12), (10, 0.12)])
def test_sharp_optimum_against_minimisation(generations, margin):
    target = source_condition_target(300, 2.0, 0.375)
    chain = Chain.repeated(
        Spectrum.power_law(300, 2.0),
        target,
        generations,
        Stage(600, noise_std=1.0),
        Stage(10_000, noise_std=1.0),
    )
    ridge = theory.optimal_ridge(chain)
    risk = float(theory.excess_risk_grid(chain, ridge=ridge).total)
    sharp = power_laws.sharp_optimal_ridge(
        10_000,
        exponent=2.0,
        source_exponent=0.375,
        n_features=300,
        n_generator_samples=600,
        noise_std=1.0,
        generator_noise=float(generations),
    )
    assert sharp.ridge == pytest.approx(ridge, rel=0.015)
    assert sharp.risk == pytest.approx(risk, rel=margin)


def best_over_ridge(sizes, a, b, sigma, r=0.5):
    risks, ridges = [], []
    for size in sizes:
        generators = round(size**b)
        spectrum = Spectrum.power_law(generators // 2, 2.0)
        chain = Chain(
            spectrum,
            source_condition_target(generators // 2, 2.0, r),
            [Stage(generators, noise_std=size ** (a / 2)), Stage(int(size), noise_std=sigma)],
        )
        ridges.append(theory.optimal_ridge(chain))
        risks.append(float(theory.excess_risk_grid(chain, ridge=ridges[-1]).total))
    return log_log_slope(sizes, risks).slope, log_log_slope(sizes, ridges).slope


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.75), (0.2, 0.8)])
def test_best_rate_and_ridge_on_generated_data(a, b):
    growth = {"noise_growth": a, "generator_growth": b}
    risk, ridge = best_over_ridge(np.logspace(4, 6, 4).round(), a, b, 0.0)
    assert risk == pytest.approx(-power_laws.collapsed_rate(2.0, 0.5, **growth), abs=0.03)
    assert ridge == pytest.approx(-power_laws.optimal_ridge_exponent(2.0, 0.5, **growth), abs=0.03)


def test_beyond_b_one_the_rate_stops_growing():
    growth = {"noise_growth": 0.3, "generator_growth": 1.5}
    risk, _ = best_over_ridge(np.logspace(3, 4, 4).round(), 0.3, 1.5, 1.0)
    assert risk == pytest.approx(-power_laws.noisy_rate(2.0, 0.5, **growth), abs=0.03)
    assert abs(risk + 2 / 3) > 0.15  # what min(1, b - a) for gamma would give


def test_a_ridge_beyond_the_consistent_range_makes_the_risk_grow():
    growth = {"noise_growth": 0.6, "generator_growth": 2.0}
    rate = power_laws.noisy_rate(2.0, 0.5, ridge_exponent=1.0, **growth)
    assert rate == pytest.approx(-0.1)
    assert not power_laws.is_consistent(2.0, 1.0, **growth)
    assert power_laws.is_consistent(2.0, 0.7, **growth)
    assert not power_laws.is_consistent(2.0, 0.0, **growth)
    risks = []
    sizes = np.array([300.0, 1000.0, 3000.0])
    for size in sizes:
        spectrum = Spectrum.power_law(int(size**2) // 2, 2.0)
        stages = [Stage(int(size**2), noise_std=size**0.3), Stage(int(size), 1 / size, 1.0)]
        target = source_condition_target(spectrum.n_features, 2.0, 0.5)
        risks.append(theory.excess_risk(Chain(spectrum, target, stages)).total)
    assert log_log_slope(sizes, risks).slope == pytest.approx(-rate, abs=0.05)


def test_noisy_rate_by_hand():
    growth = {"noise_growth": 0.2, "generator_growth": 0.8}
    # gamma = 0.6; min(2 r ell, gamma - ell / beta) at ell = 0.4: min(0.4, 0.4)
    assert power_laws.noisy_rate(2.0, 0.5, ridge_exponent=0.4, **growth) == pytest.approx(0.4)
    assert power_laws.noisy_rate(2.0, 0.5, ridge_exponent=0.8, **growth) == pytest.approx(0.2)
    assert power_laws.noisy_rate(2.0, 0.5, ridge_exponent=0.1, **growth) == pytest.approx(0.1)
    assert power_laws.noisy_rate(2.0, 0.5, **growth) == pytest.approx(0.4)
    # little inherited noise, a < 0: the student's own noise limits the rate
    quiet = {"noise_growth": -1.0, "generator_growth": 0.8}
    assert power_laws.noisy_rate(2.0, 0.5, **quiet) == pytest.approx(2 / 3)
    assert power_laws.noisy_rate(2.0, 0.5, noise_growth=2.0, generator_growth=0.8) == pytest.approx(
        0.0
    )
    assert power_laws.is_consistent(2.0, 1.9, **quiet)
    # T >> d: least squares is consistent, so a smaller ridge cannot spoil it
    assert power_laws.is_consistent(2.0, 2.05, **quiet)
    assert not power_laws.is_consistent(2.0, 2.05, noise_growth=-1.0, generator_growth=1.0)


def test_the_cap_of_the_ridge_exponent():
    growth = {"noise_growth": -9.0, "generator_growth": 1.1}
    assert power_laws.optimal_ridge_exponent(2.0, 0.5, **growth) == 2.0
    assert power_laws.collapsed_rate(2.0, 0.5, **growth) == 2.0


def direct_risk(size, ell, a, b, r, sigma):
    """Bias and noise by plain sums: d = T_0 / 2, and least-squares generators."""
    n_features = int(size**b / 2)
    n_generator_samples = 2 * n_features
    index = np.arange(1.0, n_features + 1)
    values, signal = index**-2.0, index ** (-1 - 4 * r)
    root = brentq(
        lambda k: k - size**-ell - k * np.sum(values / (values + k)) / size, size**-ell, 1.0
    )
    second = np.sum((values / (values + root)) ** 2)
    slack = size - second
    bias = root**2 * np.sum(signal / (values + root) ** 2) * size / slack
    blocked = np.sum((root / (values + root)) ** 2) / slack
    inherited = size**a * second / (n_generator_samples - n_features) * (1 + blocked)
    return bias + sigma**2 * second / slack + inherited


@pytest.mark.parametrize(
    ("a", "b", "ell"), [(0.2, 0.3, 0.8), (0.0, 0.3, 1.6), (-0.4, 0.5, 1.6), (-1.0, 0.8, 1.9)]
)
def test_below_the_last_eigenvalue_the_noise_stands_at_that_of_least_squares(a, b, ell):
    """T^-ell < d^-beta: the effective ridge no longer filters anything."""
    sizes = np.logspace(7, 8, 3)
    risks = [direct_risk(size, ell, a, b, 0.375, 1.0) for size in sizes]
    growth = {"noise_growth": a, "generator_growth": b}
    rate = power_laws.noisy_rate(2.0, 0.375, ridge_exponent=ell, **growth)
    assert log_log_slope(sizes, risks).slope == pytest.approx(-rate, abs=0.03)
    assert power_laws.is_consistent(2.0, ell, **growth) == (a < 0)


@pytest.mark.parametrize(("r", "ell"), [(0.25, 0.75), (0.3, 0.75)])
def test_below_the_last_eigenvalue_the_bias_falls_with_the_square_of_the_ridge(r, ell):
    sizes = np.logspace(7, 8, 3)
    risks = [direct_risk(size, ell, -2.0, 0.3, r, 1e-3) for size in sizes]  # next to no noise
    growth = {"noise_growth": -2.0, "generator_growth": 0.3}
    rate = power_laws.noisy_rate(2.0, r, ridge_exponent=ell, **growth)
    assert rate < 0.7  # of the noise: the bias decides
    assert log_log_slope(sizes, risks).slope == pytest.approx(-rate, abs=0.03)


def test_least_squares_can_be_the_best_on_noisy_labels():
    """Few features: T^-0.7 without ridge, T^-0.6 at the exponent for an endless spectrum."""
    sizes = np.logspace(7, 8, 3)
    risks = [
        min(direct_risk(size, ell, -2.0, 0.3, 0.375, 1.0) for ell in np.linspace(0.3, 2.0, 69))
        for size in sizes
    ]
    growth = {"noise_growth": -2.0, "generator_growth": 0.3}
    rate = power_laws.noisy_rate(2.0, 0.375, **growth)
    assert rate == pytest.approx(0.7)
    assert log_log_slope(sizes, risks).slope == pytest.approx(-rate, abs=0.03)


@pytest.mark.parametrize(("a", "r"), [(-2.0, 0.375), (-2.0, 0.75), (-3.0, 1.5)])
def test_noise_that_shrinks_fast_needs_less_ridge_than_the_last_eigenvalue(a, r):
    sizes = np.logspace(4.5, 5.5, 3)
    found = [
        minimize_scalar(
            lambda ell, size=size: np.log(direct_risk(size, ell, a, 0.5, r, 0.0)),
            bounds=(1.0, 4.0),
            method="bounded",
            options={"xatol": 1e-8},
        )
        for size in sizes
    ]
    growth = {"noise_growth": a, "generator_growth": 0.5}
    rate = power_laws.collapsed_rate(2.0, r, **growth)
    best = power_laws.optimal_ridge_exponent(2.0, r, **growth)
    risks = [np.exp(one.fun) for one in found]
    ridges = [size**-one.x for size, one in zip(sizes, found, strict=True)]
    assert rate == pytest.approx(-a)
    assert log_log_slope(sizes, risks).slope == pytest.approx(-rate, abs=0.01)
    assert log_log_slope(sizes, ridges).slope == pytest.approx(-best, abs=0.03)


COMMON = {
    "exponent": 2.0,
    "source_exponent": 0.5,
    "n_features": 10,
    "n_generator_samples": 30,
    "noise_std": 1.0,
    "generator_noise": 1.0,
}


def test_generators_need_one_sample_more_than_features():
    """At T_0 = d + 1 the generators are off their pole by one; at T_0 = d they stand on it."""
    common = {"exponent": 2.0, "n_features": 100, "generator_noise": 1.0}
    near, far = (
        power_laws.sharp_generator_noise(1e-3, 10_000, n_generator_samples=size, **common)
        for size in (101, 200)
    )
    assert near == pytest.approx(100 * far, rel=1e-12)
    with pytest.raises(ValueError, match=r"n_generator_samples must be .*101.*, got 100"):
        power_laws.sharp_generator_noise(1e-3, 10_000, n_generator_samples=100, **common)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power_laws.power_law_constants(1.0, 0.5), "exponent must be"),
        (lambda: power_laws.power_law_constants(2.0, 1.0), "source_exponent must be"),
        (lambda: power_laws.critical_ridge_exponent(2.0, 0.0), "source_exponent must be"),
        (lambda: power_laws.clean_exponents(2.0, 0.5, -1.0), "ridge_exponent must be"),
        (lambda: power_laws.generator_noise_exponents(2.0, 2.0), "ridge_exponent must be"),
        (
            lambda: power_laws.collapsed_rate(2.0, 0.5, noise_growth=1.0, generator_growth=2.0),
            "noise_growth must be",
        ),
        (
            lambda: power_laws.noisy_rate(2.0, 0.5, noise_growth=0.0, generator_growth=0.0),
            "generator_growth must be",
        ),
        (lambda: power_laws.sharp_degrees_of_freedom(0.0, 2.0), "kappa must be"),
        (
            lambda: power_laws.sharp_generator_noise(
                1e-6, 10, exponent=2.0, n_features=10, n_generator_samples=30, generator_noise=1.0
            ),
            "n_samples must be above",
        ),
        (
            lambda: power_laws.sharp_optimal_ridge(
                100, **{**COMMON, "noise_std": 0.0, "generator_noise": 0.0}
            ),
            "must not both be 0",
        ),
        (
            lambda: power_laws.sharp_optimal_ridge(100, **{**COMMON, "n_generator_samples": 10}),
            "n_generator_samples must be",
        ),
        (
            lambda: power_laws.collapsed_risk_order(0, ridge_exponent=0.5, **COMMON),
            "n_samples must be",
        ),
        (
            lambda: power_laws.collapsed_risk_order(
                10, ridge_exponent=0.5, **{**COMMON, "noise_std": float("nan")}
            ),
            "noise_std must be",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
