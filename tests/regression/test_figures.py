"""Figures draw what they are given, in both modes, and change nothing."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fragile_learning import style
from fragile_learning.regression import figures

GENERATIONS = [0, 1, 5]


def sweep(x, **columns):
    rows = [
        {"n_generations": n, x: value, "mean_total": n + value, "se_total": 0.1, **columns}
        for n in GENERATIONS
        for value in (0.1, 1.0, 10.0)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(theory_total=frame["mean_total"])


def with_values(column, values, **kwargs):
    return pd.concat([sweep(**kwargs).assign(**{column: v}) for v in values], ignore_index=True)


def measured(column):
    rows = [
        {
            "replicate": replicate,
            column: n,
            "n_samples": size,
            "policy": policy,
            "width": width,
            "error": 1.0 + n + 0.1 * replicate,
        }
        for replicate in range(3)
        for n in GENERATIONS
        for size in (10, 100)
        for policy in ("critical", "corrected")
        for width in (5, 50)
    ]
    return pd.DataFrame(rows)


SATURATION = pd.DataFrame(
    [
        {
            "n_generations": n,
            "shared_design": shared,
            **{f"{kind}_{part}": 1.0 + n for kind in ("theory", "mean") for part in parts},
            **{f"se_{part}": 0.1 for part in parts},
        }
        for n in GENERATIONS
        for shared in (True, False)
        for parts in [("generator_noise", "total")]
    ]
)
POLICIES = with_values("policy", ["critical", "fixed"], x="n_samples")
DESIGNS = with_values("shared_design", [True, False], x="ridge")
BEST = pd.DataFrame({"n_generations": GENERATIONS, "ridge": [0.1, 1.0, 2.0], "risk": 1.0})
CROSSOVER = pd.DataFrame({"n_samples": [1, 10], "generator_noise": 1.0, "sharp": 1.1, "order": 2.0})
STEPS = pd.DataFrame(
    {"step": [1, 2], "mean_signal": 1.0, "se_signal": 0.1, "recursion": 1.0, "printed": 0.5}
)
COUNTER = pd.DataFrame(
    {
        "label": ["a", "b", "c"],
        "value": [1.0, 2.0, 2.5],
        "error": [0.1, 0.0, 0.0],
        "kind": ["measured", "theory", "printed"],
    }
)

# name, arguments, keyword arguments, panels
CASES = [
    ("risk_figure", (sweep("ridge"), sweep("ridge")), {"x": "ridge"}, 1),
    ("risk_figure", (sweep("ridge"), sweep("ridge")), {"x": "ridge", "best": BEST}, 1),
    (
        "risk_figure",
        (sweep("n_samples"), sweep("n_samples")),
        {"x": "n_samples", "generator_samples": 2},
        1,
    ),
    ("policies_figure", (POLICIES, POLICIES), {"generator_samples": 2}, 2),
    ("designs_figure", (DESIGNS, DESIGNS), {}, 2),
    ("saturation_figure", (SATURATION,), {}, 2),
    ("counterexample_figure", (COUNTER,), {}, 1),
    ("crossover_figure", (CROSSOVER,), {"n_features": 5}, 1),
    ("projections_figure", (STEPS,), {}, 1),
    ("kernel_figure", (measured("n_generations"),), {"generator_samples": 20}, 2),
    ("features_figure", (measured("generation"),), {}, 1),
    ("networks_figure", (measured("generation"),), {}, 1),
]


@pytest.mark.parametrize(("name", "arguments", "keywords", "panels"), CASES)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_draws_in_both_modes_and_changes_nothing(name, arguments, keywords, panels, mode):
    before = [argument.copy() for argument in arguments]
    with style.use(mode):
        figure = getattr(figures, name)(*arguments, **keywords)
        figure.canvas.draw()
    for now, then in zip(arguments, before, strict=True):
        pd.testing.assert_frame_equal(now, then)
    assert len(figure.axes) == panels
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.has_data()
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    plt.close(figure)


def test_every_figure_is_drawn_here():
    assert {name for name, *_ in CASES} == set(figures.__all__)


def test_lines_are_predictions_and_points_measurements():
    curves = sweep("ridge").assign(theory_total=7.0)
    figure = figures.risk_figure(sweep("ridge"), curves, x="ridge")
    (axes,) = figure.axes
    lines = [line for line in axes.lines if len(line.get_ydata()) and line.get_marker() == "None"]
    flat = [line for line in lines if np.allclose(np.asarray(line.get_ydata(), float), 7.0)]
    assert len(flat) == len(GENERATIONS)
    shown = [bar.lines[0].get_ydata() for bar in axes.containers]
    assert [list(y) for y in shown] == [[n + v for v in (0.1, 1.0, 10.0)] for n in GENERATIONS]
    plt.close(figure)


def test_each_length_has_a_marker_and_a_dash_of_its_own():
    figure = figures.risk_figure(sweep("ridge"), sweep("ridge"), x="ridge")
    containers = figure.axes[0].containers
    assert len({bar.lines[0].get_marker() for bar in containers}) == len(GENERATIONS)
    assert len({bar.lines[0].get_color() for bar in containers}) == len(GENERATIONS)
    plt.close(figure)
