r"""Mistakes that make a Bayesian network look robust, each as a small function of its own.

Everything here is a way to *measure robustness wrongly*, written as one would write it without
thinking, so that a reader sees the mistake and reproduces its effect. The right versions are in
`fragile_learning.bayes.attacks`; a robust accuracy from this module is not to be reported.

That earlier evaluations contained errors is a statement of the paper; which they were could not be
read there. The list here is from own analysis and public code, and names nobody:

- a loss that applies softmax twice, or takes the logarithm after the mean: `loss_of_logits`,
  `first_dead_gap`, and `theory.double_softmax_range`;
- gradients that are rounded to zero, or NaN, and count as robustness: `plain_fgsm`, `plain_pgd`,
  `rescaled`, `member_gradients`;
- too few posterior samples in the attack, or new ones at each step: ``n_fresh`` of `plain_pgd`;
- an attack on another predictor: `mean_weights`, and two of the losses;
- an attack that hardly searches: `random_sign_search`, ``step_size`` of `plain_pgd`;
- a score that cannot fall: `softmax_robustness`, and `theory.double_softmax_floor`;
- norms that shrink because they are norms of a mean: `theory.expected_squared_norm`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fragile_learning._validation import (
    as_generator,
    choice,
    real_number,
    whole_number,
)
from fragile_learning.bayes.attacks import (
    _Ball,
    _check_classes,
    _inputs,
    _labels,
    _per_row,
    predictive_log_mean,
)
from fragile_learning.bayes.predict import Posterior, log_mean

__all__ = [
    "LOSSES",
    "DeadGap",
    "Loss",
    "PlainAttack",
    "accuracy",
    "first_dead_gap",
    "logit_gaps",
    "loss_of_logits",
    "mean_weights",
    "member_gradients",
    "plain_fgsm",
    "plain_pgd",
    "predictive_gradients",
    "random_sign_search",
    "rescaled",
    "softmax_robustness",
]

Loss = Literal[
    "log mean", "naive log", "double softmax", "member losses", "mean logits", "log odds"
]
LOSSES: tuple[Loss, ...] = get_args(Loss)
"""See `loss_of_logits`."""

Rng = np.random.Generator | np.random.SeedSequence | int


# --- losses ---------------------------------------------------------------------------------------


def loss_of_logits(logits: Tensor, labels: Tensor, loss: Loss) -> Tensor:
    r"""Loss of an ensemble's logits, to be differentiated by autograd.

    Parameters
    ----------
    logits : Tensor, shape (n_samples, n, n_classes)
    labels : Tensor of int, shape (n,)
    loss : str
        ``"log mean"``: :math:`-\log\bar p_y`, from log-softmax and logsumexp; the right one.
        ``"naive log"``: the same number as ``-log(softmax(logits).mean(0))``, of which the label's
        column is taken afterwards. Once another class underflows, its column gives ``0 * inf``.
        ``"double softmax"``: cross-entropy, which contains a softmax, of averaged probabilities.
        ``"member losses"``: mean over samples of their own losses.
        ``"mean logits"``: loss of the mean of the logits.
        ``"log odds"``: :math:`\max_{k \ne y} \log\bar p_k - \log\bar p_y`.

    Returns
    -------
    Tensor, shape (n,)
        In nats.

    Raises
    ------
    ValueError
        If the loss is unknown or a shape does not fit.

    Examples
    --------
    >>> logits = torch.tensor([[[2.0, 0.0]], [[0.0, 0.0]]])
    >>> label = torch.tensor([0])
    >>> [round(float(loss_of_logits(logits, label, one)), 4) for one in LOSSES]
    [0.3705, 0.3705, 0.5208, 0.41, 0.3133, -0.802]
    """
    choice("loss", loss, LOSSES)
    if logits.ndim != 3 or not len(logits) or logits.shape[2] < 2:
        raise ValueError(
            "logits must have the shape (n_samples >= 1, n, n_classes >= 2), got "
            f"{tuple(logits.shape)}"
        )
    if labels.shape != logits.shape[1:2]:
        raise ValueError(
            f"labels must have the shape ({logits.shape[1]},), got {tuple(labels.shape)}"
        )
    column = labels[:, None]
    if loss == "naive log":
        return -logits.softmax(dim=2).mean(dim=0).log().gather(1, column)[:, 0]
    if loss == "double softmax":
        return functional.cross_entropy(logits.softmax(dim=2).mean(dim=0), labels, reduction="none")
    if loss == "mean logits":
        return functional.cross_entropy(logits.mean(dim=0), labels, reduction="none")
    log_p = logits.log_softmax(dim=2)
    if loss == "member losses":
        return -log_p.mean(dim=0).gather(1, column)[:, 0]
    log_p_mean = log_p.logsumexp(dim=0) - math.log(len(log_p))
    own = log_p_mean.gather(1, column)[:, 0]
    if loss == "log mean":
        return -own
    return log_p_mean.scatter(1, column, -math.inf).amax(dim=1) - own


class DeadGap(NamedTuple):
    """Where a loss stops to move an input.

    Attributes
    ----------
    gap : int
        First integer by which the logit of the label exceeds all others, such that the sign of the
        gradient in the logits is 0 in every entry.
    nan : bool
        Whether the gradient there is NaN, whose sign torch calls 0; False: it is 0.

    Examples
    --------
    >>> first_dead_gap("naive log", dtype=torch.float64)
    DeadGap(gap=746, nan=True)
    """

    gap: int
    nan: bool


def first_dead_gap(
    loss: Loss,
    *,
    dtype: torch.dtype = torch.float32,
    n_samples: int = 1,
    n_classes: int = 2,
    max_gap: int = 1000,
) -> DeadGap | None:
    """Find the confidence at which a loss has no gradient in a number type.

    Parameters
    ----------
    loss : str
        See `loss_of_logits`.
    dtype : torch.dtype
        Of the logits: float32 or float64.
    n_samples : int
        >= 1; all have the same logits.
    n_classes : int
        >= 2. All but the label have the logit 0.
    max_gap : int
        >= 1, the largest that is tried.

    Returns
    -------
    DeadGap or None
        None: there is a gradient at every gap tried.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Of the gradient in the logits, where numbers below the smallest normal one are not flushed to
    zero. Through weights of an input layer the end comes a little earlier. The direction of the
    gradient is wrong long before: the entry of the label, :math:`p_y - 1`, is 0 once
    :math:`1 - p_y` is below the spacing of numbers at 1.

    Examples
    --------
    >>> first_dead_gap("double softmax"), first_dead_gap("log odds")
    (DeadGap(gap=104, nan=False), None)
    """
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f"dtype must be float32 or float64, got {dtype}")
    classes = whole_number("n_classes", n_classes, minimum=2)
    samples, last = whole_number("n_samples", n_samples), whole_number("max_gap", max_gap)
    logits = torch.zeros((samples, last, classes), dtype=dtype)
    logits[:, :, 0] = torch.arange(1, last + 1)
    logits.requires_grad_()
    labels = torch.zeros(last, dtype=torch.int64)
    (gradient,) = torch.autograd.grad(loss_of_logits(logits, labels, loss).sum(), logits)
    dead = (gradient.sign() == 0).all(dim=2).all(dim=0).nonzero()[:, 0]
    if not len(dead):
        return None
    first = int(dead[0])
    return DeadGap(first + 1, bool(gradient[:, first].isnan().any()))


# --- plain attacks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class PlainAttack:
    """What a plain attack found, and how often it stood still.

    Attributes
    ----------
    inputs : Tensor, shape (n, ...)
        In [0, 1] and in the ball about the clean ones.
    zero, nan : Tensor of bool, shape (n_steps, n)
        Whether the gradient of a step was exactly 0 in every entry; NaN in some entry.
    n_gradients : int
        Gradient evaluations, added over inputs.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> sure = rescaled(posterior, 1e4)
    >>> found = plain_fgsm(sure, inputs, labels, radius=0.25, loss="log mean")
    >>> found.zero_share, torch.equal(found.inputs, inputs)
    (1.0, True)
    """

    inputs: Tensor
    zero: Tensor
    nan: Tensor
    n_gradients: int

    @property
    def zero_share(self) -> float:
        """Share of inputs whose first gradient is exactly 0."""
        return float(self.zero[0].double().mean())

    @property
    def nan_share(self) -> float:
        """Share of inputs whose first gradient has a NaN."""
        return float(self.nan[0].double().mean())


def _generator(rng: Rng) -> torch.Generator:
    return torch.Generator().manual_seed(int(as_generator(rng).integers(0, 2**62)))


def _checked(posterior: Posterior, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if not isinstance(posterior, Posterior):
        raise TypeError(f"posterior must be a Posterior, got {type(posterior).__name__}")
    clean = _inputs(inputs)
    known = _labels(labels, clean)
    with torch.no_grad():
        _check_classes(known, posterior.chosen(torch.tensor([0])).logits(clean[:1]))
    return clean, known


def plain_fgsm(
    posterior: Posterior,
    inputs: Tensor,
    labels: Tensor,
    *,
    radius: float,
    loss: Loss,
    dtype: torch.dtype | None = None,
) -> PlainAttack:
    """One step of the radius along the sign of whatever autograd returns.

    Parameters
    ----------
    posterior, inputs, labels, radius, loss, dtype
        As in `plain_pgd`.

    Returns
    -------
    PlainAttack

    Raises
    ------
    TypeError, ValueError
        As `plain_pgd`.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> found = plain_fgsm(posterior, inputs, labels, radius=0.25, loss="log mean")
    >>> found.inputs, found.zero_share
    (tensor([[0.3500, 0.6500],
            [0.6500, 0.3500]]), 0.0)
    """
    return plain_pgd(
        posterior,
        inputs,
        labels,
        radius=radius,
        loss=loss,
        n_steps=1,
        step_size=radius if radius else None,
        random_start=False,
        dtype=dtype,
    )


def plain_pgd(
    posterior: Posterior,
    inputs: Tensor,
    labels: Tensor,
    *,
    radius: float,
    loss: Loss,
    n_steps: int = 20,
    step_size: float | None = None,
    random_start: bool = True,
    n_fresh: int | None = None,
    keep: Literal["best", "last"] = "last",
    dtype: torch.dtype | None = None,
    refuse_nan: bool = False,
    rng: Rng = 0,
) -> PlainAttack:
    """Projected gradient ascent in the maximum norm, on a loss that autograd differentiates.

    Nothing is done about gradients that vanish or are NaN: the sign of both is 0, the input stays
    where it is, and whoever counts only the labels takes it for robust.

    Parameters
    ----------
    posterior : Posterior
        What the attacker differentiates; not necessarily what is evaluated.
    inputs : Tensor, shape (n, ...)
        In [0, 1], float32 or float64.
    labels : Tensor of int, shape (n,)
    radius : float
        >= 0, in units of the inputs.
    loss : str
        See `loss_of_logits`.
    n_steps : int
        >= 1.
    step_size : float, optional
        > 0; None: ``2.5 * radius / n_steps``.
    random_start : bool
        Whether the first point is drawn from the ball; False: it is the clean input.
    n_fresh : int, optional
        In [1, n_samples]: each step takes so many samples of the posterior, drawn anew without
        replacement. None: each step takes all.
    keep : {"best", "last"}
        The point of the largest loss of those seen (of equals the latest), or the last one.
        ``"best"`` with ``n_fresh`` compares losses of different samples.
    dtype : torch.dtype, optional
        Number type of the attack, float32 or float64; None: that of the inputs.
    refuse_nan : bool
        True: raise where a gradient is not finite, which `attacks.pgd` always does.
    rng : Generator, SeedSequence or int
        For the start and for fresh samples.

    Returns
    -------
    PlainAttack

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; with ``refuse_nan`` if a gradient is not finite.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> found = plain_pgd(posterior, inputs, labels, radius=0.25, loss="log mean", n_steps=4)
    >>> accuracy(posterior, found.inputs, labels), found.n_gradients
    (0.5, 8)
    """
    clean, known = _checked(posterior, inputs, labels)
    size = real_number("radius", radius, minimum=0.0)
    steps = whole_number("n_steps", n_steps)
    choice("loss", loss, LOSSES)
    choice("keep", keep, ("best", "last"))
    step = 2.5 * size / steps
    if step_size is not None:
        step = real_number("step_size", step_size, minimum=0.0, open_minimum=True)
    if n_fresh is not None:
        whole_number("n_fresh", n_fresh, maximum=posterior.n_samples)
    if dtype not in (None, torch.float32, torch.float64):
        raise TypeError(f"dtype must be float32, float64 or None, got {dtype}")
    start = clean.to(dtype or clean.dtype)
    model = posterior.to(dtype=start.dtype)
    ball, draws = _Ball(start, "linf", size), _generator(rng)
    current = ball.draw(draws) if random_start and size else start
    best, best_loss = current, torch.full((len(current),), -math.inf).to(current)
    zero, nan = [], []

    def value(x: Tensor) -> Tensor:
        chosen = model
        if n_fresh is not None:
            chosen = model.chosen(torch.randperm(model.n_samples, generator=draws)[:n_fresh])
        return loss_of_logits(chosen.logits(x), known, loss)

    for _ in range(steps):
        leaf = current.detach().requires_grad_()
        with torch.enable_grad():
            losses = value(leaf)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        if refuse_nan and not bool(gradient.isfinite().all()):
            raise ValueError(f"the loss {loss!r} has a gradient that is not finite")
        flat = gradient.flatten(1)
        zero.append((flat == 0).all(dim=1))
        nan.append(flat.isnan().any(dim=1))
        better = losses.detach() >= best_loss
        best = torch.where(_per_row(better, current), current, best)
        best_loss = torch.where(better, losses.detach(), best_loss)
        current = ball.project(current + step * gradient.sign())
    if keep == "best":
        with torch.no_grad():
            better = value(current) >= best_loss
        current = torch.where(_per_row(better, current), current, best)
    found = _Ball(clean, "linf", size).project(current.to(clean.dtype))
    return PlainAttack(found, torch.stack(zero), torch.stack(nan), steps * len(clean))


def random_sign_search(
    posterior: Posterior,
    inputs: Tensor,
    labels: Tensor,
    *,
    radius: float,
    n_queries: int,
    rng: Rng = 0,
) -> Tensor:
    r"""Best of a few random corners of the ball: a search without gradients.

    Parameters
    ----------
    posterior : Posterior
    inputs : Tensor, shape (n, ...)
    labels : Tensor of int, shape (n,)
    radius : float
        >= 0.
    n_queries : int
        >= 1, corners for each input. The clean input is not tried.
    rng : Generator, SeedSequence or int

    Returns
    -------
    Tensor, shape (n, ...)
        The corner of the largest :math:`-\log\bar p_y`.

    Raises
    ------
    TypeError, ValueError
        As `plain_pgd`.

    Notes
    -----
    Of a slope g in d directions a random corner gains about :math:`|g|_2`, the best
    :math:`|g|_1`, up to :math:`\sqrt d` times as much; the largest of many random ones grows with
    the root of the logarithm of their number. To withstand it says nothing.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> found = random_sign_search(posterior, inputs, labels, radius=0.25, n_queries=20, rng=1)
    >>> found.round(decimals=2)
    tensor([[0.3500, 0.6500],
            [0.6500, 0.3500]])
    """
    clean, known = _checked(posterior, inputs, labels)
    ball = _Ball(clean, "linf", real_number("radius", radius, minimum=0.0))
    queries, draws = whole_number("n_queries", n_queries), _generator(rng)
    best, best_loss = clean, torch.full((len(clean),), -math.inf).to(clean)
    with torch.no_grad():
        for _ in range(queries):
            signs = 2.0 * torch.randint(0, 2, clean.shape, generator=draws).to(clean) - 1.0
            corner = ball.project(clean + ball.radius * signs)
            losses = loss_of_logits(posterior.logits(corner), known, "log mean")
            better = losses > best_loss
            best = torch.where(_per_row(better, corner), corner, best)
            best_loss = torch.where(better, losses, best_loss)
    return best


# --- other predictors -----------------------------------------------------------------------------


def mean_weights(posterior: Posterior) -> Posterior:
    """Return the network whose weights are the mean of the samples' weights.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    Posterior
        With one sample.

    Notes
    -----
    Not the posterior predictive mean. Hidden units may be exchanged from one sample to the other,
    so that this network may know nothing of the task: an attack on it is one on another predictor.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(1,), widths=(), n_outputs=2, bias=False)
    >>> mean_weights(Posterior(network, torch.tensor([[1.0, 0.0], [3.0, 2.0]]))).parameters
    tensor([[2., 1.]])
    """
    return Posterior(posterior.network, posterior.parameters.mean(dim=0, keepdim=True))


def rescaled(posterior: Posterior, factor: float) -> Posterior:
    """Multiply all logits by a factor, through the last layer.

    Parameters
    ----------
    posterior : Posterior
    factor : float
        > 0.

    Returns
    -------
    Posterior
        Each sample predicts the class that it did, more or less surely. The class of their mean
        may change.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> gaps = [logit_gaps(one, inputs) for one in (posterior, rescaled(posterior, 10.0))]
    >>> torch.allclose(gaps[1], 10.0 * gaps[0])
    True
    """
    size = real_number("factor", factor, minimum=0.0, open_minimum=True)
    last = posterior.network.n_last
    body, tail = posterior.parameters[:, :-last], posterior.parameters[:, -last:]
    return Posterior(posterior.network, torch.cat([body, size * tail], dim=1))


def accuracy(posterior: Posterior, inputs: Tensor, labels: Tensor) -> float:
    """Share of inputs whose class of the largest predictive mean is the label.

    Parameters
    ----------
    posterior : Posterior
    inputs : Tensor, shape (n, ...)
        In [0, 1].
    labels : Tensor of int, shape (n,)

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> accuracy(posterior, inputs, labels), accuracy(posterior, inputs.flip(1), labels)
    (1.0, 0.0)
    """
    clean, known = _checked(posterior, inputs, labels)
    found = predictive_log_mean(posterior, clean).argmax(dim=1)
    return float((found == known).double().mean())


# --- scores ---------------------------------------------------------------------------------------


@torch.no_grad()
def softmax_robustness(
    posterior: Posterior, clean: Tensor, attacked: Tensor, *, doubled: bool = False
) -> Tensor:
    r"""One less the largest change of a class's probability under an attack.

    Parameters
    ----------
    posterior : Posterior
    clean, attacked : Tensor, shape (n, ...)
        In [0, 1].
    doubled : bool
        True: of a softmax of the probabilities, as if they were logits; the mistake.

    Returns
    -------
    Tensor, shape (n,)
        In [0, 1], 1 if nothing changes. Doubled, it is not below `theory.double_softmax_floor`.

    Raises
    ------
    TypeError, ValueError
        If the inputs are not in [0, 1] or of two shapes.

    Notes
    -----
    :math:`1 - \max_k |p_k(x) - p_k(x')|`. Even the right one does not say whether the class
    changes.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> right, wrong = (
    ...     softmax_robustness(posterior, inputs, inputs.flip(1), doubled=doubled)
    ...     for doubled in (False, True)
    ... )
    >>> bool((wrong > right).all())
    True
    """
    before, after = _inputs(clean, "clean"), _inputs(attacked, "attacked")
    if before.shape != after.shape:
        raise ValueError(
            f"attacked must have the shape of clean, {tuple(before.shape)}, got "
            f"{tuple(after.shape)}"
        )
    one, two = (log_mean(posterior(x)).exp() for x in (before, after))
    if doubled:
        one, two = one.softmax(dim=1), two.softmax(dim=1)
    return 1.0 - (one - two).abs().amax(dim=1)


# --- gradients ------------------------------------------------------------------------------------


@torch.no_grad()
def logit_gaps(posterior: Posterior, inputs: Tensor) -> Tensor:
    """Largest less second largest logit of each sample.

    Parameters
    ----------
    posterior : Posterior
    inputs : Tensor, shape (n, ...)
        In [0, 1].

    Returns
    -------
    Tensor, shape (n_samples, n)

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> logit_gaps(posterior, inputs)
    tensor([[1.6000, 6.4000],
            [0.4000, 1.6000]])
    """
    top = posterior.logits(_inputs(inputs)).topk(2, dim=2).values
    return top[:, :, 0] - top[:, :, 1]


def _parts(posterior: Posterior, n: int) -> Iterator[Posterior]:
    """Split samples into parts whose gradients are a few megabytes each."""
    size = max(1, 2**22 // max(1, n * math.prod(posterior.network.input_shape)))
    for rows in torch.split(torch.arange(posterior.n_samples), size):
        yield posterior.chosen(rows)


def member_gradients(posterior: Posterior, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
    r"""Gradient in the input of each sample's own loss, :math:`\nabla_x (-\log p_{s,y})`.

    Parameters
    ----------
    posterior : Posterior
    inputs : Tensor, shape (n, ...)
        In [0, 1].
    labels : Tensor of int, shape (n,), optional
        None: the class that each sample predicts, of which it is the surest.

    Returns
    -------
    Tensor, shape (n_samples, n, ...)
        By autograd: 0 where the true one underflows.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> gradients = member_gradients(posterior, inputs, labels)
    >>> gradients.shape, gradients[:, 0].sign().tolist()
    (torch.Size([2, 2, 2]), [[-1.0, 1.0], [-1.0, 1.0]])
    """
    clean = _inputs(inputs)
    known = None if labels is None else _checked(posterior, inputs, labels)[1]
    found = []
    for part in _parts(posterior, len(clean)):
        leaf = clean.expand(part.n_samples, *clean.shape).clone().requires_grad_()
        with torch.enable_grad():
            log_p = part(leaf)
            chosen = log_p.argmax(dim=2) if known is None else known.expand(part.n_samples, -1)
            loss = -log_p.gather(2, chosen[..., None]).sum()
            found.append(torch.autograd.grad(loss, leaf)[0])
    return torch.cat(found)


def predictive_gradients(
    posterior: Posterior, inputs: Tensor, labels: Tensor, *, loss: Loss = "log mean"
) -> Tensor:
    """Gradient in the input of a loss of all samples together, by autograd.

    Parameters
    ----------
    posterior : Posterior
    inputs : Tensor, shape (n, ...)
        In [0, 1].
    labels : Tensor of int, shape (n,)
    loss : str
        See `loss_of_logits`.

    Returns
    -------
    Tensor, shape (n, ...)
        NaN where autograd has NaN.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False, shift=0.5)
    >>> posterior = Posterior(network, torch.tensor([[4.0, -4.0, -4.0, 4.0], [2.0, 0.0, 0.0, 2.0]]))
    >>> inputs, labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]), torch.tensor([0, 0])
    >>> predictive_gradients(posterior, inputs, labels).sign()
    tensor([[-1.,  1.],
            [-1.,  1.]])
    >>> predictive_gradients(rescaled(posterior, 1e4), inputs, labels)
    tensor([[0., 0.],
            [0., 0.]])
    """
    clean, known = _checked(posterior, inputs, labels)
    with torch.enable_grad():
        leaf = clean.clone().requires_grad_()
        value = loss_of_logits(posterior.logits(leaf), known, loss).sum()
        return torch.autograd.grad(value, leaf)[0]
