"""Experiments on bigram models and on memories of limited capacity, in both tiers.

A point function takes keyword arguments, draws from its own stream and returns rows of numbers.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import zeta

from fragile_learning.scaling_laws import theory
from fragile_learning.scaling_laws.bigrams import bigram_constants
from fragile_learning.scaling_laws.simulation import (
    sample_zipf,
    simulate_bigram,
    simulate_memory,
)
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import Experiment, grid

__all__ = ["MEMORY_EXPERIMENTS"]

Array = NDArray[np.float64]
Row = dict[str, Any]

SEED = 20_240_720


def bigram_point(
    *, tail_exponent: float, n_scan: int, n_replicates: int, rng: np.random.Generator
) -> list[Row]:
    """Total variation of one row of a bigram model: exact, in two terms, and drawn.

    Eight ranges of samples between 1e3 and 1e5; the two terms are held against the exact value at
    ``n_scan`` sizes in each.
    """
    edges = np.geomspace(1e3, 1e5, 9)
    leading = bigram_constants(tail_exponent)[0 if tail_exponent < 2.0 else 1]
    exponent = min(1.0 - 1.0 / tail_exponent, 0.5)
    rows = []
    for low, high in itertools.pairwise(edges):
        sizes = np.unique(np.round(np.geomspace(low, high, n_scan)))
        exact = np.asarray(theory.exact_bigram_error(tail_exponent, sizes))
        law = np.asarray(theory.bigram_error(tail_exponent, sizes))
        off = np.abs(law / exact - 1.0)
        first = int(sizes[0])
        mean, error = mean_and_standard_error(
            simulate_bigram(tail_exponent, [first], n_replicates, rng=rng)[:, 0]
        )
        rows.append(
            {
                "n_samples": first,
                "exact": float(exact[0]),
                "two_terms": float(law[0]),
                "leading_term": float(leading * first**-exponent),
                "mean": float(mean),
                "se": float(error),
                "n_sizes": int(sizes.size),
                "largest_error": float(off.max()),
                "largest_error_at": int(sizes[np.argmax(off)]),
            }
        )
    return rows


def cut_bigram_point(
    *,
    tail_exponent: float,
    rank: int,
    n_samples: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Total variation to the full law of a row whose tokens come from the first ranks alone."""
    drawn = simulate_bigram(tail_exponent, [n_samples], n_replicates, rank=rank, rng=rng)[:, 0]
    mean, error = mean_and_standard_error(drawn)
    return {
        "exact": float(theory.bigram_error(tail_exponent, n_samples, rank=rank)),
        "tail_mass": float(theory.tail_mass(tail_exponent, rank)),
        "mean": float(mean),
        "se": float(error),
    }


def _between_whole_sizes(tail_exponent: float, size: float) -> float:
    """Exact total variation at a size that need not be whole."""
    low, high = float(np.floor(size)), float(np.ceil(size))
    ends = np.asarray(theory.exact_bigram_error(tail_exponent, [low, high]))
    return float(ends[0] + (size - low) * (ends[1] - ends[0]))


def generation_point(
    *,
    tail_exponent: float,
    n_samples: int,
    n_datasets: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Total variation along a chain of data sets, each drawn from the counts of the one before."""
    drawn = simulate_bigram(tail_exponent, [n_samples] * n_datasets, n_replicates, rng=rng)
    means, errors = mean_and_standard_error(drawn)
    first = float(theory.exact_bigram_error(tail_exponent, n_samples))
    shown = 2 ** np.arange(int(np.log2(n_datasets)) + 1)
    return [
        {
            "dataset": int(count),
            "mean": float(means[count - 1]),
            "se": float(errors[count - 1]),
            "law": _between_whole_sizes(tail_exponent, n_samples / count),
            "linear_bound": float(count * first),
        }
        for count in shown
    ]


def _draw_contexts(
    tail_exponent: float, context_exponent: float, n_samples: int, rng: np.random.Generator
) -> float:
    """Error of one bigram model: contexts drawn, then the tokens after each."""
    ranks, counts = np.unique(sample_zipf(context_exponent, n_samples, rng=rng), return_counts=True)
    share = ranks**-context_exponent / zeta(context_exponent)
    off = [simulate_bigram(tail_exponent, [int(n)], 1, rng=rng)[0, 0] for n in counts]
    return float(1.0 - share.sum() + share @ np.array(off))


def context_point(
    *,
    tail_exponent: float,
    context_exponent: float,
    n_decades: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Error of a whole bigram model from a thousand samples on; drawn at a thousand."""
    sizes = 10 ** np.arange(3, 3 + n_decades + 1)
    errors = np.asarray(theory.context_bigram_error(tail_exponent, context_exponent, sizes))
    drawn = [
        _draw_contexts(tail_exponent, context_exponent, int(sizes[0]), rng)
        for _ in range(n_replicates)
    ]
    mean, error = mean_and_standard_error(drawn)
    exponent = min(1.0 - 1.0 / tail_exponent, 0.5)
    constant = bigram_constants(tail_exponent)[0 if tail_exponent < 2.0 else 1]
    return [
        {
            "n_samples": int(size),
            "error": float(value),
            "scaled_error": float(value * size**exponent),
            "row_exponent": exponent,
            "row_constant": constant,
            "mean": float(mean) if size == sizes[0] else np.nan,
            "se": float(error) if size == sizes[0] else np.nan,
        }
        for size, value in zip(sizes, errors, strict=True)
    ]


def exponent_point(
    *,
    weighting: str,
    tail_exponent: float,
    dimension: int,
    n_items: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error of a memory with samples enough, as its dimension grows.

    The law of items is cut for the simulation; what lies beyond the cut is guessed.
    """
    outputs = 20
    drawn = simulate_memory(
        tail_exponent,
        10**9,
        dimension,
        outputs,
        n_items,
        n_replicates,
        weighting=weighting,
        rng=rng,
    )
    beyond = float(theory.tail_mass(tail_exponent, n_items))
    mean, error = mean_and_standard_error(drawn)
    power = {"threshold": tail_exponent, "root": 1.0, "count": 2.0}[weighting]
    exponent = tail_exponent - 1.0
    if weighting != "threshold":
        exponent /= power * tail_exponent
    return {
        "mean_items": float(mean),
        "mean": float((1.0 - beyond) * mean + (1.0 - 1.0 / outputs) * beyond),
        "se": float((1.0 - beyond) * error),
        "exponent": exponent,
    }


def memory_point(
    *,
    n_samples: int,
    capacity: int,
    dimension: int,
    rank: int,
    n_items: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error of a memory by samples, capacity and cut of the tail, beside the explicit formula."""
    beta, outputs = 1.5, 20
    drawn = simulate_memory(
        beta,
        n_samples,
        dimension,
        outputs,
        n_items,
        n_replicates,
        capacity=capacity,
        rank=rank,
        rng=rng,
    )
    mean, error = mean_and_standard_error(drawn)

    def law(samples: float) -> float:
        found = theory.memory_error(beta, samples, capacity, outputs, rank=rank, n_items=n_items)
        return float(found)

    return {
        "theory": law(n_samples),
        "floor": law(1e100),  # of capacity and cut, with samples without end
        "mean": float(mean),
        "se": float(error),
    }


# --- grids ------------------------------------------------------------------------------------

# flat laws vary little from draw to draw, steep ones much, and cost little
_REPLICATES = {1.2: 30, 1.5: 40, 1.8: 60, 2.5: 300, 3.0: 800, 4.0: 1600}


def _rows(n_scan: int, times: int) -> list[Row]:
    return [
        {"tail_exponent": beta, "n_scan": n_scan, "n_replicates": times * count}
        for beta, count in _REPLICATES.items()
    ]


def _cuts(times: int) -> list[Row]:
    levels = [
        {
            "tail_exponent": beta,
            "rank": rank,
            "n_samples": size,
            "n_replicates": times * (200 if beta < 2.0 else 1000),
        }
        for beta, rank in ((1.5, 20), (3.0, 5))
        for size in (10**2, 10**3, 10**4, 10**5)
    ]
    deep = grid(
        tail_exponent=[1.5, 3.0],
        rank=[50, 100, 200, 400, 800],
        n_samples=[10**15],
        n_replicates=[30],
    )
    return levels + deep


def _memories(n_items: int, ample: int, n_replicates: int) -> list[Row]:
    return [
        {
            "n_samples": size,
            "capacity": capacity,
            "dimension": dimension,
            "rank": rank,
            "n_items": n_items,
            "n_replicates": n_replicates,
        }
        for size in (60, 20_000)
        for capacity, dimension in ((20, 256), (80, 512))
        for rank in (15, ample)
    ]


def _exponents(settings: dict[str, tuple[int, int]], exponents: list[float]) -> list[Row]:
    return [
        point
        for weighting, (n_items, count) in settings.items()
        for point in grid(
            weighting=[weighting],
            tail_exponent=exponents,
            dimension=[32, 64, 128, 256, 512],
            n_items=[n_items],
            n_replicates=[count],
        )
    ]


MEMORY_EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "scaling_laws/bigram",
        "Total variation of one row of a bigram model: exact, in two terms, and drawn.",
        bigram_point,
        {"quick": _rows(60, 1), "full": _rows(1500, 10)},
        seed=SEED,
        columns=(
            "n_samples",
            "exact",
            "two_terms",
            "leading_term",
            "mean",
            "se",
            "n_sizes",
            "largest_error",
            "largest_error_at",
        ),
    ),
    Experiment(
        "scaling_laws/bigram-cut",
        "Total variation of a row of a bigram model whose tail is cut.",
        cut_bigram_point,
        {"quick": _cuts(1), "full": _cuts(20)},
        seed=SEED + 1,
        columns=("exact", "tail_mass", "mean", "se"),
    ),
    Experiment(
        "scaling_laws/bigram-generations",
        "Total variation of a row of a bigram model along a chain of data sets.",
        generation_point,
        {
            "quick": grid(
                tail_exponent=[1.5], n_samples=[2000], n_datasets=[64], n_replicates=[1000]
            ),
            "full": grid(
                tail_exponent=[1.2, 1.5, 3.0],
                n_samples=[2000],
                n_datasets=[128],
                n_replicates=[4000],
            ),
        },
        seed=SEED + 2,
        columns=("dataset", "mean", "se", "law", "linear_bound"),
    ),
    Experiment(
        "scaling_laws/contexts",
        "Error of a bigram model over contexts that follow a power law of their own.",
        context_point,
        {
            tier: [
                {
                    "tail_exponent": beta,
                    "context_exponent": rho,
                    "n_decades": decades,
                    "n_replicates": count * (1 if rho < 2.0 else 3),
                }
                for beta, rho in ((1.5, 3.0), (1.5, 2.0), (1.5, 1.5), (1.5, 1.2), (3.0, 3.0))
            ]
            for tier, decades, count in (("quick", 5, 40), ("full", 9, 400))
        },
        seed=SEED + 3,
        columns=(
            "n_samples",
            "error",
            "scaled_error",
            "row_exponent",
            "row_constant",
            "mean",
            "se",
        ),
        nullable=("mean", "se"),
    ),
    Experiment(
        "scaling_laws/memory-exponents",
        "Error of associative memories as their dimension grows, by the weights of the items.",
        exponent_point,
        {
            "quick": _exponents(
                {"threshold": (1000, 10), "root": (1000, 40), "count": (1000, 40)}, [1.5]
            ),
            "full": _exponents(  # rare items add to the noise of roots
                {"threshold": (5000, 40), "root": (10_000, 160), "count": (5000, 240)}, [1.5, 2.0]
            ),
        },
        seed=SEED + 4,
        columns=("mean_items", "mean", "se", "exponent"),
    ),
    Experiment(
        "scaling_laws/memory",
        "Error of an associative memory when samples, capacity or tail are scarce.",
        memory_point,
        {"quick": _memories(600, 300, 100), "full": _memories(5000, 1000, 200)},
        seed=SEED + 5,
        columns=("theory", "floor", "mean", "se"),
    ),
)
