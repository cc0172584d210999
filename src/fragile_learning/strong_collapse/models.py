"""Language models of stories: the GPT of `networks.gpt` and others behind one interface."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fragile_learning._validation import whole_number
from fragile_learning.networks import gpt
from fragile_learning.networks.gpt import GPTConfig

__all__ = ["GPT", "GPTConfig", "HuggingFaceScorer", "Scorer"]


class Scorer(nn.Module):
    """What this book asks of a language model: logits, log-probabilities of stories, samples.

    Attributes
    ----------
    n_words, context, end : int
        Vocabulary, longest story, and the token that begins and ends a story.

    Examples
    --------
    >>> class Uniform(Scorer):
    ...     n_words, context = 4, 3
    ...
    ...     def logits(self, tokens):
    ...         return torch.zeros(*tokens.shape, self.n_words)
    >>> Uniform().token_losses(torch.tensor([[2, 0, 0]])).exp()  # nothing is asked after the end
    tensor([[4., 4., 1.]])
    """

    n_words: int
    context: int
    end: int = 0

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, (batch, time) to (batch, time, n_words)."""
        raise NotImplementedError

    def step(self, tokens: Tensor, past: Any, start: int) -> tuple[Tensor, Any]:
        """Logits of the token after the last, (batch, n_words), and a cache to give as ``past``.

        ``start`` is the number of tokens that the cache holds.
        """
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
                logits, past = self.step(last, past, place)
                chances = logits.double().softmax(dim=-1).cpu()
                drawn = torch.multinomial(chances, 1, generator=generator)
                part[alive, place] = drawn[alive, 0]
                alive &= drawn[:, 0] != self.end
                if not alive.any():
                    break
                last = drawn.to(device)
        return stories


class GPT(gpt.GPT, Scorer):
    """A decoder-only transformer of stories, `networks.gpt.GPT`; its context is the longest story.

    Examples
    --------
    >>> config = GPTConfig(n_words=9, context=5, n_layers=1, width=8)
    >>> model = GPT(config, generator=torch.Generator().manual_seed(1))
    >>> model.generate(3, generator=torch.Generator().manual_seed(2)).shape
    torch.Size([3, 5])
    """


class HuggingFaceScorer(Scorer):
    """A causal language model of the transformers library behind the interface of `GPT`.

    Parameters
    ----------
    network : torch.nn.Module
        Its dropout is switched off: it would draw from the global random state.
    n_words, context, end : int

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> class Uniform(nn.Module):  # in place of a network of the library
    ...     def forward(self, input_ids, past_key_values=None, use_cache=False):
    ...         logits = torch.zeros(*input_ids.shape, 4)
    ...         return SimpleNamespace(logits=logits, past_key_values=past_key_values)
    >>> model = HuggingFaceScorer(Uniform(), n_words=4, context=3, end=0)
    >>> model.token_losses(torch.tensor([[2, 0, 0]])).exp()
    tensor([[4., 4., 1.]])
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

    def step(self, tokens: Tensor, past: Any, start: int) -> tuple[Tensor, Any]:
        """Logits of the token after the last, (batch, n_words), and the network's cache."""
        del start  # the cache knows
        output = self.network(input_ids=tokens, use_cache=True, **{self._cache: past})
        return output.logits[:, -1], getattr(output, self._cache)
