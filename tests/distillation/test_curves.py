"""The lines of the figures go through what the experiments compute, or through a hand formula."""

from __future__ import annotations

import time

import numpy as np
import pytest

from fragile_learning.distillation import curves as module
from fragile_learning.distillation import theory
from fragile_learning.distillation.curves import curves
from fragile_learning.distillation.exact_experiments import EXACT_EXPERIMENTS

TABLES = {
    one.name.removeprefix("distillation/"): one
    for one in EXACT_EXPERIMENTS
    if one.name.split("/")[1] in {"adam-steps", "costs"}
}


def test_windows_forget_slow_directions():
    found = curves("quadratic-windows")
    assert sorted(set(found["window"])) == [1, 4, 16, 64]
    by_hand = 1.0 - (1.0 - found["speed"]) ** found["window"]
    np.testing.assert_allclose(found["law"], by_hand, atol=1e-13)
    assert found["speed"].min() == pytest.approx(1e-3)
    assert found["speed"].max() == pytest.approx(1.0)


def test_errors_of_windows():
    found = curves("best-window")
    n = found["n_draws"]
    by_hand = (1 - 1 / n) * 0.36 ** found["window"] + 1.36 ** found["window"] / n
    np.testing.assert_allclose(found["law"], by_hand, rtol=1e-12)
    for _, line in found.groupby("n_draws"):
        best = line["window"][line["law"].idxmin()]
        assert best == pytest.approx(line["best_window"].iloc[0], abs=0.051)
        assert line["best_law"].iloc[0] <= line["law"].min()
        assert line["best_law"].iloc[0] == pytest.approx(line["law"].min(), rel=2e-3)


def test_growth_is_a_straight_line():
    found = curves("growth")
    for factors, line in found.groupby("factors"):
        for column, order in (("law", 0.0), ("law_of_rms", 2.0)):
            rate = theory.growth_rate(0.6, 1.0, order, law=factors)
            np.testing.assert_allclose(line[column], rate * line["window"], atol=1e-12)
        assert line["law_of_rms"].iloc[-1] == pytest.approx(25.0 * np.log(1.36))
    points = next(one for one in EXACT_EXPERIMENTS if one.name == "distillation/growth")
    for tier in points.tiers:
        for point in points.points(tier):
            assert (point["factor_mean"], point["factor_std"]) == (0.6, 1.0)
            assert 0 <= point["window"] <= found["window"].max()


def test_borders_of_explosion():
    found = curves("explosion")
    lines = {order: found[found["order"] == order] for order in (0.0, 1.0, 2.0)}
    circle = lines[2.0]
    np.testing.assert_allclose(circle["mean"] ** 2 + circle["std"] ** 2, 1.0, atol=1e-9)
    inner = np.abs(circle["mean"].to_numpy()) < 0.99
    for higher, lower in ((2.0, 1.0), (1.0, 0.0)):  # the variance explodes first
        gap = lines[lower]["std"].to_numpy() - lines[higher]["std"].to_numpy()
        assert (gap[inner] > 0.0).all()
    middle = lines[0.0].set_index(lines[0.0]["mean"].round(9))["std"][0.0]
    assert middle == pytest.approx(np.exp(0.5 * (np.euler_gamma + np.log(2.0))), rel=1e-9)
    middle = lines[1.0].set_index(lines[1.0]["mean"].round(9))["std"][0.0]
    assert middle == pytest.approx(np.sqrt(np.pi / 2.0), rel=1e-9)
    path = found[found["order"].isna()]
    np.testing.assert_allclose(path["mean"], 1.0 - path["learning_rate"])
    np.testing.assert_allclose(path["std"], 2.5 * path["learning_rate"])


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_laws_of_adam_go_through_the_points(tier):
    found = curves("adam-steps")
    points = [p for p in TABLES["adam-steps"].points(tier) if p["earlier"] == "zero"]
    for point in points:
        line = found[found["step"] == point["step"]]
        assert line["eps"].min() <= point["eps"] * (1 + 1e-9)
        assert line["eps"].max() >= point["eps"] * (1 - 1e-9)
        law = theory.adam_step_moments(
            0.02, point["eps"], 1.0 / np.sqrt(2.0 * np.pi), step=point["step"]
        )[1]
        between = np.interp(np.log(point["eps"]), np.log(line["eps"]), np.log(line["law"]))
        assert between == pytest.approx(np.log(law), abs=1e-9)


def test_costs_go_through_the_points():
    found = curves("costs").set_index(["rule", "n_steps"])["law"]
    one = TABLES["costs"]
    points = [p for p in one.points("quick") if p["widths"] == [64, 64, 10]]
    assert len(points) == 4
    for point in points:
        row = one.point(**point, rng=np.random.default_rng(1))
        assert found[point["rule"], point["n_steps"]] == row["counted"]
    assert found["full", 12] == found["random-truncated", 12] == found["truncated", 12]


def test_all_are_cheap():
    start = time.process_time()
    for name in module._CURVES:
        curves(name)
    assert time.process_time() - start < 2.0
