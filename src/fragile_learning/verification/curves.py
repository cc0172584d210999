"""Predictions for the figures: along the swept axis of an experiment, or of a choice to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from fragile_learning._validation import choice
from fragile_learning.verification import theory
from fragile_learning.verification.mixture_experiments import MIXTURE_EXPERIMENTS
from fragile_learning.verification.settings import Generator, Verifier

__all__ = ["curves"]

_EXPERIMENTS = {one.name.removeprefix("verification/"): one for one in MIXTURE_EXPERIMENTS}
_VERIFIER = ["keep_if_correct", "keep_if_wrong"]
_SIZES = ["signal", "n_features", "n_generated"]


def _places(name: str, tier: str, keys: list[str]) -> list[dict[str, Any]]:
    """Different values of some keys among the points of an experiment."""
    points = pd.DataFrame(_EXPERIMENTS[name].points(tier))
    return [
        {str(k): v for k, v in row.items()}
        for row in points[keys].drop_duplicates().to_dict("records")
    ]


def _frame(keys: Mapping[str, Any], columns: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    for position, (name, value) in enumerate(keys.items()):
        frame.insert(position, name, value)
    return frame


def _split(place: Mapping[str, Any]) -> tuple[Verifier, dict[str, Any]]:
    """Return verifier and sizes of a place."""
    sizes = {key: place[key] for key in _SIZES if key in place}
    return Verifier(place["keep_if_correct"], place["keep_if_wrong"]), sizes


def _one_shot_curves(tier: str) -> pd.DataFrame:
    rates = np.linspace(0.0, 1.0, 201)
    frames = []
    for place in _places("one-shot", tier, [*_VERIFIER, *_SIZES]):
        verifier, sizes = _split(place)
        columns = {
            "error_rate": rates,
            "law": theory.accuracy_one_shot(Generator(rates), verifier, **sizes),
            "breakdown_point": theory.breakdown_point(verifier),
            "bayes": float(ndtr(place["signal"])),
        }
        frames.append(_frame(place, columns))
    return pd.concat(frames, ignore_index=True)


def _ridge_curves(tier: str) -> pd.DataFrame:
    drawn = pd.DataFrame(_EXPERIMENTS["ridge"].points(tier))["n_generated"]
    frames = []
    keys = ["error_rate", *_VERIFIER, "signal", "n_features", "ridge"]
    for place in _places("ridge", tier, keys):
        verifier, sizes = _split(place)
        p, phi, psi = (float(place[key]) for key in ("error_rate", *_VERIFIER))
        dip = float(place["n_features"]) / ((1.0 - p) * phi + p * psi)
        ends = 0.7 * float(drawn.min()), 1.4 * float(drawn.max())
        generated = np.unique(np.r_[np.geomspace(*ends, 161), dip])
        law = theory.accuracy_ridge(
            Generator(p), verifier, ridge=place["ridge"], n_generated=generated, **sizes
        )
        columns = {
            "n_generated": generated,
            "law": law,
            "dip": dip,
            "bayes": float(ndtr(place["signal"])),
        }
        frames.append(_frame(place, columns))
    return pd.concat(frames, ignore_index=True)


def _logistic_curves(tier: str) -> pd.DataFrame:
    rates = np.linspace(0.0, 1.0, 81)
    frames = []
    for place in _places("logistic", tier, [*_VERIFIER, *_SIZES, "ridge"]):
        verifier, sizes = _split(place)
        players = Generator(rates), verifier
        columns = {
            "error_rate": rates,
            "law": theory.accuracy_logistic(*players, ridge=place["ridge"], **sizes),
            "one_shot": theory.accuracy_one_shot(*players, **sizes),
            "breakdown_point": theory.breakdown_point(verifier),
        }
        frames.append(_frame(place, columns))
    return pd.concat(frames, ignore_index=True)


def _window_curves(tier: str) -> pd.DataFrame:
    points = pd.DataFrame(_EXPERIMENTS["window"].points(tier))["tau"]
    distances = np.linspace(float(points.min()), float(points.max()), 121)
    frames = []
    for place in _places("window", tier, [*_VERIFIER, *_SIZES]):
        verifier, sizes = _split(place)
        star = float(theory.breakdown_point(verifier))

        def law(size: float) -> Any:
            generator = Generator(star - distances / np.sqrt(size))  # noqa: B023  # called below
            return theory.critical_window(generator, verifier, **{**sizes, "n_generated": size})  # noqa: B023

        columns = {"tau": distances, "law": law(place["n_generated"]), "limit": law(1e12)}
        frames.append(_frame(place, columns))
    return pd.concat(frames, ignore_index=True)


def _angles_curves(tier: str) -> pd.DataFrame:
    del tier
    degrees, correlations = (
        grid.ravel()
        for grid in np.meshgrid(np.linspace(0.0, 180.0, 91), np.linspace(-1.0, 1.0, 81))
    )
    generator = np.radians(50.0)
    student = theory.bisector_accuracy(generator, np.radians(degrees), correlations)
    own = 1.0 - 50.0 / 180.0
    columns = {
        "degrees_verifier": degrees,
        "correlation": correlations,
        "student": student,
        "gain": student - own,
    }
    return _frame({"degrees_generator": 50.0, "generator": own}, columns)


def _rounds_curves(tier: str) -> pd.DataFrame:
    n_rounds = 10
    frames = []
    keys = ["degrees_generator", "degrees_verifier", "correlation"]
    for place in _places("rounds", tier, keys):
        g, v = (np.radians(float(place[key])) for key in keys[:2])
        law = theory.rounds_accuracy(g, v, place["correlation"], n_rounds)
        columns = {"round": np.arange(n_rounds + 1), "verifier": 1.0 - v / np.pi, "law": law}
        frames.append(_frame(place, columns))
    return pd.concat(frames, ignore_index=True)


def _self_training_curves(tier: str) -> pd.DataFrame:
    degrees = np.linspace(0.0, 180.0, 121)
    angles = np.radians(degrees)
    frames = []
    for place in _places("self-training", tier, ["signal"]):
        signal = float(place["signal"])
        columns = {
            "degrees_generator": degrees,
            "law": theory.self_training_accuracy(angles, signal=signal),
            "generator": ndtr(signal * np.cos(angles)),
        }
        frames.append(_frame(place, columns))
    return pd.concat(frames, ignore_index=True)


def _threshold_curves(tier: str) -> pd.DataFrame:
    del tier
    frames = []
    for p in (0.2, 0.6):
        generator = Generator(p)
        for separation in (1.0, 2.0):
            thresholds = np.linspace(-3.0, 4.0, 141)
            right, wrong = ndtr(separation - thresholds), ndtr(-thresholds)
            verifier = Verifier(right, wrong)
            worth = theory.effective_samples(generator, verifier, 1.0)
            better = p < np.asarray(theory.breakdown_point(verifier))
            best = theory.best_threshold(generator, separation=separation)
            columns = {
                "threshold": thresholds,
                "information": np.where(better, worth, np.nan),
                "best_threshold": best.threshold,
                "best_information": best.information,
                "soft": theory.soft_information(generator, separation=separation),
                "unverified": max(0.0, 1.0 - 2.0 * p) ** 2,
            }
            frames.append(_frame({"error_rate": p, "separation": separation}, columns))
    return pd.concat(frames, ignore_index=True)


def _cost_curves(tier: str) -> pd.DataFrame:
    del tier
    rates = np.linspace(0.0, 0.499, 250)
    frames = []
    for phi, psi in ((1.0, 0.0), (0.9, 0.3), (0.6, 0.0), (0.9, 0.8)):
        verifier = Verifier(phi, psi)
        price = theory.cost_break_even(
            Generator(rates), verifier, cost_generate=1.0, cost_train=1.0
        )
        keys = {"keep_if_correct": phi, "keep_if_wrong": psi, "cost_train": 1.0}
        star = theory.breakdown_point(verifier)
        frames.append(_frame(keys, {"error_rate": rates, "price": price, "breakdown_point": star}))
    return pd.concat(frames, ignore_index=True)


_CURVES: Mapping[str, Callable[[str], pd.DataFrame]] = {
    "one-shot": _one_shot_curves,
    "ridge": _ridge_curves,
    "logistic": _logistic_curves,
    "window": _window_curves,
    "angles": _angles_curves,
    "rounds": _rounds_curves,
    "self-training": _self_training_curves,
    "threshold": _threshold_curves,
    "costs": _cost_curves,
}


def curves(name: str, tier: str = "quick") -> pd.DataFrame:
    """Predictions for the figure of an experiment, finer than its points.

    ``"angles"`` is a grid of verifiers for a generator at 50 degrees, ``"threshold"`` and
    ``"costs"`` have settings of their own, and ``"rounds"`` some rounds more than are simulated;
    the others have those of the experiment's points.

    Parameters
    ----------
    name : str
        ``"one-shot"``, ``"ridge"``, ``"logistic"``, ``"window"``, ``"angles"``, ``"rounds"``,
        ``"self-training"``, ``"threshold"`` or ``"costs"``.
    tier : {"quick", "full"}

    Returns
    -------
    DataFrame
        The keys of the settings, then what the figure draws. In ``"threshold"`` the information is
        NaN where a threshold keeps more wrong labels than right ones.

    Raises
    ------
    ValueError
        If there is no such figure or tier.

    Examples
    --------
    >>> curves("costs").columns.tolist()
    ['keep_if_correct', 'keep_if_wrong', 'cost_train', 'error_rate', 'price', 'breakdown_point']
    """
    choice("tier", tier, ("quick", "full"))
    return _CURVES[choice("name", name, tuple(_CURVES))](tier)
