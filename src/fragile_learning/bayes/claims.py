"""The claims on Bayesian networks under attack, in the order of their numbers."""

from __future__ import annotations

from fragile_learning.bayes.exact_claims import EXACT_CLAIMS
from fragile_learning.bayes.pitfall_claims import PITFALL_CLAIMS
from fragile_learning.bayes.trained_claims import TRAINED_CLAIMS
from fragile_learning.claims import Claim

__all__ = ["CLAIMS", "claim"]

CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (*EXACT_CLAIMS, *TRAINED_CLAIMS, *PITFALL_CLAIMS),
        key=lambda one: int(one.id.partition("-")[2]),
    )
)

_BY_ID = {one.id: one for one in CLAIMS}


def claim(identity: str) -> Claim:
    """Return a claim by its id.

    Examples
    --------
    >>> claim("BNN-4").experiments
    ('bayes/entropies',)
    """
    if identity not in _BY_ID:
        raise ValueError(f"identity must be one of {', '.join(_BY_ID)}, got {identity!r}")
    return _BY_ID[identity]
