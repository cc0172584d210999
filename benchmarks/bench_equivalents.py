"""Effective ridge, degrees of freedom and risk on a million features, against plain iteration."""

from __future__ import annotations

import numpy as np

from _report import Line, best_time, main
from fragile_learning.equivalents import df1, df2, kappa
from fragile_learning.regression import Chain, Stage, theory
from fragile_learning.spectra import Spectrum, source_condition_target
from fragile_learning.statistics import log_log_slope

TOLERANCE = 1e-12
MOST_STEPS = 100_000


def points(n_samples: int, n_ridges: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample sizes around the number of features; ridges from its last eigenvalue to its first."""
    return (
        np.repeat(np.round(np.logspace(3, 7, n_samples)), n_ridges),
        np.tile(np.logspace(-12, 0, n_ridges), n_samples),
    )


def plain(eigenvalues: np.ndarray, target: np.ndarray, noise_std: float, samples, ridges):
    """Iterate the definition to convergence, then sum: what one writes from the paper."""
    rows, steps = [], 0
    for size, ridge in zip(samples, ridges, strict=True):
        root = ridge + eigenvalues.sum() / size
        for _ in range(MOST_STEPS):
            steps += 1
            new = ridge + root * np.sum(eigenvalues / (eigenvalues + root)) / size
            done = abs(new - root) <= TOLERANCE * root
            root = new
            if done:
                break
        share = eigenvalues / (eigenvalues + root)
        first, second = share.sum(), (share**2).sum()
        bias = np.sum(eigenvalues * (target * (1 - share)) ** 2) / (1 - second / size)
        variance = noise_std**2 * second / (size - second)
        rows.append((root, first, second, bias + variance))
    return np.array(rows), steps


def ours(n_features: int, samples, ridges):
    """The library, everything from the construction of the spectrum on."""
    spectrum = Spectrum.power_law(n_features, 2.0)
    target = source_condition_target(n_features, 2.0, 0.375)
    root = kappa(spectrum, samples, ridges)
    chain = Chain(spectrum, target, (Stage(100, noise_std=0.3),))
    risk = theory.excess_risk_grid(chain, samples, ridges).total
    return np.column_stack([root, df1(spectrum, root), df2(spectrum, root), risk])


def plain_inputs(n_features: int):
    return np.arange(1.0, n_features + 1) ** -2.0, source_condition_target(n_features, 2.0, 0.375)


def lines() -> list[Line]:
    size = 1_000_000
    samples, ridges = points(10, 10)
    eigenvalues, target = plain_inputs(size)
    seconds_plain = best_time(lambda: plain(eigenvalues, target, 0.3, samples, ridges), repeats=3)
    seconds_ours = best_time(lambda: ours(size, samples, ridges), repeats=5)
    sizes = np.array([10_000, 100_000, 1_000_000])
    growth = [best_time(lambda d=d: ours(int(d), samples, ridges), repeats=5) for d in sizes]
    found = ours(size, samples, ridges)
    expected, steps = plain(eigenvalues, target, 0.3, samples, ridges)
    off = float(np.max(np.abs(found / expected - 1)))
    return [
        Line("100 points on 1e6 features, ours", seconds_ours, "s"),
        Line(f"the same by plain iteration ({steps} steps)", seconds_plain, "s"),
        Line("largest relative difference", off, "", 1e-8, at_most=True),
        Line("plain / ours", seconds_plain / seconds_ours, "x", 20.0),
        Line(
            "log-log slope of the cost, 1e4 .. 1e6 features",
            log_log_slope(sizes, growth).slope,
            "",
            1.05,
            at_most=True,
        ),
    ]


if __name__ == "__main__":
    main("Deterministic equivalents", lines)
