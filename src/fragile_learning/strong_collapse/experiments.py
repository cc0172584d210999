"""Experiments of the room: point functions, and their grids in both tiers.

A point function takes keyword arguments, draws from its own stream and returns rows of numbers.
The chapter shows the quick tables, computed while it is built; the full ones are archived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.strong_collapse import published, theory
from fragile_learning.strong_collapse.general import limit
from fragile_learning.strong_collapse.image_experiments import IMAGE_EXPERIMENTS
from fragile_learning.strong_collapse.language_experiments import LANGUAGE_EXPERIMENTS
from fragile_learning.strong_collapse.mixture import Group, Mixture, MixtureRisk, RandomShift
from fragile_learning.strong_collapse.settings import (
    GOLDEN,
    SETTINGS,
    problem_of,
    sampled_mixture,
    white_mixture,
)
from fragile_learning.strong_collapse.simulation import (
    simulate_excess_risk,
    simulate_iterate_mixing,
)
from fragile_learning.sweeps import Catalogue, Experiment, grid

__all__ = ["EXPERIMENTS", "archived", "experiment", "run_quick"]

Array = NDArray[np.float64]
Point = dict[str, Any]
Row = dict[str, Any]

SEED = 20_261_200
_PARTS = ("bias", "variance", "collapse", "interference", "total")


def _compared(law: MixtureRisk, drawn: MixtureRisk) -> Row:
    row: Row = {}
    for part in _PARTS:
        mean, error = mean_and_standard_error(getattr(drawn, part))
        row[f"theory_{part}"] = float(getattr(law, part))
        row[f"mean_{part}"], row[f"se_{part}"] = float(mean), float(error)
    return row


def setting_point(*, setting: str, n_replicates: int, rng: np.random.Generator) -> Row:
    """Limit and simulation of a named setting, beside its golden values where it has some."""
    problem = SETTINGS[setting]()
    golden = GOLDEN.get(setting, (np.nan,) * 4)
    return {
        "projected": problem.width is not None,
        "scale": problem.finite_size(),
        **_compared(problem.limit(), problem.simulate(n_replicates, rng)),
        **dict(zip(_GOLDEN_COLUMNS, map(float, golden), strict=True)),
    }


_GOLDEN_COLUMNS = ("golden_bias", "golden_variance", "golden_collapse", "golden_total")


# --- identities -------------------------------------------------------------------------------


def _averaged_target(mixture: Mixture) -> tuple[float, float, float]:
    """Bias, collapse and Jensen's bound by direct sums: the averaged-target form."""
    values, n = mixture.spectrum.eigenvalues, mixture.n_samples
    m = float("inf") if mixture.width is None else float(mixture.width)

    def freedom(root: float, power: int) -> float:
        return float(np.sum((values / (values + root)) ** power))

    def gap(log_root: float) -> float:
        root = float(np.exp(log_root))
        first = freedom(root, 1)
        return root * (1 - first / n) * (1 - first / m) - mixture.ridge

    lowest = -60.0
    if min(n, m) < values.size:
        lowest = brentq(lambda x: freedom(float(np.exp(x)), 1) - min(n, m), -60.0, 30.0, xtol=1e-15)
    root = float(np.exp(brentq(gap, lowest, 30.0, xtol=1e-15)))
    first, second = freedom(root, 1), freedom(root, 2)
    rho = (1 - first / m) / (1 - second / m)
    omega, spread = (1 - rho) * root, (1 - rho) * first + rho * second
    u, p2, square = spread / (n - spread), mixture.synthetic_fraction, mixture.shift.square
    inner = (root**2 * values + omega * values**2) / (values + root) ** 2
    turned = np.sum(square * (values - 2 * root * values / (values + root) + (1 + u) * inner))
    return (
        float((1 + u) * np.sum(mixture.target**2 * inner)),
        float((1 - p2) * p2 * u * mixture.shift_size + p2**2 * turned),
        float(p2**2 * np.sum(square * values**3 / (values + root) ** 2)),
    )


def identity_point(*, case: int, rng: np.random.Generator) -> Row:  # noqa: ARG001 - of the stream
    """Check one random mixture: two forms of the law, its bound, and its special cases."""
    d = int(rng.integers(5, 80))
    n, m = (int(value) for value in rng.integers(3, 120, 2))
    synthetic = int(rng.integers(1, n + 1))
    mixture = Mixture(
        Spectrum(rng.exponential(size=d)),
        rng.standard_normal(d),
        RandomShift(rng.exponential(size=d)),
        n - synthetic,
        synthetic,
        float(10.0 ** rng.uniform(-3, 1)),
        1.0,
        1.0,
        m,
    )
    law = theory.excess_risk(mixture)
    bias, collapse, bound = _averaged_target(mixture)
    classical = theory.excess_risk_grid(mixture, width=np.inf).total
    wide = theory.excess_risk_grid(mixture, width=1e9).total
    return {
        "n_features": d,
        "n_samples": n,
        "width": m,
        "ridge": mixture.ridge,
        "synthetic_fraction": mixture.synthetic_fraction,
        "form_error": max(abs(bias / law.bias - 1.0), abs(collapse / law.collapse - 1.0)),
        "collapse_over_bound": law.collapse / bound,
        "wide_error": float(abs(wide / classical - 1.0)),
        "collapse_without_synthetic": float(
            theory.excess_risk_grid(mixture, synthetic_fraction=0.0).collapse
        ),
        "collapse_without_shift": float(
            theory.excess_risk(
                Mixture(
                    mixture.spectrum,
                    mixture.target,
                    RandomShift(np.zeros(d)),
                    mixture.n_real,
                    synthetic,
                    mixture.ridge,
                    width=m,
                )
            ).collapse
        ),
    }


# --- the floor --------------------------------------------------------------------------------


def sample_point(*, n_replicates: int, rng: np.random.Generator, **values: Any) -> Row:
    """Error of a mixture at one number of samples."""
    mixture = sampled_mixture(**values)
    return {
        "scale": problem_of(mixture).finite_size(),
        **_compared(
            theory.excess_risk(mixture), simulate_excess_risk(mixture, n_replicates, rng=rng)
        ),
    }


def floor_point(
    *,
    n_features: int,
    synthetic_fraction: float,
    noise_std: float,
    shift_size: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Where least squares on a mixture leaves the clean law, and how near its floor it comes."""
    p2 = synthetic_fraction
    one = white_mixture(
        n_features=n_features,
        n_samples=1000,
        n_synthetic=round(1000 * p2),
        noise_std=noise_std,
        shift_size=shift_size,
    )
    departure = theory.departure_sample_size(one)
    there = theory.excess_risk_grid(one, n=departure)
    many = float(np.ceil(105.0 * n_features * (1.0 - p2) / p2))
    far = theory.excess_risk_grid(one, n=many)
    return {
        "floor": theory.collapse_floor(one),
        "departure": departure,
        "rule": noise_std**2 * n_features / (p2**2 * shift_size),
        "ratio_at_departure": float(there.total / (there.bias + there.variance)),
        "n_many": many,
        "collapse_over_floor": float(far.collapse) / theory.collapse_floor(one),
    }


# --- width ------------------------------------------------------------------------------------


def width_point(
    *,
    n_features: int,
    n_samples: int,
    n_synthetic: int,
    width: int,
    ridge: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error of white features behind a random projection, and what collapse adds to it."""
    mixture = white_mixture(
        n_features=n_features,
        n_samples=n_samples,
        n_synthetic=n_synthetic,
        ridge=ridge,
        width=width,
    )
    drawn = simulate_excess_risk(mixture, n_replicates, rng=rng)
    law = theory.excess_risk(mixture)
    clean, clean_error = mean_and_standard_error(drawn.bias + drawn.variance)
    return {
        "scale": problem_of(mixture).finite_size(),
        **_compared(law, drawn),
        "theory_clean": law.bias + law.variance,
        "mean_clean": float(clean),
        "se_clean": float(clean_error),
    }


_SHAPES: Mapping[str, Callable[[int], Array]] = {
    "white": lambda d: np.ones(d),
    "power law": lambda d: np.arange(1.0, d + 1.0) ** -1.0,
    "two levels": lambda d: np.r_[np.ones(d // 2), np.full(d - d // 2, 1e-3)],
}


def monotone_point(
    *,
    shape: str,
    shift: str,
    n_features: int,
    n_samples: int,
    synthetic_fraction: float,
    rng: np.random.Generator,
) -> Row:
    """Collapse along the width without ridge: where it rises, where it falls, where it ends."""
    values = _SHAPES[shape](n_features)
    square = {
        "inverse": 1.0 / values,
        "even": np.ones(n_features),
        "strong directions": (values >= np.median(values)) / 1.0,
        "random": rng.exponential(size=n_features) ** 3,
    }[shift]
    synthetic = round(n_samples * synthetic_fraction)
    mixture = Mixture(
        Spectrum(values),
        np.ones(n_features),
        RandomShift(square / (values @ square)),
        n_samples - synthetic,
        synthetic,
    )
    threshold = min(n_samples, n_features)
    below = theory.excess_risk_grid(mixture, width=np.arange(1, threshold)).collapse
    beyond = np.unique(np.round(np.geomspace(threshold + 1, 100 * n_features, 400)))
    above = theory.excess_risk_grid(mixture, width=np.r_[beyond, np.inf]).collapse
    return {
        "rises_below": bool(np.all(np.diff(below) > 0.0)),
        "falls_above": bool(np.all(np.diff(above) < 0.0)),
        "largest_fall_below": float(np.max(-np.diff(below))),
        "spread_above": float(np.ptp(above) / above[-1]),
        "collapse_at_infinity": float(above[-1]),
        "largest_below": float(below.max()),
        "largest_above": float(above.max()),
    }


def counterexample_point(
    *, half: int, n_samples: int, width: int, n_replicates: int, rng: np.random.Generator
) -> Row:
    """Collapse of a purely synthetic mixture whose shift avoids the weak directions."""
    weak = half - half // 16
    values = np.r_[np.ones(half), np.full(weak, 1e-6)]
    square = np.r_[np.full(half, 1.0 / half), np.zeros(weak)]
    mixture = Mixture(
        Spectrum(values), np.ones(half + weak), RandomShift(square), 0, n_samples, width=width
    )
    return {
        "scale": problem_of(mixture).finite_size(),
        **_compared(
            theory.excess_risk(mixture), simulate_excess_risk(mixture, n_replicates, rng=rng)
        ),
    }


def pareto_point(
    *,
    n_features: int,
    n_samples: int,
    n_synthetic: int,
    shift_size: float,
    width: int,
    ridge: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error with a mixture and with as many real samples, for one width."""
    mixture = white_mixture(
        n_features=n_features,
        n_samples=n_samples,
        n_synthetic=n_synthetic,
        shift_size=shift_size,
        ridge=ridge,
        width=width,
    )
    drawn = simulate_excess_risk(mixture, n_replicates, rng=rng)
    law = theory.excess_risk(mixture)
    row: Row = {}
    for name, risks, value in (
        ("clean", drawn.bias + drawn.variance, law.bias + law.variance),
        ("mixed", drawn.total, law.total),
    ):
        mean, error = mean_and_standard_error(risks)
        row |= {
            f"theory_{name}": value,
            f"mean_{name}": float(mean),
            f"se_{name}": float(error),
        }
    return row


# --- least squares ----------------------------------------------------------------------------


def least_squares_point(
    *,
    n_real: int,
    n_synthetic: int,
    n_features: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Least squares at a small size against its exact law: uneven spectrum, shift of size 1."""
    spectrum, square = Spectrum.power_law(n_features, 1.0), np.linspace(0.1, 1.0, n_features)
    mixture = Mixture(
        spectrum,
        np.ones(n_features),
        RandomShift(square / (spectrum.eigenvalues @ square)),
        n_real,
        n_synthetic,
        0.0,
        1.0,
        1.0,
    )
    return {
        "limit_collapse": theory.excess_risk(mixture).collapse,
        **_compared(
            theory.exact_excess_risk(mixture), simulate_excess_risk(mixture, n_replicates, rng=rng)
        ),
    }


def iteration_point(
    *,
    mode: str,
    n_samples: int,
    n_features: int,
    synthetic_fraction: float,
    n_rounds: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Simulate rounds of mixing real samples with those of the last model."""
    mixture = white_mixture(
        n_features=n_features,
        n_samples=n_samples,
        n_synthetic=round(n_samples * synthetic_fraction),
    )
    reuse = mode != "fresh"
    drawn = simulate_iterate_mixing(
        mixture,
        n_rounds,
        n_replicates,
        reuse_real=reuse,
        reuse_synthetic_inputs=mode == "reused, inputs too",
        rng=rng,
    )
    law = np.full(n_rounds + 1, np.nan)
    if mode != "reused, inputs too":
        law = theory.iterate_mixing(mixture, n_rounds, reuse_real=reuse)
    means, errors = mean_and_standard_error(drawn)
    left = mixture.n_real - n_features - 1
    alone = 0.25 * n_features / left if left > 0 else np.nan
    return [
        {
            "round": step,
            "theory": float(law[step]),
            "mean": float(means[step]),
            "se": float(errors[step]),
            "real_alone": float(alone),
            "scale": 1.0 / left if reuse else 0.0,
        }
        for step in range(n_rounds + 1)
    ]


# --- weights, ridge, help ---------------------------------------------------------------------

NOISE_STD, SHIFT_SIZE = 0.5, 0.5  # of the experiments on weights


def weighted_mixture(
    aspect_ratio: float, weight: float | None, n_features: int, p2: float
) -> Mixture:
    """White mixture of the experiments on weights."""
    n = round(n_features / aspect_ratio)
    return white_mixture(
        n_features=n_features,
        n_samples=n,
        n_synthetic=round(n * p2),
        noise_std=NOISE_STD,
        shift_size=SHIFT_SIZE,
        synthetic_weight=weight,
    )


def weight_expansion(weight: float, synthetic_fraction: float, aspect_ratio: float) -> float:
    """Risk of weighted least squares to first order in d/n, at the noise and shift used here."""
    a, p2 = weight, synthetic_fraction
    p1 = 1.0 - p2
    noise = NOISE_STD**2 * ((1.0 - a) ** 2 / p1 + a**2 / p2)
    turned = SHIFT_SIZE * a**2 * ((1.0 - a) * (1.0 - 3.0 * a) / p2 + 3.0 * (1.0 - a) ** 2 / p1)
    return a**2 * SHIFT_SIZE + aspect_ratio * (noise + turned)


def weight_point(
    *,
    weight: float,
    synthetic_fraction: float,
    aspect_ratio: float,
    n_features: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Weighted least squares: law, expansion, the reported formula, simulation."""
    mixture = weighted_mixture(aspect_ratio, weight, n_features, synthetic_fraction)
    return {
        "scale": problem_of(mixture).finite_size(),
        **_compared(
            theory.excess_risk(mixture), simulate_excess_risk(mixture, n_replicates, rng=rng)
        ),
        "expansion": weight_expansion(weight, synthetic_fraction, aspect_ratio),
        "reported": float(
            published.weighted_mixing(
                weight,
                synthetic_fraction,
                aspect_ratio,
                noise_std_real=NOISE_STD,
                noise_std_synthetic=NOISE_STD,
                shift_size=SHIFT_SIZE,
            )
        ),
    }


def best_weight_point(
    *,
    aspect_ratio: float,
    synthetic_fraction: float,
    weight: float,
    n_features: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Best weight at one aspect ratio, and what the expansion leaves at a fixed one."""

    def risk(alpha: float) -> float:
        mixture = weighted_mixture(aspect_ratio, alpha, n_features, synthetic_fraction)
        return float(theory.excess_risk(mixture).total)

    best = theory.optimal_weight(
        weighted_mixture(aspect_ratio, None, n_features, synthetic_fraction)
    )
    return {
        "best_weight": best,
        "predicted_weight": aspect_ratio * NOISE_STD**2 / ((1.0 - synthetic_fraction) * SHIFT_SIZE),
        "reported_weight": published.optimal_real_weight(
            synthetic_fraction,
            aspect_ratio,
            noise_std_real=NOISE_STD,
            noise_std_synthetic=NOISE_STD,
            shift_size=SHIFT_SIZE,
        ),
        "risk_at_best": risk(best),
        "risk_real_alone": risk(0.0),
        "left_by_expansion": risk(weight)
        - weight_expansion(weight, synthetic_fraction, aspect_ratio),
    }


def white_ridge_risk(
    k: float, *, aspect_ratio: float, signal: float, noise: float, p2: float, shift_size: float
) -> float:
    """Risk on white features as a function of the effective ridge ``k``, in closed form."""
    both = k**2 * (signal + p2**2 * shift_size) + (noise + p2 * (1 - p2) * shift_size) * (
        aspect_ratio
    )
    return both / ((1 + k) ** 2 - aspect_ratio) + p2**2 * shift_size * (1 - k) / (1 + k)


def best_ridge_point(
    *,
    aspect_ratio: float,
    synthetic_fraction: float,
    shift_size: float,
    noise_std: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Best ridge of a white mixture: the library's, and the minimum of the closed form."""
    d = 100
    n = round(d / aspect_ratio)
    mixture = white_mixture(
        n_features=d,
        n_samples=n,
        n_synthetic=round(n * synthetic_fraction),
        noise_std=noise_std,
        shift_size=shift_size,
    )
    ridge = theory.optimal_ridge(mixture)
    values = {
        "aspect_ratio": aspect_ratio,
        "signal": 1.0,
        "noise": noise_std**2,
        "p2": synthetic_fraction,
        "shift_size": shift_size,
    }
    lowest = max(aspect_ratio - 1.0, 0.0)  # of the effective ridge, without ridge
    found = minimize_scalar(
        lambda x: white_ridge_risk(lowest + float(np.exp(x)), **values),
        bounds=(-15.0, 5.0),
        method="bounded",
        options={"xatol": 1e-10},
    )
    k = lowest + float(np.exp(found.x))
    floor = synthetic_fraction**2 * shift_size
    return {
        "best_ridge": ridge,
        "closed_form_ridge": k * (1.0 - aspect_ratio / (1.0 + k)),
        "risk": theory.excess_risk_grid(mixture, ridge=ridge).total.item(),
        "closed_form_risk": float(found.fun),
        "risk_without_ridge": theory.excess_risk_grid(mixture, ridge=0.0).total.item(),
        "predicted_ridge": floor,
        "predicted_risk": floor / (1.0 + floor),
        "floor": floor,
    }


def help_point(
    *,
    n_real: int,
    n_features: int,
    noise_std: float,
    relative_shift: float,
    n_synthetic: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Risk of least squares as synthetic samples are added, and its slope at the first of them."""
    threshold = noise_std**2 * n_real / (n_real - n_features)
    mixture = white_mixture(
        n_features=n_features,
        n_samples=n_real + n_synthetic,
        n_synthetic=n_synthetic,
        noise_std=noise_std,
        shift_size=relative_shift * threshold,
    )
    risks = [
        limit(
            _help_groups(mixture),
            np.array([float(n_real), added]),
            mixture.target,
            mixture.spectrum.eigenvalues,
            ridge=0.0,
            width=np.inf,
        ).total
        for added in (0.0, 0.01)
    ]
    return {
        "shift_size": mixture.shift_size,
        "threshold": threshold,
        "first_change": risks[1] - risks[0],
        "scale": problem_of(mixture).finite_size(),
        **_compared(
            theory.exact_excess_risk(mixture), simulate_excess_risk(mixture, n_replicates, rng=rng)
        ),
        "limit_total": theory.excess_risk(mixture).total,
    }


def _help_groups(mixture: Mixture) -> tuple[Group, Group]:
    values = mixture.spectrum.eigenvalues
    return (
        Group(1, values, None, 1.0, mixture.noise_std_real),
        Group(1, values, mixture.shift, 1.0, mixture.noise_std_synthetic),
    )


# --- the experiments --------------------------------------------------------------------------

FRACTIONS = [0.0, 0.001, 0.01, 0.1, 0.5]
_THEORY_COLUMNS = tuple(f"{kind}_{part}" for part in _PARTS for kind in ("theory", "mean", "se"))


def _sample_grid(policy: str, n_features: int, sizes: list[int], n_replicates: int) -> list[Point]:
    """Sizes at which each share of synthetic samples is a whole number of them."""
    points = grid(
        policy=[policy],
        n_features=[n_features],
        n_samples=sizes,
        synthetic_fraction=FRACTIONS,
        n_replicates=[n_replicates],
    )
    return [
        point
        for point in points
        if float(point["n_samples"] * point["synthetic_fraction"]).is_integer()
    ]


def _decades(low: int, high: int, steps: tuple[int, ...] = (1,)) -> list[int]:
    return [step * 10**power for power in range(low, high) for step in steps] + [10**high]


_WIDTHS = [60, 120, 240, 360, 450, 540, 600, 780, 1200, 2400]  # n = 500: none at the pole


def _width_grid(scale: int, n_replicates: int) -> list[Point]:
    points = []
    for d in (600, 300):
        points += grid(
            n_features=[d // scale],
            n_samples=[500 // scale],
            n_synthetic=[50 // scale],
            width=[width // scale for width in _WIDTHS],
            ridge=[1e-4],
            n_replicates=[n_replicates],
        )
    return points


def _monotone_grid() -> list[Point]:
    points = []
    for shift, fractions in (
        ("inverse", [0.1, 0.5, 1.0]),
        ("even", [0.1, 1.0]),
        ("strong directions", [0.1, 1.0]),
        ("random", [0.1, 1.0]),
    ):
        points += grid(
            shape=list(_SHAPES),
            shift=[shift],
            n_features=[300],
            n_samples=[200],
            synthetic_fraction=fractions,
        )
    few: Point = {"shape": "power law", "n_features": 300, "n_samples": 500}
    return points + [
        {**few, "shift": shift, "synthetic_fraction": 0.5} for shift in ("inverse", "random")
    ]


def _iteration_grid(n_samples: int, n_features: int, n_rounds: int, count: int) -> list[Point]:
    common: Point = {
        "n_samples": n_samples,
        "n_features": n_features,
        "n_rounds": n_rounds,
        "n_replicates": count,
    }
    rows = [("fresh", 0.5), ("reused", 0.5), ("reused, inputs too", 0.5), ("fresh", 1.0)]
    return [{"mode": mode, **common, "synthetic_fraction": p2} for mode, p2 in rows]


# Replicates where a part of the risk scatters widely.
_LONG = {"G9": 3000, "white, m just below n": 2000, "white, m just above n": 2000}

_THEORY_EXPERIMENTS = (
    Experiment(
        "strong_collapse/mixtures",
        "Twenty settings: predicted and simulated parts of the risk, golden values.",
        setting_point,
        {
            "quick": grid(setting=list(SETTINGS), n_replicates=[8]),
            "full": [{"setting": name, "n_replicates": _LONG.get(name, 600)} for name in SETTINGS],
        },
        seed=SEED,
        columns=("projected", "scale", *_THEORY_COLUMNS, *_GOLDEN_COLUMNS),
        nullable=_GOLDEN_COLUMNS,
    ),
    Experiment(
        "strong_collapse/identities",
        "Random mixtures: two forms of the law, Jensen's bound, special cases.",
        identity_point,
        {"quick": grid(case=list(range(20))), "full": grid(case=list(range(200)))},
        seed=SEED + 1,
    ),
    Experiment(
        "strong_collapse/sample-sweep",
        "Error against samples for five shares of synthetic data.",
        sample_point,
        {
            "quick": [
                *_sample_grid("least squares", 30, _decades(2, 8), 40),
                *_sample_grid("ridge 1/n", 150, _decades(2, 7), 10),
            ],
            "full": [
                *_sample_grid("least squares", 100, _decades(3, 9, (1, 3)), 200),
                *_sample_grid("ridge 1/n", 500, _decades(2, 7, (1, 3)), 100),
            ],
        },
        seed=SEED + 2,
        columns=("scale", *_THEORY_COLUMNS),
    ),
    Experiment(
        "strong_collapse/floor",
        "Where least squares leaves the clean law, and how near the floor it comes.",
        floor_point,
        {
            tier: grid(
                n_features=[100],
                synthetic_fraction=FRACTIONS[1:],
                noise_std=[1.0],
                shift_size=[1.0],
            )
            for tier in ("quick", "full")
        },
        seed=SEED + 3,
    ),
    Experiment(
        "strong_collapse/width-sweep",
        "Error and collapse against the width of a random projection, d above n and below.",
        width_point,
        {"quick": _width_grid(5, 30), "full": _width_grid(1, 40)},
        seed=SEED + 4,
        columns=("scale", *_THEORY_COLUMNS, "theory_clean", "mean_clean", "se_clean"),
    ),
    Experiment(
        "strong_collapse/model-size",
        "Where the collapse term rises with the width and where it falls, without ridge.",
        monotone_point,
        {tier: _monotone_grid() for tier in ("quick", "full")},
        seed=SEED + 5,
    ),
    Experiment(
        "strong_collapse/counterexample",
        "Collapse that falls with the width below the threshold.",
        counterexample_point,
        {
            "quick": grid(half=[62], n_samples=[80], width=[40, 53, 60, 70], n_replicates=[60]),
            "full": grid(
                half=[310], n_samples=[400], width=[200, 266, 300, 352], n_replicates=[300]
            ),
        },
        seed=SEED + 6,
        columns=("scale", *_THEORY_COLUMNS),
    ),
    Experiment(
        "strong_collapse/pareto",
        "Error with a mixture against error with real samples, over widths and shifts.",
        pareto_point,
        {
            tier: grid(
                n_features=[600 // scale],
                n_samples=[500 // scale],
                n_synthetic=[share // scale for share in (50, 250)],
                shift_size=[0.1, 1.0],
                width=[width // scale for width in (120, 360, 780, 2400)],
                ridge=[1e-3],
                n_replicates=[count],
            )
            for tier, scale, count in (("quick", 5, 40), ("full", 1, 40))
        },
        seed=SEED + 7,
        stream_keys=("width",),
    ),
    Experiment(
        "strong_collapse/least-squares",
        "Least squares at small sizes against its exact law.",
        least_squares_point,
        {
            tier: [
                {
                    "n_real": n - k,
                    "n_synthetic": k,
                    "n_features": d,
                    "n_replicates": count,
                }
                for n, d, k in ((40, 12, 13), (60, 4, 6), (30, 8, 20), (400, 40, 200))
            ]
            for tier, count in (("quick", 2000), ("full", 20_000))
        },
        seed=SEED + 8,
        columns=("limit_collapse", *_THEORY_COLUMNS),
    ),
    Experiment(
        "strong_collapse/iterative-mixing",
        "Rounds of mixing with fresh and with reused real samples.",
        iteration_point,
        {
            "quick": _iteration_grid(400, 40, 12, 200),
            "full": [
                *_iteration_grid(400, 40, 16, 3000),
                *_iteration_grid(2000, 20, 16, 3000),
            ],
        },
        seed=SEED + 9,
        columns=("round", "theory", "mean", "se", "real_alone", "scale"),
        nullable=("theory", "real_alone"),
    ),
    Experiment(
        "strong_collapse/weights",
        "Weighted least squares: law, expansion, the reported formula, simulation.",
        weight_point,
        {
            tier: grid(
                n_features=sizes,
                weight=[0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0],
                synthetic_fraction=[0.5],
                aspect_ratio=[0.05],
                n_replicates=[count],
            )
            for tier, sizes, count in (("quick", [50], 60), ("full", [100, 400], 400))
        },
        seed=SEED + 10,
        columns=("scale", *_THEORY_COLUMNS, "expansion", "reported"),
    ),
    Experiment(
        "strong_collapse/best-weight",
        "Best weight of the synthetic samples, and the remainder of the expansion.",
        best_weight_point,
        {
            tier: grid(
                aspect_ratio=[0.08, 0.04, 0.02, 0.01, 0.005, 0.0025],
                synthetic_fraction=[0.5],
                weight=[0.3],
                n_features=[100],
            )
            for tier in ("quick", "full")
        },
        seed=SEED + 11,
    ),
    Experiment(
        "strong_collapse/best-ridge",
        "Best ridge of white mixtures against the minimum of the closed form.",
        best_ridge_point,
        {
            tier: [
                *grid(
                    aspect_ratio=[1e-4],
                    synthetic_fraction=[0.1, 0.5],
                    shift_size=[1.0],
                    noise_std=[0.5],
                ),
                *grid(
                    aspect_ratio=[0.1, 0.5, 2.0],
                    synthetic_fraction=[0.1, 0.5],
                    shift_size=[0.5, 1.0],
                    noise_std=[0.5],
                ),
            ]
            for tier in ("quick", "full")
        },
        seed=SEED + 12,
    ),
    Experiment(
        "strong_collapse/helpful-synthetic",
        "Least squares on 100 real samples as synthetic ones are added.",
        help_point,
        {
            tier: grid(
                n_real=[100],
                n_features=[40],
                noise_std=[1.0],
                relative_shift=[0.3, 0.95, 1.05, 3.0],
                n_synthetic=[0, 3, 10, 30, 100, 300, 1000, 3000],
                n_replicates=[count],
            )
            for tier, count in (("quick", 40), ("full", 2000))
        },
        seed=SEED + 13,
        columns=(
            "shift_size",
            "threshold",
            "first_change",
            "scale",
            *_THEORY_COLUMNS,
            "limit_total",
        ),
    ),
)

EXPERIMENTS: tuple[Experiment, ...] = (
    *_THEORY_EXPERIMENTS,
    *IMAGE_EXPERIMENTS,
    *LANGUAGE_EXPERIMENTS,
)

_CATALOGUE = Catalogue(EXPERIMENTS)
experiment, run_quick = _CATALOGUE.experiment, _CATALOGUE.run_quick
archived = _CATALOGUE.archived
