"""Figures of the primer: each draws the arrays it is given and computes nothing.

Colours come from the active style's cycle, so that `fragile_learning.style.show` can draw the
light and the dark version; markers and dashes repeat what the colours say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from fragile_learning.style import plain_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "clean_risk_figure",
    "finite_size_figure",
    "heavy_tail_figure",
    "kappa_figure",
    "margin_figure",
]

_MARKERS = "osD^v"
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_EQUIVALENTS = {"resolvent": "(D1)", "smoother_sandwich": "(D3)", "noise": "(D4)"}
_POLICIES = {
    "none": r"$\lambda = 0$",
    "small": r"$\lambda = 0.01$",
    "tuned": r"$\lambda$ tuned",
}


def kappa_figure(ratios: ArrayLike, curves: Mapping[float, ArrayLike], points: ArrayLike) -> Figure:
    """Effective ridge against samples per feature, one curve for each ridge.

    Parameters
    ----------
    ratios : array_like, shape (n,)
        ``T / d`` along the curves.
    curves : mapping from ridge to array_like, shape (n,)
        Effective ridge; zeros are left out (log axis).
    points : array_like, shape (m, 4)
        Rows of ``T / d``, ridge, measured mean, standard error.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> points = [(0.5, 0.0, 0.51, 0.01)]
    >>> figure = kappa_figure([0.5, 1.0, 2.0], {0.0: [0.5, 0.0, 0.0]}, points)
    >>> figure.axes[0].lines[0].get_ydata().tolist()  # 0 has no place on a logarithmic axis
    [0.5]
    >>> plt.close(figure)
    """
    figure, axes = _axes()
    table = np.asarray(points, dtype=float)
    for index, (ridge, curve) in enumerate(curves.items()):
        values = np.asarray(curve, dtype=float)
        seen = values > 0
        axes.plot(
            np.asarray(ratios)[seen],
            values[seen],
            color=f"C{index}",
            linestyle=_DASHES[index % len(_DASHES)],
            label=rf"$\lambda$ = {ridge:g}",
        )
        rows = table[table[:, 1] == ridge]
        _points(axes, rows[:, 0], rows[:, 2], rows[:, 3], index)
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("samples per feature $T/d$")
    axes.set_ylabel(r"effective ridge $\kappa$")
    axes.legend(frameon=False)
    return figure


def clean_risk_figure(
    ratios: ArrayLike,
    curves: Mapping[str, ArrayLike],
    points: Sequence[tuple[str, float, float, float]],
) -> Figure:
    """Excess risk of ridge regression against samples per feature.

    Parameters
    ----------
    ratios : array_like, shape (n,)
        ``T / d`` along the curves.
    curves : mapping from policy ("none", "small", "tuned") to array_like, shape (n,)
        Risk relative to the null predictor; infinite values leave a gap.
    points : sequence of (policy, ratio, mean, standard error)

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> curves = {"none": [1.5, float("inf"), 0.5]}
    >>> figure = clean_risk_figure([0.5, 1.0, 2.0], curves, [("none", 2.0, 0.51, 0.01)])
    >>> figure.axes[0].lines[0].get_ydata().tolist()  # a gap where the risk is infinite
    [1.5, nan, 0.5]
    >>> plt.close(figure)
    """
    figure, axes = _axes()
    for index, (policy, curve) in enumerate(curves.items()):
        values = np.asarray(curve, dtype=float)
        axes.plot(
            np.asarray(ratios),
            np.where(np.isfinite(values), values, np.nan),
            color=f"C{index}",
            linestyle=_DASHES[index % len(_DASHES)],
            label=_POLICIES.get(policy, policy),
        )
        rows = np.array([row[1:4] for row in points if row[0] == policy], dtype=float)
        if rows.size:
            _points(axes, rows[:, 0], rows[:, 1], rows[:, 2], index)
    axes.axhline(1.0, color="0.5", linewidth=0.8)
    axes.set(xscale="log", yscale="log")
    plain_ticks(axes.xaxis, (0.1, 0.2, 0.5, 1, 2, 5, 10))
    axes.set_xlabel("samples per feature $T/d$")
    axes.set_ylabel("excess risk / null predictor")
    axes.legend(frameon=False)
    return figure


def finite_size_figure(points: Sequence[tuple[str, int, float, float]]) -> Figure:
    """Relative error of the equivalents against size, with a guide that falls like 1/d.

    Parameters
    ----------
    points : sequence of (field, n_features, relative error, its standard error)
        ``field`` is a name of `fragile_learning.resolvents.ResolventTraces`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> points = [("noise", 10, 0.08, 0.01), ("noise", 20, 0.05, 0.01)]
    >>> figure = finite_size_figure(points)
    >>> figure.axes[0].lines[-1].get_ydata().tolist()  # the guide falls like 1/d
    [0.08, 0.04]
    >>> plt.close(figure)
    """
    figure, axes = _axes()
    for index, name in enumerate(dict.fromkeys(row[0] for row in points)):
        rows = np.array([row[1:4] for row in points if row[0] == name], dtype=float)
        _points(axes, rows[:, 0], rows[:, 1], rows[:, 2], index, label=_EQUIVALENTS.get(name, name))
        guide = rows[0, 1] * rows[0, 0] / rows[:, 0]
        axes.plot(rows[:, 0], guide, color="0.5", linestyle="--", linewidth=0.8)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks([], minor=True)
    axes.set_xticks(sorted({int(row[1]) for row in points}))
    axes.get_xaxis().set_major_formatter("{x:.0f}")
    axes.set_xlabel("features $d$ (with $T = 2d$)")
    axes.set_ylabel("relative error of the equivalent")
    axes.legend(frameon=False)
    return figure


def margin_figure(
    estimates: Sequence[tuple[str, float, float, str]], prediction: float, margin: float
) -> Figure:
    """Estimates with error bars against a prediction and its margin.

    Parameters
    ----------
    estimates : sequence of (label, mean, standard error, verdict)
    prediction, margin : float
        The band ``prediction`` plus or minus ``margin`` is shaded.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> estimates = [("small", 1.3, 0.2, "inconclusive"), ("large", 1.01, 0.01, "agrees")]
    >>> figure = margin_figure(estimates, prediction=1.0, margin=0.05)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['inconclusive', 'agrees']
    >>> plt.close(figure)
    """
    figure, axes = _axes()
    axes.axvspan(prediction - margin, prediction + margin, color="0.5", alpha=0.25, linewidth=0)
    axes.axvline(prediction, color="0.5", linestyle="--")
    for index, (_, mean, error, verdict) in enumerate(estimates):
        axes.errorbar(mean, index, xerr=2 * error, fmt=_MARKERS[index % 5], color=f"C{index}", ms=5)
        axes.annotate(
            verdict, (mean, index), xytext=(0, 7), textcoords="offset points", ha="center"
        )
    axes.set_yticks(range(len(estimates)), [row[0] for row in estimates])
    axes.set_ylim(-0.6, len(estimates) - 0.3)
    axes.set_xlabel("estimate, with two standard errors; band: prediction ± margin")
    return figure


def heavy_tail_figure(log_samples: ArrayLike, log_mean: float, log_sample_mean: float) -> Figure:
    """Histogram of the logarithm of a heavy-tailed quantity, with its true and sample mean.

    Parameters
    ----------
    log_samples : array_like, shape (n,)
        Base-10 logarithms of the samples.
    log_mean, log_sample_mean : float
        Base-10 logarithms of the exact mean and of the mean of the samples.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure = heavy_tail_figure([-3.0, -2.0, -2.5], log_mean=-0.5, log_sample_mean=-2.3)
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['exact mean', 'mean of the samples']
    >>> plt.close(figure)
    """
    figure, axes = _axes()
    axes.hist(np.asarray(log_samples, dtype=float), bins=60, color="C0", alpha=0.7)
    axes.axvline(log_mean, color="C1", label="exact mean")
    axes.axvline(log_sample_mean, color="C2", linestyle="--", label="mean of the samples")
    axes.set_xlabel(r"$\log_{10}$ of the variance after the last generation")
    axes.set_ylabel("chains")
    axes.legend(frameon=False)
    return figure


def _axes() -> tuple[Figure, Axes]:
    import matplotlib.pyplot as plt  # only where something is drawn

    return plt.subplots(figsize=(5.6, 3.4), layout="constrained")


def _points(
    axes: Axes,
    x: ArrayLike,
    mean: ArrayLike,
    standard_error: ArrayLike,
    index: int,
    label: str | None = None,
) -> None:
    axes.errorbar(
        x,
        mean,
        2 * np.asarray(standard_error),
        fmt=_MARKERS[index % len(_MARKERS)],
        color=f"C{index}",
        markersize=4,
        label=label,
    )
