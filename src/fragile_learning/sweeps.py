"""Sweeps: one pure function over a grid of points, in any order, on any number of workers.

Each point draws from its own random stream, keyed by the seed and by the point itself. A result
is therefore the same to the last bit however many workers there are, whatever the order, and
whichever other points are in the grid. Finished points are kept on disk, one small file each, so
that an interrupted sweep goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import inspect
import itertools
import json
import math
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning._validation import choice, whole_number
from fragile_learning.cluster import Cluster, Worker, answers
from fragile_learning.machine import peak_memory, versions
from fragile_learning.tables import (
    TIERS,
    Manifest,
    archive_path,
    canonical_json,
    code_structure,
    configuration_hash,
    names_tuple,
    read_table,
    source_hash,
    table_name,
    write_atomically,
)

__all__ = [
    "BACKENDS",
    "Catalogue",
    "Experiment",
    "SweepCacheWarning",
    "SweepError",
    "grid",
    "point_stream",
    "run_sweep",
]

BACKENDS = ("serial", "processes", "dask")
MAX_LIST = 64
_CACHE_FORMAT = "fragile-learning point 1"
_INT64 = 2**63

Scalar = bool | int | float | str
PointFunction = Callable[..., Mapping[str, Any] | Sequence[Mapping[str, Any]]]


class SweepError(RuntimeError):
    """A point of a sweep failed; the message names it. The other points stay cached."""


class SweepCacheWarning(UserWarning):
    """A cached point was damaged; it is computed again."""


# --- points -----------------------------------------------------------------------------------


def _scalar(name: str, value: Any, *, finite: bool) -> Scalar:
    """Return a plain Python scalar, or raise an error that names it."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise ValueError(f"{name} must fit into 64 bits, got {value}")
        return int(value)
    if isinstance(value, float):
        if finite and not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value!r}")
        return float(value) + 0.0 if finite else float(value)  # -0.0 is 0.0 in a point
    raise TypeError(
        f"{name} must be a boolean, integer, float or string, "
        f"got {value!r} of type {type(value).__name__}"
    )


def _point_value(name: str, value: Any) -> Any:
    """Return a scalar, or a list of at most ``MAX_LIST`` scalars."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, list | tuple):
        if len(value) > MAX_LIST:
            raise ValueError(f"{name} may hold at most {MAX_LIST} entries, got {len(value)}")
        return [_scalar(f"{name}[{i}]", entry, finite=True) for i, entry in enumerate(value)]
    return _scalar(name, value, finite=True)


def _key(name: str, key: Any) -> str:
    """Return ``key`` if it can be a parameter of a point function."""
    if not isinstance(key, str):
        raise TypeError(f"{name} has a key that is not a string: {key!r}")
    if not key.isidentifier() or key == "rng":
        raise ValueError(f"{name} has the key {key!r}: must be a Python name other than 'rng'")
    return key


def _identity(value: Any) -> Any:
    """Hashable form in which 1 and 1.0 are the same, but True and 1 are not."""
    if isinstance(value, list):
        return ("list", *map(_identity, value))
    return (isinstance(value, bool), isinstance(value, str), value)


def _points(name: str, points: Any) -> list[dict[str, Any]]:
    """Check a whole grid: points of one shape, none twice."""
    if isinstance(points, str | bytes | Mapping) or not isinstance(points, Iterable):
        raise TypeError(f"{name} must be a list of mappings, got {points!r}")
    checked: list[dict[str, Any]] = []
    seen: dict[Any, int] = {}
    for i, point in enumerate(points):
        here = f"{name}[{i}]"
        if not isinstance(point, Mapping):
            raise TypeError(f"{here} must be a mapping, got {point!r}")
        clean = {
            _key(here, key): _point_value(f"{here}[{key!r}]", value) for key, value in point.items()
        }
        if checked and set(clean) != set(checked[0]):
            raise ValueError(
                f"{here} must have the keys of the first point {sorted(checked[0])}, "
                f"got {sorted(clean)}"
            )
        if checked:
            clean = {key: clean[key] for key in checked[0]}
        identity = tuple((key, _identity(clean[key])) for key in sorted(clean))
        if identity in seen:
            raise ValueError(f"{here} is the same point as {name}[{seen[identity]}]: {clean}")
        seen[identity] = i
        checked.append(clean)
    if not checked:
        raise ValueError(f"{name} must hold at least one point, got none")
    return checked


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """Cartesian product of the axes; the last one varies fastest.

    Parameters
    ----------
    **axes : sequences
        At least one value each, none twice. Values are booleans, integers, finite floats, strings,
        or short lists of those; numpy scalars become plain ones.

    Returns
    -------
    list of dict
        One mapping for each point.

    Raises
    ------
    TypeError, ValueError
        Naming the axis and the value.

    Examples
    --------
    >>> grid(ridge=[0.0, 0.1], n_samples=[20])
    [{'ridge': 0.0, 'n_samples': 20}, {'ridge': 0.1, 'n_samples': 20}]
    """
    if not axes:
        raise ValueError("grid needs at least one axis")
    values: dict[str, list[Any]] = {}
    for name, axis in axes.items():
        if isinstance(axis, str | bytes | Mapping) or not isinstance(axis, Iterable):
            raise TypeError(f"{name} must be a sequence of values, got {axis!r}")
        try:
            values[name] = [point[name] for point in _points(name, [{name: v} for v in axis])]
        except TypeError as error:
            raise TypeError(f"axis {error}") from None
        except ValueError as error:
            raise ValueError(f"axis {error}") from None
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]


def _stream_keys(stream_keys: Any, point: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Check the keys that choose the random stream."""
    if stream_keys is None:
        return None
    if isinstance(stream_keys, str) or not isinstance(stream_keys, Iterable):
        raise TypeError(f"stream_keys must be a tuple of keys or None, got {stream_keys!r}")
    keys = tuple(stream_keys)
    unknown = [key for key in keys if key not in point]
    if unknown:
        raise ValueError(f"stream_keys must be among {sorted(point)}, got {unknown}")
    return tuple(sorted(set(keys)))


def point_stream(
    seed: int, point: Mapping[str, Any], *, stream_keys: tuple[str, ...] | None = None
) -> np.random.SeedSequence:
    """Seed sequence of one point: from the seed and the point alone.

    Parameters
    ----------
    seed : int
        >= 0.
    point : mapping
        A point of a grid.
    stream_keys : tuple of str, optional
        Use only these keys: points that agree in them share their stream, for a paired comparison.
        None: all keys, every point has a stream of its own.

    Examples
    --------
    >>> one = point_stream(1, {"ridge": 0.1, "replicate": 3})
    >>> two = point_stream(1, {"replicate": 3, "ridge": 0.1})
    >>> one.generate_state(2).tolist() == two.generate_state(2).tolist()
    True
    """
    (clean,) = _points("point", [point])
    keys = _stream_keys(stream_keys, clean)
    chosen = clean if keys is None else {key: clean[key] for key in keys}
    digest = hashlib.sha256(canonical_json(chosen).encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 32, 4))
    return np.random.SeedSequence(whole_number("seed", seed, minimum=0), spawn_key=words)


# --- one point --------------------------------------------------------------------------------


def _rows(result: Any, point: Mapping[str, Any]) -> list[dict[str, Scalar]]:
    """Check what a point function returned."""
    several = isinstance(result, list | tuple)
    rows = list(result) if several else [result]
    if not rows:
        raise ValueError("the point function returned no row")
    checked: list[dict[str, Scalar]] = []
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(
                f"the point function must return a mapping or a list of mappings, got {row!r}"
            )
        clean: dict[str, Scalar] = {}
        for name, value in row.items():
            if not isinstance(name, str) or not name:
                raise TypeError(f"a returned column must have a name, got {name!r}")
            if name in point:
                raise ValueError(f"returned column {name!r} is also a key of the point")
            where = f"returned {name!r}" + (f" of row {i}" if several else "")
            clean[name] = _scalar(where, value, finite=False)
        if checked and list(clean) != list(checked[0]):
            raise ValueError(f"row {i} has columns {list(clean)}, row 0 {list(checked[0])}")
        checked.append(clean)
    return checked


@dataclasses.dataclass(frozen=True)
class _Outcome:
    """What a worker sends back: rows, or the error in words."""

    index: int
    rows: list[dict[str, Scalar]]
    error: str = ""
    trace: str = ""
    worker: Worker | None = None
    peak_memory_bytes: int = 0  # of the process that computed it


def _compute(
    function: PointFunction, index: int, point: dict[str, Any], stream: np.random.SeedSequence
) -> _Outcome:
    """Run the point function at one point; an error comes back as a value."""
    arguments = {
        key: tuple(value) if isinstance(value, list) else value for key, value in point.items()
    }
    try:
        result = function(**arguments, rng=np.random.default_rng(stream))
        return _Outcome(index, _rows(result, point), peak_memory_bytes=peak_memory())
    except Exception as error:  # noqa: BLE001 - reported with its point by run_sweep
        return _Outcome(index, [], f"{type(error).__name__}: {error}", traceback.format_exc())


# --- the cache --------------------------------------------------------------------------------


def _code_hash(function: PointFunction) -> str:
    """Hash of the package's code, and of the function's own file where that is elsewhere."""
    own = inspect.unwrap(function)
    name = getattr(own, "__qualname__", "")
    code = getattr(own, "__code__", None)
    if code is None or "<" in name:
        raise TypeError(
            f"with cache_dir, point must be a function at the top level of a module (what a "
            f"closure holds cannot be seen from outside), got {own!r}"
        )
    package = source_hash()
    file = Path(code.co_filename)
    if file.is_file():
        if Path(__file__).resolve().parent in file.resolve().parents:
            return package
        return configuration_hash([package, source_hash(file)])
    try:
        text = inspect.getsource(own)
    except (OSError, TypeError):
        raise ValueError(
            f"the source of {name} cannot be read; pass code_hash to cache its points"
        ) from None
    return configuration_hash([package, code_structure(text)])


@dataclasses.dataclass(frozen=True)
class _Cache:
    """Finished points, one file each, found by everything that their values depend on."""

    folder: Path
    common: dict[str, Any]

    def _key(self, point: Mapping[str, Any]) -> dict[str, Any]:
        return {"format": _CACHE_FORMAT, **self.common, "point": point}

    def path(self, point: Mapping[str, Any]) -> Path:
        """File of a point."""
        return self.folder / f"{configuration_hash(self._key(point))}.json"

    @staticmethod
    def _checksum(key: Any, rows: Any) -> str:
        text = json.dumps([key, rows], separators=(",", ":"))  # the order of columns counts
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self, point: Mapping[str, Any], rows: list[dict[str, Scalar]]) -> None:
        """Keep the rows of a point."""
        key = self._key(point)
        content = {"key": key, "rows": rows, "sha256": self._checksum(key, rows)}
        write_atomically(self.path(point), json.dumps(content).encode(), durable=False)

    def read(self, point: Mapping[str, Any]) -> list[dict[str, Scalar]] | None:
        """Rows of a point, or None if they are not there or not as they were written."""
        path = self.path(point)
        try:
            content = json.loads(path.read_bytes().decode("utf-8"))
            if content["sha256"] != self._checksum(content["key"], content["rows"]):
                raise ValueError("its checksum does not hold")
            if canonical_json(content["key"]) != canonical_json(self._key(point)):
                raise ValueError("it belongs to another point")
            return _rows(content["rows"], point)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError) as error:
            warnings.warn(
                f"{path}: damaged cache file, computed again ({type(error).__name__}: {error})",
                SweepCacheWarning,
                stacklevel=4,
            )
            return None


# --- the sweep --------------------------------------------------------------------------------


def _from_cluster(
    point: PointFunction, tasks: Sequence[tuple[Any, ...]], cluster: Cluster
) -> Iterator[_Outcome]:
    """Outcomes of the tasks, computed on a Dask cluster."""
    for answer in answers(_compute, tasks, cluster, function=point):
        if answer.error:
            yield _Outcome(tasks[answer.index][1], [], answer.error)
        else:
            yield dataclasses.replace(answer.value, worker=answer.worker)


@contextlib.contextmanager
def _outcomes(
    tasks: list[tuple[PointFunction, int, dict[str, Any], np.random.SeedSequence]],
    backend: str,
    n_workers: int | None,
    cluster: Cluster | None,
) -> Iterator[Iterator[_Outcome]]:
    """Outcomes of the tasks, each as soon as it is there."""
    if backend == "serial" or not tasks:
        yield itertools.starmap(_compute, tasks)
        return
    outcomes: Any
    if cluster is not None:
        outcomes = _from_cluster(tasks[0][0], tasks, cluster)
    else:
        import joblib

        parallel = joblib.Parallel(
            n_jobs=-1 if n_workers is None else n_workers,
            backend="loky",
            batch_size=1,
            return_as="generator_unordered",
        )
        outcomes = parallel(itertools.starmap(joblib.delayed(_compute), tasks))
    try:
        yield outcomes
    finally:
        outcomes.close()


_KINDS = {
    frozenset({bool}): "bool",
    frozenset({int}): "int64",
    frozenset({float}): "float64",
    frozenset({int, float}): "float64",
    frozenset({str}): "",
}


def _column(name: str, values: list[Any]) -> pd.Series[Any]:
    """Column of one kind; lists become their JSON text."""
    if any(isinstance(value, list) for value in values):
        values = [canonical_json(value) for value in values]
    kind = _KINDS.get(frozenset(map(type, values)))
    if kind is None:
        kinds = sorted({type(value).__name__ for value in values})
        raise SweepError(f"column {name!r} mixes kinds that do not go together: {kinds}")
    return pd.Series(values, dtype=kind or None)


def _frame(
    points: list[dict[str, Any]], results: list[list[dict[str, Scalar]]], columns: tuple[str, ...]
) -> pd.DataFrame:
    """One table from the rows of all points, in the order of the grid."""
    names = list(columns) if columns else list(results[0][0])
    for point, rows in zip(points, results, strict=True):
        if set(rows[0]) != set(names):
            raise SweepError(f"point {point} returned columns {list(rows[0])} instead of {names}")
    lengths = [len(rows) for rows in results]
    data = {
        key: _column(
            key,
            [point[key] for point, n in zip(points, lengths, strict=True) for _ in range(n)],
        )
        for key in points[0]
    }
    for name in names:
        data[name] = _column(name, [row[name] for rows in results for row in rows])
    return pd.DataFrame(data)


def run_sweep(
    point: PointFunction,
    grid: Iterable[Mapping[str, Any]],
    *,
    seed: int,
    cache_dir: Path | str | None = None,
    backend: str = "serial",
    n_workers: int | None = None,
    cluster: Cluster | str | None = None,
    progress: bool = False,
    stream_keys: tuple[str, ...] | None = None,
    columns: tuple[str, ...] = (),
    name: str | None = None,
    code_hash: str | None = None,
    version: int = 1,
    resume: bool = True,
) -> pd.DataFrame:
    """Evaluate a function at every point of a grid.

    Parameters
    ----------
    point : callable
        ``point(*, rng, **grid_point)``: pure but for ``rng``, a numpy Generator of its own.
        Returns one row (a mapping of column to scalar) or a list of rows. Lists in a point arrive
        as tuples. For workers and for the cache it stands at the top level of a module.
    grid : list of mappings
        Points with the same keys, none twice; see :func:`grid`.
    seed : int
        >= 0.
    cache_dir : path, optional
        Folder that keeps finished points. A kept point is used again only if the name, version,
        point, seed, stream keys, code and versions of the libraries are the same and its checksum
        holds.
    backend : {"serial", "processes", "dask"}
        A plain loop; worker processes; or a Dask cluster.
    n_workers : int, optional
        Processes; default: as many as there are processors. Only for ``"processes"``.
    cluster : Cluster or str, optional
        The Dask cluster, or the address of its scheduler, like ``"tcp://10.0.0.1:8786"``. Required
        for ``"dask"``. A point whose worker dies is computed elsewhere; one that raises is not.
    progress : bool
        Show a progress bar on the error stream.
    stream_keys : tuple of str, optional
        See :func:`point_stream`.
    columns : tuple of str
        The columns that ``point`` must return, in the table's order. Empty: those of the first row.
    name : str, optional
        Of the sweep, in the cache; default: the function's.
    code_hash : str, optional
        Of the code that the values depend on; default: this package, and the function's file.
    version : int
        >= 1; a new number leaves all cached points behind.
    resume : bool
        Use cached points. If False they are written but not read.

    Returns
    -------
    DataFrame
        The keys of the point, then the returned columns; rows in the order of the grid. A list in
        a point is stored as its JSON text. ``frame.attrs["resumed_points"]`` counts the points
        taken from the cache; ``frame.attrs["workers"]`` lists the
        :class:`~fragile_learning.cluster.Worker` of a cluster that computed the others;
        ``frame.attrs["peak_memory_bytes"]`` is the largest resident set of a process that did, 0
        if none did or it cannot be measured.

    Raises
    ------
    SweepError
        If a point fails. All others are computed, and cached, first; the error names the point
        and its note holds the worker's traceback.
    ClusterError
        If the cluster cannot be reached, has no workers, or has other code than this process; see
        :func:`fragile_learning.cluster.answers`. The points finished until then stay cached.
    TypeError, ValueError
        If an argument is wrong; nothing is computed then.

    Warns
    -----
    SweepCacheWarning
        If a cached file is damaged. It is named, never used, and computed again.

    Examples
    --------
    >>> def square(*, side, rng):
    ...     return {"area": side**2}
    >>> run_sweep(square, [{"side": 2}, {"side": 3}], seed=1)["area"].tolist()
    [4, 9]
    """
    if not callable(point):
        raise TypeError(f"point must be a function, got {point!r}")
    points = _points("grid", grid)
    entropy = whole_number("seed", seed, minimum=0)
    whole_number("version", version)
    choice("backend", backend, BACKENDS)
    if n_workers is not None:
        whole_number("n_workers", n_workers)
        if backend != "processes" and n_workers != 1:
            raise ValueError(f"n_workers is for backend 'processes', got {n_workers} ({backend!r})")
    if (backend == "dask") != (cluster is not None):
        raise ValueError(
            f"cluster goes with backend 'dask' and is required there, "
            f"got {cluster!r} with {backend!r}"
        )
    if cluster is not None and not isinstance(cluster, Cluster):
        cluster = Cluster(cluster)
    keys = _stream_keys(stream_keys, points[0])
    expected = _columns(columns, points[0])

    cache = None
    if cache_dir is not None:
        module = getattr(point, "__module__", "")
        common: dict[str, Any] = {
            "name": name or f"{module}.{getattr(point, '__qualname__', '')}",
            "version": version,
            "seed": entropy,
            "stream_keys": None if keys is None else list(keys),
            "code": code_hash or _code_hash(point),
            "libraries": versions(),
        }
        cache = _Cache(Path(cache_dir), common)

    results: dict[int, list[dict[str, Scalar]]] = {}
    if cache is not None and resume:
        for i, one in enumerate(points):
            rows = cache.read(one)
            if rows is not None:
                results[i] = rows
    resumed = len(results)
    tasks = [
        (point, i, one, point_stream(entropy, one, stream_keys=keys))
        for i, one in enumerate(points)
        if i not in results
    ]

    failures: list[_Outcome] = []
    workers: dict[str, Worker] = {}
    peak = 0
    with contextlib.ExitStack() as stack:
        bar: Any = None
        if progress:
            from tqdm import tqdm

            bar = stack.enter_context(
                tqdm(total=len(points), initial=resumed, desc=name, unit="point")
            )
        for outcome in stack.enter_context(_outcomes(tasks, backend, n_workers, cluster)):
            if outcome.worker is not None:
                workers[outcome.worker.address] = outcome.worker
            peak = max(peak, outcome.peak_memory_bytes)
            if outcome.error:
                failures.append(outcome)
            else:
                results[outcome.index] = outcome.rows
                if cache is not None:
                    cache.write(points[outcome.index], outcome.rows)
            if bar is not None:
                bar.update()
    if failures:
        first = min(failures, key=lambda outcome: outcome.index)
        others = f" ({len(failures)} of {len(points)} points failed)" if len(failures) > 1 else ""
        error = SweepError(f"point {points[first.index]} failed: {first.error}{others}")
        if first.trace:
            error.add_note(first.trace)
        raise error
    frame = _frame(points, [results[i] for i in range(len(points))], expected)
    frame.attrs["resumed_points"] = resumed
    frame.attrs["workers"] = tuple(workers.values())
    frame.attrs["peak_memory_bytes"] = peak
    return frame


def _columns(columns: Any, point: Mapping[str, Any]) -> tuple[str, ...]:
    """Check the promised columns."""
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise TypeError(f"columns must be a tuple of names, got {columns!r}")
    names = tuple(columns)
    for name in names:
        if not isinstance(name, str) or not name:
            raise TypeError(f"columns must be a tuple of names, got {name!r}")
        if name in point or names.count(name) > 1:
            raise ValueError(f"columns has {name!r} twice, or the points have it as a key")
    return names


# --- experiments ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A point function with its grids: one table in each tier.

    Attributes
    ----------
    name : str
        ``room/kebab-name``.
    description : str
        One line: what the table holds.
    point : callable
        See :func:`run_sweep`.
    grids : mapping of {"quick", "full"} to list of points
        At least one tier. The same code, different numbers.
    seed : int
        >= 0.
    stream_keys : tuple of str, optional
        Points that agree in these keys share their random stream (paired comparison).
    columns : tuple of str
        What ``point`` returns, in the table's order. Empty: whatever it returns.
    version : int
        >= 1. Raise it when the meaning of the table changes.
    nullable : tuple of str
        Float columns in which NaN means "not defined here".
    requires : tuple of str
        Modules that the points need beyond the package's own requirements, such as ``"torch"``.

    Raises
    ------
    TypeError, ValueError
        Naming the experiment, the field and its value.

    Examples
    --------
    >>> def square(*, side, rng):
    ...     return {"area": side**2}
    >>> squares = Experiment(
    ...     "example/squares", "Areas of squares.", square, {"quick": grid(side=[1, 2])}, seed=1
    ... )
    >>> squares.run("quick")["area"].tolist()
    [1, 4]
    """

    name: str
    description: str
    point: PointFunction
    grids: Mapping[str, Sequence[Mapping[str, Any]]]
    seed: int
    stream_keys: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    version: int = 1
    nullable: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        table_name(self.name)
        try:
            self._validate()
        except (TypeError, ValueError) as error:
            raise type(error)(f"experiment {self.name!r}: {error}") from None

    def _validate(self) -> None:
        put = object.__setattr__
        if not isinstance(self.description, str):
            raise TypeError(f"description must be a string, got {self.description!r}")
        if not self.description.strip() or "\n" in self.description:
            raise ValueError(f"description must be one line of text, got {self.description!r}")
        if not callable(self.point):
            raise TypeError(f"point must be a function, got {self.point!r}")
        if not isinstance(self.grids, Mapping):
            raise TypeError(f"grids must map tiers to grids, got {self.grids!r}")
        if not self.grids:
            raise ValueError(f"grids must have at least one tier of {TIERS}, got none")
        grids = {
            choice("tier", tier, TIERS): tuple(_points(f"grids[{tier!r}]", points))
            for tier, points in self.grids.items()
        }
        put(self, "grids", grids)
        put(self, "seed", whole_number("seed", self.seed, minimum=0))
        put(self, "version", whole_number("version", self.version))
        for points in grids.values():
            put(self, "stream_keys", _stream_keys(self.stream_keys, points[0]))
            put(self, "columns", _columns(self.columns, points[0]))
        for field in ("nullable", "requires"):
            put(self, field, names_tuple(field, getattr(self, field)))
        if self.columns and not set(self.nullable) <= set(self.columns):
            raise ValueError(f"nullable must be among {self.columns}, got {self.nullable}")

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that have a grid."""
        return tuple(tier for tier in TIERS if tier in self.grids)

    def points(self, tier: str) -> list[dict[str, Any]]:
        """Return the grid of a tier; ValueError if there is none."""
        if tier not in self.grids:
            raise ValueError(
                f"experiment {self.name!r}: tier must be one of {', '.join(self.tiers)}, "
                f"got {tier!r}"
            )
        return [dict(point) for point in self.grids[tier]]

    def configuration(self, tier: str) -> dict[str, Any]:
        """Everything but the code that a table of this tier depends on, as JSON."""
        return {
            "points": self.points(tier),
            "stream_keys": None if self.stream_keys is None else list(self.stream_keys),
            "version": self.version,
        }

    def is_stale(self, manifest: Manifest, tier: str) -> bool:
        """Whether a table was made from another configuration or seed than the present one.

        A change of code alone does not count: compare the source hashes for that.
        """
        return (
            manifest.name != self.name
            or manifest.tier != tier
            or manifest.seed != self.seed
            or configuration_hash(manifest.configuration)
            != configuration_hash(self.configuration(tier))
        )

    def run(
        self,
        tier: str,
        *,
        cache_dir: Path | str | None = None,
        backend: str = "serial",
        n_workers: int | None = None,
        cluster: Cluster | str | None = None,
        progress: bool = False,
        resume: bool = True,
        code_hash: str | None = None,
    ) -> pd.DataFrame:
        """Compute the table of a tier; see :func:`run_sweep`."""
        return run_sweep(
            self.point,
            self.points(tier),
            seed=self.seed,
            cache_dir=cache_dir,
            backend=backend,
            n_workers=n_workers,
            cluster=cluster,
            progress=progress,
            stream_keys=self.stream_keys,
            columns=self.columns,
            name=self.name,
            code_hash=code_hash,
            version=self.version,
            resume=resume,
        )


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The experiments of a room, found by the last part of their names.

    Attributes
    ----------
    experiments : tuple of Experiment
        Of one room.

    Raises
    ------
    ValueError
        If two have one name.

    Examples
    --------
    >>> def square(*, side, rng):
    ...     return {"area": side**2}
    >>> squares = Experiment(
    ...     "example/squares", "Areas of squares.", square, {"quick": grid(side=[1, 2])}, seed=1
    ... )
    >>> Catalogue((squares,)).run_quick("squares")["area"].tolist()
    [1, 4]
    """

    experiments: tuple[Experiment, ...]

    def __post_init__(self) -> None:
        names = [one.name for one in self.experiments]
        if len(set(names)) != len(names):
            raise ValueError(f"experiments must have different names, got {names}")

    def experiment(self, name: str) -> Experiment:
        """Return an experiment by the last part of its name; ValueError if there is none."""
        short = {one.name.partition("/")[2]: one for one in self.experiments}
        return short[choice("name", name, tuple(short))]

    def run_quick(self, name: str) -> pd.DataFrame:
        """Compute the quick table of an experiment, here and now, as a chapter's cell does."""
        return self.experiment(name).run("quick")

    def archived(self, name: str) -> pd.DataFrame:
        """Read the archived full-scale table of an experiment.

        Raises
        ------
        MissingTableError
            If it is not there.
        TableError
            If it is damaged.
        """
        frame, _ = read_table(archive_path("full", self.experiment(name).name))
        return frame
