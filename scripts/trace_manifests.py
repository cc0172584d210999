"""Determine the code hash and the day of archived tables that were made before manifests had them.

For each manifest that lacks them, the sources of its ``source_revision`` are checked out into a
scratch folder. If their hash is the manifest's ``source_hash``, they are the code that made the
table: its code hash is computed from them (they are imported only to ask which function computes
the experiment's points), and the day is that of the revision, the earliest on which the table can
have been made. The manifest then says ``"traced": "revision"``. The table itself is not touched.

    python scripts/trace_manifests.py
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fragile_learning.provenance import SourceTree
from fragile_learning.tables import (
    Manifest,
    configuration_hash,
    manifest_path,
    read_table,
    write_atomically,
)

ROOT = Path(__file__).resolve().parents[1]
ASK = """
import importlib, json, pkgutil
import fragile_learning
from fragile_learning.sweeps import Experiment
from fragile_learning.tables import source_hash
points = {}
for module in pkgutil.walk_packages(fragile_learning.__path__, "fragile_learning."):
    if module.name.endswith("experiments"):
        for value in vars(importlib.import_module(module.name)).values():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(one, Experiment):
                    points[one.name] = [one.point.__module__, one.point.__qualname__]
print(json.dumps({"source_hash": source_hash(), "points": points}))
"""


def git(*arguments: str, root: Path = ROOT) -> str:
    """Output of a git command in a repository."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def is_here(revision: str, root: Path) -> bool:
    """Whether the repository has a revision."""
    if not re.fullmatch("[0-9a-f]{40}", revision):
        return False
    command = ["git", "cat-file", "-e", f"{revision}^{{commit}}"]
    return subprocess.run(command, cwd=root, capture_output=True).returncode == 0


class Revision:
    """The sources of a revision in a folder of their own."""

    def __init__(self, revision: str, folder: Path, root: Path) -> None:
        git("worktree", "add", "--quiet", "--detach", str(folder), revision, root=root)
        self.folder, self.root = folder, root
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ASK],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        found = json.loads(done.stdout)
        self.source_hash = str(found["source_hash"])
        self.points = {name: tuple(point) for name, point in found["points"].items()}
        self.tree = SourceTree({"fragile_learning": folder / "src" / "fragile_learning"})
        self.day = git("log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%d", root=folder)

    def code_hash(self, name: str) -> str:
        """As `freshness.experiment_hash` gave, or would have given, at the revision."""
        stream = ("fragile_learning.sweeps", "point_stream")
        return self.tree.code_hash([self.points[name], stream])

    def close(self) -> None:
        """Remove the folder."""
        git("worktree", "remove", "--force", str(self.folder), root=self.root)


def traced(manifest: Manifest, revision: Revision) -> Manifest:
    """Return the manifest with what its revision says; ValueError if that is another code."""
    if revision.source_hash != manifest.source_hash:
        raise ValueError("the revision's sources are not those that made the table")
    if manifest.name not in revision.points:
        raise ValueError("the revision has no such experiment")
    return dataclasses.replace(
        manifest,
        code_hash=revision.code_hash(manifest.name),
        date=revision.day,
        traced="revision",
    )


def main(root: Path = ROOT) -> int:
    """Trace all manifests; return 1 if one cannot be."""
    os.environ["TZ"] = "UTC"
    failed = 0
    waiting: dict[str, list[tuple[Path, Manifest]]] = {}
    for path in sorted((root / "results").rglob("*.csv")):
        _, manifest = read_table(path)
        if not manifest.traced:
            waiting.setdefault(manifest.source_revision, []).append((path, manifest))
    with tempfile.TemporaryDirectory() as scratch:
        for name, tables in waiting.items():
            if not is_here(name, root):
                for path, _ in tables:
                    print(f"{path.relative_to(root)}: made at an unknown revision, {name!r}")
                failed += len(tables)
                continue
            revision = Revision(name, Path(scratch) / configuration_hash(name)[:12], root)
            for path, manifest in tables:
                try:
                    text = traced(manifest, revision).to_json()
                except ValueError as error:
                    print(f"{path.relative_to(root)}: {error}")
                    failed += 1
                    continue
                write_atomically(manifest_path(path), text.encode("utf-8"))
            print(f"{name[:12]} of {revision.day}: {len(tables)} tables")
            revision.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
