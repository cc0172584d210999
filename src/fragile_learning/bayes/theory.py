r"""What is known exactly of Bayesian predictors, their samplers, and attacks on them.

Closed forms and quadratures, against which samplers, attacks and scores of the room are held.
Inputs are in [0, 1]; radii are those of the maximum norm, in the same units. A label ``y`` of a
binary model is -1 or 1, its logit is :math:`y (w^\top x + b)`; :math:`\sigma` is the logistic
function, :math:`\Phi` the normal distribution function. Entropies are in nats.

Everything here is derived in this book, unless a reference is given. The paper is Feng, Rudner,
Tsilivis, Kempe, "Attacking Bayes", TMLR 2024, arXiv:2404.19640; its body was not at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import make_interp_spline
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import brentq
from scipy.special import betainc, digamma, entr, expit, ndtr, rel_entr, softmax

from fragile_learning._validation import (
    choice,
    real_array,
    real_number,
    result,
    together,
    whole_array,
)

__all__ = [
    "LEAPFROG_LIMIT",
    "Entropies",
    "LinearPosterior",
    "LogisticPosterior",
    "MeanFieldOptimum",
    "Ranking",
    "double_softmax_floor",
    "double_softmax_range",
    "expected_squared_norm",
    "function_divergence",
    "gaussian_divergence",
    "gaussian_label_attack",
    "gaussian_predictive",
    "gaussian_predictive_gradient",
    "langevin_variance",
    "leapfrog_acceptance",
    "leapfrog_energy_error",
    "leapfrog_matrix",
    "linear_posterior",
    "linear_robust_accuracy",
    "linear_worst_margin",
    "logistic_posterior",
    "mean_field_optimum",
    "member_entropies",
    "member_weights",
    "monte_carlo_bound",
    "optimal_shift_fraction",
    "predictive_gradient",
    "selective_area",
    "span_parts",
    "worst_binary_loss",
]

Array = NDArray[np.float64]
Ranking = Literal["perfect", "useless", "worst"]

LEAPFROG_LIMIT = 2.0
"""Step size, in standard deviations, from which on leapfrog on a normal law is unstable."""


def _positive(name: str, value: ArrayLike) -> Array:
    return real_array(name, value, minimum=0.0, open_minimum=True)


# --- leapfrog on a normal law -------------------------------------------------------------------


def _step_sizes(step_size: ArrayLike) -> Array:
    sizes = _positive("step_size", step_size)
    if sizes.size and float(sizes.max()) >= LEAPFROG_LIMIT:
        raise ValueError(
            f"step_size must be > 0 and < {LEAPFROG_LIMIT:g} (leapfrog is unstable from there on), "
            f"got {float(sizes.max())!r}"
        )
    return sizes


def leapfrog_matrix(step_size: ArrayLike, n_steps: ArrayLike) -> Array:
    r"""Leapfrog on a standard normal law: the linear map of one coordinate and its momentum.

    With :math:`\cos\varphi = 1 - \epsilon^2/2` and :math:`s^2 = 1/(1 - \epsilon^2/4)`,

    .. math:: M = \begin{pmatrix} \cos L\varphi & s \sin L\varphi \\
        -s^{-1} \sin L\varphi & \cos L\varphi \end{pmatrix} .

    Parameters
    ----------
    step_size : array_like
        :math:`\epsilon` in (0, 2), in standard deviations.
    n_steps : array_like
        ``L``, whole, >= 1.

    Returns
    -------
    ndarray, shape (..., 2, 2)
        Of determinant 1: volume is kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Exact. One step conserves :math:`q^2 (1 - \epsilon^2/4) + p^2`.

    Examples
    --------
    >>> leapfrog_matrix(1.0, 1).round(12).tolist()
    [[0.5, 1.0], [-0.75, 0.5]]
    """
    sizes, steps = together(
        step_size=_step_sizes(step_size), n_steps=whole_array("n_steps", n_steps)
    )
    angle = steps * 2.0 * np.arcsin(0.5 * sizes)
    stretch = 1.0 / np.sqrt(1.0 - 0.25 * sizes**2)
    cosine, sine = np.cos(angle), np.sin(angle)
    rows = [[cosine, stretch * sine], [-sine / stretch, cosine]]
    return np.moveaxis(np.asarray(rows), (0, 1), (-2, -1))


def _error_of_one(sizes: Array, steps: Array) -> Array:
    """Mean energy error of one coordinate."""
    sine = np.sin(steps * 2.0 * np.arcsin(0.5 * sizes))
    # s^2 + s^-2 - 2 = (s - 1/s)^2, without cancellation
    return 0.5 * sine**2 * (sizes**4 / 16.0) / (1.0 - 0.25 * sizes**2)


def leapfrog_energy_error(
    step_size: ArrayLike, n_steps: ArrayLike, n_dimensions: ArrayLike
) -> Array | float:
    r"""Mean change of the energy along a trajectory, on a standard normal law at equilibrium.

    .. math:: \mu = \frac d2 \sin^2(L\varphi)\,(s^2 + s^{-2} - 2)

    Parameters
    ----------
    step_size : array_like
        :math:`\epsilon` in (0, 2), in standard deviations.
    n_steps : array_like
        ``L``, whole, >= 1.
    n_dimensions : array_like
        ``d``, whole, >= 1.

    Returns
    -------
    float or ndarray
        In nats, >= 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Exact for starting points drawn from the law; symbols as in `leapfrog_matrix`.

    Examples
    --------
    >>> round(leapfrog_energy_error(0.5, 3, 50), 5)
    0.10386
    """
    sizes, steps, d = together(
        step_size=_step_sizes(step_size),
        n_steps=whole_array("n_steps", n_steps),
        n_dimensions=whole_array("n_dimensions", n_dimensions),
    )
    return result(d * _error_of_one(sizes, steps))


def leapfrog_acceptance(
    step_size: ArrayLike,
    n_steps: ArrayLike,
    n_dimensions: ArrayLike,
    *,
    method: Literal["exact", "normal"] = "exact",
) -> Array | float:
    r"""Mean acceptance probability of a trajectory, on a standard normal law at equilibrium.

    .. math:: 2\,\mathbb P(F_{d,d} < 1/\kappa) \approx 2\,\Phi\big(-\sqrt{\mu/2}\big)

    where :math:`\kappa` is the largest eigenvalue of :math:`M^\top M`, `leapfrog_matrix`, F has
    Fisher's distribution, and :math:`\mu` is `leapfrog_energy_error`.

    Parameters
    ----------
    step_size : array_like
        :math:`\epsilon` in (0, 2), in standard deviations.
    n_steps : array_like
        ``L``, whole, >= 1.
    n_dimensions : array_like
        ``d``, whole, >= 1.
    method : {"exact", "normal"}
        The first formula, or the second.

    Returns
    -------
    float or ndarray
        In (0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    The first is exact for every d. The second takes the energy error for normal with mean
    :math:`\mu` and variance :math:`2\mu`, its limit for large d at fixed :math:`\mu`; it is off by
    0.006 at :math:`\epsilon = 1`, L = 2, d = 20.

    Examples
    --------
    >>> round(leapfrog_acceptance(1.0, 2, 20), 5)
    0.58236
    >>> round(leapfrog_acceptance(1.0, 2, 20, method="normal"), 4)
    0.5762
    """
    choice("method", method, ("exact", "normal"))
    sizes, steps, d = together(
        step_size=_step_sizes(step_size),
        n_steps=whole_array("n_steps", n_steps),
        n_dimensions=whole_array("n_dimensions", n_dimensions),
    )
    half = _error_of_one(sizes, steps)
    if method == "normal":
        return result(2.0 * ndtr(-np.sqrt(0.5 * d * half)))
    # M'M has determinant 1 and trace 2 + 2 half
    kappa = 1.0 + half + np.sqrt(half * (2.0 + half))
    return result(2.0 * betainc(0.5 * d, 0.5 * d, 1.0 / (1.0 + kappa)))


def langevin_variance(precision: ArrayLike, step_size: ArrayLike) -> Array | float:
    r"""Variance at which Langevin dynamics without correction settle, on a normal law.

    .. math:: \theta \leftarrow \theta - \tfrac h2 \lambda\theta + \sqrt h\,\xi
        \quad\text{has variance}\quad \frac{1}{\lambda (1 - h\lambda/4)}

    Parameters
    ----------
    precision : array_like
        :math:`\lambda > 0`, inverse variance of the law.
    step_size : array_like
        ``h`` > 0.

    Returns
    -------
    float or ndarray
        More than :math:`1/\lambda`; inf where :math:`h\lambda \ge 4`, for the chain runs away.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Exact, with the gradient of all data. Noise of minibatches comes on top.

    Examples
    --------
    >>> round(langevin_variance(1.0, 0.5), 6), langevin_variance(2.0, 2.0)
    (1.142857, inf)
    """
    rate, size = together(
        precision=_positive("precision", precision), step_size=_positive("step_size", step_size)
    )
    rest = 1.0 - 0.25 * size * rate
    stable = rest > 0.0
    return result(np.where(stable, 1.0 / (rate * np.where(stable, rest, 1.0)), np.inf))


def monte_carlo_bound(effective_samples: ArrayLike) -> Array | float:
    r"""Bound of the standard error of a predictive probability, :math:`1/(2\sqrt{S})`.

    Parameters
    ----------
    effective_samples : array_like
        ``S`` > 0: independent posterior samples, or the effective sample size of a chain.

    Returns
    -------
    float or ndarray
        Reached by members that are certain and split in halves.

    Raises
    ------
    TypeError, ValueError
        If an entry is not > 0.

    Examples
    --------
    >>> monte_carlo_bound(100)
    0.05
    """
    return result(0.5 / np.sqrt(_positive("effective_samples", effective_samples)))


# --- linear regression --------------------------------------------------------------------------


class LinearPosterior(NamedTuple):
    """Posterior of a linear regression: a normal law.

    Attributes
    ----------
    mean : ndarray, shape (d,)
    covariance, precision : ndarray, shape (d, d)
        Inverses of each other.
    log_evidence : float
        Log-density of the targets, weights integrated out; nats.

    Examples
    --------
    >>> found = linear_posterior([[1.0], [1.0]], [1.0, 3.0], noise_variance=1.0, prior_variance=1.0)
    >>> found.mean.round(4).tolist(), found.stds.round(4).tolist()
    ([1.3333], [0.5774])
    """

    mean: Array
    covariance: Array
    precision: Array
    log_evidence: float

    @property
    def stds(self) -> Array:
        """Standard deviations of the weights, shape (d,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def linear_posterior(
    inputs: ArrayLike, targets: ArrayLike, *, noise_variance: float, prior_variance: float
) -> LinearPosterior:
    r"""Posterior and evidence of :math:`y = Xw + \epsilon` with :math:`w \sim N(0, \tau^2 I)`.

    Parameters
    ----------
    inputs : array_like, shape (n, d)
    targets : array_like, shape (n,)
    noise_variance : float
        > 0, of :math:`\epsilon`, in squared units of the targets.
    prior_variance : float
        :math:`\tau^2 > 0`.

    Returns
    -------
    LinearPosterior

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not fit.

    Notes
    -----
    Exact: :math:`\Lambda = X^\top X/v + I/\tau^2`, mean :math:`\Lambda^{-1} X^\top y / v`.

    Examples
    --------
    >>> found = linear_posterior([[1.0], [1.0]], [1.0, 3.0], noise_variance=1.0, prior_variance=1.0)
    >>> found.mean.round(6).tolist(), found.stds.round(6).tolist()
    ([1.333333], [0.57735])
    """
    x = real_array("inputs", inputs, ndim=2)
    y = real_array("targets", targets, ndim=1)
    if 0 in x.shape or len(y) != len(x):
        raise ValueError(
            f"inputs and targets must have shapes (n, d) and (n,) with n, d >= 1, got {x.shape} "
            f"and {y.shape}"
        )
    noise = real_number("noise_variance", noise_variance, minimum=0.0, open_minimum=True)
    prior = real_number("prior_variance", prior_variance, minimum=0.0, open_minimum=True)
    n, d = x.shape
    precision = x.T @ x / noise + np.eye(d) / prior
    factor = cho_factor(precision, lower=True)
    mean = cho_solve(factor, x.T @ y / noise)
    residual = y - x @ mean
    log_determinant = 2.0 * float(np.log(np.diag(factor[0])).sum())
    evidence = -0.5 * (
        residual @ residual / noise
        + mean @ mean / prior
        + log_determinant
        + d * math.log(prior)
        + n * math.log(2.0 * math.pi * noise)
    )
    covariance = cho_solve(factor, np.eye(d))
    return LinearPosterior(mean, 0.5 * (covariance + covariance.T), precision, float(evidence))


class MeanFieldOptimum(NamedTuple):
    """The independent normal weights that are closest to a normal posterior.

    Attributes
    ----------
    means, stds : ndarray, shape (d,)
    bound : float
        Evidence lower bound, nats.
    gap : float
        Log-evidence less bound: the divergence from the posterior.

    Examples
    --------
    >>> x = np.array([[1.0, 0.9], [0.9, 1.0], [1.0, 1.0]])
    >>> posterior = linear_posterior(x, np.ones(3), noise_variance=0.1, prior_variance=1.0)
    >>> best = mean_field_optimum(posterior)
    >>> bool((best.stds < posterior.stds).all()), best.gap > 0.0
    (True, True)
    """

    means: Array
    stds: Array
    bound: float
    gap: float


def mean_field_optimum(posterior: LinearPosterior) -> MeanFieldOptimum:
    r"""Mean-field law of largest evidence lower bound.

    Its means are exact, its variances :math:`1/\Lambda_{jj}`, never too large, and

    .. math:: \mathrm{gap} = \tfrac12\Big(\sum_j \log\Lambda_{jj} - \log\det\Lambda\Big) .

    Parameters
    ----------
    posterior : LinearPosterior

    Returns
    -------
    MeanFieldOptimum

    Raises
    ------
    TypeError
        If it is not a `LinearPosterior`.

    Examples
    --------
    >>> posterior = linear_posterior([[1.0, 1.0]], [1.0], noise_variance=1.0, prior_variance=1.0)
    >>> best = mean_field_optimum(posterior)
    >>> (best.stds**2).round(6).tolist(), (posterior.stds**2).round(6).tolist()
    ([0.5, 0.5], [0.666667, 0.666667])
    >>> round(best.gap, 6)
    0.143841
    """
    if not isinstance(posterior, LinearPosterior):
        raise TypeError(f"posterior must be a LinearPosterior, got {type(posterior).__name__}")
    diagonal = np.diag(posterior.precision)
    log_determinant = float(np.linalg.slogdet(posterior.precision)[1])
    gap = 0.5 * (float(np.log(diagonal).sum()) - log_determinant)
    return MeanFieldOptimum(
        posterior.mean, 1.0 / np.sqrt(diagonal), posterior.log_evidence - gap, gap
    )


def _law(mean: ArrayLike, covariance: ArrayLike, which: str) -> tuple[Array, Array]:
    m = real_array(f"mean_{which}", mean, ndim=1)
    c = real_array(f"covariance_{which}", covariance, ndim=2)
    if not m.size or c.shape != (m.size, m.size):
        raise ValueError(
            f"mean_{which} and covariance_{which} must have shapes (d,) and (d, d), d >= 1, got "
            f"{m.shape} and {c.shape}"
        )
    return m, c


def _lower(covariance: Array, name: str) -> Array:
    try:
        return np.asarray(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        least = float(np.linalg.eigvalsh(covariance).min())
        raise ValueError(
            f"{name} must be positive definite, got a smallest eigenvalue of {least:.3g}"
        ) from None


def gaussian_divergence(
    mean_q: ArrayLike, covariance_q: ArrayLike, mean_p: ArrayLike, covariance_p: ArrayLike
) -> float:
    r"""Divergence of two normal laws, KL(q || p).

    Parameters
    ----------
    mean_q, mean_p : array_like, shape (d,)
    covariance_q, covariance_p : array_like, shape (d, d)
        Symmetric and positive definite.

    Returns
    -------
    float
        In nats.

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit, or a covariance is not positive definite.

    Examples
    --------
    >>> round(gaussian_divergence([1.0], [[1.0]], [0.0], [[1.0]]), 12)
    0.5
    """
    m_q, c_q = _law(mean_q, covariance_q, "q")
    m_p, c_p = _law(mean_p, covariance_p, "p")
    if m_q.shape != m_p.shape:
        raise ValueError(f"mean_q and mean_p must have one shape, got {m_q.shape} and {m_p.shape}")
    root_q, root_p = _lower(c_q, "covariance_q"), _lower(c_p, "covariance_p")
    both = np.column_stack([root_q, m_q - m_p])
    whitened = solve_triangular(root_p, both, lower=True)
    logs = np.log(np.diag(root_p)) - np.log(np.diag(root_q))
    return float(logs.sum() + 0.5 * ((whitened**2).sum() - m_q.size))


def function_divergence(
    means: ArrayLike, stds: ArrayLike, context: ArrayLike, *, prior_variance: float
) -> float:
    r"""Divergence of a linear model's function values from those of its prior.

    .. math:: \mathrm{KL}\big(N(X_c m, X_c \mathrm{diag}(s^2) X_c^\top) \,\|\,
        N(0, \tau^2 X_c X_c^\top)\big)

    Parameters
    ----------
    means, stds : array_like, shape (d,)
        Of independent normal weights, ``stds`` > 0.
    context : array_like, shape (n_context, d)
        Points where functions are compared, linearly independent.
    prior_variance : float
        :math:`\tau^2 > 0`.

    Returns
    -------
    float
        In nats. At most the divergence of the weights, and equal to it for d points; it grows
        with each point.

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit, or points are linearly dependent.

    Examples
    --------
    >>> law = dict(means=[1.0, 2.0], stds=[0.5, 0.5], prior_variance=1.0)
    >>> round(function_divergence(context=[[1.0, 1.0], [0.0, 3.0]], **law), 6)
    3.136294
    >>> round(function_divergence(context=[[1.0, 1.0]], **law), 6)
    2.568147
    """
    m = real_array("means", means, ndim=1)
    s = real_array("stds", stds, ndim=1, minimum=0.0, open_minimum=True)
    points = real_array("context", context, ndim=2)
    prior = real_number("prior_variance", prior_variance, minimum=0.0, open_minimum=True)
    if m.shape != s.shape or points.shape[1] != m.size or not points.size:
        raise ValueError(
            "means, stds and context must have shapes (d,), (d,) and (n_context, d), none of them "
            f"empty, got {m.shape}, {s.shape} and {points.shape}"
        )
    if np.linalg.matrix_rank(points) < len(points):
        raise ValueError(
            f"context must hold linearly independent points, got {len(points)} of rank "
            f"{np.linalg.matrix_rank(points)}"
        )
    return gaussian_divergence(
        points @ m, (points * s**2) @ points.T, np.zeros(len(points)), prior * points @ points.T
    )


# --- logistic regression in two weights ---------------------------------------------------------


class Entropies(NamedTuple):
    """What a predictor does not know, in nats, of each of n inputs.

    Attributes
    ----------
    total : ndarray, shape (n,)
        Entropy of the predictive mean.
    expected : ndarray, shape (n,)
        Mean entropy of the members (aleatoric).
    mutual : ndarray, shape (n,)
        Their difference, the mutual information of label and weights (epistemic).

    Examples
    --------
    >>> found = member_entropies([[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> bool(np.isclose(found.total, found.expected + found.mutual).all())
    True
    """

    total: Array
    expected: Array
    mutual: Array


def member_entropies(probabilities: ArrayLike) -> Entropies:
    r"""Entropies of given members, from their probabilities.

    Parameters
    ----------
    probabilities : array_like, shape (n_samples, n, n_classes)
        >= 0, adding up to 1 over the last axis to 1e-9.

    Returns
    -------
    Entropies
        The last is a mean divergence of the members from their mean: no difference is taken.

    Raises
    ------
    TypeError, ValueError
        If these are not probabilities.

    Examples
    --------
    >>> found = member_entropies([[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> [round(float(part[0]), 6) for part in found]
    [0.693147, 0.325083, 0.368064]
    """
    p = real_array("probabilities", probabilities, ndim=3, minimum=0.0)
    if 0 in p.shape:
        raise ValueError(
            "probabilities must have the shape (n_samples, n, n_classes), none of them 0, got "
            f"{p.shape}"
        )
    off = float(np.abs(p.sum(axis=-1) - 1.0).max())
    if off > 1e-9:
        raise ValueError(f"probabilities must add up to 1 over the last axis, got {off:.3g} off")
    mean = p.mean(axis=0)
    return Entropies(
        entr(mean).sum(axis=-1),
        entr(p).sum(axis=-1).mean(axis=0),
        rel_entr(p, mean).sum(axis=-1).mean(axis=0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class LogisticPosterior:
    """Posterior of two weights on a grid, for quadrature; see `logistic_posterior`.

    Attributes
    ----------
    axes : tuple of ndarray
        Values of each weight, evenly spaced.
    masses : ndarray, shape (n_0, n_1)
        Posterior probability of the cell about each pair of values; they add up to 1.
    log_evidence : float
        Log-probability of the labels, weights integrated out; nats.

    Examples
    --------
    >>> inputs, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, -1.0])
    >>> found = logistic_posterior(inputs, labels, prior_variance=1.0)
    >>> found.mean.round(3).tolist(), round(found.quantile(0.5, 0), 2)
    ([0.413, -0.413], 0.41)
    """

    axes: tuple[Array, Array]
    masses: Array
    log_evidence: float

    def _marginal(self, weight: int) -> Array:
        return np.asarray(self.masses.sum(axis=1 - weight))

    @property
    def mean(self) -> Array:
        """Posterior mean, shape (2,)."""
        return np.array([self.axes[j] @ self._marginal(j) for j in (0, 1)])

    @property
    def covariance(self) -> Array:
        """Posterior covariance, shape (2, 2)."""
        centred = [axis - mean for axis, mean in zip(self.axes, self.mean, strict=True)]
        cross = float(centred[0] @ self.masses @ centred[1])
        own = [float(centred[j] ** 2 @ self._marginal(j)) for j in (0, 1)]
        return np.array([[own[0], cross], [cross, own[1]]])

    @property
    def stds(self) -> Array:
        """Posterior standard deviations, shape (2,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def quantile(self, probability: float, weight: int) -> float:
        """Value below which a weight lies with a probability.

        Parameters
        ----------
        probability : float
            In [1e-6, 1 - 1e-6].
        weight : {0, 1}

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range.

        Notes
        -----
        From the integral of a spline of degree 7 through the marginal density.
        """
        level = real_number("probability", probability, minimum=1e-6, maximum=1.0 - 1e-6)
        axis = self.axes[choice("weight", weight, (0, 1))]
        below = make_interp_spline(axis, self._marginal(weight), k=7).antiderivative()
        first, last = float(below(axis[0])), float(below(axis[-1]))
        aim = first + level * (last - first)
        return float(brentq(lambda value: float(below(value)) - aim, axis[0], axis[-1], xtol=1e-13))

    def _members(self, inputs: ArrayLike) -> tuple[Array, Array]:
        """Probabilities of label 1, shape (n, n_0, n_1), and inputs."""
        x = real_array("inputs", inputs, ndim=2)
        if x.shape[1] != 2:
            raise ValueError(f"inputs must have the shape (n, 2), got {x.shape}")
        logits = (
            x[:, :1, None] * self.axes[0][None, :, None]
            + x[:, 1:, None] * self.axes[1][None, None, :]
        )
        return expit(logits), logits

    def predictive(self, inputs: ArrayLike) -> Array:
        """Probability of label 1.

        Parameters
        ----------
        inputs : array_like, shape (n, 2)

        Returns
        -------
        ndarray, shape (n,)
        """
        return np.asarray(np.tensordot(self._members(inputs)[0], self.masses, axes=2))

    def entropies(self, inputs: ArrayLike) -> Entropies:
        """Total, expected and mutual; see `Entropies`.

        Parameters
        ----------
        inputs : array_like, shape (n, 2)
        """
        members, logits = self._members(inputs)
        mean = np.tensordot(members, self.masses, axes=2)
        # entropy of a logistic probability: log(1 + e^z) - z sigma(z)
        own = np.logaddexp(0.0, logits) - logits * members
        total = entr(mean) + entr(1.0 - mean)
        expected = np.tensordot(own, self.masses, axes=2)
        return Entropies(total, expected, total - expected)


def logistic_posterior(
    inputs: ArrayLike, labels: ArrayLike, *, prior_variance: float, n_nodes: int = 401
) -> LogisticPosterior:
    r"""Posterior of a logistic regression in two weights, by quadrature.

    Parameters
    ----------
    inputs : array_like, shape (n, 2)
    labels : array_like, shape (n,)
        -1 or 1.
    prior_variance : float
        > 0, of each weight; mean 0.
    n_nodes : int
        >= 50, of each axis of the grid.

    Returns
    -------
    LogisticPosterior

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not fit.

    Notes
    -----
    A sum over an even grid that reaches to where the density is below 1e-16 of its largest value:
    for so smooth a density its error falls faster than any power of the step. With the standard
    number of nodes moments have 12 digits, unless the weights are correlated by more than 0.998, or
    inputs are so large that a step of the grid changes a logit by 1 and more (then 4 digits).

    Examples
    --------
    >>> found = logistic_posterior([[1.0, 0.0]], [1], prior_variance=1.0)
    >>> found.mean[0].round(4).item(), round(found.log_evidence, 6)
    (0.4132, -0.693147)
    """
    x = real_array("inputs", inputs, ndim=2)
    y = real_array("labels", labels, ndim=1)
    if not len(x) or x.shape[1] != 2 or len(y) != len(x):
        raise ValueError(
            f"inputs and labels must have shapes (n, 2) and (n,), n >= 1, got {x.shape} and "
            f"{y.shape}"
        )
    if not np.isin(y, (-1.0, 1.0)).all():
        raise ValueError(f"labels must be -1 or 1, got {y[~np.isin(y, (-1.0, 1.0))][0]!r}")
    prior = real_number("prior_variance", prior_variance, minimum=0.0, open_minimum=True)
    count = int(whole_array("n_nodes", n_nodes, minimum=50))
    signed = x * y[:, None]

    def log_joint(first: Array, second: Array) -> Array:
        fit = np.zeros((first.size, second.size))
        for x_first, x_second in signed:
            fit -= np.logaddexp(0.0, -(x_first * first[:, None] + x_second * second))
        size = first[:, None] ** 2 + second[None, :] ** 2
        return np.asarray(fit - 0.5 * size / prior - math.log(2.0 * math.pi * prior))

    peak, spreads = _logistic_peak(signed, prior)
    low, high = peak - 9.0 * spreads, peak + 9.0 * spreads
    for _ in range(40):  # a skewed law reaches further on one side
        axes = tuple(np.linspace(a, b, count) for a, b in zip(low, high, strict=True))
        logs = log_joint(*axes)
        top = float(logs.max())
        edges = np.array([[logs[0].max(), logs[-1].max()], [logs[:, 0].max(), logs[:, -1].max()]])
        open_ends = edges > top + math.log(1e-16)
        if not open_ends.any():
            break
        width = 0.25 * (high - low)
        low, high = low - width * open_ends[:, 0], high + width * open_ends[:, 1]
    masses = np.exp(logs - top)
    total = float(masses.sum())
    cell = float((axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0]))
    return LogisticPosterior(
        (axes[0], axes[1]), masses / total, top + math.log(total) + math.log(cell)
    )


def _logistic_peak(signed: Array, prior: float) -> tuple[Array, Array]:
    """Most probable weights, and standard deviations by the curvature there.

    Newton's method from 0, where the curvature is largest: on 3,000 random problems with logits up
    to 1e4 it never needed shorter steps.
    """
    weights = np.zeros(2)
    for _ in range(200):
        wrong = expit(-signed @ weights)
        slope = signed.T @ wrong - weights / prior
        hessian = (signed.T * (wrong * (1.0 - wrong))) @ signed + np.eye(2) / prior
        step = np.linalg.solve(hessian, slope)
        weights = weights + step
        if slope @ step < 1e-20:
            break
    return weights, np.sqrt(np.diag(np.linalg.inv(hessian)))


# --- linear models under attack -----------------------------------------------------------------


def _reach(slopes: Array, inputs: Array, radius: Array, clip: bool) -> Array:
    """Largest slope @ x' over the ball of each radius, and the box if ``clip``."""
    low, high = inputs - radius, inputs + radius
    if clip:
        low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
    return np.asarray((slopes * np.where(slopes > 0.0, high, low)).sum(axis=-1))


def _images(inputs: ArrayLike, d: int, clip: bool) -> Array:
    bounds = (0.0, 1.0) if clip else (None, None)
    x = real_array("inputs", inputs, ndim=2, minimum=bounds[0], maximum=bounds[1])
    if not len(x) or x.shape[1] != d:
        raise ValueError(f"inputs must have the shape (n, {d}), n >= 1, got {x.shape}")
    return x


def linear_worst_margin(
    weights: ArrayLike,
    bias: ArrayLike,
    inputs: ArrayLike,
    labels: ArrayLike,
    *,
    radius: ArrayLike,
    clip: bool = True,
) -> Array:
    r"""Largest logit of another class less that of the label, over all allowed perturbations.

    .. math:: \max_{k\ne y}\Big( b_k - b_y + \sum_i \max_{x'_i} (W_k - W_y)_i\, x'_i \Big)

    Parameters
    ----------
    weights : array_like, shape (n_classes, d)
        At least two classes.
    bias : array_like, shape (n_classes,)
    inputs : array_like, shape (n, d)
    labels : array_like of int, shape (n,)
        In [0, n_classes - 1].
    radius : array_like
        >= 0, of the maximum norm.
    clip : bool
        Whether inputs, before and after, are in [0, 1].

    Returns
    -------
    ndarray, shape (..., n)
        The leading axes are those of ``radius``. No perturbation changes the class if and only if
        it is negative.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not fit.

    Notes
    -----
    Exact: the ball and the box are products of intervals, and the logits are linear.

    Examples
    --------
    >>> W, b = [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]
    >>> linear_worst_margin(W, b, [[0.6, 0.5]], [0], radius=[0.0, 0.1]).round(12).tolist()
    [[-0.1], [0.1]]
    """
    w = real_array("weights", weights, ndim=2)
    b = real_array("bias", bias, ndim=1)
    if len(w) < 2 or not w.shape[1] or b.shape != (len(w),):
        raise ValueError(
            "weights and bias must have shapes (n_classes >= 2, d >= 1) and (n_classes,), got "
            f"{w.shape} and {b.shape}"
        )
    choice("clip", clip, (True, False))
    x = _images(inputs, w.shape[1], clip)
    y = whole_array("labels", labels, minimum=0).astype(np.int64)
    if y.shape != (len(x),) or int(y.max()) >= len(w):
        raise ValueError(
            f"labels must have the shape ({len(x)},) and entries in [0, {len(w) - 1}], got shape "
            f"{y.shape} and a largest entry of {y.max()}"
        )
    radii = real_array("radius", radius, minimum=0.0)
    found = np.full((*radii.shape, len(x)), -np.inf)
    for k in range(len(w)):
        margin = b[k] - b[y] + _reach(w[k] - w[y], x, radii[..., None, None], clip)
        found = np.where(y == k, found, np.maximum(found, margin))
    return found


def linear_robust_accuracy(
    weights: ArrayLike,
    bias: ArrayLike,
    inputs: ArrayLike,
    labels: ArrayLike,
    *,
    radius: ArrayLike,
    clip: bool = True,
) -> Array | float:
    """Share of inputs that no allowed perturbation moves away from their label.

    Parameters
    ----------
    weights, bias, inputs, labels, radius, clip
        As for `linear_worst_margin`.

    Returns
    -------
    float or ndarray
        Of the shape of ``radius``. A tie counts as wrong.

    Raises
    ------
    TypeError, ValueError
        As `linear_worst_margin`.

    Examples
    --------
    >>> W, b = [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]
    >>> linear_robust_accuracy(W, b, [[0.6, 0.5], [0.9, 0.1]], [0, 0], radius=[0.0, 0.1])
    array([1. , 0.5])
    """
    margin = linear_worst_margin(weights, bias, inputs, labels, radius=radius, clip=clip)
    return result((margin < 0.0).mean(axis=-1))


def worst_binary_loss(
    weights: ArrayLike,
    bias: float,
    inputs: ArrayLike,
    labels: ArrayLike,
    *,
    radius: ArrayLike,
    clip: bool = True,
) -> Array:
    r"""Largest cross-entropy of a binary linear model over all allowed perturbations.

    .. math:: \log\big(1 + e^{-(y(w^\top x + b) - \epsilon \lVert w\rVert_1)}\big)
        \quad\text{without clipping}

    Parameters
    ----------
    weights : array_like, shape (d,)
    bias : float
    inputs : array_like, shape (n, d)
    labels : array_like, shape (n,)
        -1 or 1.
    radius : array_like
        >= 0, of the maximum norm.
    clip : bool
        Whether inputs, before and after, are in [0, 1].

    Returns
    -------
    ndarray, shape (..., n)
        In nats; the leading axes are those of ``radius``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not fit.

    Notes
    -----
    Exact. A softmax over the logits ``(s, 0)`` has this loss, one over ``(s, -s)`` that of twice
    the score.

    Examples
    --------
    >>> worst_binary_loss([1.0, -1.0], 0.0, [[0.5, 0.5]], [1], radius=[0.0, 0.1]).round(6).tolist()
    [[0.693147], [0.798139]]
    """
    w = real_array("weights", weights, ndim=1)
    if not w.size:
        raise ValueError("weights must have at least one entry, got 0")
    shift = real_number("bias", bias)
    choice("clip", clip, (True, False))
    x = _images(inputs, w.size, clip)
    y = real_array("labels", labels, ndim=1)
    if y.shape != (len(x),) or not np.isin(y, (-1.0, 1.0)).all():
        raise ValueError(f"labels must be {len(x)} entries of -1 or 1, got {y.tolist()}")
    radii = real_array("radius", radius, minimum=0.0)
    worst = _reach(-y[:, None] * w, x, radii[..., None, None], clip) - y * shift
    return np.asarray(np.logaddexp(0.0, worst))


# --- a normal law of the weights of a binary linear model ---------------------------------------


def _logistic_means(mean: Array, std: Array) -> tuple[Array, Array, Array]:
    """Means of sigma, sigma' and sigma'' of a normal variable, by the trapezoid rule.

    Narrow laws are summed over the normal variable; wide ones by parts, as the normal
    distribution function averaged over a logistic variable.
    """
    narrow = std <= 3.0
    z = np.linspace(-12.0, 12.0, 481)
    weights = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) * (z[1] - z[0])
    up = expit(mean[..., None] + np.where(narrow, std, 0.0)[..., None] * z)
    slope = up * (1.0 - up)
    inner = [up @ weights, slope @ weights, (slope * (1.0 - 2.0 * up)) @ weights]

    t = np.linspace(-45.0, 45.0, 901)
    masses = expit(t) * expit(-t) * (t[1] - t[0])
    wide = np.where(narrow, 4.0, std)[..., None]
    place = (mean[..., None] + t) / wide
    density = np.exp(-0.5 * place**2) / math.sqrt(2.0 * math.pi)
    outer = [ndtr(place) @ masses, density / wide @ masses, -place * density / wide**2 @ masses]
    first, second, third = (np.where(narrow, a, b) for a, b in zip(inner, outer, strict=True))
    return first, second, third


def _weights_law(mean: ArrayLike, covariance: ArrayLike) -> tuple[Array, Array]:
    """Mean, shape (d,), and covariance matrix."""
    m = real_array("mean", mean, ndim=1)
    c = real_array("covariance", covariance)
    if not m.size or c.shape not in ((m.size,), (m.size, m.size)):
        raise ValueError(
            "mean and covariance must have shapes (d,) and (d,) or (d, d), d >= 1, got "
            f"{m.shape} and {c.shape}"
        )
    if c.ndim == 1:
        c = np.diag(real_array("covariance", c, minimum=0.0))
    least = float(np.linalg.eigvalsh(c).min())
    if not np.allclose(c, c.T) or least < -1e-9 * float(np.abs(c).max()):
        raise ValueError(
            "covariance must be symmetric and positive semidefinite, got a smallest eigenvalue of "
            f"{least:.3g}"
        )
    return m, c


def _points(inputs: ArrayLike, d: int) -> Array:
    x = real_array("inputs", inputs, ndim=2)
    if x.shape[1] != d:
        raise ValueError(f"inputs must have the shape (n, {d}), got {x.shape}")
    return x


def gaussian_predictive(mean: ArrayLike, covariance: ArrayLike, inputs: ArrayLike) -> Array:
    r"""Predictive probability :math:`\mathbb E\,\sigma(w^\top x)` for :math:`w \sim N(m, S)`.

    Parameters
    ----------
    mean : array_like, shape (d,)
    covariance : array_like, shape (d,) or (d, d)
        Variances, or a matrix; positive semidefinite.
    inputs : array_like, shape (n, d)

    Returns
    -------
    ndarray, shape (n,)
        Of label 1. Above 1/2 if and only if :math:`m^\top x > 0`, whatever the covariance.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not fit.

    Notes
    -----
    By quadrature of :math:`w^\top x \sim N(m^\top x, x^\top S x)`, to 1e-12.

    Examples
    --------
    >>> gaussian_predictive([0.8, -0.3], [1.0, 9.0], [[1.0, 0.0], [0.3, 0.8]]).round(4).tolist()
    [0.6601, 0.5]
    """
    m, c = _weights_law(mean, covariance)
    x = _points(inputs, m.size)
    spread = np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", x, c, x), 0.0))
    return _logistic_means(x @ m, spread)[0]


def gaussian_predictive_gradient(
    mean: ArrayLike, covariance: ArrayLike, inputs: ArrayLike
) -> Array:
    r"""Gradient of `gaussian_predictive` in the input.

    .. math:: \nabla_x \mathbb E\,\sigma(w^\top x)
        = \mathbb E[\sigma'(w^\top x)]\, m + \mathbb E[\sigma''(w^\top x)]\, S x

    Parameters
    ----------
    mean : array_like, shape (d,)
    covariance : array_like, shape (d,) or (d, d)
    inputs : array_like, shape (n, d)

    Returns
    -------
    ndarray, shape (n, d)

    Raises
    ------
    TypeError, ValueError
        As `gaussian_predictive`.

    Notes
    -----
    It vanishes only where the two terms balance. With a prior :math:`N(0, \tau^2 I)` and data that
    span V, the weights off V keep mean 0 and variance :math:`\tau^2`: at points of V the gradient
    lies in V, off V it has the part :math:`\mathbb E[\sigma'']\,\tau^2 x_\perp`, towards less
    confidence; see `span_parts`.

    Examples
    --------
    >>> gaussian_predictive_gradient([1.0, 0.0], [0.0, 4.0], [[0.5, 0.0]]).round(4).tolist()
    [[0.235, 0.0]]
    """
    m, c = _weights_law(mean, covariance)
    x = _points(inputs, m.size)
    along = x @ c
    spread = np.sqrt(np.maximum((along * x).sum(axis=1), 0.0))
    _, slope, curvature = _logistic_means(x @ m, spread)
    return np.asarray(slope[:, None] * m + curvature[:, None] * along)


def span_parts(vectors: ArrayLike, data: ArrayLike) -> tuple[Array, Array]:
    """Parts of vectors along the span of data, and off it.

    Parameters
    ----------
    vectors : array_like, shape (n, d)
    data : array_like, shape (n_data, d)

    Returns
    -------
    along, off : ndarray, shape (n, d)
        Orthogonal; they add up to the vectors.

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit.

    Examples
    --------
    >>> along, off = span_parts([[1.0, 2.0]], [[3.0, 0.0]])
    >>> along.tolist(), off.tolist()
    ([[1.0, 0.0]], [[0.0, 2.0]])
    """
    x = real_array("data", data, ndim=2)
    v = real_array("vectors", vectors, ndim=2)
    if x.shape[1] != v.shape[1] or not x.size:
        raise ValueError(
            f"vectors and data must have shapes (n, d) and (n_data >= 1, d), got {v.shape} and "
            f"{x.shape}"
        )
    _, sizes, directions = np.linalg.svd(x, full_matrices=False)
    kept = directions[sizes > max(x.shape) * np.finfo(np.float64).eps * sizes.max()]
    along = v @ kept.T @ kept
    return along, v - along


def gaussian_label_attack(mean: ArrayLike, labels: ArrayLike, *, radius: float) -> Array:
    r"""Perturbation that changes the label if any does: :math:`-\epsilon\, y\,\mathrm{sign}(m)`.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Of a normal law of the weights. Its covariance does not matter.
    labels : array_like, shape (n,)
        -1 or 1.
    radius : float
        >= 0, of the maximum norm.

    Returns
    -------
    ndarray, shape (n, d)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for the *label* without clipping: it is robust if and only if
    :math:`y\,m^\top x > \epsilon\lVert m\rVert_1`. In general another point of the ball has a
    larger loss.

    Examples
    --------
    >>> gaussian_label_attack([0.8, -0.3], [1, -1], radius=0.25).tolist()
    [[-0.25, 0.25], [0.25, -0.25]]
    """
    m = real_array("mean", mean, ndim=1)
    y = real_array("labels", labels, ndim=1)
    if not np.isin(y, (-1.0, 1.0)).all():
        raise ValueError(f"labels must be -1 or 1, got {y.tolist()}")
    size = real_number("radius", radius, minimum=0.0)
    return np.asarray(-size * y[:, None] * np.sign(m))


def _means_and_stds(mean: ArrayLike, std: ArrayLike) -> tuple[Array, Array]:
    m = real_array("mean", mean, ndim=1)
    s = real_array("std", std, minimum=0.0)
    if not m.size or s.shape not in ((), m.shape):
        raise ValueError(
            f"mean and std must have shapes (d,), d >= 1, and (d,) or (), got {m.shape} and "
            f"{s.shape}"
        )
    return m, np.broadcast_to(s, m.shape)


def optimal_shift_fraction(
    mean: ArrayLike, std: ArrayLike, n_gradients: ArrayLike
) -> Array | float:
    r"""Share of the optimal shift by an attacker who averages sampled logit gradients.

    .. math:: \frac{\sum_i |m_i|\,\big(2\Phi(\sqrt n\,|m_i|/s_i) - 1\big)}{\sum_i |m_i|}

    Parameters
    ----------
    mean : array_like, shape (d,)
        Of independent normal weights, not all 0.
    std : array_like, shape (d,) or ()
        >= 0.
    n_gradients : array_like
        ``n``, whole, >= 1: weight vectors whose mean gives the signs of the attack.

    Returns
    -------
    float or ndarray
        Expected change of :math:`m^\top x` over :math:`\epsilon\lVert m\rVert_1`, in [0, 1]; of
        the shape of ``n_gradients``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not fit.

    Notes
    -----
    Exact for gradients of the logit, which are the weights. Gradients of a loss weigh samples
    by their error, so that fewer count.

    Examples
    --------
    >>> optimal_shift_fraction([0.1, -0.2], 0.3, [1, 16, 256]).round(4).tolist()
    [0.417, 0.9341, 1.0]
    """
    m, s = _means_and_stds(mean, std)
    n = whole_array("n_gradients", n_gradients)
    size = np.abs(m)
    if not size.any():
        raise ValueError("mean must not be 0 in every entry")
    sure = s == 0.0
    ratio = np.sqrt(n)[..., None] * size / np.where(sure, 1.0, s)
    right = np.where(sure, 1.0, 2.0 * ndtr(ratio) - 1.0)
    return result(right @ size / size.sum())


def expected_squared_norm(mean: ArrayLike, std: ArrayLike, n_gradients: ArrayLike) -> Array | float:
    r"""Squared Euclidean norm that the mean of n sampled gradients is expected to have.

    .. math:: \lVert m\rVert^2 + \frac1n \sum_i s_i^2

    Parameters
    ----------
    mean : array_like, shape (d,)
        Of one gradient.
    std : array_like, shape (d,) or ()
        >= 0, of its entries; they may depend on each other.
    n_gradients : array_like
        ``n``, whole, >= 1.

    Returns
    -------
    float or ndarray
        Of the shape of ``n_gradients``. Falls with n, to the squared norm of the mean: a small
        gradient of an average is no vanishing one.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not fit.

    Examples
    --------
    >>> expected_squared_norm([3.0, 4.0], 1.0, [1, 2]).tolist()
    [27.0, 26.0]
    """
    m, s = _means_and_stds(mean, std)
    n = whole_array("n_gradients", n_gradients)
    return result(m @ m + s @ s / n)


# --- the gradient of a predictive mean ----------------------------------------------------------


def member_weights(log_probabilities: ArrayLike) -> Array:
    r"""Weights of members in the gradient of :math:`-\log\bar p_y`.

    .. math:: w_s = p_{s,y} \Big/ \sum_r p_{r,y}

    Parameters
    ----------
    log_probabilities : array_like, shape (n_samples, ...)
        Of the label, finite.

    Returns
    -------
    ndarray, shape (n_samples, ...)
        >= 0, adding up to 1 over samples: who still believes in the label counts most.

    Raises
    ------
    TypeError, ValueError
        If an entry is not finite and <= 0, or there is no sample.

    Examples
    --------
    >>> member_weights(np.log([0.9, 0.1])).round(12).tolist()
    [0.9, 0.1]
    """
    logs = real_array("log_probabilities", log_probabilities, maximum=0.0)
    if logs.ndim < 1 or not len(logs):
        raise ValueError(
            f"log_probabilities must have the shape (n_samples >= 1, ...), got {logs.shape}"
        )
    return np.asarray(softmax(logs, axis=0))


def predictive_gradient(log_probabilities: ArrayLike, gradients: ArrayLike) -> Array:
    r"""Gradient of :math:`-\log\bar p_y` from those of the members.

    .. math:: \nabla(-\log\bar p_y) = \sum_s w_s \nabla(-\log p_{s,y})

    Parameters
    ----------
    log_probabilities : array_like, shape (n_samples, n)
        Of the label of each input.
    gradients : array_like, shape (n_samples, n, ...)
        Of minus these.

    Returns
    -------
    ndarray, shape (n, ...)

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, or shapes do not fit.

    Notes
    -----
    Exact; weights as in `member_weights`. The mean of the members' losses has equal weights.

    Examples
    --------
    >>> predictive_gradient(np.log([[0.9], [0.1]]), [[[1.0]], [[5.0]]]).round(12).tolist()
    [[1.4]]
    """
    weights = member_weights(log_probabilities)
    slopes = real_array("gradients", gradients)
    if weights.ndim != 2 or slopes.shape[:2] != weights.shape:
        raise ValueError(
            "log_probabilities and gradients must have shapes (n_samples, n) and (n_samples, n, "
            f"...), got {weights.shape} and {slopes.shape}"
        )
    return np.asarray(np.einsum("sn,sn...->n...", weights, slopes))


# --- double softmax -----------------------------------------------------------------------------


def double_softmax_range(n_classes: ArrayLike) -> tuple[Array | float, Array | float]:
    r"""Range of a cross-entropy that takes probabilities for logits.

    .. math:: \log(e + K - 1) - 1 \;\le\; -\log\mathrm{softmax}(p)_y \;\le\; \log(e + K - 1)

    Parameters
    ----------
    n_classes : array_like
        ``K``, whole, >= 2.

    Returns
    -------
    low, high : float or ndarray
        In nats: one apart. Reached by a probability of 1 of the label, and of another class.

    Raises
    ------
    TypeError, ValueError
        If an entry is out of range.

    Examples
    --------
    >>> [round(end, 4) for end in double_softmax_range(10)]
    [1.4612, 2.4612]
    """
    classes = whole_array("n_classes", n_classes, minimum=2)
    high = np.log(math.e + classes - 1.0)
    return result(high - 1.0), result(high)


def double_softmax_floor(n_classes: ArrayLike) -> Array | float:
    r"""Least "softmax robustness" that probabilities put through a softmax again can have.

    .. math:: 1 - \max_k |q_k(x) - q_k(x')| \;\ge\; 1 - \frac{e-1}{e+K-1},
        \qquad q = \mathrm{softmax}(p)

    Parameters
    ----------
    n_classes : array_like
        ``K``, whole, >= 2.

    Returns
    -------
    float or ndarray
        Reached where a certain prediction becomes another certain one.

    Raises
    ------
    TypeError, ValueError
        If an entry is out of range.

    Examples
    --------
    >>> double_softmax_floor([2, 10, 100]).round(4).tolist()
    [0.5379, 0.8534, 0.9831]
    """
    classes = whole_array("n_classes", n_classes, minimum=2)
    return result(1.0 - (math.e - 1.0) / (math.e + classes - 1.0))


# --- selective prediction -----------------------------------------------------------------------


def selective_area(
    ranking: Ranking, share: ArrayLike, *, n: ArrayLike | None = None
) -> Array | float:
    r"""Mean accuracy of the k least uncertain inputs, over k, if a share r of them is right.

    Perfect :math:`r + r\log(1/r)`, useless :math:`r`, worst :math:`r - (1-r)\log(1/(1-r))`.

    Parameters
    ----------
    ranking : {"perfect", "useless", "worst"}
        All right inputs first; any order; all wrong ones first.
    share : array_like
        ``r`` in [0, 1].
    n : array_like, optional
        Inputs, whole, >= 1, with ``n r`` whole to 1e-6. None: the limit of many.

    Returns
    -------
    float or ndarray
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    With n inputs :math:`\log(1/r)` becomes :math:`H_n - H_{nr}` with harmonic numbers: the limit is
    off by about :math:`(1-r)/(2n)`.

    Examples
    --------
    >>> [round(selective_area(ranking, 0.5), 4) for ranking in ("perfect", "useless", "worst")]
    [0.8466, 0.5, 0.1534]
    >>> selective_area("perfect", 0.5, n=[2, 1000]).round(4).tolist()
    [0.75, 0.8463]
    """
    choice("ranking", ranking, get_args(Ranking))
    r = real_array("share", share, minimum=0.0, maximum=1.0)
    if n is not None:
        r, count = together(share=r, n=whole_array("n", n))
        right = np.rint(r * count)
        if np.abs(r * count - right).max() > 1e-6:
            raise ValueError("n must make share * n whole numbers, got a fraction of an input")
        r = right / count

    def tail(part: Array) -> Array:
        """Part times the logarithm of 1 / part."""
        if n is None:
            return np.asarray(entr(part))
        return np.asarray(part * (digamma(count + 1.0) - digamma(part * count + 1.0)))

    if ranking == "perfect":
        return result(r + tail(r))
    return result(r if ranking == "useless" else r - tail(1.0 - r))
