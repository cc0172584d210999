"""Which synthesised examples are kept: verifiers of graded quality, best of several, best of all.

A verifier keeps a right example with probability ``phi`` and a wrong one with probability ``psi``;
``p* = phi / (phi + psi)`` is the error rate of a generator up to which it can help (a student with
endless data, two classes).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_array, real_number, whole_number

__all__ = ["KeepRates", "best_of_each", "keep_rates", "keep_top", "noisy_verifier"]

Flags = NDArray[np.bool_]
Rng = np.random.Generator | np.random.SeedSequence | int


class KeepRates(NamedTuple):
    """What a verifier did to a set of examples.

    Attributes
    ----------
    n_examples, n_kept : int
    error : float
        Fraction of wrong examples, ``p``.
    phi, psi : float
        Fractions kept of the right and of the wrong ones; 0 where there are none.
    p_star : float
        ``phi / (phi + psi)``, in [0, 1]; 1/2 where nothing is kept.
    wrong_kept : float
        Fraction of wrong ones among the kept; 0 where nothing is kept.

    Examples
    --------
    >>> right = np.arange(100) < 60
    >>> rates = keep_rates(right, noisy_verifier(right, 0.25, rng=1))
    >>> rates.phi, rates.error, round(rates.p_star, 1)
    (1.0, 0.4, 0.8)
    """

    n_examples: int
    n_kept: int
    error: float
    phi: float
    psi: float
    p_star: float
    wrong_kept: float


def _flags(name: str, value: Any) -> Flags:
    array = np.asarray(value)
    if array.dtype != np.bool_:
        raise TypeError(f"{name} must be an array of booleans, got dtype {array.dtype}")
    return array


def keep_rates(right: ArrayLike, kept: ArrayLike) -> KeepRates:
    """Rates of a verifier on examples that are known to be right or wrong.

    Parameters
    ----------
    right, kept : array_like of bool, of one shape
        At least one entry.

    Raises
    ------
    TypeError, ValueError
        If an array does not hold booleans, the shapes differ, or they are empty.

    Examples
    --------
    >>> rates = keep_rates([True, True, False, False], [True, True, True, False])
    >>> rates.phi, rates.psi, round(rates.p_star, 3), round(rates.wrong_kept, 3)
    (1.0, 0.5, 0.667, 0.333)
    """
    truth, chosen = _flags("right", right), _flags("kept", kept)
    if truth.size == 0:
        raise ValueError("right must hold at least one example, got none")
    if chosen.shape != truth.shape:
        raise ValueError(f"kept must have the shape of right {truth.shape}, got {chosen.shape}")
    n_right, n_kept = int(truth.sum()), int(chosen.sum())
    right_kept = int((truth & chosen).sum())
    phi = right_kept / n_right if n_right else 0.0
    psi = (n_kept - right_kept) / (truth.size - n_right) if n_right < truth.size else 0.0
    return KeepRates(
        n_examples=truth.size,
        n_kept=n_kept,
        error=1.0 - n_right / truth.size,
        phi=phi,
        psi=psi,
        p_star=phi / (phi + psi) if phi + psi > 0.0 else 0.5,
        wrong_kept=(n_kept - right_kept) / n_kept if n_kept else 0.0,
    )


def noisy_verifier(right: ArrayLike, p_noise: float, *, rng: Rng) -> Flags:
    """Keep every right example, and each wrong one with probability ``p_noise``.

    Parameters
    ----------
    right : array_like of bool
    p_noise : float
        In [0, 1]: 0 is an oracle (``p* = 1``), 1 no verifier (``p* = 1/2``), between them
        ``p* = 1 / (1 + p_noise)``.
    rng : Generator, SeedSequence or int
        One uniform number is drawn for each example, whatever ``p_noise`` is: with one seed, what
        a stricter verifier keeps a laxer one keeps too.

    Returns
    -------
    ndarray of bool
        With the shape of ``right``.

    Examples
    --------
    >>> noisy_verifier([True, False, False], 0.0, rng=1).tolist()
    [True, False, False]
    """
    truth = _flags("right", right)
    share = real_number("p_noise", p_noise, minimum=0.0, maximum=1.0)
    kept: Flags = truth | (as_generator(rng).random(truth.shape) < share)
    return kept


def best_of_each(scores: ArrayLike, n_best: int = 1) -> Flags:
    """Choose in each row the entries with the largest scores, earlier ones of equal ones.

    Parameters
    ----------
    scores : array_like, shape (n_rows, n_candidates)
    n_best : int
        Entries of each row, in [1, n_candidates].

    Returns
    -------
    ndarray of bool, shape (n_rows, n_candidates)

    Examples
    --------
    >>> best_of_each([[1.0, 3.0], [2.0, 2.0]]).tolist()
    [[False, True], [True, False]]
    """
    values = real_array("scores", scores, ndim=2)
    if values.shape[1] == 0:
        raise ValueError(f"scores must have at least one candidate, got shape {values.shape}")
    count = whole_number("n_best", n_best, maximum=values.shape[1])
    chosen = np.zeros(values.shape, dtype=bool)
    best = np.argsort(-values, axis=1, kind="stable")[:, :count]
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen


def keep_top(scores: ArrayLike, fraction: float) -> Flags:
    """Choose the entries with the largest scores of all, earlier ones before equal later ones.

    Parameters
    ----------
    scores : array_like
        Of any shape, not empty.
    fraction : float
        In (0, 1], of the entries; rounded to a whole number of them, at least one.

    Returns
    -------
    ndarray of bool
        With the shape of ``scores``.

    Examples
    --------
    >>> keep_top([[1.0, 3.0], [2.0, 2.0]], 0.5).tolist()
    [[False, True], [True, False]]
    """
    values = real_array("scores", scores)
    share = real_number("fraction", fraction, minimum=0.0, maximum=1.0, open_minimum=True)
    if values.size == 0:
        raise ValueError("scores must hold at least one entry, got none")
    count = max(1, round(share * values.size))
    chosen = np.zeros(values.size, dtype=bool)
    chosen[np.argsort(-values.ravel(), kind="stable")[:count]] = True
    return chosen.reshape(values.shape)
