"""Transformers that write text: perplexity against known laws, batches, chains over generations.

How single tokens are scored and drawn is tested with the network, in tests/networks/test_gpt.py.
Orderings of perplexities are checked where they differ by far more than from seed to seed.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.networks.gpt import GPT, GPTConfig  # noqa: E402
from fragile_learning.scaling_laws.text import MARK, RARE_WORD, Corpus  # noqa: E402
from fragile_learning.scaling_laws.text_models import (  # noqa: E402
    perplexity,
    text_batches,
    train_text_model,
    transformer_generations,
    write_text,
)
from fragile_learning.scaling_laws.training import TrainingConfig  # noqa: E402
from fragile_learning.statistics import z_bound  # noqa: E402

FALSE_ALARM = 1e-8


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def untrained(n_words=11, context=6, **sizes):
    config = GPTConfig(n_words=n_words, context=context, width=12, n_heads=2, **sizes)
    return GPT(config, generator=torch.Generator().manual_seed(1))


def silent(law):
    """A transformer whose logits are those of one law, whatever it reads."""
    model = untrained(n_words=len(law))
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.zero_()
        model.norm.bias[0] = 1.0
        model.words.weight[:, 0] = torch.as_tensor(np.log(law))
    return model


def steps(n_steps, batch_size=8, learning_rate=1e-2, **rest):
    return TrainingConfig(
        n_steps=n_steps, batch_size=batch_size, learning_rate=learning_rate, **rest
    )


# --- perplexity -------------------------------------------------------------------------------


def test_perplexity_of_one_law_is_that_of_dice():
    law = np.arange(1, 12) / 66
    text = np.random.default_rng(1).integers(0, 11, 200)
    assert perplexity(silent(np.full(11, 1 / 11)), text) == pytest.approx(11, rel=1e-6)
    expected = math.exp(-np.log(law[text[1:]]).mean())
    for size in (1, 7, 64):
        assert perplexity(silent(law), text, batch_size=size) == pytest.approx(expected, rel=1e-5)


def test_a_periodic_text_is_learnt_by_heart():
    """Perplexity near 1 on the period, and far from it on the same words in another order."""
    period = [3, 1, 4, 1, 5, 9, 2, 6]
    text = np.tile(period, 60)
    model = train_text_model(
        text, GPTConfig(n_words=10, context=12, width=24), steps(250, warmup_steps=20), rng=2
    )
    long = np.tile(period, 20)
    assert perplexity(model, long[3:]) < 1.05
    assert perplexity(model, np.random.default_rng(3).permutation(long)) > 10
    written = write_text(model, 400, n_chains=4, temperature=0.5, rng=3)
    pairs = set(itertools.pairwise(text.tolist()))
    rows = written.reshape(4, 100)[:, 2:]  # after the mark, which it never saw
    right = np.mean([pair in pairs for row in rows for pair in itertools.pairwise(row.tolist())])
    assert right > 0.95


def test_a_markov_chain_is_learnt_up_to_its_entropy():
    rng = np.random.default_rng(1)
    law = rng.dirichlet(np.full(6, 0.5), 6)
    chain = [0]
    for at in rng.random(40_000):
        chain.append(min(5, int(np.searchsorted(law[chain[-1]].cumsum(), at))))
    text = np.array(chain)
    model = train_text_model(
        text[:30_000], GPTConfig(n_words=6, context=16, width=24), steps(300, 32), rng=2
    )
    held = text[30_000:]
    truth = math.exp(-np.log(law[held[:-1], held[1:]]).mean())
    assert 0.995 * truth < perplexity(model, held) < 1.03 * truth
    single = np.bincount(text) / len(text)
    assert perplexity(silent(single), held) > 1.3 * truth  # negative control: no memory


# --- batches and text -------------------------------------------------------------------------


def test_batches_are_windows_and_cover_each_epoch():
    text = np.arange(100)
    source = text_batches(text, 8, 5, rng=1)
    taken = [next(source) for _ in range(240)]
    for rows, after in taken:
        assert rows.shape == after.shape == (5, 8)
        assert (after == rows + 1).all()
        assert (np.diff(rows) == 1).all()
    counts = np.bincount(np.concatenate([rows.ravel() for rows, _ in taken]), minlength=100)
    inside = counts[8:-9]
    assert inside.max() - inside.min() <= 2  # as often as each other, but for an epoch's cut
    assert counts[99] == 0  # nothing comes after the last
    assert counts[98] > 0
    again = text_batches(text, 8, 5, rng=1)
    assert all((next(again)[0] == rows).all() for rows, _ in taken[:3])
    ((only, goal),) = itertools.islice(text_batches(np.arange(9), 8, 1, rng=1), 1)
    assert only.tolist() == [list(range(8))]
    assert goal.tolist() == [list(range(1, 9))]


@pytest.mark.parametrize("n_tokens", [0, 1, 5, 13, 100, 101, 107])
@pytest.mark.parametrize("n_chains", [1, 7, 1000])
def test_text_has_its_length_and_begins_with_marks(n_tokens, n_chains):
    law = np.full(11, 0.1)
    law[MARK] = 1e-30
    text = write_text(silent(law), n_tokens, n_chains=n_chains, rng=1)
    assert text.shape == (n_tokens,)
    begins = np.flatnonzero(text == MARK)
    chains = min(n_chains, max(1, n_tokens // 6))
    assert len(begins) == min(chains, n_tokens)
    if n_tokens >= chains:
        assert np.ptp(np.diff(begins, append=n_tokens)) <= 1


def test_text_follows_the_law_and_its_options():
    law = np.arange(1, 12) / 66
    model, count = silent(law), 50_000

    def farthest(text, expected):
        words = text[text != MARK]
        inside = expected[1:] / expected[1:].sum()
        counts = np.bincount(words, minlength=11)[1:]
        ok = inside > 0
        assert counts[~ok].sum() == 0
        variance = np.maximum(len(words) * inside * (1 - inside), 1e-9)
        return np.abs((counts - len(words) * inside) / np.sqrt(variance))[ok].max()

    plain = write_text(model, count, rng=1)
    cold = write_text(model, count, temperature=0.5, rng=1)
    head = write_text(model, count, top_p=0.5, rng=1)
    kept = np.where(law >= law[7], law, 0)  # 11 + 10 + 9 = 30 of 66, and 8 more is above half
    bound = z_bound(FALSE_ALARM, 33)
    assert farthest(plain, law) < bound
    assert farthest(cold, law**2) < bound
    assert farthest(head, kept) < bound
    assert farthest(cold, law) > 2 * bound  # negative control
    assert (write_text(model, count, rng=1) == plain).all()
    assert (write_text(model, 100, rng=1) != write_text(model, 100, rng=2)).any()


# --- generations ------------------------------------------------------------------------------


def small():
    """Sentences in which every second word follows from the one before; a heavy-tailed law."""
    rng = np.random.default_rng(1)
    law = 1 / np.arange(1, 61) ** 1.2
    rows = rng.choice(60, size=(700, 12), p=law / law.sum())
    rows[:, 1::2] = (rows[:, ::2] * 7 + 3) % 60
    names = ["".join(chr(97 + int(d)) for d in f"{i:04d}") for i in range(60)]
    return Corpus.of([" ".join(names[i] for i in row) + "." for row in rows]).split(rng=1)


def chain(share=0.0, seed=1, n_generations=2, n_tokens=3000, first=None, n_steps=120, **options):
    corpus, held = small()
    network = GPTConfig(n_words=corpus.n_words, context=13, width=32)
    return list(
        transformer_generations(
            corpus,
            held,
            n_generations,
            n_tokens=n_tokens,
            network=network,
            config=steps(n_steps, 16),
            real_fraction=share,
            n_chains=50,
            first=first,
            rng=seed,
            **options,
        )
    )


def test_perplexity_rises_and_real_text_stops_it():
    alone = chain(n_generations=3)
    real = chain(1.0, n_generations=3, first=alone[0])
    first = alone[0].perplexity
    assert alone[3].perplexity > alone[1].perplexity > 1.1 * first
    assert real[3].perplexity < 1.15 * first
    assert alone[3].perplexity > 1.3 * real[3].perplexity
    head = chain(n_generations=1, temperature=0.9, top_p=0.8, first=alone[0])
    assert head[1].n_types < 0.8 * alone[1].n_types  # the tail is cut


def test_training_text_is_what_it_says():
    corpus, _ = small()
    passages = {tuple(part) for part in np.split(corpus.tokens, np.flatnonzero(corpus.tokens == 0))}
    for share in (0.0, 0.5, 1.0):
        zero, one = chain(share, n_generations=1, n_steps=5)
        for text, n_real in ((zero.text, 3000), (one.text, round(3000 * share))):
            assert text.shape == (3000,)
            parts = np.split(text, np.flatnonzero(text == MARK))[1:]
            real = [tuple(part) in passages for part in parts]
            edge = n_real // 14  # a passage has 14 tokens
            assert all(real[:edge])
            assert not any(real[edge + 1 :])  # after 5 steps it writes no true sentence
        assert one.n_types == len(set(one.text.tolist()))


def test_chains_are_determined_by_their_seed():
    quick = {"n_tokens": 500, "n_steps": 10}
    one, two, other = (chain(0.3, seed, **quick) for seed in (1, 1, 2))
    assert [a.perplexity for a in one] == [b.perplexity for b in two]
    assert all((a.text == b.text).all() for a, b in zip(one, two, strict=True))
    assert one[2].perplexity != other[2].perplexity
    going = chain(0.3, 3, first=one[0], **quick)
    assert going[0] is one[0]
    assert len(going) == 3


def test_rare_words_become_one():
    corpus, _ = small()
    counts = np.bincount(corpus.tokens)
    common = corpus.common(20)
    assert common.words[:2] == ("<p>", RARE_WORD)
    assert common.n_words == 20
    assert list(common.words[2:]) == sorted(common.words[2:])
    kept = {corpus.words.index(word) for word in common.words[2:]}
    left = set(range(1, corpus.n_words)) - kept
    assert min(counts[list(kept)]) >= max(counts[list(left)])
    assert (common.tokens == 1).sum() == counts[list(left)].sum()
    for number, word in enumerate(common.words):
        if number != 1:
            old = corpus.tokens == corpus.words.index(word)
            assert (old == (common.tokens == number)).all()
    assert corpus.common(corpus.n_words) is corpus
    with pytest.raises(ValueError, match="n_words must be"):
        corpus.common(2)


# --- bad input --------------------------------------------------------------------------------


def begin(**change):
    corpus, held = small()
    arguments = {
        "held": held,
        "n_generations": 1,
        "n_tokens": 500,
        "network": GPTConfig(n_words=corpus.n_words, context=13, width=8),
        "config": steps(1),
        "rng": 1,
    }
    return next(transformer_generations(corpus, **{**arguments, **change}))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: perplexity(untrained(), [1]), ValueError, "tokens must be one row of at least 2"),
        (lambda: perplexity(untrained(), [[1, 2]]), ValueError, "tokens must be one row"),
        (lambda: perplexity(untrained(), [1, 11]), ValueError, r"in \[0, 10\], got 1 to 11"),
        (lambda: perplexity(untrained(), [-1, 1]), ValueError, r"in \[0, 10\], got -1 to 1"),
        (lambda: perplexity(untrained(), [0.5, 1]), TypeError, "tokens must be an array of int"),
        (lambda: perplexity(untrained(), [1, 2], batch_size=0), ValueError, "batch_size must be"),
        (lambda: text_batches([1, 2, 3], 3, 1, rng=1), ValueError, "row of at least 4 tokens"),
        (lambda: text_batches([1, 2, 3], 0, 1, rng=1), ValueError, "context must be"),
        (lambda: text_batches([1, 2, 3], 2, 0, rng=1), ValueError, "batch_size must be"),
        (lambda: text_batches([1, 2, 3], 2, 1, rng=None), TypeError, "rng must be"),
        (lambda: write_text(untrained(), -1, rng=1), ValueError, "n_tokens must be"),
        (lambda: write_text(untrained(), 9, n_chains=0, rng=1), ValueError, "n_chains must be"),
        (lambda: write_text(untrained(), 9, top_p=0.0, rng=1), ValueError, "top_p must be"),
        (lambda: write_text(untrained(), 9, temperature=-1, rng=1), ValueError, "temperature must"),
        (lambda: begin(n_generations=-1), ValueError, "n_generations must be"),
        (lambda: begin(n_tokens=13), ValueError, "n_tokens must be an integer >= 14"),
        (lambda: begin(n_tokens=10**6), ValueError, "n_tokens must be"),
        (lambda: begin(real_fraction=1.5), ValueError, "real_fraction must be"),
        (lambda: begin(held=small()[1].common(9)), ValueError, "held must have the vocabulary"),
        (
            lambda: begin(network=GPTConfig(n_words=9, context=13, width=8)),
            ValueError,
            "network must have the 62 words of corpus, got 9",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
