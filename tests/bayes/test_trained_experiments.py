"""The experiments on trained posteriors: columns, what must hold of any table, shared fits.

Networks here are tiny and show the machinery; the numbers of the claims are those of the tiers.
"""

from __future__ import annotations

import inspect
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.bayes import methods, trained_experiments  # noqa: E402
from fragile_learning.bayes.trained_experiments import (  # noqa: E402
    GPU_SIZE,
    METHODS,
    TRAINED_EXPERIMENTS,
    convolutional_point,
    detection_point,
    mixing_point,
    robustness_point,
    shift_point,
)
from fragile_learning.sweeps import SweepError, grid, run_sweep  # noqa: E402

CONVOLUTIONAL = ["convolutional", "convolutional-28"]
BY_NAME = {one.name.partition("/")[2]: one for one in TRAINED_EXPERIMENTS}

TINY = methods.Setting(
    source="digits",
    side=8,
    widths=(12,),
    n_train=200,
    n_test=60,
    n_shifted=40,
    n_chains=2,
    n_warmup=20,
    n_draws=25,
    max_steps=16,
    n_samples=10,
    n_members=2,
    n_epochs=60,
    mean_field_epochs=60,
    function_space_epochs=40,
    batch_size=50,
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setitem(methods.SETTINGS, ("digits", "tiny"), TINY)


def sweep(name, point, **axes):
    keys = ("replicate",) if name == "convolutional" else ("data", "replicate")
    one = BY_NAME[name]
    table = run_sweep(point, grid(**axes), seed=3, stream_keys=keys, columns=one.columns)
    assert set(table.columns[table.isna().any()]) <= set(one.nullable)  # or it cannot be archived
    return table


def tasks(name, point, chosen, **axes):
    sizes = {"radii": [[0.05, 0.2]], "n_steps": [8], **axes}
    return sweep(name, point, data=["digits"], size=["tiny"], replicate=[0], method=chosen, **sizes)


# --- mixing ---------------------------------------------------------------------------------------


def test_mixing_of_the_tiny_chains():
    (row,) = sweep("mixing", mixing_point, data=["digits"], size=["tiny"], replicate=[0]).to_dict(
        "records"
    )
    run = methods.hmc_run(TINY, 0)
    assert row["n_draws"] == 50
    assert row["acceptance"] == pytest.approx(float(run.acceptance.mean()))
    assert row["step_size"] == run.step_size
    assert 1.0 <= row["rhat_median"] + 0.05 <= row["rhat_max"] + 0.05
    assert 0.0 <= row["weights_mixed"] <= 1.0


@pytest.mark.parametrize("apart", [0.0, 2.0])
def test_mixing_sees_chains_that_are_apart(apart):
    """Independent draws have mixed; the same, one chain moved by 2 standard deviations, not."""
    given = methods.problem(TINY, 0)
    stds = given.prior.standard_deviations(given.network)
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(4, 400, len(stds), generator=generator)
    # a random direction: what all classes share would leave probabilities as they are
    noise[0] += apart * torch.randn(len(stds), generator=generator).sign()
    draws = 0.3 * noise * stds
    logs = -0.5 * noise.double().square().sum(dim=2)
    result = types.SimpleNamespace(
        draws=draws,
        log_densities=logs,
        acceptance=torch.ones(4, 400),
        step_size=0.1,
        n_steps=3,
        n_divergent=0,
    )
    row = trained_experiments._mixing(given, result)
    assert row["n_draws"] == 1600
    if apart:
        assert row["rhat_max"] > 1.1
        assert row["weights_mixed"] < 0.1
        assert row["rhat_energy"] > 1.1
    else:
        # 100 estimates of a spread between 8 half chains of 200: 1.03 is ten of their errors
        assert row["rhat_max"] < 1.03
        assert row["weights_mixed"] == 1.0
        assert row["ess_median"] == pytest.approx(1600, rel=0.2)


# --- robustness -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def robust():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.SETTINGS, ("digits", "tiny"), TINY)
        return tasks("robustness", robustness_point, ["deterministic", "HMC"], max_targets=[9])


def test_accuracies_are_ordered(robust):
    for _, frame in robust.groupby("method"):
        table = frame.set_index(["attack", "radius"])["accuracy"]
        assert len(table) == 9
        for radius in (0.05, 0.2):
            assert table["none", 0.0] >= table["FGSM", radius]
            assert table["margin", radius] >= table["targeted", radius]
        for attack in ("FGSM", "label", "margin", "targeted"):
            assert table[attack, 0.05] >= table[attack, 0.2]
        assert table["none", 0.0] - table["targeted", 0.2] > 0.4  # seen: 0.7 and more
    assert (robust["n"] == 60).all()


def test_clean_rows_are_what_numpy_says(robust):
    given = methods.problem(TINY, 0)
    for method in ("deterministic", "HMC"):
        with torch.no_grad():
            logits = methods.posterior(method, TINY, 0).logits(given.test.inputs).double().numpy()
        odds = np.exp(logits)
        mean = (odds / odds.sum(axis=2, keepdims=True)).mean(axis=0)
        labels = given.test.labels.numpy()
        row = robust[(robust["method"] == method) & (robust["attack"] == "none")].iloc[0]
        assert row["accuracy"] == (mean.argmax(axis=1) == labels).mean()
        assert row["nll"] == pytest.approx(-np.log(mean[np.arange(60), labels]).mean(), rel=1e-4)
    assert robust["nll"].notna().sum() == 2


def test_the_stream_is_that_of_the_replicate(robust):
    """Methods of a replicate are attacked from the same starts, also one by one."""
    alone = tasks("robustness", robustness_point, ["HMC"], max_targets=[9])
    both = robust[robust["method"] == "HMC"].reset_index(drop=True)
    assert alone["accuracy"].tolist() == both["accuracy"].tolist()


def test_what_is_not_there_is_refused():
    for values in ({"method": "dream"}, {"size": "huge"}, {"data": "cats"}):
        point = {"data": "digits", "size": "tiny", "method": "HMC", **values}
        with pytest.raises(ValueError, match=next(iter(values))):
            robustness_point(
                **point,
                replicate=0,
                radii=(0.1,),
                n_steps=4,
                max_targets=9,
                rng=np.random.default_rng(0),
            )
    with pytest.raises(SweepError, match="radius"):
        tasks("shift", shift_point, ["deterministic"], radii=[[-0.1]])


# --- detection and shift --------------------------------------------------------------------------


def test_detection_of_one_network_and_of_many():
    frame = tasks("detection", detection_point, ["deterministic", "HMC"])
    table = frame.set_index(["method", "radius", "attack", "score"]).sort_index()
    assert len(table) == 2 * 2 * 4 * 2
    # one network cannot disagree with itself: ties everywhere
    alone = table.loc["deterministic"].xs("mutual_information", level="score")
    assert (alone["auroc"] == 0.5).all()
    assert (alone["caught"].dropna() == 0.0).all()
    for score, attack in (
        ("total_entropy", "two-stage entropy"),
        ("mutual_information", "two-stage information"),
    ):
        at = table.loc["HMC", 0.2]
        assert at.loc[(attack, score), "auroc"] < at.loc[("label", score), "auroc"] - 0.05
    for column in ("auroc", "auroc_successful", "caught", "selective_area"):
        assert frame[column].dropna().between(0.0, 1.0).all()


def test_shift_is_hidden_by_attacks():
    frame = tasks("shift", shift_point, ["deterministic", "HMC"])
    table = frame.set_index(["method", "radius", "attacked", "score"])["auroc"].sort_index()
    assert len(table) == 2 * (2 + 2 * 2 * 2)
    for score in ("total_entropy", "mutual_information"):
        found = [table["HMC", 0.0, "none", score]]
        found += [table["HMC", radius, score, score] for radius in (0.05, 0.2)]
        assert found[0] > found[1] > found[2]
        # the attack on a score lowers it more than that on the other one
        other = {"total_entropy": "mutual_information"}.get(score, "total_entropy")
        assert found[2] < table["HMC", 0.2, other, score]
    assert (table["deterministic"].xs("mutual_information", level="score") == 0.5).all()


# --- a convolutional network ----------------------------------------------------------------------


def test_convolutional_rows():
    frame = sweep(
        "convolutional",
        convolutional_point,
        method=["deterministic", "HMC"],
        replicate=[0],
        side=[10],
        kernel=[3],
        n_train=[60],
        n_test=[30],
        n_warmup=[4],
        n_draws=[8],
        max_steps=[3],
        n_samples=[4],
        n_epochs=[15],
        radii=[[0.05, 0.2]],
        n_steps=[4],
        batch_size=[16],
        source=["fashion-mnist-mini"],
    )
    assert len(frame) == 4
    table = frame.set_index(["method", "radius"])
    for method in ("deterministic", "HMC"):
        rows = table.loc[method]
        assert rows["clean"].nunique() == 1
        assert rows.loc[0.2, "robust"] <= rows.loc[0.05, "robust"] <= rows["clean"].iloc[0]
        assert rows.loc[0.2, "shift_attacked"] < rows["shift_clean"].iloc[0]
    assert (table.loc["deterministic", "information_adaptive"] == 0.5).all()
    assert table.loc["deterministic", "acceptance"].isna().all()
    assert table.loc["HMC", ["acceptance", "rhat_max", "n_divergent"]].notna().all(axis=None)
    with pytest.raises(ValueError, match="method"):
        convolutional_point(
            method="ensemble", replicate=0, **GPU_SIZE, rng=np.random.default_rng(0)
        )


def test_the_size_for_a_gpu_is_one_of_the_point():
    wanted = set(inspect.signature(convolutional_point).parameters)
    assert set(GPU_SIZE) == wanted - {"method", "replicate", "rng"}
    assert GPU_SIZE["n_train"] == 10_000
    point = BY_NAME["convolutional"].grids["full"][0]
    assert set(point) | {"device"} == set(GPU_SIZE) | {"method", "replicate"}
    points = BY_NAME["convolutional-28"].points("full")
    assert [(p["replicate"], p["method"]) for p in points] == [
        (i, method) for i in range(3) for method in ("deterministic", "HMC")
    ]
    assert all(p["device"] == "cuda" and p["side"] == 28 for p in points)


# --- the grids ------------------------------------------------------------------------------------


def test_grids():
    assert list(BY_NAME) == ["mixing", "robustness", "detection", "shift", *CONVOLUTIONAL]
    for name in ("robustness", "detection", "shift"):
        grids = BY_NAME[name].grids
        assert {(p["data"], p["method"]) for p in grids["full"]} == {
            (data, method) for data in ("fashion", "digits") for method in METHODS
        }
        assert {p["replicate"] for p in grids["full"]} == {0, 1, 2}
        assert {p["replicate"] for p in grids["quick"]} == {0}
        assert all(p["radii"][-1] == 0.1 for tier in grids.values() for p in tier)
        for tier in grids.values():
            assert all((p["data"], p["size"]) in methods.SETTINGS for p in tier)
    assert len(BY_NAME["robustness"].grids["full"][0]["radii"]) == 6
