"""Spectra, targets, and the compressed measure against direct sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fragile_learning.spectra import Spectrum, source_condition_target, spectral_measure

KAPPAS = (1e-12, 1e-6, 1e-3, 0.3, 1.0, 40.0, 1e3)


@pytest.mark.parametrize("exponent", [0.3, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("power", [(1, 1), (1, 2), (2, 2), (3, 2), (2, 3)])
def test_measure_integrates_like_the_direct_sum(exponent, power):
    spectrum = Spectrum.power_law(100_000, exponent)
    signed = np.cos(np.arange(100_000))
    nodes, weights = spectral_measure(spectrum, np.ones(100_000), signed)
    assert nodes.size < 600
    top, bottom = power
    for kappa in KAPPAS:
        values = spectrum.eigenvalues**top / (spectrum.eigenvalues + kappa) ** bottom
        estimate = weights @ (nodes**top / (nodes + kappa) ** bottom)
        scale = math.fsum(values)
        assert abs(estimate[0] - scale) < 1e-12 * scale
        assert abs(estimate[1] - math.fsum(signed * values)) < 1e-12 * scale


def test_measure_is_wrong_for_a_jump():
    """Negative control: the comparison sees a function that the nodes cannot carry."""
    spectrum = Spectrum.power_law(100_000, 1.0)
    nodes, weights = spectral_measure(spectrum, np.ones(100_000))
    assert abs(weights[0] @ (nodes > 3.3e-4) - np.sum(spectrum.eigenvalues > 3.3e-4)) > 1e-3


def test_equal_eigenvalues_are_one_node():
    spectrum = Spectrum(np.r_[np.full(3000, 2.0), np.full(5000, 0.5)])
    nodes, weights = spectrum.measure
    np.testing.assert_array_equal(nodes, [2.0, 0.5])
    np.testing.assert_array_equal(weights, [[3000.0, 5000.0]])


def test_clustered_eigenvalues():
    values = np.r_[1.0 + 1e-13 * np.arange(5000), 1e-9 * (1 + np.arange(4000))]
    spectrum = Spectrum(values)
    nodes, weights = spectrum.measure
    direct = math.fsum(spectrum.eigenvalues / (spectrum.eigenvalues + 1e-7))
    assert abs(weights[0] @ (nodes / (nodes + 1e-7)) / direct - 1) < 1e-12


def test_constructors_and_equality():
    spectrum = Spectrum([1.0, 3.0, 2.0])
    np.testing.assert_array_equal(spectrum.eigenvalues, [3.0, 2.0, 1.0])
    assert spectrum == Spectrum([3.0, 2.0, 1.0])
    assert hash(spectrum) == hash(Spectrum([3.0, 2.0, 1.0]))
    assert spectrum != Spectrum([3.0, 2.0, 1.5])
    assert spectrum.trace == 6.0
    assert not spectrum.is_isotropic
    assert Spectrum.isotropic(4, 2.5).is_isotropic
    assert Spectrum.isotropic(4, 2.5).trace == 10.0
    np.testing.assert_allclose(Spectrum.power_law(4, 1.5).eigenvalues[3], 0.125)
    with pytest.raises(ValueError, match="read-only"):
        spectrum.eigenvalues[0] = 7.0


def test_source_condition():
    beta, r = 1.7, 0.6
    j = np.arange(1, 51)
    target = source_condition_target(50, beta, r)
    np.testing.assert_allclose(j**-beta * target**2, j ** (-1 - 2 * r * beta), rtol=1e-12)


@settings(max_examples=150)
@given(
    st.lists(st.floats(min_value=1e-6, max_value=1e6), max_size=5),
    st.sampled_from([0.0, -1.0, math.nan, math.inf, -math.inf, -1e-300]),
    st.integers(0, 5),
)
def test_bad_eigenvalues_are_named(values, bad, place):
    values.insert(place, bad)
    with pytest.raises(ValueError, match=r"eigenvalues must be finite and > 0, got eigenvalues\["):
        Spectrum(values)


@pytest.mark.parametrize("values", [[], [[1.0]], 1.0])
def test_bad_shapes(values):
    with pytest.raises(ValueError, match="eigenvalues must"):
        Spectrum(values)


@pytest.mark.parametrize("values", ["ab", [True], [1j], None, [[1.0], [1.0, 2.0]]])
def test_bad_types(values):
    with pytest.raises(TypeError, match="eigenvalues must be an array of real numbers"):
        Spectrum(values)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Spectrum.isotropic(0), ValueError, "n_features must be an integer >= 1, got 0"),
        (lambda: Spectrum.isotropic(2.0), TypeError, "n_features must be an integer, got 2.0"),
        (lambda: Spectrum.isotropic(True), TypeError, "n_features must be an integer"),
        (lambda: Spectrum.isotropic(3, 0.0), ValueError, "scale must be finite and > 0, got 0.0"),
        (lambda: Spectrum.power_law(3, -1), ValueError, "exponent must be finite and > 0, got -1"),
        (lambda: Spectrum.power_law(3, "2"), TypeError, "exponent must be a real number"),
        (lambda: source_condition_target(3, 2, 0), ValueError, "source_exponent must be"),
        (lambda: spectral_measure(Spectrum([1.0]), [1.0, 2.0]), ValueError, "length n_features"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
