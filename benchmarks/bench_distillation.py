"""A meta-step of dataset distillation against the unrolled graph of automatic differentiation.

The reference is the method of the field, re-created from its description: a differentiable Adam of
out-of-place operations, `create_graph=True` in each step of the window, then one backward pass from
the outer loss to the images; the steps before the window are cut off; one network at a time. Both
sides compute the same gradient. Memory is the peak of a fresh process above its start.

Cases are those of the plan, one image per class of ten. A to C have goals: at least 2 times (C, 8
networks: 4 times) as fast with at most a third of the memory for each network at once. D and E are
bound by convolutions, which no order of differentiation removes, at the peak of one processor core:
they have no goal for time. The floor counts forward and backward passes layer by layer, at the
measured time of a forward pass: a gradient is 3 of them, 2 in the first layer, and a product with
second derivatives 6, 4 in the first layer. It can be beaten where a forward pass has more than
affine maps in it (ConvNet), or where networks share matrix products (C).

`python bench_distillation.py cuda` measures on an accelerator; `costs` gives the table at 1, 10 and
50 images per class; letters choose cases.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from _report import Line, main
from fragile_learning.distillation.meta_gradient import MetaGradients
from fragile_learning.distillation.models import MLP, ConvNet, draw_parameters
from fragile_learning.distillation.settings import InnerOptimizer, Window


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    shape: tuple[int, ...]
    widths: tuple[int, ...] | None  # None: the ConvNet
    run: Window
    outer_batch: int
    n_networks: int = 1
    faster: float | None = 2.0
    outer_chunk: int | None = None
    images_per_class: int = 1

    @property
    def module(self) -> nn.Module:
        if self.widths is None:
            return ConvNet(self.shape)
        return MLP(self.shape, widths=self.widths)


CASES = {
    case.name: case
    for case in (
        Case("A", (784,), (128,), Window(100, 30), 256),
        Case("B", (784,), (256, 128), Window(200, 60), 1024, outer_chunk=256),
        Case("C", (196,), (64,), Window(100, 30), 256, n_networks=8, faster=4.0),
        Case("D", (1, 28, 28), None, Window(20, 20), 64, faster=None, outer_chunk=8),
        Case("E", (1, 28, 28), None, Window(30, 15), 64, faster=None, outer_chunk=8),
    )
}
ADAM = InnerOptimizer(learning_rate=1e-3)
DEVICE = "cuda" if "cuda" in sys.argv else "cpu"


def data(case: Case, dtype: torch.dtype = torch.float32):
    draw = torch.Generator().manual_seed(1)
    n = 10 * case.images_per_class
    module = case.module.to(DEVICE, dtype)
    images = torch.randn(n, *case.shape, generator=draw, dtype=dtype).to(DEVICE)
    labels = (torch.arange(n) % 10).to(DEVICE)
    real = torch.randn(case.outer_batch, *case.shape, generator=draw, dtype=dtype).to(DEVICE)
    classes = torch.randint(0, 10, (case.outer_batch,), generator=draw).to(DEVICE)
    parameters = draw_parameters(module, n_networks=case.n_networks, generator=draw)
    return module, (parameters, images, labels, real, classes)


def unrolled(
    module: nn.Module,
    parameters: dict[str, Tensor],
    images: Tensor,
    labels: Tensor,
    real: Tensor,
    classes: Tensor,
    run: Window,
) -> Tensor:
    """Gradient of the mean outer loss by one graph through the window; network after network."""
    names, total = list(parameters), torch.zeros_like(images)
    first, second = ADAM.betas
    for k in range(len(parameters[names[0]])):
        leaf = images.detach().requires_grad_()
        theta = [parameters[name][k].detach().requires_grad_() for name in names]
        means = [torch.zeros_like(p) for p in theta]
        squares = [torch.zeros_like(p) for p in theta]
        for step in range(run.n_steps):
            inside = step >= run.n_steps - run.window
            named = dict(zip(names, theta, strict=True))
            logits = torch.func.functional_call(module, named, (leaf if inside else images,))
            loss = functional.cross_entropy(logits, labels)
            gradients = torch.autograd.grad(loss, theta, create_graph=inside)
            means = [first * m + (1 - first) * g for m, g in zip(means, gradients, strict=True)]
            squares = [
                second * v + (1 - second) * g * g for v, g in zip(squares, gradients, strict=True)
            ]
            rate = ADAM.learning_rate / (1 - first ** (step + 1))
            correction = (1 - second ** (step + 1)) ** 0.5
            theta = [
                p - rate * m / (v.sqrt() / correction + ADAM.eps)
                for p, m, v in zip(theta, means, squares, strict=True)
            ]
            if not inside:
                theta = [p.detach().requires_grad_() for p in theta]
        logits = torch.func.functional_call(module, dict(zip(names, theta, strict=True)), (real,))
        (found,) = torch.autograd.grad(functional.cross_entropy(logits, classes), leaf)
        total += found / case_networks(parameters)
    return total


def case_networks(parameters: dict[str, Tensor]) -> int:
    return len(next(iter(parameters.values())))


def work_of(case: Case, method: str):
    module, given = data(case)
    if method == "unrolled":
        return partial(unrolled, module, *given, case.run)
    engine = MetaGradients(
        module, ADAM, outer_chunk=case.outer_chunk, checkpoint=method == "checkpointed"
    )
    return partial(engine, *given, case.run)


def best_time(work, repeats: int) -> float:
    """Smallest time of several runs, seconds: of the processor, as one thread does it all.

    On an accelerator: by the clock.
    """
    clock = time.perf_counter if DEVICE == "cuda" else time.process_time
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def settled(work):
    def wait() -> None:
        work()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return wait


def peak_here(case: Case, method: str) -> float:
    """Peak memory of a meta-step above its start, MB; for a fresh process."""
    torch.set_num_threads(1)
    tiny = Case("tiny", (4,), (4,), Window(3, 2), 4)
    work_of(tiny, method)()  # loads what is loaded once
    work = settled(work_of(case, method))
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    before = resident("VmRSS")
    work()
    return (resident("VmHWM") - before) / 1e6


def resident(what: str) -> float:
    """Memory of this process now (VmRSS) or at most so far (VmHWM), bytes; on Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return 1024.0 * int(line.split()[1])
    raise OSError(f"no {what} in /proc/self/status")


def peak(case: Case, method: str) -> float:
    command = [sys.executable, __file__, "peak", case.name, method, str(case.images_per_class)]
    done = subprocess.run([*command, DEVICE], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def layer_operations(module: nn.Module, image: Tensor) -> list[float]:
    """Multiplications and additions of each affine map for one image."""
    found: list[float] = []

    def count(layer: nn.Module, _: object, out: Tensor) -> None:
        places = out[0].numel() / layer.weight.shape[0]
        found.append(2.0 * places * layer.weight.numel())

    layers = [part for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        module(image[None])
    for hook in hooks:
        hook.remove()
    return found


def floor(case: Case) -> float:
    """Seconds of the passes that an exact meta-step needs, at the measured speed of a forward."""
    module, (parameters, images, _, real, _) = data(case)
    flops = layer_operations(case.module.to(DEVICE), images[0])
    forward, first = sum(flops), flops[0]
    gradient = (3 * forward - first) / forward
    product = (6 * forward - 2 * first) / forward
    weights = [{n: p[k] for n, p in parameters.items()} for k in range(case.n_networks)]

    def passes(batch: Tensor) -> None:
        with torch.no_grad():
            for one in weights:
                torch.func.functional_call(module, one, (batch,))

    inner = best_time(settled(partial(passes, images)), 20)
    outer = best_time(settled(partial(passes, real)), 5)
    n_steps, window = case.run
    return inner * (gradient * n_steps + product * window) + gradient * outer


def timed(case: Case, methods: tuple[str, ...], rounds: int) -> dict[str, float]:
    work = {method: settled(work_of(case, method)) for method in methods}
    for one in work.values():
        one()  # warm
    # in turn, so that a slow moment of the machine meets all
    table = [{m: best_time(one, 1) for m, one in work.items()} for _ in range(rounds)]
    return {method: min(row[method] for row in table) for method in methods}


def case_lines(case: Case, *, goals: bool = True) -> list[Line]:
    methods = ("ours", "checkpointed", "unrolled")
    large = case.widths is None
    seconds = timed(case, methods, 2 if large else 5)
    memory = {method: peak(case, method) for method in methods}
    title = f"{case.name}, {case.images_per_class} per class"
    least = floor(case)
    goal, share = (case.faster, 1 / 3) if goals else (None, None)
    return [
        Line(f"{title}: ours", 1e3 * seconds["ours"], "ms"),
        Line(f"{title}: unrolled graph", 1e3 * seconds["unrolled"], "ms"),
        Line(f"{title}: unrolled / ours", seconds["unrolled"] / seconds["ours"], "x", goal),
        Line(f"{title}: ours / floor of passes", seconds["ours"] / least, "x"),
        Line(f"{title}: unrolled graph, peak memory", memory["unrolled"], "MB"),
        Line(f"{title}: ours, peak memory", memory["ours"], "MB"),
        Line(
            f"{title}: ours / unrolled, peak memory a network",
            memory["ours"] / memory["unrolled"] / case.n_networks,
            "x",
            share,
            at_most=True,
        ),
        Line(f"{title}: checkpointed / ours, time", seconds["checkpointed"] / seconds["ours"], "x"),
        Line(f"{title}: checkpointed, peak memory", memory["checkpointed"], "MB"),
    ]


def lines() -> list[Line]:
    torch.set_num_threads(1)
    found = []
    chosen = [CASES[name] for name in sys.argv[1:] if name in CASES] or list(CASES.values())
    for case in chosen:
        counts = (1, 10, 50) if "costs" in sys.argv else (1,)
        for count in counts:
            sized = Case(**{**case.__dict__, "images_per_class": count})
            found += case_lines(sized, goals=count == 1)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        name, method, count = sys.argv[2:5]
        sized = Case(**{**CASES[name].__dict__, "images_per_class": int(count)})
        print(json.dumps(peak_here(sized, method)))
    else:
        main("Meta-gradients of dataset distillation", lines)
