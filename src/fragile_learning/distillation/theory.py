r"""Closed forms of dataset distillation: what a window on the inner run keeps, loses and costs.

Distilled data :math:`u` train a model, :math:`\theta_{t+1} = \theta_t - \alpha\nabla\ell(\theta_t;
u)`, for ``N`` steps from a fresh start :math:`\theta_0`, and are judged by an outer loss
:math:`F(\theta_N)`. The meta-gradient is :math:`dF/du`; a *window* of ``M`` steps differentiates
only the last ``M`` and takes the data of the steps before as constants. A *rule* says which pairs
``(N, M)`` are used, each as often as the others:

==================  ==========================  =======================
rule                in the paper                pairs
==================  ==========================  =======================
"full"              BPTT                        ``(T, T)``
"truncated"         T-BPTT                      ``(T, M)``
"random"            R-BPTT                      ``(N, N)``, N = M, ..., T
"random-truncated"  RaT-BPTT                    ``(N, M)``, N = M, ..., T
==================  ==========================  =======================

The quadratic problem has :math:`\ell = \frac12(\theta-u)^\top H(\theta-u)` and
:math:`F = \frac12(\theta-w)^\top Q(\theta-w)`. With :math:`A = I - \alpha H`,

.. math:: \theta_N = A^N\theta_0 + (I - A^N)u.

The paper is Feng, Vedantam, Kempe, ICLR 2024, arXiv:2311.07025. It has the rules; every formula
here is derived here. Nothing here draws a random number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import (
    choice,
    real_array,
    real_number,
    whole_array,
    whole_number,
)
from fragile_learning.distillation.contractions import (
    LAWS,
    Moments,
    best_window,
    explosion_order,
    growth_rate,
    jacobian_error,
    jacobian_moments,
)
from fragile_learning.distillation.linear import linear_distillation_floor, linear_distilled_set

__all__ = [
    "LAWS",
    "RULES",
    "Costs",
    "GradientMoments",
    "Moments",
    "adam_first_step_moments",
    "adam_step_moments",
    "best_window",
    "clip_thresholds",
    "explosion_order",
    "growth_rate",
    "jacobian_error",
    "jacobian_moments",
    "linear_distillation_floor",
    "linear_distilled_set",
    "meta_step_cost",
    "perceptron_costs",
    "quadratic_end",
    "quadratic_gradient_moments",
    "quadratic_growth",
    "quadratic_meta_gradient",
    "quadratic_outer_loss",
    "quadratic_solution",
    "quadratic_step_gradients",
    "window_coverage",
    "window_pairs",
]

Array = NDArray[np.float64]
Pairs = Iterable[tuple[int, int]]

RULES = ("full", "truncated", "random", "random-truncated")


class GradientMoments(NamedTuple):
    """Mean, shape (d,), and covariance, shape (d, d), of a meta-gradient.

    Examples
    --------
    >>> found = quadratic_gradient_moments(
    ...     hessian=[1.0],
    ...     outer_hessian=[1.0],
    ...     target=[1.0],
    ...     start=[0.0],
    ...     data=[0.0],
    ...     learning_rate=0.5,
    ...     start_covariance=[1.0],
    ...     windows=window_pairs("full", 2, 2),
    ... )
    >>> found.mean, found.covariance  # of 3/4 (start / 4 - 1)
    (array([-0.75]), array([[0.03515625]]))
    """

    mean: Array
    covariance: Array


class Costs(NamedTuple):
    """Multiply-adds for one example: a forward pass, a gradient, and a gradient with a product.

    Attributes
    ----------
    forward : int
    gradient : int
        Forward and backward to the weights.
    window : int
        A gradient, and the product of its derivative to weights and inputs with a vector.

    Examples
    --------
    >>> perceptron_costs([64, 64, 10])
    Costs(forward=4736, gradient=10112, window=30336)
    """

    forward: int
    gradient: int
    window: int


# --- rules --------------------------------------------------------------------------------------


def window_pairs(rule: str, n_steps: int, window: int) -> tuple[tuple[int, int], ...]:
    """Pairs of a number of inner steps and a window that a rule uses, each equally often.

    Parameters
    ----------
    rule : {"full", "truncated", "random", "random-truncated"}
    n_steps : int
        The longest run ``T`` >= 1.
    window : int
        ``M``, from 1 to ``n_steps``. Of "full" it has no effect, of "random" it is the shortest
        run.

    Returns
    -------
    tuple of (int, int)
        Steps ``N`` and the window of the last steps that are differentiated.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or the rule unknown.

    Examples
    --------
    >>> window_pairs("random-truncated", 5, 3)
    ((3, 3), (4, 3), (5, 3))
    """
    choice("rule", rule, RULES)
    longest = whole_number("n_steps", n_steps)
    width = whole_number("window", window, maximum=longest)
    if rule == "full":
        return ((longest, longest),)
    if rule == "truncated":
        return ((longest, width),)
    lengths = range(width, longest + 1)
    return tuple((n, n if rule == "random" else width) for n in lengths)


def window_coverage(n_steps: int, window: int, *, rule: str = "random-truncated") -> Array:
    r"""Probability that a rule differentiates each step of the longest run.

    Of the random window it is a trapezium,

    .. math:: \frac{[\min(T, t+M) - \max(M, t+1) + 1]_+}{T - M + 1},

    so that the first and the last step are differentiated least often.

    Parameters
    ----------
    n_steps, window, rule
        As in `window_pairs`.

    Returns
    -------
    ndarray, shape (n_steps,)
        Of the steps t = 0, ..., T - 1.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or the rule unknown.

    Examples
    --------
    >>> (8 * window_coverage(10, 3)).tolist()
    [1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, 1.0]
    """
    choice("rule", rule, RULES)
    T = whole_number("n_steps", n_steps)
    M = whole_number("window", window, maximum=T)
    t = np.arange(T, dtype=float)
    if rule == "full":
        return np.ones(T)
    if rule == "truncated":
        return np.where(t >= T - M, 1.0, 0.0)
    first, last = np.maximum(M, t + 1.0), np.minimum(T, t + M)
    if rule == "random":
        last = np.full(T, float(T))
    return np.asarray(np.maximum(last - first + 1.0, 0.0) / (T - M + 1.0))


# --- the quadratic problem ----------------------------------------------------------------------


def quadratic_end(
    hessian: ArrayLike,
    start: ArrayLike,
    data: ArrayLike,
    *,
    learning_rate: float,
    n_steps: int,
) -> Array:
    r"""Weights after gradient descent on the quadratic inner loss, :math:`A^N\theta_0 + (I-A^N)u`.

    Parameters
    ----------
    hessian : array_like, shape (d, d) or (d,)
        ``H``, symmetric; one dimension stands for a diagonal.
    start, data : array_like, shape (d,)
        :math:`\theta_0` and ``u``.
    learning_rate : float
        :math:`\alpha > 0`.
    n_steps : int
        ``N`` >= 0.

    Returns
    -------
    ndarray, shape (d,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Examples
    --------
    >>> quadratic_end([1.0, 0.2], [0, 1], [0.5, -0.5], learning_rate=0.4, n_steps=4).round(4)
    array([0.4352, 0.5746])
    """
    H = _symmetric("hessian", hessian)
    theta, u = (_vector(n, v, len(H)) for n, v in (("start", start), ("data", data)))
    steps = whole_number("n_steps", n_steps, minimum=0)
    return theta + _kept(H, _rate(learning_rate), steps) @ (u - theta)


def quadratic_outer_loss(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    data: ArrayLike,
    *,
    learning_rate: float,
    n_steps: int,
) -> float:
    r"""Outer loss :math:`\frac12(\theta_N-w)^\top Q(\theta_N-w)` after ``N`` inner steps.

    Parameters
    ----------
    hessian, start, data, learning_rate, n_steps
        As in `quadratic_end`.
    outer_hessian : array_like, shape (d, d) or (d,)
        ``Q``, symmetric.
    target : array_like, shape (d,)
        ``w``.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Examples
    --------
    >>> place = dict(start=[0, 1], data=[0.5, -0.5], learning_rate=0.4, n_steps=4)
    >>> quadratic_outer_loss([1.0, 0.2], [1, 3], [1, 2], **place)
    3.207...
    """
    end = quadratic_end(hessian, start, data, learning_rate=learning_rate, n_steps=n_steps)
    Q = _symmetric("outer_hessian", outer_hessian, len(end))
    off = end - _vector("target", target, len(end))
    return float(0.5 * off @ Q @ off)


def quadratic_meta_gradient(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    data: ArrayLike,
    *,
    learning_rate: float,
    n_steps: int,
    window: int,
) -> Array:
    r"""Meta-gradient of the quadratic problem through the last steps of the inner run.

    .. math:: \nabla_u F|_M = (I - A^M)^\top Q\,(\theta_N - w)

    The window multiplies the direction of curvature ``h`` by :math:`1 - (1-\alpha h)^M`: what it
    forgets are the slow directions.

    Parameters
    ----------
    hessian, outer_hessian, target, start, data, learning_rate, n_steps
        As in `quadratic_outer_loss`.
    window : int
        ``M``, from 0 to ``n_steps``.

    Returns
    -------
    ndarray, shape (d,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Notes
    -----
    Exact at any size. Where a data set is the same at all steps; else `quadratic_step_gradients`.

    Examples
    --------
    >>> problem = dict(outer_hessian=[1, 3], target=[1, 2], start=[0, 1], data=[0.5, -0.5])
    >>> quadratic_meta_gradient(
    ...     [1.0, 0.2], **problem, learning_rate=0.4, n_steps=10, window=4
    ... ).round(6)
    array([-0.437831, -1.572672])
    """
    H = _symmetric("hessian", hessian)
    d, rate = len(H), _rate(learning_rate)
    steps = whole_number("n_steps", n_steps, minimum=0)
    width = whole_number("window", window, minimum=0, maximum=steps)
    Q = _symmetric("outer_hessian", outer_hessian, d)
    end = quadratic_end(H, start, data, learning_rate=rate, n_steps=steps)
    return _kept(H, rate, width) @ Q @ (end - _vector("target", target, d))


def quadratic_step_gradients(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    data: ArrayLike,
    *,
    learning_rate: float,
    n_steps: int,
    window: int,
) -> Array:
    r"""Share of each inner step in the meta-gradient of the quadratic problem.

    If the data of step ``t`` had a name of their own, :math:`u_t`,

    .. math:: dF/du_t = \alpha H A^{N-1-t} Q\,(\theta_N - w)

    inside the window, and 0 before it.

    Parameters
    ----------
    hessian, outer_hessian, target, start, data, learning_rate, n_steps, window
        As in `quadratic_meta_gradient`, which is the sum over the steps.

    Returns
    -------
    ndarray, shape (n_steps, d)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Examples
    --------
    >>> problem = dict(outer_hessian=[1.0], target=[1.0], start=[0.0], data=[0.0])
    >>> quadratic_step_gradients([0.5], **problem, learning_rate=1.0, n_steps=3, window=2)[:, 0]
    array([ 0.  , -0.25, -0.5 ])
    """
    H = _symmetric("hessian", hessian)
    d, rate = len(H), _rate(learning_rate)
    steps = whole_number("n_steps", n_steps, minimum=0)
    width = whole_number("window", window, minimum=0, maximum=steps)
    Q = _symmetric("outer_hessian", outer_hessian, d)
    end = quadratic_end(H, start, data, learning_rate=rate, n_steps=steps)
    off = Q @ (end - _vector("target", target, d))
    age = np.arange(steps - 1, -1, -1)
    curvatures, directions = np.linalg.eigh(H)
    powers = (1.0 - rate * curvatures) ** age[:, None] * (age < width)[:, None]
    return np.asarray((rate * curvatures * powers * (directions.T @ off)) @ directions.T)


def quadratic_gradient_moments(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    data: ArrayLike,
    *,
    start_covariance: ArrayLike,
    learning_rate: float,
    windows: Pairs,
) -> GradientMoments:
    r"""Mean and covariance of the meta-gradient over random starts and random runs.

    Given the pair ``(N, M)`` the meta-gradient is linear in :math:`\theta_0`: with
    :math:`G = (I-A^M)Q A^N` its covariance is :math:`G S G^\top`. Over the pairs of a rule the
    covariance of the conditional means comes on top.

    Parameters
    ----------
    hessian, outer_hessian, target, data, learning_rate
        As in `quadratic_meta_gradient`.
    start : array_like, shape (d,)
        Mean of the starts.
    start_covariance : array_like, shape (d, d) or (d,)
        ``S``, symmetric; positive semi-definite, which is not checked.
    windows : iterable of (int, int)
        Pairs ``(N, M)``, each equally likely; see `window_pairs`.

    Returns
    -------
    GradientMoments

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Notes
    -----
    Exact for starts of any law with these two moments.

    Examples
    --------
    >>> one = quadratic_gradient_moments(
    ...     [1.0],
    ...     [1.0],
    ...     [1.0],
    ...     [0.0],
    ...     [0.0],
    ...     start_covariance=[1.0],
    ...     learning_rate=0.5,
    ...     windows=[(2, 1)],
    ... )
    >>> one.mean, one.covariance
    (array([-0.5]), array([[0.015625]]))
    """
    H = _symmetric("hessian", hessian)
    d, rate = len(H), _rate(learning_rate)
    Q, S = _symmetric("outer_hessian", outer_hessian, d), start_covariance
    S = _symmetric("start_covariance", S, d)
    pairs = _pairs(windows)
    problem: Any = {"outer_hessian": Q, "target": target, "start": start, "data": data}
    means = np.array(
        [
            quadratic_meta_gradient(H, **problem, learning_rate=rate, n_steps=n, window=m)
            for n, m in pairs
        ]
    )
    inside = np.zeros((d, d))
    for n, m in pairs:
        G = _kept(H, rate, m) @ Q @ (np.eye(d) - _kept(H, rate, n))
        inside += G @ S @ G.T / len(pairs)
    between = np.cov(means.T, bias=True).reshape(d, d)
    return GradientMoments(means.mean(axis=0), inside + between)


def quadratic_solution(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    basis: ArrayLike,
    *,
    learning_rate: float,
    windows: Pairs,
) -> Array:
    r"""Find the data :math:`u = Bv` at which the mean meta-gradient of a rule vanishes.

    .. math:: \sum_{(N,M)} B^\top(I-A^M)Q\left(A^N\theta_0 + (I-A^N)Bv - w\right) = 0

    Parameters
    ----------
    hessian, outer_hessian, target, start, learning_rate
        As in `quadratic_meta_gradient`.
    basis : array_like, shape (d, k)
        ``B``. Fewer columns than directions stand for fewer images than the problem needs.
    windows : iterable of (int, int)
        Pairs ``(N, M)`` of the rule; see `window_pairs`.

    Returns
    -------
    ndarray, shape (k,)
        ``v``. An outer gradient descent with small steps converges to it if the matrix of the
        equation is positive definite, as it is for small :math:`\alpha` and ``M = N``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, shapes do not fit, or the equation has no single root.

    Notes
    -----
    At one ``N``, with a square ``B`` and non-singular :math:`I-A^M` and ``Q``, the root does not
    depend on the window: truncation reweights the directions and moves nothing. It moves the root
    where the data are constrained, and where ``N`` is random.

    Examples
    --------
    >>> problem = dict(outer_hessian=[1, 3], target=[1, 2], start=[0, 1], learning_rate=0.4)
    >>> for rule in RULES:
    ...     windows = window_pairs(rule, 10, 4)
    ...     root = quadratic_solution([1.0, 0.2], basis=[[1], [1]], windows=windows, **problem)
    ...     print(rule, root.round(6))
    full [1.874288]
    truncated [1.635845]
    random [1.892472]
    random-truncated [1.741152]
    """
    H = _symmetric("hessian", hessian)
    d, rate = len(H), _rate(learning_rate)
    Q = _symmetric("outer_hessian", outer_hessian, d)
    w, theta = _vector("target", target, d), _vector("start", start, d)
    B = real_array("basis", basis, ndim=2)
    if B.shape[0] != d or B.shape[1] < 1:
        raise ValueError(f"basis must have shape ({d}, k) with k >= 1, got {B.shape}")
    k = B.shape[1]
    matrix, right = np.zeros((k, k)), np.zeros(k)
    for n, m in _pairs(windows):
        seen = B.T @ _kept(H, rate, m) @ Q
        reached = _kept(H, rate, n)
        matrix += seen @ reached @ B
        right += seen @ (w - theta + reached @ theta)
    if np.linalg.matrix_rank(matrix) < k:
        raise ValueError(f"basis must leave one root, got a singular equation for {k} columns")
    return np.asarray(np.linalg.solve(matrix, right), float)


def quadratic_growth(hessian: ArrayLike, *, learning_rate: float) -> float:
    r"""Largest rate at which perturbations of the weights grow, :math:`\ln\max_h|1-\alpha h|`.

    Parameters
    ----------
    hessian, learning_rate
        As in `quadratic_end`.

    Returns
    -------
    float
        For a step. Above 0 the norms of weights and meta-gradients explode: if
        :math:`\alpha > 2/h_{max}`, or if a curvature is negative. -inf if one step forgets all.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> round(quadratic_growth([1.0, 0.2], learning_rate=0.4), 4)
    -0.0834
    >>> quadratic_growth([1.0, 0.2], learning_rate=2.5) > 0
    True
    """
    curvatures = np.linalg.eigvalsh(_symmetric("hessian", hessian))
    largest = float(np.abs(1.0 - _rate(learning_rate) * curvatures).max())
    return float(np.log(largest)) if largest > 0.0 else -np.inf


# --- Adam -----------------------------------------------------------------------------------------


def adam_first_step_moments(
    learning_rate: float, eps: float, density_at_zero: float
) -> tuple[float, float]:
    r"""Mean size and mean square of the derivative of Adam's first step to the gradient.

    At the first step :math:`\theta_1 = \theta_0 - \alpha g/(|g|+\epsilon)`, so that
    :math:`\partial\theta_1/\partial g = -\alpha\epsilon/(|g|+\epsilon)^2`. If ``g`` has a
    density that is continuous at 0, with the value :math:`f_0`,

    .. math::
        E|\partial\theta_1/\partial g| \to 2\alpha f_0,\qquad
        E(\partial\theta_1/\partial g)^2 \approx \tfrac23\alpha^2 f_0/\epsilon.

    The mean is finite and the variance of order :math:`1/\epsilon`: the few coordinates whose first
    gradient happens to be nearest to 0 rule the sample mean.

    Parameters
    ----------
    learning_rate : float
        :math:`\alpha > 0`.
    eps : float
        :math:`\epsilon > 0`, small against the gradients.
    density_at_zero : float
        :math:`f_0 \ge 0`, in inverse units of the gradient.

    Returns
    -------
    tuple of float
        Mean of the size, mean of the square.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    Leading order as :math:`\epsilon \to 0`; for standard normal ``g`` and an epsilon of 1e-4 the
    first is 1.3e-4 of itself too large.

    Examples
    --------
    >>> first, second = adam_first_step_moments(0.02, 1e-4, 0.39894228)
    >>> round(first, 7), round(second, 6)
    (0.0159577, 1.063846)
    """
    return adam_step_moments(learning_rate, eps, density_at_zero, step=1)


def adam_step_moments(
    learning_rate: float,
    eps: float,
    density_at_zero: float,
    *,
    step: int,
    beta1: float = 0.9,
    beta2: float = 0.999,
) -> tuple[float, float]:
    r"""Moments as in `adam_first_step_moments` at a later step, the first with a gradient.

    A coordinate whose gradients have all been 0 makes a step
    :math:`\alpha r g/(s|g|+\epsilon)` at its first gradient, with
    :math:`r = (1-\beta_1)/(1-\beta_1^t)` and :math:`s^2 = (1-\beta_2)/(1-\beta_2^t)`. Hence

    .. math:: E|\cdot| \to 2\alpha f_0 r/s,\qquad E(\cdot)^2 \approx \tfrac23\alpha^2 f_0
              \frac{r^2}{s\,\epsilon}.

    Parameters
    ----------
    learning_rate, eps, density_at_zero
        As in `adam_first_step_moments`.
    step : int
        ``t`` >= 1, counted from 1.
    beta1, beta2 : float
        In [0, 1).

    Returns
    -------
    tuple of float
        Mean of the size, mean of the square.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    The law :math:`1/\epsilon` holds for gradients that were 0, or far below :math:`\epsilon`, at
    all steps before. With independent gradients at all steps it holds at the first step alone: at
    the second the mean square grows like :math:`\ln(1/\epsilon)`, and from the third on it is
    finite.

    Examples
    --------
    >>> first = adam_step_moments(0.02, 1e-8, 0.4, step=1)[1]
    >>> [round(adam_step_moments(0.02, 1e-8, 0.4, step=t)[1] / first, 3) for t in (2, 10)]
    [0.392, 0.074]
    """
    rate = _rate(learning_rate)
    small = real_number("eps", eps, minimum=0.0, open_minimum=True)
    density = real_number("density_at_zero", density_at_zero, minimum=0.0)
    t = whole_number("step", step)
    one, two = (
        real_number(name, value, minimum=0.0, maximum=1.0, open_maximum=True)
        for name, value in (("beta1", beta1), ("beta2", beta2))
    )
    r = (1.0 - one) / (1.0 - one**t)
    s = np.sqrt((1.0 - two) / (1.0 - two**t))
    first = 2.0 * rate * density * r / s
    second = 2.0 / 3.0 * rate**2 * density * r**2 / (s * small)
    return float(first), float(second)


# --- the outer loop -------------------------------------------------------------------------------


def clip_thresholds(norms: ArrayLike, *, decay: float = 0.9, factor: float = 2.0) -> Array:
    """Norms to which meta-gradients are clipped: multiples of their moving average.

    The average takes in a norm before that norm is clipped, and starts at the first one.

    Parameters
    ----------
    norms : array_like, shape (n,)
        Norms of the meta-gradients in their order, >= 0.
    decay : float
        Share in [0, 1) of the average that stays.
    factor : float
        > 0.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    A lone spike of ``r`` times the usual norm passes with ``factor * (decay + (1 - decay) * r)``
    of it: with the defaults a fifth of a large spike.

    Examples
    --------
    >>> clip_thresholds([2, 2, 8, 1])
    array([4.  , 4.  , 5.2 , 4.88])
    """
    sizes = real_array("norms", norms, ndim=1, minimum=0.0)
    stays = real_number("decay", decay, minimum=0.0, maximum=1.0, open_maximum=True)
    multiple = real_number("factor", factor, minimum=0.0, open_minimum=True)
    averages = np.empty_like(sizes)
    for k, size in enumerate(sizes):
        averages[k] = size if k == 0 else stays * averages[k - 1] + (1.0 - stays) * size
    return multiple * averages


def perceptron_costs(widths: Sequence[int]) -> Costs:
    r"""Multiply-adds of a fully connected network for one example.

    A layer costs ``f`` forward, and backward ``f`` to its weights and ``f`` to its input. The
    product of the derivative of a gradient with a vector (Pearlmutter's rule) costs twice as much
    as the gradient. The first layer needs no gradient to its input, and no tangent of it:
    ``2 f`` and ``4 f`` in place of ``3 f`` and ``6 f``.

    Parameters
    ----------
    widths : sequence of int
        Inputs, hidden layers, outputs; at least two, each >= 1.

    Returns
    -------
    Costs

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two widths, or one is out of range.

    Notes
    -----
    Counts matrix products only. Biases, activations and the optimiser are of lower order.

    Examples
    --------
    >>> costs = perceptron_costs([784, 128, 10])
    >>> [round(one / costs.forward, 2) for one in costs]
    [1.0, 2.01, 6.04]
    """
    sizes = [int(one) for one in whole_array("widths", list(widths))]
    if len(sizes) < 2:
        raise ValueError(f"widths must hold at least 2 numbers, got {sizes}")
    layers = [before * after for before, after in itertools.pairwise(sizes)]
    first, others = layers[0], sum(layers[1:])
    return Costs(first + others, 2 * first + 3 * others, 6 * first + 9 * others)


def meta_step_cost(
    widths: Sequence[int],
    *,
    windows: Pairs,
    n_distilled: int,
    n_outer: int,
    recompute: bool = False,
) -> float:
    r"""Multiply-adds of an exact meta-gradient: the least that a rule needs, on the average.

    With gradients for ``3 f`` and products for ``6 f``, that is
    :math:`3(N-M)f + 9Mf + 3f_{outer}`, up to the saving in the first layer.

    Parameters
    ----------
    widths : sequence of int
        As in `perceptron_costs`.
    windows : iterable of (int, int)
        Pairs ``(N, M)``, each equally likely; see `window_pairs`.
    n_distilled, n_outer : int
        Distilled examples of an inner step and real ones of the outer loss, >= 1.
    recompute : bool
        Whether the window keeps weights only and computes its gradients again on the way back.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    The longer the run against the window, the more a random window saves:

    >>> sizes = dict(n_distilled=10, n_outer=256)
    >>> full, rat = (
    ...     meta_step_cost([64, 64, 10], windows=window_pairs(rule, 40, 12), **sizes)
    ...     for rule in ("full", "random-truncated")
    ... )
    >>> round(full / rat, 3)
    1.926
    """
    costs = perceptron_costs(widths)
    pairs = _pairs(windows)
    inner, outer = whole_number("n_distilled", n_distilled), whole_number("n_outer", n_outer)
    if not isinstance(recompute, bool | np.bool_):
        raise TypeError(f"recompute must be a boolean, got {recompute!r}")
    step = costs.window + (costs.gradient if recompute else 0)
    total = sum((n - m) * costs.gradient + m * step for n, m in pairs)
    return float(inner * total / len(pairs) + outer * costs.gradient)


# --- checks ---------------------------------------------------------------------------------------


def _rate(learning_rate: float) -> float:
    return real_number("learning_rate", learning_rate, minimum=0.0, open_minimum=True)


def _symmetric(name: str, value: ArrayLike, size: int | None = None) -> Array:
    """Return a symmetric matrix; one dimension stands for a diagonal."""
    matrix = real_array(name, value)
    if matrix.ndim == 1:
        matrix = np.diag(matrix)
    if matrix.shape != (len(matrix),) * 2 or matrix.size == 0:
        raise ValueError(f"{name} must have shape (d, d) or (d,), d >= 1, got {matrix.shape}")
    if size is not None and len(matrix) != size:
        raise ValueError(f"{name} must have {size} directions as hessian has, got {len(matrix)}")
    if not np.allclose(matrix, matrix.T, rtol=1e-10, atol=1e-12 * np.abs(matrix).max(initial=0.0)):
        raise ValueError(f"{name} must be symmetric, got a matrix that is not")
    return matrix


def _vector(name: str, value: ArrayLike, size: int) -> Array:
    vector = real_array(name, value, ndim=1)
    if len(vector) != size:
        raise ValueError(f"{name} must have shape ({size},), got {vector.shape}")
    return vector


def _kept(hessian: Array, rate: float, steps: int) -> Array:
    """Return I - (I - rate * hessian)^steps, without cancellation where the rate is small."""
    curvatures, directions = np.linalg.eigh(hessian)
    x = rate * curvatures
    kept = 1.0 - (1.0 - x) ** steps
    slow = np.abs(x) < 0.5
    kept[slow] = -np.expm1(steps * np.log1p(-x[slow]))
    return np.asarray((directions * kept) @ directions.T)


def _pairs(windows: Pairs) -> list[tuple[int, int]]:
    pairs = []
    for given in windows:
        pair: Any = given
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"windows must hold pairs (n_steps, window), got {pair!r}")
        n = whole_number("windows", pair[0], minimum=0)
        pairs.append((n, whole_number("windows", pair[1], minimum=0, maximum=n)))
    if not pairs:
        raise ValueError("windows must hold at least one pair, got none")
    return pairs
