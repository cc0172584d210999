"""Diagnostics on chains whose autocorrelation is known, and against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from fragile_learning.bayes.diagnostics import effective_sample_size, split_rhat


def autoregression(rho, shape, seed=0):
    """Stationary chains with autocorrelation rho ** lag along the second axis."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    noise[:, 0] /= np.sqrt(1 - rho**2)
    return np.sqrt(1 - rho**2) * lfilter([1.0], [1.0, -rho], noise, axis=1)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.3])
def test_the_effective_size_is_that_of_the_autocorrelation(rho):
    chains = autoregression(rho, (4, 2000, 20))
    found = effective_sample_size(chains)
    assert found.shape == (20,)
    # a single estimate scatters by about 5 % (15 % at 0.9)
    assert found.mean() / 8000 == pytest.approx((1 - rho) / (1 + rho), rel=0.08)


def test_chains_apart_are_seen():
    rng = np.random.default_rng(1)
    chains = rng.standard_normal((4, 500, 2))
    chains[0, :, 1] += 1.0
    together, apart = split_rhat(chains)
    assert together == pytest.approx(1.0, abs=0.01)
    # variances within 1, between halves 8/7 * (1/4) (3/4) about
    assert apart == pytest.approx(np.sqrt(1 + 8 / 7 * 3 / 16), abs=0.02)
    assert effective_sample_size(chains)[1] < 30


def test_a_drift_within_chains_is_seen():
    chains = np.random.default_rng(1).standard_normal((4, 500)) + np.linspace(0, 2, 500)
    assert split_rhat(chains) > 1.1


def test_quantities_that_never_move():
    constant = np.full((2, 10, 3), 0.7)
    np.testing.assert_array_equal(split_rhat(constant), 1.0)
    np.testing.assert_array_equal(effective_sample_size(constant), 20)


def by_definition(chains):
    """Geyer's sequence in loops, for one quantity."""
    half = chains.shape[1] // 2
    halves = [part for row in chains for part in (row[:half], row[-half:])]
    within = np.mean([part.var(ddof=1) for part in halves])
    total = within * (half - 1) / half + np.var([part.mean() for part in halves], ddof=1)

    def rho(lag):
        if lag == 0:
            return 1.0
        covariances = []
        for part in halves:
            centred = part - part.mean()
            covariances.append(centred[: half - lag] @ centred[lag:] / half)
        return 1 - (within - np.mean(covariances)) / total

    tau, least = -1.0, np.inf
    for lag in range(0, half - 1, 2):
        pair = rho(lag) + rho(lag + 1)
        if pair <= 0:
            break
        least = min(least, pair)
        tau += 2 * least
    return len(halves) * half / max(tau, 1 / np.log10(len(halves) * half))


def test_the_sequence_is_positive_and_falls():
    chains = autoregression(0.9, (3, 61, 12), seed=5)
    expected = [by_definition(chains[..., i]) for i in range(12)]
    np.testing.assert_allclose(effective_sample_size(chains), expected, rtol=1e-10)


@pytest.mark.parametrize("function", [split_rhat, effective_sample_size])
def test_wrong_draws_are_refused(function):
    with pytest.raises(ValueError, match="draws must have the shape"):
        function(np.zeros((2, 7)))
    with pytest.raises(ValueError, match="draws must have the shape"):
        function(np.zeros(20))
    with pytest.raises(ValueError, match="draws must be finite"):
        function(np.full((2, 10), np.nan))
    with pytest.raises(TypeError, match="draws"):
        function([["a"] * 10])
