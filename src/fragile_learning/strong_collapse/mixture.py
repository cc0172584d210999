"""The setting: real and synthetic samples of the same inputs, labelled by different teachers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import real_array, real_number, whole_number
from fragile_learning.spectra import Spectrum

__all__ = ["FixedShift", "Mixture", "MixtureRisk", "RandomShift"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RandomShift:
    """Synthetic teacher minus real teacher, as a centred random vector independent of both.

    Parameters
    ----------
    variances : array_like, shape (n_features,)
        Variance >= 0 of each coordinate in the eigenbasis of the feature covariance. Correlations
        between coordinates change no expected risk: the signs of the features' coordinates are
        symmetric, so that only the diagonal of the covariance enters.

    Raises
    ------
    TypeError, ValueError
        If an entry is negative or not finite, or the array is not one-dimensional.

    Examples
    --------
    >>> RandomShift([0.1, 0.2]).square
    array([0.1, 0.2])
    """

    variances: Array

    def __post_init__(self) -> None:
        values = real_array("variances", self.variances, ndim=1, minimum=0.0)
        values.setflags(write=False)
        object.__setattr__(self, "variances", values)

    @classmethod
    def from_covariance(cls, covariance: Any) -> RandomShift:
        """Shift with a covariance matrix (d, d), symmetric and positive semi-definite.

        >>> RandomShift.from_covariance([[2.0, 1.0], [1.0, 1.0]]).variances
        array([2., 1.])
        """
        matrix = real_array("covariance", covariance, ndim=2)
        if matrix.shape[0] != matrix.shape[1] or not np.allclose(matrix, matrix.T):
            raise ValueError(f"covariance must be square and symmetric, got shape {matrix.shape}")
        lowest = float(np.linalg.eigvalsh(matrix)[0]) if matrix.size else 0.0
        if lowest < -1e-10 * float(np.abs(matrix).max(initial=0.0)):
            raise ValueError(f"covariance must have eigenvalues >= 0, got {lowest}")
        return cls(np.maximum(np.diag(matrix), 0.0))

    @property
    def square(self) -> Array:
        """Mean square of each coordinate, shape (n_features,)."""
        return self.variances


@dataclass(frozen=True, eq=False)
class FixedShift:
    """Synthetic teacher minus real teacher, as a known vector.

    Parameters
    ----------
    coordinates : array_like, shape (n_features,)
        In the eigenbasis of the feature covariance.

    Raises
    ------
    TypeError, ValueError
        If an entry is not finite, or the array is not one-dimensional.
    """

    coordinates: Array

    def __post_init__(self) -> None:
        values = real_array("coordinates", self.coordinates, ndim=1)
        values.setflags(write=False)
        object.__setattr__(self, "coordinates", values)

    @property
    def square(self) -> Array:
        """Square of each coordinate, shape (n_features,)."""
        return np.asarray(self.coordinates**2)


@dataclass(frozen=True, eq=False)
class Mixture:
    r"""Ridge regression on real and synthetic samples, tested on real ones.

    Inputs of both kinds are ``N(0, Sigma)``. Real labels are :math:`x^\top w_1 + \epsilon`, those
    of the synthetic samples :math:`x^\top (w_1 + \delta) + \epsilon`. The model minimises
    ``mean (y - f(x))^2 + ridge ||v||^2`` with ``f(x) = v' S x``.

    Parameters
    ----------
    spectrum : Spectrum
        Eigenvalues of the feature covariance.
    target : array_like, shape (n_features,)
        Coordinates of the real teacher in the eigenbasis.
    shift : RandomShift or FixedShift
        What the synthetic teacher adds to it.
    n_real, n_synthetic : int
        Samples of each kind, >= 0, together >= 1.
    ridge : float
        Penalty >= 0 on ``v``.
    noise_std_real, noise_std_synthetic : float
        Standard deviations >= 0 of the label noise.
    width : int, optional
        Rows ``m`` >= 1 of the projection ``S``, Gaussian with variance ``1/m``. None: ``S`` is the
        identity, ordinary ridge regression.

    Raises
    ------
    TypeError, ValueError
        If a field has the wrong type or length or is out of range.

    Examples
    --------
    >>> shift = RandomShift([0.1, 0.1])
    >>> mixture = Mixture(Spectrum.isotropic(2), [1.0, 0.0], shift, n_real=9, n_synthetic=1)
    >>> mixture.n_samples, mixture.synthetic_fraction, mixture.shift_size
    (10, 0.1, 0.2)
    """

    spectrum: Spectrum
    target: Array
    shift: RandomShift | FixedShift
    n_real: int
    n_synthetic: int
    ridge: float = 0.0
    noise_std_real: float = 0.0
    noise_std_synthetic: float = 0.0
    width: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.spectrum, Spectrum):
            raise TypeError(f"spectrum must be a Spectrum, got {type(self.spectrum).__name__}")
        if not isinstance(self.shift, RandomShift | FixedShift):
            raise TypeError(
                f"shift must be a RandomShift or a FixedShift, got {type(self.shift).__name__}"
            )
        target = real_array("target", self.target, ndim=1)
        size = self.spectrum.n_features
        for name, length in (("target", target.size), ("shift", self.shift.square.size)):
            if length != size:
                raise ValueError(f"{name} must have length n_features = {size}, got {length}")
        target.setflags(write=False)
        object.__setattr__(self, "target", target)
        for name in ("n_real", "n_synthetic"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), minimum=0))
        if self.n_samples == 0:
            raise ValueError("n_real + n_synthetic must be >= 1, got 0")
        for name in ("ridge", "noise_std_real", "noise_std_synthetic"):
            object.__setattr__(self, name, real_number(name, getattr(self, name), minimum=0.0))
        if self.width is not None:
            object.__setattr__(self, "width", whole_number("width", self.width))

    @property
    def n_samples(self) -> int:
        """Real and synthetic samples together."""
        return self.n_real + self.n_synthetic

    @property
    def synthetic_fraction(self) -> float:
        """Share of the samples that is synthetic, the paper's ``p_2``."""
        return self.n_synthetic / self.n_samples

    @property
    def shift_size(self) -> float:
        r"""Mean squared displacement of a synthetic label, :math:`c^2 = \mathrm{tr}\,\Sigma\Delta`.

        Small is good: the paper's quality of the synthetic data.
        """
        return float(self.spectrum.eigenvalues @ self.shift.square)


class MixtureRisk(NamedTuple):
    """Excess risk on real data and the four terms of its sum; floats or arrays of one shape.

    Attributes
    ----------
    bias
        Of the same model on clean labels without noise.
    variance
        Contribution of the label noise.
    collapse
        Contribution of the shift by itself, the paper's zeta; never negative.
    interference
        Cross term of bias and shift, of either sign; zero for a random shift.
    total
        Sum of the four: squared error on real data, no noise floor included.
    """

    bias: Any
    variance: Any
    collapse: Any
    interference: Any
    total: Any
