"""Other libraries, where they are installed: attacks, diagnostics and a second sampler.

None of them is needed by the package: ``pip install .[check]`` in an environment of its own.
"""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from fragile_learning.bayes import attacks, diagnostics  # noqa: E402
from fragile_learning.bayes.predict import Posterior, log_mean  # noqa: E402
from fragile_learning.bayes.samplers import hmc, joint_density  # noqa: E402

# other people's deprecations are not ours
pytestmark = pytest.mark.filterwarnings("ignore")
FALSE_ALARM = 1e-7  # of the test of two samplers


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "_report", raising=False)
    return importlib.import_module("bench_bayes")


@pytest.fixture
def posterior(bench):
    """16 draws of a network of digits, and 100 digits that it has not seen."""
    data, seen = bench.digits()
    draws = bench.ours(data, bench.warmed(data, 4), 20, 1)
    return Posterior.from_draws(bench.NETWORK, draws, n_samples=16), seen


class Mean(torch.nn.Module):
    """The logarithm of the predictive mean, for libraries that want logits of a module."""

    def __init__(self, posterior):
        super().__init__()
        self.posterior = posterior

    def forward(self, images):
        return log_mean(self.posterior(images.flatten(1)))


def right(posterior, inputs, labels):
    return attacks.predictive_log_mean(posterior, inputs).argmax(dim=1) == labels


def no_better(ours, theirs):
    """Whether fewer inputs stay right under our attack, up to two standard errors of a share."""
    n, share = len(theirs), float(theirs.float().mean())
    return float(ours.float().mean()) <= share + 2 * math.sqrt(share * (1 - share) / n)


def test_our_strongest_attack_leaves_no_more_than_theirs(posterior):
    peer = pytest.importorskip("torchattacks")
    samples, seen = posterior
    images, labels = seen.inputs, seen.labels
    radius = 0.1
    attack = peer.APGDT(Mean(samples).eval(), eps=radius, steps=20, n_classes=10, seed=1)
    moved = attack(images.view(-1, 1, 8, 8), labels).flatten(1)
    assert float((moved - images).abs().max()) <= radius + 1e-6
    theirs = right(samples, moved, labels)
    ours = attacks.pgd_targeted(samples, images, labels, radius=radius, n_steps=20)
    assert no_better(~ours.success, theirs)
    assert 0.0 < float(theirs.float().mean()) < 0.9
    # one step of the size of the radius is visibly weaker: the comparison can tell
    weak = attacks.fgsm(samples, images, labels, radius=radius / 2)
    assert not no_better(~weak.success, theirs)


def test_our_gradient_is_no_weaker_than_theirs(posterior):
    peer = pytest.importorskip("foolbox")
    samples, seen = posterior
    model = peer.PyTorchModel(Mean(samples).eval(), bounds=(0, 1), device="cpu")
    criterion = peer.criteria.Misclassification(seen.labels)
    moved = peer.attacks.LinfPGD(steps=20)(model, seen.inputs, criterion, epsilons=0.1)[1]
    ours = attacks.pgd(samples, seen.inputs, seen.labels, radius=0.1, objective="label")
    assert no_better(~ours.success, right(samples, moved, seen.labels))


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.5])
def test_diagnostics_are_those_of_arviz(correlation):
    array_stats = pytest.importorskip("arviz_stats.base").array_stats
    rng = np.random.default_rng(3)
    noise, chains = rng.standard_normal((4, 1000)), np.zeros((4, 1000))
    for i in range(1, 1000):
        chains[:, i] = correlation * chains[:, i - 1] + noise[:, i]
    for shift in (0.0, 1.0):
        draws = chains + shift * np.arange(4)[:, None]
        axes = {"chain_axis": 0, "draw_axis": 1}
        theirs = array_stats.rhat(draws, method="split", **axes)
        assert float(diagnostics.split_rhat(draws)) == pytest.approx(float(theirs), rel=1e-6)
        theirs = array_stats.ess(draws, method="mean", **axes)
        ours = float(diagnostics.effective_sample_size(draws))
        assert ours == pytest.approx(float(theirs), rel=0.02)


@pytest.mark.slow
def test_a_second_sampler_has_the_same_law(bench, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    pytest.importorskip("blackjax")
    n_chains, n_draws = 16, 40
    data, seen = bench.digits()
    start = bench.warmed(data, n_chains)

    def scores(draws):
        """Of each chain: mean probability of the right class at 20 inputs, mean square weight."""
        found = bench.probabilities(draws, seen)[..., :20].mean(axis=1)
        whitened = draws / bench.PRIOR.standard_deviations(bench.NETWORK)
        squares = whitened.square().mean(dim=(1, 2)).numpy()
        return np.column_stack([found, squares])

    def differ(one, other):
        found = stats.ttest_ind(one, other, equal_var=False).pvalue
        return bool((found < FALSE_ALARM / found.size).any())

    theirs = scores(bench.blackjax_chains(data, n_chains, n_draws)(start, 1))
    assert not differ(scores(bench.ours(data, start, n_draws, 1)), theirs)
    cold = hmc(
        joint_density(bench.NETWORK, data, bench.PRIOR, temperature=0.5),
        start,
        n_draws=n_draws,
        step_size=bench.STEP / 2,
        trajectory=bench.STEP * bench.STEPS,
        inverse_mass=bench.PRIOR.standard_deviations(bench.NETWORK) ** 2,
        rng=1,
    )
    assert differ(scores(cold.draws), theirs)
