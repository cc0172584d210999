"""A room's result in one small picture, for the book's first page.

All pictures speak one language: at most three ticks on an axis, the name of a curve beside it and
no legend, points with two standard errors where something was measured, lines where a law was
computed. Each room's ``overview`` module picks a few rows of an archived table and says what they
show; :func:`overview_figure` draws them, and computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import choice
from fragile_learning.style import PALETTE, write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["OVERVIEW_SIZE", "Curve", "Overview", "overview_figure"]

OVERVIEW_SIZE: Final = (2.2, 1.55)
"""Width and height of the picture in inches."""

MOST_CURVES: Final = 3
MOST_TICKS: Final = 3

Ticks = tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Curve:
    """One curve of an overview, or a row of points.

    Attributes
    ----------
    label : str
        Written beside it; empty where the axis names the points.
    x, y : array_like, shape (n,)
    color : str
        A name of :data:`fragile_learning.style.PALETTE`.
    at : tuple of float
        Where the label stands, in the data's coordinates.
    error : array_like, shape (n,), optional
        One standard error of each `y`: drawn as points. Without it: a line.
    dash : str or tuple, default "-"
        Of the line, as matplotlib has it: colour is never the only difference.
    side : {"left", "right", "center"}
        Which side of `at` the label touches with its edge.

    Raises
    ------
    TypeError
        If an array is not numeric.
    ValueError
        If the shapes differ, a number is not finite, or a name is unknown.

    Examples
    --------
    >>> Curve("clean", [1, 10], [0.1, 0.01], "real", at=(10, 0.02)).y
    array([0.1 , 0.01])
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    color: str
    at: tuple[float, float] = (0.0, 0.0)
    error: ArrayLike | None = None
    dash: Any = "-"
    side: str = "left"

    def __post_init__(self) -> None:
        choice("color", self.color, tuple(PALETTE))
        choice("side", self.side, ("left", "right", "center"))
        for name in ("x", "y", "error"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, self._checked(name, value))
        if np.shape(self.error if self.error is not None else self.y) != np.shape(self.x):
            raise ValueError(f"y and error must have the shape of x, {np.shape(self.x)}")

    def _checked(self, name: str, value: ArrayLike) -> NDArray[np.float64]:
        try:
            array = np.asarray(value, float)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must be numeric, got {value!r}") from None
        if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
            raise ValueError(f"{name} must be a row of finite numbers, got {value!r}")
        if array.shape != np.shape(self.x):
            raise ValueError(f"{name} must have the shape of x, {np.shape(self.x)}")
        return array


@dataclass(frozen=True)
class Overview:
    """A room's result in one picture.

    Attributes
    ----------
    curves : tuple of Curve
        At most three.
    x_label, y_label : str
    x_ticks, y_ticks : tuple of (float, str)
        Places and their texts, at most three.
    alt : str
        The finding in a sentence, for readers who cannot see the picture.
    numbers : mapping of str to str
        The numbers of the sentence below the picture, formatted.
    log : {"", "x", "xy"}
        Which axes are logarithmic.

    Raises
    ------
    ValueError
        If there are too many curves or ticks, or a text is empty.

    Examples
    --------
    >>> from dataclasses import replace
    >>> found = Overview(
    ...     (Curve("clean", [1, 10], [0.1, 0.01], "real", at=(10, 0.02)),),
    ...     x_label="samples",
    ...     y_label="error",
    ...     x_ticks=((1, "1"), (10, "10")),
    ...     y_ticks=((0.01, "0.01"), (0.1, "0.1")),
    ...     alt="Ten times the samples, a tenth of the error.",
    ...     log="xy",
    ... )
    >>> [curve.label for curve in found.curves]
    ['clean']
    >>> replace(found, alt="")
    Traceback (most recent call last):
        ...
    ValueError: alt must not be empty, got ''
    """

    curves: tuple[Curve, ...]
    x_label: str
    y_label: str
    x_ticks: Ticks
    y_ticks: Ticks
    alt: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    log: str = ""

    def __post_init__(self) -> None:
        choice("log", self.log, ("", "x", "xy"))
        if not 1 <= len(self.curves) <= MOST_CURVES:
            raise ValueError(f"curves must be 1 to {MOST_CURVES}, got {len(self.curves)}")
        for name in ("x_ticks", "y_ticks"):
            count = len(getattr(self, name))
            if not 1 <= count <= MOST_TICKS:
                raise ValueError(f"{name} must be 1 to {MOST_TICKS}, got {count}")
        for name in ("x_label", "y_label", "alt"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} must not be empty, got {getattr(self, name)!r}")
        for key, text in self.numbers.items():
            if not str(text).strip():
                raise ValueError(f"numbers[{key!r}] must be a text to print, got {text!r}")


def overview_figure(overview: Overview) -> Figure:
    """Draw an overview; for :func:`fragile_learning.style.show`.

    Parameters
    ----------
    overview : Overview

    Returns
    -------
    matplotlib.figure.Figure
        2.2 by 1.55 inches, one panel, no legend.

    Examples
    --------
    >>> curve = Curve("clean", [1, 10], [0.1, 0.01], "real", at=(10, 0.02))
    >>> ticks = ((1, "1"), (10, "10")), ((0.1, "0.1"),)
    >>> drawn = overview_figure(Overview((curve,), "samples", "error", *ticks, "It falls."))
    >>> [text.get_text() for text in drawn.axes[0].texts]
    ['clean']
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=OVERVIEW_SIZE)
    for curve in overview.curves:
        color = PALETTE[curve.color]
        if curve.error is None:
            axes.plot(curve.x, curve.y, color=color, linestyle=curve.dash)
        else:
            axes.errorbar(
                curve.x,
                curve.y,
                2.0 * np.asarray(curve.error),
                color=color,
                linestyle=curve.dash,
                linewidth=1.2,
                marker="o",
                markersize=4,
            )
        if curve.label:
            _label(axes, curve)
    if overview.log:
        axes.set_xscale("log")
    if overview.log == "xy":
        axes.set_yscale("log")
    for axis, ticks in ((axes.xaxis, overview.x_ticks), (axes.yaxis, overview.y_ticks)):
        axis.set_ticks([place for place, _ in ticks], [text for _, text in ticks], fontsize=9)
        axis.set_ticks([], minor=True)
    axes.set_xlabel(overview.x_label, fontsize=9, labelpad=2)
    axes.set_ylabel(overview.y_label, fontsize=9, labelpad=3)
    axes.grid(visible=False)
    axes.tick_params(length=2.5, pad=2)
    return figure


def _label(axes: Axes, curve: Curve) -> None:
    write_beside(
        axes,
        curve.label,
        curve.at,
        xytext=(0, 0),
        ha=curve.side,
    )
