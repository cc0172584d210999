"""The command line, in-process and as installed."""

from __future__ import annotations

import dataclasses
import subprocess
import sysconfig
from pathlib import Path

import pytest

from fragile_learning import datasets, tables
from fragile_learning.claims import read_ledger
from fragile_learning.cli import REVISION_VARIABLE, _revision, all_experiments, main
from fragile_learning.sweeps import Experiment
from fragile_learning.tables import read_table, source_hash


def test_list_names_every_data_set(capsys, tmp_path):
    assert main(["data", "list", "--cache-dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(datasets.names())


def test_verify_reads_the_shipped_sets(capsys, tmp_path):
    assert main(["data", "verify", "--cache-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1797 images verified" in out
    assert "3000 images verified" in out


def test_known_errors_are_one_line(capsys, tmp_path):
    for arguments in (
        ["data", "import", "no-such-set", str(tmp_path)],
        ["data", "import", "mnist-10k", str(tmp_path / "nowhere"), "--cache-dir", str(tmp_path)],
    ):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["data", "--help"], ["data", "import", "--help"]]
)
def test_installed_command_explains_itself(arguments):
    program = Path(sysconfig.get_path("scripts")) / "fragile-learning"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: fragile-learning")


# --- experiments and claims -------------------------------------------------------------------

TABLE = "regression/generator-scaling"


def test_list_names_every_experiment(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in all_experiments())
    assert "points: quick 1, full 1" in out


def test_run_writes_a_table_with_its_manifest(capsys, tmp_path):
    assert main(["run", TABLE, "--output", str(tmp_path)]) == 0
    frame, manifest = read_table(tmp_path / f"{TABLE}.csv")
    assert len(frame) == 27
    experiment = all_experiments()[TABLE]
    assert not experiment.is_stale(manifest, "quick")
    assert manifest.source_hash == source_hash()
    assert manifest.peak_memory_bytes > 1e7
    assert {"python", "numpy", "fragile-learning"} <= set(manifest.versions)
    assert "27 rows" in capsys.readouterr().out


def test_a_second_run_resumes_and_anew_does_not(capsys, tmp_path):
    for arguments, resumed in (([], None), ([], 1), (["--anew"], 0)):
        assert main(["run", TABLE, "--output", str(tmp_path), *arguments]) == 0
        _, manifest = read_table(tmp_path / f"{TABLE}.csv")
        if resumed is not None:
            assert manifest.resumed_points == resumed


@pytest.mark.parametrize(
    ("options", "workers"),
    [
        ([], 1),
        (["--backend", "serial"], 1),
        (["--backend", "processes", "--workers", "2"], 2),
        (["--workers", "2"], 2),
    ],
)
def test_the_manifest_counts_the_workers(options, workers, tmp_path):
    assert main(["run", TABLE, "--output", str(tmp_path), *options]) == 0
    _, manifest = read_table(tmp_path / f"{TABLE}.csv")
    assert manifest.n_workers == workers
    assert "processors" in manifest.device


def test_claims_of_the_quick_tier_are_judged_now(capsys, tmp_path):
    arguments = ["claims", "REG-13", "REG-14", "--tier", "quick", "--output", str(tmp_path)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "REG-13   agrees" in out
    assert "REG-14   not run" in out
    assert not (tmp_path / "claims.json").exists()


def test_claims_writes_the_ledger_of_the_archive(capsys, tmp_path):
    assert main(["claims", "--output", str(tmp_path)]) == 0
    written = {entry.id: entry.outcome for entry in read_ledger(tmp_path / "claims.json")}
    assert written == {entry.id: entry.outcome for entry in read_ledger()}
    assert f"{len(written)} claims" in capsys.readouterr().out


def test_some_claims_leave_the_ledger_alone(capsys, tmp_path):
    assert main(["claims", "REG-2", "--output", str(tmp_path)]) == 0
    assert "REG-2" in capsys.readouterr().out
    assert not (tmp_path / "claims.json").exists()


def test_results_says_what_is_there(capsys):
    assert main(["results"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(all_experiments())
    assert all(" ready " in line for line in lines)


def test_missing_and_stale_tables_are_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "archive_roots", lambda: iter([tmp_path]))
    assert main(["run", TABLE, "--tier", "full", "--output", str(tmp_path / "full")]) == 0
    experiment = all_experiments()[TABLE]
    changed = dataclasses.replace(experiment, seed=experiment.seed + 1)
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: {TABLE: changed})
    capsys.readouterr()
    assert main(["results"]) == 0
    assert "stale" in capsys.readouterr().out
    (tmp_path / "full" / f"{TABLE}.csv").unlink()
    assert main(["results"]) == 0
    assert "missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "no-such-thing"], "no experiment or room 'no-such-thing'"),
        (["run", "regression/optimal-scaling", "--tier", "quick"], "tier must be one of full"),
        (["claims", "REG-99"], "no claim REG-99"),
        (["run", TABLE, "--backend", "dask"], "--backend dask needs --scheduler ADDRESS"),
        (["run", TABLE, "--scheduler", "a:1", "--workers", "2"], "--workers is for --backend proc"),
        (["run", TABLE, "--backend", "serial", "--workers", "2"], "serial has one worker, got"),
        (
            ["run", TABLE, "--backend", "serial", "--scheduler", "a:1"],
            "--scheduler is for --backend",
        ),
        (["run", TABLE, "--timeout", "9"], "--timeout is for --backend dask, got --backend serial"),
        (["run", TABLE, "--scheduler", "a:1", "--timeout", "0"], "timeout must be finite and > 0"),
        (["results", "--backend", "dask"], "--backend dask needs --scheduler ADDRESS"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, capsys, tmp_path):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


def test_an_experiment_without_its_library_says_so(capsys, monkeypatch):
    experiment = dataclasses.replace(all_experiments()[TABLE], requires=("no_such_library",))
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: {TABLE: experiment})
    assert main(["run", TABLE]) == 2
    assert "needs no_such_library, which is not here" in capsys.readouterr().err


def device_point(*, device, rng):
    return {"x": rng.random()}


@pytest.mark.parametrize("there", [False, True])
def test_an_experiment_without_its_device_says_so(there, capsys, monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    asked = Experiment(
        "example/asked",
        "Asks.",
        device_point,
        {"full": [{"device": "cuda"}]},
        1,
        requires=("torch",),
    )
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: {asked.name: asked})
    arguments = ["run", asked.name, "--tier", "full", "--output", str(tmp_path)]
    assert main(arguments) == (0 if there else 2)
    if there:
        assert read_table(tmp_path / f"{asked.name}.csv")[1].device.endswith(", Some GPU")
    else:
        assert "example/asked needs a GPU (device 'cuda'), which is not" in capsys.readouterr().err
        assert main(["results", "--run-missing"]) == 0
        assert "left alone: needs a GPU" in capsys.readouterr().out


def test_the_revision_is_that_of_git_or_as_told(monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv(REVISION_VARIABLE, raising=False)
    assert _revision(tmp_path) == "unknown"
    monkeypatch.setenv(REVISION_VARIABLE, "0123abc")
    assert _revision(tmp_path) == "0123abc"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "One"], check=True)
    assert len(_revision(tmp_path)) == 40


def test_a_failed_point_shows_its_traceback(capsys, monkeypatch, tmp_path):
    broken = Experiment("example/broken", "Fails.", fail, {"quick": [{"x": 1}]}, seed=1)
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: {broken.name: broken})
    assert main(["run", broken.name, "--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "point {'x': 1} failed: ZeroDivisionError" in error
    assert "Traceback" in error
    assert not list(tmp_path.rglob("*.csv"))


def fail(*, x, rng):
    return {"y": x / 0}


@pytest.mark.parametrize("command", ["run", "list", "results", "claims", "data"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert "usage: fragile-learning" in capsys.readouterr().out
