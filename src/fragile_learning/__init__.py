"""Fragile Learning: what breaks when models learn from models.

The library behind the book of the same name. Importing this package imports
nothing else: take what you need from its modules, for example
``from fragile_learning.regression import Chain, Stage, theory``.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
