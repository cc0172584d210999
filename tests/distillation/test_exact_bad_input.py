"""Every argument out of range is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.distillation import simulation, theory
from fragile_learning.distillation.curves import curves

EYE = np.eye(2)
PLACE = {
    "hessian": EYE,
    "outer_hessian": EYE,
    "target": [1.0, 2.0],
    "start": [0.0, 0.0],
    "data": [0.0, 0.0],
    "learning_rate": 0.1,
    "n_steps": 3,
    "window": 2,
}
ROOT = {k: v for k, v in PLACE.items() if k not in {"data", "n_steps", "window"}}
ROOT |= {"basis": EYE, "windows": [(2, 1)]}
MOMENTS = {k: v for k, v in PLACE.items() if k not in {"n_steps", "window"}}
MOMENTS |= {"start_covariance": EYE, "windows": [(2, 1)]}
MLP = {"optimizer": "sgd", "learning_rate": 0.1, "n_steps": 2, "window": 1}
NET = {
    "parameters": np.zeros(26),
    "widths": (3, 4, 2),
    "images": np.zeros((2, 3)),
    "labels": [0, 1],
    "outer_images": np.zeros((2, 3)),
    "outer_labels": [0, 1],
    **MLP,
}
COST = {"widths": [3, 2], "windows": [(2, 1)], "n_distilled": 1, "n_outer": 1}
CONTRACTION = {"mean": 0.5, "std": 0.1, "windows": [1, 2], "n_replicates": 3, "rng": 1}

CASES = [
    (theory.window_pairs, ("some", 3, 2), {}, ValueError, "rule must be one of 'full', "),
    (theory.window_pairs, ("full", 0, 1), {}, ValueError, "n_steps must be an integer >= 1"),
    (theory.window_pairs, ("full", 3, 4), {}, ValueError, "window must be .* <= 3, got 4"),
    (theory.window_pairs, ("full", 3.0, 2), {}, TypeError, "n_steps must be an integer"),
    (theory.window_coverage, (3, 4), {}, ValueError, "window must be .* <= 3, got 4"),
    (theory.window_coverage, (3, 2), {"rule": "x"}, ValueError, "rule must be one of"),
    (theory.jacobian_moments, (0.5, 0.2, 1), {}, ValueError, r"m2 must be >= m1\*\*2 = 0.25"),
    (theory.jacobian_moments, (0.5, 1.0, -1), {}, ValueError, "window must be an integer >= 0"),
    (theory.jacobian_moments, (np.inf, 1.0, 1), {}, ValueError, "m1 must be finite"),
    (theory.jacobian_error, (0.5, 1.0, -0.5, 2), {}, ValueError, "window must be finite and >= 0"),
    (theory.jacobian_error, (0.5, 1.0, 1, 0), {}, ValueError, "n_draws must be an integer >= 1"),
    (theory.best_window, (0.5, 1.5, 2.0), {}, TypeError, "n_draws must be an integer"),
    (theory.growth_rate, (0.5, -1.0, 1), {}, ValueError, "std must be finite and >= 0"),
    (theory.growth_rate, (0.5, 1.0, 101), {}, ValueError, "order must be finite .* <= 100"),
    (theory.growth_rate, (0.5, 1.0, 1), {"law": "x"}, ValueError, "law must be one of 'normal'"),
    (theory.explosion_order, (np.nan, 1.0), {}, ValueError, "mean must be finite"),
    (theory.adam_first_step_moments, (0.1, 0.0, 1), {}, ValueError, "eps must be finite and > 0"),
    (theory.adam_first_step_moments, (0.0, 1, 1), {}, ValueError, "learning_rate must be .*> 0"),
    (theory.adam_first_step_moments, (1, 1, -1), {}, ValueError, "density_at_zero must be .*>= 0"),
    (theory.adam_step_moments, (1, 1, 1), {"step": 0}, ValueError, "step must be an integer >= 1"),
    (
        theory.adam_step_moments,
        (1, 1, 1),
        {"step": 1, "beta2": 1.0},
        ValueError,
        "beta2 must be finite and >= 0 and < 1",
    ),
    (theory.clip_thresholds, ([-1.0],), {}, ValueError, "norms must be finite and >= 0"),
    (theory.clip_thresholds, ([1.0],), {"decay": 1.0}, ValueError, "decay must be .* < 1"),
    (theory.clip_thresholds, ([1.0],), {"factor": 0.0}, ValueError, "factor must be .* > 0"),
    (theory.clip_thresholds, ([[1.0]],), {}, ValueError, "norms must have 1 dimension"),
    (theory.perceptron_costs, ([3],), {}, ValueError, "widths must hold at least 2 numbers"),
    (theory.perceptron_costs, ([3, 0],), {}, ValueError, "widths must be finite and >= 1"),
    (theory.meta_step_cost, (), COST | {"windows": []}, ValueError, "windows must hold at least"),
    (theory.meta_step_cost, (), COST | {"windows": [3]}, TypeError, "windows must hold pairs"),
    (theory.meta_step_cost, (), COST | {"windows": [(1, 2)]}, ValueError, "windows must be .*<= 1"),
    (theory.meta_step_cost, (), COST | {"n_outer": 0}, ValueError, "n_outer must be an integer"),
    (theory.meta_step_cost, (), COST | {"recompute": 1}, TypeError, "recompute must be a boolean"),
    (theory.linear_distillation_floor, (EYE, EYE, -1), {}, ValueError, "n_images must be"),
    (theory.linear_distillation_floor, (EYE, [[1.0]], 1), {}, ValueError, "must have one n >= 1"),
    (theory.linear_distilled_set, (EYE, EYE, 3), {}, ValueError, "n_images must be .*<= 2, got 3"),
    (theory.quadratic_growth, (EYE,), {"learning_rate": 0}, ValueError, "learning_rate must be"),
    (theory.quadratic_growth, ([[1, 2], [0, 1]],), {"learning_rate": 1}, ValueError, "symmetric"),
    (theory.quadratic_growth, ([],), {"learning_rate": 1}, ValueError, r"shape \(d, d\) or \(d,\)"),
    (theory.quadratic_growth, ([[1, 2]],), {"learning_rate": 1}, ValueError, r"got \(1, 2\)"),
    (theory.quadratic_meta_gradient, (), PLACE | {"window": 4}, ValueError, "window must be"),
    (theory.quadratic_meta_gradient, (), PLACE | {"target": [1]}, ValueError, "target must have"),
    (theory.quadratic_meta_gradient, (), PLACE | {"outer_hessian": [1]}, ValueError, "2 direct"),
    (theory.quadratic_step_gradients, (), PLACE | {"data": [1]}, ValueError, "data must have"),
    (theory.quadratic_step_gradients, (), PLACE | {"window": -1}, ValueError, "window must be"),
    (theory.quadratic_gradient_moments, (), MOMENTS | {"windows": []}, ValueError, "windows must"),
    (
        theory.quadratic_gradient_moments,
        (),
        MOMENTS | {"start_covariance": [1.0]},
        ValueError,
        "start_covariance must have 2 directions",
    ),
    (theory.quadratic_solution, (), ROOT | {"basis": [[1.0]]}, ValueError, r"basis must .*\(2, k"),
    (theory.quadratic_solution, (), ROOT | {"basis": [[1, 1], [1, 1]]}, ValueError, "one root"),
    (theory.quadratic_solution, (), ROOT | {"windows": [(2, 0)]}, ValueError, "one root"),
    (simulation.mlp_run, (), NET | {"optimizer": "x"}, ValueError, "optimizer must be one of"),
    (simulation.mlp_run, (), NET | {"parameters": [0.0]}, ValueError, "parameters must hold 26"),
    (simulation.mlp_run, (), NET | {"labels": [0, 2]}, ValueError, "labels of images must be 2"),
    (simulation.mlp_run, (), NET | {"images": EYE}, ValueError, r"images must have shape \(n, 3\)"),
    (simulation.mlp_run, (), NET | {"widths": (3,)}, ValueError, "widths must hold at least 2"),
    (simulation.mlp_run, (), NET | {"window": 3}, ValueError, "window must be .*<= 2"),
    (simulation.draw_windows, ("x", 3, 2), {"n_draws": 1, "rng": 1}, ValueError, "rule must be"),
    (simulation.draw_windows, ("full", 3, 4), {"n_draws": 1, "rng": 1}, ValueError, "window must"),
    (
        simulation.simulate_contractions,
        (),
        CONTRACTION | {"windows": [2, 1]},
        ValueError,
        "windows must rise",
    ),
    (simulation.simulate_contractions, (), CONTRACTION | {"of": "x"}, ValueError, "of must be"),
    (simulation.simulate_contractions, (), CONTRACTION | {"rng": None}, TypeError, "rng must be"),
    (simulation.simulate_contractions, (), CONTRACTION | {"std": -1}, ValueError, "std must be"),
    (simulation.adam_derivative, (1.0,), {"learning_rate": 1, "eps": 1}, ValueError, "gradients"),
    (simulation.adam_derivative, ([1.0],), {"learning_rate": 1, "eps": 0}, ValueError, "eps must"),
    (
        simulation.adam_independent,
        (),
        {"learning_rate": 1, "eps": 1e-9, "step": 1, "n_directions": 2, "rng": 1},
        ValueError,
        "eps must be finite and >= 1e-08",
    ),
    (simulation.central_difference, (sum, [1.0]), {"step": 0}, ValueError, "step must be"),
    (curves, ("x",), {}, ValueError, "name must be one of"),
]


@pytest.mark.parametrize(("function", "args", "kwargs", "error", "message"), CASES)
def test_refused_by_name(function, args, kwargs, error, message):
    with pytest.raises(error, match=message):
        function(*args, **kwargs)
