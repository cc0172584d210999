"""What the book's calculator says of a memoriser: the reference of its numbers.

The page computes in the reader's browser, with its own implementation of the same sums; a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fragile_learning._validation import real_number, whole_number
from fragile_learning.scaling_laws import theory

__all__ = ["EXAMPLE", "MOST_GENERATIONS", "MemoryAnswer", "doubling_generation", "memory_answer"]

MOST_GENERATIONS = 1000
"""Length of the longest chain that `doubling_generation` looks at."""

EXAMPLE: Mapping[str, Any] = {
    "tail_exponent": 1.5,
    "n_samples": 100_000,
    "rank": 100,
    "real_fraction": 0.01,
    "n_generations": 10,
    "n_generator_samples": 2000,
}
"""Arguments of `memory_answer` with which the page begins, and to which the chapter links."""


class MemoryAnswer(NamedTuple):
    """Numbers of the calculator's panel on scaling laws; errors are probabilities.

    Attributes
    ----------
    clean_error : float
        With real samples only.
    mix_error : float
        With the tail of the synthetic samples cut.
    floor : float
        Mass of the tail.
    stop, recovery : float
        Samples between which the error of the mixture stays near the floor; ``recovery`` is
        ``inf`` without real data.
    effective_samples, chain_error : float
        Real samples that the student of a chain has in effect, and its error.
    doubling_generation : float
        See `doubling_generation`.

    Examples
    --------
    >>> answer = memory_answer(**EXAMPLE)
    >>> answer.clean_error < answer.mix_error, answer.stop < answer.recovery
    (True, True)
    """

    clean_error: float
    mix_error: float
    floor: float
    stop: float
    recovery: float
    effective_samples: float
    chain_error: float
    doubling_generation: float


def doubling_generation(
    tail_exponent: float, n_samples: float, real_fraction: float = 0.0
) -> float:
    r"""Give the first generation of samples of samples with twice the error of real data.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : float
        Of every generation, in [1, 1e100].
    real_fraction : float
        In [0, 1], of every generation but the first, which is real.

    Returns
    -------
    float
        Least ``n`` for which `theory.chain_error` of ``n + 1`` equal sizes exceeds twice
        `theory.hutter_error`. ``inf`` if there is none up to `MOST_GENERATIONS`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Nearly free of ``n_samples``: the error is :math:`s_0^{-c}` times the clean one.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> doubling_generation(1.5, 1e6)
    14.0
    """
    size = real_number("n_samples", n_samples, minimum=1.0, maximum=1e100)
    goal = 2.0 * float(theory.hutter_error(tail_exponent, size))

    def doubled(count: int) -> bool:
        error = theory.chain_error(tail_exponent, np.full(count + 1, size), real_fraction)
        return float(error) > goal

    if not doubled(MOST_GENERATIONS):
        return float("inf")
    low, high = 0, MOST_GENERATIONS  # longer chains forget more
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if doubled(middle) else (middle, high)
    return float(high)


def memory_answer(
    *,
    tail_exponent: float,
    rank: int,
    real_fraction: float,
    n_generations: int,
    n_generator_samples: float,
    n_samples: float,
) -> MemoryAnswer:
    r"""Answer for a memoriser of ``n_samples``.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    rank : int
        At which synthetic samples are cut, >= 1.
    real_fraction : float
        :math:`\pi` in [0, 1], of the mixture, and of every generation of the chain.
    n_generations : int
        Of the chain, >= 0; all but the last have
    n_generator_samples : float
        samples, in [1, 1e100], the first of them real ones.
    n_samples : float
        Of the student, in [1, 1e100].

    Returns
    -------
    MemoryAnswer

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> answer = memory_answer(
    ...     tail_exponent=1.5,
    ...     rank=100,
    ...     real_fraction=0.01,
    ...     n_generations=1,
    ...     n_generator_samples=1000,
    ...     n_samples=1e5,
    ... )
    >>> round(answer.floor, 6), round(answer.stop), round(answer.recovery)
    (0.076368, 1860, 186020)
    """
    count = whole_number("n_generations", n_generations, minimum=0)
    generator = real_number("n_generator_samples", n_generator_samples, minimum=1.0, maximum=1e100)
    samples = real_number("n_samples", n_samples, minimum=1.0, maximum=1e100)
    sizes = [generator] * count + [samples]
    start = float(theory.crossover_samples(tail_exponent, rank))
    end = float("inf")
    if real_fraction > 0.0:
        end = float(theory.plateau(tail_exponent, rank, real_fraction)[1])
    return MemoryAnswer(
        clean_error=float(theory.hutter_error(tail_exponent, samples)),
        mix_error=float(theory.mix_error(tail_exponent, samples, rank, real_fraction)),
        floor=float(theory.tail_mass(tail_exponent, rank)),
        stop=start,
        recovery=end,
        effective_samples=float(theory.chain_effective_samples(sizes, real_fraction)),
        chain_error=float(theory.chain_error(tail_exponent, sizes, real_fraction)),
        doubling_generation=doubling_generation(tail_exponent, generator, real_fraction),
    )
