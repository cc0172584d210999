"""Predictions for the figures: along the swept axis of an experiment, finer than its points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import expit

from fragile_learning._validation import choice
from fragile_learning.bayes import theory
from fragile_learning.bayes.exact_experiments import EXACT_EXPERIMENTS
from fragile_learning.bayes.exact_problems import gaussian_weights, logistic_problem

__all__ = ["curves"]

Array = NDArray[np.float64]

_EXPERIMENTS = {one.name.removeprefix("bayes/"): one for one in EXACT_EXPERIMENTS}


# --- the logistic posterior -----------------------------------------------------------------------


def _mode(signed: Array, prior_variance: float) -> tuple[Array, Array]:
    """Most probable weights, and the covariance by the curvature there (Laplace)."""
    weights = np.zeros(2)
    for _ in range(50):  # Newton's method; the log-density is concave
        wrong = expit(-signed @ weights)
        slope = signed.T @ wrong - weights / prior_variance
        curvature = (signed.T * (wrong * (1.0 - wrong))) @ signed + np.eye(2) / prior_variance
        weights = weights + np.linalg.solve(curvature, slope)
    return weights, np.linalg.inv(curvature)


def _independent(signed: Array, prior_variance: float) -> tuple[Array, Array]:
    """Means and covariance of the mean-field law of largest evidence lower bound."""
    nodes, shares = np.polynomial.hermite_e.hermegauss(60)
    shares = shares / math.sqrt(2.0 * math.pi)

    def minus_bound(parameters: Array) -> float:
        means, variances = parameters[:2], np.exp(2.0 * parameters[2:])
        # the logit of an example is normal, so that one integral a label is enough
        logits = (signed @ means)[:, None] + np.sqrt(signed**2 @ variances)[:, None] * nodes
        fit = -np.logaddexp(0.0, -logits) @ shares
        size = float((means**2 + variances).sum()) / (2.0 * prior_variance)
        return size - float(fit.sum()) - float(parameters[2:].sum())

    mode, covariance = _mode(signed, prior_variance)
    start = np.r_[mode, -0.5 * np.log(np.diag(np.linalg.inv(covariance)))]
    found = minimize(minus_bound, start, method="BFGS", options={"gtol": 1e-7}).x
    return found[:2], np.diag(np.exp(2.0 * found[2:]))


def _mass_of_normal(mean: Array, covariance: Array, places: Array) -> Array:
    """Mass of the ellipse of a normal law that goes through each place."""
    away = (places - mean).T
    squares = (away * cho_solve(cho_factor(covariance), away)).sum(axis=0)
    return np.asarray(-np.expm1(-0.5 * squares))


def _mass_above(masses: Array) -> Array:
    """Mass of the cells that are at least as probable as each."""
    flat = masses.ravel()
    order = np.argsort(-flat, kind="stable")
    above = np.empty_like(flat)
    above[order] = np.cumsum(flat[order])
    return above.reshape(masses.shape)


def _posterior_curves(tier: str) -> pd.DataFrame:
    del tier
    given = logistic_problem()
    signed = given.inputs * given.labels[:, None]
    exact = theory.logistic_posterior(
        given.inputs, given.labels, prior_variance=given.prior_variance, n_nodes=301
    )
    above = _mass_above(exact.masses)
    inside = above < 0.998
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    window = np.ix_(rows, columns)
    grid = np.meshgrid(exact.axes[0][rows], exact.axes[1][columns], indexing="ij")
    places = np.column_stack([one.ravel() for one in grid])
    masses = {
        "exact": above[window].ravel(),
        "Laplace": _mass_of_normal(*_mode(signed, given.prior_variance), places),
        "mean field": _mass_of_normal(*_independent(signed, given.prior_variance), places),
    }
    frames = [
        pd.DataFrame({"kind": kind, "weight_0": places[:, 0], "weight_1": places[:, 1], "mass": m})
        for kind, m in masses.items()
    ]
    return pd.concat(frames, ignore_index=True)


# --- along swept axes -----------------------------------------------------------------------------


def _leapfrog_curves(tier: str) -> pd.DataFrame:
    points = pd.DataFrame(_EXPERIMENTS["leapfrog"].points(tier))
    settings = points[["n_steps", "n_dimensions"]].drop_duplicates()
    frames = []
    for steps, dimensions in settings.itertuples(index=False, name=None):
        drawn = points[(points["n_steps"] == steps) & (points["n_dimensions"] == dimensions)]
        sizes = np.linspace(0.005, 1.1 * float(drawn["step_size"].max()), 200)
        place = sizes, steps, dimensions
        columns = {
            "n_steps": steps,
            "n_dimensions": dimensions,
            "step_size": sizes,
            "mean_error_exact": theory.leapfrog_energy_error(*place),
            "acceptance_exact": theory.leapfrog_acceptance(*place),
            "acceptance_normal": theory.leapfrog_acceptance(*place, method="normal"),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _gradient_norm_curves(tier: str) -> pd.DataFrame:
    del tier
    mean, std = gaussian_weights()
    counts = np.unique(np.rint(np.geomspace(1.0, 1000.0, 121)))
    squares = theory.expected_squared_norm(mean, std, counts)
    columns = {
        "n_samples": counts,
        "norm": np.sqrt(squares),
        "limit": float(np.linalg.norm(mean)),
        "if_zero_mean": np.sqrt(theory.expected_squared_norm(np.zeros_like(mean), std, counts)),
    }
    return pd.DataFrame(columns)


def _double_softmax_curves(tier: str) -> pd.DataFrame:
    del tier
    classes = np.unique(np.r_[np.rint(np.geomspace(2.0, 1000.0, 121)), 10.0, 100.0])
    low, high = theory.double_softmax_range(classes)
    floor = theory.double_softmax_floor(classes)
    return pd.DataFrame(
        {"n_classes": classes, "loss_low": low, "loss_high": high, "score_floor": floor}
    )


_CURVES: Mapping[str, Callable[[str], pd.DataFrame]] = {
    "logistic-draws": _posterior_curves,
    "leapfrog": _leapfrog_curves,
    "gradient-norms": _gradient_norm_curves,
    "double-softmax": _double_softmax_curves,
}


def curves(name: str, tier: str = "quick") -> pd.DataFrame:
    r"""Predictions for the figure of an experiment, finer than its points.

    Parameters
    ----------
    name : str
        ``"logistic-draws"``: a grid of two weights, with the mass of the region of highest density
        that ends there, for the exact posterior, its Laplace approximation and the mean-field law
        of largest evidence lower bound. ``"leapfrog"``: step sizes up to 1.1 times the largest one
        of each setting of the experiment. ``"gradient-norms"``: root mean square norm of the mean
        of n independent gradients of the book's normal law of 100 weights, its limit, and what it
        would be with mean 0. ``"double-softmax"``: numbers of classes.
    tier : {"quick", "full"}

    Returns
    -------
    DataFrame
        The keys of the settings, then what the figure draws. Norms have no unit, losses and
        energies are in nats.

    Raises
    ------
    ValueError
        If there is no such figure or tier.

    Notes
    -----
    All are exact, but for the two approximations, and for the acceptance that takes the energy
    error for normal.

    Examples
    --------
    >>> curves("double-softmax").columns.tolist()
    ['n_classes', 'loss_low', 'loss_high', 'score_floor']
    """
    choice("tier", tier, ("quick", "full"))
    return _CURVES[choice("name", name, tuple(_CURVES))](tier)
