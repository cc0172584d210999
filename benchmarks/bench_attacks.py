"""An attack through all posterior samples at once, against a loop over samples and other libraries.

The loop is what a user would write first: one network a sample, the log-probabilities stacked, one
backward pass by autograd through all of them, a step along the sign. The libraries, where they are
installed, attack the logarithm of the same predictive mean, computed by the same posterior. All
sides follow the same gradient from the same start; ours keeps the norms of the gradients beside it.
CPU time, all sides in turn.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import time

import torch
from torch import Tensor, nn

from _report import Line, main
from fragile_learning.bayes.attacks import pgd
from fragile_learning.bayes.models import MLP
from fragile_learning.bayes.predict import Posterior, log_mean

Weights = tuple[Tensor, Tensor]


def posterior(n_samples: int, n_inputs: int, width: int, n_classes: int) -> Weights:
    """Weights of two-layer networks that agree in the main."""
    draw = torch.Generator().manual_seed(1)

    def weights(*shape: int) -> Tensor:
        common = torch.randn(1, *shape, generator=draw)
        return common + 0.5 * torch.randn(n_samples, *shape, generator=draw)

    first, second = weights(n_inputs, width), weights(width, n_classes)
    return first * (2.0 / n_inputs) ** 0.5, second * (2.0 / width) ** 0.5


def sampled(weights: Weights) -> Posterior:
    """The same networks as a posterior."""
    first, second = weights
    _, inputs, width = first.shape
    network = MLP(input_shape=(inputs,), widths=(width,), n_outputs=second.shape[2], bias=False)
    return Posterior(network, torch.cat([first.flatten(1), second.flatten(1)], dim=1))


def ours(weights: Weights, x: Tensor, labels: Tensor, radius: float, n_steps: int) -> Tensor:
    return pgd(
        sampled(weights),
        x,
        labels,
        radius=radius,
        objective="label",
        n_steps=n_steps,
        random_start=False,
        keep="last",
    ).inputs


class Mean(nn.Module):
    """The logarithm of the predictive mean as a module."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.posterior = sampled(weights)
        # torchattacks asks the first parameter for the device
        self.place = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return log_mean(self.posterior(x))


def by_torchattacks(
    weights: Weights, x: Tensor, labels: Tensor, radius: float, n_steps: int
) -> Tensor:
    peer = importlib.import_module("torchattacks")
    model, size = Mean(weights).eval(), 2.5 * radius / n_steps
    attack = peer.PGD(model, eps=radius, alpha=size, steps=n_steps, random_start=False)
    return attack(x, labels)


def by_foolbox(weights: Weights, x: Tensor, labels: Tensor, radius: float, n_steps: int) -> Tensor:
    peer = importlib.import_module("foolbox")
    model = peer.PyTorchModel(Mean(weights).eval(), bounds=(0, 1), device="cpu")
    size = 2.5 * radius / n_steps
    attack = peer.attacks.LinfPGD(abs_stepsize=size, steps=n_steps, random_start=False)
    return attack(model, x, peer.criteria.Misclassification(labels), epsilons=radius)[0]


PEERS = {"torchattacks": by_torchattacks, "foolbox": by_foolbox}


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
        labels = log_mean(sampled(weights)(x)).argmax(dim=1)
    return weights, x, labels


def lines() -> list[Line]:
    torch.set_num_threads(1)
    found = []
    for n_samples, n in [(64, 200), (64, 20), (256, 20)]:
        weights, x, labels = problem(n_samples, n)
        sides = {"ours": ours, "loop over samples": loop}
        sides |= {name: side for name, side in PEERS.items() if importlib.util.find_spec(name)}
        seconds = dict.fromkeys(sides, math.inf)
        for _ in range(7):  # in turn, so that a slow moment of the machine meets all
            for name, side in sides.items():
                begun = time.process_time()
                side(weights, x, labels, 0.1, 20)
                seconds[name] = min(seconds[name], time.process_time() - begun)
        what = f"{n_samples} samples, {n} inputs"
        found.append(Line(f"{what}: attacked inputs a CPU second", n / seconds["ours"], "/s"))
        for name, goal in {"loop over samples": 1.5, "torchattacks": 1.0, "foolbox": 1.0}.items():
            ratio = seconds[name] / seconds["ours"] if name in seconds else math.nan
            missing = "" if name in seconds else " (not installed)"
            found.append(
                Line(f"{what}: {name}{missing} / ours", ratio, "x", None if missing else goal)
            )
    return found


if __name__ == "__main__":
    main("PGD of 20 steps through all posterior samples", lines)
