"""The command line, in-process and as installed."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import sysconfig
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import fragile_learning
from fragile_learning import claims, datasets, tables
from fragile_learning.claims import read_ledger
from fragile_learning.cli import REVISION_VARIABLE, _revision, all_claims, all_experiments, main
from fragile_learning.freshness import experiment_hash
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
@pytest.mark.parametrize(
    "program",
    [
        [Path(sysconfig.get_path("scripts")) / "fragile-learning"],
        [sys.executable, "-m", "fragile_learning"],
    ],
)
def test_installed_command_explains_itself(program, arguments):
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: fragile-learning")


def test_a_module_that_is_run_gives_the_exit_status():
    program = [sys.executable, "-m", "fragile_learning", "run", "no-such-experiment"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


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
    assert manifest.code_hash == experiment_hash(experiment)
    assert manifest.traced == "run"
    assert abs(datetime.now(UTC).date() - date.fromisoformat(manifest.date)).days <= 1
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


def test_the_manifest_has_the_memory_of_worker_processes(monkeypatch, tmp_path):
    """They live on when the sweep has ended, so the system does not count them with this one."""
    monkeypatch.setattr("fragile_learning.machine.peak_memory", lambda: 1)  # of this process
    arguments = ["--workers", "2", "--anew", "--output", str(tmp_path)]
    assert main(["run", TABLE, *arguments]) == 0
    assert read_table(tmp_path / f"{TABLE}.csv")[1].peak_memory_bytes > 1e7


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """A copy of the book's ledger that a command may change."""
    root = tmp_path / "archive"
    root.mkdir()
    shutil.copy(claims.ledger_path(), root / "claims.json")
    monkeypatch.setattr(claims, "archive_roots", lambda: iter([root]))
    return root


def altered(ledger, identity, **changes):
    """Change an entry of the stored ledger, as if it had been judged so."""
    entries = [
        dataclasses.replace(entry, **changes) if entry.id == identity else entry
        for entry in read_ledger()
    ]
    claims.write_ledger(ledger / "claims.json", entries)


def stored(ledger, identity):
    return next(e for e in read_ledger(ledger / "claims.json") if e.id == identity)


def test_claims_of_the_archive_are_those_of_the_ledger(capsys, ledger):
    before = (ledger / "claims.json").read_bytes()
    assert main(["claims", "--tier", "full"]) == 0
    assert f"{len(read_ledger())} verdicts are those of the ledger" in capsys.readouterr().out
    assert (ledger / "claims.json").read_bytes() == before


def test_a_changed_verdict_fails_and_names_the_claim(capsys, ledger):
    before = stored(ledger, "REG-2")
    altered(ledger, "REG-2", outcome=claims.Outcome.INCONCLUSIVE, summary="as it was")
    kept = (ledger / "claims.json").read_bytes()
    assert main(["claims", "--tier", "full", "REG-1", "REG-2"]) == 1
    error = capsys.readouterr().err
    assert f"changed: REG-2 full tier: was inconclusive, is {before.outcome}" in error
    assert "was: as it was" in error
    assert before.summary in error
    assert "REG-1 " not in error
    assert "fragile-learning claims --accept" in error
    assert (ledger / "claims.json").read_bytes() == kept


def test_accept_writes_the_ledger(capsys, ledger):
    before = read_ledger()
    altered(ledger, "REG-2", outcome=claims.Outcome.INCONCLUSIVE, quick_outcome="differs")
    changed = stored(ledger, "REG-3")
    arguments = ["claims", "--tier", "full", "REG-2", "--accept", "--output", str(ledger)]
    assert main(arguments) == 0
    assert "1 verdicts changed" in capsys.readouterr().out
    after = stored(ledger, "REG-2")
    assert after.outcome == next(e for e in before if e.id == "REG-2").outcome
    assert str(after.quick_outcome) == "differs"  # not judged now
    assert stored(ledger, "REG-3") == changed
    assert [e.id for e in read_ledger()] == [e.id for e in before]
    assert main(["claims", "--tier", "full", "REG-2"]) == 0


def test_a_claim_that_the_ledger_lacks_fails(capsys, ledger):
    entries = [entry for entry in read_ledger() if entry.id != "REG-2"]
    claims.write_ledger(ledger / "claims.json", entries)
    assert main(["claims", "--tier", "full", "REG-2"]) == 1
    assert "changed: REG-2 is not in the ledger" in capsys.readouterr().err


def test_a_ledger_of_another_format_is_made_anew_only_on_request(capsys, ledger):
    (ledger / "claims.json").write_text('{"format": "fragile-learning ledger 2"}')
    assert main(["claims", "--tier", "full", "REG-2"]) == 2
    assert "make it anew with: fragile-learning claims --accept" in capsys.readouterr().err
    assert main(["claims", "--tier", "full", "--accept", "--output", str(ledger)]) == 0
    assert len(read_ledger()) == len(all_claims())


def test_a_damaged_ledger_is_not_made_anew_from_some_claims_alone(capsys, ledger, monkeypatch):
    file = ledger / "claims.json"
    file.write_text(file.read_text(encoding="utf-8").replace("0.8070", "0.8071"), encoding="utf-8")
    kept = file.read_bytes()
    arguments = ["claims", "--tier", "full", "REG-2", "--accept", "--output", str(ledger)]
    assert main(arguments) == 2
    assert "its checksum does not hold (edited by hand?); the file is kept" in (
        capsys.readouterr().err
    )
    assert file.read_bytes() == kept
    file.unlink()
    monkeypatch.setattr(claims, "repository_root", lambda: None)
    assert main(arguments) == 0  # there was nothing to lose
    assert [entry.id for entry in read_ledger()] == ["REG-2"]


def test_claims_of_the_quick_tier_are_judged_now(capsys, ledger, tmp_path):
    arguments = ["claims", "REG-13", "REG-14", "--tier", "quick", "--output", str(tmp_path)]
    altered(ledger, "REG-13", quick_outcome=claims.Outcome.AGREES)
    full = stored(ledger, "REG-13")
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "REG-13   agrees" in out
    assert "REG-14" not in out  # the full tier alone decides it
    assert out.splitlines()[-1] == "1 verdicts are those of the ledger"
    altered(ledger, "REG-13", quick_outcome=claims.Outcome.DIFFERS, quick_summary="as it was")
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "changed: REG-13 quick tier: was differs, is agrees\n  was: as it was" in error
    assert main([*arguments, "--accept"]) == 0
    accepted = stored(tmp_path, "REG-13")
    assert accepted.quick_outcome is claims.Outcome.AGREES
    assert (accepted.outcome, accepted.summary) == (full.outcome, full.summary)


def test_an_entry_says_where_its_judge_can_be_read(capsys, ledger):
    arguments = ["claims", "--tier", "full", "REG-2", "--accept", "--output", str(ledger)]
    assert main(arguments) == 0
    entry = stored(ledger, "REG-2")
    root = Path(__file__).resolve().parents[1]
    source = (root / "src" / "fragile_learning" / entry.code_file).read_text(encoding="utf-8")
    assert source.splitlines()[entry.code_line - 1].startswith("def _fixed_point(")
    if entry.code_revision:
        path = f"{entry.code_revision}:src/fragile_learning/{entry.code_file}"
        shown = subprocess.run(["git", "show", path], cwd=root, capture_output=True, text=True)
        assert shown.stdout == source


def test_results_says_what_is_there(capsys):
    assert main(["results"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(all_experiments())
    assert all(" ready" in line or " its code changed since " in line for line in lines)


def test_results_are_of_the_named_tables_alone(capsys, monkeypatch):
    known = all_experiments()
    quick = dataclasses.replace(known[TABLE], name="example/quick", grids={"quick": [{"n": 1}]})
    monkeypatch.setattr(
        "fragile_learning.cli.all_experiments", lambda: {quick.name: quick, TABLE: known[TABLE]}
    )
    assert main(["results", TABLE]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [TABLE]
    assert main(["results", "example"]) == 0
    assert capsys.readouterr().out.split() == [quick.name, "no", "full", "tier"]


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
        (["results", TABLE, "no-such"], "no experiment or room 'no-such'; there are: bayes/"),
        (["claims", "--tier", "full", "--timeout", "9"], "--timeout is for --backend dask, got"),
        (["results", "--backend", "dask"], "--backend dask needs --scheduler ADDRESS"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, capsys, tmp_path):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize("option", ["--points", "--seconds", "--workers"])
@pytest.mark.parametrize("value", ["0", "x", "1.5"])
def test_a_count_that_is_none_is_refused(option, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["results", option, value])
    error = capsys.readouterr().err
    assert f"argument {option}: must be an integer >= 1, got '{value}'" in error


def test_an_experiment_without_its_library_says_so(capsys, monkeypatch):
    experiment = dataclasses.replace(all_experiments()[TABLE], requires=("no_such_library",))
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: {TABLE: experiment})
    assert main(["run", TABLE]) == 2
    assert "needs no_such_library, which is not here" in capsys.readouterr().err


def test_dask_that_is_not_installed_is_one_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    arguments = ["--scheduler", "tcp://127.0.0.1:9", "--anew", "--output", str(tmp_path)]
    assert main(["run", TABLE, *arguments]) == 2
    error = capsys.readouterr().err
    assert "error: backend 'dask' needs dask.distributed: pip install" in error
    assert "Traceback" not in error


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
    (tmp_path / "unpacked").mkdir()
    assert _revision(tmp_path / "unpacked") == "0123abc"  # not of the repository around it


def test_the_revision_of_an_installed_package_is_not_that_of_the_folder(monkeypatch, tmp_path):
    """The place of the command may be a repository, but it is another project's."""
    monkeypatch.delenv(REVISION_VARIABLE, raising=False)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "One"], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tables, "repository_root", lambda: None)
    assert main(["run", TABLE, "--output", str(tmp_path)]) == 0
    assert read_table(tmp_path / f"{TABLE}.csv")[1].source_revision == "unknown"


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


def interrupt_at_two(*, x, rng):
    if x == 2:
        raise KeyboardInterrupt
    return {"y": 1.0}


def test_an_interrupted_run_says_so_and_keeps_its_points(capsys, monkeypatch, tmp_path):
    points = [{"x": 1}, {"x": 2}]
    stopped = Experiment("example/stopped", "Stops.", interrupt_at_two, {"quick": points}, seed=1)
    monkeypatch.setattr("fragile_learning.cli.all_experiments", lambda: {stopped.name: stopped})
    monkeypatch.setattr("fragile_learning.cli._work_folder", lambda: tmp_path)
    assert main(["run", stopped.name]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted; finished points are kept"
    assert len(list((tmp_path / "_build" / "points").rglob("*.json"))) == 1
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.skipif(os.name != "posix", reason="other systems have other pipes")
def test_a_reader_that_leaves_is_no_error():
    """As with ``fragile-learning list | head -1``."""
    program = Path(sysconfig.get_path("scripts")) / "fragile-learning"
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = subprocess.run([program, "list"], stdout=writes, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (141, "")


def test_it_says_its_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"fragile-learning {fragile_learning.__version__}\n"


@pytest.mark.parametrize("command", ["run", "list", "results", "claims", "data"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert "usage: fragile-learning" in capsys.readouterr().out
