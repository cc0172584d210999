"""Experiments of the room on real images: error against samples, against width, trained networks.

The data are stand-ins: the paper used MNIST, and networks of widths 100,000 (random features) and
2,000 (trained).
"""

from __future__ import annotations

import dataclasses
import importlib
from functools import lru_cache
from typing import Any

import numpy as np

from fragile_learning._validation import whole_number
from fragile_learning.datasets import Dataset, load
from fragile_learning.images import ImageTask, image_task, one_hot
from fragile_learning.strong_collapse.images import (
    image_scaling,
    random_feature_mixing,
    synthetic_positions,
)
from fragile_learning.sweeps import Experiment, grid

__all__ = ["IMAGE_EXPERIMENTS", "PAPER_SCALE"]

Row = dict[str, Any]
Point = dict[str, Any]

SEED = 20_241_107
_FRACTIONS = [0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0]


@lru_cache(maxsize=2)
def _loaded(data: str) -> Dataset:
    return load(data)


@lru_cache(maxsize=1)
def _official(data: str, n_test: int) -> ImageTask:
    return image_task(_loaded(data), n_train=_loaded(data).n_train, n_test=n_test)


def _task(data: str, n_test: int, rng: np.random.Generator) -> ImageTask:
    """All training images and some test images, by name.

    Without an official split the parts are drawn: the theory asks for one law, and the last images
    of ``digits`` are by other writers than the first.
    """
    found = _loaded(data)
    if found.n_test > 0:
        return _official(data, n_test)
    order = rng.permutation(len(found))
    mixed = dataclasses.replace(found, images=found.images[order], labels=found.labels[order])
    return image_task(mixed, n_train=len(found) - n_test, n_test=n_test)


def random_features_point(
    *,
    data: str,
    widths: tuple[int, ...],
    sample_sizes: tuple[int, ...],
    synthetic_fractions: tuple[float, ...],
    n_generator_images: int,
    generator_width: int,
    ridge: float,
    n_test: int,
    replicate: int,  # noqa: ARG001 - a key of the random stream
    rng: np.random.Generator,
) -> list[Row]:
    """All widths, sample sizes and fractions on one draw of images and of the frozen layers."""
    task = _task(data, n_test, rng)
    errors = random_feature_mixing(
        task,
        widths=widths,
        sample_sizes=sample_sizes,
        synthetic_fractions=synthetic_fractions,
        n_generator_images=n_generator_images,
        generator_width=generator_width,
        ridge=ridge,
        rng=rng,
    )
    return [
        {
            "data_used": task.name,
            "width": width,
            "n_samples": size,
            "synthetic_fraction": fraction,
            "error": float(errors.mixed[i, j, k]),
            "clean_error": float(errors.clean[i, j]),
            "generator_error": errors.generator,
        }
        for i, width in enumerate(widths)
        for j, size in enumerate(sample_sizes)
        for k, fraction in enumerate(synthetic_fractions)
    ]


def two_layer_networks_point(
    *,
    data: str,
    width: int,
    n_samples: int,
    n_steps: int,
    batch_size: int,
    learning_rate: float,
    synthetic_fractions: tuple[float, ...],
    n_generator_images: int,
    n_generator_steps: int,
    n_test: int,
    n_seeds: int,
    device: str,
    rng: np.random.Generator,
) -> list[Row]:
    """Networks of one width and sample size: all seeds and fractions are trained at once.

    Each seed has its own images, its own generator of the same width, and its own first weights,
    which the networks of all fractions share.
    """
    # torch is asked for only here: the theory half of the room must run without it
    training = importlib.import_module("fragile_learning.networks.training")
    task = _task(data, n_test, rng)
    used = n_generator_images + n_samples
    n_pool = len(task.train_images)
    whole_number("n_samples", n_samples, maximum=n_pool - n_generator_images)
    synthetic = synthetic_positions(n_samples, synthetic_fractions).T[..., None]
    prepare, truth = image_scaling(task), one_hot(task.test_classes)
    tests = prepare(task.test_images)
    seeds = [int(seed) for seed in rng.integers(2**62, size=n_seeds)]
    rows = np.stack([rng.permutation(n_pool)[:used] for _ in seeds])
    images = np.stack([prepare(task.train_images[some]) for some in rows])
    labels = one_hot(task.train_classes[rows])
    shared: Point = {
        "width": width,
        "learning_rate": learning_rate,
        "seeds": seeds,
        "device": device,
    }
    generators = training.fit_networks(
        images[:, :n_generator_images],
        labels[:, None, :n_generator_images],
        n_steps=n_generator_steps,
        batch_size=min(batch_size, n_generator_images),
        **shared,
    )
    images, labels = images[:, n_generator_images:], labels[:, n_generator_images:]
    said = training.network_outputs(generators, images)
    mixed = np.where(synthetic, said[:, None], labels[:, None])  # (seed, fraction, image, class)
    students = training.fit_networks(
        images, mixed, n_steps=n_steps, batch_size=batch_size, **shared
    )

    def errors(networks: Any, pictures: Any, right: Any) -> Any:
        shown = training.network_outputs(networks, pictures)
        return ((shown - right.reshape(-1, *shown.shape[1:])) ** 2).sum(axis=2).mean(axis=1)

    shape = mixed.shape[:2]
    train_error = errors(students, images, mixed).reshape(shape)
    error = errors(students, tests, truth).reshape(shape)
    generator_error = errors(generators, tests, truth)
    return [
        {
            "data_used": task.name,
            "replicate": i,
            "synthetic_fraction": fraction,
            "error": float(error[i, k]),
            "train_error": float(train_error[i, k]),
            "generator_error": float(generator_error[i]),
        }
        for i in range(n_seeds)
        for k, fraction in enumerate(synthetic_fractions)
    ]


# --- the experiments --------------------------------------------------------------------------


def _features_grid(data: str, n_test: int, n_replicates: int, **values: Any) -> list[Point]:
    return grid(
        data=[data],
        n_test=[n_test],
        replicate=list(range(n_replicates)),
        **{name: [value] for name, value in values.items()},
    )


_MIXING_DIGITS = _features_grid(
    "digits",
    447,
    12,
    widths=[1000],
    sample_sizes=[50, 100, 200, 400, 800, 1200],
    synthetic_fractions=[0.0, 0.2, 0.5, 1.0],
    n_generator_images=40,
    generator_width=1000,
    ridge=1e-4,
)
_MIXING_FASHION = _features_grid(
    "fashion-mnist",
    10_000,
    5,
    widths=[4096],
    sample_sizes=[300, 1000, 3000, 10_000, 25_000, 55_000],
    synthetic_fractions=_FRACTIONS,
    n_generator_images=300,
    generator_width=4096,
    ridge=1e-5,
)
_WIDTH_DIGITS = _features_grid(
    "digits",
    447,
    24,
    widths=[30, 60, 100, 150, 200, 240, 270, 300, 330, 360, 400, 500, 750, 1000, 1500, 3000],
    sample_sizes=[300],
    synthetic_fractions=[0.3],
    n_generator_images=60,
    generator_width=1500,
    ridge=1e-6,
)
_WIDTH_FASHION = _features_grid(
    "fashion-mnist",
    10_000,
    10,
    widths=[16, 64, 128, 256, 333, 512, 700, 850, 1000, 1150, 1400, 2048, 3000, 4096, 10_000],
    sample_sizes=[1000],
    synthetic_fractions=[0.1, 0.3, 0.5, 1.0],
    n_generator_images=300,
    generator_width=4096,
    ridge=1e-6,
)


def _sign_grid(
    data: str, n_test: int, n_replicates: int, width: int, sizes: list[int]
) -> list[Point]:
    """Grid of generators from poor to good, at the threshold of the student."""
    points = []
    for size in sizes:
        points += _features_grid(
            data,
            n_test,
            n_replicates,
            widths=[1000],
            sample_sizes=[1000],
            synthetic_fractions=[0.1, 0.5],
            n_generator_images=size,
            generator_width=width,
            ridge=1e-6,
        )
    return points


# Steps of training and size of a batch, by sample size.
_STEPS = {
    300: (500, 100),
    1000: (1000, 250),
    3000: (1500, 250),
    10_000: (3000, 250),
    55_000: (12_000, 250),
}


def _networks_grid(
    sizes: dict[int, list[int]], *, data: str = "fashion-mnist", **values: Any
) -> list[Point]:
    """Widths by sample size. The longest points come first, so that no worker starts one last."""
    common: Point = {
        "data": data,
        "learning_rate": 3e-3,
        "synthetic_fractions": _FRACTIONS,
        "n_generator_images": 300,
        "n_generator_steps": 500,
        "n_test": 10_000,
        "n_seeds": 5,
        "device": "cpu",
    }
    points = [
        {"width": width, "n_samples": size, "n_steps": steps, "batch_size": batch, **common}
        for size, (steps, batch) in _STEPS.items()
        for width in sizes.get(size, [])
    ]
    points.sort(key=lambda one: -one["width"] * one["n_steps"] * one["batch_size"])
    return [point | values for point in points]


#: The size that the networks are meant for, on a machine with a GPU: the same code and 25 points,
#: for `run_sweep(two_layer_networks_point, PAPER_SCALE, ...)`; about 3e15 operations.
PAPER_SCALE = _networks_grid({size: [16, 64, 256, 1024, 4096] for size in _STEPS}, device="cuda")

_NETWORKS_FULL = _networks_grid(
    {
        300: [16, 64, 256, 1024],
        1000: [16, 64, 256, 1024],
        3000: [16, 64, 256],
        10_000: [16, 64, 256],
    }
)
_NETWORKS_QUICK = _networks_grid(
    {300: [16, 128]},
    data="digits",
    n_test=447,
    n_generator_images=60,
    n_generator_steps=200,
    n_steps=300,
    synthetic_fractions=[0.0, 0.5, 1.0],
)

_FEATURE_COLUMNS = (
    "data_used",
    "width",
    "n_samples",
    "synthetic_fraction",
    "error",
    "clean_error",
    "generator_error",
)

IMAGE_EXPERIMENTS = (
    Experiment(
        "strong_collapse/image-mixing",
        "Random features on images against samples, labels partly those of a weak generator.",
        random_features_point,
        {"quick": _MIXING_DIGITS, "full": _MIXING_DIGITS + _MIXING_FASHION},
        seed=SEED,
        stream_keys=("data", "replicate"),
        columns=_FEATURE_COLUMNS,
    ),
    Experiment(
        "strong_collapse/image-width",
        "Random features on images against width, labels partly those of a fixed generator.",
        random_features_point,
        {"quick": _WIDTH_DIGITS, "full": _WIDTH_DIGITS + _WIDTH_FASHION},
        seed=SEED + 1,
        stream_keys=("data", "replicate"),
        columns=_FEATURE_COLUMNS,
    ),
    Experiment(
        "strong_collapse/image-sign",
        "Gap to clean labels at the threshold, for generators from poor to good.",
        random_features_point,
        {
            "quick": _sign_grid("fashion-mnist-mini", 1000, 2, 1000, [10, 300]),
            "full": _sign_grid("fashion-mnist", 10_000, 10, 4096, [10, 30, 100, 300]),
        },
        seed=SEED + 3,
        stream_keys=("data", "replicate"),
        columns=_FEATURE_COLUMNS,
    ),
    Experiment(
        "strong_collapse/two-layer-networks",
        "Trained two-layer networks on mixed labels: 5 seeds, widths to 1024, to 10,000 images.",
        two_layer_networks_point,
        {"quick": _NETWORKS_QUICK, "full": _NETWORKS_FULL},
        seed=SEED + 2,
        stream_keys=("data",),
        columns=(
            "data_used",
            "replicate",
            "synthetic_fraction",
            "error",
            "train_error",
            "generator_error",
        ),
        requires=("torch",),
    ),
)
