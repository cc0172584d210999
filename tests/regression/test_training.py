"""Chains of networks trained by hand-written gradients, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.images import one_hot  # noqa: E402
from fragile_learning.networks import models  # noqa: E402
from fragile_learning.regression import training  # noqa: E402


def data(n=64, pixels=6, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.random((n, pixels))
    classes = rng.integers(0, outputs, n)
    return images, one_hot(classes, outputs)


def plain_training(seed, images, labels, *, width, epochs, batch, rate):
    """One network with torch.nn and its optimiser, in the same order of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    start = models.initialise(images.shape[1], width, labels.shape[1], generators=[generator])
    network = torch.nn.Sequential(
        torch.nn.Linear(images.shape[1], width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, labels.shape[1]),
    )
    with torch.no_grad():
        network[0].weight.copy_(start.first[0].T)
        network[0].bias.zero_()
        network[2].weight.copy_(start.second[0].T)
        network[2].bias.zero_()
    optimiser = torch.optim.SGD(network.parameters(), lr=rate)
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        for first in range(0, len(images) - batch + 1, batch):
            chosen = order[first : first + batch]
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(network(images[chosen]), labels[chosen]).backward()
            optimiser.step()
    return network


def test_training_equals_the_optimiser_of_the_library():
    images, labels = data()
    tests, truth = data(seed=9)
    found = training.train_chain(
        images,
        labels,
        tests,
        truth,
        width=7,
        n_generations=0,
        n_epochs=5,
        noise_std=0.0,
        seeds=[3, 5],
        batch_size=20,
    )
    for row, seed in enumerate((3, 5)):
        network = plain_training(
            seed,
            torch.as_tensor(images, dtype=torch.float32),
            torch.as_tensor(labels, dtype=torch.float32),
            width=7,
            epochs=5,
            batch=20,
            rate=0.1,
        )
        with torch.no_grad():
            shown = network(torch.as_tensor(tests, dtype=torch.float32)).numpy()
        assert found[row, 0] == pytest.approx(np.mean((shown - truth) ** 2), rel=1e-4)


SETTING = {"width": 6, "n_generations": 2, "n_epochs": 2, "noise_std": 0.1, "batch_size": 16}


def chain(seeds, **change):
    images, labels = data()
    tests, truth = data(seed=9)
    return training.train_chain(
        images, labels, tests, truth, **{**SETTING, "seeds": seeds, **change}
    )


def test_a_seed_means_the_same_in_any_company():
    together = chain([1, 2, 3])
    assert together.shape == (3, 3)
    assert chain([2])[0] == pytest.approx(together[1], rel=1e-5)
    assert not np.allclose(together[0], together[1])


def test_noise_is_what_the_next_model_learns():
    quiet, loud = (chain([1], noise_std=std, n_epochs=40) for std in (0.0, 3.0))
    assert quiet[0, 0] == loud[0, 0]  # the first model sees clean labels
    assert loud[0, 2] > quiet[0, 2] + 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be"),
        ({"n_epochs": 0}, "n_epochs must be"),
        ({"n_generations": -1}, "n_generations must be"),
        ({"noise_std": -1.0}, "noise_std must be"),
        ({"batch_size": 65}, "batch_size must be an integer >= 1 and <= 64"),
        ({"learning_rate": 0.0}, "learning_rate must be"),
        ({"learning_rate": 1e20}, "generation 0 diverged"),
        ({"seeds": []}, "seeds must hold"),
        ({"seeds": [-1]}, r"seeds\[0\] must be"),
    ],
)
def test_bad_input(change, message):
    arguments = {"seeds": [1], **change}
    with pytest.raises(ValueError, match=message):
        chain(**arguments)


def test_bad_shapes():
    images, labels = data()
    for arrays, message in (
        ((images, labels[:3], images, labels), "as many rows"),
        ((images, labels, images[:, :2], labels), "as many columns"),
    ):
        with pytest.raises(ValueError, match=message):
            training.train_chain(*arrays, **SETTING, seeds=[1])
