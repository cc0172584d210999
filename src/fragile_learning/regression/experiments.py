"""Experiments of the room: one table each, in a quick tier (in the book) and a full one (archived).

A point function takes one point of a grid and a generator, and returns the columns of a row:
prediction and measurement side by side. Quick and full differ in numbers alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fragile_learning._validation import choice, whole_number
from fragile_learning.datasets import load, load_first
from fragile_learning.equivalents import df2, kappa
from fragile_learning.images import ImageTask, image_task, one_hot
from fragile_learning.regression import kernels, power_laws, published, theory
from fragile_learning.regression.chain import Chain, RiskParts, Stage
from fragile_learning.regression.projections import simulate_projections
from fragile_learning.regression.random_features import iterated_random_features
from fragile_learning.regression.simulation import simulate_excess_risk
from fragile_learning.spectra import Spectrum, source_condition_target
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import Catalogue, Experiment, grid

__all__ = [
    "CHAIN_NAMES",
    "EXPERIMENTS",
    "archived",
    "experiment",
    "named_chain",
    "repeated_chain",
    "risk_curves",
    "run_quick",
]

Row = dict[str, Any]
Point = dict[str, Any]

SEED = 20_240_212
_PARTS = ("bias", "variance", "generator_noise", "total")


# --- chains -----------------------------------------------------------------------------------


def _setting(n_features: int, exponent: float, source_exponent: float) -> tuple[Spectrum, Any]:
    """Spectrum and target; exponent 0 is white features and a flat target of norm 1."""
    if exponent == 0.0:
        return Spectrum.isotropic(n_features), np.full(n_features, n_features**-0.5)
    target = source_condition_target(n_features, exponent, source_exponent)
    return Spectrum.power_law(n_features, exponent), target


def _compare(chain: Chain, n_replicates: int, rng: np.random.Generator) -> Row:
    """Theory, the exact law where there is one (NaN elsewhere), and the simulation of a chain."""
    predicted = theory.excess_risk(chain)
    row: Row = {"signal": chain.signal, "scale": theory.finite_size_scale(chain)}
    row |= {f"theory_{part}": getattr(predicted, part) for part in _PARTS}
    try:
        exact: RiskParts | None = theory.exact_excess_risk(chain)
    except ValueError:
        exact = None
    for part in ("bias", "total"):
        row[f"exact_{part}"] = float("nan") if exact is None else float(getattr(exact, part))
    drawn = simulate_excess_risk(chain, n_replicates, rng=rng)
    for part in _PARTS:
        mean, error = mean_and_standard_error(getattr(drawn, part))
        row[f"mean_{part}"], row[f"se_{part}"] = float(mean), float(error)
    return row


_COMPARED = (
    "signal",
    "scale",
    *(f"theory_{part}" for part in _PARTS),
    "exact_bias",
    "exact_total",
    *(f"{kind}_{part}" for part in _PARTS for kind in ("mean", "se")),
)
_NULLABLE = ("exact_bias", "exact_total")


def repeated_chain(
    *,
    n_features: int,
    exponent: float,
    source_exponent: float,
    n_generations: int,
    n_generator_samples: int,
    generator_noise_std: float,
    shared_design: bool,
    n_samples: int,
    ridge: float,
    noise_std: float,
) -> Chain:
    """Chain of equal least-squares generators and a ridge student, from a point of a grid.

    Parameters
    ----------
    n_features : int
    exponent, source_exponent : float
        Of a power law; exponent 0 means white features and a flat target of norm 1.
    n_generations, n_generator_samples : int
    generator_noise_std : float
    shared_design : bool
    n_samples : int
    ridge, noise_std : float
        The student's.

    Returns
    -------
    Chain

    Raises
    ------
    TypeError, ValueError
        As `fragile_learning.regression.chain.Chain`.

    Examples
    --------
    >>> white = dict(n_features=100, exponent=0.0, source_exponent=0.0)
    >>> generators = dict(n_generations=3, n_generator_samples=200, generator_noise_std=0.2)
    >>> student = dict(n_samples=300, ridge=0.1, noise_std=0.1)
    >>> chain = repeated_chain(**white, **generators, shared_design=False, **student)
    >>> chain.n_generations, chain.student
    (3, Stage(n_samples=300, ridge=0.1, noise_std=0.1))
    >>> round(theory.excess_risk(chain).generator_noise, 4)
    0.0928
    """
    spectrum, target = _setting(n_features, exponent, source_exponent)
    return Chain.repeated(
        spectrum,
        target,
        n_generations,
        Stage(n_generator_samples, noise_std=generator_noise_std),
        Stage(n_samples, ridge, noise_std),
        shared_design=shared_design,
    )


def repeated_chain_point(*, n_replicates: int, rng: np.random.Generator, **setting: Any) -> Row:
    """Prediction and simulation of a `repeated_chain`."""
    return _compare(repeated_chain(**setting), n_replicates, rng)


def _chains(**axes: Any) -> list[Point]:
    """Grid for `repeated_chain_point`; axes that are not given have one value."""
    given: Point = {
        "n_features": [100],
        "exponent": [0.0],
        "source_exponent": [0.0],
        "n_generations": [0, 1, 5, 10],
        "n_generator_samples": [200],
        "generator_noise_std": [0.2],
        "shared_design": [False],
        "n_samples": [333],
        "ridge": [0.0],
        "noise_std": [0.1],
        "n_replicates": [20],
    }
    return grid(**{**given, **axes})


def _power(spectrum: Spectrum, exponent: float) -> NDArray[np.float64]:
    return np.arange(1.0, spectrum.n_features + 1.0) ** -exponent


def _two_levels() -> tuple[Spectrum, NDArray[np.float64]]:
    """Weak directions carry the whole target, of squared Mahalanobis norm 1."""
    spectrum = Spectrum(np.repeat([1.0, 0.02], [30, 270]))
    target = np.repeat([0.0, 1.0], [30, 270])
    return spectrum, target / np.sqrt(spectrum.eigenvalues @ target**2)


def named_chain(name: str) -> Chain:
    """Return a chain that the book uses to compare theory with simulation.

    Parameters
    ----------
    name : str
        One of `CHAIN_NAMES`.

    Returns
    -------
    Chain

    Raises
    ------
    ValueError
        If there is no such chain.

    Examples
    --------
    >>> named_chain("counterexample").student
    Stage(n_samples=33, ridge=0.0, noise_std=0.0)
    """
    return _NAMED[choice("name", name, CHAIN_NAMES)]()


def _white(stages: list[Stage], *, shared_design: bool = False) -> Chain:
    return Chain(Spectrum.isotropic(150), np.full(150, 150**-0.5), tuple(stages), shared_design)


def _power_chain(
    decay: float, target_decay: float, stages: list[Stage], *, shared_design: bool = False
) -> Chain:
    spectrum = Spectrum.power_law(150, decay)
    return Chain(spectrum, _power(spectrum, target_decay), tuple(stages), shared_design)


def _counterexample(*generators: Stage) -> Chain:
    spectrum, target = _two_levels()
    return Chain(spectrum, target, (*generators, Stage(33)))


_RIDGE_GENERATORS = [Stage(200, 0.05, 0.1), Stage(70, 0.1, 0.3), Stage(300, 0.01, 0.2)]

_NAMED: Mapping[str, Callable[[], Chain]] = {
    "clean white, T > d": lambda: _white([Stage(250, 0.05, 0.3)]),
    "clean white, T < d": lambda: _white([Stage(75, 0.02, 0.3)]),
    "clean power law, T > d": lambda: _power_chain(1.3, 0.5, [Stage(400, 2e-3, 0.2)]),
    "clean power law, T < d": lambda: _power_chain(1.2, 0.4, [Stage(100, 1e-3, 0.2)]),
    "full-rank generators": lambda: _power_chain(
        1.3, 0.5, [Stage(400, noise_std=0.2)] * 3 + [Stage(120, 2e-3, 0.1)]
    ),
    "white, shared projections": lambda: _white(
        [Stage(60, noise_std=0.15)] * 4 + [Stage(300, 0.05, 0.1)], shared_design=True
    ),
    "white, fresh projections": lambda: _white(
        [Stage(60, noise_std=0.15)] * 4 + [Stage(300, 0.05, 0.1)]
    ),
    "power law, shared projections": lambda: _power_chain(
        1.2, 0.4, [Stage(50, noise_std=0.1)] * 3 + [Stage(100, 1e-3, 0.1)], shared_design=True
    ),
    "power law, fresh projections": lambda: _power_chain(
        1.2, 0.4, [Stage(50, noise_std=0.1)] * 3 + [Stage(100, 1e-3, 0.1)]
    ),
    "ridge generators": lambda: _power_chain(0.9, 0.3, [*_RIDGE_GENERATORS, Stage(110, 0.02, 0.1)]),
    "ridgeless student, T < d": lambda: _white(
        [Stage(100, noise_std=0.1)] * 2 + [Stage(90, 0.0, 0.1)]
    ),
    "counterexample, clean": lambda: _counterexample(),
    "counterexample": lambda: _counterexample(Stage(90)),
}
CHAIN_NAMES = tuple(_NAMED)


def named_chain_point(*, chain: str, n_replicates: int, rng: np.random.Generator) -> Row:
    """One of the named chains, with the parts of its bias and the form (18) of its noise."""
    setting = named_chain(chain)
    row = _compare(setting, n_replicates, rng)
    parts = theory.bias_decomposition(setting)
    row |= {"clean_bias": parts.clean, "delta_bias": parts.delta, "cross_bias": parts.cross}
    row["n_generations"] = setting.n_generations
    return row


def variance_point(
    *,
    n_features: int,
    exponent: float,
    n_generator_samples: int,
    n_generations: int,
    n_samples: int,
    ridge: float,
    rng: np.random.Generator,  # noqa: ARG001 - nothing is random here
) -> Row:
    """Noise of one generation by the recursion, and by the forms (18) and (19) of rho."""
    spectrum, target = _setting(n_features, exponent, 0.5)
    generator = Stage(n_generator_samples, noise_std=1.0)
    shared = n_generator_samples < n_features
    chain = Chain.repeated(
        spectrum, target, n_generations, generator, Stage(n_samples, ridge), shared_design=shared
    )
    general = theory.variance_per_generation(spectrum, n_generator_samples, n_samples, ridge)
    row: Row = {
        "recursion": theory.excess_risk(chain).generator_noise / n_generations,
        "general": float(general),
        "full_rank": float("nan"),
        "misprinted": float("nan"),
    }
    if not shared:
        sizes = (spectrum, n_generator_samples, n_samples, ridge)
        row["full_rank"] = theory.variance_per_generation_full_rank(*sizes)
        row["misprinted"] = published.variance_per_generation_full_rank(*sizes)
    return row


# --- the effective ridge ----------------------------------------------------------------------


def effective_ridge_point(
    *,
    n_features: int,
    exponent: float,
    n_samples: int,
    ridge: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Residual of the fixed point, the white closed form, and the derivative two ways."""
    spectrum, _ = _setting(n_features, exponent, 0.5)
    root = float(kappa(spectrum, n_samples, ridge))
    eigenvalues = spectrum.eigenvalues
    # the sums here are direct: the library's go through a compressed spectrum
    first = float(np.sum(eigenvalues / (eigenvalues + root)))
    second = float(np.sum((eigenvalues / (eigenvalues + root)) ** 2))
    closed = float("nan")
    if exponent == 0.0:
        ratio = n_features / n_samples
        half = np.sqrt((ridge + ratio - 1.0) ** 2 + 4.0 * ridge)
        sum_ = ridge + ratio - 1.0
        closed = float(
            (sum_ + half) / 2.0 if sum_ >= 0 else 2.0 * ridge / (half - sum_)
        )  # no cancellation
    step = 1e-4 * ridge
    finite = float("nan")
    if ridge > 0:
        above, below = (float(kappa(spectrum, n_samples, ridge + s)) for s in (step, -step))
        finite = (above - below) / (2.0 * step)
    return {
        "kappa": root,
        "residual": 0.0 if root == 0.0 else (root - ridge - root * first / n_samples) / root,
        "closed_form": closed,
        "derivative": float("nan") if ridge == 0 else 1.0 / (1.0 - second / n_samples),
        "difference_quotient": finite,
    }


# --- the best ridge ---------------------------------------------------------------------------


def optimal_ridge_point(
    *,
    aspect_ratio: float,
    generator_aspect_ratio: float,
    n_generations: int,
    noise_variance: float,
    generator_noise_variance: float,
    signal: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Best ridge of a white chain by minimisation and by the fixed point."""
    size = 3000
    chain = Chain.repeated(
        Spectrum.isotropic(size),
        np.full(size, np.sqrt(signal / size)),
        n_generations,
        Stage(round(size / generator_aspect_ratio), noise_std=np.sqrt(generator_noise_variance)),
        Stage(round(size / aspect_ratio), noise_std=np.sqrt(noise_variance)),
    )
    inherited = theory.isotropic_generator_noise(
        generator_aspect_ratio, n_generations, noise_std=np.sqrt(generator_noise_variance)
    )
    best = theory.optimal_ridge(chain)
    fixed = theory.optimal_ridge_isotropic(
        aspect_ratio,
        signal=signal,
        noise_std=np.sqrt(noise_variance),
        generator_noise=float(inherited),
    )
    at = theory.excess_risk_grid(chain, ridge=[best, 0.0, best * 1.5, best / 1.5]).total
    return {
        "minimiser": best,
        "fixed_point": fixed,
        "risk": float(at[0]),
        "risk_without_ridge": float(at[1]),
        "risk_beside": float(min(at[2:])),
        "signal_to_beat": chain.signal,
    }


# --- power laws -------------------------------------------------------------------------------


def clean_scaling_point(
    *,
    n_features: int,
    exponent: float,
    source_exponent: float,
    ridge_exponent: float,
    log10_low: float,
    log10_high: float,
    n_sizes: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> list[Row]:
    """Bias and variance of a student on clean labels, at ridge ``T ** -ridge_exponent``."""
    spectrum, target = _setting(n_features, exponent, source_exponent)
    sizes = np.unique(np.round(np.logspace(log10_low, log10_high, n_sizes)))
    chain = Chain(spectrum, target, (Stage(100, noise_std=1.0),))
    ridges = sizes**-ridge_exponent
    risk = theory.excess_risk_grid(chain, sizes, ridges)
    roots = np.atleast_1d(kappa(spectrum, sizes, ridges))
    return [
        {"n_samples": int(size), "bias": float(b), "variance": float(v), "kappa": float(k)}
        for size, b, v, k in zip(sizes, risk.bias, risk.variance, roots, strict=True)
    ]


def generator_scaling_point(
    *,
    n_features: int,
    exponent: float,
    ridge_exponent: float,
    n_generator_samples: int,
    log10_low: float,
    log10_high: float,
    n_sizes: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> list[Row]:
    """Cost of one generation's noise at ridge ``T ** -ridge_exponent``, with three formulas."""
    spectrum, target = _setting(n_features, exponent, 0.375)
    stages = (Stage(n_generator_samples, noise_std=1.0), Stage(100))
    sizes = np.unique(np.round(np.logspace(log10_low, log10_high, n_sizes)))
    ridges = sizes**-ridge_exponent
    noise = theory.excess_risk_grid(Chain(spectrum, target, stages), sizes, ridges).generator_noise
    roots = np.atleast_1d(kappa(spectrum, sizes, ridges))
    common: Point = {
        "exponent": exponent,
        "n_features": n_features,
        "n_generator_samples": n_generator_samples,
        "generator_noise": 1.0,
    }
    sharp = power_laws.sharp_generator_noise(roots, sizes, **common)
    order = power_laws.collapsed_risk_order(
        sizes, source_exponent=0.375, ridge_exponent=ridge_exponent, noise_std=0.0, **common
    )
    own = power_laws.collapsed_risk_order(
        sizes,
        source_exponent=0.375,
        ridge_exponent=ridge_exponent,
        noise_std=0.0,
        **{**common, "generator_noise": 0.0},
    )
    return [
        {"n_samples": int(t), "generator_noise": float(g), "sharp": float(s), "order": float(o)}
        for t, g, s, o in zip(
            sizes, noise, np.asarray(sharp), np.asarray(order) - np.asarray(own), strict=True
        )
    ]


def sharp_constants_point(
    *,
    n_features: int,
    exponent: float,
    source_exponent: float,
    effective_ridge: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Direct sums over the spectrum beside their sharp asymptotics."""
    spectrum, target = _setting(n_features, exponent, source_exponent)
    values = spectrum.eigenvalues
    share = values / (values + effective_ridge)
    first, second = power_laws.sharp_degrees_of_freedom(effective_ridge, exponent)
    constants = power_laws.power_law_constants(exponent, source_exponent)
    return {
        "df1": float(np.sum(share)),
        "sharp_df1": float(first),
        "df2": float(np.sum(share**2)),
        "sharp_df2": float(second),
        "bias": float(np.sum(values * ((1.0 - share) * target) ** 2)),
        "sharp_bias": constants.bias * effective_ridge ** (2.0 * source_exponent),
    }


def optimal_scaling_point(
    *,
    exponent: float,
    source_exponent: float,
    noise_std: float,
    noise_growth: float,
    generator_growth: float,
    log10_low: float,
    log10_high: float,
    n_sizes: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> list[Row]:
    """Best ridge and risk as ``T`` grows, with ``T_0 = T^b``, ``d = T_0 / 2`` and noise ``T^a``."""
    rows: list[Row] = []
    for size in np.unique(np.round(np.logspace(log10_low, log10_high, n_sizes))):
        generator_size = round(size**generator_growth)
        spectrum, target = _setting(generator_size // 2, exponent, source_exponent)
        stages = (
            Stage(generator_size, noise_std=size ** (noise_growth / 2.0)),
            Stage(int(size), noise_std=noise_std),
        )
        chain = Chain(spectrum, target, stages)
        best = theory.optimal_ridge(chain)
        risk = float(theory.excess_risk_grid(chain, ridge=best).total)
        rows.append({"n_samples": int(size), "ridge": best, "risk": risk})
    return rows


# --- projections ------------------------------------------------------------------------------


def projection_point(
    *,
    exponent: float,
    target_decay: float,
    n_features: int,
    n_generator_samples: int,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Signal that survives 1 .. n projections: recursion, printed product, and simulation."""
    spectrum = (
        Spectrum.isotropic(n_features, scale=2.0)
        if exponent == 0.0
        else Spectrum.power_law(n_features, exponent)
    )
    target = _power(spectrum, target_decay)
    if exponent == 0.0:
        target /= np.linalg.norm(target)
    sizes = [n_generator_samples] * n_generations
    drawn = simulate_projections(spectrum, target, sizes, n_replicates, rng=rng)
    root = float(kappa(spectrum, n_generator_samples, 0.0))
    scale = 1.0 / (n_generator_samples - float(df2(spectrum, root)))
    rows: list[Row] = []
    for step in range(n_generations):
        counts = sizes[: step + 1]
        signal, signal_se = mean_and_standard_error(drawn.signal[:, step])
        overlap, overlap_se = mean_and_standard_error(drawn.overlap[:, step])
        moments = {
            "recursion": theory.projection_second_moment(spectrum, counts),
            "printed": published.projection_second_moment(spectrum, counts),
            "theory_overlap": theory.projection_first_moment(spectrum, counts),
            "printed_overlap": published.projection_first_moment(spectrum, counts),
        }
        rows.append(
            {
                "step": step + 1,
                "scale": scale,
                **{name: float(moment @ target**2) for name, moment in moments.items()},
                "mean_signal": float(signal),
                "se_signal": float(signal_se),
                "mean_overlap": float(overlap),
                "se_overlap": float(overlap_se),
            }
        )
    return rows


# --- images -----------------------------------------------------------------------------------

_IMAGE_DATA = ("mnist-10k", "fashion-mnist", "fashion-mnist-mini", "digits")
# Exponents (beta, r) that the paper quotes for its two kernels: its choice of ridge rests on them.
_QUOTED = {"rbf": (1.65, 0.097), "polynomial": (1.2, 0.15)}


@lru_cache(maxsize=4)
def _task(data: str, n_train: int, n_test: int) -> ImageTask:
    """Images by name; ``"any"`` is the first of a list that is on this machine."""
    found = load_first(_IMAGE_DATA) if data == "any" else load(data)
    return image_task(found, n_train=n_train, n_test=n_test)


def kernel_ridge_point(
    *,
    data: str,
    kernel: str,
    replicate: int,  # noqa: ARG001 - a key of the random stream
    n_pool: int,
    n_test: int,
    n_generator_samples: int,
    generator_ridge: float,
    noise_std: float,
    lengths: tuple[int, ...],
    sizes: tuple[int, ...],
    rng: np.random.Generator,
) -> list[Row]:
    """One draw of a chain of kernel ridge regressions, at both ridge policies."""
    task = _task(data, n_pool, n_test)
    ell = power_laws.critical_ridge_exponent(*_QUOTED[kernel])
    policies = ("critical", "corrected")
    errors = kernels.iterated_kernel_ridge(
        kernels.kernel_problem(task, kernel),
        n_generations=lengths,
        n_samples=sizes,
        n_generator_samples=n_generator_samples,
        ridges=[[float(size) ** -ell, float(n_generator_samples) ** -ell] for size in sizes],
        generator_ridge=generator_ridge,
        noise_std=noise_std,
        generator_noise_std=noise_std,
        rng=rng,
    )
    return [
        {
            "data_used": task.name,
            "n_generations": n,
            "n_samples": size,
            "policy": policy,
            "error": float(errors[i, j, k]),
        }
        for i, n in enumerate(lengths)
        for j, size in enumerate(sizes)
        for k, policy in enumerate(policies)
    ]


def random_features_point(
    *,
    data: str,
    width: int,
    replicate: int,  # noqa: ARG001
    n_train: int,
    n_test: int,
    n_generations: int,
    ridge: float,
    noise_std: float,
    rng: np.random.Generator,
) -> list[Row]:
    """One chain of random-feature models on images."""
    task = _task(data, n_train, n_test)
    errors = iterated_random_features(
        task.train_images,
        one_hot(task.train_classes),
        task.test_images,
        one_hot(task.test_classes),
        width=width,
        n_generations=n_generations,
        ridge=ridge,
        noise_std=noise_std,
        rng=rng,
    )
    return [
        {"data_used": task.name, "generation": step, "error": float(error)}
        for step, error in enumerate(errors)
    ]


def two_layer_networks_point(
    *,
    data: str,
    width: int,
    first_replicate: int,
    n_replicates: int,
    n_train: int,
    n_test: int,
    n_generations: int,
    n_epochs: int,
    noise_std: float,
    rng: np.random.Generator,
) -> list[Row]:
    """Chains of trained networks, one a replicate; their seeds come from the point's stream."""
    # torch is asked for only here: the theory half of the room must run without it
    training = importlib.import_module("fragile_learning.regression.training")
    task = _task(data, n_train, n_test)
    errors = training.train_chain(
        task.train_images,
        one_hot(task.train_classes),
        task.test_images,
        one_hot(task.test_classes),
        width=width,
        n_generations=n_generations,
        n_epochs=n_epochs,
        noise_std=noise_std,
        seeds=[int(seed) for seed in rng.integers(0, 2**62, n_replicates)],
    )
    return [
        {
            "data_used": task.name,
            "replicate": first_replicate + i,
            "generation": step,
            "error": float(error),
        }
        for i, chain in enumerate(errors)
        for step, error in enumerate(chain)
    ]


# --- the experiments --------------------------------------------------------------------------


def _log(low: float, high: float, count: int) -> list[float]:
    return [float(value) for value in np.logspace(low, high, count)]


def _sizes(low: float, high: float, count: int, avoid: int) -> list[int]:
    """Whole numbers on a log scale, none within 2 of ``avoid`` (a pole without ridge)."""
    chosen = sorted({round(value) for value in np.logspace(low, high, count)})
    return [size for size in chosen if abs(size - avoid) > 2]


_FULL = {"n_features": [300], "n_generator_samples": [600], "n_replicates": [50]}
_FULL_GENERATIONS = [0, 1, 5, 10, 20]
_RIDGES = _log(-4, 1, 30)
_RIDGE_EXPONENTS = [float(ell) for ell in np.linspace(0.0, 2.0, 21)]
_LAW = {"exponent": [2.0], "source_exponent": [0.375]}
_LOUD = {"noise_std": [1.0], "generator_noise_std": [1.0]}
_CRITICAL = power_laws.critical_ridge_exponent(2.0, 0.375)


def _power_law_samples(sizes: list[int], **axes: Any) -> list[Point]:
    """Both policies: the clean-data ridge of ``T`` samples, and that of ``T_0`` samples."""
    points = []
    for size in sizes:
        for reference in (size, axes["n_generator_samples"][0]):
            ridge = [float(reference) ** -_CRITICAL]
            points += _chains(n_samples=[size], ridge=ridge, **_LAW, **_LOUD, **axes)
    seen = {tuple(sorted(point.items())): point for point in points}
    return list(seen.values())


def _optimal_scaling_grid() -> list[Point]:
    points: list[Point] = []
    for noise_std, a, b, low, high in (
        (0.0, 0.0, 0.5, 4.0, 6.0),
        (0.0, 0.0, 0.75, 4.0, 6.0),
        (0.0, 0.2, 0.8, 4.0, 6.0),
        (0.0, 0.0, 1.5, 4.0, 5.0),
        (1.0, 0.0, 0.6, 4.0, 6.0),
        (1.0, 0.0, 1.5, 4.0, 5.0),
        (1.0, 0.3, 1.5, 4.0, 5.0),
    ):
        points += grid(
            exponent=[2.0],
            source_exponent=[0.5],
            noise_std=[noise_std],
            noise_growth=[a],
            generator_growth=[b],
            log10_low=[low],
            log10_high=[high],
            n_sizes=[5],
        )
    return points


def _scaling_grid(n_features: int) -> list[Point]:
    rows = [(2.0, 0.375, 0.6), (2.0, 0.375, 0.8), (2.0, 1.5, 0.6), (3.0, 0.5, 0.75)]
    rows += [(2.0, 0.375, 4.0), (1.5, 0.25, 6 / 7), (1.2, 0.15, 15 / 17)]
    keys = ("exponent", "source_exponent", "ridge_exponent")
    common: Point = {
        "n_features": n_features,
        "log10_low": 2.0,
        "log10_high": 4.5,
        "n_sizes": 11,
    }
    return [{**common, **dict(zip(keys, row, strict=True))} for row in rows]


def _variance_grid() -> list[Point]:
    return grid(
        n_features=[150],
        exponent=[0.0, 1.3],
        n_generator_samples=[60, 400],
        n_generations=[1, 4],
        n_samples=[75, 300],
        ridge=[1e-3, 0.1],
    )


def _kernel_grid(
    data: str,
    n_pool: int,
    n_test: int,
    n_generator_samples: int,
    lengths: list[int],
    sizes: list[int],
    n_replicates: int,
) -> list[Point]:
    points: list[Point] = []
    for kernel, ridge in (("rbf", 1e-6), ("polynomial", 1e-5)):
        points += grid(
            data=[data],
            kernel=[kernel],
            replicate=list(range(n_replicates)),
            n_pool=[n_pool],
            n_test=[n_test],
            n_generator_samples=[n_generator_samples],
            generator_ridge=[ridge],
            noise_std=[1.0],
            lengths=[lengths],
            sizes=[sizes],
        )
    return points


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "regression/effective-ridge",
        "The fixed point kappa: residual, closed form, derivative.",
        effective_ridge_point,
        {
            tier: grid(
                n_features=[300],
                exponent=[0.0, 1.0, 2.0],
                n_samples=[30, 299, 300, 301, 3000, 1_000_000],
                ridge=[0.0, 1e-14, 1e-6, 1e-2, 1.0, 100.0],
            )
            for tier in ("quick", "full")
        },
        seed=SEED,
        nullable=("closed_form", "derivative", "difference_quotient"),
    ),
    Experiment(
        "regression/chains",
        "Thirteen chains: prediction and simulation of each part of the risk.",
        named_chain_point,
        {
            "quick": grid(chain=CHAIN_NAMES, n_replicates=[100]),
            "full": grid(chain=CHAIN_NAMES, n_replicates=[2000]),
        },
        seed=SEED + 1,
        columns=(*_COMPARED, "clean_bias", "delta_bias", "cross_bias", "n_generations"),
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/generator-variance",
        "Noise of a generation by the recursion and by the closed forms (18) and (19).",
        variance_point,
        {tier: _variance_grid() for tier in ("quick", "full")},
        seed=SEED + 2,
        nullable=("full_rank", "misprinted"),
    ),
    Experiment(
        "regression/least-squares-chain",
        "A chain of full-rank least squares on an anisotropic spectrum.",
        repeated_chain_point,
        {
            "quick": _chains(exponent=[1.0], source_exponent=[0.5], n_replicates=[200]),
            "full": _chains(
                exponent=[1.0],
                source_exponent=[0.5],
                n_samples=[1000],
                n_generations=_FULL_GENERATIONS,
                **{**_FULL, "n_replicates": [200]},
            ),
        },
        seed=SEED + 3,
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/ridge-sweep",
        "Figure 1a left: risk against ridge for white features.",
        repeated_chain_point,
        {
            "quick": _chains(ridge=_log(-4, 1, 11)),
            "full": _chains(
                ridge=_RIDGES, n_samples=[1000], n_generations=_FULL_GENERATIONS, **_FULL
            ),
        },
        seed=SEED + 4,
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/sample-sweep",
        "Figure 1a right: risk against the student's samples for white features.",
        repeated_chain_point,
        {
            "quick": _chains(ridge=[1e-3], n_samples=_sizes(1, 5.5, 12, 100)),
            "full": _chains(
                ridge=[1e-3],
                n_samples=_sizes(1, 6, 30, 300),
                n_generations=_FULL_GENERATIONS,
                **_FULL,
            ),
        },
        seed=SEED + 5,
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/power-law-ridge",
        "Figure 1b left: risk against ridge for a power-law spectrum.",
        repeated_chain_point,
        {
            "quick": _chains(
                n_samples=[10_000],
                ridge=[10_000.0**-ell for ell in np.linspace(0.0, 2.0, 11)],
                **_LAW,
                **_LOUD,
            ),
            "full": _chains(
                n_samples=[10_000],
                ridge=[10_000.0**-ell for ell in _RIDGE_EXPONENTS],
                n_generations=_FULL_GENERATIONS,
                **_LAW,
                **_LOUD,
                **_FULL,
            ),
        },
        seed=SEED + 6,
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/power-law-samples",
        "Figure 1b right: risk against samples at the clean-data ridge and at the corrected one.",
        repeated_chain_point,
        {
            "quick": _power_law_samples(
                _sizes(1.5, 5.5, 9, 0),  # a third of the full tier, as d is
                n_features=[100],
                n_generator_samples=[200],
                n_replicates=[20],
                n_generations=[0, 1, 5],
            ),
            "full": _power_law_samples(
                sorted({300, 600, 1000, 3000, *_sizes(2, 6, 17, 0)}),
                n_generations=_FULL_GENERATIONS,
                **_FULL,
            ),
        },
        seed=SEED + 7,
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/over-parametrised",
        "Figure 2: noise-free generators with fewer samples than features.",
        repeated_chain_point,
        {
            "quick": _chains(
                n_generator_samples=[50],
                generator_noise_std=[0.0],
                n_generations=[0, 1, 2, 5, 10],
                shared_design=[True, False],
                ridge=[0.0, *_log(-4, 1, 6)],
                n_replicates=[40],
            ),
            "full": _chains(
                n_generator_samples=[150],
                generator_noise_std=[0.0],
                n_generations=[0, 1, 2, 5, 10],
                shared_design=[True, False],
                n_samples=[1000],
                ridge=[0.0, *_log(-4, 1, 16)],
                n_features=[300],
                n_replicates=[50],
            ),
        },
        seed=SEED + 8,
        # The same designs at every ridge and length: shared designs must not depend on the length.
        stream_keys=("n_features", "shared_design", "n_replicates"),
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/saturation",
        "Noisy generators with fewer samples than features: shared designs against fresh ones.",
        repeated_chain_point,
        {
            "quick": _chains(
                n_generator_samples=[50],
                generator_noise_std=[0.1],
                n_samples=[200],
                n_generations=[0, 1, 2, 3, 5, 7, 10],
                shared_design=[True, False],
                n_replicates=[50],
            ),
            "full": _chains(
                n_features=[300],
                n_generator_samples=[150],
                generator_noise_std=[0.1],
                n_samples=[600],
                n_generations=[0, 1, 2, 3, 5, 7, 10, 20, 30],
                shared_design=[True, False],
                n_replicates=[200],
            ),
        },
        seed=SEED + 9,
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/null-predictor",
        "Around the number of generations after which predicting zero is better.",
        repeated_chain_point,
        {
            tier: _chains(
                n_features=[80],
                n_generator_samples=[100],
                generator_noise_std=[float(np.sqrt(0.05))],  # signal-to-noise ratio 20
                n_samples=[1_000_000],
                noise_std=[0.0],
                n_generations=[1, 2, 3, 4, 5, 6, 7, 8],
                n_replicates=[count],
            )
            for tier, count in (("quick", 100), ("full", 2000))
        },
        seed=SEED + 10,
        columns=_COMPARED,
        nullable=_NULLABLE,
    ),
    Experiment(
        "regression/optimal-ridge",
        "Best ridge of white chains: minimisation against the fixed point.",
        optimal_ridge_point,
        {
            tier: grid(
                aspect_ratio=[0.3, 1.5],
                generator_aspect_ratio=[0.5],
                n_generations=[0, 1, 5, 10, 20],
                noise_variance=[0.01, 0.1],
                generator_noise_variance=[0.04, 0.1],
                signal=[1.0, 2.0],
            )
            for tier in ("quick", "full")
        },
        seed=SEED + 11,
    ),
    Experiment(
        "regression/clean-scaling",
        "Bias and variance of clean power-law regression against samples.",
        clean_scaling_point,
        {"quick": _scaling_grid(100_000), "full": _scaling_grid(1_000_000)},
        seed=SEED + 12,
    ),
    Experiment(
        "regression/generator-scaling",
        "Cost of the generators' noise below and above the crossover at T = d.",
        generator_scaling_point,
        {
            tier: grid(
                n_features=[100_000],
                exponent=[2.0],
                ridge_exponent=[0.8],
                n_generator_samples=[200_000],
                log10_low=[2.0],
                log10_high=[8.5],
                n_sizes=[27],
            )
            for tier in ("quick", "full")
        },
        seed=SEED + 13,
    ),
    Experiment(
        "regression/sharp-constants",
        "Degrees of freedom and bias of a power law beside their sharp asymptotics.",
        sharp_constants_point,
        {
            tier: grid(
                n_features=[1_000_000],
                exponent=[2.0],
                source_exponent=[0.375, 0.5, 0.75],
                effective_ridge=[1e-2, 1e-3, 1e-4],
            )
            for tier in ("quick", "full")
        },
        seed=SEED + 14,
    ),
    Experiment(
        "regression/optimal-scaling",
        "Best ridge and best risk against samples as the generators grow along.",
        optimal_scaling_point,
        {"full": _optimal_scaling_grid()},
        seed=SEED + 15,
    ),
    Experiment(
        "regression/projections",
        "Signal that survives successive projections: recursion, printed product, simulation.",
        projection_point,
        {
            tier: [
                {
                    "exponent": exponent,
                    "target_decay": decay,
                    "n_features": 200,
                    "n_generator_samples": 60,
                    "n_generations": 4,
                    "n_replicates": count,
                }
                for exponent, decay in ((1.0, 0.5), (1.0, 0.0), (0.0, 0.0))
            ]
            for tier, count in (("quick", 200), ("full", 2000))
        },
        seed=SEED + 16,
    ),
    Experiment(
        "regression/kernel-ridge",
        "Figure 4: kernel ridge regression on images, parity of the class.",
        kernel_ridge_point,
        {
            "quick": _kernel_grid("any", 1200, 500, 100, [0, 1, 4], [30, 100, 300], 10),
            "full": _kernel_grid(
                "mnist-10k", 8000, 2000, 200, [0, 1, 2, 4, 8], [30, 100, 300, 1000], 20
            ),
        },
        seed=SEED + 17,
    ),
    Experiment(
        "regression/random-features",
        "Figure 5: random features on images, one-hot labels.",
        random_features_point,
        {
            tier: grid(
                data=[data],
                width=widths,
                replicate=list(range(count)),
                n_train=[n_train],
                n_test=[n_test],
                n_generations=[8],
                ridge=[1e-6],
                noise_std=[0.1],
            )
            for tier, data, widths, count, n_train, n_test in (
                ("quick", "any", [100, 300, 600], 5, 1200, 500),
                ("full", "mnist-10k", [200, 800, 2000], 10, 4000, 2000),
            )
        },
        seed=SEED + 18,
    ),
    Experiment(
        "regression/two-layer-networks",
        "Figure 6: fully trained two-layer networks on images, one-hot labels.",
        two_layer_networks_point,
        {
            "full": grid(
                data=["mnist-10k"],
                width=[50, 200, 800],
                first_replicate=[0, 5],
                n_replicates=[5],
                n_train=[3000],
                n_test=[2000],
                n_generations=[8],
                n_epochs=[30],
                noise_std=[0.1],
            )
        },
        seed=SEED + 19,
        requires=("torch",),
    ),
)

_CATALOGUE = Catalogue(EXPERIMENTS)
experiment, run_quick = _CATALOGUE.experiment, _CATALOGUE.run_quick
archived = _CATALOGUE.archived


def risk_curves(name: str, tier: str = "quick", *, n_points: int = 121) -> pd.DataFrame:
    """Predicted risk along the swept axis of an experiment, finer than its simulated points.

    Parameters
    ----------
    name : str
        ``"ridge-sweep"``, ``"sample-sweep"``, ``"power-law-ridge"``, ``"power-law-samples"`` or
        ``"over-parametrised"``.
    tier : {"quick", "full"}
    n_points : int
        >= 2 along each curve, evenly spaced in the logarithm.

    Returns
    -------
    DataFrame
        Columns ``n_generations``, ``shared_design``, ``policy`` (``"critical"`` where the ridge
        follows ``n_samples``, else ``"fixed"``), ``n_samples``, ``ridge`` and ``theory_total``.

    Raises
    ------
    ValueError
        If the experiment has no such axis, or ``n_points`` is too small.

    Examples
    --------
    >>> curves = risk_curves("ridge-sweep", n_points=5)
    >>> clean = curves[curves["n_generations"] == 0]
    >>> clean["ridge"].round(4).tolist()
    [0.0001, 0.0018, 0.0316, 0.5623, 10.0]
    >>> clean["theory_total"].round(4).tolist()
    [0.0043, 0.0043, 0.0063, 0.1858, 0.8325]
    """
    axes = {
        "ridge-sweep": "ridge",
        "power-law-ridge": "ridge",
        "over-parametrised": "ridge",
        "sample-sweep": "n_samples",
        "power-law-samples": "n_samples",
    }
    axis = axes[choice("name", name, tuple(axes))]
    count = whole_number("n_points", n_points, minimum=2)
    points = pd.DataFrame(experiment(name).points(tier))
    swept = points.loc[points[axis] > 0, axis]
    values = np.geomspace(swept.min(), swept.max(), count)
    if axis == "n_samples":
        values = np.unique(np.round(values))
    frames = []
    settings = points.drop(columns="n_replicates")
    for _, group in settings.groupby(["n_generations", "shared_design"]):
        one: Row = {str(key): value for key, value in group.iloc[0].items()}
        for key in ("n_features", "n_generations", "n_generator_samples", "n_samples"):
            one[key] = int(one[key])
        chain = repeated_chain(**{**one, "shared_design": bool(one["shared_design"])})
        generations, shared = chain.n_generations, chain.shared_design
        own = np.full(values.size, float(one["n_samples"])) if axis == "ridge" else values
        reference = float(one["n_generator_samples"])
        lines = {"fixed": values if axis == "ridge" else np.full(values.size, float(one["ridge"]))}
        if name == "power-law-samples":
            lines = {
                "critical": values**-_CRITICAL,
                "fixed": np.full(values.size, reference**-_CRITICAL),
            }
        for policy, ridge in lines.items():
            total = theory.excess_risk_grid(chain, own, ridge).total
            frames.append(
                pd.DataFrame(
                    {
                        "n_generations": generations,
                        "shared_design": shared,
                        "policy": policy,
                        "n_samples": own,
                        "ridge": ridge,
                        "theory_total": total,
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)
