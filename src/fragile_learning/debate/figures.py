"""Figures of the room: each draws the tables it is given and computes nothing.

Lines are predictions, points are simulations with two standard errors. Colours run from real to
synthetic: the more a workflow loses, the nearer to synthetic. Grey and dotted is what to compare
with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fragile_learning.style import (
    PALETTE,
    REFERENCE,
    STAR,
    draw_line,
    draw_points,
    foreground,
    legend_above,
    looks_of,
    panels,
    plain_ticks,
    write_beside,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["gap_figure", "gaussian_figure", "weights_figure", "workflows_figure"]

# From the least error to the largest: name, words beside the line, how far to move them.
_WORKFLOWS = (
    ("real fresh, best weight", "fresh real, best weight", -7),
    ("real fresh, pooled", "fresh real, pooled", 5),
    ("real fresh, alone", "real data alone", 0),
    ("real kept, pooled", "first real kept, pooled", -2),
    ("accumulate, new designs", "accumulate", 3),
    ("accumulate, one design", "", 0),
    ("accumulate, subsample", "accumulate, subsample", 0),
    ("replace", "replace", 0),
)


def workflows_figure(table: pd.DataFrame) -> Figure:
    """Error against generation, one curve for each workflow, named at its end.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``workflows``; its largest number of samples is drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.debate.experiments import archived
    >>> figure = workflows_figure(archived("workflows"))
    >>> [text.get_text() for text in figure.axes[0].texts][-2:]
    ['accumulate, subsample', 'replace']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.4)
    looks = list(looks_of(range(len(_WORKFLOWS))).values())
    shown = table[table["n_samples"] == table["n_samples"].max()]
    last = int(shown["generation"].max())
    for (name, words, shift), look in zip(_WORKFLOWS, looks, strict=True):
        rows = shown[shown["workflow"] == name]
        draw_line(axes, rows["generation"], rows["law"], look)
        draw_points(axes, rows["generation"], rows["mean"], rows["se"], look)
        if words:
            write_beside(
                axes,
                words,
                (last, float(rows["law"].iloc[-1])),
                xytext=(8, shift),
                color=look["color"],
            )
    axes.set(yscale="log", xlabel="generation", ylabel="error / error of one fit")
    axes.set_xlim(0.5, last * 1.62)
    axes.set_xticks([t for t in range(1, last + 1) if t == 1 or t % 4 == 0])
    plain_ticks(axes.yaxis, (0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20))
    return figure


def weights_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Error in the long run against the weight of the real samples, by their relative number.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``weights``; its last generation is drawn.
    curves : DataFrame
        Of `fragile_learning.debate.curves.weight_curves`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.debate.experiments import archived
    >>> from fragile_learning.debate.curves import weight_curves
    >>> figure = weights_figure(archived("weights"), weight_curves())
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['$k$ = 4', '$k$ = 1', '$k$ = 0.25']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    axes.axhline(1.0, **REFERENCE)
    write_beside(axes, "real data alone", (0.30, 1.0), xytext=(0, 7))
    last = table[table["generation"] == table["generation"].max()]
    for ratio, look in looks_of(curves["ratio"], falling=True).items():
        line = curves[curves["ratio"] == ratio]
        draw_line(axes, line["weight"], line["law"], look)
        rows = last[last["ratio"] == ratio]
        draw_points(axes, rows["weight"], rows["mean"], rows["se"], look, label=f"$k$ = {ratio:g}")
        first = line.iloc[0]
        axes.plot(first["best"], first["best"], color=look["color"], **_edge(STAR))
        axes.plot(
            first["pooled"],
            first["pooled_law"],
            marker="X",
            markersize=8,
            linestyle="none",
            color=look["color"],
            markeredgecolor=foreground(),
            zorder=5,
        )
    axes.set(xlabel="weight $w$ of the real samples", ylabel="error / error of real data alone")
    axes.set_xlim(0.0, 1.03)
    axes.set_ylim(0.3, 1.6)
    legend_above(axes)
    return figure


def _edge(look: Any) -> dict[str, Any]:
    return {**look, "markeredgecolor": foreground()}


def gaussian_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Variance of Gaussian chains against generation: expected, typical, accumulated.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``gaussian``; the longest chains that replace, unbiased, are drawn, and
        those with as many samples that accumulate.
    curves : DataFrame
        Of `fragile_learning.debate.curves.gaussian_curves`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.debate.experiments import archived
    >>> from fragile_learning.debate.curves import gaussian_curves
    >>> figure = gaussian_figure(archived("gaussian"), gaussian_curves(500, 20))
    >>> figure.axes[0].get_yscale()
    'log'
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    fair = table[table["unbiased"]]
    replaced = fair[fair["workflow"] == "replace"]
    rows = replaced[replaced["n_generations"] == replaced["n_generations"].max()]
    size = int(rows["n_samples"].iloc[0])
    kept = fair[(fair["workflow"] == "accumulate") & (fair["n_samples"] == size)]
    typical: dict[str, Any] = {"color": PALETTE["synthetic"], "linestyle": "-", "marker": "o"}
    expected: dict[str, Any] = {
        "color": PALETTE["mixed"],
        "linestyle": (0, (4, 1.5)),
        "marker": "s",
    }
    accumulated: dict[str, Any] = {"color": PALETTE["real"], "linestyle": "-", "marker": "^"}
    draw_line(axes, curves["generation"], curves["expected"], expected, zorder=4)
    draw_points(
        axes,
        rows["generation"],
        rows["variance_mean"],
        rows["variance_se"],
        expected,
        label="replace, mean",
    )
    draw_line(axes, curves["generation"], curves["typical"], typical)
    axes.plot(
        rows["generation"],
        rows["median"],
        linestyle="none",
        marker="o",
        color=typical["color"],
        label="replace, median",
    )
    draw_line(axes, curves["generation"], curves["accumulated"], accumulated)
    draw_points(
        axes,
        kept["generation"],
        kept["variance_mean"],
        kept["variance_se"],
        accumulated,
        label="accumulate, mean",
    )
    axes.set(xscale="log", yscale="log", xlabel="generation", ylabel="variance / real variance")
    axes.set_ylim(top=10.0)
    legend_above(axes)
    return figure


def gap_figure(table: pd.DataFrame) -> Figure:
    """Share of draws between two modes (above), and how full the valley is (below).

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``kernel-chains``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.debate.experiments import archived
    >>> figure = gap_figure(archived("kernel-chains"))
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['replace', 'accumulate']
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 2.7)
    looks: dict[str, dict[str, Any]] = {
        "replace": {"color": PALETTE["synthetic"], "linestyle": "-", "marker": "o"},
        "accumulate": {"color": PALETTE["real"], "linestyle": (0, (4, 1.5)), "marker": "^"},
    }
    for workflow, look in looks.items():
        rows = table[table["workflow"] == workflow]
        draw_line(above, rows["generation"], rows["gap_law"], look)
        some = rows[rows["generation"] % max(1, len(rows) // 12) == 0]
        draw_points(
            above, some["generation"], some["gap_mean"], some["gap_se"], look, label=workflow
        )
        draw_line(below, rows["generation"], rows["valley"], look)
    below.axhline(1.0, **REFERENCE)
    above.set(ylabel="share in the gap", ylim=(0.0, None))
    below.set(xlabel="generation", ylabel=r"density at 0 / at $\pm a$", ylim=(0.0, None))
    legend_above(above)
    return figure
