r"""The effective ridge and the degrees of freedom that every theory chapter shares.

For a design of ``n_samples`` rows with covariance spectrum :math:`\lambda_1 \ge \dots` and the
penalty ``n_samples * ridge * ||w||^2``, ``ridge`` times the random resolvent acts in the large-size
limit like the deterministic matrix :math:`\kappa(\Sigma+\kappa)^{-1}`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, whole_array
from fragile_learning.spectra import Spectrum

__all__ = ["df1", "df2", "kappa"]

Array = NDArray[np.float64]

_MAX_ITERATIONS = 200
_BLOCK = 1 << 22  # entries of a (kappa, node) block


def kappa(spectrum: Spectrum, n_samples: ArrayLike, ridge: ArrayLike) -> Array | float:
    r"""Effective ridge: the root :math:`\kappa \ge \lambda` of a scalar equation.

    .. math:: \kappa - \lambda = \kappa\, \mathrm{df}_1(\kappa) / T

    Parameters
    ----------
    spectrum : Spectrum
    n_samples : array_like of int
        ``T`` >= 1 (whole numbers; floats are accepted when whole). Broadcasts with ``ridge``.
    ridge : array_like of float
        :math:`\lambda` >= 0, in units of the eigenvalues. The penalty multiplies ``n_samples``.

    Returns
    -------
    float or ndarray
        In units of the eigenvalues, with the broadcast shape of the arguments (``float`` for
        scalars). Zero where ``ridge == 0`` and ``n_samples >= n_features``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    :math:`f(\kappa) = \kappa - \lambda - \kappa\,\mathrm{df}_1(\kappa)/T` is convex with
    :math:`f(0) \le 0`, so Newton's method from the right end
    :math:`\lambda + \mathrm{tr}\,\Sigma/T` falls monotonically onto the root and never fails, at
    :math:`T = d` and for :math:`\lambda = 10^{-14}` included. For :math:`T \ge d` the cancelling
    term is written :math:`\kappa(T-d)/T + (\kappa/T)\sum_j \kappa/(\lambda_j+\kappa)`. Relative
    residual below 1e-12. Cost :math:`O(d)` once, then independent of :math:`d`.

    References
    ----------
    Dohmatob, Feng, Kempe, "Model Collapse Demystified", 2024, equation (9); Bach, "High-dimensional
    analysis of double descent", 2023, section 2.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> kappa(Spectrum.isotropic(4), 2, 0.0)  # d / T - 1
    1.0
    >>> kappa(Spectrum.power_law(1000, 2.0), [10, 100], 1e-3).round(6)
    array([0.024064, 0.001613])
    """
    samples = whole_array("n_samples", n_samples)
    penalty = real_array("ridge", ridge, minimum=0.0)
    shape = np.broadcast_shapes(samples.shape, penalty.shape)
    flat_samples = np.broadcast_to(samples, shape).ravel()
    flat_penalty = np.broadcast_to(penalty, shape).ravel()
    roots = np.zeros(flat_samples.size)
    open_points = (flat_penalty > 0) | (flat_samples < spectrum.n_features)
    roots[open_points] = _newton(spectrum, flat_samples[open_points], flat_penalty[open_points])
    return _shaped(roots.reshape(shape))


def df1(spectrum: Spectrum, kappa: ArrayLike) -> Array | float:
    r"""First degrees of freedom, :math:`\sum_j \lambda_j / (\lambda_j + \kappa)`.

    Parameters
    ----------
    spectrum : Spectrum
    kappa : array_like of float
        >= 0, any shape, in units of the eigenvalues.

    Returns
    -------
    float or ndarray
        Of the shape of ``kappa``, between 0 and ``n_features`` (reached at ``kappa == 0``).

    Raises
    ------
    TypeError, ValueError
        If ``kappa`` is negative or not finite.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> df1(Spectrum.isotropic(4), 1.0)
    2.0
    """
    return _degrees_of_freedom(spectrum, kappa, 1)


def df2(spectrum: Spectrum, kappa: ArrayLike) -> Array | float:
    r"""Second degrees of freedom, :math:`\sum_j \lambda_j^2 / (\lambda_j + \kappa)^2`.

    Parameters, shapes and errors as in `df1`; never larger than `df1`.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> df2(Spectrum.isotropic(4), 1.0)
    1.0
    """
    return _degrees_of_freedom(spectrum, kappa, 2)


def _shaped(values: Array) -> Array | float:
    return float(values) if values.ndim == 0 else values


def _degrees_of_freedom(spectrum: Spectrum, kappa: ArrayLike, power: int) -> Array | float:
    effective = real_array("kappa", kappa, minimum=0.0)
    nodes, weights = spectrum.measure
    flat = effective.ravel()
    sums = np.empty(flat.size)
    for block in _blocks(flat.size, nodes.size):
        sums[block] = (nodes / (nodes + flat[block, None])) ** power @ weights[0]
    return _shaped(sums.reshape(effective.shape))


def _blocks(n_points: int, n_nodes: int) -> list[slice]:
    """Slices that keep a (point, node) array below a fixed size."""
    step = max(1, _BLOCK // n_nodes)
    return [slice(start, start + step) for start in range(0, n_points, step)]


def _newton(spectrum: Spectrum, samples: Array, penalty: Array) -> Array:
    nodes, weights = spectrum.measure
    n_features = float(spectrum.n_features)
    root = penalty + spectrum.trace / samples
    active = np.arange(root.size)
    for _ in range(_MAX_ITERATIONS):
        if active.size == 0:
            break
        # slope * root - value = excess + penalty, a sum of positive terms: the Newton step
        # root - value / slope is (excess + penalty) / slope, without cancellation.
        excess, slack = np.empty(active.size), np.empty(active.size)
        for block in _blocks(active.size, nodes.size):
            current = root[active[block], None]
            total = nodes + current
            share = nodes / total
            rest = current / total
            excess[block] = root[active[block]] * ((share * rest) @ weights[0])
            # T - df2 = (T - d) + sum of (1 - share^2) when T >= d
            missing = (rest * (1.0 + share)) @ weights[0]
            plain = samples[active[block]] - (share * share) @ weights[0]
            above = samples[active[block]] - n_features
            slack[block] = np.where(above >= 0, above + missing, plain)
        step = (excess + samples[active] * penalty[active]) / slack
        moved = step < root[active] * (1.0 - 4e-16)
        root[active[moved]] = step[moved]
        active = active[moved]
    return root
