"""RaT-BPTT: distil a data set by following the meta-gradient of random windows of inner runs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from fragile_learning._validation import (
    as_generator,
    choice,
    real_array,
    real_number,
    whole_number,
)
from fragile_learning.distillation.augment import Change, apply_change, draw_change
from fragile_learning.distillation.baselines import random_real
from fragile_learning.distillation.distilled import (
    DistilledError,
    DistilledSet,
    LabelledImages,
    labelled,
    read_arrays,
    write_arrays,
)
from fragile_learning.distillation.meta_gradient import MetaGradients, StepView
from fragile_learning.distillation.models import draw_parameters
from fragile_learning.distillation.settings import InnerOptimizer, Unroll, Window

__all__ = ["DistillConfig", "OuterStep", "RatBptt", "clip_factor"]

FORMAT = "fragile-learning distillation 1"


class OuterStep(NamedTuple):
    """What one outer step did; a row of the history.

    Attributes
    ----------
    loss : float
        Mean outer loss of the networks, nats.
    norm : float
        Euclidean norm of the meta-gradient before clipping.
    clip : float
        Factor of the clipping, in (0, 1].
    n_steps, window : int
        Inner steps, and how many were differentiated.
    cost : float
        Arithmetic in inner gradients of one network; see `settings.Window.cost`.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP
    >>> real = labelled(np.eye(4), [0, 1, 0, 1])
    >>> config = DistillConfig(n_outer_steps=2, unroll=Unroll(mode="full", n_steps=6, window=6))
    >>> steps: list[OuterStep] = []
    >>> method = RatBptt(config, MLP((4,), widths=(8,), n_classes=2))
    >>> _ = method.fit(real, rng=1, progress=lambda step, done: steps.append(done))
    >>> [(done.n_steps, done.window, done.cost) for done in steps]
    [(6, 6, 20.0), (6, 6, 20.0)]
    """

    loss: float
    norm: float
    clip: float
    n_steps: int
    window: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillConfig:
    """Settings of a distillation. The defaults are RaT-BPTT as published, at a small size.

    But for ``augment`` and ``redraw_every``, which the authors' code sets otherwise for pictures.

    Attributes
    ----------
    images_per_class : int
        >= 1.
    unroll : Unroll
        Which windows of which inner runs.
    optimizer : InnerOptimizer
        Of the inner runs.
    n_outer_steps : int
        >= 1.
    budget : float, optional
        > 0. Stop before the step that would make the counted arithmetic larger than this many
        inner gradients. None: no limit.
    outer_learning_rate : float
        > 0, of Adam on the images (and labels).
    outer_batch : int
        Real images for the outer loss, >= 1; at most all are taken.
    n_networks : int
        Networks at once, >= 1. They share the run's length and the outer batch: only that part of
        the meta-gradient's variance falls by this factor which comes from their starts.
    start : str
        "noise": normal, each image scaled to the norm ``start_norm``. "real": random real ones.
    start_norm : float
        > 0.
    inner_images_per_class : int, optional
        In each inner step, drawn anew; at most ``images_per_class``. None: all.
    augment : bool
        Flip or rotate in each inner step and in the outer batch; needs pictures
        (n, channels, height, width).
    learn_labels : bool
        Labels start one-hot and are clipped at 0 after each step.
    clip : bool
        Clip the meta-gradient to twice the running mean of its norm.
    redraw_every : int
        Outer steps that share one draw of the run's length, >= 1. The authors' code draws once a
        pass over the real data.
    guard : float
        >= 0, see `meta_gradient.MetaGradients`. Not in the paper.
    checkpoint : bool
        Less memory for more time, see `meta_gradient.MetaGradients`.
    outer_chunk : int, optional
        Real images at a time, >= 1, to save memory. None: the whole outer batch.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> DistillConfig(images_per_class=10, unroll=Unroll(n_steps=200, window=60)).unroll.mode
    'random-truncated'
    >>> DistillConfig(images_per_class=10, inner_images_per_class=20)
    Traceback (most recent call last):
        ...
    ValueError: inner_images_per_class must be an integer >= 1 and <= 10, got 20
    """

    images_per_class: int = 1
    unroll: Unroll = field(default_factory=Unroll)
    optimizer: InnerOptimizer = field(default_factory=InnerOptimizer)
    n_outer_steps: int = 300
    budget: float | None = None
    outer_learning_rate: float = 1e-3
    outer_batch: int = 256
    n_networks: int = 1
    start: str = "noise"
    start_norm: float = 1.0
    inner_images_per_class: int | None = None
    augment: bool = False
    learn_labels: bool = False
    clip: bool = True
    redraw_every: int = 1
    guard: float = 0.0
    checkpoint: bool = False
    outer_chunk: int | None = None

    def __post_init__(self) -> None:
        for name in ("images_per_class", "n_outer_steps", "outer_batch", "n_networks"):
            whole_number(name, getattr(self, name))
        whole_number("redraw_every", self.redraw_every)
        for name in ("outer_learning_rate", "start_norm"):
            real_number(name, getattr(self, name), minimum=0.0, open_minimum=True)
        real_number("guard", self.guard, minimum=0.0)
        if self.budget is not None:
            real_number("budget", self.budget, minimum=0.0, open_minimum=True)
        if self.outer_chunk is not None:
            whole_number("outer_chunk", self.outer_chunk)
        if self.inner_images_per_class is not None:
            most = self.images_per_class
            whole_number("inner_images_per_class", self.inner_images_per_class, maximum=most)
        choice("start", self.start, ("noise", "real"))
        for name, kind in (("unroll", Unroll), ("optimizer", InnerOptimizer)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"{name} must be {kind.__name__}, got {getattr(self, name)!r}")
        for name in ("augment", "learn_labels", "clip", "checkpoint"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")


def clip_factor(norm: float, mean: float | None) -> tuple[float, float]:
    """Factor that clips a meta-gradient, and the running mean of norms with this one in it.

    Parameters
    ----------
    norm : float
        Of the meta-gradient.
    mean : float or None
        Running mean so far; None at first.

    Returns
    -------
    factor, mean : float
        ``min(1, 2 mean / norm)`` with ``mean`` updated first: .9 of the old one and .1 of this
        norm (as the authors' code).

    Examples
    --------
    >>> clip_factor(8.0, 2.0)
    (0.65, 2.6)
    """
    updated = norm if mean is None else 0.9 * mean + 0.1 * norm
    return (min(1.0, 2.0 * updated / norm) if norm > 0.0 else 1.0), updated


Progress = Callable[[int, OuterStep], None]


@dataclass
class _State:
    """All that changes from outer step to outer step."""

    images: Tensor
    labels: Tensor
    moments: list[Tensor]
    mean_norm: float | None = None
    spent: float = 0.0
    history: list[OuterStep] = field(default_factory=list)


class RatBptt:
    """Distil data sets with one kind of network.

    Parameters
    ----------
    config : DistillConfig
    module : torch.nn.Module
        Maps images (n, ...) to logits (n, n_classes). Its weights are drawn anew in each outer
        step; those it has do not matter.
    initialise : callable, optional
        From (module, n_networks, generator) to weights like those of `models.draw_parameters`,
        which is the default.

    Raises
    ------
    TypeError, ValueError
        If the module is not deterministic.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP
    >>> draw = np.random.default_rng(1)
    >>> real = labelled(
    ...     draw.normal(size=(60, 4)) + np.eye(4)[np.arange(60) % 2] * 3, np.arange(60) % 2
    ... )
    >>> config = DistillConfig(n_outer_steps=5, unroll=Unroll(n_steps=10, window=4))
    >>> found = RatBptt(config, MLP((4,), widths=(8,), n_classes=2)).fit(real, rng=1)
    >>> found.images.shape, found.history["loss"].shape
    ((2, 4), (5,))
    """

    def __init__(
        self,
        config: DistillConfig,
        module: nn.Module,
        *,
        initialise: Callable[[nn.Module, int, torch.Generator], Mapping[str, Tensor]] | None = None,
    ) -> None:
        if not isinstance(config, DistillConfig):
            raise TypeError(f"config must be a DistillConfig, got {config!r}")
        self.config, self.module = config, module
        self._initialise = initialise or draw_parameters
        self._engine = MetaGradients(
            module,
            config.optimizer,
            guard=config.guard,
            checkpoint=config.checkpoint,
            learn_labels=config.learn_labels,
            outer_chunk=config.outer_chunk,
        )

    def fit(
        self,
        train: LabelledImages,
        *,
        rng: np.random.Generator | np.random.SeedSequence | int,
        device: str = "cpu",
        progress: Progress | None = None,
        start: DistilledSet | None = None,
        rates: ArrayLike | None = None,
        path: Path | str | None = None,
        save_every: int = 100,
    ) -> DistilledSet:
        """Distil.

        Parameters
        ----------
        train : LabelledImages
            Real images, preprocessed; see `distilled.labelled`.
        rng : Generator, SeedSequence or int
        device : str
            As PyTorch names it. The module must be there, too. Random numbers are drawn on the CPU.
        progress : callable, optional
            Called after each outer step with its number, from 0, and an `OuterStep`.
        start : DistilledSet, optional
            Where to start, instead of ``config.start``.
        rates : array_like, shape (n,), optional
            Factors >= 0 of the outer learning rate, one a distilled image. 0: it stays as it is,
            to the last bit.
        path : path, optional
            File that keeps the state of the run, ``.npz`` or ``.safetensors``. If it is there, the
            run goes on from it; on the CPU it ends with the same bits as one that was never
            stopped. It is written as a whole or not at all, so a run may be killed at any time.
        save_every : int
            Outer steps between two writes, >= 1. The end of the run is written, too.

        Returns
        -------
        DistilledSet
            Its history has the fields of `OuterStep`, one entry an outer step.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range; if the file belongs to another run (other settings,
            seed, data or start).
        DistilledError
            If the file is damaged.
        FloatingPointError
            If the images stop being finite.
        """
        known = labelled(*train)
        every = whole_number("save_every", save_every)
        seed = int(as_generator(rng).integers(2**63))
        n_classes = self.n_classes(known, device)
        state = self._start(known, n_classes, seed, start)
        factors = self._factors(rates, len(state.images))
        target = None if path is None else Path(path)
        identity = self._identity(known, seed, state, factors)
        if target is not None and target.exists():
            state = _restored(target, identity, state)
        real = (
            torch.as_tensor(known.images, device=device),
            torch.as_tensor(known.labels).to(device),
        )
        _to(state, device)
        scale = factors.to(device)
        for step in range(len(state.history), self.config.n_outer_steps):
            run = self._run(seed, step)
            inner = len(self._rows(step, 0, seed, state.labels))
            cost = run.cost(min(self.config.outer_batch, len(known.images)), inner)
            if self.config.budget is not None and state.spent + cost > self.config.budget:
                break
            done = self._outer_step(state, real, run, cost, scale, seed, step)
            state.history.append(done)
            state.spent += cost
            if progress is not None:
                progress(step, done)
            if target is not None and (step + 1) % every == 0:
                _save(target, identity, state)
        if target is not None:
            _save(target, identity, state)
        return DistilledSet(
            state.images.cpu().numpy(),
            state.labels.cpu().numpy(),
            _columns(state.history),
            dataclasses.asdict(self.config),
        )

    def n_classes(self, train: LabelledImages, device: str = "cpu") -> int:
        """Count the classes that the module tells apart, and check that those of the data are."""
        known = train
        with torch.no_grad():
            logits = self.module(torch.as_tensor(known.images[:2], device=device))
        if logits.ndim != 2:
            raise ValueError(f"module must map to (n, n_classes), got {tuple(logits.shape)}")
        found = int(logits.shape[1])
        if known.labels.max() >= found:
            raise ValueError(f"train must have labels < {found}, got {known.labels.max()}")
        return found

    def _start(
        self, known: LabelledImages, n_classes: int, seed: int, start: DistilledSet | None
    ) -> _State:
        if start is not None:
            if start.images.shape[1:] != known.images.shape[1:]:
                raise ValueError(
                    f"start must hold images of shape {known.images.shape[1:]}, got "
                    f"{start.images.shape[1:]}"
                )
            if start.labels.shape[1] != n_classes:
                raise ValueError(
                    f"start must have {n_classes} classes, got {start.labels.shape[1]}"
                )
            images, labels = np.array(start.images), np.array(start.labels)
        else:
            images, labels = self.fresh(known, n_classes, self.config.images_per_class, rng=seed)
        if self.config.augment and images.ndim != 4:
            raise ValueError(
                "train must hold pictures (n, channels, height, width) to be augmented, got "
                f"{known.images.shape}"
            )
        tensors = torch.from_numpy(images), torch.from_numpy(labels)
        moments = [torch.zeros_like(t) for t in tensors for _ in range(2)]
        return _State(*tensors, moments)

    def fresh(
        self,
        train: LabelledImages,
        n_classes: int,
        images_per_class: int,
        *,
        rng: np.random.Generator | np.random.SeedSequence | int,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw images to start from, and their labels.

        Parameters
        ----------
        train : LabelledImages
        n_classes, images_per_class : int
            >= 1.
        rng : Generator, SeedSequence or int

        Returns
        -------
        images : ndarray of float32, shape (n_classes * images_per_class, ...)
            Round by round: one of each class, then the next of each.
        labels : ndarray of float32, shape (n_classes * images_per_class, n_classes)
        """
        count = whole_number("images_per_class", images_per_class)
        draw = as_generator(rng)
        if self.config.start == "real":
            chosen = random_real(train, count, rng=draw)
            labels = np.eye(n_classes, dtype=np.float32)[chosen.classes]
            return np.array(chosen.images), labels
        flat = draw.standard_normal((count * n_classes, math.prod(train.images.shape[1:])))
        flat *= self.config.start_norm / np.linalg.norm(flat, axis=1, keepdims=True)
        labels = np.tile(np.eye(n_classes, dtype=np.float32), (count, 1))
        return flat.reshape(-1, *train.images.shape[1:]).astype(np.float32), labels

    def _factors(self, rates: ArrayLike | None, n: int) -> Tensor:
        if rates is None:
            return torch.ones(n)
        found = real_array("rates", rates, ndim=1, minimum=0.0)
        if len(found) != n:
            raise ValueError(f"rates must have one entry an image, {n}, got {len(found)}")
        return torch.as_tensor(found, dtype=torch.float32)

    def _identity(self, known: LabelledImages, seed: int, state: _State, factors: Tensor) -> str:
        """Digest settings and data of a run; how long it is to be does not matter."""
        settings = dataclasses.asdict(self.config)
        for name in ("n_outer_steps", "budget", "checkpoint"):
            del settings[name]
        shapes = {name: list(p.shape) for name, p in self.module.named_parameters()}
        digest = hashlib.sha256(json.dumps([settings, seed, shapes], sort_keys=True).encode())
        for array in (
            known.images,
            known.labels,
            state.images.numpy(),
            state.labels.numpy(),
            factors.numpy(),
        ):
            digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _run(self, seed: int, step: int) -> Window:
        turn = step // self.config.redraw_every
        return self.config.unroll.draw(rng=np.random.default_rng([seed, 0, turn]))

    def _rows(self, outer: int, step: int, seed: int, labels: Tensor) -> NDArray[np.int64]:
        """Distilled images of an inner step."""
        count = self.config.inner_images_per_class
        n, n_classes = labels.shape
        if count is None or count * n_classes >= n:
            return np.arange(n)
        # images lie round by round, one of each class: class c has the rows c, c + n_classes, ...
        draw = np.random.default_rng([seed, 1, outer, step])
        rounds = np.stack([draw.permutation(n // n_classes)[:count] for _ in range(n_classes)])
        return np.sort((rounds * n_classes + np.arange(n_classes)[:, None]).ravel())

    def _view(self, seed: int, outer: int, run: Window, labels: Tensor) -> StepView | None:
        """Draw what the inner steps will see."""
        count = self.config.inner_images_per_class
        part = count is not None and count * labels.shape[1] < len(labels)
        if not (part or self.config.augment):
            return None
        rows = [
            torch.as_tensor(self._rows(outer, step, seed, labels), device=labels.device)
            for step in range(run.n_steps)
        ]
        changes: list[Change] = []
        if self.config.augment:
            generator = _generator([seed, 2, outer])
            changes = [draw_change(len(chosen), generator=generator) for chosen in rows]

        def view(step: int, images: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
            seen, right = images, known
            if part:
                seen, right = images[rows[step]], known[rows[step]]
            return (apply_change(seen, changes[step]) if changes else seen), right

        return view

    def _outer_step(
        self,
        state: _State,
        real: tuple[Tensor, Tensor],
        run: Window,
        cost: float,
        scale: Tensor,
        seed: int,
        step: int,
    ) -> OuterStep:
        config = self.config
        generator = _generator([seed, 3, step])
        parameters = self._initialise(self.module, config.n_networks, generator)
        draw = np.random.default_rng([seed, 4, step])
        n_real = len(real[0])
        if config.outer_batch < n_real:
            chosen = torch.as_tensor(draw.choice(n_real, config.outer_batch, replace=False))
            batch = tuple(t[chosen.to(t.device)] for t in real)
        else:
            batch = real
        outer_images = batch[0]
        if config.augment:
            outer_images = apply_change(
                outer_images, draw_change(len(outer_images), generator=generator)
            )
        found = self._engine(
            parameters,
            state.images,
            state.labels,
            outer_images,
            batch[1],
            run,
            view=self._view(seed, step, run, state.labels),
        )
        gradients = [found.images]
        if found.labels is not None:
            gradients.append(found.labels)
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
        if not math.isfinite(norm):
            raise FloatingPointError(
                f"meta-gradient of outer step {step} is not finite: lower the inner learning rate "
                f"{config.optimizer.learning_rate!r} or set a guard"
            )
        factor = 1.0
        if config.clip:
            factor, state.mean_norm = clip_factor(norm, state.mean_norm)
        for i, (tensor, gradient) in enumerate(
            zip((state.images, state.labels), gradients, strict=False)
        ):
            moments = state.moments[2 * i : 2 * i + 2]
            _adam(tensor, gradient.mul_(factor), moments, step + 1, config, scale)
        if found.labels is not None:
            state.labels.clamp_min_(0.0)
        return OuterStep(found.loss, norm, factor, run.n_steps, run.window, cost)


def _generator(key: list[int]) -> torch.Generator:
    """Stream of torch from a key of numbers."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _adam(
    tensor: Tensor,
    gradient: Tensor,
    moments: list[Tensor],
    t: int,
    config: DistillConfig,
    scale: Tensor,
) -> None:
    """One step of Adam, each image with its own factor of the rate."""
    mean, square = moments
    mean.lerp_(gradient, 0.1)
    square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    root = (square / (1.0 - 0.999**t)).sqrt_().add_(1e-8)
    move = mean / root
    rates = scale.view(-1, *[1] * (tensor.ndim - 1)) * (config.outer_learning_rate / (1.0 - 0.9**t))
    tensor.sub_(move.mul_(rates))


def _to(state: _State, device: str) -> None:
    state.images, state.labels = state.images.to(device), state.labels.to(device)
    state.moments = [tensor.to(device) for tensor in state.moments]


def _columns(history: list[OuterStep]) -> dict[str, NDArray[Any]]:
    return {
        name: np.array([getattr(row, name) for row in history], dtype=kind)
        for name, kind in (
            ("loss", np.float64),
            ("norm", np.float64),
            ("clip", np.float64),
            ("n_steps", np.int64),
            ("window", np.int64),
            ("cost", np.float64),
        )
    }


def _save(path: Path, identity: str, state: _State) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "images": state.images.cpu().numpy(),
        "labels": state.labels.cpu().numpy(),
        "running": np.array([np.nan if state.mean_norm is None else state.mean_norm, state.spent]),
    }
    arrays |= {f"moment{i}": m.cpu().numpy() for i, m in enumerate(state.moments)}
    arrays |= {f"history/{name}": column for name, column in _columns(state.history).items()}
    digest = _digest(arrays)
    write_arrays(path, arrays, {"format": FORMAT, "identity": identity, "sha256": digest})


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def _restored(path: Path, identity: str, fresh: _State) -> _State:
    """State of a run that was stopped."""
    arrays, notes = read_arrays(path)
    if notes.get("format") != FORMAT:
        raise DistilledError(f"{path} is not the state of a distillation")
    if notes.get("sha256") != _digest(arrays):
        raise DistilledError(f"{path} is damaged: its checksum does not fit")
    if notes.get("identity") != identity:
        raise ValueError(
            f"path must belong to this run, got {str(path)!r}, which has other settings, another "
            "seed, or other data: remove it, or name another file"
        )
    mean, spent = arrays["running"].tolist()
    names = OuterStep._fields
    columns = [arrays[f"history/{name}"].tolist() for name in names]
    return _State(
        torch.from_numpy(arrays["images"].copy()),
        torch.from_numpy(arrays["labels"].copy()),
        [torch.from_numpy(arrays[f"moment{i}"].copy()) for i in range(len(fresh.moments))],
        None if math.isnan(mean) else mean,
        spent,
        [OuterStep(*row) for row in zip(*columns, strict=True)],
    )
