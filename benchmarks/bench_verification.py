"""Accuracies of students on a grid against solving point by point.

Point by point is what a user would write: for ridge regression the scalar formula in a loop; for
logistic regression the damped iteration of its three equations with 121 Gauss-Hermite nodes, each
proximal operator by a bracketed Newton iteration on arrays of nodes.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from _report import Line, best_time, main
from fragile_learning.verification import Generator, Verifier
from fragile_learning.verification.theory import accuracy_logistic, accuracy_ridge

SIGNAL, FEATURES, RIDGE = 1.5, 200, 0.1
VERIFIER = Verifier(0.9, 0.3)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(121)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Error rates below breakdown, and sizes: where the damped iteration converges."""
    p, n = np.meshgrid(np.linspace(0.01, 0.7, side), np.geomspace(200, 1e5, side))
    return p, n


def ours(law, p: np.ndarray, n: np.ndarray) -> np.ndarray:
    sizes = {"signal": SIGNAL, "n_features": FEATURES, "n_generated": n, "ridge": RIDGE}
    return law(Generator(p), VERIFIER, **sizes)


def by_point(law, p: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Our own functions, called once for each point."""
    return np.array([ours(law, *point) for point in zip(p.flat, n.flat, strict=True)])


def plain_ridge(p: float, n: float) -> float:
    """The textbook formula of one point."""
    right, wrong = (1 - p) * 0.9, p * 0.3
    kept = right + wrong
    eta, lt, a = FEATURES / n / kept, RIDGE / kept, (right - wrong) / kept
    q = lt + 1 - eta
    root = np.sqrt(q * q + 4 * lt * eta)
    mm = 2 / (q + root) if q > 0 else (root - q) / (2 * lt * eta)
    mm2 = (eta * mm**2 + mm) / root
    g, h2 = 1 / (1 + eta * mm), eta * (mm - lt * mm2)
    e = a * g / (1 + SIGNAL**2 * mm * g)
    c = e * SIGNAL**2 * mm
    return ndtr(c / np.sqrt(e**2 * SIGNAL**2 * mm2 + h2 * (1 + c**2 - 2 * a * c)))


def proximal(omega: np.ndarray, V: float) -> np.ndarray:
    low, high = omega, omega + V
    u = omega + 0.5 * V
    for _ in range(100):
        f = u - omega - V * expit(-u)
        low, high = np.where(f < 0, u, low), np.where(f > 0, u, high)
        step = u - f / (1 + V * expit(u) * expit(-u))
        new = np.where((step > low) & (step < high), step, 0.5 * (low + high))
        if np.abs(new - u).max() < 1e-11 * max(1.0, np.abs(u).max()):
            return new
        u = new
    return u


def plain_logistic(p: float, n: float) -> float:
    """Damped iteration of one point."""
    right, wrong = (1 - p) * 0.9, p * 0.3
    kept = right + wrong
    eta, lt, eps = FEATURES / n / kept, RIDGE / kept, wrong / kept
    xi = np.array([[1.0], [-1.0]])
    share = np.array([[1 - eps], [eps]]) * WEIGHTS
    x = np.array([0.1 * np.sign(right - wrong), 0.1, 1.0])
    for _ in range(5000):
        M, Q, V = x
        sigma = expit(-proximal(xi * M + np.sqrt(Q) * NODES, V))
        k = sigma * (1 - sigma)
        ch, mh, qh = (float((share * f).sum()) for f in (k / (1 + V * k), xi * sigma, sigma**2))
        down = lt + ch
        new = np.array(
            [
                mh * SIGNAL**2 / down,
                (mh**2 * SIGNAL**2 + qh * eta) / down**2,
                eta / down,
            ]
        )
        if np.abs(new - x).max() < 1e-8 * max(1.0, np.abs(x).max()):
            return ndtr(M / np.sqrt(Q))
        x = x + (new - x) / (1 + SIGNAL**2)
    raise ArithmeticError(f"no fixed point at {p}, {n}")


def plain(law, p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.array([law(*point) for point in zip(p.flat, n.flat, strict=True)])


def lines() -> list[Line]:
    p, n = grid(100)
    few = tuple(x[::25, ::25] for x in (p, n))  # enough of the slow ones
    share = few[0].size / p.size
    found = []
    for name, law, one, sample in (
        ("ridge", accuracy_ridge, plain_ridge, (p, n)),
        ("logistic", accuracy_logistic, plain_logistic, few),
    ):
        part = sample[0].size / p.size
        fast = best_time(lambda law=law: ours(law, p, n), 20 if name == "ridge" else 3)
        slow = best_time(lambda one=one, x=sample: plain(one, *x), 1) / part
        calls = best_time(lambda law=law: by_point(law, *few), 2) / share
        found += [
            Line(f"{name}: 100 x 100 grid", fast, "s", 2.0, at_most=True),
            Line(f"{name}: point by point / ours", slow / fast, "x", 20.0),
            Line(f"{name}: our function called for each point / ours", calls / fast, "x"),
        ]
    return found


if __name__ == "__main__":
    main("Verification", lines)
