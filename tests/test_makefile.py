"""What starts a build, which targets texts name, and on which data the site is published."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
NAMED = re.compile(r"(?:`|^|')make ((?:[a-z]+(?:-[a-z]+)*)(?: [a-z]+(?:-[a-z]+)*)*)", re.MULTILINE)


def sources() -> set[str]:
    """Files whose change makes `make book` build again."""
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    done = subprocess.run(
        ["make", "--silent", "--eval", 'show: ; @printf "%s\\n" $(SOURCES)', "show"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_change_of_what_pages_show_starts_a_build():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = {
        f"{folder}/{name}.py" for name, folder in config["sphinx"]["local_extensions"].items()
    }
    shown = {"_config.yml", "_toc.yml", "CITATION.cff", "book/index.md", *extensions}
    assert shown | set(config["bibtex_bibfiles"]) <= sources()


def commands(text: str) -> set[str]:
    return {target for names in NAMED.findall(text) for target in names.split()}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".ci/run"])
def test_targets_that_texts_name_are_there(name):
    found = commands((ROOT / name).read_text(encoding="utf-8"))
    assert found
    assert found <= TARGETS


def test_a_target_that_is_not_there_is_seen():
    assert commands("`make all-of-it`, or\nmake book results") - TARGETS == {"all-of-it"}


def installed(workflow: str) -> str:
    """What a workflow does before it builds, in its step for system packages."""
    path = ROOT / ".github" / "workflows" / workflow
    if not path.exists():
        pytest.skip("no workflows in this copy")
    (job, *_) = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return "".join(s["run"] for s in job["steps"] if s.get("name") == "System packages")


def test_the_site_is_published_with_the_data_of_the_tests():
    """Else its pages show numbers that no test has compared with the archived ones."""
    assert "dataset-fashion-mnist" in installed("test.yml")
    assert installed("book.yml") == installed("test.yml")


# Stands for Python: a build takes a moment, in which somebody may save a page.
STUB = """#!/bin/sh
case "$1" in
  scripts/build_book.py) echo built; sleep 0.1; test -z "$EDIT" || touch book/page.md; sleep 0.1;;
  scripts/notebook_cache.py) stamp=_build/.notebook-inputs.sha256; test -f $stamp || touch $stamp;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with the Makefile, one page, and a stub for Python."""
    for name in ("Makefile", "constraints.txt", "CITATION.cff", "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in (
        "pyproject.toml",
        "book/page.md",
        "src/a.py",
        "results/a.csv",
        "scripts/book_a.py",
        "scripts/build_book.py",
        ".venv/.ready",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir()
    python.write_text(STUB, encoding="utf-8")
    python.chmod(0o755)
    return tmp_path


def builds(checkout: Path, edit: str = "") -> bool:
    """Whether `make book` builds; with `edit`, a page is saved meanwhile."""
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    done = subprocess.run(
        ["make", "--silent", "book"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "EDIT": edit},
    )
    return "built" in done.stdout


@pytest.mark.parametrize("name", ["book/page.md", "src/a.py", "results/a.csv", "CITATION.cff"])
def test_a_changed_source_starts_one_build(checkout, name):
    assert builds(checkout)
    assert not builds(checkout)
    (checkout / name).touch()
    assert builds(checkout)
    assert not builds(checkout)


def test_a_page_that_is_saved_during_a_build_is_built_again(checkout):
    assert builds(checkout, edit="yes")
    assert builds(checkout)
    assert not builds(checkout)
