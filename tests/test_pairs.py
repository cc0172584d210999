"""Each page with code has a notebook twin that says the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pair = pytest.importorskip("pair")  # needs jupytext
ROOT = Path(__file__).resolve().parents[1]
PAGES = pair.notebook_pages(ROOT)


def test_the_chapter_is_among_the_pages():
    names = {page.relative_to(ROOT / "book").as_posix() for page in PAGES}
    assert {"collapse/iterated_regression.md", "index.md", "primer/evidence.md"} <= names
    assert "primer/notation.md" not in names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_and_notebook_agree(page):
    assert pair.disagreement(page) is None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_notebook_is_stripped(page):
    content = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert [cell["id"] for cell in content["cells"]] == [
        str(i) for i in range(len(content["cells"]))
    ]
    for cell in content["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_no_notebook_without_a_page():
    assert pair.orphans(ROOT) == []


@pytest.fixture
def copy(tmp_path):
    """A checkout with one pair."""
    folder = tmp_path / "book"
    folder.mkdir()
    source = ROOT / "book" / "primer" / "evidence.md"
    for path in (source, source.with_suffix(".ipynb")):
        shutil.copy(path, folder)
    return folder / source.name


def test_a_copy_agrees(copy):
    assert pair.main(["--check", "--root", str(copy.parents[1])]) == 0


def edited_cell(twin):
    content = json.loads(twin.read_text(encoding="utf-8"))
    code = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    code["source"] = ["x = 1\n"]
    twin.write_text(json.dumps(content), encoding="utf-8")


def with_outputs(twin):
    content = json.loads(twin.read_text(encoding="utf-8"))
    code = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["1"]}]
    twin.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (edited_cell, "disagrees"),
        (with_outputs, "has outputs"),
        (lambda twin: twin.unlink(), "is missing"),
        (lambda twin: twin.write_text("{", encoding="utf-8"), "cannot be read"),
    ],
)
def test_a_changed_notebook_is_found_and_mended(copy, change, why, capsys):
    twin = copy.with_suffix(".ipynb")
    change(twin)
    root = str(copy.parents[1])
    assert pair.main(["--check", "--root", root]) == 1
    assert why in capsys.readouterr().err
    assert pair.main(["--root", root]) == 0
    assert pair.main(["--check", "--root", root]) == 0


def test_a_changed_page_is_found(copy):
    text = copy.read_text(encoding="utf-8")
    copy.write_text(text.replace("SEED = ", "SEED = 1 + "), encoding="utf-8")
    assert "disagrees" in pair.disagreement(copy)


def test_a_notebook_alone_is_named(copy, capsys):
    shutil.copy(copy.with_suffix(".ipynb"), copy.with_name("alone.ipynb"))
    assert pair.main(["--check", "--root", str(copy.parents[1])]) == 1
    assert "alone.ipynb: no page beside it" in capsys.readouterr().err


def test_code_without_a_kernel_is_refused(copy, capsys):
    copy.write_text("# Page\n\n```{code-cell} ipython3\n1\n```\n", encoding="utf-8")
    assert pair.main(["--check", "--root", str(copy.parents[1])]) == 1
    assert "no kernelspec" in capsys.readouterr().err
