"""Every correction that can be computed shows two different numbers, the right one on our side."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.errata import Erratum
from fragile_learning.regression.errata import ERRATA, errata_table

BY_ID = {one.id: one for one in ERRATA}

# by hand or by closed forms that share no code with the library
RIGHT = {
    "E1": 5 * 0.04 * 1.0,
    "E3": 20 / 4,
    "E5": 0.3,
    "E6": 2 * 0.3**2,
    "E7": 0.5,
    "E12": 2 / 3,
    "E13": 0.0,
    "E14": 1.0,
    "E15": 1.0,
    "E17": 1.0,
    "E18": -0.25,
}
PRINTED = {
    "E1": 1.0,
    "E3": 80.0,
    "E5": 0.15,
    "E6": 0.36,
    "E7": 1.0,
    "E12": 1.0,
    "E13": 1.0,
    "E14": 0.0,
    "E15": 1 / 9,
    "E17": -2.0,
}


def test_there_are_21_and_the_table_shows_all():
    assert [one.id for one in ERRATA] == [f"E{i}" for i in range(1, 22)]
    table = errata_table()
    assert list(table.columns) == ["id", "place", "printed", "corrected", "number"]
    assert len(table) == 21
    assert list(table.loc[table["number"] == "–", "id"]) == ["E2", "E11", "E20"]


@pytest.mark.parametrize("identity", [one.id for one in ERRATA if one.numbers])
def test_the_two_numbers_differ(identity):
    printed, corrected = BY_ID[identity].numbers()
    assert np.isfinite([printed, corrected]).all()
    assert abs(printed - corrected) > 0.1 * max(abs(printed), abs(corrected))


@pytest.mark.parametrize("identity", RIGHT)
def test_the_corrected_number(identity):
    assert BY_ID[identity].numbers()[1] == pytest.approx(RIGHT[identity], rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("identity", PRINTED)
def test_the_printed_number(identity):
    assert BY_ID[identity].numbers()[0] == pytest.approx(PRINTED[identity], rel=1e-3, abs=1e-12)


def test_surviving_fraction_by_the_q_pochhammer_product():
    product = 1.0
    for m in range(200):
        product *= 1 + 2.0**-m
    assert BY_ID["E8"].numbers()[1] == pytest.approx(1 / product, rel=1e-12)


def test_growing_budgets_sum_to_the_known_constant():
    # sum over m >= 2 of 1 / (m log^2 m) = 2.10974, by the Euler-Maclaurin formula from 1000 on
    cut = 1000
    m = np.arange(2.0, cut)
    head = float(np.sum(1 / (m * np.log(m) ** 2)))
    tail = 1 / np.log(cut) + 0.5 / (cut * np.log(cut) ** 2)
    assert BY_ID["E21"].numbers()[1] == pytest.approx(2 + head + tail, rel=1e-5)
    assert 2 + head + tail == pytest.approx(4.10974, abs=1e-4)


def test_words_without_numbers_have_a_dash():
    assert Erratum("E0", "somewhere", "a", "b").decides() == "–"
