"""Reported formulas: each is what the readers' notes say, and wrong where its docstring says so."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.strong_collapse import published, theory
from fragile_learning.strong_collapse.settings import white_mixture

EQUAL = {"noise_std_real": 0.5, "noise_std_synthetic": 0.5, "shift_size": 0.5}
UNEQUAL = {"noise_std_real": 2.0, "noise_std_synthetic": 3.0, "shift_size": 0.7}


def mixing(weight=0.2, fraction=0.25, ratio=0.1, **change):
    return published.weighted_mixing(weight, fraction, ratio, **(UNEQUAL | change))


def best(fraction=0.25, ratio=0.01, **change):
    return published.optimal_real_weight(fraction, ratio, **(UNEQUAL | change))


def test_golden_value_of_weighted_mixing():
    assert published.weighted_mixing(0.5, 0.5, 0.05, **EQUAL) == pytest.approx(0.0375, rel=1e-14)


def test_weighted_mixing_by_hand():
    # 0.0625 * 0.04 * 0.7 + 0.1 * (0.8 * 0.75 * 4 + 0.2 * 0.25 * 9)
    assert mixing() == pytest.approx(0.00175 + 0.285, rel=1e-13)


def test_limits_of_weighted_mixing():
    assert mixing(ratio=0.0) == pytest.approx(0.25**2 * 0.2**2 * 0.7, rel=1e-14)
    assert mixing(weight=0.0) == pytest.approx(0.1 * 0.75 * 4, rel=1e-14)
    assert mixing(weight=1.0) == pytest.approx(0.25**2 * 0.7 + 0.1 * 0.25 * 9, rel=1e-14)
    assert mixing(fraction=0.0) == pytest.approx(0.1 * 0.8 * 4, rel=1e-14)
    assert mixing(fraction=1.0, shift_size=0.0) == pytest.approx(0.1 * 0.2 * 9, rel=1e-14)


def test_weights_may_be_an_array():
    weights = np.linspace(0.0, 1.0, 6).reshape(2, 3)
    found = mixing(weight=weights)
    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx(float(mixing(weight=1.0)))
    assert found[0, 1] == pytest.approx(float(mixing(weight=0.2)))
    assert np.shape(mixing(weight=0.2)) == ()
    assert mixing(weight=[]).shape == (0,)


def white(weight, n, p2=0.5):
    return white_mixture(
        n_features=100,
        n_samples=n,
        n_synthetic=round(n * p2),
        shift_size=0.5,
        synthetic_weight=weight,
    )


def test_weighted_mixing_is_wrong_where_it_is_said_to_be():
    # floor: alpha^2 c^2, four times the reported one at p2 = 1/2
    many = theory.excess_risk(white(0.5, 10**7)).total
    assert many == pytest.approx(0.5**2 * 0.5, rel=1e-3)
    reported = published.weighted_mixing(0.5, 0.5, 1e-5, **EQUAL)
    assert reported == pytest.approx(many / 4, rel=1e-3)
    # noise: at weight 0 that of the real half alone, sigma^2 phi / p1, not sigma^2 phi p1
    alone = theory.excess_risk(white(0.0, 10**7)).total
    assert alone == pytest.approx(0.25 * 1e-5 / 0.5, rel=1e-3)
    assert published.weighted_mixing(0.0, 0.5, 1e-5, **EQUAL) == pytest.approx(alone / 4, rel=1e-3)


def test_golden_value_of_the_best_weight():
    assert published.optimal_real_weight(0.25, 0.001, **EQUAL) == pytest.approx(0.999875, rel=1e-14)


def test_best_weight_by_hand():
    # slope (0.75 * 4 - 0.25 * 9) / 1.4 = 0.75 / 1.4
    assert best() == pytest.approx(1 - 0.75 / 1.4 * 0.01, rel=1e-14)
    assert best(fraction=0.5, noise_std_synthetic=2.0) == 1.0


def test_the_best_weight_is_clipped():
    assert best(ratio=2.0) == 0.0  # 1 - 1.07
    assert best(fraction=0.9) == 1.0  # more noise on synthetic labels: above 1
    assert best(ratio=1.0) == pytest.approx(1 - 0.75 / 1.4, rel=1e-14)


def test_the_reported_weight_tends_to_one_and_the_best_one_to_zero():
    reported = [published.optimal_real_weight(0.25, phi, **EQUAL) for phi in (0.1, 0.01, 0.001, 0)]
    assert reported == sorted(reported)
    assert reported[-1] == 1.0
    found = [theory.optimal_weight(white(None, n, 0.25)) for n in (1000, 10_000, 100_000)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(0.001 * 0.25 / (0.75 * 0.5), rel=0.01)


@pytest.mark.parametrize("function", [mixing, best])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fraction": 1.1}, r"synthetic_fraction must be finite and >= 0 and <= 1, got 1\.1"),
        ({"fraction": -0.1}, "synthetic_fraction must be"),
        ({"ratio": -1.0}, "aspect_ratio must be finite and >= 0"),
        ({"ratio": float("inf")}, "aspect_ratio must be finite"),
        ({"noise_std_real": -1.0}, "noise_std_real must be"),
        ({"noise_std_synthetic": -1.0}, "noise_std_synthetic must be"),
        ({"shift_size": -1.0}, "shift_size must be"),
        ({"shift_size": float("nan")}, "shift_size must be"),
    ],
)
def test_bad_values(function, change, message):
    with pytest.raises(ValueError, match=message):
        function(**change)


@pytest.mark.parametrize("function", [mixing, best])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("synthetic_fraction", "fraction"),
        ("aspect_ratio", "ratio"),
        ("noise_std_real", "noise_std_real"),
        ("noise_std_synthetic", "noise_std_synthetic"),
        ("shift_size", "shift_size"),
    ],
)
def test_bad_types(function, name, key):
    for value in ("0.5", True, None, [0.5, 0.5]):
        with pytest.raises(TypeError, match=f"{name} must be a real number"):
            function(**{key: value})


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (1.5, r"weight must be finite and >= 0 and <= 1, got weight = .*1\.5"),
        ([0.5, -0.1], r"weight must be finite and >= 0 .*got weight\[1\]"),
        (float("nan"), "weight must be finite"),
    ],
)
def test_bad_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        mixing(weight=weight)


def test_weights_are_numbers():
    with pytest.raises(TypeError, match="weight must be an array of real numbers"):
        mixing(weight="half")


def test_without_a_shift_no_weight_is_best():
    with pytest.raises(ValueError, match="shift_size must be finite and > 0"):
        best(shift_size=0.0)
    assert mixing(shift_size=0.0) == pytest.approx(0.285, rel=1e-13)  # here it is allowed
