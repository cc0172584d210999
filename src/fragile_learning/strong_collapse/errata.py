"""Corrections and cautions to the paper, each with the numbers that decide.

Paper: Dohmatob, Feng, Subramonian, Kempe, "Strong Model Collapse", ICLR 2025. Its full text was not
at hand: what stands here as printed is what two readers' notes of the second arXiv version agree
on, and the published version may differ. The numbers are computed here from
`fragile_learning.strong_collapse.theory` and `fragile_learning.strong_collapse.published`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fragile_learning.errata import Erratum, errata_frame
from fragile_learning.spectra import Spectrum
from fragile_learning.strong_collapse import published, theory
from fragile_learning.strong_collapse.mixture import Mixture, RandomShift
from fragile_learning.strong_collapse.settings import white_mixture

__all__ = ["ERRATA", "errata_table"]


def errata_table() -> pd.DataFrame:
    """Return all corrections, with columns id, place, printed, corrected and number.

    Examples
    --------
    >>> table = errata_table()
    >>> table.columns.tolist()
    ['id', 'place', 'printed', 'corrected', 'number']
    """
    return errata_frame(ERRATA)


def _weighted() -> tuple[float, float]:
    mixture = white_mixture(
        n_features=100, n_samples=2000, n_synthetic=1000, shift_size=0.5, synthetic_weight=0.5
    )
    reported = published.weighted_mixing(
        0.5, 0.5, 0.05, noise_std_real=0.5, noise_std_synthetic=0.5, shift_size=0.5
    )
    return float(reported), float(theory.excess_risk(mixture).total)


def _best_weight() -> tuple[float, float]:
    mixture = white_mixture(n_features=100, n_samples=40_000, n_synthetic=10_000, shift_size=0.5)
    reported = published.optimal_real_weight(
        0.25, 0.0025, noise_std_real=0.5, noise_std_synthetic=0.5, shift_size=0.5
    )
    return reported, theory.optimal_weight(mixture)


def _trace() -> tuple[float, float]:
    spectrum = Spectrum.power_law(100, 1.0)
    mixture = Mixture(spectrum, np.ones(100), RandomShift(np.full(100, 0.01)), 900, 100)
    return 0.1**2 * 1.0, theory.collapse_floor(mixture)


def _first_order() -> tuple[float, float]:
    p2, phi = 0.01, 0.01
    mixture = white_mixture(n_features=100, n_samples=10_000, n_synthetic=100, noise_std=0.5)
    return 0.25 * phi + p2**2, float(theory.excess_risk(mixture).total)


def _threshold() -> tuple[float, float]:
    few = white_mixture(n_features=300, n_samples=500, n_synthetic=50, width=500)
    return float("inf"), float(theory.excess_risk(few).collapse)


def _falling() -> tuple[float, float]:
    values = np.r_[np.ones(310), np.full(290, 1e-6)]
    square = np.r_[np.full(310, 1.0 / 310), np.zeros(290)]
    mixture = Mixture(Spectrum(values), np.ones(600), RandomShift(square), 0, 400)
    collapse = theory.excess_risk_grid(mixture, width=[266, 300]).collapse
    return float(collapse[0]), float(collapse[1])


def _tuned() -> tuple[float, float]:
    gaps = []
    for width in (500, 5000):
        risks = []
        for synthetic in (50, 0):
            mixture = white_mixture(
                n_features=600, n_samples=500, n_synthetic=synthetic, width=width
            )
            best = theory.optimal_ridge(mixture)
            risks.append(float(theory.excess_risk_grid(mixture, ridge=best).total))
        gaps.append(risks[0] - risks[1])
    return gaps[0], gaps[1]


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "E1",
        "Corollary 2, weighted mixing",
        r"$p_2^2\alpha^2c^2 + ((1-\alpha)p_1\sigma_1^2 + \alpha p_2\sigma_2^2)\phi$",
        r"floor $\alpha^2c^2$, noise $\phi[(1-\alpha)^2\sigma_1^2/p_1 + \alpha^2\sigma_2^2/p_2]$, "
        "and a term of the scatter",
        r"risk at $\phi = 0.05$, $p_2 = \alpha = 1/2$, $\sigma = 0.5$, $c^2 = 0.5$",
        _weighted,
    ),
    Erratum(
        "E2",
        "floor as $\\phi$ vanishes",
        r"$p_2^2\,\mathrm{tr}\,\Delta$",
        r"$p_2^2\,\mathrm{tr}\,\Sigma\Delta$; the two agree for $\Sigma = I$",
        r"$p_2 = 0.1$, eigenvalues $1/j$, $\Delta = I/100$",
        _trace,
    ),
    Erratum(
        "E3",
        "quality of synthetic data",
        r"$c^2 = \mathrm{tr}\,\Sigma\Delta/d$ in one place, $\Delta = (c^2/d)\Sigma^{-1}$ in "
        "another",
        r"$c^2 = \mathrm{tr}\,\Sigma\Delta$ everywhere",
    ),
    Erratum(
        "E4",
        "Corollary 1, small $\\phi$",
        r"$\sigma^2\phi + p_2^2c^2 + O(\phi^2)$",
        r"$\sigma^2\phi + p_2^2c^2 + p_1p_2c^2\phi + O(\phi^2)$",
        r"risk at $\phi = p_2 = 0.01$, $\sigma = 0.5$, $c = 1$",
        _first_order,
    ),
    Erratum(
        "E5",
        "threshold at $m = n$",
        r"a pole without ridge",
        r"only for $d > n$; for $d < n$ all widths $m \ge d$ are least squares",
        r"collapse at $m = n = 500$, $d = 300$, $p_2 = 0.1$, $c = 1$",
        _threshold,
    ),
    Erratum(
        "E6",
        "notation, as a reviewer reported",
        r"$S$ of shape $d \times m$, $v \in \mathbb{R}^k$; one source named for the other in an "
        "example",
        r"$S$ of shape $m \times d$, $v \in \mathbb{R}^m$",
    ),
    Erratum(
        "E7",
        "Corollary 2, best weight",
        r"$\alpha^* = 1 - (p_1\sigma_1^2 - p_2\sigma_2^2)\phi/(2c^2)$, said to vanish",
        r"$\alpha^* = \phi\sigma_1^2/(p_1c^2) + O(\phi^2)$; the printed one tends to 1",
        r"best weight at $\phi = 0.0025$, $p_2 = 1/4$",
        _best_weight,
    ),
    Erratum(
        "E8",
        "larger models amplify below $m = n$",
        "for every shift",
        r"for $\Delta \propto \Sigma^{-1}$, and for all shifts up to $m = n/2$; it can fail "
        "between if $p_2$ is near 1",
        r"collapse in the counter-example, $n = 400$",
        _falling,
        ("at $m = 266$", "at $m = 300$"),
    ),
    Erratum(
        "E9",
        "larger models mitigate beyond $m = n$",
        "as a fact about size",
        "not with the best ridge at each width: there the gap to clean training can grow through "
        "the threshold",
        r"gap at $d = 600$, $n = 500$, $p_2 = 0.1$, $c = 1$, $\sigma = 0.5$, best ridge",
        _tuned,
        ("at $m = 500$", "at $m = 5000$"),
    ),
)
