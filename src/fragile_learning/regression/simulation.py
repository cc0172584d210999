"""Exact sampling of a chain of regressions, without ever building a tall design.

The simulator knows the model and no formula for its risk. It uses exact facts alone:

- a fit depends on its design ``X`` (``T x d``) through ``X'X``, and on the noise through ``X'E``.
  For ``T >= d`` the matrix ``X'X`` has the law of ``S L L' S`` with ``S`` the square root of the
  covariance and ``L`` triangular (Bartlett): chi-distributed diagonal, standard normal beside it.
  So ``d`` rows stand for all ``T``;
- the excess risk of a weight vector is ``||w - w_0||_Sigma^2``: no test set is needed;
- given the designs, the label noise enters linearly, so its average is a matrix norm;
- least squares with ``T >= d`` recovers its teacher, so its design matters for its own noise alone.
  If no later stage shrinks, that is ``tr (Z'Z)^-1`` of a white design, which has the law of
  ``||B^-1||_F^2`` for a bidiagonal ``B`` with independent chi entries (Golub-Kahan reduction):
  ``O(d)`` operations, for all replicates at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, qr, solve_triangular
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dlauum, dpotrf, dpotri

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
    noise = np.zeros((chain.n_generations + 1, count))  # of each stage
    bias = np.zeros(count)

    # Stages after the last one that shrinks pass on what they get, and add noise of their own.
    size = chain.spectrum.n_features
    shrinking = [i for i, stage in enumerate(chain.stages) if not _recovers(stage, size)]
    first_free = shrinking[-1] + 1 if shrinking else 0
    if shrinking:
        for replicate in range(count):
            bias[replicate], noise[:first_free, replicate] = _replicate(
                chain, first_free, generator
            )
    shared: Array | None = None
    for index in range(first_free, chain.n_generations + 1):
        stage = chain.stages[index]
        if stage.noise_std == 0.0:
            continue
        if chain.shared_design and index < chain.n_generations:
            if shared is None:
                shared = _inverse_traces(stage.n_samples, size, count, generator)
            traces = shared
        else:
            traces = _inverse_traces(stage.n_samples, size, count, generator)
        noise[index] = stage.noise_std**2 * traces
    variance, inherited = noise[-1], noise[:-1].sum(axis=0)
    return RiskParts(bias, variance, inherited, bias + variance + inherited)


def _recovers(stage: Stage, n_features: int) -> bool:
    """Whether a stage recovers any teacher from noise-free labels."""
    return stage.ridge == 0.0 and stage.n_samples >= n_features


def _inverse_traces(n_samples: int, size: int, count: int, rng: np.random.Generator) -> Array:
    """Draw ``tr (Z'Z)^-1`` for white designs of ``n_samples >= size`` rows.

    With ``a`` on the diagonal and ``b`` below it, the rows of the inverse of a lower bidiagonal
    matrix obey ``row_i = (e_i - b_i row_(i-1)) / a_i``, whose two terms are orthogonal.
    """
    diagonal = rng.chisquare(n_samples - np.arange(size), (count, size)).T
    below = rng.chisquare(np.maximum(size - np.arange(size), 1), (count, size)).T
    norm = 1.0 / diagonal[0]
    total = norm.copy()
    for i in range(1, size):
        norm = (1.0 + below[i] * norm) / diagonal[i]
        total += norm
    return np.asarray(total)


def _replicate(chain: Chain, n_stages: int, rng: np.random.Generator) -> tuple[float, Array]:
    """Bias, and the noise of each of the first stages, the last of which shrinks, for one draw."""
    root = np.sqrt(chain.spectrum.eigenvalues)
    fits = _draw_fits(chain, n_stages, rng)
    weights = chain.target
    for fit in fits:
        weights = fit.smooth(weights)
    bias = float(np.sum((root * (weights - chain.target)) ** 2))

    # Walk back from the last stage: `carried` maps a model's weights to root * (last weights).
    noise = np.zeros(n_stages)
    carried: Array | None = None  # None stands for diag(root)
    quiet = [all(s.noise_std == 0.0 for s in chain.stages[: i + 1]) for i in range(n_stages)]
    for index in range(n_stages - 1, -1, -1):
        if quiet[index]:
            break
        power, carried = fits[index].respond(
            root, carried, further=index > 0 and not quiet[index - 1]
        )
        noise[index] = chain.stages[index].noise_std ** 2 * power
    return bias, noise


class _Recovery:
    """Least squares with at least as many samples as features: the identity, with noise."""

    def __init__(self, white: Array, root: Array) -> None:
        self._upper, self._root = white, root

    def smooth(self, weights: Array) -> Array:
        """Weights that this fit learns from noise-free labels of a model."""
        return weights

    def respond(
        self, root: Array, carried: Array | None, *, further: bool
    ) -> tuple[float, Array | None]:
        """Squared effect of unit label noise, and the map for the stage before."""
        del root, further
        assert carried is not None  # noqa: S101 - a later stage shrinks
        response = dtrsm(1.0, self._upper, (carried / self._root).T)
        return float(np.sum(response**2)), carried


class _Ridge:
    """Ridge with at least as many samples as features, through the precision matrix.

    ``P = (X'X + penalty)^-1``; the smoother is ``1 - penalty P``, and ``B B' = P - penalty P^2``.
    """

    def __init__(self, white: Array, penalty: float, root: Array) -> None:
        gram, _ = dlauum(root[:, None] * white)  # upper upper'
        gram[np.diag_indices_from(gram)] += penalty
        factor, failed = dpotrf(gram, overwrite_a=1)
        if failed:
            raise ValueError(f"ridge must be large enough for double precision, got {penalty!r}")
        upper, _ = dpotri(factor, overwrite_c=1)
        self._precision = np.triu(upper) + np.triu(upper, 1).T
        self._penalty = penalty

    def smooth(self, weights: Array) -> Array:
        """Weights that this fit learns from noise-free labels of a model."""
        return np.asarray(weights - self._penalty * (self._precision @ weights))

    def respond(
        self, root: Array, carried: Array | None, *, further: bool
    ) -> tuple[float, Array | None]:
        """Squared effect of unit label noise, and the map for the stage before."""
        precision, penalty = self._precision, self._penalty
        if carried is None:
            left = root[:, None] * precision
            power = float(root**2 @ np.diag(precision)) - penalty * float(np.sum(left**2))
        else:
            left = carried @ precision
            power = float(np.sum(left * carried)) - penalty * float(np.sum(left**2))
        if not further:
            return power, None
        before = np.diag(root) if carried is None else carried
        return power, np.asarray(before - penalty * left)


class _Projection:
    """A fit with fewer samples than features, with or without ridge.

    ``rows`` (T, d) is the design itself. ``B = rows' (rows rows' + penalty)^-1``.
    """

    def __init__(self, white: Array, penalty: float, root: Array) -> None:
        self.rows = white * root
        if penalty == 0.0:
            self._basis, self._factor = qr(self.rows.T, mode="economic")
        else:
            gram = self.rows @ self.rows.T
            gram[np.diag_indices_from(gram)] += penalty
            self._basis, self._factor = None, cho_factor(gram, overwrite_a=True, check_finite=False)

    def smooth(self, weights: Array) -> Array:
        """Weights that this fit learns from noise-free labels of a model."""
        if self._basis is not None:
            return np.asarray(self._basis @ (self._basis.T @ weights))
        solved = cho_solve(self._factor, self.rows @ weights, check_finite=False)
        return np.asarray(self.rows.T @ solved)

    def respond(
        self, root: Array, carried: Array | None, *, further: bool
    ) -> tuple[float, Array | None]:
        """Squared effect of unit label noise, and the map for the stage before."""
        right = self.rows.T if self._basis is None else self._basis
        left = root[:, None] * right if carried is None else carried @ right
        if self._basis is not None:
            response = solve_triangular(self._factor, left.T, check_finite=False)
        else:
            response = cho_solve(self._factor, left.T, check_finite=False)
        power = float(np.sum(response**2))
        return power, np.asarray(response.T @ self.rows) if further else None


_Fit = _Recovery | _Ridge | _Projection


def _draw_fits(chain: Chain, n_stages: int, rng: np.random.Generator) -> list[_Fit]:
    root = np.sqrt(chain.spectrum.eigenvalues)
    shared: Array | None = None
    known: dict[float, _Fit] = {}  # fits of the shared design, by ridge
    fits: list[_Fit] = []
    for index, stage in enumerate(chain.stages[:n_stages]):
        if not chain.shared_design or index == chain.n_generations:
            fits.append(_make_fit(stage, _draw_white(stage.n_samples, root.size, rng), root))
            continue
        if shared is None:
            shared = _draw_white(stage.n_samples, root.size, rng)
        if stage.ridge not in known:
            known[stage.ridge] = _make_fit(stage, shared, root)
        fits.append(known[stage.ridge])
    return fits


def _make_fit(stage: Stage, white: Array, root: Array) -> _Fit:
    if _recovers(stage, root.size):
        return _Recovery(white, root)
    penalty = stage.n_samples * stage.ridge
    kind = _Ridge if stage.n_samples >= root.size else _Projection
    return kind(white, penalty, root)


def _draw_white(n_samples: int, size: int, rng: np.random.Generator) -> Array:
    """White Gaussian rows ``Z``, or upper triangular ``U`` with ``U U'`` of the law of ``Z'Z``."""
    if n_samples < size:
        return rng.standard_normal((n_samples, size))
    upper = np.zeros((size, size))
    upper[np.tri(size, k=-1, dtype=bool).T] = rng.standard_normal(size * (size - 1) // 2)
    freedom = n_samples - np.arange(size)[::-1]
    upper[np.diag_indices(size)] = np.sqrt(rng.chisquare(freedom))
    return upper
