"""Write constraints.txt: the exact versions of the environment that runs this script.

Only what the project and its extras pull in is pinned, so a stray package of somebody's
environment stays out. Local version labels (``+cpu``) name a build, not a version, and are dropped.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
HEADER = "# Versions that CI has seen working, by `make pins`. The bounds are in pyproject.toml.\n"


def declared(pyproject: Path) -> list[Requirement]:
    """Return every requirement of the project and its extras, but of `check`, which lives apart."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = [r for name, r in project["optional-dependencies"].items() if name != "check"]
    return [
        Requirement(line) for line in (*project["dependencies"], *(r for e in extras for r in e))
    ]


def closure(requirements: list[Requirement]) -> dict[str, str]:
    """Return name and version of all that the requirements pull into this environment.

    Raises
    ------
    LookupError
        If a declared requirement is not installed.
    """
    versions: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = list(requirements)
    direct = {canonicalize_name(r.name) for r in requirements}
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            if name in direct:
                raise LookupError(
                    f"{name} is declared in pyproject.toml but not installed"
                ) from None
            continue
        versions[name] = Version(found.version).public
        for line in found.requires or ():
            child = Requirement(line)
            extras = ("", *requirement.extras)
            if child.marker is None or any(child.marker.evaluate({"extra": e}) for e in extras):
                todo.append(child)
    return versions


def pinned(constraints: Path) -> dict[str, str]:
    """Return name and version of every line of a constraints file."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", constraints.read_text(encoding="utf-8"), flags=re.M)
    return {canonicalize_name(name): version for name, version in lines}


def main() -> None:
    """Write the file."""
    versions = closure(declared(ROOT / "pyproject.toml"))
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items())]
    (ROOT / "constraints.txt").write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"constraints.txt: {len(lines)} pins")


if __name__ == "__main__":
    main()
