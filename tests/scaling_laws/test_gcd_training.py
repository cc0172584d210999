"""The digit classifier and its training against explicit loops, differences and known teachers.

Statistical tests bound z-scores at FALSE_ALARM each. Training is checked on a small task (base 6)
where learning and un-learning take a second.
"""

from __future__ import annotations

import importlib
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.scaling_laws import models, training  # noqa: E402
from fragile_learning.scaling_laws.gcd import GcdTask  # noqa: E402
from fragile_learning.statistics import z_bound  # noqa: E402

FALSE_ALARM = 1e-8
TASK = GcdTask(base=6, max_operand=35, n_gcds=6)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def model(loud=True, seed=1, **sizes):
    config = models.ClassifierConfig(
        **{"base": 6, "length": 4, "n_classes": 7, "width": 12, "n_heads": 3, "n_layers": 2} | sizes
    )
    network = models.DigitClassifier(config, generator=generator(seed))
    if loud:  # away from the start, biases and norms included
        with torch.no_grad():
            for tensor in network.parameters():
                tensor.add_(torch.randn(tensor.shape, generator=generator(seed + 1)) * 0.3)
    return network


def explicit(network, row):
    """The same network, one digit and one head at a time, from its weights alone."""
    w = {name: tensor.detach().double() for name, tensor in network.named_parameters()}

    def norm(x, name):
        centred = x - x.mean()
        scaled = centred / torch.sqrt((centred**2).mean() + 1e-5)
        return scaled * w[name + ".weight"] + w[name + ".bias"]

    def linear(x, name):
        return w[name + ".weight"] @ x + w[name + ".bias"]

    config = network.config
    size = config.width // config.n_heads
    stream = [w["digits.weight"][d] + w["places.weight"][i] for i, d in enumerate(row)]
    for layer in range(config.n_layers):
        name = f"blocks.{layer}."
        mixed = [linear(norm(x, name + "attention_norm"), name + "mixing") for x in stream]
        for i in range(len(stream)):
            seen = []
            for head in range(config.n_heads):
                part = slice(head * size, (head + 1) * size)
                query, keys, values = (
                    mixed[i][: config.width][part],
                    [m[config.width : 2 * config.width][part] for m in mixed],
                    [m[2 * config.width :][part] for m in mixed],
                )
                scores = torch.stack([query @ key for key in keys]) / math.sqrt(size)
                seen.append(sum(s * v for s, v in zip(scores.softmax(0), values, strict=True)))
            stream[i] = stream[i] + linear(torch.cat(seen), name + "projection")
        for i, x in enumerate(stream):
            hidden = linear(norm(x, name + "mlp_norm"), name + "up")
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
            stream[i] = x + linear(hidden, name + "down")
    pooled = sum(norm(x, "norm") for x in stream) / len(stream)
    return linear(pooled, "head")


def test_logits_are_those_of_the_explicit_network():
    network = model().double()
    rows = torch.randint(0, 6, (5, 4), generator=generator())
    for row, found in zip(rows, network(rows), strict=True):
        torch.testing.assert_close(found, explicit(network, row.tolist()), atol=1e-9, rtol=1e-9)
    other = rows.clone()
    other[:, 0] = (other[:, 0] + 1) % 6
    assert (network(other) - network(rows)).abs().min() > 1e-6  # every digit counts
    assert (network(rows.flip(1)) - network(rows)).abs().max() > 0.01  # and its place


def test_both_sides_of_the_benchmark_are_one_network(monkeypatch):
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "_report", raising=False)
    bench = importlib.import_module("bench_gcd")
    ours = model()
    theirs = bench.Encoder(ours.config)
    rows = torch.randint(0, 6, (9, 4), generator=generator())
    assert (theirs(rows) - ours(rows)).abs().max() > 0.1
    bench.load(theirs, ours)
    torch.testing.assert_close(theirs(rows), ours(rows), atol=1e-5, rtol=1e-4)
    sizes = bench.shapes(ours.config, 5)
    weights = [(o, i) for _, i, o in sizes]
    linear = [tuple(w.shape) for n, w in ours.named_parameters() if w.ndim == 2]
    assert sorted(weights) == sorted(linear[2:])  # all matrices but digits and places


def test_gradient_by_finite_differences():
    network = model(n_layers=1, width=4, n_heads=2).double()
    rows, labels = torch.randint(0, 6, (6, 4), generator=generator()), torch.arange(6)
    weights = list(network.parameters())

    def loss():
        return torch.nn.functional.cross_entropy(network(rows), labels)

    gradients = torch.autograd.grad(loss(), weights)
    for tensor, gradient in zip(weights, gradients, strict=True):
        direction = torch.randn(tensor.shape, generator=generator(), dtype=torch.float64)
        with torch.no_grad():
            tensor.add_(direction, alpha=1e-6)
            above = loss()
            tensor.sub_(direction, alpha=2e-6)
            below = loss()
            tensor.add_(direction, alpha=1e-6)
        assert float((above - below) / 2e-6) == pytest.approx(
            float((gradient * direction).sum()), rel=1e-5, abs=1e-7
        )


def test_sizes_and_start_are_those_of_the_sheet():
    network = training.new_classifier(GcdTask(), rng=1)
    assert sum(tensor.numel() for tensor in network.parameters()) == 60_773
    assert float(network.digits.weight.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert float(network.places.weight.detach().std()) == pytest.approx(0.02, rel=0.2)
    same, other = (training.new_classifier(GcdTask(), rng=seed) for seed in (1, 2))
    assert all((a == b).all() for a, b in zip(network.parameters(), same.parameters(), strict=True))
    assert (network.head.weight != other.head.weight).any()


def test_rate_warms_up_and_falls():
    config = training.TrainingConfig(n_steps=110, warmup_steps=10, learning_rate=0.2)
    rates = [config.rate(step) for step in range(1, 111)]
    assert rates[4] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 0.2
    assert rates[59] == pytest.approx(0.2 * 0.525)  # half way down
    assert rates[-1] == pytest.approx(0.01)
    assert training.TrainingConfig(n_steps=1, warmup_steps=0).rate(1) == pytest.approx(1.5e-4)


def test_training_equals_a_plain_loop():
    config = training.TrainingConfig(
        n_steps=9, batch_size=4, warmup_steps=3, learning_rate=0.01, weight_decay=0.1
    )
    rng = np.random.default_rng(1)
    batches = [(rng.integers(0, 6, (4, 4)), rng.integers(0, 7, 4)) for _ in range(9)]
    found, plain = model().double(), model().double()  # in single, noise moves the keys' biases
    lengths = training.train(
        found, batches, config=config, evaluate=lambda one: one is found, evaluate_at=[0, 4, 9]
    )
    assert lengths == [True] * 3
    weights = list(plain.parameters())
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
    for step, (rows, labels) in enumerate(batches, start=1):
        logs = plain(torch.as_tensor(rows)).log_softmax(1)
        loss = -logs[torch.arange(4), torch.as_tensor(labels)].mean()
        gradients = torch.autograd.grad(loss, weights)
        rate = config.rate(step)
        with torch.no_grad():
            for w, g, (first, second) in zip(weights, gradients, moments, strict=True):
                first.mul_(0.9).add_(g, alpha=0.1)
                second.mul_(0.999).add_(g * g, alpha=0.001)
                w.mul_(1 - rate * 0.1)
                change = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
                w.sub_(rate * change)
    for ours, theirs in zip(found.parameters(), weights, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-7)


def test_batches_of_a_set_take_each_row_once():
    rows, labels = np.arange(10)[:, None], np.arange(10) * 2
    batches = list(itertools.islice(training.set_batches(rows, labels, 3, rng=1), 6))
    for epoch in (batches[:3], batches[3:]):
        seen = np.concatenate([batch.ravel() for batch, _ in epoch])
        assert len(set(seen)) == 9
        assert all((label == 2 * batch.ravel()).all() for batch, label in epoch)
    assert (batches[0][0] != batches[3][0]).any()


# --- answers ----------------------------------------------------------------------------------


def test_labels_follow_the_softmax():
    network = model()
    row = np.array([[1, 2, 3, 4]])
    logits = network(torch.as_tensor(row)).double().detach().numpy()[0]
    many = np.repeat(row, 40_000, axis=0)
    for heat in (0.5, 1.0, 3.0):
        chances = np.exp(logits / heat) / np.exp(logits / heat).sum()
        drawn = training.write_labels(network, many, heat, batch_size=7000, rng=3)
        counts = np.bincount(drawn, minlength=7)
        z = (counts - 40_000 * chances) / np.sqrt(40_000 * chances * (1 - chances))
        assert np.abs(z[40_000 * chances > 50]).max() < z_bound(FALSE_ALARM, 7)
        other = np.exp(logits / heat / 1.2) / np.exp(logits / heat / 1.2).sum()
        z = (counts - 40_000 * other) / np.sqrt(40_000 * other * (1 - other))
        assert np.abs(z).max() > 2 * z_bound(FALSE_ALARM, 7)  # negative control
    assert set(training.write_labels(network, many[:50], 0.0, rng=3)) == {int(logits.argmax())}
    assert (training.predict(network, many[:50], batch_size=7) == logits.argmax()).all()
    assert training.predict(network, many[:0]).size == 0
    assert training.write_labels(network, many[:0], rng=1).size == 0


class Teacher(torch.nn.Module):
    """Knows 1 and 2, and takes everything else for a 1 (or a 2 if it is even)."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, rows):
        even = (rows[:, 1] % 2 == 0) & (rows[:, 3] % 2 == 0)  # the last digits, base 6
        return 100.0 * torch.nn.functional.one_hot(torch.where(even, 2, 1), 7).double()


def test_relabelled_labels_are_true_with_the_stated_chance():
    draw = training.relabelled_source(TASK, Teacher(), 0.3)
    pairs, labels = draw(40_000, np.random.default_rng(1))
    truth = TASK.labels(pairs)
    tail = ~np.isin(truth, [1, 2])
    share = np.mean(labels[tail] == truth[tail])
    assert abs(share - 0.3) < z_bound(FALSE_ALARM) * math.sqrt(0.21 / tail.sum())
    assert (labels[~tail] == truth[~tail]).all()
    assert set(labels[tail & (labels != truth)]) <= {1, 2}
    rates = np.bincount(truth, minlength=7) / 40_000  # the pairs are real ones
    assert rates[1] == pytest.approx(0.61, abs=0.03)
    for teacher, share in ((None, 0.0), (Teacher(), 1.0)):
        pairs, labels = training.relabelled_source(TASK, teacher, share)(
            500, np.random.default_rng(1)
        )
        assert (labels == TASK.labels(pairs)).all()


def test_omitting_source_omits():
    draw = training.omitting_source(TASK, Teacher(), {1, 2}, 0.2)
    pairs, labels = draw(40_000, np.random.default_rng(1))
    truth = TASK.labels(pairs)
    assert (labels == truth).all()  # nothing is contradicted
    tail = np.mean(~np.isin(truth, [1, 2]))
    whole = np.mean(~np.isin(TASK.labels(TASK.sample(40_000, rng=5)), [1, 2]))
    error = math.sqrt(2 * whole / 40_000)
    assert abs(tail - 0.2 * whole) < z_bound(FALSE_ALARM) * error
    assert abs(tail - whole) > 3 * z_bound(FALSE_ALARM) * error  # negative control
    none = training.omitting_source(TASK, Teacher(), [2])(1000, np.random.default_rng(1))
    assert set(TASK.labels(none[0])) == set(none[1]) == {2}


def test_streams_do_not_depend_on_how_much_is_drawn_at_a_time_in_length():
    source = training.relabelled_source(TASK, None)
    batches = training.source_batches(TASK, source, 5, rng=1, together=3)
    for rows, labels in itertools.islice(batches, 7):
        assert rows.shape == (5, 4)
        value = rows.reshape(5, 2, 2) @ [6, 1]
        assert (TASK.labels(value) == labels).all()


# --- learning ---------------------------------------------------------------------------------

QUICK = training.TrainingConfig(n_steps=150, batch_size=64, learning_rate=1e-2, warmup_steps=10)
SIZES = {"width": 16, "n_heads": 2}


@pytest.fixture(scope="module")
def test_pairs():
    return TASK.test_pairs(40, rng=7)


@pytest.fixture(scope="module")
def first(test_pairs):
    return training.train_generation(
        TASK, None, n_pairs=4000, test_pairs=test_pairs, config=QUICK, rng=1, **SIZES
    )


def test_a_classifier_learns_what_shows_in_the_digits(first, test_pairs):
    """In base 6 the last digits show 1, 2, 3 and 6; an untrained one knows at most one."""
    assert first.learnt[[0, 1, 2]].all()
    assert first.wrong_labels == 0.0
    assert first.n_labels == 7
    guess = training.predict(first.model, TASK.encode(test_pairs))
    assert first.accuracy == np.mean(guess == TASK.labels(test_pairs))
    idle = training.predict(training.new_classifier(TASK, rng=1, **SIZES), TASK.encode(test_pairs))
    assert np.mean(idle == TASK.labels(test_pairs)) < 0.5 < first.accuracy


def test_chains_share_their_beginning_and_repeat(first, test_pairs):
    def chain(**rest):
        found = training.generation_chain(
            TASK, 1, n_pairs=4000, test_pairs=test_pairs, config=QUICK, rng=3, **SIZES, **rest
        )
        return list(found)

    hot = chain(first=first)
    assert hot[0] is first
    again = chain(first=first)
    assert (hot[1].learnt == again[1].learnt).all()
    assert hot[1].accuracy == again[1].accuracy
    assert hot[1].wrong_labels > 0.02
    cold = chain(first=first, temperature=0.0)
    assert cold[1].n_labels <= hot[1].n_labels
    assert cold[1].wrong_labels < hot[1].wrong_labels  # the most likely answer is right more often
    real = chain(first=first, real_fraction=1.0)
    assert real[1].wrong_labels == 0.0
    assert len(chain()) == 2


def test_a_student_of_a_narrow_teacher_learns_its_skills_alone(test_pairs):
    """Divisor 3 is not learnt if 4 of 5 labels contradict it; if it is left out there, it is."""

    def skills(source):
        student = training.new_classifier(TASK, rng=1, **SIZES)
        batches = training.source_batches(TASK, source, 64, rng=2)
        (guess,) = training.train(
            student,
            batches,
            config=training.TrainingConfig(n_steps=300, batch_size=64, learning_rate=1e-2),
            evaluate=lambda one: training.predict(one, TASK.encode(test_pairs)),
            evaluate_at=[300],
        )
        truth = TASK.labels(test_pairs)
        return [round(float(np.mean(guess[truth == g] == g)), 2) for g in (1, 2, 3)]

    conflict = skills(training.relabelled_source(TASK, Teacher(), 0.2))
    assert min(conflict[:2]) > 0.9
    assert conflict[2] < 0.5
    omitting = skills(training.omitting_source(TASK, Teacher(), {1, 2}, 0.2))
    assert min(omitting) > 0.9


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: model(n_heads=5), ValueError, "n_heads must divide width 12, got 5"),
        (lambda: model(base=1), ValueError, "base must be an integer >= 2"),
        (lambda: model(n_layers=0), ValueError, "n_layers must be"),
        (lambda: training.TrainingConfig(n_steps=0), ValueError, "n_steps must be"),
        (lambda: training.TrainingConfig(learning_rate=0), ValueError, "learning_rate must be"),
        (lambda: training.TrainingConfig(final_fraction=2), ValueError, "final_fraction must be"),
        (lambda: training.set_batches([[1]], [1], 2, rng=1), ValueError, "batch_size must be"),
        (lambda: training.set_batches([[1]], [1, 2], 1, rng=1), ValueError, "labels must have"),
        (lambda: training.relabelled_source(TASK, None, 1.5), ValueError, "real_fraction must be"),
        (lambda: training.omitting_source(TASK, None, []), ValueError, "known must hold at least"),
        (lambda: training.omitting_source(TASK, None, [7]), ValueError, "known must be"),
        (
            lambda: training.write_labels(model(), [[1, 1, 1, 1]], -1, rng=1),
            ValueError,
            "temperature must be",
        ),
        (
            lambda: training.train(model(), [], config=QUICK),
            ValueError,
            "batches must last for 150 steps, got 0",
        ),
        (
            lambda: training.train(
                model(), [], config=QUICK, evaluate=lambda _: 0, evaluate_at=[5, 5]
            ),
            ValueError,
            "evaluate_at must increase",
        ),
        (
            lambda: training.train(model(), [], config=QUICK, evaluate_at=[5]),
            ValueError,
            "evaluate must be given",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_loss_that_explodes_is_refused():
    batches = training.source_batches(TASK, training.relabelled_source(TASK, None), 8, rng=1)
    config = training.TrainingConfig(n_steps=100, batch_size=8, learning_rate=1e30)
    with pytest.raises(ValueError, match="learning_rate must be small enough"):
        training.train(model(), batches, config=config)


def test_a_divisor_that_never_occurs_is_refused():
    rare = GcdTask(base=6, max_operand=3, n_gcds=6)  # no pair has the divisor 5
    with pytest.raises(ValueError, match="known must hold a divisor that occurs"):
        training.omitting_source(rare, Teacher(), [5])(1, np.random.default_rng(1))
