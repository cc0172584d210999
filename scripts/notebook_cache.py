"""Drop the notebooks' cached outputs when what they were computed from has changed.

Jupyter's cache knows a notebook by its own cells. It sees no change of the package, of the pinned
versions, of the archived tables or of the data on this machine, and a page would show old numbers
without a word. This script, called before each build, keeps the cache only while a fingerprint of
all these is the one that the cache was made under.

The fingerprint is written once the old outputs are gone, and before any new ones are made: whenever
it and the outputs lie side by side, they belong together. A run that is cut short leaves a
fingerprint missing, and the next run drops what is left.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INPUTS = ("src", "results", "pyproject.toml", "constraints.txt")
CACHE = Path("_build/.jupyter_cache")
PAGES = Path("_build/.doctrees")
STAMP = Path("_build/.notebook-inputs.sha256")

_IGNORED = {"__pycache__", ".ipynb_checkpoints"}
_IGNORED_SUFFIXES = {".pyc", ".pyo", ".tmp", ".part"}


def input_files(root: Path) -> list[Path]:
    """Return the files that every notebook may depend on, in order."""
    found = []
    for name in INPUTS:
        path = root / name
        candidates = path.rglob("*") if path.is_dir() else [path]
        found += [
            candidate
            for candidate in candidates
            if candidate.is_file()
            and not _IGNORED.intersection(candidate.relative_to(root).parts)
            and candidate.suffix not in _IGNORED_SUFFIXES
        ]
    return sorted(found)


def data_on_this_machine() -> list[str]:
    """Return which data sets are here and from where: a chapter uses the best that it finds."""
    try:
        from fragile_learning import datasets
    except ImportError:  # a book without the package
        return []
    return [f"{name}: {datasets.locate(name)}" for name in datasets.names()]


def fingerprint(root: Path) -> str:
    """Return the SHA-256 of the Python version, the data sets here, and all inputs."""
    digest = hashlib.sha256()
    for line in (
        f"Python {sys.version_info.major}.{sys.version_info.minor}",
        *data_on_this_machine(),
    ):
        digest.update(line.encode() + b"\0")
    for path in input_files(root):
        content = path.read_bytes()
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def drop_stale(root: Path) -> str:
    """Drop the cache of the checkout `root` unless it belongs to the present inputs.

    Returns
    -------
    str
        What was done, in a sentence.
    """
    stamp, cache = root / STAMP, root / CACHE
    now = fingerprint(root)
    made_under = stamp.read_text(encoding="ascii").strip() if stamp.exists() else None
    if made_under == now:
        return "Notebook cache kept: package, pins, tables and data are those it was made from."
    there_was = cache.exists()
    stamp.unlink(missing_ok=True)
    # A page that is not read again would keep its old outputs, so its doctree goes as well.
    for folder in (cache, root / PAGES):
        if folder.exists():
            shutil.rmtree(folder)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    temporary = stamp.with_name(f"{stamp.name}.{os.getpid()}.tmp")
    temporary.write_text(now + "\n", encoding="ascii")
    temporary.replace(stamp)
    if not there_was:
        return "Notebook cache: none yet, every notebook will run."
    why = (
        "nothing says what it was made from" if made_under is None else "what it depends on changed"
    )
    return f"Notebook cache dropped ({why}): every notebook will run again."


def main(arguments: list[str] | None = None) -> int:
    """Drop what is stale and say so; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to work on")
    print(drop_stale(parser.parse_args(arguments).root.resolve()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
