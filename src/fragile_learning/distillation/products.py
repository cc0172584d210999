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
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# ruff: noqa: ARG002 - all kinds of networks take the same

__all__ = ["AutogradNetworks", "Bars", "DenseNetworks", "Networks", "networks_of"]


class Weights(NamedTuple):
    """Numbers of ``K`` networks, one for each of their ``P`` parameters.

    Attributes
    ----------
    flat : Tensor, shape (K * P,)
    parts : list of Tensor, each of shape (K, ...)
        Views of ``flat``, one a parameter.
    """

    flat: Tensor
    parts: list[Tensor]

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.parts[0])


class Bars(NamedTuple):
    """Where products are added to.

    Attributes
    ----------
    weights : Weights
    images : Tensor, shape (n, ...), or (K, n, ...) to keep the networks apart
    labels : Tensor, shape (n, n_classes), or None
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
        return Weights(flat, [p.view(count, *s) for p, s in zip(parts, shapes, strict=True)])

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
    def gradient(self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights) -> Any:
        """Write the gradient of each network's loss to ``out``; what is returned helps `again`."""

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


def networks_of(module: nn.Module) -> Networks:
    """Choose how to differentiate a module: written out where its structure is known.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    Networks
        `DenseNetworks` for a sequence [flatten,] linear, ReLU, linear, ..., linear, all with
        biases; else `AutogradNetworks`.
    """
    return DenseNetworks(module) if DenseNetworks.knows(module) else AutogradNetworks(module)


def _cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Of each network, (K,), from logits (K, n, n_classes)."""
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
            return _cross_entropies(self.logits(theta, images), labels)
        with torch.enable_grad():
            leaf = theta.flat.detach().requires_grad_()
            found = _cross_entropies(self._call(self.over(leaf).parts, images, False), labels)
            (gradient,) = torch.autograd.grad(found.sum(), leaf)
        out.flat.copy_(gradient)
        return found.detach()

    def gradient(self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights) -> Any:
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
            loss = _cross_entropies(logits, known).sum()
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


class _Pass(NamedTuple):
    """What a forward and backward pass of all networks leaves.

    Attributes
    ----------
    flat : Tensor, shape (n, n_pixels)
    hidden : list of Tensor, each of shape (K, n, width)
        After ReLU.
    probabilities : Tensor, shape (K, n, n_classes)
    deltas : list of Tensor, each of shape (K, n, n_outputs)
        Derivative of the loss in what each layer puts out before ReLU, first layer first.
    """

    flat: Tensor
    hidden: list[Tensor]
    probabilities: Tensor
    deltas: list[Tensor]


class _PreparedPass(NamedTuple):
    theta: Weights
    labels: Tensor
    passed: _Pass


class DenseNetworks(Networks):
    """ReLU perceptrons with derivatives by hand; small activations are kept, not computed anew."""

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

    def _layers(self, weights: Weights) -> list[tuple[Tensor, Tensor]]:
        """Weight (K, n_outputs, n_inputs) and bias (K, n_outputs) of each layer."""
        return list(zip(weights.parts[::2], weights.parts[1::2], strict=True))

    def _forward(self, theta: Weights, flat: Tensor) -> tuple[list[Tensor], Tensor]:
        """Hidden layers, and logits (K, n, n_classes), a new tensor."""
        layers = self._layers(theta)
        weight, bias = layers[0]
        count, n = len(weight), len(flat)
        out = torch.addmm(bias.view(1, -1), flat, weight.view(-1, flat.shape[1]).T)
        hidden, current = [], out.view(n, count, -1).transpose(0, 1)
        for weight, bias in layers[1:]:
            hidden.append(current.relu_())
            current = torch.baddbmm(bias[:, None], hidden[-1], weight.transpose(1, 2))
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
            losses = _cross_entropies(logits, labels)
            if out is not None:
                delta = logits.softmax(-1)
                if labels.is_floating_point():
                    delta = delta.mul_(labels.sum(1, keepdim=True)).sub_(labels)
                else:
                    rows = torch.arange(len(labels), device=labels.device)
                    delta[:, rows, labels] -= 1.0
                delta.div_(len(labels))
                self._write(out, flat, hidden, self._backward(theta, hidden, delta))
            return losses

    def _backward(self, theta: Weights, hidden: list[Tensor], delta: Tensor) -> list[Tensor]:
        """Differentiate the loss in each layer's output, first layer first."""
        deltas = [delta]
        for (weight, _), seen in zip(self._layers(theta)[:0:-1], hidden[::-1], strict=True):
            deltas.append(torch.bmm(deltas[-1], weight).mul_(seen.sign()))
        return deltas[::-1]

    def _write(
        self, out: Weights, flat: Tensor, hidden: list[Tensor], deltas: list[Tensor]
    ) -> None:
        """Write the gradient in the weights."""
        layers = self._layers(out)
        weight, bias = layers[0]
        torch.sum(deltas[0], 1, out=bias)
        torch.mm(_rows(deltas[0]).T, flat, out=weight.view(-1, flat.shape[1]))
        for (weight, bias), seen, delta in zip(layers[1:], hidden, deltas[1:], strict=True):
            torch.sum(delta, 1, out=bias)
            torch.bmm(delta.transpose(1, 2), seen, out=weight)

    def gradient(self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights) -> _Pass:
        """See `Networks`."""
        with torch.no_grad():
            flat = images.flatten(1)
            hidden, logits = self._forward(theta, flat)
            probabilities = logits.softmax(-1)
            delta = probabilities * labels.sum(1, keepdim=True)
            delta.sub_(labels).div_(len(labels))
            deltas = self._backward(theta, hidden, delta)
            self._write(out, flat, hidden, deltas)
            return _Pass(flat, hidden, probabilities, deltas)

    def again(
        self, theta: Weights, images: Tensor, labels: Tensor, kept: Any, *, out: Weights | None
    ) -> _PreparedPass:
        """See `Networks`."""
        if out is not None:
            with torch.no_grad():
                self._write(out, kept.flat, kept.hidden, kept.deltas)
        return _PreparedPass(theta, labels, kept)

    def add_products(self, prepared: Any, vector: Weights, bars: Bars) -> None:
        """See `Networks`."""
        theta, labels, (flat, hidden, probabilities, deltas) = prepared
        with torch.no_grad():
            layers, along = self._layers(theta), self._layers(vector)
            count, (n, pixels) = len(layers[0][0]), flat.shape
            # tangents forward
            step, bias = along[0]
            moved = torch.addmm(bias.view(1, -1), flat, step.view(-1, pixels).T)
            moved = moved.view(n, count, -1).transpose(0, 1)
            tangents = []
            for (weight, _), (step, bias), seen in zip(layers[1:], along[1:], hidden, strict=True):
                tangents.append(moved.mul_(seen.sign()))
                moved = torch.baddbmm(bias[:, None], seen, step.transpose(1, 2))
                moved.baddbmm_(tangents[-1], weight.transpose(1, 2))
            # of the loss's derivative in the logits
            centred = moved - (probabilities * moved).sum(-1, keepdim=True)
            if bars.labels is not None:
                bars.labels.sub_(centred.sum(0), alpha=1.0 / n)
            turn = centred.mul_(probabilities).mul_(labels.sum(1, keepdim=True) / n)
            # tangents of the backward pass
            targets = self._layers(bars.weights)
            for i in range(len(layers) - 1, 0, -1):
                target, bias = targets[i]
                seen, tangent, delta = hidden[i - 1], tangents[i - 1], deltas[i]
                bias.add_(turn.sum(1))
                target.baddbmm_(turn.transpose(1, 2), seen)
                target.baddbmm_(delta.transpose(1, 2), tangent)
                turn = torch.bmm(turn, layers[i][0]).baddbmm_(delta, along[i][0]).mul_(seen.sign())
            target, bias = targets[0]
            bias.add_(turn.sum(1))
            target.view(-1, pixels).addmm_(_rows(turn).T, flat)
            self._add_images(bars.images, turn, deltas[0], layers[0][0], along[0][0], flat)

    @staticmethod
    def _add_images(
        images: Tensor, turn: Tensor, delta: Tensor, weight: Tensor, step: Tensor, flat: Tensor
    ) -> None:
        n, pixels = flat.shape
        if images.numel() == flat.numel():  # summed over networks
            target = images.view(n, pixels)
            target.addmm_(_rows(turn), weight.view(-1, pixels))
            target.addmm_(_rows(delta), step.view(-1, pixels))
        else:
            target = images.view(len(weight), n, pixels)
            target.baddbmm_(turn, weight).baddbmm_(delta, step)


def _rows(batched: Tensor) -> Tensor:
    """(K, n, width) to (n, K * width), the networks side by side."""
    return batched.transpose(0, 1).reshape(batched.shape[1], -1)
