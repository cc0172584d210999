"""Cautions about what the paper is reported to say, each with the numbers that decide.

Paper: Feng, Dohmatob, Yang, Charton, Kempe, "Beyond Model Collapse: Scaling Up with Synthesized
Data Requires Verification", ICLR 2025. Its full text was not at hand: what stands here as printed
is what readers' notes report, or, where it says so, what is easily read into it; the hypotheses may
differ. They are cautions more than mistakes: they say what a sentence needs to be right. The
numbers are computed here from `fragile_learning.verification.theory`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.errata import Erratum, errata_frame
from fragile_learning.verification import theory
from fragile_learning.verification.settings import Generator, Verifier

__all__ = ["ERRATA", "errata_table"]

_GOOD = Verifier(0.9, 0.3)
_MANY = 10**12
_FEW_FEATURES: dict[str, Any] = {"signal": 1.5, "n_features": 5}


def errata_table() -> pd.DataFrame:
    """Return all cautions, with columns id, place, printed, corrected and number.

    Examples
    --------
    >>> table = errata_table()
    >>> table.columns.tolist(), len(table)
    (['id', 'place', 'printed', 'corrected', 'number'], 7)
    """
    return errata_frame(ERRATA)


def _hundred_percent() -> tuple[float, float]:
    players, sizes = (Generator(0.3), _GOOD), {**_FEW_FEATURES, "n_generated": 10**6}
    agreement = theory.agreement(*players, **sizes)
    return float(agreement), float(theory.critical_window(*players, **sizes))


def _unequal() -> tuple[float, float]:
    mixture = {
        "mean": np.array([1.0, 0.8, 0.6, 0.4, 0.2]),
        "variances": np.array([4.0, 2.0, 1.0, 0.5, 0.25]),
    }
    bayes = mixture["mean"] / mixture["variances"]
    limits = (
        theory.limit_rule("ridge", Generator(p), _GOOD, ridge=1.0, **mixture) for p in (0.3, 0.9)
    )
    below, above = (float(theory.agreement_of_rules(w, bayes, **mixture)) for w in limits)
    return below, above


def _linear() -> tuple[float, float]:
    angles = np.radians(100.0), np.radians(70.0), 0.0
    p, phi, psi = theory.rates_from_angles(*angles)
    independent = theory.agreement(
        Generator(p), Verifier(phi, psi), n_generated=_MANY, **_FEW_FEATURES
    )
    return float(independent), float(theory.bisector_accuracy(*angles))


def _stingy() -> tuple[float, float]:
    sizes: dict[str, Any] = {"signal": 1.5, "n_features": 400, "n_generated": 4000}
    stingy, generous = (
        float(theory.accuracy_one_shot(Generator(0.3), verifier, **sizes))
        for verifier in (Verifier(0.05, 0.0), Verifier(1.0, 0.5))
    )
    return stingy, generous


def _classes() -> tuple[float, float]:
    two, five = (float(theory.breakdown_point(Verifier(0.9, 0.2), k)) for k in (2, 5))
    return two, five


def _smooth() -> tuple[float, float]:
    infinite, proportional = (
        float(
            theory.accuracy_one_shot(
                Generator(0.7), _GOOD, signal=1.5, n_features=200, n_generated=size
            )
        )
        for size in (_MANY, 800)
    )
    return infinite, proportional


def _weak() -> tuple[float, float]:
    truth, twelfth = (
        float(theory.bisector_accuracy(np.radians(50.0), angle, 0.0)) for angle in (0.0, np.pi / 12)
    )
    return truth, twelfth


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "E1",
        "Theorem 4.2",
        r"as reported: with infinite data the accuracy is 100 % for $p < p^*$, 0 % for $p > p^*$",
        r"the agreement with the Bayes rule is; no rule's accuracy exceeds $\Phi(s)$, "
        r"nor falls below $\Phi(-s)$",
        r"at $p = 0.3$, $\varphi = 0.9$, $\psi = 0.3$, $s = 1.5$, $d = 5$, $N = 10^6$",
        _hundred_percent,
        ("agreement", "accuracy"),
    ),
    Erratum(
        "E2",
        "Theorem 4.2",
        r"easily read: for any covariance and any penalty",
        r"if $\Sigma \propto I$, or without penalty, or if $\mu$ is an eigenvector of $\Sigma$. "
        r"Otherwise $p^*$ has the right sign, but agreement ends strictly between 0 and 1",
        r"limit of the agreement, square loss, $\lambda = 1$, $\mu = (1, 0.8, 0.6, 0.4, 0.2)$, "
        r"$\Sigma = \mathrm{diag}(4, 2, 1, 0.5, 0.25)$, $p^* = 0.75$",
        _unequal,
        ("at $p = 0.3$", "at $p = 0.9$"),
    ),
    Erratum(
        "E3",
        "Theorem 4.2 and section 5",
        r"easily read: it holds for linear generators and verifiers, too, which the simulations "
        r"have, as reported",
        r"their errors depend on the input. $p < p^*$ if and only if $\theta_g + \theta_v < \pi$, "
        r"which says that the accuracy exceeds 1/2, not that it goes to 1",
        r"limit at $\theta_g = 100°$, $\theta_v = 70°$, $\rho = 0$, $p = 0.556 < p^* = 0.612$",
        _linear,
        ("independent errors", "linear rules"),
    ),
    Erratum(
        "E4",
        "section 4, $p^*$ as a proxy",
        r"as reported: $p^*$ tells whether selected data lead to optimal performance",
        r"at a fixed number of kept examples it orders verifiers. At a fixed number of "
        r"generated ones the share kept counts as well; and $p < p^*$ does not say that a "
        r"student is better than its generator",
        r"accuracy at $p = 0.3$, $s = 1.5$, $d = 400$, $N = 4000$",
        _stingy,
        (r"$(\varphi, \psi) = (0.05, 0)$, $p^* = 1$", r"$(1, 0.5)$, $p^* = 0.667$"),
    ),
    Erratum(
        "E5",
        "section 6, tasks with many answers",
        r"as reported: $p^* = 1/(1 + \psi/\varphi)$",
        r"$1/(1 + \psi/((K-1)\varphi))$ if wrong answers scatter over $K - 1$ others: "
        r"with many possible answers the binary one is pessimistic",
        r"error rate borne at $\varphi = 0.9$, $\psi = 0.2$",
        _classes,
        ("$K = 2$", "$K = 5$"),
    ),
    Erratum(
        "E6",
        "Theorem 4.2",
        r"easily read: the accuracy jumps at $p^*$",
        r"with infinite data at fixed $d$ it does. If features grow with the examples the "
        r"transition is smooth, and a generator below $p^*$ may teach next to nothing",
        r"accuracy at $p = 0.7$, $\varphi = 0.9$, $\psi = 0.3$, $p^* = 0.75$, $s = 1.5$, one shot",
        _smooth,
        ("infinite data", "$d/N = 1/4$"),
    ),
    Erratum(
        "E7",
        "section 5.2",
        r"as reported: $\theta_{\mathrm{prune}} = \pi/12$ is a weak verifier",
        r"measured from the truth it would be a strong one, wrong once in twelve; what it is "
        r"measured from is not known to us",
        r"limit accuracy of a student, $\theta_g = 50°$, $\rho = 0$",
        _weak,
        ("verifier on the truth", r"at $\pi/12$"),
    ),
)
