"""An attack through all posterior samples at once, against a loop over the samples.

The loop is what a user would write first: one network a sample, the log-probabilities stacked, one
backward pass by autograd through all of them, a step along the sign. Both sides follow the same
gradient from the same start; ours writes down the derivative in the log-probabilities and keeps the
best point and the norms beside it. With many inputs for the samples both are bound by the same
matrix products, and no goal is set.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from _report import Line, best_time, main
from fragile_learning.bayes.attacks import pgd

Weights = tuple[Tensor, Tensor]


def posterior(n_samples: int, n_inputs: int, width: int, n_classes: int) -> Weights:
    """Weights of two-layer networks that agree in the main."""
    draw = torch.Generator().manual_seed(1)

    def weights(*shape: int) -> Tensor:
        common = torch.randn(1, *shape, generator=draw)
        return common + 0.5 * torch.randn(n_samples, *shape, generator=draw)

    first, second = weights(n_inputs, width), weights(width, n_classes)
    return first * (2.0 / n_inputs) ** 0.5, second * (2.0 / width) ** 0.5


def all_at_once(weights: Weights) -> Callable[[Tensor], Tensor]:
    """One matrix product for the first layers of all samples, batched ones for the second."""
    first, second = weights
    samples, inputs, width = first.shape
    packed = first.transpose(0, 1).reshape(inputs, samples * width)

    def log_probabilities(x: Tensor) -> Tensor:
        hidden = (x @ packed).relu().reshape(len(x), samples, width)
        return torch.bmm(hidden.transpose(0, 1), second).log_softmax(dim=2)

    return log_probabilities


def ours(weights: Weights, x: Tensor, labels: Tensor, radius: float, n_steps: int) -> Tensor:
    return pgd(
        all_at_once(weights),
        x,
        labels,
        radius=radius,
        objective="label",
        n_steps=n_steps,
        random_start=False,
        keep="last",
    ).inputs


def loop(weights: Weights, x: Tensor, labels: Tensor, radius: float, n_steps: int) -> Tensor:
    members = list(zip(*weights, strict=True))
    low, high = (x - radius).clamp(min=0.0), (x + radius).clamp(max=1.0)
    moved, step = x.clone(), 2.5 * radius / n_steps
    for _ in range(n_steps):
        moved = moved.detach().requires_grad_()
        log_p = torch.stack([((moved @ a).relu() @ b).log_softmax(dim=1) for a, b in members])
        log_mean = log_p.logsumexp(dim=0) - math.log(len(members))
        loss = -log_mean.gather(1, labels[:, None]).sum()
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = torch.minimum(torch.maximum(moved + step * gradient.sign(), low), high)
    return moved.detach()


def problem(
    n_samples: int, n: int, n_inputs: int = 196, width: int = 32
) -> tuple[Weights, Tensor, Tensor]:
    weights = posterior(n_samples, n_inputs, width, 10)
    x = torch.rand(n, n_inputs, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        labels = all_at_once(weights)(x).logsumexp(dim=0).argmax(dim=1)
    return weights, x, labels


def lines() -> list[Line]:
    torch.set_num_threads(1)
    found = []
    for n_samples, n, goal in [(64, 200, None), (64, 20, 1.3), (256, 20, 1.6)]:
        weights, x, labels = problem(n_samples, n)

        def fast(weights=weights, x=x, labels=labels):
            return ours(weights, x, labels, 0.1, 20)

        def slow(weights=weights, x=x, labels=labels):
            return loop(weights, x, labels, 0.1, 20)

        fast(), slow()  # warm
        # in turn, so that a slow moment of the machine meets both
        rounds = [[best_time(work, 1) for work in (fast, slow)] for _ in range(7)]
        quick, plain = map(min, zip(*rounds, strict=True))
        what = f"{n_samples} samples, {n} inputs"
        found += [
            Line(f"{what}: attacked inputs a second", n / quick, "/s"),
            Line(f"{what}: loop over samples / ours", plain / quick, "x", goal),
        ]
    return found


if __name__ == "__main__":
    main("PGD of 20 steps through all posterior samples", lines)
