"""Floors of the log-loss, the Markov chain and the grammar, against independent computations.

Statistical checks are held to a false-alarm probability of 1e-8 each.
"""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import rel_entr

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.strong_collapse.language import (
    END,
    Choice,
    Grammar,
    bigram_counts,
    bigram_model,
    entropy_rate,
    excess_log_loss,
    log_loss_floor,
    log_loss_floor_expansion,
    random_transitions,
    stationary_law,
    story_floor,
    story_grammar,
    story_mask,
)

FALSE_ALARM = 1e-8


# --- the floor --------------------------------------------------------------------------------


def test_floors_of_the_fact_sheet():
    real = [0.5, 0.3, 0.2, 0.0]
    assert log_loss_floor(real, [0.4, 0.25, 0.15, 0.2], 0.1) == pytest.approx(0.0202, abs=5e-5)
    assert log_loss_floor(real, [0.7, 0.3, 0.0, 0.0], 0.1) == pytest.approx(0.001462, abs=5e-7)
    assert log_loss_floor_expansion(real, [0.7, 0.3, 0.0, 0.0], 0.1) == pytest.approx(0.0014)
    assert log_loss_floor_expansion(real, [0.4, 0.25, 0.15, 0.2], 0.1) == math.inf


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.floats(0.01, 0.95))
def test_floor_is_the_minimum_over_all_predictions(seed, fraction):
    """Direct minimisation of the mixture's log-loss, then the excess of what it finds."""
    rng = np.random.default_rng(seed)
    real, synthetic = rng.dirichlet(np.ones(3), (2, 2))
    pi_real, pi_synthetic = rng.dirichlet(np.ones(2) * 3, 2)
    weights = (1 - fraction) * pi_real[:, None] * real + fraction * pi_synthetic[
        :, None
    ] * synthetic

    def loss(logits):
        logits = logits.reshape(2, 3)
        logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        slope = weights.sum(axis=1, keepdims=True) * np.exp(logs) - weights
        return -np.sum(weights * logs), slope.ravel()

    best = minimize(loss, np.zeros(6), jac=True, method="BFGS", options={"gtol": 1e-10})
    logits = best.x.reshape(2, 3)
    found = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    excess = pi_real @ rel_entr(real, found).sum(axis=1)
    floor = log_loss_floor(
        real, synthetic, fraction, real_contexts=pi_real, synthetic_contexts=pi_synthetic
    )
    assert floor == pytest.approx(excess, rel=1e-4, abs=1e-9)
    bound = pi_real @ np.log1p(fraction * pi_synthetic / ((1 - fraction) * pi_real))
    assert floor <= bound + 1e-12


def test_expansion_is_the_limit_and_needs_the_context_laws():
    rng = np.random.default_rng(1)
    real, synthetic = rng.dirichlet(np.full(5, 2.0), (2, 2))
    laws = {"real_contexts": [0.5, 0.5], "synthetic_contexts": [0.9, 0.1]}
    small = np.array([1e-2, 1e-4, 1e-6])
    ratio = log_loss_floor(real, synthetic, small, **laws) / log_loss_floor_expansion(
        real, synthetic, small, **laws
    )
    assert np.abs(ratio - 1)[-1] < 1e-5  # no loss of digits at an excess of 1e-13
    assert np.abs(ratio - 1)[1] < 0.05 * np.abs(ratio - 1)[0]
    common = log_loss_floor_expansion(real, synthetic, 1e-6)
    assert abs(common / log_loss_floor(real, synthetic, 1e-6, **laws) - 1) > 0.05  # control


def test_sheet_example_with_two_context_laws():
    """KL 1.384e-5, its expansion 1.426e-5, the common-law form 2.32e-5: same ratios of chi-squares.

    The sheet prints the three numbers, not the rows. With the common law the expansion is
    p^2 / 4 (a + b), with both laws p^2 / 2 (1.62 a + 0.02 b): two equations for the chi-squares.
    """
    p = 0.02
    a, b = np.linalg.solve([[0.5, 0.5], [1.62, 0.02]], [2.32e-5 * 2 / p**2, 1.426e-5 * 2 / p**2])
    # two words, even odds: chi-square t means probabilities 1/2 (1 +- sqrt(t))
    real = np.full((2, 2), 0.5)
    root = np.sqrt([a, b])
    synthetic = 0.5 + 0.5 * np.stack([root, -root], axis=1)
    laws = {"real_contexts": [0.5, 0.5], "synthetic_contexts": [0.9, 0.1]}
    assert log_loss_floor_expansion(real, synthetic, p, **laws) == pytest.approx(1.426e-5)
    assert log_loss_floor_expansion(real, synthetic, p) == pytest.approx(2.32e-5)
    assert log_loss_floor(real, synthetic, p, **laws) == pytest.approx(1.384e-5, rel=0.01)


def test_floor_at_the_ends():
    real, synthetic = [[0.5, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.5, 0.5]]
    assert log_loss_floor(real, synthetic, [0.0, 1.0]).tolist() == [0.0, math.inf]
    assert log_loss_floor(real, real, [0.0, 0.3, 1.0]).tolist() == [0.0, 0.0, 0.0]
    # a context never seen in training matters if the real source visits it, and only then
    assert log_loss_floor(real, real, 1.0, synthetic_contexts=[1.0, 0.0]) == math.inf
    only = {"real_contexts": [1.0, 0.0], "synthetic_contexts": [0.5, 0.5]}
    assert log_loss_floor(real, real, 1.0, **only) == 0.0
    assert log_loss_floor_expansion(real, synthetic, 0.5, **only) == pytest.approx(0.03125)
    assert np.shape(log_loss_floor([1.0], [1.0], np.zeros((2, 3)))) == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, 0.6], [0.5, 0.5], 0.1), "real must sum to 1"),
        (([0.5, 0.5], [1.5, -0.5], 0.1), "synthetic must be"),
        (([0.5, 0.5], [1.0], 0.1), "shape of real"),
        (
            ([0.5, 0.5], [0.5, 0.5], 1.1),
            "synthetic_fraction must be finite and >= 0 and <= 1",
        ),
        (([[[1.0]]], [[[1.0]]], 0.1), "dimension"),
    ],
)
def test_floor_refuses(arguments, message):
    for function in (log_loss_floor, log_loss_floor_expansion):
        with pytest.raises(ValueError, match=message):
            function(*arguments)


def test_floor_refuses_context_laws_of_another_size():
    with pytest.raises(ValueError, match="synthetic_contexts must have 1 entries"):
        log_loss_floor([0.5, 0.5], [0.5, 0.5], 0.1, synthetic_contexts=[0.5, 0.5])


# --- the Markov chain -------------------------------------------------------------------------


def test_stationary_law_and_entropy_by_powers():
    matrix = random_transitions(12, rng=3)
    law = stationary_law(matrix)
    np.testing.assert_allclose(np.linalg.matrix_power(matrix, 4000)[5], law, atol=1e-12)
    # entropy rate: what one more word adds to the entropy of two
    pairs = law[:, None] * matrix
    triples = pairs[:, :, None] * matrix
    entropy = [-np.sum(p[p > 0] * np.log(p[p > 0])) for p in (pairs, triples)]
    assert entropy_rate(matrix) == pytest.approx(entropy[1] - entropy[0])


def test_chain_with_two_stationary_laws_is_refused():
    with pytest.raises(ValueError, match="one stationary law"):
        stationary_law(np.eye(2))


def plain_chain(matrix, start, steps, rng):
    state = rng.choice(len(matrix), p=start)
    counts = np.zeros_like(matrix)
    for _ in range(steps):
        following = rng.choice(len(matrix), p=matrix[state])
        counts[state, following] += 1
        state = following
    return counts


@pytest.mark.parametrize("lengths", [(20,), (9, 8, 8)])
def test_counts_have_the_law_of_a_plain_loop(lengths):
    """Means and second moments: the latter tell a chain from independent pairs."""
    matrix = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.5, 0.0, 0.5]])
    law = stationary_law(matrix)
    rng = np.random.default_rng(5)
    total, longest = sum(lengths), max(lengths)
    fast = np.array(
        [bigram_counts(matrix, total, chain_length=longest, rng=rng) for _ in range(4000)]
    )
    slow = np.array([sum(plain_chain(matrix, law, n, rng) for n in lengths) for _ in range(4000)])
    assert (fast.sum(axis=(1, 2)) == total).all()
    assert (fast[:, matrix == 0.0] == 0).all()
    bound = z_bound(FALSE_ALARM, 12)
    for i, j in zip(*np.nonzero(matrix), strict=True):
        assert abs(check_mean(fast[:, i, j], total * law[i] * matrix[i, j]).z) < bound
        squares = [counts[:, i, j].astype(float) ** 2 for counts in (fast, slow)]
        assert abs(check_mean(squares[0] - squares[1], 0.0).z) < bound
    independent = rng.multinomial(total, (law[:, None] * matrix).ravel(), 4000)[:, 0] ** 2
    assert abs(check_mean(independent - slow[:, 0, 0] ** 2, 0.0).z) > bound  # negative control


@pytest.mark.parametrize("n_tokens", [0, 1, 63, 64, 65, 1000])
def test_as_many_pairs_as_asked_for(n_tokens):
    assert bigram_counts(random_transitions(4, rng=1), n_tokens, rng=2).sum() == n_tokens


def test_excess_of_a_bigram_model():
    matrix = random_transitions(6, rng=1)
    model = bigram_model(bigram_counts(matrix, 500, rng=2))
    direct = stationary_law(matrix) @ rel_entr(matrix, model).sum(axis=1)
    assert excess_log_loss(matrix, model) == pytest.approx(direct)
    assert excess_log_loss(matrix, matrix) == 0.0
    with pytest.raises(ValueError, match="added"):
        bigram_model([[1.0]], 0.0)
    with pytest.raises(ValueError, match="transitions must be square"):
        entropy_rate(np.full((2, 3), 1 / 3))


# --- the grammar ------------------------------------------------------------------------------


def small_grammar():
    """Everything at once: dependence, repetition, a child before its parent, unequal lengths."""
    pet = Choice("pet", ("cat", "dog", "cow"), [3, 1, 1])
    size = Choice("size", ("big", "small"), [[1, 3], [1, 1], [1, 0]], "pet")
    sound = Choice("sound", ("meow", "woof"), [[4, 1], [0, 2], [1, 1]], "pet")
    mood = Choice("mood", ("glad", "sad"), [[1, 2], [3, 1]], "sound")
    scenes = (
        ((2.0, "a {size} {pet} came"), (1.0, "the {pet} came")),
        ((1.0, "it said {sound} {sound} ."), (3.0, "and {pet} said {sound} .")),
        ((1.0, "I am {mood}"), (1.5, "{sound} !"), (0.5, "end .")),
    )
    return Grammar((pet, size, sound, mood), scenes)


def every_story(grammar):
    """All stories and their probabilities, by brute force on the definition's own text."""
    table = {}
    by_name = {choice.name: choice for choice in grammar.choices}
    for sentences in itertools.product(*grammar.scenes):
        text = " ".join(sentence for _, sentence in sentences)
        mentioned = set(re.findall(r"\{(\w+)\}", text))
        chosen = [choice for choice in grammar.choices if choice.name in mentioned]
        plot = math.prod(
            weight / sum(w for w, _ in scene)
            for (weight, _), scene in zip(sentences, grammar.scenes, strict=True)
        )
        for words in itertools.product(*(choice.words for choice in chosen)):
            value = {choice.name: word for choice, word in zip(chosen, words, strict=True)}
            chance = plot
            for choice in chosen:
                row = 0
                if choice.parent:
                    row = by_name[choice.parent].words.index(value[choice.parent])
                chance *= choice.weights[row, choice.words.index(value[choice.name])]
            if chance > 0:
                story = text.format(**value)
                table[story] = table.get(story, 0.0) + chance
    return table


def encode(grammar, texts, width):
    rows = np.full((len(texts), width), END)
    for row, text in zip(rows, texts, strict=True):
        tokens = [grammar.words.index(word) for word in text.split()]
        row[: len(tokens)] = tokens
    return rows


def test_probabilities_and_entropy_by_enumeration():
    grammar = small_grammar()
    table = every_story(grammar)
    assert sum(table.values()) == pytest.approx(1.0)
    chances = np.array(list(table.values()))
    stories = encode(grammar, list(table), grammar.max_length + 2)
    np.testing.assert_allclose(np.exp(grammar.log_probability(stories)), chances, rtol=1e-12)
    assert grammar.entropy == pytest.approx(-np.sum(chances * np.log(chances)))
    lengths = story_mask(stories).sum(axis=1)
    assert grammar.mean_length == pytest.approx(lengths @ chances)
    assert grammar.max_length == lengths.max()


def test_samples_follow_the_enumerated_law():
    grammar = small_grammar()
    table = every_story(grammar)
    count = 100_000
    drawn = [grammar.text(story) for story in grammar.sample(count, rng=4)]
    texts, counts = np.unique(drawn, return_counts=True)
    assert set(texts) <= set(table)
    chances = np.array([table[text] for text in texts])
    z = (counts - count * chances) / np.sqrt(count * chances * (1 - chances))
    common = count * chances > 100  # where the count is close to normal
    assert common.sum() > 20
    assert np.abs(z[common]).max() < z_bound(FALSE_ALARM, int(common.sum()))


def test_what_the_grammar_cannot_say():
    grammar = small_grammar()
    good = "a small cat came and cat said meow . I am sad"
    bad = [
        "a small cow came and cow said meow . I am sad",  # this cow is big, always
        "a small cat came and dog said meow . I am sad",  # another pet
        "the dog came it said woof meow . I am sad",  # another sound
        "the dog came it said woof woof . woof",  # ends too early
        "the dog came it said woof woof . woof ! !",  # goes on
        "the dog came",
        "I I I",
        "",
    ]
    logs = grammar.log_probability(encode(grammar, [good, *bad], 16))
    assert np.isfinite(logs[0])
    assert (logs[1:] == -np.inf).all()
    cut = encode(grammar, [good], 16)[:, : len(good.split())]
    assert grammar.log_probability(cut)[0] == -np.inf  # no end token: not a whole story
    after = encode(grammar, [good], 16)
    after[0, -1] = 3  # words after the end
    assert grammar.log_probability(after)[0] == -np.inf


def test_book_grammar_entropy_by_monte_carlo():
    grammar = story_grammar()
    stories = grammar.sample(100_000, rng=6)
    cost = -grammar.log_probability(stories)
    assert np.isfinite(cost).all()
    check = check_mean(cost, grammar.entropy)
    assert check.relative_error < 1e-3
    assert abs(check.z) < z_bound(FALSE_ALARM)
    lengths = check_mean(story_mask(stories).sum(axis=1), grammar.mean_length)
    assert abs(lengths.z) < z_bound(FALSE_ALARM)
    other = check_mean(-grammar.log_probability(stories), story_grammar(1).entropy)
    assert abs(other.z) > z_bound(FALSE_ALARM)  # negative control


def test_stories_repeat_the_hero():
    """Long range: in the last scene only the hero of the first can be happy."""
    grammar = story_grammar()
    stories = grammar.sample(2000, rng=8)
    changed = stories.copy()
    names = [i for i, word in enumerate(grammar.words) if word in ("Amy", "Leo")]
    was = grammar.words.index("was")
    last = [int(np.flatnonzero(row == was)[-1]) if (row == was).any() else -1 for row in stories]
    rows = [i for i, j in enumerate(last) if j > 9]
    assert len(rows) > 500
    for i in rows:
        changed[i, last[i] - 1] = names[int(stories[i, last[i] - 1] == names[0])]
    assert (grammar.log_probability(changed[rows]) == -np.inf).all()


PET = Choice("pet", ("cat", "dog"), [1, 1])
SOUND = Choice("sound", ("meow", "woof"), [[1, 0], [0, 1]], "pet")


@pytest.mark.parametrize(
    ("choices", "scenes", "message"),
    [
        ((PET,), (((1, "a {pet}"), (1, "a cat")),), "could be the same words"),
        ((PET,), (((1, "a"), (1, "a b")),), "could be the same words"),
        ((PET,), (((1, "a {pet}"), (1, "b")), ((1, "{pet}"),)), "in all of its sentences"),
        ((PET, SOUND), (((1, "{sound}"),),), "parent 'pet'"),
        ((SOUND, PET), (((1, "{pet} {sound}"),),), "after its parent"),
        ((PET, PET), (((1, "{pet}"),),), "different names"),
        ((PET,), (((1, "{dog}"),),), "unknown choice"),
        ((PET,), (((0.0, "{pet}"),),), "weight in scene 0"),
        ((PET,), (), "at least one sentence"),
        ((PET, Choice("x", ("a",), [[1]], "pet")), (((1, "{pet} {x}"),),), "a row for each word"),
    ],
)
def test_grammar_refuses(choices, scenes, message):
    with pytest.raises(ValueError, match=message):
        Grammar(choices, scenes)


def test_choice_refuses():
    with pytest.raises(ValueError, match="must differ"):
        Choice("pet", ("cat", "cat"), [1, 1])
    with pytest.raises(ValueError, match="no row of zeros"):
        Choice("pet", ("cat", "dog"), [0, 0])
    with pytest.raises(ValueError, match="identifier"):
        Choice("a pet", ("cat",), [1])


def test_tokens_are_checked():
    grammar = small_grammar()
    with pytest.raises(ValueError, match="stories must hold tokens"):
        grammar.log_probability([[grammar.n_words]])
    with pytest.raises(TypeError, match="stories must be integers"):
        grammar.log_probability([[0.5]])


# --- whole stories ----------------------------------------------------------------------------


def test_story_floor_is_the_floor_with_stories_for_words():
    rng = np.random.default_rng(2)
    real, synthetic = rng.dirichlet(np.ones(50), 2)
    fractions = [0.0, 0.01, 0.5, 0.99, 1.0]
    cost = story_floor(np.log(real), np.log(synthetic), fractions)
    np.testing.assert_allclose(cost @ real, log_loss_floor(real, synthetic, fractions), atol=1e-14)
    assert (cost[:4].max(axis=1) <= -np.log1p(-np.array(fractions[:4])) + 1e-12).all()


def test_story_floor_is_the_token_floor_summed_over_contexts():
    """Two-word stories: chain rule, with each first word's probability as the context law."""
    rng = np.random.default_rng(3)
    real, synthetic = rng.dirichlet(np.ones(12), 2).reshape(2, 3, 4)
    whole = log_loss_floor(real.ravel(), synthetic.ravel(), 0.3)
    first = log_loss_floor(real.sum(axis=1), synthetic.sum(axis=1), 0.3)
    second = log_loss_floor(
        real / real.sum(axis=1, keepdims=True),
        synthetic / synthetic.sum(axis=1, keepdims=True),
        0.3,
        real_contexts=real.sum(axis=1),
        synthetic_contexts=synthetic.sum(axis=1),
    )
    assert whole == pytest.approx(first + second)


def test_story_floor_refuses():
    with pytest.raises(ValueError, match="log-probabilities"):
        story_floor([-1.0], [np.nan], 0.5)
    with pytest.raises(ValueError, match="shape of real"):
        story_floor([-1.0], [-1.0, -2.0], 0.5)
