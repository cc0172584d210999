"""Local Hugging Face causal language models, for the rooms that have an optional path for them.

Importing this module needs nothing; what it does needs PyTorch and transformers. Nothing is ever
downloaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["load_causal_lm", "load_tokenizer", "optional_module", "own_randomness"]


def optional_module(name: str) -> Any:
    """Import a module of the optional path.

    Raises
    ------
    ModuleNotFoundError
        If it is not there; the message says what to install.

    Examples
    --------
    >>> optional_module("json").dumps([1, 2])
    '[1, 2]'
    >>> optional_module("no_such_module")
    Traceback (most recent call last):
        ...
    ModuleNotFoundError: language models need no_such_module: pip install ...
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"language models need {name}: pip install 'fragile-learning[torch,llm]'"
        ) from None


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed what draws from torch's global state (dropout), and put that state back after.

    Examples
    --------
    >>> import torch
    >>> before = torch.get_rng_state()
    >>> draws = []
    >>> for _ in range(2):
    ...     with own_randomness(1):
    ...         draws.append(torch.rand(3))
    >>> torch.equal(*draws), torch.equal(before, torch.get_rng_state())
    (True, True)
    """
    torch = optional_module("torch")
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
        torch.cuda.manual_seed_all(seed)
        yield


def load_causal_lm(folder: Path | str, *, device: str = "cpu") -> Any:
    """Load a local causal language model.

    Parameters
    ----------
    folder : path
        With ``config.json`` and the weights as safetensors.
    device : str
        As PyTorch names it.

    Raises
    ------
    ModuleNotFoundError
        If transformers is not there.
    FileNotFoundError, ValueError
        If the folder holds no model that can be read; the message names it.

    Examples
    --------
    >>> load_causal_lm("no-such-folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: no-such-folder: no folder with a config.json
    """
    place = Path(folder)
    if not (place / "config.json").is_file():
        raise FileNotFoundError(f"{place}: no folder with a config.json")
    transformers = optional_module("transformers")
    try:
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            str(place), local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:
        raise ValueError(f"{place}: the model cannot be read: {error}") from error
    missing = sorted(set(report["missing_keys"]) - {"lm_head.weight"})
    if missing:
        raise ValueError(f"{place}: the weights lack {', '.join(missing[:3])}")
    return model.to(device).eval()


def load_tokenizer(folder: Path | str) -> Any:
    """Load a local tokenizer.

    Raises
    ------
    ModuleNotFoundError
        If transformers is not there.
    FileNotFoundError, ValueError
        If the folder holds no tokenizer that can be read; the message names it.

    Examples
    --------
    >>> load_tokenizer("no-such-folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: no-such-folder: no such folder with a tokenizer
    """
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: no such folder with a tokenizer")
    transformers = optional_module("transformers")
    try:
        return transformers.AutoTokenizer.from_pretrained(str(place), local_files_only=True)
    except Exception as error:
        raise ValueError(f"{place}: no readable tokenizer: {error}") from error
