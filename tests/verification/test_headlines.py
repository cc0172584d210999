"""Docstrings, word tables, selectors and ROUGE-1, against counts by hand and exact laws.

Statistical tests bound z-scores at FALSE_ALARM each.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.special import expit

from fragile_learning.statistics import z_bound
from fragile_learning.verification import headlines
from fragile_learning.verification.headlines import (
    Headlines,
    Summaries,
    WordSelector,
    WordTable,
    collect_headlines,
    docstrings,
    mean_log_probability,
    rouge1,
    sample_summaries,
    summary_scores,
    top_summaries,
)

FALSE_ALARM = 1e-8

SOURCE = '''
"""Module."""
import sys
if sys:
    class A:
        """Class."""
        x = "no docstring"
        def f(self):
            r"""Method \\d."""
            def g():
                """Inner."""
        async def h(self):
            "Coroutine."
try:
    pass
except ValueError:
    def i():
        """Handler."""
else:
    def j():
        """Else."""
'''


# --- text -------------------------------------------------------------------------------------


def test_docstrings_of_all_definitions_in_order():
    found = list(docstrings(SOURCE))
    assert found == [
        "Module.",
        "Class.",
        "Method \\d.",
        "Inner.",
        "Coroutine.",
        "Handler.",
        "Else.",
    ]
    assert list(docstrings("def f(:")) == []
    assert list(docstrings("x = 1\0")) == []
    assert list(docstrings("def f():\n    '''A \\d escape.'''")) == ["A \\d escape."]  # no warning


def words(count, start=0):
    """Different words of letters."""
    letters = "abcdefghij"
    return " ".join(
        "".join(letters[int(d)] for d in f"{i:04d}") for i in range(start, start + count)
    )


def test_what_counts_as_a_headline():
    body = words(40)
    texts = [
        f"Four words are enough.\n\n{body}",
        f"Three words fail.\n\n{words(40, 100)}",
        f"{words(26, 300)}\n\n{words(40, 200)}",
        f"This body is short.\n\n{words(39, 400)}",
        f"Four words are enough!\n\n{words(40, 500)}",  # headline again
        f"The body comes again.\n\n{body}",
        "One word alone here.\n\n" + "same " * 60,
        f"No empty line at all. {words(60, 600)}",
        f"A b c long words count only.\n\nX {words(200, 700)}",
    ]
    found = Headlines.of(texts, "test")
    assert found.name == "test"
    assert found.headlines == (
        ("four", "words", "are", "enough"),
        ("long", "words", "count", "only"),
    )
    assert found.bodies[0] == tuple(body.split())
    assert found.bodies[1] == tuple(words(120, 700).split())  # cut, and x is too short
    assert len(found) == 2


def test_installed_packages_have_headlines():
    found = collect_headlines(("numpy",))
    assert found is collect_headlines(("numpy",))
    assert found.name.startswith(f"{len(found)} docstrings of numpy {np.__version__}")
    assert len(found) > 300
    assert len(set(found.headlines)) == len(set(found.bodies)) == len(found)
    assert all(4 <= len(headline) <= 25 for headline in found.headlines)
    assert all(40 <= len(body) <= 120 for body in found.bodies)
    text = np.polyfit.__doc__.strip()
    headline = tuple(headlines._words(text.partition("\n\n")[0]))
    assert found.bodies[found.headlines.index(headline)] == tuple(
        headlines._words(text.partition("\n\n")[2])[:120]
    )


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        ("a b c", "a b c", 1.0),
        ("a b c d", "e f", 0.0),
        ("the cat was found under the bed", "the cat was under the bed", 12 / 13),
        ("a a a", "a a b", 2 * 2 / 6),  # each as often as in both
        ("a b", "a c d e f g", 2 / 8),
        ("", "a", 0.0),
        ("", "", 0.0),
    ],
)
def test_rouge_by_hand(candidate, reference, expected):
    found = rouge1(candidate.split(), reference.split())
    assert found == pytest.approx(expected)
    assert rouge1(reference.split(), candidate.split()) == found
    with pytest.raises(TypeError, match="candidate must be a sequence of words"):
        rouge1(candidate, reference.split())


@pytest.mark.skipif(importlib.util.find_spec("rouge_score") is None, reason="needs rouge_score")
def test_rouge_is_that_of_the_usual_package():
    module = importlib.import_module("rouge_score.rouge_scorer")
    scorer = module.RougeScorer(["rouge1"])
    rng = np.random.default_rng(1)
    for _ in range(200):
        one, two = (rng.choice(list("abcdefgh"), rng.integers(1, 9)).tolist() for _ in range(2))
        expected = scorer.score(" ".join(two), " ".join(one))["rouge1"].fmeasure
        assert rouge1(one, two) == pytest.approx(expected)


# --- tables -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs():
    """Texts in which the headline has the words that start with a."""
    rng = np.random.default_rng(1)
    told = [f"a{x}{y}" for x, y in itertools.product("abcdefgh", repeat=2)]
    other = [f"z{x}{y}" for x, y in itertools.product("abcdefgh", repeat=2)]
    texts = []
    for i in range(60):
        head = rng.choice(told, 5, replace=False)
        body = rng.permutation([*head, *rng.choice(other, 45)])
        texts.append(" ".join(head) + f" {words(1, i)}\n\n" + " ".join(body))
    return Headlines.of(texts)


@pytest.fixture(scope="module")
def table(pairs):
    return WordTable.of(pairs, n_hashes=64)


def test_table_by_hand(pairs, table):
    assert table.n_texts == len(pairs) == 60
    for i in (0, 7, 59):
        body, headline = pairs.bodies[i], pairs.headlines[i]
        part = slice(*table.starts[i : i + 2])
        assert table.words[part] == tuple(dict.fromkeys(body))
        assert table.in_headline[part].tolist() == [w in headline for w in table.words[part]]
        assert table.headline_lengths[i] == len(headline)
        dense = table.features[part].toarray()
        for word, row in zip(table.words[part], dense, strict=True):
            place = body.index(word)
            assert row[:64].sum() == row[64:128].sum() == 1.0
            assert row[128:].tolist() == pytest.approx(
                [
                    math.log(1 + place) / math.log(120),
                    math.log(Counter(body)[word]),
                    len(word) / 10,
                    0.0,
                    1.0,
                ]
            )
            if place:
                before = table.words[part].index(body[place - 1])
                assert (row[64:128] == dense[before, :64]).all()
    rows = table.rows([7, 0])
    expected = [*range(table.starts[7], table.starts[8]), *range(table.starts[0], table.starts[1])]
    assert rows.tolist() == expected
    stop = WordTable.of(Headlines("", (("the", "cat"),), (("a",),)), n_hashes=4)
    assert stop.features.toarray()[:, -2].tolist() == [1.0, 0.0]


# --- selectors --------------------------------------------------------------------------------


def test_selectors_learn_what_a_headline_is(pairs):
    table = WordTable.of(pairs)  # with few collisions
    train, test = np.arange(40), np.arange(40, 60)
    selector = WordSelector.fit(table, train)
    best = top_summaries(selector, table, test, 5)
    scores = summary_scores(table, best)
    assert best.rows.shape == (20, 1, 5)
    assert scores.mean() > 0.8  # 10 / 11 at most
    rng = np.random.default_rng(1)
    chance = sample_summaries(WordSelector(0 * selector.weights), table, test, 1, 5, rng=rng)
    assert summary_scores(table, chance).mean() < 0.3  # negative control


def test_scores_are_rouge(pairs, table):
    selector = WordSelector(np.random.default_rng(2).normal(size=table.features.shape[1]))
    drawn = sample_summaries(selector, table, [3, 9, 3], 4, 6, rng=1)
    scores = summary_scores(table, drawn)
    for i, text in enumerate(drawn.texts):
        for j in range(4):
            chosen = [table.words[row] for row in drawn.rows[i, j]]
            assert len(set(chosen)) == 6
            assert set(chosen) <= set(pairs.bodies[text])
            assert scores[i, j] == pytest.approx(rouge1(chosen, pairs.headlines[text]))


def test_logits_are_those_of_the_texts_that_are_asked_for(table):
    selector = WordSelector(np.random.default_rng(2).normal(size=table.features.shape[1]))
    found = selector.logits(table, [9, 3, 9])
    for row, text in zip(found, [9, 3, 9], strict=True):
        expected = table.features[table.rows([text])].toarray() @ selector.weights
        np.testing.assert_allclose(row[: len(expected)], expected, atol=1e-12)
        assert (row[len(expected) :] == -np.inf).all()


def test_the_fit_is_a_stationary_point(table):
    rng = np.random.default_rng(3)
    texts = np.array([4, 8, 8, 15])  # one of them twice
    rows = np.stack([rng.choice(table.rows([i]), 3, replace=False) for i in texts])
    selector = WordSelector.fit(table, texts, rows, penalty=1e-3, max_iterations=2000)
    slope, total = 1e-3 * selector.weights, sum(len(table.rows([i])) for i in texts)
    for i, chosen in zip(texts, rows, strict=True):
        own = table.rows([i])
        design = table.features[own].toarray()
        error = expit(design @ selector.weights) - np.isin(own, chosen)
        slope = slope + design.T @ error / total
    assert np.abs(slope).max() < 1e-5
    assert np.abs(selector.weights).max() > 0.1


def test_samples_are_drawn_without_replacement():
    pairs = Headlines("", (("aa", "bb", "cc", "dd"),), (("aa",),))
    table = WordTable.of(pairs, n_hashes=64)
    weights = np.zeros(table.features.shape[1])
    logits = np.array([1.0, 0.0, -0.5, 0.3])
    for value, row in zip(logits, table.features.toarray(), strict=True):
        weights[np.flatnonzero(row[:64])] = value
    selector = WordSelector(weights)
    np.testing.assert_allclose(selector.logits(table, [0])[0], logits)
    drawn = sample_summaries(selector, table, [0], 100_000, 2, rng=4)
    counts = np.bincount(drawn.rows[0] @ [4, 1], minlength=16)
    chances = np.exp(logits) / np.exp(logits).sum()
    n_checks = 0
    for first, second in itertools.permutations(range(4), 2):
        expected = chances[first] * chances[second] / (1 - chances[first])
        z = (counts[4 * first + second] - 1e5 * expected) / math.sqrt(
            1e5 * expected * (1 - expected)
        )
        assert abs(z) < z_bound(FALSE_ALARM, 12)
        n_checks += counts[4 * first + second]
    assert n_checks == 100_000  # and never a word twice
    logs = mean_log_probability(selector, table, drawn)
    np.testing.assert_allclose(logs[0], np.log(chances)[drawn.rows[0]].mean(axis=1))
    order = np.argsort(-logits)
    assert top_summaries(selector, table, [0], 4).rows[0, 0].tolist() == order.tolist()


def test_seeds(table):
    selector = WordSelector.fit(table, np.arange(40))
    one, same, other = (
        sample_summaries(selector, table, [41, 42], 3, 4, rng=seed).rows for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (lambda t: docstrings(3).__next__(), TypeError, "source must be a string"),
        (lambda t: collect_headlines(()), ValueError, "at least one name"),
        (lambda t: collect_headlines("numpy"), TypeError, "packages must be a tuple"),
        (lambda t: collect_headlines(("no_such_one",)), ModuleNotFoundError, "'no_such_one'"),
        (lambda t: WordTable.of(Headlines("", (), ())), ValueError, "pairs must hold"),
        (lambda t: t.rows([60]), ValueError, r"texts must hold numbers in \[0, 59\]"),
        (lambda t: t.rows([0.0]), TypeError, "texts must be an array of integers"),
        (lambda t: t.rows([]), TypeError, "texts must be an array of integers"),
        (lambda t: t.rows([[0]]), ValueError, "texts must have one axis"),
        (lambda t: WordSelector.fit(t, [0], penalty=0.0), ValueError, "penalty"),
        (lambda t: WordSelector.fit(t, [0], [[t.starts[1]]]), ValueError, "of another body"),
        (lambda t: WordSelector.fit(t, [0], [[0], [1]]), ValueError, "rows must have the shape"),
        (lambda t: WordSelector.fit(t, [0], [[0.0]]), TypeError, "rows must be"),
        (lambda t: top_summaries(WordSelector(np.ones(3)), t, [0]), ValueError, "3 features"),
        (
            lambda t: top_summaries(WordSelector(np.ones(133)), t, [0], 99),
            ValueError,
            "n_words must be an integer >= 1",
        ),
        (
            lambda t: sample_summaries(WordSelector(np.ones(133)), t, [0], 0, rng=1),
            ValueError,
            "n_candidates",
        ),
        (
            lambda t: summary_scores(t, Summaries(np.array([1]), np.array([[[0]]]))),
            ValueError,
            "of another body",
        ),
    ],
)
def test_bad_input_is_named(table, work, error, message):
    with pytest.raises(error, match=message):
        work(table)
