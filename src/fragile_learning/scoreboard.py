"""The scoreboard: every claim of the ledger in one table that a reader can filter.

The table is whole without JavaScript; ``scoreboard.js`` of the book's page shows the filters. The
verdict is a word with a sign, never a colour alone. Each row has the claim's id as its anchor.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, metadata

from fragile_learning.claims import LedgerEntry, Outcome
from fragile_learning.freshness import Confirmation
from fragile_learning.notebook import HtmlTable, markup

__all__ = ["code_address", "papers", "repository_address", "scoreboard"]

_SIGNS = {
    Outcome.AGREES: "✓",
    Outcome.DIFFERS: "✗",
    Outcome.INCONCLUSIVE: "?",
    Outcome.NOT_RUN: "–",
}
_AUTHORS = re.compile(r"[A-Z][^;:()]*?\b(?:19|20)[0-9]{2}")
_OURS = "derived in this book"
_COLUMNS = ("claim", "verdict", "statement", "reported", "measured here")


def repository_address() -> str:
    """Address of the project's repository, from the metadata of the installed package.

    Returns
    -------
    str
        Empty if the package is not installed.

    Examples
    --------
    >>> repository_address()[:8] in {"https://", ""}
    True
    """
    try:
        lines = metadata("fragile-learning").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    for line in lines:
        label, _, address = line.partition(", ")
        if label == "Repository":
            return str(address.rstrip("/"))
    return ""


def code_address(entry: LedgerEntry, repository: str) -> str:
    """Address of the function that judged a claim, at the exact revision.

    Parameters
    ----------
    entry : LedgerEntry
    repository : str
        Address of the repository.

    Returns
    -------
    str
        With the line, where the revision is known; else of the newest state of the file, without a
        line; empty if the file or the repository is not known.

    Examples
    --------
    >>> from fragile_learning.claims import read_ledger
    >>> code_address(read_ledger()[0], "")
    ''
    """
    if not repository or not entry.code_file:
        return ""
    file = f"src/fragile_learning/{entry.code_file}"
    if not entry.code_revision:
        return f"{repository}/blob/HEAD/{file}"
    return f"{repository}/blob/{entry.code_revision}/{file}#L{entry.code_line}"


def papers(entries: Iterable[LedgerEntry]) -> dict[str, str]:
    """Name each room of the ledger with the paper that it tests.

    Parameters
    ----------
    entries : iterable of LedgerEntry

    Returns
    -------
    dict of str to str
        Room to its name and the authors and year that most of its claims give as their source.

    Examples
    --------
    >>> from fragile_learning.claims import read_ledger
    >>> papers(read_ledger())["regression"]
    'Regression (Dohmatob, Feng, Kempe 2024)'
    """
    sources: dict[str, list[str]] = {}
    for entry in entries:
        found = _AUTHORS.match(entry.source)
        sources.setdefault(entry.room, []).extend([found[0]] if found else [])
    names: dict[str, str] = {}
    for room, authors in sources.items():
        title = room.replace("_", " ").capitalize()
        most = max(sorted(set(authors)), key=authors.count, default="")
        names[room] = f"{title} ({most})" if most else title
    return names


def scoreboard(
    entries: Iterable[LedgerEntry],
    stale: Mapping[str, tuple[str, ...]],
    *,
    confirmed: Mapping[str, Confirmation] | None = None,
    repository: str | None = None,
) -> HtmlTable:
    """Show the ledger as one table, with the controls that filter it.

    Parameters
    ----------
    entries : iterable of LedgerEntry
    stale : mapping of str to tuple of str
        For each id why its verdict no longer stands; see `claims.stale_reasons`.
    confirmed : mapping of str to Confirmation, optional
        Of the tables, by name; see `freshness.confirmations`. One of another table than the verdict
        rests on is not shown.
    repository : str, optional
        Address for links to the code. Default: that of the installed package.

    Returns
    -------
    HtmlTable
        Displays itself.

    Raises
    ------
    ValueError
        If `stale` lacks an id: whether a verdict stands must be known to be shown.

    Examples
    --------
    >>> from fragile_learning.claims import read_ledger
    >>> entry = read_ledger()[0]
    >>> str(scoreboard([entry], {entry.id: ()})).split()[:2]
    ['BNN-1', 'agrees']
    """
    chosen = list(entries)
    unknown = sorted({entry.id for entry in chosen} - set(stale))
    if unknown:
        raise ValueError(f"stale must say of each claim why it is stale, lacks {unknown}")
    address = repository_address() if repository is None else repository.rstrip("/")
    names = papers(chosen)
    rows = "".join(_row(entry, stale[entry.id], confirmed or {}, address) for entry in chosen)
    head = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in _COLUMNS)
    markup_text = (
        f'<div class="fl-scoreboard">{_filters(chosen, stale, names)}'
        f'<table role="table" aria-label="All claims"><thead role="rowgroup">'
        f'<tr role="row">{head}</tr></thead><tbody role="rowgroup">{rows}</tbody></table></div>'
    )
    lines = [
        f"{entry.id:8} {entry.outcome:13} {'stale  ' if stale[entry.id] else ''}{entry.statement}"
        for entry in chosen
    ]
    return HtmlTable(markup_text, "\n".join(lines))


def _tier(entry: LedgerEntry) -> str:
    """Return the least tier that can decide a claim."""
    return "full" if entry.quick_outcome is None else "quick"


def _select(name: str, label: str, options: Mapping[str, str]) -> str:
    choices = "".join(
        f'<option value="{html.escape(value)}">{html.escape(text)}</option>'
        for value, text in {"": "all", **options}.items()
    )
    return (
        f'<label for="fl-filter-{name}">{label}</label>'
        f'<select id="fl-filter-{name}" name="{name}">{choices}</select>'
    )


def _filters(
    entries: list[LedgerEntry], stale: Mapping[str, tuple[str, ...]], names: Mapping[str, str]
) -> str:
    """Return the controls; hidden until a script makes them work."""
    outcomes = [one for one in Outcome if any(entry.outcome == one for entry in entries)]
    ours = {"paper": "the paper", "book": "this book"}
    states = {"stands": "stands", "stale": "stale"} if any(stale.values()) else {"stands": "stands"}
    groups = [
        _select("paper", "Paper", names),
        _select("verdict", "Verdict", {str(one): f"{_SIGNS[one]} {one}" for one in outcomes}),
        _select("tier", "Decided by", {"quick": "the quick tier", "full": "the full tier alone"}),
        _select("from", "Stated by", ours),
        _select("state", "State", states),
        (
            '<label for="fl-filter-text">Search</label>'
            '<input id="fl-filter-text" name="text" type="search" autocomplete="off">'
        ),
    ]
    fields = "".join(f'<div class="fl-filter">{group}</div>' for group in groups)
    return (
        '<form class="fl-filters" role="search" aria-label="Filter the claims" hidden>'
        f'{fields}<div class="fl-filter"><button type="reset">Show all</button></div>'
        '<p class="fl-count" role="status" aria-live="polite"></p></form>'
    )


def _row(
    entry: LedgerEntry,
    reasons: tuple[str, ...],
    confirmed: Mapping[str, Confirmation],
    repository: str,
) -> str:
    origin = "book" if entry.source.lower().startswith(_OURS) else "paper"
    data = {
        "paper": entry.room,
        "verdict": str(entry.outcome),
        "tier": _tier(entry),
        "from": origin,
        "state": "stale" if reasons else "stands",
    }
    attributes = "".join(f' data-{key}="{html.escape(value)}"' for key, value in data.items())
    verdict = (
        f'<span class="fl-verdict"><span aria-hidden="true">{_SIGNS[entry.outcome]}</span> '
        f"{entry.outcome}</span>"
    )
    if reasons:
        verdict += ' <span class="fl-stale"><span aria-hidden="true">⚠</span> stale</span>'
    number = entry.measured or entry.summary
    cells = (
        f'<a href="#{entry.id}">{entry.id}</a>',
        verdict,
        (
            f'<div class="fl-statement">{markup(entry.statement)}</div>'
            f'<div class="fl-source">{markup(entry.source)}</div>'
            f"{_details(entry, reasons, confirmed, repository)}"
        ),
        markup(entry.reported) if entry.reported else '<span aria-label="none">–</span>',
        markup(number),
    )
    body = "".join(
        f'<{"th" if i == 0 else "td"} role="{"rowheader" if i == 0 else "cell"}"'
        f'{" scope=row" if i == 0 else ""} data-label="{name}">{cell}'
        f"</{'th' if i == 0 else 'td'}>"
        for i, (name, cell) in enumerate(zip(_COLUMNS, cells, strict=True))
    )
    return f'<tr role="row" id="{entry.id}"{attributes}>{body}</tr>'


def _details(
    entry: LedgerEntry,
    reasons: tuple[str, ...],
    confirmed: Mapping[str, Confirmation],
    repository: str,
) -> str:
    lines = [
        ("Stale because", "; ".join(html.escape(reason) for reason in reasons)),
        ("Numbers", markup(entry.summary) if entry.measured else ""),
        ("Measured", markup(entry.measure)),
        ("Margin", markup(entry.margin)),
        ("Why that margin", markup(entry.margin_reason)),
    ]
    if entry.quick_outcome is not None:
        lines.append(
            ("Quick tier", f"{entry.quick_outcome}: {markup(entry.quick_summary)}"),
        )
    commands = "".join(f"<code>{html.escape(command)}</code>" for command in entry.commands)
    lines.append(("Reproduce", f"{commands}<code>fragile-learning claims {entry.id}</code>"))
    of_these = {  # a confirmation of a newer table says nothing of the one that was judged
        name: one for name, one in confirmed.items() if one.table_sha256 == entry.tables.get(name)
    }
    lines += [
        ("Table", _table(name, entry.origins[name], of_these.get(name), repository))
        for name in entry.experiments
        if name in entry.origins
    ]
    address = code_address(entry, repository)
    if address:
        where = f"{entry.code_file}, line {entry.code_line}"
        if not entry.code_revision:
            where = entry.code_file
        lines.append(("Judged by", f'<a href="{html.escape(address)}">{html.escape(where)}</a>'))
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in lines if text)
    return f"<details><summary>Margin, tables, code</summary><dl>{listed}</dl></details>"


def _table(
    name: str, origin: Mapping[str, str], confirmed: Confirmation | None, repository: str
) -> str:
    """Say when, where and from which code a table was made."""
    commit, _, changes = origin["revision"].partition(" ")  # such as "with changes"
    short = html.escape(commit[:10]) or "not known"
    if repository and re.fullmatch("[0-9a-f]{40}", commit):
        short = f'<a href="{html.escape(repository)}/tree/{commit}">{short}</a>'
    short = f"{short} {html.escape(changes)}".rstrip()
    made = f"{html.escape(name)}: {origin['date'] or 'day not known'}, "
    made += f"{html.escape(origin['device'])}, revision {short}"
    if confirmed is not None:
        made += (
            f"; confirmed {confirmed.date} with the code of that day: {confirmed.n_points} of "
            f"{confirmed.of_points} points, largest relative difference "
            f"{confirmed.largest_relative_difference:.1e}"
        )
    return made
