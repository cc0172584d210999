"""Experiments: what their tables hold, and that law and simulation stand side by side."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.debate import experiments, simulation, theory
from fragile_learning.debate.experiments import EXPERIMENTS, experiment
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import point_stream, run_sweep

NAMES = [one.name.partition("/")[2] for one in EXPERIMENTS]


@pytest.mark.parametrize("name", NAMES)
def test_points_give_the_promised_columns(name):
    one = experiment(name)
    points = [one.points("quick")[0], one.points("quick")[-1]]
    for point in points:
        if "n_replicates" in point:
            point["n_replicates"] = 4
    frame = run_sweep(one.point, points, seed=1, columns=one.columns)
    numbers = frame.select_dtypes("number").drop(columns=list(one.nullable), errors="ignore")
    assert not np.isnan(numbers.to_numpy(float)).any()
    assert set(one.nullable) <= set(frame.columns)


def test_every_experiment_has_its_own_seed_and_name():
    assert len({one.seed for one in EXPERIMENTS}) == len(EXPERIMENTS)
    assert len(set(NAMES)) == len(EXPERIMENTS)
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("no-such-table")


@pytest.mark.parametrize("workflow", theory.WORKFLOWS)
def test_a_row_holds_the_law_and_the_simulation_of_its_workflow(workflow):
    point = {
        "workflow": workflow,
        "n_samples": 9,
        "n_features": 2,
        "n_generations": 4,
        "n_replicates": 6,
    }
    rows = experiments.workflow_point(**point, rng=np.random.default_rng(point_stream(1, point)))
    loop, weight = {
        "real kept, pooled": ("real kept", 0.5),
        "real fresh, pooled": ("real fresh", 0.5),
        "real fresh, best weight": ("real fresh", 2 / (1 + np.sqrt(5))),
        "real fresh, alone": ("real fresh", 1.0),
    }.get(workflow, (workflow, 1.0))
    drawn = simulation.simulate_least_squares(
        loop,
        4,
        n_samples=9,
        n_features=2,
        n_replicates=6,
        weight=weight,
        rng=np.random.default_rng(point_stream(1, point)),
    )
    mean, error = mean_and_standard_error(drawn * (9 - 2 - 1) / 2)
    law = theory.workflow_error(workflow, 4, n_samples=9, n_features=2)
    for t, row in enumerate(rows):
        assert row["generation"] == t + 1
        assert row["law"] == law[t]
        assert row["mean"] == pytest.approx(mean[t], rel=1e-12)
        assert row["se"] == pytest.approx(error[t], rel=1e-12)
        assert row["scale"] == (0.0 if workflow in theory.EXACT_WORKFLOWS else 3 / 9)


def test_the_error_of_a_ratio_is_that_of_repeated_runs():
    """The standard error of logistic regression's ratio against the scatter of runs."""
    point = {"workflow": "accumulate", "n_samples": 60, "n_generations": 3, "n_replicates": 100}
    runs = [
        experiments.logistic_point(**point, rng=np.random.default_rng(seed))[-1]
        for seed in range(60)
    ]
    scatter = np.std([row["ratio"] for row in runs], ddof=1)
    assert np.mean([row["se"] for row in runs]) == pytest.approx(scatter, rel=0.35)


def test_retraining_compares_two_computations():
    row = experiments.retraining_point(
        model="student", synthetic_ratio=2.0, rng=np.random.default_rng(1)
    )
    assert row["slope"] == pytest.approx(row["law"], rel=1e-5)
    assert row["information_ratio"] == pytest.approx(0.8775, abs=1e-3)


def test_families_start_where_their_variance_says():
    for family, (mean, variance, curvature) in experiments.FAMILY_START.items():
        quadratic = {
            "normal": 1.0,
            "poisson": mean,
            "exponential": mean**2,
            "bernoulli": mean * (1 - mean),
        }[family]
        assert variance == pytest.approx(quadratic, rel=1e-12)
        second = {"normal": 0, "poisson": 0, "exponential": 1, "bernoulli": -1}[family]
        assert curvature == second
