"""Numbers and tables of a page."""

from __future__ import annotations

import ast
import builtins
import math

import numpy as np
import pandas as pd
import pytest

from fragile_learning import notebook
from fragile_learning.notebook import glue, table
from fragile_learning.style import ShownFigure


@pytest.fixture
def glued(monkeypatch):
    """What reaches the page."""
    kept = {}
    monkeypatch.setattr(
        "myst_nb.glue", lambda name, value, display: kept.update({name: repr(value)})
    )
    return kept


@pytest.mark.parametrize("text", ["0.50", "1e-3", "12", "-0.30", "0.50 ± 0.02", "mnist-10k", "∞"])
def test_a_number_reaches_the_page_as_it_was_written(glued, text):
    glue("key", text)
    shown = glued["key"]
    assert shown.replace("\u2060", "") == text
    # the page's renderer would turn what reads as a number into a float, and drop its zeros
    with pytest.raises(ValueError, match="could not convert"):
        float(shown)


@pytest.mark.parametrize("text", ["10,000", "3.0, 2.8", "1", "(1, 2)", "-inf", "nan", "True"])
def test_text_that_reads_as_python_is_kept_as_written(text):
    # the page's renderer would show 10,000 as the pair (10, 0)
    shown = repr(notebook._Text(text))
    assert shown.replace("\u2060", "") == text
    with pytest.raises((ValueError, SyntaxError)):
        ast.literal_eval(shown)


def test_a_figure_reaches_the_page_as_it_is(glued):
    figure = ShownFigure(b"<svg/>", b"<svg/>", 100.0, "It falls.")
    glue("key", figure)
    assert glued["key"] == "Figure: It falls."


def test_other_text_is_left_alone():
    assert repr(notebook._Text("0.5 ± 0.1")) == "0.5 ± 0.1"


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("key", 0.5, TypeError, "text must be a string, formatted by the caller, got 0.5"),
        (3, "0.5", TypeError, "name must be a string"),
        ("", "0.5", ValueError, "name must not be empty"),
        ("key", " ", ValueError, "text must not be empty"),
    ],
)
def test_a_bare_number_is_refused(name, text, error, message):
    with pytest.raises(error, match=message):
        glue(name, text)


def test_without_the_books_tools_glue_does_nothing(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "myst_nb":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    assert glue("key", "0.5") is None


FRAME = pd.DataFrame(
    {
        "name": ["<b>", "a $x < y$ b", "costs $5"],
        "value": [1 / 3, math.inf, math.nan],
        "flag": [True, False, True],
        "count": [1, 20, 300],
    }
)


def test_a_table_in_plain_text():
    assert repr(table(FRAME)).splitlines() == [
        "name         value   flag  count",
        "<b>          0.3333  yes   1",
        "a $x < y$ b  ∞       no    20",
        "costs $5     –       yes   300",
    ]


def test_a_table_in_markup():
    page = table(
        FRAME, "Words & $d$", formats={"count": "04d"}, headings={"flag": "is?"}
    )._repr_html_()
    assert "<td" in page
    assert "&lt;b&gt;" in page
    assert "\\(x &lt; y\\)" in page
    assert "costs $5" in page
    assert "0020" in page
    assert "is?" in page
    assert "Words &amp; <span" in page
    assert 'role="region" tabindex="0"' in page
    assert page.count("<tr>") == 4
    assert 'class="fl-number"' in page


def test_long_texts_get_room_and_short_ones_one_line():
    page = table(pd.DataFrame({"short": ["ab"], "long": ["word " * 20]})).markup
    assert page.count("fl-short") == 2
    assert page.count("fl-long") == 2
    assert table(FRAME.iloc[:0]).markup.count("<tr>") == 1


def test_words_become_links_where_they_stand_alone():
    frame = pd.DataFrame({"id": ["REG-1 & REG-12, not REG-123, $REG-1$", "<REG-1>"]})
    page = table(frame, "REG-1", links={"REG-1": "board.html#REG-1", "REG-12": "x?a&b"}).markup
    assert page.count('<a href="board.html#REG-1">REG-1</a>') == 2  # no formula, no caption
    assert '&lt;<a href="board.html#REG-1">REG-1</a>&gt;' in page
    assert '<a href="x?a&amp;b">REG-12</a>, not REG-123' in page
    assert page.count("<a ") == 3
    assert "<a" not in table(frame).markup


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("not a frame",), TypeError, "frame must be a pandas DataFrame"),
        ((FRAME, None, "formats"), ValueError, "formats must name columns"),
        ((FRAME, None, "headings"), ValueError, "headings must name columns"),
    ],
)
def test_wrong_tables(arguments, error, message):
    frame, *rest = arguments
    keywords = {rest[1]: {"no-such-column": "x"}} if rest else {}
    with pytest.raises(error, match=message):
        table(frame, **keywords)


def test_missing_values_of_every_kind():
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [np.nan, -np.inf]})
    assert [line.split() for line in repr(table(frame)).splitlines()[1:]] == [
        ["1", "–"],
        ["–", "−∞"],
    ]


def test_exports():
    assert notebook.__all__ == ["HtmlTable", "glue", "markup", "table"]
