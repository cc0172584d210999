r"""Closed forms and asymptotic laws of a memoriser on a power law, to hold against the exact sums.

`fragile_learning.scaling_laws.theory` adds up the errors to machine precision. The functions here
are the formulas that explain them, each with what it neglects: use the sums for numbers and these
for understanding. With :math:`c = 1 - 1/\beta` and :math:`C_\beta` of `clean_constant`.

``tail_exponent`` is a number in (1, 100], sample sizes are real numbers from 0 to 1e100. The others
broadcast. Nothing here draws random numbers.

The paper is Dohmatob, Feng, Yang, Charton, Kempe, "A Tale of Tails: Model Collapse as a Change of
Scaling Laws", ICML 2024, arXiv:2402.07043. It states orders of magnitude; the constants are derived
here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, gamma, gammaincc, poch, zeta

from fragile_learning._validation import real_array, result, whole_array
from fragile_learning.scaling_laws.arguments import fractions_of, samples_of, tail_exponent_of
from fragile_learning.scaling_laws.theory import clean_constant, tail_mass

__all__ = [
    "chain_asymptote",
    "clean_power_law",
    "crossover_excess",
    "cut_closed_form",
    "distinct_items_closed_form",
    "equivalent_rank",
    "fresh_prompt_asymptote",
    "hutter_closed_form",
    "linear_bound",
    "mix_closed_form",
    "narrow_closed_form",
    "narrow_mix_crossover",
    "skills_asymptote",
    "stationary_asymptote",
    "tail_acquisition_closed_form",
    "tail_acquisition_late_law",
    "tail_mass_asymptote",
    "top_p_rank_asymptote",
]

Array = NDArray[np.float64]

_EULER = 0.5772156649015329
_REAL_COPIES = 1.185


def hutter_closed_form(tail_exponent: float, n_samples: ArrayLike) -> Array | float:
    r"""Clean law :math:`\zeta(\beta)^{-1/\beta}\,B(c, T+1)/\beta`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        ``T``, >= 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    The integral in place of the sum: wrong by about
    :math:`\exp\{-2\pi(1+1/\beta)\sin\frac{\pi}{2(\beta+1)}
    (\beta T/2\pi\zeta(\beta))^{1/(\beta+1)}\}`, less than any power of ``1/T``. That is 4e-12 for
    an exponent of 2 at ``T = 1000``, but 0.1 % for 3 at ``T = 100``.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(hutter_closed_form(2.0, 1000) / 0.0218437, 4)
    1.0
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    return result(zeta(beta) ** (-1.0 / beta) / beta * _beta(1.0 - 1.0 / beta, samples))


def clean_power_law(tail_exponent: float, n_samples: ArrayLike) -> Array | float:
    r"""Power law :math:`C_\beta T^{-c}`, the limit of the clean law.

    With an effective sample size in place of ``T`` it is the law of a finite generator and of a
    chain; with :math:`\pi T`, of mixed data beyond the plateau.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        ``T``, > 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Above `hutter_closed_form` by a relative :math:`c(c+1)/(2T)`.

    References
    ----------
    The order :math:`T^{-c}`: Hutter, "Learning Curve Theory", arXiv:2102.04074. The constant is
    derived here.

    Examples
    --------
    >>> round(clean_power_law(2.0, 1e6), 9)
    0.000690988
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples, open_minimum=True)
    return result(clean_constant(beta) * samples ** (1.0 / beta - 1.0))


def distinct_items_closed_form(tail_exponent: float, n_samples: ArrayLike) -> Array | float:
    r"""Heaps' law :math:`\zeta(\beta)^{-1/\beta}\,\Gamma(c)\,\Gamma(T+1)/\Gamma(T+c) - 1/2`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        ``T``, > 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    As accurate as `hutter_closed_form`. Differences of it lose digits to cancellation, about
    1e-16 times the number of items over the error.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(distinct_items_closed_form(2.0, 100), 4)
    13.3371
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples, open_minimum=True)
    c = 1.0 - 1.0 / beta
    return result(zeta(beta) ** (-1.0 / beta) * gamma(c) * poch(samples + c, 1.0 / beta) - 0.5)


def skills_asymptote(tail_exponent: float, n_effective: ArrayLike) -> Array | float:
    r"""Give the number of known items, :math:`\Gamma(c)(\Theta/\zeta(\beta))^{1/\beta} - 1/2`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_effective : array_like
        :math:`\Theta`, > 0, effective samples.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Wrong by a relative :math:`O(1/\Theta)`; negative when nothing is left.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(skills_asymptote(2.0, 100), 3)
    13.32
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    effective = samples_of("n_effective", n_effective, open_minimum=True)
    return result(gamma(1.0 - 1.0 / beta) * (effective / zeta(beta)) ** (1.0 / beta) - 0.5)


def tail_mass_asymptote(tail_exponent: float, rank: ArrayLike) -> Array | float:
    r"""Floor of a cut tail, :math:`k^{-(\beta-1)}/((\beta-1)\zeta(\beta))`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    rank : array_like
        ``k``, whole, >= 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Above the tail mass by a relative :math:`(\beta-1)/(2k)`, to first order.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(tail_mass_asymptote(1.5, 1000), 6)
    0.02421
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    cut = whole_array("rank", rank)
    return result(cut ** (1.0 - beta) / ((beta - 1.0) * zeta(beta)))


def cut_closed_form(tail_exponent: float, n_samples: ArrayLike, rank: ArrayLike) -> Array | float:
    r"""Error with a tail cut at a rank, by an incomplete beta function.

    .. math:: E = \frac{H_k^{c}}{\beta\,\zeta(\beta)}\,B(c, T+1)\,\big[1 - I_x(c, T+1)\big]
        + \frac{\zeta(\beta, k+1)}{\zeta(\beta)}, \qquad x = \frac{1}{H_k\,(k+\frac12)^\beta}

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        ``T``, >= 0.
    rank : array_like
        ``k``, whole, >= 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Neglects what `hutter_closed_form` does, and the correction of the midpoint rule at the cut, at
    most :math:`\beta(\beta-1)/(24k^2)` of the floor: 3e-6 for ``k = 100`` and an exponent of 1.5.

    References
    ----------
    The double scaling law :math:`T^{-c} + k^{-(\beta-1)}`: the paper, section 2, as reported. The
    formula is derived here.

    Examples
    --------
    >>> cut_closed_form(1.5, [1e3, 1e6], 100).round(6).tolist()
    [0.098688, 0.076368]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    cut = whole_array("rank", rank)
    floor = np.asarray(tail_mass(beta, cut))
    head = zeta(beta) * (1.0 - floor)
    return result(_segment(beta, samples, 1.0 / head, cut + 0.5, head=True) + floor)


def crossover_excess(tail_exponent: float) -> float:
    r"""Error over floor at the crossover :math:`T^*` of a cut tail, for large ranks.

    :math:`1 + Q(c, \Gamma(1+c)^{1/c})`, with the regularised upper incomplete gamma function.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.

    Raises
    ------
    TypeError, ValueError
        If the exponent is out of range.

    Notes
    -----
    A limit, reached with a relative error of order :math:`1/k` for exponents from 2 on, and
    :math:`k^{-(\beta-1)}` below, as :math:`H_k` converges to :math:`\zeta(\beta)`: 2 % are left at
    ``k = 1000`` for an exponent of 1.2.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> [round(crossover_excess(beta), 3) for beta in (1.2, 1.5, 2.0, 3.0)]
    [1.077, 1.147, 1.21, 1.267]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    c = 1.0 - 1.0 / beta
    return float(1.0 + gammaincc(c, gamma(1.0 + c) ** (1.0 / c)))


def narrow_closed_form(
    tail_exponent: float, n_samples: ArrayLike, narrowed_exponent: float
) -> Array | float:
    r"""Error with training data of another exponent.

    .. math:: E = \frac{\zeta(\beta')^{s}}{\beta'\,\zeta(\beta)}\,B(s, T+1),
        \qquad s = \frac{\beta-1}{\beta'}

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta` of the real law.
    n_samples : array_like
        ``T``, >= 0.
    narrowed_exponent : float
        :math:`\beta'` of the training data, in (1, 100].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Neglects what `hutter_closed_form` with the exponent :math:`\beta'` does. For large ``T`` it is
    :math:`\zeta(\beta')^{s}\,\Gamma(s)\,T^{-s}/(\beta'\,\zeta(\beta))`.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(narrow_closed_form(1.5, 1e4, 2.25), 6)
    0.098153
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    narrowed = tail_exponent_of("narrowed_exponent", narrowed_exponent)
    samples = samples_of("n_samples", n_samples)
    s = (beta - 1.0) / narrowed
    return result(zeta(narrowed) ** s / (narrowed * zeta(beta)) * _beta(s, samples))


def top_p_rank_asymptote(tail_exponent: float, top_p: ArrayLike) -> Array | float:
    r"""Rank at which top-p sampling cuts, :math:`[(1-P)(\beta-1)\zeta(\beta)]^{-1/(\beta-1)}`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    top_p : array_like
        ``P`` in (0, 1).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Wrong by about one rank; ``inf`` where it exceeds the largest float.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(top_p_rank_asymptote(1.5, 0.9), 1)
    58.6
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    mass = fractions_of("top_p", top_p, open_minimum=True)
    if mass.max(initial=0.5) >= 1.0:
        raise ValueError(f"top_p must be > 0 and < 1, got {mass.max()!r}")
    with np.errstate(over="ignore"):
        return result(((1.0 - mass) * (beta - 1.0) * zeta(beta)) ** (-1.0 / (beta - 1.0)))


def equivalent_rank(tail_exponent: float, n_generator_samples: ArrayLike) -> Array | float:
    r"""Rank of the hard cut whose floor is that of a generator with so many samples.

    .. math:: k = \Big(\frac{T_0}{\zeta(\beta)\,\Gamma(1+c)^{1/c}}\Big)^{1/\beta}

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_generator_samples : array_like
        :math:`T_0`, > 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Asymptotic; a real number. It is not the number of different items that the generator has seen:
    a cut there would have a floor lower by the factor :math:`c\,\Gamma(c)^\beta`.

    References
    ----------
    The order :math:`T_0^{1/\beta}`: the paper, section 2, as reported. The constant is derived
    here.

    Examples
    --------
    >>> round(equivalent_rank(1.5, 1860.2), 2)
    100.0
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    generator = samples_of("n_generator_samples", n_generator_samples, open_minimum=True)
    c = 1.0 - 1.0 / beta
    return result((generator / (zeta(beta) * gamma(1.0 + c) ** (1.0 / c))) ** (1.0 / beta))


def linear_bound(
    tail_exponent: float, n_samples: ArrayLike, n_generations: ArrayLike
) -> Array | float:
    r"""Bound :math:`(n+1)\,C_\beta T_0^{-c}` on the error after ``n`` generations of one size.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        :math:`T_0`, > 0, of every generation and of the student.
    n_generations : array_like
        ``n``, whole, >= 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Every generation loses at most :math:`C_\beta T_0^{-c}`. A bound: samples of samples lose
    :math:`n^c`, own answers to new questions :math:`(\log n)^c`. It may exceed one.

    References
    ----------
    The order :math:`T^{-c} + n T_0^{-c}`: the paper, section 2, as reported. The constant is
    derived here.

    Examples
    --------
    >>> round(linear_bound(1.5, 1000, 10), 2)
    1.04
    """
    steps = whole_array("n_generations", n_generations, minimum=0)
    return result((steps + 1.0) * clean_power_law(tail_exponent, n_samples))


def chain_asymptote(
    tail_exponent: float, n_samples: ArrayLike, n_generations: ArrayLike
) -> Array | float:
    r"""Error of a long chain of samples of samples, :math:`C_\beta\,(n/(2T_0))^{c}`.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        :math:`T_0`, > 0, of every generation.
    n_generations : array_like
        ``n``, whole, >= 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    For :math:`1 \ll n \ll T_0`: the effective samples are lower than :math:`2T_0/n` by a relative
    :math:`(2 + \frac13\ln n)/n`, to first order: by a fifth at ``n = 10``.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(chain_asymptote(1.5, 2000, 100), 4)
    0.2753
    """
    steps = whole_array("n_generations", n_generations)
    samples = samples_of("n_samples", n_samples, open_minimum=True)
    return clean_power_law(tail_exponent, 2.0 * samples / steps)


def fresh_prompt_asymptote(
    tail_exponent: float, n_samples: ArrayLike, n_generations: ArrayLike
) -> Array | float:
    r"""Error of a chain that answers new questions itself, for many generations of one size.

    .. math:: E = \frac{1}{(\beta-1)\,\zeta(\beta)}
        \Big(\frac{\zeta(\beta)\,(\log(n+1) + \gamma)}{T_0}\Big)^{c}

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        :math:`T_0`, > 0, of every generation and of the student.
    n_generations : array_like
        ``n``, whole, >= 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Asymptotic in the logarithm of ``n``: the next relative correction is
    :math:`-c(1-c)\pi^2/(12\,(\log(n+1)+\gamma)^2)`. From ``n = 10`` on the law is at most 1.4 % too
    high for exponents up to 2 and 1,000 samples or more.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> fresh_prompt_asymptote(1.5, 1000, [1, 10, 100]).round(4).tolist()
    [0.1142, 0.1516, 0.1826]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples, open_minimum=True)
    steps = whole_array("n_generations", n_generations, minimum=0)
    lost = zeta(beta) * (np.log1p(steps) + _EULER) / samples
    return result(lost ** (1.0 - 1.0 / beta) / ((beta - 1.0) * zeta(beta)))


def mix_closed_form(
    tail_exponent: float, n_samples: ArrayLike, rank: ArrayLike, real_fraction: ArrayLike
) -> Array | float:
    r"""Error of real samples mixed with those of a cut tail.

    With :math:`A = \pi/\zeta(\beta) + (1-\pi)/H_k` and :math:`a = \pi/\zeta(\beta)`,

    .. math:: E = \frac{B(c, T+1)}{\beta\,\zeta(\beta)} \Big(
        A^{-c}\,\big[1 - I_{A (k+1/2)^{-\beta}}(c, T+1)\big]
        + a^{-c}\,I_{a (k+1/2)^{-\beta}}(c, T+1)\Big)

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        ``T``, >= 0.
    rank : array_like
        ``k``, whole, >= 1.
    real_fraction : array_like
        :math:`\pi` in (0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Neglects what `cut_closed_form` does, on either side of the cut. For very small fractions the
    second term is a small share of a large number: below :math:`\pi T \approx 10^{-200}` it is
    lost.

    References
    ----------
    Both regimes: the paper, section 3, as reported. The formula is derived here.

    Examples
    --------
    >>> mix_closed_form(1.5, [1e4, 1e5, 1e9], 100, 0.01).round(6).tolist()
    [0.07574, 0.069837, 0.00437]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    cut = whole_array("rank", rank)
    share = fractions_of("real_fraction", real_fraction, open_minimum=True)
    real = share / zeta(beta)
    both = real + (1.0 - share) / (zeta(beta) * (1.0 - np.asarray(tail_mass(beta, cut))))
    edge = cut + 0.5
    return result(
        _segment(beta, samples, both, edge, head=True)
        + _segment(beta, samples, real, edge, head=False)
    )


def narrow_mix_crossover(
    tail_exponent: float, narrowed_exponent: float, real_fraction: ArrayLike
) -> Array | float:
    r"""Order of the size from which real samples count in a mixture with a narrowed tail.

    :math:`\pi^{-\beta'/(\beta'-\beta)}`: beyond the rank :math:`\pi^{-1/(\beta'-\beta)}` most items
    are real.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    narrowed_exponent : float
        :math:`\beta' > \beta`, at most 100.
    real_fraction : array_like
        :math:`\pi` in (0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    An order of magnitude, without its constant: the kink is spread over several decades.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(narrow_mix_crossover(1.5, 3.0, 0.01))
    10000
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    narrowed = tail_exponent_of("narrowed_exponent", narrowed_exponent)
    if narrowed <= beta:
        raise ValueError(f"narrowed_exponent must be > tail_exponent {beta:g}, got {narrowed!r}")
    share = fractions_of("real_fraction", real_fraction, open_minimum=True)
    with np.errstate(over="ignore"):
        return result(share ** (-narrowed / (narrowed - beta)))


def tail_acquisition_closed_form(
    tail_exponent: float,
    n_samples: ArrayLike,
    rank: ArrayLike,
    n_tail_from: ArrayLike,
    real_fraction: ArrayLike,
) -> Array | float:
    r"""Error when real samples are bought from a rank beyond the cut on.

    A head and a tail as in `mix_closed_form`, of rates :math:`(1-\pi)/H_k` up to ``k + 1/2`` and
    :math:`\pi/\zeta(\beta, N)` from ``N - 1/2`` on, and between them items that are never seen.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        ``T``, >= 0.
    rank : array_like
        ``k``, whole, >= 1.
    n_tail_from : array_like
        ``N``, whole, > ``k``.
    real_fraction : array_like
        :math:`\pi` in (0, 1).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Neglects what `mix_closed_form` does.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> found = tail_acquisition_closed_form(1.5, 1e10, 1000, [1001, 2000, 100_000], 0.01)
    >>> found.round(5).tolist()
    [0.00059, 0.00761, 0.02206]
    """
    beta = tail_exponent_of("tail_exponent", tail_exponent)
    samples = samples_of("n_samples", n_samples)
    cut = whole_array("rank", rank)
    tail = whole_array("n_tail_from", n_tail_from, minimum=2)
    share = fractions_of("real_fraction", real_fraction, open_minimum=True)
    if share.max(initial=0.5) >= 1.0:
        raise ValueError(f"real_fraction must be > 0 and < 1, got {share.max()!r}")
    if np.any(tail <= cut):
        raise ValueError(f"n_tail_from must be > rank, got {n_tail_from!r} and {rank!r}")
    beyond_cut = np.asarray(tail_mass(beta, cut))
    beyond = np.asarray(tail_mass(beta, tail - 1.0))
    head_rate = (1.0 - share) / (zeta(beta) * (1.0 - beyond_cut))
    return result(
        _segment(beta, samples, head_rate, cut + 0.5, head=True)
        + (beyond_cut - beyond)
        + _segment(beta, samples, share / (zeta(beta) * beyond), tail - 0.5, head=False)
    )


def tail_acquisition_late_law(
    tail_exponent: float, n_samples: ArrayLike, rank: ArrayLike, real_fraction: ArrayLike
) -> Array | float:
    r"""Late law of a tail bought from the cut on, :math:`C_\beta(\pi T/m)^{-c}`, m its mass.

    Parameters
    ----------
    tail_exponent : float
        :math:`\beta`.
    n_samples : array_like
        ``T``, > 0.
    rank : array_like
        ``k``, whole, >= 1; the tail is bought from ``k + 1`` on.
    real_fraction : array_like
        :math:`\pi` in (0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Far beyond `acquisition_crossover` and `crossover_samples` only.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(tail_acquisition_late_law(1.5, 1e10, 1000, 0.01), 5)
    0.00059
    """
    samples = samples_of("n_samples", n_samples, open_minimum=True)
    share = fractions_of("real_fraction", real_fraction, open_minimum=True)
    return clean_power_law(tail_exponent, share * samples / tail_mass(tail_exponent, rank))


def stationary_asymptote(n_samples: ArrayLike, real_fraction: ArrayLike) -> Array | float:
    r"""Effective samples of an endless chain with few real ones, :math:`\pi T(2\ln(1/\pi)-1.185)`.

    Parameters
    ----------
    n_samples : array_like
        ``T``, >= 0, of each generation.
    real_fraction : array_like
        :math:`\pi` in (0, 0.5].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    For small fractions: 0.1 % low at 0.001, 1.3 % at 0.01, 14 % at 0.1, and meaningless at a half.
    The constant was found numerically; to four decimals it is 1.1856.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(stationary_asymptote(1.0, 1e-3), 5)
    0.01263
    """
    samples = samples_of("n_samples", n_samples)
    share = real_array("real_fraction", real_fraction, minimum=0.0, maximum=0.5, open_minimum=True)
    return result(share * samples * (2.0 * np.log(1.0 / share) - _REAL_COPIES))


def _beta(x: float, samples: Array) -> Array:
    """Beta function of ``x`` and ``samples + 1``, without overflow."""
    return np.asarray(gamma(x) / poch(samples + 1.0, x))


def _segment(beta: float, samples: Array, rate: ArrayLike, edge: Array, *, head: bool) -> Array:
    """Integral of ``x^-beta (1 - rate x^-beta)^T / zeta(beta)`` below or above an edge."""
    c = 1.0 - 1.0 / beta
    share = betaincc if head else betainc
    part = share(c, samples + 1.0, np.asarray(rate) * edge**-beta)
    return np.asarray(np.asarray(rate) ** -c / (beta * zeta(beta)) * _beta(c, samples) * part)
