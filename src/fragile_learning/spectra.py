"""Covariance spectra and the coordinates of a target in their eigenbasis.

With one covariance, rotating to its eigenbasis loses nothing: it is a vector of eigenvalues, and a
target the vector of its coordinates there. Only sources with several covariances need matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number, whole_number

__all__ = ["SpectralMeasure", "Spectrum", "source_condition_target", "spectral_measure"]

Array = NDArray[np.float64]

# Compression of a spectrum into nodes: see `spectral_measure`.
_LOG_WIDTH = 1.5
_NODES_PER_BIN = 18
_DIRECT_LIMIT = 2048
_CHUNK = 4096


class SpectralMeasure(NamedTuple):
    """A few weighted nodes that integrate smooth functions of a covariance's eigenvalues.

    ``weights @ f(nodes)`` equals ``sum_j density_ij f(eigenvalue_j)`` for each density ``i``.

    Attributes
    ----------
    nodes : ndarray, shape (K,)
        Positive, in units of the eigenvalues.
    weights : ndarray, shape (n_densities, K)

    Examples
    --------
    >>> found = Spectrum([4.0, 1.0]).measure
    >>> nodes, weights = found
    >>> float(weights[0] @ nodes), float(weights[0] @ np.ones_like(nodes))  # trace, number
    (5.0, 2.0)
    """

    nodes: Array
    weights: Array


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of a covariance, positive and in descending order.

    Parameters
    ----------
    eigenvalues : array_like, shape (n_features,)
        Finite and positive, in squared units of the features. Sorted on construction.

    Raises
    ------
    TypeError, ValueError
        If the array is empty, not one-dimensional, or holds anything but finite positive numbers.

    Examples
    --------
    >>> spectrum = Spectrum([1.0, 4.0])
    >>> spectrum.eigenvalues
    array([4., 1.])
    >>> spectrum.n_features, spectrum.trace
    (2, 5.0)
    """

    eigenvalues: Array

    def __post_init__(self) -> None:
        values = real_array("eigenvalues", self.eigenvalues, ndim=1, minimum=0.0, open_minimum=True)
        if values.size == 0:
            raise ValueError("eigenvalues must hold at least 1 value, got an empty array")
        if np.any(values[1:] > values[:-1]):
            values = np.sort(values)[::-1].copy()
        values.setflags(write=False)
        object.__setattr__(self, "eigenvalues", values)

    @classmethod
    def isotropic(cls, n_features: int, scale: float = 1.0) -> Spectrum:
        """``n_features`` equal eigenvalues ``scale``: white features.

        >>> Spectrum.isotropic(3, scale=2.0).eigenvalues
        array([2., 2., 2.])
        """
        size = whole_number("n_features", n_features)
        value = real_number("scale", scale, minimum=0.0, open_minimum=True)
        return cls(np.full(size, value))

    @classmethod
    def power_law(cls, n_features: int, exponent: float) -> Spectrum:
        """Eigenvalues ``j ** -exponent`` for ``j = 1 .. n_features`` (capacity exponent > 0).

        >>> Spectrum.power_law(3, 2.0).eigenvalues.round(4)
        array([1.    , 0.25  , 0.1111])
        """
        size = whole_number("n_features", n_features)
        beta = real_number("exponent", exponent, minimum=0.0, open_minimum=True)
        return cls(np.arange(1, size + 1, dtype=np.float64) ** -beta)

    @property
    def n_features(self) -> int:
        """Number of eigenvalues, the input dimension ``d``."""
        return int(self.eigenvalues.size)

    @cached_property
    def trace(self) -> float:
        """Sum of the eigenvalues."""
        return float(np.sum(self.eigenvalues))

    @cached_property
    def measure(self) -> SpectralMeasure:
        """The counting measure of the eigenvalues, compressed (see `spectral_measure`)."""
        return spectral_measure(self, np.ones(self.n_features))

    @property
    def is_isotropic(self) -> bool:
        """Whether all eigenvalues are equal."""
        return bool(self.eigenvalues[0] == self.eigenvalues[-1])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spectrum):
            return NotImplemented
        return np.array_equal(self.eigenvalues, other.eigenvalues)

    def __hash__(self) -> int:
        return hash(self.eigenvalues.tobytes())

    def __repr__(self) -> str:
        low, high = self.eigenvalues[-1], self.eigenvalues[0]
        return f"Spectrum(n_features={self.n_features}, eigenvalues {low:.4g} .. {high:.4g})"


def source_condition_target(n_features: int, exponent: float, source_exponent: float) -> Array:
    r"""Coordinates of a target whose smoothness is the source exponent ``r``.

    With eigenvalues :math:`\lambda_j = j^{-\beta}` the coordinates are
    :math:`c_j = j^{-\delta/2}`, :math:`\delta = 1 + \beta (2r - 1)`, so that
    :math:`\lambda_j c_j^2 = j^{-1 - 2 r \beta}`.

    Parameters
    ----------
    n_features : int
        Length of the result, >= 1.
    exponent : float
        Capacity exponent ``beta`` > 0 of the power-law spectrum.
    source_exponent : float
        ``r`` > 0: larger is smoother, that is easier to learn.

    Returns
    -------
    ndarray, shape (n_features,)

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    This is the borderline of the source condition: the squared norm
    :math:`\lVert\Sigma^{1/2-r} w_0\rVert^2 = \sum_j 1/j` diverges like the logarithm of
    ``n_features``, which changes no exponent.

    References
    ----------
    Dohmatob, Feng, Kempe, "Model Collapse Demystified", 2024, section 5.

    Examples
    --------
    >>> source_condition_target(3, 2.0, 0.375).round(4)  # delta = 1/2
    array([1.    , 0.8409, 0.7598])
    """
    size = whole_number("n_features", n_features)
    beta = real_number("exponent", exponent, minimum=0.0, open_minimum=True)
    r = real_number("source_exponent", source_exponent, minimum=0.0, open_minimum=True)
    delta = 1.0 + beta * (2.0 * r - 1.0)
    coordinates: Array = np.arange(1, size + 1, dtype=np.float64) ** (-delta / 2.0)
    return coordinates


def spectral_measure(spectrum: Spectrum, *densities: ArrayLike) -> SpectralMeasure:
    r"""Compress a spectrum with densities on it into a few hundred weighted nodes.

    Every sum of the theory has the form :math:`\sum_j g_j f(\lambda_j)` with a density
    :math:`g` that is fixed (ones, squared target coordinates) and a function :math:`f` that
    changes with :math:`\kappa` but is a product of at most four factors
    :math:`\lambda/(\lambda+\kappa)`, :math:`1/(\lambda+\kappa)` or :math:`\lambda`. As a function
    of :math:`x = \log\lambda` such an :math:`f` is analytic in the strip
    :math:`|\mathrm{Im}\,x| < \pi`, whatever :math:`\kappa`. So the eigenvalues are cut into bins
    of log-width 1.5 and each bin is replaced by 18 Chebyshev nodes whose weights carry the same
    Chebyshev moments of the density. The nearest pole makes the interpolation error fall like
    :math:`8.5^{-18}`, below rounding. One pass over the eigenvalues, :math:`O(d)`; every later
    evaluation costs the number of nodes, which grows with the log of the condition number only.

    Parameters
    ----------
    spectrum : Spectrum
    *densities : array_like, shape (n_features,)
        Finite weights, in the order of ``spectrum.eigenvalues``.

    Returns
    -------
    SpectralMeasure
        Exact (nodes are the eigenvalues) up to 2,048 distinct eigenvalues.

    Raises
    ------
    ValueError
        If a density has the wrong length or is not finite.

    Notes
    -----
    Exact to about 1e-13 relative to :math:`\sum_j |g_j f(\lambda_j)|` for the functions named
    above. Wrong for functions with a sharper feature, such as an indicator or a high power.

    Examples
    --------
    >>> spectrum = Spectrum.power_law(100_000, 1.5)
    >>> nodes, weights = spectral_measure(spectrum, np.ones(100_000))
    >>> exact = np.sum(spectrum.eigenvalues / (spectrum.eigenvalues + 1e-3))
    >>> nodes.size < 500, bool(abs((weights @ (nodes / (nodes + 1e-3)))[0] / exact - 1) < 1e-12)
    (True, True)
    """
    values = spectrum.eigenvalues
    table = np.stack([_density(spectrum, density) for density in densities])
    changes = values[1:] != values[:-1]
    if np.count_nonzero(changes) < _DIRECT_LIMIT:
        starts = np.r_[0, 1 + np.flatnonzero(changes)]
        return SpectralMeasure(values[starts].copy(), np.add.reduceat(table, starts, axis=1))

    n_bins = int((np.log(values[0]) - np.log(values[-1])) / _LOG_WIDTH) + 1
    limits = values[0] * np.exp(-_LOG_WIDTH * np.arange(1, n_bins))
    below = np.searchsorted(values[::-1], limits, side="right")  # how many are in later bins
    edges = np.unique(np.r_[0, values.size - below, values.size])
    nodes: list[Array] = []
    weights: list[Array] = []
    angles = (np.arange(_NODES_PER_BIN) + 0.5) * np.pi / _NODES_PER_BIN
    orders = np.arange(_NODES_PER_BIN)
    to_weights = np.cos(orders[:, None] * angles) * np.where(orders == 0, 1.0, 2.0)[:, None]
    for start, stop in pairwise(edges):
        bin_values, bin_densities = values[start:stop], table[:, start:stop]
        if stop - start <= _NODES_PER_BIN:
            nodes.append(bin_values)
            weights.append(bin_densities)
            continue
        x = np.log(bin_values)
        centre, half = (x[0] + x[-1]) / 2.0, max((x[0] - x[-1]) / 2.0, 1e-12)
        moments = _chebyshev_moments(np.clip((x - centre) / half, -1.0, 1.0), bin_densities)
        nodes.append(np.exp(centre + half * np.cos(angles)))
        weights.append(moments @ to_weights / _NODES_PER_BIN)
    return SpectralMeasure(np.concatenate(nodes), np.concatenate(weights, axis=1))


def _chebyshev_moments(x: Array, densities: Array) -> Array:
    """Sum each density times each Chebyshev polynomial, shape (n_densities, n_orders)."""
    moments = np.zeros((len(densities), _NODES_PER_BIN))
    for start in range(0, x.size, _CHUNK):  # small enough to stay in the processor's cache
        here = slice(start, start + _CHUNK)
        twice = 2.0 * x[here]
        polynomials = np.empty((_NODES_PER_BIN, twice.size))
        polynomials[0], polynomials[1] = 1.0, x[here]
        for order in range(2, _NODES_PER_BIN):
            np.multiply(twice, polynomials[order - 1], out=polynomials[order])
            polynomials[order] -= polynomials[order - 2]
        moments += densities[:, here] @ polynomials.T
    return moments


def _density(spectrum: Spectrum, density: Any) -> Array:
    values = real_array("density", density, ndim=1)
    if values.size != spectrum.n_features:
        raise ValueError(
            f"density must have length n_features = {spectrum.n_features}, got {values.size}"
        )
    return values
