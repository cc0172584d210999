"""The claims of the debate, and how each is judged.

Most statements are derived in the book; where a paper made them first, or states them in its
abstract, the source says so. What is said of other papers is what their abstracts say.

Simulations are compared with laws by the rule of `fragile_learning.claims.compare`, whose numbers
were fixed before any table was computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.claims import (
    EXACT,
    EXACT_REASON,
    FALSE_ALARM,
    Claim,
    Verdict,
    both,
    compare,
    rows_with,
    simulated,
    verdict_of,
)
from fragile_learning.debate import theory
from fragile_learning.statistics import plus_minus, z_bound

__all__ = ["CLAIMS", "claim"]

Tables = Mapping[str, pd.DataFrame]

OWN = "Derived in this book"
LIMIT = "z standard errors (false alarm 4e-8) plus $1.5\\,(d+1)/T$ of the prediction"
LIMIT_REASON = (
    "The law is the limit for few features; one fit itself differs from its limit by the factor "
    "$T/(T - d - 1)$, so that is the size of the first correction."
)
MIXED_REASON = "Exact for a mean. " + LIMIT_REASON
SMALLEST_EFFICIENCY = 1.0 / theory.ACCUMULATE_LIMIT


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"debate/{name}"]


def _compare(frame: Any, prefix: str = "") -> Any:
    """Compare the means of a table with its laws."""
    scale = frame.get("scale", 0.0)
    return compare(frame[f"{prefix}mean"], frame[f"{prefix}se"], frame[f"{prefix}law"], scale)


def _last(frame: Any) -> Any:
    """Last row: that of the last generation of the last setting."""
    return frame.loc[frame["generation"].idxmax()]


def _shown(row: Any, prefix: str = "") -> str:
    return plus_minus(float(row[f"{prefix}mean"]), float(row[f"{prefix}se"]))


# --- the workflows ----------------------------------------------------------------------------


def _workflow(tables: Tables, workflow: str) -> Any:
    return rows_with(_table(tables, "workflows"), workflow=workflow)


def _replace(tables: Tables) -> Verdict:
    frame = _workflow(tables, "replace")
    row = _last(frame)
    return simulated(
        _compare(frame),
        f"After {row.generation} generations {_shown(row)} fits' worth of error; the law is "
        f"{row.law:g}.",
        measured=f"{_shown(row)} at n = {row.generation}",
        last=row["mean"],
    )


def _one_design(tables: Tables) -> Verdict:
    frame = _workflow(tables, "accumulate, one design")
    found = _compare(frame)
    row = _last(frame)
    z = z_bound(FALSE_ALARM, len(frame))
    bounded = bool((frame["mean"] - z * frame["se"] <= theory.ACCUMULATE_LIMIT).all())
    return simulated(
        found._replace(agrees=found.agrees and bounded),
        f"After {row.generation} generations {_shown(row)}; the sum is {row.law:.3f}, its limit "
        f"{theory.ACCUMULATE_LIMIT:.3f}.",
        measured=f"{_shown(row)} at n = {row.generation}",
        last=row["mean"],
        bounded=bounded,
    )


def _new_designs(tables: Tables) -> Verdict:
    frame = _workflow(tables, "accumulate, new designs")
    found = _compare(frame)
    shared = theory.accumulate_shared_design(int(frame["generation"].max()))
    later = frame[frame["generation"] > 1]
    above = bool((later["law"] < shared[later["generation"].to_numpy() - 1]).all())
    tight = frame[frame["n_samples"] == frame["n_samples"].min()]
    row = _last(tight)
    limit = theory.accumulate_new_designs_limit(int(row.n_samples), int(row.n_features))
    return simulated(
        found._replace(agrees=found.agrees and above),
        f"At T = {row.n_samples}, d = {row.n_features} the error is {_shown(row)} after "
        f"{row.generation} generations (law {row.law:.3f}, limit {limit:.3f}), with one design "
        f"{shared[-1]:.3f}.",
        measured=f"{_shown(row)} (T = {row.n_samples}, d = {row.n_features})",
        last=row["mean"],
        one_design=float(shared[-1]),
    )


def _subsample(tables: Tables) -> Verdict:
    squares = _workflow(tables, "accumulate, subsample")
    means = rows_with(_table(tables, "means"), workflow="accumulate, subsample")
    found = both(_compare(squares), _compare(means))
    row = _last(squares)
    lower = _last(_workflow(tables, "accumulate, one design"))
    upper = _last(_workflow(tables, "replace"))
    z = z_bound(FALSE_ALARM, 2)
    gaps = (
        (row["mean"] - lower["mean"]) / (z * np.hypot(row.se, lower.se)),
        (upper["mean"] - row["mean"]) / (z * np.hypot(row.se, upper.se)),
    )
    between = min(gaps) > 1.0
    return simulated(
        found._replace(
            agrees=found.agrees and min(gaps) >= -1.0, decided=found.decided and between
        ),
        f"After {row.generation} generations {_shown(row)} (law {row.law:.3f}, limit "
        f"{theory.SUBSAMPLE_LIMIT:.3f}), between {_shown(lower)} of accumulating and "
        f"{_shown(upper)} of replacing; a mean follows the exact law at every size.",
        measured=f"{_shown(row)} at n = {row.generation}",
        last=row["mean"],
        between=between,
    )


def _kept(tables: Tables) -> Verdict:
    squares = _workflow(tables, "real kept, pooled")
    means = rows_with(_table(tables, "means"), workflow="real kept, pooled")
    found = both(_compare(squares), _compare(means))
    row = _last(means)
    z = z_bound(FALSE_ALARM, 1)
    worse = bool(row["mean"] - 1.0 > z * row.se)
    return simulated(
        found._replace(decided=found.decided and worse),
        f"A mean ends at {_shown(row)} (law {row.law:.3f}), least squares at "
        f"{_shown(_last(squares))}: bounded, and worse than the real data alone.",
        measured=_shown(row),
        last=row["mean"],
    )


def _pooled(tables: Tables) -> Verdict:
    squares = _workflow(tables, "real fresh, pooled")
    weights = _table(tables, "weights")
    pooled = weights[weights["weight"] == weights["ratio"] / (1.0 + weights["ratio"])]
    found = both(_compare(squares), _compare(pooled))
    row = _last(rows_with(pooled, ratio=1.0))
    return simulated(
        found,
        f"At equal numbers a mean ends at {_shown(row)} (law {row.law:.4f}); least squares at "
        f"{_shown(_last(squares))} (exact law {_last(squares).law:.4f}).",
        measured=_shown(row),
        last=row["mean"],
    )


def _golden(tables: Tables) -> Verdict:
    weights = rows_with(_table(tables, "weights"), ratio=1.0)
    last = weights[weights["generation"] == weights["generation"].max()]
    best = last[last["weight"] == theory.best_weight(1.0)]
    row = best.iloc[0]
    squares = _workflow(tables, "real fresh, best weight")
    found = both(_compare(best), _compare(squares))
    others = last[last["weight"] != row.weight]
    z = z_bound(FALSE_ALARM, len(others))
    error = np.hypot(others["se"], row.se)
    beaten = bool((others["mean"] < row["mean"] - z * error).any())
    clearly = int((others["mean"] > row["mean"] + z * error).sum())
    return simulated(
        found._replace(agrees=found.agrees and not beaten),
        f"At the weight {row.weight:.4f} a mean ends at {_shown(row)}; of {len(others)} other "
        f"weights none is better and {clearly} are worse beyond chance.",
        measured=_shown(row),
        last=row["mean"],
        clearly_worse=clearly,
        beaten=beaten,
    )


def _weights(tables: Tables) -> Verdict:
    frame = _table(tables, "weights")
    found = _compare(frame)
    last = frame[frame["generation"] == frame["generation"].max()]
    shown, gains = [], True
    for ratio, group in last.groupby("ratio"):
        share = theory.best_weight(float(ratio))
        best = group[group["weight"] == share].iloc[0]
        pooled = group[group["weight"] == theory.pooled_weight(float(ratio))].iloc[0]
        gains &= abs(best.stationary / share - 1.0) < 1e-9
        shown.append(f"k = {ratio:g}: {_shown(best)} ({share:.3f}), pooled {_shown(pooled)}")
    first = last[last["ratio"] == last["ratio"].min()]
    row = first[first["weight"] == theory.best_weight(float(first["ratio"].iloc[0]))].iloc[0]
    return simulated(
        found._replace(agrees=found.agrees and bool(gains)),
        f"Measured at the best weight (the weight itself): {'; '.join(shown)}.",
        measured=f"{_shown(row)} at k = {row.ratio:g}",
        last=row["mean"],
    )


# --- Gaussian chains and families -------------------------------------------------------------


def _gaussian_replaced(tables: Tables) -> Verdict:
    frame = rows_with(_table(tables, "gaussian"), workflow="replace")
    lengths = sorted(set(frame["n_generations"]))
    short, long = (frame[frame["n_generations"] == n] for n in (lengths[0], lengths[-1]))
    end = long[long["generation"] == long["generation"].max()]
    found = both(_compare(short, "variance_"), _compare(short, "error_"), _compare(end, "log_"))
    fair = _last(short[short["unbiased"]])
    row = _last(long[long["unbiased"]])
    rate = row.log_mean / row.generation
    return simulated(
        found,
        f"With the unbiased estimate the mean variance is {_shown(fair, 'variance_')} after "
        f"{fair.generation} generations of {fair.n_samples} samples; after {row.generation} the "
        f"median chain has {row['median']:.1e}, and {100 * row.lost:.0f} % have lost 99 % of it. "
        f"The log variance falls by {-rate:.4f} a generation (law "
        f"{-row.log_law / row.generation:.4f}).",
        measured=f"{plus_minus(rate, row.log_se / row.generation)} per generation",
        mean_variance=fair.variance_mean,
        median=row["median"],
        lost=row.lost,
    )


def _gaussian_accumulated(tables: Tables) -> Verdict:
    frame = rows_with(_table(tables, "gaussian"), workflow="accumulate")
    found = both(_compare(frame, "variance_"), _compare(frame, "error_"))
    small = frame[(frame["n_samples"] == frame["n_samples"].min()) & ~frame["unbiased"]]
    row = _last(small)
    limit = theory.accumulated_variance_limit(int(row.n_samples), unbiased=False)
    return simulated(
        found,
        f"With {row.n_samples} samples a generation and maximum likelihood the variance is "
        f"{_shown(row, 'variance_')} after {row.generation} generations (law "
        f"{row.variance_law:.4f}, limit {limit:.4f}).",
        measured=f"{_shown(row, 'variance_')} at t = {row.generation}",
        last=row.variance_mean,
        limit=limit,
    )


def _families(tables: Tables) -> Verdict:
    frame = _table(tables, "families")
    found = _compare(frame)
    small = frame[(frame["n_samples"] == frame["n_samples"].min())]
    ends = {
        family: _last(rows_with(small, family=family, workflow="accumulate"))
        for family in ("bernoulli", "poisson", "exponential")
    }
    shown = ", ".join(f"{name} {_shown(row)} ({row.law:.3f})" for name, row in ends.items())
    row = ends["exponential"]
    return simulated(
        found,
        f"Accumulating {row.n_samples} samples for {row.generation} generations, measured (law): "
        f"{shown}. The exponential law's limit {row.limit:.3f} is above "
        f"{theory.ACCUMULATE_LIMIT:.3f}: the bound is asymptotic.",
        measured=f"exponential: {_shown(row)}",
        exponential=row["mean"],
        exponential_limit=row.limit,
    )


def _efficiency(tables: Tables) -> Verdict:
    frame = _table(tables, "logistic")
    kept = rows_with(frame, workflow="accumulate")
    found = compare(kept["ratio"], kept["se"], kept["law"], kept["scale"])
    row, replaced = _last(kept), _last(rows_with(frame, workflow="replace"))
    z = z_bound(FALSE_ALARM, 2)
    enough = bool(row.ratio - z * row.se <= theory.ACCUMULATE_LIMIT * (1.0 + 1.5 * row.scale))
    lost = (replaced.ratio - theory.ACCUMULATE_LIMIT) / (z * replaced.se)
    shown = plus_minus(1.0 / row.ratio, row.se / row.ratio**2)
    return simulated(
        found._replace(
            agrees=found.agrees and enough and lost >= -1.0, decided=found.decided and lost > 1.0
        ),
        f"Logistic regression keeps {shown} of its efficiency after {row.generation} generations "
        f"that accumulate (law {1.0 / row.law:.3f}, bound {SMALLEST_EFFICIENCY:.3f}), and "
        f"{1.0 / replaced.ratio:.3f} if data are replaced.",
        measured=shown,
        efficiency=1.0 / row.ratio,
        replaced=1.0 / replaced.ratio,
    )


# --- kernels and retraining -------------------------------------------------------------------


def _kernel(tables: Tables) -> Verdict:
    frame = _table(tables, "kernel-chains")
    found = both(_compare(frame, "variance_"), _compare(frame, "gap_"))
    replaced, kept = (_last(rows_with(frame, workflow=name)) for name in ("replace", "accumulate"))
    return simulated(
        found,
        f"After {replaced.generation} generations {_shown(replaced, 'gap_')} of the draws lie in "
        f"the gap if data are replaced (law {replaced.gap_law:.4f}), {_shown(kept, 'gap_')} if "
        f"they accumulate ({kept.gap_law:.4f}); the variances are "
        f"{_shown(replaced, 'variance_')} ({replaced.variance_law:.3f}) and "
        f"{_shown(kept, 'variance_')} ({kept.variance_law:.3f}).",
        measured=f"{_shown(replaced, 'gap_')} and {_shown(kept, 'gap_')} in the gap",
        replaced=replaced.gap_mean,
        accumulated=kept.gap_mean,
    )


def _forgetting(tables: Tables) -> Verdict:
    frame = rows_with(_table(tables, "kernel-chains"), workflow="replace")
    found = _compare(frame, "within_")
    row = _last(frame)
    share = (1.0 - 1.0 / row.n_samples) ** row.generation
    limit = row.n_samples * row.bandwidth**2
    return simulated(
        found,
        f"After {row.generation} generations of {row.n_samples} samples the variance within one "
        f"is {_shown(row, 'within_')} (law {row.within_law:.3f}); {100 * share:.0f} % of it is "
        f"still the real law's, and the limit is {limit:g}.",
        measured=f"{_shown(row, 'within_')} at t = {row.generation}",
        last=row.within_mean,
        limit=limit,
    )


def _retraining(tables: Tables) -> Verdict:
    frame = _table(tables, "retraining")
    error = float((frame["slope"] / frame["law"] - 1.0).abs().max())
    largest = frame.loc[frame["slope"].idxmax()]
    stable = bool((frame["slope"].abs() < 1.0).all())
    return verdict_of(
        error <= 1e-5 and stable,
        f"Slopes of {len(frame)} maps differ from the law by at most {error:.1e}; with "
        f"{largest.synthetic_ratio:g} synthetic samples for each real one the slope is "
        f"{largest.slope:.4f}.",
        {"relative_error": error, "largest_slope": largest.slope},
        measured=f"{largest.slope:.4f} at {largest.synthetic_ratio:g} synthetic per real",
    )


# --- the claims -------------------------------------------------------------------------------

GERSTGRASSER = "Gerstgrasser et al. 2024, abstract; constant derived in this book"
_TIGHT = theory.accumulate_new_designs_limit(20, 8)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "DEB-1",
        GERSTGRASSER,
        "If each generation's data replace the last one's, the error of least squares grows in "
        "proportion to the number of generations.",
        "Simulated error of each generation against $n$ fits' worth.",
        EXACT,
        EXACT_REASON,
        ("debate/workflows",),
        _replace,
        reported="n",
    ),
    Claim(
        "DEB-2",
        GERSTGRASSER,
        r"If data accumulate on one design the error is $\sum_{i\le n} i^{-2}$ fits' worth, below "
        r"$\pi^2/6$ for any number of generations.",
        "Simulated error of each generation against the sum, and against the bound.",
        EXACT,
        EXACT_REASON,
        ("debate/workflows",),
        _one_design,
        reported=f"at most π²/6 = {theory.ACCUMULATE_LIMIT:.3f}",
    ),
    Claim(
        "DEB-3",
        OWN,
        r"With a new design in each generation it is $\sum_i \frac{T-d-1}{i(iT-d-1)}$: lower, "
        "and with few samples per feature nearly that of one fit.",
        "Simulated error at three sizes against the sum; the sum against that of one design.",
        EXACT,
        EXACT_REASON,
        ("debate/workflows",),
        _new_designs,
        reported=f"limit {_TIGHT:.3f} at T = 20, d = 8",
    ),
    Claim(
        "DEB-4",
        OWN + "; the ordering: Kazdan et al. 2024, abstract",
        "If all data are kept but each generation sees a random part of constant size, the error "
        r"is between the two, and levels at $\pi^2/2 - 2$ fits' worth.",
        "Simulated error against the recursion, for least squares and for a mean; order of the "
        "three workflows at the last generation.",
        LIMIT,
        MIXED_REASON,
        ("debate/workflows", "debate/means"),
        _subsample,
        reported=f"limit π²/2 − 2 = {theory.SUBSAMPLE_LIMIT:.3f}",
    ),
    Claim(
        "DEB-5",
        OWN,
        "If the first real data are kept and pooled with as many new synthetic samples each time, "
        "the error ends at 4/3 fits' worth: bounded, but worse than ignoring the synthetic ones.",
        "Simulated error against the geometric sum, for least squares and for a mean.",
        LIMIT,
        MIXED_REASON,
        ("debate/workflows", "debate/means"),
        _kept,
        reported="4/3",
    ),
    Claim(
        "DEB-6",
        OWN,
        "With as many fresh real samples as synthetic ones in each generation, pooled, the error "
        "falls to 2/3 of a fit's; for least squares by an exact recursion at any size.",
        "Simulated error against the recursion, for least squares and for a mean.",
        EXACT,
        EXACT_REASON,
        ("debate/workflows", "debate/weights"),
        _pooled,
        reported="2/3",
    ),
    Claim(
        "DEB-7",
        "He, Xu, Cheng 2025 (golden ratio weighting); derived again in this book",
        r"At equal numbers the best weight of the real samples is $(\sqrt5-1)/2$, the inverse "
        "golden ratio.",
        "Simulated error at that weight against the law, and against the error at other weights.",
        LIMIT,
        MIXED_REASON,
        ("debate/workflows", "debate/weights"),
        _golden,
        reported=f"(√5 − 1)/2 = {theory.best_weight(1.0):.3f}",
    ),
    Claim(
        "DEB-8",
        OWN,
        "For any numbers and any weight the error follows "
        r"$V_\infty + (1-w)^{2(t-1)}(1 - V_\infty)$, and at the best weight $V_\infty$ is the "
        "weight itself.",
        "Simulated error of a mean at all weights, ratios and generations of the table.",
        EXACT,
        EXACT_REASON,
        ("debate/weights",),
        _weights,
        reported=f"{theory.best_weight(0.25):.3f} at k = 0.25",
    ),
    Claim(
        "DEB-9",
        "Shumailov et al. 2024, abstract (convergence to low variance); rates derived in this book",
        "A normal law that is refitted to its own samples loses its variance in almost every "
        r"chain, at the rate $\psi(\frac{n-1}2) + \log\frac2{n-1}$, although the unbiased estimate "
        "keeps its expectation constant.",
        "Mean variance and squared error of the mean against the laws in short chains; mean log "
        "variance against its drift at the end of long ones.",
        EXACT,
        EXACT_REASON,
        ("debate/gaussian",),
        _gaussian_replaced,
        reported=f"−{-theory.log_variance_drift(20)[0]:.4f} per generation, n = 20",
    ),
    Claim(
        "DEB-10",
        "Kazdan et al. 2024, abstract (stable if data accumulate); constants derived in this book",
        r"If samples accumulate the variance stays above $\frac{\sin x}{x}$ of the real one, "
        r"$x = \pi/\sqrt n$, with maximum likelihood, and higher with the unbiased estimate.",
        "Mean variance and squared error of the mean against the products.",
        EXACT,
        EXACT_REASON,
        ("debate/gaussian",),
        _gaussian_accumulated,
        reported=f"limit {theory.accumulated_variance_limit(5, unbiased=False):.4f} at n = 5",
    ),
    Claim(
        "DEB-11",
        OWN,
        "In families of quadratic variance the error of a re-estimated mean is one product, of "
        r"$1 + v_2/(n i^2)$ if data accumulate and of $1 + v_2/n$ if not.",
        "Simulated error of normal, Poisson, exponential and Bernoulli means against the product.",
        EXACT,
        EXACT_REASON,
        ("debate/families",),
        _families,
        reported=(
            f"limit {theory.family_error_limit(n_samples=10, curvature=1.0):.3f} "
            "(exponential, n = 10)"
        ),
    ),
    Claim(
        "DEB-12",
        "Dey, Donoho 2024, abstract",
        r"Beyond linear models too, accumulating keeps at least $6/\pi^2$ of the efficiency in "
        "the limit of many samples, and replacing loses it without bound.",
        "Error of logistic regression over that of its first generation, against the sum and the "
        "bound.",
        LIMIT,
        "A limit of many samples; its first correction is of relative size $d/T$, as for least "
        "squares, and the bound on the efficiency gets the same allowance.",
        ("debate/logistic",),
        _efficiency,
        reported=f"at least 6/π² = {SMALLEST_EFFICIENCY:.3f}",
    ),
    Claim(
        "DEB-13",
        OWN + "; kernel estimates are one of the settings of Kazdan et al. 2024",
        "A chain of kernel density estimates spreads by $h^2$ a generation if data are replaced, "
        r"and by $h^2 \sum_{i\le t} 1/i$ in all if they accumulate; the mass between two modes "
        "follows.",
        "Simulated variance and share of draws in the gap against the laws, all generations.",
        EXACT,
        EXACT_REASON,
        ("debate/kernel-chains",),
        _kernel,
        reported="$h^2 t$ and $h^2 H_t$",
    ),
    Claim(
        "DEB-14",
        OWN,
        "Within a generation of a kernel chain that replaces, the variance forgets the real law "
        "at the rate $1/n$ and tends to $nh^2$, whatever the real law was.",
        "Simulated variance within each generation against the law.",
        EXACT,
        EXACT_REASON,
        ("debate/kernel-chains",),
        _forgetting,
        reported="$n h^2$",
    ),
    Claim(
        "DEB-15",
        OWN,
        r"With infinitely many real samples and $\lambda$ times as many of its own, maximum "
        r"likelihood shrinks a small error by $\lambda\kappa/(1+\lambda\kappa) < 1$: stable for "
        r"every $\lambda$, but ever slower.",
        "Slope of the map from one location to the next, by quadrature, for a right and a wrong "
        "model.",
        "Relative distance 1e-5",
        "A difference quotient over 2e-3 and a quadrature, no chance.",
        ("debate/retraining",),
        _retraining,
        reported=f"{theory.retraining_rate(32.0):.4f} at 32 synthetic per real",
    ),
)

_BY_ID = {one.id: one for one in CLAIMS}


def claim(identity: str) -> Claim:
    """Return a claim by its id.

    Parameters
    ----------
    identity : str
        Like ``"DEB-4"``.

    Raises
    ------
    ValueError
        If there is no such claim.

    Examples
    --------
    >>> claim("DEB-4").experiments
    ('debate/workflows', 'debate/means')
    """
    if identity not in _BY_ID:
        raise ValueError(f"identity must be one of {', '.join(_BY_ID)}, got {identity!r}")
    return _BY_ID[identity]
