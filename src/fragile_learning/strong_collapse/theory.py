"""What a share of synthetic labels costs: the large-size limit, and exact least squares.

Every function takes a `Mixture` and returns numbers; none draws random numbers. All sums run over
eigenvalues, compressed to a few hundred nodes (`fragile_learning.spectra.spectral_measure`), and
over all grid points at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array
from fragile_learning.equivalents import kappa
from fragile_learning.spectra import Spectrum, spectral_measure
from fragile_learning.strong_collapse.general import general_excess_risk, limit
from fragile_learning.strong_collapse.least_squares import exact_excess_risk, iterate_mixing
from fragile_learning.strong_collapse.mixture import (
    FixedShift,
    Group,
    Mixture,
    MixtureRisk,
    require,
)

__all__ = [
    "collapse_floor",
    "departure_sample_size",
    "effective_ridge",
    "exact_excess_risk",
    "excess_risk",
    "excess_risk_grid",
    "general_excess_risk",
    "iterate_mixing",
    "optimal_ridge",
    "optimal_weight",
]

Array = NDArray[np.float64]

_MAX_ITERATIONS = 200
_BLOCK = 1 << 20  # entries of a (grid point, node) block


def effective_ridge(
    spectrum: Spectrum, n_samples: ArrayLike, width: ArrayLike, ridge: ArrayLike
) -> Array | float:
    r"""Effective ridge of a random projection: the root of a scalar equation.

    .. math:: \theta\, (1 - \mathrm{df}_1(\theta)/n)\, (1 - \mathrm{df}_1(\theta)/m) = \lambda,
        \qquad \mathrm{df}_1(\theta) \le \min(n, m)

    Parameters
    ----------
    spectrum : Spectrum
    n_samples, width : array_like
        ``n`` and ``m``, whole numbers >= 1 or ``inf``, which removes the factor.
    ridge : array_like of float
        >= 0, in units of the eigenvalues. The three broadcast.

    Returns
    -------
    float or ndarray
        In units of the eigenvalues. Zero where ``ridge == 0`` and
        ``min(n_samples, width) >= n_features``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    The left side increases in :math:`\theta`, and the root lies between that of
    :math:`\mathrm{df}_1 = \min(n, m)` and :math:`\lambda + \mathrm{tr}\,\Sigma\,(1/n + 1/m)`.
    Newton's method in :math:`\log\theta`, with bisection wherever it leaves this bracket, cannot
    fail. With ``width = inf`` it is `fragile_learning.equivalents.kappa`.

    References
    ----------
    Dohmatob, Feng, Subramonian, Kempe, 2025, Theorem 2 (in an equivalent form); derived here.

    Examples
    --------
    >>> round(effective_ridge(Spectrum.isotropic(600), 500, 300, 0.0), 12)  # d / m - 1
    1.0
    """
    samples = _count("n_samples", n_samples)
    widths = _count("width", width)
    penalty = real_array("ridge", ridge, minimum=0.0)
    shape = np.broadcast_shapes(samples.shape, widths.shape, penalty.shape)
    flat = [np.broadcast_to(one, shape).ravel() for one in (samples, widths, penalty)]
    root = _roots(spectrum, *flat)
    return float(root[0]) if shape == () else root.reshape(shape)


def excess_risk(mixture: Mixture) -> MixtureRisk:
    r"""Excess risk of a mixture in the large-size limit.

    With :math:`\theta` of `effective_ridge`,
    :math:`\rho = (1-\mathrm{df}_1/m)/(1-\mathrm{df}_2/m)`,
    :math:`\omega = (1-\rho)\theta`, :math:`D = (1-\rho)\mathrm{df}_1 + \rho\,\mathrm{df}_2`,
    :math:`u = D/(n-D)` and :math:`\sigma^2 = p_1\sigma_1^2 + p_2\sigma_2^2`,

    .. math::

        B &= (1+u)\,\mathrm{tr}\,\Gamma\Sigma(\theta^2+\omega\Sigma)(\Sigma+\theta)^{-2},
        \qquad V = \sigma^2 u, \\
        \zeta &= p_2^2 (1+p_1u)\,\mathrm{tr}\,\Delta\Sigma^3(\Sigma+\theta)^{-2}
          + p_2^2 (1+u)\,\omega\,\mathrm{tr}\,\Delta\Sigma^2(\Sigma+\theta)^{-2}
          + p_2 u\,\mathrm{tr}\,\Delta\Sigma(p_1\Sigma+\theta)^2(\Sigma+\theta)^{-2}

    and, for a fixed shift :math:`\delta`, with :math:`\Delta = \delta\delta^\top`, the interference
    :math:`2p_2\, w_1^\top\Sigma[((1+u)\omega-\theta)\Sigma+u\theta^2](\Sigma+\theta)^{-2}\delta`.

    Parameters
    ----------
    mixture : Mixture

    Returns
    -------
    MixtureRisk of float
        In squared label units, without the noise floor. ``inf`` at the pole
        ``n_samples == min(width, n_features)`` without ridge, in the terms that have one.

    Raises
    ------
    TypeError
        If ``mixture`` is not a `Mixture`.

    Notes
    -----
    Exact as sizes grow in proportion; the relative error at finite size is of order ``1/n``, and
    large only next to the pole.

    References
    ----------
    Dohmatob, Feng, Subramonian, Kempe, 2025, Theorem 1 (``width=None``) and Theorem 2 in an
    equivalent form; the interference is derived here.

    Examples
    --------
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(300, 1 / 300))
    >>> mixture = Mixture(Spectrum.isotropic(300), np.ones(300), shift, 900, 100)
    >>> round(excess_risk(mixture).collapse, 6)  # p2^2 + p1 p2 phi / (1 - phi)
    0.048571
    """
    parts = excess_risk_grid(mixture)
    return MixtureRisk(*(float(part) for part in parts))


def excess_risk_grid(
    mixture: Mixture,
    n: ArrayLike | None = None,
    width: ArrayLike | None = None,
    synthetic_fraction: ArrayLike | None = None,
    ridge: ArrayLike | None = None,
) -> MixtureRisk:
    """`excess_risk` for many sample sizes, widths, synthetic fractions and ridges at once.

    Parameters
    ----------
    mixture : Mixture
    n : array_like, optional
        Samples in all, whole numbers >= 1 or ``inf``; the mixture's own by default.
    width : array_like, optional
        Whole numbers >= 1, or ``inf`` for no projection; the mixture's own by default.
    synthetic_fraction : array_like, optional
        In [0, 1]; any real number, also where ``n`` times it is not whole.
    ridge : array_like, optional
        >= 0. All four broadcast.

    Returns
    -------
    MixtureRisk of ndarray
        Of the broadcast shape.

    Raises
    ------
    TypeError, ValueError
        If ``mixture`` is not a `Mixture` or a grid value is out of range.

    Notes
    -----
    All points at once, but one after the other where the mixture has a ``synthetic_weight``: then
    each is a problem of `general_excess_risk`.

    Examples
    --------
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.ones(50))
    >>> mixture = Mixture(Spectrum.power_law(50, 1.0), np.ones(50), shift, 90, 10, 0.1)
    >>> excess_risk_grid(mixture, n=[[40], [400]], width=[10, 100, np.inf]).total.shape
    (2, 3)
    """
    require("mixture", mixture, Mixture)
    own_width = np.inf if mixture.width is None else mixture.width
    samples = _count("n", mixture.n_samples if n is None else n)
    widths = _count("width", own_width if width is None else width)
    fraction = real_array(
        "synthetic_fraction",
        mixture.synthetic_fraction if synthetic_fraction is None else synthetic_fraction,
        minimum=0.0,
        maximum=1.0,
    )
    penalty = real_array("ridge", mixture.ridge if ridge is None else ridge, minimum=0.0)
    grids = (samples, widths, fraction, penalty)
    shape = np.broadcast_shapes(*(grid.shape for grid in grids))
    flat = [np.broadcast_to(grid, shape).ravel() for grid in grids]
    solve = _limit if mixture.synthetic_weight is None else _weighted_limit
    return MixtureRisk(*(part.reshape(shape) for part in solve(mixture, *flat)))


def collapse_floor(mixture: Mixture) -> float:
    r"""Collapse term that is left with infinitely many samples of the same composition.

    Without ridge and projection this is :math:`p_2^2\,\mathrm{tr}\,\Sigma\Delta`, whatever the
    spectrum: the floor under which no number of samples takes the model. With a weight
    :math:`\alpha` on the synthetic samples, :math:`\alpha^2` takes the place of :math:`p_2^2`.

    Parameters
    ----------
    mixture : Mixture
        Its width and ridge are kept, and so is its synthetic fraction.

    Returns
    -------
    float
        In squared label units.

    Raises
    ------
    TypeError
        If ``mixture`` is not a `Mixture`.

    References
    ----------
    Dohmatob, Feng, Subramonian, Kempe, 2025, Corollary 1; the form with ridge and width is derived
    here.

    Examples
    --------
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(300, 1 / 300))
    >>> mixture = Mixture(Spectrum.isotropic(300), np.ones(300), shift, 999, 1)
    >>> round(collapse_floor(mixture), 12)
    1e-06
    """
    return float(excess_risk_grid(mixture, n=np.inf).collapse)


def departure_sample_size(mixture: Mixture) -> float:
    r"""Give the number of samples at which the clean error has come down to the collapse floor.

    From there on, without ridge, more than half of the error is the collapse term, and more samples
    are all but wasted: the curve of the mixture leaves that of clean data. For least squares it is
    :math:`n^* = d\,(1 + \sigma^2/(p_2^2c^2))`.

    Parameters
    ----------
    mixture : Mixture
        Its width, ridge, composition and weight are kept, its number of samples is ignored.

    Returns
    -------
    float
        Least whole number from which on ``bias + variance < collapse_floor``. ``inf`` if there is
        none: without floor, or where ridge and width alone cost more than the floor.

    Raises
    ------
    TypeError
        If ``mixture`` is not a `Mixture`.

    References
    ----------
    Derived here, large-size limit.

    Examples
    --------
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(100, 0.01))
    >>> mixture = Mixture(Spectrum.isotropic(100), np.ones(100), shift, 999, 1, 0.0, 1.0, 1.0)
    >>> round(departure_sample_size(mixture), -4)  # a thousandth: a million times d samples
    100000000.0
    """
    floor = collapse_floor(mixture)
    width = np.inf if mixture.width is None else float(mixture.width)
    solve = _limit if mixture.synthetic_weight is None else _weighted_limit

    def above(samples: Array) -> Array:
        point = (width, mixture.synthetic_fraction, mixture.ridge)
        bias, variance, *_ = solve(mixture, samples, *(np.full(samples.size, x) for x in point))
        return np.asarray(bias + variance >= floor)

    peak = min(width, mixture.spectrum.n_features)  # of a fit without ridge, often a narrow one
    sizes = np.unique(np.append(np.round(np.geomspace(1.0, 1e18, 400)), peak))
    late = np.flatnonzero(above(np.append(sizes, np.inf)))
    if floor == 0.0 or (late.size and late[-1] >= sizes.size - 1):
        return float("inf")
    low, high = (sizes[late[-1]], sizes[late[-1] + 1]) if late.size else (0.0, 1.0)
    while high - low > max(1.0, 1e-15 * high):
        middle = np.floor((low + high) / 2)
        low, high = (middle, high) if above(np.array([middle]))[0] else (low, middle)
    return float(high)


def optimal_ridge(mixture: Mixture) -> float:
    r"""Ridge that minimises `excess_risk`, all else in the mixture kept.

    It does not remove the floor of a random shift. With white features and ever more samples it
    tends to :math:`p_2^2c^2/r^2`, not to zero, and the risk to
    :math:`r^2p_2^2c^2/(r^2 + p_2^2c^2)`, where :math:`r^2 = \lVert w_1\rVert^2`. A fixed shift
    is undone if it is a positive multiple of :math:`\Sigma^{-1}w_1`.

    Parameters
    ----------
    mixture : Mixture
        Its own ridge is ignored.

    Returns
    -------
    float
        In units of the eigenvalues. ``0.0`` if no positive ridge is better than none, ``inf`` if
        predicting zero is best.

    Raises
    ------
    TypeError
        If ``mixture`` is not a `Mixture`.

    Notes
    -----
    The global minimum over 24 decades about the mean eigenvalue, from a grid that is narrowed on
    its best point: the risk can have two local minima. Accurate to about 1e-7 relative.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(100, 0.01))
    >>> mixture = Mixture(Spectrum.isotropic(100), np.full(100, 0.1), shift, 10**8, 10**8)
    >>> round(optimal_ridge(mixture), 5)  # p2^2 c^2 / r^2
    0.25
    """
    require("mixture", mixture, Mixture)
    scale = mixture.spectrum.trace / mixture.spectrum.n_features

    def total(logs: Array) -> Array:
        return np.asarray(excess_risk_grid(mixture, ridge=scale * np.exp(logs)).total)

    best, risk, at_end = _narrowed(total, np.log(10.0) * np.linspace(-14.0, 10.0, 241))
    if float(excess_risk_grid(mixture, ridge=0.0).total) <= risk:
        return 0.0
    signal = float(mixture.spectrum.eigenvalues @ mixture.target**2)
    return float("inf") if at_end or signal <= risk else float(scale * np.exp(best))


def optimal_weight(mixture: Mixture) -> float:
    r"""Share of the loss to give to the synthetic samples: the minimiser of `excess_risk`.

    For least squares with many samples per feature it is about
    :math:`\phi\sigma_1^2/(p_1c^2)`, :math:`\phi = d/n`: it vanishes as data grow, because every
    fixed weight :math:`\alpha` leaves the floor :math:`\alpha^2c^2`.

    Parameters
    ----------
    mixture : Mixture
        With samples of both kinds. Its own ``synthetic_weight`` is ignored.

    Returns
    -------
    float
        ``alpha`` in [0, 1]; see `Mixture`.

    Raises
    ------
    TypeError, ValueError
        If ``mixture`` is not a `Mixture`, or has samples of one kind only.

    Notes
    -----
    The global minimum, from a grid dense at both ends that is narrowed on its best point; to about
    1e-7.

    References
    ----------
    Derived here. The paper's Corollary 2 concludes the same from another expansion.

    Examples
    --------
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(100, 0.01))
    >>> mixture = Mixture(Spectrum.isotropic(100), np.ones(100), shift, 10**6, 10**6, 0, 0.5, 0.5)
    >>> round(optimal_weight(mixture) / (5e-5 * 0.25 / 0.5), 2)
    1.0
    """
    require("mixture", mixture, Mixture)
    for name in ("n_real", "n_synthetic"):
        if getattr(mixture, name) == 0:
            raise ValueError(f"mixture must have {name} >= 1 for a weight to be optimal, got 0")

    def total(weights: Array) -> Array:
        mixtures = [replace(mixture, synthetic_weight=float(np.clip(w, 0, 1))) for w in weights]
        return np.array([excess_risk(one).total for one in mixtures])

    small = np.geomspace(1e-9, 0.5, 60)
    best, _, _ = _narrowed(total, np.r_[0.0, small, 1.0 - small[-2::-4], 1.0])
    return best


def _narrowed(risk: Callable[[Array], Array], points: Array) -> tuple[float, float, bool]:
    """Minimise on a grid, then on finer and finer ones; whether the last point of all is best."""
    values = risk(points)
    at_end = int(np.argmin(values)) == points.size - 1
    while True:
        best = int(np.argmin(values))
        low, high = points[max(best - 1, 0)], points[min(best + 1, points.size - 1)]
        if high - low <= 1e-9 * max(abs(high), abs(low), 1e-6):
            return float(points[best]), float(values[best]), at_end
        finer = np.linspace(low, high, 25)
        finer[np.argmin(np.abs(finer - points[best]))] = points[best]
        points, values = finer, risk(finer)


def _weighted_limit(
    mixture: Mixture, samples: Array, widths: Array, fraction: Array, penalty: Array
) -> tuple[Array, Array, Array, Array, Array]:
    alpha, values = mixture.synthetic_weight, mixture.spectrum.eigenvalues
    assert alpha is not None  # noqa: S101 - for the type checker; callers ask
    parts = np.empty((5, samples.size))
    for i, (n, m, p2) in enumerate(zip(samples, widths, fraction, strict=True)):
        if (p2 == 0.0 and alpha > 0.0) or (p2 == 1.0 and alpha < 1.0):
            raise ValueError(
                "synthetic_fraction must leave samples to each kind that has a weight, "
                f"got {p2} with synthetic_weight = {alpha}"
            )
        if np.isinf(n):  # the population loss has the shares of the weights
            point = (samples[i], widths[i], alpha, penalty[i])
            at = _limit(mixture, *(np.array([float(value)]) for value in point))
            parts[:, i] = [part[0] for part in at]
            continue
        real = Group(0, values, None, (1.0 - alpha) / (1.0 - p2 or 1.0), mixture.noise_std_real)
        synthetic = Group(
            0, values, mixture.shift, alpha / (p2 or 1.0), mixture.noise_std_synthetic
        )
        counts = np.array([(1.0 - p2) * n, p2 * n])
        parts[:, i] = limit(
            (real, synthetic),
            counts,
            mixture.target,
            values,
            ridge=float(penalty[i]),
            width=float(m),
        )
    bias, variance, collapse, interference, total = parts
    return bias, variance, collapse, interference, total


def _count(name: str, value: ArrayLike) -> Array:
    """Whole numbers >= 1 or infinity."""
    try:
        raw = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must hold whole numbers >= 1 or inf, got {value!r}") from None
    wrong = ~((raw >= 1.0) & (np.isinf(raw) | (raw == np.floor(raw))))
    if wrong.any():
        raise ValueError(f"{name} must hold whole numbers >= 1 or inf, got {raw[wrong].ravel()[0]}")
    return raw


def _noise_variance(mixture: Mixture, fraction: float | Array) -> float | Array:
    real, synthetic = mixture.noise_std_real**2, mixture.noise_std_synthetic**2
    return (1.0 - fraction) * real + fraction * synthetic


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Quotient in which 0/0 is 0 and anything else over 0 is infinite, with its sign."""
    top, bottom = np.broadcast_arrays(numerator, denominator)
    result = np.where(top == 0.0, 0.0, np.copysign(np.inf, top))
    np.divide(top, bottom, out=result, where=bottom > 0.0)
    return result


def _left(count: Array, size: float, learned: Array, missing: Array) -> Array:
    """``1 - learned / count``, where ``learned + missing = size``, without cancellation."""
    above = np.where(np.isinf(count), 0.0, count - size)
    direct = np.where(np.isinf(count), 1.0, 1.0 - learned / count)
    return np.where((above >= 0.0) & np.isfinite(count), (above + missing) / count, direct)


def _roots(spectrum: Spectrum, samples: Array, widths: Array, penalty: Array) -> Array:
    size = float(spectrum.n_features)
    fewest = np.minimum(samples, widths)
    lower = np.zeros(samples.size)
    short = fewest < size
    if short.any():
        counts, where = np.unique(fewest[short], return_inverse=True)
        lower[short] = np.asarray(kappa(spectrum, counts, 0.0))[where]
    root = lower.copy()
    open_points = np.flatnonzero(penalty > 0.0)
    nodes, weights = spectrum.measure
    step = max(1, _BLOCK // nodes.size)
    for start in range(0, open_points.size, step):
        here = open_points[start : start + step]
        root[here] = _bracketed(
            nodes, weights[0], size, samples[here], widths[here], penalty[here], lower[here]
        )
    return root


def _bracketed(
    nodes: Array,
    weights: Array,
    size: float,
    samples: Array,
    widths: Array,
    penalty: Array,
    lower: Array,
) -> Array:
    """Newton's method on the logarithm of both sides, kept inside a bracket by bisection."""
    low = np.maximum(lower, penalty)
    high = penalty + (nodes @ weights) * (1.0 / samples + 1.0 / widths)
    high = np.maximum(high, low)
    root = high.copy()
    both = np.column_stack([nodes * weights, weights])
    left = np.arange(root.size)  # points that have not settled
    for _ in range(_MAX_ITERATIONS):
        here, n, m, goal = root[left], samples[left], widths[left], penalty[left]
        inverse = 1.0 / (nodes + here[:, None])
        learned, missing = (inverse @ both).T  # df1, and d - df1 over the root
        missing *= here
        slope = here * (np.square(inverse, out=inverse) @ both[:, 0])
        of_samples, of_width = _left(n, size, learned, missing), _left(m, size, learned, missing)
        value = here * of_samples * of_width
        inside = (of_samples > 0.0) & (of_width > 0.0)
        above = inside & (value >= goal)
        high[left] = np.where(above, here, high[left])
        low[left] = np.where(above, low[left], here)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = 1.0 + slope / (n * of_samples) + slope / (m * of_width)
            moved = here * np.exp(-np.log(value / goal) / rate)
        least, most = low[left], high[left]
        usable = inside & np.isfinite(moved) & (moved > least) & (moved < most)
        settled = np.abs(np.where(inside, moved, np.inf) - here) <= 4e-16 * here
        going = ~settled & (most - least > 4e-16 * most)
        root[left[going]] = np.where(usable, moved, np.sqrt(least * most))[going]
        left = left[going]
        if left.size == 0:
            break
    return root


def _limit(
    mixture: Mixture, samples: Array, widths: Array, fraction: Array, penalty: Array
) -> tuple[Array, Array, Array, Array, Array]:
    spectrum = mixture.spectrum
    size = float(spectrum.n_features)
    shift_of, cross = mixture.shift, np.zeros_like(mixture.target)
    if isinstance(shift_of, FixedShift):
        cross = mixture.target * shift_of.coordinates
    nodes, weights = spectral_measure(
        spectrum, np.ones_like(mixture.target), mixture.target**2, shift_of.square, cross
    )
    ones = weights[0]
    signal, shift, mixed = weights[1:] * nodes  # each coordinate's share of tr Sigma (.)
    theta = _roots(spectrum, samples, widths, penalty)
    bias, variance, collapse, interference = (np.empty(theta.size) for _ in range(4))
    step = max(1, _BLOCK // nodes.size)
    for start in range(0, theta.size, step):
        here = slice(start, start + step)
        n, m, p2 = samples[here], widths[here], fraction[here]
        p1 = 1.0 - p2
        total = nodes + theta[here, None]
        kept, rest = nodes / total, theta[here, None] / total
        both = (kept * rest).T
        learned, unlearned = (kept**2).T, (rest**2).T
        second, between = ones @ learned, ones @ both  # df2, df1 - df2
        missing = (rest * (1.0 + kept)) @ ones  # d - df2
        # 1 - rho = (df1 - df2) / (m - df2);  D = df2 + (1 - rho) (df1 - df2)
        lost = _ratio(between / m, _left(m, size, second, missing))
        spread = second + lost * between
        # 1 - D / n, and u = D / n over it
        slack = np.maximum(_left(n, size, second, missing) - lost * between / n, 0.0)
        slack[_at_pole(n, m, size, penalty[here])] = 0.0
        load = spread / n

        clean = signal @ unlearned + lost * (signal @ both)
        bias[here] = clean + _ratio(load * clean, slack)
        variance[here] = _ratio(np.asarray(_noise_variance(mixture, p2)) * load, slack)
        through, around = shift @ learned, lost * (shift @ both)
        # (p1 Sigma + theta)^2 (Sigma + theta)^-2 in terms of kept and rest
        jitter = p1**2 * through + 2.0 * p1 * (shift @ both) + shift @ unlearned
        collapse[here] = p2**2 * (through + around) + _ratio(
            load * p2 * (p2 * (p1 * through + around) + jitter), slack
        )
        # exactly zero for a random shift, whose cross density is zero
        crossed = mixed @ both
        inflated = _ratio(2.0 * p2 * load * (lost * crossed + mixed @ unlearned), slack)
        interference[here] = 2.0 * p2 * (lost - 1.0) * crossed + inflated
    total_risk = bias + variance + collapse
    finite = np.isfinite(total_risk)
    total_risk[finite] += interference[finite]
    return bias, variance, collapse, interference, total_risk


def _at_pole(samples: Array, widths: Array, size: float, penalty: Array) -> NDArray[np.bool_]:
    return np.asarray((penalty == 0.0) & (samples == np.minimum(widths, size)))
