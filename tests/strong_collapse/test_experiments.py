"""Experiments: what their tables hold, the lines beside them, and that the archive is theirs."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import mean_and_standard_error
from fragile_learning.strong_collapse import (
    FixedShift,
    Mixture,
    RandomShift,
    experiments,
    settings,
    simulation,
    theory,
)
from fragile_learning.strong_collapse.curves import curves
from fragile_learning.strong_collapse.experiments import EXPERIMENTS, experiment
from fragile_learning.strong_collapse.settings import GOLDEN, SETTINGS
from fragile_learning.sweeps import run_sweep
from fragile_learning.tables import archive_path, read_table

NAMES = [one.name.partition("/")[2] for one in EXPERIMENTS]
CHEAP = ["best-ridge", "best-weight", "floor", "identities", "log-loss-floor", "model-size"]
PARTS = ("bias", "variance", "collapse", "interference", "total")

SMALL = {
    "n_replicates": 3,
    "n_rounds": 3,
    "n_test": 60,
    # images
    "data": "digits",
    "widths": [20, 40],
    "sample_sizes": [30],
    "generator_width": 50,
    "n_steps": 4,
    "n_generator_steps": 4,
    "n_seeds": 2,
    # language
    "n_words": 5,
    "n_tokens": [200, 500],
    "n_corpus": 256,
    "n_generator_tokens": 30_000,
    "token_budgets": [500, 1_000],
}


def small(name):
    """One point of the quick grid, made small."""
    one = experiment(name)
    point = one.points("quick")[0]
    point |= {key: value for key, value in SMALL.items() if key in point}
    if name in ("two-layer-networks", "stories"):
        point["width"] = 16
    return one, point


@pytest.mark.parametrize("name", NAMES)
def test_a_point_gives_the_promised_columns(name):
    one, point = small(name)
    for module in one.requires:
        pytest.importorskip(module)
    frame = run_sweep(one.point, [point], seed=1, columns=one.columns, stream_keys=one.stream_keys)
    assert len(frame) >= 1
    if one.columns:
        assert list(frame.columns) == [*point, *one.columns]
    else:
        assert len(frame.columns) > len(point)
    numbers = frame.select_dtypes("number").drop(columns=list(one.nullable), errors="ignore")
    assert np.isfinite(numbers.to_numpy(float)).all()
    assert set(one.nullable) <= set(frame.columns)


def test_every_experiment_has_its_own_seed_and_name():
    assert len(EXPERIMENTS) == 21
    assert len({one.seed for one in EXPERIMENTS}) == len(EXPERIMENTS)
    assert len({one.name for one in EXPERIMENTS}) == len(EXPERIMENTS)
    assert all(one.tiers == ("quick", "full") for one in EXPERIMENTS)
    with pytest.raises(ValueError, match="name must be one of 'mixtures', 'identities'"):
        experiment("no-such-table")


def test_a_quick_table_is_the_quick_grid():
    frame = experiments.run_quick("floor")
    pd.testing.assert_frame_equal(frame, experiment("floor").run("quick"))
    assert frame["synthetic_fraction"].tolist() == [0.001, 0.01, 0.1, 0.5]


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_grids(tier):
    """What the claims and the figures rely on."""
    sweep = experiment("sample-sweep").points(tier)
    counts = [point["n_samples"] * point["synthetic_fraction"] for point in sweep]
    assert counts == [round(count) for count in counts]
    assert {point["synthetic_fraction"] for point in sweep} == set(experiments.FRACTIONS)
    assert {point["policy"] for point in sweep} == {"least squares", "ridge 1/n"}
    widths = experiment("width-sweep").points(tier)
    assert all(point["width"] != point["n_samples"] for point in widths)
    assert {point["n_features"] > point["n_samples"] for point in widths} == {True, False}
    assert {point["n_samples"] for point in widths} == {500 if tier == "full" else 100}
    settings_ = experiment("mixtures").points(tier)
    assert [point["setting"] for point in settings_] == list(SETTINGS)
    modes = [
        (p["mode"], p["synthetic_fraction"]) for p in experiment("iterative-mixing").points(tier)
    ]
    assert set(modes) == {
        ("fresh", 0.5),
        ("reused", 0.5),
        ("reused, inputs too", 0.5),
        ("fresh", 1.0),
    }
    assert experiment("pareto").stream_keys == ("width",)
    odd = experiment("counterexample").points(tier)
    assert [point["width"] for point in odd] == sorted(point["width"] for point in odd)
    assert len(experiment("best-ridge").points(tier)) == 14


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_have_limits(name):
    risk = SETTINGS[name]().limit()
    assert np.isfinite(risk).all()
    assert risk.total == pytest.approx(sum(risk[:4]), rel=1e-12)
    assert min(risk.bias, risk.variance, risk.collapse) >= 0.0
    if name in GOLDEN:
        bias, variance, collapse, total = GOLDEN[name]
        found = (risk.bias, risk.variance, risk.collapse, risk.total)
        assert found == pytest.approx((bias, variance, collapse, total), abs=1e-6)
        # what is left is the interference, which only the fixed shift of G9 has
        assert total - bias - variance - collapse == pytest.approx(
            -0.009085 if name == "G9" else 0.0, abs=2e-6
        )


def test_settings_by_name():
    assert set(GOLDEN) == {f"G{i}" for i in range(1, 11)}
    assert set(GOLDEN) < set(SETTINGS)
    assert len(SETTINGS) == 20
    assert settings.setting("G5").width == 220
    with pytest.raises(ValueError, match=r"name must be one of 'G1', .*, got 'G11'"):
        settings.setting("G11")


def test_settings_by_hand():
    total = sum(1 / j for j in range(1, 241))
    groups, target, values, ridge, width = settings.setting("G3")
    assert values == pytest.approx(1 / np.arange(1, 241))
    assert values @ target**2 == pytest.approx(1.0)
    assert values @ groups[1].shift.square == pytest.approx(0.4)
    assert np.ptp(target) == 0.0
    assert target[0] ** 2 == pytest.approx(1 / total)
    assert [group.n_samples for group in groups] == [270, 90]
    assert [group.noise_std for group in groups] == [0.3, 0.6]
    assert (ridge, width) == (0.01, 190)
    assert [g.weight for g in settings.setting("G7").groups] == [1.2, 0.4]
    other = settings.setting("G8").groups[1]
    assert other.covariance[[0, -1]] == pytest.approx([1 / 240, 1.0])
    fixed = settings.setting("G9")
    assert isinstance(fixed.groups[1].shift, FixedShift)
    assert fixed.target[0] == pytest.approx(np.cos(1.0) / np.sqrt(total / 2))
    assert fixed.groups[1].shift.coordinates[1] == pytest.approx(
        0.8 * np.cos(2.6) * np.sqrt(0.8 / total) + 0.3 * np.cos(2.0) / np.sqrt(total / 2)
    )


def test_other_mixtures_by_hand():
    white = settings.white_mixture(n_features=4, n_samples=10, n_synthetic=3, shift_size=0.8)
    assert (white.n_real, white.n_synthetic, white.ridge, white.width) == (7, 3, 0.0, None)
    assert (white.noise_std_real, white.noise_std_synthetic) == (0.5, 0.5)
    assert white.target == pytest.approx([0.5] * 4)
    assert white.shift.square == pytest.approx([0.2] * 4)
    steep = settings.power_law_mixture(n_features=3, n_samples=8, ridge=0.1, fraction=0.25)
    assert steep.spectrum.eigenvalues == pytest.approx([1, 2**-1.5, 3**-1.5])
    total = 1 + 1 / 4 + 1 / 9
    assert steep.target**2 == pytest.approx(np.array([1, 2**-0.5, 3**-0.5]) / total)
    assert steep.shift.square == pytest.approx(steep.target**2)
    assert (steep.n_real, steep.n_synthetic, steep.ridge) == (6, 2, 0.1)
    assert (steep.noise_std_real, steep.noise_std_synthetic) == (0.3, 0.3)
    sampled = {"n_features": 3, "n_samples": 8, "synthetic_fraction": 0.25}
    plain = settings.sampled_mixture(policy="least squares", **sampled)
    assert (plain.ridge, plain.noise_std_real, plain.shift_size) == (0.0, 1.0, pytest.approx(1.0))
    tuned = settings.sampled_mixture(policy="ridge 1/n", **sampled)
    assert (tuned.ridge, tuned.noise_std_real, tuned.n_synthetic) == (1 / 8, 0.3, 2)
    with pytest.raises(ValueError, match="policy must be one of 'least squares', 'ridge 1/n'"):
        settings.sampled_mixture(policy="none", **sampled)


def test_finite_size_scale_is_one_over_what_is_left():
    # least squares: n - d
    white = settings.white_mixture(n_features=30, n_samples=100, n_synthetic=20, noise_std=3.0)
    assert settings.problem_of(white).finite_size() == pytest.approx(1 / 70)
    # many features, no ridge: n - df2 at the root of df1 = n
    few = settings.white_mixture(n_features=200, n_samples=100, n_synthetic=20)
    assert settings.problem_of(few).finite_size() == pytest.approx(1 / (100 - 50))


def test_finite_size_scale_of_weighted_samples():
    # at weight 0 there are the real samples alone
    alone = settings.white_mixture(n_features=30, n_samples=100, n_synthetic=20, synthetic_weight=0)
    assert settings.problem_of(alone).finite_size() == pytest.approx(1 / (80 - 30))
    # at weight p2 all count alike
    alike = dataclasses.replace(alone, synthetic_weight=0.2)
    assert settings.problem_of(alike).finite_size() == pytest.approx(1 / 70)


# --- rows -------------------------------------------------------------------------------------


def streams():
    """Two equal streams: for the row, and for what it should hold."""
    return np.random.default_rng(7), np.random.default_rng(7)


def check_compared(row, law, drawn):
    for part in PARTS:
        assert row[f"theory_{part}"] == pytest.approx(getattr(law, part), rel=1e-12, abs=1e-15)
        mean, error = mean_and_standard_error(getattr(drawn, part))
        assert (row[f"mean_{part}"], row[f"se_{part}"]) == pytest.approx(
            (float(mean), float(error))
        )


def test_a_row_of_the_mixtures():
    point = {"setting": "G3", "n_replicates": 4}
    one, two = streams()
    row = experiments.setting_point(**point, rng=one)
    problem = settings.setting("G3")
    check_compared(row, problem.limit(), problem.simulate(4, two))
    assert row["projected"] is True
    assert row["scale"] == problem.finite_size()
    golden = [row[f"golden_{part}"] for part in ("bias", "variance", "collapse", "total")]
    assert golden == [0.242301, 0.025362, 0.027838, 0.295501]
    plain = experiments.setting_point(setting="steep, n > d", n_replicates=2, rng=one)
    assert plain["projected"] is False
    assert np.isnan(plain["golden_total"])


def white(d, n, k, c2=1.0, **rest):
    """White features by hand: unit signal, noise 0.5."""
    noise = rest.pop("noise", 0.5)
    return Mixture(
        Spectrum(np.ones(d)),
        np.full(d, d**-0.5),
        RandomShift(np.full(d, c2 / d)),
        n - k,
        k,
        noise_std_real=noise,
        noise_std_synthetic=noise,
        **rest,
    )


J = np.arange(1.0, 13.0)
ROWS = {
    "sample-sweep": (
        experiments.sample_point,
        {
            "policy": "least squares",
            "n_features": 12,
            "n_samples": 50,
            "synthetic_fraction": 0.1,
        },
        white(12, 50, 5, noise=1.0),
        theory.excess_risk,
    ),
    "width-sweep": (
        experiments.width_point,
        {"n_features": 12, "n_samples": 10, "n_synthetic": 2, "width": 7, "ridge": 0.01},
        white(12, 10, 2, width=7, ridge=0.01),
        theory.excess_risk,
    ),
    "counterexample": (
        experiments.counterexample_point,
        {"half": 16, "n_samples": 25, "width": 10},
        Mixture(
            Spectrum(np.r_[np.ones(16), np.full(15, 1e-6)]),
            np.ones(31),
            RandomShift(np.r_[np.full(16, 1 / 16), np.zeros(15)]),
            0,
            25,
            width=10,
        ),
        theory.excess_risk,
    ),
    "least-squares": (
        experiments.least_squares_point,
        {"n_real": 30, "n_synthetic": 9, "n_features": 12},
        Mixture(
            Spectrum(1 / J),
            np.ones(12),
            RandomShift(np.linspace(0.1, 1.0, 12) / np.sum(np.linspace(0.1, 1.0, 12) / J)),
            30,
            9,
            noise_std_real=1.0,
            noise_std_synthetic=1.0,
        ),
        theory.exact_excess_risk,
    ),
    "weights": (
        experiments.weight_point,
        {"weight": 0.2, "synthetic_fraction": 0.5, "aspect_ratio": 0.25, "n_features": 12},
        white(12, 48, 24, 0.5, synthetic_weight=0.2),
        theory.excess_risk,
    ),
    "helpful-synthetic": (
        experiments.help_point,
        {
            "n_real": 24,
            "n_features": 12,
            "noise_std": 1.0,
            "relative_shift": 0.3,
            "n_synthetic": 10,
        },
        white(12, 34, 10, 0.3 * 24 / 12, noise=1.0),
        theory.exact_excess_risk,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_holds_theory_and_simulation_of_its_mixture(name):
    function, point, mixture, law = ROWS[name]
    assert experiment(name).point is function
    one, two = streams()
    row = function(**point, n_replicates=5, rng=one)
    drawn = simulation.simulate_excess_risk(mixture, 5, rng=two)
    check_compared(row, law(mixture), drawn)
    if "scale" in row:
        assert row["scale"] == pytest.approx(settings.problem_of(mixture).finite_size())
    if name == "width-sweep":
        clean = drawn.bias + drawn.variance
        assert row["theory_clean"] == pytest.approx(row["theory_bias"] + row["theory_variance"])
        assert row["mean_clean"] == pytest.approx(clean.mean())
        assert row["se_clean"] == pytest.approx(clean.std(ddof=1) / 5**0.5)
    if name == "least-squares":
        assert row["limit_collapse"] == pytest.approx(theory.excess_risk(mixture).collapse)
    if name == "helpful-synthetic":
        assert row["limit_total"] == pytest.approx(theory.excess_risk(mixture).total)


def test_a_row_of_the_pareto_table():
    point = {"n_features": 12, "n_samples": 10, "n_synthetic": 4, "shift_size": 0.3}
    point |= {"width": 7, "ridge": 0.01}
    row = experiments.pareto_point(**point, n_replicates=6, rng=np.random.default_rng(3))
    mixture = white(12, 10, 4, 0.3, width=7, ridge=0.01)
    law = theory.excess_risk(mixture)
    drawn = simulation.simulate_excess_risk(mixture, 6, rng=np.random.default_rng(3))
    clean = drawn.bias + drawn.variance
    assert row == pytest.approx(
        {
            "theory_clean": law.bias + law.variance,
            "mean_clean": clean.mean(),
            "se_clean": clean.std(ddof=1) / 6**0.5,
            "theory_mixed": law.total,
            "mean_mixed": drawn.total.mean(),
            "se_mixed": drawn.total.std(ddof=1) / 6**0.5,
        }
    )


def test_pareto_points_of_one_width_are_paired():
    one = experiment("pareto")
    points = [p | {"n_replicates": 3} for p in one.points("quick") if p["width"] == 24]
    assert len(points) == 4
    frame = run_sweep(one.point, points, seed=one.seed, stream_keys=one.stream_keys)
    assert frame["mean_clean"].to_numpy() == pytest.approx(frame["mean_clean"].iloc[0], rel=1e-9)
    assert frame["mean_mixed"].nunique() == 4


def test_rows_of_the_rounds():
    point = {"n_samples": 60, "n_features": 6, "synthetic_fraction": 0.5, "n_rounds": 4}
    point |= {"n_replicates": 5}
    mixture = white(6, 60, 30)
    for mode, reuse, inputs in (
        ("fresh", False, False),
        ("reused", True, False),
        ("reused, inputs too", True, True),
    ):
        rows = experiments.iteration_point(mode=mode, **point, rng=np.random.default_rng(7))
        drawn = simulation.simulate_iterate_mixing(
            mixture,
            4,
            5,
            reuse_real=reuse,
            reuse_synthetic_inputs=inputs,
            rng=np.random.default_rng(7),
        )
        frame = pd.DataFrame(rows)
        assert frame["round"].tolist() == [0, 1, 2, 3, 4]
        assert frame["mean"].to_numpy() == pytest.approx(drawn.mean(axis=0))
        assert frame["se"].to_numpy() == pytest.approx(drawn.std(axis=0, ddof=1) / 5**0.5)
        if inputs:
            assert frame["theory"].isna().all()
        else:
            law = theory.iterate_mixing(mixture, 4, reuse_real=reuse)
            assert frame["theory"].to_numpy() == pytest.approx(law)
        assert frame["real_alone"].to_numpy() == pytest.approx(0.25 * 6 / 23)
        assert frame["scale"].to_numpy() == pytest.approx(1 / 23 if reuse else 0.0)
    none = experiments.iteration_point(
        mode="fresh", **point | {"synthetic_fraction": 1.0}, rng=np.random.default_rng(7)
    )
    assert np.isnan(none[0]["real_alone"])


# --- rows without simulation, by closed forms ---------------------------------------------------


def test_the_floor_by_hand():
    row = experiments.floor_point(
        n_features=50, synthetic_fraction=0.2, noise_std=2.0, shift_size=3.0, rng=None
    )
    floor = 0.2**2 * 3.0
    departure = np.ceil(50 + 4.0 * 50 / floor)
    u = 50 / (departure - 50)
    assert row["floor"] == pytest.approx(floor)
    assert row["rule"] == pytest.approx(4.0 * 50 / floor)
    assert row["departure"] == departure
    assert row["ratio_at_departure"] == pytest.approx(1 + (floor + 0.16 * 3.0 * u) / (4.0 * u))
    assert row["n_many"] == 105 * 50 * 4
    u = 50 / (row["n_many"] - 50)
    assert row["collapse_over_floor"] == pytest.approx(1 + 0.8 * u / 0.2, rel=1e-9)


def test_identities_hold_and_would_be_seen_to_fail(monkeypatch):
    rows = [
        experiments.identity_point(case=case, rng=np.random.default_rng(case)) for case in range(10)
    ]
    frame = pd.DataFrame(rows)
    assert (frame["form_error"] < 1e-12).all()
    assert (frame["collapse_over_bound"] >= 1 - 1e-12).all()
    assert (frame["wide_error"] < 1e-6).all()
    assert frame["synthetic_fraction"].between(0, 1).all()
    assert frame["n_samples"].nunique() > 5
    for part, column, size in (
        ("bias", "form_error", 1e-8),
        ("collapse", "form_error", 1e-8),
        ("collapse", "collapse_over_bound", 0.1),
    ):

        def wrong(mixture, part=part, size=size):
            law = theory.excess_risk(mixture)
            return law._replace(**{part: getattr(law, part) * (1 - size)})

        broken = SimpleNamespace(excess_risk=wrong, excess_risk_grid=theory.excess_risk_grid)
        with monkeypatch.context() as patch:
            patch.setattr(experiments, "theory", broken)
            other = pd.DataFrame(
                [
                    experiments.identity_point(case=case, rng=np.random.default_rng(case))
                    for case in range(10)
                ]
            )
        if column == "form_error":
            assert (other[column] > 0.9 * size).all()
        else:
            assert other[column].to_numpy() == pytest.approx(0.9 * frame[column].to_numpy())


def collapse_below(m, n, d, p2):
    """Collapse below the threshold for a shift like the inverse covariance, of unit size."""
    return p2 * m / (n - m) + p2**2 * m / d * (n - 2 * m) / (n - m)


RNG = np.random.default_rng(0)  # of the random shifts; nothing here depends on them


@pytest.mark.parametrize("shape", ["white", "power law", "two levels"])
def test_model_size_by_hand(shape):
    row = experiments.monotone_point(
        shape=shape, shift="inverse", n_features=40, n_samples=30, synthetic_fraction=0.5, rng=RNG
    )
    line = [collapse_below(m, 30, 40, 0.5) for m in range(1, 30)]
    assert row["largest_below"] == pytest.approx(max(line), rel=1e-9)
    assert row["largest_fall_below"] == pytest.approx(-min(np.diff(line)), rel=1e-6)
    assert row["rises_below"]
    assert row["falls_above"]
    assert row["largest_above"] > row["collapse_at_infinity"] > 0.0
    assert row["spread_above"] == pytest.approx(
        row["largest_above"] / row["collapse_at_infinity"] - 1
    )


def test_model_size_without_a_threshold():
    row = experiments.monotone_point(
        shape="power law",
        shift="random",
        n_features=30,
        n_samples=40,
        synthetic_fraction=0.5,
        rng=RNG,
    )
    assert row["spread_above"] < 1e-13
    assert row["collapse_at_infinity"] == pytest.approx(0.25 + 0.25 * 30 / 10)


def test_model_size_sees_a_fall():
    row = experiments.monotone_point(
        shape="two levels",
        shift="strong directions",
        n_features=40,
        n_samples=30,
        synthetic_fraction=1.0,
        rng=RNG,
    )
    assert not row["rises_below"]
    assert row["largest_fall_below"] > 0.0


def test_expansion_in_the_weight():
    assert experiments.weight_expansion(0.3, 0.4, 0.01) == pytest.approx(
        0.09 * 0.5
        + 0.01
        * (0.25 * (0.49 / 0.6 + 0.09 / 0.4) + 0.5 * 0.09 * (0.7 * 0.1 / 0.4 + 3 * 0.49 / 0.6))
    )
    for phi in (0.01, 0.001):  # and what it leaves is of second order
        mixture = experiments.weighted_mixture(phi, 0.3, 100, 0.4)
        left = theory.excess_risk(mixture).total - experiments.weight_expansion(0.3, 0.4, phi)
        assert abs(left) < 5 * phi**2


def test_columns_of_the_weights():
    _, point, _, _ = ROWS["weights"]
    row = experiments.weight_point(**point, n_replicates=2, rng=np.random.default_rng(0))
    assert row["expansion"] == experiments.weight_expansion(0.2, 0.5, 0.25)
    assert row["reported"] == pytest.approx(0.25 * 0.04 * 0.5 + 0.25 * 0.25 * 0.5)


def test_the_best_weight_is_best():
    row = experiments.best_weight_point(
        aspect_ratio=0.04, synthetic_fraction=0.25, weight=0.3, n_features=50, rng=None
    )
    mixture = experiments.weighted_mixture(0.04, None, 50, 0.25)
    assert (mixture.n_real, mixture.n_synthetic, mixture.shift_size) == (938, 312, 0.5)

    def risk(weight):
        weighted = dataclasses.replace(mixture, synthetic_weight=weight)
        return theory.excess_risk(weighted).total

    best = row["best_weight"]
    assert row["risk_at_best"] == pytest.approx(risk(best))
    assert risk(best) < min(risk(0.9 * best), risk(1.1 * best))
    assert row["risk_real_alone"] == pytest.approx(0.25 * 50 / (938 - 50))
    assert row["predicted_weight"] == pytest.approx(0.04 * 0.25 / (0.75 * 0.5))
    assert row["reported_weight"] == pytest.approx(1 - 0.125 * 0.04)
    assert row["left_by_expansion"] == pytest.approx(
        risk(0.3) - experiments.weight_expansion(0.3, 0.25, 0.04)
    )


def test_closed_form_of_white_features():
    mixture = white(100, 50, 20, 0.7)
    values = {"aspect_ratio": 2.0, "signal": 1.0, "noise": 0.25, "p2": 0.4, "shift_size": 0.7}
    for k in (1.2, 2.0, 5.0):  # above d/n - 1
        law = theory.excess_risk(dataclasses.replace(mixture, ridge=k * (1 - 2.0 / (1 + k))))
        assert experiments.white_ridge_risk(k, **values) == pytest.approx(law.total, rel=1e-9)


def test_the_best_ridge_is_best():
    row = experiments.best_ridge_point(
        aspect_ratio=0.5, synthetic_fraction=0.5, shift_size=0.8, noise_std=0.5, rng=None
    )

    def risk(ridge):
        return theory.excess_risk(white(100, 200, 100, 0.8, ridge=ridge)).total

    best = row["best_ridge"]
    assert row["risk"] == pytest.approx(risk(best), rel=1e-9)
    assert risk(best) < min(risk(0.9 * best), risk(1.1 * best))
    assert row["closed_form_ridge"] == pytest.approx(best, rel=1e-5)
    assert row["closed_form_risk"] == pytest.approx(row["risk"], rel=1e-9)
    assert row["risk_without_ridge"] == pytest.approx(0.25 + (0.25 + 0.25) * 0.8)
    assert row["predicted_ridge"] == row["floor"] == pytest.approx(0.25 * 0.8)
    assert row["predicted_risk"] == pytest.approx(0.2 / 1.2)


@pytest.mark.parametrize("relative", [0.5, 0.95, 1.05, 2.0])
def test_the_first_synthetic_samples(relative):
    row = experiments.help_point(
        n_real=100,
        n_features=40,
        noise_std=0.8,
        relative_shift=relative,
        n_synthetic=0,
        n_replicates=2,
        rng=np.random.default_rng(0),
    )
    threshold = 0.64 * 100 / 60
    assert row["threshold"] == pytest.approx(threshold)
    assert row["shift_size"] == pytest.approx(relative * threshold)
    slope = -0.64 * 40 / 60**2 + relative * threshold * 40 / (100 * 60)
    assert row["first_change"] == pytest.approx(0.01 * slope, rel=0.05)
    assert (row["first_change"] > 0) is (relative > 1)
    assert row["limit_total"] == pytest.approx(0.64 * 40 / 60)
    assert row["theory_total"] == pytest.approx(0.64 * 40 / 59)


# --- curves -----------------------------------------------------------------------------------


def along(line, axis, column, at):
    """Value of a line between its points, in logarithms."""
    line = line[line[axis] > 0].sort_values(axis)
    x, y = np.log(line[axis]), np.log(line[column])
    assert x.iloc[0] - 1e-9 <= np.log(at) <= x.iloc[-1] + 1e-9
    return float(np.exp(np.interp(np.log(at), x, y)))


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_sample_curves(tier):
    lines = curves("sample-sweep", tier)
    for point in experiment("sample-sweep").points(tier)[::7]:
        own = {key: point[key] for key in point if key != "n_replicates"}
        expected = theory.excess_risk(settings.sampled_mixture(**own)).total
        line = lines[
            (lines["policy"] == point["policy"])
            & (lines["synthetic_fraction"] == point["synthetic_fraction"])
        ]
        found = along(line, "n_samples", "total", point["n_samples"])
        assert found == pytest.approx(expected, rel=0.02)
        assert line["floor"].to_numpy() == pytest.approx(point["synthetic_fraction"] ** 2)
        if point["policy"] == "least squares" and 0 < point["synthetic_fraction"] < 1:
            d = point["n_features"]
            true = d + d / point["synthetic_fraction"] ** 2
            # the first size of the line beyond it, if the line begins before it
            later = line.loc[line["n_samples"] > true * (1 + 1e-9), "n_samples"].min()
            inside = true >= line["n_samples"].min()
            assert line["departure"].to_numpy() == pytest.approx(later if inside else np.inf)
        if point["synthetic_fraction"] == 0.0:
            assert np.isinf(line["departure"]).all()


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_a_departure_is_where_the_clean_error_crosses_the_floor(tier):
    """Without synthetic samples the line is the clean error, since the noise is the same."""
    lines = curves("sample-sweep", tier)
    for (policy, share), line in lines[lines["synthetic_fraction"] > 0].groupby(
        ["policy", "synthetic_fraction"]
    ):
        own = lines[(lines["policy"] == policy) & (lines["synthetic_fraction"] == 0)]
        sizes, clean = own["n_samples"].to_numpy(), own["total"].to_numpy()
        place = line["departure"].iloc[0]
        if np.isinf(place):
            assert clean[0] < share**2 or clean[-1] >= share**2
        else:
            at = int(np.flatnonzero(sizes == place)[0])
            assert at > 0
            assert clean[at] < share**2 <= clean[at - 1]


def test_width_curves():
    lines = curves("width-sweep")
    for point in experiment("width-sweep").points("quick"):
        mixture = white(point["n_features"], 100, 10, width=point["width"], ridge=1e-4)
        law = theory.excess_risk(mixture)
        line = lines[(lines["n_features"] == point["n_features"]) & (lines["ridge"] == "fixed")]
        assert (line["n_samples"] == 100).all()
        assert along(line, "width", "total", point["width"]) == pytest.approx(law.total, rel=0.02)
        clean = along(line, "width", "clean", point["width"])
        assert clean == pytest.approx(law.bias + law.variance, rel=0.02)
        gap = along(line, "width", "gap", point["width"])
        assert gap == pytest.approx(law.collapse, rel=0.04)


def test_width_curves_with_the_best_ridge():
    lines = curves("width-sweep")
    best = lines[(lines["n_features"] == 120) & (lines["ridge"] == "best")].set_index("width")
    fixed = lines[(lines["n_features"] == 120) & (lines["ridge"] == "fixed")].set_index("width")
    assert list(best.index) == list(fixed.index)
    assert (best["total"] <= fixed["total"]).all()
    assert (best["clean"] <= fixed["clean"]).all()
    for width in (10, 100, 600):
        for column, k in (("total", 10), ("clean", 0)):
            mixture = white(120, 100, k, width=width)
            ridge = theory.optimal_ridge(mixture)
            law = theory.excess_risk(dataclasses.replace(mixture, ridge=ridge)).total
            at = best.index[np.argmin(np.abs(best.index - width))]
            if at == width:
                assert best.loc[width, column] == pytest.approx(law, rel=1e-3)
    assert {10.0, 100.0, 600.0} & set(best.index)
    assert (best["gap"] - (best["total"] - best["clean"])).abs().max() < 1e-12


def test_pareto_curves():
    lines = curves("pareto")
    assert set(lines["shift_size"]) == {0.0, 0.1, 0.5, 1.0}
    same = lines[lines["shift_size"] == 0.0]
    assert same["mixed"].to_numpy() == pytest.approx(same["clean"].to_numpy(), rel=1e-12)
    assert (lines["per_sample"] - lines["width"] / 100).abs().max() < 1e-12
    for point in experiment("pareto").points("quick"):
        mixture = white(
            120, 100, point["n_synthetic"], point["shift_size"], width=point["width"], ridge=1e-3
        )
        law = theory.excess_risk(mixture)
        line = lines[
            (lines["n_synthetic"] == point["n_synthetic"])
            & (lines["shift_size"] == point["shift_size"])
        ]
        clean, mixed = (along(line, "width", c, point["width"]) for c in ("clean", "mixed"))
        assert (clean, mixed) == pytest.approx((law.bias + law.variance, law.total), rel=0.03)


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_weight_curves(tier):
    lines = curves("weights", tier)
    for point in experiment("weights").points(tier)[::2]:
        d, weight = point["n_features"], point["weight"]
        row = lines.iloc[(lines["weight"] - weight).abs().argmin()]
        assert row["weight"] == pytest.approx(weight, abs=1e-12)
        law = theory.excess_risk(white(d, 20 * d, 10 * d, 0.5, synthetic_weight=weight)).total
        assert row["total"] == pytest.approx(law, rel=1e-9)
        assert row["floor"] == pytest.approx(0.5 * weight**2)
        assert row["reported"] == pytest.approx(0.25 * weight**2 * 0.5 + 0.05 * 0.5 * 0.25)
    assert lines["best"].nunique() == 1
    lowest = lines.loc[lines["total"].idxmin(), "weight"]
    assert abs(lowest - lines["best"].iloc[0]) <= 0.01


def test_ridge_curves():
    lines = curves("best-ridge")
    for (p2, phi), line in lines.groupby(["synthetic_fraction", "aspect_ratio"]):
        n = round(100 / phi)
        for row in line.iloc[::40].itertuples():
            law = theory.excess_risk(white(100, n, round(n * p2), ridge=row.ridge)).total
            assert row.total == pytest.approx(law, rel=1e-9)
        first = line.iloc[0]
        assert first["best_total"] <= line["total"].min() * (1 + 1e-9)
        if line["ridge"].min() < first["best_ridge"]:
            found = along(line, "ridge", "total", first["best_ridge"])
            assert found == pytest.approx(first["best_total"], rel=0.02)
    table = experiments.run_quick("best-ridge")
    for row in table[table["shift_size"] == 1.0].itertuples():
        line = lines[
            (lines["synthetic_fraction"] == row.synthetic_fraction)
            & (lines["aspect_ratio"] == row.aspect_ratio)
        ]
        if len(line):
            assert line["best_ridge"].iloc[0] == pytest.approx(row.best_ridge, rel=1e-6)
            assert line["best_total"].iloc[0] == pytest.approx(row.risk, rel=1e-9)


def test_help_curves():
    lines = curves("helpful-synthetic")
    for point in experiment("helpful-synthetic").points("quick"):
        k, relative = point["n_synthetic"], point["relative_shift"]
        law = theory.exact_excess_risk(white(40, 100 + k, k, relative / 0.6, noise=1.0)).total
        line = lines[lines["relative_shift"] == relative].sort_values("n_synthetic")
        found = np.interp(np.log1p(k), np.log1p(line["n_synthetic"]), line["total"])
        assert found == pytest.approx(law, rel=0.01)
        assert line["n_synthetic"].iloc[0] == 0.0


def test_curves_of_something_else_are_refused():
    with pytest.raises(ValueError, match="name must be one of 'sample-sweep', 'width-sweep'"):
        curves("mixtures")
    with pytest.raises(ValueError, match="tier must be one of quick, full, got 'none'"):
        curves("width-sweep", "none")


def test_curves_are_the_callers_own():
    """A table that is kept to be given out again must not be changed by who got it first."""
    one, two = curves("sample-sweep"), curves("sample-sweep")
    assert one is not two
    pd.testing.assert_frame_equal(one, two)


# --- the archive ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_archive_belongs_to_the_present_configuration(name):
    one = experiment(name)
    frame, manifest = read_table(archive_path("full", one.name))
    assert not one.is_stale(manifest, "full")
    assert manifest.nullable == one.nullable
    assert one.is_stale(dataclasses.replace(manifest, seed=manifest.seed + 1), "full")
    if one.columns:
        assert list(frame.columns) == [*one.points("full")[0], *one.columns]
    keys = [k for k, v in one.points("full")[0].items() if not isinstance(v, list)]
    points = pd.DataFrame(one.points("full"))[keys]
    assert len(frame.drop_duplicates(keys)) == len(points.drop_duplicates())


@pytest.mark.parametrize("name", CHEAP)
def test_the_archive_is_what_the_code_computes(name):
    computed, archived = experiment(name).run("full"), experiments.archived(name)
    pd.testing.assert_frame_equal(computed, archived, rtol=1e-6, atol=1e-12, check_dtype=False)


SIMULATED = [
    one.name.partition("/")[2] for one in EXPERIMENTS if "n_replicates" in one.points("full")[0]
]


@pytest.mark.parametrize("name", SIMULATED)
def test_predictions_in_the_archive_are_what_the_code_computes(name):
    """All columns but those that are drawn, from two replicates."""
    one, archived = experiment(name), experiments.archived(name)
    points = [point | {"n_replicates": 2} for point in one.points("full")]
    if name in ("sample-sweep", "width-sweep", "pareto", "helpful-synthetic"):
        points = points[::5]
    computed = run_sweep(
        one.point, points, seed=one.seed, columns=one.columns, stream_keys=one.stream_keys
    )
    drawn = ("mean", "se", "n_replicates")
    kept = [c for c in computed if c not in drawn and not c.startswith(("mean_", "se_"))]
    keys = [key for key in points[0] if key != "n_replicates"]
    if "round" in kept:
        keys.append("round")
    both = computed[kept].merge(archived[kept], on=keys, suffixes=("", " archived"))
    assert len(both) == len(computed)
    for column in set(kept) - set(keys):
        found, old = both[column], both[f"{column} archived"]
        np.testing.assert_allclose(found, old, rtol=1e-6, atol=1e-12, err_msg=column)


def test_a_point_of_an_archived_simulation_is_what_the_code_computes():
    one = experiment("sample-sweep")
    archived = experiments.archived("sample-sweep").iloc[[2]]
    computed = run_sweep(one.point, [one.points("full")[2]], seed=one.seed, columns=one.columns)
    for part in PARTS:
        for kind in ("theory", "mean", "se"):
            column = f"{kind}_{part}"
            assert computed[column].iloc[0] == pytest.approx(
                archived[column].iloc[0], rel=1e-8, abs=1e-14
            )


def test_a_point_of_archived_measurements_is_what_the_code_computes():
    one = experiment("image-mixing")
    archived = experiments.archived("image-mixing")
    archived = archived[(archived["data"] == "digits") & (archived["replicate"] == 0)]
    computed = run_sweep(
        one.point,
        one.points("full")[:1],
        seed=one.seed,
        columns=one.columns,
        stream_keys=one.stream_keys,
    )
    for column in ("error", "clean_error", "generator_error"):
        assert computed[column].to_numpy() == pytest.approx(archived[column].to_numpy(), rel=1e-6)


def test_other_tables_are_not_there():
    with pytest.raises(ValueError, match="name must be one of"):
        experiments.archived("no-such-table")
