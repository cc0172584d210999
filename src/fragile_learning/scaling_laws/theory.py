r"""Test error of a memoriser on a power law, with tails cut, narrowed, sampled, mixed and bought.

Item :math:`i` has probability :math:`p_i = i^{-\beta}/\zeta(\beta)`, :math:`\beta > 1`, over all
whole ranks, and one answer. A model knows the items that it has seen, and is always tested on the
real law. Every function takes arrays and broadcasts; none draws random numbers.

``tail_exponent`` is a number in (1, 100]. Sample sizes are real numbers from 0 to 1e100: they may
be effective ones (`effective_samples`). Sums run over all ranks
(`fragile_learning.scaling_laws.sums`), to a relative error near 1e-14 at any size, unless a
function says otherwise.

The paper is Dohmatob, Feng, Yang, Charton, Kempe, "A Tale of Tails: Model Collapse as a Change of
Scaling Laws", ICML 2024, arXiv:2402.07043. It states orders of magnitude; the sums and constants
are derived here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, gamma, xlog1py, zeta

from fragile_learning._validation import real_array, real_number, result, whole_array, whole_number
from fragile_learning.scaling_laws.arguments import fractions_of, samples_of, tail_exponent_of
from fragile_learning.scaling_laws.bigrams import (
    bigram_error,
    context_bigram_error,
    exact_bigram_error,
)
from fragile_learning.scaling_laws.sums import first_smooth_rank, log_sum, power_sum, seen_sum

__all__ = [
    "acquisition_crossover",
    "bigram_error",
    "chain_effective_samples",
    "chain_error",
    "chain_skills",
    "clean_constant",
    "context_bigram_error",
    "crossover_samples",
    "cut_error",
    "distinct_items",
    "effective_samples",
    "exact_bigram_error",
    "flattest_samples",
    "fresh_prompt_error",
    "hutter_error",
    "known_skills",
    "memory_error",
    "mix_error",
    "narrow_error",
    "narrow_mix_error",
    "plateau",
    "stationary_effective_samples",
    "tail_acquisition_error",
    "tail_mass",
    "top_p_rank",
]

Array = NDArray[np.float64]


def hutter_error(tail_exponent: float, n_samples: ArrayLike) -> Array | float:
    r"""Probability that a test item was not among the training samples.

    .. math:: E(T) = \sum_i p_i (1-p_i)^T
        \simeq \frac{\zeta(\beta)^{-1/\beta}}{\beta}\, B(c, T+1), \qquad c = 1 - 1/\beta

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0.

    Returns
    -------
    float or ndarray
        Error probability, of the shape of ``n_samples``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Returns the sum. The closed form beside it differs by less than any power of ``1/T``, yet by
    7 % at ``T = 1000`` for an exponent of 6. For large ``T`` both are
    `clean_constant` times :math:`T^{-c}`.

    References
    ----------
    The law :math:`T^{-c}`: Hutter, "Learning Curve Theory", arXiv:2102.04074, and the paper,
    section 2. The closed form and its constant are derived here.

    Examples
    --------
    >>> round(hutter_error(2.0, 100), 13)
    0.0688404894706
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    return result(power_sum(samples, 1.0 / zeta(beta), beta, beta) / zeta(beta))


def clean_constant(tail_exponent: float) -> float:
    r"""Constant :math:`C_\beta = \Gamma(c)\,\zeta(\beta)^{-1/\beta}/\beta` of the clean law.

    `hutter_error` is :math:`C_\beta T^{-c}(1 - c(c+1)/(2T) + O(T^{-2}))`, :math:`c = 1-1/\beta`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].

    Raises
    ------
    TypeError, ValueError
        If the exponent is out of range.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(clean_constant(2.0) * 1e-3, 9), round(hutter_error(2.0, 1e6), 9)
    (0.000690988, 0.000690988)
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    return float(gamma(1.0 - 1.0 / beta) * zeta(beta) ** (-1.0 / beta) / beta)


def distinct_items(tail_exponent: float, n_samples: ArrayLike) -> Array | float:
    r"""Give the expected number of different items among the samples (Heaps' law).

    .. math:: K(T) = \sum_i \big[1-(1-p_i)^T\big]
        \simeq \zeta(\beta)^{-1/\beta}\, \frac{\Gamma(c)\Gamma(T+1)}{\Gamma(T+c)} - \frac12

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0.

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
    Returns the sum. ``K(T + 1) - K(T)`` is `hutter_error`: a new item is found with the probability
    of those not yet seen.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> difference = distinct_items(2.0, 101) - distinct_items(2.0, 100)
    >>> round(difference, 12) == round(hutter_error(2.0, 100), 12)
    True
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    return result(seen_sum(samples, 1.0 / zeta(beta), beta))


def tail_mass(tail_exponent: float, rank: ArrayLike) -> Array | float:
    r"""Probability of the items beyond a rank, :math:`\zeta(\beta, k+1)/\zeta(\beta)`.

    The error floor of a model whose training data is cut at the rank; about
    :math:`k^{-(\beta-1)}/((\beta-1)\zeta(\beta))`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    rank : array_like
        ``k``, whole, >= 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> round(tail_mass(1.5, 1000), 6)
    0.024204
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    cut = whole_array("rank", rank)
    return result(_from(beta, cut + 1.0) / zeta(beta))


def cut_error(tail_exponent: float, n_samples: ArrayLike, rank: ArrayLike) -> Array | float:
    r"""Test error when the training data holds the first ``rank`` items only.

    .. math:: E = \sum_{i \le k} p_i\,(1 - p_i/P_k)^T + \sum_{i > k} p_i,
        \qquad P_k = \sum_{i\le k} p_i

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0.
    rank : array_like
        ``k``, whole, >= 1. The two broadcast.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    For :math:`T \ll k^\beta` the clean law, for :math:`T \gg k^\beta` the floor `tail_mass`, which
    is approached exponentially: the sum of powers of the paper gives the order of magnitude.

    References
    ----------
    The double scaling law :math:`T^{-(\beta-1)/\beta} + k^{-(\beta-1)}`: the paper, section 2. The
    sum is derived here.

    Examples
    --------
    >>> cut_error(1.5, [1e3, 1e6], 100).round(6).tolist()
    [0.098688, 0.076368]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    cut = whole_array("rank", rank)
    head = power_sum(samples, 1.0 / _up_to(beta, cut), beta, beta, 1.0, cut)
    return result((head + _from(beta, cut + 1.0)) / zeta(beta))


def narrow_error(
    tail_exponent: float, n_samples: ArrayLike, narrowed_exponent: float
) -> Array | float:
    r"""Test error when the training data follows a power law of another exponent.

    .. math:: E = \sum_i p_i\,(1 - q_i)^T
        \simeq \frac{\zeta(\beta')^{s}}{\beta'\,\zeta(\beta)}\,B(s, T+1),
        \qquad q_i = i^{-\beta'}/\zeta(\beta'), \quad s = (\beta-1)/\beta'

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` of the real law, in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0.
    narrowed_exponent : float
        :math:`\beta'` of the training data, in (1, 100]: :math:`\beta/\tau` for a temperature
        :math:`\tau`.

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
    Returns the sum. For :math:`\beta' < \beta` and many samples the error is *smaller* than with
    real data, since a model that runs hot invents no wrong answers here; a real one does. With few
    it is larger: at 1 and 2 samples for exponents 3 and 2, say.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> clean, narrowed = hutter_error(1.5, 1e4), narrow_error(1.5, 1e4, 2.25)
    >>> round(clean, 6), round(narrowed, 6)
    (0.043702, 0.098153)
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    narrowed = tail_exponent_of("narrowed_exponent", narrowed_exponent)
    samples = samples_of("n_samples", n_samples)
    return result(power_sum(samples, 1.0 / zeta(narrowed), beta, narrowed) / zeta(beta))


def top_p_rank(tail_exponent: float, top_p: ArrayLike) -> Array | float:
    r"""Rank at which top-p sampling cuts: the smallest head of mass at least ``top_p``.

    About :math:`[(1-P)(\beta-1)\zeta(\beta)]^{-1/(\beta-1)}`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    top_p : array_like
        ``P`` in (0, 1). After ``n`` generations, each cut anew, it is ``P**n``, or a little more,
        for every cut keeps a whole number of items.

    Returns
    -------
    float or ndarray
        Whole numbers as floats; ``inf`` where the rank exceeds the largest float.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact while the head's mass can be told from ``top_p`` in double precision; beyond ranks of
    about :math:`10^{14}`, to that precision.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> top_p_rank(1.5, 0.9)
    59.0
    >>> ranks = [top_p_rank(1.5, 0.99)]
    >>> for _ in range(4):  # top-p anew, of what is left
    ...     ranks.append(top_p_rank(1.5, 0.99 * (1.0 - tail_mass(1.5, ranks[-1]))))
    >>> ranks
    [5861.0, 1480.0, 665.0, 378.0, 245.0]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    mass = real_array("top_p", top_p, minimum=0.0, open_minimum=True)
    if mass.max(initial=0.5) >= 1.0:
        raise ValueError(f"top_p must be > 0 and < 1, got {mass.max()!r}")
    beyond = (1.0 - mass) * zeta(beta)  # zeta(beta, k + 1) <= beyond
    with np.errstate(over="ignore"):
        rank = np.maximum(np.ceil((beyond * (beta - 1.0)) ** (-1.0 / (beta - 1.0)) - 0.5), 1.0)
    exact = rank < 1e14
    while True:
        low = exact & (_from(beta, np.where(exact, rank, 1.0) + 1.0) > beyond)
        if not low.any():
            break
        rank = rank + low
    while True:
        high = exact & (rank > 1.0) & (_from(beta, np.where(exact, rank, 1.0)) <= beyond)
        if not high.any():
            return result(rank)
        rank = rank - high


def effective_samples(n_generator_samples: ArrayLike, n_samples: ArrayLike) -> Array | float:
    r"""Real samples that a student of a finite-sample generator has in effect.

    .. math:: T_{\mathrm{eff}} = T_0\,(1 - e^{-T/T_0})

    Parameters
    ----------
    n_generator_samples : array_like
        :math:`T_0 > 0` real samples, from whose empirical law
    n_samples : array_like
        ``T >= 0`` samples are drawn. The two broadcast.

    Returns
    -------
    float or ndarray
        In samples; at most the smaller of the two.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    The student's error is ``hutter_error(tail_exponent, T_eff)``, with a relative error of order
    ``1/T_0 + 1/T``.

    References
    ----------
    Derived here; a sharper form of :math:`T^{-c} + T_0^{-c}` in the paper, section 2.

    Examples
    --------
    >>> round(effective_samples(1000, 1000), 3)
    632.121
    """
    generator = samples_of("n_generator_samples", n_generator_samples, open_minimum=True)
    samples = samples_of("n_samples", n_samples)
    return result(-generator * np.expm1(-samples / generator))


def chain_effective_samples(
    sample_sizes: ArrayLike, real_fraction: ArrayLike = 0.0
) -> Array | float:
    r"""Real samples that the last model of a chain has in effect.

    Generation 0 holds :math:`T_0` real samples. Each sample of generation ``m`` is real with
    probability :math:`\pi`, and otherwise drawn from the samples of generation ``m - 1``. A copy
    has a Poisson number of copies in the next generation, with mean
    :math:`(1-\pi)T_{m+1}/T_m`, so that a line of copies dies out like a branching process:

    .. math::

        \Theta = T_0 s_0 + \pi \sum_{m\ge1} T_m s_m, \qquad
        s_{m} = 1 - \exp\!\Big(-(1-\pi)\frac{T_{m+1}}{T_m}\, s_{m+1}\Big), \qquad
        s_{\mathrm{last}} = 1

    Parameters
    ----------
    sample_sizes : array_like, shape (..., n_generations + 1)
        Positive; the last one is the student's.
    real_fraction : array_like
        :math:`\pi` in [0, 1], broadcast against the leading axes of ``sample_sizes``.

    Returns
    -------
    float or ndarray, shape (...)
        In samples.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    For equal sizes and no real samples :math:`\Theta \to 2T_0/n` after many generations ``n``.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> [round(chain_effective_samples([1.0] * n), 4) for n in (1, 2, 3, 4)]
    [1.0, 0.6321, 0.4685, 0.3741]
    """
    total, _ = _chain(sample_sizes, real_fraction)
    return result(total)


def chain_error(
    tail_exponent: float, sample_sizes: ArrayLike, real_fraction: ArrayLike = 0.0
) -> Array | float:
    r"""Test error of the last model of a chain in which samples replace samples.

    .. math:: E = \sum_i p_i\,(1 - p_i\Theta/m)^{m} \simeq C_\beta\,\Theta^{-c},
        \qquad m = \Theta^2 \Big/ \sum_g T_g\,(\pi_g s_g)^2

    with :math:`\Theta` and :math:`s_g` of `chain_effective_samples`, :math:`\pi_0 = 1`, and
    :math:`\pi_g = \pi` after. The size ``m`` matches the probability of missing an item,
    :math:`\prod_g (1-\pi_g s_g p_i)^{T_g}`, to second order.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    sample_sizes : array_like, shape (..., n_generations + 1)
        Positive; the last one is the student's.
    real_fraction : array_like
        :math:`\pi` in [0, 1], of every generation but the first, which is real.

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for a single generation. Otherwise the copies of an item are taken as independent: the
    relative error is of the order of the inverse of the smallest sample size. For ``n`` equal sizes
    the error grows like :math:`n^{c}`, within the bound :math:`T^{-c} + n T_0^{-c}` of the paper.

    References
    ----------
    Derived here. The linear bound: the paper, section 2.

    Examples
    --------
    >>> round(chain_error(1.5, [2000] * 11), 4)  # ten generations after the real samples
    0.1381
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    total, size = _chain(sample_sizes, real_fraction)
    return result(power_sum(size, total / size / zeta(beta), beta, beta) / zeta(beta))


def chain_skills(
    tail_exponent: float, sample_sizes: ArrayLike, real_fraction: ArrayLike = 0.0
) -> Array | float:
    r"""Give the expected number of items that the last model of a chain knows.

    About :math:`\Gamma(c)\,(\Theta/\zeta(\beta))^{1/\beta} - 1/2`, with :math:`\Theta` of
    `chain_effective_samples`; the item of rank :math:`(\Theta/\zeta(\beta))^{1/\beta}` is known
    with probability :math:`1 - 1/e`, the one known half of the time lies :math:`(\ln 2)^{-1/\beta}`
    times as deep.

    Parameters
    ----------
    tail_exponent, sample_sizes, real_fraction
        As in `chain_error`, of which it has the accuracy.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> chain_skills(2.0, [2000]) == distinct_items(2.0, 2000)
    True
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    total, size = _chain(sample_sizes, real_fraction)
    return result(seen_sum(size, total / size / zeta(beta), beta))


def stationary_effective_samples(n_samples: ArrayLike, real_fraction: float) -> Array | float:
    r"""`chain_effective_samples` after infinitely many generations of equal size.

    .. math:: \Theta_\infty = \pi T \sum_{j\ge0} s_j, \qquad
        s_0 = 1, \quad s_{j+1} = 1 - e^{-(1-\pi)s_j}

    Parameters
    ----------
    n_samples : array_like
        ``T``, real, >= 0, of each generation.
    real_fraction : float
        :math:`\pi` in [1e-6, 1].

    Returns
    -------
    float or ndarray
        In samples.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range. Below 1e-6 the sum would take long.

    Notes
    -----
    For small fractions :math:`\pi T\,(2\ln(1/\pi) - 1.185)`: copies of real samples in earlier
    generations multiply the worth of those in the last.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> [round(stationary_effective_samples(1.0, share), 4) for share in (0.5, 0.1, 0.01)]
    [0.8703, 0.3997, 0.0813]
    """
    samples = samples_of("n_samples", n_samples)
    share = real_number("real_fraction", real_fraction, minimum=1e-6, maximum=1.0)
    survival, total = 1.0, 0.0
    while survival > 1e-17 * share:
        total += survival
        survival = -float(np.expm1(-(1.0 - share) * survival))
    return result(samples * share * total)


def fresh_prompt_error(
    tail_exponent: float,
    n_generator_samples: ArrayLike,
    n_samples: ArrayLike,
    n_generations: ArrayLike,
) -> Array | float:
    r"""Test error of a chain that is asked new real questions but answers them itself.

    .. math:: E = \sum_i p_i \Big[1 - \big(1-(1-p_i)^{T_0}\big)^{n}\,\big(1-(1-p_i)^T\big)\Big]

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_generator_samples : array_like
        :math:`T_0`, real, > 0, of each of
    n_generations : array_like
        ``n``, whole, >= 0 generators, the first of which learns from real answers.
    n_samples : array_like
        ``T``, real, >= 0, of the student after them. The three broadcast.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    An item is answered by the last model only if it was seen in every generation: exact. For
    :math:`T = T_0` and many generations the error grows like :math:`(\log n)^{c}`,

    .. math:: E \simeq \frac{1}{(\beta-1)\zeta(\beta)}
        \Big(\frac{\zeta(\beta)\,(\log(n+1) + \gamma)}{T_0}\Big)^{c}.

    Relative error about 1e-13. Some 10 microseconds a point.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> fresh_prompt_error(1.5, 1000, 1000, [0, 1, 10, 100]).round(4).tolist()
    [0.0941, 0.1135, 0.1496, 0.1813]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    generator = samples_of("n_generator_samples", n_generator_samples, open_minimum=True)
    arrays = np.broadcast_arrays(
        generator,
        samples_of("n_samples", n_samples),
        whole_array("n_generations", n_generations, minimum=0),
    )
    shape = arrays[0].shape
    first, last, count = (array.ravel() for array in arrays)

    def f(log_rank: Array) -> Array:
        power = np.exp(-beta * log_rank)
        with np.errstate(divide="ignore", invalid="ignore"):
            missed = np.log1p(-power / zeta(beta))
            known = np.where(count > 0, count * np.log(-np.expm1(first * missed)), 0.0)
            known += np.log(-np.expm1(last * missed))
        return np.asarray(power * -np.expm1(known))

    def rank_of(level: Array) -> Array:
        return np.asarray((level / zeta(beta)) ** (1.0 / beta))

    depth = 50.0 + np.log1p(count)
    wide = 2.5 / beta
    narrow = 1.5 / beta / (1.0 + 0.5 * np.log1p(count.max(initial=0.0)))
    start = np.minimum(first, np.maximum(last, 1e-300)) / depth
    end = np.maximum(first, last) * 1e17
    corners = [
        (rank_of(start), wide),
        (np.maximum(rank_of(first / depth), rank_of(start)), narrow),
        (rank_of(first), wide),
        (rank_of(end), wide),
    ]
    stop = first_smooth_rank(beta * (1.0 + np.log1p(count.max(initial=0.0))))
    total = log_sum(f, first.size, beta, corners, stop) / zeta(beta)
    return result(np.where(last > 0.0, total, 1.0).reshape(shape))


def crossover_samples(tail_exponent: float, rank: ArrayLike) -> Array | float:
    r"""Sample size at which the clean law meets the floor of a cut tail.

    .. math:: T^* = \zeta(\beta)\,\Gamma(1+c)^{1/c}\,k^\beta, \qquad c = 1 - 1/\beta

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    rank : array_like
        ``k``, whole, >= 1, at which the tail is cut.

    Returns
    -------
    float or ndarray
        In samples; ``inf`` beyond the largest float, here and in the functions below.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Between the asymptotic forms of clean law and floor. With `tail_mass` for the floor it is higher
    by a relative :math:`\beta/(2k)`, to first order.

    References
    ----------
    The order :math:`k^\beta`: the paper, section 3. The constant is derived here.

    Examples
    --------
    >>> [round(crossover_samples(beta, 1), 3) for beta in (1.2, 1.5, 2.0, 3.0)]
    [3.565, 1.86, 1.292, 1.031]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    cut = whole_array("rank", rank)
    with np.errstate(over="ignore"):
        return result(zeta(beta) * _crossing(beta) * cut**beta)


def plateau(
    tail_exponent: float, rank: ArrayLike, real_fraction: ArrayLike
) -> tuple[Array | float, Array | float]:
    r"""Sample sizes between which the error of mixed data stays near the floor.

    From :math:`T^*` of `crossover_samples`, where the head is learnt, to :math:`T^*/\pi`, where the
    real share of the samples has reached :math:`T^*`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    rank : array_like
        ``k``, whole, >= 1, at which the synthetic data is cut.
    real_fraction : array_like
        :math:`\pi` in (0, 1]. The two broadcast.

    Returns
    -------
    start, end : float or ndarray
        In samples.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Crossings of asymptotic laws. For fractions of a few hundredths and less the curve is flattest
    before the middle, at `flattest_samples`.

    References
    ----------
    That the clean exponent returns at :math:`T \gg k^\beta/\pi`: the paper, section 3. The
    constants are derived here.

    Examples
    --------
    >>> start, end = plateau(1.5, 100, 0.01)
    >>> round(start), round(end)
    (1860, 186020)
    """
    share = fractions_of("real_fraction", real_fraction, open_minimum=True)
    start = np.asarray(crossover_samples(tail_exponent, rank))
    with np.errstate(over="ignore"):
        start, end = np.broadcast_arrays(start, start / share)
    return result(start.copy()), result(end)


def flattest_samples(
    tail_exponent: float, rank: ArrayLike, real_fraction: ArrayLike
) -> Array | float:
    r"""Sample size at which the error of mixed data falls most slowly on a log-log plot.

    .. math:: T_{\mathrm{flat}} \simeq H_k\,(k+\tfrac12)^\beta\,
        \ln\frac{2-1/\beta}{\pi}, \qquad H_k = \sum_{i\le k} i^{-\beta}

    Parameters
    ----------
    tail_exponent, rank, real_fraction
        As in `plateau`.

    Returns
    -------
    float or ndarray
        In samples.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Approximate: within 10 % for fractions up to 0.01 and exponents of 1.5 and more, 12 % too low at
    exponent 1.2 and rank 30, where the head is far from the whole mass. The last items of the head
    are learnt exponentially fast, so that it grows only with the logarithm of the fraction.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(flattest_samples(1.5, 100, 1e-3))
    17492
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    cut = whole_array("rank", rank)
    share = fractions_of("real_fraction", real_fraction, open_minimum=True)
    height = np.log(2.0 - 1.0 / beta) - np.log(share)
    with np.errstate(over="ignore"):
        return result(_up_to(beta, cut) * (cut + 0.5) ** beta * height)


def mix_error(
    tail_exponent: float, n_samples: ArrayLike, rank: ArrayLike, real_fraction: ArrayLike
) -> Array | float:
    r"""Test error when a fraction of the samples is real and the tail of the others is cut.

    Samples follow :math:`q = \pi p + (1-\pi)\,p_{\le k}`, where :math:`p_{\le k}` is the real law
    restricted to the first ``k`` items: :math:`E = \sum_i p_i (1-q_i)^T`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0: real and synthetic samples together.
    rank : array_like
        ``k``, whole, >= 1.
    real_fraction : array_like
        :math:`\pi` in [0, 1]. The three broadcast.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Far beyond the end of the `plateau` it is `clean_constant` times :math:`(\pi T)^{-c}`: the
    synthetic samples contribute nothing. Holds if synthetic samples *omit* the tail; if they
    contradict it with one wrong answer per item, a majority of real ones is needed.

    References
    ----------
    Both regimes: the paper, section 3. The sum is derived here.

    Examples
    --------
    >>> mix_error(1.5, [1e4, 1e5, 1e9], 100, 0.01).round(6).tolist()
    [0.075739, 0.069836, 0.00437]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    cut = whole_array("rank", rank)
    share = fractions_of("real_fraction", real_fraction)
    real = share / zeta(beta)
    head = power_sum(samples, real + (1.0 - share) / _up_to(beta, cut), beta, beta, 1.0, cut)
    tail = power_sum(samples, real, beta, beta, cut + 1.0)
    return result((head + tail) / zeta(beta))


def narrow_mix_error(
    tail_exponent: float,
    n_samples: ArrayLike,
    narrowed_exponent: float,
    real_fraction: ArrayLike,
) -> Array | float:
    r"""Test error when a fraction of the samples is real and the others have a narrowed tail.

    Samples follow :math:`q_i = \pi p_i + (1-\pi)\,i^{-\beta'}/\zeta(\beta')`. First
    :math:`T^{-(\beta-1)/\beta'}`, then `clean_constant` times :math:`(\pi T)^{-c}`, from about
    :math:`T = \pi^{-\beta'/(\beta'-\beta)}` on: a kink, and no plateau.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0.
    narrowed_exponent : float
        :math:`\beta'` in (1, 100].
    real_fraction : array_like
        :math:`\pi` in [0, 1]. It broadcasts against ``n_samples``.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Relative error about 1e-13. Some 10 microseconds a point.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> late = 1e10
    >>> clean = clean_constant(1.5) * (0.01 * late) ** (-1 / 3)
    >>> round(narrow_mix_error(1.5, late, 3.0, 0.01) / clean, 3)
    1.0
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    narrowed = tail_exponent_of("narrowed_exponent", narrowed_exponent)
    arrays = np.broadcast_arrays(
        samples_of("n_samples", n_samples), fractions_of("real_fraction", real_fraction)
    )
    shape = arrays[0].shape
    samples, share = (array.ravel() for array in arrays)
    parts = [(share / zeta(beta), beta), ((1.0 - share) / zeta(narrowed), narrowed)]

    def f(log_rank: Array) -> Array:
        power = np.exp(-beta * log_rank)
        q = parts[0][0] * power + parts[1][0] * np.exp(-narrowed * log_rank)
        return np.asarray(power * np.exp(xlog1py(samples, -np.minimum(q, 1.0))))

    def where(level: float) -> Array:
        ranks = [(samples * rate / level) ** (1.0 / exponent) for rate, exponent in parts]
        return np.asarray(np.maximum(*ranks))

    steep = max(beta, narrowed)
    corners = [(where(745.0), 2.5 / steep), (where(1e-17), 1.0)]
    total = log_sum(f, samples.size, beta, corners, first_smooth_rank(steep))
    return result((total / zeta(beta)).reshape(shape))


def tail_acquisition_error(
    tail_exponent: float,
    n_samples: ArrayLike,
    rank: ArrayLike,
    n_tail_from: ArrayLike,
    real_fraction: ArrayLike,
) -> Array | float:
    r"""Test error when the real samples are bought in the tail only.

    A fraction :math:`\pi` of the samples follows the real law restricted to ranks ``>= N``, the
    others the real law restricted to ranks ``<= k``.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0.
    rank : array_like
        ``k``, whole, >= 1, at which the synthetic data is cut.
    n_tail_from : array_like
        ``N``, whole, >= 1, from which the tail is bought.
    real_fraction : array_like
        :math:`\pi` in [0, 1]. The four broadcast.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    With ``N > k + 1`` the items between are never seen: a floor of
    ``tail_mass(k) - tail_mass(N - 1)`` stays, however large ``T``.

    References
    ----------
    That only a tail that joins up with the cut helps: the paper, section 3. The sums are derived
    here.

    Examples
    --------
    >>> tail_acquisition_error(1.5, 1e10, 1000, [1001, 2000, 100_000], 0.01).round(5).tolist()
    [0.00059, 0.00761, 0.02206]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    cut = whole_array("rank", rank)
    tail = whole_array("n_tail_from", n_tail_from)
    share = fractions_of("real_fraction", real_fraction)
    head_rate = (1.0 - share) / _up_to(beta, cut)
    mass = _from(beta, tail)  # below 1e-290 no error depends on these items
    tail_rate = np.where(mass > 1e-290, share / np.maximum(mass, 1e-290), 0.0)
    parts = [
        power_sum(samples, head_rate, beta, beta, 1.0, np.minimum(cut, tail - 1.0)),
        power_sum(0.0, 0.0, beta, beta, cut + 1.0, tail - 1.0),
        power_sum(
            samples, np.where(tail <= cut, head_rate + tail_rate, 0.0), beta, beta, tail, cut
        ),
        power_sum(samples, tail_rate, beta, beta, np.maximum(cut + 1.0, tail)),
    ]
    return result(sum(parts[1:], start=parts[0]) / zeta(beta))


def acquisition_crossover(
    tail_exponent: float, rank: ArrayLike, real_fraction: ArrayLike
) -> Array | float:
    r"""Sample size at which a tail bought from the cut on has been learnt down to the floor.

    .. math:: \Gamma(1+c)^{1/c}\,\zeta(\beta, k+1)\,k^\beta/\pi
        \simeq \Gamma(1+c)^{1/c}\,\frac{k}{(\beta-1)\,\pi}

    It takes the place of the end :math:`T^*/\pi` of the `plateau`.

    Parameters
    ----------
    tail_exponent, rank, real_fraction
        As in `plateau`.

    Returns
    -------
    float or ndarray
        In samples.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    A crossing of asymptotic laws, for fractions below about `tail_mass`; with more, it comes before
    `crossover_samples`, and the head is learnt last.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> saving = plateau(2.0, 300, 1e-4)[1] / acquisition_crossover(2.0, 300, 1e-4)
    >>> round(saving)
    494
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    cut = whole_array("rank", rank)
    share = fractions_of("real_fraction", real_fraction, open_minimum=True)
    first = cut + 1.0
    # k^beta zeta(beta, k + 1), by Euler and Maclaurin where a factor leaves the range of floats
    near = beta * np.log(first) < 600.0
    with np.errstate(over="ignore"):
        series = first / (beta - 1.0) + 0.5 + beta / (12.0 * first)
        series -= beta / first * (beta + 1.0) / first * (beta + 2.0) / first / 720.0
        plain = np.where(near, first, 2.0)
        scaled = np.where(near, _from(beta, plain) * plain**beta, series)
        return result(_crossing(beta) * scaled * (cut / first) ** beta / share)


def known_skills(probabilities: ArrayLike, n_samples: ArrayLike, n_examples: int) -> Array | float:
    r"""Give the expected number of skills with at least so many examples among the samples.

    Parameters
    ----------
    probabilities : array_like, shape (n_skills,)
        In [0, 1]; they need not sum to one.
    n_samples : array_like
        Whole, >= 0.
    n_examples : int
        Examples that a skill needs, >= 1.

    Returns
    -------
    float or ndarray
        Of the shape of ``n_samples``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    Derived here; exact.

    Examples
    --------
    >>> gcds = 6 / (np.pi * np.arange(1, 101)) ** 2  # of two uniform whole numbers
    >>> round(known_skills(gcds, 20_000, 20), 1)
    24.6
    """
    chances = real_array("probabilities", probabilities, ndim=1, minimum=0.0, maximum=1.0)
    samples = whole_array("n_samples", n_samples, minimum=0)
    needed = whole_number("n_examples", n_examples)
    total = np.zeros(samples.shape)
    enough = samples >= needed
    spare = np.where(enough, samples - needed, 0.0) + 1.0
    for chance in chances:
        total += np.where(enough, betainc(needed, spare, chance), 0.0)
    return result(total)


def memory_error(
    tail_exponent: float,
    n_samples: ArrayLike,
    capacity: ArrayLike,
    n_outputs: int,
    *,
    rank: ArrayLike | None = None,
    n_items: int | None = None,
) -> Array | float:
    r"""Test error of an associative memory that stores the most frequent items without error.

    .. math:: E = \Big(1-\frac1m\Big)\Big[\sum_{i\le\min(P,k)} p_i (1-q_i)^T
        + \sum_{i>\min(P,k)} p_i\Big], \qquad q_i = p_i \Big/ \sum_{j\le k} p_j

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` in (1, 100].
    n_samples : array_like
        ``T``, real, >= 0.
    capacity : array_like
        ``P``, whole, >= 1: only the ``P`` most frequent items are stored. A memory of random
        embeddings of dimension ``d`` holds a number of order ``d`` without error.
    n_outputs : int
        ``m >= 1`` equally likely answers; an item that is not stored is guessed.
    rank : array_like, optional
        ``k``, whole, >= 1: the training data is cut there. The three arrays broadcast.
    n_items : int, optional
        The law is restricted to so many items; unbounded by default.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for that memory. One that stores the ``P`` most frequent items *among those seen* has a
    smaller error while samples are scarce, for it refills with rarer items. In order of magnitude
    :math:`T^{-c} + P^{-(\beta-1)} + k^{-(\beta-1)}`: the scarcest of data, memory and tail decides.

    References
    ----------
    The model: Cabannes, Dohmatob, Bietti, "Scaling Laws for Associative Memories", ICLR 2024,
    arXiv:2310.02984. A law of three terms: the paper, section 5. The formula is derived here.

    Examples
    --------
    >>> round(memory_error(1.5, 2e4, 20, 20, rank=1000, n_items=5000), 4)
    0.152
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    stored = whole_array("capacity", capacity)
    outputs = whole_number("n_outputs", n_outputs)
    last = np.inf if n_items is None else float(whole_number("n_items", n_items))
    cut = np.asarray(last) if rank is None else np.minimum(whole_array("rank", rank), last)
    top = np.minimum(stored, cut)
    norm = power_sum(0.0, 0.0, beta, beta, 1.0, last)
    learnt = power_sum(samples, 1.0 / _up_to(beta, cut), beta, beta, 1.0, top)
    never = power_sum(0.0, 0.0, beta, beta, top + 1.0, last)
    return result((1.0 - 1.0 / outputs) * (learnt + never) / norm)


def _up_to(beta: float, rank: Array) -> Array:
    """Sum of ``i^-beta`` up to a rank, which may be infinite."""
    return power_sum(0.0, 0.0, beta, beta, 1.0, rank)


def _from(beta: float, rank: Array) -> Array:
    """Sum of ``i^-beta`` from a rank on."""
    return power_sum(0.0, 0.0, beta, beta, rank)


def _crossing(beta: float) -> float:
    c = 1.0 - 1.0 / beta
    return float(gamma(1.0 + c) ** (1.0 / c))


def _chain(sample_sizes: ArrayLike, real_fraction: ArrayLike) -> tuple[Array, Array]:
    """Effective samples of a chain, and the size that matches the second order."""
    sizes = samples_of("sample_sizes", sample_sizes, open_minimum=True)
    if sizes.ndim == 0 or sizes.shape[-1] == 0:
        raise ValueError(
            f"sample_sizes must have >= 1 generation along its last axis, got shape {sizes.shape}"
        )
    share = fractions_of("real_fraction", real_fraction)
    survival = np.ones(np.broadcast_shapes(sizes.shape[:-1], share.shape))
    found = []  # real samples of each generation whose copies reach the last one, as a share
    for generation in reversed(range(sizes.shape[-1])):
        found.append(survival if generation == 0 else share * survival)
        if generation > 0:
            growth = sizes[..., generation] / sizes[..., generation - 1]
            survival = -np.expm1(-(1.0 - share) * growth * survival)
    shares = np.stack(found[::-1], axis=-1)
    total = np.sum(sizes * shares, axis=-1)
    size = 1.0 / np.sum(sizes * (shares / total[..., None]) ** 2, axis=-1)
    return total, np.maximum(size, total)  # as no share exceeds 1, but for rounding
