"""Linear generators and verifiers: geometry against drawing, vectors and integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.verification import Verifier, theory
from fragile_learning.verification.angles import (
    angle_between,
    bisector_accuracy,
    rates_from_angles,
    rounds_accuracy,
    self_training_accuracy,
)
from fragile_learning.verification.simulation import simulate_linear_verifier

FALSE_ALARM = 1e-7
PLACES = [(50, 20, 0.0), (50, 20, 0.9), (50, 70, 0.9), (100, 70, 0.0), (120, 75, -0.5)]


def vectors(g, v, rho):
    return (
        np.array([np.cos(g), np.sin(g), 0.0]),
        np.array([np.cos(v), rho * np.sin(v), np.sqrt(1 - rho**2) * np.sin(v)]),
    )


def angle_to_truth(w):
    return np.arccos(w[0] / np.linalg.norm(w))


@pytest.mark.parametrize("place", PLACES)
def test_rates_by_drawing(place):
    g, v, rho = np.radians(place[0]), np.radians(place[1]), place[2]
    maker, checker = vectors(g, v, rho)
    x = np.random.default_rng(1).standard_normal((400_000, 3))
    wrong = (x @ maker > 0) != (x[:, 0] > 0)
    kept = (x @ maker > 0) == (x @ checker > 0)
    rates = rates_from_angles(g, v, rho)
    samples = wrong, kept[~wrong], kept[wrong]
    for found, rate in zip(samples, rates, strict=True):
        check = check_mean(found.astype(float), rate)
        assert abs(check.z) < z_bound(FALSE_ALARM, 3)
        assert abs(check._replace(theory=rate * 1.05).z) > z_bound(FALSE_ALARM, 3)


def test_rates_at_the_ends():
    def rates(g, v, rho):
        return np.array(rates_from_angles(np.radians(g), np.radians(v), rho))

    assert rates(0, 0, 0.5) == pytest.approx([0, 1, 0])
    assert rates(0, 180, 0.5) == pytest.approx([0, 0, 1], abs=1e-15)
    assert rates(180, 0, 0.5) == pytest.approx([1, 1, 0], abs=1e-15)
    assert rates(180, 180, 0.5) == pytest.approx([1, 0, 1], abs=1e-15)
    assert rates(0, 60, 0.5) == pytest.approx([0, 1 - 60 / 180, 0.75])
    assert rates(180, 60, 0.5) == pytest.approx([1, 0.75, 60 / 180])
    for g, near in ((0, 1e-4), (180, 180 - 1e-4)):
        for v in (0, 60, 180):
            assert rates(near, v, 0.5) == pytest.approx(rates(g, v, 0.5), abs=1e-5)
    # on one side and closer to the truth: no right label is lost
    assert rates(50, 20, 1.0) == pytest.approx([5 / 18, 1.0, 0.4])
    assert rates(50, 50, 1.0) == pytest.approx([5 / 18, 1.0, 1.0])


def test_small_angles_between():
    assert angle_between(1e-9, 3e-9, 1.0) == pytest.approx(2e-9, rel=1e-9)
    assert angle_between(1e-9, 3e-9, -1.0) == pytest.approx(4e-9, rel=1e-9)
    assert angle_between(3e-9, 4e-9, 0.0) == pytest.approx(5e-9, rel=1e-9)
    assert angle_between(np.pi, 0.0, 0.3) == pytest.approx(np.pi)
    assert angle_between(1.0, 1.0, 1.0) == 0.0


def test_breakdown_is_the_sum_of_the_angles():
    rng = np.random.default_rng(2)
    g, v = rng.uniform(0.0, np.pi, (2, 20_000))
    rho = rng.uniform(-1.0, 1.0, 20_000)
    p, phi, psi = rates_from_angles(g, v, rho)
    away = np.abs(g + v - np.pi) > 1e-6
    below = p < theory.breakdown_point(Verifier(phi, psi))
    assert np.array_equal(below[away], (g + v < np.pi)[away])
    better = bisector_accuracy(g, v, rho) > 0.5
    assert np.array_equal(better[away], below[away])


def test_the_student_is_the_bisector():
    for g, v, rho in [(0.9, 0.4, 0.0), (2.0, 1.5, -0.7), (0.3, 0.2, 0.99)]:
        maker, checker = vectors(g, v, rho)
        expected = 1 - angle_to_truth(maker + checker) / np.pi
        assert bisector_accuracy(g, v, rho) == pytest.approx(expected, rel=1e-12)
    # exact where digits are hard to keep
    tiny = 1 - bisector_accuracy(1e-10, 1e-10, 0.0)
    assert tiny == pytest.approx(np.sqrt(0.5) * 1e-10 / np.pi, rel=1e-5)


@pytest.mark.parametrize("estimator", ["one-shot", "ridge", "logistic"])
@pytest.mark.parametrize("place", [(50, 20, 0.0), (50, 70, 0.9), (120, 75, 0.0)])
def test_students_reach_the_bisector(place, estimator):
    g, v, rho = np.radians(place[0]), np.radians(place[1]), place[2]
    found = simulate_linear_verifier(
        g,
        v,
        rho,
        30,
        n_features=4,
        n_generated=20_000,
        estimator=estimator,
        ridge=None if estimator == "one-shot" else 0.1,
        rng=4,
    )
    check = check_mean(found.accuracy, bisector_accuracy(g, v, rho))
    assert abs(check.mean - check.theory) < z_bound(FALSE_ALARM) * check.standard_error + 1e-3
    off = check.mean - (1 - max(g, v) / np.pi)
    assert abs(off) > z_bound(FALSE_ALARM) * check.standard_error + 1e-3
    p, phi, psi = rates_from_angles(g, v, rho)
    kept = found.n_kept_right.sum() / found.n_right.sum()
    assert kept == pytest.approx(phi, abs=0.005)
    assert found.n_kept_wrong.sum() / found.n_wrong.sum() == pytest.approx(psi, abs=0.008)
    assert found.n_wrong.mean() / 20_000 == pytest.approx(p, abs=0.005)


def test_the_bisector_with_few_examples():
    g, v, rho, d, n = np.radians(50), np.radians(40), 0.3, 200, 400
    found = simulate_linear_verifier(g, v, rho, 80, n_features=d, n_generated=n, rng=5)
    value = bisector_accuracy(g, v, rho, features_per_example=d / n)
    check = check_mean(found.accuracy, value)
    bound = z_bound(FALSE_ALARM) * check.standard_error + 0.5 / d
    assert abs(check.mean - value) < bound
    assert abs(check.mean - bisector_accuracy(g, v, rho, features_per_example=0.6)) > bound


def test_opposite_rules_keep_nothing():
    assert bisector_accuracy(0.0, np.pi, 0.0) == 0.5
    assert rounds_accuracy(0.0, np.pi, 0.0, 2).tolist() == [1.0, 0.5, 0.5]


def test_rounds_by_halving():
    for place in PLACES:
        g, v, rho = np.radians(place[0]), np.radians(place[1]), place[2]
        maker, checker = vectors(g, v, rho)
        expected = [1 - angle_to_truth(maker) / np.pi]
        for _ in range(6):
            maker = maker + checker
            maker /= np.linalg.norm(maker)
            expected.append(1 - angle_to_truth(maker) / np.pi)
        assert rounds_accuracy(g, v, rho, 6) == pytest.approx(expected, rel=1e-12)


def test_ends_of_the_rounds():
    many = rounds_accuracy([0.9, 0.9], [0.6, 0.9], [0.2, 1.0], 80)
    assert many.shape == (2, 81)
    assert many[0, -1] == pytest.approx(1 - 0.6 / np.pi, rel=1e-12)
    assert many[1] == pytest.approx(np.full(81, 1 - 0.9 / np.pi), rel=1e-12)
    nearly = rounds_accuracy(0.9, 0.9 + 1e-8, 1.0, 3)
    assert nearly == pytest.approx(1 - (0.9 + 1e-8 * (1 - 0.5 ** np.arange(4))) / np.pi, rel=1e-14)
    close = rounds_accuracy(0.9, 0.9 + 1e-10, 1.0, 1)
    assert close[0] - close[1] == pytest.approx(0.5e-10 / np.pi, rel=1e-4)
    early = rounds_accuracy(np.radians(50), np.radians(40), 0.0, 4)
    assert early.round(3).tolist() == [0.722, 0.804, 0.806, 0.795, 0.787]


@pytest.mark.parametrize(("s", "degrees"), [(1.0, 60), (2.0, 85), (1.3, 110)])
def test_self_training_by_drawing(s, degrees):
    g = np.radians(degrees)
    setting = {"signal": s, "keep": "all", "n_generated": 4000, "rng": 6}
    found = simulate_linear_verifier(g, 0.0, 0.0, 60, n_features=20, **setting)
    value = self_training_accuracy(g, signal=s, features_per_example=20 / 4000)
    check = check_mean(found.accuracy, value)
    bound = z_bound(FALSE_ALARM) * check.standard_error + 1e-3
    assert abs(check.mean - value) < bound
    assert abs(check.mean - ndtr(s * np.cos(g))) > bound


def test_self_training_improves_on_acute_generators_only():
    g = np.radians(np.linspace(1.0, 179.0, 90))
    for s in (0.3, 1.0, 3.0):
        gain = self_training_accuracy(g, signal=s) - ndtr(s * np.cos(g))
        assert np.array_equal(gain > 0, g < np.pi / 2)
    assert self_training_accuracy(0.0, signal=1.5) == pytest.approx(ndtr(1.5), rel=1e-14)
    assert self_training_accuracy(np.pi / 2, signal=1.5) == pytest.approx(0.5)
