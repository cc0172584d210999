"""The field's ConvNet with derivatives by hand: convolution, instance norm, ReLU, mean pooling.

With ``N`` the projection of a map on what its normalised self leaves free, ``N(v) = v - mean(v) -
z mean(v z)``, a block is ``c = a * W``, ``z = r (c - mean(c))``, ``u = gamma z + beta``, ``pool
(relu(u))``, its backward pass ``c_bar = r N(gamma u_bar)``, and a tangent passes as ``z' = r
N(c')``, ``r' = -r^2 mean(z c')``. What a step of the window keeps is small: the pooled maps, and
the normalised ones of all blocks but the first, whose maps are the largest and, from one to three
channels, the cheapest to compute anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from fragile_learning.distillation.models import ConvNet
from fragile_learning.distillation.products import Bars, Networks, Weights, cross_entropies

__all__ = ["BlockNetworks"]


class _Part(NamedTuple):
    """Views of one block of one network.

    Attributes
    ----------
    kernel : Tensor, shape (width, n_inputs, 3, 3)
    scale, shift : Tensor, shape (width, 1, 1)
    """

    kernel: Tensor
    scale: Tensor
    shift: Tensor


class _One(NamedTuple):
    """Views of one network's weights."""

    blocks: list[_Part]
    weight: Tensor  # (n_classes, n_features)
    bias: Tensor  # (n_classes,)


class _Maps(NamedTuple):
    """What a block leaves on its way forward.

    Attributes
    ----------
    seen : Tensor, shape (n, n_inputs, height, width), or of patches for the first block
    normal : Tensor, shape (n, channels, height, width)
        Normalised.
    rate : Tensor, shape (n, channels, 1, 1)
        One over the standard deviation.
    slope : Tensor, shape of ``normal``
        1 where ReLU lets through, else 0.
    """

    seen: Tensor
    normal: Tensor
    rate: Tensor
    slope: Tensor


class _Kept(NamedTuple):
    """What a step of the window keeps of one network.

    Attributes
    ----------
    seen, normal, rate : list of Tensor
        Of all blocks but the first.
    pooled_bars : list of Tensor
        Derivative of the loss in what each block puts out.
    features : Tensor, shape (n, n_features)
    probabilities, delta : Tensor, shape (n, n_classes)
    """

    seen: list[Tensor]
    normal: list[Tensor]
    rate: list[Tensor]
    pooled_bars: list[Tensor]
    features: Tensor
    probabilities: Tensor
    delta: Tensor


class _Prepared(NamedTuple):
    theta: Weights
    images: Tensor
    labels: Tensor
    kept: list[_Kept]


class BlockNetworks(Networks):
    """`models.ConvNet` without convolution biases, maps of even sides; network after network.

    Examples
    --------
    >>> from fragile_learning.distillation.models import draw_parameters
    >>> from fragile_learning.distillation.products import AutogradNetworks
    >>> draw = torch.Generator().manual_seed(1)
    >>> module = ConvNet((1, 8, 8), width=4, depth=2)
    >>> start = draw_parameters(module, n_networks=2, generator=draw)
    >>> images, labels = torch.randn(6, 1, 8, 8, generator=draw), torch.arange(6)
    >>> gradients = []
    >>> for networks in (BlockNetworks(module), AutogradNetworks(module)):
    ...     theta = networks.pack(start)
    ...     gradients.append(torch.empty_like(theta.flat))
    ...     _ = networks.losses(theta, images, labels, out=networks.over(gradients[-1]))
    >>> torch.allclose(*gradients, atol=1e-5)
    True
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        assert isinstance(module, ConvNet)  # noqa: S101 - for mypy; `knows` has looked
        self._net = module
        self._depth = len(module.convolutions)
        self._padding = module.padding
        self._eps = module.eps
        self._patches: tuple[Tensor, Tensor] | None = None
        self._pools: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}
        self._rooms: dict[tuple[str, int], Tensor] = {}

    @staticmethod
    def knows(module: nn.Module) -> bool:
        """Whether a module is a `models.ConvNet` of that kind."""
        if not isinstance(module, ConvNet) or type(module) is not ConvNet or module.bias:
            return False
        hooks = any(p._forward_hooks or p._forward_pre_hooks for p in module.modules())
        return not hooks and not any(side % 2 for side in module.sides)

    def over(self, flat: Tensor) -> Weights:
        """See `Networks`."""
        found = super().over(flat)
        named = dict(zip(self.shapes, found.parts, strict=True))
        for k in range(found.n_networks):
            blocks = [
                _Part(
                    named[f"convolutions.{i}.weight"][k],
                    named[f"norms.{i}.weight"][k][:, None, None],
                    named[f"norms.{i}.bias"][k][:, None, None],
                )
                for i in range(self._depth)
            ]
            found.layers.append(_One(blocks, named["head.weight"][k], named["head.bias"][k]))
        return found

    # --- parts of a block ---

    def _room(self, name: str, i: int, like: Tensor, shape: torch.Size | None = None) -> Tensor:
        """Memory for a map of block i that the next one of that name overwrites.

        Fresh memory of this size costs more than what is computed in it.
        """
        size = like.shape if shape is None else shape
        found = self._rooms.get((name, i))
        if (
            found is None
            or found.shape != size
            or found.dtype != like.dtype
            or found.device != like.device
        ):
            found = self._rooms[name, i] = like.new_empty(size)
        return found

    def _pool(self, maps: Tensor) -> Tensor:
        """Mean of two by two, as a matrix product: two rows of a map, one of the pooled map."""
        n, channels, height, width = maps.shape
        out = maps.reshape(-1, 2 * width) @ self._pooling(width, maps)
        return out.view(n, channels, height // 2, width // 2)

    def _unpool(self, pooled: Tensor, name: str, i: int) -> Tensor:
        """Adjoint of `_pool`, in the room of that name."""
        n, channels, height, width = pooled.shape
        size = torch.Size((n, channels, 2 * height, 2 * width))
        out = self._room(name, i, pooled, size)
        rows = pooled.reshape(-1, width)
        torch.mm(rows, self._pooling(2 * width, pooled).T, out=out.view(-1, 4 * width))
        return out

    def _pooling(self, width: int, like: Tensor) -> Tensor:
        """Matrix (2 width, width / 2) that takes two rows to their pooled one."""
        key = width, like.dtype, like.device
        if key not in self._pools:
            pairs = torch.eye(width // 2, dtype=like.dtype, device=like.device)
            self._pools[key] = 0.25 * pairs.repeat_interleave(2, 0).repeat(2, 1)
        return self._pools[key]

    def _patches_of(self, images: Tensor) -> Tensor:
        """Patches (n, n_inputs * 9, places) of images; those of the last images are kept."""
        if self._patches is None or self._patches[0] is not images:
            found = functional.unfold(images, 3, padding=self._padding)
            self._patches = images, found
        return self._patches[1]

    def _convolved(self, i: int, kernel: Tensor, seen: Tensor) -> Tensor:
        """Convolution of block i; the first one sees patches."""
        if i:
            return functional.conv2d(seen, kernel, padding=1)
        out = torch.matmul(kernel.flatten(1), seen)
        height, width = self._net.sides[:2]
        return out.view(len(seen), -1, height, width)

    def _kernel_bar(self, i: int, like: Tensor, seen: Tensor, bar: Tensor) -> Tensor:
        """Differentiate in the kernel of block i."""
        if i:
            found: Tensor = conv2d_weight(seen, like.shape, bar, padding=1)  # type: ignore[no-untyped-call]
            return found
        return torch.bmm(bar.flatten(2), seen.transpose(1, 2)).sum(0).view(like.shape)

    def _block(self, i: int, part: _Part, seen: Tensor) -> tuple[_Maps, Tensor]:
        """One block forward: what it leaves, and its output."""
        out = self._convolved(i, part.kernel, seen)
        n, channels, height, width = out.shape
        normal, _, rate = torch.native_group_norm(
            out, None, None, n, channels, height * width, channels, self._eps
        )
        raised = torch.mul(normal, part.scale, out=out).add_(part.shift).relu_()
        rate = rate.view(n, channels, 1, 1)
        pooled = self._pool(raised)
        return _Maps(seen, normal, rate, raised.sign_()), pooled

    def _slope(self, i: int, part: _Part, normal: Tensor) -> Tensor:
        room = self._room("slope", i, normal)
        return torch.mul(normal, part.scale, out=room).add_(part.shift).relu_().sign_()

    def _mean_product(self, i: int, one: Tensor, other: Tensor) -> Tensor:
        """Mean of the product of two maps, (n, channels, 1, 1)."""
        room = self._room("product", i, one)
        return torch.mul(one, other, out=room).mean((2, 3), keepdim=True)

    def _project(self, i: int, bar: Tensor, normal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``N(bar)`` in place, and the means of bar and bar times normal, (n, channels, 1, 1)."""
        mean = bar.mean((2, 3), keepdim=True)
        along = self._mean_product(i, bar, normal)
        return bar.sub_(mean).addcmul_(normal, along, value=-1.0), mean, along

    # --- whole networks ---

    def _forward(self, one: _One, images: Tensor) -> tuple[list[_Maps], Tensor, Tensor]:
        """Compute maps of all blocks, features (n, n_features) and logits."""
        seen, maps = self._patches_of(images), []
        for i, part in enumerate(one.blocks):
            left, seen = self._block(i, part, seen)
            maps.append(left)
        features = seen.flatten(1)
        return maps, features, torch.addmm(one.bias, features, one.weight.T)

    def _backward(
        self, one: _One, out: _One, maps: list[_Maps], features: Tensor, delta: Tensor
    ) -> list[Tensor]:
        """Write the gradient; returns derivatives in what each block puts out."""
        torch.sum(delta, 0, out=out.bias)
        torch.mm(delta.T, features, out=out.weight)
        height, width = (side // 2 for side in maps[-1].normal.shape[2:])
        bar = (delta @ one.weight).view(len(delta), -1, height, width)
        pooled_bars = [bar]
        for i in range(self._depth - 1, -1, -1):
            part, target, left = one.blocks[i], out.blocks[i], maps[i]
            turned = self._unpool(bar, "turned", i).mul_(left.slope)
            turned, mean, along = self._project(i, turned, left.normal)
            places = left.normal.shape[2] * left.normal.shape[3]
            torch.mul(mean.sum(0), places, out=target.shift)
            torch.mul(along.sum(0), places, out=target.scale)
            turned.mul_(left.rate * part.scale)
            target.kernel.copy_(self._kernel_bar(i, part.kernel, left.seen, turned))
            if i:
                bar = functional.conv_transpose2d(turned, part.kernel, padding=1)
                pooled_bars.append(bar)
        return pooled_bars[::-1]

    def logits(self, theta: Weights, images: Tensor) -> Tensor:
        """See `Networks`."""
        with torch.no_grad():
            return torch.stack([self._forward(one, images)[2] for one in theta.layers])

    def losses(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights | None
    ) -> Tensor:
        """See `Networks`."""
        with torch.no_grad():
            found = []
            weights = labels
            if not labels.is_floating_point():
                n_classes = theta.layers[0].bias.shape[0]
                weights = functional.one_hot(labels, n_classes).to(images.dtype)
            for k, one in enumerate(theta.layers):
                maps, features, logits = self._forward(one, images)
                found.append(cross_entropies(logits[None], labels))
                if out is not None:
                    delta = _delta(logits.softmax(1), weights)
                    self._backward(one, out.layers[k], maps, features, delta)
            self._patches = None
            return torch.cat(found)

    def gradient(
        self, theta: Weights, images: Tensor, labels: Tensor, *, out: Weights, keep: bool = False
    ) -> Any:
        """See `Networks`."""
        kept = []
        for one, target in zip(theta.layers, out.layers, strict=True):
            maps, features, logits = self._forward(one, images)
            probabilities = logits.softmax(1)
            delta = _delta(probabilities, labels)
            bars = self._backward(one, target, maps, features, delta)
            if keep:
                seen, normal, rate = ([m[j] for m in maps[1:]] for j in range(3))
                kept.append(_Kept(seen, normal, rate, bars, features, probabilities, delta))
        return (kept, out.flat.clone()) if keep else None

    def again(
        self, theta: Weights, images: Tensor, labels: Tensor, kept: Any, *, out: Weights | None
    ) -> _Prepared:
        """See `Networks`."""
        parts, gradient = kept
        if out is not None:
            out.flat.copy_(gradient)
        return _Prepared(theta, images, labels, parts)

    def add_products(self, prepared: Any, vector: Weights, bars: Bars) -> None:
        """See `Networks`."""
        theta, images, labels, parts = prepared
        for k, kept in enumerate(parts):
            image_bar = bars.images[k] if bars.images.ndim > images.ndim else bars.images
            self._add_products(
                theta.layers[k],
                vector.layers[k],
                bars.weights.layers[k],
                kept,
                images,
                labels,
                image_bar,
                bars.labels,
            )

    def _add_products(
        self,
        one: _One,
        along: _One,
        target: _One,
        kept: _Kept,
        images: Tensor,
        labels: Tensor,
        image_bar: Tensor,
        label_bar: Tensor | None,
    ) -> None:
        """Add the products of one network."""
        n = len(images)
        first, _ = self._block(0, one.blocks[0], self._patches_of(images))
        maps = [first]
        for i, (seen, normal, rate) in enumerate(
            zip(kept.seen, kept.normal, kept.rate, strict=True), 1
        ):
            maps.append(_Maps(seen, normal, rate, self._slope(i, one.blocks[i], normal)))
        # tangents forward
        tangents: list[tuple[Tensor | None, Tensor, Tensor]] = []  # of seen, of normal; mean(z c')
        moved: Tensor | None = None
        for i, (part, step, left) in enumerate(zip(one.blocks, along.blocks, maps, strict=True)):
            change = self._convolved(i, step.kernel, left.seen)
            if moved is not None:
                change.add_(self._convolved(i, part.kernel, moved))
            change, _, pull = self._project(i, change, left.normal)
            change.mul_(left.rate)
            tangents.append((moved, change, pull))
            room = self._room("raised", i, change)
            raised = torch.mul(change, part.scale, out=room).addcmul_(left.normal, step.scale)
            moved = self._pool(raised.add_(step.shift).mul_(left.slope))
        assert moved is not None  # noqa: S101 - depth is at least 1
        # of the loss's derivative in the logits
        turn = moved.flatten(1)
        change = torch.addmm(along.bias, kept.features, along.weight.T)
        change.addmm_(turn, one.weight.T)
        centred = change - (kept.probabilities * change).sum(1, keepdim=True)
        if label_bar is not None:
            label_bar.sub_(centred, alpha=1.0 / n)
        delta = centred.mul_(kept.probabilities).mul_(labels.sum(1, keepdim=True)).div_(n)
        target.bias.add_(delta.sum(0))
        target.weight.addmm_(delta.T, kept.features).addmm_(kept.delta.T, turn)
        bar = (delta @ one.weight).addmm_(kept.delta, along.weight)
        # tangents of the backward pass
        bar = bar.view(kept.pooled_bars[-1].shape)
        for i in range(self._depth - 1, -1, -1):
            part, step, left, goal = one.blocks[i], along.blocks[i], maps[i], target.blocks[i]
            seen_change, change, pull = tangents[i]
            plain = self._unpool(kept.pooled_bars[i], "plain", i).mul_(left.slope)
            turned = self._unpool(bar, "turned", i).mul_(left.slope)
            places = left.normal.shape[2] * left.normal.shape[3]
            crossed = self._mean_product(i, plain, change)
            goal.shift.add_(turned.sum((0, 2, 3))[:, None, None])
            straight = self._mean_product(i, turned, left.normal)
            goal.scale.add_((straight + crossed).sum(0), alpha=places)
            # e = gamma' u_bar + gamma u_bar', the tangent of the bar of what is normalised
            turned.mul_(part.scale).addcmul_(plain, step.scale)
            plain, _, weight = self._project(i, plain, left.normal)
            turned, _, _ = self._project(i, turned, left.normal)
            inner = part.scale * crossed  # the rest of the tangent of mean(gamma u_bar z)
            turned.addcmul_(change, part.scale * weight, value=-1.0)
            turned.addcmul_(left.normal, inner, value=-1.0)
            plain.mul_(left.rate * part.scale)  # the bar of the convolution's output
            turned.mul_(left.rate).addcmul_(plain, left.rate * pull, value=-1.0)
            goal.kernel.add_(self._kernel_bar(i, part.kernel, left.seen, turned))
            if seen_change is not None:
                goal.kernel.add_(self._kernel_bar(i, part.kernel, seen_change, plain))
            if i:
                bar = functional.conv_transpose2d(turned, part.kernel, padding=1)
                bar.add_(functional.conv_transpose2d(plain, step.kernel, padding=1))
            else:
                patches = torch.matmul(part.kernel.flatten(1).T, turned.flatten(2))
                patches.add_(torch.matmul(step.kernel.flatten(1).T, plain.flatten(2)))
                size = (images.shape[2], images.shape[3])
                image_bar.add_(functional.fold(patches, size, 3, padding=self._padding))


def _delta(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Differentiate the mean cross-entropy in the logits, (n, n_classes)."""
    return (probabilities * labels.sum(1, keepdim=True)).sub_(labels).div_(labels.shape[0])
