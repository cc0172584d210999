"""Experiments on trained models: transformers that name divisors, and models that write text.

Sizes, decided before the archived runs, and why:

- Base 60 and operands up to 3599 (2 digits): 12 divisors of 60 show in the last digits, and a model
  with 60,773 weights learns 11 of them from 20,000 pairs in 700 steps, 3 CPU seconds.
- The full tiers have 5 seeds and the same models: 185 trainings of 700 steps and 40 of 2400, some
  20 CPU minutes. `GPU_SIZE` has the numbers of a run that is closer to the paper's, for those with
  a GPU: pass them to `gcd_generations_point`.
- A teacher of 220 steps knows the divisors 1, 2, 3, 4 and mostly 6; of 160 steps 1 alone, of 280
  steps already 8 of the 12.
- The text is the documentation that comes with Python, because everyone has it. With the King
  James Bible installed, or a file, pass ``corpus`` to the same functions. Two writers, because
  Witten-Bell smoothing trusts long texts: more text of the poorer one (20,000 tokens) makes a model
  worse by some 10 %, more text of the better one (50,000) changes nothing.
- Transformers over generations read the King James Bible where they are archived (the corpus that
  everyone has is for the quick tier), as 4096 words, see `text_models`. 50,000 tokens are read 4
  times in 390 steps: with 8 times the perplexity of the training text falls to .6 of that of other
  text, and a generation costs twice as much. Windows of 32 tokens are better than of 64 at the same
  number of tokens a step (49 against 54, 2048 words, 8 epochs), 2 layers than 1 by 2 %. 78
  trainings and 75 texts are some 23 CPU minutes.

What was asked of the archived transformers, before their run and with one trial chain known (72,
97, 111): at real fraction 0 and temperature 1 the mean perplexity rises at every generation and
ends above 1.5 times generation 0, and fewer words are left at every generation; on real text alone
each generation is within 10 % of generation 0 (the seed moves a perplexity by a few per cent); at
the last generation a tenth of real text is at least 5 % below none, and 2 % of it below none
without a margin, because so little may be less than the noise of 3 chains. Nothing is asked of
temperature 0.9 with top-p 0.95, but that its text has fewer words than at temperature 1.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import numpy as np

from fragile_learning.networks.threads import one_thread
from fragile_learning.scaling_laws.gcd import GcdTask
from fragile_learning.scaling_laws.text import (
    RARE_WORD,
    Bigram,
    Corpus,
    read_corpus,
    text_generations,
)
from fragile_learning.sweeps import Experiment, grid

__all__ = [
    "GPU_SIZE",
    "TEXT_GPU_SIZE",
    "TRAINED_EXPERIMENTS",
    "gcd_generations_point",
    "gcd_recovery_point",
    "text_generations_point",
    "text_scaling_point",
    "text_transformers_point",
]

Row = dict[str, Any]

SEED = 20_240_210

GPU_SIZE: dict[str, Any] = {
    "base": 420,
    "max_operand": 10**6,
    "n_generations": 5,
    "n_pairs": 2_000_000,
    "n_steps": 15_000,
    "batch_size": 2048,
    "learning_rate": 1e-3,
    "width": 256,
    "n_layers": 4,
    "n_heads": 8,
    "device": "cuda",
}
"""For `gcd_generations_point`: close to the paper's task; a design, never timed."""

TEXT_GPU_SIZE: dict[str, Any] = {
    "corpus": "king-james",
    "n_words": 8192,
    "n_tokens": 500_000,
    "n_held": 80_000,
    "n_generations": 5,
    "n_chains": 1024,
    "n_steps": 2_000,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "context": 128,
    "width": 384,
    "n_layers": 6,
    "n_heads": 6,
    "device": "cuda",
}
"""For `text_transformers_point`: a model of 14 million weights; a design, never timed."""


def _training() -> Any:
    return importlib.import_module("fragile_learning.scaling_laws.training")


# --- divisors over generations ----------------------------------------------------------------


@lru_cache(maxsize=1)
def _beginning(seed: int, task: GcdTask, n_pairs: int, config: Any, **sizes: Any) -> Any:
    """Test pairs and generation 0, which all chains of a replicate share."""
    tests, first = np.random.SeedSequence(seed).spawn(2)
    pairs = task.test_pairs(rng=tests)
    one = _training().train_generation(
        task, None, n_pairs=n_pairs, test_pairs=pairs, config=config, rng=first, **sizes
    )
    return pairs, one


def _skills(learnt: Any) -> Row:
    """Columns that say which divisors are learnt."""
    return {
        "n_learnt": int(learnt.sum()),
        "learnt": " ".join(str(g) for g in np.flatnonzero(learnt) + 1),
    }


@one_thread()
def gcd_generations_point(
    *,
    replicate: int,
    operands: str,
    temperature: float,
    real_fraction: float,
    n_generations: int,
    base: int,
    max_operand: int,
    n_pairs: int,
    n_steps: int,
    batch_size: int,
    learning_rate: float,
    width: int,
    n_layers: int,
    n_heads: int,
    device: str = "cpu",
    rng: np.random.Generator,
) -> list[Row]:
    """Divisors that each transformer of a chain knows; each learns from the answers of the last.

    Examples
    --------
    >>> rows = gcd_generations_point(
    ...     replicate=0,
    ...     operands="uniform",
    ...     temperature=1.0,
    ...     real_fraction=0.0,
    ...     n_generations=1,
    ...     base=10,
    ...     max_operand=999,
    ...     n_pairs=64,
    ...     n_steps=2,
    ...     batch_size=32,
    ...     learning_rate=1e-3,
    ...     width=8,
    ...     n_layers=1,
    ...     n_heads=1,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> [(row["generation"], row["wrong_labels"] > 0) for row in rows]
    [(0, False), (1, True)]
    """
    del replicate  # in the random stream
    training = _training()
    task = GcdTask(base=base, max_operand=max_operand, operands=operands)  # type: ignore[arg-type]
    config = training.TrainingConfig(
        n_steps=n_steps, batch_size=batch_size, learning_rate=learning_rate
    )
    sizes = {"width": width, "n_layers": n_layers, "n_heads": n_heads, "device": device}
    shared, own = (int(seed) for seed in rng.integers(0, 2**62, 2))
    pairs, first = _beginning(shared, task, n_pairs, config, **sizes)
    chain = training.generation_chain(
        task,
        n_generations,
        n_pairs=n_pairs,
        test_pairs=pairs,
        config=config,
        temperature=temperature,
        real_fraction=real_fraction,
        first=first,
        rng=own,
        **sizes,
    )
    return [
        {
            "generation": number,
            **_skills(one.learnt),
            "accuracy": one.accuracy,
            "n_labels": one.n_labels,
            "wrong_labels": one.wrong_labels,
        }
        for number, one in enumerate(chain)
    ]


_SMALL: dict[str, list[Any]] = {
    "base": [60],
    "max_operand": [3599],
    "batch_size": [128],
    "learning_rate": [3e-3],
    "width": [64],
    "n_layers": [1],
    "n_heads": [4],
}


def _chains(count: int, lengths: list[tuple[str, float, float, int]]) -> list[dict[str, Any]]:
    """Points with a replicate's chains side by side, so that they share its first model."""
    return [
        point
        for replicate in range(count)
        for operands in ("uniform", "log-uniform")
        for law, temperature, fraction, n_generations in lengths
        if law == operands
        for point in grid(
            replicate=[replicate],
            operands=[operands],
            temperature=[temperature],
            real_fraction=[fraction],
            n_generations=[n_generations],
            n_pairs=[20_000],
            n_steps=[700],
            **_SMALL,
        )
    ]


# --- plateau and recovery ---------------------------------------------------------------------


@lru_cache(maxsize=1)
def _narrow(seed: int, task: GcdTask, n_steps: int, batch_size: int, learning_rate: float) -> Any:
    """Test pairs, a teacher that was stopped early, and the divisors that it knows."""
    training = _training()
    tests, weights, stream = np.random.SeedSequence(seed).spawn(3)
    pairs = task.test_pairs(rng=tests)
    teacher = training.new_classifier(task, rng=weights)
    (learnt,) = training.train(
        teacher,
        training.source_batches(
            task, training.relabelled_source(task, None), batch_size, rng=stream
        ),
        config=training.TrainingConfig(
            n_steps=n_steps, batch_size=batch_size, learning_rate=learning_rate
        ),
        evaluate=lambda model: _learnt(task, model, pairs),
        evaluate_at=[n_steps],
    )
    return pairs, teacher, learnt


def _learnt(task: GcdTask, model: Any, pairs: Any) -> Any:
    gcd = importlib.import_module("fragile_learning.scaling_laws.gcd")
    guess = _training().predict(model, task.encode(pairs))
    return gcd.learnt_gcds(guess, task.labels(pairs), n_gcds=task.n_gcds)


@one_thread()
def gcd_recovery_point(
    *,
    replicate: int,
    mix: str,
    real_fraction: float,
    teacher_steps: int,
    n_steps: int,
    evaluate_at: tuple[int, ...],
    base: int,
    max_operand: int,
    batch_size: int,
    learning_rate: float,
    rng: np.random.Generator,
) -> list[Row]:
    """Divisors that a student knows along a stream of real pairs and a narrow teacher's answers.

    ``mix`` is ``"relabelled"`` (answers of the teacher contradict true ones) or ``"omitting"``
    (the teacher is asked only what it knows).

    Examples
    --------
    >>> rows = gcd_recovery_point(
    ...     replicate=0,
    ...     mix="relabelled",
    ...     real_fraction=0.5,
    ...     teacher_steps=2,
    ...     n_steps=4,
    ...     evaluate_at=(4,),
    ...     base=10,
    ...     max_operand=999,
    ...     batch_size=32,
    ...     learning_rate=1e-3,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> [row["n_samples"] for row in rows]
    [128]
    """
    del replicate  # in the random stream
    training = _training()
    task = GcdTask(base=base, max_operand=max_operand)
    shared, start, stream = (int(seed) for seed in rng.integers(0, 2**62, 3))
    pairs, teacher, known = _narrow(shared, task, teacher_steps, batch_size, learning_rate)
    if mix == "omitting":
        source = training.omitting_source(
            task, teacher, (np.flatnonzero(known) + 1).tolist(), real_fraction
        )
    elif mix == "relabelled":
        source = training.relabelled_source(task, teacher, real_fraction, temperature=0.0)
    else:
        raise ValueError(f"mix must be one of 'omitting', 'relabelled', got {mix!r}")
    found = training.train(
        training.new_classifier(task, rng=start),
        training.source_batches(task, source, batch_size, rng=stream),
        config=training.TrainingConfig(
            n_steps=n_steps, batch_size=batch_size, learning_rate=learning_rate
        ),
        evaluate=lambda model: _learnt(task, model, pairs),
        evaluate_at=evaluate_at,
    )
    return [
        {
            "n_samples": step * batch_size,
            **_skills(learnt),
            "teacher_learnt": int(known.sum()),
            "kept": int((learnt & known).sum()),
        }
        for step, learnt in zip(evaluate_at, found, strict=True)
    ]


def _students(
    count: int, mixes: list[tuple[str, float]], n_steps: int, evaluate_at: list[int]
) -> list[dict[str, Any]]:
    sizes = {key: _SMALL[key] for key in ("base", "max_operand", "batch_size", "learning_rate")}
    return [
        point
        for replicate in range(count)
        for mix, fraction in mixes
        for point in grid(
            replicate=[replicate],
            mix=[mix],
            real_fraction=[fraction],
            teacher_steps=[220],
            n_steps=[n_steps],
            evaluate_at=[evaluate_at],
            **sizes,
        )
    ]


# --- text -------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _text(source: str) -> Corpus:
    return read_corpus(source)


def text_generations_point(
    *,
    replicate: int,
    corpus: str,
    real_fraction: float,
    n_tokens: int,
    n_generations: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Perplexity of each bigram model of a chain on real text, and the words it still knows.

    Examples
    --------
    >>> rows = text_generations_point(
    ...     replicate=0,
    ...     corpus="python-topics",
    ...     real_fraction=0.0,
    ...     n_tokens=2000,
    ...     n_generations=2,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> rows[0]["perplexity"] < rows[2]["perplexity"], rows[0]["n_types"] > rows[2]["n_types"]
    (True, True)
    """
    del replicate  # in the random stream
    whole = _text(corpus)
    kept, held = whole.split(rng=rng)
    chain = text_generations(
        kept, held, n_generations, n_tokens=n_tokens, real_fraction=real_fraction, rng=rng
    )
    return [
        {
            "generation": number,
            "perplexity": one.perplexity,
            "n_types": one.n_types,
            "corpus_name": whole.name,
            "corpus_tokens": len(whole.tokens),
        }
        for number, one in enumerate(chain)
    ]


def text_scaling_point(
    *,
    replicate: int,
    corpus: str,
    data: str,
    n_writer_tokens: int,
    n_tokens: tuple[int, ...],
    rng: np.random.Generator,
) -> list[Row]:
    """Perplexity on real text of bigrams of more and more text, ``"real"`` or ``"synthetic"``.

    The synthetic text is that of one bigram model of ``n_writer_tokens`` real tokens. Sizes above
    the corpus are left out of the real law.

    Examples
    --------
    >>> rows = text_scaling_point(
    ...     replicate=0,
    ...     corpus="python-topics",
    ...     data="real",
    ...     n_writer_tokens=1000,
    ...     n_tokens=(1000, 20_000),
    ...     rng=np.random.default_rng(0),
    ... )
    >>> rows[0]["perplexity"] > rows[1]["perplexity"]
    True
    """
    del replicate  # in the random stream
    if data not in ("real", "synthetic"):
        raise ValueError(f"data must be one of 'real', 'synthetic', got {data!r}")
    whole = _text(corpus)
    kept, held = whole.split(rng=rng)
    writer = Bigram([kept.sample(n_writer_tokens, rng=rng)], whole.n_words)
    rows: list[Row] = []
    for size in n_tokens:
        if data == "synthetic":
            chains = min(1000, max(1, size // 100))
            steps, rest = divmod(size, chains)
            text = writer.sample(chains, steps + (rest > 0), rng=rng)
            model = Bigram([text[:rest], text[rest:, :steps]], whole.n_words)
        elif size <= len(kept.tokens):
            model = Bigram([kept.sample(size, rng=rng)], whole.n_words)
        else:
            continue
        rows.append(
            {
                "tokens": size,
                "perplexity": model.perplexity(held.tokens),
                "n_types": model.n_types,
                "writer_perplexity": writer.perplexity(held.tokens),
                "corpus_name": whole.name,
            }
        )
    return rows


@lru_cache(maxsize=1)
def _first_writer(
    seed: int,
    source: str,
    n_words: int,
    n_tokens: int,
    n_held: int,
    config: Any,
    device: str,
    **sizes: Any,
) -> Any:
    """Corpus, real text to learn from and to be judged on, and generation 0 of a replicate."""
    gpt = importlib.import_module("fragile_learning.networks.gpt")
    text_models = importlib.import_module("fragile_learning.scaling_laws.text_models")
    whole = _text(source).common(n_words)
    split, judged, own = np.random.SeedSequence(seed).spawn(3)
    kept, rest = whole.split(rng=split)
    held = Corpus(rest.name, rest.sample(n_held, rng=judged), rest.words)
    network = gpt.GPTConfig(n_words=whole.n_words, **sizes)
    (one,) = text_models.transformer_generations(
        kept, held, 0, n_tokens=n_tokens, network=network, config=config, device=device, rng=own
    )
    return kept, held, network, one


@one_thread()
def text_transformers_point(
    *,
    replicate: int,
    corpus: str,
    real_fraction: float,
    temperature: float,
    top_p: float,
    n_generations: int,
    n_words: int,
    n_tokens: int,
    n_held: int,
    n_chains: int,
    n_steps: int,
    batch_size: int,
    learning_rate: float,
    context: int,
    width: int,
    n_layers: int,
    n_heads: int,
    device: str = "cpu",
    rng: np.random.Generator,
) -> list[Row]:
    """Perplexity of each transformer of a chain on real text, and the words that it was shown.

    Examples
    --------
    >>> rows = text_transformers_point(
    ...     replicate=0,
    ...     corpus="python-topics",
    ...     real_fraction=0.0,
    ...     temperature=1.0,
    ...     top_p=1.0,
    ...     n_generations=1,
    ...     n_words=50,
    ...     n_tokens=500,
    ...     n_held=200,
    ...     n_chains=8,
    ...     n_steps=2,
    ...     batch_size=4,
    ...     learning_rate=1e-3,
    ...     context=8,
    ...     width=8,
    ...     n_layers=1,
    ...     n_heads=1,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> [row["generation"] for row in rows]
    [0, 1]
    """
    del replicate  # in the random stream
    text_models = importlib.import_module("fragile_learning.scaling_laws.text_models")
    config = _training().TrainingConfig(
        n_steps=n_steps, batch_size=batch_size, learning_rate=learning_rate
    )
    shared, own = (int(seed) for seed in rng.integers(0, 2**62, 2))
    sizes = {"context": context, "width": width, "n_layers": n_layers, "n_heads": n_heads}
    kept, held, network, first = _first_writer(
        shared, corpus, n_words, n_tokens, n_held, config, device, **sizes
    )
    chain = text_models.transformer_generations(
        kept,
        held,
        n_generations,
        n_tokens=n_tokens,
        network=network,
        config=config,
        real_fraction=real_fraction,
        temperature=temperature,
        top_p=top_p,
        n_chains=n_chains,
        first=first,
        device=device,
        rng=own,
    )
    rare = kept.words.index(RARE_WORD) if RARE_WORD in kept.words else -1
    return [
        {
            "generation": number,
            "perplexity": one.perplexity,
            "n_types": one.n_types,
            "rare_fraction": float(np.mean(one.text == rare)),
            "corpus_name": kept.name,
        }
        for number, one in enumerate(chain)
    ]


def _transformers(
    count: int, settings: list[tuple[float, float, float]], sizes: dict[str, Any]
) -> list[dict[str, Any]]:
    """Chains of one replicate side by side, so that they share generation 0."""
    return [
        point
        for replicate in range(count)
        for fraction, temperature, top_p in settings
        for point in grid(
            replicate=[replicate],
            real_fraction=[fraction],
            temperature=[temperature],
            top_p=[top_p],
            **{name: [value] for name, value in sizes.items()},
        )
    ]


_SMALL_WRITER: dict[str, Any] = {
    "corpus": "king-james",
    "n_generations": 5,
    "n_words": 4096,
    "n_tokens": 50_000,
    "n_held": 20_000,
    "n_chains": 256,
    "n_steps": 390,
    "batch_size": 16,
    "learning_rate": 6e-3,
    "context": 32,
    "width": 64,
    "n_layers": 2,
    "n_heads": 4,
}
_TINY_WRITER: dict[str, Any] = {
    **_SMALL_WRITER,
    "corpus": "python-topics",
    "n_generations": 2,
    "n_words": 512,
    "n_tokens": 20_000,
    "n_held": 5_000,
    "n_steps": 120,
    "width": 32,
}


def _texts(count: int) -> list[dict[str, Any]]:
    return grid(
        replicate=range(count),
        corpus=["python-topics"],
        real_fraction=[0.0, 0.02, 0.1, 0.5, 1.0],
        n_tokens=[20_000],
        n_generations=[10],
    )


def _sizes(count: int, n_tokens: list[int]) -> list[dict[str, Any]]:
    """One law of real text, and two of synthetic text: of a poor and of a better writer."""
    return [
        point
        for data, writer in (("real", 50_000), ("synthetic", 20_000), ("synthetic", 50_000))
        for point in grid(
            replicate=range(count),
            corpus=["python-topics"],
            data=[data],
            n_writer_tokens=[writer],
            n_tokens=[n_tokens],
        )
    ]


# --- the experiments --------------------------------------------------------------------------

TRAINED_EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "scaling_laws/gcd-generations",
        "Divisors that transformers know over generations that learn from each other's answers.",
        gcd_generations_point,
        {
            "quick": _chains(1, [("uniform", 1.0, 0.0, 4), ("uniform", 1.0, 1.0, 1)]),
            "full": _chains(
                5,
                [
                    ("uniform", 1.0, 0.0, 5),
                    ("uniform", 1.0, 0.1, 5),
                    ("uniform", 1.0, 0.5, 5),
                    ("uniform", 1.0, 1.0, 5),
                    ("uniform", 0.7, 0.0, 5),
                    ("uniform", 0.0, 0.0, 5),
                    ("log-uniform", 1.0, 0.0, 5),
                ],
            ),
        },
        seed=SEED,
        stream_keys=("replicate", "operands"),
        columns=("generation", "n_learnt", "learnt", "accuracy", "n_labels", "wrong_labels"),
        requires=("torch",),
    ),
    Experiment(
        "scaling_laws/gcd-recovery",
        "Divisors that a transformer knows along a stream of real and of narrow synthetic pairs.",
        gcd_recovery_point,
        {
            "quick": _students(
                1,
                [("omitting", 0.0), ("omitting", 0.2)],
                1200,
                [100, 200, 400, 600, 800, 1000, 1200],
            ),
            "full": _students(
                5,
                [
                    ("omitting", 0.0),
                    ("omitting", 0.05),
                    ("omitting", 0.2),
                    ("relabelled", 0.0),
                    ("relabelled", 0.1),
                    ("relabelled", 0.3),
                    ("relabelled", 0.6),
                    ("relabelled", 1.0),
                ],
                2400,
                [100, 200, 400, 600, 800, 1200, 1600, 2000, 2400],
            ),
        },
        seed=SEED + 1,
        stream_keys=("replicate",),
        columns=("n_samples", "n_learnt", "learnt", "teacher_learnt", "kept"),
        requires=("torch",),
    ),
    Experiment(
        "scaling_laws/text-generations",
        "Perplexity and vocabulary of bigram models over generations, with some real text or none.",
        text_generations_point,
        {"quick": _texts(5), "full": _texts(50)},
        seed=SEED + 2,
        stream_keys=("replicate",),
        columns=("generation", "perplexity", "n_types", "corpus_name", "corpus_tokens"),
    ),
    Experiment(
        "scaling_laws/text-scaling",
        "Perplexity of bigram models against the size of their text, real or of one other model.",
        text_scaling_point,
        {
            "quick": _sizes(
                3, [2_000, 6_000, 20_000, 60_000, 100_000, 300_000, 1_000_000, 3_000_000]
            ),
            "full": _sizes(
                10,
                [2_000, 6_000, 20_000, 60_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000],
            ),
        },
        seed=SEED + 3,
        stream_keys=("replicate",),
        columns=("tokens", "perplexity", "n_types", "writer_perplexity", "corpus_name"),
    ),
    Experiment(
        "scaling_laws/text-transformers",
        "Perplexity and vocabulary of transformers over generations, with some real text or none.",
        text_transformers_point,
        {
            "quick": _transformers(1, [(0.0, 1.0, 1.0), (1.0, 1.0, 1.0)], _TINY_WRITER),
            "full": _transformers(
                3,
                [
                    (0.0, 1.0, 1.0),
                    (0.02, 1.0, 1.0),
                    (0.1, 1.0, 1.0),
                    (1.0, 1.0, 1.0),
                    (0.0, 0.9, 0.95),
                ],
                _SMALL_WRITER,
            ),
        },
        seed=SEED + 4,
        stream_keys=("replicate",),
        columns=("generation", "perplexity", "n_types", "rare_fraction", "corpus_name"),
        requires=("torch",),
    ),
)
