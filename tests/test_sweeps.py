"""Sweeps: the same numbers whatever the order, the workers and the interruptions."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fragile_learning import sweeps
from fragile_learning.sweeps import (
    Catalogue,
    Experiment,
    SweepCacheWarning,
    SweepError,
    grid,
    point_stream,
    run_sweep,
)
from fragile_learning.tables import Manifest, MissingTableError


def draw(*, scale, replicate, rng):
    return {
        "value": float(scale * rng.standard_normal()),
        "count": replicate,
        "name": f"r{replicate}",
    }


def several(*, n, rng):
    return [{"i": i, "u": float(rng.random())} for i in range(n)]


def fails_at_two(*, x, rng):
    if x == 2:
        raise ZeroDivisionError("two")
    return {"y": x}


POINTS = grid(scale=[1.0, 10.0], replicate=[0, 1, 2])


def by_point(frame):
    return frame.sort_values(["scale", "replicate"]).reset_index(drop=True)


# --- the same numbers -------------------------------------------------------------------------


def test_order_and_company_do_not_matter():
    whole = run_sweep(draw, POINTS, seed=1)
    backwards = run_sweep(draw, POINTS[::-1], seed=1)
    pd.testing.assert_frame_equal(by_point(whole), by_point(backwards), check_exact=True)
    alone = run_sweep(draw, POINTS[3:4], seed=1)
    pd.testing.assert_frame_equal(alone, whole.iloc[[3]].reset_index(drop=True), check_exact=True)
    assert whole["value"].nunique() == 6
    assert not whole["value"].equals(run_sweep(draw, POINTS, seed=2)["value"])


def test_processes_give_the_same_table():
    serial = run_sweep(draw, POINTS, seed=1)
    for workers in (1, 2):
        parallel = run_sweep(draw, POINTS, seed=1, backend="processes", n_workers=workers)
        pd.testing.assert_frame_equal(parallel, serial, check_exact=True)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_dask_cluster_gives_the_same_table():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        parallel = run_sweep(
            draw, POINTS, seed=1, backend="dask", cluster=cluster.scheduler_address
        )
    pd.testing.assert_frame_equal(parallel, run_sweep(draw, POINTS, seed=1), check_exact=True)


def test_points_that_share_stream_keys_are_paired():
    frame = run_sweep(draw, POINTS, seed=1, stream_keys=("replicate",))
    wide = frame.pivot_table(index="replicate", columns="scale", values="value")
    assert np.array_equal(wide[10.0], 10.0 * wide[1.0])
    assert frame["value"].nunique() == 6


@given(seed=st.integers(0, 2**40), x=st.integers(-5, 5), y=st.floats(-1, 1))
@settings(max_examples=50, deadline=None)
def test_a_stream_follows_from_seed_and_point_alone(seed, x, y):
    one = point_stream(seed, {"x": x, "y": y}).generate_state(4)
    assert np.array_equal(one, point_stream(seed, {"y": y, "x": x}).generate_state(4))
    assert np.array_equal(one, point_stream(seed, {"x": np.int64(x), "y": y}).generate_state(4))
    assert not np.array_equal(one, point_stream(seed + 1, {"x": x, "y": y}).generate_state(4))
    assert not np.array_equal(one, point_stream(seed, {"x": x + 1, "y": y}).generate_state(4))
    assert np.array_equal(
        point_stream(seed, {"x": x, "y": y}, stream_keys=("x",)).generate_state(4),
        point_stream(seed, {"x": x, "y": 7.0}, stream_keys=("x",)).generate_state(4),
    )


# --- the table --------------------------------------------------------------------------------


def test_columns_and_types():
    frame = run_sweep(draw, POINTS, seed=1)
    assert list(frame.columns) == ["scale", "replicate", "value", "count", "name"]
    assert [str(kind) for kind in frame.dtypes[:4]] == ["float64", "int64", "float64", "int64"]
    promised = run_sweep(draw, POINTS, seed=1, columns=("name", "value", "count"))
    assert list(promised.columns) == ["scale", "replicate", "name", "value", "count"]


def test_a_point_may_have_several_rows_and_lists():
    def shape(*, sizes, rng):
        assert isinstance(sizes, tuple)
        return [{"size": size} for size in sizes]

    frame = run_sweep(shape, [{"sizes": [1, 2]}, {"sizes": [5]}], seed=1)
    assert frame.to_dict("list") == {"sizes": ["[1,2]", "[1,2]", "[5]"], "size": [1, 2, 5]}
    assert len(run_sweep(several, [{"n": 3}, {"n": 1}], seed=1)) == 4


def test_grid_varies_the_last_axis_fastest():
    assert grid(a=[1, 2], b=["x", "y"]) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert type(grid(a=np.array([1.5]))[0]["a"]) is float


def test_the_bar_goes_to_the_error_stream(capsys):
    run_sweep(draw, POINTS, seed=1, progress=True, name="example")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "example" in captured.err
    assert "6/6" in captured.err


# --- the cache --------------------------------------------------------------------------------


def test_a_second_run_takes_all_points_from_disk(tmp_path):
    first = run_sweep(draw, POINTS, seed=1, cache_dir=tmp_path)
    second = run_sweep(draw, POINTS, seed=1, cache_dir=tmp_path)
    assert (first.attrs["resumed_points"], second.attrs["resumed_points"]) == (0, 6)
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    more = run_sweep(draw, [*POINTS, {"scale": 1.0, "replicate": 9}], seed=1, cache_dir=tmp_path)
    assert more.attrs["resumed_points"] == 6


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"version": 2},
        {"name": "other"},
        {"code_hash": "other"},
        {"stream_keys": ("replicate",)},
        {"resume": False},
    ],
)
def test_what_the_values_depend_on_is_part_of_the_key(tmp_path, change):
    setting = {"seed": 1, "cache_dir": tmp_path, "code_hash": "this"}
    run_sweep(draw, POINTS, **setting)
    assert run_sweep(draw, POINTS, **{**setting, **change}).attrs["resumed_points"] == 0


def test_a_point_of_other_libraries_is_computed_again(tmp_path, monkeypatch):
    """The manifest of the table names those that are installed."""
    setting = {"seed": 1, "cache_dir": tmp_path}
    run_sweep(draw, POINTS, **setting)
    assert run_sweep(draw, POINTS, **setting).attrs["resumed_points"] == len(POINTS)
    newer = sweeps.versions() | {"numpy": "99.0"}
    monkeypatch.setattr(sweeps, "versions", lambda: newer)
    assert run_sweep(draw, POINTS, **setting).attrs["resumed_points"] == 0


def test_changed_code_is_computed_again(tmp_path, monkeypatch):
    module = tmp_path / "changing.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    values = []
    for body in ("x", "x  # a comment changes nothing", "x + 1"):
        module.write_text(
            f"def point(*, x, rng):\n    return {{'y': {body}\n}}\n", encoding="utf-8"
        )
        sys.modules.pop("changing", None)
        sys.path_importer_cache.clear()
        namespace = __import__("importlib").import_module("changing")
        __import__("importlib").reload(namespace)
        frame = run_sweep(namespace.point, [{"x": 1}], seed=1, cache_dir=tmp_path / "cache")
        values.append((int(frame["y"].iloc[0]), frame.attrs["resumed_points"]))
        time.sleep(1.1)  # the import system tells files apart by their time, in seconds
    assert values == [(1, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-5],
        lambda text: text.replace('"count": 0', '"count": 7'),
        lambda text: "{}",
        lambda text: "not json",
    ],
)
def test_a_damaged_point_is_named_and_computed_again(tmp_path, damage):
    first = run_sweep(draw, POINTS[:1], seed=1, cache_dir=tmp_path)
    (file,) = tmp_path.glob("*.json")
    file.write_text(damage(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.warns(SweepCacheWarning, match=file.name):
        second = run_sweep(draw, POINTS[:1], seed=1, cache_dir=tmp_path)
    assert second.attrs["resumed_points"] == 0
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert run_sweep(draw, POINTS[:1], seed=1, cache_dir=tmp_path).attrs["resumed_points"] == 1


def test_a_point_of_another_sweep_is_not_used(tmp_path):
    run_sweep(draw, POINTS[:2], seed=1, cache_dir=tmp_path)
    one, two = sorted(tmp_path.glob("*.json"))
    one.write_bytes(two.read_bytes())
    with pytest.warns(SweepCacheWarning, match="another point"):
        frame = run_sweep(draw, POINTS[:2], seed=1, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(frame, run_sweep(draw, POINTS[:2], seed=1), check_exact=True)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_sweep_goes_on_where_it_stopped(tmp_path):
    program = tmp_path / "slow_sweep.py"
    program.write_text(
        textwrap.dedent(
            """
            import pathlib, sys, time
            from fragile_learning.sweeps import grid, run_sweep

            FOLDER = pathlib.Path(__file__).parent

            def point(*, i, rng):
                with (FOLDER / f"ran-{i}").open("a") as log:
                    log.write("x")
                time.sleep(0.2)
                return {"u": float(rng.random())}

            if __name__ == "__main__":
                points = grid(i=list(range(12)))
                frame = run_sweep(point, points, seed=3, cache_dir=FOLDER / "cache")
                frame.to_json(FOLDER / "done.json", double_precision=15)
            """
        ),
        encoding="utf-8",
    )
    running = subprocess.Popen([sys.executable, str(program)])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("cache/*.json"))) < 3:
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=30)
    finished = len(list(tmp_path.glob("cache/*.json")))
    assert 3 <= finished < 12
    assert not (tmp_path / "done.json").exists()
    subprocess.run([sys.executable, str(program)], check=True, timeout=60)
    runs = [len(path.read_text()) for path in tmp_path.glob("ran-*")]
    assert len(runs) == 12
    # finished points ran once; at most the one that was cut off ran twice
    assert sorted(runs)[:-1] == [1] * 11
    assert max(runs) <= 2
    resumed = json.loads((tmp_path / "done.json").read_text())
    streams = [point_stream(3, {"i": i}) for i in range(12)]
    expected = [float(np.random.default_rng(stream).random()) for stream in streams]
    assert list(resumed["u"].values()) == pytest.approx(expected, rel=1e-12)


# --- failures ---------------------------------------------------------------------------------


def test_a_failing_point_is_named_and_the_others_are_kept(tmp_path):
    points = grid(x=[1, 2, 3])
    with pytest.raises(
        SweepError, match=r"point \{'x': 2\} failed: ZeroDivisionError: two"
    ) as caught:
        run_sweep(fails_at_two, points, seed=1, cache_dir=tmp_path)
    assert "fails_at_two" in caught.value.__notes__[0]
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert (
        run_sweep(fails_at_two, [points[2]], seed=1, cache_dir=tmp_path).attrs["resumed_points"]
        == 1
    )


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (3, "must return a mapping or a list of mappings"),
        ([], "returned no row"),
        ({"x": 1}, "'x' is also a key of the point"),
        ({"y": [1, 2]}, "must be a boolean, integer, float or string"),
        ({"y": 2**70}, "must fit into 64 bits"),
        ([{"y": 1}, {"z": 1}], "row 1 has columns"),
        ({1: 2}, "must have a name"),
    ],
)
def test_a_point_that_returns_nonsense_fails(result, message):
    with pytest.raises(SweepError, match=message):
        run_sweep(lambda *, x, rng: result, [{"x": 1}], seed=1)


def test_rows_that_do_not_go_together_fail():
    with pytest.raises(SweepError, match="mixes kinds"):
        run_sweep(lambda *, x, rng: {"y": "a" if x else 1.0}, grid(x=[0, 1]), seed=1)
    with pytest.raises(SweepError, match="returned columns"):
        run_sweep(lambda *, x, rng: {f"y{x}": 1.0}, grid(x=[0, 1]), seed=1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"grid": []}, ValueError, "grid must hold at least one point"),
        ({"grid": [{"x": 1}, {"x": 1.0}]}, ValueError, "is the same point"),
        ({"grid": [{"x": 1}, {"y": 1}]}, ValueError, "must have the keys of the first"),
        ({"grid": [{"x": float("nan")}]}, ValueError, "must be finite"),
        ({"grid": [{"x": None}]}, TypeError, "must be a boolean, integer, float or string"),
        ({"grid": [{"rng": 1}]}, ValueError, "other than 'rng'"),
        ({"grid": {"x": 1}}, TypeError, "grid must be a list of mappings"),
        ({"grid": [{"x": list(range(99))}]}, ValueError, "at most 64 entries"),
        ({"seed": -1}, ValueError, "seed must be an integer >= 0"),
        ({"point": "draw"}, TypeError, "point must be a function"),
        ({"backend": "ray"}, ValueError, "backend must be one of"),
        ({"n_workers": 2}, ValueError, "n_workers is for backend 'processes'"),
        ({"backend": "dask"}, ValueError, "cluster goes with backend 'dask'"),
        ({"cluster": "tcp://a:1"}, ValueError, "cluster goes with"),
        ({"backend": "dask", "cluster": 8786}, TypeError, "address must be a string"),
        ({"backend": "dask", "cluster": " "}, ValueError, "address must not be empty"),
        ({"stream_keys": ("z",)}, ValueError, "stream_keys must be among"),
        ({"stream_keys": "x"}, TypeError, "stream_keys must be a tuple"),
        ({"columns": ("x",)}, ValueError, "columns has 'x' twice"),
        ({"columns": "y"}, TypeError, "columns must be a tuple"),
        ({"version": 0}, ValueError, "version must be"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(change, error, message):
    ran = []

    def point(*, rng, **keys):
        ran.append(keys)
        return {"out": 1}

    arguments = {"point": point, "grid": [{"x": 1}], "seed": 1, **change}
    with pytest.raises(error, match=message):
        run_sweep(arguments.pop("point"), arguments.pop("grid"), **arguments)
    assert ran == []


def test_what_cannot_be_hashed_is_not_cached(tmp_path):
    with pytest.raises(TypeError, match="top level of a module"):
        run_sweep(lambda *, x, rng: {"y": x}, [{"x": 1}], seed=1, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ({}, ValueError, "at least one axis"),
        ({"a": []}, ValueError, "must hold at least one point"),
        ({"a": 3}, TypeError, "a must be a sequence of values"),
        ({"a": "xyz"}, TypeError, "a must be a sequence of values"),
        ({"a": [1, 1]}, ValueError, "same point"),
    ],
)
def test_wrong_axes(axes, error, message):
    with pytest.raises(error, match=message):
        grid(**axes)


# --- experiments ------------------------------------------------------------------------------

EXPERIMENT = Experiment(
    "example/draws", "Draws.", draw, {"quick": POINTS[:2], "full": POINTS}, seed=1
)


def manifest_of(experiment, tier):
    return Manifest(
        name=experiment.name,
        description="Draws.",
        tier=tier,
        configuration=experiment.configuration(tier),
        seed=experiment.seed,
        versions={},
        device="none",
        n_workers=1,
        wall_time_seconds=0.0,
        peak_memory_bytes=0,
        source_revision="unknown",
        source_hash="0" * 64,
    )


def test_both_tiers_run_the_same_code():
    quick, full = EXPERIMENT.run("quick"), EXPERIMENT.run("full")
    pd.testing.assert_frame_equal(quick, full.iloc[:2], check_exact=True)
    assert EXPERIMENT.tiers == ("quick", "full")
    with pytest.raises(ValueError, match="tier must be one of quick, full, got 'slow'"):
        EXPERIMENT.points("slow")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"version": 2},
        {"stream_keys": ("scale",)},
        {"grids": {"quick": POINTS[:3]}},
        {"name": "example/other"},
    ],
)
def test_a_table_of_another_configuration_is_stale(change):
    manifest = manifest_of(EXPERIMENT, "quick")
    assert not EXPERIMENT.is_stale(manifest, "quick")
    assert EXPERIMENT.is_stale(manifest, "full")
    assert dataclasses.replace(EXPERIMENT, **change).is_stale(manifest, "quick")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": "Draws"}, ValueError, "name must have the form"),
        ({"description": ""}, ValueError, "description must be one line"),
        ({"description": 3}, TypeError, "description must be a string"),
        ({"point": 3}, TypeError, "point must be a function"),
        ({"grids": {}}, ValueError, "grids must have at least one tier"),
        ({"grids": {"slow": POINTS}}, ValueError, "tier must be one of"),
        ({"grids": []}, TypeError, "grids must map tiers"),
        ({"seed": 1.5}, TypeError, "seed must be an integer"),
        ({"columns": ("scale",)}, ValueError, "columns has 'scale' twice"),
        ({"columns": ("value",), "nullable": ("other",)}, ValueError, "nullable must be among"),
        ({"nullable": 3}, TypeError, "nullable must be a tuple of names, got 3"),
        ({"requires": None}, TypeError, "requires must be a tuple of names, got None"),
        ({"requires": "torch"}, TypeError, "requires must be a tuple"),
    ],
)
def test_an_experiment_that_makes_no_sense_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(EXPERIMENT, **change)


def test_backends_are_those_that_are_named():
    assert sweeps.BACKENDS == ("serial", "processes", "dask")
    assert Path(sweeps.__file__).name == "sweeps.py"


def _area(*, side, rng):
    return {"area": side**2}


def test_a_catalogue_finds_by_the_last_part_of_a_name():
    one, two = (
        Experiment(f"example/{name}", "Areas.", _area, {"quick": grid(side=[side])}, seed=side)
        for name, side in (("small", 1), ("large", 3))
    )
    catalogue = Catalogue((one, two))
    assert catalogue.experiment("large") is two
    assert catalogue.run_quick("large")["area"].tolist() == [9]
    with pytest.raises(ValueError, match="name must be one of 'small', 'large'"):
        catalogue.experiment("example/large")
    with pytest.raises(MissingTableError, match="example/small"):
        catalogue.archived("small")
    with pytest.raises(ValueError, match="must have different names"):
        Catalogue((one, one))
