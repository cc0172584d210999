"""Networks that learn from distilled images: perceptrons, the field's ConvNet, two to transfer to.

All are plain `torch.nn.Module`; so may be yours. `draw_parameters` gives many of them new weights
at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from fragile_learning._validation import whole_number

__all__ = ["MLP", "ConvNet", "ResNet", "Vgg", "draw_parameters"]


def _shape_of(input_shape: Sequence[int], ndim: int | None = None) -> tuple[int, ...]:
    if ndim is not None and len(input_shape) != ndim:
        raise ValueError(f"input_shape must have {ndim} entries, got {tuple(input_shape)}")
    return tuple(whole_number(f"input_shape[{i}]", n) for i, n in enumerate(input_shape))


class MLP(nn.Sequential):
    """ReLU perceptron: flatten, then affine maps with ReLU between them.

    Parameters
    ----------
    input_shape : sequence of int
        Of one image.
    widths : sequence of int
        Hidden units of each layer; may be empty.
    n_classes : int
        >= 1.

    Examples
    --------
    >>> MLP((1, 8, 8), widths=(64,), n_classes=10)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """

    def __init__(
        self, input_shape: Sequence[int], *, widths: Sequence[int] = (64,), n_classes: int = 10
    ) -> None:
        sizes = [math.prod(_shape_of(input_shape))]
        sizes += [whole_number(f"widths[{i}]", width) for i, width in enumerate(widths)]
        layers: list[nn.Module] = [nn.Flatten()]
        for n_in, n_out in pairwise(sizes):
            layers += [_linear(n_in, n_out), nn.ReLU()]
        super().__init__(*layers, _linear(sizes[-1], whole_number("n_classes", n_classes)))


class ConvNet(nn.Module):
    """The ConvNet of the field: depth times [convolution, instance norm, ReLU, mean pool], linear.

    Parameters
    ----------
    input_shape : sequence of int
        (channels, height, width) of one image.
    width : int
        Channels of each convolution, >= 1.
    depth : int
        Blocks, >= 1; each halves the picture.
    n_classes : int
        >= 1.
    bias : bool
        Whether convolutions have a bias, which the normalisation after them takes out again. The
        field's networks have one. Its exact gradient is 0; what rounding leaves of that, Adam
        blows up to full steps (see the chapter).

    Notes
    -----
    Convolutions are 3 by 3 with padding 1; for one channel of 28 pixels the first one pads by 3, so
    that maps have 32 pixels (as the authors' code).

    Examples
    --------
    >>> count = lambda net: sum(p.numel() for p in net.parameters())
    >>> count(ConvNet((3, 32, 32), bias=True))
    320010
    >>> ConvNet((1, 28, 28), width=8)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        *,
        width: int = 128,
        depth: int = 3,
        n_classes: int = 10,
        bias: bool = False,
    ) -> None:
        super().__init__()
        channels, height, breadth = _shape_of(input_shape, 3)
        count, size = whole_number("width", width), whole_number("depth", depth)
        wide = (channels, height, breadth) == (1, 28, 28)
        if wide:
            height = breadth = 32
        if min(height, breadth) >> size < 1:
            raise ValueError(
                f"depth must leave something of a picture of {tuple(input_shape)}, got {size}"
            )
        self.bias, self.padding, self.eps = bias, 3 if wide else 1, 1e-5
        self.sides: list[int] = []  # height and width of each block's maps
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        with torch.random.fork_rng(devices=[]):  # new weights are drawn by `draw_parameters`
            for i in range(size):
                padding = 1 if i else self.padding
                inputs = channels if i == 0 else count
                self.sides += [height >> i, breadth >> i]
                self.convolutions.append(nn.Conv2d(inputs, count, 3, padding=padding, bias=bias))
                self.norms.append(nn.GroupNorm(count, count, eps=self.eps))
            pixels = (height >> size) * (breadth >> size)
            self.head = nn.Linear(count * pixels, whole_number("n_classes", n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, height, width) to logits (n, n_classes)."""
        hidden = images
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = nn.functional.avg_pool2d(norm(convolution(hidden)).relu(), 2)
        logits: Tensor = self.head(hidden.flatten(1))
        return logits


class Vgg(nn.Sequential):
    """A small network in the manner of VGG: pairs of convolutions and max pooling.

    Parameters
    ----------
    input_shape : sequence of int
        (channels, height, width) of one image.
    width : int
        Channels of the first pair, >= 1; the second has twice as many.
    n_classes : int
        >= 1.

    Examples
    --------
    >>> Vgg((1, 8, 8), width=4)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """

    def __init__(self, input_shape: Sequence[int], *, width: int = 32, n_classes: int = 10) -> None:
        channels, height, breadth = _shape_of(input_shape, 3)
        count = whole_number("width", width)
        if min(height, breadth) < 4:
            raise ValueError(f"input_shape must have >= 4 pixels a side, got {tuple(input_shape)}")
        layers: list[nn.Module] = []
        with torch.random.fork_rng(devices=[]):
            for n_out in (count, 2 * count):
                for _ in range(2):
                    layers += [
                        nn.Conv2d(channels, n_out, 3, padding=1, bias=False),
                        nn.GroupNorm(n_out, n_out),
                        nn.ReLU(),
                    ]
                    channels = n_out
                layers.append(nn.MaxPool2d(2))
            pixels = (height // 4) * (breadth // 4)
            head = nn.Linear(channels * pixels, whole_number("n_classes", n_classes))
        super().__init__(*layers, nn.Flatten(), head)


class _Residual(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))), the first convolution with a stride."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(n_out, n_out) for _ in range(2))
        self.short = nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norms[0](self.first(x)).relu()
        return torch.add(self.short(x), self.norms[1](self.second(hidden))).relu()


class ResNet(nn.Sequential):
    """A small residual network: one convolution, three residual blocks, global mean, linear.

    Parameters
    ----------
    input_shape : sequence of int
        (channels, height, width) of one image.
    width : int
        Channels of the first block, >= 1; the others have two and four times as many.
    n_classes : int
        >= 1.

    Examples
    --------
    >>> ResNet((1, 8, 8), width=4, n_classes=2)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 2])
    """

    def __init__(self, input_shape: Sequence[int], *, width: int = 16, n_classes: int = 10) -> None:
        channels, height, breadth = _shape_of(input_shape, 3)
        if min(height, breadth) < 8:  # instance norm needs more than one pixel
            raise ValueError(f"input_shape must have >= 8 pixels a side, got {tuple(input_shape)}")
        count = whole_number("width", width)
        with torch.random.fork_rng(devices=[]):
            super().__init__(
                nn.Conv2d(channels, count, 3, padding=1, bias=False),
                nn.GroupNorm(count, count),
                nn.ReLU(),
                _Residual(count, count, 1),
                _Residual(count, 2 * count, 2),
                _Residual(2 * count, 4 * count, 2),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(4 * count, whole_number("n_classes", n_classes)),
            )


def _linear(n_in: int, n_out: int) -> nn.Linear:
    """Without a trace in torch's global random state."""
    with torch.random.fork_rng(devices=[]):
        return nn.Linear(n_in, n_out)


def _laws(module: nn.Module) -> dict[str, tuple[float, float]]:
    """Middle and half-width of the uniform law of each parameter."""
    laws: dict[str, tuple[float, float]] = {}
    for path, part in module.named_modules():
        own = dict(part.named_parameters(prefix=path, recurse=False))
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            bound = part.weight[0].numel() ** -0.5
            laws |= dict.fromkeys(own, (0.0, bound))
        elif isinstance(part, nn.GroupNorm | nn.LayerNorm | nn.modules.batchnorm._NormBase):
            laws |= {name: (1.0 if name.endswith("weight") else 0.0, 0.0) for name in own}
        elif own:
            raise ValueError(
                f"module must be made of linear maps, convolutions and normalisations for its "
                f"default law to be known, got {type(part).__name__} with {sorted(own)}: draw its "
                "parameters yourself"
            )
    return laws


def draw_parameters(
    module: nn.Module, n_networks: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw new weights for many networks, in PyTorch's default law.

    Parameters
    ----------
    module : torch.nn.Module
        Made of linear maps, convolutions and normalisations. It is not changed.
    n_networks : int
        >= 1.
    generator : torch.Generator
        On the CPU: a seed then means the same on every device.

    Returns
    -------
    dict of Tensor, each of shape (n_networks, ...)
        By name, like the result of `torch.func.stack_module_state`, on the module's device and of
        its type. Weights and biases are uniform within 1 / sqrt(fan-in); normalisations start as
        the identity.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or a part of the module has parameters of another kind.

    Examples
    --------
    >>> found = draw_parameters(
    ...     MLP((4,), widths=()), n_networks=3, generator=torch.Generator().manual_seed(1)
    ... )
    >>> {name: tuple(tensor.shape) for name, tensor in found.items()}
    {'1.weight': (3, 10, 4), '1.bias': (3, 10)}
    """
    count = whole_number("n_networks", n_networks)
    laws, drawn = _laws(module), {}
    for name, parameter in module.named_parameters():
        middle, bound = laws[name]
        tensor = torch.full((count, *parameter.shape), middle, dtype=parameter.dtype)
        if bound:
            tensor.uniform_(middle - bound, middle + bound, generator=generator)
        drawn[name] = tensor.to(parameter.device)
    return drawn
