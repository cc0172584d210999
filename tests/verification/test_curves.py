"""The lines of the figures go through what the experiments compute at their own points."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from fragile_learning.verification import curves as module
from fragile_learning.verification.curves import curves
from fragile_learning.verification.mixture_experiments import MIXTURE_EXPERIMENTS

EXPERIMENTS = {one.name.removeprefix("verification/"): one for one in MIXTURE_EXPERIMENTS}
PLAYERS = ["keep_if_correct", "keep_if_wrong"]

# experiment: keys of a line, swept axis, columns of both
SAME = {
    "one-shot": (PLAYERS, "error_rate", ["law", "breakdown_point", "bayes"]),
    "ridge": (["ridge"], "n_generated", ["law", "bayes"]),
    "logistic": (
        ["ridge", "n_generated"],
        "error_rate",
        ["law", "one_shot", "breakdown_point"],
    ),
    "window": (["n_generated"], "tau", ["law"]),
    "rounds": (["degrees_verifier", "correlation"], "round", ["law", "verifier"]),
    "self-training": (["signal"], "degrees_generator", ["law", "generator"]),
}


def laws(name, tier):
    """Rows of an experiment, with few and small draws: their predictions are not drawn."""
    one = EXPERIMENTS[name]
    rows = []
    for point in one.points(tier):
        small = {"n_replicates": 2}
        if name in {"rounds", "self-training"}:  # whose laws know no sample size
            small["n_generated"] = 50
        found = one.point(**(point | small), rng=np.random.default_rng(1))
        rows += [point | row for row in (found if isinstance(found, list) else [found])]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", SAME)
def test_lines_go_through_the_points(name):
    keys, axis, columns = SAME[name]
    table, found = laws(name, "quick"), curves(name)
    if name == "ridge":  # the dip itself is steep: a point beside it says nothing of the grid
        table = table[(table["n_generated"] != 208) | (table["ridge"] > 0.0)]
    assert len(table)
    for place, points in table.groupby(keys):
        line = found
        for key, value in zip(keys, place, strict=True):
            line = line[line[key] == value]
        assert line[axis].is_monotonic_increasing
        assert line[axis].min() <= points[axis].min()
        assert line[axis].max() >= points[axis].max()
        for column in columns:
            between = np.interp(points[axis], line[axis], line[column])
            np.testing.assert_allclose(between, points[column], atol=2e-3, err_msg=f"{place}")


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("tier", ["quick", "full"])
def test_every_simulated_setting_has_a_line(name, tier):
    keys, axis, _ = SAME[name]
    points = pd.DataFrame(EXPERIMENTS[name].points(tier))
    found = curves(name, tier)
    here = {tuple(row) for row in points[keys].drop_duplicates().to_numpy()}
    assert here == {tuple(row) for row in found[keys].drop_duplicates().to_numpy()}
    if axis in points:
        assert found[axis].min() <= points[axis].min()
        assert found[axis].max() >= points[axis].max()


def test_the_dip_is_where_as_many_are_kept_as_there_are_features():
    found = curves("ridge")
    assert found["dip"].unique() == pytest.approx([150 / 0.72])
    least = found[(found["ridge"] == 0.0)].set_index("n_generated")["law"]
    assert least.idxmin() == pytest.approx(150 / 0.72)
    assert least.min() == 0.5


def test_the_window_has_a_limit():
    found = curves("window", "full")
    off = (found["law"] - found["limit"]).abs().groupby(found["n_generated"]).max()
    np.testing.assert_allclose(off[1600] / off[25_600], 4.0, rtol=0.1)  # of order N^(-1/2)


def test_angles():
    found = curves("angles").set_index(["degrees_verifier", "correlation"])["gain"]
    assert len(found) == len(set(found.index)) == 91 * 81
    assert found[50.0, 1.0] == pytest.approx(0.0, abs=1e-12)  # the generator itself
    assert found[50.0, -1.0] == pytest.approx(50 / 180)  # its mirror image: the truth between
    np.testing.assert_allclose(found[0.0], 25 / 180)  # the truth: half the way to it
    student = found + 130 / 180
    off = student.index.get_level_values(0).to_numpy() - 130.0
    inside = np.abs(student.index.get_level_values(1)) < 1.0
    assert np.all((student.to_numpy() > 0.5)[inside & (off < 0)])
    assert np.all((student.to_numpy() < 0.5)[inside & (off > 0)])


def test_thresholds():
    found = curves("threshold")
    for (p, separation), line in found.groupby(["error_rate", "separation"]):
        best = line["information"].max()
        assert best <= line["best_information"].iloc[0] == pytest.approx(best, abs=2e-3)
        place = line["threshold"][line["information"].idxmax()]
        assert place == pytest.approx(line["best_threshold"].iloc[0], abs=0.06)
        assert line["unverified"].iloc[0] == pytest.approx(max(0, 1 - 2 * p) ** 2)
        assert line["information"].notna().iloc[-1]
        assert line["information"].notna().iloc[0] == (p < 0.5)

        def squared(t, p=p, gap=separation):
            right, wrong = (1 - p) * np.exp(-0.5 * (t - gap) ** 2), p * np.exp(-0.5 * t**2)
            return (right - wrong) ** 2 / (right + wrong) / np.sqrt(2 * np.pi)

        assert line["soft"].iloc[0] == pytest.approx(quad(squared, -12, 14)[0], abs=1e-8)


def test_costs():
    found = curves("costs")
    for (phi, psi), line in found.groupby(PLAYERS):
        p = line["error_rate"]
        right, wrong = (1 - p) * phi, p * psi
        # at the price a budget of one buys as much with a check as without
        checked = (right - wrong) ** 2 / (right + wrong) / (1 + line["price"] + right + wrong)
        np.testing.assert_allclose(checked, (1 - 2 * p) ** 2 / 2, rtol=1e-9)
        assert line["breakdown_point"].iloc[0] == pytest.approx(phi / (phi + psi))


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match="name"):
        curves("breakdown")
    with pytest.raises(ValueError, match="tier"):
        curves("costs", "slow")


def test_all_are_cheap():
    assert set(SAME) | {"angles", "threshold", "costs"} == set(module._CURVES)
    start = time.process_time()
    for name in module._CURVES:
        curves(name)
    assert time.process_time() - start < 2.0
