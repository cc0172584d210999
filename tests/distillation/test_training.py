"""Problems, sets under a budget, and gradients that the experiments compare."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.datasets import available  # noqa: E402
from fragile_learning.distillation import training  # noqa: E402
from fragile_learning.distillation.meta_gradient import meta_gradient  # noqa: E402
from fragile_learning.distillation.models import MLP, draw_parameters  # noqa: E402
from fragile_learning.distillation.settings import InnerOptimizer, Window  # noqa: E402

DIGITS = training.problem("digits", n_validation=100, n_test=200, seed=3)
TINY = training.Setting(
    architecture="MLP",
    n_steps=6,
    window=3,
    learning_rate=0.02,
    outer_rate=0.05,
    n_networks=2,
    outer_batch=64,
)


# --- problems ---------------------------------------------------------------------------------


def test_parts_share_no_image_and_are_standardised_by_the_training_images():
    sizes = [len(part.images) for part in DIGITS]
    assert sizes == [1797 - 300, 100, 200]
    assert DIGITS.shape == (1, 8, 8)
    assert DIGITS.train.images.mean() == pytest.approx(0.0, abs=1e-5)
    assert DIGITS.train.images.std() == pytest.approx(1.0, abs=1e-5)
    assert DIGITS.test.images.mean() != pytest.approx(0.0, abs=1e-5)
    rows = [{part.images[i].tobytes() for i in range(len(part.images))} for part in DIGITS]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]


def test_pixels_that_are_left_as_they_are():
    raw = training.problem("digits in [0, 1]", n_validation=100, n_test=200, seed=3)
    assert raw.train.images.min() == 0.0
    assert raw.train.images.max() == 1.0
    np.testing.assert_array_equal(raw.test.labels, DIGITS.test.labels)
    other = training.problem("digits in [0, 1]", n_validation=100, n_test=200, seed=4)
    assert (raw.test.labels != other.test.labels).any()


@pytest.mark.data
@pytest.mark.skipif(not available("fashion-mnist"), reason="needs Fashion-MNIST")
def test_official_test_images_stay_test_images():
    found = training.problem("fashion", n_validation=1000, n_test=500, seed=1)
    assert [len(part.images) for part in found] == [59_000, 1000, 500]
    assert found.shape == (1, 14, 14)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "cifar"}, "data must be one of 'digits'"),
        ({"n_test": 1797}, "n_test must be"),
        ({"n_validation": 1797 - 200}, "n_validation must be"),
    ],
)
def test_bad_problems_are_named(changes, words):
    arguments = {"data": "digits", "n_validation": 0, "n_test": 200, "seed": 0, **changes}
    with pytest.raises(ValueError, match=words):
        training.problem(**arguments)


def test_real_images_by_kind():
    for kind in training.BASELINES:
        found = training.real_images(DIGITS.train, 1, kind=kind, rng=1)
        assert found.images.shape == (10, 1, 8, 8)
        assert found.classes.tolist() == list(range(10))
    with pytest.raises(ValueError, match="n_per_class"):
        training.real_images(DIGITS.train, 2, kind="class means", rng=1)
    with pytest.raises(ValueError, match="kind must be one of"):
        training.real_images(DIGITS.train, 1, kind="best", rng=1)


@pytest.mark.parametrize("name", training.ARCHITECTURES)
def test_networks_by_name(name):
    module = training.network(name, (1, 14, 14), width=4)
    assert module(torch.zeros(2, 1, 14, 14)).shape == (2, 10)


# --- budgets ----------------------------------------------------------------------------------


def start(seed=1):
    return training.real_images(DIGITS.train, 1, kind="random real", rng=seed)


@pytest.mark.parametrize("repair", training.REPAIRS)
@pytest.mark.parametrize("rule", training.RULES)
def test_every_rule_stays_within_the_budget_and_uses_it(rule, repair):
    found = training.distil(
        DIGITS.train, start(), TINY, rule=rule, repair=repair, units=120.0, rng=5
    )
    costs = found.history["cost"]
    outer = 64 / 10
    lengths, windows = found.history["n_steps"], found.history["window"]
    # counted here once more: plain steps cost 1, differentiated ones 3
    np.testing.assert_allclose(costs, (lengths - windows) + 3 * windows + outer)
    assert costs.sum() <= 120.0
    assert costs.sum() + 3 * TINY.n_steps + outer > 120.0
    whole = windows == lengths
    assert not whole.any() if repair == "skip first" else True
    if repair != "skip first":
        assert set(windows) <= ({3} if "T-" in rule else {3, 4, 5, 6})
    expected = {"T-BPTT": {6}, "BPTT": {6}}.get(rule, {3, 4, 5, 6})
    assert set(lengths) <= expected


def test_methods_share_networks_and_batches():
    """The same seed: the first outer loss of BPTT and T-BPTT is the same number."""
    losses = [
        training.distil(DIGITS.train, start(), TINY, rule=rule, units=60.0, rng=5).history["loss"]
        for rule in ("BPTT", "T-BPTT")
    ]
    assert losses[0][0] == losses[1][0]


def test_a_guard_changes_the_gradient_and_nothing_else():
    plain, guarded = (
        training.distil(DIGITS.train, start(), TINY, rule="BPTT", repair=repair, units=60.0, rng=5)
        for repair in ("none", "guard")
    )
    assert plain.history["loss"][0] == guarded.history["loss"][0]
    assert plain.history["norm"][0] != guarded.history["norm"][0]
    with pytest.raises(ValueError, match="repair must be one of"):
        TINY.config(rule="BPTT", repair="clip", units=1.0)
    with pytest.raises(ValueError, match="rule must be one of"):
        TINY.config(rule="MTT", units=1.0)
    with pytest.raises(ValueError, match="units must be"):
        TINY.config(rule="BPTT", units=0.0)


def test_checkpoints_are_stops_of_one_run():
    options = {"rule": "RaT-BPTT", "rng": 5}
    found = training.checkpoints(DIGITS.train, start(), TINY, units=[60.0, 100.0, 160.0], **options)
    whole = training.distil(DIGITS.train, start(), TINY, units=160.0, **options)
    np.testing.assert_array_equal(found[-1].images, whole.images)
    lengths = [len(one.history["norm"]) for one in found]
    assert lengths == sorted(set(lengths))
    first = training.distil(DIGITS.train, start(), TINY, units=60.0, **options)
    np.testing.assert_array_equal(found[0].images, first.images)


# --- gradients --------------------------------------------------------------------------------


def test_variances_are_those_of_single_networks():
    module = MLP((1, 8, 8), widths=(6,))
    optimizer = InnerOptimizer(learning_rate=0.02)
    taught, outer = start(), DIGITS.validation
    images, labels = torch.tensor(taught.images), torch.tensor(taught.classes)
    found = training.gradient_variances(
        images,
        labels,
        outer,
        module,
        optimizer=optimizer,
        n_steps=5,
        windows=(2, 5),
        n_networks=7,
        rng=2,
        chunk=7,
    )
    seed = int(np.random.default_rng(2).integers(0, 2**62))
    networks = draw_parameters(module, n_networks=7, generator=torch.Generator().manual_seed(seed))
    for place, window in enumerate((2, 5)):
        gradients = [
            meta_gradient(
                module,
                {name: tensor[k : k + 1] for name, tensor in networks.items()},
                images,
                labels,
                torch.tensor(outer.images),
                torch.tensor(outer.labels),
                optimizer=optimizer,
                run=Window(5, window),
            ).images.numpy()
            for k in range(7)
        ]
        assert found[place] == pytest.approx(np.var(gradients, axis=0, ddof=1).sum(), rel=1e-3)
    with pytest.raises(ValueError, match="n_networks must be"):
        training.gradient_variances(
            images,
            labels,
            outer,
            module,
            optimizer=optimizer,
            n_steps=5,
            windows=(2,),
            n_networks=1,
            rng=2,
        )


@pytest.mark.parametrize(("kind", "rate"), [("sgd", 0.2), ("momentum", 0.1), ("adam", 0.05)])
def test_modes_and_finite_differences_agree(kind, rate):
    rows = training.compare_derivatives(
        optimizer=InnerOptimizer(kind=kind, learning_rate=rate), n_steps=4, windows=(1, 4), rng=11
    )
    assert len(rows) == 10
    for row in rows:
        assert row["difference"] < (1e-6 if row["against"] == "finite differences" else 1e-12)


def test_the_comparison_sees_a_wrong_derivative(monkeypatch):
    """Negative control: an adjoint that forgets the images of one step."""
    engine = training.MetaGradients

    class Forgetful(engine):
        def __call__(self, parameters, images, labels, real, classes, run, **options):
            short = Window(run.n_steps, max(run.window - 1, 1))
            return super().__call__(parameters, images, labels, real, classes, short, **options)

    monkeypatch.setattr(training, "MetaGradients", Forgetful)
    rows = training.compare_derivatives(
        optimizer=InnerOptimizer(kind="sgd", learning_rate=0.2), n_steps=3, windows=(3,), rng=11
    )
    assert {row["mode"]: row["difference"] > 1e-3 for row in rows} == {
        "adjoint": True,
        "graph": True,
        "forward": True,
        "checkpointed": False,
        "K networks": False,
    }


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TINY.window = 4
