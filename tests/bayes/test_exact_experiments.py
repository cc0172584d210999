"""Tables whose answers are known: columns, what they hold, and the functions that draw them."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from fragile_learning.bayes import exact_problems, theory
from fragile_learning.bayes.exact_experiments import (
    CLAIMED_SETTINGS,
    ENTROPY_CASES,
    EXACT_EXPERIMENTS,
    WITHOUT_ACCEPTANCE,
)
from fragile_learning.statistics import z_bound
from fragile_learning.sweeps import run_sweep

FALSE_ALARM = 1e-7
BY_NAME = {one.name.partition("/")[2]: one for one in EXACT_EXPERIMENTS}
FREE = {"gaussian-linear", "gaussian-corners"}  # of torch

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
NAMES = [name if name in FREE else pytest.param(name, marks=needs_torch) for name in BY_NAME]

SMALL = {
    "n_replicates": 30,
    "n_chains": 8,
    "n_draws": 5,
    "n_problems": 20,
    "n_steps": 3,
    "n_epochs": 40,
}


def small(name, **changes):
    """Few draws of the first points of a table."""
    one = BY_NAME[name]
    points = [
        point | {key: value for key, value in SMALL.items() if key in point} | changes
        for point in one.points("quick")
    ]
    return run_sweep(one.point, points, seed=1, columns=one.columns, stream_keys=one.stream_keys)


def test_the_list():
    assert all(one.name.startswith("bayes/") for one in EXACT_EXPERIMENTS)
    assert len({one.seed for one in EXACT_EXPERIMENTS}) == len(EXACT_EXPERIMENTS)
    for name, one in BY_NAME.items():
        assert one.tiers == ("quick", "full")
        assert (one.requires == ()) == (name in FREE)
        quick, full = one.points("quick"), one.points("full")
        assert len(full) >= len(quick)
        for size in ("n_replicates", "n_chains", "n_draws", "n_problems", "n_epochs"):
            if size in quick[-1] and name != "selective-areas":
                assert full[-1][size] > quick[-1][size]


def test_importing_needs_no_torch():
    code = (
        "import json, sys, fragile_learning.bayes.exact_experiments, "
        "fragile_learning.bayes.exact_claims; print(json.dumps('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False


@pytest.mark.parametrize("name", NAMES)
def test_columns_and_finite_numbers(name):
    one, frame = BY_NAME[name], small(name)
    assert list(frame.columns) == [*one.points("quick")[0], *one.columns]
    numbers = frame.drop(columns=list(one.nullable)).select_dtypes("number")
    assert np.isfinite(numbers.to_numpy(float)).all()


def test_tables_are_reproducible():
    assert small("gaussian-linear").equals(small("gaussian-linear"))


# --- problems -------------------------------------------------------------------------------------


def test_problems_are_those_of_their_seeds():
    x, y, noise, prior = exact_problems.regression_problem()
    assert (x.shape, y.shape, noise, prior) == ((40, 5), (40,), 0.25, 1.0)
    raw = np.random.default_rng(1).standard_normal((40, 5))
    np.testing.assert_allclose(x[:, 1], 0.8 * raw[:, 0] + 0.6 * raw[:, 1], atol=1e-15)
    np.testing.assert_allclose(x[:, 3:], raw[:, 3:] * [0.3, 2.0], atol=1e-15)
    assert np.std(y - x @ [1, -1, 0.5, 2, 0]) == pytest.approx(0.5, abs=0.15)
    many, two = exact_problems.softmax_problem(), exact_problems.binary_problem()
    assert ((many.inputs @ many.weights.T + many.bias).argmax(1) == many.labels).all()
    assert (two.labels * (two.inputs @ two.weights + two.bias) > 0).all()
    assert two.inputs.min() >= 0.3
    assert two.inputs.max() <= 0.7
    for function in (exact_problems.softmax_problem, exact_problems.logistic_problem):
        for one, other in zip(function(), function(), strict=True):
            np.testing.assert_array_equal(one, other)


# --- what the tables hold -------------------------------------------------------------------------


@needs_torch
def test_posterior_rows_are_exact_values_and_errors_of_chains():
    frame = small("exact-posteriors")
    assert set(frame["sampler"]) == {"HMC", WITHOUT_ACCEPTANCE}
    exact = frame.groupby(["problem", "quantity"])["exact"].agg(["min", "max"])
    assert (exact["min"] == exact["max"]).all()
    exact = exact["min"]
    assert exact["logistic", "predictive at (1, 1)"] == pytest.approx(0.664753, abs=1e-6)
    parts = [
        exact["logistic", f"{part} at (1, 1)"] for part in ("total entropy", "expected entropy")
    ]
    assert parts == pytest.approx([0.637833, 0.589025], abs=1e-6)
    assert exact["logistic", "mutual information at (1, 1)"] == pytest.approx(parts[0] - parts[1])
    assert exact["linear", "sd of weight 0"] == pytest.approx(0.1504, abs=5e-5)
    tails = [exact["linear", f"{level} % quantile of weight 0"] for level in (5, 95)]
    mean, std = exact["linear", "mean of weight 0"], exact["linear", "sd of weight 0"]
    assert tails == pytest.approx([mean - 1.644854 * std, mean + 1.644854 * std], abs=1e-6)
    assert (frame["standard_error"] > 0).all()


@needs_torch
@pytest.mark.parametrize("problem", ["linear", "logistic"])
def test_errors_of_estimates_are_honest(problem):
    """Scores over independent tables are standard normal: neither too small nor too large."""

    def spreads(sampler, count):
        point = BY_NAME["exact-posteriors"].points("quick")
        point = next(p for p in point if p["problem"] == problem and p["sampler"] == sampler)
        points = [point | {"n_chains": 64, "n_draws": 10 + i} for i in range(count)]
        frame = run_sweep(BY_NAME["exact-posteriors"].point, points, seed=3)
        z = (frame["estimate"] - frame["exact"]) / frame["standard_error"]
        return z.groupby(frame["quantity"]).apply(lambda part: float(np.sqrt((part**2).mean())))

    # root mean square of 12 normal scores: outside with probability 1e-8, for each of 13 quantities
    found = spreads("HMC", 12)
    assert found.between(0.15, 2.4).all(), found
    assert spreads(WITHOUT_ACCEPTANCE, 3).max() > 2.4


@needs_torch
def test_draws_of_the_logistic_regression():
    frame = BY_NAME["logistic-draws"].run("quick")
    assert frame["draw"].tolist() == list(range(400))
    problem = exact_problems.logistic_problem()
    law = theory.logistic_posterior(problem.inputs, problem.labels, prior_variance=4.0)
    pairs = frame[["weight_0", "weight_1"]].to_numpy()
    z = (pairs.mean(axis=0) - law.mean) / (law.stds / 20)
    assert np.abs(z).max() < z_bound(FALSE_ALARM, 3)
    correlation = law.covariance[0, 1] / law.stds.prod()
    found = np.corrcoef(pairs.T)[0, 1]
    error = (1 - correlation**2) / 20
    assert abs(found - correlation) < z_bound(FALSE_ALARM, 3) * error


@needs_torch
def test_leapfrog_rows():
    frame = small("leapfrog", n_steps=3)
    assert (frame["mean_error_exact"] > 0).all()
    seen = BY_NAME["leapfrog"].points("quick")
    assert {(p["step_size"], p["n_steps"], p["n_dimensions"]) for p in seen} >= set(
        CLAIMED_SETTINGS
    )
    row = run_sweep(BY_NAME["leapfrog"].point, [seen[1]], seed=1).iloc[0]
    assert row["acceptance_exact"] == pytest.approx(0.58236, abs=1e-5)
    assert row["acceptance_normal"] == pytest.approx(0.57615, abs=1e-5)
    bound = z_bound(FALSE_ALARM, 2)
    assert abs(row["acceptance"] - row["acceptance_exact"]) < bound * row["acceptance_se"]
    assert abs(row["mean_error"] - 0.625) < bound * row["mean_error_se"]


@needs_torch
def test_batches_of_trajectories_are_all_there(monkeypatch):
    from fragile_learning.bayes import exact_models

    settings = {"step_size": 0.8, "n_steps": 2, "n_dimensions": 5, "n": 25}
    monkeypatch.setattr(exact_models, "_BATCH", 10)
    found = exact_models.leapfrog_trajectories(**settings, rng=1)
    assert found.energy_errors.shape == found.acceptance.shape == (25,)
    assert len(set(found.energy_errors.tolist())) == 25
    np.testing.assert_allclose(found.acceptance, np.exp(np.minimum(0.0, -found.energy_errors)))


def test_entropies_by_hand_are_those_of_the_theory():
    for logits, exact in ENTROPY_CASES.values():
        shifted = np.array(logits) - np.max(logits, axis=1, keepdims=True)
        p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
        found = [float(part[0]) for part in theory.member_entropies(p[:, None])]
        assert found == pytest.approx(exact, abs=1e-14)
        assert exact[0] == pytest.approx(exact[1] + exact[2], abs=1e-15)


@needs_torch
def test_gradient_rows():
    frame = small("predictive-gradient")
    assert frame["largest_relative_difference"].max() < 1e-12
    single = frame["n_samples"] == 1  # the mean of one loss is that of the mean
    assert frame.loc[single, "mean_loss_difference"].max() < 1e-12
    assert frame.loc[~single, "mean_loss_difference"].min() > 0.01


@needs_torch
def test_attack_rows():
    frame = BY_NAME["linear-attacks"].run("quick")
    value = frame.set_index(["problem", "radius", "attack"]).sort_index()["value"]
    exact = [value["softmax", radius, "exact"] for radius in (0.01, 0.05, 0.1)]
    assert exact == [0.845, 0.3925, 0.0925]
    targeted = [value["softmax", radius, "targeted"] for radius in (0.01, 0.05, 0.1)]
    assert targeted == pytest.approx(exact, abs=1e-12)
    single = [value["softmax", radius, "FGSM"] for radius in (0.01, 0.05, 0.1)]
    assert single == pytest.approx([0.86, 0.425, 0.1225], abs=1e-12)
    for radius, loss in ((0.05, 1.02201), (0.2, 3.90736)):
        assert value["binary", radius].to_numpy() == pytest.approx([loss] * 5, abs=1e-5)
    # ascent on the cross-entropy depends on its start: two inputs of 400 either way
    label = [value["softmax", radius, "label"] for radius in (0.01, 0.05, 0.1)]
    assert label == pytest.approx([0.8625, 0.42, 0.11], abs=0.0051)


def test_shares_of_the_optimal_shift():
    frame = small("gaussian-linear", n_replicates=400)
    logit = frame[frame["gradients"] == "logit"]
    means, std = exact_problems.gaussian_weights()
    for row in logit.itertuples():
        exact = theory.optimal_shift_fraction(means, row.spread * std, row.n_samples)
        assert row.fraction_exact == exact
        assert abs(row.fraction - exact) < z_bound(FALSE_ALARM, 12) * row.fraction_se + 1e-3
    others = frame[frame["gradients"] != "logit"]
    assert others["fraction_exact"].isna().all()
    at = others[(others["spread"] == 1.0) & (others["n_samples"] == 16)].set_index("gradients")
    assert at["fraction"].to_dict() == pytest.approx(
        {"member losses": 0.529, "predictive": 0.535}, abs=0.04
    )


def test_loss_gradients_by_differences():
    """The simulation's pulls are the slopes of the losses that it names."""
    rng = np.random.default_rng(1)
    weights, x = rng.standard_normal((3, 4)), rng.standard_normal(4)

    def member(x):
        return np.mean(np.logaddexp(0, -weights @ x))

    def predictive(x):
        return -np.log(np.mean(1 / (1 + np.exp(-weights @ x))))

    logits = weights @ x
    down = 1 / (1 + np.exp(logits))
    for loss, sizes in ((member, down), (predictive, down * (1 - down))):
        slope = [(loss(x + h) - loss(x - h)) / 2e-6 for h in 1e-6 * np.eye(4)]
        pull = sizes @ weights
        np.testing.assert_allclose(
            -np.array(slope) / np.linalg.norm(slope), pull / np.linalg.norm(pull), atol=1e-6
        )


def test_corners_share_their_problems():
    frame = small("gaussian-corners", n_problems=200)
    assert frame["flipped_by_signs"].nunique() == 1
    assert (frame["disagreements"] == 0).all()
    assert frame["better_corner"].iloc[0] == 0  # without spread: the same corner
    assert (frame["better_corner"].iloc[1:] > 0).all()
    assert frame["flipped_by_any"].tolist() == frame["flipped_by_signs"].tolist()


@needs_torch
def test_area_rows():
    frame = BY_NAME["selective-areas"].run("quick").set_index("ranking")
    toys = frame["area"].filter(like="toy")
    assert toys.to_dict() == pytest.approx(
        {
            "toy": 0.819494,
            "toy, all tied": 0.625,
            "toy, percentiles": 84.4958,
            "toy, percentiles, all right": 99.9,
        },
        abs=5e-5,
    )
    half = frame[frame["share"] == 0.5]
    log = math.log(2)
    assert half.loc["perfect", "area_exact"].to_numpy() == pytest.approx([0.5 + 0.5 * log] * 2)
    assert half.loc["worst", "area_exact"].to_numpy() == pytest.approx([0.5 - 0.5 * log] * 2)
    assert (frame.loc["useless", "area_se"] > 0).all()


@needs_torch
def test_mean_field_rows():
    frame = small("mean-field")
    searched = frame[frame["method"] == "search"].set_index("quantity")
    assert searched["trained"].to_numpy() == pytest.approx(searched["exact"].to_numpy(), abs=1e-5)
    numbers = {
        "gap": 0.7853,
        "evidence lower bound": -38.0029,
        "sd of weight 0": 0.0813,
        "divergence of functions at 5 points": 12.48,
        "divergence of functions at 3 points": 8.0551,
    }
    for column in ("exact", "trained"):
        assert searched.loc[list(numbers), column].to_dict() == pytest.approx(numbers, abs=6e-5)
    trained = frame[frame["method"] == "training"].set_index("quantity")["trained"]
    assert trained["gap"] > 0.7854  # 40 steps are not enough
