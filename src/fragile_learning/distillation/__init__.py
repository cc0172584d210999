"""Dataset distillation: a few images that teach a network what a whole data set teaches.

Paper 6, Feng, Vedantam, Kempe, "Embarrassingly Simple Dataset Distillation", ICLR 2024,
arXiv:2311.07025. Its full text was not at hand: what the room says of it is "as reported", and all
that is computed is derived here.

Importing this package needs numpy alone. Its doors: `settings` (inner optimisers, how a run is
unrolled), `meta_gradient` (the exact gradient through a run), `ratbptt` (distil a data set),
`boost` (nested sets), `evaluate` (what networks learn from a set), `distilled` (sets on disk),
`baselines` (real images chosen by rule), `preprocessing`, `augment`, `models`.
"""

from __future__ import annotations

from fragile_learning.distillation.settings import InnerOptimizer, Unroll, Window

__all__ = ["InnerOptimizer", "Unroll", "Window"]
