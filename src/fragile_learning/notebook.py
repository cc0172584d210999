"""What a chapter's cells need from the page: numbers in the prose, and tables.

The same cells run in the book's build, in JupyterLab and in Colab. Where the book's tools are not
installed, :func:`glue` does nothing.
"""

from __future__ import annotations

import ast
import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fragile_learning.style import ShownFigure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HtmlTable", "glue", "markup", "table"]

_LONG_TEXT = 30  # characters; a column with longer cells gets room
_MATH = re.compile(r"\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)")


def glue(name: str, text: str | ShownFigure) -> None:
    """Keep a formatted number under a name, for ``{glue:text}`` in the prose of the same page.

    A figure is kept for the directive ``{glue}``, where no cell can stand: in a card, say.

    Parameters
    ----------
    name : str
        The key that the prose uses.
    text : str or ShownFigure
        The number as it is to be read, formatted by the caller: ``f"{risk:.3f}"``; or what
        :func:`fragile_learning.style.show` returns.

    Raises
    ------
    TypeError
        If `name` or `text` is of another type. A bare float would be printed unrounded.
    ValueError
        If `name` or `text` is empty.

    Examples
    --------
    >>> glue("risk", f"{1 / 3:.3f}")
    >>> glue("risk", 1 / 3)
    Traceback (most recent call last):
        ...
    TypeError: text must be a string, formatted by the caller, got 0.333... of type float
    """
    for argument, value in (("name", name), ("text", text)):
        if argument == "text" and isinstance(value, ShownFigure):
            continue
        if not isinstance(value, str):
            raise TypeError(
                f"{argument} must be a string, formatted by the caller, "
                f"got {value!r} of type {type(value).__name__}"
            )
        if not value.strip():
            raise ValueError(f"{argument} must not be empty, got {value!r}")
    try:
        from myst_nb import glue as to_page
    except ImportError:
        return
    to_page(name, _Text(text) if isinstance(text, str) else text, display=False)


class _Text(str):
    """A string whose text/plain form has no quotation marks around it.

    The page's renderer reads a text as Python where it can: "0.50" becomes "0.5", and "10,000" the
    pair "(10, 0)". An invisible word joiner at the end keeps the text as it was written.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        try:
            ast.literal_eval(str(self))
        except (ValueError, SyntaxError):
            try:
                float(str(self))  # "inf" and "nan" are numbers too
            except ValueError:
                return str(self)
        return f"{self!s}\u2060"


@dataclass(frozen=True)
class HtmlTable:
    """A table as a notebook shows it.

    Attributes
    ----------
    markup : str
        The HTML.
    text : str
        The same table for readers of plain text.

    Examples
    --------
    >>> import pandas as pd
    >>> shown = table(pd.DataFrame({"ridge": [0.1], "risk": [0.25]}), "Risks.")
    >>> shown  # a terminal shows the text, a notebook the markup
    ridge  risk
    0.1    0.25
    >>> "<caption>Risks.</caption>" in shown.markup
    True
    """

    markup: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


def _cell(value: Any, form: str | None) -> str:
    """Return a value as text: numbers short, missing ones as a dash."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    number = isinstance(value, int | float | np.integer | np.floating)
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return "–"
    if number and math.isnan(value):
        return "–"
    if number and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if form is not None:
        return format(value, form)
    if number and not isinstance(value, int | np.integer):
        return f"{value:.4g}"
    return str(value)


def _linked(text: str, links: Mapping[str, str]) -> str:
    """Escape a text; each key that stands in it as a word becomes a link."""
    if not links:
        return html.escape(text)
    words = "|".join(re.escape(key) for key in sorted(links, key=len, reverse=True))
    parts = re.split(rf"(?<![\w-])({words})(?![\w-])", text)
    return "".join(
        f'<a href="{html.escape(links[part], quote=True)}">{html.escape(part)}</a>'
        if index % 2
        else html.escape(part)
        for index, part in enumerate(parts)
    )


def markup(text: str) -> str:
    """Escape a text for HTML; what stands between dollar signs becomes a formula.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> markup("a < b")
    'a &lt; b'
    """
    return _markup(text, {})


def _markup(text: str, links: Mapping[str, str]) -> str:
    """Escape a text; what stands between dollar signs stays a formula."""
    parts = []
    end = 0
    for match in _MATH.finditer(text):
        parts.append(_linked(text[end : match.start()], links))
        formula = html.escape(match[1], quote=False)
        parts.append(
            f'<span class="math notranslate nohighlight mathjax_process">\\({formula}\\)</span>'
        )
        end = match.end()
    parts.append(_linked(text[end:], links))
    return "".join(parts)


def table(
    frame: pd.DataFrame,
    caption: str | None = None,
    *,
    formats: Mapping[str, str] | None = None,
    headings: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
) -> HtmlTable:
    r"""Show a table that scrolls inside its own box where the page is narrow.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row of the table per row; the index is not shown. Text is escaped, except that inline
        mathematics between dollar signs is typeset.
    caption : str, optional
        One sentence above the table.
    formats : mapping of str to str, optional
        Format specification of a column, such as ``".2e"``. Floats have four significant digits
        otherwise; missing values are a dash.
    headings : mapping of str to str, optional
        Heading to show for a column; its name otherwise.
    links : mapping of str to str, optional
        Words of the cells that become links, such as ids of claims, and their addresses.

    Returns
    -------
    HtmlTable
        Displays itself.

    Raises
    ------
    TypeError
        If `frame` has no columns and rows to show.
    ValueError
        If `formats` or `headings` names a column that `frame` lacks.

    Examples
    --------
    >>> import pandas as pd
    >>> table(pd.DataFrame({"ridge": [0.1, float("nan")], "risk": [1 / 3, float("inf")]}))
    ridge  risk
    0.1    0.3333
    –      ∞
    """
    if not hasattr(frame, "columns") or not hasattr(frame, "itertuples"):
        raise TypeError(f"frame must be a pandas DataFrame, got {type(frame).__name__}")
    columns = [str(name) for name in frame.columns]
    formats, headings = dict(formats or {}), dict(headings or {})
    for argument, given in (("formats", formats), ("headings", headings)):
        unknown = sorted(set(given) - set(columns))
        if unknown:
            raise ValueError(f"{argument} must name columns among {columns}, got {unknown}")
    rows = [
        [_cell(value, formats.get(name)) for name, value in zip(columns, row, strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]
    numeric = [dtype.kind in "iuf" for dtype in frame.dtypes]
    titles = [headings.get(name, name) for name in columns]
    markup = _table_markup(titles, rows, numeric, caption, dict(links or {}))
    return HtmlTable(markup, _plain(titles, rows))


def _table_markup(
    titles: list[str],
    rows: list[list[str]],
    numeric: list[bool],
    caption: str | None,
    links: Mapping[str, str],
) -> str:
    longest = [max((len(row[i]) for row in rows), default=0) for i in range(len(titles))]
    classes = [
        ' class="fl-number" style="text-align:right"'
        if number
        else (
            ' class="fl-long" style="min-width:11em"'
            if length > _LONG_TEXT
            else ' class="fl-short" style="white-space:nowrap"'
        )
        for number, length in zip(numeric, longest, strict=True)
    ]
    head = "".join(
        f'<th scope="col"{c}>{_markup(t, {})}</th>' for t, c in zip(titles, classes, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{c}>{_markup(v, links)}</td>" for v, c in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    )
    label = html.escape(caption or "Table", quote=True)
    return (
        f'<div class="fl-table" style="overflow-x:auto" role="region" tabindex="0" '
        f'aria-label="{label}"><table class="dataframe">'
        + (f"<caption>{_markup(caption, {})}</caption>" if caption else "")
        + f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _plain(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    return "\n".join(
        "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
