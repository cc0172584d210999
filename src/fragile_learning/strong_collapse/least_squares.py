r"""Least squares on a mixture: the exact law at finite size, and rounds of relabelling.

Without ridge and projection nothing depends on the feature covariance: whitening the inputs turns
any problem into one with independent features. `fragile_learning.strong_collapse.theory` re-exports
the two functions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import real_number, whole_number
from fragile_learning.strong_collapse.mixture import Mixture, MixtureRisk, require

__all__ = ["checked_iteration", "exact_excess_risk", "iterate_mixing", "marchenko_pastur"]

Array = NDArray[np.float64]


def exact_excess_risk(mixture: Mixture) -> MixtureRisk:
    r"""Give the expected risk of least squares on a mixture, at finite size and any spectrum.

    With :math:`n > d + 1` samples and :math:`J = (n-2)(d+2)/((n+2)(n-d-1))`,

    .. math::

        V = \sigma^2 \frac{d}{n-d-1}, \qquad
        \zeta = c^2 \Big[p_2^2 + p_1p_2\,\frac{nJ - 1}{n-1}\Big], \qquad
        c^2 = \mathrm{tr}\,\Sigma\Delta .

    Parameters
    ----------
    mixture : Mixture
        Without ridge, projection and weight, ``n_samples > n_features + 1``.

    Returns
    -------
    MixtureRisk of float
        Bias and interference are zero.

    Raises
    ------
    TypeError
        If ``mixture`` is not a `Mixture`.
    ValueError
        If it has a ridge, a width or a weight, or too few samples.

    References
    ----------
    Derived here: the rotation of the whitened samples is uniform and independent of their Wishart
    matrix, so that two moments of a random projection are all that is needed.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(12, 1 / 12))
    >>> mixture = Mixture(Spectrum.isotropic(12), np.ones(12), shift, 27, 13)
    >>> round(exact_excess_risk(mixture).collapse, 6)
    0.205556
    """
    require("mixture", mixture, Mixture)
    n, d = mixture.n_samples, mixture.spectrum.n_features
    if mixture.ridge > 0.0 or mixture.width is not None or mixture.synthetic_weight is not None:
        raise ValueError(
            "mixture must have ridge = 0, width = None and synthetic_weight = None for an exact "
            f"law, got {mixture.ridge}, {mixture.width} and {mixture.synthetic_weight}"
        )
    if n <= d + 1:
        raise ValueError(
            "mixture must have n_samples > n_features + 1 for an exact law, "
            f"got n_samples = {n}, n_features = {d}"
        )
    synthetic = mixture.synthetic_fraction
    noise = (1.0 - synthetic) * mixture.noise_std_real**2
    noise += synthetic * mixture.noise_std_synthetic**2
    variance = noise * d / (n - d - 1)
    collapse = mixture.shift_size * _kept(n, d, mixture.n_synthetic)
    return MixtureRisk(0.0, variance, collapse, 0.0, variance + collapse)


def _kept(n: int, d: int, k: int) -> float:
    """Share of the synthetic teacher's squared error that least squares takes over."""
    inflation = n * (n - 2) * (d + 2) / ((n + 2) * (n - d - 1))
    p2 = k / n
    return p2**2 + p2 * (1.0 - p2) * (inflation - 1.0) / (n - 1)


def iterate_mixing(
    mixture: Mixture,
    n_rounds: int,
    *,
    initial_error: float | None = None,
    reuse_real: bool = False,
) -> Array:
    r"""Excess risk after each round of mixing real samples with those of the last model.

    *Fresh* real samples every round: with the variance ``V`` and the share ``K`` of the last
    model's error that one round keeps (`exact_excess_risk`), both exact at finite size,

    .. math:: E_t = V + K E_{t-1} .

    *Reused* real samples, with new synthetic inputs every round: let ``x`` follow the law of the
    eigenvalues of the real samples' whitened Gram matrix over ``n`` (Marchenko-Pastur),
    :math:`c = p_2(1-\phi)`, and ``< >`` its mean. From :math:`g_0 = 1`,

    .. math::

        g_{s+1} = c_s' \Big(\frac{x}{x+c}\Big)^2 + \frac{c^2 g_s}{(x+c)^2}, \qquad
        c_s' = \frac{q \langle g_s/(x+c)^2\rangle}{1 - q\langle (x+c)^{-2}\rangle}, \qquad
        q = \frac{\phi c^2}{p_2},

        E_t = \sigma_1^2\phi\,\Big\langle \frac{1 - 2 (c/(x+c))^t + g_t}{x}\Big\rangle
          + E_0 \langle g_t\rangle + \sigma_2^2 \sum_{s<t} c_s' .

    Parameters
    ----------
    mixture : Mixture
        Its sizes and noise levels count. Without ridge, projection and weight.
    n_rounds : int
        >= 0.
    initial_error : float, optional
        Excess risk >= 0 of the model that labels the first round; the mixture's ``shift_size`` by
        default.
    reuse_real : bool
        Keep the real samples of the first round, labels included.

    Returns
    -------
    ndarray, shape (n_rounds + 1,)
        From the initial error on, in squared label units.

    Raises
    ------
    TypeError, ValueError
        If ``mixture`` is not a `Mixture`, has a ridge, width or weight or too few samples
        (fresh: ``n_samples > n_features + 1``; reused: ``n_real > n_features + 1``), or an argument
        is out of range.

    Notes
    -----
    For any feature covariance, and any direction of the first model's error. Fresh: exact. Reused:
    the large-size limit, relative error ``O(1/n_real)``. The limit of many rounds is *never* below
    the risk of the real samples alone if these are reused; if they are fresh it is
    ``V / (1 - K)``.

    References
    ----------
    Dohmatob, Feng, Subramonian, Kempe, 2025, on iterative mixing, to leading order and for fresh
    real samples; the exact recursion and the law for reused ones are derived here.

    Examples
    --------
    >>> from fragile_learning.spectra import Spectrum
    >>> from fragile_learning.strong_collapse import RandomShift
    >>> shift = RandomShift(np.full(40, 1 / 40))
    >>> half = Mixture(Spectrum.isotropic(40), np.ones(40), shift, 200, 200, 0.0, 0.5, 0.5)
    >>> iterate_mixing(half, 3).round(6).tolist()
    [1.0, 0.306258, 0.113118, 0.059348]
    >>> real_alone = 0.25 * 40 / (200 - 41)
    >>> bool(iterate_mixing(half, 30, reuse_real=True)[-1] > real_alone)
    True
    """
    rounds, start = checked_iteration(mixture, n_rounds, initial_error, reuse_real)
    if reuse_real:
        return _reused(mixture, rounds, start)
    variance = exact_excess_risk(mixture).variance
    kept = _kept(mixture.n_samples, mixture.spectrum.n_features, mixture.n_synthetic)
    errors = np.full(rounds + 1, start)
    for step in range(rounds):
        errors[step + 1] = variance + kept * errors[step]
    return errors


def checked_iteration(
    mixture: Mixture, n_rounds: int, initial_error: float | None, reuse_real: bool
) -> tuple[int, float]:
    """Check the arguments of `iterate_mixing`; the number of rounds and the first error.

    Examples
    --------
    >>> from fragile_learning.strong_collapse.settings import white_mixture
    >>> mixture = white_mixture(n_features=4, n_samples=40, n_synthetic=20, shift_size=0.5)
    >>> rounds, first = checked_iteration(mixture, 3, None, reuse_real=True)
    >>> rounds, round(first, 12)  # the shift is the first error
    (3, 0.5)
    """
    exact_excess_risk(mixture)  # checks the mixture
    d = mixture.spectrum.n_features
    if reuse_real and mixture.n_real <= d + 1:
        raise ValueError(
            f"mixture must have n_real > n_features + 1 = {d + 1} to reuse its real samples, "
            f"got {mixture.n_real}"
        )
    rounds = whole_number("n_rounds", n_rounds, minimum=0)
    if initial_error is None:
        return rounds, mixture.shift_size
    return rounds, real_number("initial_error", initial_error, minimum=0.0)


def _reused(mixture: Mixture, rounds: int, start: float) -> Array:
    d, n = mixture.spectrum.n_features, mixture.n_samples
    phi, p2 = d / n, mixture.synthetic_fraction
    x, weights = marchenko_pastur(d / mixture.n_real)
    x = (1.0 - p2) * x
    c = p2 * (1.0 - phi)
    pull = c / (x + c)  # what a round keeps of the last model's error, on average
    q = phi * p2 * (1.0 - phi) ** 2  # phi c^2 / p2
    spread = 1.0 - q * float(weights @ (x + c) ** -2)
    g, noise = np.ones_like(x), 0.0
    errors = np.full(rounds + 1, start)
    for step in range(1, rounds + 1):
        gain = q * float(weights @ (g / (x + c) ** 2)) / spread
        noise += mixture.noise_std_synthetic**2 * gain
        g = gain * (1.0 - pull) ** 2 + pull**2 * g
        own = phi * float(weights @ ((1.0 - 2.0 * pull**step + g) / x))
        errors[step] = mixture.noise_std_real**2 * own + start * float(weights @ g) + noise
    return errors


def marchenko_pastur(aspect_ratio: float) -> tuple[Array, Array]:
    r"""Nodes and weights for means over the Marchenko-Pastur law.

    The law of the eigenvalues of :math:`X^\top X/T` for white features, in the limit. Gauss
    quadrature: exact for polynomials up to a high degree.

    Parameters
    ----------
    aspect_ratio : float
        :math:`\phi = d/T` in (0, 1).

    Returns
    -------
    nodes, weights : ndarray
        The weights sum to 1.

    Raises
    ------
    TypeError, ValueError
        If the ratio is out of range.

    Examples
    --------
    >>> nodes, weights = marchenko_pastur(0.25)
    >>> float(weights @ nodes).__round__(12), float(weights @ (1 / nodes)).__round__(12)
    (1.0, 1.333333333333)
    """
    phi = real_number(
        "aspect_ratio", aspect_ratio, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
    )
    count = int(min(100.0 - 50.0 / np.log(phi), 1e5))
    angle = np.pi * np.arange(1, count + 1) / (count + 1)
    nodes = 1.0 + phi + 2.0 * np.sqrt(phi) * np.cos(angle)
    return nodes, 2.0 * np.sin(angle) ** 2 / ((count + 1) * nodes)
