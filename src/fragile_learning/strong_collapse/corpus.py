"""Real text and real models: local corpora, local tokenizers and local GPT-2 folders.

For those who have them. Nothing is ever downloaded. What is returned fits where the grammar's
stories and the small GPT fit: token blocks for `training.train_online`, and a `models.Scorer`.
Needs PyTorch and transformers (``pip install 'fragile-learning[torch,llm]'``) only where a Hugging
Face folder is read.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import as_generator, whole_number
from fragile_learning.strong_collapse.language import END, Rng

if TYPE_CHECKING:
    from fragile_learning.strong_collapse.models import Scorer

__all__ = ["Corpus", "load_gpt2", "read_corpus", "read_stories"]

SEPARATOR = "<|endoftext|>"


@dataclass(frozen=True, eq=False)
class Corpus:
    """Stories as token blocks.

    Attributes
    ----------
    stories : ndarray of int64, shape (n_stories, context)
        Longer stories are cut, and then have no end token.
    n_words : int
        Size of the vocabulary.
    end : int
        The token that ends a story and fills the rest of its row.
    words : tuple of str
        The word-level vocabulary; empty if a tokenizer was used.

    Examples
    --------
    >>> corpus = Corpus(np.array([[2, 3, 0], [4, 0, 0], [2, 4, 3]]), n_words=5)
    >>> train, test = corpus.split(1, rng=0)
    >>> train.shape, test.shape
    ((2, 3), (1, 3))
    """

    stories: NDArray[np.int64]
    n_words: int
    end: int = END
    words: tuple[str, ...] = ()

    def split(self, n_test: int, *, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Set stories aside at random.

        Parameters
        ----------
        n_test : int
            In [1, n_stories - 1].
        rng : Generator, SeedSequence or int

        Returns
        -------
        tuple of ndarray
            The stories to train on, in random order, and ``n_test`` others.
        """
        held = whole_number("n_test", n_test, maximum=len(self.stories) - 1)
        order = as_generator(rng).permutation(len(self.stories))
        return self.stories[order[held:]], self.stories[order[:held]]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix in {".txt", ".jsonl"})
        if not found:
            raise ValueError(f"{path}: no .txt or .jsonl file in this folder")
        return found
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return [path]


def read_stories(
    path: Path | str, *, separator: str = SEPARATOR, text_key: str = "text"
) -> Iterator[str]:
    r"""Stories of a local corpus, one after the other, in the order of the files' names.

    Parameters
    ----------
    path : path
        A file, or a folder with ``.txt`` or ``.jsonl`` files at any depth.
    separator : str
        The line between two stories of a text file.
    text_key : str
        Where a line of a ``.jsonl`` file has its story.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``.
    ValueError
        If a file holds no story, is not UTF-8, or a line is no JSON object with a story; the
        message names the file and the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "stories.txt"
    ...     _ = file.write_text("A cat.\n<|endoftext|>\nA dog.\n", encoding="utf-8")
    ...     list(read_stories(file))
    ['A cat.', 'A dog.']
    """
    for file in _files(Path(path)):
        n_stories = number = 0
        lines: list[str] = []
        try:
            with file.open(encoding="utf-8") as stream:
                for number, line in enumerate(stream, start=1):
                    if file.suffix == ".jsonl":
                        text = _story_of(line, file, number, text_key)
                    elif line.strip() == separator:
                        text, lines = "".join(lines).strip(), []
                    else:
                        lines.append(line)
                        continue
                    if text:
                        n_stories += 1
                        yield text
        except UnicodeDecodeError as error:
            raise ValueError(f"{file}: not UTF-8 text after line {number}: {error}") from None
        last = "".join(lines).strip()
        if last:
            n_stories += 1
            yield last
        if n_stories == 0:
            raise ValueError(f"{file}: holds no story")


def _story_of(line: str, file: Path, number: int, key: str) -> str:
    if not line.strip():
        return ""
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}, line {number}: not JSON: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get(key), str):
        raise ValueError(f"{file}, line {number}: no text under the key {key!r}")
    return str(content[key]).strip()


def read_corpus(
    path: Path | str,
    context: int,
    *,
    tokenizer: Path | str | None = None,
    n_words: int = 4096,
    words: Sequence[str] = (),
    separator: str = SEPARATOR,
    text_key: str = "text",
    max_stories: int | None = None,
) -> Corpus:
    r"""Read a local corpus as token blocks.

    Parameters
    ----------
    path, separator, text_key
        As in `read_stories`.
    context : int
        Tokens in a block, >= 1.
    tokenizer : path, optional
        Folder of a Hugging Face tokenizer with an end-of-text token. By default words, as separated
        by blanks, are tokens.
    n_words : int
        Size of the word-level vocabulary, >= 3: the end token, the unknown word, and the most
        frequent words (in the order of the alphabet where they are equally frequent).
    words : sequence of str
        Vocabulary to use instead, such as that of the training corpus for a test corpus.
    max_stories : int, optional
        >= 1; the first so many.

    Returns
    -------
    Corpus

    Raises
    ------
    ModuleNotFoundError
        If ``tokenizer`` is given and transformers is not there.
    FileNotFoundError, ValueError
        If the corpus or the tokenizer cannot be read; the message names the file.

    Notes
    -----
    The whole corpus is held in memory as text and as tokens: 2 million stories of 200 words take
    some 6 GB.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "stories.txt"
    ...     _ = file.write_text("a cat\n<|endoftext|>\na dog\n", encoding="utf-8")
    ...     corpus = read_corpus(file, context=4)
    >>> corpus.words
    ('<|endoftext|>', '<|unknown|>', 'a', 'cat', 'dog')
    >>> corpus.stories.tolist()
    [[2, 3, 0, 0], [2, 4, 0, 0]]
    """
    length = whole_number("context", context)
    size = whole_number("n_words", n_words, minimum=3)
    source = read_stories(path, separator=separator, text_key=text_key)
    if max_stories is None:
        texts = list(source)
    else:
        limit = whole_number("max_stories", max_stories)
        texts = [text for text, _ in zip(source, range(limit), strict=False)]
    vocabulary: tuple[str, ...] = ()
    if tokenizer is None:
        vocabulary = tuple(words)
        if not vocabulary:
            counts = Counter(word for text in texts for word in text.split())
            ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
            vocabulary = (SEPARATOR, "<|unknown|>", *(word for word, _ in ranked[: size - 2]))
        if vocabulary[:2] != (SEPARATOR, "<|unknown|>"):
            raise ValueError(
                f"words must begin with {SEPARATOR!r} and '<|unknown|>', got {vocabulary[:2]}"
            )
        number = {word: i for i, word in enumerate(vocabulary)}
        rows = [[number.get(word, 1) for word in text.split()[:length]] for text in texts]
        end, size = END, len(vocabulary)
    else:
        reader = _tokenizer(Path(tokenizer))
        end, size = int(reader.eos_token_id), len(reader)
        rows = reader(texts, add_special_tokens=False)["input_ids"]
    stories = np.full((len(rows), length), end)
    for story, row in zip(stories, rows, strict=True):
        story[: len(row)] = row[:length]
    return Corpus(stories, size, end, vocabulary)


def _transformers() -> Any:
    try:
        return importlib.import_module("transformers")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "a Hugging Face folder needs transformers: pip install 'fragile-learning[torch,llm]'"
        ) from None


def _tokenizer(folder: Path) -> Any:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder with a tokenizer")
    transformers = _transformers()
    try:
        reader = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:
        raise ValueError(f"{folder}: no readable tokenizer: {error}") from error
    if reader.eos_token_id is None:
        raise ValueError(f"{folder}: the tokenizer has no end-of-text token")
    return reader


def load_gpt2(folder: Path | str, *, context: int | None = None, device: str = "cpu") -> Scorer:
    """Load a local GPT-2 in the format of Hugging Face, behind the interface of `models.GPT`.

    Parameters
    ----------
    folder : path
        With ``config.json`` and the weights as safetensors.
    context : int, optional
        Longest story to sample, at most what the model can read, which is the default.
    device : str
        As PyTorch names it.

    Returns
    -------
    models.Scorer
        Scores token blocks, samples stories, and can be trained further.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch or transformers is not there.
    FileNotFoundError, ValueError
        If the folder holds no GPT-2 that can be read whole; the message names it.

    Examples
    --------
    >>> load_gpt2("no-such-folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: no-such-folder: no folder with a config.json
    """
    place = Path(folder)
    if not (place / "config.json").is_file():
        raise FileNotFoundError(f"{place}: no folder with a config.json")
    transformers = _transformers()
    models = importlib.import_module("fragile_learning.strong_collapse.models")
    try:
        config = transformers.AutoConfig.from_pretrained(str(place), local_files_only=True)
    except Exception as error:
        raise ValueError(f"{place}: config.json cannot be read: {error}") from error
    if config.model_type != "gpt2":
        raise ValueError(f"{place}: must hold a model of type 'gpt2', got {config.model_type!r}")
    try:
        network, report = transformers.GPT2LMHeadModel.from_pretrained(
            str(place), local_files_only=True, output_loading_info=True, use_safetensors=True
        )
    except Exception as error:
        raise ValueError(f"{place}: the weights cannot be read: {error}") from error
    missing = sorted(set(report["missing_keys"]) - {"lm_head.weight"})
    if missing:
        raise ValueError(f"{place}: the weights lack {', '.join(missing[:3])}")
    longest = whole_number(
        "context", config.n_positions if context is None else context, maximum=config.n_positions
    )
    end = config.eos_token_id
    if not isinstance(end, int) or not 0 <= end < config.vocab_size:
        raise ValueError(f"{place}: config.json must name an eos_token_id, got {end!r}")
    scorer: Scorer = models.HuggingFaceScorer(network, config.vocab_size, longest, end)
    return scorer.to(device).eval()
