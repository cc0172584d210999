"""The simulators against the laws, one chain by hand, and a wrong law that fails."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.debate import simulation, theory
from fragile_learning.statistics import mean_and_standard_error, z_bound

FALSE_ALARM = 1e-8  # of each test function
LAST = 6


def distance(samples, law):
    """Largest z of the generations, and the coarsest relative standard error."""
    mean, error = mean_and_standard_error(samples)
    return float(np.max(np.abs(mean - law) / error)), float(np.max(error / np.abs(law)))


def agrees(samples, law, *, power=0.05):
    worst, coarsest = distance(samples, np.asarray(law))
    assert coarsest < power
    assert worst < z_bound(FALSE_ALARM, n_checks=LAST), (worst, law)


LOOP_OF = {
    "replace": "replace",
    "accumulate, one design": "accumulate, one design",
    "accumulate, new designs": "accumulate, new designs",
    "real fresh, pooled": "real fresh",
}


@pytest.mark.parametrize("workflow", LOOP_OF)
def test_least_squares_follows_the_exact_laws(workflow):
    sizes = {"n_samples": 24, "n_features": 4}
    errors = simulation.simulate_least_squares(
        LOOP_OF[workflow], LAST, **sizes, n_replicates=3000, rng=1
    )
    law = theory.workflow_error(workflow, LAST, **sizes)
    agrees(errors / theory.one_fit(24, 4), law)


def test_a_wrong_law_is_refused():
    errors = simulation.simulate_least_squares(
        "accumulate, new designs", LAST, n_samples=24, n_features=4, n_replicates=3000, rng=1
    )
    worst, _ = distance(errors / theory.one_fit(24, 4), theory.replace(LAST))
    assert worst > 20
    errors = simulation.simulate_least_squares(
        "accumulate, new designs", LAST, n_samples=12, n_features=6, n_replicates=9000, rng=1
    )
    unit = theory.one_fit(12, 6)
    worst, _ = distance(errors / unit, theory.accumulate_shared_design(LAST))
    assert worst > z_bound(FALSE_ALARM, n_checks=LAST)
    agrees(errors / unit, theory.accumulate_new_designs(LAST, 12, 6))


@pytest.mark.parametrize("loop", simulation.LOOPS)
def test_many_rows_give_the_limits(loop):
    errors = simulation.simulate_least_squares(
        loop, LAST, n_samples=300, n_features=3, n_replicates=1500, rng=2
    )
    law = {
        "replace": theory.replace(LAST),
        "accumulate, one design": theory.accumulate_shared_design(LAST),
        "accumulate, new designs": theory.accumulate_shared_design(LAST),
        "accumulate, subsample": theory.subsample(LAST),
        "real kept": theory.kept_real(LAST, 0.5, 1.0),
        "real fresh": theory.fresh_real(LAST, 0.5, 1.0),
    }[loop]
    agrees(errors / theory.one_fit(300, 3), law)


def test_unequal_numbers_of_rows():
    sizes = {"n_synthetic": 30, "n_features": 4, "n_samples": 15}
    errors = simulation.simulate_least_squares(
        "real fresh", LAST, **sizes, weight=1 / 3, n_replicates=3000, rng=3
    )
    law = theory.pooled_least_squares(LAST, n_real=15, n_synthetic=30, n_features=4)
    agrees(errors / theory.one_fit(15, 4), law)


@pytest.mark.parametrize("n_samples", [2, 6])
def test_subsampled_means(n_samples):
    errors = simulation.simulate_mean(
        "accumulate, subsample", LAST, n_samples=n_samples, n_replicates=8000, rng=4
    )
    agrees(n_samples * errors, theory.subsample(LAST, n_samples))


@pytest.mark.parametrize(("real", "made", "weight"), [(4, 4, 0.618), (2, 8, 0.39), (6, 3, 0.9)])
def test_weighted_means(real, made, weight):
    sizes = {"n_samples": real, "n_synthetic": made, "weight": weight, "n_replicates": 8000}
    errors = real * simulation.simulate_mean("real fresh", LAST, **sizes, rng=5)
    agrees(errors, theory.fresh_real(LAST, weight, real / made))
    errors = real * simulation.simulate_mean("real kept", LAST, **sizes, rng=6)
    agrees(errors, theory.kept_real(LAST, weight, real / made))


def test_one_chain_by_hand():
    """The first two generations from the same stream, with numpy's least squares."""
    found = simulation.simulate_least_squares(
        "replace", 2, n_samples=9, n_features=2, n_replicates=1, rng=7
    )
    rng = np.random.default_rng(7)
    weights, expected = np.zeros(2), []
    for _ in range(2):
        design, noise = rng.standard_normal((9, 2)), rng.standard_normal(9)
        weights = np.linalg.lstsq(design, design @ weights + noise, rcond=None)[0]
        expected.append(weights @ weights)
    np.testing.assert_allclose(found[0], expected, rtol=1e-10)


START = {"normal": (0.3, 1.0, 0.0), "poisson": (2.0, 2.0, 0.0)}
START |= {"exponential": (2.0, 4.0, 1.0), "bernoulli": (0.3, 0.21, -1.0)}


@pytest.mark.parametrize("family", simulation.FAMILIES)
@pytest.mark.parametrize("workflow", ["replace", "accumulate"])
def test_families(family, workflow):
    start, variance, curvature = START[family]
    errors = simulation.simulate_family(
        family, workflow, LAST, n_samples=20, start=start, n_replicates=8000, rng=8
    )
    law = theory.family_error(workflow, LAST, n_samples=20, curvature=curvature)
    agrees(20 / variance * errors, law)


def test_logistic_regression_keeps_its_efficiency():
    ratios = {}
    for workflow in ("replace", "accumulate"):
        errors = simulation.simulate_logistic(
            workflow, 5, n_samples=400, coefficients=(1.0, -0.5), n_replicates=400, rng=9
        )
        ratios[workflow] = errors[:, -1].mean() / errors[:, 0].mean()
    assert ratios["replace"] > 4
    assert 1.2 < ratios["accumulate"] < 1.8
    with pytest.raises(RuntimeError, match="converged on 20 rows"):
        simulation.simulate_logistic(
            "replace", 9, n_samples=20, coefficients=(40.0,), n_replicates=200, rng=9
        )


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("workflow", ["replace", "accumulate"])
def test_gaussian_chain(workflow, unbiased):
    draws = simulation.simulate_gaussian(
        workflow, LAST, n_samples=8, unbiased=unbiased, n_replicates=8000, rng=10
    )
    law = theory.gaussian_chain(workflow, LAST, n_samples=8, unbiased=unbiased)
    agrees(draws.variance, law.variance)
    agrees(draws.mean**2, law.mean_error)


def test_typical_chains_lose_their_variance():
    draws = simulation.simulate_gaussian("replace", 60, n_samples=6, n_replicates=3000, rng=11)
    drift, spread = theory.log_variance_drift(6)
    logs = np.log(draws.variance[:, -1])
    assert abs(logs.mean() - 60 * drift) < 5.5 * np.sqrt(60 * spread / 3000)
    assert logs.var() == pytest.approx(60 * spread, rel=0.15)


@pytest.mark.parametrize("workflow", ["replace", "accumulate"])
def test_kernel_chain(workflow):
    sizes = {"separation": 2.0, "spread": 0.5, "bandwidth": 0.5}
    draws = simulation.simulate_kernel_chain(
        workflow, LAST, n_samples=25, gap=0.6, n_replicates=4000, rng=12, **sizes
    )
    agrees(
        draws.second_moment,
        theory.smoothed_variance(workflow, LAST, variance=4.25, bandwidth=0.5),
    )
    agrees(draws.gap_share, theory.gap_mass(workflow, LAST, gap=0.6, **sizes))
    if workflow == "replace":
        law = theory.sample_variance_of_kernel_chain(
            LAST, n_samples=25, variance=4.25, bandwidth=0.5
        )
        agrees(draws.sample_variance, law)


def test_blocks_do_not_change_the_law(monkeypatch):
    monkeypatch.setattr(simulation, "_BLOCK", 500)
    errors = simulation.simulate_mean("real fresh", 3, n_samples=4, n_replicates=5000, rng=13)
    assert (errors > 0).all()
    agrees(4 * errors, theory.fresh_real(3, 0.5, 1.0))


def test_a_seed_gives_the_same_draws():
    one, two = (
        simulation.simulate_mean("replace", 3, n_samples=4, n_replicates=5, rng=seed)
        for seed in (1, np.random.default_rng(1))
    )
    np.testing.assert_array_equal(one, two)


SIZES = {"n_samples": 9, "n_replicates": 3, "rng": 1}
KERNEL = {"separation": 1.0, "spread": 1.0, "bandwidth": 1.0, "gap": 1.0}
BAD = [
    (simulation.simulate_least_squares, ("keep", 3), {"n_features": 2}, "loop must be one of"),
    (simulation.simulate_least_squares, ("replace", 0), {"n_features": 2}, "n_generations"),
    (simulation.simulate_least_squares, ("replace", 3), {"n_features": 9}, "n_samples"),
    (
        simulation.simulate_least_squares,
        ("replace", 3),
        {"n_features": 2, "n_synthetic": 8},
        "n_synthetic must be n_samples = 9 if no real data are mixed in, got 8",
    ),
    (simulation.simulate_mean, ("real fresh", 3), {"weight": 0.0}, "weight"),
    (simulation.simulate_mean, ("real fresh", 3), {"n_replicates": 0}, "n_replicates"),
    (simulation.simulate_mean, ("real fresh", 3), {"rng": -1}, "rng"),
    (simulation.simulate_family, ("gamma", "replace", 3), {"start": 1}, "family"),
    (simulation.simulate_family, ("poisson", "replace", 3), {"start": 0}, "start"),
    (simulation.simulate_family, ("bernoulli", "replace", 3), {"start": 1}, "start"),
    (simulation.simulate_family, ("normal", "mix", 3), {"start": 1}, "workflow"),
    (simulation.simulate_logistic, ("replace", 3), {"coefficients": (1.0,)}, "n_samples"),
    (simulation.simulate_gaussian, ("replace", 3), {"n_samples": 1}, "n_samples"),
    (simulation.simulate_kernel_chain, ("replace", 3), {**KERNEL, "gap": 0}, "gap"),
    (simulation.simulate_kernel_chain, ("mix", 3), KERNEL, "workflow"),
]


@pytest.mark.parametrize(("function", "arguments", "keywords", "message"), BAD)
def test_bad_input_is_named(function, arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments, **{**SIZES, **keywords})
