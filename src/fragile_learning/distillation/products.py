"""Gradients of the inner loss, and its second derivatives applied to a vector, network by network.

The weights of ``K`` networks lie in one flat buffer: block after block, one a parameter, each of
shape (K, ...). So an optimiser is a few operations on one vector, and the first layer of all
networks, which see the same images, is one matrix product.

A step of reverse accumulation needs ``g`` and, for a fixed ``v``, the gradient of ``<g, v>`` in
weights, images and labels. `AutogradNetworks` finds both by differentiating twice, for any module;
`DenseNetworks` writes them down for ReLU perceptrons (Pearlmutter's rule: tangents forward, then
tangents of the backward pass).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# ruff: noqa: ARG002 - all kinds of networks take the same

__all__ = ["AutogradNetworks", "Bars", "DenseNetworks", "Networks", "Weights", "cross_entropies"]


@dataclass(slots=True, eq=False)
class Weights:
    """Numbers of ``K`` networks, one for each of their ``P`` parameters.

    Attributes
    ----------
    flat : Tensor, shape (K * P,)
    parts : list of Tensor, each of shape (K, ...)
        Views of ``flat``, one a parameter.
    n_networks : int
        ``K``.
    layers : list
        More views, as a kind of network needs them; made once, because each costs a microsecond.

    Examples
    --------
    >>> networks = DenseNetworks(nn.Sequential(nn.Linear(2, 1)))
    >>> weights = networks.over(torch.arange(6.0))  # of two networks: weights, then biases
    >>> weights.n_networks, [part.tolist() for part in weights.parts]
    (2, [[[[0.0, 1.0]], [[2.0, 3.0]]], [[4.0], [5.0]]])
    """

    flat: Tensor
    parts: list[Tensor]
    n_networks: int
    layers: list[Any] = field(default_factory=list)


class Bars(NamedTuple):
    """Where products are added to.

    Attributes
    ----------
    weights : Weights
    images : Tensor, shape (n, ...), or (K, n, ...) to keep the networks apart
    labels : Tensor, shape (n, n_classes), or None

    Examples
    --------
    >>> networks = DenseNetworks(nn.Sequential(nn.Linear(2, 2)))
    >>> theta, gradient = networks.over(torch.zeros(6)), networks.over(torch.empty(6))
    >>> images, labels = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    >>> kept = networks.gradient(theta, images, labels, out=gradient, keep=True)
    >>> bars = Bars(networks.over(torch.zeros(6)), torch.zeros_like(images), None)
    >>> prepared = networks.again(theta, images, labels, kept, out=None)
    >>> networks.add_products(prepared, gradient, bars)
    >>> bars.images  # V'(p - y) with V the gradient in the weights, p - y that in the biases
    tensor([[0.5000, 0.0000]])
    """

    weights: Weights
    images: Tensor
    labels: Tensor | None


class Networks(ABC):
    """``K`` networks of one kind as functions of a flat buffer of weights.

    Parameters
    ----------
    module : torch.nn.Module
        Deterministic: no dropout in training mode, no running statistics.

    Raises
    ------
    TypeError, ValueError
        If the module is not of that kind.

    Examples
    --------
    >>> networks = DenseNetworks(nn.Sequential(nn.Linear(2, 1)))
    >>> isinstance(networks, Networks), networks.n_parameters
    (True, 3)
    >>> named = {"0.weight": torch.ones(2, 1, 2), "0.bias": torch.zeros(2, 1)}
    >>> networks.logits(networks.pack(named), torch.tensor([[1.0, 2.0]])).tolist()
    [[[3.0]], [[3.0]]]
    """

    def __init__(self, module: nn.Module) -> None:
        _refuse_random(module)
        self.module = module
        self.shapes = {name: p.shape for name, p in module.named_parameters()}
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]
        self.n_parameters = sum(self.sizes)
        if not self.n_parameters:
            raise ValueError("module must have parameters, got none")

    def pack(self, parameters: Mapping[str, Tensor]) -> Weights:
        """From tensors of shape (K, ...) by name to one new buffer."""
        if set(parameters) != set(self.shapes):
            raise ValueError(
                f"parameters must be named {sorted(self.shapes)}, got {sorted(parameters)}"
            )
        first = next(iter(self.shapes))
        count = len(parameters[first]) if parameters[first].ndim else 0
        for name, shape in self.shapes.items():
            if parameters[name].shape != (count, *shape) or not count:
                raise ValueError(
                    f"parameters[{name!r}] must have the shape (n_networks, *{tuple(shape)}) with "
                    f"one n_networks >= 1 for all, got {tuple(parameters[name].shape)}"
                )
        return self.over(torch.cat([parameters[name].detach().flatten() for name in self.shapes]))

    def over(self, flat: Tensor) -> Weights:
        """Parts of a flat buffer, in the order of the module's parameters."""
        count = len(flat) // self.n_parameters
        parts = torch.split(flat, [count * size for size in self.sizes])
        shapes = self.shapes.values()
        return Weights(flat, [p.view(count, *s) for p, s in zip(parts, shapes, strict=True)], count)

    def named(self, weights: Weights) -> dict[str, Tensor]:
        """By name, shape (K, ...) each; they share memory with the buffer."""
        return dict(zip(self.shapes, weights.parts, strict=True))

    @abstractmethod
    def logits(self, theta: Weights, images: Tensor) -> Tensor:
        """Compute the outputs of each network, (K, n, n_classes)."""

    @abstractmethod
    def losses(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights | None
    ) -> Tensor:
        """Mean cross-entropy of each network, (K,); its gradient goes to ``out`` if given.

        ``labels`` are classes (n,) or weights of classes (n, n_classes).
        """

    @abstractmethod
    def gradient(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights, keep: bool = False
    ) -> Any:
        """Write the gradient of each network's loss to ``out``.

        With ``keep``, what is returned is what `again` needs. Called without gradients of torch.
        """

    @abstractmethod
    def again(
        self, theta: Weights, images: Tensor, labels: Tensor, kept: Any, *, out: Weights | None
    ) -> Any:
        """Write the same gradient once more, if wanted, and prepare `add_products`.

        ``kept`` is what `gradient` returned at this point.
        """

    @abstractmethod
    def add_products(self, prepared: Any, vector: Weights, bars: Bars) -> None:
        """Add the gradient of ``<g, vector>``, ``vector`` held fixed, to the bars."""


def _refuse_random(module: nn.Module) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.dropout._DropoutNd) and part.training and part.p > 0:
            raise ValueError(f"module must be deterministic, got dropout in training mode: {name}")
        if getattr(part, "running_mean", None) is not None:
            raise ValueError(
                "module must not keep running statistics: an inner run would change them. Give "
                f"{name} track_running_stats=False, or use another normalisation"
            )


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each network, (K,).

    Parameters
    ----------
    logits : Tensor, shape (K, n, n_classes)
    labels : Tensor, shape (n,) of int64, or weights of classes (n, n_classes)

    Examples
    --------
    >>> logits = torch.zeros(2, 3, 4)  # two networks, three images, four classes
    >>> cross_entropies(logits, torch.tensor([0, 1, 3])).exp()
    tensor([4., 4.])
    """
    logs = functional.log_softmax(logits, dim=-1)
    if labels.is_floating_point():
        return (logs * labels).sum((1, 2)) / -labels.shape[0]
    chosen = labels.expand(logs.shape[:2])[..., None]
    return logs.gather(2, chosen)[..., 0].mean(1).neg()


class _Prepared(NamedTuple):
    leaf: Tensor
    images: Tensor
    labels: Tensor
    gradient: Tensor


class AutogradNetworks(Networks):
    """Any module, by `torch.func.functional_call` and automatic differentiation.

    Nothing is kept from step to step: one step's graph is built, used and freed.

    Examples
    --------
    >>> networks = AutogradNetworks(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)))
    >>> theta = networks.over(torch.zeros(12))
    >>> found = networks.losses(theta, torch.ones(1, 2), torch.tensor([0]), out=None)
    >>> found.exp()  # of two classes
    tensor([2.])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._buffers = {name: tensor.detach() for name, tensor in module.named_buffers()}

    def _call(self, views: list[Tensor], images: Tensor, paired: bool) -> Tensor:
        """Logits (K, n, n_classes); ``paired``: images have an axis of networks."""

        def one(parameters: dict[str, Tensor], seen: Tensor) -> Tensor:
            found: Tensor = torch.func.functional_call(
                self.module, (parameters, self._buffers), (seen,)
            )
            return found

        named = dict(zip(self.shapes, views, strict=True))
        if len(views[0]) == 1:
            single = {name: tensor[0] for name, tensor in named.items()}
            return one(single, images[0] if paired else images)[None]
        batched: Tensor = torch.func.vmap(one, in_dims=(0, 0 if paired else None))(named, images)
        return batched

    def logits(self, theta: Weights, images: Tensor) -> Tensor:
        """See `Networks`."""
        with torch.no_grad():
            return self._call(theta.parts, images, paired=False)

    def losses(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights | None
    ) -> Tensor:
        """See `Networks`."""
        if out is None:
            return cross_entropies(self.logits(theta, images), labels)
        with torch.enable_grad():
            leaf = theta.flat.detach().requires_grad_()
            found = cross_entropies(self._call(self.over(leaf).parts, images, False), labels)
            (gradient,) = torch.autograd.grad(found.sum(), leaf)
        out.flat.copy_(gradient)
        return found.detach()

    def gradient(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights, keep: bool = False
    ) -> Any:
        """See `Networks`."""
        self.losses(theta, images, labels, out=out)
        return None

    def again(
        self, theta: Weights, images: Tensor, labels: Tensor, kept: Any, *, out: Weights | None
    ) -> _Prepared:
        """See `Networks`."""
        with torch.enable_grad():
            leaf = theta.flat.detach().requires_grad_()
            # an axis of networks, so that their images' gradients can be kept apart
            seen = images.detach().expand(theta.n_networks, *images.shape).requires_grad_()
            known = labels.detach().requires_grad_()
            logits = self._call(self.over(leaf).parts, seen, paired=True)
            loss = cross_entropies(logits, known).sum()
            (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
        if out is not None:
            out.flat.copy_(gradient.detach())
        return _Prepared(leaf, seen, known, gradient)

    def add_products(self, prepared: Any, vector: Weights, bars: Bars) -> None:
        """See `Networks`."""
        leaf, images, labels, gradient = prepared
        wanted = (leaf, images) if bars.labels is None else (leaf, images, labels)
        found = torch.autograd.grad(gradient, wanted, vector.flat, materialize_grads=True)
        bars.weights.flat.add_(found[0])
        bars.images.add_(found[1] if bars.images.ndim == images.ndim else found[1].sum(0))
        if bars.labels is not None:
            bars.labels.add_(found[2])


class _Layer(NamedTuple):
    """Views of one affine map of ``K`` networks.

    Attributes
    ----------
    weight, turned : Tensor, shapes (K, n_outputs, n_inputs) and (K, n_inputs, n_outputs)
    bias : Tensor, shape (K, n_outputs)
    added : Tensor, shape (K, 1, n_outputs)
    rows, columns : Tensor, shapes (K * n_outputs, n_inputs) and (n_inputs, K * n_outputs)
        All networks in one matrix.
    line : Tensor, shape (1, K * n_outputs)
    """

    weight: Tensor
    turned: Tensor
    bias: Tensor
    added: Tensor
    rows: Tensor
    columns: Tensor
    line: Tensor


class _Pass(NamedTuple):
    """What a forward and backward pass of all networks leaves.

    Attributes
    ----------
    flat : Tensor, shape (n, n_pixels)
    hidden : list of Tensor, each of shape (K, n, width)
        After ReLU.
    slopes : list of Tensor, each of shape (K, n, width)
        1 where ReLU lets through, else 0.
    probabilities : Tensor, shape (K, n, n_classes)
    deltas : list of Tensor, each of shape (K, n, n_outputs)
        Derivative of the loss in what each layer puts out before ReLU, first layer first.
    """

    flat: Tensor
    hidden: list[Tensor]
    slopes: list[Tensor]
    probabilities: Tensor
    deltas: list[Tensor]


class _PreparedPass(NamedTuple):
    theta: Weights
    labels: Tensor
    passed: _Pass


class DenseNetworks(Networks):
    """ReLU perceptrons with derivatives by hand; small activations are kept, not computed anew.

    Examples
    --------
    >>> DenseNetworks.knows(nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)))
    True
    >>> DenseNetworks.knows(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)))
    False
    >>> networks = DenseNetworks(nn.Sequential(nn.Linear(2, 2)))
    >>> theta, out = networks.over(torch.zeros(6)), networks.over(torch.empty(6))
    >>> _ = networks.losses(theta, torch.ones(1, 2), torch.tensor([0]), out=out)
    >>> out.parts[1]  # in the biases: probabilities less labels
    tensor([[-0.5000,  0.5000]])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._labels: Tensor | None = None
        self._masses: Tensor | None = None

    @staticmethod
    def knows(module: nn.Module) -> bool:
        """Whether a module is [flatten,] linear, ReLU, linear, ..., linear, with biases."""
        if not isinstance(module, nn.Sequential):
            return False
        parts = list(module)
        if (
            parts
            and type(parts[0]) is nn.Flatten
            and (parts[0].start_dim, parts[0].end_dim)
            == (
                1,
                -1,
            )
        ):
            parts = parts[1:]
        if len(parts) % 2 == 0 or type(module).forward is not nn.Sequential.forward:
            return False
        affine = all(type(p) is nn.Linear and p.bias is not None for p in parts[::2])
        hooks = any(p._forward_hooks or p._forward_pre_hooks for p in module.modules())
        owned = len(list(module.parameters())) == 2 * len(parts[::2])  # none is shared
        return affine and owned and not hooks and all(type(p) is nn.ReLU for p in parts[1::2])

    def over(self, flat: Tensor) -> Weights:
        """See `Networks`."""
        found = super().over(flat)
        for weight, bias in zip(found.parts[::2], found.parts[1::2], strict=True):
            rows = weight.view(-1, weight.shape[2])
            turned, added = weight.transpose(1, 2), bias[:, None]
            found.layers.append(_Layer(weight, turned, bias, added, rows, rows.T, bias.view(1, -1)))
        return found

    def _masses_of(self, labels: Tensor) -> Tensor | None:
        """Sum of the labels of each image, (n, 1); None if all are 1."""
        if labels is not self._labels:
            masses: Tensor | None = labels.sum(1, keepdim=True)
            if labels.device.type == "cpu" and masses is not None and bool((masses == 1.0).all()):
                masses = None  # elsewhere it would have to be waited for
            self._labels, self._masses = labels, masses
        return self._masses

    def _forward(self, theta: Weights, flat: Tensor) -> tuple[list[Tensor], Tensor]:
        """Hidden layers, and logits (K, n, n_classes), a new tensor."""
        first, *others = theta.layers
        out = torch.addmm(first.line, flat, first.columns)
        hidden, current = [], out.view(flat.shape[0], theta.n_networks, -1).transpose(0, 1)
        for layer in others:
            hidden.append(current.relu_())
            current = torch.baddbmm(layer.added, hidden[-1], layer.turned)
        return hidden, current

    def logits(self, theta: Weights, images: Tensor) -> Tensor:
        """See `Networks`."""
        with torch.no_grad():
            return self._forward(theta, images.flatten(1))[1]

    def losses(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights | None
    ) -> Tensor:
        """See `Networks`."""
        with torch.no_grad():
            flat = images.flatten(1)
            hidden, logits = self._forward(theta, flat)
            losses = cross_entropies(logits, labels)
            if out is not None:
                delta = logits.softmax(-1)
                if labels.is_floating_point():
                    delta = delta.mul_(labels.sum(1, keepdim=True)).sub_(labels)
                else:
                    rows = torch.arange(labels.shape[0], device=labels.device)
                    delta[:, rows, labels] -= 1.0
                delta.div_(labels.shape[0])
                slopes = [seen.sign() for seen in hidden]
                self._write(out, flat, hidden, self._backward(theta, slopes, delta))
            return losses

    def _backward(self, theta: Weights, slopes: list[Tensor], delta: Tensor) -> list[Tensor]:
        """Differentiate the loss in each layer's output, first layer first."""
        deltas = [delta]
        for layer, slope in zip(theta.layers[:0:-1], slopes[::-1], strict=True):
            deltas.append(torch.bmm(deltas[-1], layer.weight).mul_(slope))
        return deltas[::-1]

    def _write(
        self, out: Weights, flat: Tensor, hidden: list[Tensor], deltas: list[Tensor]
    ) -> None:
        """Write the gradient in the weights."""
        first, *others = out.layers
        torch.sum(deltas[0], 1, out=first.bias)
        torch.mm(_rows(deltas[0]).T, flat, out=first.rows)
        for layer, seen, delta in zip(others, hidden, deltas[1:], strict=True):
            torch.sum(delta, 1, out=layer.bias)
            torch.bmm(delta.transpose(1, 2), seen, out=layer.weight)

    def gradient(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights, keep: bool = False
    ) -> _Pass:
        """See `Networks`."""
        flat = images.flatten(1)
        hidden, logits = self._forward(theta, flat)
        probabilities = logits.softmax(-1)
        masses = self._masses_of(labels)
        delta = probabilities if masses is None else probabilities * masses
        delta = torch.sub(delta, labels).div_(labels.shape[0])
        slopes = [seen.sign() for seen in hidden]
        deltas = self._backward(theta, slopes, delta)
        self._write(out, flat, hidden, deltas)
        return _Pass(flat, hidden, slopes, probabilities, deltas)

    def again(
        self, theta: Weights, images: Tensor, labels: Tensor, kept: Any, *, out: Weights | None
    ) -> _PreparedPass:
        """See `Networks`."""
        if out is not None:
            self._write(out, kept.flat, kept.hidden, kept.deltas)
        return _PreparedPass(theta, labels, kept)

    def add_products(self, prepared: Any, vector: Weights, bars: Bars) -> None:
        """See `Networks`."""
        theta, labels, (flat, hidden, slopes, probabilities, deltas) = prepared
        layers, along, n = theta.layers, vector.layers, flat.shape[0]
        # tangents forward
        moved = torch.addmm(along[0].line, flat, along[0].columns)
        moved = moved.view(n, theta.n_networks, -1).transpose(0, 1)
        tangents = []
        for i, (seen, slope) in enumerate(zip(hidden, slopes, strict=True), 1):
            tangents.append(moved.mul_(slope))
            moved = torch.baddbmm(along[i].added, seen, along[i].turned)
            moved.baddbmm_(tangents[-1], layers[i].turned)
        # of the loss's derivative in the logits
        centred = moved - (probabilities * moved).sum(-1, keepdim=True)
        if bars.labels is not None:
            bars.labels.sub_(centred.sum(0), alpha=1.0 / n)
        turn, masses = centred.mul_(probabilities).div_(n), self._masses_of(labels)
        if masses is not None:
            turn.mul_(masses)
        # tangents of the backward pass
        targets = bars.weights.layers
        for i in range(len(layers) - 1, 0, -1):
            seen, tangent, delta = hidden[i - 1], tangents[i - 1], deltas[i]
            targets[i].bias.add_(turn.sum(1))
            targets[i].weight.baddbmm_(turn.transpose(1, 2), seen)
            targets[i].weight.baddbmm_(delta.transpose(1, 2), tangent)
            turn = torch.bmm(turn, layers[i].weight).baddbmm_(delta, along[i].weight)
            turn.mul_(slopes[i - 1])
        targets[0].bias.add_(turn.sum(1))
        rows = _rows(turn)
        targets[0].rows.addmm_(rows.T, flat)
        if bars.images.numel() == flat.numel():  # summed over networks
            target = bars.images.view(flat.shape)
            target.addmm_(rows, layers[0].rows).addmm_(_rows(deltas[0]), along[0].rows)
        else:
            target = bars.images.view(theta.n_networks, *flat.shape)
            target.baddbmm_(turn, layers[0].weight).baddbmm_(deltas[0], along[0].weight)


def _rows(batched: Tensor) -> Tensor:
    """(K, n, width) to (n, K * width), the networks side by side."""
    if batched.shape[0] == 1:
        return batched[0]
    return batched.transpose(0, 1).reshape(batched.shape[1], -1)
