"""The numbers of the built book are the archived ones; each kind of change is seen and named."""

from __future__ import annotations

import copy
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import notebook_cache

golden = pytest.importorskip("golden")  # needs jupytext
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "golden.py"


PAGES = golden.pages(ROOT)


# --- the book ---------------------------------------------------------------------------------


@pytest.mark.site
def test_the_book_was_built_from_the_present_sources():
    golden.check_build(ROOT)


@pytest.mark.site
@pytest.mark.parametrize("name", PAGES)
def test_the_numbers_of_a_page_are_the_archived_ones(name):
    faults, skipped = golden.check(ROOT, name, PAGES[name])
    if skipped:
        pytest.skip(skipped)
    assert not faults, "\n".join([*faults, "if this is meant: make golden-accept"])


def test_every_archived_file_belongs_to_a_page():
    assert golden.stale(ROOT) == []
    assert {golden.archive_file(ROOT, name).name for name in PAGES} == {
        path.name for path in (ROOT / golden.ARCHIVE).glob("*.json")
    }


def places(name, found):
    if isinstance(found, str):
        return [name]
    return [f"{name} row {i} {head!r}" for i in range(len(found)) for head in found[0]]


def test_every_rule_has_a_reason_and_covers_something():
    archived = {name: golden.read_archive(ROOT, name)["numbers"] for name in PAGES}
    for rule in golden.RULES:
        assert len(rule.reason) > 20
        assert any(
            rule.covers(page, place)
            for page in archived
            for name in archived[page]
            for place in places(name, archived[page][name])
        )


# Printed text is numbered: a cell that is put before it moves it from under its rule.
PRINTED = {
    ("collapse/scaling_laws", "printed 3"): r"different words: .*",
    ("distillation/dataset_distillation", "printed"): r"ten real images: .*",
    ("distillation/dataset_distillation", "printed 4"): r"4 \S+\n5 \S+",
    ("distillation/dataset_distillation", "printed 5"): r"guard 0\.0: median .*",
    ("robustness/bayesian_networks", "printed 2"): r"32 posterior samples, .*",
    ("robustness/bayesian_networks", "printed 3"): r"the gradient of the loss is below .*",
}


def test_rules_for_printed_text_are_for_the_text_they_are_meant_for():
    covered = {
        (page, name): text
        for page in PAGES
        for name, text in golden.read_archive(ROOT, page)["numbers"].items()
        if name.startswith("printed") and any(rule.covers(page, name) for rule in golden.RULES)
    }
    assert covered.keys() == PRINTED.keys()
    for place, text in covered.items():
        assert re.fullmatch(PRINTED[place], text, re.DOTALL), place


def test_another_version_of_python_is_no_difference():
    """A page counts words of Python's own documentation: here with that of Python 3.13.0."""
    page = "collapse/scaling_laws"
    archived = golden.read_archive(ROOT, page)["numbers"]
    (name,) = (n for n in archived if n.startswith("printed") and "different words" in archived[n])
    found = (
        "different words: [ 581  898 1286 1795 2381 2946]\ntail exponent 2.10\n"
        "stops at 2.5 million words"
    )
    assert golden.compare(page, archived, {**archived, name: found}) == []
    assert golden.compare(page, archived, {**archived, name: found.replace("2.5", "25")}) != []


# --- the net ----------------------------------------------------------------------------------


def glued(name, text):
    return {
        "output_type": "display_data",
        "metadata": {"scrapbook": {"mime_prefix": "application/papermill.record/", "name": name}},
        "data": {"application/papermill.record/text/plain": f"{text}\u2060"},
    }


TABLE = """<div class="fl-table"><table><caption>Risks.</caption>
<thead><tr><th>ridge</th><th>risk</th></tr></thead>
<tbody><tr><td>0.1</td><td>1.234</td></tr><tr><td>–</td><td>2.0e-05</td></tr></tbody></table></div>
"""
PAGE = """\
---
jupytext:
  formats: md:myst
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# A page

```{code-cell} ipython3
one = 1
```
"""


def notebook():
    outputs = [
        glued("risk", "0.250"),
        glued("n_runs", "1,024"),
        {"output_type": "stream", "name": "stdout", "text": ["slope -0.60\n"]},
        {
            "output_type": "execute_result",
            "metadata": {},
            "data": {"text/html": [TABLE], "text/plain": ["ridge risk"]},
        },
        {
            "output_type": "execute_result",
            "metadata": {},
            "data": {"image/png": "", "text/plain": "<Figure size 640x480>"},
        },
    ]
    cell = {"cell_type": "code", "source": ["one = 1\n"], "metadata": {}, "outputs": outputs}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def build(root, executed):
    """Put an executed copy where the build keeps it."""
    folder = root / golden.CACHE
    for key, content in executed.items():
        path = folder / "executed" / key / "base.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    (folder / "global.db").unlink(missing_ok=True)
    with sqlite3.connect(folder / "global.db") as connection:
        connection.execute("CREATE TABLE nbcache (hashkey, uri, created)")
        for key in executed:
            row = (key, f"{root}/book/part/page.md", key)
            connection.execute("INSERT INTO nbcache VALUES (?, ?, ?)", row)
    connection.close()
    (root / notebook_cache.STAMP).write_text(notebook_cache.fingerprint(root), encoding="ascii")


@pytest.fixture
def book(tmp_path):
    """A book of one page, built, with its numbers archived."""
    page = tmp_path / "book" / "part" / "page.md"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE, encoding="utf-8")
    build(tmp_path, {"a": notebook()})
    golden.accept(tmp_path, "part/page", page)
    return tmp_path


def faults(root):
    found, skipped = golden.check(root, "part/page", root / "book" / "part" / "page.md")
    assert skipped is None
    return found


def test_all_that_a_page_shows_is_read():
    assert golden.numbers(notebook()) == {
        "value risk": "0.250",
        "value n_runs": "1,024",
        "printed": "slope -0.60",
        "table Risks.": [["ridge", "risk"], ["0.1", "1.234"], ["–", "2.0e-05"]],
    }


def test_where_printed_text_was_cut_does_not_matter(book):
    changed = notebook()
    first = {"output_type": "stream", "name": "stdout", "text": "slope "}
    outputs_of(changed)[2].update(text=["-0.60\n"])
    outputs_of(changed).insert(2, first)
    build(book, {"a": changed})
    assert faults(book) == []


def test_an_unchanged_page_has_no_faults(book):
    assert faults(book) == []


def outputs_of(changed):
    return changed["cells"][0]["outputs"]


def set_glue(changed, at, text):
    outputs_of(changed)[at] = glued(outputs_of(changed)[at]["metadata"]["scrapbook"]["name"], text)


def set_table(changed, old, new):
    outputs_of(changed)[3]["data"]["text/html"] = [TABLE.replace(old, new)]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda n: set_glue(n, 0, "0.252"), "value risk: 0.250 became 0.252, allowed 0.001"),
        (lambda n: set_glue(n, 0, "-0.250"), "value risk: 0.250 became -0.250, allowed 0.001"),
        (lambda n: set_glue(n, 0, "nan"), "value risk: '0.250' became 'nan'"),
        (lambda n: set_glue(n, 1, "1,025"), "value n_runs: 1,024 became 1,025, allowed 0"),
        (lambda n: outputs_of(n).pop(0), "value risk: is no longer there"),
        (lambda n: outputs_of(n).append(glued("new", "7")), "value new: is new"),
        (
            lambda n: set_table(n, "1.234", "1.236"),
            "table Risks.: row 1 'risk' 1.234 became 1.236, allowed 0.001",
        ),
        (lambda n: set_table(n, "2.0e-05", "2.0e-06"), "2.0e-05 became 2.0e-06, allowed 1e-06"),
        (lambda n: set_table(n, "–", "0.2"), "row 2 'ridge' '–' became '0.2'"),
        (lambda n: set_table(n, "<tr><td>0.1</td><td>1.234</td></tr>", ""), "has another shape"),
        (lambda n: set_table(n, "Risks.", "Errors."), "table Risks.: is no longer there"),
        (lambda n: outputs_of(n)[2].update(text="slope -0.62\n"), "printed: -0.60 became -0.62"),
        (lambda n: outputs_of(n)[2].update(text="slope 0.60\n"), "printed: -0.60 became 0.60"),
        (lambda n: outputs_of(n)[2].update(text="rise -0.60\n"), "printed: 'slope -0.60' became"),
    ],
)
def test_each_change_is_named(book, change, named):
    changed = copy.deepcopy(notebook())
    change(changed)
    build(book, {"a": changed})
    assert any(fault.startswith("part/page: ") and named in fault for fault in faults(book))


@pytest.mark.parametrize(
    "change",
    [
        lambda n: set_glue(n, 0, "0.251"),
        lambda n: set_glue(n, 0, "0.249"),
        lambda n: set_table(n, "2.0e-05", "2.1e-05"),
        lambda n: outputs_of(n)[2].update(text="slope  −0.61\n"),
    ],
)
def test_one_unit_in_the_last_digit_is_rounding(book, change):
    changed = copy.deepcopy(notebook())
    change(changed)
    build(book, {"a": changed})
    assert faults(book) == []


def test_a_rule_widens_its_names_and_no_others(monkeypatch):
    rule = golden.Rule("part/.*", "value trained_.*", 0.1, 0.0, "trained here")
    monkeypatch.setattr(golden, "RULES", (rule,))
    old = {"value trained_loss": "0.500", "value other": "0.500"}
    new = {"value trained_loss": "0.540", "value other": "0.540"}
    assert golden.compare("part/page", old, new) == [
        "part/page: value other: 0.500 became 0.540, allowed 0.001"
    ]
    assert len(golden.compare("else/page", old, new)) == 2
    worse = {"value trained_loss": "0.560", "value other": "0.500"}
    assert len(golden.compare("part/page", old, worse)) == 1


def test_a_rule_may_be_for_the_words_of_one_column(monkeypatch):
    rule = golden.Rule("part/.*", "table T.* 'live'", 0.0, 0.0, "trained here", words=True)
    monkeypatch.setattr(golden, "RULES", (rule,))
    old = {"table T": [["archived", "live"], ["agrees", "agrees"]]}
    new = {"table T": [["archived", "live"], ["differs", "inconclusive"]]}
    assert golden.compare("part/page", old, new) == [
        "part/page: table T: row 1 'archived' 'agrees' became 'differs'"
    ]


def test_the_copy_of_the_present_code_is_read(book):
    """An older build of a page that was edited stays in the cache."""
    old, new = notebook(), notebook()
    old["cells"][0]["source"] = ["one = 2\n"]
    set_glue(new, 0, "0.9")
    build(book, {"a": new, "b": old})
    assert any("0.250 became 0.9" in fault for fault in faults(book))
    build(book, {"b": old})
    with pytest.raises(golden.GoldenError, match="no executed copy"):
        faults(book)


def test_a_page_is_compared_only_with_the_same_data(book, monkeypatch):
    page = book / "book" / "part" / "page.md"
    page.write_text(PAGE + "\nOn Fashion-MNIST.\n", encoding="utf-8")
    monkeypatch.setattr(golden, "data_here", lambda page: {"fashion-mnist": True})
    golden.accept(book, "part/page", page)
    assert faults(book) == []
    monkeypatch.setattr(golden, "data_here", lambda page: {"fashion-mnist": False})
    found, skipped = golden.check(book, "part/page", page)
    assert found == []
    assert "fashion-mnist is not here, and was there when the numbers were archived" in skipped


@pytest.mark.parametrize("here", [True, False])
def test_a_page_that_names_one_more_data_set_is_compared(book, monkeypatch, here):
    """Words about a data set do not take a page out of the comparison."""
    page = book / "book" / "part" / "page.md"
    page.write_text(PAGE + "\nLike MNIST.\n", encoding="utf-8")
    monkeypatch.setattr(golden, "data_here", lambda page: {"mnist-10k": here})
    assert faults(book) == []
    changed = notebook()
    set_glue(changed, 0, "0.9")
    build(book, {"a": changed})
    assert any("0.250 became 0.9" in fault for fault in faults(book))


def test_a_page_that_is_not_compared_must_have_run(book, monkeypatch):
    page = book / "book" / "part" / "page.md"
    page.write_text(PAGE + "\nOn Fashion-MNIST.\n", encoding="utf-8")
    monkeypatch.setattr(golden, "data_here", lambda page: {"fashion-mnist": True})
    golden.accept(book, "part/page", page)
    monkeypatch.setattr(golden, "data_here", lambda page: {"fashion-mnist": False})
    build(book, {})
    with pytest.raises(golden.GoldenError, match="no executed copy"):
        golden.check(book, "part/page", page)


def test_data_sets_are_found_in_the_text(tmp_path):
    page = tmp_path / "page.md"
    for text, named in (
        ("On Fashion-MNIST.", {"fashion-mnist"}),
        ("On MNIST and on digits.", {"mnist-10k"}),
        ("`load('fashion-mnist')`", {"fashion-mnist"}),
        ("No data.", set()),
    ):
        page.write_text(text, encoding="utf-8")
        assert set(golden.data_here(page)) == named


@pytest.mark.parametrize("options", [[], ["--accept"]])
def test_outputs_of_other_sources_are_refused(book, options, capsys):
    before = golden.archive_file(book, "part/page").read_bytes()
    source = book / "src" / "package" / "formula.py"
    source.parent.mkdir(parents=True)
    source.write_text("1\n", encoding="utf-8")
    assert golden.main(["--root", str(book), *options]) == 1
    assert "changed since the book was built: run `make book`" in capsys.readouterr().err
    (book / notebook_cache.STAMP).unlink()
    assert golden.main(["--root", str(book), *options]) == 1
    assert "nothing was built" in capsys.readouterr().err
    assert golden.archive_file(book, "part/page").read_bytes() == before


def test_the_command_compares_and_accepts(book):
    command = [sys.executable, str(SCRIPT), "--root", str(book)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    def run(*options):
        return subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, env=environment
        )

    assert run().returncode == 0
    changed = notebook()
    set_glue(changed, 0, "0.9")
    build(book, {"a": changed})
    (book / golden.ARCHIVE / "gone.json").write_text("{}", encoding="utf-8")
    refused = run()
    assert refused.returncode == 1
    assert "part/page: value risk: 0.250 became 0.9" in refused.stdout
    assert "gone.json: no such page" in refused.stdout
    accepted = run("--accept")
    assert accepted.returncode == 0
    assert "0.250 became 0.9" in accepted.stdout
    assert run().stdout == "0 differences\n"
    golden.archive_file(book, "part/page").unlink()
    assert "make golden-accept" in run().stdout
