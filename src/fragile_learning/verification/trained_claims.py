"""The claims on trained models, and how each is judged.

The margins are the plan's and were written, like the sizes, after short trials with other seeds and
before the archived tables. One replicate that falls short decides nothing: with fewer than three
such a verdict is inconclusive. The paper's text was not at hand: what is known of it at second hand
is called "as reported".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.claims import Claim, Outcome, Verdict, rows_with, verdict_of
from fragile_learning.statistics import mean_and_standard_error, mean_plus_minus

__all__ = ["TRAINED_CLAIMS"]

Tables = Mapping[str, pd.DataFrame]

PAPER = "Feng, Dohmatob, Yang, Charton, Kempe 2025"

_REPLICATES = 3  # that decide against a claim, and that ask for the larger gain
_CANDIDATES = 20
_ORACLE_OVER_GREEDY = 2.5
_SELF_PICK = 0.03  # from the greedy answer, in accuracy
_UNVERIFIED = 0.01  # above the generator, in accuracy
_GAIN, _LARGE_GAIN = 1.1, 1.5  # of the oracle's student over the generator
_ERRORS = 2.0  # standard errors of a mean paired difference


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"verification/{name}"]


def _mean(frame: Any, column: str, **values: Any) -> float:
    return float(rows_with(frame, **values)[column].mean())


def _percent(values: Any) -> str:
    """Write the mean of accuracies over replicates, with its standard error, in per cent."""
    return mean_plus_minus(values, scale=100.0)


def _z(differences: Any) -> float:
    """Mean of paired differences in standard errors."""
    mean, error = (float(value) for value in mean_and_standard_error(np.asarray(differences)))
    if error == 0.0:
        return 0.0 if mean == 0.0 else math.copysign(math.inf, mean)
    return mean / error


def _paired(frame: Any, column: str) -> Any:
    """Students of each replicate in rows, what kept their data in columns; none may be missing."""
    if frame["replicate"].nunique() < _REPLICATES:
        raise ValueError(f"needs {_REPLICATES} replicates, got {frame['replicate'].nunique()}")
    table = frame.pivot_table("student", "replicate", column)
    if table.isna().to_numpy().any():
        raise ValueError("every replicate needs the same rows")
    return table


# --- the judges -------------------------------------------------------------------------------


def _choosing(tables: Tables) -> Verdict:
    frame = rows_with(_table(tables, "best-of-k"), k=_CANDIDATES)
    greedy, own, oracle, one = (
        float(frame[name].mean()) for name in ("greedy", "self_pick", "oracle", "one_sample")
    )
    agrees = oracle >= _ORACLE_OVER_GREEDY * greedy and abs(own - greedy) <= _SELF_PICK
    count = frame["replicate"].nunique()
    return verdict_of(
        agrees,
        f"Right are {100 * greedy:.1f} % of the greedy answers, {100 * one:.1f} % of single "
        f"samples, {100 * own:.1f} % of those that the model finds likeliest of {_CANDIDATES}; for "
        f"{100 * oracle:.1f} % of the matrices one of the {_CANDIDATES} is.",
        {
            "greedy": greedy,
            "one_sample": one,
            "self_pick": own,
            "oracle": oracle,
            "oracle_over_greedy": oracle / greedy if greedy else math.inf,
            "n_replicates": count,
        },
        decided=agrees or count >= _REPLICATES,
        measured=f"greedy {_percent(frame['greedy'])}, likeliest {_percent(frame['self_pick'])}, "
        f"any of {_CANDIDATES} {_percent(frame['oracle'])} %",
    )


def _verifying(tables: Tables) -> Verdict:
    frame = _table(tables, "eigenvalues")
    count = frame["replicate"].nunique()
    none, oracle = (_mean(frame, "student", verifier=one) for one in ("none", "oracle"))
    generator = _mean(frame, "generator", verifier="none")
    wrong = _mean(frame, "wrong_kept", verifier="none")
    needed = _LARGE_GAIN if count >= _REPLICATES else _GAIN
    agrees = none <= generator + _UNVERIFIED and oracle >= needed * generator
    return verdict_of(
        agrees,
        f"The generator finds {100 * generator:.1f} % of the eigenvalues, a student of all its "
        f"candidates ({100 * wrong:.0f} % of them wrong) {100 * none:.1f} %, a student of those "
        f"that an oracle keeps {100 * oracle:.1f} %.",
        {
            "generator": generator,
            "unverified": none,
            "oracle": oracle,
            "oracle_over_generator": oracle / generator if generator else math.inf,
            "needed": needed,
            "n_replicates": count,
        },
        decided=agrees or count >= _REPLICATES,
        measured="unverified {}, generator {}, oracle {} %".format(
            *(
                _percent(rows_with(frame, verifier=verifier)[column])
                for verifier, column in (
                    ("none", "student"),
                    ("none", "generator"),
                    ("oracle", "student"),
                )
            )
        ),
    )


def _grading(tables: Tables) -> Verdict:
    frame = _table(tables, "eigenvalues")
    frame = frame[frame["verifier"] != "clean"]
    students = _paired(frame, "p_noise").sort_index(axis=1, ascending=False)
    if students.shape[1] < 3:
        raise ValueError(f"needs three verifiers, got {students.shape[1]}")
    values = students.to_numpy()
    steps = [_z(values[:, i + 1] - values[:, i]) for i in range(values.shape[1] - 1)]
    whole = _z(values[:, -1] - values[:, 0])
    stars = frame.groupby("p_noise")["p_star"].mean().loc[students.columns].to_numpy()
    above = values.mean(axis=0) - float(frame["generator"].mean())
    crossing = _crossing(stars, above)
    agrees = min(steps) >= -_ERRORS and whole >= _ERRORS
    where = f"at p* = {crossing:.2f}" if math.isfinite(crossing) else "nowhere"
    return verdict_of(
        agrees,
        f"From p* = {stars[0]:.2f} to {stars[-1]:.2f} the accuracy of students goes from "
        f"{100 * values[:, 0].mean():.1f} % to {100 * values[:, -1].mean():.1f} %; the least step "
        f"between neighbours is {min(steps):.1f} standard errors. They reach the generator's "
        f"accuracy {where}.",
        {
            "least_step_in_errors": min(steps),
            "whole_in_errors": whole,
            "crossing": crossing,
            "n_verifiers": values.shape[1],
            "n_replicates": len(values),
        },
        measured=f"{_percent(values[:, 0])} % at p* = {stars[0]:.2f}, "
        f"{_percent(values[:, -1])} % at {stars[-1]:.2f}",
    )


def _crossing(stars: Any, above: Any) -> float:
    """Where a broken line first reaches 0; infinite if it never does."""
    if above[0] >= 0.0:
        return float(stars[0])
    for i in range(1, len(above)):
        if above[i] >= 0.0:
            part = -above[i - 1] / (above[i] - above[i - 1])
            return float(stars[i - 1] + part * (stars[i] - stars[i - 1]))
    return math.inf


def _articles(tables: Tables) -> tuple[Any, Any]:
    """Students by selector, best summary of each article, and the generator, by replicate."""
    frame = rows_with(_table(tables, "headlines"), scope="article", n_kept_each=1)
    students = _paired(frame, "selector")
    return students, frame.groupby("replicate")["generator"].first().loc[students.index]


def _summaries(tables: Tables) -> Verdict:
    students, generator = _articles(tables)
    random, oracle = _z(students["random"] - generator), _z(students["oracle"] - generator)
    means = students.mean()
    return verdict_of(
        random <= -_ERRORS and oracle >= _ERRORS,
        f"ROUGE-1 of the generator is {generator.mean():.4f}, of students of random summaries "
        f"{means['random']:.4f} ({random:.1f} standard errors of the difference), of those that an "
        f"oracle chose {means['oracle']:.4f} ({oracle:+.1f}).",
        {
            "generator": float(generator.mean()),
            "random": float(means["random"]),
            "oracle": float(means["oracle"]),
            "random_in_errors": random,
            "oracle_in_errors": oracle,
            "n_replicates": len(students),
        },
        measured="ROUGE-1: random {}, oracle {}".format(
            *(
                mean_plus_minus(students[name] - generator, signed=True)
                for name in ("random", "oracle")
            )
        ),
    )


def _stronger(tables: Tables) -> Verdict:
    students, _ = _articles(tables)
    frame = _table(tables, "headlines")
    over_random = _z(students["better"] - students["random"])
    over_peer = _z(students["better"] - students["peer"])
    means = students.mean()
    return verdict_of(
        over_random <= _ERRORS,
        f"Students of summaries chosen by a model with a ROUGE-1 of {frame['better'].mean():.4f} "
        f"(generator: {frame['generator'].mean():.4f}) reach {means['better']:.4f}: "
        f"{over_random:+.1f} standard errors from random choice ({means['random']:.4f}), "
        f"{over_peer:+.1f} from the choice of a model no better than the generator "
        f"({means['peer']:.4f}).",
        {
            "verifier": float(frame["better"].mean()),
            "generator": float(frame["generator"].mean()),
            "better": float(means["better"]),
            "random": float(means["random"]),
            "peer": float(means["peer"]),
            "self": float(means["self"]),
            "over_random_in_errors": over_random,
            "over_peer_in_errors": over_peer,
            "n_replicates": len(students),
        },
        measured="ROUGE-1: "
        + mean_plus_minus(students["better"] - students["random"], signed=True),
    )


# --- the claims -------------------------------------------------------------------------------


def _claim(number: int, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"verification/{name}" for name in fields.pop("experiments"))
    values = {"tier": "quick", "expected": Outcome.AGREES, **fields}
    return Claim(f"VER-{number}", statement=statement, experiments=experiments, **values)


TRAINED_CLAIMS: tuple[Claim, ...] = (
    _claim(
        16,
        "A generator has better answers among its samples than it can choose itself.",
        source=PAPER + ", warm-up on eigenvalues, as reported; here 2 × 2 matrices of integers",
        measure="Accuracy (both eigenvalues exact) on 4,000 held-out matrices: greedy answers, the "
        "likeliest of 20 samples, and whether any of the 20 is right.",
        margin="any of 20 at least 2.5 times greedy; the likeliest within 0.03 of greedy",
        margin_reason="The plan's trial had 3.7 and 0.002, one of our own 3.3 and 0.008. The "
        "standard error of an accuracy is 0.006. As reported, the paper has 3 and 0.01, with "
        "50 beams.",
        experiments=("best-of-k",),
        judge=_choosing,
    ),
    _claim(
        17,
        "A student of unverified answers is no better than their generator; a student of verified "
        "ones is far better.",
        source=PAPER + ", eigenvalues, as reported; here 2 × 2 matrices of integers",
        reported="unverified ≤ generator < oracle",
        measure="Accuracy on 4,000 held-out matrices of the generator, of students of all its "
        "samples, and of those that an oracle keeps.",
        margin="unverified at most 0.01 above the generator; oracle at least 1.1 times the "
        "generator, 1.5 times in the mean of three replicates or more (with twice the matrices)",
        margin_reason="The plan's trials had 1.2 to 1.65 in small runs and 2.0 in a larger one; "
        "as reported, the paper's student nearly doubles its generator's accuracy. 0.01 is twice "
        "the standard error of an accuracy.",
        experiments=("eigenvalues",),
        judge=_verifying,
    ),
    _claim(
        18,
        "The accuracy of a student grows with the breakdown point p* of the verifier.",
        source=PAPER + ", eigenvalues, as reported; here 2 × 2 matrices of integers",
        reported="increasing in p*",
        measure="Accuracies of students of seven verifiers that keep every right answer and a "
        "wrong one with probability 1 to 0, paired over seeds; p* at which they reach the "
        "generator.",
        margin="no step to the next verifier below -2 standard errors of the paired difference, "
        "the whole way above 2; the crossing is reported, not judged",
        margin_reason="Neighbours differ by little: in the plan's trial by 0.01 to 0.03, of which "
        "the seed moves half. Where students cross the generator depends on sizes: the plan has "
        "0.8, as reported the paper 0.65.",
        experiments=("eigenvalues",),
        judge=_grading,
        tier="full",
    ),
    _claim(
        19,
        "Summaries: students of randomly chosen synthesised data are worse than the generator, of "
        "data that an oracle chose better.",
        source=PAPER + ", news summarisation, as reported; here headlines of docstrings",
        reported="ROUGE-1 minus the generator's: random < 0 < oracle",
        measure="ROUGE-1 on a quarter of the docstrings of generator and students; one of 8 "
        "sampled summaries for each article; paired over seeds.",
        margin="both signs, each by 2 standard errors of the mean difference",
        margin_reason="Differences are small: the plan's trials had -0.010 and +0.004 with an "
        "error of 0.002 for one seed, ours -0.005 and +0.002 over four seeds.",
        experiments=("headlines",),
        judge=_summaries,
        tier="full",
        expected=None,  # a finding on one kind of data, of which no theory of this book speaks
    ),
    _claim(
        20,
        "A model that writes better summaries chooses no better than chance among those of "
        "another.",
        source=PAPER + ", news summarisation with a stronger model as the verifier, as reported; "
        "here headlines of docstrings",
        reported="ROUGE-1, better minus random: ≤ 0",
        measure="ROUGE-1 of students of summaries that a model with three times the human data "
        "finds likeliest, against students of random ones; paired over seeds.",
        margin="at most 2 standard errors of the mean difference above random choice",
        margin_reason="The paper's finding is on large language models. The plan's trial of this "
        "stand-in had +0.010 and +0.015: here we expect a difference, and publish it as one.",
        experiments=("headlines",),
        judge=_stronger,
        tier="full",
        expected=Outcome.DIFFERS,
    ),
)
