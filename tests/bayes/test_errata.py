"""Both numbers of every caution, found again by hand or by drawing weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import expit
from scipy.stats import f as fisher
from scipy.stats import norm

from fragile_learning.bayes.errata import ERRATA, errata_table

BY_ID = {one.id: one for one in ERRATA}
NUMBERS = {one.id: one.numbers() for one in ERRATA}


def test_there_are_8_and_the_table_shows_all():
    assert list(BY_ID) == [f"E{i}" for i in range(1, 9)]
    table = errata_table()
    assert list(table.columns) == ["id", "place", "printed", "corrected", "number"]
    assert list(table["id"]) == list(BY_ID)
    shown = table.set_index("id")["number"]
    assert "across the data 0, along the data 0.1873" in shown["E1"]
    assert "3 points 8.055, 5 points 12.48" in shown["E4"]


def test_nothing_is_given_as_the_papers_own_words():
    assert all(one.printed.startswith(("as reported: ", "easily read: ")) for one in ERRATA)


def test_the_numbers_differ_where_the_text_says_so():
    least = {
        "E1": -0.15,
        "E2": 0.02,
        "E3": 1.5,
        "E4": -4.0,
        "E5": 0.02,
        "E6": -0.3,
        "E7": -0.06,
        "E8": -0.005,
    }
    for identity, gap in least.items():
        first, second = NUMBERS[identity]
        assert (first - second) / gap > 1.0, identity


def test_the_expected_gradient_vanishes_across_the_data_alone():
    """By central differences of a sum over normal quantiles, which shares no code with theory."""
    nodes = norm.ppf((np.arange(4000) + 0.5) / 4000)

    def probability(x0, x1):
        return expit(x0 + np.hypot(0.3 * x0, 2.0 * x1) * nodes).mean()

    step = 1e-4
    along = (probability(1 + step, 0) - probability(1 - step, 0)) / (2 * step)
    across = (probability(1, step) - probability(1, -step)) / (2 * step)
    assert NUMBERS["E1"] == (pytest.approx(across, abs=1e-9), pytest.approx(along, rel=1e-3))


def test_the_best_attack_on_the_label_is_not_the_worst_for_the_probability():
    # 4 standard errors of 400,000 weights: a false alarm in 16,000 runs for each of two corners
    rng = np.random.default_rng(20240427)
    weights = np.array([0.8, -0.3, 0.1]) + rng.standard_normal((400_000, 3)) * [0.1, 0.9, 2.0]
    x = np.array([1.0, -0.5, 0.4])
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    members = expit(weights @ (x + 0.25 * signs).T)
    found, errors = members.mean(axis=0), members.std(axis=0) / np.sqrt(len(weights))
    label = next(i for i, one in enumerate(signs) if tuple(one) == (-1, 1, -1))
    at_label, worst = NUMBERS["E2"]
    assert at_label == pytest.approx(found[label], abs=4 * errors[label])
    assert worst == pytest.approx(found.min(), abs=4 * errors[found.argmin()])
    assert found.argmin() != label
    # no weights' spread moves a label that the mean does not: m.x is least at the first corner
    assert (x + 0.25 * signs) @ [0.8, -0.3, 0.1] == pytest.approx(
        np.sort((x + 0.25 * signs) @ [0.8, -0.3, 0.1])[0], abs=1.0
    )
    assert np.argmin((x + 0.25 * signs) @ [0.8, -0.3, 0.1]) == label


def test_the_norm_of_a_mean_has_a_limit():
    one, many = NUMBERS["E3"]
    rng = np.random.default_rng(1)
    mean = 0.05 + 0.15 * np.random.default_rng(3).random(100)
    drawn = mean + 0.3 * rng.standard_normal((20_000, 100))
    assert one == pytest.approx(np.sqrt((drawn**2).sum(axis=1).mean()), rel=0.005)
    assert many == pytest.approx(np.linalg.norm(drawn.mean(axis=0)), rel=0.005)


def regression():
    """Inputs, and precision and mean of the posterior, from the normal equations."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 5)) @ np.diag([1, 1, 1, 0.3, 2])
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    y = x @ [1, -1, 0.5, 2, 0] + 0.5 * rng.standard_normal(40)
    precision = 4.0 * x.T @ x + np.eye(5)
    return x, precision, np.linalg.solve(precision, 4.0 * x.T @ y)


def test_few_context_points_bound_the_divergence_from_below():
    x, precision, mean = regression()
    variances = 1.0 / np.diag(precision)
    weights = 0.5 * (mean**2 + variances - 1 - np.log(variances)).sum()
    few, enough = NUMBERS["E4"]
    assert enough == pytest.approx(weights, rel=1e-9)

    points = x[:3]
    own, prior = (points * variances) @ points.T, points @ points.T
    inverse = np.linalg.inv(prior)
    shift = points @ mean
    logs = np.log(np.linalg.det(prior) / np.linalg.det(own))
    by_hand = 0.5 * (np.trace(inverse @ own) + shift @ inverse @ shift - 3 + logs)
    assert few == pytest.approx(by_hand, rel=1e-9)
    assert few < enough


def test_mean_field_is_narrow():
    _, precision, _ = regression()
    narrow, exact = NUMBERS["E7"]
    assert narrow == pytest.approx(precision[0, 0] ** -0.5)
    assert exact == pytest.approx(np.linalg.inv(precision)[0, 0] ** 0.5)


def test_cross_entropy_misses_what_a_linear_program_finds():
    rng = np.random.default_rng(5)
    weights, bias = rng.standard_normal((4, 30)), 0.1 * rng.standard_normal(4)
    x = rng.random((400, 30))
    labels = np.argmax(x @ weights.T + bias, axis=1)
    low, high = np.maximum(x - 0.05, 0), np.minimum(x + 0.05, 1)

    def least(i, k):
        """How far the label of an input can be made to lead class k."""
        return (
            bias[labels[i]]
            - bias[k]
            + (weights[labels[i]] - weights[k])
            @ np.where(weights[labels[i]] > weights[k], low[i], high[i])
        )

    for i in range(30):
        k = (labels[i] + 1) % 4
        ends = list(zip(low[i], high[i], strict=True))
        found = linprog(weights[labels[i]] - weights[k], bounds=ends).fun
        assert found + bias[labels[i]] - bias[k] == pytest.approx(least(i, k), abs=1e-8)
    robust = [all(least(i, k) > 0 for k in range(4) if k != labels[i]) for i in range(400)]
    ascent, exact = NUMBERS["E5"]
    assert exact == np.mean(robust)

    moved = x.copy()
    for _ in range(40):
        e = np.exp(moved @ weights.T + bias)
        slope = np.einsum("nk,kd->nd", e / e.sum(axis=1, keepdims=True), weights) - weights[labels]
        moved = np.minimum(np.maximum(moved + 0.003125 * np.sign(slope), low), high)
    assert ascent == np.mean(np.argmax(moved @ weights.T + bias, axis=1) == labels)


def test_one_member_knows_no_disagreement():
    def entropy(p):
        return -sum(q * np.log(q) for q in p)

    one, two = NUMBERS["E6"]
    assert one == 0.0
    assert two == pytest.approx(entropy([0.5, 0.5]) - entropy([0.9, 0.1]))


def test_acceptance_of_few_dimensions_is_fishers():
    normal, exact = NUMBERS["E8"]
    step, steps, d = 1.0, 2, 20
    one = np.array([[1 - step**2 / 2, step], [-step * (1 - step**2 / 4), 1 - step**2 / 2]])
    kappa = np.linalg.norm(np.linalg.matrix_power(one, steps), 2) ** 2
    assert exact == pytest.approx(2 * fisher.cdf(1 / kappa, d, d), rel=1e-9)
    error = 0.5 * d * (kappa + 1 / kappa - 2)
    assert normal == pytest.approx(2 * norm.cdf(-np.sqrt(error / 2)), rel=1e-9)
    # 200,000 trajectories: their standard error is below 0.001, the two are 0.006 apart
    rng = np.random.default_rng(2)
    start = rng.standard_normal((2, 200_000, d))
    moved = np.einsum("ab,bnd->and", np.linalg.matrix_power(one, steps), start)
    change = 0.5 * ((moved**2).sum(axis=(0, 2)) - (start**2).sum(axis=(0, 2)))
    accepted = np.minimum(1.0, np.exp(-change)).mean()
    assert exact == pytest.approx(accepted, abs=0.004)
    assert abs(normal - accepted) > 0.004


def test_the_setting_in_words_is_the_one_computed():
    """The parameters that the checks above take stand in the setting's text."""
    said = {
        "E1": ["x = (1, 0)", "N(1, 0.09)", "N(0, 4)"],
        "E2": ["(0.8, -0.3, 0.1)", "(0.1, 0.9, 2)", "(1, -0.5, 0.4)", r"\varepsilon = 0.25"],
        "E3": ["100 entries", "[0.05, 0.2]", "0.3"],
        "E4": ["5 weights"],
        "E5": ["4 classes", "30 inputs", "400 points", r"\varepsilon = 0.05"],
        "E6": ["(0.9, 0.1)"],
        "E7": ["weight 0"],
        "E8": ["d = 20", "2 steps of size 1"],
    }
    assert set(said) == set(BY_ID)
    for identity, parts in said.items():
        assert all(part in BY_ID[identity].setting for part in parts), identity
