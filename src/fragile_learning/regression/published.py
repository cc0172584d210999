"""Formulas as printed in the paper that turned out wrong, kept only to be compared with.

Nothing in the library uses them. Each docstring says what is wrong, and where the right formula
is; the book's chapter shows both beside a simulation.

Paper: Dohmatob, Feng, Kempe, "Model Collapse Demystified: The Case of Regression", NeurIPS 2024.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import real_number, whole_array, whole_number
from fragile_learning.equivalents import df2, kappa
from fragile_learning.regression import power_laws, theory
from fragile_learning.regression.chain import Chain
from fragile_learning.spectra import Spectrum

__all__ = [
    "bias_from_derivative",
    "bias_lower_bound",
    "collapsed_rate",
    "diverges_at_clean_ridge",
    "growing_budget_factor",
    "is_consistent",
    "null_predictor_threshold",
    "optimal_ridge_exponent",
    "projection_first_moment",
    "projection_second_moment",
    "variance_per_generation_full_rank",
]

Array = NDArray[np.float64]


def null_predictor_threshold(signal_to_noise: float, aspect_ratio: float) -> float:
    r"""Count generations until predicting zero is better, as printed: it divides wrongly.

    Printed :math:`\mathrm{SNR}_0/(1/\phi_0-1)`; right is :math:`\mathrm{SNR}_0(1/\phi_0-1)`, see
    `fragile_learning.regression.theory.null_predictor_threshold`. They agree at 1/2 only.

    Parameters
    ----------
    signal_to_noise : float
        >= 0.
    aspect_ratio : float
        :math:`\phi_0 = d/T_0` in (0, 1).

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    After Theorem 4.1.

    Examples
    --------
    >>> round(null_predictor_threshold(20.0, 0.8), 6)  # right: 20 / 4 = 5
    80.0
    """
    snr = real_number("signal_to_noise", signal_to_noise, minimum=0.0)
    phi = real_number(
        "aspect_ratio", aspect_ratio, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
    )
    return snr / (1.0 / phi - 1.0)


def projection_first_moment(spectrum: Spectrum, n_samples: Sequence[int]) -> Array:
    r"""Diagonal of the mean of a product of projectors as printed: a factor is missing.

    Printed :math:`\prod_m(\Sigma+\kappa_m)^{-1}`, which is not even dimensionless; right is
    :math:`\prod_m\Sigma(\Sigma+\kappa_m)^{-1}`, see
    `fragile_learning.regression.theory.projection_first_moment`.

    Parameters
    ----------
    spectrum : Spectrum
    n_samples : sequence of int
        Oldest design first.

    Returns
    -------
    ndarray, shape (n_features,)

    Raises
    ------
    TypeError, ValueError
        If a sample size is not a whole number >= 1.

    References
    ----------
    Lemma F.7.

    Examples
    --------
    >>> projection_first_moment(Spectrum.isotropic(2, scale=4.0), [1])  # right: T / d = 1/2
    array([0.125, 0.125])
    """
    counts = whole_array("n_samples", n_samples).ravel()
    roots = np.atleast_1d(kappa(spectrum, counts, 0.0))
    moment: Array = np.prod(1.0 / (spectrum.eigenvalues + roots[:, None]), axis=0)
    return moment


def projection_second_moment(spectrum: Spectrum, n_samples: Sequence[int]) -> Array:
    r"""Diagonal of :math:`E[P_0\cdots P_{n-1}\Sigma P_{n-1}\cdots P_0]` as printed: a product.

    Printed :math:`\Sigma^n\prod_m A_m` with :math:`A_m = (\Sigma+\kappa_m)^{-2}(\Sigma^2 +
    \kappa_m^2\,\mathrm{df}_2(\kappa_m)/(T_m-\mathrm{df}_2(\kappa_m)))`. Right for one design, or
    when the covariance is the identity. The trace must be taken with the current matrix, not with
    :math:`\Sigma`: see `fragile_learning.regression.theory.projection_second_moment`. (The paper
    has ``T`` for ``T_m`` in the denominator, taken here as a misprint.)

    Parameters
    ----------
    spectrum : Spectrum
    n_samples : sequence of int
        At least one, each below ``n_features`` or above it.

    Returns
    -------
    ndarray, shape (n_features,)

    Raises
    ------
    TypeError, ValueError
        If a sample size is not a whole number >= 1, or there is none.

    References
    ----------
    Lemma F.8.

    Examples
    --------
    >>> projection_second_moment(Spectrum.isotropic(4, scale=2.0), [2, 2])  # right: 0.5
    array([1., 1., 1., 1.])
    """
    counts = whole_array("n_samples", n_samples).ravel()
    if counts.size == 0:
        raise ValueError("n_samples must hold at least 1 sample size, got none")
    moment = np.ones(spectrum.n_features)
    for count in counts:
        root = float(kappa(spectrum, count, 0.0))
        learned = float(df2(spectrum, root))
        spread = root**2 * learned / (count - learned) if root > 0 else 0.0
        values = spectrum.eigenvalues
        moment = moment * values * (values**2 + spread) / (values + root) ** 2
    return moment


def optimal_ridge_exponent(
    exponent: float, source_exponent: float, *, noise_growth: float, generator_growth: float
) -> float:
    r"""Best ridge exponent on generated data as printed: wrong when :math:`b > 1`.

    Printed :math:`\min((b-a)\ell_\mathrm{crit}, \beta)` for every ``b``; right is ``min(b, 1)`` in
    place of ``b``, see `fragile_learning.regression.power_laws.optimal_ridge_exponent`, where the
    parameters are explained.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Corollary 5.2.

    Examples
    --------
    >>> optimal_ridge_exponent(2.0, 0.375, noise_growth=0.0, generator_growth=1.5)  # right: 0.8
    1.2000000000000002
    """
    gap = _printed_gap(noise_growth, generator_growth)
    critical = power_laws.critical_ridge_exponent(exponent, source_exponent)
    return min(gap * critical, float(exponent))


def collapsed_rate(
    exponent: float, source_exponent: float, *, noise_growth: float, generator_growth: float
) -> float:
    r"""Decay exponent at the best ridge as printed, :math:`(b-a)c`: wrong when :math:`b > 1`.

    Also wrong when the ridge exponent is capped. Right:
    `fragile_learning.regression.power_laws.collapsed_rate`, where the parameters are explained.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Corollary 5.2.

    Examples
    --------
    >>> collapsed_rate(2.0, 0.5, noise_growth=0.0, generator_growth=1.5)  # right: 2/3
    1.0
    """
    gap = _printed_gap(noise_growth, generator_growth)
    return gap * power_laws.clean_rate(exponent, source_exponent)


def diverges_at_clean_ridge(
    exponent: float, source_exponent: float, *, noise_growth: float, generator_growth: float
) -> bool:
    r"""Whether :math:`\ell_\mathrm{crit}` lets the risk grow, as printed: the sign is reversed.

    Printed :math:`b \ge a+1-c`; right is :math:`\min(b,1) < a+1-c` with :math:`a > 0`, which is
    ``noisy_rate(..., ridge_exponent=critical) < 0`` in `fragile_learning.regression.power_laws`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    After Corollary 5.2.

    Examples
    --------
    >>> diverges_at_clean_ridge(2.0, 0.375, noise_growth=0.0, generator_growth=0.9)  # right: False
    True
    """
    a, b = _growth(noise_growth, generator_growth)
    return b >= a + 1.0 - power_laws.clean_rate(exponent, source_exponent)


def is_consistent(
    exponent: float,
    source_exponent: float,
    ridge_exponent: float,
    *,
    noise_growth: float,
    generator_growth: float,
) -> bool:
    r"""Whether the risk on generated noisy data vanishes, as printed: too strict, and too lax.

    Printed: :math:`0 < \ell \le \gamma\,\ell_\mathrm{crit}` with :math:`\gamma=\min(1, b-a)`. The
    bound is the best exponent, not the largest consistent one, and ``b`` must be ``min(b, 1)``.
    Right: `fragile_learning.regression.power_laws.is_consistent`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Appendix G.

    Examples
    --------
    >>> is_consistent(2.0, 0.375, 1.0, noise_growth=0.2, generator_growth=0.8)  # right: True
    False
    """
    a, b = _growth(noise_growth, generator_growth)
    ell = real_number("ridge_exponent", ridge_exponent, minimum=0.0)
    best = min(1.0, b - a) * power_laws.critical_ridge_exponent(exponent, source_exponent)
    return 0.0 < ell <= best


def variance_per_generation_full_rank(
    spectrum: Spectrum, n_generator_samples: int, n_samples: int, ridge: float
) -> float:
    r"""Give :math:`\rho` for full-rank generators as printed: two sizes are exchanged.

    Printed :math:`\frac{\mathrm{df}_2}{T-\mathrm{df}_2}(1 +
    \kappa^2\operatorname{tr}(\Sigma+\kappa)^{-2}/(T_0-d))`; right is equation (19), with
    :math:`T_0-d` and :math:`T-\mathrm{df}_2` in each other's place, see
    `fragile_learning.regression.theory.variance_per_generation_full_rank`.

    Parameters
    ----------
    spectrum : Spectrum
    n_generator_samples : int
        ``T_0 > n_features``.
    n_samples : int
        Student's ``T`` >= 1, above df2.
    ridge : float
        Student's penalty >= 0.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    References
    ----------
    Proposition F.6.

    Examples
    --------
    >>> round(variance_per_generation_full_rank(Spectrum.isotropic(100), 200, 1000, 0.0), 6)  # 1
    0.111111
    """
    d = spectrum.n_features
    size = whole_number("n_generator_samples", n_generator_samples, minimum=d + 1)
    samples = whole_number("n_samples", n_samples)
    root = float(kappa(spectrum, samples, ridge))
    learned = float(df2(spectrum, root))
    if learned >= samples:
        raise ValueError(f"n_samples must be above the degrees of freedom df2, got {samples}")
    blocked = float(np.sum((root / (spectrum.eigenvalues + root)) ** 2))
    return learned / (samples - learned) * (1.0 + blocked / (size - d))


def bias_from_derivative(chain: Chain) -> float:
    r"""Clean bias as in a remark of the paper: the factor :math:`\kappa^2` is missing.

    Printed :math:`w_0^\top\Sigma(\Sigma+\kappa)^{-2}w_0\,\mathrm d\kappa/\mathrm d\lambda`; right
    is :math:`\kappa^2` times that, the ``clean`` part of
    `fragile_learning.regression.theory.bias_decomposition`.

    Parameters
    ----------
    chain : Chain
        Only the student counts.

    Raises
    ------
    TypeError
        If ``chain`` is not a `Chain`.

    References
    ----------
    After Lemma I.2.

    Examples
    --------
    >>> from fragile_learning.regression import Stage
    >>> chain = Chain(Spectrum.isotropic(2), [1.0, 0.0], [Stage(1)])  # kappa = 1, right: 1/2
    >>> bias_from_derivative(chain)
    0.5
    """
    if not isinstance(chain, Chain):
        raise TypeError(f"chain must be a Chain, got {type(chain).__name__}")
    values, student = chain.spectrum.eigenvalues, chain.student
    root = float(kappa(chain.spectrum, student.n_samples, student.ridge))
    derivative = 1.0 / (1.0 - float(df2(chain.spectrum, root)) / student.n_samples)
    return float(np.sum(values * (chain.target / (values + root)) ** 2)) * derivative


def bias_lower_bound(chain: Chain) -> float:
    r"""Lower bound on the bias as printed, ``clean + delta``: it is no bound.

    The interference term that is left out can be negative when the spectrum is anisotropic; see
    `fragile_learning.regression.theory.bias_decomposition`.

    Parameters
    ----------
    chain : Chain
        As for `fragile_learning.regression.theory.excess_risk`.

    References
    ----------
    Theorem 4.3, Proposition F.5, Remark F.2.

    Examples
    --------
    >>> from fragile_learning.regression import Stage
    >>> spectrum, target = Spectrum([1.0] * 30 + [0.02] * 270), [0.0] * 30 + [1.0] * 270
    >>> chain = Chain(spectrum, target, [Stage(90), Stage(33)])
    >>> bool(theory.excess_risk(chain).bias >= bias_lower_bound(chain))
    False
    """
    parts = theory.bias_decomposition(chain)
    return parts.clean + parts.delta


def growing_budget_factor(n_generations: int) -> float:
    r"""Give what growing sample budgets really cost, where the paper prints ``1``.

    With :math:`T_m = m\log^2 m\;T_0` samples from the second generation on (``T_0`` in the first
    and for the student), all noise levels equal and :math:`T_0 \gg d`, the risk is
    :math:`1 + \sum_{m=1}^n T_0/T_m` times the clean one. The sum is finite, at most 3.11, so the
    risk stays *of the same order*; the paper writes that it is asymptotically equal.

    Parameters
    ----------
    n_generations : int
        >= 0; costs one operation each.

    Returns
    -------
    float
        Risk over clean risk, between 1 and 4.11.

    Raises
    ------
    TypeError, ValueError
        If ``n_generations`` is not a whole number >= 0.

    References
    ----------
    Remark after Theorem 4.1.

    Examples
    --------
    >>> [round(growing_budget_factor(n), 4) for n in (0, 1, 2, 1000)]
    [1.0, 2.0, 3.0407, 3.965]
    """
    count = whole_number("n_generations", n_generations, minimum=0)
    if count < 2:
        return 1.0 + count
    generations = np.arange(2.0, count + 1.0)
    return 2.0 + float(np.sum(1.0 / (generations * np.log(generations) ** 2)))


def _growth(noise_growth: float, generator_growth: float) -> tuple[float, float]:
    return (
        real_number("noise_growth", noise_growth),
        real_number("generator_growth", generator_growth, minimum=0.0, open_minimum=True),
    )


def _printed_gap(noise_growth: float, generator_growth: float) -> float:
    a, b = _growth(noise_growth, generator_growth)
    if a >= b:
        raise ValueError(
            f"noise_growth must be < generator_growth, got {noise_growth!r} and "
            f"{generator_growth!r}"
        )
    return b - a
