"""Mixed labels on real images: random-feature models whose teacher is a smaller model.

The images of the two sources have one law and only their labels differ, as in the paper's setting.
Real labels are one-hot; synthetic ones are what a generator, fitted to a few other images, says of
fresh ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.images import ImageTask, one_hot, relu_features

__all__ = ["MixingErrors", "image_scaling", "random_feature_mixing", "synthetic_positions"]

Array = NDArray[np.float64]

_BLOCK = 2**23  # entries of the largest block of features, 64 MiB


class MixingErrors(NamedTuple):
    """Squared errors on test images, summed over classes: 1 for a model that says nothing.

    Attributes
    ----------
    mixed : ndarray, shape (n_widths, n_sizes, n_fractions)
    clean : ndarray, shape (n_widths, n_sizes)
        Of the same models fitted to real labels only.
    generator : float
        Of the model that wrote the synthetic labels.

    Examples
    --------
    >>> errors = MixingErrors(np.array([[[0.1, 0.2]]]), np.array([[0.1]]), 0.45)
    >>> gap = errors.mixed - errors.clean[..., None]  # widths, sizes, shares
    >>> gap.round(3).tolist()
    [[[0.0, 0.1]]]
    """

    mixed: Array
    clean: Array
    generator: float


def synthetic_positions(n_samples: int, synthetic_fractions: ArrayLike) -> NDArray[np.bool_]:
    """Which samples of a sequence in random order are synthetic: evenly spaced ones.

    Of the first ``n`` samples ``n * fraction`` are, rounded, whatever ``n``. So every prefix of the
    sequence is a mixture in the right proportions.

    Parameters
    ----------
    n_samples : int
        >= 1.
    synthetic_fractions : array_like, shape (n_fractions,)
        In [0, 1].

    Returns
    -------
    ndarray of bool, shape (n_samples, n_fractions)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> synthetic_positions(5, [0.0, 0.4, 1.0]).astype(int).T
    array([[0, 0, 0, 0, 0],
           [0, 1, 0, 1, 0],
           [1, 1, 1, 1, 1]])
    """
    count = whole_number("n_samples", n_samples)
    shares = np.array(
        [
            real_number(f"synthetic_fractions[{i}]", share, minimum=0.0, maximum=1.0)
            for i, share in enumerate(np.ravel(synthetic_fractions))
        ]
    )
    counts = np.floor(np.outer(np.arange(count + 1.0), shares) + 0.5)
    return np.asarray(np.diff(counts, axis=0) > 0)


def image_scaling(task: ImageTask) -> Callable[[ArrayLike], Array]:
    """Return a function that centres images and scales them to a mean square of 1.

    Parameters
    ----------
    task : ImageTask
        Its training images are the reference, for each pixel's mean and for the one scale.

    Returns
    -------
    callable
        From images, shape (N, n_pixels), to scaled images of the same shape.

    Raises
    ------
    ValueError
        If the training images do not vary.

    Examples
    --------
    >>> from fragile_learning.datasets import load
    >>> from fragile_learning.images import image_task
    >>> task = image_task(load("digits"), n_train=1000, n_test=500)
    >>> scaled = image_scaling(task)(task.train_images)
    >>> float((scaled**2).mean()), float(abs(scaled.mean(axis=0)).max()) < 1e-12
    (1.0, True)
    """
    mean = task.train_images.mean(axis=0)
    spread = float(np.sqrt(task.train_images.var(axis=0).mean()))
    if spread == 0.0:
        raise ValueError("task must have training images that vary, got one image repeated")
    return lambda images: np.asarray((np.asarray(images) - mean) / spread)


def random_feature_mixing(
    task: ImageTask,
    *,
    widths: Sequence[int],
    sample_sizes: Sequence[int],
    synthetic_fractions: Sequence[float],
    n_generator_images: int,
    generator_width: int,
    ridge: float,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> MixingErrors:
    r"""Test error of random-feature models on mixtures of real and synthetic labels.

    A model is :math:`f(x) = v^\top \mathrm{ReLU}(W x) \sqrt{2 / m}` with ``m`` features, a frozen
    Gaussian ``W`` and the second layer

    .. math::

        \hat v = \arg\min_v \frac1n \sum_i \lVert y_i - f(x_i) \rVert^2 + \lambda \lVert v \rVert^2.

    Pixels are centred, and the images scaled to a mean squared norm of 1. Labels are one-hot less
    1/10. The generator is such a model, of one fixed width and with its own ``W``.

    Parameters
    ----------
    task : ImageTask
        Its training images serve the generator and, others of them, the models.
    widths, sample_sizes : sequence of int
        >= 1, strictly increasing; every combination is computed.
    synthetic_fractions : sequence of float
        In [0, 1].
    n_generator_images, generator_width : int
        >= 1. With the largest of ``sample_sizes`` there must be enough training images.
    ridge : float
        :math:`\lambda` > 0, the generator's as well.
    rng : Generator, SeedSequence or int
        For the order of the images and the two frozen layers.

    Returns
    -------
    MixingErrors

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, the training images do not vary, or the ridge is too small
        for double precision.

    Notes
    -----
    All combinations share one order of images and one ``W``: a smaller sample is the beginning of a
    larger one, a narrower model has the first features of a wider one, and all fractions are
    right-hand sides of one factorisation. So differences between them are paired. A combination
    costs one factorisation in the smaller of width and sample size; the Gram matrices behind it
    are grown once, over blocks of images and over blocks of features. Memory holds those matrices
    and the features of the images of samples smaller than the largest width, never all.

    References
    ----------
    Dohmatob et al., "Strong Model Collapse", ICLR 2025, experiments with random features. The
    labels, the ridge and the sizes are this book's.

    Examples
    --------
    >>> from fragile_learning.datasets import load
    >>> from fragile_learning.images import image_task
    >>> errors = random_feature_mixing(
    ...     image_task(load("digits"), n_train=1000, n_test=500),
    ...     widths=[300],
    ...     sample_sizes=[100, 900],
    ...     synthetic_fractions=[0.5],
    ...     n_generator_images=40,
    ...     generator_width=300,
    ...     ridge=1e-4,
    ...     rng=1,
    ... )
    >>> bool(errors.clean[0, 1] < errors.mixed[0, 1, 0] < errors.generator)
    True
    """
    if not isinstance(task, ImageTask):
        raise TypeError(f"task must be an ImageTask, got {type(task).__name__}")
    n_pool = len(task.train_images)
    n_generator = whole_number("n_generator_images", n_generator_images, maximum=n_pool - 1)
    teacher_width = whole_number("generator_width", generator_width)
    wide = _increasing("widths", widths)
    sizes = _increasing("sample_sizes", sample_sizes, maximum=n_pool - n_generator)
    penalty = real_number("ridge", ridge, minimum=0.0, open_minimum=True)
    synthetic = np.insert(synthetic_positions(sizes[-1], synthetic_fractions), 0, False, axis=1)

    generator = as_generator(rng)
    order = generator.permutation(n_pool)
    layer, teacher_layer = (int(seed) for seed in generator.integers(2**63, size=2))
    prepare = image_scaling(task)
    labels, truth = _labels(task.train_classes), _labels(task.test_classes)

    def seen(images: Array) -> Array:
        return relu_features(images, width=wide[-1], rng=layer)

    def taught(images: Array) -> Array:
        return relu_features(images, width=teacher_width, rng=teacher_layer)

    first, rest = order[:n_generator], order[n_generator : n_generator + sizes[-1]]
    weights = _ridge(taught(prepare(task.train_images[first])), labels[first], penalty)
    step = max(1, _BLOCK // max(wide[-1], teacher_width))

    def training_blocks() -> Iterator[tuple[int, int, Array, Array]]:
        for start, stop in pairwise(np.unique([*range(0, sizes[-1], step), *sizes]).tolist()):
            images = prepare(task.train_images[rest[start:stop]])
            said, real = taught(images) @ weights, labels[rest[start:stop]]
            mixed = np.where(synthetic[start:stop, :, None], said[:, None], real[:, None])
            yield start, stop, seen(images), mixed.reshape(stop - start, -1)

    solutions = _solutions(
        training_blocks(), wide, sizes, synthetic.shape[1] * labels.shape[1], penalty
    )
    totals = np.zeros((len(wide), len(sizes), synthetic.shape[1]))
    generator_total = 0.0
    for start in range(0, len(truth), step):
        images, real = prepare(task.test_images[start : start + step]), truth[start : start + step]
        features = seen(images)
        for total, solution in zip(totals, solutions, strict=True):
            residual = np.tensordot(features[:, : len(solution)], solution, 1)
            residual = residual.reshape(len(real), *total.shape, -1) - real[:, None, None]
            total += np.sum(residual**2, axis=(0, 3))
        generator_total += float(np.sum((taught(images) @ weights - real) ** 2))
    errors = totals / len(truth)
    return MixingErrors(errors[..., 1:], errors[..., 0], generator_total / len(truth))


def _increasing(name: str, values: Sequence[int], maximum: int | None = None) -> list[int]:
    numbers = [whole_number(f"{name}[{i}]", v, maximum=maximum) for i, v in enumerate(values)]
    if not numbers or any(b <= a for a, b in pairwise(numbers)):
        raise ValueError(f"{name} must be strictly increasing and not empty, got {numbers}")
    return numbers


def _solutions(
    blocks: Iterable[tuple[int, int, Array, Array]],
    widths: list[int],
    sizes: list[int],
    n_columns: int,
    ridge: float,
) -> list[Array]:
    """Second layers of all models, times 1 / sqrt(width): for each width (width, size, column).

    A model with at most as many features as images is solved for in its features, from a Gram
    matrix that grows with the images; any other in the images, from one that grows with the width.
    """
    n_primal = max((width for width in widths if width <= sizes[-1]), default=0)
    n_dual = max((size for size in sizes if size < widths[-1]), default=0)
    solutions = [np.empty((width, len(sizes), n_columns)) for width in widths]
    kept, kept_labels = np.empty((n_dual, widths[-1])), np.empty((n_dual, n_columns))
    gram, cross = np.zeros((n_primal, n_primal)), np.zeros((n_primal, n_columns))
    for start, stop, features, labels in blocks:
        if stop <= n_dual:
            kept[start:stop], kept_labels[start:stop] = features, labels
        narrow = features[:, :n_primal]
        gram += narrow.T @ narrow
        cross += narrow.T @ labels
        for width, solution in zip(widths, solutions, strict=True):
            if stop in sizes and width <= stop:
                found = _solve(gram[:width, :width], cross[:width], ridge * width * stop)
                solution[:, sizes.index(stop)] = found
    gram = np.zeros((n_dual, n_dual))
    for narrower, width, solution in zip([0, *widths], widths, solutions, strict=False):
        new = kept[:, narrower:width]
        gram += new @ new.T
        for j, size in enumerate(sizes):
            if size < width:
                dual = _solve(gram[:size, :size], kept_labels[:size], ridge * width * size)
                solution[:, j] = kept[:size, :width].T @ dual
    return solutions


def _ridge(features: Array, labels: Array, ridge: float) -> Array:
    """One second layer, times 1 / sqrt(width)."""
    size, width = features.shape
    block = (0, size, features, labels)
    (solution,) = _solutions([block], [width], [size], labels.shape[1], ridge)
    return solution[:, 0]


def _solve(gram: Array, right: Array, penalty: float) -> Array:
    matrix = gram.copy()
    matrix[np.diag_indices_from(matrix)] += penalty
    try:
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        raise ValueError(
            f"ridge is too small for double precision: {penalty:g} on the diagonal of a Gram "
            f"matrix of {len(matrix)} features or images"
        ) from None
    return np.asarray(cho_solve(factor, right, check_finite=False))


def _labels(classes: Any) -> Array:
    """One-hot labels less their mean over classes."""
    return one_hot(classes) - 0.1
