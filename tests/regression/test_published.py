"""Printed formulas: each is what the paper prints, and wrong where its docstring says so."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.regression import Chain, Stage, power_laws, published, theory
from fragile_learning.spectra import Spectrum

POWER = Spectrum.power_law(60, 1.0)


def test_null_predictor_threshold():
    assert published.null_predictor_threshold(6.0, 0.75) == pytest.approx(18.0)
    assert theory.null_predictor_threshold(6.0, 75, 100, finite_size=False) == pytest.approx(2.0)
    # they agree at one half only
    assert published.null_predictor_threshold(6.0, 0.5) == pytest.approx(6.0)
    assert theory.null_predictor_threshold(6.0, 50, 100, finite_size=False) == pytest.approx(6.0)


def test_projection_moments_agree_where_they_should():
    one = published.projection_second_moment(POWER, [20])
    assert one == pytest.approx(theory.projection_second_moment(POWER, [20]), rel=1e-12)
    white = Spectrum.isotropic(30)
    three = published.projection_second_moment(white, [10, 20, 15])
    assert three == pytest.approx(np.full(30, 1 / 3 * 2 / 3 / 2), rel=1e-9)
    printed = published.projection_first_moment(POWER, [20, 30])
    right = theory.projection_first_moment(POWER, [20, 30])
    assert printed * POWER.eigenvalues**2 == pytest.approx(right, rel=1e-12)


def test_projection_moments_differ_where_they_should():
    printed = published.projection_second_moment(POWER, [20, 20, 20])
    right = theory.projection_second_moment(POWER, [20, 20, 20])
    assert np.max(np.abs(printed / right - 1)) > 0.2
    full = published.projection_second_moment(POWER, [100])  # no projection at all
    assert full == pytest.approx(POWER.eigenvalues, rel=1e-12)


def test_growth_beyond_one():
    at = {"noise_growth": 0.0, "generator_growth": 0.8}
    for name in ("optimal_ridge_exponent", "collapsed_rate"):
        printed, right = (getattr(module, name) for module in (published, power_laws))
        assert printed(2.0, 0.5, **at) == pytest.approx(right(2.0, 0.5, **at))
        beyond = {"noise_growth": 0.0, "generator_growth": 1.5}
        assert printed(2.0, 0.5, **beyond) == pytest.approx(1.0)
        assert right(2.0, 0.5, **beyond) == pytest.approx(2 / 3)
    assert published.optimal_ridge_exponent(
        2.0, 0.5, noise_growth=0.0, generator_growth=9.0
    ) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="noise_growth must be < generator_growth"):
        published.collapsed_rate(2.0, 0.5, noise_growth=1.0, generator_growth=1.0)


@pytest.mark.parametrize("b", [0.3, 0.5, 0.7, 0.9])
def test_the_sign_of_the_divergence_is_reversed(b):
    growth = {"noise_growth": 0.2, "generator_growth": b}
    ell = power_laws.critical_ridge_exponent(2.0, 0.375)  # c = 0.6, so the border is b = 0.6
    diverges = power_laws.noisy_rate(2.0, 0.375, ridge_exponent=ell, **growth) < 0
    assert diverges is (b < 0.6)
    assert published.diverges_at_clean_ridge(2.0, 0.375, **growth) is (not diverges)


@pytest.mark.parametrize("b", [0.1, 0.3, 0.5, 0.9])
def test_noise_that_does_not_grow_cannot_make_the_risk_diverge(b):
    growth = {"noise_growth": 0.0, "generator_growth": b}
    assert power_laws.noisy_rate(2.0, 0.375, ridge_exponent=0.8, **growth) >= 0


@pytest.mark.parametrize(
    ("ell", "a", "b", "printed", "right"),
    [
        (0.3, 0.2, 0.8, True, True),
        (0.48, 0.2, 0.8, True, True),
        (1.0, 0.2, 0.8, False, True),  # too strict
        (0.5, 0.8, 2.0, True, False),  # too lax
        (0.0, 0.2, 0.8, False, False),
    ],
)
def test_consistency(ell, a, b, printed, right):
    growth = {"noise_growth": a, "generator_growth": b}
    assert published.is_consistent(2.0, 0.375, ell, **growth) is printed
    assert power_laws.is_consistent(2.0, ell, **growth) is right


def test_exchanged_sizes():
    printed = published.variance_per_generation_full_rank(Spectrum.isotropic(50), 200, 100, 0.0)
    assert printed == pytest.approx(50 / (100 - 50))  # df2 / (T - df2): T_0 does not appear
    # with a ridge: kappa^2 tr (Sigma + kappa)^-2 over T_0 - d
    lam, phi = 0.2, 0.5
    root = (lam + phi - 1 + np.sqrt((lam + phi - 1) ** 2 + 4 * lam)) / 2
    learned = 50 / (1 + root) ** 2
    expected = learned / (100 - learned) * (1 + 50 * (root / (1 + root)) ** 2 / 150)
    found = published.variance_per_generation_full_rank(Spectrum.isotropic(50), 200, 100, lam)
    assert found == pytest.approx(expected, rel=1e-10)
    with pytest.raises(ValueError, match="n_samples must be above"):
        published.variance_per_generation_full_rank(Spectrum.isotropic(50), 200, 50, 0.0)
    with pytest.raises(ValueError, match="n_generator_samples"):
        published.variance_per_generation_full_rank(Spectrum.isotropic(50), 50, 100, 0.1)


def test_missing_factor():
    chain = Chain(POWER, np.ones(60), [Stage(30, 0.05)])
    from fragile_learning.equivalents import kappa

    root = float(kappa(POWER, 30, 0.05))
    clean = theory.bias_decomposition(chain).clean
    assert published.bias_from_derivative(chain) * root**2 == pytest.approx(clean, rel=1e-10)
    with pytest.raises(TypeError, match="chain must be a Chain"):
        published.bias_from_derivative(POWER)


def test_lower_bound_is_the_sum_of_two_parts():
    chain = Chain(POWER, np.ones(60), [Stage(40), Stage(30, 0.05)])
    parts = theory.bias_decomposition(chain)
    assert published.bias_lower_bound(chain) == pytest.approx(parts.clean + parts.delta, rel=1e-14)


def test_growing_budgets_by_a_plain_loop():
    total = 2.0
    for m in range(2, 31):
        total += 1 / (m * np.log(m) ** 2)
    assert published.growing_budget_factor(30) == pytest.approx(total, rel=1e-14)
    assert [published.growing_budget_factor(n) for n in (0, 1)] == [1.0, 2.0]
    with pytest.raises(ValueError, match="n_generations"):
        published.growing_budget_factor(-1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: published.null_predictor_threshold(-1.0, 0.5), "signal_to_noise must be"),
        (lambda: published.null_predictor_threshold(1.0, 1.0), "aspect_ratio must be"),
        (lambda: published.projection_second_moment(POWER, []), "n_samples must hold"),
        (lambda: published.projection_first_moment(POWER, [0]), "n_samples"),
        (
            lambda: published.is_consistent(2.0, 0.5, -1.0, noise_growth=0.0, generator_growth=1.0),
            "ridge_exponent must be",
        ),
        (
            lambda: published.diverges_at_clean_ridge(
                2.0, 0.5, noise_growth=0.0, generator_growth=-1.0
            ),
            "generator_growth must be",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
