"""Matrices, tokens and correctness: exhaustive checks on small grids, round trips, bad input.

Statistical tests bound z-scores at FALSE_ALARM each.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fragile_learning.statistics import z_bound
from fragile_learning.verification.eigenvalues import P1000, IntGrid, RealMatrices

FALSE_ALARM = 1e-8
TASK = IntGrid(max_entry=6)


def all_matrices(task=TASK):
    entries = range(-task.max_entry, task.max_entry + 1)
    return np.array(list(itertools.product(entries, repeat=3)))


# --- whole numbers ----------------------------------------------------------------------------


def test_eigenvalues_are_those_of_the_matrices():
    every = all_matrices()
    full = every[:, [0, 1, 1, 2]].reshape(-1, 2, 2).astype(float)
    expected = np.linalg.eigvalsh(full)[:, ::-1]
    np.testing.assert_allclose(TASK.eigenvalues(every), expected, atol=1e-12)


def nearest(a, b, c, sign):
    """Nearest integer to (a + c + sign * sqrt(D)) / 2 by exact comparison of squares."""
    square = (a - c) ** 2 + 4 * b * b
    below = [
        m
        for m in range(-40, 41)
        # m - 1/2 <= value: 2 m - 1 - a - c <= sign * sqrt(D)
        if ((left := 2 * m - 1 - a - c) <= 0 and (sign > 0 or left * left >= square))
        or (left > 0 and sign > 0 and left * left <= square)
    ]
    return max(below)


def test_labels_are_the_nearest_integers_exactly():
    every = all_matrices()
    expected = [[nearest(*row, 1), nearest(*row, -1)] for row in every.tolist()]
    assert TASK.decode(TASK.labels(every)).tolist() == expected
    values = TASK.eigenvalues(every)
    assert np.abs(values - np.floor(values) - 0.5).min() > 0.001  # never half-way
    largest = IntGrid(max_entry=100)
    corners = np.array(list(itertools.product([-100, -99, 0, 99, 100], repeat=3)))
    np.testing.assert_array_equal(
        largest.decode(largest.labels(corners)), np.rint(largest.eigenvalues(corners))
    )


def test_encoding_and_labels_fill_their_vocabularies():
    every = all_matrices()
    assert len(every) == TASK.n_matrices == 13**3
    tokens, labels = TASK.encode(every), TASK.labels(every)
    assert tokens.shape == (len(every), TASK.n_inputs)
    assert labels.shape == (len(every), TASK.n_outputs)
    assert set(np.unique(tokens)) == set(range(TASK.input_words))
    assert labels.min() == 0
    assert labels.max() == TASK.output_words - 1
    np.testing.assert_array_equal(tokens - TASK.max_entry, every)


def test_correct_wants_both_eigenvalues():
    matrices = all_matrices()[:7]
    labels = TASK.labels(matrices)
    several = np.stack([labels, labels ^ [1, 0], labels ^ [0, 1], labels[:, ::-1]], axis=1)
    right = TASK.correct(matrices, several)
    assert right.shape == (7, 4)
    assert right[:, 0].all()
    assert not right[:, 1:3].any()
    swapped = labels[:, 0] == labels[:, 1]
    np.testing.assert_array_equal(right[:, 3], swapped)
    np.testing.assert_array_equal(TASK.correct(matrices, labels), right[:, 0])


def test_sets_share_no_matrix_and_together_are_all():
    sizes = [100, 0, 700, TASK.n_matrices - 800]
    sets = TASK.disjoint_sets(sizes, rng=3)
    assert [one.shape for one in sets] == [(size, 3) for size in sizes]
    together = {tuple(row) for one in sets for row in one.tolist()}
    assert together == {tuple(row) for row in all_matrices().tolist()}
    (first,) = TASK.disjoint_sets([100], rng=3)
    np.testing.assert_array_equal(first, sets[0])  # whatever comes after it
    assert (TASK.disjoint_sets([100], rng=4)[0] != first).any()
    assert TASK.disjoint_sets([], rng=1) == []


def test_samples_are_uniform():
    drawn = IntGrid(max_entry=2).sample(200_000, rng=5)
    counts = np.bincount((drawn + 2) @ [25, 5, 1], minlength=125)
    expected = len(drawn) / 125
    z = (counts - expected) / math.sqrt(expected * (1 - 1 / 125))
    assert np.abs(z).max() < z_bound(FALSE_ALARM, 125)


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda: IntGrid(max_entry=0), ValueError, "max_entry must be an integer >= 1 and <= 100"),
        (lambda: IntGrid(max_entry=2.0), TypeError, "max_entry"),
        (lambda: TASK.sample(-1, rng=1), ValueError, "n_matrices"),
        (lambda: TASK.sample(1, rng=None), TypeError, "rng"),
        (lambda: TASK.encode([[7, 0, 0]]), ValueError, r"matrices must hold integers in \[-6, 6\]"),
        (lambda: TASK.encode([[1.0, 0, 0]]), TypeError, "matrices must be an array of integers"),
        (lambda: TASK.labels([1, 2, 3]), ValueError, r"shape \(n_matrices, 3\), got \(3,\)"),
        (lambda: TASK.decode([25]), ValueError, r"answers must hold tokens in \[0, 24\], got 25"),
        (lambda: TASK.decode([-1]), ValueError, "got -1"),
        (lambda: TASK.correct([[0, 0, 0]], [[1, 2, 3]]), ValueError, "answers must have the shape"),
        (lambda: TASK.correct([[0, 0, 0]], [[1, 2]] * 2), ValueError, r"\(1, 2\) or"),
        (lambda: TASK.disjoint_sets([2000, 198], rng=1), ValueError, "at most 2197 matrices"),
        (lambda: TASK.disjoint_sets([-1], rng=1), ValueError, r"sizes\[0\]"),
        (lambda: TASK.disjoint_sets(5, rng=1), TypeError, "sizes must be a sequence"),
    ],
)
def test_bad_input_to_the_grid_is_named(work, error, words):
    with pytest.raises(error, match=words):
        work()


# --- numbers as tokens ------------------------------------------------------------------------

CODE = P1000()


def test_every_code_is_read_and_written_again():
    code = P1000(min_exponent=-2, max_exponent=1)
    canonical = [
        [sign, 2 + mantissa, 1002 + exponent + 2]
        for sign in (0, 1)
        for exponent in range(-2, 2)
        for mantissa in range(1 if exponent == -2 else 100, 1000)
    ] + [[0, 2, 1004]]
    read = code.decode(canonical)
    assert read.well_formed.all()
    np.testing.assert_array_equal(code.encode(read.values), canonical)
    assert len(np.unique(read.values)) == len(canonical)  # one code a number


@given(st.floats(-9e5, 9e5))
def test_rounding_is_that_of_three_digits(value):
    read = CODE.decode(CODE.encode(value))
    assert read.well_formed
    size = abs(Fraction(value))
    unit = Fraction(10) ** CODE.min_exponent
    while round(size / unit) > 999:
        unit *= 10
    exact = abs(Fraction(float(read.values)) - Fraction(value))
    assert exact <= unit / 2 * (1 + Fraction(1, 10**9))
    if size >= 100 * Fraction(10) ** CODE.min_exponent:
        assert exact <= size / 200 * (1 + Fraction(1, 10**9))


@pytest.mark.parametrize(
    ("value", "sign", "mantissa", "exponent"),
    [
        (0.0, 0, 0, 0),
        (-0.0, 0, 0, 0),
        (1.0, 0, 100, -2),
        (10.0, 0, 100, -1),
        (0.1, 0, 100, -3),
        (999.4, 0, 999, 0),
        (-999.6, 1, 100, 1),
        (0.09996, 0, 100, -3),
        (999e3, 0, 999, 3),
        (1e-8, 0, 100, -10),
        (-3.4e-10, 1, 3, -10),
        (-0.2e-10, 0, 0, 0),
    ],
)
def test_codes_at_the_edges(value, sign, mantissa, exponent):
    assert CODE.encode(value).tolist() == [sign, 2 + mantissa, 1012 + exponent]


def test_what_is_no_number_is_said_to_be_none():
    good = CODE.encode(-2.5)
    bad = np.stack(
        [good, good[::-1], good[[1, 1, 2]], good[[0, 0, 2]], good[[0, 1, 1]], good[[0, 2, 2]]]
    )
    read = CODE.decode(bad)
    assert read.well_formed.tolist() == [True] + [False] * 5
    assert read.values.tolist() == [-2.5] + [0.0] * 5
    # a mantissa below 100 is not canonical, but a number
    assert CODE.decode([0, 2 + 25, 1012 - 1]).values == 2.5


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda: P1000(min_exponent=1), ValueError, "min_exponent"),
        (lambda: P1000(max_exponent=-1), ValueError, "max_exponent"),
        (lambda: CODE.encode(999.6e3), ValueError, "values must be at most 999000 in size"),
        (lambda: CODE.encode(1e308), ValueError, "at most 999000"),
        (lambda: CODE.encode([math.nan]), ValueError, "values must be finite"),
        (lambda: CODE.encode("1"), TypeError, "values"),
        (lambda: CODE.decode([0, 2]), ValueError, r"shape \(\.\.\., 3\)"),
        (lambda: CODE.decode([0, 2, 1016]), ValueError, r"\[0, 1015\], got 1016"),
        (lambda: CODE.decode([0.0, 2, 1002]), TypeError, "tokens must be an array of integers"),
    ],
)
def test_bad_numbers_are_named(work, error, words):
    with pytest.raises(error, match=words):
        work()


# --- real matrices ----------------------------------------------------------------------------

REAL = RealMatrices(size=3, tolerance=0.02)


def test_real_matrices_are_symmetric_and_uniform():
    drawn = REAL.sample(20_000, rng=1)
    assert (drawn == drawn.transpose(0, 2, 1)).all()
    lower = drawn[:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]]
    assert np.abs(lower).max() <= 10.0
    correlation = np.corrcoef(lower.T) - np.eye(6)
    assert np.abs(correlation).max() < z_bound(FALSE_ALARM, 15) / math.sqrt(len(drawn))
    z = (np.mean(lower**2, axis=0) - 100 / 3) / (math.sqrt(4 / 45) * 100 / math.sqrt(len(drawn)))
    assert np.abs(z).max() < z_bound(FALSE_ALARM, 6)


def test_labels_are_correct_and_small_changes_are_seen():
    matrices = REAL.sample(200, rng=2)
    labels, tokens = REAL.labels(matrices), REAL.encode(matrices)
    assert labels.shape == (200, REAL.n_outputs) == (200, 9)
    assert tokens.shape == (200, REAL.n_inputs) == (200, 18)
    assert tokens.max() < REAL.input_words == REAL.code.n_words
    assert (REAL.relative_errors(matrices, labels) <= 0.005).all()  # rounding
    assert REAL.correct(matrices, labels).all()
    read = REAL.code.decode(tokens.reshape(200, 6, 3)).values
    np.testing.assert_allclose(
        read, matrices[:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]], rtol=0.005
    )
    values = REAL.eigenvalues(matrices)
    total = np.abs(values).sum(axis=1)
    for share, right in ((0.015, True), (0.025, False)):
        moved = values.copy()
        moved[:, 0] += share * total
        answers = REAL.code.encode(moved).reshape(200, 9)
        errors = REAL.relative_errors(matrices, answers)
        np.testing.assert_allclose(errors, share, atol=0.005)
        assert (REAL.correct(matrices, answers) == right).mean() > 0.8


def test_relative_errors_by_hand():
    task = RealMatrices(size=2)
    matrix = [[[2.0, 1.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]  # 3 and 1; 0 and 0
    answers = [[[3.0, 1.0], [2.0, 1.5], [1.0, 3.0]], [[0.0, 0.0], [0.0, 1.0], [1.0, -1.0]]]
    tokens = task.code.encode(answers).reshape(2, 3, 6)
    expected = [[0.0, 0.375, 1.0], [0.0, math.inf, math.inf]]
    np.testing.assert_allclose(task.relative_errors(matrix, tokens), expected)
    tokens[0, 0, 4] = 0  # a sign in place of a mantissa
    assert task.relative_errors(matrix, tokens)[0, 0] == math.inf
    assert not task.correct(matrix, tokens)[0, 0]


def test_real_sets_do_not_depend_on_later_ones():
    one, two = REAL.disjoint_sets([5, 3], rng=1)
    np.testing.assert_array_equal(REAL.disjoint_sets([5], rng=1)[0], one)
    assert two.shape == (3, 3, 3)
    assert not (one[:3] == two).any()


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda: RealMatrices(size=0), ValueError, "size"),
        (lambda: RealMatrices(max_entry=0.0), ValueError, "max_entry"),
        (lambda: RealMatrices(tolerance=-1.0), ValueError, "tolerance"),
        (lambda: RealMatrices(code=3), TypeError, "code must be a P1000"),
        (lambda: RealMatrices(max_entry=1e6), ValueError, "max_entry must be at most"),
        (lambda: REAL.encode([[1.0]]), ValueError, r"shape \(n_matrices, 3, 3\)"),
        (lambda: REAL.encode([np.triu(np.ones((3, 3)))]), ValueError, "symmetric"),
        (lambda: REAL.encode([np.full((3, 3), 11.0)]), ValueError, r"\[-10, 10\]"),
        (lambda: REAL.encode([np.full((3, 3), np.nan)]), ValueError, "finite"),
        (
            lambda: REAL.correct(np.zeros((1, 3, 3)), np.zeros((1, 8), int)),
            ValueError,
            r"shape \(1, 9\)",
        ),
    ],
)
def test_bad_matrices_are_named(work, error, words):
    with pytest.raises(error, match=words):
        work()
