"""Both numbers of every caution, found again by hand or by drawing examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gamma, ndtr

from fragile_learning.verification.errata import ERRATA, errata_table

BY_ID = {one.id: one for one in ERRATA}
NUMBERS = {one.id: one.numbers() for one in ERRATA}
DENSITY = np.exp(-0.5 * 1.5**2)  # times the root of 2 pi, of the standard normal law at 1.5


def test_there_are_7_and_the_table_shows_all():
    assert list(BY_ID) == [f"E{i}" for i in range(1, 8)]
    table = errata_table()
    assert list(table.columns) == ["id", "place", "printed", "corrected", "number"]
    assert list(table["id"]) == list(BY_ID)
    shown = table.set_index("id")["number"]
    assert "agreement 0.9998, accuracy 0.9332" in shown["E1"]
    assert "$K = 2$ 0.8182, $K = 5$ 0.9474" in shown["E5"]


def test_nothing_is_given_as_the_papers_own_words():
    assert all(one.printed.startswith(("as reported: ", "easily read: ")) for one in ERRATA)


def test_the_numbers_differ_where_the_text_says_so():
    for identity, least in {"E1": 0.06, "E3": 0.4, "E4": -0.1, "E5": -0.15, "E6": 0.2}.items():
        first, second = NUMBERS[identity]
        assert (first - second) / least > 0.8, identity
    below, above = NUMBERS["E2"]
    assert 0.5 < below < 0.95
    assert 0.05 < above < 0.5
    truth, twelfth = NUMBERS["E7"]  # nearly the same, and far above the generator's 0.722
    assert 0.0 < truth - twelfth < 0.02
    assert twelfth > 0.84


def test_accuracy_ends_at_the_bayes_rule_and_agreement_at_one():
    agreement, accuracy = NUMBERS["E1"]
    kept, net = 0.72, 0.54
    mean_of_chi_4 = np.sqrt(2.0) * gamma(2.5) / gamma(2.0)
    off = DENSITY / np.pi / (net * 1.5) * np.sqrt(kept / 1e6) * mean_of_chi_4
    assert 1.0 - agreement == pytest.approx(off, rel=1e-3)
    short = DENSITY / np.sqrt(2.0 * np.pi) / 3.0 * 4.0 * kept / (1e6 * net**2)  # d - 1 = 4
    assert ndtr(1.5) - accuracy == pytest.approx(short, rel=1e-2)


def test_a_penalty_turns_the_rule_where_variances_differ():
    rng = np.random.default_rng(20241101)
    mean, spread = np.array([1, 0.8, 0.6, 0.4, 0.2]), np.array([4, 2, 1, 0.5, 0.25])
    n = 400_000

    def inputs():
        y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
        return y, y[:, None] * mean + np.sqrt(spread) * rng.standard_normal((n, 5))

    for p, number in zip((0.3, 0.9), NUMBERS["E2"], strict=True):
        y, x = inputs()
        wrong = rng.random(n) < p
        keep = rng.random(n) < np.where(wrong, 0.3, 0.9)
        x, y = x[keep], (y * np.where(wrong, -1.0, 1.0))[keep]
        rule = np.linalg.solve(x.T @ x / n + np.eye(5), x.T @ y / n)
        _, fresh = inputs()
        agree = np.mean((fresh @ rule > 0.0) == (fresh @ (mean / spread) > 0.0))
        assert number == pytest.approx(agree, abs=0.003)  # above four times the noise


def linear_student(degrees_generator, degrees_verifier, seed):
    """Accuracy of the mean of what a linear verifier at a right angle keeps, and the rates."""
    rng = np.random.default_rng(seed)
    g, v = np.radians(degrees_generator), np.radians(degrees_verifier)
    x = rng.standard_normal((1_000_000, 3))
    truth = x[:, 0] > 0.0
    label = x @ [np.cos(g), np.sin(g), 0.0] > 0.0
    keep = (x @ [np.cos(v), 0.0, np.sin(v)] > 0.0) == label
    right = label == truth
    rule = np.mean(x[keep] * np.where(label[keep], 1.0, -1.0)[:, None], axis=0)
    rates = 1.0 - right.mean(), keep[right].mean(), keep[~right].mean()
    return np.mean((x @ rule > 0.0) == truth), rates


def test_linear_rules_pass_the_test_and_teach_little():
    accuracy, (p, phi, psi) = linear_student(100, 70, 1)
    independent, linear = NUMBERS["E3"]
    assert linear == pytest.approx(accuracy, abs=0.002)
    assert independent == pytest.approx(1.0, abs=1e-3)
    star = phi / (phi + psi)
    assert (p, star) == pytest.approx((0.556, 0.612), abs=0.002)  # as its setting says
    assert p < star


def test_a_twelfth_of_a_half_turn_is_near_the_truth():
    for number, degrees in zip(NUMBERS["E7"], (0, 15), strict=True):
        assert number == pytest.approx(linear_student(50, degrees, degrees)[0], abs=0.002)
    assert NUMBERS["E7"][0] == pytest.approx(1 - 25 / 180, abs=1e-12)


def one_shot(p, phi, psi, d, size, seed, count=40):
    """Mean accuracy of one-shot students at a signal of 1.5, and its standard error."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        wrong = rng.random(size) < p
        keep = rng.random(size) < np.where(wrong, psi, phi)
        signs = np.where(wrong[keep], -1.0, 1.0)
        rule = rng.standard_normal((len(signs), d)).sum(axis=0)
        rule[0] += 1.5 * signs.sum()
        found.append(ndtr(1.5 * rule[0] / np.sqrt(rule @ rule)))
    return np.mean(found), np.std(found, ddof=1) / np.sqrt(count)


def test_a_stingy_verifier_of_the_better_breakdown_point_is_the_worse():
    for number, rates in zip(NUMBERS["E4"], ((0.05, 0.0), (1.0, 0.5)), strict=True):
        mean, error = one_shot(0.3, *rates, 400, 4000, 3, count=20)
        assert number == pytest.approx(mean, abs=4 * error + 1 / 400)
    assert NUMBERS["E4"][0] == pytest.approx(0.840, abs=1e-3)
    assert NUMBERS["E4"][1] == pytest.approx(0.921, abs=1e-3)


def test_the_transition_is_smooth():
    infinite, proportional = NUMBERS["E6"]
    assert infinite == pytest.approx(ndtr(1.5), abs=1e-6)
    right, wrong = 0.3 * 0.9, 0.7 * 0.3
    net, kept = right - wrong, right + wrong
    hand = ndtr(2.25 * net / np.sqrt(2.25 * net**2 + kept / 4))
    assert proportional == pytest.approx(hand, rel=1e-12)
    mean, error = one_shot(0.7, 0.9, 0.3, 200, 800, 4, count=100)
    assert proportional == pytest.approx(mean, abs=4 * error + 1 / 200)


def test_five_classes_bear_more_than_two():
    two, five = NUMBERS["E5"]
    assert two == pytest.approx(0.9 / 1.1)
    assert five == pytest.approx(3.6 / 3.8)
    rng = np.random.default_rng(5)
    n = 200_000
    for p, learns in ((five - 0.03, True), (five + 0.02, False)):
        truth = rng.integers(5, size=n)
        wrong = rng.random(n) < p
        label = (truth + np.where(wrong, rng.integers(1, 5, n), 0)) % 5
        keep = rng.random(n) < np.where(wrong, 0.2, 0.9)
        x = rng.standard_normal((n, 5)) + 2.0 * np.eye(5)[truth]
        centres = [x[keep & (label == c)].mean(axis=0) for c in range(5)]
        fresh = rng.integers(5, size=20_000)
        inputs = rng.standard_normal((20_000, 5)) + 2.0 * np.eye(5)[fresh]
        accuracy = np.mean(np.argmax(inputs @ np.transpose(centres), axis=1) == fresh)
        assert accuracy > 0.6 if learns else accuracy < 0.1  # chance: 0.2


def test_the_setting_in_words_is_the_one_computed():
    """The parameters that the checks above take stand in the setting's text."""
    said = {
        "E1": ["p = 0.3", r"\varphi = 0.9", r"\psi = 0.3", "s = 1.5", "d = 5", "N = 10^6"],
        "E2": [r"\lambda = 1", "(1, 0.8, 0.6, 0.4, 0.2)", "(4, 2, 1, 0.5, 0.25)", "p^* = 0.75"],
        "E3": ["100°", "70°", r"\rho = 0", "p = 0.556 < p^* = 0.612"],
        "E4": ["p = 0.3", "s = 1.5", "d = 400", "N = 4000"],
        "E5": [r"\varphi = 0.9", r"\psi = 0.2"],
        "E6": ["p = 0.7", r"\varphi = 0.9", r"\psi = 0.3", "s = 1.5"],
        "E7": ["50°", r"\rho = 0"],
    }
    assert set(said) == set(BY_ID)
    for identity, parts in said.items():
        assert all(part in BY_ID[identity].setting for part in parts), identity
    assert [label.split(",")[0] for label in BY_ID["E2"].labels] == ["at $p = 0.3$", "at $p = 0.9$"]
