"""Old outputs never outlive what they were computed from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import notebook_cache

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "notebook_cache.py"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with outputs that were made from its present inputs."""
    for name in (
        "src/package/formula.py",
        "results/full/table.csv",
        "pyproject.toml",
        "constraints.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n", encoding="utf-8")
    notebook_cache.drop_stale(tmp_path)
    for name in ("_build/.jupyter_cache/outputs", "_build/.doctrees/page"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old", encoding="utf-8")
    return tmp_path


def kept(checkout):
    there = [(checkout / name).exists() for name in ("_build/.jupyter_cache", "_build/.doctrees")]
    assert len(set(there)) == 1
    return there[0]


def test_without_a_change_the_outputs_stay(checkout):
    stamp = checkout / notebook_cache.STAMP
    before = stamp.stat().st_mtime_ns
    assert "kept" in notebook_cache.drop_stale(checkout)
    assert kept(checkout)
    assert stamp.stat().st_mtime_ns == before  # make must not think that something changed


@pytest.mark.parametrize(
    "name",
    [
        "src/package/formula.py",
        "src/package/new.py",
        "src/package/data/digits.npz",
        "results/full/table.csv",
        "results/claims.json",
        "constraints.txt",
        "pyproject.toml",
    ],
)
def test_a_changed_input_drops_the_outputs(checkout, name):
    path = checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("2\n", encoding="utf-8")
    assert "dropped" in notebook_cache.drop_stale(checkout)
    assert not kept(checkout)


def test_a_removed_or_renamed_input_drops_the_outputs(checkout):
    (checkout / "src/package/formula.py").rename(checkout / "src/package/other.py")
    notebook_cache.drop_stale(checkout)
    assert not kept(checkout)


def test_other_data_on_the_machine_drop_the_outputs(checkout, monkeypatch):
    monkeypatch.setattr(notebook_cache, "data_on_this_machine", lambda: ["mnist-10k: elsewhere"])
    notebook_cache.drop_stale(checkout)
    assert not kept(checkout)


@pytest.mark.parametrize(
    "name",
    [
        "book/page.md",
        "tests/test_x.py",
        "src/package/__pycache__/a.pyc",
        "tests/golden/collapse-verification.json",
    ],
)
def test_what_no_output_depends_on_drops_nothing(checkout, name):
    path = checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("2\n", encoding="utf-8")
    notebook_cache.drop_stale(checkout)
    assert kept(checkout)


def test_outputs_of_unknown_origin_are_dropped(checkout):
    (checkout / notebook_cache.STAMP).unlink()
    assert "nothing says what it was made from" in notebook_cache.drop_stale(checkout)
    assert not kept(checkout)


CONFIGURATION = """\
title: Tiny
execute: {execute_notebooks: cache, timeout: 60}
only_build_toc_files: true
"""
PAGE = """\
---
jupytext:
  formats: md:myst
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# Tiny

```{code-cell} ipython3
from tiny_formula import value
print("the value is", value())
```
"""


@pytest.mark.slow
def test_a_changed_formula_changes_the_built_page(tmp_path):
    """End to end. Without the script the old number stays on the page: that is the control."""
    for name, text in {
        "_config.yml": CONFIGURATION,
        "_toc.yml": "format: jb-book\nroot: page\n",
        "page.md": PAGE,
        "src/tiny_formula.py": "def value():\n    return 1001\n",
        "pyproject.toml": "",
        "constraints.txt": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    builder = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W"]

    def build(*, with_script):
        if with_script:
            script = [sys.executable, str(SCRIPT), "--root", str(tmp_path)]
            subprocess.run(script, check=True, capture_output=True, env=environment)
        # the page itself is always read again: only its outputs may be old
        for folder in ("html", ".doctrees"):
            subprocess.run(["rm", "-rf", str(tmp_path / "_build" / folder)], check=True)
        done = subprocess.run(
            builder, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        page = (tmp_path / "_build/html/page.html").read_text(encoding="utf-8")
        return next(number for number in ("1001", "2002", "3003") if f"value is {number}" in page)

    def formula(number):
        text = f"def value():\n    return {number}\n"
        (tmp_path / "src/tiny_formula.py").write_text(text, encoding="utf-8")

    assert build(with_script=True) == "1001"
    formula(2002)
    assert build(with_script=False) == "1001"  # stale, without a word
    formula(3003)
    assert build(with_script=True) == "3003"
