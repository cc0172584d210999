r"""Students of synthesized, selected data, by drawing every example and fitting.

The simulators know no formula for an accuracy or a breakdown point: they draw inputs, labels and
decisions, fit a rule, and measure that rule. On the mixture a fitted rule's own accuracy is known
exactly, and no test set is drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr

from fragile_learning._validation import (
    as_generator,
    choice,
    real_array,
    real_number,
    whole_number,
)
from fragile_learning.verification.settings import Generator, Verifier

__all__ = [
    "ESTIMATORS",
    "LinearVerification",
    "fit_rule",
    "simulate_accuracy",
    "simulate_classes",
    "simulate_linear_verifier",
    "simulate_mixing",
    "simulate_rounds",
    "simulate_rules",
]

Array = NDArray[np.float64]
Random = np.random.Generator | np.random.SeedSequence | int

ESTIMATORS = ("one-shot", "ridge", "logistic")


def fit_rule(
    estimator: str, inputs: ArrayLike, n_generated: int, ridge: float | None = None
) -> Array:
    r"""Fit a linear rule to examples whose inputs are multiplied by their labels.

    Parameters
    ----------
    estimator : {"one-shot", "ridge", "logistic"}
        The mean; or the minimum of ``sum(loss(x @ w)) / n_generated + ridge / 2 * w @ w`` with
        the loss :math:`(1-u)^2/2` or :math:`\log(1+e^{-u})`.
    inputs : array_like, shape (n_kept, n_features)
        :math:`\tilde y_i x_i`.
    n_generated : int
        >= 1; the kept ones are a part of them.
    ridge : float, optional
        > 0, or for "ridge" >= 0, 0 being the shortest least-squares solution. None for one shot.

    Returns
    -------
    ndarray, shape (n_features,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    ArithmeticError
        If Newton's method for the logistic loss does not reach a gradient of 1e-9.

    Examples
    --------
    >>> fit_rule("one-shot", [[1.0, 2.0], [3.0, 0.0]], 4)
    array([1. , 0.5])
    """
    choice("estimator", estimator, ESTIMATORS)
    x = real_array("inputs", inputs, ndim=2)
    size = whole_number("n_generated", n_generated, minimum=max(1, x.shape[0]))
    if estimator == "one-shot":
        if ridge is not None:
            raise ValueError(f"ridge must be None for one shot, got {ridge!r}")
        return np.asarray(x.sum(axis=0) / size)
    penalty = real_number("ridge", ridge, minimum=0.0, open_minimum=estimator == "logistic")
    if not x.shape[0]:
        return np.zeros(x.shape[1])
    if penalty == 0.0:
        return np.asarray(np.linalg.lstsq(x, np.ones(x.shape[0]), rcond=None)[0])
    if x.shape[0] < x.shape[1]:  # the rule is a sum of inputs: fit in their span
        basis, triangle = np.linalg.qr(x.T)
        return np.asarray(basis @ _fit(estimator, triangle.T, size, penalty))
    return _fit(estimator, x, size, penalty)


def _fit(estimator: str, x: Array, size: int, penalty: float) -> Array:
    eye = np.eye(x.shape[1])
    if estimator == "ridge":
        return np.asarray(np.linalg.solve(x.T @ x / size + penalty * eye, x.sum(axis=0) / size))
    w = np.zeros(x.shape[1])

    def objective(w: Array) -> float:
        return float(np.logaddexp(0.0, -(x @ w)).sum() / size + 0.5 * penalty * w @ w)

    value = objective(w)
    for _ in range(200):
        sigma = expit(-(x @ w))
        gradient = penalty * w - x.T @ sigma / size
        if np.abs(gradient).max() <= 1e-9 * max(1.0, penalty):
            return w
        hessian = (x * (sigma * (1.0 - sigma))[:, None]).T @ x / size + penalty * eye
        step, length = np.linalg.solve(hessian, gradient), 1.0
        while True:
            there = objective(w - length * step)
            fall = 1e-4 * length * float(gradient @ step) - 1e-14 * value  # rounding is no rise
            if there <= value - fall or length < 1e-10:
                break
            length *= 0.5
        w, value = w - length * step, there
    raise ArithmeticError(f"logistic fit stopped at a gradient of {np.abs(gradient).max():g}")


def _rates(generator: Generator, verifier: Verifier) -> tuple[float, float, float]:
    if not isinstance(generator, Generator):
        raise TypeError(f"generator must be a Generator, got {type(generator).__name__}")
    if not isinstance(verifier, Verifier):
        raise TypeError(f"verifier must be a Verifier, got {type(verifier).__name__}")
    return (
        real_number("error_rate", generator.error_rate),
        real_number("keep_if_correct", verifier.keep_if_correct),
        real_number("keep_if_wrong", verifier.keep_if_wrong),
    )


def simulate_rules(
    estimator: str,
    generator: Generator,
    verifier: Verifier,
    n_replicates: int,
    *,
    mean: ArrayLike,
    variances: ArrayLike | None = None,
    n_generated: int,
    ridge: float | None = None,
    rng: Random,
) -> Array:
    r"""Draw mixtures, flip labels, discard examples, and fit a rule to the rest.

    Parameters
    ----------
    estimator : {"one-shot", "ridge", "logistic"}
    generator : Generator
    verifier : Verifier
        Rates of one number each.
    n_replicates : int
        Independent data sets, >= 1.
    mean : array_like, shape (n_features,)
        :math:`\mu` of the class +1.
    variances : array_like, shape (n_features,), optional
        > 0 of the inputs about it; 1 by default.
    n_generated : int
        >= 1, before selection.
    ridge : float, optional
        As in `fit_rule`.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_features)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact. An input of class -1 times its label is distributed as one of class +1: only the products
    of inputs and labels are drawn, and only for the examples that are kept.

    Examples
    --------
    >>> rules = simulate_rules(
    ...     "ridge",
    ...     Generator(0.3),
    ...     Verifier(0.9, 0.3),
    ...     2,
    ...     mean=[1.0, 0.0],
    ...     n_generated=50,
    ...     ridge=0.1,
    ...     rng=1,
    ... )
    >>> rules.shape
    (2, 2)
    """
    choice("estimator", estimator, ESTIMATORS)
    p, phi, psi = _rates(generator, verifier)
    count = whole_number("n_replicates", n_replicates)
    size = whole_number("n_generated", n_generated)
    centre = real_array("mean", mean, ndim=1)
    spread = np.ones_like(centre)
    if variances is not None:
        spread = real_array("variances", variances, ndim=1, minimum=0.0, open_minimum=True)
        if spread.shape != centre.shape:
            raise ValueError(
                f"variances must have the shape of mean, {centre.shape}, got {spread.shape}"
            )
    random = as_generator(rng)
    rules = np.empty((count, centre.size))
    for replicate in range(count):
        wrong = random.random(size) < p
        keep = random.random(size) < np.where(wrong, psi, phi)
        sign = np.where(wrong[keep], -1.0, 1.0)
        x = random.standard_normal((sign.size, centre.size)) * np.sqrt(spread)
        x += sign[:, None] * centre
        rules[replicate] = fit_rule(estimator, x, size, ridge)
    return rules


def simulate_accuracy(
    estimator: str,
    generator: Generator,
    verifier: Verifier,
    n_replicates: int,
    *,
    signal: float,
    n_features: int,
    n_generated: int,
    ridge: float | None = None,
    rng: Random,
) -> Array:
    r"""Accuracy of students on the mixture with identity covariance.

    Parameters
    ----------
    estimator : {"one-shot", "ridge", "logistic"}
    generator : Generator
    verifier : Verifier
        Rates of one number each.
    n_replicates : int
        Independent data sets, >= 1.
    signal : float
        :math:`s = \lVert\mu\rVert \ge 0`.
    n_features, n_generated : int
        >= 1.
    ridge : float, optional
        As in `fit_rule`.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates,)
        Of each fitted rule, exactly; 1/2 for the rule 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> setting = dict(signal=1.2, n_features=50, n_generated=150)
    >>> found = simulate_accuracy(
    ...     "one-shot", Generator(0.25), Verifier(0.8, 0.4), 400, rng=1, **setting
    ... )
    >>> bool(abs(found.mean() - 0.825) < 0.02)
    True
    """
    strength = real_number("signal", signal, minimum=0.0)
    mean = np.zeros(whole_number("n_features", n_features))
    mean[0] = strength
    rules = simulate_rules(
        estimator,
        generator,
        verifier,
        n_replicates,
        mean=mean,
        n_generated=n_generated,
        ridge=ridge,
        rng=rng,
    )
    lengths = np.sqrt(np.sum(rules**2, axis=1))
    return np.asarray(ndtr(strength * rules[:, 0] / np.where(lengths > 0.0, lengths, 1.0)))


def simulate_mixing(
    generator: Generator,
    verifier: Verifier,
    n_replicates: int,
    *,
    signal: float,
    n_features: int,
    n_generated: int,
    n_real: int,
    weight: float = 1.0,
    rng: Random,
) -> Array:
    """Accuracy of one-shot students of real examples and of selected ones with a weight.

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
        Rates of one number each.
    n_replicates : int
        Independent data sets, >= 1.
    signal : float
        >= 0.
    n_features, n_generated : int
        >= 1.
    n_real : int
        >= 0, with right labels.
    weight : float
        Of a selected example against a real one.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates,)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> simulate_mixing(
    ...     Generator(0.3),
    ...     Verifier(0.9, 0.3),
    ...     3,
    ...     signal=1.0,
    ...     n_features=10,
    ...     n_generated=50,
    ...     n_real=20,
    ...     rng=1,
    ... ).shape
    (3,)
    """
    strength = real_number("signal", signal, minimum=0.0)
    mean = np.zeros(whole_number("n_features", n_features))
    mean[0] = strength
    real = whole_number("n_real", n_real, minimum=0)
    factor = real_number("weight", weight)
    size, random = whole_number("n_generated", n_generated), as_generator(rng)
    setting = {"mean": mean, "n_generated": size, "rng": random}
    rules = simulate_rules("one-shot", generator, verifier, n_replicates, **setting)  # type: ignore[arg-type]
    for rule in rules:
        own = random.standard_normal((real, mean.size)) + mean
        rule *= factor * size
        rule += own.sum(axis=0)
    lengths = np.sqrt(np.sum(rules**2, axis=1))
    return np.asarray(ndtr(strength * rules[:, 0] / np.where(lengths > 0.0, lengths, 1.0)))


class LinearVerification(NamedTuple):
    """What a linear generator and a linear verifier did, and their student.

    Attributes
    ----------
    accuracy : ndarray, shape (n_replicates,)
        Of the student: without a signal the share of inputs on which it has the true rule's sign,
        on the mixture the probability to predict the class.
    n_right, n_kept_right, n_wrong, n_kept_wrong : ndarray, shape (n_replicates,)
        Counts of examples.

    Examples
    --------
    >>> found = simulate_linear_verifier(0.6, 0.4, 0.0, 20, n_features=5, n_generated=2000, rng=1)
    >>> kept_wrong = found.n_kept_wrong.sum() / (found.n_kept_right + found.n_kept_wrong).sum()
    >>> round(float(kept_wrong), 2), round(float(found.n_wrong.mean()) / 2000, 2)
    (0.06, 0.19)
    """

    accuracy: Array
    n_right: Array
    n_kept_right: Array
    n_wrong: Array
    n_kept_wrong: Array


def simulate_linear_verifier(
    theta_generator: float,
    theta_verifier: float,
    correlation: float,
    n_replicates: int,
    *,
    n_features: int,
    n_generated: int,
    signal: float = 0.0,
    keep: str = "agreement",
    estimator: str = "one-shot",
    ridge: float | None = None,
    rng: Random,
) -> LinearVerification:
    r"""Students of a linear generator whose labels a linear verifier selects.

    Parameters
    ----------
    theta_generator, theta_verifier : float
        Angles in :math:`[0, \pi]` from the truth, in radians.
    correlation : float
        In [-1, 1], of the directions in which the two err.
    n_replicates : int
        Independent data sets, >= 1.
    n_features : int
        >= 3.
    n_generated : int
        >= 1.
    signal : float
        0: inputs :math:`N(0, I)`, and the true label is the sign of :math:`w^{*\top} x`. Above 0:
        inputs of the mixture with means :math:`\pm s w^*`, and the true label is the class.
    keep : {"agreement", "oracle", "all"}
        Keep where verifier and generator agree; where the label is the true one; or all.
    estimator : {"one-shot", "ridge", "logistic"}
    ridge : float, optional
        As in `fit_rule`.
    rng : Generator, SeedSequence or int

    Returns
    -------
    LinearVerification

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact: nothing is assumed of the errors but where the rules point.

    Examples
    --------
    >>> found = simulate_linear_verifier(0.9, 0.4, 0.0, 2, n_features=5, n_generated=100, rng=1)
    >>> found.accuracy.shape, bool(np.all(found.n_right + found.n_wrong == 100))
    ((2,), True)
    """
    maker, checker = _linear_pair(theta_generator, theta_verifier, correlation, n_features)
    d = maker.size
    count = whole_number("n_replicates", n_replicates)
    size = whole_number("n_generated", n_generated)
    strength = real_number("signal", signal, minimum=0.0)
    choice("keep", keep, ("agreement", "oracle", "all"))
    random = as_generator(rng)
    found = LinearVerification(*(np.empty(count) for _ in range(5)))
    for replicate in range(count):
        x = random.standard_normal((size, d))
        if strength > 0.0:
            truth = random.random(size) < 0.5
            x[:, 0] += np.where(truth, strength, -strength)
        else:
            truth = x[:, 0] > 0.0
        label = x @ maker > 0.0
        right = label == truth
        kept = {
            "agreement": (x @ checker > 0.0) == label,
            "oracle": right,
            "all": np.ones(size, bool),
        }[keep]
        signed = x[kept] * np.where(label[kept], 1.0, -1.0)[:, None]
        rule = fit_rule(estimator, signed, size, ridge)
        length = float(np.sqrt(rule @ rule))
        cosine = float(rule[0]) / length if length > 0.0 else 0.0
        found.accuracy[replicate] = (
            ndtr(strength * cosine)
            if strength > 0.0
            else 1.0 - np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi
        )
        found.n_right[replicate] = right.sum()
        found.n_kept_right[replicate] = (right & kept).sum()
        found.n_wrong[replicate] = size - right.sum()
        found.n_kept_wrong[replicate] = (kept & ~right).sum()
    return found


def simulate_classes(
    generator: Generator,
    verifier: Verifier,
    n_classes: int,
    n_replicates: int,
    *,
    signal: float,
    n_features: int,
    n_generated: int,
    n_test: int = 4000,
    rng: Random,
) -> Array:
    """Accuracy of a classifier by class means, with wrong labels spread over the other classes.

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
        Rates of one number each.
    n_classes : int
        >= 2; their means are orthogonal, and inputs spread about them with variance 1.
    n_replicates : int
        Independent data sets, >= 1.
    signal : float
        >= 0, length of each mean.
    n_features : int
        >= ``n_classes``.
    n_generated, n_test : int
        >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, 2)
        Share of right predictions on ``n_test`` new inputs: of the student, who knows a class by
        the mean of the kept inputs that are labelled so, and of the true class means.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> simulate_classes(
    ...     Generator(0.7),
    ...     Verifier(1.0, 1.0),
    ...     5,
    ...     2,
    ...     signal=2.0,
    ...     n_features=5,
    ...     n_generated=2000,
    ...     rng=1,
    ... ).shape
    (2, 2)
    """
    p, phi, psi = _rates(generator, verifier)
    classes = whole_number("n_classes", n_classes, minimum=2)
    count = whole_number("n_replicates", n_replicates)
    d = whole_number("n_features", n_features, minimum=classes)
    size, fresh = whole_number("n_generated", n_generated), whole_number("n_test", n_test)
    means = real_number("signal", signal, minimum=0.0) * np.eye(classes, d)
    random = as_generator(rng)
    found = np.empty((count, 2))
    for replicate in range(count):
        truth = random.integers(classes, size=size)
        wrong = random.random(size) < p
        label = (truth + np.where(wrong, random.integers(1, classes, size=size), 0)) % classes
        keep = random.random(size) < np.where(wrong, psi, phi)
        x = random.standard_normal((size, d)) + means[truth]
        centres = np.stack(
            [
                x[keep & (label == c)].sum(axis=0) / max(1, (keep & (label == c)).sum())
                for c in range(classes)
            ]
        )
        truth = random.integers(classes, size=fresh)
        x = random.standard_normal((fresh, d)) + means[truth]
        for column, rule in enumerate((centres, means)):
            found[replicate, column] = np.mean(np.argmax(x @ rule.T, axis=1) == truth)
    return found


def simulate_rounds(
    theta_generator: float,
    theta_verifier: float,
    correlation: float,
    n_rounds: int,
    n_replicates: int,
    *,
    n_features: int,
    n_generated: int,
    rng: Random,
) -> Array:
    r"""Let each one-shot student be the next generator, with one linear verifier throughout.

    Parameters
    ----------
    theta_generator, theta_verifier : float
        Angles in :math:`[0, \pi]` from the truth, in radians.
    correlation : float
        In [-1, 1], of the directions in which the two err.
    n_rounds : int
        >= 0.
    n_replicates : int
        Independent chains, >= 1.
    n_features : int
        >= 3.
    n_generated : int
        >= 1 new inputs :math:`N(0, I)` in each round.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_rounds + 1)
        Share of inputs on which each generation has the true rule's sign, the first included.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> simulate_rounds(0.9, 0.6, 0.0, 2, 4, n_features=5, n_generated=100, rng=1).shape
    (4, 3)
    """
    start, checker = _linear_pair(theta_generator, theta_verifier, correlation, n_features)
    rounds = whole_number("n_rounds", n_rounds, minimum=0)
    count = whole_number("n_replicates", n_replicates)
    size, random = whole_number("n_generated", n_generated), as_generator(rng)
    found = np.empty((count, rounds + 1))
    for replicate in range(count):
        maker = start
        for step in range(rounds + 1):
            length = float(np.sqrt(maker @ maker))
            cosine = float(maker[0]) / length if length > 0.0 else 0.0
            found[replicate, step] = 1.0 - np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi
            if step < rounds:
                x = random.standard_normal((size, start.size))
                label = x @ maker > 0.0
                kept = label == (x @ checker > 0.0)
                signed = x[kept] * np.where(label[kept], 1.0, -1.0)[:, None]
                maker = fit_rule("one-shot", signed, size)
    return found


def _linear_pair(
    theta_generator: float, theta_verifier: float, correlation: float, n_features: int
) -> tuple[Array, Array]:
    """Check the geometry; unit vectors of generator and verifier. The truth is the first axis."""
    g, v = (
        real_number(name, angle, minimum=0.0, maximum=np.pi)
        for name, angle in (
            ("theta_generator", theta_generator),
            ("theta_verifier", theta_verifier),
        )
    )
    rho = real_number("correlation", correlation, minimum=-1.0, maximum=1.0)
    d = whole_number("n_features", n_features, minimum=3)
    maker, checker = np.zeros(d), np.zeros(d)
    maker[:2] = np.cos(g), np.sin(g)
    checker[:3] = np.cos(v), rho * np.sin(v), np.sqrt(1.0 - rho**2) * np.sin(v)
    return maker, checker
