"""The lines of the figures hold what can be found without the theory that drew them."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from fragile_learning.bayes import curves as module
from fragile_learning.bayes.curves import curves
from fragile_learning.bayes.exact_experiments import EXACT_EXPERIMENTS


@pytest.fixture(scope="module")
def posterior():
    return curves("logistic-draws")


def square(frame, kind):
    """Mass on the grid, first weight first."""
    rows = frame[frame["kind"] == kind]
    return rows.pivot_table(index="weight_0", columns="weight_1", values="mass")


def log_density(places):
    """Of the logistic posterior, up to a constant."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((30, 2))
    y = np.where(rng.random(30) < expit(2 * x[:, 0] - x[:, 1]), 1.0, -1.0)
    logits = y * (places @ x.T)
    return -np.logaddexp(0.0, -logits).sum(axis=-1) - (places**2).sum(axis=-1) / 8.0


def on_grid(table):
    return np.stack(np.meshgrid(table.index, table.columns, indexing="ij"), axis=-1)


def test_exact_regions_have_their_mass(posterior):
    table = square(posterior, "exact")
    density = np.exp(log_density(on_grid(table)))
    mass = table.to_numpy()
    # in the order of the density, and with the mass inside: cut off is what is above 0.998
    order = np.argsort(-density, axis=None)
    assert np.all(np.diff(mass.ravel()[order][: int(0.5 * mass.size)]) >= 0)
    for level in (0.5, 0.9):
        inside = density[mass <= level].sum() / density.sum()
        assert inside == pytest.approx(level, abs=3e-3)


def test_exact_regions_hold_draws_of_another_sampler(posterior):
    """Random-walk Metropolis; 4 binomial standard errors at 1,500 independent draws."""
    rng = np.random.default_rng(11)
    state = np.tile([1.9, -1.1], (1500, 1)) + 0.5 * rng.standard_normal((1500, 2))
    height = log_density(state)
    for _ in range(150):
        move = state + rng.standard_normal(state.shape)
        there = log_density(move)
        accept = np.log(rng.random(len(state))) < there - height
        state[accept], height[accept] = move[accept], there[accept]
    table = square(posterior, "exact")
    density = np.exp(log_density(on_grid(table)))
    for level in (0.5, 0.9):
        edge = np.log(density[table.to_numpy() <= level].min())
        error = np.sqrt(level * (1 - level) / len(state))
        assert (height > edge).mean() == pytest.approx(level, abs=4 * error)


def law_of(table):
    """Mean and covariance of the normal law whose ellipses these are, by least squares."""
    places, mass = on_grid(table).reshape(-1, 2), table.to_numpy().ravel()
    near = mass < 0.99
    a, b = places[near].T
    squares = -2.0 * np.log1p(-mass[near])
    design = np.column_stack([a * a, a * b, b * b, a, b, np.ones_like(a)])
    c = np.linalg.lstsq(design, squares, rcond=None)[0]
    precision = np.array([[c[0], c[1] / 2], [c[1] / 2, c[2]]])
    np.testing.assert_allclose(design @ c, squares, atol=1e-8)  # an ellipse indeed
    return np.linalg.solve(precision, -0.5 * c[3:5]), np.linalg.inv(precision)


def test_laplace_has_mode_and_curvature(posterior):
    mean, covariance = law_of(square(posterior, "Laplace"))
    step = 1e-4
    moves = step * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    up, down, right, left = log_density(mean + moves)
    assert (up - down) / (2 * step) == pytest.approx(0.0, abs=1e-6)
    assert (right - left) / (2 * step) == pytest.approx(0.0, abs=1e-6)
    centre = log_density(mean)
    corner = log_density(mean + step) + log_density(mean - step) - 2 * centre
    second = np.array([up + down - 2 * centre, right + left - 2 * centre]) / step**2
    mixed = (corner / step**2 - second.sum()) / 2
    np.testing.assert_allclose(
        np.linalg.inv(-covariance), [[second[0], mixed], [mixed, second[1]]], rtol=1e-4, atol=1e-4
    )


def bound(mean, stds):
    """Evidence lower bound by a grid of quantiles in two dimensions, up to a constant."""
    nodes = norm.ppf((np.arange(200) + 0.5) / 200)
    nodes /= nodes.std()
    places = np.stack(np.meshgrid(*[m + s * nodes for m, s in zip(mean, stds, strict=True)]), -1)
    return log_density(places).mean() + np.log(stds).sum()


def test_mean_field_has_the_largest_bound(posterior):
    mean, covariance = law_of(square(posterior, "mean field"))
    assert covariance[0, 1] == pytest.approx(0.0, abs=1e-9)
    stds = np.sqrt(np.diag(covariance))
    best = bound(mean, stds)
    for factor in (0.97, 1.03):
        for j in (0, 1):
            other = stds.copy()
            other[j] *= factor
            assert bound(mean, other) < best
    for shift in ([0.02, 0.0], [-0.02, 0.0], [0.0, 0.02], [0.0, -0.02]):
        assert bound(mean + shift, stds) < best
    # narrower than the exact law
    assert np.all(stds < [0.6935, 0.5356])


def test_leapfrog_lines_are_what_trajectories_do():
    found = curves("leapfrog")
    rng = np.random.default_rng(4)
    for (steps, dimensions), line in found.groupby(["n_steps", "n_dimensions"]):
        assert line["step_size"].is_monotonic_increasing
        row = line.iloc[(line["step_size"] - 0.3).abs().argmin()]
        size = row["step_size"]
        q, p = rng.standard_normal((2, 20_000, dimensions))
        start = 0.5 * (q**2 + p**2).sum(axis=1)
        for _ in range(steps):
            p = p - 0.5 * size * q
            q = q + size * p
            p = p - 0.5 * size * q
        change = 0.5 * (q**2 + p**2).sum(axis=1) - start
        accepted = np.minimum(1.0, np.exp(-change))
        for values, exact in ((change, "mean_error_exact"), (accepted, "acceptance_exact")):
            error = values.std() / np.sqrt(len(values))
            assert row[exact] == pytest.approx(values.mean(), abs=4 * error)
        np.testing.assert_allclose(
            line["acceptance_normal"], 2 * norm.cdf(-np.sqrt(line["mean_error_exact"] / 2))
        )


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_every_trajectory_has_a_line(tier):
    (one,) = [one for one in EXACT_EXPERIMENTS if one.name == "bayes/leapfrog"]
    points, found = pd.DataFrame(one.points(tier)), curves("leapfrog", tier)
    keys = ["n_steps", "n_dimensions"]
    lines = dict(list(found.groupby(keys)["step_size"]))
    places = dict(list(points.groupby(keys)["step_size"]))
    assert set(lines) == set(places)
    for place, sizes in places.items():
        assert lines[place].min() < sizes.min()
        assert lines[place].max() > sizes.max()


def test_gradient_norms_fall_to_their_limit():
    found = curves("gradient-norms").set_index("n_samples")
    assert found["norm"].is_monotonic_decreasing
    assert found["norm"].iloc[-1] == pytest.approx(found["limit"].iloc[0], rel=5e-3)
    np.testing.assert_allclose(found["norm"] ** 2, found["limit"] ** 2 + 9.0 / found.index)
    np.testing.assert_allclose(found["if_zero_mean"], 3.0 / np.sqrt(found.index))


def test_double_softmax():
    found = curves("double-softmax").set_index("n_classes")
    assert found.index.min() == 2
    for k in (2, 10, 100):
        own, other = np.eye(int(k))[:2]
        softmax = [np.exp(p) / np.exp(p).sum() for p in (own, other)]
        assert found["loss_low"][k] == pytest.approx(-np.log(softmax[0][0]))
        assert found["loss_high"][k] == pytest.approx(-np.log(softmax[1][0]))
        floor = 1 - np.abs(softmax[0] - softmax[1]).max()
        assert found["score_floor"][k] == pytest.approx(floor)


def test_both_tiers_have_the_same_columns():
    for name in module._CURVES:
        quick, full = curves(name), curves(name, "full")
        assert isinstance(quick, pd.DataFrame)
        assert list(quick.columns) == list(full.columns)
        assert not quick.isna().any(axis=None)


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match="name"):
        curves("breakdown")
    with pytest.raises(ValueError, match="tier"):
        curves("leapfrog", "slow")


def test_all_are_cheap():
    start = time.process_time()
    for name in module._CURVES:
        curves(name)
    assert time.process_time() - start < 2.0
