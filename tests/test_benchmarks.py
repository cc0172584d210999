"""Both sides of each benchmark compute the same thing; a missed goal is a failure."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from fragile_learning.regression.simulation import simulate_excess_risk
from fragile_learning.scaling_laws.simulation import simulate_chain
from fragile_learning.scaling_laws.theory import hutter_error
from fragile_learning.statistics import z_bound
from fragile_learning.strong_collapse.simulation import simulate_excess_risk as simulate_mixture
from fragile_learning.verification import theory as verification

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
FALSE_ALARM = 1e-8


@pytest.fixture
def bench(monkeypatch):
    """Import a benchmark by name."""

    def load(name):
        monkeypatch.syspath_prepend(str(FOLDER))
        monkeypatch.delitem(sys.modules, "_report", raising=False)
        return importlib.import_module(name)

    return load


def test_equivalents_are_those_of_the_plain_iteration(bench):
    module = bench("bench_equivalents")
    samples, ridges = module.points(3, 3)
    samples = samples / 100  # from 10 to 100,000 for 2,000 features
    expected, _ = module.plain(*module.plain_inputs(2000), 0.3, samples, ridges)
    assert module.ours(2000, samples, ridges) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("kind", ["least squares", "ridge"])
@pytest.mark.parametrize("fit", ["by_library", "by_normal_equations"])
def test_simulations_have_one_mean(bench, kind, fit):
    module = bench("bench_simulation")
    chain = module.chain_of(kind, 8, 30)
    rng = np.random.default_rng(1)
    ours = simulate_excess_risk(chain, 1000, rng=rng).total
    plain = np.array([module.plain_risk(chain, getattr(module, fit), rng) for _ in range(1000)])
    error = np.sqrt((ours.var(ddof=1) + plain.var(ddof=1)) / 1000)
    bound = z_bound(FALSE_ALARM) * error
    assert abs(ours.mean() - plain.mean()) < bound
    assert bound < 0.2 * plain.mean()


def test_the_law_of_a_mixture_is_that_of_the_scalar_solver(bench):
    module = bench("bench_strong_collapse")
    widths = module.widths_of(100, 12)
    expected = module.plain(300, (60, 400), widths)
    assert module.ours(300, (60, 400), widths) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", ["least squares", "ridge", "projection"])
def test_mixtures_have_one_mean(bench, kind):
    module = bench("bench_strong_collapse")
    mixture = module.mixture_of(kind, 9, 40)
    rng = np.random.default_rng(2)
    ours = simulate_mixture(mixture, 2000, rng=rng).total
    plain = np.array([module.plain_risk(mixture, rng) for _ in range(2000)])
    error = np.sqrt((ours.var(ddof=1) + plain.var(ddof=1)) / 2000)
    bound = z_bound(FALSE_ALARM) * error
    assert abs(ours.mean() - plain.mean()) < bound
    assert bound < 0.2 * plain.mean()


def test_errors_of_a_memoriser_are_direct_sums(bench):
    module = bench("bench_scaling_laws")
    for size in (10.0, 1000.0):  # beyond the last rank is 1e-10 of the mass
        assert hutter_error(3.0, size) == pytest.approx(module.direct(3.0, size, 100_000), rel=1e-6)


@pytest.mark.parametrize("plain", ["plain_chain", "copied_chain"])
def test_chains_of_samples_have_one_mean(bench, plain):
    module = bench("bench_scaling_laws")
    sizes, rng = [60, 60, 60], np.random.default_rng(3)
    ours = simulate_chain(2.0, sizes, 1000, rng=rng).items
    theirs = np.array([getattr(module, plain)(2.0, sizes, rng) for _ in range(1000)])
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / 1000)
    bound = z_bound(FALSE_ALARM) * error
    assert np.all(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < bound)
    assert np.all(bound < 0.2 * theirs.mean(axis=0))


@pytest.mark.parametrize("loss", ["ridge", "logistic"])
def test_accuracies_of_a_grid_are_those_of_its_points(bench, loss):
    module = bench("bench_verification")
    p, n = module.grid(3)
    law, one = getattr(verification, f"accuracy_{loss}"), getattr(module, f"plain_{loss}")
    found = module.ours(law, p, n).ravel()
    assert found == pytest.approx(module.plain(one, p, n), abs=1e-5)  # 121 Gauss-Hermite nodes
    assert found == pytest.approx(module.by_point(law, p, n), abs=1e-9)


def test_sweeps_compute_each_point_once(bench):
    distributed = pytest.importorskip("distributed")
    module = bench("bench_cluster")
    with (
        distributed.LocalCluster(2, processes=False, dashboard_address=None) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        ours = module.ours(30, backend="dask", cluster=local.scheduler_address)
        theirs = module.plain(client, 30)
    assert np.floor(ours["u"]).tolist() == list(range(30))
    assert sorted(np.floor([found["u"] for found in theirs])) == list(range(30))
    assert module.ours(30).equals(ours)


def test_memory_is_measured(bench):
    module = bench("bench_simulation")
    assert module.peak_memory(600) > 300 * 300 * 8


def test_imports_run_in_a_fresh_interpreter(bench):
    module = bench("bench_import")
    assert module.start("import sys; print('numpy' in sys.modules)").strip() == "False"


def test_a_missed_goal_fails(bench, capsys):
    report = bench("_report")
    good = report.Line("ratio", 30.0, "x", 20.0)
    bad = report.Line("slope", 1.2, "", 1.05, at_most=True)
    assert report.report("title", [good]) == 0
    assert report.report("title", [good, bad]) == 1
    assert "MISSED" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        report.main("title", lambda: [bad])
