"""The simulator against a plain simulation and against the exact finite-size laws."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.stats import ks_2samp

from fragile_learning.regression import Chain, Stage
from fragile_learning.regression.simulation import simulate_excess_risk
from fragile_learning.regression.theory import exact_excess_risk, excess_risk, finite_size_scale
from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import check_mean, z_bound

FALSE_ALARM = 1e-8  # of each test function: about 20 of them stay below 1e-6 together
D = 12
ANISOTROPIC = Spectrum.power_law(D, 1.0)
TARGET = np.linspace(1.0, -0.5, D)


def plain_excess_risk(chain: Chain, rng: np.random.Generator) -> float:
    """Build every design, draw every label, fit, and measure: one replicate."""
    root = np.sqrt(chain.spectrum.eigenvalues)
    weights, shared = chain.target, None
    for index, stage in enumerate(chain.stages):
        design = rng.standard_normal((stage.n_samples, root.size)) * root
        if chain.shared_design and index < chain.n_generations:
            shared = design if shared is None else shared
            design = shared
        labels = design @ weights + stage.noise_std * rng.standard_normal(stage.n_samples)
        if stage.ridge == 0:
            weights = np.linalg.pinv(design) @ labels
        else:
            gram = design.T @ design + stage.n_samples * stage.ridge * np.eye(root.size)
            weights = np.linalg.solve(gram, design.T @ labels)
    return float(np.sum((root * (weights - chain.target)) ** 2))


CHAINS = {
    "clean ridge": Chain(ANISOTROPIC, TARGET, [Stage(20, 0.1, 0.5)]),
    "clean, few samples": Chain(ANISOTROPIC, TARGET, [Stage(5, 0.1, 0.5)]),
    "ridge generators": Chain(
        ANISOTROPIC, TARGET, [Stage(20, 0.1, 0.4), Stage(6, 0.2, 0.3), Stage(16, 0.1, 0.2)]
    ),
    "a quiet generator before a noisy one": Chain(
        ANISOTROPIC, TARGET, [Stage(20, 0.1), Stage(6, 0.2, 1.5), Stage(16, 0.1, 0.2)]
    ),
    "shared ridge generators": Chain(
        ANISOTROPIC, TARGET, [Stage(20, 0.1, 0.4), Stage(20, 0.3, 0.3), Stage(9, 0.1, 0.2)], True
    ),
    "projecting generators": Chain(
        ANISOTROPIC, TARGET, [Stage(6, 0.0, 0.4)] * 3 + [Stage(30, 0.0, 0.2)]
    ),
    "shared projection": Chain(
        ANISOTROPIC, TARGET, [Stage(6, 0.0, 0.4)] * 3 + [Stage(30, 0.05, 0.2)], True
    ),
    "full-rank generators, ridge student": Chain(
        ANISOTROPIC, TARGET, [Stage(24, 0.0, 0.4), Stage(18, 0.0, 0.3), Stage(16, 0.2, 0.2)]
    ),
    "full-rank generators, small ridge student": Chain(
        ANISOTROPIC, TARGET, [Stage(24, 0.0, 0.4)] * 2 + [Stage(5, 0.2, 0.2)]
    ),
    "shared full-rank generators, ridge student": Chain(
        ANISOTROPIC, TARGET, [Stage(24, 0.0, 0.4)] * 3 + [Stage(16, 0.2, 0.2)], True
    ),
    "shared full-rank generators": Chain(
        ANISOTROPIC, TARGET, [Stage(24, 0.0, 0.4)] * 3 + [Stage(30, 0.0, 0.2)], True
    ),
    "shared design, one with ridge": Chain(
        ANISOTROPIC,
        TARGET,
        [Stage(24, 0.0, 0.4), Stage(24, 0.3, 0.3), Stage(24, 0.0, 0.5), Stage(30, 0.0, 0.2)],
        True,
    ),
    "ridge generator, then least squares": Chain(
        ANISOTROPIC, TARGET, [Stage(20, 0.2, 0.4), Stage(24, 0.0, 0.3), Stage(30, 0.0, 0.2)]
    ),
    "least squares": Chain(ANISOTROPIC, TARGET, [Stage(24, 0.0, 0.4)] * 2 + [Stage(30, 0.0, 0.2)]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_same_mean_as_the_plain_simulation(name):
    chain = CHAINS[name]
    fast = simulate_excess_risk(chain, 3000, rng=11).total
    rng = np.random.default_rng(12)
    plain = np.array([plain_excess_risk(chain, rng) for _ in range(3000)])
    error = np.hypot(fast.std(ddof=1), plain.std(ddof=1)) / np.sqrt(3000)
    bound = z_bound(FALSE_ALARM, n_checks=len(CHAINS))
    assert bound * error < 0.2 * plain.mean()  # power: a 20 % error is seen
    assert abs(fast.mean() - plain.mean()) < bound * error


@pytest.mark.parametrize(
    "chain",
    [
        Chain(ANISOTROPIC, TARGET, [Stage(40, noise_std=0.3)] * 4 + [Stage(60, noise_std=0.5)]),
        Chain(Spectrum.isotropic(D, 2.0), TARGET, [Stage(6, noise_std=0.3)] * 3 + [Stage(40)]),
        Chain(
            Spectrum.isotropic(D, 2.0), TARGET, [Stage(6, noise_std=0.3)] * 3 + [Stage(40)], True
        ),
        Chain(Spectrum.isotropic(D), TARGET, [Stage(40, noise_std=0.3), Stage(5, noise_std=0.5)]),
    ],
)
def test_exact_laws(chain):
    risk = simulate_excess_risk(chain, 4000, rng=5)
    exact = exact_excess_risk(chain)
    bound = z_bound(FALSE_ALARM, n_checks=16)
    for part, expected in zip(risk, exact, strict=True):
        if expected == 0.0:
            np.testing.assert_allclose(part, 0.0, atol=1e-20)
            continue
        check = check_mean(part, expected)
        assert abs(check.z) < bound
        assert bound * check.relative_error < 0.12


@pytest.mark.parametrize("n_samples", [12, 13, 40])
def test_bidiagonal_draws_have_the_law_of_dense_ones(n_samples):
    """Not the mean alone, which is infinite at 12 and 13: the whole distribution."""
    chain = Chain(ANISOTROPIC, TARGET, [Stage(n_samples, noise_std=1.0)])
    fast = simulate_excess_risk(chain, 3000, rng=1).variance
    rng = np.random.default_rng(2)
    designs = rng.standard_normal((3000, n_samples, D))
    dense = np.trace(np.linalg.inv(np.swapaxes(designs, 1, 2) @ designs), axis1=1, axis2=2)
    assert ks_2samp(fast, dense).pvalue > FALSE_ALARM / 3
    # negative control: one row more is another law
    more = rng.standard_normal((3000, n_samples + 3, D))
    wrong = np.trace(np.linalg.inv(np.swapaxes(more, 1, 2) @ more), axis1=1, axis2=2)
    assert ks_2samp(fast, wrong).pvalue < FALSE_ALARM / 3


def test_rejects_a_wrong_law():
    """Negative control: dropping the -1 of T - d - 1 is caught."""
    chain = Chain(ANISOTROPIC, TARGET, [Stage(40, noise_std=0.3)])
    wrong = 0.09 * D / (40 - D)
    risk = simulate_excess_risk(chain, 4000, rng=5).total
    assert abs(check_mean(risk, wrong).z) > z_bound(FALSE_ALARM)


def test_deterministic_equivalent():
    target = np.arange(1, 101) ** -0.4
    stages = [Stage(200, 0.05, 0.1), Stage(70, 0.1, 0.3), Stage(110, 0.02, 0.1)]
    chain = Chain(Spectrum.power_law(100, 0.9), target, stages)
    theory = excess_risk(chain)
    for part, expected in zip(simulate_excess_risk(chain, 300, rng=8), theory, strict=True):
        check = check_mean(part, expected)
        # margin of the book: finite-size allowance 1.5 eps, fixed before the run
        allowance = 1.5 * finite_size_scale(chain) * expected
        assert abs(check.mean - expected) < z_bound(FALSE_ALARM) * check.standard_error + allowance


def test_shared_projection_does_not_depend_on_the_number_of_generations():
    """Noise-free least squares: projecting twice on one row space is projecting once."""
    student = Stage(30)
    spectrum = Spectrum.isotropic(D)
    one, many = (
        simulate_excess_risk(
            Chain(spectrum, TARGET, [Stage(6)] * n + [student], shared_design=True), 5, rng=1
        ).bias
        for n in (1, 7)
    )
    np.testing.assert_allclose(one, many, rtol=1e-10)


def test_a_seed_repeats_and_a_generator_moves_on():
    chain = CHAINS["clean ridge"]
    first = simulate_excess_risk(chain, 3, rng=4).total
    np.testing.assert_array_equal(first, simulate_excess_risk(chain, 3, rng=4).total)
    rng = np.random.default_rng(4)
    np.testing.assert_array_equal(first, simulate_excess_risk(chain, 3, rng=rng).total)
    assert not np.array_equal(first, simulate_excess_risk(chain, 3, rng=rng).total)


def test_memory_does_not_grow_with_samples():
    peaks = []
    for n_samples in (200, 1_000_000):
        chain = Chain(Spectrum.isotropic(100), np.ones(100), [Stage(n_samples, 0.1, 1.0)])
        tracemalloc.start()
        simulate_excess_risk(chain, 2, rng=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("chain", 3, 0), TypeError, "chain must be a Chain"),
        ((CHAINS["clean ridge"], 0, 0), ValueError, "n_replicates must be an integer >= 1, got 0"),
        ((CHAINS["clean ridge"], 2.0, 0), TypeError, "n_replicates must be an integer"),
        ((CHAINS["clean ridge"], 2, -1), ValueError, "rng must be an integer >= 0, got -1"),
        ((CHAINS["clean ridge"], 2, None), TypeError, "rng"),
    ],
)
def test_bad_input(arguments, error, message):
    chain, n_replicates, rng = arguments
    with pytest.raises(error, match=message):
        simulate_excess_risk(chain, n_replicates, rng=rng)
