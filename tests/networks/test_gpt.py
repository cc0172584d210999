"""Reading and writing of the shared transformer: windows, caches and draws against plain loops.

The network itself is tested where it tells stories, against explicit attention and differences.
Statistical tests bound z-scores at FALSE_ALARM each and have a negative control.
"""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from fragile_learning.networks.gpt import GPT, Block, GPTConfig, draw_tokens  # noqa: E402
from fragile_learning.statistics import z_bound  # noqa: E402

FALSE_ALARM = 1e-8


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def model(n_words=6, context=4, n_layers=2, width=12, seed=1):
    config = GPTConfig(n_words=n_words, context=context, n_layers=n_layers, width=width, n_heads=3)
    gpt = GPT(config, generator=generator(seed))
    with torch.no_grad():  # away from the uniform start
        for tensor in gpt.parameters():
            tensor.add_(torch.randn(tensor.shape, generator=generator(seed + 1)) * 0.3)
    return gpt.double()


def seen(place, context):
    """First token that is read before token ``place`` is scored, from the stated rule."""
    begin = 0
    while place - begin > context:
        begin += context - context // 2
    return begin


@torch.no_grad()
def plain_losses(gpt, text):
    """One token at a time, each from a window of its own."""
    return torch.stack(
        [
            -gpt.logits(text[None, seen(i, gpt.context) : i])[0, -1].log_softmax(dim=0)[text[i]]
            for i in range(1, len(text))
        ]
    )


@pytest.mark.parametrize("context", [1, 2, 4, 5])
@pytest.mark.parametrize("length", [2, 3, 5, 6, 7, 23])
def test_every_token_is_scored_in_its_window(context, length):
    gpt = model(context=context)
    text = torch.randint(0, 6, (length,), generator=generator(length))
    expected = plain_losses(gpt, text)
    for size in (1, 3, 64):
        torch.testing.assert_close(gpt.stream_losses(text, batch_size=size), expected)
    starts = [seen(i, context) for i in range(1, length)]
    read = [i - begin for i, begin in enumerate(starts, start=1)]
    assert max(read) <= context
    assert all(n >= min(i, context // 2 + 1) for i, n in enumerate(read, start=1))


@pytest.mark.parametrize("n_layers", [0, 2])
@pytest.mark.parametrize("context", [1, 2, 4, 5])
def test_the_cache_writes_what_the_whole_network_would(context, n_layers):
    """Token by token with the same uniform numbers, across several windows."""
    gpt, steps = model(context=context, n_layers=n_layers), 17
    starts = torch.randint(0, 6, (30, min(2, context)), generator=generator())
    found = gpt.write(starts, steps, temperature=0.8, top_p=0.9, generator=generator(5))
    texts, source = starts, generator(5)
    for place in range(starts.shape[1], starts.shape[1] + steps):
        logits = gpt.logits(texts[:, seen(place, context) :])[:, -1]
        new = draw_tokens(logits, temperature=0.8, top_p=0.9, generator=source)
        texts = torch.cat([texts, new[:, None]], dim=1)
    assert torch.equal(found, texts[:, starts.shape[1] :])
    assert gpt.write(starts, 0, generator=generator()).shape == (30, 0)


def test_written_text_follows_the_scores():
    """Counts of all texts of 3 tokens, over two windows, against exp(-losses)."""
    gpt, count = model(n_words=3, context=2), 60_000
    start = torch.zeros((count, 1), dtype=torch.int64)
    texts, counts = torch.unique(
        gpt.write(start, 3, generator=generator(3)), dim=0, return_counts=True
    )
    logs = torch.stack([gpt.stream_losses(torch.cat([torch.tensor([0]), t])) for t in texts])
    chances = (-logs.sum(dim=1)).exp()
    z = (counts - count * chances) / (count * chances * (1 - chances)).sqrt()
    common = count * chances > 100
    assert float(chances.sum()) == pytest.approx(1.0, abs=0.01)
    assert int(common.sum()) > 8
    assert float(z[common].abs().max()) < z_bound(FALSE_ALARM, int(common.sum()))
    other = (-logs.flip(0).sum(dim=1)).exp()  # negative control: another law of the same texts
    off = (counts - count * other) / (count * other * (1 - other)).sqrt()
    assert float(off.abs().max()) > 2 * z_bound(FALSE_ALARM, len(texts))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    logits, count = torch.tensor([2.0, -1.0, 0.5, 0.0, 1.0]), 100_000
    drawn = draw_tokens(logits.expand(count, -1), temperature=temperature, generator=generator(2))
    counts = torch.bincount(drawn, minlength=5)

    def farthest(heat):
        chances = (logits.double() / heat).softmax(dim=0)
        return float(
            ((counts - count * chances) / (count * chances * (1 - chances)).sqrt()).abs().max()
        )

    assert farthest(temperature) < z_bound(FALSE_ALARM, 5)
    assert farthest(1.1 * temperature) > 2 * z_bound(FALSE_ALARM, 5)  # negative control


def test_top_p_keeps_the_smallest_head():
    chances = torch.tensor([0.15, 0.5, 0.05, 0.3], dtype=torch.float64)
    rows = chances.log().expand(20_000, -1)
    for top_p, head in (
        (0.01, {1}),
        (0.49, {1}),
        (0.51, {1, 3}),
        (0.79, {1, 3}),
        (0.81, {0, 1, 3}),
        (0.96, {0, 1, 2, 3}),
        (1.0, {0, 1, 2, 3}),
    ):
        drawn = draw_tokens(rows, top_p=top_p, generator=generator(4))
        assert set(drawn.tolist()) == head
        inside = chances[sorted(head)] / chances[sorted(head)].sum()
        counts = torch.bincount(drawn, minlength=4)[sorted(head)]
        z = (counts - 20_000 * inside) / (20_000 * inside * (1 - inside)).clamp(min=1e-9).sqrt()
        assert float(z.abs().max()) < z_bound(FALSE_ALARM, 4)
    sharp = draw_tokens(rows, temperature=0.5, top_p=0.68, generator=generator(4))
    assert set(sharp.tolist()) == {1}  # the temperature comes first: .25 / .365 = .685


def test_no_token_without_a_chance():
    """Where the uniform number meets a rounding error at the end of the sums."""
    rows = torch.full((1000, 50), -math.inf)
    rows[:, 7] = 0.0
    assert set(draw_tokens(rows, generator=generator()).tolist()) == {7}
    assert (
        draw_tokens(torch.tensor([[0.0, 3.0, 1.0]]), temperature=0.0, generator=generator())[0] == 1
    )


def test_a_block_without_mask_sees_the_future():
    x = torch.randn((2, 5, 6), generator=generator())
    changed = x.clone()
    changed[:, 3:] += 1.0
    for causal in (True, False):
        block = Block(6, 2, causal=causal)
        with torch.no_grad():
            for tensor in block.parameters():
                tensor.copy_(torch.randn(tensor.shape, generator=generator(2)))
            moved = (block(x)[0] - block(changed)[0])[:, :3].abs().max()
        assert (float(moved) < 1e-5) == causal


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: model().stream_losses(torch.zeros(1, dtype=torch.int64)), "at least 2 tokens"),
        (lambda: model().stream_losses(torch.zeros((2, 2), dtype=torch.int64)), "tokens must be"),
        (
            lambda: model().write(torch.zeros((2, 5), dtype=torch.int64), 1, generator=generator()),
            "starts must be rows of 1 to 4 tokens",
        ),
        (
            lambda: model().write(torch.zeros((2, 0), dtype=torch.int64), 1, generator=generator()),
            "starts must be rows of 1 to 4 tokens",
        ),
        (
            lambda: model().write(
                torch.zeros((2, 1), dtype=torch.int64), -1, generator=generator()
            ),
            "n_new must be",
        ),
        (lambda: draw_tokens(torch.zeros((1, 2)), temperature=-1, generator=generator()), "temper"),
        (lambda: draw_tokens(torch.zeros((1, 2)), top_p=0.0, generator=generator()), "top_p must"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
