"""Tidy result tables: a CSV file and, beside it, a manifest that says where it came from.

``NAME.csv`` holds the numbers, ``NAME.manifest.json`` their origin (configuration, seed,
versions, machine, cost, source) and their checksum. Both are written atomically, the manifest
last. A table is read only if every checksum holds: a truncated, edited or orphaned file is
refused by name, and kept.

Nothing here reads the clock or the machine: those facts are measured at the edge
and passed in.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import functools
import hashlib
import io
import json
import math
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fragile_learning._validation import choice, real_number, whole_number

__all__ = [
    "TIERS",
    "Manifest",
    "MissingTableError",
    "TableError",
    "archive_path",
    "archive_roots",
    "canonical_json",
    "configuration_hash",
    "manifest_path",
    "read_manifest",
    "read_table",
    "repository_root",
    "rows_of",
    "source_hash",
    "write_atomically",
    "write_table",
]

TIERS = ("quick", "full")
FORMAT = "fragile-learning table 2"
_FIRST_FORMAT = "fragile-learning table 1"
_SINCE_SECOND = ("code_hash", "date", "traced")

_NAME = re.compile(r"[a-z][a-z0-9_]*/[a-z0-9]+(-[a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_INT64 = 2**63


class TableError(ValueError):
    """A table that must not be used, or cannot be written: names the file and the reason."""


class MissingTableError(TableError, FileNotFoundError):
    """A table that is not there."""

    def __str__(self) -> str:
        """Give the message alone (``OSError`` would format it as a pair)."""
        return str(self.args[0]) if self.args else ""


# --- names and hashes -------------------------------------------------------------------------


def table_name(name: Any) -> str:
    """Return ``name`` if it has the form ``room/kebab-name``, else raise."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string 'room/kebab-name', got {name!r}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"name must have the form 'room/kebab-name', got {name!r}")
    return name


def canonical_json(value: Any) -> str:
    """One text for one JSON value: sorted keys, no spaces, ASCII, no NaN or infinity.

    Raises
    ------
    ValueError, TypeError
        If the value is not JSON.

    Examples
    --------
    >>> canonical_json({"ridge": 0.1, "n_samples": 30})
    '{"n_samples":30,"ridge":0.1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def configuration_hash(configuration: Any) -> str:
    """SHA-256 of a configuration's canonical JSON: two hashes differ when a setting does.

    Examples
    --------
    >>> configuration_hash({"a": 1, "b": 2}) == configuration_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical_json(configuration).encode()).hexdigest()


def _structure(node: Any) -> str:
    """Serialise a syntax tree without positions, and alike in every Python version."""
    if isinstance(node, list):
        return "[" + ",".join(map(_structure, node)) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    fields = [
        f"{name}={_structure(value)}"
        for name, value in ast.iter_fields(node)
        # fields that newer versions add are empty in older code; ctx follows from the position
        if value is not None and value != [] and name not in {"ctx", "kind", "type_comment"}
    ]
    return f"{type(node).__name__}({','.join(fields)})"


def code_structure(source: str | ast.AST) -> str:
    """Text that depends on the code in ``source``, not on its comments, docstrings or layout.

    Parameters
    ----------
    source : str or syntax tree
        A tree loses its docstrings.

    Examples
    --------
    >>> code_structure("x = 1  # one") == code_structure("x=1")
    True
    >>> code_structure("x = 1") == code_structure("x = 2")
    False
    """
    tree = ast.parse(source) if isinstance(source, str) else source
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                del node.body[0]
    return _structure(tree)


def source_hash(root: Path | str | None = None) -> str:
    """SHA-256 of all Python code under a folder; only code counts, not comments or docstrings.

    Parameters
    ----------
    root : path, optional
        A folder, or one Python file. Default: this package.

    Raises
    ------
    FileNotFoundError
        If there is no Python file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "one.py"
    ...     hashes = []
    ...     for code in ("x = 1", "x = 1  # the same", "x = 2"):
    ...         _ = file.write_text(code)
    ...         hashes.append(source_hash(folder))
    >>> hashes[0] == hashes[1], hashes[0] == hashes[2]
    (True, False)
    """
    folder = Path(__file__).parent if root is None else Path(root)
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.py"))
    if not files:
        raise FileNotFoundError(f"no Python file under {folder}")
    by_name = {("" if f == folder else f.relative_to(folder).as_posix()): f for f in files}
    named = tuple(sorted(by_name.items()))
    if root is not None:
        return _hash_of(named)
    stats = [file.stat() for _, file in named]
    return _package_hash(named, tuple((one.st_mtime_ns, one.st_size) for one in stats))


def _hash_of(named: tuple[tuple[str, Path], ...]) -> str:
    digest = hashlib.sha256()
    for name, file in named:
        code = code_structure(file.read_text(encoding="utf-8"))
        digest.update(f"{name}\0{len(code)}\0{code}\0".encode())
    return digest.hexdigest()


@functools.lru_cache(maxsize=1)
def _package_hash(named: tuple[tuple[str, Path], ...], _: tuple[tuple[int, int], ...]) -> str:
    """Hash of the package, once while the times and sizes of its files are the same."""
    return _hash_of(named)


# --- where the archive is ---------------------------------------------------------------------


def repository_root() -> Path | None:
    """Folder of the repository that this package is imported from; None when installed.

    Examples
    --------
    >>> root = repository_root()
    >>> root is None or (root / "pyproject.toml").is_file()
    True
    """
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "results").is_dir() else None


def archive_roots() -> Iterator[Path]:
    """Folders that hold archived results: the package's own copy, then the repository's.

    Examples
    --------
    >>> next(archive_roots()).name
    '_results'
    """
    yield Path(__file__).resolve().parent / "_results"
    repository = repository_root()
    if repository is not None:
        yield repository / "results"


def archive_path(tier: str, name: str) -> Path:
    """Path of an archived table.

    Parameters
    ----------
    tier : {"quick", "full"}
    name : str
        ``room/kebab-name``.

    Returns
    -------
    Path
        The CSV file: in the package if it ships there, else in the repository's ``results``.

    Raises
    ------
    MissingTableError
        If it is in neither; the message names the places and the command that makes it.

    Examples
    --------
    >>> archive_path("full", "regression/ridge-sweep").name
    'ridge-sweep.csv'
    >>> archive_path("full", "regression/no-such-table")
    Traceback (most recent call last):
        ...
    fragile_learning.tables.MissingTableError: no archived table 'regression/no-such-table' ...
    """
    choice("tier", tier, TIERS)
    table_name(name)
    places = [root / tier / f"{name}.csv" for root in archive_roots()]
    for place in places:
        if place.is_file():
            return place
    raise MissingTableError(
        f"no archived table {name!r} of tier {tier!r}: looked for "
        f"{' and '.join(map(str, places))}; "
        f"make it with: fragile-learning run {name} --tier {tier}"
    )


def manifest_path(path: Path | str) -> Path:
    """Path of the manifest that belongs to a table.

    Examples
    --------
    >>> manifest_path("results/full/regression/u-shape.csv").name
    'u-shape.manifest.json'
    """
    table = Path(path)
    if table.suffix != ".csv":
        raise ValueError(f"path must end in .csv, got {str(table)!r}")
    return table.with_name(f"{table.stem}.manifest.json")


def write_atomically(path: Path | str, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that nobody ever sees a part of it.

    The content goes to a temporary file in the same folder, which is then renamed. The folder is
    made if needed.

    Parameters
    ----------
    path : path
    content : bytes
    durable : bool
        Wait until the disk has it. Only for files whose loss costs nothing set this to False.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "new" / "numbers.txt", b"1 2 3")
    ...     (Path(folder) / "new" / "numbers.txt").read_text()
    '1 2 3'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if durable and os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# --- the manifest -----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """Where a table comes from.

    Attributes
    ----------
    name : str
        ``room/kebab-name``; the last part is the name of the table's file.
    description : str
        What the table holds.
    tier : {"quick", "full"}
    configuration : mapping
        The grid and every other setting, as JSON.
    seed : int
        >= 0.
    versions : mapping of str to str
        Python, the package, numpy, scipy and whatever else took part.
    device : str
        The machine in words.
    n_workers : int
        >= 1.
    wall_time_seconds : float
        >= 0. When ``resumed_points`` > 0, of the last session alone.
    peak_memory_bytes : int
        Largest resident set of a process that took part; 0 where it could not be measured.
    source_revision : str
        The version-control revision, or "unknown".
    source_hash : str
        :func:`source_hash` of the package when the table was made.
    nullable : tuple of str
        Float columns in which NaN means "not defined here". Anywhere else NaN is a lost result.
    resumed_points : int
        Points taken from an interrupted earlier session.
    code_hash : str
        :func:`fragile_learning.freshness.experiment_hash` of the experiment when the table was
        made: of all code that its points depend on. Empty where it is not known.
    date : str
        Day of the run, UTC, like "2026-11-25". Empty where it is not known.
    traced : {"", "run", "revision"}
        Where these two come from: the run itself, or, for a table of an earlier time, the sources
        and the day of ``source_revision``. Empty if both are.
    table_sha256, n_rows, columns
        Filled in by :func:`write_table`: checksum of the CSV file, number of rows, and the type
        ("bool", "int", "float" or "str") of each column in order.

    Raises
    ------
    TypeError, ValueError
        Naming the field, its value and what is allowed.

    Examples
    --------
    >>> manifest = Manifest(
    ...     name="demo/coins",
    ...     description="Shares of heads.",
    ...     tier="quick",
    ...     configuration={"n_throws": [10, 100]},
    ...     seed=1,
    ...     versions={"python": "3.12.3"},
    ...     device="a laptop",
    ...     n_workers=1,
    ...     wall_time_seconds=0.1,
    ...     peak_memory_bytes=0,
    ...     source_revision="unknown",
    ...     source_hash="0" * 64,
    ... )
    >>> json.loads(manifest.to_json())["configuration"]
    {'n_throws': [10, 100]}
    >>> dataclasses.replace(manifest, seed=-1)
    Traceback (most recent call last):
        ...
    ValueError: seed must be an integer >= 0, got -1
    """

    name: str
    description: str
    tier: str
    configuration: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]
    device: str
    n_workers: int
    wall_time_seconds: float
    peak_memory_bytes: int
    source_revision: str
    source_hash: str
    nullable: tuple[str, ...] = ()
    resumed_points: int = 0
    code_hash: str = ""
    date: str = ""
    traced: str = ""
    table_sha256: str = ""
    n_rows: int = 0
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        table_name(self.name)
        for field in ("description", "device", "source_revision"):
            filled_text(field, getattr(self, field))
        choice("tier", self.tier, TIERS)
        if not isinstance(self.configuration, Mapping):
            raise TypeError(f"configuration must be a mapping, got {self.configuration!r}")
        try:
            put(self, "configuration", json.loads(canonical_json(dict(self.configuration))))
        except (TypeError, ValueError) as error:
            raise type(error)(f"configuration must be JSON: {error}") from None
        put(self, "seed", whole_number("seed", self.seed, minimum=0))
        for field in ("versions", "columns"):
            put(self, field, _text_mapping(field, getattr(self, field)))
        for kind in self.columns.values():
            choice("columns", kind, ("bool", "int", "float", "str"))
        put(self, "n_workers", whole_number("n_workers", self.n_workers))
        seconds = real_number("wall_time_seconds", self.wall_time_seconds, minimum=0.0)
        put(self, "wall_time_seconds", seconds)
        for field in ("peak_memory_bytes", "resumed_points", "n_rows"):
            put(self, field, whole_number(field, getattr(self, field), minimum=0))
        checksum("source_hash", self.source_hash)
        put(self, "nullable", names_tuple("nullable", self.nullable))
        if self.table_sha256 != "":
            checksum("table_sha256", self.table_sha256)
        choice("traced", self.traced, ("", "run", "revision"))
        if self.traced:
            checksum("code_hash", self.code_hash)
            day("date", self.date)
        elif self.code_hash or self.date:
            raise ValueError(
                f"traced must say where code_hash and date come from, got {self.traced!r}"
            )

    def to_json(self) -> str:
        """Text of the manifest file, with a checksum of its own."""
        content: dict[str, Any] = {"format": FORMAT, **dataclasses.asdict(self)}
        content["nullable"] = list(self.nullable)
        content["columns"] = [[column, kind] for column, kind in self.columns.items()]
        content["manifest_sha256"] = configuration_hash(content)
        return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def filled_text(field: str, value: Any) -> str:
    """Return ``value`` if it is a string with something in it."""
    if not isinstance(value, str):
        raise TypeError(f"{field} must be a string, got {value!r}")
    if not value.strip():
        raise ValueError(f"{field} must not be empty, got {value!r}")
    return value


def _text_mapping(field: str, value: Any) -> dict[str, str]:
    """Return a copy of a mapping of strings to strings."""
    if not isinstance(value, Mapping) or not all(
        isinstance(key, str) and isinstance(text, str) for key, text in value.items()
    ):
        raise TypeError(f"{field} must map strings to strings, got {value!r}")
    return dict(value)


def names_tuple(field: str, value: Any) -> tuple[str, ...]:
    """Return several names, each with something in it, as a tuple; a single text is refused."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{field} must be a tuple of names, got {value!r}")
    names = tuple(value)
    if not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"{field} must be a tuple of names, got {value!r}")
    return names


def day(field: str, value: Any) -> str:
    """Return ``value`` if it is a day like "2026-11-25", else raise."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError(f"{field} must be a day like '2026-11-25', got {value!r}")
    return value


def checksum(field: str, value: Any) -> str:
    """Return ``value`` if it is a SHA-256 in hexadecimal digits."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(f"{field} must be 64 hexadecimal digits, got {value!r}")
    return value


# --- writing ----------------------------------------------------------------------------------


def _cells(column: str, series: pd.Series[Any], *, nullable: bool) -> tuple[str, list[str]]:
    """Kind of a column, and its cells as text that reads back to the same values."""
    missing = series.isna()
    if missing.any() and not nullable:
        row = int(missing.to_numpy().argmax())
        raise TableError(f"column {column!r} has no value in row {row}: a lost result")
    code = series.dtype.kind
    values = series.tolist()
    if code == "f":
        return "float", [repr(float("nan") if pd.isna(value) else float(value)) for value in values]
    if nullable:
        raise TableError(f"nullable column {column!r} must hold floats, got dtype {series.dtype}")
    if code == "b":
        return "bool", [repr(bool(value)) for value in values]
    if code in "iu":
        if any(not -_INT64 <= value < _INT64 for value in values):
            raise TableError(f"column {column!r} has an integer that does not fit into 64 bits")
        return "int", [str(value) for value in values]
    if all(isinstance(value, str) for value in values):
        return "str", values
    odd = next(value for value in values if not isinstance(value, str))
    raise TableError(
        f"column {column!r} must hold only booleans, only integers, only floats or only strings, "
        f"got {odd!r} in a column of dtype {series.dtype}"
    )


def _to_csv(frame: pd.DataFrame, nullable: tuple[str, ...]) -> tuple[dict[str, str], bytes]:
    """Column kinds, and the bytes of the CSV file."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"frame must be a pandas DataFrame, got {type(frame).__name__}")
    if frame.empty:
        raise TableError(f"an empty table is a lost result, got shape {frame.shape}")
    names: list[Any] = list(frame.columns)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise TableError(f"columns must have non-empty names, got {name!r}")
        if names.count(name) > 1:
            raise TableError(f"column {name!r} is there twice")
    unknown = sorted(set(nullable) - set(names))
    if unknown:
        raise TableError(f"nullable names no column of the table: {unknown}, columns {names}")
    kinds: dict[str, str] = {}
    texts: list[list[str]] = []
    for name in names:
        kinds[name], cells = _cells(name, frame[name], nullable=name in nullable)
        texts.append(cells)
    # The writer quotes a line feed but not a lone carriage return, which the reader takes for one.
    returns = any("\r" in cell for cells in [names, *texts] for cell in cells)
    stream = io.StringIO(newline="")
    if returns:
        writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    else:
        writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*texts, strict=True))
    try:
        return kinds, stream.getvalue().encode("utf-8")
    except UnicodeEncodeError as error:
        raise TableError(f"a text cannot be written as UTF-8: {error}") from None


def _stem_of(path: Path, manifest: Manifest) -> None:
    """Refuse a manifest that is not of this table."""
    if manifest.name.rsplit("/", 1)[-1] != path.stem:
        raise TableError(f"{path}: the manifest is of another table, {manifest.name!r}")


def write_table(path: Path | str, frame: pd.DataFrame, manifest: Manifest) -> Manifest:
    """Write a table and its manifest, each atomically, the manifest last.

    Parameters
    ----------
    path : path
        ``.../NAME.csv`` where the manifest's name is ``room/NAME``.
    frame : DataFrame
        At least one row. Columns hold only booleans, only integers (64 bits), only floats (stored
        to the last bit; ``inf`` is allowed, NaN only in the manifest's nullable columns) or only
        strings. The index is not kept.
    manifest : Manifest

    Returns
    -------
    Manifest
        Completed with checksum, number of rows and columns.

    Raises
    ------
    TableError
        If the frame cannot be kept as it is; nothing is written then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> origin = read_manifest(archive_path("full", "regression/ridge-sweep"))
    >>> origin = dataclasses.replace(origin, name="demo/coins", nullable=())
    >>> frame = pd.DataFrame({"n_throws": [10, 100], "heads": [0.4, 0.53]})
    >>> with TemporaryDirectory() as folder:
    ...     written = write_table(Path(folder) / "coins.csv", frame, origin)
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['coins.csv', 'coins.manifest.json']
    >>> written.n_rows, written.columns
    (2, {'n_throws': 'int', 'heads': 'float'})
    """
    target = Path(path)
    beside = manifest_path(target)
    if not isinstance(manifest, Manifest):
        raise TypeError(f"manifest must be a Manifest, got {type(manifest).__name__}")
    _stem_of(target, manifest)
    try:
        kinds, content = _to_csv(frame, manifest.nullable)
    except TableError as error:
        raise TableError(f"{target}: {error}; nothing was written") from None
    complete = dataclasses.replace(
        manifest,
        table_sha256=hashlib.sha256(content).hexdigest(),
        n_rows=len(frame),
        columns=kinds,
    )
    write_atomically(target, content)
    write_atomically(beside, complete.to_json().encode("utf-8"))
    return complete


# --- reading ----------------------------------------------------------------------------------


def _refuse(path: Path, why: str) -> TableError:
    return TableError(f"{path}: {why}; the file is kept and not used")


def read_manifest(path: Path | str) -> Manifest:
    """Read the manifest of the table at ``path`` (the CSV file) and check it.

    Raises
    ------
    MissingTableError
        If there is none.
    TableError
        If it is damaged, edited, of another format or of another table.

    Examples
    --------
    >>> manifest = read_manifest(archive_path("full", "regression/ridge-sweep"))
    >>> manifest.name, manifest.tier, len(manifest.table_sha256)
    ('regression/ridge-sweep', 'full', 64)
    """
    table = Path(path)
    beside = manifest_path(table)
    if not beside.is_file():
        raise MissingTableError(f"{beside}: no such manifest, so {table.name} is not used")
    try:
        content = json.loads(beside.read_bytes().decode("utf-8"))
    except ValueError as error:
        raise _refuse(beside, f"not JSON (truncated?): {error}") from None
    stated = content.pop("format", None) if isinstance(content, dict) else None
    if stated not in (FORMAT, _FIRST_FORMAT):
        raise _refuse(beside, f"not a manifest of the format {FORMAT!r}")
    expected = {field.name for field in dataclasses.fields(Manifest)} | {"manifest_sha256"}
    if stated == _FIRST_FORMAT:
        expected -= set(_SINCE_SECOND)
    if set(content) != expected:
        lacking, extra = sorted(expected - set(content)), sorted(set(content) - expected)
        raise _refuse(beside, f"wrong fields: missing {lacking}, unknown {extra}")
    kept = content.pop("manifest_sha256")
    try:
        if kept != configuration_hash({"format": stated, **content}):
            raise ValueError("its checksum does not hold (edited by hand?)")
        columns = content.pop("columns")
        if not isinstance(columns, list) or not all(
            isinstance(pair, list) and len(pair) == 2 for pair in columns
        ):
            raise ValueError(f"columns must be a list of pairs, got {columns!r}")
        manifest = Manifest(**content, columns=dict(columns))
        if not manifest.table_sha256 or not manifest.columns or not manifest.n_rows:
            raise ValueError("it lacks checksum, columns or rows of the table")
    except (TypeError, ValueError) as error:
        raise _refuse(beside, str(error)) from None
    _stem_of(table, manifest)
    return manifest


_BOOLEANS = {"True": True, "False": False}


def _parse(content: bytes, manifest: Manifest) -> pd.DataFrame:
    """Bytes of a CSV file to a frame with the manifest's columns; ValueError if they disagree."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    names = list(manifest.columns)
    if not rows or rows[0] != names:
        raise ValueError(f"columns {rows[0] if rows else []} instead of {names}")
    body = rows[1:]
    if len(body) != manifest.n_rows:
        raise ValueError(f"{len(body)} rows instead of {manifest.n_rows}")
    if any(len(row) != len(names) for row in body):
        raise ValueError(f"a row without {len(names)} cells")
    data: dict[str, pd.Series[Any]] = {}
    for i, (name, kind) in enumerate(manifest.columns.items()):
        cells = [row[i] for row in body]
        if kind == "float":
            floats = [float(cell) for cell in cells]
            if name not in manifest.nullable and any(map(math.isnan, floats)):
                raise ValueError(f"NaN in column {name!r}")
            data[name] = pd.Series(floats, dtype="float64")
        elif kind == "int":
            data[name] = pd.Series([int(cell) for cell in cells], dtype="int64")
        elif kind == "bool":
            unknown = set(cells) - set(_BOOLEANS)
            if unknown:
                raise ValueError(f"column {name!r} has {sorted(unknown)} for a boolean")
            data[name] = pd.Series([_BOOLEANS[cell] for cell in cells], dtype="bool")
        else:
            data[name] = pd.Series(cells)
    return pd.DataFrame(data)


def read_table(path: Path | str) -> tuple[pd.DataFrame, Manifest]:
    """Read a table and its manifest; refuse both if anything does not fit.

    Parameters
    ----------
    path : path
        The CSV file.

    Returns
    -------
    frame : DataFrame
        Columns in their order, with dtypes bool, int64, float64 and string.
    manifest : Manifest

    Raises
    ------
    MissingTableError
        If the table or its manifest is not there.
    TableError
        If a checksum, the columns or the number of rows do not hold. The message names the file;
        the files are kept.

    Examples
    --------
    >>> frame, manifest = read_table(archive_path("full", "regression/ridge-sweep"))
    >>> len(frame) == manifest.n_rows, frame.columns.tolist() == list(manifest.columns)
    (True, True)
    """
    table = Path(path)
    if not table.is_file():
        raise MissingTableError(f"{table}: no such table")
    manifest = read_manifest(table)
    content = table.read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest.table_sha256:
        raise _refuse(table, "its checksum is not the manifest's (truncated or edited)")
    try:
        frame = _parse(content, manifest)
    except (csv.Error, ValueError, OverflowError) as error:
        raise _refuse(table, f"it does not fit its manifest: {error}") from None
    return frame, manifest


# --- reading rows -----------------------------------------------------------------------------


def rows_of(frame: Any, **values: Any) -> Any:
    """Rows of a table with these values; none if there is none.

    Examples
    --------
    >>> rows_of(pd.DataFrame({"n": [1, 2], "error": [0.5, 0.25]}), n=2)["error"].tolist()
    [0.25]
    """
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return frame
