"""Whether an archived table still stands for the present code, and how it is confirmed.

A table is made by the code of its day. It counts as fresh while the code that its points depend
on is the same, by :func:`fragile_learning.provenance.code_hash`, and so is its configuration.
Where that code changed, the table may still hold (a function was renamed, an error message
reworded): then some of its points are computed again with the present code and compared with the
archived rows. Each point has a random stream of its own, so one point alone gives the rows that
it gave in the whole table. What was found is kept beside the table, as a confirmation.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fragile_learning._validation import real_number, whole_number
from fragile_learning.provenance import code_hash
from fragile_learning.sweeps import Experiment, point_stream, run_sweep
from fragile_learning.tables import (
    Manifest,
    MissingTableError,
    TableError,
    archive_path,
    checksum,
    configuration_hash,
    day,
    filled_text,
    manifest_path,
    read_manifest,
    read_table,
    table_name,
    write_atomically,
)

__all__ = [
    "Confirmation",
    "Difference",
    "TableState",
    "compute_again",
    "confirmation_path",
    "confirmations",
    "experiment_hash",
    "largest_difference",
    "points_to_confirm",
    "read_confirmation",
    "table_state",
    "tolerance",
    "write_confirmation",
]

FORMAT = "fragile-learning confirmation 1"
MAX_POINTS = 12

# Relative. The same numbers come out of the same machine to the last bit; another processor or
# library adds in another order. Exact functions and simulations are then off by some 1e-12;
# training amplifies rounding along its steps.
EXACT = 1e-9
TRAINED = 1e-4
# Absolute: a difference of two equal numbers is rounding, whatever its relative size.
ROUNDING = 1e-12


def experiment_hash(experiment: Experiment) -> str:
    """Hash of all code that a table of an experiment depends on.

    Parameters
    ----------
    experiment : Experiment

    Returns
    -------
    str
        :func:`fragile_learning.provenance.code_hash` of its point function together with the
        derivation of the random streams.

    Raises
    ------
    TypeError, ValueError
        As `code_hash`.

    Examples
    --------
    >>> from fragile_learning.regression.experiments import experiment
    >>> len(experiment_hash(experiment("projections")))
    64
    """
    return code_hash(experiment.point, point_stream)


def tolerance(experiment: Experiment) -> float:
    """Relative difference up to which a recomputed number confirms the archived one.

    Parameters
    ----------
    experiment : Experiment

    Returns
    -------
    float
        1e-4 where torch trains or samples, 1e-9 elsewhere.

    Examples
    --------
    >>> from fragile_learning.regression.experiments import experiment
    >>> tolerance(experiment("projections"))
    1e-09
    """
    return TRAINED if "torch" in experiment.requires else EXACT


# --- which points, and whether they agree -----------------------------------------------------


def _size(point: dict[str, Any]) -> float:
    """Product of a point's whole numbers: samples, features, steps, replicates."""
    size = 1.0
    for value in point.values():
        entries = value if isinstance(value, list) else [value]
        whole = [abs(n) for n in entries if isinstance(n, int) and not isinstance(n, bool)]
        size *= max(1, sum(whole))
    return size


def points_to_confirm(
    experiment: Experiment, tier: str, *, at_most: int = MAX_POINTS
) -> list[dict[str, Any]]:
    """Choose the points of a table that confirm it, the cheapest first.

    A point's cost is taken as the product of its whole numbers (samples, features, steps,
    replicates). The settings that are words or truth values choose the branch of the code: first
    the cheapest point of each of their combinations, then the other points by cost.

    Parameters
    ----------
    experiment : Experiment
    tier : {"quick", "full"}
    at_most : int
        >= 1.

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If the experiment lacks the tier.

    Examples
    --------
    >>> from fragile_learning.regression.experiments import experiment
    >>> len(points_to_confirm(experiment("projections"), "full", at_most=3))
    3
    """
    whole_number("at_most", at_most)
    ordered = sorted(experiment.points(tier), key=_size)
    seen: set[tuple[Any, ...]] = set()
    first: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for point in ordered:
        branch = tuple(v for v in point.values() if isinstance(v, str | bool))
        (others if branch in seen else first).append(point)
        seen.add(branch)
    return [*first, *others][:at_most]


class Difference(NamedTuple):
    """The largest difference between recomputed rows and archived ones.

    Attributes
    ----------
    relative : float
        Over the larger of the two; infinite where texts, truth values, whole numbers, the number of
        rows or the kind of a column differ.
    column : str
        Where it is; empty if nothing differs.

    Examples
    --------
    >>> table = pd.DataFrame({"n": [1, 2], "risk": [0.5, 0.25]})
    >>> largest_difference(table, table[1:], ["n"])
    Difference(relative=0.0, column='')
    >>> largest_difference(table, pd.DataFrame({"n": [2, 2], "risk": [0.25, 0.25]}), ["n"])
    Difference(relative=inf, column='n')
    """

    relative: float
    column: str


def largest_difference(
    archived: pd.DataFrame, computed: pd.DataFrame, keys: list[str]
) -> Difference:
    """Compare the rows of one point with the same rows of the archived table.

    Parameters
    ----------
    archived : DataFrame
        The whole table.
    computed : DataFrame
        The rows of one point.
    keys : list of str
        Columns that are settings of the point.

    Returns
    -------
    Difference

    Raises
    ------
    ValueError
        If the archived table has no such row or lacks a column.

    Examples
    --------
    >>> table = pd.DataFrame({"n": [1, 2], "risk": [0.5, 0.25]})
    >>> largest_difference(table, pd.DataFrame({"n": [2], "risk": [0.5]}), ["n"])
    Difference(relative=0.5, column='risk')
    """
    lacking = sorted(set(computed.columns) ^ set(archived.columns))
    if lacking:
        raise ValueError(f"the archived table and the present code differ in columns {lacking}")
    rows = np.full(len(archived), fill_value=True)
    for key in keys:
        rows &= (archived[key] == computed[key].iloc[0]).to_numpy()
    there = archived[rows]
    if len(there) == 0:
        raise ValueError(f"the archived table has no row at {computed[keys].iloc[0].to_dict()}")
    if len(there) != len(computed):
        return Difference(math.inf, keys[0])
    worst = Difference(0.0, "")
    for column in computed.columns:
        found = _relative(there[column], computed[column])
        if found > worst.relative:
            worst = Difference(found, column)
    return worst


def _relative(archived: Any, computed: Any) -> float:
    kinds = {archived.dtype.kind, computed.dtype.kind}
    if not kinds <= set("iuf") and len(kinds) > 1:
        return math.inf  # a text or a truth value is no number
    if "f" not in kinds:
        return 0.0 if archived.tolist() == computed.tolist() else math.inf
    one, two = (values.to_numpy(dtype=float) for values in (archived, computed))
    same = (one == two) | (np.isnan(one) & np.isnan(two))
    if not np.all(np.isfinite(one[~same]) & np.isfinite(two[~same])):
        return math.inf
    distance = np.abs(one[~same] - two[~same])
    size = np.maximum(np.abs(one[~same]), np.abs(two[~same]))
    counted = distance > ROUNDING
    return float(np.max(distance[counted] / size[counted], initial=0.0))


def compute_again(experiment: Experiment, point: dict[str, Any]) -> pd.DataFrame:
    """Compute the rows of one point with the present code.

    Parameters
    ----------
    experiment : Experiment
    point : dict
        One of its points.

    Returns
    -------
    DataFrame
        The same rows as in the whole table, since each point has its own random stream.

    Raises
    ------
    SweepError
        If the point fails.

    Examples
    --------
    >>> from fragile_learning.regression.experiments import experiment
    >>> one = experiment("generator-scaling")
    >>> len(compute_again(one, one.points("quick")[0]))
    27
    """
    return run_sweep(
        experiment.point,
        [point],
        seed=experiment.seed,
        stream_keys=experiment.stream_keys,
        columns=experiment.columns,
        name=experiment.name,
        version=experiment.version,
    )


# --- confirmations ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Confirmation:
    """That the code of some later day gives the rows of an archived table.

    Attributes
    ----------
    name : str
        Of the experiment.
    table_sha256 : str
        Checksum of the table.
    code_hash : str
        :func:`experiment_hash` of the code that was run.
    n_points, of_points : int
        How many points were computed again, of how many.
    largest_relative_difference, tolerance : float
        What was found, and what was allowed; see :func:`tolerance`.
    date : str
        Day of the computation, UTC.
    device : str
    source_revision : str

    Raises
    ------
    TypeError, ValueError
        If a field makes no sense, or the difference exceeds the tolerance.

    Examples
    --------
    >>> found = Confirmation(
    ...     name="demo/coins",
    ...     table_sha256="0" * 64,
    ...     code_hash="1" * 64,
    ...     n_points=2,
    ...     of_points=10,
    ...     largest_relative_difference=1e-13,
    ...     tolerance=EXACT,
    ...     date="2026-11-25",
    ...     device="a laptop",
    ...     source_revision="unknown",
    ... )
    >>> dataclasses.replace(found, largest_relative_difference=1e-3)
    Traceback (most recent call last):
        ...
    ValueError: largest_relative_difference must be finite and >= 0 and <= 1e-09, got 0.001
    """

    name: str
    table_sha256: str
    code_hash: str
    n_points: int
    of_points: int
    largest_relative_difference: float
    tolerance: float
    date: str
    device: str
    source_revision: str

    def __post_init__(self) -> None:
        table_name(self.name)
        for field in ("table_sha256", "code_hash"):
            checksum(field, getattr(self, field))
        whole_number("of_points", self.of_points)
        whole_number("n_points", self.n_points, maximum=self.of_points)
        real_number("tolerance", self.tolerance, minimum=0.0, open_minimum=True)
        real_number(
            "largest_relative_difference",
            self.largest_relative_difference,
            minimum=0.0,
            maximum=self.tolerance,
        )
        day("date", self.date)
        for field in ("device", "source_revision"):
            filled_text(field, getattr(self, field))


def confirmation_path(path: Path | str) -> Path:
    """Path of the confirmation that belongs to a table.

    Examples
    --------
    >>> confirmation_path("results/full/regression/projections.csv").name
    'projections.confirmed.json'
    """
    beside = manifest_path(path)
    return beside.with_name(f"{Path(path).stem}.confirmed.json")


def write_confirmation(path: Path | str, confirmation: Confirmation) -> None:
    """Write the confirmation of the table at ``path``, with a checksum of its own.

    Parameters
    ----------
    path : path
        The CSV file.
    confirmation : Confirmation

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> found = Confirmation(
    ...     name="demo/coins",
    ...     table_sha256="0" * 64,
    ...     code_hash="1" * 64,
    ...     n_points=2,
    ...     of_points=10,
    ...     largest_relative_difference=0.0,
    ...     tolerance=EXACT,
    ...     date="2026-11-25",
    ...     device="a laptop",
    ...     source_revision="unknown",
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     write_confirmation(Path(folder) / "coins.csv", found)
    ...     read_confirmation(Path(folder) / "coins.csv") == found
    True
    """
    content = {"format": FORMAT, **dataclasses.asdict(confirmation)}
    text = json.dumps(
        {**content, "sha256": configuration_hash(content)},
        indent=1,
        sort_keys=True,
        allow_nan=False,
    )
    write_atomically(confirmation_path(path), (text + "\n").encode("utf-8"))


def read_confirmation(path: Path | str) -> Confirmation | None:
    """Read the confirmation of the table at ``path`` (the CSV file).

    Returns
    -------
    Confirmation or None
        None if there is none.

    Raises
    ------
    TableError
        If it is damaged or edited; the file is kept.

    Examples
    --------
    >>> read_confirmation("no-such-table.csv") is None
    True
    >>> found = read_confirmation(archive_path("full", "regression/chains"))
    >>> found is None or found.largest_relative_difference <= found.tolerance
    True
    """
    file = confirmation_path(path)
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        stated = content.pop("sha256", None)
        if content.get("format") != FORMAT:
            raise ValueError(f"not of the format {FORMAT!r}")
        if stated != configuration_hash(content):
            raise ValueError("its checksum does not hold (edited by hand?)")
        content.pop("format")
        found = Confirmation(**content)
        if found.name.rpartition("/")[2] != Path(path).stem:
            raise ValueError(f"it is of another table, {found.name!r}")
        return found
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TableError(f"{file}: {error}; the file is kept and not used") from None


def confirmations(names: Iterable[str], tier: str = "full") -> dict[str, Confirmation]:
    """Read the confirmations of archived tables.

    Parameters
    ----------
    names : iterable of str
        Of experiments.
    tier : {"quick", "full"}

    Returns
    -------
    dict of str to Confirmation
        By name, of those tables that have one. A confirmation of an earlier table of that name
        does not count.

    Raises
    ------
    TableError
        If one is damaged.

    Examples
    --------
    >>> confirmations([])
    {}
    """
    found: dict[str, Confirmation] = {}
    for name in names:
        try:
            path = archive_path(tier, name)
            one = _confirmation_of(path, read_manifest(path))
        except MissingTableError:
            continue
        if one is not None:
            found[name] = one
    return found


def _confirmation_of(path: Path, manifest: Manifest) -> Confirmation | None:
    """Return the confirmation of the very table that is there now, or None."""
    found = read_confirmation(path)
    return found if found is not None and found.table_sha256 == manifest.table_sha256 else None


# --- the state of a table ---------------------------------------------------------------------


class TableState(NamedTuple):
    """What is known of an archived table.

    Attributes
    ----------
    name : str
    reasons : tuple of str
        Why it does not stand for the present code; empty if it does.
    manifest : Manifest or None
        None if there is no table.
    confirmation : Confirmation or None
        The one that makes it fresh, or an older one.

    Examples
    --------
    >>> from fragile_learning.regression.experiments import experiment
    >>> state = table_state(experiment("projections"))
    >>> state.name, state.is_stale == bool(state.reasons)
    ('regression/projections', True)
    >>> TableState("demo/coins", ("there is no table",), None, None).is_stale
    True
    """

    name: str
    reasons: tuple[str, ...]
    manifest: Manifest | None
    confirmation: Confirmation | None

    @property
    def is_stale(self) -> bool:
        """Whether there is a reason."""
        return bool(self.reasons)


def table_state(experiment: Experiment, tier: str = "full") -> TableState:
    """Say whether the archived table of an experiment stands for the present code.

    Parameters
    ----------
    experiment : Experiment
    tier : {"quick", "full"}

    Returns
    -------
    TableState

    Raises
    ------
    TableError
        If the table or its confirmation is damaged.

    Examples
    --------
    >>> from fragile_learning.regression.experiments import experiment
    >>> table_state(experiment("projections")).manifest.tier
    'full'
    """
    try:
        path = archive_path(tier, experiment.name)
        _, manifest = read_table(path)
    except MissingTableError:
        return TableState(experiment.name, ("there is no table",), None, None)
    confirmation = _confirmation_of(path, manifest)
    reasons = []
    if tier not in experiment.tiers or experiment.is_stale(manifest, tier):
        reasons.append("its configuration changed")
    known = {manifest.code_hash} | ({confirmation.code_hash} if confirmation else set())
    if experiment_hash(experiment) not in known:
        if not manifest.traced:
            reasons.append("the code that made it is not known")
        else:
            since = max(manifest.date, confirmation.date if confirmation else "")
            reasons.append(f"its code changed since {since}")
    return TableState(experiment.name, tuple(reasons), manifest, confirmation)
