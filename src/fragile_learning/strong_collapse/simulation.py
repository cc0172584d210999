"""Exact sampling of ridge regression on a mixture, without ever building a tall design.

The simulator knows the model and no formula for its risk. It uses exact facts alone:

- the fit depends on the designs through the Gram matrices of the groups of samples, which are
  independent Wishart matrices: `n_features` rows stand for any larger number (Bartlett);
- the excess risk of a weight vector is ``||w - w_1||_Sigma^2``: no test set is needed;
- given designs and projection, label noise and shift enter linearly, so that their averages are
  matrix norms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor
from scipy.linalg.lapack import dpotri

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.strong_collapse.general import checked_problem
from fragile_learning.strong_collapse.least_squares import checked_iteration
from fragile_learning.strong_collapse.mixture import (
    FixedShift,
    Group,
    Mixture,
    MixtureRisk,
    require,
)

__all__ = ["simulate_excess_risk", "simulate_general_excess_risk", "simulate_iterate_mixing"]

Array = NDArray[np.float64]


def simulate_excess_risk(
    mixture: Mixture, n_replicates: int, *, rng: np.random.Generator | np.random.SeedSequence | int
) -> MixtureRisk:
    r"""Draw designs and projections; the risk of each, averaged over label noise and random shift.

    Parameters
    ----------
    mixture : Mixture
    n_replicates : int
        Independent draws, >= 1.
    rng : Generator, SeedSequence or int
        Source of randomness; a seed gives the same replicates each time.

    Returns
    -------
    MixtureRisk of ndarray, shape (n_replicates,)
        In squared label units. Each entry is the conditional expectation of the excess risk given
        the draw: unbiased, with less scatter than a risk with one draw of noise and shift.

    Raises
    ------
    TypeError, ValueError
        If ``mixture`` is not a `Mixture`, ``n_replicates`` is not a positive integer, or ``rng`` is
        no source of randomness.

    Notes
    -----
    No approximation. Time :math:`O(d^2\max(d, m))` a replicate and memory :math:`O(d\max(d, m))`,
    whatever the number of samples: a group of more samples than features counts by ``n_features``
    rows, and the linear map from labels to weights is all that is computed.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(10, 0.1))
    >>> mixture = Mixture(Spectrum.isotropic(10), np.ones(10), shift, 900_000, 100_000)
    >>> risk = simulate_excess_risk(mixture, 5, rng=1)
    >>> risk.total.shape, bool(abs(risk.collapse.mean() / 0.01 - 1) < 0.01)  # p2^2 c^2
    ((5,), True)
    """
    require("mixture", mixture, Mixture)
    return simulate_general_excess_risk(
        mixture.groups,
        mixture.target,
        mixture.spectrum.eigenvalues,
        n_replicates,
        ridge=mixture.ridge,
        width=mixture.width,
        rng=rng,
    )


def simulate_general_excess_risk(
    groups: Sequence[Group],
    target: ArrayLike,
    test_covariance: ArrayLike,
    n_replicates: int,
    *,
    ridge: float = 0.0,
    width: int | None = None,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> MixtureRisk:
    """Simulate several groups of samples; see `simulate_excess_risk`.

    Parameters
    ----------
    groups, target, test_covariance, ridge, width
        As in `fragile_learning.strong_collapse.theory.general_excess_risk`.
    n_replicates : int
        Independent draws, >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    MixtureRisk of ndarray, shape (n_replicates,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, length or range.

    Examples
    --------
    >>> real = Group(60, np.ones(10), noise_std=0.1)
    >>> other = Group(40, np.linspace(0.5, 1.5, 10), FixedShift(np.full(10, 0.1)), weight=0.2)
    >>> simulate_general_excess_risk([real, other], np.ones(10), np.ones(10), 3, rng=1).bias.shape
    (3,)
    """
    sources, w, test = checked_problem(groups, target, test_covariance)
    penalty = real_number("ridge", ridge, minimum=0.0)
    rows = None if width is None else whole_number("width", width)
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    samples = sum(group.n_samples for group in sources)
    sources = [group for group in sources if group.n_samples > 0 and group.weight > 0.0]
    roots = [_root(group.covariance) for group in sources]
    root = _root(test)
    parts = np.array(
        [
            _replicate(sources, roots, w, root, samples, penalty, rows, generator)
            for _ in range(count)
        ]
    ).T
    bias, variance, collapse, interference = parts
    return MixtureRisk(bias, variance, collapse, interference, parts.sum(axis=0))


def _replicate(
    groups: list[Group],
    roots: list[Array],
    w: Array,
    test_root: Array,
    samples: int,
    ridge: float,
    width: int | None,
    rng: np.random.Generator,
) -> tuple[float, float, float, float]:
    size = len(w)
    scales = [group.weight / samples for group in groups]
    parts = [  # of each group's design, times sqrt(a / n): M_g = part' part
        _rows(group.n_samples, np.sqrt(scale) * root, rng)
        for group, root, scale in zip(groups, roots, scales, strict=True)
    ]
    projection = None
    if width is not None:
        projection = rng.standard_normal((width, size)) / np.sqrt(width)
        if ridge == 0.0 and min(width, sum(map(len, parts))) >= size:
            projection = None  # the features span everything: least squares
    seen = parts if projection is None else [part @ projection.T for part in parts]

    def lift(matrix: Array) -> Array:
        """Sigma^(1/2) S' times a matrix."""
        return _left(test_root, matrix if projection is None else projection.T @ matrix)

    # Sigma^(1/2) F part_g' is ``fitted[g]``, or ``inner @ seen[g].T``, by the smaller system.
    noise = [group.noise_std**2 * scale for group, scale in zip(groups, scales, strict=True)]
    dual = sum(map(len, seen)) < seen[0].shape[1]
    if dual:
        rows = np.concatenate(seen)
        both = lift(rows.T) @ _inverse(rows @ rows.T, ridge)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        fitted = np.split(both, ends, axis=1)
        variance = sum(level * np.vdot(own, own) for level, own in zip(noise, fitted, strict=True))
        missed = sum(own @ (part @ w) for own, part in zip(fitted, parts, strict=True))
    else:
        grams = [one.T @ one for one in seen]
        inner = lift(_inverse(sum(grams[1:], start=grams[0]), ridge))
        spread = inner.T @ inner
        variance = sum(level * np.vdot(spread, g) for level, g in zip(noise, grams, strict=True))
        missed = inner @ sum(one.T @ (part @ w) for one, part in zip(seen, parts, strict=True))
    missed = missed - _left(test_root, w)

    collapse, displaced = 0.0, np.zeros(size)
    for i, (group, part) in enumerate(zip(groups, parts, strict=True)):
        if group.shift is None:
            continue
        if isinstance(group.shift, FixedShift):
            labels = part @ group.shift.coordinates
            displaced += fitted[i] @ labels if dual else inner @ (seen[i].T @ labels)
            continue
        if dual:
            moved = fitted[i] @ part
        elif projection is None and 2 * len(part) > size:
            moved = inner @ grams[i]
        else:
            moved = (inner @ seen[i].T) @ part
        if group.shift.covariance is not None:
            collapse += float(np.vdot(moved @ group.shift.covariance, moved))
        else:
            collapse += float(np.sum(np.square(moved, out=moved) @ group.shift.variances))
    collapse += float(displaced @ displaced)
    return float(missed @ missed), float(variance), collapse, 2.0 * float(missed @ displaced)


def _inverse(gram: Array, ridge: float) -> Array:
    """Inverse of a positive definite matrix plus a multiple of the identity."""
    shifted = gram.copy()
    shifted[np.diag_indices_from(gram)] += ridge
    factor, _ = cho_factor(shifted, overwrite_a=True, check_finite=False)
    inverse: Array = dpotri(factor, overwrite_c=True)[0]  # its upper half
    below = np.tri(len(gram), k=-1, dtype=bool)
    inverse[below] = inverse.T[below]
    return inverse


def _root(covariance: Array) -> Array:
    """Square root of a covariance; a vector stands for a diagonal matrix."""
    if covariance.ndim == 1:
        return np.asarray(np.sqrt(covariance))
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _left(root: Array, other: Array) -> Array:
    if root.ndim == 2:
        return root @ other
    return np.asarray(root[:, None] * other if other.ndim == 2 else root * other)


def _rows(count: int, root: Array, rng: np.random.Generator) -> Array:
    """At most ``n_features`` rows with the Gram matrix of ``count`` Gaussian ones."""
    size = len(root)
    if count < size:
        rows = rng.standard_normal((count, size))
    else:
        rows = rng.standard_normal((size, size))
        rows[np.tri(size, dtype=bool)] = 0.0
        rows[np.diag_indices(size)] = np.sqrt(rng.chisquare(count - np.arange(size)))
    return np.asarray(np.multiply(rows, root, out=rows) if root.ndim == 1 else rows @ root)


def simulate_iterate_mixing(
    mixture: Mixture,
    n_rounds: int,
    n_replicates: int,
    *,
    initial_error: float | None = None,
    reuse_real: bool = False,
    reuse_synthetic_inputs: bool = False,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> Array:
    """Simulate rounds of mixing real samples with those that the last model labels.

    Parameters
    ----------
    mixture, n_rounds, initial_error, reuse_real
        As in `fragile_learning.strong_collapse.theory.iterate_mixing`.
    n_replicates : int
        Independent runs, >= 1, simulated at once.
    reuse_synthetic_inputs : bool
        Keep the inputs of the synthetic samples of the first round too; only their labels are new.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_rounds + 1)
        Excess risk of each round given the designs of its run: averaged over label noise and over
        the direction of the first model's error.

    Raises
    ------
    TypeError, ValueError
        As `fragile_learning.strong_collapse.theory.iterate_mixing`.

    Notes
    -----
    No approximation. In whitened coordinates, where least squares on any spectrum is least squares
    on independent features. Time ``O(n_features^3)`` a round and run.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(4, 0.25))
    >>> half = Mixture(Spectrum.isotropic(4), np.ones(4), shift, 30, 30, 0.0, 0.1, 0.1)
    >>> simulate_iterate_mixing(half, 5, 20, rng=1).shape
    (20, 6)
    """
    rounds, start = checked_iteration(mixture, n_rounds, initial_error, reuse_real)
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    d, n = mixture.spectrum.n_features, mixture.n_samples
    real_noise, noise = mixture.noise_std_real**2 / n, mixture.noise_std_synthetic**2 / n
    eye = np.eye(d)
    errors = np.full((count, rounds + 1), start)
    # u is the error of the last model, z that of the fit to reused real samples alone: with them
    # u - z is multiplied by F M_2 in each round, and gets the noise of the synthetic labels.
    through = np.broadcast_to(eye, (count, d, d))  # product of the F M_2
    spread = np.zeros((count, d, d))  # covariance of u, or of u - z, from noise
    own = np.zeros((count, d, d))
    real = synthetic = np.zeros((0, d, d))
    for step in range(rounds):
        if step == 0 or not reuse_real:
            real = _grams(mixture.n_real, count, d, generator, n)
        if step == 0 or not reuse_synthetic_inputs:
            synthetic = _grams(mixture.n_synthetic, count, d, generator, n)
        if step == 0 and reuse_real:
            own = np.asarray(real_noise * np.linalg.inv(real))
        response = np.linalg.inv(real + synthetic)
        kept = response @ synthetic
        fresh = noise * kept @ response
        if not reuse_real:
            fresh = fresh + real_noise * response @ real @ response
        through = kept @ through
        spread = kept @ spread @ kept.transpose(0, 2, 1) + fresh
        error = np.trace(spread, axis1=1, axis2=2) + start / d * np.sum(through**2, axis=(1, 2))
        if reuse_real:
            missing = eye - through
            error += np.sum((missing @ own) * missing, axis=(1, 2))
        errors[:, step + 1] = error
    return errors


def _grams(count: int, n_draws: int, size: int, rng: np.random.Generator, over: int) -> Array:
    """White Gram matrices of ``count`` rows, divided, shape (n_draws, size, size)."""
    if count < size:
        rows = rng.standard_normal((n_draws, count, size))
    else:
        rows = np.triu(rng.standard_normal((n_draws, size, size)), 1)
        diagonal = np.arange(size)
        rows[:, diagonal, diagonal] = np.sqrt(rng.chisquare(count - diagonal, (n_draws, size)))
    return np.asarray(rows.transpose(0, 2, 1) @ rows / over)
