"""Checks of arguments that the modules of the room share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number

__all__ = ["MOST_SAMPLES", "fractions_of", "samples_of", "tail_exponent_of"]

Array = NDArray[np.float64]

MOST_SAMPLES = 1e100  # no product of them overflows


def tail_exponent_of(name: str, value: float) -> float:
    """Exponent of a power law on all whole numbers, in (1, 100].

    Examples
    --------
    >>> tail_exponent_of("tail_exponent", 1.5)
    1.5
    """
    return real_number(name, value, minimum=1.0, maximum=100.0, open_minimum=True)


def samples_of(name: str, value: ArrayLike, *, open_minimum: bool = False) -> Array:
    """Numbers of samples, whole or not, in [0, 1e100].

    Examples
    --------
    >>> samples_of("n_samples", [100, 1e6]).tolist()
    [100.0, 1000000.0]
    """
    return real_array(name, value, minimum=0.0, maximum=MOST_SAMPLES, open_minimum=open_minimum)


def fractions_of(name: str, value: ArrayLike, *, open_minimum: bool = False) -> Array:
    """Shares in [0, 1].

    Examples
    --------
    >>> fractions_of("real_fraction", [0.1, 1.0]).tolist()
    [0.1, 1.0]
    """
    return real_array(name, value, minimum=0.0, maximum=1.0, open_minimum=open_minimum)
