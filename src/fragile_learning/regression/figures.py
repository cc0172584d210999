"""Figures of the room: each draws the tables it is given and computes nothing.

Lines are predictions, points are simulations or measurements with two standard errors. The number
of generations has one colour, marker and dash in all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fragile_learning.style import PALETTE, foreground, generation_style, legend_above, panels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "counterexample_figure",
    "crossover_figure",
    "designs_figure",
    "features_figure",
    "kernel_figure",
    "networks_figure",
    "policies_figure",
    "projections_figure",
    "risk_figure",
    "saturation_figure",
]

_LABELS = {"ridge": r"ridge $\lambda$", "n_samples": "student's samples $T$"}
_RISK = "excess risk"


def _name(generations: int) -> str:
    return "clean labels" if generations == 0 else f"$n$ = {generations}"


def _draw(
    axes: Axes, table: pd.DataFrame, curves: pd.DataFrame, x: str, *, legend: bool = True
) -> None:
    """Curves and points, one pair for each number of generations."""
    generations = tuple(sorted({int(value) for value in curves["n_generations"]}))
    for count in generations:
        look = generation_style(count, generations)
        line = curves[curves["n_generations"] == count]
        axes.plot(
            line[x], line["theory_total"], color=look["color"], linestyle=look["linestyle"], lw=1.4
        )
        points = table[table["n_generations"] == count]
        axes.errorbar(
            points[x],
            points["mean_total"],
            2.0 * points["se_total"],
            fmt=look["marker"],
            color=look["color"],
            markersize=4.5,
            linewidth=1.0,
            label=_name(count),
        )
    axes.set(xscale="log", yscale="log", xlabel=_LABELS[x], ylabel=_RISK)
    if legend:
        legend_above(axes)


def risk_figure(
    table: pd.DataFrame,
    curves: pd.DataFrame,
    *,
    x: str,
    best: pd.DataFrame | None = None,
    generator_samples: int | None = None,
) -> Figure:
    """Risk against the student's ridge or samples, one curve for each number of generations.

    Parameters
    ----------
    table : DataFrame
        Columns ``n_generations``, ``x``, ``mean_total``, ``se_total``.
    curves : DataFrame
        Columns ``n_generations``, ``x``, ``theory_total``.
    x : {"ridge", "n_samples"}
    best : DataFrame, optional
        Columns ``n_generations``, ``ridge``, ``risk``: the lowest point of each curve.
    generator_samples : int, optional
        Marks the generators' sample size on the axis.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived, risk_curves
    >>> table, curves = archived("ridge-sweep"), risk_curves("ridge-sweep", "full", n_points=9)
    >>> figure = risk_figure(table, curves, x="ridge")
    >>> figure.axes[0].get_legend_handles_labels()[1][:2]
    ['clean labels', '$n$ = 1']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    _draw(axes, table, curves, x, legend=False)
    if best is not None:
        axes.plot(
            best[x],
            best["risk"],
            linestyle="none",
            marker="*",
            markersize=11,
            markeredgecolor=foreground(),
            color=PALETTE["theory"],
            label="best ridge",
            zorder=5,
        )
    legend_above(axes)
    if generator_samples is not None:
        axes.axvline(generator_samples, color=PALETTE["reference"], linestyle=":", lw=1.2)
        axes.annotate(
            "$T = T_0$",
            (generator_samples, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
        )
    return figure


def policies_figure(table: pd.DataFrame, curves: pd.DataFrame, *, generator_samples: int) -> Figure:
    """Risk against samples at the clean-data ridge (above) and at the corrected one (below).

    Parameters
    ----------
    table, curves : DataFrame
        As for `risk_figure`, with a column ``policy`` of ``"critical"`` and ``"fixed"``.
    generator_samples : int

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> size = [100, 1000, 10000]
    >>> policy = {"critical": [0.14, 0.07, 0.11], "fixed": [0.09, 0.06, 0.05]}
    >>> curves = pd.concat(
    ...     pd.DataFrame(
    ...         {"policy": name, "n_generations": 1, "n_samples": size, "theory_total": risk}
    ...     )
    ...     for name, risk in policy.items()
    ... )
    >>> table = curves.assign(mean_total=curves["theory_total"], se_total=0.001)
    >>> figure = policies_figure(table, curves, generator_samples=600)
    >>> figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    True
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2)
    titles = {
        "critical": r"$\lambda = T^{-\ell_{crit}}$, best on clean labels",
        "fixed": r"$\lambda = T_0^{-\ell_{crit}}$, for the generators' samples",
    }
    for axes, (policy, title) in zip(axes_list, titles.items(), strict=True):
        chosen = curves["policy"] == policy
        _draw(
            axes,
            table[table["policy"] == policy],
            curves[chosen],
            "n_samples",
            legend=policy == "critical",
        )
        axes.set_title(title)
        axes.axvline(generator_samples, color=PALETTE["reference"], linestyle=":", lw=1.2)
    low = min(axes.get_ylim()[0] for axes in axes_list)
    high = max(axes.get_ylim()[1] for axes in axes_list)
    for axes in axes_list:
        axes.set_ylim(low, high)
    return figure


def designs_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Risk against ridge with one shared design (above) and with fresh designs (below).

    Parameters
    ----------
    table, curves : DataFrame
        As for `risk_figure`, with a column ``shared_design``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived, risk_curves
    >>> curves = risk_curves("over-parametrised", "full", n_points=3)
    >>> figure = designs_figure(archived("over-parametrised"), curves)
    >>> [axes.get_title() for axes in figure.axes]
    ['one design for all generators', 'a fresh design for each']
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2)
    titles = {True: "one design for all generators", False: "a fresh design for each"}
    for axes, (shared, title) in zip(axes_list, titles.items(), strict=True):
        points = table[(table["shared_design"] == shared) & (table["ridge"] > 0)]
        _draw(axes, points, curves[curves["shared_design"] == shared], "ridge", legend=shared)
        axes.axhline(1.0, color=PALETTE["reference"], linestyle=":", lw=1.2)
        axes.annotate("predicting zero", (2e-4, 1.08), va="bottom", fontsize=9)
        axes.set(title=title, ylim=(1.5e-3, 2.5))
    return figure


def saturation_figure(table: pd.DataFrame) -> Figure:
    """Draw the generators' noise (above) and the risk (below) against generations.

    Parameters
    ----------
    table : DataFrame
        Columns ``n_generations``, ``shared_design`` and theory, mean and standard error of
        ``generator_noise`` and ``total``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived
    >>> figure = saturation_figure(archived("saturation"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ["generators' noise", 'excess risk']
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2, 2.7)
    looks: dict[bool, dict[str, Any]] = {
        True: {"color": PALETTE["synthetic"], "linestyle": "-", "marker": "o"},
        False: {"color": PALETTE["real"], "linestyle": "--", "marker": "s"},
    }
    names = {True: "shared design", False: "fresh designs"}
    parts = {"generator_noise": "generators' noise", "total": _RISK}
    for axes, (part, label) in zip(axes_list, parts.items(), strict=True):
        for shared, look in looks.items():
            rows = table[table["shared_design"] == shared].sort_values("n_generations")
            axes.plot(
                rows["n_generations"],
                rows[f"theory_{part}"],
                color=look["color"],
                linestyle=look["linestyle"],
                lw=1.4,
            )
            axes.errorbar(
                rows["n_generations"],
                rows[f"mean_{part}"],
                2.0 * rows[f"se_{part}"],
                fmt=look["marker"],
                color=look["color"],
                label=names[shared],
            )
        axes.set(xlabel="generations $n$", ylabel=label)
        axes.set_ylim(bottom=0.0)
    axes_list[0].legend(frameon=False)
    return figure


def counterexample_figure(table: pd.DataFrame) -> Figure:
    """Bias with and without a generator, beside the printed lower bound.

    Parameters
    ----------
    table : DataFrame
        Columns ``label``, ``value``, ``error`` (0: a formula) and ``kind``: ``"measured"``,
        ``"theory"`` or ``"printed"``; drawn from top to bottom.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> rows = [("simulated", 1.330, 0.002, "measured"), ("printed bound", 2.472, 0.0, "printed")]
    >>> table = pd.DataFrame(rows, columns=["label", "value", "error", "kind"])
    >>> figure = counterexample_figure(table)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['simulated', 'printed bound']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 2.4)
    places = np.arange(len(table))[::-1]
    looks = {
        "measured": (PALETTE["synthetic"], "o"),
        "theory": (PALETTE["theory"], "D"),
        "printed": (foreground(), "x"),
    }
    for kind, (color, marker) in looks.items():
        chosen = (table["kind"] == kind).to_numpy()
        rows = table[chosen]
        axes.errorbar(
            rows["value"],
            places[chosen],
            xerr=2.0 * rows["error"],
            fmt=marker,
            color=color,
            markersize=7,
            markeredgewidth=1.6,
        )
    for place, value in zip(places, table["value"].to_numpy(float), strict=True):
        axes.annotate(
            f"{value:.3f}",
            (float(value), float(place)),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.set_yticks(places, list(table["label"]))
    axes.set(xlabel="bias", ylim=(-0.6, len(table) - 0.3), xlim=(0.0, 2.8))
    axes.grid(visible=False, axis="y")
    return figure


def crossover_figure(table: pd.DataFrame, *, n_features: int) -> Figure:
    """Cost of a generation's noise against samples: exact sum, sharp constants, printed order.

    Parameters
    ----------
    table : DataFrame
        Columns ``n_samples``, ``generator_noise``, ``sharp``, ``order``.
    n_features : int
        Marks the crossover.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived
    >>> table = archived("generator-scaling")
    >>> figure = crossover_figure(table, n_features=int(table["n_features"].iloc[0]))
    >>> figure.axes[0].get_xscale(), figure.axes[0].get_yscale()
    ('log', 'log')
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.4)
    x = table["n_samples"]
    axes.plot(x, table["generator_noise"], "o", color=PALETTE["synthetic"], label="full formula")
    axes.plot(x, table["sharp"], color=PALETTE["theory"], label="sharp constants")
    axes.plot(
        x, table["order"], "--", color=PALETTE["reference"], label="printed order, constant 1"
    )
    axes.axvline(n_features, color=PALETTE["reference"], linestyle=":", lw=1.2)
    axes.annotate(
        "$T = d$",
        (n_features, 0.03),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
    )
    axes.set(xscale="log", yscale="log", xlabel=_LABELS["n_samples"])
    axes.set_ylabel("cost of the noise of one generation")
    legend_above(axes, columns=1)
    return figure


def projections_figure(table: pd.DataFrame) -> Figure:
    """Signal that survives projections: simulation, recursion, printed product.

    Parameters
    ----------
    table : DataFrame
        One setting: columns ``step``, ``mean_signal``, ``se_signal``, ``recursion``, ``printed``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived
    >>> white = archived("projections").query("exponent == 0 and target_decay == 0")
    >>> figure = projections_figure(white)
    >>> figure.axes[0].get_xticks().tolist()
    [1, 2, 3, 4]
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 2.9)
    axes.errorbar(
        table["step"],
        table["mean_signal"],
        2.0 * table["se_signal"],
        fmt="o",
        color=PALETTE["synthetic"],
        label="simulated",
    )
    axes.plot(table["step"], table["recursion"], color=PALETTE["theory"], label="recursion")
    axes.plot(
        table["step"], table["printed"], "x--", color=PALETTE["reference"], label="printed product"
    )
    axes.set(xlabel="projections $n$", ylabel="surviving signal")
    axes.set_xticks(sorted(set(table["step"])))
    axes.set_ylim(bottom=0.0)
    axes.legend(frameon=False)
    return figure


def _plain_ticks(axes: Axes, sizes: list[int]) -> None:
    """Write numbers, not powers, where an axis covers little more than a decade."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter, NullLocator

    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _measured(axes: Axes, table: pd.DataFrame, x: str, generations: tuple[int, ...]) -> None:
    """Draw means over replicates with two standard errors, joined for the eye."""
    for count in generations:
        look = generation_style(count, generations)
        rows = table[table["n_generations"] == count].groupby(x)["error"]
        mean, error = rows.mean(), rows.sem()
        axes.errorbar(
            mean.index,
            mean,
            2.0 * error,
            color=look["color"],
            marker=look["marker"],
            linestyle=look["linestyle"],
            markersize=4.5,
            linewidth=1.2,
            label=_name(count),
        )


def kernel_figure(table: pd.DataFrame, *, generator_samples: int) -> Figure:
    """Kernel ridge on images: error against samples, two ridge policies below each other.

    Parameters
    ----------
    table : DataFrame
        One kernel: columns ``replicate``, ``n_generations``, ``n_samples``, ``policy``
        (``"critical"`` or ``"corrected"``), ``error``.
    generator_samples : int

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived
    >>> table = archived("kernel-ridge").query("kernel == 'rbf'")
    >>> samples = int(table["n_generator_samples"].iloc[0])
    >>> figure = kernel_figure(table, generator_samples=samples)
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['30', '100', '300', '1,000']
    >>> plt.close(figure)
    """
    figure, axes_list = panels(2)
    generations = tuple(sorted({int(value) for value in table["n_generations"]}))
    titles = {
        "critical": r"$\lambda = T^{-\ell_{crit}}$, best on clean labels",
        "corrected": r"$\lambda = T_0^{-\ell_{crit}}$, for the generators' samples",
    }
    for axes, (policy, title) in zip(axes_list, titles.items(), strict=True):
        _measured(axes, table[table["policy"] == policy], "n_samples", generations)
        axes.axvline(generator_samples, color=PALETTE["reference"], linestyle=":", lw=1.2)
        axes.set(xscale="log", yscale="log", xlabel=_LABELS["n_samples"], title=title)
        axes.set_ylabel("test error, clean labels")
        _plain_ticks(axes, sorted({int(value) for value in table["n_samples"]}))
    low = min(axes.get_ylim()[0] for axes in axes_list)
    high = max(axes.get_ylim()[1] for axes in axes_list)
    for axes in axes_list:
        axes.set_ylim(low, high)
    legend_above(axes_list[0])
    return figure


def _by_width(table: pd.DataFrame, label: str) -> Figure:
    figure, (axes,) = panels(1, 3.2)
    widths = tuple(sorted({int(value) for value in table["width"]}))
    for width in widths:
        look = generation_style(width, widths)
        rows = table[table["width"] == width].groupby("generation")["error"]
        mean, error = rows.mean(), rows.sem()
        axes.errorbar(
            mean.index,
            mean,
            2.0 * error,
            color=look["color"],
            marker=look["marker"],
            linestyle=look["linestyle"],
            label=f"width {width:,}",
        )
    axes.set(xlabel="generations $n$", ylabel=label)
    axes.set_ylim(bottom=0.0)
    axes.legend(frameon=False)
    return figure


def features_figure(table: pd.DataFrame) -> Figure:
    """Random features on images: error against generations, one curve for each width.

    Parameters
    ----------
    table : DataFrame
        Columns ``width``, ``replicate``, ``generation``, ``error``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived
    >>> figure = features_figure(archived("random-features"))
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['width 200', 'width 800', 'width 2,000']
    >>> plt.close(figure)
    """
    return _by_width(table, "test error, clean labels")


def networks_figure(table: pd.DataFrame) -> Figure:
    """Trained two-layer networks on images: as `features_figure`.

    Parameters
    ----------
    table : DataFrame
        Columns ``width``, ``replicate``, ``generation``, ``error``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.regression.experiments import archived
    >>> figure = networks_figure(archived("two-layer-networks"))
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['width 50', 'width 200', 'width 800']
    >>> plt.close(figure)
    """
    return _by_width(table, "test error, clean labels")
