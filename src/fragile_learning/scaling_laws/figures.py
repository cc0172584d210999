"""Figures of the room: each draws the tables it is given and computes nothing but means.

Lines are predictions, points are simulations or measurements with two standard errors; measured
points are joined for the eye. Colours run from real to synthetic: the less of the real law there is
in the data, the nearer to synthetic. Grey and dotted is what to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    "acquisition_figure",
    "bigram_figure",
    "chains_figure",
    "context_figure",
    "cut_figure",
    "dimension_figure",
    "divisors_figure",
    "generations_figure",
    "memory_figure",
    "mix_figure",
    "narrow_figure",
    "recovery_figure",
    "regular_figure",
    "skills_figure",
    "text_figure",
    "text_scaling_figure",
    "top_p_figure",
]

_ERROR = "error $E$"
_SAMPLES = "samples $T$"
_GENERATIONS = "generations $n$"
_EXPONENT, _RANK, _SIZE = 1.5, 100, 2000
_DOTS: dict[str, Any] = {"linestyle": (0, (1, 3)), "lw": 1.4}


def _simulated(axes: Axes, rows: Any, x: str, look: Mapping[str, Any], **more: Any) -> None:
    """Draw the points that have replicates."""
    rows = rows[rows["mean"].notna()]
    draw_points(axes, rows[x], rows["mean"], rows["se"], look, **more)


def _legend_over(axes: Axes, columns: int = 3) -> None:
    """Put a panel's own legend between its title and what is above."""
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0 if not axes.get_title() else 1.1),
        ncols=columns,
        handletextpad=0.3,
        columnspacing=1.2,
    )


# --- cut and narrowed tails -------------------------------------------------------------------


def cut_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Error against samples with the tail cut at each of some ranks, at an exponent of 1.5.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``cut``.
    curves : DataFrame
        Of `fragile_learning.scaling_laws.curves.curves` for it.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.curves import curves
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = cut_figure(archived("cut"), curves("cut"))
    >>> figure.axes[0].get_legend_handles_labels()[1][:3]
    ['nothing cut', '$T^*$', '$k$ = 1,000']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    clean = rows_of(curves, rank=curves["rank"].max())
    axes.plot(clean["n_samples"], clean["clean"], **REFERENCE, label="nothing cut")
    for rank, look in looks_of(curves["rank"], falling=True, skip=1).items():
        line = rows_of(curves, rank=rank)
        floor, crossover = (float(line[name].iloc[0]) for name in ("floor", "crossover"))
        axes.plot(line["n_samples"], line["floor"], color=look["color"], linestyle=":", lw=1.0)
        draw_line(axes, line["n_samples"], line["exact"], look)
        rows = rows_of(table, tail_exponent=_EXPONENT, rank=rank)
        apart = 2.0 * np.log10(rows["n_samples"])  # more than two points a decade would touch
        rows = rows[np.isclose(apart, np.round(apart), atol=0.01)]
        _simulated(axes, rows, "n_samples", look, label=f"$k$ = {rank:,.0f}")
        axes.plot(crossover, floor, color=look["color"], markeredgecolor=foreground(), **STAR)
    axes.plot([], [], color=PALETTE["reference"], label="$T^*$", **STAR)
    axes.set(xscale="log", yscale="log", xlabel=_SAMPLES, ylabel=_ERROR)
    axes.set_ylim(bottom=5e-3)
    legend_above(axes)
    return figure


def narrow_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Error against samples from laws of larger exponents than the 1.5 of the test.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``narrow``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.curves import curves
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = narrow_figure(archived("narrow"), curves("narrow"))
    >>> len(figure.axes[0].get_legend_handles_labels()[1])  # exponents
    3
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    for narrowed, look in looks_of(curves["narrowed_exponent"]).items():
        line = rows_of(curves, narrowed_exponent=narrowed)
        draw_line(axes, line["n_samples"], line["exact"], look)
        rows = rows_of(table, tail_exponent=_EXPONENT, narrowed_exponent=narrowed)
        slope = float(line["slope"].iloc[0])
        name = rf"$\beta'$ = {narrowed:g}, slope −{-slope:.3f}"
        _simulated(axes, rows, "n_samples", look, label=name)
    axes.set(xscale="log", yscale="log", xlabel=_SAMPLES, ylabel=_ERROR)
    legend_above(axes, 1)
    return figure


def top_p_figure(table: pd.DataFrame) -> Figure:
    """Error floor against generations of top-p sampling, each cut anew.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``top-p``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = top_p_figure(archived("top-p"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['error floor']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    shown = [mass for mass in (0.8, 0.9, 0.95, 0.99) if mass in set(table["top_p"])]
    markers = {1.2: "o", 1.5: "s", 2.0: "^"}
    for mass, look in looks_of(shown, falling=True, skip=1).items():
        rows = rows_of(table, top_p=mass)
        line = rows_of(rows, tail_exponent=rows["tail_exponent"].iloc[0])
        draw_line(
            axes, line["generation"], line["floor_law"], look, label=f"$1-P^n$, $P$ = {mass:g}"
        )
        axes.plot(line["generation"], line["linear"], **REFERENCE)
        for beta, marker in markers.items():
            found = rows_of(rows, tail_exponent=beta)
            axes.plot(
                found["generation"],
                found["floor"],
                color=look["color"],
                linestyle="none",
                marker=marker,
                markersize=4.5 + 4.0 * (beta == _EXPONENT),
                fillstyle="none" if beta == _EXPONENT else "full",
            )
    axes.plot([], [], **REFERENCE, label="$n(1-P)$")
    for beta, marker in markers.items():
        axes.plot(
            [],
            [],
            color=foreground(),
            linestyle="none",
            marker=marker,
            fillstyle="none" if beta == _EXPONENT else "full",
            label=rf"$\beta$ = {beta:g}",
        )
    axes.set(yscale="log", xlabel=_GENERATIONS, ylabel="error floor")
    axes.set_xticks(sorted(set(table["generation"])))
    legend_above(axes, 2)
    return figure


# --- generations ------------------------------------------------------------------------------


def _same_size(drawn: Any) -> Any:
    """Rows of simulated chains whose samples all number as many as those of the figures."""
    return drawn[drawn["sample_sizes"].astype(str) == f"[{_SIZE}]"]


def _generation_axis(axes: Axes, last: float) -> None:
    """Show generations from 0 on, on a logarithmic axis."""
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.5)
    axes.set_xlim(-0.15, last * 1.25)
    plain_ticks(axes.xaxis, (0, 1, 3, 10, 30, 100, 200))
    axes.set_xlabel(_GENERATIONS)


def generations_figure(table: pd.DataFrame, drawn: pd.DataFrame) -> Figure:
    """Error against generations of 2,000 samples at an exponent of 1.5, in two readings.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``growth``.
    drawn : DataFrame
        Of the experiment ``chain``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = generations_figure(archived("growth"), archived("chain"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['error $E$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    line = rows_of(table, tail_exponent=_EXPONENT, n_samples=_SIZE)
    chain = {"color": PALETTE["synthetic"], "linestyle": "-", "marker": "s"}
    fresh = {"color": PALETTE["mixed"], "linestyle": (0, (6, 1.5))}
    steps = line["generation"]
    axes.plot(steps, line["linear_bound"], **REFERENCE, label="linear bound")
    draw_line(axes, steps, line["chain"], chain, label="samples of samples")
    draw_line(axes, steps, line["fresh_prompts"], fresh, label="new questions, own answers")
    rows = rows_of(_same_size(drawn), tail_exponent=_EXPONENT)
    _simulated(axes, rows, "generation", chain, label="simulated")
    axes.set(yscale="log", ylabel=_ERROR)
    axes.set_ylim(0.05, 2.0)
    plain_ticks(axes.yaxis, (0.05, 0.1, 0.2, 0.5, 1, 2))
    _generation_axis(axes, float(steps.max()))
    legend_above(axes, 2)
    return figure


def skills_figure(table: pd.DataFrame, drawn: pd.DataFrame) -> Figure:
    """Items that are left after so many generations of 2,000 samples, for three exponents.

    Parameters
    ----------
    table, drawn : DataFrame
        Of the experiments ``growth`` and ``chain``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = skills_figure(archived("growth"), archived("chain"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['items left $K$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    lines = rows_of(table, n_samples=_SIZE)
    for beta, look in looks_of((1.2, 1.5, 2.0), skip=1).items():
        line = rows_of(lines, tail_exponent=beta)
        draw_line(axes, line["generation"], line["skills"], look, label=rf"$\beta$ = {beta:g}")
        rows = rows_of(_same_size(drawn), tail_exponent=beta)
        draw_points(axes, rows["generation"], rows["mean_skills"], rows["se_skills"], look)
    axes.errorbar([], [], [], fmt="o", color=foreground(), markersize=4.5, label="simulated")
    axes.set(yscale="log", ylabel="items left $K$")
    _generation_axis(axes, float(lines["generation"].max()))
    plain_ticks(axes.yaxis, (3, 10, 30, 100, 300, 1000))
    legend_above(axes, 4)
    return figure


# --- real samples in the mixture --------------------------------------------------------------


def mix_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Error against samples of which a share is real and the rest cut at rank 100.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``mix``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.curves import curves
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = mix_figure(archived("mix"), curves("mix"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['error $E$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.2)
    looks = looks_of(curves["real_fraction"], falling=True, skip=1)
    first = rows_of(curves, real_fraction=max(looks))
    clean = {"color": PALETTE["real"], "linestyle": "-"}
    draw_line(axes, first["n_samples"], first["clean"], clean, label="all real", lw=1.0)
    for share, look in looks.items():
        line = rows_of(curves, real_fraction=share)
        axes.plot(line["n_samples"], line["late"], color=look["color"], linestyle=":", lw=1.0)
        draw_line(axes, line["n_samples"], line["exact"], look)
        rows = rows_of(table, tail_exponent=_EXPONENT, rank=_RANK, real_fraction=share)
        _simulated(axes, rows, "n_samples", look, label=rf"$\pi$ = {share:g}")
        axes.plot(
            line["end"].iloc[0],
            line["error_at_end"].iloc[0],
            color=look["color"],
            markeredgecolor=foreground(),
            **STAR,
        )
    start, floor = (float(first[name].iloc[0]) for name in ("start", "floor"))
    axes.axvline(start, **REFERENCE)
    axes.axhline(floor, **REFERENCE)
    axes.annotate(
        "$T^*$",
        (start, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        va="top",
    )
    axes.plot([], [], color=PALETTE["reference"], label=r"$T^*/\pi$", **STAR)
    axes.plot([], [], color=foreground(), linestyle=":", lw=1.0, label=r"clean law at $\pi T$")
    axes.set(xscale="log", yscale="log", xlabel=_SAMPLES, ylabel=_ERROR, ylim=(1e-3, 1.0))
    legend_above(axes)
    return figure


def acquisition_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Error against samples of which one in a hundred is bought from some rank on.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``tail-acquisition``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.curves import curves
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = acquisition_figure(archived("tail-acquisition"), curves("tail-acquisition"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['error $E$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    looks = looks_of(curves["n_tail_from"], skip=1)
    first = rows_of(curves, n_tail_from=min(looks))
    plain = {"color": PALETTE["real"], "linestyle": "-"}
    draw_line(axes, first["n_samples"], first["plain"], plain, label="plain real samples")
    for start, look in looks.items():
        line = rows_of(curves, n_tail_from=start)
        axes.plot(
            line["n_samples"],
            np.where(line["floor"] > 0.0, line["floor"], np.nan),
            color=look["color"],
            linestyle=":",
            lw=1.0,
        )
        draw_line(axes, line["n_samples"], line["exact"], look)
        rows = rows_of(table, n_tail_from=start)
        _simulated(axes, rows, "n_samples", look, label=f"from rank {start:,.0f} on")
    axes.plot([], [], color=foreground(), linestyle=":", lw=1.0, label="never seen: a floor")
    axes.set(xscale="log", yscale="log", xlabel=_SAMPLES, ylabel=_ERROR)
    axes.set(xlim=(8e2, 1.3e12), ylim=(3e-4, 0.2))
    legend_above(axes, 2)
    return figure


def regular_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    r"""Worth (above) and error of an endless chain with real samples in each generation.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``regular-real``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.curves import curves
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = regular_figure(archived("regular-real"), curves("regular-real"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['worth $\\Theta_\\infty/T_0$', 'error $E$ at $T_0$ = 2,000']
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 3.4)
    one = rows_of(curves, tail_exponent=_EXPONENT)
    chain = {"color": PALETTE["mixed"], "linestyle": "-", "marker": "o"}
    draw_line(above, one["real_fraction"], one["stationary"], chain, label="endless chain")
    above.plot(
        one["real_fraction"],
        one["stationary_law"],
        color=PALETTE["theory"],
        linestyle="--",
        lw=1.4,
        label=r"$\pi\,(2\ln(1/\pi)-1.185)$",
    )
    above.plot(one["real_fraction"], one["real_fraction"], **REFERENCE, label="no old copies")
    above.set(
        xscale="log",
        yscale="log",
        xlabel=r"real fraction $\pi$",
        ylabel=r"worth $\Theta_\infty/T_0$",
    )
    looks = {1.5: chain, 2.0: {"color": PALETTE["synthetic"], "linestyle": "--", "marker": "s"}}
    for beta, look in looks.items():
        line = rows_of(curves, tail_exponent=beta)
        line = line[line["real_fraction"] >= 1e-3]  # fewer: hardly one real sample
        draw_line(below, line["real_fraction"], line["error"], look)
        below.plot(line["real_fraction"], line["without_copies"], **REFERENCE)
        rows = rows_of(table, tail_exponent=beta, n_samples=_SIZE)
        _simulated(below, rows, "real_fraction", look)
        place = (float(line["real_fraction"].iloc[-1]), float(line["error"].iloc[-1]))
        write_beside(below, rf"$\beta$ = {beta:g}", place)
    above.errorbar([], [], [], fmt="o", color=PALETTE["mixed"], markersize=4.5, label="simulated")
    below.set(
        xscale="log",
        yscale="log",
        xlabel=r"real fraction $\pi$",
        ylabel=f"error $E$ at $T_0$ = {_SIZE:,}",
    )
    below.set_xlim(right=7.0)
    plain_ticks(below.yaxis, (0.01, 0.02, 0.05, 0.1, 0.2, 0.5))
    legend_above(above, 2)
    return figure


# --- bigrams and memories ---------------------------------------------------------------------


def bigram_figure(table: pd.DataFrame) -> Figure:
    r"""Total variation times its power of the samples (above); how far the laws are off (below).

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``bigram``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = bigram_figure(archived("bigram"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['total variation $\\times\\ n^c$', 'relative error of the law']
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 3.6)
    looks = looks_of((1.2, 1.5, 1.8, 3.0), skip=1)
    for beta, look in looks.items():
        rows = rows_of(table, tail_exponent=beta)
        scale = rows["n_samples"] ** min(1.0 - 1.0 / beta, 0.5)
        name = rf"$\beta$ = {beta:g}"
        above.plot(rows["n_samples"], rows["leading_term"] * scale, color=look["color"], **_DOTS)
        draw_line(above, rows["n_samples"], rows["two_terms"] * scale, look)
        draw_points(
            above, rows["n_samples"], rows["mean"] * scale, rows["se"] * scale, look, label=name
        )
        leading = np.abs(rows["leading_term"] / rows["exact"] - 1.0)
        below.plot(rows["n_samples"], leading, color=look["color"], **_DOTS)
        draw_line(below, rows["n_samples"], rows["largest_error"], look)
    above.plot([], [], color=foreground(), **_DOTS, label="leading term")
    above.plot([], [], color=foreground(), lw=1.4, label="two terms")
    above.set(xscale="log", xlabel="samples of a row $n$", ylabel=r"total variation $\times\ n^c$")
    below.set(
        xscale="log",
        yscale="log",
        xlabel="samples of a row $n$",
        ylabel="relative error of the law",
    )
    legend_above(above)
    return figure


def context_figure(table: pd.DataFrame) -> Figure:
    r"""Error of a bigram model over its row's power of the samples, by the law of contexts.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``contexts``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = context_figure(archived("contexts"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['error $\\times\\ T^c$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    rows = rows_of(table, tail_exponent=_EXPONENT)
    ends = {3.0: "converges", 2.0: "converges slowly", 1.5: r"grows like $\log T$"}
    for contexts, look in looks_of(rows["context_exponent"], falling=True).items():
        line = rows_of(rows, context_exponent=contexts)
        end = ends.get(contexts, f"grows like $T^{{{1 / contexts - 1 / _EXPONENT:.2f}}}$")
        draw_line(axes, line["n_samples"], line["scaled_error"], look)
        drawn = line[line["mean"].notna()]
        scale = drawn["n_samples"] ** drawn["row_exponent"]
        draw_points(
            axes,
            drawn["n_samples"],
            drawn["mean"] * scale,
            drawn["se"] * scale,
            look,
            label=rf"$\beta_\rho$ = {contexts:g}: {end}",
        )
    axes.set(xscale="log", yscale="log", xlabel=_SAMPLES, ylabel=r"error $\times\ T^c$")
    plain_ticks(axes.yaxis, (1, 2, 3, 5, 10, 20, 50, 100, 200, 500))
    legend_above(axes, 1)
    return figure


def memory_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Error of an associative memory against samples: the scarcest resource decides.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``memory``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.curves import curves
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = memory_figure(archived("memory"), curves("memory"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['error $E$']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    first = curves.drop_duplicates("n_samples")
    axes.plot(first["n_samples"], first["unlimited"], **REFERENCE, label="nothing scarce but data")
    places = curves[["capacity", "rank"]].drop_duplicates()
    ordered = sorted(zip(places["capacity"], places["rank"], strict=True), reverse=True)
    ordered.sort(key=min, reverse=True)
    looks = looks_of(range(len(ordered)), skip=1)
    for (capacity, rank), look in zip(ordered, looks.values(), strict=True):
        line = rows_of(curves, capacity=capacity, rank=rank)
        draw_line(axes, line["n_samples"], line["theory"], look)
        rows = rows_of(table, capacity=capacity, rank=rank)
        d = int(line["dimension"].iloc[0])
        name = f"$P$ = {capacity} ($d$ = {d}), $k$ = {rank}"
        _simulated(axes, rows, "n_samples", look, label=name)
    axes.set(xscale="log", yscale="log", xlabel=_SAMPLES, ylabel=_ERROR)
    axes.set_ylim(0.02, 0.6)
    plain_ticks(axes.yaxis, (0.02, 0.05, 0.1, 0.2, 0.5))
    legend_above(axes, 1)
    return figure


def dimension_figure(table: pd.DataFrame) -> Figure:
    """Error of an associative memory against its dimension, by the weights of the items.

    Lines have the predicted slopes, and go through the last points.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``memory-exponents``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = dimension_figure(archived("memory-exponents"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['error $E$', 'error $E$']
    >>> plt.close(figure)
    """
    exponents = sorted(set(table["tail_exponent"]))
    figure, axes_list = panels(len(exponents), 3.4)
    names = {"threshold": "most frequent alone", "root": "roots of counts", "count": "counts"}
    looks = dict(zip(names, looks_of(range(3), skip=1).values(), strict=True))
    shifts = {"threshold": 8, "root": -8, "count": 0}  # two may end at about the same error
    for axes, beta in zip(axes_list, exponents, strict=True):
        for weighting, name in names.items():
            rows = rows_of(table, tail_exponent=beta, weighting=weighting)
            last = rows.iloc[-1]
            law = last["mean"] * (rows["dimension"] / last["dimension"]) ** -rows["exponent"]
            draw_line(axes, rows["dimension"], law, looks[weighting])
            _simulated(axes, rows, "dimension", looks[weighting], label=name)
            write_beside(
                axes,
                f"−{last['exponent']:.2f}",
                (float(last["dimension"]), float(last["mean"])),
                xytext=(7, shifts[weighting]),
            )
        axes.set(xscale="log", yscale="log", xlabel="dimension $d$", ylabel=_ERROR)
        axes.set_title(rf"$\beta$ = {beta:g}")
        axes.set_xlim(right=float(table["dimension"].max()) * 1.6)
        plain_ticks(axes.xaxis, sorted(set(table["dimension"])))
        plain_ticks(axes.yaxis, (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5))
    legend_above(axes_list[0])
    return figure


# --- transformers that name divisors ----------------------------------------------------------


def _known(rows: Any) -> dict[int, int]:
    """In how many rows each divisor is learnt."""
    counts: dict[int, int] = {}
    for cell in rows["learnt"]:
        for word in str(cell).split():
            counts[int(word)] = counts.get(int(word), 0) + 1
    return counts


def divisors_figure(table: pd.DataFrame) -> Figure:
    """Which divisors are known by generation: learning from sampled answers, and from real ones.

    A column for each of the first hundred divisors that any model in the two chains knew; the
    darker, the more of the replicates know it.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``gcd-generations``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = divisors_figure(archived("gcd-generations"))
    >>> [axes.get_title() for axes in figure.axes]
    ["learning from the last one's answers", 'learning from true answers']
    >>> plt.close(figure)
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Patch

    rows = rows_of(table, operands="uniform", temperature=1.0)
    kinds = {
        0.0: ("learning from the last one's answers", "synthetic"),
        1.0: ("learning from true answers", "real"),
    }
    shown = rows[rows["real_fraction"].isin(list(kinds))]
    divisors = sorted(_known(shown))
    figure, axes_list = panels(2, 2.6)
    heights = []
    for axes, (share, (title, color)) in zip(axes_list, kinds.items(), strict=True):
        here = rows_of(shown, real_fraction=share)
        generations = sorted(set(here["generation"]))
        heights.append(len(generations))
        count = here["replicate"].nunique()
        known = [_known(rows_of(here, generation=generation)) for generation in generations]
        axes.pcolormesh(
            np.arange(len(divisors) + 1) - 0.5,
            np.arange(len(generations) + 1) - 0.5,
            [[row.get(divisor, 0) / count for divisor in divisors] for row in known],
            cmap=LinearSegmentedColormap.from_list(color, [axes.get_facecolor(), PALETTE[color]]),
            vmin=0.0,
            vmax=1.0,
            edgecolors=foreground(),
            linewidth=0.4,
        )
        axes.set_xticks(range(len(divisors)), [str(divisor) for divisor in divisors])
        axes.set_yticks(range(len(generations)), [str(number) for number in generations])
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.set(xlabel="greatest common divisor", ylabel="generation", title=title)
    grid = axes_list[0].get_subplotspec()
    assert grid is not None  # noqa: S101  # panels are subplots
    grid.get_gridspec().set_height_ratios(heights)
    axes_list[-1].set_xlabel(
        f"greatest common divisor; no model knew the other {100 - len(divisors)}"
    )
    shades = {"known": 1.0, "by half of the runs": 0.5, "not known": 0.0}
    if shown["replicate"].nunique() == 1:
        del shades["by half of the runs"]
    paint = LinearSegmentedColormap.from_list(
        "shades", [axes_list[0].get_facecolor(), PALETTE["reference"]]
    )
    figure.legend(
        handles=[
            Patch(facecolor=paint(shade), edgecolor=foreground(), label=name)
            for name, shade in shades.items()
        ],
        loc="outside upper center",
        ncols=3,
    )
    return figure


def _chain_panel(axes: Axes, rows: Any, chains: Sequence[tuple[Any, str, Any]]) -> None:
    """Divisors known by generation: each run, thin, and the means of each kind of chain."""
    for here, name, look in chains:
        for _, run in here.groupby("replicate"):
            axes.plot(run["generation"], run["n_learnt"], color=look["color"], lw=0.6, alpha=0.5)
        draw_means(axes, here, "generation", "n_learnt", look, label=name)
    axes.set(xlabel="generation", ylabel="divisors known")
    axes.set_xticks(sorted(set(rows["generation"])))
    axes.set_ylim(0.0, float(rows["n_learnt"].max()) + 1.0)
    _legend_over(axes, 2)


def chains_figure(table: pd.DataFrame) -> Figure:
    """Divisors that transformers know by generation, for each kind of chain in the table.

    By the share of true answers (above); by the way of answering, where none is true (below, if
    there are several).

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``gcd-generations``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = chains_figure(archived("gcd-generations"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['divisors known', 'divisors known']
    >>> plt.close(figure)
    """
    sampled: Any = rows_of(table, temperature=1.0, operands="uniform")
    shares = looks_of(sampled["real_fraction"], falling=True)
    mixes = [
        (rows_of(sampled, real_fraction=share), f"{share:.0%} true", look)
        for share, look in shares.items()
    ]
    written: Any = rows_of(table, real_fraction=0.0)
    kinds = list(written.groupby(["operands", "temperature"], sort=True))
    kinds.sort(key=lambda kind: (kind[0][0] != "uniform", kind[0][1]))
    figure, axes_list = panels(1 + (len(kinds) > 1), 3.4)
    _chain_panel(axes_list[0], sampled, mixes)
    if len(kinds) > 1:
        looks = looks_of(range(len(kinds)), skip=1).values()
        chains = [(rows, _kind(*key), look) for (key, rows), look in zip(kinds, looks, strict=True)]
        _chain_panel(axes_list[1], written, chains)
    return figure


def _kind(operands: str, temperature: float) -> str:
    """Name a kind of chain without true answers."""
    name = "likeliest answer" if temperature == 0.0 else rf"$\tau$ = {temperature:g}"
    return name if operands == "uniform" else f"{name}, {operands}"


def recovery_figure(table: pd.DataFrame) -> Figure:
    """Divisors known along a stream, where synthetic pairs leave out what the teacher cannot do.

    Below, if the table has it: where its wrong answers contradict the true ones.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``gcd-recovery``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = recovery_figure(archived("gcd-recovery"))
    >>> figure.axes[0].get_title()
    "the teacher's pairs omit what it does not know"
    >>> plt.close(figure)
    """
    titles = {
        "omitting": "the teacher's pairs omit what it does not know",
        "relabelled": "the teacher's answers contradict true ones",
    }
    present = [mix for mix in titles if mix in set(table["mix"])]
    figure, axes_list = panels(len(present), 3.6)
    for axes, mix in zip(axes_list, present, strict=True):
        rows: Any = rows_of(table, mix=mix)
        axes.axhline(rows["teacher_learnt"].mean(), **REFERENCE, label="teacher")
        for share, look in looks_of(rows["real_fraction"], falling=True, skip=1).items():
            here = rows_of(rows, real_fraction=share)
            draw_means(axes, here, "n_samples", "n_learnt", look, label=rf"$\pi$ = {share:g}")
        axes.set(xscale="log", xlabel="pairs seen $T$", ylabel="divisors known")
        axes.set_title(titles[mix], pad=8)
        axes.set_ylim(0.0, float(table["n_learnt"].max()) + 1.0)
        plain_ticks(axes.xaxis, (10_000, 30_000, 100_000, 300_000))
        _legend_over(axes)
    return figure


# --- text -------------------------------------------------------------------------------------


def text_figure(table: pd.DataFrame) -> Figure:
    """Perplexity on real text (above) and words in the data (below) by generation.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``text-generations``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = text_figure(archived("text-generations"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['perplexity on real text', 'different words']
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2, 3.2)
    columns = {"perplexity": "perplexity on real text", "n_types": "different words"}
    for axes, (column, name) in zip(axes_list, columns.items(), strict=True):
        for share, look in looks_of(table["real_fraction"], falling=True).items():
            rows = rows_of(table, real_fraction=share)
            draw_means(axes, rows, "generation", column, look, label=f"{share:.0%} real")
        axes.set(yscale="log", xlabel="generation", ylabel=name)
        axes.set_xticks(sorted(set(table["generation"]))[::2])
    plain_ticks(axes_list[0].yaxis, (100, 150, 200, 300, 500, 700, 1000))
    plain_ticks(axes_list[1].yaxis, (200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000))
    legend_above(axes_list[0])
    return figure


def text_scaling_figure(table: pd.DataFrame) -> Figure:
    """Perplexity on real text against tokens: real ones, and those of two writers.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``text-scaling``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.scaling_laws.experiments import archived
    >>> figure = text_scaling_figure(archived("text-scaling"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['perplexity on real text']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.0)
    real = {"color": PALETTE["real"], "linestyle": "-", "marker": "o"}
    draw_means(axes, rows_of(table, data="real"), "tokens", "perplexity", real, label="real text")
    synthetic: Any = rows_of(table, data="synthetic")
    for writer, look in looks_of(synthetic["n_writer_tokens"], falling=True, skip=1).items():
        rows: Any = rows_of(synthetic, n_writer_tokens=writer)
        name = f"by a writer of {writer:,.0f} tokens"
        draw_means(axes, rows, "tokens", "perplexity", look, label=name)
        level = float(rows["writer_perplexity"].mean())
        axes.axhline(level, color=look["color"], linestyle=":", lw=1.2)
    axes.plot([], [], color=foreground(), linestyle=":", lw=1.2, label="the writers themselves")
    axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel="perplexity on real text")
    plain_ticks(axes.yaxis, (70, 100, 150, 200, 300, 500))
    legend_above(axes, 1)
    return figure
