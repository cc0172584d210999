"""Rates of verifiers by hand and in the mean, and what is chosen.

Statistical tests bound z-scores at FALSE_ALARM each.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from fragile_learning.statistics import z_bound
from fragile_learning.verification.selection import (
    best_of_each,
    keep_rates,
    keep_top,
    noisy_verifier,
)

FALSE_ALARM = 1e-8


def test_rates_by_hand():
    right = np.array([[True, True, True, True], [False, False, False, False]])
    kept = np.array([[True, True, True, False], [True, False, False, False]])
    rates = keep_rates(right, kept)
    assert rates._asdict() == {
        "n_examples": 8,
        "n_kept": 4,
        "error": 0.5,
        "phi": 0.75,
        "psi": 0.25,
        "p_star": 0.75,
        "wrong_kept": 0.25,
    }


@pytest.mark.parametrize(
    ("right", "kept", "p_star", "wrong"),
    [
        ([True, False], [True, True], 0.5, 0.5),  # no verifier
        ([True, False], [True, False], 1.0, 0.0),  # an oracle
        ([True, False], [False, True], 0.0, 1.0),  # its opposite
        ([True, False], [False, False], 0.5, 0.0),  # nothing kept
        ([True, True], [True, False], 1.0, 0.0),  # nothing wrong
        ([False, False], [True, False], 0.0, 1.0),  # nothing right
    ],
)
def test_rates_at_the_edges(right, kept, p_star, wrong):
    rates = keep_rates(right, kept)
    assert (rates.p_star, rates.wrong_kept) == (p_star, wrong)


@pytest.mark.parametrize("p_noise", [0.0, 0.1, 0.6, 1.0])
def test_noisy_verifiers_have_their_breakdown_point(p_noise):
    right = np.arange(400_000) % 4 == 0
    kept = noisy_verifier(right, p_noise, rng=1)
    rates = keep_rates(right, kept)
    assert rates.phi == 1.0
    bound = z_bound(FALSE_ALARM) * math.sqrt(p_noise * (1 - p_noise) / 300_000)
    assert abs(rates.psi - p_noise) <= bound
    assert rates.p_star == pytest.approx(1 / (1 + p_noise), abs=bound)
    stricter = noisy_verifier(right, p_noise / 2, rng=1)
    assert (stricter <= kept).all()
    assert (noisy_verifier(right, 0.1, rng=2) != noisy_verifier(right, 0.1, rng=1)).any()


def test_best_of_each_and_of_all():
    scores = np.array([[3.0, 1.0, 2.0], [9.0, 8.0, 7.0]])
    assert best_of_each(scores, 2).tolist() == [[True, False, True], [True, True, False]]
    assert keep_top(scores, 0.5).tolist() == [[False, False, False], [True, True, True]]
    assert keep_top(scores, 0.01).sum() == 1
    assert keep_top(scores, 1.0).all()
    many = np.random.default_rng(1).random((50, 8))
    for count in (1, 3, 8):
        chosen = best_of_each(many, count)
        assert (chosen.sum(axis=1) == count).all()
        worst = np.where(chosen, many, np.inf).min(axis=1)
        left = np.where(chosen, -np.inf, many).max(axis=1)
        assert (worst > left).all()
    assert best_of_each(np.zeros((2, 3)), 2).tolist() == [[True, True, False]] * 2


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda: keep_rates([], []), TypeError, "right must be an array of booleans"),
        (lambda: keep_rates(np.zeros(0, bool), np.zeros(0, bool)), ValueError, "at least one"),
        (lambda: keep_rates([True], [True, False]), ValueError, r"shape of right \(1,\)"),
        (lambda: keep_rates([True], [1]), TypeError, "kept must be an array of booleans"),
        (lambda: noisy_verifier([True], 1.5, rng=1), ValueError, "p_noise"),
        (lambda: noisy_verifier([1], 0.5, rng=1), TypeError, "right"),
        (lambda: noisy_verifier([True], 0.5, rng=-1), ValueError, "rng"),
        (lambda: best_of_each([1.0]), ValueError, "scores must have 2 dimension"),
        (lambda: best_of_each([[1.0]], 2), ValueError, "n_best must be an integer >= 1 and <= 1"),
        (lambda: best_of_each([[np.nan]]), ValueError, "scores must be finite"),
        (lambda: best_of_each(np.zeros((2, 0))), ValueError, "at least one candidate"),
        (lambda: keep_top([1.0], 0.0), ValueError, "fraction"),
        (lambda: keep_top([], 0.5), ValueError, "at least one entry"),
    ],
)
def test_bad_input_is_named(work, error, words):
    with pytest.raises(error, match=words):
        work()
