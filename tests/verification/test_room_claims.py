"""The claims and experiments of the room as the command line and the ledger find them."""

from __future__ import annotations

import pytest

from fragile_learning.claims import Outcome
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.verification.claims import CLAIMS, claim
from fragile_learning.verification.experiments import EXPERIMENTS, experiment


def test_claims_are_complete_and_in_order():
    assert [one.id for one in CLAIMS] == [f"VER-{number}" for number in range(1, 22)]
    odd = {one.id: one.expected for one in CLAIMS if one.expected is not Outcome.AGREES}
    assert odd == {"VER-19": None, "VER-20": Outcome.DIFFERS}
    assert set(CLAIMS) <= set(all_claims())


def test_every_table_is_used_and_every_claim_has_its_tables():
    known = {one.name for one in EXPERIMENTS}
    assert {name for one in CLAIMS for name in one.experiments} == known
    assert known <= set(all_experiments())
    assert all(one.tiers == ("quick", "full") for one in EXPERIMENTS)


def test_found_by_name():
    assert claim("VER-16").experiments == ("verification/best-of-k",)
    assert experiment("best-of-k").name == "verification/best-of-k"
    with pytest.raises(ValueError, match=r"identity must be one of VER-1, .*, got 'VER-99'"):
        claim("VER-99")
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("best")
