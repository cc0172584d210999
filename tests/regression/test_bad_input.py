"""Settings refuse whatever makes no sense, by name: property-based."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fragile_learning.regression import Chain, Stage, theory
from fragile_learning.spectra import Spectrum

CASES = settings(max_examples=300, deadline=None)
not_finite = st.sampled_from([math.nan, math.inf, -math.inf])
negative = st.floats(max_value=-1e-300, allow_infinity=False)
not_a_number = st.one_of(st.text(), st.none(), st.lists(st.floats()), st.complex_numbers())
good = st.floats(1e-6, 1e6)


@CASES
@given(
    values=st.lists(good, min_size=1, max_size=8),
    bad=st.one_of(not_finite, negative, st.just(0.0)),
    place=st.integers(0, 8),
)
def test_eigenvalues(values, bad, place):
    where = min(place, len(values))
    with pytest.raises(ValueError, match=r"eigenvalues must be finite and > 0, got eigenvalues\["):
        Spectrum(np.array([*values[:where], bad, *values[where:]]))
    assert Spectrum(np.array(values)).n_features == len(values)


@CASES
@given(count=st.one_of(st.integers(max_value=0), st.floats(), st.booleans(), not_a_number))
def test_n_samples(count):
    with pytest.raises((TypeError, ValueError), match="n_samples must be an integer") as caught:
        Stage(count)
    assert isinstance(caught.value, ValueError if type(count) is int else TypeError)


@CASES
@given(field=st.sampled_from(["ridge", "noise_std"]), value=st.one_of(not_finite, negative))
def test_negative_or_infinite_ridge_and_noise(field, value):
    with pytest.raises(ValueError, match=f"{field} must be finite and >= 0, got "):
        Stage(10, **{field: value})


@CASES
@given(field=st.sampled_from(["ridge", "noise_std"]), value=not_a_number)
def test_ridge_and_noise_of_another_type(field, value):
    with pytest.raises(TypeError, match=f"{field} must be a real number"):
        Stage(10, **{field: value})


@CASES
@given(
    size=st.integers(1, 8),
    length=st.integers(0, 9),
    bad=st.one_of(st.none(), not_finite),
    place=st.integers(0, 8),
)
def test_target(size, length, bad, place):
    target = np.ones(length)
    if bad is not None and length:
        target[place % length] = bad
        with pytest.raises(ValueError, match=r"target must be finite, got target\["):
            Chain(Spectrum.isotropic(size), target, [Stage(3)])
    elif length != size:
        with pytest.raises(ValueError, match=f"target must have length n_features = {size}, got"):
            Chain(Spectrum.isotropic(size), target, [Stage(3)])
    else:
        assert Chain(Spectrum.isotropic(size), target, [Stage(3)]).signal == size


@CASES
@given(stages=st.one_of(st.just([]), st.lists(not_a_number, min_size=1), st.floats(), st.none()))
def test_stages(stages):
    with pytest.raises((TypeError, ValueError), match=r"stages"):
        Chain(Spectrum.isotropic(2), np.ones(2), stages)


@CASES
@given(
    eigenvalues=st.lists(good, min_size=1, max_size=6),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    ridges=st.lists(st.one_of(st.just(0.0), st.floats(1e-14, 1e4)), min_size=4, max_size=4),
    noise=st.floats(0, 10),
)
def test_valid_input_never_gives_nan_or_a_negative_risk(eigenvalues, sizes, ridges, noise):
    spectrum = Spectrum(np.array(eigenvalues))
    stages = [Stage(size, ridge, noise) for size, ridge in zip(sizes, ridges, strict=False)]
    risk = theory.excess_risk(Chain(spectrum, np.ones(len(eigenvalues)), stages))
    for part in risk:
        assert part >= 0
    infinite = math.isinf(risk.total)
    poles = [s for s in stages if s.ridge == 0 and s.n_samples == len(eigenvalues)]
    assert not infinite or poles
