"""The room's result in one small picture: averaging over a posterior does not make robust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fragile_learning.bayes import experiments
from fragile_learning.overviews import Curve, Overview
from fragile_learning.tables import rows_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE", "overview"]

TABLE: Final = "robustness"
"""The experiment whose archived table is drawn."""

DATA: Final = "fashion"


def overview(table: pd.DataFrame | None = None) -> Overview:
    """Accuracy under the strongest attack against its radius, for a posterior and for one network.

    Parameters
    ----------
    table : DataFrame, optional
        Of the experiment ``robustness``; the archived one otherwise.

    Returns
    -------
    Overview
        With the numbers ``clean``, ``attacked`` and ``radius``: the accuracy of Hamiltonian Monte
        Carlo without and under attack, in per cent, and the radius of the attack.

    Examples
    --------
    >>> sorted(overview().numbers)
    ['attacked', 'clean', 'radius']
    """
    rows = rows_of(experiments.archived(TABLE) if table is None else table, data=DATA)
    least = rows.groupby(["method", "replicate", "radius"])["accuracy"].min().reset_index()
    curves, means = [], {}
    for label, method, color, dash, at, side in (
        ("posterior", "HMC", "theory", "-", (0.035, 72.0), "left"),
        ("one network", "deterministic", "reference", "--", (0.0, 14.0), "left"),
    ):
        groups = (100.0 * rows_of(least, method=method).set_index("radius")["accuracy"]).groupby(
            "radius"
        )
        means[method] = groups.mean()
        curves.append(
            Curve(
                label,
                means[method].index.to_numpy(),
                means[method],
                color,
                at=at,
                error=groups.sem().fillna(0.0),
                dash=dash,
                side=side,
            )
        )
    return Overview(
        tuple(curves),
        x_label="change of each pixel",
        y_label="accuracy, %",
        x_ticks=((0.0, "0"), (0.05, "5 %"), (0.1, "10 %")),
        y_ticks=((0.0, "0"), (40.0, "40"), (80.0, "80")),
        alt=(
            "Accuracy under the strongest attack against the change of each pixel: it falls from "
            "above 80 per cent to below 30, for one network and for samples of a posterior."
        ),
        numbers={
            "clean": f"{means['HMC'].iloc[0]:.0f} per cent",
            "attacked": f"{means['HMC'].iloc[-1]:.0f} per cent",
            "radius": f"{100.0 * means['HMC'].index[-1]:.0f} per cent",
        },
    )
