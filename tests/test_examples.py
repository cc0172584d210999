"""Each public function and class shows its use: an example in its docstring that pytest runs."""

from __future__ import annotations

import doctest
import functools
import importlib
import inspect
import pkgutil

import pytest

import fragile_learning

pytest.importorskip("torch")  # half of the modules cannot be imported without it

_CHAINS = "needs a posterior that chains of Hamiltonian Monte Carlo take many seconds to draw"
_TOKENIZER = "needs a folder with a tokenizer and a language model, which does not come with us"

ROOMS = {
    "bayes",
    "debate",
    "distillation",
    "networks",
    "regression",
    "scaling_laws",
    "strong_collapse",
    "verification",
}

EXCEPT = {
    "bayes.modules.evaluate_cifar": "needs the files of CIFAR-10, and a GPU",
    "bayes.pitfall_experiments.attack_samples_point": _CHAINS,
    "bayes.pitfall_experiments.gradient_norms_point": _CHAINS,
    "bayes.pitfall_experiments.rescaled_logits_point": _CHAINS,
    "bayes.pitfall_experiments.weak_attacks_point": _CHAINS,
    "bayes.trained_experiments.mixing_point": _CHAINS,
    "scaling_laws.lora.fine_tune": _TOKENIZER,
    "scaling_laws.lora.lora_generations": _TOKENIZER,
    "scaling_laws.lora.token_blocks": _TOKENIZER,
    "verification.summaries.selected_students": _TOKENIZER,
    "verification.summaries.tokenise_pairs": _TOKENIZER,
}
"""Public names without an example, and why."""


def modules():
    """All modules of the package but the private ones."""
    found = pkgutil.walk_packages(fragile_learning.__path__, "fragile_learning.")
    names = [info.name for info in found]
    return [
        importlib.import_module(name)
        for name in names
        if not any(part.startswith("_") for part in name.split("."))
    ]


def needs_example(thing, module):
    """Whether something is a function or class of that module, and no exception or warning."""
    if getattr(thing, "__module__", None) != module:
        return False
    if inspect.isclass(thing):
        return not issubclass(thing, BaseException)
    return inspect.isfunction(inspect.unwrap(thing))


def has_example(thing):
    """Whether the docstring has a line that is run, not only lines that are skipped."""
    examples = doctest.DocTestParser().get_examples(thing.__doc__ or "")
    return any(not example.options.get(doctest.SKIP) for example in examples)


@pytest.fixture(scope="module")
def public():
    """What `modules` name in their ``__all__`` and define, by ``module.name``."""
    return {
        f"{module.__name__}.{name}".removeprefix("fragile_learning."): getattr(module, name)
        for module in modules()
        for name in getattr(module, "__all__", [])
        if needs_example(getattr(module, name), module.__name__)
    }


def test_every_module_says_what_is_public():
    silent = [
        module.__name__
        for module in modules()
        if not hasattr(module, "__all__")
        and any(needs_example(thing, module.__name__) for thing in vars(module).values())
    ]
    assert not silent


def test_every_public_name_has_an_example(public):
    assert {name.partition(".")[0] for name in public} >= ROOMS  # the walk has seen them all
    lacking = {name for name, thing in public.items() if not has_example(thing)}
    assert not sorted(lacking - set(EXCEPT))


@pytest.mark.parametrize("name", EXCEPT)
def test_what_is_excepted_is_there_and_has_none(public, name):
    assert name in public, f"{name} is no public name: take it off the list"
    assert not has_example(public[name]), f"{name} has an example: take it off the list"


def documented(text):
    """A function of this module with that docstring."""

    def function():
        pass

    function.__doc__ = text
    return function


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (None, False),
        ("Say nothing.", False),
        ("Show it.\n\n>>> 1 + 1\n2\n", True),
        ("Show it, not run.\n\n>>> 1 + 1  # doctest: +SKIP\n3\n", False),
        ("Show it, in part.\n\n>>> x = 1\n>>> x  # doctest: +SKIP\n3\n", True),
    ],
)
def test_only_lines_that_run_count(text, seen):
    assert has_example(documented(text)) is seen


def test_errors_and_what_is_defined_elsewhere_need_none():
    function = documented("Say nothing.")
    assert needs_example(function, __name__)
    assert needs_example(functools.lru_cache(function), __name__)
    assert not needs_example(function, "elsewhere")
    assert not needs_example(type("Wrong", (ValueError,), {"__module__": __name__}), __name__)
    assert not needs_example(1.0, __name__)
