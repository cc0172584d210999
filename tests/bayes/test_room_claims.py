"""The claims and experiments of the room as the command line and the ledger find them."""

from __future__ import annotations

import pytest

from fragile_learning.bayes.claims import CLAIMS, claim
from fragile_learning.bayes.experiments import EXPERIMENTS, experiment
from fragile_learning.claims import Outcome
from fragile_learning.cli import all_claims, all_experiments


def test_claims_are_complete_and_in_order():
    assert [one.id for one in CLAIMS] == [f"BNN-{number}" for number in range(1, 22)]
    odd = {one.id: one.expected for one in CLAIMS if one.expected is not Outcome.AGREES}
    assert odd == {"BNN-16": None, "BNN-21": Outcome.NOT_RUN}
    assert set(CLAIMS) <= set(all_claims())


def test_every_table_is_used_and_every_claim_has_its_tables():
    known = {one.name for one in EXPERIMENTS}
    pictures = {"bayes/logistic-draws", "bayes/rescaled-logits", "bayes/weak-attacks"}
    pictures |= {"bayes/kl-weights"}  # of what no claim speaks
    assert {name for one in CLAIMS for name in one.experiments} == known - pictures
    assert known <= set(all_experiments())
    assert all(one.tiers == ("quick", "full") for one in EXPERIMENTS)


def test_found_by_name():
    assert claim("BNN-8").experiments == ("bayes/robustness",)
    assert experiment("shift").name == "bayes/shift"
    with pytest.raises(ValueError, match=r"identity must be one of BNN-1, .*, got 'BNN-99'"):
        claim("BNN-99")
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("shifted")
