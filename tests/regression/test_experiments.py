"""Experiments: what their tables hold, and that the archive is theirs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fragile_learning.regression import Chain, experiments, simulation, theory
from fragile_learning.regression.experiments import EXPERIMENTS, experiment
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import point_stream, run_sweep
from fragile_learning.tables import archive_path, read_table

NAMES = [one.name.partition("/")[2] for one in EXPERIMENTS]
CHEAP = {
    "effective-ridge",
    "generator-variance",
    "optimal-ridge",
    "generator-scaling",
    "sharp-constants",
}


def small(name):
    """One point of the quick grid (the full one where there is no other), few replicates."""
    one = experiment(name)
    point = one.points(one.tiers[0])[0]
    for key, value in {
        "n_replicates": 3,
        "n_epochs": 1,
        "n_train": 150,
        "n_test": 60,
        "n_pool": 300,
        "data": "digits",
    }.items():
        if key in point:
            point[key] = value
    if name == "optimal-scaling":
        point |= {"log10_low": 2.0, "log10_high": 3.0}
    return one, point


@pytest.mark.parametrize("name", NAMES)
def test_a_point_gives_the_promised_columns(name):
    one, point = small(name)
    frame = run_sweep(one.point, [point], seed=1, columns=one.columns)
    assert len(frame) >= 1
    numbers = frame.select_dtypes("number").drop(columns=list(one.nullable), errors="ignore")
    assert np.isfinite(numbers.to_numpy(float)).all()
    assert set(one.nullable) <= set(frame.columns)


def test_every_experiment_has_its_own_seed_and_name():
    assert len({one.seed for one in EXPERIMENTS}) == len(EXPERIMENTS)
    assert len({one.name for one in EXPERIMENTS}) == len(EXPERIMENTS)
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("no-such-table")


def test_a_row_holds_theory_and_simulation_of_its_chain():
    point = experiment("ridge-sweep").points("quick")[7] | {"n_replicates": 4}
    rng = np.random.default_rng(point_stream(1, point))
    row = experiments.repeated_chain_point(**point, rng=rng)
    setting = {key: value for key, value in point.items() if key != "n_replicates"}
    chain = experiments.repeated_chain(**setting)
    assert isinstance(chain, Chain)
    predicted = theory.excess_risk(chain)
    rng = np.random.default_rng(point_stream(1, point))
    drawn = simulation.simulate_excess_risk(chain, 4, rng=rng)
    for part in ("bias", "variance", "generator_noise", "total"):
        assert row[f"theory_{part}"] == getattr(predicted, part)
        mean, error = mean_and_standard_error(getattr(drawn, part))
        assert (row[f"mean_{part}"], row[f"se_{part}"]) == (float(mean), float(error))
    assert row["scale"] == theory.finite_size_scale(chain)


def test_repeated_chain_by_hand():
    chain = experiments.repeated_chain(
        n_features=4,
        exponent=2.0,
        source_exponent=0.5,
        n_generations=2,
        n_generator_samples=9,
        generator_noise_std=0.5,
        shared_design=True,
        n_samples=7,
        ridge=0.1,
        noise_std=0.3,
    )
    assert chain.spectrum.eigenvalues == pytest.approx([1, 1 / 4, 1 / 9, 1 / 16])
    assert chain.target == pytest.approx([1, 2**-0.5, 3**-0.5, 0.5])
    assert [stage.n_samples for stage in chain.stages] == [9, 9, 7]
    assert chain.shared_design
    assert (chain.student.ridge, chain.student.noise_std) == (0.1, 0.3)


@pytest.mark.parametrize("name", experiments.CHAIN_NAMES)
def test_named_chains(name):
    chain = experiments.named_chain(name)
    assert np.isfinite(theory.excess_risk(chain).total)
    if "clean" in name:
        assert chain.n_generations == 0
    assert chain.shared_design == ("shared" in name)
    if name.startswith("counterexample"):
        assert chain.signal == pytest.approx(1.0)


@pytest.mark.parametrize(
    "name",
    ["ridge-sweep", "sample-sweep", "power-law-ridge", "power-law-samples", "over-parametrised"],
)
def test_curves_pass_through_the_predictions_of_the_table(name):
    points = [p | {"n_replicates": 2} for p in experiment(name).points("quick")]
    curves = experiments.risk_curves(name, n_points=400)
    axis = "ridge" if "ridge" in name or name == "over-parametrised" else "n_samples"
    ell = 0.8
    for point in points[:: max(1, len(points) // 8)]:
        if point["ridge"] == 0.0:
            continue
        setting = {key: value for key, value in point.items() if key != "n_replicates"}
        expected = theory.excess_risk(experiments.repeated_chain(**setting)).total
        chosen = (curves["n_generations"] == point["n_generations"]) & (
            curves["shared_design"] == point["shared_design"]
        )
        if name == "power-law-samples":
            own = np.isclose(point["ridge"], point["n_samples"] ** -ell)
            chosen &= curves["policy"] == ("critical" if own else "fixed")
        line = curves[chosen].sort_values(axis)
        found = np.interp(np.log(point[axis]), np.log(line[axis]), np.log(line["theory_total"]))
        assert np.exp(found) == pytest.approx(expected, rel=0.02)


def test_curves_of_something_else_are_refused():
    with pytest.raises(ValueError, match="name must be one of"):
        experiments.risk_curves("chains")
    with pytest.raises(ValueError, match="n_points must be"):
        experiments.risk_curves("ridge-sweep", n_points=1)


def test_shared_designs_are_the_same_at_every_length():
    one = experiment("over-parametrised")
    points = [
        p | {"n_replicates": 3}
        for p in one.points("quick")
        if p["shared_design"] and p["ridge"] == 0.0 and p["n_generations"] in (1, 10)
    ]
    frame = run_sweep(one.point, points, seed=one.seed, stream_keys=one.stream_keys)
    assert len(frame) == 2
    assert frame["mean_bias"].iloc[0] == pytest.approx(frame["mean_bias"].iloc[1], rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_archive_belongs_to_the_present_configuration(name):
    one = experiment(name)
    frame, manifest = read_table(archive_path("full", one.name))
    assert not one.is_stale(manifest, "full")
    assert manifest.nullable == one.nullable
    assert one.is_stale(dataclasses.replace(manifest, seed=manifest.seed + 1), "full")
    keys = [k for k, v in one.points("full")[0].items() if not isinstance(v, list)]
    points = pd.DataFrame(one.points("full"))[keys]
    assert len(frame.drop_duplicates(keys)) == len(points.drop_duplicates())


@pytest.mark.parametrize("name", sorted(CHEAP))
def test_the_archive_is_what_the_code_computes(name):
    computed, archived = experiment(name).run("full"), experiments.archived(name)
    pd.testing.assert_frame_equal(computed, archived, rtol=1e-6, atol=1e-12, check_dtype=False)


def test_a_point_of_an_archived_simulation_is_what_the_code_computes():
    one = experiment("null-predictor")
    archived = experiments.archived("null-predictor").iloc[[2]]
    computed = run_sweep(one.point, [one.points("full")[2]], seed=one.seed, columns=one.columns)
    for column in ("mean_total", "se_total", "theory_total"):
        assert computed[column].iloc[0] == pytest.approx(archived[column].iloc[0], rel=1e-9)
