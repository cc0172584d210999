"""Figures of the room: each draws the tables it is given and computes nothing but means.

Lines are predictions, points are measured means with two standard errors over replicates; measured
points are joined for the eye. Colours run from real to synthetic: for methods from one network to
Hamiltonian Monte Carlo, for attacks from none (clean) over one on the label to one that knows the
detector. Grey and dotted is what to compare with. Radii are of l-infinity balls in pixels that run
from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from fragile_learning.style import (
    FIGURE_WIDTH,
    PALETTE,
    REFERENCE,
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
    from numpy.typing import ArrayLike

__all__ = [
    "Gallery",
    "attack_samples_figure",
    "attacks_figure",
    "detection_figure",
    "double_softmax_figure",
    "gradient_norms_figure",
    "images_figure",
    "leapfrog_figure",
    "mixing_figure",
    "posterior_figure",
    "rescaled_figure",
    "robustness_figure",
    "selective_figure",
    "shift_figure",
    "verdicts_figure",
    "wide_priors_figure",
]

_METHODS: Final = (
    "deterministic",
    "ensemble",
    "dropout",
    "Laplace",
    "function space",
    "mean field",
    "HMC",
)
_LOOKS: Final = dict(zip(_METHODS, looks_of(range(len(_METHODS))).values(), strict=True))
_DATA: Final = {"fashion": "Fashion-MNIST", "digits": "digits"}
_ATTACKS: Final = {
    "none": "no attack",
    "FGSM": "one step",
    "label": "many steps, label",
    "margin": "many steps, margin",
    "targeted": "class by class",
}
_SCORES: Final = {"total_entropy": "total entropy", "mutual_information": "mutual information"}
_ADAPTIVE: Final = {
    "total_entropy": "two-stage entropy",
    "mutual_information": "two-stage information",
}
_LABEL_ATTACK: Final = {"color": PALETTE["mixed"], "marker": "o", "linestyle": (0, (4, 1.5))}
_KNOWING_ATTACK: Final = {"color": PALETTE["synthetic"], "marker": "s", "linestyle": "-"}
_THEORY: Final = {"color": PALETTE["theory"], "linestyle": "-"}
_MEASURED: Final = {"color": PALETTE["synthetic"], "marker": "o", "linestyle": "-"}

# names of plain attacks, in words for readers who know neither
_PLAIN_ATTACKS: Final = {
    "FGSM, log after the mean": "one step, logarithm after averaging",
    "FGSM, double softmax, one sample": "one step, softmax taken twice, one sample",
    "FGSM, double softmax": "one step, softmax taken twice",
    "PGD, double softmax, ten samples": "many steps, softmax taken twice, ten samples",
    "PGD, log mean": "many steps, log-probability",
    "PGD, log odds": "many steps, log-odds",
    "PGD, margin in the log domain": "many steps, margin of log-probabilities",
    "PGD, tempered margin": "many steps, margin of tempered logits",
}

_RESCALED_ATTACKS: Final = {
    "log after the mean": "logarithm after averaging",
    "double softmax": "softmax taken twice",
    "double softmax, float64": "softmax taken twice, float64",
    "label in the log domain": "log-probability, stable",
    "tempered margin": "margin, tempered",
}

_RADIUS = r"radius of the attack $\varepsilon$ (pixels run from 0 to 1)"
_ACCURACY = "accuracy under attack"
_CHANCE = 0.5  # the AUROC of a detector that guesses


def _first(table: pd.DataFrame, column: str, order: Sequence[str]) -> list[str]:
    """Values of a column: those of an order in it, then others as they come."""
    found = list(dict.fromkeys(table[column]))
    return [one for one in order if one in found] + [one for one in found if one not in order]


def _sets(table: pd.DataFrame) -> dict[str, str]:
    """Return the data sets of a table, with their names."""
    return {one: _DATA.get(one, one) for one in _first(table, "data", tuple(_DATA))}


def _methods(table: pd.DataFrame) -> dict[str, Mapping[str, Any]]:
    """Methods of a table, with their looks."""
    return {one: _LOOKS[one] for one in _first(table, "method", _METHODS)}


def _apart(values: Any) -> list[float]:
    """Leave out values of a logarithmic axis whose ticks would touch the next larger one's."""
    kept: list[float] = []
    for value in sorted(set(values), reverse=True):
        if not kept or kept[-1] >= 1.25 * value:
            kept.append(float(value))
    return kept


def _mean_and_error(values: pd.Series) -> tuple[float, float]:
    """Return mean and standard error, 0 for one value."""
    found = values.to_numpy(float)
    spread = 0.0 if len(found) < 2 else float(found.std(ddof=1)) / math.sqrt(len(found))
    return float(found.mean()), spread


def _across(axes: Axes, values: Any, height: float, look: Mapping[str, Any], **more: Any) -> None:
    """Draw a mean at a height, with two standard errors to its left and right."""
    mean, error = _mean_and_error(values)
    axes.errorbar(
        [mean],
        [height],
        xerr=[2.0 * error],
        fmt=look["marker"],
        color=look["color"],
        markersize=6,
        linewidth=1.0,
        capsize=2.0 if error else 0.0,
        **more,
    )


def _named_rows(axes: Axes, names: Sequence[str]) -> None:
    """Give the rows of a panel names, the first one on top."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _legend_of(axes: Axes, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Add entries to the legend that stand for no line by itself."""
    for label, look in entries.items():
        axes.plot([], [], label=label, **look)


# --- the exact posterior ------------------------------------------------------------------------


def posterior_figure(draws: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Posterior of two weights: exact regions, draws of a chain, and two approximations.

    Parameters
    ----------
    draws : DataFrame
        Of the experiment ``logistic-draws``.
    curves : DataFrame
        Of `fragile_learning.bayes.curves.curves` for it.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.curves import curves
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = posterior_figure(archived("logistic-draws"), curves("logistic-draws"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['weight 1']
    >>> plt.close(figure)
    """
    figure, (axes,) = panels(1, 4.6)
    levels = (0.5, 0.9)
    looks: dict[str, dict[str, Any]] = {
        "exact": {"color": PALETTE["theory"], "linestyle": "-", "lw": 2.4},
        "Laplace": {"color": PALETTE["real"], "linestyle": (0, (6, 1.5)), "lw": 1.6},
        "mean field": {"color": PALETTE["mixed"], "linestyle": (0, (2, 1.2)), "lw": 1.8},
    }
    axes.plot(
        draws["weight_0"],
        draws["weight_1"],
        color=PALETTE["synthetic"],
        linestyle="none",
        marker=".",
        markersize=4,
        alpha=0.7,
        label="draws of HMC",
    )
    for kind, look in looks.items():
        mass = rows_of(curves, kind=kind).pivot_table(
            index="weight_1", columns="weight_0", values="mass"
        )
        axes.contour(
            mass.columns.to_numpy(float),
            mass.index.to_numpy(float),
            mass.to_numpy(),
            levels=levels,
            colors=[look["color"]],
            linestyles=[look["linestyle"]],
            linewidths=[look["lw"]],
        )
        name = "exact: 50 % and 90 % regions" if kind == "exact" else kind
        axes.plot([], [], label=name, **look)
    axes.set(xlabel="weight 0", ylabel="weight 1")
    axes.set_xlim(float(curves["weight_0"].min()), float(curves["weight_0"].max()))
    axes.set_ylim(float(curves["weight_1"].min()), float(curves["weight_1"].max()))
    legend_above(axes, 2)
    return figure


def leapfrog_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw acceptance and energy error of leapfrog trajectories against their step size.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``leapfrog``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.curves import curves
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = leapfrog_figure(archived("leapfrog"), curves("leapfrog"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['acceptance', 'mean energy error (nats)']
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 3.1)
    settings = curves[["n_dimensions", "n_steps"]].drop_duplicates()
    ordered = sorted(settings.itertuples(index=False, name=None))
    looks = looks_of(range(len(ordered)))
    for (dimensions, steps), look in zip(ordered, looks.values(), strict=True):
        keys = {"n_dimensions": dimensions, "n_steps": steps}
        line, rows = rows_of(curves, **keys), rows_of(table, **keys).sort_values("step_size")
        name = f"$d$ = {dimensions:g}, {steps:g} steps"
        draw_line(above, line["step_size"], line["acceptance_normal"], {**REFERENCE})
        draw_line(above, line["step_size"], line["acceptance_exact"], look)
        more: dict[str, Any] = {"fillstyle": "none", "label": name}
        accepted = rows["acceptance"], rows["acceptance_se"]
        draw_points(above, rows["step_size"], *accepted, look, **more)
        draw_line(below, line["step_size"], line["mean_error_exact"], look)
        errors = rows["mean_error"], rows["mean_error_se"]
        draw_points(below, rows["step_size"], *errors, look, fillstyle="none")
    entries = {"exact": {"color": foreground(), "lw": 1.4}, "if errors were normal": REFERENCE}
    _legend_of(above, entries)
    for axes in (above, below):
        axes.set(xlabel="step size of the leapfrog")
        axes.set_xlim(0.0, 1.03 * float(curves["step_size"].max()))
    above.set(ylabel="acceptance", ylim=(0.0, 1.03))
    least = curves.loc[curves["mean_error_exact"] > 0.0, "mean_error_exact"].min()
    below.set(yscale="log", ylabel="mean energy error (nats)", ylim=(max(1e-4, least), None))
    legend_above(above, 2)
    return figure


# --- trained networks -----------------------------------------------------------------------------


def _strongest(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy under the strongest attack of each replicate and radius; clean ones at radius 0."""
    keys = ["data", "method", "replicate", "radius"]
    return table.groupby(keys, sort=False)["accuracy"].min().reset_index()


def _by_method(
    axes: Axes, rows: pd.DataFrame, column: str, reference: pd.DataFrame | None = None
) -> None:
    """Draw means against the radius for each method, on lines of the reference if there is one."""
    # HMC and the network without a posterior are the comparison: they lie on top
    for method, look in _methods(rows if reference is None else reference).items():
        bold = {"zorder": 4} if method in {"deterministic", "HMC"} else {}
        width = 2.4 if bold else 1.2
        found = rows_of(rows, method=method)
        lines = found if reference is None else rows_of(reference, method=method)
        means = lines.groupby("radius")[column].mean()
        draw_line(axes, means.index.to_numpy(), means, look, lw=width, **bold)
        groups = found.groupby("radius")[column]
        places, heights = groups.mean().index.to_numpy(), groups.mean().to_numpy()
        errors = groups.sem().fillna(0.0).to_numpy()
        draw_points(axes, places, heights, errors, look, label=method, **bold)


def robustness_figure(table: pd.DataFrame, reference: pd.DataFrame | None = None) -> Figure:
    """Accuracy under the strongest attack against its radius, by method; a panel a data set.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``robustness``: points, joined if there is no `reference`.
    reference : DataFrame, optional
        Of the same experiment at another scale, drawn as lines.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = robustness_figure(archived("robustness"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy under attack', 'accuracy under attack']
    >>> plt.close(figure)
    """
    names = _sets(table)
    figure, axes_list = panels(len(names), 3.7 if len(names) == 1 else 3.1)
    live = _strongest(table)
    archived = None if reference is None else _strongest(reference)
    for axes, (data, name) in zip(axes_list, names.items(), strict=True):
        axes.axhline(0.1, **REFERENCE, label="guessing")
        lines = None if archived is None else rows_of(archived, data=data)
        _by_method(axes, rows_of(live, data=data), "accuracy", lines)
        axes.set(xlabel=_RADIUS, ylabel=_ACCURACY, ylim=(0.0, 1.0))
        axes.set_title(name)
    if reference is not None:
        kinds: dict[str, Mapping[str, Any]] = {
            "lines: archived run": {"color": foreground()},
            "points: live run": {"color": foreground(), "linestyle": "none", "marker": "o"},
        }
        _legend_of(axes_list[0], kinds)
    legend_above(axes_list[0])
    return figure


def attacks_figure(table: pd.DataFrame) -> Figure:
    """Accuracy by attack and radius, of one network and of the posterior; a panel a data set.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``robustness``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = attacks_figure(archived("robustness"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['the attack', 'the attack']
    >>> plt.close(figure)
    """
    names = _sets(table)
    figure, axes_list = panels(len(names), 3.6 if len(names) == 1 else 3.1)
    attacks = _first(table, "attack", tuple(_ATTACKS))
    looks = looks_of(table["radius"])
    methods: dict[str, tuple[str, Any, float]] = {
        "deterministic": ("one network", "none", -0.14),
        "HMC": ("HMC", "full", 0.14),
    }
    for axes, (data, title) in zip(axes_list, names.items(), strict=True):
        for radius, look in looks.items():
            for method, (_, fill, shift) in methods.items():
                for place, attack in enumerate(attacks):
                    keys = {"data": data, "radius": radius, "attack": attack, "method": method}
                    found = rows_of(table, **keys)["accuracy"]
                    if len(found):
                        _across(axes, found, place + shift, look, fillstyle=fill)
        _named_rows(axes, [_ATTACKS.get(one, one) for one in attacks])
        axes.set(xlabel=_ACCURACY, xlim=(0.0, 1.0))
        axes.set_ylabel("the attack")
        axes.set_title(title)
    entries = {
        rf"$\varepsilon$ = {radius:g}": {"color": look["color"], "marker": look["marker"], "ls": ""}
        for radius, look in looks.items()
    }
    for name, fill, _ in methods.values():
        entries[name] = {"color": foreground(), "marker": "o", "ls": "", "fillstyle": fill}
    _legend_of(axes_list[0], entries)
    legend_above(axes_list[0], 3)
    return figure


def _dumbbells(axes: Axes, before: pd.DataFrame, after: pd.DataFrame, column: str) -> None:
    """Draw two means of each method, joined: under an attack on the label, and a knowing one."""
    methods = list(_methods(before))
    for place, method in enumerate(methods):
        pair = [rows_of(rows, method=method)[column] for rows in (before, after)]
        ends = [float(one.mean()) for one in pair]
        axes.plot(ends, [place, place], color=PALETTE["reference"], lw=2.0, zorder=1)
        _across(axes, pair[0], place, _LABEL_ATTACK, fillstyle="none")
        _across(axes, pair[1], place, _KNOWING_ATTACK)
    _named_rows(axes, methods)


def detection_figure(table: pd.DataFrame) -> Figure:
    """How well uncertainty tells attacked inputs from clean ones, by method, under two attacks.

    At the largest radius; a panel for each data set and score.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``detection``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = detection_figure(archived("detection"))
    >>> len(figure.axes)
    4
    >>> plt.close(figure)
    """
    return _detection(table, "auroc", "AUROC of attacked against clean inputs", list(_SCORES))


def selective_figure(table: pd.DataFrame) -> Figure:
    """Accuracy on inputs kept for low entropy, over all shares kept, by method, under two attacks.

    Of clean and attacked inputs together, at the largest radius; a panel for each data set.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``detection``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = selective_figure(archived("detection"))
    >>> len(figure.axes)
    2
    >>> plt.close(figure)
    """
    words = "accuracy on the inputs kept, mean over all shares"
    return _detection(table, "selective_area", words, ["total_entropy"])


def _detection(table: pd.DataFrame, column: str, label: str, scores: Sequence[str]) -> Figure:
    """Draw a column under an attack on the label and one on the score."""
    radius = table["radius"].max()
    shown = [(data, score) for data in _sets(table) for score in scores]
    figure, axes_list = panels(len(shown), 2.7 if len(shown) > 1 else 3.3)
    for axes, (data, score) in zip(axes_list, shown, strict=True):
        rows = rows_of(table, data=data, score=score, radius=radius)
        if column == "auroc":
            axes.axvline(_CHANCE, **REFERENCE)
        before, after = rows_of(rows, attack="label"), rows_of(rows, attack=_ADAPTIVE[score])
        _dumbbells(axes, before, after, column)
        axes.set(xlabel=label, xlim=(0.0, 1.0))
        axes.set_title(rf"{_DATA.get(data, data)}, {_SCORES[score]}, $\varepsilon$ = {radius:g}")
    point = {"linestyle": "none", "markersize": 6}
    entries: dict[str, Mapping[str, Any]] = {
        "attack on the label": {**_LABEL_ATTACK, **point, "fillstyle": "none"},
        "attack that knows the score": {**_KNOWING_ATTACK, **point},
    }
    _legend_of(axes_list[0], entries | ({"chance": REFERENCE} if column == "auroc" else {}))
    legend_above(axes_list[0], 3, fontsize=9)
    return figure


def shift_figure(table: pd.DataFrame) -> Figure:
    """How well uncertainty notices inputs of no class, against the radius of an attack on it.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``shift``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each data set and score, which the attack lowers.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = shift_figure(archived("shift"))
    >>> len(figure.axes)
    4
    >>> plt.close(figure)
    """
    shown = [(data, score) for data in _sets(table) for score in _SCORES]
    figure, axes_list = panels(len(shown), 3.0)
    for axes, (data, score) in zip(axes_list, shown, strict=True):
        rows = rows_of(table, data=data, score=score)
        rows = rows[rows["attacked"].isin(["none", score])]
        axes.axhline(_CHANCE, **REFERENCE, label="chance")
        _by_method(axes, rows, "auroc")
        axes.set(xlabel=_RADIUS, ylabel="AUROC of shifted inputs", ylim=(0.0, 1.0))
        axes.set_title(f"{_DATA.get(data, data)}, {_SCORES[score]}")
    legend_above(axes_list[0])
    return figure


def mixing_figure(table: pd.DataFrame) -> Figure:
    """Whether chains have mixed in what they predict: R-hat, and effective draws, by replicate.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``mixing``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = mixing_figure(archived("mixing"))
    >>> len(figure.axes)
    2
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 2.3)
    names = _sets(table)
    looks = looks_of(range(len(names)))
    for (data, name), look in zip(names.items(), looks.values(), strict=True):
        rows = rows_of(table, data=data)
        shift = 0.0 if len(names) == 1 else (-0.12 if look is looks[0] else 0.12)
        at = rows["replicate"] + shift
        mark: dict[str, Any] = {"color": look["color"], "marker": look["marker"], "ls": ""}
        above.plot(at, rows["rhat_median"], **mark, fillstyle="none", label=f"{name}, median")
        above.plot(at, rows["rhat_max"], **mark, label=f"{name}, worst input")
        below.plot(at, rows["ess_median"] / rows["n_draws"], **mark, fillstyle="none")
    for height in (1.01, 1.1):
        above.axhline(height, **REFERENCE)
    most = float(table["replicate"].max())
    for axes in (above, below):
        axes.set(xlabel="replicate", xlim=(-0.5, most + 0.5))
        axes.set_xticks(sorted(set(table["replicate"])))
    above.set(ylabel=r"$\hat R$ of predictions", ylim=(0.995, max(1.12, table["rhat_max"].max())))
    above.plot([], [], **REFERENCE, label="limits: worst, median")
    below.axhline(1.0, **REFERENCE)
    below.set(ylabel="effective draws\nper draw kept")
    below.set_ylim(0.0, max(1.1, 1.05 * float((table["ess_median"] / table["n_draws"]).max())))
    legend_above(above, 2)
    return figure


# --- pitfalls -----------------------------------------------------------------------------------


def _percent(value: float) -> str:
    """Write a share in percent without decimals, unless it is between 0 and 1 %."""
    return f"{value:.1f} %" if 0.0 < value < 1.0 else f"{value:.0f} %"


def verdicts_figure(table: pd.DataFrame) -> Figure:
    """Accuracy of one posterior under one attack after another, from the weakest to the strongest.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``verdicts``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = verdicts_figure(archived("verdicts"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['the attack']
    >>> plt.close(figure)
    """
    means = 100.0 * table.pivot_table(index="attack", columns="radius", values="accuracy")
    radii = sorted(means.columns)
    means = means.sort_values(by=list(reversed(radii)), ascending=False)
    clean = 100.0 * float(table["clean"].mean())
    paints = [PALETTE["mixed"], PALETTE["synthetic"]][-len(radii) :]
    figure, (axes,) = panels(1, 1.5 + 0.55 * len(means))
    height = 0.54 / len(radii)
    page = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 0.6}

    def bars(first: float, values: Any, paint: str, thickness: float, name: str) -> None:
        places = first + np.arange(len(values))
        look: dict[str, Any] = {"color": paint, "edgecolor": "none", "align": "edge"}
        axes.barh(places, values, height=0.9 * thickness, label=name, **look)
        for place, value in zip(places, values, strict=True):
            at = (float(value), place + 0.45 * thickness)
            write_beside(axes, _percent(value), at, fontsize=10, bbox=page)

    axes.axvline(clean, zorder=0, **REFERENCE)
    bars(-1.0, [clean], PALETTE["clean"], 0.54, "no attack")
    for rank, (radius, paint) in enumerate(zip(radii, paints, strict=True)):
        name = rf"attack, $\varepsilon$ = {radius:g}"
        bars(height * rank, means[radius].to_numpy(), paint, height, name)
    for place, attack in enumerate(["no attack", *means.index], start=-1):
        name = _PLAIN_ATTACKS.get(str(attack), str(attack))
        write_beside(axes, name, (0.0, place), xytext=(2, 7), fontsize=9.5, bbox=page)
    axes.set(xlabel="test images that the same posterior still gets right (%)", xlim=(0.0, 100.0))
    axes.set_ylim(len(means) - 0.35, -1.45)
    axes.set_yticks([])
    axes.set_ylabel("the attack")
    axes.grid(visible=False)
    legend_above(axes, 3)
    return figure


def rescaled_figure(table: pd.DataFrame) -> Figure:
    """Accuracy under attack if logits are multiplied by a factor, and shares of gradients lost.

    Attacks that do as one of the others are left out: those on the log of the mean, which is as
    flat as softmax taken twice, and on log-odds.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``rescaled-logits``.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels for one network, and two for the posterior.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = rescaled_figure(archived("rescaled-logits"))
    >>> len(figure.axes)
    4
    >>> plt.close(figure)
    """
    import matplotlib.pyplot as plt

    table = table[~table["attack"].isin(["log mean", "log odds"])]
    lost = table.assign(lost=table["dead_share"] + table["nan_share"])
    networks = _first(table, "network", ("deterministic", "HMC"))
    titles = {"deterministic": "one network", "HMC": "posterior, HMC"}
    figure, axes_list = plt.subplots(
        2 * len(networks),
        1,
        figsize=(FIGURE_WIDTH, 4.3 * len(networks)),
        height_ratios=[2.0, 1.0] * len(networks),
        squeeze=False,
    )
    axes_list = axes_list[:, 0]
    largest = rows_of(table, factor=table["factor"].max()).groupby("attack")["accuracy"].mean()
    ordered = [str(attack) for attack in largest.sort_values().index]
    looks = dict(zip(ordered, looks_of(range(len(ordered)), skip=1).values(), strict=True))
    for place, network in enumerate(networks):
        above, below = axes_list[2 * place], axes_list[2 * place + 1]
        rows = rows_of(lost, network=network)
        clean = rows.groupby("factor")["clean"].mean()
        look = {"color": PALETTE["clean"], "linestyle": (0, (1, 1))}
        draw_line(above, clean.index.to_numpy(), clean, look, lw=1.8, label="no attack")
        for attack in ordered:
            found = rows_of(rows, attack=attack)
            name = _RESCALED_ATTACKS.get(attack, attack)
            draw_means(above, found, "factor", "accuracy", looks[attack], label=name)
            draw_means(below, found, "factor", "lost", looks[attack])
        above.set(ylabel=_ACCURACY, ylim=(-0.02, 1.0))
        above.set_title(titles.get(network, network))
        below.set(ylabel="gradients\n0 or NaN", ylim=(-0.08, 1.08))
        for axes in (above, below):
            axes.set(xscale="log", xlabel="factor on all logits")
            plain_ticks(axes.xaxis, sorted(set(table["factor"])))
    legend_above(axes_list[0], 2)
    return figure


def attack_samples_figure(table: pd.DataFrame, linear: pd.DataFrame) -> Figure:
    """Draw what an attack reaches with few samples of the posterior, measured and in closed form.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``attack-samples``.
    linear : DataFrame
        Of the experiment ``gaussian-linear``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = attack_samples_figure(archived("attack-samples"), archived("gaussian-linear"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy under attack', 'share of the largest shift']
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 3.1)
    rows = rows_of(table, attack="n samples")
    above.axhline(
        rows["clean"].mean(), color=PALETTE["clean"], linestyle=(0, (1, 1)), label="no attack"
    )
    runs: dict[str, Any] = {"color": _MEASURED["color"], "lw": 0.7, "alpha": 0.5}
    several = rows["replicate"].nunique() > 1
    for _, run in rows.groupby("replicate"):
        path = run.sort_values("n_attack")
        above.plot(path["n_attack"], path["accuracy"], **runs)
    name = "mean of replicates" if several else "attack"
    draw_means(above, rows, "n_attack", "accuracy", _MEASURED, label=name)
    if several:
        _legend_of(above, {"one replicate": runs})
    above.set(xscale="log", ylabel=_ACCURACY, ylim=(0.0, 1.0))
    above.set_xlabel("posterior samples that the attack uses")
    plain_ticks(above.xaxis, _apart(rows["n_attack"]))
    legend_above(above)
    names = {
        "logit": "gradients of logits",
        "member losses": "of the samples' losses",
        "predictive": "of the loss of their mean",
    }
    # the posterior itself, not one with other spreads
    found = rows_of(linear, spread=linear["spread"].iloc[(linear["spread"] - 1.0).abs().argmin()])
    looks = looks_of(range(len(names)))
    for (gradients, name), look in zip(names.items(), looks.values(), strict=True):
        kind = rows_of(found, gradients=gradients).sort_values("n_samples")
        if gradients == "logit":
            draw_line(below, kind["n_samples"], kind["fraction_exact"], _THEORY, label="formula")
        else:
            draw_line(below, kind["n_samples"], kind["fraction"], look)
        fractions = kind["fraction"], kind["fraction_se"]
        draw_points(below, kind["n_samples"], *fractions, look, fillstyle="none", label=name)
    below.axhline(1.0, **REFERENCE)
    below.set(xscale="log", ylabel="share of the largest shift", ylim=(0.0, 1.08))
    below.set_xlabel("samples $n$ of a normal posterior, linear model")
    plain_ticks(below.xaxis, _apart(found["n_samples"]))
    below.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2)
    return figure


def gradient_norms_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Norm of the mean of several samples' gradients: measured, and in closed form with its limit.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``gradient-norms``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.curves import curves
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = gradient_norms_figure(archived("gradient-norms"), curves("gradient-norms"))
    >>> len(figure.axes)
    2
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 3.0)
    look = _MEASURED
    means = rows_of(table, kind="mean of member gradients")
    predictive = rows_of(table, kind="predictive mean")
    draw_means(above, means, "n_samples", "linf", look, label="mean of $n$ gradients")
    if len(predictive):
        draw_means(
            above,
            predictive,
            "n_samples",
            "linf",
            {"color": PALETTE["real"], "marker": "s", "linestyle": (0, (6, 1.5))},
            label="gradient of the prediction",
        )
    above.set(
        ylabel="largest gradient entry,\nmedian over images", xlabel="posterior samples $n$, HMC"
    )
    draw_line(below, curves["n_samples"], curves["norm"], _THEORY, lw=1.8, label="formula")
    draw_line(
        below,
        curves["n_samples"],
        curves["if_zero_mean"],
        {"color": PALETTE["reference"], "linestyle": (0, (4, 1.5, 1, 1.5))},
        label="if the limit were 0",
    )
    below.axhline(curves["limit"].iloc[0], **REFERENCE, label="limit")
    below.set(ylabel="root mean square norm", xlabel="samples $n$, normal posterior, linear model")
    for axes, places in ((above, table["n_samples"]), (below, (1, 10, 100, 1000))):
        axes.set(xscale="log")
        axes.set_ylim(bottom=0.0)
        plain_ticks(axes.xaxis, _apart(places))
    legend_above(above, 2)
    below.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


def wide_priors_figure(table: pd.DataFrame) -> Figure:
    """Share of inputs whose float32 gradient is exactly zero under networks drawn from priors.

    Parameters
    ----------
    table : DataFrame
        Of the experiment ``wide-priors``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = wide_priors_figure(archived("wide-priors"))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['hidden layers × width']
    >>> plt.close(figure)
    """
    looks: dict[str, tuple[str, Mapping[str, Any]]] = {
        "constant": ("variance 1, whatever the width", _KNOWING_ATTACK),
        "fan-in": ("variance 1 / inputs", {**_KNOWING_ATTACK, "color": PALETTE["real"]}),
    }
    kinds = table[["prior", "n_layers", "width"]].drop_duplicates()
    ordered = sorted(kinds.itertuples(index=False, name=None))
    figure, (axes,) = panels(1, 1.4 + 0.32 * len(ordered))
    names = []
    for place, (prior, layers, width) in enumerate(ordered):
        found = rows_of(table, prior=prior, n_layers=layers, width=width)["dead_share"]
        _, look = looks.get(prior, (prior, _KNOWING_ATTACK))
        axes.plot([0.0, found.mean()], [place, place], color=look["color"], lw=2.0)
        _across(axes, found, place, look, clip_on=False)
        names.append(f"{layers:g} × {width:,.0f}")
    for name, look in looks.values():
        _legend_of(axes, {name: {**look, "linestyle": "-", "lw": 2.0}})
    _named_rows(axes, names)
    axes.set(xlabel="share of inputs with a gradient of exactly 0", xlim=(0.0, 1.0))
    axes.set_ylabel("hidden layers × width")
    legend_above(axes, 2, fontsize=9)
    return figure


def double_softmax_figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Score and loss of probabilities that pass a softmax again, against the number of classes.

    Parameters
    ----------
    table, curves : DataFrame
        Of the experiment ``double-softmax``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from fragile_learning.bayes.curves import curves
    >>> from fragile_learning.bayes.experiments import archived
    >>> figure = double_softmax_figure(archived("double-softmax"), curves("double-softmax"))
    >>> len(figure.axes)
    2
    >>> plt.close(figure)
    """
    figure, (above, below) = panels(2, 3.1)
    draw_line(above, curves["n_classes"], curves["score_floor"], _THEORY, label="lowest possible")
    at = table["n_classes"]
    points: dict[str, Any] = {"linestyle": "none", "markersize": 6}
    above.plot(at, table["score_fooled"], **{**_MEASURED, **points}, label="softmax twice")
    own = {"color": PALETTE["real"], "marker": "s", **points}
    above.plot(at, table["score_correct"], **own, label="softmax once")
    above.set(ylabel="robustness score of a\nmodel with accuracy 0", ylim=(-0.03, 1.03))
    below.fill_between(
        curves["n_classes"],
        curves["loss_low"],
        curves["loss_high"],
        color=PALETTE["theory"],
        alpha=0.3,
        lw=0,
        label="all that the loss can be",
    )
    for end in ("loss_low", "loss_high"):
        draw_line(below, curves["n_classes"], curves[end], _THEORY)
        below.plot(at, table[end], **{**_MEASURED, **points}, fillstyle="none")
    below.plot([], [], **{**_MEASURED, **points}, fillstyle="none", label="at the two extremes")
    below.set(ylabel="loss of probabilities (nats)")
    below.set_ylim(bottom=0.0)
    for axes in (above, below):
        axes.set(xscale="log", xlabel="number of classes $K$")
        plain_ticks(axes.xaxis, (2, 5, 10, 20, 50, 100, 1000))
    legend_above(above)
    below.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


# --- images ---------------------------------------------------------------------------------------


class Gallery(Protocol):
    """Images under attack, and what the posterior says of them.

    Attributes
    ----------
    clean, label_attacked, adaptively_attacked : array_like, shape (n, side, side)
        As they are, attacked on the label, and by an attack that also lowers the entropy.
    labels : array_like of int, shape (n,)
        True classes.
    predictions : array_like of int, shape (3, n)
    total_entropies : array_like, shape (3, n)
        Of the predictive mean, in nats.
    class_names : sequence of str

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> images = np.random.default_rng(1).random((3, 2, 8, 8))
    >>> examples: Gallery = SimpleNamespace(
    ...     clean=images[0],
    ...     label_attacked=images[1],
    ...     adaptively_attacked=images[2],
    ...     labels=[0, 1],
    ...     predictions=[[0, 1], [1, 0], [1, 0]],
    ...     total_entropies=[[0.1, 0.2], [1.0, 0.9], [0.2, 0.3]],
    ...     class_names=("shirt", "shoe"),
    ... )
    >>> np.shape(examples.clean), np.shape(examples.predictions)
    ((2, 8, 8), (3, 2))
    """

    @property
    def clean(self) -> ArrayLike: ...  # noqa: D102
    @property
    def label_attacked(self) -> ArrayLike: ...  # noqa: D102
    @property
    def adaptively_attacked(self) -> ArrayLike: ...  # noqa: D102
    @property
    def labels(self) -> ArrayLike: ...  # noqa: D102
    @property
    def predictions(self) -> ArrayLike: ...  # noqa: D102
    @property
    def total_entropies(self) -> ArrayLike: ...  # noqa: D102
    @property
    def class_names(self) -> Sequence[str]: ...  # noqa: D102


def images_figure(examples: Gallery) -> Figure:
    """Images as they are and under two attacks, with what the posterior says, and how surely.

    Wrong answers are in the colour of attacked ones, in a dashed frame. Four images are readable on
    a phone.

    Parameters
    ----------
    examples : Gallery

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> images = np.random.default_rng(1).random((3, 2, 8, 8))
    >>> examples = SimpleNamespace(
    ...     clean=images[0],
    ...     label_attacked=images[1],
    ...     adaptively_attacked=images[2],
    ...     labels=[0, 1],
    ...     predictions=[[0, 1], [1, 0], [1, 0]],
    ...     total_entropies=[[0.1, 0.2], [1.0, 0.9], [0.2, 0.3]],
    ...     class_names=("shirt", "shoe"),
    ... )
    >>> figure = images_figure(examples)
    >>> len(figure.axes)
    6
    >>> plt.close(figure)
    """
    import matplotlib.pyplot as plt

    shown = examples.clean, examples.label_attacked, examples.adaptively_attacked
    stacks = [np.asarray(one) for one in shown]
    labels, said = np.asarray(examples.labels), np.asarray(examples.predictions)
    unsure = np.asarray(examples.total_entropies)
    count = len(labels)
    figure, grid = plt.subplots(
        3, count, figsize=(FIGURE_WIDTH, 3 * (FIGURE_WIDTH / count + 0.42)), squeeze=False
    )
    rows = ("clean", "attacked: label", "attacked: label\nand entropy")
    for i, (images, row) in enumerate(zip(stacks, rows, strict=True)):
        for j in range(count):
            axes = grid[i, j]
            axes.imshow(images[j], cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
            right = said[i, j] == labels[j]
            paint = PALETTE["clean"] if right else PALETTE["synthetic"]
            words = f"{examples.class_names[int(said[i, j])]}\nentropy {unsure[i, j]:.2f}"
            axes.set_xlabel(words, fontsize=9 if count <= 4 else 7.5)
            for spine in axes.spines.values():
                dash = "-" if right else (0, (3, 1.5))
                spine.set(visible=True, color=paint, linewidth=2.0, linestyle=dash)
        grid[i, 0].set_ylabel(row, fontsize=9)
    return figure
