"""What the book's calculator says of a chain of regressions: the reference of its numbers.

The page computes in the reader's browser, with its own implementation of the same formulas; a
test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fragile_learning._validation import real_number
from fragile_learning.regression import theory
from fragile_learning.regression.chain import Chain
from fragile_learning.regression.experiments import repeated_chain

__all__ = ["ENDLESS", "EXAMPLE", "ChainAnswer", "chain_answer", "settling_samples"]

ENDLESS = 10**15
"""Samples that stand for infinitely many: up to 10,000 features the risk is off by 1e-11."""

EXAMPLE: Mapping[str, Any] = {
    "n_features": 300,
    "exponent": 0.0,
    "source_exponent": 0.375,
    "n_generations": 5,
    "n_generator_samples": 600,
    "generator_noise_std": 0.2,
    "n_samples": 1000,
    "ridge": 1e-3,
    "noise_std": 0.1,
}
"""Arguments of `chain_answer` with which the page begins, and to which the chapter links."""


class ChainAnswer(NamedTuple):
    """Numbers of the calculator's panel on iterated regression, excess risks in label units.

    Attributes
    ----------
    risk, bias, variance, generator_noise : float
        Of the student, at its ridge.
    clean_risk : float
        Of the same student on clean labels.
    signal : float
        Excess risk of predicting zero.
    limit_risk : float
        At the same ridge with `ENDLESS` samples.
    settling_samples : float
        See `settling_samples`.
    best_ridge, best_risk : float
        The student's best ridge and its risk there; ``inf`` and ``signal`` if predicting zero is
        best.

    Examples
    --------
    >>> answer = chain_answer(**EXAMPLE)
    >>> total = answer.bias + answer.variance + answer.generator_noise
    >>> bool(np.isclose(answer.risk, total)), answer.best_risk <= answer.risk
    (True, True)
    """

    risk: float
    bias: float
    variance: float
    generator_noise: float
    clean_risk: float
    signal: float
    limit_risk: float
    settling_samples: float
    best_ridge: float
    best_risk: float


def settling_samples(chain: Chain, tolerance: float = 0.1) -> float:
    """Give the number of samples from which on more of them change next to nothing.

    Parameters
    ----------
    chain : Chain
        The student's own number of samples is ignored; its ridge is kept.
    tolerance : float
        In (0, 1).

    Returns
    -------
    float
        Least whole number from which on the student's excess risk stays within ``tolerance`` of
        its limit, relative to the limit. ``inf`` if there is none up to a tenth of `ENDLESS`, as
        where the limit is zero, or infinite.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Notes
    -----
    Found on a grid of 400 sizes, with the number of features, where a fit without ridge has its
    peak, and then by bisection. A risk that leaves the band and comes back between two neighbours
    of the grid goes unseen.

    Examples
    --------
    >>> from fragile_learning.regression import Stage
    >>> from fragile_learning.spectra import Spectrum
    >>> generator, student = Stage(200, noise_std=1.0), Stage(1, noise_std=1.0)
    >>> chain = Chain.repeated(Spectrum.isotropic(100), np.ones(100), 1, generator, student)
    >>> settling_samples(chain, 0.3)  # d / (T - d) = 0.3 at T = 433.3
    434.0
    """
    width = real_number(
        "tolerance", tolerance, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
    )
    limit = float(theory.excess_risk_grid(chain, ENDLESS).total)
    if limit == 0.0 or not np.isfinite(limit):
        return float("inf")

    def outside(samples: np.ndarray) -> np.ndarray:
        risks = theory.excess_risk_grid(chain, samples).total
        return np.asarray(np.abs(risks - limit) > width * limit)

    grid = np.round(np.geomspace(1.0, ENDLESS / 10, 400))
    sizes = np.unique(np.append(grid, chain.spectrum.n_features))
    late = np.flatnonzero(outside(sizes))
    if late.size and late[-1] == sizes.size - 1:
        return float("inf")
    low, high = (sizes[late[-1]], sizes[late[-1] + 1]) if late.size else (0.0, 1.0)
    while high - low > max(1.0, 1e-15 * high):
        middle = np.floor((low + high) / 2)
        low, high = (middle, high) if outside(np.array([middle]))[0] else (low, middle)
    return float(high)


def chain_answer(
    *,
    n_features: int,
    exponent: float,
    source_exponent: float,
    n_generations: int,
    n_generator_samples: int,
    generator_noise_std: float,
    n_samples: int,
    ridge: float,
    noise_std: float,
) -> ChainAnswer:
    """Answer for a chain of equal least-squares generators and a ridge student.

    Parameters
    ----------
    n_features : int
    exponent, source_exponent : float
        Of a power law; exponent 0 means white features and a flat target of norm 1.
    n_generations, n_generator_samples : int
        The generators have independent designs.
    generator_noise_std : float
    n_samples : int
    ridge, noise_std : float
        The student's.

    Returns
    -------
    ChainAnswer

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> answer = chain_answer(
    ...     n_features=300,
    ...     exponent=0.0,
    ...     source_exponent=0.5,
    ...     n_generations=5,
    ...     n_generator_samples=600,
    ...     generator_noise_std=0.2,
    ...     n_samples=1000,
    ...     ridge=0.0,
    ...     noise_std=0.11,
    ... )
    >>> round(answer.risk, 6), round(answer.limit_risk, 6), answer.settling_samples
    (0.205186, 0.2, 482.0)
    """
    chain = repeated_chain(
        n_features=n_features,
        exponent=exponent,
        source_exponent=source_exponent,
        n_generations=n_generations,
        n_generator_samples=n_generator_samples,
        generator_noise_std=generator_noise_std,
        shared_design=False,
        n_samples=n_samples,
        ridge=ridge,
        noise_std=noise_std,
    )
    clean = Chain(chain.spectrum, chain.target, (chain.student,))
    parts = theory.excess_risk(chain)
    best_ridge, best_risk = float("inf"), chain.signal
    if np.isfinite(parts.generator_noise):
        best_ridge = theory.optimal_ridge(chain)
        if np.isfinite(best_ridge):
            best_risk = float(theory.excess_risk_grid(chain, ridge=best_ridge).total)
    return ChainAnswer(
        risk=parts.total,
        bias=parts.bias,
        variance=parts.variance,
        generator_noise=parts.generator_noise,
        clean_risk=theory.excess_risk(clean).total,
        signal=chain.signal,
        limit_risk=float(theory.excess_risk_grid(chain, ENDLESS).total),
        settling_samples=settling_samples(chain),
        best_ridge=best_ridge,
        best_risk=best_risk,
    )
