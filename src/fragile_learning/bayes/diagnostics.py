"""Have chains mixed: split R-hat and effective sample sizes, for many quantities at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array

__all__ = ["effective_sample_size", "split_rhat"]

Array = NDArray[np.float64]


def _split(draws: ArrayLike) -> Array:
    """Halves of chains as chains of their own, (2 n_chains, n_draws // 2, n_quantities)."""
    values = real_array("draws", draws)
    if values.ndim < 2 or values.shape[0] < 1 or values.shape[1] < 8:
        raise ValueError(
            f"draws must have the shape (n_chains, n_draws, ...) with n_draws >= 8, got "
            f"{values.shape}"
        )
    half = values.shape[1] // 2
    both = np.concatenate([values[:, :half], values[:, -half:]])
    return both.reshape(*both.shape[:2], -1)


def _variances(chains: Array) -> tuple[Array, Array]:
    """Within chains, and the estimate from within and between; shape (n_quantities,)."""
    length = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean(axis=0)
    between = chains.mean(axis=1).var(axis=0, ddof=1)
    return within, within * (length - 1) / length + between


def split_rhat(draws: ArrayLike) -> Array:
    r"""Potential scale reduction of halved chains.

    .. math:: \hat R = \sqrt{\frac{(n-1) W / n + B / n}{W}}

    Parameters
    ----------
    draws : array_like, shape (n_chains, n_draws, ...)
        At least 8 draws.

    Returns
    -------
    ndarray, shape (...)
        1 for a quantity that never moves, inf if only the chains differ.

    Notes
    -----
    Without ranks, unlike the statistic of Vehtari et al. 2021: an infinite variance goes unseen.

    References
    ----------
    Gelman et al., "Bayesian Data Analysis", third edition, section 11.4.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> bool(abs(split_rhat(rng.standard_normal((4, 500))) - 1.0) < 0.01)
    True
    >>> float(split_rhat([[0.0] * 8, [1.0] * 8]))
    inf
    """
    chains = _split(draws)
    within, total = _variances(chains)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(total > 0.0, np.sqrt(total / within), 1.0)
    return np.asarray(found.reshape(np.shape(draws)[2:]))


def effective_sample_size(draws: ArrayLike) -> Array:
    """Independent draws that would give the mean with the same error, by Geyer's sequence.

    Parameters
    ----------
    draws : array_like, shape (n_chains, n_draws, ...)
        At least 8 draws.

    Returns
    -------
    ndarray, shape (...)
        At most ``n log10(n)`` for ``n`` draws in all; more than ``n`` if the chains are
        antithetic. ``n`` for a quantity that never moves.

    Notes
    -----
    Autocovariances of halved chains, by fast Fourier transform; sums of neighbouring pairs of
    autocorrelations are cut where they become negative and made to fall (initial monotone
    sequence). The error of a second moment needs the draws squared: chains that are antithetic for
    means are not so for squares.

    References
    ----------
    Geyer, "Practical Markov Chain Monte Carlo", Statistical Science 7, 1992. Vehtari et al.,
    "Rank-Normalization, Folding, and Localization", Bayesian Analysis 16, 2021, section 3.2.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> bool(abs(effective_sample_size(rng.standard_normal((4, 500))) / 2000 - 1.0) < 0.2)
    True
    """
    chains = _split(draws)
    count, length, _ = chains.shape
    within, total = _variances(chains)
    centred = chains - chains.mean(axis=1, keepdims=True)
    transform = np.fft.rfft(centred, n=2 * length, axis=1)
    power = (transform.real**2 + transform.imag**2).mean(axis=0)
    covariance = np.fft.irfft(power, n=2 * length, axis=0)[:length] / length
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0
    pairs = rho[: length // 2 * 2].reshape(length // 2, 2, -1).sum(axis=1)
    kept = np.cumprod(pairs > 0.0, axis=0).astype(bool)
    falling = np.minimum.accumulate(np.where(kept, pairs, 0.0), axis=0)
    draws_in_all = count * length
    # not below 1/log10 of the number of draws: an estimate of a sum near 0 means nothing
    tau = np.maximum(2.0 * falling.sum(axis=0) - 1.0, 1.0 / np.log10(draws_in_all))
    found = np.where(total > 0.0, draws_in_all / tau, draws_in_all)
    return np.asarray(found.reshape(np.shape(draws)[2:]))
