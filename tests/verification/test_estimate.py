"""Intervals by their exact coverage, and what an audit says of pipelines that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, chi2

from fragile_learning.verification import Generator, Verifier, theory
from fragile_learning.verification.estimate import (
    Interval,
    audit,
    breakdown_interval,
    share_interval,
)

# --- the breakdown point --------------------------------------------------------------------------


def least_score(x, m, y, n, ratio):
    """Squared score of a ratio of shares, with the likeliest shares found by search."""

    def minus_log_likelihood(q):
        return -(binom.logpmf(x, m, ratio * q) + binom.logpmf(y, n, q))

    top = min(1.0, 1.0 / ratio)
    q = minimize_scalar(
        minus_log_likelihood, bounds=(0, top), method="bounded", options={"xatol": 1e-12}
    ).x
    p = ratio * q
    return (x - m * p) ** 2 / (m * p * (1 - p)) + (y - n * q) ** 2 / (n * q * (1 - q))


@pytest.mark.parametrize("counts", [(180, 200, 30, 100), (15, 40, 20, 30), (5, 6, 1, 9)])
def test_the_interval_is_where_the_score_is_critical(counts):
    y, n, x, m = counts
    point, low, high = breakdown_interval(*counts, confidence=0.9)
    assert point == pytest.approx(1 / (1 + (x / m) / (y / n)))
    for end in (low, high):
        ratio = 1 / end - 1
        assert least_score(x, m, y, n, ratio) == pytest.approx(chi2.isf(0.1, 1), rel=1e-4)
    assert low < point < high
    more = breakdown_interval(*counts, n_classes=5, confidence=0.9)
    for end, other in zip(more, (point, low, high), strict=True):
        assert 1 / end - 1 == pytest.approx((1 / other - 1) / 4)


def test_intervals_of_many_counts_are_those_of_the_logarithm():
    y, n, x, m = 18_000, 20_000, 6000, 20_000
    point, low, high = breakdown_interval(y, n, x, m)
    spread = 1.959964 * np.sqrt(0.1 / 0.9 / n + 0.7 / 0.3 / m)
    middle = np.log(point / (1 - point))
    ends = 1 / (1 + np.exp(-np.array([middle - spread, middle + spread])))
    assert [low, high] == pytest.approx(ends, abs=2e-4)


@pytest.mark.parametrize("rates", [(0.9, 0.3), (0.5, 0.05), (0.95, 0.9), (0.1, 0.6)])
def test_coverage_of_the_breakdown_point(rates):
    """Exact, by adding up all counts of a small sample."""
    n, m = 25, 18
    star = theory.breakdown_point(Verifier(*rates))
    covered = 0.0
    for y in range(n + 1):
        for x in range(m + 1):
            weight = binom.pmf(y, n, rates[0]) * binom.pmf(x, m, rates[1])
            if weight > 1e-9:
                _, low, high = breakdown_interval(y, n, x, m)
                covered += weight * (low <= star <= high)
    assert 0.925 < covered < 0.985


def test_empty_counts():
    assert breakdown_interval(0, 10, 0, 10) == Interval(0.5, 0.0, 1.0)
    point, low, high = breakdown_interval(180, 200, 0, 100)
    assert (point, high) == (1.0, 1.0)
    # one wrong label in n is kept less often than the limit, up to z^2/(n + z^2)
    assert low == pytest.approx(1 / (1 + 3.8415 / 103.84 / 0.9), abs=2e-3)
    point, low, high = breakdown_interval(0, 100, 180, 200)
    assert (point, low) == (0.0, 0.0)
    assert high == pytest.approx(1 - 1 / (1 + 3.8415 / 103.84 / 0.9), abs=2e-3)
    assert breakdown_interval(10, 10, 10, 10).estimate == 0.5
    sure = breakdown_interval(1, 1, 1, 1)
    assert 0.0 < sure.low < 0.5 < sure.high < 1.0
    mirrored = breakdown_interval(7, 20, 3, 30)
    other = breakdown_interval(3, 30, 7, 20)
    assert [other.low, other.high] == pytest.approx([1 - mirrored.high, 1 - mirrored.low])


# --- the audit ------------------------------------------------------------------------------------


def pipeline(p, phi, psi, n, rng):
    correct = rng.random(n) >= p
    return rng.random(n) < np.where(correct, phi, psi), correct


def exact(p, phi, psi, n):
    """A sample whose counts are the expected ones."""
    counts = [round(n * c) for c in ((1 - p) * phi, p * psi, (1 - p) * (1 - phi), p * (1 - psi))]
    kept = np.repeat([True, True, False, False], counts)
    return kept, np.repeat([True, False, True, False], counts)


def test_an_audit_by_hand():
    found = audit(*exact(0.3, 0.9, 0.3, 1000))
    assert (found.n_examples, found.n_kept, found.n_classes) == (1000, 720, 2)
    assert found.error_rate == share_interval(300, 1000)
    assert found.keep_if_correct == share_interval(630, 700)
    assert found.keep_if_wrong == share_interval(90, 300)
    assert found.selected_error_rate == share_interval(90, 720)
    assert found.breakdown_point == breakdown_interval(630, 700, 90, 300)
    assert found.highest_selected_error_rate == 0.5
    assert found.information == pytest.approx(0.405)
    assert found.unverified_information == pytest.approx(0.16)
    assert found.gain.estimate == pytest.approx(0.405 / 0.16)
    assert found.keep_if_wrong_limit == pytest.approx(2.1)
    assert found.outcome == "helps"
    assert found.recommendation.startswith("Train on the kept data: 12.5% of the kept labels")
    assert "Selection pays: a generated example is worth 2.5 times" in found.recommendation
    assert "No rise in the wrong labels" in found.recommendation
    assert "720 of 1000 examples kept (95% intervals)" in str(found)


def test_more_classes_bear_more():
    counts = exact(0.7, 0.8, 0.8, 1000)
    assert audit(*counts).outcome == "harms"
    found = audit(*counts, n_classes=10)
    assert found.outcome == "helps"
    assert found.highest_selected_error_rate == pytest.approx(0.9)
    assert found.information == pytest.approx((0.24 - 0.56 / 9) ** 2 / 0.8)
    assert found.keep_if_wrong_limit == pytest.approx(9 * 0.24 / 0.7)
    assert found.gain.estimate == pytest.approx(0.8)


def test_recommendations():
    harmful = audit(*exact(0.8, 0.5, 0.4, 1000))
    assert harmful.outcome == "harms"
    assert harmful.information == pytest.approx(-(0.22**2) / 0.42)
    assert "Do not train on the kept data: 76.2%" in harmful.recommendation
    assert "keeps less than 12.5% of the wrong labels (now 40.0%)" in harmful.recommendation
    assert "errs in less than 55.6%" in harmful.recommendation
    assert harmful.gain == Interval(0.0, 0.0, 0.0)
    open_case = audit(*exact(0.5, 0.6, 0.5, 200))
    assert open_case.outcome == "unclear"
    # kept 110 with a share of 50/110 wrong: 1.96^2 e (1 - e) / (1/2 - e)^2 of those kept
    e = 50 / 110
    needed = 1.959964**2 * e * (1 - e) / (0.5 - e) ** 2 / 0.55
    assert open_case.examples_to_decide == np.ceil(needed)
    assert f"about {np.ceil(needed):,.0f} labelled" in open_case.recommendation
    even = audit([True, True, False], [True, False, True])
    assert even.examples_to_decide == np.inf
    assert "no sample decides" in even.recommendation
    stingy = audit(*exact(0.2, 0.3, 0.01, 4000))
    assert stingy.outcome == "helps"
    assert stingy.gain.high < 1.0
    assert "discards more than it cleans" in stingy.recommendation
    close = audit(*exact(0.1, 0.95, 0.5, 200))
    assert "Whether selection pays is open" in close.recommendation
    limited = audit(*exact(0.7, 0.9, 0.1, 1000))
    assert "kept more than 38.6% of the wrong labels" in limited.recommendation
    assert limited.gain == Interval(np.inf, limited.gain.low, np.inf)
    nothing = audit([False] * 5, [True, True, False, True, False])
    assert nothing.outcome == "unclear"
    assert "Nothing of the sample is kept" in nothing.recommendation
    assert nothing.gain.low == 0.0
    assert nothing.information == 0.0


@pytest.mark.parametrize("right", [True, False])
def test_a_sample_of_one_kind(right):
    found = audit([True] * 20, [right] * 20)
    assert found.outcome == ("helps" if right else "harms")
    assert found.breakdown_point == Interval(0.5, 0.0, 1.0)
    missing = found.keep_if_wrong if right else found.keep_if_correct
    assert missing == Interval(0.5, 0.0, 1.0)
    assert found.keep_if_wrong_limit == (np.inf if right else 0.0)


@pytest.mark.parametrize("rates", [(0.3, 0.9, 0.3), (0.2, 0.3, 0.1), (0.1, 0.9, 0.8)])
def test_coverage_of_the_gain(rates):
    """Between 92 and 98 % of 600 samples; 95 % would leave that range once in 2,000 runs."""
    rng = np.random.default_rng(1)
    generator, verifier = Generator(rates[0]), Verifier(*rates[1:])
    truth = theory.effective_samples(generator, verifier, 1.0) / (1 - 2 * rates[0]) ** 2
    hits = 0
    for _ in range(600):
        gain = audit(*pipeline(*rates, 500, rng)).gain
        assert gain.low <= gain.estimate <= gain.high
        hits += gain.low <= truth <= gain.high
    assert 0.92 < hits / 600 < 0.98


@pytest.mark.parametrize("rates", [(0.48, 0.9, 0.8), (0.6, 0.9, 0.4), (0.52, 1.0, 1.0)])
def test_a_gain_near_a_pole_is_not_overstated(rates):
    rng = np.random.default_rng(2)
    generator, verifier = Generator(rates[0]), Verifier(*rates[1:])
    worth = theory.effective_samples(generator, verifier, 1.0)
    plain = 1 - 2 * rates[0]
    truth = worth / plain**2 if plain > 0 else np.inf
    if rates[0] > theory.breakdown_point(verifier):
        truth = 0.0
    hits = 0
    for _ in range(300):
        gain = audit(*pipeline(*rates, 300, rng)).gain
        assert 0.0 <= gain.low <= gain.estimate <= gain.high
        hits += gain.low <= truth <= gain.high
    assert hits / 300 > 0.92


def test_outcomes_are_wrong_as_rarely_as_they_say():
    """Just below and above breakdown, and with power far from it."""
    rng = np.random.default_rng(3)
    verifier = (0.9, 0.6)
    star = theory.breakdown_point(Verifier(*verifier))
    for p, wrong in ((star - 0.01, "harms"), (star + 0.01, "helps")):
        outcomes = [audit(*pipeline(p, *verifier, 200, rng)).outcome for _ in range(300)]
        assert outcomes.count(wrong) / 300 < 0.05
    outcomes = [audit(*pipeline(0.35, *verifier, 200, rng)).outcome for _ in range(100)]
    assert outcomes.count("helps") > 95


def test_flags():
    for bad, error, message in [
        ([0.5, 1.0], ValueError, r"kept must hold False and True only, got kept\[0\] = .*0\.5"),
        (["yes", "no"], TypeError, "kept must be an array of booleans, got dtype"),
        ([[True, False]], ValueError, r"kept must have one dimension .* \(1, 2\)"),
        ([], ValueError, "kept must have one dimension"),
        ([True], ValueError, "kept and correct must have one length, got 1 and 2"),
    ]:
        with pytest.raises(error, match=message):
            audit(bad, [True, False])
    with pytest.raises(ValueError, match=r"correct must hold False and True only"):
        audit([True, False], [2, 1])
    assert audit([1, 0], [1.0, 0.0]).n_kept == 1
    with pytest.raises(ValueError, match="confidence must be"):
        audit([True], [True], confidence=1.0)
    with pytest.raises(ValueError, match="n_classes must be an integer >= 2"):
        audit([True], [True], n_classes=1)
    with pytest.raises(ValueError, match="kept_wrong must be an integer >= 0 and <= 3, got 4"):
        breakdown_interval(1, 2, 4, 3)
    with pytest.raises(ValueError, match="n_correct must be an integer >= 1"):
        breakdown_interval(0, 0, 1, 3)
    with pytest.raises(TypeError, match="found must be an integer"):
        share_interval(0.5, 3)
