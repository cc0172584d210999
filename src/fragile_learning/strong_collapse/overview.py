"""The room's result in one small picture: one synthetic label in a hundred stops scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fragile_learning.overviews import Curve, Overview
from fragile_learning.strong_collapse import experiments
from fragile_learning.tables import rows_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE", "overview"]

TABLE: Final = "sample-sweep"
"""The experiment whose archived table is drawn."""

FRACTION: Final = 0.01


def overview(table: pd.DataFrame | None = None) -> Overview:
    """Error of least squares against samples, with real labels and with one per cent synthetic.

    Parameters
    ----------
    table : DataFrame, optional
        Of the experiment ``sample-sweep``; the archived one otherwise.

    Returns
    -------
    Overview
        With the numbers ``share``, ``times`` and ``many``: the synthetic share, and by what factor
        it raises the error at the most samples.

    Examples
    --------
    >>> sorted(overview().numbers)
    ['many', 'share', 'times']
    """
    rows = experiments.archived(TABLE) if table is None else table
    rows = rows_of(rows, policy="least squares").sort_values("n_samples")
    clean, mixed = (rows_of(rows, synthetic_fraction=share) for share in (0.0, FRACTION))
    curves = []
    for label, found, color, dash, share, lift in (
        ("real labels", clean, "real", "-", 0.55, 0.04),
        (f"{100 * FRACTION:g} % synthetic", mixed, "mixed", "--", 0.99, 10.0),
    ):
        place = found.iloc[int(share * len(found))]
        curves.append(
            Curve(
                label,
                found["n_samples"],
                found["mean_total"],
                color,
                at=(place["n_samples"], lift * place["mean_total"]),
                error=found["se_total"],
                dash=dash,
                side="right",
            )
        )
    last = clean["n_samples"].max()
    ends = [rows_of(found, n_samples=last)["mean_total"].iloc[0] for found in (clean, mixed)]
    return Overview(
        tuple(curves),
        x_label="samples",
        y_label="error",
        x_ticks=((1e3, "$10^3$"), (1e5, "$10^5$"), (1e7, "$10^7$")),
        y_ticks=((1e-5, "$10^{-5}$"), (1e-3, "$10^{-3}$"), (1e-1, "0.1")),
        log="xy",
        alt=(
            "Error against samples: with real labels it falls in a straight line, with one per "
            "cent of synthetic labels it stops falling."
        ),
        numbers={
            "share": f"{100 * FRACTION:g} per cent",
            "times": f"{ends[1] / ends[0]:,.0f}",
            "many": f"{last:,.0f}",
        },
    )
