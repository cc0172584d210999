"""Links from the library's pages lead to the lines that define each name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import book_source

ROOT = Path(__file__).resolve().parents[1]
HOME = {"repository": "https://example.org/o/n", "branch": "main"}


def lines(address):
    start, _, span = address.partition("#")
    path = ROOT / start.removeprefix("https://example.org/o/n/blob/main/")
    first, last = (int(part.removeprefix("L")) for part in span.split("-"))
    return path.read_text(encoding="utf-8").splitlines()[first - 1 : last]


@pytest.mark.parametrize(
    ("module", "name", "first", "inside"),
    [
        ("fragile_learning.tables", "read_table", "def read_table(", "return"),
        ("fragile_learning.claims", "Verdict", "class Verdict:", "measured: str"),
        ("fragile_learning.sweeps", "Experiment.run", "    def run(", "run_sweep("),
        ("fragile_learning.sweeps", "BACKENDS", "BACKENDS = ", "serial"),
        ("fragile_learning.claims", "Verdict.measured", "    measured: str", "measured"),
        ("fragile_learning", "__version__", "__version__ = ", "__version__"),
    ],
)
def test_the_lines_are_those_of_the_definition(module, name, first, inside):
    found = lines(book_source.address(module, name, **HOME))
    assert found[0].startswith(first)
    assert any(inside in line for line in found)


@pytest.mark.parametrize(
    ("module", "name"),
    [("numpy", "array"), ("fragile_learning.tables", "nothing"), ("fragile_learning.no", "x")],
)
def test_what_is_not_ours_has_no_address(module, name):
    assert book_source.address(module, name, **HOME) is None


def test_sphinx_asks_for_our_addresses():
    options = {"repository_url": "https://example.org/o/n/", "repository_branch": "main"}
    config = SimpleNamespace(html_theme_options=options)
    book_source.on_config(None, config)
    found = config.linkcode_resolve("py", {"module": "fragile_learning.cli", "fullname": "main"})
    assert lines(found)[0].startswith("def main(")
    assert config.linkcode_resolve("c", {"module": "x", "fullname": "y"}) is None
    assert config.linkcode_resolve("py", {"module": "", "fullname": "y"}) is None
