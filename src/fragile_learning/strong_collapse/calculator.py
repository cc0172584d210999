"""What the book's calculator says of a mixture of labels: the reference of its numbers.

The page computes in the reader's browser, with its own implementation of the same formulas; a
test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_number, result, whole_array, whole_number
from fragile_learning.spectra import Spectrum, source_condition_target
from fragile_learning.strong_collapse import theory
from fragile_learning.strong_collapse.mixture import Mixture, RandomShift, require

__all__ = ["EXAMPLE", "MixtureAnswer", "admissible_fraction", "mixture_answer", "mixture_of"]

_PARTS = 10**18  # of a composition: a fraction is met to 14 digits

EXAMPLE: Mapping[str, Any] = {
    "synthetic_fraction": 0.02,
    "shift_size": 0.25,
    "n_samples": 100_000,
    "n_target": 1_000_000_000,
    "n_features": 2000,
    "exponent": 0.0,
    "source_exponent": 0.5,
    "width": 0,
    "ridge": 0.0,
    "noise_std": 1.0,
}
"""Arguments of `mixture_answer` with which the page begins, and to which the chapter links."""


class MixtureAnswer(NamedTuple):
    """Numbers of the calculator's panel on strong collapse; risks relative to predicting zero.

    Attributes
    ----------
    risk, bias, variance, collapse : float
        Of the mixture.
    clean_risk : float
        Of as many samples, all of them real.
    real_risk : float
        Of the real samples of the mixture alone; 1 if there are none.
    limit_risk, floor : float
        Risk, and collapse term alone, with infinitely many samples of the same composition.
    departure : float
        Samples from which on most of the error is the floor's, see
        `fragile_learning.strong_collapse.theory.departure_sample_size`.
    admissible : float
        Synthetic fraction below which that happens after ``n_target`` samples only, see
        `admissible_fraction`.

    Examples
    --------
    >>> answer = mixture_answer(**EXAMPLE)
    >>> bool(np.isclose(answer.risk, answer.bias + answer.variance + answer.collapse))
    True
    >>> answer.clean_risk < answer.risk, answer.floor <= answer.limit_risk
    (True, True)
    """

    risk: float
    bias: float
    variance: float
    collapse: float
    clean_risk: float
    real_risk: float
    limit_risk: float
    floor: float
    departure: float
    admissible: float


def mixture_of(
    *,
    n_features: int,
    exponent: float,
    source_exponent: float,
    shift_size: float,
    synthetic_fraction: float,
    ridge: float,
    noise_std: float,
    width: int = 0,
) -> Mixture:
    r"""Mixture with a power-law spectrum, unit signal, and a shift of the target's shape.

    Parameters
    ----------
    n_features : int
    exponent : float
        :math:`\beta \ge 0` of the eigenvalues :math:`j^{-\beta}`; 0 is white features.
    source_exponent : float
        :math:`r > 0`: target and shift have :math:`\lambda_j c_j^2 \propto j^{-1-2r\beta}`; with
        white features they are flat.
    shift_size : float
        :math:`c^2 \ge 0`, relative to the signal.
    synthetic_fraction : float
        In [0, 1].
    ridge, noise_std : float
        >= 0; all labels have the same noise.
    width : int
        Rows of the random projection; 0 for none.

    Returns
    -------
    Mixture
        Of so many samples that the fraction is met to 14 digits.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> mixture = mixture_of(
    ...     n_features=100,
    ...     exponent=0.0,
    ...     source_exponent=0.5,
    ...     shift_size=0.25,
    ...     synthetic_fraction=0.01,
    ...     ridge=0.0,
    ...     noise_std=1.0,
    ... )
    >>> round(mixture.shift_size, 12), mixture.synthetic_fraction, mixture.width
    (0.25, 0.01, None)
    """
    size = whole_number("n_features", n_features)
    square: NDArray[np.float64] = np.ones(size)
    beta = real_number("exponent", exponent, minimum=0.0)
    spectrum = Spectrum.isotropic(size)
    if beta > 0.0:
        spectrum = Spectrum.power_law(size, beta)
        square = source_condition_target(size, beta, source_exponent) ** 2
    square = square / float(spectrum.eigenvalues @ square)
    quality = real_number("shift_size", shift_size, minimum=0.0)
    share = real_number("synthetic_fraction", synthetic_fraction, minimum=0.0, maximum=1.0)
    synthetic = round(share * _PARTS)
    rows = whole_number("width", width, minimum=0)
    return Mixture(
        spectrum,
        np.sqrt(square),
        RandomShift(quality * square),
        _PARTS - synthetic,
        synthetic,
        ridge,
        noise_std,
        noise_std,
        rows or None,
    )


def admissible_fraction(mixture: Mixture, n: ArrayLike) -> NDArray[np.float64] | float:
    r"""Largest synthetic fraction whose floor is below the clean error at ``n`` samples.

    The floor is proportional to :math:`p_2^2`: :math:`p_2 = \min(1, \sqrt{(B+V)/K})`, with bias
    and variance at ``n`` real samples and ``K`` the floor of synthetic labels alone. A mixture with
    a smaller fraction leaves the clean curve after ``n`` samples.

    Parameters
    ----------
    mixture : Mixture
        Its composition is ignored. Without ``synthetic_weight``.
    n : array_like
        Whole numbers >= 1.

    Returns
    -------
    float or ndarray
        In [0, 1]; 1 if synthetic labels have no floor.

    Raises
    ------
    TypeError, ValueError
        If ``mixture`` is not a `Mixture` or has a weight, or ``n`` is out of range.

    References
    ----------
    Derived here, large-size limit. For least squares
    :math:`\sigma\sqrt{d/(n-d)}/c`, from :math:`n_* = d(1 + \sigma^2/(p_2^2c^2))`.

    Examples
    --------
    >>> shift = RandomShift(np.full(100, 0.01))
    >>> mixture = Mixture(Spectrum.isotropic(100), np.ones(100), shift, 1, 1, 0.0, 1.0, 1.0)
    >>> round(admissible_fraction(mixture, 10_100), 12)
    0.1
    """
    require("mixture", mixture, Mixture)
    if mixture.synthetic_weight is not None:
        raise ValueError(
            f"mixture must have synthetic_weight = None, got {mixture.synthetic_weight}"
        )
    samples = whole_array("n", n)
    scale = float(theory.excess_risk_grid(mixture, n=np.inf, synthetic_fraction=1.0).collapse)
    clean = theory.excess_risk_grid(mixture, n=samples, synthetic_fraction=0.0)
    if scale == 0.0:
        return result(np.ones(samples.shape))
    return result(np.minimum(np.sqrt((clean.bias + clean.variance) / scale), 1.0))


def mixture_answer(
    *,
    n_features: int,
    exponent: float,
    source_exponent: float,
    shift_size: float,
    synthetic_fraction: float,
    ridge: float,
    noise_std: float,
    width: int,
    n_samples: int,
    n_target: int,
) -> MixtureAnswer:
    """Answer for a mixture of ``n_samples`` real and synthetic labels.

    Parameters
    ----------
    n_features, exponent, source_exponent, shift_size, synthetic_fraction, ridge, noise_std, width
        As in `mixture_of`.
    n_samples : int
        Real and synthetic, >= 1.
    n_target : int
        Samples up to which the error should improve, >= 1.

    Returns
    -------
    MixtureAnswer

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> answer = mixture_answer(
    ...     n_features=100,
    ...     exponent=0.0,
    ...     source_exponent=0.5,
    ...     shift_size=1.0,
    ...     synthetic_fraction=0.3,
    ...     ridge=0.0,
    ...     noise_std=1.0,
    ...     width=0,
    ...     n_samples=1000,
    ...     n_target=1_000_000,
    ... )
    >>> round(answer.floor, 12), answer.departure, round(answer.admissible, 4)
    (0.09, 1212.0, 0.01)
    """
    mixture = mixture_of(
        n_features=n_features,
        exponent=exponent,
        source_exponent=source_exponent,
        shift_size=shift_size,
        synthetic_fraction=synthetic_fraction,
        ridge=ridge,
        noise_std=noise_std,
        width=width,
    )
    size = whole_number("n_samples", n_samples)
    kept = np.floor((1.0 - mixture.synthetic_fraction) * size + 0.5)
    risk = theory.excess_risk_grid(mixture, n=size)
    limit = theory.excess_risk_grid(mixture, n=np.inf)
    clean = theory.excess_risk_grid(mixture, n=[size, max(kept, 1.0)], synthetic_fraction=0.0).total
    return MixtureAnswer(
        risk=float(risk.total),
        bias=float(risk.bias),
        variance=float(risk.variance),
        collapse=float(risk.collapse),
        clean_risk=float(clean[0]),
        real_risk=float(clean[1]) if kept > 0 else 1.0,
        limit_risk=float(limit.total),
        floor=float(limit.collapse),
        departure=theory.departure_sample_size(mixture),
        admissible=float(admissible_fraction(mixture, n_target)),
    )
