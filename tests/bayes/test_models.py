"""Batched networks against layers one by one; densities against torch's own distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from fragile_learning.bayes import models  # noqa: E402
from fragile_learning.bayes.models import CNN, MLP, Gaussian, GaussianPrior  # noqa: E402

F64 = torch.float64
NETWORKS = {
    "mlp": MLP(input_shape=(2, 3), widths=(5, 4), n_outputs=3, shift=0.2, scale=0.5),
    "leaky": MLP(input_shape=(6,), widths=(5, 4), n_outputs=3, slope=0.1),
    "linear": MLP(input_shape=(6,), widths=(), n_outputs=3, bias=False),
    "cnn": CNN(input_shape=(2, 12, 10), channels=(3, 4), kernel=3, n_outputs=3, shift=0.1),
}


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def by_module(network, vector, inputs):
    """One sample, by layers of torch."""
    hidden, start = (inputs - network.shift) / network.scale, 0
    layers = network.layers
    if isinstance(network, MLP):
        hidden = hidden.flatten(1)
    for i, layer in enumerate(layers):
        if len(layer.weight_shape) == 2:
            n_in, n_out = layer.weight_shape
            module = nn.Linear(n_in, n_out, bias=bool(layer.n_biases), dtype=F64)
        else:
            n_out, n_in, side, _ = layer.weight_shape
            module = nn.Conv2d(n_in, n_out, side, dtype=F64)
        weight = vector[start : start + layer.n_weights].view(layer.weight_shape)
        start += layer.n_weights
        with torch.no_grad():
            module.weight.copy_(weight.T if weight.ndim == 2 else weight)
            if layer.n_biases:
                module.bias.copy_(vector[start : start + layer.n_biases])
        start += layer.n_biases
        hidden = module(hidden)
        if i < len(layers) - 1:
            slope = network.slope if isinstance(network, MLP) else 0.0
            hidden = nn.LeakyReLU(slope)(hidden)
            if hidden.ndim == 4:
                hidden = nn.AvgPool2d(2)(hidden)
                hidden = hidden.flatten(1) if i == len(layers) - 2 else hidden
    assert start == len(vector)
    return hidden.detach()


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_networks_one_by_one(name):
    network = NETWORKS[name]
    parameters = random(3, network.n_parameters)
    shared = random(7, *network.input_shape, seed=1)
    paired = random(3, 7, *network.input_shape, seed=2)
    found = network.logits(parameters, shared)
    assert found.shape == (3, 7, 3)
    torch.testing.assert_close(
        found, torch.stack([by_module(network, row, shared) for row in parameters])
    )
    torch.testing.assert_close(
        network.logits(parameters, paired),
        torch.stack([by_module(network, *pair) for pair in zip(parameters, paired, strict=True)]),
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_of_the_features_gives_the_outputs(name):
    network = NETWORKS[name]
    parameters = random(2, network.n_parameters)
    inputs = random(4, *network.input_shape, seed=1)
    features = network.features(parameters, inputs)
    last = network.layers[-1]
    assert features.shape == (2, 4, last.weight_shape[0])
    tail = parameters[:, -network.n_last :]
    found = features @ tail[:, : last.n_weights].view(2, *last.weight_shape)
    if last.n_biases:
        found = found + tail[:, None, last.n_weights :]
    torch.testing.assert_close(found, network.logits(parameters, inputs))


def test_outputs_are_differentiable_in_the_inputs():
    network = NETWORKS["mlp"]
    parameters = random(2, network.n_parameters)
    inputs = random(3, 2, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: network.logits(parameters, x), inputs)


def test_numbers_of_weights():
    assert MLP(input_shape=(196,)).n_parameters == 6634
    assert CNN(input_shape=(1, 28, 28)).n_parameters == 5994


def test_the_joint_density_is_that_of_torch():
    network = NETWORKS["mlp"]
    prior = GaussianPrior((0.3, 0.5, 2.0), (0.1, 0.2, 0.4))
    parameters = random(4, network.n_parameters)
    data = models.make_data(
        random(6, 2, 3, seed=1).numpy(), [0, 1, 2, 2, 1, 0], network=network, dtype=F64
    )
    stds = prior.standard_deviations(network, dtype=F64)
    assert stds[[0, 29, 30, 34, 35, 55, 59, 71]].tolist() == [0.3, 0.3, 0.1, 0.1, 0.5, 0.2, 2, 0.4]
    expected = torch.distributions.Normal(0.0, stds).log_prob(parameters).sum(1)
    logits = network.logits(parameters, data.inputs)
    expected += torch.distributions.Categorical(logits=logits).log_prob(data.labels).sum(1)
    found = models.log_joint(network, parameters, data, prior)
    torch.testing.assert_close(found, expected)
    cold = models.log_joint(network, parameters, data, prior, temperature=0.1)
    torch.testing.assert_close(cold, 10 * expected)


def test_the_likelihood_of_a_regression_is_that_of_torch():
    network = NETWORKS["linear"]
    parameters = random(4, network.n_parameters)
    data = models.make_data(random(5, 6, seed=1), random(5, 3, seed=2), network=network, dtype=F64)
    found = models.log_likelihoods(network, parameters, data, likelihood=Gaussian(0.7))
    law = torch.distributions.Normal(network.logits(parameters, data.inputs), 0.7)
    torch.testing.assert_close(found, law.log_prob(data.labels).sum(2))


def test_sums_of_a_float32_network_are_taken_in_float64():
    network = MLP(input_shape=(1,), widths=(), n_outputs=2, bias=False)
    data = models.make_data(torch.ones(1000, 1), torch.zeros(1000, dtype=int), network=network)
    one = models.log_likelihoods(network, torch.tensor([[0.3, 0.1]]), data)
    joint = models.log_joint(
        network, torch.tensor([[0.3, 0.1]]), data, GaussianPrior((1.0,), (1.0,))
    )
    assert joint.dtype == F64
    assert float(joint[0]) == pytest.approx(
        1000 * float(one[0, 0]) - 0.05 - math.log(2 * math.pi), abs=1e-6
    )


def test_minibatch_gradients_have_the_right_mean():
    network = NETWORKS["mlp"]
    prior = GaussianPrior.by_fan_in(network)
    data = models.make_data(random(6, 2, 3, seed=1), [0, 1, 2, 2, 1, 0], network=network, dtype=F64)
    parameters = random(1, network.n_parameters).requires_grad_()
    (expected,) = torch.autograd.grad(
        models.log_joint(network, parameters, data, prior).sum(), parameters
    )
    gradient = models.minibatch_gradient(network, data, prior)
    parts = [gradient(parameters, torch.tensor([[i, i + 1]])) for i in (0, 2, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(0), expected)
    both = gradient(parameters.expand(2, -1), torch.tensor([[0, 1], [4, 5]]))
    torch.testing.assert_close(both, torch.cat([parts[0], parts[2]]))


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"input_shape": [4]}, TypeError, "input_shape"),
        ({"input_shape": ()}, ValueError, "input_shape"),
        ({"input_shape": (0,)}, ValueError, r"input_shape\[0\] must be an integer >= 1, got 0"),
        ({"input_shape": (4,), "widths": [3]}, TypeError, "widths"),
        ({"input_shape": (4,), "widths": (2.0,)}, TypeError, r"widths\[0\]"),
        ({"input_shape": (4,), "n_outputs": 0}, ValueError, "n_outputs"),
        ({"input_shape": (4,), "bias": 1}, TypeError, "bias"),
        ({"input_shape": (4,), "scale": 0.0}, ValueError, "scale must be finite and > 0"),
        ({"input_shape": (4,), "shift": math.nan}, ValueError, "shift"),
        ({"input_shape": (4,), "slope": 1.5}, ValueError, "slope must be finite and >= 0 and <= 1"),
    ],
)
def test_a_wrong_perceptron_is_refused(settings, error, words):
    with pytest.raises(error, match=words):
        MLP(**settings)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"input_shape": (28, 28)}, ValueError, "input_shape"),
        ({"input_shape": (1, 28, 28), "channels": ()}, ValueError, "channels"),
        ({"input_shape": (1, 28, 28), "channels": [8]}, TypeError, "channels"),
        ({"input_shape": (1, 8, 8)}, ValueError, "kernel must leave something"),
    ],
)
def test_a_wrong_convolutional_network_is_refused(settings, error, words):
    with pytest.raises(error, match=words):
        CNN(**settings)


@pytest.mark.parametrize(
    ("inputs", "labels", "error", "words"),
    [
        (np.zeros((2, 5)), [0, 1], ValueError, r"inputs must have the shape \(n, \*\(6,\)\)"),
        (np.full((2, 6), np.nan), [0, 1], ValueError, "inputs must be finite"),
        (np.zeros((2, 6)), [0, 3], ValueError, r"labels must be in \[0, 2\], got 0 to 3"),
        (np.zeros((2, 6)), [-1, 2], ValueError, "labels must be in"),
        (np.zeros((2, 6)), [0], ValueError, r"labels must have the shape \(2,\)"),
        (np.zeros((2, 6)), [True, False], TypeError, "labels"),
        (np.zeros((2, 6)), [0.0, 1.0], ValueError, r"shape \(2, 3\)"),
        (np.zeros((2, 6)), np.full((2, 3), np.inf), ValueError, "labels must be finite"),
    ],
)
def test_wrong_data_are_refused(inputs, labels, error, words):
    with pytest.raises(error, match=words):
        models.make_data(inputs, labels, network=NETWORKS["linear"])


def test_other_wrong_arguments_are_refused():
    network = NETWORKS["linear"]
    with pytest.raises(ValueError, match=r"parameters must have the shape \(n_samples, 18\)"):
        network.logits(torch.zeros(1, 17), torch.zeros(1, 6))
    with pytest.raises(ValueError, match="inputs must have the shape"):
        network.logits(torch.zeros(1, 18), torch.zeros(6))
    with pytest.raises(TypeError, match="inputs must be floating point"):
        network.logits(torch.zeros(1, 18), torch.zeros((2, 6), dtype=int))
    with pytest.raises(ValueError, match=r"weight_stds\[0\]"):
        GaussianPrior((0.0,), (1.0,))
    with pytest.raises(TypeError, match="bias_stds"):
        GaussianPrior((1.0,), [1.0])
    with pytest.raises(ValueError, match="weight_stds and bias_stds must have 1 entries"):
        GaussianPrior((1.0, 1.0), (1.0, 1.0)).standard_deviations(network)
    with pytest.raises(ValueError, match="noise_std"):
        Gaussian(0.0)
    with pytest.raises(ValueError, match="gain"):
        GaussianPrior.by_fan_in(network, gain=-1.0)
    data = models.make_data(torch.zeros(1, 6), [0], network=network)
    with pytest.raises(ValueError, match="temperature"):
        models.log_joint(
            network, torch.zeros(1, 18), data, GaussianPrior.constant(network), temperature=0.0
        )
