"""Every argument out of range is refused by name; nothing valid gives NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fragile_learning.verification import Generator, Verifier, simulation, theory
from fragile_learning.verification.settings import together

G, V = Generator(0.3), Verifier(0.9, 0.3)
SIZES = {"signal": 1.0, "n_features": 3, "n_generated": 10}
PLACE = {"n_features": 3, "n_generated": 10, "rng": 1}
MIXTURE = {"mean": [1.0, 0.0], "n_generated": 10, "rng": 1}

CASES = [
    (
        Generator,
        (1.1,),
        {},
        ValueError,
        r"error_rate must be finite and >= 0 and <= 1, got .*1\.1",
    ),
    (Generator, ("a",), {}, TypeError, "error_rate must be an array of real numbers"),
    (Generator, (np.nan,), {}, ValueError, "error_rate must be finite"),
    (Verifier, (-0.1, 1), {}, ValueError, "keep_if_correct must be finite and >= 0 and <= 1"),
    (Verifier, (1, 1.2), {}, ValueError, "keep_if_wrong must be finite and >= 0 and <= 1"),
    (Verifier, (0, 0), {}, ValueError, "keep_if_correct and keep_if_wrong must be .* not both 0"),
    (Verifier, ([0.1, 0.2], [0.1] * 3), {}, ValueError, r"shapes must broadcast, got keep_if_co.*"),
    (theory.breakdown_point, (0.9,), {}, TypeError, "verifier must be a Verifier, got float"),
    (theory.breakdown_point, (V, 1), {}, ValueError, "n_classes must be finite and >= 2"),
    (theory.breakdown_point, (V, 2.5), {}, ValueError, "n_classes must hold whole numbers >= 2"),
    (theory.selected_error_rate, (0.3, V), {}, TypeError, "generator must be a Generator"),
    (
        theory.effective_samples,
        (G, V, 0),
        {},
        ValueError,
        "n_generated must be finite and >= 1e-100",
    ),
    (theory.effective_samples, (G, V, 1e101), {}, ValueError, r"n_generated must be .*<= 1e\+100"),
    (theory.correlated_errors, (0.3, 0.2, 2.0), {}, ValueError, "correlation must be finite"),
    (theory.rates_from_angles, (4.0, 1.0, 0.0), {}, ValueError, "theta_generator must be finite"),
    (theory.rates_from_angles, (1.0, -1.0, 0.0), {}, ValueError, "theta_verifier must be finite"),
    (theory.rates_from_angles, (1.0, 1.0, -1.1), {}, ValueError, "correlation must be finite"),
    (theory.rounds_accuracy, (1.0, 1.0, 0.0, -1), {}, ValueError, "n_rounds must be an integer"),
    (theory.rounds_accuracy, (1.0, 1.0, 0.0, 1.0), {}, TypeError, "n_rounds must be an integer"),
    (
        theory.bisector_accuracy,
        (1.0, 1.0, 0.0),
        {"features_per_example": -1},
        ValueError,
        "features_per_example must be finite and >= 0",
    ),
    (
        theory.self_training_accuracy,
        (1.0,),
        {"signal": 0},
        ValueError,
        "signal must be .* >= 1e-100",
    ),
    (
        theory.best_threshold,
        (G,),
        {"separation": 0},
        ValueError,
        "separation must be finite and >= 0.001",
    ),
    (theory.best_threshold, (Generator(0.0),), {"separation": 1}, ValueError, "error_rate must be"),
    (theory.soft_weights, (np.inf, G), {"separation": 1}, ValueError, "score must be finite"),
    (theory.soft_information, (Generator(1),), {"separation": 1}, ValueError, "error_rate must be"),
    (theory.cost_break_even, (G, V), {"cost_generate": 0}, ValueError, "cost_generate must be"),
    (
        theory.information_per_cost,
        (G, V),
        {"cost_generate": 1, "cost_verify": -1},
        ValueError,
        "cost_verify must be finite and >= 0",
    ),
    (
        theory.information_per_cost,
        (G, V),
        {"cost_generate": 1, "cost_train": -1},
        ValueError,
        "cost_train must be finite and >= 0",
    ),
    (theory.mixed_accuracy, (G, V), SIZES | {"n_real": -1}, ValueError, "n_real must be finite"),
    (
        theory.mixed_accuracy,
        (G, V),
        SIZES | {"n_real": 1, "weight": np.inf},
        ValueError,
        "weight must be finite",
    ),
    (theory.accuracy_of_rule, ([1.0],), {"mean": [1.0, 2.0]}, ValueError, "rule must have a last"),
    (theory.accuracy_of_rule, ([1.0],), {"mean": 1.0}, ValueError, "mean must have 1 dimension"),
    (
        theory.accuracy_of_rule,
        ([1.0],),
        {"mean": [1.0], "variances": [0.0]},
        ValueError,
        "variances must be finite and > 0",
    ),
    (
        theory.accuracy_of_rule,
        ([1.0],),
        {"mean": [1.0], "variances": [1.0, 2.0]},
        ValueError,
        "variances must have the shape of mean",
    ),
    (
        theory.agreement_of_rules,
        ([0.0], [1.0]),
        {"mean": [1.0]},
        ValueError,
        "first must not be 0",
    ),
    (
        theory.agreement_of_rules,
        ([1.0], [1.0]),
        {"mean": [31.0]},
        ValueError,
        "length of mean in standard deviations must be finite and <= 30",
    ),
    (theory.limit_rule, ("hinge", G, V), {"mean": [1.0]}, ValueError, "loss must be one of"),
    (theory.limit_rule, ("ridge", G, V), {"mean": [0.0]}, ValueError, "mean must not be 0"),
    (
        theory.limit_rule,
        ("logistic", G, V),
        {"mean": [1.0], "ridge": 0},
        ValueError,
        "ridge must be finite and >= 1e-10",
    ),
    (
        theory.agreement,
        (G, V),
        SIZES | {"signal": 0},
        ValueError,
        "signal must be finite and >= 1e-100",
    ),
    (
        theory.accuracy_logistic,
        (G, V),
        SIZES | {"ridge": 0},
        ValueError,
        "ridge must be finite and >= 1e-10",
    ),
    (theory.accuracy_ridge, (G, V), SIZES | {"ridge": -1}, ValueError, "ridge must be finite"),
    (simulation.fit_rule, ("x", [[1.0]], 1), {}, ValueError, "estimator must be one of"),
    (simulation.fit_rule, ("one-shot", [[1.0]], 1, 0.1), {}, ValueError, "ridge must be None"),
    (simulation.fit_rule, ("ridge", [[1.0]], 1), {}, TypeError, "ridge must be a real number"),
    (
        simulation.fit_rule,
        ("logistic", [[1.0]], 1, 0),
        {},
        ValueError,
        "ridge must be finite and >",
    ),
    (simulation.fit_rule, ("one-shot", [1.0], 1), {}, ValueError, "inputs must have 2 dimension"),
    (simulation.fit_rule, ("one-shot", [[1.0]] * 3, 2), {}, ValueError, "n_generated must be an"),
    (simulation.simulate_rules, ("one-shot", 1, V, 1), MIXTURE, TypeError, "generator must be a G"),
    (simulation.simulate_rules, ("one-shot", G, 1, 1), MIXTURE, TypeError, "verifier must be a V"),
    (simulation.simulate_rules, ("one-shot", G, V, 0), MIXTURE, ValueError, "n_replicates must be"),
    (
        simulation.simulate_rules,
        ("one-shot", Generator([0.1, 0.2]), V, 1),
        MIXTURE,
        TypeError,
        "error_rate must be a real number",
    ),
    (
        simulation.simulate_rules,
        ("one-shot", G, V, 1),
        MIXTURE | {"variances": [1.0]},
        ValueError,
        "variances must have the shape of mean",
    ),
    (
        simulation.simulate_accuracy,
        ("one-shot", G, V, 1),
        PLACE | {"signal": -1},
        ValueError,
        "signal must be finite and >= 0",
    ),
    (
        simulation.simulate_linear_verifier,
        (1.0, 1.0, 0.0, 1),
        PLACE | {"n_features": 2},
        ValueError,
        "n_features must be an integer >= 3",
    ),
    (
        simulation.simulate_linear_verifier,
        (1.0, 1.0, 0.0, 1),
        PLACE | {"keep": "some"},
        ValueError,
        "keep must be one of",
    ),
    (
        simulation.simulate_classes,
        (G, V, 4, 1),
        PLACE | {"signal": 1},
        ValueError,
        "n_features must be an integer >= 4",
    ),
    (
        simulation.simulate_mixing,
        (G, V, 1),
        PLACE | {"signal": 1, "n_real": -1},
        ValueError,
        "n_real must be an integer >= 0",
    ),
]


@pytest.mark.parametrize(("function", "places", "named", "error", "message"), CASES)
def test_refused(function, places, named, error, message):
    with pytest.raises(error, match=message):
        function(*places, **named)


@pytest.mark.parametrize(
    "law", [theory.accuracy_one_shot, theory.critical_window, theory.accuracy_ridge]
)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("signal", -1.0, "signal must be finite and >= 0 and <= 30"),
        ("signal", 31.0, "signal must be finite and >= 0 and <= 30"),
        ("n_features", 0, "n_features must be finite and >= 1"),
        ("n_features", 1.5, "n_features must hold whole numbers"),
        ("n_generated", 0, "n_generated must be finite and >= 1e-100"),
        ("n_generated", [1.0, 2.0, 3.0], "shapes must broadcast, got generator_and_verifier"),
    ],
)
def test_settings_are_refused(law, name, value, message):
    setting = SIZES | ({"ridge": 0.1} if law is theory.accuracy_ridge else {}) | {name: value}
    with pytest.raises(ValueError, match=message):
        law(Generator([0.1, 0.2]), V, **setting)


def test_players_cannot_be_changed():
    generator, verifier = Generator([0.1, 0.2]), Verifier(0.9, [0.1, 0.2])
    with pytest.raises(ValueError, match="read-only"):
        generator.error_rate[0] = 0.3
    with pytest.raises(ValueError, match="read-only"):
        verifier.keep_if_wrong[0] = 0.3
    with pytest.raises(AttributeError):
        generator.error_rate = 0.3
    assert isinstance(Generator(np.float32(0.5)).error_rate, float)
    assert together(a=np.ones(2), b=np.ones((3, 1)))[0].shape == (3, 2)


def log_between(low, high):
    return st.floats(low, high).map(lambda x: 10.0**x)


share = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1), log_between(-300, 0), st.just(1 - 1e-16)
)


@settings(max_examples=150, deadline=None)
@given(
    p=share,
    phi=share,
    psi=share,
    s=st.one_of(st.sampled_from([0.0, 30.0]), st.floats(0, 30), log_between(-300, 1)),
    d=st.one_of(st.integers(1, 10), st.just(10**15), st.integers(1, 10**6)),
    n=st.one_of(log_between(-99.9, 99.9), st.floats(1, 1e6)),
    ridge=st.one_of(log_between(-9.9, 99.9), st.floats(1e-10, 100)),
)
def test_nothing_valid_gives_nan(p, phi, psi, s, d, n, ridge):
    if phi == psi == 0.0:
        return
    players = Generator(p), Verifier(phi, psi)
    sizes = {"signal": s, "n_features": d, "n_generated": n}
    found = [
        theory.breakdown_point(players[1]),
        theory.selected_error_rate(*players),
        theory.accuracy_one_shot(*players, **sizes),
        theory.accuracy_ridge(*players, ridge=ridge, **sizes),
        theory.accuracy_ridge(*players, ridge=0.0, **sizes),
        theory.accuracy_logistic(*players, ridge=ridge, **sizes),
        theory.critical_window(*players, **sizes),
        theory.mixed_accuracy(*players, n_real=3, **sizes),
    ]
    if s > 1e-99:
        found.append(theory.agreement(*players, **sizes))
    assert all(0.0 <= value <= 1.0 for value in found), found
    assert 0.0 <= theory.effective_samples(*players, n) <= n
    assert not np.isnan(theory.cost_break_even(*players, cost_generate=n))
    if 0 < p < 1 and s > 2e-3:
        assert theory.soft_information(players[0], separation=s) <= 1.0 + 1e-12
        assert np.isfinite(theory.best_threshold(players[0], separation=s).information)


angle = st.one_of(st.sampled_from([0.0, np.pi, np.pi / 2]), st.floats(0, np.pi))


@settings(max_examples=200, deadline=None)
@given(g=angle, v=angle, rho=st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1)))
def test_no_angle_gives_nan(g, v, rho):
    rates = theory.rates_from_angles(g, v, rho)
    assert all(0.0 <= rate <= 1.0 for rate in rates)
    assert 0.0 <= theory.bisector_accuracy(g, v, rho) <= 1.0
    rounds = theory.rounds_accuracy(g, v, rho, 5)
    assert np.all((rounds >= 0.0) & (rounds <= 1.0))
    if 1e-99 < v < 1.0:
        assert 0.0 <= theory.self_training_accuracy(g, signal=v) <= 1.0
