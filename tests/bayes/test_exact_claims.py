"""Claims whose answers are known: their verdicts from the quick tables, and what turns them."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from fragile_learning.bayes.exact_claims import EXACT_CLAIMS
from fragile_learning.bayes.exact_experiments import EXACT_EXPERIMENTS
from fragile_learning.claims import Outcome, judge

BY_ID = {claim.id: claim for claim in EXACT_CLAIMS}
USED = {name for claim in EXACT_CLAIMS for name in claim.experiments}


@pytest.fixture(scope="module")
def quick():
    """All tables that decide, computed once."""
    return {one.name: one.run("quick") for one in EXACT_EXPERIMENTS if one.name in USED}


def test_ids_and_tables():
    assert list(BY_ID) == [f"BNN-{i}" for i in (1, 2, 4, 5, 6, 7, 19, 20)]
    names = {one.name for one in EXACT_EXPERIMENTS}
    assert names - USED == {"bayes/logistic-draws"}  # a picture
    assert names >= USED
    for claim in EXACT_CLAIMS:
        assert claim.tier == "quick"
        assert claim.source.startswith("Derived in this book")


@pytest.mark.parametrize("identity", list(BY_ID))
def test_the_verdict_is_what_was_derived(identity, quick):
    verdict = judge(BY_ID[identity], quick, tier="quick")
    assert verdict.outcome is BY_ID[identity].expected, verdict
    assert verdict.numbers
    assert any(character.isdigit() for character in verdict.summary)


def put(column, value, where):
    """Set a column to a number, or to a function of the rows."""

    def change(frame):
        rows = frame.query(where).index
        assert len(rows)
        frame[column] = frame[column].astype(float)
        frame.loc[rows, column] = value(frame.loc[rows]) if callable(value) else value

    return change


def off(value, error, exact, count, where):
    """Move estimates to so many standard errors from what is exact."""
    return put(value, lambda rows: rows[exact] + count * rows[error], where)


def without(where):
    """Leave rows out."""

    def change(frame):
        kept = frame[~frame.index.isin(frame.query(where).index)]
        assert len(kept) < len(frame)
        return kept

    return change


POSTERIOR = ("estimate", "standard_error", "exact")
ENERGY = ("mean_error", "mean_error_se", "mean_error_exact")
SHARE = ("acceptance", "acceptance_se", "acceptance_exact")
SHIFT = ("fraction", "fraction_se", "fraction_exact")
AREA = ("area", "area_se", "area_exact")
FIRST = "sampler == 'HMC' and quantity == 'mean of weight 0' and problem == 'linear'"
LAST = "sampler == 'HMC' and quantity == 'mutual information at (1, 1)'"
NO = "sampler != 'HMC'"
HALF_TURN = "step_size == 1.0 and n_steps == 3"  # all accepted
LOGIT = "gradients == 'logit' and n_samples == 4 and spread == 1"
LOSS = "gradients == 'predictive' and n_samples == 16 and spread == 1"

OUTCOMES = [
    ("BNN-1", "exact-posteriors", off(*POSTERIOR, 4.1, FIRST), "differs"),
    ("BNN-1", "exact-posteriors", off(*POSTERIOR, -4.1, LAST), "differs"),
    ("BNN-1", "exact-posteriors", off(*POSTERIOR, 3.9, LAST), "agrees"),
    ("BNN-1", "exact-posteriors", off(*POSTERIOR, 3.0, NO), "inconclusive"),
    (
        "BNN-1",
        "exact-posteriors",
        off(*POSTERIOR, 3.0, NO + " and problem == 'logistic'"),
        "inconclusive",
    ),
    ("BNN-1", "exact-posteriors", without(NO + " and problem == 'linear'"), "inconclusive"),
    ("BNN-2", "leapfrog", off(*ENERGY, 4.1, "n_dimensions == 200"), "differs"),
    ("BNN-2", "leapfrog", off(*SHARE, -4.1, "index == 1"), "differs"),
    ("BNN-2", "leapfrog", off(*SHARE, 3.9, "index == 1"), "agrees"),
    ("BNN-2", "leapfrog", put("acceptance", 1 - 9e-11, HALF_TURN), "agrees"),
    ("BNN-2", "leapfrog", put("acceptance", 1 - 2e-10, HALF_TURN), "differs"),
    ("BNN-2", "leapfrog", without("n_dimensions == 20"), "inconclusive"),
    ("BNN-2", "leapfrog", put("acceptance_se", 0.011, "index == 1"), "inconclusive"),
    (
        "BNN-4",
        "entropies",
        put("total", lambda r: r["total_exact"] + 2e-6, "index == 4"),
        "differs",
    ),
    ("BNN-4", "entropies", put("expected_exact", 0.1, "index == 2"), "differs"),
    ("BNN-4", "entropies", put("mutual", -1e-9, "index == 1"), "differs"),
    ("BNN-4", "entropies", without("case == 'certain'"), "inconclusive"),
    (
        "BNN-5",
        "predictive-gradient",
        put("largest_relative_difference", 2e-10, "index == 4"),
        "differs",
    ),
    (
        "BNN-5",
        "predictive-gradient",
        put("mean_loss_difference", 0.009, "index == 4"),
        "inconclusive",
    ),
    ("BNN-5", "predictive-gradient", without("n_samples > 1"), "inconclusive"),
    (
        "BNN-6",
        "linear-attacks",
        put("value", lambda r: r["value"] + 0.006, "attack == 'targeted' and radius == 0.1"),
        "differs",
    ),
    (
        "BNN-6",
        "linear-attacks",
        put("value", lambda r: r["value"] + 0.004, "attack == 'targeted' and radius == 0.1"),
        "agrees",
    ),
    (
        "BNN-6",
        "linear-attacks",
        put("value", 0.09, "attack == 'margin' and radius == 0.1"),
        "differs",
    ),
    (
        "BNN-6",
        "linear-attacks",
        put("value", lambda r: r["value"] - 2e-5, "problem == 'binary' and attack == 'label'"),
        "differs",
    ),
    ("BNN-6", "linear-attacks", without("problem == 'softmax' and radius == 0.05"), "inconclusive"),
    ("BNN-7", "gaussian-corners", put("disagreements", 1, "spread == 3"), "differs"),
    ("BNN-7", "gaussian-corners", put("flipped_by_signs", 150, "spread == 3"), "differs"),
    ("BNN-7", "gaussian-corners", put("better_corner", 0, "spread >= 0"), "inconclusive"),
    ("BNN-7", "gaussian-corners", without("spread > 0.5"), "inconclusive"),
    ("BNN-7", "gaussian-linear", off(*SHIFT, 4.1, LOGIT), "differs"),
    ("BNN-7", "gaussian-linear", off(*SHIFT, 3.9, LOGIT), "agrees"),
    ("BNN-7", "gaussian-linear", put("fraction", 0.9, LOSS), "differs"),
    ("BNN-7", "gaussian-linear", put("fraction_se", 0.2, LOSS), "inconclusive"),
    (
        "BNN-19",
        "selective-areas",
        put("area", 0.8477, "ranking == 'perfect' and share == 0.5"),
        "differs",
    ),
    (
        "BNN-19",
        "selective-areas",
        off(*AREA, 4.1, "ranking == 'useless' and share == 0.8"),
        "differs",
    ),
    ("BNN-19", "selective-areas", put("area", 84.4959, "ranking == 'toy, percentiles'"), "differs"),
    ("BNN-19", "selective-areas", put("area", 0.62, "ranking == 'toy, all tied'"), "differs"),
    ("BNN-19", "selective-areas", without("ranking == 'toy'"), "inconclusive"),
    (
        "BNN-20",
        "mean-field",
        put("trained", 0.7855, "method == 'search' and quantity == 'gap'"),
        "differs",
    ),
    (
        "BNN-20",
        "mean-field",
        put("trained", lambda r: 1.031 * r["exact"], "method == 'training' and index == 10"),
        "differs",
    ),
    (
        "BNN-20",
        "mean-field",
        put("trained", lambda r: 1.029 * r["exact"], "method == 'training' and index == 10"),
        "agrees",
    ),
    (
        "BNN-20",
        "mean-field",
        put("trained", 12.5, "quantity == 'divergence of functions at 3 points'"),
        "differs",
    ),
    ("BNN-20", "mean-field", without("quantity == 'sd of weight 1'"), "inconclusive"),
]


@pytest.mark.parametrize(("identity", "name", "change", "outcome"), OUTCOMES)
def test_what_turns_a_verdict(identity, name, change, outcome, quick):
    frame = quick[f"bayes/{name}"].copy()
    changed = change(frame)
    tables = {**quick, f"bayes/{name}": frame if changed is None else changed}
    assert judge(BY_ID[identity], tables, tier="quick").outcome is Outcome(outcome)


@pytest.mark.parametrize(
    ("identity", "name", "change"),
    [
        ("BNN-1", "exact-posteriors", put("standard_error", 0.0, FIRST)),
        ("BNN-1", "exact-posteriors", without("sampler == 'HMC'")),
        ("BNN-6", "linear-attacks", without("attack == 'exact' and radius == 0.05")),
        ("BNN-6", "linear-attacks", without("attack == 'targeted'")),
        ("BNN-7", "gaussian-linear", without("gradients == 'logit'")),
        ("BNN-7", "gaussian-linear", without("gradients != 'logit'")),
        ("BNN-20", "mean-field", without("method == 'training'")),
    ],
)
def test_tables_that_cannot_decide_are_refused(identity, name, change, quick):
    frame = quick[f"bayes/{name}"].copy()
    changed = change(frame)
    tables = {**quick, f"bayes/{name}": frame if changed is None else changed}
    with pytest.raises(ValueError, match=f"claim {identity} cannot be judged"):
        judge(BY_ID[identity], tables, tier="quick")
