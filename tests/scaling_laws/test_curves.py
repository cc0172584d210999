"""The lines of the figures go through what the experiments compute at their own points."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from fragile_learning.scaling_laws import curves as module
from fragile_learning.scaling_laws.curves import curves
from fragile_learning.scaling_laws.experiments import archived, experiment

# experiment: keys of a line, swept axis, columns of both (line, table)
SAME = {
    "cut": (["rank"], "n_samples", [("exact", "exact"), ("clean", "clean"), ("floor", "floor")]),
    "narrow": (["narrowed_exponent"], "n_samples", [("exact", "exact")]),
    "mix": (["real_fraction"], "n_samples", [("exact", "exact"), ("clean", "clean")]),
    "tail-acquisition": (
        ["n_tail_from"],
        "n_samples",
        [("exact", "exact"), ("plain", "plain"), ("floor", "floor")],
    ),
    "memory": (["capacity", "rank"], "n_samples", [("theory", "theory")]),
    "regular-real": (["tail_exponent", "n_samples"], "real_fraction", [("error", "law")]),
}


# the part of an experiment that its figure shows
SHOWN = {
    "cut": {"tail_exponent": 1.5},
    "narrow": {"tail_exponent": 1.5},
    "mix": {"tail_exponent": 1.5, "rank": 100},
}


def simulated(name, tier):
    """Rows of an experiment with replicates; in the quick tier with two, for theory needs none."""
    if tier == "full":
        table = archived(name)
        return table[table["n_replicates"] > 0]
    one = experiment(name)
    rng = np.random.default_rng(1)
    points = [point for point in one.points(tier) if point["n_replicates"]]
    rows = [point | one.point(**(point | {"n_replicates": 2}), rng=rng) for point in points]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("tier", ["quick", "full"])
def test_lines_go_through_the_points(name, tier):
    keys, axis, columns = SAME[name]
    table = simulated(name, tier)
    for key, value in SHOWN.get(name, {}).items():
        table = table[table[key] == value]
    found = curves(name, tier)
    assert len(table)
    for place, points in table.groupby(keys):
        line = found
        for key, value in zip(keys, place, strict=True):
            line = line[line[key] == value]
        assert line[axis].is_monotonic_increasing
        assert len(line) > 45
        x = np.log(line[axis])
        assert x.min() <= np.log(points[axis].min())
        assert x.max() >= np.log(points[axis].max())
        for ours, theirs in columns:
            between = np.exp(np.interp(np.log(points[axis]), x, np.log(line[ours].clip(1e-99))))
            np.testing.assert_allclose(
                between, points[theirs].clip(1e-99), rtol=4e-3, err_msg=f"{place} {ours}"
            )


def test_every_curve_is_checked_and_all_are_cheap():
    assert set(SAME) == set(module._CURVES)
    start = time.process_time()
    for name in SAME:
        curves(name)
    assert time.process_time() - start < 2.0


def test_marked_places_are_where_laws_meet():
    cut = curves("cut").groupby("rank").first()
    np.testing.assert_allclose(cut["crossover"], 1.8602 * cut.index**1.5, rtol=1e-4)
    mix = curves("mix").groupby("real_fraction").first()
    np.testing.assert_allclose(mix["start"], cut.loc[100, "crossover"])
    np.testing.assert_allclose(mix["end"] * mix.index, mix["start"])
    for share, line in curves("mix").groupby("real_fraction"):
        at_end = np.interp(np.log(line["end"]), np.log(line["n_samples"]), line["exact"])
        np.testing.assert_allclose(line["error_at_end"], at_end, rtol=5e-3)
        late = line[line["n_samples"] > 3e3 * mix.loc[share, "end"] ** 0.9]
        np.testing.assert_allclose(late["exact"], late["late"], rtol=0.02)


def test_stationary_worth_solves_its_balance():
    """Copies of a real sample are lost like those of a branching process that is fed."""
    one = curves("regular-real").query("tail_exponent == 1.5")
    shares, worth = one["real_fraction"].to_numpy(), one["stationary"].to_numpy()
    survival, total = np.ones(shares.size), np.zeros(shares.size)
    for _ in range(3000):  # enough for shares of a hundredth
        total += survival
        survival = 1.0 - np.exp(-(1.0 - shares) * survival)
    enough = shares > 0.01
    np.testing.assert_allclose(worth[enough], (shares * total)[enough], rtol=1e-9)
    law = one["stationary_law"].to_numpy()
    few = shares < 2e-3
    np.testing.assert_allclose(law[few], worth[few], rtol=3e-3)
    assert np.isnan(law[shares > 0.11]).all()  # not drawn where it is meaningless


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="name must be one of"):
        curves("growth")
