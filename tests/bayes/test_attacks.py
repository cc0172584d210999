"""Attacks against closed forms, brute force, autograd and a loop over samples."""

from __future__ import annotations

import importlib
import math
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hypothesis")
torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fragile_learning.bayes import attacks, models  # noqa: E402
from fragile_learning.bayes.attacks import (  # noqa: E402
    fgsm,
    pgd,
    pgd_targeted,
    predictive_log_mean,
    random_noise,
    transfer,
)
from fragile_learning.bayes.predict import Posterior  # noqa: E402

OBJECTIVES = ["label", "margin", "low_entropy", "low_mutual_information", "two_stage"]
NORMS = ["linf", "l2"]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def linear(weights, bias=0.0, scale=1.0):
    """Posterior samples of a linear softmax model; weights (S, K, d)."""

    def model(x):
        scores = torch.einsum("skd,nd->snk", weights, x.flatten(1) - 0.5) + bias
        return (scale * scores).log_softmax(dim=2)

    return model


def network(n_samples=5, n_inputs=6, n_classes=4, width=16, scale=1.0, dtype=torch.float64, seed=0):
    """Samples that agree in the main: noise of half the size about common weights."""
    draw = torch.Generator().manual_seed(seed)

    def weights(*shape):
        common = torch.randn(1, *shape, generator=draw, dtype=dtype)
        return common + 0.5 * torch.randn(n_samples, *shape, generator=draw, dtype=dtype)

    first, second = 2 * weights(n_inputs, width), weights(width, n_classes)

    def model(x):
        hidden = torch.tanh((x.flatten(1) - 0.5) @ first)
        return (scale * (hidden @ second)).log_softmax(dim=2)

    return model


def points(n=20, n_inputs=6, dtype=torch.float64, seed=1, low=0.0, high=1.0):
    draw = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(n, n_inputs, generator=draw, dtype=dtype)


def predicted(model, x):
    return predictive_log_mean(model, x).argmax(dim=1)


def entropies(log_p):
    p = log_p.exp().mean(dim=0)
    total = -(p * p.log()).sum(dim=1)
    return total, total + (log_p.exp() * log_p).sum(dim=2).mean(dim=0)


# --- gradients ------------------------------------------------------------------------------------


def plain_objective(log_p, objective, labels, score="total_entropy"):
    """Objectives as one would write them first."""
    p = log_p.exp().mean(dim=0)
    rows = torch.arange(len(labels))
    own = p[rows, labels].log()
    margin = p.log().masked_fill(torch.eye(p.shape[1], dtype=bool)[labels], -math.inf).amax(1) - own
    total, information = entropies(log_p)
    if objective == "two_stage":
        u = total if score == "total_entropy" else information
        return torch.where(margin > 0, math.log(p.shape[1]) - u, margin)
    return {
        "label": -own,
        "margin": margin,
        "low_entropy": -total,
        "low_mutual_information": -information,
    }[objective]


@pytest.mark.parametrize("score", ["total_entropy", "mutual_information"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_those_of_autograd(objective, score):
    model, x = network(), points()
    labels = (predicted(model, x) + torch.arange(20) % 2) % 4  # half of them fooled
    goal = attacks._goal(objective, score, 1.0)
    point, scaled = attacks._gradient(model, x, goal, labels)
    leaf = x.clone().requires_grad_()
    expected = plain_objective(model(leaf), objective, labels, score)
    (gradient,) = torch.autograd.grad(expected.sum(), leaf)
    assert point.value.numpy() == pytest.approx(expected.detach().numpy(), abs=1e-12)
    found = scaled * point.log_scale.exp()[:, None]
    assert found.numpy() == pytest.approx(gradient.numpy(), rel=1e-10, abs=1e-12)
    assert point.derivative.sum(dim=2).abs().max() < 1e-12


def test_the_gradient_is_the_weighted_mean_of_the_samples():
    """Batched through all samples, and a loop over samples with weights p_sy / sum_r p_ry."""
    model, x = network(n_samples=7), points()
    labels = predicted(model, x)
    point, scaled = attacks._gradient(
        model, x, attacks._goal("label", "total_entropy", 1.0), labels
    )
    rows = torch.arange(len(x))
    with torch.no_grad():
        own = model(x)[:, rows, labels]
    weights = own.softmax(dim=0)
    total = torch.zeros_like(x)
    for s in range(7):
        leaf = x.clone().requires_grad_()
        loss = -model(leaf)[s][rows, labels]
        total += weights[s][:, None] * torch.autograd.grad(loss.sum(), leaf)[0]
    found = scaled * point.log_scale.exp()[:, None]
    assert (found - total).abs().max() < 1e-13


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_directions_survive_saturation(objective):
    """float32 points where arithmetic with thousands of digits does."""
    mpmath = pytest.importorskip("mpmath")
    draw = np.random.default_rng(3)
    size = 1e4 if objective == "label" else 2e3
    logits = size * draw.standard_normal((3, 1, 4)).astype(np.float32)
    jacobian = draw.standard_normal((3, 4, 2)).astype(np.float32)

    def model(x):
        moved = torch.einsum("skd,nd->snk", torch.from_numpy(jacobian), x - 0.5)
        return (torch.from_numpy(logits) + moved).log_softmax(dim=2)

    x = torch.full((1, 2), 0.5)
    labels = predicted(model, x)
    goal = attacks._goal(objective, "total_entropy", 1.0)
    point, scaled = attacks._gradient(model, x, goal, labels)

    with mpmath.workdps(int(1.5 * size)):  # probabilities go down to exp(-3.4 size)
        weights = [[mpmath.exp(mpmath.mpf(float(z))) for z in row] for row in logits[:, 0]]
        p = [[w / mpmath.fsum(row) for w in row] for row in weights]
        mean = [mpmath.fsum(p[s][k] for s in range(3)) / 3 for k in range(4)]
        y = int(labels[0])
        other = max((k for k in range(4) if k != y), key=lambda k: mean[k])
        slope = [[mpmath.mpf(0)] * 4 for _ in range(3)]  # derivative of the objective in p_sk
        for s in range(3):
            for k in range(4):
                if objective in ("label", "margin", "two_stage") and k == y:
                    slope[s][k] = -1 / mean[y] / 3
                elif objective in ("margin", "two_stage") and k == other:
                    slope[s][k] = 1 / mean[other] / 3
                elif objective == "low_entropy":
                    slope[s][k] = mpmath.log(mean[k]) / 3
                elif objective == "low_mutual_information":
                    slope[s][k] = (mpmath.log(mean[k]) - mpmath.log(p[s][k])) / 3
        exact = []
        for axis in range(2):
            total = mpmath.mpf(0)
            for s in range(3):
                middle = mpmath.fsum(p[s][k] * slope[s][k] for k in range(4))
                for k in range(4):
                    step = p[s][k] * (slope[s][k] - middle)
                    total += step * mpmath.mpf(float(jacobian[s, k, axis]))
            exact.append(total)
        size = mpmath.sqrt(sum(e * e for e in exact))
        direction = np.array([float(e / size) for e in exact])
    found = scaled[0].numpy() / np.linalg.norm(scaled[0].numpy())
    assert found == pytest.approx(direction, abs=2e-2)  # logarithms of 1e4 in float32
    if objective == "label":
        assert float(point.log_scale[0]) < -110  # the gradient itself is no float


def test_plain_backpropagation_is_blind_where_ours_is_not():
    torch_model, x = network(scale=1e4, dtype=torch.float32), points(dtype=torch.float32)
    labels = predicted(torch_model, x)
    leaf = x.clone().requires_grad_()
    loss = -attacks._log_mean(torch_model(leaf))[torch.arange(20), labels]
    (plain,) = torch.autograd.grad(loss.sum(), leaf)
    dead = (plain == 0).all(dim=1)
    found = pgd(torch_model, x, labels, radius=0.3, objective="label", random_start=False)
    assert dead.double().mean() > 0.8
    assert (found.gradient_norms[0, 0] == 0)[dead].all()
    assert found.direction_norms[0, 0].min() > 1.0
    assert found.success.double().mean() > 0.9


@pytest.mark.parametrize("objective", ["label", "margin"])
@pytest.mark.parametrize("n_samples", [1, 6])
def test_attacks_do_not_weaken_with_the_size_of_logits(n_samples, objective):
    shares = []
    for scale in (1.0, 1e2, 1e4):
        model = network(n_samples, 20, scale=scale, dtype=torch.float32)
        x = points(200, 20, dtype=torch.float32)
        labels = predicted(model, x)
        found = pgd(model, x, labels, radius=0.05, objective=objective)
        shares.append(float(found.success.double().mean()))
    assert 0.4 < min(shares) < 0.95
    assert max(shares) - min(shares) < 0.08


@pytest.mark.parametrize("norm", NORMS)
def test_zero_and_tiny_gradients(norm):
    """No step along a zero gradient, a whole one along the smallest."""
    slope = torch.tensor([[[0.0, 0.0], [0.0, 0.0]]]), torch.tensor([[[1e-36, 0.0], [0.0, 0.0]]])
    x, labels = torch.full((2, 2), 0.5), torch.tensor([0, 1])
    still = fgsm(linear(slope[0]), x, labels, radius=0.25, norm=norm)
    assert torch.equal(still.inputs, x)
    assert (still.direction_norms == 0).all()
    moved = fgsm(linear(slope[1]), x, labels, radius=0.25, norm=norm)
    assert moved.inputs.numpy() == pytest.approx(np.array([[0.25, 0.5], [0.75, 0.5]]), abs=1e-6)


# --- closed forms ---------------------------------------------------------------------------------


def softplus(x):
    return np.logaddexp(0.0, x)


@pytest.mark.parametrize("objective", ["label", "margin"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("radius", [0.05, 0.2])
def test_binary_linear_optimum(norm, radius, objective):
    """The score falls by the radius times the dual norm of the weights, and no more."""
    draw = np.random.default_rng(5)
    w, x = draw.standard_normal(30), 0.3 + 0.4 * draw.random((50, 30))
    w *= 0.5
    both = torch.from_numpy(np.stack([w, np.zeros(30)]))[None]
    score = (x - 0.5) @ w
    labels = torch.from_numpy((score < 0).astype(int))
    dual = np.abs(w).sum() if norm == "linf" else np.linalg.norm(w)
    worst = -(np.abs(score) - radius * dual)
    expected = softplus(worst) if objective == "label" else worst
    found = pgd(
        linear(both),
        torch.from_numpy(x),
        labels,
        radius=radius,
        norm=norm,
        objective=objective,
        n_steps=40,
    )
    assert found.objective.numpy() == pytest.approx(expected, abs=1e-7)
    assert (found.success.numpy() == (worst > 0)).all()
    single = fgsm(
        linear(both),
        torch.from_numpy(x),
        labels,
        radius=radius,
        norm=norm,
        objective=objective,
    )
    assert single.objective.numpy() == pytest.approx(expected, abs=1e-9)  # linear: one step does


def exact_linear(W, b, x, labels, radius):
    """Right under every perturbation in the ball and the box, class by class."""
    low, high = np.maximum(x - radius, 0), np.minimum(x + radius, 1)
    robust = np.ones(len(x), bool)
    for i, y in enumerate(labels):
        for k in range(len(W)):
            if k != y:
                v = W[k] - W[y]
                best = b[k] - b[y] + np.where(v > 0, high[i], low[i]) @ v
                robust[i] &= best < 0
    return robust


def test_linear_softmax_optimum():
    draw = np.random.default_rng(5)
    W, b = draw.standard_normal((4, 30)), 0.1 * draw.standard_normal(4)
    x = draw.random((400, 30))
    labels = (x @ W.T + b).argmax(axis=1)
    shift = torch.from_numpy(b + 0.5 * W.sum(axis=1))
    model = linear(torch.from_numpy(W)[None], shift)
    data = torch.from_numpy(x), torch.from_numpy(labels)
    for radius, share in [(0.01, 0.845), (0.05, 0.3925), (0.1, 0.0925)]:
        robust = exact_linear(W, b, x, labels, radius)
        assert robust.mean() == share
        found = pgd_targeted(model, *data, radius=radius, n_steps=40, rng=1)
        assert (~found.success.numpy() == robust).all()
        assert ((found.objective > 0) == found.success).all()
        weaker = pgd(model, *data, radius=radius, n_steps=40, objective="label")
        assert not (weaker.success.numpy() & robust).any()
    assert (~weaker.success).double().mean() > 0.0925  # cross entropy is drawn to wrong classes


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_inputs_by_brute_force(norm, objective):
    """A mixture of linear models; all points of the ball on a grid, box included."""
    draw = torch.Generator().manual_seed(8)
    model = linear(4 * torch.randn(4, 3, 2, generator=draw, dtype=torch.float64))
    x, radius = points(10, 2, seed=2), 0.15
    labels = predicted(model, x)
    found = pgd(
        model,
        x,
        labels,
        radius=radius,
        norm=norm,
        objective=objective,
        n_steps=50,
        step_size=0.008,
        n_restarts=12,
        rng=1,
    )
    axis = torch.linspace(-radius, radius, 101, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    if norm == "l2":
        turn = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
        ring = radius * torch.stack([turn.cos(), turn.sin()], dim=1)
        grid = torch.cat([grid[grid.norm(dim=1) <= radius], ring])
    for i in range(len(x)):
        near = x[i] + grid
        near = near[((near >= 0) & (near <= 1)).all(dim=1)]
        same = labels[i].expand(len(near))
        values = plain_objective(model(near), objective, same)
        if objective == "label":  # fooled ones first
            wrong = predicted(model, near) != same
            values = values[wrong] if wrong.any() else values
        best = float(values.max())
        assert float(found.objective[i]) > best - 0.01 * max(1.0, abs(best)) - 2e-3
        assert float(found.objective[i]) < best + 0.05 * max(1.0, abs(best))


def test_a_gaussian_linear_posterior_is_as_weak_as_its_mean():
    """The label of E sigma(w.x) is that of m.x whatever the variance: derived on the fact sheet."""
    draw = np.random.default_rng(3)
    m, noise = draw.standard_normal(8), draw.standard_normal((500, 8))
    noise = np.concatenate([noise, -noise])  # symmetric, so that the identity is exact
    x = points(60, 8, low=0.3, high=0.7)
    score = (x.numpy() - 0.5) @ m
    labels = torch.from_numpy((score < 0).astype(int))
    radius = float(np.median(np.abs(score)) / np.abs(m).sum())
    robust = np.abs(score) > radius * np.abs(m).sum()
    for spread in (0.1, 1.0):
        w = torch.from_numpy(m + spread * noise)
        model = linear(torch.stack([w, torch.zeros_like(w)], dim=1))
        attack = pgd(model, x, labels, radius=radius, n_steps=20, n_restarts=1)
        assert (~attack.success.numpy())[robust].all()
        # the steepest ascent of the loss is not that of the label: a few are missed
        assert attack.success.numpy()[~robust].mean() > 0.8


# --- balls ----------------------------------------------------------------------------------------


def inside_exactly(clean, moved, radius, norm):
    """In rational arithmetic, so that no rounding hides a step too far."""
    limit = Fraction(radius)
    for row, other in zip(clean.tolist(), moved.tolist(), strict=True):
        steps = [Fraction(b) - Fraction(a) for a, b in zip(row, other, strict=True)]
        assert all(0.0 <= b <= 1.0 for b in other)
        if norm == "linf":
            assert all(abs(step) <= limit for step in steps)
        else:
            assert sum(step * step for step in steps) <= limit * limit


unit = st.one_of(st.sampled_from([0.0, 1.0, 1e-30, 0.1]), st.floats(0.0, 1.0, width=32))


@settings(max_examples=120, deadline=None)
@given(
    rows=st.lists(st.tuples(unit, unit, unit), min_size=1, max_size=3),
    radius=st.one_of(st.sampled_from([0.0, 0.1, 1e-9, 1e-40]), st.floats(0.0, 2.0)),
    norm=st.sampled_from(NORMS),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    objective=st.sampled_from(OBJECTIVES),
    kind=st.sampled_from(["pgd", "fgsm", "noise", "targeted"]),
    seed=st.integers(0, 3),
)
def test_every_attack_stays_in_its_ball_and_in_the_box(
    rows, radius, norm, dtype, objective, kind, seed
):
    model = network(3, 3, 3, 4, dtype=dtype, seed=seed)
    x = torch.tensor(rows, dtype=dtype)
    labels = torch.arange(len(x)) % 3
    common = {"radius": radius, "norm": norm}
    if kind == "pgd":
        found = pgd(
            model, x, labels, objective=objective, n_steps=3, n_restarts=2, rng=seed, **common
        )
    elif kind == "fgsm":
        found = fgsm(model, x, labels, objective=objective, **common)
    elif kind == "noise":
        found = random_noise(model, x, labels, objective=objective, n_draws=3, rng=seed, **common)
    else:
        found = pgd_targeted(model, x, labels, n_steps=2, rng=seed, **common)
    inside_exactly(x, found.inputs, radius, norm)
    if radius == 0.0:
        assert found.inputs.numpy().tobytes() == x.numpy().tobytes()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_projections_of_far_points_are_exact(norm, dtype):
    x = points(200, 50, dtype=dtype)
    for radius in (1e-8, 0.1, 1 / 3, 0.7):
        ball = attacks._Ball(x, norm, radius)
        moved = ball.project(x + 5 * (points(200, 50, dtype=dtype, seed=2) - 0.5))
        inside_exactly(x, moved, radius, norm)
        assert torch.equal(ball.project(x), x)
        if norm == "linf" and radius == 0.1:  # and no smaller than need be
            reach = (moved - x).abs().amax(dim=1)
            assert (reach > radius * (1 - 1e-5)).all()


def test_the_ball_check_sees_plain_clamping():
    x = points(200, 50, dtype=torch.float32)
    plain = torch.minimum(x + 0.1, torch.ones_like(x))
    with pytest.raises(AssertionError):
        inside_exactly(x, plain, 0.1, "linf")


def test_draws_fill_the_ball():
    x = torch.full((4000, 3), 0.5, dtype=torch.float64)
    draw = torch.Generator().manual_seed(1)
    cube = (attacks._Ball(x, "linf", 0.2).draw(draw) - x) / 0.2
    assert cube.abs().max() <= 1.0
    assert cube.square().mean(dim=0).numpy() == pytest.approx([1 / 3] * 3, abs=0.03)
    ball = (attacks._Ball(x, "l2", 0.2).draw(draw) - x) / 0.2
    assert (ball.norm(dim=1) ** 3).mean() == pytest.approx(0.5, abs=0.03)  # volume within
    assert ball.mean(dim=0).abs().max() < 0.05


def test_radius_zero_keeps_minus_zero():
    x = torch.tensor([[-0.0, 0.5]])
    model = linear(torch.tensor([[[1.0, 2.0], [0.0, 0.0]]]))
    for attack in (pgd, fgsm, random_noise, pgd_targeted):
        found = attack(model, x, torch.tensor([0]), radius=0.0)
        assert found.inputs.numpy().tobytes() == x.numpy().tobytes()
        assert found.n_gradients == 0


# --- what an attack does --------------------------------------------------------------------------


def test_two_stages_lower_the_entropy_while_the_label_is_wrong():
    model, x = network(n_samples=8, n_inputs=10), points(60, 10)
    labels = predicted(model, x)
    common = {"radius": 0.2, "n_steps": 40, "rng": 1}
    first = pgd(model, x, labels, objective="label", **common)
    total, information = entropies(model(first.inputs))
    for score, before, place in [
        ("total_entropy", total, 0),
        ("mutual_information", information, 1),
    ]:
        found = pgd(model, x, labels, objective="two_stage", score=score, **common)
        both = first.success & found.success
        after = entropies(model(found.inputs))[place]
        assert both.double().mean() > 0.5
        assert (predicted(model, found.inputs) != labels)[found.success].all()
        assert after[both].mean() < 0.8 * before[both].mean()
        certain = math.log(4) - after
        assert found.objective[found.success].numpy() == pytest.approx(
            certain[found.success].numpy(), abs=1e-9
        )
        assert (found.objective[~found.success] <= 0).all()


@pytest.mark.parametrize("objective", ["low_entropy", "low_mutual_information"])
def test_uncertainty_falls_without_labels(objective):
    model, x = network(n_samples=8, n_inputs=10), points(60, 10)
    place = objective == "low_mutual_information"
    before = entropies(model(x))[place]
    found = pgd(model, x, None, objective=objective, radius=0.1)
    after = entropies(model(found.inputs))[place]
    assert (after <= before + 1e-12).all()
    assert after.mean() < 0.6 * before.mean()
    assert (found.success == (after < before - 1e-12)).all()
    assert found.objective.numpy() == pytest.approx(-after.numpy(), abs=1e-12)


def test_a_single_sample_has_no_information_to_lower():
    model, x = network(n_samples=1), points()
    found = pgd(model, x, None, objective="low_mutual_information", radius=0.1)
    assert (found.objective.abs() < 1e-12).all()
    assert not found.direction_norms.isnan().any()


def test_records():
    model, x = network(), points()
    labels = predicted(model, x)
    found = pgd(model, x, labels, radius=0.1, n_steps=7, n_restarts=3, rng=4)
    assert found.objective_by_step.shape == (3, 8, 20)
    assert found.gradient_norms.shape == found.direction_norms.shape == (3, 7, 20)
    assert found.n_gradients == 3 * 7 * 20
    assert (found.success == (predicted(model, found.inputs) != labels)).all()
    assert (found.objective >= found.objective_by_step.amax(dim=(0, 1)) - 1e-12).all()
    clean = plain_objective(model(x), "margin", labels)
    assert (found.objective >= clean - 1e-12).all()
    last = pgd(model, x, labels, radius=0.1, n_steps=7, n_restarts=3, rng=4, keep="last")
    assert torch.equal(last.objective, found.objective_by_step[-1, -1])
    fixed = pgd(model, x, labels, radius=0.1, n_steps=7, random_start=False)
    assert fixed.objective_by_step[0, 0].numpy() == pytest.approx(clean.detach().numpy(), abs=1e-12)


def test_seeds_and_batches():
    model, x = network(), points(17)
    labels = predicted(model, x)
    for attack in (pgd, pgd_targeted, random_noise):
        one = attack(model, x, labels, radius=0.1, rng=4)
        again = attack(model, x, labels, radius=0.1, rng=np.random.default_rng(4))
        other = attack(model, x, labels, radius=0.1, rng=5)
        parts = attack(model, x, labels, radius=0.1, rng=4, batch_size=5)
        assert torch.equal(one.inputs, again.inputs)
        assert not torch.equal(one.inputs, other.inputs)
        assert parts.inputs.numpy() == pytest.approx(one.inputs.numpy(), abs=1e-9)
        assert parts.objective_by_step.shape == one.objective_by_step.shape
        assert parts.n_gradients == one.n_gradients
    whole = predictive_log_mean(model, x)
    assert predictive_log_mean(model, x, batch_size=4).numpy() == pytest.approx(whole.numpy())


def test_inputs_of_any_shape_and_unsuspecting_callers():
    flat = network(n_inputs=12)
    x = points(6, 12)
    images = x.reshape(6, 1, 3, 4).clone()
    labels = predicted(flat, x)
    with torch.no_grad():  # an attack needs gradients whatever the caller says
        found = pgd(flat, images, labels, radius=0.1, rng=2)
    assert found.inputs.shape == images.shape
    assert not found.inputs.requires_grad
    assert torch.equal(images, x.reshape(6, 1, 3, 4))  # nothing was changed in place
    same = pgd(flat, x, labels, radius=0.1, rng=2)
    assert torch.equal(found.inputs.reshape(6, 12), same.inputs)


def test_attacks_beat_noise_and_more_is_stronger():
    model, x = network(n_samples=8, n_inputs=30, width=32), points(80, 30, low=0.2, high=0.8)
    labels = predicted(model, x)
    shares = {}
    for radius in (0.02, 0.05, 0.1):
        noise = random_noise(model, x, labels, radius=radius, n_draws=20)
        attack = pgd(model, x, labels, radius=radius)
        shares[radius] = float(attack.success.double().mean())
        assert (attack.objective > noise.objective).all()
        assert noise.n_gradients == 0
    assert shares[0.02] < shares[0.05] < shares[0.1]


def test_transfer():
    source, target, x = network(seed=1), network(seed=2), points(40)
    labels = predicted(target, x)
    attack = pgd(source, x, predicted(source, x), radius=0.2)
    moved = transfer(attack, target, x, labels)
    assert torch.equal(moved.inputs, attack.inputs)
    assert (moved.success == (predicted(target, attack.inputs) != labels)).all()
    assert moved.n_gradients == 0
    white = pgd(target, x, labels, radius=0.2)
    assert white.success.sum() > moved.success.sum()
    unlabelled = transfer(attack, target, x, None, objective="low_entropy")
    total = entropies(target(attack.inputs))[0]
    assert unlabelled.objective.numpy() == pytest.approx(-total.numpy())


def test_tempering_changes_the_way_not_the_measure():
    model, x = network(n_samples=8, n_inputs=10, scale=300.0), points(60, 10)
    labels = predicted(model, x)
    plain = pgd(model, x, labels, radius=0.05, objective="label")
    soft = pgd(model, x, labels, radius=0.05, objective="label", temperature=300.0)
    assert soft.success.sum() >= plain.success.sum()
    own = -predictive_log_mean(model, soft.inputs)[torch.arange(60), labels]
    assert soft.objective.numpy() == pytest.approx(own.numpy())


# --- bad input ------------------------------------------------------------------------------------

MODEL, X = network(2, 2, 3, 4), torch.tensor([[0.2, 0.7]], dtype=torch.float64)
Y = torch.tensor([1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"radius": -0.1}, ValueError, "radius must be finite and >= 0, got -0.1"),
        ({"norm": "l1"}, ValueError, "norm must be one of 'linf', 'l2', got 'l1'"),
        ({"objective": "loss"}, ValueError, "objective must be one of 'label'"),
        ({"score": "variance"}, ValueError, "score must be one of 'total_entropy'"),
        ({"n_steps": 0}, ValueError, "n_steps must be an integer >= 1, got 0"),
        ({"n_restarts": 1.5}, TypeError, "n_restarts must be an integer"),
        ({"step_size": 0.0}, ValueError, "step_size must be finite and > 0"),
        ({"temperature": 0.0}, ValueError, "temperature must be finite and > 0"),
        ({"keep": "first"}, ValueError, "keep must be one of 'best', 'last'"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1"),
        ({"rng": None}, TypeError, "rng must be"),
        ({"labels": None}, ValueError, "labels must be given for the objective 'margin'"),
        ({"labels": [1]}, TypeError, "labels must be a Tensor, got list"),
        ({"labels": torch.tensor([1.0])}, TypeError, "labels must be of an integer dtype"),
        ({"labels": torch.tensor([1, 2])}, ValueError, r"labels must have shape \(1,\)"),
        ({"labels": torch.tensor([3])}, ValueError, "below the number of classes 3, got 3"),
        ({"labels": torch.tensor([-1])}, ValueError, "labels must be >= 0, got -1"),
        ({"inputs": X.numpy()}, TypeError, "inputs must be a Tensor, got ndarray"),
        ({"inputs": X.half()}, TypeError, "inputs must be of dtype float32 or float64"),
        ({"inputs": X[0]}, ValueError, "inputs must have shape"),
        ({"inputs": X + 0.5}, ValueError, r"inputs must be in \[0, 1\], got 1.2"),
        ({"inputs": X * math.nan}, ValueError, r"inputs must be in \[0, 1\], got nan"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"inputs": X, "labels": Y, "radius": 0.1} | change
    with pytest.raises(error, match=message):
        pgd(MODEL, arguments.pop("inputs"), arguments.pop("labels"), **arguments)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda x: MODEL(x).detach().numpy(), TypeError, "must return a Tensor, got ndarray"),
        (lambda x: MODEL(x)[0], ValueError, "must return shape"),
        (lambda x: MODEL(x).exp(), ValueError, "must return logarithms of probabilities"),
        (lambda x: MODEL(x) + 1, ValueError, "must return logarithms of probabilities"),
        (lambda x: MODEL(x) * math.nan, ValueError, "must return finite values"),
        (lambda x: (1e4 * MODEL(x)).softmax(2).log(), ValueError, "not the logarithm of a softmax"),
        (lambda x: MODEL(x).detach(), ValueError, "must be differentiable in its inputs"),
        (
            lambda x: MODEL(x + (x - x.detach()).abs().sqrt().nan_to_num()),
            ValueError,
            "must have a finite derivative",
        ),
    ],
)
def test_bad_models(model, error, message):
    with pytest.raises(error, match=message):
        pgd(model, X, Y, radius=0.1)


def test_bad_transfers():
    attack = pgd(MODEL, X, Y, radius=0.1)
    with pytest.raises(TypeError, match="attack must be an Attack"):
        transfer(X, MODEL, X, Y)
    with pytest.raises(ValueError, match="inputs must have the shape of the attack"):
        transfer(attack, MODEL, torch.cat([X, X]), Y)
    with pytest.raises(ValueError, match="max_targets must be an integer >= 0"):
        pgd_targeted(MODEL, X, Y, radius=0.1, max_targets=-1)


# --- memory ---------------------------------------------------------------------------------------


def posteriors():
    """A callable, a perceptron without autograd, and convolutions with it."""
    perceptron = models.MLP(input_shape=(36,), widths=(8,), n_outputs=4)
    convolutions = models.CNN(input_shape=(1, 6, 6), channels=(3,), kernel=3, n_outputs=4)
    draw = torch.Generator().manual_seed(1)
    found = [network(5, 36, 4)]
    for kind in (perceptron, convolutions):
        weights = torch.randn(5, kind.n_parameters, generator=draw, dtype=torch.float64)
        found.append(Posterior(kind, weights))
    return found


@pytest.mark.parametrize("which", [0, 1, 2], ids=["callable", "perceptron", "convolutions"])
@pytest.mark.parametrize("attack", [pgd, pgd_targeted])
def test_calls_stay_within_the_memory(monkeypatch, which, attack):
    posterior = posteriors()[which]
    model = posterior.prepared() if which == 1 else posterior
    x = points(100, 36)
    x = x.view(100, 1, 6, 6) if which == 2 else x
    one = attacks._bytes(model, x[:2]) - attacks._bytes(model, x[:1])
    # at the least what an objective needs at once: 5 samples, 4 classes
    assert one >= 5 * 4 * 8 * attacks._TEMPORARIES
    seen = []

    class Spy:
        def __init__(self):
            if which == 1:
                self.bytes_per_input = model.bytes_per_input
                self.with_pullback = self.pulled

        def pulled(self, part):
            seen.append(len(part))
            return model.with_pullback(part)

        def __call__(self, part):
            seen.append(len(part))
            return model(part)

    labels = predicted(model, x)
    assert attacks._batch_size(model, x, None) == 100
    whole = attack(Spy(), x, labels, radius=0.1, n_steps=3)
    assert max(seen) == 100
    monkeypatch.setattr(attacks, "MEMORY", 30 * one)
    seen.clear()
    parts = attack(Spy(), x, labels, radius=0.1, n_steps=3)
    assert max(seen) == 30
    torch.testing.assert_close(parts.inputs, whole.inputs, rtol=0, atol=1e-12)
    torch.testing.assert_close(parts.objective, whole.objective, rtol=1e-9, atol=1e-12)
    assert torch.equal(parts.success, whole.success)
    monkeypatch.setattr(attacks, "MEMORY", 1)
    assert attacks._batch_size(model, x, None) == attacks._FEW
    assert attacks._batch_size(model, x, 40) == 40


def test_the_estimate_holds_what_autograd_keeps():
    # tanh keeps its result and products their factors: 5 samples of 16 units, 36 inputs, 4 classes
    found = [attacks._bytes(network(5, 36, 4), points(n, 36)) for n in (1, 2, 3)]
    assert found[2] - found[1] == found[1] - found[0] >= 8 * 5 * (16 + 9 * 4)
    assert found[2] - found[1] < 8 * (5 * (3 * 16 + 11 * 4) + 6 * 36)


# --- the benchmark --------------------------------------------------------------------------------


def test_both_sides_of_the_benchmark_follow_one_gradient(monkeypatch):
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "_report", raising=False)
    bench = importlib.import_module("bench_attacks")
    weights, x, labels = bench.problem(5, 8, 30, 6)
    found = bench.ours(weights, x, labels, 0.1, 4)
    assert found.numpy() == pytest.approx(bench.loop(weights, x, labels, 0.1, 4).numpy(), abs=1e-5)
    assert (found - x).abs().max() > 0.09
