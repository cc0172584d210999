"""Experiments on trained models: transformers that find eigenvalues, selectors of headlines.

Sizes, decided by trials with other seeds before the archived runs, and why:

- Integers in [-20, 20], 68,921 matrices of size 2, one token a number: a model with 130,449 weights
  that learnt 3,000 of them for 400 steps finds both eigenvalues of 14 to 18 % of the others.
- Students have 400 steps on samples for 30,000 other matrices in the quick tier, 600 on samples for
  60,000, nearly all there are, in the full one. A student of 300 steps on 20,000 is hardly better
  than its generator even with an oracle (0.19 and 0.18): it stops before it learns.
- Samples at temperature 1, not greedy answers: there is one greedy answer to a matrix, right ones
  are few, and a linear student of a linear selector's best words copies it whatever is selected.
- The full tier of the eigenvalues has 5 seeds and 8 students each, some 7 CPU minutes. `GPU_SIZE`
  has the numbers of a run that is closer to the paper's, for those with a GPU.
- Docstrings of the standard library, numpy and scipy: 3,684 with the versions of the trials. The
  generator learns from an eighth of those that are not for the test, like the paper's, and one of 8
  candidates is kept, an eighth of what it wrote. The verifiers' human headlines are not those of
  the articles, or they would know what the oracle knows.
- The penalty of the word selectors is 4e-5 for all models: at 1e-4 a generator of an eighth is
  within 0.010 of a model of all human headlines, and no student is better; at 3e-5 even students of
  random summaries are about as good as the generator.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import numpy as np

from fragile_learning._validation import choice, real_number, whole_number
from fragile_learning.networks.threads import one_thread
from fragile_learning.sweeps import Experiment, grid
from fragile_learning.verification.eigenvalues import EigenTask, IntGrid, RealMatrices
from fragile_learning.verification.headlines import (
    PACKAGES,
    Summaries,
    WordSelector,
    WordTable,
    collect_headlines,
    mean_log_probability,
    sample_summaries,
    summary_scores,
    top_summaries,
)
from fragile_learning.verification.selection import (
    KeepRates,
    best_of_each,
    keep_rates,
    keep_top,
    noisy_verifier,
)

__all__ = [
    "GPU_SIZE",
    "SELECTORS",
    "TRAINED_EXPERIMENTS",
    "best_of_k_point",
    "eigenvalues_point",
    "headlines_point",
]

Row = dict[str, Any]

SEED = 20_240_611

GPU_SIZE: dict[str, Any] = {
    "encoding": "P1000",
    "matrix_size": 3,
    "max_entry": 10.0,
    "tolerance": 0.02,
    "verifier_tolerance": 0.01,
    "n_test": 10_000,
    "n_real": 100_000,
    "n_inputs": 1_000_000,
    "n_candidates": 8,
    "generator_steps": 5_000,
    "generator_batch": 1024,
    "student_steps": 5_000,
    "student_batch": 1024,
    "learning_rate": 5e-4,
    "width": 256,
    "n_heads": 8,
    "n_encoder_layers": 4,
    "n_decoder_layers": 1,
    "device": "cuda",
}
"""For `eigenvalues_point`: closer to the paper's task; a design, never timed."""


def _training() -> Any:
    return importlib.import_module("fragile_learning.verification.training")


# --- eigenvalues ------------------------------------------------------------------------------


def _task(encoding: str, matrix_size: int, max_entry: float, tolerance: float) -> Any:
    """Task of a point; an `EigenTask`."""
    choice("encoding", encoding, ("integers", "P1000"))
    if encoding == "P1000":
        return RealMatrices(size=matrix_size, max_entry=max_entry, tolerance=tolerance)
    whole_number("matrix_size", matrix_size, minimum=2, maximum=2)
    if max_entry != int(max_entry):
        raise ValueError(f"max_entry must be a whole number for integers, got {max_entry!r}")
    return IntGrid(max_entry=int(max_entry))


@lru_cache(maxsize=1)
def _generator(seed: int, task: Any, n_test: int, n_real: int, config: Any, **sizes: Any) -> Any:
    """Model that learnt from right answers; both experiments of a replicate share it."""
    draws, weights = np.random.SeedSequence(seed).spawn(2)
    _, real = task.disjoint_sets([n_test, n_real], rng=draws)
    return _training().train_new(task, real, config=config, rng=weights, **sizes)


def _accuracy(task: EigenTask, model: Any, matrices: Any) -> float:
    answers = _training().predict(model, task.encode(matrices))
    return float(task.correct(matrices, answers).mean())


@one_thread()
def eigenvalues_point(
    *,
    replicate: int,
    p_noises: tuple[float, ...],
    max_entry: float,
    n_test: int,
    n_real: int,
    n_inputs: int,
    n_candidates: int,
    generator_steps: int,
    generator_batch: int,
    student_steps: int,
    student_batch: int,
    learning_rate: float,
    width: int,
    n_heads: int,
    n_encoder_layers: int,
    n_decoder_layers: int,
    clean: bool = True,
    encoding: str = "integers",
    matrix_size: int = 2,
    tolerance: float = 0.01,
    verifier_tolerance: float = 0.01,
    device: str = "cpu",
    rng: np.random.Generator,
) -> list[Row]:
    """Accuracy of students of one generator's candidates, as verifiers of each quality keep them.

    One row for each of ``p_noises``, and with ``clean`` one of a student of right answers to the
    same matrices. All students begin with the same weights.

    Examples
    --------
    >>> sizes = dict(
    ...     max_entry=3,
    ...     n_test=50,
    ...     n_real=50,
    ...     generator_steps=5,
    ...     generator_batch=25,
    ...     learning_rate=3e-3,
    ...     width=8,
    ...     n_heads=2,
    ...     n_encoder_layers=1,
    ...     n_decoder_layers=1,
    ... )
    >>> rows = eigenvalues_point(
    ...     replicate=0,
    ...     p_noises=(1.0, 0.0),
    ...     n_inputs=50,
    ...     n_candidates=60,
    ...     student_steps=5,
    ...     student_batch=4,
    ...     **sizes,
    ...     rng=np.random.default_rng(1),
    ... )
    >>> [(row["verifier"], row["p_star"], row["wrong_kept"] > 0.0) for row in rows]
    [('none', 0.5, True), ('oracle', 1.0, False), ('clean', 1.0, False)]
    """
    del replicate  # in the random stream
    training = _training()
    task = _task(encoding, matrix_size, max_entry, tolerance)
    judge = _task(encoding, matrix_size, max_entry, verifier_tolerance)
    shared, writing, noise, learning = (int(seed) for seed in rng.integers(0, 2**62, 4))
    sizes = {
        "width": width,
        "n_heads": n_heads,
        "n_encoder_layers": n_encoder_layers,
        "n_decoder_layers": n_decoder_layers,
        "device": device,
    }
    first, second = (
        training.TrainingConfig(n_steps=steps, batch_size=batch, learning_rate=learning_rate)
        for steps, batch in ((generator_steps, generator_batch), (student_steps, student_batch))
    )
    generator = _generator(shared, task, n_test, n_real, first, **sizes)
    draws = np.random.SeedSequence(shared).spawn(1)[0]
    test, _, new = task.disjoint_sets([n_test, n_real, n_inputs], rng=draws)
    questions = task.encode(new)
    written = training.sample_candidates(generator, questions, n_candidates, rng=writing).answers
    right = judge.correct(new, written)
    own = _accuracy(task, generator, test)

    def student(answers: Any, kept: Any) -> float:
        model = training.new_model(
            task, **{key: size for key, size in sizes.items() if key != "device"}, rng=learning
        ).to(device)
        places = np.nonzero(kept)[0]
        training.train(model, questions[places], answers[kept], config=second, rng=learning)
        return _accuracy(task, model, test)

    rows = []
    for p_noise in p_noises:
        kept = noisy_verifier(right, p_noise, rng=noise)
        names = {0.0: "oracle", 1.0: "none"}
        rows.append(
            _eigen_row(names.get(p_noise, "noisy"), p_noise, keep_rates(right, kept))
            | {"student": student(written, kept), "generator": own}
        )
    if clean:
        everything = np.ones((len(new), 1), dtype=bool)
        rows.append(
            _eigen_row("clean", 0.0, keep_rates(everything, everything))
            | {"student": student(task.labels(new)[:, None], everything), "generator": own}
        )
    return rows


def _eigen_row(verifier: str, p_noise: float, rates: KeepRates) -> Row:
    return {"verifier": verifier, "p_noise": float(p_noise), **rates._asdict()}


_EIGEN_COLUMNS = ("verifier", "p_noise", *KeepRates._fields, "student", "generator")


@one_thread()
def best_of_k_point(
    *,
    replicate: int,
    n_candidates: tuple[int, ...],
    max_entry: float,
    n_test: int,
    n_real: int,
    generator_steps: int,
    generator_batch: int,
    learning_rate: float,
    width: int,
    n_heads: int,
    n_encoder_layers: int,
    n_decoder_layers: int,
    encoding: str = "integers",
    matrix_size: int = 2,
    tolerance: float = 0.01,
    device: str = "cpu",
    rng: np.random.Generator,
) -> list[Row]:
    """How often a generator is right: greedily, by one sample, by its own choice, by an oracle's.

    One row for each number of candidates; smaller sets of candidates are part of larger ones. The
    generator is that of `eigenvalues_point` with the same sizes and random stream.

    Examples
    --------
    >>> sizes = dict(
    ...     max_entry=3,
    ...     n_test=50,
    ...     n_real=50,
    ...     generator_steps=5,
    ...     generator_batch=25,
    ...     learning_rate=3e-3,
    ...     width=8,
    ...     n_heads=2,
    ...     n_encoder_layers=1,
    ...     n_decoder_layers=1,
    ... )
    >>> rng = np.random.default_rng(1)
    >>> one, ten = best_of_k_point(replicate=0, n_candidates=(1, 10), **sizes, rng=rng)
    >>> one["oracle"] == one["self_pick"] <= ten["oracle"]
    True
    """
    del replicate  # in the random stream
    training = _training()
    task = _task(encoding, matrix_size, max_entry, tolerance)
    shared, writing, *_ = (int(seed) for seed in rng.integers(0, 2**62, 4))
    config = training.TrainingConfig(
        n_steps=generator_steps, batch_size=generator_batch, learning_rate=learning_rate
    )
    generator = _generator(
        shared,
        task,
        n_test,
        n_real,
        config,
        width=width,
        n_heads=n_heads,
        n_encoder_layers=n_encoder_layers,
        n_decoder_layers=n_decoder_layers,
        device=device,
    )
    draws = np.random.SeedSequence(shared).spawn(1)[0]
    (test,) = task.disjoint_sets([n_test], rng=draws)
    written = training.sample_candidates(
        generator, task.encode(test), max(n_candidates), rng=writing
    )
    right = task.correct(test, written.answers)
    greedy, one = _accuracy(task, generator, test), float(right.mean())
    rows = []
    for count in n_candidates:
        some = right[:, :count]
        chosen = best_of_each(written.log_probabilities[:, :count])
        rows.append(
            {
                "k": count,
                "greedy": greedy,
                "one_sample": one,
                "self_pick": float(some[chosen].mean()),
                "oracle": float(some.any(axis=1).mean()),
                "independent": 1.0 - (1.0 - one) ** count,
            }
        )
    return rows


_CHOICE_COLUMNS = ("k", "greedy", "one_sample", "self_pick", "oracle", "independent")

_SMALL: dict[str, list[Any]] = {
    "max_entry": [20],
    "n_test": [4000],
    "n_real": [3000],
    "generator_steps": [400],
    "generator_batch": [128],
    "learning_rate": [3e-3],
    "width": [64],
    "n_heads": [4],
    "n_encoder_layers": [1],
    "n_decoder_layers": [1],
}


# --- headlines --------------------------------------------------------------------------------

SELECTORS = ("random", "self", "peer", "better", "oracle")
"""By chance; by the generator's own probability; by that of a model that learnt from as many other
headlines, or from three times as many; by ROUGE-1 against the human headline."""


@lru_cache(maxsize=2)
def _table(packages: tuple[str, ...]) -> tuple[WordTable, str]:
    pairs = collect_headlines(packages)
    return WordTable.of(pairs), pairs.name


def headlines_point(
    *,
    replicate: int,
    packages: tuple[str, ...],
    selectors: tuple[str, ...],
    scopes: tuple[str, ...],
    n_best: tuple[int, ...],
    n_candidates: int,
    n_words: int,
    test_fraction: float,
    real_fraction: float,
    penalty: float,
    rng: np.random.Generator,
) -> list[Row]:
    """ROUGE-1 of students of a selector's summaries, as each selector keeps them.

    Of the pairs that are not for the test, ``real_fraction`` train the generator, three times as
    many the better model, a third of those the peer, and the rest are articles whose headline only
    the oracle sees. ``scopes``: the best ``n_best`` of each ``"article"``, or as many of ``"all"``
    candidates.

    Examples
    --------
    >>> rows = headlines_point(
    ...     replicate=0,
    ...     packages=("logging",),
    ...     selectors=("random", "oracle"),
    ...     scopes=("article",),
    ...     n_best=(1,),
    ...     n_candidates=4,
    ...     n_words=5,
    ...     test_fraction=0.25,
    ...     real_fraction=0.2,
    ...     penalty=1e-3,
    ...     rng=np.random.default_rng(1),
    ... )
    >>> [(row["selector"], 4 * row["n_kept"] == row["n_examples"]) for row in rows]
    [('random', True), ('oracle', True)]
    """
    del replicate  # in the random stream
    for one in selectors:
        choice("selectors", one, SELECTORS)
    for one in scopes:
        choice("scopes", one, ("article", "all"))
    part = real_number("test_fraction", test_fraction, minimum=0.0, maximum=0.5)
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=0.2)
    table, name = _table(packages)
    splitting, writing, chance = (np.random.default_rng(i) for i in rng.integers(0, 2**62, 3))
    order = splitting.permutation(table.n_texts)
    n_test = round(part * table.n_texts)
    n_real = round(share * (table.n_texts - n_test))
    test, real, others, articles = np.split(order, np.cumsum([n_test, n_real, 3 * n_real]))

    def fit(texts: Any, rows: Any = None) -> WordSelector:
        return WordSelector.fit(table, texts, rows, penalty=penalty)

    def rouge(model: WordSelector) -> float:
        return float(summary_scores(table, top_summaries(model, table, test, n_words)).mean())

    generator = fit(real)
    models = {"self": generator, "peer": fit(others[:n_real]), "better": fit(others)}
    written = sample_summaries(generator, table, articles, n_candidates, n_words, rng=writing)
    truth = summary_scores(table, written)
    scores = {key: mean_log_probability(model, table, written) for key, model in models.items()}
    scores |= {"oracle": truth, "random": chance.random(truth.shape)}
    right = truth > np.median(truth)
    first = Summaries(test, (table.starts[test][:, None] + np.arange(n_words))[:, None])
    hits = np.array([table.in_headline[table.rows([i])].sum() for i in test])
    best = np.minimum(hits, n_words) * 2.0 / (n_words + table.headline_lengths[test])
    levels = {
        "generator": rouge(generator),
        "peer": rouge(models["peer"]),
        "better": rouge(models["better"]),
        "human": rouge(fit(order[n_test:])),
        "first_words": float(summary_scores(table, first).mean()),
        "ceiling": float(best.mean()),
        "n_articles": len(articles),
        "corpus_name": name,
    }
    rows = []
    for selector in selectors:
        values = scores[selector]
        for scope in scopes:
            for count in n_best:
                if scope == "article":
                    kept = best_of_each(values, count)
                else:
                    kept = keep_top(values, count / n_candidates)
                places = np.nonzero(kept)[0]
                student = fit(articles[places], written.rows[kept])
                rates = keep_rates(right, kept)
                rows.append(
                    {
                        "selector": selector,
                        "scope": scope,
                        "n_kept_each": count,
                        "correlation": _within(values, truth),
                        **rates._asdict(),
                        "student": rouge(student),
                        **levels,
                    }
                )
    return rows


_HEADLINE_COLUMNS = (
    "selector",
    "scope",
    "n_kept_each",
    "correlation",
    *KeepRates._fields,
    "student",
    "generator",
    "peer",
    "better",
    "human",
    "first_words",
    "ceiling",
    "n_articles",
    "corpus_name",
)


def _within(scores: Any, truth: Any) -> float:
    """Correlation of scores and truth among the candidates of an article."""
    one, two = (values - values.mean(axis=1, keepdims=True) for values in (scores, truth))
    return float((one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum()))


# --- the experiments --------------------------------------------------------------------------


def _pipelines(
    count: int, p_noises: list[float], clean: bool, **sizes: int
) -> list[dict[str, Any]]:
    return grid(
        replicate=range(count),
        p_noises=[p_noises],
        clean=[clean],
        **{key: [size] for key, size in sizes.items()},
        student_batch=[256],
        **_SMALL,
    )


def _choices(count: int, n_candidates: list[int]) -> list[dict[str, Any]]:
    return grid(replicate=range(count), n_candidates=[n_candidates], **_SMALL)


def _selections(count: int, scopes: list[str], n_best: list[int]) -> list[dict[str, Any]]:
    return grid(
        replicate=range(count),
        packages=[list(PACKAGES)],
        selectors=[list(SELECTORS)],
        scopes=[scopes],
        n_best=[n_best],
        n_candidates=[8],
        n_words=[7],
        test_fraction=[0.25],
        real_fraction=[0.125],
        penalty=[4e-5],
    )


TRAINED_EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "verification/eigenvalues",
        "Accuracy of students of sampled eigenvalues, as verifiers of each quality keep them.",
        eigenvalues_point,
        {
            "quick": _pipelines(
                1, [1.0, 0.1, 0.0], False, n_inputs=30_000, n_candidates=6, student_steps=400
            ),
            "full": _pipelines(
                5,
                [1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.0],
                True,
                n_inputs=60_000,
                n_candidates=8,
                student_steps=600,
            ),
        },
        seed=SEED,
        stream_keys=("replicate",),
        columns=_EIGEN_COLUMNS,
        requires=("torch",),
    ),
    Experiment(
        "verification/best-of-k",
        "Accuracy of a generator's greedy answer, own choice and best of several candidates.",
        best_of_k_point,
        {"quick": _choices(1, [1, 5, 10, 20]), "full": _choices(5, [1, 2, 5, 10, 20, 50])},
        seed=SEED,  # that of the eigenvalues: with its generator
        stream_keys=("replicate",),
        columns=_CHOICE_COLUMNS,
        requires=("torch",),
    ),
    Experiment(
        "verification/headlines",
        "ROUGE-1 of students of sampled headlines of docstrings, as each selector keeps them.",
        headlines_point,
        {
            "quick": _selections(2, ["article"], [1]),
            "full": _selections(10, ["article", "all"], [1, 2, 4]),
        },
        seed=SEED + 1,
        stream_keys=("replicate",),
        columns=_HEADLINE_COLUMNS,
    ),
)
