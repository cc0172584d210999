"""Errors of a memoriser against direct summation, and chains against drawing every sample.

A sum over ranks has to stop somewhere, and what is beyond counts: for an exponent of 1.5 and a
million samples ten million ranks leave 2.6 % of the error, a hundred million 0.8 %.
"""

from __future__ import annotations

import numpy as np
from scipy.special import zeta

from _report import Line, best_time, main
from fragile_learning.scaling_laws.simulation import simulate_chain
from fragile_learning.scaling_laws.theory import hutter_error, mix_error

BETA = 1.5


def direct(beta: float, size: float, n_ranks: int) -> float:
    """Sum over the first ranks, a million at a time."""
    total = mass = 0.0
    for start in range(1, n_ranks + 1, 1_000_000):
        p = np.arange(start, min(start + 1_000_000, n_ranks + 1), dtype=float) ** -beta / zeta(beta)
        total += np.sum(p * (1.0 - p) ** size)
        mass += p.sum()
    return total / mass


def plain_chain(beta: float, sizes: list[int], rng: np.random.Generator) -> np.ndarray:
    """Items left in each generation, drawn one after the other."""
    items = [int(rank) for rank in rng.zipf(beta, sizes[0])]
    found = [len(set(items))]
    for size in sizes[1:]:
        items = [items[rng.integers(len(items))] for _ in range(size)]
        found.append(len(set(items)))
    return np.array(found)


def copied_chain(beta: float, sizes: list[int], rng: np.random.Generator) -> np.ndarray:
    """The same with an array operation for each generation."""
    items = rng.zipf(beta, sizes[0])
    found = [np.unique(items).size]
    for size in sizes[1:]:
        items = items[rng.integers(items.size, size=size)]
        found.append(np.unique(items).size)
    return np.array(found)


def lines() -> list[Line]:
    grid = np.geomspace(1.0, 1e15, 10_000)
    clean = best_time(lambda: hutter_error(BETA, grid))
    mixed = best_time(lambda: mix_error(BETA, grid, 100, 0.01))
    one = best_time(lambda: hutter_error(BETA, 1e6), 20)
    found = [
        Line("1e4 sizes up to 1e15, clean law", clean, "s", 0.1, at_most=True),
        Line("1e4 sizes up to 1e15, mixture", mixed, "s", 0.1, at_most=True),
        Line("one size of 1e6, alone", 1e6 * one, "us"),
    ]
    for ranks in (10**7, 10**8):
        plain = best_time(lambda n=ranks: direct(BETA, 1e6, n), 2)
        off = abs(direct(BETA, 1e6, ranks) / hutter_error(BETA, 1e6) - 1.0)
        label = f"{ranks:.0e} ranks one by one, T = 1e6"
        found += [
            Line(f"{label}: relative error", off, ""),
            Line(f"{label}: time / ours, of 1e4 sizes", plain / clean * grid.size, "x", 1000.0),
            Line(f"{label}: time / ours, alone", plain / one, "x", 1000.0 if off < 0.01 else None),
        ]
    for size in (2000, 100_000):
        chain = [size] * 21
        rng = np.random.default_rng(0)
        repeats = 20 if size == 2000 else 3
        fast = best_time(lambda c=chain, r=rng: simulate_chain(BETA, c, 20, rng=r), repeats) / 20
        slow = best_time(lambda c=chain, r=rng: plain_chain(BETA, c, r), 2)
        copied = best_time(lambda c=chain, r=rng: copied_chain(BETA, c, r), repeats)
        found += [
            Line(f"20 generations of {size:,}: ours, a chain", 1e3 * fast, "ms"),
            Line(f"20 generations of {size:,}: a loop over draws / ours", slow / fast, "x", 20.0),
            Line(f"20 generations of {size:,}: arrays of draws / ours", copied / fast, "x"),
        ]
    return found


if __name__ == "__main__":
    main("Scaling laws", lines)
