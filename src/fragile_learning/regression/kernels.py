"""A chain of kernel ridge regressions: the same chain as elsewhere in the room, on real images.

With ``n_samples`` labels ``y`` at the points of a sample and the penalty of the room, which
multiplies ``n_samples``, a fit predicts ``K(x, sample) c`` with
``c = (G + n_samples * ridge * I)^{-1} y`` and ``G`` the kernel matrix of the sample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from fragile_learning._validation import (
    as_generator,
    choice,
    real_array,
    real_number,
    whole_array,
    whole_number,
)
from fragile_learning.images import ImageTask, parity, standardise
from fragile_learning.statistics import log_log_slope

__all__ = [
    "KERNELS",
    "KernelProblem",
    "estimate_exponents",
    "iterated_kernel_ridge",
    "kernel_problem",
    "polynomial_kernel",
    "rbf_kernel",
]

Array = NDArray[np.float64]
Kernel = Callable[[Array, Array], Array]

KERNELS = ("polynomial", "rbf")


def rbf_kernel(a: ArrayLike, b: ArrayLike, *, bandwidth: float) -> Array:
    r"""Kernel matrix :math:`\exp(-\gamma \lVert x - x'\rVert^2)`.

    Parameters
    ----------
    a, b : array_like, shapes (N, p) and (M, p)
    bandwidth : float
        :math:`\gamma > 0`, in inverse squared units of the features.

    Returns
    -------
    ndarray, shape (N, M)

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together or a value is out of range.

    Examples
    --------
    >>> rbf_kernel([[0.0], [1.0]], [[0.0]], bandwidth=2.0).round(4)
    array([[1.    ],
           [0.1353]])
    """
    left, right = _features(a, b)
    gamma = real_number("bandwidth", bandwidth, minimum=0.0, open_minimum=True)
    squared = np.sum(left**2, axis=1)[:, None] + np.sum(right**2, axis=1) - 2.0 * left @ right.T
    return np.asarray(np.exp(-gamma * np.maximum(squared, 0.0)))


def polynomial_kernel(
    a: ArrayLike, b: ArrayLike, *, bandwidth: float, degree: int, offset: float = 1.0
) -> Array:
    r"""Kernel matrix :math:`(\gamma \langle x, x' \rangle + c)^p`.

    Parameters
    ----------
    a, b : array_like, shapes (N, p) and (M, p)
    bandwidth : float
        :math:`\gamma > 0`.
    degree : int
        >= 1.
    offset : float
        :math:`c \ge 0`.

    Returns
    -------
    ndarray, shape (N, M)

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together or a value is out of range.

    Examples
    --------
    >>> polynomial_kernel([[1.0, 2.0]], [[3.0, 0.0]], bandwidth=1.0, degree=2)
    array([[16.]])
    """
    left, right = _features(a, b)
    gamma = real_number("bandwidth", bandwidth, minimum=0.0, open_minimum=True)
    power = whole_number("degree", degree)
    shift = real_number("offset", offset, minimum=0.0)
    return np.asarray((gamma * (left @ right.T) + shift) ** power)


@dataclasses.dataclass(frozen=True, eq=False)
class KernelProblem:
    """A pool to draw samples from, a test set, and a kernel.

    Attributes
    ----------
    pool, test : ndarray, shapes (N, p) and (M, p)
        Features as the kernel takes them.
    pool_labels, test_labels : ndarray, shapes (N,) and (M,)
        Clean labels.
    kernel : callable
        From two feature arrays to their kernel matrix.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together, or a value is not finite.

    Examples
    --------
    >>> points = np.linspace(0.0, 1.0, 20)[:, None]
    >>> kernel = partial(rbf_kernel, bandwidth=10.0)
    >>> problem = KernelProblem(points, np.sin(points[:, 0]), points[:5], np.zeros(5), kernel)
    >>> problem.kernel(problem.test, problem.pool).shape
    (5, 20)
    """

    pool: Array
    pool_labels: Array
    test: Array
    test_labels: Array
    kernel: Kernel

    def __post_init__(self) -> None:
        for name, ndim in (("pool", 2), ("test", 2), ("pool_labels", 1), ("test_labels", 1)):
            object.__setattr__(self, name, real_array(name, getattr(self, name), ndim=ndim))
        for name in ("pool", "test"):
            inputs, labels = getattr(self, name), getattr(self, f"{name}_labels")
            if len(inputs) != len(labels) or len(inputs) == 0:
                raise ValueError(
                    f"{name}_labels must have one entry for each row of {name}, at least one, "
                    f"got {labels.shape} for {inputs.shape}"
                )
        if self.pool.shape[1] != self.test.shape[1]:
            raise ValueError(
                f"test must have {self.pool.shape[1]} columns as pool has, got {self.test.shape}"
            )
        if not callable(self.kernel):
            raise TypeError(f"kernel must be a function, got {self.kernel!r}")


def kernel_problem(task: ImageTask, kernel: str) -> KernelProblem:
    """Parity of the class, with one of the paper's two kernels.

    Parameters
    ----------
    task : ImageTask
    kernel : {"polynomial", "rbf"}
        RBF with bandwidth 1e-4 on standardised pixels, or polynomial of degree 5 with bandwidth
        1e-3 and offset 1 on pixels in [0, 1].

    Returns
    -------
    KernelProblem

    Raises
    ------
    ValueError
        If the kernel is unknown.

    Notes
    -----
    The paper does not state the scaling of the pixels. These two give capacity and source
    exponents closest to those that it quotes.

    References
    ----------
    Dohmatob, Feng, Kempe, 2024, appendix D.2.

    Examples
    --------
    >>> from fragile_learning.datasets import load
    >>> from fragile_learning.images import image_task
    >>> problem = kernel_problem(image_task(load("digits"), n_train=100, n_test=50), "polynomial")
    >>> problem.pool.shape, np.unique(problem.pool_labels).tolist()
    ((100, 64), [0.0, 1.0])
    """
    choice("kernel", kernel, KERNELS)
    pool, test = task.train_images, task.test_images
    function: Kernel
    if kernel == "rbf":
        pool, test = standardise(pool, task.train_images), standardise(test, task.train_images)
        function = partial(rbf_kernel, bandwidth=1e-4)
    else:
        function = partial(polynomial_kernel, bandwidth=1e-3, degree=5)
    return KernelProblem(
        pool, parity(task.train_classes), test, parity(task.test_classes), function
    )


def iterated_kernel_ridge(
    problem: KernelProblem,
    *,
    n_generations: Sequence[int],
    n_samples: Sequence[int],
    n_generator_samples: int,
    ridges: ArrayLike,
    generator_ridge: float,
    noise_std: float,
    generator_noise_std: float,
    rng: np.random.Generator | np.random.SeedSequence | int,
) -> Array:
    """Test error of students of generated labels, for one draw of all samples and noise.

    Each generator learns from a fresh sample of the pool, labelled by the one before it; the first
    from clean labels. The students of all chain lengths, sizes and ridges see the same inputs (a
    smaller sample is the beginning of a larger one) and the same noise: comparisons between them
    are paired.

    Parameters
    ----------
    problem : KernelProblem
    n_generations : sequence of int
        Chain lengths >= 0.
    n_samples : sequence of int
        Student's sizes, at most the size of the pool.
    n_generator_samples : int
        At most the size of the pool.
    ridges : array_like, shape (len(n_samples), n_policies)
        Student's ridges > 0, one row for each size.
    generator_ridge : float
        > 0.
    noise_std, generator_noise_std : float
        Of the labels that students and generators learn from, >= 0.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (len(n_generations), len(n_samples), n_policies)
        Mean squared difference to the clean labels of the test set.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or a kernel matrix with its penalty is not positive definite
        in double precision.

    Notes
    -----
    One Cholesky factor for each size and policy, with all chain lengths as right-hand sides.

    Examples
    --------
    >>> x = np.linspace(-1.0, 1.0, 200)[:, None]
    >>> kernel = partial(rbf_kernel, bandwidth=4.0)
    >>> problem = KernelProblem(x, np.sin(3.0 * x[:, 0]), x, np.sin(3.0 * x[:, 0]), kernel)
    >>> errors = iterated_kernel_ridge(
    ...     problem,
    ...     n_generations=[0, 4],
    ...     n_samples=[50, 200],
    ...     n_generator_samples=50,
    ...     ridges=[[1e-3], [1e-3]],
    ...     generator_ridge=1e-3,
    ...     noise_std=0.1,
    ...     generator_noise_std=0.3,
    ...     rng=0,
    ... )
    >>> errors.shape, bool((errors[1] > errors[0]).all())  # four generations are worse than none
    ((2, 2, 1), True)
    """
    if not isinstance(problem, KernelProblem):
        raise TypeError(f"problem must be a KernelProblem, got {type(problem).__name__}")
    lengths = [int(v) for v in whole_array("n_generations", list(n_generations), minimum=0)]
    sizes = [int(v) for v in whole_array("n_samples", list(n_samples))]
    if not lengths or not sizes:
        raise ValueError("n_generations and n_samples must hold at least 1 value each")
    available = len(problem.pool)
    if max(sizes) > available:
        raise ValueError(f"n_samples must be <= {available}, the size of the pool, got {sizes}")
    teachers = whole_number("n_generator_samples", n_generator_samples, maximum=available)
    penalties = real_array("ridges", ridges, ndim=2, minimum=0.0, open_minimum=True)
    if len(penalties) != len(sizes):
        raise ValueError(f"ridges must have {len(sizes)} rows, one a size, got {penalties.shape}")
    own = real_number("generator_ridge", generator_ridge, minimum=0.0, open_minimum=True)
    noise = real_number("noise_std", noise_std, minimum=0.0)
    generated = real_number("generator_noise_std", generator_noise_std, minimum=0.0)
    generator = as_generator(rng)

    inputs = generator.permutation(available)[: max(sizes)]
    points = problem.pool[inputs]
    labels = np.empty((len(inputs), max(lengths) + 1))  # noise-free, of each chain length
    labels[:, 0] = problem.pool_labels[inputs]
    own_noise = noise * generator.standard_normal(len(inputs))
    sample, coefficients = points, np.empty(0)
    for step in range(1, max(lengths) + 1):
        chosen = generator.permutation(available)[:teachers]
        seen = problem.pool[chosen]
        taught = (
            problem.pool_labels[chosen]
            if step == 1
            else problem.kernel(seen, sample) @ coefficients
        )
        taught = taught + generated * generator.standard_normal(teachers)
        factor = _factor(problem.kernel(seen, seen), teachers * own, "generator_ridge")
        sample, coefficients = seen, cho_solve(factor, taught, check_finite=False)
        labels[:, step] = problem.kernel(points, sample) @ coefficients

    gram = problem.kernel(points, points)
    to_test = problem.kernel(problem.test, points)
    noisy = (labels + own_noise[:, None])[:, lengths]
    errors = np.empty((len(lengths), len(sizes), penalties.shape[1]))
    for i, size in enumerate(sizes):
        for j, ridge in enumerate(penalties[i]):
            factor = _factor(gram[:size, :size].copy(), size * ridge, "ridges")
            fits = cho_solve(factor, noisy[:size], check_finite=False)
            residual = to_test[:, :size] @ fits - problem.test_labels[:, None]
            errors[:, i, j] = np.mean(residual**2, axis=0)
    return errors


def estimate_exponents(
    kernel_matrix: ArrayLike, labels: ArrayLike, *, ranks: tuple[int, int] = (20, 500)
) -> tuple[float, float]:
    r"""Capacity and source exponents of a sample, from log-log slopes.

    The eigenvalues of the kernel matrix over the sample size estimate
    :math:`\lambda_j \sim j^{-\beta}`.
    The labels' share beyond rank ``j``, :math:`\sum_{k \ge j} (u_k^\top y)^2/N`, estimates
    :math:`\sum_{k \ge j} \lambda_k c_k^2 \sim j^{-2 r \beta}`.

    Parameters
    ----------
    kernel_matrix : array_like, shape (N, N)
        Symmetric.
    labels : array_like, shape (N,)
    ranks : (int, int)
        First and last rank of the fit, ``1 <= first < last <= N``.

    Returns
    -------
    exponent, source_exponent : float
        :math:`\beta` and :math:`r`.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together, or the ranks are out of range.

    Notes
    -----
    Biased where the fit reaches into the noise floor of the sample: keep the last rank well below
    ``N``. Labels are not centred.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> basis = np.linalg.qr(rng.standard_normal((400, 400)))[0]
    >>> index = np.arange(1.0, 401.0)
    >>> matrix = 400 * (basis * index**-2.0) @ basis.T  # eigenvalues j^-2
    >>> labels = 20 * basis @ index**-1.5  # lambda_j c_j^2 = j^-(1 + 2 r beta) at r = 1/2
    >>> beta, r = estimate_exponents(matrix, labels, ranks=(5, 50))
    >>> round(beta, 2), round(r, 2)
    (2.0, 0.5)
    """
    matrix = real_array("kernel_matrix", kernel_matrix, ndim=2)
    targets = real_array("labels", labels, ndim=1)
    size = len(targets)
    if matrix.shape != (size, size):
        raise ValueError(f"kernel_matrix must have shape {(size, size)}, got {matrix.shape}")
    first = whole_number("ranks[0]", ranks[0])
    last = whole_number("ranks[1]", ranks[1], minimum=first + 2, maximum=size)
    values, vectors = np.linalg.eigh(matrix)
    values, power = values[::-1] / size, (vectors.T @ targets)[::-1] ** 2 / size
    beyond = np.cumsum(power[::-1])[::-1]
    index = np.arange(first, last + 1)
    beta = -log_log_slope(index, values[index - 1]).slope
    return beta, -log_log_slope(index, beyond[index - 1]).slope / (2.0 * beta)


def _features(a: Any, b: Any) -> tuple[Array, Array]:
    left, right = real_array("a", a, ndim=2), real_array("b", b, ndim=2)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"b must have {left.shape[1]} columns as a has, got {right.shape}")
    return left, right


def _factor(matrix: Array, penalty: float, name: str) -> Any:
    matrix[np.diag_indices_from(matrix)] += penalty
    try:
        return cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        raise ValueError(
            f"{name} is too small for this kernel matrix in double precision: "
            f"penalty {penalty!r} on the diagonal leaves it not positive definite"
        ) from None
