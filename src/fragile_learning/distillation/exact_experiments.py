"""Experiments that need no trained network: point functions, and their grids in both tiers.

A point function takes keyword arguments, draws from its own stream and returns rows of numbers.
``law`` is what the theory says; ``mean`` and ``se`` are those of the replicates.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from fragile_learning.distillation import simulation, theory
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import Experiment, grid

__all__ = ["EXACT_EXPERIMENTS", "TWO_DIRECTIONS"]

Array = NDArray[np.float64]
Point = dict[str, Any]
Row = dict[str, Any]

SEED = 20_231_110
RATE = 0.4

TWO_DIRECTIONS: dict[str, Any] = {
    "hessian": np.diag([1.0, 0.2]),
    "outer_hessian": np.diag([1.0, 3.0]),
    "target": np.array([1.0, 2.0]),
    "start": np.array([0.0, 1.0]),
}
"""A fast and a slow direction: the problem of the figures, without its data."""

_DATA = np.array([0.5, -0.5])
_STARTS = np.array([1.0, 1.0])  # standard deviations, where starts are drawn


def _random_problem(n_coordinates: int, rng: np.random.Generator) -> dict[str, Any]:
    """Draw a quadratic problem: curvatures from 0.02 to 2, the rate of 0.4 contracts all."""
    turn, _ = np.linalg.qr(rng.standard_normal((n_coordinates, n_coordinates)))
    root = rng.standard_normal((n_coordinates, n_coordinates))
    return {
        "hessian": (turn * np.geomspace(0.02, 2.0, n_coordinates)) @ turn.T,
        "outer_hessian": root @ root.T / n_coordinates,
        "target": rng.standard_normal(n_coordinates),
        "start": rng.standard_normal(n_coordinates),
    }


# --- the quadratic problem ------------------------------------------------------------------------


def windows_point(
    *, problem: str, n_coordinates: int, n_steps: int, window: int, rng: np.random.Generator
) -> list[Row]:
    """Meta-gradient: closed form, unrolled by hand, and by differences with frozen early data."""
    setting: dict[str, Any]
    if problem == "random":
        setting = _random_problem(n_coordinates, rng)
        data = rng.standard_normal(n_coordinates)
    else:
        setting, data = TWO_DIRECTIONS, _DATA
    sizes: Point = {"learning_rate": RATE, "n_steps": n_steps, "window": window}
    law = theory.quadratic_meta_gradient(**setting, data=data, **sizes)
    unrolled = simulation.unrolled_meta_gradient(**setting, data=data, **sizes)
    differenced = simulation.central_difference(
        lambda u: simulation.unrolled_outer_loss(**setting, data=u, frozen=data, **sizes),
        data,
        step=1e-4,
    )
    shares = theory.quadratic_step_gradients(**setting, data=data, **sizes).sum(axis=0)
    return [
        {
            "coordinate": k,
            "law": law[k],
            "sum_of_steps": shares[k],
            "unrolled": unrolled[k],
            "differenced": differenced[k],
        }
        for k in range(len(data))
    ]


_BASES = {"free": np.eye(2), "one image": np.ones((2, 1))}


def roots_point(
    *,
    data: str,
    rule: str,
    n_steps: int,
    window: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> list[Row]:
    """Where a rule's meta-gradient vanishes, by formula and by search, and the losses there."""
    basis = _BASES[data]
    pairs = theory.window_pairs(rule, n_steps, window)
    law = theory.quadratic_solution(
        **TWO_DIRECTIONS, basis=basis, learning_rate=RATE, windows=pairs
    )
    searched = simulation.search_solution(
        **TWO_DIRECTIONS, basis=basis, learning_rate=RATE, windows=pairs
    )
    losses = [
        theory.quadratic_outer_loss(
            **TWO_DIRECTIONS, data=basis @ law, learning_rate=RATE, n_steps=n
        )
        for n in range(window, n_steps + 1)
    ]
    return [
        {
            "coordinate": k,
            "law": law[k],
            "searched": searched[k],
            "loss_at_end": losses[-1],
            "mean_loss": float(np.mean(losses)),
        }
        for k in range(len(law))
    ]


def noise_point(
    *, rule: str, n_steps: int, window: int, n_replicates: int, rng: np.random.Generator
) -> list[Row]:
    """Mean and variance of the meta-gradient over random starts and runs."""
    pairs = theory.window_pairs(rule, n_steps, window)
    law = theory.quadratic_gradient_moments(
        **TWO_DIRECTIONS,
        data=_DATA,
        start_covariance=np.diag(_STARTS**2),
        learning_rate=RATE,
        windows=pairs,
    )
    found = simulation.simulate_meta_gradients(
        **TWO_DIRECTIONS,
        data=_DATA,
        start_std=_STARTS,
        learning_rate=RATE,
        rule=rule,
        n_steps=n_steps,
        window=window,
        n_replicates=n_replicates,
        rng=rng,
    )
    return [
        {
            "coordinate": k,
            "law": law.mean[k],
            "variance_law": law.covariance[k, k],
            **_moments(found[:, k]),
        }
        for k in range(found.shape[1])
    ]


def _moments(values: Array) -> Row:
    """Mean and variance of draws, each with its standard error."""
    mean, error = mean_and_standard_error(values)
    squares = (values - values.mean()) ** 2
    variance, variance_error = mean_and_standard_error(squares)
    factor = len(values) / (len(values) - 1)
    return {
        "mean": float(mean),
        "se": float(error),
        "variance": float(variance) * factor,
        "variance_se": float(variance_error) * factor,
    }


# --- random contractions --------------------------------------------------------------------------


def contraction_point(
    *,
    factors: str,
    factor_mean: float,
    factor_std: float,
    window: int,
    n_draws: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Mean and variance of the Jacobian, and the error of means of some draws."""
    found = simulation.simulate_contractions(
        factor_mean, factor_std, [window], n_replicates, law=factors, rng=rng
    )
    groups = found[: n_replicates // n_draws * n_draws, 0].reshape(-1, n_draws).mean(axis=1)
    error, error_se = mean_and_standard_error((groups - 1.0) ** 2)
    m2 = factor_mean**2 + factor_std**2
    exact = theory.jacobian_moments(factor_mean, m2, window)
    return {
        "law_of_mean": exact.mean,
        "law_of_variance": exact.variance,
        "law_of_error": theory.jacobian_error(factor_mean, m2, window, n_draws),
        **_moments(found[:, 0]),
        "error": float(error),
        "error_se": float(error_se),
    }


def best_window_point(
    *,
    factor_mean: float,
    factor_std: float,
    n_draws: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Best window: formula, a search of bias and variance, and the best whole number."""
    m2 = factor_mean**2 + factor_std**2

    def error(window: float) -> float:
        bias, noise = abs(factor_mean) ** window, m2**window - abs(factor_mean) ** (2.0 * window)
        return float(np.log(bias**2 + noise / n_draws))

    found = minimize_scalar(
        error, bounds=(0.0, 60.0), method="bounded", options={"xatol": 1e-10, "maxiter": 500}
    )
    whole = np.arange(1, 61)
    errors = np.array([error(float(m)) for m in whole])
    return {
        "law": theory.best_window(factor_mean, m2, n_draws),
        "searched": float(found.x),
        "best_whole": int(whole[np.argmin(errors)]),
        "error": float(np.exp(errors.min())),
        "error_of_40": float(np.exp(error(40))),
    }


def growth_point(
    *,
    factors: str,
    factor_mean: float,
    factor_std: float,
    window: int,
    n_replicates: int,
    n_sample: int,
    rng: np.random.Generator,
) -> Row:
    """Distance of a Jacobian from 1: logarithms of what is typical, and of the mean square."""
    found = simulation.simulate_contractions(
        factor_mean, factor_std, [window], n_replicates, of="start", law=factors, rng=rng
    )
    off = np.abs(found[:, 0])  # the distance of the other Jacobian, of the data, from 1
    typical, error = mean_and_standard_error(np.log(off))
    squares = (off[: n_replicates // n_sample * n_sample] ** 2).reshape(-1, n_sample)
    return {
        "law": window * theory.growth_rate(factor_mean, factor_std, 0.0, law=factors),
        "mean": float(typical),
        "se": float(error),
        "law_of_rms": window * theory.growth_rate(factor_mean, factor_std, 2.0, law=factors),
        "sample_rms": float(0.5 * np.median(np.log(squares.mean(axis=1)))),
        "explosion_order": theory.explosion_order(factor_mean, factor_std, law=factors),
    }


# --- windows and steps ----------------------------------------------------------------------------


def coverage_point(
    *, rule: str, n_steps: int, window: int, n_draws: int, rng: np.random.Generator
) -> list[Row]:
    """Probability that a step is differentiated: formula, and share of drawn runs."""
    law = theory.window_coverage(n_steps, window, rule=rule)
    found = simulation.draw_windows(rule, n_steps, window, n_draws=n_draws, rng=rng)
    errors = np.sqrt(law * (1.0 - law) / n_draws)
    return [{"step": t, "law": law[t], "mean": found[t], "se": errors[t]} for t in range(n_steps)]


def adam_point(
    *, earlier: str, step: int, eps: float, n_directions: int, rng: np.random.Generator
) -> Row:
    """Mean square of the derivative of Adam's update, by integration.

    ``earlier`` gradients are 0, or independent like the last; the law is for the former.
    """
    rate = 0.02
    density = 1.0 / np.sqrt(2.0 * np.pi)
    first_law, second_law = theory.adam_step_moments(rate, eps, density, step=step)
    if earlier == "zero":
        first, second = simulation.adam_quadrature(learning_rate=rate, eps=eps, step=step)
        return {
            "first_law": first_law,
            "first": first,
            "law": second_law,
            "mean": second,
            "se": 0.0,
        }
    second, error = simulation.adam_independent(
        learning_rate=rate, eps=eps, step=step, n_directions=n_directions, rng=rng
    )
    return {
        "first_law": first_law,
        "first": np.nan,
        "law": second_law,
        "mean": second,
        "se": error,
    }


def _slope_error(
    parameters: Array,
    widths: list[int],
    examples: tuple[Any, Any, Any, Any],
    sizes: Point,
    found: simulation.MlpRun,
    rng: np.random.Generator,
) -> float:
    """Error of a meta-gradient along a random direction, relative to its size."""
    images, *others = examples
    direction = rng.standard_normal(images.shape)
    direction /= np.linalg.norm(direction)

    def loss(shift: Any) -> float:
        moved = images + shift * direction
        return simulation.mlp_outer_loss(parameters, widths, moved, *others, **sizes, frozen=images)

    slope = float(simulation.central_difference(loss, 0.0))
    off = slope - float(np.sum(found.gradient * direction))
    return abs(off) / float(np.linalg.norm(found.gradient))


def costs_point(
    *,
    widths: list[int],
    optimizer: str,
    rule: str,
    n_steps: int,
    window: int,
    n_distilled: int,
    n_outer: int,
    checked: bool,
    rng: np.random.Generator,
) -> Row:
    """Multiply-adds of a meta-gradient, counted in a run of every pair of the rule."""
    pairs = theory.window_pairs(rule, n_steps, window)
    images = rng.standard_normal((n_distilled, widths[0]))
    examples = (
        images,
        np.arange(n_distilled) % widths[-1],
        rng.standard_normal((n_outer, widths[0])),
        rng.integers(widths[-1], size=n_outer),
    )
    parameters = np.concatenate(
        [rng.uniform(-1.0, 1.0, (a + 1) * b) / np.sqrt(a) for a, b in itertools.pairwise(widths)]
    )
    rates = {"sgd": 0.2, "momentum": 0.05, "adam": 0.02}
    counts, error = [], 0.0 if checked else np.nan
    for n, m in pairs:
        sizes: Point = {
            "optimizer": optimizer,
            "learning_rate": rates[optimizer],
            "n_steps": n,
            "window": m,
        }
        found = simulation.mlp_run(parameters, widths, *examples, **sizes)
        counts.append(found.n_multiplications)
        if checked:
            error = max(error, _slope_error(parameters, widths, examples, sizes, found, rng))
    place: Point = {"n_distilled": n_distilled, "n_outer": n_outer}
    law = theory.meta_step_cost(widths, windows=pairs, **place)
    full = theory.meta_step_cost(
        widths, windows=theory.window_pairs("full", n_steps, window), **place
    )
    return {
        "law": law,
        "counted": float(np.mean(counts)),
        "speed_up": full / law,
        "error": error,
    }


# --- linear models --------------------------------------------------------------------------------


def _fit_low_rank(X: Array, Y: Array, rank: int, rng: np.random.Generator) -> float:
    """Least squared error of rank-limited weights, by alternating least squares."""
    left = rng.standard_normal((X.shape[1], rank))
    error = np.inf
    for _ in range(5000):
        right = np.asarray(np.linalg.lstsq(X @ left, Y, rcond=None)[0], float)
        left = np.asarray(np.linalg.lstsq(X, Y @ np.linalg.pinv(right), rcond=None)[0], float)
        now = float(np.sum((Y - X @ left @ right) ** 2) / len(X))
        if error - now < 1e-14 * error:
            break
        error = now
    return min(now, error)


def linear_point(
    *, n_images: int, n_features: int, n_outputs: int, n_real: int, rng: np.random.Generator
) -> Row:
    """Error of linear models that learn from distilled sets: floor, students, search, real sets."""
    X = rng.standard_normal((n_real, n_features)) / np.sqrt(np.arange(1, n_features + 1))
    teacher = rng.standard_normal((n_features, n_outputs)) / np.sqrt(np.arange(1, n_outputs + 1))
    Y = X @ teacher + 0.5 * rng.standard_normal((n_real, n_outputs))

    def error(weights: Array) -> float:
        return float(np.sum((Y - X @ weights) ** 2) / n_real)

    images, labels = theory.linear_distilled_set(X, Y, n_images)
    one, many = (
        simulation.simulate_linear_student(images, labels, learning_rate=rate, n_steps=steps)
        for rate, steps in ((1.0, 1), (0.5, 60))
    )
    subsets = [rng.choice(n_real, n_images, replace=False) for _ in range(20)]
    return {
        "law": theory.linear_distillation_floor(X, Y, n_images),
        "one_step": error(one),
        "many_steps": error(many),
        "searched": _fit_low_rank(X, Y, n_images, rng),
        "real_images": float(
            np.mean([error(np.asarray(np.linalg.pinv(X[k]) @ Y[k])) for k in subsets])
        ),
        "nothing": theory.linear_distillation_floor(X, Y, 0),
        "all_real": error(np.asarray(np.linalg.lstsq(X, Y, rcond=None)[0], float)),
    }


# --- grids ----------------------------------------------------------------------------------------


def _windows_grid(sizes: list[int], lengths: list[int], windows: list[int]) -> list[Point]:
    fixed = [(10, 10), (10, 4), (4, 4), (30, 30), (30, 4)]
    points: list[Point] = [
        {"problem": "two directions", "n_coordinates": 2, "n_steps": n, "window": m}
        for n, m in fixed
    ]
    return points + [
        {"problem": "random", "n_coordinates": d, "n_steps": n, "window": m}
        for d in sizes
        for n in lengths
        for m in windows
        if m <= n
    ]


def _roots_grid(lengths: list[int], windows: list[int]) -> list[Point]:
    return [
        {"data": data, "rule": rule, "n_steps": n, "window": m}
        for data in _BASES
        for rule in theory.RULES
        for n in lengths
        for m in windows
        if m <= n
    ]


def _coverage_grid(sizes: list[tuple[int, int]], n_draws: int) -> list[Point]:
    return [
        {"rule": rule, "n_steps": n, "window": m, "n_draws": n_draws}
        for rule in theory.RULES
        for n, m in sizes
    ]


def _contraction_grid(count: int, *, long: bool) -> list[Point]:
    settings: list[tuple[str, float, float, tuple[int, ...]]] = [
        ("normal", 0.6, 1.0, (1, 2, 4)),
        ("uniform", 0.6, 1.0, (1, 2, 4)),
    ]
    settings += [("uniform", 0.8, 0.4, (1, 2, 4, 8)), ("uniform", -0.5, 0.5, (1, 2, 3))]
    if long:
        settings += [("uniform", 0.6, 1.0, (8,)), ("uniform", 0.9, 0.5, (1, 2, 4, 8))]
    return [
        {"factors": law, "factor_mean": mean, "factor_std": std, "window": m, "n_draws": 100}
        | {"n_replicates": count}
        for law, mean, std, windows in settings
        for m in windows
    ]


def _costs_grid(networks: list[tuple[list[int], int, int, int, int]]) -> list[Point]:
    small = [
        {"widths": [6, 9, 4], "optimizer": optimizer, "rule": rule, "n_steps": 8, "window": 3}
        | {"n_distilled": 4, "n_outer": 12, "checked": True}
        for optimizer in simulation.OPTIMIZERS
        for rule in theory.RULES
    ]
    return small + [
        {"widths": widths, "optimizer": "adam", "rule": rule, "n_steps": n, "window": m}
        | {"n_distilled": images, "n_outer": outer, "checked": False}
        for widths, n, m, images, outer in networks
        for rule in theory.RULES
    ]


def _one(name: str, description: str, point: Any, number: int, **fields: Any) -> Experiment:
    grids = {"quick": fields.pop("quick"), "full": fields.pop("full")}
    return Experiment(
        f"distillation/{name}", description, point, grids, seed=SEED + number, **fields
    )


_MOMENTS = ("mean", "se", "variance", "variance_se")

EXACT_EXPERIMENTS: tuple[Experiment, ...] = (
    _one(
        "quadratic-windows",
        "Meta-gradients of the quadratic problem: closed form, unrolled, by differences.",
        windows_point,
        0,
        quick=_windows_grid([5], [1, 12], [1, 3, 12]),
        full=_windows_grid([2, 5, 20], [1, 12, 100], [1, 3, 12, 100]),
        columns=("coordinate", "law", "sum_of_steps", "unrolled", "differenced"),
    ),
    _one(
        "quadratic-roots",
        "Data at which the meta-gradient of a rule vanishes: closed form, search, losses.",
        roots_point,
        1,
        quick=_roots_grid([10], list(range(1, 11))),
        full=_roots_grid([10, 40], [*range(1, 11), 15, 20, 30, 40]),
        columns=("coordinate", "law", "searched", "loss_at_end", "mean_loss"),
    ),
    _one(
        "quadratic-noise",
        "Mean and variance of meta-gradients over random starts and runs: law and simulation.",
        noise_point,
        2,
        quick=grid(rule=list(theory.RULES), n_steps=[10], window=[2, 4], n_replicates=[20_000]),
        full=grid(
            rule=list(theory.RULES), n_steps=[10, 30], window=[2, 4, 8], n_replicates=[500_000]
        ),
        columns=("coordinate", "law", "variance_law", *_MOMENTS),
    ),
    _one(
        "random-contraction",
        "Jacobian of a random contraction through a window: law and simulation.",
        contraction_point,
        3,
        quick=_contraction_grid(400_000, long=False),
        full=_contraction_grid(8_000_000, long=True),
        columns=(
            "law_of_mean",
            "law_of_variance",
            "law_of_error",
            *_MOMENTS,
            "error",
            "error_se",
        ),
    ),
    _one(
        "best-window",
        "Window with the least mean squared error: formula and search.",
        best_window_point,
        4,
        quick=grid(
            factor_mean=[0.6, 0.9], factor_std=[0.9, 1.0], n_draws=[2, 10, 100, 1000, 10_000, 10**6]
        ),
        full=grid(
            factor_mean=[-0.6, 0.3, 0.6, 0.8, 0.9],
            factor_std=[1.0, 1.2, 1.5],
            n_draws=[2, 3, 10, 30, 100, 300, 1000, 10_000, 10**5, 10**6],
        ),
        columns=("law", "searched", "best_whole", "error", "error_of_40"),
    ),
    _one(
        "growth",
        "Logarithm of the distance of a random Jacobian from 1: typical, and root mean square.",
        growth_point,
        5,
        quick=grid(
            factors=["normal", "uniform"],
            factor_mean=[0.6],
            factor_std=[1.0],
            window=[1, 2, 4, 8, 16, 32],
            n_replicates=[100_000],
            n_sample=[1000],
        ),
        full=grid(
            factors=["normal", "uniform"],
            factor_mean=[0.6],
            factor_std=[1.0],
            window=[1, 2, 4, 8, 12, 16, 24, 32, 48],
            n_replicates=[4_000_000],
            n_sample=[1000],
        ),
        columns=("law", "mean", "se", "law_of_rms", "sample_rms", "explosion_order"),
    ),
    _one(
        "coverage",
        "How often each inner step is differentiated, by rule: formula and drawn runs.",
        coverage_point,
        6,
        quick=_coverage_grid([(10, 3), (40, 12)], 100_000),
        full=_coverage_grid([(10, 3), (40, 12), (200, 60)], 10**6),
        columns=("step", "law", "mean", "se"),
    ),
    _one(
        "adam-steps",
        "Mean square of the derivative of Adam's update, against epsilon.",
        adam_point,
        7,
        quick=[
            {"earlier": earlier, "step": t, "eps": eps, "n_directions": 400}
            for earlier, steps in (("zero", (1, 2, 10)), ("independent", (2, 3, 10)))
            for t in steps
            for eps in (1e-2, 1e-3, 1e-4, 1e-5)
        ],
        full=[
            {"earlier": earlier, "step": t, "eps": eps, "n_directions": 4000}
            for earlier, steps in (("zero", (1, 2, 5, 10, 40)), ("independent", (2, 3, 5, 10)))
            for t in steps
            for eps in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
        ],
        columns=("first_law", "first", "law", "mean", "se"),
        nullable=("first",),
    ),
    _one(
        "costs",
        "Multiply-adds of an exact meta-gradient by rule: formula and count.",
        costs_point,
        8,
        quick=_costs_grid([([64, 64, 10], 40, 12, 10, 256)]),
        full=_costs_grid(
            [
                ([64, 64, 10], 40, 12, 10, 256),
                ([784, 128, 10], 60, 18, 10, 256),
                ([784, 256, 128, 10], 40, 12, 10, 1024),
            ]
        ),
        columns=("law", "counted", "speed_up", "error"),
        nullable=("error",),
    ),
    _one(
        "linear-sets",
        "Errors of linear models that learn from distilled sets: floor, students, real images.",
        linear_point,
        9,
        quick=grid(n_images=[1, 2, 3, 5, 8, 10], n_features=[30], n_outputs=[10], n_real=[300]),
        full=grid(n_images=list(range(1, 11)), n_features=[100], n_outputs=[10], n_real=[3000]),
        columns=("law", "one_step", "many_steps", "searched", "real_images", "nothing", "all_real"),
        stream_keys=("n_features", "n_outputs", "n_real"),
    ),
)
