"""Sampling of products of random projections: what noise-free generators do to a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_array, whole_array, whole_number
from fragile_learning.spectra import Spectrum

__all__ = ["ProjectedSignal", "simulate_projections"]

Array = NDArray[np.float64]


class ProjectedSignal(NamedTuple):
    """Moments of ``Q_n w_0``, ``Q_n = P_{n-1} ... P_0``, for ``n = 1 .. N``.

    Attributes
    ----------
    overlap : ndarray, shape (n_replicates, N)
        ``w_0' Q_n w_0``, in squared units of the target.
    signal : ndarray, shape (n_replicates, N)
        ``w_0' Q_n' Sigma Q_n w_0``, in squared label units.

    Examples
    --------
    >>> drawn = simulate_projections(Spectrum.isotropic(6), np.ones(6), [3, 2], 500, rng=0)
    >>> bool(
    ...     np.abs(drawn.overlap.mean(axis=0) - [3.0, 1.0]).max() < 0.2
    ... )  # 6 * 3/6 and 6 * 3/6 * 2/6
    True
    """

    overlap: Array
    signal: Array


def simulate_projections(
    spectrum: Spectrum,
    target: ArrayLike,
    n_samples: Sequence[int],
    n_replicates: int,
    *,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> ProjectedSignal:
    """Project a teacher on the row spaces of independent Gaussian designs, one after the other.

    Parameters
    ----------
    spectrum : Spectrum
        Of the rows of the designs.
    target : array_like, shape (n_features,)
        The teacher ``w_0`` in the eigenbasis.
    n_samples : sequence of int
        Rows of each design, oldest first. A design with at least ``n_features`` rows projects on
        the whole space.
    n_replicates : int
        >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ProjectedSignal

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, or a value out of range.

    Examples
    --------
    >>> drawn = simulate_projections(Spectrum.isotropic(6), np.ones(6), [3, 2], 4000, rng=0)
    >>> drawn.signal.shape, bool(abs(drawn.signal[:, 1].mean() - 1.0) < 0.1)  # 6 * 3/6 * 2/6
    ((4000, 2), True)
    """
    if not isinstance(spectrum, Spectrum):
        raise TypeError(f"spectrum must be a Spectrum, got {type(spectrum).__name__}")
    teacher = real_array("target", target, ndim=1)
    size = spectrum.n_features
    if teacher.size != size:
        raise ValueError(f"target must have length n_features = {size}, got {teacher.size}")
    counts = [int(count) for count in whole_array("n_samples", n_samples).ravel()]
    if not counts:
        raise ValueError("n_samples must hold at least 1 sample size, got none")
    replicates = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    root = np.sqrt(spectrum.eigenvalues)
    overlap, signal = (np.empty((replicates, len(counts))) for _ in range(2))
    for replicate in range(replicates):
        weights = teacher
        for step, count in enumerate(counts):
            if count < size:
                rows = generator.standard_normal((count, size)) * root
                basis = np.linalg.qr(rows.T)[0]
                weights = basis @ (basis.T @ weights)
            overlap[replicate, step] = teacher @ weights
            signal[replicate, step] = np.sum((root * weights) ** 2)
    return ProjectedSignal(overlap, signal)
