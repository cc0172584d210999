"""Distillation runs: they learn, resume bit by bit, survive being killed; boosting nests."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.distillation.boost import boost  # noqa: E402
from fragile_learning.distillation.distilled import (  # noqa: E402
    DistilledError,
    DistilledSet,
    labelled,
)
from fragile_learning.distillation.evaluate import (  # noqa: E402
    block_cosines,
    evaluate,
    leave_one_out,
    subsets,
)
from fragile_learning.distillation.models import (  # noqa: E402
    MLP,
    ConvNet,
    ResNet,
    Vgg,
    draw_parameters,
)
from fragile_learning.distillation.ratbptt import (  # noqa: E402
    DistillConfig,
    RatBptt,
    clip_factor,
)
from fragile_learning.distillation.settings import InnerOptimizer, Unroll  # noqa: E402

ADAM = InnerOptimizer(learning_rate=0.05)
CONFIG = DistillConfig(
    unroll=Unroll(n_steps=10, window=4),
    optimizer=ADAM,
    n_outer_steps=12,
    outer_learning_rate=0.05,
    outer_batch=40,
    n_networks=2,
)
MODULE = MLP((6,), widths=(8,), n_classes=3)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blobs(n=150, seed=0, shape=(6,)):
    """Three classes about points that random images miss."""
    rng = np.random.default_rng(seed)
    classes = np.arange(n) % 3
    middles = 1.5 * np.random.default_rng(9).normal(size=(3, *shape))
    return labelled(middles[classes] + rng.normal(size=(n, *shape)), classes)


def same(one, two):
    return (
        np.array_equal(one.images, two.images)
        and np.array_equal(one.labels, two.labels)
        and all(np.array_equal(one.history[name], two.history[name]) for name in one.history)
    )


def test_distilled_images_teach_more_than_those_it_started_from():
    config = dataclasses.replace(CONFIG, n_outer_steps=120)
    method, test = RatBptt(config, MODULE), blobs(600, seed=1)
    images, labels = method.fresh(blobs(), 3, 1, rng=0)
    assert np.linalg.norm(images, axis=1) == pytest.approx(np.ones(3), rel=1e-6)
    found = method.fit(blobs(), rng=3)
    first, last = (
        evaluate(s, test, MODULE, optimizer=ADAM, lengths=[10], n_networks=8, rng=1).means[0]
        for s in (DistilledSet(images, labels), found)
    )
    assert last > 0.85
    assert last > first + 0.2
    assert found.history["loss"][-20:].mean() < 0.6 * found.history["loss"][:5].mean()


VARIANTS = {
    "plain": {},
    "labels": {"learn_labels": True, "images_per_class": 2},
    "real, batches": {"images_per_class": 3, "inner_images_per_class": 1, "start": "real"},
    "checkpointed": {"checkpoint": True, "redraw_every": 4},
    "guarded": {"guard": 1e-3, "clip": False, "outer_batch": 1000},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, name):
    config = dataclasses.replace(CONFIG, **VARIANTS[name])
    whole = RatBptt(config, MODULE).fit(blobs(), rng=5)
    part = dataclasses.replace(config, n_outer_steps=5)
    path = tmp_path / "state.npz"
    RatBptt(part, MODULE).fit(blobs(), rng=5, path=path)
    seen = []
    resumed = RatBptt(config, MODULE).fit(
        blobs(), rng=5, path=path, progress=lambda step, done: seen.append(step)
    )
    assert seen == list(range(5, 12))
    assert same(whole, resumed)
    assert not same(whole, RatBptt(config, MODULE).fit(blobs(), rng=6))


def test_augmented_pictures_resume_bit_for_bit(tmp_path):
    config = dataclasses.replace(CONFIG, augment=True, n_outer_steps=4)
    module, real = ConvNet((1, 8, 8), width=2, depth=2, n_classes=3), blobs(shape=(1, 8, 8))
    whole = RatBptt(config, module).fit(real, rng=5)
    part = dataclasses.replace(config, n_outer_steps=2)
    RatBptt(part, module).fit(real, rng=5, path=tmp_path / "a.npz")
    assert same(whole, RatBptt(config, module).fit(real, rng=5, path=tmp_path / "a.npz"))


def test_a_killed_run_goes_on(tmp_path):
    """A process is killed in the middle; what it left is whole, and the end is the same."""
    path = tmp_path / "state.npz"
    program = textwrap.dedent(
        f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        import dataclasses, torch
        torch.set_num_threads(1)
        from test_ratbptt import CONFIG, MODULE, RatBptt, blobs
        config = dataclasses.replace(CONFIG, n_outer_steps=100_000)
        RatBptt(config, MODULE).fit(blobs(), rng=5, path={str(path)!r}, save_every=1)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    try:
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        time.sleep(0.1)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert path.exists()
    done = []
    long = dataclasses.replace(CONFIG, n_outer_steps=100_000)
    with pytest.raises(KeyboardInterrupt):
        RatBptt(long, MODULE).fit(blobs(), rng=5, path=path, progress=stop_after(3, done))
    target = done[-1] + 1
    config = dataclasses.replace(CONFIG, n_outer_steps=target)
    resumed = RatBptt(config, MODULE).fit(blobs(), rng=5, path=path)
    assert done[0] > 0
    assert same(resumed, RatBptt(config, MODULE).fit(blobs(), rng=5))


def stop_after(count, done):
    def progress(step, _):
        done.append(step)
        if len(done) == count:
            raise KeyboardInterrupt

    return progress


def test_a_file_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    RatBptt(CONFIG, MODULE).fit(blobs(), rng=5, path=path)
    with pytest.raises(ValueError, match="path must belong to this run"):
        RatBptt(CONFIG, MODULE).fit(blobs(), rng=6, path=path)
    with pytest.raises(ValueError, match="path must belong to this run"):
        RatBptt(CONFIG, MODULE).fit(blobs(seed=2), rng=5, path=path)
    other = dataclasses.replace(CONFIG, outer_learning_rate=0.1)
    with pytest.raises(ValueError, match="path must belong to this run"):
        RatBptt(other, MODULE).fit(blobs(), rng=5, path=path)
    content = path.read_bytes()
    for damaged in (content[:-40], content[:200] + b"\0\1" + content[202:], b""):
        path.write_bytes(damaged)
        with pytest.raises(DistilledError):
            RatBptt(CONFIG, MODULE).fit(blobs(), rng=5, path=path)
    DistilledSet(np.zeros((1, 2)), np.ones((1, 1))).save(path)
    with pytest.raises(DistilledError, match="not the state of a distillation"):
        RatBptt(CONFIG, MODULE).fit(blobs(), rng=5, path=path)


def test_a_budget_stops_a_run():
    config = dataclasses.replace(CONFIG, budget=100.0, n_outer_steps=1000)
    found = RatBptt(config, MODULE).fit(blobs(), rng=5)
    cost = found.history["n_steps"] + 2 * found.history["window"] + 40 / 3
    assert found.history["cost"] == pytest.approx(cost)
    assert 100 - 32 < cost.sum() <= 100


def test_clipping_as_the_authors_code_does():
    mean, thresholds = None, []
    for norm in (2.0, 2.0, 8.0, 1.0):
        factor, mean = clip_factor(norm, mean)
        thresholds.append(2 * mean)
        assert factor == pytest.approx(min(1.0, thresholds[-1] / norm))
    assert thresholds == pytest.approx([4.0, 4.0, 5.2, 4.88])
    assert clip_factor(0.0, None) == (1.0, 0.0)


def test_runs_share_a_length_as_long_as_asked():
    config = dataclasses.replace(CONFIG, redraw_every=4)
    steps = RatBptt(config, MODULE).fit(blobs(), rng=5).history["n_steps"].reshape(3, 4)
    assert (steps == steps[:, :1]).all()
    assert len(set(steps[:, 0])) > 1


def test_boosting_nests_or_drifts():
    config = dataclasses.replace(CONFIG, n_outer_steps=6)
    strong, weak, plain = (
        boost(config, MODULE, blobs(), blocks=[1, 2], old_rate=rate, rng=1)
        for rate in (0.0, 0.1, 1.0)
    )
    assert [len(s) for s in strong] == [3, 9]
    assert np.array_equal(strong[1].images[:3], strong[0].images)
    assert not np.array_equal(strong[1].images[3:], strong[0].images.repeat(2, 0))
    gaps = [np.abs(s[1].images[:3] - s[0].images).max() for s in (weak, plain)]
    assert 0 < gaps[0] < 0.2 * gaps[1]
    assert np.array_equal(strong[0].images, plain[0].images)


def test_boosting_resumes(tmp_path):
    config = dataclasses.replace(CONFIG, n_outer_steps=4)
    whole = boost(config, MODULE, blobs(), blocks=[1, 1], rng=1)
    with pytest.raises(KeyboardInterrupt):
        boost(
            config, MODULE, blobs(), blocks=[1, 1], rng=1, folder=tmp_path, save_every=1,
            progress=lambda stage, step, done: stop_after(1, [])(step, done) if stage else None,
        )  # fmt: skip
    resumed = boost(config, MODULE, blobs(), blocks=[1, 1], rng=1, folder=tmp_path)
    assert all(same(*pair) for pair in zip(whole, resumed, strict=True))


# --- evaluation ---------------------------------------------------------------------------------


def test_evaluation_is_training_and_counting():
    real, test = blobs(30), blobs(90, seed=1)
    chosen = DistilledSet.of_classes(*real, n_classes=3)
    found = evaluate(chosen, test, MODULE, optimizer=ADAM, lengths=[0, 9], n_networks=3, rng=4)
    assert found.accuracies.shape == (2, 3)
    seed = int(np.random.default_rng(4).integers(2**63, size=2)[0])
    generator = torch.Generator().manual_seed(seed)
    weights = draw_parameters(MODULE, n_networks=3, generator=generator)
    for k in range(3):
        MODULE.load_state_dict({name: tensor[k] for name, tensor in weights.items()})
        optimizer = torch.optim.Adam(MODULE.parameters(), lr=0.05)
        for i in range(2):
            with torch.no_grad():
                answers = MODULE(torch.tensor(test.images)).argmax(1).numpy()
            accuracy = float((answers == test.labels).mean())
            assert found.accuracies[i, k] == pytest.approx(accuracy, abs=0.012)  # one image
            for _ in range(9):
                optimizer.zero_grad()
                logits = MODULE(torch.tensor(real.images))
                torch.nn.functional.cross_entropy(logits, torch.tensor(real.labels)).backward()
                optimizer.step()


def test_intervals_are_students():
    found = evaluate(
        DistilledSet.of_classes(*blobs(9), n_classes=3), blobs(60, seed=1), MODULE,
        optimizer=ADAM, lengths=[3], n_networks=4, rng=4,
    )  # fmt: skip
    values, interval = found.accuracies[0], found.interval()
    half = 3.182446 * values.std(ddof=1) / 2  # t quantile with 3 degrees of freedom
    assert (interval.low, interval.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), rel=1e-6
    )


@pytest.mark.parametrize("module", [ConvNet, Vgg, ResNet])
def test_other_architectures_learn(module):
    real, test = blobs(30, shape=(1, 8, 8)), blobs(60, seed=1, shape=(1, 8, 8))
    sizes = {"depth": 2} if module is ConvNet else {}
    network = module((1, 8, 8), width=4, n_classes=3, **sizes)
    chosen = DistilledSet.of_classes(*real, n_classes=3)
    rule = InnerOptimizer(learning_rate=0.01)
    found = evaluate(
        chosen, test, network, optimizer=rule, lengths=[0, 15], n_networks=2, augment=True, rng=1
    )
    assert found.means[1] > found.means[0] + 0.2


def test_subsets_hold_as_many_of_each_class():
    real, test = blobs(30), blobs(60, seed=1)
    chosen = DistilledSet.of_classes(*real, n_classes=3)
    options = {"optimizer": ADAM, "n_steps": 10, "n_networks": 2}
    found = subsets(chosen, test, MODULE, images_per_class=2, n_draws=3, rng=1, **options)
    assert found.shape == (3, 2)
    everything = subsets(chosen, test, MODULE, images_per_class=10, n_draws=1, rng=1, **options)
    assert everything.mean() > 0.8
    with pytest.raises(ValueError, match="images_per_class must be an integer >= 1 and <= 10"):
        subsets(chosen, test, MODULE, images_per_class=11, n_draws=1, rng=1, **options)


def test_an_only_image_is_needed_more_than_one_of_many():
    real, test = blobs(30), blobs(300, seed=1)
    rows = [*range(0, 30, 3), *range(1, 30, 3), 2]  # ten, ten and one of the third class
    chosen = DistilledSet.of_classes(real.images[rows], real.labels[rows], n_classes=3)
    whole, without = leave_one_out(
        chosen, test, MODULE, optimizer=ADAM, n_steps=20, n_networks=4, rng=1
    )
    assert without.shape == (21,)
    assert whole - without[-1] > 0.1 + np.abs(whole - without[:-1]).max()


def test_cosines_of_equal_rounds_are_one():
    real = blobs(60)
    one = DistilledSet.of_classes(real.images[:3], real.labels[:3], n_classes=3)
    twice = DistilledSet(np.tile(one.images, (2, 1)), np.tile(one.labels, (2, 1)))
    options = {"optimizer": ADAM, "unroll": Unroll(n_steps=8, window=4), "rng": 1}
    assert block_cosines(twice, real, MODULE, **options) == pytest.approx(np.ones((2, 2)))
    found = block_cosines(
        DistilledSet.of_classes(real.images[:9], real.labels[:9], n_classes=3),
        real, MODULE, **options,
    )  # fmt: skip
    assert np.diag(found) == pytest.approx(np.ones(3))
    assert found == pytest.approx(found.T)
    assert np.abs(found[0, 1:]).max() < 0.999


def test_bad_input():
    method, real = RatBptt(CONFIG, MODULE), blobs()
    with pytest.raises(TypeError, match="config must be a DistillConfig"):
        RatBptt({}, MODULE)
    with pytest.raises(ValueError, match="start must be one of 'noise', 'real'"):
        DistillConfig(start="zeros")
    with pytest.raises(ValueError, match="inner_images_per_class must be an integer >= 1 and <= 2"):
        DistillConfig(images_per_class=2, inner_images_per_class=3)
    with pytest.raises(TypeError, match="unroll must be Unroll"):
        DistillConfig(unroll=(40, 12))
    with pytest.raises(ValueError, match="rates must have one entry an image, 3, got 2"):
        method.fit(real, rng=1, rates=[1.0, 0.0])
    with pytest.raises(ValueError, match="train must have labels < 3, got 3"):
        method.fit(labelled(real.images, real.labels + 1), rng=1)
    with pytest.raises(ValueError, match="start must hold images of shape"):
        method.fit(real, rng=1, start=DistilledSet(np.zeros((3, 5)), np.eye(3)))
    with pytest.raises(ValueError, match="train must hold pictures"):
        RatBptt(dataclasses.replace(CONFIG, augment=True), MODULE).fit(real, rng=1)
    with pytest.raises(ValueError, match="blocks must have at least one entry"):
        boost(CONFIG, MODULE, real, blocks=[], rng=1)
    with pytest.raises(ValueError, match="old_rate must be finite and >= 0 and <= 1"):
        boost(CONFIG, MODULE, real, blocks=[1], old_rate=2.0, rng=1)
    rule = InnerOptimizer(kind="sgd", learning_rate=1e30)
    wild = dataclasses.replace(CONFIG, optimizer=rule)
    with pytest.raises(FloatingPointError, match="lower the inner learning rate"):
        RatBptt(wild, MODULE).fit(real, rng=1)
