"""The experiments on language models: their columns, their meaning, and the claims' quick half."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from fragile_learning.strong_collapse import language_experiments
from fragile_learning.strong_collapse.language_experiments import (
    LANGUAGE_EXPERIMENTS,
    stories_point,
)
from fragile_learning.sweeps import grid, run_sweep

BY_NAME = {one.name.partition("/")[2]: one for one in LANGUAGE_EXPERIMENTS}


@pytest.fixture(scope="module")
def chains():
    return BY_NAME["markov-chain"].run("quick")


def at_the_end(frame):
    """Last sizes only, with the cost over the same replicate's real text."""
    last = frame[frame["tokens"] == frame["tokens"].max()]
    clean = last[last["synthetic_fraction"] == 0.0].set_index("replicate")["excess"]
    return last.assign(gap=last["excess"] - clean.loc[last["replicate"]].to_numpy())


def test_excess_of_bigrams_ends_on_the_floor(chains):
    """The tolerance: 10 % from a fraction of 0.3 on, in the mean over replicates."""
    last = at_the_end(chains)
    assert last["tokens"].max() == 1_200_000
    for fraction, group in last.groupby("synthetic_fraction"):
        if fraction >= 0.3:
            assert group["gap"].mean() == pytest.approx(group["floor"].mean(), rel=0.1)
    full = last[last["synthetic_fraction"] == 1.0]
    np.testing.assert_allclose(full["floor"], full["generator_excess"])


def test_the_floor_is_not_met_by_chance(chains):
    """Negative control: the linear law p KL(P1||P2), and few tokens, are far off."""
    last = at_the_end(chains)
    half = last[last["synthetic_fraction"] == 0.5]
    assert abs(half["gap"].mean() / (0.5 * half["generator_excess"].mean()) - 1.0) > 0.3
    early = chains[(chains["tokens"] == 5000) & (chains["synthetic_fraction"] == 0.5)]
    assert early["excess"].mean() > 10 * early["floor"].mean()


def test_real_text_alone_follows_the_parametric_law(chains):
    """Excess about (free parameters) / (2 n), less where probabilities are near 0."""
    last = chains[(chains["tokens"] == 1_200_000) & (chains["synthetic_fraction"] == 0.0)]
    ratio = last["excess"] * 2 * 1_200_000 / (40 * 39)
    assert ((ratio > 0.7) & (ratio < 1.2)).all()


def test_floors_of_the_examples():
    frame = BY_NAME["log-loss-floor"].run("quick").set_index(["example", "synthetic_fraction"])
    assert frame.loc[("missing-word", 0.1), "floor"] == pytest.approx(0.001462, abs=5e-7)
    assert frame.loc[("made-up-word", 0.1), "floor"] == pytest.approx(0.0202, abs=5e-5)
    assert np.isinf(frame.loc["made-up-word", "expansion"]).all()
    disjoint = frame.loc["disjoint"]
    np.testing.assert_allclose(disjoint["floor"], disjoint["bound"])  # the worst there is
    common = frame.drop(index="other-contexts", level="example")
    assert (common["floor"] <= common["bound"] * (1 + 1e-12)).all()
    square = frame.loc["bounded", "floor"]
    assert square.loc[0.002] / square.loc[0.001] == pytest.approx(4.0, rel=0.01)
    linear = frame.loc["made-up-word", "floor"]
    assert linear.loc[0.002] / linear.loc[0.001] == pytest.approx(2.0, rel=0.01)


# --- stories ----------------------------------------------------------------------------------

TINY = {
    "replicate": [0],
    "n_layers": [1],
    "synthetic_fraction": [0.0, 1.0],
    "width": [16],
    "n_corpus": [256],
    "n_generator_tokens": [30_000],
    "token_budgets": [[2_000, 20_000]],
    "n_test": [200],
}
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")


def tiny(**axes):
    return run_sweep(
        stories_point, grid(**{**TINY, **axes}), seed=5, stream_keys=("replicate",)
    ).set_index(["synthetic_fraction", "tokens"])


@pytest.fixture(scope="module")
def students():
    pytest.importorskip("torch")
    return tiny()


@needs_torch
def test_students_of_a_replicate_share_everything_but_the_mixture(students):
    for column in ("generator_excess", "generator_finished", "generator_grammatical"):
        assert students[column].nunique() == 1
    assert 0.0 < students["generator_finished"].iloc[0] <= 1.0
    assert students.loc[(1.0, 20_000), "floor"] == pytest.approx(
        students.loc[(1.0, 20_000), "generator_excess"]
    )
    assert (students.loc[0.0, "floor"] == 0.0).all()
    assert (students["excess"] > 0.0).all()
    early, late = (students.xs(budget, level="tokens")["excess"] for budget in (2_000, 20_000))
    assert (late < early - 0.5).all()


@needs_torch
def test_points_do_not_depend_on_their_neighbours(students):
    language_experiments._world.cache_clear()
    alone = tiny(synthetic_fraction=[1.0])
    assert alone["excess"].tolist() == students.loc[1.0, "excess"].tolist()
    other = tiny(synthetic_fraction=[1.0], replicate=[1])
    assert other["generator_excess"].iloc[0] != students["generator_excess"].iloc[0]


@needs_torch
def test_a_hopeless_generator_is_refused(monkeypatch):
    from fragile_learning.strong_collapse import models

    write = models.GPT.generate

    def endless(self, n_stories, **rest):
        return write(self, n_stories, **rest).clamp(min=1)

    monkeypatch.setattr(models.GPT, "generate", endless)
    language_experiments._world.cache_clear()
    with pytest.raises(Exception, match="n_generator_tokens must be large enough"):
        tiny(synthetic_fraction=[1.0], n_generator_tokens=[100], replicate=[2])


def test_tiers_and_columns():
    assert BY_NAME["stories"].requires == ("torch",)
    assert all(one.tiers == ("quick", "full") for one in LANGUAGE_EXPERIMENTS)
    full = BY_NAME["stories"].points("full")
    assert len(full) == 5 * 3 * 5
    assert {point["synthetic_fraction"] for point in full} == {0.0, 0.01, 0.1, 0.5, 1.0}
    assert [point["replicate"] for point in full] == sorted(point["replicate"] for point in full)
