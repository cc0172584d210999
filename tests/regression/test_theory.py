"""The theory of chains against dense matrices, closed forms and published-setting values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from fragile_learning.regression import Chain, Stage, theory
from fragile_learning.spectra import Spectrum, source_condition_target

D = 40
RNG = np.random.default_rng(3)
TARGET = RNG.normal(size=D)
POWER = Spectrum.power_law(D, 1.3)
CHAINS = {
    "clean, many samples": Chain(POWER, TARGET, [Stage(90, 0.02, 0.3)]),
    "clean, few samples": Chain(POWER, TARGET, [Stage(15, 0.0, 0.3)]),
    "least squares": Chain(POWER, TARGET, [Stage(90, 0, 0.2)] * 3 + [Stage(60, 0, 0.3)]),
    "projecting": Chain(POWER, TARGET, [Stage(15, 0, 0.2)] * 3 + [Stage(25, 0.01, 0.3)]),
    "mixed": Chain(
        POWER, TARGET, [Stage(90, 0.05, 0.2), Stage(20, 0.1, 0.4), Stage(70, 0), Stage(30, 0.02, 1)]
    ),
}


def root_of(eigenvalues, n_samples, ridge):
    """The effective ridge by bisection on its equation."""
    if ridge == 0 and n_samples >= eigenvalues.size:
        return 0.0

    def equation(k):
        return 1 - ridge / k - np.sum(eigenvalues / (eigenvalues + k)) / n_samples

    return brentq(equation, 1e-12, ridge + eigenvalues.sum(), xtol=1e-18, rtol=1e-14)


def dense_excess_risk(chain: Chain) -> tuple[float, float, float]:
    """The recursion with full matrices in a rotated basis, noise and signal followed apart."""
    d = chain.spectrum.n_features
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))[0]
    sigma = basis @ np.diag(chain.spectrum.eigenvalues) @ basis.T
    w0 = basis @ chain.target
    mean, second = w0.copy(), np.outer(w0, w0)
    noise, student = np.zeros((d, d)), np.zeros((d, d))
    for index, stage in enumerate(chain.stages):
        k = root_of(chain.spectrum.eigenvalues, stage.n_samples, stage.ridge)
        inverse = np.linalg.inv(sigma + k * np.eye(d))
        smoother = sigma @ inverse
        gap = stage.n_samples - np.trace(smoother @ smoother)
        kernel = sigma @ inverse @ inverse

        def step(moment, variance, k=k, smoother=smoother, kernel=kernel, gap=gap):
            leak = k**2 * np.trace(moment @ kernel)
            return smoother @ moment @ smoother + (variance + leak) / gap * kernel

        last = index == chain.n_generations
        second = step(second, 0.0)
        noise = step(noise, 0.0 if last else stage.noise_std**2)
        if last:
            student = step(student, stage.noise_std**2)
        mean = smoother @ mean
    bias = np.trace(sigma @ second) - 2 * w0 @ sigma @ mean + w0 @ sigma @ w0
    return bias, np.trace(sigma @ student), np.trace(sigma @ noise)


@pytest.mark.parametrize("name", CHAINS)
def test_recursion_with_dense_matrices(name):
    risk = theory.excess_risk(CHAINS[name])
    np.testing.assert_allclose(risk[:3], dense_excess_risk(CHAINS[name]), rtol=1e-8, atol=1e-12)
    assert risk.total == pytest.approx(sum(risk[:3]), rel=1e-14)


def test_grid_repeats_single_points():
    chain = CHAINS["mixed"]
    samples, ridges = np.array([[10], [40], [400]]), np.array([0.0, 1e-3, 0.5, 30.0])
    grid = theory.excess_risk_grid(chain, samples, ridges)
    for i, j in np.ndindex(3, 4):
        if (samples[i, 0], ridges[j]) == (40, 0.0):
            assert grid.total[i, j] == np.inf
            continue
        stages = [*chain.generators, Stage(int(samples[i, 0]), ridges[j], 1.0)]
        expected = dense_excess_risk(Chain(POWER, TARGET, stages))
        found = [part[i, j] for part in grid[:3]]
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


def test_compressed_spectrum_gives_the_direct_sums():
    """d = 20,000 runs on compressed nodes; the sums written out must agree."""
    spectrum = Spectrum.power_law(20_000, 1.5)
    c = source_condition_target(20_000, 1.5, 0.4)
    chain = Chain(spectrum, c, [Stage(300, 1e-3, 0.5)])
    k = root_of(spectrum.eigenvalues, 300, 1e-3)
    share = spectrum.eigenvalues / (spectrum.eigenvalues + k)
    gap = 1 - np.sum(share**2) / 300
    risk = theory.excess_risk(chain)
    expected = np.sum(spectrum.eigenvalues * ((1 - share) * c) ** 2) / gap
    assert risk.bias == pytest.approx(expected, rel=1e-9)
    assert risk.variance == pytest.approx(0.25 * np.sum(share**2) / 300 / gap, rel=1e-9)


# Values that an independent program computed for the settings of the paper's figures 1a and 1b.
FIGURE_1A = {
    0: [0.00428, 0.00427, 0.00439, 0.02168, 0.09285, 0.30918, 0.83245],
    1: [0.04427, 0.04416, 0.04329, 0.05285, 0.11433, 0.31854, 0.83284],
    20: [0.80406, 0.80199, 0.78221, 0.64518, 0.52247, 0.49631, 0.84031],
}
FIGURE_1B = {
    1: [0.1396, 0.0886, 0.0745, 0.0708, 0.0782, 0.1096, 0.2579, 0.5707],
    10: [0.6463, 0.4986, 0.4900, 0.5198, 0.6856, 1.0491, 2.5682, 5.7046],
}


@pytest.mark.parametrize("n", FIGURE_1A)
def test_setting_of_figure_1a(n):
    chain = Chain.repeated(
        Spectrum.isotropic(300), np.full(300, 300**-0.5), n, Stage(600, 0, 0.2), Stage(1000, 0, 0.1)
    )
    risk = theory.excess_risk_grid(chain, ridge=[1e-4, 1e-3, 1e-2, 0.1, 0.3, 1, 10]).total
    np.testing.assert_allclose(risk, FIGURE_1A[n], atol=5.1e-6)


@pytest.mark.parametrize("n", FIGURE_1B)
def test_setting_of_figure_1b(n):
    target = source_condition_target(300, 2.0, 0.375)
    stages = Stage(600, 0, 1.0), Stage(1000, 0, 1.0)
    chain = Chain.repeated(Spectrum.power_law(300, 2.0), target, n, *stages)
    samples = np.array([100, 300, 600, 1000, 3000, 10**4, 10**5, 10**6])
    risk = theory.excess_risk_grid(chain, samples, samples**-0.8).total
    np.testing.assert_allclose(risk, FIGURE_1B[n], atol=5.1e-5)


def test_published_inequality_fails():
    """Two-level spectrum, target in the weak directions: generated labels lower the bias."""
    spectrum = Spectrum(np.r_[np.ones(30), np.full(270, 0.02)])
    target = np.r_[np.zeros(30), np.full(270, (0.02 * 270) ** -0.5)]
    chain = Chain(spectrum, target, [Stage(90), Stage(33)])
    parts = theory.bias_decomposition(chain)
    np.testing.assert_allclose(
        [parts.clean, parts.total, parts.delta], [1.6941, 1.3334, 0.77784], rtol=5e-5
    )
    assert parts.total < parts.clean < parts.clean + parts.delta
    assert theory.delta_bias(chain) == parts.delta


@pytest.mark.parametrize("name", CHAINS)
def test_bias_decomposition_adds_up(name):
    chain = CHAINS[name]
    parts = theory.bias_decomposition(chain)
    bias = theory.excess_risk(chain).bias
    assert parts.total == pytest.approx(bias, rel=1e-9, abs=1e-15)
    clean = theory.excess_risk(Chain(chain.spectrum, chain.target, chain.stages[-1:])).bias
    assert parts.clean == pytest.approx(clean, rel=1e-12, abs=1e-15)
    assert parts.delta >= 0


@pytest.mark.parametrize("n_generator_samples", [15, 90])
def test_noise_per_generation(n_generator_samples):
    """Equation (18) is the recursion's noise for shared designs, (19) its full-rank case."""
    for samples, ridge in ((25, 0.01), (120, 0.0), (60, 0.3)):
        stages = [Stage(n_generator_samples, 0, 0.7)] * 3 + [Stage(samples, ridge)]
        noise = theory.excess_risk(Chain(POWER, TARGET, stages, True)).generator_noise
        rho = theory.variance_per_generation(POWER, n_generator_samples, samples, ridge)
        assert noise == pytest.approx(3 * 0.49 * rho, rel=1e-9)
        if n_generator_samples > D:
            full = theory.variance_per_generation_full_rank(POWER, 90, samples, ridge)
            assert full == pytest.approx(rho, rel=1e-9)
            exact = theory.variance_per_generation_full_rank(
                POWER, 90, samples, ridge, finite_size=True
            )
            assert exact == pytest.approx(rho * 50 / 49, rel=1e-9)
    grid = theory.variance_per_generation(POWER, n_generator_samples, [[25], [60]], [0.01, 0.3])
    assert grid.shape == (2, 2)
    assert grid[1, 1] == pytest.approx(rho, rel=1e-12)


def test_isotropic_noise_saturates_or_grows():
    for t0, shared in ((20, False), (20, True), (80, False)):
        for n in (1, 4, 9):
            stages = [Stage(t0, 0, 0.5)] * n + [Stage(400)]
            chain = Chain(Spectrum.isotropic(D), TARGET, stages, shared)
            law = theory.isotropic_generator_noise(D / t0, n, noise_std=0.5, shared_design=shared)
            assert theory.excess_risk(chain).generator_noise == pytest.approx(law, rel=1e-9)
    assert theory.isotropic_generator_noise(1.0, 2, noise_std=0.5) == np.inf
    assert theory.isotropic_generator_noise(1.0, 2, noise_std=0.0) == 0.0


def test_exact_laws_by_hand():
    stages = [Stage(90, 0, 0.2)] * 3 + [Stage(60, 0, 0.3)]
    exact = theory.exact_excess_risk(Chain(POWER, TARGET, stages))
    np.testing.assert_allclose(exact, [0, 0.09 * 40 / 19, 0.12 * 40 / 49, 3.6 / 19 + 4.8 / 49])
    white = Spectrum.isotropic(D, 2.0)
    r2 = 2.0 * TARGET @ TARGET
    exact = theory.exact_excess_risk(Chain(white, TARGET, [Stage(10, 0, 0.2)] * 2 + [Stage(30)]))
    assert exact.bias == pytest.approx((1 / 16 * 0.75 - 2 * 1 / 16 * 0.75 + 1) * r2)
    assert exact.generator_noise == pytest.approx(0.04 * 10 / 29 * (1 + 0.25) * 0.75)
    shared = theory.exact_excess_risk(
        Chain(white, TARGET, [Stage(10, 0, 0.2)] * 2 + [Stage(30)], True)
    )
    assert shared.generator_noise == pytest.approx(0.08 * 10 / 29 * 0.75)
    assert shared.bias == pytest.approx((0.25 * 0.75 - 2 * 0.25 * 0.75 + 1) * r2)
    for near in (39, 40, 41):
        chain = Chain(white, TARGET, [Stage(near, 0, 0.1)])
        assert theory.exact_excess_risk(chain).variance == np.inf
    with pytest.raises(ValueError, match="stages must all have ridge = 0"):
        theory.exact_excess_risk(CHAINS["mixed"])
    with pytest.raises(ValueError, match="n_samples >= n_features = 40"):
        theory.exact_excess_risk(CHAINS["clean, few samples"])


def test_pole_is_infinite_only_with_noise():
    noisy = theory.excess_risk(Chain(POWER, TARGET, [Stage(D, 0, 0.1)]))
    assert noisy.variance == noisy.total == np.inf
    assert noisy.bias == 0.0
    assert theory.excess_risk(Chain(POWER, TARGET, [Stage(D)])).total == 0.0
    chained = theory.excess_risk(Chain(POWER, TARGET, [Stage(D, 0, 0.1), Stage(90, 0.1)]))
    assert chained.generator_noise == chained.total == np.inf
    assert math.isfinite(chained.bias)
    assert theory.finite_size_scale(Chain(POWER, TARGET, [Stage(D)])) == np.inf
    assert theory.variance_per_generation(POWER, D, 90, 0.1) == np.inf
    with pytest.raises(ValueError, match="finite generator noise"):
        theory.optimal_ridge(Chain(POWER, TARGET, [Stage(D, 0, 0.1), Stage(90, 0.1)]))


def test_projection_moments():
    """Values of an independent program: pow 1, w_j = j^-1/2, d = 200, T = 60."""
    spectrum = Spectrum.power_law(200, 1.0)
    square = spectrum.eigenvalues
    second = [square @ theory.projection_second_moment(spectrum, [60] * n) for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(second, [1.42908, 1.26776, 1.13748, 1.02849], rtol=5e-6)
    first = [square @ theory.projection_first_moment(spectrum, [60] * n) for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(first, [3.83907, 2.98385, 2.50874, 2.19271], rtol=5e-6)
    white = Spectrum.isotropic(200, 2.0)
    np.testing.assert_allclose(theory.projection_second_moment(white, [60, 50]), 2 * 0.3 * 0.25)
    # the order matters: the newest design meets Sigma first. A flat target, for with
    # w_j^2 = lambda_j the form is symmetric and either order gives the same signal.
    there, back = (theory.projection_second_moment(spectrum, s) for s in ([20, 90], [90, 20]))
    chain = Chain(spectrum, np.ones(200), [Stage(20), Stage(90), Stage(10**6)])
    bias = theory.excess_risk(chain).bias
    mean = theory.projection_first_moment(spectrum, [20, 90])
    rest = square.sum() - 2 * square @ mean
    assert bias == pytest.approx(there.sum() + rest, rel=1e-9)
    assert bias != pytest.approx(back.sum() + rest, rel=1e-5)


@pytest.mark.parametrize(
    ("phi", "phi_0", "n", "noise", "generator", "signal", "best"),
    [
        (0.3, 0.5, 5, 0.01, 0.04, 1.0, 0.119473),
        (1.5, 0.5, 3, 0.1, 0.1, 1.0, 0.336817),
        (0.3, 0.5, 0, 0.25, 0.0, 2.0, 0.0375),
    ],
)
def test_best_ridge_of_white_features(phi, phi_0, n, noise, generator, signal, best):
    v = theory.isotropic_generator_noise(phi_0, n, noise_std=math.sqrt(generator))
    formula = theory.optimal_ridge_isotropic(
        phi, signal=signal, noise_std=math.sqrt(noise), generator_noise=v
    )
    assert formula == pytest.approx(best, rel=1e-4)
    d = 300
    stages = [Stage(round(d / phi_0), 0, math.sqrt(generator))] * n
    stages.append(Stage(round(d / phi), 0, math.sqrt(noise)))
    # eigenvalue 4 and the target scaled down: the best ridge scales with the eigenvalue
    chain = Chain(Spectrum.isotropic(d, 4.0), np.full(d, math.sqrt(signal / d) / 2), stages)
    assert theory.optimal_ridge(chain) / 4 == pytest.approx(formula, rel=1e-5)


def test_best_ridge_of_a_power_law():
    chain = CHAINS["mixed"]
    found = minimize_scalar(
        lambda x: theory.excess_risk_grid(chain, ridge=math.exp(x)).total,
        bounds=(-8, 4),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert theory.optimal_ridge(chain) == pytest.approx(math.exp(found.x), rel=1e-5)


def test_best_ridge_at_the_ends():
    assert theory.optimal_ridge(Chain(POWER, TARGET, [Stage(90)])) == 0.0
    assert theory.optimal_ridge(Chain(POWER, np.zeros(D), [Stage(90, 0, 1.0)])) == np.inf
    assert theory.optimal_ridge_isotropic(0.5, signal=1, noise_std=0, generator_noise=0) == 0.0


def test_null_predictor_threshold():
    """Either side of the threshold, where the student adds nothing: T huge, no noise."""
    d, t0, noise = 80, 100, 20.0**-0.5
    target = np.full(d, d**-0.5)
    for n, worse in ((4, False), (5, True)):
        chain = Chain.repeated(Spectrum.isotropic(d), target, n, Stage(t0, 0, noise), Stage(10**9))
        assert (theory.exact_excess_risk(chain).total > chain.signal) is worse
        assert (n > theory.null_predictor_threshold(20.0, d, t0)) is worse
    assert theory.null_predictor_threshold(20.0, d, t0, finite_size=False) == pytest.approx(5.0)


def test_surviving_fraction_and_finite_size_scale():
    assert theory.surviving_fraction(100, [50, 20, 300]) == pytest.approx(0.1)
    chain = Chain(Spectrum.isotropic(100), np.ones(100), [Stage(40), Stage(300, 1.0)])
    # T < d without ridge: kappa = d/T - 1 = 1.5, df2 = 16, gap 24
    assert theory.finite_size_scale(chain) == pytest.approx(1 / 24)


def test_shared_ridge_generators_are_refused():
    chain = Chain(POWER, TARGET, [Stage(90, 0.1)] * 2 + [Stage(50)], True)
    with pytest.raises(ValueError, match=r"shared_design=True must have ridge = 0"):
        theory.excess_risk(chain)


@settings(max_examples=100)
@given(
    st.sampled_from([0, -3, 1.5, None, "9", True]),
    st.sampled_from([-0.1, math.nan, math.inf, "1", None]),
)
def test_bad_stages_are_named(n_samples, number):
    with pytest.raises((TypeError, ValueError), match="n_samples must be an integer"):
        Stage(n_samples)
    with pytest.raises((TypeError, ValueError), match=r"ridge must be .*finite and >= 0"):
        Stage(5, number)
    with pytest.raises((TypeError, ValueError), match=r"noise_std must be .*finite and >= 0"):
        Stage(5, 0.0, number)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Chain(POWER, TARGET[:-1], [Stage(5)]), ValueError, "length n_features = 40"),
        (lambda: Chain(POWER, TARGET * np.nan, [Stage(5)]), ValueError, r"target\[0\] = .*nan"),
        (lambda: Chain(POWER, TARGET, []), ValueError, "stages must hold at least 1 Stage"),
        (lambda: Chain(POWER, TARGET, Stage(5)), TypeError, "stages must be a sequence"),
        (lambda: Chain(POWER, TARGET, [5]), TypeError, r"stages\[0\] must be a Stage, got 5"),
        (lambda: Chain([1.0], [1.0], [Stage(5)]), TypeError, "spectrum must be a Spectrum"),
        (lambda: Chain(POWER, TARGET, [Stage(5)], 1), TypeError, "shared_design must be True"),
        (
            lambda: Chain(POWER, TARGET, [Stage(5), Stage(6), Stage(7)], True),
            ValueError,
            r"one n_samples, got n_samples = \[5, 6\]",
        ),
        (lambda: theory.excess_risk("chain"), TypeError, "chain must be a Chain, got str"),
        (
            lambda: theory.excess_risk_grid(CHAINS["mixed"], ridge=-1.0),
            ValueError,
            "ridge must be finite and >= 0",
        ),
        (
            lambda: theory.excess_risk_grid(CHAINS["mixed"], n_samples=[5, 0]),
            ValueError,
            "n_samples must be finite and >= 1",
        ),
        (
            lambda: theory.null_predictor_threshold(1.0, 80, 81),
            ValueError,
            "n_generator_samples must be an integer >= 82, got 81",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
