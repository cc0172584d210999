"""The experiments on trained networks: columns, shared streams, and rows that mean what they say.

Sizes here are tiny and show the machinery; the numbers of the claims are those of the tiers.
"""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest

from fragile_learning.distillation import trained_experiments
from fragile_learning.distillation.trained_experiments import (
    GPU_SIZE,
    TRAINED_EXPERIMENTS,
    boost_point,
    convnet_point,
    derivatives_point,
    methods_point,
    norms_point,
    selection_point,
    subsets_point,
    transfer_point,
    variance_point,
)
from fragile_learning.sweeps import run_sweep

BY_NAME = {one.name.partition("/")[2]: one for one in TRAINED_EXPERIMENTS}
pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")

SIZES = {
    "n_steps": 8,
    "window": 3,
    "learning_rate": 0.02,
    "outer_rate": 0.05,
    "n_networks": 2,
    "outer_batch": 64,
}


def sweep(point, *points, name=None):
    """A table with the stream keys of the real one."""
    keys = BY_NAME[name].stream_keys if name else ("replicate",)
    return run_sweep(point, points, seed=5, stream_keys=keys)


def method(name, repair="none", **changes):
    point = {"data": "digits", "method": name, "repair": repair, "replicate": 0, "budget": 320.0}
    return {**point, "n_test": 100, "n_images": 10, "n_evaluated": 3, **SIZES, **changes}


@pytest.fixture(scope="module")
def methods():
    return sweep(
        methods_point,
        *(method(name) for name in ("random real", "class means", "herding", "k-centre")),
        *(method(name) for name in ("BPTT", "RaT-BPTT")),
        method("BPTT", "skip first"),
    )


def test_methods_have_one_budget(methods):
    assert tuple(methods.columns[-4:]) == BY_NAME["methods"].columns
    real, rules = methods[:4], methods[4:]
    assert (real[["outer_steps", "units"]].to_numpy() == 0).all()
    assert real["norm_ratio"].isna().all()
    dearest = 3 * 8 + 6.4
    assert (rules["units"] <= 320.0).all()
    assert (rules["units"] > 320.0 - dearest).all()
    assert rules["outer_steps"].iloc[0] == int(320.0 // dearest)
    assert rules["outer_steps"].iloc[1] > rules["outer_steps"].iloc[0]
    assert (rules["norm_ratio"] >= 1.0).all()
    assert methods["accuracy"].between(0.1, 1.0).all()


def test_norms_are_those_of_the_methods(methods):
    frame = sweep(
        norms_point,
        {
            "replicate": 0,
            "rule": "BPTT",
            "repair": "none",
            "budget": 3000.0,
            "outer_rate": 0.05,
            "n_networks": 2,
            "n_test": 100,
        },
    )
    sizes = trained_experiments._DIGITS
    same = sweep(
        methods_point,
        method("BPTT", budget=3000.0, **{**sizes, "outer_rate": 0.05, "n_networks": 2}),
    )
    norms = frame["norm"]
    assert norms.max() / norms.median() == same["norm_ratio"].iloc[0]
    assert frame["outer_step"].tolist() == list(range(1, int(3000 // 145.6) + 1))


def test_points_do_not_depend_on_their_neighbours(methods):
    alone = sweep(methods_point, method("BPTT", "skip first"))
    assert alone["accuracy"].iloc[0] == methods["accuracy"].iloc[-1]
    other = sweep(methods_point, method("BPTT", "skip first", replicate=1))
    assert other["accuracy"].iloc[0] != alone["accuracy"].iloc[0]


def test_derivatives():
    point = {"replicate": 0, "optimiser": "Adam", "n_steps": 3, "windows": [1, 3]}
    frame = sweep(derivatives_point, point, name="derivatives")
    assert frame["window"].tolist() == [1] * 5 + [3] * 5
    assert frame["difference"].max() < 1e-6
    with pytest.raises(Exception, match="optimiser must be one of 'SGD'"):
        sweep(derivatives_point, {**point, "optimiser": "adam"}, name="derivatives")


def variance(**changes):
    return {
        "network": "MLP",
        "optimiser": "Adam",
        "eps": 1e-8,
        "data": "distilled",
        "block": 0,
        "n_networks": 6,
        "windows": [4, 5],
        "n_steps": 5,
        "learning_rate": 0.02,
        "set_units": 300.0,
        "set_seed": 1,
        **changes,
    }


def test_blocks_share_the_set_and_differ_in_networks():
    trained_experiments._shared_set.cache_clear()
    frame = sweep(
        variance_point,
        variance(),
        variance(block=1),
        variance(data="real"),
        variance(optimiser="SGD", learning_rate=0.5),
        name="variance",
    )
    assert trained_experiments._shared_set.cache_info().misses == 1
    assert frame["window"].tolist() == [4, 5] * 4
    assert frame["variance"].nunique() == 8
    assert (frame["variance"] > 0.0).all()
    with pytest.raises(Exception, match="data must be one of 'distilled', 'real', got 'noise'"):
        sweep(variance_point, variance(data="noise"), name="variance")


def test_subsets():
    point = {"replicate": 0, "whole": 3, "sizes": [1, 2], "n_draws": 2, "budget": 300.0}
    point |= {"outer_rate": 0.05, "n_networks": 2, "n_test": 100, "n_evaluated": 2}
    frame = sweep(subsets_point, point)
    counts = frame.groupby(["kind", "n_per_class"]).size().to_dict()
    assert counts == {
        ("distilled", 1): 1,
        ("distilled", 2): 1,
        ("distilled", 3): 1,
        ("random real", 1): 2,
        ("random real", 2): 2,
        ("subset", 1): 2,
        ("subset", 2): 2,
    }
    assert frame["accuracy"].between(0.1, 1.0).all()


def test_blocks_that_are_held_fast_are_the_sets_of_their_stages():
    point = {"replicate": 0, "block_rates": [0.0, 1.0], "blocks": [1, 1], "budget": 900.0}
    point |= {"outer_rate": 0.05, "n_networks": 2, "n_test": 100, "n_evaluated": 2}
    frame = sweep(boost_point, point)
    fast = frame[frame["block_rate"] == 0.0].set_index("n_per_class")
    assert fast.loc[1, "accuracy"] == fast.loc[1, "direct"]
    plain = frame[frame["block_rate"] == 1.0].set_index("n_per_class")
    assert plain.loc[1, "accuracy"] != plain.loc[1, "direct"]
    assert plain["direct"].equals(fast["direct"])


def test_a_choice_is_the_best_where_it_was_made():
    point = {"replicate": 0, "n_checkpoints": 3, "lengths": [5, 20], "budget": 600.0}
    point |= {"outer_rate": 0.05, "n_networks": 2, "n_held_out": 150, "n_evaluated": 2}
    frame = sweep(selection_point, point).set_index("chosen_on")
    assert (frame["accuracy_seen"] >= frame["mean_seen"]).all()
    assert frame["n_candidates"].tolist() == [6, 6]
    assert frame["mean_fresh"].nunique() == 1


def transfer(**changes):
    point = {"replicate": 0, "data": "digits", "source": "MLP", "budget": 300.0}
    point |= {"targets": ["MLP", "ConvNet"], "rates": [0.02, 0.01], "lengths": [4, 8]}
    return {**point, "n_validation": 50, "n_test": 50, "n_evaluated": 1, **SIZES, **changes}


def test_transfer():
    frame = sweep(transfer_point, transfer())
    assert frame["target"].tolist() == ["MLP", "ConvNet"]
    assert frame[["accuracy", "random_real"]].to_numpy().min() > 0.1
    with pytest.raises(Exception, match="rates must have one entry a target, 2, got 1"):
        sweep(transfer_point, transfer(rates=[0.02]))


def test_convnets():
    point = {"replicate": 0, "rule": "RaT-BPTT", "repair": "none", "n_per_class": 1}
    point |= {"data": "digits", "budget": 60.0, "n_test": 50, "width": 4, "n_evaluated": 1}
    frame = sweep(convnet_point, {**point, **SIZES}, {**point, **SIZES, "rule": "random real"})
    assert frame["accuracy"].between(0.0, 1.0).all()
    assert frame["accuracy"].nunique() == 2


def test_torch_gets_its_threads_back(monkeypatch):
    torch = importlib.import_module("torch")
    seen = []

    def stop(*arguments, **sizes):
        seen.append(torch.get_num_threads())
        raise RuntimeError("stop")

    monkeypatch.setattr(trained_experiments, "_run", stop)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(Exception, match="stop"):
            sweep(methods_point, method("BPTT"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1]


# --- tiers ------------------------------------------------------------------------------------


def test_tiers_and_columns():
    assert list(BY_NAME) == [
        "derivatives",
        "methods",
        "norms",
        "variance",
        "subsets",
        "boost",
        "selection",
        "transfer",
        "convnet",
    ]
    assert all(one.tiers == ("quick", "full") for one in TRAINED_EXPERIMENTS)
    assert all(one.requires == ("torch",) for one in TRAINED_EXPERIMENTS)
    assert BY_NAME["methods"].seed == BY_NAME["norms"].seed  # one replicate's runs
    for name in ("subsets", "boost", "selection", "transfer"):
        assert len({point["replicate"] for point in BY_NAME[name].points("full")}) >= 5


def test_compared_methods_have_the_same_sizes():
    for name in ("methods", "convnet"):
        rule = "method" if name == "methods" else "rule"
        for tier in ("quick", "full"):
            free = {rule, "repair", "replicate"}
            by_data = {}
            for point in BY_NAME[name].points(tier):
                fixed = tuple(sorted((k, v) for k, v in point.items() if k not in free))
                by_data.setdefault(point["data"], set()).add(fixed)
            assert all(len(found) == 1 for found in by_data.values())


def test_ten_seeds_of_every_rule_on_digits_in_the_full_tier():
    seeds = {}
    for point in BY_NAME["methods"].points("full"):
        if point["data"] == "digits":
            seeds.setdefault((point["method"], point["repair"]), set()).add(point["replicate"])
            assert point["budget"] == 25_000.0
    assert {len(found) for found in seeds.values()} == {10}
    rules = {name for name, _ in seeds}
    assert {"T-BPTT", "BPTT", "R-BPTT", "RaT-BPTT", "class means", "herding"} < rules


def test_the_design_for_a_gpu_is_whole():
    counts = len(GPU_SIZE["images_per_class"])
    assert len(GPU_SIZE["n_steps"]) == len(GPU_SIZE["window"]) == counts
    assert np.all(np.array(GPU_SIZE["window"]) < np.array(GPU_SIZE["n_steps"]))
