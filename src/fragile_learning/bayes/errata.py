"""Cautions about what the paper is reported to say, each with the numbers that decide.

Paper: Feng, Rudner, Tsilivis, Kempe, "Attacking Bayes: On the Adversarial Robustness of Bayesian
Neural Networks", TMLR 2024, arXiv:2404.19640. Its body was not at hand: what stands here as
printed is what its abstract is reported to say, or what is easily read into it or into the works
that it tests. They are cautions more than mistakes: they say what a sentence needs to be right. The
numbers are computed here from `fragile_learning.bayes.theory`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import softmax

from fragile_learning.bayes import theory
from fragile_learning.bayes.exact_problems import (
    gaussian_weights,
    regression_problem,
    softmax_problem,
)
from fragile_learning.errata import Erratum, errata_frame

__all__ = ["ERRATA", "errata_table"]


def errata_table() -> pd.DataFrame:
    """Return all cautions, with columns id, place, printed, corrected and number.

    Examples
    --------
    >>> table = errata_table()
    >>> table.columns.tolist(), len(table)
    (['id', 'place', 'printed', 'corrected', 'number'], 8)
    """
    return errata_frame(ERRATA)


def _expected_gradient() -> tuple[float, float]:
    gradient = theory.gaussian_predictive_gradient([1.0, 0.0], [0.09, 4.0], [[1.0, 0.0]])
    along, off = theory.span_parts(gradient, [[1.0, 0.0]])
    return float(np.linalg.norm(off)), float(np.linalg.norm(along))


def _label_and_probability() -> tuple[float, float]:
    mean, variances = np.array([0.8, -0.3, 0.1]), np.array([0.1, 0.9, 2.0]) ** 2
    x, radius = np.array([1.0, -0.5, 0.4]), 0.25
    best = x + theory.gaussian_label_attack(mean, [1.0], radius=radius)
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    corners = theory.gaussian_predictive(mean, variances, x + radius * signs)
    return float(theory.gaussian_predictive(mean, variances, best)[0]), float(corners.min())


def _shrinking_norm() -> tuple[float, float]:
    counts = np.array([1, 10**12])
    one, all_ = np.sqrt(theory.expected_squared_norm(*gaussian_weights(), counts)).tolist()
    return one, all_


def _regression() -> theory.LinearPosterior:
    x, y, noise_variance, prior_variance = regression_problem()
    return theory.linear_posterior(
        x, y, noise_variance=noise_variance, prior_variance=prior_variance
    )


def _context_points() -> tuple[float, float]:
    given, best = regression_problem(), theory.mean_field_optimum(_regression())
    few, enough = (
        theory.function_divergence(
            best.means,
            best.stds,
            given.inputs[:count],
            prior_variance=given.prior_variance,
        )
        for count in (3, 5)
    )
    return few, enough


def _cross_entropy() -> tuple[float, float]:
    weights, bias, clean, labels = softmax_problem()
    radius, n_steps = 0.05, 40
    low, high = np.maximum(clean - radius, 0.0), np.minimum(clean + radius, 1.0)
    truth, x = np.eye(len(bias))[labels], clean
    for _ in range(n_steps):
        slopes = (softmax(x @ weights.T + bias, axis=1) - truth) @ weights
        x = np.clip(x + 2.5 * radius / n_steps * np.sign(slopes), low, high)
    right = np.argmax(x @ weights.T + bias, axis=1) == labels
    exact = theory.linear_robust_accuracy(weights, bias, clean, labels, radius=radius)
    return float(right.mean()), float(exact)


def _one_member() -> tuple[float, float]:
    members = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    one, two = (theory.member_entropies(some).mutual for some in (members[:1], members))
    return float(one[0]), float(two[0])


def _normal_errors() -> tuple[float, float]:
    normal = theory.leapfrog_acceptance(1.0, 2, 20, method="normal")
    return float(normal), float(theory.leapfrog_acceptance(1.0, 2, 20))


def _narrow() -> tuple[float, float]:
    posterior = _regression()
    return float(theory.mean_field_optimum(posterior).stds[0]), float(posterior.stds[0])


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "E1",
        "earlier works, vanishing gradients",
        "easily read: averaged over the posterior, the gradient in the input vanishes",
        "at points of the span of the data its part across that span does; its part along it does "
        "not, and an attack needs no more",
        r"length of the gradient of $\mathbb{E}\,\sigma(w^\top x)$ at $x = (1, 0)$, "
        r"$w_1 \sim N(1, 0.09)$ from data, $w_2 \sim N(0, 4)$ as a priori",
        _expected_gradient,
        ("across the data", "along the data"),
    ),
    Erratum(
        "E2",
        "abstract, prediction of labels",
        "easily read: averaging over a posterior does not change what an attack does",
        r"for normal weights of a linear model the attack that changes the label if any does is "
        r"$-\varepsilon\, y\,\mathrm{sign}(m)$, whatever the variances. The probability does "
        r"depend on them, and another corner of the ball lowers it more",
        r"$\bar p_y$ at $m = (0.8, -0.3, 0.1)$, standard deviations $(0.1, 0.9, 2)$, "
        r"$x = (1, -0.5, 0.4)$, $\varepsilon = 0.25$",
        _label_and_probability,
        ("at the best attack on the label", "at the worst corner"),
    ),
    Erratum(
        "E3",
        "earlier works, vanishing gradients",
        "easily read: the norm of the mean gradient falls with the number of samples, "
        "so it goes to 0",
        r"the mean of $n$ independent vectors is shorter than one of them, in root mean square, "
        r"for any law that is not a point; its limit is $\lVert\mathbb{E} g\rVert$",
        r"root of $\mathbb{E}\lVert\bar g_n\rVert^2$, 100 entries with means in [0.05, 0.2], "
        r"standard deviations 0.3",
        _shrinking_norm,
        ("$n = 1$", r"$n \to \infty$"),
    ),
    Erratum(
        "E4",
        "inference in function space",
        "easily read: the divergence at context points is that of the functions",
        "it is a lower bound that grows with the points, and equals the divergence of the "
        "weights of a linear model from as many independent points as weights on",
        "nats, mean-field optimum of a linear regression with 5 weights",
        _context_points,
        ("3 points", "5 points"),
    ),
    Erratum(
        "E5",
        "abstract, simple attacks suffice",
        "easily read: gradient ascent on the cross-entropy finds the worst case of a linear model",
        "with two classes it does. With more it can climb towards a class that is out of reach: "
        "attack each class in turn",
        r"accuracy of a linear softmax model, 4 classes, 30 inputs, 400 points, "
        r"$\varepsilon = 0.05$",
        _cross_entropy,
        ("40 steps on the cross-entropy", "exact"),
    ),
    Erratum(
        "E6",
        "abstract, detection by uncertainty",
        "easily read: by its epistemic uncertainty a single network detects no better than "
        "chance, which speaks for posteriors",
        "with one member this uncertainty is 0 for every input, so that all scores tie and the "
        "AUROC is 1/2 by definition: nothing is measured",
        "mutual information in nats of members (0.9, 0.1) and (0.1, 0.9)",
        _one_member,
        ("the first alone", "both"),
    ),
    Erratum(
        "E7",
        "Hamiltonian Monte Carlo and cheaper posteriors",
        "easily read: a mean-field posterior has the right uncertainty of each weight",
        r"its variances are $1/\Lambda_{jj}$, less than the posterior's wherever weights depend "
        r"on each other",
        "standard deviation of weight 0 of a linear regression, two of whose five inputs have "
        "correlation 0.8",
        _narrow,
        ("mean field", "exact"),
    ),
    Erratum(
        "E8",
        "Hamiltonian Monte Carlo",
        r"easily read: the energy error is normal, and acceptance $2\Phi(-\sqrt{\mu/2})$",
        r"for many dimensions. For every $d$ acceptance is $2\,\mathbb{P}(F_{d,d} < 1/\kappa)$, "
        r"$\kappa$ the largest eigenvalue of $T^\top T$, $T$ the map of a trajectory",
        r"standard normal law, $d = 20$, 2 steps of size 1",
        _normal_errors,
        ("normal", "exact"),
    ),
)
