"""Several sources, weights and covariances; the functions that search for a best setting."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.strong_collapse import FixedShift, Group, Mixture, RandomShift, theory
from fragile_learning.strong_collapse.simulation import (
    simulate_excess_risk,
    simulate_general_excess_risk,
)

D = 240
HARMONIC = float(np.sum(1.0 / np.arange(1, D + 1)))
VALUES = 1.0 / np.arange(1, D + 1)
TARGET = np.full(D, HARMONIC**-0.5)
SHIFT = RandomShift(np.full(D, 0.4 / HARMONIC))
FALSE_ALARM = 1e-8 / 40  # of each comparison: all of this file together stay below 1e-8


def mixture(n, fraction, ridge=0.0, width=None, **change):
    synthetic = round(n * fraction)
    spectrum = Spectrum(VALUES)
    plain = Mixture(spectrum, TARGET, SHIFT, n - synthetic, synthetic, ridge, 0.3, 0.6, width=width)
    return dataclasses.replace(plain, **change)


def general(one):
    return theory.general_excess_risk(
        one.groups, one.target, one.spectrum.eigenvalues, ridge=one.ridge, width=one.width
    )


@pytest.mark.parametrize("shift", [SHIFT, FixedShift(np.cos(np.arange(D)) / 8)], ids=["R", "F"])
@pytest.mark.parametrize(
    ("n", "fraction", "ridge", "width"),
    [
        (360, 0.25, 0.01, None),
        (150, 0.2, 0.0, None),
        (360, 0.25, 0.01, 190),
        (150, 0.6, 0.0, 100),
        (150, 0.6, 0.0, 220),
        (150, 1.0, 0.001, 150),
        (1000, 0.001, 0.0, None),
        (700, 0.5, 0.0, 300),
    ],
)
def test_one_covariance_and_equal_weights_are_the_mixture(n, fraction, ridge, width, shift):
    one = mixture(n, fraction, ridge, width, shift=shift)
    assert general(one) == pytest.approx(theory.excess_risk(one), rel=1e-9, abs=1e-14)


def unequal(which):
    real, synthetic = mixture(360, 0.25).groups
    if which == "weights":
        return dataclasses.replace(real, weight=1.2), dataclasses.replace(synthetic, weight=0.4)
    return real, dataclasses.replace(synthetic, covariance=VALUES[::-1])


# Printed by two programs that share no code with this package, to 1e-6.
@pytest.mark.parametrize(
    ("which", "golden"),
    [
        ("weights", (0.247605, 0.018194, 0.006962, 0.0, 0.272760)),
        ("covariances", (0.270139, 0.023196, 0.011589, 0.0, 0.304925)),
    ],
)
def test_golden_values(which, golden):
    found = theory.general_excess_risk(unequal(which), TARGET, VALUES, ridge=0.01, width=190)
    assert found == pytest.approx(golden, abs=1e-6)


def rotated(diagonal, basis):
    matrix = (basis * diagonal) @ basis.T
    return (matrix + matrix.T) / 2


@pytest.mark.parametrize("simulated", [False, True], ids=["theory", "simulation"])
def test_matrices_are_vectors_in_another_basis(simulated):
    rng = np.random.default_rng(1)
    d = 12
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
    first, second, third = rng.exponential(size=(3, d))
    w, shift, variances = rng.standard_normal(d), rng.standard_normal(d), rng.exponential(size=d)
    plain = [
        Group(9, first, None, 0.7, 0.3),
        Group(12, second, FixedShift(shift), 1.5, 0.2),
        Group(8, third, RandomShift(variances), 0.4, 0.5),
    ]
    turned = [
        Group(9, rotated(first, basis), None, 0.7, 0.3),
        Group(12, rotated(second, basis), FixedShift(basis @ shift), 1.5, 0.2),
        Group(
            8, rotated(third, basis), RandomShift(covariance=rotated(variances, basis)), 0.4, 0.5
        ),
    ]
    test = rng.exponential(size=d)
    setting = {"ridge": 0.1, "width": 10}
    if not simulated:
        one = theory.general_excess_risk(plain, w, test, **setting)
        other = theory.general_excess_risk(turned, basis @ w, rotated(test, basis), **setting)
        assert other == pytest.approx(one, rel=1e-10)
        return
    one = simulate_general_excess_risk(plain, w, test, 4000, **setting, rng=2)
    other = simulate_general_excess_risk(
        turned, basis @ w, rotated(test, basis), 4000, **setting, rng=3
    )
    for a, b in zip(one, other, strict=True):
        error = np.hypot(a.std(), b.std()) / 4000**0.5
        assert abs(a.mean() - b.mean()) < z_bound(FALSE_ALARM) * error


@pytest.mark.parametrize(("ridge", "width"), [(0.02, None), (0.02, 70), (0.0, 300), (0.0, 40)])
def test_a_source_may_be_split(ridge, width):
    """Two groups with one fixed teacher are one group: the products between groups count."""
    rng = np.random.default_rng(4)
    values, w, delta = rng.exponential(size=(3, 90))
    real = Group(60, values, None, 1.0, 0.1)
    whole = Group(50, values[::-1], FixedShift(delta), 2.0, 0.2)
    parts = [dataclasses.replace(whole, n_samples=n) for n in (11, 39)]
    setting = {"ridge": ridge, "width": width}
    one = theory.general_excess_risk([real, whole], w, values, **setting)
    many = theory.general_excess_risk([real, *parts], w, values, **setting)
    assert many == pytest.approx(one, rel=1e-9)


@pytest.mark.parametrize("which", ["weights", "covariances", "three sources", "matrices"])
def test_simulation_agrees_with_the_limit(which):
    """Margin, set before the run: z standard errors plus 3 / (n - df2), the first correction.

    As in the test of the mixture; df2 < 110 here, so that n - df2 > 200.
    """
    if which == "matrices":
        rng = np.random.default_rng(5)
        d = 60
        basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
        values, w = 1.0 / np.arange(1, d + 1), np.ones(d)
        groups = [
            Group(150, values, None, 1.0, 0.3),
            Group(150, rotated(values, basis), FixedShift(np.sin(np.arange(d))), 0.5, 0.3),
        ]
        test, setting = values, {"ridge": 0.02, "width": None}
    else:
        groups, w, test = (
            list(unequal("covariances" if which == "three sources" else which)),
            TARGET,
            VALUES,
        )
        setting = {"ridge": 0.01, "width": 190}
        if which == "three sources":
            groups.append(Group(120, np.sqrt(VALUES), FixedShift(TARGET / 2), 0.5, 0.1))
            groups[1] = dataclasses.replace(groups[1], shift=FixedShift(np.cos(np.arange(D)) / 3))
    limit = theory.general_excess_risk(groups, w, test, **setting)
    drawn = simulate_general_excess_risk(groups, w, test, 40, **setting, rng=20261126)

    def fits(law, part):
        value = getattr(law, part)
        if value == 0.0:
            return not getattr(drawn, part).any()
        check = check_mean(getattr(drawn, part), value)
        size = max(abs(value), law.total / 10 if part == "interference" else 0.0)
        margin = z_bound(FALSE_ALARM) * check.standard_error + 3.0 / 200 * size
        return abs(check.mean - value) < margin

    for part in ("bias", "variance", "collapse", "interference"):
        assert fits(limit, part), part
    # negative control: with the weights and covariances of the first group everywhere, it is red
    same = [dataclasses.replace(g, weight=1.0, covariance=groups[0].covariance) for g in groups]
    wrong = theory.general_excess_risk(same, w, test, **setting)
    assert not all(fits(wrong, part) for part in ("bias", "variance", "collapse", "interference"))


def plain_fit(groups, w, test, ridge, width, rng):
    """Draw inputs, labels and projection, and fit: one replicate."""
    d, n = w.size, sum(group.n_samples for group in groups)
    rows, labels, weights = [], [], []
    for group in groups:
        x = rng.standard_normal((group.n_samples, d)) * np.sqrt(group.covariance)
        delta = np.zeros(d)
        if isinstance(group.shift, FixedShift):
            delta = group.shift.coordinates
        elif group.shift is not None:
            delta = np.sqrt(group.shift.variances) * rng.standard_normal(d)
        rows.append(x)
        labels.append(x @ (w + delta) + group.noise_std * rng.standard_normal(group.n_samples))
        weights.append(np.full(group.n_samples, group.weight))
    s = np.eye(d) if width is None else rng.standard_normal((width, d)) / np.sqrt(width)
    root = np.sqrt(np.concatenate(weights))
    features = root[:, None] * np.concatenate(rows) @ s.T
    penalty = n * ridge * np.eye(features.shape[1])
    right = features.T @ (root * np.concatenate(labels))
    v = np.linalg.solve(features.T @ features + penalty, right)
    return float(np.sum(test * (s.T @ v - w) ** 2))


@pytest.mark.parametrize(
    ("counts", "width"),
    [((9, 4, 7), 4), ((9, 4, 7), None), ((2, 1, 1), None), ((2, 3, 1), 9)],
    ids=["projected", "plain", "few", "few, projected"],
)
def test_the_simulator_has_the_law_of_plain_fits(counts, width):
    rng = np.random.default_rng(6)
    values, other, test = rng.exponential(size=(3, 5))
    w = np.array([1.0, -0.5, 0.3, 0.8, 1.0])
    groups = [
        Group(counts[0], values, None, 0.5, 0.4),
        Group(counts[1], other, FixedShift(0.5 * w[::-1]), 2.0, 0.7),
        Group(counts[2], values, RandomShift([0.9, 0.3, 1.5, 0.6, 1.2]), 1.0, 0.2),
    ]
    setting = {"ridge": 0.1, "width": width}
    fast = simulate_general_excess_risk(groups, w, test, 4000, **setting, rng=7).total
    slow = np.array([plain_fit(groups, w, test, 0.1, width, rng) for _ in range(4000)])
    error = np.hypot(fast.std(), slow.std()) / 4000**0.5
    assert abs(fast.mean() - slow.mean()) < z_bound(FALSE_ALARM) * error
    # negative control: without weights the same comparison goes red
    if sum(counts) > 10:
        bare = [dataclasses.replace(group, weight=1.0) for group in groups]
        wrong = simulate_general_excess_risk(bare, w, test, 4000, **setting, rng=8).total
        assert abs(wrong.mean() - slow.mean()) > z_bound(FALSE_ALARM) * error


@pytest.mark.parametrize(
    ("n", "width"), [(400, None), (400, 300), (150, 100), (150, 220), (150, None)]
)
def test_no_ridge_is_the_limit_of_a_small_one(n, width):
    without = mixture(n, 0.3, 0.0, width, synthetic_weight=0.1)
    small = dataclasses.replace(without, ridge=1e-10)
    assert theory.excess_risk(small) == pytest.approx(theory.excess_risk(without), rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_any_groups_have_a_finite_risk(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 40))
    groups = [
        Group(
            int(rng.integers(1, 200)),
            rng.exponential(size=d) ** rng.integers(1, 6),
            RandomShift(rng.exponential(size=d)),
            float(rng.exponential() ** 4),
            float(rng.exponential()),
        )
        for _ in range(rng.integers(1, 5))
    ]
    width = None if rng.random() < 0.5 else int(rng.integers(1, 80))
    risk = theory.general_excess_risk(
        groups,
        rng.standard_normal(d),
        rng.exponential(size=d),
        ridge=float(10.0 ** rng.uniform(-8, 2)),
        width=width,
    )
    assert np.isfinite(risk).all()
    assert min(risk.bias, risk.variance, risk.collapse) >= 0.0


def test_the_pole():
    real = Group(30, np.ones(40), None, 1.0, 0.5)
    other = Group(10, np.ones(40), FixedShift(np.ones(40)), 1.0, 0.0)
    for width, bias in ((None, 0.0), (60, 0.0)):
        risk = theory.general_excess_risk([real, other], np.ones(40), np.ones(40), width=width)
        assert risk == (bias, np.inf, np.inf, 0.0, np.inf)
    ten = dataclasses.replace(real, n_samples=10, noise_std=0.0)
    narrow = theory.general_excess_risk([ten], np.ones(40), np.ones(40), width=10)
    assert narrow == (np.inf, 0.0, 0.0, 0.0, np.inf)
    forty = dataclasses.replace(other, n_samples=40)
    assert theory.general_excess_risk([forty], np.ones(40), 2 * np.ones(40)).collapse == 80.0


# --- weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "ridge", "width"), [(360, 0.01, 190), (1000, 0.0, None)])
def test_the_natural_weight_is_the_share_of_samples(n, ridge, width):
    one = mixture(n, 0.25, ridge, width)
    weighted = dataclasses.replace(one, synthetic_weight=0.25)
    assert theory.excess_risk(weighted) == pytest.approx(theory.excess_risk(one), rel=1e-10)
    grid = theory.excess_risk_grid(weighted, n=[[n], [2 * n]], ridge=[ridge, 0.1])
    assert grid.total[0, 0] == pytest.approx(theory.excess_risk(one).total, rel=1e-10)


def white(n, fraction, alpha, *, d=100, shift=0.5, noise=0.5):
    k = round(n * fraction)
    shifts = RandomShift(np.full(d, shift / d))
    return Mixture(
        Spectrum.isotropic(d), np.ones(d), shifts, n - k, k, 0.0, noise, noise, None, alpha
    )


def test_weights_have_a_small_sample_expansion():
    """Excess over the expansion to first order in phi is of second order: four times less."""

    def rest(n):
        risk, phi, a, p = theory.excess_risk(white(n, 0.5, 0.3)).total, 100 / n, 0.3, 0.5
        noise = (1 - a) ** 2 * 0.25 / p + a**2 * 0.25 / p
        turned = 0.5 * a**2 * ((1 - a) * (1 - 3 * a) / p + 3 * (1 - a) ** 2 / p)
        return risk - (a**2 * 0.5 + phi * (noise + turned))

    assert rest(10_000) / rest(20_000) == pytest.approx(4.0, rel=0.02)


def test_weighted_floor_and_the_ends():
    assert theory.collapse_floor(white(1000, 0.2, 0.3)) == pytest.approx(0.09 * 0.5, rel=1e-12)
    # no weight on synthetic data is least squares on the 800 real samples
    alone = theory.excess_risk(white(1000, 0.2, 0.0))
    assert alone.total == pytest.approx(0.25 * 100 / 700, rel=1e-10)
    assert theory.excess_risk(white(1000, 0.0, 0.0)).collapse == 0.0
    assert theory.excess_risk(white(1000, 1.0, 1.0)).collapse == pytest.approx(0.5, rel=1e-10)
    # the quoted formula of the paper's Corollary 2 is not the risk: 0.0375
    assert theory.excess_risk(white(2000, 0.5, 0.5)).total == pytest.approx(0.14474, abs=5e-6)


def test_weighted_simulation():
    one = white(400, 0.25, 0.1, d=30)
    limit, drawn = theory.excess_risk(one), simulate_excess_risk(one, 500, rng=9)
    for part in ("variance", "collapse"):
        check = check_mean(getattr(drawn, part), getattr(limit, part))
        margin = z_bound(FALSE_ALARM) * check.standard_error + 3.0 / 370 * check.theory
        assert abs(check.mean - check.theory) < margin
        plain_risk = theory.excess_risk(dataclasses.replace(one, synthetic_weight=None))
        wrong = getattr(plain_risk, part)
        assert abs(check.mean - wrong) > z_bound(FALSE_ALARM) * check.standard_error + 0.01 * wrong


@pytest.mark.parametrize("n", [400, 2000, 40_000])
def test_the_best_weight(n):
    one = white(n, 0.5, None)
    best = theory.optimal_weight(one)

    def risk(weight):
        return theory.excess_risk(dataclasses.replace(one, synthetic_weight=weight)).total

    found = minimize_scalar(risk, bounds=(0, 1), method="bounded", options={"xatol": 1e-10})
    assert best == pytest.approx(found.x, rel=1e-5)
    assert risk(best) <= min(risk(0.0), risk(0.5), risk(best * 0.98), risk(best * 1.02))
    if n == 40_000:
        assert best / (100 / n * 0.25 / (0.5 * 0.5)) == pytest.approx(0.95, abs=0.05)
    clean = white(n, 0.5, None, shift=0.0)
    assert theory.optimal_weight(clean) == pytest.approx(0.5, abs=1e-4)


def test_the_best_ridge():
    one = dataclasses.replace(white(800, 0.3, None), target=np.full(100, 0.1))
    best = theory.optimal_ridge(one)
    near = theory.excess_risk_grid(one, ridge=best * np.array([0.98, 1.0, 1.02])).total
    assert near.argmin() == 1
    assert near[1] < theory.excess_risk(one).total
    # white features have a closed form
    phi, p2, c2, r2, s2 = 1 / 8, 0.3, 0.5, 1.0, 0.25
    for k in np.geomspace(1e-3, 1, 5):
        ridge = k * (1 - phi / (1 + k))
        value = (k**2 * (r2 + p2**2 * c2) + (s2 + p2 * (1 - p2) * c2) * phi) / ((1 + k) ** 2 - phi)
        value += p2**2 * c2 * (1 - k) / (1 + k)
        assert theory.excess_risk_grid(one, ridge=ridge).total == pytest.approx(value, rel=1e-12)
    for n, fraction in ((800, 0.3), (200, 0.5), (50, 0.5)):
        one = dataclasses.replace(white(n, fraction, None), target=np.full(100, 0.1))

        def risk(log_ridge, one=one):
            return theory.excess_risk_grid(one, ridge=np.exp(log_ridge)).total.item()

        found = minimize_scalar(risk, bounds=(-6, 3), method="bounded", options={"xatol": 1e-10})
        assert theory.optimal_ridge(one) == pytest.approx(np.exp(found.x), rel=1e-5)
    quiet = dataclasses.replace(white(800, 0.3, None, shift=0.0, noise=0.0))
    assert theory.optimal_ridge(quiet) == 0.0
    assert theory.optimal_ridge(dataclasses.replace(one, target=np.zeros(100))) == np.inf


def test_a_ridge_undoes_a_fixed_shift_along_one_direction_only():
    """Infinitely many samples: a solution of normal equations, by hand."""
    values, target = 1.0 / np.arange(1, 31), np.cos(np.arange(30))
    p2, ridge = 0.3, 0.2
    for delta in (np.sin(1.7 * np.arange(30)), ridge / p2 * target / values):
        one = Mixture(Spectrum(values), target, FixedShift(delta), 7, 3, ridge)
        learned = values * (target + p2 * delta) / (values + ridge)
        left = values @ (learned - target) ** 2
        assert theory.excess_risk_grid(one, n=np.inf).total == pytest.approx(left, abs=1e-12)
    assert left < 1e-12 < one.shift_size
    many = dataclasses.replace(one, n_real=7 * 10**8, n_synthetic=3 * 10**8)
    assert theory.optimal_ridge(many) == pytest.approx(ridge, rel=1e-3)


def test_the_departure():
    one = white(1000, 0.1, None)
    floor = 0.01 * 0.5
    # rounding decides which of two whole numbers it is
    assert theory.departure_sample_size(one) == pytest.approx(100 * (1 + 0.25 / floor), abs=1.5)
    ridged = dataclasses.replace(one, ridge=1e-4)
    n = theory.departure_sample_size(ridged)
    risks = theory.excess_risk_grid(ridged, n=[n - 1, n])
    clean = risks.bias + risks.variance
    assert clean[0] >= theory.collapse_floor(ridged) > clean[1]
    assert theory.departure_sample_size(white(1000, 0.0, None)) == np.inf
    assert theory.departure_sample_size(dataclasses.replace(one, ridge=10.0)) == np.inf
    assert theory.departure_sample_size(white(1000, 0.1, None, noise=0.0)) == 100.0
    weighted = white(1000, 0.1, 0.3)
    n = theory.departure_sample_size(weighted)
    assert theory.excess_risk_grid(weighted, n=n).variance < 0.09 * 0.5


@pytest.mark.parametrize(("width", "ridge"), [(None, 0.0), (None, 1e-6), (300, 0.0)])
def test_the_departure_is_not_below_a_narrow_peak(width, ridge):
    """With little noise a fit is worse than the floor near T = d only: by brute force."""
    one = white(1000, 0.7, None, shift=1.0, noise=0.05)
    one = dataclasses.replace(one, target=np.full(100, 0.1), width=width, ridge=ridge)
    sizes = np.arange(1, 2000)
    risks = theory.excess_risk_grid(one, n=sizes, synthetic_fraction=0.0)
    above = risks.bias + risks.variance >= theory.collapse_floor(one)
    last = sizes[np.flatnonzero(above)[-1]]
    assert 100 <= last < 110
    assert theory.departure_sample_size(one) == last + 1


GOOD = {"n_samples": 5, "covariance": [1.0, 2.0]}
ONE = Group(**GOOD)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Group(-1, [1.0]), ValueError, "n_samples must be an integer >= 0, got -1"),
        (lambda: Group(1, [-1.0]), ValueError, "covariance"),
        (lambda: Group(1, [[1.0, 2.0], [2.0, 1.0]]), ValueError, "covariance must have eigenv"),
        (lambda: Group(1, [1.0], [1.0]), TypeError, "shift must be a RandomShift, a FixedShift"),
        (lambda: Group(1, [1.0], FixedShift([1, 2])), ValueError, "n_features = 1, got 2"),
        (lambda: Group(**GOOD, weight=-1), ValueError, "weight must be"),
        (lambda: Group(**GOOD, noise_std=np.inf), ValueError, "noise_std must be"),
        (lambda: RandomShift(), TypeError, "either variances or covariance"),
        (lambda: RandomShift([1.0], [[1.0]]), TypeError, "either variances or covariance"),
        (lambda: theory.general_excess_risk(None, [1], [1]), TypeError, "groups must be"),
        (lambda: theory.general_excess_risk([1], [1], [1]), TypeError, "must be a Group, got int"),
        (lambda: theory.general_excess_risk([], [1], [1]), ValueError, "groups must hold"),
        (
            lambda: theory.general_excess_risk([Group(5, [1.0], weight=0)], [1], [1]),
            ValueError,
            "groups must hold at least 1 sample of weight",
        ),
        (
            lambda: theory.general_excess_risk([ONE], [1.0], [1.0, 1.0]),
            ValueError,
            "target must have n_features = 2",
        ),
        (
            lambda: theory.general_excess_risk([ONE], [1.0, 1, 1], [1.0, 1.0, 1.0]),
            ValueError,
            r"groups\[0\] must have n_features = 3",
        ),
        (
            lambda: theory.general_excess_risk([ONE], [1.0, 1], [1.0, 1.0], ridge=-1),
            ValueError,
            "ridge must be",
        ),
        (
            lambda: theory.general_excess_risk([ONE], [1.0, 1], [1.0, 1.0], width=0),
            ValueError,
            "width must be",
        ),
        (
            lambda: theory.general_excess_risk([Group(5, [1.0, 0.0])], [1.0, 1], [1.0, 1.0]),
            ValueError,
            "ridge must be larger",
        ),
        (lambda: white(100, 0.5, 1.5), ValueError, "synthetic_weight must be"),
        (lambda: white(100, 0.0, 0.5), ValueError, "n_synthetic must be >= 1 with synthetic_w"),
        (lambda: white(100, 1.0, 0.5), ValueError, "n_real must be >= 1 with synthetic_weight"),
        (
            lambda: theory.excess_risk_grid(white(100, 0.5, 0.5), synthetic_fraction=0.0),
            ValueError,
            "synthetic_fraction must leave samples",
        ),
        (lambda: theory.optimal_weight(white(100, 0.0, None)), ValueError, "n_synthetic >= 1"),
        (lambda: theory.optimal_weight(3), TypeError, "mixture must be a Mixture, got int"),
        (lambda: theory.optimal_ridge(3), TypeError, "mixture must be a Mixture, got int"),
        (lambda: theory.departure_sample_size(3), TypeError, "mixture must be a Mixture"),
        (
            lambda: theory.exact_excess_risk(white(300, 0.5, 0.5)),
            ValueError,
            "synthetic_weight = None",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
