"""The claims on trained models: verdicts from tables made by hand, and how each of them turns.

The tables have the layout of the real ones and the numbers of no run: what is tested is the rule.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from fragile_learning.claims import Outcome, judge
from fragile_learning.scaling_laws.claims import CLAIMS, claim
from fragile_learning.scaling_laws.trained_claims import TRAINED_CLAIMS
from fragile_learning.scaling_laws.trained_experiments import TRAINED_EXPERIMENTS

REPLICATES = range(3)


def chains():
    """Chains of six generations: sampled ones lose a divisor a generation, the others none."""
    counts = {
        ("uniform", 1.0, 0.0): [12, 11, 10, 9, 8, 7],
        ("uniform", 1.0, 1.0): [12, 11, 12, 11, 12, 11],
        ("uniform", 0.0, 0.0): [12, 11, 11, 11, 11, 10],
        ("log-uniform", 1.0, 0.0): [9, 9, 9, 9, 9, 9],
    }
    return pd.DataFrame(
        [
            {
                "replicate": replicate,
                "operands": operands,
                "temperature": temperature,
                "real_fraction": fraction,
                "generation": generation,
                "n_learnt": count,
                "n_labels": 90 if generation == 0 else 12,
            }
            for (operands, temperature, fraction), row in counts.items()
            for replicate in REPLICATES
            for generation, count in enumerate(row)
        ]
    )


def students():
    """Students of a teacher of 5 divisors, at four places of a stream."""
    counts = {
        ("omitting", 0.0): [4, 5, 6, 5],
        ("omitting", 0.2): [5, 5, 11, 10],
        ("relabelled", 0.1): [5, 5, 6, 5],
        ("relabelled", 0.3): [5, 12, 6, 6],  # early numbers do not count
        ("relabelled", 0.6): [5, 6, 6, 9],
        ("relabelled", 1.0): [5, 12, 12, 12],
    }
    return pd.DataFrame(
        [
            {
                "replicate": replicate,
                "mix": mix,
                "real_fraction": fraction,
                "n_samples": size,
                "n_learnt": count,
                "teacher_learnt": 5,
            }
            for (mix, fraction), row in counts.items()
            for replicate in REPLICATES
            for size, count in zip((100, 200, 300, 400), row, strict=True)
        ]
    )


def texts():
    """Perplexities that grow, level off at once, or not at all."""
    step = np.arange(11)
    laws = {0.0: 100.0 + 10.0 * step, 0.1: 300.0 - 200.0 * 0.5**step, 1.0: 100.0 + 0.0 * step}
    return pd.DataFrame(
        [
            {"replicate": i, "real_fraction": share, "generation": n, "perplexity": value + i - 1}
            for share, law in laws.items()
            for i in REPLICATES
            for n, value in enumerate(law)
        ]
    )


def sizes():
    """Real text that helps, and synthetic text that stops helping."""
    laws = {
        ("real", 50_000): {2_000: 400.0, 20_000: 200.0, 60_000: 100.0},
        ("synthetic", 20_000): {2_000: 400.0, 300_000: 220.0, 1_000_000: 230.0, 3_000_000: 240.0},
        ("synthetic", 50_000): {2_000: 400.0, 300_000: 140.0, 1_000_000: 141.0, 3_000_000: 142.0},
    }
    return pd.DataFrame(
        [
            {"data": data, "n_writer_tokens": writer, "tokens": tokens, "perplexity": value}
            for (data, writer), law in laws.items()
            for tokens, value in law.items()
        ]
    )


def tables():
    return {
        "scaling_laws/gcd-generations": chains(),
        "scaling_laws/gcd-recovery": students(),
        "scaling_laws/text-generations": texts(),
        "scaling_laws/text-scaling": sizes(),
    }


def put(column, value, where):
    def change(frame):
        rows = frame.query(where).index
        assert len(rows)
        frame.loc[rows, column] = value
        return frame

    return change


def alone(frame):
    return frame[frame["replicate"] == 0]


SAMPLED = "operands == 'uniform' and temperature == 1 and real_fraction == 0"
CONTROL = "operands == 'uniform' and real_fraction == 1"
ARGMAX = "temperature == 0"
LATE = "mix == '{}' and real_fraction == {} and n_samples > 200"
TEXT = "real_fraction == {} and generation == {}"
SIZE = "data == '{}' and n_writer_tokens == {} and tokens == {}"

TURNS = [
    (
        "TAL-23",
        "gcd-generations",
        put("n_learnt", 11, f"{SAMPLED} and generation == 4 and replicate == 1"),
        "differs",
    ),
    (
        "TAL-23",
        "gcd-generations",
        put("n_learnt", 10, f"{SAMPLED} and generation == 4"),
        "agrees",
    ),
    (
        "TAL-23",
        "gcd-generations",
        put("n_learnt", 9, f"{CONTROL} and generation == 2 and replicate == 2"),
        "differs",
    ),
    ("TAL-23", "gcd-generations", put("n_learnt", 10, CONTROL), "agrees"),
    ("TAL-24", "gcd-generations", put("n_learnt", 9, f"{ARGMAX} and generation == 5"), "differs"),
    ("TAL-24", "gcd-generations", put("n_learnt", 9, f"{SAMPLED} and generation == 5"), "differs"),
    ("TAL-24", "gcd-generations", put("n_learnt", 8, f"{SAMPLED} and generation == 5"), "agrees"),
    ("TAL-24", "gcd-recovery", put("n_learnt", 9, LATE.format("omitting", 0.2)), "differs"),
    ("TAL-24", "gcd-recovery", put("n_learnt", 7, LATE.format("omitting", 0.0)), "differs"),
    ("TAL-24", "gcd-recovery", put("n_learnt", 7, LATE.format("relabelled", 0.3)), "differs"),
    ("TAL-24", "gcd-recovery", put("n_learnt", 7, LATE.format("relabelled", 0.6)), "differs"),
    ("TAL-24", "gcd-recovery", put("n_learnt", 8, LATE.format("relabelled", 0.6)), "agrees"),
    ("TAL-25", "text-generations", put("perplexity", 90.0, TEXT.format(0.0, 5)), "differs"),
    ("TAL-25", "text-generations", put("perplexity", 330.0, TEXT.format(0.1, 10)), "differs"),
    ("TAL-25", "text-generations", put("perplexity", 171.0, TEXT.format(0.0, 7)), "agrees"),
    ("TAL-25", "text-generations", put("perplexity", 195.0, TEXT.format(0.0, 7)), "differs"),
    (
        "TAL-25",
        "text-scaling",
        put("perplexity", 200.0, SIZE.format("synthetic", 20_000, 3_000_000)),
        "differs",
    ),
    (
        "TAL-25",
        "text-scaling",
        put("perplexity", 148.0, SIZE.format("synthetic", 50_000, 3_000_000)),
        "differs",
    ),
    (
        "TAL-25",
        "text-scaling",
        put("perplexity", 250.0, SIZE.format("real", 50_000, 60_000)),
        "differs",
    ),
]


@pytest.mark.parametrize("identity", ["TAL-23", "TAL-24", "TAL-25"])
def test_the_rules_accept_what_was_expected(identity):
    verdict = judge(claim(identity), tables(), tier="full")
    assert verdict.outcome is Outcome.AGREES, verdict
    assert any(character.isdigit() for character in verdict.summary)


@pytest.mark.parametrize(("identity", "table", "change", "outcome"), TURNS)
def test_the_verdict_turns(identity, table, change, outcome):
    found = tables()
    found[f"scaling_laws/{table}"] = change(found[f"scaling_laws/{table}"])
    verdict = judge(claim(identity), found, tier="full")
    assert verdict.outcome is Outcome(outcome), verdict


def test_every_claim_turns_in_every_table_that_it_uses():
    turned = {
        (identity, f"scaling_laws/{table}")
        for identity, table, _, outcome in TURNS
        if outcome == "differs"
    }
    judged = [one for one in TRAINED_CLAIMS if one.expected is Outcome.AGREES]
    assert turned == {(one.id, name) for one in judged for name in one.experiments}
    used = set(itertools.chain.from_iterable(one.experiments for one in TRAINED_CLAIMS))
    assert used == {one.name for one in TRAINED_EXPERIMENTS}


@pytest.mark.parametrize("identity", ["TAL-23", "TAL-24"])
def test_one_chain_that_falls_short_decides_nothing(identity):
    found = tables()
    name = "scaling_laws/gcd-generations"
    found[name] = put("n_learnt", 11, SAMPLED)(found[name])
    assert judge(claim(identity), found, tier="full").outcome is Outcome.DIFFERS
    few = {key: alone(frame) if "gcd" in key else frame for key, frame in found.items()}
    assert judge(claim(identity), few, tier="full").outcome is Outcome.INCONCLUSIVE


def test_numbers_of_the_verdicts():
    found = {i: judge(claim(i), tables(), tier="full").numbers for i in ("TAL-23", "TAL-24")}
    assert found["TAL-23"] == {
        "smallest_loss": 4.0,
        "mean_loss": 4.0,
        "least_in_control": 11.0,
        "n_replicates": 3,
    }
    assert found["TAL-24"] == {
        "argmax_loss": 1.0,
        "argmax_over_sampled": 3.0,
        "teacher": 5.0,
        "omitting": 11.0,
        "omitting_without_real": 6.0,
        "minority": 6.0,
        "majority": 9.0,
    }
    text = judge(claim("TAL-25"), tables(), tier="full").numbers
    assert text["late_over_early"] == pytest.approx(1.0)
    assert text["late_over_early_mixed"] == pytest.approx((0.5**7 - 0.5**10) / (1 - 0.5**3))
    assert text["spread_20000"] == pytest.approx(240 / 220 - 1)


def test_tables_without_what_is_judged_are_refused():
    found = tables()
    name = "scaling_laws/text-scaling"
    found[name] = found[name][found[name]["tokens"] <= 1_000_000]
    with pytest.raises(ValueError, match=r"TAL-25 cannot be judged .* needs texts of 300,000 to"):
        judge(claim("TAL-25"), found, tier="full")
    name = "scaling_laws/gcd-generations"
    found[name] = found[name][found[name]["real_fraction"] == 0.0]
    with pytest.raises(ValueError, match=r"TAL-23 cannot be judged .* no row with"):
        judge(claim("TAL-23"), found, tier="full")


def test_the_claims_are_complete():
    ids = [one.id for one in CLAIMS]
    assert ids == [f"TAL-{number}" for number in range(1, len(ids) + 1)]
    assert judge(claim("TAL-24"), tables(), tier="quick").outcome is Outcome.NOT_RUN


def transformers():
    perplexity = {
        0.0: [70.0, 90.0, 110.0],
        0.02: [70.0, 88.0, 105.0],
        0.1: [70.0, 80.0, 85.0],
        1.0: [70.0, 71.0, 69.0],
    }
    return pd.DataFrame(
        [
            {
                "replicate": replicate,
                "corpus_name": "king-james",
                "temperature": 1.0,
                "real_fraction": share,
                "generation": generation,
                "perplexity": value + replicate - 1,
                "n_types": 3000 - 300 * generation,
            }
            for share, row in perplexity.items()
            for replicate in REPLICATES
            for generation, value in enumerate(row)
        ]
    )


@pytest.mark.parametrize(
    ("broken", "change"),
    [
        (None, None),
        ("rises", put("perplexity", 65.0, TEXT.format(0.0, 1))),
        ("rises", put("perplexity", 74.0, TEXT.format(0.0, 0))),
        ("loses_words", put("n_types", 3000, TEXT.format(0.0, 2))),
        ("control_stays", put("perplexity", 78.0, TEXT.format(1.0, 1))),
        ("two_percent_help", put("perplexity", 111.0, TEXT.format(0.02, 2))),
        ("a_tenth_helps", put("perplexity", 105.0, TEXT.format(0.1, 2))),
    ],
)
def test_a_model_that_was_not_run_has_no_verdict(broken, change):
    frame = transformers() if change is None else change(transformers())
    verdict = judge(claim("TAL-26"), {"scaling_laws/text-transformers": frame}, tier="full")
    assert verdict.outcome is claim("TAL-26").expected is Outcome.NOT_RUN
    assert verdict.summary.startswith("The weights are not here.")
    held = {key for key, value in verdict.numbers.items() if value is True}
    expected = {"rises", "loses_words", "control_stays", "two_percent_help", "a_tenth_helps"}
    assert expected - held == {broken} - {None}


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("TAL-23", "4 ± 0 of 12.0 lost; with real answers 0 ± 0"),
        ("TAL-24", "6 ± 0 at π = 0.1, 9 ± 0 at π = 0.6; teacher 5.0"),
        ("TAL-25", "×2.0001 ± 0.0058 at π = 0; ×2.998 ± 0.012 at π = 0.1"),
    ],
)
def test_what_is_measured(identity, text):
    assert judge(claim(identity), tables(), tier="full").measured == text
