"""Language models on a mixture: floor of the log-loss, a Markov chain, a grammar of stories.

Both languages have probabilities that are known exactly, so that the excess log-loss of a model,
its cross-entropy minus the entropy of the language, is measured without an unknown constant. The
paper trains GPT-2 on stories written by a larger model, of which nobody knows the entropy.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_array, real_number, whole_number

__all__ = [
    "END",
    "Choice",
    "Grammar",
    "bigram_counts",
    "bigram_model",
    "entropy_rate",
    "excess_log_loss",
    "log_loss_floor",
    "log_loss_floor_expansion",
    "random_transitions",
    "stationary_law",
    "story_floor",
    "story_grammar",
    "story_mask",
]

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]
Rng = np.random.Generator | np.random.SeedSequence | int

END = 0  # the token that ends a story, and fills the rest of its row
_TOLERANCE = 1e-9


# --- the floor --------------------------------------------------------------------------------


def _laws(name: str, value: ArrayLike, ndim: tuple[int, ...] = (1, 2)) -> Array:
    """Probabilities along the last axis, as (contexts, words) where two axes are allowed."""
    laws = real_array(name, value, minimum=0.0)
    if laws.ndim not in ndim or laws.size == 0:
        raise ValueError(f"{name} must have {ndim} dimension(s), none empty, got {laws.shape}")
    sums = laws.sum(axis=-1)
    if np.abs(sums - 1.0).max() > _TOLERANCE:
        raise ValueError(f"{name} must sum to 1 along its last axis, got {np.ravel(sums)}")
    return np.atleast_2d(laws) if 2 in ndim else laws


def _fractions(value: ArrayLike) -> Array:
    return real_array("synthetic_fraction", value, minimum=0.0, maximum=1.0)


def _sources(
    real: ArrayLike,
    synthetic: ArrayLike,
    real_contexts: ArrayLike | None,
    synthetic_contexts: ArrayLike | None,
) -> tuple[Array, Array, Array, Array]:
    """Check both laws; the contexts that the real source never visits are left out."""
    first, second = _laws("real", real), _laws("synthetic", synthetic)
    if first.shape != second.shape:
        raise ValueError(f"synthetic must have the shape of real {first.shape}, got {second.shape}")
    count = len(first)
    default = np.full(count, 1.0 / count) if real_contexts is None else real_contexts
    visits = _laws("real_contexts", default, (1,))
    others = (
        visits
        if synthetic_contexts is None
        else _laws("synthetic_contexts", synthetic_contexts, (1,))
    )
    for name, law in (("real_contexts", visits), ("synthetic_contexts", others)):
        if law.size != count:
            raise ValueError(f"{name} must have {count} entries, one a context, got {law.size}")
    kept = visits > 0.0
    return first[kept], second[kept], visits[kept], others[kept]


def log_loss_floor(
    real: ArrayLike,
    synthetic: ArrayLike,
    synthetic_fraction: ArrayLike,
    *,
    real_contexts: ArrayLike | None = None,
    synthetic_contexts: ArrayLike | None = None,
) -> Any:
    r"""Excess log-loss that is left with infinitely many samples of a mixture.

    After a context ``c`` the best prediction for the mixture is
    :math:`Q(\cdot|c)\propto p_1\pi_1(c)P_1(\cdot|c)+p_2\pi_2(c)P_2(\cdot|c)`. On real text it costs

    .. math:: \sum_c \pi_1(c)\, \mathrm{KL}\big(P_1(\cdot|c)\,\|\,Q(\cdot|c)\big).

    Parameters
    ----------
    real, synthetic : array_like, shape (n_contexts, n_words) or (n_words,)
        :math:`P_1` and :math:`P_2`: probabilities of the next word; one context if of one axis.
    synthetic_fraction : array_like
        :math:`p_2` in [0, 1], of any shape.
    real_contexts : array_like, shape (n_contexts,), optional
        :math:`\pi_1`: how often the real source visits a context; uniform by default.
    synthetic_contexts : array_like, shape (n_contexts,), optional
        :math:`\pi_2`; default: as the real source.

    Returns
    -------
    float or ndarray
        In nats a token, of the shape of ``synthetic_fraction``. For :math:`p_2<1` always finite: it
        is at most :math:`\sum_c\pi_1\log(1+p_2\pi_2/(p_1\pi_1))`, which is :math:`-\log p_1` for a
        common context law. At :math:`p_2=1` it is ``inf`` if the synthetic source lacks a word that
        the real one uses, or never visits one of its contexts.

    Raises
    ------
    TypeError, ValueError
        If a law is negative or does not sum to 1, shapes differ, or a fraction is outside [0, 1].

    Notes
    -----
    Exact. Computed without cancellation, so that it keeps its relative precision at tiny fractions.

    References
    ----------
    Derived here: the log-loss analogue of the floor of Dohmatob, Feng, Subramonian, Kempe, 2025.

    Examples
    --------
    The synthetic source makes up a word, or forgets one:

    >>> real = [0.5, 0.3, 0.2, 0.0]
    >>> round(log_loss_floor(real, [0.4, 0.25, 0.15, 0.2], 0.1), 4)
    0.0202
    >>> round(log_loss_floor(real, [0.7, 0.3, 0.0, 0.0], 0.1), 6)
    0.001462
    """
    first, second, visits, others = _sources(real, synthetic, real_contexts, synthetic_contexts)
    fraction = _fractions(synthetic_fraction)
    weight = fraction[..., None] * others  # (..., contexts)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = weight / (weight + (1.0 - fraction[..., None]) * visits)
        relative = weight[..., None] * (np.where(first > 0.0, second / first, 1.0) - 1.0)
        # KL = sum P (r - log(1 + r)) + Q where P is 0, for r = Q / P - 1: no negative terms
        divergence = np.sum(first * (relative - np.log1p(relative)), axis=-1)
    divergence = divergence + weight * np.sum(second * (first == 0.0), axis=-1)
    divergence = np.where(np.isnan(weight), np.inf, divergence)  # a context never seen
    floor = divergence @ visits
    return float(floor) if floor.ndim == 0 else floor


def log_loss_floor_expansion(
    real: ArrayLike,
    synthetic: ArrayLike,
    synthetic_fraction: ArrayLike,
    *,
    real_contexts: ArrayLike | None = None,
    synthetic_contexts: ArrayLike | None = None,
) -> Any:
    r"""`log_loss_floor` at small synthetic fractions: a square law, as for the squared loss.

    .. math:: \frac{p_2^2}{2}\sum_c \frac{\pi_2(c)^2}{\pi_1(c)}
        \,\chi^2\big(P_2(\cdot|c)\,\|\,P_1(\cdot|c)\big)

    Parameters
    ----------
    real, synthetic, synthetic_fraction, real_contexts, synthetic_contexts
        As in `log_loss_floor`.

    Returns
    -------
    float or ndarray
        In nats a token. ``inf`` for :math:`p_2>0` if the synthetic source uses a word where the
        real one never does: the floor is then linear in :math:`p_2`, not square.

    Raises
    ------
    TypeError, ValueError
        As in `log_loss_floor`.

    Notes
    -----
    Leading order only; correct as :math:`p_2\pi_2P_2/(\pi_1P_1)\to0` everywhere.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(log_loss_floor_expansion([0.5, 0.3, 0.2], [0.7, 0.3, 0.0], 0.1), 6)
    0.0014
    """
    first, second, visits, others = _sources(real, synthetic, real_contexts, synthetic_contexts)
    fraction = _fractions(synthetic_fraction)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where((first == 0.0) & (second == 0.0), 0.0, (second - first) ** 2 / first)
    weights = others**2 / visits
    chi_square = float(np.sum(np.where(weights > 0.0, terms.sum(axis=1), 0.0) * weights))
    expansion = np.where(fraction > 0.0, chi_square, 0.0) * fraction**2 / 2.0
    return float(expansion) if expansion.ndim == 0 else expansion


def story_floor(
    real: ArrayLike, synthetic: ArrayLike, synthetic_fraction: ArrayLike
) -> NDArray[np.float64]:
    r"""Cost of each real story under the best model of a mixture of whole stories.

    Whole stories are mixed, so that the best model of the mixture is
    :math:`Q(s)=p_1P_1(s)+p_2P_2(s)` for a story ``s``; it may tell from the beginning of a story
    which source wrote it. Its excess log-loss is the mean of :math:`\log P_1(s)-\log Q(s)` over
    real stories, an unbiased estimate of :math:`\mathrm{KL}(P_1\|Q)\le-\log p_1`. (The prediction
    of the next word by :math:`Q` is the mixture of `log_loss_floor`, where the context is all that
    was read of the story and :math:`\pi_i` its probability under the source.)

    Parameters
    ----------
    real, synthetic : array_like, shape (n_stories,)
        Log-probabilities of real stories under both sources, in nats; ``synthetic`` may be -inf.
    synthetic_fraction : array_like
        In [0, 1].

    Returns
    -------
    ndarray, shape of ``synthetic_fraction`` and then n_stories
        In nats a story; ``inf`` only at fraction 1, for stories that the synthetic source lacks.

    Raises
    ------
    TypeError, ValueError
        If shapes differ, or a value is out of range.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> cost = story_floor([-20.0, -21.0], [-20.0, -float("inf")], [0.0, 0.5])
    >>> cost.round(6).tolist()
    [[0.0, 0.0], [0.0, 0.693147]]
    """
    truth = real_array("real", real, ndim=1)
    other = np.asarray(synthetic, dtype=np.float64)
    if other.shape != truth.shape or np.isnan(other).any() or (other == np.inf).any():
        raise ValueError(
            f"synthetic must have the shape of real {truth.shape} and hold log-probabilities, "
            f"got {other!r}"
        )
    fraction = _fractions(synthetic_fraction)[..., None]
    with np.errstate(divide="ignore"):
        return np.asarray(-np.logaddexp(np.log1p(-fraction), np.log(fraction) + other - truth))


# --- a Markov chain ---------------------------------------------------------------------------


def random_transitions(
    n_words: int, concentration: float = 0.3, *, rng: Rng
) -> NDArray[np.float64]:
    """Draw a Markov chain: probabilities of the next word, each row from a Dirichlet law.

    Parameters
    ----------
    n_words : int
        >= 2.
    concentration : float
        > 0; small: few words follow a word.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_words, n_words)
        Rows sum to 1.

    Examples
    --------
    >>> chain = random_transitions(5, rng=0)
    >>> chain.shape, bool(np.allclose(chain.sum(axis=1), 1.0))
    ((5, 5), True)
    """
    size = whole_number("n_words", n_words, minimum=2)
    alpha = real_number("concentration", concentration, minimum=0.0, open_minimum=True)
    return as_generator(rng).dirichlet(np.full(size, alpha), size=size)


def _transitions(value: ArrayLike) -> Array:
    matrix = _laws("transitions", value, (2,))
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"transitions must be square, got shape {matrix.shape}")
    return matrix


def stationary_law(transitions: ArrayLike) -> NDArray[np.float64]:
    """How often a Markov chain visits each word.

    Parameters
    ----------
    transitions : array_like, shape (n_words, n_words)
        Rows sum to 1.

    Returns
    -------
    ndarray, shape (n_words,)

    Raises
    ------
    TypeError, ValueError
        If the rows are no laws, or the chain has several stationary laws.

    Examples
    --------
    >>> stationary_law([[0.5, 0.5], [0.25, 0.75]]).round(4).tolist()
    [0.3333, 0.6667]
    """
    matrix = _transitions(transitions)
    size = len(matrix)
    equations = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    law, _, rank, _ = np.linalg.lstsq(equations, np.append(np.zeros(size), 1.0), rcond=1e-12)
    if rank < size:
        raise ValueError("transitions must have one stationary law, got a chain with several")
    law = np.maximum(law, 0.0)
    return np.asarray(law / law.sum())


def _visited(matrix: Array) -> tuple[Array, Array]:
    return matrix, stationary_law(matrix)


def entropy_rate(transitions: ArrayLike) -> float:
    """Entropy of the next word of a stationary Markov chain, in nats.

    Parameters
    ----------
    transitions : array_like, shape (n_words, n_words)

    Examples
    --------
    >>> round(entropy_rate([[0.5, 0.5], [0.5, 0.5]]), 6)  # log 2
    0.693147
    """
    matrix, visits = _visited(_transitions(transitions))
    logs = np.log(matrix, out=np.zeros_like(matrix), where=matrix > 0.0)
    return float(-visits @ np.sum(matrix * logs, axis=1))


def bigram_counts(
    transitions: ArrayLike, n_tokens: int, *, chain_length: int = 64, rng: Rng
) -> NDArray[np.int64]:
    r"""Count the pairs of neighbours in text of a Markov chain; a bigram model needs nothing else.

    The text is many independent pieces, each begun in the stationary law and all extended by a
    word at a time together. Only how many pieces stand at each word is kept: where they go next is
    a multinomial draw for each word.

    Parameters
    ----------
    transitions : array_like, shape (n_words, n_words)
    n_tokens : int
        Pairs counted in all, >= 0.
    chain_length : int
        Most pairs in a piece, >= 1; pieces differ in length by one at most.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_words, n_words)
        Row: first word; sums to ``n_tokens``.

    Notes
    -----
    Exact: no pair is drawn as if independent of its neighbours. Time
    :math:`O(\text{chain\_length}\cdot\text{n\_words}^2)`, whatever ``n_tokens``.

    Examples
    --------
    >>> counts = bigram_counts([[0.5, 0.5], [0.25, 0.75]], 10**9, rng=1)
    >>> int(counts.sum()), (counts[:, 0] / counts.sum(axis=1)).round(4).tolist()
    (1000000000, [0.5, 0.25])
    """
    matrix = _transitions(transitions)
    total = whole_number("n_tokens", n_tokens, minimum=0)
    longest = whole_number("chain_length", chain_length)
    generator = as_generator(rng)
    counts = np.zeros(matrix.shape, dtype=np.int64)
    pieces = -(-total // longest)
    if pieces == 0:
        return counts
    length, longer = divmod(total, pieces)
    standing = generator.multinomial(pieces, stationary_law(matrix))
    for _ in range(length):
        moves = generator.multinomial(standing, matrix)
        counts += moves
        standing = moves.sum(axis=0)
    kept = generator.multivariate_hypergeometric(standing, longer, method="marginals")
    return np.asarray(counts + generator.multinomial(kept, matrix))


def bigram_model(counts: ArrayLike, added: float = 0.05) -> NDArray[np.float64]:
    """Estimate the probabilities of the next word from counts of pairs, a constant added to each.

    Parameters
    ----------
    counts : array_like, shape (n_words, n_words)
        >= 0.
    added : float
        > 0, so that no probability is 0.

    Examples
    --------
    >>> bigram_model([[3, 1], [0, 0]], 1.0).round(3).tolist()
    [[0.667, 0.333], [0.5, 0.5]]
    """
    smooth = real_array("counts", counts, ndim=2, minimum=0.0)
    smooth += real_number("added", added, minimum=0.0, open_minimum=True)
    return np.asarray(smooth / smooth.sum(axis=1, keepdims=True))


def excess_log_loss(transitions: ArrayLike, model: ArrayLike) -> float:
    r"""Exact log-loss of a bigram model on a Markov chain, minus the entropy rate.

    Parameters
    ----------
    transitions, model : array_like, shape (n_words, n_words)
        The truth and the model.

    Returns
    -------
    float
        :math:`\sum_c\pi(c)\,\mathrm{KL}(P(\cdot|c)\|Q(\cdot|c))` in nats a token; ``inf`` if the
        model excludes a pair that occurs.

    Examples
    --------
    >>> round(excess_log_loss([[0.5, 0.5], [0.5, 0.5]], [[0.25, 0.75], [0.5, 0.5]]), 6)
    0.07192
    """
    matrix, visits = _visited(_transitions(transitions))
    return float(log_loss_floor(matrix, _transitions(model), 1.0, real_contexts=visits))


# --- a grammar of stories ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Choice:
    """A word that is drawn once in a story, and repeated wherever the story mentions it.

    Attributes
    ----------
    name : str
        A sentence mentions it as ``{name}``.
    words : tuple of str
        None twice.
    weights : array_like, shape (n_words,) or (n_parent_words, n_words)
        >= 0, in proportion to the probabilities; a row for each word of the parent, if any.
    parent : str, optional
        Name of the choice that this one depends on.

    Examples
    --------
    >>> animal = Choice("animal", ("cat", "dog"), [3, 1])
    >>> sound = Choice("sound", ("purrs", "barks"), [[1, 0], [0, 1]], parent="animal")
    >>> sound.weights.tolist()  # a cat always purrs
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name: str
    words: tuple[str, ...]
    weights: Any
    parent: str | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name must be an identifier, got {self.name!r}")
        if not self.words or len(set(self.words)) != len(self.words):
            raise ValueError(f"words of {self.name!r} must differ, got {self.words!r}")
        rows = real_array(
            f"weights of {self.name!r}",
            self.weights,
            ndim=1 if self.parent is None else 2,
            minimum=0.0,
        )
        rows = np.atleast_2d(rows)
        if rows.shape[1] != len(self.words) or rows.sum(axis=1).min(initial=1.0) <= 0.0:
            raise ValueError(
                f"weights of {self.name!r} must have {len(self.words)} entries a row and no row "
                f"of zeros, got shape {rows.shape}"
            )
        object.__setattr__(self, "weights", rows / rows.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class _Sentence:
    """A sentence in numbers: what it draws, and where; what it must then read."""

    probability: float
    items: tuple[tuple[bool, int], ...]  # (is a choice, its index or the word's token)
    drawn: tuple[tuple[int, int], ...]  # (choice, place of its first mention), parents first


def _possible(item: tuple[bool, int], tokens: tuple[Tokens, ...]) -> set[int]:
    is_choice, index = item
    return set(tokens[index].tolist()) if is_choice else {index}


@dataclass(frozen=True, eq=False)
class Grammar:
    """Stories of a fixed number of scenes, each one of several sentences.

    A choice is drawn where a story mentions it first. No story can come about in two ways: any two
    sentences of a scene differ for certain in some place, so that the sentences, and then the
    choices, can be read off the words. Probabilities are exact for that reason.

    Attributes
    ----------
    choices : tuple of Choice
        Parents before their children.
    scenes : tuple of tuple of (float, str)
        For each scene its sentences with their weights > 0; the words of a sentence are separated
        by blanks, and ``{name}`` mentions a choice. A choice mentioned in several scenes is drawn
        in all sentences of the first of them.
    words : tuple of str
        The vocabulary; the index is the token. Token 0 (`END`) ends each story.

    Raises
    ------
    TypeError, ValueError
        If two sentences of a scene could be confused, a sentence mentions a choice that may or may
        not have been drawn, or a name is not known.

    Examples
    --------
    >>> pet = Choice("pet", ("cat", "dog"), [3, 1])
    >>> sound = Choice("sound", ("meow", "woof", "hello"), [[1, 0, 1], [0, 1, 0]], "pet")
    >>> grammar = Grammar(
    ...     (pet, sound), (((1, "a {pet} came ."),), ((1, "the {pet} said {sound} ."),))
    ... )
    >>> story = grammar.sample(1, rng=5)
    >>> grammar.text(story[0])
    'a dog came . the dog said woof .'
    >>> float(np.exp(grammar.log_probability(story)[0]).round(6))
    0.25
    """

    choices: tuple[Choice, ...]
    scenes: tuple[tuple[tuple[float, str], ...], ...]
    words: tuple[str, ...] = field(init=False)
    _scenes: tuple[tuple[_Sentence, ...], ...] = field(init=False, repr=False)
    _tokens: tuple[Tokens, ...] = field(init=False, repr=False)  # of each choice's words

    def __post_init__(self) -> None:
        names = [choice.name for choice in self.choices]
        index = {name: i for i, name in enumerate(names)}
        if len(index) != len(names):
            raise ValueError(f"choices must have different names, got {names}")
        for i, choice in enumerate(self.choices):
            if choice.parent is not None:
                if index.get(choice.parent, i) >= i:
                    raise ValueError(f"choice {choice.name!r} must come after its parent")
                if len(choice.weights) != len(self.choices[index[choice.parent]].words):
                    raise ValueError(
                        f"weights of {choice.name!r} must have a row for each word of "
                        f"{choice.parent!r}, got {len(choice.weights)} rows"
                    )
        if not self.scenes or not all(self.scenes):
            raise ValueError("scenes must hold at least one sentence each, got none")
        split = [[text.split() for _, text in scene] for scene in self.scenes]
        literals = {word for scene in split for text in scene for word in text if word[0] != "{"}
        vocabulary = literals.union(*(choice.words for choice in self.choices))
        words = ("<|endoftext|>", *sorted(vocabulary))
        number = {word: token for token, word in enumerate(words)}
        tokens = tuple(np.array([number[w] for w in choice.words]) for choice in self.choices)
        known: set[int] = set()
        compiled = []
        for place, (scene, texts) in enumerate(zip(self.scenes, split, strict=True)):
            total = sum(
                real_number(f"weight in scene {place}", weight, minimum=0.0, open_minimum=True)
                for weight, _ in scene
            )
            sentences = []
            for (weight, sentence), text in zip(scene, texts, strict=True):
                items = []
                for word in text:
                    mention = re.fullmatch(r"\{(\w+)\}", word)
                    if word[0] == "{" and (mention is None or mention[1] not in index):
                        raise ValueError(f"scene {place} mentions an unknown choice: {sentence!r}")
                    items.append((True, index[mention[1]]) if mention else (False, number[word]))
                new = {i for is_choice, i in items if is_choice} - known
                for i in new:
                    parent = self.choices[i].parent
                    if parent is not None and index[parent] not in known | new:
                        raise ValueError(
                            f"scene {place}: {names[i]!r} is drawn where its parent {parent!r} may "
                            f"not have been: {sentence!r}"
                        )
                drawn = tuple((i, items.index((True, i))) for i in sorted(new))
                sentences.append(_Sentence(weight / total, tuple(items), drawn))
            self._tell_apart(place, sentences, tokens)
            drawn_here = [{i for i, _ in sentence.drawn} for sentence in sentences]
            always = drawn_here[0].intersection(*drawn_here)
            later = {
                index[mention]
                for following in self.scenes[place + 1 :]
                for _, text in following
                for mention in re.findall(r"\{(\w+)\}", text)
                if mention in index
            }
            unsure = (drawn_here[0].union(*drawn_here) - always) & later
            if unsure:
                raise ValueError(
                    f"scene {place} must draw {names[min(unsure)]!r} in all of its sentences, "
                    "because a later scene mentions it"
                )
            known |= always
            compiled.append(tuple(sentences))
        for name, value in (("words", words), ("_tokens", tokens), ("_scenes", tuple(compiled))):
            object.__setattr__(self, name, value)

    @staticmethod
    def _tell_apart(place: int, sentences: list[_Sentence], tokens: tuple[Tokens, ...]) -> None:
        for i, one in enumerate(sentences):
            for other in sentences[:i]:
                if not any(
                    _possible(a, tokens).isdisjoint(_possible(b, tokens))
                    for a, b in zip(one.items, other.items, strict=False)
                ):
                    raise ValueError(
                        f"scene {place}: two sentences could be the same words: they must differ "
                        "for certain in some place"
                    )

    @property
    def n_words(self) -> int:
        """Size of the vocabulary, `END` included."""
        return len(self.words)

    @property
    def max_length(self) -> int:
        """Tokens of the longest story, `END` included."""
        return 1 + sum(max(len(s.items) for s in scene) for scene in self._scenes)

    @property
    def mean_length(self) -> float:
        """Expected tokens of a story, `END` included."""
        return 1.0 + sum(s.probability * len(s.items) for scene in self._scenes for s in scene)

    @property
    def entropy(self) -> float:
        """Entropy of a story in nats, exact; over `mean_length` it is that of a token."""
        marginals: list[Array] = []
        entropies = []
        names = [choice.name for choice in self.choices]
        for choice in self.choices:
            rows = choice.weights
            parent = np.ones(1) if choice.parent is None else marginals[names.index(choice.parent)]
            logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0.0)
            entropies.append(float(-parent @ np.sum(rows * logs, axis=1)))
            marginals.append(parent @ rows)
        # Sentences are drawn independently of all choices, so that means are products.
        return sum(
            s.probability * (sum(entropies[i] for i, _ in s.drawn) - math.log(s.probability))
            for scene in self._scenes
            for s in scene
        )

    def _parent_value(self, choice: int, values: list[Tokens], rows: Any) -> Any:
        parent = self.choices[choice].parent
        if parent is None:
            return 0
        return values[[one.name for one in self.choices].index(parent)][rows]

    def sample(self, n_stories: int, *, rng: Rng) -> NDArray[np.int64]:
        """Draw stories.

        Parameters
        ----------
        n_stories : int
            >= 0.
        rng : Generator, SeedSequence or int

        Returns
        -------
        ndarray, shape (n_stories, max_length)
            Tokens; `END` after the last word, to the end of the row.
        """
        count = whole_number("n_stories", n_stories, minimum=0)
        generator = as_generator(rng)
        stories = np.full((count, self.max_length), END)
        place = np.zeros(count, dtype=np.int64)
        values = [np.zeros(count, dtype=np.int64) for _ in self.choices]
        for scene in self._scenes:
            cumulative = np.cumsum([sentence.probability for sentence in scene])[:-1]
            picked = np.searchsorted(cumulative, generator.random(count), "right")
            for which, sentence in enumerate(scene):
                rows = np.flatnonzero(picked == which)
                for choice, _ in sentence.drawn:
                    weights = self.choices[choice].weights
                    ladder = np.cumsum(weights, axis=1)
                    # at most the last word that has a probability, whatever the rounding
                    last = weights.shape[1] - 1 - np.argmax(weights[:, ::-1] > 0.0, axis=1)
                    above = self._parent_value(choice, values, rows)
                    below = ladder[above] <= generator.random(rows.size)[:, None]
                    values[choice][rows] = np.minimum(below.sum(axis=1), last[above])
                for j, (is_choice, index) in enumerate(sentence.items):
                    token = self._tokens[index][values[index][rows]] if is_choice else index
                    stories[rows, place[rows] + j] = token
                place[rows] += len(sentence.items)
        return stories

    def log_probability(self, stories: ArrayLike) -> NDArray[np.float64]:
        """Exact log-probability of stories.

        Parameters
        ----------
        stories : array_like of int, shape (n_stories, length)
            Rows as `sample` gives them; of any length.

        Returns
        -------
        ndarray, shape (n_stories,)
            In nats; -inf for what the grammar cannot say.

        Raises
        ------
        TypeError, ValueError
            If the tokens are no integers, or outside the vocabulary.
        """
        given = _stories(stories, self.n_words)
        widest = 1 + max(len(s.items) for scene in self._scenes for s in scene)
        padded = np.pad(given, ((0, 0), (0, self.max_length + widest)), constant_values=END)
        count = len(given)
        everyone = np.arange(count)
        place = np.zeros(count, dtype=np.int64)
        result = np.zeros(count)
        values = [np.zeros(count, dtype=np.int64) for _ in self.choices]
        lookups = []
        for tokens in self._tokens:
            lookup = np.full(self.n_words, -1)
            lookup[tokens] = np.arange(tokens.size)
            lookups.append(lookup)
        for scene in self._scenes:
            found = np.zeros(count, dtype=bool)
            start = place.copy()
            for sentence in scene:
                seen = padded[everyone[:, None], start[:, None] + np.arange(len(sentence.items))]
                own = list(values)
                for choice, j in sentence.drawn:
                    own[choice] = lookups[choice][seen[:, j]]
                fits = ~found
                gained = np.full(count, math.log(sentence.probability))
                for choice, _ in sentence.drawn:
                    fits &= own[choice] >= 0
                    row = self._parent_value(choice, own, everyone)
                    with np.errstate(divide="ignore"):
                        gained += np.log(self.choices[choice].weights[row, own[choice]])
                for j, (is_choice, index) in enumerate(sentence.items):
                    expected = self._tokens[index][own[index]] if is_choice else index
                    fits &= seen[:, j] == expected
                found |= fits
                result[fits] += gained[fits]
                place[fits] += len(sentence.items)
                for choice, _ in sentence.drawn:
                    values[choice] = np.where(fits, own[choice], values[choice])
            result[~found] = -np.inf
        rest = np.arange(padded.shape[1]) >= place[:, None]
        result[((padded != END) & rest).any(axis=1) | (place >= given.shape[1])] = -np.inf
        return result

    def text(self, story: ArrayLike) -> str:
        """Words of a story, up to `END`.

        Parameters
        ----------
        story : array_like of int, shape (length,)
        """
        (row,) = _stories(np.asarray(story)[None], self.n_words)
        ends = np.flatnonzero(row == END)
        return " ".join(self.words[token] for token in row[: ends[0] if ends.size else None])


def _stories(stories: ArrayLike, n_words: int | None = None) -> Tokens:
    """Check an array of tokens."""
    array = np.asarray(stories)
    if array.dtype.kind not in "iu":
        raise TypeError(f"stories must be integers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"stories must have shape (n_stories, length), got {array.shape}")
    if array.size and (array.min() < 0 or (n_words is not None and array.max() >= n_words)):
        top = "" if n_words is None else f" and < {n_words}"
        bad = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"stories must hold tokens >= 0{top}, got {bad}")
    return array.astype(np.int64)


def story_mask(stories: ArrayLike, end: int = END) -> NDArray[np.bool_]:
    """Which tokens belong to a story: those up to its first end token, which is included.

    Parameters
    ----------
    stories : array_like of int, shape (n_stories, length)
    end : int
        The end token, >= 0.

    Returns
    -------
    ndarray of bool, of the same shape

    Examples
    --------
    >>> story_mask([[5, 7, 0, 0], [5, 7, 8, 9]]).astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 1, 1]]
    """
    is_end = _stories(stories) == whole_number("end", end, minimum=0)
    return np.asarray(np.cumsum(is_end, axis=1) - is_end == 0)


_WORDS = {
    "girl": "Amy Bella Clara Dora Ella Fay Grace Hana Ida June Kim Lily",
    "boy": "Adam Ben Carl Dan Eli Finn Gus Hugo Ian Jack Kurt Leo",
    "place": "park beach forest garden farm kitchen school shop river barn hill attic market lake "
    "castle zoo meadow harbour",
    "object": "ball kite drum boat cake apple hat doll stone key lamp book flower box train bell "
    "coin feather mirror robot shell spoon sword whistle blanket basket",
    "adjective": "red blue green tiny big old shiny soft heavy broken golden wet dusty magic noisy "
    "strange",
    "action": "hid threw painted cleaned opened carried lost dropped shared fixed buried washed "
    "kicked hugged kept sold traced broke",
    "feeling": "happy sad tired proud angry scared calm sorry hungry surprised lonely brave",
    "trait": "little kind brave shy clever funny quiet lazy",
    "time": "once yesterday today sunday monday friday later again",
    "saying": "hooray goodbye thanks wow please sorry look careful wait help",
    "way": "home away inside back upstairs together",
}


def story_grammar(seed: int = 0) -> Grammar:
    """Build the grammar of little stories of this book: about 160 words, 3 scenes.

    A hero, a friend who depends on the hero, a place, an object that depends on the place, what the
    object looks like, what is done to it, and how that feels: what is drawn early is said again
    late, pronouns follow the hero's name, and a gender may come before the name that decides it.

    Parameters
    ----------
    seed : int
        >= 0: the probabilities, drawn from Dirichlet laws. The words are always the same.

    Returns
    -------
    Grammar

    Examples
    --------
    >>> grammar = story_grammar()
    >>> grammar.n_words, grammar.max_length
    (164, 23)
    >>> print(grammar.text(grammar.sample(1, rng=2)[0]))
    yesterday Fay went to the zoo . Ella and she cleaned a boat . Ella said help !
    """
    generator = as_generator(whole_number("seed", seed, minimum=0))
    words = {name: tuple(text.split()) for name, text in _WORDS.items()}
    names = words["girl"] + words["boy"]
    is_girl = np.arange(len(names)) < len(words["girl"])
    followed = np.stack([is_girl, ~is_girl], axis=1).astype(float)

    def law(name: str, concentration: float, parent: str | None = None) -> Choice:
        size = len(words[name])
        rows = None if parent is None else len(words[parent])
        weights = generator.dirichlet(np.full(size, concentration), size=rows)
        return Choice(name, words[name], weights, parent)

    friends = generator.dirichlet(np.full(len(names), 0.3), size=len(names))
    np.fill_diagonal(friends, 0.0)
    choices = (
        Choice("hero", names, generator.dirichlet(np.full(len(names), 2.0))),
        Choice("gender", ("girl", "boy"), followed, "hero"),
        Choice("pronoun", ("she", "he"), followed, "hero"),
        Choice("friend", names, friends, "hero"),
        law("place", 2.0),
        law("object", 0.2, "place"),
        law("adjective", 0.3, "object"),
        law("action", 0.2, "object"),
        law("feeling", 0.3, "action"),
        law("trait", 1.0),
        law("time", 1.0),
        law("saying", 0.3, "action"),
        law("way", 0.5, "place"),
    )
    scenes = (
        (
            (4.0, "{time} {hero} went to the {place} ."),
            (3.0, "{hero} was at the {place} ."),
            (3.0, "a {trait} {gender} called {hero} saw the {place} ."),
        ),
        (
            (5.0, "{pronoun} {action} a {adjective} {object} with {friend} ."),
            (5.0, "{friend} and {pronoun} {action} a {object} ."),
        ),
        (
            (4.0, "{hero} was {feeling} ."),
            (3.0, "{friend} said {saying} !"),
            (3.0, "then they went {way} ."),
        ),
    )
    return Grammar(choices, scenes)
