"""Predictions along the swept axis of an experiment, finer than its simulated points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fragile_learning._validation import choice
from fragile_learning.scaling_laws import closed_forms, theory
from fragile_learning.scaling_laws.experiments import experiment

__all__ = ["curves"]

_EXPONENT = 1.5


def _points(name: str, tier: str, **keys: Any) -> pd.DataFrame:
    """Points of an experiment that have these values."""
    points: Any = pd.DataFrame(experiment(name).points(tier))
    for key, value in keys.items():
        points = points[points[key] == value]
    return points  # type: ignore[no-any-return]


def _frame(keys: Mapping[str, Any], columns: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    for position, (name, value) in enumerate(keys.items()):
        frame.insert(position, name, value)
    return frame


def _cut_curves(tier: str) -> pd.DataFrame:
    sizes = np.geomspace(10, 1e9, 161)
    frames = [
        _frame(
            {"tail_exponent": _EXPONENT, "rank": int(rank)},
            {
                "n_samples": sizes,
                "exact": theory.cut_error(_EXPONENT, sizes, int(rank)),
                "clean": theory.hutter_error(_EXPONENT, sizes),
                "floor": theory.tail_mass(_EXPONENT, int(rank)),
                "crossover": theory.crossover_samples(_EXPONENT, int(rank)),
            },
        )
        for rank in _points("cut", tier, tail_exponent=_EXPONENT)["rank"].unique()
    ]
    return pd.concat(frames, ignore_index=True)


def _narrow_curves(tier: str) -> pd.DataFrame:
    sizes = np.geomspace(100, 1e7, 101)
    points = _points("narrow", tier, tail_exponent=_EXPONENT)
    frames = [
        _frame(
            {"tail_exponent": _EXPONENT, "narrowed_exponent": float(narrowed)},
            {
                "n_samples": sizes,
                "exact": theory.narrow_error(_EXPONENT, sizes, float(narrowed)),
                "slope": -(_EXPONENT - 1.0) / float(narrowed),
            },
        )
        for narrowed in points["narrowed_exponent"].unique()
    ]
    return pd.concat(frames, ignore_index=True)


def _mix_curves(tier: str) -> pd.DataFrame:
    frames = []
    rank = 100
    sizes = np.geomspace(10, 1e9, 161)
    shares = _points("mix", tier, tail_exponent=_EXPONENT, rank=rank)["real_fraction"].unique()
    for share in (float(one) for one in shares):
        start, end = theory.plateau(_EXPONENT, rank, share)
        frames.append(
            _frame(
                {"tail_exponent": _EXPONENT, "rank": rank, "real_fraction": share},
                {
                    "n_samples": sizes,
                    "exact": theory.mix_error(_EXPONENT, sizes, rank, share),
                    "clean": theory.hutter_error(_EXPONENT, sizes),
                    "late": theory.hutter_error(_EXPONENT, share * sizes),
                    "floor": theory.tail_mass(_EXPONENT, rank),
                    "start": start,
                    "error_at_start": theory.mix_error(_EXPONENT, start, rank, share),
                    "end": end,
                    "error_at_end": theory.mix_error(_EXPONENT, end, rank, share),
                },
            )
        )
    return pd.concat(frames, ignore_index=True)


def _acquisition_curves(tier: str) -> pd.DataFrame:
    points = _points("tail-acquisition", tier)
    rank, share = int(points["rank"].iloc[0]), float(points["real_fraction"].iloc[0])
    sizes = np.geomspace(1e3, 1e12, 136)
    plain = theory.mix_error(_EXPONENT, sizes, rank, share)
    frames = []
    for first in (int(one) for one in points["n_tail_from"].unique()):
        floor = float(theory.tail_mass(_EXPONENT, rank)) - float(
            theory.tail_mass(_EXPONENT, first - 1)
        )
        frames.append(
            _frame(
                {
                    "tail_exponent": _EXPONENT,
                    "rank": rank,
                    "n_tail_from": first,
                    "real_fraction": share,
                },
                {
                    "n_samples": sizes,
                    "exact": theory.tail_acquisition_error(_EXPONENT, sizes, rank, first, share),
                    "plain": plain,
                    "floor": floor,
                },
            )
        )
    return pd.concat(frames, ignore_index=True)


def _memory_curves(tier: str) -> pd.DataFrame:
    points = _points("memory", tier)
    n_items, outputs = int(points["n_items"].iloc[0]), 20
    sizes = np.geomspace(10, 1e6, 101)
    unlimited = theory.memory_error(_EXPONENT, sizes, n_items, outputs, n_items=n_items)
    frames = []
    for place in points[["capacity", "dimension", "rank"]].drop_duplicates().itertuples():
        capacity, rank = int(str(place.capacity)), int(str(place.rank))
        frames.append(
            _frame(
                {"capacity": capacity, "dimension": place.dimension, "rank": rank},
                {
                    "n_samples": sizes,
                    "theory": theory.memory_error(
                        _EXPONENT, sizes, capacity, outputs, rank=rank, n_items=n_items
                    ),
                    "unlimited": unlimited,
                },
            )
        )
    return pd.concat(frames, ignore_index=True)


def _regular_curves(tier: str) -> pd.DataFrame:
    drawn = _points("regular-real", tier)
    drawn = drawn[drawn["n_replicates"] > 0]
    shares = np.unique(np.r_[np.geomspace(1e-4, 1e-3, 7), np.geomspace(1e-3, 1.0, 46)])
    worth = np.array([theory.stationary_effective_samples(1.0, float(one)) for one in shares])
    few = np.minimum(shares, 0.5)
    law = np.where(shares <= 0.1, closed_forms.stationary_asymptote(1.0, few), np.nan)
    frames = []
    for place in drawn[["tail_exponent", "n_samples"]].drop_duplicates().itertuples():
        beta, size = float(str(place.tail_exponent)), int(str(place.n_samples))
        frames.append(
            _frame(
                {"tail_exponent": beta, "n_samples": size},
                {
                    "real_fraction": shares,
                    "stationary": worth,
                    "stationary_law": law,
                    "error": theory.hutter_error(beta, worth * size),
                    "without_copies": theory.hutter_error(beta, shares * size),
                },
            )
        )
    return pd.concat(frames, ignore_index=True)


_CURVES: Mapping[str, Callable[[str], pd.DataFrame]] = {
    "cut": _cut_curves,
    "narrow": _narrow_curves,
    "mix": _mix_curves,
    "tail-acquisition": _acquisition_curves,
    "memory": _memory_curves,
    "regular-real": _regular_curves,
}


def curves(name: str, tier: str = "quick") -> pd.DataFrame:
    """Predictions along the swept axis of an experiment, finer than its simulated points.

    For an exponent of 1.5, where the experiment has several; ``"regular-real"`` has all that are
    simulated, and gives effective samples as shares of the sample size.

    Parameters
    ----------
    name : str
        ``"cut"``, ``"narrow"``, ``"mix"``, ``"tail-acquisition"``, ``"memory"`` or
        ``"regular-real"``.
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
    >>> curves("narrow").columns.tolist()
    ['tail_exponent', 'narrowed_exponent', 'n_samples', 'exact', 'slope']
    """
    return _CURVES[choice("name", name, tuple(_CURVES))](tier)
