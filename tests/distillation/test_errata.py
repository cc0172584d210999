"""Both numbers of every caution, found again by hand or by running it."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.distillation import simulation
from fragile_learning.distillation.errata import ERRATA, errata_table

BY_ID = {one.id: one for one in ERRATA}
NUMBERS = {one.id: one.numbers() for one in ERRATA if one.numbers is not None}
PROBLEM = {
    "hessian": np.diag([1.0, 0.2]),
    "outer_hessian": np.diag([1.0, 3.0]),
    "target": [1.0, 2.0],
    "start": [0.0, 1.0],
    "learning_rate": 0.4,
}


def test_there_are_7_and_the_table_shows_all():
    assert list(BY_ID) == [f"E{i}" for i in range(1, 8)]
    assert list(NUMBERS) == ["E1", "E2", "E3", "E4", "E5"]
    table = errata_table()
    assert list(table.columns) == ["id", "place", "printed", "corrected", "number"]
    assert list(table["id"]) == list(BY_ID)
    shown = table.set_index("id")["number"]
    assert "mean size 0.01596, root mean square 103.1" in shown["E1"]
    assert "free data 0, one image -0.2384" in shown["E3"]
    assert shown["E6"] == shown["E7"] == "–"


def test_nothing_is_given_as_the_papers_own_words():
    assert all(one.printed.startswith(("as reported", "easily read: ")) for one in ERRATA)


def test_one_step_carries_the_variance():
    mean, size = NUMBERS["E1"]
    first, second = simulation.adam_quadrature(learning_rate=0.02, eps=1e-8)
    assert (mean, size) == pytest.approx((first, np.sqrt(second)), rel=1e-5)
    assert size / mean > 1000


def test_signal_and_noise():
    for number, rule in zip(NUMBERS["E2"], ("full", "random-truncated"), strict=True):
        found = simulation.simulate_meta_gradients(
            **PROBLEM,
            data=[0.5, -0.5],
            start_std=[1.0, 1.0],
            rule=rule,
            n_steps=10,
            window=4,
            n_replicates=100_000,
            rng=20_231_112,
        )[:, 1]
        assert number == pytest.approx(found.mean() ** 2 / found.var(), rel=0.03)
    assert NUMBERS["E2"][0] > 2 * NUMBERS["E2"][1]


def test_shift_of_the_solution():
    shifts = []
    for basis in (np.eye(2), np.ones((2, 1))):
        full, less = (
            simulation.search_solution(**PROBLEM, basis=basis, windows=[(10, m)])[0]
            for m in (10, 4)
        )
        shifts.append(less - full)
    assert NUMBERS["E3"] == pytest.approx(shifts, abs=1e-9)


def test_coverage_of_the_ends():
    drawn = simulation.draw_windows("random-truncated", 200, 60, n_draws=200_000, rng=1)
    middle, first = NUMBERS["E4"]
    assert first == pytest.approx(1 / 141)
    assert (middle, first) == pytest.approx((drawn[100], drawn[0]), abs=0.006)


def test_a_spike_passes_by_a_fifth():
    average = 0.9 * 1.0 + 0.1 * 100.0
    assert NUMBERS["E5"] == pytest.approx((2.0, 2.0 * average))
    assert NUMBERS["E5"][1] / 100.0 == pytest.approx(0.2, abs=0.02)


def test_the_setting_in_words_is_the_one_computed():
    said = {
        "E1": [r"\alpha = 0.02", r"\epsilon = 10^{-8}", "standard normal"],
        "E2": ["h = 0.2", r"\alpha = 0.4", "T = 10", "M = 4", "standard deviation 1"],
        "E3": ["h = (1, 0.2)", r"\alpha = 0.4", "T = 10", "M = 4"],
        "E4": ["T = 200", "M = 60"],
        "E5": ["norms of 1", "norm of 100"],
    }
    assert set(said) == set(NUMBERS)
    for identity, parts in said.items():
        text = BY_ID[identity].setting.replace("in $T = 10$ steps", "T = 10")
        assert all(part in text for part in parts), identity
