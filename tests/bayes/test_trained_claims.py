"""The claims on trained posteriors: verdicts from tables made by hand, and how each of them turns.

The tables have the layout of the real ones and the numbers of no run: what is tested is the rule.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest

from fragile_learning.bayes.trained_claims import TRAINED_CLAIMS
from fragile_learning.bayes.trained_experiments import METHODS, TRAINED_EXPERIMENTS
from fragile_learning.claims import Outcome, judge

BY_ID = {one.id: one for one in TRAINED_CLAIMS}
JITTER = {0: 0.000, 1: 0.005, 2: -0.005}
DATA = ("fashion", "digits")


def seeds(replicates):
    return list(JITTER.items())[:replicates]


def mixing(replicates=3):
    return pd.DataFrame(
        [
            {
                "data": data,
                "replicate": i,
                "acceptance": 0.82 + jitter,
                "step_size": 0.03,
                "n_steps": 50,
                "n_divergent": 0,
                "n_draws": 600,
                "rhat_median": 1.003,
                "rhat_max": 1.03 + jitter,
                "ess_median": 450.0,
                "weights_mixed": 0.98,
                "rhat_energy": 1.01,
                "ess_energy": 200.0,
            }
            for data in DATA
            for i, jitter in seeds(replicates)
        ]
    )


def robustness(replicates=3):
    falls = {"FGSM": 0.24, "label": 0.2, "margin": 0.19, "targeted": 0.18}
    rows = []
    for data in DATA:
        for method in METHODS:
            more = 0.1 if method == "mean field" else 0.4 if data == "digits" else 0.0
            for i, jitter in seeds(replicates):
                common = {"data": data, "method": method, "replicate": i, "n": 300}
                rows.append(
                    {**common, "attack": "none", "radius": 0.0, "accuracy": 0.8, "nll": 0.5}
                )
                rows += [
                    {
                        **common,
                        "attack": attack,
                        "radius": radius,
                        "accuracy": left + more + jitter + 2 * (0.1 - radius),
                        "nll": math.nan,
                    }
                    for radius in (0.05, 0.1)
                    for attack, left in falls.items()
                ]
    return pd.DataFrame(rows)


def detection(replicates=3):
    levels = {
        ("label", "total_entropy"): (0.63, 0.2),
        ("label", "mutual_information"): (0.73, 0.25),
        ("margin", "total_entropy"): (0.57, 0.12),
        ("margin", "mutual_information"): (0.67, 0.15),
        ("two-stage entropy", "total_entropy"): (0.48, 0.03),
        ("two-stage entropy", "mutual_information"): (0.58, 0.08),
        ("two-stage information", "total_entropy"): (0.56, 0.1),
        ("two-stage information", "mutual_information"): (0.44, 0.04),
    }
    return pd.DataFrame(
        [
            {
                "data": data,
                "method": method,
                "replicate": i,
                "radius": radius,
                "attack": attack,
                "score": score,
                "auroc": found + jitter + 2 * (0.1 - radius),
                "auroc_successful": found,
                "caught": caught,
                "selective_area": 0.6,
            }
            for data in DATA
            for method in METHODS
            for i, jitter in seeds(replicates)
            for radius in (0.05, 0.1)
            for (attack, score), (found, caught) in levels.items()
        ]
    )


def shift(replicates=3):
    levels = {
        ("none", "total_entropy", 0.0): 0.9,
        ("none", "mutual_information", 0.0): 0.97,
        ("total_entropy", "total_entropy", 0.1): 0.38,
        ("total_entropy", "mutual_information", 0.1): 0.6,
        ("mutual_information", "total_entropy", 0.1): 0.5,
        ("mutual_information", "mutual_information", 0.1): 0.45,
        ("total_entropy", "total_entropy", 0.05): 0.6,
    }
    return pd.DataFrame(
        [
            {
                "data": data,
                "method": method,
                "replicate": i,
                "radius": radius,
                "attacked": attacked,
                "score": score,
                "auroc": found + jitter,
                "selective_area": 0.6,
            }
            for data in DATA
            for method in METHODS
            for i, jitter in seeds(replicates)
            for (attacked, score, radius), found in levels.items()
        ]
    )


def convolutional(replicates=1, n_train=500):
    return pd.DataFrame(
        [
            {
                "method": method,
                "replicate": replicate,
                "n_train": n_train,
                "radius": radius,
                "clean": 0.78,
                "robust": 0.1,
                "entropy_label": 0.6,
                "entropy_adaptive": 0.45,
                "information_label": 0.7,
                "information_adaptive": 0.45,
                "caught_label": 0.2,
                "caught_adaptive": 0.03,
                "shift_clean": 0.9,
                "shift_attacked": 0.3,
                "acceptance": 0.8 if method == "HMC" else math.nan,
                "rhat_median": 1.03 if method == "HMC" else math.nan,
                "rhat_max": 1.4 if method == "HMC" else math.nan,
                "n_divergent": 0.0,
            }
            for replicate in range(replicates)
            for method in ("deterministic", "HMC")
            for radius in (0.05, 0.1)
        ]
    )


def tables(replicates=3):
    return {
        "bayes/mixing": mixing(replicates),
        "bayes/robustness": robustness(replicates),
        "bayes/detection": detection(replicates),
        "bayes/shift": shift(replicates),
        "bayes/convolutional": convolutional(),
        "bayes/convolutional-28": convolutional(replicates, 10_000),
    }


def put(column, value, where="replicate >= 0"):
    def change(frame):
        rows = frame.query(where).index
        assert len(rows)
        frame.loc[rows, column] = value
        return frame

    return change


HMC = "data == 'fashion' and method == 'HMC' and radius == 0.1"
ADAPTIVE = HMC + " and attack == 'two-stage entropy' and score == 'total_entropy'"
TURNS = [
    ("BNN-3", "mixing", put("rhat_median", 1.011, "replicate == 2"), "differs"),
    ("BNN-3", "mixing", put("rhat_max", 1.11, "data == 'digits'"), "differs"),
    ("BNN-3", "mixing", put("acceptance", 0.69, "replicate == 1"), "differs"),
    ("BNN-3", "mixing", put("acceptance", 0.96, "replicate == 1"), "differs"),
    ("BNN-3", "mixing", put("n_divergent", 1, "replicate == 0"), "differs"),
    ("BNN-3", "mixing", put("weights_mixed", 0.1), "agrees"),  # reported
    ("BNN-8", "robustness", put("accuracy", 0.31, HMC + " and attack == 'margin'"), "differs"),
    ("BNN-8", "robustness", put("accuracy", 0.29, HMC + " and attack == 'margin'"), "agrees"),
    ("BNN-8", "robustness", put("accuracy", 0.74, "attack == 'none'"), "differs"),
    ("BNN-8", "robustness", put("accuracy", 0.9, "radius == 0.05"), "agrees"),  # not looked at
    ("BNN-8", "robustness", put("accuracy", 0.9, "data == 'digits'"), "agrees"),
    ("BNN-8", "robustness", put("accuracy", 0.9, "attack == 'FGSM'"), "agrees"),
    (
        "BNN-9",
        "robustness",
        put("accuracy", 0.41, "method == 'ensemble' and attack != 'none'"),
        "differs",
    ),
    (
        "BNN-9",
        "robustness",
        put("accuracy", 0.39, "method == 'ensemble' and attack != 'none'"),
        "agrees",
    ),
    # one strong attack is enough
    ("BNN-9", "robustness", put("accuracy", 0.7, "attack in ('FGSM', 'label')"), "agrees"),
    ("BNN-10", "detection", put("auroc", 0.57, ADAPTIVE), "differs"),
    ("BNN-10", "detection", put("auroc", 0.55, ADAPTIVE), "agrees"),
    ("BNN-10", "detection", put("caught", 0.11, ADAPTIVE), "differs"),
    ("BNN-10", "detection", put("caught", 0.9, "attack == 'label'"), "agrees"),
    ("BNN-11", "detection", put("auroc", 0.56, ADAPTIVE), "differs"),
    ("BNN-11", "detection", put("auroc", 0.54, ADAPTIVE), "agrees"),
    (
        "BNN-11",
        "detection",
        put("auroc", 0.64, HMC + " and attack == 'two-stage information'"),
        "differs",
    ),
    ("BNN-11", "detection", put("auroc", 0.1, "attack == 'margin'"), "agrees"),  # reported
    ("BNN-12", "shift", put("auroc", 0.84, "attacked == 'none'"), "differs"),
    ("BNN-12", "shift", put("auroc", 0.51, HMC + " and attacked == 'total_entropy'"), "differs"),
    ("BNN-12", "shift", put("auroc", 0.9, "data == 'digits'"), "agrees"),
    ("BNN-12", "shift", put("auroc", 0.9, "radius == 0.05"), "agrees"),
    ("BNN-21", "convolutional-28", put("robust", 0.7), "differs"),
    ("BNN-21", "convolutional-28", put("robust", 0.7, "radius == 0.05"), "agrees"),
    ("BNN-21", "convolutional-28", put("robust", 0.5, "method == 'deterministic'"), "differs"),
    ("BNN-21", "convolutional-28", put("rhat_median", 1.2, "replicate == 1"), "inconclusive"),
    ("BNN-21", "convolutional-28", put("acceptance", 0.3, "replicate == 2"), "inconclusive"),
    ("BNN-21", "convolutional-28", put("acceptance", 0.995, "replicate == 2"), "inconclusive"),
    ("BNN-21", "convolutional", put("robust", 0.7), "agrees"),  # told beside
]


@pytest.mark.parametrize("identity", BY_ID)
def test_the_rules_find_what_was_expected(identity):
    verdict = judge(BY_ID[identity], tables(), tier="full")
    assert verdict.outcome is BY_ID[identity].expected, verdict
    assert any(character.isdigit() for character in verdict.summary)


@pytest.mark.parametrize(("identity", "table", "change", "outcome"), TURNS)
def test_the_verdict_turns(identity, table, change, outcome):
    found = tables()
    found[f"bayes/{table}"] = change(found[f"bayes/{table}"])
    verdict = judge(BY_ID[identity], found, tier="full")
    assert verdict.outcome is Outcome(outcome), verdict


def test_every_claim_that_is_run_turns():
    turned = {
        (identity, f"bayes/{table}")
        for identity, table, _, outcome in TURNS
        if Outcome(outcome) is not BY_ID[identity].expected
    }
    wanted = {(one.id, name) for one in TRAINED_CLAIMS for name in one.experiments}
    assert turned == wanted - {("BNN-21", "bayes/convolutional")}
    used = {name for one in TRAINED_CLAIMS for name in one.experiments}
    assert used == {one.name for one in TRAINED_EXPERIMENTS}


@pytest.mark.parametrize(
    ("identity", "table", "change"),
    [
        ("BNN-3", "mixing", put("rhat_max", 1.2)),
        ("BNN-8", "robustness", put("accuracy", 0.5)),
        ("BNN-9", "robustness", put("accuracy", 0.7)),
        ("BNN-10", "detection", put("auroc", 0.6)),
        ("BNN-11", "detection", put("auroc", 0.6)),
        ("BNN-12", "shift", put("auroc", 0.6)),
    ],
)
def test_one_replicate_that_falls_short_decides_nothing(identity, table, change):
    for replicates, outcome in ((1, Outcome.INCONCLUSIVE), (3, Outcome.DIFFERS)):
        found = tables(replicates)
        assert judge(BY_ID[identity], found, tier="quick").outcome is Outcome.AGREES
        found[f"bayes/{table}"] = change(found[f"bayes/{table}"])
        assert judge(BY_ID[identity], found, tier="quick").outcome is outcome


def test_numbers_of_the_verdicts():
    found = {i: judge(one, tables(), tier="full").numbers for i, one in BY_ID.items()}
    assert found["BNN-3"]["rhat_max"] == pytest.approx(1.035)
    assert found["BNN-8"]["margin"] == pytest.approx(0.19)
    assert found["BNN-8"]["standard_error"] == pytest.approx(math.sqrt(0.19 * 0.81 / 300))
    assert found["BNN-9"]["most_left"] == pytest.approx(0.28 / 0.8)
    assert found["BNN-9"]["digits_most"] == pytest.approx(0.58 / 0.8)
    assert found["BNN-10"]["auroc"] == pytest.approx(0.48)
    assert found["BNN-11"]["entropy_drop"] == pytest.approx(0.15)
    assert found["BNN-11"]["information_drop_from_margin"] == pytest.approx(0.23)
    assert found["BNN-12"]["information_attacked"] == pytest.approx(0.45)
    assert found["BNN-12"]["n_replicates"] == 3


@pytest.mark.parametrize(
    ("column", "value", "broken"),
    [
        ("clean", 0.7, "labels"),
        ("robust", 0.5, "both_lose_half"),
        ("entropy_adaptive", 0.57, "detection"),
        ("caught_adaptive", 0.2, "detection"),
        ("entropy_label", 0.5, "entropy_drop"),
        ("information_adaptive", 0.65, "information_drop"),
        ("shift_clean", 0.8, "shift"),
        ("shift_attacked", 0.6, "shift"),
    ],
)
def test_the_convolutional_network_is_judged_by_every_inequality(column, value, broken):
    found = tables()
    verdict = judge(BY_ID["BNN-21"], found, tier="full")
    assert "All 6 inequalities hold" in verdict.summary
    assert "10,000 images" in verdict.summary
    assert "500 images" in verdict.summary
    assert all(verdict.numbers[name] for name in verdict.numbers if name.startswith("holds_"))
    found["bayes/convolutional-28"][column] = value
    verdict = judge(BY_ID["BNN-21"], found, tier="full")
    assert verdict.outcome is Outcome.DIFFERS
    assert verdict.numbers[f"holds_{broken}"] is False
    assert "Not for" in verdict.summary


def test_two_runs_on_a_gpu_decide_nothing():
    found = tables() | {"bayes/convolutional-28": convolutional(2, 10_000)}
    verdict = judge(BY_ID["BNN-21"], found, tier="full")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.numbers["n_replicates"] == 2


def test_tables_without_digits_are_judged_all_the_same():
    found = tables()
    for name in ("mixing", "robustness", "detection", "shift"):
        found[f"bayes/{name}"] = found[f"bayes/{name}"].query("data == 'fashion'")
    for identity in ("BNN-3", "BNN-8", "BNN-9", "BNN-10", "BNN-11", "BNN-12"):
        assert judge(BY_ID[identity], found, tier="full").outcome is Outcome.AGREES


def test_tables_without_what_is_judged_are_refused():
    found = tables()
    found["bayes/robustness"] = found["bayes/robustness"].query("method != 'dropout'")
    with pytest.raises(ValueError, match=r"BNN-9 cannot be judged .* needs seven methods"):
        judge(BY_ID["BNN-9"], found, tier="full")
    found["bayes/shift"] = found["bayes/shift"].query("radius != 0.1")
    with pytest.raises(ValueError, match=r"BNN-12 cannot be judged .* no row with"):
        judge(BY_ID["BNN-12"], found, tier="full")


def test_the_claims_are_complete():
    assert list(BY_ID) == [f"BNN-{number}" for number in (3, 8, 9, 10, 11, 12, 21)]
    verdict = judge(BY_ID["BNN-21"], tables(), tier="quick")
    assert verdict.summary == "Needs the full tier."
