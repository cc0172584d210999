"""Scaling laws that decay: what is lost when the tail of a power law is cut, and bought back.

Paper 4, Dohmatob, Feng, Yang, Charton, Kempe, "A Tale of Tails: Model Collapse as a Change of
Scaling Laws", ICML 2024.

Importing this package needs numpy and scipy alone. Its doors: `theory` (errors of a memoriser, of
bigrams and of associative memories, to machine precision at any size), `simulation` (exact sampling
of the same models), `gcd` and `training` (transformers that name divisors), `text` (bigrams over
generations), and `lora` (local language models, fine-tuned in every generation).
"""

from __future__ import annotations
