"""Small transformers that learn from each other's text, each from scratch.

The vocabulary is words, the most frequent ones and ``<rare>`` for all others (`Corpus.common`).
What decided this, on the King James Bible with 50,000 tokens a generation, 2 layers 64 wide, in CPU
seconds of one core for a generation (training, writing, perplexity of 20,000 held-out tokens):

==============================  ========  =======================  ===================
vocabulary                      seconds   perplexity, generations  word types of texts
==============================  ========  =======================  ===================
all 12,822 words                48 to 60  92, 126                  3846, 3249
4096 words, 2.1 % rare          14 to 15  72, 97, 111              2884, 2459, 2263
2048 words, 5.0 % rare          10 to 17  53, 76                   1869, 1704
35 characters, 250,000 of them  6 to 14   8.7, 8.9 a character     4047, 19,851
==============================  ========  =======================  ===================

Characters are quick, but a model of characters makes words up: types do not count what is left of
the tail. With 2048 words a text has nearly all of them, and the tail is hidden in ``<rare>``; all
words cost four times as much as 4096, mostly for words that the training text does not have.
(Epochs, 1 to 8, and windows differed between the rows: they compare costs and tails, not models.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.networks.gpt import GPT, GPTConfig
from fragile_learning.scaling_laws.text import MARK, Corpus, Integers, Rng
from fragile_learning.scaling_laws.training import Batch, TrainingConfig, train

__all__ = [
    "TransformerGeneration",
    "perplexity",
    "text_batches",
    "train_text_model",
    "transformer_generations",
    "write_text",
]


def _tokens(name: str, value: ArrayLike, n_words: int, least: int) -> Integers:
    raw = np.asarray(value)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an array of integers, got dtype {raw.dtype}")
    if raw.ndim != 1 or len(raw) < least:
        raise ValueError(f"{name} must be one row of at least {least} tokens, got {raw.shape}")
    if raw.min() < 0 or raw.max() >= n_words:
        raise ValueError(
            f"{name} must hold tokens in [0, {n_words - 1}], got {raw.min()} to {raw.max()}"
        )
    return raw.astype(np.int64)


def _torch_generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(0, 2**62)))


# --- one model --------------------------------------------------------------------------------


def text_batches(tokens: ArrayLike, context: int, batch_size: int, *, rng: Rng) -> Iterator[Batch]:
    """Batches of windows of a text without end, and the token after each of their tokens.

    Each epoch begins at a random place below ``context``, cuts the rest into windows side by side
    and takes them in a random order; a batch may hold the end of an epoch and the beginning of the
    next.

    Parameters
    ----------
    tokens : array_like of int, shape (n_tokens,)
        More than ``context``.
    context, batch_size : int
        >= 1.
    rng : Generator, SeedSequence or int

    Yields
    ------
    tuple of ndarray of int64, shape (batch_size, context) each

    Examples
    --------
    >>> rows, nexts = next(text_batches(np.arange(100), context=4, batch_size=3, rng=0))
    >>> rows.shape, bool((nexts == rows + 1).all())
    ((3, 4), True)
    """
    length = whole_number("context", context)
    text = _tokens("tokens", tokens, np.iinfo(np.int64).max, length + 1)
    size, generator = whole_number("batch_size", batch_size), as_generator(rng)
    return _windows(text, length, size, generator)


def _windows(text: Integers, length: int, size: int, rng: np.random.Generator) -> Iterator[Batch]:
    views = np.lib.stride_tricks.sliding_window_view(text, length + 1)
    waiting = np.zeros(0, dtype=np.int64)
    while True:
        while len(waiting) < size:
            offset = int(rng.integers(0, min(length, len(views))))
            waiting = np.append(waiting, rng.permutation(np.arange(offset, len(views), length)))
        rows, waiting = views[waiting[:size]], waiting[size:]
        yield rows[:, :-1].copy(), rows[:, 1:].copy()


def train_text_model(
    tokens: ArrayLike, network: GPTConfig, config: TrainingConfig, *, device: str = "cpu", rng: Rng
) -> GPT:
    """Train a transformer from scratch on a text.

    Parameters
    ----------
    tokens : array_like of int, shape (n_tokens,)
        In [0, ``network.n_words``), more than ``network.context``.
    network : networks.gpt.GPTConfig
    config : scaling_laws.training.TrainingConfig
        A batch has ``batch_size`` windows, see `text_batches`.
    device : str
        As PyTorch names it.
    rng : Generator, SeedSequence or int
        For the first weights and the batches.

    Returns
    -------
    networks.gpt.GPT
        On ``device``.

    Raises
    ------
    TypeError, ValueError
        If tokens are not as stated, or the loss is not finite.

    Examples
    --------
    >>> corpus = Corpus.of(["to be or not to be."] * 40)
    >>> network = GPTConfig(n_words=corpus.n_words, context=8, n_layers=1, width=16, n_heads=2)
    >>> config = TrainingConfig(n_steps=60, batch_size=16, learning_rate=1e-2, warmup_steps=5)

    >>> model = train_text_model(corpus.tokens, network, config, rng=0)
    >>> perplexity(model, corpus.tokens) < 2.0  # of 6 words
    True
    """
    text, generator = _tokens("tokens", tokens, network.n_words, 2), as_generator(rng)
    model = GPT(network, generator=_torch_generator(generator)).to(device)
    batches = text_batches(text, network.context, config.batch_size, rng=generator)
    train(model, batches, config=config)
    return model


def perplexity(model: GPT, tokens: ArrayLike, *, batch_size: int = 64) -> float:
    """Geometric mean of 1 / probability over the tokens of a text but the first.

    Parameters
    ----------
    model : networks.gpt.GPT
        A token is scored after at least ``context // 2 + 1`` and at most ``context`` tokens before
        it, or all where there are fewer.
    tokens : array_like of int, shape (n_tokens,)
        At least 2, in the vocabulary of the model.
    batch_size : int
        Windows at a time, >= 1.

    Examples
    --------
    >>> config = GPTConfig(n_words=6, context=8, n_layers=1, width=8, n_heads=1)
    >>> model = GPT(config, generator=torch.Generator().manual_seed(0))
    >>> 4.0 < perplexity(model, [0, 1, 2, 3, 4, 5] * 5) < 9.0  # untrained: about 6 words
    True
    """
    text = _tokens("tokens", tokens, model.n_words, 2)
    losses = model.stream_losses(torch.from_numpy(text), batch_size=batch_size)
    return math.exp(float(losses.double().mean()))


def write_text(
    model: GPT,
    n_tokens: int,
    *,
    n_chains: int = 256,
    temperature: float = 1.0,
    top_p: float = 1.0,
    rng: Rng,
) -> Integers:
    """Let a model write, all chains side by side, and lay them end to end.

    Parameters
    ----------
    model : networks.gpt.GPT
    n_tokens : int
        >= 0, in all.
    n_chains : int
        >= 1; fewer where that makes them shorter than the context. Each begins with `MARK` and has
        ``n_tokens / n_chains`` tokens, rounded up or down; its last passage is cut.
    temperature : float
        >= 0, divides the logits; 0 is the most likely token.
    top_p : float
        In (0, 1]; of the most likely tokens only the fewest that have this probability together.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray of int64, shape (n_tokens,)

    Examples
    --------
    >>> config = GPTConfig(n_words=6, context=8, n_layers=1, width=8, n_heads=1)
    >>> model = GPT(config, generator=torch.Generator().manual_seed(0))
    >>> write_text(model, 20, n_chains=2, rng=0).shape
    (20,)
    """
    size = whole_number("n_tokens", n_tokens, minimum=0)
    most = max(1, size // model.context)
    chains = min(whole_number("n_chains", n_chains), most)
    length, longer = divmod(size, chains)
    texts = np.full((chains, length + 1), MARK, dtype=np.int64)
    texts[:, 1:] = model.write(
        torch.full((chains, 1), MARK),
        length,
        temperature=temperature,
        top_p=top_p,
        generator=_torch_generator(as_generator(rng)),
    ).numpy()
    return np.concatenate([texts[:longer].ravel(), texts[longer:, :length].ravel()])


# --- generations ------------------------------------------------------------------------------


class TransformerGeneration(NamedTuple):
    """A model of a chain.

    Examples
    --------
    >>> text = np.array([0, 1, 2, 1])
    >>> one = TransformerGeneration(model=None, perplexity=3.0, n_types=3, text=text)
    >>> len(np.unique(one.text)) == one.n_types
    True
    """

    model: GPT
    perplexity: float  # of the held-out real text
    n_types: int  # different tokens in its training text
    text: Integers  # what it was trained on: real passages, then those of the model before


def transformer_generations(
    corpus: Corpus,
    held: Corpus,
    n_generations: int,
    *,
    n_tokens: int,
    network: GPTConfig,
    config: TrainingConfig,
    real_fraction: float = 0.0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    n_chains: int = 256,
    first: TransformerGeneration | None = None,
    device: str = "cpu",
    rng: Rng,
) -> Iterator[TransformerGeneration]:
    """Train transformers that each learn, from scratch, from the text of the one before.

    Parameters
    ----------
    corpus, held : scaling_laws.text.Corpus
        Real text to draw from, and to measure perplexity on, with one vocabulary.
    n_generations : int
        >= 0, after generation 0, which learns from real text.
    n_tokens : int
        Training text of each generation, more than ``network.context`` and at most ``corpus``.
    network : networks.gpt.GPTConfig
        ``n_words`` is the vocabulary of ``corpus``.
    config : scaling_laws.training.TrainingConfig
        See `train_text_model`.
    real_fraction : float
        In [0, 1]; from generation 1 on this part of the training text is real, drawn anew. 0
        replaces all text by that of the model before.
    temperature, top_p, n_chains
        How the rest is written, see `write_text`.
    first : TransformerGeneration, optional
        Generation 0, if it is there already; several chains may share it.
    device : str
        As PyTorch names it.
    rng : Generator, SeedSequence or int

    Yields
    ------
    TransformerGeneration
        ``n_generations + 1`` of them.

    Examples
    --------
    >>> corpus = Corpus.of(["to be or not to be."] * 40)
    >>> network = GPTConfig(n_words=corpus.n_words, context=8, n_layers=1, width=16, n_heads=2)
    >>> config = TrainingConfig(n_steps=60, batch_size=16, learning_rate=1e-2, warmup_steps=5)

    >>> chain = transformer_generations(
    ...     corpus, corpus, 1, n_tokens=200, network=network, config=config, rng=0
    ... )
    >>> [len(one.text) for one in chain]
    [200, 200]
    """
    count = whole_number("n_generations", n_generations, minimum=0)
    size = whole_number(
        "n_tokens", n_tokens, minimum=network.context + 1, maximum=len(corpus.tokens)
    )
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=1.0)
    if held.words != corpus.words:
        raise ValueError("held must have the vocabulary of corpus, got another one")
    if network.n_words != corpus.n_words:
        raise ValueError(
            f"network must have the {corpus.n_words} words of corpus, got {network.n_words}"
        )
    generator, n_real, last = as_generator(rng), round(share * size), first
    for number in range(count + 1):
        if number or last is None:
            if last is None:
                text = corpus.sample(size, rng=generator)
            else:
                own = write_text(
                    last.model,
                    size - n_real,
                    n_chains=n_chains,
                    temperature=temperature,
                    top_p=top_p,
                    rng=generator,
                )
                text = np.concatenate([corpus.sample(n_real, rng=generator), own])
            model = train_text_model(text, network, config, device=device, rng=generator)
            last = TransformerGeneration(
                model, perplexity(model, held.tokens), len(np.unique(text)), text
            )
        yield last
