"""Experiments of the room: exact ones, and those on networks that learn from distilled images."""

from __future__ import annotations

from fragile_learning.distillation.exact_experiments import EXACT_EXPERIMENTS
from fragile_learning.distillation.trained_experiments import TRAINED_EXPERIMENTS
from fragile_learning.sweeps import Catalogue, Experiment

__all__ = ["EXPERIMENTS", "archived", "experiment", "run_quick"]

EXPERIMENTS: tuple[Experiment, ...] = (*EXACT_EXPERIMENTS, *TRAINED_EXPERIMENTS)

_CATALOGUE = Catalogue(EXPERIMENTS)
experiment, run_quick = _CATALOGUE.experiment, _CATALOGUE.run_quick
archived = _CATALOGUE.archived
