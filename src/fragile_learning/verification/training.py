"""Generators and students: training, most likely answers, and many sampled answers at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.verification.eigenvalues import EigenTask
from fragile_learning.verification.models import Seq2Seq, Seq2SeqConfig

__all__ = [
    "Candidates",
    "TrainingConfig",
    "log_probabilities",
    "new_model",
    "predict",
    "sample_candidates",
    "train",
    "train_new",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Rng = np.random.Generator | np.random.SeedSequence | int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    Attributes
    ----------
    n_steps, batch_size : int
        >= 1.
    learning_rate : float
        > 0, of AdamW (betas 0.9 and 0.98), at the end of the warm-up.
    warmup_fraction : float
        In [0, 1), of the steps; in them the rate grows in proportion to the step.
    final_fraction : float
        In [0, 1]. After the warm-up the rate falls along a cosine to this fraction.
    weight_decay : float
        >= 0.
    clip : float
        > 0; longer gradients are shortened to this norm.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> config = TrainingConfig(n_steps=100, learning_rate=0.01)
    >>> [round(config.rate(step), 5) for step in (1, 5, 50, 100)]
    [0.002, 0.01, 0.00564, 0.0005]
    """

    n_steps: int = 400
    batch_size: int = 256
    learning_rate: float = 3e-3
    warmup_fraction: float = 0.05
    final_fraction: float = 0.05
    weight_decay: float = 0.01
    clip: float = 1.0

    def __post_init__(self) -> None:
        whole_number("n_steps", self.n_steps)
        whole_number("batch_size", self.batch_size)
        real_number("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        real_number(
            "warmup_fraction", self.warmup_fraction, minimum=0.0, maximum=1.0, open_maximum=True
        )
        real_number("final_fraction", self.final_fraction, minimum=0.0, maximum=1.0)
        real_number("weight_decay", self.weight_decay, minimum=0.0)
        real_number("clip", self.clip, minimum=0.0, open_minimum=True)

    def rate(self, step: int) -> float:
        """Learning rate of a step, the first one is 1."""
        warmup = round(self.warmup_fraction * self.n_steps)
        if step <= warmup:
            return self.learning_rate * step / warmup
        gone = (step - warmup) / max(1, self.n_steps - warmup)
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, gone)))
        return self.learning_rate * (self.final_fraction + (1.0 - self.final_fraction) * cosine)


def new_model(
    task: EigenTask,
    *,
    width: int = 64,
    n_heads: int = 4,
    n_encoder_layers: int = 1,
    n_decoder_layers: int = 1,
    rng: Rng,
) -> Seq2Seq:
    """Build an untrained model for a task, its weights drawn from ``rng``.

    Parameters
    ----------
    task : IntGrid or RealMatrices
    width, n_heads, n_encoder_layers, n_decoder_layers : int
        See `models.Seq2SeqConfig`.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> from fragile_learning.verification.eigenvalues import IntGrid
    >>> task = IntGrid(max_entry=3)
    >>> model = new_model(task, width=8, n_heads=2, rng=1)
    >>> model.config.input_words, sum(p.numel() for p in model.parameters())
    (7, 2405)
    """
    config = Seq2SeqConfig(
        input_words=task.input_words,
        output_words=task.output_words,
        n_inputs=task.n_inputs,
        n_outputs=task.n_outputs,
        width=width,
        n_heads=n_heads,
        n_encoder_layers=n_encoder_layers,
        n_decoder_layers=n_decoder_layers,
    )
    seed = int(as_generator(rng).integers(0, 2**62))
    return Seq2Seq(config, generator=torch.Generator().manual_seed(seed))


def _rows(name: str, value: ArrayLike, n_words: int, length: int) -> Tensor:
    raw = np.asarray(value)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an array of integers, got dtype {raw.dtype}")
    if raw.ndim != 2 or raw.shape[1] != length:
        raise ValueError(f"{name} must have the shape (n_rows, {length}), got {raw.shape}")
    if raw.size and (raw.min() < 0 or raw.max() >= n_words):
        raise ValueError(
            f"{name} must hold tokens in [0, {n_words - 1}], got {raw.min()} to {raw.max()}"
        )
    return torch.as_tensor(raw.astype(np.int64))


def _questions(model: Seq2Seq, questions: ArrayLike) -> Tensor:
    return _rows("questions", questions, model.config.input_words, model.config.n_inputs)


def _pairs(model: Seq2Seq, questions: ArrayLike, answers: ArrayLike) -> tuple[Tensor, Tensor]:
    inputs = _questions(model, questions)
    outputs = _rows("answers", answers, model.config.output_words, model.config.n_outputs)
    if len(outputs) != len(inputs):
        raise ValueError(f"answers must have {len(inputs)} rows, got {len(outputs)}")
    return inputs, outputs


# --- training ---------------------------------------------------------------------------------


def _order(n_rows: int, batch: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Rows of one batch after the other, in a new order in each epoch."""
    while True:
        order = torch.from_numpy(rng.permutation(n_rows))
        for first in range(0, n_rows - batch + 1, batch):
            yield order[first : first + batch]


def train(
    model: Seq2Seq, questions: ArrayLike, answers: ArrayLike, *, config: TrainingConfig, rng: Rng
) -> None:
    """Train a model in place, by the cross-entropy of each token of the answers.

    Parameters
    ----------
    model : Seq2Seq
        On the device where it is.
    questions : array_like of int, shape (n_rows, n_inputs)
    answers : array_like of int, shape (n_rows, n_outputs)
    config : TrainingConfig
        With a ``batch_size`` <= ``n_rows``. An incomplete last batch of an epoch is left out.
    rng : Generator, SeedSequence or int
        For the order of the rows.

    Raises
    ------
    TypeError, ValueError
        If the arrays do not fit the model, there are too few rows, or the loss is not finite.

    Examples
    --------
    >>> from fragile_learning.verification.eigenvalues import IntGrid
    >>> task = IntGrid(max_entry=3)
    >>> (matrices,) = task.disjoint_sets([200], rng=1)
    >>> model = new_model(task, width=16, n_heads=2, rng=1)
    >>> questions, answers = task.encode(matrices), task.labels(matrices)
    >>> before = log_probabilities(model, questions, answers).mean()
    >>> config = TrainingConfig(n_steps=20, batch_size=50, learning_rate=0.01)
    >>> train(model, questions, answers, config=config, rng=2)
    >>> bool(log_probabilities(model, questions, answers).mean() > before + 1.0)
    True
    """
    weights = list(model.parameters())
    device = weights[0].device
    inputs, outputs = (tensor.to(device) for tensor in _pairs(model, questions, answers))
    if config.batch_size > len(inputs):
        raise ValueError(f"batch_size must be <= {len(inputs)} rows, got {config.batch_size}")
    optimiser = torch.optim.AdamW(
        weights,
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
        fused=True,
    )
    batches = _order(len(inputs), config.batch_size, as_generator(rng))
    for step in range(1, config.n_steps + 1):
        rows = next(batches).to(device)
        optimiser.param_groups[0]["lr"] = config.rate(step)
        optimiser.zero_grad()
        targets = outputs[rows]
        logits = model(inputs[rows], targets)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, config.clip)
        optimiser.step()
        if step % 50 == 0 or step == config.n_steps:
            last = float(loss.detach())
            if not math.isfinite(last):
                raise ValueError(
                    f"learning_rate must be small enough for training to converge: the loss is "
                    f"{last} after {step} steps at {config.learning_rate!r}"
                )


def train_new(
    task: EigenTask,
    matrices: ArrayLike,
    answers: ArrayLike | None = None,
    *,
    config: TrainingConfig,
    width: int = 64,
    n_heads: int = 4,
    n_encoder_layers: int = 1,
    n_decoder_layers: int = 1,
    device: str = "cpu",
    rng: Rng,
) -> Seq2Seq:
    """Train a new model on matrices with the right answers, or with others.

    Parameters
    ----------
    task : IntGrid or RealMatrices
    matrices : array_like
        As the task draws them.
    answers : array_like of int, shape (n_matrices, n_outputs), optional
        None: the right ones.
    config : TrainingConfig
    width, n_heads, n_encoder_layers, n_decoder_layers : int
        See `models.Seq2SeqConfig`.
    device : str
        As PyTorch names it.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> from fragile_learning.verification.eigenvalues import IntGrid
    >>> task = IntGrid(max_entry=3)
    >>> (matrices,) = task.disjoint_sets([100], rng=1)
    >>> config = TrainingConfig(n_steps=5, batch_size=50)
    >>> model = train_new(task, matrices, config=config, width=8, n_heads=2, rng=1)
    >>> predict(model, task.encode(matrices)).shape
    (100, 2)
    """
    generator = as_generator(rng)
    model = new_model(
        task,
        width=width,
        n_heads=n_heads,
        n_encoder_layers=n_encoder_layers,
        n_decoder_layers=n_decoder_layers,
        rng=generator,
    ).to(device)
    given = task.labels(matrices) if answers is None else answers
    train(model, task.encode(matrices), given, config=config, rng=generator)
    return model


# --- answers ----------------------------------------------------------------------------------


class Candidates(NamedTuple):
    """Sampled answers.

    Attributes
    ----------
    answers : ndarray of int64, shape (n_rows, n_candidates, n_outputs)
    log_probabilities : ndarray, shape (n_rows, n_candidates)
        Of whole answers under the model at temperature 1, in nats.

    Examples
    --------
    >>> from fragile_learning.verification.eigenvalues import IntGrid
    >>> task = IntGrid(max_entry=3)
    >>> model = new_model(task, width=8, n_heads=2, rng=1)
    >>> questions = task.encode([[1, 0, 2], [0, 1, 0]])
    >>> found = sample_candidates(model, questions, 50, rng=1)
    >>> likeliest = found.answers[[0, 1], found.log_probabilities.argmax(axis=1)]
    >>> likeliest.shape
    (2, 2)
    """

    answers: Integers
    log_probabilities: Floats


def _drawn(sums: Tensor, chances: Tensor) -> Tensor:
    """Words whose cumulated probability first exceeds a uniform number.

    ``sums`` has the shape (..., words), ``chances`` in [0, 1) the shape (..., draws).
    """
    total = sums[..., -1:]
    found = torch.searchsorted(sums, chances * total, right=True)
    # rounding may put the product on the total: then the last word that has any probability
    last = (sums < total).sum(dim=-1, keepdim=True)
    return torch.minimum(found, last)


@torch.no_grad()
def sample_candidates(
    model: Seq2Seq,
    questions: ArrayLike,
    n_candidates: int,
    *,
    temperature: float = 1.0,
    batch_size: int = 1024,
    rng: Rng,
) -> Candidates:
    """Sample several answers to each question.

    Parameters
    ----------
    model : Seq2Seq
    questions : array_like of int, shape (n_rows, n_inputs)
    n_candidates : int
        >= 1.
    temperature : float
        > 0, divides the logits.
    batch_size : int
        Questions at a time, >= 1; there are ``n_candidates`` answers to each of them in memory.
    rng : Generator, SeedSequence or int
        One uniform number is drawn for each token.

    Returns
    -------
    Candidates

    Notes
    -----
    A question is encoded once, and so is the beginning of its answers; its candidates share the
    encoder's keys and values, and each keeps those of its own tokens.

    Examples
    --------
    >>> from fragile_learning.verification.eigenvalues import IntGrid
    >>> task = IntGrid(max_entry=3)
    >>> model = new_model(task, width=8, n_heads=2, rng=1)
    >>> questions = task.encode([[1, 0, 2]])
    >>> found = sample_candidates(model, questions, 4, rng=1)
    >>> again = log_probabilities(model, np.repeat(questions, 4, axis=0), found.answers[0])
    >>> found.answers.shape, bool(np.allclose(found.log_probabilities[0], again, atol=1e-5))
    ((1, 4, 2), True)
    """
    inputs, generator = _questions(model, questions), as_generator(rng)
    count, size = whole_number("n_candidates", n_candidates), whole_number("batch_size", batch_size)
    heat = real_number("temperature", temperature, minimum=0.0, open_minimum=True)
    device, length = next(model.parameters()).device, model.config.n_outputs
    answers = np.empty((len(inputs), count, length), dtype=np.int64)
    logs = np.empty((len(inputs), count))
    for first in range(0, len(inputs), size):
        part = inputs[first : first + size].to(device)
        memories = model.encode(part)
        uniform = generator.random((length, len(part), count))
        words = torch.full((len(part), 1), model.start, device=device)
        total = torch.zeros((len(part), count), dtype=torch.float64, device=device)
        pasts = None
        for place in range(length):
            logits, pasts = model.step(words, place, memories, pasts)
            plain = logits.double().log_softmax(dim=-1)
            law = plain.exp() if heat == 1.0 else (plain / heat).softmax(dim=-1)
            sums = law.cumsum(dim=-1)
            chances = torch.from_numpy(uniform[place]).to(device)
            if place == 0:  # all candidates begin with one law
                words = _drawn(sums[:, 0], chances)
                total += plain[:, 0].gather(1, words)
                pasts = [past.repeat_interleave(count, dim=1) for past in pasts]
            else:
                words = _drawn(sums, chances[..., None])[..., 0]
                total += plain.gather(2, words[..., None])[..., 0]
            answers[first : first + size, :, place] = words.cpu().numpy()
        logs[first : first + size] = total.cpu().numpy()
    return Candidates(answers, logs)


@torch.no_grad()
def predict(model: Seq2Seq, questions: ArrayLike, *, batch_size: int = 2048) -> Integers:
    """Answer each question with the most likely token at each place.

    Parameters
    ----------
    model : Seq2Seq
    questions : array_like of int, shape (n_rows, n_inputs)
    batch_size : int
        Questions at a time, >= 1.

    Returns
    -------
    ndarray of int64, shape (n_rows, n_outputs)

    Examples
    --------
    >>> from fragile_learning.verification.eigenvalues import IntGrid
    >>> task = IntGrid(max_entry=3)
    >>> model = new_model(task, width=8, n_heads=2, rng=1)
    >>> answers = predict(model, task.encode([[1, 0, 2], [0, 1, 0]]))
    >>> answers.shape, bool((answers < task.output_words).all())
    ((2, 2), True)
    """
    inputs, size = _questions(model, questions), whole_number("batch_size", batch_size)
    device, length = next(model.parameters()).device, model.config.n_outputs
    answers = np.empty((len(inputs), length), dtype=np.int64)
    for first in range(0, len(inputs), size):
        part = inputs[first : first + size].to(device)
        memories, pasts = model.encode(part), None
        words = torch.full((len(part), 1), model.start, device=device)
        for place in range(length):
            logits, pasts = model.step(words, place, memories, pasts)
            words = logits.argmax(dim=-1)
            answers[first : first + size, place] = words[:, 0].cpu().numpy()
    return answers


@torch.no_grad()
def log_probabilities(
    model: Seq2Seq, questions: ArrayLike, answers: ArrayLike, *, batch_size: int = 2048
) -> Floats:
    """Log-probability of whole answers, shape (n_rows,), in nats.

    Parameters
    ----------
    model : Seq2Seq
    questions : array_like of int, shape (n_rows, n_inputs)
    answers : array_like of int, shape (n_rows, n_outputs)
    batch_size : int
        Rows at a time, >= 1.

    Examples
    --------
    >>> from fragile_learning.verification.eigenvalues import IntGrid
    >>> task = IntGrid(max_entry=3)
    >>> model = new_model(task, width=8, n_heads=2, rng=1)
    >>> every = np.indices((task.output_words, task.output_words)).reshape(2, -1).T
    >>> questions = np.repeat(task.encode([[1, 0, 2]]), len(every), axis=0)
    >>> round(float(np.exp(log_probabilities(model, questions, every)).sum()), 5)
    1.0
    """
    inputs, outputs = _pairs(model, questions, answers)
    size, device = whole_number("batch_size", batch_size), next(model.parameters()).device
    found = np.empty(len(inputs))
    for first in range(0, len(inputs), size):
        part = outputs[first : first + size].to(device)
        logits = model(inputs[first : first + size].to(device), part).double()
        logs = logits.log_softmax(dim=-1).gather(2, part[..., None])[..., 0].sum(dim=1)
        found[first : first + size] = logs.cpu().numpy()
    return found
