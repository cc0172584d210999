"""Predictions along the swept axis of an experiment, finer than its simulated points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fragile_learning._validation import choice
from fragile_learning.strong_collapse import published, theory
from fragile_learning.strong_collapse.experiments import (
    FRACTIONS,
    NOISE_STD,
    SHIFT_SIZE,
    experiment,
    weighted_mixture,
)
from fragile_learning.strong_collapse.mixture import MixtureRisk
from fragile_learning.strong_collapse.settings import sampled_mixture, white_mixture

__all__ = ["curves"]

Array = NDArray[np.float64]


def _frame(keys: Mapping[str, Any], columns: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    for position, (name, value) in enumerate(keys.items()):
        frame.insert(position, name, value)
    return frame


@lru_cache(maxsize=8)
def _sample_curves(tier: str) -> pd.DataFrame:
    points: Any = pd.DataFrame(experiment("sample-sweep").points(tier))
    frames = []
    for (policy, d), group in points.groupby(["policy", "n_features"], sort=False):
        low, high = group["n_samples"].min(), group["n_samples"].max()
        sizes = np.unique(np.round(np.geomspace(low, high, 121)))
        for p2 in FRACTIONS:
            mixture = sampled_mixture(
                policy=str(policy), n_features=int(d), n_samples=1000, synthetic_fraction=p2
            )
            ridge = 1.0 / sizes if policy == "ridge 1/n" else 0.0
            risk = theory.excess_risk_grid(mixture, n=sizes, ridge=ridge, synthetic_fraction=p2)
            clean = risk.bias + risk.variance
            floor = p2**2 * mixture.shift_size
            below = np.flatnonzero(clean < floor)
            crossed = below.size > 0 and below[0] > 0  # else not within these sizes
            departure = float(sizes[below[0]]) if crossed else np.inf
            frames.append(
                _frame(
                    {"policy": policy, "synthetic_fraction": p2},
                    {
                        "n_samples": sizes,
                        "total": risk.total,
                        "floor": floor,
                        "departure": departure,
                    },
                )
            )
    return pd.concat(frames, ignore_index=True)


def _width_curves(tier: str) -> pd.DataFrame:
    points: Any = pd.DataFrame(experiment("width-sweep").points(tier))
    frames = []
    for d, group in points.groupby("n_features", sort=False):
        n, k = int(group["n_samples"].iloc[0]), int(group["n_synthetic"].iloc[0])
        around = n + np.r_[-np.geomspace(1, n - 2, 80), np.geomspace(1, 5 * n, 80)]
        widths: Array = np.unique(np.round(np.r_[around, n])).astype(np.float64)
        mixture = white_mixture(n_features=int(d), n_samples=n, n_synthetic=k)
        ridge = float(group["ridge"].iloc[0])
        fixed = theory.excess_risk_grid(mixture, width=widths, ridge=ridge)
        keys = {"n_features": int(d), "n_samples": n}
        frames.append(_width_frame(keys, "fixed", widths, fixed))
        ridges = np.geomspace(1e-5, 30.0, 300)
        tuned = theory.excess_risk_grid(mixture, width=widths[:, None], ridge=ridges)
        clean = (tuned.bias + tuned.variance).min(axis=1)
        best = tuned.total.argmin(axis=1)
        chosen = MixtureRisk(*(part[np.arange(widths.size), best] for part in tuned))
        frame = _width_frame(keys, "best", widths, chosen)
        frame["clean"], frame["gap"] = clean, chosen.total - clean
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _width_frame(
    keys: Mapping[str, Any], policy: str, widths: Array, risk: MixtureRisk
) -> pd.DataFrame:
    clean = risk.bias + risk.variance
    return _frame(
        {**keys, "ridge": policy},
        {"width": widths, "total": risk.total, "clean": clean, "gap": risk.total - clean},
    )


def _pareto_curves(tier: str) -> pd.DataFrame:
    points: Any = pd.DataFrame(experiment("pareto").points(tier))
    first = points.iloc[0]
    d, n = int(first["n_features"]), int(first["n_samples"])
    widths = np.unique(np.round(np.geomspace(max(n / 20, 1), 20 * n, 161)))
    frames = []
    for k in points["n_synthetic"].unique():
        for size in (0.0, 0.1, 0.5, 1.0):
            mixture = white_mixture(n_features=d, n_samples=n, n_synthetic=int(k), shift_size=size)
            risk = theory.excess_risk_grid(mixture, width=widths, ridge=float(first["ridge"]))
            frames.append(
                _frame(
                    {"n_samples": n, "n_synthetic": int(k), "shift_size": size},
                    {
                        "width": widths,
                        "per_sample": widths / n,
                        "clean": risk.bias + risk.variance,
                        "mixed": risk.total,
                    },
                )
            )
    return pd.concat(frames, ignore_index=True)


def _weight_curves(tier: str) -> pd.DataFrame:
    first = experiment("weights").points(tier)[0]
    phi, p2, d = first["aspect_ratio"], first["synthetic_fraction"], first["n_features"]
    weights = np.linspace(0.0, 1.0, 101)
    total = [theory.excess_risk(weighted_mixture(phi, float(a), d, p2)).total for a in weights]
    return pd.DataFrame(
        {
            "weight": weights,
            "total": total,
            "floor": weights**2 * SHIFT_SIZE,
            "reported": published.weighted_mixing(
                weights,
                p2,
                phi,
                noise_std_real=NOISE_STD,
                noise_std_synthetic=NOISE_STD,
                shift_size=SHIFT_SIZE,
            ),
            "best": theory.optimal_weight(weighted_mixture(phi, None, d, p2)),
        }
    )


def _ridge_curves(_: str) -> pd.DataFrame:
    ridges = np.geomspace(1e-4, 10.0, 121)
    frames = []
    for p2 in (0.0, 0.1, 0.5):
        for phi in (0.5, 0.1, 1e-4):
            n = round(100 / phi)
            mixture = white_mixture(n_features=100, n_samples=n, n_synthetic=round(n * p2))
            risk = theory.excess_risk_grid(mixture, ridge=ridges).total
            best = theory.optimal_ridge(mixture)
            frames.append(
                _frame(
                    {"synthetic_fraction": p2, "aspect_ratio": phi},
                    {
                        "ridge": ridges,
                        "total": risk,
                        "best_ridge": best,
                        "best_total": theory.excess_risk_grid(mixture, ridge=best).total.item(),
                    },
                )
            )
    return pd.concat(frames, ignore_index=True)


def _help_curves(tier: str) -> pd.DataFrame:
    points: Any = pd.DataFrame(experiment("helpful-synthetic").points(tier))
    frames = []
    sizes = np.unique(np.round(np.r_[0.0, np.geomspace(1, 3000, 60)]))
    for relative, group in points.groupby("relative_shift"):
        first = group.iloc[0]
        n, d, noise = int(first["n_real"]), int(first["n_features"]), float(first["noise_std"])
        shift = float(relative) * noise**2 * n / (n - d)
        total = [
            theory.exact_excess_risk(
                white_mixture(
                    n_features=d,
                    n_samples=n + int(k),
                    n_synthetic=int(k),
                    noise_std=noise,
                    shift_size=shift,
                )
            ).total
            for k in sizes
        ]
        frames.append(
            _frame({"relative_shift": float(relative)}, {"n_synthetic": sizes, "total": total})
        )
    return pd.concat(frames, ignore_index=True)


_CURVES: Mapping[str, Callable[[str], pd.DataFrame]] = {
    "sample-sweep": _sample_curves,
    "width-sweep": _width_curves,
    "pareto": _pareto_curves,
    "weights": _weight_curves,
    "best-ridge": _ridge_curves,
    "helpful-synthetic": _help_curves,
}


def curves(name: str, tier: str = "quick") -> pd.DataFrame:
    """Predictions along the swept axis of an experiment, finer than its simulated points.

    Parameters
    ----------
    name : str
        ``"sample-sweep"``, ``"width-sweep"``, ``"pareto"``, ``"weights"``, ``"best-ridge"`` or
        ``"helpful-synthetic"``.
    tier : {"quick", "full"}

    Returns
    -------
    DataFrame
        The keys of the experiment's points, then what the figure of that experiment draws.

    Raises
    ------
    ValueError
        If the experiment has no such axis.

    Examples
    --------
    >>> curves("weights").columns.tolist()
    ['weight', 'total', 'floor', 'reported', 'best']
    """
    return _CURVES[choice("name", name, tuple(_CURVES))](tier).copy()
