"""The library's samplers, attacks and fits on problems whose answers are known exactly.

Arrays go in and come out: callers need no torch. Everything is in float64.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fragile_learning._validation import as_generator, choice, whole_number
from fragile_learning.bayes import approximations, attacks, models, samplers
from fragile_learning.bayes.exact_problems import (
    BinaryProblem,
    LogisticProblem,
    RegressionProblem,
    SoftmaxProblem,
)
from fragile_learning.bayes.predict import Posterior, log_mean
from fragile_learning.bayes.uncertainty import (
    expected_entropy,
    mutual_information,
    total_entropy,
)

__all__ = [
    "AttackName",
    "Trajectories",
    "attacked",
    "entropy_functions",
    "leapfrog_trajectories",
    "member_gradients",
    "posterior_draws",
    "trained_mean_field",
]

Array = NDArray[np.float64]
Rng = np.random.Generator | np.random.SeedSequence | int
AttackName = Literal["FGSM", "label", "margin", "targeted"]

F64 = torch.float64

_BATCH = 10_000  # trajectories at a time, to save memory


def _regression(
    problem: RegressionProblem,
) -> tuple[models.MLP, models.Data, models.GaussianPrior, models.Gaussian]:
    network = models.MLP(input_shape=(problem.inputs.shape[1],), widths=(), n_outputs=1, bias=False)
    data = models.make_data(problem.inputs, problem.targets[:, None], network=network, dtype=F64)
    prior = models.GaussianPrior.constant(network, std=math.sqrt(problem.prior_variance))
    return network, data, prior, models.Gaussian(math.sqrt(problem.noise_variance))


def posterior_draws(
    problem: RegressionProblem | LogisticProblem,
    *,
    n_chains: int,
    n_draws: int,
    n_warmup: int,
    step_size: float,
    trajectory: float,
    correct: bool = True,
    rng: Rng,
) -> Array:
    """Draw weights by Hamiltonian Monte Carlo, with a step size that is not adapted.

    Parameters
    ----------
    problem : RegressionProblem or LogisticProblem
        The second as a softmax network of two outputs whose weights have half of the prior
        variance each: the difference of its outputs' weights has the wanted posterior, exactly.
    n_chains, n_draws, n_warmup, step_size, trajectory, correct, rng
        See `samplers.hmc`; draws of the warm-up are thrown away.

    Returns
    -------
    ndarray, shape (n_chains, n_draws, n_weights)

    Raises
    ------
    TypeError, ValueError
        As `samplers.hmc`.

    Examples
    --------
    >>> from fragile_learning.bayes.exact_problems import logistic_problem
    >>> sizes = dict(n_chains=4, n_draws=20, n_warmup=5, step_size=0.4, trajectory=1.6)
    >>> posterior_draws(logistic_problem(), **sizes, rng=1).shape
    (4, 20, 2)
    """
    warm = whole_number("n_warmup", n_warmup, minimum=0)
    count = whole_number("n_draws", n_draws)
    if isinstance(problem, RegressionProblem):
        network, data, prior, noise = _regression(problem)
        density = samplers.joint_density(network, data, prior, likelihood=noise)
    else:
        network = models.MLP(input_shape=(2,), widths=(), n_outputs=2, bias=False)
        labels = (problem.labels > 0.0).astype(np.int64)
        data = models.make_data(problem.inputs, labels, network=network, dtype=F64)
        half = math.sqrt(0.5 * problem.prior_variance)
        density = samplers.joint_density(
            network, data, models.GaussianPrior.constant(network, std=half)
        )
    result = samplers.hmc(
        density,
        torch.zeros(whole_number("n_chains", n_chains), network.n_parameters, dtype=F64),
        n_draws=warm + count,
        step_size=step_size,
        trajectory=trajectory,
        correct=correct,
        rng=rng,
    )
    draws = result.draws[:, warm:].numpy()
    if isinstance(problem, RegressionProblem):
        return np.asarray(draws)
    pairs = draws.reshape(*draws.shape[:2], 2, 2)  # input, output
    return np.asarray(pairs[..., 1] - pairs[..., 0])


class Trajectories(NamedTuple):
    """What single trajectories from equilibrium did.

    Attributes
    ----------
    energy_errors, acceptance : ndarray, shape (n,)

    Examples
    --------
    >>> found = leapfrog_trajectories(step_size=0.1, n_steps=5, n_dimensions=10, n=100, rng=1)
    >>> found.energy_errors.shape, bool((found.acceptance > 0.98).all())
    ((100,), True)
    """

    energy_errors: Array
    acceptance: Array


def leapfrog_trajectories(
    *, step_size: float, n_steps: int, n_dimensions: int, n: int, rng: Rng
) -> Trajectories:
    """Run leapfrog from draws of a standard normal law, by `samplers.hmc`.

    Parameters
    ----------
    step_size : float
        > 0.
    n_steps, n_dimensions, n : int
        >= 1.
    rng : Generator, SeedSequence or int

    Returns
    -------
    Trajectories

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from fragile_learning.bayes import theory
    >>> found = leapfrog_trajectories(step_size=0.5, n_steps=3, n_dimensions=50, n=2000, rng=1)
    >>> round(float(found.acceptance.mean()), 2), round(theory.leapfrog_acceptance(0.5, 3, 50), 2)
    (0.82, 0.82)
    """
    steps, generator = whole_number("n_steps", n_steps), as_generator(rng)
    count, d = whole_number("n", n), whole_number("n_dimensions", n_dimensions)

    def density(position: Tensor) -> tuple[Tensor, Tensor]:
        return -0.5 * position.square().sum(dim=1), -position

    parts = []
    for first in range(0, count, _BATCH):
        start = generator.standard_normal((min(_BATCH, count - first), d))
        result = samplers.hmc(
            density,
            torch.from_numpy(start),
            n_draws=1,
            step_size=step_size,
            trajectory=step_size * steps,
            max_steps=steps,
            jitter=0.0,
            rng=generator,
        )
        parts.append(torch.cat([result.energy_errors, result.acceptance], dim=1).numpy())
    errors, acceptance = np.concatenate(parts).T
    return Trajectories(errors, acceptance)


def entropy_functions(log_probabilities: Array) -> tuple[Array, Array, Array]:
    """Total, expected entropy and mutual information, by `uncertainty`.

    Parameters
    ----------
    log_probabilities : ndarray, shape (n_samples, n, n_classes)

    Returns
    -------
    total, expected, mutual : ndarray, shape (n,)

    Examples
    --------
    >>> total, expected, mutual = entropy_functions(np.log([[[0.9, 0.1]], [[0.1, 0.9]]]))
    >>> total.round(4).tolist(), expected.round(4).tolist(), mutual.round(4).tolist()
    ([0.6931], [0.3251], [0.3681])
    """
    logs = torch.from_numpy(log_probabilities)
    return (
        total_entropy(logs).numpy(),
        expected_entropy(logs).numpy(),
        mutual_information(logs).numpy(),
    )


def member_gradients(
    *, n_samples: int, n_inputs: int = 8, n_features: int = 12, n_classes: int = 4, rng: Rng
) -> tuple[Array, Array, Array]:
    """Gradients in the inputs of a random perceptron's members and of their predictive mean.

    Parameters
    ----------
    n_samples, n_inputs, n_features, n_classes : int
        >= 1; members, inputs, and sizes of the network.
    rng : Generator, SeedSequence or int

    Returns
    -------
    log_probabilities : ndarray, shape (n_samples, n_inputs)
        Of the label of each input.
    members : ndarray, shape (n_samples, n_inputs, n_features)
        Gradients of minus these, one backward pass for each member.
    predictive : ndarray, shape (n_inputs, n_features)
        Gradient of minus the log of their mean, by one backward pass through `predict.log_mean`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> logs, members, predictive = member_gradients(n_samples=5, rng=1)
    >>> weights = np.exp(logs) / np.exp(logs).sum(axis=0)
    >>> bool(np.allclose((weights[:, :, None] * members).sum(axis=0), predictive))
    True
    """
    draw, count = as_generator(rng), whole_number("n_samples", n_samples)
    n = whole_number("n_inputs", n_inputs)
    network = models.MLP(
        input_shape=(whole_number("n_features", n_features),),
        widths=(16,),
        n_outputs=whole_number("n_classes", n_classes),
    )
    weights = torch.from_numpy(draw.standard_normal((count, network.n_parameters)))
    posterior = Posterior(network, weights)
    labels = torch.from_numpy(draw.integers(0, n_classes, n))
    leaf = torch.from_numpy(draw.random((n, n_features))).requires_grad_()
    logs = posterior(leaf).gather(2, labels.expand(count, n)[..., None])[..., 0]
    (whole,) = torch.autograd.grad(-log_mean(logs).sum(), leaf)
    parts = []
    for row in weights:
        alone = Posterior(network, row[None])(leaf)[0].gather(1, labels[:, None])
        parts.append(torch.autograd.grad(-alone.sum(), leaf)[0])
    return logs.detach().numpy(), torch.stack(parts).numpy(), whole.numpy()


def attacked(
    problem: SoftmaxProblem | BinaryProblem,
    attack: AttackName,
    *,
    radius: float,
    n_steps: int,
    rng: Rng,
) -> tuple[Array, NDArray[np.bool_], Array]:
    """Attack a linear model.

    Parameters
    ----------
    problem : SoftmaxProblem or BinaryProblem
        The second as a softmax over the logits (0, score).
    attack : {"FGSM", "label", "margin", "targeted"}
        One step on the cross-entropy; ascent on it, or on the margin; and ascent towards each
        class, see `attacks`.
    radius : float
        >= 0.
    n_steps : int
        >= 1, of an ascent.
    rng : Generator, SeedSequence or int

    Returns
    -------
    inputs : ndarray, shape (n, d)
    success : ndarray of bool, shape (n,)
        Whether the predicted class is not the label.
    loss : ndarray, shape (n,)
        Cross-entropy, nats.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from fragile_learning.bayes.exact_problems import binary_problem
    >>> problem = binary_problem()
    >>> _, success, loss = attacked(problem, "FGSM", radius=0.05, n_steps=1, rng=1)
    >>> score = problem.labels * (problem.inputs @ problem.weights + problem.bias)
    >>> left = score - 0.05 * np.abs(problem.weights).sum()
    >>> bool(np.allclose(loss, np.log1p(np.exp(-left)))), bool((success == (left < 0.0)).all())
    (True, True)
    """
    choice("attack", attack, ("FGSM", "label", "margin", "targeted"))
    if isinstance(problem, SoftmaxProblem):
        weights, bias, known = problem.weights, problem.bias, problem.labels
    else:
        weights = np.stack([np.zeros_like(problem.weights), problem.weights])
        bias = np.array([0.0, problem.bias])
        known = (problem.labels > 0.0).astype(np.int64)
    slope, shift = torch.from_numpy(weights), torch.from_numpy(bias)

    def model(x: Tensor) -> Tensor:
        return (x @ slope.mT + shift).log_softmax(dim=1)[None]

    inputs, labels = torch.from_numpy(problem.inputs), torch.from_numpy(known)
    if attack == "FGSM":
        found = attacks.fgsm(model, inputs, labels, radius=radius)
    elif attack == "targeted":
        found = attacks.pgd_targeted(model, inputs, labels, radius=radius, n_steps=n_steps, rng=rng)
    else:
        found = attacks.pgd(
            model, inputs, labels, radius=radius, objective=attack, n_steps=n_steps, rng=rng
        )
    logs = attacks.predictive_log_mean(model, found.inputs)
    loss = -logs.gather(1, labels[:, None])[:, 0]
    return found.inputs.numpy(), found.success.numpy(), loss.numpy()


def trained_mean_field(
    problem: RegressionProblem, *, n_epochs: int, learning_rate: float, rng: Rng
) -> tuple[Array, Array]:
    """Fit independent normal weights by `approximations.mfvi`, with all rows in each batch.

    Parameters
    ----------
    problem : RegressionProblem
    n_epochs : int
        >= 1, each one step.
    learning_rate : float
        > 0.
    rng : Generator, SeedSequence or int

    Returns
    -------
    means, stds : ndarray, shape (d,)

    Examples
    --------
    >>> from fragile_learning.bayes.exact_problems import regression_problem
    >>> fit = dict(n_epochs=50, learning_rate=0.05, rng=1)
    >>> means, stds = trained_mean_field(regression_problem(), **fit)
    >>> means.shape, bool((stds > 0.0).all())
    ((5,), True)
    """
    network, data, prior, noise = _regression(problem)
    config = approximations.FitConfig(
        n_epochs=n_epochs, batch_size=len(problem.inputs), learning_rate=learning_rate
    )
    law = approximations.mfvi(network, data, prior, likelihood=noise, config=config, rng=rng)
    return law.means.numpy(), law.stds.numpy()
