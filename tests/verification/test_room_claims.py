"""The claims and experiments of the room as the command line and the ledger find them."""

from __future__ import annotations

import pytest

from fragile_learning.claims import Outcome, judge
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.statistics import mean_plus_minus, plus_minus
from fragile_learning.tables import archive_path, read_table
from fragile_learning.verification.claims import CLAIMS, claim
from fragile_learning.verification.experiments import EXPERIMENTS, experiment

# a table and a column of it, on which the number shown for a claim rests
SHOWN = {
    1: ("breakdown", "mean"),
    2: ("breakdown", "mean"),
    3: ("one-shot", "mean"),
    4: ("ridge", "mean"),
    5: ("logistic", "mean"),
    6: ("window", "mean"),
    7: ("unequal", "mean"),
    8: ("ranking", "mean"),
    9: ("random-angles", "n_draws"),
    10: ("angles", "mean"),
    11: ("rounds", "mean"),
    12: ("self-training", "mean"),
    13: ("classes", "mean"),
    14: ("threshold", "searched"),
    15: ("costs", "price"),
    16: ("best-of-k", "oracle"),
    17: ("eigenvalues", "student"),
    18: ("eigenvalues", "student"),
    19: ("headlines", "student"),
    20: ("headlines", "student"),
    21: ("more-data", "mean"),
}
NO_NUMBER = {"VER-16"}  # the source is known in words only


@pytest.fixture(scope="module")
def archive():
    return {one.name: read_table(archive_path("full", one.name))[0] for one in EXPERIMENTS}


def test_claims_are_complete_and_in_order():
    assert [one.id for one in CLAIMS] == [f"VER-{number}" for number in range(1, 22)]
    odd = {one.id: one.expected for one in CLAIMS if one.expected is not Outcome.AGREES}
    assert odd == {"VER-19": None, "VER-20": Outcome.DIFFERS}
    assert set(CLAIMS) <= set(all_claims())


def test_every_table_is_used_and_every_claim_has_its_tables():
    known = {one.name for one in EXPERIMENTS}
    assert {name for one in CLAIMS for name in one.experiments} == known
    assert known <= set(all_experiments())
    assert all(one.tiers == ("quick", "full") for one in EXPERIMENTS)


def test_found_by_name():
    assert claim("VER-16").experiments == ("verification/best-of-k",)
    assert experiment("best-of-k").name == "verification/best-of-k"
    with pytest.raises(ValueError, match=r"identity must be one of VER-1, .*, got 'VER-99'"):
        claim("VER-99")
    with pytest.raises(ValueError, match="name must be one of"):
        experiment("best")


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_every_claim_shows_a_number_that_follows_its_table(one, archive):
    shown = judge(one, archive, tier="full").measured
    assert any(character.isdigit() for character in shown)
    assert "nan" not in shown
    assert bool(one.reported) == (one.id not in NO_NUMBER)
    name, column = SHOWN[int(one.id.partition("-")[2])]
    frame = archive[f"verification/{name}"].copy()
    frame[column] = 0.9 * frame[column]
    changed = judge(one, {**archive, f"verification/{name}": frame}, tier="full").measured
    assert changed
    assert changed != shown


def row(frame, query):
    (found,) = frame.query(query).to_dict("records")
    return found


def test_the_numbers_shown_are_those_of_the_tables(archive):
    """The rows that are told, found once more by what they stand for."""
    tables = {name.partition("/")[2]: frame for name, frame in archive.items()}
    shown = {one.id: judge(one, archive, tier="full").measured for one in CLAIMS}

    def told(name, query):
        found = row(tables[name], query)
        return plus_minus(found["mean"], found["se"])

    far = tables["breakdown"].query("n_generated >= 20_000")
    near = far.query("shift == -0.1").sort_values("mean").iloc[0]
    assert plus_minus(near["mean"], near["se"]) in shown["VER-1"]
    (oracle,) = far.query("keep_if_wrong == 0 and error_rate > 0.79")["mean"].nsmallest(1)
    assert f"at least {oracle:.5f} ±" in shown["VER-2"]
    assert (
        told("ridge", "ridge == 0 and abs(n_generated * 0.72 / n_features - 1) < 0.01")
        in (shown["VER-4"])
    )
    ends = [
        told("unequal", f"estimator == 'ridge' and ridge == 1 and error_rate == {p}")
        for p in (0.3, 0.9)
    ]
    assert shown["VER-7"] == f"at most {ends[0]} below p*, at least {ends[1]} above"
    assert shown["VER-10"].startswith(
        told(
            "angles",
            "degrees_verifier == 70 and degrees_generator == 50 and estimator == 'one-shot'",
        )
    )
    assert shown["VER-11"].startswith(
        told("rounds", "degrees_verifier == 40 and correlation == 0 and round == 2")
    )
    assert told("classes", "error_rate == 0.9 and keep_if_wrong == 1") in shown["VER-13"]
    assert told("more-data", "keep == 'oracle' and n_generated == 3000") in shown["VER-21"]

    students = tables["eigenvalues"].query("verifier == 'oracle'")["student"]
    assert f"oracle {mean_plus_minus(students, scale=100)} %" in shown["VER-17"]
    assert f"{mean_plus_minus(students, scale=100)} % at 1.00" in shown["VER-18"]
    chosen = tables["best-of-k"].query("k == 20")["oracle"]
    assert f"any of 20 {mean_plus_minus(chosen, scale=100)} %" in shown["VER-16"]
    one_each = tables["headlines"].query("scope == 'article' and n_kept_each == 1")
    by = one_each.pivot_table("student", "replicate", "selector")
    gains = by["oracle"] - one_each.groupby("replicate")["generator"].first()
    assert shown["VER-19"].endswith("oracle " + mean_plus_minus(gains, signed=True))
    better = mean_plus_minus(by["better"] - by["random"], signed=True)
    assert shown["VER-20"] == f"ROUGE-1: {better}"


def test_predictions_are_those_of_the_laws(archive):
    """Numbers that a claim of the book's own gives as predicted are its laws'."""
    tables = {name.partition("/")[2]: frame for name, frame in archive.items()}
    limits = [
        row(tables["unequal"], f"estimator == '{e}' and ridge == 1 and error_rate == {p}")["law"]
        for e, p in (("ridge", 0.3), ("ridge", 0.9))
    ]
    assert all(f"{limit:.3f}" in claim("VER-7").reported for limit in limits)
    law = tables["ranking"].set_index(["at", "breakdown_point"])["law"].sort_index()
    ahead = {at: law[at].iloc[-1] - law[at].iloc[0] for at in ("generated", "kept")}
    assert claim("VER-8").reported == (
        f"−{-ahead['generated']:.3f} (as many generated), {ahead['kept']:+.3f} (kept)"
    )
    worse = tables["angles"].query("degrees_verifier == 70 and degrees_generator == 50").iloc[0]
    assert claim("VER-10").reported == (
        f"{worse['law']:.3f} after a generator of {worse['generator']:.3f}"
    )
    rounds = tables["rounds"].query("degrees_verifier == 40 and correlation == 0")
    assert claim("VER-11").reported == (
        f"{rounds['law'].max():.3f} in the best round, generator {rounds['law'].iloc[0]:.3f}, "
        f"verifier {rounds['verifier'].iloc[0]:.3f}"
    )
