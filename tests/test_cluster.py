"""Sweeps on a real Dask cluster, of two worker processes, with everything dying in turn."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fragile_learning import cluster as cluster_module
from fragile_learning import sweeps
from fragile_learning.cli import all_experiments, main
from fragile_learning.cluster import Cluster, ClusterError
from fragile_learning.sweeps import SweepError, grid, point_stream, run_sweep
from fragile_learning.tables import Manifest, read_table, source_hash, write_table

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"),
]

PATIENCE = 120  # seconds for what takes one on an idle machine
POINTS = '''\
"""Points that write down each time they run, and by which process."""

import os
import pathlib
import signal
import time

import numpy as np


def ran(folder, i):
    with (pathlib.Path(folder) / f"ran-{i}").open("a") as log:
        log.write(f"{os.getpid()}\\n")


def steady(*, i, folder, rng):
    ran(folder, i)
    time.sleep(0.1)
    design = rng.standard_normal((60, 20))
    return {"least": float(np.linalg.svd(design, compute_uv=False)[-1]), "u": float(rng.random())}


def unlucky(*, i, folder, rng):
    ran(folder, i)
    if i == 7:
        raise ZeroDivisionError("seven")
    return {"u": float(rng.random())}


def deadly(*, i, folder, rng):
    ran(folder, i)
    if i == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return {"u": float(rng.random())}
'''
CLIENT = """\
import sys

import points
from fragile_learning.sweeps import grid, run_sweep

if __name__ == "__main__":
    address, folder = sys.argv[1:]
    run_sweep(
        points.steady,
        grid(i=range(40), folder=[folder]),
        seed=3,
        cache_dir=folder + "/cache",
        backend="dask",
        cluster=address,
    )
"""


def until(what, *, seconds=PATIENCE):
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def process(*arguments, log, environment):
    """A process group that does not outlive the block.

    Should this process itself be killed, the scheduler ends when it has been idle, and the workers
    end without it.
    """
    with log.open("w") as stream:
        running = subprocess.Popen(
            arguments, start_new_session=True, stderr=stream, env=environment
        )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait(timeout=20)


@contextlib.contextmanager
def scheduler(folder, environment):
    file = folder / "scheduler.json"
    with process(
        *(sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0"),
        *("--no-dashboard", "--scheduler-file", str(file), "--idle-timeout", "300s"),
        log=folder / "scheduler.log",
        environment=environment,
    ) as running:
        until(lambda: file.exists() and file.stat().st_size)
        yield running, json.loads(file.read_text(encoding="utf-8"))["address"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder of the points' module, and the environment in which it can be imported."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "points.py").write_text(POINTS, encoding="utf-8")
    (folder / "client.py").write_text(CLIENT, encoding="utf-8")
    package = Path(cluster_module.__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), str(folder)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    }
    sys.path.insert(0, str(folder))
    yield folder, environment
    sys.path.remove(str(folder))
    sys.modules.pop("points", None)


@pytest.fixture(scope="module")
def address(place):
    """A scheduler and two worker processes of one thread each."""
    folder, environment = place
    with (
        scheduler(folder, environment) as (_, found),
        process(
            *(sys.executable, "-m", "dask", "worker", found, "--nworkers", "2"),
            *("--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)),
            *("--death-timeout", "60"),
            log=folder / "workers.log",
            environment=environment,
        ),
    ):
        yield found


@functools.cache
def package_hash():
    return source_hash()


@pytest.fixture(autouse=True)
def _package_hashed_once(monkeypatch):
    """Hashing the package takes a second, and nothing here changes it."""
    for module in (cluster_module, sweeps):
        monkeypatch.setattr(
            module, "source_hash", lambda file=None: source_hash(file) if file else package_hash()
        )


@pytest.fixture
def points(place):
    return importlib.import_module("points")


def executions(folder):
    """How often each point ran."""
    return Counter(
        {
            int(path.name.removeprefix("ran-")): len(path.read_text().splitlines())
            for path in folder.glob("ran-*")
        }
    )


def cached(folder):
    """The points whose results are kept."""
    files = [json.loads(path.read_text()) for path in folder.glob("cache/*.json")]
    return {content["key"]["point"]["i"] for content in files}


def recomputed(finished, before, after):
    return sorted(i for i in finished if after[i] != before[i])


def table_bytes(frame, path):
    manifest = Manifest(
        name="example/points",
        description="Points.",
        tier="quick",
        configuration={},
        seed=3,
        versions={},
        device="any",
        n_workers=1,
        wall_time_seconds=0.0,
        peak_memory_bytes=0,
        source_revision="unknown",
        source_hash="0" * 64,
    )
    write_table(path / "example" / "points.csv", frame, manifest)
    return (path / "example" / "points.csv").read_bytes()


def test_a_worker_and_then_the_client_are_killed(address, place, points, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    program = (sys.executable, str(place[0] / "client.py"), address, str(folder))
    with process(*program, log=tmp_path / "client.log", environment=place[1]) as running:
        until(lambda: len(list(folder.glob("cache/*.json"))) >= 8 or running.poll() is not None)
        last = max(folder.glob("ran-*"), key=lambda path: path.stat().st_mtime_ns)
        os.kill(int(last.read_text().split()[-1]), signal.SIGKILL)
        until(lambda: len(list(folder.glob("cache/*.json"))) >= 18 or running.poll() is not None)
        assert running.poll() is None
        running.kill()
        running.wait(timeout=20)
    finished, before = cached(folder), executions(folder)
    assert 18 <= len(finished) < 40
    all_points = grid(i=range(40), folder=[str(folder)])
    on_cluster = {"backend": "dask", "cluster": Cluster(address, timeout=PATIENCE), "seed": 3}
    frame = run_sweep(points.steady, all_points, cache_dir=folder / "cache", **on_cluster)
    after = executions(folder)
    assert frame.attrs["resumed_points"] == len(finished)
    assert recomputed(finished, before, after) == []
    assert set(after) == cached(folder) == set(range(40))
    # beside each point once: at most what two workers had in hand at either death
    assert after.total() <= 40 + 2 * 4

    serial = run_sweep(points.steady, all_points, seed=3)
    pd.testing.assert_frame_equal(frame, serial, check_exact=True)
    assert table_bytes(frame, tmp_path / "one") == table_bytes(serial, tmp_path / "two")

    # control: without resuming, the same count sees points computed again
    some = all_points[:6]
    before = executions(folder)
    run_sweep(points.steady, some, cache_dir=folder / "cache", resume=False, **on_cluster)
    assert recomputed(finished, before, executions(folder)) == sorted(finished & set(range(6)))
    assert finished & set(range(6))


def test_a_failing_point_runs_once_and_the_window_is_kept(address, points, tmp_path, monkeypatch):
    sent, most = [], []
    submit = distributed.Client.submit

    def counted(self, *arguments, **options):
        landed = len(list(tmp_path.glob("cache/*.json")))
        future = submit(self, *arguments, **options)
        sent.append(future.key)
        most.append(len(sent) - landed)
        return future

    monkeypatch.setattr(distributed.Client, "submit", counted)
    with pytest.raises(SweepError, match=r"'i': 7,.* failed: ZeroDivisionError: seven") as caught:
        run_sweep(
            points.unlucky,
            grid(i=range(30), folder=[str(tmp_path)]),
            seed=1,
            cache_dir=tmp_path / "cache",
            backend="dask",
            cluster=Cluster(address, timeout=PATIENCE, window=4),
        )
    assert "unlucky" in caught.value.__notes__[0]
    assert executions(tmp_path) == Counter(range(30))  # the one that raises too
    assert cached(tmp_path) == set(range(30)) - {7}
    assert len(sent) == 30
    assert 4 <= max(most) <= 5  # four in flight, and the one that left no file


def test_a_point_that_kills_its_worker_fails_alone(address, points, tmp_path):
    with pytest.raises(SweepError, match=r"'i': 1,.* KilledWorker: .* also when it ran alone"):
        run_sweep(
            points.deadly,
            grid(i=range(6), folder=[str(tmp_path)]),
            seed=1,
            cache_dir=tmp_path / "cache",
            backend="dask",
            cluster=Cluster(address, timeout=PATIENCE),
        )
    assert cached(tmp_path) == set(range(6)) - {1}
    assert executions(tmp_path)[1] == 4  # two deaths are one too many here; then the same alone


# --- workers that must not take part ----------------------------------------------------------


def test_workers_with_another_package_are_refused(address, points, tmp_path, monkeypatch):
    true_hash = cluster_module.source_hash
    monkeypatch.setattr(
        cluster_module, "source_hash", lambda file=None: true_hash(file) if file else "0" * 64
    )
    with pytest.raises(
        ClusterError, match=r"worker tcp://127\.0\.0\.1:\d+ has another version of the package"
    ):
        run_sweep(
            points.steady,
            grid(i=[1], folder=[str(tmp_path)]),
            seed=1,
            backend="dask",
            cluster=Cluster(address, timeout=PATIENCE),
        )
    assert not executions(tmp_path)


def test_workers_that_loaded_the_file_before_it_changed_are_refused(address, place, tmp_path):
    module = place[0] / "changed_while_loaded.py"
    text = "def point(*, i, rng):\n    return {{'y': i + {}}}\n"
    module.write_text(text.format(1), encoding="utf-8")
    importlib.invalidate_caches()
    changing = importlib.import_module("changed_while_loaded")
    setting = {"seed": 1, "backend": "dask", "cluster": Cluster(address, timeout=PATIENCE)}
    assert run_sweep(changing.point, grid(i=range(8)), **setting)["y"].tolist() == [*range(1, 9)]
    module.write_text(text.format(1000), encoding="utf-8")
    importlib.reload(changing)
    with pytest.raises(ClusterError, match="has another version of the module changed_while"):
        run_sweep(changing.point, grid(i=range(8)), **setting)


def test_workers_with_other_libraries_are_refused(address, points, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "_libraries", lambda: (("numpy", "0.1"),))
    with pytest.raises(ClusterError, match=r"has numpy \d.*, the client 0\.1|has \w+ .* not at"):
        run_sweep(
            points.steady,
            grid(i=[1], folder=[str(tmp_path)]),
            seed=1,
            backend="dask",
            cluster=Cluster(address, timeout=PATIENCE),
        )


def test_workers_that_cannot_import_the_point_are_refused(address, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def point(*, i, rng):\n    return {'y': i}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.import_module("only_here").point
    with pytest.raises(ClusterError, match="cannot load the task, have they the"):
        run_sweep(
            point, [{"i": 1}], seed=1, backend="dask", cluster=Cluster(address, timeout=PATIENCE)
        )


# --- no cluster -------------------------------------------------------------------------------


def test_a_scheduler_that_is_not_there_is_an_error_in_time():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        for silent in (False, True):  # nobody listens; somebody does, and says nothing
            if silent:
                listener.listen()
            start = time.monotonic()
            with pytest.raises(ClusterError, match=rf"no Dask scheduler answers at '{address}'"):
                run_sweep(abs, [{"x": 1}], seed=1, backend="dask", cluster=Cluster(address, 1.0))
            assert time.monotonic() - start < 20


def test_no_workers_is_said_and_a_lost_scheduler_is_an_error(place, points, tmp_path, caplog):
    caplog.set_level(logging.WARNING, logger="fragile_learning.cluster")
    one = grid(i=[1], folder=[str(tmp_path)])
    with scheduler(tmp_path, place[1]) as (running, address):
        setting = {"seed": 1, "backend": "dask"}
        with pytest.raises(ClusterError, match="has had no workers for 1 s"):
            run_sweep(points.steady, one, cluster=Cluster(address, timeout=1), **setting)
        assert f"no workers at {address}; waiting up to 1 s" in caplog.text
        caplog.clear()

        def kill():
            until(lambda: "no workers" in caplog.text)
            running.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        start = time.monotonic()
        with pytest.raises(ClusterError, match=rf"the connection to .* '{address}' was lost"):
            run_sweep(points.steady, one, cluster=Cluster(address, timeout=PATIENCE), **setting)
        assert time.monotonic() - start < PATIENCE
        killer.join()


# --- the command ------------------------------------------------------------------------------

TABLE = "regression/generator-scaling"


def test_the_command_runs_on_the_cluster(address, tmp_path):
    arguments = ["run", TABLE, "--anew", "--output", str(tmp_path)]
    on_cluster = ["--backend", "dask", "--scheduler", address, "--timeout", str(PATIENCE)]
    assert main([*arguments, *on_cluster]) == 0
    frame, manifest = read_table(tmp_path / f"{TABLE}.csv")
    assert manifest.device.startswith("Dask workers: 1 on ")
    assert manifest.n_workers == 1  # one point, so one worker took part
    assert manifest.peak_memory_bytes > 1e7
    serial = all_experiments()[TABLE].run("quick")
    pd.testing.assert_frame_equal(frame, serial, check_exact=True)


def test_streams_do_not_depend_on_who_computes(address, points, tmp_path):
    frame = run_sweep(
        points.unlucky,
        grid(i=[2, 3], folder=[str(tmp_path)]),
        seed=5,
        backend="dask",
        cluster=address,
    )
    for row in frame.itertuples():
        stream = point_stream(5, {"i": row.i, "folder": row.folder})
        assert row.u == np.random.default_rng(stream).random()
    workers = {worker.address for worker in frame.attrs["workers"]}
    assert 1 <= len(workers) <= 2
