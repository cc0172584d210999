"""Experiments of the room: point functions, and their grids in both tiers.

A point function takes keyword arguments, draws from its own stream and returns rows of numbers.
The chapter shows the quick tables, computed while it is built; the full ones are archived.
Where a point has no replicates nothing is drawn, and mean and standard error are NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from fragile_learning.scaling_laws import closed_forms, theory
from fragile_learning.scaling_laws.memory_experiments import MEMORY_EXPERIMENTS
from fragile_learning.scaling_laws.simulation import (
    simulate_chain,
    simulate_fresh_prompts,
    simulate_mix,
    simulate_unseen,
)
from fragile_learning.scaling_laws.trained_experiments import TRAINED_EXPERIMENTS
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import Catalogue, Experiment, grid

__all__ = ["EXPERIMENTS", "archived", "experiment", "run_quick"]

Array = NDArray[np.float64]
Point = dict[str, Any]
Row = dict[str, Any]

SEED = 20_240_700


def _drawn(values: Array | None, suffix: str = "") -> Row:
    """Mean and standard error of the replicates, NaN without any."""
    if values is None:
        return {f"mean{suffix}": np.nan, f"se{suffix}": np.nan}
    mean, error = mean_and_standard_error(values)
    return {f"mean{suffix}": float(mean), f"se{suffix}": float(error)}


_DRAWN = ("mean", "se")


# --- the clean law ----------------------------------------------------------------------------


def clean_point(
    *, tail_exponent: float, n_samples: float, n_replicates: int, rng: np.random.Generator
) -> Row:
    """Error and different items of a memoriser of real data: sums, closed forms, simulation."""
    beta, size = tail_exponent, n_samples
    known = simulate_unseen(beta, int(size), n_replicates, rng=rng) if n_replicates else None
    seen = theory.distinct_items(beta, [size, size + 1.0])
    forms = closed_forms.distinct_items_closed_form(beta, [size, size + 1.0])
    assert isinstance(seen, np.ndarray)  # noqa: S101  # of two sizes
    assert isinstance(forms, np.ndarray)  # noqa: S101
    return {
        "exact": theory.hutter_error(beta, size),
        "closed_form": closed_forms.hutter_closed_form(beta, size),
        "power_law": closed_forms.clean_power_law(beta, size),
        "items": float(seen[0]),
        "items_closed_form": float(forms[0]),
        "items_step": float(seen[1] - seen[0]),
        "items_closed_form_step": float(forms[1] - forms[0]),
        **_drawn(known and known.error),
        **_drawn(known and known.items, "_items"),
    }


# --- cut and narrowed tails -------------------------------------------------------------------


def cut_point(
    *,
    tail_exponent: float,
    rank: int,
    n_samples: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error with a tail cut at a rank."""
    known = (
        simulate_unseen(tail_exponent, int(n_samples), n_replicates, rank=rank, rng=rng)
        if n_replicates
        else None
    )
    return {
        "exact": theory.cut_error(tail_exponent, n_samples, rank),
        "closed_form": closed_forms.cut_closed_form(tail_exponent, n_samples, rank),
        "clean": theory.hutter_error(tail_exponent, n_samples),
        "floor": theory.tail_mass(tail_exponent, rank),
        **_drawn(known and known.error),
    }


def _size_where(error: Callable[[float], Any], level: float) -> float:
    """Sample size at which a falling error reaches a level."""
    return float(np.exp(brentq(lambda x: error(float(np.exp(x))) - level, 0.0, 90.0, xtol=1e-13)))


def crossover_point(
    *,
    tail_exponent: float,
    rank: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Floor of a cut tail, and the sample size at which the clean law reaches it."""
    beta = tail_exponent
    floor = float(theory.tail_mass(beta, rank))
    crossover = float(theory.crossover_samples(beta, rank))
    there, late = (float(theory.cut_error(beta, t * crossover, rank)) for t in (1.0, 30.0))
    return {
        "floor": floor,
        "floor_asymptote": closed_forms.tail_mass_asymptote(beta, rank),
        "crossover": crossover,
        "crossover_solved": _size_where(lambda t: theory.hutter_error(beta, t), floor),
        "error_over_floor": there / floor,
        "error_over_floor_limit": closed_forms.crossover_excess(beta),
        "late_excess": late / floor - 1.0,
    }


def narrow_point(
    *,
    tail_exponent: float,
    narrowed_exponent: float,
    n_samples: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error with training data of another exponent."""
    known = (
        simulate_unseen(
            tail_exponent,
            int(n_samples),
            n_replicates,
            narrowed_exponent=narrowed_exponent,
            rng=rng,
        )
        if n_replicates
        else None
    )
    return {
        "exact": theory.narrow_error(tail_exponent, n_samples, narrowed_exponent),
        "closed_form": closed_forms.narrow_closed_form(tail_exponent, n_samples, narrowed_exponent),
        "clean": theory.hutter_error(tail_exponent, n_samples),
        **_drawn(known and known.error),
    }


def top_p_point(
    *,
    tail_exponent: float,
    top_p: float,
    n_generations: int,
    rng: np.random.Generator,  # noqa: ARG001
) -> list[Row]:
    """Ranks that are left when each generation cuts what the one before has left."""
    rows, kept = [], 1.0
    for generation in range(1, n_generations + 1):
        rank = float(theory.top_p_rank(tail_exponent, top_p * kept))
        floor = float(theory.tail_mass(tail_exponent, rank))
        kept = 1.0 - floor
        rows.append(
            {
                "generation": generation,
                "rank": rank,
                "rank_asymptote": closed_forms.top_p_rank_asymptote(
                    tail_exponent, top_p**generation
                ),
                "floor": floor,
                "floor_law": -float(np.expm1(generation * np.log(top_p))),
                "linear": generation * (1.0 - top_p),
            }
        )
    return rows


# --- generations ------------------------------------------------------------------------------


def effective_point(
    *,
    tail_exponent: float,
    n_generator_samples: int,
    n_samples: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error of a student of the samples of a finite generator."""
    sizes = [n_generator_samples, n_samples]
    effective = float(theory.effective_samples(*sizes))
    known = simulate_chain(tail_exponent, sizes, n_replicates, rng=rng)
    return {
        "effective_samples": effective,
        "law": closed_forms.clean_power_law(tail_exponent, effective),
        "sum": theory.chain_error(tail_exponent, sizes),
        "clean": theory.hutter_error(tail_exponent, n_samples),
        "generator": theory.hutter_error(tail_exponent, n_generator_samples),
        **_drawn(known.error[:, -1]),
    }


def chain_point(
    *,
    tail_exponent: float,
    sample_sizes: tuple[int, ...],
    generations: tuple[int, ...],
    n_replicates: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Errors and skills along a chain whose sample sizes repeat."""
    beta = tail_exponent
    repeats = max(generations) // len(sample_sizes) + 1
    sizes = (list(sample_sizes) * repeats)[: max(generations) + 1]
    known = simulate_chain(beta, sizes, n_replicates, rng=rng)
    rows = []
    for generation in generations:
        so_far = sizes[: generation + 1]
        effective = float(theory.chain_effective_samples(so_far))
        rows.append(
            {
                "generation": generation,
                "effective_samples": effective,
                "law": closed_forms.clean_power_law(beta, effective),
                "sum": theory.chain_error(beta, so_far),
                **_drawn(known.error[:, generation]),
                "skills_law": closed_forms.skills_asymptote(beta, effective),
                "skills_sum": theory.chain_skills(beta, so_far),
                **_drawn(known.items[:, generation], "_skills"),
            }
        )
    return rows


def growth_point(
    *,
    tail_exponent: float,
    n_samples: float,
    generations: tuple[int, ...],
    rng: np.random.Generator,  # noqa: ARG001
) -> list[Row]:
    """Errors after so many generations of one size, in both readings of a generation."""
    beta = tail_exponent
    rows = []
    for generation in generations:
        sizes = np.full(generation + 1, n_samples)
        effective = float(theory.chain_effective_samples(sizes))
        rows.append(
            {
                "generation": generation,
                "effective_samples": effective,
                "chain": theory.chain_error(beta, sizes),
                "chain_law": closed_forms.clean_power_law(beta, effective),
                "chain_asymptote": (
                    closed_forms.chain_asymptote(beta, n_samples, generation)
                    if generation
                    else np.nan
                ),
                "skills": theory.chain_skills(beta, sizes),
                "skills_law": closed_forms.skills_asymptote(beta, effective),
                "fresh_prompts": theory.fresh_prompt_error(beta, n_samples, n_samples, generation),
                "linear_bound": closed_forms.linear_bound(beta, n_samples, generation),
            }
        )
    return rows


def fresh_point(
    *,
    tail_exponent: float,
    n_samples: int,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error of a chain that answers new questions itself."""
    beta, size, steps = tail_exponent, n_samples, n_generations
    known = (
        simulate_fresh_prompts(beta, size, size, steps, n_replicates, rng=rng)
        if n_replicates
        else None
    )
    return {
        "exact": theory.fresh_prompt_error(beta, size, size, steps),
        "asymptote": closed_forms.fresh_prompt_asymptote(beta, size, steps),
        "linear_bound": closed_forms.linear_bound(beta, size, steps),
        **_drawn(known and known.error),
    }


# --- real samples in the mixture --------------------------------------------------------------


def mix_point(
    *,
    tail_exponent: float,
    rank: int,
    real_fraction: float,
    n_samples: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error with real samples and synthetic ones whose tail is cut."""
    place = (tail_exponent, n_samples, rank, real_fraction)
    known = (
        simulate_mix(tail_exponent, int(n_samples), rank, real_fraction, n_replicates, rng=rng)
        if n_replicates
        else None
    )
    return {
        "exact": theory.mix_error(*place),
        "closed_form": closed_forms.mix_closed_form(*place),
        "floor": theory.tail_mass(tail_exponent, rank),
        "clean": theory.hutter_error(tail_exponent, n_samples),
        "late_law": closed_forms.clean_power_law(tail_exponent, real_fraction * n_samples),
        **_drawn(known and known.error),
    }


_STEP = 1e-3


def _flattest(error: Callable[[Any], Any], start: float, end: float) -> tuple[float, float]:
    """Sample size between two at which an error falls most slowly, and the slope there."""

    def slope(x: Any) -> Any:
        return np.log(error(np.exp(x - _STEP)) / error(np.exp(x + _STEP))) / (2.0 * _STEP)

    places = np.linspace(np.log(start), np.log(end), 60)
    first = int(np.argmin(slope(places)[1:-1]))
    found = minimize_scalar(
        lambda x: float(slope(x)), bounds=(places[first], places[first + 2]), method="bounded"
    )
    return float(np.exp(found.x)), -float(found.fun)


def plateau_point(
    *,
    tail_exponent: float,
    rank: int,
    real_fraction: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Where the error of mixed data is flat, and what it is before, there and after."""
    beta, share = tail_exponent, real_fraction
    start, end = (float(size) for size in theory.plateau(beta, rank, share))

    def error(size: Any) -> Any:
        return theory.mix_error(beta, size, rank, share)

    floor = float(theory.tail_mass(beta, rank))
    late, centre = 1e3 * end, float(np.sqrt(start * end))
    place, slope = _flattest(error, start, end)
    steps = [
        float(np.log(error(centre * np.exp(x)))) for x in (-_STEP, _STEP)
    ]  # of the slope at the centre
    return {
        "start": start,
        "end": end,
        "start_solved": _size_where(lambda t: theory.hutter_error(beta, t), floor),
        "end_solved": _size_where(lambda t: closed_forms.clean_power_law(beta, share * t), floor),
        "start_over_floor": error(start) / floor,
        "end_over_floor": error(end) / floor,
        "departure_limit": closed_forms.crossover_excess(beta) - 1.0,
        "late_over_law": error(late) / closed_forms.clean_power_law(beta, share * late),
        "flattest": theory.flattest_samples(beta, rank, share),
        "flattest_solved": place,
        "flattest_slope": slope,
        "centre": centre,
        "centre_slope": (steps[1] - steps[0]) / (2.0 * _STEP),
    }


def narrow_mix_point(
    *,
    tail_exponent: float,
    narrowed_exponent: float,
    real_fraction: float,
    relative_samples: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error with real samples and synthetic ones with a narrowed tail, around the kink."""
    beta, narrowed, share = tail_exponent, narrowed_exponent, real_fraction
    crossover = float(closed_forms.narrow_mix_crossover(beta, narrowed, share))
    size = float(np.round(relative_samples * crossover))
    known = (
        simulate_mix(
            beta, int(size), None, share, n_replicates, narrowed_exponent=narrowed, rng=rng
        )
        if n_replicates
        else None
    )
    return {
        "n_samples": size,
        "exact": theory.narrow_mix_error(beta, size, narrowed, share),
        "narrow_law": closed_forms.narrow_closed_form(beta, size, narrowed),
        "late_law": closed_forms.clean_power_law(beta, share * size),
        **_drawn(known and known.error),
    }


def acquisition_point(
    *,
    tail_exponent: float,
    rank: int,
    n_tail_from: int,
    real_fraction: float,
    n_samples: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Error with a tail that is bought from some rank on."""
    beta, first, share = tail_exponent, n_tail_from, real_fraction
    place = (beta, n_samples, rank, first, share)
    known = (
        simulate_mix(beta, int(n_samples), rank, share, n_replicates, n_tail_from=first, rng=rng)
        if n_replicates
        else None
    )
    return {
        "exact": theory.tail_acquisition_error(*place),
        "closed_form": closed_forms.tail_acquisition_closed_form(*place),
        "floor": theory.tail_mass(beta, rank) - theory.tail_mass(beta, first - 1),
        "plain": theory.mix_error(beta, n_samples, rank, share),
        **_drawn(known and known.error),
    }


def saving_point(
    *,
    tail_exponent: float,
    rank: int,
    real_fraction: float,
    rng: np.random.Generator,  # noqa: ARG001
) -> Row:
    """Sample sizes that halve the floor, when the tail is bought and when all real data is."""
    beta, share = tail_exponent, real_fraction
    half = 0.5 * float(theory.tail_mass(beta, rank))
    acquired = _size_where(
        lambda t: theory.tail_acquisition_error(beta, t, rank, rank + 1, share), half
    )
    plain = _size_where(lambda t: theory.mix_error(beta, t, rank, share), half)
    late = 1e4 * acquired
    return {
        "tail_mass": 2.0 * half,
        "half_acquired": acquired,
        "half_plain": plain,
        "crossover": theory.acquisition_crossover(beta, rank, share),
        "end_of_plateau": theory.plateau(beta, rank, share)[1],
        "late_over_law": theory.tail_acquisition_error(beta, late, rank, rank + 1, share)
        / closed_forms.tail_acquisition_late_law(beta, late, rank, share),
    }


def regular_point(
    *,
    tail_exponent: float,
    n_samples: int,
    real_fraction: float,
    n_generations: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> Row:
    """Chain with real samples in every generation: effective samples and error."""
    beta, share = tail_exponent, real_fraction
    sizes = [n_samples] * (n_generations + 1)
    known = (
        simulate_chain(beta, sizes, n_replicates, real_fraction=share, rng=rng)
        if n_replicates
        else None
    )
    effective = float(theory.chain_effective_samples(sizes, share))
    stationary = float(theory.stationary_effective_samples(n_samples, share))
    return {
        "effective_samples": effective,
        "stationary": stationary,
        "stationary_law": closed_forms.stationary_asymptote(n_samples, share),
        "law": closed_forms.clean_power_law(beta, effective),
        "sum": theory.chain_error(beta, sizes, share),
        "without_copies": closed_forms.clean_power_law(beta, share * n_samples),
        **_drawn(None if known is None else known.error[:, -1]),
    }


# --- grids ------------------------------------------------------------------------------------

_EXPONENTS = [1.2, 1.5, 2.0, 3.0]


def _clean_grid(count: int) -> list[Point]:
    most = {1.2: 1e4, 1.5: 1e5, 2.0: 1e5, 3.0: 1e5}
    sizes = [100.0, 1e3, 1e4, 1e5, 1e7, 1e9, 1e12, 1e15]
    return [
        {
            "tail_exponent": beta,
            "n_samples": size,
            "n_replicates": round(count * _SCATTER[beta]) if size <= most.get(beta, 0.0) else 0,
        }
        for beta in (1.05, *_EXPONENTS)
        for size in sizes
    ]


# Replicates, over those of an exponent of 1.5, that the same accuracy takes.
_SCATTER = {1.05: 1.0, 1.2: 0.5, 1.5: 1.0, 2.0: 3.0, 3.0: 10.0}


def _cut_grid(count: int, per_decade: int) -> list[Point]:
    points = []
    for beta, ranks in ((1.2, [100]), (1.5, [10, 100, 1000]), (2.0, [30, 100])):
        for rank in ranks:
            # later, a missing item is so rare that means of a few data sets are no normal numbers
            last = 2.0 * float(theory.crossover_samples(beta, rank))
            points += [
                {
                    "tail_exponent": beta,
                    "rank": rank,
                    "n_samples": float(size),
                    "n_replicates": (
                        round(count * _SCATTER[beta]) if 100 <= size <= min(last, 1e5) else 0
                    ),
                }
                for size in np.unique(np.round(np.geomspace(10, 1e9, 8 * per_decade + 1)))
            ]
    return points


def _narrow_grid(count: int) -> list[Point]:
    pairs = [(1.2, 1.6), (1.2, 3.0), (1.5, 1.5), (1.5, 2.25), (1.5, 3.0), (2.0, 1.2), (2.0, 2.5)]
    return [
        {
            "tail_exponent": beta,
            "narrowed_exponent": narrowed,
            "n_samples": size,
            "n_replicates": count if size <= 1e4 else 0,
        }
        for beta, narrowed in pairs
        for size in (1e3, 1e4, 1e5, 1e6, 1e7)
    ]


def _top_p_grid(more: list[float]) -> list[Point]:
    found = []
    for beta, masses in ((1.2, [0.8, 0.9]), (1.5, [0.9, 0.95, 0.99]), (2.0, [0.99, 0.999])):
        found += grid(tail_exponent=[beta], top_p=[*masses, *more], n_generations=[5])
    return found


def _effective_grid(count: int, sizes: list[int]) -> list[Point]:
    return [
        {
            "tail_exponent": beta,
            "n_generator_samples": 1000,
            "n_samples": size,
            "n_replicates": round(count * _SCATTER[beta]),
        }
        for beta in (1.2, 1.5, 2.0)
        for size in sizes
    ]


def _chain_grid(count: int) -> list[Point]:
    # a chain forgets by chance: its last errors scatter more than those of one data set
    rows: list[tuple[float, list[int], list[int], float]] = [
        (1.2, [500], [0, 1, 3, 10, 30], 1.0),
        (1.5, [2000], [0, 1, 3, 10, 30, 100], 3.0),
        (2.0, [2000], [0, 1, 3, 10, 30], 4.0),
        (1.5, [4000, 1000, 8000, 2000], [1, 2, 3], 1.0),
    ]
    return [
        {
            "tail_exponent": beta,
            "sample_sizes": sizes,
            "generations": generations,
            "n_replicates": round(count * more),
        }
        for beta, sizes, generations, more in rows
    ]


_FITTED = [10, 30, 100, 300, 1000, 3000]


def _growth_grid(steps: list[int]) -> list[Point]:
    return [
        {"tail_exponent": beta, "n_samples": size, "generations": generations}
        for size, generations in ((1e6, _FITTED), (2000.0, steps))
        for beta in _EXPONENTS
    ]


def _fresh_grid(count: int) -> list[Point]:
    return [
        {
            "tail_exponent": beta,
            "n_samples": size,
            "n_generations": steps,
            "n_replicates": (
                round(count * _SCATTER[beta]) if steps in (1, 10, 30) and size == 1000 else 0
            ),
        }
        for beta in (1.2, 1.5, 2.0)
        for size in (1000, 100_000)
        for steps in (1, 3, 10, 30, 100, 1000, 10_000)
    ]


def _mix_grid(count: int, per_decade: int) -> list[Point]:
    places = [(1.5, 100, share) for share in (0.1, 0.01, 0.001)]
    places += [(1.2, 100, 0.01), (1.5, 30, 0.01), (2.0, 30, 0.01), (2.0, 100, 0.01)]
    places += [(1.5, 1000, 0.01), (2.0, 30, 0.001), (1.2, 30, 0.1)]
    points = []
    for beta, rank, share in places:
        for size in np.unique(np.round(np.geomspace(10, 1e9, 8 * per_decade + 1))):
            drawn = 1e3 <= size <= 1e5 and per_decade * np.log10(size) % 1 < 1e-9
            points.append(
                {
                    "tail_exponent": beta,
                    "rank": rank,
                    "real_fraction": share,
                    "n_samples": float(size),
                    "n_replicates": count if drawn else 0,
                }
            )
    return points


def _narrow_mix_grid(count: int) -> list[Point]:
    sizes = [1e-2, 1e-1, 1.0, 10.0, 1e2, 1e3, 1e4, 1e6]
    return [
        {
            "tail_exponent": beta,
            "narrowed_exponent": narrowed,
            "real_fraction": share,
            "relative_samples": size,
            "n_replicates": count if size <= 10.0 and beta == 1.5 else 0,
        }
        for beta, narrowed, share in ((1.5, 3.0, 0.01), (2.0, 2.5, 0.1))
        for size in sizes
    ]


def _acquisition_grid(count: int) -> list[Point]:
    sizes = [1e3, 1e4, 1e5, 1e6, 1e8, 1e10, 1e14, 1e18]
    return [
        {
            "tail_exponent": 1.5,
            "rank": 1000,
            "n_tail_from": first,
            "real_fraction": 0.01,
            "n_samples": size,
            "n_replicates": count if size in (1e4, 1e5) else 0,
        }
        for first in (1001, 2000, 10_000, 100_000)
        for size in sizes
    ]


def _regular_grid(count: int, more_shares: list[float]) -> list[Point]:
    drawn = [(1.5, 2000, 0.1, 100, 1.0), (1.5, 2000, 0.01, 400, 1.0), (2.0, 2000, 0.3, 50, 2.0)]
    shares = [0.5, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, *more_shares]
    points: list[Point] = [
        {
            "tail_exponent": beta,
            "n_samples": size,
            "real_fraction": share,
            "n_generations": steps,
            "n_replicates": round(count * more),
        }
        for beta, size, share, steps, more in drawn
    ]
    return points + [
        {
            "tail_exponent": 1.5,
            "n_samples": 10_000_000,
            "real_fraction": share,
            "n_generations": 1000,
            "n_replicates": 0,
        }
        for share in shares
    ]


def _one(name: str, description: str, point: Any, number: int, **fields: Any) -> Experiment:
    grids = {"quick": fields.pop("quick"), "full": fields.pop("full")}
    return Experiment(
        f"scaling_laws/{name}", description, point, grids, seed=SEED + number, **fields
    )


_RANKS = [100, 300, 1000, 3000, 10_000]

_MEMORISER_EXPERIMENTS: tuple[Experiment, ...] = (
    _one(
        "clean-law",
        "Error and different items of a memoriser: sums, closed forms, power law, simulation.",
        clean_point,
        0,
        quick=_clean_grid(60),
        full=_clean_grid(1500),
        columns=(
            "exact",
            "closed_form",
            "power_law",
            "items",
            "items_closed_form",
            "items_step",
            "items_closed_form_step",
            *_DRAWN,
            "mean_items",
            "se_items",
        ),
        nullable=(*_DRAWN, "mean_items", "se_items"),
    ),
    _one(
        "cut",
        "Error against samples with the tail cut at a rank: sum, closed form, simulation.",
        cut_point,
        1,
        quick=_cut_grid(60, 2),
        full=_cut_grid(1500, 8),
        columns=("exact", "closed_form", "clean", "floor", *_DRAWN),
        nullable=_DRAWN,
    ),
    _one(
        "crossover",
        "Floor of a cut tail and the sample size that reaches it, by formula and by solving.",
        crossover_point,
        2,
        quick=grid(tail_exponent=_EXPONENTS, rank=_RANKS),
        full=grid(tail_exponent=[1.05, *_EXPONENTS, 6.0], rank=_RANKS),
        columns=(
            "floor",
            "floor_asymptote",
            "crossover",
            "crossover_solved",
            "error_over_floor",
            "error_over_floor_limit",
            "late_excess",
        ),
    ),
    _one(
        "narrow",
        "Error with training data of another exponent: sum, closed form, simulation.",
        narrow_point,
        3,
        quick=_narrow_grid(60),
        full=_narrow_grid(1500),
        columns=("exact", "closed_form", "clean", *_DRAWN),
        nullable=_DRAWN,
    ),
    _one(
        "top-p",
        "Ranks and floors of top-p sampling, cut anew in each of five generations.",
        top_p_point,
        4,
        quick=_top_p_grid([]),
        full=_top_p_grid([0.98, 0.995]),
        columns=("generation", "rank", "rank_asymptote", "floor", "floor_law", "linear"),
    ),
    _one(
        "effective-samples",
        "Error of a student of a finite generator: law of the effective samples, simulation.",
        effective_point,
        5,
        quick=_effective_grid(120, [100, 1000, 10_000]),
        full=_effective_grid(3000, [100, 300, 1000, 3000, 10_000, 100_000]),
        columns=("effective_samples", "law", "sum", "clean", "generator", *_DRAWN),
    ),
    _one(
        "chain",
        "Errors and skills along chains of samples of samples: laws and simulation.",
        chain_point,
        6,
        quick=_chain_grid(50),
        full=_chain_grid(1000),
        columns=(
            "generation",
            "effective_samples",
            "law",
            "sum",
            *_DRAWN,
            "skills_law",
            "skills_sum",
            "mean_skills",
            "se_skills",
        ),
    ),
    _one(
        "growth",
        "Errors and skills over many generations, of both kinds, and the linear bound.",
        growth_point,
        7,
        quick=_growth_grid([0, 1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70, 100, 140, 200]),
        full=_growth_grid([*range(11), *range(12, 50, 2), *range(50, 201, 10)]),
        columns=(
            "generation",
            "effective_samples",
            "chain",
            "chain_law",
            "chain_asymptote",
            "skills",
            "skills_law",
            "fresh_prompts",
            "linear_bound",
        ),
        nullable=("chain_asymptote",),
    ),
    _one(
        "fresh-prompts",
        "Error of chains that answer new questions: sum, asymptote, linear bound, simulation.",
        fresh_point,
        8,
        quick=_fresh_grid(60),
        full=_fresh_grid(1500),
        columns=("exact", "asymptote", "linear_bound", *_DRAWN),
        nullable=_DRAWN,
    ),
    _one(
        "mix",
        "Error against samples with real ones mixed in: sum, closed form, laws, simulation.",
        mix_point,
        9,
        quick=_mix_grid(40, 2),
        full=_mix_grid(1000, 8),
        columns=("exact", "closed_form", "floor", "clean", "late_law", *_DRAWN),
        nullable=_DRAWN,
    ),
    _one(
        "plateau",
        "Start, flattest place and end of the plateau of mixed data, by formula and by solving.",
        plateau_point,
        10,
        quick=grid(
            tail_exponent=[1.2, 1.5, 2.0], rank=[30, 100, 1000], real_fraction=[0.1, 0.01, 1e-3]
        ),
        full=grid(
            tail_exponent=[1.2, 1.5, 2.0, 3.0],
            rank=[30, 100, 300, 1000],
            real_fraction=[0.1, 0.03, 0.01, 1e-3, 1e-4],
        ),
        columns=(
            "start",
            "end",
            "start_solved",
            "end_solved",
            "start_over_floor",
            "end_over_floor",
            "departure_limit",
            "late_over_law",
            "flattest",
            "flattest_solved",
            "flattest_slope",
            "centre",
            "centre_slope",
        ),
    ),
    _one(
        "narrow-mix",
        "Error with real samples and a narrowed tail, around the kink: sum, laws, simulation.",
        narrow_mix_point,
        11,
        quick=_narrow_mix_grid(60),
        full=_narrow_mix_grid(1500),
        columns=("n_samples", "exact", "narrow_law", "late_law", *_DRAWN),
        nullable=_DRAWN,
    ),
    _one(
        "tail-acquisition",
        "Error with a tail bought from some rank on: sum, closed form, floor, simulation.",
        acquisition_point,
        12,
        quick=_acquisition_grid(40),
        full=_acquisition_grid(1000),
        columns=("exact", "closed_form", "floor", "plain", *_DRAWN),
        nullable=_DRAWN,
    ),
    _one(
        "saving",
        "Sample sizes that halve the floor: with the missing tail, and with all real data.",
        saving_point,
        13,
        quick=grid(tail_exponent=[1.5, 2.0], rank=[100, 300, 1000, 3000], real_fraction=[1e-6]),
        full=grid(
            tail_exponent=[1.2, 1.5, 2.0],
            rank=[100, 300, 1000, 3000, 10_000],
            real_fraction=[1e-6, 1e-5],
        ),
        columns=(
            "tail_mass",
            "half_acquired",
            "half_plain",
            "crossover",
            "end_of_plateau",
            "late_over_law",
        ),
    ),
    _one(
        "regular-real",
        "Chains with real samples in every generation: effective samples, laws, simulation.",
        regular_point,
        14,
        quick=_regular_grid(40, []),
        full=_regular_grid(800, [3e-4, 1e-4, 1e-5]),
        columns=(
            "effective_samples",
            "stationary",
            "stationary_law",
            "law",
            "sum",
            "without_copies",
            *_DRAWN,
        ),
        nullable=_DRAWN,
    ),
)

EXPERIMENTS: tuple[Experiment, ...] = (
    *_MEMORISER_EXPERIMENTS,
    *MEMORY_EXPERIMENTS,
    *TRAINED_EXPERIMENTS,
)

_CATALOGUE = Catalogue(EXPERIMENTS)
experiment, run_quick = _CATALOGUE.experiment, _CATALOGUE.run_quick
archived = _CATALOGUE.archived
