"""Figures of networks that learn from distilled images, and of the images themselves.

Each draws the tables it is given and computes nothing but means, medians and ratios. Points are
measurements, larger ones their means with two standard errors; those along an axis of numbers are
joined for the eye. What real images teach is blue, what distilled ones teach vermillion; open marks
are repaired rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fragile_learning._validation import real_array, whole_array
from fragile_learning.style import (
    PALETTE,
    REFERENCE,
    draw_line,
    draw_means,
    foreground,
    legend_above,
    looks_of,
    panels,
)
from fragile_learning.tables import rows_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "boost_figure",
    "convnet_figure",
    "distilled_images_figure",
    "methods_figure",
    "norms_figure",
    "selection_figure",
    "subsets_figure",
    "transfer_figure",
    "variance_figure",
]

_BASELINES = ("random real", "herding", "k-centre", "class means")
_RULES = ("T-BPTT", "BPTT", "R-BPTT", "RaT-BPTT")
_REPAIRS: Mapping[str, tuple[str, str, float]] = {
    "none": ("as published", "o", 0.0),
    "skip first": ("without the first step", "s", -0.18),
    "guard": ("with the guard", "D", -0.36),
}
_ACCURACY = "accuracy (%)"
_PER_CLASS = "images per class"
_DATA = {
    "digits": "digits",
    "digits in [0, 1]": "digits, pixels in [0, 1]",
    "fashion": "Fashion-MNIST at 14 × 14",
}
_KINDS = {
    "distilled": ("distilled directly", PALETTE["synthetic"], "o", "-"),
    "subset": ("random part of a larger set", PALETTE["mixed"], "s", (0, (4, 1.5, 1, 1.5))),
    "random real": ("random real images", PALETTE["real"], "^", (0, (6, 1.5))),
}


def _across(axes: Axes, height: float, values: Any, *, color: str, marker: str, fill: str) -> None:
    """Draw replicates as small points on a line, and their mean with two standard errors."""
    found = 100.0 * np.asarray(values, float)
    error = found.std(ddof=1) / np.sqrt(found.size) if found.size > 1 else 0.0
    axes.plot(
        found,
        np.full(found.size, height),
        color=color,
        linestyle="none",
        marker=".",
        markersize=3,
        alpha=0.5,
    )
    axes.errorbar(
        found.mean(),
        height,
        xerr=2.0 * error,
        color=color,
        fmt=marker,
        markersize=5,
        fillstyle=fill,
        linewidth=1.0,
    )


def _percent(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return table.assign(**{name: 100.0 * table[name] for name in columns})


def _methods(axes: Axes, rows: Any) -> None:
    """One line of points a method, the best known names from top to bottom."""
    known = [name for name in (*_BASELINES, *_RULES) if (rows["method"] == name).any()]
    for height, name in enumerate(reversed(known)):
        for repair, (_, marker, shift) in _REPAIRS.items():
            values = rows_of(rows, method=name, repair=repair)["accuracy"]
            if len(values):
                real = name in _BASELINES
                _across(
                    axes,
                    height + 0.18 + shift if not real else height,
                    values,
                    color=PALETTE["real" if real else "synthetic"],
                    marker="^" if real else marker,
                    fill="full" if repair == "none" else "none",
                )
    axes.set_yticks(range(len(known)), reversed(known))
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.set(xlabel=_ACCURACY, ylabel="method")


def _methods_legend(axes: Axes, table: Any) -> None:
    shown = [repair for repair in _REPAIRS if (table["repair"] == repair).any()]
    if table["method"].isin(_BASELINES).any():
        axes.plot([], [], color=PALETTE["real"], linestyle="none", marker="^", label="real images")
    for repair in shown:
        name, marker, _ = _REPAIRS[repair]
        axes.plot(
            [],
            [],
            color=PALETTE["synthetic"],
            linestyle="none",
            marker=marker,
            fillstyle="full" if repair == "none" else "none",
            label=name,
        )
    legend_above(axes, 2)


def methods_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of fresh networks by method, a panel for each data set.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``methods``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = methods_figure(archived("methods"))
    >>> [axes.get_title() for axes in figure.axes]
    ['digits', 'digits, pixels in [0, 1]', 'Fashion-MNIST at 14 × 14']
    >>> plt.close(figure)
    """
    order = [name for name in _DATA if (table["data"] == name).any()]
    figure, axes_list = panels(len(order), 3.7)
    for axes, data in zip(axes_list, order, strict=True):
        _methods(axes, rows_of(table, data=data))
        axes.set_title(_DATA[data])
    _methods_legend(axes_list[0], table)
    return figure


def convnet_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of small convolutional networks by method, a panel for each number of images.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``convnet``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = convnet_figure(archived("convnet"))
    >>> [axes.get_title() for axes in figure.axes]
    ['1 per class']
    >>> plt.close(figure)
    """
    named = table.rename(columns={"rule": "method"})
    counts = sorted(set(named["n_per_class"]))
    figure, axes_list = panels(len(counts), 3.2)
    for axes, count in zip(axes_list, counts, strict=True):
        _methods(axes, rows_of(named, n_per_class=count))
        axes.set_title(f"{count} per class")
    _methods_legend(axes_list[0], named)
    return figure


def norms_figure(table: pd.DataFrame) -> Figure:
    """Norm of the meta-gradient by outer step of one run, a panel for each rule.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``norms``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = norms_figure(archived("norms"))
    >>> [axes.get_title() for axes in figure.axes]
    ['T-BPTT', 'BPTT', 'R-BPTT', 'RaT-BPTT']
    >>> plt.close(figure)
    """
    order = [name for name in _RULES if (table["rule"] == name).any()]
    figure, axes_list = panels(len(order), 2.1)
    looks: dict[str, dict[str, Any]] = {
        "none": {"color": PALETTE["synthetic"], "linestyle": "-"},
        "skip first": {"color": PALETTE["real"], "linestyle": (0, (4, 1.5, 1, 1.5))},
        "guard": {"color": PALETTE["mixed"], "linestyle": (0, (2, 1.2))},
    }
    shown = [name for name in looks if (table["repair"] == name).any()]
    for axes, rule in zip(axes_list, order, strict=True):
        for repair in shown:
            rows = rows_of(table, rule=rule, repair=repair)
            draw_line(axes, rows["outer_step"], rows["norm"], looks[repair], lw=1.2)
        axes.set(xlabel="outer step", ylabel="norm", yscale="log", title=rule)
        axes.set_ylim(0.5 * float(table["norm"].min()), 2.0 * float(table["norm"].max()))
    for repair in shown:
        axes_list[0].plot([], [], label=_REPAIRS[repair][0], **looks[repair])
    axes_list[0].plot([], [], **REFERENCE, label="median, as published")
    for axes, rule in zip(axes_list, order, strict=True):
        axes.axhline(float(rows_of(table, rule=rule, repair="none")["norm"].median()), **REFERENCE)
    legend_above(axes_list[0], 2)
    return figure


def variance_figure(table: pd.DataFrame) -> Figure:
    """Variance of the meta-gradient against the steps that the window leaves out.

    Points are blocks of networks, lines go through their medians; a panel for each network.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``variance``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = variance_figure(archived("variance"))
    >>> [axes.get_title() for axes in figure.axes]
    ['perceptron, digits', 'ConvNet, Fashion-MNIST']
    >>> plt.close(figure)
    """
    names = sorted(set(table["network"]), reverse=True)
    figure, axes_list = panels(len(names), 3.6)
    kinds = (
        table[["optimiser", "eps", "data"]]
        .drop_duplicates()
        .sort_values(["optimiser", "eps", "data"])
    )
    colours = looks_of(range(len(kinds)), falling=True).values()
    looks = dict(zip(kinds.itertuples(index=False, name=None), colours, strict=True))
    for axes, network in zip(axes_list, names, strict=True):
        rows = table[table["network"] == network]
        rows = rows.assign(left=rows["n_steps"] - rows["window"])
        lefts = sorted(set(rows["left"]))
        places = {left: place for place, left in enumerate(lefts)}
        for (optimiser, eps, data), look in looks.items():
            chosen = rows_of(rows, optimiser=optimiser, eps=eps, data=data)
            if not len(chosen):
                continue
            axes.plot(
                [places[left] for left in chosen["left"]],
                chosen["variance"],
                color=look["color"],
                marker=look["marker"],
                markersize=4,
                linestyle="none",
                alpha=0.8,
            )
            medians = chosen.groupby("left")["variance"].median()
            draw_line(axes, [places[left] for left in medians.index], medians, look)
        axes.set_xticks(range(len(lefts)), lefts)
        axes.set(
            xlabel="first steps that the window leaves out",
            ylabel="variance of the meta-gradient",
            yscale="log",
            title={"MLP": "perceptron, digits"}.get(network, f"{network}, Fashion-MNIST"),
        )
    for (optimiser, eps, data), look in looks.items():
        power = f"10^{{{round(np.log10(eps))}}}"
        name = rf"Adam, $\epsilon = {power}$" if optimiser == "Adam" else "gradient descent"
        axes_list[0].plot([], [], label=f"{name}, {data}", **look)
    legend_above(axes_list[0], 2)
    return figure


def subsets_figure(table: pd.DataFrame) -> Figure:
    """Accuracy against images per class: parts of a distilled set, direct sets, real images.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``subsets``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = subsets_figure(archived("subsets"))
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['distilled directly', 'random part of a larger set', 'random real images']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    means = (
        _percent(table, "accuracy")
        .groupby(["kind", "n_per_class", "replicate"], as_index=False)["accuracy"]
        .mean()
    )
    for kind, (name, color, marker, dash) in _KINDS.items():
        look = {"color": color, "marker": marker, "linestyle": dash}
        draw_means(axes, rows_of(means, kind=kind), "n_per_class", "accuracy", look, label=name)
    axes.set(xlabel=_PER_CLASS, ylabel=_ACCURACY)
    axes.set_xticks(sorted(set(table["n_per_class"])))
    legend_above(axes, 2)
    return figure


def boost_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of the first blocks of boosted sets, by the rate of old images.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``boost``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = boost_figure(archived("boost"))
    >>> figure.axes[0].get_legend_handles_labels()[1][-1]
    'distilled directly'
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.8)
    frame = _percent(table, "accuracy", "direct")
    for rate, look in looks_of(frame["block_rate"], skip=1).items():
        rows = frame[np.isclose(frame["block_rate"], rate)]
        name = rf"$\beta$ = {rate:g}"
        draw_means(axes, rows, "n_per_class", "accuracy", look, label=name)
    direct = frame.groupby(["replicate", "n_per_class"], as_index=False)["direct"].first()
    grey = {"color": PALETTE["reference"], "marker": "o", "linestyle": ":"}
    draw_means(axes, direct, "n_per_class", "direct", grey, label="distilled directly")
    axes.set(xlabel=_PER_CLASS + ", first blocks", ylabel=_ACCURACY)
    axes.set_xticks(sorted(set(table["n_per_class"])))
    legend_above(axes, 2)
    return figure


def selection_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of the chosen set where it was chosen and on fresh images, by replicate.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``selection``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = selection_figure(archived("selection"))
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['chosen on test images', 'chosen on validation images', 'nothing lost']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 3.6)
    looks: dict[str, dict[str, Any]] = {
        "test": {"color": PALETTE["synthetic"], "marker": "o"},
        "validation": {"color": PALETTE["real"], "marker": "s"},
    }
    for on, look in looks.items():
        rows = rows_of(table, chosen_on=on)
        # both less the mean of all candidates there: how hard the two sets are drops out
        seen = 100.0 * (rows["accuracy_seen"] - rows["mean_seen"])
        fresh = 100.0 * (rows["accuracy_fresh"] - rows["mean_fresh"])
        axes.plot(seen, fresh, linestyle="none", label=f"chosen on {on} images", **look)
    low, high = axes.get_xlim()
    ends = (min(low, axes.get_ylim()[0]), max(high, axes.get_ylim()[1]))
    axes.plot(ends, ends, **REFERENCE, label="nothing lost")
    axes.set(
        xlabel="points above the mean candidate, where chosen",
        ylabel="the same, on fresh images",
    )
    legend_above(axes, 2)
    return figure


def transfer_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of each architecture on a set distilled with another, a panel for each source.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``transfer``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.distillation.experiments import archived
    >>> figure = transfer_figure(archived("transfer"))
    >>> [axes.get_title() for axes in figure.axes]
    ['distilled with: MLP', 'distilled with: ConvNet']
    >>> plt.close(figure)
    """
    sources = list(dict.fromkeys(table["source"]))
    figure, axes_list = panels(len(sources), 2.9)
    for axes, source in zip(axes_list, sources, strict=True):
        rows = rows_of(table, source=source)
        targets = list(dict.fromkeys(rows["target"]))
        for height, target in enumerate(reversed(targets)):
            chosen = rows_of(rows, target=target)
            for column, color, marker, shift in (
                ("accuracy", PALETTE["synthetic"], "o", 0.12),
                ("random_real", PALETTE["real"], "^", -0.12),
            ):
                values = chosen[column]
                _across(axes, height + shift, values, color=color, marker=marker, fill="full")
        axes.set_yticks(range(len(targets)), reversed(targets))
        axes.set_ylim(-0.6, len(targets) - 0.4)
        axes.set(xlabel=_ACCURACY, ylabel="taught", title=f"distilled with: {source}")
    for name, color, marker in (
        ("distilled images", PALETTE["synthetic"], "o"),
        ("random real images", PALETTE["real"], "^"),
    ):
        axes_list[0].plot([], [], color=color, linestyle="none", marker=marker, label=name)
    legend_above(axes_list[0], 2)
    return figure


def distilled_images_figure(
    images: Any, labels: Any, *, names: Sequence[str] | None = None, columns: int = 5
) -> Figure:
    """Distilled images in a grid, sorted by class.

    Parameters
    ----------
    images : array_like, shape (n, side, side)
        Grey: each is drawn between its own least and largest value, for distilled pixels have no
        common scale.
    labels : array_like of int, shape (n,)
        Classes, from 0.
    names : sequence of str, optional
        Of the classes; default: their numbers.
    columns : int
        Pictures in a row, >= 1.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together, a pixel is not finite, or a class has no name.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> images = np.random.default_rng(1).normal(size=(4, 8, 8))
    >>> figure = distilled_images_figure(images, [1, 0, 1, 0], names=["shirt", "shoe"], columns=2)
    >>> [axes.get_title() for axes in figure.axes]
    ['shirt', 'shirt', 'shoe', 'shoe']
    >>> plt.close(figure)
    """
    import matplotlib.pyplot as plt

    from fragile_learning.style import FIGURE_WIDTH

    pixels = real_array("images", images, ndim=3)
    classes = whole_array("labels", labels, minimum=0).astype(int)
    if classes.shape != pixels.shape[:1] or not len(pixels):
        raise ValueError(
            f"labels must have one entry per image, shape {pixels.shape[:1]}, at least one, got "
            f"{classes.shape}"
        )
    if names is not None and classes.max() >= len(names):
        raise ValueError(f"names must name class {classes.max()}, got {len(names)} names")
    wide = min(int(columns), len(pixels))
    if wide < 1:
        raise ValueError(f"columns must be >= 1, got {columns!r}")
    order = np.argsort(classes, kind="stable")
    rows = -(-len(pixels) // wide)
    side = FIGURE_WIDTH / wide
    figure, axes = plt.subplots(
        rows, wide, figsize=(FIGURE_WIDTH, rows * (side + 0.12)), squeeze=False
    )
    for place in axes.ravel():
        place.set_axis_off()
    for place, index in zip(axes.ravel(), order, strict=False):
        place.imshow(pixels[index], cmap="gray", interpolation="nearest")
        name = str(classes[index]) if names is None else names[classes[index]]
        place.set_title(name, fontsize=9, color=foreground())
    return figure
