"""The calculator's reference for verifiers: how many examples are needed, and the edges."""

from __future__ import annotations

import math

import pytest
from scipy.special import ndtr

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.verification import Generator, Verifier
from fragile_learning.verification.calculator import EXAMPLE, generated_for_gap, verifier_answer
from fragile_learning.verification.simulation import simulate_accuracy

SEED = 20_261_128


def test_students_of_so_many_examples_are_so_near():
    """Simulated students; and with twice the examples the test would see it."""
    players, d, s = (Generator(0.3), Verifier(0.9, 0.3)), 400, 1.5
    needed = generated_for_gap(*players, signal=s, n_features=d, gap=0.05)
    goal = float(ndtr(s)) - 0.05
    for factor, near in ((1, True), (2, False)):
        n = round(factor * needed)
        drawn = simulate_accuracy(
            "one-shot", *players, 400, rng=SEED, signal=s, n_features=d, n_generated=n
        )
        assert (abs(check_mean(drawn, goal).z) < z_bound(1e-6)) is near


def test_no_verifier_helps_or_is_needed():
    assert generated_for_gap(Generator(0.8), Verifier(0.9, 0.3), signal=1.5, n_features=9) == (
        math.inf
    )
    assert generated_for_gap(Generator(0.5), Verifier(1.0, 1.0), signal=1.5, n_features=9) == (
        math.inf
    )
    easy = generated_for_gap(Generator(0.8), Verifier(0.9, 0.3), signal=0.02, n_features=9)
    assert easy == 0.0


def test_the_edges_of_an_answer():
    answer = verifier_answer(**EXAMPLE)
    assert answer.kept_share == pytest.approx(0.7 * 0.9 + 0.3 * 0.3)
    assert answer.selected_error_rate == pytest.approx(0.09 / 0.72)
    assert answer.unselected_samples == pytest.approx(800 * 0.16)
    assert answer.bayes_accuracy == pytest.approx(0.9331927987)
    nothing = verifier_answer(**{**EXAMPLE, "error_rate": 1.0, "keep_if_wrong": 0.0})
    assert (nothing.kept_share, nothing.accuracy, nothing.needed) == (0.0, 0.5, math.inf)


def test_bad_input():
    for name, value in (
        ("error_rate", 1.5),
        ("keep_if_correct", -0.1),
        ("n_generated", 0.0),
        ("n_features", 0),
        ("signal", 31.0),
        ("ridge", -1.0),
    ):
        with pytest.raises(ValueError, match=name):
            verifier_answer(**{**EXAMPLE, name: value})
    for gap in (0.0, 1.0):
        with pytest.raises(ValueError, match="gap"):
            generated_for_gap(Generator(0.3), Verifier(1, 1), signal=1.0, n_features=5, gap=gap)
    with pytest.raises(ValueError, match="signal"):
        generated_for_gap(Generator(0.3), Verifier(1, 1), signal=0.001, n_features=5)
