"""Inner optimisers and unrolling rules: what a distillation is told, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fragile_learning._validation import as_generator, choice, real_number, whole_number

__all__ = ["MODES", "OPTIMIZERS", "InnerOptimizer", "Unroll", "Window"]

MODES = ("full", "truncated", "random", "random-truncated")
"""Unrolling rules: BPTT, T-BPTT, R-BPTT and RaT-BPTT."""

OPTIMIZERS = ("sgd", "momentum", "adam")


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerOptimizer:
    """How a network is trained on the distilled images.

    Attributes
    ----------
    kind : str
        "sgd", "momentum" or "adam".
    learning_rate : float
        > 0, the same in each step.
    momentum : float
        In [0, 1), of "momentum": ``b = momentum * b + g``, then ``theta -= learning_rate * b``.
    betas : tuple of float
        In [0, 1), of "adam".
    eps : float
        > 0, of "adam", added to the root of the bias-corrected second moment.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> InnerOptimizer(kind="adam", learning_rate=0.02).betas
    (0.9, 0.999)
    """

    kind: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        choice("kind", self.kind, OPTIMIZERS)
        real_number("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        real_number("momentum", self.momentum, minimum=0.0, maximum=1.0, open_maximum=True)
        if len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers, got {self.betas!r}")
        for i, beta in enumerate(self.betas):
            real_number(f"betas[{i}]", beta, minimum=0.0, maximum=1.0, open_maximum=True)
        real_number("eps", self.eps, minimum=0.0, open_minimum=True)


class Window(NamedTuple):
    """One inner run: how long it is, and how much of it is differentiated.

    Attributes
    ----------
    n_steps : int
        Steps of the run, N.
    window : int
        Its last steps, M of them, through which the gradient goes.

    Examples
    --------
    >>> whole, part = Window(n_steps=40, window=40), Window(n_steps=40, window=12)
    >>> whole.cost(256, 10), part.cost(256, 10)
    (145.6, 89.6)
    """

    n_steps: int
    window: int

    def cost(self, n_outer: int, n_inner: int) -> float:
        """Arithmetic of an outer step in inner gradients (see the chapter).

        Parameters
        ----------
        n_outer, n_inner : int
            Images in the outer batch and in an inner step, >= 1.

        Returns
        -------
        float
            ``(N - M) + 3 M + n_outer / n_inner``: a differentiated step costs three plain ones if
            its activations are kept. That checkpoints run the window once more is not counted.

        Examples
        --------
        >>> Window(40, 12).cost(256, 10)
        89.6
        """
        outer, inner = whole_number("n_outer", n_outer), whole_number("n_inner", n_inner)
        return self.n_steps - self.window + 3 * self.window + outer / inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Unroll:
    """Rule for the length of inner runs and the part of them that is differentiated.

    Attributes
    ----------
    mode : str
        "full": all of ``n_steps`` (BPTT). "truncated": the last ``window`` of ``n_steps``
        (T-BPTT). "random": all of a run whose length is uniform on {window, ..., n_steps}
        (R-BPTT). "random-truncated": the last ``window`` of such a run (RaT-BPTT).
    n_steps : int
        Longest run, >= 1.
    window : int
        In [1, n_steps].
    skip_first : bool
        Never differentiate the first step of a run, whose derivative under Adam has a second
        moment of the order 1 / eps (see the chapter). Not in the paper. Needs a window >= 2.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> Unroll(mode="full", n_steps=40, window=12).draw(rng=1)
    Window(n_steps=40, window=40)
    >>> Unroll(n_steps=40, window=12).draw(rng=1)
    Window(n_steps=25, window=12)
    """

    mode: str = "random-truncated"
    n_steps: int = 40
    window: int = 12
    skip_first: bool = False

    def __post_init__(self) -> None:
        choice("mode", self.mode, MODES)
        whole_number("n_steps", self.n_steps)
        if not isinstance(self.skip_first, bool):
            raise TypeError(f"skip_first must be True or False, got {self.skip_first!r}")
        least = 2 if self.skip_first else 1
        whole_number("window", self.window, minimum=least, maximum=self.n_steps)

    def draw(self, *, rng: np.random.Generator | np.random.SeedSequence | int) -> Window:
        """Draw one run.

        Parameters
        ----------
        rng : Generator, SeedSequence or int

        Returns
        -------
        Window
        """
        steps = self.n_steps
        if self.mode.startswith("random"):
            steps = int(as_generator(rng).integers(self.window, self.n_steps, endpoint=True))
        window = self.window if self.mode.endswith("truncated") else steps
        return Window(steps, min(window, steps - 1) if self.skip_first else window)
