"""The effective ridge and the degrees of freedom against plain root finding and direct sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from fragile_learning.equivalents import df1, df2, kappa
from fragile_learning.spectra import Spectrum

RIDGES = np.array([0.0, 1e-14, 1e-8, 1e-3, 0.1, 1.0, 1e3])
SPECTRA = {
    "isotropic": Spectrum.isotropic(100, 3.0),
    "power law": Spectrum.power_law(100, 1.3),
    "steep": Spectrum.power_law(100, 4.0),
    "long": Spectrum.power_law(50_000, 1.5),
    "two levels": Spectrum(np.r_[np.ones(30), np.full(270, 0.02)]),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_residual_of_the_equation(name):
    spectrum = SPECTRA[name]
    d, values = spectrum.n_features, spectrum.eigenvalues
    samples = np.array([1, 2, 50, d - 1, d, d + 1, 3 * d, 1000 * d])
    roots = kappa(spectrum, samples[:, None], RIDGES)
    assert roots.shape == (samples.size, RIDGES.size)
    for i, j in np.ndindex(roots.shape):
        root, count, ridge = roots[i, j], int(samples[i]), RIDGES[j]
        if ridge == 0 and count >= d:
            assert root == 0.0
            continue
        assert root >= ridge
        # 1 - df1 / T, summed without cancellation: from above for tall designs
        left = 1 - math.fsum(values / (values + root)) / count
        if count >= d:
            left = (count - d) / count + math.fsum(root / (values + root)) / count
        assert abs(left - ridge / root) < 1e-12


@pytest.mark.parametrize("n_samples", [3, 30, 99, 100, 101, 400])
@pytest.mark.parametrize("ridge", [1e-6, 1e-2, 1.0])
def test_root_is_the_one_that_bisection_finds(n_samples, ridge):
    spectrum = SPECTRA["power law"]
    values = spectrum.eigenvalues

    def equation(root):
        return root - ridge - root * np.sum(values / (values + root)) / n_samples

    found = brentq(equation, ridge, ridge + values.sum() / n_samples, xtol=1e-16, rtol=1e-13)
    assert kappa(spectrum, n_samples, ridge) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("n_samples", [20, 100, 250])
def test_isotropic_closed_form(n_samples):
    phi = 100 / n_samples
    for ridge in RIDGES[2:]:
        b = ridge + phi - 1
        expected = (b + math.sqrt(b * b + 4 * ridge)) / 2
        assert kappa(Spectrum.isotropic(100), n_samples, ridge) == pytest.approx(expected, rel=1e-7)
    expected = max(phi - 1, 0.0)
    assert kappa(Spectrum.isotropic(100), n_samples, 0.0) == pytest.approx(expected, rel=1e-13)


def test_pole_of_the_square_design():
    """T = d: kappa = (ridge + sqrt(ridge^2 + 4 ridge)) / 2, down to the smallest ridge."""
    for ridge in (1e-14, 1e-10, 1e-3, 1.0):
        expected = (ridge + math.sqrt(ridge**2 + 4 * ridge)) / 2
        assert kappa(Spectrum.isotropic(80), 80, ridge) == pytest.approx(expected, rel=1e-12)


def test_derivative_in_the_ridge():
    """d kappa / d ridge = 1 / (1 - df2 / T): Lemma I.2 of the regression paper."""
    spectrum = SPECTRA["power law"]
    for count in (20, 100, 300):
        ridge, step = 0.05, 1e-6
        slope = (kappa(spectrum, count, ridge + step) - kappa(spectrum, count, ridge - step)) / (
            2 * step
        )
        root = kappa(spectrum, count, ridge)
        assert slope == pytest.approx(1 / (1 - df2(spectrum, root) / count), rel=1e-6)
        assert slope != pytest.approx(1 / (1 - df1(spectrum, root) / count), rel=1e-2)


@pytest.mark.parametrize("name", SPECTRA)
def test_degrees_of_freedom_are_the_direct_sums(name):
    spectrum = SPECTRA[name]
    values = spectrum.eigenvalues
    roots = np.array([[0.0, 1e-9, 1e-3], [0.1, 1.0, 50.0]])
    first, second = df1(spectrum, roots), df2(spectrum, roots)
    assert first.shape == second.shape == roots.shape
    for index in np.ndindex(roots.shape):
        share = values / (values + roots[index])
        assert first[index] == pytest.approx(math.fsum(share), rel=1e-12)
        assert second[index] == pytest.approx(math.fsum(share**2), rel=1e-12)
    assert df1(spectrum, 0.0) == pytest.approx(spectrum.n_features, rel=1e-13)


def test_scalars_give_floats():
    spectrum = SPECTRA["isotropic"]
    assert type(kappa(spectrum, 10, 0.1)) is float
    assert type(df1(spectrum, 0.1)) is float
    assert type(df2(spectrum, 0.1)) is float


@settings(max_examples=150)
@given(
    st.sampled_from([0, -1, 2.5, math.nan, math.inf, -0.5]),
    st.sampled_from([-1e-9, -1.0, math.nan, math.inf, -math.inf]),
)
def test_bad_numbers_are_named(n_samples, ridge):
    spectrum = SPECTRA["isotropic"]
    with pytest.raises(ValueError, match="n_samples must"):
        kappa(spectrum, n_samples, 0.1)
    with pytest.raises(ValueError, match="ridge must be finite and >= 0, got"):
        kappa(spectrum, 10, [0.1, ridge])
    for function in (df1, df2):
        with pytest.raises(ValueError, match="kappa must be finite and >= 0, got"):
            function(spectrum, ridge)


def test_bad_types_are_named():
    with pytest.raises(TypeError, match="ridge must be an array of real numbers"):
        kappa(SPECTRA["isotropic"], 10, "0.1")
    with pytest.raises(TypeError, match="n_samples must be an array of real numbers"):
        kappa(SPECTRA["isotropic"], True, 0.1)
