"""Corrections to a paper, each with the numbers that decide; the rooms have the lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import pandas as pd

__all__ = ["Erratum", "errata_frame"]


@dataclasses.dataclass(frozen=True)
class Erratum:
    """One correction.

    Attributes
    ----------
    id : str
        Like ``"E1"``.
    place : str
        Where it stands in the paper.
    printed, corrected : str
        Both forms; inline mathematics between dollar signs.
    setting : str
        What the numbers are for. Empty if the matter is one of words.
    numbers : callable
        Returns the printed value and the corrected one at that setting.
    labels : tuple of str
        What the two numbers are.

    Examples
    --------
    >>> erratum = Erratum(
    ...     id="E1",
    ...     place="equation (1)",
    ...     printed="$d/T$",
    ...     corrected="$d/(T-d-1)$",
    ...     setting="$T = 30$, $d = 9$",
    ...     numbers=lambda: (9 / 30, 9 / 20),
    ... )
    >>> erratum.decides()
    '$T = 30$, $d = 9$: printed 0.3, corrected 0.45'
    >>> Erratum("E2", "title", "one word", "another").decides()
    '–'
    """

    id: str
    place: str
    printed: str
    corrected: str
    setting: str = ""
    numbers: Callable[[], tuple[float, float]] | None = None
    labels: tuple[str, str] = ("printed", "corrected")

    def decides(self) -> str:
        """Give the setting and both numbers in words; a dash where there is nothing to compute."""
        if self.numbers is None:
            return "–"
        values = zip(self.labels, self.numbers(), strict=True)
        return f"{self.setting}: " + ", ".join(f"{label} {value:.4g}" for label, value in values)


def errata_frame(errata: Iterable[Erratum]) -> pd.DataFrame:
    """Tabulate corrections: columns id, place, printed, corrected and number.

    Examples
    --------
    >>> errata_frame([Erratum("E2", "title", "one word", "another")])
       id  place   printed corrected number
    0  E2  title  one word   another      –
    """
    rows = [
        {
            "id": one.id,
            "place": one.place,
            "printed": one.printed,
            "corrected": one.corrected,
            "number": one.decides(),
        }
        for one in errata
    ]
    return pd.DataFrame(rows, columns=["id", "place", "printed", "corrected", "number"])
