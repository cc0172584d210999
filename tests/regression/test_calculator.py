"""The calculator's reference for chains: settling, the best ridge, and the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fragile_learning.regression import Chain, Stage, theory
from fragile_learning.regression.calculator import (
    ENDLESS,
    EXAMPLE,
    ChainAnswer,
    chain_answer,
    settling_samples,
)
from fragile_learning.spectra import Spectrum


@pytest.mark.parametrize("tolerance", [0.07, 0.3])
@pytest.mark.parametrize("noise_std", [0.3, 1.7])
def test_least_squares_settles_where_its_own_variance_has_fallen(noise_std, tolerance):
    """n sigma0^2 phi0/(1 - phi0) = 5 * 0.04, and sigma^2 d/(T - d) must be a tenth of it."""
    generator, student = Stage(200, noise_std=0.2), Stage(1, noise_std=noise_std)
    chain = Chain.repeated(Spectrum.isotropic(100), np.full(100, 0.1), 5, generator, student)
    expected = 100 + noise_std**2 * 100 / (tolerance * 5 * 0.04)
    assert settling_samples(chain, tolerance) == math.ceil(expected)


def test_a_settled_risk_stays_and_was_not_settled_before():
    """A risk that rises to its limit: by brute force over every sample size."""
    target = np.arange(1.0, 41.0) ** -0.25
    generator = Stage(60, noise_std=1.0)
    chain = Chain.repeated(Spectrum.power_law(40, 2.0), target, 3, generator, Stage(1, 0.01, 1.0))
    found = settling_samples(chain)
    sizes = np.arange(1, 20_000)
    off = np.abs(theory.excess_risk_grid(chain, sizes).total / _limit(chain) - 1) > 0.1
    assert found == sizes[np.flatnonzero(off)[-1]] + 1


@pytest.mark.parametrize("ridge", [0.0, 1e-6])
def test_a_narrow_peak_at_the_number_of_features_is_not_settled(ridge):
    """With little noise of its own a student is off near T = d only: by brute force there."""
    generator, student = Stage(600, noise_std=0.5), Stage(1, ridge, 0.03)
    target = np.full(300, 300**-0.5)
    chain = Chain.repeated(Spectrum.isotropic(300), target, 5, generator, student)
    sizes = np.arange(1, 3000)
    off = np.abs(theory.excess_risk_grid(chain, sizes).total / _limit(chain) - 1) > 0.1
    last = sizes[np.flatnonzero(off)[-1]]
    assert 300 <= last < 310
    assert not off[200:290].any()
    assert settling_samples(chain) == last + 1


def _limit(chain: Chain) -> float:
    """Risk of the population's ridge regression: the smoother is lambda / (lambda + ridge)."""
    values, ridge = chain.spectrum.eigenvalues, chain.student.ridge
    stage = chain.generators[0]
    kept, noise = values / (values + ridge), stage.noise_std**2 / (stage.n_samples - values.size)
    own = values @ ((1 - kept) * chain.target) ** 2
    return float(own + chain.n_generations * noise * np.sum(kept**2))


def test_without_a_floor_nothing_settles():
    chain = Chain(Spectrum.isotropic(10), np.ones(10), [Stage(20, noise_std=1.0)])
    assert settling_samples(chain) == math.inf
    exact = Chain(Spectrum.isotropic(10), np.ones(10), [Stage(20)])
    assert settling_samples(exact) == math.inf


def test_the_answer_is_put_together_from_the_theory():
    answer = chain_answer(**EXAMPLE)
    assert answer.risk == pytest.approx(answer.bias + answer.variance + answer.generator_noise)
    target = np.full(300, 300**-0.5)
    stages = [Stage(600, noise_std=0.2)] * 5
    for ridge in (0.5, 2.0):
        student = Stage(1000, ridge * answer.best_ridge, 0.1)
        chain = Chain(Spectrum.isotropic(300), target, (*stages, student))
        assert theory.excess_risk(chain).total > answer.best_risk
    alone = Chain(Spectrum.isotropic(300), target, [Stage(1000, 1e-3, 0.1)])
    assert answer.clean_risk == theory.excess_risk(alone).total
    assert answer.limit_risk == pytest.approx(0.2 / 1.001**2 + 1e-6 / 1.001**2, rel=1e-9)
    assert answer.signal == pytest.approx(1.0)


def test_infinite_noise_leaves_the_null_predictor():
    answer = chain_answer(**{**EXAMPLE, "n_generator_samples": 300})
    assert (answer.risk, answer.limit_risk, answer.settling_samples) == (math.inf,) * 3
    assert (answer.best_ridge, answer.best_risk) == (math.inf, answer.signal)
    assert math.isfinite(answer.clean_risk)


def test_bad_input():
    chain = Chain(Spectrum.isotropic(10), np.ones(10), [Stage(20, 0.1)])
    for tolerance in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="tolerance"):
            settling_samples(chain, tolerance)
    with pytest.raises(TypeError, match="chain"):
        settling_samples("chain")
    for name, value in (("n_features", 0), ("n_samples", 1.5), ("ridge", -1.0), ("exponent", -1.0)):
        with pytest.raises((TypeError, ValueError), match=name):
            chain_answer(**{**EXAMPLE, name: value})
    assert ENDLESS > 10**12
    assert ChainAnswer._fields[-1] == "best_risk"
