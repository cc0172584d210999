"""Mistakes do what they are said to do, and the right versions beside them do not."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import special

torch = pytest.importorskip("torch")

from fragile_learning.bayes import attacks, pitfalls, theory  # noqa: E402
from fragile_learning.bayes.models import MLP  # noqa: E402
from fragile_learning.bayes.pitfalls import LOSSES  # noqa: E402
from fragile_learning.bayes.predict import Posterior  # noqa: E402

F64 = torch.float64


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def linear(n_samples=5, n_inputs=6, n_classes=4, scale=1.0, spread=0.5, seed=0):
    """A linear softmax model whose samples agree in the main; its inputs are centred at 1/2."""
    network = MLP(input_shape=(n_inputs,), widths=(), n_outputs=n_classes, bias=False, shift=0.5)
    size = network.n_parameters
    weights = random(1, size, seed=seed) + spread * random(n_samples, size, seed=seed + 1)
    return Posterior(network, scale * weights)


def curved(n_samples=5, scale=1.0, seed=0):
    network = MLP(input_shape=(6,), widths=(16,), n_outputs=4, shift=0.5, scale=0.5, slope=0.1)
    size = network.n_parameters
    return Posterior(
        network,
        scale * (random(1, size, seed=seed) + 0.3 * random(n_samples, size, seed=seed + 1)),
    )


def points(n=30, n_inputs=6, seed=3):
    return torch.rand(n, n_inputs, generator=torch.Generator().manual_seed(seed), dtype=F64)


def labels_of(posterior, x):
    return attacks.predictive_log_mean(posterior, x).argmax(dim=1)


# --- losses ---------------------------------------------------------------------------------------


def by_scipy(logits, labels, loss):
    rows = np.arange(len(labels))
    log_p = special.log_softmax(logits, axis=2)
    mean = special.logsumexp(log_p, axis=0) - math.log(len(logits))
    if loss in ("log mean", "naive log"):
        return -mean[rows, labels]
    if loss == "double softmax":
        return -special.log_softmax(np.exp(mean), axis=1)[rows, labels]
    if loss == "member losses":
        return -log_p[:, rows, labels].mean(axis=0)
    if loss == "mean logits":
        return -special.log_softmax(logits.mean(axis=0), axis=1)[rows, labels]
    others = np.array(
        [np.delete(row, label).max() for row, label in zip(mean, labels, strict=True)]
    )
    return others - mean[rows, labels]


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_those_of_scipy(loss):
    logits, labels = 2 * random(3, 20, 5), torch.arange(20) % 5
    found = pitfalls.loss_of_logits(logits, labels, loss)
    expected = by_scipy(logits.numpy(), labels.numpy(), loss)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)


def test_the_logarithm_after_the_mean_gives_nan_whose_sign_is_zero():
    logits = torch.tensor([[[200.0, 0.0, 1.0]]]).requires_grad_()
    label = torch.tensor([0])

    def gradient(loss):
        return torch.autograd.grad(pitfalls.loss_of_logits(logits, label, loss).sum(), logits)[0]

    assert bool(gradient("naive log").isnan().any())
    assert torch.sign(torch.tensor(math.nan)) == 0.0
    assert math.isnan(np.sign(math.nan))
    assert bool((gradient("naive log").sign() == 0.0).all())
    for loss in set(LOSSES) - {"naive log"}:
        assert bool(gradient(loss).isfinite().all())
    assert gradient("log odds")[0, 0].tolist() == [-1.0, 0.0, 1.0]


# --- saturation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["log mean", "naive log", "double softmax", "member losses"])
@pytest.mark.parametrize(("dtype", "kind"), [(torch.float32, np.float32), (F64, np.float64)])
def test_gradients_die_where_an_exponential_rounds_to_zero(loss, dtype, kind):
    first = next(gap for gap in range(1, 1000) if kind(math.exp(-gap)) == 0.0)
    assert first == (104 if dtype is torch.float32 else 746)
    found = pitfalls.first_dead_gap(loss, dtype=dtype)
    assert found == (first, loss == "naive log")
    assert pitfalls.first_dead_gap(loss, dtype=dtype, max_gap=first - 1) is None


def test_other_constructions_move_the_end_a_little():
    assert pitfalls.first_dead_gap("log mean", n_samples=2).gap == 103
    assert pitfalls.first_dead_gap("log mean", n_classes=10).gap == 104
    assert pitfalls.first_dead_gap("log odds", dtype=F64) is None


# --- plain attacks --------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_one_step_on_a_binary_linear_model_is_the_best_one(loss):
    model, x = linear(n_samples=1, n_classes=2), 0.2 + 0.6 * points()
    labels = labels_of(model, x)
    slope = model.parameters[0].view(6, 2)
    towards = (slope[:, 0] - slope[:, 1]).sign() * (1.0 - 2.0 * labels[:, None])
    found = pitfalls.plain_fgsm(model, x, labels, radius=0.1, loss=loss)
    torch.testing.assert_close(found.inputs, x - 0.1 * towards, rtol=0, atol=1e-12)
    assert found.zero_share == found.nan_share == 0.0
    assert found.n_gradients == 30
    steps = pitfalls.plain_pgd(model, x, labels, radius=0.1, loss=loss)
    torch.testing.assert_close(steps.inputs, found.inputs, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("loss", "objective"), [("log mean", "label"), ("log odds", "margin")])
def test_plain_attacks_are_the_right_ones_at_moderate_logits(loss, objective):
    model, x = curved(), points()
    labels = labels_of(model, x)
    plain = pitfalls.plain_fgsm(model, x, labels, radius=0.1, loss=loss)
    right = attacks.fgsm(model, x, labels, radius=0.1, objective=objective)
    torch.testing.assert_close(plain.inputs, right.inputs, rtol=0, atol=1e-12)
    gradients = [
        pitfalls.predictive_gradients(model, x, labels, loss="log mean").flatten(1).norm(dim=1),
        attacks.fgsm(model, x, labels, radius=0.1).gradient_norms[0, 0],
    ]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("loss", ["log mean", "double softmax", "naive log"])
def test_attacks_stay_in_the_ball_and_the_box(loss, dtype):
    model, x = curved().to(dtype=torch.float32), points().float()
    labels = labels_of(model, x)
    for options in ({}, {"n_fresh": 2}, {"keep": "best"}, {"step_size": 2.0}):
        found = pitfalls.plain_pgd(
            model, x, labels, radius=0.3, loss=loss, dtype=dtype, n_steps=5, **options
        )
        assert found.inputs.dtype == torch.float32
        assert float((found.inputs.double() - x.double()).abs().max()) <= 0.3
        assert 0.0 <= float(found.inputs.min()) <= float(found.inputs.max()) <= 1.0
        assert found.zero.shape == found.nan.shape == (5, 30)


def test_huge_logits_stop_a_plain_attack_but_not_the_right_one():
    model, x = pitfalls.rescaled(linear(), 1e4).to(dtype=torch.float32), points().float()
    labels = labels_of(model, x)
    for loss in ("log mean", "double softmax", "naive log"):
        found = pitfalls.plain_fgsm(model, x, labels, radius=0.3, loss=loss)
        moved = (found.inputs != x).any(dim=1).double().mean()
        assert float(moved) < 0.1, loss
        assert found.zero_share + found.nan_share > 0.9
        assert (found.nan_share > 0.5) == (loss == "naive log")
        assert pitfalls.accuracy(model, found.inputs, labels) > 0.9
    right = attacks.fgsm(model, x, labels, radius=0.3)
    assert pitfalls.accuracy(model, right.inputs, labels) < 0.2
    # log odds help one network; those of a mean vanish where one sample is sure of the label and
    # another of its rival
    odds = pitfalls.plain_fgsm(model, x, labels, radius=0.3, loss="log odds")
    assert 0.1 < odds.zero_share < 0.9
    one = model.chosen(torch.tensor([0]))
    odds = pitfalls.plain_fgsm(one, x, labels_of(one, x), radius=0.3, loss="log odds")
    assert odds.zero_share == 0.0


def test_nan_can_be_refused():
    model, x = pitfalls.rescaled(linear(), 1e4), points()
    labels = labels_of(model, x)
    with pytest.raises(ValueError, match="the loss 'naive log' has a gradient that is not finite"):
        pitfalls.plain_pgd(model, x, labels, radius=0.1, loss="naive log", refuse_nan=True)
    pitfalls.plain_pgd(model, x, labels, radius=0.1, loss="log mean", refuse_nan=True)


def test_fresh_samples():
    model, x = curved(), points()
    labels = labels_of(model, x)
    common = {"radius": 0.1, "loss": "log mean", "random_start": False}

    def attack(**options):
        return pitfalls.plain_pgd(model, x, labels, **common, **options).inputs

    torch.testing.assert_close(attack(n_fresh=5), attack(), rtol=0, atol=1e-12)
    assert bool((attack(n_fresh=1, rng=1) == attack(n_fresh=1, rng=1)).all())
    assert not bool((attack(n_fresh=1, rng=1) == attack(n_fresh=1, rng=2)).all())
    start = {"n_fresh": 1, "n_steps": 1, "step_size": 0.1}
    singles = [
        pitfalls.plain_fgsm(model.chosen(torch.tensor([i])), x, labels, radius=0.1, loss="log mean")
        for i in range(5)
    ]
    steps = [attack(rng=seed, **start) for seed in range(20)]
    seen = {
        i for i, one in enumerate(singles) for step in steps if bool((one.inputs == step).all())
    }
    assert len(seen) == 5  # a sample is missed in 20 draws with probability 5 (4/5)^20 = 0.06
    assert all(any(bool((one.inputs == step).all()) for one in singles) for step in steps)


def test_the_best_point_is_kept_if_asked():
    model, x = curved(scale=3.0), points()
    labels = labels_of(model, x)

    def loss(**options):
        found = pitfalls.plain_pgd(
            model, x, labels, radius=0.3, loss="log mean", step_size=0.25, **options
        )
        return pitfalls.loss_of_logits(model.logits(found.inputs), labels, "log mean")

    best, last = loss(keep="best"), loss()
    assert bool((best >= last).all())
    assert bool((best > last).any())


def test_small_steps_do_not_arrive():
    model, x = linear(), 0.3 + 0.4 * points()
    labels = labels_of(model, x)
    found = pitfalls.plain_pgd(
        model, x, labels, radius=0.2, loss="log mean", n_steps=5, step_size=0.01, random_start=False
    )
    assert float((found.inputs - x).abs().max()) == pytest.approx(0.05)
    still = pitfalls.plain_pgd(model, x, labels, radius=0.0, loss="log mean")
    assert bool((still.inputs == x).all())


def test_random_signs_are_corners_and_no_better_than_the_best():
    model, x = linear(n_inputs=3), 0.3 + 0.4 * points(20, 3)
    labels = labels_of(model, x)
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3)), dtype=F64)
    corners = x + 0.2 * signs[:, None]
    losses = torch.stack(
        [pitfalls.loss_of_logits(model.logits(c), labels, "log mean") for c in corners]
    )

    def found(count):
        inputs = pitfalls.random_sign_search(model, x, labels, radius=0.2, n_queries=count)
        assert float(((inputs - x).abs() - 0.2).abs().max()) < 1e-12
        return pitfalls.loss_of_logits(model.logits(inputs), labels, "log mean")

    # one of 20 inputs misses its best corner of 8 in 200 queries: probability 20 (7/8)^200 = 5e-11
    torch.testing.assert_close(found(200), losses.amax(dim=0), rtol=0, atol=1e-12)
    few = found(2)
    assert bool((few <= losses.amax(dim=0) + 1e-12).all())
    assert float(few.mean()) < float(losses.amax(dim=0).mean())


# --- other predictors -----------------------------------------------------------------------------


def test_mean_weights_are_another_predictor():
    """Two networks that are one, but for the order of their hidden units."""
    network = MLP(input_shape=(2,), widths=(2,), n_outputs=2, bias=False, shift=0.5)
    first = torch.tensor([[8.0, -8.0], [0.0, 0.0]])  # inputs to units: positive and negative part
    last = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    swapped = (first[:, [1, 0]], last[[1, 0]])
    rows = [torch.cat([a.flatten(), b.flatten()]) for a, b in ((first, last), swapped)]
    posterior = Posterior(network, torch.stack(rows))
    x = torch.tensor([[0.9, 0.5], [0.1, 0.5]])
    labels = torch.tensor([0, 1])
    torch.testing.assert_close(*posterior.logits(x))
    assert pitfalls.accuracy(posterior, x, labels) == 1.0
    mean = pitfalls.mean_weights(posterior)
    assert mean.n_samples == 1
    assert float(mean.logits(x).abs().max()) == 0.0  # knows nothing


def test_rescaling():
    model, x = curved(), points()
    found = pitfalls.rescaled(model, 10.0)
    torch.testing.assert_close(found.logits(x), 10.0 * model.logits(x), rtol=1e-12, atol=1e-12)
    assert bool((found.logits(x).argmax(2) == model.logits(x).argmax(2)).all())


def test_accuracy_is_of_the_mean_probability():
    network = MLP(input_shape=(1,), widths=(), n_outputs=2)
    # one sample is sure of class 1, two lean to class 0: the mean logits say 1, the mean p says 0
    weights = torch.tensor([[0.0, 0.0, 0.0, 9.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 2.0, 0.0]])
    x = torch.tensor([[0.5]])
    posterior = Posterior(network, weights)
    assert int(posterior.logits(x).mean(0).argmax()) == 1
    assert pitfalls.accuracy(posterior, x, torch.tensor([0])) == 1.0
    assert pitfalls.accuracy(posterior, x, torch.tensor([1])) == 0.0


# --- scores ---------------------------------------------------------------------------------------


def test_scores_are_those_of_numpy():
    model, x, y = curved(), points(seed=4), points(seed=5)
    p, q = (special.softmax(model.logits(z).numpy(), axis=2).mean(axis=0) for z in (x, y))
    right = 1 - np.abs(p - q).max(axis=1)
    np.testing.assert_allclose(pitfalls.softmax_robustness(model, x, y), right, atol=1e-12)
    p, q = special.softmax(p, axis=1), special.softmax(q, axis=1)
    doubled = pitfalls.softmax_robustness(model, x, y, doubled=True).numpy()
    np.testing.assert_allclose(doubled, 1 - np.abs(p - q).max(axis=1), atol=1e-12)
    assert (doubled > right).all()
    assert doubled.min() >= theory.double_softmax_floor(4)


# --- gradients ------------------------------------------------------------------------------------


def test_gaps():
    model, x = curved(), points()
    ordered = np.sort(model.logits(x).numpy(), axis=2)
    expected = ordered[:, :, -1] - ordered[:, :, -2]
    np.testing.assert_allclose(pitfalls.logit_gaps(model, x), expected, atol=1e-12)


@pytest.mark.parametrize("pixels", [2**22, 400])
def test_member_gradients_are_differences_quotients(pixels, monkeypatch):
    model, x = curved(), points(8)
    monkeypatch.setattr(
        pitfalls, "_parts", lambda p, n: map(p.chosen, torch.arange(5).split(pixels // (n * 50)))
    )
    labels = torch.arange(8) % 4
    own = model.logits(x).argmax(dim=2)
    for given, chosen in ((labels, labels.expand(5, -1)), (None, own)):
        found = pitfalls.member_gradients(model, x, given)
        assert found.shape == (5, 8, 6)
        for j in range(6):
            step = torch.zeros(6, dtype=F64)
            step[j] = 1e-6
            two = [model(x + s * step).gather(2, chosen[..., None])[..., 0] for s in (1, -1)]
            slope = -(two[0] - two[1]) / 2e-6
            torch.testing.assert_close(found[:, :, j], slope, rtol=1e-6, atol=1e-7)


def test_parts_are_all_samples():
    model = curved(n_samples=7)
    for n in (1, 10**5, 10**7):
        parts = list(pitfalls._parts(model, n))
        assert bool((torch.cat([p.parameters for p in parts]) == model.parameters).all())
    assert len(parts) == 7


def test_the_gradient_of_the_mean_is_the_weighted_mean_of_gradients():
    model, x = curved(), points()
    labels = torch.arange(30) % 4
    members = pitfalls.member_gradients(model, x, labels)
    own = model(x).gather(2, labels.expand(5, -1)[..., None])[..., 0]
    weighted = (own.softmax(dim=0)[..., None] * members).sum(dim=0)
    found = pitfalls.predictive_gradients(model, x, labels)
    torch.testing.assert_close(found, weighted, rtol=1e-10, atol=1e-12)
    mean = pitfalls.predictive_gradients(model, x, labels, loss="member losses")
    torch.testing.assert_close(mean, members.mean(dim=0), rtol=1e-10, atol=1e-12)
    assert float((mean - weighted).abs().max()) > 1e-3


# --- bad input ------------------------------------------------------------------------------------

MODEL, X, Y = linear(), points(4), torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pitfalls.loss_of_logits(torch.zeros(2, 4, 3), Y, "hinge"), ValueError, "loss"),
        (lambda: pitfalls.loss_of_logits(torch.zeros(4, 3), Y, "log mean"), ValueError, "logits"),
        (
            lambda: pitfalls.loss_of_logits(torch.zeros(1, 5, 3), Y, "log mean"),
            ValueError,
            r"labels must have the shape \(5,\), got \(4,\)",
        ),
        (
            lambda: pitfalls.first_dead_gap("log mean", dtype=torch.float16),
            TypeError,
            "dtype must be float32 or float64, got torch.float16",
        ),
        (lambda: pitfalls.first_dead_gap("log mean", n_samples=0), ValueError, "n_samples"),
        (
            lambda: pitfalls.plain_fgsm(MODEL, X, Y, radius=-0.1, loss="log mean"),
            ValueError,
            "radius",
        ),
        (
            lambda: pitfalls.plain_fgsm(MODEL, X + 1, Y, radius=0.1, loss="log mean"),
            ValueError,
            "in",
        ),
        (
            lambda: pitfalls.plain_fgsm(MODEL, X, Y + 1, radius=0.1, loss="log mean"),
            ValueError,
            "labels must be below the number of classes 4, got 4",
        ),
        (
            lambda: pitfalls.plain_pgd(MODEL, X, Y, radius=0.1, loss="log mean", n_fresh=6),
            ValueError,
            "n_fresh must be an integer >= 1 and <= 5, got 6",
        ),
        (
            lambda: pitfalls.plain_pgd(MODEL, X, Y, radius=0.1, loss="log mean", step_size=0.0),
            ValueError,
            "step_size",
        ),
        (
            lambda: pitfalls.plain_pgd(MODEL, X, Y, radius=0.1, loss="log mean", keep="first"),
            ValueError,
            "keep",
        ),
        (
            lambda: pitfalls.plain_pgd(MODEL, X, Y, radius=0.1, loss="log mean", dtype=torch.int64),
            TypeError,
            "dtype",
        ),
        (
            lambda: pitfalls.plain_pgd(MODEL.logits, X, Y, radius=0.1, loss="log mean"),
            TypeError,
            "posterior must be a Posterior",
        ),
        (
            lambda: pitfalls.random_sign_search(MODEL, X, Y, radius=0.1, n_queries=0),
            ValueError,
            "n_queries",
        ),
        (lambda: pitfalls.rescaled(MODEL, 0.0), ValueError, "factor must be finite and > 0"),
        (lambda: pitfalls.softmax_robustness(MODEL, X, X[:2]), ValueError, "attacked"),
    ],
)
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
