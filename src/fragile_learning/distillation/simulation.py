r"""Inner runs unrolled step by step: meta-gradients by hand, without a formula for their result.

The simulators know only the updates. They run them, keep what a backward pass needs, and go back
step by step; or they push a small change forward; or they draw and count. Nothing here is shared
with `fragile_learning.distillation.theory`, and nothing needs torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.optimize import root
from scipy.special import gammaln

from fragile_learning._validation import (
    as_generator,
    choice,
    real_array,
    real_number,
    whole_array,
    whole_number,
)

__all__ = [
    "OPTIMIZERS",
    "MlpRun",
    "adam_derivative",
    "adam_independent",
    "adam_quadrature",
    "central_difference",
    "draw_windows",
    "mlp_outer_loss",
    "mlp_run",
    "search_solution",
    "simulate_contractions",
    "simulate_linear_student",
    "simulate_meta_gradients",
    "unrolled_meta_gradient",
    "unrolled_outer_loss",
]

Array = NDArray[np.float64]
Random = np.random.Generator | np.random.SeedSequence | int

OPTIMIZERS = ("sgd", "momentum", "adam")
_MOMENTUM, _BETA1, _BETA2, _EPS = 0.9, 0.9, 0.999, 1e-8


# --- the quadratic problem ----------------------------------------------------------------------


def unrolled_meta_gradient(
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
    r"""Meta-gradient of the quadratic problem by running it, and going back through the window.

    Parameters
    ----------
    hessian, outer_hessian : array_like, shape (d, d)
    target, data : array_like, shape (d,)
    start : array_like, shape (..., d)
        Any number of starts at once.
    learning_rate : float
        > 0.
    n_steps, window : int
        ``0 <= window <= n_steps``.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> problem = dict(outer_hessian=[[1.0]], target=[1.0], start=[0.0], data=[0.0])
    >>> unrolled_meta_gradient([[0.5]], **problem, learning_rate=1.0, n_steps=3, window=2)
    array([-0.75])
    """
    H, Q = real_array("hessian", hessian, ndim=2), real_array("outer_hessian", outer_hessian)
    w, u = real_array("target", target, ndim=1), real_array("data", data, ndim=1)
    rate = real_number("learning_rate", learning_rate, minimum=0.0, open_minimum=True)
    steps = whole_number("n_steps", n_steps, minimum=0)
    width = whole_number("window", window, minimum=0, maximum=steps)
    theta = real_array("start", start)
    for _ in range(steps):
        theta = theta - rate * ((theta - u) @ H.T)
    adjoint = (theta - w) @ Q.T
    found = np.zeros_like(theta)
    for _ in range(width):
        pulled = adjoint @ H
        found = found + rate * pulled
        adjoint = adjoint - rate * pulled
    return found


def unrolled_outer_loss(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    data: ArrayLike,
    *,
    learning_rate: float,
    n_steps: int,
    window: int,
    frozen: ArrayLike,
) -> float:
    """Outer loss of a run with other data in the steps before the window.

    Its derivative to the data at ``frozen = data`` is the truncated meta-gradient.

    Parameters
    ----------
    hessian, outer_hessian, target, data, learning_rate, n_steps, window
        As in `unrolled_meta_gradient`.
    start : array_like, shape (d,)
    frozen : array_like, shape (d,)
        Data of the first ``n_steps - window`` steps.

    Returns
    -------
    float

    Examples
    --------
    >>> problem = dict(outer_hessian=[[1.0]], target=[1.0], start=[0.0], data=[0.5], frozen=[0.0])
    >>> unrolled_outer_loss([[0.5]], **problem, learning_rate=1.0, n_steps=3, window=2)
    0.1953125
    """
    H, Q = real_array("hessian", hessian, ndim=2), real_array("outer_hessian", outer_hessian)
    w, u = real_array("target", target, ndim=1), real_array("data", data, ndim=1)
    theta, other = real_array("start", start, ndim=1), real_array("frozen", frozen, ndim=1)
    for t in range(n_steps):
        theta = theta - learning_rate * (H @ (theta - (other if t < n_steps - window else u)))
    return float(0.5 * (theta - w) @ Q @ (theta - w))


def central_difference(
    function: Callable[[Array], float], place: ArrayLike, *, step: float = 1e-6
) -> Array:
    """Gradient by central differences.

    Parameters
    ----------
    function : callable
        From an array of the shape of ``place`` to a number.
    place : array_like
    step : float
        > 0, for each entry alike.

    Returns
    -------
    ndarray
        Of the shape of ``place``; its error is of order ``step**2`` and 1e-16 / ``step``.

    Examples
    --------
    >>> central_difference(lambda x: float(x @ x), [1.0, 2.0]).round(6)
    array([2., 4.])
    """
    x = real_array("place", place)
    half = real_number("step", step, minimum=0.0, open_minimum=True)
    found = np.empty_like(x)
    for index in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[index] += half
        below[index] -= half
        found[index] = (function(above) - function(below)) / (above[index] - below[index])
    return found


def search_solution(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    basis: ArrayLike,
    *,
    learning_rate: float,
    windows: Sequence[tuple[int, int]],
) -> Array:
    """Find where the mean unrolled meta-gradient along a basis vanishes, by a root finder.

    Parameters
    ----------
    hessian, outer_hessian, target, start, learning_rate
        As in `unrolled_meta_gradient`, one start.
    basis : array_like, shape (d, k)
    windows : sequence of (int, int)

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    ValueError
        If the search does not end.

    Examples
    --------
    >>> problem = dict(outer_hessian=np.eye(1), target=[1], start=[0], learning_rate=0.5)
    >>> search_solution(np.eye(1), basis=[[1.0]], windows=[(1, 1)], **problem).round(9)
    array([2.])
    """
    B = real_array("basis", basis, ndim=2)
    problem: Any = {"outer_hessian": outer_hessian, "target": target, "start": start}

    def mean_gradient(v: Array) -> Array:
        total = np.zeros(len(B))
        for n, m in windows:
            total += unrolled_meta_gradient(
                hessian,
                **problem,
                data=B @ v,
                learning_rate=learning_rate,
                n_steps=n,
                window=m,
            )
        return np.asarray(B.T @ total / len(windows))

    place = np.zeros(B.shape[1])
    for _ in range(3):  # the equation is linear: later rounds polish
        found = root(mean_gradient, place, method="hybr", tol=1e-14)
        place = np.asarray(found.x)
    if np.abs(mean_gradient(place)).max() > 1e-9 * (1.0 + np.abs(mean_gradient(0 * place)).max()):
        raise ValueError(f"the search for a root did not end: {found.message}")
    return place


def simulate_meta_gradients(
    hessian: ArrayLike,
    outer_hessian: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    data: ArrayLike,
    *,
    start_std: ArrayLike,
    learning_rate: float,
    rule: str,
    n_steps: int,
    window: int,
    n_replicates: int,
    rng: Random,
) -> Array:
    """Meta-gradients of the quadratic problem from random starts and random runs.

    Parameters
    ----------
    hessian, outer_hessian, target, data, learning_rate, n_steps, window
        As in `unrolled_meta_gradient`.
    start, start_std : array_like, shape (d,)
        Means and standard deviations of independent normal coordinates.
    rule : {"full", "truncated", "random", "random-truncated"}
    n_replicates : int
        >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, d)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> problem = dict(outer_hessian=[[1.0]], target=[1.0], start=[0.0], data=[0.0])
    >>> rule = dict(rule="truncated", learning_rate=1.0, n_steps=3, window=2)
    >>> found = simulate_meta_gradients(
    ...     [[0.5]], **problem, **rule, start_std=[2.0], n_replicates=1000, rng=1
    ... )
    >>> found.shape, bool(abs(found.mean() + 0.75) < 0.03)  # -0.75 from 0, the mean start
    ((1000, 1), True)
    """
    generator = as_generator(rng)
    count = whole_number("n_replicates", n_replicates)
    middle = real_array("start", start, ndim=1)
    starts = middle + real_array("start_std", start_std, minimum=0.0) * generator.standard_normal(
        (count, len(middle))
    )
    lengths, widths = _draw_pairs(rule, n_steps, window, count, generator)
    found = np.empty_like(starts)
    for n in np.unique(lengths):
        rows = lengths == n
        found[rows] = unrolled_meta_gradient(
            hessian,
            outer_hessian,
            target,
            starts[rows],
            data,
            learning_rate=learning_rate,
            n_steps=int(n),
            window=int(widths[rows][0]),
        )
    return found


# --- windows ------------------------------------------------------------------------------------


def _draw_pairs(
    rule: str, n_steps: int, window: int, count: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw runs and the windows that are differentiated."""
    choice("rule", rule, ("full", "truncated", "random", "random-truncated"))
    longest = whole_number("n_steps", n_steps)
    width = whole_number("window", window, maximum=longest)
    lengths = np.full(count, longest)
    if rule.startswith("random"):
        lengths = generator.integers(width, longest + 1, size=count)
    return lengths, np.full(count, width) if "truncated" in rule else lengths.copy()


def draw_windows(rule: str, n_steps: int, window: int, *, n_draws: int, rng: Random) -> Array:
    """Count how often a rule differentiates each step, over random runs.

    Parameters
    ----------
    rule : {"full", "truncated", "random", "random-truncated"}
    n_steps, window : int
        Longest run, and window or shortest run.
    n_draws : int
        >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_steps,)
        Share of the draws whose window holds step t.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> draw_windows("truncated", 4, 2, n_draws=10, rng=1)
    array([0., 0., 1., 1.])
    """
    count = whole_number("n_draws", n_draws)
    ends, widths = _draw_pairs(rule, n_steps, window, count, as_generator(rng))
    edges = np.bincount(ends - widths, minlength=n_steps + 1).astype(float)
    edges -= np.bincount(ends, minlength=n_steps + 1)
    return np.asarray(np.cumsum(edges)[:n_steps] / count)


def simulate_contractions(
    mean: float,
    std: float,
    windows: Sequence[int],
    n_replicates: int,
    *,
    of: str = "data",
    law: str = "normal",
    rng: Random,
) -> Array:
    r"""Jacobians of random contractions, pushed forward step by step.

    A change of the data moves the weights of :math:`\theta^+ = a\theta + (1-a)u` by
    :math:`J^+ = aJ + (1-a)`, from 0 at the start of the window; a change of the start by
    :math:`J^+ = aJ`, from 1.

    Parameters
    ----------
    mean, std : float
        Of the independent factors ``a``.
    windows : sequence of int
        Steps >= 1 after which the Jacobian is read, rising.
    n_replicates : int
        >= 1.
    of : {"data", "start"}
        What is changed.
    law : {"normal", "uniform"}
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_windows)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> simulate_contractions(0.5, 0.0, [1, 2], 1, rng=1)
    array([[0.5 , 0.75]])
    """
    centre = real_number("mean", mean)
    spread = real_number("std", std, minimum=0.0)
    read = [int(m) for m in whole_array("windows", list(windows))]
    if not read or any(b <= a for a, b in itertools.pairwise(read)):
        raise ValueError(f"windows must rise, got {list(windows)}")
    count = whole_number("n_replicates", n_replicates)
    choice("of", of, ("data", "start"))
    choice("law", law, ("normal", "uniform"))
    generator = as_generator(rng)
    jacobian = np.full(count, 0.0 if of == "data" else 1.0)
    found = np.empty((count, len(read)))
    for step in range(1, read[-1] + 1):
        if law == "normal":
            noise = generator.standard_normal(count)
        else:
            noise = generator.uniform(-1.0, 1.0, count) * np.sqrt(3.0)
        a = centre + spread * noise
        jacobian = a * jacobian
        if of == "data":
            jacobian += 1.0 - a
        if step in read:
            found[:, read.index(step)] = jacobian
    return found


# --- Adam -----------------------------------------------------------------------------------------


def adam_derivative(
    gradients: ArrayLike,
    *,
    learning_rate: float,
    eps: float,
    beta1: float = _BETA1,
    beta2: float = _BETA2,
) -> Array:
    """Differentiate Adam's last update to its own gradient, by a complex step.

    Parameters
    ----------
    gradients : array_like, shape (..., n_steps)
        Gradients of a coordinate from the first step to the last, the last one not 0.
    learning_rate, eps : float
        > 0.
    beta1, beta2 : float

    Returns
    -------
    ndarray, shape (...)
        To rounding: a step of 1e-30 along the imaginary axis has no cancellation.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> round(float(adam_derivative([1.0], learning_rate=0.1, eps=1.0)), 4)
    -0.025
    """
    g = real_array("gradients", gradients)
    rate = real_number("learning_rate", learning_rate, minimum=0.0, open_minimum=True)
    small = real_number("eps", eps, minimum=0.0, open_minimum=True)
    if g.ndim == 0 or not g.shape[-1]:
        raise ValueError(f"gradients must hold at least 1 step, got shape {g.shape}")
    n_steps = g.shape[-1]
    tiny = 1e-30
    first = np.zeros(g.shape[:-1], complex)
    second = np.zeros(g.shape[:-1], complex)
    for t in range(n_steps):
        now = g[..., t] + (1j * tiny if t == n_steps - 1 else 0.0)
        first = beta1 * first + (1.0 - beta1) * now
        second = beta2 * second + (1.0 - beta2) * now**2
    root_mean_square = np.sqrt(second / (1.0 - beta2**n_steps))
    update = -rate * (first / (1.0 - beta1**n_steps)) / (root_mean_square + small)
    return np.asarray(update.imag / tiny)


def adam_quadrature(*, learning_rate: float, eps: float, step: int = 1) -> tuple[float, float]:
    """Mean size and mean square of `adam_derivative` for a standard normal gradient.

    All gradients before the last are 0. The integral is over the logarithm of the gradient.

    Parameters
    ----------
    learning_rate, eps : float
        > 0.
    step : int
        >= 1.

    Returns
    -------
    tuple of float

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> first, second = adam_quadrature(learning_rate=0.02, eps=1e-4)
    >>> round(first, 8), round(second, 6)
    (0.01595569, 1.063846)
    """
    t = whole_number("step", step)

    def integrand(log_size: float, power: int) -> float:
        size = float(np.exp(log_size))
        gradients = np.zeros(t)
        gradients[-1] = size
        slope = adam_derivative(gradients, learning_rate=learning_rate, eps=eps)
        density = 2.0 * np.exp(-0.5 * size**2) / np.sqrt(2.0 * np.pi)  # of both signs
        return float(np.abs(slope) ** power * density * size)

    middle = float(np.log(eps))
    ends = middle - 30.0, np.log(12.0)
    moments = [
        quad(integrand, *ends, args=(power,), points=[middle], epsabs=0.0, epsrel=1e-10, limit=200)
        for power in (1, 2)
    ]
    return float(moments[0][0]), float(moments[1][0])


def adam_independent(
    *, learning_rate: float, eps: float, step: int, n_directions: int, rng: Random
) -> tuple[float, float]:
    """Mean square of `adam_derivative` for independent standard normal gradients at all steps.

    The gradients of a coordinate are a vector: its length is integrated over on a logarithmic grid,
    its direction is drawn. So the rare small ones need no luck.

    Parameters
    ----------
    learning_rate, eps : float
        > 0; ``eps`` down to 1e-8.
    step : int
        >= 1.
    n_directions : int
        >= 2.
    rng : Generator, SeedSequence or int

    Returns
    -------
    mean, standard_error : float

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> adam_independent(learning_rate=0.02, eps=1e-4, step=1, n_directions=2, rng=1)
    (1.0638460692450107, 0.0)
    """
    t = whole_number("step", step)
    count = whole_number("n_directions", n_directions, minimum=2)
    small = real_number("eps", eps, minimum=1e-8)
    directions = as_generator(rng).standard_normal((count, t))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    logs = np.linspace(np.log(small) - 20.0, np.log(20.0 + 2.0 * np.sqrt(t)), 1500)
    sizes = np.exp(logs)
    # of the length, times the length: the grid is of logarithms
    density = 2.0 * np.exp(t * logs - 0.5 * sizes**2 - 0.5 * t * np.log(2.0) - gammaln(0.5 * t))
    found = np.zeros(count)
    for size, share in zip(sizes, density * (logs[1] - logs[0]), strict=True):
        slopes = adam_derivative(size * directions, learning_rate=learning_rate, eps=small)
        found += share * slopes**2
    return float(found.mean()), float(found.std(ddof=1) / np.sqrt(count))


# --- a small network ------------------------------------------------------------------------------


class MlpRun(NamedTuple):
    """What an inner run of a small network gives.

    Attributes
    ----------
    outer_loss : float
    gradient : ndarray
        Meta-gradient, of the shape of the images.
    end : ndarray
        Weights at the end.
    n_multiplications : int
        Multiply-adds of all matrix products.

    Examples
    --------
    >>> how = dict(optimizer="sgd", learning_rate=0.5, n_steps=0, window=0)
    >>> run = mlp_run(np.zeros(4), [1, 2], [[1.0]], [0], [[1.0]], [0], **how)
    >>> round(run.outer_loss, 6), run.gradient, run.end  # ln 2: nothing was learned
    (0.693147, array([[0.]]), array([0., 0., 0., 0.]))
    """

    outer_loss: float
    gradient: Array
    end: Array
    n_multiplications: int


class _Counter:
    """Matrix products that are counted."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, a: Array, b: Array) -> Array:
        self.total += a.shape[0] * a.shape[1] * b.shape[1]
        return np.asarray(a @ b)


class _Pass(NamedTuple):
    """A forward and backward pass: inputs of the layers, slopes, errors at the outputs."""

    weights: list[Array]
    inputs: list[Array]
    slopes: list[Array]
    errors: list[Array]
    shares: Array
    loss: float
    gradient: Array


def _split(parameters: Array, widths: Sequence[int]) -> tuple[list[Array], list[Array]]:
    weights, biases, place = [], [], 0
    for before, after in itertools.pairwise(widths):
        weights.append(parameters[place : place + before * after].reshape(before, after))
        place += before * after
        biases.append(parameters[place : place + after])
        place += after
    return weights, biases


def _join(weights: Sequence[Array], biases: Sequence[Array]) -> Array:
    return np.concatenate(
        [part.ravel() for pair in zip(weights, biases, strict=True) for part in pair]
    )


def _pass(
    parameters: Array, widths: Sequence[int], images: Array, hot: Array, times: _Counter
) -> _Pass:
    """Mean cross-entropy of a ReLU network and its gradient to the parameters."""
    weights, biases = _split(parameters, widths)
    inputs, slopes = [images], []
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = times(inputs[-1], w) + b
        if k < len(weights) - 1:
            slopes.append((z > 0.0).astype(float))
            inputs.append(z * slopes[-1])
    top = z.max(axis=1, keepdims=True)
    exponentials = np.exp(z - top)
    totals = exponentials.sum(axis=1, keepdims=True)
    shares = exponentials / totals
    loss = float(np.mean(np.log(totals[:, 0]) + top[:, 0] - np.sum(z * hot, axis=1)))
    errors = [(shares - hot) / len(images)]
    for k in range(len(weights) - 1, 0, -1):
        errors.insert(0, times(errors[0], weights[k].T) * slopes[k - 1])
    parts = [times(x.T, e) for x, e in zip(inputs, errors, strict=True)]
    gradient = _join(parts, [e.sum(axis=0) for e in errors])
    return _Pass(weights, inputs, slopes, errors, shares, loss, gradient)


def _product(
    done: _Pass, widths: Sequence[int], vector: Array, times: _Counter
) -> tuple[Array, Array]:
    """Differentiate <gradient, vector> to parameters and images: the pass with tangents."""
    turn_w, turn_b = _split(vector, widths)
    layers = len(done.weights)
    tangents: list[Array | None] = [None]  # the images do not move
    for k in range(layers):
        moved = times(done.inputs[k], turn_w[k]) + turn_b[k]
        before = tangents[k]
        if before is not None:
            moved = moved + times(before, done.weights[k])
        if k < layers - 1:
            tangents.append(moved * done.slopes[k])
    p = done.shares
    turned = p * (moved - np.sum(p * moved, axis=1, keepdims=True)) / len(p)
    parts: list[Array] = []
    sums: list[Array] = []
    for k in range(layers - 1, -1, -1):
        part = times(done.inputs[k].T, turned)
        before = tangents[k]
        if before is not None:
            part = part + times(before.T, done.errors[k])
        parts.insert(0, part)
        sums.insert(0, turned.sum(axis=0))
        turned = times(turned, done.weights[k].T) + times(done.errors[k], turn_w[k].T)
        if k > 0:
            turned = turned * done.slopes[k - 1]
    return _join(parts, sums), turned


class _State(NamedTuple):
    parameters: Array
    first: Array
    second: Array


def _forward(state: _State, g: Array, optimizer: str, rate: float, t: int) -> _State:
    """One step of the inner optimiser; t counts from 1."""
    if optimizer == "sgd":
        return _State(state.parameters - rate * g, state.first, state.second)
    if optimizer == "momentum":
        velocity = _MOMENTUM * state.first + g
        return _State(state.parameters - rate * velocity, velocity, state.second)
    m = _BETA1 * state.first + (1.0 - _BETA1) * g
    v = _BETA2 * state.second + (1.0 - _BETA2) * g**2
    scale = np.sqrt(v / (1.0 - _BETA2**t)) + _EPS
    return _State(state.parameters - rate / (1.0 - _BETA1**t) * m / scale, m, v)


def _backward(
    after: _State, adjoint: _State, g: Array, optimizer: str, rate: float, t: int
) -> tuple[Array, _State]:
    """Adjoint of the gradient, and of the optimiser's state before the step."""
    if optimizer == "sgd":
        return -rate * adjoint.parameters, adjoint
    if optimizer == "momentum":
        velocity = adjoint.first - rate * adjoint.parameters
        return velocity, adjoint._replace(first=_MOMENTUM * velocity)
    k, c = rate / (1.0 - _BETA1**t), np.sqrt(1.0 - _BETA2**t)
    spread = np.sqrt(after.second)
    d = spread / c + _EPS
    first = adjoint.first - k * adjoint.parameters / d
    slope = np.divide(
        k * adjoint.parameters * after.first,
        2.0 * c * spread * d**2,
        out=np.zeros_like(g),
        where=spread > 0.0,
    )
    second = adjoint.second + slope
    back = (1.0 - _BETA1) * first + 2.0 * (1.0 - _BETA2) * g * second
    return back, adjoint._replace(first=_BETA1 * first, second=_BETA2 * second)


def _problem(
    parameters: ArrayLike, widths: Sequence[int], examples: Sequence[tuple[str, Any, Any]]
) -> tuple[Array, list[int], list[tuple[Array, Array]]]:
    """Check parameters and examples, and turn labels into rows of zeros with a one."""
    sizes = [int(one) for one in whole_array("widths", list(widths))]
    if len(sizes) < 2:
        raise ValueError(f"widths must hold at least 2 numbers, got {sizes}")
    theta = real_array("parameters", parameters, ndim=1)
    wanted = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    if len(theta) != wanted:
        raise ValueError(f"parameters must hold {wanted} numbers, got {len(theta)}")
    checked = []
    for name, inputs, labels in examples:
        x = real_array(name, inputs, ndim=2)
        if x.shape[1] != sizes[0] or not len(x):
            raise ValueError(f"{name} must have shape (n, {sizes[0]}), n >= 1, got {x.shape}")
        y = whole_array(f"labels of {name}", labels, minimum=0).astype(int)
        if y.shape != (len(x),) or y.max() >= sizes[-1]:
            raise ValueError(f"labels of {name} must be {len(x)} numbers below {sizes[-1]}")
        checked.append((x, np.eye(sizes[-1])[y]))
    return theta, sizes, checked


def mlp_run(
    parameters: ArrayLike,
    widths: Sequence[int],
    images: ArrayLike,
    labels: ArrayLike,
    outer_images: ArrayLike,
    outer_labels: ArrayLike,
    *,
    optimizer: str,
    learning_rate: float,
    n_steps: int,
    window: int,
) -> MlpRun:
    """Train a ReLU network on a few images, and differentiate the outer loss to the images.

    Both losses are mean cross-entropies. The backward pass is written out by hand.

    Parameters
    ----------
    parameters : array_like, shape (n_parameters,)
        Start: weights (inputs by outputs, row by row) and biases, layer by layer.
    widths : sequence of int
        Inputs, hidden layers, classes.
    images : array_like, shape (n_distilled, widths[0])
    labels : array_like, shape (n_distilled,)
        Classes from 0.
    outer_images, outer_labels : array_like
        Real examples of the outer loss.
    optimizer : {"sgd", "momentum", "adam"}
        Momentum 0.9; Adam with 0.9, 0.999 and 1e-8.
    learning_rate : float
        > 0.
    n_steps, window : int
        ``0 <= window <= n_steps``.

    Returns
    -------
    MlpRun

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or shapes do not fit.

    Notes
    -----
    The derivative of ReLU is taken as 0 at 0, that of a root at 0 as 0.

    Examples
    --------
    >>> how = dict(optimizer="sgd", learning_rate=0.5, n_steps=3, window=3)
    >>> rest = [0], [[1.0]], [0]  # the label, and a real image with its own
    >>> run = mlp_run(np.zeros(4), [1, 2], [[1.0]], *rest, **how)
    >>> up, down = (
    ...     mlp_outer_loss(np.zeros(4), [1, 2], [[x]], *rest, **how, frozen=[[1.0]])
    ...     for x in (1.0001, 0.9999)
    ... )
    >>> np.allclose(run.gradient, (up - down) / 0.0002)
    True
    """
    choice("optimizer", optimizer, OPTIMIZERS)
    rate = real_number("learning_rate", learning_rate, minimum=0.0, open_minimum=True)
    steps = whole_number("n_steps", n_steps, minimum=0)
    width = whole_number("window", window, minimum=0, maximum=steps)
    examples = [("images", images, labels), ("outer_images", outer_images, outer_labels)]
    theta, sizes, ((x, hot), (real, real_hot)) = _problem(parameters, widths, examples)
    times = _Counter()
    state = _State(theta, np.zeros_like(theta), np.zeros_like(theta))
    kept = []
    for t in range(1, steps + 1):
        done = _pass(state.parameters, sizes, x, hot, times)
        state = _forward(state, done.gradient, optimizer, rate, t)
        if t > steps - width:
            kept.append((t, done, state))
    outer = _pass(state.parameters, sizes, real, real_hot, times)
    adjoint = _State(outer.gradient, np.zeros_like(theta), np.zeros_like(theta))
    found = np.zeros_like(x)
    for t, done, after in reversed(kept):
        back, adjoint = _backward(after, adjoint, done.gradient, optimizer, rate, t)
        to_parameters, to_images = _product(done, sizes, back, times)
        adjoint = adjoint._replace(parameters=adjoint.parameters + to_parameters)
        found += to_images
    return MlpRun(outer.loss, found, state.parameters, times.total)


def mlp_outer_loss(
    parameters: ArrayLike,
    widths: Sequence[int],
    images: ArrayLike,
    labels: ArrayLike,
    outer_images: ArrayLike,
    outer_labels: ArrayLike,
    *,
    optimizer: str,
    learning_rate: float,
    n_steps: int,
    window: int,
    frozen: ArrayLike,
) -> float:
    """Outer loss of a run of `mlp_run` with other images in the steps before the window.

    Parameters
    ----------
    parameters, widths, images, labels, outer_images, outer_labels
        As in `mlp_run`.
    optimizer, learning_rate, n_steps, window
        As in `mlp_run`.
    frozen : array_like
        Images of the first ``n_steps - window`` steps, of the same shape.

    Returns
    -------
    float

    Examples
    --------
    >>> how = dict(optimizer="sgd", learning_rate=0.5, n_steps=3, window=1)
    >>> args = np.zeros(4), [1, 2], [[1.0]], [0], [[1.0]], [0]
    >>> same = mlp_outer_loss(*args, **how, frozen=[[1.0]])
    >>> same == mlp_run(*args, **how).outer_loss
    True
    >>> mlp_outer_loss(*args, **how, frozen=[[0.0]]) > same  # the first two steps saw nothing
    True
    """
    examples = [
        ("images", images, labels),
        ("outer_images", outer_images, outer_labels),
        ("frozen", frozen, labels),
    ]
    theta, sizes, ((x, hot), (real, real_hot), (other, _)) = _problem(parameters, widths, examples)
    times = _Counter()
    state = _State(theta, np.zeros_like(theta), np.zeros_like(theta))
    for t in range(1, n_steps + 1):
        now = other if t <= n_steps - window else x
        done = _pass(state.parameters, sizes, now, hot, times)
        state = _forward(state, done.gradient, optimizer, learning_rate, t)
    return _pass(state.parameters, sizes, real, real_hot, times).loss


# --- linear models --------------------------------------------------------------------------------


def simulate_linear_student(
    images: ArrayLike, labels: ArrayLike, *, learning_rate: float, n_steps: int
) -> Array:
    """Weights of a linear model after gradient descent from 0 on distilled examples.

    The loss is the sum of the halved squared errors.

    Parameters
    ----------
    images : array_like, shape (n, d)
    labels : array_like, shape (n, c)
    learning_rate : float
        > 0.
    n_steps : int
        >= 0.

    Returns
    -------
    ndarray, shape (d, c)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> simulate_linear_student([[1.0, 0.0]], [[2.0]], learning_rate=1.0, n_steps=1).tolist()
    [[2.0], [0.0]]
    """
    x, y = real_array("images", images, ndim=2), real_array("labels", labels, ndim=2)
    rate = real_number("learning_rate", learning_rate, minimum=0.0, open_minimum=True)
    weights = np.zeros((x.shape[1], y.shape[1]))
    for _ in range(whole_number("n_steps", n_steps, minimum=0)):
        weights = weights - rate * x.T @ (x @ weights - y)
    return weights
