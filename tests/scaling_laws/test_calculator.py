"""The calculator's reference for memorisers: the generation that doubles, and the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fragile_learning.scaling_laws.calculator import (
    EXAMPLE,
    MOST_GENERATIONS,
    doubling_generation,
    memory_answer,
)
from fragile_learning.scaling_laws.simulation import simulate_chain

SEED = 20_261_128


@pytest.mark.parametrize("beta", [1.2, 1.5, 2.0, 3.0])
def test_doubling_by_the_branching_process(beta):
    """The error is s^-c times the clean one, s the survival of a line of copies."""
    s, n = 1.0, 0
    while s ** -(1 - 1 / beta) <= 2:
        s, n = 1 - math.exp(-s), n + 1
    assert doubling_generation(beta, 1e8) == n


def test_doubling_in_a_simulated_chain():
    found = int(doubling_generation(2.0, 1000))
    errors = simulate_chain(2.0, [1000] * (found + 3), 4000, rng=SEED).error.mean(axis=0)
    doubled = np.flatnonzero(errors > 2 * errors[0])[0]
    assert abs(doubled - found) <= 1


def test_real_data_can_stop_it():
    assert doubling_generation(1.5, 1e6, 1.0) == math.inf
    assert doubling_generation(1.5, 1e6, 0.5) == math.inf
    assert doubling_generation(1.5, 1e6, 0.01) > doubling_generation(1.5, 1e6)
    assert doubling_generation(1.5, 1e6) < MOST_GENERATIONS
    assert doubling_generation(1.05, 1e6) == math.inf  # more than half is unknown already


def test_the_edges_of_an_answer():
    answer = memory_answer(**EXAMPLE)
    assert answer.recovery == pytest.approx(100 * answer.stop)
    real = memory_answer(**{**EXAMPLE, "real_fraction": 1.0, "n_generations": 0})
    assert real.mix_error == pytest.approx(real.clean_error, rel=1e-12)
    assert real.chain_error == pytest.approx(real.clean_error, rel=1e-12)
    assert real.effective_samples == EXAMPLE["n_samples"]
    none = memory_answer(**{**EXAMPLE, "real_fraction": 0.0})
    assert none.recovery == math.inf
    assert none.mix_error == pytest.approx(none.floor, rel=1e-9)
    late = memory_answer(**{**EXAMPLE, "real_fraction": 0.0, "n_samples": 1e9})
    assert late.mix_error == pytest.approx(late.floor, rel=1e-12)


def test_bad_input():
    for name, value in (
        ("tail_exponent", 1.0),
        ("rank", 0),
        ("real_fraction", 1.5),
        ("n_generations", -1),
        ("n_generator_samples", 0.0),
        ("n_samples", math.inf),
    ):
        with pytest.raises(ValueError, match=name):
            memory_answer(**{**EXAMPLE, name: value})
    with pytest.raises(ValueError, match="n_samples"):
        doubling_generation(1.5, 0.5)
