"""Thresholds, weights, costs and real data beside: against grids, integrals and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr
from scipy.stats import norm

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.verification import Generator, Verifier, theory
from fragile_learning.verification.simulation import simulate_mixing

PLACES = [(0.4, 1.0), (0.2, 2.0), (0.4, 1.5), (0.7, 1.0), (0.05, 0.5), (0.9, 4.0), (0.5, 0.1)]


def information(t, p, gap):
    A, B = (1 - p) * norm.sf(t - gap), p * norm.sf(t)
    return (A - B) * abs(A - B) / (A + B)


@pytest.mark.parametrize(("p", "gap"), PLACES)
def test_the_threshold_is_the_best_of_a_grid(p, gap):
    best = theory.best_threshold(Generator(p), separation=gap)
    grid = np.linspace(-8, gap + 8 + (10 if p > 0.5 else 0), 20_001)
    values = information(grid, p, gap)
    place = grid[np.nanargmax(values)]
    refined = minimize_scalar(
        lambda t: -information(t, p, gap), bounds=(place - 0.01, place + 0.01), method="bounded"
    )
    assert best.threshold == pytest.approx(refined.x, abs=1e-3)
    assert best.information == pytest.approx(-refined.fun, rel=1e-9)
    assert best.information == pytest.approx(
        theory.effective_samples(Generator(p), best.verifier, 1.0)
    )
    assert best.verifier.keep_if_correct == pytest.approx(norm.sf(best.threshold - gap))
    assert best.verifier.keep_if_wrong == pytest.approx(norm.sf(best.threshold))
    # the odds of the last example kept
    odds = (1 - p) / p * norm.pdf(best.threshold - gap) / norm.pdf(best.threshold)
    eps = theory.selected_error_rate(Generator(p), best.verifier)
    assert odds == pytest.approx((3 - 2 * eps) / (1 + 2 * eps), rel=1e-6)


def test_thresholds_of_a_grid_are_those_of_its_points():
    p, gap = np.meshgrid([0.1, 0.5, 0.9], [0.3, 1.0, 5.0, 30.0])
    best = theory.best_threshold(Generator(p), separation=gap)
    alone = [
        theory.best_threshold(Generator(x), separation=y).threshold
        for x, y in zip(p.ravel(), gap.ravel(), strict=True)
    ]
    assert best.threshold.ravel().tolist() == alone
    # next to nothing is worth keeping: no division by zero
    hopeless = theory.best_threshold(Generator(0.999), separation=1e-3)
    assert hopeless.information < 1e-290
    assert np.isfinite(hopeless.threshold)


@pytest.mark.parametrize(("p", "gap"), PLACES)
def test_soft_weights_by_integration(p, gap):
    def weight(t):
        right, wrong = (1 - p) * norm.pdf(t, gap), p * norm.pdf(t)
        return (right - wrong) / (right + wrong)

    def density(t):
        return (1 - p) * norm.pdf(t, gap) + p * norm.pdf(t)

    found = theory.soft_weights(np.array([-1.0, 0.3, 2.0]), Generator(p), separation=gap)
    assert found == pytest.approx([weight(t) for t in (-1.0, 0.3, 2.0)])
    expected = quad(lambda t: density(t) * weight(t) ** 2, -10, gap + 10, limit=200)[0]
    soft = theory.soft_information(Generator(p), separation=gap)
    assert soft == pytest.approx(expected, abs=1e-8)
    assert soft > theory.best_threshold(Generator(p), separation=gap).information
    # no other weight has more: signal squared over mean square
    for other in (np.sign, lambda w: w**3, lambda w: w + 0.1):
        signal = quad(lambda t, f=other: density(t) * weight(t) * f(weight(t)), -10, gap + 10)[0]
        square = quad(lambda t, f=other: density(t) * f(weight(t)) ** 2, -10, gap + 10)[0]
        assert signal**2 / square < soft


def test_ends_of_soft_weights():
    assert theory.soft_information(Generator(0.3), separation=30.0) == pytest.approx(1.0)
    bare = theory.soft_information(Generator(0.3), separation=1e-3)
    assert bare == pytest.approx(0.16, rel=1e-5)
    grid = theory.soft_information(Generator([[0.3], [0.4]]), separation=[1.0, 2.0, 3.0])
    assert grid.shape == (2, 3)
    assert theory.soft_weights(1e6, Generator(0.3), separation=30.0) == 1.0


# --- costs --------------------------------------------------------------------------------------


def test_break_even_by_solving():
    rng = np.random.default_rng(1)
    plain = Verifier(1.0, 1.0)
    count = 0
    for _ in range(60):
        p, phi = rng.uniform(0.01, 0.49), rng.uniform(0.1, 1.0)
        psi = rng.uniform(0.0, phi * 0.6)
        cost = {"cost_generate": rng.uniform(0.1, 3), "cost_train": rng.uniform(0, 3)}
        generator, verifier = Generator(p), Verifier(phi, psi)
        price = theory.cost_break_even(generator, verifier, **cost)

        def gain(c, generator=generator, verifier=verifier, cost=cost):
            return theory.information_per_cost(
                generator, verifier, cost_verify=c, **cost
            ) - theory.information_per_cost(generator, plain, **cost)

        if price <= 0:
            assert gain(0.0) <= 1e-12
            continue
        assert price == pytest.approx(brentq(gain, 0.0, 1e6, xtol=1e-13), abs=1e-9)
        count += 1
    assert count > 20


def test_information_per_cost_by_hand():
    found = theory.information_per_cost(
        Generator([0.3, 0.9]),
        Verifier(0.9, 0.3),
        cost_generate=2.0,
        cost_verify=0.5,
        cost_train=3.0,
    )
    above = 0.9 * 0.3 - 0.1 * 0.9
    assert found == pytest.approx(
        [0.54**2 / 0.72 / (2.5 + 3 * 0.72), -(above**2) / 0.36 / (2.5 + 3 * 0.36)]
    )


def test_break_even_at_the_poles():
    cost = {"cost_generate": 1.0, "cost_train": 1.0}
    found = theory.cost_break_even(
        Generator([0.5, 0.6, 0.6, 0.3, 0.1]), Verifier(0.9, [0.3, 0.3, 0.9, 0.899, 0.8]), **cost
    )
    assert found[:3].tolist() == [np.inf, np.inf, -np.inf]
    assert found[4] == pytest.approx(-0.019, abs=5e-4)
    assert theory.cost_break_even(Generator(0.4), Verifier(0.1, 0.9), **cost) == -np.inf
    assert theory.cost_break_even(Generator(1.0), Verifier(1.0, 0.0), **cost) == -np.inf


def test_a_part_of_the_examples_is_never_the_best_to_check():
    """Information and cost of a fraction are linear in it, so that their ratio is monotone."""
    generator, verifier = Generator(0.3), Verifier(0.9, 0.3)
    share = np.linspace(0, 1, 11)
    worth = share * 0.405 + (1 - share) * 0.16
    for price in (0.2, 1.0, 3.0):
        cost = 1.0 + share * price
        ratio = worth / cost
        assert np.argmax(ratio) in (0, 10)
        checked = theory.information_per_cost(
            generator, verifier, cost_generate=1.0, cost_verify=price
        )
        assert ratio[-1] == pytest.approx(checked)


# --- real data beside ---------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, 1.0, 0.2])
def test_mixing_is_simulated(weight):
    players = Generator(0.35), Verifier(0.8, 0.5)
    sizes = {"signal": 1.0, "n_features": 200, "n_generated": 1500, "n_real": 200}
    value = theory.mixed_accuracy(*players, weight=weight, **sizes)
    drawn = 1 - 2 * theory.selected_error_rate(*players) if weight is None else weight
    samples = simulate_mixing(*players, 120, weight=drawn, rng=2, **sizes)
    check = check_mean(samples, value)
    bound = z_bound(1e-7) * check.standard_error + 0.5 / 200
    assert abs(check.mean - value) < bound
    alone = theory.mixed_accuracy(*players, weight=0.0, **sizes)
    assert abs(check.mean - alone) > bound


def test_the_best_weight_makes_clean_examples_of_them():
    players = Generator([0.1, 0.35, 0.8]), Verifier(0.8, 0.2)
    sizes = {"signal": 1.0, "n_features": 200, "n_generated": 1500.0}
    best = theory.mixed_accuracy(*players, n_real=200, **sizes)
    worth = 200 + theory.effective_samples(*players, 1500.0)
    clean = ndtr(1 / np.sqrt(1 + 200 / worth))
    assert best == pytest.approx(clean, rel=1e-13)
    for weight in np.linspace(-1, 1, 21):
        assert np.all(theory.mixed_accuracy(*players, n_real=200, weight=weight, **sizes) <= best)
    none = theory.mixed_accuracy(*players, n_real=0, weight=1.0, **sizes)
    assert none == pytest.approx(theory.accuracy_one_shot(*players, **sizes), rel=1e-13)
    alone = theory.mixed_accuracy(*players, n_real=200, weight=0.0, **sizes)
    assert alone == pytest.approx([ndtr(1 / np.sqrt(2))] * 3)


def test_when_unit_weight_hurts():
    sizes = {"signal": 1.0, "n_features": 200, "n_generated": 300.0}
    p = np.linspace(0.05, 0.9, 18)
    players = Generator(p), Verifier(0.8, 0.4)
    with_them = theory.mixed_accuracy(*players, n_real=200, weight=1.0, **sizes)
    without = theory.mixed_accuracy(*players, n_real=200, weight=0.0, **sizes)
    m, kappa = (1 - p) * 0.8 - p * 0.4, (1 - p) * 0.8 + p * 0.4
    rule = 200 + 300 * m < np.sqrt(200 * (200 + 300 * kappa))
    assert np.array_equal(with_them < without, rule)
    assert 0 < rule.sum() < rule.size
