"""The scoreboard's table: every claim, what it rests on, and what is stale."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from fragile_learning.claims import Outcome, read_ledger, stale_reasons, write_ledger
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.freshness import Confirmation
from fragile_learning.scoreboard import code_address, papers, repository_address, scoreboard

REPOSITORY = "https://example.org/some/where"


class Rows(HTMLParser):
    """Rows of the table: attributes, text, links, and whether all tags are closed."""

    def __init__(self, markup):
        super().__init__()
        self.rows, self.open, self.links, self.texts, self.options = {}, [], {}, {}, []
        self.now = None
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag not in {"input"}:
            self.open.append(tag)
        if tag == "tr" and "id" in found:
            self.now = found["id"]
            assert self.now not in self.rows
            self.rows[self.now], self.links[self.now], self.texts[self.now] = found, [], ""
        if tag == "a" and self.now:
            self.links[self.now].append(found["href"])
        if tag == "option":
            self.options.append(found["value"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "tr":
            self.now = None

    def handle_data(self, data):
        if self.now:
            self.texts[self.now] += data + " "


@pytest.fixture(scope="module")
def ledger():
    return read_ledger()


def fresh(entries):
    return {entry.id: () for entry in entries}


def shown(entries, stale=None, **options):
    entries = list(entries)
    options = {"repository": REPOSITORY} | options
    return Rows(scoreboard(entries, fresh(entries) | (stale or {}), **options).markup)


def test_every_claim_has_a_row_with_its_words(ledger):
    found = shown(ledger)
    assert list(found.rows) == [entry.id for entry in ledger]
    assert found.open == []
    for entry in ledger:
        text = found.texts[entry.id]
        row = found.rows[entry.id]
        assert row["data-verdict"] == str(entry.outcome)
        assert row["data-paper"] == entry.room
        assert row["data-tier"] == ("full" if entry.quick_outcome is None else "quick")
        assert row["data-state"] == "stands"
        assert str(entry.outcome) in text  # a word, not a colour
        assert "stale" not in text
        for words in (entry.statement, entry.source, entry.summary, entry.margin_reason):
            plain = re.sub(r"\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)", r"\\(\1\\)", words)
            assert " ".join(plain.split()) in " ".join(text.split()).replace(" \\(", "\\(") or (
                squeezed(plain) in squeezed(text)
            )
        for name in entry.experiments:
            assert f"fragile-learning run {name} --tier full" in text


def squeezed(text):
    return "".join(text.split())


def test_the_numbers_stand_side_by_side(ledger):
    entry = dataclasses.replace(ledger[0], reported="0.5 < x", measured="0.62 ± 0.01 $x^2$")
    markup = scoreboard([entry], fresh([entry])).markup
    assert '<td role="cell" data-label="reported">0.5 &lt; x</td>' in markup
    assert 'data-label="measured here">0.62 ± 0.01 <span class="math' in markup
    assert "<dt>Numbers</dt>" in markup
    without = dataclasses.replace(entry, reported="", measured="")
    markup = scoreboard([without], fresh([entry])).markup
    assert '<span aria-label="none">–</span>' in markup
    assert "<dt>Numbers</dt>" not in markup  # the summary stands in the cell itself


def test_texts_are_escaped(ledger):
    evil = "<script>alert('x')</script>"
    entry = dataclasses.replace(
        ledger[0], statement=evil, source=evil, margin=evil, summary=evil, reported=evil
    )
    assert "<script" not in scoreboard([entry], {entry.id: (evil,)}).markup


def test_stale_claims_say_why_and_keep_their_verdicts(ledger):
    found = shown(ledger[:2], {ledger[0].id: ("regression/x: its code changed since then",)})
    assert found.rows[ledger[0].id]["data-state"] == "stale"
    assert "⚠ stale" in " ".join(found.texts[ledger[0].id].split())
    assert "its code changed since then" in found.texts[ledger[0].id]
    assert str(ledger[0].outcome) in found.texts[ledger[0].id]
    assert found.rows[ledger[1].id]["data-state"] == "stands"
    assert "stale" in found.options
    assert "stale" not in shown(ledger[:2]).options
    with pytest.raises(ValueError, match=rf"lacks \['{ledger[1].id}'\]"):
        scoreboard(ledger[:2], {ledger[0].id: ()})
    text = str(scoreboard(ledger[:1], {ledger[0].id: ("x",)}))
    assert text.split()[:3] == [ledger[0].id, str(ledger[0].outcome), "stale"]


def test_the_code_is_linked_at_its_exact_revision(ledger):
    entry = dataclasses.replace(
        ledger[0], code_file="room/claims.py", code_line=7, code_revision="a" * 40
    )
    address = f"{REPOSITORY}/blob/{'a' * 40}/src/fragile_learning/room/claims.py#L7"
    assert code_address(entry, REPOSITORY) == address
    assert address in shown([entry]).links[entry.id]
    unknown = dataclasses.replace(entry, code_revision="")
    assert code_address(unknown, REPOSITORY).endswith(
        "/blob/HEAD/src/fragile_learning/" + "room/claims.py"
    )
    assert code_address(dataclasses.replace(entry, code_file=""), REPOSITORY) == ""
    assert code_address(entry, "") == ""
    assert repository_address().startswith("https://")


def test_tables_say_when_where_and_from_which_code(ledger):
    entry = next(entry for entry in ledger if entry.origins)
    name = next(iter(entry.origins))
    origin = {"date": "2026-11-25", "device": "a <machine>", "revision": "b" * 40}
    entry = dataclasses.replace(entry, experiments=(name,), origins={name: origin})
    confirmed = Confirmation(
        name=name,
        table_sha256=entry.tables[name],
        code_hash="2" * 64,
        n_points=3,
        of_points=9,
        largest_relative_difference=2e-13,
        tolerance=1e-9,
        date="2026-11-26",
        device="none",
        source_revision="unknown",
    )
    found = shown([entry], confirmed={name: confirmed})
    text = " ".join(found.texts[entry.id].split())
    assert f"{name}: 2026-11-25, a <machine>, revision bbbbbbbbbb" in text
    assert "confirmed 2026-11-26 with the code of that day: 3 of 9 points" in text
    assert "largest relative difference 2.0e-13" in text
    assert f"{REPOSITORY}/tree/{'b' * 40}" in found.links[entry.id]
    newer = dataclasses.replace(confirmed, table_sha256="1" * 64)
    assert "confirmed" not in shown([entry], confirmed={name: newer}).texts[entry.id]
    unknown = dataclasses.replace(entry, origins={name: {"date": "", "device": "", "revision": ""}})
    assert "day not known" in shown([unknown]).texts[entry.id]
    assert "revision not known" in shown([unknown]).texts[entry.id]
    changed = dataclasses.replace(
        entry, origins={name: origin | {"revision": f"{'b' * 40} with changes"}}
    )
    found = shown([changed])
    text = " ".join(found.texts[entry.id].split())
    assert "revision bbbbbbbbbb with changes" in text
    assert f"{REPOSITORY}/tree/{'b' * 40}" in found.links[entry.id]


def test_the_filters_offer_what_there_is(ledger):
    options = shown(ledger).options
    assert set(papers(ledger)) < set(options)
    there = {str(entry.outcome) for entry in ledger}
    assert {option for option in options if option in set(map(str, Outcome))} == there


def test_papers_are_named_by_most_of_their_sources(ledger):
    named = papers(ledger)
    assert set(named) == {entry.room for entry in ledger}
    assert named["strong_collapse"].startswith("Strong collapse (Dohmatob, Feng, Subramonian")
    own = [dataclasses.replace(ledger[0], source="derived in this book")]
    assert papers(own) == {ledger[0].room: ledger[0].room.capitalize()}


def test_the_table_is_light(ledger):
    everything = {
        entry.id: ("regression/x: its code changed since 2026-11-25",) for entry in ledger
    }
    markup = scoreboard(ledger, everything, repository=REPOSITORY).markup
    assert len(markup.encode()) < 1_000_000


def test_a_changed_table_shows_as_stale_end_to_end(tmp_path, monkeypatch, ledger):
    """From a table that is changed on disk to the mark on the page."""
    from fragile_learning import claims, tables
    from fragile_learning.tables import archive_path, read_table, write_table

    name = "regression/sharp-constants"
    claim = next(one for one in all_claims() if one.experiments == (name,))
    experiments = all_experiments()
    frame, manifest = read_table(archive_path("full", name))
    for module in (claims, tables):
        monkeypatch.setattr(module, "archive_roots", lambda: iter([tmp_path]))
    path = tmp_path / "full" / f"{name}.csv"
    from fragile_learning.freshness import experiment_hash

    now = {"code_hash": experiment_hash(experiments[name]), "date": "2026-11-26", "traced": "run"}
    write_table(path, frame, dataclasses.replace(manifest, **now))
    write_ledger(tmp_path / "claims.json", claims.from_archive([claim]))

    def state():
        entries = read_ledger()
        found = stale_reasons(entries, [claim], experiments)
        board = Rows(scoreboard(entries, found, repository=REPOSITORY).markup)
        return board.rows[claim.id]["data-state"], found[claim.id]

    assert state() == ("stands", ())
    write_table(path, frame, dataclasses.replace(manifest, **now | {"code_hash": "1" * 64}))
    assert state() == ("stale", (f"{name}: its code changed since 2026-11-26",))
    changed = frame.copy()
    column = next(c for c in reversed(list(frame.columns)) if frame[c].dtype.kind == "f")
    changed.loc[0, column] += 1e-9
    assert isinstance(changed, pd.DataFrame)
    write_table(path, changed, dataclasses.replace(manifest, **now))
    assert state() == ("stale", (f"{name}: it is another table",))
    write_table(path, frame, dataclasses.replace(manifest, **now))
    assert state() == ("stands", ())
    other = dataclasses.replace(claim, judge=next(c for c in all_claims() if c != claim).judge)
    found = stale_reasons(read_ledger(), [other], experiments)
    assert found[claim.id] == ("the code that judges it changed",)
