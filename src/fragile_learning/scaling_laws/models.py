"""A small transformer that classifies rows of digits: pre-norm blocks, mean pooling."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fragile_learning._validation import whole_number
from fragile_learning.networks.gpt import Block

__all__ = ["ClassifierConfig", "DigitClassifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierConfig:
    """Sizes of a `DigitClassifier`.

    Attributes
    ----------
    base, length, n_classes, width, n_layers, n_heads : int
        Different digits (>= 2), digits in a row, classes (>= 2); the others are >= 1, and
        ``n_heads`` divides ``width``.

    Examples
    --------
    >>> ClassifierConfig(base=10, length=6, width=32).n_classes
    101
    """

    base: int = 60
    length: int = 4
    n_classes: int = 101
    width: int = 64
    n_layers: int = 1
    n_heads: int = 4

    def __post_init__(self) -> None:
        for name in ("base", "length", "n_classes", "width", "n_layers", "n_heads"):
            low = 2 if name in ("base", "n_classes") else 1
            whole_number(name, getattr(self, name), minimum=low)
        if self.width % self.n_heads:
            raise ValueError(f"n_heads must divide width {self.width}, got {self.n_heads}")


class DigitClassifier(nn.Module):
    """Logits of the class of a row of digits.

    Parameters
    ----------
    config : ClassifierConfig
    generator : torch.Generator
        On the CPU. Digits have standard deviation 0.5, places 0.02, matrices are uniform within
        ``1 / sqrt(inputs)``, biases 0.

    Examples
    --------
    >>> model = DigitClassifier(ClassifierConfig(), generator=torch.Generator().manual_seed(1))
    >>> model(torch.tensor([[0, 12, 0, 18]])).shape, sum(p.numel() for p in model.parameters())
    (torch.Size([1, 101]), 60773)
    """

    def __init__(self, config: ClassifierConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.digits = nn.Embedding(config.base, width)
        self.places = nn.Embedding(config.length, width)
        self.blocks = nn.ModuleList(
            Block(width, config.n_heads, causal=False) for _ in range(config.n_layers)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, config.n_classes)
        for name, tensor in self.named_parameters():
            if name in ("digits.weight", "places.weight"):
                nn.init.normal_(tensor, 0.0, 0.5 if name[0] == "d" else 0.02, generator)
            elif tensor.ndim == 2:
                bound = tensor.shape[1] ** -0.5
                nn.init.uniform_(tensor, -bound, bound, generator)
            elif name.endswith("bias"):
                nn.init.zeros_(tensor)

    def forward(self, rows: Tensor) -> Tensor:
        """Logits, (batch, length) of int64 to (batch, n_classes)."""
        x = self.digits(rows) + self.places.weight
        for block in self.blocks:
            x, _ = block(x)
        return functional.linear(self.norm(x).mean(dim=1), self.head.weight, self.head.bias)
