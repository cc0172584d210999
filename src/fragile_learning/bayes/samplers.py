"""Markov chains whose law is the posterior: Hamiltonian Monte Carlo and Langevin dynamics.

Chains are rows: every operation is one tensor operation on all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fragile_learning._validation import as_generator, choice, real_number, whole_number
from fragile_learning.bayes.models import (
    MLP,
    Data,
    Gaussian,
    GaussianPrior,
    Likelihood,
    Network,
    Softmax,
    log_likelihoods,
)

__all__ = [
    "Density",
    "HmcResult",
    "PhasePoint",
    "SgldResult",
    "hmc",
    "joint_density",
    "leapfrog",
    "sgld",
    "with_gradient",
]

Rng = np.random.Generator | np.random.SeedSequence | int
Density = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From (n_chains, n_parameters) to log-densities (n_chains,) and gradients of the input's shape."""

_DIVERGENCE = 1000.0
_PIECE = 400  # inputs times chains


def with_gradient(log_density: Callable[[Tensor], Tensor]) -> Density:
    """Add the gradient to a log-density, by automatic differentiation.

    Parameters
    ----------
    log_density : callable
        From (n_chains, n_parameters) to (n_chains,), each row by itself.

    Returns
    -------
    callable
        See `Density`.

    Examples
    --------
    >>> value, gradient = with_gradient(lambda z: -0.5 * z.square().sum(dim=1))(torch.ones(1, 2))
    >>> value, gradient
    (tensor([-1.]), tensor([[-1., -1.]]))
    """

    def density(position: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = position.detach().requires_grad_()
            value = log_density(leaf)
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), gradient

    return density


def joint_density(
    network: Network,
    data: Data,
    prior: GaussianPrior,
    *,
    likelihood: Likelihood | None = None,
    temperature: float = 1.0,
) -> Density:
    """Log joint density of labels and weights, `models.log_joint`, with its gradient.

    Parameters
    ----------
    network : Network
    data : Data
    prior : GaussianPrior
    likelihood : Softmax or Gaussian, optional
        None: softmax.
    temperature : float
        > 0, divides the density and its gradient.

    Returns
    -------
    callable
        See `Density`.

    Notes
    -----
    The gradient of a perceptron is written by hand, and `leapfrog` knows it: on one thread, a step
    of 4 chains of a 64-16-10 network on 300 inputs takes 0.13 ms instead of 0.92 ms by automatic
    differentiation; its matrix products alone take 0.09 ms. Other networks see a few inputs at a
    time on a CPU, whose caches then hold what lies between their layers: 4 chains of `models.CNN`
    on 1,000 images of 28 x 28 pixels take 0.26 s instead of 0.56 s.

    Examples
    --------
    >>> from fragile_learning.bayes.models import MLP, make_data
    >>> network = MLP(input_shape=(2,), widths=(), n_outputs=2)
    >>> data = make_data([[0.1, 0.9], [0.5, 0.5]], [0, 1], network=network)
    >>> density = joint_density(network, data, GaussianPrior.constant(network))
    >>> values, gradients = density(torch.zeros(3, 6))
    >>> values.shape, gradients.shape
    (torch.Size([3]), torch.Size([3, 6]))
    """
    heat = real_number("temperature", temperature, minimum=0.0, open_minimum=True)
    if isinstance(network, MLP):
        return _PerceptronDensity(network, data, prior, likelihood or Softmax(), heat)
    return _by_pieces(network, data, prior, likelihood, heat)


class _PerceptronDensity:
    """`joint_density` of a perceptron, without automatic differentiation."""

    def __init__(
        self, network: MLP, data: Data, prior: GaussianPrior, law: Likelihood, heat: float
    ) -> None:
        self.network, self.law, self.heat = network, law, heat
        inputs = ((data.inputs - network.shift) / network.scale).flatten(1)
        if network.bias:
            inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
        self.inputs, self.labels = inputs, data.labels
        if isinstance(law, Gaussian):
            self.targets = data.labels.mT.contiguous()  # (n_outputs, n)
        else:
            self.targets = (
                functional.one_hot(data.labels, network.n_outputs).to(inputs).mT.contiguous()
            )
        stds = prior.standard_deviations(network, dtype=inputs.dtype, device=str(inputs.device))
        self.precision = stds**-2
        self.constant = float(stds.double().log().sum()) + 0.5 * len(stds) * math.log(2 * math.pi)
        if isinstance(law, Gaussian):
            noise = math.log(2.0 * math.pi) + 2.0 * math.log(law.noise_std)
            self.constant += 0.5 * data.labels.numel() * noise

        self.spare: list[_Workspace] = []  # one a thread; taken out while in use

    def _workspace(self, n_chains: int) -> _Workspace:
        work = self.spare.pop() if self.spare else None
        return work if work and work.n_chains == n_chains else _Workspace(self, n_chains)

    @torch.no_grad()
    def __call__(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        self.network.unpack(parameters)  # checks the shape
        work = self._workspace(len(parameters))
        work.position.copy_(work.pack(parameters))
        work.push()
        found = work.value(parameters), work.unpack(work.gradient)
        self.spare.append(work)
        return found

    @torch.no_grad()
    def leapfrog(
        self, point: PhasePoint, step_size: Tensor | float, n_steps: int, inverse_mass: Tensor
    ) -> PhasePoint:
        """Do as the function of this name, in place; the value is computed once, at the end."""
        work = self._workspace(len(point.position))
        sizes = torch.as_tensor(step_size).to(point.position).expand_as(point.position)
        kick, drift = work.pack(sizes), work.pack(sizes * inverse_mass)
        work.position.copy_(work.pack(point.position))
        momentum = work.pack(point.momentum)
        momentum.addcmul_(kick, work.pack(point.gradient), value=0.5)
        for i in range(n_steps):
            work.position.addcmul_(drift, momentum)
            work.push()
            momentum.addcmul_(kick, work.gradient, value=1.0 if i < n_steps - 1 else 0.5)
        position = work.unpack(work.position)
        found = PhasePoint(
            position, work.unpack(momentum), work.value(position), work.unpack(work.gradient)
        )
        self.spare.append(work)
        return found


def _by_pieces(
    network: Network, data: Data, prior: GaussianPrior, likelihood: Likelihood | None, heat: float
) -> Density:
    """Add up log-likelihoods and gradients over pieces of the data; on a CPU small ones."""
    rows = len(data.inputs)

    def density(parameters: Tensor) -> tuple[Tensor, Tensor]:
        small = parameters.device.type == "cpu"
        size = max(1, _PIECE // len(parameters)) if small else rows
        with torch.enable_grad():
            leaf = parameters.detach().requires_grad_()
            value = prior.log_density(network, leaf)
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
            value = value.detach()
            for start in range(0, rows, size):
                some = Data(*(part[start : start + size] for part in data))
                logs = log_likelihoods(network, leaf, some, likelihood=likelihood)
                logs = logs.sum(dim=1, dtype=torch.float64)
                gradient += torch.autograd.grad(logs.sum(), leaf)[0]
                value += logs.detach()
        return value / heat, gradient.div_(heat)

    return density


class _Workspace:
    """Weights of chains where matrix products want them, and room for all that a gradient needs.

    All chains are one vector, one layer after another: (n_chains, n_outputs, n_inputs + 1), the
    last column for biases. Activations are (n_chains, n_units + 1, n), the last row ones. So the
    first layers of all chains, which see the same inputs, are one matrix product, sums over classes
    run along whole rows of inputs, and nothing is copied or allocated from step to step.
    """

    def __init__(self, density: _PerceptronDensity, n_chains: int) -> None:
        network, inputs = density.network, density.inputs
        self.density, self.n_chains = density, n_chains
        extra = int(network.bias)
        self.shapes = [(shape[0] + extra, shape[1]) for shape, _, _ in network.layers]
        self.sizes = [n_chains * n_in * n_out for n_in, n_out in self.shapes]
        # which entry of the rows stands where in the vector, and the reverse
        entries = torch.arange(sum(self.sizes), device=inputs.device).view(n_chains, -1)
        parts = torch.split(entries, [size // n_chains for size in self.sizes], dim=1)
        self.order = torch.cat(
            [
                part.reshape(-1, *shape).mT.flatten()
                for part, shape in zip(parts, self.shapes, strict=True)
            ]
        )
        self.places = self.order.argsort()
        self.precision = self.pack(density.precision.expand(n_chains, -1))
        self.position, self.gradient = (torch.empty_like(self.precision) for _ in range(2))
        self.weights, self.slopes = self._views(self.position), self._views(self.gradient)
        self.outputs = [inputs.new_empty(n_chains, n_out, len(inputs)) for _, n_out in self.shapes]
        self.back = [torch.empty_like(outputs) for outputs in self.outputs]
        # what layers after the first see, and the part of it that is not ones
        self.hidden = [inputs.new_ones(n_chains, n_in, len(inputs)) for n_in, _ in self.shapes[1:]]
        self.rectified = [
            hidden[:, : outputs.shape[1]]
            for hidden, outputs in zip(self.hidden, self.outputs[:-1], strict=True)
        ]
        self.hidden_mT = [hidden.mT for hidden in self.hidden]
        self.without_bias_mT = [
            weight[:, :, : outputs.shape[1]].mT
            for weight, outputs in zip(self.weights[1:], self.outputs[:-1], strict=True)
        ]
        # the first layers of all chains as one
        self.first_weight, self.first_slope, self.first_outputs, self.first_back = (
            parts[0].flatten(0, 1) for parts in (self.weights, self.slopes, self.outputs, self.back)
        )

    def _views(self, packed: Tensor) -> list[Tensor]:
        parts = torch.split(packed, self.sizes)
        return [
            part.view(self.n_chains, n_out, n_in)
            for part, (n_in, n_out) in zip(parts, self.shapes, strict=True)
        ]

    def pack(self, rows: Tensor) -> Tensor:
        """From (n_chains, n_parameters), each layer (n_inputs + 1, n_outputs), to one vector."""
        return rows.reshape(-1).index_select(0, self.order)

    def unpack(self, packed: Tensor) -> Tensor:
        """Undo `pack`."""
        return packed.index_select(0, self.places).view(self.n_chains, -1)

    def push(self) -> None:
        """Put the gradient at ``position`` into ``gradient``."""
        density, slope, inputs = self.density, self.density.network.slope, self.density.inputs
        torch.mm(self.first_weight, inputs.mT, out=self.first_outputs)
        for i, hidden in enumerate(self.hidden):
            if slope:
                torch.maximum(self.outputs[i], slope * self.outputs[i], out=self.rectified[i])
            else:
                torch.clamp(self.outputs[i], min=0.0, out=self.rectified[i])
            torch.bmm(self.weights[i + 1], hidden, out=self.outputs[i + 1])
        outputs, back, law = self.outputs[-1], self.back[-1], density.law
        if isinstance(law, Gaussian):
            torch.sub(density.targets, outputs, out=back).mul_(law.noise_std**-2)
        else:
            torch.sub(density.targets, torch.softmax(outputs, 1, out=back), out=back)
        for i in reversed(range(len(self.hidden))):
            torch.bmm(self.back[i + 1], self.hidden_mT[i], out=self.slopes[i + 1])
            torch.bmm(self.without_bias_mT[i], self.back[i + 1], out=self.back[i])
            torch.ops.aten.leaky_relu_backward(
                self.back[i], self.outputs[i], slope, False, grad_input=self.back[i]
            )
        torch.mm(self.first_back, inputs, out=self.first_slope)
        self.gradient.addcmul_(self.position, self.precision, value=-1.0)
        if density.heat != 1.0:
            self.gradient.div_(density.heat)

    def value(self, parameters: Tensor) -> Tensor:
        """Log-density where `push` was last, float64; the same place in rows is ``parameters``."""
        density, outputs, law = self.density, self.outputs[-1], self.density.law
        if isinstance(law, Gaussian):
            gap = (density.targets - outputs) / law.noise_std
            logs = -0.5 * gap.square().sum((1, 2), dtype=torch.float64)
        else:
            chosen = density.labels.expand(self.n_chains, 1, -1)
            logs = outputs.log_softmax(1).gather(1, chosen).sum((1, 2), dtype=torch.float64)
        squares = (parameters.square() * density.precision).sum(dim=1, dtype=torch.float64)
        return (logs - 0.5 * squares - density.constant) / density.heat


class PhasePoint(NamedTuple):
    """Where chains are.

    Attributes
    ----------
    position, momentum : Tensor, shape (n_chains, n_parameters)
    value : Tensor, shape (n_chains,)
        Log-density.
    gradient : Tensor, shape (n_chains, n_parameters)
        Of the log-density.

    Examples
    --------
    >>> density = with_gradient(lambda weights: -0.5 * weights.square().sum(dim=1))
    >>> position, momentum = torch.ones(1, 2), torch.full((1, 2), 2.0)
    >>> PhasePoint(position, momentum, *density(position)).energy(inverse_mass=torch.ones(2))
    tensor([5.], dtype=torch.float64)
    """

    position: Tensor
    momentum: Tensor
    value: Tensor
    gradient: Tensor

    def energy(self, inverse_mass: Tensor) -> Tensor:
        """Hamiltonian, float64, shape (n_chains,)."""
        kinetic = 0.5 * (self.momentum.square() * inverse_mass).double().sum(dim=1)
        return kinetic - self.value.double()


def leapfrog(
    density: Density,
    point: PhasePoint,
    *,
    step_size: Tensor | float,
    n_steps: int,
    inverse_mass: Tensor,
) -> PhasePoint:
    """Follow Hamilton's equations: half a kick, drifts and kicks in turn, half a kick.

    Volume preserving, and its own inverse when the momentum is turned round before and after.

    Parameters
    ----------
    density : callable
        See `Density`. Called ``n_steps`` times; that of `joint_density` for a perceptron is
        followed in place.
    point : PhasePoint
    step_size : float or Tensor, shape (n_chains, 1)
    n_steps : int
        >= 1.
    inverse_mass : Tensor, shape (n_parameters,)
        Diagonal.

    Examples
    --------
    >>> density = with_gradient(lambda weights: -0.5 * weights.square().sum(dim=1))
    >>> position, momentum = torch.ones(1, 2), torch.zeros(1, 2)
    >>> start = PhasePoint(position, momentum, *density(position))
    >>> forth = leapfrog(density, start, step_size=0.1, n_steps=10, inverse_mass=torch.ones(2))
    >>> turned = forth._replace(momentum=-forth.momentum)
    >>> back = leapfrog(density, turned, step_size=0.1, n_steps=10, inverse_mass=torch.ones(2))
    >>> torch.allclose(back.position, position, atol=1e-5)
    True
    """
    if isinstance(density, _PerceptronDensity):
        return density.leapfrog(point, step_size, n_steps, inverse_mass)
    position, momentum, value, gradient = point
    momentum = momentum + 0.5 * step_size * gradient
    drift = step_size * inverse_mass
    for i in range(n_steps):
        position = position + drift * momentum
        value, gradient = density(position)
        momentum = momentum + (step_size if i < n_steps - 1 else 0.5 * step_size) * gradient
    return PhasePoint(position, momentum, value, gradient)


class _DualAveraging:
    """Step size for a wanted acceptance probability, Hoffman and Gelman 2014, section 3.2."""

    def __init__(self, step_size: float, target: float) -> None:
        self.target = target
        self.restart(step_size)

    def restart(self, step_size: float) -> None:
        """Forget what was seen."""
        self.centre = math.log(10.0 * step_size)
        self.current = math.log(step_size)
        self.average = math.log(step_size)
        self.error, self.count = 0.0, 0

    def update(self, acceptance: float) -> None:
        """Learn from the mean acceptance probability of one iteration."""
        self.count += 1
        weight = 1.0 / (self.count + 10.0)
        self.error = (1.0 - weight) * self.error + weight * (self.target - acceptance)
        self.current = self.centre - math.sqrt(self.count) / 0.05 * self.error
        share = self.count**-0.75
        self.average = share * self.current + (1.0 - share) * self.average


class HmcResult(NamedTuple):
    """Draws of `hmc` and how they came about.

    Attributes
    ----------
    draws : Tensor, shape (n_chains, n_draws, n_parameters)
    log_densities : Tensor of float64, shape (n_chains, n_draws)
        Of the draws.
    energies : Tensor of float64, shape (n_chains, n_draws)
        Hamiltonian at the start of the trajectory.
    energy_errors : Tensor of float64, shape (n_chains, n_draws)
        Its change along the trajectory; inf where it was not finite.
    acceptance : Tensor of float64, shape (n_chains, n_draws)
        Acceptance probability.
    step_size : float
        After the warm-up, before jitter.
    n_steps : int
        Leapfrog steps of a trajectory after the warm-up.
    inverse_mass : Tensor, shape (n_parameters,)
    n_gradients : int
        Of one chain, in warm-up and afterwards: times ``n_chains`` for all of them.
    n_divergent : int
        Trajectories after the warm-up, of all chains, whose energy grew by more than 1000.

    Examples
    --------
    >>> density = with_gradient(lambda weights: -0.5 * weights.square().sum(dim=1))
    >>> found = hmc(density, torch.zeros(4, 2), n_draws=20, n_warmup=10, rng=1)
    >>> found.draws.shape, found.acceptance.shape, found.n_divergent
    (torch.Size([4, 20, 2]), torch.Size([4, 20]), 0)
    """

    draws: Tensor
    log_densities: Tensor
    energies: Tensor
    energy_errors: Tensor
    acceptance: Tensor
    step_size: float
    n_steps: int
    inverse_mass: Tensor
    n_gradients: int
    n_divergent: int


def _check_start(start: Tensor) -> Tensor:
    kind = getattr(start, "dtype", None)
    if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
        raise TypeError(f"start must be a floating point tensor, got {type(start).__name__}")
    if start.ndim != 2 or 0 in start.shape:
        raise ValueError(
            f"start must have the shape (n_chains, n_parameters), got {tuple(start.shape)}"
        )
    return start.detach()


def _diagonal(name: str, value: Tensor | None, like: Tensor) -> Tensor:
    if value is None:
        return torch.ones_like(like[0])
    if value.shape != like.shape[1:]:
        raise ValueError(f"{name} must have the shape ({like.shape[1]},), got {tuple(value.shape)}")
    if not bool(((value > 0) & value.isfinite()).all()):
        raise ValueError(f"{name} must be finite and > 0, got {float(value.min())}")
    return value.to(like)


@torch.no_grad()
def hmc(
    density: Density,
    start: Tensor,
    *,
    n_draws: int,
    n_warmup: int = 0,
    step_size: float = 0.1,
    trajectory: float = math.pi / 2,
    max_steps: int = 1000,
    jitter: float = 0.1,
    target_acceptance: float = 0.8,
    inverse_mass: Tensor | None = None,
    adapt_mass: bool = False,
    correct: bool = True,
    rng: Rng,
) -> HmcResult:
    """Draw from a density by Hamiltonian Monte Carlo, all chains together.

    Parameters
    ----------
    density : callable
        See `Density`, `joint_density` and `with_gradient`; of the whole data set, unnormalised.
    start : Tensor, shape (n_chains, n_parameters)
        Where the density is positive.
    n_draws : int
        Kept of each chain, >= 1.
    n_warmup : int
        Iterations before, >= 0, in which the step size is adapted by dual averaging of the mean
        acceptance probability of the chains. 0: ``step_size`` is used as it is.
    step_size : float
        > 0, the first one.
    trajectory : float
        > 0, length ``step_size * n_steps`` in units of the square root of ``inverse_mass``.
        A quarter period, pi / 2, makes draws from a normal law independent if ``inverse_mass`` is
        its variance.
    max_steps : int
        >= 1, at most so many leapfrog steps, in the warm-up too: a shorter trajectory if the step
        size would need more.
    jitter : float
        In [0, 1). Each trajectory of each chain has its own step size, up to this fraction above
        or below: no chain then runs in step with a direction.
    target_acceptance : float
        In (0, 1).
    inverse_mass : Tensor, shape (n_parameters,), optional
        > 0, None: ones. The variances of the prior make this the sampler of whitened weights.
    adapt_mass : bool
        Replace ``inverse_mass`` by the variances seen in the second quarter of the warm-up, and
        again by those of the third, shrunk towards 1e-3.
    correct : bool
        False: every finite proposal is taken, and the draws do not have the law of the density.
    rng : Generator, SeedSequence or int
        Random numbers are drawn on the CPU, so that a seed means the same on every device.

    Returns
    -------
    HmcResult

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the density is not finite at the start.

    References
    ----------
    Neal, "MCMC using Hamiltonian dynamics", 2011, arXiv:1206.1901. Hoffman and Gelman, "The
    No-U-Turn Sampler", JMLR 15, 2014, section 3.2.

    Examples
    --------
    >>> normal = with_gradient(lambda z: -0.5 * z.square().sum(dim=1))
    >>> result = hmc(normal, torch.zeros(4, 3), n_draws=500, n_warmup=100, rng=1)
    >>> result.draws.shape, result.n_divergent
    (torch.Size([4, 500, 3]), 0)
    """
    position = _check_start(start)
    draws, warmup = whole_number("n_draws", n_draws), whole_number("n_warmup", n_warmup, minimum=0)
    first = real_number("step_size", step_size, minimum=0.0, open_minimum=True)
    length = real_number("trajectory", trajectory, minimum=0.0, open_minimum=True)
    limit = whole_number("max_steps", max_steps)
    noise = real_number("jitter", jitter, minimum=0.0, maximum=1.0, open_maximum=True)
    target = real_number(
        "target_acceptance",
        target_acceptance,
        minimum=0.0,
        maximum=1.0,
        open_minimum=True,
        open_maximum=True,
    )
    choice("adapt_mass", adapt_mass, (True, False))
    if adapt_mass and warmup < 40:
        raise ValueError(f"n_warmup must be >= 40 to adapt the mass, got {warmup}")
    scales = _diagonal("inverse_mass", inverse_mass, position)
    generator = torch.Generator().manual_seed(int(as_generator(rng).integers(0, 2**62)))
    chains, device, dtype = len(position), position.device, position.dtype

    value, gradient = density(position)
    if not bool((value.isfinite() & gradient.isfinite().all(dim=1)).all()):
        raise ValueError("start must have a finite density and gradient in every chain")
    point = PhasePoint(position, torch.zeros_like(position), value, gradient)
    tuner = _DualAveraging(first, target)
    windows = {warmup // 4: False, warmup // 2: True, 3 * warmup // 4: True} if adapt_mass else {}
    seen: list[Tensor] = []
    kept: list[tuple[Tensor, ...]] = []
    epsilon, gradients, divergent, steps = first, 1, 0, 1
    for iteration in range(warmup + draws):
        if iteration in windows:
            if windows[iteration]:
                scales = _shrunk_variances(torch.stack(seen))
                tuner.restart(math.exp(tuner.average))
                epsilon = math.exp(tuner.current)
            seen = []
        if iteration == warmup and warmup:
            epsilon = math.exp(tuner.average)
        steps = min(limit, max(1, round(length / epsilon)))
        normal = torch.randn(position.shape, generator=generator, dtype=dtype).to(device)
        uniform = torch.rand((2, chains), generator=generator, dtype=torch.float64).to(device)
        sizes = (epsilon * (1.0 + noise * (2.0 * uniform[0] - 1.0))).to(dtype)[:, None]
        point = point._replace(momentum=normal / scales.sqrt())
        before = point.energy(scales)
        proposal = leapfrog(density, point, step_size=sizes, n_steps=steps, inverse_mass=scales)
        gradients += steps
        error = (proposal.energy(scales) - before).nan_to_num(nan=math.inf)
        finite = proposal.gradient.isfinite().all(dim=1) & error.isfinite()
        error = torch.where(finite, error, math.inf)
        acceptance = (-error).clamp(max=0.0).exp()
        taken = uniform[1] < acceptance if correct else finite
        point = PhasePoint(
            *(
                torch.where(taken[:, None] if new.ndim == 2 else taken, new, old)
                for new, old in zip(proposal, point, strict=True)
            )
        )
        if iteration < warmup:
            tuner.update(float(acceptance.mean()))
            epsilon = math.exp(tuner.current)
            if windows:
                seen.append(point.position)
        else:
            divergent += int((error > _DIVERGENCE).sum())
            kept.append((point.position, point.value.double(), before, error, acceptance))
    found, logs, energies, errors, chances = (
        torch.stack(column, dim=1) for column in zip(*kept, strict=True)
    )
    return HmcResult(
        draws=found,
        log_densities=logs,
        energies=energies,
        energy_errors=errors,
        acceptance=chances,
        step_size=epsilon,
        n_steps=steps,
        inverse_mass=scales,
        n_gradients=gradients,
        n_divergent=divergent,
    )


def _shrunk_variances(seen: Tensor) -> Tensor:
    """Variances over iterations and chains, (n, n_chains, n_parameters) to (n_parameters,)."""
    flat = seen.flatten(0, 1)
    weight = len(flat) / (len(flat) + 5.0)
    return weight * flat.var(dim=0) + (1.0 - weight) * 1e-3


class SgldResult(NamedTuple):
    """Draws of `sgld`.

    Attributes
    ----------
    draws : Tensor, shape (n_chains, n_draws, n_parameters)
    n_gradients : int
        Minibatch gradients of one chain.

    Examples
    --------
    >>> sizes = dict(n_data=10, batch_size=5, n_draws=4, thinning=2, step_size=0.1)
    >>> found = sgld(lambda weights, rows: -weights, torch.zeros(3, 2), **sizes, rng=1)
    >>> found.draws.shape, found.n_gradients
    (torch.Size([3, 4, 2]), 8)
    """

    draws: Tensor
    n_gradients: int


@torch.no_grad()
def sgld(
    gradient: Callable[[Tensor, Tensor], Tensor],
    start: Tensor,
    *,
    n_data: int,
    batch_size: int,
    n_draws: int,
    n_warmup: int = 0,
    thinning: int = 1,
    step_size: float,
    preconditioner: Tensor | None = None,
    temperature: float = 1.0,
    rng: Rng,
) -> SgldResult:
    r"""Stochastic gradient Langevin dynamics, all chains together, without a correction.

    .. math:: \theta \leftarrow \theta + \tfrac h2 M \hat g(\theta) + \sqrt{h T M}\, \xi

    Parameters
    ----------
    gradient : callable
        From weights (n_chains, n_parameters) and row numbers (n_chains, batch_size) to an unbiased
        estimate of the gradient of the log joint density, of the shape of the weights.
    start : Tensor, shape (n_chains, n_parameters)
    n_data : int
        Rows, >= 1.
    batch_size : int
        In [1, n_data]. Each chain has its own order of the rows; an incomplete last batch of an
        epoch is left out.
    n_draws, thinning : int
        >= 1; of ``n_draws * thinning`` steps after the warm-up each ``thinning``-th is kept.
    n_warmup : int
        Steps before, >= 0.
    step_size : float
        > 0, the h above; constant.
    preconditioner : Tensor, shape (n_parameters,), optional
        > 0, the diagonal M above; None: ones. Constant, so that the limit of small steps stays the
        posterior.
    temperature : float
        >= 0, the T above; 0 is gradient ascent.
    rng : Generator, SeedSequence or int

    Returns
    -------
    SgldResult

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the weights do not stay finite.

    Notes
    -----
    Biased at any step size. On a normal law of precision :math:`\lambda`, with all data in a batch
    and M = T = 1, the variance of the draws is :math:`1 / (\lambda (1 - h \lambda / 4))`.

    References
    ----------
    Welling and Teh, "Bayesian Learning via Stochastic Gradient Langevin Dynamics", ICML 2011.

    Examples
    --------
    >>> def gradient(weights, rows):  # of a standard normal law, whatever the rows
    ...     return -weights
    >>> start = torch.zeros(2000, 1)
    >>> sizes = dict(n_data=1, batch_size=1, n_draws=1, n_warmup=50, step_size=0.5)
    >>> found = sgld(gradient, start, **sizes, rng=1)
    >>> round(found.draws.var().item(), 1), round(1 / (1 - 0.5 / 4), 1)
    (1.1, 1.1)
    """
    position = _check_start(start)
    rows = whole_number("n_data", n_data)
    batch = whole_number("batch_size", batch_size, maximum=rows)
    draws, gap = whole_number("n_draws", n_draws), whole_number("thinning", thinning)
    warmup = whole_number("n_warmup", n_warmup, minimum=0)
    size = real_number("step_size", step_size, minimum=0.0, open_minimum=True)
    heat = real_number("temperature", temperature, minimum=0.0)
    diagonal = _diagonal("preconditioner", preconditioner, position)
    generator = torch.Generator().manual_seed(int(as_generator(rng).integers(0, 2**62)))
    drift, spread = 0.5 * size * diagonal, (size * heat * diagonal).sqrt()
    chains, device, dtype = len(position), position.device, position.dtype
    order, place = torch.empty((chains, 0), dtype=torch.int64), 0
    kept = []
    for step in range(1, warmup + draws * gap + 1):
        if place + batch > order.shape[1]:
            keys = torch.rand((chains, rows), generator=generator, dtype=torch.float64)
            order, place = keys.argsort(dim=1), 0
        chosen = order[:, place : place + batch].to(device)
        place += batch
        normal = torch.randn(position.shape, generator=generator, dtype=dtype).to(device)
        position = position + drift * gradient(position, chosen) + spread * normal
        if step > warmup and (step - warmup) % gap == 0:
            kept.append(position)
    found = torch.stack(kept, dim=1)
    if not bool(found.isfinite().all()):
        raise ValueError(f"step_size must be small enough for finite weights, got {step_size!r}")
    return SgldResult(found, warmup + draws * gap)
