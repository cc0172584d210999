"""The decision table: every claim that it cites exists, and its verdict is the ledger's."""

from __future__ import annotations

import dataclasses
import re

import pytest

from fragile_learning.claims import Outcome, read_ledger
from fragile_learning.cli import all_claims
from fragile_learning.debate.decisions import DECISIONS, decision_table


@pytest.fixture(scope="module")
def ledger():
    return read_ledger()


def test_every_cited_claim_exists(ledger):
    known = {entry.id for entry in ledger}
    cited = {identity for one in DECISIONS for identity in one.claims}
    assert cited <= known
    assert cited <= {one.id for one in all_claims()}
    assert {identity.partition("-")[0] for identity in cited} == {
        "REG", "STR", "TAL", "VER", "BNN", "DST", "DEB",
    }  # fmt: skip


def test_no_advice_rests_on_what_was_not_run(ledger):
    outcomes = {entry.id: entry.outcome for entry in ledger}
    for one in DECISIONS:
        assert all(outcomes[identity] is not Outcome.NOT_RUN for identity in one.claims), one
        assert any(outcomes[identity] is Outcome.AGREES for identity in one.claims), one


def test_rows_are_complete_and_different():
    for one in DECISIONS:
        assert one.question.strip()
        assert one.answer.strip()
        assert one.advice.endswith(".")
        assert one.claims
        assert len(set(one.claims)) == len(one.claims)
        assert "collapse" not in f"{one.question}{one.answer}{one.advice}".lower()
    assert len({(one.question, one.answer) for one in DECISIONS}) == len(DECISIONS)


def test_verdicts_come_from_the_ledger(ledger):
    table = decision_table(ledger)
    assert list(table.columns) == ["situation", "advice", "rests_on"]
    assert len(table) == len(DECISIONS)
    outcomes = {entry.id: str(entry.outcome) for entry in ledger}
    for one, text in zip(DECISIONS, table["rests_on"], strict=True):
        assert re.findall(r"[A-Z]+-\d+", text) == list(one.claims)
        assert all(f"{identity} {outcomes[identity]}" in text for identity in one.claims)


def test_a_verdict_that_turns_is_shown(ledger):
    turned = [
        dataclasses.replace(entry, outcome=Outcome.DIFFERS) if entry.id == "REG-1" else entry
        for entry in ledger
    ]
    assert "REG-1 differs" in decision_table(turned)["rests_on"].iloc[0]
    assert "REG-1 differs" not in decision_table(ledger)["rests_on"].iloc[0]


def test_a_claim_that_is_not_there_is_named(ledger):
    with pytest.raises(ValueError, match="must be in the ledger, got REG-1"):
        decision_table([entry for entry in ledger if entry.id != "REG-1"])
