"""Exact sampling of a chain of regressions, without ever building a tall design.

The simulator knows the model and no formula for its risk. It uses three exact facts:

- a fit depends on its design ``X`` (``T x d``) through ``X'X`` alone, and on the noise through
  ``X'E``. For ``T >= d`` the matrix ``X'X`` has the law of ``S' L L' S`` with ``S`` the square root
  of the covariance and ``L`` lower triangular (Bartlett): chi-distributed diagonal, standard normal
  below. So ``min(T, d)`` rows stand for all ``T``, at the same penalty ``T * ridge``;
- the excess risk of a weight vector is ``||w - w_0||_Sigma^2``: no test set is needed;
- given the designs, the label noise enters linearly, so its average is a matrix norm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, qr, solve_triangular

from fragile_learning._validation import as_generator, whole_number
from fragile_learning.regression.chain import Chain, RiskParts, Stage

__all__ = ["simulate_excess_risk"]

Array = NDArray[np.float64]


def simulate_excess_risk(
    chain: Chain, n_replicates: int, *, rng: np.random.Generator | np.random.SeedSequence | int
) -> RiskParts:
    r"""Draw the designs of a chain and return the risk of its student, averaged over label noise.

    Parameters
    ----------
    chain : Chain
        Any stages; ridge generators may share a design too.
    n_replicates : int
        Independent draws of all designs, >= 1.
    rng : Generator, SeedSequence or int
        Source of randomness; a seed gives the same replicates each time.

    Returns
    -------
    RiskParts of ndarray, shape (n_replicates,)
        In squared label units. Each entry is the conditional expectation of the excess risk given
        the designs of that replicate: unbiased for the risk, with less scatter than a risk with
        one draw of the noise. Take means with `fragile_learning.statistics`.

    Raises
    ------
    TypeError, ValueError
        If ``chain`` is not a `Chain`, ``n_replicates`` is not a positive integer, or ``rng`` is no
        source of randomness.

    Notes
    -----
    No approximation: the law of the result is that of the plain simulation, for every ``T``, ``d``
    and ridge. Time :math:`O(d\min(T, d)^2)` a stage and memory :math:`O(d\min(T, d))`: independent
    of ``T`` once ``T >= d``.

    For least squares with ``n_samples`` within one of ``n_features`` the expectation is infinite,
    and a mean of replicates does not converge.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> stages = [Stage(1_000_000, noise_std=1.0)]
    >>> chain = Chain(Spectrum.power_law(50, 1.0), np.ones(50), stages)
    >>> risk = simulate_excess_risk(chain, 20, rng=1)
    >>> risk.total.shape, bool(abs(risk.total.mean() / 5e-5 - 1) < 0.02)  # d / T
    ((20,), True)
    """
    if not isinstance(chain, Chain):
        raise TypeError(f"chain must be a Chain, got {type(chain).__name__}")
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    parts = np.empty((3, count))
    for replicate in range(count):
        parts[:, replicate] = _replicate(chain, generator)
    return RiskParts(parts[0], parts[1], parts[2], parts.sum(axis=0))


def _replicate(chain: Chain, rng: np.random.Generator) -> tuple[float, float, float]:
    """Bias, student's noise and generators' noise for one draw of all designs."""
    root = np.sqrt(chain.spectrum.eigenvalues)
    fits = _draw_fits(chain, rng)
    weights = chain.target
    for fit in fits:
        weights = fit.smooth(weights)
    bias = float(np.sum((root * (weights - chain.target)) ** 2))

    # Walk back from the student: `carried` maps a model's weights to root * (student's weights).
    carried: Array | None = None  # None stands for diag(root)
    contributions = []
    still_noisy = [any(s.noise_std > 0 for s in chain.stages[: i + 1]) for i in range(len(fits))]
    for index in range(len(fits) - 1, -1, -1):
        if not still_noisy[index]:
            break
        fit = fits[index]
        response = fit.respond(root, carried)  # what one unit of noise does, (d, rows)
        noise_std = chain.stages[index].noise_std
        contributions.append((index, noise_std**2 * float(np.sum(response**2))))
        if index > 0 and still_noisy[index - 1] and not fit.is_identity:
            carried = response @ fit.rows
    student = len(fits) - 1
    variance = sum(value for index, value in contributions if index == student)
    noise = sum(value for index, value in contributions if index != student)
    return bias, variance, noise


class _Fit:
    """One ridge fit: the linear map from labels to weights, for a design of few rows.

    ``rows`` (k, d) has the Gram matrix of the stage's design. The fit is ``weights = B labels``
    with ``B = rows' (rows rows' + penalty)^-1``, and ``B rows`` is the smoother.
    """

    def __init__(self, rows: Array, penalty: float, *, triangular: bool) -> None:
        self.rows = rows
        # A square design without penalty recovers any teacher exactly.
        self.is_identity = penalty == 0.0 and rows.shape[0] == rows.shape[1]
        self._triangular = triangular
        if self.is_identity:
            return
        if penalty == 0.0:
            self._basis, self._factor = qr(rows.T, mode="economic")
        else:
            gram = rows @ rows.T
            gram[np.diag_indices_from(gram)] += penalty
            self._basis, self._factor = None, cho_factor(gram, overwrite_a=True, check_finite=False)

    def smooth(self, weights: Array) -> Array:
        """Weights that this fit learns from noise-free labels of a model."""
        if self.is_identity:
            return weights
        if self._basis is not None:
            return np.asarray(self._basis @ (self._basis.T @ weights))
        return np.asarray(
            self.rows.T @ cho_solve(self._factor, self.rows @ weights, check_finite=False)
        )

    def respond(self, root: Array, carried: Array | None) -> Array:
        """``carried @ B``, the effect of unit label noise; ``carried=None`` is ``diag(root)``."""
        if self.is_identity:
            left = np.diag(root) if carried is None else carried
            if self._triangular:
                solved = solve_triangular(self.rows, left.T, trans="T", check_finite=False)
            else:
                solved = np.linalg.solve(self.rows.T, left.T)
            return np.asarray(solved.T)
        if self._basis is not None:
            left = root[:, None] * self._basis if carried is None else carried @ self._basis
            solved = solve_triangular(self._factor, left.T, check_finite=False)
        else:
            left = root[:, None] * self.rows.T if carried is None else carried @ self.rows.T
            solved = cho_solve(self._factor, left.T, check_finite=False)
        return np.asarray(solved.T)


def _draw_fits(chain: Chain, rng: np.random.Generator) -> list[_Fit]:
    root = np.sqrt(chain.spectrum.eigenvalues)
    shared = None
    if chain.shared_design and chain.n_generations > 0:
        shared = _draw_rows(chain.generators[0].n_samples, root, rng)
    fits = []
    for index, stage in enumerate(chain.stages):
        is_student = index == chain.n_generations
        rows = _draw_rows(stage.n_samples, root, rng) if is_student or shared is None else shared
        fits.append(_make_fit(stage, rows, root.size))
    return fits


def _make_fit(stage: Stage, rows: Array, n_features: int) -> _Fit:
    return _Fit(rows, stage.n_samples * stage.ridge, triangular=stage.n_samples >= n_features)


def _draw_rows(n_samples: int, root: Array, rng: np.random.Generator) -> Array:
    """``min(n_samples, d)`` rows whose Gram matrix has the law of ``n_samples`` Gaussian rows."""
    size = root.size
    if n_samples < size:
        return rng.standard_normal((n_samples, size)) * root
    upper = np.triu(rng.standard_normal((size, size)), 1)
    upper[np.diag_indices(size)] = np.sqrt(rng.chisquare(n_samples - np.arange(size)))
    return np.asarray(upper * root)
