"""Whether a table stands for the present code, and how it is confirmed."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from fragile_learning import tables
from fragile_learning.cli import all_experiments, main
from fragile_learning.freshness import (
    Confirmation,
    compute_again,
    confirmation_path,
    confirmations,
    experiment_hash,
    largest_difference,
    points_to_confirm,
    read_confirmation,
    table_state,
    tolerance,
    write_confirmation,
)
from fragile_learning.sweeps import Experiment, grid
from fragile_learning.tables import Manifest, TableError, archive_path, read_table, write_table

NAME = "regression/sharp-constants"


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive with one table of the package, made by the present code."""
    monkeypatch.setattr(tables, "archive_roots", lambda: iter([tmp_path]))
    experiment = all_experiments()[NAME]
    store(tmp_path, experiment, experiment.run("full"))
    return tmp_path


def store(archive, experiment, frame, **changes):
    fields = {
        "name": experiment.name,
        "description": experiment.description,
        "tier": "full",
        "configuration": experiment.configuration("full"),
        "seed": experiment.seed,
        "versions": {"python": "3"},
        "device": "none",
        "n_workers": 1,
        "wall_time_seconds": 0.0,
        "peak_memory_bytes": 0,
        "source_revision": "unknown",
        "source_hash": "0" * 64,
        "nullable": experiment.nullable,
        "code_hash": experiment_hash(experiment),
        "date": "2026-11-25",
        "traced": "run",
    }
    path = archive / "full" / f"{experiment.name}.csv"
    return write_table(path, frame, Manifest(**(fields | changes)))


def of(manifest, **changes):
    fields = {
        "name": NAME,
        "table_sha256": manifest.table_sha256,
        "code_hash": experiment_hash(all_experiments()[NAME]),
        "n_points": 2,
        "of_points": 9,
        "largest_relative_difference": 1e-15,
        "tolerance": 1e-9,
        "date": "2026-11-26",
        "device": "none",
        "source_revision": "unknown",
    }
    return Confirmation(**(fields | changes))


def test_a_table_of_the_present_code_stands(archive):
    assert table_state(all_experiments()[NAME]).reasons == ()


def test_a_table_of_other_code_is_stale_until_it_is_confirmed(archive):
    experiment = all_experiments()[NAME]
    frame = read_table(archive_path("full", NAME))[0]
    manifest = store(archive, experiment, frame, code_hash="1" * 64)
    path = archive_path("full", NAME)
    assert table_state(experiment).reasons == ("its code changed since 2026-11-25",)
    write_confirmation(path, of(manifest, code_hash="2" * 64))  # of code between then and now
    assert table_state(experiment).reasons == ("its code changed since 2026-11-26",)
    write_confirmation(path, of(manifest, table_sha256="3" * 64))  # of another table
    assert table_state(experiment).reasons == ("its code changed since 2026-11-25",)
    assert table_state(experiment).confirmation is None
    assert confirmations([NAME]) == {}
    write_confirmation(path, of(manifest))
    assert not table_state(experiment).is_stale
    assert confirmations([NAME, "regression/projections"]) == {NAME: of(manifest)}


def test_a_table_of_unknown_code_or_another_configuration_is_stale(archive):
    experiment = all_experiments()[NAME]
    frame = read_table(archive_path("full", NAME))[0]
    store(archive, experiment, frame, code_hash="", date="", traced="", seed=7)
    assert table_state(experiment).reasons == (
        "its configuration changed",
        "the code that made it is not known",
    )
    confirmed = table_state(all_experiments()["regression/projections"])
    assert confirmed.reasons == ("there is no table",)
    assert confirmed.manifest is None


def test_confirm_computes_some_points_again(archive, capsys):
    experiment = all_experiments()[NAME]
    frame = read_table(archive_path("full", NAME))[0]
    store(archive, experiment, frame, code_hash="1" * 64)
    assert main(["results", NAME]) == 0
    assert f"{NAME:40} stale: its code changed since 2026-11-25" in capsys.readouterr().out
    assert main(["results", NAME, "--confirm", "--points", "2"]) == 0
    assert "by 2 of 9 points" in capsys.readouterr().out
    found = read_confirmation(archive_path("full", NAME))
    assert (found.n_points, found.of_points, found.tolerance) == (2, 9, 1e-9)
    assert found.code_hash == experiment_hash(experiment)
    assert found.largest_relative_difference < 1e-12
    assert not table_state(experiment).is_stale


def test_confirm_refuses_a_table_that_the_code_does_not_give(archive, capsys):
    experiment = all_experiments()[NAME]
    frame = read_table(archive_path("full", NAME))[0]
    column = next(name for name in reversed(frame.columns) if frame[name].dtype.kind == "f")
    frame[column] *= 1 + 1e-8
    store(archive, experiment, frame, code_hash="1" * 64)
    assert main(["results", NAME, "--confirm", "--points", "1"]) == 1
    assert f"{column} differs by 1e-08 at" in capsys.readouterr().out
    assert not confirmation_path(archive_path("full", NAME)).exists()
    assert table_state(experiment).is_stale


def test_a_table_with_other_columns_does_not_stop_the_tables_after_it(archive, capsys, monkeypatch):
    experiment = all_experiments()[NAME]
    frame = read_table(archive_path("full", NAME))[0]
    other = dataclasses.replace(experiment, name="regression/other-columns")
    store(archive, other, frame.assign(more=1.0), code_hash="1" * 64)
    store(archive, experiment, frame, code_hash="1" * 64)
    there = {other.name: other, NAME: experiment}
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: there)
    assert main(["results", "--confirm", "--points", "1"]) == 1
    out = capsys.readouterr().out
    assert f"{other.name:40} failed: the archived table and the present code differ in" in out
    assert f"{NAME:40} ready: confirmed" in out


def test_a_damaged_table_does_not_hide_the_tables_after_it(archive, capsys, monkeypatch):
    experiment = all_experiments()[NAME]
    other = dataclasses.replace(experiment, name="regression/damaged")
    store(archive, other, read_table(archive_path("full", NAME))[0])
    with archive_path("full", other.name).open("a") as stream:
        stream.write("one row more\n")
    there = {other.name: other, NAME: experiment}
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: there)
    assert main(["results"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{other.name:40} damaged: {archive_path('full', other.name)}: its")
    assert second.startswith(f"{NAME:40} ready")


@pytest.mark.parametrize(("seconds", "allowed"), [("30", 60), ("90", 90)])
def test_a_point_that_is_too_dear_is_left_alone(seconds, allowed, archive, capsys, monkeypatch):
    experiment = all_experiments()[NAME]
    store(archive, experiment, read_table(archive_path("full", NAME))[0], code_hash="1" * 64)
    monkeypatch.setattr("fragile_learning.cli._computed_again", lambda *given: iter(()))
    assert main(["results", NAME, "--confirm", "--seconds", seconds]) == 0
    said = f"left alone: its cheapest point takes more than {allowed} s"
    assert f"{NAME:40} {said}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("1e-15", "1e-16"), "checksum"),
        (lambda text: text[:-20], "not used"),
        (lambda text: "[]", "not used"),
        (lambda text: text.replace("confirmation 1", "confirmation 9"), "format"),
    ],
)
def test_an_edited_confirmation_is_refused_and_kept(archive, change, message):
    path = archive_path("full", NAME)
    write_confirmation(path, of(read_table(path)[1]))
    file = confirmation_path(path)
    altered = change(file.read_text(encoding="utf-8"))
    file.write_text(altered, encoding="utf-8")
    with pytest.raises(TableError, match=message) as caught:
        table_state(all_experiments()[NAME])
    assert str(file) in str(caught.value)
    assert file.read_text(encoding="utf-8") == altered


def test_a_confirmation_of_another_table_is_refused(archive):
    path = archive_path("full", NAME)
    write_confirmation(path, of(read_table(path)[1], name="regression/other"))
    with pytest.raises(TableError, match="it is of another table, 'regression/other'"):
        read_confirmation(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_points": 0}, "n_points must be an integer >= 1 and <= 9, got 0"),
        ({"n_points": 10}, "n_points must be an integer >= 1 and <= 9, got 10"),
        ({"largest_relative_difference": 1e-8}, "largest_relative_difference must be"),
        ({"tolerance": 0.0}, "tolerance must be"),
        ({"date": "26.11.2026"}, "date must be a day like '2026-11-25', got '26.11.2026'"),
        ({"code_hash": "1"}, "code_hash must be 64 hexadecimal digits, got '1'"),
        ({"table_sha256": "x" * 64}, "table_sha256 must be 64 hexadecimal digits, got 'xxx"),
        ({"device": " "}, "device must not be empty, got ' '"),
        ({"name": "x"}, "name must have the form"),
    ],
)
def test_a_confirmation_that_makes_no_sense_is_refused(archive, change, message):
    with pytest.raises(ValueError, match=message):
        of(read_table(archive_path("full", NAME))[1], **change)


@pytest.mark.parametrize("count", [9.5, "9", True])
def test_a_confirmation_counts_whole_points(count, archive):
    with pytest.raises(TypeError, match="of_points must be an integer, got"):
        of(read_table(archive_path("full", NAME))[1], of_points=count)


# --- points and differences -------------------------------------------------------------------


def on_a_device(*, device, rng):
    return {"x": rng.random()}


def test_a_table_is_confirmed_here_whatever_the_cluster_has(archive, capsys, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    grids = {"full": [{"device": "cuda"}]}
    asked = Experiment("example/asked", "Asks.", on_a_device, grids, 1, requires=("torch",))
    store(archive, asked, asked.run("full"), code_hash="1" * 64)
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: {asked.name: asked})
    assert main(["results", "--confirm", "--scheduler", "tcp://127.0.0.1:9"]) == 0
    assert f"{asked.name:40} left alone: needs a GPU (device 'cuda')" in capsys.readouterr().out


def law(*, kind, n, exact, rng):
    return [{"y": float(n), "word": kind}, {"y": float(rng.normal()), "word": kind}]


POINTS = [
    *grid(kind=["a", "b"], n=[100, 10, 1], exact=[True]),
    *grid(kind=["a"], n=[1000], exact=[False]),
]
LAW = Experiment("example/law", "A law.", law, {"full": POINTS}, seed=1)


def test_every_branch_is_confirmed_first_by_its_cheapest_point():
    chosen = points_to_confirm(LAW, "full", at_most=5)
    assert [(point["kind"], point["n"], point["exact"]) for point in chosen] == [
        ("a", 1, True),
        ("b", 1, True),
        ("a", 1000, False),
        ("a", 10, True),
        ("b", 10, True),
    ]
    assert len(points_to_confirm(LAW, "full")) == len(POINTS)
    with pytest.raises(ValueError, match="at_most must be an integer >= 1, got 0"):
        points_to_confirm(LAW, "full", at_most=0)


def test_one_point_alone_gives_the_rows_of_the_whole_table():
    whole = LAW.run("full")
    for point in POINTS:
        assert largest_difference(whole, compute_again(LAW, point), list(point)).relative == 0.0


@pytest.mark.parametrize(
    ("column", "change", "relative"),
    [
        ("y", lambda v: v * (1 + 1e-8), 1e-8),
        ("y", lambda v: v + 1e-13, 0.0),  # rounding
        ("y", lambda v: v * math.inf, math.inf),
        ("word", lambda v: "other", math.inf),
    ],
)
def test_the_largest_difference_is_found(column, change, relative):
    whole = LAW.run("full")
    row = 5  # of the third point
    whole.loc[row, column] = change(whole.loc[row, column])
    found = largest_difference(whole, compute_again(LAW, POINTS[2]), list(POINTS[2]))
    assert found.relative == pytest.approx(relative, rel=1e-6)
    assert found.column == (column if relative else "")
    other = largest_difference(whole, compute_again(LAW, POINTS[1]), list(POINTS[1]))
    assert other.relative == 0.0


def test_rows_that_are_not_there_are_named():
    whole = LAW.run("full")
    rows = compute_again(LAW, POINTS[2])
    with pytest.raises(ValueError, match="the archived table has no row at"):
        largest_difference(whole[whole["n"] != 1], rows, list(POINTS[2]))
    with pytest.raises(ValueError, match=r"differ in columns \['y'\]"):
        largest_difference(whole.drop(columns="y"), rows, list(POINTS[2]))
    assert largest_difference(whole.drop(index=5), rows, list(POINTS[2])).relative == math.inf


def test_missing_values_agree_with_missing_values():
    one = pd.DataFrame({"n": [1, 2], "y": [np.nan, 1.0]})
    assert largest_difference(one, one.iloc[:1], ["n"]).relative == 0.0
    other = pd.DataFrame({"n": [1], "y": [0.5]})
    assert largest_difference(one, other, ["n"]).relative == math.inf


@pytest.mark.parametrize(
    ("archived", "computed", "relative"),
    [("a", 0.5, math.inf), (True, 1, math.inf), (1.0, True, math.inf), (2.0, 2, 0), (2, 1.0, 0.5)],
)
def test_a_column_of_another_kind_differs(archived, computed, relative):
    one, other = (pd.DataFrame({"n": [1], "y": [value]}) for value in (archived, computed))
    assert largest_difference(one, other, ["n"]).relative == relative


def test_training_has_a_wider_tolerance():
    assert tolerance(LAW) == 1e-9
    assert tolerance(dataclasses.replace(LAW, requires=("torch",))) == 1e-4


# --- the archive ------------------------------------------------------------------------------


def test_every_archived_table_says_from_which_code_it_is():
    """Its manifest does, or a confirmation says which later code gives it."""
    for experiment in all_experiments().values():
        if "full" in experiment.tiers:
            state = table_state(experiment)
            if state.manifest is not None and not state.manifest.traced:
                assert state.confirmation is not None, experiment.name


def test_the_first_format_of_manifests_is_still_read(archive):
    path = archive_path("full", NAME)
    file = tables.manifest_path(path)
    content = json.loads(file.read_text(encoding="utf-8"))
    for field in ("code_hash", "date", "traced", "manifest_sha256"):
        del content[field]
    content["format"] = "fragile-learning table 1"
    content["manifest_sha256"] = tables.configuration_hash(content)
    file.write_text(json.dumps(content), encoding="utf-8")
    manifest = read_table(path)[1]
    assert (manifest.code_hash, manifest.date, manifest.traced) == ("", "", "")
    assert table_state(all_experiments()[NAME]).reasons == ("the code that made it is not known",)
