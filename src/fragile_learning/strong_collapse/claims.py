"""The 21 claims on strong collapse, and how each is judged.

A claim states what the paper says, as far as it is known to us, or what the chapter derives. Where
the derivation found a statement wrong, the claim is expected to differ.

Simulations are compared with laws by the rule of `fragile_learning.claims.compare`, whose numbers
were fixed before any table was computed. Where designs and projections are both random, twice the
usual multiple of the finite-size scale is allowed: each has a correction of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.claims import (
    COARSEST,
    EXACT,
    EXACT_REASON,
    FALSE_ALARM,
    FINITE_SIZE,
    Agreement,
    Claim,
    Outcome,
    Verdict,
    both,
    compare,
    simulated,
    verdict_of,
)
from fragile_learning.statistics import (
    beside,
    plus_minus,
    significant,
    z_bound,
)

__all__ = ["CLAIMS", "claim"]

Tables = Mapping[str, pd.DataFrame]

PAPER = "Dohmatob, Feng, Subramonian, Kempe 2025"
DERIVED = "Derived in this book"

_BOTH_RANDOM = 2.0 * FINITE_SIZE
_LIMIT = r"z standard errors (false alarm 4e-8) plus $k/(n - D)$ of the prediction, "
_ONE = _LIMIT + "k = 1.5"
_TWO = _LIMIT + "k = 3"
_ONE_REASON = (
    r"The law is a limit; its first correction is of relative size $1/(n - D)$, and needed a "
    "factor of at most 1.1 in the first chapter's trials."
)
_TWO_REASON = (
    _ONE_REASON + " Design and projection are both random here: twice the usual allowance. It "
    "is 15 % next to the threshold without ridge, where trials saw 11 %."
)
_PARTS = ("bias", "variance", "collapse")


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"strong_collapse/{name}"]


def _parts(
    frame: Any, parts: tuple[str, ...] = _PARTS, finite_size: float = FINITE_SIZE
) -> Agreement:
    return both(
        *(
            compare(
                frame[f"mean_{part}"],
                frame[f"se_{part}"],
                frame[f"theory_{part}"],
                frame.get("scale", 0.0),
                finite_size=finite_size,
            )
            for part in parts
        )
    )


def _worst(found: Agreement) -> str:
    return f"the largest distance is {found.worst:.2f} of its bound"


def _mean_and_error(values: Any) -> tuple[float, float]:
    values = np.asarray(values, float)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def _joined(
    holds: list[bool], known: list[bool], summary: str, numbers: Any, measured: str
) -> Verdict:
    """Verdict of several conditions: one that is known to fail decides, else all must be known."""
    fails = any(one_known and not one for one, one_known in zip(holds, known, strict=True))
    return verdict_of(all(holds), summary, numbers, decided=fails or all(known), measured=measured)


# --- the judges -------------------------------------------------------------------------------

_GENERAL = ("G7", "G8", "G9")


def _classical(tables: Tables) -> Verdict:
    frame = _table(tables, "mixtures")
    frame = frame[~frame["projected"]]
    found = _parts(frame)
    return simulated(
        found,
        f"Bias, variance and collapse of {len(frame)} mixtures, white and power law, n below and "
        f"above d, with ridge and without: {_worst(found)}.",
        measured="collapse, " + _parts(frame, ("collapse",)).measured(),
    )


def _projected(tables: Tables) -> Verdict:
    frame = _table(tables, "mixtures")
    frame = frame[frame["projected"] & ~frame["setting"].isin(_GENERAL)]
    found = _parts(frame, finite_size=_BOTH_RANDOM)
    return simulated(
        found,
        f"Bias, variance and collapse of {len(frame)} projected mixtures, m below, at and above n: "
        f"{_worst(found)}.",
        measured="collapse, " + _parts(frame, ("collapse",), _BOTH_RANDOM).measured(),
    )


def _special_cases(tables: Tables) -> Verdict:
    frame = _table(tables, "identities")
    wide = float(frame["wide_error"].max())
    nothing = float(
        frame[["collapse_without_synthetic", "collapse_without_shift"]].abs().to_numpy().max()
    )
    return verdict_of(
        wide <= 1e-6 and nothing == 0.0,
        f"At width 1e9 the risk of {len(frame)} random mixtures is the classical one to "
        f"{wide:.1e}; without shift or synthetic samples the collapse term is {nothing:g}.",
        {"wide_error": wide, "collapse_of_nothing": nothing, "n_settings": len(frame)},
        measured=f"risk {significant(wide, 2)} apart at m = 10⁹; {significant(nothing, 2)}",
    )


def _golden(tables: Tables) -> Verdict:
    frame = _table(tables, "mixtures").dropna(subset=["golden_total"])
    error = max(
        float((frame[f"theory_{part}"] - frame[f"golden_{part}"]).abs().max())
        for part in (*_PARTS, "total")
    )
    return verdict_of(
        error <= 1e-6,
        f"{4 * len(frame)} numbers of {len(frame)} mixtures: the largest distance is {error:.1e}.",
        {"largest_distance": error, "n_settings": len(frame)},
        decided=len(frame) == 10,
        measured=f"within {significant(error, 2)} of all {4 * len(frame)}",
    )


def _forms(tables: Tables) -> Verdict:
    frame = _table(tables, "identities")
    error, least = float(frame["form_error"].max()), float(frame["collapse_over_bound"].min())
    return verdict_of(
        error <= 1e-10 and least >= 1.0 - 1e-12,
        f"Two forms of the law differ by at most {error:.1e} in {len(frame)} random mixtures; the "
        f"collapse term is at least {least:.2f} times its bound.",
        {"form_error": error, "least_over_bound": least, "n_settings": len(frame)},
        measured=f"{least:.4f} times it or more; two forms within {significant(error, 2)}",
    )


def _level(sweep: Any, row: Any) -> str:
    """Write the simulated collapse term at the most samples as a multiple of its floor."""
    drawn = sweep[sweep["synthetic_fraction"] == row["synthetic_fraction"]]
    last = drawn.loc[drawn["n_samples"].idxmax()]
    level = plus_minus(last["mean_collapse"] / row["floor"], last["se_collapse"] / row["floor"])
    return f"{level} p₂²c² (p₂ = {row['synthetic_fraction']:g})"


def _floor(tables: Tables) -> Verdict:
    frame = _table(tables, "floor")
    near = float((frame["collapse_over_floor"] - 1.0).abs().max())
    p2, quality = frame["synthetic_fraction"], frame["shift_size"]
    law = 2.0 + p2 * (1.0 - p2) * quality / frame["noise_std"] ** 2
    off = float((frame["ratio_at_departure"] - law).abs().max())
    few = frame[p2 <= 0.1]
    double = float((few["ratio_at_departure"] - 2.0).abs().max())
    place = float((frame["departure"] / (frame["rule"] + frame["n_features"]) - 1.0).abs().max())
    sweep = _table(tables, "sample-sweep")
    found = both(
        compare(
            sweep["mean_total"],
            sweep["se_total"],
            sweep["theory_total"],
            sweep["scale"],
        ),
        _parts(_table(tables, "mixtures").query("setting == 'G10'"), ("collapse",)),
    )
    agrees = near <= 0.01 and off <= 5e-3 and double <= 0.1 and place <= 5e-3
    half = float(frame["ratio_at_departure"].iloc[int(np.argmax(p2))])
    level = _level(sweep, frame.loc[p2.idxmin()])
    return simulated(
        found._replace(agrees=found.agrees and agrees),
        f"Collapse within {100 * near:.2f} % of the floor at 105 d p1/p2 samples. At the departure "
        f"the error is {2.0 - double:.2f} to {2.0 + double:.2f} times the clean one for p2 up to "
        f"0.1, and {half:.2f} for 0.5. {len(sweep)} simulated points: {_worst(found)}.",
        measured=f"{level}; error ×{few['ratio_at_departure'].min():.3f} to "
        f"{few['ratio_at_departure'].max():.3f}",
        distance_from_floor=near,
        distance_from_double=double,
        distance_from_law=off,
        ratio_at_half=half,
    )


def _double_descent(tables: Tables) -> Verdict:
    sweep, odd = _table(tables, "model-size"), _table(tables, "counterexample").sort_values("width")
    sweep = sweep[sweep["n_features"] > sweep["n_samples"]]
    inverse = sweep[sweep["shift"] == "inverse"]
    rises, falls = bool(inverse["rises_below"].all()), bool(sweep["falls_above"].all())
    left = float(sweep["collapse_at_infinity"].min())
    found = _parts(odd, ("collapse",), _BOTH_RANDOM)
    means, errors = odd["mean_collapse"].to_numpy(), odd["se_collapse"].to_numpy()
    fall = float(means[1] - means[2])
    certain = fall > z_bound(FALSE_ALARM) * float(np.hypot(errors[1], errors[2]))
    return simulated(
        found._replace(
            agrees=found.agrees and rises and falls and left > 0.0 and fall > 0.0,
            decided=found.decided and certain,
        ),
        f"{len(inverse)} shifts proportional to the inverse covariance: rising below n in "
        f"{int(inverse['rises_below'].sum())}; {len(sweep)} shifts of all kinds: falling above n "
        f"in {int(sweep['falls_above'].sum())}, to at least {left:.2f}. In the counter-example "
        f"the collapse falls below n already, from {means[1]:.4f} to {means[2]:.4f}.",
        measured=f"{int(inverse['rises_below'].sum())} of {len(inverse)} rise, "
        f"{int(sweep['falls_above'].sum())} of {len(sweep)} fall; limits {significant(left)} or "
        "more",
        rises=rises,
        falls=falls,
        least_limit=left,
        fall_of_counterexample=fall,
    )


def _no_threshold(tables: Tables) -> Verdict:
    frame = _table(tables, "model-size")
    frame = frame[frame["n_features"] < frame["n_samples"]]
    spread = float(frame["spread_above"].max())
    return verdict_of(
        spread <= 1e-10,
        f"With d < n the collapse of all widths m > d is the same to {spread:.1e}.",
        {"spread": spread, "n_settings": len(frame)},
        measured=f"spread {significant(spread, 2)}",
        decided=len(frame) >= 2,
    )


def _image_width(tables: Tables) -> Verdict:
    frame = _table(tables, "image-width")
    frame = frame.assign(gap=frame["error"] - frame["clean_error"])
    numbers: dict[str, Any] = {}
    shown, holds, known = [], [], []
    peaks: dict[str, str] = {}
    common = frame["synthetic_fraction"].iloc[0]
    for (data, share), group in frame.groupby(["data_used", "synthetic_fraction"], sort=False):
        n = int(group["n_samples"].iloc[0])
        gap = group.pivot_table(index="replicate", columns="width", values="gap")
        narrow, peak, wide = (gap[width] for width in (n // 3, n, 10 * n))
        for name, other, factor in (("narrow", narrow, 3.0), ("wide", wide, 1.5)):
            mean, error = _mean_and_error(peak - factor * other)
            holds.append(mean > 0.0)
            known.append(abs(mean) > 3.0 * error)
            numbers[f"{data}_{share:g}_{name}"] = float(peak.mean() / other.mean())
        shown.append(
            f"{data}, p2 = {share:g}: {narrow.mean():.3f}, {peak.mean():.3f}, {wide.mean():.3f}"
        )
        if share == common:
            peaks[data] = f"{plus_minus(*_mean_and_error(peak), signed=True)} ({data})"
    holds.append(True)
    known.append(frame["data_used"].nunique() >= 2)  # one data set alone confirms nothing
    return _joined(
        holds,
        known,
        f"Gap to clean labels at widths n/3, n and 10n: {'; '.join(shown)}.",
        numbers,
        f"gap at m = n: {', '.join(peaks.values())}",
    )


def _exact_least_squares(tables: Tables) -> Verdict:
    frame = _table(tables, "least-squares")
    found = _parts(frame, ("variance", "collapse"))
    small = frame.iloc[0]
    off = float(small["limit_collapse"] / small["theory_collapse"] - 1.0)
    return simulated(
        found,
        f"{len(frame)} sizes: {_worst(found)}. The limit is off by {100 * abs(off):.1f} % at "
        f"n = {int(small['n_real'] + small['n_synthetic'])}, d = {int(small['n_features'])}.",
        limit_error=off,
    )


def _weights(tables: Tables) -> Verdict:
    best = _table(tables, "best-weight").sort_values("aspect_ratio", ascending=False)
    left = best["left_by_expansion"].to_numpy()
    order = float(left[-2] / left[-1])
    ratio = float(best["best_weight"].iloc[-1] / best["predicted_weight"].iloc[-1])
    falls = bool(best["best_weight"].is_monotonic_decreasing)
    frame = _table(tables, "weights").query("weight > 0")
    distances = {
        part: (frame[f"mean_{part}"] / frame[f"theory_{part}"] - 1.0).abs()
        for part in ("variance", "collapse", "total")
    }
    bound = z_bound(FALSE_ALARM, 3 * len(frame))
    close = all(
        bool((off <= 0.02 + bound * frame[f"se_{part}"] / frame[f"theory_{part}"]).all())
        for part, off in distances.items()
    )
    fine = all(
        bool((frame[f"se_{part}"] <= COARSEST * frame[f"theory_{part}"]).all())
        for part in distances
    )
    farthest: Any = pd.DataFrame(distances).max(axis=1).groupby(frame["n_features"]).max()
    shrinks = bool(farthest.sort_index().is_monotonic_decreasing)
    agrees = close and shrinks and abs(order - 4.0) <= 0.2 and 0.95 <= ratio <= 1.0 and falls
    return verdict_of(
        agrees,
        f"Half the features per sample leave 1/{order:.2f} of the remainder; the best weight falls "
        f"to {best['best_weight'].iloc[-1]:.5f} at d/n = {best['aspect_ratio'].iloc[-1]:g}, "
        f"{ratio:.3f} of the prediction; simulated parts of the risk are off by at most "
        + ", ".join(f"{100 * off:.2f} % (d = {int(d)})" for d, off in farthest.items())
        + ".",
        {
            "remainder_ratio": order,
            "weight_ratio": ratio,
            **{f"largest_distance_{int(d)}": float(off) for d, off in farthest.items()},
        },
        measured=f"{ratio:.4f} of it at φ = {best['aspect_ratio'].iloc[-1]:g}",
        decided=fine or not agrees,
    )


def _reported_weights(tables: Tables) -> Verdict:
    frame = _table(tables, "weights")
    found = compare(frame["mean_total"], frame["se_total"], frame["reported"], frame["scale"])
    row = frame[frame["weight"] == 0.5].iloc[0]
    return simulated(
        found,
        f"At weight 1/2: simulated {row.mean_total:.4f} ± {row.se_total:.1g}, derived "
        f"{row.theory_total:.4f}, reported {row.reported:.4f}.",
        measured=f"{plus_minus(row.mean_total, row.se_total)} at α = {row.weight:g}",
        simulated=row.mean_total,
        derived=row.theory_total,
        reported=row.reported,
    )


def _fresh(tables: Tables) -> Verdict:
    frame = _table(tables, "iterative-mixing")
    frame = frame[(frame["mode"] == "fresh") & (frame["synthetic_fraction"] < 1.0)]
    frame = frame[frame["round"] > 0]
    found = compare(frame["mean"], frame["se"], frame["theory"])
    first = frame[frame["n_samples"] == 400]
    return simulated(
        found,
        f"{len(frame)} rounds: {_worst(found)}. Rounds 1 to 3 at n = 400: "
        + ", ".join(
            f"{row.mean:.5f} ({row.theory:.5f})" for row in first.head(3).itertuples(index=False)
        )
        + ".",
        last=first["mean"].iloc[-1],
    )


def _reused(tables: Tables) -> Verdict:
    frame = _table(tables, "iterative-mixing")
    frame = frame[(frame["mode"] == "reused") & (frame["round"] > 0)]
    found = compare(frame["mean"], frame["se"], frame["theory"], frame["scale"], finite_size=2.0)
    last = frame[frame["round"] == frame["round"].max()]
    ratios = last["mean"] / last["real_alone"]
    excess = last["mean"] - last["real_alone"]
    certain = bool((excess > z_bound(FALSE_ALARM) * last["se"]).all())
    never = bool((frame["theory"] > frame["real_alone"] * (1.0 - frame["scale"])).all())
    shown = ", ".join(
        f"{ratio:.3f} (n = {int(n)})" for ratio, n in zip(ratios, last["n_samples"], strict=True)
    )
    return simulated(
        found._replace(
            agrees=found.agrees
            and bool((excess > 0.0).all())
            and never
            and bool(((ratios - 4.0 / 3.0).abs() <= 0.08).all()),
            decided=found.decided and certain,
        ),
        f"After {int(last['round'].iloc[0])} rounds the error is {shown} times that of the real "
        f"samples alone; law of all rounds: {_worst(found)}.",
        measured=", ".join(
            f"{plus_minus(ratio, error)} (n = {int(n)})"
            for ratio, error, n in zip(
                ratios, last["se"] / last["real_alone"], last["n_samples"], strict=True
            )
        ),
        **{f"ratio_{int(n)}": r for n, r in zip(last["n_samples"], ratios, strict=True)},
    )


def _purely_synthetic(tables: Tables) -> Verdict:
    frame = _table(tables, "iterative-mixing")
    frame = frame[(frame["synthetic_fraction"] == 1.0) & (frame["n_samples"] == 400)]
    frame = frame.sort_values("round")
    steps = np.diff(frame["theory"])
    straight = float(np.ptp(steps) / steps.mean())
    after = frame[frame["round"] > 0]
    found = compare(after["mean"], after["se"], after["theory"])
    last, rounds = after.iloc[-1], int(after["round"].max())
    each = (last["mean"] - frame["mean"].iloc[0]) / rounds
    return simulated(
        found._replace(agrees=found.agrees and straight <= 1e-10),
        f"From {frame['mean'].iloc[0]:.3f} to {frame['mean'].iloc[-1]:.4f} in "
        f"{int(frame['round'].max())} rounds, {steps.mean():.5f} each: {_worst(found)}.",
        measured=f"{plus_minus(each, last['se'] / rounds)} in each round "
        f"(exact {significant(steps.mean(), 6)})",
        step=float(steps.mean()),
    )


def _best_ridge(tables: Tables) -> Verdict:
    frame = _table(tables, "best-ridge")
    closed = max(
        float((frame["best_ridge"] / frame["closed_form_ridge"] - 1.0).abs().max()),
        float((frame["risk"] / frame["closed_form_risk"] - 1.0).abs().max()),
    )
    row = frame.query("aspect_ratio == 1e-4 and synthetic_fraction == 0.5").iloc[0]
    ridge = float(row.best_ridge / row.predicted_ridge - 1.0)
    risk = float(row.risk / row.predicted_risk - 1.0)
    return verdict_of(
        closed <= 1e-5 and max(abs(ridge), abs(risk)) <= 0.005 and row.risk < row.floor,
        f"At d/n = 1e-4 and p2 = 0.5 the best ridge is {row.best_ridge:.5f} (limit "
        f"{row.predicted_ridge:g}) with risk {row.risk:.5f} (limit {row.predicted_risk:g}; floor "
        f"without ridge {row.floor:g}). Library and closed form: {closed:.1e} apart at most.",
        {"ridge_error": ridge, "risk_error": risk, "closed_form_error": closed},
        measured=f"{row.best_ridge:.5f} and {row.risk:.5f} at d/n = {row.aspect_ratio:g}",
    )


def _general(tables: Tables) -> Verdict:
    frame = _table(tables, "mixtures")
    frame = frame[frame["setting"].isin(_GENERAL)]
    fixed = frame[frame["setting"] == "G9"]
    found = both(
        _parts(frame, finite_size=_BOTH_RANDOM), _parts(fixed, ("interference",), _BOTH_RANDOM)
    )
    row = fixed.iloc[0]
    return simulated(
        found,
        f"Weights, covariate shift and a fixed shift: {_worst(found)}. Interference "
        f"{row.mean_interference:.5f} ± {row.se_interference:.1g} ({row.theory_interference:.5f}).",
        measured=beside(row.mean_interference, row.se_interference, row.theory_interference),
        interference=row.mean_interference,
        predicted_interference=row.theory_interference,
    )


def _first_helpers(tables: Tables) -> Verdict:
    frame = _table(tables, "helpful-synthetic")
    below, above = (frame[frame["relative_shift"] == value] for value in (0.95, 1.05))
    signs = bool((below["first_change"] < 0.0).all() and (above["first_change"] > 0.0).all())
    found = _parts(frame.drop(columns="scale"), ("total",))
    return simulated(
        found._replace(agrees=found.agrees and signs),
        "A hundredth of a synthetic sample changes the risk by "
        f"{below['first_change'].iloc[0]:+.1e} at 0.95 of the threshold and by "
        f"{above['first_change'].iloc[0]:+.1e} at 1.05; {len(frame)} simulated points against the "
        f"exact law: {_worst(found)}.",
        measured=f"by {significant(below['first_change'].max(), 2, signed=True)} or less at 0.95 "
        f"of it, {significant(above['first_change'].min(), 2, signed=True)} or more at 1.05",
        change_below=below["first_change"].iloc[0],
        change_above=above["first_change"].iloc[0],
    )


def _log_loss(tables: Tables) -> Verdict:
    frame = _table(tables, "markov-chain")
    frame = frame[frame["tokens"] == 1_200_000]
    wide = frame.pivot_table(index="replicate", columns="synthetic_fraction", values="excess")
    floors = frame.pivot_table(index="replicate", columns="synthetic_fraction", values="floor")
    numbers: dict[str, Any] = {}
    shown, beside_floor, agrees, decided = [], [], True, True
    for share in (0.3, 0.5, 1.0):
        mean, error = _mean_and_error((wide[share] - wide[0.0]) / floors[share])
        agrees &= abs(mean - 1.0) <= 0.1
        decided &= 3.0 * error <= 0.1
        numbers[f"ratio_{share:g}"] = mean
        shown.append(f"{mean:.3f} ± {error:.3f} (p2 = {share:g})")
        beside_floor.append(f"{plus_minus(mean, error)} (p₂ = {share:g})")
    return verdict_of(
        bool(agrees),
        "Added excess log-loss over the floor at 1.2 million tokens, "
        f"{len(wide)} chains: {', '.join(shown)}.",
        numbers,
        decided=bool(decided) or not bool(agrees),
        measured=f"{beside_floor[0]} to {beside_floor[-1]} of it",
    )


_IMAGE_RANGES = {"digits": (0.8, 1.7), "fashion-mnist": (0.85, 1.25)}


def _image_floor(tables: Tables) -> Verdict:
    frame = _table(tables, "image-mixing")
    numbers: dict[str, Any] = {}
    shown, over_floor, holds, known = [], [], [], []
    for data, group in frame.groupby("data_used", sort=False):
        low, high = _IMAGE_RANGES[str(data)]
        last = group[
            (group["n_samples"] == group["n_samples"].max()) & (group["synthetic_fraction"] == 0.5)
        ]
        ratio = (last["error"] - last["clean_error"]) / (
            0.25 * (last["generator_error"] - last["clean_error"])
        )
        mean, error = _mean_and_error(ratio)
        holds.append(low <= mean <= high)
        known.append(min(abs(mean - low), abs(mean - high)) > 2.0 * error)
        numbers[f"ratio_{data}"] = mean
        shown.append(
            f"{mean:.3f} ± {error:.3f} on {data} ({int(last['n_samples'].iloc[0])} images, "
            f"{len(last)} replicates; allowed {low:g} to {high:g})"
        )
        over_floor.append(f"{plus_minus(mean, error)} ({data})")
    return _joined(
        holds,
        known,
        f"Excess over the predicted floor at p2 = 0.5: {'; '.join(shown)}.",
        numbers,
        f"{', '.join(over_floor)} of it",
    )


def _stories(tables: Tables) -> Verdict:
    frame = _table(tables, "stories")
    top = frame[frame["tokens"] == frame["tokens"].max()]
    numbers: dict[str, Any] = {}
    shown, holds, known = [], [], []
    for depth, group in top.groupby("n_layers"):
        wide = group.pivot_table(index="replicate", columns="synthetic_fraction", values="excess")
        teacher = group.groupby("replicate")["generator_excess"].first()
        mean, error = _mean_and_error(wide[0.5] - 2.0 * wide[0.0])
        level, level_error = _mean_and_error(wide[1.0] / teacher)
        holds += [mean > 0.0, 0.9 <= level <= 1.3]
        known.append(abs(mean) > 3.0 * error)
        known.append(min(abs(level - 0.9), abs(level - 1.3)) > 2.0 * level_error)
        numbers |= {
            f"ratio_{depth}": float((wide[0.5] / wide[0.0]).mean()),
            f"level_{depth}": level,
        }
        times = plus_minus(*_mean_and_error(wide[0.5] / wide[0.0]))
        levels = (
            f"×{times} real; ×{plus_minus(level, level_error)} the generator's ({depth} layers)"
        )
        shown.append(
            f"{depth} layer{'s' * (depth > 1)}: {wide[0.0].mean():.4f} real, "
            f"{wide[0.5].mean():.4f} at p2 = 0.5, "
            f"p2 = 1 at {level:.2f} ± {level_error:.2f} of the generator's"
        )
    seeds = top["replicate"].nunique()
    return _joined(
        [*holds, True],
        [*known, seeds >= 5],
        f"Excess log-loss after {int(top['tokens'].iloc[0]):,} tokens, {seeds} seeds: "
        f"{'; '.join(shown)}.",
        numbers,
        levels,
    )


# --- the claims -------------------------------------------------------------------------------


def _claim(number: int, source: str, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"strong_collapse/{name}" for name in fields.pop("experiments"))
    return Claim(f"STR-{number}", source, statement, experiments=experiments, **fields)


_PAPER = PAPER + ", "

CLAIMS: tuple[Claim, ...] = (
    _claim(
        1,
        _PAPER + "Theorem 1",
        "The error of ridge regression on a mixture is bias plus variance plus a collapse term, "
        "each in closed form.",
        measure="Simulated parts of the risk of classical mixtures.",
        margin=_ONE,
        margin_reason=_ONE_REASON,
        experiments=("mixtures",),
        judge=_classical,
        reported="collapse p₂²(1 + p₁u)tr ΔΣ³(Σ+κ)⁻² + p₂u·tr ΔΣ(p₁Σ+κ)²(Σ+κ)⁻²",
    ),
    _claim(
        2,
        _PAPER + "Theorem 2, in an equivalent form",
        "The same three terms for a random projection of any width.",
        measure="Simulated parts of the risk of projected mixtures, widths around n included.",
        margin=_TWO,
        margin_reason=_TWO_REASON,
        experiments=("mixtures",),
        judge=_projected,
        reported="collapse p₂²tr ΔΣ²[(1+p₁u)Σ + (1+u)ω](Σ+θ)⁻² + p₂u·tr ΔΣ(p₁Σ+θ)²(Σ+θ)⁻²",
    ),
    _claim(
        3,
        _PAPER + "Theorems 1 and 2",
        "A very wide projection is the classical model; without shift or synthetic samples there "
        "is no collapse.",
        measure="Risk at width 1e9; the collapse term of nothing.",
        margin="1e-6 relative; exactly 0",
        margin_reason="The difference is of order n over the width; zero times anything is zero.",
        experiments=("identities",),
        judge=_special_cases,
        reported="the classical risk as m → ∞; collapse 0 without shift",
    ),
    _claim(
        4,
        DERIVED + ", on Theorems 1 and 2",
        "Ten mixtures have the values that two programs sharing no code with this one computed.",
        measure="Bias, variance, collapse and total of G1 to G10.",
        margin="1e-6",
        margin_reason="The values are printed to six decimals.",
        experiments=("mixtures",),
        judge=_golden,
        reported="40 numbers to six decimals",
    ),
    _claim(
        5,
        DERIVED + "; the paper has the bound in the limit",
        "The collapse term has a form with the averaged teacher, and is at least "
        r"$p_2^2\,\mathrm{tr}\,\Delta\Sigma^3(\Sigma+\theta)^{-2}$.",
        measure="Both forms and the bound at random spectra, sizes, widths and ridges.",
        margin="1e-10 relative; an inequality",
        margin_reason="Identities: rounding alone.",
        experiments=("identities",),
        judge=_forms,
        reported="p₂²tr ΔΣ³(Σ+θ)⁻² or more",
    ),
    _claim(
        6,
        _PAPER + "Corollary 1, Figure 3",
        r"For any fixed share $p_2 > 0$ the error stops at $p_2^2c^2$, at about "
        r"$\sigma^2d/(p_2c)^2$ samples.",
        measure="Distance from the floor far out, place of the departure and the ratio of the "
        "errors there; simulated errors from few samples to a billion.",
        margin="floor 1 %; ratio 2 ± 0.1 for shares up to 0.1, and "
        r"$2 + p_1p_2c^2/\sigma^2$ to 0.005 for all; " + _ONE,
        margin_reason=r"At $105\,d\,p_1/p_2$ samples the correction is 1/105 of the floor. "
        "The ratio two belongs to small shares. " + _ONE_REASON,
        experiments=("floor", "sample-sweep", "mixtures"),
        judge=_floor,
        reported="p₂²c²; error twice the clean one at n = σ²d/(p₂c)²",
    ),
    _claim(
        7,
        _PAPER + "Theorem 2; limits of the statement derived in this book",
        "With more features than samples and without ridge, the collapse term rises with the width "
        r"up to n, for shifts proportional to $\Sigma^{-1}$, and falls beyond it, for any "
        "shift, to a positive limit.",
        measure="Monotonicity over all widths; a counter-example to the first half for other "
        "shifts, simulated.",
        margin="strict at every step; the fall of the counter-example z standard errors; " + _TWO,
        margin_reason="Theorems. " + _TWO_REASON,
        experiments=("model-size", "counterexample"),
        judge=_double_descent,
        reported="rises up to m = n, falls beyond it to a limit above 0",
    ),
    _claim(
        8,
        DERIVED,
        "With fewer features than samples nothing happens at m = n: all widths above d are alike.",
        measure="Spread of the collapse term over widths above d, without ridge.",
        margin="1e-10 relative",
        margin_reason="Exactly the same estimator.",
        experiments=("model-size",),
        judge=_no_threshold,
        reported="spread 0 over widths m > d",
    ),
    _claim(
        9,
        _PAPER + "experiments on MNIST",
        "On images too, larger models amplify the collapse below the threshold and mitigate it "
        "above.",
        measure="Gap between mixed and clean test error of random features at widths n/3, n, 10n.",
        margin="gap(n) > 3 gap(n/3) and gap(n) > 1.5 gap(10n), each known to 3 standard errors, on "
        "two data sets",
        margin_reason="Trials on digits showed factors of 8 and 2.2. One data set alone could be a "
        "special case.",
        experiments=("image-width",),
        judge=_image_width,
        reported="gap to clean labels above 0, largest at m = n",
        expected=None,
    ),
    _claim(
        10,
        DERIVED,
        "Least squares on a mixture has an exact law at every size.",
        measure="Simulated variance and collapse at small sizes.",
        margin=EXACT,
        margin_reason=EXACT_REASON,
        experiments=("least-squares",),
        judge=_exact_least_squares,
    ),
    _claim(
        11,
        _PAPER + "Corollary 2, conclusion; expansion derived in this book",
        r"A fixed weight $\alpha$ on the synthetic samples leaves the floor $\alpha^2c^2$, and the "
        r"best weight vanishes like $\phi\sigma_1^2/(p_1c^2)$.",
        measure="Remainder of the expansion when d/n halves; best weight over its prediction; "
        "simulated risks.",
        margin="remainder ratio 4 ± 0.2; 0.95 to 1 at d/n = 0.0025; simulated parts of the risk "
        "2 % plus z standard errors (false alarm 4e-8)",
        margin_reason="The next order adds a few d/n to the first, less than 1 % to the second. "
        "The 2 % are those of the plan. A first run with 100 features was judged by 1.5/(n - D) "
        "instead and failed, by 0.4 % of the collapse term: unequal weights leave fewer effective "
        "samples, which that scale does not know. Hence a second size: the distance must shrink.",
        experiments=("weights", "best-weight"),
        judge=_weights,
        reported="best weight φσ₁²/(p₁c²)",
    ),
    _claim(
        12,
        _PAPER + "Corollary 2, as reported of the second arXiv version",
        r"The risk of weighted mixing is $p_2^2\alpha^2c^2 + ((1-\alpha)p_1\sigma_1^2 + "
        r"\alpha p_2\sigma_2^2)\phi$.",
        measure="Simulated risk at d/n = 0.05 and nine weights.",
        margin=_ONE,
        margin_reason="Generous to an expansion in d/n; the two formulas are a factor of four "
        "apart at weight 1/2.",
        experiments=("weights",),
        judge=_reported_weights,
        reported="p₂²α²c² + ((1 − α)p₁σ₁² + αp₂σ₂²)φ = 0.0375 at α = 0.5",
        expected=Outcome.DIFFERS,
    ),
    _claim(
        13,
        _PAPER + "iterative mixing; exact form derived in this book",
        "With fresh real samples in each round the error follows $E_t = V + K E_{t-1}$.",
        measure="Simulated error of each round.",
        margin=EXACT,
        margin_reason=EXACT_REASON,
        experiments=("iterative-mixing",),
        judge=_fresh,
        reported="Eₜ = V + K·Eₜ₋₁",
    ),
    _claim(
        14,
        _PAPER + "Figure 10; law derived in this book",
        "If the real samples are reused, iterative mixing is never better than they are alone: "
        r"their error times $1 + p_2/(1+p_2)$.",
        measure="Simulated error after 16 rounds at equal shares over that of the real part.",
        margin="4/3 ± 0.08, above 1 by z standard errors; law of all rounds: z standard errors "
        "plus 2/(n_1 - d - 1)",
        margin_reason="The ratio is of first order in d/n, here up to 0.1; the exact error of the "
        "real part alone exceeds its limit by 1/(n_1 - d).",
        experiments=("iterative-mixing",),
        judge=_reused,
        reported="above 1 (Figure 10); 1 + p₂/(1 + p₂) = 4/3 for small d/n",
    ),
    _claim(
        15,
        _PAPER + "iterative mixing without real samples",
        "Without real samples the error grows by the same amount in each round.",
        measure="Simulated error of each round.",
        margin=EXACT,
        margin_reason=EXACT_REASON,
        experiments=("iterative-mixing",),
        judge=_purely_synthetic,
        reported="the same in each round, σ²d/n to first order",
    ),
    _claim(
        16,
        DERIVED,
        r"The best ridge does not remove the floor: it tends to $p_2^2c^2/r^2$, its risk to "
        r"$r^2p_2^2c^2/(r^2+p_2^2c^2)$.",
        measure="Best ridge and risk at d/n = 1e-4; library against the closed form for white "
        "features at 14 settings.",
        margin="0.5 %; 1e-5 for the closed form",
        margin_reason="Corrections are of order d/n; a minimum is known to the square root of "
        "rounding.",
        experiments=("best-ridge",),
        judge=_best_ridge,
        reported="p₂²c²/r² = 0.25 and r²p₂²c²/(r² + p₂²c²) = 0.2 for d/n → 0",
    ),
    _claim(
        17,
        DERIVED,
        "One system of equations covers weights, different inputs and fixed teachers, with their "
        "interference.",
        measure="Simulated parts of the risk of G7, G8 and G9.",
        margin=_TWO,
        margin_reason=_TWO_REASON,
        experiments=("mixtures",),
        judge=_general,
        reported="interference 2p₂w₁ᵀΣ[((1 + u)ω − θ)Σ + uθ²](Σ+θ)⁻²δ",
    ),
    _claim(
        18,
        DERIVED,
        r"The first synthetic samples help if and only if $c^2 < \sigma^2n_1/(n_1-d)$.",
        measure="Sign of the first change of the risk at 0.95 and 1.05 of the threshold; simulated "
        "risks.",
        margin="the sign; " + EXACT,
        margin_reason="An equivalence. " + EXACT_REASON,
        experiments=("helpful-synthetic",),
        judge=_first_helpers,
        reported="risk falls if c² < σ²n₁/(n₁ − d), else rises",
    ),
    _claim(
        19,
        DERIVED,
        "The log-loss of a language model on a mixture of texts stops at the divergence of the "
        "real source from the mixture.",
        measure="Excess of bigram models on mixed text, minus that on real text, over the floor.",
        margin="10 % for shares of 0.3 and more",
        margin_reason="At 1.2 million tokens the smoothed counts differ from the law by a few "
        "per cent of the floor; single runs scatter by as much.",
        experiments=("markov-chain",),
        judge=_log_loss,
        reported="floor Σ π·KL(P₁‖Q)",
    ),
    _claim(
        20,
        _PAPER + "experiments on MNIST; floor derived in this book",
        r"On images with generated labels the error stops near $p_2^2$ times the difference of the "
        "errors of generator and clean model.",
        measure="Excess at p2 = 0.5 and the largest n over that floor.",
        margin="0.8 to 1.7 on digits; 0.85 to 1.25 on Fashion-MNIST",
        margin_reason="The term of order d/n comes on top, and is large on 1,200 digits; trials "
        "showed 1.2 to 1.4 and 1.0.",
        experiments=("image-mixing",),
        judge=_image_floor,
        reported="p₂² (error of the generator − clean error)",
        expected=None,
    ),
    _claim(
        21,
        _PAPER + "Figure 8",
        "With synthetic stories in the mixture a transformer's loss bends away from the law of "
        "real ones; with nothing else it levels at the generator's.",
        measure="Excess log-loss at the largest budget, five seeds, three depths.",
        margin="excess at p2 = 0.5 above twice that at 0, known to 3 standard errors; at p2 = 1 "
        "0.9 to 1.3 times the generator's",
        margin_reason="A factor of two cannot be noise of five seeds; a student of a generator "
        "adds its own error to that one's.",
        experiments=("stories",),
        judge=_stories,
        reported="excess at p₂ = 0.5 above that of real ones, at p₂ = 1 the generator's",
        expected=None,
        tier="full",
    ),
)

_BY_ID = {one.id: one for one in CLAIMS}


def claim(identity: str) -> Claim:
    """Return a claim by its id.

    Examples
    --------
    >>> claim("STR-12").expected
    <Outcome.DIFFERS: 'differs'>
    """
    if identity not in _BY_ID:
        raise ValueError(f"identity must be one of {', '.join(_BY_ID)}, got {identity!r}")
    return _BY_ID[identity]
