"""Pairs, labels, digits and counts of divisors against math.gcd and enumeration.

Statistical tests bound z-scores at FALSE_ALARM each; a bias of a tenth is far outside.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from fragile_learning.scaling_laws.gcd import (
    GcdTask,
    expected_gcds,
    gcd_labels,
    gcd_probabilities,
    learnt_gcds,
    stratified_pairs,
)
from fragile_learning.statistics import z_bound

FALSE_ALARM = 1e-8


def z_scores(counts, chances):
    total = counts.sum()
    return (counts - total * chances) / np.sqrt(total * chances * (1 - chances))


@pytest.mark.parametrize("operands", ["uniform", "log-uniform"])
def test_operands_follow_their_law(operands):
    task = GcdTask(base=10, max_operand=30, operands=operands)
    pairs = task.sample(100_000, rng=1)
    counts = np.bincount(pairs.ravel(), minlength=31)
    assert counts[0] == 0
    assert counts.size == 31
    x = np.arange(1, 31)
    laws = {
        "uniform": np.full(30, 1 / 30),
        "log-uniform": np.log1p(1 / x) / math.log(31),
    }
    own, other = laws.pop(operands), next(iter(laws.values()))
    bound = z_bound(FALSE_ALARM, 30)
    assert np.abs(z_scores(counts[1:], own)).max() < bound
    assert np.abs(z_scores(counts[1:], other)).max() > 10 * bound  # negative control
    both = np.histogram2d(*pairs.T, bins=[0.5, 5.5, 30.5])[0].ravel()  # the two are independent
    low = own[:5].sum()
    chances = np.outer([low, 1 - low], [low, 1 - low]).ravel()
    assert np.abs(z_scores(both, chances)).max() < z_bound(FALSE_ALARM, 4)


def test_labels_are_those_of_math():
    pairs = GcdTask(max_operand=10**6).sample(2000, rng=2)
    pairs[:200] *= 30  # some large divisors
    expected = [math.gcd(*map(int, pair)) for pair in pairs]
    assert gcd_labels(pairs, 40).tolist() == [g if g <= 40 else 0 for g in expected]
    assert 0 in gcd_labels(pairs, 40)


@pytest.mark.parametrize(
    ("base", "largest"), [(60, 3599), (60, 3600), (10, 1), (2, 255), (420, 10**6)]
)
def test_digits_are_read_back(base, largest):
    task = GcdTask(base=base, max_operand=largest)
    pairs = np.vstack([task.sample(500, rng=3), [[1, largest]]])
    rows = task.encode(pairs)
    assert rows.shape == (501, 2 * task.n_digits)
    assert rows.min() >= 0
    assert rows.max() < base
    for pair, row in zip(pairs.tolist(), rows.tolist(), strict=True):
        for number, digits in zip(pair, (row[: task.n_digits], row[task.n_digits :]), strict=True):
            value = 0
            for digit in digits:  # most significant first
                value = value * base + digit
            assert value == number
    assert rows[-1, task.n_digits] > 0  # no digit too many


def test_stratified_pairs_are_uniform_among_the_coprime():
    pairs = stratified_pairs(100, 4000, 12, rng=4)
    assert gcd_labels(pairs).tolist() == np.repeat(np.arange(1, 13), 4000).tolist()
    assert pairs.max() <= 100
    own = pairs[gcd_labels(pairs) == 12]  # 12 x, 12 y with x, y in 1..8
    coprime = [(12 * x, 12 * y) for x in range(1, 9) for y in range(1, 9) if math.gcd(x, y) == 1]
    counts = np.array([np.sum((own == pair).all(axis=1)) for pair in coprime])
    assert counts.sum() == 4000
    chance = np.full(len(coprime), 1 / len(coprime))
    assert np.abs(z_scores(counts, chance)).max() < z_bound(FALSE_ALARM, len(coprime))
    edge = stratified_pairs(7, 3, 7, rng=5)  # a divisor as large as the operands
    assert edge[-3:].tolist() == [[7, 7]] * 3


def test_test_pairs_of_a_task_have_each_divisor():
    labels = GcdTask().labels(GcdTask().test_pairs(rng=1))
    assert np.bincount(labels).tolist() == [0] + [50] * 100
    assert len(GcdTask(base=3, max_operand=20).test_pairs(2, rng=1)) == 40


def test_learnt_means_ninety_five_percent():
    labels = np.repeat([1, 2, 3, 0], 20)
    guess = labels.copy()
    guess[20] = 9  # 19 of 20: learnt
    guess[40:42] = 1  # 18 of 20: not
    assert learnt_gcds(guess, labels, n_gcds=9).tolist() == [True, True] + [False] * 7
    assert learnt_gcds(guess, labels, n_gcds=9, threshold=0.9)[2]
    assert not learnt_gcds(guess, labels, n_gcds=9, threshold=1.0)[1]


@pytest.mark.parametrize("largest", [1, 2, 9, 60, 97])
def test_probabilities_are_those_of_all_pairs(largest):
    x = np.arange(1, largest + 1)
    every = np.gcd(x[:, None], x).ravel()
    expected = np.bincount(every, minlength=101)[1:101] / largest**2
    np.testing.assert_allclose(gcd_probabilities(100, largest), expected, rtol=1e-14)


def test_probabilities_approach_the_power_law():
    limit = gcd_probabilities(100)
    assert limit[0] == pytest.approx(6 / math.pi**2)
    np.testing.assert_allclose(gcd_probabilities(100, 10**6), limit, rtol=1e-3)
    assert np.abs(gcd_probabilities(100, 10**3) / limit - 1).max() > 0.01


def test_expected_gcds_is_the_binomial_sum():
    sizes = np.array([[0, 5, 19], [20, 1000, 20_000]])
    for need in (1, 20):
        chances = 6 / (np.pi * np.arange(1, 101)) ** 2
        expected = binom.sf(need - 1, sizes[..., None], chances).sum(axis=-1)
        np.testing.assert_allclose(expected_gcds(sizes, need), expected, rtol=1e-9, atol=1e-12)
    assert float(expected_gcds(20_000, 20)) == pytest.approx(24.6, abs=0.05)  # computed beforehand
    assert float(expected_gcds(10**9, 1)) == pytest.approx(100.0)


def test_expected_gcds_is_what_is_drawn():
    task = GcdTask()
    drawn = np.array(
        [
            (np.bincount(task.labels(task.sample(20_000, rng=seed)), minlength=101)[1:] >= 20).sum()
            for seed in range(60)
        ]
    )
    expected = float(expected_gcds(20_000, 20, max_operand=3599))
    z = (drawn.mean() - expected) / (drawn.std(ddof=1) / math.sqrt(60))
    assert abs(z) < 7.5  # t with 59 degrees of freedom: 4e-10
    assert abs(drawn.mean() - float(expected_gcds(20_000, 10, max_operand=3599))) > 5


def test_draws_depend_on_the_seed_alone():
    task = GcdTask(operands="log-uniform")
    assert (task.sample(50, rng=1) == task.sample(50, rng=1)).all()
    assert (task.sample(50, rng=1) != task.sample(50, rng=2)).any()
    assert (task.test_pairs(rng=1) == task.test_pairs(rng=1)).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GcdTask(base=1), ValueError, "base must be an integer >= 2, got 1"),
        (lambda: GcdTask(base=60.0), TypeError, "base must be an integer"),
        (lambda: GcdTask(max_operand=0), ValueError, "max_operand must be"),
        (lambda: GcdTask(max_operand=2**60), ValueError, "max_operand must be"),
        (lambda: GcdTask(operands="zipf"), ValueError, "operands must be one of 'uniform'"),
        (lambda: GcdTask(n_gcds=True), TypeError, "n_gcds must be"),
        (lambda: GcdTask().sample(-1, rng=1), ValueError, "n_pairs must be"),
        (lambda: GcdTask().sample(1, rng=None), TypeError, "rng must be"),
        (lambda: GcdTask().encode([[1, 3600]]), ValueError, "pairs must hold .* <= 3599, got 3600"),
        (lambda: gcd_labels([[0, 1]]), ValueError, "pairs must hold integers >= 1, got 0"),
        (lambda: gcd_labels([[0.5, 1]]), TypeError, "pairs must be an array of integers"),
        (lambda: gcd_labels([1, 2]), ValueError, "pairs must have the shape"),
        (lambda: stratified_pairs(50, 1, 51, rng=1), ValueError, "max_operand must be .* >= 51"),
        (lambda: learnt_gcds([1], [1, 1]), ValueError, "predictions must have the shape"),
        (lambda: learnt_gcds([7], [1], n_gcds=6), ValueError, "predictions must hold"),
        (lambda: learnt_gcds([1], [1], threshold=0), ValueError, "threshold must be"),
        (lambda: gcd_probabilities(5, 10**9), ValueError, "max_operand must be"),
        (lambda: expected_gcds(-1, 2), ValueError, "n_pairs must hold integers >= 0"),
        (lambda: expected_gcds(1.5, 2), TypeError, "n_pairs must be an array of integers"),
        (lambda: expected_gcds(10, 0), ValueError, "min_examples must be"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
