"""Breakdown, accuracies and agreement against integration, enumeration and simulation.

A simulation is allowed z standard errors (false alarm 1e-7 in each test) and, where the law is a
limit of many features, half of 1/n_features besides; a wrong formula must exceed that.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import ndtr
from scipy.stats import chi, multivariate_normal, norm

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.verification import Generator, Verifier, theory
from fragile_learning.verification.simulation import simulate_accuracy, simulate_rules

FALSE_ALARM = 1e-7


def agrees(samples, value, allowed=0.0, n_checks=1):
    check = check_mean(samples, value)
    bound = z_bound(FALSE_ALARM, n_checks) * check.standard_error + allowed
    return bool(abs(check.mean - value) < bound)


# --- the breakdown point ------------------------------------------------------------------------


def class_scores(p, phi, psi, n_classes):
    """What the kept class means are, in the basis of the true ones, by adding all cases up."""
    means = np.zeros((n_classes, n_classes))
    kept = np.zeros(n_classes)
    for true in range(n_classes):
        for label in range(n_classes):
            chance = (1 - p) * phi if true == label else p * psi / (n_classes - 1)
            means[label, true] += chance
            kept[label] += chance
    return means / kept[:, None]


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("rates", [(0.9, 0.3), (1.0, 1.0), (0.2, 0.9)])
def test_the_breakdown_point_is_where_the_order_of_the_classes_turns(n_classes, rates):
    star = theory.breakdown_point(Verifier(*rates), n_classes)
    for shift, right in ((-1e-6, True), (1e-6, False)):
        means = class_scores(star + shift, *rates, n_classes)
        assert (np.argmax(means[:, 0]) == 0) == right
        assert bool(means[0, 0] > means[1, 0]) is right


def test_breakdown_points_by_hand():
    assert theory.breakdown_point(Verifier(1.0, 1.0)) == 0.5
    assert theory.breakdown_point(Verifier(0.3, 0.0)) == 1.0
    assert theory.breakdown_point(Verifier(0.0, 0.3)) == 0.0
    assert theory.breakdown_point(Verifier(0.9, 0.2), 5) == pytest.approx(1 / (1 + 0.2 / 3.6))
    grid = theory.breakdown_point(Verifier(np.ones((3, 1)), [0.0, 1.0]), 2)
    assert grid.shape == (3, 2)
    assert theory.breakdown_point(Verifier(1.0, 1.0), [2, 10]).tolist() == [0.5, 0.9]


def test_errors_among_the_kept():
    verifier = Verifier(0.9, 0.3)
    assert theory.selected_error_rate(Generator(0.3), verifier) == pytest.approx(0.09 / 0.72)
    assert theory.selected_error_rate(Generator([0.0, 1.0]), verifier).tolist() == [0.0, 1.0]
    # nothing is kept: the limit in the error rate
    assert theory.selected_error_rate(Generator(1.0), Verifier(0.5, 0.0)) == 0.0
    assert theory.selected_error_rate(Generator(0.0), Verifier(0.0, 0.5)) == 1.0
    p = np.linspace(0.01, 0.99, 99)
    below = p < theory.breakdown_point(verifier)
    assert np.array_equal(theory.selected_error_rate(Generator(p), verifier) < 0.5, below)


def test_effective_samples_by_hand():
    found = theory.effective_samples(Generator(0.3), Verifier(0.9, [0.3, 0.0]), 1000)
    assert found == pytest.approx([1000 * 0.54**2 / 0.72, 630.0])
    assert theory.effective_samples(Generator(0.3), Verifier(1, 1), 50) == pytest.approx(50 * 0.16)
    # three classes: signal .63 - .09/2
    three = theory.effective_samples(Generator(0.3), Verifier(0.9, 0.3), 10, 3)
    assert three == pytest.approx(10 * 0.585**2 / 0.72)
    assert theory.effective_samples(Generator(1.0), Verifier(1.0, 0.0), 10) == 0.0
    assert theory.effective_samples(Generator(1.0), Verifier(1.0, 1e-200), 1e100) > 0.0


def test_effective_samples_are_clean_ones():
    """A one-shot student of clean examples that number them has the same accuracy."""
    setting = {"signal": 1.3, "n_features": 70}
    p = np.linspace(0.0, 0.74, 5)
    generator, verifier = Generator(p), Verifier(0.9, 0.3)
    worth = theory.effective_samples(generator, verifier, 400)
    clean = theory.accuracy_one_shot(
        Generator(0.0), Verifier(1.0, 1.0), n_generated=worth, **setting
    )
    found = theory.accuracy_one_shot(generator, verifier, n_generated=400, **setting)
    assert found == pytest.approx(clean, rel=1e-13)


@pytest.mark.parametrize("estimator", ["one-shot", "ridge"])
def test_what_examples_are_worth_depends_on_the_student(estimator):
    """Ratio of simulated excess errors: least squares makes less of wrong labels than the mean."""
    s, sizes = 1.5, {"signal": 1.5, "n_features": 10, "n_generated": 4000}
    sizes |= {"ridge": 0.0} if estimator == "ridge" else {}
    dirty, clean = (
        check_mean(norm.cdf(s) - simulate_accuracy(estimator, *players, 300, **sizes, rng=14), 0.0)
        for players in [
            (Generator(0.3), Verifier(0.9, 0.3)),
            (Generator(0.0), Verifier(1.0, 1.0)),
        ]
    )
    r2 = theory.effective_samples(Generator(0.3), Verifier(0.9, 0.3), 1.0)
    less = r2 / (1 + (1 - 0.75**2) * s * s)  # a = 0.54 / 0.72
    spread = np.hypot(clean.standard_error / clean.mean, dirty.standard_error / dirty.mean)
    bound = z_bound(FALSE_ALARM) * spread + 0.01  # d/N is 1/400, not 0
    right, wrong = (r2, less) if estimator == "one-shot" else (less, r2)
    assert abs(clean.mean / dirty.mean / right - 1.0) < bound
    assert abs(clean.mean / dirty.mean / wrong - 1.0) > bound


def test_effective_samples_set_the_excess_error():
    """The leading term of the excess error of the one-shot student."""
    generator, verifier, s, d = Generator(0.2), Verifier(0.9, 0.3), 1.3, 50
    setting = {"signal": s, "n_features": d, "n_generated": 1e7}
    expected = norm.pdf(s) / (2 * s) * d / theory.effective_samples(generator, verifier, 1e7)
    found = ndtr(s) - theory.accuracy_one_shot(generator, verifier, **setting)
    assert found == pytest.approx(expected, rel=1e-4)


# --- accuracies in the proportional limit -------------------------------------------------------

SETTINGS = [  # signal, error rate, kept if right, kept if wrong, features, generated
    (1.2, 0.25, 0.8, 0.4, 200, 600),
    (1.2, 0.9, 0.8, 0.4, 200, 600),
    (0.8, 0.6, 1.0, 0.1, 150, 900),
    (2.0, 0.3, 0.5, 0.5, 200, 500),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_one_shot(setting):
    s, p, phi, psi, d, n = setting
    players = Generator(p), Verifier(phi, psi)
    sizes = {"signal": s, "n_features": d, "n_generated": n}
    value = theory.accuracy_one_shot(*players, **sizes)
    samples = simulate_accuracy("one-shot", *players, 150, **sizes, rng=11)
    assert agrees(samples, value, 0.5 / d)
    m, kappa = (1 - p) * phi - p * psi, (1 - p) * phi + p * psi
    wrong = ndtr(s * s * m / np.sqrt(s * s * m * m + d / n))  # without the kept share
    assert kappa < 0.99
    assert not agrees(samples, wrong, 0.5 / d)


@pytest.mark.parametrize("ridge", [0.0, 0.02, 2.0])
@pytest.mark.parametrize("setting", SETTINGS[:3])
def test_ridge(setting, ridge):
    s, p, phi, psi, d, n = setting
    players = Generator(p), Verifier(phi, psi)
    sizes = {"signal": s, "n_features": d, "n_generated": n, "ridge": ridge}
    value = theory.accuracy_ridge(*players, **sizes)
    samples = simulate_accuracy("ridge", *players, 40, **sizes, rng=12)
    assert agrees(samples, value, 0.5 / d)
    wrong = theory.accuracy_ridge(Generator(0.8 * p), players[1], **sizes)
    assert not agrees(samples, wrong, 0.5 / d)


def resolvent_accuracy(s, p, phi, psi, gamma, ridge):
    """The same by the means of the resolvent and its derivative, one point at a time."""
    A, B = (1 - p) * phi, p * psi
    kappa = A + B
    eta, lt, a = gamma / kappa, ridge / kappa, (A - B) / kappa
    low, high = (1 - np.sqrt(eta)) ** 2, (1 + np.sqrt(eta)) ** 2

    def over_spectrum(f):
        def density(t):
            x = low + (high - low) * np.sin(t) ** 2  # resolves both edges
            jump = (high - low) * np.sin(2 * t)
            return f(x) * np.sqrt((x - low) * (high - x)) / (2 * np.pi * eta * x) * jump

        return quad(density, 0, np.pi / 2, epsabs=1e-13, epsrel=1e-12)[0] + f(0.0) * max(
            0.0, 1 - 1 / eta
        )

    mm, mm2 = over_spectrum(lambda x: 1 / (x + lt)), over_spectrum(lambda x: (x + lt) ** -2)
    g = 1 / (1 + eta * mm)
    h2 = eta * (mm - lt * mm2)
    e = a * g / (1 + s * s * mm * g)
    c = e * s * s * mm
    return ndtr(c / np.sqrt(e * e * s * s * mm2 + h2 * (1 + c * c - 2 * a * c)))


@pytest.mark.parametrize("gamma", [0.1, 0.9, 4.0])
@pytest.mark.parametrize("ridge", [0.01, 0.7])
def test_ridge_by_integrals_over_the_spectrum(gamma, ridge):
    for s, p, phi, psi in [(1.5, 0.3, 0.9, 0.3), (0.4, 0.8, 0.7, 0.6), (2.5, 0.1, 1.0, 0.0)]:
        found = theory.accuracy_ridge(
            Generator(p),
            Verifier(phi, psi),
            signal=s,
            n_features=1000,
            n_generated=1000 / gamma,
            ridge=ridge,
        )
        assert found == pytest.approx(resolvent_accuracy(s, p, phi, psi, gamma, ridge), rel=1e-9)


def test_limits_of_ridge():
    players = Generator(0.3), Verifier(0.9, 0.3)
    sizes = {"signal": 1.5, "n_features": 100}
    n = np.array([50.0, 138.0, 140.0, 500.0])
    heavy = theory.accuracy_ridge(*players, n_generated=n, ridge=1e6, **sizes)
    assert heavy == pytest.approx(
        theory.accuracy_one_shot(*players, n_generated=n, **sizes), abs=1e-6
    )
    bare = theory.accuracy_ridge(*players, n_generated=n, ridge=0.0, **sizes)
    assert bare == pytest.approx(
        theory.accuracy_ridge(*players, n_generated=n, ridge=1e-12, **sizes), abs=1e-5
    )
    # the dip is at as many kept examples as features: a verifier moves it
    n = np.geomspace(50, 1000, 2001)
    for verifier in (Verifier(0.9, 0.3), Verifier(1.0, 1.0)):
        curve = theory.accuracy_ridge(players[0], verifier, n_generated=n, ridge=0.0, **sizes)
        kept = 0.7 * verifier.keep_if_correct + 0.3 * verifier.keep_if_wrong
        assert n[np.argmin(curve)] == pytest.approx(100 / kept, rel=2e-3)
    quarter = Generator(0.25), Verifier(0.5, 0.5)
    there = theory.accuracy_ridge(*quarter, signal=1.0, n_features=8, n_generated=16, ridge=0)
    assert there == 0.5


# --- few features -------------------------------------------------------------------------------


def window_parts(p, phi, psi, s, n):
    A, B = (1 - p) * phi, p * psi
    kappa, m = A + B, A - B
    return kappa, m * np.sqrt(n) * s, np.sqrt(kappa * (1 + s * s) - (m * s) ** 2)


WINDOWS = [
    (0.66, 0.8, 0.4, 1.2, 4, 2500),
    (0.70, 0.8, 0.4, 1.2, 3, 900),
    (0.30, 0.9, 0.3, 1.5, 5, 2000),
    (0.45, 1.0, 1.0, 0.6, 2, 300),
]


def over_rules(f, kappa, mean, std, d):
    """Mean over the rule's two components, by double quadrature."""
    other = chi(d - 1, scale=np.sqrt(kappa))
    low, high = mean - 9 * std, mean + 9 * std
    pieces = [(low, high)] if low * high >= 0 else [(low, 0.0), (0.0, high)]
    total = 0.0
    for a, b in pieces:
        total += dblquad(
            lambda r, h: f(h, r) * norm.pdf(h, mean, std) * other.pdf(r),
            a,
            b,
            0.0,
            other.isf(1e-14),
            epsabs=1e-7,
        )[0]
    return total


@pytest.mark.parametrize("window", WINDOWS)
def test_critical_window(window):
    p, phi, psi, s, d, n = window
    kappa, mean, std = window_parts(p, phi, psi, s, n)
    expected = over_rules(lambda h, r: ndtr(s * h / np.hypot(h, r)), kappa, mean, std, d)
    sizes = {"signal": s, "n_features": d, "n_generated": n}
    found = theory.critical_window(Generator(p), Verifier(phi, psi), **sizes)
    assert found == pytest.approx(expected, abs=1e-6)


def turned_by(s, angle):
    """Agreement of two rules at an angle, by the bivariate normal."""
    r = np.cos(angle)
    cov = [[1.0, r], [r, 1.0]]
    return sum(
        multivariate_normal.cdf([sign * s, sign * s * r], cov=cov, allow_singular=True)
        for sign in (1.0, -1.0)
    )


@pytest.mark.parametrize("window", WINDOWS)
def test_agreement(window):
    p, phi, psi, s, d, n = window
    kappa, mean, std = window_parts(p, phi, psi, s, n)
    angles = np.linspace(0.0, np.pi, 2001)[1:-1]
    known = np.array([turned_by(s, angle) for angle in angles[::10]])
    table = lambda h, r: np.interp(np.arctan2(r, h), angles[::10], known)  # noqa: E731
    rng = np.random.default_rng(5)
    h = mean + std * rng.standard_normal(200_000)
    r = np.sqrt(kappa * rng.chisquare(d - 1, 200_000))
    found = theory.agreement(
        Generator(p), Verifier(phi, psi), signal=s, n_features=d, n_generated=n
    )
    assert agrees(table(h, r), found, 2e-5)
    assert not agrees(table(h, 1.1 * r) if mean > 2 * std else table(1.3 * h, r), found, 2e-5)


def test_agreement_of_nearly_right_rules():
    """The leading term, at rate 1/sqrt(N)."""
    for d, n in ((5, 1e8), (2, 1e10), (40, 1e10)):
        m, kappa, s = 0.54, 0.72, 1.5
        lead = np.exp(-s * s / 2) / np.pi / (m * s) * np.sqrt(kappa / n) * chi(d - 1).mean()
        found = theory.agreement(
            Generator(0.3), Verifier(0.9, 0.3), signal=s, n_features=d, n_generated=n
        )
        assert 1 - found == pytest.approx(lead, rel=1e-5)


def test_windows_at_one_feature_and_at_the_breakdown_point():
    sizes = {"signal": 1.5, "n_features": [1, 2, 9], "n_generated": 500}
    even = Generator(0.5), Verifier(1.0, 1.0)
    assert theory.critical_window(*even, **sizes) == pytest.approx([0.5] * 3, abs=1e-13)
    assert theory.agreement(*even, **sizes) == pytest.approx([0.5] * 3, abs=1e-12)
    one = {"signal": 1.5, "n_features": 1, "n_generated": 500}
    near = Generator(0.48), Verifier(1.0, 1.0)
    up = ndtr(0.04 * np.sqrt(500) * 1.5 / np.sqrt(1 + 1.5**2 - 0.06**2))
    assert theory.agreement(*near, **one) == pytest.approx(up, rel=1e-12)
    right = ndtr(1.5)
    expected = up * right + (1 - up) * (1 - right)
    assert theory.critical_window(*near, **one) == pytest.approx(expected, rel=1e-12)


def test_windows_are_simulated():
    p, phi, psi, s, d, n = WINDOWS[0]
    players = Generator(p), Verifier(phi, psi)
    sizes = {"signal": s, "n_features": d, "n_generated": n}
    mean = s * np.eye(d)[0]
    rules = simulate_rules("one-shot", *players, 1500, mean=mean, n_generated=n, rng=13)
    accuracy = ndtr(s * rules[:, 0] / np.linalg.norm(rules, axis=1))
    assert agrees(accuracy, theory.critical_window(*players, **sizes), 0.002)
    assert not agrees(accuracy, theory.accuracy_one_shot(*players, **sizes), 0.002)
    agreement = theory.agreement_of_rules(rules, mean, mean=mean)
    assert agrees(agreement, theory.agreement(*players, **sizes), 0.002)


def test_windows_of_many_settings_are_those_of_each():
    p = np.linspace(0.3, 0.9, 33)[:, None]
    n = np.geomspace(10, 1e6, 31)
    verifier, sizes = Verifier(0.8, 0.4), {"signal": 1.2, "n_features": 4}
    for law in (theory.critical_window, theory.agreement):
        found = law(Generator(p), verifier, n_generated=n, **sizes)
        assert found.shape == (33, 31)
        for row, column in ((0, 0), (16, 4), (32, 30), (20, 17)):
            one = law(Generator(p[row, 0]), verifier, n_generated=n[column], **sizes)
            assert found[row, column] == pytest.approx(one, abs=1e-12)
        assert law(Generator(p[:0]), verifier, n_generated=n, **sizes).shape == (0, 31)


def test_the_window_closes_on_the_proportional_limit():
    players = Generator(0.3), Verifier(0.9, 0.3)
    sizes = {"signal": 1.5, "n_features": 10**7, "n_generated": 2e7}
    assert theory.critical_window(*players, **sizes) == pytest.approx(
        theory.accuracy_one_shot(*players, **sizes), abs=1e-6
    )


def test_ends_of_the_windows():
    huge = {"signal": 30.0, "n_features": 3, "n_generated": 1e100}
    players = Generator(0.3), Verifier(0.9, 0.3)
    assert theory.critical_window(*players, **huge) == pytest.approx(1.0)
    assert theory.agreement(*players, **huge) == pytest.approx(1.0)
    nothing = Generator(1.0), Verifier(1.0, 0.0)
    for s in (0.5, 8.0, 20.0, 30.0):  # far from breakdown a rule is the Bayes rule
        sizes = {"signal": s, "n_features": 3, "n_generated": 1e30}
        assert theory.critical_window(*players, **sizes) == pytest.approx(ndtr(s), abs=1e-12)
        assert theory.agreement(*players, **sizes) == pytest.approx(1.0, abs=1e-12)
    sizes = {"signal": 1.0, "n_features": 3, "n_generated": 10}
    for law in (theory.critical_window, theory.agreement, theory.accuracy_one_shot):
        assert law(*nothing, **sizes) == 0.5
    for law in (theory.accuracy_ridge, theory.accuracy_logistic):
        assert law(*nothing, ridge=0.1, **sizes) == 0.5


# --- errors that go together --------------------------------------------------------------------


def test_correlated_errors_by_enumeration():
    for p, other, rho in [(0.3, 0.2, 0.5), (0.6, 0.3, -0.2), (0.45, 0.5, 0.0)]:
        both = p * other + rho * np.sqrt(p * (1 - p) * other * (1 - other))
        joint = np.array([[1 - p - other + both, other - both], [p - both, both]])
        assert joint.min() >= 0
        assert joint.sum() == pytest.approx(1.0)
        errors = np.array([0.0, 1.0])
        moment = errors @ joint @ errors - p * other
        assert moment / np.sqrt(p * (1 - p) * other * (1 - other)) == pytest.approx(rho)
        verifier = theory.correlated_errors(p, other, rho)
        # two classes: labels agree if both are right or both are wrong
        assert verifier.keep_if_correct == pytest.approx(joint[0, 0] / joint[0].sum())
        assert verifier.keep_if_wrong == pytest.approx(joint[1, 1] / joint[1].sum())
        below = p < theory.breakdown_point(verifier)
        assert below == (p + other < 1)


def test_a_correlation_that_cannot_be():
    with pytest.raises(ValueError, match=r"correlation must be >= -0\.327\S* and <= 0\.763"):
        theory.correlated_errors(0.3, 0.2, 0.8)
    with pytest.raises(ValueError, match=r"correlation must be >= -0\.327"):
        theory.correlated_errors(0.3, 0.2, -0.4)
    with pytest.raises(ValueError, match="error_rate must be > 0 and < 1"):
        theory.correlated_errors(0.0, 0.2, 0.0)
    with pytest.raises(ValueError, match="verifier_error_rate must be > 0 and < 1"):
        theory.correlated_errors(0.1, 1.0, 0.0)
    edge = theory.correlated_errors(0.3, 0.3, 1.0)
    assert (edge.keep_if_correct, edge.keep_if_wrong) == pytest.approx((1.0, 1.0))
