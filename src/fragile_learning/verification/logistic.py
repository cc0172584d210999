r"""Fixed point of regularised logistic regression on selected labels, many settings at a time.

Three numbers describe the fitted rule :math:`w` in the proportional limit: its component ``n``
along the unit vector of the class mean, the norm ``r`` of the rest, and the susceptibility ``v``.
With :math:`\omega = \xi s n + \sqrt{n^2+r^2}\,g`, :math:`g \sim N(0, 1)`, :math:`\xi = \pm 1` the
correctness of a kept label, :math:`V = \eta v` and ``u`` the solution of
:math:`u = \omega + V\sigma(-u)`,

.. math::

    \frac1v = \tilde\lambda + E\Big[\frac{k}{1 + Vk}\Big], \qquad
    n = v s\,E[\xi\sigma(-u)], \qquad
    r^2 = \eta v^2 E[\sigma(-u)^2], \qquad k = \sigma(u)\sigma(-u).

Newton's method in the logarithms of the three, for many settings at once: where the data can be
separated all three grow like :math:`1/\tilde\lambda` together, which is a straight line there. The
normal means are sums on an even grid: their error falls exponentially with the step, for the
integrand is analytic up to an imaginary :math:`\omega` of :math:`\pi`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["slope_of_logistic"]

Array = NDArray[np.float64]

_REACH = 8.5  # standard deviations on each side; beyond are 2e-17
_STEP_NORMAL = 0.6  # of g: error exp(-2 pi^2 / 0.36)
_STEP_OMEGA = 0.8  # of omega: error exp(-2 pi^2 / 0.8), 2e-11
_BLOCK = 1 << 15  # nodes held at a time
_AIM = 1e-11  # residual at which a setting is left alone
_CLOSE = 1e-8  # residual at which it counts as solved: cancellation may keep it from the aim
_MOST_STEPS = 60
_MOST_HALVINGS = 12
_LONGEST = 2.0  # step in a logarithm
_SMALL = 1e-4  # signal or advantage below which the slope is proportional to its square, or to it
_FAR = 1e10  # features or ridge for each kept example beyond which the rule is the one-shot rule


def slope_of_logistic(signal: Array, eta: Array, ridge: Array, advantage: Array) -> Array:
    r"""Give :math:`s n/\sqrt{n^2 + r^2}`, whose normal probability is the accuracy.

    Parameters
    ----------
    signal : ndarray, shape (n,)
        ``s`` >= 0.
    eta, ridge : ndarray, shape (n,)
        Features, and penalty, both > 0, for each kept example.
    advantage : ndarray, shape (n,)
        Share of right minus share of wrong labels among those kept, in [-1, 1].

    Raises
    ------
    ArithmeticError
        If a setting is not solved: never seen.

    Examples
    --------
    >>> signal, eta, ridge = (np.full(3, value) for value in (1.5, 0.5, 0.01))
    >>> slope_of_logistic(signal, eta, ridge, np.array([1.0, 0.5, -0.5])).round(4).tolist()
    [1.1815, 0.4226, -0.4226]
    """
    slope = advantage * signal**2 / np.hypot(advantage * signal, np.sqrt(eta))
    apart = np.abs(advantage)
    hard = (
        (signal > 0.0)
        & (apart > 0.0)
        & (eta < _FAR)
        & (ridge < _FAR * (1.0 + np.minimum(eta, _FAR) + signal**2))
    )
    s, a = np.maximum(signal[hard], _SMALL), np.maximum(apart[hard], _SMALL)
    found = _solved(s, eta[hard], ridge[hard], a)
    shrink = (signal[hard] / s) ** 2 * (apart[hard] / a)
    slope[hard] = np.sign(advantage[hard]) * shrink * s * found
    return slope


def _solved(s: Array, eta: Array, ridge: Array, a: Array) -> Array:
    """Cosine of rule and class mean of settings without a limit."""
    given = np.stack([s, eta, ridge, 0.5 * (1.0 - a)])
    x, residual = _newton(_start(s, eta, ridge, a), given)
    left = np.flatnonzero(residual > _CLOSE)
    if left.size:  # from a large ridge downwards, each solution from the one before
        s, eta, ridge, a = (array[left] for array in (s, eta, ridge, a))
        top = np.maximum(ridge, 1.0)
        steps = int(np.ceil(np.log2(np.max(top / ridge)))) + 1
        y = _start(s, eta, top, a)
        for share in np.linspace(0.0, 1.0, steps + 1):
            between = np.stack([s, eta, top ** (1.0 - share) * ridge**share, given[3, left]])
            y, residual[left] = _newton(y, between)
        x[:, left] = y
    worst = int(np.argmax(residual)) if residual.size else 0
    if residual.size and not residual[worst] <= _CLOSE:
        raise ArithmeticError(
            "no fixed point found at signal, features and ridge for each kept example, error "
            f"among those kept = {given[:, worst].tolist()}: residual {residual[worst]:g}"
        )
    return np.asarray(1.0 / np.hypot(1.0, np.exp(x[2] - x[1])))


def _start(s: Array, eta: Array, ridge: Array, a: Array) -> Array:
    """Logarithms of v, n, r for the square loss that touches the logistic one at zero."""
    penalty = 4.0 * ridge
    q = penalty + 1.0 - eta
    root = np.hypot(q, 2.0 * np.sqrt(penalty * eta))
    inverse = np.where(q > 0.0, 0.5 * (q + root), 2.0 * penalty * eta / (root + np.abs(q)))
    u = 1.0 / (inverse + eta)
    k = s**2 * u
    n = 2.0 * a * k / (1.0 + k) / s
    r2 = 4.0 * eta * u * (1.0 - a**2 + (a / (1.0 + k)) ** 2) / root
    return np.stack([np.log(4.0 / inverse), np.log(n), 0.5 * np.log(r2)])


def _newton(x: Array, given: Array) -> tuple[Array, Array]:
    """Solutions and their residuals; rows of ``given``: s, eta, ridge, error."""
    x = x.copy()
    f, jacobian = _system(x, given)
    for _ in range(_MOST_STEPS):  # an alignment that wrong labels would not bear
        lost = np.flatnonzero(~np.isfinite(f).all(axis=0))
        if not lost.size:
            break
        x[1:, lost] -= 1.0
        f[:, lost], jacobian[lost] = _system(x[:, lost], given[:, lost])
    for _ in range(_MOST_STEPS):
        rows = np.flatnonzero(~(np.abs(f).max(axis=0) <= _AIM))
        if not rows.size:
            break
        step = -np.linalg.solve(jacobian[rows], f[:, rows].T[..., None])[..., 0].T
        length = np.minimum(1.0, _LONGEST / np.maximum(np.abs(step).max(axis=0), _LONGEST))
        before, size = x[:, rows], np.square(f[:, rows]).sum(axis=0)
        todo = np.arange(rows.size)
        for _ in range(_MOST_HALVINGS):
            here = rows[todo]
            x[:, here] = before[:, todo] + length[todo] * step[:, todo]
            f[:, here], jacobian[here] = _system(x[:, here], given[:, here])
            better = np.square(f[:, here]).sum(axis=0) <= size[todo] * (1.0 - 1e-4 * length[todo])
            todo = todo[~(better | (size[todo] <= _CLOSE**2))]
            if not todo.size:
                break
            length[todo] *= 0.5
    return x, np.where(np.isfinite(f).all(axis=0), np.abs(f).max(axis=0), np.inf)


def _system(x: Array, given: Array) -> tuple[Array, Array]:
    """Residuals, shape (3, n), and Jacobians, shape (n, 3, 3), in blocks of like widths."""
    width = np.hypot(np.exp(x[1]), np.exp(x[2]))
    needed = np.maximum(_REACH / _STEP_NORMAL, _REACH / _STEP_OMEGA * width)
    half = np.ceil(2.0 ** (np.ceil(2.0 * np.log2(needed)) / 2.0)).astype(int)
    f, jacobian = np.empty_like(x), np.empty((x.shape[1], 3, 3))
    for count in np.unique(half):
        rows = np.flatnonzero(half == count)
        size = max(1, _BLOCK // (4 * int(count)))
        for first in range(0, rows.size, size):
            block = rows[first : first + size]
            f[:, block], jacobian[block] = _block(x[:, block], given[:, block], int(count))
    return f, jacobian


def _proximal(omega: Array, V: Array) -> Array:
    r"""Solve :math:`u = \omega + V\sigma(-u)`; returns :math:`\sigma(-u)`.

    Convex below and concave above its only inflection at 0: from there, or from nearer to the
    root on the same side, Newton's method cannot overshoot.
    """
    u = np.clip(0.0, omega, omega + V)
    while True:
        sigma = 1.0 / (1.0 + np.exp(np.minimum(u, 700.0)))
        step = (u - omega - V * sigma) / (1.0 + V * sigma * (1.0 - sigma))
        u -= step
        if np.all(np.abs(step) <= 1e-8 * (1.0 + np.abs(u))):
            return np.asarray(1.0 / (1.0 + np.exp(np.minimum(u, 700.0))))


def _block(x: Array, given: Array, half: int) -> tuple[Array, Array]:
    s, eta, ridge, error = given
    v, n, r = np.exp(x)
    q, V = np.hypot(n, r), eta * v
    g = np.arange(-half, half + 1) * (_REACH / half)
    density = np.exp(-0.5 * g**2)
    density /= density.sum()
    xi = np.array([1.0, -1.0])[:, None, None]
    share = np.stack([1.0 - error, error])[:, :, None] * density
    wide = V[None, :, None]
    sigma = _proximal(xi * (s * n)[None, :, None] + q[None, :, None] * g, wide)

    def mean(values: Array) -> Array:
        return np.asarray(np.einsum("apg,apg->p", share, values))

    k = sigma * (1.0 - sigma)
    damped = 1.0 / (1.0 + wide * k)
    slope = k * damped  # of -sigma in omega
    bend = (2.0 * sigma - 1.0) * k * damped**3  # of slope in omega
    by_v = bend * sigma - slope**2  # of slope in V
    along = xi * (s * n)[None, :, None] + g * (n * n / q)[None, :, None]  # of omega in log n
    aside = g * (r * r / q)[None, :, None]  # of omega in log r
    signed = xi * slope
    both = sigma * slope
    with np.errstate(divide="ignore", invalid="ignore"):
        curvature = ridge + mean(slope)
        pull, spread = mean(xi * sigma), mean(sigma**2)
        pull = np.where(pull > 0.0, pull, np.nan)
        spread = np.where(spread > 0.0, spread, np.nan)
        f = np.stack(
            [
                x[0] + np.log(curvature),
                x[1] - x[0] - np.log(s * pull),
                x[2] - x[0] - 0.5 * np.log(eta * spread),
            ]
        )
        jacobian = np.stack(
            [
                1.0 + V * mean(by_v) / curvature,
                mean(bend * along) / curvature,
                mean(bend * aside) / curvature,
                V * mean(signed * sigma) / pull - 1.0,
                1.0 + mean(signed * along) / pull,
                mean(signed * aside) / pull,
                V * mean(both * sigma) / spread - 1.0,
                mean(both * along) / spread,
                1.0 + mean(both * aside) / spread,
            ],
            axis=-1,
        ).reshape(-1, 3, 3)
    return f, jacobian
