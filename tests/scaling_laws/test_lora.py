"""Fine-tuning of local Hugging Face models on tiny random ones made here.

Statistical tests bound z-scores at FALSE_ALARM each.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys

import numpy as np
import pytest

from fragile_learning.scaling_laws import lora
from fragile_learning.scaling_laws.lora import (
    LoraConfig,
    _draw,
    continuations,
    fine_tune,
    load_causal_lm,
    lora_generations,
    perplexity,
    token_blocks,
)
from fragile_learning.statistics import z_bound

FALSE_ALARM = 1e-8
LETTERS = "abcdefgh"
N_WORDS = 12


def present(*names):
    return all(importlib.util.find_spec(name) is not None for name in names)


needs_transformers = pytest.mark.skipif(
    not present("torch", "transformers"), reason="needs torch and transformers"
)
needs_peft = pytest.mark.skipif(
    not present("torch", "transformers", "peft"), reason="needs torch, transformers and peft"
)


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def folder(request, tmp_path_factory):
    """A tiny random model of each kind."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch = importlib.import_module("torch")
    if request.param == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=N_WORDS, n_positions=16, n_embd=16, n_layer=2, n_head=2
        )
    else:
        config = transformers.LlamaConfig(
            vocab_size=N_WORDS,
            max_position_embeddings=16,
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
    return place


def text(n_blocks, seed=1):
    """Blocks in which each token is the one before plus one, or any: 3 nats to learn from."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, N_WORDS, (n_blocks, 10))
    for i in range(1, 10):
        follow = rng.random(n_blocks) < 0.8
        rows[follow, i] = (rows[follow, i - 1] + 1) % N_WORDS
    return rows


# --- sampling, without any model --------------------------------------------------------------


def test_draws_follow_temperature_and_top_p():
    logits = np.log(np.array([0.4, 0.05, 0.3, 0.2, 0.05]))
    many = np.repeat(logits[None], 40_000, axis=0)
    kept = {1.0: [0, 1, 2, 3, 4], 0.71: [0, 2, 3], 0.69: [0, 2], 0.4: [0], 1e-9: [0]}
    for heat in (1.0, 2.0):
        law = np.exp(logits / heat) / np.exp(logits / heat).sum()
        for mass, head in kept.items():
            if heat == 2.0 and mass not in (1.0, 1e-9):
                continue
            counts = np.bincount(_draw(many, heat, mass, np.random.default_rng(1)), minlength=5)
            chances = law[head] / law[head].sum()
            assert counts[head].sum() == 40_000
            spread = np.sqrt(40_000 * chances * (1 - chances))
            off = np.abs(counts[head] - 40_000 * chances)
            assert (off <= z_bound(FALSE_ALARM, 5) * spread + 1e-6).all()
    assert (_draw(many[:9], 0.0, 0.5, np.random.default_rng(1)) == 0).all()


# --- models -----------------------------------------------------------------------------------


@needs_transformers
def test_perplexity_is_that_of_the_models_own_logits(folder):
    torch = importlib.import_module("torch")
    model, rows = load_causal_lm(folder), text(7)
    with torch.no_grad():
        logs = model(torch.as_tensor(rows)).logits.double().log_softmax(-1).numpy()
    for prompt in (1, 4):
        cost = [-logs[b, i - 1, rows[b, i]] for b in range(7) for i in range(prompt, rows.shape[1])]
        found = perplexity(model, rows, n_prompt=prompt, batch_size=3)
        assert found == pytest.approx(math.exp(np.mean(cost)), rel=1e-5)


@needs_transformers
def test_continuations_follow_the_models_law(folder):
    """The cache: the second new token, given the first, against the model without a cache."""
    torch = importlib.import_module("torch")
    model = load_causal_lm(folder)
    prompts = np.repeat([[3, 1, 4]], 6000, axis=0)
    written = continuations(model, prompts, 2, batch_size=2500, rng=1)
    first = np.bincount(written[:, 0], minlength=N_WORDS).argmax()
    for prompt, drawn in (
        ([3, 1, 4], written[:, 0]),
        ([3, 1, 4, first], written[written[:, 0] == first, 1]),
    ):
        with torch.no_grad():
            law = model(torch.as_tensor([prompt])).logits[0, -1].double().softmax(-1).numpy()
        counts = np.bincount(drawn, minlength=N_WORDS)
        z = (counts - drawn.size * law) / np.sqrt(drawn.size * law * (1 - law))
        assert np.abs(z[drawn.size * law > 30]).max() < z_bound(FALSE_ALARM, 2 * N_WORDS)
    uniform = (np.bincount(written[:, 0], minlength=N_WORDS) - 500) / math.sqrt(500)
    assert np.abs(uniform).max() > 2 * z_bound(FALSE_ALARM, 2 * N_WORDS)  # negative control
    greedy = continuations(model, prompts[:2], 3, temperature=0.0, rng=1)
    assert (greedy[0] == greedy[1]).all()
    assert continuations(model, prompts[:2], 0, rng=1).shape == (2, 0)


CONFIG = LoraConfig(n_steps=60, batch_size=16, learning_rate=3e-2, dropout=0.05)


@needs_peft
def test_fine_tuning_learns_and_is_repeatable(folder):
    torch = importlib.import_module("torch")
    rows, held = text(200), text(60, seed=2)
    before = torch.random.get_rng_state()

    def tuned(seed):
        return fine_tune(load_causal_lm(folder), rows, CONFIG, n_prompt=5, rng=seed)

    base = load_causal_lm(folder)
    one, same, other = tuned(1), tuned(1), tuned(2)
    start, end = (perplexity(model, held, n_prompt=5) for model in (base, one))
    assert end < 0.7 * start
    assert perplexity(same, held, n_prompt=5) == end
    assert perplexity(other, held, n_prompt=5) != end
    assert (torch.random.get_rng_state() == before).all()
    changed = [
        name
        for (name, new), old in zip(one.named_parameters(), base.parameters(), strict=True)
        if (new != old).any()
    ]
    assert changed  # adapters sit on the attention alone
    assert all("c_attn" in name or "q_proj" in name or "v_proj" in name for name in changed)
    difference = (
        dict(one.named_parameters())[changed[0]] - dict(base.named_parameters())[changed[0]]
    )
    small = fine_tune(
        load_causal_lm(folder), rows, LoraConfig(rank=2, n_steps=5, learning_rate=0.1), rng=1
    )
    low = dict(small.named_parameters())[changed[0]] - dict(base.named_parameters())[changed[0]]
    assert int(torch.linalg.matrix_rank(low.detach(), tol=1e-4)) == 2
    assert int(torch.linalg.matrix_rank(difference.detach(), tol=1e-4)) <= 8


@needs_peft
def test_generations_start_from_the_base_model_anew(folder):
    """With a rate of next to nothing every generation is the base model."""
    rows, held = text(40), text(60, seed=2)
    config = LoraConfig(n_steps=1, batch_size=4, learning_rate=1e-12)
    found = list(lora_generations(folder, rows, held, 2, config=config, rng=3))
    base = perplexity(load_causal_lm(folder), held, n_prompt=5)
    assert [one.perplexity for one in found] == pytest.approx([base] * 3, rel=1e-4)


@needs_transformers
def test_generations_learn_from_continuations(folder, monkeypatch):
    """Prompts stay, endings are those of the model before, a part of them stays real."""
    read = []

    def keep(model, data, config, *, n_prompt, rng):
        read.append(data.copy())
        return model

    monkeypatch.setattr(lora, "fine_tune", keep)
    rows = text(400)
    common = {"config": LoraConfig(), "n_prompt": 6, "temperature": 0.0, "rng": 3}
    for share in (0.0, 0.3, 1.0):
        read.clear()
        found = list(lora_generations(folder, rows, rows, 2, real_fraction=share, **common))
        assert len(found) == len(read) == 3
        assert (read[0] == rows).all()
        greedy = continuations(load_causal_lm(folder), rows[:, :6], 4, temperature=0.0, rng=1)
        for data, one in zip(read[1:], found[1:], strict=True):
            assert (data[:, :6] == rows[:, :6]).all()
            real = (data[:, 6:] == rows[:, 6:]).all(axis=1)
            written = (data[:, 6:] == greedy).all(axis=1)
            assert (real | written).all()
            spread = math.sqrt(share * (1 - share) / 400)
            assert abs(real.mean() - share) <= z_bound(FALSE_ALARM) * spread + 0.02
            assert one.n_types == len(set(data[:, 6:].ravel()))


# --- what is refused --------------------------------------------------------------------------


def test_missing_packages_are_named(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    for call in (lambda: load_causal_lm(tmp_path), lambda: token_blocks("a", tmp_path, 2)):
        with pytest.raises(ModuleNotFoundError, match=r"transformers.*\[torch,llm\]"):
            call()


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder with a config"):
        load_causal_lm(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder with a tokenizer"):
        token_blocks("a", tmp_path / "nowhere", 2)


@needs_transformers
def test_damaged_folders_are_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="the model cannot be read"):
        load_causal_lm(tmp_path)


@needs_transformers
def test_a_text_becomes_blocks(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    transformers = importlib.import_module("transformers")
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({letter: i for i, letter in enumerate(LETTERS)}, "a")
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner).save_pretrained(tmp_path)
    assert token_blocks("a b c d e f g", tmp_path, 3).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"rank": 0}, ValueError, "rank must be"),
        ({"dropout": 1.0}, ValueError, "dropout must be"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be"),
        ({"targets": "q_proj"}, TypeError, "targets must be a tuple of names"),
    ],
)
def test_bad_settings_are_named(fields, error, message):
    with pytest.raises(error, match=message):
        LoraConfig(**fields)


@needs_transformers
def test_bad_input_is_named(folder):
    model = load_causal_lm(folder)
    with pytest.raises(ValueError, match=r"blocks must hold tokens in \[0, 11\], got 0 to 12"):
        perplexity(model, [[0, 12]])
    with pytest.raises(ValueError, match="n_prompt must be"):
        perplexity(model, [[0, 1]], n_prompt=2)
    with pytest.raises(TypeError, match="prompts must be an array of integers"):
        continuations(model, [[0.5]], 1, rng=1)
    with pytest.raises(ValueError, match="top_p must be"):
        continuations(model, [[1]], 1, top_p=0.0, rng=1)
    with pytest.raises(ValueError, match="held must have rows of 3 tokens, got 2"):
        next(lora_generations(folder, [[1, 2, 3]], [[1, 2]], 1, rng=1))


@needs_peft
def test_wrong_targets_and_batches_are_refused(folder):
    model = load_causal_lm(folder)
    with pytest.raises(ValueError, match="batch_size must be <= 2 blocks, got 8"):
        fine_tune(model, [[1, 2]] * 2, LoraConfig(), rng=1)
    with pytest.raises(ValueError, match="targets must name matrices of the model"):
        fine_tune(model, [[1, 2]] * 9, LoraConfig(targets=("nothing",)), rng=1)
