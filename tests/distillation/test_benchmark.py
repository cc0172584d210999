"""Both sides of the benchmark compute the same gradient."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from fragile_learning.distillation.meta_gradient import MetaGradients  # noqa: E402
from fragile_learning.distillation.settings import Window  # noqa: E402


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "_report", raising=False)
    return importlib.import_module("bench_distillation")


@pytest.mark.parametrize(
    ("shape", "widths", "n_networks"),
    [((20,), (8,), 1), ((20,), (9,), 3), ((1, 8, 8), None, 1)],
)
def test_gradients_are_one(bench, shape, widths, n_networks):
    # no unit is dead here: the reference's root of 0 has an infinite slope
    case = bench.Case("small", shape, widths, Window(6, 4), 16, n_networks, outer_chunk=8)
    module, given = bench.data(case, torch.float64)
    expected = bench.unrolled(module, *given, case.run)
    engine = MetaGradients(module, bench.ADAM, outer_chunk=8)
    found = engine(*given, case.run).images
    assert (found - expected).norm() < 1e-10 * expected.norm()


def test_operations_are_counted_by_hand(bench):
    case = bench.Case("small", (20,), (8,), Window(6, 4), 16)
    assert bench.layer_operations(case.module, torch.zeros(20)) == [2 * 20 * 8, 2 * 8 * 10]
    conv = bench.CASES["D"]
    expected = [2 * 32 * 32 * 128 * 9, 2 * 16 * 16 * 128 * 1152, 2 * 8 * 8 * 128 * 1152]
    found = bench.layer_operations(conv.module, torch.zeros(1, 28, 28))
    assert found == [*expected, 2 * 2048 * 10]
