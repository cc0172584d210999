"""Figures draw what they are given, in both modes, and change nothing."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex

from fragile_learning import style
from fragile_learning.strong_collapse import figures

SHARES = [0.0, 0.1, 0.5]


def frame(**axes):
    """All combinations of some values."""
    rows = itertools.product(*axes.values())
    return pd.DataFrame([dict(zip(axes, row, strict=True)) for row in rows])


def simulated(table, *parts):
    """Add means and standard errors that tell rows and parts apart."""
    for k, part in enumerate(parts, 1):
        table[f"mean_{part}"] = 10.0 * k + np.arange(len(table))
        table[f"se_{part}"] = 0.25 * k
    return table


SAMPLES = frame(
    policy=["least squares", "ridge 1/n"], synthetic_fraction=SHARES, n_samples=[10, 100]
)
SAMPLE_LINES = SAMPLES.assign(
    total=np.arange(len(SAMPLES)) + 1.0,
    floor=SAMPLES["synthetic_fraction"] ** 2 + 0.5,
    departure=np.where(SAMPLES["synthetic_fraction"] > 0, 50.0, np.inf),
)
WIDTHS = frame(n_features=[6, 12], n_samples=[10], width=[2, 5, 40])
WIDTH_LINES = frame(n_features=[6, 12], ridge=["fixed", "best"], width=[1.0, 5.0, 50.0])
WIDTH_LINES = WIDTH_LINES.assign(
    n_samples=10,
    clean=2.0 + np.arange(len(WIDTH_LINES)),
    gap=40.0 + np.arange(len(WIDTH_LINES)),
    total=99.0,
)
PARETO = frame(n_synthetic=[5, 50], shift_size=[0.1, 1.0], width=[20, 200])
PARETO_LINES = frame(n_synthetic=[5, 50], shift_size=[0.0, 0.1, 1.0], width=np.arange(20.0, 28.0))
PARETO_LINES = PARETO_LINES.assign(
    n_samples=100,
    per_sample=PARETO_LINES["width"] / 100,
    clean=1.0 + np.arange(len(PARETO_LINES)) / 10,
    mixed=3.0 + np.arange(len(PARETO_LINES)) / 5,
)
WEIGHTS = frame(weight=[0.0, 0.5, 1.0])
WEIGHT_LINES = pd.DataFrame(
    {
        "weight": [0.0, 0.2, 1.0],
        "total": [0.3, 0.1, 0.9],
        "floor": [0.0, 0.02, 0.5],
        "reported": [0.01, 0.02, 0.03],
        "best": 0.1,
    }
)
ROUNDS = frame(
    mode=["fresh", "reused", "reused, inputs too"], synthetic_fraction=[0.5, 1.0], round=[0, 1, 2]
)
ROUNDS = ROUNDS[(ROUNDS["mode"] == "fresh") | (ROUNDS["synthetic_fraction"] == 0.5)]
ROUNDS = ROUNDS.assign(
    theory=np.where(ROUNDS["mode"] == "reused, inputs too", np.nan, 5.0 + np.arange(len(ROUNDS))),
    mean=20.0 + np.arange(len(ROUNDS)),
    se=0.5,
    real_alone=0.7,
)
BEST = frame(aspect_ratio=[0.1, 1e-4], synthetic_fraction=[0.1, 0.5], shift_size=[0.5, 1.0])
BEST = BEST.assign(
    predicted_ridge=BEST["synthetic_fraction"] ** 2 * BEST["shift_size"],
    predicted_risk=BEST["synthetic_fraction"] * BEST["shift_size"],
)
RIDGE_LINES = frame(synthetic_fraction=SHARES, aspect_ratio=[0.1, 1e-4], ridge=[0.01, 1.0])
RIDGE_LINES = RIDGE_LINES.assign(
    total=0.1 + np.arange(len(RIDGE_LINES)) / 10, best_ridge=0.3, best_total=0.05
)
HELP = frame(relative_shift=[0.3, 3.0], n_synthetic=[0, 10, 100])
HELP_LINES = HELP.assign(total=1.0 + np.arange(len(HELP)))


def measured(**axes):
    """Five replicates of an error: all of them one apart, but for a scatter."""
    table = frame(**axes, replicate=range(5))
    place = table.groupby(list(axes), sort=False).ngroup()
    return table.assign(error=1.0 + place + 0.1 * table["replicate"])


IMAGES = measured(synthetic_fraction=SHARES, n_samples=[10, 100]).assign(
    clean_error=0.5, generator_error=2.5
)
IMAGE_WIDTHS = measured(synthetic_fraction=[0.1, 0.5], n_samples=[10], width=[3, 10, 100]).assign(
    clean_error=0.5
)
NETWORKS = measured(n_samples=[10, 1000], synthetic_fraction=SHARES, width=[8, 64])
MARKOV = measured(synthetic_fraction=SHARES, tokens=[100, 1000]).rename(columns={"error": "excess"})
MARKOV["floor"] = 0.2 * MARKOV["synthetic_fraction"]
STORIES = measured(n_layers=[1, 2, 4], synthetic_fraction=SHARES, tokens=[100, 1000])
STORIES = STORIES.rename(columns={"error": "excess"}).assign(
    generator_excess=0.25 * STORIES["n_layers"]
)

# name, arguments, panels (and a colour bar)
CASES = [
    ("sample_figure", (simulated(SAMPLES, "total"), SAMPLE_LINES), 2),
    ("width_figure", (simulated(WIDTHS, "clean", "collapse"), WIDTH_LINES), 2),
    ("pareto_figure", (simulated(PARETO, "clean", "mixed"), PARETO_LINES), 3),
    ("weight_figure", (simulated(WEIGHTS, "total"), WEIGHT_LINES), 1),
    ("iterative_figure", (ROUNDS,), 1),
    ("ridge_figure", (BEST, RIDGE_LINES), 3),
    ("help_figure", (simulated(HELP, "total"), HELP_LINES), 1),
    ("image_figure", (IMAGES,), 1),
    ("image_width_figure", (IMAGE_WIDTHS,), 1),
    ("network_figure", (NETWORKS,), 2),
    ("markov_figure", (MARKOV,), 1),
    ("story_figure", (STORIES,), 3),
]
ARGUMENTS = {name: arguments for name, arguments, _ in CASES}
UNTOUCHED = {name: [one.copy() for one in arguments] for name, arguments in ARGUMENTS.items()}


@pytest.fixture(scope="module")
def draw():
    """Draw a figure of the cases in a mode, once; close all at the end."""
    kept = {}

    def drawn(name, mode="light"):
        if (name, mode) not in kept:
            with style.use(mode):
                kept[name, mode] = getattr(figures, name)(*ARGUMENTS[name])
                kept[name, mode].canvas.draw()
        return kept[name, mode]

    with plt.rc_context({"figure.max_open_warning": 0}):
        yield drawn
    plt.close("all")


def test_every_figure_is_drawn_here():
    assert [name for name, *_ in CASES] == list(ARGUMENTS)
    assert set(ARGUMENTS) == set(figures.__all__)


@pytest.mark.parametrize(("name", "panels"), [(name, panels) for name, _, panels in CASES])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_draws_in_both_modes_and_changes_nothing(name, panels, mode, draw):
    figure = draw(name, mode)
    for now, then in zip(ARGUMENTS[name], UNTOUCHED[name], strict=True):
        pd.testing.assert_frame_equal(now, then)
    assert len(figure.axes) == panels
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.has_data()
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    (legend,) = figure.legends
    assert len(legend.get_texts()) >= 2
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    top = max(axes.get_window_extent().y1 for axes in figure.axes)
    assert box.y0 >= top  # hides nothing


@pytest.mark.parametrize("name", ARGUMENTS)
def test_panels_stand_below_each_other(name, draw):
    boxes = [axes.get_position() for axes in draw(name).axes]
    assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(boxes))


# --- what is drawn ----------------------------------------------------------------------------


def values(line):
    return tuple(np.asarray(line.get_ydata(), float))


def lines(axes, marker="None"):
    """Lines with this marker, but for those of error bars."""
    bars = {id(part) for bar in axes.containers for part in [bar.lines[0], *bar.lines[1]]}
    return [line for line in axes.lines if id(line) not in bars and line.get_marker() == marker]


def points(axes):
    """Means of error bars, and twice their standard errors."""
    found = {}
    for bar in axes.containers:
        ends = [segment[:, 1] for segment in bar.lines[2][0].get_segments()]
        means = values(bar.lines[0])
        found[means] = tuple((end - mean) for (_, end), mean in zip(ends, means, strict=True))
    return found


def column(table, name, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    assert len(table)
    return tuple(table[name].astype(float))


def stars(axes):
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == "*" and len(line.get_xdata())
    ]


def check_points(axes, expected, error):
    found = points(axes)
    assert set(found) == set(expected)
    for bars in found.values():
        assert bars == pytest.approx([2.0 * error] * len(bars))


def check_lines(axes, expected):
    shown = {values(line) for line in lines(axes)}
    assert set(expected) <= shown, (expected, shown)


def test_sample_figure(draw):
    for axes, policy in zip(
        draw("sample_figure").axes, ("least squares", "ridge 1/n"), strict=True
    ):
        keys = [{"policy": policy, "synthetic_fraction": share} for share in SHARES]
        check_lines(axes, [column(SAMPLE_LINES, "total", **key) for key in keys])
        check_points(axes, [column(SAMPLES, "mean_total", **key) for key in keys], 0.25)
        assert stars(axes) == [(50.0, 0.51), (50.0, 0.75)]
        assert axes.get_xscale() == axes.get_yscale() == "log"
    assert "power law" in axes.get_title()


def test_width_figure(draw):
    for axes, d in zip(draw("width_figure").axes, (12, 6), strict=True):  # more, then fewer
        fixed = {"n_features": d, "ridge": "fixed"}
        check_lines(
            axes,
            [
                column(WIDTH_LINES, "clean", **fixed),
                column(WIDTH_LINES, "gap", **fixed),
                column(WIDTH_LINES, "gap", n_features=d, ridge="best"),
            ],
        )
        found = points(axes)
        clean, gap = (column(WIDTHS, f"mean_{c}", n_features=d) for c in ("clean", "collapse"))
        assert set(found) == {clean, gap}
        assert found[clean] == pytest.approx([0.5] * 3)
        assert found[gap] == pytest.approx([1.0] * 3)
        assert [float(line.get_xdata()[0]) for line in axes.lines if values(line) == (0, 1)] == [10]
        assert axes.get_title() == f"$d$ = {d}, $n$ = 10"
    limits = {axes.get_ylim() for axes in draw("width_figure").axes}
    assert len(limits) == 1  # the panels can be compared


def test_pareto_figure(draw):
    *panels, bar = draw("pareto_figure").axes
    assert "m/n" in bar.get_xlabel()
    for axes, count in zip(panels, (5, 50), strict=True):
        keys = [{"n_synthetic": count, "shift_size": size} for size in (0.0, 0.1, 1.0)]
        check_lines(axes, [column(PARETO_LINES, "mixed", **key) for key in keys])
        dots = [
            tuple(cloud.get_offsets()[:, 1].data)
            for cloud in axes.collections
            if len(cloud.get_offsets()) > 1
        ]
        assert dots == [column(PARETO_LINES, "mixed", **key)[::4] for key in keys]
        segments = [bars.lines[2] for bars in axes.containers]
        assert len(segments) == 3  # no simulation has size 0: an empty one
        for bars, key in zip(segments[1:], keys[1:], strict=True):
            across, up = (np.array(part.get_segments()) for part in bars)
            assert across.mean(axis=1)[:, 0] == pytest.approx(column(PARETO, "mean_clean", **key))
            assert up.mean(axis=1)[:, 1] == pytest.approx(column(PARETO, "mean_mixed", **key))
            assert np.ptp(across, axis=1)[:, 0] == pytest.approx([4 * 0.25] * 2)
            assert np.ptp(up, axis=1)[:, 1] == pytest.approx([4 * 0.5] * 2)
        assert axes.get_title() == f"{count} of 100 labels synthetic"


def test_weight_figure(draw):
    (axes,) = draw("weight_figure").axes
    check_lines(axes, [column(WEIGHT_LINES, name) for name in ("total", "reported", "floor")])
    check_points(axes, [column(WEIGHTS, "mean_total")], 0.25)
    assert stars(axes) == [(0.1, pytest.approx(0.2))]  # on the line


def test_iterative_figure(draw):
    (axes,) = draw("iterative_figure").axes
    halves = ROUNDS[ROUNDS["synthetic_fraction"] == 0.5]
    check_lines(axes, [column(halves, "theory", mode=mode) for mode in ("fresh", "reused")])
    check_points(axes, [column(halves, "mean", mode=mode) for mode in set(ROUNDS["mode"])], 0.5)
    assert (0.7, 0.7) in {values(line) for line in lines(axes)}


def test_ridge_figure(draw):
    panels = draw("ridge_figure").axes
    for axes, share in zip(panels, SHARES, strict=True):
        keys = [{"synthetic_fraction": share, "aspect_ratio": phi} for phi in (0.1, 1e-4)]
        check_lines(axes, [column(RIDGE_LINES, "total", **key) for key in keys])
        assert stars(axes) == [(0.3, 0.05)] * 2
        flat = {values(line) for line in lines(axes) if len(set(values(line))) == 1}
        assert flat == ({(share, share)} if share else set())  # the limit at shift size 1
        assert axes.get_title() == ("real labels only" if share == 0 else f"$p_2$ = {share:g}")
    assert len({axes.get_ylim() for axes in panels}) == 1


def test_help_figure(draw):
    (axes,) = draw("help_figure").axes
    keys = [{"relative_shift": size} for size in (0.3, 3.0)]
    check_lines(axes, [column(HELP_LINES, "total", **key) for key in keys] + [(1.0, 1.0)])
    check_points(axes, [column(HELP, "mean_total", **key) for key in keys], 0.25)


# Standard error of five values 0.1 apart, as in `measured`.
ERROR = 0.1 * np.sqrt(2.5) / np.sqrt(5)


def check_means(axes, table, by, name, keys, shift=0.0):
    """Points are means of five replicates, and a line joins them."""
    expected = set()
    for key in keys:
        rows = table
        for label, value in key.items():
            rows = rows[rows[label] == value]
        expected.add(tuple(np.round(rows.groupby(by)[name].mean() - shift, 9)))
    found = {tuple(np.round(means, 9)): bars for means, bars in points(axes).items()}
    assert set(found) == expected
    assert {tuple(np.round(values(line), 9)) for line in lines(axes)} >= expected
    for bars in found.values():
        assert bars == pytest.approx([2 * ERROR] * len(bars))


def shares(values_=SHARES, **more):
    return [{"synthetic_fraction": share, **more} for share in values_]


def test_image_figure(draw):
    (axes,) = draw("image_figure").axes
    check_means(axes, IMAGES, "n_samples", "error", shares())
    floors = [values(line) for line in lines(axes, "_") if len(values(line))]
    assert floors == [pytest.approx((0.5 + share**2 * 2.0,)) for share in (0.1, 0.5)]


def test_image_width_figure(draw):
    (axes,) = draw("image_width_figure").axes
    check_means(axes, IMAGE_WIDTHS, "width", "error", shares([0.1, 0.5]), shift=0.5)
    assert (0.0, 0.0) in {values(line) for line in lines(axes)}
    assert [float(line.get_xdata()[0]) for line in axes.lines if values(line) == (0, 1)] == [10]


def test_network_figure(draw):
    for axes, n in zip(draw("network_figure").axes, (10, 1000), strict=True):
        check_means(axes, NETWORKS, "width", "error", shares(n_samples=n))
        assert axes.get_title() == f"$n$ = {n:,}"


def test_markov_figure(draw):
    (axes,) = draw("markov_figure").axes
    check_means(axes, MARKOV, "tokens", "excess", shares())
    flat = [values(line) for line in lines(axes) if len(set(values(line))) == 1]
    assert flat == [pytest.approx((0.2 * share,) * 2) for share in (0.1, 0.5)]


def test_story_figure(draw):
    panels = draw("story_figure").axes
    for axes, depth in zip(panels, (1, 2, 4), strict=True):
        check_means(axes, STORIES, "tokens", "excess", shares(n_layers=depth))
        assert (0.25 * depth, 0.25 * depth) in {values(line) for line in lines(axes)}
    assert [axes.get_title() for axes in panels] == ["1 layer", "2 layers", "4 layers"]


# --- looks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("sample_figure", 3),
        ("width_figure", 2),
        ("iterative_figure", 3),
        ("help_figure", 2),
        ("image_figure", 3),
        ("image_width_figure", 2),
        ("network_figure", 3),
        ("markov_figure", 3),
        ("story_figure", 3),
    ],
)
def test_looks_differ_in_colour_and_marker(name, count, draw):
    for axes in draw(name).axes:
        bars = [bar.lines[0] for bar in axes.containers]
        assert len(bars) == count
        assert len({to_hex(bar.get_color()) for bar in bars}) == count
        assert len({bar.get_marker() for bar in bars}) == count
        for bar in bars:  # and each has a line of its colour
            assert any(same_color(line.get_color(), bar.get_color()) for line in lines(axes))


@pytest.mark.parametrize("name", ["sample_figure", "image_figure", "markov_figure", "ridge_figure"])
def test_dashes_differ(name, monkeypatch):
    dashes = []
    plot = Axes.plot

    def watched(axes, x, *arguments, **keywords):
        if np.size(x) > 1:
            dashes.append(str(keywords["linestyle"]))
        return plot(axes, x, *arguments, **keywords)

    monkeypatch.setattr(Axes, "plot", watched)
    plt.close(getattr(figures, name)(*ARGUMENTS[name]))
    count = 2 if name == "ridge_figure" else 3
    assert len(dashes) % count == 0
    for panel in range(0, len(dashes), count):
        assert len(set(dashes[panel : panel + count])) == count


@pytest.mark.parametrize(
    "name", ["sample_figure", "image_figure", "network_figure", "story_figure"]
)
def test_real_data_have_one_look_and_one_name(name, draw):
    axes = draw(name).axes[0]
    handles, labels = axes.get_legend_handles_labels()
    first = handles[labels.index("real only")]
    assert same_color(first.lines[0].get_color(), style.PALETTE["real"])
    last = handles[labels.index("$p_2$ = 0.5")]
    assert same_color(last.lines[0].get_color(), style.PALETTE["synthetic"])
