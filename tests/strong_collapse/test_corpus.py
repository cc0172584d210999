"""Local corpora, tokenizers and GPT-2 folders, on tiny copies made here."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest

from fragile_learning.strong_collapse.corpus import load_gpt2, read_corpus, read_stories
from fragile_learning.strong_collapse.language import story_grammar, story_mask

STORIES = ["a cat sat .", "a dog\nran far .", "a cat ran ."]


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_text("\n<|endoftext|>\n".join(STORIES) + "\n", encoding="utf-8")
    return path


def test_stories_of_a_text_file(text_file):
    assert list(read_stories(text_file)) == STORIES
    text_file.write_text("<|endoftext|>\n\n<|endoftext|>\none\n<|endoftext|>\n")
    assert list(read_stories(text_file)) == ["one"]
    text_file.write_text("one\n---\ntwo")
    assert list(read_stories(text_file, separator="---")) == ["one", "two"]


def test_stories_of_a_folder(tmp_path, text_file):
    (tmp_path / "more").mkdir()
    lines = [json.dumps({"text": "first", "source": "x"}), "", json.dumps({"text": "second"})]
    (tmp_path / "more" / "b.jsonl").write_text("\n".join(lines))
    (tmp_path / "notes.md").write_text("not a story")
    assert list(read_stories(tmp_path)) == ["first", "second", *STORIES]


def test_word_level_blocks(text_file):
    corpus = read_corpus(text_file, 5)
    assert corpus.words[:4] == ("<|endoftext|>", "<|unknown|>", ".", "a")  # as often: alphabet
    assert corpus.n_words == len(corpus.words) == 9
    texts = [" ".join(corpus.words[t] for t in story if t) for story in corpus.stories]
    assert texts == ["a cat sat .", "a dog ran far .", "a cat ran ."]
    assert story_mask(corpus.stories).sum(axis=1).tolist() == [5, 5, 5]  # the second is cut
    small = read_corpus(text_file, 5, n_words=4)
    assert small.stories[0].tolist() == [3, 1, 1, 2, 0]
    again = read_corpus(text_file, 5, words=corpus.words, max_stories=2)
    np.testing.assert_array_equal(again.stories, corpus.stories[:2])


def test_blocks_of_the_grammar_survive_the_way_through_a_file(tmp_path):
    grammar = story_grammar()
    stories = grammar.sample(50, rng=1)
    path = tmp_path / "grammar.txt"
    path.write_text("\n<|endoftext|>\n".join(map(grammar.text, stories)))
    words = ("<|endoftext|>", "<|unknown|>", *grammar.words[1:])
    corpus = read_corpus(path, grammar.max_length, words=words)
    np.testing.assert_array_equal(np.where(corpus.stories > 0, corpus.stories - 1, 0), stories)


def test_split_takes_each_story_once(text_file):
    corpus = read_corpus(text_file, 6)
    train, held = corpus.split(1, rng=3)
    assert sorted(map(tuple, [*train, *held])) == sorted(map(tuple, corpus.stories))
    with pytest.raises(ValueError, match="n_test must be"):
        corpus.split(3, rng=3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "empty.txt: holds no story"),
        ("blank.txt", b"\n<|endoftext|>\n \n", "blank.txt: holds no story"),
        ("bytes.txt", b"fine\n\xff\xfe", "bytes.txt: not UTF-8"),
        ("cut.jsonl", b'{"text": "one"}\n{"text": "tw', "cut.jsonl, line 2: not JSON"),
        ("key.jsonl", b'{"story": "one"}', "key.jsonl, line 1: no text under the key 'text'"),
        ("list.jsonl", b"[1]", "list.jsonl, line 1: no text"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_corpus(tmp_path / name, 5)


def test_nothing_there(tmp_path, text_file):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        read_corpus(tmp_path / "nowhere", 5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: no .txt or .jsonl file"):
        read_corpus(tmp_path / "empty", 5)
    with pytest.raises(FileNotFoundError, match="with a tokenizer"):
        read_corpus(text_file, 5, tokenizer=tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"config.json"):
        load_gpt2(tmp_path)
    with pytest.raises(ValueError, match="words must begin with"):
        read_corpus(text_file, 5, words=["a", "b"])


def test_transformers_missing_is_said(tmp_path, text_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModuleNotFoundError, match=r"fragile-learning\[torch,llm\]"):
        read_corpus(text_file, 5, tokenizer=tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModuleNotFoundError, match=r"fragile-learning\[torch,llm\]"):
        load_gpt2(tmp_path)


# --- a tiny Hugging Face folder ---------------------------------------------------------------

LETTERS = [*"acdfgnorst.ĠĊ", "<|endoftext|>"]
END = 13

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None,
    reason="needs torch and transformers",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random GPT-2 of 2 layers, and a tokenizer of GPT-2's kind that knows no merges."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    place = tmp_path_factory.mktemp("gpt2")
    base = tokenizers.Tokenizer(
        tokenizers.models.BPE({letter: i for i, letter in enumerate(LETTERS)}, [])
    )
    base.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = tokenizers.decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=base, eos_token=LETTERS[-1], unk_token=LETTERS[-1]
    ).save_pretrained(place)
    config = transformers.GPT2Config(
        vocab_size=len(LETTERS),
        n_positions=24,
        n_embd=12,
        n_layer=2,
        n_head=3,
        bos_token_id=END,
        eos_token_id=END,
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        transformers.GPT2LMHeadModel(config).save_pretrained(place)
    return place


@needs_transformers
def test_tokenizer_of_a_local_folder(folder, text_file):
    corpus = read_corpus(text_file, 13, tokenizer=folder)
    assert (corpus.end, corpus.n_words, corpus.words) == (END, 14, ())
    for story, text in zip(corpus.stories, STORIES, strict=True):
        letters = [LETTERS.index({" ": "Ġ", "\n": "Ċ"}.get(letter, letter)) for letter in text]
        assert story.tolist() == [*letters, END, END][:13]
    assert story_mask(corpus.stories, END).sum(axis=1).tolist() == [12, 13, 12]


@needs_transformers
def test_scores_are_those_of_the_library(folder):
    import torch
    import transformers

    scorer = load_gpt2(folder)
    stories = torch.tensor([[0, 1, 3, 5, END, END], [0, 2, 4, 4, 4, 4]])
    network = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    for story, length, found in zip(stories, (5, 6), scorer.log_probability(stories), strict=True):
        tokens = torch.cat([torch.tensor([END]), story[:length]])
        # the library's own loss: mean over the tokens after the first
        loss = network(input_ids=tokens[None], labels=tokens[None]).loss
        assert float(found) == pytest.approx(-length * float(loss.detach()), rel=1e-5)
    short = load_gpt2(folder, context=4)
    assert short.generate(5, generator=torch.Generator().manual_seed(1)).shape == (5, 4)


@needs_transformers
def test_samples_of_a_local_model_follow_its_scores(folder):
    """First two words of 20,000 stories; false-alarm probability 1e-8."""
    import torch

    from fragile_learning.statistics import z_bound

    scorer = load_gpt2(folder, context=2)
    drawn = scorer.generate(20_000, generator=torch.Generator().manual_seed(3))
    stories, counts = torch.unique(drawn, dim=0, return_counts=True)
    chances = scorer.log_probability(stories).exp()
    assert float(chances.sum()) > 0.99
    z = (counts - 20_000 * chances) / (20_000 * chances * (1 - chances)).sqrt()
    common = 20_000 * chances > 100
    assert int(common.sum()) > 5
    assert float(z[common].abs().max()) < z_bound(1e-8, int(common.sum()))


@needs_transformers
def test_a_local_model_trains_without_global_randomness(folder, text_file):
    import torch

    from fragile_learning.strong_collapse import training

    stories = read_corpus(text_file, 13, tokenizer=folder).stories
    state = torch.random.get_rng_state()
    runs = []
    for _ in range(2):
        scorer = load_gpt2(folder)
        before, after = training.train_online(
            scorer,
            training.epochs(stories, 3, rng=1),
            token_budgets=[0, 3000],
            evaluate=lambda one: float(training.log_probability(one, stories).mean()),
        )
        runs.append(after)
        assert after > before + 1.0
    assert runs[0] == runs[1]
    assert torch.equal(torch.random.get_rng_state(), state)


@needs_transformers
def test_damaged_folders_are_named(folder, tmp_path, text_file):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="copy: the weights cannot be read"):
        load_gpt2(copy)
    weights.unlink()
    with pytest.raises(ValueError, match="copy: the weights cannot be read"):
        load_gpt2(copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ValueError, match="copy: must hold a model of type 'gpt2', got 'bert'"):
        load_gpt2(copy)
    (copy / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"copy: config.json cannot be read"):
        load_gpt2(copy)
    (copy / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="copy: no readable tokenizer"):
        read_corpus(text_file, 5, tokenizer=copy)
    with pytest.raises(ValueError, match="context must be"):
        load_gpt2(folder, context=25)
