r"""Attacks on the posterior predictive mean, through all posterior samples at once.

A model is any function of inputs, shape (n, ...) with entries in [0, 1], that returns the
log-probabilities of each posterior sample, shape (n_samples, n, n_classes), and that torch can
differentiate in the inputs. It predicts the largest class of the *mean*
:math:`\bar p = \frac1S \sum_s p_s`.

The derivative of each objective in the log-probabilities is written down in closed form, in the log
domain and divided by its largest entry: one backward pass of the model does the rest. So the
direction of an attack survives where the derivative itself is smaller than any float, as with
logits of size 1e4, where plain back-propagation through :math:`-\log\bar p_y` returns zeros and an
attack seems to fail. What `Attack.gradient_norms` holds is the derivative with its true size;
where it is zero and `Attack.direction_norms` is not, plain back-propagation would be blind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol, get_args, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from fragile_learning._validation import as_generator, choice, real_number, whole_number

__all__ = [
    "MEMORY",
    "Attack",
    "LogProbabilities",
    "Norm",
    "Objective",
    "Score",
    "fgsm",
    "pgd",
    "pgd_targeted",
    "predictive_log_mean",
    "random_noise",
    "transfer",
]

LogProbabilities = Callable[[Tensor], Tensor]
"""Inputs, shape (n, ...), to log-probabilities, shape (n_samples, n, n_classes)."""

Objective = Literal["label", "margin", "low_entropy", "low_mutual_information", "two_stage"]
Norm = Literal["linf", "l2"]
Score = Literal["total_entropy", "mutual_information"]
Rng = np.random.Generator | np.random.SeedSequence | int

MEMORY = 2**28
"""Bytes that the tensors of one call of a model may take, if no batch size is given."""

_FEW = 16  # inputs that are never divided
_TEMPORARIES = 8  # arrays of the size of the log-probabilities that an objective needs at once
_NEEDS_LABELS = ("label", "margin", "two_stage")


@dataclass(frozen=True, slots=True, eq=False)
class Attack:
    """What an attack found, one entry for each of ``n`` inputs.

    Attributes
    ----------
    inputs : Tensor, shape (n, ...)
        Attacked inputs, in [0, 1] and in the ball of the radius about the clean ones.
    success : Tensor of bool, shape (n,)
        Whether the predicted class differs from the label; without labels, whether the uncertainty
        that the objective names is below that of the clean input.
    objective : Tensor, shape (n,)
        Of the inputs returned, to be large for the attacker: minus the log-probability of the
        label, the margin of the best other class, minus the uncertainty, or that of two stages
        (see `pgd`). In nats, without tempering.
    objective_by_step : Tensor, shape (n_restarts, n_steps + 1, n)
        At the start and after each step.
    gradient_norms : Tensor, shape (n_restarts, n_steps, n)
        Euclidean norm of the derivative of the (tempered) objective in the input, as large as it
        is: 0 where it underflows.
    direction_norms : Tensor, shape (n_restarts, n_steps, n)
        The same with the derivative in the log-probabilities scaled to a largest entry of 1.
        Zero only if the model itself is flat, or the objective stationary.
    n_gradients : int
        Gradient evaluations, added over inputs; each is through all posterior samples.
    norm : {"linf", "l2"}
    radius : float

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> clean, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> found = pgd(model, clean, labels, radius=0.2, n_steps=4)
    >>> found.success.tolist(), found.objective_by_step.shape, found.n_gradients
    ([True, False], torch.Size([1, 5, 2]), 8)
    """

    inputs: Tensor
    success: Tensor
    objective: Tensor
    objective_by_step: Tensor
    gradient_norms: Tensor
    direction_norms: Tensor
    n_gradients: int
    norm: Norm
    radius: float


@runtime_checkable
class _WithPullback(Protocol):
    """A model that knows its derivative in the inputs without autograd, and its memory."""

    bytes_per_input: int

    def with_pullback(self, inputs: Tensor) -> tuple[Tensor, LogProbabilities]: ...


def _prepared(model: LogProbabilities) -> LogProbabilities:
    """Let a model make itself ready for many calls, if it can."""
    prepare: Callable[[], LogProbabilities] | None = getattr(model, "prepared", None)
    return model if prepare is None else prepare()


def _by_hand(model: object) -> _WithPullback | None:
    return model if isinstance(model, _WithPullback) else None


# --- the predictive mean and its objectives ------------------------------------------------------


def _log_probabilities(
    model: LogProbabilities, inputs: Tensor, *, seen_before: bool = False
) -> Tensor:
    """Log-probabilities of a model, checked; that they add up to 1 only where it is new."""
    found = _checked(model(inputs), inputs)
    if seen_before:
        return found
    off = float(found.detach().logsumexp(dim=2).abs().max()) if found.numel() else 0.0
    if off > 1e-2:
        raise ValueError(
            "log_probabilities must return logarithms of probabilities that add up to 1 over the "
            f"last axis; the logarithm of a sum is off by {off:.3g} (were these logits, or "
            "probabilities?)"
        )
    return found


def _checked(found: Tensor, inputs: Tensor) -> Tensor:
    if not isinstance(found, Tensor):
        raise TypeError(f"log_probabilities must return a Tensor, got {type(found).__name__}")
    if found.ndim != 3 or found.shape[1] != len(inputs) or not len(found) or found.shape[2] < 2:
        raise ValueError(
            "log_probabilities must return shape (n_samples >= 1, n, n_classes >= 2) with n = "
            f"{len(inputs)}, got {tuple(found.shape)}"
        )
    if not bool(found.detach().sum().isfinite()):
        raise ValueError(
            "log_probabilities must return finite values; it returned infinite ones or NaN (take "
            "log_softmax of the logits, not the logarithm of a softmax)"
        )
    return found


def _log_mean(log_p: Tensor) -> Tensor:
    return log_p.logsumexp(dim=0) - math.log(len(log_p))


def _uncertainty(log_p: Tensor, score: Score) -> Tensor:
    """Total entropy or mutual information of each input, in nats, shape (n,).

    From here on classes come before inputs, ``log_p`` is (n_samples, n_classes, n): what is done
    over classes or samples is done for whole rows of inputs, many times faster.
    """
    log_mean = _log_mean(log_p)
    total = -(log_mean.exp() * log_mean).sum(dim=0)
    if score == "total_entropy":
        return total
    members = -(log_p.exp() * log_p).sum(dim=1).mean(dim=0)
    return (total - members).clamp(min=0.0)


def predictive_log_mean(
    log_probabilities: LogProbabilities, inputs: Tensor, *, batch_size: int | None = None
) -> Tensor:
    """Logarithm of the posterior predictive mean, without gradient.

    Parameters
    ----------
    log_probabilities : callable
    inputs : Tensor, shape (n, ...)
    batch_size : int, optional
        Inputs in one call, >= 1. By default as many as `MEMORY` has room for.

    Returns
    -------
    Tensor, shape (n, n_classes)

    Raises
    ------
    TypeError, ValueError
        If an argument, or what the model returns, is not as described.

    Examples
    --------
    >>> import torch
    >>> votes = torch.tensor([[[0.9, 0.1]], [[0.2, 0.8]]])
    >>> predictive_log_mean(lambda x: votes.log().expand(2, len(x), 2), torch.zeros(3, 4)).exp()[0]
    tensor([0.5500, 0.4500])
    """
    clean = _inputs(inputs)
    model = _prepared(log_probabilities)
    size = _batch_size(model, clean, batch_size)
    with torch.no_grad():
        return torch.cat(
            [
                _log_mean(_log_probabilities(model, clean[first : first + size]))
                for first in range(0, len(clean), size)
            ]
        )


def _batch_size(model: LogProbabilities, clean: Tensor, batch_size: int | None) -> int:
    """Count the inputs of one call: as given, or what `MEMORY` has room for, but a few at least."""
    if batch_size is not None:
        return whole_number("batch_size", batch_size)
    if len(clean) <= _FEW:
        return len(clean)
    one, two = (_bytes(model, clean[:count]) for count in (1, 2))
    return max(_FEW, min(len(clean), MEMORY // max(1, two - one)))


def _bytes(model: LogProbabilities, inputs: Tensor) -> int:
    """Memory of a call: what autograd keeps, and temporaries of the objective."""
    if (by_hand := _by_hand(model)) is not None:
        return by_hand.bytes_per_input * len(inputs)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with torch.enable_grad(), hooks:
        found = _log_probabilities(model, inputs.detach().clone().requires_grad_())
    return sum(kept.values()) + _TEMPORARIES * found.nbytes


class _Goal(NamedTuple):
    """What an attack maximises."""

    objective: Objective
    score: Score
    temperature: float


class _Point(NamedTuple):
    """Objective of a batch, and its derivative in the (tempered) logits of each sample.

    ``derivative * exp(log_scale)`` is the derivative, shape (n_samples, n, n_classes). Its entries
    add up to 0 over the classes: in the log-probabilities it is the same.
    """

    fooled: Tensor
    value: Tensor
    derivative: Tensor
    log_scale: Tensor


def _without(log_p: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of the other classes, over the largest of them, its logarithm, and their sum.

    ``classes`` has the shape (m, n); shapes (n_samples, n_classes, n), (n_samples, 1, n) twice.
    """
    where = classes.expand(len(log_p), -1, -1)
    others = log_p.scatter(1, where, -math.inf)
    top = others.amax(dim=1, keepdim=True).clamp_(min=torch.finfo(log_p.dtype).min)
    others = others.sub_(top).exp_()
    return others, top, others.sum(dim=1, keepdim=True)


def _weight(log_p: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of a class, (n_samples, 1, n), and logarithms of the samples' shares."""
    own = log_p.gather(1, chosen.expand(len(log_p), 1, -1))
    return own, own - own.logsumexp(dim=0, keepdim=True)


def _away(log_p: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Differentiate minus the log predictive mean of a class, in the logits of each sample.

    ``w_s p_j`` and, at the class, minus the sum of these over the others; ``w_s`` is the share of
    the sample. Divided by the largest entry of an input, whose logarithm is given too.
    """
    others, top, total = _without(log_p, labels[None])
    size = _weight(log_p, labels)[1] + top
    scale = (size + total.log()).amax(dim=0, keepdim=True)
    factor = (size - scale).exp_()
    where = labels.expand(len(log_p), 1, -1)
    return others.mul_(factor).scatter_(1, where, -total * factor), scale[0, 0]


def _towards(log_p: Tensor, labels: Tensor, rivals: Tensor) -> tuple[Tensor, Tensor]:
    """Differentiate the log odds of rivals against labels, as `_away` does.

    With shares ``v_s`` and ``w_s`` of the samples in the rival and the label: ``v_s (1 - p_r) +
    w_s p_r`` at the rival, ``-w_s (1 - p_y) - v_s p_y`` at the label, and ``(w_s - v_s) p_j``
    elsewhere; each ``1 - p`` is a sum over the other classes.
    """
    both = torch.stack([labels, rivals])
    others, top, total = _without(log_p, both)
    own, log_w = _weight(log_p, labels)
    rival, log_v = _weight(log_p, rivals)
    rest = top + total.log()
    not_own, not_rival = torch.logaddexp(rest, rival), torch.logaddexp(rest, own)
    scale = torch.maximum(log_w + not_own, log_v + not_rival).amax(dim=0, keepdim=True)
    log_w, log_v = log_w - scale, log_v - scale
    entries = [
        -(log_w + not_own).exp() - (log_v + own).exp(),
        (log_v + not_rival).exp() + (log_w + rival).exp(),
    ]
    others.mul_((log_w + top).exp() - (log_v + top).exp())
    where = both.expand(len(log_p), -1, -1)
    return others.scatter_(1, where, torch.cat(entries, dim=1)), scale[0, 0]


def _low_uncertainty(log_p: Tensor, score: Score) -> tuple[Tensor, Tensor]:
    """Differentiate minus an uncertainty, as `_away` does.

    At the largest class of each sample it is minus the sum of the others.
    """
    slope = _log_mean(log_p)[None]
    slope = slope - log_p if score == "mutual_information" else slope.expand_as(log_p)
    slope = slope - (log_p.exp() * slope).sum(dim=1, keepdim=True)
    top = log_p.argmax(dim=1, keepdim=True)
    size = (log_p + slope.abs().log() - math.log(len(log_p))).scatter_(1, top, -math.inf)
    scale = size.amax(dim=0).amax(dim=0)
    scale = torch.where(scale.isfinite(), scale, 0.0)  # all zero: any scale
    derivative = (size - scale).exp_().mul_(slope.sign())
    return derivative.scatter_(1, top, -derivative.sum(dim=1, keepdim=True)), scale


def _margin(log_mean: Tensor, labels: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
    """Log odds of the best other class, or of a target, against the label; and that class."""
    own = log_mean.gather(0, labels[None])[0]
    if targets is None:
        best, targets = log_mean.scatter(0, labels[None], -math.inf).max(dim=0)
    else:
        best = log_mean.gather(0, targets[None])[0]
    return best - own, targets


def _evaluate(
    log_p: Tensor,
    goal: _Goal,
    labels: Tensor | None,
    targets: Tensor | None,
    *,
    second_stage: bool = True,
) -> _Point:
    """Objective and derivative at log-probabilities (n_samples, n, n_classes) without gradient."""
    log_p = log_p.mT.contiguous()
    tempered = log_p
    if goal.temperature != 1.0:
        tempered = (log_p / goal.temperature).log_softmax(dim=1)
    if labels is None or goal.objective not in _NEEDS_LABELS:
        value = -_uncertainty(log_p, goal.score)
        derivative, scale = _low_uncertainty(tempered, goal.score)
        return _Point(torch.zeros_like(value, dtype=torch.bool), value, derivative.mT, scale)
    log_mean = _log_mean(log_p)
    fooled = log_mean.argmax(dim=0) != labels
    if goal.objective == "label":
        value = -log_mean.gather(0, labels[None])[0]
        derivative, scale = _away(tempered, labels)
        return _Point(fooled, value, derivative.mT, scale)
    value = _margin(log_mean, labels, targets)[0]
    tempered_mean = log_mean if goal.temperature == 1.0 else _log_mean(tempered)
    rival = _margin(tempered_mean, labels, targets)[1]
    derivative, scale = _towards(tempered, labels, rival)
    if goal.objective == "two_stage":
        certain = math.log(log_p.shape[1]) - _uncertainty(log_p, goal.score)
        value = torch.where(fooled, certain, value.clamp(max=0.0))
        if second_stage:
            low, low_scale = _low_uncertainty(tempered, goal.score)
            derivative = torch.where(fooled, low, derivative)
            scale = torch.where(fooled, low_scale, scale)
    return _Point(fooled, value, derivative.mT, scale)


def _gradient(
    model: LogProbabilities,
    inputs: Tensor,
    goal: _Goal,
    labels: Tensor | None,
    targets: Tensor | None = None,
    *,
    second_stage: bool = True,
) -> tuple[_Point, Tensor]:
    """Objective, and its scaled derivative in the inputs, in one backward pass of the model."""
    if (by_hand := _by_hand(model)) is not None:
        log_p, pullback = by_hand.with_pullback(inputs)
        point = _evaluate(_checked(log_p, inputs), goal, labels, targets, second_stage=second_stage)
        return point, _finite(pullback(point.derivative / goal.temperature))
    with torch.enable_grad():
        leaf = inputs.detach().requires_grad_()
        log_p = _log_probabilities(model, leaf, seen_before=True)
        point = _evaluate(log_p.detach(), goal, labels, targets, second_stage=second_stage)
        if not log_p.requires_grad:
            raise ValueError(
                "log_probabilities must be differentiable in its inputs, got a result without a "
                "gradient (was it computed under no_grad or detached?)"
            )
        (gradient,) = torch.autograd.grad(
            log_p, leaf, point.derivative / goal.temperature, allow_unused=False
        )
    return point, _finite(gradient)


def _finite(gradient: Tensor) -> Tensor:
    if not bool(gradient.isfinite().all()):
        raise ValueError(
            "log_probabilities must have a finite derivative in its inputs; NaN or infinity here "
            "would leave an input as it is and count it as robust"
        )
    return gradient


# --- balls ----------------------------------------------------------------------------------------


def _lengths(steps: Tensor) -> Tensor:
    """Euclidean length of each row, shape (n,), float64."""
    return steps.double().flatten(1).square().sum(dim=1).sqrt()


def _per_row(values: Tensor, like: Tensor) -> Tensor:
    """Values of rows, shaped to act on all entries of a row; numbers in the type of those."""
    shaped = values.reshape(-1, *([1] * (like.ndim - 1)))
    return shaped if values.dtype == torch.bool else shaped.to(like.dtype)


def _exact_sum(a: Tensor, b: float, toward: float) -> Tensor:
    """Sum ``a + b``, rounded so that it does not go beyond the true sum, seen from ``a``."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)  # a + b = total + error, without rounding
    beyond = error < 0 if toward < 0 else error > 0
    return torch.where(beyond, torch.nextafter(total, torch.full_like(total, toward)), total)


class _Ball:
    """Inputs within a radius of clean ones, and in [0, 1]."""

    def __init__(self, clean: Tensor, norm: Norm, radius: float) -> None:
        self.clean, self.norm = clean, norm
        rounded = torch.tensor(radius, dtype=clean.dtype)
        if float(rounded) > radius:
            rounded = torch.nextafter(rounded, torch.zeros_like(rounded))
        self.radius = float(rounded)
        if norm == "linf":
            self.low = _exact_sum(clean, -self.radius, math.inf).clamp(min=0.0)
            self.high = _exact_sum(clean, self.radius, -math.inf).clamp(max=1.0)

    def project(self, inputs: Tensor) -> Tensor:
        """Put inputs into the ball and the box, exactly.

        For the Euclidean norm first into the ball and then into the box: the box holds the clean
        input, so that this does not lead out of the ball again.
        """
        if self.norm == "linf":
            return torch.minimum(torch.maximum(inputs, self.low), self.high)
        step = inputs - self.clean
        limit = self.radius * (1.0 - 1e-12)
        factor = (limit / _lengths(step).clamp(min=1e-300)).clamp(max=1.0)
        inside = (self.clean + step * _per_row(factor, step)).clamp(0.0, 1.0)
        slack = 4.0 * torch.finfo(inside.dtype).eps
        while bool((outside := _lengths(inside.double() - self.clean.double()) > limit).any()):
            if slack >= 1.0:  # a radius below what the number type resolves
                return torch.where(_per_row(outside, inside), self.clean, inside)
            shrunk = self.clean + (inside - self.clean) * (1.0 - slack)
            inside = torch.where(_per_row(outside, inside), shrunk.clamp(0.0, 1.0), inside)
            slack *= 4.0
        return inside

    def ascend(self, inputs: Tensor, gradient: Tensor, size: float) -> Tensor:
        """One step of a size along the sign, or the unit vector, of a gradient."""
        if self.norm == "linf":
            return self.project(inputs + size * gradient.sign())
        largest = gradient.flatten(1).abs().amax(dim=1)
        # first by the largest entry, whose square would underflow; no step along a zero gradient
        even = gradient / _per_row(torch.where(largest > 0.0, largest, 1.0), gradient)
        length = _lengths(even).clamp(min=1.0)
        return self.project(inputs + size * even / _per_row(length, even))

    def draw(self, generator: torch.Generator) -> Tensor:
        """Points spread evenly over the ball, projected; drawn on the CPU for every device."""
        shape = self.clean.shape
        if self.norm == "linf":
            step = 2.0 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1.0
        else:
            step = torch.randn(shape, generator=generator, dtype=torch.float64)
            share = torch.rand(len(step), generator=generator, dtype=torch.float64)
            share = share ** (1.0 / max(1, step[0].numel()))
            step = step * _per_row(share / _lengths(step).clamp(min=1e-300), step)
        moved = self.clean + (self.radius * step).to(self.clean)
        return self.project(moved)


# --- checks of arguments --------------------------------------------------------------------------


def _inputs(inputs: Tensor, name: str = "inputs") -> Tensor:
    if not isinstance(inputs, Tensor):
        raise TypeError(f"{name} must be a Tensor, got {type(inputs).__name__}")
    if inputs.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be of dtype float32 or float64, got {inputs.dtype}")
    if inputs.ndim < 2 or 0 in inputs.shape:
        raise ValueError(f"{name} must have shape (n, ...), none 0, got {tuple(inputs.shape)}")
    bad = ~((inputs >= 0.0) & (inputs <= 1.0))  # NaN too
    if bool(bad.any()):
        raise ValueError(f"{name} must be in [0, 1], got {float(inputs[bad][0])!r}")
    return inputs.detach()


def _labels(labels: Tensor, clean: Tensor) -> Tensor:
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels must be a Tensor, got {type(labels).__name__}")
    if labels.dtype not in (torch.int64, torch.int32, torch.int16, torch.uint8):
        raise TypeError(f"labels must be of an integer dtype, got {labels.dtype}")
    if labels.shape != clean.shape[:1]:
        raise ValueError(f"labels must have shape ({len(clean)},), got {tuple(labels.shape)}")
    if bool((labels < 0).any()):
        raise ValueError(f"labels must be >= 0, got {int(labels.min())}")
    return labels.to(clean.device, torch.int64)


def _check_classes(labels: Tensor | None, log_p: Tensor) -> None:
    if labels is not None and int(labels.max()) >= log_p.shape[-1]:
        raise ValueError(
            f"labels must be below the number of classes {log_p.shape[-1]}, got {int(labels.max())}"
        )


def _goal(objective: Objective, score: Score, temperature: float) -> _Goal:
    choice("objective", objective, get_args(Objective))
    choice("score", score, get_args(Score))
    heat = real_number("temperature", temperature, minimum=0.0, open_minimum=True)
    if objective == "low_entropy":
        score = "total_entropy"
    elif objective == "low_mutual_information":
        score = "mutual_information"
    return _Goal(objective, score, heat)


def _optional_labels(labels: Tensor | None, clean: Tensor, objective: Objective) -> Tensor | None:
    if labels is not None:
        return _labels(labels, clean)
    if objective in _NEEDS_LABELS:
        raise ValueError(f"labels must be given for the objective {objective!r}, got None")
    return None


def _step_sizes(norm: Norm, radius: float, count: int, size: float | None) -> tuple[float, ...]:
    """Sizes of the steps; none at radius 0."""
    if size is not None:
        size = real_number("step_size", size, minimum=0.0, open_minimum=True)
    if radius == 0.0:
        return ()
    if size is not None:
        return (size,) * count
    if norm == "linf":
        return (2.5 * radius / count,) * count
    return tuple(radius * count ** (-t / max(1, count - 1)) for t in range(count))


def _radius(radius: float) -> float:
    return real_number("radius", radius, minimum=0.0)


# --- attacks --------------------------------------------------------------------------------------


class _Best:
    """Best inputs so far: fooled first, then by the objective; of equals the latest."""

    def __init__(self, inputs: Tensor, point: _Point) -> None:
        self.inputs, self.fooled, self.value = inputs.clone(), point.fooled, point.value

    def offer(self, inputs: Tensor, fooled: Tensor, value: Tensor) -> None:
        better = (fooled & ~self.fooled) | ((fooled == self.fooled) & (value >= self.value))
        self.inputs = torch.where(_per_row(better, inputs), inputs, self.inputs)
        self.fooled = torch.where(better, fooled, self.fooled)
        self.value = torch.where(better, value, self.value)


class _Run(NamedTuple):
    """Settings of an ascent that all batches share."""

    goal: _Goal
    norm: Norm
    radius: float
    step_sizes: tuple[float, ...]
    keep_best: bool

    @property
    def n_steps(self) -> int:
        return len(self.step_sizes)


def _ascend(
    model: LogProbabilities,
    clean: Tensor,
    starts: Tensor,
    run: _Run,
    labels: Tensor | None,
    targets: Tensor | None,
) -> Attack:
    """Ascent of one batch from each of several starts, shape (n_restarts, n, ...)."""
    ball = _Ball(clean, run.norm, run.radius)
    with torch.no_grad():
        log_p = _log_probabilities(model, clean)
        _check_classes(labels, log_p)
        before = _evaluate(log_p, run.goal, labels, targets)
    best = _Best(clean, before)
    values, norms, directions = [], [], []
    for start in starts:
        current, found, true, scaled = start, [], [], []
        for step in range(run.n_steps):
            second = 2 * step >= run.n_steps
            point, gradient = _gradient(
                model, current, run.goal, labels, targets, second_stage=second
            )
            best.offer(current, point.fooled, point.value)
            found.append(point.value)
            length = _lengths(gradient)
            scaled.append(length)
            true.append(length * point.log_scale.double().exp())
            current = ball.ascend(current, gradient, run.step_sizes[step])
        with torch.no_grad():
            point = _evaluate(_log_probabilities(model, current), run.goal, labels, targets)
        if run.keep_best:
            best.offer(current, point.fooled, point.value)
        else:
            best = _Best(current, point)
        found.append(point.value)
        values.append(torch.stack(found))
        empty = torch.zeros((0, len(clean)), dtype=clean.dtype, device=clean.device)
        norms.append(torch.stack(true).to(clean) if true else empty)
        directions.append(torch.stack(scaled).to(clean) if scaled else empty)
    by_label = run.goal.objective in _NEEDS_LABELS
    return Attack(
        inputs=best.inputs,
        success=best.fooled if by_label else best.value > before.value,
        objective=best.value,
        objective_by_step=torch.stack(values),
        gradient_norms=torch.stack(norms),
        direction_norms=torch.stack(directions),
        n_gradients=len(starts) * run.n_steps * len(clean),
        norm=run.norm,
        radius=run.radius,
    )


def _joined(parts: list[Attack]) -> Attack:
    """One record of all batches."""
    first = parts[0]
    return Attack(
        inputs=torch.cat([p.inputs for p in parts]),
        success=torch.cat([p.success for p in parts]),
        objective=torch.cat([p.objective for p in parts]),
        objective_by_step=torch.cat([p.objective_by_step for p in parts], dim=2),
        gradient_norms=torch.cat([p.gradient_norms for p in parts], dim=2),
        direction_norms=torch.cat([p.direction_norms for p in parts], dim=2),
        n_gradients=sum(p.n_gradients for p in parts),
        norm=first.norm,
        radius=first.radius,
    )


def _in_batches(
    model: LogProbabilities,
    clean: Tensor,
    starts: Tensor,
    run: _Run,
    labels: Tensor | None,
    targets: Tensor | None = None,
    *,
    batch_size: int | None,
) -> Attack:
    model = _prepared(model)
    size = _batch_size(model, clean, batch_size)
    parts = []
    for first in range(0, len(clean), size):
        rows = slice(first, first + size)
        parts.append(
            _ascend(
                model,
                clean[rows],
                starts[:, rows],
                run,
                None if labels is None else labels[rows],
                None if targets is None else targets[rows],
            )
        )
    return _joined(parts)


def _starts(
    clean: Tensor, norm: Norm, radius: float, count: int, random_start: bool, rng: Rng
) -> Tensor:
    """First points of each restart, the same whatever the batches."""
    if radius == 0.0:
        return clean.expand(count, *clean.shape)
    seed = int(as_generator(rng).integers(0, 2**62))
    generator, ball = torch.Generator().manual_seed(seed), _Ball(clean, norm, radius)
    drawn = [clean] if not random_start else []
    while len(drawn) < count:
        drawn.append(ball.draw(generator))
    return torch.stack(drawn)


def fgsm(
    log_probabilities: LogProbabilities,
    inputs: Tensor,
    labels: Tensor | None,
    *,
    radius: float,
    norm: Norm = "linf",
    objective: Objective = "label",
    score: Score = "total_entropy",
    temperature: float = 1.0,
    batch_size: int | None = None,
) -> Attack:
    """One step of the size of the radius from the clean input.

    Parameters
    ----------
    log_probabilities : callable
    inputs : Tensor, shape (n, ...)
    labels : Tensor of int, shape (n,), or None
    radius : float
    norm, objective, score, temperature, batch_size
        As in `pgd`.

    Returns
    -------
    Attack
        Of the step, also where the clean input was worse for the model.

    Raises
    ------
    TypeError, ValueError
        As `pgd`.

    References
    ----------
    Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015; as
    reported.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> clean, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> found = fgsm(model, clean, labels, radius=0.2)
    >>> found.inputs[0], found.success.tolist()
    (tensor([0.4000, 0.6000]), [True, False])
    """
    size = _radius(radius)
    clean = _inputs(inputs)
    choice("norm", norm, get_args(Norm))
    goal = _goal(objective, score, temperature)
    known = _optional_labels(labels, clean, objective)
    run = _Run(goal, norm, size, (size,) if size else (), keep_best=False)
    return _in_batches(log_probabilities, clean, clean[None], run, known, batch_size=batch_size)


def pgd(
    log_probabilities: LogProbabilities,
    inputs: Tensor,
    labels: Tensor | None,
    *,
    radius: float,
    norm: Norm = "linf",
    objective: Objective = "margin",
    score: Score = "total_entropy",
    n_steps: int = 20,
    step_size: float | None = None,
    n_restarts: int = 1,
    random_start: bool = True,
    temperature: float = 1.0,
    keep: Literal["best", "last"] = "best",
    batch_size: int | None = None,
    rng: Rng = 0,
) -> Attack:
    r"""Projected gradient ascent on an objective of the posterior predictive mean.

    Parameters
    ----------
    log_probabilities : callable
        Inputs, shape (n, ...), to log-probabilities, shape (n_samples, n, n_classes). A model with
        randomness inside must draw it before, or each step attacks another model.
    inputs : Tensor, shape (n, ...)
        In [0, 1], float32 or float64.
    labels : Tensor of int, shape (n,), or None
        None only for ``"low_entropy"`` and ``"low_mutual_information"``.
    radius : float
        >= 0. At 0 the clean inputs are returned, bit for bit.
    norm : {"linf", "l2"}
        Of the ball.
    objective : str
        ``"label"``: :math:`-\log\bar p_y`. ``"margin"``: :math:`\max_{k\ne y}\log\bar p_k -
        \log\bar p_y`. ``"low_entropy"``: minus the entropy of :math:`\bar p`.
        ``"low_mutual_information"``: minus the entropy of :math:`\bar p` less the mean entropy of
        the samples. ``"two_stage"``, against a detector: the margin, at most 0, while the predicted
        class is right; then :math:`\log K` minus the uncertainty ``score``. The first half of the
        steps climbs the margin on, past the decision: an uncertainty that is lowered close to it
        leads back to the right class.
    score : {"total_entropy", "mutual_information"}
        Uncertainty that the second stage lowers. Ignored by the other objectives.
    n_steps : int
        >= 1.
    step_size : float, optional
        > 0, of all steps. By default ``2.5 * radius / n_steps`` in the maximum norm; in the
        Euclidean norm steps that fall from the radius to ``radius / n_steps`` in even ratios.
    n_restarts : int
        >= 1.
    random_start : bool
        Whether the first start is drawn from the ball too, as the others are.
    temperature : float
        > 0. The attack follows the gradient of a model whose logits are divided by this; what it
        keeps and reports is of the model itself.
    keep : {"best", "last"}
        The best of all points seen, the clean input included: fooled ones first, then by the
        objective. Or the last point of the last restart.
    batch_size : int, optional
        Inputs in one call of the model, >= 1. By default as many as `MEMORY` has room for, at
        least 16; what one input takes is found by trying one and two. No result depends on it
        but by rounding.
    rng : Generator, SeedSequence or int
        For the starts; drawn on the CPU, so that a seed means the same on every device.

    Returns
    -------
    Attack

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; if the model returns values that are not finite or not
        logarithms of probabilities, does not depend on its inputs, or has a derivative that is not
        finite.

    Notes
    -----
    The gradient of :math:`-\log\bar p_y` is
    :math:`\sum_s w_s \nabla(-\log p_{s,y})` with :math:`w_s = p_{s,y} / \sum_r p_{r,y}`: a
    weighted mean over samples, not the mean of their losses. In the logits of sample :math:`s` it
    is :math:`w_s (p_{s,j} - \delta_{jy})`, whose entry at :math:`y` is taken as a sum over the
    other classes. All sizes are logarithms until the largest has been divided out, so that the
    direction is right even where the gradient underflows.

    Robust accuracy under an attack is an upper bound of the true one.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018; Feng,
    Rudner, Tsilivis, Kempe, "Attacking Bayes", arXiv:2404.19640; both as reported. Gradients in the
    log domain and the objective of two stages: derived here.

    Examples
    --------
    >>> import torch
    >>> weights = torch.tensor([[[2.0, -1.0]], [[4.0, -3.0]]])  # two samples, two inputs
    >>> def model(x):
    ...     score = torch.einsum("soi,ni->sno", weights, x - 0.5)
    ...     return torch.cat([score, -score], dim=2).log_softmax(dim=2)
    >>> clean = torch.tensor([[0.6, 0.45]])
    >>> found = pgd(model, clean, torch.tensor([0]), radius=0.125)
    >>> found.inputs, bool(found.success)
    (tensor([[0.4750, 0.5750]]), True)
    """
    size = _radius(radius)
    clean = _inputs(inputs)
    choice("norm", norm, get_args(Norm))
    choice("keep", keep, ("best", "last"))
    goal = _goal(objective, score, temperature)
    known = _optional_labels(labels, clean, objective)
    steps, restarts = whole_number("n_steps", n_steps), whole_number("n_restarts", n_restarts)
    run = _Run(goal, norm, size, _step_sizes(norm, size, steps, step_size), keep == "best")
    starts = _starts(clean, norm, size, restarts, random_start, rng)
    return _in_batches(log_probabilities, clean, starts, run, known, batch_size=batch_size)


def pgd_targeted(
    log_probabilities: LogProbabilities,
    inputs: Tensor,
    labels: Tensor,
    *,
    radius: float,
    norm: Norm = "linf",
    n_steps: int = 20,
    step_size: float | None = None,
    n_restarts: int = 1,
    random_start: bool = True,
    temperature: float = 1.0,
    max_targets: int | None = None,
    batch_size: int | None = None,
    rng: Rng = 0,
) -> Attack:
    """Ascent on the margin; then towards each other class, for inputs that are not yet fooled.

    Parameters
    ----------
    log_probabilities, inputs, labels, radius, norm
        As in `pgd`.
    n_steps, step_size, n_restarts, random_start, temperature
        As in `pgd`, of each ascent.
    max_targets : int, optional
        Classes tried, the likeliest at the clean input first; >= 0. All by default.
    batch_size, rng
        As in `pgd`.

    Returns
    -------
    Attack
        Objective: the margin. Records by step are those of the ascent on the margin.

    Raises
    ------
    TypeError, ValueError
        As `pgd`.

    Notes
    -----
    On a linear softmax model each targeted ascent by signs is exact, while that on the margin can
    be drawn to the wrong class.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> clean, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> pgd_targeted(model, clean, labels, radius=0.2, n_steps=5).success.tolist()
    [True, False]
    """
    start = as_generator(rng)
    attack = pgd(
        log_probabilities,
        inputs,
        labels,
        radius=radius,
        norm=norm,
        n_steps=n_steps,
        step_size=step_size,
        n_restarts=n_restarts,
        random_start=random_start,
        temperature=temperature,
        batch_size=batch_size,
        rng=start,
    )
    clean = _inputs(inputs)
    known = _labels(labels, clean)
    log_mean = predictive_log_mean(log_probabilities, clean, batch_size=batch_size)
    others = log_mean.scatter(1, known[:, None], -math.inf).argsort(dim=1, descending=True)
    limit = others.shape[1] - 1
    if max_targets is not None:
        limit = min(limit, whole_number("max_targets", max_targets, minimum=0))
    size, goal = attack.radius, _goal("margin", "total_entropy", temperature)
    run = _Run(goal, norm, size, _step_sizes(norm, size, n_steps, step_size), keep_best=True)
    adversarial, success = attack.inputs.clone(), attack.success.clone()
    objective, count = attack.objective.clone(), attack.n_gradients
    for rank in range(limit if size else 0):
        rows = (~success).nonzero()[:, 0]
        if not len(rows):
            break
        part = clean[rows]
        found = _in_batches(
            log_probabilities,
            part,
            _starts(part, norm, size, n_restarts, random_start, start),
            run,
            known[rows],
            others[rows, rank],
            batch_size=batch_size,
        )
        count += found.n_gradients
        success[rows] = found.success
        true = predictive_log_mean(log_probabilities, found.inputs, batch_size=batch_size)
        margin = _margin(true.mT, known[rows], None)[0]
        better = found.success | (margin > objective[rows])
        adversarial[rows[better]] = found.inputs[better]
        objective[rows[better]] = margin[better]
    return replace(
        attack, inputs=adversarial, success=success, objective=objective, n_gradients=count
    )


def random_noise(
    log_probabilities: LogProbabilities,
    inputs: Tensor,
    labels: Tensor | None,
    *,
    radius: float,
    norm: Norm = "linf",
    objective: Objective = "margin",
    score: Score = "total_entropy",
    n_draws: int = 10,
    batch_size: int | None = None,
    rng: Rng = 0,
) -> Attack:
    """Best of a few points drawn evenly from the ball: what an attack must beat.

    Parameters
    ----------
    log_probabilities, inputs, labels, radius, norm, objective, score
        As in `pgd`.
    n_draws : int
        >= 1.
    batch_size, rng
        As in `pgd`.

    Returns
    -------
    Attack
        With ``n_draws`` for restarts, and no gradients.

    Raises
    ------
    TypeError, ValueError
        As `pgd`.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> clean, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> noise = random_noise(model, clean, labels, radius=0.2, n_draws=20, rng=1)
    >>> best = pgd(model, clean, labels, radius=0.2)
    >>> bool((noise.objective < best.objective).all()), noise.n_gradients
    (True, 0)
    """
    size = _radius(radius)
    clean = _inputs(inputs)
    choice("norm", norm, get_args(Norm))
    goal = _goal(objective, score, 1.0)
    known = _optional_labels(labels, clean, objective)
    draws = whole_number("n_draws", n_draws)
    run = _Run(goal, norm, size, (), keep_best=True)
    starts = _starts(clean, norm, size, draws, True, rng)
    return _in_batches(log_probabilities, clean, starts, run, known, batch_size=batch_size)


def transfer(
    attack: Attack,
    log_probabilities: LogProbabilities,
    inputs: Tensor,
    labels: Tensor | None,
    *,
    objective: Objective = "margin",
    score: Score = "total_entropy",
    batch_size: int | None = None,
) -> Attack:
    """Try an attack on one model on another: other posterior samples, or from a surrogate.

    Parameters
    ----------
    attack : Attack
        On a source model.
    log_probabilities : callable
        The target.
    inputs : Tensor, shape (n, ...)
        The clean inputs that were attacked.
    labels : Tensor of int, shape (n,), or None
    objective, score, batch_size
        As in `pgd`; of the target.

    Returns
    -------
    Attack
        The same inputs, their success and objective on the target, no gradients.

    Raises
    ------
    TypeError, ValueError
        As `pgd`, or if the clean inputs are not those of the attack.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> clean, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> found = pgd(model, clean, labels, radius=0.2)
    >>> bias = torch.tensor([0.3, 0.0])
    >>> transfer(found, lambda x: model(x + bias), clean, labels).success.tolist()
    [False, False]
    """
    if not isinstance(attack, Attack):
        raise TypeError(f"attack must be an Attack, got {type(attack).__name__}")
    clean = _inputs(inputs)
    if clean.shape != attack.inputs.shape:
        raise ValueError(
            f"inputs must have the shape of the attack, {tuple(attack.inputs.shape)}, got "
            f"{tuple(clean.shape)}"
        )
    goal = _goal(objective, score, 1.0)
    known = _optional_labels(labels, clean, objective)
    run = _Run(goal, attack.norm, attack.radius, (), keep_best=False)
    moved = attack.inputs.to(clean)[None]
    return _in_batches(log_probabilities, clean, moved, run, known, batch_size=batch_size)
