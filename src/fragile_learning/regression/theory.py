"""What a chain of regressions loses: deterministic equivalents and exact finite-size laws.

Every function takes a setting and returns numbers; none draws random numbers. The central object
is a recursion over the stages in each eigendirection separately, so a chain costs ``O(d)`` a
stage and never a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number, whole_array, whole_number
from fragile_learning.equivalents import df2, kappa
from fragile_learning.regression.chain import Chain, RiskParts, Stage
from fragile_learning.spectra import Spectrum, spectral_measure

__all__ = [
    "BiasParts",
    "bias_decomposition",
    "delta_bias",
    "exact_excess_risk",
    "excess_risk",
    "excess_risk_grid",
    "finite_size_scale",
    "isotropic_generator_noise",
    "null_predictor_threshold",
    "optimal_ridge",
    "optimal_ridge_isotropic",
    "projection_first_moment",
    "projection_second_moment",
    "surviving_fraction",
    "variance_per_generation",
    "variance_per_generation_full_rank",
]

Array = NDArray[np.float64]

_BLOCK = 1 << 21  # entries of a (grid point, node) block


class BiasParts(NamedTuple):
    """The bias of a chain, taken apart: ``total = clean + delta + cross``.

    Attributes
    ----------
    clean : float
        Bias of the same student on clean labels.
    delta : float
        What the generators' distortion of the teacher adds by itself, never negative.
    cross : float
        Their interference, of either sign. The paper's inequality says that it is not negative,
        which is false for some anisotropic spectra.
    total : float

    Examples
    --------
    >>> parts = BiasParts(clean=0.02, delta=0.39, cross=0.10, total=0.51)
    >>> bool(np.isclose(parts.clean + parts.delta + parts.cross, parts.total))
    True
    """

    clean: float
    delta: float
    cross: float
    total: float


class _Messages(NamedTuple):
    """What the generators hand to the student, per eigendirection, all of shape (d,)."""

    second: Array  # E[w_j^2] without noise
    error: Array  # E[(w_j - c_j)^2] without noise
    lost: Array  # c_j (c_j - E w_j)
    noise: Array  # variance of w_j from label noise


def excess_risk(chain: Chain) -> RiskParts:
    r"""Excess risk of the student of any chain, in the large-size limit.

    Per eigendirection :math:`j`, with :math:`a = \lambda_j/(\lambda_j+\kappa_m)`,
    :math:`\kappa_m = \kappa(\text{ridge}_m, T_m)` and :math:`D_m = T_m - \mathrm{df}_2(\kappa_m)`,
    the mean and second moment of the model's coordinate obey

    .. math::

        \mu_{m+1,j} &= a\, \mu_{m,j}, \\
        F_m &= \kappa_m^2 \sum_i \lambda_i s_{m,i} / (\lambda_i+\kappa_m)^2, \\
        s_{m+1,j} &= a^2 s_{m,j}
            + \frac{\lambda_j}{(\lambda_j+\kappa_m)^2}\,\frac{\sigma_m^2 + F_m}{D_m},

    from :math:`\mu_0 = c, s_0 = c^2`, and the risk is
    :math:`\sum_j \lambda_j (s_j - 2 c_j \mu_j + c_j^2)` after the last stage. The three terms are
    carried separately, each as a sum of non-negative numbers.

    Parameters
    ----------
    chain : Chain
        Any stages, spectrum and target; generators may be ridge fits. With ``shared_design`` the
        generators must be least squares.

    Returns
    -------
    RiskParts of float
        In squared label units, without the student's noise floor. ``inf`` at the pole
        ``n_samples == n_features`` without ridge, when the labels of that stage are noisy.

    Raises
    ------
    TypeError
        If ``chain`` is not a `Chain`.
    ValueError
        If generators share a design and one has a positive ridge: no deterministic equivalent is
        known to us.

    Notes
    -----
    Exact as sizes grow in proportion. At finite size the relative error is of the order
    `finite_size_scale`, ``max_m 1 / (T_m - df2)``; it is wrong at ``T = O(1)`` for targets in the
    strongest directions.

    References
    ----------
    Derived in the book's chapter on iterated regression; contains Proposition 4.2, Theorems 4.1,
    4.3, 4.5, 4.6 and Corollary 4.4 of Dohmatob, Feng, Kempe, 2024, as special cases.

    Examples
    --------
    >>> generator, student = Stage(600, noise_std=0.2), Stage(1000, noise_std=0.1)
    >>> target = np.full(300, 300**-0.5)
    >>> chain = Chain.repeated(Spectrum.isotropic(300), target, 5, generator, student)
    >>> risk = excess_risk(chain)  # sigma^2 phi / (1 - phi) + n sigma_0^2 phi_0 / (1 - phi_0)
    >>> round(risk.total, 6), round(0.01 * 0.3 / 0.7 + 5 * 0.04 * 0.5 / 0.5, 6)
    (0.204286, 0.204286)
    """
    parts = excess_risk_grid(chain)
    return RiskParts(
        float(parts.bias), float(parts.variance), float(parts.generator_noise), float(parts.total)
    )


def excess_risk_grid(
    chain: Chain, n_samples: ArrayLike | None = None, ridge: ArrayLike | None = None
) -> RiskParts:
    """`excess_risk` for many sample sizes and ridges of the student at once.

    The generators are followed once; the student costs a few hundred operations a grid point,
    whatever the number of features (see `fragile_learning.spectra.spectral_measure`).

    Parameters
    ----------
    chain : Chain
    n_samples : array_like of int, optional
        Student's ``T`` >= 1; the chain's own by default.
    ridge : array_like of float, optional
        Student's ridge >= 0; the chain's own by default. Broadcasts with ``n_samples``.

    Returns
    -------
    RiskParts of ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        As `excess_risk`, and if a grid value is out of range.

    Examples
    --------
    >>> chain = Chain(Spectrum.power_law(100, 2.0), np.ones(100), [Stage(50, noise_std=1.0)])
    >>> excess_risk_grid(chain, [[50], [200]], [0.01, 0.1, 1.0]).total.shape
    (2, 3)
    """
    _require_chain(chain)
    student = chain.student
    samples = whole_array("n_samples", student.n_samples if n_samples is None else n_samples)
    penalty = real_array("ridge", student.ridge if ridge is None else ridge, minimum=0.0)
    return _StudentRisk(chain)(samples, penalty)


def exact_excess_risk(chain: Chain) -> RiskParts:
    r"""Give the expected excess risk at finite size, where an exact law exists.

    Two families, both of least-squares stages only:

    - every ``n_samples >= n_features``, any spectrum:
      :math:`\sum_m \sigma_m^2\, d/(T_m-d-1)`;
    - isotropic spectrum, any ``n_samples``: the squared norm is multiplied by
      :math:`\min(T_m/d, 1)` and gains :math:`\sigma_m^2 \nu_m`, with
      :math:`\nu = d/(T-d-1)` for :math:`T > d+1` and :math:`\nu = T/(d-T-1)` for
      :math:`T < d-1`.

    Parameters
    ----------
    chain : Chain
        Independent or shared generator designs.

    Returns
    -------
    RiskParts of float
        In squared label units. ``inf`` where a noisy stage has ``n_samples`` within one of
        ``n_features``: the expectation does not exist.

    Raises
    ------
    TypeError
        If ``chain`` is not a `Chain`.
    ValueError
        If a stage has a ridge, or the spectrum is anisotropic and a stage has fewer samples than
        features: no exact law is known.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Theorems 4.1, 4.5, 4.6; finite-size forms derived in the book from
    the inverse Wishart mean and from Haar projections.

    Examples
    --------
    >>> stages = [Stage(12, noise_std=1.0), Stage(22, noise_std=1.0)]
    >>> exact_excess_risk(Chain(Spectrum([3.0, 1.0]), [1.0, 1.0], stages)).total  # 2/9 + 2/19
    0.32748538011695905
    """
    _require_chain(chain)
    spectrum, n_features = chain.spectrum, chain.spectrum.n_features
    if any(stage.ridge > 0 for stage in chain.stages):
        raise ValueError(
            "stages must all have ridge = 0 for an exact law, "
            f"got {[stage.ridge for stage in chain.stages]}"
        )
    sizes = [stage.n_samples for stage in chain.stages]
    if min(sizes) < n_features and not spectrum.is_isotropic:
        raise ValueError(
            f"stages must all have n_samples >= n_features = {n_features} for an exact law with an "
            f"anisotropic spectrum, got {sizes}"
        )
    signal = chain.signal
    square, mean, noise = signal, 1.0, 0.0
    for stage in _independent_generators(chain):
        kept = min(stage.n_samples / n_features, 1.0)
        square, mean = kept * square, kept * mean
        noise = kept * noise + _exact_noise(stage, n_features)
    student = chain.student
    kept = min(student.n_samples / n_features, 1.0)
    # E ||w||^2 - 2 w_0'E w + ||w_0||^2, each times the one eigenvalue
    full_rank = min(sizes) >= n_features
    bias = 0.0 if full_rank else kept * square - 2.0 * signal * kept * mean + signal
    variance = _exact_noise(student, n_features)
    generator_noise = kept * noise
    return RiskParts(bias, variance, generator_noise, bias + variance + generator_noise)


def finite_size_scale(chain: Chain) -> float:
    """Size of the relative error of `excess_risk` at finite size: ``max_m 1 / (T_m - df2_m)``.

    Measured deviations stay below 1.1 times this scale over the settings of the book. It is a
    rule of thumb, not a bound.

    >>> chain = Chain(Spectrum.isotropic(100), np.ones(100), [Stage(300)])
    >>> finite_size_scale(chain)
    0.005
    """
    _require_chain(chain)
    gaps = []
    for stage in chain.stages:
        effective = kappa(chain.spectrum, stage.n_samples, stage.ridge)
        gap = stage.n_samples - float(df2(chain.spectrum, effective))
        gaps.append(np.inf if gap <= 0 else 1.0 / gap)
    return float(max(gaps))


def variance_per_generation(
    spectrum: Spectrum, n_generator_samples: int, n_samples: ArrayLike, ridge: ArrayLike
) -> Array | float:
    r"""Risk per generation and unit of generator noise variance: the paper's :math:`\rho`.

    .. math::

        \rho = \frac{\operatorname{tr}\Sigma^4(\Sigma+\kappa_0)^{-2}(\Sigma+\kappa)^{-2}
            + \kappa^2 \operatorname{tr}\Sigma^2(\Sigma+\kappa_0)^{-2}(\Sigma+\kappa)^{-2}
              \,\frac{\mathrm{df}_2(\kappa)}{T-\mathrm{df}_2(\kappa)}}
            {T_0-\mathrm{df}_2(\kappa_0)}

    Parameters
    ----------
    spectrum : Spectrum
    n_generator_samples : int
        ``T_0`` >= 1 of each least-squares generator.
    n_samples, ridge : array_like
        The student's ``T`` >= 1 and penalty >= 0; they broadcast.

    Returns
    -------
    float or ndarray
        Dimensionless; ``inf`` at ``n_generator_samples == n_features``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Large-size limit. Holds for least-squares generators that share a design, or for any with
    ``T_0 > d``. For independent designs with ``T_0 < d`` the noise is not linear in the number of
    generations: use `excess_risk`.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Theorem 4.3, equation (18).

    Examples
    --------
    >>> white = Spectrum.isotropic(100)
    >>> variance_per_generation(white, 50, [300, 1000], 0.0)  # shared designs: 1 / (phi_0 - 1)
    array([1., 1.])
    >>> round(variance_per_generation(white, 200, 300, 0.0), 6)  # phi_0 / (1 - phi_0)
    1.0
    """
    size = whole_number("n_generator_samples", n_generator_samples)
    samples, penalty = np.broadcast_arrays(
        whole_array("n_samples", n_samples), real_array("ridge", ridge, minimum=0.0)
    )
    eigenvalues = spectrum.eigenvalues
    effective_0 = float(kappa(spectrum, size, 0.0))
    gap_0 = size - float(df2(spectrum, effective_0))
    weight = (eigenvalues / (eigenvalues + effective_0)) ** 2
    nodes, weights = spectral_measure(spectrum, weight, np.ones(spectrum.n_features))
    effective = np.atleast_1d(kappa(spectrum, samples.ravel(), penalty.ravel()))
    result = np.empty(effective.size)
    for i, (root, count) in enumerate(zip(effective, samples.ravel(), strict=True)):
        kept, rest, _ = _filters(nodes, root)
        unlearned = _ratio(
            weights[0] @ rest**2 * float(df2(spectrum, root)),
            _slack(spectrum, count, kept, rest, weights[1]),
        )
        result[i] = _ratio(weights[0] @ kept**2 + unlearned, max(gap_0, 0.0))
    return float(result[0]) if samples.ndim == 0 else result.reshape(samples.shape)


def variance_per_generation_full_rank(
    spectrum: Spectrum,
    n_generator_samples: int,
    n_samples: int,
    ridge: float,
    *,
    finite_size: bool = False,
) -> float:
    r"""Give the paper's :math:`\rho` for generators with at least as many samples as features.

    .. math::

        \rho = \frac{\mathrm{df}_2(\kappa)}{T_0-d}
            \Big(1 + \frac{\kappa^2\operatorname{tr}(\Sigma+\kappa)^{-2}}{T-\mathrm{df}_2(\kappa)}
            \Big)

    Parameters
    ----------
    spectrum : Spectrum
    n_generator_samples : int
        ``T_0 >= n_features``.
    n_samples : int
        Student's ``T`` >= 1.
    ridge : float
        Student's penalty >= 0.
    finite_size : bool
        Replace ``T_0 - d`` by ``T_0 - d - 1``, which is exact in the generators' designs.

    Returns
    -------
    float
        ``inf`` at the pole of the denominator.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Corollary 4.4, equation (19); finite-size form derived in the book.

    Examples
    --------
    >>> variance_per_generation_full_rank(Spectrum.isotropic(100), 200, 1000, 0.0)
    1.0
    """
    n_features = spectrum.n_features
    size = whole_number("n_generator_samples", n_generator_samples, minimum=n_features)
    samples = whole_number("n_samples", n_samples)
    effective = float(kappa(spectrum, samples, ridge))
    learned = float(df2(spectrum, effective))
    # kappa^2 tr (Sigma + kappa)^-2 = d - 2 df1 + df2
    nodes, weights = spectrum.measure
    blocked = float(weights[0] @ (effective / (nodes + effective)) ** 2)
    kept, rest, _ = _filters(nodes, effective)
    inner = 1.0 + _ratio(blocked, _slack(spectrum, float(samples), kept, rest, weights[0]))
    return float(_ratio(learned * inner, max(size - n_features - (1 if finite_size else 0), 0)))


def delta_bias(chain: Chain) -> float:
    r"""Risk added by the generators' distortion of the teacher, seen through the student.

    :math:`\Delta\mathrm{Bias} = E\lVert A (Q w_0 - w_0)\rVert_\Sigma^2 \ge 0`, with ``A`` the
    student's smoother and ``Q`` the product of the generators' smoothers.

    Parameters
    ----------
    chain : Chain
        As for `excess_risk`.

    Returns
    -------
    float
        In squared label units, in the large-size limit.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, equation (15); evaluated by the recursion of `excess_risk`.

    Examples
    --------
    >>> from fragile_learning.regression.chain import Stage
    >>> target = np.full(100, 0.1)
    >>> chain = Chain(Spectrum.isotropic(100), target, [Stage(50), Stage(50), Stage(300)])
    >>> round(delta_bias(chain), 6)  # two projections on half the space: 1 - 1/4
    0.75
    """
    return bias_decomposition(chain).delta


def bias_decomposition(chain: Chain) -> BiasParts:
    r"""Clean bias, added bias and their interference.

    The interference is :math:`2\sum_j c_j^2\,(1-\prod_m \tfrac{\lambda_j}{\lambda_j+\kappa_m})K_j`
    with :math:`K = \kappa\Sigma(\Sigma+\kappa)^{-2}
    (\Sigma - \kappa\,\mathrm{df}_2(\kappa)/(T-\mathrm{df}_2(\kappa)))`.

    Parameters
    ----------
    chain : Chain
        As for `excess_risk`.

    Returns
    -------
    BiasParts of float
        In squared label units, in the large-size limit.

    Notes
    -----
    The paper states ``total >= clean + delta`` always (Theorem 4.3, Proposition F.5). That holds
    for isotropic spectra and for ridgeless students with ``T > d``, and fails in general.

    References
    ----------
    Derived in the book (correction of Proposition F.5 of Dohmatob, Feng, Kempe, 2024).

    Examples
    --------
    >>> from fragile_learning.regression.chain import Stage
    >>> spectrum = Spectrum(np.repeat([1.0, 0.02], [30, 270]))
    >>> target = np.repeat([0.0, 1.0], [30, 270]) / 5.4**0.5  # all in the weak directions
    >>> parts = bias_decomposition(Chain(spectrum, target, [Stage(90), Stage(33)]))
    >>> [round(part, 3) for part in parts]  # the total is below the clean bias
    [1.694, 0.778, -1.139, 1.333]
    """
    _require_chain(chain)
    eigenvalues, student = chain.spectrum.eigenvalues, chain.student
    messages, _ = _generate(chain)
    effective = float(kappa(chain.spectrum, student.n_samples, student.ridge))
    kept, rest, spread = _filters(eigenvalues, effective)
    slack = _slack(chain.spectrum, float(student.n_samples), kept, rest, np.ones_like(kept))
    learned = float(np.sum(kept**2))
    leak = _ratio(effective * learned, slack)
    unexplained = effective * spread
    clean = float(eigenvalues @ (rest * chain.target) ** 2 + leak * (unexplained @ chain.target**2))
    delta = float(eigenvalues @ (kept**2 * messages.error) + leak * (unexplained @ messages.error))
    coupling = effective * spread * (eigenvalues - leak)
    cross = float(2.0 * messages.lost @ coupling)
    return BiasParts(clean, delta, cross, clean + delta + cross)


def surviving_fraction(n_features: int, n_samples: Sequence[int]) -> float:
    r"""Fraction :math:`\prod_m \min(T_m/d, 1)` of the squared norm that least squares keeps.

    Parameters
    ----------
    n_features : int
    n_samples : sequence of int
        Of each generator; independent designs, isotropic spectrum. Exact at finite size.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Theorem 4.6.

    Examples
    --------
    >>> surviving_fraction(100, [50, 50, 200])
    0.25
    """
    size = whole_number("n_features", n_features)
    counts = whole_array("n_samples", n_samples)
    return float(np.prod(np.minimum(counts / size, 1.0)))


def isotropic_generator_noise(
    aspect_ratio: float, n_generations: ArrayLike, *, noise_std: float, shared_design: bool = False
) -> Array | float:
    r"""Noise that least-squares generators leave in the last label vector, white features.

    Below one feature a sample, :math:`n\sigma_0^2\phi_0/(1-\phi_0)`: linear. Above, shared designs
    give :math:`n\sigma_0^2/(\phi_0-1)`, still linear, and independent designs
    :math:`\sigma_0^2\phi_0(1-\phi_0^{-n})/(\phi_0-1)^2`, which saturates.

    Parameters
    ----------
    aspect_ratio : float
        :math:`\phi_0 = d/T_0 > 0`.
    n_generations : array_like of int
        >= 0.
    noise_std : float
        Of the generators' labels, >= 0.
    shared_design : bool

    Returns
    -------
    float or ndarray
        ``E ||noise||^2`` in squared label units; ``inf`` at aspect ratio 1 (unless noise-free).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    Derived in the book, large-size limit.

    Examples
    --------
    >>> isotropic_generator_noise(2.0, [1, 5, 50], noise_std=0.1).round(5)
    array([0.01   , 0.01938, 0.02   ])
    >>> isotropic_generator_noise(2.0, [1, 5, 50], noise_std=0.1, shared_design=True).round(5)
    array([0.01, 0.05, 0.5 ])
    """
    phi = real_number("aspect_ratio", aspect_ratio, minimum=0.0, open_minimum=True)
    count = whole_array("n_generations", n_generations, minimum=0)
    variance = real_number("noise_std", noise_std, minimum=0.0) ** 2
    if phi == 1.0:
        noise = np.where(count * variance > 0, np.inf, 0.0)
    elif phi < 1.0:
        noise = count * variance * phi / (1.0 - phi)
    elif shared_design:
        noise = count * variance / (phi - 1.0)
    else:
        noise = variance * phi * -np.expm1(-count * np.log(phi)) / (phi - 1.0) ** 2
    return float(noise) if noise.ndim == 0 else noise


def null_predictor_threshold(
    signal_to_noise: float, n_features: int, n_generator_samples: int, *, finite_size: bool = True
) -> float:
    r"""Give the number of generations after which a chain is worse than predicting zero.

    :math:`\mathrm{SNR}_0 (T_0-d-1)/d` exactly, or :math:`\mathrm{SNR}_0(1/\phi_0 - 1)` in the
    limit, with :math:`\mathrm{SNR}_0 = \lVert w_0\rVert_\Sigma^2/\sigma_0^2`.

    Parameters
    ----------
    signal_to_noise : float
        >= 0.
    n_features, n_generator_samples : int
        ``n_generator_samples > n_features + 1`` (``> n_features`` for the limit).
    finite_size : bool

    Notes
    -----
    Sufficient, and necessary as the student's own noise vanishes. The paper prints
    ``SNR_0 / (1/phi_0 - 1)``, right only at ``phi_0 = 1/2``.

    Examples
    --------
    >>> null_predictor_threshold(20.0, 80, 100)
    4.75
    >>> null_predictor_threshold(20.0, 80, 100, finite_size=False)
    5.0
    """
    snr = real_number("signal_to_noise", signal_to_noise, minimum=0.0)
    d = whole_number("n_features", n_features)
    lost = 1 if finite_size else 0
    t0 = whole_number("n_generator_samples", n_generator_samples, minimum=d + lost + 1)
    return snr * (t0 - d - lost) / d


def projection_first_moment(spectrum: Spectrum, n_samples: Sequence[int]) -> Array:
    r"""Diagonal of :math:`E[P_{n-1}\cdots P_0] = \prod_m \Sigma(\Sigma+\kappa_m)^{-1}`.

    ``P_m`` projects on the row space of an independent design with ``n_samples[m]`` rows.

    Returns
    -------
    ndarray, shape (n_features,)
        Dimensionless, in the eigenbasis, in the large-size limit.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, Lemma F.7 (the printed form lacks the factor ``Sigma^n``).

    Examples
    --------
    >>> projection_first_moment(Spectrum.isotropic(4, scale=2.0), [2, 2])  # (T/d)^2
    array([0.25, 0.25, 0.25, 0.25])
    """
    moment = np.ones(spectrum.n_features)
    for count in whole_array("n_samples", n_samples):
        moment = moment * _filters(spectrum.eigenvalues, float(kappa(spectrum, count, 0.0)))[0]
    return moment


def projection_second_moment(spectrum: Spectrum, n_samples: Sequence[int]) -> Array:
    r"""Diagonal of :math:`E[P_0\cdots P_{n-1}\,\Sigma\,P_{n-1}\cdots P_0]`.

    From the outside in: :math:`M \leftarrow \bar A M \bar A +
    \kappa^2 \frac{\operatorname{tr} M\Sigma(\Sigma+\kappa)^{-2}}{T-\mathrm{df}_2}
    \Sigma(\Sigma+\kappa)^{-2}`, starting at ``M = Sigma`` with the newest design.

    Parameters
    ----------
    spectrum : Spectrum
    n_samples : sequence of int
        Oldest design first.

    Returns
    -------
    ndarray, shape (n_features,)
        In units of the eigenvalues, in the eigenbasis, in the large-size limit.

    References
    ----------
    Correction, derived in the book, of Lemma F.8 of Dohmatob, Feng, Kempe, 2024.

    Examples
    --------
    >>> projection_second_moment(Spectrum.isotropic(4, scale=2.0), [2, 2])  # 2 (T/d)^2
    array([0.5, 0.5, 0.5, 0.5])
    """
    eigenvalues = spectrum.eigenvalues
    moment = eigenvalues.copy()
    for count in whole_array("n_samples", n_samples)[::-1]:
        effective = float(kappa(spectrum, count, 0.0))
        kept, rest, spread = _filters(eigenvalues, effective)
        slack = _slack(spectrum, float(count), kept, rest, np.ones_like(kept))
        weight = _ratio(effective**2 * float(moment @ spread), slack)
        moment = kept**2 * moment + weight * spread
    return moment


def optimal_ridge(chain: Chain) -> float:
    """Ridge of the student that minimises `excess_risk`, all else in the chain kept.

    Parameters
    ----------
    chain : Chain
        The student's own ridge is ignored.

    Returns
    -------
    float
        In units of the eigenvalues. ``0.0`` if no positive ridge is better than none, ``inf`` if
        predicting zero is best.

    Raises
    ------
    TypeError, ValueError
        As `excess_risk`; also if the generators' noise is infinite, when every ridge is as bad.

    Notes
    -----
    The global minimum over 24 decades about the mean eigenvalue, found by a grid of 481 ridges and
    then narrowed on the best one; the risk can have two local minima. Accurate to about 1e-7
    relative, the limit of comparing function values in double precision.

    Examples
    --------
    >>> chain = Chain(Spectrum.isotropic(100), np.full(100, 0.1), [Stage(200, noise_std=0.5)])
    >>> round(optimal_ridge(chain), 6)  # sigma^2 d / (T ||w_0||^2)
    0.125
    """
    _require_chain(chain)
    student = _StudentRisk(chain)
    samples = np.asarray(float(chain.student.n_samples))

    def risk(ridge: Array) -> Array:
        return np.asarray(student(samples, ridge).total)

    scale = chain.spectrum.trace / chain.spectrum.n_features
    logs = np.log(scale) + np.linspace(-14.0, 10.0, 481) * np.log(10.0)
    risks = risk(np.exp(logs))
    if not np.isfinite(risks).all():
        raise ValueError("chain must have finite generator noise for a ridge to be optimal")
    best = int(np.argmin(risks))
    if float(risk(np.zeros(()))) <= risks[best]:
        return 0.0
    if best == logs.size - 1 or chain.signal <= risks[best]:
        return float("inf")
    low, high = logs[max(best - 1, 0)], logs[best + 1]
    while high - low > 1e-9:
        logs = np.linspace(low, high, 41)
        best = int(np.argmin(risk(np.exp(logs))))
        low, high = logs[max(best - 2, 0)], logs[min(best + 2, 40)]
        if best in (0, 40):
            break
    return float(np.exp(logs[best]))


def optimal_ridge_isotropic(
    aspect_ratio: float, *, signal: float, noise_std: float, generator_noise: float
) -> float:
    r"""Best ridge for white unit-variance features, from its stationarity equation.

    .. math::

        \lambda r^2 = \sigma^2\phi + v\Big[1 + \frac{\phi\kappa-2\phi}{1+\kappa}
            + \frac{\phi^2}{(1+\kappa)^3}\Big], \qquad \kappa = \kappa(\lambda, T)

    Parameters
    ----------
    aspect_ratio : float
        :math:`\phi = d/T > 0` of the student.
    signal : float
        :math:`r^2 = \lVert w_0\rVert^2 > 0`.
    noise_std : float
        Of the student's labels, >= 0.
    generator_noise : float
        :math:`v = n\sigma_0^2\phi_0/(1-\phi_0) \ge 0` of full-rank least-squares generators
        (`isotropic_generator_noise`).

    Returns
    -------
    float
        In units of the (unit) eigenvalue.

    References
    ----------
    Derived in the book, large-size limit.

    Examples
    --------
    >>> round(optimal_ridge_isotropic(0.3, signal=1.0, noise_std=0.1, generator_noise=0.2), 6)
    0.119473
    """
    from scipy.optimize import brentq

    phi = real_number("aspect_ratio", aspect_ratio, minimum=0.0, open_minimum=True)
    r2 = real_number("signal", signal, minimum=0.0, open_minimum=True)
    noise = real_number("noise_std", noise_std, minimum=0.0) ** 2 * phi
    v = real_number("generator_noise", generator_noise, minimum=0.0)
    if noise + v == 0.0:
        return 0.0

    def ridge_of(root: float) -> float:
        return root * (1.0 - phi / (1.0 + root))

    def stationarity(log_excess: float) -> float:
        root = lowest + np.exp(log_excess)
        bracket = 1.0 + (phi * root - 2.0 * phi) / (1.0 + root) + phi**2 / (1.0 + root) ** 3
        return float(ridge_of(root) * r2 - noise - v * bracket)

    lowest = max(phi - 1.0, 0.0)
    low, high = -60.0, 1.0
    while stationarity(high) <= 0.0:
        high += 1.0
    if stationarity(low) >= 0.0:
        return 0.0
    return float(ridge_of(lowest + np.exp(brentq(stationarity, low, high, xtol=1e-14))))


def _require_chain(chain: object) -> None:
    if not isinstance(chain, Chain):
        raise TypeError(f"chain must be a Chain, got {type(chain).__name__}")


def _independent_generators(chain: Chain) -> tuple[Stage, ...]:
    """Replace generators by ones with independent designs and the same law of the last labels.

    With a shared design ``P X^+ = X^+``: n least-squares fits act like one with all their noise.
    """
    if not chain.shared_design or chain.n_generations == 0:
        return chain.generators
    if any(stage.ridge > 0 for stage in chain.generators):
        raise ValueError(
            "generators with shared_design=True must have ridge = 0 for this law, "
            f"got {[stage.ridge for stage in chain.generators]}"
        )
    pooled = float(np.sqrt(sum(stage.noise_std**2 for stage in chain.generators)))
    return (Stage(chain.generators[0].n_samples, 0.0, pooled),)


def _filters(eigenvalues: Array, effective: float | Array) -> tuple[Array, Array, Array]:
    """``lambda/(lambda+kappa)``, ``kappa/(lambda+kappa)`` and ``lambda/(lambda+kappa)^2``."""
    total = eigenvalues + effective
    kept = eigenvalues / total
    return kept, effective / total, kept / total


def _slack(
    spectrum: Spectrum, samples: float | Array, kept: Array, rest: Array, count: Array
) -> Array:
    """``T - df2(kappa)`` without cancellation when ``T >= d``; never negative."""
    above = samples - float(spectrum.n_features)
    positive = above + (rest * (1.0 + kept)) @ count
    plain = samples - kept**2 @ count
    result: Array = np.where(above >= 0, positive, np.maximum(plain, 0.0))
    return result


def _ratio(numerator: float | Array, denominator: float | Array) -> Array:
    """Quotient of non-negative numbers in which 0/0 is 0: no noise, no pole."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    result = np.where(top > 0, np.inf, 0.0)
    np.divide(top, bottom, out=result, where=(bottom > 0) & (top > 0))
    return result


def _generate(chain: Chain) -> tuple[_Messages, bool]:
    """Follow the generators; the flag says whether their noise is infinite (a pole)."""
    eigenvalues, square = chain.spectrum.eigenvalues, chain.target**2
    second, noise = square.copy(), np.zeros_like(square)
    error, lost = np.zeros_like(square), np.zeros_like(square)
    infinite = False
    for stage in _independent_generators(chain):
        effective = float(kappa(chain.spectrum, stage.n_samples, stage.ridge))
        kept, rest, spread = _filters(eigenvalues, effective)
        slack = _slack(chain.spectrum, float(stage.n_samples), kept, rest, np.ones_like(kept))
        unexplained = effective**2 * spread
        signal_noise = _ratio(float(unexplained @ second), slack)
        label_noise = _ratio(stage.noise_std**2 + float(unexplained @ noise), slack)
        if np.isinf(label_noise):
            infinite, label_noise = True, np.zeros(())
        error = kept**2 * error + 2.0 * kept * rest * lost + rest**2 * square
        error += spread * signal_noise
        second = kept**2 * second + spread * signal_noise
        noise = kept**2 * noise + spread * label_noise
        lost = kept * lost + rest * square
    return _Messages(second, error, lost, noise), infinite


class _StudentRisk:
    """Risk of a chain's student for any sample sizes and ridges; the generators are fixed."""

    def __init__(self, chain: Chain) -> None:
        messages, self._noise_is_infinite = _generate(chain)
        self._spectrum, self._noise_std = chain.spectrum, chain.student.noise_std
        self._nodes, count = chain.spectrum.measure
        self._count = count[0]
        densities = (
            messages.second,
            messages.error,
            messages.lost,
            chain.target**2,
            messages.noise,
        )
        self._densities = np.zeros((len(densities), self._nodes.size))  # times eigenvalue
        known = [i for i, density in enumerate(densities) if density.any()]
        if known:
            compressed = spectral_measure(chain.spectrum, *(densities[i] for i in known))
            self._densities[known] = compressed.weights * self._nodes

    def __call__(self, samples: Array, penalty: Array) -> RiskParts:
        """Evaluate at checked arrays that broadcast."""
        nodes, count = self._nodes, self._count
        second, error, lost, clean, noise = self._densities
        shape = np.broadcast_shapes(samples.shape, penalty.shape)
        flat_samples = np.broadcast_to(samples, shape).ravel()
        flat_penalty = np.broadcast_to(penalty, shape).ravel()
        effective = np.atleast_1d(kappa(self._spectrum, flat_samples, flat_penalty))
        bias, variance, generator_noise = (np.empty(flat_samples.size) for _ in range(3))
        step = max(1, _BLOCK // nodes.size)
        for start in range(0, effective.size, step):
            block = slice(start, start + step)
            kept, rest, _ = _filters(nodes, effective[block, None])
            learned, unlearned = (kept**2).T, (rest**2).T
            slack = _slack(self._spectrum, flat_samples[block], kept, rest, count)
            learned_df = count @ learned
            bias[block] = (
                error @ learned
                + 2.0 * (lost @ (kept * rest).T)
                + clean @ unlearned
                + _ratio((second @ unlearned) * learned_df, slack)
            )
            variance[block] = _ratio(self._noise_std**2 * learned_df, slack)
            inherited = _ratio((noise @ unlearned) * learned_df, slack)
            generator_noise[block] = noise @ learned + inherited
        if self._noise_is_infinite:
            generator_noise[:] = np.inf
        total = bias + variance + generator_noise
        return RiskParts(
            bias.reshape(shape),
            variance.reshape(shape),
            generator_noise.reshape(shape),
            total.reshape(shape),
        )


def _exact_noise(stage: Stage, n_features: int) -> float:
    """Give the mean of ``||X^+ E||^2`` in units of the eigenvalue; infinite near the pole."""
    if stage.noise_std == 0.0:
        return 0.0
    if abs(stage.n_samples - n_features) <= 1:
        return float("inf")
    gap = abs(stage.n_samples - n_features) - 1
    return stage.noise_std**2 * min(stage.n_samples, n_features) / gap
