"""Greatest common divisors as skills with a tail: pairs, labels, digits, and what is learnt.

Two whole numbers up to ``max_operand``, drawn uniformly, have the greatest common divisor ``g``
with probability ``6 / (pi g)**2``: a power law with tail exponent 2. A model that reads the digits
of both numbers and names their divisor therefore has one skill for each ``g``, some of them rare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

from fragile_learning._validation import as_generator, choice, real_number, whole_number

__all__ = [
    "OPERANDS",
    "GcdTask",
    "Operands",
    "expected_gcds",
    "gcd_labels",
    "gcd_probabilities",
    "learnt_gcds",
    "stratified_pairs",
]

Operands = Literal["uniform", "log-uniform"]
OPERANDS: tuple[Operands, ...] = ("uniform", "log-uniform")

Integers = NDArray[np.int64]
Rng = np.random.Generator | np.random.SeedSequence | int
LARGEST = 2**53  # operands are drawn through float64


def _integers(name: str, value: Any, *, minimum: int, maximum: int | None = None) -> Integers:
    """Return an int64 array with entries in the stated range."""
    raw = np.asarray(value)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an array of integers, got dtype {raw.dtype}")
    bad = raw < minimum
    if maximum is not None:
        bad |= raw > maximum
    if bad.any():
        allowed = f">= {minimum}" + (f" and <= {maximum}" if maximum is not None else "")
        raise ValueError(f"{name} must hold integers {allowed}, got {raw[bad][0]}")
    return raw.astype(np.int64)


def _pairs(pairs: ArrayLike, maximum: int | None = None) -> Integers:
    array = _integers("pairs", pairs, minimum=1, maximum=maximum)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"pairs must have the shape (n_pairs, 2), got {array.shape}")
    return array


@dataclass(frozen=True, slots=True, kw_only=True)
class GcdTask:
    """Which pairs are drawn, and how a model sees them.

    Attributes
    ----------
    base : int
        >= 2; a model sees the digits in this base. A divisor of a power of the base shows in the
        last digits, others do not.
    max_operand : int
        In [1, 2**53].
    operands : {"uniform", "log-uniform"}
        Law of an operand: uniform on ``1..max_operand``, or ``floor(exp(u))`` with ``u`` uniform on
        ``[0, log(max_operand + 1))``, so that ``x`` has probability proportional to
        ``log(1 + 1 / x)``.
    n_gcds : int
        >= 1. Divisors up to here have a class of their own, all larger ones share class 0.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=999)
    >>> task.encode([[84, 120]]).tolist(), task.labels([[84, 120]]).tolist()
    ([[0, 8, 4, 1, 2, 0]], [12])
    """

    base: int = 60
    max_operand: int = 3599
    operands: Operands = "uniform"
    n_gcds: int = 100

    def __post_init__(self) -> None:
        whole_number("base", self.base, minimum=2)
        whole_number("max_operand", self.max_operand, maximum=LARGEST)
        choice("operands", self.operands, OPERANDS)
        whole_number("n_gcds", self.n_gcds)

    @property
    def n_digits(self) -> int:
        """Digits of the largest operand; a pair is twice as many tokens."""
        count, power = 1, self.base
        while power <= self.max_operand:
            count, power = count + 1, power * self.base
        return count

    def sample(self, n_pairs: int, *, rng: Rng) -> Integers:
        """Draw pairs, shape (n_pairs, 2)."""
        shape = (whole_number("n_pairs", n_pairs, minimum=0), 2)
        generator = as_generator(rng)
        if self.operands == "uniform":
            return generator.integers(1, self.max_operand, size=shape, endpoint=True)
        drawn = np.exp(generator.random(shape) * math.log(self.max_operand + 1))
        return np.clip(drawn.astype(np.int64), 1, self.max_operand)

    def encode(self, pairs: ArrayLike) -> Integers:
        """Digits of both operands, most significant first, shape (n_pairs, 2 * n_digits)."""
        array = _pairs(pairs, self.max_operand)
        powers = self.base ** np.arange(self.n_digits - 1, -1, -1, dtype=np.int64)
        return (array[:, :, None] // powers % self.base).reshape(len(array), -1)

    def labels(self, pairs: ArrayLike) -> Integers:
        """Class of each pair, shape (n_pairs,)."""
        return gcd_labels(pairs, self.n_gcds)

    def test_pairs(self, n_each: int = 50, *, rng: Rng) -> Integers:
        """Pairs with each divisor, see `stratified_pairs`."""
        top = min(self.n_gcds, self.max_operand)
        return stratified_pairs(self.max_operand, n_each, top, rng=rng)


def gcd_labels(pairs: ArrayLike, n_gcds: int = 100) -> Integers:
    """Greatest common divisor of each pair, or 0 where it is larger than ``n_gcds``.

    Parameters
    ----------
    pairs : array_like of int, shape (n_pairs, 2)
        Each >= 1.
    n_gcds : int
        >= 1.

    Examples
    --------
    >>> gcd_labels([[12, 18], [7, 9], [202, 101]]).tolist()
    [6, 1, 0]
    """
    top = whole_number("n_gcds", n_gcds)
    array = _pairs(pairs)
    found = np.gcd(array[:, 0], array[:, 1])
    return np.where(found <= top, found, 0)


def stratified_pairs(
    max_operand: int, n_each: int = 50, n_gcds: int = 100, *, rng: Rng
) -> Integers:
    """Pairs with each greatest common divisor: ``g x`` and ``g y`` with coprime ``x`` and ``y``.

    Parameters
    ----------
    max_operand : int
        In [n_gcds, 2**53].
    n_each : int
        Pairs of each divisor, >= 1.
    n_gcds : int
        >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray of int64, shape (n_gcds * n_each, 2)
        In the order of the divisors. ``x`` and ``y`` are uniform on ``1..max_operand // g``, given
        that they are coprime.

    Examples
    --------
    >>> gcd_labels(stratified_pairs(1000, 2, 3, rng=1)).tolist()
    [1, 1, 2, 2, 3, 3]
    """
    top = whole_number("n_gcds", n_gcds)
    largest = whole_number("max_operand", max_operand, minimum=top, maximum=LARGEST)
    each = whole_number("n_each", n_each)
    generator = as_generator(rng)
    divisors = np.repeat(np.arange(1, top + 1), each)
    limits = (largest // divisors)[:, None]
    pairs = np.empty((len(divisors), 2), dtype=np.int64)
    open_rows = np.arange(len(divisors))
    while open_rows.size:  # a draw is coprime with probability 6 / pi**2, and surely at limit 1
        drawn = generator.integers(1, limits, size=(open_rows.size, 2), endpoint=True)
        pairs[open_rows] = drawn
        wrong = np.gcd(drawn[:, 0], drawn[:, 1]) > 1
        open_rows, limits = open_rows[wrong], limits[wrong]
    return pairs * divisors[:, None]


def learnt_gcds(
    predictions: ArrayLike, labels: ArrayLike, *, n_gcds: int = 100, threshold: float = 0.95
) -> NDArray[np.bool_]:
    """Which divisors a model knows: those that it names in at least 95 % of their pairs.

    Parameters
    ----------
    predictions, labels : array_like of int, shape (n_pairs,)
        Classes; class 0 (larger divisors) is left out.
    n_gcds : int
        >= 1.
    threshold : float
        In (0, 1].

    Returns
    -------
    ndarray of bool, shape (n_gcds,)
        Entry ``g - 1`` tells about ``g``; False where no pair has this divisor.

    Examples
    --------
    >>> learnt_gcds([1, 1, 2, 1], [1, 1, 2, 2], n_gcds=3).tolist()
    [True, False, False]
    """
    top = whole_number("n_gcds", n_gcds)
    share = real_number("threshold", threshold, minimum=0.0, maximum=1.0, open_minimum=True)
    truth = _integers("labels", labels, minimum=0, maximum=top)
    guess = _integers("predictions", predictions, minimum=0, maximum=top)
    if truth.ndim != 1 or guess.shape != truth.shape:
        raise ValueError(
            f"predictions must have the shape of labels {truth.shape}, one axis, got {guess.shape}"
        )
    total = np.bincount(truth, minlength=top + 1)[1:]
    right = np.bincount(truth[guess == truth], minlength=top + 1)[1:]
    # whole numbers on the left: 95 of 100 counts as 0.95 whatever the rounding
    enough: NDArray[np.bool_] = right >= total * share - 1e-9
    return enough & (total > 0)


def gcd_probabilities(n_gcds: int = 100, max_operand: int | None = None) -> NDArray[np.float64]:
    """Probability of each greatest common divisor of two uniform operands.

    Parameters
    ----------
    n_gcds : int
        >= 1.
    max_operand : int, optional
        In [1, 10**7]: operands uniform on ``1..max_operand``, exactly. None: the limit
        ``6 / (pi g)**2``.

    Returns
    -------
    ndarray, shape (n_gcds,)

    Notes
    -----
    Of the pairs up to ``M``, ``2 * Phi(M // g) - 1`` have the greatest common divisor ``g``, where
    ``Phi`` is the sum of Euler's totients. A table of all totients up to ``max_operand`` is made:
    8 bytes each.

    Examples
    --------
    >>> gcd_probabilities(3, 3) * 9
    array([7., 1., 1.])
    """
    divisors = np.arange(1, whole_number("n_gcds", n_gcds) + 1)
    if max_operand is None:
        return np.asarray(6.0 / (np.pi * divisors) ** 2, dtype=np.float64)
    largest = whole_number("max_operand", max_operand, maximum=10**7)
    totients = np.arange(largest + 1)
    for prime in range(2, largest + 1):
        if totients[prime] == prime:
            totients[prime::prime] -= totients[prime::prime] // prime
    sums = np.cumsum(totients)[largest // divisors]
    return np.asarray(np.maximum(2 * sums - 1, 0) / float(largest) ** 2, dtype=np.float64)


def expected_gcds(
    n_pairs: ArrayLike, min_examples: int, *, n_gcds: int = 100, max_operand: int | None = None
) -> NDArray[np.float64]:
    r"""Count the divisors, in expectation, with at least ``min_examples`` pairs in a training set.

    .. math:: \sum_{g=1}^{G} P\bigl(\mathrm{Bin}(N, P(\gcd = g)) \ge m\bigr)

    Parameters
    ----------
    n_pairs : array_like of int
        Pairs drawn, ``N``, each >= 0.
    min_examples : int
        ``m``, >= 1.
    n_gcds, max_operand
        See `gcd_probabilities`.

    Returns
    -------
    ndarray
        With the shape of ``n_pairs``; exact but for rounding.

    Notes
    -----
    The number of skills that a learner with a need of ``m`` examples for each could have. A network
    learns fewer, those that it can see in the digits.

    Examples
    --------
    >>> float(expected_gcds(20_000, 20))
    24.63
    """
    need = whole_number("min_examples", min_examples)
    sizes = _integers("n_pairs", n_pairs, minimum=0)[..., None]
    chances = gcd_probabilities(n_gcds, max_operand)
    # P(Bin(N, p) >= m) is a regularised incomplete beta function
    tails = betainc(need, np.maximum(sizes - need + 1, 1), chances)
    return np.asarray(np.where(sizes >= need, tails, 0.0).sum(axis=-1))
