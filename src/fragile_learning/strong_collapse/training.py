"""One-pass training of small language models on a stream of stories."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.strong_collapse.language import Rng, story_mask
from fragile_learning.strong_collapse.models import Scorer

__all__ = ["TrainingConfig", "epochs", "log_probability", "mixed_stream", "train_online"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a language model is trained.

    Attributes
    ----------
    learning_rate : float
        > 0, of AdamW; reached after the warm-up and then constant.
    warmup_steps : int
        >= 1; the rate grows in proportion to the step.
    weight_decay : float
        >= 0, on matrices alone.
    averaging : float
        >= 0. The model that is evaluated is the average of all weights so far, step ``i`` of ``n``
        with weight about ``(i / n) ** averaging``; 0 is a plain average, ``inf`` the last step.
    max_norm : float
        > 0, to which longer gradients are cut.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> TrainingConfig(learning_rate=1e-3).warmup_steps
    50
    """

    learning_rate: float = 4e-3
    warmup_steps: int = 50
    weight_decay: float = 0.01
    averaging: float = 8.0
    max_norm: float = 1.0

    def __post_init__(self) -> None:
        real_number("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        whole_number("warmup_steps", self.warmup_steps)
        real_number("weight_decay", self.weight_decay, minimum=0.0)
        if self.averaging != float("inf"):
            real_number("averaging", self.averaging, minimum=0.0)
        real_number("max_norm", self.max_norm, minimum=0.0, open_minimum=True)


def epochs(stories: ArrayLike, batch_size: int, *, rng: Rng) -> Iterable[NDArray[np.int64]]:
    """Batches of a limited corpus without end, in a new order in each epoch.

    Parameters
    ----------
    stories : array_like of int, shape (n_stories, time)
    batch_size : int
        In [1, n_stories]. An incomplete last batch of an epoch is left out.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> stories = np.arange(5)[:, None]
    >>> batches = itertools.islice(epochs(stories, 2, rng=0), 4)  # two batches an epoch
    >>> [batch.shape for batch in batches]
    [(2, 1), (2, 1), (2, 1), (2, 1)]
    """
    array = np.asarray(stories)
    batch = whole_number("batch_size", batch_size, maximum=len(array))
    generator = as_generator(rng)
    while True:
        order = generator.permutation(len(array))
        for first in range(0, len(array) - batch + 1, batch):
            yield array[order[first : first + batch]]


def mixed_stream(
    real: ArrayLike,
    synthetic: ArrayLike,
    synthetic_fraction: float,
    batch_size: int,
    *,
    rng: Rng,
) -> Iterable[NDArray[np.int64]]:
    """Batches in which each story is synthetic with a fixed probability; every story comes once.

    Story ``i`` of the stream is ``real[i]`` or ``synthetic[i]``. With the same ``rng`` a story that
    is synthetic at one fraction is so at each larger one, for paired comparisons.

    Parameters
    ----------
    real, synthetic : array_like of int, shape (n_stories, time)
    synthetic_fraction : float
        In [0, 1].
    batch_size : int
        >= 1; the last batch may be smaller.
    rng : Generator, SeedSequence or int

    Examples
    --------
    >>> real, synthetic = np.zeros((1000, 1), int), np.ones((1000, 1), int)
    >>> share = [
    ...     np.concatenate(list(mixed_stream(real, synthetic, p2, 32, rng=0))) for p2 in (0.1, 0.3)
    ... ]
    >>> bool((share[0] <= share[1]).all()), bool(abs(share[1].mean() - 0.3) < 0.06)
    (True, True)
    """
    first, second = np.asarray(real), np.asarray(synthetic)
    if first.shape != second.shape:
        raise ValueError(f"synthetic must have the shape of real {first.shape}, got {second.shape}")
    fraction = real_number("synthetic_fraction", synthetic_fraction, minimum=0.0, maximum=1.0)
    batch = whole_number("batch_size", batch_size)
    chosen = as_generator(rng).random(len(first)) < fraction
    for start in range(0, len(first), batch):
        part = slice(start, start + batch)
        yield np.where(chosen[part, None], second[part], first[part])


def train_online(
    model: Scorer,
    batches: Iterable[ArrayLike],
    *,
    token_budgets: Sequence[int],
    evaluate: Callable[[Scorer], Result],
    config: TrainingConfig | None = None,
) -> list[Result]:
    """Train on a stream, each batch once, and evaluate at several budgets along the way.

    Parameters
    ----------
    model : Scorer
        Trained in place, on the device where it is; it ends with the averaged weights.
    batches : iterable of array_like of int, shape (batch, time)
        Each batch is a step; the loss is the mean over its tokens, the ends of stories included.
    token_budgets : sequence of int
        Increasing, >= 0. Training ends at the last one.
    evaluate : callable
        Called with the model, its weights averaged, at the first step that reaches a budget.
    config : TrainingConfig, optional

    Returns
    -------
    list
        What ``evaluate`` returned, one entry a budget.

    Raises
    ------
    TypeError, ValueError
        If budgets do not increase, the stream ends before the last one, or the loss is not finite.

    Notes
    -----
    One run serves all budgets, because its schedule does not know where it will end: a constant
    rate after the warm-up, with the averaged weights standing in for a decay of the rate. A cosine
    decay would need a run for each budget. Without randomness of its own; on the CPU the same
    weights and batches give the same result, number of threads unchanged.

    Examples
    --------
    >>> from fragile_learning.strong_collapse.models import GPT, GPTConfig
    >>> config = GPTConfig(n_words=5, context=4, n_layers=1, width=8)
    >>> model = GPT(config, generator=torch.Generator().manual_seed(0))
    >>> stories = np.array([[1, 2, 3, 0]] * 8)
    >>> found = train_online(
    ...     model,
    ...     epochs(stories, 8, rng=0),
    ...     token_budgets=[0, 3000],
    ...     evaluate=lambda model: log_probability(model, stories[:1])[0],
    ... )
    >>> bool(found[0] < -4.0 < -1.0 < found[1])  # log-probability of the one story that there is
    True
    """
    settings = config or TrainingConfig()
    goals = [whole_number("token_budgets", budget, minimum=0) for budget in token_budgets]
    if not goals or any(a >= b for a, b in itertools.pairwise(goals)):
        raise ValueError(f"token_budgets must increase and not be empty, got {goals}")
    weights = list(model.parameters())
    matrices = [tensor for tensor in weights if tensor.ndim >= 2]
    vectors = [tensor for tensor in weights if tensor.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        betas=(0.9, 0.98),
    )
    average = [tensor.detach().clone() for tensor in weights]
    results: list[Result] = []

    def reached(n_tokens: int) -> bool:
        while len(results) < len(goals) and n_tokens >= goals[len(results)]:
            results.append(_with_weights(model, average, evaluate))
        return len(results) == len(goals)

    n_tokens = step = 0
    source = iter(batches)
    model.train()
    while not reached(n_tokens):
        try:
            stories = np.asarray(next(source))
        except StopIteration:
            raise ValueError(
                f"batches must last for {goals[-1]} tokens, got {n_tokens} in {step} steps"
            ) from None
        step += 1
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, step / settings.warmup_steps)
        size = int(story_mask(stories, model.end).sum())
        batch = torch.as_tensor(stories, device=weights[0].device)
        optimiser.zero_grad()
        loss = model.token_losses(batch).sum() / size
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(weights, settings.max_norm)
        if not torch.isfinite(norm):
            raise ValueError(
                f"learning_rate must be small enough for training to converge: the loss is "
                f"{float(loss.detach())} after {step} steps at {settings.learning_rate!r}"
            )
        optimiser.step()
        new = min(1.0, (settings.averaging + 1.0) / (settings.averaging + step))
        if settings.averaging == float("inf"):
            new = 1.0
        with torch.no_grad():
            for kept, tensor in zip(average, weights, strict=True):
                kept.lerp_(tensor, new)
        n_tokens += size
    _load(weights, average)
    return results


@torch.no_grad()
def _load(weights: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    for tensor, value in zip(weights, values, strict=True):
        tensor.copy_(value)


def _with_weights(
    model: Scorer, values: Sequence[Tensor], evaluate: Callable[[Scorer], Result]
) -> Result:
    """Evaluate a model with other weights, and put its own back."""
    weights = list(model.parameters())
    own = [tensor.detach().clone() for tensor in weights]
    _load(weights, values)
    model.eval()
    try:
        return evaluate(model)
    finally:
        model.train()
        _load(weights, own)


def log_probability(model: Scorer, stories: ArrayLike) -> NDArray[np.float64]:
    """Log-probability of each story under a model, in nats, as a numpy array.

    Parameters
    ----------
    model : Scorer
    stories : array_like of int, shape (n_stories, time)

    Examples
    --------
    >>> from fragile_learning.strong_collapse.models import GPT, GPTConfig
    >>> config = GPTConfig(n_words=5, context=4, n_layers=1, width=8)
    >>> model = GPT(config, generator=torch.Generator().manual_seed(0))
    >>> found = log_probability(model, [[1, 2, 0, 0], [1, 2, 3, 0]])
    >>> found.shape, bool((found < 0).all())
    ((2,), True)
    """
    return model.log_probability(torch.as_tensor(np.asarray(stories))).numpy()
