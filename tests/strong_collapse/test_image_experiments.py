"""Experiments on images: what their tables hold, and what makes their comparisons paired."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning import datasets
from fragile_learning.images import image_task
from fragile_learning.strong_collapse import image_experiments
from fragile_learning.strong_collapse.image_experiments import IMAGE_EXPERIMENTS, PAPER_SCALE
from fragile_learning.strong_collapse.images import random_feature_mixing
from fragile_learning.sweeps import run_sweep

MIXING, WIDTH, SIGN, NETWORKS = IMAGE_EXPERIMENTS
DIGITS = datasets.load("digits")


def run(one, points):
    return run_sweep(
        one.point, points, seed=one.seed, stream_keys=one.stream_keys, columns=one.columns
    )


def test_names_seeds_and_tiers():
    assert [one.name for one in IMAGE_EXPERIMENTS] == [
        "strong_collapse/image-mixing",
        "strong_collapse/image-width",
        "strong_collapse/image-sign",
        "strong_collapse/two-layer-networks",
    ]
    assert len({one.seed for one in IMAGE_EXPERIMENTS}) == 4
    for one in IMAGE_EXPERIMENTS:
        assert one.tiers == ("quick", "full")
        shipped = "fashion-mnist-mini" if one is SIGN else "digits"
        assert {point["data"] for point in one.points("quick")} == {shipped}
        assert "fashion-mnist" in {point["data"] for point in one.points("full")}


@pytest.mark.parametrize("one", [MIXING, WIDTH])
def test_full_tables_hold_the_quick_ones(one):
    quick = one.points("quick")
    assert one.points("full")[: len(quick)] == quick


def test_widths_stand_at_the_threshold_and_ratios_of_it():
    for point in WIDTH.points("full"):
        (size,) = point["sample_sizes"]
        assert {size // 3, size, 10 * size} <= set(point["widths"])


def test_rows_are_those_of_the_function():
    point = MIXING.points("quick")[0] | {"sample_sizes": [60], "widths": [30, 90]}
    frame = run(MIXING, [point])
    rng = np.random.default_rng(0)
    order = rng.permutation(DIGITS.images.shape[0])
    assert len(frame) == 2 * 4
    assert set(frame["data_used"]) == {"digits"}
    clean = frame[frame["synthetic_fraction"] == 0.0]
    assert clean["error"].to_numpy() == pytest.approx(clean["clean_error"].to_numpy(), rel=1e-12)
    # by hand, with one stream for both
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in point.items()}
    direct = image_experiments.random_features_point(**arguments, rng=np.random.default_rng(0))
    task = image_experiments._task("digits", 447, np.random.default_rng(0))
    assert np.array_equal(task.test_images, DIGITS.images[order[-447:]].reshape(447, 64))
    errors = random_feature_mixing(
        task,
        widths=[30, 90],
        sample_sizes=[60],
        synthetic_fractions=[0.0, 0.2, 0.5, 1.0],
        n_generator_images=40,
        generator_width=1000,
        ridge=1e-4,
        rng=rng,
    )
    assert [row["error"] for row in direct] == errors.mixed.ravel().tolist()
    assert {row["generator_error"] for row in direct} == {errors.generator}


def test_replicates_differ_and_widths_are_paired():
    point = WIDTH.points("quick")[0] | {"widths": [30, 3000]}
    frame = run(WIDTH, [point, point | {"replicate": 1}, point | {"replicate": 1, "ridge": 1e-2}])
    errors = frame.groupby(["replicate", "ridge"])["generator_error"].agg(["min", "max"])
    assert (errors["min"] == errors["max"]).all()
    assert errors["min"].nunique() == 3
    fewer = run(WIDTH, [point | {"synthetic_fractions": [0.3, 1.0]}])
    same = fewer[fewer["synthetic_fraction"] == 0.3]["error"].to_numpy()
    assert same == pytest.approx(frame["error"].to_numpy()[:2], rel=1e-9)


def test_an_official_split_is_kept():
    mini = datasets.load("fashion-mnist-mini")
    task = image_experiments._task("fashion-mnist-mini", 100, np.random.default_rng(0))
    expected = image_task(mini, n_train=mini.n_train, n_test=100)
    assert np.array_equal(task.train_images, expected.train_images)
    assert np.array_equal(task.test_images, expected.test_images)


@pytest.mark.data
def test_a_full_point_on_fashion_mnist():
    if not datasets.available("fashion-mnist"):
        pytest.skip("fashion-mnist is not on this machine")
    point = MIXING.points("full")[-1] | {
        "widths": [1500],
        "generator_width": 1500,
        "sample_sizes": [300, 3000],
        "synthetic_fractions": [0.0, 1.0],
        "n_test": 1000,
    }
    frame = run(MIXING, [point])
    found = frame[frame["n_samples"] == 3000].set_index("synthetic_fraction")
    assert found.loc[0.0, "error"] < 0.45
    # what is taught wholly by a generator is about as good as the generator
    assert found.loc[1.0, "error"] == pytest.approx(found.loc[1.0, "generator_error"], rel=0.1)


# --- networks ---------------------------------------------------------------------------------


def test_grids_of_networks():
    full, paper = NETWORKS.points("full"), PAPER_SCALE
    assert {point["device"] for point in full} == {"cpu"}
    assert {point["device"] for point in paper} == {"cuda"}
    assert {point["width"] for point in paper} == {16, 64, 256, 1024, 4096}
    assert {point["n_samples"] for point in paper} == {300, 1000, 3000, 10_000, 55_000}
    # what was run is a part of it, with the same steps
    smaller = [point | {"device": "cpu"} for point in paper]
    assert all(point in smaller for point in full)
    work = [one["width"] * one["n_steps"] * one["batch_size"] for one in full]
    assert work == sorted(work, reverse=True)


SMALL = {"width": 8, "n_steps": 20, "n_generator_steps": 20, "n_seeds": 2, "n_test": 100}


def test_networks_of_one_seed_are_paired():
    pytest.importorskip("torch")
    point = NETWORKS.points("quick")[0] | SMALL
    frame = run(NETWORKS, [point, point | {"synthetic_fractions": [0.5], "n_samples": 299}])
    whole = frame[frame["n_samples"] == 300]
    assert len(whole) == 2 * 3
    assert whole.groupby("replicate")["generator_error"].nunique().eq(1).all()
    assert whole["error"].nunique() == 6
    # generators and their images do not depend on the sample size
    other = frame[frame["n_samples"] == 299]
    assert other["generator_error"].tolist() == pytest.approx(
        whole["generator_error"].unique().tolist(), rel=1e-5
    )
    with pytest.raises(Exception, match="n_samples must be an integer >= 1 and <= 1637"):
        run(NETWORKS, [point | {"n_samples": 1638}])


def test_trained_networks_learn_and_inherit():
    pytest.importorskip("torch")
    point = NETWORKS.points("quick")[0] | {"width": 64, "n_steps": 200, "n_seeds": 2}
    frame = run(NETWORKS, [point])
    mean = frame.groupby("synthetic_fraction")[["error", "train_error", "generator_error"]].mean()
    assert mean.loc[0.0, "error"] < mean.loc[0.5, "error"] < mean.loc[1.0, "error"]
    assert mean.loc[1.0, "error"] == pytest.approx(mean.loc[1.0, "generator_error"], rel=0.15)
    assert (mean["train_error"] < 0.1 * mean["error"].loc[0.0] + 0.05).all()


def test_training_that_diverges_is_an_error():
    pytest.importorskip("torch")
    point = NETWORKS.points("quick")[0] | SMALL | {"learning_rate": 1e30}
    with pytest.raises(Exception, match="learning_rate must be small enough"):
        run(NETWORKS, [point])
