"""Figures draw what they are given, in both modes, and change nothing."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fragile_learning import style
from fragile_learning.verification import figures


def frame(**axes):
    """All combinations of some values."""
    rows = itertools.product(*axes.values())
    return pd.DataFrame([dict(zip(axes, row, strict=True)) for row in rows])


def drawn(table):
    """Add means and standard errors that tell rows apart."""
    values = 0.1 + 0.02 * np.arange(len(table))
    return table.assign(mean=values, se=1e-3 * (1 + np.arange(len(table)) % 3))


def lined(table, *columns):
    """Add predictions that tell rows and columns apart."""
    steps = 0.001 * np.arange(len(table))
    return table.assign(**{name: 0.1 * k + steps for k, name in enumerate(columns, 1)})


def replicated(column, count=5, **axes):
    """Replicates: settings 0.1 apart, and a scatter."""
    table = frame(**axes, replicate=range(count))
    place = table.groupby(list(axes), sort=False).ngroup()
    return table.assign(**{column: 0.1 + 0.1 * place + 0.01 * table["replicate"]})


RATES = [0.0, 0.4, 0.8]
PLAYERS = [(1.0, 1.0, 0.5), (0.9, 0.3, 0.75), (1.0, 0.0, 1.0), (0.6, 0.0, 1.0)]
NAMED = ["oracle", r"$\varphi$ = 0.6, $\psi$ = 0", r"$\varphi$ = 0.9, $\psi$ = 0.3", "nobody"]


def of_players(**axes):
    """A table of every player."""
    names = ("keep_if_correct", "keep_if_wrong", "breakdown_point")
    tables = [frame(**axes).assign(**dict(zip(names, player, strict=True))) for player in PLAYERS]
    return pd.concat(tables, ignore_index=True)


ACCURACY = drawn(of_players(error_rate=RATES))
ACCURACY_LINES = lined(of_players(error_rate=RATES), "law").assign(bayes=0.93)
COSTS = lined(of_players(error_rate=[0.1, 0.2, 0.3]), "price")
RIDGE = drawn(frame(ridge=[0.0, 0.1, 1e6], n_generated=[100, 300, 1000]))
RIDGE_LINES = lined(frame(ridge=[0.0, 0.1, 1e6], n_generated=[90, 200, 2000]), "law")
RIDGE_LINES = RIDGE_LINES.assign(bayes=0.93, dip=208.0)
LOGISTIC = drawn(frame(n_generated=[150, 750], ridge=[0.01, 0.3], error_rate=RATES))
LOGISTIC_LINES = lined(
    frame(n_generated=[150, 750], ridge=[0.01, 0.3], error_rate=[0.0, 0.5, 1.0]), "law"
).assign(n_features=150, breakdown_point=0.7)
LOGISTIC_LINES["one_shot"] = 0.5 + LOGISTIC_LINES["n_generated"] / 1e4
WINDOW = drawn(frame(n_generated=[400, 6400], tau=[-3.0, 0.0, 3.0]))
WINDOW_LINES = lined(frame(n_generated=[400, 6400], tau=[-3.0, 1.0, 3.0]), "law", "limit")
ANGLES = frame(correlation=[-1.0, 0.0, 1.0], degrees_verifier=[0.0, 60.0, 120.0, 180.0])
ANGLES["gain"] = 0.2 - ANGLES["degrees_verifier"] / 300.0 - 0.05 * ANGLES["correlation"]
ANGLES["degrees_generator"] = 40.0
ROUNDS = drawn(frame(degrees_verifier=[40.0, 65.0], round=[0, 1, 2]))
ROUNDS = lined(ROUNDS, "law")
ROUNDS["correlation"] = ROUNDS["degrees_verifier"] / 100.0
ROUNDS["verifier"] = 1.0 - ROUNDS["degrees_verifier"] / 180.0
ROUNDS_LINES = pd.concat([ROUNDS, ROUNDS.assign(round=ROUNDS["round"] + 3, law=0.5)])
ROUNDS_LINES = ROUNDS_LINES.drop(columns=["mean", "se"]).reset_index(drop=True)
TRAINING = drawn(frame(signal=[1.0, 2.0], degrees_generator=[30.0, 90.0, 150.0]))
TRAINING_LINES = lined(
    frame(signal=[1.0, 2.0], degrees_generator=[0.0, 90.0, 180.0]), "law", "generator"
)
MORE = drawn(frame(keep=["oracle", "agreement", "all"], n_generated=[30, 100, 3000]))
MORE = MORE.assign(mean=0.75 + MORE["mean"] / 5, generator=0.773, bayes=0.933)
THRESHOLD = lined(
    frame(error_rate=[0.2, 0.6], separation=[1.0, 2.0], threshold=[-3.0, 0.0, 4.0]), "information"
)
THRESHOLD.loc[(THRESHOLD["error_rate"] == 0.6) & (THRESHOLD["threshold"] < 0), "information"] = (
    np.nan
)
THRESHOLD = THRESHOLD.assign(
    best_threshold=THRESHOLD["separation"] / 2,
    best_information=0.1 + THRESHOLD["error_rate"] / 10,
    soft=0.3 + THRESHOLD["separation"] / 10 + THRESHOLD["error_rate"] / 100,
    unverified=THRESHOLD["error_rate"] / 7,
)
EIGEN = replicated("student", p_noise=[1.0, 0.1, 0.0])
EIGEN = EIGEN.assign(
    verifier=EIGEN["p_noise"].map({1.0: "none", 0.1: "noisy", 0.0: "oracle"}),
    p_star=1.0 / (1.0 + EIGEN["p_noise"]),
    generator=0.15 + 0.01 * EIGEN["replicate"],
)
# a clean student has the p_noise of an oracle, and belongs to no verifier
CLEAN = EIGEN[EIGEN["p_noise"] == 0.0].assign(verifier="clean", student=0.77, p_star=1.0)
EIGEN = pd.concat([EIGEN, CLEAN], ignore_index=True)
EIGEN_QUICK = EIGEN[(EIGEN["replicate"] == 0) & (EIGEN["verifier"] != "clean")]
BEST = replicated("oracle", k=[1, 5, 20])
BEST = BEST.assign(
    self_pick=BEST["oracle"] / 2, greedy=0.14 + 0.01 * BEST["replicate"], independent=BEST["k"] / 25
)
BEST_QUICK = BEST[BEST["replicate"] == 0]
WHO = ["random", "self", "peer", "better", "oracle"]
HEADLINES = replicated("student", selector=WHO, scope=["article", "all"], n_kept_each=[1, 2])
# paired with a generator that differs from replicate to replicate by far more than the gains do
HEADLINES["student"] = HEADLINES["student"] / 100 + HEADLINES["replicate"] / 10
HEADLINES["generator"] = 0.005 + HEADLINES["replicate"] / 10
HEADLINES_QUICK = HEADLINES[
    (HEADLINES["replicate"] < 2)
    & (HEADLINES["scope"] == "article")
    & (HEADLINES["n_kept_each"] == 1)
]

# case, arguments, panels
CASES = [
    ("accuracy_figure", (ACCURACY, ACCURACY_LINES), 1),
    ("ridge_figure", (RIDGE, RIDGE_LINES), 1),
    ("logistic_figure", (LOGISTIC, LOGISTIC_LINES), 2),
    ("window_figure", (WINDOW, WINDOW_LINES), 1),
    ("angles_figure", (ANGLES,), 1),
    ("rounds_figure", (ROUNDS,), 1),
    ("rounds_figure longer", (ROUNDS, ROUNDS_LINES), 1),
    ("self_training_figure", (TRAINING, TRAINING_LINES), 1),
    ("more_data_figure", (MORE,), 1),
    ("threshold_figure", (THRESHOLD,), 2),
    ("cost_figure", (COSTS,), 1),
    ("eigenvalues_figure", (EIGEN,), 1),
    ("eigenvalues_figure quick", (EIGEN_QUICK,), 1),
    ("best_of_k_figure", (BEST,), 1),
    ("best_of_k_figure quick", (BEST_QUICK,), 1),
    ("headlines_figure", (HEADLINES,), 2),
    ("headlines_figure quick", (HEADLINES_QUICK,), 1),
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
                kept[case, mode] = getattr(figures, case.split()[0])(*ARGUMENTS[case])
                kept[case, mode].canvas.draw()
        return kept[case, mode]

    with plt.rc_context({"figure.max_open_warning": 0}):
        yield drawn
    plt.close("all")


def panels_of(figure):
    """Panels without the bars of colours."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def test_every_figure_is_drawn_here():
    assert {case.split()[0] for case in ARGUMENTS} == set(figures.__all__)


@pytest.mark.parametrize(("case", "panels"), [(case, panels) for case, _, panels in CASES])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_draws_in_both_modes_and_changes_nothing(case, panels, mode, draw):
    figure = draw(case, mode)
    for now, then in zip(ARGUMENTS[case], UNTOUCHED[case], strict=True):
        pd.testing.assert_frame_equal(now, then)
    assert len(panels_of(figure)) == panels
    for axes in panels_of(figure):
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.has_data()
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    legends = [*figure.legends, *(one for axes in figure.axes if (one := axes.get_legend()))]
    assert legends
    for legend in legends:
        assert len(legend.get_texts()) >= 2
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        for axes in figure.axes:  # hides nothing
            assert not box.overlaps(axes.get_window_extent())
            if axes.get_title():
                assert not box.overlaps(axes.title.get_window_extent())
    for one, other in itertools.combinations(legends, 2):
        assert not one.get_window_extent().overlaps(other.get_window_extent())


@pytest.mark.parametrize("case", ARGUMENTS)
def test_panels_stand_below_each_other(case, draw):
    boxes = [axes.get_tightbbox() for axes in draw(case).axes]
    assert all(above.y0 >= below.y1 - 1 for above, below in itertools.pairwise(boxes))


@pytest.mark.parametrize("case", ARGUMENTS)
def test_text_stays_inside_and_apart(case, draw):
    figure = draw(case)
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.width + 1
        words = [*axes.texts, *(one for one in axes.get_xticklabels() if one.get_text())]
        shown = [
            one.get_window_extent() for one in words if 0 <= one.get_window_extent().x0 <= box.x1
        ]
        pairs = itertools.combinations(shown, 2)
        assert not any(one.overlaps(other) for one, other in pairs)


# --- what is drawn ----------------------------------------------------------------------------


def rounded(values):
    return tuple(np.round(np.asarray(values, float), 9))


def places(one):
    """Where a line goes, without where it is not a number."""
    x, y = (np.asarray(values, float) for values in (one.get_xdata(), one.get_ydata()))
    keep = ~np.isnan(y)
    return rounded(x[keep]), rounded(y[keep])


def lines(axes):
    """Places and heights of all lines, but for those of error bars."""
    bars = {id(part) for bar in axes.containers for part in [bar.lines[0], *bar.lines[1]]}
    return {places(one) for one in axes.lines if id(one) not in bars}


def level(height):
    """A line across the panel."""
    return rounded((0, 1)), rounded((height, height))


def points(axes):
    """Places and means of error bars, and from them twice the standard errors."""
    found = {}
    for bar in axes.containers:
        if len(bar.lines[0].get_ydata()):
            ends = np.array(bar.lines[2][0].get_segments())
            found[places(bar.lines[0])] = rounded(np.ptp(ends, axis=1)[:, 1] / 2)
    return found


def stars(axes):
    """Places of the stars, but for that of the legend."""
    found = [places(one) for one in axes.lines if one.get_marker() == "*"]
    return [(x[0], y[0]) for x, y in found if x]


def pick(table, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    return table


def check(axes, table, curves, x, keys, laws=("law",)):
    """Points are the table's means and errors, and lines the predictions."""
    expected = set()
    for key in keys:
        rows, line = pick(table, **key), pick(curves, **key)
        place = rounded(rows[x]), rounded(rows["mean"])
        expected.add(place)
        assert points(axes)[place] == rounded(2 * rows["se"])
        for law in laws:
            assert (rounded(line[x]), rounded(line[law])) in lines(axes)
    assert set(points(axes)) == expected


def words(legend):
    return [text.get_text() for text in legend.get_texts()]


def players():
    return [{"keep_if_correct": phi, "keep_if_wrong": psi} for phi, psi, _ in PLAYERS]


def test_accuracy_figure(draw):
    figure = draw("accuracy_figure")
    (axes,) = figure.axes
    check(axes, ACCURACY, ACCURACY_LINES, "error_rate", players())
    assert {level(0.93), level(0.5)} <= lines(axes)
    assert sorted(stars(axes)) == [(0.5, 0.5), (0.75, 0.5), (1.0, 0.5), (1.0, 0.5)]
    assert [one for one in words(figure.legends[0]) if one in NAMED] == NAMED


def test_the_oracle_is_nearest_to_real_labels(draw):
    for case in ("accuracy_figure", "cost_figure"):
        (axes,) = draw(case).axes
        handles, labels = axes.get_legend_handles_labels()
        oracle = dict(zip(labels, handles, strict=True))["oracle"]
        line = oracle.lines[0] if hasattr(oracle, "lines") else oracle
        assert line.get_color().upper() == style.PALETTE["real"], case


def test_ridge_figure(draw):
    figure = draw("ridge_figure")
    (axes,) = figure.axes
    keys = [{"ridge": ridge} for ridge in (0.0, 0.1, 1e6)]
    check(axes, RIDGE, RIDGE_LINES, "n_generated", keys)
    assert ((208.0, 208.0), (0.0, 1.0)) in lines(axes)
    assert level(0.93) in lines(axes)
    assert words(figure.legends[0])[1:] == ["one shot", r"$\lambda$ = 0.1", r"$\lambda$ = 0"]


def test_logistic_figure(draw):
    for axes, size in zip(draw("logistic_figure").axes, (150, 750), strict=True):
        drawn_, laws = pick(LOGISTIC, n_generated=size), pick(LOGISTIC_LINES, n_generated=size)
        keys = [{"ridge": ridge} for ridge in (0.01, 0.3)]
        check(axes, drawn_, laws, "error_rate", keys, ("law", "one_shot"))
        assert stars(axes) == [(0.7, 0.5)]
    titles = [axes.get_title() for axes in draw("logistic_figure").axes]
    assert titles == ["$N = d$", r"$N = 5\,d$"]


def test_window_figure(draw):
    (axes,) = draw("window_figure").axes
    check(axes, WINDOW, WINDOW_LINES, "tau", [{"n_generated": size} for size in (400, 6400)])
    line = pick(WINDOW_LINES, n_generated=6400)
    assert (rounded(line["tau"]), rounded(line["limit"])) in lines(axes)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_angles_figure(mode, draw):
    figure = draw("angles_figure", mode)
    axes = figure.axes[0]
    mesh, contour = axes.collections
    np.testing.assert_allclose(
        np.ravel(mesh.get_array()),
        ANGLES.sort_values(["correlation", "degrees_verifier"])["gain"],
    )
    assert ((140.0, 140.0), (0.0, 1.0)) in lines(axes)  # 180 - 40 degrees
    for x, y in contour.get_paths()[0].vertices:  # without gain or loss
        assert 0.2 - x / 300 - 0.05 * y == pytest.approx(0.0, abs=1e-9)
    # no gain has the colour of the page, and equal gains and losses are as far from it
    low, high = mesh.get_clim()
    assert (low, high) == pytest.approx((-ANGLES["gain"].max(), ANGLES["gain"].max()))
    page = plt.matplotlib.colors.to_rgb(style.BACKGROUND[mode])
    np.testing.assert_allclose(mesh.to_rgba(0.0)[:3], page, atol=0.01)
    worse, better = mesh.to_rgba(low), mesh.to_rgba(high)
    assert worse[0] > worse[2]
    assert better[2] > better[0]
    assert len(axes.texts) == 3


def test_rounds_figure(draw):
    keys = [{"degrees_verifier": degrees} for degrees in (40.0, 65.0)]
    for case, curves in (("rounds_figure", ROUNDS), ("rounds_figure longer", ROUNDS_LINES)):
        figure = draw(case)
        (axes,) = figure.axes
        check(axes, ROUNDS, curves, "round", keys)
        assert {level(1 - 40 / 180), level(1 - 65 / 180)} <= lines(axes)
        assert r"$\theta_v$ = 65°, $\rho$ = 0.65" in words(figure.legends[0])


def test_self_training_figure(draw):
    (axes,) = draw("self_training_figure").axes
    keys = [{"signal": signal} for signal in (1.0, 2.0)]
    check(axes, TRAINING, TRAINING_LINES, "degrees_generator", keys, ("law", "generator"))


def test_more_data_figure(draw):
    (axes,) = draw("more_data_figure").axes
    keys = [{"keep": keep} for keep in ("oracle", "agreement", "all")]
    check(axes, MORE, MORE, "n_generated", keys, ("mean",))
    assert {level(0.773), level(0.933)} <= lines(axes)
    low, high = axes.get_ylim()
    assert MORE["mean"].between(low, high).all()


def test_threshold_figure(draw):
    for axes, p in zip(draw("threshold_figure").axes, (0.2, 0.6), strict=True):
        assert axes.get_title() == f"$p$ = {p:g}"
        for separation in (1.0, 2.0):
            line = pick(THRESHOLD, error_rate=p, separation=separation)
            line = line[line["information"].notna()]
            assert (rounded(line["threshold"]), rounded(line["information"])) in lines(axes)
            assert level(0.3 + separation / 10 + p / 100) in lines(axes)
            assert rounded((separation / 2, 0.1 + p / 10)) in stars(axes)
        assert level(p / 7) in lines(axes)
        assert len(stars(axes)) == 2


def test_cost_figure(draw):
    figure = draw("cost_figure")
    (axes,) = figure.axes
    for key in players():
        line = pick(COSTS, **key)
        assert (rounded(line["error_rate"]), rounded(line["price"])) in lines(axes)
    assert level(0.0) in lines(axes)
    assert words(figure.legends[0]) == NAMED


# Of five values 0.01 apart, and twice their standard error, as in `replicated`.
SHIFT = 0.02
ERROR = 2 * 0.01 * np.sqrt(2.5) / np.sqrt(5)


def test_eigenvalues_figure(draw):
    (axes,) = draw("eigenvalues_figure").axes
    place = rounded((1.0, 1 / 1.1, 0.5)), rounded(np.array([0.3, 0.2, 0.1]) + SHIFT)
    assert points(axes) == {place: pytest.approx([ERROR] * 3)}
    assert {place, level(0.77), level(0.15 + SHIFT)} <= lines(axes)


def test_eigenvalues_of_one_replicate(draw):
    (axes,) = draw("eigenvalues_figure quick").axes
    place = rounded((1.0, 1 / 1.1, 0.5)), rounded((0.3, 0.2, 0.1))
    assert points(axes) == {place: (0.0, 0.0, 0.0)}
    assert words(draw("eigenvalues_figure quick").legends[0]) == ["generator", "students"]


def test_best_of_k_figure(draw):
    (axes,) = draw("best_of_k_figure").axes
    means = np.array([0.1, 0.2, 0.3]) + SHIFT
    ks = (1.0, 5.0, 20.0)
    assert points(axes) == {
        (ks, rounded(means)): pytest.approx([ERROR] * 3),
        (ks, rounded(means / 2)): pytest.approx([ERROR / 2] * 3),
    }
    assert {(ks, rounded((0.04, 0.2, 0.8))), level(0.14 + SHIFT)} <= lines(axes)
    (single,) = draw("best_of_k_figure quick").axes
    assert set(points(single).values()) == {(0.0, 0.0, 0.0)}


def gains(scope, count):
    """Means of the gains over the generator, by selector in the order of the table."""
    place = np.arange(5) * 4 + 2 * (scope == "all") + (count == 2)
    return (0.1 + 0.1 * place + SHIFT) / 100 - 0.005


def test_headlines_figure(draw):
    figure = draw("headlines_figure")
    above, below = figure.axes
    found = points(above)
    for scope, shift in (("article", -0.12), ("all", 0.12)):
        for place, gain in enumerate(gains(scope, 1)):
            # paired: the generators' own scatter, ten times as large, is not in it
            assert found[rounded([place + shift]), rounded([gain])] == pytest.approx(
                [ERROR / 100], abs=1e-8
            )
    assert len(found) == 10
    expected = {
        ((1.0, 2.0), rounded(pair))
        for pair in zip(gains("article", 1), gains("article", 2), strict=True)
    }
    assert set(points(below)) == expected <= lines(below)
    for axes in (above, below):
        assert level(0.0) in lines(axes)
    labels = [text.get_text() for text in above.get_xticklabels()]
    assert labels == ["chance", "itself", "a peer", "better\nmodel", "oracle"]
    runs = [places(one) for one in above.lines if one.get_marker() == "."]
    assert len(runs) == 10
    assert all(len(heights) == 5 for _, heights in runs)


def test_headlines_of_two_replicates(draw):
    (axes,) = draw("headlines_figure quick").axes
    assert len(points(axes)) == 5
    mean = 0.5 * (0.1 + 0.11) / 100 - 0.005  # selected by chance
    assert points(axes)[rounded([0]), rounded([mean])] == pytest.approx([1e-4], abs=1e-8)
