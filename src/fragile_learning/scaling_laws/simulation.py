r"""Exact sampling of memorisers on a power law with unbounded support.

The simulators draw counts of items, and know no formula for an error: of the law itself they use
the probabilities :math:`p_i = i^{-\beta}/\zeta(\beta)` and the mass beyond a rank. Items are
counted by multinomials where many draws fall on few ranks, and drawn by rejection where few draws
fall on many: both are exact, and no rank is cut off.

Ranks are floats. Those above :math:`2^{53}` are rounded to a relative 1e-16, so that two different
items there may be taken for one, with a probability below :math:`10^{-15}` for each pair. Those
above 1.8e308 are ``inf``: for an exponent of 1.01 that is one draw in 1200. Every ``inf`` counts as
an item of its own, of probability zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import zeta

from fragile_learning._validation import (
    as_generator,
    choice,
    real_number,
    whole_array,
    whole_number,
)
from fragile_learning.scaling_laws.arguments import tail_exponent_of

__all__ = [
    "Known",
    "sample_zipf",
    "simulate_bigram",
    "simulate_chain",
    "simulate_fresh_prompts",
    "simulate_memory",
    "simulate_mix",
    "simulate_unseen",
]

Array = NDArray[np.float64]
Random = np.random.Generator | np.random.SeedSequence | int

_BLOCK = 1 << 20  # ranks or draws held at a time
_WHOLE = float(1 << 53)  # whole numbers below have floats of their own
_MOST = 10**15  # samples: sums of counts stay exact in floats


class Known(NamedTuple):
    """What a model knows: its test error on the real law, and its number of items.

    Examples
    --------
    >>> known = Known(error=np.array([0.4, 0.2]), items=np.array([9.0, 31.0]))
    >>> round(float(known.error.mean()), 6), float(known.items.mean())
    (0.3, 20.0)
    """

    error: Array
    items: Array


def sample_zipf(tail_exponent: float, size: int, *, first_rank: int = 1, rng: Random) -> Array:
    r"""Draw ranks from a power law on all whole numbers, by rejection.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100]: rank ``i`` has probability proportional to :math:`i^{-\beta}`.
    size : int
        Number of draws, >= 0.
    first_rank : int
        Restricts the law to ranks from this one on.
    rng : Generator, SeedSequence or int
        Source of randomness; a seed gives the same draws each time.

    Returns
    -------
    ndarray of float, shape (size,)
        Whole numbers, not 64-bit integers: for an exponent of 1.05 one draw in nine exceeds those.
        Above :math:`2^{53}` they are rounded to the nearest float, above 1.8e308 to ``inf``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    The integer part of a continuous power law, accepted with the ratio of the two probabilities,
    which falls with the rank: exact. A share :math:`\zeta(\beta)(1 - 2^{1-\beta})`, more than 0.69,
    is accepted.

    References
    ----------
    Devroye, "Non-Uniform Random Variate Generation", Springer 1986, chapter X.6.

    Examples
    --------
    >>> ranks = sample_zipf(1.5, 5, rng=1)
    >>> bool(np.all(ranks == np.floor(ranks))), ranks.shape
    (True, (5,))
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    count = whole_number("size", size, minimum=0)
    start = whole_number("first_rank", first_rank)
    return _draws(beta, count, as_generator(rng), float(start), np.inf)


def simulate_unseen(
    tail_exponent: float,
    n_samples: int,
    n_replicates: int,
    *,
    rank: int | None = None,
    narrowed_exponent: float | None = None,
    rng: Random,
) -> Known:
    r"""Draw training samples; the probability that a test item is not among them.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100] of the real law, on which the model is tested.
    n_samples : int
        ``T >= 0``.
    n_replicates : int
        Independent data sets, >= 1.
    rank : int, optional
        The training data is restricted to the first ``rank`` items.
    narrowed_exponent : float, optional
        Exponent in (1, 100] of the training data, the real one by default.
    rng : Generator, SeedSequence or int

    Returns
    -------
    Known of ndarray, shape (n_replicates,)
        The error given the data set: unbiased, without the noise of a test set. The items are the
        different ones in the data set.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact. Memory for about a million items and draws (120 MB), whatever ``T``: ranks are worked
    through in blocks. ``T = 1e9`` takes under a second for exponents from 1.5 on; for smaller ones
    the time grows with the number of draws beyond the first million ranks, some 1e7 a second.

    Examples
    --------
    >>> known = simulate_unseen(2.0, 100, 400, rng=1)
    >>> bool(abs(known.error.mean() / 0.0688 - 1) < 0.03)
    True
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    size = whole_number("n_samples", n_samples, minimum=0, maximum=_MOST)
    count = whole_number("n_replicates", n_replicates)
    last = np.inf if rank is None else float(whole_number("rank", rank))
    trained = (
        beta
        if narrowed_exponent is None
        else tail_exponent_of("narrowed_exponent", narrowed_exponent)
    )
    generator = as_generator(rng)
    known = Known(np.ones(count), np.zeros(count))
    for replicate in range(count):
        for ranks, _ in _counts(trained, size, generator, 1.0, last):
            known.error[replicate] -= _mass(beta, ranks)
            known.items[replicate] += ranks.size
    return known


def simulate_chain(
    tail_exponent: float,
    sample_sizes: ArrayLike,
    n_replicates: int,
    *,
    real_fraction: float = 0.0,
    rng: Random,
) -> Known:
    r"""Draw generations of samples, each from the empirical law of the one before.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100] of the real law.
    sample_sizes : array_like of int, shape (n_generations + 1,)
        >= 1. The first generation is real.
    n_replicates : int
        Independent chains, >= 1.
    real_fraction : float
        Probability in [0, 1] that a sample of a later generation is real.
    rng : Generator, SeedSequence or int

    Returns
    -------
    Known of ndarray, shape (n_replicates, n_generations + 1)
        Error and items of a model trained on each generation.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact, by multinomials over the items that are left; memory for the different items of one
    generation.

    Examples
    --------
    >>> simulate_chain(1.5, [1000] * 4, 20, rng=1).error.shape
    (20, 4)
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    sizes = _sizes(sample_sizes)
    count = whole_number("n_replicates", n_replicates)
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=1.0)
    generator = as_generator(rng)
    known = Known(np.empty((count, len(sizes))), np.empty((count, len(sizes))))
    for replicate in range(count):
        for step, (ranks, _) in enumerate(_generations(beta, sizes, share, generator, np.inf)):
            known.error[replicate, step] = 1.0 - _mass(beta, ranks)
            known.items[replicate, step] = ranks.size
    return known


def simulate_fresh_prompts(
    tail_exponent: float,
    n_generator_samples: int,
    n_samples: int,
    n_generations: int,
    n_replicates: int,
    *,
    rng: Random,
) -> Known:
    r"""Ask new real questions in each generation, and let the last model answer them.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100] of the real law.
    n_generator_samples : int
        Questions, >= 1, that each of
    n_generations : int
        >= 0 generators is trained on; the first sees real answers.
    n_samples : int
        Questions, >= 1, that the student after them is trained on.
    n_replicates : int
        Independent chains, >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    Known of ndarray, shape (n_replicates,)
        Of the student. A wrong answer is passed on as a wrong answer.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact; memory for the different items of one generation.

    Examples
    --------
    >>> known = simulate_fresh_prompts(1.5, 100, 100, 3, 20, rng=1)
    >>> known.items.shape
    (20,)
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    size = whole_number("n_generator_samples", n_generator_samples, maximum=_MOST)
    last = whole_number("n_samples", n_samples, maximum=_MOST)
    generations = whole_number("n_generations", n_generations, minimum=0)
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    known = Known(np.empty(count), np.empty(count))
    for replicate in range(count):
        right: Array | None = None  # items that the last model answers rightly; None: all
        for asked in [size] * generations + [last]:
            ranks, _ = _gather(_counts(beta, asked, generator, 1.0, np.inf))
            right = ranks if right is None else np.intersect1d(right, ranks)
        assert right is not None  # noqa: S101  # the student is a generation
        known.error[replicate] = 1.0 - _mass(beta, right)
        known.items[replicate] = right.size
    return known


def simulate_mix(
    tail_exponent: float,
    n_samples: int,
    rank: int | None,
    real_fraction: float,
    n_replicates: int,
    *,
    n_tail_from: int = 1,
    narrowed_exponent: float | None = None,
    rng: Random,
) -> Known:
    r"""Draw a mixture of real samples and of synthetic ones with a cut or narrowed tail.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100] of the real law.
    n_samples : int
        >= 0, real and synthetic together.
    rank : int or None
        Synthetic samples are restricted to the first ``rank`` items; None: to no rank.
    real_fraction : float
        Probability in [0, 1] that a sample is real.
    n_replicates : int
        Independent data sets, >= 1.
    n_tail_from : int
        Real samples are restricted to ranks from this one on.
    narrowed_exponent : float, optional
        Exponent in (1, 100] of the synthetic samples, the real one by default.
    rng : Generator, SeedSequence or int

    Returns
    -------
    Known of ndarray, shape (n_replicates,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact; memory for the different items of a data set.

    Examples
    --------
    >>> simulate_mix(1.5, 10_000, 100, 0.01, 5, rng=1).error.shape
    (5,)
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    size = whole_number("n_samples", n_samples, minimum=0, maximum=_MOST)
    last = np.inf if rank is None else float(whole_number("rank", rank))
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=1.0)
    count = whole_number("n_replicates", n_replicates)
    first = float(whole_number("n_tail_from", n_tail_from))
    trained = (
        beta
        if narrowed_exponent is None
        else tail_exponent_of("narrowed_exponent", narrowed_exponent)
    )
    generator = as_generator(rng)
    known = Known(np.empty(count), np.empty(count))
    for replicate in range(count):
        real = int(generator.binomial(size, share))
        bought, _ = _gather(_counts(beta, real, generator, first, np.inf))
        written, _ = _gather(_counts(trained, size - real, generator, 1.0, last))
        ranks, _ = _merge(np.concatenate([bought, written]), None)
        known.error[replicate] = 1.0 - _mass(beta, ranks)
        known.items[replicate] = ranks.size
    return known


def simulate_bigram(
    tail_exponent: float,
    sample_sizes: ArrayLike,
    n_replicates: int,
    *,
    rank: int | None = None,
    rng: Random,
) -> Array:
    r"""Draw next tokens after one context; total variation between their law and the counts.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100] of the next-token law.
    sample_sizes : array_like of int, shape (n_generations + 1,)
        >= 1. Generation 0 is drawn from the law, each later one from the counts of the one before.
    n_replicates : int
        Independent chains, >= 1.
    rank : int, optional
        Generation 0 is restricted to the first ``rank`` tokens.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_generations + 1)
        Total variation to the full law.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact; memory for the different tokens of one generation.

    Examples
    --------
    >>> round(float(simulate_bigram(1.5, [1000], 200, rng=1).mean()), 2)
    0.14
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    sizes = _sizes(sample_sizes)
    count = whole_number("n_replicates", n_replicates)
    last = np.inf if rank is None else float(whole_number("rank", rank))
    generator = as_generator(rng)
    found = np.empty((count, len(sizes)))
    for replicate in range(count):
        generations = _generations(beta, sizes, 0.0, generator, last)
        for step, (ranks, counts) in enumerate(generations):
            excess = counts / sizes[step] - ranks**-beta / zeta(beta)
            found[replicate, step] = np.sum(excess, where=excess > 0.0)
    return found


def simulate_memory(
    tail_exponent: float,
    n_samples: int,
    dimension: int,
    n_outputs: int,
    n_items: int,
    n_replicates: int,
    *,
    weighting: str = "threshold",
    capacity: int | None = None,
    rank: int | None = None,
    rng: Random,
) -> Array:
    r"""Draw samples and embeddings, store them in one matrix, and ask it for every item.

    The memory is :math:`W = \sum_i w_i\,u_{y_i} e_i^\top` with random unit vectors; its answer to
    item ``i`` is the output ``y`` of the largest :math:`u_y^\top W e_i`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : int
        ``T >= 0``.
    dimension : int
        ``d >= 2``, of the embeddings.
    n_outputs : int
        ``m >= 1`` equally likely answers.
    n_items : int
        The law is restricted to so many items, >= 1.
    n_replicates : int
        Independent draws, >= 1, of samples, answers and embeddings.
    weighting : {"threshold", "count", "root"}
        Weight 1 for the ``capacity`` items seen most often, the share of the samples, or its root.
    capacity : int, optional
        >= 1, for ``"threshold"`` alone; a sixth of the dimension by default.
    rank : int, optional
        The training data is restricted to the first ``rank`` items.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates,)
        Test error on the real law.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact. Memory for ``n_items * dimension`` numbers.

    References
    ----------
    Cabannes, Dohmatob, Bietti, "Scaling Laws for Associative Memories", ICLR 2024,
    arXiv:2310.02984.

    Examples
    --------
    >>> error = simulate_memory(1.5, 1000, 64, 10, 500, 3, rng=1)
    >>> bool(np.all((0 < error) & (error < 1)))
    True
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    size = whole_number("n_samples", n_samples, minimum=0, maximum=_MOST)
    d = whole_number("dimension", dimension, minimum=2)
    m = whole_number("n_outputs", n_outputs)
    items = whole_number("n_items", n_items)
    count = whole_number("n_replicates", n_replicates)
    choice("weighting", weighting, ("threshold", "count", "root"))
    if capacity is not None and weighting != "threshold":
        raise ValueError(f"capacity must be None with weighting {weighting!r}, got {capacity!r}")
    room = max(d // 6, 1) if capacity is None else whole_number("capacity", capacity)
    cut = items if rank is None else whole_number("rank", rank, maximum=items)
    generator = as_generator(rng)
    p = np.arange(1.0, items + 1.0) ** -beta
    p /= p.sum()
    error = np.empty(count)
    for replicate in range(count):
        counts = generator.multinomial(size, p[:cut] / p[:cut].sum())
        if weighting == "threshold":
            weights = np.zeros(cut)
            top = np.argsort(-counts, kind="stable")[:room]
            weights[top] = counts[top] > 0
        else:
            weights = (counts / max(size, 1)) ** (1.0 if weighting == "count" else 0.5)
        answers = generator.integers(m, size=items)
        inputs = _unit(generator.standard_normal((items, d)))
        outputs = _unit(generator.standard_normal((m, d)))
        if weights.any():
            stored = np.zeros((m, d))
            np.add.at(stored, answers[:cut], weights[:, None] * inputs[:cut])
            given = np.argmax(inputs @ (outputs @ outputs.T @ stored).T, axis=1)
        else:
            given = generator.integers(m, size=items)
        error[replicate] = np.sum(p, where=given != answers)
    return error


def _sizes(value: ArrayLike) -> list[int]:
    sizes = whole_array("sample_sizes", value)
    if sizes.ndim != 1 or sizes.size == 0 or sizes.max() > _MOST:
        raise ValueError(
            f"sample_sizes must be a sequence of >= 1 whole numbers <= {_MOST}, "
            f"got shape {sizes.shape} and maximum {sizes.max(initial=0.0):g}"
        )
    return [int(size) for size in sizes]


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _mass(beta: float, ranks: Array) -> float:
    """Probability of some items under the real law."""
    return float(np.sum(ranks**-beta) / zeta(beta))


def _draws(beta: float, size: int, rng: np.random.Generator, first: float, stop: float) -> Array:
    """Ranks in ``[first, stop)``, by rejection from the integer part of a continuous power law."""
    a = beta - 1.0
    most = -np.expm1(-a * np.log(stop / first))  # mass of the continuous law below stop

    def step(ranks: Array) -> Array:
        """Probability of a rank under the proposal, over that under the target, but a constant."""
        ratio = np.full(ranks.shape, a)
        near = ranks < _WHOLE
        ratio[near] = ranks[near] * -np.expm1(-a * np.log1p(1.0 / ranks[near]))
        return ratio

    least = step(np.array([first]))[0]
    kept: list[Array] = []
    missing = size
    while missing > 0:
        tries = missing + missing // 4 + 8
        if stop == np.inf:
            log_rank = rng.standard_exponential(tries) / a
        else:
            log_rank = -np.log1p(-most * rng.random(tries)) / a
        with np.errstate(over="ignore"):
            ranks = np.floor(first * np.exp(log_rank))
        ranks = np.minimum(ranks, stop - 1.0) if stop < np.inf else ranks  # rounding at the end
        ranks = ranks[rng.random(tries) * step(ranks) < least][:missing]
        kept.append(ranks)
        missing -= ranks.size
    return np.concatenate(kept) if kept else np.empty(0)


def _merge(ranks: Array, counts: Array | None) -> tuple[Array, Array]:
    """Different ranks in order, with the sums of their counts; each infinite rank on its own."""
    amounts = np.ones(ranks.size) if counts is None else counts
    finite = np.isfinite(ranks)
    different, where = np.unique(ranks[finite], return_inverse=True)
    sums = np.bincount(where, weights=amounts[finite], minlength=different.size)
    beyond = ~finite
    return (
        np.concatenate([different, ranks[beyond]]),
        np.concatenate([sums, amounts[beyond]]),
    )


def _counts(
    beta: float, size: int, rng: np.random.Generator, first: float, last: float
) -> Iterator[tuple[Array, Array]]:
    """Items in ``[first, last]`` among the draws, and how often each: blocks of ascending ranks."""
    left, stop = size, last + 1.0
    while left > 0 and first < stop:
        # ranks that are drawn more than once in a while: they are counted at once
        busy = float(min(int(4.0 * left ** (1.0 / beta)) + 16, _BLOCK))
        beyond = float(zeta(beta, stop)) if stop < np.inf else 0.0
        whole = float(zeta(beta, first)) - beyond
        if first < busy or stop - first <= min(left, _BLOCK):
            end = min(first + busy, stop)
            ranks = np.arange(first, end)
            weights = ranks**-beta / whole
            if end < stop:
                weights = np.append(weights, (float(zeta(beta, end)) - beyond) / whole)
            amounts = rng.multinomial(left, weights / weights.sum())[: ranks.size].astype(float)
        else:
            end = stop
            if left > _BLOCK:  # as many ranks as about that number of draws falls on
                log_end = np.log(first) - np.log1p(-_BLOCK / left) / (beta - 1.0)
                end = min(np.ceil(np.exp(log_end)) + 1.0, stop) if log_end < 700.0 else stop
            here = left
            if end < stop:
                inside = float(zeta(beta, first) - zeta(beta, end)) / whole
                here = int(rng.binomial(left, min(inside, 1.0)))
            ranks, amounts = _merge(_draws(beta, here, rng, first, end), None)
        left -= int(amounts.sum())
        seen = amounts > 0.0
        yield ranks[seen], amounts[seen]
        first = end


def _gather(blocks: Iterator[tuple[Array, Array]]) -> tuple[Array, Array]:
    found = list(blocks)
    if not found:
        return np.empty(0), np.empty(0)
    ranks, counts = zip(*found, strict=True)
    return np.concatenate(ranks), np.concatenate(counts)


def _generations(
    beta: float, sizes: list[int], share: float, rng: np.random.Generator, last: float
) -> Iterator[tuple[Array, Array]]:
    """Items and counts of each generation of one chain."""
    ranks, counts = _gather(_counts(beta, sizes[0], rng, 1.0, last))
    yield ranks, counts
    for size in sizes[1:]:
        real = int(rng.binomial(size, share)) if share > 0.0 else 0
        drawn = rng.multinomial(size - real, counts / counts.sum()).astype(float)
        seen = drawn > 0.0
        ranks, counts = ranks[seen], drawn[seen]
        if real > 0:
            fresh, amounts = _gather(_counts(beta, real, rng, 1.0, last))
            ranks, counts = _merge(
                np.concatenate([ranks, fresh]), np.concatenate([counts, amounts])
            )
        yield ranks, counts
