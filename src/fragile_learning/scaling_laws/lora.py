"""Real language models that learn from their own continuations, with low-rank adapters.

For those who have weights: any causal language model in a local Hugging Face folder, fine-tuned
anew in each generation on real text that the model of the generation before continued. Nothing is
ever downloaded. Needs PyTorch, transformers and peft
(``pip install 'fragile-learning[torch,llm]'``).
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.causal_models import (
    load_causal_lm,
    load_tokenizer,
    optional_module,
    own_randomness,
)

__all__ = [
    "LoraConfig",
    "LoraGeneration",
    "continuations",
    "fine_tune",
    "load_causal_lm",
    "lora_generations",
    "perplexity",
    "token_blocks",
]

Integers = NDArray[np.int64]
Rng = np.random.Generator | np.random.SeedSequence | int
_TARGETS = (("q_proj", "v_proj"), ("c_attn",), ("query_key_value",))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraConfig:
    """How a model is fine-tuned.

    Attributes
    ----------
    rank : int
        >= 1, of the adapters on the queries and values of each layer (on the joint matrix where
        there is one, as in GPT-2). The default on Llama2-7B trains 0.062 % of the weights.
    scale : float
        > 0; the adapters' product is multiplied by ``scale / rank``.
    dropout : float
        In [0, 1), before the adapters.
    learning_rate : float
        > 0, of Adam, constant.
    n_steps, batch_size : int
        >= 1.
    targets : tuple of str
        Names of the matrices with adapters; empty: found by the names above.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> LoraConfig(rank=4).scale
    16.0
    """

    rank: int = 8
    scale: float = 16.0
    dropout: float = 0.1
    learning_rate: float = 5e-5
    n_steps: int = 1000
    batch_size: int = 8
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("rank", "n_steps", "batch_size"):
            whole_number(name, getattr(self, name))
        for name in ("scale", "learning_rate"):
            real_number(name, getattr(self, name), minimum=0.0, open_minimum=True)
        real_number("dropout", self.dropout, minimum=0.0, maximum=1.0, open_maximum=True)
        targets: Any = self.targets
        if not isinstance(targets, tuple) or not all(isinstance(t, str) and t for t in targets):
            raise TypeError(f"targets must be a tuple of names, got {targets!r}")


def token_blocks(text: str, folder: Path | str, length: int) -> Integers:
    """Tokens of a text in blocks of one length; an incomplete last block is left out.

    Parameters
    ----------
    text : str
    folder : path
        With a Hugging Face tokenizer.
    length : int
        >= 2.

    Examples
    --------
    >>> token_blocks("To be, or not to be.", "folder-of-gpt2", 4)  # doctest: +SKIP
    array([[2514,  307,   11,  393]])
    """
    size, reader = whole_number("length", length, minimum=2), load_tokenizer(folder)
    tokens = np.array(reader(text, add_special_tokens=False)["input_ids"], dtype=np.int64)
    return tokens[: len(tokens) // size * size].reshape(-1, size)


def _blocks(name: str, value: ArrayLike, n_words: int, minimum: int = 1) -> Integers:
    raw = np.asarray(value)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an array of integers, got dtype {raw.dtype}")
    if raw.ndim != 2 or len(raw) < 1 or raw.shape[1] < minimum:
        raise ValueError(
            f"{name} must have the shape (n_blocks >= 1, length >= {minimum}), got {raw.shape}"
        )
    if raw.min() < 0 or raw.max() >= n_words:
        raise ValueError(
            f"{name} must hold tokens in [0, {n_words - 1}], got {raw.min()} to {raw.max()}"
        )
    return raw.astype(np.int64)


def _loss(model: Any, rows: Any, n_prompt: int) -> Any:
    """Mean cross-entropy of the tokens after the prompt."""
    torch = optional_module("torch")
    logits = model(input_ids=rows, use_cache=False).logits[:, n_prompt - 1 : -1]
    return torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), rows[:, n_prompt:].flatten()
    )


def perplexity(model: Any, blocks: ArrayLike, *, n_prompt: int = 1, batch_size: int = 8) -> float:
    """Perplexity of the tokens after the first ``n_prompt`` of each block.

    Parameters
    ----------
    model : torch.nn.Module
        See `load_causal_lm`.
    blocks : array_like of int, shape (n_blocks, length)
    n_prompt : int
        In [1, length - 1].
    batch_size : int
        Blocks at a time, >= 1.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> class Uniform(torch.nn.Module):  # in place of weights of your own
    ...     config, device = SimpleNamespace(vocab_size=4), "cpu"
    ...
    ...     def forward(self, input_ids, past_key_values=None, use_cache=False):
    ...         logits = torch.zeros(*input_ids.shape, 4)
    ...         return SimpleNamespace(logits=logits, past_key_values=None)

    >>> round(perplexity(Uniform(), [[0, 1, 2], [3, 3, 3]]), 6)
    4.0
    """
    torch = optional_module("torch")
    rows = _blocks("blocks", blocks, model.config.vocab_size, 2)
    prompt = whole_number("n_prompt", n_prompt, maximum=rows.shape[1] - 1)
    size, total = whole_number("batch_size", batch_size), 0.0
    with torch.no_grad():
        for first in range(0, len(rows), size):
            part = torch.as_tensor(rows[first : first + size], device=model.device)
            total += float(_loss(model, part, prompt)) * len(part)
    return math.exp(total / len(rows))


def fine_tune(
    model: Any, blocks: ArrayLike, config: LoraConfig, *, n_prompt: int = 1, rng: Rng
) -> Any:
    """Train low-rank adapters on blocks, and merge them into the weights.

    Parameters
    ----------
    model : torch.nn.Module
        See `load_causal_lm`; it is changed.
    blocks : array_like of int, shape (n_blocks, length)
    config : LoraConfig
    n_prompt : int
        In [1, length - 1]; the loss is that of the tokens after these.
    rng : Generator, SeedSequence or int
        For the adapters, the order of the blocks and the dropout. PyTorch's own state is left as
        it was.

    Returns
    -------
    torch.nn.Module
        The model of the same kind, without adapters.

    Examples
    --------
    >>> blocks = token_blocks(text, "folder-of-gpt2", 128)  # doctest: +SKIP
    >>> model = load_causal_lm("folder-of-gpt2")  # doctest: +SKIP
    >>> tuned = fine_tune(model, blocks, LoraConfig(n_steps=100), rng=0)  # doctest: +SKIP
    """
    torch, peft, generator = optional_module("torch"), optional_module("peft"), as_generator(rng)
    rows = _blocks("blocks", blocks, model.config.vocab_size, 2)
    prompt = whole_number("n_prompt", n_prompt, maximum=rows.shape[1] - 1)
    if config.batch_size > len(rows):
        raise ValueError(f"batch_size must be <= {len(rows)} blocks, got {config.batch_size}")
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    targets = config.targets or next((t for t in _TARGETS if names.issuperset(t)), ())
    if not targets or not names.issuperset(targets):
        raise ValueError(f"targets must name matrices of the model, got {config.targets!r}")
    seed = int(generator.integers(0, 2**62))
    with own_randomness(seed):
        joint = any(type(part).__name__ == "Conv1D" for part in model.modules())
        settings = peft.LoraConfig(
            r=config.rank,
            lora_alpha=config.scale,
            lora_dropout=config.dropout,
            target_modules=list(targets),
            fan_in_fan_out=joint,
            task_type="CAUSAL_LM",
        )
        with warnings.catch_warnings():  # peft asks transformers by a name that is going away
            warnings.simplefilter("ignore", FutureWarning)
            adapted = peft.get_peft_model(model, settings)
        # peft switches the gradients of all other weights off
        weights = [tensor for tensor in adapted.parameters() if tensor.requires_grad]
        optimiser = torch.optim.Adam(weights, lr=config.learning_rate)
        adapted.train()
        order = generator.permutation(len(rows))
        place = 0
        for step in range(config.n_steps):
            if place + config.batch_size > len(rows):
                order, place = generator.permutation(len(rows)), 0
            chosen = rows[order[place : place + config.batch_size]]
            place += config.batch_size
            optimiser.zero_grad()
            loss = _loss(adapted, torch.as_tensor(chosen, device=model.device), prompt)
            loss.backward()
            optimiser.step()
            if (step + 1) % 50 == 0 or step + 1 == config.n_steps:
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise ValueError(
                        f"learning_rate must be small enough for training to converge: the loss "
                        f"is {value} after {step + 1} steps at {config.learning_rate!r}"
                    )
    merged = adapted.merge_and_unload()
    for tensor in merged.parameters():
        tensor.requires_grad_(True)
    return merged.eval()


def continuations(
    model: Any,
    prompts: ArrayLike,
    n_new: int,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    batch_size: int = 32,
    rng: Rng,
) -> Integers:
    """Let a model go on with prompts of one length.

    Parameters
    ----------
    model : torch.nn.Module
        See `load_causal_lm`.
    prompts : array_like of int, shape (n_prompts, length)
    n_new : int
        Tokens to write, >= 0.
    temperature : float
        >= 0, divides the logits; 0 is the most likely token.
    top_p : float
        In (0, 1]; of the most likely tokens only the fewest that have this probability together.
    batch_size : int
        Prompts at a time, >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray of int64, shape (n_prompts, n_new)

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> class Uniform(torch.nn.Module):  # in place of weights of your own
    ...     config, device = SimpleNamespace(vocab_size=4), "cpu"
    ...
    ...     def forward(self, input_ids, past_key_values=None, use_cache=False):
    ...         logits = torch.zeros(*input_ids.shape, 4)
    ...         return SimpleNamespace(logits=logits, past_key_values=None)

    >>> continuations(Uniform(), [[0, 1], [2, 3]], 5, rng=0).shape
    (2, 5)
    """
    torch, generator = optional_module("torch"), as_generator(rng)
    rows = _blocks("prompts", prompts, model.config.vocab_size)
    steps = whole_number("n_new", n_new, minimum=0)
    heat = real_number("temperature", temperature, minimum=0.0)
    mass = real_number("top_p", top_p, minimum=0.0, maximum=1.0, open_minimum=True)
    size = whole_number("batch_size", batch_size)
    # the cache's name, before and since transformers 5
    known = inspect.signature(model.forward).parameters
    cache = "cache" if "cache" in known else "past_key_values"
    written = np.empty((len(rows), steps), dtype=np.int64)
    with torch.no_grad():
        for first in range(0, len(rows), size):
            part, past = torch.as_tensor(rows[first : first + size], device=model.device), None
            for step in range(steps):
                output = model(input_ids=part, use_cache=True, **{cache: past})
                past = getattr(output, cache)
                logits = output.logits[:, -1].double().cpu().numpy()
                drawn = _draw(logits, heat, mass, generator)
                written[first : first + size, step] = drawn
                part = torch.as_tensor(drawn[:, None], device=model.device)
    return written


def _draw(
    logits: NDArray[np.float64], heat: float, mass: float, rng: np.random.Generator
) -> Integers:
    """One token for each row of logits."""
    if heat == 0.0:
        return np.asarray(logits.argmax(axis=1))
    order = np.argsort(-logits, axis=1, kind="stable")
    ranked = np.take_along_axis(logits, order, axis=1) / heat
    chances = np.exp(ranked - ranked[:, :1])
    chances /= chances.sum(axis=1, keepdims=True)
    before = np.cumsum(chances, axis=1) - chances
    chances[before >= mass] = 0.0  # the head that reaches the mass stays, never nothing
    sums = np.cumsum(chances, axis=1)
    at = rng.random((len(sums), 1)) * sums[:, -1:]
    place = np.minimum((sums <= at).sum(axis=1), (chances > 0).sum(axis=1) - 1)
    return np.asarray(np.take_along_axis(order, place[:, None], axis=1)[:, 0])


class LoraGeneration(NamedTuple):
    """A model of a chain.

    Examples
    --------
    >>> LoraGeneration(model=None, perplexity=12.5, n_types=900).perplexity
    12.5
    """

    model: Any
    perplexity: float  # of the continuations of the held-out blocks
    n_types: int  # different tokens in the continuations that it learnt from


def lora_generations(
    folder: Path | str,
    blocks: ArrayLike,
    held: ArrayLike,
    n_generations: int,
    *,
    config: LoraConfig | None = None,
    n_prompt: int | None = None,
    real_fraction: float = 0.0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    device: str = "cpu",
    rng: Rng,
) -> Iterator[LoraGeneration]:
    """Fine-tune a base model on what the model of the generation before wrote.

    Parameters
    ----------
    folder : path
        The base model; each generation starts from it anew.
    blocks, held : array_like of int, shape (n_blocks, length)
        Real text to learn from and to measure perplexity on, see `token_blocks`.
    n_generations : int
        >= 0, after generation 0, which learns from real text.
    config : LoraConfig, optional
    n_prompt : int, optional
        In [1, length - 1]: the real beginning of each block, half of it by default. Models are
        trained and judged on the rest.
    real_fraction : float
        In [0, 1]; from generation 1 on this part of the blocks keeps its real ending.
    temperature, top_p, device
        See `continuations` and `load_causal_lm`.
    rng : Generator, SeedSequence or int

    Yields
    ------
    LoraGeneration
        ``n_generations + 1`` of them. Only the last two models are in memory at a time.

    Examples
    --------
    >>> blocks = token_blocks(text, "folder-of-gpt2", 128)  # doctest: +SKIP
    >>> chain = lora_generations(  # doctest: +SKIP
    ...     "folder-of-gpt2", blocks[:-20], blocks[-20:], 3, real_fraction=0.02, rng=0
    ... )
    >>> perplexities = [one.perplexity for one in chain]  # doctest: +SKIP
    """
    count, generator = whole_number("n_generations", n_generations, minimum=0), as_generator(rng)
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=1.0)
    model = load_causal_lm(folder, device=device)
    n_words = model.config.vocab_size
    real, test = _blocks("blocks", blocks, n_words, 2), _blocks("held", held, n_words, 2)
    if test.shape[1] != real.shape[1]:
        raise ValueError(f"held must have rows of {real.shape[1]} tokens, got {test.shape[1]}")
    half = real.shape[1] // 2 if n_prompt is None else n_prompt
    prompt = whole_number("n_prompt", half, maximum=real.shape[1] - 1)
    settings, data = config or LoraConfig(), real
    for number in range(count + 1):
        if number:
            data = real.copy()
            chosen = generator.random(len(real)) >= share
            if chosen.any():
                data[chosen, prompt:] = continuations(
                    model,
                    real[chosen, :prompt],
                    real.shape[1] - prompt,
                    temperature=temperature,
                    top_p=top_p,
                    rng=generator,
                )
            model = load_causal_lm(folder, device=device)
        model = fine_tune(model, data, settings, n_prompt=prompt, rng=generator)
        yield LoraGeneration(
            model,
            perplexity(model, test, n_prompt=prompt),
            len(np.unique(data[:, prompt:])),
        )
