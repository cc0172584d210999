"""The experiments on trained models: columns, shared beginnings, and the quick half of the claims.

The transformers here are tiny and show the machinery; the counts of the claims are those of the
tiers. Perplexities are compared where they differ by far more than from seed to seed.
"""

from __future__ import annotations

import importlib
import importlib.util

import pytest

from fragile_learning.scaling_laws import trained_experiments
from fragile_learning.scaling_laws.trained_experiments import (
    GPU_SIZE,
    TEXT_GPU_SIZE,
    TRAINED_EXPERIMENTS,
    gcd_generations_point,
    gcd_recovery_point,
    text_generations_point,
    text_scaling_point,
    text_transformers_point,
)
from fragile_learning.sweeps import grid, run_sweep

BY_NAME = {one.name.partition("/")[2]: one for one in TRAINED_EXPERIMENTS}
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")


# --- text -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chains():
    return BY_NAME["text-generations"].run("quick")


def test_text_collapses_and_real_text_saturates_it(chains):
    means = chains.groupby(["real_fraction", "generation"])[["perplexity", "n_types"]].mean()
    alone = means.loc[0.0]
    assert alone["perplexity"].is_monotonic_increasing
    assert alone["n_types"].is_monotonic_decreasing
    assert alone["perplexity"].iloc[-1] > 3 * alone["perplexity"].iloc[0]
    last = means["perplexity"].xs(10, level="generation")
    assert last.is_monotonic_decreasing  # in the real fraction
    growth = means["perplexity"].xs(10, level="generation") / means["perplexity"].xs(
        6, level="generation"
    )
    assert growth.loc[0.0] > 1.15
    assert (growth.loc[[0.1, 0.5, 1.0]] < 1.1).all()


def test_chains_of_a_replicate_begin_alike(chains):
    first = chains[chains["generation"] == 0]
    assert (first.groupby("replicate")["perplexity"].nunique() == 1).all()
    assert first["perplexity"].nunique() == first["replicate"].nunique()
    assert set(chains["corpus_name"]) == {"python-topics"}


def test_synthetic_text_loses_the_scaling_law():
    frame = BY_NAME["text-scaling"].run("quick")
    means = frame.groupby(["data", "n_writer_tokens", "tokens"])["perplexity"].mean()
    real = means.loc["real", 50_000]
    assert real.is_monotonic_decreasing
    assert real.index.max() == 60_000  # no more real text than there is
    for writer, spread in ((20_000, 1.15), (50_000, 1.05)):
        synthetic = means.loc["synthetic", writer]
        assert synthetic.loc[20_000] < 0.9 * synthetic.loc[2_000]
        late = synthetic.loc[300_000:]
        assert late.max() < spread * late.min()  # ten times the text, and no gain
        assert real.loc[60_000] < 0.85 * synthetic.min()  # negative control: real text goes on


def test_a_file_of_the_reader(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("\n\n".join(f"the cat number {chr(97 + i % 26)} sat ." for i in range(300)))
    (frame,) = [
        run_sweep(
            text_generations_point,
            grid(
                replicate=[0],
                corpus=[str(path)],
                real_fraction=[0.0],
                n_tokens=[500],
                n_generations=[1],
            ),
            seed=1,
        )
    ]
    assert set(frame["corpus_name"]) == {"own.txt"}
    with pytest.raises(Exception, match="data must be one of 'real', 'synthetic', got 'both'"):
        run_sweep(
            text_scaling_point,
            grid(
                replicate=[0],
                corpus=[str(path)],
                data=["both"],
                n_writer_tokens=[9],
                n_tokens=[[9]],
            ),
            seed=1,
        )


# --- divisors ---------------------------------------------------------------------------------

SIZES = {"base": [6], "max_operand": [35], "batch_size": [64], "learning_rate": [1e-2]}
CHAIN = {
    "replicate": [0],
    "operands": ["uniform"],
    "temperature": [1.0],
    "real_fraction": [0.0, 1.0],
    "n_generations": [1],
    "n_pairs": [3000],
    "n_steps": [100],
    "width": [16],
    "n_layers": [1],
    "n_heads": [2],
    **SIZES,
}


def generations(**axes):
    return run_sweep(
        gcd_generations_point,
        grid(**{**CHAIN, **axes}),
        seed=5,
        stream_keys=("replicate", "operands"),
    ).set_index(["real_fraction", "generation"])


@pytest.fixture(scope="module")
def chain():
    pytest.importorskip("torch")
    return generations()


@needs_torch
def test_chains_share_their_first_model(chain):
    assert chain.xs(0, level="generation")["accuracy"].nunique() == 1
    assert chain.loc[(0.0, 0), "n_learnt"] >= 3
    assert chain.loc[(0.0, 0), "learnt"].startswith("1 2 3")
    for row in chain.itertuples():
        assert len(row.learnt.split()) == row.n_learnt
    assert (chain.loc[1.0, "wrong_labels"] == 0.0).all()
    assert chain.loc[(0.0, 1), "wrong_labels"] > 0.05


@needs_torch
def test_torch_gets_its_threads_back(monkeypatch):
    torch = importlib.import_module("torch")
    seen = []
    monkeypatch.setattr(
        trained_experiments, "_beginning", lambda *a, **k: seen.append(torch.get_num_threads())
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(Exception, match="TypeError"):
            generations()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen[0] == 1


@needs_torch
def test_points_do_not_depend_on_their_neighbours(chain):
    trained_experiments._beginning.cache_clear()
    alone = generations(real_fraction=[1.0])
    assert alone.loc[1.0].to_dict() == chain.loc[1.0].to_dict()
    other = generations(real_fraction=[1.0], replicate=[1])
    assert other.loc[(1.0, 0), "accuracy"] != chain.loc[(1.0, 0), "accuracy"]


@needs_torch
def test_students_of_a_narrow_teacher():
    frame = run_sweep(
        gcd_recovery_point,
        grid(
            replicate=[0],
            mix=["omitting", "relabelled"],
            real_fraction=[0.0, 0.9],
            teacher_steps=[25],
            n_steps=[150],
            evaluate_at=[[0, 150]],
            **SIZES,
        ),
        seed=5,
        stream_keys=("replicate",),
    ).set_index(["mix", "real_fraction", "n_samples"])
    known = frame["teacher_learnt"].iloc[0]
    assert 0 < known < 4
    assert (frame["teacher_learnt"] == known).all()
    assert (frame.xs(0, level="n_samples")["n_learnt"] <= 1).all()
    last = frame.xs(150 * 64, level="n_samples")
    assert (last["kept"] <= known).all()
    assert last.loc[("omitting", 0.9), "n_learnt"] > last.loc[("omitting", 0.0), "n_learnt"]
    with pytest.raises(Exception, match="mix must be one of 'omitting', 'relabelled'"):
        run_sweep(
            gcd_recovery_point,
            grid(
                replicate=[0],
                mix=["both"],
                real_fraction=[0.0],
                teacher_steps=[25],
                n_steps=[5],
                evaluate_at=[[5]],
                **SIZES,
            ),
            seed=5,
            stream_keys=("replicate",),
        )


# --- transformers that write ------------------------------------------------------------------


@needs_torch
def test_transformers_lose_words_and_real_text_keeps_them():
    trained_experiments._first_writer.cache_clear()
    frame = BY_NAME["text-transformers"].run("quick").set_index(["real_fraction", "generation"])
    alone, real = frame.loc[0.0], frame.loc[1.0]
    assert alone["perplexity"][0] == real["perplexity"][0]  # they share it
    assert alone["perplexity"][2] > 1.15 * alone["perplexity"][0]
    assert abs(real["perplexity"][2] / real["perplexity"][0] - 1) < 0.1
    assert (frame["n_types"] <= 512).all()
    assert frame["rare_fraction"].between(0.05, 0.4).all()
    assert set(frame["corpus_name"]) == {"python-topics"}
    one = BY_NAME["text-transformers"]
    trained_experiments._first_writer.cache_clear()
    again = run_sweep(
        text_transformers_point,
        [dict(one.points("quick")[0], n_generations=1)],
        seed=one.seed,
        stream_keys=one.stream_keys,
    )
    assert again["perplexity"].tolist() == alone["perplexity"].tolist()[:2]


def test_tiers_and_columns():
    assert [one.name for one in TRAINED_EXPERIMENTS] == [
        "scaling_laws/gcd-generations",
        "scaling_laws/gcd-recovery",
        "scaling_laws/text-generations",
        "scaling_laws/text-scaling",
        "scaling_laws/text-transformers",
    ]
    assert all(one.tiers == ("quick", "full") for one in TRAINED_EXPERIMENTS)
    assert [one.requires for one in TRAINED_EXPERIMENTS] == [
        ("torch",),
        ("torch",),
        (),
        (),
        ("torch",),
    ]
    full = BY_NAME["gcd-generations"].points("full")
    assert len(full) == 5 * 7
    assert [point["replicate"] for point in full] == sorted(point["replicate"] for point in full)
    for name in ("gcd-generations", "gcd-recovery"):
        assert {point["replicate"] for point in BY_NAME[name].points("full")} == set(range(5))
    assert set(GPU_SIZE) - {"device"} < set(full[0])
    full = BY_NAME["text-transformers"].points("full")
    assert len(full) == 3 * 5
    assert [point["replicate"] for point in full] == sorted(point["replicate"] for point in full)
    assert set(TEXT_GPU_SIZE) - {"device"} < set(full[0])
    # the text that everyone has
    assert {one["corpus"] for one in BY_NAME["text-transformers"].points("quick")} == {
        "python-topics"
    }
