"""Boost-DD: nested distilled sets, each budget's images the first ones of the next budget's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.distillation.distilled import DistilledSet, LabelledImages, labelled
from fragile_learning.distillation.ratbptt import DistillConfig, OuterStep, RatBptt

__all__ = ["boost"]


def boost(
    config: DistillConfig,
    module: nn.Module,
    train: LabelledImages,
    *,
    blocks: Sequence[int],
    old_rate: float = 0.0,
    rng: np.random.Generator | np.random.SeedSequence | int,
    device: str = "cpu",
    progress: Callable[[int, int, OuterStep], None] | None = None,
    folder: Path | str | None = None,
    save_every: int = 100,
    initialise: Callable[[nn.Module, int, torch.Generator], Mapping[str, Tensor]] | None = None,
) -> list[DistilledSet]:
    """Distil in stages: stage j learns the union of j blocks, old blocks at a reduced rate.

    Parameters
    ----------
    config : DistillConfig
        Of each stage, but for ``images_per_class``. Adam's moments are new at each stage.
    module : torch.nn.Module
        See `ratbptt.RatBptt`.
    train : LabelledImages
    blocks : sequence of int
        Images of a class in each block, >= 1 each, at least one block.
    old_rate : float
        In [0, 1]: factor of the outer learning rate for older blocks (see the chapter). 0: they
        do not move, so the first blocks of the last set are the earlier sets. 1: plain
        distillation from a warm start.
    rng : Generator, SeedSequence or int
    device : str
        As PyTorch names it.
    progress : callable, optional
        Called with stage, outer step (both from 0) and an `ratbptt.OuterStep`.
    folder : path, optional
        Where stages keep their state, in files ``stage-0.npz``, ...; see `ratbptt.RatBptt.fit`.
    save_every : int
        >= 1.
    initialise : callable, optional
        See `ratbptt.RatBptt`.

    Returns
    -------
    list of DistilledSet
        One a stage, older blocks first.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    ``config.inner_images_per_class`` is cut to what a stage has.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP
    >>> from fragile_learning.distillation.settings import Unroll
    >>> classes = np.arange(60) % 2
    >>> real = labelled(np.random.default_rng(1).normal(size=(60, 4)) + np.eye(4)[classes], classes)
    >>> config = DistillConfig(n_outer_steps=3, unroll=Unroll(n_steps=6, window=3))
    >>> module = MLP((4,), widths=(8,), n_classes=2)
    >>> first, second = boost(config, module, real, blocks=[1, 2], rng=1)
    >>> len(first), len(second), np.array_equal(second.images[:2], first.images)
    (2, 6, True)
    """
    sizes = [whole_number(f"blocks[{i}]", size) for i, size in enumerate(blocks)]
    if not sizes:
        raise ValueError("blocks must have at least one entry, got none")
    factor = real_number("old_rate", old_rate, minimum=0.0, maximum=1.0)
    known, draw = labelled(*train), as_generator(rng)
    stages: list[DistilledSet] = []
    total = 0
    for stage, size in enumerate(sizes):
        total += size
        part = config.inner_images_per_class
        settings = dataclasses.replace(
            config,
            images_per_class=total,
            inner_images_per_class=None if part is None else min(part, total),
        )
        method = RatBptt(settings, module, initialise=initialise)
        stream = draw.spawn(1)[0]
        n_classes = method.n_classes(known, device)
        images, labels = method.fresh(known, n_classes, size, rng=stream)
        start = DistilledSet(images, labels)
        rates = np.ones(len(start))
        if stages:
            old = stages[-1]
            start = DistilledSet(
                np.concatenate([old.images, images]), np.concatenate([old.labels, labels])
            )
            rates = np.repeat([factor, 1.0], [len(old), len(images)])

        def report(step: int, done: OuterStep, stage: int = stage) -> None:
            if progress is not None:
                progress(stage, step, done)

        stages.append(
            method.fit(
                known,
                rng=stream,
                device=device,
                progress=report,
                start=start,
                rates=rates,
                path=None if folder is None else Path(folder) / f"stage-{stage}.npz",
                save_every=save_every,
            )
        )
    return stages
