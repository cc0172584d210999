"""The seven ways to a posterior that the room compares, on problems of a stated size.

Everything here is a function of a `Setting` and a seed, and is kept for as long as the process
lives: experiments that ask for the same fit share it.

Sizes are those of the book's plan. The starts matter: networks that are trained from
``0.5 N(0, 1)`` in whitened weights are more robust than from ``N(0, 1)``, so that a comparison with
them holds for this start only.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fragile_learning._validation import as_generator, choice, real_number, whole_number
from fragile_learning.bayes.approximations import (
    FitConfig,
    deep_ensemble,
    fsvi,
    last_layer_laplace,
    mc_dropout,
    mfvi,
)
from fragile_learning.bayes.attacks import Score, pgd
from fragile_learning.bayes.evaluate import EvaluationData
from fragile_learning.bayes.models import (
    CNN,
    MLP,
    Data,
    GaussianPrior,
    Network,
    make_data,
)
from fragile_learning.bayes.predict import Posterior, log_mean
from fragile_learning.bayes.samplers import HmcResult, hmc, joint_density
from fragile_learning.bayes.uncertainty import mutual_information, total_entropy
from fragile_learning.datasets import Dataset, describe, load
from fragile_learning.networks.precision import full_precision

__all__ = [
    "DIGITS_MID",
    "DIGITS_QUICK",
    "METHODS",
    "MID",
    "QUICK",
    "SETTINGS",
    "AttackExamples",
    "Method",
    "Problem",
    "Setting",
    "attack_examples",
    "hmc_run",
    "posterior",
    "problem",
]

Method = Literal[
    "deterministic", "ensemble", "dropout", "Laplace", "function space", "mean field", "HMC"
]
METHODS: tuple[Method, ...] = get_args(Method)
"""From one network to Hamiltonian Monte Carlo."""

Rng = np.random.Generator | np.random.SeedSequence | int
Source = Literal["fashion-mnist", "fashion-mnist-mini", "digits"]

# Pixels of the training parts: each network standardises its inputs itself, so that a radius is
# in the units of pixels.
_MOMENTS = {"fashion": (0.2860, 0.3301), "digits": (0.3053, 0.3761)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Sizes of one problem and of all fits to it.

    Attributes
    ----------
    source : {"fashion-mnist", "fashion-mnist-mini", "digits"}
        Data set. The other kind of images are the shifted inputs.
    side : int
        Of an image, in pixels; images are shrunk or enlarged to it.
    widths : tuple of int
        Of the hidden layers of a perceptron.
    channels : tuple of int
        Of a convolutional network, which then takes the place of the perceptron; ``()``: none.
    kernel : int
        Side of its convolutions.
    n_train, n_test, n_shifted : int
        Training images (a random subset, by seed), the first test images, shifted images.
    n_chains, n_warmup, n_draws : int
        Chains of Hamiltonian Monte Carlo, from as many trained networks; iterations of each.
    max_steps : int
        Largest number of leapfrog steps of an iteration.
    n_samples : int
        Of a posterior, but for one network and an ensemble.
    n_members : int
        Networks of the ensemble, at least as many as chains.
    n_epochs, mean_field_epochs, function_space_epochs : int
        Of networks by Adam, and of the two variational fits.
    batch_size : int
    device : str
        As PyTorch names it.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> from dataclasses import replace
    >>> small = replace(DIGITS_QUICK, widths=(8,), n_train=100)
    >>> small.data, small.network.n_parameters
    ('digits', 610)
    """

    source: Source
    side: int
    widths: tuple[int, ...] = (32,)
    channels: tuple[int, ...] = ()
    kernel: int = 5
    n_train: int
    n_test: int
    n_shifted: int
    n_chains: int = 4
    n_warmup: int
    n_draws: int
    max_steps: int
    n_samples: int
    n_members: int
    n_epochs: int
    mean_field_epochs: int
    function_space_epochs: int
    batch_size: int = 100
    device: str = "cpu"

    def __post_init__(self) -> None:
        choice("source", self.source, get_args(Source))
        for name in (
            "side",
            "kernel",
            "n_train",
            "n_test",
            "n_shifted",
            "n_chains",
            "n_warmup",
            "max_steps",
            "n_members",
            "n_epochs",
            "mean_field_epochs",
            "function_space_epochs",
        ):
            whole_number(name, getattr(self, name))
        whole_number("n_draws", self.n_draws, minimum=8)
        whole_number("n_samples", self.n_samples, maximum=self.n_chains * self.n_draws)
        whole_number("n_members", self.n_members, minimum=self.n_chains)
        whole_number("batch_size", self.batch_size, maximum=self.n_train)
        _ = self.network  # checks widths, channels and what the convolutions leave

    @property
    def data(self) -> Literal["fashion", "digits"]:
        """Kind of images that the classes are of."""
        return "digits" if self.source == "digits" else "fashion"

    @property
    def network(self) -> Network:
        """A perceptron, or a convolutional network if there are channels."""
        shift, scale = _MOMENTS[self.data]
        if self.channels:
            return CNN(
                input_shape=(1, self.side, self.side),
                channels=self.channels,
                kernel=self.kernel,
                shift=shift,
                scale=scale,
            )
        return MLP(input_shape=(self.side**2,), widths=self.widths, shift=shift, scale=scale)


QUICK = Setting(
    source="fashion-mnist-mini",
    side=14,
    n_train=1000,
    n_test=200,
    n_shifted=200,
    n_warmup=40,
    n_draws=80,
    max_steps=64,
    n_samples=32,
    n_members=4,
    n_epochs=30,
    mean_field_epochs=60,
    function_space_epochs=40,
)
"""Fashion-MNIST at 14 x 14 pixels, for a chapter: what ships with the package is enough."""

MID = Setting(
    source="fashion-mnist",
    side=14,
    n_train=2000,
    n_test=300,
    n_shifted=300,
    n_warmup=60,
    n_draws=150,
    max_steps=100,
    n_samples=64,
    n_members=8,
    n_epochs=40,
    mean_field_epochs=100,
    function_space_epochs=60,
)
"""Fashion-MNIST at 14 x 14 pixels, for archived tables."""

DIGITS_QUICK = Setting(
    source="digits",
    side=8,
    widths=(16,),
    n_train=300,
    n_test=150,
    n_shifted=150,
    n_warmup=40,
    n_draws=80,
    max_steps=64,
    n_samples=32,
    n_members=4,
    n_epochs=60,
    mean_field_epochs=120,
    function_space_epochs=80,
    batch_size=50,
)
"""Digits at 8 x 8 pixels, for a chapter."""

DIGITS_MID = Setting(
    source="digits",
    side=8,
    widths=(16,),
    n_train=1000,
    n_test=300,
    n_shifted=300,
    n_warmup=60,
    n_draws=150,
    max_steps=100,
    n_samples=64,
    n_members=8,
    n_epochs=60,
    mean_field_epochs=150,
    function_space_epochs=80,
)
"""Digits at 8 x 8 pixels, for archived tables."""

SETTINGS: dict[tuple[str, str], Setting] = {
    ("fashion", "quick"): QUICK,
    ("fashion", "mid"): MID,
    ("digits", "quick"): DIGITS_QUICK,
    ("digits", "mid"): DIGITS_MID,
}
"""By data and size."""


# --- data -----------------------------------------------------------------------------------------


class Problem(NamedTuple):
    """What is to be learnt, and where it is judged.

    Attributes
    ----------
    network : Network
    prior : GaussianPrior
        Variance 2 / fan-in of weights, standard deviation 0.5 of biases.
    train : Data
    test : EvaluationData
        With shifted images.
    class_names : tuple of str

    Examples
    --------
    >>> given = problem(DIGITS_QUICK, 0)
    >>> given.network.n_outputs, len(given.class_names), given.train.inputs.shape
    (10, 10, torch.Size([300, 64]))
    """

    network: Network
    prior: GaussianPrior
    train: Data
    test: EvaluationData
    class_names: tuple[str, ...]


@functools.lru_cache(maxsize=3)
def _loaded(name: str) -> Dataset:
    return load(name)


def _sized(images: NDArray[np.float32], side: int) -> Tensor:
    """Shrink images by means over areas, or enlarge them bilinearly; shape (n, side, side)."""
    pixels = torch.from_numpy(np.array(images))[:, None]
    if pixels.shape[-1] > side:
        pixels = functional.adaptive_avg_pool2d(pixels, side)
    elif pixels.shape[-1] < side:
        pixels = functional.interpolate(pixels, size=side, mode="bilinear", align_corners=False)
    return pixels[:, 0].clamp(0.0, 1.0)


@functools.lru_cache(maxsize=16)
def problem(setting: Setting, seed: int) -> Problem:
    """Images, network and prior.

    Parameters
    ----------
    setting : Setting
    seed : int
        >= 0, chooses the training images. Test images are the same for each.

    Returns
    -------
    Problem

    Raises
    ------
    TypeError, ValueError
        If the seed is out of range, or the data set has fewer images.
    DataUnavailableError
        If the data set is not on this machine.

    Examples
    --------
    >>> found = problem(DIGITS_QUICK, 0)
    >>> found.train.inputs.shape, found.test.inputs.shape, found.test.shifted.shape
    (torch.Size([300, 64]), torch.Size([150, 64]), torch.Size([150, 64]))
    """
    (stream, *_) = _streams(seed)
    known = _loaded(setting.source)
    # without an official test part, the last 500
    first_test = known.n_train if known.n_test else len(known) - 500
    whole_number("n_train", setting.n_train, maximum=first_test)
    whole_number("n_test", setting.n_test, maximum=len(known) - first_test)
    other = _loaded("fashion-mnist-mini" if setting.data == "digits" else "digits")
    first_shifted = other.n_train if other.n_test else 0
    whole_number("n_shifted", setting.n_shifted, maximum=len(other) - first_shifted)
    chosen = np.random.default_rng(stream).permutation(first_test)[: setting.n_train]
    tested = slice(first_test, first_test + setting.n_test)
    shifted = slice(first_shifted, first_shifted + setting.n_shifted)
    network, device = setting.network, setting.device

    def data(images: NDArray[np.float32], labels: NDArray[np.int64]) -> Data:
        sized = _sized(images, setting.side)
        return make_data(sized, np.array(labels), network=network, device=device)

    test = data(known.images[tested], known.labels[tested])
    far = data(other.images[shifted], other.labels[shifted])
    return Problem(
        network,
        GaussianPrior.by_fan_in(network),
        data(known.images[chosen], known.labels[chosen]),
        EvaluationData(test.inputs, test.labels, far.inputs),
        describe(setting.source).class_names,
    )


def _streams(seed: int) -> list[np.random.SeedSequence]:
    """Independent streams: data, networks, chains, one for each further method, context."""
    return np.random.SeedSequence(whole_number("seed", seed, minimum=0)).spawn(8)


# --- posteriors -----------------------------------------------------------------------------------


@functools.lru_cache(maxsize=16)
def _networks(setting: Setting, seed: int) -> Posterior:
    """Fit the ensemble: its first network is the deterministic one, the first few start chains."""
    given = problem(setting, seed)
    return deep_ensemble(
        given.network,
        given.train,
        given.prior,
        n_members=setting.n_members,
        config=_config(setting),
        rng=_streams(seed)[1],
    )


def _config(setting: Setting) -> FitConfig:
    return FitConfig(n_epochs=setting.n_epochs, batch_size=setting.batch_size, prior_weight=0.05)


@functools.lru_cache(maxsize=8)
@full_precision(search=True)
def hmc_run(setting: Setting, seed: int) -> HmcResult:
    """Run the chains: full gradients, from trained networks, step size by dual averaging.

    Parameters
    ----------
    setting : Setting
    seed : int
        >= 0.

    Returns
    -------
    HmcResult

    Notes
    -----
    In weights whitened by the prior, with trajectories of length pi / 2.

    Examples
    --------
    >>> from dataclasses import replace
    >>> few = replace(DIGITS_QUICK, n_warmup=10, n_draws=8, max_steps=2, n_epochs=2)
    >>> found = hmc_run(few, 0)
    >>> found.draws.shape[:2] == (few.n_chains, few.n_draws)
    True
    """
    given = problem(setting, seed)
    stds = given.prior.standard_deviations(given.network, device=setting.device)
    return hmc(
        joint_density(given.network, given.train, given.prior),
        _networks(setting, seed).parameters[: setting.n_chains],
        n_draws=setting.n_draws,
        n_warmup=setting.n_warmup,
        step_size=0.02,
        max_steps=setting.max_steps,
        inverse_mass=stds.square(),
        rng=_streams(seed)[2],
    )


def _context(images: Tensor, stream: np.random.SeedSequence) -> Tensor:
    """Training images of random contrast with noise: where functions are compared with priors."""
    generator = torch.Generator().manual_seed(int(np.random.default_rng(stream).integers(2**62)))
    shape = (len(images), *([1] * (images.ndim - 1)))
    contrast = torch.rand(shape, generator=generator).to(images)
    noise = torch.rand(images.shape, generator=generator).to(images)
    return (contrast * images + 0.3 * (noise - 0.5)).clamp(0.0, 1.0)


@functools.lru_cache(maxsize=32)
def posterior(method: Method, setting: Setting, seed: int) -> Posterior:
    """Fit one method.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    setting : Setting
    seed : int
        >= 0; the methods share training images, and all but the ensemble, dropout and Hamiltonian
        Monte Carlo start from the deterministic network.

    Returns
    -------
    Posterior
        With ``setting.n_samples`` samples; one for ``"deterministic"``, ``setting.n_members`` for
        ``"ensemble"``.

    Raises
    ------
    TypeError, ValueError
        If the method or the seed is out of range, or as `problem`.

    Examples
    --------
    >>> posterior("deterministic", DIGITS_QUICK, 0).n_samples
    1
    """
    choice("method", method, METHODS)
    given = problem(setting, seed)
    network, train, prior = given.network, given.train, given.prior
    draws = setting.n_samples
    streams = _streams(seed)
    if method == "HMC":
        return Posterior.from_draws(network, hmc_run(setting, seed).draws, n_samples=draws)
    if method == "dropout":
        return mc_dropout(
            network,
            train,
            prior,
            rate=0.2,
            n_samples=draws,
            config=_config(setting),
            rng=streams[3],
        )
    networks = _networks(setting, seed)
    if method == "ensemble":
        return networks
    point = networks.parameters[0]
    if method == "deterministic":
        return Posterior(network, point[None])
    if method == "Laplace":
        return last_layer_laplace(network, point, train, prior).sample(draws, rng=streams[4])
    epochs = setting.mean_field_epochs if method == "mean field" else setting.function_space_epochs
    config = FitConfig(n_epochs=epochs, batch_size=setting.batch_size, learning_rate=0.01)
    fitting, sampling = streams[5 if method == "mean field" else 6].spawn(2)
    if method == "mean field":
        law = mfvi(network, train, prior, start=point, config=config, rng=fitting)
    else:
        context = _context(train.inputs, streams[7])
        law = fsvi(network, train, prior, context=context, start=point, config=config, rng=fitting)
    return law.sample(draws, rng=sampling)


# --- pictures -------------------------------------------------------------------------------------


class AttackExamples(NamedTuple):
    """A few images, as they are and attacked in two ways.

    Attributes
    ----------
    clean : ndarray of float32, shape (n, side, side)
    label_attacked : ndarray of float32, shape (n, side, side)
        So that the label changes.
    adaptively_attacked : ndarray of float32, shape (n, side, side)
        So that the label changes and the uncertainty stays low.
    labels : ndarray of int64, shape (n,)
        True classes.
    predictions : ndarray of int64, shape (3, n)
        Of clean, label-attacked and adaptively attacked images.
    total_entropies, mutual_informations : ndarray of float64, shape (3, n)
        In nats.
    class_names : tuple of str

    Examples
    --------
    >>> given, samples = problem(DIGITS_QUICK, 0), posterior("deterministic", DIGITS_QUICK, 0)
    >>> found = attack_examples(samples, given, n=2, radius=0.3, n_steps=8, rng=1)
    >>> moved = np.abs(found.label_attacked - found.clean).max()
    >>> bool(moved <= 0.3 + 1e-6), found.total_entropies.shape
    (True, (3, 2))
    """

    clean: NDArray[np.float32]
    label_attacked: NDArray[np.float32]
    adaptively_attacked: NDArray[np.float32]
    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    total_entropies: NDArray[np.float64]
    mutual_informations: NDArray[np.float64]
    class_names: tuple[str, ...]


def attack_examples(
    samples: Posterior,
    given: Problem,
    *,
    n: int = 6,
    radius: float = 0.1,
    score: Score = "total_entropy",
    n_steps: int = 20,
    rng: Rng = 0,
) -> AttackExamples:
    """Choose test images that are right and that two attacks fool, of different classes if any.

    Parameters
    ----------
    samples : Posterior
    given : Problem
    n : int
        Images, >= 1: of each class the one that is surest when clean, then the next of each.
    radius : float
        > 0, of the ball in the maximum norm.
    score : {"total_entropy", "mutual_information"}
        Uncertainty that the adaptive attack keeps low.
    n_steps : int
        >= 4, twice as many for the adaptive attack.
    rng : Generator, SeedSequence or int

    Returns
    -------
    AttackExamples
        What an attack does where it succeeds; how often it does is another question.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the attacks fool fewer images.

    Examples
    --------
    >>> given, samples = problem(DIGITS_QUICK, 0), posterior("deterministic", DIGITS_QUICK, 0)
    >>> found = attack_examples(samples, given, n=2, radius=0.3, n_steps=8, rng=1)
    >>> found.clean.shape, bool((found.predictions[1] != found.labels).all())
    ((2, 8, 8), True)
    """
    size = real_number("radius", radius, minimum=0.0, open_minimum=True)
    steps = whole_number("n_steps", n_steps, minimum=4)
    generator = as_generator(rng)
    inputs, labels = given.test.inputs, given.test.labels
    common: dict[str, Any] = {"radius": size, "rng": generator}
    label = pgd(samples, inputs, labels, objective="label", n_steps=steps, **common)
    adaptive = pgd(
        samples, inputs, labels, objective="two_stage", score=score, n_steps=2 * steps, **common
    )
    with torch.no_grad():
        log_p = samples(inputs)
    right = log_mean(log_p).argmax(dim=1) == labels
    usable = right & label.success & adaptive.success
    count = whole_number("n", n, maximum=int(usable.sum()))
    seen: dict[int, int] = {}
    ranked = []
    for place, row in enumerate(total_entropy(log_p).argsort().tolist()):
        if usable[row]:
            one = int(labels[row])
            seen[one] = seen.get(one, 0) + 1
            ranked.append((seen[one], place, row))
    rows = torch.tensor([row for _, _, row in sorted(ranked)[:count]], device=inputs.device)
    views = [inputs[rows], label.inputs[rows], adaptive.inputs[rows]]
    with torch.no_grad():
        found = [samples(view) for view in views]
    side = math.isqrt(inputs[0].numel())
    clean, by_label, detected = (v.reshape(count, side, side).cpu().numpy() for v in views)
    return AttackExamples(
        clean,
        by_label,
        detected,
        labels[rows].cpu().numpy(),
        torch.stack([log_mean(one).argmax(dim=1) for one in found]).cpu().numpy(),
        torch.stack([total_entropy(one) for one in found]).double().cpu().numpy(),
        torch.stack([mutual_information(one) for one in found]).double().cpu().numpy(),
        given.class_names,
    )
