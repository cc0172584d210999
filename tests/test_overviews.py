"""The six pictures of the first page: what they draw, and the numbers below them."""

from __future__ import annotations

import importlib
import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from fragile_learning import style, tables
from fragile_learning.overviews import OVERVIEW_SIZE, Curve, Overview, overview_figure

ROOMS = ("bayes", "distillation", "regression", "scaling_laws", "strong_collapse", "verification")
TICKS = {"x_ticks": ((0.0, "0"), (1.0, "1")), "y_ticks": ((0.0, "0"),)}
LINE = Curve("falls", [0.0, 1.0], [1.0, 0.0], "real", at=(0.5, 0.6))
POINTS = Curve("measured", [0.0, 1.0], [0.9, 0.1], "synthetic", error=[0.1, 0.0], dash="--")


@pytest.fixture(autouse=True)
def quiet_backend():
    import matplotlib.pyplot as plt

    before = mpl.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


def module(room):
    return importlib.import_module(f"fragile_learning.{room}.overview")


def archived(room):
    name = f"{room}/{module(room).TABLE}"
    return tables.read_table(tables.archive_path("full", name))[0]


def overview(**changes):
    given = {"curves": (LINE, POINTS), "x_label": "samples", "y_label": "error", "alt": "It falls."}
    return Overview(**{**given, **TICKS, **changes})


def test_draws_lines_points_and_names_beside_them():
    figure = overview_figure(overview())
    (axes,) = figure.axes
    assert tuple(figure.get_size_inches()) == OVERVIEW_SIZE
    assert [text.get_text() for text in axes.texts] == ["falls", "measured"]
    assert axes.get_legend() is None
    assert not figure.legends
    line, points = axes.lines[0], axes.lines[1]
    np.testing.assert_array_equal(line.get_xydata(), [(0, 1), (1, 0)])
    np.testing.assert_array_equal(points.get_xydata(), [(0, 0.9), (1, 0.1)])
    bars = axes.collections[0].get_segments()  # two standard errors to either side
    np.testing.assert_allclose(bars[0], [(0, 0.7), (0, 1.1)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"curves": ()}, "curves must be 1 to 3, got 0"),
        ({"curves": (LINE,) * 4}, "curves must be 1 to 3, got 4"),
        ({"x_ticks": tuple((i, str(i)) for i in range(4))}, "x_ticks must be 1 to 3, got 4"),
        ({"y_ticks": ()}, "y_ticks must be 1 to 3, got 0"),
        ({"alt": " "}, "alt must not be empty"),
        ({"numbers": {"rise": ""}}, r"numbers\['rise'\] must be a text"),
        ({"log": "y"}, "log must be"),
    ],
)
def test_an_overview_stays_small(changes, message):
    with pytest.raises(ValueError, match=message):
        overview(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"color": "green"}, ValueError, "color must be"),
        ({"side": "top"}, ValueError, "side must be"),
        ({"y": [1.0]}, ValueError, "y must have the shape of x"),
        ({"y": [1.0, math.nan]}, ValueError, "y must be a row of finite numbers"),
        ({"y": ["a", "b"]}, TypeError, "y must be numeric"),
        ({"error": [1.0, 2.0, 3.0]}, ValueError, "error must have the shape of x"),
    ],
)
def test_a_curve_refuses_what_cannot_be_drawn(changes, error, message):
    with pytest.raises(error, match=message):
        Curve(**{"label": "", "x": [0.0, 1.0], "y": [1.0, 2.0], "color": "real", **changes})


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_each_room_fits_its_picture(room, mode):
    with style.use(mode):
        figure = overview_figure(module(room).overview())
        figure.canvas.draw()
        (axes,) = figure.axes
        frame = figure.bbox
        for text in (*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()):
            box = text.get_window_extent()
            assert frame.x0 <= box.x0, text
            assert box.x1 <= frame.x1, text
            assert frame.y0 <= box.y0, text
            assert box.y1 <= frame.y1, text


@pytest.mark.parametrize("room", ROOMS)
def test_the_archived_table_is_what_is_drawn_unless_another_is_given(room):
    table = archived(room)
    given, found = module(room).overview(table), module(room).overview()
    assert given.numbers == found.numbers
    for one, other in zip(given.curves, found.curves, strict=True):
        np.testing.assert_array_equal(one.y, other.y)


def test_regression_counts_the_rise_from_the_lowest_point():
    rows = pd.DataFrame(
        {
            "exponent": 2.0,
            "source_exponent": 0.375,
            "n_generations": [0, 0, 0, 10, 10, 10],
            "n_samples": [10, 100, 1000] * 2,
            "mean_total": [1.0, 0.1, 0.01, 4.0, 2.0, 50.0],
            "se_total": 0.0,
        }
    )
    critical = rows["n_samples"] ** -0.8  # beta / (2 beta r + 1)
    other = rows.assign(ridge=2 * critical, mean_total=1e6)
    found = module("regression").overview(pd.concat([rows.assign(ridge=critical), other]))
    assert found.numbers == {"rise": "25", "few": "100", "many": "1,000"}


def test_strong_collapse_compares_at_the_most_samples():
    rows = pd.DataFrame(
        {
            "policy": ["least squares"] * 4 + ["ridge 1/n"],
            "synthetic_fraction": [0.0, 0.0, 0.01, 0.01, 0.01],
            "n_samples": [100, 10_000, 100, 10_000, 10_000],
            "mean_total": [1.0, 0.01, 1.0, 0.3, 9.0],
            "se_total": 0.0,
        }
    )
    found = module("strong_collapse").overview(rows)
    assert found.numbers == {"share": "1 per cent", "times": "30", "many": "10,000"}


def test_scaling_laws_plateau_is_as_long_as_the_theorem_says():
    found = module("scaling_laws").overview()
    assert float(found.numbers["decades"]) == -math.log10(0.01)
    mixed = next(curve for curve in found.curves if "cut" in curve.label)
    start = float(found.numbers["start"].replace(",", ""))
    middle = np.interp(10 * start, mixed.x, mixed.y)
    assert middle / np.interp(start, mixed.x, mixed.y) > 0.8  # the clean law: 0.46


def test_verification_sorts_by_what_is_removed():
    rows = pd.DataFrame(
        {
            "verifier": ["none", "noisy", "oracle", "clean"],
            "p_noise": [1.0, 0.25, 0.0, 0.0],
            "student": [0.1, 0.2, 0.4, 0.9],
            "generator": 0.15,
        }
    )
    found = module("verification").overview(rows)
    np.testing.assert_allclose(found.curves[0].x, [100, 75, 0])
    np.testing.assert_allclose(found.curves[0].y, [40, 20, 10])  # not the student of clean labels
    assert set(found.numbers.values()) == {"15 per cent", "10 per cent", "40 per cent"}


def test_bayes_takes_the_strongest_attack_of_each_replicate():
    rows = pd.DataFrame(
        [
            ("fashion", method, replicate, attack, radius, accuracy)
            for method, drop in (("HMC", 0.0), ("deterministic", 0.1))
            for replicate in (0, 1)
            for attack, radius, accuracy in (
                ("none", 0.0, 0.9),
                ("FGSM", 0.1, 0.6),
                ("margin", 0.1, 0.4 - drop + 0.2 * replicate),
            )
        ],
        columns=["data", "method", "replicate", "attack", "radius", "accuracy"],
    )
    rows = pd.concat([rows, rows.assign(data="digits", accuracy=0.0)])
    found = module("bayes").overview(rows)
    assert found.numbers["clean"] == "90 per cent"
    assert found.numbers["attacked"] == "50 per cent"
    np.testing.assert_allclose([curve.y[-1] for curve in found.curves], [50, 40])


def test_distillation_averages_over_replicates():
    rows = pd.DataFrame(
        {
            "data": "digits",
            "repair": ["none"] * 6 + ["guard"],
            "method": ["random real", "class means", "RaT-BPTT"] * 2 + ["RaT-BPTT"],
            "n_images": 10,
            "accuracy": [0.5, 0.8, 0.9, 0.6, 0.8, 0.96, 0.0],
        }
    )
    found = module("distillation").overview(rows)
    assert found.numbers == {"images": "10", "real": "55 per cent", "distilled": "93 per cent"}
