"""Experiments of the room: one table each, in a quick tier (in the book) and a full one (archived).

A point function takes one point of a grid and a generator, and returns rows with the law and the
simulation side by side. Quick and full differ in numbers alone. Errors are in units of one fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fragile_learning.debate import simulation, theory
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import Catalogue, Experiment, grid

__all__ = ["EXPERIMENTS", "FAMILY_START", "archived", "experiment", "run_quick"]

Row = dict[str, Any]
Array = NDArray[np.float64]

SEED = 20_261_126

# What each workflow does with its data, and the weight of its real samples.
_LOOPS: Mapping[str, tuple[str, float]] = {
    "replace": ("replace", 1.0),
    "accumulate, one design": ("accumulate, one design", 1.0),
    "accumulate, new designs": ("accumulate, new designs", 1.0),
    "accumulate, subsample": ("accumulate, subsample", 1.0),
    "real kept, pooled": ("real kept", theory.pooled_weight(1.0)),
    "real fresh, pooled": ("real fresh", theory.pooled_weight(1.0)),
    "real fresh, best weight": ("real fresh", theory.best_weight(1.0)),
    "real fresh, alone": ("real fresh", 1.0),
}

FAMILY_START: Mapping[str, tuple[float, float, float]] = {
    "normal": (0.0, 1.0, 0.0),
    "poisson": (2.0, 2.0, 0.0),
    "exponential": (1.0, 1.0, 1.0),
    "bernoulli": (0.3, 0.21, -1.0),
}
"""True mean, variance there, and curvature of the variance, of each family."""


def _rows(samples: Array, law: Array, generations: list[int] | None = None) -> list[Row]:
    """One row for each generation that is asked for: law, mean and standard error."""
    mean, error = mean_and_standard_error(samples)
    chosen = range(1, law.size + 1) if generations is None else generations
    return [
        {
            "generation": t,
            "law": float(law[t - 1]),
            "mean": float(mean[t - 1]),
            "se": float(error[t - 1]),
        }
        for t in chosen
    ]


def workflow_point(
    *,
    workflow: str,
    n_samples: int,
    n_features: int,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Least squares under one workflow; ``scale`` is 0 where the law is exact."""
    sizes = {"n_samples": n_samples, "n_features": n_features}
    loop, weight = _LOOPS[workflow]
    errors = simulation.simulate_least_squares(
        loop, n_generations, **sizes, weight=weight, n_replicates=n_replicates, rng=rng
    )
    law = theory.workflow_error(workflow, n_generations, **sizes)
    exact = workflow in theory.EXACT_WORKFLOWS
    scale = 0.0 if exact else (n_features + 1) / n_samples
    rows = _rows(errors / theory.one_fit(n_samples, n_features), law)
    return [row | {"exact": exact, "scale": scale} for row in rows]


def mean_point(
    *,
    workflow: str,
    n_samples: int,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Estimate a mean under one of the workflows that are only a limit for least squares."""
    loop, weight = _LOOPS[workflow]
    errors = simulation.simulate_mean(
        loop,
        n_generations,
        n_samples=n_samples,
        weight=weight,
        n_replicates=n_replicates,
        rng=rng,
    )
    law = (
        theory.subsample(n_generations, n_samples)
        if loop == "accumulate, subsample"
        else theory.kept_real(n_generations, weight, 1.0)
    )
    return _rows(n_samples * errors, law)


def weight_point(
    *,
    n_real: int,
    n_synthetic: int,
    weight: float,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Estimate a mean of fresh real and synthetic samples: early generations and the last."""
    errors = simulation.simulate_mean(
        "real fresh",
        n_generations,
        n_samples=n_real,
        n_synthetic=n_synthetic,
        weight=weight,
        n_replicates=n_replicates,
        rng=rng,
    )
    ratio = n_real / n_synthetic
    law = theory.fresh_real(n_generations, weight, ratio)
    stationary = theory.stationary_error(weight, ratio)
    rows = _rows(n_real * errors, law, [2, 3, 5, n_generations])
    return [row | {"ratio": ratio, "stationary": stationary} for row in rows]


def gaussian_point(
    *,
    workflow: str,
    unbiased: bool,
    n_samples: int,
    n_generations: int,
    n_shown: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Variance, mean and log variance of a Gaussian chain, at ``n_shown`` generations."""
    draws = simulation.simulate_gaussian(
        workflow,
        n_generations,
        n_samples=n_samples,
        unbiased=unbiased,
        n_replicates=n_replicates,
        rng=rng,
    )
    law = theory.gaussian_chain(
        "replace" if workflow == "replace" else "accumulate",
        n_generations,
        n_samples=n_samples,
        unbiased=unbiased,
    )
    drift, _ = theory.log_variance_drift(n_samples, unbiased=unbiased)
    shown = [int(t) for t in np.unique(np.geomspace(1, n_generations, n_shown).round().astype(int))]
    spread = _rows(draws.variance, law.variance, shown)
    place = _rows(draws.mean**2, law.mean_error, shown)
    logs = _rows(np.log(draws.variance), drift * np.arange(1.0, n_generations + 1.0), shown)
    median = np.median(draws.variance, axis=0)
    rows = []
    for one, two, three in zip(spread, place, logs, strict=True):
        t = one["generation"]
        rows.append(
            {
                "generation": t,
                "variance_law": one["law"],
                "variance_mean": one["mean"],
                "variance_se": one["se"],
                "error_law": two["law"],
                "error_mean": two["mean"],
                "error_se": two["se"],
                "log_law": three["law"] if workflow == "replace" else float("nan"),
                "log_mean": three["mean"],
                "log_se": three["se"],
                "median": float(median[t - 1]),
                "lost": float(np.mean(draws.variance[:, t - 1] < 0.01)),
            }
        )
    return rows


def family_point(
    *,
    family: str,
    workflow: str,
    n_samples: int,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Estimate a mean in a family of quadratic variance, with the limit if data accumulate."""
    start, variance, curvature = FAMILY_START[family]
    errors = simulation.simulate_family(
        family,
        workflow,
        n_generations,
        n_samples=n_samples,
        start=start,
        n_replicates=n_replicates,
        rng=rng,
    )
    law = theory.family_error(
        "replace" if workflow == "replace" else "accumulate",
        n_generations,
        n_samples=n_samples,
        curvature=curvature,
    )
    limit = (
        theory.family_error_limit(n_samples=n_samples, curvature=curvature)
        if workflow == "accumulate"
        else float("inf")
    )
    rows = _rows(n_samples / variance * errors, law)
    return [row | {"curvature": curvature, "limit": limit} for row in rows]


def logistic_point(
    *,
    workflow: str,
    n_samples: int,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Logistic regression: errors over that of the first generation, paired."""
    coefficients = (1.0, -0.5)
    errors = simulation.simulate_logistic(
        workflow,
        n_generations,
        n_samples=n_samples,
        coefficients=coefficients,
        n_replicates=n_replicates,
        rng=rng,
    )
    law = (
        theory.replace(n_generations)
        if workflow == "replace"
        else theory.accumulate_shared_design(n_generations)
    )
    first = errors[:, :1]
    ratio = errors.mean(axis=0) / first.mean()
    # a ratio of means: its error is that of the mean of what is linear in both
    _, error = mean_and_standard_error((errors - ratio * first) / first.mean())
    return [
        {
            "generation": t,
            "law": float(law[t - 1]),
            "ratio": float(ratio[t - 1]),
            "se": float(error[t - 1]),
            "scale": (len(coefficients) + 1) / n_samples,
        }
        for t in range(2, n_generations + 1)
    ]


def kernel_point(
    *,
    workflow: str,
    n_samples: int,
    separation: float,
    spread: float,
    bandwidth: float,
    gap: float,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Kernel chains on two modes: variance, share in the gap, valley, variance within."""
    modes = {"separation": separation, "spread": spread, "bandwidth": bandwidth}
    draws = simulation.simulate_kernel_chain(
        workflow,
        n_generations,
        n_samples=n_samples,
        gap=gap,
        n_replicates=n_replicates,
        rng=rng,
        **modes,
    )
    chain: theory.Chain = "replace" if workflow == "replace" else "accumulate"
    variance = separation**2 + spread**2
    moment = _rows(
        draws.second_moment,
        theory.smoothed_variance(chain, n_generations, variance=variance, bandwidth=bandwidth),
    )
    share = _rows(draws.gap_share, theory.gap_mass(chain, n_generations, gap=gap, **modes))
    inside = _rows(
        draws.sample_variance,
        theory.sample_variance_of_kernel_chain(
            n_generations, n_samples=n_samples, variance=variance, bandwidth=bandwidth
        ),
    )
    valley = theory.valley_ratio(chain, n_generations, **modes)
    rows = []
    for one, two, three in zip(moment, share, inside, strict=True):
        row: Row = {"generation": one["generation"]}
        for name, values in (("variance", one), ("gap", two), ("within", three)):
            row |= {f"{name}_{part}": values[part] for part in ("law", "mean", "se")}
        if workflow != "replace":
            row["within_law"] = float("nan")
        rows.append(row | {"valley": float(valley[row["generation"] - 1])})
    return rows


def retraining_point(
    *,
    model: str,
    synthetic_ratio: float,
    rng: np.random.Generator,  # noqa: ARG001 - infinite data: nothing is random here
) -> Row:
    """Slope of the map from one generation's location to the next, with infinite data."""
    step = 1e-3
    moved = [simulation.retrain_location(model, synthetic_ratio, start) for start in (step, -step)]
    ratio = simulation.information_ratio(model)
    return {
        "information_ratio": ratio,
        "slope": (moved[0] - moved[1]) / (2.0 * step),
        "law": theory.retraining_rate(synthetic_ratio, ratio),
    }


# --- grids ------------------------------------------------------------------------------------


def _workflow_grid(n_generations: int, n_replicates: int) -> list[Row]:
    def sized(workflows: tuple[str, ...], n_samples: int, n_features: int) -> list[Row]:
        return grid(
            workflow=list(workflows),
            n_samples=[n_samples],
            n_features=[n_features],
            n_generations=[n_generations],
            n_replicates=[n_replicates],
        )

    wide = sized(theory.WORKFLOWS, 500, 4)
    narrow = sized(theory.EXACT_WORKFLOWS, 60, 8)
    tight = sized(("accumulate, new designs",), 20, 8)
    return [*wide, *narrow, *tight]


def _mean_grid(sizes: list[int], n_generations: int, n_replicates: int) -> list[Row]:
    return grid(
        workflow=["accumulate, subsample", "real kept, pooled"],
        n_samples=sizes,
        n_generations=[n_generations],
        n_replicates=[n_replicates],
    )


def _weight_grid(weights: list[float], n_replicates: int) -> list[Row]:
    points = []
    for real, made in ((2, 8), (4, 4), (8, 2)):
        ratio = real / made
        special = [theory.best_weight(ratio), theory.pooled_weight(ratio)]
        points += grid(
            n_real=[real],
            n_synthetic=[made],
            weight=sorted({*weights, *special}),
            n_generations=[40],
            n_replicates=[n_replicates],
        )
    return points


def _gaussian_grid(short: int, long: int, n_replicates: int) -> list[Row]:
    def chains(workflows: list[str], n_samples: int, length: int, count: int) -> list[Row]:
        return grid(
            workflow=workflows,
            unbiased=[True, False],
            n_samples=[n_samples],
            n_generations=[length],
            n_shown=[8],
            n_replicates=[count],
        )

    return [
        *chains(["replace", "accumulate"], 20, short, n_replicates),
        *chains(["replace"], 20, long, n_replicates // 5),
        *chains(["accumulate"], 5, 40, n_replicates),
    ]


def _family_grid(sizes: list[int], n_generations: int, n_replicates: int) -> list[Row]:
    return grid(
        family=list(FAMILY_START),
        workflow=["replace", "accumulate"],
        n_samples=sizes,
        n_generations=[n_generations],
        n_replicates=[n_replicates],
    )


def _logistic_grid(n_samples: int, n_generations: int, n_replicates: int) -> list[Row]:
    return grid(
        workflow=["replace", "accumulate"],
        n_samples=[n_samples],
        n_generations=[n_generations],
        n_replicates=[n_replicates],
    )


def _kernel_grid(n_generations: int, n_replicates: int) -> list[Row]:
    return grid(
        workflow=["replace", "accumulate"],
        n_samples=[50],
        separation=[2.0],
        spread=[0.5],
        bandwidth=[0.4],
        gap=[1.0],
        n_generations=[n_generations],
        n_replicates=[n_replicates],
    )


_RETRAINING = grid(model=["normal", "student"], synthetic_ratio=[0.25, 0.5, 1.0, 4.0, 32.0])
_COARSE = [0.1, 0.4, 0.8, 1.0]
_FINE = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
_COURSE = ("generation", "law", "mean", "se")
_PARTS = ("law", "mean", "se")

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "debate/workflows",
        "Error of least squares by generation under every workflow, law and simulation.",
        workflow_point,
        {"quick": _workflow_grid(12, 800), "full": _workflow_grid(20, 3000)},
        seed=SEED,
        columns=(*_COURSE, "exact", "scale"),
    ),
    Experiment(
        "debate/means",
        "Error of a mean where data are subsampled or the first real ones kept.",
        mean_point,
        {"quick": _mean_grid([2, 10], 12, 5000), "full": _mean_grid([2, 5, 20], 30, 40_000)},
        seed=SEED + 1,
        columns=_COURSE,
    ),
    Experiment(
        "debate/weights",
        "Error with fresh real data, by the weight of the real samples.",
        weight_point,
        {"quick": _weight_grid(_COARSE, 4000), "full": _weight_grid(_FINE, 40_000)},
        seed=SEED + 2,
        columns=(*_COURSE, "ratio", "stationary"),
    ),
    Experiment(
        "debate/gaussian",
        "Variance and mean of Gaussian chains, expected and typical.",
        gaussian_point,
        {"quick": _gaussian_grid(10, 200, 10_000), "full": _gaussian_grid(20, 500, 50_000)},
        seed=SEED + 3,
        columns=(
            "generation",
            *(f"{name}_{part}" for name in ("variance", "error", "log") for part in _PARTS),
            "median",
            "lost",
        ),
        nullable=("log_law",),
    ),
    Experiment(
        "debate/families",
        "Error of a mean in families of quadratic variance, replaced and accumulated.",
        family_point,
        {
            "quick": _family_grid([10, 50], 8, 40_000),
            "full": _family_grid([10, 50], 12, 100_000),
        },
        seed=SEED + 4,
        columns=(*_COURSE, "curvature", "limit"),
    ),
    Experiment(
        "debate/logistic",
        "Error of logistic regression relative to its first generation.",
        logistic_point,
        {"quick": _logistic_grid(300, 6, 3000), "full": _logistic_grid(1000, 8, 3000)},
        seed=SEED + 5,
        columns=("generation", "law", "ratio", "se", "scale"),
    ),
    Experiment(
        "debate/kernel-chains",
        "Chains of kernel density estimates on two modes: spread, gap, valley.",
        kernel_point,
        {"quick": _kernel_grid(30, 2000), "full": _kernel_grid(60, 10_000)},
        seed=SEED + 6,
        columns=(
            "generation",
            *(f"{name}_{part}" for name in ("variance", "gap", "within") for part in _PARTS),
            "valley",
        ),
        nullable=("within_law",),
    ),
    Experiment(
        "debate/retraining",
        "How fast maximum likelihood on infinite real and own data forgets an error.",
        retraining_point,
        {"quick": _RETRAINING, "full": _RETRAINING},
        seed=SEED + 7,
        columns=("information_ratio", "slope", "law"),
    ),
)

_CATALOGUE = Catalogue(EXPERIMENTS)
experiment, run_quick = _CATALOGUE.experiment, _CATALOGUE.run_quick
archived = _CATALOGUE.archived
