"""Both sides of the benchmark compute the same thing."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from fragile_learning.bayes import models  # noqa: E402
from fragile_learning.bayes.approximations import FitConfig  # noqa: E402
from fragile_learning.bayes.predict import Posterior  # noqa: E402


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "_report", raising=False)
    return importlib.import_module("bench_bayes")


def test_chains_have_one_law(bench):
    data, _ = bench.digits()
    start = bench.warmed(data, 8)
    stds = bench.PRIOR.standard_deviations(bench.NETWORK)
    found = []
    for draws in (bench.ours(data, start, 20, 3), bench.one_at_a_time(data, start, 10, 3)):
        weights = draws[:, 5:].flatten(0, 1)
        whitened = float((weights / stds).square().mean())
        logs = models.log_likelihoods(bench.NETWORK, weights, data).sum(1)
        found.append((whitened, float(logs.mean())))
    (ours, our_logs), (theirs, their_logs) = found
    # the mean square of 1,210 whitened weights scatters by about 4 % from draw to draw
    assert ours == pytest.approx(theirs, abs=0.05)
    assert our_logs == pytest.approx(their_logs, rel=0.15)


def test_all_ensembles_learn(bench):
    data, _ = bench.digits()
    config = FitConfig(n_epochs=40, batch_size=50)
    together = bench.together(data, 3, config)
    singles = [one.parameters for one in bench.member_by_member(data, 3, config)]
    logits = [
        together.logits(data.inputs),
        Posterior(bench.NETWORK, torch.cat(singles)).logits(data.inputs),
    ]
    inputs = (data.inputs - bench.NETWORK.shift) / bench.NETWORK.scale
    logits.append(torch.stack([m(inputs).detach() for m in bench.modules(data, 3, config)]))
    for found in logits:
        assert found.shape == (3, 300, 10)
        assert float((found.argmax(-1) == data.labels).float().mean()) > 0.85
