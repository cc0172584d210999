"""Headlines of docstrings: summarisation by humans, offline, on every machine with this package.

A docstring's first paragraph is the headline that its author gave to the rest. Word selectors learn
to choose the words of the headline from the rest, write several candidates for other docstrings,
and students learn from the candidates that a verifier keeps. No language model and no download: a
stand-in for the summarisation of news, with the same steps.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import platform
import re
import sysconfig
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

from fragile_learning._validation import as_generator, real_number, whole_number

__all__ = [
    "PACKAGES",
    "Headlines",
    "Summaries",
    "WordSelector",
    "WordTable",
    "collect_headlines",
    "docstrings",
    "mean_log_probability",
    "rouge1",
    "sample_summaries",
    "summary_scores",
    "top_summaries",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Rng = np.random.Generator | np.random.SeedSequence | int

PACKAGES = ("python", "numpy", "scipy")
"""Where docstrings are collected: the standard library, and what this package needs itself."""

_HEADLINE = (4, 25)  # words
_BODY, _DIFFERENT = 40, 20  # words, and different ones, at least
_LONGEST = 120  # words of a body that are read
_LEFT_OUT = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3"}
_WORD = re.compile(r"[a-z]{2,}")
_STOP_WORDS = frozenset(
    _WORD.findall(
        """
        about after all also an and any are as at be been before both but by can each either else
        every for from has have how if in into is it its may more most must no not of on only or
        other out over same should so some such than that the their them then there these they
        this those through to under up was were what when where whether which while will with
        within without would you your
        """
    )
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))


# --- text -------------------------------------------------------------------------------------


def docstrings(source: str) -> Iterator[str]:
    r"""Docstrings of a module, and of the classes and functions in it, from its source text.

    Parameters
    ----------
    source : str
        Nothing is run. What cannot be parsed has none.

    Examples
    --------
    >>> list(docstrings("def f():\n    'Do it.'"))
    ['Do it.']
    """
    if not isinstance(source, str):
        raise TypeError(f"source must be a string, got {source!r}")
    try:
        with warnings.catch_warnings():  # of odd escapes in the source
            warnings.simplefilter("ignore")
            open_nodes: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError):
        return
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text
        inner = [
            child
            for field in ("body", "handlers", "orelse", "finalbody")
            for child in getattr(node, field, [])
        ]
        open_nodes.extend(reversed(inner))


def _root(package: str) -> Path:
    """Folder of an installed package, or of the standard library."""
    if package == "python":
        return Path(sysconfig.get_path("stdlib"))
    found = importlib.util.find_spec(package)
    if found is None or not found.origin:
        raise ModuleNotFoundError(f"packages holds {package!r}, which is not installed")
    return Path(found.origin).parent


def _version(package: str) -> str:
    if package == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "?"


@dataclass(frozen=True, eq=False)
class Headlines:
    """Pairs of a text and its headline, as words.

    Attributes
    ----------
    name : str
        Where the pairs are from, with versions and numbers.
    bodies, headlines : tuple of tuple of str
        Lower-case words of two letters or more.

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> pairs = Headlines("two", bodies, (("add", "squares"), ("count", "words")))
    >>> len(pairs), rouge1(pairs.bodies[0], pairs.headlines[0])
    (2, 0.6666666666666666)
    """

    name: str
    bodies: tuple[tuple[str, ...], ...]
    headlines: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, texts: Iterable[str], name: str = "texts") -> Headlines:
        r"""Split each text at its first empty line into a headline and a body.

        Parameters
        ----------
        texts : iterable of str
            Kept with a headline of 4 to 25 words and a body of 40 words or more, of which the first
            120 are read and 20 differ, if neither headline nor body was there before.
        name : str

        Examples
        --------
        >>> body = "The quick brown fox jumps over some lazy dog, and then " * 4
        >>> body += "it sleeps well until early morning when birds begin singing aloud."
        >>> text = "Return the sum of entries.\n\n" + body
        >>> pairs = Headlines.of([text, text])
        >>> pairs.headlines
        (('return', 'the', 'sum', 'of', 'entries'),)
        """
        bodies: dict[tuple[str, ...], None] = {}
        headlines: dict[tuple[str, ...], None] = {}
        for text in texts:
            first, _, rest = text.strip().partition("\n\n")
            headline, body = _words(first), _words(rest)[:_LONGEST]
            if not _HEADLINE[0] <= len(headline) <= _HEADLINE[1]:
                continue
            if len(body) < _BODY or len(set(body)) < _DIFFERENT:
                continue
            if headline not in headlines and body not in bodies:
                headlines[headline] = None
                bodies[body] = None
        return cls(name, tuple(bodies), tuple(headlines))

    def __len__(self) -> int:
        return len(self.bodies)


@lru_cache(maxsize=4)
def collect_headlines(packages: tuple[str, ...] = PACKAGES) -> Headlines:
    """Pairs from the docstrings of installed packages, tests left out.

    Parameters
    ----------
    packages : tuple of str
        Names to import, or ``"python"`` for the standard library. Nothing is imported or run.

    Returns
    -------
    Headlines
        The same object for the same packages, as long as the process lives. Its ``name`` has the
        versions: other versions have other docstrings.

    Raises
    ------
    TypeError, ValueError, ModuleNotFoundError
        If ``packages`` is not a tuple of names, is empty, or one is not installed.

    Examples
    --------
    >>> found = collect_headlines(("joblib",))
    >>> found.name.partition(" docstrings of ")[2].split()[0]
    'joblib'
    >>> all(4 <= len(headline) <= 25 for headline in found.headlines)
    True
    """
    names: Any = packages
    if not isinstance(names, tuple) or not all(isinstance(p, str) and p for p in names):
        raise TypeError(f"packages must be a tuple of names, got {packages!r}")
    if not packages:
        raise ValueError("packages must hold at least one name, got none")
    texts: list[str] = []
    for package in packages:
        root = _root(package)
        for path in sorted(root.rglob("*.py")):
            if _LEFT_OUT.isdisjoint(path.relative_to(root).parts):
                texts.extend(docstrings(path.read_text(encoding="utf-8", errors="replace")))
    found = Headlines.of(texts)
    versions = ", ".join(f"{package} {_version(package)}" for package in packages)
    return Headlines(f"{len(found)} docstrings of {versions}", found.bodies, found.headlines)


def rouge1(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """ROUGE-1 F1: words in common, each as often as in both, over the mean number of words.

    Parameters
    ----------
    candidate, reference : sequence of str
        Words. An empty one has nothing in common with any other.

    Examples
    --------
    >>> round(rouge1("the cat sat".split(), "the cat and the dog".split()), 3)
    0.5
    """
    for name, words in (("candidate", candidate), ("reference", reference)):
        if isinstance(words, str):
            raise TypeError(f"{name} must be a sequence of words, got the string {words!r}")
    common = sum((Counter(candidate) & Counter(reference)).values())
    return 2.0 * common / (len(candidate) + len(reference)) if common else 0.0


# --- words as rows ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class WordTable:
    """The different words of each body with what a selector sees of them.

    Attributes
    ----------
    words : tuple of str
        One for each row; the rows of a body follow each other in the order of first occurrence.
    starts : ndarray of int64, shape (n_texts + 1,)
        Rows ``starts[i]`` to ``starts[i + 1] - 1`` belong to body ``i``.
    features : csr_array, shape (n_rows, n_features)
        Hashed word, hashed word before, logarithms of place and number of occurrences, length,
        whether it is a stop word, and 1.
    in_headline : ndarray of bool, shape (n_rows,)
    headline_lengths : ndarray of int64, shape (n_texts,)

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> table = WordTable.of(Headlines("two", bodies, (("add", "squares"), ("count", "words"))))
    >>> table.words
    ('add', 'all', 'squares', 'count', 'the', 'words')
    >>> table.in_headline.tolist(), table.rows([1]).tolist()
    ([True, False, True, True, False, True], [3, 4, 5])
    """

    words: tuple[str, ...]
    starts: Integers
    features: Any
    in_headline: NDArray[np.bool_]
    headline_lengths: Integers

    @classmethod
    def of(cls, pairs: Headlines, n_hashes: int = 4096) -> WordTable:
        """Tabulate pairs.

        Parameters
        ----------
        pairs : Headlines
            At least one.
        n_hashes : int
            Columns for words, and as many for the words before; >= 1. CRC-32 modulo this number.
        """
        size = whole_number("n_hashes", n_hashes)
        if len(pairs) == 0:
            raise ValueError("pairs must hold at least one pair, got none")
        words: list[str] = []
        before: list[str] = []
        places: list[int] = []
        counts: list[int] = []
        hits: list[bool] = []
        starts = [0]
        for body, headline in zip(pairs.bodies, pairs.headlines, strict=True):
            number, told = Counter(body), set(headline)
            seen = {word: i for i, word in reversed(list(enumerate(body)))}
            for word in number:  # in the order of first occurrence
                words.append(word)
                places.append(seen[word])
                before.append(body[seen[word] - 1] if seen[word] else "")
                counts.append(number[word])
                hits.append(word in told)
            starts.append(len(words))
        hashes = {word: zlib.crc32(word.encode()) % size for word in {*words, *before}}
        dense = np.stack(
            [
                np.log1p(places) / np.log(_LONGEST),
                np.log(counts),
                np.array([len(word) for word in words]) / 10.0,
                np.array([word in _STOP_WORDS for word in words], dtype=np.float64),
                np.ones(len(words)),
            ],
            axis=1,
        )
        n_dense = dense.shape[1]
        columns = np.empty((len(words), 2 + n_dense), dtype=np.int32)
        columns[:, 0] = [hashes[word] for word in words]
        columns[:, 1] = [size + hashes[word] for word in before]
        columns[:, 2:] = 2 * size + np.arange(n_dense)
        values = np.concatenate([np.ones((len(words), 2)), dense], axis=1)
        ends = np.arange(len(words) + 1, dtype=np.int32) * (2 + n_dense)
        features = sparse.csr_array(
            (values.ravel(), columns.ravel(), ends), shape=(len(words), 2 * size + n_dense)
        )
        return cls(
            tuple(words),
            np.array(starts, dtype=np.int64),
            features,
            np.array(hits),
            np.array([len(headline) for headline in pairs.headlines], dtype=np.int64),
        )

    @property
    def n_texts(self) -> int:
        """Bodies."""
        return len(self.starts) - 1

    def _texts(self, texts: ArrayLike) -> Integers:
        array = np.asarray(texts)
        if array.dtype.kind not in "iu":
            raise TypeError(f"texts must be an array of integers, got dtype {array.dtype}")
        if array.ndim != 1 or array.size == 0:
            raise ValueError(f"texts must have one axis and not be empty, got shape {array.shape}")
        if array.min() < 0 or array.max() >= self.n_texts:
            raise ValueError(
                f"texts must hold numbers in [0, {self.n_texts - 1}], "
                f"got {array.min()} to {array.max()}"
            )
        return array.astype(np.int64)

    def rows(self, texts: ArrayLike) -> Integers:
        """Rows of all words of these bodies, one body after the other.

        Parameters
        ----------
        texts : array_like of int, shape (n,)
        """
        chosen = self._texts(texts)
        lengths = np.diff(self.starts)[chosen]
        offsets = np.repeat(self.starts[chosen] - np.cumsum(lengths) + lengths, lengths)
        return offsets + np.arange(lengths.sum())


class Summaries(NamedTuple):
    """Summaries of some bodies, as rows of a `WordTable`.

    Attributes
    ----------
    texts : ndarray of int64, shape (n_texts,)
    rows : ndarray of int64, shape (n_texts, n_candidates, n_words)
        Different rows of the body in question, the likeliest (or first drawn) first.

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> table = WordTable.of(Headlines("two", bodies, (("add", "squares"), ("count", "words"))))
    >>> selector = WordSelector.fit(table, [0, 1])
    >>> summaries = top_summaries(selector, table, [1], n_words=2)
    >>> [table.words[row] for row in summaries.rows[0, 0]]
    ['count', 'words']
    """

    texts: Integers
    rows: Integers


# --- selectors --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class WordSelector:
    """Logistic regression of "this word is in the summary".

    Attributes
    ----------
    weights : ndarray, shape (n_features,)

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> table = WordTable.of(Headlines("two", bodies, (("add", "squares"), ("count", "words"))))
    >>> selector = WordSelector.fit(table, [0, 1])
    >>> (selector.logits(table, [0, 1]) > 0.0).tolist()
    [[True, False, True], [True, False, True]]
    """

    weights: Floats

    @classmethod
    def fit(
        cls,
        table: WordTable,
        texts: ArrayLike,
        rows: ArrayLike | None = None,
        *,
        penalty: float = 4e-5,
        max_iterations: int = 100,
    ) -> WordSelector:
        """Learn from summaries of some bodies.

        Parameters
        ----------
        table : WordTable
        texts : array_like of int, shape (n_pairs,)
            Bodies; one may occur several times.
        rows : array_like of int, shape (n_pairs, n_words), optional
            The summary of each, as rows of the table. None: the headlines.
        penalty : float
            > 0, half of it times the squared norm of the weights is added to the mean loss of a
            word.
        max_iterations : int
            Of L-BFGS, >= 1.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range or does not fit the table.
        """
        chosen = table._texts(texts)
        ridge = real_number("penalty", penalty, minimum=0.0, open_minimum=True)
        limit = whole_number("max_iterations", max_iterations)
        times = np.bincount(chosen, minlength=table.n_texts)
        used = np.flatnonzero(times)
        all_rows = table.rows(used)
        weight = np.repeat(times[used], np.diff(table.starts)[used]).astype(np.float64)
        if rows is None:
            positive = weight * table.in_headline[all_rows]
        else:
            given = _summary_rows(table, chosen, rows)
            counts = np.bincount(given.ravel(), minlength=len(table.words))
            positive = counts[all_rows].astype(np.float64)
        design = table.features[all_rows]
        transposed = design.T.tocsr()
        total = weight.sum()

        def loss(weights: Floats) -> tuple[float, Floats]:
            logits = design @ weights
            value = weight @ np.logaddexp(0.0, logits) - positive @ logits
            slope = transposed @ (weight * expit(logits) - positive)
            return (
                float(value / total + 0.5 * ridge * (weights @ weights)),
                np.asarray(slope / total + ridge * weights),
            )

        start = np.zeros(design.shape[1])
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": limit})
        return cls(np.asarray(found.x, dtype=np.float64))

    def logits(self, table: WordTable, texts: ArrayLike) -> Floats:
        """Logits of the words of some bodies, padded with minus infinity.

        Returns
        -------
        ndarray, shape (n_texts, most words of a body in the table)
        """
        chosen = table._texts(texts)
        if self.weights.shape != (table.features.shape[1],):
            raise ValueError(
                f"table must have {self.weights.size} features, got {table.features.shape[1]}"
            )
        lengths = np.diff(table.starts)
        padded = np.full((len(chosen), int(lengths.max())), -np.inf)
        inside = np.arange(padded.shape[1]) < lengths[chosen][:, None]
        padded[inside] = table.features[table.rows(chosen)] @ self.weights
        return padded


def _summary_rows(table: WordTable, texts: Integers, rows: ArrayLike) -> Integers:
    """Rows of summaries, checked to lie in their bodies."""
    array = np.asarray(rows)
    if array.dtype.kind not in "iu":
        raise TypeError(f"rows must be an array of integers, got dtype {array.dtype}")
    if array.ndim < 2 or len(array) != len(texts):
        raise ValueError(
            f"rows must have the shape ({len(texts)}, ..., n_words), got {array.shape}"
        )
    ends = (len(texts),) + (1,) * (array.ndim - 1)
    first, last = (table.starts[texts + i].reshape(ends) for i in (0, 1))
    if ((array < first) | (array >= last)).any():
        raise ValueError("rows must hold rows of their own body, got one of another body")
    return array.astype(np.int64)


def _best(table: WordTable, texts: Integers, scores: Floats, n_words: int) -> Integers:
    """Rows of the largest scores on the last axis, the largest first."""
    shortest = int(np.diff(table.starts)[texts].min())
    count = whole_number("n_words", n_words, maximum=shortest)
    part = np.argpartition(-scores, count - 1, axis=-1)[..., :count]
    order = np.argsort(-np.take_along_axis(scores, part, -1), axis=-1, kind="stable")
    first = table.starts[texts].reshape((-1,) + (1,) * (scores.ndim - 1))
    return np.asarray(np.take_along_axis(part, order, -1) + first)


def top_summaries(
    selector: WordSelector, table: WordTable, texts: ArrayLike, n_words: int = 7
) -> Summaries:
    """Write one summary of each body: its likeliest words.

    Parameters
    ----------
    selector : WordSelector
    table : WordTable
    texts : array_like of int, shape (n_texts,)
    n_words : int
        At least 1, at most the different words of each body.

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> table = WordTable.of(Headlines("two", bodies, (("add", "squares"), ("count", "words"))))
    >>> selector = WordSelector.fit(table, [0, 1])
    >>> found = top_summaries(selector, table, [0, 1], n_words=2)
    >>> sorted(table.words[row] for row in found.rows[0, 0])
    ['add', 'squares']
    """
    chosen = table._texts(texts)
    rows = _best(table, chosen, selector.logits(table, chosen), n_words)
    return Summaries(chosen, rows[:, None])


def sample_summaries(
    selector: WordSelector,
    table: WordTable,
    texts: ArrayLike,
    n_candidates: int = 8,
    n_words: int = 7,
    *,
    rng: Rng,
) -> Summaries:
    """Write several summaries of each body, by words drawn without replacement.

    Parameters
    ----------
    selector : WordSelector
    table : WordTable
    texts : array_like of int, shape (n_texts,)
    n_candidates : int
        >= 1.
    n_words : int
        At least 1, at most the different words of each body.
    rng : Generator, SeedSequence or int

    Notes
    -----
    Each next word is drawn from the softmax of the logits of those that are left: the words with
    the largest sums of a logit and an independent Gumbel variable have this law.

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> table = WordTable.of(Headlines("two", bodies, (("add", "squares"), ("count", "words"))))
    >>> guess = WordSelector(np.zeros(table.features.shape[1]))
    >>> found = sample_summaries(guess, table, [0, 1], n_candidates=500, n_words=1, rng=1)
    >>> found.rows.shape, float((found.rows[0] == 1).mean().round(1))
    ((2, 500, 1), 0.3)
    """
    chosen, count = table._texts(texts), whole_number("n_candidates", n_candidates)
    logits = selector.logits(table, chosen)
    noise = as_generator(rng).gumbel(size=(len(logits), count, logits.shape[1]))
    return Summaries(chosen, _best(table, chosen, logits[:, None] + noise, n_words))


def summary_scores(table: WordTable, summaries: Summaries) -> Floats:
    """ROUGE-1 F1 of summaries against the headlines, shape (n_texts, n_candidates).

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> table = WordTable.of(Headlines("two", bodies, (("add", "squares"), ("count", "words"))))
    >>> two = Summaries(np.array([0]), np.array([[[0, 2], [0, 1]]]))
    >>> summary_scores(table, two).tolist()
    [[1.0, 0.5]]
    """
    rows = _summary_rows(table, summaries.texts, summaries.rows)
    common = table.in_headline[rows].sum(axis=-1)
    lengths = table.headline_lengths[summaries.texts][:, None]
    return np.asarray(2.0 * common / (rows.shape[-1] + lengths), dtype=np.float64)


def mean_log_probability(selector: WordSelector, table: WordTable, summaries: Summaries) -> Floats:
    """How likely a selector finds the words of summaries, each as if drawn first.

    Returns
    -------
    ndarray, shape (n_texts, n_candidates)
        Mean over the words of the logarithm of the softmax over the body, in nats.

    Examples
    --------
    >>> bodies = (("add", "all", "squares", "add"), ("count", "the", "words"))
    >>> table = WordTable.of(Headlines("two", bodies, (("add", "squares"), ("count", "words"))))
    >>> guess = WordSelector(np.zeros(table.features.shape[1]))
    >>> one = Summaries(np.array([0]), np.array([[[0, 2]]]))
    >>> bool(np.allclose(mean_log_probability(guess, table, one), -np.log(3)))
    True
    """
    rows = _summary_rows(table, summaries.texts, summaries.rows)
    logs = log_softmax(selector.logits(table, summaries.texts), axis=1)
    places = rows - table.starts[summaries.texts][:, None, None]
    found = np.take_along_axis(logs[:, None], places, axis=-1)
    return np.asarray(found.mean(axis=-1), dtype=np.float64)
