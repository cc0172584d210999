"""Meta-gradients: known answers, finite differences, autograd through the run, forward tangents."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from fragile_learning.distillation.block_products import BlockNetworks  # noqa: E402
from fragile_learning.distillation.meta_gradient import (  # noqa: E402
    MetaGradients,
    directional_derivatives,
    meta_gradient,
    networks_of,
    train,
)
from fragile_learning.distillation.models import MLP, ConvNet, draw_parameters  # noqa: E402
from fragile_learning.distillation.products import AutogradNetworks, DenseNetworks  # noqa: E402
from fragile_learning.distillation.settings import (  # noqa: E402
    MODES,
    InnerOptimizer,
    Unroll,
    Window,
)

F64 = torch.float64
RULES = {
    "sgd": InnerOptimizer(kind="sgd", learning_rate=0.2),
    "momentum": InnerOptimizer(kind="momentum", learning_rate=0.1),
    "adam": InnerOptimizer(kind="adam", learning_rate=0.05),
}


def sines(step, *shape):
    count = math.prod(shape)
    return torch.sin(step * torch.arange(1, count + 1, dtype=F64)).view(shape)


def tiny():
    """The plan's problem: a network 3-4-2 with weights stored input by output."""
    flat = 0.6 * sines(1.3, 26)
    parameters = {
        "1.weight": flat[:12].view(3, 4).T[None].contiguous(),
        "1.bias": flat[12:16][None],
        "3.weight": flat[16:24].view(4, 2).T[None].contiguous(),
        "3.bias": flat[24:][None],
    }
    module = MLP((3,), widths=(4,), n_classes=2).double()
    labels = torch.tensor([0, 1, 0, 1])
    return module, parameters, sines(0.7, 4, 3), labels, sines(0.53, 10, 3), torch.arange(10) % 2


@pytest.mark.parametrize(
    ("kind", "window", "expected"),
    [
        ("sgd", 6, (0.7331446520, 0.0377184818, -0.0145966536, 0.0188023257)),
        ("sgd", 2, (0.7331446520, 0.0151333745, -0.0064132463, 0.0077012594)),
        ("momentum", 6, (0.7439486652, 0.0792230186, -0.0367385614, 0.0276833009)),
        ("momentum", 2, (0.7439486652, 0.0153178006, -0.0080810381, 0.0058748576)),
        ("adam", 6, (0.7673472339, 0.3825553805, 0.0712753514, 0.2164310510)),
        ("adam", 2, (0.7673472339, 0.1329841520, -0.0562172780, 0.0786351614)),
    ],
)
@pytest.mark.parametrize("kind_of", [DenseNetworks, AutogradNetworks])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_known_answers(kind, window, expected, kind_of, checkpoint):
    module, *rest = tiny()
    engine = MetaGradients(kind_of(module), RULES[kind], checkpoint=checkpoint)
    found = engine(*rest, Window(6, window))
    numbers = (found.loss, found.images.norm(), found.images[0, 0], found.images[3, 2])
    assert [float(x) for x in numbers] == pytest.approx(expected, abs=5.1e-11)


class Odd(nn.Module):
    """Something that no closed form knows: shared weights, a product, a buffer."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(5, 5), nn.Linear(5, 3)
        self.register_buffer("scale", torch.tensor(0.7))

    def forward(self, x):
        hidden = torch.tanh(self.inner(x))
        return self.outer(self.scale * self.inner(hidden) * hidden)


def problem(name, n_networks=2):
    draw = torch.Generator().manual_seed(3)
    if name.startswith("conv"):
        shape = {"conv": (2, 8, 8), "conv odd": (1, 6, 10), "conv 28": (1, 28, 28)}[name]
        module = ConvNet(shape, width=3, depth=2, n_classes=3)
    else:
        shape = (5,)
        widths = {"mlp": (7,), "deep": (6, 5), "linear": ()}
        module = Odd() if name == "odd" else MLP(shape, widths=widths[name], n_classes=3)
    module = module.double()
    images = torch.randn(4, *shape, generator=draw, dtype=F64)
    labels = torch.rand(4, 3, generator=draw, dtype=F64)  # rows need not sum to 1
    real = torch.randn(9, *shape, generator=draw, dtype=F64)
    classes = torch.randint(0, 3, (9,), generator=draw)
    parameters = draw_parameters(module, n_networks=n_networks, generator=draw)
    return module, parameters, images, labels, real, classes


def by_autograd(
    module, parameters, images, labels, real, classes, optimizer, run, view=None, guard=0.0
):
    """Gradients in images, labels and rate through the whole run, written with plain tensors."""
    leaves = [images.clone().requires_grad_(), labels.clone().requires_grad_()]
    rate = torch.tensor(optimizer.learning_rate, dtype=F64, requires_grad=True)
    first, second = optimizer.betas
    losses = []
    for k in range(len(next(iter(parameters.values())))):
        theta = {n: p[k].clone().requires_grad_() for n, p in parameters.items()}
        slots = {n: [torch.zeros_like(p), torch.zeros_like(p)] for n, p in theta.items()}
        for step in range(run.n_steps):
            inside = step >= run.n_steps - run.window
            x, y = leaves if inside else (images, labels)
            if view is not None:
                x, y = view(step, x, y)
            logits = torch.func.functional_call(module, theta, (x,))
            loss = -(logits.log_softmax(1) * y).sum() / len(y)
            gradients = torch.autograd.grad(loss, list(theta.values()), create_graph=inside)
            moved, step_rate = {}, rate if inside else rate.detach()
            for (n, p), g in zip(theta.items(), gradients, strict=True):
                one, two = slots[n]
                if optimizer.kind == "sgd":
                    change = g
                elif optimizer.kind == "momentum":
                    one = change = optimizer.momentum * one + g
                else:
                    one = first * one + (1 - first) * g
                    two = second * two + (1 - second) * g**2
                    seen = two > 0  # autograd's root of 0 has an infinite slope
                    root = torch.where(seen, two, 1.0).sqrt() * seen
                    root = root / (1 - second ** (step + 1)) ** 0.5
                    change = one / (1 - first ** (step + 1)) / (root + optimizer.eps)
                    change = torch.where(root <= guard, change.detach(), change)
                slots[n] = [one, two]
                moved[n] = p - step_rate * change
            if not inside:
                moved = {n: p.detach().requires_grad_() for n, p in moved.items()}
                slots = {n: [s.detach() for s in pair] for n, pair in slots.items()}
            theta = moved
        logits = torch.func.functional_call(module, theta, (real,))
        losses.append(nn.functional.cross_entropy(logits, classes))
    total = torch.stack(losses).mean()
    return torch.stack(losses).detach(), torch.autograd.grad(total, [*leaves, rate])


@pytest.mark.parametrize("name", ["mlp", "deep", "linear", "odd", "conv", "conv odd", "conv 28"])
@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("window", [5, 3])
def test_equals_autograd_through_the_run(name, kind, window):
    module, *rest = problem(name)
    run = Window(5, window)
    losses, (images, labels, rate) = by_autograd(module, *rest, RULES[kind], run)
    # Adam's first step blows rounding up by up to 1 / |g| (see the chapter)
    tolerance = 1e-10 if (kind, window) == ("adam", 5) else 1e-12
    for checkpoint in (False, True):
        engine = MetaGradients(
            module, RULES[kind], checkpoint=checkpoint, learn_labels=True, learn_rate=True
        )
        found = engine(*rest, run)
        torch.testing.assert_close(found.losses, losses, rtol=1e-12, atol=0)
        for ours, theirs in ((found.images, images), (found.labels, labels)):
            assert (ours - theirs).norm() < tolerance * theirs.norm()
        assert found.learning_rate == pytest.approx(float(rate), rel=1e-10)


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind_of", [DenseNetworks, AutogradNetworks])
def test_equals_finite_differences(kind, mode, kind_of):
    module, parameters, images, labels, real, classes = problem("mlp")
    run = Unroll(mode=mode, n_steps=6, window=3).draw(rng=2)
    found = MetaGradients(kind_of(module), RULES[kind], learn_labels=True)(
        parameters, images, labels, real, classes, run
    )

    def frozen_before(moved_images, moved_labels):
        """Loss with other data in the window, the data of the first steps as they are."""

        def view(step, x, y):
            inside = step >= run.n_steps - run.window
            return (moved_images, moved_labels) if inside else (x, y)

        weights = train(
            module, parameters, images, labels, optimizer=RULES[kind], lengths=[run.n_steps],
            view=view,
        )[0]  # fmt: skip
        losses = [
            nn.functional.cross_entropy(
                torch.func.functional_call(module, {n: p[k] for n, p in weights.items()}, (real,)),
                classes,
            )
            for k in range(2)
        ]
        return float(torch.stack(losses).mean())

    draw = torch.Generator().manual_seed(5)
    for _ in range(4):
        u = torch.randn(images.shape, generator=draw, dtype=F64)
        v = torch.randn(labels.shape, generator=draw, dtype=F64)
        step = 1e-6
        high = frozen_before(images + step * u, labels + step * v)
        low = frozen_before(images - step * u, labels - step * v)
        ours = float((found.images * u).sum() + (found.labels * v).sum())
        size = float(found.images.norm() * u.norm() + found.labels.norm() * v.norm())
        assert abs(ours - (high - low) / (2 * step)) < 1e-6 * max(abs(ours), 0.03 * size)


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("window", [6, 2])
def test_equals_forward_accumulation(kind, window):
    module, parameters, images, labels, real, classes = problem("deep")
    data, run = (parameters, images, labels, real, classes), Window(6, window)
    directions = torch.randn(
        3, *images.shape, generator=torch.Generator().manual_seed(1), dtype=F64
    )
    forward = directional_derivatives(module, *data, directions, optimizer=RULES[kind], run=run)
    found = meta_gradient(module, *data, optimizer=RULES[kind], run=run)
    reverse = (directions * found.images).flatten(1).sum(1)
    torch.testing.assert_close(forward, reverse, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", RULES)
def test_a_window_that_covers_the_run_is_the_full_gradient(kind):
    module, *rest = problem("mlp")
    runs = [
        Unroll(mode=mode, n_steps=6, window=6).draw(rng=1) for mode in ("full", "random-truncated")
    ]
    engine = MetaGradients(module, RULES[kind])
    full, truncated = (engine(*rest, run).images for run in runs)
    assert torch.equal(full, truncated)
    assert not torch.equal(full, engine(*rest, Window(6, 5)).images)


@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_checkpoints_change_no_bit(name):
    module, *rest = problem(name)
    for window in (1, 2, 7, 10):
        plain, marked = (
            MetaGradients(module, RULES["adam"], checkpoint=c)(*rest, Window(10, window))
            for c in (False, True)
        )
        assert torch.equal(plain.images, marked.images)


@pytest.mark.parametrize(
    ("kind_of", "name"),
    [
        (DenseNetworks, "deep"),
        (AutogradNetworks, "deep"),
        (BlockNetworks, "conv"),
        (AutogradNetworks, "conv"),
    ],
)
def test_networks_apart_have_the_mean_gradient(kind_of, name):
    module, parameters, *rest = problem(name, n_networks=3)
    apart = MetaGradients(kind_of(module), RULES["adam"], per_network=True)
    found = apart(parameters, *rest, Window(6, 4))
    together = meta_gradient(module, parameters, *rest, optimizer=RULES["adam"], run=Window(6, 4))
    torch.testing.assert_close(found.images.mean(0), together.images, rtol=1e-12, atol=1e-15)
    for k in range(3):
        one = {n: p[k : k + 1] for n, p in parameters.items()}
        alone = meta_gradient(module, one, *rest, optimizer=RULES["adam"], run=Window(6, 4))
        torch.testing.assert_close(found.images[k], alone.images, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", ["mlp", "conv"])
@pytest.mark.parametrize("per_network", [False, True])
def test_views_are_differentiated(per_network, name):
    """A batch of two images a step, mirrored and scaled."""
    module, *rest = problem(name)

    def view(step, x, y):
        rows = [step % 4, (step + 1) % 4]
        return x[rows].flip(-1) * (1 + 0.1 * step), y[rows]

    run = Window(6, 4)
    _, (images, labels, _) = by_autograd(module, *rest, RULES["adam"], run, view=view)
    engine = MetaGradients(
        module, RULES["adam"], per_network=per_network, learn_labels=not per_network
    )
    found = engine(*rest, run, view=view)
    ours = found.images.mean(0) if per_network else found.images
    torch.testing.assert_close(ours, images, rtol=1e-10, atol=1e-14)
    if not per_network:
        torch.testing.assert_close(found.labels, labels, rtol=1e-10, atol=1e-14)


def test_the_guard_holds_updates_constant_where_moments_are_small():
    module, *rest = problem("mlp")
    run = Window(4, 4)
    exact = by_autograd(module, *rest, RULES["adam"], run)[1][0]
    for guard in (0.02, 0.1):
        theirs = by_autograd(module, *rest, RULES["adam"], run, guard=guard)[1][0]
        ours = meta_gradient(module, *rest, optimizer=RULES["adam"], run=run, guard=guard).images
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-14)
        assert (ours - exact).norm() > 1e-3 * exact.norm()


def test_a_pixel_that_is_zero_everywhere_has_a_huge_derivative_without_the_guard():
    module, parameters, images, labels, real, classes = problem("mlp")
    images = images.clone()
    images[:, 0] = 0.0  # its weights have g = 0, dg/du != 0: the derivative is rate / eps
    data = (parameters, images, labels, real, classes)
    found, guarded = (
        meta_gradient(module, *data, optimizer=RULES["adam"], run=Window(4, 4), guard=g).images
        for g in (0.0, 1e-4)
    )
    assert bool(found.isfinite().all())
    assert found[:, 0].abs().max() > 1e4 * guarded.abs().max()


def test_chunks_of_real_images_add_up():
    module, *rest = problem("mlp")
    whole, parts = (
        MetaGradients(module, RULES["sgd"], outer_chunk=c)(*rest, Window(4, 4)) for c in (None, 4)
    )
    torch.testing.assert_close(whole.losses, parts.losses, rtol=1e-13, atol=0)
    torch.testing.assert_close(whole.images, parts.images, rtol=1e-12, atol=1e-16)


def test_nothing_given_is_changed_and_a_second_call_is_the_same():
    module, parameters, *rest = problem("mlp")
    before = {n: p.clone() for n, p in parameters.items()}
    engine = MetaGradients(module, RULES["adam"], checkpoint=True)
    first = engine(parameters, *rest, Window(6, 4))
    kept = first.images.clone()
    engine(parameters, *rest, Window(3, 2))
    second = engine(parameters, *rest, Window(6, 4))
    assert torch.equal(first.images, kept)
    assert torch.equal(second.images, kept)
    assert all(torch.equal(before[n], parameters[n]) for n in before)


@pytest.mark.parametrize("kind", RULES)
def test_training_is_that_of_torch(kind):
    module, parameters, images, labels, *_ = problem("mlp", n_networks=1)
    rule = RULES[kind]
    found = train(module, parameters, images, labels, optimizer=rule, lengths=[0, 7])
    assert all(torch.equal(found[0][n], p) for n, p in parameters.items())
    torch.func.functional_call(module, {n: p[0] for n, p in parameters.items()}, (images,))
    module.load_state_dict({n: p[0] for n, p in parameters.items()})
    optimizer = {
        "sgd": lambda p: torch.optim.SGD(p, lr=rule.learning_rate),
        "momentum": lambda p: torch.optim.SGD(p, lr=rule.learning_rate, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, lr=rule.learning_rate),
    }[kind](module.parameters())
    for _ in range(7):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(images), labels).backward()
        optimizer.step()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(found[1][name][0], parameter.detach(), rtol=1e-9, atol=1e-12)


def test_windows_of_the_rules():
    rng = np.random.default_rng(0)
    runs = {
        m: [Unroll(mode=m, n_steps=9, window=4).draw(rng=rng) for _ in range(200)] for m in MODES
    }
    assert set(runs["full"]) == {(9, 9)}
    assert set(runs["truncated"]) == {(9, 4)}
    assert set(runs["random"]) == {(n, n) for n in range(4, 10)}
    assert set(runs["random-truncated"]) == {(n, 4) for n in range(4, 10)}
    skipping = [Unroll(n_steps=9, window=4, skip_first=True).draw(rng=rng) for _ in range(200)]
    assert set(skipping) == {(4, 3)} | {(n, 4) for n in range(5, 10)}
    assert Unroll(mode="full", n_steps=9, window=4, skip_first=True).draw(rng=1) == (9, 8)


def test_bad_input():
    module, *rest = tiny()
    parameters, images, labels, real, classes = rest
    engine = MetaGradients(module, RULES["sgd"])
    with pytest.raises(ValueError, match=r"run\.window must be an integer >= 1 and <= 3, got 4"):
        engine(*rest, Window(3, 4))
    with pytest.raises(ValueError, match=r"labels must have the shape \(4,\)"):
        engine(parameters, images, labels[:3], real, classes, Window(3, 3))
    with pytest.raises(ValueError, match=r"labels must be in \[0, 1\], got 0 to 2"):
        engine(parameters, images, torch.tensor([0, 1, 2, 0]), real, classes, Window(3, 3))
    with pytest.raises(TypeError, match="images must be floating point"):
        engine(parameters, images.long(), labels, real, classes, Window(3, 3))
    with pytest.raises(ValueError, match="parameters must be named"):
        engine({"weight": images}, images, labels, real, classes, Window(3, 3))
    with pytest.raises(ValueError, match=r"parameters\['3.bias'\] must have the shape"):
        engine({**parameters, "3.bias": images}, images, labels, real, classes, Window(3, 3))
    with pytest.raises(ValueError, match="got dropout in training mode: 1"):
        MetaGradients(nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)), RULES["sgd"])
    with pytest.raises(ValueError, match="running statistics"):
        MetaGradients(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), RULES["sgd"])
    with pytest.raises(TypeError, match=r"module must be a torch\.nn\.Module"):
        MetaGradients("mlp", RULES["sgd"])
    with pytest.raises(ValueError, match="per_network must be False"):
        MetaGradients(module, RULES["sgd"], per_network=True, learn_labels=True)
    with pytest.raises(ValueError, match="kind must be one of"):
        InnerOptimizer(kind="lion")
    with pytest.raises(ValueError, match=r"betas\[1\] must be finite and >= 0 and < 1"):
        InnerOptimizer(betas=(0.9, 1.0))
    with pytest.raises(ValueError, match="window must be an integer >= 2"):
        Unroll(n_steps=4, window=1, skip_first=True)
    with pytest.raises(ValueError, match="lengths must rise"):
        train(module, parameters, images, labels, optimizer=RULES["sgd"], lengths=[3, 2])


def test_structure_chooses_the_closed_form():
    kinds = {
        DenseNetworks: [MLP((4,)), nn.Sequential(nn.Linear(4, 3)), problem("deep")[0]],
        BlockNetworks: [ConvNet((1, 28, 28), width=2), problem("conv")[0]],
        AutogradNetworks: [
            problem("odd")[0],
            problem("conv odd")[0],
            ConvNet((1, 8, 8), width=2, depth=1, bias=True),
            nn.Sequential(nn.Linear(4, 3, bias=False)),
            nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)),
            nn.Sequential(nn.Linear(4, 3), nn.ReLU()),
            nn.Sequential(shared := nn.Linear(4, 4), nn.ReLU(), shared),
        ],
    }
    for kind, modules in kinds.items():
        assert {type(networks_of(module)) for module in modules} == {kind}
    hooked = MLP((4,))
    hooked[1].register_forward_hook(lambda *_: None)
    assert type(networks_of(hooked)) is AutogradNetworks


@pytest.mark.parametrize("name", ["deep", "conv 28"])
def test_closed_forms_are_the_generic_ones_in_single_precision(name):
    module, parameters, *rest = problem(name)
    rest = [t.float() if t.is_floating_point() else t for t in rest]
    module, parameters = module.float(), {n: p.float() for n, p in parameters.items()}
    rule = InnerOptimizer(kind="momentum", learning_rate=0.05)
    ours, generic = (
        MetaGradients(kind(module), rule)(parameters, *rest, Window(6, 4)).images
        for kind in (type(networks_of(module)), AutogradNetworks)
    )
    assert ours.dtype == torch.float32
    assert (ours - generic).norm() < 1e-4 * generic.norm()
