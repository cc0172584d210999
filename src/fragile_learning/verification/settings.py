"""The two players, and checks of arguments that the modules of the room share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, result, together, whole_array

__all__ = ["Generator", "Verifier", "positive_of", "result", "setting_of", "shares_of", "together"]

Array = NDArray[np.float64]

MOST_SAMPLES = 1e100  # no product of them overflows
LEAST = 1e-100
MOST_SIGNAL = 30.0  # the Bayes rule errs with probability 5e-198


def shares_of(name: str, value: ArrayLike) -> Array:
    """Probabilities in [0, 1].

    Examples
    --------
    >>> shares_of("error_rate", [0, 0.25]).tolist()
    [0.0, 0.25]
    """
    return real_array(name, value, minimum=0.0, maximum=1.0)


def positive_of(
    name: str, value: ArrayLike, maximum: float = MOST_SAMPLES, minimum: float = LEAST
) -> Array:
    """Numbers above 0, no smaller and no larger than what arithmetic bears.

    Examples
    --------
    >>> positive_of("n_generated", [100, 1000]).tolist()
    [100.0, 1000.0]
    """
    return real_array(name, value, minimum=minimum, maximum=maximum)


def features_of(name: str, value: ArrayLike) -> Array:
    """Whole numbers in [1, 1e100]."""
    return whole_array(name, real_array(name, value, minimum=1.0, maximum=MOST_SAMPLES))


def _frozen(array: Array) -> Array | float:
    """Return a float, or an array that cannot be written to."""
    array.setflags(write=False)
    return result(array)


@dataclass(frozen=True, eq=False)
class Generator:
    """Who labels the synthesized examples.

    Parameters
    ----------
    error_rate : array_like
        Probability ``p`` in [0, 1] that a label is wrong, independent of the input.

    Raises
    ------
    TypeError, ValueError
        If the rate is out of range.

    Examples
    --------
    >>> Generator(0.3).error_rate
    0.3
    """

    error_rate: Array | float

    def __post_init__(self) -> None:
        rate = shares_of("error_rate", self.error_rate)
        object.__setattr__(self, "error_rate", _frozen(rate))


@dataclass(frozen=True, eq=False)
class Verifier:
    """Who keeps or discards a labelled example.

    Parameters
    ----------
    keep_if_correct : array_like
        Probability ``phi`` in [0, 1] to keep an example whose label is right.
    keep_if_wrong : array_like
        Probability ``psi`` in [0, 1] to keep one whose label is wrong. They broadcast, and are not
        both 0: who keeps nothing selects nothing.

    Raises
    ------
    TypeError, ValueError
        If a rate is out of range, both are 0, or the shapes do not broadcast.

    Examples
    --------
    >>> oracle, nobody = Verifier(1.0, 0.0), Verifier(1.0, 1.0)
    >>> oracle.keep_if_wrong, nobody.keep_if_wrong
    (0.0, 1.0)
    """

    keep_if_correct: Array | float
    keep_if_wrong: Array | float

    def __post_init__(self) -> None:
        correct = shares_of("keep_if_correct", self.keep_if_correct)
        wrong = shares_of("keep_if_wrong", self.keep_if_wrong)
        right, left = together(keep_if_correct=correct, keep_if_wrong=wrong)
        if np.any((right == 0.0) & (left == 0.0)):
            raise ValueError(
                "keep_if_correct and keep_if_wrong must be >= 0 and <= 1 and not both 0, got both 0"
            )
        object.__setattr__(self, "keep_if_correct", _frozen(correct))
        object.__setattr__(self, "keep_if_wrong", _frozen(wrong))


def masses(generator: Generator, verifier: Verifier) -> tuple[Array, Array]:
    """Shares of the generated examples that are kept and right, and kept and wrong."""
    if not isinstance(generator, Generator):
        raise TypeError(f"generator must be a Generator, got {type(generator).__name__}")
    if not isinstance(verifier, Verifier):
        raise TypeError(f"verifier must be a Verifier, got {type(verifier).__name__}")
    p, phi, psi = together(
        error_rate=np.asarray(generator.error_rate),
        keep_if_correct=np.asarray(verifier.keep_if_correct),
        keep_if_wrong=np.asarray(verifier.keep_if_wrong),
    )
    return np.asarray((1.0 - p) * phi), np.asarray(p * psi)


def setting_of(
    generator: Generator,
    verifier: Verifier,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
    ridge: ArrayLike = 0.0,
    *,
    least_ridge: float = 0.0,
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Check a setting: right mass, wrong mass, signal, dimension, samples, ridge, broadcast.

    Examples
    --------
    >>> sizes = dict(signal=1.5, n_features=100, n_generated=[400, 800])
    >>> right, wrong, *_ = setting_of(Generator(0.25), Verifier(0.5, 0.5), **sizes)
    >>> right.tolist(), wrong.tolist()
    ([0.375, 0.375], [0.125, 0.125])
    """
    right, wrong = masses(generator, verifier)
    arrays = together(
        generator_and_verifier=right,
        n_features=features_of("n_features", n_features),
        signal=real_array("signal", signal, minimum=0.0, maximum=MOST_SIGNAL),
        n_generated=positive_of("n_generated", n_generated),
        ridge=real_array("ridge", ridge, minimum=least_ridge, maximum=MOST_SAMPLES),
    )
    right, dimension, strength, samples, penalty = arrays
    return right, np.broadcast_to(wrong, right.shape), strength, dimension, samples, penalty
