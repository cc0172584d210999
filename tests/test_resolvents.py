"""Resolvent traces: exact identities, closed forms, Monte Carlo, and bad input."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.resolvents import resolvent_draws, resolvent_equivalents
from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import check_mean, z_bound

FALSE_ALARM = 1e-6  # per test function, over every seed we may ever choose
FIELDS = ("kappa", "resolvent", "resolvent_sandwich", "smoother_sandwich", "noise")


def plain_traces(design, ridge, eigenvalues, middle, outer):
    """The definitions, written with full matrices and no shortcut."""
    rows, columns = design.shape
    covariance = design.T @ design / rows
    resolvent = np.linalg.solve(covariance + ridge * np.eye(columns), np.eye(columns))
    smoother = resolvent @ covariance
    m, b, sigma = np.diag(middle), np.diag(outer), np.diag(eigenvalues)
    return (
        ridge + ridge * np.trace(sigma @ resolvent) / rows,
        ridge * np.trace(b @ resolvent),
        ridge**2 * np.trace(b @ resolvent @ m @ resolvent),
        np.trace(b @ smoother @ m @ smoother),
        np.trace(m @ resolvent @ covariance @ resolvent) / rows,
    )


@pytest.mark.parametrize("n_samples", [3, 7, 15])
def test_draws_equal_the_definitions(n_samples):
    spectrum = Spectrum([3.0, 2.0, 1.0, 0.5, 0.4, 0.2, 0.1])
    rng = np.random.default_rng(1)
    middle, outer = rng.standard_normal((2, 7))
    measured = resolvent_draws(
        spectrum, n_samples, 0.3, 1, middle=middle, outer=outer, rng=np.random.default_rng(5)
    )
    design = np.random.default_rng(5).standard_normal((n_samples, 7))
    design *= np.sqrt(spectrum.eigenvalues)
    expected = plain_traces(design, 0.3, spectrum.eigenvalues, middle, outer)
    np.testing.assert_allclose(np.ravel(measured), expected, rtol=1e-10)


@pytest.mark.parametrize("n_samples", [5, 30])
def test_zero_ridge_is_the_limit(n_samples):
    spectrum = Spectrum.power_law(12, 1.0)
    limit = resolvent_draws(spectrum, n_samples, 0.0, 4, rng=3)
    small = resolvent_draws(spectrum, n_samples, 1e-9, 4, rng=3)
    for name in FIELDS:
        np.testing.assert_allclose(
            getattr(limit, name), getattr(small, name), rtol=1e-5, atol=1e-7, err_msg=name
        )
    pair = resolvent_equivalents(spectrum, n_samples, 0.0)
    near = resolvent_equivalents(spectrum, n_samples, 1e-9)
    np.testing.assert_allclose(pair, near, rtol=1e-5, atol=1e-7)


def test_isotropic_closed_forms():
    ridge, ratio = 0.2, 0.5
    kappa = (ridge + ratio - 1 + np.sqrt((ridge + ratio - 1) ** 2 + 4 * ridge)) / 2
    value = resolvent_equivalents(Spectrum.isotropic(50), 100, ridge)
    below = (1 + kappa) ** 2 - ratio
    assert value.kappa == pytest.approx(kappa, rel=1e-12)
    assert value.noise == pytest.approx(ratio / below, rel=1e-12)
    assert value.resolvent_sandwich == pytest.approx(50 * kappa**2 / below, rel=1e-12)


def test_pole_and_no_pole_at_square_designs():
    square = resolvent_equivalents(Spectrum.power_law(9, 1.0), 9, 0.0)
    assert np.isinf(square.noise)
    assert square.resolvent_sandwich == 0.0
    near = resolvent_equivalents(Spectrum.power_law(9, 1.0), 9, 1e-14)
    assert np.isfinite(near.noise)
    assert near.noise > 1e3


@pytest.mark.parametrize("n_samples", [60, 240])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_equivalents_match_draws(n_samples, ridge):
    """Difference below z standard errors plus 1.5 times the finite-size scale."""
    spectrum = Spectrum.power_law(120, 0.7)
    predicted = resolvent_equivalents(spectrum, n_samples, ridge)
    measured = resolvent_draws(spectrum, n_samples, ridge, 60, rng=20_261_124)
    bound = z_bound(FALSE_ALARM, n_checks=len(FIELDS))
    for name in FIELDS:
        check = check_mean(getattr(measured, name), getattr(predicted, name))
        allowance = 1.5 * predicted.finite_size * abs(check.theory) + 1e-12
        assert bound * check.standard_error <= 0.05 * abs(check.theory) + 1e-12, name  # power
        assert abs(check.mean - check.theory) <= bound * check.standard_error + allowance, name


@pytest.mark.parametrize("name", ["resolvent_sandwich", "smoother_sandwich"])
def test_rejects_the_sandwich_without_its_second_term(name):
    """Negative control: the naive product of two first-order equivalents is caught."""
    spectrum = Spectrum.power_law(120, 0.7)
    eigenvalues = spectrum.eigenvalues
    predicted = resolvent_equivalents(spectrum, 60, 0.1)
    rest = predicted.kappa / (eigenvalues + predicted.kappa)
    factor = rest if name == "resolvent_sandwich" else 1 - rest
    naive = float(np.sum(eigenvalues**2 * factor**2))
    check = check_mean(getattr(resolvent_draws(spectrum, 60, 0.1, 60, rng=20_261_124), name), naive)
    allowance = 1.5 * predicted.finite_size * naive
    assert abs(check.mean - naive) > z_bound(FALSE_ALARM) * check.standard_error + allowance


def test_ridgeless_noise_is_the_inverse_wishart_mean():
    """Exact at finite size: d / (T - d - 1); the limit d / (T - d) is rejected."""
    check = check_mean(
        resolvent_draws(Spectrum.power_law(10, 1.0), 30, 0.0, 4000, rng=8).noise, 10 / 19
    )
    assert abs(check.z) < z_bound(FALSE_ALARM)
    assert abs(check.mean - 10 / 20) > z_bound(FALSE_ALARM) * check.standard_error


def test_same_seed_gives_paired_designs():
    spectrum = Spectrum.power_law(20, 1.0)
    small = resolvent_draws(spectrum, 40, 0.01, 50, rng=2).noise
    large = resolvent_draws(spectrum, 40, 0.02, 50, rng=2).noise
    other = resolvent_draws(spectrum, 40, 0.02, 50, rng=3).noise
    assert np.all(large < small)
    assert np.corrcoef(small, large)[0, 1] > 0.8
    assert np.corrcoef(small, other)[0, 1] < 0.6


@pytest.mark.parametrize("function", [resolvent_draws, resolvent_equivalents])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples"),
        ({"n_samples": 2.5}, TypeError, "n_samples"),
        ({"ridge": -1.0}, ValueError, "ridge"),
        ({"ridge": np.nan}, ValueError, "ridge"),
        ({"middle": [1.0]}, ValueError, "middle"),
        ({"outer": [1.0, np.inf, 1.0]}, ValueError, "outer"),
    ],
)
def test_bad_input_is_named(function, change, error, message):
    arguments = {"spectrum": Spectrum.isotropic(3), "n_samples": 5, "ridge": 0.1} | change
    if function is resolvent_draws:
        arguments |= {"n_draws": 1, "rng": 0}
    with pytest.raises(error, match=message):
        function(**arguments)
