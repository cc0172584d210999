"""A training step of the digit classifier against its matrix products, and against torch's encoder.

The products alone are the least that a step can cost: three for each linear layer, one forward and
two backward, at the speed of this machine for the same sizes. Attention over a handful of digits,
activations, norms and the optimiser have few operations and much overhead; on a small model they
cost as much again.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from _report import Line, best_time, main
from fragile_learning.scaling_laws.gcd import GcdTask
from fragile_learning.scaling_laws.models import ClassifierConfig, DigitClassifier
from fragile_learning.scaling_laws.text import Bigram
from fragile_learning.scaling_laws.training import new_classifier, predict

SMALL = (ClassifierConfig(), 128)
LARGE = (ClassifierConfig(base=420, length=6, width=256, n_layers=4, n_heads=8), 256)


class Encoder(nn.Module):
    """The same network from torch's own encoder layers: what one writes first."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        width = config.width
        self.digits = nn.Embedding(config.base, width)
        self.places = nn.Parameter(torch.zeros(config.length, width))
        layer = nn.TransformerEncoderLayer(
            width, config.n_heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(
            layer, config.n_layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.head = nn.Linear(width, config.n_classes)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.digits(rows) + self.places).mean(dim=1))


def load(encoder: Encoder, model: DigitClassifier) -> None:
    """Copy the weights of our classifier into torch's layers."""
    w = dict(model.named_parameters())
    with torch.no_grad():
        encoder.digits.weight.copy_(w["digits.weight"])
        encoder.places.copy_(w["places.weight"])
        names = {
            "self_attn.in_proj_": "mixing.",
            "self_attn.out_proj.": "projection.",
            "linear1.": "up.",
            "linear2.": "down.",
            "norm1.": "attention_norm.",
            "norm2.": "mlp_norm.",
        }
        for i, layer in enumerate(encoder.blocks.layers):
            theirs = dict(layer.named_parameters())
            for their, our in names.items():
                for kind in ("weight", "bias"):
                    theirs[their + kind].copy_(w[f"blocks.{i}.{our}{kind}"])
        encoder.blocks.norm.load_state_dict(model.norm.state_dict())
        encoder.head.load_state_dict(model.head.state_dict())


def shapes(config: ClassifierConfig, batch: int) -> list[tuple[int, int, int]]:
    """Rows, inputs and outputs of each linear layer."""
    rows, width = batch * config.length, config.width
    block = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    return [(rows, *sizes) for sizes in block] * config.n_layers + [
        (batch, width, config.n_classes)
    ]


def products(config: ClassifierConfig, batch: int):
    """All matrix products of a step, and nothing else."""
    operands = [
        (torch.randn(n, i), torch.randn(o, i), torch.randn(n, o))
        for n, i, o in shapes(config, batch)
    ]

    def work() -> None:
        for x, weight, gradient in operands:
            torch.mm(x, weight.T)
            torch.mm(gradient, weight)
            torch.mm(gradient.T, x)

    return work


def step_of(network: nn.Module, config: ClassifierConfig, batch: int, fused: bool):
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=fused)
    rows = torch.randint(0, config.base, (batch, config.length))
    labels = torch.randint(0, config.n_classes, (batch,))

    def work() -> None:
        optimiser.zero_grad()
        functional.cross_entropy(network(rows), labels).backward()
        optimiser.step()

    return work


def several(work, count: int):
    def loop() -> None:
        for _ in range(count):
            work()

    return loop


def step_lines(
    label: str, config: ClassifierConfig, batch: int, count: int, goal: float | None
) -> list[Line]:
    ours = DigitClassifier(config, generator=torch.Generator().manual_seed(1))
    work = (
        products(config, batch),
        step_of(ours, config, batch, fused=True),
        step_of(Encoder(config).train(), config, batch, fused=False),
    )
    loops = [several(one, count) for one in work]
    for loop in loops:
        loop()  # warm
    # in turn, so that a slow moment of the machine meets all three
    rounds = [[best_time(loop, 1) / count for loop in loops] for _ in range(7)]
    least, fast, slow = map(min, zip(*rounds, strict=True))
    flops = sum(6 * n * i * o for n, i, o in shapes(config, batch))
    return [
        Line(f"{label}: its matrix products", 1e3 * least, "ms"),
        Line(f"{label}: their speed", 1e-9 * flops / least, "GF"),
        Line(f"{label}: a training step", 1e3 * fast, "ms"),
        Line(f"{label}: step / products", fast / least, "x", goal, at_most=True),
        Line(f"{label}: torch's encoder layers / ours", slow / fast, "x"),
    ]


def plain_sample(
    model: Bigram, n_chains: int, n_steps: int, rng: np.random.Generator
) -> np.ndarray:
    """Word by word and chain by chain, from each word's law."""
    written = np.empty((n_chains, n_steps), dtype=np.int64)
    words = np.arange(model.n_words)
    for chain in written:
        word = int(rng.integers(model.n_words))
        for i in range(n_steps):
            chain[i] = word
            law = model.probabilities(np.column_stack([np.full_like(words, word), words]))
            word = int(rng.choice(words, p=law / law.sum()))
    return written


def lines() -> list[Line]:
    torch.set_num_threads(1)
    task = GcdTask()
    pairs = task.sample(20_000, rng=1)
    model = new_classifier(task, rng=1)
    rows = task.encode(pairs)
    text = np.minimum(np.random.default_rng(1).zipf(1.5, 100_000), 3000) - 1
    bigram, rng = Bigram([text], 3000), np.random.default_rng(2)
    fast = best_time(lambda: bigram.sample(1000, 100, rng=rng)) / 100_000
    slow = best_time(lambda: plain_sample(bigram, 2, 100, rng), 3) / 200
    return [
        *step_lines("60,773 weights, batch 128", *SMALL, 20, None),
        *step_lines("3.3 million weights, batch 256", *LARGE, 1, 1.5),
        Line("20,000 pairs, their digits and labels", 1e3 * best_time(
            lambda: task.labels(pairs) + task.encode(pairs)[:, 0]), "ms"),
        Line("20,000 answers, most likely", 1e3 * best_time(lambda: predict(model, rows)), "ms"),
        Line("a million words of a bigram chain", 1e6 * fast, "s", 1.0, at_most=True),
        Line("word by word / ours", slow / fast, "x", 20.0),
    ]  # fmt: skip


if __name__ == "__main__":
    main("Divisors and bigrams", lines)
