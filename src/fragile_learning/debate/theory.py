r"""Errors of models that learn from models, by what happens to the data.

Generation 1 is fitted to real data. Each later generation sees, besides what its workflow keeps,
samples that the model before it has drawn. A function returns the course over the generations
1, 2, ..., ``n_generations`` as an array, so that the last entry is the last model's.

Errors of regressions and means are in units of *one fit*: the error of a model that is fitted
once to one generation's worth of real data, :func:`one_fit`. Everything here is derived in the
book's chapter on the debate, and holds at any size unless the docstring says "limit".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, ndtr, polygamma

from fragile_learning._validation import choice, real_number, whole_number

__all__ = [
    "ACCUMULATE_LIMIT",
    "EXACT_WORKFLOWS",
    "SUBSAMPLE_LIMIT",
    "WORKFLOWS",
    "GaussianCourse",
    "accumulate_new_designs",
    "accumulate_new_designs_limit",
    "accumulate_shared_design",
    "accumulated_variance_limit",
    "best_weight",
    "disagreement_gain",
    "family_error",
    "family_error_limit",
    "fresh_real",
    "gap_mass",
    "gaussian_chain",
    "kept_real",
    "kernel_steps",
    "log_variance_drift",
    "one_fit",
    "pooled_least_squares",
    "pooled_weight",
    "replace",
    "retraining_rate",
    "sample_variance_of_kernel_chain",
    "smoothed_variance",
    "stationary_error",
    "subsample",
    "typical_variance",
    "valley_ratio",
    "workflow_error",
]

Array = NDArray[np.float64]
Chain = Literal["replace", "accumulate"]

CHAINS = ("replace", "accumulate")
WORKFLOWS = (
    "replace",
    "accumulate, one design",
    "accumulate, new designs",
    "accumulate, subsample",
    "real kept, pooled",
    "real fresh, pooled",
    "real fresh, best weight",
    "real fresh, alone",
)
"""The workflows that `workflow_error` knows."""

EXACT_WORKFLOWS = (
    "replace",
    "accumulate, one design",
    "accumulate, new designs",
    "real fresh, pooled",
    "real fresh, alone",
)
"""Those whose law for least squares is exact at any size; the others are limits for d << T."""

ACCUMULATE_LIMIT = float(np.pi**2 / 6.0)
"""Error after infinitely many generations that accumulate, in units of one fit; 1.645."""

SUBSAMPLE_LIMIT = float(np.pi**2 / 2.0 - 2.0)
"""The same if each generation sees a random part of constant, large size of all data; 2.935."""


def _generations(n_generations: int) -> Array:
    return np.arange(1.0, whole_number("n_generations", n_generations) + 1.0)


def _sizes(n_samples: int, n_features: int) -> tuple[int, int]:
    features = whole_number("n_features", n_features)
    return whole_number("n_samples", n_samples, minimum=features + 2), features


# --- least squares ----------------------------------------------------------------------------


def one_fit(n_samples: int, n_features: int, *, noise_std: float = 1.0) -> float:
    r"""Excess risk of one least-squares fit to real data: :math:`\sigma^2 d/(T - d - 1)`.

    Parameters
    ----------
    n_samples : int
        Rows :math:`T` of a Gaussian design of any covariance; at least ``n_features + 2``, since
        the expectation is infinite below.
    n_features : int
        Columns :math:`d`.
    noise_std : float
        Of the labels, >= 0.

    Returns
    -------
    float
        In squared label units, without the noise of the test labels.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> round(one_fit(60, 8), 4)
    0.1569
    """
    samples, features = _sizes(n_samples, n_features)
    return (
        real_number("noise_std", noise_std, minimum=0.0) ** 2 * features / (samples - features - 1)
    )


def replace(n_generations: int) -> Array:
    r"""Error if each generation is fitted to the newest synthetic data alone: :math:`n`.

    Parameters
    ----------
    n_generations : int
        At least 1.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit.

    Raises
    ------
    TypeError, ValueError
        If ``n_generations`` is not a positive integer.

    Notes
    -----
    Exact for least squares with any Gaussian designs, shared or new, and for a mean.

    Examples
    --------
    >>> replace(3)
    array([1., 2., 3.])
    """
    return _generations(n_generations)


def accumulate_shared_design(n_generations: int) -> Array:
    r"""Error if data accumulate and all generations share one design: :math:`\sum_{i\le n} i^{-2}`.

    Parameters
    ----------
    n_generations : int
        At least 1.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit; tends to `ACCUMULATE_LIMIT`.

    Raises
    ------
    TypeError, ValueError
        If ``n_generations`` is not a positive integer.

    Notes
    -----
    Exact for any design of full rank, and for a mean.

    Examples
    --------
    >>> float(accumulate_shared_design(12)[-1].round(4))
    1.565
    """
    return np.cumsum(_generations(n_generations) ** -2.0)


def accumulate_new_designs(n_generations: int, n_samples: int, n_features: int) -> Array:
    r"""Error if data accumulate and each generation draws a design of its own.

    .. math:: \sum_{i=1}^n \frac{T - d - 1}{i\,(iT - d - 1)}

    Parameters
    ----------
    n_generations : int
        At least 1.
    n_samples, n_features : int
        :math:`T \ge d + 2` rows in each generation, and :math:`d`.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit. Below `accumulate_shared_design` from the second generation on.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for Gaussian designs of any covariance: all data so far are better conditioned than one
    generation's.

    Examples
    --------
    >>> float(accumulate_new_designs(12, 60, 8)[-1].round(4))
    1.5073
    """
    i = _generations(n_generations)
    samples, features = _sizes(n_samples, n_features)
    gap = features + 1.0
    return np.cumsum((samples - gap) / (i * (i * samples - gap)))


def accumulate_new_designs_limit(n_samples: int, n_features: int) -> float:
    r"""Limit of `accumulate_new_designs` for many generations.

    With :math:`a = (d+1)/T` it is :math:`-\frac{1-a}{a}(\gamma + \psi(1-a))`, :math:`\psi` the
    digamma function and :math:`\gamma` Euler's constant.

    Parameters
    ----------
    n_samples, n_features : int
        :math:`T \ge d + 2` rows in each generation, and :math:`d`.

    Returns
    -------
    float
        In units of one fit: between 1 (:math:`T` near :math:`d + 1`) and `ACCUMULATE_LIMIT`
        (:math:`T \gg d`).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> round(accumulate_new_designs_limit(60, 8), 4), round(accumulate_new_designs_limit(11, 9), 4)
    (1.5756, 1.086)
    """
    samples, features = _sizes(n_samples, n_features)
    share = (features + 1.0) / samples
    return float(-(1.0 - share) / share * (np.euler_gamma + digamma(1.0 - share)))


def subsample(n_generations: int, n_samples: int | None = None) -> Array:
    r"""Error if data accumulate and each generation sees a random part of constant size.

    The pool grows by :math:`T` synthetic samples a generation; each generation is fitted to
    :math:`T` of them, drawn without replacement from all :math:`nT`.

    Parameters
    ----------
    n_generations : int
        At least 1.
    n_samples : int, optional
        :math:`T \ge 2`; None for the limit of large :math:`T`, which tends to
        `SUBSAMPLE_LIMIT`.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for a mean. For least squares a limit, for :math:`d \ll T`: there is a level if
    `disagreement_gain` is below 1, higher than here, and none if it is above.

    Examples
    --------
    >>> subsample(4).round(4)
    array([1.    , 1.75  , 2.0833, 2.2708])
    >>> float(subsample(10_000)[-1].round(3)), round(SUBSAMPLE_LIMIT, 3)
    (2.934, 2.935)
    """
    count = whole_number("n_generations", n_generations)
    inverse = 0.0 if n_samples is None else 1.0 / whole_number("n_samples", n_samples, minimum=2)
    pool, error, past = 1.0, 1.0, 0.0  # squared errors of the pool's mean and of the model
    course = [error]
    for n in range(2, count + 1):
        past += error
        pool += (error - pool + 1.0) / n**2
        spread = (1.0 + inverse * (past / n - pool)) / (1.0 - inverse / n)
        error = pool + (1.0 - 1.0 / n) * spread
        course.append(error)
    return np.array(course)


def disagreement_gain(n_samples: int, n_features: int) -> float:
    r"""How much of its teachers' disagreement ends in a least-squares fit.

    Each row has a teacher of its own, off by :math:`\delta_i` from the mean of all teachers,
    independently and in no direction more than in another. The fit is off by
    :math:`\kappa\, \mathbb{E} \lVert \delta \rVert^2` for that,

    .. math:: \kappa = \frac{1}{T + 2} \Big( \frac{dT - 2}{T - d - 1} + 2 \Big) .

    Below 1 if and only if :math:`T > 2d`: then a fit disagrees less with the mean teacher than
    the teachers do.

    Parameters
    ----------
    n_samples, n_features : int
        :math:`T \ge d + 2` rows and :math:`d` columns of one fit.

    Returns
    -------
    float
        Positive; near :math:`(d + 2)/T` for :math:`T \gg d`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for Gaussian designs whose covariance is that by which errors are measured. Derived in
    the book's chapter on the debate, which also tells what follows for `subsample`.

    Examples
    --------
    >>> round(disagreement_gain(60, 8), 3), round(disagreement_gain(10, 6), 3)
    (0.183, 1.778)
    """
    samples, features = _sizes(n_samples, n_features)
    return ((features * samples - 2.0) / (samples - features - 1.0) + 2.0) / (samples + 2.0)


def _weight(weight: float) -> float:
    return real_number("weight", weight, minimum=0.0, maximum=1.0, open_minimum=True)


def _ratio(ratio: float) -> float:
    return real_number("ratio", ratio, minimum=0.0, open_minimum=True)


def stationary_error(weight: float, ratio: float) -> float:
    r"""Error in the long run with fresh real data in every generation.

    .. math:: V_\infty = \frac{w^2 + k (1-w)^2}{w (2-w)}

    Parameters
    ----------
    weight : float
        :math:`w \in (0, 1]` of the real samples' loss; :math:`1 - w` is that of the synthetic.
    ratio : float
        :math:`k > 0`, real samples for each synthetic one.

    Returns
    -------
    float
        In units of one fit to the real data of one generation.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> round(stationary_error(0.5, 1.0), 4), round(stationary_error(best_weight(1.0), 1.0), 4)
    (0.6667, 0.618)
    """
    w, k = _weight(weight), _ratio(ratio)
    return (w**2 + k * (1.0 - w) ** 2) / (w * (2.0 - w))


def best_weight(ratio: float) -> float:
    r"""Weight of the real samples that makes `stationary_error` least.

    The root of :math:`w^2 + kw - k = 0`, :math:`(\sqrt{k^2 + 4k} - k)/2`; the error there is the
    weight itself.

    Parameters
    ----------
    ratio : float
        :math:`k > 0`, real samples for each synthetic one.

    Returns
    -------
    float
        In (0, 1); 0.618, the inverse golden ratio, at :math:`k = 1`.

    Raises
    ------
    TypeError, ValueError
        If ``ratio`` is out of range.

    Examples
    --------
    >>> round(best_weight(1.0), 4), round(best_weight(0.25), 4)
    (0.618, 0.3904)
    """
    k = _ratio(ratio)
    return 2.0 / (1.0 + float(np.sqrt(1.0 + 4.0 / k)))


def pooled_weight(ratio: float) -> float:
    r"""Weight of the real samples if all samples count alike: :math:`k/(1+k)`.

    Parameters
    ----------
    ratio : float
        :math:`k > 0`, real samples for each synthetic one.

    Raises
    ------
    TypeError, ValueError
        If ``ratio`` is out of range.

    Examples
    --------
    >>> pooled_weight(0.25)
    0.2
    """
    k = _ratio(ratio)
    return k / (1.0 + k)


def fresh_real(n_generations: int, weight: float, ratio: float) -> Array:
    r"""Error with fresh real data in each generation, weighted with the last model's samples.

    :math:`V_1 = 1` and :math:`V_t = V_\infty + (1-w)^{2(t-1)}(1 - V_\infty)`.

    Parameters
    ----------
    n_generations : int
        At least 1; generation 1 has real data alone.
    weight : float
        :math:`w \in (0, 1]` of the real samples' loss.
    ratio : float
        :math:`k > 0`, real samples for each synthetic one.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit to the real data of one generation.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for a mean. For least squares a limit, for :math:`d \ll T`; see `pooled_least_squares`.

    Examples
    --------
    >>> fresh_real(3, 0.5, 1.0)
    array([1.    , 0.75  , 0.6875])
    """
    past = _generations(n_generations) - 1.0
    level = stationary_error(weight, ratio)
    return level + (1.0 - _weight(weight)) ** (2.0 * past) * (1.0 - level)


def kept_real(n_generations: int, weight: float, ratio: float) -> Array:
    r"""Error if the first real data are kept and mixed with new synthetic data each time.

    .. math:: V_t = 1 + k\,\frac{q\,(1 - q^{t-1})}{1 - q}, \qquad q = (1-w)^2

    Parameters
    ----------
    n_generations : int
        At least 1; generation 1 has real data alone.
    weight : float
        :math:`w \in (0, 1]` of the real samples' loss.
    ratio : float
        :math:`k > 0`, real samples for each synthetic one.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit to the real data: never below 1, and bounded.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for a mean. For least squares a limit, for :math:`d \ll T`.

    Examples
    --------
    >>> kept_real(3, 0.5, 1.0)
    array([1.    , 1.25  , 1.3125])
    """
    past = _generations(n_generations) - 1.0
    shrink = (1.0 - _weight(weight)) ** 2
    return 1.0 + _ratio(ratio) * shrink * (1.0 - shrink**past) / (1.0 - shrink)


def pooled_least_squares(
    n_generations: int, *, n_real: int, n_synthetic: int, n_features: int
) -> Array:
    r"""Error of least squares on fresh real and synthetic samples that count alike.

    :math:`E_1 = \frac{d}{n-d-1}` and :math:`E_t = \frac{d}{N-d-1} + K E_{t-1}` in units of the
    noise, with :math:`N = n + m` and

    .. math::

        K = \frac{m(m+2)}{N(N+2)} + q\,\Big(\frac{dN-2}{N-d-1} - 1\Big), \qquad
        q = \frac{mn}{N(N-1)(N+2)} .

    Parameters
    ----------
    n_generations : int
        At least 1; generation 1 has real data alone.
    n_real, n_synthetic, n_features : int
        :math:`n \ge d + 2` fresh real and :math:`m \ge d` synthetic rows, :math:`d` columns.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit to the real data of one generation.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for Gaussian designs at any size. Tends to `fresh_real` with `pooled_weight` for
    :math:`d \ll n`.

    Examples
    --------
    >>> course = pooled_least_squares(40, n_real=1000, n_synthetic=1000, n_features=2)
    >>> float(course[-1].round(3))
    0.666
    """
    count = whole_number("n_generations", n_generations)
    real, features = _sizes(n_real, n_features)
    synthetic = whole_number("n_synthetic", n_synthetic, minimum=features)
    total = real + synthetic
    off = synthetic * real / (total * (total - 1.0) * (total + 2.0))
    kept = synthetic * (synthetic + 2.0) / (total * (total + 2.0))
    kept += off * ((features * total - 2.0) / (total - features - 1.0) - 1.0)
    added = (real - features - 1.0) / (total - features - 1.0)
    course = [1.0]
    for _ in range(count - 1):
        course.append(added + kept * course[-1])
    return np.array(course)


def workflow_error(workflow: str, n_generations: int, *, n_samples: int, n_features: int) -> Array:
    """Error of least squares under one of `WORKFLOWS`, with as many real as synthetic samples.

    Parameters
    ----------
    workflow : str
        One of `WORKFLOWS`.
    n_generations : int
        At least 1.
    n_samples, n_features : int
        Rows of each generation, at least ``n_features + 2``, and columns.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit. Exact for `EXACT_WORKFLOWS`, else the limit for few features.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> sizes = {"n_samples": 400, "n_features": 4}
    >>> for name in WORKFLOWS:
    ...     print(f"{name}: {workflow_error(name, 20, **sizes)[-1]:.3f}")
    replace: 20.000
    accumulate, one design: 1.596
    accumulate, new designs: 1.591
    accumulate, subsample: 2.788
    real kept, pooled: 1.333
    real fresh, pooled: 0.664
    real fresh, best weight: 0.618
    real fresh, alone: 1.000
    """
    choice("workflow", workflow, WORKFLOWS)
    samples, features = _sizes(n_samples, n_features)
    courses: dict[str, Callable[[int], Array]] = {
        "replace": replace,
        "accumulate, one design": accumulate_shared_design,
        "accumulate, new designs": lambda n: accumulate_new_designs(n, samples, features),
        "accumulate, subsample": subsample,
        "real kept, pooled": lambda n: kept_real(n, pooled_weight(1.0), 1.0),
        "real fresh, pooled": lambda n: pooled_least_squares(
            n, n_real=samples, n_synthetic=samples, n_features=features
        ),
        "real fresh, best weight": lambda n: fresh_real(n, best_weight(1.0), 1.0),
        "real fresh, alone": lambda n: fresh_real(n, 1.0, 1.0),
    }
    return courses[workflow](n_generations)


# --- families of one parameter ----------------------------------------------------------------


def _chain(workflow: str) -> str:
    return choice("workflow", workflow, CHAINS)


def family_error(workflow: Chain, n_generations: int, *, n_samples: int, curvature: float) -> Array:
    r"""Error of a mean that is estimated again and again, in families of quadratic variance.

    A family whose variance is a quadratic function :math:`V(\theta) = v_0 + v_1\theta +
    v_2\theta^2` of its mean: normal with known variance or Poisson (:math:`v_2 = 0`), exponential
    (:math:`v_2 = 1`), gamma of shape :math:`r` (:math:`1/r`), Bernoulli (:math:`-1`). Then

    .. math::

        \mathbb{E}(\theta_t - \theta_0)^2 = \frac{V(\theta_0)}{v_2}
        \Big[ \prod_{i=1}^t \Big( 1 + \frac{v_2}{n\,a_i} \Big) - 1 \Big],

    :math:`a_i = i^2` if data accumulate and 1 if they are replaced.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
    n_generations : int
        At least 1.
    n_samples : int
        :math:`n` in each generation.
    curvature : float
        :math:`v_2 \ge -1`.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of one fit, :math:`V(\theta_0)/n`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> family_error("accumulate", 3, n_samples=10, curvature=0.0).round(4)
    array([1.    , 1.25  , 1.3611])
    >>> family_error("replace", 3, n_samples=10, curvature=1.0).round(4)
    array([1.  , 2.1 , 3.31])
    """
    i = _generations(n_generations)
    samples = whole_number("n_samples", n_samples)
    v2 = real_number("curvature", curvature, minimum=-1.0)
    steps = 1.0 / i**2 if _chain(workflow) == "accumulate" else np.ones_like(i)
    # a sum over the generations: no cancellation for small curvature
    growth = np.cumprod(1.0 + v2 * steps / samples)
    return np.cumsum(steps * np.r_[1.0, growth[:-1]])


def family_error_limit(*, n_samples: int, curvature: float) -> float:
    r"""Limit of `family_error` for many generations that accumulate.

    :math:`\frac{n}{v_2}\big(\frac{\sinh x}{x} - 1\big)` with :math:`x = \pi\sqrt{v_2/n}`, with the
    sine of :math:`\pi\sqrt{-v_2/n}` for :math:`v_2 < 0`.

    Parameters
    ----------
    n_samples : int
        In each generation.
    curvature : float
        :math:`v_2 \ge -1`.

    Returns
    -------
    float
        In units of one fit. Above :math:`\pi^2/6` for :math:`v_2 > 0`, and tends to it for large
        :math:`n`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> [round(family_error_limit(n_samples=5, curvature=v), 3) for v in (-1.0, 0.0, 1.0)]
    [1.49, 1.645, 1.815]
    """
    samples = whole_number("n_samples", n_samples)
    square = np.pi**2 * real_number("curvature", curvature, minimum=-1.0) / samples
    if abs(square) < 1e-3:  # the series: no cancellation
        return float(np.pi**2 * (1.0 / 6.0 + square / 120.0 + square**2 / 5040.0))
    x = np.sqrt(abs(square))
    product = np.sinh(x) / x if square > 0 else np.sin(x) / x
    return float(np.pi**2 * (product - 1.0) / square)


# --- the Gaussian chain -----------------------------------------------------------------------


class GaussianCourse(NamedTuple):
    """Expected variance and squared error of the mean of each generation of a Gaussian chain.

    Attributes
    ----------
    variance, mean_error : ndarray, shape (n_generations,)
        In units of the real law's variance.

    Examples
    --------
    >>> gaussian_chain("replace", 2, n_samples=4)
    GaussianCourse(variance=array([1., 1.]), mean_error=array([0.25, 0.5 ]))
    """

    variance: Array
    mean_error: Array


def gaussian_chain(
    workflow: Chain, n_generations: int, *, n_samples: int, unbiased: bool = True
) -> GaussianCourse:
    r"""Return the course of a normal law that is fitted to its own samples again and again.

    The factor by which generation :math:`i` multiplies the expected variance is

    - replace: 1 with the unbiased estimate, :math:`1 - 1/n` with maximum likelihood;
    - accumulate: :math:`1 - \frac{1}{i(ni-1)}` for :math:`i \ge 2` with the unbiased one,
      :math:`1 - \frac{1}{ni^2}` with maximum likelihood.

    The mean gets :math:`\mathbb{E}\sigma_{i-1}^2/n` in each, over :math:`i^2` if data accumulate.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
    n_generations : int
        At least 1.
    n_samples : int
        :math:`n \ge 2` in each generation.
    unbiased : bool
        Whether the variance estimate is divided by one less than the number of samples.

    Returns
    -------
    GaussianCourse

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> course = gaussian_chain("accumulate", 40, n_samples=5, unbiased=False)
    >>> [float(part[-1].round(4)) for part in course]
    [0.7055, 0.2945]
    """
    i = _generations(n_generations)
    n = whole_number("n_samples", n_samples, minimum=2)
    accumulates = _chain(workflow) == "accumulate"
    if not accumulates:
        factors = np.full(i.size, 1.0 if unbiased else 1.0 - 1.0 / n)
    elif unbiased:
        factors = 1.0 - np.r_[0.0, 1.0 / (i[1:] * (n * i[1:] - 1.0))]
    else:
        factors = 1.0 - 1.0 / (n * i**2)
    variance = np.cumprod(factors)
    steps = np.r_[1.0, variance[:-1]] / n
    return GaussianCourse(variance, np.cumsum(steps / i**2 if accumulates else steps))


def accumulated_variance_limit(n_samples: int, *, unbiased: bool = True) -> float:
    r"""Limit of the expected variance of a Gaussian chain that accumulates.

    :math:`\sin(x)/x`, :math:`x = \pi/\sqrt n`, with maximum likelihood; with the unbiased estimate
    :math:`\Gamma(2-\frac1n)/[\Gamma(2-r_+)\Gamma(2-r_-)]`, :math:`r_\pm` the roots of
    :math:`nr^2 - r - 1`.

    Parameters
    ----------
    n_samples : int
        :math:`n \ge 2` in each generation.
    unbiased : bool
        Whether the variance estimate is divided by one less than the number of samples.

    Returns
    -------
    float
        In units of the real law's variance.

    Raises
    ------
    TypeError, ValueError
        If ``n_samples`` is out of range.

    Examples
    --------
    >>> round(accumulated_variance_limit(5, unbiased=False), 4)
    0.702
    >>> round(accumulated_variance_limit(5), 4)
    0.8695
    """
    n = whole_number("n_samples", n_samples, minimum=2)
    if not unbiased:
        x = np.pi / np.sqrt(n)
        return float(np.sin(x) / x)
    half = np.sqrt(1.0 + 4.0 * n)
    roots = (1.0 + half) / (2.0 * n), (1.0 - half) / (2.0 * n)
    return float(np.exp(gammaln(2.0 - 1.0 / n) - gammaln(2.0 - roots[0]) - gammaln(2.0 - roots[1])))


def log_variance_drift(n_samples: int, *, unbiased: bool = True) -> tuple[float, float]:
    r"""Mean and variance of the change of the log variance in a generation that replaces.

    The variance is multiplied by independent :math:`\chi^2_{n-1}/(n-1)`, or :math:`/n`: the mean
    is :math:`\psi(\frac{n-1}{2}) + \log\frac{2}{n-1} < 0`, the variance
    :math:`\psi'(\frac{n-1}{2})`.

    Parameters
    ----------
    n_samples : int
        :math:`n \ge 2` in each generation.
    unbiased : bool
        Whether the variance estimate is divided by one less than the number of samples.

    Returns
    -------
    mean, variance : float
        By the law of large numbers :math:`\frac1t \log\sigma_t^2` tends to the mean, almost
        surely.

    Raises
    ------
    TypeError, ValueError
        If ``n_samples`` is out of range.

    Examples
    --------
    >>> [round(value, 4) for value in log_variance_drift(11)]
    [-0.1033, 0.2213]
    """
    n = whole_number("n_samples", n_samples, minimum=2)
    half = 0.5 * (n - 1)
    mean = digamma(half) + np.log(2.0 / (n - 1 if unbiased else n))
    return float(mean), float(polygamma(1, half))


def typical_variance(n_generations: int, n_samples: int, *, unbiased: bool = True) -> Array:
    """Variance of a typical Gaussian chain that replaces: the exponential of its mean logarithm.

    Parameters
    ----------
    n_generations : int
        At least 1.
    n_samples : int
        At least 2 in each generation.
    unbiased : bool
        Whether the variance estimate is divided by one less than the number of samples.

    Returns
    -------
    ndarray, shape (n_generations,)
        In units of the real law's variance; for many generations the median.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> float(typical_variance(100, 11)[-1].round(8))
    3.26e-05
    """
    drift, _ = log_variance_drift(n_samples, unbiased=unbiased)
    return np.exp(drift * _generations(n_generations))


# --- two modes and a kernel -------------------------------------------------------------------


def kernel_steps(workflow: Chain, n_generations: int) -> Array:
    r"""Law of the number of kernel steps between a draw of the last model and a real sample.

    Generation 0 is real. The model of generation :math:`t` puts a kernel on each sample of
    generation :math:`t - 1` (replace) or of all generations before (accumulate), and generation
    :math:`t` is drawn from it. Replace: always :math:`t`. Accumulate: a sum of independent
    Bernoulli variables with the probabilities :math:`1, \frac12, \dots, \frac1t`.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
    n_generations : int
        At least 1.

    Returns
    -------
    ndarray, shape (n_generations + 1,)
        Probabilities of 0, 1, ... steps.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> kernel_steps("accumulate", 3)
    array([0.        , 0.33333333, 0.5       , 0.16666667])
    >>> kernel_steps("replace", 3)
    array([0., 0., 0., 1.])
    """
    count = whole_number("n_generations", n_generations)
    law = np.ones(1)
    accumulates = _chain(workflow) == "accumulate"
    for i in range(1, count + 1):
        step = 1.0 / i if accumulates else 1.0
        law = np.r_[law * (1.0 - step), 0.0] + np.r_[0.0, law * step]
    return law


def _bandwidth(bandwidth: float) -> float:
    return real_number("bandwidth", bandwidth, minimum=0.0, open_minimum=True)


def _two_modes(separation: float, spread: float) -> tuple[float, float]:
    return (
        real_number("separation", separation, minimum=0.0, open_minimum=True),
        real_number("spread", spread, minimum=0.0, open_minimum=True),
    )


def smoothed_variance(
    workflow: Chain, n_generations: int, *, variance: float, bandwidth: float
) -> Array:
    r"""Variance of a draw in a chain of kernel density estimates: about the real mean.

    :math:`v + t h^2` if data are replaced, :math:`v + h^2 \sum_{i\le t} 1/i` if they accumulate.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
    n_generations : int
        At least 1.
    variance : float
        :math:`v > 0` of the real law, whatever its shape.
    bandwidth : float
        :math:`h > 0`, the standard deviation of the kernel.

    Returns
    -------
    ndarray, shape (n_generations,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact at any number of samples, averaged over the chains.

    Examples
    --------
    >>> smoothed_variance("replace", 3, variance=1.0, bandwidth=0.5)
    array([1.25, 1.5 , 1.75])
    >>> smoothed_variance("accumulate", 3, variance=1.0, bandwidth=0.5).round(4)
    array([1.25  , 1.375 , 1.4583])
    """
    i = _generations(n_generations)
    start = real_number("variance", variance, minimum=0.0, open_minimum=True)
    steps = np.ones_like(i) if _chain(workflow) == "replace" else 1.0 / i
    return start + _bandwidth(bandwidth) ** 2 * np.cumsum(steps)


def sample_variance_of_kernel_chain(
    n_generations: int, *, n_samples: int, variance: float, bandwidth: float
) -> Array:
    r"""Return the expected variance *within* a generation of a kernel chain that replaces.

    With :math:`q = 1 - 1/n`, the probability that two samples have different parents,

    .. math:: v\,q^t + h^2 \sum_{i=0}^{t-1} q^i \;\to\; n h^2 .

    Parameters
    ----------
    n_generations : int
        At least 1.
    n_samples : int
        :math:`n \ge 2` in each generation.
    variance : float
        :math:`v > 0` of the real law, whatever its shape.
    bandwidth : float
        :math:`h > 0`, the standard deviation of the kernel.

    Returns
    -------
    ndarray, shape (n_generations,)
        Of the unbiased sample variance.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    The real law is forgotten after about :math:`n` generations: all samples then descend from one.

    Examples
    --------
    >>> course = sample_variance_of_kernel_chain(200, n_samples=20, variance=4.25, bandwidth=0.3)
    >>> float(course[-1].round(3))
    1.8
    """
    i = _generations(n_generations)
    n = whole_number("n_samples", n_samples, minimum=2)
    start = real_number("variance", variance, minimum=0.0, open_minimum=True)
    apart = 1.0 - 1.0 / n
    return start * apart**i + _bandwidth(bandwidth) ** 2 * n * (1.0 - apart**i)


def _over_steps(workflow: Chain, n_generations: int, values: Array) -> Array:
    """Average what depends on the number of kernel steps, for each generation."""
    return np.array(
        [
            float(kernel_steps(workflow, t) @ values[: t + 1])
            for t in range(1, whole_number("n_generations", n_generations) + 1)
        ]
    )


def gap_mass(
    workflow: Chain,
    n_generations: int,
    *,
    separation: float,
    spread: float,
    bandwidth: float,
    gap: float,
) -> Array:
    r"""Share of a kernel chain's draws between two real modes, where real data are rare.

    The real law is :math:`\frac12 N(-a, s^2) + \frac12 N(a, s^2)`; after :math:`k` kernel steps
    :math:`s^2` has become :math:`s^2 + kh^2`, and a share of
    :math:`\Phi\big(\frac{g+a}{\cdot}\big) - \Phi\big(\frac{a-g}{\cdot}\big)` lies in
    :math:`[-g, g]`.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
    n_generations : int
        At least 1.
    separation, spread : float
        :math:`a > 0` and :math:`s > 0`.
    bandwidth : float
        :math:`h > 0`, the standard deviation of the kernel.
    gap : float
        :math:`g > 0`, half of the gap's width.

    Returns
    -------
    ndarray, shape (n_generations,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> sizes = {"separation": 2.0, "spread": 0.5, "bandwidth": 0.3, "gap": 0.5}
    >>> gap_mass("replace", 3, **sizes).round(4)
    array([0.005 , 0.011 , 0.0185])
    >>> gap_mass("accumulate", 3, **sizes).round(4)
    array([0.005 , 0.008 , 0.0103])
    """
    a, s = _two_modes(separation, spread)
    g = real_number("gap", gap, minimum=0.0, open_minimum=True)
    steps = np.r_[0.0, _generations(n_generations)]
    width = np.sqrt(s**2 + steps * _bandwidth(bandwidth) ** 2)
    return _over_steps(workflow, n_generations, ndtr((g + a) / width) - ndtr((a - g) / width))


def valley_ratio(
    workflow: Chain, n_generations: int, *, separation: float, spread: float, bandwidth: float
) -> Array:
    r"""Density of a kernel chain's draws midway between two real modes, over that at their places.

    Far below 1 while the modes stand apart; above 1 where they were there is no peak any more. If
    data are replaced there is one mode from generation :math:`(a^2 - s^2)/h^2` on.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
    n_generations : int
        At least 1.
    separation, spread : float
        :math:`a > 0` and :math:`s > 0`: the real law is
        :math:`\frac12 N(-a, s^2) + \frac12 N(a, s^2)`.
    bandwidth : float
        :math:`h > 0`, the standard deviation of the kernel.

    Returns
    -------
    ndarray, shape (n_generations,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> sizes = {"separation": 2.0, "spread": 0.5, "bandwidth": 0.5}
    >>> valley_ratio("replace", 15, **sizes)[[0, 4, 14]].round(3)
    array([0.037, 0.525, 1.068])
    """
    a, s = _two_modes(separation, spread)
    steps = np.r_[0.0, _generations(n_generations)]
    variance = s**2 + steps * _bandwidth(bandwidth) ** 2
    valley = np.exp(-(a**2) / (2.0 * variance)) / np.sqrt(variance)
    mode = 0.5 * (1.0 + np.exp(-2.0 * a**2 / variance)) / np.sqrt(variance)
    return _over_steps(workflow, n_generations, valley) / _over_steps(workflow, n_generations, mode)


# --- retraining with infinite data ------------------------------------------------------------


def retraining_rate(synthetic_ratio: float, information_ratio: float = 1.0) -> float:
    r"""Factor by which maximum likelihood on real and own data shrinks a small error.

    Infinitely many real samples and :math:`\lambda` times as many of the model before: the error
    along an eigenvector of :math:`A^{-1}B` is multiplied by
    :math:`\lambda\kappa/(1+\lambda\kappa)`.

    Parameters
    ----------
    synthetic_ratio : float
        :math:`\lambda \ge 0`.
    information_ratio : float
        :math:`\kappa \ge 0`, eigenvalue of :math:`A^{-1}B`: curvature of the expected
        log-likelihood on the model's samples over that on real ones. 1 for exponential families in
        their natural parameters, and for any model that is right.

    Returns
    -------
    float
        In [0, 1): retraining is locally stable for every :math:`\lambda`, but returns ever more
        slowly.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> retraining_rate(1.0), retraining_rate(3.0)
    (0.5, 0.75)
    """
    share = real_number("synthetic_ratio", synthetic_ratio, minimum=0.0)
    product = share * real_number("information_ratio", information_ratio, minimum=0.0)
    return product / (1.0 + product)
