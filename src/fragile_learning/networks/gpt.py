"""A small GPT in plain PyTorch: pre-norm blocks, causal attention, tied embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fragile_learning._validation import real_number, whole_number

__all__ = ["GPT", "Block", "Cache", "GPTConfig", "draw_tokens"]

Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of earlier tokens in each block, each (batch, heads, time, width / heads)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPTConfig:
    """Sizes of a `GPT`.

    Attributes
    ----------
    n_words : int
        Vocabulary, >= 2.
    context : int
        Most tokens that are read at once, >= 1.
    n_layers : int
        >= 0; 0 layers know the last word and its place alone.
    n_heads : int
        >= 1, divides ``width``.
    width : int
        >= 1.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> GPTConfig(n_words=50, context=16).width
    64
    >>> GPTConfig(n_words=50, context=16, n_heads=3)
    Traceback (most recent call last):
        ...
    ValueError: width must be a multiple of n_heads 3, got 64
    """

    n_words: int
    context: int
    n_layers: int = 2
    n_heads: int = 4
    width: int = 64

    def __post_init__(self) -> None:
        whole_number("n_words", self.n_words, minimum=2)
        whole_number("context", self.context)
        whole_number("n_layers", self.n_layers, minimum=0)
        whole_number("n_heads", self.n_heads)
        whole_number("width", self.width)
        if self.width % self.n_heads:
            raise ValueError(
                f"width must be a multiple of n_heads {self.n_heads}, got {self.width}"
            )


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)).

    Parameters
    ----------
    width, n_heads : int
        ``n_heads`` divides ``width``.
    causal : bool
        Whether a token sees only itself and those before it.

    Examples
    --------
    >>> block, texts = Block(8, 2), torch.zeros(1, 5, 8)
    >>> out, (keys, values) = block(texts)
    >>> out.shape, keys.shape
    (torch.Size([1, 5, 8]), torch.Size([1, 2, 5, 4]))
    >>> texts[0, 3] = 1.0  # a later token moves nothing before it
    >>> torch.allclose(block(texts)[0][0, :3], out[0, :3])
    True
    """

    def __init__(self, width: int, n_heads: int, *, causal: bool = True) -> None:
        super().__init__()
        self.n_heads, self.causal = n_heads, causal
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixing, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(batch, time, width) and the keys and values of earlier tokens, if any.

        With earlier tokens there is one new one, time 1.
        """
        batch, time, width = x.shape
        mixed = self.mixing(self.attention_norm(x)).view(batch, time, 3, self.n_heads, -1)
        query, key, value = mixed.permute(2, 0, 3, 1, 4).unbind()  # each (batch, heads, time, ...)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        # with a past there is one new token, which may look at everything
        masked = self.causal and past is None
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=masked)
        x = x + self.projection(seen.transpose(1, 2).reshape(batch, time, width))
        return x + self.down(functional.gelu(self.up(self.mlp_norm(x)))), (key, value)


def draw_tokens(
    logits: Tensor, *, temperature: float = 1.0, top_p: float = 1.0, generator: torch.Generator
) -> Tensor:
    """Draw one token for each row of logits.

    Parameters
    ----------
    logits : Tensor, shape (n_rows, n_words)
    temperature : float
        >= 0, divides the logits; 0 is the most likely token.
    top_p : float
        In (0, 1]; of the most likely tokens only the fewest that have this probability together.
    generator : torch.Generator
        On the CPU, so that a seed means the same on each device; one uniform number a row, at each
        temperature above 0.

    Returns
    -------
    Tensor of int64, shape (n_rows,)
        On the CPU.

    Examples
    --------
    >>> logits = torch.tensor([[0.0, 9.0, 0.0]]).repeat(4, 1)
    >>> draw_tokens(logits, temperature=0.0, generator=torch.Generator().manual_seed(1))
    tensor([1, 1, 1, 1])
    >>> draw_tokens(logits, top_p=0.5, generator=torch.Generator().manual_seed(1))
    tensor([1, 1, 1, 1])
    """
    heat = real_number("temperature", temperature, minimum=0.0)
    mass = real_number("top_p", top_p, minimum=0.0, maximum=1.0, open_minimum=True)
    if heat == 0.0:
        return logits.argmax(dim=1).cpu()
    chances = (logits.double() / heat).softmax(dim=1)
    order = None
    if mass < 1.0:
        chances, order = chances.sort(dim=1, descending=True, stable=True)
        before = chances.cumsum(dim=1) - chances
        chances = chances.masked_fill(before >= mass, 0.0)  # what reaches the mass stays
    sums = chances.cumsum(dim=1).cpu()
    at = torch.rand((len(sums), 1), generator=generator, dtype=torch.float64) * sums[:, -1:]
    # rounding may put a number at the very end, where nothing has a chance
    last = (sums < sums[:, -1:]).sum(dim=1, keepdim=True)
    place = torch.minimum(torch.searchsorted(sums, at, right=True), last)
    return (place if order is None else order.cpu().gather(1, place))[:, 0]


class GPT(nn.Module):
    """A decoder-only transformer.

    Parameters
    ----------
    config : GPTConfig
    generator : torch.Generator
        For the weights, on the CPU: normal with standard deviation ``0.5 / sqrt(width)``, which is
        GPT-2's 0.02 at its width 768, and less by ``1 / sqrt(2 n_layers)`` into the residual
        stream; biases 0.

    Notes
    -----
    A text may be longer than the context. When the context is full, the latter half of it is read
    again from its first place: a token is scored and written after at least ``context // 2 + 1``
    tokens before it (all, where there are fewer) and at most ``context``. `stream_losses` and
    `write` follow the same rule, so that the one is the law of the other.

    Examples
    --------
    >>> config = GPTConfig(n_words=9, context=5, n_layers=1, width=8)
    >>> model = GPT(config, generator=torch.Generator().manual_seed(1))
    >>> model.logits(torch.tensor([[0, 4, 8]])).shape
    torch.Size([1, 3, 9])
    >>> start = torch.zeros((3, 1), dtype=torch.int64)
    >>> model.write(start, 20, generator=torch.Generator().manual_seed(2)).shape
    torch.Size([3, 20])
    """

    def __init__(self, config: GPTConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.n_words, self.context = config, config.n_words, config.context
        self.words = nn.Embedding(config.n_words, config.width)
        self.places = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(
            Block(config.width, config.n_heads) for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.width)
        scale = 0.5 / config.width**0.5
        for name, tensor in self.named_parameters():
            if name.endswith(("projection.weight", "down.weight")):
                nn.init.normal_(tensor, 0.0, scale / (2 * config.n_layers) ** 0.5, generator)
            elif tensor.ndim == 2:
                nn.init.normal_(tensor, 0.0, scale, generator)
            elif name.endswith("bias"):
                nn.init.zeros_(tensor)

    def _hidden(self, tokens: Tensor, past: Cache | None, start: int = 0) -> tuple[Tensor, Cache]:
        places = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.places(places)
        kept = []
        for i, block in enumerate(self.blocks):
            x, pair = block(x, None if past is None else past[i])
            kept.append(pair)
        return self.norm(x), kept

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, (batch, time) to (batch, time, n_words); time <= context."""
        return functional.linear(self._hidden(tokens, None)[0], self.words.weight)

    forward = logits

    def step(self, tokens: Tensor, past: Cache | None, start: int) -> tuple[Tensor, Cache]:
        """Logits of the token after the last, and what to give as ``past`` for the next one.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, time)
            Time 1 if there is a past.
        past : list, optional
            As an earlier call returned it.
        start : int
            Place of the first token, the number of earlier ones.

        Returns
        -------
        tuple of Tensor, shape (batch, n_words), and list
        """
        hidden, kept = self._hidden(tokens, past, start)
        return functional.linear(hidden[:, -1], self.words.weight), kept

    @torch.no_grad()
    def stream_losses(self, tokens: Tensor, *, batch_size: int = 64) -> Tensor:
        """Cross-entropy of each token of a text after those before it, but of the first.

        Parameters
        ----------
        tokens : Tensor of int64, shape (n_tokens,)
            At least 2, in [0, n_words); of any length, see the notes of the class.
        batch_size : int
            Windows at a time, >= 1.

        Returns
        -------
        Tensor, shape (n_tokens - 1,)
            In nats, on the CPU.
        """
        size = whole_number("batch_size", batch_size)
        if tokens.ndim != 1 or len(tokens) < 2:
            raise ValueError(
                f"tokens must be one row of at least 2 tokens, got shape {tuple(tokens.shape)}"
            )
        count, kept = len(tokens) - 1, self.context // 2
        stride = self.context - kept
        n_windows = 1 + -(-max(0, count - self.context) // stride)
        end = self.context + (n_windows - 1) * stride - count
        device = self.words.weight.device
        inputs, targets = (
            functional.pad(part, (0, end)).unfold(0, self.context, stride)
            for part in (tokens[:-1], tokens[1:])
        )
        parts = []
        for first in range(0, n_windows, size):
            rows = self.logits(inputs[first : first + size].to(device)).transpose(1, 2)
            losses = functional.cross_entropy(
                rows, targets[first : first + size].to(device), reduction="none"
            ).cpu()
            if first == 0:
                parts += [losses[0, :kept]]
            parts += [losses[:, kept:].flatten()]
        return torch.cat(parts)[:count]

    @torch.no_grad()
    def write(
        self,
        starts: Tensor,
        n_new: int,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        generator: torch.Generator,
    ) -> Tensor:
        """Go on with texts, all side by side.

        Parameters
        ----------
        starts : Tensor of int64, shape (n_chains, length)
            Length in [1, context].
        n_new : int
            Tokens to write, >= 0; with those of the start they may be more than the context, see
            the notes of the class.
        temperature, top_p, generator
            See `draw_tokens`.

        Returns
        -------
        Tensor of int64, shape (n_chains, n_new)
            On the CPU.
        """
        steps = whole_number("n_new", n_new, minimum=0)
        if starts.ndim != 2 or not 1 <= starts.shape[1] <= self.context:
            raise ValueError(
                f"starts must be rows of 1 to {self.context} tokens, got shape "
                f"{tuple(starts.shape)}"
            )
        device, length = self.words.weight.device, starts.shape[1]
        texts = torch.empty((len(starts), length + steps), dtype=torch.int64)
        texts[:, :length] = starts
        past: Cache | None = None
        begin, place = 0, 0  # of the window, and of what it has not read yet
        for now in range(length, length + steps):
            if now - begin > self.context:
                begin = now - self.context // 2 - 1
                past, place = None, begin
            logits, past = self.step(texts[:, place:now].to(device), past, place - begin)
            place = now
            texts[:, now] = draw_tokens(
                logits, temperature=temperature, top_p=top_p, generator=generator
            )
        return texts[:, length:]
