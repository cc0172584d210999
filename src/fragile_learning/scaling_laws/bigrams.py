r"""Total variation between a power law and its empirical law: one row of a bigram model.

`fragile_learning.scaling_laws.theory` re-exports the functions.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, gammainc, gammaln, zeta

from fragile_learning._validation import real_array, real_number, whole_array, whole_number
from fragile_learning.scaling_laws.sums import hurwitz, log_sum, lower_end, power_sum

__all__ = ["bigram_constants", "bigram_error", "context_bigram_error", "exact_bigram_error"]

Array = NDArray[np.float64]

_MOST_TERMS = 50_000_000
_NEAR_TWO = 0.05


def bigram_error(
    tail_exponent: float, n_samples: ArrayLike, rank: int | None = None
) -> Array | float:
    r"""Give the expected total variation of next-token and empirical law in two terms.

    .. math:: \mathbb{E}\,\mathrm{TV} = D_\beta\,n^{-(1-1/\beta)} + B_\beta\,n^{-1/2} + \dots

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in [1.05, 20], of the next-token law.
    n_samples : array_like
        ``n``, real, >= 1: tokens seen after this context. Whole, if there is a rank.
    rank : int, optional
        The tokens are drawn from the ``rank`` most likely ones alone. The value is then that of
        `exact_bigram_error`, not two terms: it ends at the mass of the tail.

    Returns
    -------
    float or ndarray
        Total variation to the full law, of the shape of ``n_samples``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Asymptotic; use `exact_bigram_error` for small ``n``. The error of the law oscillates with
    ``n``. From ``n = 1000`` on the largest is, relative, 5e-4 for exponents 1.2 to 1.8, and 1.2e-3,
    2.7e-3 and 4.9e-3 for 2.5, 3 and 4. At :math:`\beta = 2` both constants have a pole, and the sum
    is :math:`n^{-1/2}(0.15553 \ln n + 0.548)`; within 0.05 of 2 it is interpolated in the exponent.

    References
    ----------
    Derived here: a Mellin transform of :math:`\sum_j \mathbb{E}|\mathrm{Poisson}(np_j) - np_j|`.
    The order :math:`n^{-\min(1-1/\beta,\,1/2)}`: the paper, section 4.

    Examples
    --------
    >>> round(bigram_error(1.5, 1000), 4), round(exact_bigram_error(1.5, 1000), 4)
    (0.14, 0.14)
    >>> round(bigram_error(1.5, 1000, rank=20), 4)
    0.1779
    """
    beta = real_number("tail_exponent", tail_exponent, minimum=1.05, maximum=20.0)
    if rank is not None:
        return exact_bigram_error(beta, n_samples, rank)
    samples = real_array("n_samples", n_samples, minimum=1.0)
    if abs(beta - 2.0) >= _NEAR_TWO:
        value = _two_terms(beta, samples)
    else:  # Lagrange's polynomial through exponents on either side
        nodes = 2.0 + _NEAR_TWO * np.array([-2.5, -2.0, -1.5, -1.0, 1.0, 1.5, 2.0, 2.5])
        value = np.zeros(samples.shape)
        for node in nodes:
            others = nodes[nodes != node]
            value += np.prod((beta - others) / (node - others)) * _two_terms(node, samples)
    return float(value) if value.ndim == 0 else value


def bigram_constants(tail_exponent: float) -> tuple[float, float]:
    r"""Constants :math:`D_\beta` and :math:`B_\beta` of `bigram_error`.

    With :math:`m(u) = \mathbb{E}|\mathrm{Poisson}(u) - u|`, and its asymptote
    :math:`\sqrt{2u/\pi}` taken off under the integral for :math:`\beta > 2`,

    .. math::

        D_\beta &= \frac{\zeta(\beta)^{-1/\beta}}{2\beta}
            \int_0^\infty m(u)\,u^{-1-1/\beta}\,du, \\
        B_\beta &= \frac{1}{\sqrt{2\pi}}\Big[\frac{\zeta(\beta/2)}{\sqrt{\zeta(\beta)}}
            + \sum_j \big(\sqrt{p_j(1-p_j)} - \sqrt{p_j}\big)\Big]

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in [1.05, 20], not 2.

    Returns
    -------
    D, B : float

    Raises
    ------
    TypeError, ValueError
        If the exponent is out of range.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> [round(value, 5) for value in bigram_constants(1.5)]
    [1.69232, -0.92454]
    """
    beta = real_number("tail_exponent", tail_exponent, minimum=1.05, maximum=20.0)
    if beta == 2.0:
        raise ValueError("tail_exponent must not be 2, where both constants have a pole")
    return _constants(beta)


@lru_cache(maxsize=256)
def _constants(beta: float) -> tuple[float, float]:
    d = float(zeta(beta)) ** (-1.0 / beta) / (2.0 * beta) * _mellin(-1.0 / beta)
    norm = float(zeta(beta))

    def bent(x: Array) -> Array:  # sqrt(p (1 - p)) - sqrt(p)
        p = x**-beta / norm
        return np.asarray(-p * np.sqrt(p) / (1.0 + np.sqrt(1.0 - p)))

    ranks = np.arange(1.0, 1000.0)
    end = np.asarray(1000.0)
    p = float(bent(end))  # integral of -(p^(3/2) / 2 + p^(5/2) / 8 + ...)
    tail = 2.0 * p / (3.0 * beta - 2.0) * 1000.0
    curve = float(np.sum(bent(ranks)) + lower_end(bent, end)) + tail
    b = (hurwitz(0.5 * beta) / norm**0.5 + curve) / (2.0 * np.pi) ** 0.5
    return d, b


def _two_terms(beta: float, samples: Array) -> Array:
    d, b = _constants(float(beta))
    return np.asarray(d * samples ** (1.0 / beta - 1.0) + b * samples**-0.5)


def _mellin(z: float) -> float:
    r"""Analytic continuation of :math:`\int_0^\infty m(u)\,u^{z-1}\,du` to ``-1 < z < 0``.

    On ``[v - 1, v]`` the mean deviation is ``2 u^v e^-u / Gamma(v)``. Summed by parts, the integral
    is a series whose terms are ``v^(z - 1/2)`` times a power series in ``v^(-1/2)``: the series is
    fitted, and summed by Hurwitz zeta functions, which continue it as well.
    """

    def term(v: Array) -> Array:
        lower = np.exp(gammaln(v + z) - gammaln(v + 1.0)) * gammainc(v + z, v)
        peak = np.exp((v + z) * np.log(v) - v - gammaln(v + 1.0))
        return np.asarray(2.0 * (peak - z * lower))

    first, degree = 64, 10
    angle = np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1)
    x = first**-0.5 * (0.55 + 0.45 * np.cos(angle))
    v = x**-2.0
    fit = np.polynomial.Polynomial.fit(x, term(v) * v ** (0.5 - z), degree, domain=[0, first**-0.5])
    powers = fit.convert().coef
    total = float(np.sum(term(np.arange(1.0, first))))
    for power, coefficient in enumerate(powers):
        total += float(coefficient) * hurwitz(0.5 - z + 0.5 * power, first)
    return total


def exact_bigram_error(
    tail_exponent: float, n_samples: ArrayLike, rank: int | None = None
) -> Array | float:
    r"""Give the expected total variation between next-token law and empirical law.

    .. math:: \mathbb{E}\,\mathrm{TV} = \frac12\sum_j \mathbb{E}\,\Big|\frac{N_j}{n} - p_j\Big|,
        \qquad N_j \sim \mathrm{Binomial}(n, q_j)

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``n``, whole, >= 1: tokens seen after this context.
    rank : int, optional
        The tokens are drawn from the ``rank`` most likely ones alone, :math:`q_j \propto p_j`; the
        total variation is to the full law. Without it :math:`q_j = p_j`.

    Returns
    -------
    float or ndarray
        Of the shape of ``n_samples``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the sum has more than 5e7 terms that cannot be joined.

    Notes
    -----
    Mean deviations by de Moivre's formula, for every token that the full law expects at least once,
    a number that grows like :math:`n^{1/\beta}` and is at most ``rank``; all rarer ones in closed
    form. Relative error about 1e-11 at ``n = 1e6``.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> exact_bigram_error(1.5, [100, 1000, 100_000], rank=20).round(4).tolist()
    [0.2387, 0.1779, 0.1691]
    """
    beta = real_number(
        "tail_exponent", tail_exponent, minimum=1.0, maximum=100.0, open_minimum=True
    )
    samples = whole_array("n_samples", n_samples)
    norm = float(zeta(beta))
    cut = None if rank is None else whole_number("rank", rank)
    value = np.empty(samples.shape)
    last = np.inf if cut is None else float(cut)
    seen = norm if cut is None else float(power_sum(0, 0, beta, beta, 1.0, last))
    head = seen / norm
    for place, n in np.ndenumerate(samples):
        often = min(np.floor((n / norm) ** (1.0 / beta)), last)
        if often > _MOST_TERMS:
            raise ValueError(
                f"n_samples must leave <= {_MOST_TERMS:g} tokens to sum one by one, got "
                f"{n:g} with {often:g} tokens: use bigram_error without a rank"
            )
        total = 0.0
        for start in range(1, int(often) + 1, 1 << 18):
            ranks = np.arange(start, min(start + (1 << 18), int(often) + 1), dtype=float)
            p = ranks**-beta / norm
            total += 0.5 * float(np.sum(_deviation(n, p / head, n * p))) / n
        # tokens expected less than once: E|N/n - p| = q - p + 2 p (1 - q)^n, and p beyond the rank
        first = often + 1.0
        total += float(power_sum(n, 1.0 / seen, beta, beta, first, last)) / norm
        if cut is not None:
            beyond = float(power_sum(0, 0, beta, beta, last + 1.0)) / norm
            rare = float(power_sum(0, 0, beta, beta, first, last)) / norm
            total += 0.5 * (beyond + rare * beyond / head)
        value[place] = total
    return float(value) if value.ndim == 0 else value


def context_bigram_error(
    tail_exponent: float, context_exponent: float, n_samples: ArrayLike
) -> Array | float:
    r"""Give the expected total variation of a bigram model, averaged over contexts.

    .. math:: E = \sum_i \rho_i\,\mathbb{E}\,\mathrm{TV}(n_i), \qquad
        \rho_i = i^{-\beta_\rho}/\zeta(\beta_\rho), \quad n_i \sim \mathrm{Poisson}(T\rho_i)

    A context that was never seen counts 1.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in [1.05, 20], of the next-token law in every context.
    context_exponent : float
        :math:`\beta_\rho` in (1, 100], of the law of contexts.
    n_samples : array_like
        ``T``, real, >= 1000: pairs of tokens in all.

    Returns
    -------
    float or ndarray
        Of the shape of ``n_samples``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Relative error below 5e-4 for exponents up to 3, against binomial sums: contexts seen more than
    250 times follow the two terms of `bigram_error`. Of order :math:`T^{-c}\sum_i\rho_i^{1-c}` with
    :math:`c = \min(1-1/\beta, 1/2)`, if the sum converges; the exponent is reached slowly.

    References
    ----------
    The order: recalled for the paper, section 4. The average is derived here.

    Examples
    --------
    >>> early, late = context_bigram_error(1.5, 3.0, [1e3, 1e8])
    >>> round(float(np.log(late / early) / np.log(1e5)), 2)  # -1/3 in the limit
    -0.31
    """
    beta = real_number("tail_exponent", tail_exponent, minimum=1.05, maximum=20.0)
    rho = real_number(
        "context_exponent", context_exponent, minimum=1.0, maximum=100.0, open_minimum=True
    )
    samples = real_array("n_samples", n_samples, minimum=1000.0)
    rare = np.arange(1.0, 401.0)
    table = np.append(1.0, exact_bigram_error(beta, rare))

    def variation(mean: Array) -> Array:
        """Poisson average: from the table, or from two terms and half the variance."""
        few = np.clip(mean, 1e-300, 250.0)
        average = np.exp(-few)
        chance = average.copy()
        for n, value in enumerate(table[1:], start=1):
            chance *= few / n
            average += chance * value
        many = np.maximum(mean, 250.0)
        curved = [bigram_error(beta, many * step) for step in (0.9, 1.0, 1.1)]
        bend = (curved[0] - 2.0 * curved[1] + curved[2]) / 0.01 / (2.0 * many)
        return np.where(mean < 250.0, average, curved[1] + bend)

    def f(log_rank: Array) -> Array:
        power = np.exp(-rho * log_rank)
        return np.asarray(power * variation(samples.ravel() * power / zeta(rho)))

    end = (samples.ravel() / zeta(rho) * 1e16) ** (1.0 / rho)
    corners = [(np.ones(samples.size), 1.5 / rho), (end, 1.0)]
    value = (log_sum(f, samples.size, rho, corners) / zeta(rho)).reshape(samples.shape)
    return float(value) if value.ndim == 0 else value


def _deviation(n: float, q: Array, centre: Array) -> Array:
    r"""Give :math:`\mathbb{E}|N - x|` for ``N ~ Binomial(n, q)``.

    From :math:`\sum_{j\le m}(nq-j)\,b(j) = (m+1)(1-q)\,b(m+1)` with :math:`m = \lfloor x\rfloor`.
    """
    m = np.floor(centre)
    density = np.where(m < n, _binomial(n, np.minimum(m + 1.0, n), q), 0.0)
    away = n * q - centre
    below = np.where(m < n, betainc(np.maximum(n - m, 1.0), m + 1.0, 1.0 - q), 1.0)
    return np.asarray(
        2.0 * (m + 1.0) * (1.0 - q) * density + np.where(away == 0.0, 0.0, away * (1 - 2 * below))
    )


def _binomial(n: float, v: Array, q: Array) -> Array:
    """Binomial probability of ``v >= 1``, by deviations from the mean, not factorials (Loader)."""
    rest = n - v
    with np.errstate(divide="ignore", invalid="ignore"):
        # an item of probability one, or n successes, takes the plain power below
        log = _stirling(np.asarray(n)) - _stirling(v) - _stirling(rest)
        log = log - _excess(v, n * q) - _excess(rest, n * (1.0 - q))
        log = log + 0.5 * np.log(n / (2.0 * np.pi * v * rest))
        return np.asarray(np.where(rest > 0.0, np.exp(log), q**n))


def _stirling(n: Array) -> Array:
    """Logarithm of the factorial over Stirling's formula."""
    large = np.maximum(n, 16.0)
    series = 1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / (1188.0 * large**2)) / large**2
    series = (1.0 / 12.0 - (1.0 / 360.0 - series / large**2) / large**2) / large
    small = np.clip(n, 1.0, 16.0)
    plain = gammaln(small + 1.0) - (small + 0.5) * np.log(small) + small - 0.5 * np.log(2 * np.pi)
    return np.asarray(np.where(n > 16.0, series, plain))


def _excess(x: Array, mean: Array) -> Array:
    """``x log(x / mean) + mean - x``, for x near its mean too."""
    ratio = (mean - x) / x
    return np.asarray(x * (ratio - np.log1p(ratio)))
