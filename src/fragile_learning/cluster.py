"""Tasks on a Dask cluster that exists already: every answer lands, whatever dies on the way.

A task whose worker dies is given to another worker by the scheduler. When several workers in a row
died under a task (the scheduler's ``allowed-failures``, 3 unless it was started otherwise), the
task is suspected, and with it any innocent one that shared those workers. Suspects are tried again
after all others, one at a time, so that only the task that does kill its worker is blamed for it.

Tasks are pickled by reference, so a worker runs the code that it has. Each compares its code and
its libraries with the client's before it computes, and refuses where they differ.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from fragile_learning._validation import real_number, whole_number
from fragile_learning.machine import description, peak_memory, versions
from fragile_learning.tables import source_hash

__all__ = ["Answer", "Cluster", "ClusterError", "Worker", "answers"]

_POLL = 2.0  # seconds without news after which we ask whether there are workers at all

_reading = threading.Lock()
_log = logging.getLogger(__name__)


class ClusterError(RuntimeError):
    """The cluster cannot be used: no scheduler, no workers, or workers with other code."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A running Dask cluster, and how patient to be with it.

    Attributes
    ----------
    address : str
        Of the scheduler, like ``"tcp://10.0.0.1:8786"``.
    timeout : float
        Seconds, > 0: to reach the scheduler, and to wait for a worker when there is none.
    retries : int
        >= 0. How often a task under which the scheduler gave up is tried once more, alone.
    window : int
        >= 1. Tasks in flight at most; the scheduler never holds more of them.

    Raises
    ------
    TypeError, ValueError
        Naming the field, its value and what is allowed.

    Examples
    --------
    >>> Cluster("tcp://10.0.0.1:8786").timeout
    60.0
    >>> Cluster("tcp://10.0.0.1:8786", timeout=0)
    Traceback (most recent call last):
    ValueError: timeout must be finite and > 0, got 0
    """

    address: str
    timeout: float = 60.0
    retries: int = 1
    window: int = 1000

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not isinstance(self.address, str):
            raise TypeError(f"address must be a string, got {self.address!r}")
        if not self.address.strip():
            raise ValueError(f"address must not be empty, got {self.address!r}")
        seconds = real_number("timeout", self.timeout, minimum=0.0, open_minimum=True)
        put(self, "timeout", seconds)
        put(self, "retries", whole_number("retries", self.retries, minimum=0))
        put(self, "window", whole_number("window", self.window))


@dataclasses.dataclass(frozen=True)
class Worker:
    """A process that computed a task.

    Attributes
    ----------
    address : str
        Of the worker. One that is started again has another.
    machine : str
        :func:`fragile_learning.machine.description` of where it runs.
    peak_memory_bytes : int
        Its largest resident set so far.

    Examples
    --------
    >>> Worker("tcp://10.0.0.2:4567", "x86_64, 2 processors, Linux", 10**8).machine
    'x86_64, 2 processors, Linux'
    """

    address: str
    machine: str
    peak_memory_bytes: int


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came of one task.

    Attributes
    ----------
    index : int
        Of the task.
    value : object
        What it returned; None if it failed.
    worker : Worker or None
        Who computed it; None if it failed.
    error : str
        Why there is no value: the task killed its workers. Empty if there is one.

    Examples
    --------
    >>> Answer(3, value=9.0, worker=None).error
    ''
    """

    index: int
    value: Any
    worker: Worker | None
    error: str = ""


# --- on the worker ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Code:
    """What a worker must have in common with the client."""

    package: str
    file: str | None  # of a function outside the package; None where it travels with the task
    libraries: tuple[tuple[str, str], ...]


# Kept for the life of the process: its modules are those of the files of that time, and a worker
# that goes on after its files were changed must be found out.
@functools.cache
def _read_code(file: Path | None) -> str:
    return source_hash(file)


def _loaded_code(file: Path | None) -> str:
    """Hash of this package, or of a file, when this process first asked."""
    with _reading:  # Python 3.11 cannot parse in two threads at once
        return _read_code(file)


@functools.cache
def _libraries() -> tuple[tuple[str, str], ...]:
    return tuple(versions().items())


def _file_of(function: Callable[..., Any]) -> Path | None:
    """File of a function that is pickled by reference, unless it is one of this package."""
    code = getattr(function, "__code__", None)
    if code is None or function.__module__ == "__main__" or "<" in function.__qualname__:
        return None
    file = Path(code.co_filename)
    inside = Path(__file__).resolve().parent in file.resolve().parents
    return None if inside or not file.is_file() else file


def _code_of(function: Callable[..., Any]) -> _Code:
    """Return what this process, the client, is about to ask for."""
    file = _file_of(function)
    return _Code(source_hash(), None if file is None else source_hash(file), _libraries())


def _complaint(code: _Code, function: Callable[..., Any]) -> str:
    """Say how this process, a worker, differs from the client; empty if it does not."""
    remedy = "start the workers again with the client's code"
    if _loaded_code(None) != code.package:
        return f"has another version of the package fragile_learning: {remedy}"
    if code.file is not None:
        file = _file_of(function)
        if file is None or _loaded_code(file) != code.file:
            return f"has another version of the module {function.__module__}: {remedy}"
    here, there = dict(_libraries()), dict(code.libraries)
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            return (
                f"has {name} {here.get(name, 'not at all')}, "
                f"the client {there.get(name, 'not at all')}: results would not be the same"
            )
    return ""


def _on_worker(
    code: _Code, function: Callable[..., Any], work: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[str, Any, Worker | None]:
    """Complaint, value and worker of one task. A worker that complains computes nothing."""
    from distributed import get_worker

    address = get_worker().address
    complaint = _complaint(code, function)
    if complaint:
        return f"worker {address} {complaint}", None, None
    value = work(*arguments)
    return "", value, Worker(address, description(), peak_memory())


# --- on the client ----------------------------------------------------------------------------


async def _greet(cluster: Cluster) -> None:
    """Shake hands with the scheduler. A client's own connection waits for a silent peer forever."""
    from distributed import Security, comm

    connect = cast(Any, comm).connect
    access = cast(Any, Security)().get_connection_args("client")
    greeting = connect(cluster.address, timeout=cluster.timeout, **access)
    connection = await asyncio.wait_for(greeting, cluster.timeout)
    await connection.close()


@contextlib.contextmanager
def _client(cluster: Cluster) -> Iterator[Any]:
    """Connect to the scheduler; raise within the stated time if it cannot be reached."""
    try:
        from distributed import Client
    except ImportError:
        raise ModuleNotFoundError(
            "backend 'dask' needs dask.distributed: pip install 'fragile-learning[cluster]'"
        ) from None
    make: Callable[..., Any] = Client
    try:
        # in a thread: a notebook has an event loop of its own
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _greet(cluster)).result()
        client = make(cluster.address, timeout=cluster.timeout, set_as_default=False)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        reason = " ".join(str(error).split()) or "it does not answer"
        raise ClusterError(
            f"no Dask scheduler answers at {cluster.address!r} within {cluster.timeout:g} s: "
            f"{reason}"
        ) from None
    with client:
        yield client


class _Crew:
    """Tasks in flight on a cluster."""

    def __init__(self, client: Any, cluster: Cluster) -> None:
        self.client = client
        self.cluster = cluster
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.sent = itertools.count()
        self.poll = min(_POLL, cluster.timeout)
        self.without_workers = 0.0

    def lost(self) -> ClusterError:
        """Return the error to raise when the scheduler is gone."""
        return ClusterError(
            f"the connection to the Dask scheduler at {self.cluster.address!r} was lost"
        )

    def look_for_workers(self) -> None:
        """Count the time without workers; an error when it is longer than was stated."""
        try:
            present = bool(self.client.nthreads())
        except OSError:
            raise self.lost() from None
        if present:
            self.without_workers = 0.0
            return
        address, timeout = self.cluster.address, self.cluster.timeout
        if self.without_workers == 0.0:
            _log.warning("no workers at %s; waiting up to %g s for one", address, timeout)
        elif self.without_workers >= timeout:
            raise ClusterError(
                f"the Dask scheduler at {address!r} has had no workers for {timeout:g} s"
            )
        self.without_workers += self.poll

    def next_done(self) -> Any:
        """Return the next task that ended."""
        while True:
            try:
                return self.done.get(timeout=self.poll)
            except queue.Empty:
                self.look_for_workers()

    def outcome(self, future: Any) -> Any:
        """Return what a task returned; None if the scheduler gave it up: its workers died."""
        from distributed import KilledWorker

        while True:
            try:
                return future.result(timeout=self.poll)
            except TimeoutError:  # its worker died with the result: it is computed again
                self.look_for_workers()
            except KilledWorker:
                return None
            except (asyncio.CancelledError, concurrent.futures.CancelledError, OSError):
                raise self.lost() from None
            except Exception as error:
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                raise ClusterError(
                    f"the scheduler at {self.cluster.address!r} or a worker of it cannot load the "
                    f"task, have they the client's code? {reason}"
                ) from error

    def wave(
        self, indices: Iterable[int], window: int, submit: Callable[[Any, str, int], Any]
    ) -> Iterator[tuple[int, Any]]:
        """Send tasks, at most ``window`` in flight, and yield what each returned as it lands."""
        rest = iter(indices)
        in_flight: dict[str, tuple[int, Any]] = {}
        while True:
            for index in itertools.islice(rest, window - len(in_flight)):
                key = f"{self.client.id}-{next(self.sent)}"
                future = submit(self.client, key, index)
                in_flight[key] = (index, future)
                future.add_done_callback(self.done.put)
            if not in_flight:
                return
            future = self.next_done()
            result = self.outcome(future)
            index, _ = in_flight.pop(future.key)
            future.release()  # the cluster forgets the task and its result
            del future
            yield index, result


def answers(
    work: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    cluster: Cluster,
    *,
    function: Callable[..., Any] | None = None,
) -> Iterator[Answer]:
    """Compute ``work(*task)`` for each task on a cluster; yield each answer as it lands.

    Parameters
    ----------
    work : callable
        Catches its own exceptions: one that gets out counts as a fault of the cluster.
    tasks : sequence of tuple
        Arguments of ``work``.
    cluster : Cluster
    function : callable, optional
        Whose file must be the same on the workers, beside this package. Default: ``work``.

    Yields
    ------
    Answer
        In any order; exactly one for each task.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached or is lost, if there are no workers, if a worker has
        other code or other versions of the libraries, or cannot load a task.
    ModuleNotFoundError
        If dask.distributed is not installed.

    Examples
    --------
    >>> nobody = Cluster("tcp://127.0.0.1:9", timeout=0.1)
    >>> next(answers(pow, [(2, 3)], nobody))
    Traceback (most recent call last):
    fragile_learning.cluster.ClusterError: no Dask scheduler answers at 'tcp://127.0.0.1:9' ...
    """
    origin = work if function is None else function
    code = _code_of(origin)

    def submit(client: Any, key: str, index: int) -> Any:
        return client.submit(_on_worker, code, origin, work, tasks[index], key=key, pure=False)

    with _client(cluster) as client:
        crew = _Crew(client, cluster)
        left: list[int] = list(range(len(tasks)))
        for trial in range(1 + cluster.retries):
            window = cluster.window if trial == 0 else 1
            suspects = []
            for index, result in crew.wave(left, window, submit):
                if result is None:
                    suspects.append(index)
                    continue
                complaint, value, worker = result
                if complaint:
                    raise ClusterError(complaint)
                yield Answer(index, value, worker)
            left = suspects
    for index in left:
        alone = ", also when it ran alone" if cluster.retries else ""
        yield Answer(index, None, None, f"KilledWorker: its workers died one after another{alone}")
