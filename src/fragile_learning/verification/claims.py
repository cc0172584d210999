"""The claims on verifiers, in the order of their numbers."""

from __future__ import annotations

from fragile_learning.claims import Claim
from fragile_learning.verification.mixture_claims import MIXTURE_CLAIMS
from fragile_learning.verification.trained_claims import TRAINED_CLAIMS

__all__ = ["CLAIMS", "claim"]

CLAIMS: tuple[Claim, ...] = tuple(
    sorted((*MIXTURE_CLAIMS, *TRAINED_CLAIMS), key=lambda one: int(one.id.partition("-")[2]))
)

_BY_ID = {one.id: one for one in CLAIMS}


def claim(identity: str) -> Claim:
    """Return a claim by its id.

    Examples
    --------
    >>> claim("VER-1").experiments
    ('verification/breakdown',)
    """
    if identity not in _BY_ID:
        raise ValueError(f"identity must be one of {', '.join(_BY_ID)}, got {identity!r}")
    return _BY_ID[identity]
