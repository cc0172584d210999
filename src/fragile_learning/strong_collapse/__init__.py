"""Strong model collapse: what a fixed share of synthetic labels costs, however many samples.

Paper 2, Dohmatob, Feng, Subramonian, Kempe, "Strong Model Collapse", ICLR 2025.

Importing this package needs numpy and scipy alone. Its doors: `theory` (the large-size limit of
ridge regression and of random projections on a mixture, several sources, best settings, exact least
squares, rounds of mixing), `simulation` (exact sampling), `images` and `language` (the same on real
pictures and on text), `models` and `training` (small transformers, PyTorch), `experiments`,
`figures` and `claims`.
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
