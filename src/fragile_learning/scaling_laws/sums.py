r"""Sums over the ranks of a power law, to machine precision and without a largest rank.

Every error of this room is a combination of

.. math:: S = \sum_{i=l}^{h} i^{-\beta}\,(1 - r\,i^{-s})^{T}, \qquad h \le \infty .

The first ranks are added one by one; from rank ``10 s + 16`` on the sum is its integral, which is
an incomplete beta function, plus end corrections (Euler and Maclaurin), whose derivatives are taken
by central differences. Nothing is cut off, and the cost does not depend on ``T``, ``r``, ``l`` or
``h``. `fragile_learning.scaling_laws.theory` checks the arguments; these functions do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bernoulli, betainc, betaincc, gammaln, xlog1py

__all__ = ["hurwitz", "log_sum", "power_sum", "seen_sum"]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

_REACH = 6  # of the central differences, on either side
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_BLOCK = 1 << 18  # entries of a block of (rank, point)
_NEGLIGIBLE = 1e-17


def _end_weights() -> Array:
    """Weights of ``f(x + l) - f(x - l)`` that make up the odd derivatives of Euler-Maclaurin."""
    order = np.arange(1, _REACH + 1)
    matrix = 2.0 * order[None, :] ** (2.0 * order[:, None] - 1.0)
    return np.asarray(np.linalg.solve(matrix, -bernoulli(2 * _REACH)[2::2] / (2.0 * order)))


_END = _end_weights()


def first_smooth_rank(exponent: float) -> int:
    """Rank from which sums are integrals: ``x^-exponent`` varies little over the differences."""
    return math.ceil(10.0 * exponent) + 16


def lower_end(f: Function, rank: Array) -> Array:
    """Give what a sum from ``rank`` on exceeds its integral by; of an upper end: f minus this."""
    total = 0.5 * f(rank)
    for step, weight in enumerate(_END, start=1):
        total = total + weight * (f(rank + step) - f(rank - step))
    return np.asarray(total)


def blocks(size: int, height: int) -> Iterator[slice]:
    """Slices of ``range(size)`` of so many columns that a block stays small."""
    width = max(1, _BLOCK // max(height, 1))
    for start in range(0, size, width):
        yield slice(start, min(start + width, size))


def hurwitz(exponent: float, first: float = 1.0) -> float:
    """Hurwitz zeta function for real ``exponent != 1``, continued analytically below 1.

    >>> round(hurwitz(2.0), 11), round(hurwitz(0.5), 11)
    (1.64493406685, -1.46035450881)
    """
    start = max(float(first), first_smooth_rank(abs(exponent)))
    ranks = first + np.arange(max(0.0, math.ceil(start - first)))
    end = np.asarray(first + ranks.size)
    head = float(np.sum(ranks**-exponent))
    tail = lower_end(lambda x: np.asarray(x**-exponent), end)
    return float(head + tail + end ** (1.0 - exponent) / (exponent - 1.0))


def _log_gamma_ratio(shift: float, x: Array) -> Array:
    """``log Gamma(x) - log Gamma(x + shift)`` without cancellation, for ``x > 0``."""
    large = np.maximum(x, 100.0)

    def series(y: Array) -> Array:
        z = 1.0 / y
        return np.asarray((1.0 / 12.0 - (1.0 / 360.0 - z**2 / 1260.0) * z**2) * z)

    smooth = shift - (large - 0.5) * np.log1p(shift / large) - shift * np.log(large + shift)
    smooth += series(large) - series(large + shift)
    return np.where(x < 100.0, gammaln(np.minimum(x, 100.0)) - gammaln(x + shift), smooth)


def _integral(
    trials: Array, rate: Array, weight: float, exponent: float, a: Array, b: Array
) -> Array:
    r"""Give :math:`\int_a^b x^{-w}(1 - r x^{-s})^{n-1} dx`, elementwise; ``b`` may be ``inf``."""
    sigma = (weight - 1.0) / exponent
    from_a, from_b = rate * a**-exponent, rate * b**-exponent
    flat = trials * from_a < _NEGLIGIBLE
    power = a ** (1.0 - weight) * -np.expm1((1.0 - weight) * np.log(b / a)) / (weight - 1.0)
    if flat.all():
        return np.asarray(power)
    r = np.where(flat, 1.0, rate)
    log_scale = gammaln(sigma) + _log_gamma_ratio(sigma, trials) - sigma * np.log(r)
    lower, upper = betainc(sigma, trials, from_a), betainc(sigma, trials, from_b)
    share = lower - upper
    late = upper > 0.5  # both near one: their complements have the digits
    if late.any():
        above_b, above_a = (betaincc(sigma, trials, u)[late] for u in (from_b, from_a))
        share[late] = above_b - above_a
    with np.errstate(divide="ignore"):
        log_share = np.log(np.maximum(share, 0.0))
    return np.where(flat, power, np.exp(log_scale + log_share) / exponent)


def _direct(
    term: Callable[[Array, slice], Array], size: int, lower: Array, upper: Array, stop: int
) -> Array:
    """Sum ``term(ranks, columns)`` over the ranks below ``stop`` in ``[lower, upper]``."""
    ranks = np.arange(1.0, stop)[:, None]
    total = np.zeros(size)
    for columns in blocks(size, stop):
        inside = (ranks >= lower[columns]) & (ranks <= upper[columns])
        total[columns] = np.sum(term(ranks, columns), axis=0, where=inside)
    return total


def _flat(*values: ArrayLike) -> tuple[list[Array], tuple[int, ...]]:
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))
    return [array.ravel() for array in arrays], arrays[0].shape


def power_sum(
    n_samples: ArrayLike,
    rate: ArrayLike,
    weight_exponent: float,
    exponent: float,
    first: ArrayLike = 1.0,
    last: ArrayLike = np.inf,
) -> Array:
    r"""Sum :math:`i^{-w} (1 - r\,i^{-s})^T` over the ranks from ``first`` to ``last``.

    Parameters
    ----------
    n_samples, rate : array_like
        ``T >= 0`` and ``r >= 0``, with ``r first^-s <= 1``.
    weight_exponent, exponent : float
        ``w > 1`` and ``s > 1``.
    first, last : array_like
        Whole; ``last`` may be ``inf``, and is below ``first`` for an empty sum. The four arrays
        broadcast.

    Returns
    -------
    ndarray
        Of the broadcast shape.

    Notes
    -----
    Relative error about 1e-14, against ranks added one by one with high precision.

    Examples
    --------
    >>> float(power_sum(0, 0.0, 2.0, 2.0)).__round__(12)  # pi^2 / 6
    1.644934066848
    """
    w, s = weight_exponent, exponent
    (t, r, lower, upper), shape = _flat(n_samples, rate, first, last)
    stop = first_smooth_rank(max(w, s))

    def miss(x: Array, samples: Array, rates: Array) -> Array:
        with np.errstate(divide="ignore"):  # an item of probability one is never missed
            return np.asarray(x**-w * np.exp(xlog1py(samples, -rates * x**-s)))

    total = _direct(lambda x, here: miss(x, t[here], r[here]), t.size, lower, upper, stop)
    a = np.maximum(lower, stop)
    long = upper >= a
    if long.any():
        t, r, a, b = t[long], r[long], a[long], upper[long]

        def f(x: Array) -> Array:
            return miss(x, t, r)

        more = _integral(t + 1.0, r, w, s, a, b) + lower_end(f, a)
        ends = np.isfinite(b)
        if ends.any():
            t, r, b = t[ends], r[ends], b[ends]
            more[ends] += f(b) - lower_end(f, b)
        total[long] += more
    return np.maximum(total, 0.0).reshape(shape)


def seen_sum(n_samples: ArrayLike, rate: ArrayLike, exponent: float) -> Array:
    r"""Sum :math:`1 - (1 - r\,i^{-s})^T` over all ranks: the expected number of different items.

    Parameters
    ----------
    n_samples, rate : array_like
        ``T >= 0`` and ``0 <= r <= 1``; they broadcast.
    exponent : float
        ``s > 1``.

    Examples
    --------
    >>> float(seen_sum(1, 6 / np.pi**2, 2.0)).__round__(12)  # one draw finds one item
    1.0
    """
    s = exponent
    (t, r), shape = _flat(n_samples, rate)
    stop = first_smooth_rank(s)

    def seen(x: Array, samples: Array, rates: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(-np.expm1(xlog1py(samples, -rates * x**-s)))

    def f(x: Array) -> Array:
        return seen(x, t, r)

    all_ranks = (np.ones(t.size), np.full(t.size, np.inf))
    total = _direct(lambda x, here: seen(x, t[here], r[here]), t.size, *all_ranks, stop)
    a = np.full(t.size, float(stop))
    slope = _integral(np.maximum(t, 1e-300), r, s, s, a, all_ranks[1])  # by parts
    return (total + lower_end(f, a) - a * f(a) + s * t * r * slope).reshape(shape)


def log_sum(
    f: Function,
    size: int,
    exponent: float,
    corners: list[tuple[Array, float]],
    stop: int | None = None,
) -> Array:
    """Sum a function of the rank that is smooth in the logarithm of the rank.

    Parameters
    ----------
    f : callable
        Takes *logarithms* of ranks, of shape (m, size), and returns values of that shape. Zero, to
        machine precision, between `first_smooth_rank` and the first corner; the rank to the power
        ``-exponent`` after the last one.
    size : int
        Number of sums.
    exponent : float
        > 1.
    corners : list of (ndarray, float)
        Ascending ranks, shape (size,), that part the integral, each with the largest width, in the
        logarithm of the rank, of a 16-point panel in the part that it begins.
    stop : int, optional
        Rank from which the sum is an integral, `first_smooth_rank` of the exponent by default.

    Returns
    -------
    ndarray, shape (size,)

    Examples
    --------
    >>> ends = [(np.ones(1), 1.0), (np.full(1, 1e6), 1.0)]
    >>> total = log_sum(lambda y: np.exp(-2.0 * y), 1, 2.0, ends)
    >>> abs(float(total[0]) - np.pi**2 / 6.0) < 1e-12
    True
    """
    stop = first_smooth_rank(exponent) if stop is None else stop
    a = np.full(size, float(stop))
    ranks = np.arange(1.0, stop)[:, None]
    total = np.sum(f(np.log(ranks) + np.zeros(size)), axis=0)
    total += lower_end(lambda x: f(np.log(x)[None])[0], a)
    corners = [(np.log(np.maximum(corner, stop)), width) for corner, width in corners]
    for (start, width), (end, _) in pairwise(corners):
        count = int(np.ceil(np.max(end - start, initial=0.0) / width))
        for panel in range(count):
            half = 0.5 * (end - start) / count
            middle = start + (2 * panel + 1) * half
            y = middle + half * _NODES[:, None]
            total += half * (_WEIGHTS @ (f(y) * np.exp(y)))
    rest = np.exp(corners[-1][0] * (1.0 - exponent)) / (exponent - 1.0)
    return np.asarray(total + rest)
