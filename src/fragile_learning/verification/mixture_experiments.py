"""Experiments on the mixture of two classes: point functions, and their grids in both tiers.

A point function takes keyword arguments, draws from its own stream and returns rows of numbers.
``law`` is what the theory says, ``mean`` and ``se`` are those of the replicates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr

from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import Experiment, grid
from fragile_learning.verification import simulation, theory
from fragile_learning.verification.settings import Generator, Verifier

__all__ = ["MIXTURE_EXPERIMENTS"]

Array = NDArray[np.float64]
Point = dict[str, Any]
Row = dict[str, Any]

SEED = 20_241_025

_DRAWN = ("mean", "se")


def _drawn(values: Array) -> Row:
    mean, error = mean_and_standard_error(values)
    return {"mean": float(mean), "se": float(error)}


def _law(
    estimator: str, players: tuple[Generator, Verifier], sizes: Point, ridge: float | None
) -> float:
    """Accuracy in the proportional limit."""
    if ridge is None:
        return float(theory.accuracy_one_shot(*players, **sizes))
    law = theory.accuracy_ridge if estimator == "ridge" else theory.accuracy_logistic
    return float(law(*players, ridge=ridge, **sizes))


# --- independent errors -------------------------------------------------------------------------


def breakdown_point(
    *,
    estimator: str,
    shift: float,
    keep_if_correct: float,
    keep_if_wrong: float,
    signal: float,
    n_features: int,
    n_generated: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Agreement with the Bayes rule on one side of the breakdown point."""
    verifier = Verifier(keep_if_correct, keep_if_wrong)
    star = float(theory.breakdown_point(verifier))
    generator = Generator(star + shift)
    mean = np.zeros(n_features)
    mean[0] = signal
    rules = simulation.simulate_rules(
        estimator,
        generator,
        verifier,
        n_replicates,
        mean=mean,
        n_generated=n_generated,
        ridge=None if estimator == "one-shot" else 0.1,
        rng=rng,
    )
    agreement = theory.agreement_of_rules(rules, mean, mean=mean)
    assert isinstance(agreement, np.ndarray)  # noqa: S101  # of the replicates
    sizes: Point = {"signal": signal, "n_features": n_features, "n_generated": n_generated}
    return {
        "breakdown_point": star,
        "error_rate": star + shift,
        "law": theory.agreement(generator, verifier, **sizes),
        **_drawn(agreement),
    }


def accuracy_point(
    *,
    estimator: str,
    error_rate: float,
    keep_if_correct: float,
    keep_if_wrong: float,
    signal: float,
    n_features: int,
    n_generated: int,
    ridge: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Accuracy of students: law of the proportional limit, simulation, and the best there is."""
    players = Generator(error_rate), Verifier(keep_if_correct, keep_if_wrong)
    sizes: Point = {"signal": signal, "n_features": n_features, "n_generated": n_generated}
    penalty = None if estimator == "one-shot" else ridge
    found = simulation.simulate_accuracy(
        estimator, *players, n_replicates, ridge=penalty, rng=rng, **sizes
    )
    return {
        "breakdown_point": theory.breakdown_point(players[1]),
        "effective_samples": theory.effective_samples(*players, n_generated),
        "bayes": float(ndtr(signal)),
        "one_shot": theory.accuracy_one_shot(*players, **sizes),
        "law": _law(estimator, players, sizes, penalty),
        **_drawn(found),
    }


def window_point(
    *,
    tau: float,
    keep_if_correct: float,
    keep_if_wrong: float,
    signal: float,
    n_features: int,
    n_generated: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Accuracy of one-shot students at a distance tau / sqrt(N) from the breakdown point."""
    verifier = Verifier(keep_if_correct, keep_if_wrong)
    star = float(theory.breakdown_point(verifier))
    generator = Generator(star - tau / float(np.sqrt(n_generated)))
    sizes: Point = {"signal": signal, "n_features": n_features, "n_generated": n_generated}
    found = simulation.simulate_accuracy(
        "one-shot", generator, verifier, n_replicates, rng=rng, **sizes
    )
    return {
        "error_rate": generator.error_rate,
        "law": theory.critical_window(generator, verifier, **sizes),
        "proportional": theory.accuracy_one_shot(generator, verifier, **sizes),
        **_drawn(found),
        "spread": float(found.std(ddof=1)),
    }


_UNEQUAL: Point = {"mean": [1.0, 0.8, 0.6, 0.4, 0.2], "variances": [4.0, 2.0, 1.0, 0.5, 0.25]}


def unequal_point(
    *,
    estimator: str,
    error_rate: float,
    ridge: float,
    n_generated: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Agreement with the Bayes rule when the variances of the features differ."""
    players = Generator(error_rate), Verifier(0.9, 0.3)
    bayes = np.array(_UNEQUAL["mean"]) / np.array(_UNEQUAL["variances"])
    limit = theory.limit_rule(estimator, *players, ridge=ridge, **_UNEQUAL)
    rules = simulation.simulate_rules(
        estimator, *players, n_replicates, n_generated=n_generated, ridge=ridge, rng=rng, **_UNEQUAL
    )
    agreement = theory.agreement_of_rules(rules, bayes, **_UNEQUAL)
    assert isinstance(agreement, np.ndarray)  # noqa: S101  # of the replicates
    return {"law": theory.agreement_of_rules(limit, bayes, **_UNEQUAL), **_drawn(agreement)}


def ranking_point(
    *,
    at: str,
    keep_if_correct: float,
    keep_if_wrong: float,
    n_examples: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Accuracy with as many generated, or as many kept examples."""
    players = Generator(0.3), Verifier(keep_if_correct, keep_if_wrong)
    kept = 0.7 * keep_if_correct + 0.3 * keep_if_wrong
    size = n_examples if at == "generated" else round(n_examples / kept)
    sizes: Point = {"signal": 1.5, "n_features": 400, "n_generated": size}
    found = simulation.simulate_accuracy("one-shot", *players, n_replicates, rng=rng, **sizes)
    return {
        "breakdown_point": theory.breakdown_point(players[1]),
        "n_generated": size,
        "law": theory.accuracy_one_shot(*players, **sizes),
        **_drawn(found),
    }


def classes_point(
    *,
    n_classes: int,
    error_rate: float,
    keep_if_correct: float,
    keep_if_wrong: float,
    n_generated: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Accuracy of a classifier by class means with scattered wrong labels."""
    players = Generator(error_rate), Verifier(keep_if_correct, keep_if_wrong)
    found = simulation.simulate_classes(
        *players,
        n_classes,
        n_replicates,
        signal=2.0,
        n_features=40,
        n_generated=n_generated,
        rng=rng,
    )
    return {
        "breakdown_point": theory.breakdown_point(players[1], n_classes),
        "breakdown_point_of_two": theory.breakdown_point(players[1]),
        "bayes": float(found[:, 1].mean()),
        **_drawn(found[:, 0]),
    }


# --- linear generators and verifiers ------------------------------------------------------------


def angles_point(
    *,
    degrees_generator: float,
    degrees_verifier: float,
    correlation: float,
    estimator: str,
    n_generated: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Student of a linear generator and verifier: rates, breakdown point and accuracy."""
    g, v = np.radians(degrees_generator), np.radians(degrees_verifier)
    p, phi, psi = theory.rates_from_angles(g, v, correlation)
    found = simulation.simulate_linear_verifier(
        g,
        v,
        correlation,
        n_replicates,
        n_features=5,
        n_generated=n_generated,
        estimator=estimator,
        ridge=None if estimator == "one-shot" else 0.1,
        rng=rng,
    )
    return {
        "error_rate": p,
        "breakdown_point": theory.breakdown_point(Verifier(phi, psi)),
        "generator": 1.0 - p,
        "law": theory.bisector_accuracy(g, v, correlation),
        **_drawn(found.accuracy),
    }


def random_angles_point(*, n_draws: int, rng: np.random.Generator) -> Row:
    """Random angles: how often the breakdown point and the sum of the angles disagree."""
    g, v = rng.uniform(0.0, np.pi, (2, n_draws))
    rho = rng.uniform(-1.0, 1.0, n_draws)
    p, phi, psi = theory.rates_from_angles(g, v, rho)
    below = p < theory.breakdown_point(Verifier(phi, psi))
    student = theory.bisector_accuracy(g, v, rho)
    acute = g + v < np.pi
    return {
        "violations": int(np.sum(below != acute)),
        "wrong_side": int(np.sum((student > 0.5) != acute)),
        "share_below": float(np.mean(below)),
        "share_below_but_worse": float(np.mean(below & (student < 1.0 - p))),
    }


def rounds_point(
    *,
    degrees_generator: float,
    degrees_verifier: float,
    correlation: float,
    n_rounds: int,
    n_generated: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Accuracies over rounds with one linear verifier."""
    g, v = np.radians(degrees_generator), np.radians(degrees_verifier)
    law = theory.rounds_accuracy(g, v, correlation, n_rounds)
    found = simulation.simulate_rounds(
        g, v, correlation, n_rounds, n_replicates, n_features=5, n_generated=n_generated, rng=rng
    )
    verifier = 1.0 - v / np.pi
    return [
        {"round": t, "verifier": verifier, "law": float(law[t]), **_drawn(found[:, t])}
        for t in range(n_rounds + 1)
    ]


def self_training_point(
    *,
    degrees_generator: float,
    signal: float,
    n_generated: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """One-shot student of a linear generator on the mixture, without a verifier."""
    g = float(np.radians(degrees_generator))
    found = simulation.simulate_linear_verifier(
        g,
        0.0,
        0.0,
        n_replicates,
        n_features=5,
        n_generated=n_generated,
        signal=signal,
        keep="all",
        rng=rng,
    )
    return {
        "generator": float(ndtr(signal * np.cos(g))),
        "law": theory.self_training_accuracy(g, signal=signal),
        **_drawn(found.accuracy),
    }


def more_data_point(
    *, keep: str, n_generated: int, ridge: float, n_replicates: int, rng: np.random.Generator
) -> Row:
    """Nearly unpenalised logistic student of a linear generator on the mixture."""
    found = simulation.simulate_linear_verifier(
        np.radians(60.0),
        np.radians(45.0),
        0.3,
        n_replicates,
        n_features=20,
        n_generated=n_generated,
        signal=1.5,
        keep=keep,
        estimator="logistic",
        ridge=ridge,
        rng=rng,
    )
    return {
        "generator": float(ndtr(1.5 * np.cos(np.radians(60.0)))),
        "bayes": float(ndtr(1.5)),
        **_drawn(found.accuracy),
    }


# --- choices --------------------------------------------------------------------------------------


def threshold_point(
    *,
    error_rate: float,
    separation: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Threshold of a score: the rule for the odds, a search, and soft weights."""
    generator = Generator(error_rate)
    best = theory.best_threshold(generator, separation=separation)

    def information(t: Any) -> Any:
        right = (1.0 - error_rate) * ndtr(separation - t)
        wrong = error_rate * ndtr(-t)
        return (right - wrong) * np.abs(right - wrong) / (right + wrong)

    places = np.linspace(-6.0, separation + 6.0, 2001)
    place = float(places[np.argmax(information(places))])
    found = minimize_scalar(
        lambda t: -float(information(t)),
        bounds=(place - 0.02, place + 0.02),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return {
        "threshold": best.threshold,
        "searched": float(found.x),
        "information": best.information,
        "information_searched": -float(found.fun),
        "soft": theory.soft_information(generator, separation=separation),
        "unverified": max(0.0, 1.0 - 2.0 * error_rate) ** 2,
    }


def cost_point(
    *,
    error_rate: float,
    keep_if_correct: float,
    keep_if_wrong: float,
    cost_train: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Break-even price of a check: formula, and the price at which a budget buys as much."""
    generator, verifier = Generator(error_rate), Verifier(keep_if_correct, keep_if_wrong)
    cost = {"cost_generate": 1.0, "cost_train": cost_train}
    plain = theory.information_per_cost(generator, Verifier(1.0, 1.0), **cost)

    def gain(price: float) -> float:
        bought = theory.information_per_cost(generator, verifier, cost_verify=price, **cost)
        return float(bought - plain)

    free = gain(0.0)
    return {
        "price": theory.cost_break_even(generator, verifier, **cost),
        "gain_if_free": free,
        "solved": float(brentq(gain, 0.0, 1e9, xtol=1e-12, rtol=1e-14)) if free > 0.0 else np.nan,
        "best_fraction": _best_fraction(generator, verifier, cost_train),
    }


def _best_fraction(generator: Generator, verifier: Verifier, cost_train: float) -> float:
    """Share of the examples that a fixed budget should check, at a price of 0.3, by search."""
    p = float(generator.error_rate)
    share = np.linspace(0.0, 1.0, 101)
    kept = (1.0 - p) * float(verifier.keep_if_correct) + p * float(verifier.keep_if_wrong)
    checked = float(theory.effective_samples(generator, verifier, 1.0))
    worth = share * checked + (1.0 - share) * (1.0 - 2.0 * p) ** 2
    cost = 1.0 + 0.3 * share + cost_train * (share * kept + 1.0 - share)
    return float(share[np.argmax(worth / cost)])


# --- grids --------------------------------------------------------------------------------------


def _breakdown_grid(count: int, sizes: list[int]) -> list[Point]:
    rates = [(0.9, 0.3), (1.0, 1.0)]
    points: list[Point] = [
        {
            "estimator": estimator,
            "shift": shift,
            "keep_if_correct": phi,
            "keep_if_wrong": psi,
            "signal": 1.5,
            "n_features": 5,
            "n_generated": n,
            "n_replicates": count,
        }
        for estimator in simulation.ESTIMATORS
        for phi, psi in rates
        for shift in (-0.1, 0.1)
        for n in sizes
    ]
    # the same generator with an oracle and with nobody: error rate 0.8
    some = [one for one in points if one["shift"] > 0.0 and one["keep_if_wrong"] == 1.0]
    for phi, psi, shift in ((1.0, 0.0, -0.2), (1.0, 1.0, 0.3)):
        points += [
            {**one, "keep_if_correct": phi, "keep_if_wrong": psi, "shift": shift} for one in some
        ]
    return points


def _accuracy_grid(estimator: str, count: int, n_features: int, **axes: list[Any]) -> list[Point]:
    base: dict[str, list[Any]] = {
        "estimator": [estimator],
        "error_rate": [0.3],
        "keep_if_correct": [0.9],
        "keep_if_wrong": [0.3],
        "signal": [1.5],
        "n_features": [n_features],
        "n_generated": [4 * n_features],
        "ridge": [0.1],
        "n_replicates": [count],
    }
    return grid(**(base | axes))


def _one_shot_grid(count: int, n_features: int, rates: list[float]) -> list[Point]:
    return [
        point
        for phi, psi in ((1.0, 1.0), (0.9, 0.3), (1.0, 0.0))
        for point in _accuracy_grid(
            "one-shot",
            count,
            n_features,
            error_rate=rates,
            keep_if_correct=[phi],
            keep_if_wrong=[psi],
            ridge=[0.0],
        )
    ]


def _ridge_grid(count: int, d: int) -> list[Point]:
    """Around the dip at d / kappa: kappa = 0.72."""
    sizes = [round(x * d / 0.72) for x in (0.4, 0.8, 1.0, 1.25, 2.5, 6.0)]
    return _accuracy_grid("ridge", count, d, n_generated=sizes, ridge=[0.0, 0.1, 1e6])


def _logistic_grid(count: int, d: int) -> list[Point]:
    return _accuracy_grid(
        "logistic", count, d, error_rate=[0.1, 0.6, 0.9], n_generated=[d, 3 * d], ridge=[0.01, 0.3]
    )


def _ranking_grid(count: int) -> list[Point]:
    return [
        {"at": at, "keep_if_correct": phi, "keep_if_wrong": psi, "n_examples": n}
        | {"n_replicates": count}
        for at, n in (("generated", 4000), ("kept", 1000))
        for phi, psi in ((0.05, 0.0), (1.0, 0.5))
    ]


def _classes_grid(count: int, size: int) -> list[Point]:
    return [
        {"n_classes": 5, "error_rate": p, "keep_if_correct": phi, "keep_if_wrong": psi}
        | {"n_generated": size, "n_replicates": count}
        for p, phi, psi in ((0.7, 1.0, 1.0), (0.9, 1.0, 1.0), (0.9, 0.9, 0.2))
    ]


def _angles_grid(count: int, size: int, estimators: list[str]) -> list[Point]:
    places = [(50, 20, 0.0), (50, 20, 0.9), (50, 70, 0.9), (50, 50, 0.0), (100, 70, 0.0)]
    places += [(120, 75, 0.0)]
    return [
        {"degrees_generator": float(g), "degrees_verifier": float(v), "correlation": rho}
        | {"estimator": estimator, "n_generated": size, "n_replicates": count}
        for g, v, rho in places
        for estimator in estimators
    ]


def _more_data_grid(count: int, sizes: list[int]) -> list[Point]:
    return [
        {"keep": keep, "n_generated": n, "ridge": 1e-4, "n_replicates": count}
        for keep in ("oracle", "agreement", "all")
        for n in sizes
    ]


def _one(name: str, description: str, point: Any, number: int, **fields: Any) -> Experiment:
    grids = {"quick": fields.pop("quick"), "full": fields.pop("full")}
    return Experiment(
        f"verification/{name}", description, point, grids, seed=SEED + number, **fields
    )


_ACCURACY = ("breakdown_point", "effective_samples", "bayes", "one_shot", "law", *_DRAWN)

MIXTURE_EXPERIMENTS: tuple[Experiment, ...] = (
    _one(
        "breakdown",
        "Agreement with the Bayes rule on both sides of the breakdown point, three students.",
        breakdown_point,
        0,
        quick=_breakdown_grid(8, [20_000]),
        full=_breakdown_grid(100, [200, 2000, 20_000, 200_000]),
        columns=("breakdown_point", "error_rate", "law", *_DRAWN),
    ),
    _one(
        "one-shot",
        "Accuracy of the one-shot student against the error rate, three verifiers.",
        accuracy_point,
        1,
        quick=_one_shot_grid(40, 200, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0][:-1]),
        full=_one_shot_grid(400, 400, [round(0.05 * i, 2) for i in range(20)]),
        columns=_ACCURACY,
    ),
    _one(
        "ridge",
        "Accuracy of ridge regression around the dip at as many kept examples as features.",
        accuracy_point,
        2,
        quick=_ridge_grid(30, 150),
        full=_ridge_grid(400, 400),
        columns=_ACCURACY,
    ),
    _one(
        "logistic",
        "Accuracy of logistic regression: fixed point and simulation.",
        accuracy_point,
        3,
        quick=_logistic_grid(50, 150),
        full=_logistic_grid(200, 400),
        columns=_ACCURACY,
    ),
    _one(
        "window",
        "Accuracy of one-shot students near the breakdown point, at few features.",
        window_point,
        4,
        quick=grid(
            tau=[-3.0, -1.0, 0.0, 1.0, 3.0],
            keep_if_correct=[0.8],
            keep_if_wrong=[0.4],
            signal=[1.2],
            n_features=[4],
            n_generated=[400, 3600],
            n_replicates=[1500],
        ),
        full=grid(
            tau=[-6.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 6.0],
            keep_if_correct=[0.8],
            keep_if_wrong=[0.4],
            signal=[1.2],
            n_features=[4],
            n_generated=[400, 1600, 6400, 25_600],
            n_replicates=[20_000],
        ),
        columns=("error_rate", "law", "proportional", *_DRAWN, "spread"),
    ),
    _one(
        "unequal",
        "Agreement with the Bayes rule when variances differ: limit and simulation.",
        unequal_point,
        5,
        quick=grid(
            estimator=["ridge", "logistic"],
            error_rate=[0.3, 0.9],
            ridge=[1.0],
            n_generated=[200_000],
            n_replicates=[4],
        ),
        full=grid(
            estimator=["ridge", "logistic"],
            error_rate=[0.3, 0.9],
            ridge=[0.01, 0.1, 1.0, 10.0],
            n_generated=[200_000],
            n_replicates=[50],
        ),
        columns=("law", *_DRAWN),
    ),
    _one(
        "ranking",
        "A stingy and a generous verifier at as many generated, and as many kept examples.",
        ranking_point,
        6,
        quick=_ranking_grid(20),
        full=_ranking_grid(400),
        columns=("breakdown_point", "n_generated", "law", *_DRAWN),
    ),
    _one(
        "classes",
        "Five classes with scattered wrong labels, below and above the breakdown point.",
        classes_point,
        7,
        quick=_classes_grid(3, 60_000),
        full=_classes_grid(40, 60_000),
        columns=("breakdown_point", "breakdown_point_of_two", "bayes", *_DRAWN),
    ),
    _one(
        "angles",
        "Students of linear generators and verifiers: rates, bisector, simulation.",
        angles_point,
        8,
        quick=_angles_grid(20, 20_000, ["one-shot", "ridge"]),
        full=_angles_grid(200, 50_000, ["one-shot", "ridge", "logistic"]),
        columns=("error_rate", "breakdown_point", "generator", "law", *_DRAWN),
    ),
    _one(
        "random-angles",
        "Random linear generators and verifiers: breakdown point against the sum of the angles.",
        random_angles_point,
        9,
        quick=[{"n_draws": 20_000}],
        full=[{"n_draws": 2_000_000}],
        columns=("violations", "wrong_side", "share_below", "share_below_but_worse"),
    ),
    _one(
        "rounds",
        "Accuracy over rounds with one linear verifier: geodesic and simulation.",
        rounds_point,
        10,
        quick=[
            {"degrees_generator": 50.0, "degrees_verifier": v, "correlation": rho, "n_rounds": 6}
            | {"n_generated": 20_000, "n_replicates": 10}
            for v, rho in ((40.0, 0.0), (65.0, 0.3))
        ],
        full=[
            {"degrees_generator": 50.0, "degrees_verifier": v, "correlation": rho, "n_rounds": 10}
            | {"n_generated": 50_000, "n_replicates": 100}
            for v, rho in ((40.0, 0.0), (65.0, 0.3), (20.0, 0.9))
        ],
        columns=("round", "verifier", "law", *_DRAWN),
    ),
    _one(
        "self-training",
        "Students of unverified linear generators on the mixture: law and simulation.",
        self_training_point,
        11,
        quick=grid(
            degrees_generator=[30.0, 60.0, 85.0, 110.0],
            signal=[1.0, 2.0],
            n_generated=[20_000],
            n_replicates=[12],
        ),
        full=grid(
            degrees_generator=[15.0, 30.0, 45.0, 60.0, 75.0, 85.0, 95.0, 110.0, 150.0],
            signal=[0.5, 1.0, 1.5, 2.0, 3.0],
            n_generated=[50_000],
            n_replicates=[100],
        ),
        columns=("generator", "law", *_DRAWN),
    ),
    _one(
        "threshold",
        "Where to cut a verifier's score: rule, search, soft weights.",
        threshold_point,
        12,
        quick=grid(error_rate=[0.05, 0.2, 0.4, 0.6, 0.8], separation=[0.5, 1.0, 1.5, 2.0, 4.0]),
        full=grid(
            error_rate=[round(0.05 * i, 2) for i in range(1, 20)],
            separation=[0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0],
        ),
        columns=(
            "threshold",
            "searched",
            "information",
            "information_searched",
            "soft",
            "unverified",
        ),
    ),
    _one(
        "costs",
        "Price up to which verification is worth it: formula and solution.",
        cost_point,
        13,
        quick=grid(
            error_rate=[0.1, 0.3, 0.45],
            keep_if_correct=[0.6, 0.9],
            keep_if_wrong=[0.0, 0.3, 0.8],
            cost_train=[0.0, 1.0, 5.0],
        ),
        full=grid(
            error_rate=[0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.48],
            keep_if_correct=[0.3, 0.6, 0.9, 1.0],
            keep_if_wrong=[0.0, 0.1, 0.3, 0.5, 0.8],
            cost_train=[0.0, 1.0, 5.0, 20.0],
        ),
        columns=("price", "gain_if_free", "solved", "best_fraction"),
        nullable=("solved",),
    ),
    _one(
        "more-data",
        "Nearly unpenalised logistic students of a linear generator, against the sample size.",
        more_data_point,
        14,
        quick=_more_data_grid(20, [30, 100, 3000]),
        full=_more_data_grid(200, [30, 60, 100, 300, 1000, 3000, 10_000]),
        columns=("generator", "bayes", *_DRAWN),
    ),
)
