r"""Linear rules on the mixture: accuracy, agreement, and what infinite data teach.

Classes are normal with means :math:`\pm\mu` and one diagonal covariance :math:`\Sigma`: any
covariance is, in its eigenbasis. `fragile_learning.verification.theory` re-exports the functions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import erf, expit, ndtr

from fragile_learning._validation import choice, real_array, real_number, result
from fragile_learning.verification.settings import Generator, Verifier, masses

__all__ = ["accuracy_of_rule", "agreement_of_rules", "limit_rule"]

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def _mixture(mean: ArrayLike, variances: ArrayLike | None) -> tuple[Array, Array]:
    centre = real_array("mean", mean, ndim=1)
    if variances is None:
        return centre, np.ones_like(centre)
    spread = real_array("variances", variances, ndim=1, minimum=0.0, open_minimum=True)
    if spread.shape != centre.shape:
        raise ValueError(
            f"variances must have the shape of mean, {centre.shape}, got {spread.shape}"
        )
    return centre, spread


def _rule(name: str, value: ArrayLike, size: int) -> Array:
    rule = real_array(name, value)
    if rule.ndim == 0 or rule.shape[-1] != size:
        raise ValueError(f"{name} must have a last axis of length {size}, got shape {rule.shape}")
    return rule


def accuracy_of_rule(
    rule: ArrayLike, *, mean: ArrayLike, variances: ArrayLike | None = None
) -> Array | float:
    r"""Accuracy :math:`\Phi(w^\top\mu/\sqrt{w^\top\Sigma w})` of the sign of :math:`w^\top x`.

    Parameters
    ----------
    rule : array_like, shape (..., n_features)
    mean : array_like, shape (n_features,)
        :math:`\mu`, in the units of the inputs.
    variances : array_like, shape (n_features,), optional
        Diagonal of :math:`\Sigma`, > 0; 1 by default.

    Returns
    -------
    float or ndarray, shape (...)
        1/2 for the rule 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or of another length.

    Notes
    -----
    Exact.

    Examples
    --------
    >>> round(accuracy_of_rule([2.0, 0.0], mean=[1.5, 0.0]), 4)
    0.9332
    """
    centre, spread = _mixture(mean, variances)
    w = _rule("rule", rule, centre.size)
    length = np.sqrt(np.sum(spread * w**2, axis=-1))
    return result(ndtr((w @ centre) / np.where(length > 0.0, length, 1.0)))


def agreement_of_rules(
    first: ArrayLike,
    second: ArrayLike,
    *,
    mean: ArrayLike,
    variances: ArrayLike | None = None,
) -> Array | float:
    r"""Share of inputs on which two linear rules predict the same.

    With ``e`` each rule's mean over its standard deviation, and ``r`` their correlation,
    :math:`\Phi_2(e_1, e_2; r) + \Phi_2(-e_1, -e_2; r)`.

    Parameters
    ----------
    first, second : array_like, shape (..., n_features)
        Not 0. They broadcast.
    mean : array_like, shape (n_features,)
        :math:`\mu`, at most 30 standard deviations long.
    variances : array_like, shape (n_features,), optional
        Diagonal of :math:`\Sigma`, > 0; 1 by default.

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or of another length.

    Notes
    -----
    Computed as one minus the mass of a double wedge in the plane of the two whitened rules, by
    Gauss-Legendre quadrature of its density in the angle: small disagreements keep their digits.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> round(agreement_of_rules([1.0, 0.0], [1.0, 1.0], mean=[0.0, 0.0]), 6)
    0.75
    """
    centre, spread = _mixture(mean, variances)
    u, v = (
        _rule(name, rule, centre.size) * np.sqrt(spread)
        for name, rule in (("first", first), ("second", second))
    )
    target = centre / np.sqrt(spread)
    real_number("length of mean in standard deviations", np.sqrt(target @ target), maximum=30.0)
    lengths = [np.sqrt(np.sum(w**2, axis=-1, keepdims=True)) for w in (u, v)]
    for name, length in zip(("first", "second"), lengths, strict=True):
        if np.any(length == 0.0):
            raise ValueError(f"{name} must not be 0: a rule needs a direction")
    u, v = np.broadcast_arrays(u / lengths[0], v / lengths[1])
    along = np.sum(u * v, axis=-1, keepdims=True)
    rest = v - along * u
    across = np.sqrt(np.sum(rest**2, axis=-1, keepdims=True))
    angle = np.arctan2(across, along)
    side = rest / np.where(across > 0.0, across, 1.0)
    # inputs on which they differ lie, from the centre, at angles beyond a right one from u
    places = 0.5 * angle * (1.0 + _NODES)
    here = -np.sin(places) * (u @ target)[..., None] + np.cos(places) * (side @ target)[..., None]
    plane = (u @ target) ** 2 + (side @ target) ** 2
    shape = np.sqrt(0.5 * np.pi) * here * erf(here / np.sqrt(2.0))
    density = np.exp(-0.5 * plane)[..., None] + shape * np.exp(0.5 * (here**2 - plane[..., None]))
    wedge = 0.5 * angle[..., 0] / np.pi * (density @ _WEIGHTS)
    return result(np.clip(1.0 - wedge, 0.0, 1.0))


def _normal_mean(function: Callable[[Array], Array], mean: float, std: float) -> float:
    """Mean of a function, analytic up to an imaginary part of pi, of a normal variable."""
    half = int(np.ceil(8.5 * max(1.0 / 0.6, std / 0.8)))
    g = np.arange(-half, half + 1) * (8.5 / half)
    density = np.exp(-0.5 * g**2)
    values = function(np.asarray(mean + std * g, dtype=float))
    return float(density @ values / density.sum())


def limit_rule(
    loss: str,
    generator: Generator,
    verifier: Verifier,
    *,
    mean: ArrayLike,
    variances: ArrayLike | None = None,
    ridge: float = 0.0,
) -> Array:
    r"""Rule that infinitely many generated and selected examples teach.

    :math:`w = c\,(\beta\Sigma + \lambda)^{-1}\mu`, :math:`\beta = \kappa\,E\ell''(w^\top v)`,
    :math:`v \sim N(\mu, \Sigma)`: the Bayes direction if the covariance is proportional to the
    identity, without penalty, or if :math:`\mu` is an eigenvector of :math:`\Sigma`. ``c`` has the
    sign of :math:`p^* - p`.

    Parameters
    ----------
    loss : {"ridge", "logistic"}
    generator : Generator
    verifier : Verifier
        Rates of one number each.
    mean : array_like, shape (n_features,)
        :math:`\mu`, not 0.
    variances : array_like, shape (n_features,), optional
        Diagonal of :math:`\Sigma`, > 0; 1 by default.
    ridge : float
        :math:`\lambda` in [0, 1e100], beside the mean over generated examples; with the logistic
        loss at least 1e-10.

    Returns
    -------
    ndarray, shape (n_features,)
        0 at the breakdown point, and if nothing is kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or of another length.

    Notes
    -----
    Exact in the limit, by Stein's identity; the equations of the logistic loss have one solution,
    for it is strictly convex, and are solved to 1e-12.

    References
    ----------
    Derived here. The paper's 100 % and 0 %, as reported, hold where this is the Bayes direction.

    Examples
    --------
    >>> limit_rule("ridge", Generator(0.0), Verifier(1.0, 1.0), mean=[1.0, 0.0])
    array([0.5, 0. ])
    """
    choice("loss", loss, ("ridge", "logistic"))
    centre, spread = _mixture(mean, variances)
    right, wrong = (
        real_number("rate of generator and verifier", mass) for mass in masses(generator, verifier)
    )
    least = 1e-10 if loss == "logistic" else 0.0
    penalty = real_number("ridge", ridge, minimum=least, maximum=1e100)
    if not np.any(centre):
        raise ValueError("mean must not be 0: the classes would be the same")
    kept, net = right + wrong, right - wrong
    if kept == 0.0 or net == 0.0:
        return np.zeros_like(centre)
    if loss == "ridge":
        w = centre / (kept * spread + penalty)
        return np.asarray(net * w / (1.0 + kept * float(w @ centre)))
    if net < 0.0:  # the two kinds of labels trade places
        right, wrong = wrong, right

    def rule(beta: float) -> Array:
        w = centre / (beta * spread + penalty)
        level, width = float(w @ centre), float(np.sqrt(np.sum(spread * w**2)))

        def excess(c: float) -> float:
            return (
                kept * _normal_mean(lambda t: np.asarray(expit(-t)), c * level, c * width)
                - wrong
                - c
            )

        return np.asarray(brentq(excess, 0.0, right, xtol=1e-300, rtol=1e-14) * w)

    def balance(beta: float) -> float:
        w = rule(beta)
        level, width = float(w @ centre), float(np.sqrt(np.sum(spread * w**2)))
        return kept * _normal_mean(lambda t: np.asarray(expit(t) * expit(-t)), level, width) - beta

    high = 0.25 * kept
    low = 0.25 * high
    while balance(low) < 0.0:
        low *= 0.25
    beta = brentq(balance, low, high, xtol=1e-300, rtol=1e-13)
    return np.asarray(np.sign(net) * rule(float(beta)))
