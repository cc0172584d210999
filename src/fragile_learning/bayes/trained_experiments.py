"""Experiments on trained networks: have chains mixed, and what attacks leave of each posterior.

Fits are those of `methods`, whose seed is the replicate: points, experiments and the pitfalls of a
replicate share them within a process. The stream of a point is for its attacks alone, and methods
of a replicate share that too: they are attacked from the same starts.

Sizes, decided by the plan and by trials with other seeds, before the archived runs:

- Fashion-MNIST at 14 x 14 pixels and digits at 8 x 8, one hidden layer; see `methods`. A posterior
  by Hamiltonian Monte Carlo takes 12 s in the quick and a minute in the full tier.
- Attacks take 20 steps in the quick and 40 in the full tier, in two stages twice as many.
  Of other classes the quick tier tries the likeliest three, the full tier all.
- Three replicates in the full tier: other training images, starts and chains, the same test images.
  An accuracy on 300 of them has a standard error of 0.03, whatever the replicates.
- The convolutional network sees 28 x 28 pixels. The plan's 10,000 training images are for a GPU,
  `GPU_SIZE`: a gradient of four chains is 7e10 operations and moves some 6 GB. On the CPU, steps of
  0.01 and 0.006 from trained networks changed the energy by 0.2 to 1.5 and 0.01 to 0.1 in 8 steps:
  with trajectories cut at 80 steps, 90 iterations and three replicates are 21,600 gradients, a few
  minutes. A gradient of four chains on 1,000 images takes 0.26 CPU seconds, and the step size of
  0.015 asks for 105 of them: the full tier has 500 images and trajectories cut at 60 steps, some
  ten CPU minutes. Its chains are short, and their R-hat is part of the table. The quick tier, at
  14 x 14 pixels, shows that the code runs.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import choice
from fragile_learning.networks.precision import full_precision
from fragile_learning.networks.threads import one_thread
from fragile_learning.sweeps import Experiment, grid

__all__ = [
    "GPU_SIZE",
    "TRAINED_EXPERIMENTS",
    "convolutional_point",
    "detection_point",
    "mixing_point",
    "robustness_point",
    "shift_point",
]

Row = dict[str, Any]
Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SEED = 20_240_427

METHODS = (
    "deterministic",
    "ensemble",
    "dropout",
    "Laplace",
    "function space",
    "mean field",
    "HMC",
)
SCORES = ("total_entropy", "mutual_information")

GPU_SIZE: dict[str, Any] = {
    "side": 28,
    "kernel": 5,
    "n_train": 10_000,
    "n_test": 1_000,
    "n_warmup": 30,
    "n_draws": 60,
    "max_steps": 80,
    "n_samples": 64,
    "n_epochs": 40,
    "radii": (0.05, 0.1),
    "n_steps": 40,
    "batch_size": 500,
    "source": "fashion-mnist",
    "device": "cuda",
}
"""For `convolutional_point` with the plan's number of training images, on a GPU."""


def _room(name: str) -> Any:
    """Import a module of this room that needs torch."""
    return importlib.import_module(f"fragile_learning.bayes.{name}")


def _setting(data: str, size: str) -> Any:
    settings = _room("methods").SETTINGS
    choice("data and size", (data, size), settings)
    return settings[data, size]


def _caught(found: Any) -> float:
    """Share of the successful attacks that a threshold catches; NaN if there are none."""
    return float(found.n_caught / found.n_successful) if found.n_successful else math.nan


# --- have the chains mixed ------------------------------------------------------------------------


def _mixing(given: Any, result: Any) -> Row:
    """Diagnostics in function space: probability of the true class of the first 100 test images."""
    torch, diagnostics = importlib.import_module("torch"), _room("diagnostics")
    models = _room("models")
    some = models.Data(given.test.inputs[:100], given.test.labels[:100])
    chains, draws, _ = result.draws.shape
    with torch.no_grad():
        logs = torch.cat(
            [
                models.log_likelihoods(given.network, part, some)
                for part in torch.split(result.draws.flatten(0, 1), 50)
            ]
        )
    probabilities = logs.exp().cpu().numpy().reshape(chains, draws, -1)
    rhat = diagnostics.split_rhat(probabilities)
    energies = -result.log_densities.cpu().numpy()
    weights = diagnostics.split_rhat(result.draws.cpu().numpy())
    return {
        "acceptance": float(result.acceptance.mean()),
        "step_size": result.step_size,
        "n_steps": result.n_steps,
        "n_divergent": result.n_divergent,
        "n_draws": chains * draws,
        "rhat_median": float(np.median(rhat)),
        "rhat_max": float(rhat.max()),
        "ess_median": float(np.median(diagnostics.effective_sample_size(probabilities))),
        "weights_mixed": float((weights < 1.1).mean()),
        "rhat_energy": float(diagnostics.split_rhat(energies)),
        "ess_energy": float(diagnostics.effective_sample_size(energies)),
    }


@one_thread()
def mixing_point(*, data: str, size: str, replicate: int, rng: np.random.Generator) -> Row:
    """Diagnostics of the chains of one replicate.

    R-hat and effective sample size of the probability of the true class on 100 test images, the
    share of weights with an R-hat below 1.1, and both for minus the log density.
    """
    del rng  # fits have seeds of their own
    methods, setting = _room("methods"), _setting(data, size)
    return _mixing(methods.problem(setting, replicate), methods.hmc_run(setting, replicate))


_MIXING_COLUMNS = (
    "acceptance",
    "step_size",
    "n_steps",
    "n_divergent",
    "n_draws",
    "rhat_median",
    "rhat_max",
    "ess_median",
    "weights_mixed",
    "rhat_energy",
    "ess_energy",
)


# --- label prediction -----------------------------------------------------------------------------


@one_thread()
def robustness_point(
    *,
    data: str,
    size: str,
    method: str,
    replicate: int,
    radii: tuple[float, ...],
    n_steps: int,
    max_targets: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Accuracy of the posterior predictive mean, clean and under attacks of growing strength.

    One row for the clean images, then one for each radius and attack: one step, ascent on minus
    the log-probability of the label, on the margin, and then also towards the likeliest
    ``max_targets`` other classes. All test images count, also those that are wrong when clean.

    Examples
    --------
    >>> row = dict(data="digits", size="quick", method="deterministic", replicate=0)
    >>> rows = robustness_point(
    ...     **row, radii=(0.1,), n_steps=2, max_targets=1, rng=np.random.default_rng(1)
    ... )
    >>> [one["attack"] for one in rows]
    ['none', 'FGSM', 'label', 'margin', 'targeted']
    >>> max(one["accuracy"] for one in rows[1:]) <= rows[0]["accuracy"]
    True
    """
    methods, attacks, setting = _room("methods"), _room("attacks"), _setting(data, size)
    views = _room("views")
    test = methods.problem(setting, replicate).test
    model = methods.posterior(method, setting, replicate)
    clean = views.view(model, test.inputs, test.labels)
    rows = [_accuracy_row("none", 0.0, clean.right, -float(clean.log_labels.mean()))]
    starts = int(rng.integers(0, 2**62))
    for radius in radii:
        common = {"radius": radius, "n_steps": n_steps, "rng": starts}
        found = {
            "FGSM": attacks.fgsm(model, test.inputs, test.labels, radius=radius),
            "label": attacks.pgd(model, test.inputs, test.labels, objective="label", **common),
            "margin": attacks.pgd(model, test.inputs, test.labels, **common),
            "targeted": attacks.pgd_targeted(
                model, test.inputs, test.labels, max_targets=max_targets, **common
            ),
        }
        for name, attack in found.items():
            rows.append(_accuracy_row(name, radius, ~attack.success.cpu().numpy(), math.nan))
    return rows


def _accuracy_row(attack: str, radius: float, right: Flags, nll: float) -> Row:
    return {
        "attack": attack,
        "radius": radius,
        "n": len(right),
        "accuracy": float(right.mean()),
        "nll": nll,
    }


_ROBUSTNESS_COLUMNS = ("attack", "radius", "n", "accuracy", "nll")


# --- detection of attacks -------------------------------------------------------------------------


@one_thread()
def detection_point(
    *,
    data: str,
    size: str,
    method: str,
    replicate: int,
    radii: tuple[float, ...],
    n_steps: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Find attacked images by their uncertainty, under attacks that know of it and that do not.

    One row for each radius, attack and score. ``auroc``: all attacked images against all clean
    ones. ``auroc_successful`` and ``caught``: those that were right and are wrong under the attack,
    against clean ones that are right; NaN if there are none. ``selective_area``: of clean and
    attacked images together.

    Examples
    --------
    >>> row = dict(data="digits", size="quick", method="deterministic", replicate=0)
    >>> rows = detection_point(**row, radii=(0.1,), n_steps=2, rng=np.random.default_rng(1))
    >>> [one["attack"] for one in rows if one["score"] == "total_entropy"]
    ['label', 'margin', 'two-stage entropy', 'two-stage information']
    >>> all(0.0 <= one["auroc"] <= 1.0 for one in rows)
    True
    """
    methods, attacks, setting = _room("methods"), _room("attacks"), _setting(data, size)
    views = _room("views")
    auroc = _room("uncertainty").auroc
    test = methods.problem(setting, replicate).test
    model = methods.posterior(method, setting, replicate)
    clean = views.view(model, test.inputs, test.labels)
    starts = int(rng.integers(0, 2**62))
    rows = []
    for radius in radii:
        for name, changes in _DETECTED.items():
            steps = 2 * n_steps if "score" in changes else n_steps
            attack = attacks.pgd(
                model,
                test.inputs,
                test.labels,
                radius=radius,
                n_steps=steps,
                rng=starts,
                **changes,
            )
            attacked = views.view(model, attack.inputs, test.labels)
            for score in SCORES:
                hit = views.successful(score, clean, attacked)
                rows.append(
                    {
                        "radius": radius,
                        "attack": name,
                        "score": score,
                        "auroc": auroc(clean.scores[score], attacked.scores[score]),
                        "auroc_successful": math.nan if hit.auroc is None else hit.auroc,
                        "caught": _caught(hit),
                        "selective_area": views.mixed_area(score, clean, attacked),
                    }
                )
    return rows


_DETECTED: dict[str, dict[str, str]] = {
    "label": {"objective": "label"},
    "margin": {"objective": "margin"},
    "two-stage entropy": {"objective": "two_stage", "score": "total_entropy"},
    "two-stage information": {"objective": "two_stage", "score": "mutual_information"},
}

_DETECTION_COLUMNS = (
    "radius",
    "attack",
    "score",
    "auroc",
    "auroc_successful",
    "caught",
    "selective_area",
)


# --- semantic shift -------------------------------------------------------------------------------


@one_thread()
def shift_point(
    *,
    data: str,
    size: str,
    method: str,
    replicate: int,
    radii: tuple[float, ...],
    n_steps: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Find images of none of the classes by their uncertainty, let be or attacked to look sure.

    One row for each score at radius 0, and for each radius, attacked score and score.
    ``selective_area``: of test and shifted images together, the latter always wrong.

    Examples
    --------
    >>> row = dict(data="digits", size="quick", method="deterministic", replicate=0)
    >>> rows = shift_point(**row, radii=(0.1,), n_steps=2, rng=np.random.default_rng(1))
    >>> plain, attacked = (
    ...     next(one for one in rows if one["attacked"] == name and one["score"] == "total_entropy")
    ...     for name in ("none", "total_entropy")
    ... )
    >>> attacked["auroc"] < plain["auroc"]  # images that were made to look sure
    True
    """
    methods, attacks, setting = _room("methods"), _room("attacks"), _setting(data, size)
    views = _room("views")
    auroc = _room("uncertainty").auroc
    test = methods.problem(setting, replicate).test
    model = methods.posterior(method, setting, replicate)
    clean = views.view(model, test.inputs, test.labels)
    starts = int(rng.integers(0, 2**62))

    def seen(radius: float, attacked: str, inputs: Any) -> list[Row]:
        far = views.view(model, inputs)
        return [
            {
                "radius": radius,
                "attacked": attacked,
                "score": score,
                "auroc": auroc(clean.scores[score], far.scores[score]),
                "selective_area": views.mixed_area(score, clean, far),
            }
            for score in SCORES
        ]

    rows = seen(0.0, "none", test.shifted)
    for radius in radii:
        for attacked, objective in _LOWERED.items():
            attack = attacks.pgd(
                model,
                test.shifted,
                None,
                radius=radius,
                objective=objective,
                n_steps=n_steps,
                rng=starts,
            )
            rows += seen(radius, attacked, attack.inputs)
    return rows


_LOWERED = {"total_entropy": "low_entropy", "mutual_information": "low_mutual_information"}

_SHIFT_COLUMNS = ("radius", "attacked", "score", "auroc", "selective_area")


# --- a convolutional network ----------------------------------------------------------------------


@one_thread()
@full_precision()
def convolutional_point(
    *,
    method: str,
    replicate: int,
    side: int,
    kernel: int,
    n_train: int,
    n_test: int,
    n_warmup: int,
    n_draws: int,
    max_steps: int,
    n_samples: int,
    n_epochs: int,
    radii: tuple[float, ...],
    n_steps: int,
    batch_size: int,
    source: str = "fashion-mnist",
    device: str = "cpu",
    rng: np.random.Generator,
) -> list[Row]:
    """All three tasks for a convolutional network, one row for each radius.

    ``robust``: share of images that are right under the attack on the label, on the margin and
    towards each class. ``..._label``: AUROC or caught share (by total entropy) under the attack on
    the label; ``..._adaptive``: under that in two stages on the score itself. ``shift_...``: AUROC
    of total entropy on digits, let be and attacked. Diagnostics are NaN for one network.

    Examples
    --------
    >>> sizes = dict(side=14, kernel=3, n_train=60, n_test=20, n_samples=1, batch_size=20)
    >>> chain = dict(n_warmup=10, n_draws=8, max_steps=1)
    >>> rows = convolutional_point(
    ...     method="deterministic",
    ...     replicate=0,
    ...     source="fashion-mnist-mini",
    ...     n_epochs=2,
    ...     radii=(0.05,),
    ...     n_steps=2,
    ...     **sizes,
    ...     **chain,
    ...     rng=np.random.default_rng(1),
    ... )
    >>> [row["radius"] for row in rows], rows[0]["robust"] <= rows[0]["clean"]
    ([0.05], True)
    """
    methods, attacks, views = _room("methods"), _room("attacks"), _room("views")
    auroc = _room("uncertainty").auroc
    choice("method", method, ("deterministic", "HMC"))
    setting = methods.Setting(
        source=source,
        side=side,
        channels=(8, 16),
        kernel=kernel,
        n_train=n_train,
        n_test=n_test,
        n_shifted=n_test if n_test < 1797 else 1797,
        n_warmup=n_warmup,
        n_draws=n_draws,
        max_steps=max_steps,
        n_samples=n_samples,
        n_members=4,
        n_epochs=n_epochs,
        mean_field_epochs=1,
        function_space_epochs=1,
        batch_size=min(100, n_train),
        device=device,
    )
    given = methods.problem(setting, replicate)
    test, model = given.test, methods.posterior(method, setting, replicate)
    chains: Row = dict.fromkeys(("acceptance", "rhat_median", "rhat_max", "n_divergent"), math.nan)
    if method == "HMC":
        found = _mixing(given, methods.hmc_run(setting, replicate))
        chains = {name: float(found[name]) for name in chains}
    clean = views.view(model, test.inputs, test.labels, batch_size)
    far = views.view(model, test.shifted, None, batch_size)
    starts = int(rng.integers(0, 2**62))
    rows = []
    for radius in radii:
        common = {"radius": radius, "batch_size": batch_size, "rng": starts}

        def ascend(
            inputs: Any = test.inputs,
            labels: Any = test.labels,
            n_steps: int = n_steps,
            common: Row = common,
            **changes: str,
        ) -> Any:
            return attacks.pgd(model, inputs, labels, n_steps=n_steps, **common, **changes)

        label = ascend(objective="label")
        sure = attacks.pgd_targeted(model, test.inputs, test.labels, n_steps=n_steps, **common)
        robust = ~(label.success | sure.success).cpu().numpy()
        by_label = views.view(model, label.inputs, test.labels, batch_size)
        adaptive = {
            score: views.view(
                model,
                ascend(objective="two_stage", score=score, n_steps=2 * n_steps).inputs,
                test.labels,
                batch_size,
            )
            for score in SCORES
        }
        low = ascend(test.shifted, None, objective="low_entropy")
        attacked = views.view(model, low.inputs, None, batch_size)
        entropy, information = SCORES
        rows.append(
            {
                "radius": radius,
                "clean": float(clean.right.mean()),
                "robust": float(robust.mean()),
                "entropy_label": auroc(clean.scores[entropy], by_label.scores[entropy]),
                "entropy_adaptive": auroc(clean.scores[entropy], adaptive[entropy].scores[entropy]),
                "information_label": auroc(clean.scores[information], by_label.scores[information]),
                "information_adaptive": auroc(
                    clean.scores[information], adaptive[information].scores[information]
                ),
                "caught_label": _caught(views.successful(entropy, clean, by_label)),
                "caught_adaptive": _caught(views.successful(entropy, clean, adaptive[entropy])),
                "shift_clean": auroc(clean.scores[entropy], far.scores[entropy]),
                "shift_attacked": auroc(clean.scores[entropy], attacked.scores[entropy]),
                **chains,
            }
        )
    return rows


_CONVOLUTIONAL_COLUMNS = (
    "radius",
    "clean",
    "robust",
    "entropy_label",
    "entropy_adaptive",
    "information_label",
    "information_adaptive",
    "caught_label",
    "caught_adaptive",
    "shift_clean",
    "shift_attacked",
    "acceptance",
    "rhat_median",
    "rhat_max",
    "n_divergent",
)
_CONVOLUTIONAL_NULLABLE = (
    *("acceptance", "rhat_median", "rhat_max", "n_divergent"),  # of chains alone
    *("caught_label", "caught_adaptive"),  # where no attack succeeds
)
_GPU_REPLICATES = 3


# --- the experiments ------------------------------------------------------------------------------

_TASKS = {"quick": [0.05, 0.1], "full": [0.01, 0.02, 0.035, 0.05, 0.075, 0.1]}
_DETECTION = {"quick": [0.1], "full": [0.02, 0.05, 0.1]}


def _tiers(
    radii: dict[str, list[float]], **more: dict[str, int]
) -> dict[str, list[dict[str, Any]]]:
    """Both grids of an experiment on attacks; the methods of a replicate are neighbours."""
    return {
        tier: grid(
            data=["fashion", "digits"],
            size=[size],
            replicate=range(count),
            method=list(METHODS),
            radii=[radii[tier]],
            n_steps=[steps],
            **{name: [values[tier]] for name, values in more.items()},
        )
        for tier, size, count, steps in (("quick", "quick", 1, 20), ("full", "mid", 3, 40))
    }


def _convolutional(n_replicates: int = 1, **sizes: Any) -> list[dict[str, Any]]:
    return grid(
        method=["deterministic", "HMC"],
        replicate=range(n_replicates),
        **{name: [value] for name, value in sizes.items()},
    )


TRAINED_EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "bayes/mixing",
        "Acceptance, R-hat and effective sample sizes of Hamiltonian Monte Carlo.",
        mixing_point,
        {
            "quick": grid(data=["fashion", "digits"], size=["quick"], replicate=[0]),
            "full": grid(data=["fashion", "digits"], size=["mid"], replicate=range(3)),
        },
        seed=SEED,
        stream_keys=("data", "replicate"),
        columns=_MIXING_COLUMNS,
        requires=("torch",),
    ),
    Experiment(
        "bayes/robustness",
        "Accuracy of each method, clean and under four attacks at growing radii.",
        robustness_point,
        _tiers(_TASKS, max_targets={"quick": 3, "full": 9}),
        seed=SEED,
        stream_keys=("data", "replicate"),
        columns=_ROBUSTNESS_COLUMNS,
        nullable=("nll",),  # of clean inputs alone
        requires=("torch",),
    ),
    Experiment(
        "bayes/detection",
        "Whether uncertainty finds attacked images, under attacks that know of it or do not.",
        detection_point,
        _tiers(_DETECTION),
        seed=SEED,
        stream_keys=("data", "replicate"),
        columns=_DETECTION_COLUMNS,
        nullable=("auroc_successful", "caught"),  # where no attack succeeds
        requires=("torch",),
    ),
    Experiment(
        "bayes/shift",
        "Whether uncertainty finds images of none of the classes, let be or attacked.",
        shift_point,
        _tiers(_TASKS),
        seed=SEED,
        stream_keys=("data", "replicate"),
        columns=_SHIFT_COLUMNS,
        requires=("torch",),
    ),
    Experiment(
        "bayes/convolutional",
        "The three tasks for a convolutional network: one network, and Hamiltonian Monte Carlo.",
        convolutional_point,
        {
            "quick": _convolutional(
                side=14,
                kernel=3,
                n_train=200,
                n_test=60,
                n_warmup=10,
                n_draws=10,
                max_steps=8,
                n_samples=10,
                n_epochs=30,
                radii=[0.1],
                n_steps=6,
                batch_size=60,
                source="fashion-mnist-mini",
            ),
            "full": _convolutional(
                side=28,
                kernel=5,
                n_train=500,
                n_test=100,
                n_warmup=20,
                n_draws=40,
                max_steps=60,
                n_samples=32,
                n_epochs=40,
                radii=[0.05, 0.1],
                n_steps=20,
                batch_size=50,
                source="fashion-mnist",
            ),
        },
        seed=SEED,
        stream_keys=("replicate",),
        columns=_CONVOLUTIONAL_COLUMNS,
        nullable=_CONVOLUTIONAL_NULLABLE,
        requires=("torch",),
    ),
    Experiment(
        "bayes/convolutional-28",
        "The three tasks for a convolutional network on 10,000 images of 28 x 28 pixels, on a GPU.",
        convolutional_point,
        {
            # both methods of a replicate are neighbours: they share its networks
            "full": sorted(
                _convolutional(_GPU_REPLICATES, **GPU_SIZE), key=lambda one: one["replicate"]
            )
        },
        seed=SEED + 1,
        stream_keys=("replicate",),
        columns=_CONVOLUTIONAL_COLUMNS,
        nullable=_CONVOLUTIONAL_NULLABLE,
        requires=("torch",),
    ),
)
