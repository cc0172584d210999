"""One figure style for the whole book, light and dark.

A figure is drawn by a pure function that returns a :class:`matplotlib.figure.Figure`.
:func:`show` calls it twice, once for each theme of the site, and hands both pictures to the page
with one text for readers who cannot see them.

Colours have one meaning book-wide (:data:`PALETTE`). They are taken from the palette of Okabe and
Ito, which readers with any colour vision can tell apart, and all stand out at least 3:1 from both
page backgrounds. Colour is still never the only difference: add a marker or a dash.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from fragile_learning._svg import compact
from fragile_learning._validation import choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BACKGROUND",
    "FIGURE_WIDTH",
    "GENERATION_COLORS",
    "PALETTE",
    "REFERENCE",
    "STAR",
    "ShownFigure",
    "draw_line",
    "draw_means",
    "draw_points",
    "foreground",
    "generation_style",
    "legend_above",
    "looks_of",
    "panels",
    "plain_ticks",
    "show",
    "use",
    "write_beside",
]

Mode = Literal["light", "dark"]
"""A theme of the site."""

PALETTE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "real": "#0072B2",  # blue: real data, clean labels
        "clean": "#0072B2",  # the same thing, by its other name
        "synthetic": "#D55E00",  # vermillion: data or labels that a model made
        "mixed": "#CC79A7",  # reddish purple: real and synthetic together
        "theory": "#009E73",  # bluish green: a formula
        "reference": "#808080",  # grey: a limit, a bound, a slope to compare with
    }
)
"""Colour of each meaning. The same in every figure of the book, light and dark."""

GENERATION_COLORS: Final[tuple[str, ...]] = (
    PALETTE["real"],
    "#7A63C7",
    "#B8509E",
    "#CF4765",
    PALETTE["synthetic"],
)
"""From real (no synthetic generation) to synthetic (many generations), in five steps."""

REFERENCE: Final[Mapping[str, Any]] = MappingProxyType(
    {"color": PALETTE["reference"], "linestyle": ":", "lw": 1.2}
)
"""Look of a limit, a bound or a slope to compare with; keyword arguments for ``Axes.plot``."""

STAR: Final[Mapping[str, Any]] = MappingProxyType(
    {"linestyle": "none", "marker": "*", "markersize": 11, "zorder": 5}
)
"""Look of one place that a formula names; keyword arguments for ``Axes.plot``, without colour."""

_GENERATIONS: Final = (0, 1, 5, 10, 20)
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_DASHES: Final[tuple[Any, ...]] = (
    "-",
    (0, (6, 1.5)),
    (0, (4, 1.5, 1, 1.5)),
    (0, (2, 1.2)),
    (0, (1, 1)),
)

BACKGROUND: Final[Mapping[str, str]] = MappingProxyType({"light": "#ffffff", "dark": "#121212"})
"""Background of a figure in each mode: that of the page."""

_FOREGROUND: Final = {"light": "#222832", "dark": "#ced6dd"}
_GRID: Final = {"light": "#d8dbdf", "dark": "#3a3f45"}

FIGURE_WIDTH: Final = 5.0
"""Width in inches of a single-panel figure: its text stays readable on a phone."""

# An image may shrink to this share of its own size; a wider one scrolls inside its box.
_SMALLEST_SCALE: Final = 0.72
_POINTS_TO_PIXELS: Final = 96 / 72


def _parameters(mode: Mode) -> dict[str, Any]:
    """Return matplotlib's settings for a mode."""
    ink, background = _FOREGROUND[mode], BACKGROUND[mode]
    cycle = [PALETTE[name] for name in ("real", "synthetic", "theory", "mixed", "reference")]
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": ink,
        "axes.facecolor": background,
        "axes.grid": True,
        "axes.labelcolor": ink,
        "axes.labelsize": 11,
        "axes.prop_cycle": _cycler(cycle),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": ink,
        "axes.titlesize": 11,
        "boxplot.boxprops.color": ink,
        "boxplot.capprops.color": ink,
        "boxplot.flierprops.color": ink,
        "boxplot.whiskerprops.color": ink,
        "errorbar.capsize": 2.0,
        "figure.constrained_layout.use": True,
        "figure.edgecolor": background,
        "figure.facecolor": background,
        "figure.figsize": (FIGURE_WIDTH, 3.4),
        "figure.titlesize": 12,
        "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
        "font.size": 11,
        "grid.color": _GRID[mode],
        "grid.linewidth": 0.6,
        "hatch.color": ink,
        "image.cmap": "cividis",
        "legend.fontsize": 10,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "mathtext.fontset": "dejavusans",
        "patch.edgecolor": ink,
        "savefig.edgecolor": background,
        "savefig.facecolor": background,
        "svg.fonttype": "path",
        "svg.hashsalt": "fragile-learning",
        "text.color": ink,
        "text.usetex": False,
        "xtick.color": ink,
        "xtick.labelsize": 10,
        "ytick.color": ink,
        "ytick.labelsize": 10,
    }


def _cycler(colors: Sequence[str]) -> Any:
    from cycler import cycler

    return cycler(color=list(colors))


@contextmanager
def use(mode: Mode = "light") -> Iterator[None]:
    """Draw in the book's style inside a ``with`` block.

    Settings outside the block, a reader's own included, stay as they are.

    Parameters
    ----------
    mode : {"light", "dark"}
        The theme of the page that the figure is for.

    Raises
    ------
    ValueError
        If `mode` is another word.

    Examples
    --------
    >>> import matplotlib
    >>> before = matplotlib.rcParams["axes.facecolor"]
    >>> with use("dark"):
    ...     print(matplotlib.rcParams["axes.facecolor"])
    #121212
    >>> matplotlib.rcParams["axes.facecolor"] == before
    True
    """
    choice("mode", mode, ("light", "dark"))
    import matplotlib.pyplot as plt

    with plt.style.context(["default", _parameters(mode)]):
        yield


def foreground() -> str:
    """Return the colour of text and axes in force, for lines that belong to no meaning.

    A drawing function must not write ``"black"``: it would vanish on a dark page.

    Examples
    --------
    >>> with use("dark"):
    ...     print(foreground())
    #ced6dd
    """
    import matplotlib as mpl

    return str(mpl.rcParams["text.color"])


def panels(count: int, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    """Make panels below each other: they stay readable on a phone.

    Parameters
    ----------
    count : int
        >= 1.
    height : float
        Of each, in inches.

    Returns
    -------
    figure, axes : Figure and list of Axes
        From top to bottom.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, axes = panels(2, 3.0)
    >>> figure.get_size_inches().tolist(), len(axes)
    ([5.0, 6.0], 2)
    >>> plt.close(figure)
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(count, 1, figsize=(FIGURE_WIDTH, height * count), squeeze=False)
    return figure, list(axes[:, 0])


def legend_above(axes: Axes, columns: int = 3, **options: Any) -> None:
    """Put the legend of a panel above all panels, where it hides nothing.

    Parameters
    ----------
    axes : Axes
        Whose labels are shown.
    columns : int
    **options
        For ``Figure.legend``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, (axes,) = panels(1)
    >>> _ = axes.plot([0, 1], [0, 1], label="a law")
    >>> legend_above(axes)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['a law']
    >>> plt.close(figure)
    """
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=columns,
        handletextpad=0.3,
        columnspacing=1.2,
        **options,
    )


def generation_style(generation: int, generations: Sequence[int] = _GENERATIONS) -> dict[str, Any]:
    """Return colour, marker and dash of one among several numbers of synthetic generations.

    The colours run from :data:`PALETTE` ``["real"]`` to ``["synthetic"]`` in the order of
    `generations`, so that a number has one look in every figure that shows the same numbers.

    Parameters
    ----------
    generation : int
        The number of generations to draw: a member of `generations`.
    generations : sequence of int, default (0, 1, 5, 10, 20)
        All the numbers in the figure, each once.

    Returns
    -------
    dict
        ``color``, ``marker`` and ``linestyle``, as keyword arguments for ``Axes.plot``.

    Raises
    ------
    ValueError
        If `generation` is not in `generations`, or `generations` has repetitions.

    Examples
    --------
    >>> generation_style(0)["color"] == PALETTE["real"]
    True
    >>> generation_style(20)["marker"]
    'v'
    """
    if len(set(generations)) != len(generations):
        raise ValueError(f"generations must not repeat a number, got {tuple(generations)!r}")
    rank = tuple(generations).index(choice("generation", generation, tuple(generations)))
    position = rank / max(len(generations) - 1, 1)
    return {
        "color": _blend(GENERATION_COLORS, position),
        "marker": _MARKERS[rank % len(_MARKERS)],
        "linestyle": _DASHES[rank % len(_DASHES)],
    }


def looks_of(
    values: Iterable[float], *, falling: bool = False, skip: int = 0
) -> dict[float, dict[str, Any]]:
    """Give each value of a parameter a colour, a marker and a dash, from real to synthetic.

    Parameters
    ----------
    values : iterable of float
        Repetitions count once.
    falling : bool
        Whether the largest value is the one nearest to real data.
    skip : int
        How many looks to leave free at the real end, for example 1 if a clean law has the first.

    Returns
    -------
    dict
        From each value, in the order of the looks, to keyword arguments for ``Axes.plot``.

    Examples
    --------
    >>> list(looks_of([0.5, 0.0, 0.5])), looks_of([0.5, 0.0])[0.0] == generation_style(0)
    ([0.0, 0.5], True)
    >>> looks_of([10, 1000], falling=True, skip=1)[1000.0]["marker"]
    's'
    """
    ordered = sorted({float(value) for value in values}, reverse=falling)
    ranks = range(skip + len(ordered))
    return {
        value: generation_style(rank, ranks)
        for rank, value in zip(ranks[skip:], ordered, strict=True)
    }


def draw_line(axes: Axes, x: Any, y: Any, look: Mapping[str, Any], **more: Any) -> None:
    """Draw a prediction.

    Parameters
    ----------
    axes : Axes
    x, y : array_like, shape (n,)
    look : mapping
        With ``color`` and ``linestyle``, as `looks_of` and `generation_style` give it.
    **more
        For ``Axes.plot``, before the look: a thicker line, a label.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, (axes,) = panels(1)
    >>> draw_line(axes, [1, 2, 4], [1.0, 0.5, 0.25], generation_style(5), label="a law")
    >>> axes.lines[0].get_color() == generation_style(5)["color"], axes.lines[0].get_label()
    (True, 'a law')
    >>> plt.close(figure)
    """
    axes.plot(x, y, **{"color": look["color"], "linestyle": look["linestyle"], "lw": 1.4, **more})


def draw_points(
    axes: Axes, x: Any, mean: Any, error: Any, look: Mapping[str, Any], **more: Any
) -> None:
    """Draw simulated or measured means with two standard errors on either side.

    Parameters
    ----------
    axes : Axes
    x, mean : array_like, shape (n,)
    error : array_like, shape (n,)
        One standard error each.
    look : mapping
        With ``color`` and ``marker``, as `looks_of` and `generation_style` give it.
    **more
        For ``Axes.errorbar``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, (axes,) = panels(1)
    >>> draw_points(axes, [1.0], [0.5], [0.1], generation_style(5))
    >>> _, _, (bars,) = axes.containers[0]
    >>> bars.get_segments()[0].round(6).tolist()  # two standard errors on either side
    [[1.0, 0.3], [1.0, 0.7]]
    >>> plt.close(figure)
    """
    import numpy as np

    axes.errorbar(
        x,
        mean,
        2.0 * np.asarray(error, float),
        fmt=look["marker"],
        color=look["color"],
        markersize=4.5,
        linewidth=1.0,
        **more,
    )


def draw_means(
    axes: Axes, rows: Any, x: str, column: str, look: Mapping[str, Any], **more: Any
) -> None:
    """Draw means over replicates with two standard errors, none for one, joined for the eye.

    Parameters
    ----------
    axes : Axes
    rows : DataFrame
        A row for each replicate and place.
    x, column : str
        Columns: the place, and what is averaged.
    look : mapping
        With ``color``, ``marker`` and ``linestyle``.
    **more
        For `draw_points`.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"size": [1, 1, 2, 2], "risk": [0.9, 1.1, 0.4, 0.6]})
    >>> figure, (axes,) = panels(1)
    >>> draw_means(axes, rows, "size", "risk", generation_style(5))
    >>> axes.lines[-1].get_ydata().tolist()
    [1.0, 0.5]
    >>> plt.close(figure)
    """
    groups = rows.groupby(x)[column]
    places, means = groups.mean().index.to_numpy(), groups.mean().to_numpy()
    draw_points(axes, places, means, groups.sem().fillna(0.0).to_numpy(), look, **more)
    draw_line(axes, places, means, look)


def write_beside(axes: Axes, text: str, place: tuple[float, float], **more: Any) -> None:
    """Write a few words beside a place of the data.

    Parameters
    ----------
    axes : Axes
    text : str
    place : tuple of float
        In data coordinates.
    **more
        For ``Axes.annotate``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, (axes,) = panels(1)
    >>> write_beside(axes, "T = d", (1.0, 0.5))
    >>> axes.texts[0].get_text(), axes.texts[0].xy
    ('T = d', (1.0, 0.5))
    >>> plt.close(figure)
    """
    options: dict[str, Any] = {"xytext": (4, 0), "va": "center", "fontsize": 9, **more}
    axes.annotate(text, place, textcoords="offset points", **options)


def plain_ticks(axis: Any, values: Iterable[float]) -> None:
    """Mark these values, in plain numbers, on a logarithmic axis of less than two decades.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Its limits should be final: values outside them are left out.
    values : iterable of float

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, (axes,) = panels(1)
    >>> _ = axes.set(xscale="log", xlim=(80, 1600))
    >>> plain_ticks(axes.xaxis, [10, 100, 1000])
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['100', '1,000']
    >>> plt.close(figure)
    """
    from matplotlib import ticker

    low, high = axis.get_view_interval()
    shown = [value for value in values if low <= value <= high]
    axis.set_major_locator(ticker.FixedLocator(shown))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_locator(ticker.NullLocator())


def _blend(colors: Sequence[str], position: float) -> str:
    """Return the colour at `position` in [0, 1] along a path of colours."""
    from matplotlib.colors import to_hex, to_rgb

    place = position * (len(colors) - 1)
    left = min(int(place), len(colors) - 2)
    share = place - left
    mixed = [
        (1 - share) * a + share * b
        for a, b in zip(to_rgb(colors[left]), to_rgb(colors[left + 1]), strict=True)
    ]
    return to_hex((mixed[0], mixed[1], mixed[2])).upper()


@dataclass(frozen=True)
class ShownFigure:
    """A figure in both modes, as a notebook shows it.

    Attributes
    ----------
    light, dark : bytes
        The two pictures, as SVG.
    width : float
        Width in CSS pixels at which they were drawn.
    alt : str
        What the figure shows, in words.

    Examples
    --------
    >>> shown = show(lambda: panels(1)[0], alt="An empty panel.")
    >>> shown
    Figure: An empty panel.
    >>> shown.width, shown.light == shown.dark
    (480.0, False)
    """

    light: bytes
    dark: bytes
    width: float
    alt: str

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"

    def _repr_html_(self) -> str:
        # Where the site's style sheet is not loaded (Colab), the inline style hides the dark one.
        images = (
            _image(self.light, self.alt, self.width, "only-light fl-light", ""),
            _image(self.dark, self.alt, self.width, "only-dark fl-dark", "display:none;"),
        )
        return f'<div class="fl-figure" style="overflow-x:auto">{"".join(images)}</div>'


def _image(svg: bytes, alt: str, width: float, classes: str, style: str) -> str:
    import html

    source = "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
    size = f"width:{width:.0f}px;max-width:100%;min-width:{_SMALLEST_SCALE * width:.0f}px;"
    return (
        f'<img class="{classes}" alt="{html.escape(alt, quote=True)}" '
        f'style="{size}{style}" src="{source}">'
    )


def _svg(figure: Figure) -> bytes:
    """Return a figure as small SVG; the same bytes each time, with no date in it."""
    buffer = io.BytesIO()
    # The box is the figure's own, not a tight one: both modes and all runs have the same size.
    figure.savefig(
        buffer,
        format="svg",
        bbox_inches=None,
        metadata={"Date": None, "Creator": None},
    )
    return compact(buffer.getvalue())


def show(draw: Callable[..., Figure], *args: Any, alt: str, **kwargs: Any) -> ShownFigure:
    """Draw a figure for light and for dark pages; the last line of a notebook cell.

    Parameters
    ----------
    draw : callable
        ``draw(*args, **kwargs)`` returns a new figure each time and computes nothing. It is
        called once in each mode, inside :func:`use`.
    *args, **kwargs
        Passed to `draw`.
    alt : str
        The finding in one or two sentences ("rises in a straight line to twelve units"), not the
        look ("a blue line"), for readers who cannot see the figure.

    Returns
    -------
    ShownFigure
        Displays itself. The figures are closed.

    Raises
    ------
    TypeError
        If `alt` is not a string, or `draw` does not return a figure.
    ValueError
        If `alt` is empty.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> def parabola(x):
    ...     figure, axes = plt.subplots()
    ...     axes.plot(x, [value**2 for value in x])
    ...     return figure
    >>> show(parabola, [0, 1, 2, 3], alt="The curve gets steeper with each step.")
    Figure: The curve gets steeper with each step.
    """
    if not isinstance(alt, str):
        raise TypeError(f"alt must be a string, got {alt!r} of type {type(alt).__name__}")
    if not alt.strip():
        raise ValueError(f"alt must say in words what the figure shows, got {alt!r}")
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    pictures = {}
    width = 0.0
    modes: tuple[Mode, ...] = ("light", "dark")
    for mode in modes:
        with use(mode):
            # A backend without a window: nothing else may show, or change, the figure.
            before = set(plt.get_fignums())
            try:
                figure = draw(*args, **kwargs)
                if not isinstance(figure, Figure):
                    raise TypeError(
                        f"draw must return a matplotlib Figure, got {figure!r} "
                        f"of type {type(figure).__name__}"
                    )
                pictures[mode] = _svg(figure)
                width = float(figure.get_figwidth()) * 72 * _POINTS_TO_PIXELS
                plt.close(figure)
            finally:
                for number in set(plt.get_fignums()) - before:
                    plt.close(number)
    return ShownFigure(pictures["light"], pictures["dark"], width, " ".join(alt.split()))
