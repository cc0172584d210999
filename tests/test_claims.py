"""Claims, verdicts and the ledger: what is refused, what is kept, what is judged."""

from __future__ import annotations

import dataclasses
import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from fragile_learning import claims, tables
from fragile_learning.claims import (
    Claim,
    LedgerEntry,
    LedgerError,
    Outcome,
    Verdict,
    both,
    compare,
    from_archive,
    judge,
    ledger_changes,
    read_ledger,
    schema_path,
    stale_reasons,
    verdict_counts,
    verdict_of,
    verdict_table,
    verdict_totals,
    write_ledger,
)
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.freshness import experiment_hash
from fragile_learning.provenance import code_hash
from fragile_learning.statistics import z_bound
from fragile_learning.sweeps import Experiment
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


def archived(archive, values, *, tier="full", name=NAME, **changes):
    fields = {
        "configuration": {},
        "seed": 1,
        "device": "a machine",
        "code_hash": "",
        "date": "",
        "traced": "",
    } | changes
    manifest = Manifest(
        name=name,
        description="Values.",
        tier=tier,
        versions={"python": "3"},
        n_workers=1,
        wall_time_seconds=0.0,
        peak_memory_bytes=0,
        source_revision="unknown",
        source_hash="0" * 64,
        **fields,
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
        (lambda text: text.replace("ledger 3", "ledger 9"), "format"),
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


# --- what a verdict rests on, and whether it still stands ---------------------------------------


def slope(*, n, rng):
    return {"value": 1.0 + n}


SLOPES = Experiment(NAME, "Slopes.", slope, {"full": [{"n": 0}]}, seed=1)


@pytest.fixture
def judged(archive):
    """A ledger with one claim, a table of the present code, and what is looked up now."""
    made_by(archive, SLOPES)
    write_ledger(archive / "claims.json", from_archive([CLAIM]))
    return archive


def made_by(archive, experiment, value=1.0, **changes):
    fields = {
        "configuration": experiment.configuration("full"),
        "seed": experiment.seed,
        "code_hash": experiment_hash(experiment),
        "date": "2026-11-25",
        "traced": "run",
    } | changes
    return archived(archive, pd.DataFrame({"n": [0], "value": [value]}), **fields)


def reasons(claim=CLAIM, experiment=SLOPES):
    return stale_reasons(read_ledger(), [claim], {NAME: experiment})["EX-1"]


def test_an_entry_keeps_what_its_verdict_rests_on(judged):
    (entry,) = read_ledger()
    assert entry.code_hash == code_hash(by_mean)
    assert entry.origins == {
        NAME: {"date": "2026-11-25", "device": "a machine", "revision": "unknown"}
    }
    assert (entry.code_file, entry.code_line) == ("", 0)  # the judge is no part of the package
    assert entry.commands == (f"fragile-learning run {NAME} --tier full",)
    assert entry.quick_outcome is None


def test_a_verdict_stands_while_nothing_changed(judged):
    assert reasons() == ()


def by_another(found):
    return verdict_of(True, "always", {})


def another_slope(*, n, rng):
    return {"value": 1.0 + 2 * n}


@pytest.mark.parametrize(
    ("claim", "experiment", "expected"),
    [
        ({"judge": by_another}, {}, ("the code that judges it changed",)),
        ({"margin": "0.2"}, {}, ("its words changed",)),
        ({"reported": "1"}, {}, ("its words changed",)),
        (
            {"experiments": ("example/none",)},
            {},
            ("it is judged from other tables", "example/none: there is no such experiment"),
        ),
        ({}, {"point": another_slope}, (f"{NAME}: its code changed since 2026-11-25",)),
        ({}, {"seed": 2}, (f"{NAME}: its configuration changed",)),
        ({}, {"grids": {"full": [{"n": 1}]}}, (f"{NAME}: its configuration changed",)),
    ],
)
def test_a_verdict_is_stale_when_what_it_rests_on_changed(judged, claim, experiment, expected):
    changed = dataclasses.replace(CLAIM, **claim)
    assert reasons(changed, dataclasses.replace(SLOPES, **experiment)) == expected


def test_a_verdict_is_stale_when_its_table_changed(judged):
    path = made_by(judged, SLOPES, value=1.01)
    assert reasons() == (f"{NAME}: it is another table",)
    write_ledger(judged / "claims.json", from_archive([CLAIM]))
    assert reasons() == ()
    made_by(judged, SLOPES, value=1.01, code_hash="1" * 64)
    assert reasons() == (f"{NAME}: its code changed since 2026-11-25",)
    path.unlink()
    assert reasons() == (f"{NAME}: there is no table",)
    assert read_ledger()[0].outcome is Outcome.INCONCLUSIVE  # the verdict itself is kept


def test_a_claim_that_was_not_run_is_not_stale_for_want_of_a_table(archive):
    write_ledger(archive / "claims.json", from_archive([CLAIM]))
    assert reasons() == ()
    made_by(archive, SLOPES)
    assert reasons() == (f"{NAME}: it is another table",)


def test_a_claim_that_is_no_longer_made_is_stale(judged):
    found = stale_reasons(read_ledger(), [], {})
    assert found == {"EX-1": ("the claim is no longer made",)}


def test_changed_verdicts_are_named_with_both_summaries(judged):
    (entry,) = read_ledger()
    assert ledger_changes([entry], [entry]) == {}
    other = dataclasses.replace(entry, summary="other words")
    assert ledger_changes([entry], [other]) == {}  # the outcome counts
    differs = dataclasses.replace(entry, outcome=Outcome.DIFFERS, summary="mean 2.00")
    assert ledger_changes([entry], [differs]) == {
        "EX-1": ("full tier: was inconclusive, is differs\n  was: mean 1.00\n  is:  mean 2.00",)
    }
    quick = dataclasses.replace(entry, quick_outcome=Outcome.AGREES, quick_summary="yes")
    assert ledger_changes([entry], [quick]) == {
        "EX-1": ("quick tier: was None, is agrees\n  was: \n  is:  yes",)
    }
    second = dataclasses.replace(entry, id="EX-2")
    assert ledger_changes([entry], [second]) == {
        "EX-1": ("is no longer made",),
        "EX-2": ("is not in the ledger",),
    }


# --- the schema of the ledger -------------------------------------------------------------------


def validate(content):
    schema = json.loads(schema_path().read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(content)


def test_the_ledger_fits_its_schema(judged):
    validate(json.loads((judged / "claims.json").read_text(encoding="utf-8")))
    schema = json.loads(schema_path().read_text(encoding="utf-8"))
    fields = [field.name for field in dataclasses.fields(LedgerEntry)]
    assert list(schema["$defs"]["claim"]["properties"]) == fields
    assert schema["$defs"]["claim"]["required"] == fields
    assert schema["$defs"]["outcome"]["enum"] == [str(outcome) for outcome in Outcome]
    assert schema["properties"]["format"]["const"] == claims.FORMAT


def test_the_shipped_ledger_fits_the_schema():
    validate(json.loads(claims.ledger_path().read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "maybe"},
        {"id": "reg-7"},
        {"statement": ""},
        {"measured": "9" * 81},
        {"experiments": []},
        {"experiments": ["Slopes"]},
        {"tables": {NAME: "1"}},
        {"numbers": {"x": [1]}},
        {"numbers": {"x": {"float": "nan"}}},
        {"code_hash": "x"},
        {"code_line": -1},
        {"quick_outcome": ""},
        {"origins": {NAME: {"date": "yesterday", "device": "", "revision": ""}}},
        {"extra": 1},
    ],
)
def test_the_schema_refuses_what_is_no_ledger(judged, change):
    content = json.loads((judged / "claims.json").read_text(encoding="utf-8"))
    content["claims"][0] |= change
    with pytest.raises(jsonschema.ValidationError):
        validate(content)


# --- the book's own ledger ----------------------------------------------------------------------


def test_the_stored_verdicts_are_those_of_the_archive():
    """Every claim judged anew from the archive; `make claims` also computes the quick tier."""
    stored = {entry.id: entry for entry in read_ledger()}
    judged = {entry.id: entry for entry in from_archive(all_claims())}
    assert set(stored) == set(judged)
    assert {i: str(one.outcome) for i, one in stored.items()} == {
        i: str(one.outcome) for i, one in judged.items()
    }


def test_the_ledger_names_the_judges_of_this_package():
    for entry in read_ledger():
        assert entry.code_file, entry.id
        assert (tables.Path(claims.__file__).parent / entry.code_file).is_file(), entry.id


def test_no_verdict_rests_on_another_configuration_or_table():
    found = stale_reasons(read_ledger(), all_claims(), all_experiments())
    wrong = {
        identity: reason
        for identity, several in found.items()
        for reason in several
        if "configuration" in reason or "another table" in reason or "not known" in reason
    }
    assert wrong == {}
