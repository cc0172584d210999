"""Sums against ranks added one by one; printed values; limits; the laws that they lead to.

The reference shares no code with the package: it adds the ranks up to the one whose item is
expected half a time, and expands the others in Hurwitz zeta functions. Golden values were printed
by programs that share no code with this package either.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import comb, gamma, gammainc, gammaincc, poch, zeta
from scipy.stats import binom

from fragile_learning.scaling_laws import theory
from fragile_learning.scaling_laws.bigrams import bigram_constants
from fragile_learning.scaling_laws.sums import hurwitz, power_sum, seen_sum
from fragile_learning.statistics import log_log_slope

EXPONENTS = [1.01, 1.05, 1.2, 1.5, 2.0, 3.0, 6.0]


def reference(T, r, w, s, first=1, last=math.inf):
    """Sum of i^-w (1 - r i^-s)^T."""
    stop = max(first - 1, math.ceil((2.0 * T * r) ** (1.0 / s)))
    stop = int(min(stop, last))
    ranks = np.arange(first, stop + 1, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = ranks**-w * np.where(T > 0, np.exp(T * np.log1p(-r * ranks**-s)), 1.0)
    total = math.fsum(terms)
    if last > stop:
        factor = 1.0
        for m in range(40):
            tail = zeta(w + s * m, max(stop + 1, first))
            if last < math.inf:
                tail -= zeta(w + s * m, last + 1)
            total += factor * tail
            if abs(factor * tail) < 1e-20 * total:
                break
            factor *= -r * (T - m) / (m + 1)
    return total


def clean(beta, T):
    return reference(T, 1.0 / zeta(beta), beta, beta) / zeta(beta)


def closed(beta, T):
    """Closed form of the clean law: accurate for large T."""
    c = 1.0 - 1.0 / beta
    return zeta(beta) ** (-1.0 / beta) / beta * gamma(c) / poch(T + 1.0, c)


@pytest.mark.parametrize("w", EXPONENTS)
@pytest.mark.parametrize("s", EXPONENTS)
def test_sums_are_those_of_the_ranks(w, s):
    r = 1.0 / zeta(s)
    for T in (0, 1, 3, 30, 1000, 100_000):
        if (2.0 * T * r) ** (1.0 / s) > 1e6:
            continue
        for first, last in [(1, math.inf), (1, 4), (1, 500), (30, math.inf), (700, 9000)]:
            expected = reference(T, r, w, s, first, last)
            found = float(power_sum(T, r, w, s, first, last))
            scale = 1e-13 * expected + 1e-16
            assert abs(found - expected) < scale, (T, first, last)


def test_sums_broadcast_and_may_be_empty():
    T, first, last = [[0.0], [10.0], [1e6]], [1.0, 5.0, 80.0, 7.0], [np.inf, 60.0, 400.0, 6.0]
    found = power_sum(T, 0.3, 1.5, 2.0, first, last)
    assert found.shape == (3, 4)
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(
                reference(T[i][0], 0.3, 1.5, 2.0, int(first[j]), last[j]), rel=1e-13
            )
    assert np.all(found[:, 3] == 0.0)
    assert np.all(power_sum(np.zeros((0, 2)), 0.3, 1.5, 2.0).shape == (0, 2))


def test_late_segments_keep_their_digits():
    """Far beyond its crossover a head is exponentially small; it is no difference of large sums."""
    for T in (1e4, 3e4, 1e5):
        expected = reference(T, 0.4, 1.5, 1.5, 1, 300)
        assert float(power_sum(T, 0.4, 1.5, 1.5, 1, 300)) == pytest.approx(expected, rel=1e-11)
    assert expected < 1e-5


def test_sums_of_tiny_rates():
    for r in (0.0, 1e-300, 1e-25):
        assert float(power_sum(1e3, r, 1.5, 6.0, 10)) == pytest.approx(zeta(1.5, 10), rel=1e-14)
    assert float(seen_sum(1e3, 0.0, 1.5)) == 0.0


@pytest.mark.parametrize("beta", EXPONENTS)
def test_zeta_functions(beta):
    assert hurwitz(beta) == pytest.approx(zeta(beta), rel=1e-14)
    assert hurwitz(beta, 33) == pytest.approx(zeta(beta, 33), rel=1e-14)


def test_zeta_continued_below_one():
    assert hurwitz(0.5) == pytest.approx(-1.4603545088095868, rel=1e-14)
    assert hurwitz(0.75) == pytest.approx(-3.4412853869452228, rel=1e-14)
    assert hurwitz(-1.0) == pytest.approx(-1.0 / 12.0, rel=1e-12)


@pytest.mark.parametrize("beta", EXPONENTS)
def test_clean_law_at_every_size(beta):
    sizes = np.array([1, 2, 10, 100, 1000, 10_000, 1e6, 1e9, 1e12, 1e15])
    found = theory.hutter_error(beta, sizes)
    for T, value in zip(sizes, found, strict=True):
        if (2.0 * T / zeta(beta)) ** (1.0 / beta) < 1e6:
            assert value == pytest.approx(clean(beta, T), rel=2e-14), T
        else:
            assert value == pytest.approx(closed(beta, T), rel=2e-13), T
    assert theory.hutter_error(beta, 0) == pytest.approx(1.0, rel=1e-14)
    constant = theory.clean_constant(beta)
    assert found[-1] == pytest.approx(constant * 1e15 ** (1.0 / beta - 1.0), rel=1e-9)


def test_golden_clean_law():
    assert theory.hutter_error(1.5, 60) == pytest.approx(0.2396239377390, rel=1e-12)
    assert theory.hutter_error(2.0, 100) == pytest.approx(0.0688404894706, rel=1e-12)
    # the mass beyond a billion items at an exponent of 1.05: no support may be cut
    assert theory.tail_mass(1.05, 10**9) == pytest.approx(0.345, abs=5e-4)


def test_closed_form_of_the_clean_law():
    """Agreement beyond all orders: exponentially small differences where printed."""
    for beta, T, difference in [(1.5, 10, 3.4e-3), (1.1, 100, -3.4e-6), (3.0, 100, -1.3e-3)]:
        off = closed(beta, T) / theory.hutter_error(beta, T) - 1.0
        assert off == pytest.approx(difference, rel=0.05)
    for beta in (1.05, 1.5, 2.0):
        assert theory.hutter_error(beta, 1e3) == pytest.approx(closed(beta, 1e3), rel=1e-10)
    # which need not be small: the sum, not the closed form, is what the package returns
    assert theory.hutter_error(6.0, 1e3) / closed(6.0, 1e3) == pytest.approx(1.07, abs=0.005)


def test_first_correction_of_the_clean_law():
    for beta in (1.2, 1.5, 2.0, 3.0):
        c, T = 1.0 - 1.0 / beta, 1e5
        ratio = theory.hutter_error(beta, T) * T**c / theory.clean_constant(beta)
        assert ratio - 1.0 == pytest.approx(-c * (c + 1.0) / (2.0 * T), rel=1e-3)


@pytest.mark.parametrize("beta", EXPONENTS)
def test_new_items_are_found_with_the_unseen_mass(beta):
    sizes = np.array([0, 1, 2, 7, 50, 1000, 10_000])
    gain = theory.distinct_items(beta, sizes + 1) - theory.distinct_items(beta, sizes)
    assert gain == pytest.approx(theory.hutter_error(beta, sizes), rel=1e-10, abs=1e-13)
    assert theory.distinct_items(beta, [0, 1]) == pytest.approx([0.0, 1.0], abs=1e-13)


def test_heaps_law():
    for beta, T in [(1.5, 1e6), (2.0, 1e15), (1.05, 1e9)]:
        c = 1.0 - 1.0 / beta
        law = zeta(beta) ** (-1.0 / beta) * gamma(c) * poch(T + c, 1.0 - c) - 0.5
        assert theory.distinct_items(beta, T) == pytest.approx(law, rel=1e-12)


@pytest.mark.parametrize("beta", EXPONENTS)
@pytest.mark.parametrize("k", [1, 2, 30, 77, 10_000])
def test_cut_tails(beta, k):
    head = math.fsum(np.arange(1, k + 1, dtype=float) ** -beta)
    floor = zeta(beta, k + 1) / zeta(beta)
    assert theory.tail_mass(beta, k) == pytest.approx(floor, rel=1e-13)
    for T in (0, 1, 100, 10_000):
        expected = reference(T, 1.0 / head, beta, beta, 1, k) / zeta(beta) + floor
        assert theory.cut_error(beta, T, k) == pytest.approx(expected, rel=1e-13)
    # far beyond the crossover, which may lie higher still
    assert theory.cut_error(beta, 1e40, k) == pytest.approx(floor, rel=1e-13)


def test_far_cuts_change_nothing():
    for beta, k in [(1.5, 10**15), (6.0, 10**6)]:
        whole = theory.hutter_error(beta, 1e4)
        assert theory.cut_error(beta, 1e4, k) == pytest.approx(whole, rel=1e-6)


def test_golden_cut():
    table = theory.tail_acquisition_error(1.5, np.array([[1e6], [1e8], [1e10]]), 1000, [
        1001, 2000, 100_000], 0.01)  # fmt: skip
    printed = [
        [0.01263, 0.01819, 0.02417],
        [0.00272, 0.00951, 0.02305],
        [0.00059, 0.00761, 0.02206],
    ]
    assert table == pytest.approx(np.array(printed), abs=6e-6)
    real = theory.mix_error(1.5, [1e6, 1e8, 1e10], 1000, 0.01)
    assert real == pytest.approx([0.02350, 0.00942, 0.00203], abs=6e-6)
    assert theory.tail_mass(1.5, 1000) == pytest.approx(0.02420, abs=6e-6)


@pytest.mark.parametrize("beta", [1.2, 1.5, 2.0, 3.0])
def test_floor_of_a_cut_is_a_power_law(beta):
    """TAL-3: the margin of 0.02 is that of the claim."""
    ranks = np.geomspace(100, 10_000, 9).round()
    floors = theory.cut_error(beta, 1e60, ranks)
    assert log_log_slope(ranks, floors).slope == pytest.approx(1.0 - beta, abs=0.002)


@pytest.mark.parametrize("beta", [1.2, 1.5, 2.0, 3.0])
def test_crossover(beta):
    c = 1.0 - 1.0 / beta
    printed = {1.2: 3.565, 1.5: 1.860, 2.0: 1.292, 3.0: 1.031}[beta]
    assert theory.crossover_samples(beta, 1) == pytest.approx(printed, abs=6e-4)
    for k in (100, 1000):
        crossing = theory.crossover_samples(beta, k)
        floor = theory.tail_mass(beta, k)

        def above(log_t, floor=floor):
            return theory.hutter_error(beta, np.exp(log_t)) - floor

        solved = brentq(above, 0.0, 200.0, xtol=1e-13)
        assert np.exp(solved) / crossing - 1.0 == pytest.approx(beta / (2 * k), rel=0.15)
    # at the crossover the error exceeds the floor by the part of the head not yet seen
    over = 1.0 + gammaincc(c, gamma(1.0 + c) ** (1.0 / c))
    assert over == pytest.approx({1.2: 1.077, 1.5: 1.147, 2.0: 1.210, 3.0: 1.267}[beta], abs=6e-4)
    k = 10**9
    crossing = theory.crossover_samples(beta, k)
    ratio = theory.cut_error(beta, crossing, k) / theory.tail_mass(beta, k)
    # H_k tends to zeta like k^(1 - beta): slowly for an exponent of 1.2
    assert ratio == pytest.approx(over, rel=0.002 if beta < 1.5 else 2e-5)


def test_narrowed_tails():
    for beta, narrowed in [(1.5, 2.25), (2.0, 2.5), (1.2, 3.0), (2.0, 1.2), (1.01, 6.0)]:
        for T in (0, 1, 30, 1000, 30_000):
            if (2.0 * T / zeta(narrowed)) ** (1.0 / narrowed) < 1e6:
                expected = reference(T, 1 / zeta(narrowed), beta, narrowed) / zeta(beta)
                assert theory.narrow_error(beta, T, narrowed) == pytest.approx(expected, rel=1e-13)
        s = (beta - 1.0) / narrowed
        late = zeta(narrowed) ** s / (narrowed * zeta(beta)) * gamma(s) / poch(1e12 + 1.0, s)
        assert theory.narrow_error(beta, 1e12, narrowed) == pytest.approx(late, rel=1e-12)
    assert theory.narrow_error(1.7, 321, 1.7) == theory.hutter_error(1.7, 321)
    assert theory.narrow_error(2.0, 1e6, 1.2) < theory.hutter_error(2.0, 1e6)


@pytest.mark.parametrize("beta", [1.2, 1.5, 2.0, 3.0, 6.0])
def test_top_p_keeps_the_smallest_head(beta):
    masses = np.array([1e-3, 0.2, 0.5, 0.9, 0.93, 0.99])
    for mass, rank in zip(masses, np.atleast_1d(theory.top_p_rank(beta, masses)), strict=True):
        if rank > 1e6:
            continue
        heads = np.cumsum(np.arange(1.0, rank + 2.0) ** -beta) / zeta(beta)
        assert heads[int(rank) - 1] >= mass - 1e-12
        assert rank == 1 or heads[int(rank) - 2] < mass + 1e-12


def test_golden_top_p():
    assert theory.top_p_rank(1.5, 0.9) == 59
    rank, ranks, floors = 0, [], []
    kept = 1.0
    for _ in range(5):
        rank = theory.top_p_rank(1.5, 0.99 * kept)
        kept = 1.0 - theory.tail_mass(1.5, rank)
        ranks.append(rank)
        floors.append(1.0 - kept)
    assert ranks == [5861, 1480, 665, 378, 245]
    assert floors == pytest.approx([0.0100, 0.0199, 0.0297, 0.0394, 0.0489], abs=6e-5)
    assert floors == pytest.approx(1.0 - 0.99 ** np.arange(1, 6), rel=0.02)  # TAL-6
    # the rank of an exponent near one is astronomic, and at last no number
    assert theory.top_p_rank(1.01, 0.9) == pytest.approx((0.1 * 0.01 * zeta(1.01)) ** -100.0)
    assert theory.top_p_rank(1.001, 0.9) == np.inf


def test_effective_samples():
    assert theory.effective_samples(1000, [0, 10, 1000, 1e9]) == pytest.approx(
        [0.0, 9.950166, 632.120559, 1000.0], abs=1e-6
    )
    assert theory.effective_samples(1e15, 1.0) == pytest.approx(1.0, rel=1e-12)


def test_chain_of_one_and_two():
    assert theory.chain_error(1.5, [777]) == theory.hutter_error(1.5, 777)
    assert theory.chain_skills(1.5, [777]) == theory.distinct_items(1.5, 777)
    assert theory.chain_error(1.5, [500, 300], 1.0) == pytest.approx(
        theory.hutter_error(1.5, 300),
        rel=1e-14,  # all real: the first generation is forgotten
    )
    for T0, T in [(1000, 100), (1000, 1000), (1000, 10**5)]:
        total = theory.chain_effective_samples([T0, T])
        assert total == pytest.approx(theory.effective_samples(T0, T), rel=1e-14)
        by_size = theory.hutter_error(1.5, total)
        assert theory.chain_error(1.5, [T0, T]) == pytest.approx(by_size, rel=1.0 / T0 + 1.0 / T)


def test_golden_survival():
    survival = [theory.chain_effective_samples([1.0] * (n + 1)) for n in range(4)]
    assert survival == pytest.approx([1.0, 0.6321, 0.4685, 0.3741], abs=6e-5)
    half = [(n + 1) * theory.chain_effective_samples(np.ones(n + 1)) / 2 for n in (10, 100, 1000)]
    assert half == pytest.approx([0.87, 0.977, 0.997], abs=6e-3)


def test_golden_chain():
    """Printed with the asymptotic law, which the first correction separates from the sum."""
    found = [
        theory.chain_error(1.5, [2000] * 11),
        theory.chain_error(1.5, [2000] * 101),
        theory.chain_error(2.0, [2000] * 6),
        theory.chain_error(1.2, [500] * 31),
        theory.chain_error(1.5, [4000, 1000, 8000, 2000]),
    ]
    assert found == pytest.approx([0.1382, 0.2783, 0.0298, 0.626, 0.1037], rel=2e-3)


def test_chains_broadcast():
    sizes = np.array([[100.0, 200.0, 50.0], [10.0, 1e6, 300.0]])
    both = theory.chain_error(1.5, sizes, [[0.0], [0.3], [1.0]])
    assert both.shape == (3, 2)
    assert both[1, 0] == theory.chain_error(1.5, sizes[0], 0.3)
    # bottleneck: the smallest generation decides
    assert theory.chain_effective_samples(sizes[1]) < 10


@pytest.mark.parametrize("beta", [1.2, 1.5, 2.0, 3.0])
def test_growth_with_generations(beta):
    """TAL-9: slopes as printed, below the linear bound. TAL-16: skills fall like n^(-1/beta)."""
    counts = np.array([10, 30, 100, 300, 1000, 3000])
    totals = np.array([theory.chain_effective_samples(np.ones(n + 1)) for n in counts])
    c = 1.0 - 1.0 / beta
    printed = {1.2: 0.1606, 1.5: 0.3213, 2.0: 0.4819, 3.0: 0.6425}[beta]
    assert log_log_slope(counts, totals**-c).slope == pytest.approx(printed, abs=6e-5)
    errors = np.array([theory.chain_error(beta, np.full(n + 1, 1e9)) for n in counts])
    assert log_log_slope(counts, errors).slope == pytest.approx(printed, abs=1e-3)
    assert np.all(errors < (counts + 1) * theory.hutter_error(beta, 1e9))
    skills = np.array([theory.chain_skills(beta, np.full(n + 1, 1e9)) for n in counts])
    assert log_log_slope(counts, skills + 0.5).slope == pytest.approx(
        -printed * (1 / c - 1), rel=2e-3
    )


def test_regular_real_data():
    printed = {0.5: 0.870, 0.1: 0.400, 0.01: 0.0813, 1e-3: 0.01265, 1e-4: 0.00172}
    for share, value in printed.items():
        found = theory.stationary_effective_samples(1.0, share)
        assert found == pytest.approx(value, rel=5e-3)
        if share >= 1e-3:
            long = np.ones(math.ceil(45 / share))
            assert theory.chain_effective_samples(long, share) == pytest.approx(found, rel=1e-12)
        if share <= 1e-3:  # TAL-15
            assert found == pytest.approx(share * (2 * math.log(1 / share) - 1.185), rel=0.01)
    assert theory.stationary_effective_samples([3.0, 5.0], 1.0).tolist() == [3.0, 5.0]


def test_fresh_prompts_by_inclusion_and_exclusion():
    for beta, T0, T in [(1.05, 50, 70), (1.5, 1000, 1000), (2.0, 300, 7), (3.0, 10, 10**5)]:
        for n in (0, 1, 2, 5):
            known = sum(
                (-1) ** m * comb(n, m) * (clean(beta, m * T0) - clean(beta, m * T0 + T))
                for m in range(n + 1)
            )
            found = theory.fresh_prompt_error(beta, T0, T, n)
            assert found == pytest.approx(1.0 - known, rel=1e-12), (beta, n)


def test_fresh_prompts_over_many_generations():
    for beta in (1.2, 1.5, 2.0):
        ranks = np.arange(1.0, 400_001.0)
        p = ranks**-beta / zeta(beta)
        for n in (10, 100, 10_000, 10**6):
            seen = -np.expm1(1000 * np.log1p(-p))
            expected = np.sum(p * (1.0 - seen ** (n + 1))) + zeta(beta, 400_001) / zeta(beta)
            found = theory.fresh_prompt_error(beta, 1000, 1000, n)
            assert found == pytest.approx(expected, rel=1e-10)
            # TAL-10
            law = (zeta(beta) * (math.log(n + 1) + np.euler_gamma) / 1000) ** (1 - 1 / beta)
            assert law / ((beta - 1) * zeta(beta)) == pytest.approx(found, rel=0.02)
    printed = theory.fresh_prompt_error(1.5, 1000, 1000, [1, 10, 100, 1000])
    assert printed == pytest.approx([0.1135, 0.1496, 0.1813, 0.2054], abs=6e-5)


def test_fresh_prompts_at_the_ends():
    assert theory.fresh_prompt_error(1.5, 1000, 0, [0, 3]).tolist() == [1.0, 1.0]
    whole = theory.hutter_error(1.5, [1.0, 1e3, 1e15])
    assert theory.fresh_prompt_error(1.5, 7, [1.0, 1e3, 1e15], 0) == pytest.approx(whole, rel=2e-13)
    # a student of endless data knows what the one generator knew
    for beta in EXPONENTS:
        late = theory.fresh_prompt_error(beta, [3.0, 1e4, 1e9], 1e30, 1)
        assert late == pytest.approx(theory.hutter_error(beta, [3.0, 1e4, 1e9]), rel=2e-13)


@pytest.mark.parametrize("beta", [1.05, 1.2, 1.5, 2.0, 3.0, 6.0])
@pytest.mark.parametrize("k", [1, 10, 100, 2000])
def test_mixed_data(beta, k):
    head = math.fsum(np.arange(1, k + 1, dtype=float) ** -beta)
    for share in (1e-3, 0.1, 0.7):
        for T in (1, 100, 10_000, 10**6):
            if (2.0 * T * share / zeta(beta)) ** (1.0 / beta) > 1e6:
                continue
            real = share / zeta(beta)
            rate = real + (1.0 - share) / head
            expected = reference(T, rate, beta, beta, 1, k) + reference(T, real, beta, beta, k + 1)
            found = theory.mix_error(beta, T, k, share)
            assert found == pytest.approx(expected / zeta(beta), rel=1e-13)
    assert theory.mix_error(beta, 999, k, 0.0) == theory.cut_error(beta, 999, k)
    assert theory.mix_error(beta, 999, k, 1.0) == pytest.approx(
        theory.hutter_error(beta, 999), rel=1e-13
    )


def test_the_clean_exponent_returns():
    """TAL-11: beyond 1000 T*/pi only the real samples count; at T*/pi a share 1 - Q of the floor.

    Q is what the error exceeds the floor by at T*: see the test of the crossover.
    """
    for beta, near in [(1.2, 0.9225), (1.5, 0.8529), (2.0, 0.7899), (3.0, 0.7326)]:
        c, k, share = 1.0 - 1.0 / beta, 10**6, 1e-3
        assert gammainc(c, gamma(1.0 + c) ** (1.0 / c)) == pytest.approx(near, abs=6e-5)
        start, end = theory.plateau(beta, k, share)
        assert start == theory.crossover_samples(beta, k)
        assert end == pytest.approx(start / share, rel=1e-15)
        now = theory.mix_error(beta, end, k, share)
        assert now == pytest.approx(near * theory.hutter_error(beta, share * end), rel=1e-4)
        assert now == pytest.approx(near * theory.tail_mass(beta, k), rel=1e-4)
        late = theory.clean_constant(beta) * (1e3 * start) ** (1.0 / beta - 1.0)
        assert theory.mix_error(beta, 1e3 * end, k, share) == pytest.approx(late, rel=1e-3)
    # printed, at smaller cuts
    for beta, k, to_clean, to_floor in [(1.5, 1000, 0.852, 0.854), (2.0, 50, 0.785, 0.793)]:
        end = theory.plateau(beta, k, 1e-3)[1]
        now = theory.mix_error(beta, end, k, 1e-3)
        law = theory.clean_constant(beta) * (1e-3 * end) ** (1.0 / beta - 1.0)
        assert now / law == pytest.approx(to_clean, abs=2e-3)
        assert now / theory.tail_mass(beta, k) == pytest.approx(to_floor, abs=2e-3)


def test_the_plateau_is_flattest_near_its_start():
    """TAL-12, with the printed sizes."""
    for k, share, printed in [(100, 1e-3, 1.78e4), (100, 1e-4, 2.33e4), (30, 0.01, 1.95e3)]:
        sizes = np.geomspace(1e2, 1e7, 4001)
        slopes = np.gradient(np.log(theory.mix_error(1.5, sizes, k, share)), np.log(sizes))
        inside = sizes > theory.crossover_samples(1.5, k)
        flattest = sizes[inside][np.argmax(slopes[inside])]
        assert flattest == pytest.approx(printed, rel=0.01)
        assert theory.flattest_samples(1.5, k, share) == pytest.approx(flattest, rel=0.1)
        if k == 30:
            assert slopes[inside].max() == pytest.approx(-0.0130, abs=1e-4)
    assert theory.flattest_samples(1.5, 100, [1e-3, 1e-4]) == pytest.approx(
        [1.75e4, 2.31e4], rel=3e-3
    )


def test_narrowed_mixtures():
    for beta, narrowed, share in [(1.5, 3.0, 0.01), (2.0, 2.5, 0.1), (2.0, 1.2, 0.5)]:
        ranks = np.arange(1.0, 2_000_001.0)
        a, b = share / zeta(beta), (1.0 - share) / zeta(narrowed)
        q = a * ranks**-beta + b * ranks**-narrowed
        for T in (0, 1, 100, 10_000):
            if T * q[-1] > 1e-3:
                continue
            total = np.sum(ranks**-beta * np.exp(T * np.log1p(-q)))
            last = ranks.size + 1
            total += zeta(beta, last) - T * (
                a * zeta(2 * beta, last) + b * zeta(beta + narrowed, last)
            )
            pairs = [
                (a * a, 3 * beta),
                (2 * a * b, 2 * beta + narrowed),
                (b * b, beta + 2 * narrowed),
            ]
            total += 0.5 * T * (T - 1) * sum(w * zeta(e, last) for w, e in pairs)
            found = theory.narrow_mix_error(beta, T, narrowed, share)
            assert found == pytest.approx(total / zeta(beta), rel=1e-10), (beta, T)
    sizes = np.array([3.0, 1e3, 1e9, 1e15])
    for beta, narrowed in [(1.01, 6.0), (1.5, 2.0), (6.0, 1.2)]:
        one = theory.narrow_mix_error(beta, sizes, narrowed, 1.0)
        assert one == pytest.approx(theory.hutter_error(beta, sizes), rel=2e-13)
        none = theory.narrow_mix_error(beta, sizes, narrowed, 0.0)
        assert none == pytest.approx(theory.narrow_error(beta, sizes, narrowed), rel=2e-13)


def test_narrowed_mixtures_return_to_the_clean_law():
    """TAL-13, with the printed ratios."""
    crossover = 0.01 ** (-3.0 / 1.5)
    sizes = crossover * np.array([1e-2, 1.0, 1e2, 1e4])
    found = theory.narrow_mix_error(1.5, sizes, 3.0, 0.01)
    to_narrow = found / theory.narrow_error(1.5, sizes, 3.0)
    to_clean = found / (theory.clean_constant(1.5) * (0.01 * sizes) ** (-1 / 3))
    assert to_narrow == pytest.approx([0.99, 0.91, 0.58, 0.28], abs=6e-3)
    assert to_clean == pytest.approx([0.36, 0.71, 0.98, 1.00], abs=6e-3)
    late = theory.clean_constant(1.5) * (0.01 * sizes[-1]) ** (-1 / 3)
    assert found[-1] == pytest.approx(late, rel=0.02)


@pytest.mark.parametrize("tail", [1, 5, 300, 301, 302, 5000])
@pytest.mark.parametrize("beta", [1.2, 1.5, 3.0])
def test_bought_tails(beta, tail):
    k, share = 300, 0.05
    ranks = np.arange(1, k + 1, dtype=float)
    head = (1.0 - share) / math.fsum(ranks**-beta)
    deep = share / zeta(beta, tail)
    for T in (1, 1000, 10**6):
        if (2 * T * deep) ** (1 / beta) > 1e6:
            continue
        total = reference(T, deep, beta, beta, max(tail, k + 1))
        total += math.fsum(
            rank**-beta * (1.0 - rank**-beta * (head + (deep if rank >= tail else 0.0))) ** T
            for rank in ranks
        )
        if tail > k + 1:
            total += zeta(beta, k + 1) - zeta(beta, tail)
        found = theory.tail_acquisition_error(beta, T, k, tail, share)
        assert found == pytest.approx(total / zeta(beta), rel=1e-11), T
    if tail == 1:
        mixed = theory.mix_error(beta, 1234, k, share)
        assert theory.tail_acquisition_error(beta, 1234, k, tail, share) == pytest.approx(mixed)


def test_a_tail_that_joins_up_is_a_bargain():
    """TAL-14: late law and crossover; a deep tail leaves the floor between."""
    beta, k, share = 1.5, 1000, 1e-3
    mass = theory.tail_mass(beta, k)
    crossing = theory.acquisition_crossover(beta, k, share)
    c = 1.0 - 1.0 / beta
    simple = gamma(1.0 + c) ** (1.0 / c) * k / ((beta - 1.0) * share)
    assert crossing == pytest.approx(simple, rel=2.0 * beta / k)
    late = theory.clean_constant(beta) * (share * 1e4 * crossing / mass) ** -c
    found = theory.tail_acquisition_error(beta, 1e4 * crossing, k, k + 1, share)
    assert found == pytest.approx(late, rel=1e-3)
    deep = theory.tail_acquisition_error(beta, 1e18, k, 4 * k + 1, share)
    assert deep == pytest.approx(mass - theory.tail_mass(beta, 4 * k), rel=2e-3)
    assert deep == pytest.approx(mass * (1.0 - 4.0 ** (1.0 - beta)), rel=3e-3)
    saved = theory.plateau(2.0, 300, 1e-4)[1] / theory.acquisition_crossover(2.0, 300, 1e-4)
    assert saved == pytest.approx(494, abs=0.6)


def total_variation(beta, n, k=None, terms=400_000):
    """By the binomial law of each token, and the mass of those almost surely unseen."""
    cut = terms if k is None else k
    p = np.arange(1, cut + 1, dtype=float) ** -beta / zeta(beta)
    q = p if k is None else p / p.sum()
    x = n * p
    m = np.floor(x)
    above = n * q * binom.sf(m - 1, n - 1, q) - x * binom.sf(m, n, q)  # E (N - x)^+
    total = np.sum(2.0 * above + x - n * q) / (2 * n)
    beyond = zeta(beta, cut + 1) / zeta(beta)
    if k is not None:
        return total + 0.5 * beyond
    rare = zeta(2.0 * beta, cut + 1) / zeta(beta) ** 2  # E|N/n - p| = 2 p (1 - p)^n
    return total + beyond - n * rare


@pytest.mark.parametrize("beta", [1.2, 1.5, 2.0, 3.0, 6.0])
def test_total_variation_is_that_of_binomials(beta):
    for n in (1, 2, 10, 100, 1000):
        found = theory.exact_bigram_error(beta, n)
        assert found == pytest.approx(total_variation(beta, n), rel=2e-6 if beta < 1.5 else 1e-8)
        for k in (1, 4, 50):
            found = theory.exact_bigram_error(beta, n, k)
            assert found == pytest.approx(total_variation(beta, n, k), rel=1e-10)


def test_golden_total_variation():
    assert theory.exact_bigram_error(1.5, 1000) == pytest.approx(0.13999, abs=6e-6)
    assert theory.exact_bigram_error(3.0, 10**4) == pytest.approx(0.006365, abs=6e-7)
    assert theory.exact_bigram_error(2.0, 10**4) == pytest.approx(0.01980, abs=6e-6)
    assert theory.exact_bigram_error(1.05, 1000) == pytest.approx(0.8080, abs=6e-5)
    cut = theory.exact_bigram_error(1.5, [100, 1000, 10**4, 10**5], 20)
    assert cut == pytest.approx([0.2387, 0.1779, 0.1693, 0.1691], abs=6e-5)
    cut = theory.exact_bigram_error(3.0, [100, 1000, 10**4, 10**5], 5)
    assert cut == pytest.approx([0.0493, 0.0221, 0.0154, 0.0139], abs=6e-5)
    # TAL-18: the floor is the tail mass, for exponents above 2 too
    assert cut[-1] == pytest.approx(theory.tail_mass(3.0, 5), rel=0.03)
    assert theory.exact_bigram_error(3.0, 10**14, 5) == pytest.approx(
        theory.tail_mass(3.0, 5), rel=1e-6
    )


@pytest.mark.parametrize("beta", [1.2, 2.0, 3.0])
def test_total_variation_of_a_cut_tail(beta):
    """At every rank, and to the law without a cut when the rank is high."""
    sizes = [1, 30, 1000]
    for k in (1, 7, 300):
        found = theory.bigram_error(beta, sizes, rank=k)
        assert found == pytest.approx([total_variation(beta, n, k) for n in sizes], rel=1e-9)
        # with many samples the mass of the tail is left
        left = theory.bigram_error(beta, 10**15, rank=k)
        assert left == pytest.approx(theory.tail_mass(beta, k), rel=1e-3)
    whole = theory.exact_bigram_error(beta, sizes)
    high = theory.bigram_error(beta, sizes, rank=10**15)
    assert high == pytest.approx(whole, rel=3e-3 if beta < 2 else 1e-12)
    assert isinstance(theory.bigram_error(beta, 30, rank=7), float)


def test_golden_constants_of_total_variation():
    printed = {
        1.2: (1.29558, -0.35871), 1.5: (1.69232, -0.92454), 1.8: (3.48021, -2.85564),
        2.5: (-0.99407, 1.39866), 3.0: (-0.42166, 0.72741), 4.0: (-0.16912, 0.34996),
    }  # fmt: skip
    for beta, constants in printed.items():
        assert bigram_constants(beta) == pytest.approx(constants, abs=6e-6)


@pytest.mark.parametrize(
    ("beta", "margin"),
    [(1.2, 5e-4), (1.5, 5e-4), (1.8, 5e-4), (1.9, 1e-3), (2.0, 1e-3), (2.04, 1e-3), (2.06, 1e-3),
     (2.5, 2e-3), (3.0, 4e-3), (4.0, 6e-3)],
)  # fmt: skip
def test_two_terms_of_total_variation(beta, margin):
    """TAL-17, at more sizes than its margins were read from."""
    sizes = np.unique(np.geomspace(1e3, 1e5, 120).round())
    exact = theory.exact_bigram_error(beta, sizes)
    found = theory.bigram_error(beta, sizes)
    assert np.max(np.abs(found / exact - 1.0)) < margin
    assert abs(np.mean(found / exact - 1.0)) < 0.1 * margin
    late = theory.exact_bigram_error(beta, 10**7)
    assert theory.bigram_error(beta, 10**7) == pytest.approx(late, rel=4e-5)


def test_total_variation_at_an_exponent_of_two():
    n = np.array([1e6, 1e9, 1e15])
    law = (0.15553 * np.log(n) + 0.548) / np.sqrt(n)
    assert theory.bigram_error(2.0, n) == pytest.approx(law, rel=1e-4)
    # the interpolation joins up with both sides
    for beta in (1.95, 2.05):
        inside = np.array([beta - 1e-9, beta + 1e-9])
        one, other = (theory.bigram_error(value, n) for value in inside)
        assert one == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize(
    ("beta", "rho", "T"), [(1.5, 3.0, 1000), (1.5, 1.5, 1000), (2.0, 2.0, 1000), (3.0, 2.0, 3000)]
)
def test_contexts_are_binomial_mixtures(beta, rho, T):
    variation = np.append(1.0, theory.exact_bigram_error(beta, np.arange(1.0, T + 1.0)))
    counts, last = np.arange(T + 1), 400
    share = np.arange(1.0, last + 1.0) ** -rho / zeta(rho)
    total = sum(one * np.sum(binom.pmf(counts, T, one) * variation) for one in share)
    # rarer contexts: never, once or twice
    slope, bend = variation[1] - 1.0, variation[2] - 2.0 * variation[1] + 1.0
    factors = 1.0, T * slope / zeta(rho), 0.5 * T * (T - 1) * bend / zeta(rho) ** 2
    total += sum(w * zeta((m + 1) * rho, last + 1) for m, w in enumerate(factors)) / zeta(rho)
    assert theory.context_bigram_error(beta, rho, T) == pytest.approx(total, rel=5e-4)


def test_exponents_of_contexts():
    """TAL-20: the printed slope, and the logarithm at equal exponents."""
    sizes = 10.0 ** np.arange(3, 9)
    found = theory.context_bigram_error(1.5, 3.0, sizes)
    assert log_log_slope(sizes, found).slope == pytest.approx(-0.312, abs=6e-4)
    gain = np.diff(theory.context_bigram_error(1.5, 1.5, sizes) * sizes ** (1 / 3))
    assert np.all(gain > 1.1)  # as much again for each decade
    assert gain[-1] == pytest.approx(gain[-2], rel=0.03)
    other = np.diff(theory.context_bigram_error(1.5, 3.0, sizes) * sizes ** (1 / 3))
    assert other[-1] < 0.7 * other[-2]


def test_known_skills():
    gcds = 6.0 / (np.pi * np.arange(1, 101)) ** 2
    assert theory.known_skills(gcds, 20_000, 20) == pytest.approx(24.6, abs=0.05)
    expected = [np.sum(binom.sf(2, n, [0.0, 0.1, 0.5, 1.0])) for n in (0, 2, 3, 40)]
    found = theory.known_skills([0.0, 0.1, 0.5, 1.0], [0, 2, 3, 40], 3)
    assert found == pytest.approx(expected, rel=1e-12)


def test_memories():
    setting = {"rank": 1000, "n_items": 5000}
    assert theory.memory_error(1.5, 2e4, 20, 20, **setting) == pytest.approx(0.1520, abs=6e-5)
    assert theory.memory_error(1.5, 2e4, 20, 20, rank=15, n_items=5000) == pytest.approx(
        0.1763, abs=6e-5
    )
    assert theory.memory_error(1.5, 60, 20, 20, **setting) == pytest.approx(0.2275, abs=6e-5)
    p = np.arange(1.0, 5001.0) ** -1.5
    p /= p.sum()
    head = np.sum(p[:20] * (1.0 - p[:20] / p[:1000].sum()) ** 60)
    assert theory.memory_error(1.5, 60, 20, 20, **setting) == pytest.approx(
        0.95 * (head + p[20:].sum()), rel=1e-12
    )
    # with room for all and no guessing, the memoriser
    whole = theory.memory_error(1.5, 1e3, 10**15, 10**9)
    assert whole == pytest.approx(theory.hutter_error(1.5, 1e3), rel=1e-6)
    whole = theory.memory_error(2.0, 1e3, 10**15, 10**15, rank=70)
    assert whole == pytest.approx(theory.cut_error(2.0, 1e3, 70), rel=1e-12)
    assert theory.memory_error(2.0, 1e3, 9, 1) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    beta=st.floats(1.01, 6.0),
    log_t=st.floats(0.0, 34.0),
    k=st.integers(1, 10**6),
    share=st.floats(0.0, 1.0),
)
def test_errors_are_probabilities_that_fall(beta, log_t, k, share):
    T = np.exp([log_t, log_t + 0.5])
    errors = [
        theory.hutter_error(beta, T),
        theory.cut_error(beta, T, k),
        theory.mix_error(beta, T, k, share),
        theory.narrow_error(beta, T, 1.7),
        theory.tail_acquisition_error(beta, T, k, k + 7, share),
    ]
    for early, late in errors:
        assert 0.0 <= late <= early * (1.0 + 1e-12) <= 1.0 + 1e-9
    clean_now, floor = errors[0][0], theory.tail_mass(beta, k)
    assert errors[1][1] >= floor * (1.0 - 1e-12)
    items = theory.distinct_items(beta, T)
    assert 1.0 - 1e-9 <= items[0] <= items[1] * (1.0 + 1e-12)
    assert items[0] <= T[0] * (1.0 + 1e-12)
    assert clean_now > 0.0


SIZES = [0.0, 1e-300, 0.5, 1.0, 1e6, 1e15, 1e100]
RANKS = [1.0, 25.0, 26.0, 1000.0, 1e17, 1e100, 1e300]


@settings(max_examples=150, deadline=None)
@given(
    beta=st.floats(-9.0, 2.0).map(lambda power: min(1.0 + 10.0**power, 100.0)),
    other=st.floats(-9.0, 2.0).map(lambda power: min(1.0 + 10.0**power, 100.0)),
    T=st.sampled_from(SIZES),
    k=st.sampled_from(RANKS),
    first=st.sampled_from(RANKS),
    share=st.sampled_from([0.0, 1e-300, 1e-3, 1.0 - 1e-16, 1.0]),
)
def test_extremes_give_numbers(beta, other, T, k, first, share):
    some, chain = max(share, 1e-300), [max(T, 1e-3), 10.0, 1e15]
    errors = [
        theory.hutter_error(beta, T),
        theory.cut_error(beta, T, k),
        theory.narrow_error(beta, T, other),
        theory.mix_error(beta, T, k, share),
        theory.narrow_mix_error(beta, T, other, share),
        theory.tail_acquisition_error(beta, T, k, first, share),
        theory.memory_error(beta, T, k, 20),
        theory.fresh_prompt_error(beta, max(T, 1e-3), 1e5, 3),
        theory.chain_error(beta, chain, share),
        theory.tail_mass(beta, k),
    ]
    assert all(0.0 <= error <= 1.0 + 1e-6 for error in errors), errors
    others = [
        theory.distinct_items(beta, T),
        theory.chain_skills(beta, chain, share),
        theory.top_p_rank(beta, min(some, 1.0 - 1e-16)),
        theory.crossover_samples(beta, k),
        *theory.plateau(beta, k, some),
        theory.flattest_samples(beta, k, some),
        theory.acquisition_crossover(beta, k, some),
    ]
    assert all(value >= 0.0 for value in others), others


def test_a_chain_of_real_samples_alone_has_a_number():
    # its two sizes are equal, and rounding must not take one above the other
    for beta in (1.5, 10.0, 100.0):
        error = theory.chain_error(beta, [1e-3, 10.0, 1e15], 1.0)
        assert error == pytest.approx(theory.hutter_error(beta, 1e15), rel=1e-6)


def test_acquisition_at_steep_tails():
    """Where the tail's mass is below any float."""
    for beta, k in [(60.0, 10**5), (100.0, 500), (20.0, 3000)]:
        ratio = k / (k + np.arange(1.0, 200_000.0))
        c = 1.0 - 1.0 / beta
        expected = gamma(1.0 + c) ** (1.0 / c) * np.sum(ratio**beta) / 0.1
        assert theory.acquisition_crossover(beta, k, 0.1) == pytest.approx(expected, rel=1e-6)


BAD = [
    (
        lambda: theory.hutter_error(2.0, 1e101),
        ValueError,
        "n_samples must be finite and >= 0 and <= 1e.100",
    ),
    (
        lambda: theory.chain_error(2.0, [1e101]),
        ValueError,
        "sample_sizes must be finite and > 0 and <= 1e.1",
    ),
    (lambda: theory.hutter_error(1.0, 10), ValueError, "tail_exponent must be .* > 1 .*got 1.0"),
    (lambda: theory.hutter_error(101, 10), ValueError, "tail_exponent must be .*<= 100, got 101"),
    (lambda: theory.hutter_error("2", 10), TypeError, "tail_exponent must be a real number"),
    (lambda: theory.hutter_error(np.nan, 10), ValueError, "tail_exponent .*nan"),
    (lambda: theory.hutter_error(2.0, [1, -1]), ValueError, r"n_samples.* >= 0 .*\[1\] = .*-1"),
    (lambda: theory.hutter_error(2.0, np.inf), ValueError, "n_samples must be finite"),
    (lambda: theory.hutter_error(2.0, "many"), TypeError, "n_samples must be an array"),
    (lambda: theory.clean_constant(0.5), ValueError, "tail_exponent must be"),
    (lambda: theory.distinct_items(2.0, -1), ValueError, "n_samples must be .*>= 0"),
    (lambda: theory.tail_mass(2.0, 0), ValueError, "rank must be .*>= 1"),
    (lambda: theory.cut_error(2.0, 1, 1.5), ValueError, "rank must hold whole numbers >= 1.*1.5"),
    (lambda: theory.narrow_error(2.0, 1, 1.0), ValueError, "narrowed_exponent must be .*> 1"),
    (lambda: theory.top_p_rank(2.0, 1.0), ValueError, "top_p must be > 0 and < 1, got"),
    (lambda: theory.top_p_rank(2.0, 0.0), ValueError, "top_p must be .*> 0"),
    (lambda: theory.effective_samples(0, 1), ValueError, "n_generator_samples must be .*> 0"),
    (lambda: theory.effective_samples(1, -1), ValueError, "n_samples must be .*>= 0"),
    (lambda: theory.chain_error(2.0, []), ValueError, "sample_sizes must have >= 1 generation"),
    (lambda: theory.chain_error(2.0, 7), ValueError, "sample_sizes must have >= 1 generation"),
    (lambda: theory.chain_skills(2.0, [7, 0]), ValueError, r"sample_sizes.*\[1\] = .*0.0"),
    (
        lambda: theory.chain_error(2.0, [7], 1.1),
        ValueError,
        "real_fraction must be finite and >= 0 and <= 1",
    ),
    (lambda: theory.chain_effective_samples([7], -1), ValueError, "real_fraction must be"),
    (lambda: theory.stationary_effective_samples(7, 0.0), ValueError, "real_fraction must be"),
    (lambda: theory.fresh_prompt_error(2.0, 0, 1, 1), ValueError, "n_generator_samples must be"),
    (lambda: theory.fresh_prompt_error(2.0, 1, 1, -1), ValueError, "n_generations must be"),
    (lambda: theory.crossover_samples(2.0, 0), ValueError, "rank must be"),
    (lambda: theory.plateau(2.0, 5, 0.0), ValueError, "real_fraction must be .*> 0"),
    (
        lambda: theory.plateau(2.0, 5, 2.0),
        ValueError,
        "real_fraction must be finite and > 0 and <= 1, got",
    ),
    (lambda: theory.flattest_samples(2.0, 5, 0.0), ValueError, "real_fraction must be"),
    (lambda: theory.acquisition_crossover(2.0, 5, 0.0), ValueError, "real_fraction must be"),
    (lambda: theory.mix_error(2.0, 5, 5, -0.1), ValueError, "real_fraction must be .*>= 0"),
    (lambda: theory.narrow_mix_error(2.0, 5, 0.9, 0.1), ValueError, "narrowed_exponent must be"),
    (lambda: theory.tail_acquisition_error(2.0, 5, 5, 0, 0.1), ValueError, "n_tail_from must be"),
    (lambda: theory.bigram_error(1.01, 5), ValueError, "tail_exponent must be .*>= 1.05"),
    (lambda: theory.bigram_error(2.0, 0), ValueError, "n_samples must be .*>= 1"),
    (lambda: theory.context_bigram_error(2.0, 1.0, 1e4), ValueError, "context_exponent must be"),
    (lambda: theory.context_bigram_error(2.0, 2.0, 10), ValueError, "n_samples must be .*>= 1000"),
    (lambda: bigram_constants(2.0), ValueError, "tail_exponent must not be 2"),
    (lambda: theory.exact_bigram_error(2.0, 1.5), ValueError, "n_samples must hold whole"),
    (lambda: theory.exact_bigram_error(2.0, 5, 0), ValueError, "rank must be an integer >= 1"),
    (lambda: theory.exact_bigram_error(1.1, 1e15), ValueError, "n_samples .*use bigram_error"),
    (lambda: theory.bigram_error(2.0, 1.5, rank=5), ValueError, "n_samples must hold whole"),
    (lambda: theory.bigram_error(2.0, 5, rank=0), ValueError, "rank must be an integer >= 1"),
    (lambda: theory.bigram_error(1.01, 5, rank=2), ValueError, "tail_exponent must be .*>= 1.05"),
    (lambda: theory.known_skills([1.5], 5, 1), ValueError, "probabilities must be .*<= 1, got"),
    (lambda: theory.known_skills([0.5], 5, 0), ValueError, "n_examples must be"),
    (lambda: theory.memory_error(2.0, 5, 0, 2), ValueError, "capacity must be"),
    (lambda: theory.memory_error(2.0, 5, 5, 0), ValueError, "n_outputs must be"),
    (lambda: theory.memory_error(2.0, 5, 5, 2, rank=0), ValueError, "rank must be"),
    (lambda: theory.memory_error(2.0, 5, 5, 2, n_items=2.5), TypeError, "n_items must be"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
