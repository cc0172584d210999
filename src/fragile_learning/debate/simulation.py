"""The loops by drawing their data: designs, labels, pools, samples, kernels.

A simulator draws what a workflow draws and fits what it fits. It knows no formula for the result.
Replicates are independent chains, computed side by side in blocks of a bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from fragile_learning._validation import as_generator, choice, real_number, whole_number

__all__ = [
    "FAMILIES",
    "LOCATION_MODELS",
    "LOOPS",
    "GaussianDraws",
    "KernelDraws",
    "information_ratio",
    "retrain_location",
    "simulate_family",
    "simulate_gaussian",
    "simulate_kernel_chain",
    "simulate_least_squares",
    "simulate_logistic",
    "simulate_mean",
]

Array = NDArray[np.float64]
Source = np.random.Generator | np.random.SeedSequence | int

LOOPS = (
    "replace",
    "accumulate, one design",
    "accumulate, new designs",
    "accumulate, subsample",
    "real kept",
    "real fresh",
)
"""What `simulate_least_squares` and `simulate_mean` can do with their data."""

FAMILIES = ("normal", "poisson", "exponential", "bernoulli")
"""Laws that `simulate_family` can draw from."""

LOCATION_MODELS = ("normal", "student")
"""Models that `retrain_location` fits to standard normal data."""

_CHAINS = ("replace", "accumulate")
_BLOCK = 4_000_000  # numbers held at a time


def _blocks(n_replicates: int, size: int) -> Iterator[slice]:
    """Split replicates of so many numbers each into blocks that fit into memory."""
    step = max(1, _BLOCK // size)
    for start in range(0, n_replicates, step):
        yield slice(start, min(start + step, n_replicates))


# --- least squares and means ------------------------------------------------------------------


class _Rows(NamedTuple):
    """Rows of a batch of regressions: designs (R, T, d) and labels (R, T)."""

    design: Array
    labels: Array

    def moments(self) -> tuple[Array, Array]:
        """Gram matrices (R, d, d) and right sides (R, d, 1) of the normal equations."""
        across = np.swapaxes(self.design, 1, 2)
        return across @ self.design, across @ self.labels[..., None]

    def until(self, end: int) -> _Rows:
        """Return a view of the first rows."""
        return _Rows(self.design[:, :end], self.labels[:, :end])

    def fill(self, start: int, rows: _Rows) -> None:
        """Put other rows into these, from a place on."""
        end = start + rows.labels.shape[1]
        self.design[:, start:end], self.labels[:, start:end] = rows


def _label(design: Array, weights: Array, rng: np.random.Generator) -> _Rows:
    """Let a model label a design, with unit noise."""
    noise = rng.standard_normal(design.shape[:2])
    return _Rows(design, np.einsum("rtd,rd->rt", design, weights) + noise)


def _solve(*parts: tuple[float, tuple[Array, Array]]) -> Array:
    """Weighted least squares from the moments of several sets of rows."""
    gram = sum(weight * moments[0] for weight, moments in parts)
    right = sum(weight * moments[1] for weight, moments in parts)
    return np.asarray(np.linalg.solve(gram, right)[..., 0])


def _random_part(rows: _Rows, n_kept: int, rng: np.random.Generator) -> _Rows:
    """Keep so many rows of each replicate, drawn without replacement."""
    keys = rng.random(rows.labels.shape, dtype=np.float32)
    chosen = np.argpartition(keys, n_kept - 1, axis=1)[:, :n_kept]
    return _Rows(
        np.take_along_axis(rows.design, chosen[..., None], axis=1),
        np.take_along_axis(rows.labels, chosen, axis=1),
    )


Draw = Callable[[int], Array]


def _run_loop(
    loop: str,
    n_generations: int,
    sizes: tuple[int, int],
    weight: float,
    draw_design: Draw,
    rng: np.random.Generator,
) -> Array:
    """Squared error of each generation, (R, n_generations), of one block of chains."""
    n_samples, n_synthetic = sizes
    design = draw_design(n_samples)
    # the true weights are zero: the error of least squares does not depend on them
    first = _label(design, np.zeros((design.shape[0], design.shape[2])), rng)
    pooled = real = first.moments()
    fit = _solve((1.0, real))
    errors = [np.sum(fit**2, axis=1)]
    if loop == "accumulate, subsample":
        room = n_generations * n_samples
        pool = _Rows(
            np.empty((design.shape[0], room, design.shape[2])), np.empty((design.shape[0], room))
        )
        pool.fill(0, first)
    for index in range(1, n_generations):
        if loop == "real fresh":
            real = _label(draw_design(n_samples), np.zeros_like(fit), rng).moments()
        design = first.design if loop == "accumulate, one design" else draw_design(n_synthetic)
        made = _label(design, fit, rng)
        if loop == "accumulate, subsample":
            pool.fill(index * n_samples, made)
            seen = pool.until((index + 1) * n_samples)
            fit = _solve((1.0, _random_part(seen, n_samples, rng).moments()))
        elif loop == "replace":
            fit = _solve((1.0, made.moments()))
        elif loop.startswith("accumulate"):
            new = made.moments()
            pooled = pooled[0] + new[0], pooled[1] + new[1]
            fit = _solve((1.0, pooled))
        else:
            shares = weight / n_samples, (1.0 - weight) / n_synthetic
            fit = _solve((shares[0], real), (shares[1], made.moments()))
        errors.append(np.sum(fit**2, axis=1))
    return np.stack(errors, axis=1)


def _simulate(
    loop: str,
    n_generations: int,
    sizes: tuple[int, int],
    n_features: int,
    n_replicates: int,
    weight: float,
    rng: np.random.Generator,
    *,
    constant: bool,
) -> Array:
    choice("loop", loop, LOOPS)
    generations = whole_number("n_generations", n_generations)
    count = whole_number("n_replicates", n_replicates)
    share = real_number("weight", weight, minimum=0.0, maximum=1.0, open_minimum=True)
    if not loop.startswith("real") and sizes[0] != sizes[1]:
        raise ValueError(
            f"n_synthetic must be n_samples = {sizes[0]} if no real data are mixed in, "
            f"got {sizes[1]}"
        )
    largest = max(sizes) * (generations if "subsample" in loop else 1)
    errors = np.empty((count, generations))
    for block in _blocks(count, largest * (n_features + 1)):
        rows = block.stop - block.start

        def draw_design(n_rows: int, rows: int = rows) -> Array:
            if constant:
                return np.ones((rows, n_rows, 1))
            return rng.standard_normal((rows, n_rows, n_features))

        errors[block] = _run_loop(loop, generations, sizes, share, draw_design, rng)
    return errors


def simulate_least_squares(
    loop: str,
    n_generations: int,
    *,
    n_samples: int,
    n_features: int,
    n_replicates: int,
    n_synthetic: int | None = None,
    weight: float = 0.5,
    rng: Source,
) -> Array:
    """Squared errors of least squares on Gaussian designs, in a loop with its own labels.

    Generation 1 is fitted to real rows. Then in each generation the last model labels new rows
    with unit noise, and the next is fitted to: those rows (``"replace"``); all rows so far
    (``"accumulate, ..."``, with one design for all generations or new ones); a random part of all,
    as many as real rows (``"accumulate, subsample"``); or those rows and the first real ones
    (``"real kept"``) or new real ones (``"real fresh"``), weighted.

    Parameters
    ----------
    loop : str
        One of `LOOPS`.
    n_generations : int
        At least 1.
    n_samples, n_features : int
        Real rows of a generation, more than columns; and columns.
    n_replicates : int
        Independent chains.
    n_synthetic : int, optional
        Synthetic rows of a generation; default ``n_samples``. Another number is possible for the
        loops with real data.
    weight : float
        In (0, 1]: of the mean loss on real rows; the rest is that of the synthetic ones. Unused
        without real data.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_generations)
        Excess risk in units of the label noise's variance.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> sizes = {"n_samples": 50, "n_features": 2, "n_replicates": 400}
    >>> errors = simulate_least_squares("replace", 5, **sizes, rng=1)
    >>> errors.shape, float(errors[:, -1].mean() / errors[:, 0].mean()) > 4
    ((400, 5), True)
    """
    features = whole_number("n_features", n_features)
    samples = whole_number("n_samples", n_samples, minimum=features + 1)
    synthetic = samples if n_synthetic is None else whole_number("n_synthetic", n_synthetic)
    return _simulate(
        loop,
        n_generations,
        (samples, synthetic),
        features,
        n_replicates,
        weight,
        as_generator(rng),
        constant=False,
    )


def simulate_mean(
    loop: str,
    n_generations: int,
    *,
    n_samples: int,
    n_replicates: int,
    n_synthetic: int | None = None,
    weight: float = 0.5,
    rng: Source,
) -> Array:
    """Squared errors of a mean in the same loops: least squares on a design of ones.

    Parameters
    ----------
    loop : str
        One of `LOOPS`.
    n_generations : int
        At least 1.
    n_samples, n_replicates : int
        Real samples of a generation, and independent chains.
    n_synthetic : int, optional
        Synthetic samples of a generation; default ``n_samples``.
    weight : float
        In (0, 1]: of the mean loss on real samples.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_generations)
        In units of the variance of a sample.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> errors = simulate_mean("real fresh", 9, n_samples=5, n_replicates=2000, rng=1)
    >>> abs(float(5 * errors[:, -1].mean()) - 0.667) < 0.1
    True
    """
    samples = whole_number("n_samples", n_samples)
    synthetic = samples if n_synthetic is None else whole_number("n_synthetic", n_synthetic)
    return _simulate(
        loop,
        n_generations,
        (samples, synthetic),
        1,
        n_replicates,
        weight,
        as_generator(rng),
        constant=True,
    )


# --- families ---------------------------------------------------------------------------------


def _draw_means(family: str, means: Array, n_samples: int, rng: np.random.Generator) -> Array:
    """Mean of so many draws from each law."""
    size = (means.size, n_samples)
    column = means[:, None]
    if family == "normal":
        draws = column + rng.standard_normal(size)
    elif family == "poisson":
        draws = rng.poisson(column, size).astype(float)
    elif family == "exponential":
        draws = column * rng.standard_exponential(size)
    else:
        draws = (rng.random(size) < column).astype(float)
    return np.asarray(draws.mean(axis=1))


def simulate_family(
    family: str,
    workflow: str,
    n_generations: int,
    *,
    n_samples: int,
    start: float,
    n_replicates: int,
    rng: Source,
) -> Array:
    """Squared errors of a mean that is fitted to draws from its own family again and again.

    Parameters
    ----------
    family : str
        One of `FAMILIES`; the normal law has unit variance.
    workflow : {"replace", "accumulate"}
        Whether a generation is fitted to the newest draws or to all so far.
    n_generations : int
        At least 1.
    n_samples : int
        Draws in each generation.
    start : float
        The true mean; positive for Poisson and exponential laws, in (0, 1) for Bernoulli.
    n_replicates : int
        Independent chains.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_generations)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> sizes = {"n_samples": 20, "start": 3.0, "n_replicates": 2000}
    >>> errors = simulate_family("poisson", "replace", 4, **sizes, rng=1)
    >>> abs(float(errors[:, -1].mean() / errors[:, 0].mean()) - 4.0) < 0.5
    True
    """
    choice("family", family, FAMILIES)
    accumulates = choice("workflow", workflow, _CHAINS) == "accumulate"
    generations = whole_number("n_generations", n_generations)
    samples = whole_number("n_samples", n_samples)
    truth = {
        "normal": lambda: real_number("start", start),
        "bernoulli": lambda: real_number(
            "start", start, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
        ),
    }.get(family, lambda: real_number("start", start, minimum=0.0, open_minimum=True))()
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    errors = np.empty((count, generations))
    for block in _blocks(count, samples):
        means = np.full(block.stop - block.start, truth)
        total = np.zeros_like(means)
        for index in range(generations):
            drawn = _draw_means(family, means, samples, generator)
            total += drawn
            means = total / (index + 1) if accumulates else drawn
            errors[block, index] = (means - truth) ** 2
    return errors


def simulate_logistic(
    workflow: str,
    n_generations: int,
    *,
    n_samples: int,
    coefficients: tuple[float, ...],
    n_replicates: int,
    rng: Source,
) -> Array:
    """Squared errors of logistic regression that is fitted to its own labels again and again.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
        Whether a generation is fitted to the newest rows or to all so far.
    n_generations : int
        At least 1.
    n_samples : int
        Standard normal rows in each generation, at least 20 for each coefficient, so that the two
        classes are not separated.
    coefficients : tuple of float
        The true ones.
    n_replicates : int
        Independent chains.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_replicates, n_generations)
        Squared distance of the coefficients from the true ones.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    RuntimeError
        If Newton's method has not converged: more samples are needed.

    Examples
    --------
    >>> errors = simulate_logistic(
    ...     "replace", 3, n_samples=400, coefficients=(1.0, -0.5), n_replicates=100, rng=1
    ... )
    >>> bool(errors[:, 2].mean() > 2 * errors[:, 0].mean())
    True
    """
    accumulates = choice("workflow", workflow, _CHAINS) == "accumulate"
    generations = whole_number("n_generations", n_generations)
    truth = np.array([real_number("coefficients", value) for value in coefficients])
    samples = whole_number("n_samples", n_samples, minimum=20 * max(truth.size, 1))
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    errors = np.empty((count, generations))
    rows = samples * (generations if accumulates else 1)
    for block in _blocks(count, rows * (truth.size + 1)):
        fit = np.tile(truth, (block.stop - block.start, 1))
        design = np.empty((fit.shape[0], 0, truth.size))
        labels = np.empty(design.shape[:2])
        for index in range(generations):
            new = generator.standard_normal((fit.shape[0], samples, truth.size))
            chance = expit(np.einsum("rtd,rd->rt", new, fit))
            drawn = (generator.random(chance.shape) < chance).astype(float)
            if accumulates:
                design = np.concatenate([design, new], axis=1)
                labels = np.concatenate([labels, drawn], axis=1)
            else:
                design, labels = new, drawn
            fit = _newton(design, labels, fit)
            errors[block, index] = np.sum((fit - truth) ** 2, axis=1)
    return errors


def _newton(design: Array, labels: Array, start: Array) -> Array:
    """Maximum likelihood of a batch of logistic regressions."""
    fit = start
    across = np.swapaxes(design, 1, 2)
    for _ in range(50):
        chance = expit(np.einsum("rtd,rd->rt", design, fit))
        gradient = across @ (labels - chance)[..., None]
        hessian = across @ (design * (chance * (1.0 - chance))[..., None])
        try:
            step = np.linalg.solve(hessian, gradient)[..., 0]
        except np.linalg.LinAlgError:
            break
        fit = fit + step
        if float(np.abs(step).max()) < 1e-6:
            return fit
    raise RuntimeError(
        f"Newton's method has not converged on {labels.shape[1]} rows; are the classes separated?"
    )


# --- the Gaussian chain -----------------------------------------------------------------------


class GaussianDraws(NamedTuple):
    """Fitted means and variances of Gaussian chains.

    Attributes
    ----------
    mean, variance : ndarray, shape (n_replicates, n_generations)
        For a real law of mean 0 and variance 1.

    Examples
    --------
    >>> draws = simulate_gaussian("accumulate", 5, n_samples=10, n_replicates=3, rng=1)
    >>> draws.mean.shape, bool((draws.variance > 0).all())
    ((3, 5), True)
    """

    mean: Array
    variance: Array


def simulate_gaussian(
    workflow: str,
    n_generations: int,
    *,
    n_samples: int,
    unbiased: bool = True,
    n_replicates: int,
    rng: Source,
) -> GaussianDraws:
    """Refit a normal law to its own samples, again and again.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
        Whether a generation is fitted to the newest samples or to all so far.
    n_generations : int
        At least 1.
    n_samples : int
        At least 2 in each generation.
    unbiased : bool
        Whether the variance estimate is divided by one less than the number of samples.
    n_replicates : int
        Independent chains.
    rng : Generator, SeedSequence or int

    Returns
    -------
    GaussianDraws

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> draws = simulate_gaussian("replace", 200, n_samples=10, n_replicates=300, rng=1)
    >>> bool(np.median(draws.variance[:, -1]) < 1e-6)
    True
    """
    accumulates = choice("workflow", workflow, _CHAINS) == "accumulate"
    generations = whole_number("n_generations", n_generations)
    samples = whole_number("n_samples", n_samples, minimum=2)
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    means, variances = np.empty((2, count, generations))
    kept = samples * (generations if accumulates else 1)
    for block in _blocks(count, kept):
        size = block.stop - block.start
        mean, deviation = np.zeros(size), np.ones(size)
        pool = np.empty((size, kept))
        for index in range(generations):
            new = mean[:, None] + deviation[:, None] * generator.standard_normal((size, samples))
            start = index * samples if accumulates else 0
            pool[:, start : start + samples] = new
            seen = pool[:, : start + samples]
            mean, variance = seen.mean(axis=1), seen.var(axis=1, ddof=int(unbiased))
            deviation = np.sqrt(variance)
            means[block, index], variances[block, index] = mean, variance
    return GaussianDraws(means, variances)


# --- kernel density estimates -----------------------------------------------------------------


class KernelDraws(NamedTuple):
    """What the generations of a kernel chain look like.

    Attributes
    ----------
    second_moment, sample_variance, gap_share : ndarray, shape (n_replicates, n_generations)
        Mean square about the real mean, variance within the generation, and share of its samples
        in the gap.

    Examples
    --------
    >>> modes = {"separation": 2.0, "spread": 0.5, "bandwidth": 0.3, "gap": 0.5}
    >>> draws = simulate_kernel_chain("accumulate", 4, n_samples=10, n_replicates=3, rng=1, **modes)
    >>> draws.gap_share.shape, bool((draws.second_moment > 0).all())
    ((3, 4), True)
    """

    second_moment: Array
    sample_variance: Array
    gap_share: Array


def simulate_kernel_chain(
    workflow: str,
    n_generations: int,
    *,
    n_samples: int,
    separation: float,
    spread: float,
    bandwidth: float,
    gap: float,
    n_replicates: int,
    rng: Source,
) -> KernelDraws:
    r"""Draw from a kernel density estimate, make another of the draws, and so on.

    The real law is :math:`\frac12 N(-a, s^2) + \frac12 N(a, s^2)`.

    Parameters
    ----------
    workflow : {"replace", "accumulate"}
        Whether a model is made of the last generation or of all, the real one included.
    n_generations : int
        At least 1.
    n_samples : int
        At least 2 in each generation.
    separation, spread : float
        :math:`a > 0` and :math:`s > 0`.
    bandwidth : float
        > 0: standard deviation of the normal kernel.
    gap : float
        > 0: half of the width of the interval about 0 that counts as the gap.
    n_replicates : int
        Independent chains.
    rng : Generator, SeedSequence or int

    Returns
    -------
    KernelDraws

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> sizes = {"separation": 2.0, "spread": 0.5, "bandwidth": 0.3, "gap": 0.5}
    >>> draws = simulate_kernel_chain("replace", 30, n_samples=50, n_replicates=100, rng=1, **sizes)
    >>> share = draws.gap_share.mean(axis=0)
    >>> bool(share[-1] > 3 * share[0])
    True
    """
    accumulates = choice("workflow", workflow, _CHAINS) == "accumulate"
    generations = whole_number("n_generations", n_generations)
    samples = whole_number("n_samples", n_samples, minimum=2)
    sizes = {
        name: real_number(name, value, minimum=0.0, open_minimum=True)
        for name, value in {
            "separation": separation,
            "spread": spread,
            "bandwidth": bandwidth,
            "gap": gap,
        }.items()
    }
    count = whole_number("n_replicates", n_replicates)
    generator = as_generator(rng)
    kept = samples * (generations + 1 if accumulates else 1)
    moment, variance, share = np.empty((3, count, generations))
    for block in _blocks(count, kept):
        size = block.stop - block.start
        sign = np.where(generator.random((size, samples)) < 0.5, -1.0, 1.0)
        normal = generator.standard_normal((size, samples))
        pool = np.empty((size, kept))
        pool[:, :samples] = sizes["separation"] * sign + sizes["spread"] * normal
        for index in range(generations):
            known = samples * (index + 1 if accumulates else 1)
            parents = generator.integers(known, size=(size, samples))
            new = np.take_along_axis(pool, parents, axis=1)
            new += sizes["bandwidth"] * generator.standard_normal((size, samples))
            start = known if accumulates else 0
            pool[:, start : start + samples] = new
            moment[block, index] = np.mean(new**2, axis=1)
            variance[block, index] = np.var(new, axis=1, ddof=1)
            share[block, index] = np.mean(np.abs(new) <= sizes["gap"], axis=1)
    return KernelDraws(moment, variance, share)


# --- retraining with infinite data ------------------------------------------------------------

_FREEDOM = 3.0  # of Student's law
_GRID = np.sinh(np.linspace(-12.0, 12.0, 4801))  # dense at 0, to 8e4 for the tails
_STEPS = np.gradient(_GRID)


def _density(model: str, x: Array) -> Array:
    """Density up to a factor: averages are normalised."""
    if model == "normal":
        return np.asarray(np.exp(-0.5 * np.minimum(x**2, 1400.0)))
    return np.asarray((1.0 + x**2 / _FREEDOM) ** (-0.5 * (_FREEDOM + 1.0)))


def _score(model: str, x: Array) -> Array:
    """Differentiate the log density with respect to the location."""
    return x if model == "normal" else (_FREEDOM + 1.0) * x / (_FREEDOM + x**2)


def _average(model: str, centre: float, values: Array) -> float:
    """Average over a law, by quadrature."""
    weights = _density(model, _GRID - centre) * _STEPS
    return float(weights @ values / weights.sum())


def retrain_location(model: str, synthetic_ratio: float, start: float) -> float:
    """Location that maximum likelihood learns from infinite real data and samples of a model.

    Parameters
    ----------
    model : str
        One of `LOCATION_MODELS`: a normal law of unit variance, or Student's law with three
        degrees of freedom, wrong for real data, which are standard normal.
    synthetic_ratio : float
        Synthetic samples for each real one, >= 0.
    start : float
        Location of the model that makes them, between -1 and 1.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> round(retrain_location("normal", 1.0, 0.5), 6)
    0.25
    """
    choice("model", model, LOCATION_MODELS)
    share = real_number("synthetic_ratio", synthetic_ratio, minimum=0.0)
    first = real_number("start", start, minimum=-1.0, maximum=1.0)

    def slope(location: float) -> float:
        score = _score(model, _GRID - location)
        return _average("normal", 0.0, score) + share * _average(model, first, score)

    return float(brentq(slope, -1.5, 1.5, xtol=1e-13))


def information_ratio(model: str) -> float:
    """Curvature of the expected log-likelihood on the model's own samples over that on real ones.

    Parameters
    ----------
    model : str
        One of `LOCATION_MODELS`, at location 0; real data are standard normal.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no such model.

    Examples
    --------
    >>> round(information_ratio("normal"), 6), information_ratio("student") < 1
    (1.0, True)
    """
    choice("model", model, LOCATION_MODELS)
    curvature = np.gradient(_score(model, _GRID), _GRID)
    return _average(model, 0.0, curvature) / _average("normal", 0.0, curvature)
