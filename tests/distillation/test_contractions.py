"""Random contractions: moments, best windows, growth, by integrals and searches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from fragile_learning.distillation import simulation, theory
from fragile_learning.statistics import check_mean, z_bound

FALSE_ALARM = 1e-6  # of a test function

# window: mean, variance, error of 100 draws, for moments of 0.6 and 1.36
WORKED = {
    1: (0.4, 1.0, 0.37),
    2: (0.64, 1.72, 0.1468),
    4: (0.8704, 3.404224, 0.0508384),
    8: (0.98320384, 11.7030968241, 0.1173130792),
    16: (0.999717889, 136.9690784196, 1.3696908638),
}


@pytest.mark.parametrize("window", WORKED)
def test_worked_moments(window):
    mean, variance, error = WORKED[window]
    found = theory.jacobian_moments(0.6, 1.36, window)
    assert found.mean == pytest.approx(mean, abs=6e-10)
    assert found.variance == pytest.approx(variance, abs=6e-10)
    assert theory.jacobian_error(0.6, 1.36, window, 100) == pytest.approx(error, abs=6e-10)


def test_worked_best_window():
    assert theory.best_window(0.6, 1.36, 100) == pytest.approx(4.360629926798879, rel=1e-14)


@pytest.mark.parametrize("m1", [-0.8, -0.1, 0.4, 0.95])
@pytest.mark.parametrize("m2", [1.01, 1.3, 4.0])
@pytest.mark.parametrize("n_draws", [1, 2, 5, 100, 10**5])
def test_best_window_is_the_least_error(m1, m2, n_draws):
    best = theory.best_window(m1, m2, n_draws)
    errors = theory.jacobian_error(m1, m2, np.linspace(0.0, best + 20.0, 4001), n_draws)
    assert theory.jacobian_error(m1, m2, best, n_draws) <= errors.min() * (1.0 + 1e-12)
    if best > 0.0:
        found = minimize_scalar(
            lambda m: theory.jacobian_error(m1, m2, max(m, 0.0), n_draws),
            bounds=(0.0, 2.0 * best + 1.0),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert best == pytest.approx(found.x, abs=1e-4)


def test_windows_where_nothing_explodes_or_nothing_contracts():
    assert theory.best_window(0.5, 0.9, 10) == np.inf
    assert theory.best_window(0.5, 1.0, 10) == np.inf
    assert theory.best_window(1.1, 1.5, 10**6) == 0.0
    assert theory.best_window(0.0, 1.5, 10**6) == 0.0


@pytest.mark.parametrize("law", theory.LAWS)
@pytest.mark.parametrize(("mean", "std"), [(0.6, 1.0), (-0.4, 0.7)])
def test_moments_by_simulation(law, mean, std):
    """A change of 4 % in mean or variance is seen; a wrong second moment is."""
    windows = [1, 2, 3]
    found = simulation.simulate_contractions(mean, std, windows, 200_000, law=law, rng=20_231_111)
    bound = z_bound(FALSE_ALARM, 2 * len(windows))
    for k, window in enumerate(windows):
        law_of = theory.jacobian_moments(mean, mean**2 + std**2, window)
        first = check_mean(found[:, k], law_of.mean)
        second = check_mean((found[:, k] - law_of.mean) ** 2, law_of.variance)
        assert bound * max(first.relative_error, second.relative_error) < 0.08
        assert abs(first.z) < bound
        assert abs(second.z) < bound
        wrong = theory.jacobian_moments(mean, mean**2 + 1.2 * std**2, window)
        assert abs(check_mean((found[:, k] - law_of.mean) ** 2, wrong.variance).z) > bound


def mean_power(mean, std, order, law):
    """E|a|^order, or E ln|a| for order 0, by integration."""
    half = np.sqrt(3.0) * std
    if law == "uniform":
        low, high = mean - half, mean + half

        def density(a):
            return 0.5 / half
    else:
        low, high = mean - 14.0 * std, mean + 14.0 * std

        def density(a):
            return np.exp(-0.5 * ((a - mean) / std) ** 2) / (std * np.sqrt(2.0 * np.pi))

    def value(a):
        return (np.log(abs(a)) if order == 0 else abs(a) ** order) * density(a)

    cuts = sorted({low, high, *(x for x in (0.0, mean) if low < x < high)})
    return sum(quad(value, a, b, epsabs=1e-13, limit=300)[0] for a, b in itertools.pairwise(cuts))


@pytest.mark.parametrize("law", theory.LAWS)
@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 2.0, 3.7])
@pytest.mark.parametrize(("mean", "std"), [(0.6, 1.0), (0.0, 1.0), (-0.7, 0.3), (2.0, 0.2)])
def test_growth_by_integration(law, order, mean, std):
    exact = mean_power(mean, std, order, law)
    expected = exact if order == 0.0 else np.log(exact) / order
    assert theory.growth_rate(mean, std, order, law=law) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("law", theory.LAWS)
@pytest.mark.parametrize("mean", [0.3, -2.0])
def test_growth_of_nearly_sure_factors(law, mean):
    assert theory.growth_rate(mean, 0.0, 2.0, law=law) == pytest.approx(np.log(abs(mean)))
    assert theory.growth_rate(0.0, 0.0, 1.0, law=law) == -np.inf
    for order, spread in itertools.product((0.0, 3.0), (1e-9, 5e-5, 7e-5, 1e-3)):
        found = theory.growth_rate(mean, abs(mean) * spread, order, law=law)
        second = 0.5 * (order - 1.0) * spread**2
        assert found - np.log(abs(mean)) == pytest.approx(second, abs=2e-12 + 4.0 * spread**4)


def test_growth_where_two_ways_meet():
    """Normal factors: Gauss's quadrature up to a spread of 0.04, a series beyond it."""
    for order in (0.0, 1.0, 7.5, 100.0):
        below, at, above = (
            theory.growth_rate(2.0, 0.08 + shift, order) for shift in (-1e-7, 0.0, 1e-7)
        )
        assert above - at == pytest.approx(at - below, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("law", theory.LAWS)
def test_growth_rises_with_the_order(law):
    rates = [theory.growth_rate(0.6, 1.0, q, law=law) for q in np.linspace(0.0, 30.0, 61)]
    assert np.all(np.diff(rates) > 0.0)
    assert rates[4] == pytest.approx(0.5 * np.log(1.36), rel=1e-12)  # order 2


@pytest.mark.parametrize("law", theory.LAWS)
def test_moments_of_the_order_of_explosion_stay_one(law):
    order = theory.explosion_order(0.6, 1.0, law=law)
    assert 1.0 < order < 2.0
    assert mean_power(0.6, 1.0, order, law) == pytest.approx(1.0, abs=1e-9)
    assert theory.explosion_order(3.0, 0.1, law=law) == 0.0
    assert theory.explosion_order(0.3, 0.1, law="uniform") == np.inf


@pytest.mark.parametrize("law", theory.LAWS)
def test_typical_products(law):
    found = simulation.simulate_contractions(0.6, 1.0, [40], 4000, of="start", law=law, rng=5)
    check = check_mean(np.log(np.abs(found[:, 0])), 40 * theory.growth_rate(0.6, 1.0, 0.0, law=law))
    assert abs(check.z) < z_bound(FALSE_ALARM)
    assert z_bound(FALSE_ALARM) * check.relative_error < 0.05
    wrong = check._replace(theory=40 * theory.growth_rate(0.6, 1.0, 1.0, law=law))
    assert abs(wrong.z) > z_bound(FALSE_ALARM)
