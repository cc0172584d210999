"""Experiments on language models: floors, a Markov chain, and small GPTs on stories.

What was decided about the stories before the archived run, on other seeds, and why:

- The grammar has short stories, 20 tokens on average. Whole stories are mixed, so that the floor
  at fraction ``p_2`` is at most ``-log(1 - p_2)`` a story, and it is the smaller a token the longer
  the stories are.
- The generator sees 1000 stories, 12 times each. It is then poor but not hopeless: it repeats the
  hero's name, half of its stories are grammatical, and its excess (.17 nats a token in the trial)
  still falls. After twice as many passes it had begun to learn the 1000 stories by heart; a student
  of its stories alone then does better than the generator (.150 against .198), because it never
  sees the same story twice. A good generator (2000 stories, 600,000 tokens, excess .095) gave the
  same picture more weakly: at fraction 1/2 and 1 million tokens 1.9 times the excess of real
  stories alone, at fraction 1 .099.
- Students are 48 wide and read 1 million tokens, so that 75 of them take about a quarter of an hour
  on two free processors (measured there, one thread each: 75,000, 50,000 and 28,000 tokens a second
  with 1, 2 and 4 layers). At 700,000 tokens the deepest student of real stories alone is still in
  the steep part of its curve (.057, against .036 at a million). One student at a time: five at once
  with torch.func.vmap cost 58 ms a step, in a loop 51.
- Rate 0.004 and batches of 32 stories did best of 0.003 to 0.015 and of 20 and 32, for real stories
  alone.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fragile_learning.strong_collapse.language import (
    END,
    Grammar,
    bigram_counts,
    bigram_model,
    excess_log_loss,
    log_loss_floor,
    log_loss_floor_expansion,
    random_transitions,
    stationary_law,
    story_floor,
    story_grammar,
    story_mask,
)
from fragile_learning.sweeps import Experiment, grid

__all__ = ["LANGUAGE_EXPERIMENTS", "floor_point", "markov_chain_point", "stories_point"]

Array = NDArray[np.float64]
Row = dict[str, Any]

SEED = 20_241_007


# --- floors -----------------------------------------------------------------------------------

_EXAMPLES: dict[str, tuple[Any, Any, Any, Any]] = {
    # real law, synthetic law, context laws
    "bounded": ([0.5, 0.3, 0.2], [0.4, 0.4, 0.2], None, None),
    "missing-word": ([0.5, 0.3, 0.2], [0.7, 0.3, 0.0], None, None),
    "made-up-word": ([0.5, 0.3, 0.2, 0.0], [0.4, 0.25, 0.15, 0.2], None, None),
    "disjoint": ([1.0, 0.0], [0.0, 1.0], None, None),
    "other-contexts": (
        [[0.5, 0.5], [0.5, 0.5]],
        [[0.6, 0.4], [0.7, 0.3]],
        [0.5, 0.5],
        [0.9, 0.1],
    ),
}


def floor_point(*, example: str, synthetic_fraction: float, rng: np.random.Generator) -> Row:
    """Floor of the log-loss, its expansion, and the bound that a common context law gives.

    Examples
    --------
    >>> row = floor_point(example="bounded", synthetic_fraction=0.1, rng=np.random.default_rng(0))
    >>> {name: round(value, 6) for name, value in row.items()}
    {'floor': 0.000264, 'expansion': 0.000267, 'bound': 0.105361}
    """
    del rng  # nothing is drawn
    real, synthetic, contexts, others = _EXAMPLES[example]
    laws = {"real_contexts": contexts, "synthetic_contexts": others}
    return {
        "floor": log_loss_floor(real, synthetic, synthetic_fraction, **laws),
        "expansion": log_loss_floor_expansion(real, synthetic, synthetic_fraction, **laws),
        "bound": float(-np.log1p(-synthetic_fraction)),
    }


# --- the Markov chain -------------------------------------------------------------------------


def markov_chain_point(
    *,
    replicate: int,
    n_words: int,
    concentration: float,
    n_generator_tokens: int,
    synthetic_fractions: tuple[float, ...],
    n_tokens: tuple[int, ...],
    rng: np.random.Generator,
) -> list[Row]:
    """Excess log-loss of bigram models on mixtures of a chain and of a bigram model of it.

    Examples
    --------
    >>> rows = markov_chain_point(
    ...     replicate=0,
    ...     n_words=10,
    ...     concentration=0.3,
    ...     n_generator_tokens=500,
    ...     synthetic_fractions=(0.0, 0.5),
    ...     n_tokens=(1000, 4000),
    ...     rng=np.random.default_rng(0),
    ... )
    >>> len(rows), rows[0]["floor"], rows[-1]["floor"] < rows[-1]["excess"]
    (4, 0.0, True)
    """
    del replicate  # in the random stream
    truth = random_transitions(n_words, concentration, rng=rng)
    teacher = bigram_model(bigram_counts(truth, n_generator_tokens, rng=rng))
    laws = (stationary_law(truth), stationary_law(teacher))
    floors = log_loss_floor(
        truth, teacher, synthetic_fractions, real_contexts=laws[0], synthetic_contexts=laws[1]
    )
    rows: list[Row] = []
    for fraction, floor in zip(synthetic_fractions, floors, strict=True):
        counts = np.zeros_like(truth)
        seen = np.zeros(2, dtype=np.int64)
        for size in n_tokens:  # the smaller corpus is a part of the larger one
            synthetic = round(fraction * size)
            more = np.array([size - synthetic, synthetic]) - seen
            counts += bigram_counts(truth, int(more[0]), rng=rng)
            counts += bigram_counts(teacher, int(more[1]), rng=rng)
            seen += more
            rows.append(
                {
                    "synthetic_fraction": fraction,
                    "tokens": size,
                    "excess": excess_log_loss(truth, bigram_model(counts)),
                    "floor": float(floor),
                    "generator_excess": excess_log_loss(truth, teacher),
                }
            )
    return rows


def _chains(count: int, n_tokens: list[int]) -> list[dict[str, Any]]:
    return grid(
        replicate=range(count),
        n_words=[40],
        concentration=[0.3],
        n_generator_tokens=[20_000],
        synthetic_fractions=[[0.0, 0.1, 0.3, 0.5, 1.0]],
        n_tokens=[n_tokens],
    )


# --- stories ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _grammar() -> Grammar:
    return story_grammar()


def _gpt(width: int, n_layers: int, seed: int) -> Any:
    models = importlib.import_module("fragile_learning.strong_collapse.models")
    torch = importlib.import_module("torch")
    grammar = _grammar()
    config = models.GPTConfig(
        n_words=grammar.n_words, context=grammar.max_length, n_layers=n_layers, width=width
    )
    return models.GPT(config, generator=torch.Generator().manual_seed(seed))


def _excess(
    model: Any, stories: NDArray[np.int64], truth: Array, finished: float = 1.0
) -> tuple[float, Array]:
    """Excess log-loss a token, over the same stories' exact cost; the model's own cost of each."""
    training = importlib.import_module("fragile_learning.strong_collapse.training")
    logs = training.log_probability(model, stories) - np.log(finished)
    return float(np.mean(truth - logs) / _grammar().mean_length), logs


@lru_cache(maxsize=1)
def _world(
    seed: int, width: int, n_corpus: int, n_generator_tokens: int, n_tokens: int, n_test: int
) -> dict[str, Any]:
    """Everything that the students of a replicate share: the generator, its stories, the test."""
    training = importlib.import_module("fragile_learning.strong_collapse.training")
    torch = importlib.import_module("torch")
    grammar = _grammar()
    drawn, order, corpus, test, real, weights, writing = np.random.SeedSequence(seed).spawn(7)
    stories = grammar.sample(n_test, rng=test)
    truth = grammar.log_probability(stories)
    generator = _gpt(width, 2, int(weights.generate_state(1)[0]))
    training.train_online(
        generator,
        training.epochs(grammar.sample(n_corpus, rng=corpus), 32, rng=order),
        token_budgets=[n_generator_tokens],
        evaluate=lambda _: None,
    )
    # as many stories as the student of any mixture reads, whichever source has the shorter ones
    needed = 1.02 * n_tokens + 1000
    source = torch.Generator().manual_seed(int(writing.generate_state(1)[0]))
    parts: list[NDArray[np.int64]] = []
    n_written = n_whole = n_read = 0
    while min(n_read, n_whole * grammar.mean_length) < needed:
        written = generator.generate(1024, generator=source).numpy()
        # stories that do not end are left out, as the paper leaves out poor ones
        parts.append(written[(written == END).any(axis=1)])
        n_written += len(written)
        n_whole += len(parts[-1])
        n_read += int(story_mask(parts[-1]).sum())
        if n_whole < 0.1 * n_written:
            raise ValueError(
                f"n_generator_tokens must be large enough for stories that end, got "
                f"{n_generator_tokens}: {n_whole} of {n_written} did"
            )
    synthetic = np.concatenate(parts)
    finished = n_whole / n_written
    excess, logs = _excess(generator, stories, truth, finished)
    return {
        "stories": stories,
        "truth": truth,
        "logs": logs,
        "real": grammar.sample(n_whole, rng=real),
        "synthetic": synthetic,
        "mixing": drawn,
        "generator_excess": excess,
        "finished": finished,
        "grammatical": float(np.isfinite(grammar.log_probability(synthetic)).mean()),
    }


def stories_point(
    *,
    replicate: int,
    n_layers: int,
    synthetic_fraction: float,
    width: int,
    n_corpus: int,
    n_generator_tokens: int,
    token_budgets: tuple[int, ...],
    n_test: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Excess log-loss of a student of a mixture of stories along its training.

    All students of a replicate share their random stream: the generator, the real and the synthetic
    stories, the test stories and which story of the stream is synthetic first.

    Examples
    --------
    >>> rows = stories_point(
    ...     replicate=0,
    ...     n_layers=1,
    ...     synthetic_fraction=0.5,
    ...     width=8,
    ...     n_corpus=64,
    ...     n_generator_tokens=500,
    ...     token_budgets=(500, 1000),
    ...     n_test=8,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> [row["tokens"] for row in rows], rows[0]["generator_excess"] > 0
    ([500, 1000], True)
    """
    del replicate  # in the random stream
    training = importlib.import_module("fragile_learning.strong_collapse.training")
    grammar = _grammar()
    seed, start = (int(value) for value in rng.integers(0, 2**62, 2))
    world = _world(seed, width, n_corpus, n_generator_tokens, token_budgets[-1], n_test)
    found = training.train_online(
        _gpt(width, n_layers, start),
        training.mixed_stream(
            world["real"], world["synthetic"], synthetic_fraction, 32, rng=world["mixing"]
        ),
        token_budgets=token_budgets,
        evaluate=lambda model: _excess(model, world["stories"], world["truth"])[0],
    )
    floor = story_floor(world["truth"], world["logs"], synthetic_fraction).mean()
    return [
        {
            "tokens": budget,
            "excess": excess,
            "floor": float(floor / grammar.mean_length),
            "generator_excess": world["generator_excess"],
            "generator_finished": world["finished"],
            "generator_grammatical": world["grammatical"],
        }
        for budget, excess in zip(token_budgets, found, strict=True)
    ]


def _students(
    count: int,
    depths: list[int],
    fractions: list[float],
    width: int,
    n_corpus: int,
    n_generator_tokens: int,
    token_budgets: list[int],
) -> list[dict[str, Any]]:
    return grid(
        replicate=range(count),  # slowest, so that a worker trains each generator once
        n_layers=depths,
        synthetic_fraction=fractions,
        width=[width],
        n_corpus=[n_corpus],
        n_generator_tokens=[n_generator_tokens],
        token_budgets=[token_budgets],
        n_test=[1000],
    )


# --- the experiments --------------------------------------------------------------------------

LANGUAGE_EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "strong_collapse/log-loss-floor",
        "Floor of the log-loss of small examples: square law, and where it fails.",
        floor_point,
        {
            tier: grid(
                example=list(_EXAMPLES),
                synthetic_fraction=[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9],
            )
            for tier in ("quick", "full")
        },
        seed=SEED,
        columns=("floor", "expansion", "bound"),
    ),
    Experiment(
        "strong_collapse/markov-chain",
        "Excess log-loss of bigram models on a mixture of a Markov chain and of a model of it.",
        markov_chain_point,
        {
            "quick": _chains(4, [5_000, 20_000, 80_000, 320_000, 1_200_000]),
            "full": _chains(
                50,
                [
                    5_000,
                    20_000,
                    80_000,
                    320_000,
                    1_200_000,
                    5_000_000,
                    20_000_000,
                    100_000_000,
                ],
            ),
        },
        seed=SEED + 1,
        columns=("synthetic_fraction", "tokens", "excess", "floor", "generator_excess"),
    ),
    Experiment(
        "strong_collapse/stories",
        "Small GPTs on stories of a grammar and of a GPT; full: 75 students of a million tokens.",
        stories_point,
        {
            # shows the machinery and decides nothing: one seed, half the width, fewer tokens
            "quick": _students(
                1, [1], [0.0, 0.5, 1.0], 24, 500, 100_000, [62_500, 125_000, 250_000]
            ),
            "full": _students(
                5,
                [1, 2, 4],
                [0.0, 0.01, 0.1, 0.5, 1.0],
                48,
                1000,
                250_000,
                [62_500, 125_000, 250_000, 500_000, 1_000_000],
            ),
        },
        seed=SEED + 2,
        stream_keys=("replicate",),
        columns=(
            "tokens",
            "excess",
            "floor",
            "generator_excess",
            "generator_finished",
            "generator_grammatical",
        ),
        requires=("torch",),
    ),
)
