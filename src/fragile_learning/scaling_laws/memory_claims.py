"""The claims on bigram models and on memories of limited capacity, and how each is judged.

The margins are those of the plan of this chapter, written before any table was computed. Of the
paper's section on bigrams and memories only recollections and second-hand reports were at hand: its
statements are given as such, never as its words. The constants are derived in this book.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import zeta

from fragile_learning.claims import (
    EXACT,
    FALSE_ALARM,
    Agreement,
    Claim,
    Outcome,
    Verdict,
    both,
    compare,
    verdict_of,
)
from fragile_learning.statistics import beside, log_log_slope, plus_minus, significant, z_bound

__all__ = ["MEMORY_CLAIMS"]

Tables = Mapping[str, pd.DataFrame]

PAPER = "Dohmatob, Feng, Yang, Charton, Kempe 2024"
_RECALLED = PAPER + ", as recalled"
DERIVED = "Derived in this book"

# margins, from the plan
_TWO_TERMS = {1.2: 5e-4, 1.5: 5e-4, 1.8: 5e-4, 2.5: 4e-3, 3.0: 4e-3, 4.0: 4e-3}
_LEVELS = {(1.5, 20): 0.01, (3.0, 5): 0.03}
_LEVEL_SAMPLES = 10**5
_RANK_SLOPE = 0.02
_RARE = 1e-6  # of events too rare to be drawn
_GENERATIONS = 0.08
_MOST_DATASETS = 64
_CONTEXT_SLOPE = 0.04
_GAIN = 0.04
_CONTEXT_SAMPLES = 10**8
_NO_LOGARITHM = 0.8  # of the gain of the decade before
_MIXTURE = 5e-4  # of the average over contexts, against binomial sums
_DIMENSION_SLOPE = 0.05
_MEMORY = 0.06


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"scaling_laws/{name}"]


def _row(frame: Any, **values: Any) -> Any:
    """Return the one row with these values."""
    found = frame
    for column, value in values.items():
        found = found[found[column] == value]
    if len(found) != 1:
        raise ValueError(f"needs one row with {values}, found {len(found)}")
    return found.iloc[0]


def _against(frame: Any, law: str, allowed: float = 0.0) -> Agreement:
    """Means against a column, with a relative margin beside the sampling error."""
    return compare(frame["mean"], frame["se"], frame[law], 1.0, finite_size=allowed)


def _joined(
    holds: list[bool], found: Agreement, summary: str, measured: str = "", **numbers: Any
) -> Verdict:
    """Verdict of exact conditions and of a simulation: what is known to fail decides."""
    agrees = all(holds) and found.agrees
    return verdict_of(
        agrees,
        summary,
        {**numbers, **found.numbers()},
        decided=found.decided or not agrees,
        measured=measured or found.measured(),
    )


# --- the judges -------------------------------------------------------------------------------


def _two_terms(tables: Tables) -> Verdict:
    frame = _table(tables, "bigram")
    worst: dict[float, float] = {}
    where: dict[float, int] = {}
    for beta in _TWO_TERMS:
        rows = frame[frame["tail_exponent"] == beta]
        worst[beta] = float(rows["largest_error"].max())
        where[beta] = int(rows["largest_error_at"].to_numpy()[rows["largest_error"].argmax()])
    found = _against(frame, "exact")
    missed = [beta for beta, margin in _TWO_TERMS.items() if worst[beta] > margin]
    told = ", ".join(f"{worst[beta]:.1e} at exponent {beta:g}" for beta in _TWO_TERMS)
    summary = f"Largest relative errors of the two terms: {told}; "
    if missed:
        cases = " and ".join(f"exponent {beta:g}, n = {where[beta]}" for beta in missed)
        summary += f"beyond the margin for {cases}."
    else:
        summary += "all within the margins."
    off = [
        max(worst[beta] for beta, allowed in _TWO_TERMS.items() if allowed == margin)
        for margin in sorted(set(_TWO_TERMS.values()))
    ]
    return _joined(
        [not missed],
        found,
        summary,
        " and ".join(significant(one, 2) for one in off),
        **{f"error_{beta:g}": worst[beta] for beta in _TWO_TERMS},
        **{f"at_{beta:g}": where[beta] for beta in _TWO_TERMS},
        n_sizes=int(frame["n_sizes"].sum()),
    )


def _cut(tables: Tables) -> Verdict:
    frame = _table(tables, "bigram-cut")
    holds, numbers, told, slopes = [], {}, [], []
    for (beta, rank), margin in _LEVELS.items():
        row = _row(frame, tail_exponent=beta, rank=rank, n_samples=_LEVEL_SAMPLES)
        off = float(row["exact"] / row["tail_mass"] - 1.0)
        holds.append(abs(off) <= margin)
        numbers[f"off_{beta:g}"] = off
        told.append(f"{100 * off:.2f} % above its floor at exponent {beta:g}")
    deepest = frame["n_samples"].max()
    for beta in {beta: None for beta, _ in _LEVELS}:
        rows = frame[(frame["tail_exponent"] == beta) & (frame["n_samples"] == deepest)]
        slope, error = log_log_slope(rows["rank"], rows["exact"])
        slopes.append(plus_minus(slope, error))
        holds.append(abs(slope + beta - 1.0) <= _RANK_SLOPE)
        numbers[f"slope_{beta:g}"] = slope
        told.append(f"slope in the rank {slope:.3f} at exponent {beta:g}")
    return _joined(
        holds,
        _against(frame, "exact", _RARE),
        f"At 1e5 samples the total variation is {told[0]} and {told[1]}; {told[2]}, {told[3]}.",
        " and ".join(slopes),
        **numbers,
    )


def _generations(tables: Tables) -> Verdict:
    frame = _table(tables, "bigram-generations")
    frame = frame[(frame["tail_exponent"] == 1.5) & (frame["dataset"] <= _MOST_DATASETS)]
    found = _against(frame, "law", _GENERATIONS)
    ratio = frame["mean"] / frame["law"] - 1.0
    later = frame[frame["dataset"] > 1]
    z = z_bound(FALSE_ALARM, len(later))
    below = bool((later["mean"] + z * later["se"] < later["linear_bound"]).all())
    last = _row(frame, dataset=_MOST_DATASETS)
    late = frame[frame["dataset"] >= 8]
    slope = log_log_slope(late["dataset"], late["mean"]).slope
    share = float(last["mean"] / last["linear_bound"])
    return _joined(
        [below],
        found,
        f"Data set N has the total variation of T0/N samples to {100 * ratio.abs().max():.1f} % "
        f"up to N = {_MOST_DATASETS}, where it is {share:.3f} of the linear bound; it grows like N "
        f"to the power {slope:.2f}.",
        f"{beside(last['mean'], last['se'], last['law'])} at N = {_MOST_DATASETS}",
        largest_distance=float(ratio.abs().max()),
        share_of_linear_bound=share,
        slope=slope,
    )


def _contexts(tables: Tables) -> Verdict:
    frame = _table(tables, "contexts")

    def case(beta: float, rho: float) -> Any:
        rows = frame[(frame["tail_exponent"] == beta) & (frame["context_exponent"] == rho)]
        rows = rows[rows["n_samples"] <= _CONTEXT_SAMPLES].sort_values("n_samples")
        if rows["n_samples"].iloc[-1] != _CONTEXT_SAMPLES:
            raise ValueError(f"needs {_CONTEXT_SAMPLES} samples at exponents {beta}, {rho}")
        return rows

    steep, equal = case(1.5, 3.0), case(1.5, 1.5)
    slope = log_log_slope(steep["n_samples"], steep["error"]).slope
    limit = -float(steep["row_exponent"].iloc[0])
    gains = np.diff(equal["scaled_error"].to_numpy(float))
    constant = float(equal["row_constant"].iloc[0])
    predicted = constant * float(zeta(1.5)) ** (-1.0 / 1.5) * float(np.log(10.0)) / 1.5
    other = np.diff(steep["scaled_error"].to_numpy(float))
    falls = float(np.max(other[1:] / other[:-1]))
    drawn = frame.dropna(subset=["mean"])
    return _joined(
        [
            abs(slope - limit) <= _CONTEXT_SLOPE,
            abs(gains[-1] / predicted - 1.0) <= _GAIN,
            falls <= _NO_LOGARITHM,
        ],
        _against(drawn, "error", _MIXTURE),
        f"With contexts of exponent 3 the slope is {slope:.3f}, in the limit {limit:.3f}. At equal "
        f"exponents each decade adds {gains[-1]:.3f} to the error times T^c, predicted "
        f"{predicted:.3f}: a logarithm. At exponent 3 each decade adds at most {falls:.2f} of the "
        "one before.",
        f"{significant(gains[-1], 4)} (law {significant(predicted, 4)})",
        slope=slope,
        limit=limit,
        gain=float(gains[-1]),
        predicted_gain=predicted,
        largest_ratio_of_gains=falls,
    )


def _exponents(tables: Tables) -> Verdict:
    frame = _table(tables, "memory-exponents")
    holds, known, told, slopes = [], [], [], []
    numbers: dict[str, float] = {}
    for (weighting, beta), rows in frame.groupby(["weighting", "tail_exponent"], sort=False):
        x = np.log(rows["dimension"].to_numpy(float))
        x -= x.mean()
        weights = x / (x @ x)
        slope = log_log_slope(rows["dimension"], rows["mean"]).slope
        error = float(np.sqrt(np.sum((weights * rows["se"] / rows["mean"]) ** 2)))
        limit = -float(rows["exponent"].iloc[0])
        slopes.append((abs(slope - limit), beside(slope, error, limit)))
        holds.append(abs(slope - limit) <= _DIMENSION_SLOPE)
        known.append(3.0 * error <= _DIMENSION_SLOPE)
        numbers |= {
            f"slope_{weighting}_{beta:g}": slope,
            f"error_{weighting}_{beta:g}": error,
            f"limit_{weighting}_{beta:g}": limit,
        }
        told.append(f"{weighting} {slope:.3f} ({limit:.3f}) at exponent {beta:g}")
    if set(frame["weighting"]) != {"threshold", "root", "count"}:
        raise ValueError(f"needs three weightings, got {sorted(set(frame['weighting']))}")
    fails = any(sure and not one for one, sure in zip(holds, known, strict=True))
    return verdict_of(
        all(holds),
        f"Slopes of the error in the dimension (predicted): {', '.join(told)}.",
        numbers,
        decided=fails or all(known),
        measured=f"slope, worst of {len(slopes)}: {max(slopes)[1]}",
    )


def _triplet(tables: Tables) -> Verdict:
    frame = _table(tables, "memory")
    found = _against(frame, "theory", _MEMORY)
    many = frame["n_samples"] == frame["n_samples"].max()
    at_floor = _against(frame[many], "floor", _MEMORY)
    ample = frame[
        ~many
        & (frame["capacity"] == frame["capacity"].max())
        & (frame["rank"] == frame["rank"].max())
    ]
    few = _row(ample)
    z = z_bound(FALSE_ALARM)
    data_decide = bool(few["mean"] - z * few["se"] > (1.0 + _MEMORY) * few["floor"])
    off = frame["mean"] / frame["theory"] - 1.0
    ratio = float(few["mean"] / few["floor"])
    furthest = off.to_numpy(float)[int(np.argmax(np.abs(off)))]
    return _joined(
        [data_decide],
        both(found, at_floor),
        f"{len(frame)} memories, with samples, capacity and tail scarce or ample, are within "
        f"{100 * abs(furthest):.1f} % of the formula. With many samples the scarcer of capacity "
        f"and tail sets the floor; with few, both others ample, the error is {ratio:.2f} times it.",
        furthest=float(furthest),
        ratio_to_floor=ratio,
    )


# --- the claims -------------------------------------------------------------------------------


def _claim(number: int, source: str, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"scaling_laws/{name}" for name in fields.pop("experiments"))
    values = {"tier": "quick", "expected": Outcome.AGREES, **fields}
    return Claim(f"TAL-{number}", source, statement, experiments=experiments, **values)


_SIMULATED = "; simulated: " + EXACT

MEMORY_CLAIMS: tuple[Claim, ...] = (
    _claim(
        17,
        DERIVED + "; the order in n recalled for the paper, Theorem 4.1",
        r"The total variation of a row is $D_\beta n^{-(1-1/\beta)} + B_\beta n^{-1/2}$, for n "
        "from 1e3 to 1e5 within 5e-4 at exponents 1.2, 1.5 and 1.8, and within 4e-3 at 2.5, 3 "
        "and 4.",
        measure="Largest relative distance from exact mean deviations over sizes in that range; "
        "simulated total variations against the exact ones.",
        margin="5e-4 and 4e-3, relative" + _SIMULATED,
        margin_reason="The plan read its margins from a coarse set of sizes, on which the largest "
        "error at exponent 4 was 3.1e-3. The error oscillates with n, and between those sizes it "
        "reaches 4.9e-3, at n = 1403: known before this table was made. The margin stays, and "
        "the statement with its numbers is expected to fail there. The two terms themselves are "
        "an asymptotic law, whose error at 1e7 is 4e-5 at most.",
        experiments=("bigram",),
        judge=_two_terms,
        reported="within 0.0005 for β ≤ 1.8, within 0.004 for β ≥ 2.5",
        expected=Outcome.DIFFERS,
    ),
    _claim(
        18,
        DERIVED + r"; the form $T^{-c} + k^{-\beta c}$ is recalled for the paper",
        r"A tail cut at rank k leaves the tail mass, of order $k^{-(\beta-1)}$, for exponents "
        r"above 2 too, where $k^{-\beta c}$ would be larger.",
        measure="Exact total variation over the mass of the tail at 1e5 samples; its slope in the "
        "rank from 50 to 800 at 1e15 samples; simulated total variations against the exact ones.",
        margin="1 % at exponent 1.5, rank 20; 3 % at exponent 3, rank 5; slope 0.02"
        + _SIMULATED
        + ", plus 1e-6",
        margin_reason="At 1e5 samples the fluctuations of the head are left, which are larger "
        "beside the smaller floor. At rank 50 the asymptotic slope is off by 0.01. A first "
        "run had no 1e-6, and failed: at exponent 1.5 and 1e5 samples no draw left the floor, "
        "which the exact value exceeds by 2e-8 of itself, for events too rare to be drawn.",
        experiments=("bigram-cut",),
        judge=_cut,
        reported="slopes −(β − 1) = −0.5 and −2 in k at β = 1.5 and 3",
    ),
    _claim(
        19,
        DERIVED + "; growth linear in the generations reported of the paper, as a bound",
        "The N-th data set of a chain has about the total variation of T0/N samples, far below "
        "the linear bound.",
        measure="Simulated chains at exponent 1.5 with 2000 samples in each data set, up to "
        "N = 64.",
        margin="8 % plus z standard errors (false alarm 4e-8); below the bound by z standard "
        "errors for N > 1",
        margin_reason="The law is approximate: a token's surviving copies are not Poisson. "
        "Trials saw 6 %.",
        experiments=("bigram-generations",),
        judge=_generations,
        reported="total variation of T₀/N samples",
    ),
    _claim(
        20,
        _RECALLED + ", Theorem 4.1; the logarithm derived in this book",
        r"Over contexts the error is of order $T^{-c}\sum_i\rho_i^{1-c}$, "
        r"$c = \min(1-1/\beta, 1/2)$, if the sum converges; contexts with the exponent of the "
        r"rows, below 2, bring a factor $\log T$.",
        measure="Slope of the averaged error over T from 1e3 to 1e8 at exponents 1.5 of rows and 3 "
        "of contexts; growth of the error times $T^c$ in the last of these decades at 1.5 and 1.5; "
        "simulated errors of whole models at T = 1000.",
        margin="slope 0.04; growth 4 %, and at exponent 3 each decade at most 0.8 of the one "
        "before; simulated: 5e-4 plus z standard errors (false alarm 4e-8)",
        margin_reason="The exponent is reached slowly: relative corrections are of order "
        r"$T^{-(1/2-c)}$ and $T^{-(c_\rho-c)}$. 5e-4 is the error of the average against binomial "
        "sums.",
        experiments=("contexts",),
        judge=_contexts,
        reported="T^c × error grows by D_β ζ(β)^(−1/β) ln(10)/β a decade",
    ),
    _claim(
        21,
        _RECALLED + r" (a term $d^{-c_q}$); exponents derived in this book, after Cabannes, "
        "Dohmatob, Bietti 2024",
        r"The error of an associative memory falls with its dimension like $d^{-c_q}$: "
        r"$c_q = (\beta-1)/(2\beta)$ with counts for weights, $(\beta-1)/\beta$ with their roots, "
        r"$\beta-1$ if only the most frequent items are stored.",
        measure="Slope of the simulated error from d = 32 to 512, with samples enough, and with "
        "the mass beyond the simulated items added as guessed.",
        margin="0.05, the slope being known to a third of that",
        margin_reason="Trials with a few draws came within 0.03. The exponents are limits, and "
        "whole numbers of stored items are few at d = 32. A first full table with 40 draws left "
        "counts at exponent 2 open; it has 240 now.",
        experiments=("memory-exponents",),
        judge=_exponents,
        reported="d^(−(β−1)/(2β)) counts, d^(−(β−1)/β) roots, d^(−(β−1)) threshold",
    ),
    _claim(
        22,
        _RECALLED + "; the formula derived in this book",
        "The scarcest of samples, capacity and tail decides the error of a memory: a law of three "
        "terms.",
        measure="Simulated memories, each resource scarce or ample, against the explicit formula "
        "of a thresholded memory, and against its floor where samples are many.",
        margin="6 % plus z standard errors (false alarm 4e-8); with few samples, and both others "
        "ample, more than 6 % above the floor",
        margin_reason="The formula leaves out that a memory with room left takes rarer items: "
        "4.5 % in trials with few samples.",
        experiments=("memory",),
        judge=_triplet,
    ),
)
