"""Experiments of the room: those on the mixture and those on trained models, in both tiers."""

from __future__ import annotations

from fragile_learning.sweeps import Catalogue, Experiment
from fragile_learning.verification.mixture_experiments import MIXTURE_EXPERIMENTS
from fragile_learning.verification.trained_experiments import TRAINED_EXPERIMENTS

__all__ = ["EXPERIMENTS", "archived", "experiment", "run_quick"]

EXPERIMENTS: tuple[Experiment, ...] = (*MIXTURE_EXPERIMENTS, *TRAINED_EXPERIMENTS)

_CATALOGUE = Catalogue(EXPERIMENTS)
experiment, run_quick = _CATALOGUE.experiment, _CATALOGUE.run_quick
archived = _CATALOGUE.archived
