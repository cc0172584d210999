"""Code that takes a device computes there: no operation mixes tensors of two devices.

The other device is made up, for there is no GPU where these tests run. Its tensors say "meta" and
hold numbers on the CPU all the same, so that the results can be compared; what a GPU refuses, it
refuses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves, tree_map  # noqa: E402

from fragile_learning.bayes.trained_experiments import convolutional_point  # noqa: E402
from fragile_learning.strong_collapse.image_experiments import (  # noqa: E402
    two_layer_networks_point,
)

ATEN = torch.ops.aten
MOVES = (ATEN._to_copy.default, ATEN.copy_.default)
INDEXES = (ATEN.index.Tensor, ATEN.index_put_.default, ATEN._index_put_impl_.default)


class Elsewhere(torch.Tensor):
    """A tensor of the other device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device="meta",
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


def compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Do an operation on the numbers that are held, unless a GPU would refuse it."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [one for one in tensors if isinstance(one, Elsewhere)]
    here = [one for one in tensors if not isinstance(one, Elsewhere) and one.ndim]
    asked = kwargs.get("device")
    to_there = bool(there) if asked is None else torch.device(asked).type == "meta"
    if there and here and func not in MOVES:
        by_rows = func in INDEXES and isinstance(args[0], Elsewhere)
        if not (by_rows and not any(one.is_floating_point() for one in here)):
            raise RuntimeError(f"{func} mixes tensors of two devices")
    if to_there and kwargs.get("generator") is not None:
        raise RuntimeError(f"{func} draws on one device with a generator of another")
    if to_there and asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    found = func(*tree_map(bare, args), **tree_map(bare, kwargs))
    if func._schema.name.endswith("_") and isinstance(args[0], torch.Tensor):
        return args[0]  # changed in place
    return tree_map(away, found) if to_there else found


def bare(value: Any) -> Any:
    return value.held if isinstance(value, Elsewhere) else value


def away(value: Any) -> Any:
    return Elsewhere(value) if isinstance(value, torch.Tensor) else value


class OtherDevice(TorchDispatchMode):
    """While it lasts, "meta" is a device that computes."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


@pytest.fixture
def other_device(monkeypatch):
    adam = torch.optim.Adam  # the fused one knows devices by their names
    monkeypatch.setattr(torch.optim, "Adam", lambda *args, fused=None, **rest: adam(*args, **rest))
    with OtherDevice():
        yield "meta"


# --- the device itself ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mistake",
    [
        lambda there: there + torch.ones(3),
        lambda there: torch.ones(3)[there.long()],
        lambda there: torch.stack([there, torch.ones(3)]),
        lambda there: torch.where(torch.ones(3) > 0, there, 0.0),
        lambda there: there.numpy(),
        lambda there: np.asarray(there),
        lambda there: torch.rand(3, generator=torch.Generator(), device=there.device),
    ],
)
def test_the_other_device_refuses_what_a_gpu_refuses(mistake, other_device):
    with pytest.raises((RuntimeError, TypeError)):
        mistake(torch.zeros(3, device=other_device))


def test_the_other_device_computes(other_device):
    there = torch.arange(3.0, device=other_device).requires_grad_()
    (slope,) = torch.autograd.grad((there**2 + torch.tensor(1.0)).sum(), there)
    assert there.device == slope.device == torch.zeros(1, device=other_device).device
    assert slope.cpu().tolist() == [0.0, 2.0, 4.0]
    assert float(there.detach()[torch.tensor([2])]) == 2.0


# --- experiments that take a device ---------------------------------------------------------------

CONVOLUTIONAL = {
    "replicate": 0,
    "side": 10,
    "kernel": 3,
    "n_train": 60,
    "n_test": 30,
    "n_warmup": 4,
    "n_draws": 8,
    "max_steps": 3,
    "n_samples": 4,
    "n_epochs": 15,
    "radii": (0.2,),
    "n_steps": 4,
    "batch_size": 16,
    "source": "fashion-mnist-mini",
}
NETWORKS = {
    "data": "digits",
    "width": 12,
    "n_samples": 100,
    "n_steps": 20,
    "batch_size": 50,
    "learning_rate": 3e-3,
    "synthetic_fractions": (0.0, 0.5),
    "n_generator_images": 40,
    "n_generator_steps": 20,
    "n_test": 200,
    "n_seeds": 2,
}


@pytest.mark.parametrize(
    ("point", "values"),
    [
        (convolutional_point, CONVOLUTIONAL | {"method": "deterministic"}),
        (convolutional_point, CONVOLUTIONAL | {"method": "HMC"}),
        (two_layer_networks_point, NETWORKS),
    ],
)
def test_a_point_is_the_same_on_another_device(point, values, other_device):
    here, there = (
        point(**values, device=device, rng=np.random.default_rng(1))
        for device in ("cpu", other_device)
    )
    for one, other in zip(here, there, strict=True):
        words = {name for name, value in one.items() if isinstance(value, str)}
        assert {name: other.pop(name) for name in words} == {name: one.pop(name) for name in words}
        # sums are taken in another order, and chains feel it: a few ranks of images may differ
        assert other == pytest.approx(one, rel=0.02, abs=0.02, nan_ok=True)
