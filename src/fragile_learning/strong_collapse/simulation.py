"""Exact sampling of ridge regression on a mixture, without ever building a tall design.

The simulator knows the model and no formula for its risk. It uses exact facts alone:

- the fit depends on the designs through the two Gram matrices, of the real and of the synthetic
  samples, which are independent Wishart matrices: `n_features` rows stand for any larger number
  (Bartlett);
- the excess risk of a weight vector is ``||w - w_1||_Sigma^2``: no test set is needed;
- given designs and projection, label noise and shift enter linearly, so that their averages are
  matrix norms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import as_generator, whole_number
from fragile_learning.strong_collapse.mixture import FixedShift, Mixture, MixtureRisk

__all__ = ["simulate_excess_risk"]

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
    whatever the number of samples.

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
    if not isinstance(mixture, Mixture):
        raise TypeError(f"mixture must be a Mixture, got {type(mixture).__name__}")
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    parts = np.array([_replicate(mixture, generator) for _ in range(count)]).T
    bias, variance, collapse, interference = parts
    return MixtureRisk(bias, variance, collapse, interference, parts.sum(axis=0))


def _replicate(mixture: Mixture, rng: np.random.Generator) -> tuple[float, float, float, float]:
    eigenvalues, n = mixture.spectrum.eigenvalues, mixture.n_samples
    real = _gram(mixture.n_real, eigenvalues, rng) / n
    synthetic = _gram(mixture.n_synthetic, eigenvalues, rng) / n
    response = _response(mixture, real + synthetic, rng)  # the paper's F; weights are F X'y / n
    root = np.sqrt(eigenvalues)[:, None]
    missed = root[:, 0] * (response @ ((real + synthetic) @ mixture.target) - mixture.target)
    half = root * response  # Sigma^(1/2) F
    variance = 0.0
    for gram, noise_std in (
        (real, mixture.noise_std_real),
        (synthetic, mixture.noise_std_synthetic),
    ):
        if noise_std > 0.0:
            variance += noise_std**2 * float(np.sum((half @ gram) * half)) / n
    shift = mixture.shift
    if isinstance(shift, FixedShift):
        displaced = half @ (synthetic @ shift.coordinates)
        collapse = float(displaced @ displaced)
        interference = 2.0 * float(missed @ displaced)
    else:
        collapse = float(np.sum((half @ synthetic) ** 2 @ shift.square))
        interference = 0.0
    return float(missed @ missed), variance, collapse, interference


def _gram(count: int, eigenvalues: Array, rng: np.random.Generator) -> Array:
    """``X'X`` of ``count`` Gaussian rows with a diagonal covariance."""
    size = eigenvalues.size
    if count < size:
        rows = rng.standard_normal((count, size))
    else:
        rows = np.triu(rng.standard_normal((size, size)), 1)
        rows[np.diag_indices(size)] = np.sqrt(rng.chisquare(count - np.arange(size)))
    rows *= np.sqrt(eigenvalues)
    return np.asarray(rows.T @ rows)


def _response(mixture: Mixture, gram: Array, rng: np.random.Generator) -> Array:
    """``S' (S M S' + ridge)^-1 S``; without ridge its part on the range of ``S M S'``."""
    size = len(gram)
    if mixture.width is None:
        projection, inner = None, gram
    else:
        projection = rng.standard_normal((mixture.width, size)) / np.sqrt(mixture.width)
        inner = projection @ gram @ projection.T
    if mixture.ridge > 0.0:
        inner = inner + mixture.ridge * np.eye(len(inner))
        right = np.eye(size) if projection is None else projection
        solved = np.linalg.solve(inner, right)
    else:
        rank = min(mixture.n_samples, len(inner), size)
        values, vectors = np.linalg.eigh(inner)
        kept = vectors[:, len(inner) - rank :]
        inverse = (kept / values[len(inner) - rank :]) @ kept.T
        solved = inverse if projection is None else inverse @ projection
    return np.asarray(solved if projection is None else projection.T @ solved)
