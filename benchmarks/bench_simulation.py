"""A replicate of a chain, against building each design and solving."""

from __future__ import annotations

import tracemalloc

import numpy as np
from scipy.linalg import solve
from sklearn.linear_model import Ridge

from _report import Line, best_time, main
from fragile_learning.regression import Chain, Stage
from fragile_learning.regression.simulation import simulate_excess_risk
from fragile_learning.spectra import Spectrum


def by_library(design: np.ndarray, labels: np.ndarray, ridge: float) -> np.ndarray:
    """What a user would pick."""
    if ridge == 0.0:
        return np.linalg.lstsq(design, labels, rcond=None)[0]
    return Ridge(alpha=len(labels) * ridge, fit_intercept=False).fit(design, labels).coef_


def by_normal_equations(design: np.ndarray, labels: np.ndarray, ridge: float) -> np.ndarray:
    """What an expert would write."""
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] += len(labels) * ridge
    return solve(gram, design.T @ labels, assume_a="pos", overwrite_a=True, check_finite=False)


def plain_risk(chain: Chain, fit, rng: np.random.Generator) -> float:
    """Build every design, draw every label, fit, and measure: one replicate."""
    root, weights = np.sqrt(chain.spectrum.eigenvalues), chain.target
    for stage in chain.stages:
        design = rng.standard_normal((stage.n_samples, root.size)) * root
        labels = design @ weights + stage.noise_std * rng.standard_normal(stage.n_samples)
        weights = fit(design, labels, stage.ridge)
    return float(np.sum((root * (weights - chain.target)) ** 2))


def chain_of(kind: str, n_features: int, n_samples: int) -> Chain:
    """Two stages of the size: least squares, then least squares or ridge."""
    ridge = 0.0 if kind == "least squares" else 1e-3
    target = np.arange(1.0, n_features + 1) ** -0.5
    stages = (Stage(n_samples, noise_std=0.2), Stage(n_samples, ridge, 0.1))
    return Chain(Spectrum.power_law(n_features, 1.0), target, stages)


def speed(kind: str, n_samples: int, goal: float, replicates: int, repeats: int) -> list[Line]:
    chain, rng = chain_of(kind, 300, n_samples), np.random.default_rng(0)
    ours = best_time(lambda: simulate_excess_risk(chain, 20, rng=rng), 5) / 20
    found = {}
    for name, fit in (("library", by_library), ("normal equations", by_normal_equations)):

        def work(fit=fit):
            return [plain_risk(chain, fit, rng) for _ in range(replicates)]

        found[name] = best_time(work, repeats) / replicates
    label = f"{kind}, T = {n_samples:,}"
    lines = [
        Line(f"{label}: ours, a replicate", 1e3 * ours, "ms"),
        Line(f"{label}: library routine / ours", found["library"] / ours, "x", goal),
        Line(f"{label}: normal equations / ours", found["normal equations"] / ours, "x"),
    ]
    if n_samples < 10_000:
        drawn = simulate_excess_risk(chain, 400, rng=rng).total
        once = np.array([plain_risk(chain, by_normal_equations, rng) for _ in range(400)])
        worth = once.var(ddof=1) / drawn.var(ddof=1)
        ratio = worth * found["normal equations"] / ours
        lines.append(Line(f"{label}: normal equations / ours at equal precision", ratio, "x"))
    return lines


def peak_memory(n_samples: int) -> int:
    chain = chain_of("ridge", 300, n_samples)
    tracemalloc.start()
    simulate_excess_risk(chain, 2, rng=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def lines() -> list[Line]:
    found = []
    for kind in ("least squares", "ridge"):
        found += speed(kind, 600, 3.0, replicates=5, repeats=5)
        # a design of a million rows takes 2.4 GB; one replicate is enough to time seconds
        found += speed(kind, 1_000_000, 100.0, replicates=1, repeats=1)
    small, large = peak_memory(600), peak_memory(1_000_000)
    found.append(Line("peak memory at T = 1,000,000", large / 2**20, "MiB"))
    found.append(Line("the same over T = 600", large / small, "x", 1.05, at_most=True))
    return found


if __name__ == "__main__":
    main("Simulation of a two-stage chain, d = 300", lines)
