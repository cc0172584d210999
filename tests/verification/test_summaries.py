"""Local Hugging Face models that summarise, on tiny random ones made here.

Statistical tests bound z-scores at FALSE_ALARM each.
"""

from __future__ import annotations

import importlib
import importlib.util
import math

import numpy as np
import pytest

from fragile_learning.causal_models import load_causal_lm
from fragile_learning.statistics import z_bound
from fragile_learning.verification import summaries
from fragile_learning.verification.summaries import (
    FineTuning,
    mean_log_probabilities,
    rouge_words,
    selected_students,
    tokenise_pairs,
    tune,
    write_summaries,
)

FALSE_ALARM = 1e-8
WORDS = [f"w{i}" for i in range(12)]
END, N_WORDS = 12, 13  # as many tokens as words, and one that ends a text


def present(*names):
    return all(importlib.util.find_spec(name) is not None for name in names)


needs_transformers = pytest.mark.skipif(
    not present("torch", "transformers", "tokenizers"), reason="needs torch and transformers"
)


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def folder(request, tmp_path_factory):
    """A tiny random model of each kind, with a tokenizer of words."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    torch = importlib.import_module("torch")
    if request.param == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=N_WORDS, n_positions=24, n_embd=16, n_layer=2, n_head=2
        )
    else:
        config = transformers.LlamaConfig(
            vocab_size=N_WORDS,
            max_position_embeddings=24,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(1)
        model = transformers.AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for tensor in model.parameters():
                tensor.add_(torch.randn(tensor.shape) * 0.3)
    place = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(place)
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {word: i for i, word in enumerate([*WORDS, "</s>"])}, unk_token="w0"
        )
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="</s>", clean_up_tokenization_spaces=False
    ).save_pretrained(place)
    return place


def pairs(count, seed=1):
    """Prompts of 3 to 6 tokens; the answer is the first token twice, then the end."""
    rng = np.random.default_rng(seed)
    prompts = [rng.integers(0, 12, rng.integers(3, 7)).tolist() for _ in range(count)]
    return prompts, [[prompt[0], prompt[0], END] for prompt in prompts]


def full_logs(model, tokens):
    torch = importlib.import_module("torch")
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].double().log_softmax(-1).numpy()


# --- words and tokens -------------------------------------------------------------------------


def test_words_of_rouge():
    assert rouge_words("It's 10% off!\n(Not 9.)") == ["it", "s", "10", "off", "not", "9"]
    with pytest.raises(TypeError, match="text must be a string"):
        rouge_words(["a"])


@needs_transformers
def test_texts_become_prompts_and_answers(folder):
    articles, texts = ["w1 w2 w3 w4 w5 w6 w7", "w8"], ["w1 w2 w3 w4", "w9"]
    prompts, answers = tokenise_pairs(
        articles, texts, folder, ending=" w11", max_length=9, max_summary=3
    )
    assert prompts == [[1, 2, 3, 4, 5, 11], [8, 11]]  # cut to 9 - 3 - 1 tokens
    assert answers == [[1, 2, 3], [9, END]]  # the first was cut
    with pytest.raises(ValueError, match="summaries must be 2 texts, got 1"):
        tokenise_pairs(articles, texts[:1], folder)
    with pytest.raises(ValueError, match="max_length must leave room"):
        tokenise_pairs(articles, texts, folder, ending="w1 w2", max_length=5, max_summary=3)


# --- models -----------------------------------------------------------------------------------


@needs_transformers
def test_scores_are_those_of_single_passes(folder):
    model = load_causal_lm(folder)
    prompts, _ = pairs(7)
    rng = np.random.default_rng(2)
    answers = [rng.integers(0, N_WORDS, rng.integers(1, 6)).tolist() for _ in prompts]
    found = mean_log_probabilities(model, prompts, answers, batch_size=3)
    for prompt, answer, score in zip(prompts, answers, found, strict=True):
        logs = full_logs(model, prompt + answer)
        expected = [logs[len(prompt) - 1 + i, token] for i, token in enumerate(answer)]
        assert score == pytest.approx(np.mean(expected), abs=1e-5)


@needs_transformers
def test_summaries_follow_the_models_law(folder):
    """The cache: the second token, given the first, against the model without a cache."""
    model, prompt = load_causal_lm(folder), [3, 1, 4]
    (written,) = write_summaries(
        model, [prompt], 2, end=END, n_candidates=6000, temperature=1.0, rng=1
    )
    assert all(len(row) == 2 or row == [END] for row in written)
    first = [row[0] for row in written]
    common = np.bincount(first, minlength=N_WORDS)[:END].argmax()
    second = [row[1] for row in written if row[0] == common]
    for before, drawn in ((prompt, first), ([*prompt, common], second)):
        law = np.exp(full_logs(model, list(map(int, before)))[-1])
        counts = np.bincount(drawn, minlength=N_WORDS)
        z = (counts - len(drawn) * law) / np.sqrt(len(drawn) * law * (1 - law))
        assert np.abs(z[len(drawn) * law > 30]).max() < z_bound(FALSE_ALARM, 2 * N_WORDS)
    even = 6000 / N_WORDS
    uniform = (np.bincount(first, minlength=N_WORDS) - even) / math.sqrt(even)
    assert np.abs(uniform).max() > 2 * z_bound(FALSE_ALARM, 2 * N_WORDS)  # negative control


@needs_transformers
def test_greedy_summaries_and_their_end(folder):
    model = load_causal_lm(folder)
    prompts, _ = pairs(6)
    written = write_summaries(model, prompts, 5, end=END, rng=1)
    for prompt, (row,) in zip(prompts, written, strict=True):
        tokens = list(prompt)
        for _ in range(5):
            tokens.append(int(full_logs(model, tokens)[-1].argmax()))
            if tokens[-1] == END:
                break
        assert row == tokens[len(prompt) :]
    # any token may be the one that ends
    (one,) = write_summaries(model, prompts[:1], 5, end=written[0][0][0], rng=1)
    assert one == [written[0][0][:1]]


CONFIG = FineTuning(learning_rate=2e-2, n_epochs=6, batch_size=16)


@needs_transformers
def test_fine_tuning_learns_and_is_repeatable(folder):
    torch = importlib.import_module("torch")
    prompts, answers = pairs(160)
    held, right = pairs(40, seed=2)
    before = torch.random.get_rng_state()

    def tuned(seed, config=CONFIG):
        model = load_causal_lm(folder)
        tune(model, prompts, answers, config, rng=seed)
        assert not model.training
        return mean_log_probabilities(model, held, right)

    start, one = mean_log_probabilities(load_causal_lm(folder), held, right), tuned(1)
    assert one.mean() > start.mean() + 1.0
    assert (tuned(1) == one).all()
    assert (tuned(2) != one).any()
    assert (tuned(1, FineTuning(learning_rate=2e-2, n_epochs=6, batch_size=16,
                                schedule="constant")) != one).any()  # fmt: skip
    assert (torch.random.get_rng_state() == before).all()


@needs_transformers
def test_only_the_answers_are_learnt(folder):
    """One step of plain gradient descent by hand on the tokens of the answers."""
    torch = importlib.import_module("torch")
    prompts, answers = pairs(4)
    model = load_causal_lm(folder)
    losses, inside = summaries._losses(model, prompts, answers)
    assert int(inside.sum()) == sum(map(len, answers))
    total = 0.0
    for prompt, answer in zip(prompts, answers, strict=True):
        logs = full_logs(model, prompt + answer)
        total -= sum(logs[len(prompt) - 1 + i, token] for i, token in enumerate(answer))
    assert float(losses.sum().detach()) == pytest.approx(total, rel=1e-5)
    assert torch.isfinite(losses).all()


@needs_transformers
def test_students_of_each_selector(folder):
    def texts(count, seed):
        rng = np.random.default_rng(seed)
        rows = rng.integers(1, 11, (count, 5))
        return (
            [" ".join(f"w{i}" for i in row) for row in rows],
            [f"w{row[0]} w{row[0]} w{row[1]}" for row in rows],
        )

    real, more, test = texts(64, 1), texts(48, 2), texts(24, 3)
    options = {
        "n_candidates": 2,
        "temperature": 1.0,
        "first": FineTuning(learning_rate=2e-2, n_epochs=8, batch_size=16),
        "second": FineTuning(learning_rate=1e-2, n_epochs=8, batch_size=8, schedule="constant"),
        "max_length": 16,
        "max_summary": 4,
        "rng": 5,
    }
    found = list(
        selected_students(
            folder, real, more, test, other=load_causal_lm(folder), fractions=(0.25,), **options
        )
    )
    assert [one.selector for one in found] == ["random", "self", "other", "oracle"]
    assert all(one.rates.n_examples == 96 and one.rates.n_kept == 24 for one in found)
    assert len({one.generator_rouge for one in found}) == 1
    by = {one.selector: one for one in found}
    assert by["oracle"].rates.psi == 0.0 or by["oracle"].rates.phi == 1.0
    assert by["oracle"].rates.p_star > by["random"].rates.p_star
    idle = options | {"first": FineTuning(learning_rate=1e-12, batch_size=16)}
    untaught = next(selected_students(folder, real, more, test, selectors=["random"], **idle))
    assert by["oracle"].generator_rouge > untaught.generator_rouge + 0.1
    assert all(0.0 <= one.rouge <= 1.0 for one in found)
    again = list(
        selected_students(
            folder, real, more, test, selectors=["oracle"], fractions=(0.25,), **options
        )
    )
    assert again == [by["oracle"]]  # whatever other students there are
    with pytest.raises(ValueError, match="other must be a model where selectors has 'other'"):
        next(selected_students(folder, real, more, test, **options))
    with pytest.raises(ValueError, match="selectors must be one of 'random'"):
        next(selected_students(folder, real, more, test, selectors=["best"], **options))


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be"),
        ({"schedule": "linear"}, ValueError, "schedule must be one of 'cosine', 'constant'"),
        ({"n_epochs": 0}, ValueError, "n_epochs must be"),
        ({"batch_size": 1.0}, TypeError, "batch_size must be"),
    ],
)
def test_bad_settings_are_named(fields, error, message):
    with pytest.raises(error, match=message):
        FineTuning(**fields)


@needs_transformers
def test_bad_input_is_named(folder):
    model = load_causal_lm(folder)
    for work, error, message in [
        (lambda: mean_log_probabilities(model, [[13]], [[1]]), ValueError, r"prompts\[0\]"),
        (lambda: mean_log_probabilities(model, [[1]], [[]]), ValueError, r"answers\[0\] must hold"),
        (lambda: mean_log_probabilities(model, [], []), ValueError, "prompts must hold"),
        (lambda: mean_log_probabilities(model, [[1]], [[1], [1]]), ValueError, "1 rows, got 2"),
        (lambda: write_summaries(model, [[1]], 0, end=1, rng=1), ValueError, "n_new"),
        (lambda: write_summaries(model, [[1]], 1, end=13, rng=1), ValueError, "end must be"),
        (
            lambda: write_summaries(model, [[1]], 1, end=1, temperature=-1.0, rng=1),
            ValueError,
            "temperature",
        ),
        (
            lambda: tune(model, [[1]], [[1]], FineTuning(), rng=1),
            ValueError,
            "batch_size must be <= 1 pairs, got 32",
        ),
        (
            lambda: tune(
                model, *pairs(32), FineTuning(learning_rate=1e30, n_epochs=9, batch_size=8), rng=1
            ),
            ValueError,
            "learning_rate must be small enough",
        ),
    ]:
        with pytest.raises(error, match=message):
            work()
