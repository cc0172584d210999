"""The claims on trained models: verdicts from tables made by hand, and how each of them turns.

The tables have the layout of the real ones and the numbers of no run: what is tested is the rule.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest

from fragile_learning.claims import Outcome, judge
from fragile_learning.verification.trained_claims import TRAINED_CLAIMS, _crossing
from fragile_learning.verification.trained_experiments import TRAINED_EXPERIMENTS

BY_ID = {one.id: one for one in TRAINED_CLAIMS}
JITTER = {0: 0.000, 1: 0.002, 2: -0.002, 3: 0.001, 4: -0.001}


def choices(replicates=5):
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "k": k,
                "greedy": 0.16 + jitter,
                "one_sample": 0.06,
                "self_pick": 0.155,
                "oracle": oracle + jitter,
            }
            for i, jitter in list(JITTER.items())[:replicates]
            for k, oracle in ((1, 0.06), (20, 0.56), (50, 0.7))
        ]
    )


def students(replicates=5):
    """Students of better and better verifiers; jitter of the seed is common to all."""
    laws = [
        ("none", 1.0, 0.5, 0.13, 0.94),
        ("noisy", 0.25, 0.8, 0.15, 0.8),
        ("noisy", 0.1, 0.909, 0.18, 0.6),
        ("oracle", 0.0, 1.0, 0.28, 0.0),
        ("clean", 0.0, 1.0, 0.5, 0.0),
    ]
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "verifier": verifier,
                "p_noise": noise,
                "p_star": star,
                "student": accuracy + jitter * (1 + noise),
                "generator": 0.16,
                "wrong_kept": wrong,
            }
            for i, jitter in list(JITTER.items())[:replicates]
            for verifier, noise, star, accuracy, wrong in laws
        ]
    )


def summaries(replicates=5):
    levels = {"random": -0.006, "self": -0.003, "peer": -0.002, "better": 0.001, "oracle": 0.004}
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "selector": selector,
                "scope": scope,
                "n_kept_each": count,
                "student": 0.29 + change + jitter * (1.0 + 100.0 * change) + 0.1 * (scope == "all"),
                "generator": 0.29 + jitter,
                "better": 0.30,
            }
            for i, jitter in list(JITTER.items())[:replicates]
            for selector, change in levels.items()
            for scope in ("article", "all")
            for count in (1, 2)
        ]
    )


def tables(replicates=5):
    return {
        "verification/best-of-k": choices(replicates),
        "verification/eigenvalues": students(replicates),
        "verification/headlines": summaries(replicates),
    }


def put(column, value, where="replicate >= 0"):
    def change(frame):
        rows = frame.query(where).index
        assert len(rows)
        frame.loc[rows, column] = value
        return frame

    return change


def add(column, value, where):
    def change(frame):
        rows = frame.query(where).index
        assert len(rows)
        frame.loc[rows, column] += value
        return frame

    return change


ONE_EACH = "scope == 'article' and n_kept_each == 1 and selector == '{}'"
TURNS = [
    ("VER-16", "best-of-k", put("oracle", 0.39, "k == 20"), "differs"),
    ("VER-16", "best-of-k", put("oracle", 0.41, "k == 20"), "agrees"),
    ("VER-16", "best-of-k", put("self_pick", 0.195, "k == 20"), "differs"),
    ("VER-16", "best-of-k", put("self_pick", 0.12, "k == 20"), "differs"),
    ("VER-16", "best-of-k", put("oracle", 0.1, "k == 50"), "agrees"),  # not looked at
    ("VER-17", "eigenvalues", put("student", 0.165, "verifier == 'none'"), "agrees"),
    ("VER-17", "eigenvalues", put("student", 0.175, "verifier == 'none'"), "differs"),
    ("VER-17", "eigenvalues", put("student", 0.23, "verifier == 'oracle'"), "differs"),
    ("VER-17", "eigenvalues", put("student", 0.245, "verifier == 'oracle'"), "agrees"),
    ("VER-18", "eigenvalues", put("student", 0.14, "p_noise == 0.1"), "differs"),
    ("VER-18", "eigenvalues", put("student", 0.16, "verifier != 'clean'"), "differs"),  # no rise
    ("VER-18", "eigenvalues", put("student", 0.1, "verifier == 'clean'"), "agrees"),
    ("VER-19", "headlines", add("student", 0.008, ONE_EACH.format("random")), "differs"),
    ("VER-19", "headlines", add("student", -0.005, ONE_EACH.format("oracle")), "differs"),
    ("VER-19", "headlines", put("student", 0.0, "n_kept_each == 2 or scope == 'all'"), "agrees"),
    ("VER-20", "headlines", add("student", -0.0075, ONE_EACH.format("better")), "agrees"),
    ("VER-20", "headlines", add("student", -0.005, ONE_EACH.format("better")), "differs"),
]


@pytest.mark.parametrize("identity", BY_ID)
def test_the_rules_find_what_was_expected(identity):
    verdict = judge(BY_ID[identity], tables(), tier="full")
    assert verdict.outcome is (BY_ID[identity].expected or Outcome.AGREES), verdict
    assert any(character.isdigit() for character in verdict.summary)


@pytest.mark.parametrize(("identity", "table", "change", "outcome"), TURNS)
def test_the_verdict_turns(identity, table, change, outcome):
    found = tables()
    found[f"verification/{table}"] = change(found[f"verification/{table}"])
    verdict = judge(BY_ID[identity], found, tier="full")
    assert verdict.outcome is Outcome(outcome), verdict


def test_every_claim_turns_in_every_table_that_it_uses():
    turned = {
        (identity, f"verification/{table}")
        for identity, table, _, outcome in TURNS
        if Outcome(outcome) is not (BY_ID[identity].expected or Outcome.AGREES)
    }
    assert turned == {(one.id, name) for one in TRAINED_CLAIMS for name in one.experiments}
    used = {name for one in TRAINED_CLAIMS for name in one.experiments}
    assert used == {one.name for one in TRAINED_EXPERIMENTS}


@pytest.mark.parametrize(
    ("identity", "table", "change"),
    [("VER-16", "best-of-k", put("oracle", 0.3)), ("VER-17", "eigenvalues", put("student", 0.17))],
)
def test_one_replicate_that_falls_short_decides_nothing(identity, table, change):
    few = tables(1)
    assert judge(BY_ID[identity], few, tier="quick").outcome is Outcome.AGREES
    few[f"verification/{table}"] = change(few[f"verification/{table}"])
    assert judge(BY_ID[identity], few, tier="quick").outcome is Outcome.INCONCLUSIVE


def test_more_replicates_ask_for_more():
    small = put("student", 0.2, "verifier == 'oracle'")
    for replicates, outcome in ((1, Outcome.AGREES), (5, Outcome.DIFFERS)):
        found = {"verification/eigenvalues": small(students(replicates))}
        assert judge(BY_ID["VER-17"], found, tier="quick").outcome is outcome


def test_noise_that_is_common_to_all_students_does_not_hide_an_order():
    found = tables()
    frame = found["verification/eigenvalues"]
    frame["student"] += frame["replicate"] * 0.1
    assert judge(BY_ID["VER-18"], found, tier="full").outcome is Outcome.AGREES
    frame = found["verification/headlines"]
    frame[["student", "generator"]] += frame[["replicate"]].to_numpy() * 0.1
    assert judge(BY_ID["VER-19"], found, tier="full").outcome is Outcome.AGREES


def test_numbers_of_the_verdicts():
    found = {i: judge(one, tables(), tier="full").numbers for i, one in BY_ID.items()}
    assert found["VER-16"]["oracle_over_greedy"] == pytest.approx(3.5)
    assert found["VER-17"]["oracle_over_generator"] == pytest.approx(0.28 / 0.16)
    assert found["VER-17"]["needed"] == 1.5
    # between 0.15 at p* = 0.8 and 0.18 at p* = 0.909
    assert found["VER-18"]["crossing"] == pytest.approx(0.8 + 0.109 / 3)
    assert found["VER-19"]["random"] == pytest.approx(0.284)
    assert found["VER-20"]["n_replicates"] == 5


def test_crossings():
    assert _crossing([0.5, 1.0], [0.1, 0.2]) == 0.5
    assert _crossing([0.5, 1.0], [-0.1, 0.1]) == pytest.approx(0.75)
    assert _crossing([0.5, 0.7, 1.0], [-0.3, -0.2, -0.1]) == math.inf
    never = tables()
    never["verification/eigenvalues"]["generator"] = 0.9
    verdict = judge(BY_ID["VER-18"], never, tier="full")
    assert verdict.outcome is Outcome.AGREES  # reported, not judged
    assert "nowhere" in verdict.summary


def test_tables_without_what_is_judged_are_refused():
    with pytest.raises(ValueError, match=r"VER-18 cannot be judged .* needs 3 replicates, got 1"):
        judge(BY_ID["VER-18"], tables(1), tier="full")
    found = tables()
    found["verification/best-of-k"] = choices().query("k != 20")
    with pytest.raises(ValueError, match=r"VER-16 cannot be judged .* no row with"):
        judge(BY_ID["VER-16"], found, tier="full")
    found["verification/headlines"] = summaries().drop(index=0)
    with pytest.raises(ValueError, match=r"VER-19 .* every replicate needs the same rows"):
        judge(BY_ID["VER-19"], found, tier="full")


def test_the_claims_are_complete():
    assert list(BY_ID) == [f"VER-{number}" for number in range(16, 21)]
    for identity in ("VER-18", "VER-19", "VER-20"):
        assert judge(BY_ID[identity], tables(), tier="quick").outcome is Outcome.NOT_RUN
