"""Cautions about what the paper is reported to say, each with the numbers that decide.

Paper: Feng, Vedantam, Kempe, "Embarrassingly Simple Dataset Distillation", ICLR 2024. Its body was
not at hand: what stands here as printed is what its abstract says, what readers or the public code
report, or, where it says so, what is easily read into it. They are cautions more than mistakes:
they say what a sentence needs to be right. The numbers are computed here from
`fragile_learning.distillation.theory`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fragile_learning.distillation import theory
from fragile_learning.errata import Erratum, errata_frame

__all__ = ["ERRATA", "errata_table"]

_PROBLEM: dict[str, Any] = {
    "hessian": [1.0, 0.2],
    "outer_hessian": [1.0, 3.0],
    "target": [1.0, 2.0],
    "start": [0.0, 1.0],
    "learning_rate": 0.4,
}


def errata_table() -> pd.DataFrame:
    """Return all cautions, with columns id, place, printed, corrected and number.

    Examples
    --------
    >>> errata_table().set_index("id").loc["E4", "number"]
    'probability at $T = 200$, $M = 60$: middle step 0.4255, first step 0.007092'
    """
    return errata_frame(ERRATA)


def _one_step() -> tuple[float, float]:
    density = 1.0 / np.sqrt(2.0 * np.pi)
    mean, square = theory.adam_first_step_moments(0.02, 1e-8, density)
    return mean, float(np.sqrt(square))


def _signal() -> tuple[float, float]:
    found = []
    for rule in ("full", "random-truncated"):
        moments = theory.quadratic_gradient_moments(
            **_PROBLEM,
            data=[0.5, -0.5],
            start_covariance=[1.0, 1.0],
            windows=theory.window_pairs(rule, 10, 4),
        )
        found.append(float(moments.mean[1] ** 2 / moments.covariance[1, 1]))
    return found[0], found[1]


def _solution() -> tuple[float, float]:
    free, one = (
        theory.quadratic_solution(
            **_PROBLEM, basis=basis, windows=theory.window_pairs("truncated", 10, 4)
        )[0]
        - theory.quadratic_solution(
            **_PROBLEM, basis=basis, windows=theory.window_pairs("full", 10, 4)
        )[0]
        for basis in (np.eye(2), np.ones((2, 1)))
    )
    return round(float(free), 12) + 0.0, float(one)


def _covered() -> tuple[float, float]:
    coverage = theory.window_coverage(200, 60)
    return float(coverage[100]), float(coverage[0])


def _spike() -> tuple[float, float]:
    before, at = theory.clip_thresholds([1.0] * 20 + [100.0])[-2:]
    return float(before), float(at)


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "E1",
        "abstract, the variance of full back-propagation",
        r"easily read: it comes from the length of the run",
        r"with Adam in the inner run the first step can carry it alone: its derivative has a mean "
        r"square of order $1/\epsilon$, and full runs and random lengths always differentiate it, "
        r"random windows seldom",
        r"derivative of the first update, $\alpha = 0.02$, $\epsilon = 10^{-8}$, standard normal "
        r"gradients",
        _one_step,
        ("mean size", "root mean square"),
    ),
    Erratum(
        "E2",
        "abstract, random truncated windows",
        r"as reported: they stabilise the gradients",
        r"where the inner steps are random or chaotic. With fixed curvatures a window lowers "
        r"signal and noise of a direction alike, and the random length adds noise",
        r"squared mean over variance in the slow direction, $h = 0.2$, $\alpha = 0.4$, $T = 10$, "
        r"$M = 4$, starts of standard deviation 1",
        _signal,
        ("BPTT", "RaT-BPTT"),
    ),
    Erratum(
        "E3",
        "abstract, truncation",
        r"easily read: a truncated gradient leads to other images",
        r"not at a fixed length, if the images can reach every direction: the window reweights "
        r"directions and moves no solution. It does if there are fewer images than the problem "
        r"needs, and so do random lengths",
        r"shift of the first coordinate by a window of $M = 4$ in $T = 10$ steps, $h = (1, 0.2)$, "
        r"$\alpha = 0.4$",
        _solution,
        ("free data", "one image"),
    ),
    Erratum(
        "E4",
        "abstract, random truncated windows",
        r"as reported: they cover long dependencies",
        r"each step is differentiated now and then, the first and the last with probability "
        r"$1/(T-M+1)$ only",
        r"probability at $T = 200$, $M = 60$",
        _covered,
        ("middle step", "first step"),
    ),
    Erratum(
        "E5",
        "public code, clipping",
        r"easily read: norms are clipped to twice their usual size",
        r"the moving average takes in a norm before it clips it: of a lone large spike a fifth "
        r"passes",
        r"threshold after norms of 1, at a norm of 100",
        _spike,
        ("without the spike", "with it"),
    ),
    Erratum(
        "E6",
        "public code, evaluation",
        r"as reported: accuracies of the checkpoint and the training length that are best on the "
        r"test set",
        r"such numbers are optimistic in the mean. Here lengths are fixed beforehand or chosen on "
        r"a validation set, and what choosing on the test set adds is measured (DST-14)",
    ),
    Erratum(
        "E7",
        "figure of meta-gradient norms",
        r"as reported by the authors' earlier repository: in the first submitted version the curve "
        r"of RaT-BPTT was one of BPTT with 40 steps",
        r"corrected by the authors; norms here are measured anew",
    ),
)
