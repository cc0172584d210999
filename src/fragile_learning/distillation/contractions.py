r"""Random contractions: how a window trades bias for variance, and when moments explode.

:math:`\theta_{t+1} = a_t\theta_t + (1-a_t)u` with independent factors :math:`a_t`: the simplest
inner run with chance in it. In one dimension :math:`a_t = 1 - \alpha h_t` is a step of gradient
descent on a random batch. All of it is derived here.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp, psi

from fragile_learning._validation import choice, real_array, real_number, whole_number

__all__ = [
    "LAWS",
    "Moments",
    "best_window",
    "explosion_order",
    "growth_rate",
    "jacobian_error",
    "jacobian_moments",
]

Array = NDArray[np.float64]

LAWS = ("normal", "uniform")


class Moments(NamedTuple):
    """Mean and variance of a number that differs from run to run.

    Examples
    --------
    >>> jacobian_moments(0.5, 0.25, 2)  # no chance in it: a factor of 1/2 each time
    Moments(mean=0.75, variance=0.0)
    """

    mean: float
    variance: float


def jacobian_moments(m1: float, m2: float, window: int) -> Moments:
    r"""Mean and variance of the Jacobian of a random contraction through a window.

    :math:`\theta_{t+1} = a_t\theta_t + (1-a_t)u` with independent :math:`a_t` has
    :math:`J_M = d\theta_N/du = 1 - \prod a_t` over the window, hence

    .. math:: E J_M = 1 - m_1^M,\qquad \mathrm{Var}\,J_M = m_2^M - m_1^{2M}.

    Parameters
    ----------
    m1, m2 : float
        First two moments of :math:`a_t`; ``m2 >= m1**2``. For :math:`a = 1-\alpha h` with
        curvatures of mean :math:`\mu` and variance :math:`\sigma^2` they are :math:`1-\alpha\mu`
        and :math:`m_1^2 + \alpha^2\sigma^2`.
    window : int
        ``M`` >= 0.

    Returns
    -------
    Moments

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Examples
    --------
    >>> jacobian_moments(0.6, 1.36, 4)
    Moments(mean=0.8704, variance=3.404224...)
    """
    first, second = _two_moments(m1, m2)
    width = whole_number("window", window, minimum=0)
    return Moments(1.0 - first**width, second**width - first ** (2 * width))


def jacobian_error(m1: float, m2: float, window: ArrayLike, n_draws: int) -> Array | float:
    r"""Mean squared distance from 1 of the mean of some Jacobians, bias and variance together.

    .. math:: (1 - 1/n)\,m_1^{2M} + m_2^M/n

    The whole run of a contraction has a Jacobian of 1, up to what is left of the start.

    Parameters
    ----------
    m1, m2 : float
        As in `jacobian_moments`.
    window : array_like
        ``M`` >= 0, real.
    n_draws : int
        Independent runs >= 1 that are averaged.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Examples
    --------
    >>> jacobian_error(0.6, 1.36, [2, 4, 8], 100).round(5)
    array([0.1468 , 0.05084, 0.11731])
    """
    first, second = _two_moments(m1, m2)
    width = real_array("window", window, minimum=0.0)
    n = whole_number("n_draws", n_draws)
    error = (1.0 - 1.0 / n) * abs(first) ** (2.0 * width) + second**width / n
    return float(error) if width.ndim == 0 else np.asarray(error)


def best_window(m1: float, m2: float, n_draws: int) -> float:
    r"""Window at which `jacobian_error` is least.

    .. math:: M^* = \frac{\ln((n-1)a/b)}{a+b},\qquad a = -2\ln|m_1|,\quad b = \ln m_2

    It grows with the logarithm of the number of draws.

    Parameters
    ----------
    m1, m2 : float
        As in `jacobian_moments`.
    n_draws : int
        >= 1.

    Returns
    -------
    float
        Real; not rounded. ``inf`` if ``m2 <= 1`` (nothing explodes: the longer the better, unless
        ``|m1| = 1``, where all windows are alike), 0 if no window pays. At ``m1 = 0`` one step
        has no bias, the best real window has no length, and 0 is returned; of whole numbers the
        best is then 1 if ``m2 < n_draws``, else 0.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Examples
    --------
    >>> best_window(0.6, 1.36, 100)
    4.3606...
    >>> best_window(0.6, 0.9, 100), best_window(0.6, 1.36, 1)
    (inf, 0.0)
    """
    first, second = _two_moments(m1, m2)
    n = whole_number("n_draws", n_draws)
    if second <= 1.0:
        return np.inf
    if abs(first) >= 1.0 or first == 0.0:
        return 0.0
    a, b = -2.0 * np.log(abs(first)), np.log(second)
    if (n - 1) * a <= b:
        return 0.0
    return float(np.log((n - 1) * a / b) / (a + b))


def growth_rate(mean: float, std: float, order: float, *, law: str = "normal") -> float:
    r"""Rate per step at which a product of independent factors grows, in a mean of some order.

    .. math:: \Lambda(q) = \frac1q\ln E|a|^q,\qquad \Lambda(0) = E\ln|a|

    :math:`\Lambda(0)`, the Lyapunov exponent, is what almost every run has in the end; orders 1
    and 2 are those of means and variances. :math:`\Lambda` rises with the order. If
    :math:`\Lambda(0) < 0 < \Lambda(2)`, typical Jacobians contract and the variance explodes: it
    is carried by rare runs, and a sample of ordinary size does not show it.

    Parameters
    ----------
    mean : float
    std : float
        Of the factors ``a``, >= 0.
    order : float
        ``q``, from 0 to 100.
    law : {"normal", "uniform"}

    Returns
    -------
    float
        -inf if ``a`` is always 0.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or the law unknown.

    Notes
    -----
    For the normal law :math:`a^2/\mathrm{Var}\,a` is chi-squared with :math:`1 + 2J` degrees of
    freedom, J Poisson: a sum of positive terms; for small spreads by Gauss's quadrature.

    Examples
    --------
    >>> [round(growth_rate(0.6, 1.0, order), 4) for order in (0, 1, 2)]
    [-0.4655, -0.0647, 0.1537]
    """
    centre = real_number("mean", mean, minimum=-1e6, maximum=1e6)
    spread = real_number("std", std, minimum=0.0, maximum=1e6)
    q = real_number("order", order, minimum=0.0, maximum=100.0)
    choice("law", law, LAWS)
    if spread == 0.0:
        return float(np.log(abs(centre))) if centre != 0.0 else -np.inf
    if law == "uniform":
        return _uniform_growth(centre, np.sqrt(3.0) * spread, q)
    return _normal_growth(centre, spread, q)


def explosion_order(mean: float, std: float, *, law: str = "normal") -> float:
    r"""Order above which the moments of a product of independent factors explode.

    The root ``q > 0`` of :math:`E|a|^q = 1`.

    Parameters
    ----------
    mean, std, law
        As in `growth_rate`.

    Returns
    -------
    float
        Below 2 the variance explodes, below 1 the mean size. 0 if the typical run itself does
        (:math:`E\ln|a| \ge 0`); ``inf`` if no moment of order up to 100 does.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or the law unknown.

    Examples
    --------
    >>> round(explosion_order(0.6, 1.0), 4)
    1.2508
    >>> explosion_order(0.5, 0.1, law="uniform"), explosion_order(1.5, 1.0)
    (inf, 0.0)
    """
    if growth_rate(mean, std, 0.0, law=law) >= 0.0:
        return 0.0
    if growth_rate(mean, std, 100.0, law=law) <= 0.0:
        return np.inf
    root = brentq(lambda q: growth_rate(mean, std, q, law=law), 0.0, 100.0, xtol=1e-12)
    return float(root)


# --- checks and integrals -------------------------------------------------------------------------


def _two_moments(m1: float, m2: float) -> tuple[float, float]:
    first = real_number("m1", m1)
    second = real_number("m2", m2, minimum=0.0)
    if second < first**2 * (1.0 - 1e-12):
        raise ValueError(f"m2 must be >= m1**2 = {first**2:g}, got {second!r}")
    return first, second


@functools.cache
def _gauss() -> tuple[Array, Array]:
    """Return Gauss's nodes for the standard normal law, and weights that add up to 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    return nodes, weights / weights.sum()


def _normal_growth(centre: float, spread: float, order: float) -> float:
    """`growth_rate` for the normal law."""
    if spread <= 0.04 * abs(centre):  # 25 standard deviations from 0: smooth
        nodes, weights = _gauss()
        logs = np.log1p(nodes * spread / centre)
        if order == 0.0:
            return float(np.log(abs(centre)) + weights @ logs)
        return float(np.log(abs(centre)) + logsumexp(order * logs, b=weights) / order)
    counts, log_shares = np.zeros(1), np.zeros(1)
    rate = 0.5 * (centre / spread) ** 2
    if rate > 0.0:
        reach = 40.0 * np.sqrt(rate) + 60.0
        counts = np.arange(max(0.0, np.floor(rate - reach)), np.ceil(rate + reach))
        log_shares = counts * np.log(rate) - gammaln(counts + 1.0) - rate
    scale = 0.5 * np.log(2.0) + np.log(spread)
    if order == 0.0:
        return float(scale + 0.5 * np.exp(log_shares) @ psi(0.5 + counts))
    terms = log_shares + gammaln(0.5 + counts + 0.5 * order) - gammaln(0.5 + counts)
    return float(scale + logsumexp(terms) / order)


def _uniform_growth(centre: float, half: float, order: float) -> float:
    """`growth_rate` for the uniform law on centre +- half: from the antiderivatives."""
    if half <= 1e-4 * abs(centre):  # of which the last digits would be lost
        return float(np.log(abs(centre)) + (order - 1.0) * (half / centre) ** 2 / 6.0)
    ends = np.array([centre - half, centre + half])
    sizes = np.abs(ends)
    if order == 0.0:
        logs = np.log(np.where(sizes > 0.0, sizes, 1.0))
        low, high = ends * logs - ends
        return float((high - low) / (2.0 * half))
    top = sizes.max()  # no overflow at high orders
    low, high = np.sign(ends) * (sizes / top) ** (order + 1.0)
    mean = (high - low) * top / (2.0 * half * (order + 1.0))
    return float(np.log(mean) / order + np.log(top))
