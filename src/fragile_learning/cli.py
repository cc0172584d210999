"""The command line: run experiments, judge claims, look after data and archived results."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import importlib.util
import multiprocessing
import os
import pkgutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fragile_learning import claims
    from fragile_learning.claims import Claim, LedgerEntry
    from fragile_learning.cluster import Cluster, Worker
    from fragile_learning.freshness import TableState
    from fragile_learning.sweeps import Experiment

__all__ = ["all_claims", "all_experiments", "main"]

_KNOWN_ERRORS = (TypeError, ValueError, OSError, ModuleNotFoundError)

REVISION_VARIABLE = "FRAGILE_LEARNING_REVISION"
"""Names the commit of the sources where there is no git, as in a container or on a cluster. The
hash of the sources in the same manifest shows whether that is true."""


# --- what there is ----------------------------------------------------------------------------


def _rooms(door: str) -> Iterator[Any]:
    """Modules ``fragile_learning.ROOM.door`` of all rooms, in the order of their names."""
    import fragile_learning

    for room in sorted(info.name for info in pkgutil.iter_modules(fragile_learning.__path__)):
        name = f"fragile_learning.{room}"
        package = importlib.util.find_spec(name)
        if package is None or package.submodule_search_locations is None:
            continue
        if importlib.util.find_spec(f"{name}.{door}") is not None:
            yield importlib.import_module(f"{name}.{door}")


def all_experiments() -> dict[str, Experiment]:
    """Return the experiments of all rooms, by name.

    Examples
    --------
    >>> found = all_experiments()
    >>> found["regression/ridge-sweep"].tiers
    ('quick', 'full')
    """
    found: dict[str, Experiment] = {}
    for module in _rooms("experiments"):
        for experiment in module.EXPERIMENTS:
            if experiment.name in found:
                raise ValueError(f"experiment {experiment.name!r} is there twice")
            found[experiment.name] = experiment
    return found


def all_claims() -> list[Claim]:
    """Return the claims of all rooms.

    Examples
    --------
    >>> identities = [claim.id for claim in all_claims()]
    >>> (
    ...     identities.index("DST-1") < identities.index("REG-1"),
    ...     len(set(identities)) == len(identities),
    ... )
    (True, True)
    """
    return [claim for module in _rooms("claims") for claim in module.CLAIMS]


# --- the machine, measured here and nowhere else ----------------------------------------------


def _versions() -> dict[str, str]:
    from fragile_learning.machine import versions

    found = versions()
    with contextlib.suppress(PackageNotFoundError):
        found["fragile-learning"] = version("fragile-learning")
    return found


def _torch() -> Any:
    return importlib.import_module("torch")


def _device(experiment: Experiment, workers: Sequence[Worker]) -> str:
    """Return the machines in words: this one, or those of a cluster's workers."""
    from fragile_learning.machine import description

    if workers:
        counts = Counter(worker.machine for worker in workers)
        parts = [f"{n} on {machine}" for machine, n in sorted(counts.items())]
        return "Dask workers: " + "; ".join(parts)
    if "torch" in experiment.requires:
        _torch()  # else a GPU is not named
    return description()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _git(root: Path, *arguments: str) -> str:
    """Output of a git command."""
    done = subprocess.run(  # noqa: S603 - nothing of it is the user's
        ["git", *arguments],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _revision(root: Path | None) -> str:
    """Commit of the repository ``root``; where git cannot tell, what `REVISION_VARIABLE` says.

    A repository around ``root``, or around the place of the command where the package is installed
    (None), is another one: its commit says nothing of these sources.
    """
    told = os.environ.get(REVISION_VARIABLE, "") or "unknown"
    if root is None:
        return told
    try:
        if _git(root, "rev-parse", "--show-prefix"):
            return told
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "src")
    except (OSError, subprocess.CalledProcessError):
        return told
    return commit + (" with changes" if changed else "")


# --- commands ---------------------------------------------------------------------------------


def _work_folder() -> Path:
    """Folder for what a command writes: the repository, or where the command was given."""
    from fragile_learning.tables import repository_root

    return repository_root() or Path.cwd()


def _output(tier: str, output: str | None) -> Path:
    if output is not None:
        return Path(output)
    folder = _work_folder()
    return folder / "results" / "full" if tier == "full" else folder / "_build" / "quick"


@dataclass(frozen=True)
class _Where:
    """Where the points of a sweep are computed."""

    backend: str = "serial"
    n_workers: int = 1
    cluster: Cluster | None = None


def _where(chosen: argparse.Namespace) -> _Where:
    """Read the backend's options; ValueError if they do not go together."""
    backend = chosen.backend
    if backend is None:
        parallel = "processes" if chosen.workers is not None and chosen.workers > 1 else "serial"
        backend = "dask" if chosen.scheduler is not None else parallel
    if backend != "dask":
        for option in ("scheduler", "timeout"):
            if getattr(chosen, option) is not None:
                raise ValueError(f"--{option} is for --backend dask, got --backend {backend}")
    elif chosen.scheduler is None:
        raise ValueError("--backend dask needs --scheduler ADDRESS")
    elif chosen.workers is not None:
        raise ValueError("--workers is for --backend processes: a Dask cluster has its own workers")
    else:
        from fragile_learning.cluster import Cluster

        patience = {} if chosen.timeout is None else {"timeout": chosen.timeout}
        return _Where("dask", cluster=Cluster(chosen.scheduler, **patience))
    if backend == "serial":
        if chosen.workers not in {None, 1}:
            raise ValueError(f"--backend serial has one worker, got --workers {chosen.workers}")
        return _Where()
    import joblib

    return _Where("processes", chosen.workers or joblib.cpu_count())


def _lacking(experiment: Experiment, tier: str, where: _Where) -> list[str]:
    """List what the points of a tier ask for and is not here; a cluster has its own devices."""
    lacking = [name for name in experiment.requires if importlib.util.find_spec(name) is None]
    gpu = "cuda" in {point.get("device") for point in experiment.points(tier)}
    if gpu and where.cluster is None and not lacking and not _torch().cuda.is_available():
        lacking.append("a GPU (device 'cuda')")
    return lacking


def _run(
    experiment: Experiment,
    tier: str,
    *,
    output: str | None = None,
    where: _Where | None = None,
    resume: bool = True,
) -> Path:
    """Compute a table and write it with its manifest."""
    from fragile_learning.freshness import experiment_hash
    from fragile_learning.machine import peak_memory
    from fragile_learning.tables import Manifest, repository_root, source_hash, write_table

    where = where or _Where()
    lacking = _lacking(experiment, tier, where)
    if lacking:
        raise ValueError(f"{experiment.name} needs {', '.join(lacking)}, which is not here")
    target = _output(tier, output) / f"{experiment.name}.csv"
    code, date = experiment_hash(experiment), _today()
    started = time.perf_counter()
    frame = experiment.run(
        tier,
        cache_dir=_work_folder() / "_build" / "points" / tier / experiment.name,
        backend=where.backend,
        n_workers=where.n_workers if where.backend == "processes" else None,
        cluster=where.cluster,
        progress=True,
        resume=resume,
        code_hash=code,
    )
    seconds = time.perf_counter() - started
    workers = frame.attrs["workers"]
    manifest = Manifest(
        name=experiment.name,
        description=experiment.description,
        tier=tier,
        configuration=experiment.configuration(tier),
        seed=experiment.seed,
        versions=_versions(),
        device=_device(experiment, workers),
        n_workers=len(workers) or where.n_workers,
        wall_time_seconds=round(seconds, 2),
        peak_memory_bytes=max(peak_memory(), frame.attrs["peak_memory_bytes"]),
        source_revision=_revision(repository_root()),
        source_hash=source_hash(),
        nullable=experiment.nullable,
        resumed_points=int(frame.attrs["resumed_points"]),
        code_hash=code,
        date=date,
        traced="run",
    )
    write_table(target, frame, manifest)
    print(f"{target}: {len(frame)} rows in {seconds:.1f} s")
    return target


# A point that takes longer than this is too dear for a confirmation.
_DEAREST_POINT = 60.0


def _points_again(experiment: Experiment, points: list[dict[str, Any]], to: Any) -> None:
    """Compute points again in a process of its own; send each as soon as it is there."""
    from fragile_learning.freshness import compute_again

    for point in points:
        try:
            to.send(compute_again(experiment, point))
        except Exception as error:  # noqa: BLE001 - the parent process reports it
            to.send(error)
            return


def _computed_again(
    experiment: Experiment, points: list[dict[str, Any]], seconds: float
) -> Iterator[Any]:
    """Rows of points, until the time is used up or a point is too dear; an error ends it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    worker = context.Process(target=_points_again, args=(experiment, points, there), daemon=True)
    worker.start()
    there.close()
    ends = time.perf_counter() + seconds
    try:
        for number in range(len(points)):
            # the first point may use what is allowed for one, and the start of the process
            left = ends - time.perf_counter()
            if not here.poll(max(left, _DEAREST_POINT if number == 0 else 0.0)):
                return
            try:
                yield here.recv()
            except EOFError:
                yield RuntimeError("the process that computed it ended without an answer")
                return
    finally:
        worker.terminate()
        worker.join()
        here.close()


def _confirm(experiment: Experiment, *, at_most: int, seconds: float) -> str:
    """Compare some recomputed points with the archived rows; return "" or what differs."""
    from fragile_learning.freshness import (
        Confirmation,
        experiment_hash,
        largest_difference,
        points_to_confirm,
        tolerance,
        write_confirmation,
    )
    from fragile_learning.tables import archive_path, read_table, repository_root

    path = archive_path("full", experiment.name)
    archived, manifest = read_table(path)
    points = points_to_confirm(experiment, "full", at_most=at_most)
    allowed, worst, done = tolerance(experiment), 0.0, 0
    for point, rows in zip(points, _computed_again(experiment, points, seconds), strict=False):
        if isinstance(rows, Exception):
            lacks = "DataUnavailableError" in str(rows)
            return f"left alone: {rows}" if lacks else f"failed: {rows}"
        try:
            found = largest_difference(archived, rows, list(point))
        except ValueError as error:  # other columns, or no such row: the next table has its turn
            return f"failed: {error}"
        if found.relative > allowed:
            return f"{found.column} differs by {found.relative:.2g} at {point}"
        worst, done = max(worst, found.relative), done + 1
    if not done:
        allowed_time = max(seconds, _DEAREST_POINT)
        return f"left alone: its cheapest point takes more than {allowed_time:.0f} s"
    confirmation = Confirmation(
        name=experiment.name,
        table_sha256=manifest.table_sha256,
        code_hash=experiment_hash(experiment),
        n_points=done,
        of_points=len(experiment.points("full")),
        largest_relative_difference=worst,
        tolerance=allowed,
        date=_today(),
        device=_device(experiment, ()),
        source_revision=_revision(repository_root()),
    )
    write_confirmation(path, confirmation)
    return ""


def _words(state: TableState) -> str:
    """State of an archived table in words."""
    if state.manifest is None:
        return "missing"
    if state.reasons:
        return f"stale: {', '.join(state.reasons)}"
    found = state.confirmation
    if found is None or found.code_hash == state.manifest.code_hash:
        return "ready"
    return f"ready: confirmed {found.date} by {found.n_points} of {found.of_points} points"


def _picked(wanted: Sequence[str]) -> dict[str, Experiment]:
    """Experiments that these names stand for: each 'room/name', a room, or 'all'."""
    experiments = all_experiments()
    meant = {name: {name, name.split("/")[0], "all"} for name in experiments}
    unknown = [one for one in wanted if not any(one in names for names in meant.values())]
    if unknown:
        raise ValueError(
            f"no experiment or room {', '.join(map(repr, unknown))}; "
            f"there are: {', '.join(experiments)}"
        )
    return {name: experiments[name] for name, names in meant.items() if names & set(wanted)}


def _results(chosen: argparse.Namespace) -> int:
    from fragile_learning.freshness import table_state
    from fragile_learning.tables import TableError

    where = _where(chosen)
    wrong = 0
    for name, experiment in _picked(chosen.only or ["all"]).items():
        if "full" not in experiment.tiers:
            print(f"{name:40} no full tier")
            continue
        try:
            state = table_state(experiment)
        except TableError as error:
            print(f"{name:40} damaged: {error}", flush=True)
            wrong += 1
            continue
        cost = "" if state.manifest is None else f"  ({state.manifest.wall_time_seconds:.0f} s)"
        print(f"{name:40} {_words(state)}{cost}", flush=True)
        remade = state.manifest is None or any("configuration" in why for why in state.reasons)
        if not state.is_stale or not (chosen.run_missing if remade else chosen.confirm):
            continue
        lacking = _lacking(experiment, "full", where if remade else _Where())  # confirmed here
        if lacking:
            print(f"{name:40} left alone: needs {', '.join(lacking)}")
        elif remade:
            _run(experiment, "full", where=where)
        else:
            said = _confirm(experiment, at_most=chosen.points, seconds=chosen.seconds)
            wrong += bool(said) and not said.startswith("left alone")
            print(f"{name:40} {said or _words(table_state(experiment))}", flush=True)
    return 1 if wrong else 0


def _changed_last(path: Path, root: Path) -> str:
    """Newest revision that changed a file; empty if that is not known or it is changed now."""
    try:
        changed = _git(root, "status", "--porcelain", "--", str(path))
        last = _git(root, "log", "-1", "--format=%H", "--", str(path))
    except (OSError, subprocess.CalledProcessError):
        return ""
    return "" if changed else last


def _with_revisions(entries: list[LedgerEntry]) -> list[LedgerEntry]:
    """Entries that say at which revision their judges can be read."""
    package, root = Path(__file__).resolve().parent, _work_folder()
    files = {entry.code_file for entry in entries if entry.code_file}
    last = {file: _changed_last(package / file, root) for file in files}
    return [
        dataclasses.replace(entry, code_revision=last.get(entry.code_file, "")) for entry in entries
    ]


def _quick_verdicts(
    picked: list[Claim], *, output: str | None, where: _Where
) -> dict[str, claims.Verdict]:
    """Verdicts of the claims that the quick tier can decide, from tables computed now."""
    from fragile_learning import claims
    from fragile_learning.tables import read_table

    experiments = all_experiments()
    deciding = [claim for claim in picked if claim.tier == "quick"]
    tables = {}
    for name in sorted({name for claim in deciding for name in claim.experiments}):
        if "quick" in experiments[name].tiers:
            path = _run(experiments[name], "quick", output=output, where=where)
            tables[name] = read_table(path)[0]
    return {claim.id: claims.judge(claim, tables, tier="quick") for claim in deciding}


def _claims(chosen: argparse.Namespace) -> int:
    from fragile_learning import claims

    where = _where(chosen)
    known = all_claims()
    if chosen.only:
        unknown = sorted(set(chosen.only) - {claim.id for claim in known})
        if unknown:
            raise ValueError(f"no claim {', '.join(unknown)}; there are {len(known)}")
    picked = [claim for claim in known if not chosen.only or claim.id in chosen.only]
    try:
        stored = claims.read_ledger()
    except claims.LedgerError as error:
        there = not isinstance(error, claims.MissingLedgerError)
        if not chosen.accept or (chosen.only and there):  # some alone would lose all the others
            raise
        stored = []  # there is none, or it cannot be read: accepted anew
    before = {entry.id: entry for entry in stored}
    quick = {}
    if chosen.tier in {"quick", "all"}:
        quick = _quick_verdicts(picked, output=chosen.output, where=where)
    tiers = {claim.id: claim.tier for claim in picked}
    entries = []
    for entry in _with_revisions(claims.from_archive(picked)):
        was, now = before.get(entry.id), quick.get(entry.id)
        kept = was if chosen.tier == "quick" and was is not None else entry
        if now is not None:
            kept = dataclasses.replace(kept, quick_outcome=now.outcome, quick_summary=now.summary)
        elif chosen.tier == "full" and was is not None:  # not judged now
            kept = dataclasses.replace(
                kept, quick_outcome=was.quick_outcome, quick_summary=was.quick_summary
            )
        elif tiers[entry.id] == "quick":
            kept = dataclasses.replace(
                kept,
                quick_outcome=claims.Outcome.NOT_RUN,
                quick_summary="The quick tier is not judged yet.",
            )
        entries.append(kept)
    for entry in entries:
        if chosen.tier in {"full", "all"}:
            print(f"{entry.id:8} {entry.outcome:13} {entry.summary}")
        if chosen.tier in {"quick", "all"} and entry.quick_outcome is not None:
            print(f"{entry.id:8} {entry.quick_outcome:13} {entry.quick_summary}  (quick)")
    judged = {entry.id for entry in entries}
    others = [entry for entry in stored if entry.id not in judged] if chosen.only else []
    compared = [entry for entry in stored if not chosen.only or entry.id in judged]
    changes = claims.ledger_changes(compared, entries)
    for identity, lines in changes.items():
        for line in lines:
            print(f"changed: {identity} {line}", file=sys.stderr)
    if chosen.accept:
        target = Path(chosen.output or _work_folder() / "results") / "claims.json"
        claims.write_ledger(target, [*others, *entries])
        print(f"{target}: {len(others) + len(entries)} claims, {len(changes)} verdicts changed")
        return 0
    n_judged = len(judged & {*quick, *changes} if chosen.tier == "quick" else judged)
    if changes:
        print(
            f"{len(changes)} of {n_judged} verdicts are not those of the ledger; "
            "if they are right: fragile-learning claims --accept",
            file=sys.stderr,
        )
        return 1
    print(f"{n_judged} verdicts are those of the ledger")
    return 0


def _data(chosen: argparse.Namespace) -> int:
    from fragile_learning import datasets

    cache = chosen.cache_dir
    if chosen.action == "download":
        print(datasets.download(chosen.name, cache_dir=cache, progress=True))
    elif chosen.action == "import":
        print(datasets.import_folder(chosen.name, chosen.folder, cache_dir=cache))
    else:
        for name in datasets.names():
            found = datasets.locate(name, cache_dir=cache)
            place = "not here" if found is None else f"{found[0]}: {found[1]}"
            checked = ""
            if chosen.action == "verify" and found is not None:
                images = datasets.load(name, cache_dir=cache).images
                checked = f", {len(images)} images verified"
            print(f"{name:20} {place}{checked}")
    return 0


def _run_command(chosen: argparse.Namespace) -> int:
    where = _where(chosen)
    matching = _picked([chosen.name])
    for name, experiment in matching.items():
        if len(matching) > 1 and chosen.tier not in experiment.tiers:
            print(f"{name}: has no {chosen.tier} tier")
            continue
        _run(
            experiment,
            chosen.tier,
            output=chosen.output,
            where=where,
            resume=not chosen.anew,
        )
    return 0


def _list(_: argparse.Namespace) -> int:
    for name, experiment in all_experiments().items():
        tiers = ", ".join(f"{tier} {len(experiment.points(tier))}" for tier in experiment.tiers)
        print(f"{name:40} {experiment.description}  [points: {tiers}]")
    return 0


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be an integer >= 1, got {text!r}")
    return value


def _add_where(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where points are computed."""
    parser.add_argument(
        "--backend",
        choices=("serial", "processes", "dask"),
        help="default: dask with --scheduler, processes with several --workers, else serial",
    )
    parser.add_argument(
        "--workers", type=_positive, help="processes on this machine (--backend processes: all)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a running Dask cluster: tcp://10.0.0.1:8786"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="to reach the scheduler, and to wait for a worker where there is none (default: 60)",
    )


def _parser() -> argparse.ArgumentParser:
    from fragile_learning import __version__, datasets

    parser = argparse.ArgumentParser(prog="fragile-learning", description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    rooms = parser.add_subparsers(dest="command", required=True, metavar="command")

    run = rooms.add_parser("run", help="compute an experiment's table")
    run.add_argument("name", help="an experiment 'room/name', a room, or 'all'")
    run.add_argument("--tier", choices=("quick", "full"), default="quick")
    _add_where(run)
    run.add_argument("--output", help="folder for the table instead of the repository's")
    run.add_argument("--anew", action="store_true", help="compute finished points again")
    run.set_defaults(function=_run_command)

    rooms.add_parser("list", help="list the experiments").set_defaults(function=_list)

    results = rooms.add_parser("results", help="state of the archived full-tier tables")
    results.add_argument("only", nargs="*", metavar="NAME", help="of these tables or rooms alone")
    results.add_argument(
        "--run-missing",
        action="store_true",
        help="compute tables that are missing or of another configuration",
    )
    results.add_argument(
        "--confirm",
        action="store_true",
        help="where code changed since, compare points computed now with the archived rows",
    )
    results.add_argument(
        "--points", type=_positive, default=12, help="to confirm a table (default: at most 12)"
    )
    results.add_argument(
        "--seconds", type=_positive, default=30, help="to confirm a table (default: 30)"
    )
    _add_where(results)
    results.set_defaults(function=_results)

    claims = rooms.add_parser(
        "claims", help="judge all claims and compare the verdicts with the ledger"
    )
    claims.add_argument("only", nargs="*", metavar="ID", help="these alone")
    claims.add_argument(
        "--tier",
        choices=("all", "full", "quick"),
        default="all",
        help="full: from the archive, in seconds; quick: from tables computed now; all (default)",
    )
    claims.add_argument(
        "--accept", action="store_true", help="write the verdicts to the ledger, changed or not"
    )
    _add_where(claims)
    claims.add_argument("--output", help="folder to write to instead of the repository's")
    claims.set_defaults(function=_claims)

    data = rooms.add_parser("data", help="data sets: list, download, import, verify")
    data.set_defaults(function=_data)
    actions = data.add_subparsers(dest="action", required=True, metavar="action")
    for action, text in (("list", "what there is"), ("verify", "read and check all that is here")):
        add = actions.add_parser(action, help=text)
        add.add_argument("--cache-dir", help="folder to look in instead of the user's cache")
    download = actions.add_parser("download", help="fetch a data set and check it")
    imported = actions.add_parser("import", help="copy checked files from a folder to the cache")
    for add in (download, imported):
        add.add_argument("name", help="one of " + ", ".join(datasets.names()))
    imported.add_argument("folder")
    for add in (download, imported):
        add.add_argument("--cache-dir", help="folder to write to instead of the user's cache")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0: done. 1: it found something wrong (a verdict that is not the ledger's, a table that is
    damaged or that the code does not give, a point that failed). 2: a known error, in one line on
    stderr. 130: interrupted. 141: the reader of its output left, as ``head`` does.

    Examples
    --------
    >>> main(["list"])
    bayes/exact-posteriors ...
    regression/ridge-sweep ...
    0
    >>> main(["run", "no-such-experiment"])  # the error is one line on stderr
    2
    """
    chosen = _parser().parse_args(arguments)
    try:
        status = int(chosen.function(chosen))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # else the interpreter complains once more when it flushes the rest at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        computing = chosen.command in {"run", "results", "claims"}
        print("interrupted" + "; finished points are kept" * computing, file=sys.stderr)
        return 130
    except _KNOWN_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:  # a failed point: its worker's traceback is in the notes
        print(f"error: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
        return 1
