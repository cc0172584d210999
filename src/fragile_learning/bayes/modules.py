"""Any module of torch as a network of flat weight vectors, and a residual network for small images.

What samples, fits or attacks a `models.Network` takes a `ModuleNetwork` too, with two exceptions:
mean-field variational inference and dropout change what happens inside layers, which a module does
not show.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fragile_learning._validation import as_generator, choice, whole_number
from fragile_learning.bayes.approximations import (
    FitConfig,
    deep_ensemble,
    last_layer_laplace,
    map_estimate,
)
from fragile_learning.bayes.evaluate import EvaluationData, RobustnessReport, robustness_report
from fragile_learning.bayes.models import (
    GaussianPrior,
    Layer,
    Network,
    _check_network,
    make_data,
    minibatch_gradient,
)
from fragile_learning.bayes.predict import Posterior
from fragile_learning.bayes.samplers import Rng, sgld

__all__ = ["ModuleNetwork", "evaluate_cifar", "load_cifar10", "resnet18"]


class ModuleNetwork(Network):
    """A module of torch as a pure function of one flat vector of all its parameters.

    Parameters
    ----------
    module : torch.nn.Module
        From inputs ``(n, *input_shape)`` to outputs (n, n_outputs), each row by itself. It is
        copied, and its own parameters are not used. Its last submodule must be a dense layer
        (`torch.nn.Linear`) that gives the outputs.
    input_shape : tuple of int
        Of one input.
    shift, scale : float
        Inputs are standardised, ``(x - shift) / scale``; scale > 0.

    Attributes
    ----------
    n_outputs : int
        Of the last layer.

    Raises
    ------
    TypeError, ValueError
        If the module has no dense last layer, or shares statistics between inputs (batch
        normalisation): then no input has a likelihood of its own.

    Notes
    -----
    The vector holds the submodules in their order, of each first the weights (dense ones as
    ``(n_inputs, n_outputs)``), then its one-dimensional parameters, which a prior takes for biases.

    Examples
    --------
    >>> module = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 3))
    >>> network = ModuleNetwork(module, input_shape=(3, 2, 2))
    >>> network.n_parameters, network.logits(torch.zeros(4, 83), torch.rand(7, 3, 2, 2)).shape
    (83, torch.Size([4, 7, 3]))
    """

    __slots__ = (
        "_body",
        "_layers",
        "_module",
        "_names",
        "input_shape",
        "n_outputs",
        "scale",
        "shift",
    )

    def __init__(
        self,
        module: nn.Module,
        *,
        input_shape: tuple[int, ...],
        shift: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
        submodules = dict(module.named_modules())
        for name, part in submodules.items():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                raise TypeError(
                    f"module must treat inputs one by one, got batch normalisation at {name!r}; "
                    "group normalisation does"
                )
        last = list(submodules)[-1]
        final = submodules[last]
        if not isinstance(final, nn.Linear) or not last:
            raise TypeError(
                "module must end with a torch.nn.Linear as its last submodule, got "
                f"{type(final).__name__}"
            )
        self.input_shape, self.n_outputs = input_shape, final.out_features
        self.shift, self.scale = shift, scale
        _check_network(self)
        self._module = copy.deepcopy(module).eval().requires_grad_(False)
        self._body = copy.deepcopy(self._module)
        parent, _, own = last.rpartition(".")
        setattr(self._body.get_submodule(parent), own, nn.Identity())
        self._names: list[tuple[str, tuple[int, ...]]] = []
        self._layers: tuple[Layer, ...] = ()
        for name, part in submodules.items():
            held = list(part.named_parameters(prefix=name, recurse=False))
            weights = [(key, value) for key, value in held if value.ndim > 1]
            others = [(key, value) for key, value in held if value.ndim <= 1]
            self._names += [(key, tuple(value.shape)) for key, value in weights + others]
            found = [_layer(value) for _, value in weights]
            n_biases = sum(value.numel() for _, value in others)
            if n_biases and found:
                found[-1] = found[-1]._replace(n_biases=n_biases)
            elif n_biases:
                found = [Layer((0,), 1, n_biases)]
            self._layers += tuple(found)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Shapes of the weights in the order of the vector; (0,) where a module has only biases."""
        return self._layers

    def between(self, *_arguments: Any, **_settings: Any) -> Tensor:
        """Raise a TypeError: a module does not show what happens between its layers."""
        raise TypeError(_HIDDEN)

    def run(self, *_arguments: Any, **_settings: Any) -> Tensor:
        """Raise a TypeError: the layers of a module cannot be replaced."""
        raise TypeError(_HIDDEN)

    def logits(
        self,
        parameters: Tensor,
        inputs: Tensor,
        *,
        change: Callable[[int, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Compute the outputs of each network on each input; see `models.Network.logits`.

        Raises
        ------
        TypeError
            If ``change`` is given.
        """
        if change is not None:
            raise TypeError(_HIDDEN)
        return self._call(self._module, parameters, inputs)

    def features(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Compute what the last layer sees, shape (n_samples, n, n_features)."""
        return self._call(self._body, parameters, inputs)

    def vector(self, module: nn.Module) -> Tensor:
        """Flat parameters of a module of the same kind, shape (1, n_parameters)."""
        held = dict(module.named_parameters())
        parts = [held[name].detach() for name, _ in self._names]
        return torch.cat([(part.mT if part.ndim == 2 else part).flatten() for part in parts])[None]

    def _call(self, module: nn.Module, parameters: Tensor, inputs: Tensor) -> Tensor:
        self.unpack(parameters)  # checks the shape
        rank = len(self.input_shape)
        if inputs.ndim - rank not in (1, 2) or inputs.shape[-rank:] != self.input_shape:
            raise ValueError(
                f"inputs must have the shape (n, *{self.input_shape}) or (n_samples, n, "
                f"*{self.input_shape}), got {tuple(inputs.shape)}"
            )
        known = {name for name, _ in module.named_parameters()}

        def one(vector: Tensor, x: Tensor) -> Tensor:
            held = {}
            parts = torch.split(vector, [math.prod(shape) for _, shape in self._names])
            for (name, shape), part in zip(self._names, parts, strict=True):
                if name in known:
                    dense = len(shape) == 2
                    held[name] = part.view(shape[::-1]).mT if dense else part.view(shape)
            found: Tensor = torch.func.functional_call(module, held, (x,))
            return found

        standard = (inputs - self.shift) / self.scale
        paired = 0 if inputs.ndim - rank == 2 else None
        found: Tensor = torch.func.vmap(one, in_dims=(0, paired))(parameters, standard)
        return found


_HIDDEN = (
    "network must be an MLP or a CNN here: mean-field inference and dropout work inside layers, "
    "which a ModuleNetwork does not show"
)


def _layer(weight: Tensor) -> Layer:
    """Shape of a weight of a module, dense ones as (n_inputs, n_outputs)."""
    shape = tuple(weight.shape[::-1]) if weight.ndim == 2 else tuple(weight.shape)
    return Layer(shape, math.prod(weight.shape[1:]), 0)


# --- a residual network ---------------------------------------------------------------------------


class _Norm(nn.Module):
    """Group normalisation whose gain is stored less 1: weights of mean 0 leave it at 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.groups = max(1, channels // 16)
        self.gain, self.bias = (nn.Parameter(torch.zeros(channels)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return functional.group_norm(x, self.groups, 1.0 + self.gain, self.bias)


def _convolution(n_in: int, n_out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False), _Norm(n_out)
    )


class _Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(n_in, n_out, 3, stride)
        self.second = _convolution(n_out, n_out, 3, 1)
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(n_in, n_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(x).relu()) + self.shortcut(x)
        return found.relu()


class _ResNet(nn.Module):
    def __init__(self, n_classes: int, width: int, channels: int) -> None:
        super().__init__()
        self.stem = _convolution(channels, width, 3, 1)
        blocks, n_in = [], width
        for stage in range(4):
            n_out = width * 2**stage
            blocks += [_Block(n_in, n_out, 1 if stage == 0 else 2), _Block(n_out, n_out, 1)]
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(n_in, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.blocks(self.stem(x).relu()).mean(dim=(2, 3))
        found: Tensor = self.last(pooled)
        return found


def resnet18(
    n_classes: int = 10,
    *,
    width: int = 64,
    channels: int = 3,
    size: int = 32,
    shift: float = 0.5,
    scale: float = 0.25,
) -> ModuleNetwork:
    """Residual network of 18 layers for small images.

    Parameters
    ----------
    n_classes : int
        >= 2.
    width : int
        Channels of the first of four stages, >= 1; each further stage has twice as many.
    channels, size : int
        Of an image, (channels, size, size); ``size`` >= 8.
    shift, scale : float
        See `ModuleNetwork`.

    Returns
    -------
    ModuleNetwork

    Notes
    -----
    The usual variant for images of 32 x 32 pixels: a first convolution of 3 x 3 without stride, no
    pooling after it. Groups of 16 channels are normalised where the original normalises over the
    batch: with batch statistics the label of an input depends on the other inputs, so that the
    joint density is no product and an attack on one input changes the others. Gains are stored
    less 1, because priors have mean 0.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016. Wu and He, "Group
    normalization", ECCV 2018.

    Examples
    --------
    >>> resnet18(width=64).n_parameters
    11173962
    """
    classes, side = whole_number("n_classes", n_classes, minimum=2), whole_number("size", size)
    if side < 8:
        raise ValueError(f"size must be an integer >= 8, got {size!r}")
    colours = whole_number("channels", channels)
    module = _ResNet(classes, whole_number("width", width), colours)
    return ModuleNetwork(module, input_shape=(colours, side, side), shift=shift, scale=scale)


# --- CIFAR-10 -------------------------------------------------------------------------------------


class _Arrays(pickle.Unpickler):
    """Reads arrays, lists and dictionaries, and runs nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy.core.numeric", "_frombuffer"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a CIFAR-10 batch")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_cifar10(
    folder: Path | str, *, train: bool
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read images of CIFAR-10 from the "Python version" of the data set, unpacked.

    Parameters
    ----------
    folder : path
        With ``data_batch_1`` to ``data_batch_5`` and ``test_batch``.
    train : bool
        The five training batches, or the test batch.

    Returns
    -------
    images : ndarray of float32, shape (n, 3, 32, 32)
        In [0, 1].
    labels : ndarray of int64, shape (n,)

    Raises
    ------
    FileNotFoundError
        If a batch is missing.
    ValueError
        If a file is not such a batch. Nothing in a file is executed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> batch = {b"data": np.zeros((2, 3072), dtype=np.uint8), b"labels": [3, 5]}
    >>> with TemporaryDirectory() as folder:  # in place of the data set's own folder
    ...     _ = (Path(folder) / "test_batch").write_bytes(pickle.dumps(batch))
    ...     images, labels = load_cifar10(folder, train=False)
    >>> images.shape, labels
    ((2, 3, 32, 32), array([3, 5]))
    """
    names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
    images, labels = [], []
    for name in names:
        path = Path(folder) / name
        try:
            with path.open("rb") as file:
                batch = _Arrays(file, encoding="bytes").load()
            pixels, classes = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
        except (pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
            raise ValueError(f"{path} must be a batch of CIFAR-10, got {error}") from error
        if pixels.dtype != np.uint8 or pixels.shape != (len(classes), 3072):
            raise ValueError(
                f"{path} must hold {len(classes)} rows of 3072 bytes, got {pixels.shape} of "
                f"{pixels.dtype}"
            )
        images.append(pixels.reshape(-1, 3, 32, 32).astype(np.float32) / 255.0)
        labels.append(classes.astype(np.int64))
    return np.concatenate(images), np.concatenate(labels)


def evaluate_cifar(
    folder: Path | str,
    *,
    method: Literal["deterministic", "ensemble", "Laplace", "SGLD"] = "ensemble",
    width: int = 64,
    n_train: int | None = None,
    n_test: int = 1000,
    n_samples: int = 5,
    config: FitConfig | None = None,
    step_size: float = 1e-6,
    radii: Sequence[float] = (2 / 255, 4 / 255, 8 / 255),
    n_steps: int = 20,
    shifted: Tensor | None = None,
    batch_size: int = 100,
    device: str = "cpu",
    rng: Rng,
) -> RobustnessReport:
    """Fit a Bayesian residual network to CIFAR-10 and attack it: accuracy, detection, shift.

    For who has the data set; the default sizes want a GPU. Tested on small networks only: neither
    the step size nor the number of epochs has been tuned on the data set.

    Parameters
    ----------
    folder : path
        See `load_cifar10`.
    method : {"deterministic", "ensemble", "Laplace", "SGLD"}
        One network; ``n_samples`` of them; one with a normal law of its last layer; Langevin
        dynamics of ``n_samples`` chains, from the members of an ensemble, one epoch long.
    width : int
        See `resnet18`.
    n_train, n_test : int, optional
        Images, the first of the set; None: all.
    n_samples : int
        >= 1, of weights.
    config : FitConfig, optional
    step_size : float
        > 0, of Langevin dynamics in whitened weights.
    radii, n_steps, batch_size
        See `evaluate.robustness_report`.
    shifted : Tensor, shape (n, 3, 32, 32), optional
        Inputs of another kind, in [0, 1]; see `evaluate.EvaluationData`.
    device : str
        As PyTorch names it.
    rng : Generator, SeedSequence or int

    Returns
    -------
    RobustnessReport

    Notes
    -----
    The published configuration of function-space inference on this data set is another one; see the
    chapter's list of differences.
    """
    choice("method", method, ("deterministic", "ensemble", "Laplace", "SGLD"))
    count, generator = whole_number("n_samples", n_samples), as_generator(rng)
    network = resnet18(width=width)
    prior = GaussianPrior.by_fan_in(network)
    images, labels = load_cifar10(folder, train=True)
    data = make_data(images[:n_train], labels[:n_train], network=network, device=device)
    settings = config or FitConfig(batch_size=128)
    if method in ("deterministic", "Laplace"):
        posterior = map_estimate(network, data, prior, config=settings, rng=generator)
    else:
        posterior = deep_ensemble(
            network, data, prior, n_members=count, config=settings, rng=generator
        )
    if method == "Laplace":
        point = posterior.parameters[0]
        law = last_layer_laplace(network, point, data, prior, batch_size=batch_size)
        posterior = law.sample(count, rng=generator)
    elif method == "SGLD":
        chains = sgld(
            minibatch_gradient(network, data, prior),
            posterior.parameters,
            n_data=len(data.inputs),
            batch_size=settings.batch_size,
            n_draws=1,
            thinning=max(1, len(data.inputs) // settings.batch_size),
            step_size=step_size,
            preconditioner=prior.standard_deviations(network, device=device) ** 2,
            rng=generator,
        )
        posterior = Posterior.from_draws(network, chains.draws)
    images, labels = load_cifar10(folder, train=False)
    seen = make_data(images[:n_test], labels[:n_test], network=network, device=device)
    return robustness_report(
        posterior,
        EvaluationData(seen.inputs, seen.labels, shifted),
        radii=radii,
        n_steps=n_steps,
        batch_size=batch_size,
        rng=generator,
    )
