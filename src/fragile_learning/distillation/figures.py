"""Figures of the tables without networks: each draws what it is given and computes nothing.

Lines are predictions, points are simulations or counts with two standard errors. Grey and dotted is
what to compare with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fragile_learning.style import (
    PALETTE,
    REFERENCE,
    STAR,
    draw_line,
    draw_points,
    foreground,
    generation_style,
    legend_above,
    looks_of,
    panels,
    plain_ticks,
    write_beside,
)
from fragile_learning.tables import rows_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "adam_figure",
    "contraction_figure",
    "cost_figure",
    "coverage_figure",
    "explosion_figure",
    "forgetting_figure",
    "growth_figure",
    "linear_figure",
    "roots_figure",
    "rule_style",
    "signal_figure",
]

RULE_NAMES = {
    "full": "BPTT",
    "truncated": "T-BPTT",
    "random": "R-BPTT",
    "random-truncated": "RaT-BPTT",
}
"""Names of the rules in the paper."""

_ORDER = ("random-truncated", "random", "full", "truncated")


def rule_style(rule: str) -> dict[str, Any]:
    """Return colour, marker and dash of a rule: the same in all figures of the room.

    Parameters
    ----------
    rule : {"full", "truncated", "random", "random-truncated"}

    Returns
    -------
    dict
        Keyword arguments for ``Axes.plot``.

    Examples
    --------
    >>> rule_style("random-truncated")["color"] == PALETTE["real"]
    True
    """
    return generation_style(_ORDER.index(rule), range(len(_ORDER)))


def _rules(axes: Axes, table: pd.DataFrame, curves: pd.DataFrame, x: str, **columns: str) -> None:
    """Draw a line and points for each rule."""
    for rule in (name for name in RULE_NAMES if name in set(table["rule"])):
        look, rows = rule_style(rule), rows_of(table, rule=rule)
        line = rows_of(curves, rule=rule)
        draw_line(axes, line[x], line[columns["law"]], look)
        error = rows[columns["se"]] if "se" in columns else np.zeros(len(rows))
        draw_points(axes, rows[x], rows[columns["mean"]], error, look, label=RULE_NAMES[rule])


def coverage_figure(table: pd.DataFrame) -> Figure:
    """How often each inner step is differentiated, by rule, for the shortest run of the table.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``coverage``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = coverage_figure(archived("coverage"))
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['BPTT', 'T-BPTT', 'R-BPTT', 'RaT-BPTT']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.6)
    rows = rows_of(table, n_steps=table["n_steps"].min())
    _rules(axes, rows, rows, "step", law="law", mean="mean", se="se")
    axes.set(xlabel="inner step $t$", ylabel="differentiated", ylim=(-0.04, 1.06))
    axes.set_xticks(range(0, int(rows["step"].max()) + 1, 3))
    legend_above(axes, 2)
    return figure


def forgetting_figure(curves: pd.DataFrame) -> Figure:
    """Share of a direction's meta-gradient that a window keeps, against the speed of the direction.

    Parameters
    ----------
    curves : DataFrame
        Of `fragile_learning.distillation.curves.curves` for ``quadratic-windows``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.curves import curves
    >>> figure = forgetting_figure(curves("quadratic-windows"))
    >>> len(figure.axes[0].lines)  # a window each
    4
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.6)
    for window, look in looks_of(curves["window"], falling=True).items():
        line = rows_of(curves, window=window)
        draw_line(axes, line["speed"], line["law"], look, label=f"$M$ = {window:g}")
    axes.set(
        xscale="log",
        xlabel=r"speed of the direction $\alpha h$",
        ylabel="share kept $1-(1-\\alpha h)^M$",
        ylim=(0.0, 1.03),
        xlim=(float(curves["speed"].min()), float(curves["speed"].max())),
    )
    legend_above(axes, 4)
    return figure


def roots_figure(table: pd.DataFrame) -> Figure:
    """Solution for one image and its loss at the end of the run, against the window, by rule.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``quadratic-roots``; of its runs, the shortest.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = roots_figure(archived("quadratic-roots"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['solution $v^*$', 'outer loss after 10 steps']
    >>> plt.close(figure)
    """
    rows = rows_of(table, data="one image", n_steps=table["n_steps"].min())
    figure, (above, below) = panels(2, 3.0)
    _rules(above, rows, rows, "window", law="law", mean="searched")
    _rules(below, rows, rows, "window", law="loss_at_end", mean="loss_at_end")
    steps = int(rows["n_steps"].max())
    for axes in (above, below):
        axes.set_xlabel("window $M$")
        axes.set_xticks(range(1, steps + 1))
    above.set_ylabel("solution $v^*$")
    below.set_ylabel(f"outer loss after {steps} steps")
    legend_above(above, 4)
    return figure


def signal_figure(table: pd.DataFrame) -> Figure:
    """Noise of the meta-gradient against its mean in the slow direction, by rule.

    The numbers are windows. Points on the dotted ray have the ratio of signal to noise of BPTT.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``quadratic-noise``; of its runs, the shortest.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = signal_figure(archived("quadratic-noise"))
    >>> figure.axes[0].get_xlabel()
    'size of the mean meta-gradient'
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    slow = rows_of(table, n_steps=table["n_steps"].min(), coordinate=table["coordinate"].max())
    for rule, name in RULE_NAMES.items():
        rows, look = rows_of(slow, rule=rule), rule_style(rule)
        spread = np.sqrt(rows["variance"])
        place = np.abs(rows["law"]), np.sqrt(rows["variance_law"])
        if rule == "full":
            ray = np.array([0.0, 1.3])
            axes.plot(ray * place[0].iloc[0], ray * place[1].iloc[0], **REFERENCE)
        else:
            draw_line(axes, *place, look)
        error = rows["variance_se"] / (2.0 * spread)
        draw_points(axes, np.abs(rows["mean"]), spread, error, look, label=name)
        for window, x, y in zip(rows["window"], *place, strict=True):
            if rule != "full":
                below = rule == "truncated"
                write_beside(axes, f"{window:g}", (x, y), xytext=(5, -7 if below else 8))
    axes.set(xlabel="size of the mean meta-gradient", ylabel="its standard deviation")
    axes.set(xlim=(0.0, 1.15 * float(slow["law"].abs().max())), ylim=(0.0, None))
    axes.set_ylim(top=1.15 * float(np.sqrt(slow["variance_law"].max())))
    legend_above(axes, 4)
    return figure


def contraction_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Mean squared error of the averaged Jacobian against the window, with the best ones starred.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``random-contraction``.
    curves : DataFrame
        Of `fragile_learning.distillation.curves.curves` for ``best-window``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.curves import curves
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = contraction_figure(archived("random-contraction"), curves("best-window"))
    >>> figure.axes[0].get_legend_handles_labels()[1][-1]
    'best window'
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    looks = looks_of(curves["n_draws"], falling=True)
    for n_draws, look in looks.items():
        line = rows_of(curves, n_draws=n_draws)
        draw_line(axes, line["window"], line["law"], look, label=f"{n_draws:,.0f} draws")
        axes.plot(
            float(line["best_window"].iloc[0]),
            float(line["best_law"].iloc[0]),
            color=look["color"],
            markeredgecolor=foreground(),
            **STAR,
        )
        rows = rows_of(table, factors="uniform", factor_mean=0.6, factor_std=1.0, n_draws=n_draws)
        if len(rows):
            draw_points(axes, rows["window"], rows["error"], rows["error_se"], look)
    axes.plot([], [], color=PALETTE["reference"], label="best window", **STAR)
    axes.axhline(1.0, **REFERENCE)
    axes.set(yscale="log", xlabel="window $M$", ylabel="mean squared error", ylim=(6e-4, 12.0))
    axes.set_xlim(float(curves["window"].min()), float(curves["window"].max()))
    legend_above(axes)
    return figure


def growth_figure(table: pd.DataFrame, curves: pd.DataFrame, *, factors: str = "normal") -> Figure:
    """Distance of Jacobians from 1 against the window: typical, root mean square, and of a sample.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``growth``.
    curves : DataFrame
        Of `fragile_learning.distillation.curves.curves` for it.
    factors : {"normal", "uniform"}
        Law of the random factors.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.curves import curves
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = growth_figure(archived("growth"), curves("growth"))
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['root mean square, exact', 'the same, sample of 1,000', 'typical']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    rows, lines = rows_of(table, factors=factors), rows_of(curves, factors=factors)
    lines = lines[lines["window"] <= 1.05 * rows["window"].max()]
    typical, sample, square = looks_of(range(3)).values()
    x = lines["window"]
    draw_line(axes, x, np.exp(lines["law_of_rms"]), square, label="root mean square, exact")
    size = int(rows["n_sample"].iloc[0])
    axes.plot(
        rows["window"],
        np.exp(rows["sample_rms"]),
        color=sample["color"],
        marker=sample["marker"],
        linestyle=sample["linestyle"],
        lw=1.4,
        label=f"the same, sample of {size:,}",
    )
    draw_line(axes, x, np.exp(lines["law"]), typical)
    height = np.exp(rows["mean"])
    draw_points(axes, rows["window"], height, height * rows["se"], typical, label="typical")
    axes.axhline(1.0, **REFERENCE)
    axes.set(yscale="log", xlabel="window $M$", ylabel="distance of $J_M$ from 1")
    legend_above(axes, 2)
    return figure


def explosion_figure(curves: pd.DataFrame) -> Figure:
    """Which moments of random contractions explode, by mean and spread of a step's factor.

    Parameters
    ----------
    curves : DataFrame
        Of `fragile_learning.distillation.curves.curves` for ``explosion``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.curves import curves
    >>> figure = explosion_figure(curves("explosion"))
    >>> figure.axes[0].get_legend_handles_labels()[1][:3]
    ['variance explodes above', 'mean size explodes above', 'typical size explodes above']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    names = {2.0: "variance", 1.0: "mean size", 0.0: "typical size"}
    for (order, name), look in zip(names.items(), looks_of(range(3)).values(), strict=True):
        line = rows_of(curves, order=order)
        draw_line(axes, line["mean"], line["std"], look, label=f"{name} explodes above")
    path = curves[curves["order"].isna()]
    axes.plot(
        path["mean"],
        path["std"],
        color=foreground(),
        linestyle=":",
        lw=1.6,
        label=r"learning rates $\alpha$",
    )
    plain = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 0.8}
    for rate in (0.2, 0.4, 0.6):
        place = path.iloc[int(np.argmin(np.abs(path["learning_rate"] - rate)))]
        axes.plot(place["mean"], place["std"], "o", color=foreground(), markersize=4)
        write_beside(axes, f"{rate:g}", (place["mean"], place["std"]), xytext=(8, 5), bbox=plain)
    axes.set(
        xlabel=r"mean of the factor $1-\alpha h$",
        ylabel="its standard deviation",
        xlim=(-1.0, 1.0),
        ylim=(0.0, 2.1),
    )
    axes.set_xticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    legend_above(axes, 2)
    return figure


def adam_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    r"""Mean square of the derivative of Adam's update against epsilon, by step.

    Above, coordinates whose gradients were 0 before; below, independent gradients at all steps.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``adam-steps``.
    curves : DataFrame
        Of `fragile_learning.distillation.curves.curves` for it.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.curves import curves
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = adam_figure(archived("adam-steps"), curves("adam-steps"))
    >>> [axes.get_title() for axes in figure.axes]
    ['no gradient before', 'independent gradients']
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2, 3.2)
    titles = {"zero": "no gradient before", "independent": "independent gradients"}
    looks = looks_of(table["step"])
    low, high = 0.6 * float(table["eps"].min()), 1.6 * float(table["eps"].max())
    for axes, (earlier, title) in zip(axes_list, titles.items(), strict=True):
        rows = rows_of(table, earlier=earlier)
        for step, look in looks.items():
            points = rows_of(rows, step=step)
            line = rows_of(curves, step=step)
            line = line[line["eps"].between(low, high)]
            name = f"step {step:g}"
            if earlier == "zero" and len(points):
                draw_line(axes, line["eps"], line["law"], look)
            elif len(points):
                draw_line(axes, points["eps"], points["mean"], look)
            # a step without points is named, too: the legend is for both panels
            draw_points(axes, points["eps"], points["mean"], points["se"], look, label=name)
        axes.set(xscale="log", yscale="log", xlabel=r"Adam's $\epsilon$", xlim=(low, high))
        axes.set_ylabel("mean square of $\\partial\\theta/\\partial g$")
        axes.set_title(title)
    heights = [value for axes in axes_list for value in axes.get_ylim()]
    for axes in axes_list:
        axes.set_ylim(min(heights), max(heights))
    legend_above(axes_list[0], 4)
    return figure


def cost_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Multiply-adds of a meta-gradient against the length of the run, by rule.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``costs``.
    curves : DataFrame
        Of `fragile_learning.distillation.curves.curves` for it.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.curves import curves
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = cost_figure(archived("costs"), curves("costs"))
    >>> figure.axes[0].get_ylabel()
    'million multiply-adds'
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.7)
    same = table["widths"].map(lambda value: "".join(str(value).split()) == "[64,64,10]")
    rows = table[same].assign(millions=lambda t: t["counted"] / 1e6)
    lines = curves.assign(millions=curves["law"] / 1e6)
    _rules(axes, rows, lines, "n_steps", law="millions", mean="millions")
    axes.set(xlabel="longest run $T$", ylabel="million multiply-adds", xlim=(0.0, 200.0))
    axes.set_ylim(bottom=0.0)
    window = int(lines["window"].iloc[0])
    axes.axvline(window, **REFERENCE)
    write_beside(axes, f"$M$ = {window}", (window, float(lines["millions"].max())))
    legend_above(axes, 4)
    return figure


def linear_figure(table: pd.DataFrame) -> Figure:
    """Error of linear models against the number of images they learn from.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``linear-sets``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = linear_figure(archived("linear-sets"))
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['floor', 'distilled, one step', 'real images']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.7)
    made, real = looks_of(range(2)).values()
    x = table["n_images"]
    draw_line(axes, x, table["law"], {"color": PALETTE["theory"], "linestyle": "-"}, label="floor")
    options: dict[str, Any] = {"linestyle": "none", "markersize": 5}
    axes.plot(
        x,
        table["one_step"],
        color=real["color"],
        marker=made["marker"],
        label="distilled, one step",
        **options,
    )
    axes.plot(
        x,
        table["real_images"],
        color=made["color"],
        marker=real["marker"],
        label="real images",
        **options,
    )
    axes.axhline(float(table["all_real"].iloc[0]), **REFERENCE)
    axes.axhline(float(table["nothing"].iloc[0]), **REFERENCE)
    for name, column, shift in (("all real data", "all_real", -9), ("no data", "nothing", 8)):
        place = (float(x.max()), float(table[column].iloc[0]))
        write_beside(axes, name, place, xytext=(0, shift), ha="right")
    axes.set(xlabel="images $B$", ylabel="squared error")
    axes.set_ylim(0.0, 1.12 * float(table["nothing"].max()))
    plain_ticks(axes.xaxis, range(1, int(x.max()) + 1))
    legend_above(axes)
    return figure
