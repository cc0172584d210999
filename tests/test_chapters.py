"""All chapters have one form, and every word of the glossary is used in one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
PARTS = {"Collapse", "Robustness", "Distillation"}

# What a chapter holds, in this order. The optional ones have to stand here if they are there.
FORM = [
    ("a label", r"^\(ch-[\w-]+\)=$", True),
    ("a title", r"^# \S", True),
    ("what you will be able to do", r"^:::\{admonition\} What you will be able to do$", True),
    ("its cost in time", r"^Time: \d+ minutes\. Compute: ", True),
    ("what it needs", r"^You need: ", True),
    ("its paper", r"^The paper is \{cite:t\}`\w+`", True),
    ("a short answer", r"^:::\{admonition\} The short answer$", True),
    ("a section", r"^## (?!What|Cautions|Exercises|Where)", True),
    ("what stands in", r"^## What the paper shows, and what stands in for it here$", False),
    ("corrections", r"^## (?:What we had to correct|Cautions)$", True),
    ("the table of corrections", r"^    errata_table\(\),$", True),
    ("verdicts", r"^## What the paper found, what we measured$", True),
    ("the table of claims", r"^table\(verdicts, ", True),
    ("a check cell", r"^# Check cell: ", True),
    ("exercises", r"^## Exercises$", True),
    ("a summary", r"^## What to take home$", True),
    ("what comes next", r"^## Where next$", True),
    ("a command", r"`fragile-learning run \w+ --tier quick`", True),
]
FENCE = re.compile(r"^```\{code-cell\}.*?^```\s*$", re.DOTALL | re.MULTILINE)
TERM = re.compile(r"\{term\}`([^`]+)`")


def chapters() -> list[Path]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [part for part in toc["parts"] if part["caption"] in PARTS]
    assert {part["caption"] for part in parts} == PARTS
    return [ROOT / f"{page['file']}.md" for part in parts for page in part["chapters"]]


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def deviations(text: str) -> list[str]:
    """What a chapter lacks, or has in another place than the others."""
    found, end = [], 0
    for name, pattern, needed in FORM:
        places = [match.start() for match in re.finditer(pattern, text, re.MULTILINE)]
        if not places:
            if needed:
                found.append(f"missing: {name}")
        elif places[0] < end:
            found.append(f"{name} comes too early")
        else:
            end = places[0]
    labels = re.findall(r"^```\{exercise-start\}\n:label: ([\w-]+)$", text, re.MULTILINE)
    solved = re.findall(r"^```\{solution-start\} ([\w-]+)\n:class: dropdown$", text, re.MULTILINE)
    if len(labels) < 4:
        found.append(f"{len(labels)} exercises")
    if labels != solved:
        found.append("exercises and solutions that do not match")
    shown = text.count("style.show(")
    alts = len(re.findall(r'^ +alt="[^"]', text, re.MULTILINE))
    if shown == 0 or alts != shown:
        found.append(f"{shown} figures, {alts} alt texts")
    if "{ref}`ch-" not in text and not re.search(r"\{ref\}`[^`]*<(?:ch-|scoreboard)", text):
        found.append("no link to another chapter")
    return found


def test_there_are_six_chapters():
    assert len(chapters()) == 6


@pytest.mark.parametrize("page", chapters(), ids=lambda page: page.stem)
def test_a_chapter_has_the_form_of_the_others(page):
    assert deviations(read(page)) == []


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"^:::\{admonition\} The short answer$", ":::{note}", "missing: a short answer"),
        (r"^## Exercises$", "## Problems", "missing: exercises"),
        (r"^table\(verdicts, ", "table(other, ", "missing: the table of claims"),
        (r"^    alt=", "    title=", "figures"),
        (r"^```\{solution-start\} reg-ex-red$", "```{note}", "do not match"),
    ],
)
def test_the_check_of_the_form_sees_what_is_missing(pattern, replacement, message):
    text = read(BOOK / "collapse" / "iterated_regression.md")
    changed, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    assert count > 0
    assert any(message in fault for fault in deviations(changed))


def test_the_check_of_the_form_sees_another_order():
    text = read(BOOK / "collapse" / "iterated_regression.md")
    swapped = text.replace("## Exercises", "## X").replace("## What to take home", "## Exercises")
    swapped = swapped.replace("## X", "## What to take home")
    assert "a summary comes too early" in deviations(swapped)


@pytest.mark.parametrize("page", chapters(), ids=lambda page: page.stem)
def test_a_chapter_ends_with_a_way_to_the_next(page):
    order = chapters()
    position = order.index(page)
    label = (
        re.search(r"^\((ch-[\w-]+)\)=$", read(order[position + 1]), re.MULTILINE)[1]
        if position + 1 < len(order)
        else "scoreboard"
    )
    ending = read(page).split("## Where next")[1]
    assert f"<{label}>`" in ending


def glossary() -> str:
    page = read(BOOK / "reference" / "glossary.md")
    return page.split(":::{glossary}")[1].split("\n:::")[0] + "\n"


def glossary_terms() -> set[str]:
    return {line for line in glossary().splitlines() if line and not line.startswith((" ", ":"))}


def linked_terms(text: str) -> list[str]:
    """Entries that a page links, in order."""
    targets = [match[1] for match in TERM.finditer(text)]
    return [re.sub(r"^.*<(.*)>$", r"\1", target, flags=re.DOTALL) for target in targets]


def test_every_word_of_the_glossary_is_used_in_a_chapter():
    used = {term for page in chapters() for term in linked_terms(read(page))}
    assert len(used) > 50
    assert glossary_terms() == used


@pytest.mark.parametrize("page", chapters(), ids=lambda page: page.stem)
def test_a_term_is_linked_once_and_in_prose(page):
    text = read(page)
    terms = linked_terms(text)
    assert len(terms) == len(set(terms)), sorted(t for t in terms if terms.count(t) > 1)
    assert not any(TERM.search(line) for line in text.splitlines() if line.startswith("#"))
    assert not any(TERM.search(cell) for cell in FENCE.findall(text))
    assert not TERM.search("".join(re.findall(r"\$\$.*?\$\$", text, re.DOTALL)))


def test_every_entry_says_where_its_word_is_defined():
    entries = re.findall(r"^(\S[^\n]*)\n((?:  [^\n]+\n)+)", glossary(), re.MULTILINE)
    assert {name for name, _ in entries} == glossary_terms()
    unlinked = [
        name for name, text in entries if not re.search(r"\{(?:ref|eq|prf:ref|term)\}`", text)
    ]
    assert unlinked == []
