"""A small encoder-decoder transformer in plain PyTorch, that samples many answers at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fragile_learning._validation import whole_number

__all__ = ["Seq2Seq", "Seq2SeqConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq2SeqConfig:
    """Sizes of a `Seq2Seq`.

    Attributes
    ----------
    input_words, output_words : int
        Different tokens, >= 2.
    n_inputs, n_outputs : int
        Tokens of a question and of an answer, >= 1.
    width : int
        >= 1.
    n_heads : int
        >= 1, divides ``width``.
    n_encoder_layers, n_decoder_layers : int
        >= 1.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> config = Seq2SeqConfig(input_words=41, output_words=81, n_inputs=3, n_outputs=2, width=32)
    >>> config.width // config.n_heads
    8
    """

    input_words: int
    output_words: int
    n_inputs: int
    n_outputs: int
    width: int = 64
    n_heads: int = 4
    n_encoder_layers: int = 1
    n_decoder_layers: int = 1

    def __post_init__(self) -> None:
        for name in ("input_words", "output_words"):
            whole_number(name, getattr(self, name), minimum=2)
        for name in ("n_inputs", "n_outputs", "width", "n_encoder_layers", "n_decoder_layers"):
            whole_number(name, getattr(self, name))
        whole_number("n_heads", self.n_heads)
        if self.width % self.n_heads:
            raise ValueError(f"n_heads must divide width {self.width}, got {self.n_heads}")


class _Mlp(nn.Module):
    """mlp(norm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        raised = functional.gelu(self.up(self.norm(x)))
        return functional.linear(raised, self.down.weight, self.down.bias)


class _SelfAttention(nn.Module):
    """projection(attention(norm(x))) among the tokens of a sequence."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads, self.norm = n_heads, nn.LayerNorm(width)
        self.mixing, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(
        self, x: Tensor, *, causal: bool = False, past: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(batch, time, width) and the keys and values of earlier tokens, if any.

        Keys and values have the shape (2, batch, heads, time, ...).
        """
        batch, time, width = x.shape
        mixed = self.mixing(self.norm(x)).view(batch, time, 3, self.n_heads, -1)
        query, *pair = mixed.permute(2, 0, 3, 1, 4).unbind()
        kept = torch.stack(pair) if past is None else torch.cat([past, torch.stack(pair)], dim=3)
        # with a past there is one new token, which may look at everything
        seen = functional.scaled_dot_product_attention(query, kept[0], kept[1], is_causal=causal)
        return self.projection(seen.transpose(1, 2).reshape(batch, time, width)), kept


class _CrossAttention(nn.Module):
    """projection(attention(norm(x))) to the encoded question."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads, self.norm = n_heads, nn.LayerNorm(width)
        self.query, self.projection = nn.Linear(width, width), nn.Linear(width, width)
        self.memory = nn.Linear(width, 2 * width)

    def remember(self, encoded: Tensor) -> Tensor:
        """Keys and values of a question, (batch, n_inputs, width) to (2, batch, heads, ...)."""
        batch, length, _ = encoded.shape
        pairs: Tensor = self.memory(encoded).view(batch, length, 2, self.n_heads, -1)
        return pairs.permute(2, 0, 3, 1, 4)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(batch, any, width): tokens and candidates alike, they do not see each other here."""
        batch, count, width = x.shape
        query = self.query(self.norm(x)).view(batch, count, self.n_heads, -1).transpose(1, 2)
        seen = functional.scaled_dot_product_attention(query, memory[0], memory[1])
        together = seen.transpose(1, 2).reshape(batch, count, width)
        return functional.linear(together, self.projection.weight, self.projection.bias)


class _EncoderLayer(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.attention, self.mlp = _SelfAttention(width, n_heads), _Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_inputs, width) to the same."""
        x = x + self.attention(x)[0]
        return torch.add(x, self.mlp(x))


class _DecoderLayer(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.attention = _SelfAttention(width, n_heads)
        self.cross, self.mlp = _CrossAttention(width, n_heads), _Mlp(width)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """All tokens of one answer, (batch, n_outputs, width) to the same."""
        x = x + self.attention(x, causal=True)[0]
        x = x + self.cross(x, memory)
        return torch.add(x, self.mlp(x))

    def step(self, x: Tensor, memory: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """One new token of several answers, (batch, candidates, width) to the same, and a cache."""
        batch, candidates, width = x.shape
        rows, kept = self.attention(x.view(batch * candidates, 1, width), past=past)
        x = x + rows.view(x.shape)
        x = x + self.cross(x, memory)
        return x + self.mlp(x), kept


class Seq2Seq(nn.Module):
    """A pre-norm encoder-decoder that answers questions of one length in answers of one length.

    Parameters
    ----------
    config : Seq2SeqConfig
    generator : torch.Generator
        For the weights, on the CPU, in PyTorch's default laws: embeddings and places are standard
        normal, matrices uniform within ``1 / sqrt(inputs)``; but biases are 0.

    Examples
    --------
    >>> config = Seq2SeqConfig(input_words=41, output_words=81, n_inputs=3, n_outputs=2)
    >>> model = Seq2Seq(config, generator=torch.Generator().manual_seed(1))
    >>> questions, answers = torch.tensor([[1, 2, 3]]), torch.tensor([[4, 5]])
    >>> model(questions, answers).shape, sum(p.numel() for p in model.parameters())
    (torch.Size([1, 2, 81]), 130449)
    """

    def __init__(self, config: Seq2SeqConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config, width, heads = config, config.width, config.n_heads
        with torch.random.fork_rng(devices=[]):  # torch's own first weights are overwritten
            self.input_embedding = nn.Embedding(config.input_words, width)
            self.input_places = nn.Embedding(config.n_inputs, width)
            # the last word begins an answer
            self.output_embedding = nn.Embedding(config.output_words + 1, width)
            self.output_places = nn.Embedding(config.n_outputs, width)
            self.encoder = nn.Sequential(
                *(_EncoderLayer(width, heads) for _ in range(config.n_encoder_layers))
            )
            self.encoder_norm = nn.LayerNorm(width)
            self.decoder = nn.ModuleList(
                _DecoderLayer(width, heads) for _ in range(config.n_decoder_layers)
            )
            self.decoder_norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, config.output_words)
        for name, tensor in self.named_parameters():
            if name.endswith(("embedding.weight", "places.weight")):
                nn.init.normal_(tensor, 0.0, 1.0, generator)
            elif tensor.ndim == 2:
                bound = tensor.shape[1] ** -0.5
                nn.init.uniform_(tensor, -bound, bound, generator)
            elif name.endswith("bias"):
                nn.init.zeros_(tensor)

    @property
    def _layers(self) -> list[_DecoderLayer]:
        return cast(list[_DecoderLayer], list(self.decoder))

    @property
    def start(self) -> int:
        """Token before the first one of an answer."""
        return self.config.output_words

    def encode(self, questions: Tensor) -> list[Tensor]:
        """Keys and values of questions for each decoder layer.

        Parameters
        ----------
        questions : Tensor of int64, shape (batch, n_inputs)

        Returns
        -------
        list of Tensor, each of shape (2, batch, heads, n_inputs, width / heads)
        """
        x = self.encoder(self.input_embedding(questions) + self.input_places.weight)
        encoded = self.encoder_norm(x)
        return [layer.cross.remember(encoded) for layer in self._layers]

    def _logits(self, x: Tensor) -> Tensor:
        return functional.linear(self.decoder_norm(x), self.head.weight, self.head.bias)

    def forward(self, questions: Tensor, answers: Tensor) -> Tensor:
        """Logits of each token of given answers.

        Parameters
        ----------
        questions : Tensor of int64, shape (batch, n_inputs)
        answers : Tensor of int64, shape (batch, n_outputs)

        Returns
        -------
        Tensor, shape (batch, n_outputs, output_words)
        """
        before = functional.pad(answers[:, :-1], (1, 0), value=self.start)
        x = self.output_embedding(before) + self.output_places.weight
        for layer, memory in zip(self._layers, self.encode(questions), strict=True):
            x = layer(x, memory)
        return self._logits(x)

    def step(
        self, tokens: Tensor, place: int, memories: list[Tensor], pasts: list[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits of the next token of several answers to each question.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, candidates)
            The last token of each answer, `start` at first.
        place : int
            Of the next token, in [0, n_outputs - 1].
        memories : list of Tensor
            See `encode`; the candidates share them.
        pasts : list of Tensor, each of shape (2, batch * candidates, heads, place, width / heads)
            Keys and values of the answers so far; None at first.

        Returns
        -------
        logits : Tensor, shape (batch, candidates, output_words)
        pasts : list of Tensor
            With one more place.
        """
        x = self.output_embedding(tokens) + self.output_places.weight[place]
        kept = []
        for i, layer in enumerate(self._layers):
            x, pair = layer.step(x, memories[i], None if pasts is None else pasts[i])
            kept.append(pair)
        return self._logits(x), kept
