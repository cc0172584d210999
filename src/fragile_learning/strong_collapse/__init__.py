"""Strong model collapse: what a fixed share of synthetic labels costs, however many samples.

Paper 2, Dohmatob, Feng, Subramonian, Kempe, "Strong Model Collapse", ICLR 2025.

Importing this package needs numpy and scipy alone. Its doors so far: `theory` (the large-size
limit of ridge regression and of random projections on a mixture, and exact least squares) and
`simulation` (exact sampling).
"""

from __future__ import annotations

from fragile_learning.strong_collapse.mixture import (
    FixedShift,
    Group,
    Mixture,
    MixtureRisk,
    RandomShift,
)

__all__ = ["FixedShift", "Group", "Mixture", "MixtureRisk", "RandomShift"]
