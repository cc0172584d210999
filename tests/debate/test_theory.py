"""The laws of the workflows against sums, recursions, quadrature and other programs' functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import zeta
from scipy.stats import beta as beta_law
from scipy.stats import chi2, norm, wishart

from fragile_learning.debate import theory
from fragile_learning.statistics import check_mean, z_bound

EXACT = {"rtol": 1e-12, "atol": 0.0}


# --- least squares ----------------------------------------------------------------------------


def test_one_fit_is_the_trace_of_an_inverse_wishart_mean():
    # E (X'X)^-1 = I / (T - d - 1): scipy's inverse-Wishart has the mean by itself
    from scipy.stats import invwishart

    expected = 0.3**2 * np.trace(invwishart(df=60, scale=np.eye(8)).mean())
    assert theory.one_fit(60, 8, noise_std=0.3) == pytest.approx(expected, rel=1e-12)
    assert theory.one_fit(60, 8) == pytest.approx(8 / 51, rel=1e-14)


def test_replace_and_accumulate_by_hand():
    np.testing.assert_array_equal(theory.replace(4), [1, 2, 3, 4])
    expected = [1, 1 + 1 / 4, 1 + 1 / 4 + 1 / 9]
    np.testing.assert_allclose(theory.accumulate_shared_design(3), expected, **EXACT)
    assert pytest.approx(zeta(2), rel=1e-14) == theory.ACCUMULATE_LIMIT
    assert theory.accumulate_shared_design(10_000)[-1] == pytest.approx(zeta(2) - 1e-4, abs=1e-8)


@pytest.mark.parametrize(("n_samples", "n_features"), [(60, 8), (11, 9), (2000, 1)])
def test_new_designs_sum_inverse_wishart_traces(n_samples, n_features):
    """Each step adds 1/i of the error of one fit to i T rows."""
    unit = theory.one_fit(n_samples, n_features)
    fits = [theory.one_fit(i * n_samples, n_features) / i / unit for i in range(1, 31)]
    course = theory.accumulate_new_designs(30, n_samples, n_features)
    np.testing.assert_allclose(course, np.cumsum(fits), **EXACT)
    shared = theory.accumulate_shared_design(30)
    assert (course[1:] < shared[1:]).all()
    limit = theory.accumulate_new_designs_limit(n_samples, n_features)
    long = theory.accumulate_new_designs(100_000, n_samples, n_features)
    tail = (1 - (n_features + 1) / n_samples) / 100_000
    assert long[-1] + tail == pytest.approx(limit, abs=1e-8)
    assert 1 < limit < theory.ACCUMULATE_LIMIT


def test_limits_of_new_designs():
    assert theory.accumulate_new_designs_limit(10**7, 1) == pytest.approx(zeta(2), abs=1e-6)
    assert theory.accumulate_new_designs_limit(10**6 + 2, 10**6) == pytest.approx(1.0, abs=1e-5)


def disagreements(rows, columns, n_fits, rng):
    """Squared distance of fits from the mean teacher, by a solver, one teacher to a row."""
    found = np.empty(n_fits)
    for i in range(n_fits):
        design = rng.standard_normal((rows, columns))
        teachers = rng.standard_normal((rows, columns)) / np.sqrt(columns)
        labels = (design * teachers).sum(axis=1)
        found[i] = np.sum(np.linalg.lstsq(design, labels, rcond=None)[0] ** 2)
    return found


@pytest.mark.parametrize(("rows", "columns"), [(24, 6), (12, 4), (40, 2)])
def test_disagreement_of_teachers(rows, columns):
    """False alarm 1e-6 over the three; a formula that is off by 6 per cent is seen."""
    found = disagreements(rows, columns, 40_000, np.random.default_rng(3))
    expected = theory.disagreement_gain(rows, columns)
    assert abs(check_mean(found, expected).z) < z_bound(1e-6 / 3)
    assert abs(check_mean(found, 1.06 * expected).z) > z_bound(1e-6 / 3)


@pytest.mark.parametrize("rows", [3, 4, 60, 10_000])
def test_one_column_is_a_mean_of_squares(rows):
    # E sum x^4 / (sum x^2)^2, by the fourth moment of one coordinate on a sphere
    assert theory.disagreement_gain(rows, 1) == pytest.approx(3 / (rows + 2), rel=1e-14)


@pytest.mark.parametrize("columns", [2, 5, 8, 100])
def test_teachers_are_averaged_beyond_two_rows_for_each_column(columns):
    assert theory.disagreement_gain(2 * columns, columns) > 1
    assert theory.disagreement_gain(2 * columns + 1, columns) < 1
    many = 10**6 * columns
    assert theory.disagreement_gain(many, columns) * many == pytest.approx(columns + 2, rel=1e-5)


def second_moments(n_generations, n_samples):
    """Exact error of the subsample workflow for a mean, from the covariance of all pool values.

    The pool's values are exchangeable within a generation, so three numbers a generation suffice;
    here the whole matrix is kept, and the chain's next model is the average over all subsets.
    """
    T = n_samples
    cov = np.eye(T)
    course = [1.0 / T]
    model = np.full(T, 1.0 / T)  # the first model as a function of the pool's values
    total = cov
    cross = total @ model  # covariance of the model with each pool value
    error = float(model @ total @ model)
    for n in range(2, n_generations + 1):
        size = n * T
        grown = np.zeros((size, size))
        grown[: size - T, : size - T] = total
        grown[: size - T, size - T :] = cross[:, None]
        grown[size - T :, : size - T] = cross[None, :]
        grown[size - T :, size - T :] = error + np.eye(T)
        total = grown
        # averages over subsets of T of the nT values
        cross = total.mean(axis=1)
        one = 1.0 / size
        two = (T - 1) / (size * (size - 1)) / T  # P(i, j chosen) / T^2, i != j
        diagonal = np.trace(total)
        error = diagonal * one / T + two * (total.sum() - diagonal)
        course.append(error)
    return np.array(course) * T


@pytest.mark.parametrize("n_samples", [2, 3, 7])
def test_subsample_against_all_second_moments(n_samples):
    expected = second_moments(8, n_samples)
    np.testing.assert_allclose(theory.subsample(8, n_samples), expected, rtol=1e-11)


def test_subsample_for_large_samples():
    np.testing.assert_allclose(theory.subsample(9, 10**9), theory.subsample(9), rtol=1e-7)
    i = np.arange(2, 10)
    pool = 1 + np.cumsum((2 - 1 / (i - 1)) / i**2)
    np.testing.assert_allclose(theory.subsample(9)[1:], pool + 1 - 1 / i, **EXACT)
    assert pytest.approx(math.pi**2 / 2 - 2, rel=1e-14) == theory.SUBSAMPLE_LIMIT
    n = 20_000
    assert theory.subsample(n)[-1] == pytest.approx(theory.SUBSAMPLE_LIMIT - 3 / n, abs=1e-7)
    shared, replaced = theory.accumulate_shared_design(40), theory.replace(40)
    between = theory.subsample(40)
    assert (shared[1:] < between[1:]).all()
    assert (between[2:] < replaced[2:]).all()


def weighted_course(n_generations, weight, ratio, *, fresh):
    """Variance of the weighted mean as a sum of independent noises, written out."""
    course = []
    for t in range(1, n_generations + 1):
        keep = 1.0 - weight
        if fresh:
            real = [weight * keep**j for j in range(t - 1)] + [keep ** (t - 1)]
            noise = sum(c**2 for c in real)
        else:
            noise = (sum(weight * keep**j for j in range(t - 1)) + keep ** (t - 1)) ** 2
        noise += ratio * sum(keep ** (2 * (j + 1)) for j in range(t - 1))
        course.append(noise)
    return np.array(course)


@given(weight=st.floats(0.05, 1.0), ratio=st.floats(0.05, 20.0))
@settings(max_examples=60, deadline=None)
def test_mixing_is_a_sum_of_independent_noises(weight, ratio):
    expected = weighted_course(9, weight, ratio, fresh=True)
    np.testing.assert_allclose(theory.fresh_real(9, weight, ratio), expected, rtol=1e-9)
    expected = weighted_course(9, weight, ratio, fresh=False)
    np.testing.assert_allclose(theory.kept_real(9, weight, ratio), expected, rtol=1e-9)


@given(ratio=st.floats(1e-4, 1e4))
@settings(max_examples=60, deadline=None)
def test_the_best_weight_is_the_least_of_the_stationary_error(ratio):
    best = theory.best_weight(ratio)
    assert best**2 + ratio * best - ratio == pytest.approx(0.0, abs=1e-9 * max(ratio, 1))
    assert theory.stationary_error(best, ratio) == pytest.approx(best, rel=1e-9)
    found = minimize_scalar(
        lambda w: theory.stationary_error(w, ratio),
        bounds=(1e-9, 1.0),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert theory.stationary_error(best, ratio) <= found.fun * (1 + 1e-9)
    pooled = theory.pooled_weight(ratio)
    assert pooled == pytest.approx(ratio / (1 + ratio), rel=1e-14)
    assert pooled < best
    assert best < theory.stationary_error(pooled, ratio) * (1 + 1e-12)


def test_the_golden_ratio():
    golden = (1 + math.sqrt(5)) / 2
    assert theory.best_weight(1.0) == pytest.approx(1 / golden, rel=1e-14)
    assert theory.stationary_error(0.5, 1.0) == pytest.approx(2 / 3, rel=1e-14)
    pooled = theory.stationary_error(theory.pooled_weight(0.25), 0.25)
    assert pooled == pytest.approx(5 / 9, rel=1e-14)
    assert theory.fresh_real(500, 0.3, 2.0)[-1] == pytest.approx(
        theory.stationary_error(0.3, 2.0), rel=1e-12
    )


@pytest.mark.parametrize(("real", "made", "features"), [(30, 15, 5), (9, 12, 3), (50, 50, 1)])
def test_pooled_least_squares_against_wishart_draws(real, made, features):
    """V and K are expectations over two Wishart matrices: draw them, take means."""
    rng = np.random.default_rng(3)
    size = 40_000
    first = wishart(real, np.eye(features)).rvs(size, random_state=rng).reshape(size, features, -1)
    other = wishart(made, np.eye(features)).rvs(size, random_state=rng).reshape(size, features, -1)
    inverse = np.linalg.inv(first + other)
    added = np.trace(inverse, axis1=1, axis2=2)
    shrink = np.sum((inverse @ other) ** 2, axis=(1, 2)) / features
    unit = theory.one_fit(real, features)
    course = theory.pooled_least_squares(3, n_real=real, n_synthetic=made, n_features=features)
    kept = (course[2] - course[1]) / (course[1] - course[0])
    new = course[1] - kept * course[0]
    for samples, value in ((added / unit, new), (shrink, kept)):
        error = samples.std() / math.sqrt(size)
        assert abs(samples.mean() - value) < 5.5 * error
        assert error < 0.005 * value
    if features == 1:  # a beta variable
        law = beta_law(made / 2, real / 2)
        assert kept == pytest.approx(law.var() + law.mean() ** 2, rel=1e-12)
    assert course[0] == 1.0


def test_workflows_by_name():
    sizes = {"n_samples": 5000, "n_features": 2}
    found = {name: theory.workflow_error(name, 60, **sizes)[-1] for name in theory.WORKFLOWS}
    assert sorted(found, key=found.get) == [
        "real fresh, best weight",
        "real fresh, pooled",
        "real fresh, alone",
        "real kept, pooled",
        "accumulate, new designs",
        "accumulate, one design",
        "accumulate, subsample",
        "replace",
    ]
    assert found["real kept, pooled"] == pytest.approx(4 / 3, rel=1e-9)
    assert found["real fresh, pooled"] == pytest.approx(2 / 3, rel=2e-3)
    assert found["real fresh, alone"] == pytest.approx(1.0, rel=1e-12)
    assert set(theory.EXACT_WORKFLOWS) < set(theory.WORKFLOWS)


# --- families ---------------------------------------------------------------------------------


@pytest.mark.parametrize("curvature", [-1.0, -0.2, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("workflow", ["replace", "accumulate"])
def test_families_by_the_recursion_of_the_variance(workflow, curvature):
    n, expected, variance = 7, [], 1.0
    error = 0.0
    for t in range(1, 9):
        step = variance / n / (t**2 if workflow == "accumulate" else 1)
        error += step
        variance += curvature * step
        expected.append(error * n)
    found = theory.family_error(workflow, 8, n_samples=n, curvature=curvature)
    np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.parametrize("curvature", [-1.0, -1e-4, 0.0, 1e-4, 0.5, 1.0])
@pytest.mark.parametrize("n_samples", [1, 2, 30])
def test_limit_of_families(curvature, n_samples):
    long = theory.family_error("accumulate", 100_000, n_samples=n_samples, curvature=curvature)
    limit = theory.family_error_limit(n_samples=n_samples, curvature=curvature)
    growth = 1 + curvature / n_samples * limit  # of the variance, in the rest of the sum
    assert long[-1] + growth * 1e-5 == pytest.approx(limit, rel=1e-8)


def test_the_limit_is_smooth_where_its_form_changes():
    # |pi^2 v2 / n| = 1e-3 between the series and the closed form
    n = 10_000
    edge = 1e-3 * n / math.pi**2 / 10
    values = [
        theory.family_error_limit(n_samples=1000, curvature=edge * factor)
        for factor in (0.999999, 1.000001)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-8)


# --- the Gaussian chain -----------------------------------------------------------------------


def pooled_gaussian(n_generations, n, *, unbiased):
    """Expected sums of squares of the pool, by the law of total variance."""
    squares, variance, error = 0.0, 1.0, 0.0
    course = []
    for t in range(1, n_generations + 1):
        error += variance / (n * t**2)
        between = n * (t - 1) / t * variance / n
        squares += variance * (n - 1) + between
        variance = squares / (n * t - (1 if unbiased else 0))
        course.append((variance, error))
    return np.array(course).T


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("n_samples", [2, 5, 40])
def test_gaussian_chain_by_sums_of_squares(n_samples, unbiased):
    found = theory.gaussian_chain("accumulate", 12, n_samples=n_samples, unbiased=unbiased)
    expected = pooled_gaussian(12, n_samples, unbiased=unbiased)
    np.testing.assert_allclose(found.variance, expected[0], rtol=1e-12)
    np.testing.assert_allclose(found.mean_error, expected[1], rtol=1e-12)


@pytest.mark.parametrize("n_samples", [2, 5, 40])
def test_gaussian_chain_that_replaces(n_samples):
    q = 1 - 1 / n_samples
    t = np.arange(1, 13)
    likely = theory.gaussian_chain("replace", 12, n_samples=n_samples, unbiased=False)
    np.testing.assert_allclose(likely.variance, q**t, rtol=1e-12)
    np.testing.assert_allclose(likely.mean_error, 1 - q**t, rtol=1e-12)
    fair = theory.gaussian_chain("replace", 12, n_samples=n_samples)
    np.testing.assert_allclose(fair.variance, 1.0, rtol=1e-14)
    np.testing.assert_allclose(fair.mean_error, t / n_samples, rtol=1e-12)


@pytest.mark.parametrize("n_samples", [2, 5, 40])
def test_limits_of_the_accumulated_variance(n_samples):
    for unbiased in (True, False):
        long = theory.gaussian_chain(
            "accumulate", 100_000, n_samples=n_samples, unbiased=unbiased
        ).variance[-1]
        limit = theory.accumulated_variance_limit(n_samples, unbiased=unbiased)
        assert long * (1 - 1e-5 / n_samples) == pytest.approx(limit, rel=1e-8)
    assert theory.accumulated_variance_limit(2) == pytest.approx(2 / 3, rel=1e-12)


@pytest.mark.parametrize("n_samples", [2, 11])
@pytest.mark.parametrize("unbiased", [True, False])
def test_drift_by_quadrature(n_samples, unbiased):
    law = chi2(n_samples - 1)
    scale = n_samples - 1 if unbiased else n_samples

    def moment(power):
        def integrand(u):  # u = log of the chi-square variable
            return math.log(math.exp(u) / scale) ** power * law.pdf(math.exp(u)) * math.exp(u)

        return quad(integrand, -60, 6, limit=400)[0]

    mean, variance = theory.log_variance_drift(n_samples, unbiased=unbiased)
    assert mean == pytest.approx(moment(1), rel=1e-6)
    assert variance == pytest.approx(moment(2) - moment(1) ** 2, rel=1e-6)
    assert mean < 0
    typical = theory.typical_variance(3, n_samples, unbiased=unbiased)
    np.testing.assert_allclose(typical, np.exp(mean * np.arange(1, 4)), **EXACT)


# --- two modes and a kernel -------------------------------------------------------------------


def steps_by_recursion(n_generations):
    """K_t = 1 + K_J, J uniform in 0..t-1, with K_0 = 0."""
    laws = [np.array([1.0])]
    for t in range(1, n_generations + 1):
        law = np.zeros(t + 1)
        for past in laws:
            law[1 : past.size + 1] += past / t
        laws.append(law)
    return laws[-1]


@pytest.mark.parametrize("n_generations", [1, 2, 9])
def test_kernel_steps(n_generations):
    found = theory.kernel_steps("accumulate", n_generations)
    np.testing.assert_allclose(found, steps_by_recursion(n_generations), rtol=1e-12)
    assert found.sum() == pytest.approx(1.0, rel=1e-12)
    replaced = theory.kernel_steps("replace", n_generations)
    assert replaced[-1] == 1.0
    assert replaced.sum() == 1.0


SIZES = {"separation": 1.7, "spread": 0.4, "bandwidth": 0.35}


def density(x, steps):
    width = math.sqrt(0.4**2 + steps * 0.35**2)
    return 0.5 * (norm.pdf(x, -1.7, width) + norm.pdf(x, 1.7, width))


@pytest.mark.parametrize("workflow", ["replace", "accumulate"])
def test_kernel_chain_by_quadrature(workflow):
    count = 6
    laws = [
        steps_by_recursion(t) if workflow == "accumulate" else np.eye(t + 1)[t]
        for t in range(1, count + 1)
    ]
    mass = theory.gap_mass(workflow, count, gap=0.6, **SIZES)
    valley = theory.valley_ratio(workflow, count, **SIZES)
    variance = theory.smoothed_variance(workflow, count, variance=1.7**2 + 0.4**2, bandwidth=0.35)
    for t, law in enumerate(laws):

        def mixed(x, law=law):
            return sum(p * density(x, k) for k, p in enumerate(law))

        assert mass[t] == pytest.approx(quad(mixed, -0.6, 0.6)[0], rel=1e-9)
        assert valley[t] == pytest.approx(mixed(0.0) / mixed(1.7), rel=1e-10)
        second = quad(lambda x, mixed=mixed: x**2 * mixed(x), -12, 12, points=[-1.7, 1.7])[0]
        assert variance[t] == pytest.approx(second, rel=1e-8)


def test_modes_merge_when_the_law_says():
    merge = (1.7**2 - 0.4**2) / 0.35**2  # 22.3
    x = np.linspace(0, 3, 3001)
    for steps, one_mode in ((math.floor(merge), False), (math.ceil(merge), True)):
        assert bool(np.argmax(density(x, steps)) == 0) is one_mode


def test_variance_within_a_generation_by_coalescence():
    found = theory.sample_variance_of_kernel_chain(6, n_samples=9, variance=2.0, bandwidth=0.5)
    value, expected = 2.0, []
    for _ in range(6):  # parents differ with probability 8/9; the kernel adds its variance
        value = 8 / 9 * value + 0.25
        expected.append(value)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# --- retraining with infinite data ------------------------------------------------------------


def student_score(x, location):
    """Derivative of the log density of Student's law with 3 degrees of freedom."""
    return 4 * (x - location) / (3 + (x - location) ** 2)


def test_retraining_rate_of_a_wrong_model():
    """Locations of Student's law fitted to normal data: slope of the map by quadrature."""
    from scipy.optimize import brentq
    from scipy.stats import t as student

    share = 1.5

    def step(start):
        def equation(location):
            real = quad(lambda x: norm.pdf(x) * student_score(x, location), -12, 12)[0]
            own = quad(
                lambda x: student.pdf(x - start, 3) * student_score(x, location), -np.inf, np.inf
            )[0]
            return real + share * own

        return brentq(equation, -1, 1, xtol=1e-13)

    def curvature(density):
        def second(x):
            return -4 * (3 - x**2) / (3 + x**2) ** 2 * density(x)

        return quad(second, -np.inf, np.inf)[0]

    ratio = curvature(lambda x: student.pdf(x, 3)) / curvature(norm.pdf)
    slope = (step(1e-3) - step(-1e-3)) / 2e-3
    assert theory.retraining_rate(share, ratio) == pytest.approx(slope, rel=1e-5)
    assert ratio != pytest.approx(1.0, abs=0.05)


def test_retraining_rate_of_a_normal_law():
    mean = 1.0
    for _ in range(5):
        mean = (0.0 + 3.0 * mean) / 4.0
    assert theory.retraining_rate(3.0) ** 5 == pytest.approx(mean, rel=1e-12)
    assert theory.retraining_rate(0.0) == 0.0
    assert theory.retraining_rate(1e6, 10.0) < 1


# --- bad input --------------------------------------------------------------------------------

KERNEL = {"separation": 1.0, "spread": 1.0, "bandwidth": 1.0}
BAD = [
    (theory.replace, (0,), {}, "n_generations must be an integer >= 1, got 0"),
    (theory.accumulate_shared_design, (0,), {}, "n_generations"),
    (theory.one_fit, (9, 8), {}, "n_samples must be an integer >= 10, got 9"),
    (theory.one_fit, (9, 0), {}, "n_features"),
    (theory.one_fit, (9, 1), {"noise_std": -1}, "noise_std must be finite and >= 0"),
    (theory.accumulate_new_designs, (3, 4, 3), {}, "n_samples"),
    (theory.accumulate_new_designs_limit, (4, 3), {}, "n_samples"),
    (theory.subsample, (3, 1), {}, "n_samples must be an integer >= 2, got 1"),
    (theory.disagreement_gain, (7, 6), {}, "n_samples must be an integer >= 8, got 7"),
    (theory.stationary_error, (0.0, 1.0), {}, "weight must be finite and > 0 and <= 1, got 0"),
    (theory.stationary_error, (0.5, 0.0), {}, "ratio must be finite and > 0, got 0"),
    (theory.best_weight, (-1,), {}, "ratio"),
    (theory.pooled_weight, (0,), {}, "ratio"),
    (theory.fresh_real, (3, 1.5, 1.0), {}, "weight"),
    (theory.kept_real, (3, 0.5, 0.0), {}, "ratio"),
    (
        theory.pooled_least_squares,
        (3,),
        {"n_real": 9, "n_synthetic": 1, "n_features": 2},
        "n_synthetic must be an integer >= 2, got 1",
    ),
    (
        theory.workflow_error,
        ("keep", 3),
        {"n_samples": 9, "n_features": 2},
        "workflow must be one of 'replace'",
    ),
    (
        theory.family_error,
        ("mix", 3),
        {"n_samples": 3, "curvature": 0},
        "workflow must be one of 'replace', 'accumulate', got 'mix'",
    ),
    (theory.family_error_limit, (), {"n_samples": 3, "curvature": -2}, "curvature"),
    (theory.gaussian_chain, ("replace", 3), {"n_samples": 1}, "n_samples"),
    (theory.accumulated_variance_limit, (1,), {}, "n_samples"),
    (theory.log_variance_drift, (1,), {}, "n_samples"),
    (theory.typical_variance, (0, 4), {}, "n_generations"),
    (theory.kernel_steps, ("mix", 3), {}, "workflow"),
    (theory.smoothed_variance, ("replace", 3), {"variance": 0, "bandwidth": 1}, "variance"),
    (theory.gap_mass, ("replace", 3), {**KERNEL, "gap": 0}, "gap must be finite and > 0"),
    (theory.valley_ratio, ("replace", 3), {**KERNEL, "bandwidth": 0}, "bandwidth"),
    (
        theory.sample_variance_of_kernel_chain,
        (3,),
        {"n_samples": 1, "variance": 1, "bandwidth": 1},
        "n_samples",
    ),
    (theory.retraining_rate, (-0.1,), {}, "synthetic_ratio must be finite and >= 0, got -0.1"),
    (theory.retraining_rate, (1, -1), {}, "information_ratio"),
]


@pytest.mark.parametrize(("function", "arguments", "keywords", "message"), BAD)
def test_bad_input_is_named(function, arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments, **keywords)


def test_every_function_refuses_something():
    functions = {name for name in theory.__all__ if name[0].islower()}
    assert {function.__name__ for function, *_ in BAD} == functions
    with pytest.raises(TypeError, match=r"n_generations must be an integer, got 2\.0"):
        theory.replace(2.0)
