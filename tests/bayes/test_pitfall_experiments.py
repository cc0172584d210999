"""The experiments on mistakes: columns, shared fits, and that each mistake shows at small sizes.

The fits here are tiny; the numbers of the claims are those of the tiers.
"""

from __future__ import annotations

import importlib
import math
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from fragile_learning.bayes import methods, pitfall_experiments, theory  # noqa: E402
from fragile_learning.bayes.pitfall_experiments import PITFALL_EXPERIMENTS  # noqa: E402
from fragile_learning.sweeps import grid, run_sweep  # noqa: E402

BY_NAME = {one.name.partition("/")[2]: one for one in PITFALL_EXPERIMENTS}
TINY = methods.Setting(
    source="fashion-mnist-mini",
    side=7,
    widths=(12,),
    n_train=200,
    n_test=60,
    n_shifted=10,
    n_warmup=10,
    n_draws=10,
    max_steps=20,
    n_samples=12,
    n_members=4,
    n_epochs=15,
    mean_field_epochs=5,
    function_space_epochs=5,
    batch_size=50,
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setitem(methods.SETTINGS, ("fashion", "tiny"), TINY)


def table(name, **axes):
    """Table of an experiment, with its own columns checked."""
    experiment = BY_NAME[name]
    points = grid(**{key: [value] for key, value in axes.items()})
    keys = experiment.stream_keys
    frame = run_sweep(
        experiment.point, points, seed=5, stream_keys=keys, columns=experiment.columns
    )
    assert tuple(frame.columns) == (*axes, *experiment.columns)
    missing = set(frame.columns[frame.isna().any()])
    assert missing <= set(experiment.nullable)
    return frame


# --- closed forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 10])
def test_a_bounded_score_of_a_fooled_model(n_classes):
    row = table(
        "double-softmax", n_classes=n_classes, n_inputs=50, n_pixels=50, n_samples=3, radius=0.3
    ).iloc[0]
    low, high = theory.double_softmax_range(n_classes)
    assert row["loss_low"] == pytest.approx(low, abs=1e-9)
    assert row["loss_high"] == pytest.approx(high, abs=1e-9)
    floor = theory.double_softmax_floor(n_classes)
    assert row["score_floor"] == pytest.approx(floor, abs=1e-9)
    assert row["accuracy"] == 0.0
    assert row["score_correct"] < 0.3 < floor <= row["score_fooled"] < floor + 0.1


def test_without_a_radius_nothing_moves():
    row = table(
        "double-softmax", n_classes=3, n_inputs=20, n_pixels=5, n_samples=3, radius=0.0
    ).iloc[0]
    assert row[["accuracy", "score_fooled", "score_correct"]].tolist() == [1.0, 1.0, 1.0]


def test_saturation():
    common = {"n_samples": 1, "n_classes": 2}
    row = table("saturation", dtype="float32", loss="naive log", **common).iloc[0]
    assert row[["first_dead_gap", "nan"]].tolist() == [104.0, True]
    row = table("saturation", dtype="float64", loss="log odds", **common).iloc[0]
    assert row[["first_dead_gap", "nan"]].tolist() == [math.inf, False]
    with pytest.raises(Exception, match="dtype must be one of 'float32', 'float64'"):
        table("saturation", dtype="float16", loss="log mean", **common)


def test_wide_priors():
    common = {"replicate": 0, "n_draws": 4, "n_inputs": 20}
    found = {
        (prior, width): table("wide-priors", prior=prior, width=width, n_layers=2, **common).iloc[0]
        for prior in ("constant", "fan-in")
        for width in (16, 512)
    }
    assert found["constant", 512]["dead_share"] > 0.6
    assert found["constant", 16]["dead_share"] < 0.3
    assert found["constant", 512]["median_gap"] > 5 * found["constant", 16]["median_gap"]
    assert found["fan-in", 512]["dead_share"] == 0.0
    assert found["fan-in", 512]["median_gap"] < 2.0
    with pytest.raises(Exception, match="prior must be one of 'constant', 'fan-in'"):
        table("wide-priors", prior="uniform", width=4, n_layers=1, **common)


# --- images ---------------------------------------------------------------------------------------


def test_one_posterior_has_many_verdicts():
    frame = table(
        "verdicts",
        replicate=0,
        size="tiny",
        width=160,
        n_train=100,
        n_chains=2,
        n_warmup=20,
        n_draws=10,
        n_leapfrog=20,
        n_samples=8,
        temperature=300.0,
        radii=(0.1, 0.2),
    )
    assert len(frame) == 16
    assert frame["clean"].nunique() == frame["median_gap"].nunique() == 1
    clean = frame["clean"].iloc[0]
    assert clean > 0.3
    assert frame["median_gap"].iloc[0] > 10.0
    near, far = (
        frame[frame["radius"] == radius].set_index("attack")["accuracy"] for radius in (0.1, 0.2)
    )
    assert far["FGSM, log after the mean"] > 0.7 * clean
    assert far["PGD, tempered margin"] == far.min() < 0.05
    # one step of the same direction, further
    assert far["PGD, tempered margin"] <= near["PGD, tempered margin"]
    assert far["FGSM, double softmax, one sample"] > far["PGD, tempered margin"]


@pytest.fixture(scope="module")
def rescaled():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.SETTINGS, ("fashion", "tiny"), TINY)
        frame = table(
            "rescaled-logits", replicate=0, size="tiny", radius=0.1, n_steps=10, factors=(1.0, 1e3)
        )
    return frame.set_index(["network", "factor", "attack"]).sort_index()


def test_larger_logits_blind_plain_attacks(rescaled):
    assert len(rescaled) == 2 * 2 * 7
    for network in ("deterministic", "HMC"):
        calm, huge = rescaled.loc[network, 1.0], rescaled.loc[network, 1e3]
        assert (calm["dead_share"] == 0.0).all()
        assert (calm["nan_share"] == 0.0).all()
        clean = huge["clean"].iloc[0]
        assert huge.loc["log after the mean", "nan_share"] > 0.7
        assert huge.loc["log after the mean", "accuracy"] > 0.7 * clean
        assert huge.loc["log mean", "dead_share"] > 0.1
        assert huge.loc["log mean", "accuracy"] > huge.loc["tempered margin", "accuracy"] + 0.2
        right = ["label in the log domain", "tempered margin"]
        assert (huge.loc[right, "dead_share"] == 0.0).all()
        # a single network's tempered attack does not see the factor
        gap = huge.loc["tempered margin", "accuracy"] - calm.loc["tempered margin", "accuracy"]
        assert abs(gap) < (0.02 if network == "deterministic" else 0.15)
    one = rescaled.loc["deterministic"]
    assert one.loc[1.0, "clean"].iloc[0] == one.loc[1e3, "clean"].iloc[0]


@pytest.fixture(scope="module")
def samples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.SETTINGS, ("fashion", "tiny"), TINY)
        return table(
            "attack-samples", replicate=0, size="tiny", radius=0.1, n_steps=10, counts=(1, 5, 30)
        )


def test_what_the_attacker_differentiates(samples):
    assert samples["attack"].tolist() == [
        *["n samples"] * 3,
        "mean weights",
        "mean logits",
        "member losses",
        "one fresh sample a step",
        "ten fresh samples a step",
        "same chains",
        "other chains",
    ]
    assert samples["n_attack"].tolist() == [1, 5, 12, 1, 12, 12, 1, 10, 6, 6]
    one, five, all_samples = samples["accuracy"][:3]
    assert all_samples <= five <= one
    assert all_samples < one
    found = samples.set_index("attack")["accuracy"]
    assert found["mean weights"] > all_samples
    assert found["one fresh sample a step"] > all_samples
    assert found["other chains"] > found["same chains"]
    assert samples["clean"][:8].nunique() == 1
    assert (samples["accuracy"] <= samples["clean"]).all()


def test_norms_of_gradients():
    frame = table("gradient-norms", replicate=0, size="tiny", counts=(1, 5))
    assert frame["kind"].tolist() == [*["mean of member gradients"] * 3, "predictive mean"]
    assert frame["n_samples"].tolist() == [1, 5, 12, 12]
    assert frame["l2"][:3].is_monotonic_decreasing
    assert frame["cosine"].is_monotonic_increasing
    assert frame["cosine"].iloc[-1] == pytest.approx(1.0)
    assert frame["cosine"].iloc[-2] > 0.9
    assert (frame["zero_share"] == 0.0).all()
    assert (frame["linf"] < frame["l2"]).all()
    # by a loop over samples, of the single gradients
    test = methods.problem(TINY, 0).test
    model = methods.posterior("HMC", TINY, 0)
    found = []
    for i in range(12):
        leaf = test.inputs.clone().requires_grad_()
        log_p = model.chosen(torch.tensor([i]))(leaf)[0]
        log_p.gather(1, test.labels[:, None]).sum().backward()
        found.append(leaf.grad.abs().amax(dim=1))
    assert frame["linf"].iloc[0] == pytest.approx(float(torch.cat(found).median()), rel=1e-4)


def test_weak_attacks():
    frame = table(
        "weak-attacks",
        replicate=0,
        size="tiny",
        radius=0.1,
        n_steps=10,
        step_sizes=(1e-4, 0.02, 2.0),
        queries=(2, 50),
    )
    names = [*["random signs"] * 2, "FGSM", *["PGD"] * 3, "PGD, margin", "PGD, targeted"]
    assert frame["attack"].tolist() == names
    assert frame["step_size"].isna().tolist() == [True, True, *[False] * 6]
    assert frame["n_gradients"][:7].tolist() == [2, 50, 1, 10, 10, 10, 10]
    assert frame["n_gradients"].iloc[7] >= 10
    few, many, _, small, good, _, margin, targeted = frame["accuracy"]
    assert few >= many > targeted
    assert small > good
    assert small >= frame["clean"].iloc[0] - 0.1
    assert targeted <= margin


def test_too_large_a_weight_of_the_divergence_gives_the_prior_back():
    common = {"replicate": 0, "size": "tiny", "radius": 0.02, "n_steps": 5, "n_epochs": 100}
    right, wrong = (table("kl-weights", kl_weight=w, **common).iloc[0] for w in (1.0, 100.0))
    assert 0.1 < right["mean_std"] < wrong["mean_std"] < 1.02
    assert wrong["clean"] < right["clean"] - 0.2
    assert wrong["robust"] < right["robust"] <= right["clean"]


# --- tiers ----------------------------------------------------------------------------------------


def test_tiers_and_columns():
    assert list(BY_NAME) == [
        "double-softmax",
        "saturation",
        "wide-priors",
        "verdicts",
        "rescaled-logits",
        "attack-samples",
        "gradient-norms",
        "weak-attacks",
        "kl-weights",
    ]
    for name, one in BY_NAME.items():
        assert one.tiers == ("quick", "full")
        assert one.requires == ("torch",)
        for tier, count, size in (("quick", 1, "quick"), ("full", 3, "mid")):
            points = one.points(tier)
            if name not in ("double-softmax", "saturation"):
                assert {point["replicate"] for point in points} == set(range(count))
                assert one.stream_keys == ("replicate",)
            assert {point.get("size", size) for point in points} == {size}
    quick, full = ({p["kl_weight"] for p in BY_NAME["kl-weights"].points(t)} for t in one.tiers)
    for weights, setting in ((quick, methods.QUICK), (full, methods.MID)):
        assert setting.n_train / setting.batch_size in weights  # the whole divergence in each batch
        assert 1.0 in weights


def test_fits_are_shared(samples, rescaled):
    before = methods.hmc_run.cache_info()
    table("gradient-norms", replicate=0, size="tiny", counts=(1,))
    after = methods.hmc_run.cache_info()
    assert after.misses == before.misses


def test_points_do_not_depend_on_their_neighbours(samples):
    again = table("attack-samples", replicate=0, size="tiny", radius=0.1, n_steps=10, counts=(5,))
    same = samples.drop(columns="counts").merge(again.drop(columns="counts"))
    assert len(same) == len(again) == 9
    with pytest.raises(Exception, match="size must be one of 'quick', 'mid', 'tiny', got 'huge'"):
        table("gradient-norms", replicate=0, size="huge", counts=(1,))


def test_torch_gets_its_threads_back(monkeypatch):
    seen = []

    def stop(*arguments):
        seen.append(torch.get_num_threads())
        raise RuntimeError("stop")

    monkeypatch.setattr(methods, "problem", stop)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(Exception, match="stop"):
            table("gradient-norms", replicate=0, size="tiny", counts=(1,))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1]


def test_the_modules_need_no_torch_to_be_imported():
    importlib.import_module("fragile_learning.bayes.pitfall_claims")
    code = (
        "import sys; from fragile_learning.bayes import pitfall_claims, pitfall_experiments; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert pitfall_experiments.__all__[0] == "PITFALL_EXPERIMENTS"
