"""The claims on distillation that need no trained network, and how each is judged.

The paper's body was not at hand: what is known of it is called "as reported". The rules are the
paper's, the closed forms are derived here. Simulations are compared with laws by the rule of
`fragile_learning.claims.compare`. Margins were written before any full table was looked at, those
of claims 7 and 20 after a trial in the quick tier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.claims import (
    EXACT,
    EXACT_REASON,
    Agreement,
    Claim,
    Verdict,
    both,
    compare,
    simulated,
    verdict_of,
)
from fragile_learning.statistics import log_log_slope, plus_minus, significant

__all__ = ["EXACT_CLAIMS"]

Tables = Mapping[str, pd.DataFrame]

PAPER = "Feng, Vedantam, Kempe 2024"
DERIVED = "Derived in this book"

_ROUNDING = 1e-10
_TWO_RUNS = "One number by two computations that share no code; only rounding is allowed."


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"distillation/{name}"]


def _apart(frame: Any, first: str, second: str) -> float:
    """Largest distance of two columns, relative to 1 plus their size."""
    a, b = (frame[name].to_numpy(float) for name in (first, second))
    return float(np.max(np.abs(a - b) / (1.0 + np.abs(b)), initial=0.0))


def _near(frame: Any, mean: str, error: str, law: str) -> Agreement:
    if len(frame) == 0:
        raise ValueError("no simulated row")
    return compare(frame[mean], frame[error], frame[law])


def _worst(found: Agreement) -> str:
    return f"{found.n_checks} simulated numbers: the largest distance is {found.worst:.2f} of its "


# --- the judges -----------------------------------------------------------------------------------


def _windows(tables: Tables) -> Verdict:
    frame, roots = _table(tables, "quadratic-windows"), _table(tables, "quadratic-roots")
    off = max(_apart(frame, "law", "unrolled"), _apart(frame, "law", "sum_of_steps"))
    differenced = _apart(frame, "law", "differenced")
    searched = _apart(roots, "law", "searched")
    fixed = roots[roots["rule"].isin(["full", "truncated"])]
    free = fixed[fixed["data"] == "free"].groupby(["n_steps", "coordinate"])["law"]
    spread = float((free.max() - free.min()).max())
    ten = roots[(roots["n_steps"] == 10) & (roots["window"] == 4) & (roots["coordinate"] == 0)]
    root = ten.set_index(["data", "rule"])["law"].to_dict()
    try:
        moved = abs(root["one image", "truncated"] - root["one image", "full"])
        by_chance = abs(root["free", "random"] - root["free", "full"])
    except KeyError:
        moved = by_chance = np.nan
    found = ten.set_index(["data", "rule"])["searched"]
    decided = len(frame) >= 10 and bool(np.isfinite(moved))
    holds = max(off, searched, spread) <= _ROUNDING and differenced <= 1e-6
    return verdict_of(
        holds and moved > 0.01 and by_chance > 0.01,
        f"Closed form and unrolled runs differ by at most {off:.1e}, roots by {searched:.1e}. At a "
        f"fixed length no window moves the root of unconstrained data ({spread:.1e}); a window of "
        f"4 in 10 moves that of one image by {moved:.3f}, random lengths that of free data by "
        f"{by_chance:.3f}.",
        {
            "largest_error": off,
            "largest_error_by_differences": differenced,
            "largest_error_of_roots": searched,
            "spread_of_free_roots": spread,
            "moved_by_truncation": moved if decided else 0.0,
            "moved_by_random_lengths": by_chance if decided else 0.0,
        },
        decided=decided,
        measured=f"at most {significant(off, 2)} from it; moved by "
        f"{abs(found['one image', 'truncated'] - found['one image', 'full']):.3f} (one image), "
        f"{abs(found['free', 'random'] - found['free', 'full']):.3f} (lengths)"
        if decided
        else "",
    )


def _contraction(tables: Tables) -> Verdict:
    frame, best = _table(tables, "random-contraction"), _table(tables, "best-window")
    found = both(
        _near(frame, "mean", "se", "law_of_mean"),
        _near(frame, "variance", "variance_se", "law_of_variance"),
        _near(frame, "error", "error_se", "law_of_error"),
    )
    off = float((best["law"] - best["searched"]).abs().max())
    inside = best[best["law"] >= 1.0]
    whole = bool(
        (
            (inside["best_whole"] >= np.floor(inside["law"]))
            & (inside["best_whole"] <= np.ceil(inside["law"]))
        ).all()
    )
    longest = float(best["best_whole"].max())
    return simulated(
        found._replace(agrees=found.agrees and off <= 1e-5 and whole),
        _worst(found) + f"bound. Formula and search of the best window differ by at most {off:.1e} "
        f"in {len(best)} settings; for up to {best['n_draws'].max():,} draws it has at most "
        f"{longest:.0f} steps.",
        largest_error_of_windows=off,
        whole_windows=whole,
        longest_window=longest,
    )


def _coverage(tables: Tables) -> Verdict:
    frame = _table(tables, "coverage")
    found = _near(frame, "mean", "se", "law")
    starts = frame[frame["step"] == 0]
    first = starts.groupby("rule")["mean"]
    random, fixed = first.max()["random-truncated"], first.max()["truncated"]
    whole = first.min()["random"]
    rows = frame[frame["rule"] == "random-truncated"]
    ends = rows[rows["step"] == 0]
    short = ends.loc[ends["n_steps"].idxmin()]
    ends_law = 1.0 / (ends["n_steps"] - ends["window"] + 1.0)
    trapezium = float((ends["law"] - ends_law).abs().max()) <= _ROUNDING
    return simulated(
        found._replace(agrees=found.agrees and trapezium and fixed == 0.0 and whole == 1.0),
        _worst(found) + f"bound. The first step is differentiated in at most {random:.3f} of the "
        f"runs with random windows, in none with a window at the end, in all of random length.",
        measured=f"{plus_minus(float(short['mean']), float(short['se']))} at T = "
        f"{short['n_steps']}, M = {short['window']}",
        first_step_random_truncated=float(random),
        first_step_truncated=float(fixed),
        first_step_random=float(whole),
    )


def _adam(tables: Tables) -> Verdict:
    frame = _table(tables, "adam-steps")

    def slopes(earlier: str) -> dict[int, float]:
        rows = frame[frame["earlier"] == earlier]
        return {
            int(step): log_log_slope(part["eps"], part["mean"]).slope
            for step, part in rows.groupby("step")
        }

    alone, independent = slopes("zero"), slopes("independent")
    rows = frame[(frame["earlier"] == "zero") & (frame["eps"] <= 1e-3)]
    off = float((rows["mean"] / rows["law"] - 1.0).abs().max())
    steepest = max(abs(slope + 1.0) for slope in alone.values())
    second = independent.get(2, np.nan)
    later = max((abs(s) for t, s in independent.items() if t > 2), default=np.nan)
    decided = 1 in alone and bool(np.isfinite(second) and np.isfinite(later))
    return verdict_of(
        steepest <= 0.1 and off <= 0.01 and second > -0.25 and later <= 0.1,
        f"The slope in epsilon at the first step is {alone.get(1, np.nan):.4f}, and within "
        f"{steepest:.4f} of -1 at {len(alone)} steps at which a coordinate has its first gradient; "
        f"the closed form is off by {off:.1e}. With independent gradients before, it is "
        f"{second:.2f} at the second step and at most {later:.2f} later.",
        {
            "slope_first_step": alone.get(1, 0.0),
            "largest_distance_from_minus_1": steepest,
            "largest_error_of_law": off,
            "slope_second_step_independent": second if decided else 0.0,
            "largest_later_slope_independent": later if decided else 0.0,
        },
        decided=decided,
        measured=f"{significant(alone[1], 5)} at the first step; {significant(second, 2)} at the "
        f"second, at most {significant(later, 1)} later"
        if decided
        else "",
    )


def _costs(tables: Tables) -> Verdict:
    frame = _table(tables, "costs")
    off = float((frame["counted"] / frame["law"] - 1.0).abs().max())
    checked = frame["error"].dropna()
    wrong = float(checked.max()) if len(checked) else np.inf
    rows = frame.assign(network=frame["widths"].astype(str))
    keys = ["network", "optimizer", "n_steps", "window"]
    gains = rows.pivot_table(index=keys, columns="rule", values="speed_up")
    gain = gains["random-truncated"]
    ahead = bool((gain.to_numpy()[:, None] >= gains.to_numpy()).all())
    least, most = float(gain.min()), float(gain.max())
    return verdict_of(
        off <= 1e-12 and wrong <= 1e-6 and least > 1.0 and ahead,
        f"Counted multiply-adds are those of the formula to {off:.0e}; a meta-step with a random "
        f"window costs {least:.2f} to {most:.2f} times less than full back-propagation, the least "
        f"of the four rules. The counted gradients are right to {wrong:.1e}.",
        {
            "largest_error_of_counts": off,
            "largest_error_of_gradients": wrong,
            "least_speed_up": least,
            "most_speed_up": most,
        },
        decided=len(checked) > 0,
        measured=f"counts {significant(off, 2)} from it (relative); {least:.2f} to {most:.2f} "
        "times cheaper",
    )


def _signal(tables: Tables) -> Verdict:
    frame = _table(tables, "quadratic-noise")
    found = both(
        _near(frame, "mean", "se", "law"), _near(frame, "variance", "variance_se", "variance_law")
    )
    signal = (frame["law"] ** 2 / frame["variance_law"]).rename("signal")
    keys = ["n_steps", "window", "coordinate"]
    by_rule = frame.assign(signal=signal).pivot_table(index=keys, columns="rule", values="signal")
    same = float((by_rule["truncated"] / by_rule["full"] - 1.0).abs().max())
    less = float((by_rule["random-truncated"] / by_rule["full"]).max())
    return simulated(
        found._replace(agrees=found.agrees and same <= 1e-9 and less < 1.0),
        _worst(found) + f"bound. Squared mean over variance of a direction is the same with a "
        f"window at the end as without (to {same:.0e}); with a random one it is at most "
        f"{less:.2f} of that.",
        measured=f"1 (at the end, to {significant(same, 2)}), at most {less:.2f} (random)",
        largest_change_by_truncation=same,
        most_with_random_lengths=less,
    )


def _growth(tables: Tables) -> Verdict:
    frame = _table(tables, "growth")
    found = _near(frame, "mean", "se", "law")
    last = frame[frame["window"] == frame["window"].max()]
    regime = bool(((last["law"] < 0.0) & (last["law_of_rms"] > 0.0)).all())
    orders = bool(frame["explosion_order"].between(0.0, 2.0, inclusive="neither").all())
    unseen = float((last["law_of_rms"] - last["sample_rms"]).min())
    return simulated(
        found._replace(agrees=found.agrees and regime and orders and unseen > np.log(10.0)),
        _worst(found) + f"bound. Over {last['window'].max()} steps typical distances shrink to "
        f"{np.exp(last['law'].max()):.1e} and the root mean square grows to "
        f"{np.exp(last['law_of_rms'].max()):.0f}; a sample of {last['n_sample'].max()} shows at "
        f"most 1/{np.exp(unseen):.0f} of it.",
        measured=f"typical at most {significant(float(np.exp(last['mean'].max())), 2)}, "
        f"a sample's root mean square {significant(float(np.exp(last['sample_rms'].max())), 2)}",
        typical=float(np.exp(last["law"].max())),
        root_mean_square=float(np.exp(last["law_of_rms"].max())),
        log_unseen=unseen,
    )


def _linear(tables: Tables) -> Verdict:
    frame = _table(tables, "linear-sets")
    reached = max(_apart(frame, column, "law") for column in ("one_step", "many_steps"))
    below = float((1.0 - frame["searched"] / frame["law"]).max())
    above = float((frame["searched"] / frame["law"] - 1.0).max())
    top = frame[frame["n_images"] == frame["n_outputs"]]
    rest = _apart(top, "law", "all_real")
    ratio = float((frame["real_images"] / frame["law"]).min())
    return verdict_of(
        reached <= 1e-9 and below <= 1e-9 and above <= 1e-4 and rest <= 1e-9 and ratio > 1.0,
        f"Students of one step reach the floor to {reached:.0e}; a search finds nothing below it "
        f"({max(below, 0.0):.0e}). With as many images as outputs the error is that of all real "
        f"data (to {rest:.0e}); as many real images have {ratio:.2f} times the floor and more.",
        {
            "largest_error_of_students": reached,
            "searched_below": below,
            "searched_above": above,
            "distance_to_all_data": rest,
            "least_ratio_of_real_images": ratio,
        },
        decided=len(top) > 0,
        measured=f"one step {significant(reached, 2)} from it; a search at most "
        f"{significant(max(below, 0.0), 2)} below",
    )


# --- the claims -----------------------------------------------------------------------------------


def _claim(number: int, source: str, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"distillation/{name}" for name in fields.pop("experiments"))
    return Claim(f"DST-{number}", source, statement, experiments=experiments, **fields)


EXACT_CLAIMS: tuple[Claim, ...] = (
    _claim(
        2,
        DERIVED + "; the rules: " + PAPER + ", as reported",
        "On the quadratic problem a window multiplies the meta-gradient by $I - A^M$. At a fixed "
        "length it moves no solution that can reach every direction; it moves constrained ones.",
        reported="I − A^M; roots moved by 0.238 (one image), 0.039 (lengths)",
        measure="Closed form against unrolled runs and differences with frozen early data; roots "
        "against a search; roots over windows.",
        margin="1e-10 of 1 plus the value, 1e-6 by differences; the moved roots by more than 0.01",
        margin_reason=_TWO_RUNS + " Differences have an error of about 1e-9. The closed form moves "
        "the roots by 0.24 and 0.04.",
        experiments=("quadratic-windows", "quadratic-roots"),
        judge=_windows,
    ),
    _claim(
        3,
        DERIVED,
        r"A window of M random contractions has a bias of $m_1^M$ and a variance of "
        r"$m_2^M - m_1^{2M}$: if the mean contracts and the second moment explodes, there is a "
        "best window, which grows with the logarithm of the number of draws.",
        reported="bias m₁^M, variance m₂^M − m₁^(2M)",
        measure="Simulated mean, variance and mean squared error of Jacobians; best window against "
        "a search.",
        margin=EXACT + "; 1e-5 for the window",
        margin_reason=EXACT_REASON + " Products have heavy tails, so factors are bounded where "
        "windows exceed 4. A search for a minimum is good to the root of the precision. (A first "
        "full grid had settings in which nothing explodes, where the best window is infinite and "
        "the search ends at its border: they do not belong to the claim, and were taken out.)",
        experiments=("random-contraction", "best-window"),
        judge=_contraction,
    ),
    _claim(
        4,
        DERIVED + "; the rules: " + PAPER + ", as reported",
        "A random window differentiates the steps with probabilities of a trapezium: the first and "
        r"the last with $1/(T-M+1)$ only.",
        reported="1/(T − M + 1): 0.125 at T = 10, M = 3",
        measure="Formula against the share of drawn runs, for all four rules.",
        margin=EXACT,
        margin_reason=EXACT_REASON,
        experiments=("coverage",),
        judge=_coverage,
    ),
    _claim(
        7,
        DERIVED,
        r"The mean square of the derivative of Adam's first step grows like $1/\epsilon$. Later "
        "steps do so only for coordinates that had no gradient before.",
        reported="slope −1 at the first step; that of a logarithm at the second, 0 later",
        measure="Slopes of log mean square against log epsilon, by integration over normal "
        "gradients.",
        margin="-1 to 0.1, the law to 1 %; with independent gradients above -0.25 at the second "
        "step, 0 to 0.1 later",
        margin_reason="Corrections are of order epsilon. With t independent gradients all have to "
        r"be small at once, so that the mean square is $\int r^{t-3}\,dr$ from epsilon on: a "
        "logarithm at t = 2, which over three decades has a slope of about -0.15, and a constant "
        "from t = 3 on.",
        experiments=("adam-steps",),
        judge=_adam,
    ),
    _claim(
        9,
        PAPER + ", abstract, as reported: faster; the factor is derived in this book",
        "An exact meta-gradient costs $3(N-M)f + 9Mf + 3f_{outer}$, less in the first layer: a "
        "random window makes outer steps cheaper than full, random and truncated runs.",
        reported="3(N − M)f + 9Mf + 3f_outer",
        measure="Multiply-adds counted in runs by hand, for every pair of each rule; the gradients "
        "counted against differences. Time is measured in the benchmarks.",
        margin="counts equal; gradients to 1e-6; cheaper",
        margin_reason="Counts are whole numbers.",
        experiments=("costs",),
        judge=_costs,
    ),
    _claim(
        19,
        DERIVED,
        "If curvatures are fixed, a window lowers signal and noise of a direction alike, and "
        "random lengths add noise: windows help against variance only where the steps are random.",
        reported="signal to noise over that of no window: 1 (at the end), below 1 (random)",
        measure="Mean and variance of meta-gradients over starts and lengths, by rule, against "
        "simulation; squared mean over variance against full back-propagation.",
        margin=EXACT + "; 1e-9 in the ratio of the closed forms",
        margin_reason=EXACT_REASON + " " + _TWO_RUNS,
        experiments=("quadratic-noise",),
        judge=_signal,
    ),
    _claim(
        20,
        DERIVED,
        "Typical Jacobians can contract while their variance explodes: then rare runs carry it, "
        "and a sample does not show it.",
        reported="typical at most 7.6·10⁻⁹, root mean square 1,603 of which a sample shows little",
        measure="Mean logarithm of simulated products against the Lyapunov exponent; root mean "
        "square of samples of 1,000 against the exact one, at the longest window.",
        margin=EXACT + "; a sample shows less than a tenth",
        margin_reason=EXACT_REASON + " A sample of n sees moments up to about the size that it has "
        "once in n runs; over 32 steps that leaves a factor of 80 in a trial.",
        experiments=("growth",),
        judge=_growth,
    ),
    _claim(
        21,
        DERIVED,
        "A linear model is distilled exactly, in one step, by as many images with learned labels "
        "as there are outputs; with fewer no set is better than the best model of that rank.",
        reported="error of the best model of that rank",
        measure="Errors of students against the floor, against alternating least squares of that "
        "rank, against all real data and as many real images.",
        margin="1e-9; a search within 1e-4 above the floor and not below it",
        margin_reason=_TWO_RUNS + " Alternating least squares converges slowly where singular "
        "values are near each other.",
        experiments=("linear-sets",),
        judge=_linear,
    ),
)
