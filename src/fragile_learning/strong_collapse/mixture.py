"""The setting: real and synthetic samples of the same inputs, labelled by different teachers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import real_array, real_number, whole_number
from fragile_learning.spectra import Spectrum

__all__ = ["FixedShift", "Group", "Mixture", "MixtureRisk", "RandomShift"]

Array = NDArray[np.float64]


def require(name: str, value: object, kind: type) -> None:
    """Raise a TypeError that names the argument unless it is of this kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")


def covariance_matrix(name: str, value: Any) -> Array:
    """Return a symmetric, positive semi-definite matrix, read-only, or an error that names it."""
    matrix = real_array(name, value, ndim=2)
    if matrix.shape[0] != matrix.shape[1] or not np.allclose(matrix, matrix.T):
        raise ValueError(f"{name} must be square and symmetric, got shape {matrix.shape}")
    lowest = float(np.linalg.eigvalsh(matrix)[0]) if matrix.size else 0.0
    if lowest < -1e-10 * float(np.abs(matrix).max(initial=0.0)):
        raise ValueError(f"{name} must have eigenvalues >= 0, got {lowest}")
    matrix.setflags(write=False)
    return matrix


@dataclass(frozen=True, eq=False)
class RandomShift:
    """Synthetic teacher minus real teacher, as a centred random vector independent of both.

    Parameters
    ----------
    variances : array_like, shape (n_features,), optional
        Variance >= 0 of each coordinate, in the eigenbasis of the feature covariance.
    covariance : array_like, shape (n_features, n_features), optional
        Symmetric and positive semi-definite, instead of ``variances``, which it then sets to its
        diagonal. With one feature covariance only this diagonal enters any expected risk, for the
        signs of the features' coordinates are symmetric; the rest counts where covariances of
        several groups do not commute.

    Raises
    ------
    TypeError, ValueError
        If neither or both are given, a variance is negative or not finite, or the covariance is
        not symmetric or has a negative eigenvalue.

    Examples
    --------
    >>> RandomShift([0.1, 0.2]).square
    array([0.1, 0.2])
    >>> RandomShift(covariance=[[2.0, 1.0], [1.0, 1.0]]).variances
    array([2., 1.])
    """

    variances: Array = None  # type: ignore[assignment]  # set by either argument
    covariance: Array | None = None

    def __post_init__(self) -> None:
        if (self.variances is None) == (self.covariance is None):
            raise TypeError("RandomShift needs either variances or covariance, not both")
        if self.covariance is None:
            values = real_array("variances", self.variances, ndim=1, minimum=0.0)
        else:
            matrix = covariance_matrix("covariance", self.covariance)
            object.__setattr__(self, "covariance", matrix)
            values = np.maximum(np.diag(matrix), 0.0)
        values.setflags(write=False)
        object.__setattr__(self, "variances", values)

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

    Examples
    --------
    >>> FixedShift([0.1, -0.2]).square.round(4)
    array([0.01, 0.04])
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
class Group:
    r"""Samples of one source: how many, which inputs, whose labels, and how much they count.

    Parameters
    ----------
    n_samples : int
        >= 0.
    covariance : array_like, shape (n_features,) or (n_features, n_features)
        Of the inputs ``N(0, Sigma_g)``: variances >= 0 of its coordinates in a basis that all
        groups share, or a matrix.
    shift : RandomShift or FixedShift, optional
        What the source's teacher adds to the real one. None: real labels.
    weight : float
        Factor >= 0 of the squared errors of these samples in the training loss.
    noise_std : float
        Standard deviation >= 0 of the label noise.

    Raises
    ------
    TypeError, ValueError
        If a field has the wrong type or length or is out of range.

    Examples
    --------
    >>> Group(10, [2.0, 1.0], FixedShift([0.1, 0.0]), weight=0.5).n_features
    2
    """

    n_samples: int
    covariance: Array
    shift: RandomShift | FixedShift | None = None
    weight: float = 1.0
    noise_std: float = 0.0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "n_samples", whole_number("n_samples", self.n_samples, minimum=0))
        if np.ndim(self.covariance) == 2:
            put(self, "covariance", covariance_matrix("covariance", self.covariance))
        else:
            values = real_array("covariance", self.covariance, ndim=1, minimum=0.0)
            values.setflags(write=False)
            put(self, "covariance", values)
        if self.shift is not None:
            if not isinstance(self.shift, RandomShift | FixedShift):
                raise TypeError(
                    "shift must be a RandomShift, a FixedShift or None, "
                    f"got {type(self.shift).__name__}"
                )
            if self.shift.square.size != self.n_features:
                raise ValueError(
                    f"shift must have length n_features = {self.n_features}, "
                    f"got {self.shift.square.size}"
                )
        for name in ("weight", "noise_std"):
            put(self, name, real_number(name, getattr(self, name), minimum=0.0))

    @property
    def n_features(self) -> int:
        """Length of an input."""
        return len(self.covariance)


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
    synthetic_weight : float, optional
        Share ``alpha`` in [0, 1] of the squared error that the synthetic samples have together:
        each counts ``alpha / p2`` and each real sample ``(1 - alpha) / p1``, with ``p2`` the
        `synthetic_fraction` and ``p1 = 1 - p2``. None: all samples count alike, ``alpha = p2``.

    Raises
    ------
    TypeError, ValueError
        If a field has the wrong type or length or is out of range, or a weight other than 0 goes
        to no samples.

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
    synthetic_weight: float | None = None

    def __post_init__(self) -> None:
        require("spectrum", self.spectrum, Spectrum)
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
        if self.synthetic_weight is not None:
            weight = real_number(
                "synthetic_weight", self.synthetic_weight, minimum=0.0, maximum=1.0
            )
            for name, share in (("n_synthetic", weight), ("n_real", 1.0 - weight)):
                if share > 0.0 and getattr(self, name) == 0:
                    raise ValueError(f"{name} must be >= 1 with synthetic_weight = {weight}, got 0")
            object.__setattr__(self, "synthetic_weight", weight)

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

    @property
    def groups(self) -> tuple[Group, ...]:
        """The kinds of samples that are there, with the weight of each."""
        p2, alpha = self.synthetic_fraction, self.synthetic_weight
        weights = (1.0, 1.0)
        if alpha is not None:
            weights = ((1.0 - alpha) / (1.0 - p2 or 1.0), alpha / (p2 or 1.0))
        values = self.spectrum.eigenvalues
        real = Group(self.n_real, values, None, weights[0], self.noise_std_real)
        synthetic = Group(
            self.n_synthetic, values, self.shift, weights[1], self.noise_std_synthetic
        )
        return tuple(group for group in (real, synthetic) if group.n_samples > 0)


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

    Examples
    --------
    >>> risk = MixtureRisk(bias=0.0, variance=0.01, collapse=0.25, interference=0.0, total=0.26)
    >>> risk.total - risk.collapse <= 0.0101  # what clean labels would leave
    True
    """

    bias: Any
    variance: Any
    collapse: Any
    interference: Any
    total: Any
