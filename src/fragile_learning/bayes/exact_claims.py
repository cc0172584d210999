"""The claims of the room whose answers are known exactly, and how each is judged.

Margins were written before any full table was computed. "Standard errors" are of the simulation;
at four of them a table of 30 checks raises a false alarm once in 500 runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.bayes.exact_experiments import (
    CLAIMED_SETTINGS,
    ENTROPY_CASES,
    WITHOUT_ACCEPTANCE,
)
from fragile_learning.claims import Claim, Verdict, rows_with, verdict_of
from fragile_learning.statistics import plus_minus, significant

__all__ = ["EXACT_CLAIMS"]

Tables = Mapping[str, pd.DataFrame]

DERIVED = "Derived in this book"
PAPER = "Feng, Rudner, Tsilivis, Kempe 2024"

Z = 4.0  # standard errors
ROUNDING = 1e-10  # absolute, on quantities of order one
SEEN = 0.999  # of the optimal shift: beyond, too few wrong signs are drawn to have an error

_FOUR = "4 standard errors"
_FOUR_REASON = "The law is exact, so only the sampling error is allowed. "


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"bayes/{name}"]


def _scores(frame: Any, value: str, error: str, exact: str) -> Any:
    """Distances from exact values in standard errors, beyond what rounding may do."""
    if len(frame) == 0:
        raise ValueError("no row to compare")
    errors = frame[error].to_numpy(float)
    distance = np.abs(frame[value].to_numpy(float) - frame[exact].to_numpy(float)) - ROUNDING
    off = distance > 0.0
    if (errors < 0.0).any() or (errors[off] == 0.0).any():
        raise ValueError(f"{error} must be > 0, got {errors.min()}")
    return np.where(off, distance, 0.0) / np.where(off, errors, 1.0)


def _within(worst: float, count: int, what: str) -> str:
    """Write the largest of some distances in standard errors beside the one that is allowed."""
    return f"{count} {what}: largest distance {worst:.1f} of {Z:g} standard errors"


# --- the judges -------------------------------------------------------------------------------


def _posteriors(tables: Tables) -> Verdict:
    frame = _table(tables, "exact-posteriors")
    columns = ("estimate", "standard_error", "exact")
    right = rows_with(frame, sampler="HMC")
    wrong = rows_with(frame, sampler=WITHOUT_ACCEPTANCE)
    z = _scores(right, *columns)
    control = {
        str(problem): float(_scores(rows, *columns).max())
        for problem, rows in wrong.groupby("problem")
    }
    worst, least = float(z.max()), min(control.values())
    finest = float((right["standard_error"] / right["exact"].abs()).median())
    return verdict_of(
        worst <= Z,
        f"{len(right)} means, standard deviations, quantiles and predictions of draws are within "
        f"{worst:.1f} standard errors of the exact posteriors; without the acceptance step the "
        f"largest distances are {least:.0f} and more.",
        {
            "largest_z": worst,
            "n_checks": len(right),
            "least_control_z": least,
            "median_relative_standard_error": finest,
        },
        decided=worst > Z or (least > Z and {"linear", "logistic"} <= set(control)),
        measured=_within(worst, len(right), "numbers"),
    )


def _leapfrog(tables: Tables) -> Verdict:
    frame = _table(tables, "leapfrog")
    error = _scores(frame, "mean_error", "mean_error_se", "mean_error_exact")
    share = _scores(frame, "acceptance", "acceptance_se", "acceptance_exact")
    normal = _scores(frame, "acceptance", "acceptance_se", "acceptance_normal")
    seen = set(zip(frame["step_size"], frame["n_steps"], frame["n_dimensions"], strict=True))
    worst = float(max(error.max(), share.max()))
    return verdict_of(
        worst <= Z,
        f"Energy errors and acceptance of {len(frame)} settings are within {worst:.1f} standard "
        f"errors of the closed forms; the acceptance for many dimensions is up to "
        f"{normal.max():.1f} off.",
        {
            "largest_z_energy": float(error.max()),
            "largest_z_acceptance": float(share.max()),
            "largest_z_of_normal_formula": float(normal.max()),
            "largest_standard_error": float(frame["acceptance_se"].max()),
        },
        decided=worst > Z
        or (set(CLAIMED_SETTINGS) <= seen and bool((frame["acceptance_se"] < 0.01).all())),
        measured=_within(worst, 2 * len(frame), "means"),
    )


def _entropies(tables: Tables) -> Verdict:
    frame = _table(tables, "entropies")
    off = max(
        float((frame[name] - frame[f"{name}_exact"]).abs().max())
        for name in ("total", "expected", "mutual")
    )
    rest = float((frame["total"] - frame["expected"] - frame["mutual"]).abs().max())
    least = float(frame["mutual"].min())
    return verdict_of(
        off <= 1e-6 and rest <= 1e-6 and least >= 0.0,
        f"In {len(frame)} cases the entropies are within {off:.1e} of exact values, the parts add "
        f"up to {rest:.1e}, and the smallest mutual information is {least:.1e}.",
        {"largest_error": off, "largest_rest": rest, "least_mutual_information": least},
        decided=set(ENTROPY_CASES) <= set(frame["case"]),
        measured=f"{len(frame)} cases: at most {significant(max(off, rest), 2)} from it, least I "
        f"{significant(least, 2)}",
    )


def _gradients(tables: Tables) -> Verdict:
    frame = _table(tables, "predictive-gradient")
    worst = float(frame["largest_relative_difference"].max())
    many = frame[frame["n_samples"] > 1]
    control = float(many["mean_loss_difference"].min()) if len(many) else 0.0
    return verdict_of(
        worst <= 1e-10,
        f"Back-propagation and the weighted mean of the members' gradients differ by at most "
        f"{worst:.1e} in {len(frame)} networks; the gradient of the mean loss is off by "
        f"{control:.2f} and more.",
        {"largest_relative_difference": worst, "least_difference_of_mean_loss": control},
        decided=control > 0.01,
        measured=f"{len(frame)} networks: at most {significant(worst, 2)} from it (relative)",
    )


def _attacks(tables: Tables) -> Verdict:
    frame = _table(tables, "linear-attacks")
    keys = ["problem", "radius"]
    exact = frame.loc[frame["attack"] == "exact", [*keys, "value"]]
    off = frame[frame["attack"] != "exact"].merge(
        exact, on=keys, how="left", suffixes=("", "_exact"), validate="many_to_one"
    )
    off["off"] = off["value"] - off["value_exact"]
    if off["off"].isna().any():
        raise ValueError("a radius has no exact value")
    many, two = rows_with(off, problem="softmax"), rows_with(off, problem="binary")
    targeted = float(rows_with(many, attack="targeted")["off"].abs().max())
    beyond = float(many["off"].min())  # robust accuracy below the exact one is impossible
    binary = float(two["off"].abs().max())
    label = float(rows_with(many, attack="label")["off"].max())
    single = float(rows_with(many, attack="FGSM")["off"].max())
    return verdict_of(
        targeted <= 0.005 and beyond >= -1e-9 and binary <= 1e-5,
        f"Targeted attacks are within {targeted:.4f} of the exact robust accuracy, and ascent on "
        f"the cross-entropy misses up to {label:.4f} of it, one step {single:.4f}; worst losses of "
        f"the binary model agree to {binary:.1e}.",
        {
            "largest_error_targeted": targeted,
            "largest_error_cross_entropy": label,
            "largest_error_one_step": single,
            "largest_error_binary": binary,
            "least_excess": beyond,
        },
        decided=many["radius"].nunique() >= 3 and two["radius"].nunique() >= 2,
        measured=f"at most {significant(targeted, 2)} (robust accuracy), "
        f"{significant(binary, 2)} (binary loss)",
    )


def _gaussian(tables: Tables) -> Verdict:
    corners, frame = _table(tables, "gaussian-corners"), _table(tables, "gaussian-linear")
    disagree = int(corners["disagreements"].sum())
    same = corners["flipped_by_signs"].nunique() == 1
    flipped, n = int(corners["flipped_by_signs"].iloc[0]), int(corners["n_problems"].iloc[0])
    better = float((corners["better_corner"] / corners["n_problems"]).max())
    logit = rows_with(frame, gradients="logit")
    law = logit[["spread", "n_samples", "fraction_exact"]].rename(columns={"fraction_exact": "law"})
    logit = logit[logit["fraction_exact"] < SEEN]
    z = float(_scores(logit, "fraction", "fraction_se", "fraction_exact").max())
    losses = frame[(frame["gradients"] != "logit") & (frame["n_samples"] > 1)]
    lag = losses.merge(law, on=["spread", "n_samples"], validate="many_to_one")
    lag = lag[lag["law"] < SEEN]
    behind = lag["law"] - lag["fraction"]
    clear = float((behind / lag["fraction_se"]).min())
    holds = disagree == 0 and same and z <= Z and bool((behind > 0.0).all())
    return verdict_of(
        holds,
        f"At {corners['spread'].nunique()} posterior spreads the signs of the mean flip the same "
        f"{flipped} of {n} labels, as many as the best corner of the ball, though in up to "
        f"{better:.0%} another corner has a larger loss. Shares of the optimal shift by logit "
        f"gradients are within {z:.1f} standard errors of the formula; gradients of losses reach "
        f"{behind.min():.3f} to {behind.max():.3f} less.",
        {
            "disagreements": disagree,
            "same_at_all_spreads": same,
            "largest_z": z,
            "n_checks": len(logit),
            "least_shortfall_of_losses": float(behind.min()),
            "largest_shortfall_of_losses": float(behind.max()),
            "least_shortfall_in_standard_errors": clear,
            "share_with_a_better_corner": better,
        },
        decided=not holds
        or (clear > Z and corners["spread"].nunique() >= 3 and 0 < flipped < n and better > 0.0),
        measured=f"{disagree} of {n} labels differ; shares within {z:.1f} of {Z:g} standard errors",
    )


def _areas(tables: Tables) -> Verdict:
    frame = _table(tables, "selective-areas")
    toy = frame[frame["ranking"].str.startswith("toy")]
    ranked = frame[frame["ranking"].isin(["perfect", "worst"]) & (frame["n"] >= 500)]
    useless = rows_with(frame, ranking="useless")
    exact = float((toy["area"] - toy["area_exact"]).abs().max())
    limit = float((ranked["area"] - ranked["area_exact"]).abs().max())
    z = float(_scores(useless, "area", "area_se", "area_exact").max())
    half = rows_with(ranked, share=0.5)
    ends = [rows_with(half, ranking=name)["area"].iloc[-1] for name in ("perfect", "worst")]
    middle = rows_with(useless, share=0.5)
    middle = middle.loc[middle["n"].idxmax()]
    useless_half = plus_minus(float(middle["area"]), float(middle["area_se"]))
    return verdict_of(
        exact <= 1e-6 and limit <= 1e-3 and z <= Z,
        f"With half of the inputs right a perfect ranking has the area {ends[0]:.4f}, the worst "
        f"{ends[1]:.4f}; all are within {limit:.1e} of the limits, random orders within {z:.1f} "
        f"standard errors, ties and percentiles within {exact:.1e}.",
        {
            "largest_error_of_rankings": limit,
            "largest_z_of_random_orders": z,
            "largest_error_of_toy": exact,
            "perfect": float(ends[0]),
            "worst": float(ends[1]),
        },
        decided=toy["ranking"].nunique() >= 4,
        measured=f"r = 1/2: {ends[0]:.4f}, {useless_half} and {ends[1]:.4f}",
    )


def _mean_field(tables: Tables) -> Verdict:
    frame = _table(tables, "mean-field")
    searched, trained = rows_with(frame, method="search"), rows_with(frame, method="training")
    off = float((searched["trained"] - searched["exact"]).abs().max())
    relative = float((trained["trained"] / trained["exact"] - 1.0).abs().max())
    gap = rows_with(searched, quantity="gap").iloc[0]
    five, three = (
        float(
            rows_with(searched, quantity=f"divergence of functions at {n} points")["trained"].iloc[
                0
            ]
        )
        for n in (5, 3)
    )
    found = rows_with(trained, quantity="gap").iloc[0]
    return verdict_of(
        off <= 1e-4 and relative <= 0.03 and three < five,
        f"The best bound found by search is {gap['trained']:.4f} below the evidence, formula "
        f"{gap['exact']:.4f}, after training {found['trained']:.4f}; functions diverge by "
        f"{five:.4f} at as many points as weights and by {three:.4f} at three. Search is within "
        f"{off:.1e}, training within {relative:.1%}.",
        {
            "largest_error_of_search": off,
            "largest_relative_error_of_training": relative,
            "gap": float(gap["exact"]),
            "gap_after_training": float(found["trained"]),
            "divergence_of_functions": five,
            "divergence_at_three_points": three,
        },
        decided=len(searched) == len(trained) >= 9,
        measured=f"{gap['trained']:.4f} by search, {found['trained']:.4f} after training",
    )


# --- the claims -------------------------------------------------------------------------------


def _claim(number: int, source: str, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"bayes/{name}" for name in fields.pop("experiments"))
    return Claim(f"BNN-{number}", source, statement, experiments=experiments, **fields)


EXACT_CLAIMS: tuple[Claim, ...] = (
    _claim(
        1,
        DERIVED,
        "Our Hamiltonian Monte Carlo draws from the exact posterior.",
        reported="exact: distance 0",
        measure="Moments, quantiles, predictive probability and entropies of draws for a linear "
        "regression (closed form) and a logistic regression in two weights (quadrature).",
        margin=_FOUR + "; without the acceptance step more than that on both problems",
        margin_reason=_FOUR_REASON
        + "Errors are from independent chains. A sampler that takes every proposal must fail the "
        "same checks, or they see too little.",
        experiments=("exact-posteriors",),
        judge=_posteriors,
    ),
    _claim(
        2,
        DERIVED,
        "Energy errors and acceptance of leapfrog trajectories on a normal law follow closed forms "
        "at any number of dimensions.",
        reported="E ΔH = (d/2) sin²(Lφ) (s² + s⁻² − 2), acceptance 2P(F < 1/κ)",
        measure="Mean energy error and acceptance of trajectories from equilibrium, at three named "
        "settings and over step sizes.",
        margin=_FOUR + "; decided if those of the acceptance are below 0.01",
        margin_reason=_FOUR_REASON + "The acceptance is one of an F distribution, not its limit "
        "for many dimensions. Rounding to 1e-10 is allowed besides: three steps of size 1 are half "
        "a turn, and all of those trajectories are accepted, so that there is no sampling error. "
        "(A first full table compared that setting without it, and was 148 errors of 1e-18 off.)",
        experiments=("leapfrog",),
        judge=_leapfrog,
    ),
    _claim(
        4,
        DERIVED,
        "Total uncertainty is the expected entropy plus a mutual information that is never "
        "negative, also where probabilities are 0 and logits 1e4.",
        reported="H(p̄) = mean H(p_s) + I, I ≥ 0",
        measure="Three entropies of given members against values worked out by hand.",
        margin="1e-6; mutual information >= 0",
        margin_reason="Identities: rounding in float64 is nine digits below.",
        experiments=("entropies",),
        judge=_entropies,
    ),
    _claim(
        5,
        DERIVED,
        r"The gradient of $-\log\bar p_y$ is the mean of the members' gradients, weighted by what "
        "each still gives to the label.",
        reported="∇(−log p̄_y) = Σ w_s ∇(−log p_s,y), w_s = p_s,y/Σ p_r,y",
        measure="Back-propagation through the predictive mean of random networks, float64, against "
        "the formula; largest difference relative to the largest entry.",
        margin="1e-10; the unweighted mean is off by more than 0.01",
        margin_reason="An identity: trials had 1e-15. The gradient of the mean loss must fail.",
        experiments=("predictive-gradient",),
        judge=_gradients,
    ),
    _claim(
        6,
        DERIVED,
        "Our attacks reach the exact optimum on linear models.",
        reported="exact optimum: distance 0",
        measure="Robust accuracy of a softmax model under targeted ascent, and mean cross-entropy "
        "of a binary model under every attack, against closed forms.",
        margin="0.005 in robust accuracy, and none below the exact one; 1e-5 in the loss",
        margin_reason="0.005 is two of 400 inputs. Ascent by signs on a linear score is exact; "
        "ascent on the cross-entropy of several classes is not, and is not asked to be.",
        experiments=("linear-attacks",),
        judge=_attacks,
    ),
    _claim(
        7,
        DERIVED,
        "For normal weights of a linear model the best attack on the label does not depend on the "
        "posterior variance; averaging n logit gradients reaches a stated share of it, gradients "
        "of losses less.",
        reported="0 labels differ; share Σ|m_i|(2Φ(√n|m_i|/s_i) − 1)/Σ|m_i|",
        measure="Labels flipped by the signs of the mean and by any corner, by quadrature, at "
        "several spreads; simulated shares of the optimal shift against the formula.",
        margin="no label on which they disagree; " + _FOUR + "; losses strictly less",
        margin_reason=_FOUR_REASON
        + "Shares above 0.999 are left out: wrong signs are then too few to give an error. One "
        "gradient has the same direction whatever the loss, so that losses are compared from two "
        "samples on.",
        experiments=("gaussian-corners", "gaussian-linear"),
        judge=_gaussian,
    ),
    _claim(
        19,
        DERIVED + "; percentile version as in public code of an author of " + PAPER,
        r"With a share r of right inputs the selective area is $r + r\log(1/r)$ for a perfect "
        r"ranking, $r$ for a useless one and $r - (1-r)\log(1/(1-r))$ for the worst; ties and "
        "percentiles are exact.",
        reported="r = 1/2: 0.8466, 0.5 and 0.1534",
        measure="Areas of rankings of 500 inputs and more against the limits; random orders; a toy "
        "of eight inputs in fractions.",
        margin="1e-3 from 500 inputs on; " + _FOUR + " for random orders; 1e-6 for the toy",
        margin_reason="The limits are off by less than 1/(2n), 1e-3 at 500; the toy is exact but "
        "for rounding.",
        experiments=("selective-areas",),
        judge=_areas,
    ),
    _claim(
        20,
        DERIVED,
        r"The best mean-field law of a normal posterior has variances $1/\Lambda_{jj}$ and a bound "
        r"$(\sum_j\log\Lambda_{jj} - \log\det\Lambda)/2$ below the evidence; the divergence of "
        "functions at as many points as weights is that of the weights, at fewer it is smaller.",
        reported="(Σ log Λ_jj − log det Λ)/2 = 0.7853",
        measure="Closed forms against a search for the largest bound, and against training.",
        margin="1e-4 for the search, 3 % for training",
        margin_reason="A search is good to the root of the precision. Training sees one draw of "
        "the noise in each step: standard deviations scatter by 1 to 3 % at the learning rates "
        "tried.",
        experiments=("mean-field",),
        judge=_mean_field,
    ),
)
