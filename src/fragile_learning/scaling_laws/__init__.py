"""Scaling laws that decay: what is lost when the tail of a power law is cut, and bought back.

Paper 4, Dohmatob, Feng, Yang, Charton, Kempe, "A Tale of Tails: Model Collapse as a Change of
Scaling Laws", ICML 2024.

Importing this package needs numpy and scipy alone. Its doors so far: `theory` (errors of a
memoriser, to machine precision at any size) and `simulation` (exact sampling of the same models).
"""

from __future__ import annotations
