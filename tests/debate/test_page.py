"""The page of the debate keeps its own rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fragile_learning.cli import all_claims

PAGE = Path(__file__).resolve().parents[2] / "book" / "synthesis" / "beyond.md"


def prose(text: str) -> str:
    """What a reader sees as text: no code, no keys of citations, no names of labels."""
    text = re.sub(r"```\{code-cell\}.*?```", "", text, flags=re.DOTALL)
    return re.sub(r"\{(?:cite|ref|eq|prf|glue|numref)[^`]*`[^`]*`", "", text)


def bare_words(text: str) -> list[str]:
    """Places where the word stands without the number of the meaning."""
    found = []
    for match in re.finditer(r"collaps\w*", text, flags=re.IGNORECASE):
        if not re.match(r" [1-8]( and [1-8])?\b", text[match.end() :]):
            found.append(text[max(0, match.start() - 30) : match.end() + 20])
    return found


@pytest.fixture(scope="module")
def page():
    if not PAGE.is_file():
        pytest.skip("the book is not here")
    return PAGE.read_text(encoding="utf-8")


def test_the_word_never_stands_alone(page):
    found = bare_words(prose(page))
    assert len(found) == 1, found  # where it is defined
    assert "definitions of *collapse* in the literature" in found[0]


def test_the_check_of_the_word_can_fail():
    assert bare_words("a collapse (3) and model collapse.") != []
    assert bare_words("collapse 3, and collapse 2 and 4.") == []
    assert bare_words(prose("{cite:t}`shumailov2024collapse` show")) == []


def test_every_claim_on_the_page_exists(page):
    known = {one.id for one in all_claims()}
    cited = set(re.findall(r"\b(?:REG|STR|TAL|VER|BNN|DST|DEB)-\d+\b", page))
    assert len(cited) > 15
    assert cited <= known


def test_eight_meanings_and_seven_questions(page):
    meanings = page.split("## Eight meanings")[1].split("## One unit")[0]
    assert re.findall(r"^\| (\d) \|", meanings, flags=re.MULTILINE) == list("12345678")
    questions = page.split("## Seven questions")[1].split("## Eight meanings")[0]
    rows = [line for line in questions.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 7
    assert all("{ref}`" in row for row in rows[2:])
