"""Several networks trained at once, against torch's own modules one at a time."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.networks import models  # noqa: E402
from fragile_learning.networks.training import fit_networks, network_outputs  # noqa: E402

SETTING = {"width": 7, "n_steps": 20, "batch_size": 12, "learning_rate": 0.01}


def data(n_sets=2, n_fits=3):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n_sets, 40, 6)), rng.standard_normal((n_sets, n_fits, 40, 4))


def plain_fit(images, labels, seed):
    """One network with torch.nn, torch's automatic differentiation and its plain Adam."""
    images, labels = (torch.as_tensor(a, dtype=torch.float32) for a in (images, labels))
    generator = torch.Generator().manual_seed(seed)
    start = models.initialise(6, 7, 4, generators=[generator])
    network = torch.nn.Sequential(torch.nn.Linear(6, 7), torch.nn.ReLU(), torch.nn.Linear(7, 4))
    with torch.no_grad():
        network[0].weight.copy_(start.first[0].T)
        for tensor in (network[0].bias, network[2].weight, network[2].bias):
            tensor.zero_()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, fused=False, foreach=False)
    step = 0
    while step < 20:
        order = torch.randperm(40, generator=generator)
        for first in (0, 12, 24):
            if step < 20:
                chosen = order[first : first + 12]
                optimiser.param_groups[0]["lr"] = 0.01 * (1 - step / 20)
                optimiser.zero_grad()
                torch.nn.functional.mse_loss(network(images[chosen]), labels[chosen]).backward()
                optimiser.step()
                step += 1
    return network


def test_each_network_is_what_the_library_trains():
    images, labels = data()
    weights = fit_networks(images, labels, **SETTING, seeds=[3, 8])
    found = network_outputs(weights, images)
    assert found.shape == (6, 40, 4)
    for one, seed in enumerate((3, 8)):
        for fit in range(3):
            network = plain_fit(images[one], labels[one, fit], seed)
            with torch.no_grad():
                shown = network(torch.as_tensor(images[one], dtype=torch.float32)).numpy()
            assert found[3 * one + fit] == pytest.approx(shown, rel=1e-3, abs=1e-5)


def test_labels_alone_make_the_networks_of_a_set_differ():
    images, labels = data()
    labels[:, 1] = labels[:, 0]
    outputs = network_outputs(fit_networks(images, labels, **SETTING, seeds=[3, 8]), images)
    assert outputs[0] == pytest.approx(outputs[1], abs=1e-6)
    assert not np.allclose(outputs[0], outputs[2])
    alone = network_outputs(
        fit_networks(images[1:], labels[1:, 2:], **SETTING, seeds=[8]), images[1]
    )
    assert alone[0] == pytest.approx(outputs[5], rel=1e-4, abs=1e-5)


def test_training_approaches_its_labels():
    images, labels = data(1, 1)
    setting = SETTING | {"width": 100, "n_steps": 2000, "batch_size": 40}
    weights = fit_networks(images, labels, **setting, seeds=[1])
    assert network_outputs(weights, images)[0] == pytest.approx(labels[0, 0], abs=1e-2)


def test_outputs_of_the_same_images_or_of_a_set_each():
    images, labels = data()
    weights = fit_networks(images, labels, **SETTING, seeds=[3, 8])
    shared = network_outputs(weights, images[0])
    own = network_outputs(weights, images)
    assert np.array_equal(shared[:3], own[:3])
    assert not np.allclose(shared[3:], own[3:])
    for bad in (images[:, :, :5], np.ones((4, 3, 6)), np.ones(6)):
        with pytest.raises(ValueError, match="images must have shape"):
            network_outputs(weights, bad)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be"),
        ({"n_steps": 0}, "n_steps must be"),
        ({"batch_size": 41}, "batch_size must be an integer >= 1 and <= 40"),
        ({"learning_rate": 0.0}, "learning_rate must be"),
        ({"seeds": [1]}, "seeds must have one entry for each of 2 sets"),
        ({"seeds": [1, -1]}, r"seeds\[1\] must be"),
        ({"labels": np.ones((2, 3, 39, 4))}, r"labels must have shape \(2, n_fits, 40, n_outputs"),
        ({"labels": np.ones((2, 0, 40, 4))}, "labels must have shape"),
        ({"images": np.full((2, 40, 6), np.inf)}, "images must be finite"),
    ],
)
def test_bad_input(change, message):
    images, labels = data()
    arguments = {"images": images, "labels": labels, **SETTING, "seeds": [1, 2], **change}
    with pytest.raises(ValueError, match=message):
        fit_networks(**arguments)
