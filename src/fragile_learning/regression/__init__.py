"""Iterated regression: what a chain of ridge fits on self-generated labels loses.

Paper 1, Dohmatob, Feng, Kempe, "Model Collapse Demystified: The Case of Regression", NeurIPS 2024.

Importing this package needs numpy and scipy alone. Its doors: `theory` (deterministic
equivalents and exact laws), `power_laws` (scaling exponents), `published` and `errata` (formulas
as printed that turned out wrong), `simulation` and `projections` (exact sampling),
`kernels`, `random_features` and `training` (real images), `experiments`, `figures` and `claims`.
"""

from __future__ import annotations

from fragile_learning.regression.chain import Chain, RiskParts, Stage

__all__ = ["Chain", "RiskParts", "Stage"]
