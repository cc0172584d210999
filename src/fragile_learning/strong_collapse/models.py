"""A small GPT in plain PyTorch: pre-norm blocks, causal attention, tied embeddings."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fragile_learning._validation import whole_number

__all__ = ["GPT", "GPTConfig", "HuggingFaceScorer", "Scorer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GPTConfig:
    """Sizes of a `GPT`.

    Attributes
    ----------
    n_words : int
        Vocabulary, >= 2; token 0 begins and ends a story.
    context : int
        Longest story in tokens, its end included, >= 1.
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


class _Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        width = config.width
        self.n_heads = config.n_heads
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixing, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(batch, time, width) and the keys and values of earlier tokens, if any."""
        batch, time, width = x.shape
        mixed = self.mixing(self.attention_norm(x)).view(batch, time, 3, self.n_heads, -1)
        query, *pair = mixed.permute(2, 0, 3, 1, 4).unbind()  # each (batch, heads, time, ...)
        kept = torch.stack(pair) if past is None else torch.cat([past, torch.stack(pair)], dim=3)
        # with a past there is one new token, which may look at everything
        seen = functional.scaled_dot_product_attention(
            query, kept[0], kept[1], is_causal=past is None
        )
        x = x + self.projection(seen.transpose(1, 2).reshape(batch, time, width))
        return x + self.down(functional.gelu(self.up(self.mlp_norm(x)))), kept


class Scorer(nn.Module):
    """What this book asks of a language model: logits, log-probabilities of stories, samples.

    Attributes
    ----------
    n_words, context, end : int
        Vocabulary, longest story, and the token that begins and ends a story.
    """

    n_words: int
    context: int
    end: int = 0

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, (batch, time) to (batch, time, n_words)."""
        raise NotImplementedError

    def _step(self, tokens: Tensor, past: object) -> tuple[Tensor, object]:
        """Logits of the token after the last, (batch, n_words), and a cache."""
        raise NotImplementedError

    def token_losses(self, stories: Tensor) -> Tensor:
        """Cross-entropy of each token after those before it, 0 after a story's end.

        Parameters
        ----------
        stories : Tensor of int64, shape (batch, time)
            Without a token at the beginning; the end token fills the rest of a row.

        Returns
        -------
        Tensor, shape (batch, time)
            In nats.
        """
        inputs = functional.pad(stories[:, :-1], (1, 0), value=self.end)
        flat = self.logits(inputs).flatten(0, 1)  # (batch * time, n_words)
        losses = functional.cross_entropy(flat, stories.flatten(), reduction="none")
        is_end = stories == self.end
        return losses.view_as(stories) * (is_end.cumsum(dim=1) - is_end.long() == 0)

    @torch.no_grad()
    def log_probability(self, stories: Tensor, *, batch_size: int = 256) -> Tensor:
        """Log-probability of each story, its end included, (n_stories, time) to (n_stories,)."""
        device = next(self.parameters()).device
        parts = [
            -self.token_losses(part.to(device)).double().sum(dim=1).cpu()
            for part in torch.split(stories, batch_size)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)

    @torch.no_grad()
    def generate(
        self, n_stories: int, *, generator: torch.Generator, batch_size: int = 1024
    ) -> Tensor:
        """Sample stories at temperature 1.

        Parameters
        ----------
        n_stories : int
            >= 0.
        generator : torch.Generator
            On the CPU, so that a seed means the same on each device.
        batch_size : int
            Stories written at the same time, >= 1.

        Returns
        -------
        Tensor of int64, shape (n_stories, context)
            On the CPU. A row without end token is a story that was cut.
        """
        total = whole_number("n_stories", n_stories, minimum=0)
        together = whole_number("batch_size", batch_size)
        device = next(self.parameters()).device
        stories = torch.full((total, self.context), self.end)
        for first in range(0, total, together):
            part = stories[first : first + together]
            last = torch.full((len(part), 1), self.end, device=device)
            alive, past = torch.ones(len(part), dtype=torch.bool), None
            for place in range(self.context):
                logits, past = self._step(last, past)
                chances = logits.double().softmax(dim=-1).cpu()
                drawn = torch.multinomial(chances, 1, generator=generator)
                part[alive, place] = drawn[alive, 0]
                alive &= drawn[:, 0] != self.end
                if not alive.any():
                    break
                last = drawn.to(device)
        return stories


class GPT(Scorer):
    """A decoder-only transformer.

    Parameters
    ----------
    config : GPTConfig
    generator : torch.Generator
        For the weights, on the CPU: normal with standard deviation ``0.5 / sqrt(width)``, which is
        GPT-2's 0.02 at its width 768, and less by ``1 / sqrt(2 n_layers)`` into the residual
        stream; biases 0.

    Examples
    --------
    >>> config = GPTConfig(n_words=9, context=5, n_layers=1, width=8)
    >>> model = GPT(config, generator=torch.Generator().manual_seed(1))
    >>> model.generate(3, generator=torch.Generator().manual_seed(2)).shape
    torch.Size([3, 5])
    """

    def __init__(self, config: GPTConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.n_words, self.context = config, config.n_words, config.context
        self.words = nn.Embedding(config.n_words, config.width)
        self.places = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.width)
        scale = 0.5 / config.width**0.5
        for name, tensor in self.named_parameters():
            if name.endswith(("projection.weight", "down.weight")):
                nn.init.normal_(tensor, 0.0, scale / (2 * config.n_layers) ** 0.5, generator)
            elif tensor.ndim == 2:
                nn.init.normal_(tensor, 0.0, scale, generator)
            elif name.endswith("bias"):
                nn.init.zeros_(tensor)

    def _hidden(self, tokens: Tensor, past: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        start = 0 if past is None else past[0].shape[-2]
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

    def _step(self, tokens: Tensor, past: object) -> tuple[Tensor, object]:
        hidden, kept = self._hidden(tokens, past)  # type: ignore[arg-type]
        return functional.linear(hidden[:, -1], self.words.weight), kept


class HuggingFaceScorer(Scorer):
    """A causal language model of the transformers library behind the interface of `GPT`.

    Parameters
    ----------
    network : torch.nn.Module
        Its dropout is switched off: it would draw from the global random state.
    n_words, context, end : int
    """

    def __init__(self, network: nn.Module, n_words: int, context: int, end: int) -> None:
        super().__init__()
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.network = network
        # the cache's name, before and since transformers 5
        known = inspect.signature(network.forward).parameters
        self._cache = "cache" if "cache" in known else "past_key_values"
        self.n_words, self.context, self.end = n_words, context, end

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, (batch, time) to (batch, time, n_words)."""
        logits: Tensor = self.network(input_ids=tokens, use_cache=False).logits
        return logits

    def _step(self, tokens: Tensor, past: object) -> tuple[Tensor, object]:
        output = self.network(input_ids=tokens, use_cache=True, **{self._cache: past})
        return output.logits[:, -1], getattr(output, self._cache)
