"""Figures without networks draw what they are given, in both modes, and change nothing."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fragile_learning import style
from fragile_learning.distillation import figures

RULES = ["full", "truncated", "random", "random-truncated"]


def frame(**axes):
    """All combinations of some values."""
    rows = itertools.product(*axes.values())
    return pd.DataFrame([dict(zip(axes, row, strict=True)) for row in rows])


def numbered(table, *columns, scale=1.0):
    """Add columns that tell rows and columns apart."""
    steps = 0.01 * np.arange(len(table))
    return table.assign(**{name: scale * (0.1 * k + steps) for k, name in enumerate(columns, 1)})


COVERAGE = numbered(frame(rule=RULES, n_steps=[6, 40], step=[0, 1, 2]), "law", "mean")
COVERAGE = COVERAGE.assign(se=1e-3)
WINDOWS = numbered(frame(window=[1, 4, 16, 64], speed=[1e-3, 1e-2, 1.0]), "law")
ROOTS = numbered(
    frame(data=["free", "one image"], rule=RULES, n_steps=[10, 40], window=[1, 5, 10]),
    "law",
    "searched",
    "loss_at_end",
)
NOISE = frame(rule=RULES, n_steps=[10, 30], window=[2, 4, 8], coordinate=[0, 1])
NOISE = NOISE.assign(
    law=-1.0 - 0.05 * np.arange(len(NOISE)), variance_law=(0.2 + 0.01 * np.arange(len(NOISE))) ** 2
)
NOISE = NOISE.assign(
    mean=NOISE["law"] - 0.01, variance=NOISE["variance_law"] + 0.001, variance_se=1e-3
)
CONTRACTION = numbered(
    frame(
        factors=["normal", "uniform"], factor_mean=[0.6, 0.8], factor_std=[1.0], window=[1, 2, 4]
    ),
    "error",
).assign(n_draws=100, error_se=2e-3)
BEST = numbered(frame(n_draws=[10, 100, 1000, 10_000], window=[0.0, 5.0, 14.0]), "law")
BEST = BEST.assign(best_window=np.log(BEST["n_draws"]), best_law=1.0 / BEST["n_draws"])
GROWTH = frame(factors=["normal", "uniform"], window=[1, 4, 16])
GROWTH = GROWTH.assign(
    mean=-0.5 * GROWTH["window"], se=0.01, sample_rms=0.05 * GROWTH["window"], n_sample=1000
)
GROWTH.loc[GROWTH["factors"] == "uniform", "mean"] += 0.01
GROWTH_LINES = frame(factors=["normal", "uniform"], window=[0.0, 8.0, 16.0, 40.0])
GROWTH_LINES = GROWTH_LINES.assign(
    law=-0.4 * GROWTH_LINES["window"], law_of_rms=0.1 * GROWTH_LINES["window"]
)
EXPLOSION = numbered(frame(order=[0.0, 1.0, 2.0], mean=[-1.0, 0.0, 1.0]), "std", scale=5.0)
PATH = pd.DataFrame({"learning_rate": [0.0, 0.2, 0.4, 0.6, 1.0]})
PATH = PATH.assign(mean=1.0 - PATH["learning_rate"], std=2.5 * PATH["learning_rate"])
EXPLOSION = pd.concat([EXPLOSION, PATH], ignore_index=True)
ADAM = pd.concat(
    [
        frame(earlier=["zero"], step=[1, 2, 10], eps=[1e-2, 1e-4]),
        frame(earlier=["independent"], step=[2, 3], eps=[1e-2, 1e-4]),
    ],
    ignore_index=True,
)
ADAM = ADAM.assign(mean=0.01 / ADAM["eps"] / ADAM["step"], se=0.0)
ADAM.loc[ADAM["earlier"] != "zero", ["mean", "se"]] = [0.02, 0.001]
ADAM["mean"] += 0.001 * np.arange(len(ADAM))
ADAM_LINES = frame(step=[1, 2, 3, 10], eps=[1e-8, 1e-5, 1e-4, 1e-2])
ADAM_LINES = ADAM_LINES.assign(law=0.011 / ADAM_LINES["eps"] / ADAM_LINES["step"])
COSTS = frame(widths=["[6, 9, 4]", "[64, 64, 10]"], rule=RULES, n_steps=[40])
COSTS = COSTS.assign(counted=1e7 + 1e6 * np.arange(len(COSTS)))
COST_LINES = frame(rule=RULES, n_steps=[12, 100, 200]).assign(window=12)
COST_LINES = COST_LINES.assign(law=5e6 + 1e6 * np.arange(len(COST_LINES)))
LINEAR = numbered(frame(n_images=[1, 2, 5, 10]), "law", "one_step", "real_images")
LINEAR = LINEAR.assign(all_real=0.05, nothing=0.5)

# case, arguments, panels
CASES = [
    ("coverage_figure", (COVERAGE,), 1),
    ("forgetting_figure", (WINDOWS,), 1),
    ("roots_figure", (ROOTS,), 2),
    ("signal_figure", (NOISE,), 1),
    ("contraction_figure", (CONTRACTION, BEST), 1),
    ("growth_figure", (GROWTH, GROWTH_LINES), 1),
    ("explosion_figure", (EXPLOSION,), 1),
    ("adam_figure", (ADAM, ADAM_LINES), 2),
    ("cost_figure", (COSTS, COST_LINES), 1),
    ("linear_figure", (LINEAR,), 1),
]
ARGUMENTS = {case: arguments for case, arguments, _ in CASES}
UNTOUCHED = {case: [one.copy() for one in arguments] for case, arguments in ARGUMENTS.items()}


@pytest.fixture(scope="module")
def draw():
    """Draw a figure of the cases in a mode, once; close all at the end."""
    kept = {}

    def drawn(case, mode="light"):
        if (case, mode) not in kept:
            with style.use(mode):
                kept[case, mode] = getattr(figures, case)(*ARGUMENTS[case])
                kept[case, mode].canvas.draw()
        return kept[case, mode]

    with plt.rc_context({"figure.max_open_warning": 0}):
        yield drawn
    plt.close("all")


def test_every_exact_figure_is_drawn_here():
    drawn = {name for name in figures.__all__ if name in ARGUMENTS}
    assert drawn == set(ARGUMENTS)


@pytest.mark.parametrize(("case", "panels"), [(case, panels) for case, _, panels in CASES])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_draws_in_both_modes_and_changes_nothing(case, panels, mode, draw):
    figure = draw(case, mode)
    for now, then in zip(ARGUMENTS[case], UNTOUCHED[case], strict=True):
        pd.testing.assert_frame_equal(now, then)
    assert len(figure.axes) == panels
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    (legend,) = figure.legends
    assert len(legend.get_texts()) >= 2
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.has_data()
        assert not box.overlaps(axes.get_window_extent())
        if axes.get_title():
            assert not box.overlaps(axes.title.get_window_extent())


@pytest.mark.parametrize("case", ARGUMENTS)
def test_text_stays_inside_and_apart(case, draw):
    figure = draw(case)
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert all(above.y0 >= below.y1 - 1 for above, below in itertools.pairwise(boxes))
    for axes, box in zip(figure.axes, boxes, strict=True):
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.width + 1
        words = [*axes.texts, *(one for one in axes.get_xticklabels() if one.get_text())]
        shown = [
            one.get_window_extent() for one in words if 0 <= one.get_window_extent().x0 <= box.x1
        ]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(shown, 2))


# --- what is drawn ----------------------------------------------------------------------------


def rounded(values):
    return tuple(np.round(np.asarray(values, float), 12))


def places(one):
    return rounded(one.get_xdata()), rounded(one.get_ydata())


def lines(axes):
    """Places and heights of all lines, but for those of error bars."""
    bars = {id(part) for bar in axes.containers for part in [bar.lines[0], *bar.lines[1]]}
    return {places(one): one for one in axes.lines if id(one) not in bars}


def points(axes):
    """Places and means of error bars, and from them twice the standard errors."""
    found = {}
    for bar in axes.containers:
        if len(bar.lines[0].get_xdata()) == 0:
            continue
        ends = np.array(bar.lines[2][0].get_segments())
        found[places(bar.lines[0])] = rounded(np.ptp(ends, axis=1)[:, 1] / 2)
    return found


def colour(axes, place):
    return lines(axes)[place].get_color().upper()


def pick(table, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    return table


def check(axes, table, x, keys, law, mean, error=None, curves=None, scale=1.0):
    """Points are the table's means and errors, lines the predictions, colours those of the rule."""
    expected = set()
    for key in keys:
        rows = pick(table, **key)
        line = pick(table if curves is None else curves, **key)
        place = rounded(rows[x]), rounded(scale * rows[mean])
        expected.add(place)
        errors = 2 * rows[error] if error else 0 * rows[x]
        assert points(axes)[place] == rounded(errors)
        law_place = rounded(line[x]), rounded(scale * line[law])
        assert law_place in lines(axes)
        if "rule" in key:
            assert colour(axes, law_place) == figures.rule_style(key["rule"])["color"].upper()
    assert set(points(axes)) == expected


BY_RULE = [{"rule": rule} for rule in RULES]


def words(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_rules_have_one_look():
    looks = [figures.rule_style(rule) for rule in RULES]
    for part in ("color", "marker", "linestyle"):
        assert len({str(look[part]) for look in looks}) == 4
    assert looks[3]["color"].upper() == style.PALETTE["real"]
    with pytest.raises(ValueError, match="not in tuple"):
        figures.rule_style("some")


def test_coverage_figure(draw):
    figure = draw("coverage_figure")
    check(figure.axes[0], pick(COVERAGE, n_steps=6), "step", BY_RULE, "law", "mean", "se")
    assert words(figure) == ["BPTT", "T-BPTT", "R-BPTT", "RaT-BPTT"]


def test_forgetting_figure(draw):
    (axes,) = draw("forgetting_figure").axes
    expected = {
        (rounded(line["speed"]), rounded(line["law"])) for _, line in WINDOWS.groupby("window")
    }
    assert set(lines(axes)) == expected
    assert words(draw("forgetting_figure")) == ["$M$ = 64", "$M$ = 16", "$M$ = 4", "$M$ = 1"]


def test_roots_figure(draw):
    above, below = draw("roots_figure").axes
    rows = pick(ROOTS, data="one image", n_steps=10)
    check(above, rows, "window", BY_RULE, "law", "searched")
    check(below, rows, "window", BY_RULE, "loss_at_end", "loss_at_end")
    assert "10 steps" in below.get_ylabel()


def test_signal_figure(draw):
    (axes,) = draw("signal_figure").axes
    expected = set()
    for key in BY_RULE:
        rows = pick(NOISE, **key, n_steps=10, coordinate=1)
        spread = np.sqrt(rows["variance"])
        place = rounded(-rows["mean"]), rounded(spread)
        expected.add(place)
        assert points(axes)[place] == pytest.approx(tuple(2 * 1e-3 / (2 * spread)))
        law = rounded(-rows["law"]), rounded(np.sqrt(rows["variance_law"]))
        assert (law in lines(axes)) == (key["rule"] != "full")
    assert set(points(axes)) == expected
    first = pick(NOISE, rule="full", n_steps=10, coordinate=1).iloc[0]
    ray = rounded((0, -1.3 * first["law"])), rounded((0, 1.3 * np.sqrt(first["variance_law"])))
    assert ray in lines(axes)
    assert [text.get_text() for text in axes.texts] == ["2", "4", "8"] * 3


def test_contraction_figure(draw):
    (axes,) = draw("contraction_figure").axes
    rows = pick(CONTRACTION, factors="uniform", factor_mean=0.6)
    place = rounded(rows["window"]), rounded(rows["error"])
    assert points(axes) == {place: rounded([4e-3] * 3)}
    for n, line in BEST.groupby("n_draws"):
        assert (rounded(line["window"]), rounded(line["law"])) in lines(axes)
        assert (rounded([np.log(n)]), rounded([1 / n])) in lines(axes)


def test_growth_figure(draw):
    (axes,) = draw("growth_figure").axes
    rows = pick(GROWTH, factors="normal")
    line = pick(GROWTH_LINES, factors="normal").head(3)  # no further than the points
    height = np.exp(rows["mean"])
    place = rounded(rows["window"]), rounded(height)
    assert points(axes) == {place: pytest.approx(2 * height * 0.01)}
    expected = {
        (rounded(line["window"]), rounded(np.exp(line["law"]))),
        (rounded(line["window"]), rounded(np.exp(line["law_of_rms"]))),
        (rounded(rows["window"]), rounded(np.exp(rows["sample_rms"]))),
        (rounded((0, 1)), rounded((1, 1))),
    }
    assert set(lines(axes)) == expected
    with style.use():
        other = figures.growth_figure(GROWTH, GROWTH_LINES, factors="uniform")
    ((_, found),) = points(other.axes[0])
    assert found == rounded(np.exp(pick(GROWTH, factors="uniform")["mean"]))
    plt.close(other)


def test_explosion_figure(draw):
    (axes,) = draw("explosion_figure").axes
    for _, line in EXPLOSION.dropna(subset="order").groupby("order"):
        assert (rounded(line["mean"]), rounded(line["std"])) in lines(axes)
    assert (rounded(PATH["mean"]), rounded(PATH["std"])) in lines(axes)
    texts = {text.get_text(): text.xy for text in axes.texts}
    assert texts == {"0.2": (0.8, 0.5), "0.4": (0.6, 1.0), "0.6": (0.4, 1.5)}


def test_adam_figure(draw):
    for axes, earlier in zip(draw("adam_figure").axes, ("zero", "independent"), strict=True):
        rows = pick(ADAM, earlier=earlier)
        steps = sorted(set(rows["step"]))
        assert len({x for x, _ in points(axes) if x}) == 1
        assert sum(1 for x, _ in points(axes) if x) == len(steps)
        for step in steps:
            part, line = pick(rows, step=step), pick(ADAM_LINES, step=step)
            line = line[line["eps"] > 6e-5]  # no further than the points
            place = rounded(part["eps"]), rounded(part["mean"])
            assert points(axes)[place] == pytest.approx(tuple(2 * part["se"]))
            law = rounded(line["eps"]), rounded(line["law"])
            assert (law in lines(axes)) == (earlier == "zero")
            assert (place in lines(axes)) == (earlier != "zero")
    above, below = draw("adam_figure").axes
    assert above.get_ylim() == below.get_ylim()
    assert words(draw("adam_figure")) == ["step 1", "step 2", "step 3", "step 10"]


def test_cost_figure(draw):
    (axes,) = draw("cost_figure").axes
    rows = pick(COSTS, widths="[64, 64, 10]")
    check(axes, rows, "n_steps", BY_RULE, "law", "counted", curves=COST_LINES, scale=1e-6)
    assert ((12.0, 12.0), (0.0, 1.0)) in lines(axes)
    lists = COSTS.assign(widths=[[6, 9, 4]] * 4 + [[64, 64, 10]] * 4)
    with style.use():
        other = figures.cost_figure(lists, COST_LINES)
    assert points(other.axes[0]) == points(axes)
    plt.close(other)


def test_linear_figure(draw):
    (axes,) = draw("linear_figure").axes
    for column in ("law", "one_step", "real_images"):
        assert (rounded(LINEAR["n_images"]), rounded(LINEAR[column])) in lines(axes)
    for height in (0.05, 0.5):
        assert (rounded((0, 1)), rounded((height, height))) in lines(axes)
    made = colour(axes, (rounded(LINEAR["n_images"]), rounded(LINEAR["one_step"])))
    real = colour(axes, (rounded(LINEAR["n_images"]), rounded(LINEAR["real_images"])))
    assert (made, real) == (style.PALETTE["synthetic"], style.PALETTE["real"])
