"""Rounds of mixing against simulation; the quadrature against closed moments."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.strong_collapse import Mixture, RandomShift, theory
from fragile_learning.strong_collapse.least_squares import marchenko_pastur
from fragile_learning.strong_collapse.simulation import simulate_iterate_mixing

FALSE_ALARM = 1e-8 / 100  # of each comparison: all of this file together stay below 1e-8


def mixture(n_real, n_synthetic, d, noise=(0.5, 0.5)):
    shift = RandomShift(np.full(d, 1 / d))
    white = Spectrum.isotropic(d)
    return Mixture(white, np.ones(d), shift, n_real, n_synthetic, 0.0, *noise)


def test_golden_rounds():
    """Printed by a program that shares no code with this package."""
    rounds = theory.iterate_mixing(mixture(200, 200, 40), 3)
    assert rounds == pytest.approx([1.0, 0.306258, 0.113118, 0.059348], abs=1e-6)


@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "d", "noise"),
    [(200, 200, 40, (0.5, 0.5)), (30, 90, 8, (0.3, 1.0)), (12, 5, 10, (0.2, 0.4))],
)
def test_fresh_real_samples_follow_the_exact_recursion(n_real, n_synthetic, d, noise):
    one = mixture(n_real, n_synthetic, d, noise)
    drawn = simulate_iterate_mixing(one, 5, 3000, rng=1)
    for step, exact in enumerate(theory.iterate_mixing(one, 5)[1:], start=1):
        assert abs(check_mean(drawn[:, step], exact).z) < z_bound(FALSE_ALARM), step
    # negative control: reused samples follow another law
    reused = simulate_iterate_mixing(mixture(200, 200, 40), 5, 400, reuse_real=True, rng=2)
    fresh = check_mean(reused[:, 5], theory.iterate_mixing(mixture(200, 200, 40), 5)[5])
    assert abs(fresh.z) > z_bound(FALSE_ALARM)


@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "d", "noise"),
    [(200, 200, 40, (0.5, 0.5)), (1000, 1000, 20, (0.5, 0.5)), (300, 900, 60, (0.3, 1.0))],
)
def test_reused_real_samples_follow_their_limit(n_real, n_synthetic, d, noise):
    """Margin, set before the run: z standard errors plus 2 / (n_real - d).

    The exact error of the real samples alone exceeds its limit by 1 / (n_real - d), relative.
    """
    one = mixture(n_real, n_synthetic, d, noise)
    drawn = simulate_iterate_mixing(one, 10, 400, reuse_real=True, rng=3)
    limit = theory.iterate_mixing(one, 10, reuse_real=True)
    for step in range(1, 11):
        check = check_mean(drawn[:, step], limit[step])
        margin = z_bound(FALSE_ALARM) * check.standard_error + 2.0 / (n_real - d) * check.theory
        assert abs(check.mean - check.theory) < margin, step
    # negative control: the law for fresh samples is outside of the margin
    fresh = theory.iterate_mixing(one, 10)[10]
    assert abs(drawn[:, 10].mean() - fresh) > 0.2 * fresh


def test_the_simulator_of_rounds_has_the_law_of_plain_fits():
    one = mixture(12, 9, 4, (0.3, 0.6))

    def plain(rng, reuse_real, reuse_inputs):
        teacher = np.sqrt(1.0 / 4) * rng.standard_normal(4)  # error of the first model
        errors = []
        for step in range(3):
            if step == 0 or not reuse_real:
                x1 = rng.standard_normal((12, 4))
                y1 = 0.3 * rng.standard_normal(12)
            if step == 0 or not reuse_inputs:
                x2 = rng.standard_normal((9, 4))
            y2 = x2 @ teacher + 0.6 * rng.standard_normal(9)
            teacher = np.linalg.lstsq(np.r_[x1, x2], np.r_[y1, y2], rcond=None)[0]
            errors.append(teacher @ teacher)
        return errors

    for reuse in ((False, False), (True, False), (True, True)):
        rng = np.random.default_rng(5)
        slow = np.array([plain(rng, *reuse) for _ in range(4000)])
        fast = simulate_iterate_mixing(
            one, 3, 4000, reuse_real=reuse[0], reuse_synthetic_inputs=reuse[1], rng=6
        )[:, 1:]
        error = np.hypot(fast.std(axis=0), slow.std(axis=0)) / 4000**0.5
        assert np.all(np.abs(fast.mean(axis=0) - slow.mean(axis=0)) < z_bound(FALSE_ALARM) * error)


def test_reused_real_samples_are_never_beaten():
    for p2 in (0.2, 0.5, 0.8):
        one = mixture(round(4000 * (1 - p2)), round(4000 * p2), 40)
        alone = 0.25 * 40 / (4000 * (1 - p2) - 40)
        last = theory.iterate_mixing(one, 200, reuse_real=True)[-1]
        assert last > alone
        # to first order in d / n_real the ratios are 1 + p2 / (1 + p2) and 1 / (1 + p2)
        close = {"rel": 2 * 40 / (4000 * (1 - p2))}
        assert last / alone == pytest.approx(1 + p2 / (1 + p2), **close)
        fresh = theory.iterate_mixing(one, 200)[-1]
        assert fresh / alone == pytest.approx(1 / (1 + p2), **close)
    silent = mixture(2000, 2000, 40, (0.5, 0.0))
    assert theory.iterate_mixing(silent, 400, reuse_real=True)[-1] == pytest.approx(
        0.25 * 40 / 1960, rel=1e-9
    )


def test_rounds_without_real_samples_grow_linearly():
    one = mixture(0, 400, 40)
    rounds = theory.iterate_mixing(one, 6, initial_error=0.3)
    assert np.diff(rounds) == pytest.approx(np.full(6, 0.25 * 40 / 359), rel=1e-12)
    assert rounds[0] == 0.3


def test_marchenko_pastur_moments():
    for phi in (0.01, 0.3, 0.9):
        x, weights = marchenko_pastur(phi)
        found = [weights @ x**k for k in (-2, -1, 0, 1, 2, 3)]
        exact = [(1 - phi) ** -3, 1 / (1 - phi), 1, 1, 1 + phi, 1 + 3 * phi + phi**2]
        assert found == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("run", [theory.iterate_mixing, simulate_iterate_mixing])
@pytest.mark.parametrize(
    ("change", "arguments", "error", "message"),
    [
        ({}, {"n_rounds": -1}, ValueError, "n_rounds must be an integer >= 0, got -1"),
        ({}, {"initial_error": -0.1}, ValueError, "initial_error must be"),
        ({"n_real": 40}, {"reuse_real": True}, ValueError, "n_real > n_features . 1 = 41"),
        ({"ridge": 0.1}, {}, ValueError, "ridge = 0"),
        ({"synthetic_weight": 0.1}, {}, ValueError, "synthetic_weight = None"),
        ({"n_real": 3, "n_synthetic": 3}, {}, ValueError, "n_samples > n_features"),
    ],
)
def test_bad_input(run, change, arguments, error, message):
    one = dataclasses.replace(mixture(200, 200, 40), **change)
    if run is simulate_iterate_mixing:
        arguments = {**arguments, "n_replicates": 2, "rng": 1}
    with pytest.raises(error, match=message):
        run(one, **{"n_rounds": 2, **arguments})


@pytest.mark.parametrize("ratio", [0.0, 1.0, np.nan])
def test_the_quadrature_refuses(ratio):
    with pytest.raises(ValueError, match="aspect_ratio must be"):
        marchenko_pastur(ratio)


def test_rounds_of_nothing():
    with pytest.raises(TypeError, match="mixture must be a Mixture, got NoneType"):
        theory.iterate_mixing(None, 3)
    with pytest.raises(ValueError, match="n_replicates"):
        simulate_iterate_mixing(mixture(200, 200, 40), 3, 0, rng=1)
