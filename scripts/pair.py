"""Write the notebook twin of each page of the book that has code cells, from the page, one way.

The MyST Markdown page is the source; the ``.ipynb`` beside it is what Colab and Binder open. It
holds no outputs, and its cells are numbered, so the same page gives the same bytes.

    python scripts/pair.py            write the twins that are missing or disagree
    python scripts/pair.py --check    name them (exit status 1)
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from jupytext.compare import compare_notebooks
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
FORMAT = "md:myst"

_HEADER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
_CODE_CELL = re.compile(r"(?m)^(?:`{3,}|:{3,})\{code-cell\}")
_CELL_METADATA = {"tags", "mystnb"}
_KERNEL_FIELDS = ("display_name", "language", "name")


class PairError(ValueError):
    """A page cannot be turned into a notebook without loss. The message names page and cell."""


def is_notebook_page(page: Path) -> bool:
    """Whether a Markdown page runs code: it has a kernel in its header, or a code cell.

    Raises
    ------
    PairError
        If it has code cells and no kernel: they would not run, and no twin could be written.
    """
    text = page.read_text(encoding="utf-8")
    header = _HEADER.match(text)
    kernel = header is not None and re.search(r"(?m)^kernelspec:", header[1]) is not None
    if not kernel and _CODE_CELL.search(text):
        raise PairError(f"{page}: has code cells, but no kernelspec in its header")
    return kernel


def notebook_pages(root: Path) -> list[Path]:
    """Return the pages under ``root/book`` that run code, in order."""
    pages = [path for path in (root / "book").rglob("*.md") if not _hidden(path, root)]
    return sorted(path for path in pages if is_notebook_page(path))


def orphans(root: Path) -> list[Path]:
    """Return the notebooks under ``root/book`` beside which no page that runs code lies."""
    twins = {page.with_suffix(".ipynb") for page in notebook_pages(root)}
    found = (path for path in (root / "book").rglob("*.ipynb") if not _hidden(path, root))
    return sorted(path for path in found if path not in twins)


def _hidden(path: Path, root: Path) -> bool:
    return any(
        part.startswith(".") or part == "_build" for part in path.relative_to(root).parts[:-1]
    )


def notebook(page: Path) -> NotebookNode:
    """Return the notebook of a page: its cells numbered, no outputs, nothing of this machine.

    Raises
    ------
    PairError
        If a cell would be changed on the way, as nested options in the short form are.
    """
    text = page.read_text(encoding="utf-8")
    read = jupytext.reads(text, fmt=FORMAT)
    again = jupytext.reads(jupytext.writes(read, fmt=FORMAT), fmt=FORMAT)
    for number, (cell, copy) in enumerate(zip(read.cells, again.cells, strict=True)):
        options = _options(cell)
        empty = sorted(name for name, value in options.items() if value in (None, "", [], {}))
        if empty or cell.source != copy.source or options != _options(copy):
            start = cell.source.strip().splitlines()[:1]
            raise PairError(
                f"{page}: cell {number} ({start[0] if start else 'empty'!r}) would be changed; "
                "write its options in the block form, between lines of ---, keys in order"
            )
        cell.id = str(number)
        for name in set(cell.metadata) - _CELL_METADATA:
            del cell.metadata[name]
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    kernel = read.metadata.get("kernelspec", {})
    read.metadata = NotebookNode(
        kernelspec=NotebookNode({name: kernel[name] for name in _KERNEL_FIELDS if name in kernel}),
        language_info=NotebookNode(name=kernel.get("language", "python")),
    )
    read.nbformat, read.nbformat_minor = 4, 5
    nbformat.validate(read)
    return read


def _options(cell: NotebookNode) -> dict[str, object]:
    return {name: value for name, value in cell.metadata.items() if name in _CELL_METADATA}


def serialised(page: Path) -> str:
    """Return the text of a page's twin."""
    return nbformat.writes(notebook(page), indent=1, ensure_ascii=False).rstrip("\n") + "\n"


def disagreement(page: Path) -> str | None:
    """Say why a page and its twin disagree, in content or options; None if they agree."""
    twin = page.with_suffix(".ipynb")
    if not twin.exists():
        return "is missing"
    try:
        found = nbformat.read(twin, as_version=4)
    except (ValueError, nbformat.reader.NotJSONError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    for cell in found.cells:
        if cell.get("outputs") or cell.get("execution_count") is not None:
            return "has outputs"
    try:
        compare_notebooks(found, notebook(page), fmt=FORMAT, raise_on_first_difference=True)
    except jupytext.compare.NotebookDifference as error:
        return "disagrees: " + " ".join(str(error).split())
    if twin.read_text(encoding="utf-8") != serialised(page):
        return "disagrees in the form of its text"
    return None


def main(arguments: list[str] | None = None) -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name what disagrees")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to work on")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    status = 0
    try:
        for page in notebook_pages(root):
            twin = page.with_suffix(".ipynb")
            why = disagreement(page)
            if why is None:
                continue
            if options.check:
                print(f"{twin.relative_to(root)} {why}: run 'make pair'", file=sys.stderr)
                status = 1
            else:
                twin.write_text(serialised(page), encoding="utf-8", newline="\n")
                print(f"{twin.relative_to(root)}: written")
        for path in orphans(root):
            print(f"{path.relative_to(root)}: no page beside it", file=sys.stderr)
            status = 1
    except PairError as error:
        print(error, file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
