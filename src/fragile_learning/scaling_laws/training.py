"""Classifiers that learn the greatest common divisor from each other's answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.nn import functional

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.scaling_laws.gcd import GcdTask, Integers, Rng, learnt_gcds
from fragile_learning.scaling_laws.models import ClassifierConfig, DigitClassifier

__all__ = [
    "Generation",
    "TrainingConfig",
    "generation_chain",
    "new_classifier",
    "omitting_source",
    "predict",
    "relabelled_source",
    "set_batches",
    "source_batches",
    "train",
    "train_generation",
    "write_labels",
]

Result = TypeVar("Result")
Model = TypeVar("Model", bound=nn.Module)
Batch = tuple[Integers, Integers]
Source = Callable[[int, np.random.Generator], Batch]
"""Called with a number of pairs: the pairs and their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a classifier or a language model is trained.

    Attributes
    ----------
    n_steps, batch_size : int
        >= 1.
    learning_rate : float
        > 0, of AdamW, at the end of the warm-up.
    warmup_steps : int
        >= 0; the rate grows in proportion to the step.
    final_fraction : float
        In [0, 1]. After the warm-up the rate falls along a cosine to this fraction.
    weight_decay : float
        >= 0.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> config = TrainingConfig(n_steps=100, warmup_steps=10, learning_rate=0.02)
    >>> [round(config.rate(step), 4) for step in (1, 10, 100)]
    [0.002, 0.02, 0.001]
    """

    n_steps: int = 700
    batch_size: int = 128
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    final_fraction: float = 0.05
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        whole_number("n_steps", self.n_steps)
        whole_number("batch_size", self.batch_size)
        real_number("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        whole_number("warmup_steps", self.warmup_steps, minimum=0)
        real_number("final_fraction", self.final_fraction, minimum=0.0, maximum=1.0)
        real_number("weight_decay", self.weight_decay, minimum=0.0)

    def rate(self, step: int) -> float:
        """Learning rate of a step, the first one is 1."""
        if step <= self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        gone = (step - self.warmup_steps) / max(1, self.n_steps - self.warmup_steps)
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, gone)))
        return self.learning_rate * (self.final_fraction + (1.0 - self.final_fraction) * cosine)


def new_classifier(
    task: GcdTask, *, width: int = 64, n_layers: int = 1, n_heads: int = 4, rng: Rng
) -> DigitClassifier:
    """Build an untrained classifier for a task, its weights drawn from ``rng``.

    Parameters
    ----------
    task : GcdTask
    width, n_layers, n_heads : int
        See `models.ClassifierConfig`.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> model = new_classifier(task, width=8, n_heads=1, rng=0)
    >>> model(torch.from_numpy(task.encode([[12, 18]]))).shape  # ten divisors, and "larger"
    torch.Size([1, 11])
    """
    config = ClassifierConfig(
        base=task.base,
        length=2 * task.n_digits,
        n_classes=task.n_gcds + 1,
        width=width,
        n_layers=n_layers,
        n_heads=n_heads,
    )
    seed = int(as_generator(rng).integers(0, 2**62))
    return DigitClassifier(config, generator=torch.Generator().manual_seed(seed))


# --- batches ----------------------------------------------------------------------------------


def set_batches(
    rows: ArrayLike, labels: ArrayLike, batch_size: int, *, rng: Rng
) -> Iterator[Batch]:
    """Batches of a limited set without end, in a new order in each epoch.

    Parameters
    ----------
    rows : array_like of int, shape (n_rows, length)
    labels : array_like of int, shape (n_rows,)
    batch_size : int
        In [1, n_rows]. An incomplete last batch of an epoch is left out.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> rows, labels = np.arange(10).reshape(5, 2), np.arange(5)
    >>> batches = itertools.islice(set_batches(rows, labels, 2, rng=0), 2)  # one epoch
    >>> np.unique(np.concatenate([classes for _, classes in batches])).size
    4
    """
    inputs, classes = np.asarray(rows), np.asarray(labels)
    if classes.shape != inputs.shape[:1]:
        raise ValueError(f"labels must have the shape {inputs.shape[:1]}, got {classes.shape}")
    batch = whole_number("batch_size", batch_size, maximum=len(inputs))
    return _epochs(inputs, classes, batch, as_generator(rng))


def _epochs(
    rows: Integers, labels: Integers, batch: int, rng: np.random.Generator
) -> Iterator[Batch]:
    while True:
        order = rng.permutation(len(rows))
        inputs, classes = rows[order], labels[order]
        for first in range(0, len(rows) - batch + 1, batch):
            yield inputs[first : first + batch], classes[first : first + batch]


def source_batches(
    task: GcdTask, source: Source, batch_size: int, *, rng: Rng, together: int = 32
) -> Iterator[Batch]:
    """Batches of new pairs without end.

    Parameters
    ----------
    task : GcdTask
    source : callable
        Such as `relabelled_source` or `omitting_source`.
    batch_size, together : int
        >= 1; ``together`` batches are drawn at a time.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> rows, labels = next(source_batches(task, relabelled_source(task, None), 32, rng=0))
    >>> rows.shape, labels.shape
    ((32, 4), (32,))
    """
    batch, count = whole_number("batch_size", batch_size), whole_number("together", together)
    return _stream(task, source, batch, count, as_generator(rng))


def _stream(
    task: GcdTask, source: Source, batch: int, together: int, rng: np.random.Generator
) -> Iterator[Batch]:
    while True:
        pairs, labels = source(batch * together, rng)
        rows = task.encode(pairs)
        for first in range(0, len(rows), batch):
            yield rows[first : first + batch], labels[first : first + batch]


def relabelled_source(
    task: GcdTask,
    teacher: DigitClassifier | None,
    real_fraction: float = 0.0,
    *,
    temperature: float = 1.0,
) -> Source:
    """Real pairs; each label is the true one with a fixed probability, else the teacher's.

    Parameters
    ----------
    task : GcdTask
    teacher : DigitClassifier or None
        None: all labels are true.
    real_fraction : float
        In [0, 1].
    temperature : float
        See `write_labels`.

    Returns
    -------
    callable
        Wrong answers contradict true ones: where the teacher is wrong in one way, the most likely
        label is the true one only if ``real_fraction`` > 1/2.

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> source = relabelled_source(task, new_classifier(task, rng=0), real_fraction=0.9)
    >>> pairs, labels = source(1000, np.random.default_rng(0))
    >>> bool(0.85 < (labels == task.labels(pairs)).mean() < 0.97)
    True
    """
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=1.0)

    def draw(n_pairs: int, rng: np.random.Generator) -> Batch:
        pairs = task.sample(n_pairs, rng=rng)
        labels = task.labels(pairs)
        if teacher is not None and share < 1.0:
            written = rng.random(n_pairs) >= share
            labels[written] = write_labels(
                teacher, task.encode(pairs[written]), temperature, rng=rng
            )
        return pairs, labels

    return draw


def omitting_source(
    task: GcdTask,
    teacher: DigitClassifier,
    known: Collection[int],
    real_fraction: float = 0.0,
    *,
    temperature: float = 0.0,
) -> Source:
    """Real pairs with true labels, or pairs whose divisor the teacher knows, with its labels.

    Parameters
    ----------
    task : GcdTask
    teacher : DigitClassifier
    known : collection of int
        Divisors in [1, n_gcds]; the synthetic part holds no others. Not empty, and not so rare
        that fewer than 1 in 1000 pairs has one.
    real_fraction : float
        In [0, 1].
    temperature : float
        See `write_labels`.

    Returns
    -------
    callable
        The tail is missing from the synthetic part, not contradicted by it.

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> source = omitting_source(task, new_classifier(task, rng=0), known=[1, 2])
    >>> pairs, labels = source(200, np.random.default_rng(0))
    >>> np.unique(task.labels(pairs)).tolist()  # no other divisors are asked for
    [1, 2]
    """
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=1.0)
    wanted = np.zeros(task.n_gcds + 1, dtype=bool)
    for divisor in known:
        wanted[whole_number("known", divisor, maximum=task.n_gcds)] = True
    if not wanted.any():
        raise ValueError(f"known must hold at least one divisor, got {known!r}")

    def draw(n_pairs: int, rng: np.random.Generator) -> Batch:
        pairs = task.sample(n_pairs, rng=rng)
        labels = task.labels(pairs)
        written = rng.random(n_pairs) >= share
        open_rows = np.flatnonzero(written & ~wanted[labels])
        n_tries = 0
        while open_rows.size:
            n_tries += 1
            if n_tries > 20_000:
                raise ValueError(f"known must hold a divisor that occurs, got {known!r}")
            pairs[open_rows] = again = task.sample(open_rows.size, rng=rng)
            open_rows = open_rows[~wanted[task.labels(again)]]
        if written.any():
            labels[written] = write_labels(
                teacher, task.encode(pairs[written]), temperature, rng=rng
            )
        return pairs, labels

    return draw


# --- answers ----------------------------------------------------------------------------------


@torch.no_grad()
def _logits(model: DigitClassifier, rows: ArrayLike, batch_size: int) -> Iterator[torch.Tensor]:
    device = next(model.parameters()).device
    tokens = torch.as_tensor(np.asarray(rows))
    for part in torch.split(tokens, batch_size) if len(tokens) else ():
        yield model(part.to(device))


def predict(model: DigitClassifier, rows: ArrayLike, *, batch_size: int = 2048) -> Integers:
    """Most likely class of each row, shape (n_rows,).

    Parameters
    ----------
    model : DigitClassifier
    rows : array_like of int, shape (n_rows, length)
    batch_size : int
        Rows at a time, >= 1.

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> model = new_classifier(task, rng=0)
    >>> predict(model, task.encode([[12, 18], [5, 10], [7, 9]])).shape
    (3,)
    """
    size = whole_number("batch_size", batch_size)
    parts = [logits.argmax(dim=1).cpu().numpy() for logits in _logits(model, rows, size)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def write_labels(
    model: DigitClassifier,
    rows: ArrayLike,
    temperature: float = 1.0,
    *,
    batch_size: int = 2048,
    rng: Rng,
) -> Integers:
    """Answers of a model, drawn from its softmax.

    Parameters
    ----------
    model : DigitClassifier
    rows : array_like of int, shape (n_rows, length)
    temperature : float
        >= 0, divides the logits; 0 is the most likely class.
    batch_size : int
        Rows at a time, >= 1.
    rng : Generator, SeedSequence or int
        One uniform number is drawn for each row, at each temperature above 0.

    Returns
    -------
    ndarray of int64, shape (n_rows,)

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> model, rows = new_classifier(task, rng=0), task.encode([[12, 18]] * 500)
    >>> np.unique(write_labels(model, rows, 0.0, rng=0)).size  # always the most likely one
    1
    >>> np.unique(write_labels(model, rows, 1.0, rng=0)).size > 1
    True
    """
    heat = real_number("temperature", temperature, minimum=0.0)
    if heat == 0.0:
        return predict(model, rows, batch_size=batch_size)
    size, generator = whole_number("batch_size", batch_size), as_generator(rng)
    parts = []
    for logits in _logits(model, rows, size):
        sums = (logits.double() / heat).softmax(dim=1).cumsum(dim=1).cpu().numpy()
        at = generator.random((len(sums), 1)) * sums[:, -1:]
        parts.append(np.minimum((sums <= at).sum(axis=1), sums.shape[1] - 1))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


# --- training ---------------------------------------------------------------------------------


def train(
    model: Model,
    batches: Iterable[Batch],
    *,
    config: TrainingConfig,
    evaluate: Callable[[Model], Result] | None = None,
    evaluate_at: Sequence[int] = (),
) -> list[Result]:
    """Train a model in place on the mean cross-entropy of its logits.

    Parameters
    ----------
    model : torch.nn.Module
        On the device where it is. From rows of tokens to logits, which have one axis more than the
        labels.
    batches : iterable of (rows, labels)
        One for each step.
    config : TrainingConfig
    evaluate : callable, optional
        Called with the model.
    evaluate_at : sequence of int
        Steps in [0, n_steps], increasing, after which ``evaluate`` is called.

    Returns
    -------
    list
        What ``evaluate`` returned.

    Raises
    ------
    TypeError, ValueError
        If the steps do not increase, the batches end too soon, or the loss is not finite.

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> model, pairs = new_classifier(task, rng=0), task.sample(500, rng=1)
    >>> accuracy = train(
    ...     model,
    ...     source_batches(task, relabelled_source(task, None), 64, rng=2),
    ...     config=TrainingConfig(n_steps=30, batch_size=64),
    ...     evaluate=lambda model: (
    ...         predict(model, task.encode(pairs)) == task.labels(pairs)
    ...     ).mean(),
    ...     evaluate_at=[0, 30],
    ... )
    >>> bool(accuracy[1] > accuracy[0])
    True
    """
    goals = [
        whole_number("evaluate_at", step, minimum=0, maximum=config.n_steps) for step in evaluate_at
    ]
    if any(a >= b for a, b in itertools.pairwise(goals)):
        raise ValueError(f"evaluate_at must increase, got {goals}")
    if goals and evaluate is None:
        raise ValueError("evaluate must be given where evaluate_at is, got None")
    weights = list(model.parameters())
    device = weights[0].device
    optimiser = torch.optim.AdamW(
        weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    results: list[Result] = []
    source = iter(batches)
    for step in range(config.n_steps + 1):
        if step:
            try:
                rows, labels = next(source)
            except StopIteration:
                raise ValueError(
                    f"batches must last for {config.n_steps} steps, got {step - 1}"
                ) from None
            optimiser.param_groups[0]["lr"] = config.rate(step)
            optimiser.zero_grad()
            logits = model(torch.from_numpy(rows).to(device)).flatten(0, -2)
            goal = torch.from_numpy(labels).to(device).flatten()
            loss = functional.cross_entropy(logits, goal)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            last = float(loss.detach()) if step % 50 == 0 or step == config.n_steps else 0.0
            if not math.isfinite(last):
                raise ValueError(
                    f"learning_rate must be small enough for training to converge: the loss is "
                    f"{last} after {step} steps at {config.learning_rate!r}"
                )
        if evaluate is not None and step in goals:
            results.append(evaluate(model))
    return results


class Generation(NamedTuple):
    """A model of a chain and what it learnt.

    Examples
    --------
    >>> learnt = np.array([True, True, False])
    >>> one = Generation(None, learnt, accuracy=0.7, n_labels=3, wrong_labels=0.1)
    >>> (np.flatnonzero(one.learnt) + 1).tolist()  # the divisors that it knows
    [1, 2]
    """

    model: DigitClassifier
    learnt: NDArray[np.bool_]  # (n_gcds,), on the test pairs
    accuracy: float  # over the test pairs, each divisor with the same weight
    n_labels: int  # different labels in its training set
    wrong_labels: float  # fraction of its training set


def train_generation(
    task: GcdTask,
    teacher: DigitClassifier | None,
    *,
    n_pairs: int,
    test_pairs: ArrayLike,
    config: TrainingConfig,
    temperature: float = 1.0,
    real_fraction: float = 0.0,
    width: int = 64,
    n_layers: int = 1,
    n_heads: int = 4,
    device: str = "cpu",
    rng: Rng,
) -> Generation:
    """Train a new model on pairs that a teacher labelled.

    Parameters
    ----------
    task : GcdTask
    teacher : DigitClassifier or None
        None: true labels.
    n_pairs : int
        Size of the training set, >= ``config.batch_size``.
    test_pairs : array_like of int, shape (n_test, 2)
        See `gcd.GcdTask.test_pairs`.
    config : TrainingConfig
    temperature, real_fraction : float
        See `relabelled_source`.
    width, n_layers, n_heads : int
        See `models.ClassifierConfig`.
    device : str
        As PyTorch names it.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> config = TrainingConfig(n_steps=5, batch_size=64)

    >>> pairs = task.test_pairs(10, rng=0)
    >>> one = train_generation(task, None, n_pairs=500, test_pairs=pairs, config=config, rng=1)
    >>> one.learnt.shape, one.wrong_labels
    ((10,), 0.0)
    """
    size = whole_number("n_pairs", n_pairs, minimum=config.batch_size)
    generator = as_generator(rng)
    source = relabelled_source(task, teacher, real_fraction, temperature=temperature)
    pairs, labels = source(size, generator)
    model = new_classifier(task, width=width, n_layers=n_layers, n_heads=n_heads, rng=generator)
    model.to(device)
    batches = set_batches(task.encode(pairs), labels, config.batch_size, rng=generator)
    train(model, batches, config=config)
    truth, guess = task.labels(test_pairs), predict(model, task.encode(test_pairs))
    return Generation(
        model,
        learnt_gcds(guess, truth, n_gcds=task.n_gcds),
        float(np.mean(guess == truth)),
        len(np.unique(labels)),
        float(np.mean(labels != task.labels(pairs))),
    )


def generation_chain(
    task: GcdTask,
    n_generations: int,
    *,
    n_pairs: int,
    test_pairs: ArrayLike,
    config: TrainingConfig,
    temperature: float = 1.0,
    real_fraction: float = 0.0,
    first: Generation | None = None,
    width: int = 64,
    n_layers: int = 1,
    n_heads: int = 4,
    device: str = "cpu",
    rng: Rng,
) -> Iterator[Generation]:
    """Models that each learn from the answers of the one before, on new pairs.

    Parameters
    ----------
    n_generations : int
        >= 0, after generation 0, which learns from true labels.
    first : Generation, optional
        Generation 0, if it is there already; several chains may share it.
    task, n_pairs, test_pairs, config, temperature, real_fraction, width, n_layers, n_heads, device
        See `train_generation`.
    rng : Generator, SeedSequence or int

    Yields
    ------
    Generation
        ``n_generations + 1`` of them.

    Examples
    --------
    >>> task = GcdTask(base=10, max_operand=99, n_gcds=10)
    >>> config = TrainingConfig(n_steps=5, batch_size=64)

    >>> pairs = task.test_pairs(10, rng=0)
    >>> chain = generation_chain(task, 2, n_pairs=500, test_pairs=pairs, config=config, rng=1)
    >>> [one.wrong_labels > 0 for one in chain]  # the first learns from true labels
    [False, True, True]
    """
    count, generator = whole_number("n_generations", n_generations, minimum=0), as_generator(rng)
    last = first
    for number in range(count + 1):
        if number or last is None:
            last = train_generation(
                task,
                last.model if last else None,
                n_pairs=n_pairs,
                test_pairs=test_pairs,
                config=config,
                temperature=temperature,
                real_fraction=real_fraction,
                width=width,
                n_layers=n_layers,
                n_heads=n_heads,
                device=device,
                rng=generator,
            )
        yield last
