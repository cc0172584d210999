"""The claims on distilled sets: verdicts from tables made by hand, and how each of them turns.

The tables have the layout of the real ones and the numbers of no run: what is tested is the rule.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from fragile_learning.claims import Outcome, judge
from fragile_learning.distillation.trained_claims import TRAINED_CLAIMS, Mean
from fragile_learning.distillation.trained_experiments import TRAINED_EXPERIMENTS

BY_ID = {one.id: one for one in TRAINED_CLAIMS}
JITTER = (0.0, 0.004, -0.004, 0.002, -0.002)
OWN = (0.0, -0.001, 0.001, 0.001, -0.001)  # of a method, in a replicate

LEVELS = {
    ("random real", "none"): (0.60, 0, math.nan),
    ("class means", "none"): (0.87, 0, math.nan),
    ("herding", "none"): (0.80, 0, math.nan),
    ("k-centre", "none"): (0.76, 0, math.nan),
    ("T-BPTT", "none"): (0.70, 279, 4.5),
    ("BPTT", "none"): (0.875, 171, 600.0),
    ("R-BPTT", "none"): (0.90, 241, 400.0),
    ("RaT-BPTT", "none"): (0.92, 330, 50.0),
    ("BPTT", "skip first"): (0.905, 174, 4.5),
    ("BPTT", "guard"): (0.907, 171, 4.5),
    ("R-BPTT", "skip first"): (0.924, 244, 6.0),
}


def methods(replicates=5):
    return pd.DataFrame(
        [
            {
                "data": data,
                "method": method,
                "repair": repair,
                "replicate": i,
                "n_steps": 40,
                "window": 12,
                "outer_batch": 256,
                "n_images": 10,
                "outer_steps": float(steps),
                "accuracy": level - shift + JITTER[i] + OWN[(i + k) % 5],
                "norm_ratio": ratio * math.exp(10.0 * JITTER[i] + 50.0 * OWN[(i + k) % 5]),
            }
            for i in range(replicates)
            for data, shift in (("digits", 0.0), ("fashion", 0.2))
            for k, ((method, repair), (level, steps, ratio)) in enumerate(LEVELS.items())
        ]
    )


def norms(replicates=5):
    peak = {"BPTT": 500.0, "RaT-BPTT": 40.0, "T-BPTT": 4.0, "R-BPTT": 300.0}
    return pd.DataFrame(
        [
            {
                "replicate": 0,
                "rule": rule,
                "repair": "none",
                "outer_step": step,
                "norm": high if step == 2 else 1.0,
            }
            for rule, high in peak.items()
            for step in (1, 2, 3)
        ]
    )


def derivatives(replicates=5):
    kinds = [("adjoint", "finite differences", 1e-8), ("graph", "adjoint", 1e-15)]
    return pd.DataFrame(
        [
            {
                "optimiser": optimiser,
                "window": window,
                "mode": mode,
                "against": against,
                "difference": value * window,
            }
            for optimiser in ("SGD", "Adam")
            for window in (1, 6)
            for mode, against, value in kinds
        ]
    )


def variances(blocks=5, n_networks=512):
    settings = [
        ("MLP", "Adam", 1e-8, "distilled", 40, 3000.0),
        ("MLP", "SGD", 1e-8, "distilled", 40, 1.2),
        ("MLP", "Adam", 1e-8, "real", 40, 900.0),
        ("ConvNet", "Adam", 1e-8, "distilled", 60, 80.0),
        ("ConvNet", "Adam", 1e-3, "distilled", 60, 1.2),
    ]
    return pd.DataFrame(
        [
            {
                "network": network,
                "optimiser": optimiser,
                "eps": eps,
                "data": data,
                "n_steps": n_steps,
                "n_networks": n_networks,
                "block": block,
                "window": n_steps - left,
                "variance": 0.1 * (ratio * (1.0 + block) / 3.0 if not left else 1.0),
            }
            for network, optimiser, eps, data, n_steps, ratio in settings
            for block in range(blocks)
            for left in (0, 1, 10)
        ]
    )


def subsets(replicates=5):
    levels = {
        ("distilled", 5): 0.96,
        ("distilled", 1): 0.92,
        ("distilled", 3): 0.94,
        ("subset", 1): 0.48,
        ("subset", 3): 0.80,
        ("random real", 1): 0.63,
        ("random real", 3): 0.78,
    }
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "kind": kind,
                "n_per_class": count,
                "draw": draw,
                "accuracy": level + JITTER[i] + OWN[(i + len(kind) // 2) % 5] + 0.05 * (draw - 0.5),
            }
            for i in range(replicates)
            for (kind, count), level in levels.items()
            for draw in range(2)
        ]
    )


def boost(replicates=5):
    found = {0.0: (0.92, 0.93, 0.945), 0.1: (0.84, 0.92, 0.95), 1.0: (0.30, 0.6, 0.965)}
    direct = (0.92, 0.94, 0.96)
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "block_rate": rate,
                "n_per_class": size,
                "accuracy": level + JITTER[i] + OWN[(i + size) % 5],
                "direct": direct[place] + JITTER[i],
            }
            for i in range(replicates)
            for rate, levels in found.items()
            for place, (size, level) in enumerate(zip((1, 2, 5), levels, strict=True))
        ]
    )


def selection(replicates=5):
    levels = {"test": (0.95, 0.94), "validation": (0.952, 0.944)}
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "chosen_on": on,
                "accuracy_seen": seen + JITTER[i],
                "accuracy_fresh": fresh + OWN[i],
                "mean_seen": 0.93 + JITTER[i],
                "mean_fresh": 0.925 + OWN[(i + 1) % 5],
                "n_candidates": 80,
                "n_seen": 200,
            }
            for i in range(replicates)
            for on, (seen, fresh) in levels.items()
        ]
    )


def transfer(replicates=5):
    levels = {"MLP": (0.72, 0.5), "wider MLP": (0.71, 0.52), "ConvNet": (0.6, 0.5)}
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "source": "MLP",
                "target": target,
                "accuracy": accuracy + JITTER[i],
                "random_real": real + OWN[i],
            }
            for i in range(replicates)
            for target, (accuracy, real) in levels.items()
        ]
    )


def convnet(replicates=5):
    levels = {("BPTT", "none"): 0.6, ("RaT-BPTT", "none"): 0.65, ("R-BPTT", "skip first"): 0.66}
    return pd.DataFrame(
        [
            {
                "replicate": i,
                "rule": rule,
                "repair": repair,
                "n_per_class": 1,
                "accuracy": level + JITTER[i],
            }
            for i in range(replicates)
            for (rule, repair), level in levels.items()
        ]
    )


MAKERS = {
    "methods": methods,
    "norms": norms,
    "derivatives": derivatives,
    "variance": variances,
    "subsets": subsets,
    "boost": boost,
    "selection": selection,
    "transfer": transfer,
    "convnet": convnet,
}


def tables(replicates=5):
    return {f"distillation/{name}": make(replicates) for name, make in MAKERS.items()}


def add(column, value, where="replicate >= 0"):
    def change(frame):
        rows = frame.query(where).index
        assert len(rows)
        frame.loc[rows, column] += value
        return frame

    return change


def scale(column, factor, where="index >= 0"):
    def change(frame):
        rows = frame.query(where).index
        assert len(rows)
        frame.loc[rows, column] *= factor
        return frame

    return change


def few_networks(factor):
    """Blocks of 128 networks with smaller variances of the whole unroll: they tell little."""

    def change(frame):
        frame = scale("variance", factor, "window == n_steps")(frame)
        return frame.assign(n_networks=128)

    return change


D = "data == 'digits' and method == '{}' and repair == '{}'"
B = "block_rate == {} and n_per_class == {}"
ONE = "n_per_class == 1 and kind == '{}'"
WHOLE = "network == '{}' and optimiser == '{}' and data == '{}' and window == n_steps"
TURNS = [
    ("DST-1", "derivatives", scale("difference", 20.0, "against == 'adjoint'"), "agrees"),
    ("DST-1", "derivatives", scale("difference", 1e3, "against == 'adjoint'"), "differs"),
    ("DST-1", "derivatives", scale("difference", 20.0, "mode == 'adjoint'"), "differs"),
    ("DST-5", "methods", scale("norm_ratio", 6.0, D.format("RaT-BPTT", "none")), "differs"),
    ("DST-5", "methods", scale("norm_ratio", 3.9, D.format("RaT-BPTT", "none")), "inconclusive"),
    ("DST-5", "methods", scale("norm_ratio", 0.05, "method.str.contains('BPTT')"), "differs"),
    ("DST-5", "methods", scale("norm_ratio", 0.01, "data == 'fashion'"), "agrees"),
    (
        "DST-6",
        "variance",
        scale("variance", 0.01, WHOLE.format("MLP", "Adam", "distilled")),
        "differs",
    ),
    (
        "DST-6",
        "variance",
        scale("variance", 1.7, WHOLE.format("MLP", "SGD", "distilled")),
        "differs",
    ),
    ("DST-6", "variance", scale("variance", 0.01, WHOLE.format("MLP", "Adam", "real")), "agrees"),
    (
        "DST-6",
        "variance",
        scale("variance", 0.01, WHOLE.format("ConvNet", "Adam", "distilled")),
        "agrees",
    ),
    ("DST-6", "variance", lambda frame: frame[frame["block"] < 4], "inconclusive"),
    ("DST-6", "variance", few_networks(1.0), "agrees"),
    ("DST-6", "variance", few_networks(0.01), "inconclusive"),
    ("DST-8", "methods", add("accuracy", 0.021, D.format("R-BPTT", "none")), "inconclusive"),
    ("DST-8", "methods", add("accuracy", 0.03, D.format("R-BPTT", "none")), "differs"),
    ("DST-8", "methods", add("accuracy", 0.23, D.format("T-BPTT", "none")), "differs"),
    ("DST-8", "methods", add("accuracy", 0.03, "data == 'fashion' and method == 'BPTT'"), "agrees"),
    ("DST-22", "methods", scale("outer_steps", 1.1, D.format("BPTT", "none")), "differs"),
    ("DST-22", "methods", scale("outer_steps", 0.9, D.format("BPTT", "none")), "differs"),
    ("DST-10", "subsets", add("accuracy", 0.16, ONE.format("subset")), "differs"),
    ("DST-10", "subsets", add("accuracy", -0.26, ONE.format("distilled")), "differs"),
    ("DST-10", "subsets", add("accuracy", 0.149, ONE.format("subset")), "inconclusive"),
    ("DST-11", "boost", add("accuracy", -0.03, B.format(0.0, 2)), "differs"),
    ("DST-11", "boost", add("direct", 0.02, B.format(0.0, 5)), "differs"),
    ("DST-11", "boost", add("accuracy", -0.2, B.format(0.0, 1)), "agrees"),  # not looked at
    ("DST-11", "boost", add("accuracy", -0.2, "block_rate == 0.1"), "agrees"),
    ("DST-12", "boost", add("accuracy", 0.03, B.format(0.0, 5)), "differs"),
    ("DST-12", "boost", add("accuracy", -0.04, B.format(0.0, 5)), "differs"),
    ("DST-12", "boost", add("accuracy", 0.34, B.format(1.0, 1)), "differs"),
    ("DST-13", "methods", add("accuracy", 0.035, D.format("class means", "none")), "differs"),
    ("DST-13", "methods", add("accuracy", 0.03, D.format("class means", "none")), "inconclusive"),
    ("DST-13", "methods", add("accuracy", 0.15, D.format("k-centre", "none")), "differs"),
    (
        "DST-13",
        "methods",
        add("accuracy", 0.11, "data == 'fashion' and method == 'herding'"),
        "differs",
    ),
    ("DST-13", "methods", add("accuracy", 0.4, D.format("random real", "none")), "agrees"),
    ("DST-14", "selection", add("accuracy_seen", -0.012, "chosen_on == 'test'"), "differs"),
    ("DST-14", "selection", add("mean_fresh", -0.01), "differs"),
    ("DST-14", "selection", add("accuracy_seen", -0.02, "chosen_on == 'validation'"), "agrees"),
    ("DST-15", "convnet", add("accuracy", -0.5), "not run"),
    ("DST-16", "transfer", add("accuracy", -0.12, "target == 'ConvNet'"), "differs"),
    ("DST-16", "transfer", add("accuracy", -0.2, "target == 'wider MLP'"), "differs"),
    ("DST-16", "transfer", add("random_real", 0.12, "target == 'ConvNet'"), "differs"),
    ("DST-17", "methods", add("accuracy", -0.03, D.format("BPTT", "skip first")), "differs"),
    ("DST-17", "methods", add("accuracy", -0.03, D.format("BPTT", "guard")), "differs"),
    ("DST-17", "methods", add("accuracy", -0.02, D.format("R-BPTT", "skip first")), "differs"),
    ("DST-17", "methods", add("accuracy", 0.02, D.format("RaT-BPTT", "none")), "differs"),
    (
        "DST-17",
        "methods",
        add("accuracy", -0.1, "data == 'fashion' and repair == 'guard'"),
        "agrees",
    ),
    ("DST-17", "convnet", add("accuracy", -0.1, "repair == 'skip first'"), "agrees"),
    ("DST-18", "convnet", add("accuracy", -0.5), "not run"),
]
REPORTED = {("DST-5", "norms"), ("DST-15", "convnet"), ("DST-17", "convnet"), ("DST-18", "convnet")}
"""Tables that a summary quotes and no verdict rests on."""


@pytest.mark.parametrize("identity", BY_ID)
def test_the_rules_find_what_was_expected(identity):
    verdict = judge(BY_ID[identity], tables(), tier="full")
    assert verdict.outcome is (BY_ID[identity].expected or Outcome.AGREES), verdict
    assert any(character.isdigit() for character in verdict.summary)
    assert all(not math.isnan(x) for x in verdict.numbers.values() if not isinstance(x, str))


@pytest.mark.parametrize(("identity", "table", "change", "outcome"), TURNS)
def test_the_verdict_turns(identity, table, change, outcome):
    found = tables()
    found[f"distillation/{table}"] = change(found[f"distillation/{table}"])
    verdict = judge(BY_ID[identity], found, tier="full")
    assert verdict.outcome is Outcome(outcome), verdict


def test_every_claim_turns_in_every_table_that_it_rests_on():
    turned = {
        (identity, table)
        for identity, table, _, outcome in TURNS
        if Outcome(outcome) is not (BY_ID[identity].expected or Outcome.AGREES)
    }
    used = {(one.id, name.partition("/")[2]) for one in TRAINED_CLAIMS for name in one.experiments}
    assert turned == used - REPORTED
    names = {f"distillation/{name}" for _, name in used}
    assert names == {one.name for one in TRAINED_EXPERIMENTS} == set(tables())


@pytest.mark.parametrize("identity", [f"DST-{i}" for i in (5, 8, 10, 11, 12, 13, 14, 16, 17)])
def test_one_replicate_decides_nothing(identity):
    verdict = judge(BY_ID[identity], tables(1), tier="full")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "±" not in verdict.summary


@pytest.mark.parametrize("identity", [f"DST-{i}" for i in (1, 5, 6, 8, 10, 11, 12, 13, 14, 17, 22)])
def test_quick_tables_are_enough(identity):
    assert judge(BY_ID[identity], tables(), tier="quick").outcome is Outcome.AGREES


def test_what_needs_the_full_tier():
    for identity in ("DST-15", "DST-16", "DST-18"):
        assert judge(BY_ID[identity], tables(), tier="quick").outcome is Outcome.NOT_RUN


def test_seeds_that_all_methods_share_do_not_hide_a_difference():
    found = tables()
    frame = found["distillation/methods"]
    frame["accuracy"] += 0.05 * frame["replicate"]
    for identity in ("DST-8", "DST-13", "DST-17"):
        assert judge(BY_ID[identity], found, tier="quick").outcome is Outcome.AGREES


def test_numbers_of_the_verdicts():
    found = {i: judge(one, tables(), tier="full").numbers for i, one in BY_ID.items()}
    assert found["DST-1"]["from_finite_differences"] == pytest.approx(6e-8)
    assert found["DST-5"]["bptt_over_rat"] == pytest.approx(12.0)
    assert found["DST-5"]["ratio_R-BPTT"] == pytest.approx(400.0)
    assert found["DST-6"]["adam"] == pytest.approx(3000.0)
    assert found["DST-6"]["beside: ConvNet on distilled images, Adam eps 0.001"] == pytest.approx(
        1.2
    )
    assert found["DST-8"]["BPTT"] == pytest.approx(4.5)
    assert found["DST-8"]["fashion: BPTT"] == pytest.approx(4.5)
    # 145.6 units against 75.6
    assert found["DST-22"]["counted"] == pytest.approx(145.6 / 75.6)
    assert found["DST-22"]["ratio"] == pytest.approx(330 / 171)
    assert found["DST-10"]["below_direct"] == pytest.approx(44.0)
    assert found["DST-10"]["above_real"] == pytest.approx(-15.0)
    assert found["DST-11"]["loss_5"] == pytest.approx(1.5)
    assert "loss_1" not in found["DST-11"]
    assert found["DST-12"]["first_block_loss"] == pytest.approx(62.0)
    assert found["DST-13"]["digits: class means"] == pytest.approx(5.0)
    assert found["DST-14"]["test"] == pytest.approx(0.5)
    assert found["DST-16"]["loss, MLP to ConvNet"] == pytest.approx(12.0)
    assert found["DST-17"]["BPTT with the guard"] == pytest.approx(3.2)
    assert found["DST-17"][
        "ConvNet, 1 per class: R-BPTT without the first step, minus RaT-BPTT"
    ] == (pytest.approx(1.0))
    assert found["DST-18"]["RaT-BPTT, 1 per class"] == pytest.approx(65.0)


def test_tables_without_what_is_judged_are_refused():
    found = tables()
    frame = found["distillation/methods"]
    cases = [
        ("DST-8", frame["method"] != "R-BPTT", "needs T-BPTT, BPTT, R-BPTT, got T-BPTT, BPTT"),
        ("DST-17", frame["repair"] != "guard", "no rows for BPTT with the guard"),
        ("DST-13", (frame["method"] != "herding") | (frame["replicate"] > 1), "replicates differ"),
        ("DST-22", frame["data"] != "digits", "no row with"),
    ]
    for identity, keep, words in cases:
        with pytest.raises(ValueError, match=f"{identity} cannot be judged .*{words}"):
            judge(
                BY_ID[identity],
                {**found, "distillation/methods": frame[keep]},
                tier="quick",
            )
    found["distillation/boost"] = boost().query("block_rate > 0")
    with pytest.raises(ValueError, match=r"DST-11 .* no row with block_rate 0"):
        judge(BY_ID["DST-11"], found, tier="quick")
    found["distillation/variance"] = variances().query("window < n_steps")
    with pytest.raises(ValueError, match=r"DST-6 cannot be judged"):
        judge(BY_ID["DST-6"], found, tier="quick")


def test_a_mean_and_its_interval():
    """At 95 % an interval misses the mean in one of 20; here within 4 s.e. of that (2,000 draws).

    Negative control: 1.96 standard errors of four values miss far more often.
    """
    draws = np.random.default_rng(8).standard_normal((2000, 4))
    means = [Mean.of(row) for row in draws]
    missed = np.mean([one.above(0.0) != 0 for one in means])
    assert missed == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 2000))
    naive = np.abs(draws.mean(1)) > 1.96 * draws.std(1, ddof=1) / 2.0
    assert naive.mean() > 0.1
    assert [Mean.of([3.0]).above(0.0), Mean.of([3.0]).below(0.0)] == [0, 0]
    assert [Mean.of([3.0, 3.1]).above(0.0), Mean.of([3.0, 3.1]).below(0.0)] == [1, -1]
    for bad in ([], [1.0, math.nan]):
        with pytest.raises(ValueError, match="values must be finite numbers"):
            Mean.of(bad)


def test_the_claims_are_complete():
    numbers = (1, 5, 6, 8, *range(10, 19), 22)
    assert list(BY_ID) == [f"DST-{number}" for number in numbers]
    for one, other in itertools.combinations(TRAINED_CLAIMS, 2):
        assert one.statement != other.statement
