"""Hamiltonian Monte Carlo and ensembles of small networks, against what one writes first.

Chains: a 64-16-10 perceptron on 300 digits, the same leapfrog steps on all sides. One at a time:
each chain by itself, on a list of tensors with automatic differentiation. And blackjax, if it is
installed: all chains compiled as one program. Counted are effective samples of predictive
probabilities for a second of CPU time, after the warm-up (and for blackjax after compilation). The
kernel is one, so that a draw counts for as many effective samples on each side as it does in a
longer run of ours.

Ensembles: members trained side by side, against the same fit member by member, and against modules
and optimisers of torch in a loop.
"""

from __future__ import annotations

import importlib.util
import math
import os
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from _report import Line, best_time, main
from fragile_learning.bayes.approximations import FitConfig, deep_ensemble
from fragile_learning.bayes.diagnostics import effective_sample_size
from fragile_learning.bayes.models import MLP, Data, GaussianPrior, make_data
from fragile_learning.bayes.predict import Posterior
from fragile_learning.bayes.samplers import hmc, joint_density

STEP, STEPS = 0.05, 32
NETWORK = MLP(input_shape=(64,), widths=(16,), n_outputs=10, shift=0.3, scale=0.4)
PRIOR = GaussianPrior.by_fan_in(NETWORK)


def digits() -> tuple[Data, Data]:
    """300 digits to learn, 100 to predict."""
    found = load_digits()
    images, labels = found.data / 16.0, found.target
    return (
        make_data(images[:300], labels[:300], network=NETWORK),
        make_data(images[300:400], labels[300:400], network=NETWORK),
    )


def ours(data: Data, start: torch.Tensor, n_draws: int, seed: int) -> torch.Tensor:
    """Draws (n_chains, n_draws, n_parameters)."""
    return hmc(
        joint_density(NETWORK, data, PRIOR),
        start,
        n_draws=n_draws,
        step_size=STEP,
        trajectory=STEP * STEPS,
        inverse_mass=PRIOR.standard_deviations(NETWORK) ** 2,
        rng=seed,
    ).draws


def one_chain(data: Data, start: torch.Tensor, n_draws: int, seed: int) -> torch.Tensor:
    """Draws (n_draws, n_parameters) of a chain, as a tutorial writes it."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(64, 16), (16,), (16, 10), (10,)]
    sizes = [math.prod(shape) for shape in shapes]
    scales = [s[0] for s in PRIOR.standard_deviations(NETWORK).split(sizes)]
    inputs = (data.inputs - NETWORK.shift) / NETWORK.scale

    def energy(z: list[torch.Tensor]) -> torch.Tensor:
        w1, b1, w2, b2 = (part * scale for part, scale in zip(z, scales, strict=True))
        logits = torch.relu(inputs @ w1 + b1) @ w2 + b2
        loss = functional.cross_entropy(logits, data.labels, reduction="sum")
        return loss + sum(0.5 * (part**2).sum() for part in z)

    def gradient(z: list[torch.Tensor]) -> tuple[float, tuple[torch.Tensor, ...]]:
        leaves = [part.requires_grad_() for part in z]
        value = energy(leaves)
        return float(value.detach()), torch.autograd.grad(value, leaves)

    z = [
        part.view(shape) / scale
        for part, shape, scale in zip(start.split(sizes), shapes, scales, strict=True)
    ]
    value, slope = gradient([part.clone() for part in z])
    kept = []
    for _ in range(n_draws):
        p = [torch.randn(shape, generator=generator) for shape in shapes]
        size = STEP * (0.9 + 0.2 * float(torch.rand(1, generator=generator)))
        before = value + sum(0.5 * float((part**2).sum()) for part in p)
        new_z, new_slope = [part.detach().clone() for part in z], slope
        for _ in range(STEPS):
            p = [part - 0.5 * size * g for part, g in zip(p, new_slope, strict=True)]
            new_z = [(part + size * m).detach() for part, m in zip(new_z, p, strict=True)]
            new_value, new_slope = gradient(new_z)
            p = [part - 0.5 * size * g for part, g in zip(p, new_slope, strict=True)]
        after = new_value + sum(0.5 * float((part**2).sum()) for part in p)
        if math.log(float(torch.rand(1, generator=generator))) < before - after:
            z, value, slope = new_z, new_value, new_slope
        kept.append(torch.cat([(q.detach() * s).flatten() for q, s in zip(z, scales, strict=True)]))
    return torch.stack(kept)


def one_at_a_time(data: Data, start: torch.Tensor, n_draws: int, seed: int) -> torch.Tensor:
    """Draws of several chains, one after the other."""
    return torch.stack(
        [one_chain(data, row, n_draws, 1000 * seed + i) for i, row in enumerate(start)]
    )


def blackjax_chains(data: Data, n_chains: int, n_draws: int):
    """The same kernel compiled by jax, without jitter; from start and seed to draws."""
    # one thread on every side; a pool of them also waits for long on a busy machine
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    import blackjax
    import jax
    from jax import numpy as jnp

    inputs = jnp.asarray(((data.inputs - NETWORK.shift) / NETWORK.scale).numpy())
    labels = jnp.asarray(data.labels.numpy())
    scales = jnp.asarray(PRIOR.standard_deviations(NETWORK).numpy())

    def density(w):
        hidden = jax.nn.relu(inputs @ w[:1024].reshape(64, 16) + w[1024:1040])
        logits = hidden @ w[1040:1200].reshape(16, 10) + w[1200:]
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return chosen.sum() - 0.5 * jnp.square(w / scales).sum()

    kernel = blackjax.hmc(
        density, step_size=STEP, inverse_mass_matrix=scales**2, num_integration_steps=STEPS
    )

    def chain(key, first):
        def step(state, key):
            state, _ = kernel.step(key, state)
            return state, state.position

        return jax.lax.scan(step, kernel.init(first), jax.random.split(key, n_draws))[1]

    run = jax.jit(jax.vmap(chain))

    def sample(start: torch.Tensor, seed: int) -> torch.Tensor:
        keys = jax.random.split(jax.random.PRNGKey(seed), n_chains)
        return torch.from_numpy(np.array(run(keys, jnp.asarray(start.numpy()))))

    return sample


def probabilities(draws: torch.Tensor, seen: Data) -> np.ndarray:
    """Predictive probability of the right class, (n_chains, n_draws, n)."""
    logs = Posterior(NETWORK, draws.flatten(0, 1))(seen.inputs)
    right = logs.gather(2, seen.labels.expand(logs.shape[:2])[..., None])[..., 0]
    return right.exp().view(*draws.shape[:2], -1).numpy()


def warmed(data: Data, n_chains: int) -> torch.Tensor:
    """Chains after a warm-up, (n_chains, n_parameters)."""
    generator = torch.Generator().manual_seed(1)
    scales = PRIOR.standard_deviations(NETWORK)
    start = 0.5 * scales * torch.randn((n_chains, len(scales)), generator=generator)
    return ours(data, start, 60, 1)[:, -1]


# --- ensembles ----------------------------------------------------------------------------------


def together(data: Data, n_members: int, config: FitConfig) -> Posterior:
    return deep_ensemble(NETWORK, data, PRIOR, n_members=n_members, config=config, rng=1)


def member_by_member(data: Data, n_members: int, config: FitConfig) -> list[Posterior]:
    return [
        deep_ensemble(NETWORK, data, PRIOR, n_members=1, config=config, rng=i)
        for i in range(n_members)
    ]


def modules(data: Data, n_members: int, config: FitConfig) -> list[nn.Module]:
    """Modules of torch in a loop; weight decay for the prior, in units of the weights."""
    generator, found, count = torch.Generator().manual_seed(1), [], len(data.inputs)
    inputs = (data.inputs - NETWORK.shift) / NETWORK.scale
    for _ in range(n_members):
        with torch.random.fork_rng(devices=[]):
            model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
        optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        steps = config.n_epochs * (count // config.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(config.n_epochs):
            order = torch.randperm(count, generator=generator)
            for rows in order[: count // config.batch_size * config.batch_size].split(
                config.batch_size
            ):
                optimiser.zero_grad()
                loss = functional.cross_entropy(model(inputs[rows]), data.labels[rows])
                loss = loss + sum((p**2).sum() for p in model.parameters()) / (2 * count)
                loss.backward()
                optimiser.step()
                schedule.step()
        found.append(model)
    return found


def lines() -> list[Line]:
    torch.set_num_threads(1)
    data, seen = digits()
    found = []
    for n_chains, goal in ((4, 8.0), (16, 10.0)):
        start, n_draws = warmed(data, n_chains), 100
        sides = {
            "one chain at a time": lambda seed, start=start: one_at_a_time(data, start, 10, seed),
            "ours": lambda seed, start=start: ours(data, start, 100, seed),
        }
        if importlib.util.find_spec("blackjax"):
            compiled = blackjax_chains(data, n_chains, n_draws)
            sides["blackjax"] = lambda seed, run=compiled, start=start: run(start, seed)
            compiled(start, 0)
        rates = dict.fromkeys(sides, 0.0)
        draws = ours(data, start, 400, 2)
        worth = (
            float(np.median(effective_sample_size(probabilities(draws, seen)))) / draws[0].shape[0]
        )
        for seed in range(3):
            for name, run in sides.items():
                begun = time.process_time()
                count = run(seed).shape[1]
                seconds = time.process_time() - begun
                rates[name] = max(rates[name], worth * count / seconds)
        found.append(Line(f"{n_chains} chains: effective samples a CPU second", rates["ours"], ""))
        found.append(
            Line(
                f"{n_chains} chains: ours / one chain at a time",
                rates["ours"] / rates["one chain at a time"],
                "x",
                goal,
            )
        )
        known = "blackjax" in rates
        found.append(
            Line(
                f"{n_chains} chains: ours / blackjax" + ("" if known else " (not installed)"),
                rates["ours"] / rates["blackjax"] if known else math.nan,
                "x",
                1.0 if known else None,
            )
        )
    config = FitConfig(n_epochs=10, batch_size=50)
    works = [
        lambda work=work: work(data, 16, config) for work in (together, member_by_member, modules)
    ]
    rounds = [[best_time(work, 1) for work in works] for _ in range(4)]
    fast, single, plain = map(min, zip(*rounds, strict=True))
    return [
        *found,
        Line("16 members: member by member / together", single / fast, "x", 3.0),
        Line("16 members: modules of torch in a loop / together", plain / fast, "x", 3.0),
    ]


if __name__ == "__main__":
    main("Chains and ensembles of small networks", lines)
