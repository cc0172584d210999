"""The room's result in one small picture: a cut tail stops learning, for a while."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from fragile_learning.overviews import Curve, Overview
from fragile_learning.scaling_laws import experiments, theory
from fragile_learning.tables import rows_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE", "overview"]

TABLE: Final = "mix"
"""The experiment whose archived table is drawn."""

SETTING: Final = {"tail_exponent": 1.5, "rank": 100, "real_fraction": 0.01}


def overview(table: pd.DataFrame | None = None) -> Overview:
    """Error against samples: all real, and one per cent real beside data whose tail is cut.

    Parameters
    ----------
    table : DataFrame, optional
        Of the experiment ``mix``; the archived one otherwise.

    Returns
    -------
    Overview
        With the numbers ``share``, ``decades`` and ``start``: the real share, and the length and
        the start of the plateau.

    Examples
    --------
    >>> overview().numbers["decades"]
    '2'
    """
    rows = experiments.archived(TABLE) if table is None else table
    rows = rows_of(rows, **SETTING, n_replicates=0).sort_values("n_samples")
    start, end = theory.plateau(*SETTING.values())
    x = rows["n_samples"]
    middle = math.sqrt(start * end)
    return Overview(
        (
            Curve("all real", x, rows["clean"], "real", at=(middle / 4, 0.006), side="right"),
            Curve(
                "tail cut,\n1 % real",
                x,
                rows["exact"],
                "mixed",
                at=(middle, 0.28),
                dash="--",
            ),
        ),
        x_label="samples",
        y_label="error",
        x_ticks=((1e2, "100"), (1e4, "$10^4$"), (1e6, "$10^6$")),
        y_ticks=((1e-2, "0.01"), (1e-1, "0.1")),
        log="xy",
        alt=(
            "Error against samples. If all data are real it falls as a power law. If the tail is "
            "cut from all but one per cent, it falls, stays flat over two decades, and falls again."
        ),
        numbers={
            "share": f"{100 * SETTING['real_fraction']:g} per cent",
            "decades": f"{math.log10(end / start):.0f}",
            "start": f"{start:,.0f}",
        },
    )
