"""Claims, verdicts, and the ledger of all of them.

A claim is one numbered statement of a paper, or of this book. Its verdict is computed from result
tables by a function that was written before the tables were, and the ledger keeps the verdict with
its numbers, with the checksums of the tables that decided it, and with the hash of the code that
judged. When one of these is another one now, the verdict is *stale*: it still counts as what was
found, and is marked.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fragile_learning._validation import choice
from fragile_learning.freshness import TableState, table_state
from fragile_learning.provenance import code_hash
from fragile_learning.statistics import beside, z_bound
from fragile_learning.sweeps import Experiment
from fragile_learning.tables import (
    TIERS,
    Manifest,
    MissingTableError,
    archive_path,
    archive_roots,
    configuration_hash,
    read_table,
    repository_root,
    rows_of,
    table_name,
    write_atomically,
)

__all__ = [
    "Agreement",
    "Claim",
    "LedgerEntry",
    "LedgerError",
    "MissingLedgerError",
    "Outcome",
    "Verdict",
    "both",
    "compare",
    "from_archive",
    "judge",
    "ledger_changes",
    "ledger_path",
    "read_ledger",
    "rows_with",
    "schema_path",
    "simulated",
    "stale_reasons",
    "verdict_counts",
    "verdict_of",
    "verdict_table",
    "verdict_totals",
    "write_ledger",
]

SHORT = 80  # characters of a number beside another
FORMAT = "fragile-learning ledger 3"

# The rule by which a simulation is compared with a law, in every room; see `compare`.
FALSE_ALARM = 4e-8  # of all checks of a claim together
FINITE_SIZE = 1.5
COARSEST = 0.03

EXACT = "z standard errors, z for a false alarm of 4e-8 in all checks of the claim together"
EXACT_REASON = "The law is exact at finite size, so only the sampling error is allowed."
ASYMPTOTIC = (
    "z standard errors (false alarm 4e-8) plus "
    r"$1.5 \max_m 1/(T_m - \mathrm{df}_2)$ of the prediction"
)
ASYMPTOTIC_REASON = (
    r"The equivalents are limits; their first correction is of relative size "
    r"$1/(T - \mathrm{df}_2)$, and "
    "on other settings needed a factor of at most 1.1."
)

_WORDS = ("id", "source", "statement", "measure", "margin", "margin_reason", "reported")
_ID = re.compile(r"[A-Z]{2,6}-[1-9][0-9]*")

Tables = Mapping[str, pd.DataFrame]


class LedgerError(ValueError):
    """A ledger that is damaged, edited or not there; the message names the file."""


class MissingLedgerError(LedgerError):
    """A ledger that is not there."""


class Outcome(StrEnum):
    """What a claim came to.

    Examples
    --------
    >>> Outcome("not run") is Outcome.NOT_RUN, [str(outcome) for outcome in Outcome]
    (True, ['agrees', 'differs', 'inconclusive', 'not run'])
    """

    AGREES = "agrees"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """An outcome and what it rests on.

    Attributes
    ----------
    outcome : Outcome
        Or its text.
    summary : str
        One sentence for a reader, with the numbers that decide.
    numbers : mapping of str to int, float, bool or str
        The same numbers for a program. Infinities are allowed, NaN is a lost result.
    measured : str
        The one number to set beside the source's, with its standard error or interval, as in
        ``"0.618 ± 0.002"``; empty where the claim has no such number.

    Raises
    ------
    TypeError, ValueError
        If the summary is empty, or a number is NaN or of another type.

    Examples
    --------
    >>> verdict = Verdict("agrees", "The slope is 0.2 % off.", {"slope": 0.998}, "0.998 ± 0.003")
    >>> verdict.outcome, verdict.measured
    (<Outcome.AGREES: 'agrees'>, '0.998 ± 0.003')
    >>> Verdict("agrees", "The slope was lost.", {"slope": float("nan")})
    Traceback (most recent call last):
        ...
    ValueError: numbers['slope'] is NaN: a lost result
    """

    outcome: Outcome
    summary: str
    numbers: Mapping[str, int | float | bool | str] = dataclasses.field(default_factory=dict)
    measured: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        choice("outcome", str(self.outcome), [str(outcome) for outcome in Outcome])
        put(self, "outcome", Outcome(str(self.outcome)))
        put(self, "summary", _text("summary", self.summary))
        if not isinstance(self.numbers, Mapping):
            raise TypeError(f"numbers must be a mapping, got {self.numbers!r}")
        put(self, "numbers", {_text("numbers", k): _number(k, v) for k, v in self.numbers.items()})
        put(self, "measured", _short("measured", self.measured))


@dataclasses.dataclass(frozen=True)
class Claim:
    """One statement that this book puts to the test.

    Attributes
    ----------
    id : str
        Like ``"REG-7"``.
    source : str
        Paper and theorem, figure or table; or "derived in this book".
    statement : str
        One sentence.
    measure : str
        What is computed and compared.
    margin : str
        How far apart the two may be.
    margin_reason : str
        Why that far. Written before the run.
    experiments : tuple of str
        Names ``room/kebab-name`` of the tables that decide.
    judge : callable
        From a mapping of those names to DataFrames to a `Verdict`. Pure.
    tier : {"quick", "full"}
        The least tier whose tables can decide the claim.
    expected : Outcome, optional
        What the book's own derivation predicts: ``differs`` for a statement that we found wrong,
        None where nothing is derived. It has no influence on the verdict; a test compares the two.
    reported : str
        The source's own number, short, as it stands there, or what its formula gives; empty where
        the source has none.

    Raises
    ------
    TypeError, ValueError
        Naming the claim, the field and its value.

    Examples
    --------
    >>> def half(tables):
    ...     worst = float((tables["demo/means"]["mean"] - 0.5).abs().max())
    ...     return verdict_of(worst < 0.01, f"At most {worst:.3f} off.", {"worst": worst})
    >>> claim = Claim(
    ...     id="DEMO-1",
    ...     source="derived in this book",
    ...     statement="Fair coins show heads half of the time.",
    ...     measure="largest distance of a mean from 1/2",
    ...     margin="0.01",
    ...     margin_reason="Five standard errors of 60,000 throws.",
    ...     experiments=("demo/means",),
    ...     judge=half,
    ... )
    >>> tables = {"demo/means": pd.DataFrame({"mean": [0.498, 0.503]})}
    >>> judge(claim, tables, tier="quick").summary
    'At most 0.003 off.'
    """

    id: str
    source: str
    statement: str
    measure: str
    margin: str
    margin_reason: str
    experiments: tuple[str, ...]
    judge: Callable[[Tables], Verdict]
    tier: str = "quick"
    expected: Outcome | None = Outcome.AGREES
    reported: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not _ID.fullmatch(str(self.id)):
            raise ValueError(f"id must be like 'REG-7', got {self.id!r}")
        try:
            for field in ("source", "statement", "measure", "margin", "margin_reason"):
                _text(field, getattr(self, field))
            put(self, "reported", _short("reported", self.reported))
            choice("tier", self.tier, TIERS)
            if self.expected is not None:
                put(self, "expected", Outcome(str(self.expected)))
            put(self, "experiments", _experiments(self.experiments))
            if not callable(self.judge):
                raise TypeError(f"judge must be a function, got {self.judge!r}")
        except (TypeError, ValueError) as error:
            raise type(error)(f"claim {self.id}: {error}") from None


@dataclasses.dataclass(frozen=True)
class LedgerEntry:
    """What the ledger keeps of a claim: all of its words, its verdict, and where that came from.

    Attributes
    ----------
    id, source, statement, measure, margin, margin_reason, reported : str
        As in `Claim`.
    experiments : tuple of str
    tier : str
        The tier of the tables that were used.
    outcome : Outcome
    summary : str
    numbers : mapping
    measured : str
        As in `Verdict`.
    tables : mapping of str to str
        SHA-256 of each table.
    origins : mapping of str to mapping of str to str
        For each table ``date``, ``device`` and ``revision`` of the run that made it; a text is
        empty where it is not known.
    code_hash : str
        :func:`fragile_learning.provenance.code_hash` of the judge.
    code_file : str
        The judge's file in the package; empty if it stands elsewhere.
    code_line : int
        Its first line there; 0 if the file is empty.
    code_revision : str
        The newest revision that changed that file; empty where it is not known.
    quick_outcome : Outcome or None
        What the quick tier came to; None for a claim that only the full tier decides.
    quick_summary : str

    Examples
    --------
    >>> entry = next(entry for entry in read_ledger() if entry.id == "REG-1")
    >>> entry.room, entry.tier, entry.outcome is entry.verdict.outcome
    ('regression', 'full', True)
    >>> sorted(entry.tables) == sorted(entry.experiments)
    True
    """

    id: str
    source: str
    statement: str
    measure: str
    margin: str
    margin_reason: str
    reported: str
    experiments: tuple[str, ...]
    tier: str
    outcome: Outcome
    summary: str
    numbers: Mapping[str, int | float | bool | str]
    measured: str
    tables: Mapping[str, str]
    origins: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    code_hash: str = ""
    code_file: str = ""
    code_line: int = 0
    code_revision: str = ""
    quick_outcome: Outcome | None = None
    quick_summary: str = ""

    @property
    def verdict(self) -> Verdict:
        """The outcome with its summary and numbers."""
        return Verdict(self.outcome, self.summary, self.numbers, self.measured)

    @property
    def room(self) -> str:
        """The package that judges it, such as ``"regression"``: the first part of its tables."""
        return self.experiments[0].partition("/")[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type for its tables at their own size, one line each."""
        return tuple(f"fragile-learning run {name} --tier {self.tier}" for name in self.experiments)


# --- simulation against a law -----------------------------------------------------------------


class Agreement(NamedTuple):
    """How a column of means compares with its predictions.

    Attributes
    ----------
    n_checks : int
    agrees : bool
        Every distance is within its bound.
    decided : bool
        Every standard error is at most 3 % of its prediction.
    worst : float
        Largest distance over its bound.
    coarsest : float
        Largest standard error over its prediction.
    furthest : tuple of float
        Mean, standard error and prediction of the check with that largest distance.

    Examples
    --------
    >>> found = compare([1.02, 0.5], [0.01, 0.1], [1.0, 0.51])
    >>> found.agrees, found.decided  # the second standard error is 20 % of its prediction
    (True, False)
    >>> found.measured()
    'worst of 2: 1.020 ± 0.010 (law 1.000)'
    """

    n_checks: int
    agrees: bool
    decided: bool
    worst: float
    coarsest: float
    furthest: tuple[float, float, float]

    def numbers(self) -> dict[str, float | int]:
        """Return the numbers for a verdict."""
        return {
            "n_checks": self.n_checks,
            "worst_distance_over_bound": self.worst,
            "largest_relative_standard_error": self.coarsest,
        }

    def measured(self) -> str:
        """Write the furthest check beside its prediction, for the verdict's `measured`."""
        which = f"worst of {self.n_checks}: " if self.n_checks > 1 else ""
        return which + beside(*self.furthest)


def compare(
    mean: Any,
    error: Any,
    prediction: Any,
    scale: Any = 0.0,
    *,
    finite_size: float = FINITE_SIZE,
    floor: float = 1e-10,
) -> Agreement:
    """Compare simulated means with predictions.

    - *Exact* laws (``scale`` 0): each mean within ``z`` standard errors, ``z`` from a false-alarm
      probability of 4e-8 for all entries together; n such claims: at most n times that.
    - *Asymptotic* laws: as above, plus ``finite_size`` times the relative size of the first
      correction.
    - A simulation decides only if its standard errors are at most 3 % of the prediction.

    Parameters
    ----------
    mean, error, prediction : array_like, shape (n,)
        Simulated means, their standard errors, and what they should be.
    scale : array_like
        Finite-size scale, relative to the prediction; 0 for an exact law.
    finite_size : float
        Multiple of it that is allowed.
    floor : float
        Absolute size below which both count as zero (rounding).

    Examples
    --------
    >>> compare([1.02], [0.01], [1.0]).agrees, compare([1.2], [0.01], [1.0]).agrees
    (True, False)
    >>> compare([1.02, 0.5], [0.01, 0.1], [1.0, 0.51]).measured()
    'worst of 2: 1.020 ± 0.010 (law 1.000)'
    """
    mean, error, prediction = np.broadcast_arrays(
        *(np.asarray(values, float) for values in (mean, error, prediction))
    )
    bound = z_bound(FALSE_ALARM, mean.size) * error
    bound = bound + finite_size * np.asarray(scale, float) * np.abs(prediction) + floor
    distance = np.abs(mean - prediction)
    size = np.maximum(np.abs(prediction), floor)
    relative = np.where(np.abs(prediction) > floor, error / size, 0.0)
    far = int(np.argmax(distance / bound))
    return Agreement(
        mean.size,
        bool(np.all(distance <= bound)),
        bool(np.all(relative <= COARSEST)),
        float((distance / bound).flat[far]),
        float(np.max(relative)),
        (float(mean.flat[far]), float(error.flat[far]), float(prediction.flat[far])),
    )


def both(*agreements: Agreement) -> Agreement:
    """Join comparisons: all must agree.

    Examples
    --------
    >>> near, far = compare([1.02], [0.01], [1.0]), compare([1.2], [0.01], [1.0])
    >>> both(near, near).agrees, both(near, far).agrees, both(near, far).n_checks
    (True, False, 2)
    """
    return Agreement(
        sum(one.n_checks for one in agreements),
        all(one.agrees for one in agreements),
        all(one.decided for one in agreements),
        max(one.worst for one in agreements),
        max(one.coarsest for one in agreements),
        max(agreements, key=lambda one: one.worst).furthest,
    )


def simulated(
    agreement: Agreement, summary: str, *, measured: str | None = None, **numbers: Any
) -> Verdict:
    """Verdict of a comparison: agreement is decided only by fine enough simulations.

    What is shown as measured is, if nothing else is given, the check furthest from its prediction.

    Examples
    --------
    >>> fine, coarse = compare([1.02], [0.01], [1.0]), compare([1.02], [0.1], [1.0])
    >>> [str(simulated(one, "2 % apart").outcome) for one in (fine, coarse)]
    ['agrees', 'inconclusive']
    """
    return verdict_of(
        agreement.agrees,
        summary,
        {**numbers, **agreement.numbers()},
        decided=agreement.decided or not agreement.agrees,
        measured=agreement.measured() if measured is None else measured,
    )


def rows_with(frame: Any, **values: Any) -> Any:
    """Return the rows of a table with these values; ValueError if there is none.

    Examples
    --------
    >>> rows_with(pd.DataFrame({"n": [1, 2], "error": [0.5, 0.25]}), n=2)["error"].tolist()
    [0.25]
    """
    found = rows_of(frame, **values)
    if len(found) == 0:
        raise ValueError(f"no row with {values}")
    return found


# --- judging ----------------------------------------------------------------------------------


def verdict_of(
    agrees: bool,
    summary: str,
    numbers: Mapping[str, Any],
    *,
    decided: bool = True,
    measured: str = "",
) -> Verdict:
    """Verdict of a condition that holds or does not.

    Parameters
    ----------
    agrees : bool
    summary : str
    numbers : mapping
    decided : bool
        False if the measurement is too coarse to tell: the verdict is then inconclusive.
    measured : str
        See `Verdict`.

    Examples
    --------
    >>> verdict_of(True, "2 % apart", {"relative_error": 0.02}).outcome
    <Outcome.AGREES: 'agrees'>
    """
    if not decided:
        return Verdict(Outcome.INCONCLUSIVE, summary, numbers, measured)
    return Verdict(Outcome.AGREES if agrees else Outcome.DIFFERS, summary, numbers, measured)


def judge(claim: Claim, tables: Tables, *, tier: str) -> Verdict:
    """Judge a claim from tables.

    Parameters
    ----------
    claim : Claim
    tables : mapping of experiment name to DataFrame
        Those of one tier. A claim that lacks one of its tables is not run.
    tier : {"quick", "full"}
        The tier of the tables. A claim that needs the full tier is not run on quick tables.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If the tables do not have what the judge needs; the message names the claim.

    Examples
    --------
    >>> def halves(tables):
    ...     worst = float((tables["demo/means"]["mean"] - 0.5).abs().max())
    ...     return verdict_of(worst < 0.01, f"At most {worst:.3f} off.", {"worst": worst})
    >>> words = dict.fromkeys(("source", "statement", "measure", "margin", "margin_reason"), "demo")
    >>> claim = Claim(id="DEMO-1", experiments=("demo/means",), judge=halves, tier="full", **words)
    >>> tables = {"demo/means": pd.DataFrame({"mean": [0.498, 0.53]})}
    >>> judge(claim, tables, tier="full").summary
    'At most 0.030 off.'
    >>> judge(claim, tables, tier="quick").summary
    'Needs the full tier.'
    >>> judge(claim, {}, tier="full").summary
    'No table of the full tier yet: demo/means.'
    """
    choice("tier", tier, TIERS)
    if TIERS.index(tier) < TIERS.index(claim.tier):
        return Verdict(Outcome.NOT_RUN, f"Needs the {claim.tier} tier.")
    missing = [name for name in claim.experiments if name not in tables]
    if missing:
        return Verdict(
            Outcome.NOT_RUN,
            f"No table of the {tier} tier yet: {', '.join(missing)}.",
        )
    chosen = {name: tables[name] for name in claim.experiments}
    try:
        verdict = claim.judge(chosen)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"claim {claim.id} cannot be judged from {', '.join(claim.experiments)}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(verdict, Verdict):
        raise TypeError(f"claim {claim.id}: judge must return a Verdict, got {verdict!r}")
    return verdict


def from_archive(claims: Iterable[Claim], *, tier: str = "full") -> list[LedgerEntry]:
    """Judge claims from the archived tables of a tier.

    Raises
    ------
    TableError
        If a table is there but damaged: it is never passed over in silence.
    ValueError
        If two claims have one id, or a table lacks what a judge needs.

    Examples
    --------
    >>> from fragile_learning.regression.claims import CLAIMS
    >>> entries = from_archive(CLAIMS[:1])
    >>> [(entry.id, entry.tier) for entry in entries]
    [('REG-1', 'full')]
    """
    tables: dict[str, pd.DataFrame] = {}
    manifests: dict[str, Manifest] = {}
    chosen = list(claims)
    _unique(claim.id for claim in chosen)
    for name in sorted({name for claim in chosen for name in claim.experiments}):
        try:
            path = archive_path(tier, name)
        except MissingTableError:
            continue
        tables[name], manifests[name] = read_table(path)
    entries = []
    for claim in chosen:
        verdict = judge(claim, tables, tier=tier)
        used = {name: manifests[name] for name in claim.experiments if name in manifests}
        file, line = _place(claim.judge)
        entries.append(
            LedgerEntry(
                **{field: getattr(claim, field) for field in _WORDS},
                experiments=claim.experiments,
                tier=tier,
                outcome=verdict.outcome,
                summary=verdict.summary,
                numbers=verdict.numbers,
                measured=verdict.measured,
                tables={name: manifest.table_sha256 for name, manifest in used.items()},
                origins={
                    name: {
                        "date": manifest.date,
                        "device": manifest.device,
                        "revision": manifest.source_revision,
                    }
                    for name, manifest in used.items()
                },
                code_hash=code_hash(claim.judge),
                code_file=file,
                code_line=line,
            )
        )
    return entries


def _place(judge: Callable[[Tables], Verdict]) -> tuple[str, int]:
    """File of a judge in this package, and its first line; nothing if it stands elsewhere."""
    code = getattr(inspect.unwrap(judge), "__code__", None)
    package = Path(__file__).resolve().parent
    if code is None or package not in Path(code.co_filename).resolve().parents:
        return "", 0
    return Path(code.co_filename).resolve().relative_to(package).as_posix(), code.co_firstlineno


# --- stale or changed -------------------------------------------------------------------------


def stale_reasons(
    entries: Iterable[LedgerEntry],
    claims: Iterable[Claim],
    experiments: Mapping[str, Experiment],
    *,
    state_of: Callable[[Experiment, str], TableState] = table_state,
) -> dict[str, tuple[str, ...]]:
    """Say of each entry why its verdict no longer stands for what is here now.

    A verdict is stale when the code of its judge, the words of its claim or one of its tables is
    another one than when it was judged, or when a table does not stand for the present code; see
    :func:`fragile_learning.freshness.table_state`.

    Parameters
    ----------
    entries : iterable of LedgerEntry
    claims : iterable of Claim
        Those of the package now.
    experiments : mapping of str to Experiment
        Those of the package now, by name.
    state_of : callable
        From an experiment and a tier to its table's state.

    Returns
    -------
    dict of str to tuple of str
        For each id the reasons; none if the verdict stands.

    Raises
    ------
    TableError
        If a table is damaged.

    Examples
    --------
    >>> stale_reasons([], [], {})
    {}
    """
    now = {claim.id: claim for claim in claims}
    states: dict[tuple[str, str], TableState] = {}
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        claim = now.get(entry.id)
        if claim is None:
            found[entry.id] = ("the claim is no longer made",)
            continue
        reasons = []
        if code_hash(claim.judge) != entry.code_hash:
            reasons.append("the code that judges it changed")
        if any(getattr(claim, field) != getattr(entry, field) for field in _WORDS):
            reasons.append("its words changed")
        if claim.experiments != entry.experiments:
            reasons.append("it is judged from other tables")
        for name in claim.experiments:
            if name not in experiments:
                reasons.append(f"{name}: there is no such experiment")
                continue
            key = (name, entry.tier)
            if key not in states:
                states[key] = state_of(experiments[name], entry.tier)
            state = states[key]
            if state.manifest is None and name not in entry.tables:
                continue  # not run then, and not now
            if state.manifest is not None and (
                state.manifest.table_sha256 != entry.tables.get(name)
            ):
                reasons.append(f"{name}: it is another table")
            reasons += [f"{name}: {reason}" for reason in state.reasons]
        found[entry.id] = tuple(reasons)
    return found


def ledger_changes(
    stored: Iterable[LedgerEntry], judged: Iterable[LedgerEntry]
) -> dict[str, tuple[str, ...]]:
    """Compare verdicts with those that are stored.

    Parameters
    ----------
    stored : iterable of LedgerEntry
    judged : iterable of LedgerEntry
        Of the same claims, now.

    Returns
    -------
    dict of str to tuple of str
        For each id whose outcome changed, at the full or at the quick tier, or which is in one of
        the two alone: what changed, one line each with both summaries.

    Examples
    --------
    >>> ledger_changes([], [])
    {}
    """
    old = {entry.id: entry for entry in stored}
    new = {entry.id: entry for entry in judged}
    found: dict[str, tuple[str, ...]] = {}
    for identity in sorted(set(old) | set(new), key=_order):
        before, now = old.get(identity), new.get(identity)
        if before is None:
            found[identity] = ("is not in the ledger",)
        elif now is None:
            found[identity] = ("is no longer made",)
        else:
            lines = [
                f"{tier} tier: was {was}, is {is_now}\n  was: {was_text}\n  is:  {is_text}"
                for tier, was, is_now, was_text, is_text in (
                    (before.tier, before.outcome, now.outcome, before.summary, now.summary),
                    (
                        "quick",
                        before.quick_outcome,
                        now.quick_outcome,
                        before.quick_summary,
                        now.quick_summary,
                    ),
                )
                if was != is_now
            ]
            if lines:
                found[identity] = tuple(lines)
    return found


# --- the ledger -------------------------------------------------------------------------------


def ledger_path() -> Path:
    """Path of the ledger: in the package if it ships there, else in the repository.

    Raises
    ------
    MissingLedgerError
        If there is neither; the message names the command that makes it.

    Examples
    --------
    >>> ledger_path().name
    'claims.json'
    """
    places = [root / "claims.json" for root in archive_roots()]
    for place in places:
        if place.is_file():
            return place
    repository = repository_root()
    if repository is not None:
        return repository / "results" / "claims.json"
    raise MissingLedgerError(
        f"no ledger at {' or '.join(map(str, places))}; "
        "make it with: fragile-learning claims --accept"
    )


def schema_path() -> Path:
    """Path of the JSON Schema of the ledger (draft 2020-12), which ships with the package.

    Examples
    --------
    >>> schema_path().name
    'claims.schema.json'
    """
    return Path(__file__).with_name("claims.schema.json")


def write_ledger(path: Path | str, entries: Iterable[LedgerEntry]) -> None:
    """Write the ledger atomically, sorted by id, with a checksum of its own.

    Raises
    ------
    ValueError
        If two entries have one id.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> entries = read_ledger()
    >>> with TemporaryDirectory() as folder:
    ...     write_ledger(Path(folder) / "copy.json", entries[:3])
    ...     read_ledger(Path(folder) / "copy.json") == entries[:3]
    True
    """
    chosen = sorted(entries, key=lambda entry: _order(entry.id))
    _unique(entry.id for entry in chosen)
    rows = [_plain(dataclasses.asdict(entry)) for entry in chosen]
    content = {"format": FORMAT, "claims": rows}
    text = json.dumps(
        {**content, "sha256": configuration_hash(content)}, indent=1, ensure_ascii=False
    )
    write_atomically(path, (text + "\n").encode("utf-8"))


def read_ledger(path: Path | str | None = None) -> list[LedgerEntry]:
    """Read the ledger; refuse it if it was edited.

    Parameters
    ----------
    path : path, optional
        Default: `ledger_path`.

    Raises
    ------
    MissingLedgerError
        If it is not there.
    LedgerError
        If it is not JSON, of another format, or its checksum does not hold.

    Examples
    --------
    >>> entries = read_ledger()
    >>> "REG-1" in {entry.id for entry in entries}
    True
    >>> {type(entry.outcome) for entry in entries}
    {<enum 'Outcome'>}
    """
    file = ledger_path() if path is None else Path(path)
    if not file.is_file():
        raise MissingLedgerError(
            f"{file}: no such ledger; make it with: fragile-learning claims --accept"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(
                f"not of the format {FORMAT!r}; make it anew with: fragile-learning claims --accept"
            )
        rows = content["claims"]
        if content["sha256"] != configuration_hash({"format": FORMAT, "claims": rows}):
            raise ValueError("its checksum does not hold (edited by hand?)")
        entries = [_entry(row) for row in rows]
        _unique(entry.id for entry in entries)
        return entries
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"{file}: not used: {error}; the file is kept") from None


def verdict_table(
    entries: Iterable[LedgerEntry], columns: tuple[str, ...] = ("id", "statement", "outcome")
) -> pd.DataFrame:
    """Entries as a table for a page.

    Parameters
    ----------
    entries : iterable of LedgerEntry
    columns : tuple of str
        Fields of `LedgerEntry`, in order.

    Raises
    ------
    ValueError
        If a column is no field.

    Examples
    --------
    >>> entries = [entry for entry in read_ledger() if entry.room == "regression"]
    >>> verdict_table(entries, ("id", "tier")).head(2)
          id  tier
    0  REG-1  full
    1  REG-2  full
    """
    fields = [field.name for field in dataclasses.fields(LedgerEntry)]
    for column in columns:
        choice("columns", column, fields)
    rows = [{column: str(getattr(entry, column)) for column in columns} for entry in entries]
    return pd.DataFrame(rows, columns=list(columns))


def verdict_counts(entries: Iterable[LedgerEntry]) -> pd.DataFrame:
    """Count the claims of each outcome, one row for each room in the order of the entries.

    Parameters
    ----------
    entries : iterable of LedgerEntry

    Returns
    -------
    DataFrame
        Columns ``room`` and the outcomes in the order of `Outcome`, zeros included.

    Examples
    --------
    >>> entries = read_ledger()
    >>> counts = verdict_counts(entries).set_index("room")
    >>> counts.columns.tolist()
    ['agrees', 'differs', 'inconclusive', 'not run']
    >>> int(counts.to_numpy().sum()) == len(entries)
    True
    """
    outcomes = [str(outcome) for outcome in Outcome]
    counts: dict[str, dict[str, int]] = {}
    for entry in entries:
        row = counts.setdefault(entry.room, dict.fromkeys(outcomes, 0))
        row[str(entry.outcome)] += 1
    rows = [{"room": room, **row} for room, row in counts.items()]
    return pd.DataFrame(rows, columns=["room", *outcomes])


def verdict_totals(entries: Iterable[LedgerEntry]) -> dict[Outcome, int]:
    """Count the claims of each outcome, over all rooms.

    Parameters
    ----------
    entries : iterable of LedgerEntry

    Returns
    -------
    dict of Outcome to int
        All outcomes in their order, zeros included. A key may be given as its text.

    Raises
    ------
    TypeError
        If something else than a ledger entry is counted.

    Examples
    --------
    >>> {str(outcome): n for outcome, n in verdict_totals([]).items()}
    {'agrees': 0, 'differs': 0, 'inconclusive': 0, 'not run': 0}
    """
    totals = dict.fromkeys(Outcome, 0)
    for entry in entries:
        if not isinstance(entry, LedgerEntry):
            raise TypeError(f"entries must be ledger entries, got {entry!r}")
        totals[entry.outcome] += 1
    return totals


def _entry(row: Mapping[str, Any]) -> LedgerEntry:
    fields = dict(row)
    fields["experiments"] = tuple(fields["experiments"])
    fields["numbers"] = {key: _unplain(value) for key, value in fields["numbers"].items()}
    entry = LedgerEntry(**fields)
    verdict, quick = entry.verdict, entry.quick_outcome
    return dataclasses.replace(
        entry,
        outcome=verdict.outcome,
        quick_outcome=None if quick is None else Outcome(str(quick)),
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: infinities as text, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and math.isinf(value):
        return {"float": str(value)}
    return value


def _unplain(value: Any) -> Any:
    return float(value["float"]) if isinstance(value, Mapping) else value


def _order(identity: str) -> tuple[str, int]:
    room, _, number = identity.partition("-")
    return room, int(number)


def _unique(identities: Iterable[str]) -> None:
    seen: set[str] = set()
    for identity in identities:
        if identity in seen:
            raise ValueError(f"claim {identity} is there twice")
        seen.add(identity)


def _experiments(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable) or not (names := tuple(value)):
        raise ValueError(f"experiments must be a tuple of names, got {value!r}")
    return tuple(table_name(name) for name in names)


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field} must be a string, got {value!r}")
    if not value.strip():
        raise ValueError(f"{field} must not be empty, got {value!r}")
    return value


def _short(field: str, value: Any) -> str:
    """Check a text for a cell of a table: one line, at most `SHORT` characters, or empty."""
    if not isinstance(value, str):
        raise TypeError(f"{field} must be a string, got {value!r}")
    if "\n" in value or len(value) > SHORT:
        raise ValueError(f"{field} must be one line of at most {SHORT} characters, got {value!r}")
    return value


def _number(name: str, value: Any) -> int | float | bool | str:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if not isinstance(value, bool | int | float | str):
        raise TypeError(f"numbers[{name!r}] must be a number or a text, got {value!r}")
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"numbers[{name!r}] is NaN: a lost result")
    return value
