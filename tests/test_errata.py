"""Corrections as the rooms list them: two numbers with their labels, a dash, one table."""

from __future__ import annotations

import dataclasses

import pytest

from fragile_learning.errata import Erratum, errata_frame

WORDS = Erratum("E1", "Theorem 1", "$a$", "$b$")
NUMBERS = Erratum("E2", "Figure 3", "$1/d$", "$2/d$", "$d = 3$", lambda: (1 / 3, 2 / 3))
NAMED = dataclasses.replace(NUMBERS, id="E3", labels=("at $m = 1$", "at $m = 2$"))


def test_words_without_numbers_have_a_dash():
    assert WORDS.decides() == "–"


def test_numbers_stand_beside_their_setting_and_their_labels():
    assert NUMBERS.decides() == "$d = 3$: printed 0.3333, corrected 0.6667"
    assert NAMED.decides() == "$d = 3$: at $m = 1$ 0.3333, at $m = 2$ 0.6667"


def test_a_pole_is_written_as_one():
    pole = dataclasses.replace(NUMBERS, numbers=lambda: (float("inf"), -1e-7))
    assert pole.decides() == "$d = 3$: printed inf, corrected -1e-07"


def test_numbers_are_computed_when_asked_for_and_not_before():
    calls = []
    late = dataclasses.replace(NUMBERS, numbers=lambda: (calls.append(1), (1.0, 2.0))[1])
    assert calls == []
    late.decides()
    assert calls == [1]


@pytest.mark.parametrize("values", [(1.0,), (1.0, 2.0, 3.0)])
def test_there_are_two_numbers(values):
    with pytest.raises(ValueError, match="zip"):
        dataclasses.replace(NUMBERS, numbers=lambda: values).decides()


def test_an_erratum_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        WORDS.place = "elsewhere"


def test_the_table_has_a_row_for_each_in_their_order():
    table = errata_frame(one for one in (NAMED, WORDS, NUMBERS))
    assert list(table.columns) == ["id", "place", "printed", "corrected", "number"]
    assert list(table["id"]) == ["E3", "E1", "E2"]
    assert list(table.loc[1]) == ["E1", "Theorem 1", "$a$", "$b$", "–"]
    assert list(table["number"]) == [NAMED.decides(), "–", NUMBERS.decides()]


def test_a_table_without_corrections_has_its_columns():
    assert list(errata_frame([]).columns) == list(errata_frame([WORDS]).columns)
