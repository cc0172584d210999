"""Predictions for the figures: along the swept axis of an experiment, or of a choice to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from fragile_learning._validation import choice
from fragile_learning.distillation import theory

__all__ = ["curves"]

_MEAN, _STD = 0.6, 1.0  # of the random factors of the figures
_CURVATURE, _SPREAD = 1.0, 2.5  # which are 1 - rate * curvature: those at a rate of 0.4


def _frame(keys: Mapping[str, Any], columns: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    for position, (name, value) in enumerate(keys.items()):
        frame.insert(position, name, value)
    return frame


def _window_curves() -> pd.DataFrame:
    speeds = np.geomspace(1e-3, 1.0, 201)
    ones = np.ones_like(speeds)
    frames = []
    for window in (1, 4, 16, 64):
        # at the weights 0, with the target -1, the gradient is the factor itself
        law = theory.quadratic_meta_gradient(
            speeds, ones, -ones, 0 * ones, 0 * ones, learning_rate=1.0, n_steps=64, window=window
        )
        frames.append(_frame({"window": window}, {"speed": speeds, "law": law}))
    return pd.concat(frames, ignore_index=True)


def _best_window_curves() -> pd.DataFrame:
    windows = np.linspace(0.0, 14.0, 141)
    m2 = _MEAN**2 + _STD**2
    frames = []
    for n_draws in (10, 100, 1000, 10_000):
        best = theory.best_window(_MEAN, m2, n_draws)
        columns = {
            "window": windows,
            "law": theory.jacobian_error(_MEAN, m2, windows, n_draws),
            "best_window": best,
            "best_law": theory.jacobian_error(_MEAN, m2, best, n_draws),
        }
        frames.append(_frame({"n_draws": n_draws}, columns))
    return pd.concat(frames, ignore_index=True)


def _growth_curves() -> pd.DataFrame:
    windows = np.linspace(0.0, 50.0, 101)
    frames = []
    for factors in theory.LAWS:
        columns = {"window": windows}
        for name, order in (("law", 0.0), ("law_of_rms", 2.0)):
            columns[name] = windows * theory.growth_rate(_MEAN, _STD, order, law=factors)
        frames.append(_frame({"factors": factors}, columns))
    return pd.concat(frames, ignore_index=True)


def _explosion_curves() -> pd.DataFrame:
    means = np.sin(np.linspace(-0.5 * np.pi, 0.5 * np.pi, 61))  # dense where lines are steep
    frames = []
    for order in (0.0, 1.0, 2.0):

        def grows(std: float, mean: float, order: float = order) -> float:
            return theory.growth_rate(mean, std, order)

        least = 1e-6
        stds = [
            brentq(grows, least, 4.0, args=(mean,)) if grows(least, mean) < 0.0 else 0.0
            for mean in means
        ]
        frames.append(_frame({"order": order}, {"mean": means, "std": stds}))
    rates = np.linspace(0.0, 1.0, 51)
    path = {"mean": 1.0 - rates * _CURVATURE, "std": rates * _SPREAD, "learning_rate": rates}
    return pd.concat([*frames, _frame({"order": np.nan}, path)], ignore_index=True)


def _adam_curves() -> pd.DataFrame:
    sizes = np.geomspace(1e-8, 1e-2, 61)
    density = 1.0 / np.sqrt(2.0 * np.pi)
    frames = []
    for step in (1, 2, 5, 10, 40):
        law = [theory.adam_step_moments(0.02, eps, density, step=step)[1] for eps in sizes]
        frames.append(_frame({"step": step}, {"eps": sizes, "law": law}))
    return pd.concat(frames, ignore_index=True)


def _cost_curves() -> pd.DataFrame:
    window, lengths = 12, np.arange(12, 201)
    frames = []
    for rule in theory.RULES:
        costs = [
            theory.meta_step_cost(
                [64, 64, 10],
                windows=theory.window_pairs(rule, int(n), window),
                n_distilled=10,
                n_outer=256,
            )
            for n in lengths
        ]
        columns = {"n_steps": lengths, "law": np.array(costs)}
        frames.append(_frame({"rule": rule, "window": window}, columns))
    return pd.concat(frames, ignore_index=True)


_CURVES: Mapping[str, Callable[[], pd.DataFrame]] = {
    "quadratic-windows": _window_curves,
    "best-window": _best_window_curves,
    "growth": _growth_curves,
    "explosion": _explosion_curves,
    "adam-steps": _adam_curves,
    "costs": _cost_curves,
}


def curves(name: str) -> pd.DataFrame:
    """Predictions for a figure, finer than the points of its experiment.

    All have settings of their own, which those of the experiments' points go with. ``"explosion"``
    belongs to no experiment: the standard deviation of a random factor from which the moments of
    orders 0, 1 and 2 grow, by its mean; and in the rows without order what learning rates make of
    random curvatures.

    Parameters
    ----------
    name : str
        ``"quadratic-windows"``, ``"best-window"``, ``"growth"``, ``"explosion"``,
        ``"adam-steps"`` or ``"costs"``.

    Returns
    -------
    DataFrame
        The keys of the settings, then what the figure draws.

    Raises
    ------
    ValueError
        If there is no such figure.

    Examples
    --------
    >>> curves("costs").columns.tolist()
    ['rule', 'window', 'n_steps', 'law']
    """
    return _CURVES[choice("name", name, tuple(_CURVES))]()
