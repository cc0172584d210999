"""Predictions for the figures, on fine grids."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fragile_learning.debate import theory

__all__ = ["gaussian_curves", "weight_curves"]


def weight_curves(ratios: tuple[float, ...] = (0.25, 1.0, 4.0)) -> pd.DataFrame:
    """Stationary error with fresh real data against the weight, with the weights to compare.

    Parameters
    ----------
    ratios : tuple of float
        Real samples for each synthetic one, > 0.

    Returns
    -------
    DataFrame
        Columns ``ratio``, ``weight``, ``law``, and, the same in all rows of a ratio, ``best``
        and ``pooled`` weight and the ``pooled_law`` there.

    Examples
    --------
    >>> curve = weight_curves((1.0,))
    >>> round(float(curve["law"].min()), 3), round(float(curve["best"].iloc[0]), 3)
    (0.618, 0.618)
    """
    weights = np.linspace(0.03, 1.0, 195)
    frames = []
    for ratio in ratios:
        pooled = theory.pooled_weight(ratio)
        frames.append(
            pd.DataFrame(
                {
                    "ratio": ratio,
                    "weight": weights,
                    "law": [theory.stationary_error(float(w), ratio) for w in weights],
                    "best": theory.best_weight(ratio),
                    "pooled": pooled,
                    "pooled_law": theory.stationary_error(pooled, ratio),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def gaussian_curves(n_generations: int, n_samples: int) -> pd.DataFrame:
    """Variance of Gaussian chains with the unbiased estimate: expected and typical.

    Parameters
    ----------
    n_generations : int
        At least 1.
    n_samples : int
        At least 2 in each generation.

    Returns
    -------
    DataFrame
        Columns ``generation``, ``expected`` and ``typical`` if data are replaced, and
        ``accumulated``, the expected variance if they accumulate.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> row = gaussian_curves(100, 20).iloc[-1]
    >>> row[["expected", "typical", "accumulated"]].round(4).tolist()
    [1.0, 0.0047, 0.9682]
    """
    return pd.DataFrame(
        {
            "generation": np.arange(1, n_generations + 1),
            "expected": theory.gaussian_chain(
                "replace", n_generations, n_samples=n_samples
            ).variance,
            "typical": theory.typical_variance(n_generations, n_samples),
            "accumulated": theory.gaussian_chain(
                "accumulate", n_generations, n_samples=n_samples
            ).variance,
        }
    )
