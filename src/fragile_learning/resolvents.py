r"""Random resolvents and their deterministic equivalents: the primer's measurements.

A design :math:`X` of ``n_samples`` independent rows :math:`x \sim N(0, \Sigma)` gives the sample
covariance :math:`\hat\Sigma = X^\top X / T`, the resolvent
:math:`R = (\hat\Sigma + \lambda I)^{-1}` and the smoother :math:`A = R \hat\Sigma`.
`resolvent_draws` measures traces of them; `resolvent_equivalents` predicts the same traces from
the fixed point :math:`\kappa`. The two share no formula.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_array, real_number, whole_number
from fragile_learning.equivalents import kappa as effective_ridge
from fragile_learning.spectra import Spectrum

__all__ = [
    "ResolventEquivalents",
    "ResolventTraces",
    "resolvent_draws",
    "resolvent_equivalents",
]

Array = NDArray[np.float64]


class ResolventTraces(NamedTuple):
    r"""Traces of random resolvents, one entry for each design.

    ``M`` is the diagonal matrix ``middle``, ``B`` the diagonal matrix ``outer``.

    Attributes
    ----------
    kappa : ndarray, shape (n_draws,)
        :math:`\lambda + \mathrm{tr}(\Sigma\,\lambda R)/T`, in units of the eigenvalues.
    resolvent : ndarray, shape (n_draws,)
        :math:`\mathrm{tr}(B\,\lambda R)`.
    resolvent_sandwich : ndarray, shape (n_draws,)
        :math:`\lambda^2\,\mathrm{tr}(B R M R)`.
    smoother_sandwich : ndarray, shape (n_draws,)
        :math:`\mathrm{tr}(B A M A)`.
    noise : ndarray, shape (n_draws,)
        :math:`\mathrm{tr}(M R \hat\Sigma R)/T`.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> traces = resolvent_draws(Spectrum.isotropic(4), 8, 0.5, 3, rng=0)
    >>> ResolventTraces._fields
    ('kappa', 'resolvent', 'resolvent_sandwich', 'smoother_sandwich', 'noise')
    >>> traces.kappa.shape, bool((traces.kappa > 0.5).all())  # the ridge, and more
    ((3,), True)
    """

    kappa: Array
    resolvent: Array
    resolvent_sandwich: Array
    smoother_sandwich: Array
    noise: Array


class ResolventEquivalents(NamedTuple):
    """Predicted values of the fields of `ResolventTraces`, and the size of their error.

    Attributes
    ----------
    kappa, resolvent, resolvent_sandwich, smoother_sandwich, noise : float
    finite_size : float
        ``1 / (T - df2)``, the scale of the relative error at finite size: no bound.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> found = resolvent_equivalents(Spectrum.isotropic(100), 200, 0.0)
    >>> found.kappa, found.resolvent, found.finite_size  # T > d: no effective ridge, 1/(T - d)
    (0.0, 0.0, 0.01)
    """

    kappa: float
    resolvent: float
    resolvent_sandwich: float
    smoother_sandwich: float
    noise: float
    finite_size: float


def resolvent_draws(
    spectrum: Spectrum,
    n_samples: int,
    ridge: float,
    n_draws: int,
    *,
    middle: ArrayLike | None = None,
    outer: ArrayLike | None = None,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> ResolventTraces:
    r"""Measure traces of resolvents on independent Gaussian designs.

    Parameters
    ----------
    spectrum : Spectrum
        Eigenvalues of :math:`\Sigma`, which is taken diagonal.
    n_samples : int
        Rows of each design, ``T`` >= 1.
    ridge : float
        :math:`\lambda` >= 0; the penalty multiplies ``n_samples``. At 0 the limit
        :math:`\lambda \to 0^+` is taken: :math:`A` is the projector on the row space of ``X``,
        :math:`\lambda R` its complement and :math:`R\hat\Sigma R` the pseudo-inverse of
        :math:`\hat\Sigma`.
    n_draws : int
        Number of designs, >= 1.
    middle, outer : array_like, shape (n_features,), optional
        Diagonals of ``M`` and ``B``, finite. The eigenvalues by default.
    rng : Generator, SeedSequence or int
        The same seed gives the same designs for every ``ridge``: comparisons can be paired.

    Returns
    -------
    ResolventTraces

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or an array has the wrong length.

    Notes
    -----
    If one of ``M`` and ``B`` is diagonal, the other may be taken diagonal without loss in
    expectation: the law of ``X`` does not change when a column changes sign, so its off-diagonal
    entries average to zero. Two full matrices are not covered: entries of both at one place add
    to the trace. Builds every design: ``O(n_draws * d * d * max(T, d))`` time.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> traces = resolvent_draws(Spectrum.isotropic(4), 2, 0.0, 3, rng=0)
    >>> traces.resolvent.round(12)  # a projector of rank d - T = 2
    array([2., 2., 2.])
    """
    rows = whole_number("n_samples", n_samples)
    penalty = real_number("ridge", ridge, minimum=0.0)
    draws = whole_number("n_draws", n_draws)
    inside = _diagonal("middle", middle, spectrum)
    outside = _diagonal("outer", outer, spectrum)
    generator = as_generator(rng)
    eigenvalues = spectrum.eigenvalues
    root = np.sqrt(eigenvalues)
    table = np.empty((5, draws))
    for draw in range(draws):
        design = generator.standard_normal((rows, eigenvalues.size)) * root
        complement, smoother, sandwich = _matrices(design, penalty)
        table[:, draw] = (
            penalty + eigenvalues @ complement.diagonal() / rows,
            outside @ complement.diagonal(),
            outside @ complement**2 @ inside,
            outside @ smoother**2 @ inside,
            inside @ sandwich / rows,
        )
    return ResolventTraces(*table)


def resolvent_equivalents(
    spectrum: Spectrum,
    n_samples: int,
    ridge: float,
    *,
    middle: ArrayLike | None = None,
    outer: ArrayLike | None = None,
) -> ResolventEquivalents:
    r"""Predict the traces of `resolvent_draws` for large sizes.

    With :math:`G = (\Sigma + \kappa)^{-1}`, :math:`\bar A = \Sigma G` and
    :math:`v(M) = \mathrm{tr}(M \Sigma G^2) / (T - \mathrm{df}_2(\kappa))`:

    .. math::

        \lambda R \simeq \kappa G, \qquad
        \lambda^2 R M R \simeq \kappa^2 G M G + \kappa^2 v(M)\, \Sigma G^2, \\
        A M A \simeq \bar A M \bar A + \kappa^2 v(M)\, \Sigma G^2, \qquad
        \mathrm{tr}(M R \hat\Sigma R)/T \simeq v(M).

    Parameters
    ----------
    spectrum, n_samples, ridge, middle, outer
        As in `resolvent_draws`.

    Returns
    -------
    ResolventEquivalents
        ``noise`` and ``finite_size`` are ``inf`` at ``ridge == 0``, ``n_samples == n_features``.

    Raises
    ------
    TypeError, ValueError
        As in `resolvent_draws`.

    Notes
    -----
    The limit of many samples, in the sense of the primer. The relative error is of the order of
    ``finite_size``, three times that and more for ``outer`` in the strongest directions of a
    decaying spectrum; near ``T = d`` without ridge ``finite_size`` is no longer small.

    References
    ----------
    Primer, "Ridge regression and deterministic equivalents"; Bach, "High-dimensional analysis of
    double descent for linear regression with random projections", 2023, Propositions 1 and 2.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> resolvent_equivalents(Spectrum.isotropic(100), 200, 0.0).noise  # phi / (1 - phi)
    1.0
    """
    rows = whole_number("n_samples", n_samples)
    penalty = real_number("ridge", ridge, minimum=0.0)
    inside = _diagonal("middle", middle, spectrum)
    outside = _diagonal("outer", outer, spectrum)
    eigenvalues = spectrum.eigenvalues
    root = float(effective_ridge(spectrum, rows, penalty))
    share = eigenvalues / (eigenvalues + root)
    rest = root / (eigenvalues + root)
    weight = eigenvalues / (eigenvalues + root) ** 2
    # T - df2 = (T - d) + sum of (1 - share^2): exact at T = d, where T - df2 cancels
    slack = rows - eigenvalues.size + float(np.sum(rest * (1.0 + share)))
    if slack <= 0.0:
        noise, finite_size, spill = np.inf, np.inf, 0.0  # kappa = 0: kappa^2 / slack -> 0
    else:
        noise, finite_size = float(inside @ weight) / slack, 1.0 / slack
        spill = root**2 * noise * float(outside @ weight)
    return ResolventEquivalents(
        kappa=root,
        resolvent=float(outside @ rest),
        resolvent_sandwich=float(outside @ (rest**2 * inside)) + spill,
        smoother_sandwich=float(outside @ (share**2 * inside)) + spill,
        noise=noise,
        finite_size=finite_size,
    )


def _diagonal(name: str, value: ArrayLike | None, spectrum: Spectrum) -> Array:
    if value is None:
        return spectrum.eigenvalues
    diagonal = real_array(name, value, ndim=1)
    if diagonal.size != spectrum.n_features:
        raise ValueError(
            f"{name} must have one entry for each of {spectrum.n_features} eigenvalues, "
            f"got {diagonal.size}"
        )
    return diagonal


def _matrices(design: Array, ridge: float) -> tuple[Array, Array, Array]:
    """``ridge * R``, ``A`` and the diagonal of ``R S R``, for ``S = X'X / T``.

    Built from eigenvectors, so that a tiny ridge cancels nothing.
    """
    rows, columns = design.shape
    if rows < columns:
        values, left = np.linalg.eigh(design @ design.T / rows)
        directions = left.T @ design / np.sqrt(rows * values)[:, None]
        rest = np.eye(columns) - directions.T @ directions
    else:
        values, right = np.linalg.eigh(design.T @ design / rows)
        directions = right.T
        rest = np.zeros((columns, columns))
    weighted = directions.T / (values + ridge)
    complement = rest + ridge * (weighted @ directions)
    smoother = (weighted * values) @ directions
    sandwich = np.sum(weighted**2 * values, axis=1)
    return complement, smoother, sandwich
