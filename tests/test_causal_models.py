"""Loading of local language models: what is refused, and whose randomness is used.

What the loaded models do is tested in the rooms that use them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

import pytest

from fragile_learning.causal_models import (
    load_causal_lm,
    load_tokenizer,
    optional_module,
    own_randomness,
)


def present(*names):
    return all(importlib.util.find_spec(name) is not None for name in names)


needs_transformers = pytest.mark.skipif(
    not present("torch", "transformers"), reason="needs torch and transformers"
)


def test_missing_packages_are_named(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    for call in (lambda: load_causal_lm(tmp_path), lambda: load_tokenizer(tmp_path)):
        with pytest.raises(ModuleNotFoundError, match=r"need transformers: .*\[torch,llm\]"):
            call()
    assert optional_module("math").sqrt(4.0) == 2.0


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder with a config"):
        load_causal_lm(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder with a tokenizer"):
        load_tokenizer(tmp_path / "nowhere")


@needs_transformers
def test_damaged_folders_are_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="the model cannot be read"):
        load_causal_lm(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="no readable tokenizer"):
        load_tokenizer(tmp_path)


@needs_transformers
def test_lost_weights_are_named(tmp_path):
    transformers = importlib.import_module("transformers")
    safetensors = importlib.import_module("safetensors.torch")
    config = transformers.GPT2Config(vocab_size=5, n_positions=4, n_embd=4, n_layer=1, n_head=1)
    with own_randomness(1):
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    assert not load_causal_lm(tmp_path).training
    path = tmp_path / "model.safetensors"
    weights = safetensors.load_file(path)
    weights.pop("transformer.wpe.weight")
    safetensors.save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"the weights lack transformer\.wpe\.weight"):
        load_causal_lm(tmp_path)


@pytest.mark.skipif(not present("torch"), reason="needs torch")
def test_randomness_is_seeded_and_put_back():
    torch = importlib.import_module("torch")
    before = torch.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        with own_randomness(seed):
            drawn.append(torch.rand(4).tolist())
    assert drawn[0] == drawn[1] != drawn[2]
    assert (torch.get_rng_state() == before).all()
