r"""What to keep, how to weight it, what it may cost, and what to do with real data beside it.

The measure is the information for each generated example, :math:`r^2 = (A-B)^2/(A+B)` of
`fragile_learning.verification.theory.effective_samples`, which re-exports the functions here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

from fragile_learning._validation import real_array, result, together
from fragile_learning.verification.settings import (
    MOST_SIGNAL,
    Generator,
    Verifier,
    masses,
    positive_of,
    setting_of,
)

__all__ = [
    "Threshold",
    "best_threshold",
    "cost_break_even",
    "information_per_cost",
    "mixed_accuracy",
    "soft_information",
    "soft_weights",
]

Array = NDArray[np.float64]

_MOST_COST = 1e100


class Threshold(NamedTuple):
    """Where to cut a verifier's score, and what that gives; floats or arrays of one shape.

    Attributes
    ----------
    threshold
        Keep scores above it.
    verifier
        The `Verifier` that this makes.
    information
        :math:`r^2`, clean examples that a generated one is worth.

    Examples
    --------
    >>> found = best_threshold(Generator(0.3), separation=2.0)
    >>> round(found.threshold, 3), round(found.verifier.keep_if_correct, 3)
    (1.034, 0.833)
    >>> bool(found.information > (1 - 2 * 0.3) ** 2)
    True
    """

    threshold: Array | float
    verifier: Verifier
    information: Array | float


def _scores(generator: Generator, separation: ArrayLike) -> tuple[Array, Array]:
    """Error rate and separation, broadcast; score N(separation, 1) of right, N(0, 1) of wrong."""
    _, wrong = masses(generator, Verifier(1.0, 1.0))
    p, gap = together(
        error_rate=wrong, separation=positive_of("separation", separation, MOST_SIGNAL, 1e-3)
    )
    if np.any((p == 0.0) | (p == 1.0)):
        raise ValueError(
            "error_rate must be > 0 and < 1 for a choice to matter, got "
            f"{p[(p == 0.0) | (p == 1.0)].flat[0]!r}"
        )
    return p, gap


def best_threshold(generator: Generator, *, separation: ArrayLike) -> Threshold:
    r"""Threshold of a normal score that makes the most of the generated examples.

    Right examples score :math:`N(\Delta, 1)`, wrong ones :math:`N(0, 1)`. At the best threshold the
    odds of an example to be right are

    .. math:: \frac{3 - 2\epsilon}{1 + 2\epsilon},

    :math:`\epsilon` the error among those kept: 3 to 1 for a clean kept set, even odds for one that
    is half wrong.

    Parameters
    ----------
    generator : Generator
        Error rate in (0, 1).
    separation : array_like
        :math:`\Delta` in [0.001, 30].

    Returns
    -------
    Threshold

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    The odds rule holds at the best threshold of any score with a density ratio that rises, and may
    hold at lesser ones too. This function solves it for the normal score, where it holds at one
    only, among the thresholds that keep more right than wrong. To maximise the breakdown point
    instead would raise the threshold without end, and keep nothing.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> best = best_threshold(Generator(0.4), separation=1.0)
    >>> round(best.threshold, 3), round(best.information, 4)
    (0.698, 0.1605)
    """
    p, gap = _scores(generator, separation)
    even = np.log(p) - np.log1p(-p)  # log odds of an example without its score, reversed

    def at(log_odds: Array) -> Array:
        return np.asarray((log_odds + even) / gap + 0.5 * gap)

    # The bar lies between even odds and 3 to 1 where more is right than wrong. There the marginal
    # odds minus the bar change sign once: bisect.
    low, high = np.zeros_like(p), np.full_like(p, np.log(3.0))
    for _ in range(60):
        middle = 0.5 * (low + high)
        t = at(middle)
        odds = np.exp(np.minimum(log_ndtr(gap - t) - log_ndtr(-t) - even, 700.0))  # of the kept
        above = np.exp(middle) * (odds + 3.0) > 3.0 * odds + 1.0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    t = at(0.5 * (low + high))
    right, wrong = (np.maximum(ndtr(x), 1e-300) for x in (gap - t, -t))  # a verifier keeps some
    kept, net = (1.0 - p) * right + p * wrong, (1.0 - p) * right - p * wrong
    return Threshold(result(t), Verifier(right, wrong), result(np.asarray(net * (net / kept))))


def soft_weights(score: ArrayLike, generator: Generator, *, separation: ArrayLike) -> Array | float:
    r"""Best weights of examples, twice the probability to be right minus one.

    Parameters
    ----------
    score : array_like
        :math:`N(\Delta, 1)` of right examples, :math:`N(0, 1)` of wrong ones.
    generator : Generator
        Error rate in (0, 1).
    separation : array_like
        :math:`\Delta` in [0.001, 30].

    Returns
    -------
    float or ndarray
        In [-1, 1]; a negative weight turns a label round.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Best for the one-shot student, by Cauchy and Schwarz, and better than any threshold:
    `soft_information`. With any other score: twice its calibrated probability minus one.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> soft_weights([-1.0, 0.5, 2.0], Generator(0.5), separation=1.0).round(4).tolist()
    [-0.6351, 0.0, 0.6351]
    """
    p, gap = _scores(generator, separation)
    p, gap, place = together(
        error_rate=p, separation=gap, score=real_array("score", score, minimum=-1e6, maximum=1e6)
    )
    return result(np.tanh(0.5 * (gap * place - 0.5 * gap**2 + np.log1p(-p) - np.log(p))))


def soft_information(generator: Generator, *, separation: ArrayLike) -> Array | float:
    r"""Information of a generated example with the best weights, :math:`E\,w^2`.

    Parameters
    ----------
    generator : Generator
        Error rate in (0, 1).
    separation : array_like
        :math:`\Delta` in [0.001, 30] of the normal scores.

    Returns
    -------
    float or ndarray
        In [0, 1], at least that of any threshold.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    A sum on an even grid, exact to 1e-12.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(soft_information(Generator(0.4), separation=1.0), 4)
    0.2312
    """
    p, gap = (array[..., None] for array in _scores(generator, separation))
    # Of right examples the log odds are normal with mean gap^2/2 + prior and deviation gap, of
    # wrong ones mirrored. tanh^2 of half the log odds is analytic up to pi.
    prior = np.log1p(-p) - np.log(p)
    half = int(np.ceil(8.5 * max(1.0 / 0.4, float(np.max(gap, initial=0.0)) / 0.4)))
    g = np.arange(-half, half + 1) * (8.5 / half)
    density = np.exp(-0.5 * g**2)
    density /= density.sum()
    squares = [np.tanh(0.5 * (prior + sign * 0.5 * gap**2 + gap * g)) ** 2 for sign in (1, -1)]
    return result((1.0 - p[..., 0]) * (squares[0] @ density) + p[..., 0] * (squares[1] @ density))


# --- costs -------------------------------------------------------------------------------------


def _cost(name: str, value: ArrayLike) -> Array:
    return real_array(name, value, minimum=0.0, maximum=_MOST_COST)


def information_per_cost(
    generator: Generator,
    verifier: Verifier,
    *,
    cost_generate: ArrayLike,
    cost_verify: ArrayLike = 0.0,
    cost_train: ArrayLike = 0.0,
) -> Array | float:
    r"""Clean examples' worth bought by a unit of cost, :math:`r^2/(c_g + c_v + \kappa c_t)`.

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    cost_generate : array_like
        :math:`c_g` in [1e-100, 1e100], of an example.
    cost_verify : array_like
        :math:`c_v` in [0, 1e100], of checking one.
    cost_train : array_like
        :math:`c_t` in [0, 1e100], of training on one that is kept. All in one currency.

    Returns
    -------
    float or ndarray
        Negative above the breakdown point, where more data teach the opposite rule better.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(information_per_cost(Generator(0.3), Verifier(0.9, 0.3), cost_generate=1.0), 12)
    0.405
    """
    right, wrong = masses(generator, verifier)
    right, generate, verify, train = together(
        generator_and_verifier=right,
        cost_generate=positive_of("cost_generate", cost_generate),
        cost_verify=_cost("cost_verify", cost_verify),
        cost_train=_cost("cost_train", cost_train),
    )
    kept, net = right + wrong, right - wrong
    worth = net * np.abs(net) / np.where(kept > 0.0, kept, 1.0)
    return result(worth / (generate + verify + kept * train))


def cost_break_even(
    generator: Generator,
    verifier: Verifier,
    *,
    cost_generate: ArrayLike,
    cost_train: ArrayLike = 0.0,
) -> Array | float:
    r"""Price of a check up to which verification is worth it.

    .. math:: c_v < (c_g + c_t)\,\frac{r^2}{(1-2p)^2} - c_g - \kappa c_t

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    cost_generate : array_like
        :math:`c_g` in [1e-100, 1e100], of an example.
    cost_train : array_like
        :math:`c_t` in [0, 1e100], of training on one that is kept.

    Returns
    -------
    float or ndarray
        In the currency of the costs. Negative: not even for nothing. ``inf`` where only verified
        examples teach the right rule (:math:`p \ge 1/2`), ``-inf`` where verified ones do not.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    For a fixed budget, spent on generating, checking and training. Checking a fraction of the
    examples only is never better than the better of all and none: worth and cost are linear in it.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(cost_break_even(Generator(0.1), Verifier(0.9, 0.8), cost_generate=1, cost_train=1), 3)
    -0.019
    """
    right, wrong = masses(generator, verifier)
    right, wrong, p, generate, train = together(
        right=right,
        wrong=wrong,
        error_rate=np.asarray(generator.error_rate),
        cost_generate=positive_of("cost_generate", cost_generate),
        cost_train=_cost("cost_train", cost_train),
    )
    kept, net = right + wrong, right - wrong
    plain = 1.0 - 2.0 * p
    with np.errstate(over="ignore"):
        ratio = (net / np.where(plain > 0.0, plain, 1.0)) ** 2 / np.where(kept > 0.0, kept, 1.0)
        price = (generate + train) * ratio - generate - kept * train
    return result(np.where(net <= 0.0, -np.inf, np.where(plain > 0.0, price, np.inf)))


# --- real data beside ----------------------------------------------------------------------------


def mixed_accuracy(
    generator: Generator,
    verifier: Verifier,
    *,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
    n_real: ArrayLike,
    weight: ArrayLike | None = None,
) -> Array | float:
    r"""Accuracy of the one-shot student of real and of selected examples together.

    With weight ``w`` of a selected example against one of a real one,

    .. math:: \Phi\Big(\frac{s^2 (n_0 + N m w)}
        {\sqrt{s^2 (n_0 + N m w)^2 + d\,(n_0 + N\kappa w^2)}}\Big) .

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    signal : array_like
        ``s`` in [0, 30].
    n_features : array_like
        ``d``, whole, in [1, 1e100].
    n_generated : array_like
        ``N`` in [1e-100, 1e100], before selection.
    n_real : array_like
        :math:`n_0` in [0, 1e100], with right labels.
    weight : array_like, optional
        In [-1e6, 1e6]. None: the best, :math:`1 - 2\epsilon`, which makes the examples worth
        :math:`n_0 + N r^2` clean ones.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    The limit of many features and examples. Selected examples never hurt with the best weight; with
    weight 1 they do if :math:`n_0 + Nm < \sqrt{n_0(n_0 + N\kappa)}`.

    References
    ----------
    Derived here. That real data can only help: the paper, section 4, as reported.

    Examples
    --------
    >>> setting = dict(signal=1.0, n_features=200, n_generated=1500, n_real=200)
    >>> generator, verifier = Generator(0.35), Verifier(0.8, 0.2)
    >>> round(mixed_accuracy(generator, verifier, **setting), 4)
    0.8116
    >>> round(mixed_accuracy(generator, verifier, weight=1.0, **setting), 4)
    0.8113
    """
    right, wrong, s, d, samples, _ = setting_of(
        generator, verifier, signal, n_features, n_generated
    )
    best = (right - wrong) / np.where(right + wrong > 0.0, right + wrong, 1.0)
    chosen = best if weight is None else real_array("weight", weight, minimum=-1e6, maximum=1e6)
    right, wrong, s, d, samples, chosen, real = together(
        right=right,
        wrong=wrong,
        signal=s,
        n_features=d,
        n_generated=samples,
        weight=chosen,
        n_real=real_array("n_real", n_real, minimum=0.0, maximum=1e100),
    )
    pull = real + samples * (right - wrong) * chosen
    noise = np.sqrt(d) * np.hypot(np.sqrt(real), np.sqrt(samples * (right + wrong)) * chosen)
    length = np.hypot(s * pull, noise)
    return result(ndtr(s * (s * pull) / np.where(length > 0.0, length, 1.0)))
