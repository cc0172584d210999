r"""Several sources at once: any weights, any teachers, any input covariances.

The large-size limit of ridge regression, and of random projections, on groups of samples that
differ in everything. `fragile_learning.strong_collapse.theory` re-exports the one function.

Notation of the derivation: group ``g`` has a share :math:`p_g` of the ``n`` samples, weight
:math:`a_g`, covariance :math:`\Sigma_g`; :math:`\Sigma` is the covariance of the test inputs. With
:math:`e_g = \mathrm{tr}(\Sigma_g R)/n`, :math:`c_g = p_g a_g/(1 + a_g e_g)` and
:math:`C = \sum_g c_g \Sigma_g`,

.. math:: R = (C + \vartheta)^{-1}, \qquad \vartheta\,(1 - \mathrm{tr}(CR)/m) = \lambda .

Second-order quantities are derivatives, marked by a prime, with respect to ``t`` of the same
equations with :math:`C + t\Sigma` in the place of ``C``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number, whole_number
from fragile_learning.strong_collapse.mixture import (
    FixedShift,
    Group,
    MixtureRisk,
    RandomShift,
    covariance_matrix,
    require,
)

__all__ = ["checked_problem", "general_excess_risk", "limit"]

Array = NDArray[np.float64]

_MAX_ITERATIONS = 200
_TOLERANCE = 1e-13


def general_excess_risk(
    groups: Sequence[Group],
    target: ArrayLike,
    test_covariance: ArrayLike,
    *,
    ridge: float = 0.0,
    width: int | None = None,
) -> MixtureRisk:
    r"""Excess risk after training on several groups of samples, in the large-size limit.

    The model minimises ``sum_i a_i (y_i - f(x_i))^2 / n + ridge ||v||^2`` over ``f(x) = v' S x``,
    with ``a_i`` the weight of the group of sample ``i`` and ``n`` the number of samples of all
    groups. With the symbols of this module,
    :math:`q_g = p_g a_g^2/(1+a_ge_g)^2`, :math:`c_g' = -q_ge_g'`,
    :math:`C' = \Sigma + \sum_g c_g'\Sigma_g` and :math:`L = 1 - \vartheta R`,

    .. math::

        B &= w^\top [\vartheta^2 R C' R + \vartheta' L^2]\, w, \qquad
        V = \sum_g \sigma_g^2 c_g', \\
        \zeta &= \sum_{g,h} \delta_g^\top [c_gc_h \Sigma_g R (C' + \vartheta') R \Sigma_h
          - (c_g'c_h + c_gc_h')\Sigma_g R \Sigma_h + 1_{g=h} c_g' \Sigma_g]\, \delta_h, \\
        X &= 2 \sum_g \delta_g^\top [\vartheta c_g' \Sigma_g R
          + c_g \Sigma_g R (\vartheta' L - \vartheta C' R)]\, w .

    Parameters
    ----------
    groups : sequence of Group
        At least one, with a positive weight and at least one sample in some.
    target : array_like, shape (n_features,)
        Real teacher ``w``, whose labels the test asks for.
    test_covariance : array_like, shape (n_features,) or (n_features, n_features)
        Of the test inputs.
    ridge : float
        Penalty >= 0.
    width : int, optional
        Rows >= 1 of the random projection, entries of variance ``1/m``. None: no projection.

    Returns
    -------
    MixtureRisk of float
        In squared label units, without the noise floor. ``inf`` at the pole, where without ridge
        as many samples count as there are parameters.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, length or range; also without ridge if the covariances
        leave a direction without samples.

    Notes
    -----
    Exact as sizes grow in proportion; the relative error at finite size is of order ``1/n``.
    Vectors suffice, and ``O(n_features)`` time, where all covariances are given as variances;
    else ``O(n_features^3)``. Several random shifts are independent of each other.

    References
    ----------
    Derived in the book. With one covariance and equal weights it is
    `fragile_learning.strong_collapse.theory.excess_risk`, Dohmatob, Feng, Subramonian, Kempe,
    2025, Theorems 1 and 2.

    Examples
    --------
    >>> real = Group(300, np.ones(100), noise_std=0.5)
    >>> biased = Group(100, np.linspace(0.5, 1.5, 100), FixedShift(np.full(100, 0.1)), weight=0.2)
    >>> risk = general_excess_risk([real, biased], np.full(100, 0.1), np.ones(100), ridge=0.01)
    >>> round(risk.variance, 3), round(risk.collapse, 4)
    (0.094, 0.0164)
    """
    sources, w, test = checked_problem(groups, target, test_covariance)
    penalty = real_number("ridge", ridge, minimum=0.0)
    rows = np.inf if width is None else float(whole_number("width", width))
    counts = np.array([float(group.n_samples) for group in sources])
    return limit(sources, counts, w, test, ridge=penalty, width=rows)


def limit(
    groups: Sequence[Group], counts: Array, w: Array, test: Array, *, ridge: float, width: float
) -> MixtureRisk:
    """Compute `general_excess_risk` of checked groups; the counts need not be whole numbers.

    Examples
    --------
    >>> real = Group(10, np.ones(4), noise_std=0.5)
    >>> groups, target, test = checked_problem([real], np.ones(4), np.ones(4))
    >>> counts = np.array([10.5])  # half a sample, for a derivative in the number of samples
    >>> risk = limit(groups, counts, target, test, ridge=0.0, width=np.inf)
    >>> round(float(risk.variance), 4) == round(0.25 * 4 / (10.5 - 4), 4)
    True
    """
    total = float(counts.sum())
    used = [i for i, group in enumerate(groups) if group.weight > 0.0 and counts[i] > 0.0]
    sources = [groups[i] for i in used]
    problem = _Problem(
        total=total,
        width=width,
        ridge=ridge,
        shares=counts[used] / total,
        inverse_weights=np.array([1.0 / group.weight for group in sources]),
        covariances=[_like(test, group.covariance) for group in sources],
    )
    if ridge == 0.0:
        parameters = min(width, float(w.size))
        if counts[used].sum() == parameters:
            return _at_pole(sources, w, test, width)
        if counts[used].sum() < parameters:
            # The limit of a vanishing ridge interpolates: in units of the ridge, all weights
            # are infinite, and nothing else changes.
            problem = problem._replace(ridge=1.0, inverse_weights=np.zeros(len(used)))
    return _risk(sources, w, test, problem, _solve(problem))


def checked_problem(
    groups: Sequence[Group], target: ArrayLike, test_covariance: ArrayLike
) -> tuple[list[Group], Array, Array]:
    """Check groups, target and test covariance against each other; covariances of one shape.

    Examples
    --------
    >>> groups, target, test = checked_problem([Group(10, [1.0, 2.0])], [1, 0], [1.0, 1.0])
    >>> groups[0].n_samples, target.tolist(), test.shape
    (10, [1.0, 0.0], (2,))
    """
    try:
        sources = list(groups)
    except TypeError:
        raise TypeError(f"groups must be a sequence of Group, got {groups!r}") from None
    for i, group in enumerate(sources):
        require(f"groups[{i}]", group, Group)
    if not any(group.weight > 0.0 and group.n_samples > 0 for group in sources):
        raise ValueError("groups must hold at least 1 sample of weight > 0, got none")
    w = real_array("target", target, ndim=1)
    if np.ndim(test_covariance) == 2:
        test = covariance_matrix("test_covariance", test_covariance)
    else:
        test = real_array("test_covariance", test_covariance, ndim=1, minimum=0.0)
    for name, length in (
        ("target", w.size),
        *((f"groups[{i}]", group.n_features) for i, group in enumerate(sources)),
    ):
        if length != len(test):
            raise ValueError(
                f"{name} must have n_features = {len(test)} as test_covariance, got {length}"
            )
    if any(group.covariance.ndim == 2 for group in sources):
        test = _like(np.empty((0, 0)), test)
    return sources, w, test


class _Problem(NamedTuple):
    total: float
    width: float
    ridge: float
    shares: Array
    inverse_weights: Array
    covariances: list[Array]


class _FixedPoint(NamedTuple):
    e: Array
    penalty: float  # vartheta
    resolvent: Array  # R


# Vectors stand for diagonal matrices: one code for both.


def _like(pattern: Array, covariance: Array) -> Array:
    """Covariance as a matrix, if the pattern is one."""
    return np.diag(covariance) if pattern.ndim == 2 and covariance.ndim == 1 else covariance


def _product(first: Array, *others: Array) -> Array:
    result = first
    for other in others:
        result = result * other if result.ndim == 1 else result @ other
    return result


def _trace(first: Array, second: Array) -> float:
    """Trace of the product of two matrices, of which the second is symmetric."""
    return float(np.sum(first * second))


def _form(left: Array, matrix: Array, right: Array) -> float:
    return float(left @ (matrix * right if matrix.ndim == 1 else matrix @ right))


def _resolvent(covariance: Array, penalty: float) -> Array:
    if covariance.ndim == 1:
        return 1.0 / (covariance + penalty)
    return np.asarray(np.linalg.inv(covariance + penalty * np.eye(len(covariance))))


def _pooled(shares: Array, covariances: list[Array]) -> Array:
    result = np.zeros_like(covariances[0])
    for share, covariance in zip(shares, covariances, strict=True):
        result += share * covariance
    return result


def _solve(problem: _Problem) -> _FixedPoint:
    """Damped Newton's method on the logarithms of ``e`` and ``vartheta``."""
    covariances, total, width = problem.covariances, problem.total, problem.width
    size, count = len(covariances[0]), len(covariances)
    free = np.isfinite(width) and (problem.ridge > 0.0 or width < size)  # vartheta is unknown

    def at(logs: Array) -> tuple[Array, Array, _FixedPoint]:
        """Residuals and their Jacobian."""
        e = np.exp(logs[:count])
        penalty = float(np.exp(logs[-1])) if free else problem.ridge
        load = problem.inverse_weights + e
        c, q = problem.shares / load, problem.shares / load**2
        pooled = _pooled(c, covariances)
        resolvent = _resolvent(pooled, penalty)
        seen = [_product(covariance, resolvent) for covariance in covariances]
        first = np.array([_trace(one, _eye(one)) for one in seen]) / total
        second = np.array([[_trace(g, h.T) for h in seen] for g in seen])
        jacobian = np.eye(logs.size)
        jacobian[:count, :count] -= second * (q * e) / total / first[:, None]
        residual = logs.copy()
        residual[:count] -= np.log(first)
        if free:
            learned = _product(pooled, resolvent)
            square = np.array([_trace(one, resolvent) for one in seen])
            moved = problem.ridge + penalty * _trace(learned, _eye(learned)) / width
            jacobian[:count, -1] = penalty * square / total / first
            jacobian[-1, :count] = penalty**2 * q * e * square / width / moved
            jacobian[-1, -1] -= penalty * _trace(learned, learned.T) / width / moved
            residual[-1] -= np.log(moved)
        return residual, jacobian, _FixedPoint(e, penalty, resolvent)

    start = np.array([np.sum(one) if one.ndim == 1 else np.trace(one) for one in covariances])
    logs = np.log(start / total / (problem.ridge + float(problem.shares @ start) / size))
    if free:
        logs = np.append(logs, np.log(problem.ridge + float(problem.shares @ start) / width))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        residual, jacobian, point = at(logs)
        worst = np.abs(residual).max()
        for _ in range(_MAX_ITERATIONS):
            if worst <= _TOLERANCE or not np.isfinite(worst):
                break
            try:
                step = np.linalg.solve(jacobian, residual)
            except np.linalg.LinAlgError:
                break
            step *= min(1.0, 5.0 / np.abs(step).max())
            scale = 1.0
            while scale > 1e-4:
                trial = at(logs - scale * step)
                if np.abs(trial[0]).max() < worst:
                    break
                scale *= 0.5
            else:
                break  # rounding: no better point is near
            logs = logs - scale * step
            residual, jacobian, point = trial
            worst = np.abs(residual).max()
    if not worst <= 1e-9:
        raise ValueError(
            "ridge must be larger for these groups: without it their samples leave a direction "
            f"undetermined, or nearly so, got ridge = {problem.ridge}"
        )
    return point


def _eye(pattern: Array) -> Array:
    return np.ones_like(pattern) if pattern.ndim == 1 else np.eye(len(pattern))


def _risk(
    groups: list[Group], w: Array, test: Array, problem: _Problem, point: _FixedPoint
) -> MixtureRisk:
    covariances, total, width = problem.covariances, problem.total, problem.width
    e, penalty, resolvent = point
    count = len(groups)
    load = problem.inverse_weights + e
    c, q = problem.shares / load, problem.shares / load**2
    seen = [_product(covariance, resolvent) for covariance in covariances]
    tested = _product(test, resolvent)

    # (1 - A q / n) e' + vartheta' tr(Sigma_g R^2) / n = -tr(Sigma_g R Sigma R) / n, and the
    # derivative of the equation for vartheta
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = np.eye(count)
    system[:count, :count] -= np.array([[_trace(g, h.T) for h in seen] for g in seen]) * q / total
    square = np.array([_trace(one, resolvent) for one in seen])
    right = np.zeros(count + 1)
    right[:count] = [-_trace(one, tested.T) / total for one in seen]
    system[:count, -1] = square / total
    learned = _product(_pooled(c, covariances), resolvent)
    if np.isfinite(width):
        missing = 1.0 - _trace(learned, _eye(learned)) / width
        if penalty > 0.0 and problem.ridge > 0.0:
            missing = problem.ridge / penalty
        elif penalty > 0.0:
            missing = 0.0
        system[-1, :count] = penalty**2 * q * square / width
        system[-1, -1] = missing + penalty * _trace(learned, resolvent) / width
        right[-1] = penalty**2 * _trace(tested, resolvent) / width
    else:
        system[-1, -1] = 1.0
    solution = np.linalg.solve(system, right)
    gain, penalty_change = -q * solution[:count], float(solution[-1])  # c' and vartheta'

    eye = _eye(resolvent)
    change = test + _pooled(gain, covariances)  # C'
    left = eye - penalty * resolvent
    bias = penalty**2 * _form(w, _product(resolvent, change, resolvent), w)
    bias += penalty_change * _form(w, _product(left, left), w)
    variance = float(sum(g.noise_std**2 * one for g, one in zip(groups, gain, strict=True)))

    inner = _product(resolvent, change + penalty_change * eye, resolvent)
    cross = _product(resolvent, penalty_change * left - penalty * _product(change, resolvent))
    collapse = interference = 0.0
    for g, one in enumerate(groups):
        for h, other in enumerate(groups):
            matrix = c[g] * c[h] * _product(covariances[g], inner, covariances[h])
            matrix = matrix - (gain[g] * c[h] + c[g] * gain[h]) * _product(
                covariances[g], resolvent, covariances[h]
            )
            if g == h:
                matrix = matrix + gain[g] * covariances[g]
            collapse += _second_moment(one.shift, matrix, other.shift, same=g == h)
        if isinstance(one.shift, FixedShift):
            matrix = penalty * gain[g] * seen[g] + c[g] * _product(covariances[g], cross)
            interference += 2.0 * _form(one.shift.coordinates, matrix, w)
    return MixtureRisk(
        bias, variance, collapse, interference, bias + variance + collapse + interference
    )


def _second_moment(
    left: RandomShift | FixedShift | None,
    matrix: Array,
    right: RandomShift | FixedShift | None,
    *,
    same: bool,
) -> float:
    """Mean of ``left' matrix right``."""
    if isinstance(left, FixedShift) and isinstance(right, FixedShift):
        return _form(left.coordinates, matrix, right.coordinates)
    if same and isinstance(left, RandomShift):
        if left.covariance is not None and matrix.ndim == 2:
            return _trace(matrix, left.covariance)
        return float((matrix if matrix.ndim == 1 else np.diag(matrix)) @ left.variances)
    return 0.0  # no shift, or two independent centred ones


def _at_pole(groups: list[Group], w: Array, test: Array, width: float) -> MixtureRisk:
    """Without ridge, as many samples as parameters: infinite wherever anything perturbs."""
    complete = width >= w.size  # then the features explain clean labels without error
    bias = 0.0 if complete or not w.any() else np.inf
    variance = np.inf if any(group.noise_std > 0.0 for group in groups) else 0.0
    shifts = [group.shift for group in groups if group.shift is not None]
    if complete and len(groups) == 1:  # one teacher, learned exactly
        collapse = sum(_second_moment(shift, test, shift, same=True) for shift in shifts)
    else:
        collapse = np.inf if any(shift.square.any() for shift in shifts) else 0.0
    return MixtureRisk(bias, variance, collapse, 0.0, bias + variance + collapse)
