"""Figures draw what they are given, in both modes, and change nothing; the curves beneath them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fragile_learning import style
from fragile_learning.debate import curves, figures, theory

WORKFLOWS = pd.DataFrame(
    [
        {
            "workflow": name,
            "n_samples": size,
            "generation": t,
            "law": 1.0 + t * rank,
            "mean": 1.1 + t * rank,
            "se": 0.1,
        }
        for rank, name in enumerate(theory.WORKFLOWS)
        for size in (10, 100)
        for t in (1, 2, 3)
    ]
)
WEIGHTS = pd.DataFrame(
    [
        {"generation": t, "ratio": ratio, "weight": w, "mean": 1.0, "se": 0.1}
        for t in (2, 40)
        for ratio in (0.25, 1.0, 4.0)
        for w in (0.3, 0.7)
    ]
)
GAUSSIAN = pd.DataFrame(
    [
        {
            "workflow": workflow,
            "unbiased": unbiased,
            "n_samples": size,
            "n_generations": length,
            "generation": t,
            "variance_mean": 1.0 / t,
            "variance_se": 0.01,
            "median": 0.5 / t,
        }
        for workflow in ("replace", "accumulate")
        for unbiased in (True, False)
        for size, length in ((20, 10), (20, 50), (5, 40))
        for t in (1, 5)
    ]
)
KERNEL = pd.DataFrame(
    [
        {
            "workflow": workflow,
            "generation": t,
            "gap_law": 0.1,
            "gap_mean": 0.1,
            "gap_se": 0.01,
            "valley": 0.1 * t,
        }
        for workflow in ("replace", "accumulate")
        for t in range(1, 31)
    ]
)
CASES = [
    ("workflows_figure", (WORKFLOWS,), 1),
    ("weights_figure", (WEIGHTS, curves.weight_curves()), 1),
    ("gaussian_figure", (GAUSSIAN, curves.gaussian_curves(50, 20)), 1),
    ("gap_figure", (KERNEL,), 2),
]


@pytest.mark.parametrize(("name", "arguments", "panels"), CASES)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_draws_in_both_modes_and_changes_nothing(name, arguments, panels, mode):
    before = [argument.copy() for argument in arguments]
    with style.use(mode):
        figure = getattr(figures, name)(*arguments)
        figure.canvas.draw()
    for now, then in zip(arguments, before, strict=True):
        pd.testing.assert_frame_equal(now, then)
    assert len(figure.axes) == panels
    assert figure.axes[-1].get_xlabel()
    assert all(axes.get_ylabel() and axes.has_data() for axes in figure.axes)
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    plt.close(figure)


def test_every_figure_is_drawn_here():
    assert {name for name, *_ in CASES} == set(figures.__all__)


def test_workflows_are_told_apart_and_the_largest_size_is_drawn():
    changed = WORKFLOWS.assign(mean=WORKFLOWS["mean"].where(WORKFLOWS["n_samples"] == 100, 77.0))
    figure = figures.workflows_figure(changed)
    bars = figure.axes[0].containers
    assert len(bars) == len(theory.WORKFLOWS)
    assert len({(b.lines[0].get_marker(), b.lines[0].get_color()) for b in bars}) == len(bars)
    assert max(np.max(bar.lines[0].get_ydata()) for bar in bars) < 30
    names = [text.get_text() for text in figure.axes[0].texts]
    assert len(names) == len(theory.WORKFLOWS) - 1  # both ways to accumulate share a name
    plt.close(figure)


def test_the_star_is_the_lowest_point():
    line = curves.weight_curves((0.5,))
    best = float(line["best"].iloc[0])
    assert best <= line["law"].min()
    assert line["law"].min() == pytest.approx(best, rel=1e-3)
    pooled = float(line["pooled"].iloc[0])
    assert line["pooled_law"].iloc[0] == theory.stationary_error(pooled, 0.5)


def test_gaussian_curves_are_the_laws():
    frame = curves.gaussian_curves(7, 5)
    assert (frame["expected"] == 1.0).all()
    np.testing.assert_array_equal(frame["typical"], theory.typical_variance(7, 5))
    law = theory.gaussian_chain("accumulate", 7, n_samples=5)
    np.testing.assert_array_equal(frame["accumulated"], law.variance)
