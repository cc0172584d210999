"""The law of a mixture over many widths, and a replicate of a mixture, against the usual way."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import brentq

from _report import Line, best_time, main
from fragile_learning.spectra import Spectrum
from fragile_learning.strong_collapse import Mixture, RandomShift, theory
from fragile_learning.strong_collapse.simulation import simulate_excess_risk

P2, RIDGE, NOISE = 0.1, 1e-4, 0.5


def widths_of(n_samples: int, count: int) -> np.ndarray:
    """Widths on both sides of the threshold."""
    return np.unique(np.round(np.geomspace(10, 20 * n_samples, count)))


def ours(n_features: int, sizes, widths) -> np.ndarray:
    """The library, everything from the construction of the spectrum on."""
    even = np.full(n_features, 1.0 / n_features)
    spectrum = Spectrum.power_law(n_features, 1.0)
    mixture = Mixture(spectrum, np.sqrt(even), RandomShift(even), 9, 1, RIDGE, NOISE, NOISE)
    risk = theory.excess_risk_grid(mixture, n=np.reshape(sizes, (-1, 1)), width=widths)
    return np.column_stack([part.ravel() for part in risk[:3]])


def plain(n_features: int, sizes, widths) -> np.ndarray:
    """A scalar root and direct sums for each point: what one writes from the theorem."""
    values = 1.0 / np.arange(1.0, n_features + 1.0)
    square = np.full(n_features, 1.0 / n_features)
    p1, p2, rows = 1.0 - P2, P2, []
    for n, m in itertools.product(map(float, sizes), widths):

        def gap(log_root: float, n=n, m=m) -> float:
            first = np.sum(values / (values + np.exp(log_root)))
            return np.exp(log_root) * (1 - first / n) * (1 - first / m) - RIDGE

        def short(log_root: float, n=n, m=m) -> float:
            return np.sum(values / (values + np.exp(log_root))) - min(n, m)

        low = brentq(short, -60.0, 20.0) if min(n, m) < n_features else -60.0
        root = np.exp(brentq(gap, low, 20.0, xtol=1e-14))
        share = values / (values + root)
        first, second = share.sum(), (share**2).sum()
        rho = (1 - first / m) / (1 - second / m)
        omega, spread = (1 - rho) * root, (1 - rho) * first + rho * second
        u = spread / (n - spread)
        inner = square * values * (root**2 + omega * values) / (values + root) ** 2
        bias = (1 + u) * inner.sum()
        collapse = p2**2 * (1 + p1 * u) * np.sum(square * values * share**2)
        collapse += p2**2 * (1 + u) * omega * np.sum(square * share**2)
        collapse += p2 * u * np.sum(square * values * ((p1 * values + root) / (values + root)) ** 2)
        rows.append((bias, NOISE**2 * u, collapse))
    return np.array(rows)


def mixture_of(kind: str, n_features: int, n_samples: int) -> Mixture:
    """A tenth synthetic: least squares, ridge, or a random projection of two thirds of the size."""
    even = np.full(n_features, 1.0 / n_features)
    synthetic = round(P2 * n_samples)
    return Mixture(
        Spectrum.power_law(n_features, 1.0),
        np.sqrt(even),
        RandomShift(even),
        n_samples - synthetic,
        synthetic,
        0.0 if kind != "ridge" else 1e-3,
        NOISE,
        NOISE,
        width=2 * n_features // 3 if kind == "projection" else None,
    )


def plain_risk(mixture: Mixture, rng: np.random.Generator) -> float:
    """Build the design, draw labels, shift and projection, solve by lstsq, measure."""
    root, n = np.sqrt(mixture.spectrum.eigenvalues), mixture.n_samples
    design = rng.standard_normal((n, root.size)) * root
    labels = design @ mixture.target + NOISE * rng.standard_normal(n)
    shift = np.sqrt(mixture.shift.square) * rng.standard_normal(root.size)
    labels[mixture.n_real :] += design[mixture.n_real :] @ shift
    projection = np.eye(root.size)
    if mixture.width is not None:
        projection = rng.standard_normal((mixture.width, root.size)) / np.sqrt(mixture.width)
        design = design @ projection.T
    if mixture.ridge > 0.0:
        size = design.shape[1]
        design = np.vstack([design, np.sqrt(n * mixture.ridge) * np.eye(size)])
        labels = np.append(labels, np.zeros(size))
    weights = projection.T @ np.linalg.lstsq(design, labels, rcond=None)[0]
    return float(np.sum((root * (weights - mixture.target)) ** 2))


def simulator_lines(kind: str, n_samples: int, goal: float | None) -> list[Line]:
    mixture, rng = mixture_of(kind, 300, n_samples), np.random.default_rng(0)
    fast = best_time(lambda: simulate_excess_risk(mixture, 20, rng=rng), 5) / 20
    slow = best_time(lambda: [plain_risk(mixture, rng) for _ in range(5)], 5) / 5
    drawn = simulate_excess_risk(mixture, 100, rng=rng).total
    once = np.array([plain_risk(mixture, rng) for _ in range(100)])
    worth = once.var(ddof=1) / drawn.var(ddof=1)
    label = f"{kind}, d = 300, n = {n_samples:,}"
    return [
        Line(f"{label}: ours, a replicate", 1e3 * fast, "ms"),
        Line(f"{label}: lstsq loop / ours", slow / fast, "x", goal),
        Line(f"{label}: the same at equal precision", worth * slow / fast, "x", 3.0),
    ]


def lines() -> list[Line]:
    size, sizes = 10_000, (500, 2000, 8000)
    widths = widths_of(2000, 200)
    one = best_time(lambda: ours(size, [2000], widths), repeats=5)
    seconds_ours = best_time(lambda: ours(size, sizes, widths), repeats=5)
    seconds_plain = best_time(lambda: plain(size, sizes, widths), repeats=3)
    off = np.max(np.abs(ours(size, sizes, widths) / plain(size, sizes, widths) - 1))
    found = [
        Line(f"{widths.size} widths on 1e4 features, ours", one, "s", 1.0, at_most=True),
        Line(f"{widths.size} widths at 3 sample sizes, ours", seconds_ours, "s"),
        Line("the same by a scalar solver for each point", seconds_plain, "s"),
        Line("largest relative difference", float(off), "", 1e-8, at_most=True),
        Line("scalar solving / ours", seconds_plain / seconds_ours, "x", 20.0),
    ]
    for kind in ("least squares", "ridge", "projection"):
        found += simulator_lines(kind, 600, None)
        found += simulator_lines(kind, 3000, 3.0)
    return found


if __name__ == "__main__":
    main("Strong collapse", lines)
