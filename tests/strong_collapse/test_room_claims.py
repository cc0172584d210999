"""The 21 claims: their verdicts from the archive, and that each condition of each can turn one."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from fragile_learning.claims import Outcome, judge
from fragile_learning.cli import all_claims, all_experiments
from fragile_learning.statistics import plus_minus
from fragile_learning.strong_collapse.claims import CLAIMS, claim
from fragile_learning.strong_collapse.experiments import EXPERIMENTS
from fragile_learning.tables import MissingTableError, archive_path, read_table

DECIDE = {name for one in CLAIMS for name in one.experiments}


@pytest.fixture(scope="module")
def archive():
    """All tables that decide; without one of them the tests of its claims fail, and no others."""
    found = {}
    for one in EXPERIMENTS:
        with contextlib.suppress(MissingTableError):
            found[one.name] = read_table(archive_path("full", one.name))[0]
    return found


def test_there_are_21():
    assert [one.id for one in CLAIMS] == [f"STR-{i}" for i in range(1, 22)]
    assert [one.id for one in all_claims() if one.id.startswith("STR-")] == [o.id for o in CLAIMS]
    assert set(all_experiments()) >= DECIDE
    assert all(name.startswith("strong_collapse/") for name in DECIDE)
    with pytest.raises(ValueError, match=r"identity must be one of STR-1, .*, got 'STR-22'"):
        claim("STR-22")


def test_what_is_expected():
    odd = {one.id: one.expected for one in CLAIMS if one.expected is not Outcome.AGREES}
    assert odd == {"STR-9": None, "STR-12": Outcome.DIFFERS, "STR-20": None, "STR-21": None}
    assert [one.id for one in CLAIMS if one.tier == "full"] == ["STR-21"]
    assert judge(claim("STR-21"), {}, tier="quick").outcome is Outcome.NOT_RUN


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_the_verdict_is_what_was_derived(one, archive):
    verdict = judge(one, archive, tier="full")
    assert verdict.outcome is not Outcome.NOT_RUN
    assert verdict.outcome is not Outcome.INCONCLUSIVE, verdict
    if one.expected is not None:
        assert verdict.outcome is one.expected, verdict


# --- changes of a table -----------------------------------------------------------------------


def chosen(frame, where):
    return frame.index if where is None else frame.query(where).index


def scaled(column, factor, where=None):
    """Multiply a column, in all rows or in those that a query selects."""

    def change(frame):
        rows = chosen(frame, where)
        assert len(rows)
        frame.loc[rows, column] = frame.loc[rows, column] * factor

    return change


def put(column, source, where=None):
    """Set a column: to a number, or to a function of the rows."""

    def change(frame):
        rows = chosen(frame, where)
        assert len(rows)
        frame.loc[rows, column] = source(frame.loc[rows]) if callable(source) else source

    return change


def off(part, scales, where=None):
    """A simulation without sampling error that is off by a multiple of the finite-size scale."""

    def change(frame):
        rows = chosen(frame, where)
        law, mean, error = (part.format(kind) for kind in ("theory", "mean", "se"))
        assert (frame.loc[rows, "scale"] > 0).all()
        assert (frame.loc[rows, law].abs() > 1e-6).any()
        frame.loc[rows, mean] = frame.loc[rows, law] * (1 + scales * frame.loc[rows, "scale"])
        frame.loc[rows, error] = 0.0

    return change


def by_errors(part, count, where=None):
    """A simulation that is off by so many standard errors."""

    def change(frame):
        rows = chosen(frame, where)
        law, mean, error = (part.format(kind) for kind in ("theory", "mean", "se"))
        assert (frame.loc[rows, error] > 0).any()
        frame.loc[rows, mean] = frame.loc[rows, law] + count * frame.loc[rows, error]

    return change


def coarse(part, where=None, relative=0.031):
    """Standard errors that are this large, relative to the prediction."""

    def change(frame):
        rows = chosen(frame, where)
        law, error = (part.format(kind) for kind in ("theory", "se"))
        assert (frame.loc[rows, law].abs() > 1e-6).any()
        frame.loc[rows, error] = relative * frame.loc[rows, law].abs()

    return change


def then(*changes):
    def change(frame):
        for one in changes:
            one(frame)

    return change


BIAS, VARIANCE, COLLAPSE, INTERFERENCE, TOTAL = (
    "{}_" + part for part in ("bias", "variance", "collapse", "interference", "total")
)
ROUND = "{}"  # the columns of the rounds have no part


def best_weight(ratio):
    """Best weight at the smallest d/n, as a multiple of its prediction."""
    return put("best_weight", lambda f: ratio * f["predicted_weight"], "aspect_ratio == 0.0025")


def remainder(ratio):
    """What the expansion leaves at the smallest d/n: 1/ratio of what it leaves at twice that."""

    def change(frame):
        twice = frame.loc[frame["aspect_ratio"] == 0.005, "left_by_expansion"].iloc[0]
        frame.loc[frame["aspect_ratio"] == 0.0025, "left_by_expansion"] = twice / ratio

    return change


def best(kind):
    return {"ridge": "best_ridge", "risk": "risk"}[kind]


def at_distance(part, distance, where, n_features):
    """A simulation without sampling error that is off by so much, at one size."""

    def change(frame):
        rows = frame.query(f"{where} and n_features == {n_features}").index
        assert len(rows) == 1
        law, mean, error = (part.format(kind) for kind in ("theory", "mean", "se"))
        frame.loc[rows, mean] = frame.loc[rows, law] * (1 + distance)
        frame.loc[rows, error] = 0.0

    return change


def after_rounds(ratio, where):
    """Rounds, predicted and simulated alike, at a multiple of the error of the real part."""
    return then(
        put("theory", lambda f: ratio * f["real_alone"], where),
        put("mean", lambda f: f["theory"], where),
    )


LAST = "mode == 'reused' and round == 16 and n_samples == {}"
MIDDLE = "mode == 'reused' and round == 8 and n_samples == 2000"


def bent(part_of_a_step):
    """Move the prediction of one round among those without real samples."""

    def change(frame):
        rows = frame.query("synthetic_fraction == 1 and n_samples == 400").sort_values("round")
        step = np.diff(rows["theory"]).mean()
        frame.loc[rows.index[5], "theory"] += part_of_a_step * step

    return change


def departure_ratio(extra):
    """Noise at which the law of the ratio at p2 = 0.1 is 2 + extra, and that ratio."""
    where = "synthetic_fraction == 0.1"
    return then(
        put("noise_std", (0.09 / extra) ** 0.5, where),
        put("ratio_at_departure", 2 + extra, where),
        put("rule", lambda f: f["departure"] - f["n_features"], where),
    )


def scatter(replicates, error):
    """Deviations with mean zero; the standard error of their mean is given."""
    drawn = np.unique(replicates)
    return (replicates - drawn.mean()) * error * drawn.size**0.5 / drawn.std(ddof=1)


def gaps(narrow, peak, wide, error=1e-4, where="n_samples > 0"):
    """Gaps to clean labels at widths n/3, n and 10n, the second with a standard error."""

    def change(frame):
        chosen_rows = frame.query(where)
        assert len(chosen_rows)
        for _, rows in chosen_rows.groupby("data_used"):
            n, width = rows["n_samples"], rows["width"]
            places = [width == n // 3, width == n, width == 10 * n]
            gap = np.select(places, [narrow, peak, wide], 5.0)
            noise = scatter(rows["replicate"], error) * (width == n)
            frame.loc[rows.index, "error"] = rows["clean_error"] + gap + noise

    return change


DIGITS, FASHION = "data_used == 'digits'", "data_used == 'fashion-mnist'"
WIDE_GAPS = gaps(1.0, 9.0, 2.0)


def text_ratio(share, ratio, error=1e-4):
    """Added excess at 1.2 million tokens as a multiple of the floor, with a standard error."""

    def change(frame):
        top = frame[frame["tokens"] == 1_200_000]
        real = top[top["synthetic_fraction"] == 0.0].set_index("replicate")["excess"]
        rows = top[top["synthetic_fraction"] == share]
        assert len(rows) == len(real)
        added = rows["floor"] * (ratio + scatter(rows["replicate"], error))
        frame.loc[rows.index, "excess"] = rows["replicate"].map(real) + added

    return change


def texts(**ratios):
    return then(*(text_ratio(share, ratios.get(f"p{share:g}", 1.0)) for share in (0.3, 0.5, 1.0)))


def image_ratio(where, ratio, error):
    """Excess at p2 = 1/2 and the largest n as a multiple of the floor, with a standard error."""

    def change(frame):
        rows = frame.query(where)
        top = (rows["n_samples"] == rows["n_samples"].max()) & (rows["synthetic_fraction"] == 0.5)
        rows = rows[top]
        assert len(rows) >= 2
        floor = 0.25 * (rows["generator_error"] - rows["clean_error"])
        values = rows["clean_error"] + floor * (ratio + scatter(rows["replicate"], error))
        frame.loc[rows.index, "error"] = values

    return change


def images(digits=1.2, fashion=1.0, error=1e-4):
    return then(image_ratio(DIGITS, digits, error), image_ratio(FASHION, fashion, error))


def stories(half=4.0, generator=1.1, depth=None, half_error=1e-6, generator_error=1e-6):
    """Excess after the largest budget: 0.01 for real ones, a multiple at p2 = 1/2.

    At p2 = 1 it is a multiple of the generator's.
    """

    def change(frame):
        rows = frame[frame["tokens"] == frame["tokens"].max()]
        rows = rows if depth is None else rows[rows["n_layers"] == depth]
        assert len(rows)
        share, one = rows["synthetic_fraction"], scatter(rows["replicate"], 1.0)
        values = [
            0.01 + 0.0 * one,
            0.01 * half + half_error * one,
            rows["generator_excess"] * (generator + generator_error * one),
        ]
        places = [share == 0.0, share == 0.5, share == 1.0]
        frame.loc[rows.index, "excess"] = np.select(places, values, 0.02)

    return change


def fewer_seeds(frame):
    stories()(frame)
    frame.loc[frame["replicate"] == 0, "replicate"] = 1


# --- every condition --------------------------------------------------------------------------

# id, table, a change of it, and what the verdict becomes. Where a margin is a number, it is
# approached from both sides.
TURNS = [
    *(("STR-1", "mixtures", off(p, 1.49, "setting == 'G1'"), "agrees") for p in (BIAS, COLLAPSE)),
    ("STR-1", "mixtures", off(BIAS, 1.51, "setting == 'G1'"), "differs"),
    ("STR-1", "mixtures", off(VARIANCE, -1.51, "setting == 'white, n < d'"), "differs"),
    ("STR-1", "mixtures", off(COLLAPSE, 1.51, "setting == 'steep, n > d'"), "differs"),
    ("STR-1", "mixtures", coarse(COLLAPSE, "setting == 'G10'"), "inconclusive"),
    ("STR-1", "mixtures", coarse(BIAS, "setting == 'G2'"), "inconclusive"),
    ("STR-1", "mixtures", coarse(VARIANCE, "setting == 'G2'", 0.029), "agrees"),
    ("STR-1", "mixtures", scaled("mean_bias", 2.0, "projected"), "agrees"),
    ("STR-2", "mixtures", off(BIAS, 2.99, "setting == 'G3'"), "agrees"),
    ("STR-2", "mixtures", off(BIAS, 3.01, "setting == 'G3'"), "differs"),
    ("STR-2", "mixtures", off(VARIANCE, -3.01, "setting == 'steep, n < m'"), "differs"),
    ("STR-2", "mixtures", off(COLLAPSE, 3.01, "setting == 'white, m just above n'"), "differs"),
    ("STR-2", "mixtures", coarse(VARIANCE, "setting == 'G6'"), "inconclusive"),
    ("STR-2", "mixtures", scaled("mean_bias", 2.0, "setting in ['G7', 'G8', 'G9']"), "agrees"),
    ("STR-2", "mixtures", scaled("mean_bias", 2.0, "not projected"), "agrees"),
    ("STR-3", "identities", put("wide_error", 1.01e-6, "case == 7"), "differs"),
    ("STR-3", "identities", put("wide_error", 0.99e-6, "case == 7"), "agrees"),
    ("STR-3", "identities", put("collapse_without_shift", 1e-300, "case == 7"), "differs"),
    ("STR-3", "identities", put("collapse_without_synthetic", -1e-300, "case == 7"), "differs"),
    *(
        (
            "STR-4",
            "mixtures",
            put(f"theory_{part}", lambda f, p=part: f[f"golden_{p}"] + 1.01e-6, "setting == 'G6'"),
            "differs",
        )
        for part in ("bias", "variance", "collapse", "total")
    ),
    (
        "STR-4",
        "mixtures",
        put("theory_total", lambda f: f["golden_total"] - 0.99e-6, "setting == 'G6'"),
        "agrees",
    ),
    (
        "STR-4",
        "mixtures",
        put("theory_bias", lambda f: f["golden_bias"] - 1.01e-6, "setting == 'G1'"),
        "differs",
    ),
    ("STR-4", "mixtures", put("golden_total", np.nan, "setting == 'G6'"), "inconclusive"),
    ("STR-5", "identities", put("form_error", 1.01e-10, "case == 7"), "differs"),
    ("STR-5", "identities", put("form_error", 0.99e-10, "case == 7"), "agrees"),
    ("STR-5", "identities", put("collapse_over_bound", 1 - 1.1e-12, "case == 7"), "differs"),
    ("STR-5", "identities", put("collapse_over_bound", 1 - 0.9e-12, "case == 7"), "agrees"),
    ("STR-6", "floor", put("collapse_over_floor", 1.0101, "synthetic_fraction == 0.5"), "differs"),
    ("STR-6", "floor", put("collapse_over_floor", 0.9899, "synthetic_fraction == 0.5"), "differs"),
    ("STR-6", "floor", put("collapse_over_floor", 1.0099, "synthetic_fraction == 0.5"), "agrees"),
    *(
        ("STR-6", "floor", put("ratio_at_departure", 2.25 + change, "synthetic_fraction == 0.5"), o)
        for change, o in (
            (0.0051, "differs"),
            (-0.0051, "differs"),
            (0.0049, "agrees"),
            (-0.0049, "agrees"),
        )
    ),
    (
        "STR-6",
        "floor",
        then(
            put("noise_std", 0.5, "synthetic_fraction == 0.5"),
            put("shift_size", 2.0, "synthetic_fraction == 0.5"),
            put("ratio_at_departure", 2 + 0.25 * 2.0 / 0.5**2, "synthetic_fraction == 0.5"),
        ),
        "agrees",
    ),
    ("STR-6", "floor", departure_ratio(0.101), "differs"),
    ("STR-6", "floor", departure_ratio(0.099), "agrees"),
    *(
        (
            "STR-6",
            "floor",
            put(
                "departure",
                lambda f, ratio=ratio: ratio * (f["rule"] + f["n_features"]),
                "synthetic_fraction == 0.01",
            ),
            outcome,
        )
        for ratio, outcome in (
            (1.0051, "differs"),
            (0.9949, "differs"),
            (1.0049, "agrees"),
            (0.9951, "agrees"),
        )
    ),
    ("STR-6", "sample-sweep", off(TOTAL, 1.51, "n_samples == 10_000_000"), "differs"),
    ("STR-6", "sample-sweep", off(TOTAL, 1.49, "n_samples == 10_000_000"), "agrees"),
    ("STR-6", "sample-sweep", coarse(TOTAL, "n_samples == 10_000_000"), "inconclusive"),
    ("STR-6", "mixtures", off(COLLAPSE, 1.51, "setting == 'G10'"), "differs"),
    ("STR-6", "mixtures", off(COLLAPSE, 1.49, "setting == 'G10'"), "agrees"),
    ("STR-6", "mixtures", coarse(COLLAPSE, "setting == 'G10'"), "inconclusive"),
    (
        "STR-7",
        "model-size",
        put("rises_below", False, "shift == 'inverse' and shape == 'power law'"),
        "differs",
    ),
    ("STR-7", "model-size", put("rises_below", False, "shift != 'inverse'"), "agrees"),
    ("STR-7", "model-size", put("falls_above", False, "shift == 'random'"), "differs"),
    ("STR-7", "model-size", put("rises_below", False, "n_features < n_samples"), "agrees"),
    ("STR-7", "model-size", put("collapse_at_infinity", 0.0, "shift == 'even'"), "differs"),
    ("STR-7", "counterexample", off(COLLAPSE, 3.01, "width == 352"), "differs"),
    ("STR-7", "counterexample", off(COLLAPSE, 2.99, "width == 352"), "agrees"),
    ("STR-7", "counterexample", coarse(COLLAPSE, "width == 352"), "inconclusive"),
    ("STR-7", "counterexample", coarse(COLLAPSE, "width == 266", 0.2), "inconclusive"),
    (
        "STR-7",
        "counterexample",
        then(
            put("theory_collapse", 1.139, "width in [266, 300]"),
            put("mean_collapse", 1.139, "width in [266, 300]"),
        ),
        "differs",
    ),
    (
        "STR-8",
        "model-size",
        put("spread_above", 1.01e-10, "n_features < n_samples and shift == 'random'"),
        "differs",
    ),
    ("STR-8", "model-size", put("spread_above", 0.99e-10, "n_features < n_samples"), "agrees"),
    ("STR-8", "model-size", put("spread_above", 3.0, "n_features > n_samples"), "agrees"),
    (
        "STR-8",
        "model-size",
        put("n_features", 500, "n_features < n_samples and shift == 'random'"),
        "inconclusive",
    ),
    ("STR-9", "image-width", WIDE_GAPS, "agrees"),
    ("STR-9", "image-width", gaps(1.0, 3.03, 2.0), "agrees"),
    ("STR-9", "image-width", gaps(1.0, 3.03, 2.04), "differs"),
    ("STR-9", "image-width", gaps(1.02, 3.03, 2.0), "differs"),
    ("STR-9", "image-width", gaps(1.0, 3.03, 1.0, 0.0101), "inconclusive"),
    ("STR-9", "image-width", gaps(1.0, 3.03, 1.0, 0.0099), "agrees"),
    ("STR-9", "image-width", gaps(0.5, 3.03, 2.0, 0.0101), "inconclusive"),
    ("STR-9", "image-width", gaps(1.02, 3.03, 1.0, 0.0101), "inconclusive"),
    ("STR-9", "image-width", gaps(1.02, 3.03, 1.0, 0.0099), "differs"),
    ("STR-9", "image-width", gaps(0.5, 3.03, 2.0, 0.0099), "agrees"),
    ("STR-9", "image-width", then(WIDE_GAPS, gaps(4.0, 9.0, 2.0, where=DIGITS)), "differs"),
    (
        "STR-9",
        "image-width",
        then(WIDE_GAPS, gaps(1.0, 9.0, 8.0, where=FASHION + " and synthetic_fraction == 0.5")),
        "differs",
    ),
    (  # what is known to fail decides, whatever else is left open
        "STR-9",
        "image-width",
        then(
            WIDE_GAPS,
            gaps(1.0, 3.03, 1.0, 0.0101, DIGITS),
            gaps(4.0, 9.0, 2.0, where=FASHION + " and synthetic_fraction == 0.5"),
        ),
        "differs",
    ),
    ("STR-10", "least-squares", by_errors(VARIANCE, 8, "n_real == 27"), "differs"),
    ("STR-10", "least-squares", by_errors(COLLAPSE, -8, "n_real == 10"), "differs"),
    ("STR-10", "least-squares", by_errors(COLLAPSE, 4, "n_real == 10"), "agrees"),
    ("STR-10", "least-squares", coarse(COLLAPSE, "n_real == 200"), "inconclusive"),
    ("STR-11", "best-weight", remainder(4.21), "differs"),
    ("STR-11", "best-weight", remainder(3.79), "differs"),
    ("STR-11", "best-weight", remainder(4.19), "agrees"),
    ("STR-11", "best-weight", remainder(3.81), "agrees"),
    ("STR-11", "best-weight", best_weight(0.949), "differs"),
    ("STR-11", "best-weight", best_weight(1.001), "differs"),
    ("STR-11", "best-weight", best_weight(0.951), "agrees"),
    ("STR-11", "best-weight", best_weight(0.9999), "agrees"),
    ("STR-11", "best-weight", put("best_weight", 1e-6, "aspect_ratio == 0.02"), "differs"),
    *(
        ("STR-11", "weights", at_distance(part, distance, "weight == 0.5", 100), outcome)
        for part in (VARIANCE, COLLAPSE, TOTAL)
        for distance, outcome in ((0.0201, "differs"), (-0.0201, "differs"), (0.0199, "agrees"))
    ),
    ("STR-11", "weights", at_distance(TOTAL, 0.015, "weight == 0.1", 400), "differs"),
    ("STR-11", "weights", by_errors(COLLAPSE, 4, "weight == 0.02 and n_features == 100"), "agrees"),
    ("STR-11", "weights", coarse(COLLAPSE, "weight == 0.7"), "inconclusive"),
    ("STR-11", "weights", coarse(COLLAPSE, "weight == 0.7", 0.029), "agrees"),
    (
        "STR-11",
        "weights",
        then(coarse(COLLAPSE, "weight == 0.7"), at_distance(TOTAL, 0.05, "weight == 0.5", 100)),
        "differs",
    ),
    (  # 10 % is within four standard errors of 2.5 %
        "STR-11",
        "weights",
        then(
            at_distance(COLLAPSE, 0.1, "weight == 0.02", 100),
            coarse(COLLAPSE, "weight == 0.02 and n_features == 100", 0.025),
        ),
        "agrees",
    ),
    ("STR-11", "weights", scaled("mean_variance", 2.0, "weight == 0"), "agrees"),
    ("STR-12", "weights", put("reported", lambda f: f["theory_total"]), "agrees"),
    ("STR-12", "weights", put("reported", lambda f: f["theory_total"], "weight < 1"), "differs"),
    (
        "STR-12",
        "weights",
        then(put("reported", lambda f: f["theory_total"]), off(TOTAL, 1.51, "weight == 0.5")),
        "differs",
    ),
    (
        "STR-12",
        "weights",
        then(put("reported", lambda f: f["theory_total"]), coarse(TOTAL, "weight == 0.5")),
        "inconclusive",
    ),
    (
        "STR-13",
        "iterative-mixing",
        by_errors(ROUND, 8, "mode == 'fresh' and synthetic_fraction == 0.5 and round == 3"),
        "differs",
    ),
    (
        "STR-13",
        "iterative-mixing",
        by_errors(ROUND, 4, "mode == 'fresh' and synthetic_fraction == 0.5 and round == 3"),
        "agrees",
    ),
    (
        "STR-13",
        "iterative-mixing",
        coarse(ROUND, "mode == 'fresh' and synthetic_fraction == 0.5 and round == 1"),
        "inconclusive",
    ),
    (
        "STR-13",
        "iterative-mixing",
        scaled("mean", 2.0, "mode != 'fresh' or synthetic_fraction == 1 or round == 0"),
        "agrees",
    ),
    ("STR-14", "iterative-mixing", off(ROUND, 2.01, MIDDLE), "differs"),
    ("STR-14", "iterative-mixing", off(ROUND, 1.99, MIDDLE), "agrees"),
    *(
        ("STR-14", "iterative-mixing", after_rounds(4 / 3 + change, LAST.format(n)), outcome)
        for n in (400, 2000)
        for change, outcome in (
            (0.081, "differs"),
            (-0.081, "differs"),
            (0.079, "agrees"),
            (-0.079, "agrees"),
        )
    ),
    ("STR-14", "iterative-mixing", after_rounds(0.995, MIDDLE), "differs"),
    ("STR-14", "iterative-mixing", after_rounds(1.001, MIDDLE), "agrees"),
    ("STR-14", "iterative-mixing", coarse(ROUND, MIDDLE), "inconclusive"),
    ("STR-14", "iterative-mixing", coarse(ROUND, LAST.format(400), 0.1), "inconclusive"),
    ("STR-14", "iterative-mixing", scaled("mean", 2.0, "mode != 'reused'"), "agrees"),
    ("STR-14", "iterative-mixing", scaled("mean", 2.0, "round == 0"), "agrees"),
    ("STR-15", "iterative-mixing", bent(0.6e-10), "differs"),
    ("STR-15", "iterative-mixing", bent(0.4e-10), "agrees"),
    *(
        (
            "STR-15",
            "iterative-mixing",
            change(ROUND, *rest, "synthetic_fraction == 1 and n_samples == 400 and round == 3"),
            outcome,
        )
        for change, rest, outcome in (
            (by_errors, (8,), "differs"),
            (by_errors, (-4,), "agrees"),
            (coarse, (), "inconclusive"),
        )
    ),
    ("STR-15", "iterative-mixing", scaled("mean", 2.0, "synthetic_fraction < 1"), "agrees"),
    ("STR-15", "iterative-mixing", scaled("mean", 2.0, "n_samples == 2000"), "agrees"),
    ("STR-15", "iterative-mixing", scaled("mean", 2.0, "round == 0"), "agrees"),
    *(
        (
            "STR-16",
            "best-ridge",
            put(
                f"closed_form_{kind}",
                lambda f, kind=kind, ratio=ratio: f[best(kind)] * ratio,
                "aspect_ratio == 2 and synthetic_fraction == 0.1 and shift_size == 0.5",
            ),
            outcome,
        )
        for kind in ("ridge", "risk")
        for ratio, outcome in (
            (1 + 1.1e-5, "differs"),
            (1 - 1.1e-5, "differs"),
            (1 + 0.9e-5, "agrees"),
        )
    ),
    *(
        (
            "STR-16",
            "best-ridge",
            put(
                f"predicted_{kind}",
                lambda f, kind=kind, ratio=ratio: f[best(kind)] / ratio,
                "aspect_ratio == 1e-4 and synthetic_fraction == 0.5",
            ),
            outcome,
        )
        for kind in ("ridge", "risk")
        for ratio, outcome in (
            (1.0051, "differs"),
            (0.9949, "differs"),
            (1.0049, "agrees"),
            (0.9951, "agrees"),
        )
    ),
    (
        "STR-16",
        "best-ridge",
        put("floor", lambda f: f["risk"], "aspect_ratio == 1e-4 and synthetic_fraction == 0.5"),
        "differs",
    ),
    ("STR-17", "mixtures", off(BIAS, 3.01, "setting == 'G7'"), "differs"),
    ("STR-17", "mixtures", off(VARIANCE, -3.01, "setting == 'G8'"), "differs"),
    ("STR-17", "mixtures", off(COLLAPSE, 3.01, "setting == 'G9'"), "differs"),
    ("STR-17", "mixtures", off(INTERFERENCE, 3.01, "setting == 'G9'"), "differs"),
    ("STR-17", "mixtures", off(INTERFERENCE, 2.99, "setting == 'G9'"), "agrees"),
    ("STR-17", "mixtures", off(COLLAPSE, 2.99, "setting == 'G8'"), "agrees"),
    ("STR-17", "mixtures", coarse(INTERFERENCE, "setting == 'G9'"), "inconclusive"),
    ("STR-17", "mixtures", coarse(BIAS, "setting == 'G7'"), "inconclusive"),
    ("STR-17", "mixtures", scaled("mean_bias", 2.0, "setting == 'G3'"), "agrees"),
    (
        "STR-18",
        "helpful-synthetic",
        scaled("first_change", -1, "relative_shift == 0.95 and n_synthetic == 30"),
        "differs",
    ),
    (
        "STR-18",
        "helpful-synthetic",
        scaled("first_change", -1, "relative_shift == 1.05 and n_synthetic == 30"),
        "differs",
    ),
    ("STR-18", "helpful-synthetic", scaled("first_change", -1, "relative_shift == 3"), "agrees"),
    ("STR-18", "helpful-synthetic", by_errors(TOTAL, 8, "n_synthetic == 30"), "differs"),
    ("STR-18", "helpful-synthetic", by_errors(TOTAL, 4, "n_synthetic == 30"), "agrees"),
    ("STR-18", "helpful-synthetic", coarse(TOTAL, "n_synthetic == 30"), "inconclusive"),
    ("STR-18", "helpful-synthetic", off(TOTAL, 0.5, "n_synthetic == 30"), "differs"),
    ("STR-19", "markov-chain", texts(), "agrees"),
    *(
        ("STR-19", "markov-chain", texts(**{share: ratio}), outcome)
        for share in ("p0.3", "p0.5", "p1")
        for ratio, outcome in (
            (1.101, "differs"),
            (0.899, "differs"),
            (1.099, "agrees"),
            (0.901, "agrees"),
        )
    ),
    ("STR-19", "markov-chain", then(texts(), text_ratio(0.5, 1.0, 0.034)), "inconclusive"),
    ("STR-19", "markov-chain", then(texts(), text_ratio(0.5, 1.0, 0.033)), "agrees"),
    ("STR-19", "markov-chain", then(texts(), text_ratio(0.5, 1.5, 0.034)), "differs"),
    ("STR-19", "markov-chain", then(texts(), text_ratio(0.1, 5.0)), "agrees"),
    ("STR-20", "image-mixing", images(), "agrees"),
    *(
        ("STR-20", "image-mixing", images(**{data: low + change}), outcome)
        for data, low, high in (("digits", 0.8, 1.7), ("fashion", 0.85, 1.25))
        for change, outcome in (
            (-0.005, "differs"),
            (0.005, "agrees"),
            (high - low - 0.005, "agrees"),
            (high - low + 0.005, "differs"),
        )
    ),
    ("STR-20", "image-mixing", images(fashion=1.2, error=0.0252), "inconclusive"),
    ("STR-20", "image-mixing", images(fashion=1.2, error=0.0248), "agrees"),
    ("STR-20", "image-mixing", images(digits=0.85, error=0.0252), "inconclusive"),
    ("STR-20", "image-mixing", images(digits=0.85, error=0.0248), "agrees"),
    (
        "STR-20",
        "image-mixing",
        then(images(fashion=1.5), image_ratio(DIGITS, 0.85, 0.0252)),
        "differs",
    ),
    ("STR-21", "stories", stories(), "agrees"),
    (
        "STR-21",
        "stories",
        then(
            stories(),
            stories(half=1.5, depth=1),
            stories(half=2.02, half_error=6.8e-5, depth=2),
        ),
        "differs",
    ),
    *(
        ("STR-21", "stories", then(stories(), stories(**change, depth=depth)), outcome)
        for depth in (1, 2, 4)
        for change, outcome in (
            ({"half": 1.98}, "differs"),
            ({"half": 2.02}, "agrees"),
            ({"half": 2.02, "half_error": 6.8e-5}, "inconclusive"),
            ({"half": 2.02, "half_error": 6.5e-5}, "agrees"),
            ({"generator": 0.89}, "differs"),
            ({"generator": 0.91}, "agrees"),
            ({"generator": 1.29}, "agrees"),
            ({"generator": 1.31}, "differs"),
            ({"generator": 1.29, "generator_error": 0.0051}, "inconclusive"),
            ({"generator": 1.29, "generator_error": 0.0049}, "agrees"),
            ({"generator": 0.91, "generator_error": 0.0051}, "inconclusive"),
            ({"generator": 0.91, "generator_error": 0.0049}, "agrees"),
        )
    ),
    ("STR-21", "stories", fewer_seeds, "inconclusive"),
]


@pytest.mark.parametrize(("identity", "table", "change", "outcome"), TURNS)
def test_the_verdict_turns(identity, table, change, outcome, archive):
    name = f"strong_collapse/{table}"
    frame = archive[name].copy()
    change(frame)
    assert not frame.equals(archive[name])
    verdict = judge(claim(identity), {**archive, name: frame}, tier="full")
    assert verdict.outcome == Outcome(outcome), verdict


def test_every_claim_can_turn_in_every_table_that_it_uses():
    turned = {
        (identity, f"strong_collapse/{table}")
        for identity, table, _, outcome in TURNS
        if claim(identity).expected is None or Outcome(outcome) is not claim(identity).expected
    }
    assert turned == {(one.id, name) for one in CLAIMS for name in one.experiments}


def test_every_verdict_but_of_identities_can_be_left_open():
    left_open = {identity for identity, _, _, outcome in TURNS if outcome == "inconclusive"}
    assert {one.id for one in CLAIMS} - left_open == {"STR-3", "STR-5", "STR-16"}


def test_numbers_of_the_verdicts(archive):
    """What the summaries and the ledger tell, taken from the tables once more."""
    found = {one.id: judge(one, archive, tier="full") for one in CLAIMS}
    tables = {name.partition("/")[2]: frame for name, frame in archive.items()}
    for verdict in found.values():
        assert verdict.numbers
        assert any(character.isdigit() for character in verdict.summary)

    widths = tables["image-width"].query("data_used == 'digits' and synthetic_fraction == 0.3")
    gap = (widths["error"] - widths["clean_error"]).groupby(widths["width"]).mean()
    numbers = found["STR-9"].numbers
    assert numbers["digits_0.3_narrow"] == pytest.approx(gap[300] / gap[100])
    assert numbers["digits_0.3_wide"] == pytest.approx(gap[300] / gap[3000])

    # d = 12, n = 40, n2 = 13: the exact collapse by hand, and what the limit misses of it
    assert found["STR-10"].numbers["limit_error"] == pytest.approx(-0.0288, abs=5e-5)

    half = tables["weights"].query("weight == 0.5").iloc[0]
    numbers = found["STR-12"].numbers
    assert numbers["simulated"] == half["mean_total"]
    assert numbers["derived"] == half["theory_total"] == pytest.approx(0.25 / 19 + 0.5 * 5 / 19)
    assert numbers["reported"] == pytest.approx(0.0375)

    rounds = tables["iterative-mixing"].query("round == 16 and synthetic_fraction == 0.5")
    rounds = rounds.set_index(["mode", "n_samples"])["mean"]
    assert found["STR-13"].numbers["last"] == rounds["fresh", 400]
    real = {400: 0.25 * 40 / 159, 2000: 0.25 * 20 / 979}
    for n, alone in real.items():
        ratio = found["STR-14"].numbers[f"ratio_{n}"]
        assert ratio == pytest.approx(rounds["reused", n] / alone)
    assert found["STR-15"].numbers["step"] == pytest.approx(0.25 * 40 / 359)

    top = tables["stories"].query("tokens == 1_000_000 and n_layers == 2")
    top = top.pivot_table(
        index="replicate", columns="synthetic_fraction", values=["excess", "generator_excess"]
    )
    numbers = found["STR-21"].numbers
    assert numbers["ratio_2"] == pytest.approx((top["excess"][0.5] / top["excess"][0.0]).mean())
    level = top["excess"][1.0] / top["generator_excess"][1.0]
    assert numbers["level_2"] == pytest.approx(level.mean())


def test_both_numbers_are_there(archive):
    without = {one.id for one in CLAIMS if not one.reported}
    assert without == {"STR-10"}  # an exact law of this book, too long for a line
    assert all(judge(one, archive, tier="full").measured for one in CLAIMS)


def test_numbers_that_are_reported_are_what_the_formulas_give(archive):
    """Constants written into the claims, from the tables that ours are measured in."""
    numbers = judge(claim("STR-12"), archive, tier="full").numbers
    assert claim("STR-12").reported.endswith(f"= {numbers['reported']:.4f} at α = 0.5")
    row = archive["strong_collapse/best-ridge"]
    row = row.query("aspect_ratio == 1e-4 and synthetic_fraction == 0.5").iloc[0]
    assert f"= {row['predicted_ridge']:g} and" in claim("STR-16").reported
    assert f"= {row['predicted_risk']:g} for d/n" in claim("STR-16").reported
    golden = archive["strong_collapse/mixtures"].dropna(subset=["golden_total"])
    parts = ("bias", "variance", "collapse", "total")
    count = golden[[f"golden_{part}" for part in parts]].notna().to_numpy().sum()
    assert claim("STR-4").reported == f"{count} numbers to six decimals"


def test_what_is_measured_is_in_the_tables(archive):
    found = {one.id: judge(one, archive, tier="full").measured for one in CLAIMS}
    tables = {name.partition("/")[2]: frame for name, frame in archive.items()}

    many = tables["sample-sweep"].query("n_samples == 1e9 and synthetic_fraction == 0.001").iloc[0]
    level = plus_minus(many["mean_collapse"] * 1e6, many["se_collapse"] * 1e6)
    assert found["STR-6"].startswith(f"{level} p₂²c² (p₂ = 0.001);")

    gaps = tables["image-width"].query("width == n_samples and synthetic_fraction == 0.3")
    gaps = gaps.assign(gap=gaps["error"] - gaps["clean_error"]).groupby("data_used")["gap"]
    for name, mean, error in zip(gaps.groups, gaps.mean(), gaps.sem(), strict=True):
        assert f"{plus_minus(mean, error, signed=True)} ({name})" in found["STR-9"]

    half = tables["weights"].query("weight == 0.5").iloc[0]
    assert found["STR-12"] == plus_minus(half["mean_total"], half["se_total"]) + " at α = 0.5"

    rounds = tables["iterative-mixing"].query("round == 16 and n_samples == 400")
    rounds = rounds.set_index(["mode", "synthetic_fraction"])
    alone, kept = 0.25 * 40 / 159, rounds.loc["reused", 0.5]
    ratio = plus_minus(kept["mean"] / alone, kept["se"] / alone)
    assert found["STR-14"].startswith(f"{ratio} (n = 400), ")
    drift = rounds.loc["fresh", 1.0]
    step = plus_minus((drift["mean"] - 1.0) / 16, drift["se"] / 16)
    assert found["STR-15"] == f"{step} in each round (exact {0.25 * 40 / 359:.7f})"

    texts_ = tables["markov-chain"].query("tokens == 1_200_000")
    wide = texts_.pivot_table(index="replicate", columns="synthetic_fraction", values="excess")
    floor = texts_.query("synthetic_fraction == 0.3").set_index("replicate")["floor"]
    added = (wide[0.3] - wide[0.0]) / floor
    assert found["STR-19"].startswith(f"{plus_minus(added.mean(), added.sem())} (p₂ = 0.3) to ")

    top = tables["stories"].query("tokens == 1_000_000 and n_layers == 4")
    wide = top.pivot_table(index="replicate", columns="synthetic_fraction", values="excess")
    times = wide[0.5] / wide[0.0]
    assert found["STR-21"].startswith(f"×{plus_minus(times.mean(), times.sem())} real; ")
    assert found["STR-21"].endswith("(4 layers)")


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_what_is_measured_follows_the_tables(one, archive):
    before = judge(one, archive, tier="full").measured
    texts_ = set()
    changes = [(table, change) for identity, table, change, _ in TURNS if identity == one.id]
    if one.id == "STR-16":  # its changes above move the predictions
        changes += [("best-ridge", scaled("risk", 1.01)), ("best-ridge", scaled("best_ridge", 2.0))]
    for table, change in changes:
        frame = archive[f"strong_collapse/{table}"].copy()
        change(frame)
        tables = {**archive, f"strong_collapse/{table}": frame}
        texts_.add(judge(one, tables, tier="full").measured)
    assert texts_ - {before}
    assert "" not in texts_
