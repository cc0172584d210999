"""What the experiments train: problems, sets distilled under a budget, and their gradients.

Arithmetic is counted in inner gradients, as `settings.Window.cost` does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fragile_learning._validation import as_generator, choice, real_number, whole_number
from fragile_learning.datasets import load
from fragile_learning.distillation import baselines
from fragile_learning.distillation.distilled import DistilledSet, LabelledImages, labelled
from fragile_learning.distillation.meta_gradient import (
    MetaGradients,
    directional_derivatives,
    train,
)
from fragile_learning.distillation.models import MLP, ConvNet, ResNet, Vgg, draw_parameters
from fragile_learning.distillation.preprocessing import standardise
from fragile_learning.distillation.ratbptt import DistillConfig, RatBptt
from fragile_learning.distillation.settings import InnerOptimizer, Unroll, Window

__all__ = [
    "ARCHITECTURES",
    "BASELINES",
    "DATA",
    "REPAIRS",
    "RULES",
    "Problem",
    "Setting",
    "checkpoints",
    "compare_derivatives",
    "distil",
    "gradient_variances",
    "network",
    "problem",
    "real_images",
]

Array = NDArray[np.float64]
Rng = np.random.Generator | np.random.SeedSequence | int

DATA = ("digits", "digits in [0, 1]", "fashion")
"""8 × 8 digits with standardised pixels, with pixels as they are; Fashion-MNIST at 14 × 14."""

RULES: Mapping[str, str] = {
    "T-BPTT": "truncated",
    "BPTT": "full",
    "R-BPTT": "random",
    "RaT-BPTT": "random-truncated",
}
"""From the names of rules to the modes of `settings.Unroll`."""

REPAIRS = ("none", "skip first", "guard")

BASELINES = ("random real", "class means", "herding", "k-centre")
"""Sets of real images, or of their means, that nothing is learned for."""

ARCHITECTURES = ("MLP", "wider MLP", "deeper MLP", "ConvNet", "ResNet", "VGG")

_N_CLASSES = 10
_DRAWS, _SMOOTH = 200, 1e-3  # of a run with derivatives everywhere, and how far from none it is
_NO_LIMIT = 10**6  # outer steps, where the budget decides


def _torch_rng(rng: Rng) -> torch.Generator:
    return torch.Generator().manual_seed(int(as_generator(rng).integers(0, 2**62)))


# --- problems ---------------------------------------------------------------------------------


class Problem(NamedTuple):
    """A data set in three parts that share no image.

    Examples
    --------
    >>> parts = problem("digits", n_validation=100, n_test=300, seed=1)
    >>> [len(part.images) for part in parts], parts.shape
    ([1397, 100, 300], (1, 8, 8))
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, with its channel."""
        return tuple(self.train.images.shape[1:])


@lru_cache(maxsize=2)
def _pictures(name: str) -> tuple[Array, NDArray[np.int64], int]:
    """Pixels in [0, 1], classes, and the number of official training images."""
    found = load(name)
    pixels = found.images.astype(np.float64)
    if name == "fashion-mnist":
        pixels = pixels.reshape(len(pixels), 14, 2, 14, 2).mean(axis=(2, 4))
    return pixels, found.labels, found.n_train


@lru_cache(maxsize=4)
def problem(data: str, *, n_validation: int, n_test: int, seed: int) -> Problem:
    """Split a data set at random; the parts do not overlap.

    Parameters
    ----------
    data : str
        One of `DATA`. An official test part gives the test images, the rest the others.
    n_validation : int
        >= 0; with 0 the part for validation holds the first training image, for want of none.
    n_test : int
        >= 1.
    seed : int
        Of the split.

    Returns
    -------
    Problem
        Pictures (n, 1, side, side). Pixels less the mean of all training pixels, over their
        standard deviation; those of "digits in [0, 1]" are left as they are.

    Raises
    ------
    ValueError
        If the data set is unknown, or has not that many images.

    Examples
    --------
    >>> train, validation, test = problem("digits", n_validation=100, n_test=300, seed=1)
    >>> [len(part.labels) for part in (train, validation, test)]
    [1397, 100, 300]
    >>> bool(abs(train.images.std() - 1.0) < 0.01), train.images.shape[1:]
    (True, (1, 8, 8))
    """
    choice("data", data, DATA)
    pixels, labels, n_train = _pictures("fashion-mnist" if data == "fashion" else "digits")
    rng = np.random.default_rng(whole_number("seed", seed, minimum=0))
    if n_train == len(pixels):
        whole_number("n_test", n_test, maximum=len(pixels) - 1)
        order = rng.permutation(len(pixels))
        test, rest = order[:n_test], order[n_test:]
    else:
        whole_number("n_test", n_test, maximum=len(pixels) - n_train)
        test = n_train + rng.permutation(len(pixels) - n_train)[:n_test]
        rest = rng.permutation(n_train)
    count = whole_number("n_validation", n_validation, minimum=0, maximum=len(rest) - 1)
    rows = (rest[count:], rest[: max(count, 1)], test)
    if "[" in data:
        parts = [pixels[chosen] for chosen in rows]
    else:
        train, validation = standardise(pixels[rows[0]], pixels[rows[1]])
        parts = [train, validation, standardise(pixels[rows[0]], pixels[rows[2]])[1]]
    return Problem(
        *(labelled(part[:, None], labels[row]) for part, row in zip(parts, rows, strict=True))
    )


def real_images(train: LabelledImages, n_per_class: int, *, kind: str, rng: Rng) -> DistilledSet:
    """Choose or average real images.

    Parameters
    ----------
    train : LabelledImages
    n_per_class : int
        >= 1; 1 for all kinds but the first.
    kind : str
        One of `BASELINES`.
    rng : Generator, SeedSequence or int
        For random images.

    Returns
    -------
    DistilledSet

    Raises
    ------
    ValueError
        If an argument is out of range, or a class has too few images.

    Examples
    --------
    >>> train = problem("digits", n_validation=0, n_test=500, seed=1).train
    >>> real_images(train, 2, kind="random real", rng=1).images.shape
    (20, 1, 8, 8)
    >>> real_images(train, 1, kind="class means", rng=1).classes
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    choice("kind", kind, BASELINES)
    if kind == "random real":
        return baselines.random_real(train, n_per_class, rng=rng)
    whole_number("n_per_class", n_per_class, maximum=1)
    if kind == "class means":
        return baselines.class_means(train)
    return (baselines.herding if kind == "herding" else baselines.k_centre)(train, 1)


def network(name: str, shape: Sequence[int], *, width: int = 16) -> nn.Module:
    """Make a network by name.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`. "MLP" has 64 hidden units, the wider one 256, the deeper one two
        layers of 64; "ConvNet" has two blocks.
    shape : sequence of int
        Of one image.
    width : int
        Channels of the convolutional ones, >= 1.

    Returns
    -------
    torch.nn.Module

    Examples
    --------
    >>> sum(p.numel() for p in network("MLP", (1, 8, 8)).parameters())
    4810
    >>> network("ConvNet", (1, 8, 8), width=4)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    choice("name", name, ARCHITECTURES)
    if name == "ConvNet":
        return ConvNet(shape, width=width, depth=2)
    if name == "ResNet":
        return ResNet(shape, width=width)
    if name == "VGG":
        return Vgg(shape, width=width)
    widths = {"MLP": (64,), "wider MLP": (256,), "deeper MLP": (64, 64)}[name]
    return MLP(shape, widths=widths)


# --- distilling under a budget ----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a set is distilled: everything but the rule and the budget.

    Attributes
    ----------
    architecture : str
    n_steps, window : int
        T and M of the chapter.
    learning_rate, outer_rate : float
        Of the inner and the outer Adam.
    n_networks : int
        At once in an outer step.
    outer_batch : int
        Real images in an outer step.
    guard : float
        Threshold of the repair "guard".
    width : int
        Of a convolutional network.

    Examples
    --------
    >>> setting = Setting(
    ...     architecture="MLP",
    ...     n_steps=40,
    ...     window=12,
    ...     learning_rate=0.02,
    ...     outer_rate=0.02,
    ...     n_networks=8,
    ... )
    >>> setting.config(rule="BPTT", units=25_000.0).unroll.draw(rng=1)
    Window(n_steps=40, window=40)
    >>> setting.config(rule="BPTT", repair="skip first", units=25_000.0).unroll.draw(rng=1)
    Window(n_steps=40, window=39)
    """

    architecture: str
    n_steps: int
    window: int
    learning_rate: float
    outer_rate: float
    n_networks: int
    outer_batch: int = 256
    guard: float = 1e-3
    width: int = 16

    @property
    def optimizer(self) -> InnerOptimizer:
        """Of the inner runs."""
        return InnerOptimizer(kind="adam", learning_rate=self.learning_rate)

    def config(self, *, rule: str, repair: str = "none", units: float) -> DistillConfig:
        """Give the library's settings, with a budget in place of a number of outer steps.

        Parameters
        ----------
        rule, repair : str
            Of `RULES` and `REPAIRS`.
        units : float
            Inner gradients, > 0. Networks at once count once: all methods have as many.
        """
        choice("rule", rule, RULES)
        choice("repair", repair, REPAIRS)
        return DistillConfig(
            unroll=Unroll(
                mode=RULES[rule],
                n_steps=self.n_steps,
                window=self.window,
                skip_first=repair == "skip first",
            ),
            optimizer=self.optimizer,
            n_outer_steps=_NO_LIMIT,
            budget=real_number("units", units, minimum=0.0, open_minimum=True),
            outer_learning_rate=self.outer_rate,
            outer_batch=self.outer_batch,
            n_networks=self.n_networks,
            start="real",
            guard=self.guard if repair == "guard" else 0.0,
        )

    def module(self, shape: Sequence[int]) -> nn.Module:
        """Make the network of the setting."""
        return network(self.architecture, shape, width=self.width)


def distil(
    train: LabelledImages,
    start: DistilledSet,
    setting: Setting,
    *,
    rule: str,
    repair: str = "none",
    units: float,
    rng: Rng,
) -> DistilledSet:
    """Distil until the next outer step would exceed the budget.

    Parameters
    ----------
    train : LabelledImages
        Real images for the outer loss.
    start : DistilledSet
        Where the distilled images start. Their labels stay.
    setting : Setting
    rule, repair, units
        See `Setting.config`.
    rng : Generator, SeedSequence or int

    Returns
    -------
    DistilledSet

    Examples
    --------
    >>> train = problem("digits", n_validation=0, n_test=500, seed=1).train
    >>> setting = Setting(
    ...     architecture="MLP",
    ...     n_steps=10,
    ...     window=5,
    ...     learning_rate=0.02,
    ...     outer_rate=0.05,
    ...     n_networks=1,
    ...     outer_batch=100,
    ... )
    >>> start = real_images(train, 1, kind="random real", rng=1)
    >>> found = distil(train, start, setting, rule="T-BPTT", units=100.0, rng=1)
    >>> found.history["cost"]  # 5 plain steps, 5 that cost three, 100 / 10 for real images
    array([30., 30., 30.])
    """
    config = setting.config(rule=rule, repair=repair, units=units)
    method = RatBptt(config, setting.module(train.images.shape[1:]))
    return method.fit(train, rng=rng, start=start)


def checkpoints(
    train: LabelledImages,
    start: DistilledSet,
    setting: Setting,
    *,
    rule: str,
    units: Sequence[float],
    rng: int,
) -> list[DistilledSet]:
    """Distil once, and keep what there is at several budgets.

    Parameters
    ----------
    train, start, setting, rule
        See `distil`.
    units : sequence of float
        Budgets, rising. The run goes on from one to the next as if it had not been stopped.
    rng : int
        >= 0.

    Returns
    -------
    list of DistilledSet

    Examples
    --------
    >>> train = problem("digits", n_validation=0, n_test=500, seed=1).train
    >>> setting = Setting(
    ...     architecture="MLP",
    ...     n_steps=10,
    ...     window=5,
    ...     learning_rate=0.02,
    ...     outer_rate=0.05,
    ...     n_networks=1,
    ...     outer_batch=100,
    ... )
    >>> start = real_images(train, 1, kind="random real", rng=1)
    >>> early, late = checkpoints(train, start, setting, rule="T-BPTT", units=[60.0, 120.0], rng=1)
    >>> np.array_equal(late.history["loss"][:2], early.history["loss"]), len(late.history["loss"])
    (True, 4)
    """
    module = setting.module(train.images.shape[1:])
    with tempfile.TemporaryDirectory() as folder:
        return [
            RatBptt(setting.config(rule=rule, units=budget), module).fit(
                train, rng=rng, start=start, path=Path(folder) / "state.npz", save_every=_NO_LIMIT
            )
            for budget in units
        ]


# --- gradients --------------------------------------------------------------------------------


def gradient_variances(
    images: Tensor,
    labels: Tensor,
    outer: LabelledImages,
    module: nn.Module,
    *,
    optimizer: InnerOptimizer,
    n_steps: int,
    windows: Sequence[int],
    n_networks: int,
    rng: Rng,
    chunk: int = 64,
) -> Array:
    """Variance of the meta-gradient over initial weights, summed over the images' pixels.

    Parameters
    ----------
    images, labels : Tensor
        Distilled, in the type in which to compute, and their classes or weights of classes.
    outer : LabelledImages
        One outer batch for all networks.
    module : torch.nn.Module
    optimizer : InnerOptimizer
    n_steps : int
    windows : sequence of int
        Differentiated last steps; the same networks for all.
    n_networks : int
        >= 2.
    rng : Generator, SeedSequence or int
    chunk : int
        Networks at once.

    Returns
    -------
    ndarray, shape (len(windows),)
        Unbiased sample variances.

    Examples
    --------
    >>> real = problem("digits", n_validation=0, n_test=500, seed=1).train
    >>> means = baselines.class_means(real)
    >>> found = gradient_variances(
    ...     torch.tensor(means.images),
    ...     torch.tensor(means.classes),
    ...     labelled(real.images[:100], real.labels[:100]),
    ...     MLP((1, 8, 8), widths=(16,)),
    ...     optimizer=InnerOptimizer(kind="adam", learning_rate=0.02),
    ...     n_steps=5,
    ...     windows=[4, 5],
    ...     n_networks=16,
    ...     rng=1,
    ... )
    >>> bool(found[1] > found[0])  # the second window has the first step of Adam in it
    True
    """
    whole_number("n_networks", n_networks, minimum=2)
    module = module.to(images.dtype)
    engine = MetaGradients(module, optimizer, per_network=True)
    drawing = _torch_rng(rng)
    real, classes = torch.tensor(outer.images).to(images.dtype), torch.tensor(outer.labels)
    parts: list[list[Tensor]] = [[] for _ in windows]
    for begin in range(0, n_networks, chunk):
        count = min(chunk, n_networks - begin)
        start = draw_parameters(module, n_networks=count, generator=drawing)
        for found, window in zip(parts, windows, strict=True):
            gradients = engine(
                start,
                images,
                labels,
                real,
                classes,
                Window(n_steps, window),
            )
            found.append(gradients.images.flatten(1).double())
    return np.array([float(torch.cat(found).var(dim=0).sum()) for found in parts])


def compare_derivatives(
    *, optimizer: InnerOptimizer, n_steps: int, windows: Sequence[int], rng: Rng
) -> list[dict[str, int | float | str]]:
    """Compare the modes of the meta-gradient with each other and with finite differences.

    A perceptron 3-4-2 with five distilled images in float64, drawn again until the run stays away
    from places without a derivative (a ReLU at 0, a gradient of 0 under Adam), where differences
    tell nothing (see DST-1). Finite differences and the mode "graph" follow a run that is
    written out here and shares no code with the library.

    Parameters
    ----------
    optimizer : InnerOptimizer
    n_steps : int
    windows : sequence of int
    rng : Generator, SeedSequence or int

    Returns
    -------
    list of dict
        window, mode, against and difference: the largest entry's, over the gradient's largest.

    Examples
    --------
    >>> rows = compare_derivatives(
    ...     optimizer=InnerOptimizer(kind="sgd", learning_rate=0.2), n_steps=2, windows=[2], rng=1
    ... )
    >>> [row["mode"] for row in rows], max(row["difference"] for row in rows) < 1e-6
    (['adjoint', 'graph', 'forward', 'checkpointed', 'K networks'], True)
    """
    draws = as_generator(rng)
    module = MLP((3,), widths=(4,), n_classes=2).double()
    labels, classes = torch.tensor([0, 1, 0, 1, 0]), torch.arange(12) % 2
    for _ in range(_DRAWS):
        start = draw_parameters(module, n_networks=3, generator=_torch_rng(draws))
        start = {name: 2.0 * tensor for name, tensor in start.items()}  # livelier hidden units
        one = {name: tensor[:1] for name, tensor in start.items()}
        images = torch.from_numpy(draws.standard_normal((5, 3)))
        outer = torch.from_numpy(draws.standard_normal((12, 3)))
        if _distance(module, one, images, labels, outer, optimizer, n_steps) > _SMOOTH:
            break
    else:
        raise RuntimeError(f"none of {_DRAWS} draws stays {_SMOOTH} away from kinks")
    directions = torch.from_numpy(draws.standard_normal((2, *images.shape)))
    rows: list[dict[str, int | float | str]] = []
    for window in windows:
        run = Window(n_steps, window)

        def gradient(
            parameters: dict[str, Tensor], run: Window = run, checkpoint: bool = False
        ) -> Tensor:
            engine = MetaGradients(module, optimizer, checkpoint=checkpoint)
            return engine(parameters, images, labels, outer, classes, run).images

        adjoint = gradient(one)
        leaf = images.clone().requires_grad_()
        loss = _written_out(one, leaf, images, labels, outer, classes, optimizer, run)
        (graph,) = torch.autograd.grad(loss, leaf)
        forward = directional_derivatives(
            module,
            one,
            images,
            labels,
            outer,
            classes,
            directions,
            optimizer=optimizer,
            run=run,
        )
        singles = [
            gradient({name: tensor[k : k + 1] for name, tensor in start.items()}) for k in range(3)
        ]
        differences = torch.empty_like(images)
        step = 1e-5
        with torch.no_grad():
            for place in range(images.numel()):
                shift = torch.zeros_like(images)
                shift.view(-1)[place] = step
                up, down = (
                    _written_out(one, moved, images, labels, outer, classes, optimizer, run)
                    for moved in (images + shift, images - shift)
                )
                differences.view(-1)[place] = (up - down) / (2.0 * step)
        compared = (
            ("adjoint", "finite differences", adjoint, differences),
            ("graph", "adjoint", graph, adjoint),
            ("forward", "adjoint", forward, (directions * adjoint).sum((1, 2))),
            ("checkpointed", "adjoint", gradient(one, checkpoint=True), adjoint),
            ("K networks", "adjoint", gradient(start), torch.stack(singles).mean(0)),
        )
        rows += [
            {
                "window": int(window),
                "mode": mode,
                "against": against,
                "difference": float((found - known).abs().max() / known.abs().max()),
            }
            for mode, against, found, known in compared
        ]
    return rows


def _distance(
    module: nn.Module,
    parameters: dict[str, Tensor],
    images: Tensor,
    labels: Tensor,
    outer: Tensor,
    optimizer: InnerOptimizer,
    n_steps: int,
) -> float:
    """Find the least root of a second moment, or input of a ReLU, in a run of a network."""
    kept = train(
        module, parameters, images, labels, optimizer=optimizer, lengths=range(n_steps + 1)
    )
    least, second = [], optimizer.betas[1]
    squares = torch.zeros(())
    for t, weights in enumerate(kept, 1):
        first, bias, last, shift = (tensor[0].requires_grad_() for tensor in weights.values())
        seen = images if t <= n_steps else outer
        inputs = seen @ first.T + bias
        least.append(float(inputs.detach().abs().min()))
        if t > n_steps:
            break
        loss = nn.functional.cross_entropy(torch.relu(inputs) @ last.T + shift, labels)
        parts = torch.autograd.grad(loss, (first, bias, last, shift))
        gradient = torch.cat([part.flatten() for part in parts])
        squares = second * squares + (1.0 - second) * gradient.square()
        roots = (squares / (1.0 - second**t)).sqrt()
        least.append(float(roots.min()))
    return min(least)


def _written_out(
    parameters: Mapping[str, Tensor],
    images: Tensor,
    frozen: Tensor,
    labels: Tensor,
    outer: Tensor,
    classes: Tensor,
    optimizer: InnerOptimizer,
    run: Window,
) -> Tensor:
    """Outer loss of one perceptron with a hidden layer; steps before the window see ``frozen``.

    Without units that are dead in all steps, where the root of the second moment is not smooth.
    """
    theta = [tensor[0].clone().requires_grad_() for tensor in parameters.values()]
    first = [torch.zeros_like(tensor) for tensor in theta]
    second = [torch.zeros_like(tensor) for tensor in theta]

    def loss(x: Tensor, y: Tensor) -> Tensor:
        hidden = torch.relu(x @ theta[0].T + theta[1])
        logits = hidden @ theta[2].T + theta[3]
        return (logits.logsumexp(-1) - logits.gather(-1, y[:, None])[:, 0]).mean()

    rate, (one, two) = optimizer.learning_rate, optimizer.betas
    for t in range(1, run.n_steps + 1):
        inside = t > run.n_steps - run.window
        with torch.enable_grad():
            gradients = torch.autograd.grad(
                loss(images if inside else frozen, labels), theta, create_graph=inside
            )
        if optimizer.kind == "sgd":
            moves = list(gradients)
        elif optimizer.kind == "momentum":
            moves = first = [
                optimizer.momentum * b + g for b, g in zip(first, gradients, strict=True)
            ]
        else:
            first = [one * m + (1 - one) * g for m, g in zip(first, gradients, strict=True)]
            second = [two * v + (1 - two) * g * g for v, g in zip(second, gradients, strict=True)]
            moves = [
                (m / (1 - one**t)) / ((v / (1 - two**t)).sqrt() + optimizer.eps)
                for m, v in zip(first, second, strict=True)
            ]
        theta = [p - rate * move for p, move in zip(theta, moves, strict=True)]
        if not inside or not torch.is_grad_enabled():
            theta = [tensor.detach().requires_grad_() for tensor in theta]
    return loss(outer, classes)
