r"""Linear generators and verifiers: their errors depend on the input, and geometry replaces chance.

The truth, the generator and the verifier label by the signs of :math:`w^*, w_g, w_v` on inputs
:math:`x \sim N(0, I)` (or, where it says so, on the mixture with a signal). The verifier keeps an
example if its own label is the generator's. Angles are in radians, in :math:`[0, \pi]`, from the
truth; the correlation :math:`\rho` is that of the *directions* in which the two err,

.. math:: \cos\theta_{gv} = \cos\theta_g\cos\theta_v + \rho\sin\theta_g\sin\theta_v,

not that of their errors. All functions broadcast; `fragile_learning.verification.theory`
re-exports them. That the paper has angles for its linear models is as reported; everything here is
derived here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from fragile_learning._validation import real_array, result, together, whole_number
from fragile_learning.verification.settings import MOST_SIGNAL, positive_of

__all__ = [
    "angle_between",
    "bisector_accuracy",
    "rates_from_angles",
    "rounds_accuracy",
    "self_training_accuracy",
]

Array = NDArray[np.float64]


def _angles(
    theta_generator: ArrayLike, theta_verifier: ArrayLike, correlation: ArrayLike, **others: Array
) -> list[Array]:
    return together(
        theta_generator=_angle("theta_generator", theta_generator),
        theta_verifier=_angle("theta_verifier", theta_verifier),
        correlation=real_array("correlation", correlation, minimum=-1.0, maximum=1.0),
        **others,
    )


def _angle(name: str, value: ArrayLike) -> Array:
    return real_array(name, value, minimum=0.0, maximum=np.pi)


def _between(g: Array, v: Array, rho: Array) -> Array:
    """Angle of generator and verifier, from cross and inner product: small ones keep digits."""
    aside = np.sqrt((1.0 - rho) * (1.0 + rho)) * np.sin(v)
    common = rho * np.sin(v)
    cross = np.hypot(aside, np.cos(g) * common - np.sin(g) * np.cos(v))
    return np.asarray(np.arctan2(cross, np.cos(g) * np.cos(v) + np.sin(g) * common))


def angle_between(
    theta_generator: ArrayLike, theta_verifier: ArrayLike, correlation: ArrayLike
) -> Array | float:
    r"""Angle :math:`\theta_{gv}` between generator and verifier.

    Parameters
    ----------
    theta_generator, theta_verifier : array_like
        Angles in :math:`[0, \pi]` from the truth, in radians.
    correlation : array_like
        :math:`\rho` in [-1, 1] of the directions of their errors.

    Returns
    -------
    float or ndarray
        In :math:`[0, \pi]`, exact to 1e-15.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Examples
    --------
    >>> round(angle_between(1.0, 0.25, 1.0), 12)
    0.75
    """
    return result(_between(*_angles(theta_generator, theta_verifier, correlation)))


def rates_from_angles(
    theta_generator: ArrayLike, theta_verifier: ArrayLike, correlation: ArrayLike
) -> tuple[Array | float, Array | float, Array | float]:
    r"""Error rate of a linear generator, and rates at which a linear verifier keeps its labels.

    .. math::

        p = \frac{\theta_g}{\pi}, \qquad
        \varphi = \frac{2\pi - \theta_g - \theta_v - \theta_{gv}}{2(\pi - \theta_g)}, \qquad
        \psi = \frac{\theta_g + \theta_v - \theta_{gv}}{2\theta_g}

    Parameters
    ----------
    theta_generator, theta_verifier : array_like
        Angles in :math:`[0, \pi]` from the truth, in radians.
    correlation : array_like
        :math:`\rho` in [-1, 1] of the directions of their errors.

    Returns
    -------
    error_rate, keep_if_correct, keep_if_wrong : float or ndarray
        For a `Generator` and a `Verifier`. Where a generator never errs (or always does), the rate
        of what never occurs is the limit, :math:`(1+\rho)/2`; for a verifier on the truth 0, and
        for one opposite to it 1, for wrong labels (the reverse for right ones).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Exact. ``p`` is below the breakdown point of these rates if and only if :math:`\theta_g +
    \theta_v < \pi`: the angle between the two cancels. For these models the breakdown point says on
    which side of 1/2 a student ends, and no more: `bisector_accuracy`.

    References
    ----------
    Derived here, by orthant probabilities.

    Examples
    --------
    >>> error, right, wrong = rates_from_angles(np.radians(50), np.radians(20), 0.0)
    >>> round(error, 4), round(right, 4), round(wrong, 4)
    (0.2778, 0.9121, 0.1716)
    """
    g, v, rho = _angles(theta_generator, theta_verifier, correlation)
    between = _between(g, v, rho)
    straight = np.pi - g
    inside = (v > 0.0) & (v < np.pi)
    limit = 0.5 * (1.0 + rho)
    never_wrong = np.where(inside, limit, np.where(v > 0.0, 1.0, 0.0))
    never_right = np.where(inside, limit, np.where(v > 0.0, 0.0, 1.0))
    wrong = 0.5 * (g + v - between) / np.where(g > 0.0, g, 1.0)
    right = 0.5 * (straight + np.pi - v - between) / np.where(straight > 0.0, straight, 1.0)
    right = np.where(straight > 0.0, right, never_right)
    wrong = np.where(g > 0.0, wrong, never_wrong)
    return (
        result(g / np.pi),
        result(np.clip(right, 0.0, 1.0)),
        result(np.clip(wrong, 0.0, 1.0)),
    )


def bisector_accuracy(
    theta_generator: ArrayLike,
    theta_verifier: ArrayLike,
    correlation: ArrayLike,
    *,
    features_per_example: ArrayLike = 0.0,
) -> Array | float:
    r"""Accuracy of a student of a linear generator's labels that a linear verifier has selected.

    Students, one-shot, ridge and logistic, end at the bisector of :math:`w_g` and :math:`w_v`,

    .. math::

        1 - \frac1\pi\arccos\frac{b}{\sqrt{1 + \gamma\kappa/c^2}}, \qquad
        b = \frac{\cos\theta_g + \cos\theta_v}{2\cos(\theta_{gv}/2)}, \qquad
        c^2 = \frac2\pi\cos^2\frac{\theta_{gv}}2, \qquad \kappa = 1 - \frac{\theta_{gv}}\pi .

    Parameters
    ----------
    theta_generator, theta_verifier : array_like
        Angles in :math:`[0, \pi]` from the truth, in radians.
    correlation : array_like
        :math:`\rho` in [-1, 1] of the directions of their errors.
    features_per_example : array_like
        :math:`\gamma = d/N \ge 0`, generated examples; above 0 of the one-shot student only.

    Returns
    -------
    float or ndarray
        Probability to predict the true label; 1/2 where generator and verifier are opposite, and
        nothing is kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Exact in the limit of infinitely many examples, whatever the penalty, which logistic regression
    needs, for the kept labels are separable; for :math:`\gamma > 0` the limit of many features.
    Above 1/2 if and only if :math:`\theta_g + \theta_v < \pi`. At :math:`\gamma = 0` better than
    the generator if and only if :math:`b > \cos\theta_g`, which the breakdown point does not tell.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> g, v = np.radians([50, 50]), np.radians([20, 70])
    >>> bisector_accuracy(g, v, [0.0, 0.9]).round(4).tolist()
    [0.8448, 0.6702]
    """
    g, v, rho, gamma = _angles(
        theta_generator,
        theta_verifier,
        correlation,
        features_per_example=real_array(
            "features_per_example", features_per_example, minimum=0.0, maximum=1e100
        ),
    )
    between = _between(g, v, rho)
    none = between == np.pi
    # twice the bisector's parts along and across the truth, both in closed form
    along = np.cos(g) + np.cos(v)
    across = np.sqrt(
        np.square(np.sin(g) + rho * np.sin(v)) + (1.0 - rho) * (1.0 + rho) * np.sin(v) ** 2
    )
    noise = np.sqrt(2.0 * np.pi * gamma * np.maximum(1.0 - between / np.pi, 0.0))
    angle = np.arctan2(np.hypot(across, noise), along)
    return result(np.where(none, 0.5, 1.0 - angle / np.pi))


def rounds_accuracy(
    theta_generator: ArrayLike,
    theta_verifier: ArrayLike,
    correlation: ArrayLike,
    n_rounds: int,
) -> Array:
    r"""Accuracies when the student becomes the next generator, with the same verifier.

    Each round halves the angle to the verifier. After ``t`` rounds, with :math:`f = 2^{-t}`, the
    cosine of the angle to the truth is

    .. math:: \frac{\sin(f\theta_{gv})\cos\theta_g + \sin((1-f)\theta_{gv})\cos\theta_v}
        {\sin\theta_{gv}} .

    Parameters
    ----------
    theta_generator, theta_verifier : array_like, shape (...)
        Angles in :math:`[0, \pi]` from the truth, in radians.
    correlation : array_like, shape (...)
        :math:`\rho` in [-1, 1] of the directions of their errors.
    n_rounds : int
        >= 0.

    Returns
    -------
    ndarray, shape (..., n_rounds + 1)
        From the first generator on. Where generator and verifier are opposite nothing is kept, and
        students guess.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Exact for infinitely many examples in each round. The limit is the verifier; early rounds can be
    better than both.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> rounds_accuracy(np.radians(50), np.radians(40), 0.0, 3).round(3).tolist()
    [0.722, 0.804, 0.806, 0.795]
    """
    g, v, rho = _angles(theta_generator, theta_verifier, correlation)
    rounds = whole_number("n_rounds", n_rounds, minimum=0, maximum=1000)
    between = _between(g, v, rho)[..., None]
    left = 0.5 ** np.arange(rounds + 1.0)
    flat = np.sin(between) < 1e-9  # one rule, or two opposite ones
    sine = np.where(flat, 1.0, np.sin(between))
    first = np.where(flat, left, np.sin(left * between) / sine)
    second = np.where(flat, 1.0 - left, np.sin((1.0 - left) * between) / sine)
    along = first * np.cos(g)[..., None] + second * np.cos(v)[..., None]
    aside = np.sqrt((1.0 - rho) * (1.0 + rho)) * np.sin(v)
    across = np.hypot(
        first * np.sin(g)[..., None] + second * (rho * np.sin(v))[..., None],
        second * aside[..., None],
    )
    found = 1.0 - np.arctan2(across, along) / np.pi
    return np.asarray(np.where(flat & (between > 1.0) & (left < 1.0), 0.5, found))


def self_training_accuracy(
    theta_generator: ArrayLike, *, signal: ArrayLike, features_per_example: ArrayLike = 0.0
) -> Array | float:
    r"""Accuracy of the one-shot student of a linear generator on the mixture, without a verifier.

    Infinitely many inputs of the mixture, labelled by the sign of :math:`w_g^\top x`, teach

    .. math:: w = (2\Phi(\alpha) - 1)\,\mu + 2\phi(\alpha)\,w_g, \qquad \alpha = s\cos\theta_g,
        \quad \lVert w_g\rVert = 1 .

    Parameters
    ----------
    theta_generator : array_like
        Angle in :math:`[0, \pi]` from the class mean, in radians.
    signal : array_like
        ``s`` in [1e-100, 30].
    features_per_example : array_like
        :math:`\gamma = d/N \ge 0`, generated examples.

    Returns
    -------
    float or ndarray

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    Exact for infinitely many inputs; with :math:`\gamma > 0` the limit of many features. Better
    than the generator, whose accuracy is :math:`\Phi(\alpha)`, if that angle is acute, and worse
    if it is obtuse (:math:`\gamma = 0`): the inputs carry the classes without any label.
    Independent noise misses it.

    References
    ----------
    Derived here, by Stein's identity.

    Examples
    --------
    >>> round(self_training_accuracy(np.radians(60), signal=2.0), 4)
    0.9735
    """
    g, s, gamma = together(
        theta_generator=_angle("theta_generator", theta_generator),
        signal=positive_of("signal", signal, MOST_SIGNAL),
        features_per_example=real_array(
            "features_per_example", features_per_example, minimum=0.0, maximum=1e100
        ),
    )
    alpha = s * np.cos(g)
    pull = 2.0 * ndtr(alpha) - 1.0
    turn = np.sqrt(2.0 / np.pi) * np.exp(-0.5 * alpha**2)
    along = pull * s + turn * np.cos(g)
    across = np.hypot(turn * np.sin(g), np.sqrt(gamma))
    return result(ndtr(s * along / np.hypot(along, across)))
