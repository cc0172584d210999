"""Sampling several answers to each question at once, against what one writes first.

One at a time: each answer of each question by itself, the whole network again for every token. One
candidate at a time: all questions together, but again the whole network for every token of every
candidate. Ours encodes a question once, draws all first tokens from one law, and keeps the keys
and values of what is written.
"""

from __future__ import annotations

import numpy as np
import torch

from _report import Line, best_time, main
from fragile_learning.verification.eigenvalues import IntGrid, RealMatrices
from fragile_learning.verification.models import Seq2Seq
from fragile_learning.verification.training import new_model, sample_candidates


@torch.no_grad()
def _pass(model: Seq2Seq, questions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One answer to each question; the whole network for every token."""
    answers = torch.zeros((len(questions), model.config.n_outputs), dtype=torch.int64)
    for place in range(model.config.n_outputs):
        logits = model(torch.from_numpy(questions), answers)[:, place].double()
        sums = logits.softmax(dim=-1).cumsum(dim=-1)
        chances = torch.from_numpy(rng.random((len(questions), 1)))
        found = torch.searchsorted(sums, chances * sums[:, -1:], right=True)[:, 0]
        answers[:, place] = found.clamp(max=model.config.output_words - 1)
    return answers.numpy()


def one_at_a_time(
    model: Seq2Seq, questions: np.ndarray, n_candidates: int, rng: np.random.Generator
) -> np.ndarray:
    return np.array(
        [[_pass(model, row[None], rng)[0] for _ in range(n_candidates)] for row in questions]
    )


def one_candidate_at_a_time(
    model: Seq2Seq, questions: np.ndarray, n_candidates: int, rng: np.random.Generator
) -> np.ndarray:
    return np.stack([_pass(model, questions, rng) for _ in range(n_candidates)], axis=1)


def lines() -> list[Line]:
    torch.set_num_threads(1)
    found = []
    for label, task, sizes, count in [
        ("integers, 2 tokens", IntGrid(), {}, 2000),
        ("P1000, 9 tokens", RealMatrices(size=3), {"n_encoder_layers": 4}, 100),
    ]:
        model, rng = new_model(task, rng=1, **sizes), np.random.default_rng(2)
        questions = task.encode(task.sample(count, rng=3))
        candidates = 8

        def ours(model=model, questions=questions):
            return sample_candidates(model, questions, 8, rng=1)

        def slow(model=model, questions=questions, rng=rng):
            return one_at_a_time(model, questions[:5], 8, rng)

        def plain(model=model, questions=questions, rng=rng):
            return one_candidate_at_a_time(model, questions, 8, rng)

        for work in (ours, slow, plain):
            work()  # warm
        # in turn, so that a slow moment of the machine meets all three
        rounds = [[best_time(work, 1) for work in (ours, slow, plain)] for _ in range(5)]
        fast, single, batched = map(min, zip(*rounds, strict=True))
        fast, single, batched = (
            time / answers
            for time, answers in zip(
                (fast, single, batched),
                (count * candidates, 5 * candidates, count * candidates),
                strict=True,
            )
        )
        found += [
            Line(f"{label}: an answer", 1e6 * fast, "us"),
            Line(f"{label}: one answer at a time / ours", single / fast, "x", 5.0),
            Line(f"{label}: one candidate at a time / ours", batched / fast, "x", 4.0),
        ]
    return found


if __name__ == "__main__":
    main("Sampled answers of an encoder-decoder", lines)
