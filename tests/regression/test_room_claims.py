"""The 21 claims: their verdicts from the archive, and that each verdict can turn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fragile_learning import claims as shared
from fragile_learning.claims import Outcome, judge
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.regression.claims import CLAIMS, claim
from fragile_learning.regression.experiments import EXPERIMENTS
from fragile_learning.statistics import plus_minus
from fragile_learning.tables import archive_path, read_table


@pytest.fixture(scope="module")
def archive():
    return {one.name: read_table(archive_path("full", one.name))[0] for one in EXPERIMENTS}


def test_there_are_21():
    assert [one.id for one in CLAIMS] == [f"REG-{i}" for i in range(1, 22)]
    assert [one.id for one in all_claims() if one.id.startswith("REG-")] == [o.id for o in CLAIMS]
    known = set(all_experiments())
    assert all(set(one.experiments) <= known for one in CLAIMS)
    with pytest.raises(ValueError, match="identity must be one of REG-1"):
        claim("REG-22")


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_the_verdict_is_what_was_derived(one, archive):
    verdict = judge(one, archive, tier="full")
    assert verdict.outcome is not Outcome.NOT_RUN
    assert verdict.outcome is not Outcome.INCONCLUSIVE
    if one.expected is not None:
        assert verdict.outcome is one.expected, verdict


def test_the_ledger_is_what_the_archive_says():
    ledger = {entry.id: entry for entry in shared.read_ledger()}
    computed = {entry.id: entry for entry in shared.from_archive(all_claims())}
    assert set(ledger) == set(computed)
    for identity, entry in computed.items():
        kept = ledger[identity]
        assert (kept.outcome, kept.tables) == (entry.outcome, entry.tables)
        assert (kept.statement, kept.margin, kept.measure) == (
            entry.statement,
            entry.margin,
            entry.measure,
        )
        for name, value in entry.numbers.items():
            if isinstance(value, float):
                assert kept.numbers[name] == pytest.approx(value, rel=1e-6, abs=1e-9)
            else:
                assert kept.numbers[name] == value


def scaled(column, factor, where=None):
    """Multiply a column, in all rows or in those that a query selects."""

    def change(frame):
        rows = slice(None) if where is None else frame.query(where).index
        frame.loc[rows, column] = frame.loc[rows, column] * factor

    return change


def put(column, source):
    def change(frame):
        frame[column] = source(frame)

    return change


def slower(frame):
    frame["risk"] = np.where(
        frame["generator_growth"] > 1, frame["n_samples"] ** -1.0, frame["risk"]
    )
    frame["ridge"] = np.where(
        frame["generator_growth"] > 1, frame["n_samples"] ** -1.0, frame["ridge"]
    )


def superlinear(frame):
    frame["error"] = 0.01 + 1e-5 * frame["width"] * frame["generation"] ** 2
    frame["error"] += 1e-6 * frame["replicate"]


def falling(frame):
    return 1 / frame["n_samples"]


def cubic(frame):
    return frame["generation"] ** 3.0 * frame["width"]


# id, table, a change of it, and what the verdict becomes
TURNS = [
    ("REG-1", "least-squares-chain", scaled("mean_total", 1.2), "differs"),
    ("REG-1", "least-squares-chain", scaled("se_total", 1e3), "inconclusive"),
    ("REG-2", "effective-ridge", put("residual", lambda f: 1e-7), "differs"),
    ("REG-2", "effective-ridge", scaled("closed_form", 1 + 1e-7), "differs"),
    ("REG-3", "effective-ridge", scaled("derivative", 1 + 1e-4), "differs"),
    ("REG-4", "chains", scaled("theory_bias", 1.3), "differs"),
    ("REG-4", "chains", scaled("theory_variance", 0.7), "differs"),
    ("REG-4", "chains", scaled("se_bias", 30), "inconclusive"),
    ("REG-5", "generator-variance", scaled("general", 1 + 1e-6), "differs"),
    ("REG-5", "generator-variance", scaled("full_rank", 1 + 1e-6), "differs"),
    ("REG-5", "chains", scaled("mean_generator_noise", 1.3), "differs"),
    ("REG-6", "chains", scaled("mean_total", 1.3, "chain == 'ridge generators'"), "differs"),
    ("REG-6", "chains", scaled("se_total", 50), "inconclusive"),
    ("REG-7", "over-parametrised", scaled("mean_bias", 1 + 1e-6, "n_generations == 5"), "differs"),
    ("REG-7", "over-parametrised", scaled("exact_bias", 1.5), "differs"),
    ("REG-8", "over-parametrised", scaled("mean_bias", 1.5), "differs"),
    ("REG-8", "over-parametrised", scaled("exact_bias", 1 + 1e-6), "differs"),
    ("REG-8", "over-parametrised", scaled("se_bias", 30), "inconclusive"),
    ("REG-9", "saturation", scaled("mean_generator_noise", 1.4), "differs"),
    ("REG-9", "saturation", scaled("theory_generator_noise", 1 + 1e-6), "differs"),
    ("REG-10", "optimal-ridge", scaled("fixed_point", 1 + 1e-4), "differs"),
    ("REG-10", "optimal-ridge", put("risk_beside", lambda f: 0.0), "differs"),
    (
        "REG-10",
        "optimal-ridge",
        put("minimiser", lambda f: f["fixed_point"] * (1 - 1e-7 * f["n_generations"])),
        "agrees",
    ),
    ("REG-11", "null-predictor", put("mean_total", lambda f: 0.5 * f["signal"]), "agrees"),
    ("REG-11", "null-predictor", scaled("se_total", 1e3), "inconclusive"),
    ("REG-12", "clean-scaling", put("variance", lambda f: f["n_samples"] ** -0.9), "differs"),
    ("REG-12", "clean-scaling", put("bias", lambda f: f["n_samples"] ** -0.2), "differs"),
    (
        "REG-13",
        "generator-scaling",
        put("generator_noise", lambda f: 1 / f["n_samples"]),
        "differs",
    ),
    ("REG-14", "optimal-scaling", slower, "inconclusive"),
    ("REG-14", "optimal-scaling", put("risk", lambda f: f["n_samples"] ** -0.1), "inconclusive"),
    ("REG-15", "power-law-samples", scaled("mean_total", 1.4), "differs"),
    ("REG-15", "power-law-samples", scaled("mean_total", 1.0001), "agrees"),
    ("REG-15", "power-law-samples", scaled("se_total", 1e2), "inconclusive"),
    ("REG-16", "chains", scaled("mean_bias", 10.0, "chain == 'counterexample'"), "agrees"),
    ("REG-16", "chains", scaled("se_bias", 1e3), "inconclusive"),
    ("REG-17", "projections", put("printed", lambda f: f["mean_signal"]), "agrees"),
    ("REG-17", "projections", scaled("recursion", 1.5), "inconclusive"),
    ("REG-18", "sharp-constants", scaled("df1", 1.01), "differs"),
    ("REG-18", "sharp-constants", scaled("bias", 1.1), "differs"),
    ("REG-19", "kernel-ridge", scaled("error", 0.01, "n_samples == 1000"), "differs"),
    (
        "REG-20",
        "random-features",
        put("error", lambda f: f["generation"] ** 3.0 * f["width"]),
        "differs",
    ),
    ("REG-20", "random-features", put("error", lambda f: f["generation"] / f["width"]), "differs"),
    ("REG-21", "two-layer-networks", superlinear, "agrees"),
]


@pytest.mark.parametrize(("identity", "table", "change", "outcome"), TURNS)
def test_the_verdict_turns(identity, table, change, outcome, archive):
    tables = {name: frame.copy() for name, frame in archive.items()}
    change(tables[f"regression/{table}"])
    assert judge(claim(identity), tables, tier="full").outcome == Outcome(outcome)


def test_both_numbers_are_there(archive):
    without = {one.id for one in CLAIMS if not one.reported}
    assert without == {"REG-6"}  # a recursion of this book: no formula that fits into a line
    assert all(judge(one, archive, tier="full").measured for one in CLAIMS)


def test_numbers_that_are_reported_are_what_the_formulas_give(archive):
    """Constants written into the claims, from the tables that ours are measured in."""
    found = {one.id: judge(one, archive, tier="full").numbers for one in CLAIMS}
    for identity, number in [
        ("REG-7", f"{found['REG-7']['exact']:.1f} for"),
        ("REG-11", f"{found['REG-11']['printed']:.0f} generations"),
        ("REG-14", f"{found['REG-14']['printed']:.0f} at a = 0, b = 1.5"),
        ("REG-16", f"{found['REG-16']['printed_lower_bound']:.3f}"),
        ("REG-17", f"{found['REG-17']['printed']:.4f} after 4"),
    ]:
        assert number in claim(identity).reported
    chain = archive["regression/saturation"].query("n_generations == 30").set_index("shared_design")
    fresh, shared_one = (chain.loc[one, "theory_generator_noise"] for one in (False, True))
    assert f"= {fresh:.2f};" in claim("REG-9").reported
    assert f"= {shared_one:.1f} (n = 30)" in claim("REG-9").reported


def test_what_is_measured_is_in_the_tables(archive):
    found = {one.id: judge(one, archive, tier="full").measured for one in CLAIMS}
    tables = {name.partition("/")[2]: frame for name, frame in archive.items()}

    last = tables["least-squares-chain"].query("n_generations == 20").iloc[0]
    assert found["REG-1"].startswith(plus_minus(last["mean_total"], last["se_total"]))
    assert f"exact {last['exact_total']:.6f}" in found["REG-1"]

    slopes = tables["optimal-scaling"].query("generator_growth == 1.5 and noise_std == 0")
    slope = stats.linregress(np.log(slopes["n_samples"]), np.log(slopes["risk"]))
    assert found["REG-14"].startswith(plus_minus(-slope.slope, slope.stderr))

    rows = tables["power-law-samples"].query("n_generations == 1")
    rows = rows[np.isclose(rows["ridge"], rows["n_samples"] ** -0.8)].sort_values("n_samples")
    risk, error = rows["mean_total"].to_numpy(), rows["se_total"].to_numpy()
    low, ratio = int(risk.argmin()), risk[-1] / risk.min()
    relative = (error[-1] / risk[-1]) ** 2 + (error[low] / risk[low]) ** 2
    assert found["REG-15"].startswith("×" + plus_minus(ratio, ratio * relative**0.5))

    kernels = tables["kernel-ridge"].query("n_generations == 8 and kernel == 'polynomial'")
    wide = kernels.pivot_table("error", ["policy", "replicate"], "n_samples")
    for policy in ("critical", "corrected"):
        change = (wide[1000] - wide[100]).loc[policy]
        assert plus_minus(change.mean(), stats.sem(change), signed=True) in found["REG-19"]

    features = tables["random-features"].query("width == 200")
    each = [
        stats.linregress(one["generation"], one["error"]).slope
        for _, one in features.groupby("replicate")
    ]
    assert plus_minus(np.mean(each), stats.sem(each)) in found["REG-20"]


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_what_is_measured_follows_the_tables(one, archive):
    before = judge(one, archive, tier="full").measured
    texts = set()
    for _, table, change, _ in (turn for turn in TURNS if turn[0] == one.id):
        tables = {name: frame.copy() for name, frame in archive.items()}
        change(tables[f"regression/{table}"])
        texts.add(judge(one, tables, tier="full").measured)
    assert texts - {before}
    assert "" not in texts


def test_every_claim_can_turn():
    assert {identity for identity, *_ in TURNS} == {one.id for one in CLAIMS}
