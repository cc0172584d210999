r"""Scaling exponents of clean and of iterated regression, and their sharp constants.

Throughout, the eigenvalues are :math:`\lambda_j = j^{-\beta}` (capacity exponent
:math:`\beta > 1`) and the target has :math:`\lambda_j c_j^2 = j^{-1-2r\beta}` (source exponent
:math:`r > 0`, see `fragile_learning.spectra.source_condition_target`). Ridge regression cannot use
more smoothness than :math:`\bar r = \min(r, 1)`. Sizes are powers of the student's sample size
:math:`T`: the ridge is :math:`T^{-\ell}`, the generators have :math:`T_0 = T^b` samples and
:math:`n\sigma_0^2 = T^a` is the noise of all generators together.

An exponent ``e`` that is returned is a decay exponent: the quantity is of order ``T ** -e``, and a
negative one means growth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number, whole_array, whole_number

__all__ = [
    "PowerLawConstants",
    "SharpOptimum",
    "clean_exponents",
    "clean_rate",
    "collapsed_rate",
    "collapsed_risk_order",
    "critical_ridge_exponent",
    "generator_noise_exponents",
    "is_consistent",
    "noisy_rate",
    "optimal_ridge_exponent",
    "power_law_constants",
    "sharp_degrees_of_freedom",
    "sharp_generator_noise",
    "sharp_optimal_ridge",
]

Array = NDArray[np.float64]


class PowerLawConstants(NamedTuple):
    r"""Leading constants as :math:`d \to \infty`, then :math:`\kappa \to 0`.

    Attributes
    ----------
    df1 : float
        :math:`\mathrm{df}_1(\kappa) = C_1 \kappa^{-1/\beta} - 1/2 + o(1)`.
    df2 : float
        :math:`\mathrm{df}_2(\kappa) = C_2 \kappa^{-1/\beta} - 1/2 + o(1)`.
    bias : float
        :math:`\kappa^2 \sum_j \lambda_j c_j^2/(\lambda_j+\kappa)^2 \sim C_b \kappa^{2r}`.

    Examples
    --------
    >>> constants = power_law_constants(2.0, 0.5)
    >>> round(constants.df1 * 1e-4**-0.5 - 0.5, 2)  # df1 at kappa = 1e-4; a sum gives 156.57
    156.58
    """

    df1: float
    df2: float
    bias: float


class SharpOptimum(NamedTuple):
    """The best ridge of a student and its excess risk there; floats or arrays.

    Examples
    --------
    >>> best = sharp_optimal_ridge(
    ...     [10**4, 10**5],
    ...     exponent=2.0,
    ...     source_exponent=0.375,
    ...     n_features=300,
    ...     n_generator_samples=600,
    ...     noise_std=0.0,
    ...     generator_noise=5.0,
    ... )
    >>> best.ridge.round(3).tolist(), best.risk.round(3).tolist()  # more data hardly help
    ([0.037, 0.036], [0.117, 0.115])
    """

    ridge: Array | float
    risk: Array | float


def power_law_constants(exponent: float, source_exponent: float) -> PowerLawConstants:
    r"""Leading constants of the degrees of freedom and of the bias.

    :math:`C_1 = (\pi/\beta)/\sin(\pi/\beta)`, :math:`C_2 = (1-1/\beta)\,C_1` and
    :math:`C_b = (1-2r)\,\pi/(\beta\sin 2\pi r)`, which is :math:`1/\beta` at :math:`r = 1/2`.

    Parameters
    ----------
    exponent : float
        :math:`\beta > 1`.
    source_exponent : float
        :math:`0 < r < 1`. From 1 on the bias is of order :math:`\kappa^2` (with a logarithm at 1)
        and its constant depends on the whole target.

    Returns
    -------
    PowerLawConstants

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    Wrong by ``d ** (1 - beta)`` terms at finite ``d``, and for ``r`` near 1, where convergence in
    :math:`\kappa` is slow (14% off at ``r = 0.9`` and ``kappa = 1e-4``).

    References
    ----------
    Derived in the book; the orders are Lemma I.1 of Dohmatob, Feng, Kempe, 2024.

    Examples
    --------
    >>> [round(value, 6) for value in power_law_constants(2.0, 0.5)]  # pi/2, pi/4, 1/2
    [1.570796, 0.785398, 0.5]
    """
    beta = _capacity(exponent)
    r = real_number(
        "source_exponent",
        source_exponent,
        minimum=0.0,
        maximum=1.0,
        open_minimum=True,
        open_maximum=True,
    )
    first = _first_constant(beta)
    # sin(2 pi r) = sin(pi (1 - 2r)), and numpy's sinc(x) is sin(pi x) / (pi x)
    return PowerLawConstants(
        first, (1.0 - 1.0 / beta) * first, 1.0 / (beta * float(np.sinc(1.0 - 2.0 * r)))
    )


def critical_ridge_exponent(exponent: float, source_exponent: float) -> float:
    r"""Best :math:`\ell` on clean noisy data, :math:`\beta/(2\beta\bar r+1)`.

    Parameters
    ----------
    exponent : float
        :math:`\beta > 1`.
    source_exponent : float
        :math:`r > 0`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Cui, Loureiro, Krzakala, Zdeborova, 2021; Dohmatob, Feng, Kempe, 2024, section 5.

    Examples
    --------
    >>> critical_ridge_exponent(2.0, 0.375)
    0.8
    """
    beta, r = _capacity(exponent), _source(source_exponent)
    return beta / (2.0 * beta * r + 1.0)


def clean_rate(exponent: float, source_exponent: float) -> float:
    r"""Decay exponent of the clean noisy risk at its best ridge, :math:`c`.

    :math:`c = 2\beta\bar r/(2\beta\bar r+1)`, between 0 and 1. Parameters, errors and sources as
    in `critical_ridge_exponent`.

    Examples
    --------
    >>> round(clean_rate(2.0, 0.375), 12)
    0.6
    """
    beta, r = _capacity(exponent), _source(source_exponent)
    return 2.0 * beta * r / (2.0 * beta * r + 1.0)


def clean_exponents(
    exponent: float, source_exponent: float, ridge_exponent: float
) -> tuple[float, float]:
    r"""Decay exponents of bias and variance on clean data.

    With :math:`\ell' = \min(\ell, \beta)`, since the effective ridge never falls below order
    :math:`T^{-\beta}`: :math:`2\bar r\ell'` and :math:`1-\ell'/\beta`.

    Parameters
    ----------
    exponent : float
        :math:`\beta > 1`.
    source_exponent : float
        :math:`r > 0`.
    ridge_exponent : float
        :math:`\ell \ge 0`.

    Returns
    -------
    bias, variance : float

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    For ``d ** -beta`` far below the effective ridge. Convergence in ``T`` is slow for
    :math:`\beta` near 1 and for :math:`\ell` near :math:`\beta`; there is a logarithm at ``r = 1``.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, appendix H.2; Cui et al., 2021.

    Examples
    --------
    >>> clean_exponents(2.0, 0.375, 4.0)  # almost no ridge
    (1.5, 0.0)
    """
    beta, r = _capacity(exponent), _source(source_exponent)
    ell = min(real_number("ridge_exponent", ridge_exponent, minimum=0.0), beta)
    return 2.0 * r * ell, 1.0 - ell / beta


def generator_noise_exponents(exponent: float, ridge_exponent: float) -> tuple[float, float]:
    r"""Decay exponents in ``T`` of what the generators' noise costs, at fixed ``T_0`` and ``d``.

    :math:`1-\ell/\beta` while :math:`T \ll d`; beyond the crossover at :math:`T = d`,
    :math:`-\ell/\beta`: more samples hurt, up to the least-squares value
    :math:`n\sigma_0^2\phi_0/(1-\phi_0)`, which is reached where the effective ridge is
    :math:`d^{-\beta}`.

    Parameters
    ----------
    exponent : float
        :math:`\beta > 1`.
    ridge_exponent : float
        :math:`\ell` in :math:`[0, \beta)`.

    Returns
    -------
    below, above : float

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Theorem 5.1; the crossover is derived in the book.

    Examples
    --------
    >>> [round(value, 12) for value in generator_noise_exponents(2.0, 0.8)]
    [0.6, -0.4]
    """
    beta = _capacity(exponent)
    ell = _ridge_below(ridge_exponent, beta)
    return 1.0 - ell / beta, -ell / beta


def optimal_ridge_exponent(
    exponent: float, source_exponent: float, *, noise_growth: float, generator_growth: float
) -> float:
    r"""Best :math:`\ell` on generated data without own noise.

    :math:`\ell_* = (\min(b,1)-a)\,\ell_\mathrm{crit}`: for :math:`b \le 1`, tune the ridge as if
    one had :math:`T_0/(n\sigma_0^2)` clean noisy samples. At most :math:`\beta` if :math:`b > 1`.

    Parameters
    ----------
    exponent : float
        :math:`\beta > 1`.
    source_exponent : float
        :math:`r > 0`.
    noise_growth : float
        :math:`a < \min(b, 1)`, where :math:`n\sigma_0^2 = T^a`; may be negative.
    generator_growth : float
        :math:`b > 0`, where :math:`T_0 = T^b`, at fixed :math:`d/T_0 < 1`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    The paper prints ``b`` for ``min(b, 1)``. With :math:`b > 1` there are more features than the
    student has samples, and the generators' noise acts like label noise that does not shrink.

    Where :math:`b \le 1` and the noise shrinks so fast that :math:`-a > 2\beta\bar r b`, the best
    effective ridge is below the last eigenvalue :math:`d^{-\beta}`. There
    :math:`\ell_* = -a + b\beta(1-2\bar r)`, and least squares has the same rate.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Corollary 5.2, corrected in the book.

    Examples
    --------
    >>> optimal_ridge_exponent(2.0, 0.375, noise_growth=0.0, generator_growth=0.5)
    0.4
    >>> optimal_ridge_exponent(2.0, 0.375, noise_growth=0.0, generator_growth=1.5)
    0.8
    """
    beta, r = _capacity(exponent), _source(source_exponent)
    gap = _positive_gap(noise_growth, generator_growth)
    ell = gap * critical_ridge_exponent(beta, r)
    if generator_growth > 1:
        return min(ell, beta)
    last = generator_growth * beta  # the last eigenvalue is of order T^-last
    return ell if ell <= last else last * (1.0 - 2.0 * r) - noise_growth


def collapsed_rate(
    exponent: float, source_exponent: float, *, noise_growth: float, generator_growth: float
) -> float:
    r"""Decay exponent of the risk on generated data at its best ridge, without own noise.

    :math:`(\min(b,1)-a)\,c`. If :math:`b > 1` at most :math:`2\beta\bar r` (the noise-free rate,
    where the ridge exponent is capped); if :math:`b \le 1` at least :math:`-a`, the rate of least
    squares. Parameters, errors and sources as in `optimal_ridge_exponent`.

    Examples
    --------
    >>> round(collapsed_rate(2.0, 0.375, noise_growth=0.0, generator_growth=0.5), 12)
    0.3
    """
    beta, r = _capacity(exponent), _source(source_exponent)
    rate = _positive_gap(noise_growth, generator_growth) * clean_rate(beta, r)
    return min(rate, 2.0 * beta * r) if generator_growth > 1 else max(rate, -noise_growth)


def noisy_rate(
    exponent: float,
    source_exponent: float,
    *,
    noise_growth: float,
    generator_growth: float,
    ridge_exponent: float | None = None,
) -> float:
    r"""Decay exponent of the risk on generated data when the student's own labels are noisy.

    With :math:`\gamma = \min(\min(b,1)-a,\ 1)`: :math:`\min(2\bar r\ell,\ \gamma-\ell/\beta)` at a
    given ridge exponent :math:`\ell \le b\beta`, and :math:`\gamma c` at the best one,
    :math:`\gamma\ell_\mathrm{crit}`. For :math:`\ell > b\beta` the effective ridge is below the
    last eigenvalue :math:`d^{-\beta}`: the noise has the exponent :math:`\gamma-b` of least
    squares, and the bias :math:`2\ell - 2b\beta(1-\bar r)`. If least squares has a better exponent
    than :math:`\gamma c`, the best one is its.

    Parameters
    ----------
    exponent : float
        :math:`\beta > 1`.
    source_exponent : float
        :math:`r > 0`.
    noise_growth : float
        :math:`a`, where :math:`n\sigma_0^2 = T^a`.
    generator_growth : float
        :math:`b > 0`, where :math:`T_0 = T^b`, at fixed :math:`d/T_0 < 1`.
    ridge_exponent : float, optional
        :math:`\ell` in :math:`[0, \beta)`; the best one by default.

    Returns
    -------
    float
        Negative where the risk grows with ``T``. At the best ridge never below 0, the order of
        predicting zero.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    The paper has ``min(1, b - a)`` for :math:`\gamma`, which is too large when ``b > 1`` and
    ``a > 0``. At :math:`\ell = \ell_\mathrm{crit}` and :math:`a \ge 0` the exponent is
    :math:`\gamma + c - 1`, or :math:`-a` where :math:`b < 1 - c`: the risk diverges if and only if
    :math:`a > 0` and :math:`\min(b,1) < a + 1 - c`.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Corollary 5.2 and appendix G, corrected in the book.

    Examples
    --------
    >>> round(noisy_rate(2.0, 0.5, noise_growth=0.3, generator_growth=1.5), 4)
    0.4667
    >>> round(noisy_rate(2.0, 0.5, noise_growth=0.6, generator_growth=2, ridge_exponent=1.0), 4)
    -0.1
    >>> noise = {"noise_growth": 0.2, "generator_growth": 0.3}  # least squares: T^0.2
    >>> round(noisy_rate(2.0, 0.375, **noise, ridge_exponent=0.8), 4)
    -0.2
    """
    beta, r = _capacity(exponent), _source(source_exponent)
    gamma = min(_gap(noise_growth, generator_growth), 1.0)
    if ridge_exponent is None:
        return max(gamma * clean_rate(beta, r), gamma - generator_growth, 0.0)
    ell = _ridge_below(ridge_exponent, beta)
    beyond = max(ell - generator_growth * beta, 0.0)
    return min(2.0 * r * ell + 2.0 * (1.0 - r) * beyond, gamma - min(ell / beta, generator_growth))


def is_consistent(
    exponent: float, ridge_exponent: float, *, noise_growth: float, generator_growth: float
) -> bool:
    r"""Whether the risk on generated noisy data vanishes as ``T`` grows.

    If and only if :math:`0 < \ell < \beta\min(\min(b,1)-a,\ 1)`, whatever the source exponent; for
    every :math:`\ell > 0` if :math:`a < 0` and :math:`b < 1`, when least squares is consistent too.

    Parameters
    ----------
    exponent : float
        :math:`\beta > 1`.
    ridge_exponent : float
        :math:`\ell \ge 0`.
    noise_growth, generator_growth : float
        As in `noisy_rate`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Correction, derived in the book, of appendix G of Dohmatob, Feng, Kempe, 2024.

    Examples
    --------
    >>> is_consistent(2.0, 1.0, noise_growth=0.2, generator_growth=0.8)
    True
    >>> is_consistent(2.0, 1.3, noise_growth=0.2, generator_growth=0.8)
    False
    """
    beta = _capacity(exponent)
    ell = real_number("ridge_exponent", ridge_exponent, minimum=0.0)
    gamma = min(_gap(noise_growth, generator_growth), 1.0)
    return ell > 0.0 and min(ell / beta, generator_growth) < gamma


def collapsed_risk_order(
    n_samples: ArrayLike,
    *,
    exponent: float,
    source_exponent: float,
    ridge_exponent: float,
    n_features: int,
    n_generator_samples: int,
    noise_std: float,
    generator_noise: float,
) -> Array | float:
    r"""Order of the risk on generated data, with every constant set to 1.

    .. math::

        \max(\sigma^2, T^{1-2\bar r\ell-\ell/\beta})\,T^{-(1-\ell/\beta)}
        + \frac{n\sigma_0^2}{1-\phi_0}\max(T/T_0, \phi_0)\,T^{-(1-\ell/\beta)}

    Parameters
    ----------
    n_samples : array_like of int
        Student's ``T`` >= 1.
    exponent : float
        :math:`\beta > 1`.
    source_exponent : float
        :math:`r > 0`.
    ridge_exponent : float
        :math:`\ell` in :math:`[0, \beta)`.
    n_features : int
        ``d`` >= 1.
    n_generator_samples : int
        ``T_0 >= d + 2``.
    noise_std : float
        :math:`\sigma \ge 0` of the student.
    generator_noise : float
        :math:`n\sigma_0^2 \ge 0`, in squared label units.

    Returns
    -------
    float or ndarray
        Of the shape of ``n_samples``. An order of magnitude, not an approximation.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    Wrong where the effective ridge falls below :math:`d^{-\beta}`: the second term then stops
    growing, at :math:`n\sigma_0^2\phi_0/(1-\phi_0)`.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Theorem 5.1, equation (27).

    Examples
    --------
    >>> sizes = {"n_features": 300, "n_generator_samples": 600}
    >>> law = {"exponent": 2.0, "source_exponent": 0.375, "ridge_exponent": 0.8}
    >>> noise = {"noise_std": 1.0, "generator_noise": 5.0}
    >>> collapsed_risk_order([100, 10_000], **law, **sizes, **noise).round(3)
    array([0.379, 0.667])
    """
    samples = whole_array("n_samples", n_samples)
    beta, r = _capacity(exponent), _source(source_exponent)
    ell = _ridge_below(ridge_exponent, beta)
    d = whole_number("n_features", n_features)
    t0 = whole_number("n_generator_samples", n_generator_samples, minimum=d + 2)
    variance = real_number("noise_std", noise_std, minimum=0.0) ** 2
    inherited = real_number("generator_noise", generator_noise, minimum=0.0)
    ratio = d / t0
    own = np.maximum(variance, samples ** (1.0 - 2.0 * r * ell - ell / beta))
    passed_on = inherited / (1.0 - ratio) * np.maximum(samples / t0, ratio)
    return _shaped((own + passed_on) * samples ** (ell / beta - 1.0))


def sharp_degrees_of_freedom(
    kappa: ArrayLike, exponent: float
) -> tuple[Array | float, Array | float]:
    r"""Both degrees of freedom as :math:`d \to \infty`: :math:`C_m\kappa^{-1/\beta} - 1/2`.

    Parameters
    ----------
    kappa : array_like
        Effective ridge > 0, small, and large against :math:`d^{-\beta}`.
    exponent : float
        :math:`\beta > 1`.

    Returns
    -------
    df1, df2 : float or ndarray

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Derived in the book.

    Examples
    --------
    >>> [round(value, 2) for value in sharp_degrees_of_freedom(6.3488e-4, 2.0)]
    [61.84, 30.67]
    """
    beta = _capacity(exponent)
    effective = real_array("kappa", kappa, minimum=0.0, open_minimum=True)
    leading = _first_constant(beta) * effective ** (-1.0 / beta)
    return _shaped(leading - 0.5), _shaped((1.0 - 1.0 / beta) * leading - 0.5)


def sharp_generator_noise(
    kappa: ArrayLike,
    n_samples: ArrayLike,
    *,
    exponent: float,
    n_features: int,
    n_generator_samples: int,
    generator_noise: float,
) -> Array | float:
    r"""Give what the generators' noise costs, with the sharp constants.

    .. math::

        n\sigma_0^2\,\frac{\mathrm{df}_2}{T_0-d}
        \Big(1+\frac{d-2\,\mathrm{df}_1+\mathrm{df}_2}{T-\mathrm{df}_2}\Big)

    with the degrees of freedom of `sharp_degrees_of_freedom`.

    Parameters
    ----------
    kappa : array_like
        Effective ridge > 0 of the student, with :math:`d^{-\beta} \ll \kappa \ll 1`.
    n_samples : array_like of int
        Student's ``T`` > df2. Broadcasts with ``kappa``.
    exponent : float
        :math:`\beta > 1`.
    n_features : int
        ``d`` >= 1.
    n_generator_samples : int
        ``T_0 >= d + 1``, each a least-squares fit.
    generator_noise : float
        :math:`n\sigma_0^2 \ge 0`, in squared label units.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, or ``n_samples`` is not above the degrees of freedom.

    References
    ----------
    Derived in the book from equation (19) of Dohmatob, Feng, Kempe, 2024.

    Examples
    --------
    >>> sizes = {"n_features": 300, "n_generator_samples": 600}
    >>> cost = sharp_generator_noise(1e-3, 10_000, exponent=2.0, generator_noise=1.0, **sizes)
    >>> round(cost, 6)
    0.082959
    """
    first, second = sharp_degrees_of_freedom(kappa, exponent)
    samples = whole_array("n_samples", n_samples)
    d = whole_number("n_features", n_features)
    t0 = whole_number("n_generator_samples", n_generator_samples, minimum=d + 1)
    inherited = real_number("generator_noise", generator_noise, minimum=0.0)
    slack = samples - second
    if np.any(slack <= 0):
        raise ValueError(
            f"n_samples must be above the degrees of freedom df2, got {n_samples!r} for "
            f"kappa = {kappa!r}"
        )
    blocked = d - 2.0 * np.asarray(first) + second
    return _shaped(inherited * np.asarray(second) / (t0 - d) * (1.0 + blocked / slack))


def sharp_optimal_ridge(
    n_samples: ArrayLike,
    *,
    exponent: float,
    source_exponent: float,
    n_features: int,
    n_generator_samples: int,
    noise_std: float,
    generator_noise: float,
) -> SharpOptimum:
    r"""Best ridge of a student and its risk there, to leading order.

    With :math:`S = C_2[\sigma^2/T + n\sigma_0^2(1+d/T)/(T_0-d)]`,

    .. math::

        \kappa_* = \Big(\frac{S}{2r\beta C_b}\Big)^{\beta/(2r\beta+1)}, \quad
        \lambda_* = \kappa_*\Big(1-\frac{\mathrm{df}_1(\kappa_*)}{T}\Big), \quad
        E_* = C_b\,\kappa_*^{2r}\,(1+2r\beta).

    Parameters
    ----------
    n_samples : array_like of int
        Student's ``T`` >= 1.
    exponent : float
        :math:`\beta > 1`.
    source_exponent : float
        :math:`0 < r < 1`.
    n_features : int
        ``d`` >= 1.
    n_generator_samples : int
        ``T_0 >= d + 1``, each a least-squares fit.
    noise_std : float
        :math:`\sigma \ge 0` of the student.
    generator_noise : float
        :math:`n\sigma_0^2 \ge 0`; not zero together with ``noise_std``.

    Returns
    -------
    SharpOptimum
        ``ridge`` in units of the eigenvalues (0 where the degrees of freedom exceed ``T``) and
        ``risk`` in squared label units.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    For :math:`d^{-\beta} \ll \kappa_* \ll 1` and degrees of freedom well below ``T``. At
    ``beta = 2``, ``r = 0.375``, ``d = 300``, ``T_0 = 600``, ``T >= 1e4`` and 1 to 10 noisy
    generations the ridge is within 1% and the risk within 11% of a direct minimisation; without
    generations and at ``T = 1e6``, where :math:`\kappa_*` reaches :math:`d^{-\beta}`, the risk is
    48% off.

    References
    ----------
    Derived in the book.

    Examples
    --------
    >>> sizes = {"n_features": 300, "n_generator_samples": 600}
    >>> law = {"exponent": 2.0, "source_exponent": 0.375}
    >>> best = sharp_optimal_ridge(10_000, noise_std=1.0, generator_noise=5.0, **law, **sizes)
    >>> round(best.ridge, 4), round(best.risk, 3)
    (0.0371, 0.117)
    """
    samples = whole_array("n_samples", n_samples)
    constants = power_law_constants(exponent, source_exponent)
    d = whole_number("n_features", n_features)
    t0 = whole_number("n_generator_samples", n_generator_samples, minimum=d + 1)
    variance = real_number("noise_std", noise_std, minimum=0.0) ** 2
    inherited = real_number("generator_noise", generator_noise, minimum=0.0)
    if variance + inherited == 0.0:
        raise ValueError(
            "noise_std and generator_noise must not both be 0 for a ridge to be optimal, "
            f"got {noise_std!r} and {generator_noise!r}"
        )
    double = 2.0 * source_exponent * exponent
    scale = constants.df2 * (variance / samples + inherited / (t0 - d) * (1.0 + d / samples))
    root = (scale / (double * constants.bias)) ** (exponent / (double + 1.0))
    learned = np.asarray(sharp_degrees_of_freedom(root, exponent)[0])
    ridge = root * np.maximum(1.0 - learned / samples, 0.0)
    risk = constants.bias * root ** (2.0 * source_exponent) * (1.0 + double)
    return SharpOptimum(_shaped(ridge), _shaped(risk))


def _capacity(exponent: float) -> float:
    return real_number("exponent", exponent, minimum=1.0, open_minimum=True)


def _source(source_exponent: float) -> float:
    """Check the source exponent and saturate it at 1."""
    return min(real_number("source_exponent", source_exponent, minimum=0.0, open_minimum=True), 1.0)


def _ridge_below(ridge_exponent: float, beta: float) -> float:
    return real_number(
        "ridge_exponent", ridge_exponent, minimum=0.0, maximum=beta, open_maximum=True
    )


def _gap(noise_growth: float, generator_growth: float) -> float:
    growth = real_number("generator_growth", generator_growth, minimum=0.0, open_minimum=True)
    return min(growth, 1.0) - real_number("noise_growth", noise_growth)


def _positive_gap(noise_growth: float, generator_growth: float) -> float:
    gap = _gap(noise_growth, generator_growth)
    if gap <= 0:
        raise ValueError(
            "noise_growth must be < min(generator_growth, 1) for the risk to decay, "
            f"got {noise_growth!r} with generator_growth = {generator_growth!r}"
        )
    return gap


def _first_constant(beta: float) -> float:
    return 1.0 / float(np.sinc(1.0 / beta))


def _shaped(values: ArrayLike) -> Array | float:
    array: Array = np.asarray(values, dtype=np.float64)
    return float(array) if array.ndim == 0 else array
