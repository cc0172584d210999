"""The claims and experiments of the room as the command line and the ledger find them."""

from __future__ import annotations

import pytest

from fragile_learning.claims import Outcome
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.distillation.claims import CLAIMS, claim
from fragile_learning.distillation.experiments import EXPERIMENTS, experiment


def test_claims_are_complete_and_in_order():
    assert [one.id for one in CLAIMS] == [f"DST-{number}" for number in range(1, 23)]
    odd = {one.id: one.expected for one in CLAIMS if one.expected is not Outcome.AGREES}
    assert odd == {"DST-15": Outcome.NOT_RUN, "DST-16": None, "DST-18": Outcome.NOT_RUN}
    assert set(CLAIMS) <= set(all_claims())


def test_every_table_is_used_and_every_claim_has_its_tables():
    known = {one.name for one in EXPERIMENTS}
    assert {name for one in CLAIMS for name in one.experiments} == known
    assert known <= set(all_experiments())
    assert all(one.tiers == ("quick", "full") for one in EXPERIMENTS)


def test_found_by_name():
    assert claim("DST-14").experiments == ("distillation/selection",)
    assert experiment("boost").name == "distillation/boost"
    with pytest.raises(ValueError, match=r"identity must be one of DST-1, .*, got 'DST-99'"):
        claim("DST-99")
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("boosted")
