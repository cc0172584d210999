"""The small GPT and its training against explicit attention, differences and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.statistics import check_mean, z_bound  # noqa: E402
from fragile_learning.strong_collapse import models, training  # noqa: E402
from fragile_learning.strong_collapse.language import Choice, Grammar, story_mask  # noqa: E402

FALSE_ALARM = 1e-8


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def model(n_words=7, context=6, n_layers=2, width=12, n_heads=3, seed=1, loud=True):
    config = models.GPTConfig(
        n_words=n_words, context=context, n_layers=n_layers, width=width, n_heads=n_heads
    )
    gpt = models.GPT(config, generator=generator(seed))
    if loud:  # away from the uniform start, biases and norms included
        with torch.no_grad():
            for tensor in gpt.parameters():
                tensor.add_(torch.randn(tensor.shape, generator=generator(seed + 1)) * 0.3)
    return gpt


def explicit(gpt, tokens):
    """The same network, one token and one head at a time, from its weights alone."""
    w = {name: tensor.detach().double() for name, tensor in gpt.named_parameters()}

    def norm(x, name):
        centred = x - x.mean()
        scaled = centred / torch.sqrt((centred**2).mean() + 1e-5)
        return scaled * w[name + ".weight"] + w[name + ".bias"]

    def linear(x, name):
        return w[name + ".weight"] @ x + w[name + ".bias"]

    width = gpt.config.width
    size = width // gpt.config.n_heads
    stream = [w["words.weight"][t] + w["places.weight"][i] for i, t in enumerate(tokens)]
    for b in range(gpt.config.n_layers):
        name = f"blocks.{b}."
        mixed = [linear(norm(x, name + "attention_norm"), name + "mixing") for x in stream]
        new = []
        for i, x in enumerate(stream):
            seen = torch.zeros(width, dtype=torch.float64)
            for h in range(gpt.config.n_heads):
                q, k, v = (slice(part * width + h * size, part * width + (h + 1) * size)
                           for part in range(3))  # fmt: skip
                scores = torch.stack([mixed[i][q] @ mixed[j][k] for j in range(i + 1)])
                chances = torch.softmax(scores / math.sqrt(size), dim=0)
                seen[h * size : (h + 1) * size] = sum(
                    c * mixed[j][v] for j, c in enumerate(chances)
                )
            x = x + linear(seen, name + "projection")
            hidden = linear(norm(x, name + "mlp_norm"), name + "up")
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
            new.append(x + linear(hidden, name + "down"))
        stream = new
    return torch.stack([w["words.weight"] @ norm(x, "norm") for x in stream])


def test_logits_equal_explicit_attention():
    gpt = model().double()
    tokens = [3, 0, 6, 6, 2]
    found = gpt.logits(torch.tensor([tokens, tokens[::-1]]))
    torch.testing.assert_close(found[0], explicit(gpt, tokens))
    torch.testing.assert_close(found[1], explicit(gpt, tokens[::-1]))


def test_the_future_does_not_change_the_past():
    gpt = model()
    tokens = torch.randint(0, 7, (4, 6), generator=generator())
    changed = tokens.clone()
    changed[:, 3:] = (changed[:, 3:] + 1) % 7
    one, other = gpt.logits(tokens), gpt.logits(changed)
    torch.testing.assert_close(one[:, :3], other[:, :3])
    assert (one[:, 3:] - other[:, 3:]).abs().amax(dim=(1, 2)).min() > 1e-3  # control


def test_loss_gradient_by_finite_differences():
    gpt = model(n_layers=1, width=4, n_heads=2).double()
    stories = torch.tensor([[1, 4, 0, 0, 0, 0], [2, 2, 3, 5, 6, 1]])
    weights = list(gpt.parameters())
    gradients = torch.autograd.grad(gpt.token_losses(stories).sum(), weights)
    step = 1e-6
    for tensor, gradient in zip(weights, gradients, strict=True):
        direction = torch.randn(tensor.shape, generator=generator(), dtype=torch.float64)
        with torch.no_grad():
            tensor.add_(direction, alpha=step)
            above = gpt.token_losses(stories).sum()
            tensor.sub_(direction, alpha=2 * step)
            below = gpt.token_losses(stories).sum()
            tensor.add_(direction, alpha=step)
        assert float((above - below) / (2 * step)) == pytest.approx(
            float((gradient * direction).sum()), rel=1e-5, abs=1e-7
        )


def test_probabilities_of_all_stories_sum_to_one():
    """Enumeration: every story of at most 3 tokens, and what is cut there."""
    gpt = model(n_words=4, context=3)
    stories = [[0, 0, 0]]
    stories += [[a, 0, 0] for a in range(1, 4)]
    stories += [[a, b, c] for a in range(1, 4) for b in range(1, 4) for c in range(4)]
    chances = gpt.log_probability(torch.tensor(stories), batch_size=5).exp()
    assert float(chances.sum()) == pytest.approx(1.0, abs=1e-5)
    padding = gpt.log_probability(torch.tensor([[2, 0, 3], [2, 0, 0]]))
    assert float(padding[0]) == pytest.approx(float(padding[1]))  # what follows the end is nothing


def test_samples_follow_the_models_own_probabilities():
    """The cache and the sampling at once: counts of all stories of at most 3 tokens."""
    gpt = model(n_words=4, context=3)
    count = 40_000
    drawn = gpt.generate(count, generator=generator(), batch_size=15_000)
    stories, counts = torch.unique(drawn, dim=0, return_counts=True)
    chances = gpt.log_probability(stories).exp()
    z = (counts - count * chances) / (count * chances * (1 - chances)).sqrt()
    common = count * chances > 100
    assert int(common.sum()) > 8
    assert float(z[common].abs().max()) < z_bound(FALSE_ALARM, int(common.sum()))
    ends = (drawn == 0).int()
    assert bool((drawn[:, 1:][ends[:, :-1].cumsum(dim=1) > 0] == 0).all())


def test_start_is_that_of_gpt2_at_its_width():
    gpt = model(n_words=300, width=192, n_heads=4, loud=False)
    assert float(gpt.words.weight.detach().std()) == pytest.approx(0.5 / 192**0.5, rel=0.02)
    assert float(gpt.blocks[1].down.weight.detach().std()) == pytest.approx(
        0.5 / 192**0.5 / 2, rel=0.02
    )
    assert float(gpt.blocks[0].up.bias.detach().abs().max()) == 0.0
    uniform = gpt.token_losses(torch.randint(1, 300, (50, 6), generator=generator()))
    assert float(uniform.detach().mean()) < 1.5 * math.log(300)


def test_overfits_a_batch():
    gpt = model(loud=False, width=24)
    stories = torch.randint(1, 7, (4, 6), generator=generator(3)).numpy()
    stories[:, 0] = [1, 2, 3, 4]  # then each story is known from its first word
    (loss,) = training.train_online(
        gpt,
        training.epochs(stories, 4, rng=1),
        token_budgets=[24 * 150],
        evaluate=lambda one: float(-one.log_probability(torch.as_tensor(stories)).mean()),
        config=training.TrainingConfig(learning_rate=1e-2, averaging=math.inf),
    )
    assert loss == pytest.approx(math.log(4), abs=0.02)


def test_training_equals_a_plain_loop():
    config = training.TrainingConfig(
        learning_rate=2e-3, warmup_steps=4, weight_decay=0.1, averaging=0.0, max_norm=0.5
    )
    stories = np.random.default_rng(1).integers(0, 7, (40, 6))
    found = model()
    lengths: list[float] = []
    training.train_online(
        found,
        (stories[i : i + 4] for i in range(0, 40, 4)),
        token_budgets=[int(story_mask(stories).sum())],
        evaluate=lambda one: lengths.append(0.0),
        config=config,
    )
    plain = model()
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in plain.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in plain.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=2e-3,
        betas=(0.9, 0.98),
    )
    history = []
    for step in range(10):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 4)
        batch = torch.as_tensor(stories[4 * step : 4 * step + 4])
        inputs = torch.cat([torch.zeros(4, 1, dtype=torch.int64), batch[:, :-1]], dim=1)
        logs = plain.logits(inputs).log_softmax(dim=-1).gather(2, batch[..., None])[..., 0]
        mask = torch.as_tensor(story_mask(batch.numpy()))
        optimiser.zero_grad()
        (-logs[mask].mean()).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimiser.step()
        history.append([p.detach().clone() for p in plain.parameters()])
    assert lengths == [0.0]
    for i, tensor in enumerate(found.parameters()):
        expected = torch.stack([weights[i] for weights in history]).mean(dim=0)
        torch.testing.assert_close(tensor.detach(), expected, atol=2e-6, rtol=1e-5)


def test_training_is_deterministic_and_reports_each_budget():
    stories = np.random.default_rng(1).integers(1, 7, (64, 6))

    def run(budgets):
        gpt = model()
        return training.train_online(
            gpt,
            training.epochs(stories, 8, rng=3),
            token_budgets=budgets,
            evaluate=lambda one: float(training.log_probability(one, stories).mean()),
        )

    several = run([0, 96, 960, 1920])
    assert several == run([0, 96, 960, 1920])
    assert run([1920]) == several[3:]  # an evaluation leaves the training as it was
    assert several[3] > several[2] > several[0]


def test_a_transformer_learns_a_grammar():
    """Excess over the exact entropy falls to near nothing, and is never below it."""
    pet = Choice("pet", ("cat", "dog", "cow"), [3, 2, 1])
    sound = Choice("sound", ("meow", "woof", "moo"), np.eye(3) + 0.1, "pet")
    grammar = Grammar((pet, sound), (((1, "a {pet} !"), (1, "{pet} ?")), ((1, "so {sound} ."),)))
    tests = grammar.sample(2000, rng=1)
    truth = grammar.log_probability(tests)

    def stream():
        rng = np.random.default_rng(2)
        while True:
            yield grammar.sample(32, rng=rng)

    gpt = model(n_words=grammar.n_words, context=grammar.max_length, loud=False, width=24)
    first, last = training.train_online(
        gpt,
        stream(),
        token_budgets=[0, 80_000],
        evaluate=lambda one: truth - training.log_probability(one, tests),
    )
    assert first.mean() > 5.0
    assert grammar.entropy == pytest.approx(2.24, abs=0.01)
    check = check_mean(last, 0.0)
    assert -4 * check.standard_error < check.mean < 0.06  # nats a story


def test_mixture_takes_the_stated_share_and_nests():
    real, synthetic = np.ones((5000, 2), dtype=int), np.full((5000, 2), 2)

    def stream(fraction):
        return np.concatenate(list(training.mixed_stream(real, synthetic, fraction, 64, rng=5)))

    some, more = stream(0.1)[:, 0] == 2, stream(0.5)[:, 0] == 2
    assert len(some) == 5000
    assert abs(some.sum() - 500) < z_bound(FALSE_ALARM) * math.sqrt(450)
    assert (more | ~some).all()
    assert (stream(0.0) == 1).all()
    assert (stream(1.0) == 2).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="multiple of n_heads"):
        models.GPTConfig(n_words=5, context=3, width=10, n_heads=4)
    with pytest.raises(ValueError, match="n_words must be"):
        models.GPTConfig(n_words=1, context=3)
    with pytest.raises(ValueError, match="learning_rate must be"):
        training.TrainingConfig(learning_rate=0.0)
    with pytest.raises(ValueError, match="synthetic must have the shape"):
        next(iter(training.mixed_stream([[1]], [[1, 2]], 0.5, 1, rng=1)))
    stories = np.ones((2, 6), dtype=int)
    for budgets in ([], [5, 5], [6, 2]):
        with pytest.raises(ValueError, match="token_budgets must increase"):
            training.train_online(model(), [stories], token_budgets=budgets, evaluate=lambda m: 0)
    with pytest.raises(ValueError, match="batches must last for 20 tokens, got 12 in 1 steps"):
        training.train_online(model(), [stories], token_budgets=[20], evaluate=lambda m: 0)


def test_divergence_is_named():
    gpt = model()
    with torch.no_grad():
        gpt.words.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="learning_rate must be small enough"):
        training.train_online(
            gpt, [np.ones((2, 6), dtype=int)], token_budgets=[12], evaluate=lambda m: 0
        )
