"""The book's own indexes: what they read from pages, cells and the citation file."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from fragile_learning import cli

book_indexes = pytest.importorskip("book_indexes")  # needs sphinx
yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[1]

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PAGE = """
```{code-cell} ipython3
:tags: [remove-output]
%pip install x
from fragile_learning import style
from fragile_learning.regression import experiments, figures
from fragile_learning.regression.theory import excess_risk
quick = {}


def run(name):
    quick[name] = experiments.run_quick(name)
    return quick[name]
```

```{code-cell} ipython3
---
tags: [remove-input]
---
sweep, again = run("ridge-sweep"), run("chains")
full = experiments.archived("chains")
curves = excess_risk(3, 0.5)
style.show(
    figures.risk_figure, sweep.query("x > 0"), [curves], best=full, alt="It "
    "falls.",
)
```

```{code-cell} ipython3
full = experiments.archived("saturation")
best = quick["regression/chains"]
style.show(figures.saturation_figure, full, best, alt="It  rises.")
```
"""


def pages() -> dict[str, str]:
    """All pages but the first, whose pictures are the chapters' own."""
    paths = sorted((ROOT / "book").glob("*/*.md"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def test_cells_come_without_options_and_magics():
    first, second, _ = book_indexes.code_cells(PAGE)
    assert first.startswith("pass\nfrom fragile_learning")
    assert second.startswith("sweep, again = ")


def test_a_figure_knows_its_tables_through_names():
    first, second = book_indexes.page_figures(PAGE)
    assert first.alt == "It falls."
    assert first.function == "fragile_learning.regression.figures.risk_figure"
    # a name that holds two tables stands for both, and a table comes before a function
    assert [source.command for source in first.sources] == [
        "fragile-learning run regression/ridge-sweep --tier quick",
        "fragile-learning run regression/chains --tier quick",
        "fragile_learning.regression.theory.excess_risk(3, 0.5)",
        "fragile-learning run regression/chains --tier full",
    ]
    assert second.alt == "It rises."
    assert [source.command for source in second.sources] == [
        "fragile-learning run regression/saturation --tier full",  # the name was bound again
        "fragile-learning run regression/chains --tier quick",
    ]


def test_a_figure_without_alt_text_is_refused():
    page = PAGE.replace('alt="It  rises."', "alt=text")
    with pytest.raises(ValueError, match=r"saturation_figure has no alt text"):
        book_indexes.page_figures(page)


def test_every_figure_of_the_book_is_found():
    shown = {name: text.count("style.show(\n") for name, text in pages().items()}
    found = {name: len(book_indexes.page_figures(text)) for name, text in pages().items()}
    assert found == shown
    assert sum(found.values()) > 90


def test_every_command_is_one_that_the_program_understands():
    known = cli.all_experiments()
    sources = {
        source
        for text in pages().values()
        for figure in book_indexes.page_figures(text)
        for source in figure.sources
        if source.tier
    }
    assert len(sources) > 60
    for source in sources:
        program, *arguments = source.command.split()
        assert program == "fragile-learning"
        assert source.name in known, source
        options = cli._parser().parse_args(arguments)
        assert options.tier == source.tier
        assert options.name == source.name


def test_every_function_of_an_index_exists():
    names = {
        re.sub(r"\(.*", "", name)
        for text in pages().values()
        for figure in book_indexes.page_figures(text)
        for name in (figure.function, *(s.name for s in figure.sources if not s.tier))
    }
    assert len(names) > 60
    missing = [name for name in names if not exists(name)]
    assert missing == []
    assert not exists("fragile_learning.regression.figures.no_figure")


def exists(name: str) -> bool:
    """Whether a dotted name leads to an attribute of a module."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:length])
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_bibtex_has_what_the_citation_file_says():
    entry = book_indexes.bibtex(CITATION)
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", entry, re.MULTILINE))
    assert entry.startswith("@software{fragile_learning,\n")
    assert fields == {
        "author": "{" + CITATION["authors"][0]["name"] + "}",
        "title": "{" + CITATION["title"] + "}",
        "version": CITATION["version"],
        "license": CITATION["license"],
        "url": CITATION["url"],
    }


def test_people_and_years_are_cited_as_is_usual():
    people = [
        {"family-names": "Ada", "given-names": "B."},
        {"family-names": "Cara", "given-names": "D."},
    ]
    citation = {**CITATION, "authors": people, "date-released": "2031-05-06"}
    assert "  author = {Ada, B. and Cara, D.}" in book_indexes.bibtex(citation)
    assert "  year = {2031}" in book_indexes.bibtex(citation)
    assert book_indexes.apa(citation).startswith("Ada, B., & Cara, D. (2031). ")
    assert "(n.d.)" in book_indexes.apa(CITATION)


def test_the_papers_are_those_of_the_chapters():
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    entries = book_indexes.paper_entries(pages().values(), bibliography)
    assert len(entries) == 6
    assert len(set(entries)) == 6
    assert all(entry in bibliography for entry in entries)
    with pytest.raises(KeyError):
        book_indexes.paper_entries(["The paper is {cite:t}`nobody1900`."], bibliography)
