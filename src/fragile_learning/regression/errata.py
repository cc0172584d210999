"""What we found to be misprinted or wrong in the paper, each with the numbers that decide.

Paper: Dohmatob, Feng, Kempe, "Model Collapse Demystified: The Case of Regression", NeurIPS 2024.
The numbers are computed here from `fragile_learning.regression.theory` and
`fragile_learning.regression.published`; the chapter sets simulations beside the important ones.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fragile_learning.equivalents import df2, kappa
from fragile_learning.errata import Erratum, errata_frame
from fragile_learning.regression import power_laws, published, theory
from fragile_learning.regression.chain import Chain, Stage
from fragile_learning.spectra import Spectrum, source_condition_target

__all__ = ["ERRATA", "errata_table"]


def errata_table() -> pd.DataFrame:
    """Return all corrections, with columns id, place, printed, corrected and number.

    Examples
    --------
    >>> table = errata_table().set_index("id")
    >>> table.loc["E3", "place"], table.loc["E3", "number"].partition(": ")[2]
    ('after Theorem 4.1', 'printed 80, corrected 5')
    """
    return errata_frame(ERRATA)


# --- the numbers ------------------------------------------------------------------------------


def _noise_scale() -> tuple[float, float]:
    rho = theory.variance_per_generation_full_rank(Spectrum.isotropic(100), 200, 1000, 0.0)
    return 5 * 0.2 * rho, 5 * 0.2**2 * rho


def _threshold() -> tuple[float, float]:
    return (
        published.null_predictor_threshold(20.0, 0.8),
        theory.null_predictor_threshold(20.0, 80, 100, finite_size=False),
    )


def _counterexample() -> Chain:
    spectrum = Spectrum(np.repeat([1.0, 0.02], [30, 270]))
    target = np.repeat([0.0, 1.0], [30, 270])
    return Chain(
        spectrum, target / np.sqrt(spectrum.eigenvalues @ target**2), (Stage(90), Stage(33))
    )


def _bias() -> tuple[float, float]:
    chain = _counterexample()
    return published.bias_lower_bound(chain), theory.excess_risk(chain).bias


def _first_moment() -> tuple[float, float]:
    spectrum = Spectrum.isotropic(200, scale=2.0)
    return (
        float(published.projection_first_moment(spectrum, [60])[0]),
        float(theory.projection_first_moment(spectrum, [60])[0]),
    )


def _second_moment() -> tuple[float, float]:
    spectrum = Spectrum.isotropic(200, scale=2.0)
    return (
        float(published.projection_second_moment(spectrum, [60, 60])[0]),
        float(theory.projection_second_moment(spectrum, [60, 60])[0]),
    )


def _product_of_projectors() -> tuple[float, float]:
    first = np.diag([1.0, 0.0])
    second = np.full((2, 2), 0.5)
    product, vector = second @ first, np.ones(2)
    return float(vector @ product @ vector), float(vector @ product.T @ product @ vector)


def _surviving() -> tuple[float, float]:
    ratios = 1.0 + 0.5 ** np.arange(60.0)
    return 0.0, float(np.prod(1.0 / ratios))


def _missing_factor() -> tuple[float, float]:
    spectrum = Spectrum.power_law(300, 2.0)
    chain = Chain(spectrum, source_condition_target(300, 2.0, 0.375), (Stage(100, 0.01),))
    return published.bias_from_derivative(chain), theory.bias_decomposition(chain).clean


def _operator_norm() -> tuple[float, float]:
    spectrum = Spectrum.isotropic(300)
    chain = Chain(spectrum, np.full(300, 300**-0.5), (Stage(150), Stage(1000, 0.5)))
    top = (1.0 + np.sqrt(0.3)) ** 2
    bound = (top / (top + 0.5)) ** 2 * (1.0 - 150 / 300)
    return float(bound), theory.delta_bias(chain)


def _growth_beyond_one() -> tuple[float, float]:
    growth = {"noise_growth": 0.0, "generator_growth": 1.5}
    return (
        published.collapsed_rate(2.0, 0.5, **growth),
        power_laws.collapsed_rate(2.0, 0.5, **growth),
    )


def _divergence() -> tuple[float, float]:
    growth = {"noise_growth": 0.0, "generator_growth": 0.9}
    ell = power_laws.critical_ridge_exponent(2.0, 0.375)
    printed = published.diverges_at_clean_ridge(2.0, 0.375, **growth)
    exponent = power_laws.noisy_rate(2.0, 0.375, ridge_exponent=ell, **growth)
    return float(printed), float(exponent < 0)


def _consistency() -> tuple[float, float]:
    growth = {"noise_growth": 0.2, "generator_growth": 0.8}
    return (
        float(published.is_consistent(2.0, 0.375, 1.0, **growth)),
        float(power_laws.is_consistent(2.0, 1.0, **growth)),
    )


def _exchanged_sizes() -> tuple[float, float]:
    sizes = (Spectrum.isotropic(100), 200, 1000, 0.0)
    return (
        published.variance_per_generation_full_rank(*sizes),
        theory.variance_per_generation_full_rank(*sizes),
    )


def _slack_of_identity() -> tuple[float, float]:
    spectrum = Spectrum.isotropic(100)
    learned = float(df2(spectrum, kappa(spectrum, 1000, 0.1)))
    return 1.0 - learned, 1000.0 - learned


def _aspect_ratio() -> tuple[float, float]:
    risk = theory.excess_risk(
        Chain(Spectrum.isotropic(200), np.zeros(200), (Stage(100, noise_std=1.0),))
    )
    return 2.0 / (1.0 - 2.0), risk.total


def _sign() -> tuple[float, float]:
    step = 1e-6
    return 0.25, ((1.0 / (2.0 + step)) - (1.0 / (2.0 - step))) / (2.0 * step)


def _denominator() -> tuple[float, float]:
    spectrum, root = Spectrum.power_law(300, 2.0), 1e-2
    values = spectrum.eigenvalues
    weight = values * source_condition_target(300, 2.0, 0.375) ** 2
    return (
        float(np.sum(weight / (values + values / root) ** 2)),
        float(np.sum(weight / (1.0 + values / root) ** 2)),
    )


def _budget() -> tuple[float, float]:
    # the tail of the sum beyond N is 1 / log N to leading order
    count = 1_000_000
    return 1.0, published.growing_budget_factor(count) + 1.0 / np.log(count + 0.5)


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "E1",
        "equation (1)",
        r"$n\sigma_0\rho$",
        r"$n\sigma_0^2\rho$; and the sum with $\Delta$Bias is no equality for $T_0 < d$",
        r"cost of 5 generations, $\sigma_0 = 0.2$, $\rho = 1$",
        _noise_scale,
    ),
    Erratum("E2", "the chain's definition", r"starts at $\hat w_n = w_0$", r"$\hat w_0 = w_0$"),
    Erratum(
        "E3",
        "after Theorem 4.1",
        r"worse than zero for $n \gg \mathrm{SNR}_0/(1/\phi_0-1)$",
        r"for $n > \mathrm{SNR}_0(1/\phi_0-1)$",
        r"$\phi_0 = 0.8$, SNR 20",
        _threshold,
    ),
    Erratum(
        "E4",
        "Theorem 4.3, Proposition F.5, Remark F.2",
        r"$\widetilde{\mathrm{Bias}} \ge \mathrm{Bias} + \Delta\mathrm{Bias}$",
        r"a cross term of either sign is missing",
        "bias of the counterexample, at least",
        _bias,
    ),
    Erratum(
        "E5",
        "Lemma F.7",
        r"$u^\top\prod_m(\Sigma+\kappa_m)^{-1}v$",
        r"$u^\top\Sigma^n\prod_m(\Sigma+\kappa_m)^{-1}v$",
        r"$\Sigma = 2I$, $T/d = 0.3$, $n = 1$",
        _first_moment,
    ),
    Erratum(
        "E6",
        "Lemma F.8, second line",
        r"$\Sigma^n\prod_m A_m$ for all $n$; $T$ in the denominator",
        r"for $n = 1$ or $\Sigma = I$ only, else a recursion; $T_m$ in the denominator",
        r"$\Sigma = 2I$, $T/d = 0.3$, $n = 2$",
        _second_moment,
    ),
    Erratum(
        "E7",
        "proof of Theorem 4.6",
        r"$Q^\top Q = Q$",
        r"false for two projections; the result stands",
        r"$u^\top Q u$ and $u^\top Q^\top Q u$ in the plane",
        _product_of_projectors,
    ),
    Erratum(
        "E8",
        "Theorem 4.6",
        r"total collapse if infinitely many $\phi_m > 1$",
        r"iff $\sum_m (1-1/\phi_m)_+ = \infty$ or some $\phi_m = \infty$",
        r"what survives $\phi_m = 1 + 2^{-m}$",
        _surviving,
    ),
    Erratum(
        "E9",
        "after Lemma I.2",
        r"$w_0^\top\Sigma(\Sigma+\kappa)^{-2}w_0\,\mathrm d\kappa/\mathrm d\lambda$",
        r"times $\kappa^2$",
        r"bias, $\beta = 2$, $T = 100$, $\lambda = 0.01$",
        _missing_factor,
    ),
    Erratum(
        "E10",
        "after Theorem 4.3",
        r"$\Delta\mathrm{Bias} \ge \mathbb E\lVert\cdot\rVert_{op}^2\,\mathrm{Bias}_0$",
        r"$\le$",
        r"bound and $\Delta$Bias at $\lambda = 0.5$, $\phi_0 = 2$",
        _operator_norm,
    ),
    Erratum("E11", "Corollary 5.2", r"$n \sim T^b$", r"$n\sigma_0^2 \sim T^a$"),
    Erratum(
        "E12",
        "Corollary 5.2",
        r"rate $T^{-(b-a)c}$ for any $b$",
        r"$\min(b,1)$ for $b$; $T^{-2\beta\bar r}$ when the cap is active",
        r"decay exponent, $\beta = 2$, $r = 1/2$, $a = 0$, $b = 1.5$",
        _growth_beyond_one,
    ),
    Erratum(
        "E13",
        "after Corollary 5.2",
        r"diverges if $b \ge a + 1 - c$",
        r"iff $\min(b,1) < a + 1 - c$ and $a > 0$",
        r"diverges at $b = 0.9$, $c = 0.6$ (1: yes)",
        _divergence,
    ),
    Erratum(
        "E14",
        "Appendix G",
        r"consistent only if $\ell \le \ell_*$; $\gamma = \min(1, b-a)$",
        r"iff $0 < \ell < \beta\gamma$, $\gamma = \min(b,1)-a$",
        r"consistent at $\ell = 1$, $a = 0.2$, $b = 0.8$ (1: yes)",
        _consistency,
    ),
    Erratum(
        "E15",
        "Proposition F.6",
        r"$\frac{\mathrm{df}_2}{T-\mathrm{df}_2}(1+\frac{\kappa^2 \mathrm{tr}(\cdot)}{T_0-d})$",
        r"$T - \mathrm{df}_2$ and $T_0 - d$ in each other's place, as in (19)",
        r"$\rho$ at $d, T_0, T = 100, 200, 1000$",
        _exchanged_sizes,
    ),
    Erratum(
        "E16",
        "proof of Corollary 4.4",
        r"$(1-1/\phi_0)\rho$; denominator $I - \mathrm{df}_2$",
        r"$(1/\phi_0-1)\rho$; $T - \mathrm{df}_2$",
        r"the denominator at $d = 100$, $T = 1000$, $\lambda = 0.1$",
        _slack_of_identity,
    ),
    Erratum(
        "E17",
        "after Corollary 4.4",
        r"Theorem 4.1 is the case $\lambda = 0$, $\phi \ge 1$",
        r"$\phi \le 1$",
        r"risk at $\phi = 2$, $\sigma = 1$, $w_0 = 0$",
        _aspect_ratio,
    ),
    Erratum(
        "E18",
        "proof of Theorem 4.3",
        r"derivative of a resolvent without minus sign",
        r"minus sign (present two lines later)",
        r"$\mathrm d(1+t)^{-1}/\mathrm dt$ at $t = 1$",
        _sign,
    ),
    Erratum(
        "E19",
        "Appendix H.2",
        r"denominators $(\lambda_i+\kappa^{-1}\lambda_i)^2$",
        r"$(1+\kappa^{-1}\lambda_i)^2$",
        r"bias sum, $\beta = 2$, $d = 300$, $\kappa = 0.01$",
        _denominator,
    ),
    Erratum(
        "E20", "Theorem 4.6", r"limits listed for $\phi_1, \phi_2, \dots$", r"$\phi_0$ included"
    ),
    Erratum(
        "E21",
        "growing $T_m$, after Theorem 4.1",
        r"$\sim$ the clean error",
        r"a bounded multiple of it",
        r"the factor for $T_m = T_0\, m\log^2 m$, $T_1 = T = T_0$",
        _budget,
    ),
)
