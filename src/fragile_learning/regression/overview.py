"""The room's result in one small picture: with the usual ridge, more generated data hurt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from fragile_learning.overviews import Curve, Overview
from fragile_learning.regression import experiments
from fragile_learning.regression.power_laws import critical_ridge_exponent
from fragile_learning.tables import rows_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE", "overview"]

TABLE: Final = "power-law-samples"
"""The experiment whose archived table is drawn."""

GENERATIONS: Final = 10


def overview(table: pd.DataFrame | None = None) -> Overview:
    """Error against a student's samples, on clean labels and after ten generations.

    Parameters
    ----------
    table : DataFrame, optional
        Of the experiment ``power-law-samples``; the archived one otherwise.

    Returns
    -------
    Overview
        With the numbers ``rise``, ``few`` and ``many``: how many times the error grows from its
        least value, there, to that at the most samples.

    Examples
    --------
    >>> sorted(overview().numbers)
    ['few', 'many', 'rise']
    """
    rows = experiments.archived(TABLE) if table is None else table
    ell = critical_ridge_exponent(rows["exponent"].iloc[0], rows["source_exponent"].iloc[0])
    rows = rows[np.isclose(rows["ridge"], rows["n_samples"] ** -ell)].sort_values("n_samples")
    clean, chain = (rows_of(rows, n_generations=count) for count in (0, GENERATIONS))
    least = chain.loc[chain["mean_total"].idxmin()]
    last = chain.iloc[-1]
    return Overview(
        (
            _curve("clean labels", clean, "real", 0.05, 0.025),
            _curve(f"{GENERATIONS} generations", chain, "synthetic", 0.5, 0.2),
        ),
        x_label="samples",
        y_label="error",
        x_ticks=((1e2, "100"), (1e4, "$10^4$"), (1e6, "$10^6$")),
        y_ticks=((1e-2, "0.01"), (1e0, "1")),
        log="xy",
        alt=(
            "Error against samples with the ridge that is best on clean labels: on those it falls "
            f"throughout, after {GENERATIONS} generations it falls, turns and rises."
        ),
        numbers={
            "rise": f"{last['mean_total'] / least['mean_total']:.0f}",
            "few": f"{least['n_samples']:,.0f}",
            "many": f"{last['n_samples']:,.0f}",
        },
    )


def _curve(label: str, rows: pd.DataFrame, color: str, share: float, lift: float) -> Curve:
    """Return a curve with its name below the place at a share of its length."""
    place = rows.iloc[int(share * len(rows))]
    return Curve(
        label,
        rows["n_samples"],
        rows["mean_total"],
        color,
        at=(place["n_samples"], lift * place["mean_total"]),
        error=rows["se_total"],
        dash="-" if color == "real" else "--",
        side="left" if color == "real" else "center",
    )
