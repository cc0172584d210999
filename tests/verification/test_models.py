"""The encoder-decoder and its answers against explicit loops, full passes and exact laws.

Statistical tests bound z-scores at FALSE_ALARM each.
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

from fragile_learning.statistics import z_bound  # noqa: E402
from fragile_learning.verification import models, training  # noqa: E402
from fragile_learning.verification.eigenvalues import IntGrid, RealMatrices  # noqa: E402

FALSE_ALARM = 1e-8
TASK = IntGrid(max_entry=3)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def model(seed=1, scale=0.3, **sizes):
    config = models.Seq2SeqConfig(
        **{
            "input_words": 7,
            "output_words": 5,
            "n_inputs": 3,
            "n_outputs": 3,
            "width": 12,
            "n_heads": 3,
            "n_encoder_layers": 2,
            "n_decoder_layers": 2,
        }
        | sizes
    )
    network = models.Seq2Seq(config, generator=generator(seed))
    with torch.no_grad():  # away from the start, biases and norms included
        for tensor in network.parameters():
            tensor.add_(torch.randn(tensor.shape, generator=generator(seed + 1)) * scale)
    return network


def questions(count, seed=3, words=7, length=3):
    return np.random.default_rng(seed).integers(0, words, (count, length))


# --- the network ------------------------------------------------------------------------------


class Explicit:
    """The same network, one token and one head at a time, from its weights alone."""

    def __init__(self, network):
        self.config = network.config
        self.w = {name: tensor.detach().double() for name, tensor in network.named_parameters()}

    def norm(self, x, name):
        centred = x - x.mean()
        scaled = centred / torch.sqrt((centred**2).mean() + 1e-5)
        return scaled * self.w[name + ".weight"] + self.w[name + ".bias"]

    def linear(self, x, name):
        return self.w[name + ".weight"] @ x + self.w[name + ".bias"]

    def mlp(self, x, name):
        hidden = self.linear(self.norm(x, name + ".norm"), name + ".up")
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        return x + self.linear(hidden, name + ".down")

    def attend(self, query, keys, values):
        size = self.config.width // self.config.n_heads
        seen = []
        for head in range(self.config.n_heads):
            part = slice(head * size, (head + 1) * size)
            scores = torch.stack([query[part] @ key[part] for key in keys]) / math.sqrt(size)
            seen.append(
                sum(s * value[part] for s, value in zip(scores.softmax(0), values, strict=True))
            )
        return torch.cat(seen)

    def among(self, stream, name, causal):
        width = self.config.width
        mixed = [self.linear(self.norm(x, name + ".norm"), name + ".mixing") for x in stream]
        keys = [m[width : 2 * width] for m in mixed]
        values = [m[2 * width :] for m in mixed]
        ends = [i + 1 if causal else len(stream) for i in range(len(stream))]
        return [
            x + self.linear(self.attend(m[:width], keys[:n], values[:n]), name + ".projection")
            for x, m, n in zip(stream, mixed, ends, strict=True)
        ]

    def encode(self, row):
        w = self.w
        stream = [
            w["input_embedding.weight"][t] + w["input_places.weight"][i] for i, t in enumerate(row)
        ]
        for layer in range(self.config.n_encoder_layers):
            stream = self.among(stream, f"encoder.{layer}.attention", causal=False)
            stream = [self.mlp(x, f"encoder.{layer}.mlp") for x in stream]
        return [self.norm(x, "encoder_norm") for x in stream]

    def logits(self, row, before):
        """Logits after the start and the tokens in ``before``."""
        w, width, memory = self.w, self.config.width, self.encode(row)
        tokens = [self.config.output_words, *before]
        stream = [
            w["output_embedding.weight"][t] + w["output_places.weight"][i]
            for i, t in enumerate(tokens)
        ]
        for layer in range(self.config.n_decoder_layers):
            name = f"decoder.{layer}"
            stream = self.among(stream, name + ".attention", causal=True)
            pairs = [self.linear(x, name + ".cross.memory") for x in memory]
            keys, values = [p[:width] for p in pairs], [p[width:] for p in pairs]
            for i, x in enumerate(stream):
                query = self.linear(self.norm(x, name + ".cross.norm"), name + ".cross.query")
                seen = self.attend(query, keys, values)
                x = x + self.linear(seen, name + ".cross.projection")
                stream[i] = self.mlp(x, name + ".mlp")
        return self.linear(self.norm(stream[-1], "decoder_norm"), "head")


def test_logits_are_those_of_the_explicit_network():
    network = model().double()
    explicit = Explicit(network)
    rows, answers = torch.tensor(questions(4)), torch.tensor(questions(4, 5, 5))
    found = network(rows, answers)
    for i, place in itertools.product(range(4), range(3)):
        expected = explicit.logits(rows[i].tolist(), answers[i, :place].tolist())
        torch.testing.assert_close(found[i, place], expected, atol=1e-9, rtol=1e-9)


def test_a_token_sees_what_is_before_it_and_nothing_after():
    network = model().double()
    rows, answers = torch.tensor(questions(6)), torch.tensor(questions(6, 5, 5))
    plain = network(rows, answers)
    for place in range(3):
        other = answers.clone()
        other[:, place] = (other[:, place] + 1) % 5
        moved = (network(rows, other) - plain).abs().amax(dim=(0, 2))
        assert (moved[: place + 1] == 0).all()
        assert (moved[place + 1 :] > 1e-3).all()
    for place in range(3):
        other = rows.clone()
        other[:, place] = (other[:, place] + 1) % 7
        assert (network(other, answers) - plain).abs().amax(dim=(1, 2)).min() > 1e-4
    assert (network(rows.flip(1), answers) - plain).abs().max() > 0.01  # places count


def test_steps_with_a_cache_are_full_passes():
    network = model().double()
    rows = torch.tensor(questions(4))
    answers = torch.tensor(np.random.default_rng(6).integers(0, 5, (4, 6, 3)))
    answers[:, :, 0] = torch.arange(6) % 5
    memories = network.encode(rows)
    pasts, words = None, torch.full((4, 6), network.start)
    for place in range(3):
        logits, pasts = network.step(words, place, memories, pasts)
        for candidate in range(6):
            full = network(rows, answers[:, candidate])
            torch.testing.assert_close(logits[:, candidate], full[:, place], atol=1e-10, rtol=1e-10)
        words = answers[:, :, place]
        assert pasts[0].shape == (2, 24, 3, place + 1, 4)


def test_gradient_by_finite_differences():
    network = model(width=4, n_heads=2, n_encoder_layers=1, n_decoder_layers=1).double()
    rows, answers = torch.tensor(questions(6)), torch.tensor(questions(6, 5, 5))
    weights = list(network.parameters())

    def loss():
        logits = network(rows, answers).flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, answers.flatten())

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


def test_sizes_and_start():
    network = training.new_model(IntGrid(), rng=1)
    assert sum(tensor.numel() for tensor in network.parameters()) == 130_449
    assert float(network.input_embedding.weight.detach().std()) == pytest.approx(1.0, rel=0.1)
    assert float(network.head.weight.detach().abs().max()) <= 1 / 8
    assert float(network.head.bias.detach().abs().max()) == 0.0
    same, other = (training.new_model(IntGrid(), rng=seed) for seed in (1, 2))
    assert all((a == b).all() for a, b in zip(network.parameters(), same.parameters(), strict=True))
    assert (network.head.weight != other.head.weight).any()
    real = training.new_model(RealMatrices(size=2), width=8, n_heads=2, rng=1)
    assert (real.config.n_inputs, real.config.n_outputs) == (9, 6)
    assert real.config.output_words == 1016


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("input_words", 1, ValueError),
        ("n_outputs", 0, ValueError),
        ("n_heads", 5, ValueError),
        ("n_decoder_layers", 0, ValueError),
        ("width", 12.0, TypeError),
    ],
)
def test_bad_sizes_are_named(field, value, error):
    with pytest.raises(error, match=field):
        model(**{field: value})


# --- answers ----------------------------------------------------------------------------------


def law(network, row):
    """Exact probability of each answer, by one full pass for each of them."""
    words, length = network.config.output_words, network.config.n_outputs
    every = torch.tensor(list(itertools.product(range(words), repeat=length)))
    with torch.no_grad():
        logits = network(torch.tensor(row)[None].expand(len(every), -1), every).double()
    logs = logits.log_softmax(-1).gather(2, every[..., None])[..., 0]
    return every.numpy(), logs.sum(dim=1).numpy(), logits.numpy()


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_samples_have_the_law_of_the_model(temperature):
    network = model(n_outputs=2, scale=0.5)
    rows = questions(2)
    drawn = training.sample_candidates(
        network, rows, 60_000, temperature=temperature, batch_size=1, rng=7
    )
    assert drawn.answers.shape == (2, 60_000, 2)
    for i, row in enumerate(rows):
        every, logs, logits = law(network, row)
        assert np.exp(logs).sum() == pytest.approx(1.0)
        # the law at this temperature, token by token
        hot = logits / temperature
        hot = hot - np.log(np.exp(hot).sum(axis=-1, keepdims=True))
        chances = np.exp(sum(hot[range(25), place, every[:, place]] for place in range(2)))
        counts = np.bincount(drawn.answers[i] @ [5, 1], minlength=25)
        z = (counts - 60_000 * chances) / np.sqrt(60_000 * chances * (1 - chances))
        assert np.abs(z[60_000 * chances > 20]).max() < z_bound(FALSE_ALARM, 25)
        assert (60_000 * chances > 20).sum() > 12
        # log-probabilities are those at temperature 1 in any case
        found = drawn.log_probabilities[i]
        np.testing.assert_allclose(found, logs[drawn.answers[i] @ [5, 1]], atol=1e-4)
        # negative control: the law at another temperature is seen
        cold = np.exp(logs * 1.5) / np.exp(logs * 1.5).sum()
        wrong = (counts - 60_000 * cold) / np.sqrt(60_000 * cold * (1 - cold))
        assert np.abs(wrong).max() > 2 * z_bound(FALSE_ALARM, 25)


def test_candidates_are_drawn_independently():
    network = model(n_outputs=2, scale=0.5)
    drawn = training.sample_candidates(network, np.repeat(questions(1), 20_000, axis=0), 2, rng=8)
    one, two = (drawn.answers[:, i] @ [5, 1] for i in range(2))
    _, logs, _ = law(network, questions(1)[0])
    chance = float(np.exp(2 * logs).sum())  # of two equal answers
    z = (np.mean(one == two) - chance) / math.sqrt(chance * (1 - chance) / 20_000)
    assert abs(z) < z_bound(FALSE_ALARM)


def test_samples_depend_on_the_seed_and_not_on_batches_of_other_sizes():
    network = model()
    rows = questions(7)
    one = training.sample_candidates(network, rows, 4, rng=1)
    two = training.sample_candidates(network, rows, 4, rng=1)
    np.testing.assert_array_equal(one.answers, two.answers)
    assert (training.sample_candidates(network, rows, 4, rng=2).answers != one.answers).any()
    assert one.answers.shape == (7, 4, 3)
    assert training.sample_candidates(network, rows[:0], 4, rng=1).answers.shape == (0, 4, 3)


def test_log_probabilities_and_greedy_answers():
    network = model().double()
    rows = questions(9)
    greedy = training.predict(network, rows, batch_size=4)
    for row, answer in zip(rows, greedy, strict=True):
        before: list[int] = []
        for _ in range(3):
            before.append(int(Explicit(network).logits(row.tolist(), before).argmax()))
        assert answer.tolist() == before
    drawn = training.sample_candidates(network, rows, 5, rng=1)
    for i in range(5):
        np.testing.assert_allclose(
            training.log_probabilities(network, rows, drawn.answers[:, i], batch_size=4),
            drawn.log_probabilities[:, i],
            atol=1e-9,
        )
    cold = training.sample_candidates(network, rows, 3, temperature=1e-4, rng=1)
    np.testing.assert_array_equal(cold.answers, np.repeat(greedy[:, None], 3, axis=1))


def test_words_without_probability_are_never_drawn():
    sums = torch.tensor([[0.0, 0.25, 0.25, 1.0, 1.0]], dtype=torch.float64)
    chances = torch.tensor([[0.0, 0.24, 0.25, 0.9, 1.0 - 1e-16]], dtype=torch.float64)
    assert training._drawn(sums, chances).tolist() == [[1, 1, 3, 3, 3]]
    # even where rounding carries the product to the total
    assert training._drawn(sums, torch.ones(1, 1, dtype=torch.float64)).tolist() == [[3]]


def test_both_sides_of_the_benchmark_are_one_law(monkeypatch):
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "_report", raising=False)
    bench = importlib.import_module("bench_verification_models")
    network = model(n_outputs=2, scale=0.5)
    row = questions(1)
    _, logs, _ = law(network, row[0])
    for plain in (bench.one_at_a_time, bench.one_candidate_at_a_time):
        found = plain(network, row, 500, np.random.default_rng(3))
        counts = np.bincount(found[0] @ [5, 1], minlength=25)
        chances = np.exp(logs)
        z = (counts - 500 * chances) / np.sqrt(500 * chances * (1 - chances))
        assert np.abs(z[500 * chances > 15]).max() < z_bound(FALSE_ALARM, 25)


# --- training ---------------------------------------------------------------------------------


def test_rate_warms_up_and_falls():
    config = training.TrainingConfig(n_steps=110, warmup_fraction=1 / 11, learning_rate=0.2)
    rates = [config.rate(step) for step in range(1, 111)]
    assert rates[4] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 0.2
    assert rates[59] == pytest.approx(0.2 * 0.525)  # half way down
    assert rates[-1] == pytest.approx(0.01)
    assert training.TrainingConfig(n_steps=1, warmup_fraction=0.0).rate(1) == pytest.approx(1.5e-4)


@pytest.mark.parametrize("clip", [1e9, 0.05])
def test_training_equals_a_plain_loop(clip):
    config = training.TrainingConfig(
        n_steps=9, batch_size=4, learning_rate=0.01, weight_decay=0.1, clip=clip
    )
    rows, answers = questions(10), questions(10, 5, 5)
    found, plain = model().double(), model().double()  # in single, noise moves the keys' biases
    training.train(found, rows, answers, config=config, rng=4)
    rng, order = np.random.default_rng(4), np.zeros(0, int)
    weights = list(plain.parameters())
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
    for step in range(1, 10):
        if len(order) < 4:
            order = rng.permutation(10)
        chosen, order = order[:4], order[4:]
        logs = plain(torch.tensor(rows[chosen]), torch.tensor(answers[chosen])).log_softmax(2)
        loss = -logs.gather(2, torch.tensor(answers[chosen])[..., None]).mean()
        gradients = torch.autograd.grad(loss, weights)
        length = torch.sqrt(sum((g**2).sum() for g in gradients))
        factor = min(1.0, clip / float(length + 1e-6))
        rate = config.rate(step)
        with torch.no_grad():
            for w, g, (first, second) in zip(weights, gradients, moments, strict=True):
                g = g * factor
                first.mul_(0.9).add_(g, alpha=0.1)
                second.mul_(0.98).add_(g * g, alpha=0.02)
                w.mul_(1 - rate * 0.1)
                change = (first / (1 - 0.9**step)) / ((second / (1 - 0.98**step)).sqrt() + 1e-8)
                w.sub_(rate * change)
    for ours, theirs in zip(found.parameters(), weights, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-8, rtol=1e-6)


def test_a_model_learns_its_task_and_not_without_labels():
    test, real = TASK.disjoint_sets([60, 283], rng=1)
    config = training.TrainingConfig(n_steps=250, batch_size=64, learning_rate=5e-3)
    sizes = {"width": 32, "n_heads": 2, "config": config, "rng": 2}
    learnt = training.train_new(TASK, real, **sizes)
    again = training.train_new(TASK, real, **sizes)
    wrong = np.random.default_rng(1).permutation(TASK.labels(real))
    control = training.train_new(TASK, real, wrong, **sizes)
    own, same, other = (
        TASK.correct(test, training.predict(one, TASK.encode(test))).mean()
        for one in (learnt, again, control)
    )
    assert own == same
    assert own > 0.4
    assert other < 0.2


def test_training_leaves_the_global_state_alone():
    before = torch.get_rng_state()
    training.train_new(
        TASK, TASK.sample(8, rng=1), config=training.TrainingConfig(n_steps=1, batch_size=4), rng=1
    )
    assert (torch.get_rng_state() == before).all()


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda: training.TrainingConfig(n_steps=0), ValueError, "n_steps"),
        (lambda: training.TrainingConfig(warmup_fraction=1.0), ValueError, "warmup_fraction"),
        (lambda: training.TrainingConfig(clip=0.0), ValueError, "clip"),
        (lambda: training.TrainingConfig(learning_rate="1"), TypeError, "learning_rate"),
        (lambda: training.predict(model(), [[7, 0, 0]]), ValueError, r"questions .* \[0, 6\]"),
        (lambda: training.predict(model(), [[0, 0]]), ValueError, r"shape \(n_rows, 3\)"),
        (lambda: training.predict(model(), [[0.0, 0, 0]]), TypeError, "questions"),
        (lambda: training.sample_candidates(model(), questions(1), 0, rng=1), ValueError, "n_cand"),
        (
            lambda: training.sample_candidates(model(), questions(1), 1, temperature=0.0, rng=1),
            ValueError,
            "temperature",
        ),
        (
            lambda: training.log_probabilities(model(), questions(2), [[0, 0, 0]]),
            ValueError,
            "answers must have 2 rows, got 1",
        ),
        (
            lambda: training.train(
                model(),
                questions(3),
                questions(3, 5, 5),
                config=training.TrainingConfig(batch_size=4),
                rng=1,
            ),
            ValueError,
            "batch_size must be <= 3 rows, got 4",
        ),
        (
            lambda: training.train(
                model(),
                questions(4),
                questions(4, 5, 5),
                config=training.TrainingConfig(n_steps=60, batch_size=4, learning_rate=1e30),
                rng=1,
            ),
            ValueError,
            "learning_rate must be small enough",
        ),
    ],
)
def test_bad_input_is_named(work, error, words):
    with pytest.raises(error, match=words):
        work()
