r"""When a model that learns from selected, synthesized data learns the right rule, and how well.

Inputs are a mixture of two normal classes, :math:`x = y\mu + z`, :math:`y = \pm 1` with
probability 1/2, :math:`z \sim N(0, I)`; ``signal`` is :math:`s = \lVert\mu\rVert`, in standard
deviations of the noise. A `Generator` labels ``n_generated`` inputs and errs with probability
``p``; a `Verifier` keeps right labels with probability :math:`\varphi` and wrong ones with
:math:`\psi`. Errors and decisions are independent of the inputs and of each other: "independent
noise" below. Where generator and verifier are themselves linear rules, they are not; see
`fragile_learning.verification.angles`.

With :math:`A = (1-p)\varphi` kept and right, :math:`B = p\psi` kept and wrong, of all generated:
:math:`\kappa = A + B` is kept, :math:`m = A - B` is the net signal, and :math:`\epsilon = B/\kappa`
is wrong among those kept. A student minimises, without intercept,

.. math:: \frac1N\sum_i q_i\,\ell(\tilde y_i\, w^\top x_i) + \frac\lambda2\lVert w\rVert^2,

with the square loss :math:`\ell(u) = (1-u)^2/2` ("ridge"), the logistic one
:math:`\log(1+e^{-u})`, or :math:`\lambda\to\infty`, the mean :math:`\sum_i q_i \tilde y_i x_i`
("one shot"). It predicts the sign of :math:`w^\top x`.

*Accuracy* is the probability that a new label :math:`y` is predicted. No rule exceeds that of the
Bayes rule, :math:`\Phi(s)`: where the paper says 100 % and 0 % (as reported), *agreement* with the
Bayes rule is meant. All functions broadcast.

The paper is Feng, Dohmatob, Yang, Charton, Kempe, ICLR 2025, arXiv:2406.07515. It has
:math:`p^*` and the theorem about it, as reported; every formula here is derived here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, wofz

from fragile_learning._validation import real_array, result, together, whole_array
from fragile_learning.verification.angles import (
    bisector_accuracy,
    rates_from_angles,
    rounds_accuracy,
    self_training_accuracy,
)
from fragile_learning.verification.choices import (
    best_threshold,
    cost_break_even,
    information_per_cost,
    mixed_accuracy,
    soft_information,
    soft_weights,
)
from fragile_learning.verification.estimate import breakdown_interval
from fragile_learning.verification.logistic import slope_of_logistic
from fragile_learning.verification.rules import accuracy_of_rule, agreement_of_rules, limit_rule
from fragile_learning.verification.settings import (
    Generator,
    Verifier,
    masses,
    positive_of,
    setting_of,
    shares_of,
)

__all__ = [
    "accuracy_logistic",
    "accuracy_of_rule",
    "accuracy_one_shot",
    "accuracy_ridge",
    "agreement",
    "agreement_of_rules",
    "best_threshold",
    "bisector_accuracy",
    "breakdown_interval",
    "breakdown_point",
    "correlated_errors",
    "cost_break_even",
    "critical_window",
    "effective_samples",
    "information_per_cost",
    "limit_rule",
    "mixed_accuracy",
    "rates_from_angles",
    "rounds_accuracy",
    "selected_error_rate",
    "self_training_accuracy",
    "soft_information",
    "soft_weights",
]

Array = NDArray[np.float64]

LEAST_RIDGE = 1e-10  # of logistic regression: without ridge its weights may be infinite


def breakdown_point(verifier: Verifier, n_classes: ArrayLike = 2) -> Array | float:
    r"""Error rate of the generator up to which selected data teach the right rule.

    .. math:: p^* = \frac{1}{1 + \psi/((K-1)\varphi)}

    Parameters
    ----------
    verifier : Verifier
    n_classes : array_like
        ``K``, whole, >= 2. Beyond two, wrong labels are spread evenly over the wrong classes.

    Returns
    -------
    float or ndarray
        1/2 for who keeps all (two classes), 1 for an oracle, 0 for who keeps wrong labels only.

    Raises
    ------
    TypeError, ValueError
        If ``verifier`` is not a `Verifier`, or a number is out of range.

    Notes
    -----
    As the number of generated examples grows at fixed dimension, a student agrees with the Bayes
    rule with probability 1 for :math:`p < p^*`, and with its opposite for :math:`p > p^*`, where
    the penalty does not turn the rule: with a covariance proportional to the identity, a class
    mean that is an eigenvector of it, or (square and logistic loss) a vanishing penalty. Otherwise
    the sign is still right but the limit is `limit_rule`. For ``K > 2``: the classifier by class
    means of equal length. It says nothing about *how well* a finite number of examples teaches,
    for it ignores how many are kept.

    References
    ----------
    Two classes: the paper, Theorem 4.2, as reported; proof and ``K`` classes derived here.

    Examples
    --------
    >>> breakdown_point(Verifier(1.0, 1.0)), breakdown_point(Verifier(1.0, 0.0))
    (0.5, 1.0)
    >>> breakdown_point(Verifier(0.9, [0.3, 0.9])).round(12).tolist()
    [0.75, 0.5]
    >>> round(breakdown_point(Verifier(1.0, 1.0), n_classes=10), 12)
    0.9
    """
    _, psi = masses(Generator(1.0), verifier)
    phi, _ = masses(Generator(0.0), verifier)
    classes = whole_array("n_classes", n_classes, minimum=2)
    phi, psi, classes = together(
        keep_if_correct=phi, keep_if_wrong=psi, n_classes=np.asarray(classes)
    )
    return result((classes - 1.0) * phi / ((classes - 1.0) * phi + psi))


def selected_error_rate(generator: Generator, verifier: Verifier) -> Array | float:
    r"""Share of wrong labels among the kept, :math:`\epsilon = B/(A+B)`.

    Parameters
    ----------
    generator : Generator
    verifier : Verifier

    Returns
    -------
    float or ndarray
        Where nothing is ever kept, the limit in the error rate: 0 if wrong labels are discarded,
        1 if right ones are.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type, or shapes do not broadcast.

    Notes
    -----
    Exact under independent noise. The generator is below the breakdown point of two classes if and
    only if this is below 1/2.

    Examples
    --------
    >>> round(selected_error_rate(Generator(0.3), Verifier(0.9, 0.3)), 12)
    0.125
    """
    right, wrong = masses(generator, verifier)
    kept = right + wrong
    psi = np.broadcast_to(np.asarray(verifier.keep_if_wrong), kept.shape)
    none = np.where(psi > 0.0, 1.0, 0.0)
    return result(np.where(kept > 0.0, wrong / np.where(kept > 0.0, kept, 1.0), none))


def effective_samples(
    generator: Generator, verifier: Verifier, n_generated: ArrayLike, n_classes: ArrayLike = 2
) -> Array | float:
    r"""Clean labelled examples that generated and selected ones are worth.

    .. math:: N r^2, \qquad r^2 = \frac{m^2}{\kappa} = \kappa(1-2\epsilon)^2

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    n_generated : array_like
        ``N`` in [1e-100, 1e100], before selection.
    n_classes : array_like
        ``K``, whole, >= 2; then :math:`m = A - B/(K-1)`.

    Returns
    -------
    float or ndarray
        In examples; at most the number kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Exact for the one-shot student of two classes in the limit of many features, whose excess error
    is :math:`\Phi(s) - \mathrm{acc} \simeq \phi(s)\,d/(2 s N r^2)` where :math:`N r^2 \gg d`. Other
    students have a larger one, and wrong labels cost them more: to least squares the examples are
    worth :math:`N r^2/(1 + (1-a^2)s^2)`, :math:`a = 1 - 2\epsilon`, where :math:`N \gg d`. The
    number does not know the sign: above the breakdown point the student learns the opposite rule as
    well as below it the right one.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> verifier = Verifier(0.9, 0.3)
    >>> round(effective_samples(Generator(0.3), verifier, 1000), 9)
    405.0
    >>> round(effective_samples(Generator(0.3), Verifier(1.0, 1.0), 1000), 9)
    160.0
    """
    right, wrong = masses(generator, verifier)
    right, samples, classes, wrong = together(
        generator_and_verifier=right,
        n_generated=positive_of("n_generated", n_generated),
        n_classes=whole_array("n_classes", n_classes, minimum=2),
        wrong=wrong,
    )
    kept = right + wrong
    net = right - wrong / (classes - 1.0)
    share = net / np.where(kept > 0.0, kept, 1.0)  # first, for it cannot underflow
    return result(samples * net * share)


def accuracy_one_shot(
    generator: Generator,
    verifier: Verifier,
    *,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
) -> Array | float:
    r"""Accuracy of the mean of the kept, labelled inputs.

    .. math:: \Phi\Big(\frac{s^2 m}{\sqrt{s^2m^2 + \kappa d/N}}\Big)

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    signal : array_like
        ``s`` in [0, 30].
    n_features : array_like
        ``d``, whole, in [1, 1e100].
    n_generated : array_like
        ``N`` in [1e-100, 1e100], before selection.

    Returns
    -------
    float or ndarray
        In [0, 1]; 1/2 where nothing is kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    The limit of ``d`` and ``N`` growing in proportion; single students scatter about it by
    :math:`O(d^{-1/2})`, their mean is off by :math:`O(1/d)`. For few features or near the breakdown
    point: `critical_window`.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> generator, setting = Generator(0.25), dict(signal=1.2, n_features=300, n_generated=900)
    >>> round(accuracy_one_shot(generator, Verifier(0.8, 0.4), **setting), 4)
    0.825
    >>> round(accuracy_one_shot(Generator(0.9), Verifier(0.8, 0.4), **setting), 4)
    0.2144
    """
    right, wrong, s, d, samples, _ = setting_of(
        generator, verifier, signal, n_features, n_generated
    )
    kept, net = right + wrong, right - wrong
    length = np.hypot(s * net, np.sqrt(kept * (d / samples)))
    return result(ndtr(s * (s * net) / np.where(length > 0.0, length, 1.0)))


def accuracy_ridge(
    generator: Generator,
    verifier: Verifier,
    *,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
    ridge: ArrayLike,
) -> Array | float:
    r"""Accuracy of ridge regression on the kept labels.

    With :math:`\gamma = d/N`, :math:`D^2 = (\lambda+\kappa-\gamma)^2 + 4\lambda\gamma`,
    :math:`u = 2\kappa/(\lambda + \kappa + \gamma + D)`, :math:`k = s^2u`, :math:`a = m/\kappa`,

    .. math:: \Phi\Big( \frac{a k\,\sqrt{D}}
        {\sqrt{\kappa a^2 k + \gamma u\,[(1-a^2)(1+k)^2 + a^2]}}\Big) .

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    signal : array_like
        ``s`` in [0, 30].
    n_features : array_like
        ``d``, whole, in [1, 1e100].
    n_generated : array_like
        ``N`` in [1e-100, 1e100], before selection.
    ridge : array_like
        :math:`\lambda` in [0, 1e100], beside the mean loss over *generated* examples. 0: least
        squares, or the shortest interpolating rule.

    Returns
    -------
    float or ndarray
        In [0, 1]; exactly 1/2 without ridge for as many kept examples as features
        (:math:`N = d/\kappa`), and where nothing is kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    The limit of ``d`` and ``N`` growing in proportion, error :math:`O(1/d)`. For :math:`\lambda \to
    \infty` `accuracy_one_shot`, for isotropic noise the best of all ridges.

    References
    ----------
    Derived here, by Marchenko-Pastur.

    Examples
    --------
    >>> generator, verifier = Generator(0.3), Verifier(0.9, 0.3)
    >>> setting = dict(signal=1.5, n_features=100, n_generated=200)
    >>> accuracy_ridge(generator, verifier, ridge=[0.01, 0.1, 1.0, 10.0], **setting).round(3)
    array([0.68 , 0.743, 0.84 , 0.88 ])
    """
    right, wrong, s, d, samples, penalty = setting_of(
        generator, verifier, signal, n_features, n_generated, ridge
    )
    kept, gamma = right + wrong, d / samples
    none = kept == 0.0
    a = (right - wrong) / np.where(none, 1.0, kept)
    root = np.hypot(penalty + kept - gamma, 2.0 * np.sqrt(penalty) * np.sqrt(gamma))
    u = 2.0 * kept / (penalty + kept + gamma + root)
    k = s**2 * u
    mixed = (1.0 - a) * (1.0 + a) * (1.0 + k) ** 2 + a**2
    below = np.sqrt(kept * a**2 * k + gamma * u * mixed)
    slope = a * k * np.sqrt(root) / np.where(below > 0.0, below, 1.0)
    return result(ndtr(slope))


def accuracy_logistic(
    generator: Generator,
    verifier: Verifier,
    *,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
    ridge: ArrayLike,
) -> Array | float:
    r"""Accuracy of logistic regression on the kept labels.

    The solution of three equations, `fragile_learning.verification.logistic`.

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    signal : array_like
        ``s`` in [0, 30].
    n_features : array_like
        ``d``, whole, in [1, 1e100].
    n_generated : array_like
        ``N`` in [1e-100, 1e100], before selection.
    ridge : array_like
        :math:`\lambda` in [1e-10, 1e100], beside the mean loss over *generated* examples.

    Returns
    -------
    float or ndarray
        In [0, 1]; 1/2 where nothing is kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.
    ArithmeticError
        If the equations are not solved to 1e-8; never seen.

    Notes
    -----
    The limit of ``d`` and ``N`` growing in proportion, by the leave-one-out argument: standard, and
    checked here by simulation, not proved. The error is :math:`O(1/d)`, about 0.003 at ``d`` = 150.
    All points of a grid are solved together, some 10,000 in a second.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> generator, verifier = Generator(0.25), Verifier(0.8, 0.4)
    >>> setting = dict(signal=1.2, n_features=150, n_generated=900)
    >>> round(accuracy_logistic(generator, verifier, ridge=0.1, **setting), 4)
    0.812
    """
    right, wrong, s, d, samples, penalty = setting_of(
        generator, verifier, signal, n_features, n_generated, ridge, least_ridge=LEAST_RIDGE
    )
    kept = right + wrong
    accuracy = np.full(kept.shape, 0.5)
    some = kept > 0.0
    with np.errstate(over="ignore"):  # infinite for next to nothing kept: then one shot
        eta, tilde = (d / samples)[some] / kept[some], penalty[some] / kept[some]
    a = ((right - wrong)[some]) / kept[some]
    most = np.finfo(float).max
    eta, tilde = np.minimum(eta, most), np.minimum(tilde, most)
    accuracy[some] = ndtr(slope_of_logistic(s[some], eta, tilde, a))
    return result(accuracy)


# --- few features ------------------------------------------------------------------------------

_BLOCK = 500  # settings held at a time
_STEP = 0.1  # of the logarithm of the frequency; for strong signals, which oscillate, 0.5/s


def _window(
    generator: Generator,
    verifier: Verifier,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
) -> tuple[Array, Array, Array, Array, Array]:
    """Shape, s, d - 1, and mean and variance of the rule along the class mean; noise is 1."""
    right, wrong, s, d, samples, _ = setting_of(
        generator, verifier, signal, n_features, n_generated
    )
    kept = right + wrong
    share = (right - wrong) / np.where(kept > 0.0, kept, 1.0)
    mean = share * np.sqrt(kept * samples) * s
    variance = 1.0 + s**2 * (1.0 - kept * share**2)
    return np.asarray(kept), s, d - 1.0, np.asarray(mean), np.asarray(variance)


def _frequencies(s: Array, others: Array, mean: Array, variance: Array) -> tuple[float, Array]:
    """Step, and even grid of log frequencies, shape (n_frequencies, ...), for every setting."""
    step = min(_STEP, 0.5 / float(np.max(s, initial=1.0)))
    scale = np.sqrt(mean**2 + variance * (1.0 + s**2) + others)
    low = -38.0 - np.log(np.max(scale, initial=1.0))
    return step, np.exp(np.arange(low, 20.0, step)).reshape(-1, *(1,) * np.ndim(mean))


def _accuracy_beyond_half(s: Array, others: Array, mean: Array, variance: Array) -> Array:
    step, t = _frequencies(s, others, mean, variance)
    wide = 1.0 + variance * t**2
    size = -0.5 * others * np.log1p(t**2) - 0.5 * np.log(wide)
    size = size - 0.5 * t**2 * (mean**2 + s**2 * variance) / wide
    return np.asarray(step / np.pi * np.sum(np.exp(size) * np.sin(t * s * mean / wide), axis=0))


def _agreement_beyond_half(s: Array, others: Array, mean: Array, variance: Array) -> Array:
    step, t = _frequencies(s, others, mean, variance)
    wide = np.sqrt(2.0 * (1.0 + variance * t**2))
    turned = t * mean / wide
    level = s / wide
    # the mean of exp(i t M |x_1| - t^2 V x_1^2 / 2) over x_1 ~ N(s, 1), by Faddeeva's function
    folded = wofz(turned - 1j * level) + wofz(turned + 1j * level)
    size = np.exp(-0.5 * others * np.log1p(t**2) - 0.5 * s**2) / (np.sqrt(2.0) * wide)
    return np.asarray(step / np.pi * np.sum(size * folded.imag, axis=0))


def _in_blocks(function: Callable[..., Array], *arrays: Array) -> Array:
    """Values of a function of settings, few at a time: each needs hundreds of frequencies."""
    flat = [np.ravel(array) for array in np.broadcast_arrays(*arrays)]
    found = [
        function(*(array[first : first + _BLOCK] for array in flat))
        for first in range(0, flat[0].size, _BLOCK)
    ]
    return np.concatenate([np.empty(0), *found]).reshape(np.shape(arrays[0]))


def critical_window(
    generator: Generator,
    verifier: Verifier,
    *,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
) -> Array | float:
    r"""Mean accuracy of the one-shot rule at any number of features, near the breakdown point too.

    By the central limit theorem :math:`\sqrt N\hat w` has the component :math:`h_1 \sim N(\sqrt N m
    s,\ \kappa(1+s^2) - m^2s^2)` along the class mean, and independent others of variance
    :math:`\kappa`. The mean of :math:`\Phi(s h_1/\lVert h\rVert)` is
    :math:`\tfrac12 + \tfrac1\pi\int_0^\infty \mathrm{Im}\,\chi(t)\,dt/t` with the characteristic
    function of :math:`h^\top v`, :math:`v \sim N(\mu, I)`, in closed form.

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    signal : array_like
        ``s`` in [0, 30].
    n_features : array_like
        ``d``, whole, in [1, 1e100].
    n_generated : array_like
        ``N`` in [1e-100, 1e100], before selection.

    Returns
    -------
    float or ndarray
        In [0, 1]; exactly 1/2 at the breakdown point, where single rules are far from it.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    A limit of many *kept* examples; the integral itself is good to 1e-12. The transition has the
    width :math:`N^{-1/2}` in the error rate at fixed ``d``.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> generator, verifier = Generator(0.66), Verifier(0.8, 0.4)
    >>> round(critical_window(generator, verifier, signal=1.2, n_features=4, n_generated=2500), 4)
    0.5974
    """
    kept, s, others, mean, variance = _window(generator, verifier, signal, n_features, n_generated)
    total = _in_blocks(_accuracy_beyond_half, s, others, mean, variance)
    alone = 0.5 + (2.0 * ndtr(s) - 1.0) * (ndtr(mean / np.sqrt(variance)) - 0.5)
    found = np.where(others > 0.0, 0.5 + total, alone)
    return result(np.where(kept > 0.0, np.clip(found, 0.0, 1.0), 0.5))


def agreement(
    generator: Generator,
    verifier: Verifier,
    *,
    signal: ArrayLike,
    n_features: ArrayLike,
    n_generated: ArrayLike,
) -> Array | float:
    r"""Mean share of inputs on which the one-shot rule and the Bayes rule agree.

    Far below the breakdown point, :math:`1 - \frac{e^{-s^2/2}}{\pi s\lvert m\rvert}
    \sqrt{\kappa/N}\,E\chi_{d-1}`: of order :math:`N^{-1/2}`, where the accuracy is within
    :math:`O(N^{-1})` of the Bayes rule's.

    Parameters
    ----------
    generator : Generator
    verifier : Verifier
    signal : array_like
        ``s`` in [1e-100, 30].
    n_features : array_like
        ``d``, whole, in [1, 1e100].
    n_generated : array_like
        ``N`` in [1e-100, 1e100], before selection.

    Returns
    -------
    float or ndarray
        In [0, 1]; 1/2 where nothing is kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes do not broadcast.

    Notes
    -----
    As exact as `critical_window`, and by the same integral, with the sign of the Bayes rule held
    against the characteristic function.

    References
    ----------
    Derived here; the agreement is what the paper's Theorem 4.2 is about, as reported.

    Examples
    --------
    >>> setting = dict(signal=1.5, n_features=5, n_generated=20_000)
    >>> round(1.0 - agreement(Generator(0.3), Verifier(0.9, 0.3), **setting), 6)
    0.001439
    """
    positive_of("signal", signal)
    kept, s, others, mean, variance = _window(generator, verifier, signal, n_features, n_generated)
    total = _in_blocks(_agreement_beyond_half, s, others, mean, variance)
    found = np.where(others > 0.0, 0.5 + total, ndtr(mean / np.sqrt(variance)))
    return result(np.where(kept > 0.0, np.clip(found, 0.0, 1.0), 0.5))


# --- errors that go together -------------------------------------------------------------------


def correlated_errors(
    error_rate: ArrayLike, verifier_error_rate: ArrayLike, correlation: ArrayLike = 0.0
) -> Verifier:
    r"""Make a verifier that labels too, and keeps an example where both labels are the same.

    With :math:`p_{11} = p p_v + \rho\sqrt{p(1-p)p_v(1-p_v)}`, the probability that both err,

    .. math:: \varphi = \frac{1-p-p_v+p_{11}}{1-p}, \qquad \psi = \frac{p_{11}}{p} .

    Parameters
    ----------
    error_rate, verifier_error_rate : array_like
        :math:`p, p_v` in (0, 1), of two classes.
    correlation : array_like
        :math:`\rho` in [-1, 1] of the two errors, such that no probability is negative:
        :math:`\max(0, p+p_v-1) \le p_{11} \le \min(p, p_v)`.

    Returns
    -------
    Verifier
        To be used with ``Generator(error_rate)``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; for a correlation the message gives what is allowed.

    Notes
    -----
    The generator is below the breakdown point if and only if :math:`p + p_v < 1`, whatever the
    correlation; which moves the errors among those kept, and with them `effective_samples`.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> alike = correlated_errors(0.3, 0.2, [0.0, 0.5])
    >>> selected_error_rate(Generator(0.3), alike).round(4).tolist()
    [0.0968, 0.1888]
    >>> breakdown_point(alike).round(3).tolist()
    [0.8, 0.648]
    """
    p, other, rho = together(
        error_rate=shares_of("error_rate", error_rate),
        verifier_error_rate=shares_of("verifier_error_rate", verifier_error_rate),
        correlation=real_array("correlation", correlation, minimum=-1.0, maximum=1.0),
    )
    for name, rate in (("error_rate", p), ("verifier_error_rate", other)):
        if np.any((rate == 0.0) | (rate == 1.0)):
            raise ValueError(
                f"{name} must be > 0 and < 1 for its errors to have a correlation, got "
                f"{rate[(rate == 0.0) | (rate == 1.0)].flat[0]!r}"
            )
    spread = np.sqrt(p * (1.0 - p) * other * (1.0 - other))
    both = p * other + rho * spread
    least, most = np.maximum(0.0, p + other - 1.0), np.minimum(p, other)
    bad = (both < least - 1e-12) | (both > most + 1e-12)
    if np.any(bad):
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        low, high = ((edge[at] - p[at] * other[at]) / spread[at] for edge in (least, most))
        raise ValueError(
            f"correlation must be >= {low:.6g} and <= {high:.6g} for error rates {p[at]:g} and "
            f"{other[at]:g}, got {rho[at]:g}"
        )
    both = np.clip(both, least, most)
    right = np.clip((1.0 - p - other + both) / (1.0 - p), 0.0, 1.0)
    return Verifier(right, np.clip(both / p, 0.0, 1.0))
