"""What the page on evidence says of the rule by which simulations are judged, counted anew."""

from __future__ import annotations

import re
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

from fragile_learning import claims
from fragile_learning.statistics import z_bound
from fragile_learning.tables import archive_path, read_table

PAGE = Path(__file__).resolve().parents[1] / "book" / "primer" / "evidence.md"
ROOMS = (
    "regression",
    "strong_collapse",
    "scaling_laws",
    "verification",
    "bayes",
    "distillation",
    "debate",
)


def test_comparisons_and_replicates_behind_the_false_alarm(monkeypatch):
    said = re.search(r"joined, fewest = (\d+), (\d+)", PAGE.read_text(encoding="utf-8"))
    ruled = {entry.id for entry in claims.read_ledger() if "4e-8" in entry.margin}
    comparisons: Counter[str] = Counter()
    judged = ""

    def counted(false_alarm, n_checks=1):
        assert false_alarm == claims.FALSE_ALARM, judged
        comparisons[judged] += 1
        return z_bound(false_alarm, n_checks)

    rooms = [import_module(f"fragile_learning.{room}.claims") for room in ROOMS]
    for name, module in list(sys.modules.items()):
        if name.startswith("fragile_learning.") and getattr(module, "z_bound", None) is z_bound:
            monkeypatch.setattr(module, "z_bound", counted)
    replicates = []
    for claim in (claim for room in rooms for claim in room.CLAIMS if claim.id in ruled):
        judged = claim.id
        tables = {name: read_table(archive_path("full", name))[0] for name in claim.experiments}
        claims.judge(claim, tables, tier="full")
        for table in tables.values():
            if "n_replicates" in table:
                replicates += [int(count) for count in table["n_replicates"] if count > 1]
    assert said is not None
    assert (max(comparisons.values()), min(replicates)) == tuple(map(int, said.groups()))
    assert set(comparisons) == ruled
