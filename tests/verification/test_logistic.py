"""Logistic regression: the fixed point against one point at a time, its limits, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, root
from scipy.special import expit, ndtr

from fragile_learning.statistics import check_mean, z_bound
from fragile_learning.verification import Generator, Verifier, logistic
from fragile_learning.verification.logistic import slope_of_logistic
from fragile_learning.verification.simulation import simulate_accuracy
from fragile_learning.verification.theory import (
    accuracy_logistic,
    accuracy_one_shot,
    breakdown_point,
)

FALSE_ALARM = 1e-7


def by_one(s, p, phi, psi, gamma, ridge):
    """The equations of the order parameters M, Q, V, by adaptive quadrature and a root finder."""
    A, B = (1 - p) * phi, p * psi
    kappa = A + B
    eta, lt, eps = gamma / kappa, ridge / kappa, B / kappa

    def mean(f):
        def over(g):
            return np.exp(-g * g / 2) / np.sqrt(2 * np.pi) * f(g)

        return quad(over, -9, 9, epsabs=1e-9, epsrel=1e-9, limit=200)[0]

    def system(x):
        M, Q, V = x[0], np.exp(x[1]), np.exp(x[2])

        def u(xi, g):
            w = xi * M + np.sqrt(Q) * g
            return brentq(lambda u: u - w - V * expit(-u), w - 1e-9, w + V + 1e-9, xtol=1e-13)

        def both(f):
            return mean(lambda g: (1 - eps) * f(1, u(1, g)) + eps * f(-1, u(-1, g)))

        ch = both(lambda xi, u: 1 / (1 + V * expit(u) * expit(-u)) * expit(u) * expit(-u))
        mh = both(lambda xi, u: xi * expit(-u))
        qh = both(lambda xi, u: expit(-u) ** 2)
        return [
            M - mh * s * s / (lt + ch),
            np.exp(x[1]) / ((mh**2 * s**2 + qh * eta) / (lt + ch) ** 2) - 1,
            V / (eta / (lt + ch)) - 1,
        ]

    found = root(system, [0.3 * np.sign(A - B), 0.0, np.log(eta / (lt + 0.2))], tol=1e-8)
    assert found.success
    return ndtr(found.x[0] / np.exp(found.x[1] / 2))


POINTS = [  # signal, error rate, kept if right, kept if wrong, features per example, ridge
    (2.0, 0.42, 0.65, 0.35, 0.156, 0.01),
    (1.7, 0.35, 0.95, 0.1, 1.333, 0.02),
    (1.2, 0.9, 0.8, 0.4, 1 / 6, 0.1),
    (0.5, 0.3, 1.0, 1.0, 0.4, 1.0),
    (0.5, 0.2, 1.0, 1.0, 3.0, 0.1),
]


def ours(s, p, phi, psi, gamma, ridge):
    sizes = {"signal": s, "n_features": 1000, "n_generated": 1000 / gamma}
    return accuracy_logistic(Generator(p), Verifier(phi, psi), ridge=ridge, **sizes)


@pytest.mark.parametrize("point", POINTS)
def test_the_fixed_point_is_that_of_one_point_at_a_time(point):
    assert ours(*point) == pytest.approx(by_one(*point), abs=1e-7)


def test_hard_points():
    """Where a damped iteration fails: measured by simulation, with the standard error."""
    for point, measured, error in [
        ((2.0, 0.42, 0.65, 0.35, 0.156, 0.01), 0.7281, 0.0025),
        ((1.7, 0.35, 0.95, 0.1, 1.333, 0.02), 0.8430, 0.0015),
    ]:
        assert ours(*point) == pytest.approx(measured, abs=4 * error)


@pytest.mark.parametrize("ridge", [1e-3, 0.1])
@pytest.mark.parametrize("point", [(1.2, 0.25, 0.8, 0.4, 150, 600), (1.5, 0.7, 1.0, 0.1, 150, 400)])
def test_logistic_is_simulated(point, ridge):
    s, p, phi, psi, d, n = point
    players = Generator(p), Verifier(phi, psi)
    sizes = {"signal": s, "n_features": d, "n_generated": n, "ridge": ridge}
    check = check_mean(
        simulate_accuracy("logistic", *players, 60, **sizes, rng=21),
        accuracy_logistic(*players, **sizes),
    )
    bound = z_bound(FALSE_ALARM) * check.standard_error + 0.5 / d
    assert abs(check.mean - check.theory) < bound
    other = accuracy_logistic(*players, **(sizes | {"ridge": 1000 * ridge}))
    assert abs(check.mean - other) > bound
    other = accuracy_logistic(Generator(0.7 * p), players[1], **sizes)
    assert abs(check.mean - other) > bound


def random_settings(seed, count):
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(0.01, 6.0, count),
        10.0 ** rng.uniform(-6, 4, count),
        10.0 ** rng.uniform(-9, 4, count),
        np.where(rng.random(count) < 0.3, 1.0 - 10.0 ** rng.uniform(-14, -1, count), 1.0)
        * 10.0 ** np.where(rng.random(count) < 0.7, rng.uniform(-3, 0, count), 0.0),
    )


def test_every_setting_is_solved():
    slope = slope_of_logistic(*random_settings(1, 1500))
    assert np.all(np.isfinite(slope))
    s, *_ = random_settings(1, 1500)
    assert np.all((slope > 0.0) & (slope <= s * (1.0 + 1e-12)))


def test_a_solution_does_not_depend_on_its_neighbours():
    settings = random_settings(2, 60)
    together = slope_of_logistic(*settings)
    alone = [slope_of_logistic(*(x[i : i + 1] for x in settings))[0] for i in range(60)]
    assert together == pytest.approx(alone, rel=1e-7)


def test_the_detour_by_large_ridges_gives_the_same(monkeypatch):
    settings = random_settings(3, 40)
    direct = slope_of_logistic(*settings)
    newton = logistic._newton
    calls = []

    def lazy(x, given):
        calls.append(x.shape[1])
        y, residual = newton(x, given)
        return (x, np.full_like(residual, 1.0)) if len(calls) == 1 else (y, residual)

    monkeypatch.setattr(logistic, "_newton", lazy)
    assert slope_of_logistic(*settings) == pytest.approx(direct, rel=1e-7)
    assert len(calls) > 10


def test_a_setting_that_is_not_solved_is_named(monkeypatch):
    monkeypatch.setattr(logistic, "_newton", lambda x, given: (x, np.full(x.shape[1], np.inf)))
    with pytest.raises(ArithmeticError, match=r"no fixed point found at .* \[1\.5, 0\.5, 0\.1"):
        slope_of_logistic(*np.array([[1.5], [0.5], [0.1], [0.6]]))


def test_jacobian_by_differences():
    settings = random_settings(4, 30)
    given = np.stack([*settings[:3], 0.5 * (1 - settings[3])])
    x = logistic._start(*settings)
    x, _ = logistic._newton(x, given)
    x += np.random.default_rng(1).uniform(-0.3, 0.3, x.shape)
    f, jacobian = logistic._system(x, given)
    for column in range(3):
        shift = np.zeros((3, 1))
        shift[column] = 1e-5
        up, _ = logistic._system(x + shift, given)
        down, _ = logistic._system(x - shift, given)
        slope = ((up - down) / 2e-5).T
        fine = np.isfinite(slope).all(axis=1) & np.isfinite(f).all(axis=0)
        assert fine.sum() > 20
        assert jacobian[fine, :, column] == pytest.approx(slope[fine], rel=1e-4, abs=1e-5)


# --- limits -------------------------------------------------------------------------------------


def test_limits_of_logistic():
    players = Generator(0.3), Verifier(0.9, 0.3)
    sizes = {"signal": 1.5, "n_features": 100, "n_generated": np.array([30.0, 300.0, 1e5])}
    one_shot = accuracy_one_shot(*players, **sizes)
    for ridge in (1e5, 1e12, 1e100):
        assert accuracy_logistic(*players, ridge=ridge, **sizes) == pytest.approx(
            one_shot, abs=1e-5
        )
    few = {"signal": 1.5, "n_features": 10**9, "n_generated": [1.0, 1e3, 1e-99]}
    assert accuracy_logistic(*players, ridge=0.1, **few) == pytest.approx(
        accuracy_one_shot(*players, **few), abs=1e-7
    )
    many = {"signal": 1.5, "n_features": 10, "n_generated": [1e12, 1e100]}
    for p, expected in ((0.3, ndtr(1.5)), (0.9, ndtr(-1.5))):
        found = accuracy_logistic(Generator(p), players[1], ridge=1e-3, **many)
        assert found == pytest.approx([expected] * 2, abs=1e-9)


@pytest.mark.parametrize("edge", ["signal", "advantage", "features", "ridge"])
def test_nothing_jumps_where_a_limit_takes_over(edge):
    low, high = 0.999, 1.001
    settings = np.array([[1.3] * 2, [0.7] * 2, [0.05] * 2, [0.4] * 2])
    row, at = {
        "signal": (0, 1e-4),
        "advantage": (3, 1e-4),
        "features": (1, 1e10),
        "ridge": (2, 1e10 * (1 + 0.7 + 1.3**2)),
    }[edge]
    settings[row] = at * low, at * high
    a, b = slope_of_logistic(*settings)
    power = {"signal": 2.0, "advantage": 1.0, "features": -0.5, "ridge": 0.0}[edge]
    assert b / a == pytest.approx((high / low) ** power, rel=1e-5)


def test_symmetries():
    sizes = {"signal": 1.5, "n_features": 100, "n_generated": 300, "ridge": 0.05}
    p = np.linspace(0.05, 0.95, 7)
    # to exchange right and wrong labels turns the rule round
    ahead = accuracy_logistic(Generator(p), Verifier(0.9, 0.3), **sizes)
    back = accuracy_logistic(Generator(1 - p), Verifier(0.3, 0.9), **sizes)
    assert ahead == pytest.approx(1 - back, abs=1e-12)
    star = breakdown_point(Verifier(0.9, 0.3))
    assert np.array_equal(ahead > 0.5, p < star)
    assert accuracy_logistic(Generator(0.5), Verifier(0.5, 0.5), **sizes) == 0.5
    assert accuracy_logistic(Generator(0.2), Verifier(1, 1), **(sizes | {"signal": 0})) == 0.5
    grid = accuracy_logistic(Generator(p[:, None]), Verifier(0.9, [0.1, 0.5]), **sizes)
    assert grid.shape == (7, 2)
