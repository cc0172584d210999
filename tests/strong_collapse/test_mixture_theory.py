"""The large-size limit against golden values, direct sums, special cases, and simulation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import brentq

from fragile_learning.equivalents import df1, df2, kappa
from fragile_learning.regression import Chain, Stage
from fragile_learning.regression import theory as chain_theory
from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.strong_collapse import FixedShift, Mixture, RandomShift, theory
from fragile_learning.strong_collapse.simulation import simulate_excess_risk

D = 240
HARMONIC = float(np.sum(1.0 / np.arange(1, D + 1)))
SPECTRUM = Spectrum.power_law(D, 1.0)
TARGET = np.full(D, HARMONIC**-0.5)
SHIFT = RandomShift(np.full(D, 0.4 / HARMONIC))
NOISE = {"noise_std_real": 0.3, "noise_std_synthetic": 0.6}


def golden(n, width, ridge, fraction, **change):
    synthetic = round(n * fraction)
    mixture = Mixture(
        SPECTRUM, TARGET, SHIFT, n - synthetic, synthetic, ridge, width=width, **NOISE
    )
    return dataclasses.replace(mixture, **change)


# theta, bias, variance, collapse: computed once from the formulas by two programs that share no
# code with this package, printed to 1e-6.
GOLDEN = {
    "ridge, n > d": (golden(360, None, 0.01, 0.25), 0.014089, 0.137357, 0.027980, 0.029613),
    "ridgeless, n < d": (golden(150, None, 0.0, 0.2), 0.005809, 0.143785, 0.286565, 0.141062),
    "projected": (golden(360, 190, 0.01, 0.25), 0.022693, 0.242301, 0.025362, 0.027838),
    "ridgeless, m < n": (golden(150, 100, 0.0, 0.6), 0.015414, 0.763056, 0.504000, 0.372627),
    "ridgeless, m > n": (golden(150, 220, 0.0, 0.6), 0.005809, 0.451897, 1.041489, 0.564421),
    "m = n": (golden(150, 150, 0.001, 1.0), 0.013025, 0.412725, 0.478381, 0.378635),
    "least squares": (golden(1000, None, 0.0, 0.001), 0.0, 0.0, 0.028506, 0.000127),
}


def theta(mixture):
    width = np.inf if mixture.width is None else mixture.width
    return theory.effective_ridge(mixture.spectrum, mixture.n_samples, width, mixture.ridge)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name):
    mixture, effective, *parts = GOLDEN[name]
    assert theta(mixture) == pytest.approx(effective, abs=1e-6)
    assert theory.excess_risk(mixture)[:3] == pytest.approx(parts, abs=1e-6)


def test_golden_interference():
    j = np.arange(1, D + 1)
    target = np.cos(j) / np.sqrt(HARMONIC / 2)
    shift = 0.8 * np.cos(1.3 * j) * np.sqrt(0.8 / HARMONIC) + 0.3 * target
    mixture = golden(360, 190, 0.01, 0.25, target=target, shift=FixedShift(shift))
    expected = (0.241532, 0.025362, 0.023751, -0.009085, 0.281561)
    assert theory.excess_risk(mixture) == pytest.approx(expected, abs=1e-6)


def by_sums(mixture):
    """The averaged-target form, by Brent's method and direct sums over eigenvalues."""
    values, n = mixture.spectrum.eigenvalues, mixture.n_samples
    m = 1e18 if mixture.width is None else float(mixture.width)

    def gap(log_root):
        first = np.sum(values / (values + np.exp(log_root)))
        return np.exp(log_root) * (1 - first / n) * (1 - first / m) - mixture.ridge

    fewest = min(n, m)
    least = np.log(kappa(mixture.spectrum, int(fewest), 0.0)) if fewest < values.size else -60.0
    root = np.exp(brentq(gap, least + 1e-13 if fewest < values.size else -60.0, 20.0, xtol=1e-15))
    first, second = float(df1(mixture.spectrum, root)), float(df2(mixture.spectrum, root))
    rho = (1 - first / m) / (1 - second / m)
    omega = (1 - rho) * root
    freedom = (1 - rho) * first + rho * second
    u = freedom / (n - freedom)
    square = mixture.shift.square
    p2 = mixture.synthetic_fraction
    inner = (root**2 * values + omega * values**2) / (values + root) ** 2
    collapse = (1 - p2) * p2 * u * np.sum(values * square) + p2**2 * np.sum(
        square * (values - 2 * root * values / (values + root) + (1 + u) * inner)
    )
    return (1 + u) * np.sum(mixture.target**2 * inner), collapse


@pytest.mark.parametrize("width", [None, 7, 30, 45, 400])
@pytest.mark.parametrize("n", [12, 30, 90])
@pytest.mark.parametrize("ridge", [1e-3, 0.3])
def test_the_averaged_target_form_is_the_same(width, n, ridge):
    rng = np.random.default_rng(n + (width or 0))
    spectrum = Spectrum(rng.exponential(size=30))
    shift = RandomShift(rng.exponential(size=30))
    target = rng.standard_normal(30)
    mixture = Mixture(spectrum, target, shift, n - n // 3, n // 3, ridge, width=width)
    risk = theory.excess_risk(mixture)
    assert (risk.bias, risk.collapse) == pytest.approx(by_sums(mixture), rel=1e-9)


@pytest.mark.parametrize("n", [80, 400])
@pytest.mark.parametrize("ridge", [0.0, 1e-14, 1e-4, 1.0])
def test_without_projection_and_shift_it_is_ridge_regression(n, ridge):
    quiet = RandomShift(np.zeros(D))
    mixture = Mixture(SPECTRUM, TARGET, quiet, n - 20, 20, ridge, 0.3, 0.3)
    known = chain_theory.excess_risk(Chain(SPECTRUM, TARGET, [Stage(n, ridge, 0.3)]))
    risk = theory.excess_risk(mixture)
    assert (risk.bias, risk.variance) == pytest.approx((known.bias, known.variance), rel=1e-9)
    assert risk.collapse == risk.interference == 0.0
    assert theta(mixture) == pytest.approx(kappa(SPECTRUM, n, ridge), rel=1e-12)


@pytest.mark.parametrize("name", ["ridge, n > d", "ridgeless, n < d"])
def test_wide_projections_become_ridge_regression(name):
    plain = GOLDEN[name][0]
    wide = dataclasses.replace(plain, width=10**12)
    assert theory.excess_risk(wide) == pytest.approx(theory.excess_risk(plain), rel=1e-8)


def test_ridgeless_narrow_models_have_a_closed_form():
    """m < n, m < d: u = m / (n - m), and the first degrees of freedom are m."""
    n, m, p2 = 150, 100, 0.6
    mixture = GOLDEN["ridgeless, m < n"][0]
    risk, values = theory.excess_risk(mixture), SPECTRUM.eigenvalues
    root, u = theta(mixture), m / (n - m)
    assert float(df1(SPECTRUM, root)) == pytest.approx(m, rel=1e-12)
    bias = n / (n - m) * root * np.sum(TARGET**2 * values / (values + root))
    lost = root * np.sum(SHIFT.square * values / (values + root))
    collapse = (p2**2 + p2 * (1 - p2) * u) * 0.4 - p2**2 * (1 - u) * lost
    variance = (0.4 * 0.09 + 0.6 * 0.36) * u
    assert risk[:3] == pytest.approx((bias, variance, collapse), rel=1e-10)


def test_model_size_mitigates_above_the_threshold_and_amplifies_below():
    white = Mixture(Spectrum.isotropic(600), np.ones(600), RandomShift(np.ones(600)), 450, 50)
    below = theory.excess_risk_grid(white, width=np.arange(10, 500, 10)).collapse
    above = theory.excess_risk_grid(white, width=np.r_[np.arange(510, 3000, 10), np.inf]).collapse
    assert np.all(np.diff(below) > 0)
    assert np.all(np.diff(above) < 0)
    assert above[-1] > 0
    # with fewer features than samples there is no threshold at m = n
    few = Mixture(Spectrum.isotropic(300), np.ones(300), RandomShift(np.ones(300)), 450, 50)
    flat = theory.excess_risk_grid(few, width=[300, 400, 500, 600, np.inf]).collapse
    assert np.ptp(flat) < 1e-10 * flat[0]


@pytest.mark.parametrize(("n", "width"), [(600, None), (600, 900), (500, 500)])
def test_the_pole_is_infinite_and_nothing_is_nan(n, width):
    shift = FixedShift(np.linspace(-1, 1, 600))
    mixture = Mixture(
        Spectrum.isotropic(600), np.ones(600), shift, n - 50, 50, 0.0, 1.0, 1.0, width
    )
    risk = theory.excess_risk(mixture)
    assert risk.variance == risk.collapse == risk.total == np.inf
    assert not np.isnan(risk).any()
    assert risk.bias == (0.0 if n == 600 else np.inf)


def test_the_floor_is_that_of_infinitely_many_samples():
    for fraction in (0.001, 0.01, 0.5):
        k = round(1000 * fraction)
        mixture = Mixture(SPECTRUM, TARGET, SHIFT, 1000 - k, k)
        assert theory.collapse_floor(mixture) == pytest.approx(0.4 * fraction**2, rel=1e-12)
        many = theory.excess_risk_grid(mixture, n=10**9).collapse
        assert many == pytest.approx(0.4 * fraction**2, rel=1e-3)
    ridged = Mixture(SPECTRUM, TARGET, SHIFT, 500, 500, 0.1)
    values = SPECTRUM.eigenvalues
    direct = 0.25 * np.sum(SHIFT.square * values**3 / (values + 0.1) ** 2)
    assert theory.collapse_floor(ridged) == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 1e-14, 1e-6, 1e-2, 10.0])
def test_the_effective_ridge_solves_its_equation(ridge):
    n, m = np.meshgrid([1, 3, 50, 240, 1000, 10**9], [1, 2, 50, 240, 3000])
    root = theory.effective_ridge(SPECTRUM, n, m, ridge)
    learned = df1(SPECTRUM, root)
    # relative residual of T - df1 = lambda T / theta (...), where the two sides are not tiny
    value = root * (1 - learned / n) * (1 - learned / m)
    clear = (np.abs(1 - learned / n) > 1e-4) & (np.abs(1 - learned / m) > 1e-4)
    assert value[clear] == pytest.approx(ridge, rel=1e-10, abs=1e-16)
    assert np.all(learned <= np.minimum(np.minimum(n, m), D) * (1 + 1e-12))


def test_white_features_solve_a_cubic():
    root = theory.effective_ridge(Spectrum.isotropic(600), 500, 300, 0.05)
    x = 1.0 + root
    assert (x - 1) * (x - 1.2) * (x - 2.0) == pytest.approx(0.05 * x**2, rel=1e-12)


FALSE_ALARM = 1e-8 / 30  # of each comparison: all of this file together stay below 1e-8


@pytest.mark.parametrize("name", ["ridge, n > d", "ridgeless, n < d", "projected", "m = n"])
def test_simulation_agrees_with_the_limit(name):
    """Margin, set before the run: z standard errors plus 3 / (n - D), the first correction.

    The exact variance at the sizes of "ridgeless, m < n" is 2 % above the limit, 1.0 / (n - D);
    twice the usual allowance of 1.5 covers designs and projections that are both random.
    """
    mixture = GOLDEN[name][0]
    risk = theory.excess_risk(mixture)
    quiet = dataclasses.replace(mixture, noise_std_real=1.0, noise_std_synthetic=1.0)
    u = theory.excess_risk(quiet).variance
    allowed = 3.0 * (1.0 + u) / mixture.n_samples  # 1 / (n - D), as u = D / (n - D)
    drawn = simulate_excess_risk(mixture, 30, rng=20261125)
    for part in ("bias", "variance", "collapse"):
        check = check_mean(getattr(drawn, part), getattr(risk, part))
        margin = z_bound(FALSE_ALARM) * check.standard_error + allowed * check.theory
        assert abs(check.mean - check.theory) < margin, part


def plain(mixture, rng):
    """Draw everything, labels and shift too, and fit: one replicate."""
    root, m = np.sqrt(mixture.spectrum.eigenvalues), mixture.width
    design = rng.standard_normal((mixture.n_samples, root.size)) * root
    shift = mixture.shift
    delta = (
        shift.coordinates
        if isinstance(shift, FixedShift)
        else np.sqrt(shift.variances) * rng.standard_normal(root.size)
    )
    labels = design @ mixture.target
    noise = rng.standard_normal(mixture.n_samples)
    k = mixture.n_real
    labels[:k] += mixture.noise_std_real * noise[:k]
    labels[k:] += design[k:] @ delta + mixture.noise_std_synthetic * noise[k:]
    s = np.eye(root.size) if m is None else rng.standard_normal((m, root.size)) / np.sqrt(m)
    features = design @ s.T
    if mixture.ridge == 0:
        weights = s.T @ np.linalg.lstsq(features, labels, rcond=None)[0]
    else:
        penalty = mixture.n_samples * mixture.ridge * np.eye(features.shape[1])
        weights = s.T @ np.linalg.solve(features.T @ features + penalty, features.T @ labels)
    return float(np.sum((root * (weights - mixture.target)) ** 2))


SMALL = Spectrum([2.0, 1.0, 0.7, 0.4, 0.2])
SMALL_TARGET = np.array([1.0, -0.5, 0.3, 0.8, 1.0])
RANDOM = RandomShift([0.9, 0.3, 1.5, 0.6, 1.2])
FIXED = FixedShift([0.9, 0.5, -1.2, 0.4, 1.5])


@pytest.mark.parametrize("shift", [RANDOM, FIXED], ids=["random", "fixed"])
@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "ridge", "width"),
    [(9, 7, 0.1, None), (9, 7, 0.0, None), (3, 9, 0.2, 3), (2, 2, 0.3, 8), (4, 11, 0.0, 2)],
)
def test_the_simulator_has_the_law_of_the_plain_simulation(
    shift, n_real, n_synthetic, ridge, width
):
    mixture = Mixture(SMALL, SMALL_TARGET, shift, n_real, n_synthetic, ridge, 0.4, 0.7, width)
    fast = simulate_excess_risk(mixture, 4000, rng=1).total
    rng = np.random.default_rng(2)
    slow = np.array([plain(mixture, rng) for _ in range(4000)])
    error = np.hypot(fast.std() / 4000**0.5, slow.std() / 4000**0.5)
    assert abs(fast.mean() - slow.mean()) < z_bound(FALSE_ALARM) * error
    # negative control: without the shift the same test goes red
    bare = dataclasses.replace(mixture, shift=RandomShift(np.zeros(5)))
    wrong = simulate_excess_risk(bare, 4000, rng=3).total
    assert abs(wrong.mean() - slow.mean()) > z_bound(FALSE_ALARM) * error


@pytest.mark.parametrize(("n_real", "n_synthetic", "d"), [(27, 13, 12), (54, 6, 4), (10, 20, 8)])
def test_least_squares_has_an_exact_law(n_real, n_synthetic, d):
    spectrum = Spectrum.power_law(d, 1.0)
    shift = RandomShift(np.linspace(0.1, 1.0, d))
    mixture = Mixture(spectrum, np.ones(d), shift, n_real, n_synthetic, 0.0, 0.5, 0.8)
    exact = theory.exact_excess_risk(mixture)
    drawn = simulate_excess_risk(mixture, 20_000, rng=4)
    for part in ("variance", "collapse"):
        check = check_mean(getattr(drawn, part), getattr(exact, part))
        assert abs(check.z) < z_bound(FALSE_ALARM), part
    assert drawn.bias.max() < 1e-12
    # negative control: the large-size limit is rejected where n is small
    limit = check_mean(drawn.variance, theory.excess_risk(mixture).variance)
    assert abs(limit.z) > z_bound(FALSE_ALARM)


def test_exact_least_squares_at_both_ends():
    shift = RandomShift(np.ones(8))
    pure = Mixture(Spectrum.isotropic(8), np.ones(8), shift, 0, 30)
    assert theory.exact_excess_risk(pure).collapse == pytest.approx(8.0, rel=1e-12)
    clean = Mixture(Spectrum.isotropic(8), np.ones(8), shift, 30, 0)
    assert theory.exact_excess_risk(clean).collapse == pytest.approx(0.0, abs=1e-12)


def test_the_grid_is_the_point_by_point_result():
    mixture = GOLDEN["projected"][0]
    grid = theory.excess_risk_grid(
        mixture, n=[[100], [360]], width=[50, 190, np.inf], ridge=0.01, synthetic_fraction=0.25
    )
    assert grid.total.shape == (2, 3)
    assert grid.total[1, 1] == pytest.approx(theory.excess_risk(mixture).total, rel=1e-14)
    plain_ridge = dataclasses.replace(mixture, width=None)
    assert grid.total[1, 2] == pytest.approx(theory.excess_risk(plain_ridge).total, rel=1e-14)


def test_a_covariance_counts_by_its_diagonal():
    shift = RandomShift(covariance=np.array([[1.0, 0.5], [0.5, 2.0]]))
    assert shift.variances.tolist() == [1.0, 2.0]


GOOD = {
    "spectrum": SMALL,
    "target": SMALL_TARGET,
    "shift": RANDOM,
    "n_real": 5,
    "n_synthetic": 5,
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"spectrum": [1.0]}, TypeError, "spectrum must be a Spectrum, got list"),
        ({"shift": [1.0]}, TypeError, "shift must be a RandomShift or a FixedShift, got list"),
        ({"target": [1.0]}, ValueError, "target must have length n_features = 5, got 1"),
        ({"shift": RandomShift([1.0])}, ValueError, "shift must have length n_features = 5, got 1"),
        ({"n_real": -1}, ValueError, "n_real must be an integer >= 0, got -1"),
        ({"n_real": 2.5}, TypeError, "n_real must be an integer, got 2.5"),
        ({"n_real": 0, "n_synthetic": 0}, ValueError, "n_real .* must be >= 1, got 0"),
        ({"ridge": -1.0}, ValueError, "ridge must be .*, got -1.0"),
        ({"noise_std_real": float("nan")}, ValueError, "noise_std_real must be .*nan"),
        ({"width": 0}, ValueError, "width must be an integer >= 1, got 0"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        Mixture(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RandomShift([-1.0]), ValueError, "variances"),
        (lambda: RandomShift(covariance=[[1.0, 2.0]]), ValueError, "must be square"),
        (lambda: RandomShift(covariance=[[1.0, 2.0], [2.0, 1.0]]), ValueError, "eigenvalues"),
        (lambda: FixedShift([np.inf]), ValueError, "coordinates"),
        (lambda: theory.excess_risk(None), TypeError, "mixture must be a Mixture, got NoneType"),
        (lambda: theory.exact_excess_risk(None), TypeError, "mixture must be a Mixture"),
        (lambda: theory.excess_risk_grid(Mixture(**GOOD), n=0), ValueError, "n must hold"),
        (lambda: theory.excess_risk_grid(Mixture(**GOOD), n="x"), TypeError, "n must hold"),
        (lambda: theory.excess_risk_grid(Mixture(**GOOD), width=1.5), ValueError, "width must"),
        (lambda: theory.excess_risk_grid(Mixture(**GOOD), width=np.nan), ValueError, "width must"),
        (
            lambda: theory.excess_risk_grid(Mixture(**GOOD), synthetic_fraction=1.1),
            ValueError,
            "synthetic_fraction must be finite and >= 0 and <= 1",
        ),
        (
            lambda: theory.exact_excess_risk(Mixture(**GOOD, ridge=0.1)),
            ValueError,
            "ridge = 0, width = None and synthetic_weight = None",
        ),
        (
            lambda: theory.exact_excess_risk(Mixture(**{**GOOD, "n_real": 1})),
            ValueError,
            "n_samples > n_features",
        ),
        (lambda: simulate_excess_risk(None, 3, rng=1), TypeError, "mixture must be a Mixture"),
        (lambda: simulate_excess_risk(Mixture(**GOOD), 0, rng=1), ValueError, "n_replicates"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
