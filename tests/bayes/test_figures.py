"""Figures draw what they are given, in both modes, and change nothing."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from fragile_learning import style
from fragile_learning.bayes import figures, trained_experiments

METHODS = ["deterministic", "ensemble", "dropout", "Laplace", "function space", "mean field", "HMC"]
SCORES = ["total_entropy", "mutual_information"]
ADAPTIVE = {
    "total_entropy": "two-stage entropy",
    "mutual_information": "two-stage information",
}


def frame(**axes):
    """All combinations of some values."""
    rows = itertools.product(*axes.values())
    return pd.DataFrame([dict(zip(axes, row, strict=True)) for row in rows])


def spread(table, low=0.0, high=1.0):
    """Values between two ends that tell the rows of a table apart."""
    return low + (high - low) * (np.arange(len(table)) + 0.5) / len(table)


def rest(table, *columns):
    """A table without some replicates."""
    return table[table["replicate"] == 0].drop(columns=list(columns)).reset_index(drop=True)


WEIGHTS = frame(
    kind=["exact", "Laplace", "mean field"], weight_0=[0, 1, 2, 3], weight_1=[-2, -1, 0]
)
WEIGHTS["mass"] = 0.2 * np.hypot(WEIGHTS["weight_0"] - 1.5, WEIGHTS["weight_1"] + 1)
WEIGHTS["mass"] += 0.03 * WEIGHTS["kind"].map({"exact": 0, "Laplace": 1, "mean field": 2})
DRAWS = pd.DataFrame({"sampler": "HMC", "draw": range(4)})
DRAWS["weight_0"] = [0.5, 1.0, 1.5, 2.0]
DRAWS["weight_1"] = [-1.0, -0.5, -1.5, -1.2]

LEAPFROG = frame(n_dimensions=[20, 50], step_size=[0.2, 0.6, 1.0]).assign(n_steps=3)
LEAPFROG["acceptance"] = spread(LEAPFROG, 0.3)
LEAPFROG["mean_error"] = spread(LEAPFROG, 0.01, 0.4)
LEAPFROG["acceptance_se"] = LEAPFROG["acceptance"] / 50
LEAPFROG["mean_error_se"] = LEAPFROG["mean_error"] / 40
LEAPFROG_LINES = frame(n_dimensions=[20, 50], step_size=[0.0, 0.5, 1.1]).assign(n_steps=3)
LEAPFROG_LINES["acceptance_exact"] = spread(LEAPFROG_LINES, 0.4)
LEAPFROG_LINES["acceptance_normal"] = spread(LEAPFROG_LINES, 0.35)
LEAPFROG_LINES["mean_error_exact"] = spread(LEAPFROG_LINES, 0.0, 0.5)

CLEAN = frame(data=["fashion", "digits"], method=METHODS, replicate=[0, 1, 2])
CLEAN = CLEAN.assign(attack="none", radius=0.0, n=100, accuracy=spread(CLEAN, 0.7, 0.9), nll=0.5)
ROBUST = frame(
    data=["fashion", "digits"],
    method=METHODS,
    replicate=[0, 1, 2],
    attack=["FGSM", "label", "margin", "targeted"],
    radius=[0.05, 0.1],
)
ROBUST = ROBUST.assign(n=100, nll=np.nan)
ROBUST["accuracy"] = 0.7 - 5 * ROBUST["radius"] - 0.01 * ROBUST["replicate"]
ROBUST["accuracy"] += ROBUST["attack"].map({"FGSM": 0.1, "label": 0.05, "margin": 0, "targeted": 0})
ROBUST["accuracy"] += 0.015 * ROBUST["method"].map(METHODS.index) * (ROBUST["data"] == "fashion")
# each of the two strong attacks is the stronger one somewhere
ROBUST.loc[(ROBUST["attack"] == "targeted") & (ROBUST["radius"] == 0.1), "accuracy"] -= 0.02
ROBUST.loc[(ROBUST["attack"] == "margin") & (ROBUST["radius"] == 0.05), "accuracy"] -= 0.02
ROBUST = pd.concat([CLEAN, ROBUST], ignore_index=True)
ROBUST_QUICK = ROBUST[
    (ROBUST["replicate"] == 0)
    & (ROBUST["data"] == "fashion")
    & ROBUST["method"].isin(["deterministic", "HMC"])
]
ARCHIVED = ROBUST.assign(accuracy=0.9 * ROBUST["accuracy"])

DETECTION = frame(
    data=["fashion"],
    method=METHODS,
    replicate=[0, 1, 2],
    radius=[0.05, 0.1],
    attack=["label", "margin", *ADAPTIVE.values()],
    score=SCORES,
)
DETECTION["auroc"] = spread(DETECTION, 0.3, 0.9)
DETECTION["selective_area"] = spread(DETECTION, 0.35, 0.8)
DETECTION_QUICK = rest(DETECTION)
DETECTION_BOTH = pd.concat(
    [DETECTION_QUICK, DETECTION_QUICK.assign(data="digits", auroc=spread(DETECTION_QUICK))]
)

SHIFT = frame(
    data=["fashion"],
    method=METHODS,
    replicate=[0, 1],
    radius=[0.05, 0.1],
    attacked=SCORES,
    score=SCORES,
)
SHIFT = pd.concat(
    [
        frame(data=["fashion"], method=METHODS, replicate=[0, 1], score=SCORES).assign(
            radius=0.0, attacked="none"
        ),
        SHIFT,
    ],
    ignore_index=True,
)
SHIFT["auroc"] = spread(SHIFT, 0.95, 0.2)

MIXING = frame(data=["fashion", "digits"], replicate=[0, 1, 2]).assign(n_draws=300)
MIXING["rhat_median"] = spread(MIXING, 1.0, 1.01)
MIXING["rhat_max"] = spread(MIXING, 1.02, 1.08)
MIXING["ess_median"] = spread(MIXING, 200, 310)

VERDICTS = frame(
    replicate=[0, 1],
    attack=[
        "one step, softmax twice, one sample",
        "one step, softmax twice",
        "PGD, softmax twice, ten samples",
        "PGD on the margin",
        "PGD on the stable loss",
        "PGD, tempered margin",
    ],
    radius=[0.05, 0.1],
).assign(clean=0.73, median_gap=33.0)
VERDICTS["accuracy"] = 0.6 - 0.1 * (VERDICTS.groupby("attack", sort=False).ngroup())
VERDICTS["accuracy"] -= VERDICTS["radius"] / 2 - 0.02 * VERDICTS["replicate"]
VERDICTS_ONE = VERDICTS[(VERDICTS["replicate"] == 0) & (VERDICTS["radius"] == 0.1)].copy()
VERDICTS_ONE["accuracy"] = [0.6, 0.4, 0.2, 0.1, 0.004, 0.0]

RESCALED = frame(
    replicate=[0, 1],
    network=["deterministic", "HMC"],
    factor=[1.0, 10.0, 100.0],
    attack=["log after the mean", "double softmax", "log odds", "tempered margin"],
).assign(clean=0.8)
RESCALED["nan_share"] = 0.1 * (RESCALED["attack"] == "log after the mean")
RESCALED["accuracy"] = spread(RESCALED, 0.1, 0.7)
RESCALED["dead_share"] = spread(RESCALED, 0.0, 0.9)

SAMPLES = frame(replicate=[0, 1, 2], n_attack=[1, 2, 5, 10, 30, 32]).assign(
    attack="n samples", clean=0.8
)
SAMPLES["accuracy"] = 0.5 - 0.02 * SAMPLES["n_attack"] ** 0.5 + 0.03 * SAMPLES["replicate"]
SAMPLES = pd.concat([SAMPLES, SAMPLES.assign(attack="mean weights", accuracy=0.99)])
LINEAR = frame(
    spread=[0.5, 1.0],
    gradients=["logit", "member losses", "predictive"],
    n_samples=[1, 4, 16, 64],
)
LINEAR["fraction"] = spread(LINEAR, 0.2)
LINEAR["fraction_se"] = 0.01
LINEAR["fraction_exact"] = np.where(LINEAR["gradients"] == "logit", LINEAR["fraction"] + 0.01, None)
LINEAR["fraction_exact"] = LINEAR["fraction_exact"].astype(float)

NORMS = frame(replicate=[0, 1, 2], n_samples=[1, 5, 10, 30, 32], kind=["mean of member gradients"])
NORMS["linf"] = 0.25 + 0.12 / NORMS["n_samples"] + 0.01 * NORMS["replicate"]
NORMS = pd.concat(
    [NORMS, NORMS[NORMS["n_samples"] == 30].assign(kind="predictive mean", linf=0.22)]
)
NORM_LINES = pd.DataFrame({"n_samples": [1, 10, 100, 1000], "limit": 1.3})
NORM_LINES["norm"] = np.hypot(1.3, 3.0 / np.sqrt(NORM_LINES["n_samples"]))
NORM_LINES["if_zero_mean"] = 3.0 / np.sqrt(NORM_LINES["n_samples"])

PRIORS = frame(prior=["constant", "fan-in"], width=[512, 1024], n_layers=[1, 2], replicate=[0, 1])
PRIORS["dead_share"] = (PRIORS["prior"] == "constant") * spread(PRIORS, 0.2, 1.9)

DOUBLE = pd.DataFrame({"n_classes": [2, 10, 100]})
DOUBLE = DOUBLE.assign(
    loss_low=[0.31, 1.46, 3.6],
    loss_high=[1.31, 2.46, 4.6],
    score_floor=[0.54, 0.85, 0.98],
    score_fooled=[0.55, 0.88, 0.985],
    score_correct=[0.1, 0.2, 0.3],
)
DOUBLE_LINES = pd.DataFrame({"n_classes": [2, 3, 10, 30, 100]})
DOUBLE_LINES = DOUBLE_LINES.assign(
    loss_low=spread(DOUBLE_LINES, 0.3, 3.7),
    loss_high=spread(DOUBLE_LINES, 1.3, 4.7),
    score_floor=spread(DOUBLE_LINES, 0.5, 1.0),
)

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "ankle boot")
IMAGES = np.random.default_rng(1).random((3, 4, 14, 14))
EXAMPLES = SimpleNamespace(
    clean=IMAGES[0],
    label_attacked=IMAGES[1],
    adaptively_attacked=IMAGES[2],
    labels=np.array([0, 1, 6, 2]),
    predictions=np.array([[0, 1, 6, 4], [2, 3, 5, 4], [2, 3, 6, 4]]),
    total_entropies=np.arange(12.0).reshape(3, 4) / 10,
    class_names=CLASSES,
)

# case, arguments, panels
CASES = [
    ("posterior_figure", (DRAWS, WEIGHTS), 1),
    ("leapfrog_figure", (LEAPFROG, LEAPFROG_LINES), 2),
    ("robustness_figure", (ROBUST,), 2),
    ("robustness_figure archived", (ROBUST_QUICK, ARCHIVED[ARCHIVED["data"] == "fashion"]), 1),
    ("attacks_figure", (ROBUST,), 2),
    ("attacks_figure quick", (ROBUST_QUICK,), 1),
    ("detection_figure", (DETECTION,), 2),
    ("detection_figure both", (DETECTION_BOTH,), 4),
    ("selective_figure", (DETECTION,), 1),
    ("selective_figure both", (DETECTION_BOTH,), 2),
    ("shift_figure", (SHIFT,), 2),
    ("mixing_figure", (MIXING,), 2),
    ("mixing_figure quick", (MIXING[MIXING["data"] == "fashion"][:1],), 2),
    ("verdicts_figure", (VERDICTS,), 1),
    ("verdicts_figure one", (VERDICTS_ONE,), 1),
    ("rescaled_figure", (RESCALED,), 4),
    ("attack_samples_figure", (SAMPLES, LINEAR), 2),
    ("gradient_norms_figure", (NORMS, NORM_LINES), 2),
    ("wide_priors_figure", (PRIORS,), 1),
    ("double_softmax_figure", (DOUBLE, DOUBLE_LINES), 2),
    ("images_figure", (EXAMPLES,), 12),
]
ARGUMENTS = {case: arguments for case, arguments, _ in CASES}


def copied(one):
    return one.copy() if isinstance(one, pd.DataFrame) else one


UNTOUCHED = {case: [copied(one) for one in arguments] for case, arguments in ARGUMENTS.items()}


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


def test_every_figure_is_drawn_here():
    assert {case.split()[0] for case in ARGUMENTS} == set(figures.__all__) - {"Gallery"}


# variants of a case have no colours of their own
MODES = [
    (case, panels, mode)
    for case, _, panels in CASES
    for mode in (("light", "dark") if " " not in case else ("light",))
]


@pytest.mark.parametrize(("case", "panels", "mode"), MODES)
def test_draws_in_both_modes_and_changes_nothing(case, panels, mode, draw):
    figure = draw(case, mode)
    for now, then in zip(ARGUMENTS[case], UNTOUCHED[case], strict=True):
        if isinstance(now, pd.DataFrame):
            pd.testing.assert_frame_equal(now, then)
    assert len(figure.axes) == panels
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.has_data()
        assert axes.get_ylabel() or axes.get_images() or axes.get_yticklabels()
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    legends = [*figure.legends, *(one for axes in figure.axes if (one := axes.get_legend()))]
    assert legends or case == "images_figure"
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


def test_methods_and_scores_are_those_of_the_experiments():
    assert list(figures._METHODS) == METHODS == list(trained_experiments.METHODS)
    assert tuple(figures._SCORES) == trained_experiments.SCORES
    assert {*figures._ADAPTIVE.values(), "label"} <= set(trained_experiments._DETECTED)


@pytest.mark.parametrize("case", [case for case in ARGUMENTS if case != "images_figure"])
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
        words = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]
        shown = [one.get_window_extent() for one in words if one.get_text()]
        shown = [one for one in shown if 0 <= one.x0 <= box.x1 and box.y0 <= one.y0 <= box.y1]
        pairs = itertools.combinations(shown, 2)
        assert not any(one.overlaps(other) for one, other in pairs)
    labels = [axes.xaxis.label.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(labels, 2))


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
    bars = {id(part) for bar in error_bars(axes) for part in [bar.lines[0], *bar.lines[1]]}
    return {places(one) for one in axes.lines if id(one) not in bars}


def error_bars(axes):
    return [one for one in axes.containers if hasattr(one, "has_yerr")]


def level(height):
    """A line across the panel."""
    return rounded((0, 1)), rounded((height, height))


def upright(place):
    """A line from bottom to top."""
    return rounded((place, place)), rounded((0, 1))


def points(axes):
    """Places and means of error bars, and from them twice the standard errors."""
    found = {}
    for bar in error_bars(axes):
        if len(bar.lines[0].get_ydata()):
            ends = np.array(bar.lines[2][0].get_segments())
            side = 1 if bar.has_yerr else 0
            found[places(bar.lines[0])] = rounded(np.ptp(ends, axis=1)[:, side] / 2)
    return found


def pick(table, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    return table


def means(rows, by, column):
    """What is drawn of replicates: places, means and two standard errors."""
    groups = rows.groupby(by)[column]
    errors = 2 * groups.std().fillna(0.0) / np.sqrt(groups.size())
    return (rounded(groups.mean().index), rounded(groups.mean())), rounded(errors)


def words(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_posterior_figure(draw):
    figure = draw("posterior_figure")
    (axes,) = figure.axes
    assert (rounded(DRAWS["weight_0"]), rounded(DRAWS["weight_1"])) in lines(axes)
    assert len(axes.collections) == 3
    for shift, contours in zip((0.0, 0.03, 0.06), axes.collections, strict=True):
        assert list(contours.levels) == [0.5, 0.9]
        # along an edge of the grid, where the mass is linear between its corners
        half = contours.get_paths()[0].vertices
        on_edge = half[half[:, 1] == -1.0] if len(half) else half
        for x, _ in on_edge:
            near = sorted(WEIGHTS["weight_0"].unique(), key=lambda w, x=x: abs(w - x))[:2]
            ends = [0.2 * abs(w - 1.5) + shift for w in near]
            assert np.interp(x, *zip(*sorted(zip(near, ends, strict=True)), strict=True)) == (
                pytest.approx(0.5, abs=1e-9)
            )
    named = words(figure.legends[0])
    assert named == ["draws of HMC", "exact: 50 % and 90 % regions", "Laplace", "mean field"]


def test_leapfrog_figure(draw):
    above, below = draw("leapfrog_figure").axes
    for dimensions in (20, 50):
        rows = pick(LEAPFROG, n_dimensions=dimensions)
        line = pick(LEAPFROG_LINES, n_dimensions=dimensions)
        for axes, column, laws in (
            (above, "acceptance", ("acceptance_exact", "acceptance_normal")),
            (below, "mean_error", ("mean_error_exact",)),
        ):
            at = rounded(rows["step_size"]), rounded(rows[column])
            assert points(axes)[at] == rounded(2 * rows[f"{column}_se"])
            for law in laws:
                assert (rounded(line["step_size"]), rounded(line[law])) in lines(axes)
    assert below.get_yscale() == "log"


def strongest(table, data, method):
    rows = pick(table, data=data, method=method)
    return rows.groupby(["radius", "replicate"])["accuracy"].min().reset_index()


def test_robustness_figure(draw):
    figure = draw("robustness_figure")
    for axes, data, name in zip(
        figure.axes, ("fashion", "digits"), ("Fashion-MNIST", "digits"), strict=True
    ):
        assert axes.get_title() == name
        for method in METHODS:
            at, errors = means(strongest(ROBUST, data, method), "radius", "accuracy")
            assert points(axes)[at] == errors
            assert at in lines(axes)
        assert level(0.1) in lines(axes)
    assert set(words(figure.legends[0])) == {*METHODS, "guessing"}


def test_live_points_stand_on_archived_lines(draw):
    (axes,) = draw("robustness_figure archived").axes
    for method in METHODS:
        old, _ = means(strongest(ARCHIVED, "fashion", method), "radius", "accuracy")
        assert old in lines(axes)
        if method in {"deterministic", "HMC"}:
            now, _ = means(strongest(ROBUST_QUICK, "fashion", method), "radius", "accuracy")
            assert points(axes)[now] == (0.0, 0.0, 0.0)
            assert now not in lines(axes)
    assert len(points(axes)) == 2
    named = words(draw("robustness_figure archived").legends[0])
    assert {"lines: archived run", "points: live run"} <= set(named)


def test_attacks_figure(draw):
    figure = draw("attacks_figure")
    axes = figure.axes[0]
    named = [text.get_text() for text in axes.get_yticklabels()]
    assert named == [
        "no attack",
        "one step",
        "many steps, label",
        "many steps, margin",
        "class by class",
    ]
    expected = {}
    for place, attack in enumerate(["none", "FGSM", "label", "margin", "targeted"]):
        for method, shift in (("deterministic", -0.14), ("HMC", 0.14)):
            rows = pick(ROBUST, data="fashion", method=method, attack=attack)
            for _, some in rows.groupby("radius"):
                found = some["accuracy"]
                at = rounded([found.mean()]), rounded([place + shift])
                expected[at] = rounded([2 * found.std() / np.sqrt(3)])
    assert points(axes) == expected


def check_dumbbells(axes, table, column, **keys):
    expected = {}
    for attack in ("label", ADAPTIVE[keys["score"]]):
        for place, method in enumerate(METHODS):
            rows = pick(table, radius=0.1, attack=attack, method=method, **keys)[column]
            error = 0.0 if len(rows) == 1 else 2 * rows.std() / np.sqrt(len(rows))
            expected[rounded([rows.mean()]), rounded([place])] = rounded([error])
    assert points(axes) == expected
    assert [text.get_text() for text in axes.get_yticklabels()] == METHODS
    assert axes.yaxis_inverted()  # the first one on top
    ends = list(expected)
    for (x, y), (other, _) in zip(ends[: len(METHODS)], ends[len(METHODS) :], strict=True):
        assert ((*x, *other), (*y, *y)) in lines(axes)


def test_detection_figure(draw):
    for axes, score in zip(draw("detection_figure").axes, SCORES, strict=True):
        check_dumbbells(axes, DETECTION, "auroc", score=score)
        assert upright(0.5) in lines(axes)
        assert axes.get_title().startswith(f"Fashion-MNIST, {score.replace('_', ' ')}")
    panels = draw("detection_figure both").axes
    settings = [(data, score) for data in ("fashion", "digits") for score in SCORES]
    for axes, (data, score) in zip(panels, settings, strict=True):
        check_dumbbells(axes, DETECTION_BOTH, "auroc", data=data, score=score)


def test_selective_figure(draw):
    (axes,) = draw("selective_figure").axes
    check_dumbbells(axes, DETECTION, "selective_area", score="total_entropy")
    # no line to compare with: a useless ranking keeps what attacks leave, which is not the same
    assert upright(0.5) not in lines(axes)


def test_shift_figure(draw):
    for axes, score in zip(draw("shift_figure").axes, SCORES, strict=True):
        for method in METHODS:
            rows = pick(SHIFT, score=score, method=method)
            rows = rows[(rows["radius"] == 0.0) | (rows["attacked"] == score)]
            at, errors = means(rows, "radius", "auroc")
            assert points(axes)[at] == errors
            assert at in lines(axes)
        assert level(0.5) in lines(axes)


def test_mixing_figure(draw):
    above, below = draw("mixing_figure").axes
    for data, shift in (("fashion", -0.12), ("digits", 0.12)):
        rows = pick(MIXING, data=data)
        at = rounded(rows["replicate"] + shift)
        assert (at, rounded(rows["rhat_median"])) in lines(above)
        assert (at, rounded(rows["rhat_max"])) in lines(above)
        assert (at, rounded(rows["ess_median"] / 300)) in lines(below)
    assert {level(1.01), level(1.1)} <= lines(above)


def test_verdicts_figure(draw):
    figure = draw("verdicts_figure")
    (axes,) = figure.axes
    clean, small, large = axes.containers
    names = [text.get_text() for text in axes.texts if "%" not in text.get_text()]
    ranked = pick(VERDICTS, radius=0.1).groupby("attack")["accuracy"].mean()
    ranked = ranked.sort_values(ascending=False)  # the weakest attack on top
    assert names[0] == words(figure.legends[0])[0] == "no attack"
    assert names[1:-1] == list(ranked.index[:-1])
    assert ranked.index[-1] == "PGD, tempered margin"
    assert names[-1] == "many steps, margin of tempered logits"
    for radius, bars in ((0.05, small), (0.1, large)):
        mean = 100 * pick(VERDICTS, radius=radius).groupby("attack")["accuracy"].mean()
        assert [bar.get_width() for bar in bars] == pytest.approx(list(mean[ranked.index]))
        said = {text.get_text() for text in axes.texts}
        assert {f"{value:.0f} %" for value in mean} <= said
    assert [bar.get_width() for bar in clean] == [pytest.approx(73.0)]
    assert upright(73.0) in lines(axes)
    assert axes.yaxis_inverted()
    for bars in (small, large):
        assert [bar.get_y() for bar in bars] == sorted(bar.get_y() for bar in bars)
        assert clean[0].get_y() < bars[0].get_y()


def test_small_shares_are_not_called_zero(draw):
    (axes,) = draw("verdicts_figure one").axes
    said = [text.get_text() for text in axes.texts]
    assert "0.4 %" in said
    assert "0 %" in said


def test_rescaled_figure(draw):
    panels = draw("rescaled_figure").axes
    shown = [name for name in RESCALED["attack"].unique() if name != "log odds"]
    table = RESCALED.assign(lost=RESCALED["dead_share"] + RESCALED["nan_share"])
    for network, above, below in zip(
        ("deterministic", "HMC"), panels[::2], panels[1::2], strict=True
    ):
        for axes, column in ((above, "accuracy"), (below, "lost")):
            for attack in shown:
                rows = pick(table, network=network, attack=attack)
                at, errors = means(rows, "factor", column)
                assert points(axes)[at] == errors
                assert at in lines(axes)
            assert len(points(axes)) == len(shown)
        assert (rounded((1, 10, 100)), rounded((0.8, 0.8, 0.8))) in lines(above)
        assert above.get_position().height > 1.5 * below.get_position().height


def test_attack_samples_figure(draw):
    above, below = draw("attack_samples_figure").axes
    rows = pick(SAMPLES, attack="n samples")
    at, errors = means(rows, "n_attack", "accuracy")
    assert points(above) == {at: errors}
    for _, run in rows.groupby("replicate"):
        assert (rounded(run["n_attack"]), rounded(run["accuracy"])) in lines(above)
    assert level(0.8) in lines(above)
    found = pick(LINEAR, spread=1.0)
    assert len(points(below)) == 3
    for gradients in ("logit", "member losses", "predictive"):
        kind = pick(found, gradients=gradients)
        at = rounded(kind["n_samples"]), rounded(kind["fraction"])
        assert points(below)[at] == (0.02,) * 4
    exact = pick(found, gradients="logit")
    assert (rounded(exact["n_samples"]), rounded(exact["fraction_exact"])) in lines(below)


def test_gradient_norms_figure(draw):
    above, below = draw("gradient_norms_figure").axes
    for kind in ("mean of member gradients", "predictive mean"):
        at, errors = means(pick(NORMS, kind=kind), "n_samples", "linf")
        assert points(above)[at] == errors
    for column in ("norm", "if_zero_mean"):
        assert (rounded(NORM_LINES["n_samples"]), rounded(NORM_LINES[column])) in lines(below)
    assert level(1.3) in lines(below)
    assert above.get_ylim()[0] == below.get_ylim()[0] == 0.0  # so that one sees the limit is not 0


def test_wide_priors_figure(draw):
    (axes,) = draw("wide_priors_figure").axes
    expected = {}
    for place, (_, rows) in enumerate(PRIORS.groupby(["prior", "n_layers", "width"])):
        found = rows["dead_share"]
        error = 2 * found.std() / np.sqrt(2)
        expected[rounded([found.mean()]), rounded([place])] = rounded([error])
        assert (rounded([0, found.mean()]), rounded([place, place])) in lines(axes)
    assert points(axes) == expected
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["1 × 512", "1 × 1,024", "2 × 512", "2 × 1,024"] * 2


def test_double_softmax_figure(draw):
    above, below = draw("double_softmax_figure").axes
    for column in ("score_fooled", "score_correct"):
        assert (rounded(DOUBLE["n_classes"]), rounded(DOUBLE[column])) in lines(above)
    at = rounded(DOUBLE_LINES["n_classes"])
    assert (at, rounded(DOUBLE_LINES["score_floor"])) in lines(above)
    for column in ("loss_low", "loss_high"):
        assert (at, rounded(DOUBLE_LINES[column])) in lines(below)
        assert (rounded(DOUBLE["n_classes"]), rounded(DOUBLE[column])) in lines(below)


def test_images_figure(draw):
    grid = np.reshape(draw("images_figure").axes, (3, 4))
    for i, j in itertools.product(range(3), range(4)):
        (image,) = grid[i, j].get_images()
        np.testing.assert_array_equal(image.get_array(), IMAGES[i, j])
        said = EXAMPLES.predictions[i, j]
        right = said == EXAMPLES.labels[j]
        text = grid[i, j].get_xlabel()
        assert CLASSES[said] in text
        assert f"{EXAMPLES.total_entropies[i, j]:.2f}" in text
        dashes = grid[i, j].spines["left"].get_linestyle()
        assert (dashes == "-") == right
        paint = style.PALETTE["clean" if right else "synthetic"]
        assert to_hex(grid[i, j].spines["left"].get_edgecolor()).upper() == paint
    assert all(grid[i, 0].get_ylabel() for i in range(3))
