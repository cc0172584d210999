"""Figures of the room: each draws the tables it is given and computes nothing but means.

Lines are predictions, points are simulations or measurements with two standard errors. The share of
synthetic data has one colour, marker and dash in all of them.
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
    legend_above,
    looks_of,
    panels,
    plain_ticks,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "help_figure",
    "image_figure",
    "image_width_figure",
    "iterative_figure",
    "markov_figure",
    "network_figure",
    "pareto_figure",
    "ridge_figure",
    "sample_figure",
    "story_figure",
    "weight_figure",
    "width_figure",
]

_RISK = "excess risk"


def _share(value: float) -> str:
    return "real only" if value == 0.0 else f"$p_2$ = {value:g}"


def sample_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    r"""Risk against samples, for least squares (above) and for a power law with ridge (below).

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``sample-sweep``.
    curves : DataFrame
        Of `fragile_learning.strong_collapse.curves.curves` for it.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.curves import curves
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = sample_figure(archived("sample-sweep"), curves("sample-sweep", "full"))
    >>> [axes.get_title() for axes in figure.axes]
    ['least squares', 'power law, ridge $\\lambda = 1/n$']
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2)
    titles = {"least squares": "least squares", "ridge 1/n": r"power law, ridge $\lambda = 1/n$"}
    looks = looks_of(curves["synthetic_fraction"])
    for axes, (policy, title) in zip(axes_list, titles.items(), strict=True):
        for share, look in looks.items():
            line = curves[(curves["policy"] == policy) & (curves["synthetic_fraction"] == share)]
            rows = table[(table["policy"] == policy) & (table["synthetic_fraction"] == share)]
            draw_line(axes, line["n_samples"], line["total"], look)
            draw_points(
                axes,
                rows["n_samples"],
                rows["mean_total"],
                rows["se_total"],
                look,
                label=_share(share),
            )
            departure = float(line["departure"].iloc[0])
            if np.isfinite(departure):
                axes.plot(
                    departure,
                    line["floor"].iloc[0],
                    color=look["color"],
                    markeredgecolor=foreground(),
                    **STAR,
                )
        axes.set(xscale="log", yscale="log", xlabel="samples $n$", ylabel=_RISK, title=title)
    axes_list[0].plot([], [], color=PALETTE["reference"], label="clean law meets floor", **STAR)
    legend_above(axes_list[0])
    return figure


def width_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Clean risk and what collapse adds against width: more features than samples, then fewer.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``width-sweep``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.curves import curves
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = width_figure(archived("width-sweep"), curves("width-sweep", "full"))
    >>> [axes.get_title() for axes in figure.axes]
    ['$d$ = 600, $n$ = 500', '$d$ = 300, $n$ = 500']
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2)
    sizes = sorted(set(table["n_features"]), reverse=True)
    clean = {"color": PALETTE["real"], "linestyle": "-", "marker": "o"}
    gap = {"color": PALETTE["synthetic"], "linestyle": "--", "marker": "s"}
    for axes, size in zip(axes_list, sizes, strict=True):
        rows = table[table["n_features"] == size]
        n = int(rows["n_samples"].iloc[0])
        line = curves[(curves["n_features"] == size) & (curves["ridge"] == "fixed")]
        best = curves[(curves["n_features"] == size) & (curves["ridge"] == "best")]
        draw_line(axes, line["width"], line["clean"], clean)
        draw_line(axes, line["width"], line["gap"], gap)
        axes.plot(
            best["width"],
            best["gap"],
            color=PALETTE["mixed"],
            lw=1.4,
            linestyle="-.",
            label="collapse, best ridge",
        )
        draw_points(
            axes, rows["width"], rows["mean_clean"], rows["se_clean"], clean, label="clean labels"
        )
        draw_points(
            axes,
            rows["width"],
            rows["mean_collapse"],
            rows["se_collapse"],
            gap,
            label="collapse",
        )
        axes.axvline(n, **REFERENCE)
        axes.annotate(
            "$m = n$",
            (n, 0.97),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            va="top",
        )
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="width $m$",
            ylabel=_RISK,
            title=f"$d$ = {size}, $n$ = {n}",
            xlim=(line["width"].min() * 5, line["width"].max()),
        )
    low, high = (axes.get_ylim() for axes in axes_list)
    for axes in axes_list:
        axes.set_ylim(max(min(low[0], high[0]), 3e-3), max(low[1], high[1]))
    legend_above(axes_list[0])
    return figure


def pareto_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Risk with a mixture against risk with real labels; a panel for each number of synthetic ones.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``pareto``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.curves import curves
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = pareto_figure(archived("pareto"), curves("pareto", "full"))
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['50 of 500 labels synthetic', '250 of 500 labels synthetic']
    >>> plt.close(figure)
    """
    import matplotlib as mpl

    counts = sorted(set(curves["n_synthetic"]))
    n = int(curves["n_samples"].iloc[0])
    figure, axes_list = panels(len(counts), 3.6)
    scale = mpl.colors.LogNorm(curves["per_sample"].min(), curves["per_sample"].max())
    colors = mpl.colormaps["viridis"]
    markers = dict(zip(sorted(set(curves["shift_size"])), ("s", "D", "^", "v"), strict=False))
    for axes, count in zip(axes_list, counts, strict=True):
        for size, marker in markers.items():
            line = curves[(curves["n_synthetic"] == count) & (curves["shift_size"] == size)]
            axes.plot(line["clean"], line["mixed"], color=PALETTE["reference"], lw=0.8, zorder=1)
            shown = line.iloc[::4]
            axes.scatter(
                shown["clean"],
                shown["mixed"],
                c=colors(scale(shown["per_sample"].to_numpy())),
                s=22,
                marker=marker,
                zorder=2,
            )
            axes.plot(
                [],
                [],
                color=foreground(),
                marker=marker,
                linestyle="none",
                label=f"$c^2$ = {size:g}",
            )
            rows = table[(table["n_synthetic"] == count) & (table["shift_size"] == size)]
            axes.errorbar(
                rows["mean_clean"],
                rows["mean_mixed"],
                2.0 * rows["se_mixed"],
                2.0 * rows["se_clean"],
                fmt="none",
                ecolor=foreground(),
                linewidth=1.2,
                zorder=4,
            )
        axes.axline((1.0, 1.0), slope=1.0, **REFERENCE)
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="excess risk, real labels only",
            ylabel="excess risk, mixture",
            title=f"{count} of {n} labels synthetic",
        )
        plain_ticks(axes.xaxis, (0.5, 1, 2, 3, 5, 10))
        plain_ticks(axes.yaxis, (0.5, 1, 2, 3, 5, 10))
    bar = figure.colorbar(
        mpl.cm.ScalarMappable(scale, colors), ax=axes_list, location="bottom", fraction=0.04
    )
    bar.set_label("width over samples, $m/n$")
    legend_above(axes_list[0], 4)
    return figure


def weight_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    r"""Risk of weighted least squares against the weight, beside the reported formula.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``weights``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.curves import curves
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = weight_figure(archived("weights"), curves("weights", "full"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['weight $\\alpha$ of the synthetic half']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    look = {"color": PALETTE["mixed"], "linestyle": "-", "marker": "o"}
    draw_line(axes, curves["weight"], curves["total"], look, label="derived here")
    axes.plot(
        curves["weight"],
        curves["reported"],
        color=PALETTE["synthetic"],
        linestyle="--",
        lw=1.4,
        label="as reported",
    )
    axes.plot(curves["weight"], curves["floor"], **REFERENCE, label=r"floor $\alpha^2c^2$")
    draw_points(
        axes, table["weight"], table["mean_total"], table["se_total"], look, label="simulated"
    )
    best = float(curves["best"].iloc[0])
    axes.plot(
        best,
        np.interp(best, curves["weight"], curves["total"]),
        color=PALETTE["theory"],
        markeredgecolor=foreground(),
        label="best weight",
        **STAR,
    )
    axes.set(yscale="log", xlabel=r"weight $\alpha$ of the synthetic half", ylabel=_RISK)
    axes.set_ylim(bottom=3e-3)
    legend_above(axes)
    return figure


def iterative_figure(table: pd.DataFrame) -> Figure:
    """Risk against rounds of mixing, real samples fresh or reused.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``iterative-mixing``, one size.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = iterative_figure(archived("iterative-mixing").query("n_samples == 400"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['round']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    looks: dict[str, dict[str, Any]] = {
        "fresh": {"color": PALETTE["real"], "linestyle": "-", "marker": "o"},
        "reused": {"color": PALETTE["synthetic"], "linestyle": "--", "marker": "s"},
        "reused, inputs too": {"color": PALETTE["mixed"], "linestyle": ":", "marker": "^"},
    }
    names = {
        "fresh": "fresh real samples",
        "reused": "the same real samples",
        "reused, inputs too": "… and the same inputs",
    }
    halves = table[table["synthetic_fraction"] < 1.0]
    for mode, look in looks.items():
        rows = halves[halves["mode"] == mode]
        draw_line(axes, rows["round"], rows["theory"], look)
        draw_points(axes, rows["round"], rows["mean"], rows["se"], look, label=names[mode])
    axes.axhline(float(halves["real_alone"].iloc[0]), **REFERENCE, label="real samples alone")
    axes.set(yscale="log", xlabel="round", ylabel=_RISK)
    legend_above(axes, 2)
    return figure


def ridge_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    r"""Risk against ridge on real labels (above) and on a mixture (below), for growing data.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``best-ridge``: the limit of the best ridge and of its risk.
    curves : DataFrame
        Of the same.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.curves import curves
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = ridge_figure(archived("best-ridge"), curves("best-ridge", "full"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['ridge $\\lambda$', 'ridge $\\lambda$', 'ridge $\\lambda$']
    >>> plt.close(figure)
    """
    shares = sorted(set(curves["synthetic_fraction"]))
    figure, axes_list = panels(len(shares), 2.7)
    looks = looks_of(curves["aspect_ratio"])
    for axes, share in zip(axes_list, shares, strict=True):
        for ratio, look in sorted(looks.items(), reverse=True):
            rows = curves[
                (curves["synthetic_fraction"] == share) & (curves["aspect_ratio"] == ratio)
            ]
            draw_line(axes, rows["ridge"], rows["total"], look, label=f"$d/n$ = {ratio:g}")
            axes.plot(
                rows["best_ridge"].iloc[0],
                rows["best_total"].iloc[0],
                color=look["color"],
                markeredgecolor=foreground(),
                **STAR,
            )
        limits = table[(table["synthetic_fraction"] == share) & (table["shift_size"] == 1.0)]
        if len(limits):
            axes.axvline(limits["predicted_ridge"].iloc[0], **REFERENCE)
            axes.axhline(limits["predicted_risk"].iloc[0], **REFERENCE)
        title = "real labels only" if share == 0.0 else f"$p_2$ = {share:g}"
        axes.set(
            xscale="log",
            yscale="log",
            xlabel=r"ridge $\lambda$",
            ylabel=_RISK,
            title=title,
            ylim=(2e-3, 3.0),
        )
    legend_above(axes_list[0])
    return figure


def help_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Risk against the number of synthetic samples added to a hundred real ones.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``helpful-synthetic``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.curves import curves
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = help_figure(archived("helpful-synthetic"), curves("helpful-synthetic", "full"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['synthetic samples $n_2$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    for size, look in looks_of(curves["relative_shift"]).items():
        line = curves[curves["relative_shift"] == size]
        rows = table[table["relative_shift"] == size]
        draw_line(axes, line["n_synthetic"], line["total"], look)
        draw_points(
            axes,
            rows["n_synthetic"],
            rows["mean_total"],
            rows["se_total"],
            look,
            label=f"{size:g} of the threshold",
        )
    axes.axhline(float(curves["total"].iloc[0]), **REFERENCE)
    axes.set_xscale("symlog", linthresh=3.0)
    axes.set(
        yscale="log",
        xlabel="synthetic samples $n_2$",
        ylabel=_RISK,
        xlim=(-0.3, curves["n_synthetic"].max() * 1.2),
    )
    plain_ticks(axes.yaxis, (0.3, 0.4, 0.5, 0.7, 1, 2, 3, 5))
    legend_above(axes, 2, title="$c^2$")
    return figure


# --- measurements -----------------------------------------------------------------------------


def _measured(axes: Axes, rows: Any, x: str, column: str) -> dict[float, dict[str, Any]]:
    """Means with two standard errors along an axis, for each share; the look of each share."""
    looks = looks_of(rows["synthetic_fraction"])
    for share, look in looks.items():
        groups = rows[rows["synthetic_fraction"] == share].groupby(x)[column]
        places, means = groups.mean().index.to_numpy(), groups.mean().to_numpy()
        draw_points(axes, places, means, groups.sem().to_numpy(), look, label=_share(share))
        draw_line(axes, places, means, look)
    return looks


def image_figure(table: pd.DataFrame) -> Figure:
    """Test error of random features against samples, for each share of generated labels.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``image-mixing``, one data set.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = image_figure(archived("image-mixing").query("data_used == 'digits'"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['images $n$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    rows: Any = table
    looks = _measured(axes, rows, "n_samples", "error")
    last = rows[rows["n_samples"] == rows["n_samples"].max()]
    quality = float((last["generator_error"] - last["clean_error"]).mean())
    clean = float(last["clean_error"].mean())
    end = float(rows["n_samples"].max())
    for share, look in looks.items():
        if share > 0.0:
            axes.plot(
                end * 1.25,
                clean + share**2 * quality,
                marker="_",
                markersize=14,
                markeredgewidth=2.0,
                color=look["color"],
                linestyle="none",
            )
    axes.plot(
        [],
        [],
        marker="_",
        markersize=14,
        markeredgewidth=2.0,
        color=PALETTE["reference"],
        linestyle="none",
        label="predicted floor",
    )
    axes.set(xscale="log", yscale="log", xlabel="images $n$", ylabel="squared test error")
    plain_ticks(axes.yaxis, (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6))
    legend_above(axes)
    return figure


def image_width_figure(table: pd.DataFrame) -> Figure:
    """Gap between mixed and clean test error against width, at a fixed number of images.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``image-width``, one data set.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = image_width_figure(archived("image-width").query("data_used == 'digits'"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['width $m$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.6)
    rows: Any = table.assign(gap=table["error"] - table["clean_error"])
    n = int(rows["n_samples"].iloc[0])
    _measured(axes, rows, "width", "gap")
    axes.axhline(0.0, **REFERENCE)
    axes.axvline(n, **REFERENCE)
    axes.annotate(
        "$m = n$",
        (n, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        va="top",
    )
    axes.set(xscale="log", xlabel="width $m$", ylabel="gap to clean labels")
    legend_above(axes)
    return figure


def network_figure(table: pd.DataFrame) -> Figure:
    """Gap of trained networks against width, one panel for each number of images.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``two-layer-networks``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = network_figure(archived("two-layer-networks"))
    >>> len(figure.axes), figure.axes[0].get_xlabel()
    (4, 'width $m$')
    >>> plt.close(figure)
    """
    rows: Any = table
    sizes = sorted(set(rows["n_samples"]))
    figure, axes_list = panels(len(sizes), 2.6)
    for axes, size in zip(axes_list, sizes, strict=True):
        _measured(axes, rows[rows["n_samples"] == size], "width", "error")
        axes.set(
            xscale="log", xlabel="width $m$", ylabel="squared test error", title=f"$n$ = {size:,}"
        )
        plain_ticks(axes.xaxis, sorted(set(rows["width"])))
    legend_above(axes_list[0])
    return figure


def markov_figure(table: pd.DataFrame) -> Figure:
    """Excess log-loss of bigram models against tokens, with the floor of each mixture.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``markov-chain``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = markov_figure(archived("markov-chain"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['tokens']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    rows: Any = table
    for share, look in _measured(axes, rows, "tokens", "excess").items():
        floor = float(rows.loc[rows["synthetic_fraction"] == share, "floor"].mean())
        if floor > 0.0:
            axes.axhline(floor, color=look["color"], linestyle=":", lw=1.2)
    axes.plot([], [], **REFERENCE, label="floor")
    axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel="excess log-loss, nats a token")
    legend_above(axes)
    return figure


def story_figure(table: pd.DataFrame) -> Figure:
    """Excess log-loss of small transformers against tokens, one panel for each depth.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``stories``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.strong_collapse.experiments import archived
    >>> figure = story_figure(archived("stories"))
    >>> [axes.get_title() for axes in figure.axes]
    ['1 layer', '2 layers', '4 layers']
    >>> plt.close(figure)
    """
    rows: Any = table
    depths = sorted(set(rows["n_layers"]))
    figure, axes_list = panels(len(depths), 2.8)
    for axes, depth in zip(axes_list, depths, strict=True):
        here = rows[rows["n_layers"] == depth]
        _measured(axes, here, "tokens", "excess")
        axes.axhline(
            float(here["generator_excess"].mean()), **REFERENCE, label="generator's excess"
        )
        plural = "layer" if depth == 1 else "layers"
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="tokens",
            ylabel="excess log-loss",
            title=f"{depth} {plural}",
        )
        plain_ticks(axes.yaxis, (0.03, 0.05, 0.1, 0.2, 0.4))
    legend_above(axes_list[0])
    return figure
