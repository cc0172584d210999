"""The claims of the debate: their verdicts on quick tables, and that each can turn."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.claims import Outcome, judge
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.debate.claims import CLAIMS, claim
from fragile_learning.debate.experiments import EXPERIMENTS
from fragile_learning.tables import MissingTableError, archive_path, read_table


@pytest.fixture(scope="module")
def quick():
    return {one.name: one.run("quick") for one in EXPERIMENTS}


def test_there_are_15():
    assert [one.id for one in CLAIMS] == [f"DEB-{i}" for i in range(1, 16)]
    assert [one.id for one in all_claims() if one.id.startswith("DEB-")] == [o.id for o in CLAIMS]
    known = set(all_experiments())
    assert all(set(one.experiments) <= known for one in CLAIMS)
    used = {name for one in CLAIMS for name in one.experiments}
    assert used == {one.name for one in EXPERIMENTS}
    with pytest.raises(ValueError, match="identity must be one of DEB-1"):
        claim("DEB-16")


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_quick_tables_decide(one, quick):
    verdict = judge(one, quick, tier="quick")
    assert verdict.outcome is one.expected, verdict
    assert one.reported
    assert verdict.measured


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_the_archive_decides(one):
    try:
        tables = {name: read_table(archive_path("full", name))[0] for name in one.experiments}
    except MissingTableError:
        pytest.fail("the archived tables are part of the room")
    assert judge(one, tables, tier="full").outcome is one.expected


def test_no_claim_says_collapse_without_its_meaning():
    for one in CLAIMS:
        assert "collapse" not in f"{one.source} {one.statement} {one.measure}".lower()


def scaled(column, factor, where=None):
    """Multiply a column, in all rows or in those that a query selects."""

    def change(frame):
        rows = slice(None) if where is None else frame.query(where).index
        frame.loc[rows, column] = frame.loc[rows, column].astype(float) * factor

    return change


def unordered(frame):
    """Simulation and law of the subsample workflow, both as if all data were used."""
    some = frame["workflow"] == "accumulate, subsample"
    kept = frame["workflow"] == "accumulate, one design"
    wide = frame["n_samples"] == frame["n_samples"].max()
    for column in ("law", "mean"):
        frame.loc[some, column] = frame.loc[kept & wide, column].to_numpy()


# id, table, a change of it, and what the verdict becomes
TURNS = [
    ("DEB-1", "workflows", scaled("mean", 1.3, "workflow == 'replace'"), "differs"),
    ("DEB-1", "workflows", scaled("se", 9.0), "inconclusive"),
    ("DEB-2", "workflows", scaled("mean", 1.3, "workflow == 'accumulate, one design'"), "differs"),
    ("DEB-3", "workflows", scaled("mean", 1.3, "n_samples == 20"), "differs"),
    ("DEB-3", "workflows", scaled("se", 9.0), "inconclusive"),
    ("DEB-4", "workflows", scaled("mean", 1.3, "workflow == 'accumulate, subsample'"), "differs"),
    ("DEB-4", "means", scaled("law", 1.3, "n_samples == 2"), "differs"),
    ("DEB-4", "workflows", unordered, "inconclusive"),
    ("DEB-5", "means", scaled("law", 0.75), "differs"),
    ("DEB-5", "means", scaled("se", 9.0), "inconclusive"),
    ("DEB-6", "workflows", scaled("law", 1.3, "workflow == 'real fresh, pooled'"), "differs"),
    ("DEB-6", "weights", scaled("mean", 1.3, "weight == 0.5"), "differs"),
    ("DEB-7", "weights", scaled("mean", 0.5, "weight == 0.4"), "differs"),
    ("DEB-7", "workflows", scaled("law", 1.3), "differs"),
    ("DEB-8", "weights", scaled("mean", 1.3, "ratio == 4"), "differs"),
    ("DEB-8", "weights", scaled("stationary", 1.001), "differs"),
    ("DEB-9", "gaussian", scaled("log_mean", 1.2), "differs"),
    ("DEB-9", "gaussian", scaled("variance_mean", 1.2, "n_generations < 100"), "differs"),
    ("DEB-9", "gaussian", scaled("error_law", 1.4), "differs"),
    ("DEB-10", "gaussian", scaled("variance_mean", 1.2), "differs"),
    ("DEB-10", "gaussian", scaled("error_mean", 1.2), "differs"),
    ("DEB-11", "families", scaled("mean", 1.3, "family == 'exponential'"), "differs"),
    ("DEB-11", "families", scaled("se", 9.0), "inconclusive"),
    ("DEB-12", "logistic", scaled("ratio", 1.4, "workflow == 'accumulate'"), "differs"),
    ("DEB-12", "logistic", scaled("ratio", 0.24, "workflow == 'replace'"), "inconclusive"),
    ("DEB-12", "logistic", scaled("ratio", 0.05, "workflow == 'replace'"), "differs"),
    ("DEB-13", "kernel-chains", scaled("gap_mean", 1.2), "differs"),
    ("DEB-13", "kernel-chains", scaled("variance_mean", 1.2), "differs"),
    ("DEB-14", "kernel-chains", scaled("within_mean", 1.3), "differs"),
    ("DEB-15", "retraining", scaled("slope", 1.001), "differs"),
    ("DEB-15", "retraining", scaled("law", 0.999), "differs"),
]


@pytest.mark.parametrize(("identity", "table", "change", "outcome"), TURNS)
def test_the_verdict_turns(identity, table, change, outcome, quick):
    tables = {name: frame.copy() for name, frame in quick.items()}
    change(tables[f"debate/{table}"])
    assert judge(claim(identity), tables, tier="quick").outcome == Outcome(outcome)


def test_every_claim_can_turn():
    assert {identity for identity, *_ in TURNS} == {one.id for one in CLAIMS}


def test_the_efficiency_must_not_be_below_the_bound(quick):
    tables = {name: frame.copy() for name, frame in quick.items()}
    frame = tables["debate/logistic"]
    kept = frame["workflow"] == "accumulate"
    frame.loc[kept, ["ratio", "law"]] = 2.0 * np.ones((kept.sum(), 2))
    assert judge(claim("DEB-12"), tables, tier="quick").outcome is Outcome.DIFFERS
