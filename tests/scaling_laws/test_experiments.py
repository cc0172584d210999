"""Experiments: what their tables hold, row by row, and what the closed forms are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import gamma, zeta

from fragile_learning.scaling_laws import closed_forms, experiments, simulation, theory
from fragile_learning.scaling_laws.experiments import EXPERIMENTS, experiment
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.sweeps import run_sweep

NAMES = [
    "clean-law",
    "cut",
    "crossover",
    "narrow",
    "top-p",
    "effective-samples",
    "chain",
    "growth",
    "fresh-prompts",
    "mix",
    "plateau",
    "narrow-mix",
    "tail-acquisition",
    "saving",
    "regular-real",
]
DRAWN = [name for name in NAMES if "n_replicates" in experiment(name).points("quick")[0]]


def small(name):
    """A point of the quick grid that draws, where one does, with few replicates."""
    points = experiment(name).points("quick")
    point = next((p for p in points if p.get("n_replicates", 0) > 0), points[0])
    return point | ({"n_replicates": 3} if "n_replicates" in point else {})


@pytest.mark.parametrize("name", NAMES)
def test_a_point_gives_the_promised_columns(name):
    one, point = experiment(name), small(name)
    frame = run_sweep(one.point, [point], seed=1, columns=one.columns, stream_keys=one.stream_keys)
    assert list(frame.columns) == [*point, *one.columns]
    numbers = frame.select_dtypes("number").drop(columns="chain_asymptote", errors="ignore")
    assert np.isfinite(numbers.to_numpy(float)).all()


def test_every_experiment_has_its_own_seed_and_name():
    assert {f"scaling_laws/{name}" for name in NAMES} <= {one.name for one in EXPERIMENTS}
    assert len({one.seed for one in EXPERIMENTS}) == len(EXPERIMENTS)
    assert len({one.name for one in EXPERIMENTS}) == len(EXPERIMENTS)
    assert all(experiment(name).tiers == ("quick", "full") for name in NAMES)
    with pytest.raises(ValueError, match="name must be one of 'clean-law', 'cut'"):
        experiment("no-such-table")


def test_a_quick_table_is_the_quick_grid():
    frame = experiments.run_quick("top-p")
    pd.testing.assert_frame_equal(frame, experiment("top-p").run("quick"))
    assert frame.groupby(["tail_exponent", "top_p"]).size().unique().tolist() == [5]


@pytest.mark.parametrize("name", DRAWN)
def test_replicates(name):
    """Full tables draw at least twelve times as often; points without replicates draw nothing."""
    quick, full = experiment(name).points("quick"), experiment(name).points("full")
    counts = [point["n_replicates"] for point in quick]
    assert max(counts) > 0
    assert 12 * max(counts) <= max(point["n_replicates"] for point in full)
    if "mean" not in experiment(name).nullable:
        assert min(counts) >= 30
        return
    point = next(p for p in quick if p["n_replicates"] == 0)
    one = experiment(name)
    frame = run_sweep(one.point, [point], seed=1, columns=one.columns)
    assert frame[list(one.nullable)].isna().all(axis=None)
    assert frame.drop(columns=list(one.nullable)).notna().all(axis=None)


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_grids(tier):
    """What the claims rely on."""
    for point in experiment("cut").points(tier):
        if point["n_replicates"]:
            beta, rank = point["tail_exponent"], point["rank"]
            assert 100 <= point["n_samples"] <= 2 * theory.crossover_samples(beta, rank)
    assert {p["rank"] for p in experiment("crossover").points(tier)} >= {100, 1000, 10_000}
    steps = {p["n_generations"] for p in experiment("fresh-prompts").points(tier)}
    assert steps >= {10, 100, 10_000}
    assert {p["real_fraction"] for p in experiment("plateau").points(tier)} >= {0.01, 1e-3}
    assert experiment("growth").points(tier)[0]["generations"][-1] == 3000
    assert {p["relative_samples"] for p in experiment("narrow-mix").points(tier)} >= {1e-2, 1e4}
    assert {p["n_tail_from"] for p in experiment("tail-acquisition").points(tier)} >= {1001, 2000}
    assert min(p["real_fraction"] for p in experiment("regular-real").points(tier)) <= 1e-3


# --- rows -------------------------------------------------------------------------------------


def streams():
    """Two equal streams: for the row, and for what it should hold."""
    return np.random.default_rng(7), np.random.default_rng(7)


def drawn(values, suffix=""):
    mean, error = mean_and_standard_error(values)
    return {f"mean{suffix}": float(mean), f"se{suffix}": float(error)}


def test_a_row_of_the_clean_law():
    one, two = streams()
    row = experiments.clean_point(tail_exponent=1.5, n_samples=200.0, n_replicates=5, rng=one)
    known = simulation.simulate_unseen(1.5, 200, 5, rng=two)
    assert row == pytest.approx(
        {
            "exact": theory.hutter_error(1.5, 200),
            "closed_form": closed_forms.hutter_closed_form(1.5, 200),
            "power_law": theory.clean_constant(1.5) * 200 ** (-1 / 3),
            "items": theory.distinct_items(1.5, 200),
            "items_closed_form": closed_forms.distinct_items_closed_form(1.5, 200),
            "items_step": theory.hutter_error(1.5, 200),
            "items_closed_form_step": theory.hutter_error(1.5, 200),
            **drawn(known.error),
            **drawn(known.items, "_items"),
        },
        rel=1e-7,
    )


def test_a_row_of_the_cut():
    one, two = streams()
    row = experiments.cut_point(
        tail_exponent=2.0, rank=20, n_samples=300.0, n_replicates=5, rng=one
    )
    p = np.arange(1.0, 21.0) ** -2 / zeta(2)
    exact = np.sum(p * (1 - p / p.sum()) ** 300) + 1 - p.sum()
    assert row["exact"] == pytest.approx(exact, rel=1e-12)
    assert row["closed_form"] == pytest.approx(exact, rel=1e-3)
    assert row["floor"] == pytest.approx(1 - p.sum(), rel=1e-12)
    assert row["clean"] == theory.hutter_error(2.0, 300)
    expected = drawn(simulation.simulate_unseen(2.0, 300, 5, rank=20, rng=two).error)
    assert {key: row[key] for key in expected} == pytest.approx(expected)


def test_a_row_of_the_crossovers():
    row = experiments.crossover_point(tail_exponent=2.0, rank=100, rng=np.random.default_rng(1))
    assert theory.hutter_error(2.0, row["crossover_solved"]) == pytest.approx(row["floor"])
    assert row["floor_asymptote"] == pytest.approx(1 / (100 * zeta(2)))
    assert row["crossover"] == pytest.approx(np.pi / 4 * zeta(2) * 1e4)
    # Q(1/2, x) is the complementary error function of the root
    assert row["error_over_floor"] == pytest.approx(1.2101, abs=2e-3)
    assert row["error_over_floor_limit"] == pytest.approx(1.2101, abs=1e-4)
    assert 0.0 <= row["late_excess"] < 1e-6


def test_a_row_of_the_narrowed():
    one, two = streams()
    place = {"tail_exponent": 1.5, "narrowed_exponent": 2.5}
    row = experiments.narrow_point(**place, n_samples=400.0, n_replicates=5, rng=one)
    known = simulation.simulate_unseen(1.5, 400, 5, narrowed_exponent=2.5, rng=two)
    assert row == pytest.approx(
        {
            "exact": theory.narrow_error(1.5, 400, 2.5),
            "closed_form": closed_forms.narrow_closed_form(1.5, 400, 2.5),
            "clean": theory.hutter_error(1.5, 400),
            **drawn(known.error),
        }
    )


def test_rows_of_top_p():
    rows = experiments.top_p_point(
        tail_exponent=1.5, top_p=0.99, n_generations=5, rng=np.random.default_rng(1)
    )
    assert [row["rank"] for row in rows] == [5861, 1480, 665, 378, 245]
    assert [round(row["floor"], 4) for row in rows] == [0.01, 0.0199, 0.0297, 0.0394, 0.0489]
    assert [row["generation"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[4]["floor_law"] == pytest.approx(1 - 0.99**5)
    assert rows[4]["linear"] == pytest.approx(0.05)
    assert rows[1]["rank_asymptote"] == pytest.approx((0.0199 * 0.5 * zeta(1.5)) ** -2)


def test_a_row_of_the_effective_samples():
    one, two = streams()
    place = {"tail_exponent": 1.5, "n_generator_samples": 100, "n_samples": 300}
    row = experiments.effective_point(**place, n_replicates=5, rng=one)
    known = simulation.simulate_chain(1.5, [100, 300], 5, rng=two)
    assert row == pytest.approx(
        {
            "effective_samples": 100 * (1 - np.exp(-3.0)),
            "law": theory.clean_constant(1.5) * (100 * (1 - np.exp(-3.0))) ** (-1 / 3),
            "sum": theory.chain_error(1.5, [100, 300]),
            "clean": theory.hutter_error(1.5, 300),
            "generator": theory.hutter_error(1.5, 100),
            **drawn(known.error[:, 1]),
        }
    )


def test_rows_of_the_chain():
    one, two = streams()
    rows = experiments.chain_point(
        tail_exponent=2.0, sample_sizes=(50, 80), generations=(0, 3), n_replicates=5, rng=one
    )
    known = simulation.simulate_chain(2.0, [50, 80, 50, 80], 5, rng=two)
    s = 1.0
    for growth in (80 / 50, 50 / 80, 80 / 50):
        s = 1 - np.exp(-growth * s)
    theta = 50 * s
    assert rows[0]["generation"] == 0
    assert rows[0]["sum"] == pytest.approx(theory.hutter_error(2.0, 50))
    assert rows[1] == pytest.approx(
        {
            "generation": 3,
            "effective_samples": theta,
            "law": theory.clean_constant(2.0) * theta**-0.5,
            "sum": theory.chain_error(2.0, [50, 80, 50, 80]),
            **drawn(known.error[:, 3]),
            "skills_law": (np.pi * theta / zeta(2)) ** 0.5 - 0.5,
            "skills_sum": theory.chain_skills(2.0, [50, 80, 50, 80]),
            **drawn(known.items[:, 3], "_skills"),
        }
    )


def test_rows_of_the_growth():
    rows = experiments.growth_point(
        tail_exponent=2.0, n_samples=1e4, generations=(0, 20), rng=np.random.default_rng(1)
    )
    assert np.isnan(rows[0]["chain_asymptote"])
    theta = theory.chain_effective_samples([1e4] * 21)
    constant = theory.clean_constant(2.0)
    assert rows[1] == pytest.approx(
        {
            "generation": 20,
            "effective_samples": theta,
            "chain": theory.chain_error(2.0, [1e4] * 21),
            "chain_law": constant * theta**-0.5,
            "chain_asymptote": constant * 1e3**-0.5,
            "skills": theory.chain_skills(2.0, [1e4] * 21),
            "skills_law": (np.pi * theta / zeta(2)) ** 0.5 - 0.5,
            "fresh_prompts": theory.fresh_prompt_error(2.0, 1e4, 1e4, 20),
            "linear_bound": 21 * constant / 100,
        }
    )


def test_a_row_of_fresh_prompts():
    one, two = streams()
    row = experiments.fresh_point(
        tail_exponent=1.5, n_samples=200, n_generations=4, n_replicates=5, rng=one
    )
    known = simulation.simulate_fresh_prompts(1.5, 200, 200, 4, 5, rng=two)
    lost = zeta(1.5) * (np.log(5) + np.euler_gamma) / 200
    assert row == pytest.approx(
        {
            "exact": theory.fresh_prompt_error(1.5, 200, 200, 4),
            "asymptote": lost ** (1 / 3) / (0.5 * zeta(1.5)),
            "linear_bound": 5 * theory.clean_constant(1.5) * 200 ** (-1 / 3),
            **drawn(known.error),
        }
    )


def test_a_row_of_the_mix():
    one, two = streams()
    place = {"tail_exponent": 1.5, "rank": 20, "real_fraction": 0.1}
    row = experiments.mix_point(**place, n_samples=900.0, n_replicates=5, rng=one)
    known = simulation.simulate_mix(1.5, 900, 20, 0.1, 5, rng=two)
    assert row == pytest.approx(
        {
            "exact": theory.mix_error(1.5, 900, 20, 0.1),
            "closed_form": closed_forms.mix_closed_form(1.5, 900, 20, 0.1),
            "floor": theory.tail_mass(1.5, 20),
            "clean": theory.hutter_error(1.5, 900),
            "late_law": theory.clean_constant(1.5) * 90 ** (-1 / 3),
            **drawn(known.error),
        }
    )


def test_a_row_of_the_plateau():
    row = experiments.plateau_point(
        tail_exponent=1.5, rank=100, real_fraction=1e-3, rng=np.random.default_rng(1)
    )
    start, end = theory.plateau(1.5, 100, 1e-3)
    assert (row["start"], row["end"]) == (start, end)
    assert row["centre"] == pytest.approx((start * end) ** 0.5)
    floor = theory.tail_mass(1.5, 100)
    assert theory.hutter_error(1.5, row["start_solved"]) == pytest.approx(floor)
    assert row["end_solved"] == pytest.approx(1e3 * row["start_solved"], rel=1e-3)
    assert row["start_over_floor"] == pytest.approx(theory.mix_error(1.5, start, 100, 1e-3) / floor)
    assert row["end_over_floor"] == pytest.approx(0.854, abs=2e-3)
    assert row["end_over_floor"] == pytest.approx(1 - row["departure_limit"], abs=1e-2)
    assert row["late_over_law"] == pytest.approx(1.0, abs=1e-6)
    # golden values of a program that shares no code with this one
    assert row["flattest_solved"] == pytest.approx(1.78e4, rel=3e-3)
    assert row["flattest"] == pytest.approx(1.75e4, rel=3e-3)

    def slope(size):
        few, many = theory.mix_error(1.5, [size / 1.01, size * 1.01], 100, 1e-3)
        return np.log(many / few) / (2 * np.log(1.01))

    assert row["flattest_slope"] == pytest.approx(slope(row["flattest_solved"]), rel=1e-2)
    assert row["centre_slope"] == pytest.approx(slope(row["centre"]), rel=1e-2)
    assert slope(row["flattest_solved"]) > max(slope(1.5e4), slope(2.1e4))


def test_a_row_of_the_narrow_mix():
    one, two = streams()
    place = {"tail_exponent": 1.5, "narrowed_exponent": 3.0, "real_fraction": 0.04}
    row = experiments.narrow_mix_point(**place, relative_samples=0.5, n_replicates=5, rng=one)
    size = round(0.5 * 0.04**-2)
    known = simulation.simulate_mix(1.5, size, None, 0.04, 5, narrowed_exponent=3.0, rng=two)
    assert row == pytest.approx(
        {
            "n_samples": size,
            "exact": theory.narrow_mix_error(1.5, size, 3.0, 0.04),
            "narrow_law": closed_forms.narrow_closed_form(1.5, size, 3.0),
            "late_law": theory.clean_constant(1.5) * (0.04 * size) ** (-1 / 3),
            **drawn(known.error),
        }
    )


def test_a_row_of_the_tail_acquisition():
    one, two = streams()
    place = {"tail_exponent": 1.5, "rank": 20, "n_tail_from": 50, "real_fraction": 0.1}
    row = experiments.acquisition_point(**place, n_samples=900.0, n_replicates=5, rng=one)
    known = simulation.simulate_mix(1.5, 900, 20, 0.1, 5, n_tail_from=50, rng=two)
    between = np.sum(np.arange(21.0, 50.0) ** -1.5) / zeta(1.5)
    assert row == pytest.approx(
        {
            "exact": theory.tail_acquisition_error(1.5, 900, 20, 50, 0.1),
            "closed_form": closed_forms.tail_acquisition_closed_form(1.5, 900, 20, 50, 0.1),
            "floor": between,
            "plain": theory.mix_error(1.5, 900, 20, 0.1),
            **drawn(known.error),
        }
    )


def test_a_row_of_the_saving():
    row = experiments.saving_point(
        tail_exponent=2.0, rank=100, real_fraction=1e-4, rng=np.random.default_rng(1)
    )
    half = theory.tail_mass(2.0, 100) / 2
    assert row["tail_mass"] == pytest.approx(2 * half)
    acquired = theory.tail_acquisition_error(2.0, row["half_acquired"], 100, 101, 1e-4)
    assert acquired == pytest.approx(half)
    assert theory.mix_error(2.0, row["half_plain"], 100, 1e-4) == pytest.approx(half)
    assert row["crossover"] == theory.acquisition_crossover(2.0, 100, 1e-4)
    assert row["end_of_plateau"] == theory.plateau(2.0, 100, 1e-4)[1]
    assert row["late_over_law"] == pytest.approx(1.0, abs=1e-3)


def test_a_row_of_the_regular():
    one, two = streams()
    place = {"tail_exponent": 1.5, "n_samples": 100, "real_fraction": 0.1, "n_generations": 6}
    row = experiments.regular_point(**place, n_replicates=5, rng=one)
    known = simulation.simulate_chain(1.5, [100] * 7, 5, real_fraction=0.1, rng=two)
    theta = theory.chain_effective_samples([100] * 7, 0.1)
    assert row == pytest.approx(
        {
            "effective_samples": theta,
            "stationary": theory.stationary_effective_samples(100, 0.1),
            "stationary_law": 10 * (2 * np.log(10) - 1.185),
            "law": theory.clean_constant(1.5) * theta ** (-1 / 3),
            "sum": theory.chain_error(1.5, [100] * 7, 0.1),
            "without_copies": theory.clean_constant(1.5) * 10 ** (-1 / 3),
            **drawn(known.error[:, 6]),
        }
    )


# --- closed forms -----------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [1.3, 2.0, 4.0])
def test_closed_forms_are_the_integrals(beta):
    """Quadrature of the same integrand, in the logarithm of the rank."""

    def integral(samples, rate, exponent, low, high):
        def f(x):
            miss = samples * np.log1p(-min(rate * np.exp(-exponent * x), 1 - 1e-16))
            return np.exp((1 - beta) * x + miss)

        end = np.log(high) if high < np.inf else 120 / (beta - 1)
        start = np.log(low)
        places = np.linspace(start, end, 40)
        pieces = [quad(f, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pairwise(places)]
        return sum(pieces) / zeta(beta)

    z, size, k, share, first = zeta(beta), 400.0, 12, 0.2, 20
    edge = k + 0.5
    head = np.sum(np.arange(1.0, k + 1) ** -beta)
    tail = zeta(beta, k + 1) / z
    start = z ** (-1 / beta) * (1 + 1e-12)
    assert closed_forms.hutter_closed_form(beta, size) == pytest.approx(
        integral(size, 1 / z, beta, start, np.inf), rel=1e-8
    )
    start = zeta(2.5) ** (-1 / 2.5) * (1 + 1e-12)
    assert closed_forms.narrow_closed_form(beta, size, 2.5) == pytest.approx(
        integral(size, 1 / zeta(2.5), 2.5, start, np.inf), rel=1e-8
    )
    start = head ** (-1 / beta) * (1 + 1e-12)
    assert closed_forms.cut_closed_form(beta, size, k) == pytest.approx(
        integral(size, 1 / head, beta, start, edge) + tail, rel=1e-8
    )
    rate = share / z + (1 - share) / head
    start = rate ** (1 / beta) * (1 + 1e-12)
    assert closed_forms.mix_closed_form(beta, size, k, share) == pytest.approx(
        integral(size, rate, beta, start, edge) + integral(size, share / z, beta, edge, np.inf),
        rel=1e-8,
    )
    rate = (1 - share) / head
    start = rate ** (1 / beta) * (1 + 1e-12)
    between = np.sum(np.arange(k + 1.0, first) ** -beta) / z
    bought = share / zeta(beta, first)
    assert closed_forms.tail_acquisition_closed_form(beta, size, k, first, share) == pytest.approx(
        integral(size, rate, beta, start, edge)
        + between
        + integral(size, bought, beta, first - 0.5, np.inf),
        rel=1e-8,
    )


def test_asymptotes_by_hand():
    beta, c = 2.0, 0.5
    z = zeta(2)
    assert closed_forms.skills_asymptote(beta, 100) == pytest.approx(10 * (np.pi / z) ** 0.5 - 0.5)
    assert closed_forms.tail_mass_asymptote(beta, 50) == pytest.approx(1 / (50 * z))
    assert closed_forms.narrow_mix_crossover(2.0, 4.0, 0.1) == pytest.approx(100.0)
    assert closed_forms.top_p_rank_asymptote(2.0, 0.99) == pytest.approx(100 / z)
    rank = closed_forms.equivalent_rank(beta, 1e6)
    assert rank == pytest.approx((1e6 / (z * gamma(1.5) ** 2)) ** 0.5)
    assert theory.crossover_samples(beta, round(rank)) == pytest.approx(1e6, rel=2e-3)
    late = closed_forms.tail_acquisition_late_law(beta, 1e12, 50, 0.1)
    mass = theory.tail_mass(beta, 50)
    assert late == pytest.approx(theory.clean_constant(beta) * (1e11 / mass) ** -c)
    assert theory.tail_acquisition_error(beta, 1e12, 50, 51, 0.1) == pytest.approx(late, rel=1e-4)


def test_closed_forms_at_any_size():
    sizes = [0.0, 1.0, 1e3, 1e9, 1e15, 1e100]
    for beta in (1.01, 1.5, 3.0, 100.0):
        for found in (
            closed_forms.hutter_closed_form(beta, sizes),
            closed_forms.narrow_closed_form(beta, sizes, 1.7),
            closed_forms.cut_closed_form(beta, sizes, 30),
            closed_forms.mix_closed_form(beta, sizes, 30, 0.01),
        ):
            assert found.shape == (6,)
            assert np.isfinite(found).all()
            assert (found >= 0.0).all()
            assert (np.diff(found) <= 1e-12).all()


def test_closed_forms_broadcast():
    found = closed_forms.mix_closed_form(1.5, [[1e3], [1e5]], [30, 100, 300], 0.1)
    assert found.shape == (2, 3)
    assert found[1, 2] == closed_forms.mix_closed_form(1.5, 1e5, 300, 0.1)
    assert isinstance(closed_forms.hutter_closed_form(1.5, 10), float)
    assert closed_forms.linear_bound(1.5, [10, 100], [[0], [3]]).shape == (2, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: closed_forms.hutter_closed_form(1.0, 10), "tail_exponent must be finite and > 1"),
        (lambda: closed_forms.hutter_closed_form(1.5, -1), "n_samples must be finite and >= 0"),
        (
            lambda: closed_forms.hutter_closed_form(1.5, 1e101),
            "n_samples must be finite and >= 0 and <= 1e",
        ),
        (lambda: closed_forms.clean_power_law(1.5, 0), "n_samples must be finite and > 0"),
        (lambda: closed_forms.distinct_items_closed_form(1.5, 0), "n_samples must be finite"),
        (lambda: closed_forms.skills_asymptote(1.5, 0), "n_effective must be finite and > 0"),
        (lambda: closed_forms.tail_mass_asymptote(1.5, 0), "rank must be finite and >= 1"),
        (lambda: closed_forms.cut_closed_form(1.5, 10, 2.5), "rank must hold whole numbers >= 1"),
        (lambda: closed_forms.crossover_excess(0.5), "tail_exponent must be finite and > 1"),
        (lambda: closed_forms.narrow_closed_form(1.5, 10, 1.0), "narrowed_exponent must be"),
        (lambda: closed_forms.top_p_rank_asymptote(1.5, 1.0), "top_p must be > 0 and < 1"),
        (lambda: closed_forms.equivalent_rank(1.5, 0), "n_generator_samples must be finite"),
        (lambda: closed_forms.linear_bound(1.5, 10, -1), "n_generations must be finite and >= 0"),
        (lambda: closed_forms.chain_asymptote(1.5, 10, 0), "n_generations must be finite and >= 1"),
        (lambda: closed_forms.fresh_prompt_asymptote(1.5, 0, 1), "n_samples must be finite"),
        (lambda: closed_forms.mix_closed_form(1.5, 10, 5, 0.0), "real_fraction must be finite"),
        (
            lambda: closed_forms.mix_closed_form(1.5, 10, 5, 1.1),
            "real_fraction must be finite and > 0 and <=",
        ),
        (lambda: closed_forms.narrow_mix_crossover(2.0, 2.0, 0.1), "narrowed_exponent must be >"),
        (
            lambda: closed_forms.tail_acquisition_closed_form(1.5, 10, 5, 5, 0.1),
            "n_tail_from must be > rank",
        ),
        (
            lambda: closed_forms.tail_acquisition_closed_form(1.5, 10, 5, 6, 1.0),
            "real_fraction must be > 0 and < 1",
        ),
        (lambda: closed_forms.tail_acquisition_late_law(1.5, 0, 5, 0.1), "n_samples must be"),
        (
            lambda: closed_forms.stationary_asymptote(10, 0.6),
            "real_fraction must be finite and > 0 and <= 0",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
