"""The claims on dataset distillation, in the order of their numbers."""

from __future__ import annotations

from fragile_learning.claims import Claim
from fragile_learning.distillation.exact_claims import EXACT_CLAIMS
from fragile_learning.distillation.trained_claims import TRAINED_CLAIMS

__all__ = ["CLAIMS", "claim"]

CLAIMS: tuple[Claim, ...] = tuple(
    sorted((*EXACT_CLAIMS, *TRAINED_CLAIMS), key=lambda one: int(one.id.partition("-")[2]))
)

_BY_ID = {one.id: one for one in CLAIMS}


def claim(identity: str) -> Claim:
    """Return a claim by its id.

    Examples
    --------
    >>> claim("DST-4").experiments
    ('distillation/coverage',)
    """
    if identity not in _BY_ID:
        raise ValueError(f"identity must be one of {', '.join(_BY_ID)}, got {identity!r}")
    return _BY_ID[identity]
