"""The calculator's reference for mixtures: the admissible fraction and the edges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.strong_collapse import theory
from fragile_learning.strong_collapse.calculator import (
    EXAMPLE,
    admissible_fraction,
    mixture_answer,
    mixture_of,
)
from fragile_learning.strong_collapse.simulation import simulate_excess_risk

SEED = 20_261_128
WHITE = {
    "n_features": 100,
    "exponent": 0.0,
    "source_exponent": 0.5,
    "shift_size": 0.25,
    "synthetic_fraction": 0.02,
    "ridge": 0.0,
    "noise_std": 1.0,
}
STEEP = {**WHITE, "exponent": 1.5, "ridge": 1e-5, "noise_std": 0.3, "width": 90}


def test_least_squares_in_closed_form():
    """n* = d (1 + sigma^2 / (p2 c)^2), solved for p2."""
    n = np.array([1000, 10**6])
    expected = np.sqrt(100 / (n - 100)) / 0.5
    np.testing.assert_allclose(admissible_fraction(mixture_of(**WHITE), n), expected, rtol=1e-12)


@pytest.mark.parametrize("setting", [WHITE, STEEP])
def test_a_mixture_departs_on_either_side_of_the_admissible_fraction(setting):
    n = 3000
    share = float(admissible_fraction(mixture_of(**setting), n))
    assert 0 < share < 1
    less = mixture_of(**{**setting, "synthetic_fraction": 0.999 * share})
    more = mixture_of(**{**setting, "synthetic_fraction": 1.001 * share})
    assert theory.departure_sample_size(more) <= n < theory.departure_sample_size(less)


def test_any_fraction_will_do_without_a_shift():
    mixture = mixture_of(**{**WHITE, "shift_size": 0.0})
    assert admissible_fraction(mixture, 10**9) == 1.0
    assert admissible_fraction(mixture_of(**WHITE), 101) == 1.0


def test_the_mixture_is_normalised():
    for setting in (WHITE, STEEP):
        mixture = mixture_of(**setting)
        assert mixture.spectrum.eigenvalues @ mixture.target**2 == pytest.approx(1.0)
        assert mixture.shift_size == pytest.approx(0.25)
        assert mixture.synthetic_fraction == pytest.approx(0.02, rel=1e-14)
    j = np.arange(1.0, 101.0)
    shape = j ** (-1 - 2 * 0.5 * 1.5)
    mixture = mixture_of(**STEEP)
    share = mixture.spectrum.eigenvalues * mixture.target**2
    np.testing.assert_allclose(share, shape / shape.sum(), rtol=1e-12)
    assert mixture.width == 90


def test_the_answer_agrees_with_simulation():
    answer = mixture_answer(**STEEP, n_samples=400, n_target=1000)
    mixture = replace(
        mixture_of(**{**STEEP, "synthetic_fraction": 0.5}), n_real=200, n_synthetic=200
    )
    half = mixture_answer(**{**STEEP, "synthetic_fraction": 0.5}, n_samples=400, n_target=1000)
    drawn = simulate_excess_risk(mixture, 300, rng=SEED).total
    margin = 0.01 * half.risk  # the limit's error is of order 1/n
    z = (abs(np.mean(drawn) - half.risk) - margin) / (np.std(drawn) / np.sqrt(drawn.size))
    assert z < z_bound(1e-6)
    assert abs(check_mean(drawn, answer.risk).z) > z_bound(1e-6)  # and sees a wrong fraction


def test_the_edges_of_an_answer():
    answer = mixture_answer(**EXAMPLE)
    assert answer.risk == pytest.approx(answer.bias + answer.variance + answer.collapse)
    assert answer.floor == pytest.approx(0.02**2 * 0.25, rel=1e-12)
    kept = mixture_answer(**{**EXAMPLE, "n_samples": 98_000, "synthetic_fraction": 0.0})
    assert answer.real_risk == pytest.approx(kept.risk, rel=1e-12)
    assert (kept.floor, kept.departure) == (0.0, math.inf)
    none = mixture_answer(**{**EXAMPLE, "synthetic_fraction": 1.0})
    assert none.real_risk == 1.0
    ridged = mixture_answer(**{**EXAMPLE, "ridge": 1.0})
    assert ridged.departure == math.inf
    assert ridged.limit_risk > ridged.floor > 0


def test_bad_input():
    for name, value in (
        ("n_features", 0),
        ("exponent", -1.0),
        ("shift_size", -0.1),
        ("synthetic_fraction", 1.5),
        ("width", -1),
        ("n_samples", 0),
        ("n_target", 0.5),
    ):
        with pytest.raises((TypeError, ValueError), match="n" if name == "n_target" else name):
            mixture_answer(**{**EXAMPLE, name: value})
    with pytest.raises(TypeError, match="mixture"):
        admissible_fraction("mixture", 10)
    weighted = replace(mixture_of(**WHITE), synthetic_weight=0.5)
    with pytest.raises(ValueError, match="synthetic_weight"):
        admissible_fraction(weighted, 10)
