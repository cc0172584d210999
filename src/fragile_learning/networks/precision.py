"""Convolutions on a GPU in full precision, without importing torch before it is needed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["full_precision"]


@contextmanager
def full_precision(*, search: bool = False) -> Iterator[None]:
    """Convolve on a GPU in float32 as on a CPU, then put settings back; also a decorator.

    PyTorch rounds what a convolution on a GPU multiplies to 10 bits unless it is told not to.
    Matrix products it leaves alone.

    Parameters
    ----------
    search : bool
        Time the algorithms for each new shape and keep the fastest: worth it for thousands of
        steps of one shape, a loss where shapes change.

    Examples
    --------
    >>> import torch
    >>> with full_precision():
    ...     torch.backends.cudnn.allow_tf32
    False
    """
    settings = importlib.import_module("torch").backends.cudnn
    before = settings.allow_tf32, settings.benchmark
    settings.allow_tf32, settings.benchmark = False, search
    try:
        yield
    finally:
        settings.allow_tf32, settings.benchmark = before
