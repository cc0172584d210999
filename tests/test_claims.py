"""Claims, verdicts and the ledger: what is refused, what is kept, what is judged."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from fragile_learning import claims, tables
from fragile_learning.claims import (
    Claim,
    LedgerError,
    Outcome,
    Verdict,
    both,
    compare,
    from_archive,
    judge,
    read_ledger,
    verdict_counts,
    verdict_of,
    verdict_table,
    verdict_totals,
    write_ledger,
)
from fragile_learning.statistics import z_bound
from fragile_learning.tables import Manifest, TableError, write_table

NAME = "example/slopes"


def by_mean(found):
    mean = float(found[NAME]["value"].mean())
    return verdict_of(
        abs(mean - 1) < 0.1, f"mean {mean:.2f}", {"mean": mean}, decided=len(found[NAME]) > 1
    )


WORDS = {
    "source": "Theorem 1",
    "statement": "The mean is one.",
    "measure": "the mean",
    "margin": "0.1",
    "margin_reason": "smaller does not matter",
}
CLAIM = Claim("EX-1", **WORDS, experiments=(NAME,), judge=by_mean)


def frame(*values):
    return pd.DataFrame({"value": list(map(float, values))})


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An empty archive in place of the repository's."""
    monkeypatch.setattr(tables, "archive_roots", lambda: iter([tmp_path]))
    monkeypatch.setattr(claims, "archive_roots", lambda: iter([tmp_path]))
    return tmp_path


def archived(archive, values, *, tier="full", name=NAME):
    manifest = Manifest(
        name=name,
        description="Values.",
        tier=tier,
        configuration={},
        seed=1,
        versions={"python": "3"},
        device="none",
        n_workers=1,
        wall_time_seconds=0.0,
        peak_memory_bytes=0,
        source_revision="unknown",
        source_hash="0" * 64,
    )
    path = archive / tier / f"{name}.csv"
    write_table(path, values, manifest)
    return path


@pytest.mark.parametrize(
    ("values", "outcome"),
    [((1.0, 1.02), "agrees"), ((1.0, 1.5), "differs"), ((1.0,), "inconclusive")],
)
def test_a_verdict_follows_from_the_table(values, outcome):
    verdict = judge(CLAIM, {NAME: frame(*values)}, tier="quick")
    assert verdict.outcome == Outcome(outcome)
    assert verdict.numbers["mean"] == pytest.approx(np.mean(values))


def test_without_its_table_a_claim_is_not_run():
    verdict = judge(CLAIM, {}, tier="full")
    assert verdict.outcome is Outcome.NOT_RUN
    assert NAME in verdict.summary


def test_a_claim_of_the_full_tier_is_not_judged_from_quick_tables():
    needs_full = dataclasses.replace(CLAIM, tier="full")
    found = {NAME: frame(1.0, 1.0)}
    assert judge(needs_full, found, tier="quick").outcome is Outcome.NOT_RUN
    assert judge(needs_full, found, tier="full").outcome is Outcome.AGREES


def test_a_judge_sees_only_its_own_tables():
    seen = []
    claim = dataclasses.replace(
        CLAIM, judge=lambda found: seen.append(set(found)) or by_mean(found)
    )
    judge(claim, {NAME: frame(1.0, 1.0), "example/other": frame(9.0)}, tier="full")
    assert seen == [{NAME}]


def test_a_table_without_the_column_names_the_claim():
    with pytest.raises(ValueError, match="claim EX-1 cannot be judged from example/slopes"):
        judge(CLAIM, {NAME: pd.DataFrame({"other": [1.0]})}, tier="full")


def test_a_judge_that_returns_something_else_is_refused():
    claim = dataclasses.replace(CLAIM, judge=lambda _: True)
    with pytest.raises(TypeError, match="claim EX-1: judge must return a Verdict"):
        judge(claim, {NAME: frame(1.0)}, tier="full")


def test_the_ledger_reads_back_what_was_written(archive):
    archived(archive, frame(1.0, 1.04))
    second = dataclasses.replace(
        CLAIM,
        id="EX-10",
        reported="0.5",
        judge=lambda _: Verdict("differs", "no", {"x": np.inf}, "0.62 ± 0.01"),
    )
    third = dataclasses.replace(CLAIM, id="EX-2", experiments=("example/none",))
    entries = from_archive([second, CLAIM, third])
    write_ledger(archive / "claims.json", entries)
    found = read_ledger()
    assert [entry.id for entry in found] == ["EX-1", "EX-2", "EX-10"]  # in the order of numbers
    assert [str(entry.outcome) for entry in found] == ["agrees", "not run", "differs"]
    assert found[0].numbers == {"mean": pytest.approx(1.02)}
    assert (
        found[0].tables[NAME] == tables.read_table(archive / "full" / f"{NAME}.csv")[1].table_sha256
    )
    assert found[1].tables == {}
    assert found[2].numbers == {"x": np.inf}
    assert [(entry.reported, entry.measured) for entry in found] == [
        ("", ""),
        ("", ""),
        ("0.5", "0.62 ± 0.01"),
    ]
    assert found[0].verdict == judge(CLAIM, {NAME: frame(1.0, 1.04)}, tier="full")
    assert sorted(found, key=lambda e: e.id) == sorted(entries, key=lambda e: e.id)


def test_a_damaged_table_is_not_passed_over(archive):
    path = archived(archive, frame(1.0, 1.0))
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(TableError, match="slopes"):
        from_archive([CLAIM])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("agrees", "differs"), "checksum"),
        (lambda text: text[:-30], "not used"),
        (lambda text: "[]", "not used"),
        (lambda text: text.replace("ledger 2", "ledger 9"), "format"),
    ],
)
def test_an_edited_ledger_is_refused_and_kept(archive, change, message):
    archived(archive, frame(1.0, 1.0))
    path = archive / "claims.json"
    write_ledger(path, from_archive([CLAIM]))
    altered = change(path.read_text(encoding="utf-8"))
    path.write_text(altered, encoding="utf-8")
    with pytest.raises(LedgerError, match=message) as caught:
        read_ledger(path)
    assert str(path) in str(caught.value)
    assert path.read_text(encoding="utf-8") == altered


def test_a_missing_ledger_says_how_to_make_it(archive):
    with pytest.raises(LedgerError, match="fragile-learning claims"):
        read_ledger(archive / "claims.json")


def test_one_id_twice_is_refused(archive):
    with pytest.raises(ValueError, match="EX-1 is there twice"):
        from_archive([CLAIM, CLAIM])
    entry = from_archive([CLAIM])[0]
    with pytest.raises(ValueError, match="EX-1 is there twice"):
        write_ledger(archive / "claims.json", [entry, entry])
    assert not (archive / "claims.json").exists()


def test_the_page_table_has_the_asked_columns(archive):
    archived(archive, frame(1.0, 1.0))
    shown = verdict_table(from_archive([CLAIM]), ("id", "outcome"))
    assert shown.to_dict("records") == [{"id": "EX-1", "outcome": "agrees"}]
    with pytest.raises(ValueError, match="columns must be one of"):
        verdict_table([], ("no-such-field",))


def test_verdicts_are_counted_by_room(archive):
    archived(archive, frame(1.0, 1.0))
    (first,) = from_archive([CLAIM])
    second = dataclasses.replace(first, id="EX-2", outcome=Outcome.DIFFERS)
    other = dataclasses.replace(first, id="OT-1", experiments=("other/slopes", NAME))
    counts = verdict_counts([other, first, second])
    assert counts.to_dict("records") == [
        {"room": "other", "agrees": 1, "differs": 0, "inconclusive": 0, "not run": 0},
        {"room": "example", "agrees": 1, "differs": 1, "inconclusive": 0, "not run": 0},
    ]
    assert list(verdict_counts([]).columns) == ["room", *map(str, Outcome)]


def test_verdicts_are_counted_over_all_rooms(archive):
    archived(archive, frame(1.0, 1.0))
    (first,) = from_archive([CLAIM])
    second = dataclasses.replace(first, id="EX-2", outcome=Outcome.DIFFERS)
    other = dataclasses.replace(first, id="OT-1", experiments=("other/slopes",))
    totals = verdict_totals([other, first, second])
    assert list(totals) == list(Outcome)
    assert totals == {"agrees": 2, "differs": 1, "inconclusive": 0, "not run": 0}
    with pytest.raises(TypeError, match="entries must be ledger entries, got 'agrees'"):
        verdict_totals(["agrees"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"id": "reg 1"}, ValueError, "id must be like 'REG-7', got 'reg 1'"),
        ({"id": 7}, ValueError, "id must be like"),
        ({"statement": " "}, ValueError, "EX-1: statement must not be empty"),
        ({"margin_reason": None}, TypeError, "EX-1: margin_reason must be a string, got None"),
        ({"tier": "slow"}, ValueError, "EX-1: tier must be one of 'quick', 'full', got 'slow'"),
        ({"experiments": ()}, ValueError, "EX-1: experiments must be a tuple"),
        ({"experiments": NAME}, ValueError, "EX-1: experiments must be a tuple"),
        ({"experiments": ("Slopes",)}, ValueError, "EX-1: name must have the form"),
        ({"judge": 3}, TypeError, "EX-1: judge must be a function, got 3"),
        ({"expected": "maybe"}, ValueError, "EX-1"),
        ({"reported": 1.0}, TypeError, "EX-1: reported must be a string, got 1.0"),
        ({"reported": "a\nb"}, ValueError, "EX-1: reported must be one line of at most 80"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(CLAIM, **change)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("maybe", "text"), ValueError, "outcome must be one of 'agrees'"),
        (("agrees", ""), ValueError, "summary must not be empty"),
        (("agrees", "text", {"z": float("nan")}), ValueError, r"numbers\['z'\] is NaN"),
        (("agrees", "text", {"z": [1]}), TypeError, r"numbers\['z'\] must be a number"),
        (("agrees", "text", [1]), TypeError, "numbers must be a mapping"),
        (("agrees", "text", {}, 0.6), TypeError, "measured must be a string, got 0.6"),
        (("agrees", "text", {}, "9" * 81), ValueError, "measured must be one line of at most 80"),
    ],
)
def test_a_verdict_that_makes_no_sense_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Verdict(*arguments)


def test_the_ledger_is_readable_by_others(archive):
    archived(archive, frame(1.0, 1.0))
    write_ledger(archive / "claims.json", from_archive([CLAIM]))
    content = json.loads((archive / "claims.json").read_text(encoding="utf-8"))
    assert content["claims"][0]["margin_reason"] == "smaller does not matter"


@pytest.mark.parametrize("decided", [True, False])
def test_the_number_beside_the_source_is_kept_with_every_outcome(decided):
    kept = verdict_of(True, "text", {}, decided=decided, measured="1.0 ± 0.1")
    assert kept.measured == "1.0 ± 0.1"
    agreement = compare([1.0], [0.01 if decided else 1.0], [1.0])
    assert claims.simulated(agreement, "text", measured="1.0 ± 0.1").measured == "1.0 ± 0.1"


def test_the_check_furthest_from_its_prediction_is_what_is_measured():
    near, far = compare([1.0, 2.1], [0.1, 0.1], [1.0, 2.0]), compare([3.0], [0.25], [4.0])
    assert near.furthest == (2.1, 0.1, 2.0)
    assert near.measured() == "worst of 2: 2.10 ± 0.10 (law 2.00)"
    assert far.measured() == "3.00 ± 0.25 (law 4.00)"
    for joined in (both(near, far), both(far, near)):
        assert joined.furthest == far.furthest
        assert joined.measured() == "worst of 3: 3.00 ± 0.25 (law 4.00)"
        assert claims.simulated(joined, "text").measured == joined.measured()
    # of two as far away in their errors, the finer one's bound is narrower
    assert compare([1.1, 1.1], [0.1, 0.2], 1.0).furthest == (1.1, 0.1, 1.0)
    assert claims.simulated(near, "text", measured="").measured == ""


def test_compare_at_its_bounds():
    z = z_bound(4e-8, 2)
    mean, prediction = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    assert compare(mean, [0.01, 0.02], prediction).agrees
    inside, outside = (
        compare([1.0, 2.0 + 0.02 * z * 0.999], [0.01, 0.02], prediction),
        compare([1.0, 2.0 + 0.02 * z * 1.001], [0.01, 0.02], prediction),
    )
    assert inside.agrees
    assert not outside.agrees
    # 1.5 times the scale of the prediction is allowed on top
    assert compare([1.0 + 0.149], [0.0], [1.0], 0.1).agrees
    assert not compare([1.0 + 0.151], [0.0], [1.0], 0.1).agrees
    # the sampling must be finer than 3 % of the prediction, except where it is zero
    assert compare([1.0], [0.03], [1.0]).decided
    assert not compare([1.0], [0.031], [1.0]).decided
    assert compare([0.0], [0.0], [0.0]).decided
    found = compare([1.2], [0.1], [1.0])
    assert found.worst == pytest.approx(0.2 / (0.1 * z_bound(4e-8, 1)), rel=1e-6)
    assert found.coarsest == pytest.approx(0.1)
    assert found.n_checks == 1
