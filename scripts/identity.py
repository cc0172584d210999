"""Carry the repository's owner, name and branch from pyproject.toml to all that follows from them.

They are written in one place, ``[tool.fragile-learning]``. From it follow the addresses in
``_config.yml`` (launch buttons, site address), the chapters' set-up cells, CITATION.cff, the
README's badges and links, CONTRIBUTING, CHANGELOG, the project's addresses in pyproject.toml, and
the branch that the workflows watch.

    python scripts/identity.py --check    name the files that disagree (exit status 1)
    python scripts/identity.py --write    make them agree

In the files of ``OURS`` every link to a repository on GitHub, or to a site on GitHub Pages, is a
link to this one. A page of the book may link to others' repositories: there the set-up cell, the
Colab and Binder addresses, and plain links to the repository that ``_config.yml`` names are ours.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = (
    "_config.yml",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "README.md",
    "pyproject.toml",
)

_WORD = r"[A-Za-z0-9_-]+(?:\.(?!git\b|ipynb\b)[A-Za-z0-9_-]+)*"
_SLUG = rf"{_WORD}/{_WORD}"
_BRANCH = r"[\w.-]*\w"


@dataclass(frozen=True)
class Identity:
    """Who owns the repository, what it is called, and its main branch."""

    owner: str
    name: str
    branch: str

    @classmethod
    def read(cls, root: Path) -> Identity:
        """Read it from ``pyproject.toml`` under `root`."""
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
        return cls(**tomllib.loads(text)["tool"]["fragile-learning"])

    @property
    def slug(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    @property
    def repository(self) -> str:
        """Address of the repository."""
        return f"https://github.com/{self.slug}"

    @property
    def site(self) -> str:
        """Address of the published book."""
        own_page = self.name.lower() == f"{self.owner.lower()}.github.io"
        return f"https://{self.owner.lower()}.github.io/" + ("" if own_page else f"{self.name}/")


def _everywhere(text: str, new: Identity) -> str:
    """Rewrite the addresses that mean this repository in whichever file they stand."""
    text = re.sub(
        rf"(git\+https://github\.com/){_SLUG}((?:\.git)?@){_BRANCH}",
        rf"\g<1>{new.slug}\g<2>{new.branch}",
        text,
    )
    text = re.sub(
        rf"(colab\.research\.google\.com/github/){_SLUG}(/blob/){_BRANCH}",
        rf"\g<1>{new.slug}\g<2>{new.branch}",
        text,
    )
    return re.sub(
        rf"(mybinder\.org/(?:v2|badge/v2)/gh/){_SLUG}/{_BRANCH}",
        rf"\g<1>{new.slug}/{new.branch}",
        text,
    )


def _branches(text: str, new: Identity) -> str:
    """Rewrite the branch in links to files of the repository and in its badges."""
    here = re.escape(new.repository)
    text = re.sub(rf"({here}/(?:blob|tree|edit|raw)/){_BRANCH}", rf"\g<1>{new.branch}", text)
    return re.sub(rf"({here}/actions/[\w./-]+\?branch=){_BRANCH}", rf"\g<1>{new.branch}", text)


def _ours(text: str, new: Identity) -> str:
    text = re.sub(rf"https://github\.com/{_SLUG}", new.repository, text)
    text = re.sub(
        rf"(git clone {re.escape(new.repository)} && cd ){_WORD}", rf"\g<1>{new.name}", text
    )
    text = re.sub(r"https://[A-Za-z0-9-]+\.github\.io/(?:[A-Za-z0-9_.-]+/)?", new.site, text)
    return _branches(_everywhere(text, new), new)


def _config(text: str, new: Identity) -> str:
    """Rewrite the branch that the launch buttons use, in block or in flow style."""
    return re.sub(r"(?m)^(\s*|.*[{,]\s*)(branch:\s*)[\w./-]+", rf"\g<1>\g<2>{new.branch}", text)


def _page(text: str, new: Identity, old_repository: str, old_site: str) -> str:
    if old_repository:
        text = re.sub(rf"{re.escape(old_repository)}(?![\w-])", new.repository, text)
    if old_site:
        text = text.replace(old_site, new.site)
    return _branches(_everywhere(text, new), new)


def rewritten(root: Path) -> dict[Path, tuple[str, str]]:
    """Return text and wanted text of every file that names the repository.

    Parameters
    ----------
    root : Path
        A checkout of the project.

    Returns
    -------
    dict of Path to (str, str)
        What each file holds, and what it should hold. The two are equal where all is well.
    """
    new = Identity.read(root)
    texts = {}
    for name in OURS:
        path = root / name
        if path.exists():
            text = path.read_text(encoding="utf-8")
            wanted = _ours(text, new)
            texts[path] = (text, _config(wanted, new) if name == "_config.yml" else wanted)
    config = texts.get(root / "_config.yml", ("", ""))[0]
    repository = re.search(
        r"(?m)^\s*(?:repository:\s*\{)?\s*url:\s*[\"']?(https://github\.com/[^\s\"',}]+)", config
    )
    site = re.search(r"(?m)^\s*baseurl:\s*[\"']?([^\s\"']+)", config)
    for path in sorted((root / ".github" / "workflows").glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        texts[path] = (text, re.sub(r"(push: \{branches: \[)[^]]+", rf"\g<1>{new.branch}", text))
    for path in sorted((root / "book").rglob("*")):
        if path.suffix in {".md", ".ipynb"} and ".ipynb_checkpoints" not in path.parts:
            text = path.read_text(encoding="utf-8")
            old = (repository[1] if repository else "", site[1] if site else "")
            texts[path] = (text, _page(text, new, *old))
    return texts


def main(arguments: list[str] | None = None) -> int:
    """Check or write; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="name the files that disagree")
    mode.add_argument("--write", action="store_true", help="make them agree")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to work on")
    options = parser.parse_args(arguments)
    wrong = {p: wanted for p, (text, wanted) in rewritten(options.root).items() if text != wanted}
    for path, wanted in wrong.items():
        name = path.relative_to(options.root)
        if options.write:
            path.write_text(wanted, encoding="utf-8")
            print(f"{name}: rewritten")
        else:
            print(f"{name}: disagrees with pyproject.toml: run 'make identity'", file=sys.stderr)
    return 1 if wrong and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
