"""Experiments of the room: exact ones, those on trained networks, those on mistakes."""

from __future__ import annotations

from fragile_learning.bayes.exact_experiments import EXACT_EXPERIMENTS
from fragile_learning.bayes.pitfall_experiments import PITFALL_EXPERIMENTS
from fragile_learning.bayes.trained_experiments import TRAINED_EXPERIMENTS
from fragile_learning.sweeps import Catalogue, Experiment

__all__ = ["EXPERIMENTS", "archived", "experiment", "run_quick"]

EXPERIMENTS: tuple[Experiment, ...] = (
    *EXACT_EXPERIMENTS,
    *TRAINED_EXPERIMENTS,
    *PITFALL_EXPERIMENTS,
)

_CATALOGUE = Catalogue(EXPERIMENTS)
experiment, run_quick = _CATALOGUE.experiment, _CATALOGUE.run_quick
archived = _CATALOGUE.archived
