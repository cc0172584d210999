"""What the book's calculator says of a verifier: the reference of its numbers.

The page computes in the reader's browser, with its own implementation of the same formulas; a
test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from fragile_learning._validation import real_number, whole_number
from fragile_learning.verification import theory
from fragile_learning.verification.settings import MOST_SIGNAL, Generator, Verifier, masses

__all__ = ["EXAMPLE", "VerifierAnswer", "generated_for_gap", "verifier_answer"]

EXAMPLE: Mapping[str, Any] = {
    "error_rate": 0.3,
    "keep_if_correct": 0.9,
    "keep_if_wrong": 0.3,
    "n_generated": 800,
    "n_features": 200,
    "signal": 1.5,
    "ridge": 0.1,
}
"""Arguments of `verifier_answer` with which the page begins, and to which the chapter links."""


class VerifierAnswer(NamedTuple):
    """Numbers of the calculator's panel on verifiers.

    Attributes
    ----------
    breakdown_point : float
        Error rate of the generator up to which selection works.
    kept_share, selected_error_rate : float
        Share of the generated examples that is kept, and of the kept that is wrong.
    effective_samples, unselected_samples : float
        Clean examples that the generated ones are worth, selected and as they are.
    accuracy, one_shot_accuracy, unselected_accuracy : float
        Of ridge regression and of the one-shot student on selected examples, and of the one-shot
        student on all of them.
    bayes_accuracy : float
        The best possible.
    needed : float
        Generated examples with which the one-shot student comes within a percentage point of it,
        see `generated_for_gap`.

    Examples
    --------
    >>> answer = verifier_answer(**EXAMPLE)
    >>> EXAMPLE["error_rate"] < answer.breakdown_point, answer.accuracy < answer.bayes_accuracy
    (True, True)
    >>> answer.selected_error_rate < EXAMPLE["error_rate"]
    True
    """

    breakdown_point: float
    kept_share: float
    selected_error_rate: float
    effective_samples: float
    unselected_samples: float
    accuracy: float
    one_shot_accuracy: float
    unselected_accuracy: float
    bayes_accuracy: float
    needed: float


def generated_for_gap(
    generator: Generator,
    verifier: Verifier,
    *,
    signal: float,
    n_features: int,
    gap: float = 0.01,
) -> float:
    r"""Give the number of generated examples that bring the one-shot student near the Bayes rule.

    .. math:: N = \frac{d}{r^2}\,\frac{z^2}{s^2(s^2-z^2)}, \qquad \Phi(z) = \Phi(s) - \mathrm{gap}

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
        Scalar rates.
    signal : float
        ``s`` in [0.01, 30].
    n_features : int
        ``d`` >= 1.
    gap : float
        In (0, 1), of accuracy.

    Returns
    -------
    float
        0 where guessing is near enough, ``inf`` at and above the breakdown point.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    Derived here, from `fragile_learning.verification.theory.accuracy_one_shot`, solved for ``N``.

    Examples
    --------
    >>> players = Generator(0.3), Verifier(0.9, 0.3)
    >>> needed = generated_for_gap(*players, signal=1.5, n_features=200)
    >>> accuracy = theory.accuracy_one_shot(
    ...     *players, signal=1.5, n_features=200, n_generated=needed
    ... )
    >>> round(needed), round(float(ndtr(1.5)) - accuracy, 9)
    (2088, 0.01)
    """
    s = real_number("signal", signal, minimum=0.01, maximum=MOST_SIGNAL)
    size = whole_number("n_features", n_features)
    lost = real_number("gap", gap, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True)
    right, wrong = (float(mass) for mass in masses(generator, verifier))
    goal = float(ndtr(s)) - lost
    if goal <= 0.5:
        return 0.0
    if right <= wrong:
        return float("inf")
    z = float(ndtri(goal))
    worth = (right - wrong) * ((right - wrong) / (right + wrong))
    return size / worth * (z / s) ** 2 / ((s - z) * (s + z))


def verifier_answer(
    *,
    error_rate: float,
    keep_if_correct: float,
    keep_if_wrong: float,
    n_generated: float,
    n_features: int,
    signal: float,
    ridge: float,
) -> VerifierAnswer:
    """Answer for ``n_generated`` examples, selected by a verifier.

    Parameters
    ----------
    error_rate, keep_if_correct, keep_if_wrong : float
        See `Generator` and `Verifier`.
    n_generated, n_features, signal, ridge : float
        As in `fragile_learning.verification.theory.accuracy_ridge`; the signal at least 0.01.

    Returns
    -------
    VerifierAnswer

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> answer = verifier_answer(
    ...     error_rate=0.3,
    ...     keep_if_correct=0.9,
    ...     keep_if_wrong=0.3,
    ...     n_generated=1000,
    ...     n_features=200,
    ...     signal=1.5,
    ...     ridge=1.0,
    ... )
    >>> round(answer.breakdown_point, 12), round(answer.effective_samples, 9)
    (0.75, 405.0)
    """
    generator = Generator(error_rate)
    verifier, nobody = Verifier(keep_if_correct, keep_if_wrong), Verifier(1.0, 1.0)
    right, wrong = masses(generator, verifier)
    sizes = {"signal": signal, "n_features": n_features, "n_generated": n_generated}
    return VerifierAnswer(
        breakdown_point=float(theory.breakdown_point(verifier)),
        kept_share=float(right + wrong),
        selected_error_rate=float(theory.selected_error_rate(generator, verifier)),
        effective_samples=float(theory.effective_samples(generator, verifier, n_generated)),
        unselected_samples=float(theory.effective_samples(generator, nobody, n_generated)),
        accuracy=float(theory.accuracy_ridge(generator, verifier, ridge=ridge, **sizes)),
        one_shot_accuracy=float(theory.accuracy_one_shot(generator, verifier, **sizes)),
        unselected_accuracy=float(theory.accuracy_one_shot(generator, nobody, **sizes)),
        bayes_accuracy=float(ndtr(np.float64(signal))),
        needed=generated_for_gap(generator, verifier, signal=signal, n_features=n_features),
    )
