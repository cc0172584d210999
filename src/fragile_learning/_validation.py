"""Checks of arguments, shared by every room.

Each check returns the value in its canonical type, or raises a ``TypeError`` (wrong type) or a
``ValueError`` (wrong value) that names the argument, the value and the allowed range.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "as_generator",
    "choice",
    "real_array",
    "real_number",
    "result",
    "together",
    "whole_array",
    "whole_number",
]

T = TypeVar("T")


def _range(
    minimum: float | None, maximum: float | None, open_minimum: bool, open_maximum: bool
) -> str:
    """Describe an interval in words, for an error message."""
    parts = []
    if minimum is not None:
        parts.append(f"{'>' if open_minimum else '>='} {minimum:g}")
    if maximum is not None:
        parts.append(f"{'<' if open_maximum else '<='} {maximum:g}")
    return "finite" + (" and " + " and ".join(parts) if parts else "")


def whole_number(name: str, value: Any, *, minimum: int = 1, maximum: int | None = None) -> int:
    """Return ``value`` as an ``int`` in ``[minimum, maximum]``; floats and bools are refused."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, got the boolean {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, got {value!r} of type {type(value).__name__}"
        ) from None
    if number < minimum or (maximum is not None and number > maximum):
        allowed = f">= {minimum}" + (f" and <= {maximum}" if maximum is not None else "")
        raise ValueError(f"{name} must be an integer {allowed}, got {number}")
    return number


def real_number(
    name: str,
    value: Any,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    open_minimum: bool = False,
    open_maximum: bool = False,
) -> float:
    """Return ``value`` as a finite ``float`` inside the stated interval; bools are refused."""
    allowed = _range(minimum, maximum, open_minimum, open_maximum)
    if isinstance(value, bool | np.bool_ | str | bytes | complex | np.complexfloating):
        raise TypeError(f"{name} must be a real number, {allowed}, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a real number, {allowed}, got {value!r} of type {type(value).__name__}"
        ) from None
    except OverflowError:
        number = math.inf
    if (
        not math.isfinite(number)
        or (minimum is not None and (number < minimum or (open_minimum and number == minimum)))
        or (maximum is not None and (number > maximum or (open_maximum and number == maximum)))
    ):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return number


def real_array(
    name: str,
    value: Any,
    *,
    ndim: int | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    open_minimum: bool = False,
) -> NDArray[np.float64]:
    """Return a fresh float64 array of finite entries, each inside the stated interval."""
    allowed = _range(minimum, maximum, open_minimum, False)
    try:
        raw = np.asarray(value)
    except ValueError:  # ragged nested sequences
        raise TypeError(f"{name} must be an array of real numbers, got {value!r}") from None
    if raw.dtype.kind not in "iuf":
        raise TypeError(
            f"{name} must be an array of real numbers, each {allowed}, got dtype {raw.dtype}"
        )
    array = np.array(raw, dtype=np.float64)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    bad = ~np.isfinite(array)
    if minimum is not None:
        bad |= (array < minimum) | (open_minimum & (array == minimum))
    if maximum is not None:
        bad |= array > maximum
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f"[{', '.join(map(str, where))}]" if where else ""
        raise ValueError(f"{name} must be {allowed}, got {name}{place} = {array[where]!r}")
    return array


def whole_array(name: str, value: Any, *, minimum: int = 1) -> NDArray[np.float64]:
    """Return a float64 array of whole numbers ``>= minimum`` (integral floats are accepted)."""
    array = real_array(name, value, minimum=minimum)
    fractional = array != np.floor(array)
    if fractional.any():
        raise ValueError(
            f"{name} must hold whole numbers >= {minimum}, got {array[fractional].ravel()[0]!r}"
        )
    return array


def together(**arrays: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Broadcast arrays, or name those that do not fit."""
    try:
        return list(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"shapes must broadcast, got {shapes}") from None


def result(value: ArrayLike) -> NDArray[np.float64] | float:
    """Return a float for a scalar, else a float64 array."""
    found = np.asarray(value, dtype=np.float64)
    return float(found) if found.ndim == 0 else found


def choice(name: str, value: T, allowed: Iterable[T]) -> T:
    """Return ``value`` if it is one of ``allowed``."""
    options = tuple(allowed)
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def as_generator(
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> np.random.Generator:
    """Return a generator: itself, or a new one from a seed >= 0 or a ``SeedSequence``."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, np.random.SeedSequence):
        return np.random.default_rng(rng)
    if rng is None:
        raise TypeError(
            "rng must be a numpy Generator, a SeedSequence or an integer >= 0, got None"
        )
    return np.random.default_rng(whole_number("rng", rng, minimum=0))
