r"""The exact gradient of an outer loss with respect to the data of an inner run.

A network starts at :math:`\theta_0`, is trained for ``N`` steps on distilled images, and is judged
by its loss :math:`F(\theta_N)` on real ones. Reverse accumulation finds :math:`\partial F /
\partial U` by the steps in turn, last to first: with bars for adjoints, a step of
gradient descent gives

.. math::

    \bar g = -\alpha \bar\theta, \qquad
    \bar\theta \leftarrow \bar\theta + H_t \bar g, \qquad
    \bar U \leftarrow \bar U + C_t^\top \bar g,

and momentum and Adam do the same with adjoints of their moments. The first steps of a run leave no
trace; a step of the window leaves its weights and moments, nothing of a graph.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from fragile_learning._validation import real_number, whole_number
from fragile_learning.distillation.block_products import BlockNetworks
from fragile_learning.distillation.products import (
    AutogradNetworks,
    Bars,
    DenseNetworks,
    Networks,
    Weights,
)
from fragile_learning.distillation.settings import InnerOptimizer, Window

__all__ = [
    "MetaGradient",
    "MetaGradients",
    "StepView",
    "directional_derivatives",
    "meta_gradient",
    "networks_of",
    "train",
]

StepView = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From step (0 first), distilled images and labels to what the networks see in that step.

It must be differentiable and give the same for the same step: randomness is drawn beforehand.
"""


class MetaGradient(NamedTuple):
    """Outer loss of an inner run and its gradient.

    Attributes
    ----------
    losses : Tensor, shape (n_networks,)
        Outer loss of each network, nats.
    images : Tensor, shape (n, ...)
        Gradient of the mean of the losses in the distilled images; if asked for,
        (n_networks, n, ...), the gradient of each loss.
    labels : Tensor, shape (n, n_classes), or None
        In the labels, where they are learned.
    learning_rate : float or None
        In the inner learning rate, if asked for.

    Examples
    --------
    >>> found = MetaGradient(torch.tensor([0.5, 0.7]), torch.zeros(2, 4), None, None)
    >>> round(found.loss, 6)  # of two networks
    0.6
    """

    losses: Tensor
    images: Tensor
    labels: Tensor | None
    learning_rate: float | None

    @property
    def loss(self) -> float:
        """Mean of the losses."""
        return float(self.losses.mean())


def networks_of(module: nn.Module) -> Networks:
    """Choose how to differentiate a module: written out where its structure is known.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    Networks
        `DenseNetworks` for a sequence [flatten,] linear, ReLU, linear, ..., linear, all with
        biases; `BlockNetworks` for a `models.ConvNet` without convolution biases whose maps have
        even sides; else `AutogradNetworks`.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP, ConvNet, Vgg
    >>> modules = MLP((4,)), ConvNet((1, 8, 8), width=4, depth=2), Vgg((1, 8, 8), width=4)
    >>> [type(networks_of(module)).__name__ for module in modules]
    ['DenseNetworks', 'BlockNetworks', 'AutogradNetworks']
    """
    for kind in (DenseNetworks, BlockNetworks):
        if kind.knows(module):
            return kind(module)
    return AutogradNetworks(module)


# ruff: noqa: ARG002 - all optimisers take the same
# --- optimisers ---------------------------------------------------------------------------------


class _Rule(ABC):
    """One optimiser: its step, and the adjoint of its step. ``t`` counts from 1."""

    n_slots = 0
    needs_gradient = False

    def __init__(self, optimizer: InnerOptimizer) -> None:
        self.optimizer = optimizer

    @abstractmethod
    def step(self, theta: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int) -> None:
        """Move weights and moments, in place."""

    @abstractmethod
    def adjoint(
        self,
        theta_bar: Tensor,
        slot_bars: Sequence[Tensor],
        slots: Sequence[Tensor],
        gradient: Tensor,
        t: int,
        guard: float,
        scratch: Sequence[Tensor],
    ) -> None:
        """Write the adjoint of the gradient to ``scratch[0]``; move the moments' to before.

        ``slots`` are the moments after the step, bars the adjoints of what is after it.
        """

    @abstractmethod
    def rate_derivative(
        self, theta_bar: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int
    ) -> float:
        """Inner product of the adjoint with the derivative of the new weights in the rate."""


class _Sgd(_Rule):
    def step(self, theta: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int) -> None:
        theta.sub_(gradient, alpha=self.optimizer.learning_rate)

    def adjoint(
        self,
        theta_bar: Tensor,
        slot_bars: Sequence[Tensor],
        slots: Sequence[Tensor],
        gradient: Tensor,
        t: int,
        guard: float,
        scratch: Sequence[Tensor],
    ) -> None:
        torch.mul(theta_bar, -self.optimizer.learning_rate, out=scratch[0])

    def rate_derivative(
        self, theta_bar: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int
    ) -> float:
        return -float(theta_bar @ gradient)


class _Momentum(_Rule):
    n_slots = 1

    def step(self, theta: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int) -> None:
        slots[0].mul_(self.optimizer.momentum).add_(gradient)
        theta.sub_(slots[0], alpha=self.optimizer.learning_rate)

    def adjoint(
        self,
        theta_bar: Tensor,
        slot_bars: Sequence[Tensor],
        slots: Sequence[Tensor],
        gradient: Tensor,
        t: int,
        guard: float,
        scratch: Sequence[Tensor],
    ) -> None:
        scratch[0].copy_(slot_bars[0].sub_(theta_bar, alpha=self.optimizer.learning_rate))
        slot_bars[0].mul_(self.optimizer.momentum)

    def rate_derivative(
        self, theta_bar: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int
    ) -> float:
        return -float(theta_bar @ slots[0])


class _Adam(_Rule):
    """Moments' adjoints are kept times 1 - beta1 and 2 (1 - beta2): two passes less a step."""

    n_slots = 2
    needs_gradient = True

    def __init__(self, optimizer: InnerOptimizer) -> None:
        super().__init__(optimizer)
        self._taken, self._counter = -1, torch.zeros(())

    def step(self, theta: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int) -> None:
        set_up = self.optimizer
        if self._counter.device != theta.device:
            self._taken, self._counter = -1, torch.zeros((), device=theta.device)
        if self._taken != t - 1:
            self._counter.fill_(t - 1)
        self._taken = t
        adam(
            [theta],
            [gradient],
            [slots[0]],
            [slots[1]],
            [],
            [self._counter],
            fused=True,
            amsgrad=False,
            beta1=set_up.betas[0],
            beta2=set_up.betas[1],
            lr=set_up.learning_rate,
            weight_decay=0.0,
            eps=set_up.eps,
            maximize=False,
        )

    def _corrections(self, t: int) -> tuple[float, float]:
        """Step size k and the root c of the second moment's correction."""
        first, second = self.optimizer.betas
        return self.optimizer.learning_rate / (1.0 - first**t), math.sqrt(1.0 - second**t)

    def adjoint(
        self,
        theta_bar: Tensor,
        slot_bars: Sequence[Tensor],
        slots: Sequence[Tensor],
        gradient: Tensor,
        t: int,
        guard: float,
        scratch: Sequence[Tensor],
    ) -> None:
        (first, second), (size, correction) = self.optimizer.betas, self._corrections(t)
        root = torch.sqrt(slots[1], out=scratch[2])
        below = torch.mul(root, 1.0 / correction, out=scratch[1])
        if guard:
            torch.threshold_(below, guard, math.inf)  # what is divided by it counts as constant
        ratio = torch.div(theta_bar, below.add_(self.optimizer.eps), out=scratch[0])
        slot_bars[0].sub_(ratio, alpha=size * (1.0 - first))
        torch.threshold_(root, 0.0, math.inf)  # no derivative in a second moment of 0
        ratio.mul_(slots[0]).div_(below.mul_(root))
        slot_bars[1].add_(ratio, alpha=size * (1.0 - second) / correction)
        torch.addcmul(slot_bars[0], gradient, slot_bars[1], out=scratch[0])
        slot_bars[0].mul_(first)
        slot_bars[1].mul_(second)

    def rate_derivative(
        self, theta_bar: Tensor, slots: Sequence[Tensor], gradient: Tensor, t: int
    ) -> float:
        size, correction = self._corrections(t)
        direction = slots[0] / (slots[1].sqrt() / correction + self.optimizer.eps)
        return -float(theta_bar @ direction) * size / self.optimizer.learning_rate


_RULES: dict[str, type[_Rule]] = {"sgd": _Sgd, "momentum": _Momentum, "adam": _Adam}


# --- reverse accumulation -----------------------------------------------------------------------


class _Kept(NamedTuple):
    """What a step of the window leaves: weights before it, moments after it, activations."""

    theta: Weights
    slots: list[Tensor]
    passed: object


class MetaGradients:
    """Meta-gradients of one kind of network; memory is kept from call to call.

    Parameters
    ----------
    module : torch.nn.Module or Networks
        Maps images (n, ...) to logits (n, n_classes).
    optimizer : InnerOptimizer
    guard : float
        >= 0. Of Adam: where the root of the bias-corrected second moment is at most this, the
        update counts as constant (see the chapter). 0: the exact derivative, but none in a
        second moment that is 0.
    checkpoint : bool
        Keep about 2 sqrt(M) states of a window of M steps instead of M, and run its steps twice.
        The result is the same to the last bit.
    learn_labels, learn_rate : bool
        Whether to differentiate in labels and inner learning rate, too.
    per_network : bool
        Keep the networks' gradients in the images apart. Not with ``learn_labels`` or
        ``learn_rate``.
    outer_chunk : int, optional
        Real images at a time. None: all.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the module is not deterministic.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP, draw_parameters
    >>> draw, module = torch.Generator().manual_seed(1), MLP((4,), widths=(8,), n_classes=2)
    >>> start = draw_parameters(module, n_networks=3, generator=draw)
    >>> real = torch.randn(20, 4, generator=draw)
    >>> data = (
    ...     torch.randn(2, 4, generator=draw),
    ...     torch.tensor([0, 1]),
    ...     real,
    ...     (real[:, 0] > 0).long(),
    ... )
    >>> engine = MetaGradients(module, InnerOptimizer(kind="sgd", learning_rate=0.5))
    >>> whole, part = (engine(start, *data, Window(10, window)) for window in (10, 4))
    >>> torch.equal(whole.losses, part.losses), torch.allclose(whole.images, part.images)
    (True, False)
    """

    def __init__(
        self,
        module: nn.Module | Networks,
        optimizer: InnerOptimizer,
        *,
        guard: float = 0.0,
        checkpoint: bool = False,
        learn_labels: bool = False,
        learn_rate: bool = False,
        per_network: bool = False,
        outer_chunk: int | None = None,
    ) -> None:
        if not isinstance(optimizer, InnerOptimizer):
            raise TypeError(f"optimizer must be an InnerOptimizer, got {optimizer!r}")
        if per_network and (learn_labels or learn_rate):
            raise ValueError("per_network must be False where labels or rate are learned, got True")
        self.networks = module if isinstance(module, Networks) else networks_of(module)
        self.optimizer = optimizer
        self.guard = real_number("guard", guard, minimum=0.0)
        self.outer_chunk = None if outer_chunk is None else whole_number("outer_chunk", outer_chunk)
        self._checkpoint, self._per_network = bool(checkpoint), bool(per_network)
        self._learn_labels, self._learn_rate = bool(learn_labels), bool(learn_rate)
        self._rule = _RULES[optimizer.kind](optimizer)
        self._memory: dict[str, Weights] = {}

    def __call__(
        self,
        parameters: Mapping[str, Tensor],
        images: Tensor,
        labels: Tensor,
        outer_images: Tensor,
        outer_labels: Tensor,
        run: Window,
        *,
        view: StepView | None = None,
    ) -> MetaGradient:
        """Train networks on distilled data and differentiate their loss on real data.

        Parameters
        ----------
        parameters : mapping of str to Tensor, each of shape (n_networks, ...)
            Where the networks start; see `models.draw_parameters`. Not changed.
        images : Tensor, shape (n, ...)
            Distilled.
        labels : Tensor, shape (n,) of int64, or (n, n_classes)
            Classes, or weights of classes.
        outer_images : Tensor, shape (n_outer, ...)
            Real.
        outer_labels : Tensor of int64, shape (n_outer,), or weights (n_outer, n_classes)
        run : Window
            Steps, and how many of the last ones are differentiated; the data of the others count
            as constants.
        view : callable, optional
            See `StepView`. None: all images in each step, as they are.

        Returns
        -------
        MetaGradient
            In the type of the images.

        Raises
        ------
        TypeError, ValueError
            If shapes do not fit together or the window is not within the run.
        """
        n_steps = whole_number("run.n_steps", run.n_steps)
        window = whole_number("run.window", run.window, maximum=n_steps)
        first = n_steps - window
        images = images.detach()  # a new object: what is kept of images goes by identity
        theta = self._start(parameters, images)
        known = _class_weights(self.networks, theta, images, labels)
        with torch.no_grad():
            slots = [self._flat(f"slot{i}", theta).zero_() for i in range(self._rule.n_slots)]
            gradient = self._weights("gradient", theta)
            for step in range(first):
                x, y = _seen(view, step, images, known)
                self.networks.gradient(theta, x, y, out=gradient)
                self._rule.step(theta.flat, slots, gradient.flat, step + 1)

            length = math.isqrt(window - 1) + 1 if self._checkpoint else window
            starts = list(range(first, n_steps, length))
            marks: list[tuple[Tensor, ...]] = []
            kept: list[_Kept] = []
            for start in starts:
                last = start == starts[-1]
                if not last:
                    marks.append(tuple(t.clone() for t in (theta.flat, *slots)))
                steps = range(start, min(start + length, n_steps))
                kept = self._record(theta, slots, images, known, view, steps, keep=last)

            theta_bar = self._weights("theta_bar", theta)
            losses = self._outer(theta, outer_images, outer_labels, theta_bar)
            if not self._per_network:
                theta_bar.flat.div_(theta.n_networks)
            shape = (theta.n_networks, *images.shape) if self._per_network else images.shape
            label_bar = torch.zeros_like(known) if self._learn_labels else None
            bars = Bars(theta_bar, images.new_zeros(shape), label_bar)
            slot_bars = [self._flat(f"bar{i}", theta).zero_() for i in range(len(slots))]
            rate = 0.0
            for start in reversed(starts):
                if start != starts[-1]:
                    for tensor, saved in zip((theta.flat, *slots), marks.pop(), strict=True):
                        tensor.copy_(saved)
                    steps = range(start, start + length)
                    kept = self._record(theta, slots, images, known, view, steps, keep=True)
                for i in range(len(kept) - 1, -1, -1):
                    # the run is over: its weights and moments are room to work in
                    rate += self._back(
                        kept.pop(), start + i, images, known, view, bars, slot_bars, theta, slots
                    )
        return MetaGradient(losses, bars.images, bars.labels, rate if self._learn_rate else None)

    def _start(self, parameters: Mapping[str, Tensor], images: Tensor) -> Weights:
        """Weights to train, in memory that is used again in the next call."""
        drawn = self.networks.pack(parameters).flat
        found = self._weights("theta", images, len(drawn))
        found.flat.copy_(drawn)
        return found

    def _weights(self, name: str, like: Weights | Tensor, size: int | None = None) -> Weights:
        """Memory of that size, by name; what it held in the last call is there still."""
        flat = like.flat if isinstance(like, Weights) else like
        length = flat.shape[0] if size is None else size
        found = self._memory.get(name)
        if (
            found is None
            or found.flat.shape[0] != length
            or found.flat.dtype != flat.dtype
            or found.flat.device != flat.device
        ):
            found = self._memory[name] = self.networks.over(flat.new_empty(length))
        return found

    def _flat(self, name: str, like: Weights) -> Tensor:
        return self._weights(name, like).flat

    def _record(
        self,
        theta: Weights,
        slots: list[Tensor],
        images: Tensor,
        labels: Tensor,
        view: StepView | None,
        steps: range,
        *,
        keep: bool,
    ) -> list[_Kept]:
        """Run steps; keep what going back needs."""
        gradient, kept = self._weights("gradient", theta), []
        moments = len(slots) if self._rule.needs_gradient or self._learn_rate else 0
        for i, step in enumerate(steps):
            x, y = _seen(view, step, images, labels)
            passed = self.networks.gradient(theta, x, y, out=gradient, keep=keep)
            if keep:
                before = self._weights(f"step{i}", theta)
                before.flat.copy_(theta.flat)
            self._rule.step(theta.flat, slots, gradient.flat, step + 1)
            if keep:
                after = [self._flat(f"step{i}-{j}", theta) for j in range(moments)]
                for place, slot in zip(after, slots, strict=False):
                    place.copy_(slot)
                kept.append(_Kept(before, after, passed))
        return kept

    def _outer(self, theta: Weights, images: Tensor, labels: Tensor, out: Weights) -> Tensor:
        """Loss of each network on real images; its gradient goes to ``out``."""
        chunk = self.outer_chunk or len(images)
        if chunk >= len(images):
            return self.networks.losses(theta, images, labels, out=out)
        part, total = self._weights("gradient", theta), theta.flat.new_zeros(theta.n_networks)
        out.flat.zero_()
        for x, y in zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True):
            share = len(x) / len(images)
            total += self.networks.losses(theta, x, y, out=part) * share
            out.flat.add_(part.flat, alpha=share)
        return total

    def _back(
        self,
        kept: _Kept,
        step: int,
        images: Tensor,
        labels: Tensor,
        view: StepView | None,
        bars: Bars,
        slot_bars: list[Tensor],
        vector: Weights,
        scratch: list[Tensor],
    ) -> float:
        """Go back over one step; returns its part of the derivative in the learning rate."""
        theta, slots = kept.theta, kept.slots
        wanted = self._rule.needs_gradient or self._learn_rate
        gradient = self._weights("gradient", theta)
        if view is None:
            x, y = images, labels
        else:
            with torch.enable_grad():
                leaves = images.detach().requires_grad_(), labels.detach().requires_grad_()
                seen, known = view(step, *leaves)
            x, y = seen.detach(), known.detach()
        prepared = self.networks.again(theta, x, y, kept.passed, out=gradient if wanted else None)
        rate = 0.0
        if self._learn_rate:
            rate = self._rule.rate_derivative(bars.weights.flat, slots, gradient.flat, step + 1)
        self._rule.adjoint(
            bars.weights.flat,
            slot_bars,
            slots,
            gradient.flat,
            step + 1,
            self.guard,
            [vector.flat, *scratch],
        )
        if view is None:
            self.networks.add_products(prepared, vector, bars)
        else:
            count = (len(bars.images),) if self._per_network else ()
            inner = Bars(
                bars.weights,
                x.new_zeros((*count, *x.shape)),
                None if bars.labels is None else torch.zeros_like(y),
            )
            self.networks.add_products(prepared, vector, inner)
            _pull_back(leaves, (seen, known), inner, bars)
        return rate


def _pull_back(
    leaves: tuple[Tensor, Tensor], seen: tuple[Tensor, Tensor], inner: Bars, bars: Bars
) -> None:
    """Carry adjoints of what a step saw to the distilled data."""
    if bars.images.ndim > leaves[0].ndim:
        for target, adjoint in zip(bars.images, inner.images, strict=True):
            (found,) = torch.autograd.grad(seen[0], leaves[0], adjoint, retain_graph=True)
            target.add_(found)
        return
    outputs, adjoints = [seen[0]], [inner.images]
    if inner.labels is not None:
        outputs.append(seen[1])
        adjoints.append(inner.labels)
    both = torch.autograd.grad(outputs, leaves, adjoints, materialize_grads=True)
    bars.images.add_(both[0])
    if bars.labels is not None:
        bars.labels.add_(both[1])


def _seen(
    view: StepView | None, step: int, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    return (images, labels) if view is None else view(step, images, labels)


def _class_weights(networks: Networks, theta: Weights, images: Tensor, labels: Tensor) -> Tensor:
    """Labels as weights of classes, (n, n_classes), in the images' type."""
    if not images.is_floating_point():
        raise TypeError(f"images must be floating point, got {images.dtype}")
    if images.ndim < 2 or not len(images):
        raise ValueError(f"images must have the shape (n, ...), n >= 1, got {tuple(images.shape)}")
    if labels.is_floating_point():
        if labels.ndim != 2 or len(labels) != len(images):
            raise ValueError(
                f"labels must have the shape ({len(images)}, n_classes), got {tuple(labels.shape)}"
            )
        return labels.detach().to(images.dtype)
    if labels.shape != images.shape[:1]:
        raise ValueError(f"labels must have the shape ({len(images)},), got {tuple(labels.shape)}")
    n_classes = networks.logits(theta, images[:1]).shape[-1]
    if int(labels.min()) < 0 or int(labels.max()) >= n_classes:
        raise ValueError(
            f"labels must be in [0, {n_classes - 1}], got {int(labels.min())} to "
            f"{int(labels.max())}"
        )
    return nn.functional.one_hot(labels.long(), n_classes).to(images.dtype)


def meta_gradient(
    module: nn.Module,
    parameters: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
    outer_images: Tensor,
    outer_labels: Tensor,
    *,
    optimizer: InnerOptimizer,
    run: Window,
    view: StepView | None = None,
    guard: float = 0.0,
    checkpoint: bool = False,
    learn_labels: bool = False,
    learn_rate: bool = False,
    per_network: bool = False,
) -> MetaGradient:
    """Train networks on distilled data and differentiate their loss on real data, once.

    Many times: keep a `MetaGradients`, which keeps its memory. Parameters, results and errors are
    its own; ``run`` comes from `settings.Unroll.draw`, or is written down.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP, draw_parameters
    >>> draw = torch.Generator().manual_seed(1)
    >>> module, images = MLP((4,), widths=(8,), n_classes=2), torch.randn(2, 4, generator=draw)
    >>> real = torch.randn(20, 4, generator=draw)
    >>> found = meta_gradient(
    ...     module,
    ...     draw_parameters(module, n_networks=3, generator=draw),
    ...     images,
    ...     torch.tensor([0, 1]),
    ...     real,
    ...     (real[:, 0] > 0).long(),
    ...     optimizer=InnerOptimizer(kind="sgd", learning_rate=0.5),
    ...     run=Window(n_steps=10, window=4),
    ... )
    >>> found.losses.shape, found.images.shape
    (torch.Size([3]), torch.Size([2, 4]))
    """
    engine = MetaGradients(
        module,
        optimizer,
        guard=guard,
        checkpoint=checkpoint,
        learn_labels=learn_labels,
        learn_rate=learn_rate,
        per_network=per_network,
    )
    return engine(parameters, images, labels, outer_images, outer_labels, run, view=view)


def train(
    module: nn.Module | Networks,
    parameters: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    optimizer: InnerOptimizer,
    lengths: Sequence[int],
    view: StepView | None = None,
) -> list[dict[str, Tensor]]:
    """Train networks on distilled images, and keep their weights after some numbers of steps.

    Parameters
    ----------
    module : torch.nn.Module or Networks
    parameters : mapping of str to Tensor, each of shape (n_networks, ...)
        Not changed.
    images, labels : Tensor
        See `MetaGradients`.
    optimizer : InnerOptimizer
    lengths : sequence of int
        Numbers of steps >= 0, rising.
    view : callable, optional
        See `StepView`.

    Returns
    -------
    list of dict of Tensor
        Weights, one entry a length.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP, draw_parameters
    >>> module, draw = MLP((2,), widths=(8,), n_classes=2), torch.Generator().manual_seed(1)
    >>> start = draw_parameters(module, n_networks=1, generator=draw)
    >>> images, labels = torch.eye(2), torch.tensor([0, 1])
    >>> optimizer = InnerOptimizer(kind="sgd", learning_rate=0.5)
    >>> before, after = train(module, start, images, labels, optimizer=optimizer, lengths=[0, 50])
    >>> networks = networks_of(module)
    >>> losses = [
    ...     networks.losses(networks.pack(w), images, labels, out=None) for w in (before, after)
    ... ]
    >>> bool(losses[1] < 0.1 * losses[0])
    True
    """
    networks = module if isinstance(module, Networks) else networks_of(module)
    wanted = [whole_number(f"lengths[{i}]", n, minimum=0) for i, n in enumerate(lengths)]
    if not wanted or wanted != sorted(set(wanted)):
        raise ValueError(f"lengths must rise and have at least one entry, got {wanted}")
    rule = _RULES[optimizer.kind](optimizer)
    images = images.detach()
    theta = networks.over(networks.pack(parameters).flat.to(images.dtype))
    known = _class_weights(networks, theta, images, labels)
    found = []
    with torch.no_grad():
        slots = [torch.zeros_like(theta.flat) for _ in range(rule.n_slots)]
        gradient = networks.over(torch.empty_like(theta.flat))
        for step in range(wanted[-1] + 1):
            if step in wanted:
                found.append(networks.named(networks.over(theta.flat.clone())))
            if step < wanted[-1]:
                x, y = _seen(view, step, images, known)
                networks.gradient(theta, x, y, out=gradient)
                rule.step(theta.flat, slots, gradient.flat, step + 1)
    return found


# --- forward accumulation -----------------------------------------------------------------------


def directional_derivatives(
    module: nn.Module,
    parameters: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
    outer_images: Tensor,
    outer_labels: Tensor,
    directions: Tensor,
    *,
    optimizer: InnerOptimizer,
    run: Window,
    view: StepView | None = None,
) -> Tensor:
    r"""Differentiate the mean outer loss along directions of the images, by forward accumulation.

    Tangents of weights and moments are pushed along with the run: no state is kept, and the cost
    grows with the number of directions. It shares no code with `MetaGradients` but the loss.

    Parameters
    ----------
    module, parameters, images, labels, outer_images, outer_labels, optimizer, run, view
        See `MetaGradients`.
    directions : Tensor, shape (n_directions, n, ...)

    Returns
    -------
    Tensor, shape (n_directions,)

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP, draw_parameters
    >>> draw, module = torch.Generator().manual_seed(1), MLP((4,), widths=(8,), n_classes=2)
    >>> start = draw_parameters(module, n_networks=1, generator=draw)
    >>> real = torch.randn(20, 4, generator=draw)
    >>> data = (
    ...     torch.randn(2, 4, generator=draw),
    ...     torch.tensor([0, 1]),
    ...     real,
    ...     (real[:, 0] > 0).long(),
    ... )
    >>> how = {"optimizer": InnerOptimizer(kind="sgd", learning_rate=0.5), "run": Window(5, 3)}
    >>> direction = torch.randn(1, 2, 4, generator=draw)
    >>> forward = directional_derivatives(module, start, *data, direction, **how)
    >>> backward = meta_gradient(module, start, *data, **how)
    >>> torch.allclose(forward, (direction * backward.images).sum((1, 2)), atol=1e-5)
    True
    """
    if directions.shape[1:] != images.shape:
        raise ValueError(
            f"directions must have the shape (n_directions, *{tuple(images.shape)}), got "
            f"{tuple(directions.shape)}"
        )
    start = {name: tensor.detach() for name, tensor in parameters.items()}
    networks = networks_of(module)
    theta = networks.over(networks.pack(start).flat.to(images.dtype))
    known = _class_weights(networks, theta, images, labels)

    def mean_loss(theta: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        logits = torch.func.functional_call(module, theta, (x,))
        return nn.functional.cross_entropy(logits, y)

    gradient = torch.func.grad(mean_loss)

    def outer(theta: dict[str, Tensor], data: Tensor) -> Tensor:
        slots = [{name: torch.zeros_like(t) for name, t in theta.items()} for _ in range(2)]
        for step in range(run.n_steps):
            used = images if step < run.n_steps - run.window else data
            x, y = _seen(view, step, used, known)
            theta, slots = _functional_step(
                theta, slots, gradient(theta, x, y), step + 1, optimizer
            )
        return mean_loss(theta, outer_images, outer_labels)

    found = []
    for direction in directions:
        total = images.new_zeros(())
        for k in range(len(next(iter(start.values())))):
            one = {name: tensor[k].to(images.dtype) for name, tensor in start.items()}
            with warnings.catch_warnings():  # torch scripts its decompositions when first asked
                warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated")
                pushed = torch.func.jvp(partial(outer, one), (images,), (direction,))
            total += pushed[1]
        found.append(total / len(next(iter(start.values()))))
    return torch.stack(found)


Named = dict[str, Tensor]


def _functional_step(
    theta: Named, slots: list[Named], gradient: Named, t: int, optimizer: InnerOptimizer
) -> tuple[Named, list[Named]]:
    """One step without changing anything in place."""
    rate, (first, second) = optimizer.learning_rate, optimizer.betas
    if optimizer.kind == "sgd":
        return {n: theta[n] - rate * gradient[n] for n in theta}, slots
    if optimizer.kind == "momentum":
        velocity = {n: optimizer.momentum * slots[0][n] + gradient[n] for n in theta}
        return {n: theta[n] - rate * velocity[n] for n in theta}, [velocity, slots[1]]
    mean = {n: first * slots[0][n] + (1 - first) * gradient[n] for n in theta}
    square = {n: second * slots[1][n] + (1 - second) * gradient[n] ** 2 for n in theta}
    moved = {}
    for name, tensor in theta.items():
        seen = square[name] > 0  # the root of 0 has an infinite slope, times 0
        root = torch.where(seen, square[name], 1.0).sqrt() * seen / math.sqrt(1 - second**t)
        moved[name] = tensor - rate * (mean[name] / (1 - first**t)) / (root + optimizer.eps)
    return moved, [mean, square]
