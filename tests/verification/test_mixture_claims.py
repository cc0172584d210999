"""Tables and claims on the mixture: their verdicts from the quick tables, and what turns them."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.claims import Outcome, judge
from fragile_learning.sweeps import Catalogue, run_sweep
from fragile_learning.verification import theory
from fragile_learning.verification.mixture_claims import MIXTURE_CLAIMS
from fragile_learning.verification.mixture_experiments import MIXTURE_EXPERIMENTS
from fragile_learning.verification.settings import Verifier

CATALOGUE = Catalogue(MIXTURE_EXPERIMENTS)
BY_ID = {claim.id: claim for claim in MIXTURE_CLAIMS}
NAMES = [one.name for one in MIXTURE_EXPERIMENTS]


@pytest.fixture(scope="session")
def quick():
    """All tables, computed once."""
    return {one.name: one.run("quick") for one in MIXTURE_EXPERIMENTS}


def test_ids_and_tables():
    assert list(BY_ID) == [f"VER-{i}" for i in (*range(1, 16), 21)]
    assert {name for claim in MIXTURE_CLAIMS for name in claim.experiments} == set(NAMES)
    assert len({one.seed for one in MIXTURE_EXPERIMENTS}) == len(NAMES)
    assert all(one.tiers == ("quick", "full") for one in MIXTURE_EXPERIMENTS)


def test_reported_statements_are_called_so():
    """The paper's text was not at hand: nothing is given as its own words."""
    for claim in MIXTURE_CLAIMS:
        if "Feng" in claim.source:
            assert "as reported" in claim.source


@pytest.mark.parametrize("name", NAMES)
def test_a_point_gives_the_promised_columns(name):
    one = CATALOGUE.experiment(name.partition("/")[2])
    for tier in one.tiers:
        point = one.points(tier)[0]
        changes = {"n_replicates": 2, "n_generated": 300, "n_examples": 300, "n_draws": 100}
        if "tau" in point:
            del changes["n_generated"]
        point |= {key: value for key, value in changes.items() if key in point}
        frame = run_sweep(one.point, [point], seed=1, columns=one.columns)
        assert list(frame.columns) == [*point, *one.columns]
        numbers = frame.drop(columns=list(one.nullable)).select_dtypes("number")
        assert np.isfinite(numbers.to_numpy(float)).all()


def test_full_tables_draw_more():
    for one in MIXTURE_EXPERIMENTS:
        quick, full = one.points("quick"), one.points("full")
        if "n_replicates" in quick[0]:
            assert full[0]["n_replicates"] >= 4 * quick[0]["n_replicates"]
        assert len(full) >= len(quick)


@pytest.mark.parametrize("identity", list(BY_ID))
def test_the_verdict_is_what_was_derived(identity, quick):
    verdict = judge(BY_ID[identity], quick, tier="quick")
    assert verdict.outcome is BY_ID[identity].expected, verdict
    assert verdict.numbers
    assert any(character.isdigit() for character in verdict.summary)


def test_what_the_tables_hold(quick):
    frame = quick["verification/breakdown"]
    expected = theory.breakdown_point(
        Verifier(frame["keep_if_correct"].to_numpy(), frame["keep_if_wrong"].to_numpy())
    )
    assert frame["breakdown_point"].to_numpy() == pytest.approx(expected)
    assert frame["error_rate"].to_numpy() == pytest.approx(expected + frame["shift"])
    frame = quick["verification/window"]
    distance = (2 / 3 - frame["error_rate"]) * np.sqrt(frame["n_generated"])
    assert distance.to_numpy() == pytest.approx(frame["tau"])
    frame = quick["verification/ranking"]
    kept = frame["n_generated"] * (0.7 * frame["keep_if_correct"] + 0.3 * frame["keep_if_wrong"])
    rows = frame["at"] == "kept"
    assert kept[rows].to_numpy() == pytest.approx([1000, 1000], abs=1)
    assert frame.loc[~rows, "n_generated"].tolist() == [4000, 4000]
    frame = quick["verification/rounds"]
    assert frame.groupby("degrees_verifier")["round"].max().tolist() == [6, 6]


def put(column, value, where=None):
    """Set a column to a number, or to a function of the rows."""

    def change(frame):
        rows = frame.index if where is None else frame.query(where).index
        assert len(rows)
        frame[column] = frame[column].astype(float)
        frame.loc[rows, column] = value(frame.loc[rows]) if callable(value) else value

    return change


def off(count, where, allowed=0.0):
    """A simulation that is off by so many standard errors more than is allowed."""
    return put("mean", lambda rows: rows["law"] * (1 + allowed) + count * rows["se"], where)


def coarse(where):
    """Standard errors of 5 % of the law, and means on it."""

    def change(frame):
        put("mean", lambda rows: rows["law"], where)(frame)
        put("se", lambda rows: 0.05 * rows["law"], where)(frame)

    return change


OUTCOMES = [
    ("VER-1", "breakdown", put("mean", 0.969, "shift == -0.1 and index < 2"), "differs"),
    ("VER-1", "breakdown", put("mean", 0.031, "shift == 0.1 and index < 3"), "differs"),
    ("VER-1", "breakdown", lambda f: f[f["estimator"] != "ridge"], "inconclusive"),
    ("VER-2", "breakdown", put("mean", 0.96, "keep_if_wrong == 0"), "differs"),
    ("VER-2", "breakdown", put("mean", 0.04, "shift == 0.3"), "differs"),
    ("VER-2", "breakdown", put("breakdown_point", 0.9, "keep_if_wrong == 0"), "differs"),
    ("VER-2", "breakdown", lambda f: f[f["keep_if_wrong"] > 0], "inconclusive"),
    ("VER-3", "one-shot", off(7, "index == 3", 1 / 200), "differs"),
    ("VER-3", "one-shot", off(3, "index == 3", 1 / 200), "agrees"),
    ("VER-3", "one-shot", coarse("index == 3"), "inconclusive"),
    ("VER-4", "ridge", off(7, "index == 4", 1 / 150), "differs"),
    ("VER-4", "ridge", coarse("index == 4"), "inconclusive"),
    ("VER-4", "ridge", put("law", 0.3, "ridge == 0 and n_generated < 90"), "differs"),
    ("VER-4", "ridge", put("mean", 0.3, "ridge == 0 and n_generated < 90"), "differs"),
    ("VER-4", "ridge", put("one_shot", 0.9, "ridge > 1 and n_generated < 90"), "differs"),
    ("VER-5", "logistic", off(7, "index == 2", 1 / 150), "differs"),
    ("VER-5", "logistic", coarse("index == 2"), "inconclusive"),
    ("VER-6", "window", off(7, "index == 1", 0.01), "differs"),
    ("VER-6", "window", coarse("index == 1"), "inconclusive"),
    ("VER-6", "window", put("spread", 0.09, "tau == 0 and n_generated == 400"), "differs"),
    ("VER-6", "window", put("law", 0.501, "tau == 0"), "differs"),
    ("VER-6", "window", lambda f: f[f["n_generated"] == 400], "inconclusive"),
    ("VER-7", "unequal", put("mean", lambda r: r["law"] + 0.0031, "index == 0"), "differs"),
    ("VER-7", "unequal", put("se", 0.002, "index == 0"), "inconclusive"),
    ("VER-8", "ranking", off(7, "index == 0", 1 / 400), "differs"),
    ("VER-8", "ranking", put("se", 0.02), "differs"),
    ("VER-9", "angles", off(7, "index == 2", 0.003), "differs"),
    ("VER-9", "random-angles", put("violations", 1), "differs"),
    ("VER-9", "random-angles", put("wrong_side", 1), "differs"),
    ("VER-10", "angles", put("mean", lambda r: r["generator"] - 9 * r["se"]), "differs"),
    ("VER-10", "angles", put("breakdown_point", 0.2), "differs"),
    ("VER-11", "rounds", off(7, "index == 2", 0.003), "differs"),
    ("VER-11", "rounds", put("verifier", 0.9), "differs"),
    ("VER-12", "self-training", off(7, "index == 2", 0.003), "differs"),
    ("VER-12", "self-training", put("generator", 0.99, "index == 0"), "differs"),
    (
        "VER-12",
        "self-training",
        put("generator", lambda r: r["mean"] - r["se"], "degrees_generator < 90"),
        "inconclusive",
    ),
    ("VER-13", "classes", put("mean", 0.21, "index == 1"), "differs"),
    ("VER-13", "classes", put("mean", lambda r: 0.89 * r["bayes"], "index == 0"), "differs"),
    ("VER-13", "classes", put("breakdown_point_of_two", 1.0), "differs"),
    ("VER-13", "classes", lambda f: f[f["error_rate"] < 0.8], "inconclusive"),
    ("VER-14", "threshold", put("threshold", lambda r: r["searched"] + 0.0011), "differs"),
    ("VER-14", "threshold", put("soft", lambda r: r["information"], "index == 3"), "differs"),
    ("VER-15", "costs", put("price", lambda r: r["solved"] * (1 + 1e-8), "solved > 0"), "differs"),
    ("VER-15", "costs", put("best_fraction", 0.5, "index == 3"), "differs"),
    ("VER-15", "costs", put("gain_if_free", -1.0, "solved > 0"), "differs"),
    ("VER-15", "costs", lambda f: f[f["price"] > 0], "inconclusive"),
    ("VER-21", "more-data", put("mean", 0.88, "n_generated == 3000"), "differs"),
    ("VER-21", "more-data", put("se", 0.05), "inconclusive"),
]


@pytest.mark.parametrize(("identity", "name", "change", "outcome"), OUTCOMES)
def test_what_turns_a_verdict(identity, name, change, outcome, quick):
    frame = quick[f"verification/{name}"].copy()
    changed = change(frame)
    tables = {**quick, f"verification/{name}": frame if changed is None else changed}
    assert judge(BY_ID[identity], tables, tier="quick").outcome is Outcome(outcome)
