"""Cautions about what the paper is reported to say, each with the numbers that decide.

Paper: Dohmatob, Feng, Yang, Charton, Kempe, "A Tale of Tails: Model Collapse as a Change of Scaling
Laws", ICML 2024. Its full text was not at hand: what stands here as printed is what its abstract
and readers' notes report, or, where it says so, what is recalled or easily read into it; the
hypotheses may differ. Most entries are no mistakes: they say where a bound is not attained, or an
order of magnitude is no law. The numbers are computed here from
`fragile_learning.scaling_laws.theory` and `fragile_learning.scaling_laws.closed_forms`.
"""

from __future__ import annotations

import pandas as pd

from fragile_learning.errata import Erratum, errata_frame
from fragile_learning.scaling_laws import closed_forms, theory

__all__ = ["ERRATA", "errata_table"]


def errata_table() -> pd.DataFrame:
    """Return all cautions, with columns id, place, printed, corrected and number.

    Examples
    --------
    >>> errata_table().columns.tolist()
    ['id', 'place', 'printed', 'corrected', 'number']
    """
    return errata_frame(ERRATA)


def _generations() -> tuple[float, float]:
    bound = closed_forms.linear_bound(1.5, 2000, 100)
    return float(bound), float(theory.chain_error(1.5, [2000] * 101))


def _late_excess() -> tuple[float, float]:
    size = 30.0 * float(theory.crossover_samples(1.5, 100))
    excess = float(theory.cut_error(1.5, size, 100)) - float(theory.tail_mass(1.5, 100))
    return float(closed_forms.clean_power_law(1.5, size)), excess


def _bigram_floor() -> tuple[float, float]:
    return 100.0**-1.5, float(theory.bigram_error(3.0, 10**15, rank=100))


def _contexts() -> tuple[float, float]:
    sizes = (10**3, 10**6)
    first, last = (
        float(theory.context_bigram_error(1.5, 1.5, size)) * size ** (1.0 / 3.0) for size in sizes
    )
    return first, last


def _contradicted() -> tuple[float, float]:
    omitted = theory.mix_error(1.5, 1e9, 100, 0.3)
    return float(omitted), float(theory.tail_mass(1.5, 100))


def _vocabulary() -> tuple[float, float]:
    beyond = float(theory.tail_mass(1.5, 1000))
    finite = (float(theory.cut_error(1.5, 1e6, 1000)) - beyond) / (1.0 - beyond)
    return float(theory.hutter_error(1.5, 1e6)), finite


def _distinct() -> tuple[float, float]:
    rank = round(float(theory.distinct_items(1.5, 2000)))
    return float(theory.tail_mass(1.5, rank)), float(theory.hutter_error(1.5, 2000))


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "E1",
        "section 2, $n$ generations",
        r"as reported: $T^{-c} + n\,T_0^{-c}$, linear in $n$",
        r"a bound. Samples of samples attain $(n/T_0)^c$, own answers to new questions "
        r"$(\log n/T_0)^c$; top-p anew in each generation attains $n$",
        r"error at $\beta = 1.5$, $T = T_0 = 2000$, $n = 100$, samples of samples",
        _generations,
        ("bound", "attained"),
    ),
    Erratum(
        "E2",
        "section 2, double scaling law",
        r"as reported: $T^{-c} + k^{-(\beta-1)}$",
        r"an order of magnitude: beyond $k^\beta$ the first term falls exponentially",
        r"what is above the floor at $30\,T^*$, $\beta = 1.5$, $k = 100$",
        _late_excess,
        ("$C_\\beta T^{-c}$", "exact"),
    ),
    Erratum(
        "E3",
        "section 4, bigrams with a cut tail",
        r"as recalled, unverified: floor $k^{-\beta c}$ with $c = \min(1 - 1/\beta, 1/2)$",
        r"floor $k^{-(\beta-1)}$, the same only for $\beta < 2$; at $\beta = 2$ the law in $T$ has "
        r"a logarithm, and near it fitted slopes are far from $c$",
        r"floor at $\beta = 3$, $k = 100$",
        _bigram_floor,
        ("$k^{-\\beta c}$", "exact"),
    ),
    Erratum(
        "E4",
        "section 4, sum over contexts",
        r"as recalled, unverified: $T^{-c}\sum_i\rho_i^{1-c}$",
        r"if the sum converges: with contexts of the exponent of the rows, $\beta < 2$, there is a "
        r"factor $\log T$; flatter ones have an exponent of their own",
        r"error times $T^c$, both exponents 1.5",
        _contexts,
        ("at $T = 10^3$", "at $T = 10^6$"),
    ),
    Erratum(
        "E5",
        "section 3, mixing with real data",
        r"as reported: a share $\pi$ of real data brings back $(\pi T)^{-c}$",
        r"if synthetic data omits the tail. Where it contradicts it, with one wrong answer per "
        r"item, and the most frequent answer decides, only $\pi > 1/2$ does",
        r"error at $\beta = 1.5$, $k = 100$, $\pi = 0.3$, $T = 10^9$",
        _contradicted,
        ("omitted", "contradicted"),
    ),
    Erratum(
        "E6",
        "simulations with finitely many items",
        r"easily assumed: $T^{-c}$ for every $T$",
        r"with $V$ items the error falls exponentially from $T \approx V^\beta$ on; near "
        r"$\beta = 1$ ranks must be real numbers, for integers of 64 bits are too short",
        r"error at $\beta = 1.5$, $T = 10^6$",
        _vocabulary,
        ("without end", "$V = 1000$"),
    ),
    Erratum(
        "E7",
        "section 2, a generator of $T_0$ samples as a cut",
        r"easily read: $k$ is the number of different items that it saw",
        r"only in order: the cut with its floor is nearer, and the floor higher by the factor "
        r"$c\,\Gamma(c)^\beta$",
        r"floor at $\beta = 1.5$, $T_0 = 2000$",
        _distinct,
        ("cut at the items seen", "exact"),
    ),
)
