"""Verification: select synthesized data before a model learns from them.

Paper 3, Feng, Dohmatob, Yang, Charton, Kempe, "Beyond Model Collapse: Scaling Up with Synthesized
Data Requires Verification", ICLR 2025, arXiv:2406.07515. Its full text was not at hand: what the
room says of it is "as reported", and all that is computed is derived here.

Importing this package needs numpy and scipy alone. Its doors: `theory` (when selected data teach
the right rule, and how well), `simulation` (the same by drawing examples), `estimate` (an audit of
a pipeline of one's own), `eigenvalues` and `training` (transformers whose answers are selected),
`headlines` (summaries without a download) and `summaries` (local language models).
"""

from __future__ import annotations

from fragile_learning.verification.settings import Generator, Verifier

__all__ = ["Generator", "Verifier"]
