"""The room's result in one small picture: ten made images teach more than ten real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fragile_learning.distillation import experiments
from fragile_learning.overviews import Curve, Overview
from fragile_learning.tables import rows_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE", "overview"]

TABLE: Final = "methods"
"""The experiment whose archived table is drawn."""

METHODS: Final = {"random real": "real", "class means": "means", "RaT-BPTT": "distilled"}


def overview(table: pd.DataFrame | None = None) -> Overview:
    """Accuracy of networks that learned digits from ten images: real ones, means, distilled ones.

    Parameters
    ----------
    table : DataFrame, optional
        Of the experiment ``methods``; the archived one otherwise.

    Returns
    -------
    Overview
        With the numbers ``images``, ``real`` and ``distilled``: how many images, and the accuracy
        that they teach, in per cent.

    Examples
    --------
    >>> sorted(overview().numbers)
    ['distilled', 'images', 'real']
    """
    rows = experiments.archived(TABLE) if table is None else table
    rows = rows_of(rows, data="digits", repair="none")
    groups = [100.0 * rows_of(rows, method=method)["accuracy"] for method in METHODS]
    means = [float(group.mean()) for group in groups]
    places = list(range(len(groups)))
    images = int(rows["n_images"].iloc[0])
    return Overview(
        (
            Curve(
                "",
                places,
                means,
                "synthetic",
                error=[float(group.sem()) for group in groups],
                dash="none",
            ),
        ),
        x_label=f"{images} images to learn from",
        y_label="accuracy, %",
        x_ticks=tuple((float(i), name) for i, name in enumerate(METHODS.values())),
        y_ticks=((60.0, "60"), (80.0, "80")),
        alt=(
            f"Accuracy of networks that learned from {images} images: distilled images teach far "
            "more than real ones, and more than the means of the classes."
        ),
        numbers={
            "images": f"{images}",
            "real": f"{means[0]:.0f} per cent",
            "distilled": f"{means[-1]:.0f} per cent",
        },
    )
