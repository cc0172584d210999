"""Real language models that learn from selected summaries of their own.

For those who have weights and texts: any causal language model in a local Hugging Face folder is
fine-tuned on some human summaries, summarises other articles, and a fresh copy learns from the
summaries that a selector keeps. Nothing is ever downloaded. Needs PyTorch and transformers
(``pip install 'fragile-learning[torch,llm]'``).
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import (
    as_generator,
    choice,
    real_array,
    real_number,
    whole_number,
)
from fragile_learning.causal_models import (
    load_causal_lm,
    load_tokenizer,
    optional_module,
    own_randomness,
)
from fragile_learning.verification.headlines import rouge1
from fragile_learning.verification.selection import KeepRates, keep_rates, keep_top

__all__ = [
    "SCHEDULES",
    "SELECTORS",
    "FineTuning",
    "SelectedStudent",
    "mean_log_probabilities",
    "rouge_words",
    "selected_students",
    "tokenise_pairs",
    "tune",
    "write_summaries",
]

Floats = NDArray[np.float64]
Rng = np.random.Generator | np.random.SeedSequence | int
Tokens = list[int]

SCHEDULES = ("cosine", "constant")
SELECTORS = ("random", "self", "other", "oracle")
"""By chance; by the perplexity of the generator, or of another model; by ROUGE-1."""

_WORD = re.compile(r"[a-z0-9]+")
_IGNORED = -100  # label of tokens that have no part in the loss


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning:
    """How all weights of a model are fine-tuned.

    Attributes
    ----------
    learning_rate : float
        > 0, of AdamW without decay.
    schedule : {"cosine", "constant"}
        Over the steps of all epochs; the cosine ends at 0.
    n_epochs, batch_size : int
        >= 1.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> FineTuning(learning_rate=2e-5, schedule="constant").n_epochs
    1
    """

    learning_rate: float = 5e-5
    schedule: str = "cosine"
    n_epochs: int = 1
    batch_size: int = 32

    def __post_init__(self) -> None:
        real_number("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        choice("schedule", self.schedule, SCHEDULES)
        whole_number("n_epochs", self.n_epochs)
        whole_number("batch_size", self.batch_size)


def rouge_words(text: str) -> list[str]:
    """Lower-case runs of letters and digits: what ROUGE counts.

    Examples
    --------
    >>> rouge_words("The U.N., in 1999")
    ['the', 'u', 'n', 'in', '1999']
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {text!r}")
    return _WORD.findall(text.lower())


def tokenise_pairs(
    articles: Sequence[str],
    summaries: Sequence[str],
    folder: Path | str,
    *,
    ending: str = "\n\nSummary:",
    max_length: int = 1024,
    max_summary: int = 64,
) -> tuple[list[Tokens], list[Tokens]]:
    """Tokens of prompts and of answers.

    Parameters
    ----------
    articles, summaries : sequence of str
        As many of both.
    folder : path
        With a Hugging Face tokenizer that has a token for the end of a text.
    ending : str
        Between an article and its summary.
    max_length : int
        Of prompt and answer together; longer articles are cut at their end.
    max_summary : int
        Of an answer with its end token, in [1, max_length - 2].

    Returns
    -------
    prompts, answers : list of list of int
        An answer ends with the end token if it was not cut.
    """
    if len(articles) != len(summaries):
        raise ValueError(f"summaries must be {len(articles)} texts, got {len(summaries)}")
    longest = whole_number("max_length", max_length, minimum=3)
    room = whole_number("max_summary", max_summary, maximum=longest - 2)
    reader = load_tokenizer(folder)
    if reader.eos_token_id is None:
        raise ValueError(f"{folder}: the tokenizer has no end token")

    def tokens(text: str) -> Tokens:
        return [int(i) for i in reader(text, add_special_tokens=False)["input_ids"]]

    close = tokens(ending)
    space = longest - room - len(close)
    if space < 1:
        raise ValueError(f"max_length must leave room for an article, got {max_length}")
    prompts = [tokens(article)[:space] + close for article in articles]
    answers = [[*tokens(text), int(reader.eos_token_id)][:room] for text in summaries]
    return prompts, answers


def _rows(name: str, rows: Any, n_words: int) -> list[Tokens]:
    """Check lists of tokens, none of them empty."""
    checked: list[Tokens] = []
    for i, row in enumerate(rows):
        tokens = [whole_number(f"{name}[{i}]", t, minimum=0, maximum=n_words - 1) for t in row]
        if not tokens:
            raise ValueError(f"{name}[{i}] must hold at least one token, got none")
        checked.append(tokens)
    if not checked:
        raise ValueError(f"{name} must hold at least one row, got none")
    return checked


def _padded(model: Any, prompts: list[Tokens], answers: list[Tokens]) -> tuple[Any, Any]:
    """Tokens of prompts with answers, and the answers alone as labels; padded at the right.

    What comes after does not change the logits of a causal model.
    """
    torch = optional_module("torch")
    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    tokens = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.int64)
    labels = torch.full_like(tokens, _IGNORED)
    for i, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
        tokens[i, : len(row)] = torch.tensor(row)
        labels[i, len(prompt) : len(row)] = torch.tensor(row[len(prompt) :])
    return tokens.to(model.device), labels.to(model.device)


def _losses(model: Any, prompts: list[Tokens], answers: list[Tokens]) -> tuple[Any, Any]:
    """Cross-entropies of the tokens of answers, 0 elsewhere, and where they are."""
    torch = optional_module("torch")
    tokens, labels = _padded(model, prompts, answers)
    logits = model(input_ids=tokens, use_cache=False).logits[:, :-1].float()
    after = labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), after.flatten(), ignore_index=_IGNORED, reduction="none"
    )
    return losses.view_as(after), after != _IGNORED


def mean_log_probabilities(
    model: Any,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    batch_size: int = 8,
) -> Floats:
    """Mean log-probability of an answer's tokens, minus the logarithm of its perplexity.

    Parameters
    ----------
    model : torch.nn.Module
        See `causal_models.load_causal_lm`.
    prompts, answers : sequence of sequence of int
        As many of both, none empty.
    batch_size : int
        Pairs at a time, >= 1.

    Returns
    -------
    ndarray, shape (n_pairs,)
        In nats.

    Examples
    --------
    >>> import torch
    >>> from types import SimpleNamespace
    >>> class Uniform(torch.nn.Module):
    ...     config, device = SimpleNamespace(vocab_size=5), "cpu"
    ...
    ...     def forward(self, input_ids, use_cache):
    ...         return SimpleNamespace(logits=torch.zeros(*input_ids.shape, 5))
    >>> found = mean_log_probabilities(Uniform(), [[1, 2], [0]], [[3, 4], [1, 1, 4]])
    >>> np.exp(-found).round(6).tolist()
    [5.0, 5.0]
    """
    torch, size = optional_module("torch"), whole_number("batch_size", batch_size)
    asked, given = _pairs(model, prompts, answers)
    found = np.empty(len(asked))
    with torch.no_grad():
        for first in range(0, len(asked), size):
            part = slice(first, first + size)
            losses, inside = _losses(model, asked[part], given[part])
            means = -losses.double().sum(dim=1) / inside.sum(dim=1)
            found[part] = means.cpu().numpy()
    return found


def _pairs(model: Any, prompts: Any, answers: Any) -> tuple[list[Tokens], list[Tokens]]:
    n_words = int(model.config.vocab_size)
    asked, given = _rows("prompts", prompts, n_words), _rows("answers", answers, n_words)
    if len(given) != len(asked):
        raise ValueError(f"answers must have {len(asked)} rows, got {len(given)}")
    return asked, given


def write_summaries(
    model: Any,
    prompts: Sequence[Sequence[int]],
    n_new: int,
    *,
    end: int,
    n_candidates: int = 1,
    temperature: float = 0.0,
    rng: Rng,
) -> list[list[Tokens]]:
    """Let a model answer prompts.

    Parameters
    ----------
    model : torch.nn.Module
        See `causal_models.load_causal_lm`.
    prompts : sequence of sequence of int
    n_new : int
        Most tokens of an answer, its end included, >= 1.
    end : int
        Token that ends an answer.
    n_candidates : int
        Answers to each prompt, >= 1; they are written at the same time.
    temperature : float
        >= 0, divides the logits; 0 is the most likely token.
    rng : Generator, SeedSequence or int

    Returns
    -------
    list of list of list of int
        ``n_candidates`` answers to each prompt; one without the end token at its end was cut.

    Examples
    --------
    >>> import torch
    >>> from types import SimpleNamespace
    >>> class Counting(torch.nn.Module):
    ...     config, device = SimpleNamespace(vocab_size=5), "cpu"
    ...
    ...     def forward(self, input_ids, use_cache, past_key_values):
    ...         after = torch.nn.functional.one_hot((input_ids + 1) % 5, 5).float()
    ...         return SimpleNamespace(logits=after, past_key_values=None)
    >>> write_summaries(Counting(), [[1], [0, 3]], n_new=2, end=4, rng=1)
    [[[2, 3]], [[4]]]
    """
    torch, generator = optional_module("torch"), as_generator(rng)
    n_words = int(model.config.vocab_size)
    asked = _rows("prompts", prompts, n_words)
    steps, count = whole_number("n_new", n_new), whole_number("n_candidates", n_candidates)
    last = whole_number("end", end, minimum=0, maximum=n_words - 1)
    heat = real_number("temperature", temperature, minimum=0.0)
    # the cache's name, before and since transformers 5
    known = inspect.signature(model.forward).parameters
    cache = "cache" if "cache" in known else "past_key_values"
    written: list[list[Tokens]] = []
    with torch.no_grad():
        for prompt in asked:
            part, past = torch.tensor([prompt] * count, device=model.device), None
            rows = np.full((count, steps), last)
            alive = np.ones(count, dtype=bool)
            for step in range(steps):
                output = model(input_ids=part, use_cache=True, **{cache: past})
                past = getattr(output, cache)
                drawn = _draw(output.logits[:, -1].double().cpu().numpy(), heat, generator)
                rows[alive, step] = drawn[alive]
                alive &= drawn != last
                if not alive.any():
                    break
                part = torch.as_tensor(drawn[:, None], device=model.device)
            written.append([_until(row.tolist(), last) for row in rows])
    return written


def _until(row: Tokens, end: int) -> Tokens:
    return row[: row.index(end) + 1] if end in row else row


def _draw(logits: Floats, heat: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """One token for each row of logits; the largest of logit plus Gumbel variable has their law."""
    noise = rng.gumbel(size=logits.shape) if heat > 0.0 else 0.0
    return np.asarray((logits / (heat or 1.0) + noise).argmax(axis=1))


def tune(
    model: Any,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    config: FineTuning,
    *,
    rng: Rng,
) -> None:
    """Fine-tune all weights on the tokens of answers.

    Parameters
    ----------
    model : torch.nn.Module
        See `causal_models.load_causal_lm`; it is changed.
    prompts, answers : sequence of sequence of int
        As many of both, at least ``config.batch_size``; an incomplete last batch of an epoch is
        left out.
    config : FineTuning
    rng : Generator, SeedSequence or int
        For the order of the pairs and the dropout. PyTorch's own state is left as it was.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the loss is not finite.

    Examples
    --------
    >>> import torch
    >>> from types import SimpleNamespace
    >>> class Bigrams(torch.nn.Module):
    ...     config, device = SimpleNamespace(vocab_size=5), "cpu"
    ...
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.table = torch.nn.Parameter(torch.zeros(5, 5))
    ...
    ...     def forward(self, input_ids, use_cache):
    ...         return SimpleNamespace(logits=self.table[input_ids])
    >>> model, prompts, answers = Bigrams(), [[0], [1]], [[2, 4], [3, 4]]
    >>> config = FineTuning(learning_rate=1.0, n_epochs=5, batch_size=2)
    >>> tune(model, prompts, answers, config, rng=1)
    >>> model.table.argmax(dim=1).tolist()
    [2, 3, 4, 4, 0]
    """
    torch, generator = optional_module("torch"), as_generator(rng)
    asked, given = _pairs(model, prompts, answers)
    if config.batch_size > len(asked):
        raise ValueError(f"batch_size must be <= {len(asked)} pairs, got {config.batch_size}")
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.0)
    n_steps = config.n_epochs * (len(asked) // config.batch_size)
    with own_randomness(int(generator.integers(0, 2**62))):
        model.train()
        for step, rows in enumerate(_batches(len(asked), config, generator)):
            if config.schedule == "cosine":
                share = 0.5 * (1.0 + math.cos(math.pi * step / n_steps))
                optimiser.param_groups[0]["lr"] = config.learning_rate * share
            optimiser.zero_grad()
            losses, inside = _losses(model, [asked[i] for i in rows], [given[i] for i in rows])
            loss = losses.sum() / inside.sum()
            if not math.isfinite(float(loss.detach())):
                raise ValueError(
                    f"learning_rate must be small enough for training to converge: the loss is "
                    f"{float(loss.detach())} before step {step + 1} at {config.learning_rate!r}"
                )
            loss.backward()
            optimiser.step()
    model.eval()


def _batches(n_pairs: int, config: FineTuning, rng: np.random.Generator) -> Iterator[list[int]]:
    for _ in range(config.n_epochs):
        order = rng.permutation(n_pairs).tolist()
        for first in range(0, n_pairs - config.batch_size + 1, config.batch_size):
            yield order[first : first + config.batch_size]


class SelectedStudent(NamedTuple):
    """A student and where its data came from.

    Attributes
    ----------
    selector : str
    fraction : float
        Of the candidates that were kept.
    rouge, generator_rouge : float
        ROUGE-1 of greedy summaries of the test articles.
    rates : KeepRates
        With "right": a ROUGE-1 above the median of the candidates.

    Examples
    --------
    >>> rates = keep_rates(np.array([True, True, False]), np.array([True, True, True]))
    >>> student = SelectedStudent("oracle", 0.75, rouge=0.31, generator_rouge=0.29, rates=rates)
    >>> student.rouge > student.generator_rouge, round(student.rates.wrong_kept, 2)
    (True, 0.33)
    """

    selector: str
    fraction: float
    rouge: float
    generator_rouge: float
    rates: KeepRates


def selected_students(
    folder: Path | str,
    real: tuple[Sequence[str], Sequence[str]],
    more: tuple[Sequence[str], Sequence[str]],
    test: tuple[Sequence[str], Sequence[str]],
    *,
    selectors: Sequence[str] = SELECTORS,
    fractions: Sequence[float] = (0.125, 0.25, 0.5),
    other: Any = None,
    n_candidates: int = 1,
    temperature: float = 0.0,
    first: FineTuning | None = None,
    second: FineTuning | None = None,
    max_length: int = 1024,
    max_summary: int = 64,
    device: str = "cpu",
    rng: Rng,
) -> Iterator[SelectedStudent]:
    """Fine-tune a generator, let it summarise, select, and fine-tune students.

    Parameters
    ----------
    folder : path
        The base model with its tokenizer; generator and students start from it.
    real, more, test : tuple of (articles, summaries)
        Human summaries for the generator; articles for it to summarise, whose human summaries only
        the oracle and the rates see; and what all models are judged on.
    selectors : sequence of {"random", "self", "other", "oracle"}
    fractions : sequence of float
        Of the candidates, each in (0, 1]; the best of all of them are kept.
    other : torch.nn.Module, optional
        A model with the same tokenizer, needed for ``"other"``.
    n_candidates, temperature : int, float
        See `write_summaries`; one greedy summary each by default.
    first, second : FineTuning, optional
        Of the generator, and of students (by default with a constant rate of 2e-5).
    max_length, max_summary : int
        See `tokenise_pairs`.
    device : str
        As PyTorch names it.
    rng : Generator, SeedSequence or int

    Yields
    ------
    SelectedStudent
        One for each selector and fraction.
    """
    generator = as_generator(rng)
    for one in selectors:
        choice("selectors", one, SELECTORS)
    shares = real_array("fractions", fractions, ndim=1, minimum=0.0, maximum=1.0, open_minimum=True)
    if "other" in selectors and other is None:
        raise ValueError("other must be a model where selectors has 'other', got None")
    reader = load_tokenizer(folder)

    def tokens(pairs: tuple[Sequence[str], Sequence[str]]) -> tuple[list[Tokens], list[Tokens]]:
        return tokenise_pairs(*pairs, folder, max_length=max_length, max_summary=max_summary)

    def told(model: Any, prompts: list[Tokens]) -> list[list[str]]:
        answers = write_summaries(model, prompts, max_summary, end=end, rng=generator)
        return [rouge_words(text) for text in texts([one[0] for one in answers])]

    def texts(rows: list[Tokens]) -> list[str]:
        return [str(reader.decode(row, skip_special_tokens=True)) for row in rows]

    def rouge(model: Any) -> float:
        pairs = zip(told(model, judged), test[1], strict=True)
        return float(np.mean([rouge1(words, rouge_words(text)) for words, text in pairs]))

    asked, answers = tokens(real)
    end = int(reader.eos_token_id)
    wide, _ = tokens(more)
    judged, _ = tokens(test)
    model = load_causal_lm(folder, device=device)
    tune(model, asked, answers, first or FineTuning(), rng=generator)
    own = rouge(model)
    written = write_summaries(
        model,
        wide,
        max_summary,
        end=end,
        n_candidates=n_candidates,
        temperature=temperature,
        rng=generator,
    )
    prompts = [prompt for prompt, rows in zip(wide, written, strict=True) for _ in rows]
    flat = [row for rows in written for row in rows]
    human = [text for text, rows in zip(more[1], written, strict=True) for _ in rows]
    truth = np.array(
        [
            rouge1(rouge_words(text), rouge_words(target))
            for text, target in zip(texts(flat), human, strict=True)
        ]
    )
    right = truth > np.median(truth)
    scores: dict[str, Floats] = {"oracle": truth, "random": generator.random(len(flat))}
    if "self" in selectors:
        scores["self"] = mean_log_probabilities(model, prompts, flat)
    if "other" in selectors:
        scores["other"] = mean_log_probabilities(other, prompts, flat)
    del model
    learning = int(generator.integers(0, 2**62))  # of all students: paired
    plan = second or FineTuning(learning_rate=2e-5, schedule="constant")
    for selector in selectors:
        for share in shares:
            kept = keep_top(scores[selector], float(share))
            places = np.flatnonzero(kept)
            student = load_causal_lm(folder, device=device)
            tune(
                student,
                [prompts[i] for i in places],
                [flat[i] for i in places],
                plan,
                rng=learning,
            )
            yield SelectedStudent(
                selector, float(share), rouge(student), own, keep_rates(right, kept)
            )
