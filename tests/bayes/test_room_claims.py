"""The claims and experiments of the room as the command line and the ledger find them."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.bayes.claims import CLAIMS, claim
from fragile_learning.bayes.experiments import EXPERIMENTS, experiment
from fragile_learning.bayes.theory import double_softmax_floor
from fragile_learning.claims import Outcome, judge
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.statistics import mean_plus_minus, plus_minus
from fragile_learning.tables import archive_path, read_table

# a table and a column of it, on which the number shown for a claim rests
SHOWN = {
    1: ("exact-posteriors", "estimate"),
    2: ("leapfrog", "mean_error"),
    3: ("mixing", "rhat_max"),
    4: ("entropies", "total"),
    5: ("predictive-gradient", "largest_relative_difference"),
    6: ("linear-attacks", "value"),
    7: ("gaussian-linear", "fraction"),
    8: ("robustness", "accuracy"),
    9: ("robustness", "accuracy"),
    10: ("detection", "auroc"),
    11: ("detection", "auroc"),
    12: ("shift", "auroc"),
    13: ("double-softmax", "score_fooled"),
    14: ("saturation", "first_dead_gap"),
    15: ("wide-priors", "dead_share"),
    16: ("verdicts", "accuracy"),
    17: ("attack-samples", "accuracy"),
    18: ("gradient-norms", "linf"),
    19: ("selective-areas", "area"),
    20: ("mean-field", "trained"),
    21: ("convolutional-28", "clean"),
}
NO_NUMBER = {f"BNN-{number}" for number in (8, 9, 10, 11, 12, 21)}  # an abstract has words only


@pytest.fixture(scope="module")
def archive():
    return {one.name: read_table(archive_path("full", one.name))[0] for one in EXPERIMENTS}


def test_claims_are_complete_and_in_order():
    assert [one.id for one in CLAIMS] == [f"BNN-{number}" for number in range(1, 22)]
    odd = {one.id: one.expected for one in CLAIMS if one.expected is not Outcome.AGREES}
    assert odd == {"BNN-16": None}
    assert set(CLAIMS) <= set(all_claims())


def test_every_table_is_used_and_every_claim_has_its_tables():
    known = {one.name for one in EXPERIMENTS}
    pictures = {"bayes/logistic-draws", "bayes/rescaled-logits", "bayes/weak-attacks"}
    pictures |= {"bayes/kl-weights"}  # of what no claim speaks
    assert {name for one in CLAIMS for name in one.experiments} == known - pictures
    assert known <= set(all_experiments())
    tiers = {one.name: one.tiers for one in EXPERIMENTS}
    assert tiers.pop("bayes/convolutional-28") == ("full",)  # needs a GPU
    assert set(tiers.values()) == {("quick", "full")}


def test_found_by_name():
    assert claim("BNN-8").experiments == ("bayes/robustness",)
    assert experiment("shift").name == "bayes/shift"
    with pytest.raises(ValueError, match=r"identity must be one of BNN-1, .*, got 'BNN-99'"):
        claim("BNN-99")
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("shifted")


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_every_claim_shows_a_number_that_follows_its_table(one, archive):
    assert bool(one.reported) == (one.id not in NO_NUMBER)
    shown = judge(one, archive, tier="full").measured
    assert any(character.isdigit() for character in shown)
    assert "nan" not in shown
    name, column = SHOWN[int(one.id.partition("-")[2])]
    frame = archive[f"bayes/{name}"].copy()
    numbers = frame[column].to_numpy(float)
    frame[column] = numbers * np.random.default_rng(1).uniform(0.7, 1.0, len(numbers))
    changed = judge(one, {**archive, f"bayes/{name}": frame}, tier="full").measured
    assert changed
    assert changed != shown


def test_the_numbers_shown_are_those_of_the_tables(archive):
    """The rows that are told, found once more by what they stand for."""
    tables = {name.partition("/")[2]: frame for name, frame in archive.items()}
    shown = {one.id: judge(one, archive, tier="full").measured for one in CLAIMS}

    def told(name, query, column, **options):
        return mean_plus_minus(tables[name].query(query)[column], **options)

    draws = tables["exact-posteriors"].query("sampler == 'HMC'")
    far = ((draws["estimate"] - draws["exact"]).abs() / draws["standard_error"]).max()
    assert (
        shown["BNN-1"] == f"{len(draws)} numbers: largest distance {far:.1f} of 4 standard errors"
    )
    hmc = "data == 'fashion' and method == 'HMC' and "
    attacked = tables["robustness"].query(hmc + "radius == 0.1 and attack == 'margin'")["accuracy"]
    share, n = attacked.mean(), 300
    error = (share * (1 - share) / n) ** 0.5
    assert f"{plus_minus(100 * share, 100 * error)} % attacked (300 images)" in shown["BNN-8"]
    field = "data == 'fashion' and method == 'mean field' and "
    left = tables["robustness"].query(field + "radius == 0.1").groupby("attack")["accuracy"].mean()
    strongest = told(
        "robustness",
        f"{field} radius == 0.1 and attack == '{left.idxmin()}'",
        "accuracy",
        scale=100,
    )
    clean = told("robustness", field + "attack == 'none'", "accuracy", scale=100)
    assert shown["BNN-9"] == f"at most {strongest} of {clean} % (mean field, 3 runs)"
    two_stage = hmc + "radius == 0.1 and attack == 'two-stage entropy' and score == 'total_entropy'"
    assert shown["BNN-10"] == (
        f"AUROC {told('detection', two_stage, 'auroc')}, "
        f"{told('detection', two_stage, 'caught', scale=100)} % caught (3 runs)"
    )
    by = tables["detection"].query(hmc + "radius == 0.1 and score == 'mutual_information'")
    by = by.pivot_table("auroc", "replicate", "attack")
    fall = mean_plus_minus(by["label"] - by["two-stage information"])
    assert f"information {fall} (3 runs)" in shown["BNN-11"]
    digits = hmc + "score == 'total_entropy' and radius == 0.1 and attacked == 'total_entropy'"
    assert f"{told('shift', digits, 'auroc')} attacked" in shown["BNN-12"]
    wide = "prior == 'constant' and width == 512 and n_layers == 2"
    assert shown["BNN-15"].startswith(told("wide-priors", wide, "dead_share", scale=100) + " %")
    naive = "radius == 0.1 and attack == 'FGSM, double softmax, one sample'"
    assert shown["BNN-16"].startswith(told("verdicts", naive, "accuracy") + " and ")
    few = told("attack-samples", "attack == 'n samples' and n_attack == 30", "accuracy")
    assert f"{few} from 30 (3 runs)" in shown["BNN-17"]
    assert shown["BNN-18"].startswith(told("gradient-norms", "kind == 'predictive mean'", "linf"))


def test_predictions_are_those_of_the_laws(archive):
    """Numbers that a claim of the book's own gives as predicted are its laws'."""
    assert f"{float(double_softmax_floor(10)):.4f}" in claim("BNN-13").reported
    areas = archive["bayes/selective-areas"].query("share == 0.5").groupby("ranking")["area_exact"]
    perfect, worst = (areas.first()[name] for name in ("perfect", "worst"))
    assert claim("BNN-19").reported == f"r = 1/2: {perfect:.4f}, 0.5 and {worst:.4f}"
    (gap,) = set(archive["bayes/mean-field"].query("quantity == 'gap'")["exact"])
    assert claim("BNN-20").reported.endswith(f"= {gap:.4f}")
