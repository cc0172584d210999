"""The primer's figures show the numbers that they are given."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from fragile_learning import primer_figures


@pytest.fixture(autouse=True)
def quiet_backend():
    import matplotlib.pyplot as plt

    before = mpl.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


def drawn_lines(figure):
    return [line.get_xydata() for line in figure.axes[0].lines]


def holds(figure, expected):
    return any(
        line.shape == np.shape(expected) and np.allclose(line, expected, equal_nan=True)
        for line in drawn_lines(figure)
    )


def test_kappa_figure_draws_curves_and_points():
    curves = {0.0: [1.0, 0.5, 0.0], 0.1: [1.2, 0.7, 0.3]}
    figure = primer_figures.kappa_figure(
        [0.1, 0.5, 1.0], curves, [(0.5, 0.1, 0.72, 0.01), (0.1, 0.0, 1.1, 0.02)]
    )
    assert holds(figure, [(0.1, 1.0), (0.5, 0.5)]), "the zero is left out"
    assert holds(figure, [(0.1, 1.2), (0.5, 0.7), (1.0, 0.3)])
    assert holds(figure, [(0.5, 0.72)])
    assert not holds(figure, [(0.5, 0.73)])
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"
    assert len(figure.axes[0].get_legend().get_texts()) == 2


def test_clean_risk_figure_leaves_a_gap_at_the_pole():
    figure = primer_figures.clean_risk_figure(
        [0.5, 1.0, 2.0], {"none": [2.0, np.inf, 1.0]}, [("none", 2.0, 1.1, 0.1)]
    )
    assert holds(figure, [(0.5, 2.0), (1.0, np.nan), (2.0, 1.0)])
    assert holds(figure, [(2.0, 1.1)])


def test_numbers_below_the_clean_risk_figure_do_not_overlap():
    ratios = np.geomspace(0.2, 5.0, 101)
    figure = primer_figures.clean_risk_figure(ratios, {"small": 1.0 / ratios}, [])
    figure.canvas.draw()
    axis = figure.axes[0].xaxis
    ticks = axis.get_ticklabels(which="both")
    shown = [tick.get_window_extent() for tick in ticks if tick.get_text()]
    assert len(shown) >= 3
    assert all(left.x1 < right.x0 for left, right in pairwise(sorted(shown, key=lambda b: b.x0)))


def test_finite_size_figure_guides_fall_like_one_over_size():
    rows = [("resolvent", 10, 0.4, 0.01), ("resolvent", 20, 0.25, 0.01), ("noise", 10, 0.1, 0.0)]
    figure = primer_figures.finite_size_figure(rows)
    assert holds(figure, [(10, 0.4), (20, 0.25)])
    assert holds(figure, [(10, 0.4), (20, 0.2)]), "guide"
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["(D1)", "(D4)"]


def test_margin_figure_writes_each_verdict():
    figure = primer_figures.margin_figure(
        [("few", 1.0, 0.5, "inconclusive"), ("many", 1.02, 0.01, "agrees")], 1.0, 0.1
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["inconclusive", "agrees"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["few", "many"]


def test_heavy_tail_figure_counts_every_chain():
    figure = primer_figures.heavy_tail_figure([-9.0, -8.0, -2.0], -4.0, -5.0)
    bars = figure.axes[0].patches
    assert sum(bar.get_height() for bar in bars) == 3
    assert holds(figure, [(-4.0, 0.0), (-4.0, 1.0)])


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_figures_follow_the_style(mode):
    from fragile_learning import style

    with style.use(mode):
        figure = primer_figures.heavy_tail_figure([-9.0, -8.0], -4.0, -5.0)
        assert figure.get_facecolor() == mpl.colors.to_rgba(mpl.rcParams["figure.facecolor"])
