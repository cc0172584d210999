"""Experiments on mistakes in evaluations: one posterior, many wrong verdicts.

Sizes and choices, decided by trials with other seeds before the archived runs, and why:

- All on images share the fits of `fragile_learning.bayes.methods`, by size and replicate.
- Plain attacks keep the iterate of their own largest loss, as the right ones do: what differs is
  the gradient, not the book-keeping. Only the attacks with fresh samples keep the last iterate,
  since losses of different samples cannot be compared.
- `verdicts` fits a network of its own: a prior N(0, 1) on every weight, whatever the width. Its
  chains are short, start at draws from the prior and do not converge; they are a caricature of a
  posterior with huge logits, not a posterior to be trusted.
- Saturation is measured with two classes in the gradient of the logits, where it is exact.
- The images of `wide-priors` are drawn: 784 pixels, 19 % of them not 0, as in images of digits.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from fragile_learning._validation import choice, whole_number
from fragile_learning.networks.threads import one_thread
from fragile_learning.sweeps import Experiment, grid

__all__ = [
    "PITFALL_EXPERIMENTS",
    "attack_samples_point",
    "double_softmax_point",
    "gradient_norms_point",
    "kl_weights_point",
    "rescaled_logits_point",
    "saturation_point",
    "verdicts_point",
    "weak_attacks_point",
    "wide_priors_point",
]

Row = dict[str, Any]

SEED = 20_240_427


def _torch() -> Any:
    return importlib.import_module("torch")


def _room(name: str) -> Any:
    return importlib.import_module(f"fragile_learning.bayes.{name}")


def _seeds(rng: np.random.Generator, count: int) -> list[int]:
    return [int(seed) for seed in rng.integers(0, 2**62, count)]


def _fashion(size: str) -> Any:
    """Sizes of the problem on Fashion-MNIST that all experiments on images share."""
    settings = _room("methods").SETTINGS
    sizes = [key[1] for key in settings if key[0] == "fashion"]
    return settings["fashion", choice("size", size, sizes)]


# --- closed forms -----------------------------------------------------------------------------


@one_thread()
def double_softmax_point(
    *,
    n_classes: int,
    n_inputs: int,
    n_pixels: int,
    n_samples: int,
    radius: float,
    rng: np.random.Generator,
) -> Row:
    """Find the ends of a loss with two softmaxes, and the score of a linear model that is fooled.

    The model has normal weights, samples that differ by a tenth of them, and labels that are its
    own predictions, so that its clean accuracy is 1.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> sizes = dict(n_inputs=20, n_pixels=20, n_samples=3)
    >>> row = double_softmax_point(n_classes=10, radius=0.3, **sizes, rng=rng)
    >>> row["score_fooled"] >= row["score_floor"] - 1e-9, round(row["score_floor"], 4)
    (True, 0.8534)
    """
    torch, pitfalls = _torch(), _room("pitfalls")
    sure = torch.zeros((1, 2, n_classes), dtype=torch.float64)
    sure[0, 0, 0] = sure[0, 1, 1] = 1e3
    label = torch.zeros(2, dtype=torch.int64)
    low, high = pitfalls.loss_of_logits(sure, label, "double softmax").tolist()
    vertices = torch.eye(n_classes, dtype=torch.float64)[:2].softmax(dim=1)
    floor = 1.0 - float((vertices[0] - vertices[1]).abs().max())

    network = _room("models").MLP(
        input_shape=(n_pixels,), widths=(), n_outputs=n_classes, bias=False, shift=0.5
    )
    weights = rng.standard_normal((1, network.n_parameters))
    weights = weights + 0.1 * rng.standard_normal((n_samples, network.n_parameters))
    samples = _room("predict").Posterior(network, torch.tensor(4.0 * weights))
    clean = torch.tensor(rng.random((n_inputs, n_pixels)))
    attacks = _room("attacks")
    labels = attacks.predictive_log_mean(samples, clean).argmax(dim=1)
    found = attacks.pgd_targeted(samples, clean, labels, radius=radius, rng=rng)
    # on to where the label is least likely: the score is of how far probabilities move
    further = attacks.pgd(samples, clean, labels, radius=radius, objective="label", rng=rng)
    moved = torch.where(further.success[:, None], further.inputs, found.inputs)
    scores = [
        float(pitfalls.softmax_robustness(samples, clean, moved, doubled=doubled).mean())
        for doubled in (True, False)
    ]
    return {
        "loss_low": low,
        "loss_high": high,
        "score_floor": floor,
        "score_fooled": scores[0],
        "score_correct": scores[1],
        "accuracy": pitfalls.accuracy(samples, moved, labels),
    }


@one_thread()
def saturation_point(
    *, dtype: str, loss: str, n_samples: int, n_classes: int, rng: np.random.Generator
) -> Row:
    """First integer logit gap at which the sign of a loss's gradient is 0 in every entry.

    Examples
    --------
    >>> sizes = dict(n_samples=1, n_classes=2, rng=np.random.default_rng(1))
    >>> saturation_point(dtype="float32", loss="log mean", **sizes)
    {'first_dead_gap': 104.0, 'nan': False}
    """
    del rng  # nothing is drawn
    choice("dtype", dtype, ("float32", "float64"))
    found = _room("pitfalls").first_dead_gap(
        loss, dtype=getattr(_torch(), dtype), n_samples=n_samples, n_classes=n_classes
    )
    if found is None:
        return {"first_dead_gap": math.inf, "nan": False}
    return {"first_dead_gap": float(found.gap), "nan": found.nan}


@one_thread()
def wide_priors_point(
    *,
    prior: str,
    width: int,
    n_layers: int,
    replicate: int,
    n_draws: int,
    n_inputs: int,
    rng: np.random.Generator,
) -> Row:
    """Share of zero gradients of single networks drawn from a prior, in float32.

    Of the loss of the class that each network predicts, on images of 784 pixels of which 19 % are
    not zero.

    Examples
    --------
    >>> sizes = dict(width=128, n_layers=2, replicate=0, n_draws=5, n_inputs=10)
    >>> row = wide_priors_point(prior="fan-in", **sizes, rng=np.random.default_rng(1))
    >>> row["dead_share"]
    0.0
    """
    del replicate  # in the random stream
    torch, models, pitfalls = _torch(), _room("models"), _room("pitfalls")
    choice("prior", prior, ("constant", "fan-in"))
    network = models.MLP(input_shape=(784,), widths=(width,) * n_layers, slope=0.01)
    law = models.GaussianPrior.constant(network)
    if prior == "fan-in":
        law = models.GaussianPrior.by_fan_in(network, gain=1.0, bias_std=1.0)
    stds = law.standard_deviations(network)
    draw_seed, input_seed = _seeds(rng, 2)
    draws = torch.Generator().manual_seed(draw_seed)
    pixels = np.random.default_rng(input_seed).random((2, n_inputs, 784), dtype=np.float32)
    inputs = torch.tensor(np.where(pixels[0] < 0.19, pixels[1], np.float32(0.0)))
    dead, gaps = [], []
    for _ in range(n_draws):
        weights = stds * torch.randn((1, network.n_parameters), generator=draws)
        one = _room("predict").Posterior(network, weights)
        gradients = pitfalls.member_gradients(one, inputs)
        dead.append((gradients == 0).all(dim=2))
        gaps.append(pitfalls.logit_gaps(one, inputs))
    return {
        "dead_share": float(torch.cat(dead).double().mean()),
        "median_gap": float(torch.cat(gaps).double().median()),
    }


# --- a posterior with huge logits -------------------------------------------------------------


def _wide_posterior(
    given: Any,
    *,
    width: int,
    n_train: int,
    n_chains: int,
    n_warmup: int,
    n_draws: int,
    n_leapfrog: int,
    n_samples: int,
    start: int,
    chain: int,
) -> Any:
    """Draw a network with a prior N(0, 1) on every weight, by a short run of chains."""
    torch, models, samplers = _torch(), _room("models"), _room("samplers")
    network = models.MLP(input_shape=given.network.input_shape, widths=(width, width), slope=0.01)
    prior = models.GaussianPrior.constant(network)
    count = whole_number("n_train", n_train, maximum=len(given.train.labels))
    data = models.Data(given.train.inputs[:count], given.train.labels[:count])
    draws = torch.Generator().manual_seed(start)
    run = samplers.hmc(
        samplers.joint_density(network, data, prior),
        torch.randn((n_chains, network.n_parameters), generator=draws),
        n_draws=n_draws,
        n_warmup=n_warmup,
        step_size=0.002,
        trajectory=1e6,  # longer than any: each iteration has n_leapfrog steps
        max_steps=n_leapfrog,
        rng=chain,
    )
    return _room("predict").Posterior.from_draws(network, run.draws, n_samples=n_samples)


@one_thread()
def verdicts_point(
    *,
    replicate: int,
    size: str,
    width: int,
    n_train: int,
    n_chains: int,
    n_warmup: int,
    n_draws: int,
    n_leapfrog: int,
    n_samples: int,
    temperature: float,
    radii: tuple[float, ...],
    rng: np.random.Generator,
) -> list[Row]:
    """Robust accuracy of one posterior under attacks from a naive to a tempered one.

    Examples
    --------
    >>> sizes = dict(
    ...     width=4, n_train=20, n_chains=2, n_warmup=2, n_draws=2, n_leapfrog=2, n_samples=2
    ... )
    >>> rows = verdicts_point(
    ...     replicate=0,
    ...     size="quick",
    ...     temperature=100.0,
    ...     radii=(0.1,),
    ...     **sizes,
    ...     rng=np.random.default_rng(1),
    ... )
    >>> [row["attack"] for row in rows[-2:]]
    ['PGD, margin in the log domain', 'PGD, tempered margin']
    """
    pitfalls, attacks = _room("pitfalls"), _room("attacks")
    start, chain, attack = _seeds(rng, 3)
    given = _room("methods").problem(_fashion(size), replicate)
    samples = _wide_posterior(
        given,
        width=width,
        n_train=n_train,
        n_chains=n_chains,
        n_warmup=n_warmup,
        n_draws=n_draws,
        n_leapfrog=n_leapfrog,
        n_samples=n_samples,
        start=start,
        chain=chain,
    )
    x, y = given.test.inputs, given.test.labels
    common = {
        "clean": pitfalls.accuracy(samples, x, y),
        "median_gap": float(pitfalls.logit_gaps(samples, x).median()),
    }
    rows = []
    for radius in radii:

        def plain(model: Any, loss: str, **options: Any) -> float:
            function = pitfalls.plain_pgd if options else pitfalls.plain_fgsm
            found = function(model, x, y, radius=radius, loss=loss, **options)  # noqa: B023
            return float(pitfalls.accuracy(samples, found.inputs, y))

        def right(**options: Any) -> float:
            found = attacks.pgd(samples, x, y, radius=radius, rng=attack, **options)  # noqa: B023
            return float(pitfalls.accuracy(samples, found.inputs, y))

        pgd = {"n_steps": 20, "keep": "best", "rng": attack}
        singles = _torch().arange(0, n_samples, max(1, n_samples // 4))[:4]
        found = {
            "FGSM, log after the mean": plain(samples, "naive log"),
            "FGSM, double softmax, one sample": float(
                np.mean([plain(samples.chosen(one[None]), "double softmax") for one in singles])
            ),
            "FGSM, double softmax": plain(samples, "double softmax"),
            "PGD, double softmax, ten samples": plain(
                samples.thinned(min(10, n_samples)), "double softmax", **pgd
            ),
            "PGD, log mean": plain(samples, "log mean", **pgd),
            "PGD, log odds": plain(samples, "log odds", **pgd),
            "PGD, margin in the log domain": right(n_steps=20),
            "PGD, tempered margin": right(n_steps=40, temperature=temperature),
        }
        rows += [
            {"attack": name, "radius": radius, "accuracy": value, **common}
            for name, value in found.items()
        ]
    return rows


# --- the posterior of Hamiltonian Monte Carlo --------------------------------------------------


@one_thread()
def rescaled_logits_point(
    *,
    replicate: int,
    size: str,
    radius: float,
    n_steps: int,
    factors: tuple[float, ...],
    rng: np.random.Generator,
) -> list[Row]:
    """Robust accuracy of networks whose logits are multiplied by a factor, by attack.

    Each sample predicts the classes that it did. ``dead_share`` and ``nan_share`` are of the first
    gradients of the attack.
    """
    torch, pitfalls, attacks = _torch(), _room("pitfalls"), _room("attacks")
    methods = _room("methods")
    (seed,) = _seeds(rng, 1)
    setting = _fashion(size)
    test = methods.problem(setting, replicate).test
    x, y = test.inputs, test.labels
    rows = []
    for network in ("deterministic", "HMC"):
        fitted = methods.posterior(network, setting, replicate)
        for factor in factors:
            samples = pitfalls.rescaled(fitted, factor)
            clean = pitfalls.accuracy(samples, x, y)
            common = {"radius": radius, "rng": seed, "n_steps": n_steps}
            found = {}
            for name, loss, dtype in (
                ("log after the mean", "naive log", torch.float32),
                ("log mean", "log mean", torch.float32),
                ("double softmax", "double softmax", torch.float32),
                ("double softmax, float64", "double softmax", torch.float64),
                ("log odds", "log odds", torch.float32),
            ):
                attack = pitfalls.plain_pgd(
                    samples, x, y, loss=loss, dtype=dtype, keep="best", **common
                )
                found[name] = (attack.inputs, attack.zero_share, attack.nan_share)
            for name, options in (
                ("label in the log domain", {"objective": "label"}),
                ("tempered margin", {"objective": "margin", "temperature": factor}),
            ):
                right = attacks.pgd(samples, x, y, **options, **common)
                dead = float((right.direction_norms[0, 0] == 0).double().mean())
                found[name] = (right.inputs, dead, 0.0)
            rows += [
                {
                    "network": network,
                    "factor": float(factor),
                    "attack": name,
                    "accuracy": pitfalls.accuracy(samples, inputs, y),
                    "dead_share": dead,
                    "nan_share": nan,
                    "clean": clean,
                }
                for name, (inputs, dead, nan) in found.items()
            ]
    return rows


@one_thread()
def attack_samples_point(
    *,
    replicate: int,
    size: str,
    radius: float,
    n_steps: int,
    counts: tuple[int, ...],
    rng: np.random.Generator,
) -> list[Row]:
    """Robust accuracy of one posterior, by what the attacker differentiates.

    Evaluated with all samples; in the two rows of chains with those of half the chains: the
    attacker has them (``"same chains"``) or the others (``"other chains"``).
    """
    torch, pitfalls, attacks = _torch(), _room("pitfalls"), _room("attacks")
    methods = _room("methods")
    (seed,) = _seeds(rng, 1)
    setting = _fashion(size)
    test = methods.problem(setting, replicate).test
    x, y = test.inputs, test.labels
    samples = methods.posterior("HMC", setting, replicate)
    count = samples.n_samples
    half = count // 2  # samples are in the order of the chains
    first, second = (samples.chosen(part) for part in torch.arange(2 * half).split(half))
    common = {"radius": radius, "n_steps": n_steps, "rng": seed}
    rows = []

    def add(name: str, n_attack: int, inputs: Any, target: Any = samples) -> None:
        rows.append(
            {
                "attack": name,
                "n_attack": n_attack,
                "accuracy": pitfalls.accuracy(target, inputs, y),
                "clean": pitfalls.accuracy(target, x, y),
            }
        )

    def label_attack(model: Any) -> Any:
        return attacks.pgd(model, x, y, objective="label", **common).inputs

    for n in sorted({min(n, count) for n in counts} | {count}):
        add("n samples", n, label_attack(samples.thinned(n)))
    add("mean weights", 1, label_attack(pitfalls.mean_weights(samples)))
    for loss in ("mean logits", "member losses"):
        attack = pitfalls.plain_pgd(samples, x, y, loss=loss, keep="best", **common)
        add(loss, count, attack.inputs)
    for name, n in (("one fresh sample a step", 1), ("ten fresh samples a step", min(10, count))):
        attack = pitfalls.plain_pgd(samples, x, y, loss="log mean", n_fresh=n, **common)
        add(name, n, attack.inputs)
    inputs = label_attack(first)
    add("same chains", half, inputs, first)
    add("other chains", half, inputs, second)
    return rows


@one_thread()
def gradient_norms_point(
    *, replicate: int, size: str, counts: tuple[int, ...], rng: np.random.Generator
) -> list[Row]:
    """Norms of gradients of means of samples at clean inputs, and their direction.

    Norms are medians over inputs, and over as many disjoint groups of samples as there are;
    ``cosine``, of the same, is with the gradient of all samples' predictive mean.
    """
    del rng  # nothing is drawn
    torch, pitfalls = _torch(), _room("pitfalls")
    methods = _room("methods")
    setting = _fashion(size)
    test = methods.problem(setting, replicate).test
    samples = methods.posterior("HMC", setting, replicate)
    count = samples.n_samples
    members = pitfalls.member_gradients(samples, test.inputs, test.labels).flatten(2)
    whole = pitfalls.predictive_gradients(samples, test.inputs, test.labels).flatten(1)

    def row(kind: str, n: int, gradients: Any) -> Row:
        cosine = torch.nn.functional.cosine_similarity(
            gradients.double(), whole.double().expand_as(gradients), dim=-1
        )
        return {
            "kind": kind,
            "n_samples": n,
            "linf": float(gradients.abs().amax(dim=-1).median()),
            "l2": float(gradients.double().square().sum(dim=-1).sqrt().median()),
            "zero_share": float((gradients == 0).all(dim=-1).double().mean()),
            "cosine": float(cosine.median()),
        }

    rows = []
    for n in sorted({min(n, count) for n in counts} | {count}):
        groups = count // n
        # each group has samples of all chains
        means = members[: n * groups].unflatten(0, (n, groups)).mean(dim=0)
        rows.append(row("mean of member gradients", n, means))
    rows.append(row("predictive mean", count, whole[None]))
    return rows


@one_thread()
def weak_attacks_point(
    *,
    replicate: int,
    size: str,
    radius: float,
    n_steps: int,
    step_sizes: tuple[float, ...],
    queries: tuple[int, ...],
    rng: np.random.Generator,
) -> list[Row]:
    """Robust accuracy of one posterior under attacks that hardly search, or search well.

    ``n_gradients`` are evaluations for one input: of gradients, or of the model where there are
    none.
    """
    pitfalls, attacks, methods = _room("pitfalls"), _room("attacks"), _room("methods")
    (seed,) = _seeds(rng, 1)
    setting = _fashion(size)
    test = methods.problem(setting, replicate).test
    x, y = test.inputs, test.labels
    samples = methods.posterior("HMC", setting, replicate)
    clean = pitfalls.accuracy(samples, x, y)
    rows = []

    def add(name: str, step: float, evaluations: float, inputs: Any) -> None:
        rows.append(
            {
                "attack": name,
                "step_size": step,
                "n_gradients": round(evaluations),
                "accuracy": pitfalls.accuracy(samples, inputs, y),
                "clean": clean,
            }
        )

    for count in queries:
        found = pitfalls.random_sign_search(samples, x, y, radius=radius, n_queries=count, rng=seed)
        add("random signs", math.nan, count, found)
    found = attacks.fgsm(samples, x, y, radius=radius)
    add("FGSM", radius, 1, found.inputs)
    for step in step_sizes:
        # from the clean input: from a random point, small steps would show the start
        found = attacks.pgd(
            samples,
            x,
            y,
            radius=radius,
            objective="label",
            n_steps=n_steps,
            step_size=step,
            random_start=False,
        )
        add("PGD", step, n_steps, found.inputs)
    for name, function in (("margin", attacks.pgd), ("targeted", attacks.pgd_targeted)):
        found = function(samples, x, y, radius=radius, n_steps=n_steps, rng=seed)
        step = 2.5 * radius / n_steps
        add(f"PGD, {name}", step, found.n_gradients / len(x), found.inputs)
    return rows


@one_thread()
def kl_weights_point(
    *,
    replicate: int,
    kl_weight: float,
    size: str,
    radius: float,
    n_steps: int,
    n_epochs: int,
    rng: np.random.Generator,
) -> Row:
    """Mean-field networks whose divergence from the prior counts more than Bayes' rule has it.

    Adding the whole divergence to the loss of each of N / B batches gives it that weight.
    ``mean_std`` is the mean posterior standard deviation in units of the prior's.

    Examples
    --------
    >>> sizes = dict(size="quick", radius=0.1, n_steps=2, n_epochs=1)
    >>> row = kl_weights_point(replicate=0, kl_weight=1.0, **sizes, rng=np.random.default_rng(1))
    >>> row["robust"] <= row["clean"]
    True
    """
    approximations, pitfalls, methods = (
        _room("approximations"),
        _room("pitfalls"),
        _room("methods"),
    )
    fitting, sampling, attack = _seeds(rng, 3)
    setting = _fashion(size)
    given = methods.problem(setting, replicate)
    law = approximations.mfvi(
        given.network,
        given.train,
        given.prior,
        start_log_std=-2.0,
        config=approximations.FitConfig(
            n_epochs=n_epochs,
            batch_size=setting.batch_size,
            learning_rate=0.01,
            prior_weight=kl_weight,
        ),
        rng=fitting,
    )
    samples = law.sample(setting.n_samples, rng=sampling)
    x, y = given.test.inputs, given.test.labels
    found = _room("attacks").pgd(samples, x, y, radius=radius, n_steps=n_steps, rng=attack)
    stds = law.stds / given.prior.standard_deviations(given.network)
    return {
        "clean": pitfalls.accuracy(samples, x, y),
        "robust": pitfalls.accuracy(samples, found.inputs, y),
        "mean_std": float(stds.mean()),
    }


# --- the experiments --------------------------------------------------------------------------

_TIERS = {"quick": ("quick", 1), "full": ("mid", 3)}


def _images(**axes: Any) -> dict[str, list[dict[str, Any]]]:
    """Grids of an experiment on the shared fits; a pair is (quick, full)."""
    grids = {}
    for place, (tier, (size, count)) in enumerate(_TIERS.items()):
        values = {
            key: value[place] if isinstance(value, tuple) else value for key, value in axes.items()
        }
        grids[tier] = grid(
            replicate=range(count), size=[size], **{key: [value] for key, value in values.items()}
        )
    return grids


def _experiment(
    name: str,
    description: str,
    point: Any,
    grids: dict[str, list[dict[str, Any]]],
    columns: tuple[str, ...],
    *,
    stream_keys: tuple[str, ...] | None = ("replicate",),
    nullable: tuple[str, ...] = (),
) -> Experiment:
    return Experiment(
        f"bayes/{name}",
        description,
        point,
        grids,
        seed=SEED,
        stream_keys=stream_keys,
        columns=columns,
        nullable=nullable,
        requires=("torch",),
    )


_DOUBLE = grid(n_classes=[2, 10, 100], n_inputs=[200], n_pixels=[50], n_samples=[8], radius=[0.3])
_SATURATION = grid(
    dtype=["float32", "float64"],
    loss=["log mean", "naive log", "double softmax", "member losses", "log odds"],
    n_samples=[1, 2, 32],
    n_classes=[2],
)
_QUERIES, _STEPS = [20, 200], [1e-4, 1e-3, 2.5e-3, 6.25e-3, 2.5e-2, 0.1, 2.0]
_FACTORS, _COUNTS = [1.0, 10.0, 100.0], [1, 2, 5, 10, 30]


def _priors(count: int, n_draws: int, widths: list[int]) -> list[dict[str, Any]]:
    sizes = {"replicate": range(count), "n_draws": [n_draws], "n_inputs": [100]}
    return [
        *grid(prior=["constant"], width=widths, n_layers=[1, 2], **sizes),
        *grid(prior=["fan-in"], width=widths, n_layers=[2], **sizes),
    ]


PITFALL_EXPERIMENTS: tuple[Experiment, ...] = (
    _experiment(
        "double-softmax",
        "Ends of a loss with two softmaxes; a bounded score of a linear model that is fooled.",
        double_softmax_point,
        {"quick": _DOUBLE, "full": _DOUBLE},
        (
            "loss_low",
            "loss_high",
            "score_floor",
            "score_fooled",
            "score_correct",
            "accuracy",
        ),
        stream_keys=None,
    ),
    _experiment(
        "saturation",
        "First integer logit gap at which a loss has no gradient, by number type.",
        saturation_point,
        {"quick": _SATURATION, "full": _SATURATION},
        ("first_dead_gap", "nan"),
        stream_keys=None,
    ),
    _experiment(
        "wide-priors",
        "Share of zero gradients of networks drawn from a prior, by width and depth.",
        wide_priors_point,
        {"quick": _priors(1, 20, [512]), "full": _priors(3, 50, [128, 512, 1024])},
        ("dead_share", "median_gap"),
    ),
    _experiment(
        "verdicts",
        "Robust accuracy of one posterior with huge logits under attacks from naive to tempered.",
        verdicts_point,
        _images(
            width=128,
            n_train=(300, 500),
            n_chains=2,
            n_warmup=(30, 40),
            n_draws=(20, 30),
            n_leapfrog=40,
            n_samples=20,
            temperature=300.0,
            radii=([0.1], [0.05, 0.1]),
        ),
        ("attack", "radius", "accuracy", "clean", "median_gap"),
    ),
    _experiment(
        "rescaled-logits",
        "Robust accuracy of networks whose logits are multiplied by a factor, by attack.",
        rescaled_logits_point,
        _images(radius=0.1, n_steps=(20, 40), factors=_FACTORS),
        ("network", "factor", "attack", "accuracy", "dead_share", "nan_share", "clean"),
    ),
    _experiment(
        "attack-samples",
        "Robust accuracy of one posterior, by what the attacker differentiates.",
        attack_samples_point,
        _images(radius=0.1, n_steps=(20, 40), counts=_COUNTS),
        ("attack", "n_attack", "accuracy", "clean"),
    ),
    _experiment(
        "gradient-norms",
        "Norms of gradients of means over posterior samples, and their direction.",
        gradient_norms_point,
        _images(counts=_COUNTS),
        ("kind", "n_samples", "linf", "l2", "zero_share", "cosine"),
    ),
    _experiment(
        "weak-attacks",
        "Robust accuracy of one posterior under attacks that hardly search, or search well.",
        weak_attacks_point,
        _images(radius=0.1, n_steps=(20, 40), step_sizes=_STEPS, queries=_QUERIES),
        ("attack", "step_size", "n_gradients", "accuracy", "clean"),
        nullable=("step_size",),
    ),
    _experiment(
        "kl-weights",
        "Mean-field networks whose divergence from the prior has too large a weight.",
        kl_weights_point,
        {
            tier: [
                {**point, "kl_weight": weight}
                for point in points
                for weight in (1.0, 10.0 if tier == "quick" else 20.0, 200.0)
            ]
            for tier, points in _images(radius=0.05, n_steps=(20, 40), n_epochs=(60, 100)).items()
        },
        ("clean", "robust", "mean_std"),
    ),
)
"""Experiments on mistakes in evaluations, in the order in which a reader meets them."""
