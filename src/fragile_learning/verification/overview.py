"""The room's result in one small picture: a verifier lets a student pass its generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fragile_learning.overviews import Curve, Overview
from fragile_learning.tables import rows_of
from fragile_learning.verification import experiments

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE", "overview"]

TABLE: Final = "eigenvalues"
"""The experiment whose archived table is drawn."""


def overview(table: pd.DataFrame | None = None) -> Overview:
    """Accuracy of students against the share of wrong answers that their verifier lets pass.

    Parameters
    ----------
    table : DataFrame, optional
        Of the experiment ``eigenvalues``; the archived one otherwise.

    Returns
    -------
    Overview
        With the numbers ``generator``, ``none`` and ``oracle``: accuracies of the generator, of
        its student without a verifier, and with one that lets no wrong answer pass, in per cent.

    Examples
    --------
    >>> sorted(overview().numbers)
    ['generator', 'none', 'oracle']
    """
    rows = experiments.archived(TABLE) if table is None else table
    generator = 100.0 * rows["generator"].mean()
    groups = (100.0 * rows[rows["verifier"] != "clean"].set_index("p_noise")["student"]).groupby(
        "p_noise"
    )
    students = groups.mean()
    x = 100.0 * (1.0 - students.index.to_numpy())
    oracle, none = (100.0 * rows_of(rows, verifier=v)["student"].mean() for v in ("oracle", "none"))
    return Overview(
        (
            Curve(
                "students",
                x,
                students,
                "synthetic",
                at=(60.0, 0.5 * (generator + oracle)),
                error=groups.sem().fillna(0.0),
                side="right",
            ),
            Curve(
                "their generator",
                [0.0, 100.0],
                [generator, generator],
                "reference",
                at=(0.0, generator + 0.1 * (oracle - none)),
                dash=":",
            ),
        ),
        x_label="wrong answers removed, %",
        y_label="accuracy, %",
        x_ticks=((0.0, "0"), (50.0, "50"), (100.0, "100")),
        y_ticks=((20.0, "20"), (40.0, "40")),
        alt=(
            "Accuracy of students against the share of wrong answers that a verifier removes: "
            "below that of their generator if it removes none, far above it if it removes all."
        ),
        numbers={
            "generator": f"{generator:.0f} per cent",
            "none": f"{none:.0f} per cent",
            "oracle": f"{oracle:.0f} per cent",
        },
    )
