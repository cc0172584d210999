"""Means, shares, errors, z scores and log-log slopes: how a number is held against a prediction."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

from fragile_learning._validation import real_array, real_number, whole_number

__all__ = [
    "Interval",
    "MeanCheck",
    "Slope",
    "beside",
    "check_mean",
    "log_log_slope",
    "mean_and_standard_error",
    "mean_plus_minus",
    "plus_minus",
    "share_interval",
    "significant",
    "z_bound",
]

Array = NDArray[np.float64]


def mean_and_standard_error(samples: ArrayLike, axis: int = 0) -> tuple[Array, Array]:
    """Mean of independent samples along an axis, and the standard error of that mean.

    Parameters
    ----------
    samples : array_like
        Finite, at least two along ``axis``.
    axis : int

    Returns
    -------
    mean, standard_error : ndarray
        In the units of the samples; the axis is removed.

    Raises
    ------
    ValueError
        With fewer than two samples, or a sample that is not finite.

    Examples
    --------
    >>> mean, error = mean_and_standard_error([1.0, 2.0, 3.0])
    >>> float(mean), round(float(error), 4)
    (2.0, 0.5774)
    """
    values = real_array("samples", samples)
    if values.ndim == 0 or values.shape[axis] < 2:
        raise ValueError(f"samples must hold at least 2 along axis {axis}, got {values.shape}")
    error = values.std(axis=axis, ddof=1) / np.sqrt(values.shape[axis])
    return np.asarray(values.mean(axis=axis)), np.asarray(error)


class Interval(NamedTuple):
    """An estimate and the ends of its interval.

    Attributes
    ----------
    estimate, low, high : float
        ``low <= estimate <= high``.

    Examples
    --------
    >>> found = Interval(0.25, 0.2, 0.3)
    >>> print(found)
    0.25 (0.2 to 0.3)
    >>> found.low <= found.estimate <= found.high
    True
    """

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3g} ({self.low:.3g} to {self.high:.3g})"


def share_interval(found: int, total: int, *, confidence: float = 0.95) -> Interval:
    """Share of a population from a count, with the interval of Clopper and Pearson.

    Parameters
    ----------
    found : int
        Between 0 and
    total : int
        >= 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Covers at least as often as it says, at any count.

    Examples
    --------
    >>> str(share_interval(0, 60))
    '0 (0 to 0.0596)'
    """
    n = whole_number("total", total)
    k = whole_number("found", found, minimum=0, maximum=n)
    level = real_number(
        "confidence", confidence, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
    )
    tail = 0.5 * (1.0 - level)
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1.0 - tail)) if k < n else 1.0
    return Interval(k / n, low, high)


def z_bound(false_alarm: float, n_checks: int = 1) -> float:
    """Two-sided z threshold whose total false-alarm probability is ``false_alarm``.

    The budget is split over ``n_checks`` comparisons (Bonferroni).

    Parameters
    ----------
    false_alarm : float
        Probability in (0, 1), at most, that any of the checks fails although all are right.
    n_checks : int
        >= 1.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    For normal means with known standard errors. If these are estimated from n samples, z has
    Student's law with n - 1 degrees of freedom, and far out the alarm is more frequent: at the
    bound for 4e-8 it is 7e-6 with 30 samples, 3e-7 with 100, 5e-8 with 1,000.

    Examples
    --------
    >>> round(z_bound(1e-6), 2), round(z_bound(1e-6, n_checks=24), 2)
    (4.89, 5.48)
    """
    probability = real_number(
        "false_alarm", false_alarm, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
    )
    checks = whole_number("n_checks", n_checks)
    return float(-ndtri(probability / (2 * checks)))


class MeanCheck(NamedTuple):
    """A Monte Carlo mean beside its prediction.

    Examples
    --------
    >>> check = MeanCheck(mean=1.03, standard_error=0.01, theory=1.0)
    >>> round(check.z, 6), check.relative_error
    (3.0, 0.01)
    """

    mean: float
    standard_error: float
    theory: float

    @property
    def z(self) -> float:
        """Distance in standard errors; 0 when mean and theory are equal and error-free."""
        distance = self.mean - self.theory
        if self.standard_error == 0.0:
            return 0.0 if distance == 0.0 else float(np.copysign(np.inf, distance))
        return distance / self.standard_error

    @property
    def relative_error(self) -> float:
        """Standard error over the size of the prediction."""
        return self.standard_error / abs(self.theory) if self.theory else float("inf")


def check_mean(samples: ArrayLike, theory: float) -> MeanCheck:
    """Summarise independent samples against a predicted mean.

    Parameters
    ----------
    samples : array_like, shape (n,)
        At least 30, so that the mean is close to normal unless the tails are heavy; for bounds far
        out see `z_bound`.
    theory : float

    Raises
    ------
    ValueError
        If ``samples`` is not one-dimensional, too short, or not finite.

    Examples
    --------
    >>> check = check_mean([0.9, 1.1] * 20, 1.0)
    >>> abs(round(check.z, 6))
    0.0
    """
    values = real_array("samples", samples, ndim=1)
    if values.size < 30:
        raise ValueError(f"samples must hold at least 30 values, got {values.size}")
    mean, error = mean_and_standard_error(values)
    return MeanCheck(float(mean), float(error), real_number("theory", theory))


class Slope(NamedTuple):
    """Least-squares slope of log y against log x, with its standard error.

    Examples
    --------
    >>> found = log_log_slope([1, 2, 4, 8], [8.0, 2.0, 0.5, 0.125])
    >>> round(found.slope, 12), round(found.standard_error, 12)
    (-2.0, 0.0)
    """

    slope: float
    standard_error: float


def log_log_slope(x: ArrayLike, y: ArrayLike) -> Slope:
    """Exponent of a power law: the least-squares slope of ``log y`` against ``log x``.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Positive; at least three points with two different ``x``.

    Returns
    -------
    Slope
        The standard error comes from the scatter about the line (``n - 2`` degrees of freedom).
        On a deterministic curve it measures the curvature, not noise.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in length, are too short, or are not positive.

    Examples
    --------
    >>> slope = log_log_slope([1, 10, 100], [2, 0.2, 0.02])
    >>> round(slope.slope, 12), slope.standard_error < 1e-12
    (-1.0, True)
    """
    abscissa = np.log(real_array("x", x, ndim=1, minimum=0.0, open_minimum=True))
    ordinate = np.log(real_array("y", y, ndim=1, minimum=0.0, open_minimum=True))
    if abscissa.size != ordinate.size or abscissa.size < 3:
        raise ValueError(
            f"x and y must have one length >= 3, got {abscissa.size} and {ordinate.size}"
        )
    centred = abscissa - abscissa.mean()
    spread = float(centred @ centred)
    if spread == 0.0:
        raise ValueError(f"x must hold at least two different values, got {np.exp(abscissa[0])}")
    slope = float(centred @ ordinate) / spread
    residual = ordinate - ordinate.mean() - slope * centred
    variance = float(residual @ residual) / (abscissa.size - 2) / spread
    return Slope(slope, float(np.sqrt(variance)))


# --- numbers in words -------------------------------------------------------------------------

_SMALLEST, _LARGEST = 1e-4, 1e6  # written out in between, as a power of ten beyond
_EXACT = 1e-12  # relative errors below this are rounding, not sampling
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _written(value: float, decimals: int, sign: str = "") -> str:
    """Write out a number rounded to a decimal place, a negative one counting tens; minus is −."""
    shown = round(value, decimals)
    return f"{shown:{sign}z,.{max(decimals, 0)}f}".replace("-", "−")


def _decimals(value: float, digits: int) -> int:
    """Decimal place of the last of so many significant digits, after rounding to them."""
    return digits - 1 - int(f"{value:.{digits - 1}e}".partition("e")[2])


def _power(value: float) -> int | None:
    """Power of ten in front of which a number is written; None if it is written out."""
    if value == 0.0 or _SMALLEST <= value < _LARGEST:
        return None
    return int(f"{value:e}".partition("e")[2])


def significant(value: float, digits: int = 3, *, signed: bool = False) -> str:
    """Write a number with so many significant digits, for a reader.

    Parameters
    ----------
    value : float
        Finite.
    digits : int
        >= 1.
    signed : bool
        Write the plus sign too, as for a change.

    Returns
    -------
    str
        Written out between 1e-4 and a million, beyond that with a power of ten.

    Raises
    ------
    TypeError, ValueError
        If ``value`` is not a finite number or ``digits`` not a count.

    Examples
    --------
    >>> significant(0.5), significant(12345.6), significant(-3.7e-13, 2)
    ('0.500', '12,300', '−3.7·10⁻¹³')
    """
    number = real_number("value", value)
    places = whole_number("digits", digits)
    sign = "+" if signed else ""
    if number == 0.0:
        return "0"
    rounded = f"{number:.{places - 1}e}"
    if (power := _power(abs(float(rounded)))) is None:
        return _written(number, _decimals(number, places), sign)
    mantissa = _written(float(rounded.partition("e")[0]), places - 1, sign)
    return f"{mantissa}·10{str(power).translate(_RAISED)}"


def plus_minus(value: float, error: float, *, signed: bool = False) -> str:
    """Write a number with its error: both to the second significant digit of the error.

    Parameters
    ----------
    value : float
        Finite.
    error : float
        Standard error, or half of an interval; >= 0. One below 1e-12 of the value is rounding and
        counts as zero: the value is then written with six digits.
    signed : bool
        Write the plus sign of the value too, as for a change.

    Returns
    -------
    str
        Written out if the larger of the two is between 1e-4 and a million, else with one power of
        ten for both.

    Raises
    ------
    TypeError, ValueError
        If ``value`` is not finite, or ``error`` negative or not finite.

    Examples
    --------
    >>> plus_minus(0.61803, 0.00214), plus_minus(-1.2, 0.31), plus_minus(0.02, 0.0041, signed=True)
    ('0.6180 ± 0.0021', '−1.20 ± 0.31', '+0.0200 ± 0.0041')
    >>> plus_minus(1.27e-9, 4e-11), plus_minus(0.75, 0.0)
    ('(1.270 ± 0.040)·10⁻⁹', '0.75 ± 0')
    """
    number = real_number("value", value)
    spread = real_number("error", error, minimum=0.0)
    sign = "+" if signed else ""
    if spread <= _EXACT * abs(number):
        whole, point, fraction = significant(number, 6, signed=signed).partition(".")
        fraction, times, tens = fraction.partition("·")
        point = point if (fraction := fraction.rstrip("0")) else ""
        return f"{whole}{point}{fraction}{times}{tens} ± 0"
    power = _power(max(abs(number), spread))
    if power is not None:  # in decimals, for the least floats are no multiples of a power of ten
        number, spread = (float(Decimal(one).scaleb(-power)) for one in (number, spread))
    decimals = _decimals(spread, 2)
    shown = f"{_written(number, decimals, sign)} ± {_written(spread, decimals)}"
    return shown if power is None else f"({shown})·10{str(power).translate(_RAISED)}"


def mean_plus_minus(samples: ArrayLike, *, scale: float = 1.0, signed: bool = False) -> str:
    """Write the mean of independent samples with its standard error; of one sample, itself.

    Parameters
    ----------
    samples : array_like, shape (n,)
        Finite, n >= 1.
    scale : float
        Factor of what is written: 100 for per cent.
    signed : bool
        As in `plus_minus`.

    Returns
    -------
    str
        One sample has no error and is written with three digits.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, or one is not finite.

    Examples
    --------
    >>> mean_plus_minus([0.21, 0.22, 0.26], scale=100), mean_plus_minus([0.25])
    ('23.0 ± 1.5', '0.250')
    """
    values = real_number("scale", scale) * real_array("samples", samples).ravel()
    if values.size == 0:
        raise ValueError("samples must hold at least 1, got 0")
    if values.size == 1:
        return significant(float(values[0]), signed=signed)
    mean, error = mean_and_standard_error(values)
    return plus_minus(float(mean), float(error), signed=signed)


def beside(value: float, error: float, law: float) -> str:
    """Write a number with its error, and to the same digit what it should be.

    Parameters
    ----------
    value, error : float
        As in `plus_minus`.
    law : float
        Finite: what a law says of the value.

    Raises
    ------
    TypeError, ValueError
        As in `plus_minus`, and if ``law`` is not finite.

    Examples
    --------
    >>> beside(0.49888, 0.0052, 0.5)
    '0.4989 ± 0.0052 (law 0.5000)'
    """
    shown = plus_minus(value, error)
    expected = real_number("law", law)
    if error <= _EXACT * abs(value):
        return f"{shown} (law {plus_minus(expected, 0.0).removesuffix(' ± 0')})"
    digits = _decimals(error, 2) - _decimals(expected, 1) + 1
    return f"{shown} (law {significant(expected, max(digits, 1))})"
