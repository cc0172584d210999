"""Modules as networks of flat vectors, against the modules themselves; CIFAR-10 on tiny files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from fragile_learning.bayes import approximations, attacks, models, modules, samplers  # noqa: E402
from fragile_learning.bayes.modules import ModuleNetwork, resnet18  # noqa: E402
from fragile_learning.bayes.predict import Posterior  # noqa: E402

F64 = torch.float64


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def module(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3)
        ).double()


def network():
    return ModuleNetwork(module(), input_shape=(2, 4, 4), shift=0.3, scale=0.5)


def test_outputs_are_those_of_the_modules():
    net, singles = network(), [module(seed) for seed in (1, 2, 3)]
    vectors = torch.cat([net.vector(single) for single in singles])
    assert vectors.shape == (3, net.n_parameters)
    assert net.n_parameters == sum(p.numel() for p in singles[0].parameters())
    shared, paired = random(5, 2, 4, 4), random(3, 5, 2, 4, 4, seed=1)
    for inputs in (shared, paired):
        rows = inputs if inputs.ndim == 5 else [inputs] * 3
        expected = [one((x - 0.3) / 0.5).detach() for one, x in zip(singles, rows, strict=True)]
        torch.testing.assert_close(net.logits(vectors, inputs), torch.stack(expected))
        body = [one[:-1]((x - 0.3) / 0.5).detach() for one, x in zip(singles, rows, strict=True)]
        torch.testing.assert_close(net.features(vectors, inputs), torch.stack(body))
    # the last layer is where Laplace's approximation looks for it
    last = net.unpack(vectors)[-1]
    torch.testing.assert_close(last(net.features(vectors, shared)), net.logits(vectors, shared))


def test_the_prior_knows_the_layers():
    net = network()
    prior = models.GaussianPrior.by_fan_in(net, gain=2.0, bias_std=0.1)
    assert prior.weight_stds == pytest.approx([(2 / 18) ** 0.5, 2**0.5, (2 / 16) ** 0.5])
    stds = prior.standard_deviations(net, dtype=F64)
    expected = [(2 / 18) ** 0.5] * 72 + [0.1] * 12 + [(2 / 16) ** 0.5] * 48 + [0.1] * 3
    assert stds.tolist() == pytest.approx(expected)


def test_a_perceptron_as_a_module_is_the_perceptron():
    mlp = models.MLP(input_shape=(6,), widths=(5,), n_outputs=3, shift=0.2, scale=0.5)
    net = ModuleNetwork(
        nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)),
        input_shape=(6,),
        shift=0.2,
        scale=0.5,
    )
    assert net.layers == mlp.layers
    weights, data = (
        random(4, mlp.n_parameters),
        models.make_data(random(9, 6), torch.arange(9) % 3, network=mlp, dtype=F64),
    )
    prior = models.GaussianPrior.by_fan_in(mlp)
    one, other = (samplers.joint_density(kind, data, prior) for kind in (mlp, net))
    for found, expected in zip(other(weights), one(weights), strict=True):
        torch.testing.assert_close(found, expected)
    found = [
        approximations.last_layer_laplace(kind, weights[0], data, prior).precision
        for kind in (mlp, net)
    ]
    torch.testing.assert_close(found[1], found[0])
    rows = torch.arange(8).view(4, 2)
    found = [models.minibatch_gradient(kind, data, prior)(weights, rows) for kind in (mlp, net)]
    torch.testing.assert_close(found[1], found[0])
    x, y = torch.rand(9, 6, dtype=F64, generator=torch.Generator().manual_seed(3)), data.labels
    found = [attacks.pgd(Posterior(kind, weights), x, y, radius=0.1) for kind in (mlp, net)]
    torch.testing.assert_close(found[1].inputs, found[0].inputs)


def test_everything_that_needs_no_layers_runs():
    net = network()
    data = models.make_data(random(12, 2, 4, 4), torch.arange(12) % 3, network=net)
    prior = models.GaussianPrior.by_fan_in(net)
    config = approximations.FitConfig(n_epochs=2, batch_size=6)
    members = approximations.deep_ensemble(net, data, prior, n_members=2, config=config, rng=1)
    start = members.parameters
    draws = samplers.hmc(
        samplers.joint_density(net, data, prior), start, n_draws=3, step_size=0.01, rng=1
    ).draws
    assert bool(draws.isfinite().all())
    law = approximations.fsvi(
        net, data, prior, context=data.inputs, n_context=4, config=config, rng=1
    )
    assert law.sample(2, rng=1)(data.inputs).shape == (2, 12, 3)
    for fit in (approximations.mfvi, approximations.mc_dropout):
        with pytest.raises(TypeError, match="network must be an MLP or a CNN here"):
            fit(net, data, prior, config=config, rng=1)
    with pytest.raises(TypeError, match="network must be an MLP or a CNN here"):
        net.between(0, data.inputs)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda x: x, TypeError, "module must be a torch.nn.Module, got function"),
        (nn.Sequential(nn.Linear(6, 3), nn.ReLU()), TypeError, "got ReLU"),
        (nn.Linear(6, 3), TypeError, "as its last submodule"),
        (nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 3)), TypeError, "got batch norm.* at '0'"),
    ],
)
def test_wrong_modules_are_refused(wrong, error, words):
    with pytest.raises(error, match=words):
        ModuleNetwork(wrong, input_shape=(6,))


def test_wrong_shapes_are_refused():
    net = network()
    with pytest.raises(ValueError, match="parameters must have the shape"):
        net.logits(random(2, 3), random(5, 2, 4, 4))
    with pytest.raises(ValueError, match="inputs must have the shape"):
        net.logits(random(2, net.n_parameters), random(5, 2, 4))
    with pytest.raises(ValueError, match="scale must be finite and > 0"):
        ModuleNetwork(module(), input_shape=(2, 4, 4), scale=0.0)


# --- residual network -----------------------------------------------------------------------------


def test_numbers_of_weights_of_the_residual_network():
    # 3x3 convolutions, shortcuts, two parameters a normalised channel, the dense layer
    assert resnet18().n_parameters == 11_173_962  # the count of the usual variant for 32 x 32
    sizes = [4, 4, 8, 16, 32]
    count = 27 * 4 + 2 * 4 + 32 * 5 + 5
    for before, after, first in zip(sizes, sizes[1:], (True, False, False, False), strict=False):
        count += 9 * before * after + 3 * 9 * after**2 + 8 * after
        count += 0 if first else before * after + 2 * after
    assert resnet18(5, width=4).n_parameters == count


def test_an_input_does_not_see_the_others():
    net = resnet18(3, width=2, size=8)
    weights = 0.3 * random(2, net.n_parameters).float()
    x = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    whole = net.logits(weights, x)
    assert whole.shape == (2, 4, 3)
    torch.testing.assert_close(net.logits(weights, x[1:2]), whole[:, 1:2], rtol=1e-3, atol=1e-4)
    assert float((whole[:, 0] - whole[:, 1]).abs().max()) > 1e-3
    # at weights of mean 0 gains are 1: a network that is not stuck at 0
    weights[:, :] = 0.0
    assert float(net.logits(weights, x).abs().max()) == 0.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 0}, "width must be an integer >= 1"),
        ({"size": 4}, "size must be an integer >= 8"),
        ({"n_classes": 1}, "n_classes must be an integer >= 2"),
    ],
)
def test_wrong_residual_networks_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        resnet18(**settings)


# --- CIFAR-10 -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        labels = [int(k) for k in rng.integers(0, 10, 8)]
        pixels = rng.integers(0, 256, (8, 3072)).astype(np.uint8)
        batch = {b"data": pixels, b"labels": labels, b"batch_label": name.encode()}
        (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=2))
    return tmp_path


def test_batches_are_read(folder):
    images, labels = modules.load_cifar10(folder, train=True)
    assert images.shape == (40, 3, 32, 32)
    first = pickle.loads((folder / "data_batch_1").read_bytes())
    assert labels[:8].tolist() == first[b"labels"]
    # bytes are red, green, blue planes, row by row
    assert images[3, 1, 2, 5] == np.float32(first[b"data"][3, 1024 + 2 * 32 + 5]) / np.float32(255)
    assert len(modules.load_cifar10(folder, train=False)[1]) == 8


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


def test_files_that_are_no_batches_are_refused(folder, capsys):
    path = folder / "test_batch"
    for wrong in (
        pickle.dumps(Harm()),
        b"",
        b"text",
        pickle.dumps({b"labels": [1]}),
        pickle.dumps([1, 2]),
        pickle.dumps({b"labels": [1], b"data": np.zeros((1, 5), dtype=np.uint8)}),
    ):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="test_batch must"):
            modules.load_cifar10(folder, train=False)
    assert capsys.readouterr().out == ""
    path.unlink()
    with pytest.raises(FileNotFoundError):
        modules.load_cifar10(folder, train=False)


@pytest.mark.parametrize("method", ["deterministic", "ensemble", "Laplace", "SGLD"])
def test_the_whole_evaluation_runs(folder, method):
    report = modules.evaluate_cifar(
        folder,
        method=method,
        width=2,
        n_train=16,
        n_test=6,
        n_samples=2,
        config=approximations.FitConfig(n_epochs=1, batch_size=8),
        radii=(0.03,),
        n_steps=4,
        rng=1,
    )
    assert (report.n_inputs, report.n_classes) == (6, 10)
    assert report.n_samples == (1 if method == "deterministic" else 2)
    with pytest.raises(ValueError, match="method must be"):
        modules.evaluate_cifar(folder, method="other", rng=1)
