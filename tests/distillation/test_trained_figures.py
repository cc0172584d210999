"""Figures of distilled images draw what they are given, in both modes, and change nothing."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fragile_learning import style
from fragile_learning.distillation import trained_figures as figures


def frame(**axes):
    """All combinations of some values."""
    rows = itertools.product(*axes.values())
    return pd.DataFrame([dict(zip(axes, row, strict=True)) for row in rows])


def replicated(column, count=5, **axes):
    """Replicates: settings 0.03 apart, and a scatter."""
    table = frame(**axes, replicate=range(count))
    place = table.groupby(list(axes), sort=False).ngroup()
    return table.assign(**{column: 0.3 + 0.03 * place + 0.01 * table["replicate"]})


REAL = ["random real", "class means", "herding", "k-centre"]
RULES = ["T-BPTT", "BPTT", "R-BPTT", "RaT-BPTT"]
METHODS = replicated(
    "accuracy", data=["digits", "digits in [0, 1]", "fashion"], method=[*REAL, *RULES]
).assign(repair="none")
METHODS = pd.concat(
    [
        METHODS,
        METHODS[METHODS["method"].isin(["BPTT", "R-BPTT"])].assign(repair="skip first"),
        METHODS[METHODS["method"] == "BPTT"].assign(repair="guard"),
    ],
    ignore_index=True,
)
METHODS_QUICK = METHODS[(METHODS["data"] == "digits") & (METHODS["replicate"] == 0)]
CONVNET = METHODS[METHODS["data"] == "fashion"].rename(columns={"method": "rule"})
CONVNET = CONVNET.assign(n_per_class=1).drop(columns="data")
CONVNET_QUICK = CONVNET[CONVNET["rule"].isin(["BPTT", "RaT-BPTT"]) & (CONVNET["repair"] == "none")]
NORMS = frame(rule=RULES, repair=["none", "skip first"], outer_step=range(1, 31))
NORMS["norm"] = np.where(
    (NORMS["outer_step"] == 7) & (NORMS["repair"] == "none"), 500.0, 1.0 + 0.1 * NORMS["outer_step"]
)
NORMS_QUICK = NORMS[(NORMS["rule"] == "RaT-BPTT") & (NORMS["repair"] == "none")]
NORMS_QUICK = pd.concat([NORMS_QUICK, NORMS[NORMS["rule"] == "BPTT"]])
VARIANCE = pd.concat(
    [
        frame(network=["MLP"], optimiser=["Adam"], eps=[1e-8], data=["distilled", "real"]),
        frame(network=["MLP"], optimiser=["SGD"], eps=[1e-8], data=["distilled"]),
        frame(network=["ConvNet"], optimiser=["Adam"], eps=[1e-8, 1e-3], data=["distilled"]),
    ]
).merge(frame(block=range(5), window=[20, 39, 40]), how="cross")
VARIANCE["n_steps"] = 40
VARIANCE["variance"] = np.where(VARIANCE["window"] == 40, 1e3, 0.1) * (1 + VARIANCE["block"])
VARIANCE_QUICK = VARIANCE[(VARIANCE["network"] == "MLP") & (VARIANCE["data"] == "distilled")]
SUBSETS = replicated(
    "accuracy", kind=["distilled", "subset", "random real"], n_per_class=[1, 3, 5], draw=[0, 1]
)
SUBSETS_QUICK = SUBSETS[(SUBSETS["replicate"] == 0) & (SUBSETS["n_per_class"] < 3)]
BOOST = replicated("accuracy", block_rate=[0.0, 0.1, 1.0], n_per_class=[1, 2, 3, 5])
BOOST["direct"] = 0.9 + 0.01 * BOOST["n_per_class"]
BOOST_QUICK = BOOST[(BOOST["replicate"] == 0) & (BOOST["block_rate"] != 0.1)]
SELECTION = replicated("accuracy_seen", chosen_on=["validation", "test"]).assign(
    mean_seen=0.25, mean_fresh=0.24
)
SELECTION["accuracy_fresh"] = SELECTION["accuracy_seen"] - 0.02
SELECTION_QUICK = SELECTION[SELECTION["replicate"] == 0]
TARGETS = ["MLP", "wider MLP", "deeper MLP", "ConvNet", "ResNet", "VGG"]
TRANSFER = replicated("accuracy", source=["MLP", "ConvNet"], target=TARGETS)
TRANSFER["random_real"] = TRANSFER["accuracy"] - 0.1
TRANSFER_QUICK = TRANSFER[(TRANSFER["replicate"] == 0) & (TRANSFER["source"] == "MLP")]

# case, argument, panels
CASES = [
    ("methods_figure", METHODS, 3),
    ("methods_figure quick", METHODS_QUICK, 1),
    ("convnet_figure", CONVNET, 1),
    ("convnet_figure quick", CONVNET_QUICK, 1),
    ("norms_figure", NORMS, 4),
    ("norms_figure quick", NORMS_QUICK, 2),
    ("variance_figure", VARIANCE, 2),
    ("variance_figure quick", VARIANCE_QUICK, 1),
    ("subsets_figure", SUBSETS, 1),
    ("subsets_figure quick", SUBSETS_QUICK, 1),
    ("boost_figure", BOOST, 1),
    ("boost_figure quick", BOOST_QUICK, 1),
    ("selection_figure", SELECTION, 1),
    ("selection_figure quick", SELECTION_QUICK, 1),
    ("transfer_figure", TRANSFER, 2),
    ("transfer_figure quick", TRANSFER_QUICK, 1),
]
ARGUMENTS = {case: argument for case, argument, _ in CASES}
UNTOUCHED = {case: argument.copy() for case, argument in ARGUMENTS.items()}
SINGLE = {"convnet_figure quick"}  # one kind of marks: one entry in the legend


@pytest.fixture(scope="module")
def draw():
    """Draw a figure of the cases in a mode, once; close all at the end."""
    kept = {}

    def drawn(case, mode="light"):
        if (case, mode) not in kept:
            with style.use(mode):
                kept[case, mode] = getattr(figures, case.split()[0])(ARGUMENTS[case])
                kept[case, mode].canvas.draw()
        return kept[case, mode]

    with plt.rc_context({"figure.max_open_warning": 0}):
        yield drawn
    plt.close("all")


def test_every_figure_is_drawn_here():
    drawn = {case.split()[0] for case in ARGUMENTS}
    assert drawn | {"distilled_images_figure"} == set(figures.__all__)


@pytest.mark.parametrize(("case", "panels"), [(case, panels) for case, _, panels in CASES])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_draws_in_both_modes_and_changes_nothing(case, panels, mode, draw):
    figure = draw(case, mode)
    pd.testing.assert_frame_equal(ARGUMENTS[case], UNTOUCHED[case])
    assert len(figure.axes) == panels
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.has_data()
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    (legend,) = figure.legends
    assert len(legend.get_texts()) >= (1 if case in SINGLE else 2)
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    for axes in figure.axes:  # hides nothing
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
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            shown = [one.get_window_extent() for one in labels if one.get_text()]
            inside = [one for one in shown if one.x0 >= 0 and one.y0 >= 0]
            assert not any(one.overlaps(other) for one, other in itertools.combinations(inside, 2))


# --- what is drawn ----------------------------------------------------------------------------


def bars(axes):
    """Middle and half-length of horizontal error bars, by the mean."""
    found = []
    for bar in axes.containers:
        (middle,) = bar.lines[0].get_xdata()
        ((left, _), (right, _)) = bar.lines[2][0].get_segments()[0]
        found.append((float(middle), float(right - left) / 2.0))
    return sorted(found)


def test_means_and_errors_of_the_methods(draw):
    (axes, *_) = draw("methods_figure").axes
    rows = METHODS[METHODS["data"] == "digits"]
    groups = 100.0 * rows.groupby(["method", "repair"])["accuracy"].agg(["mean", "sem"])
    wanted = sorted(zip(groups["mean"], 2.0 * groups["sem"], strict=True))
    assert bars(axes) == [pytest.approx(pair) for pair in wanted]
    assert axes.get_yticklabels()[0].get_text() == "RaT-BPTT"
    # one replicate has no error
    (quick,) = draw("methods_figure quick").axes
    assert all(half == 0.0 for _, half in bars(quick))


def test_medians_of_variances(draw):
    above = draw("variance_figure").axes[0]
    lines = [one for one in above.lines if one.get_linestyle() not in ("None", "none")]
    heights = {tuple(np.round(one.get_ydata(), 6)) for one in lines if len(one.get_ydata())}
    assert heights == {(3000.0, 0.3, 0.3)}
    assert [one.get_text() for one in above.get_xticklabels()] == ["0", "1", "20"]


def test_norms_are_the_tables(draw):
    for axes, rule in zip(draw("norms_figure").axes, RULES, strict=True):
        assert axes.get_title() == rule
        drawn = [one for one in axes.lines if len(one.get_xdata()) == 30]
        assert len(drawn) == 2
        assert max(drawn[0].get_ydata()) == 500.0
        assert max(drawn[1].get_ydata()) == 4.0


def test_selected_accuracies_are_less_their_means(draw):
    (axes,) = draw("selection_figure").axes
    drawn = {one.get_label(): one.get_xydata() for one in axes.lines}
    rows = SELECTION[SELECTION["chosen_on"] == "test"]
    np.testing.assert_allclose(
        drawn["chosen on test images"],
        np.stack(
            [100 * (rows["accuracy_seen"] - 0.25), 100 * (rows["accuracy_fresh"] - 0.24)], axis=1
        ),
    )


# --- pictures -----------------------------------------------------------------------------------


def test_distilled_images():
    images = np.arange(7 * 16, dtype=float).reshape(7, 4, 4)
    labels = [1, 0, 2, 0, 1, 2, 2]
    figure = figures.distilled_images_figure(images, labels, columns=3)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(figure.axes) == 9
    assert [axes.get_title() for axes in shown] == ["0", "0", "1", "1", "2", "2", "2"]
    np.testing.assert_array_equal(shown[0].images[0].get_array(), images[1])
    named = figures.distilled_images_figure(images, labels, names=["shirt", "coat", "bag"])
    assert named.axes[0].get_title() == "shirt"
    assert named.get_figwidth() <= style.FIGURE_WIDTH
    plt.close("all")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": [0, 1]}, "labels must have one entry per image"),
        ({"labels": [0, 1, -1]}, "labels must"),
        ({"labels": [0, 1, 0.5]}, "labels must hold whole numbers"),
        ({"images": np.zeros((3, 4))}, "images must"),
        ({"images": np.full((3, 4, 4), np.nan)}, "images must"),
        ({"names": ["shirt"]}, "names must name class 2, got 1 names"),
        ({"columns": 0}, "columns must be"),
    ],
)
def test_bad_pictures_are_named(changes, words):
    arguments = {"images": np.zeros((3, 4, 4)), "labels": [0, 1, 2], **changes}
    with pytest.raises(ValueError, match=words):
        figures.distilled_images_figure(**arguments)
    plt.close("all")
