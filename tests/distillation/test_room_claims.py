"""The claims and experiments of the room as the command line and the ledger find them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fragile_learning.claims import Outcome, judge
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.distillation.claims import CLAIMS, claim
from fragile_learning.distillation.experiments import EXPERIMENTS, experiment
from fragile_learning.statistics import mean_plus_minus, plus_minus, significant
from fragile_learning.tables import archive_path, read_table

# a table and a column of it, on which the number shown for a claim rests
SHOWN = {
    1: ("derivatives", "difference"),
    2: ("quadratic-windows", "unrolled"),
    3: ("random-contraction", "mean"),
    4: ("coverage", "mean"),
    5: ("methods", "norm_ratio"),
    6: ("variance", "variance"),
    7: ("adam-steps", "mean"),
    8: ("methods", "accuracy"),
    9: ("costs", "counted"),
    10: ("subsets", "accuracy"),
    11: ("boost", "accuracy"),
    12: ("boost", "accuracy"),
    13: ("methods", "accuracy"),
    14: ("selection", "accuracy_seen"),
    16: ("transfer", "accuracy"),
    17: ("methods", "accuracy"),
    19: ("quadratic-noise", "law"),
    20: ("growth", "sample_rms"),
    21: ("linear-sets", "one_step"),
    22: ("methods", "outer_steps"),
}
# what the paper's body says is not known, and for these the book predicts no number
NO_NUMBER = {f"DST-{number}" for number in (5, 6, 11, 12, 15, 16, 18)}
NOT_MEASURED = {"DST-15", "DST-18"}  # not run


@pytest.fixture(scope="module")
def archive():
    return {one.name: read_table(archive_path("full", one.name))[0] for one in EXPERIMENTS}


def test_claims_are_complete_and_in_order():
    assert [one.id for one in CLAIMS] == [f"DST-{number}" for number in range(1, 23)]
    odd = {one.id: one.expected for one in CLAIMS if one.expected is not Outcome.AGREES}
    assert odd == {"DST-15": Outcome.NOT_RUN, "DST-16": None, "DST-18": Outcome.NOT_RUN}
    assert set(CLAIMS) <= set(all_claims())


def test_every_table_is_used_and_every_claim_has_its_tables():
    known = {one.name for one in EXPERIMENTS}
    assert {name for one in CLAIMS for name in one.experiments} == known
    assert known <= set(all_experiments())
    assert all(one.tiers == ("quick", "full") for one in EXPERIMENTS)


def test_found_by_name():
    assert claim("DST-14").experiments == ("distillation/selection",)
    assert experiment("boost").name == "distillation/boost"
    with pytest.raises(ValueError, match=r"identity must be one of DST-1, .*, got 'DST-99'"):
        claim("DST-99")
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("boosted")


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_every_claim_shows_a_number_that_follows_its_table(one, archive):
    assert bool(one.reported) == (one.id not in NO_NUMBER)
    if one.id in NOT_MEASURED:
        return
    shown = judge(one, archive, tier="full").measured
    assert any(character.isdigit() for character in shown)
    assert not {"nan", "inf"} & set(shown.replace(")", " ").split())
    name, column = SHOWN[int(one.id.partition("-")[2])]
    frame = archive[f"distillation/{name}"].copy()
    numbers = frame[column].to_numpy(float)
    frame[column] = numbers * np.random.default_rng(1).uniform(0.7, 1.0, len(numbers))
    changed = judge(one, {**archive, f"distillation/{name}": frame}, tier="full").measured
    assert changed
    assert changed != shown


def interval(values):
    """Mean and half of its 95 % interval, written."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return plus_minus(float(np.mean(values)), float(half))


def test_the_numbers_shown_are_those_of_the_tables(archive):
    """The rows that are told, found once more by what they stand for."""
    tables = {name.partition("/")[2]: frame for name, frame in archive.items()}
    shown = {one.id: judge(one, archive, tier="full").measured for one in CLAIMS}

    rows = tables["coverage"].query("rule == 'random-truncated' and n_steps == 10 and step == 0")
    (first,) = rows.itertuples()
    assert shown["DST-4"] == f"{plus_minus(first.mean, first.se)} at T = 10, M = {first.window}"
    digits = (
        tables["methods"].query("data == 'digits'").assign(percent=lambda f: 100 * f["accuracy"])
    )
    by = {
        value: digits.pivot_table(value, "replicate", ["method", "repair"])
        for value in ("percent", "outer_steps", "norm_ratio")
    }
    own = by["percent"]["RaT-BPTT", "none"]
    for rule in ("BPTT", "R-BPTT", "T-BPTT"):
        assert f"{rule} {interval(own - by['percent'][rule, 'none'])}" in shown["DST-8"]
    gain = own - by["percent"]["class means", "none"]
    assert shown["DST-13"] == f"at least {interval(gain)} points (digits: class means) (95 %)"
    repaired = by["percent"]["R-BPTT", "skip first"]
    assert f"{interval(repaired - own)} (95 %)" in shown["DST-17"]
    steps = by["outer_steps"]["RaT-BPTT", "none"] / by["outer_steps"]["BPTT", "none"]
    assert shown["DST-22"] == mean_plus_minus(steps)
    ratio = stats.gmean(by["norm_ratio"]["BPTT", "none"])
    assert shown["DST-5"].startswith(f"BPTT {significant(ratio)}, ")
    parts = tables["subsets"].query("n_per_class == 1")
    parts = 100 * parts.pivot_table("accuracy", "replicate", "kind")
    assert f"below direct {interval(parts['distilled'] - parts['subset'])}," in shown["DST-10"]
    blocks = tables["boost"].query("block_rate == 0 and n_per_class == 5")
    loss = interval(100 * (blocks["direct"] - blocks["accuracy"]))
    assert shown["DST-11"] == f"at most {loss} points below, at 5 per class (95 %)"
    farthest = tables["transfer"].query("source == 'MLP'")
    farthest = 100 * farthest.pivot_table("accuracy", "replicate", "target")
    assert f"at most {interval(farthest['MLP'] - farthest['ResNet'])}," in shown["DST-16"]


def test_one_replicate_has_no_interval(archive):
    one = {name: frame.copy() for name, frame in archive.items()}
    frame = one["distillation/methods"]
    one["distillation/methods"] = frame[frame["replicate"] == frame["replicate"].min()]
    for identity in ("DST-5", "DST-8", "DST-13", "DST-17", "DST-22"):
        shown = judge(claim(identity), one, tier="full").measured
        assert any(character.isdigit() for character in shown)
        assert "±" not in shown
        assert "95 %" not in shown
        assert "inf" not in shown


def test_what_explodes_is_told_as_such(archive):
    frame = archive["distillation/variance"].copy()
    whole = frame["window"] == frame["n_steps"]
    frame.loc[whole & (frame["optimiser"] == "Adam"), "variance"] = np.inf
    tables = {**archive, "distillation/variance": frame}
    assert judge(claim("DST-6"), tables, tier="full").measured.startswith(
        "Adam ∞ (∞ to ∞), descent"
    )
    wild = archive["distillation/methods"]
    wild = wild[wild["replicate"] < 2].copy()
    wild.loc[(wild["method"] == "BPTT") & (wild["replicate"] == 0), "norm_ratio"] = 1e300
    tables = {**archive, "distillation/methods": wild}
    assert "(0 to ∞) times" in judge(claim("DST-5"), tables, tier="full").measured


def test_predictions_are_those_of_the_laws(archive):
    """Numbers that a claim of the book's own gives as predicted are its laws'."""
    roots = archive["distillation/quadratic-roots"]
    roots = roots.query("n_steps == 10 and window == 4 and coordinate == 0")
    law = roots.set_index(["data", "rule"])["law"]
    moved = abs(law["one image", "truncated"] - law["one image", "full"])
    by_lengths = abs(law["free", "random"] - law["free", "full"])
    assert claim("DST-2").reported.endswith(
        f"moved by {moved:.3f} (one image), {by_lengths:.3f} (lengths)"
    )
    rows = archive["distillation/coverage"].query("rule == 'random-truncated' and step == 0")
    law = float(rows.set_index("n_steps")["law"][10])
    assert f"{law:g} at T = 10" in claim("DST-4").reported
    last = archive["distillation/growth"].query("window == 48")
    typical, spread = np.exp(last["law"].max()), np.exp(last["law_of_rms"].max())
    assert f"typical at most {significant(float(typical), 2)}" in claim("DST-20").reported
    assert f"root mean square {spread:,.0f}" in claim("DST-20").reported
    counted = judge(claim("DST-22"), archive, tier="full").numbers["counted"]
    assert claim("DST-22").reported.endswith(f"= {counted:.3f}")
