"""Experiments whose answers are known exactly: point functions, and their grids in both tiers.

A point function takes keyword arguments, draws from its own stream and returns rows. Columns that
end in ``exact`` come from `theory`, or are worked out by hand; the others from the library's
samplers, attacks, fits and scores, or from simulations that know no formula.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax

from fragile_learning.bayes import exact_problems, theory
from fragile_learning.networks.threads import one_thread
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import Experiment, grid

__all__ = ["CLAIMED_SETTINGS", "ENTROPY_CASES", "EXACT_EXPERIMENTS", "WITHOUT_ACCEPTANCE"]

Array = NDArray[np.float64]
Point = dict[str, Any]
Row = dict[str, Any]

SEED = 20_240_427

WITHOUT_ACCEPTANCE = "without the acceptance step"

CLAIMED_SETTINGS = ((0.5, 3, 50), (1.0, 2, 20), (0.3, 10, 200))
"""Step size, steps and dimensions of the trajectories that a claim names."""


def _models() -> Any:
    """Load what needs torch, only where it is used."""
    return importlib.import_module("fragile_learning.bayes.exact_models")


# --- samplers -----------------------------------------------------------------------------------


def _mean_of_chains(values: Array) -> tuple[float, float]:
    """Mean of (n_chains, n_draws) values, and its error from independent chains."""
    mean, error = mean_and_standard_error(values.mean(axis=1))
    return float(mean), float(error)


def _entropy(p: Array) -> Array:
    return np.asarray(-p * np.log(p) - (1.0 - p) * np.log1p(-p))


def _row(quantity: str, exact: float, estimate: float, error: float) -> Row:
    return {
        "quantity": quantity,
        "exact": float(exact),
        "estimate": float(estimate),
        "standard_error": float(error),
    }


def _moments(draws: Array, mean: Array, stds: Array) -> list[Row]:
    """Rows of means and standard deviations, the latter about the exact mean."""
    rows = []
    for j in range(len(mean)):
        rows.append(_row(f"mean of weight {j}", mean[j], *_mean_of_chains(draws[..., j])))
        square, error = _mean_of_chains((draws[..., j] - mean[j]) ** 2)
        std = math.sqrt(square)
        rows.append(_row(f"sd of weight {j}", stds[j], std, 0.5 * error / std))
    return rows


def _quantiles(draws: Array, quantile: Callable[[float], float]) -> list[Row]:
    """Rows of the tails of weight 0; the exact density turns errors of shares into theirs."""
    rows = []
    for level in (0.05, 0.95):
        place = quantile(level)
        density = 0.02 / (quantile(level + 0.01) - quantile(level - 0.01))
        _, error = _mean_of_chains(np.asarray(draws[..., 0] < place, dtype=np.float64))
        found = float(np.quantile(draws[..., 0], level))
        rows.append(
            _row(f"{round(100 * level)} % quantile of weight 0", place, found, error / density)
        )
    return rows


def _linear_rows(draws: Array) -> list[Row]:
    problem = exact_problems.regression_problem()
    posterior = theory.linear_posterior(
        problem.inputs,
        problem.targets,
        noise_variance=problem.noise_variance,
        prior_variance=problem.prior_variance,
    )
    mean, stds = posterior.mean, posterior.stds
    normal = importlib.import_module("scipy.stats").norm(mean[0], stds[0])
    both = np.prod(draws[..., :2] - mean[:2], axis=-1)
    return [
        *_moments(draws, mean, stds),
        _row("covariance of weights 0 and 1", posterior.covariance[0, 1], *_mean_of_chains(both)),
        *_quantiles(draws, lambda level: float(normal.ppf(level))),
    ]


@lru_cache(maxsize=1)
def _logistic_posterior() -> theory.LogisticPosterior:
    problem = exact_problems.logistic_problem()
    return theory.logistic_posterior(
        problem.inputs, problem.labels, prior_variance=problem.prior_variance
    )


def _logistic_rows(draws: Array) -> list[Row]:
    posterior, point = _logistic_posterior(), np.ones((1, 2))
    exact = posterior.entropies(point)
    members = expit(draws.sum(axis=-1))
    p, p_error = _mean_of_chains(members)
    own = _entropy(members)
    expected, expected_error = _mean_of_chains(own)
    slope = math.log((1.0 - p) / p)  # of the entropy of the mean
    total = float(_entropy(np.array(p)))
    _, mutual_error = _mean_of_chains(slope * members - own)
    at = " at (1, 1)"
    return [
        *_moments(draws, posterior.mean, posterior.stds),
        *_quantiles(draws, lambda level: posterior.quantile(level, 0)),
        _row("predictive" + at, posterior.predictive(point)[0], p, p_error),
        _row("total entropy" + at, exact.total[0], total, abs(slope) * p_error),
        _row("expected entropy" + at, exact.expected[0], expected, expected_error),
        _row("mutual information" + at, exact.mutual[0], total - expected, mutual_error),
    ]


@one_thread()
def posteriors_point(
    *,
    problem: str,
    sampler: str,
    step_size: float,
    trajectory: float,
    n_chains: int,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Moments, tails and predictions of draws, beside those of the exact posterior."""
    known = {
        "linear": exact_problems.regression_problem,
        "logistic": exact_problems.logistic_problem,
    }
    draws = _models().posterior_draws(
        known[problem](),
        n_chains=n_chains,
        n_draws=n_draws,
        n_warmup=30,
        step_size=step_size,
        trajectory=trajectory,
        correct=sampler != WITHOUT_ACCEPTANCE,
        rng=rng,
    )
    return _linear_rows(draws) if problem == "linear" else _logistic_rows(draws)


@one_thread()
def draws_point(*, sampler: str, n_chains: int, rng: np.random.Generator) -> list[Row]:  # noqa: ARG001
    """Last draws of independent chains for the logistic regression."""
    draws = _models().posterior_draws(
        exact_problems.logistic_problem(),
        n_chains=n_chains,
        n_draws=1,
        n_warmup=40,
        step_size=0.4,
        trajectory=1.2,
        rng=rng,
    )[:, 0]
    return [
        {"draw": i, "weight_0": float(pair[0]), "weight_1": float(pair[1])}
        for i, pair in enumerate(draws)
    ]


@one_thread()
def leapfrog_point(
    *,
    step_size: float,
    n_steps: int,
    n_dimensions: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Energy errors and acceptance of single trajectories from equilibrium."""
    found = _models().leapfrog_trajectories(
        step_size=step_size, n_steps=n_steps, n_dimensions=n_dimensions, n=n_replicates, rng=rng
    )
    error, error_se = mean_and_standard_error(found.energy_errors)
    share, share_se = mean_and_standard_error(found.acceptance)
    setting = (step_size, n_steps, n_dimensions)
    return {
        "mean_error": float(error),
        "mean_error_se": float(error_se),
        "acceptance": float(share),
        "acceptance_se": float(share_se),
        "mean_error_exact": theory.leapfrog_energy_error(*setting),
        "acceptance_exact": theory.leapfrog_acceptance(*setting),
        "acceptance_normal": theory.leapfrog_acceptance(*setting, method="normal"),
    }


# --- entropies and gradients --------------------------------------------------------------------


_LOG_2, _LOG_4 = math.log(2.0), math.log(4.0)
_NINE_TENTHS = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)

ENTROPY_CASES: dict[str, tuple[list[list[float]], tuple[float, float, float]]] = {
    "two that disagree": (
        [[math.log(0.9), math.log(0.1)], [math.log(0.1), math.log(0.9)]],
        (_LOG_2, _NINE_TENTHS, _LOG_2 - _NINE_TENTHS),
    ),
    "uniform": ([[0.0, 0.0]] * 3, (_LOG_2, _LOG_2, 0.0)),
    "certain": ([[0.0, -math.inf]] * 3, (0.0, 0.0, 0.0)),
    "certain, all different": (
        [[0.0 if i == j else -math.inf for j in range(4)] for i in range(4)],
        (_LOG_4, 0.0, _LOG_4),
    ),
    "one certain, one uniform": (
        [[0.0, -math.inf], [0.0, 0.0]],
        (
            -0.75 * math.log(0.75) - 0.25 * math.log(0.25),
            0.5 * _LOG_2,
            -0.75 * math.log(0.75) - 0.25 * math.log(0.25) - 0.5 * _LOG_2,
        ),
    ),
    "logits of 1e4, agreeing": ([[1e4, 0.0, -1e4]] * 3, (0.0, 0.0, 0.0)),
    "logits of 1e4, disagreeing": (
        [[1e4, 0.0, -1e4], [0.0, 1e4, -1e4]],
        (_LOG_2, 0.0, _LOG_2),
    ),
}
"""Logits of members on one input, and the three entropies, worked out by hand."""


@one_thread()
def entropies_point(*, case: str, rng: np.random.Generator) -> Row:
    """Total, expected entropy and mutual information, beside exact values."""
    if case == "random":
        logs = log_softmax(3.0 * rng.standard_normal((50, 1, 10)), axis=2)
        exact = tuple(float(part[0]) for part in theory.member_entropies(np.exp(logs)))
    else:
        logits, exact = ENTROPY_CASES[case]
        logs = log_softmax(np.array(logits), axis=1)[:, None]
    found = [float(part[0]) for part in _models().entropy_functions(logs)]
    names = ("total", "expected", "mutual")
    return dict(zip(names, found, strict=True)) | {
        f"{name}_exact": value for name, value in zip(names, exact, strict=True)
    }


@one_thread()
def gradient_point(
    *,
    replicate: int,  # noqa: ARG001  # its own stream
    n_samples: int,
    rng: np.random.Generator,
) -> Row:
    """Back-propagation through the predictive mean against the weighted mean of the members."""
    logs, members, whole = _models().member_gradients(n_samples=n_samples, rng=rng)
    formula = theory.predictive_gradient(logs, members)
    size = np.abs(whole).max(axis=1)
    return {
        "largest_relative_difference": float((np.abs(formula - whole).max(axis=1) / size).max()),
        "mean_loss_difference": float(
            (np.abs(members.mean(axis=0) - whole).max(axis=1) / size).max()
        ),
    }


# --- attacks on linear models ---------------------------------------------------------------------


@one_thread()
def linear_attacks_point(
    *, problem: str, radius: float, attack: str, n_steps: int, rng: np.random.Generator
) -> Row:
    """Robust accuracy of a softmax model, or mean worst loss of a binary one."""
    if problem == "softmax":
        many = exact_problems.softmax_problem()
        if attack == "exact":
            value = theory.linear_robust_accuracy(*many, radius=radius)
        else:
            success = _models().attacked(many, attack, radius=radius, n_steps=n_steps, rng=rng)[1]
            value = 1.0 - float(success.mean())
    else:
        two = exact_problems.binary_problem()
        if attack == "exact":
            value = float(theory.worst_binary_loss(*two, radius=radius).mean())
        else:
            loss = _models().attacked(two, attack, radius=radius, n_steps=n_steps, rng=rng)[2]
            value = float(loss.mean())
    return {"value": value}


def gaussian_linear_point(
    *,
    spread: float,
    gradients: str,
    n_samples: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Share of the optimal shift by attacks that use a few samples of the weights."""
    means, std = exact_problems.gaussian_weights()
    shifts = np.empty(n_replicates)
    for i in range(n_replicates):
        x = rng.random(means.size)
        weights = means + spread * std * rng.standard_normal((n_samples, means.size))
        logits = weights @ x
        # minus the gradient of a loss of the label 1, up to a positive factor
        if gradients == "logit":
            sizes = np.zeros(n_samples)
        elif gradients == "member losses":
            sizes = log_expit(-logits)
        else:
            sizes = log_expit(logits) + log_expit(-logits)
        pull = np.exp(sizes - sizes.max()) @ weights
        shifts[i] = np.sign(pull) @ means / np.abs(means).sum()
    mean, error = mean_and_standard_error(shifts)
    exact = theory.optimal_shift_fraction(means, spread * std, n_samples)
    return {
        "fraction": float(mean),
        "fraction_se": float(error),
        "fraction_exact": exact if gradients == "logit" else math.nan,
    }


_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=4)))


def gaussian_corners_point(
    *, spread: float, n_problems: int, radius: float, rng: np.random.Generator
) -> Row:
    """Whether the signs of the mean flip a label whenever any corner of the ball does."""
    by_signs = by_any = disagree = better = 0
    for _ in range(n_problems):
        mean = rng.standard_normal(4)
        variances = (spread * rng.uniform(0.1, 2.0, 4)) ** 2
        x = rng.standard_normal(4)
        label = 1.0 if mean @ x > 0.0 else -1.0
        step = theory.gaussian_label_attack(mean, [label], radius=radius)
        points = x + np.concatenate([step, radius * _CORNERS])
        up = theory.gaussian_predictive(mean, variances, points)
        own = up if label > 0.0 else 1.0 - up
        flipped = own < 0.5
        by_signs += bool(flipped[0])
        by_any += bool(flipped.any())
        disagree += bool(flipped.any() != flipped[0])
        better += bool(own.min() < own[0] - 1e-9)
    return {
        "flipped_by_signs": by_signs,
        "flipped_by_any": by_any,
        "disagreements": disagree,
        "better_corner": better,
    }


# --- scores ---------------------------------------------------------------------------------------


def _scores() -> Any:
    return importlib.import_module("fragile_learning.bayes.uncertainty")


def _toy_percentiles(correct: list[int]) -> float:
    """Integral of the accuracy over percentiles, in fractions; no two scores are equal."""
    n, tenths = len(correct), [1, *range(10, 1001, 10)]
    kept = [(n - 1) * t // 1000 + 1 for t in tenths]
    accuracy = [Fraction(sum(correct[:k]), k) for k in kept]
    pairs = zip(itertools.pairwise(accuracy), itertools.pairwise(tenths), strict=True)
    return float(sum((a + b) / 2 * Fraction(u - t, 10) for (a, b), (t, u) in pairs))


@one_thread()
def selective_point(
    *, ranking: str, share: float, n: int, n_replicates: int, rng: np.random.Generator
) -> Row:
    """Area of selective prediction, of a ranking or of the toy with ties and percentiles."""
    scores = _scores()
    error = 0.0
    if ranking.startswith("toy"):
        uncertainty, correct = exact_problems.selective_toy()
        flags = correct.astype(int).tolist()
        if ranking == "toy":
            area = scores.selective_accuracy_area(uncertainty, correct)
            exact = float(sum(Fraction(sum(flags[:k]), k) for k in range(1, 9)) / 8)
        elif ranking == "toy, all tied":
            area = scores.selective_accuracy_area(np.zeros(8), correct)
            exact = float(correct.mean())
        elif ranking == "toy, percentiles":
            area = scores.selective_accuracy_percentiles(uncertainty, correct)
            exact = _toy_percentiles(flags)
        else:  # toy, percentiles, all right
            area = scores.selective_accuracy_percentiles(uncertainty, np.ones(8, dtype=bool))
            exact = 99.9
        return {"area": area, "area_se": error, "area_exact": exact}
    right = np.arange(n) < round(share * n)
    order = {"perfect": np.arange(n), "worst": -np.arange(n)}
    if ranking == "useless":
        areas = [
            scores.selective_accuracy_area(rng.permutation(n), right) for _ in range(n_replicates)
        ]
        mean, deviation = mean_and_standard_error(areas)
        area, error = float(mean), float(deviation)
        exact = float(theory.selective_area("useless", share))
    else:
        area = scores.selective_accuracy_area(order[ranking], right)
        exact = float(theory.selective_area("perfect" if ranking == "perfect" else "worst", share))
    return {"area": area, "area_se": error, "area_exact": exact}


# --- mean field -----------------------------------------------------------------------------------


def _bound(means: Array, stds: Array) -> float:
    """Evidence lower bound of independent normal weights, from the data."""
    problem = exact_problems.regression_problem()
    x, noise, prior = problem.inputs, problem.noise_variance, problem.prior_variance
    residual = problem.targets - x @ means
    spread = ((x * stds) ** 2).sum()
    fit = -0.5 * (len(x) * math.log(2.0 * math.pi * noise) + (residual @ residual + spread) / noise)
    ratio = stds**2 / prior
    divergence = 0.5 * (means @ means / prior + (ratio - 1.0 - np.log(ratio)).sum())
    return float(fit - divergence)


def _searched() -> tuple[Array, Array]:
    """Means and standard deviations of the largest bound, by search."""
    d = exact_problems.regression_problem().inputs.shape[1]
    found = minimize(
        lambda z: -_bound(z[:d], np.exp(z[d:])),
        np.concatenate([np.zeros(d), np.full(d, -2.0)]),
        method="BFGS",
        options={"gtol": 1e-6},
    )
    return found.x[:d], np.exp(found.x[d:])


@one_thread()
def mean_field_point(
    *, method: str, n_epochs: int, learning_rate: float, rng: np.random.Generator
) -> list[Row]:
    """Mean-field law of a linear regression, and its divergences in weights and in functions."""
    problem = exact_problems.regression_problem()
    posterior = theory.linear_posterior(
        problem.inputs,
        problem.targets,
        noise_variance=problem.noise_variance,
        prior_variance=problem.prior_variance,
    )
    best = theory.mean_field_optimum(posterior)
    d = best.means.size
    if method == "search":
        means, stds = _searched()
    else:
        means, stds = _models().trained_mean_field(
            problem, n_epochs=n_epochs, learning_rate=learning_rate, rng=rng
        )

    def weights(m: Array, s: Array) -> float:
        return float(0.5 * (m @ m + s @ s - d) - np.log(s).sum())  # prior variance 1

    def functions(count: int) -> float:
        return theory.function_divergence(
            means, stds, problem.inputs[:count], prior_variance=problem.prior_variance
        )

    bound = _bound(means, stds)
    pairs = [(f"sd of weight {j}", float(best.stds[j]), float(stds[j])) for j in range(d)]
    pairs += [
        ("evidence lower bound", best.bound, bound),
        ("gap", best.gap, posterior.log_evidence - bound),
        ("divergence of functions at 5 points", weights(best.means, best.stds), functions(d)),
        (
            "divergence of functions at 3 points",
            theory.function_divergence(best.means, best.stds, problem.inputs[:3], prior_variance=1),
            functions(3),
        ),
    ]
    return [{"quantity": name, "exact": exact, "trained": found} for name, exact, found in pairs]


# --- grids --------------------------------------------------------------------------------------


def _posteriors_grid(n_chains: int, n_draws: int) -> list[Point]:
    return [
        {"problem": problem, "sampler": sampler, "step_size": size, "trajectory": length}
        | {"n_chains": n_chains, "n_draws": n_draws}
        for problem, size, length in (("linear", 0.06, 0.25), ("logistic", 0.4, 1.2))
        for sampler in ("HMC", WITHOUT_ACCEPTANCE)
    ]


def _leapfrog_grid(count: int, sizes: list[float]) -> list[Point]:
    settings = [*CLAIMED_SETTINGS, *((size, 3, 50) for size in sizes)]
    return [
        {"step_size": e, "n_steps": steps, "n_dimensions": d, "n_replicates": count}
        for e, steps, d in settings
    ]


def _attacks_grid(many: list[float], two: list[float]) -> list[Point]:
    return [
        {"problem": problem, "radius": radius, "attack": attack, "n_steps": 40}
        for problem, radii in (("softmax", many), ("binary", two))
        for radius in radii
        for attack in ("exact", "FGSM", "label", "margin", "targeted")
    ]


def _selective_grid(sizes: list[int], shares: list[float], count: int) -> list[Point]:
    points = grid(
        ranking=["perfect", "useless", "worst"], share=shares, n=sizes, n_replicates=[count]
    )
    toys = ("toy", "toy, all tied", "toy, percentiles", "toy, percentiles, all right")
    return points + [
        {"ranking": toy, "share": 1.0 if toy.endswith("right") else 0.625, "n": 8}
        | {"n_replicates": 1}
        for toy in toys
    ]


def _mean_field_grid(n_epochs: int, learning_rate: float) -> list[Point]:
    return [
        {"method": "search", "n_epochs": 0, "learning_rate": 0.0},
        {"method": "training", "n_epochs": n_epochs, "learning_rate": learning_rate},
    ]


def _one(name: str, description: str, point: Any, number: int, **fields: Any) -> Experiment:
    grids = {"quick": fields.pop("quick"), "full": fields.pop("full")}
    return Experiment(f"bayes/{name}", description, point, grids, seed=SEED + number, **fields)


_TORCH = ("torch",)

EXACT_EXPERIMENTS: tuple[Experiment, ...] = (
    _one(
        "exact-posteriors",
        "Draws of two regressions beside their exact posteriors, with and without acceptance.",
        posteriors_point,
        0,
        quick=_posteriors_grid(200, 60),
        full=_posteriors_grid(1000, 400),
        columns=("quantity", "exact", "estimate", "standard_error"),
        requires=_TORCH,
    ),
    _one(
        "logistic-draws",
        "Draws of the two weights of a logistic regression, one from each of many chains.",
        draws_point,
        1,
        quick=[{"sampler": "HMC", "n_chains": 400}],
        full=[{"sampler": "HMC", "n_chains": 800}],
        columns=("draw", "weight_0", "weight_1"),
        requires=_TORCH,
    ),
    _one(
        "leapfrog",
        "Energy errors and acceptance of trajectories on a normal law, against the closed forms.",
        leapfrog_point,
        2,
        quick=_leapfrog_grid(10_000, [0.3, 0.7, 0.8, 0.9, 1.0, 1.2]),
        full=_leapfrog_grid(200_000, [round(0.1 * i, 1) for i in range(2, 13) if i != 5]),
        columns=(
            "mean_error",
            "mean_error_se",
            "acceptance",
            "acceptance_se",
            "mean_error_exact",
            "acceptance_exact",
            "acceptance_normal",
        ),
        requires=_TORCH,
    ),
    _one(
        "entropies",
        "Total, expected entropy and mutual information of given members, against exact values.",
        entropies_point,
        3,
        quick=grid(case=[*ENTROPY_CASES, "random"]),
        full=grid(case=[*ENTROPY_CASES, "random"]),
        columns=("total", "expected", "mutual", "total_exact", "expected_exact", "mutual_exact"),
        requires=_TORCH,
    ),
    _one(
        "predictive-gradient",
        "Gradient of the predictive mean: back-propagation against weighted member gradients.",
        gradient_point,
        4,
        quick=grid(replicate=[0, 1, 2], n_samples=[1, 8, 64]),
        full=grid(replicate=list(range(20)), n_samples=[1, 2, 8, 64, 256]),
        columns=("largest_relative_difference", "mean_loss_difference"),
        requires=_TORCH,
    ),
    _one(
        "linear-attacks",
        "Attacks on linear models against the exact robust accuracy and the exact worst loss.",
        linear_attacks_point,
        5,
        quick=_attacks_grid([0.01, 0.05, 0.1], [0.05, 0.2]),
        full=_attacks_grid(
            [0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15], [0.02, 0.05, 0.1, 0.2, 0.3]
        ),
        columns=("value",),
        requires=_TORCH,
    ),
    _one(
        "gaussian-linear",
        "Share of the optimal shift by attacks on a normal law of weights that use few samples.",
        gaussian_linear_point,
        6,
        quick=grid(
            spread=[0.5, 1.0, 2.0],
            gradients=["logit", "member losses", "predictive"],
            n_samples=[1, 4, 16, 64],
            n_replicates=[300],
        ),
        full=grid(
            spread=[0.25, 0.5, 1.0, 2.0],
            gradients=["logit", "member losses", "predictive"],
            n_samples=[1, 2, 4, 8, 16, 32, 64, 128, 256],
            n_replicates=[2000],
        ),
        columns=("fraction", "fraction_se", "fraction_exact"),
        nullable=("fraction_exact",),
    ),
    _one(
        "gaussian-corners",
        "Labels flipped by the signs of the mean, and by any corner of the ball, by quadrature.",
        gaussian_corners_point,
        7,
        quick=grid(spread=[0.0, 0.5, 1.0, 3.0], n_problems=[400], radius=[0.25]),
        full=grid(spread=[0.0, 0.25, 0.5, 1.0, 3.0, 10.0], n_problems=[4000], radius=[0.25]),
        stream_keys=("n_problems", "radius"),
        columns=("flipped_by_signs", "flipped_by_any", "disagreements", "better_corner"),
    ),
    _one(
        "selective-areas",
        "Areas of selective prediction: three rankings, ties, and the version by percentiles.",
        selective_point,
        8,
        quick=_selective_grid([500, 2000], [0.5, 0.8], 50),
        full=_selective_grid([200, 500, 2000, 10_000], [0.1, 0.25, 0.5, 0.8, 0.95], 400),
        columns=("area", "area_se", "area_exact"),
        requires=_TORCH,
    ),
    _one(
        "mean-field",
        "Mean-field optimum of a linear regression: closed form, search and training.",
        mean_field_point,
        9,
        quick=_mean_field_grid(6000, 0.006),
        full=_mean_field_grid(40_000, 0.003),
        columns=("quantity", "exact", "trained"),
        requires=_TORCH,
    ),
)
