"""The seven methods: data as they should be cut, fits of the right kind, and kept fits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.bayes import methods, trained_experiments  # noqa: E402
from fragile_learning.bayes.models import Network  # noqa: E402
from fragile_learning.datasets import load  # noqa: E402

TINY = methods.Setting(
    source="digits",
    side=8,
    widths=(8,),
    n_train=200,
    n_test=60,
    n_shifted=40,
    n_chains=2,
    n_warmup=15,
    n_draws=20,
    max_steps=10,
    n_samples=8,
    n_members=3,
    n_epochs=60,
    mean_field_epochs=60,
    function_space_epochs=40,
    batch_size=50,
)


# --- settings and data ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("source", "cifar", ValueError),
        ("side", 0, ValueError),
        ("n_train", 10.5, TypeError),
        ("n_draws", 7, ValueError),
        ("n_samples", 41, ValueError),
        ("n_members", 1, ValueError),
        ("batch_size", 201, ValueError),
        ("max_steps", True, TypeError),
        ("widths", (0,), ValueError),
        ("kernel", 9, ValueError),
    ],
)
def test_bad_settings_are_refused(field, value, error):
    changes = {field: value} | ({"channels": (2,)} if field == "kernel" else {})
    with pytest.raises(error, match=field):
        dataclasses.replace(TINY, **changes)


def test_names_are_those_of_the_experiments():
    assert methods.METHODS == trained_experiments.METHODS


def test_quick_settings_need_only_what_ships():
    for (data, size), setting in methods.SETTINGS.items():
        assert setting.data == data
        if size == "quick":
            assert load(setting.source).source == "shipped with the package"


def bilinear(image, side):
    """Sample between pixel centres, edges held: one pixel at a time."""
    found = np.empty((side, side))
    old = len(image)
    for i in range(side):
        for j in range(side):
            y, x = (min(max((k + 0.5) * old / side - 0.5, 0.0), old - 1.0) for k in (i, j))
            a, b = int(y), int(x)
            c, d = min(a + 1, old - 1), min(b + 1, old - 1)
            u, v = y - a, x - b
            top = (1 - v) * image[a, b] + v * image[a, d]
            bottom = (1 - v) * image[c, b] + v * image[c, d]
            found[i, j] = (1 - u) * top + u * bottom
    return found


def levels(images, count):
    return np.rint(images * count).astype(int).tolist()


def test_fashion_is_pooled_and_digits_are_enlarged():
    given = methods.problem(methods.QUICK, 3)
    mini, digits = load("fashion-mnist-mini"), load("digits")
    pooled = mini.images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
    np.testing.assert_allclose(given.test.inputs.numpy(), pooled[2000:2200], atol=1e-6)
    np.testing.assert_array_equal(given.test.labels.numpy(), mini.labels[2000:2200])
    for i in (0, 7):
        np.testing.assert_allclose(
            given.test.shifted[i].numpy().reshape(14, 14),
            bilinear(digits.images[i], 14),
            atol=1e-6,
        )
    # each training image is one of the training part, with its label, and none is there twice
    rows = {tuple(row): i for i, row in enumerate(levels(pooled[:2000], 1020))}
    places = [rows[tuple(row)] for row in levels(given.train.inputs.numpy(), 1020)]
    assert len(set(places)) == len(places) == 1000
    np.testing.assert_array_equal(given.train.labels.numpy(), mini.labels[places])
    assert given.class_names[0] == "T-shirt/top"


def test_fashion_is_shrunk_to_the_size_of_digits():
    given = methods.problem(TINY, 0)
    image = load("fashion-mnist-mini").images[2000]
    edges = [(i * 28 // 8, -(-(i + 1) * 28 // 8)) for i in range(8)]
    means = [[image[a:b, c:d].mean() for c, d in edges] for a, b in edges]
    np.testing.assert_allclose(given.test.shifted[0].reshape(8, 8), means, atol=1e-6)


def test_seeds_choose_training_images_and_nothing_else():
    one, other = methods.problem(TINY, 0), methods.problem(TINY, 1)
    assert torch.equal(one.test.inputs, other.test.inputs)
    assert torch.equal(one.test.shifted, other.test.shifted)
    assert not torch.equal(one.train.inputs, other.train.inputs)
    tested = {row.tobytes() for row in one.test.inputs.numpy()}
    assert not tested & {row.tobytes() for row in one.train.inputs.numpy()}


def test_too_many_images_are_refused():
    for field in ("n_train", "n_test", "n_shifted"):
        with pytest.raises(ValueError, match=field):
            methods.problem(dataclasses.replace(TINY, **{field: 60_001}), 0)
    with pytest.raises(ValueError, match="seed"):
        methods.problem(TINY, -1)


# --- posteriors -----------------------------------------------------------------------------------


def accuracy(parameters, network: Network, test):
    """Of the mean probability; computed by numpy from the flat weights."""
    inputs = (test.inputs.double().numpy() - network.shift) / network.scale
    total = 0.0
    for flat in parameters.double().numpy():
        first, bias, second, last = np.split(flat, np.cumsum([64 * 8, 8, 8 * 10]))
        hidden = np.maximum(inputs @ first.reshape(64, 8) + bias, 0.0)
        logits = hidden @ second.reshape(8, 10) + last
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        total = total + odds / odds.sum(axis=1, keepdims=True)
    return float((total.argmax(axis=1) == test.labels.numpy()).mean())


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_learns(method):
    """Seen on eight seeds: 0.67 to 0.97; draws from the prior, the control, 0.02 to 0.13."""
    given, found = methods.problem(TINY, 0), methods.posterior(method, TINY, 0)
    wanted = {"deterministic": 1, "ensemble": 3}.get(method, 8)
    assert found.n_samples == wanted
    assert accuracy(found.parameters, given.network, given.test) > 0.6
    stds = given.prior.standard_deviations(given.network)
    drawn = torch.randn(8, len(stds), generator=torch.Generator().manual_seed(1)) * stds
    assert accuracy(drawn, given.network, given.test) < 0.4  # the control


def test_what_varies_between_samples():
    """Last layers alone for two methods, everything for others, masked rows for dropout."""
    last = 8 * 10 + 10
    varies = {
        name: methods.posterior(name, TINY, 0).parameters.std(dim=0) > 0.0
        for name in methods.METHODS[2:]
    }
    for name in ("Laplace", "function space"):
        assert not varies[name][:-last].any()
        assert varies[name][-last:].all()
    for name in ("mean field", "HMC"):
        assert varies[name].all()
    second = methods.posterior("dropout", TINY, 0).parameters[:, 64 * 8 + 8 : -10]
    dropped = second.reshape(8, 8, 10) == 0.0
    assert torch.equal(dropped.any(dim=2), dropped.all(dim=2))  # a unit with all that reads it
    # 64 units at 0.2: beyond 3 to 30 has a chance below 1e-5
    assert 3 <= int(dropped.all(dim=2).sum()) <= 30
    assert not varies["dropout"][: 64 * 8 + 8].any()


def test_one_network_is_the_first_of_the_ensemble_and_the_centre_of_others():
    point = methods.posterior("deterministic", TINY, 0).parameters[0]
    assert torch.equal(point, methods.posterior("ensemble", TINY, 0).parameters[0])
    laplace = methods.posterior("Laplace", TINY, 0).parameters
    assert torch.equal(laplace[0, : -(8 * 10 + 10)], point[: -(8 * 10 + 10)])


def test_chains_start_from_networks_and_leave_them():
    result = methods.hmc_run(TINY, 0)
    assert result.draws.shape == (2, 20, TINY.network.n_parameters)
    assert result.n_steps <= TINY.max_steps
    drawn = methods.posterior("HMC", TINY, 0).parameters
    pooled = result.draws.flatten(0, 1)
    assert all(bool((row == pooled).all(dim=1).any()) for row in drawn)


def test_fits_are_kept_and_can_be_had_again():
    first, run = methods.posterior("HMC", TINY, 0), methods.hmc_run(TINY, 0)
    assert methods.posterior("HMC", TINY, 0) is first
    for kept in (methods.posterior, methods.hmc_run, methods._networks, methods.problem):
        kept.cache_clear()
    again = methods.hmc_run(TINY, 0)
    assert again is not run
    assert torch.equal(again.draws, run.draws)
    other = methods.posterior("deterministic", TINY, 1).parameters
    assert not torch.equal(other, methods.posterior("deterministic", TINY, 0).parameters)


def test_context_is_images_of_random_contrast_with_noise():
    images = torch.full((400, 200), 0.8)
    found = methods._context(images, np.random.SeedSequence(5))
    assert 0.0 <= float(found.min()) <= float(found.max()) <= 1.0
    contrast = found.mean(dim=1) / 0.8
    # uniform in [0, 1] but for clipping near 0: of 400, quartiles within 0.1 (four errors)
    for share in (0.25, 0.5, 0.75):
        assert float(contrast.quantile(share)) == pytest.approx(share, abs=0.1)
    assert float(contrast.max()) < 1.03  # the mean of 200 noises has an error of 0.0077
    clear = found[(contrast > 0.3)]
    noise = clear - clear.mean(dim=1, keepdim=True)
    assert float(noise.std()) == pytest.approx(0.3 / 12**0.5, rel=0.02)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="method"):
        methods.posterior("dream", TINY, 0)


def test_a_convolutional_network():
    setting = dataclasses.replace(
        TINY,
        source="fashion-mnist-mini",
        side=10,
        channels=(2, 4),
        kernel=3,
        n_train=40,
        n_test=20,
        n_shifted=20,
        n_warmup=4,
        n_draws=8,
        n_epochs=2,
        batch_size=40,
    )
    given = methods.problem(setting, 0)
    assert given.train.inputs.shape == (40, 1, 10, 10)
    assert given.test.shifted.shape == (20, 1, 10, 10)
    found = methods.posterior("HMC", setting, 0)
    with torch.no_grad():
        assert found(given.test.inputs).shape == (8, 20, 10)


# --- pictures -------------------------------------------------------------------------------------


def test_examples_are_right_when_clean_and_wrong_when_attacked():
    given, samples = methods.problem(TINY, 0), methods.posterior("HMC", TINY, 0)
    found = methods.attack_examples(samples, given, n=5, radius=0.2, rng=1)
    assert found.clean.shape == found.label_attacked.shape == (5, 8, 8)
    np.testing.assert_array_equal(found.predictions[0], found.labels)
    assert (found.predictions[1:] != found.labels).all()
    views = (found.clean, found.label_attacked, found.adaptively_attacked)
    for i, view in enumerate(views):
        assert np.abs(view - found.clean).max() <= 0.2 + 1e-6
        assert 0.0 <= view.min() <= view.max() <= 1.0
        with torch.no_grad():
            p = samples(torch.from_numpy(view).reshape(5, 64)).double().exp().numpy()
        mean = p.mean(axis=0)
        total = -(mean * np.log(mean)).sum(axis=1)
        np.testing.assert_array_equal(mean.argmax(axis=1), found.predictions[i])
        np.testing.assert_allclose(total, found.total_entropies[i], atol=1e-5)
        members = -(p * np.log(p)).sum(axis=2).mean(axis=0)
        np.testing.assert_allclose(total - members, found.mutual_informations[i], atol=1e-5)
    # the attack that knows the score keeps it lower
    assert found.total_entropies[2].mean() < found.total_entropies[1].mean()
    assert len(set(found.labels)) >= 4
    assert found.class_names == tuple("0123456789")


def test_examples_that_are_not_there_are_refused():
    given, samples = methods.problem(TINY, 0), methods.posterior("HMC", TINY, 0)
    with pytest.raises(ValueError, match="n must be"):
        methods.attack_examples(samples, given, n=61, radius=0.2)
    with pytest.raises(ValueError, match="radius"):
        methods.attack_examples(samples, given, radius=0.0)
