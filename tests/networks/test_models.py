"""Gradients written by hand, against automatic differentiation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from fragile_learning.networks import models  # noqa: E402


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_gradients_are_those_of_automatic_differentiation():
    weights = models.initialise(6, 5, 3, generators=generators(1, 2))
    images = torch.rand(2, 8, 6, generator=torch.Generator().manual_seed(3))
    labels = torch.rand(2, 8, 3, generator=torch.Generator().manual_seed(4))
    leaves = [tensor.clone().requires_grad_() for tensor in weights]
    hidden = torch.relu(images @ leaves[0] + leaves[1])
    loss = ((hidden @ leaves[2] + leaves[3] - labels) ** 2).mean(dim=(1, 2)).sum()
    for found, expected in zip(
        models.gradients(weights, images, labels), torch.autograd.grad(loss, leaves), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_initial_weights_have_the_stated_scale():
    weights = models.initialise(50, 400, 30, generators=generators(1))
    assert float(weights.first.var()) == pytest.approx(2 / 50, rel=0.05)
    assert float(weights.second.var()) == pytest.approx(1 / 400, rel=0.05)
    assert float(weights.first_bias.abs().max()) == 0.0
