"""Figures of the room: each draws the tables it is given and computes nothing but means.

Lines are predictions, points are simulations or measurements with two standard errors; measured
points are joined for the eye. Colours run from real to synthetic: the worse the labels that are
kept, the nearer to synthetic. Grey and dotted is what to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fragile_learning.style import (
    PALETTE,
    REFERENCE,
    STAR,
    draw_line,
    draw_means,
    draw_points,
    foreground,
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
    "accuracy_figure",
    "angles_figure",
    "best_of_k_figure",
    "cost_figure",
    "eigenvalues_figure",
    "headlines_figure",
    "logistic_figure",
    "more_data_figure",
    "ridge_figure",
    "rounds_figure",
    "self_training_figure",
    "threshold_figure",
    "window_figure",
]

_ACCURACY = "accuracy of the student"
_ERROR_RATE = "error rate of the generator $p$"
_GENERATED = "examples generated $N$"
_HALF = 0.5  # the accuracy of guessing
_NAMES = {(1.0, 1.0): "nobody", (1.0, 0.0): "oracle"}
_SIZES = (30, 100, 300, 1000, 3000, 10_000)


def _value(rows: pd.DataFrame, column: str) -> float:
    """Return what a column has in all rows."""
    return float(rows[column].iloc[0])


def _drawn(axes: Axes, rows: Any, x: str, look: Mapping[str, Any], **more: Any) -> None:
    """Draw simulated means."""
    draw_points(axes, rows[x], rows["mean"], rows["se"], look, **more)


def _verifiers(lines: pd.DataFrame) -> dict[tuple[float, float], dict[str, Any]]:
    """Give verifiers looks, from the highest breakdown point to the lowest."""
    places = lines[["keep_if_correct", "keep_if_wrong", "breakdown_point"]].drop_duplicates()
    ordered = sorted((-star, -phi, psi) for phi, psi, star in places.itertuples(index=False))
    looks = looks_of(range(len(ordered))).values()
    return {(-phi, psi): look for (_, phi, psi), look in zip(ordered, looks, strict=True)}


def _rates(phi: float, psi: float) -> str:
    """Name a verifier by its rates."""
    rates = rf"$\varphi$ = {phi:g}, $\psi$ = {psi:g}"
    return _NAMES.get((phi, psi), rates)


# --- independent errors -------------------------------------------------------------------------


def accuracy_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Accuracy against the generator's error rate, by verifier, with the breakdown points.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``one-shot``.
    curves : DataFrame
        Of `fragile_learning.verification.curves.curves` for it.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = accuracy_figure(archived("one-shot"), curves("one-shot", "full"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy of the student']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    axes.axhline(_HALF, **REFERENCE)
    axes.axhline(_value(curves, "bayes"), **REFERENCE, label="Bayes rule")
    for (phi, psi), look in _verifiers(curves).items():
        keys = {"keep_if_correct": phi, "keep_if_wrong": psi}
        line = rows_of(curves, **keys)
        draw_line(axes, line["error_rate"], line["law"], look)
        _drawn(axes, rows_of(table, **keys), "error_rate", look, label=_rates(phi, psi))
        axes.plot(
            _value(line, "breakdown_point"),
            _HALF,
            color=look["color"],
            markeredgecolor=foreground(),
            clip_on=False,
            **STAR,
        )
    axes.plot([], [], color=PALETTE["reference"], label="$p^*$", **STAR)
    axes.set(xlabel=_ERROR_RATE, ylabel=_ACCURACY, xlim=(-0.02, 1.02), ylim=(0.0, 1.0))
    legend_above(axes)
    return figure


def ridge_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Accuracy against the number generated, by penalty, with the dip at as many kept as features.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``ridge``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = ridge_figure(archived("ridge"), curves("ridge", "full"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy of the student']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    axes.axhline(_value(curves, "bayes"), **REFERENCE, label="Bayes rule")
    heaviest = float(curves["ridge"].max())
    for ridge, look in looks_of(curves["ridge"], falling=True, skip=1).items():
        line = rows_of(curves, ridge=ridge)
        name = "one shot" if ridge == heaviest else rf"$\lambda$ = {ridge:g}"
        draw_line(axes, line["n_generated"], line["law"], look)
        _drawn(axes, rows_of(table, ridge=ridge), "n_generated", look, label=name)
    dip = _value(curves, "dip")
    axes.axvline(dip, **REFERENCE)
    axes.set(xscale="log", xlabel=_GENERATED, ylabel=_ACCURACY, ylim=(0.47, 1.0))
    axes.set_xlim(float(curves["n_generated"].min()), float(curves["n_generated"].max()))
    plain_ticks(axes.xaxis, _SIZES)
    write_beside(axes, r"$d/\kappa$", (dip, 0.97))
    legend_above(axes, 4)
    return figure


def logistic_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Accuracy of logistic regression against the error rate, by penalty; a panel for each size.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``logistic``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = logistic_figure(archived("logistic"), curves("logistic", "full"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy of the student', 'accuracy of the student']
    >>> plt.close(figure)
    """
    sizes = sorted(set(curves["n_generated"]))
    figure, axes_list = panels(len(sizes), 3.0)
    for axes, size in zip(axes_list, sizes, strict=True):
        lines, drawn = rows_of(curves, n_generated=size), rows_of(table, n_generated=size)
        first = rows_of(lines, ridge=lines["ridge"].max())
        axes.axhline(_HALF, **REFERENCE)
        axes.plot(first["error_rate"], first["one_shot"], **REFERENCE, label="one shot")
        for ridge, look in looks_of(lines["ridge"], falling=True, skip=1).items():
            line = rows_of(lines, ridge=ridge)
            draw_line(axes, line["error_rate"], line["law"], look)
            rows = rows_of(drawn, ridge=ridge)
            _drawn(axes, rows, "error_rate", look, label=rf"$\lambda$ = {ridge:g}")
        star = _value(lines, "breakdown_point")
        axes.plot(star, _HALF, color=PALETTE["reference"], label="$p^*$", **STAR)
        ratio = size / _value(lines, "n_features")
        axes.set(xlabel=_ERROR_RATE, ylabel=_ACCURACY, xlim=(-0.02, 1.02), ylim=(0.0, 1.0))
        axes.set_title("$N = d$" if ratio == 1.0 else f"$N = {ratio:g}\\,d$")
    legend_above(axes_list[0], 4)
    return figure


def window_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Accuracy near the breakdown point, against the distance to it times the root of the size.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``window``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = window_figure(archived("window"), curves("window", "full"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy of the student']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    looks = looks_of(curves["n_generated"], falling=True, skip=1)
    first = rows_of(curves, n_generated=max(looks))
    axes.plot(first["tau"], first["limit"], **REFERENCE, label=r"$N \to \infty$")
    for size, look in looks.items():
        line = rows_of(curves, n_generated=size)
        draw_line(axes, line["tau"], line["law"], look)
        rows = rows_of(table, n_generated=size)
        _drawn(axes, rows, "tau", look, fillstyle="none", label=f"$N$ = {size:,.0f}")
    axes.set(
        xlabel=r"distance to the breakdown point $\tau = (p^* - p)\sqrt{N}$",
        ylabel=_ACCURACY,
        ylim=(0.0, 1.0),
    )
    legend_above(axes)
    return figure


# --- linear generators and verifiers ------------------------------------------------------------


def angles_figure(curves: pd.DataFrame) -> Figure:
    """How much better a student is than its generator, by verifier, at one generator.

    Parameters
    ----------
    curves : DataFrame
        Of `fragile_learning.verification.curves.curves` for ``angles``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> figure = angles_figure(curves("angles"))
    >>> len(figure.axes)
    2
    >>> plt.close(figure)
    """
    from matplotlib.colors import LinearSegmentedColormap

    figure, (axes,) = panels(1, 4.4)
    gains = curves.pivot_table(index="correlation", columns="degrees_verifier", values="gain")
    angles, correlations = gains.columns.to_numpy(float), gains.index.to_numpy(float)
    page = axes.get_facecolor()
    # neither end so deep that text upon it is lost
    ends = LinearSegmentedColormap.from_list("worse", [page, PALETTE["synthetic"]])(0.75)
    better = LinearSegmentedColormap.from_list("better", [page, PALETTE["real"]])(0.75)
    paint = LinearSegmentedColormap.from_list("gain", [ends, page, better])
    most = float(curves["gain"].max())
    mesh = axes.pcolormesh(
        angles, correlations, gains.to_numpy(), cmap=paint, vmin=-most, vmax=most, rasterized=True
    )
    axes.contour(angles, correlations, gains.to_numpy(), levels=[0.0], colors=[foreground()])
    straight = 180.0 - _value(curves, "degrees_generator")
    axes.axvline(straight, color=foreground(), linestyle=":", lw=1.6)
    bar = figure.colorbar(mesh, ax=axes, location="bottom", extend="min", aspect=30)
    bar.set_label("accuracy of the student minus the generator's")
    bar.outline.set_visible(False)
    axes.plot([], [], color=foreground(), label="as good as the generator")
    axes.plot([], [], color=foreground(), linestyle=":", lw=1.6, label="$p = p^*$")
    axes.set(
        xlabel=r"angle of the verifier $\theta_v$ (degrees)",
        ylabel=r"correlation of error directions $\rho$",
    )
    axes.set_xticks(np.arange(0.0, 181.0, 30.0))
    axes.grid(visible=False)
    regions = {"better": (30.0, 0.5), "worse,\nthough\n$p < p^*$": (100.0, 0.5)}
    for words, place in (regions | {"worse\nthan\nguessing": (156.0, 0.5)}).items():
        write_beside(axes, words, place, xytext=(0, 0), ha="center")
    legend_above(axes, 2)
    return figure


def rounds_figure(table: pd.DataFrame, curves: pd.DataFrame | None = None) -> Figure:
    """Accuracy by round with one verifier, which is the limit, dotted.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``rounds``.
    curves : DataFrame, optional
        Of `fragile_learning.verification.curves.curves` for it: some more rounds.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = rounds_figure(archived("rounds"), curves("rounds", "full"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    lines = table if curves is None else curves
    settings = lines[["degrees_verifier", "correlation"]].drop_duplicates()
    looks = looks_of(range(len(settings))).values()
    ordered = sorted(settings.itertuples(index=False, name=None))
    for (degrees, rho), look in zip(ordered, looks, strict=True):
        keys = {"degrees_verifier": degrees, "correlation": rho}
        line = rows_of(lines, **keys)
        axes.axhline(_value(line, "verifier"), color=look["color"], linestyle=":", lw=1.2)
        draw_line(axes, line["round"], line["law"], look)
        name = rf"$\theta_v$ = {degrees:g}°, $\rho$ = {rho:g}"
        _drawn(axes, rows_of(table, **keys), "round", look, label=name)
    axes.plot([], [], color=foreground(), linestyle=":", lw=1.2, label="verifier")
    axes.set(xlabel="round", ylabel="accuracy")
    axes.set_xticks(range(0, int(lines["round"].max()) + 1, 2))
    legend_above(axes, 2)
    return figure


def self_training_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Accuracy of students of unverified linear generators on the mixture, and the generators'.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``self-training``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = self_training_figure(archived("self-training"), curves("self-training", "full"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    for signal, look in looks_of(curves["signal"], falling=True, skip=1).items():
        line = rows_of(curves, signal=signal)
        axes.plot(
            line["degrees_generator"],
            line["generator"],
            color=look["color"],
            linestyle=":",
            lw=1.2,
        )
        draw_line(axes, line["degrees_generator"], line["law"], look)
        rows = rows_of(table, signal=signal)
        _drawn(axes, rows, "degrees_generator", look, label=f"$s$ = {signal:g}")
    axes.plot([], [], color=foreground(), linestyle=":", lw=1.2, label="generator")
    axes.set(
        xlabel=r"angle of the generator $\theta_g$ (degrees)", ylabel="accuracy", ylim=(0.0, 1.02)
    )
    axes.set_xticks(np.arange(0.0, 181.0, 30.0))
    legend_above(axes)
    return figure


def more_data_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of nearly unpenalised logistic students against the sample size, by what is kept.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``more-data``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = more_data_figure(archived("more-data"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy of the student']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    names = {"oracle": "kept by an oracle", "agreement": "kept by the verifier", "all": "all kept"}
    for (keep, name), look in zip(names.items(), looks_of(range(3), skip=1).values(), strict=True):
        rows = rows_of(table, keep=keep)
        _drawn(axes, rows, "n_generated", look, label=name)
        draw_line(axes, rows["n_generated"], rows["mean"], look)
    axes.set(xscale="log", xlabel=_GENERATED, ylabel=_ACCURACY, ylim=(0.73, 0.955))
    plain_ticks(axes.xaxis, _SIZES)
    axes.axhline(_value(table, "bayes"), **REFERENCE)
    axes.axhline(_value(table, "generator"), **REFERENCE)
    for name, height, shift in (("Bayes rule", "bayes", 8), ("generator", "generator", 8)):
        place = (float(table["n_generated"].max()), _value(table, height))
        write_beside(axes, name, place, xytext=(0, shift), ha="right")
    legend_above(axes, 2)
    return figure


# --- choices --------------------------------------------------------------------------------------


def threshold_figure(curves: pd.DataFrame) -> Figure:
    """Worth of a generated example against the threshold of a verifier's score.

    A panel for each error rate; the best thresholds starred, the best weights dotted.

    Parameters
    ----------
    curves : DataFrame
        Of `fragile_learning.verification.curves.curves` for ``threshold``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> figure = threshold_figure(curves("threshold"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['worth $r^2$', 'worth $r^2$']
    >>> plt.close(figure)
    """
    rates = sorted(set(curves["error_rate"]))
    figure, axes_list = panels(len(rates), 3.0)
    looks = looks_of(curves["separation"], falling=True, skip=1)
    for axes, p in zip(axes_list, rates, strict=True):
        lines = rows_of(curves, error_rate=p)
        axes.axhline(_value(lines, "unverified"), **REFERENCE, label="no verifier")
        for separation, look in looks.items():
            line = rows_of(lines, separation=separation)
            axes.axhline(_value(line, "soft"), color=look["color"], linestyle=":", lw=1.6)
            name = rf"$\Delta$ = {separation:g}"
            draw_line(axes, line["threshold"], line["information"], look, label=name)
            axes.plot(
                _value(line, "best_threshold"),
                _value(line, "best_information"),
                color=look["color"],
                markeredgecolor=foreground(),
                **STAR,
            )
        axes.plot([], [], color=foreground(), linestyle=":", lw=1.6, label="best weights")
        axes.plot([], [], color=PALETTE["reference"], label="best threshold", **STAR)
        axes.set(xlabel="threshold of the score $t$", ylabel="worth $r^2$")
        axes.set_title(f"$p$ = {p:g}")
        axes.set_xlim(float(curves["threshold"].min()), float(curves["threshold"].max()))
        axes.set_ylim(bottom=-0.02)
    legend_above(axes_list[0])
    return figure


def cost_figure(curves: pd.DataFrame) -> Figure:
    """Price of a check up to which it pays, against the error rate, by verifier.

    Parameters
    ----------
    curves : DataFrame
        Of `fragile_learning.verification.curves.curves` for ``costs``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.curves import curves
    >>> figure = cost_figure(curves("costs"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['break-even price $c_v/c_g$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.9)
    axes.axhline(0.0, **REFERENCE)
    for (phi, psi), look in _verifiers(curves).items():
        line = rows_of(curves, keep_if_correct=phi, keep_if_wrong=psi)
        draw_line(axes, line["error_rate"], line["price"], look, label=_rates(phi, psi))
    axes.set(xlabel=_ERROR_RATE, ylabel=r"break-even price $c_v/c_g$")
    axes.set(xlim=(0.0, 0.5), ylim=(-0.6, 3.0))
    legend_above(axes, 2)
    return figure


# --- trained models -----------------------------------------------------------------------------


def eigenvalues_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of students of sampled eigenvalues against the breakdown point of the verifier.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``eigenvalues``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = eigenvalues_figure(archived("eigenvalues"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['both eigenvalues right']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    clean: Any = table[table["verifier"] == "clean"]
    rows: Any = table[table["verifier"] != "clean"]
    if len(clean):
        axes.axhline(
            clean["student"].mean(),
            color=PALETTE["clean"],
            linestyle=(0, (6, 1.5)),
            lw=1.4,
            label="right answers to all",
        )
    axes.axhline(rows["generator"].mean(), **REFERENCE, label="generator")
    groups = rows.groupby("p_noise")
    stars, students = groups["p_star"].mean(), groups["student"].mean()
    errors = groups["student"].sem().fillna(0.0)
    look = {"color": PALETTE["synthetic"], "linestyle": "-", "marker": "o"}
    draw_points(axes, stars, students, errors, look, label="students")
    draw_line(axes, stars, students, look)
    axes.set(xlabel="breakdown point of the verifier $p^*$", ylabel="both eigenvalues right")
    axes.set_ylim(bottom=0.0)
    legend_above(axes)
    return figure


def best_of_k_figure(table: pd.DataFrame) -> Figure:
    """How often the best of several candidates is right, chosen by an oracle or the model itself.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``best-of-k``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = best_of_k_figure(archived("best-of-k"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['both eigenvalues right']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    independent = table.groupby("k")["independent"].mean()
    law = {"color": PALETTE["theory"], "linestyle": (0, (6, 1.5))}
    name = "oracle, if independent"
    draw_line(axes, independent.index.to_numpy(), independent, law, label=name)
    own = {"color": PALETTE["synthetic"], "linestyle": "-", "marker": "s"}
    oracle = {"color": PALETTE["real"], "linestyle": "-", "marker": "o"}
    draw_means(axes, table, "k", "oracle", oracle, label="oracle's choice")
    draw_means(axes, table, "k", "self_pick", own, label="model's own choice")
    axes.axhline(table["greedy"].mean(), **REFERENCE, label="greedy answer")
    axes.set(xscale="log", xlabel="candidates $K$", ylabel="both eigenvalues right")
    axes.set_ylim(bottom=0.0)
    plain_ticks(axes.xaxis, (1, 2, 5, 10, 20, 50))
    legend_above(axes, 2)
    return figure


_SELECTORS = {
    "random": "chance",
    "self": "itself",
    "peer": "a peer",
    "better": "better\nmodel",
    "oracle": "oracle",
}
_GAIN = "ROUGE-1 minus the generator's"


def headlines_figure(table: pd.DataFrame) -> Figure:
    """How much better students of selected headlines are than their generator, by selector.

    Below, if the table has it: by how many candidates of each article are kept.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``headlines``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.verification.experiments import archived
    >>> figure = headlines_figure(archived("headlines"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ["ROUGE-1 minus the generator's", "ROUGE-1 minus the generator's"]
    >>> plt.close(figure)
    """
    gains = table.assign(gain=table["student"] - table["generator"])  # paired
    chosen = rows_of(gains, scope="article")
    counts = sorted(set(chosen["n_kept_each"]))
    figure, axes_list = panels(1 + (len(counts) > 1), 3.4)
    looks = dict(zip(reversed(_SELECTORS), looks_of(range(len(_SELECTORS))).values(), strict=True))
    above = axes_list[0]
    scopes = {"article": ("best of each article", "full", 0.0)}
    if "all" in set(gains["scope"]):
        scopes = {
            "article": ("best of each article", "full", -0.12),
            "all": ("as many, best of all", "none", 0.12),
        }
    for place, selector in enumerate(_SELECTORS):
        for scope, (_, fill, shift) in scopes.items():
            found: Any = rows_of(gains, scope=scope, n_kept_each=1, selector=selector)["gain"]
            look = looks[selector]
            above.plot(
                np.full(len(found), place + shift - 0.06),
                found,
                color=look["color"],
                linestyle="none",
                marker=".",
                markersize=3,
                alpha=0.6,
            )
            draw_points(
                above,
                [place + shift],
                [found.mean()],
                [0.0 if len(found) == 1 else found.sem()],
                look,
                fillstyle=fill,
            )
    above.set_xticks(range(len(_SELECTORS)), list(_SELECTORS.values()))
    above.set_xlim(-0.5, len(_SELECTORS) - 0.5)
    above.set(xlabel="selected by", ylabel=_GAIN)
    for name, fill, _ in scopes.values():
        above.errorbar(
            [], [], [], fmt="o", color=foreground(), markersize=4.5, fillstyle=fill, label=name
        )
    above.axhline(0.0, **REFERENCE, label="generator")
    legend_above(above)
    for below in axes_list[1:]:
        below.axhline(0.0, **REFERENCE)
        for selector, look in looks.items():
            rows = rows_of(chosen, selector=selector)
            name = _SELECTORS[selector].replace("\n", " ")
            draw_means(below, rows, "n_kept_each", "gain", look, label=name)
        below.set(xlabel="candidates kept of each article", ylabel=_GAIN)
        below.set_xticks(counts)
        below.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure
