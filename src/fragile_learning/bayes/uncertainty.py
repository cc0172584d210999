"""What a predictor does not know, in nats, and how well a score tells right from wrong.

Entropies are differentiable torch functions of log-probabilities; scores are numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from torch import Tensor

from fragile_learning._validation import real_array, whole_number
from fragile_learning.bayes.predict import log_mean

__all__ = [
    "Calibration",
    "auroc",
    "calibration",
    "expected_entropy",
    "mutual_information",
    "selective_accuracy_area",
    "selective_accuracy_percentiles",
    "selective_loss_area",
    "total_entropy",
]

Array = NDArray[np.float64]


def _check(log_probabilities: Tensor) -> Tensor:
    if log_probabilities.ndim != 3 or 0 in log_probabilities.shape:
        raise ValueError(
            f"log_probabilities must have the shape (n_samples, n, n_classes), none of them 0, got "
            f"{tuple(log_probabilities.shape)}"
        )
    with torch.no_grad():
        mass = log_probabilities.double().logsumexp(dim=-1).abs()
        if not bool((mass <= 1e-3).all()):
            raise ValueError(
                "log_probabilities must be logarithms of probabilities that sum to 1 (not logits, "
                f"not probabilities), got a sum of exp({float(mass.nan_to_num(torch.inf).max()):g})"
                " or its inverse"
            )
    return log_probabilities


def _entropy(logs: Tensor) -> Tensor:
    """Entropy over the last axis; 0 log 0 = 0, in value and in gradient."""
    smallest = torch.finfo(logs.dtype).min
    return -(logs.exp() * logs.clamp(min=smallest)).sum(dim=-1)


def total_entropy(log_probabilities: Tensor) -> Tensor:
    """Entropy of the posterior predictive mean.

    Parameters
    ----------
    log_probabilities : Tensor, shape (n_samples, n, n_classes)

    Returns
    -------
    Tensor, shape (n,)
        In [0, log n_classes], nats.

    Raises
    ------
    ValueError
        If these are not logarithms of probabilities.

    Examples
    --------
    >>> members = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]], dtype=torch.float64).log()
    >>> [round(float(f(members)), 6) for f in (total_entropy, expected_entropy, mutual_information)]
    [0.693147, 0.325083, 0.368064]
    """
    return _entropy(log_mean(_check(log_probabilities)))


def expected_entropy(log_probabilities: Tensor) -> Tensor:
    """Mean entropy of the samples: what is uncertain although the weights are known (aleatoric).

    Parameters and result as for `total_entropy`.

    Examples
    --------
    >>> members = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]]).log()
    >>> round(expected_entropy(members).item(), 4), round(total_entropy(members).item(), 4)
    (0.3251, 0.6931)
    """
    return _entropy(_check(log_probabilities)).mean(dim=0)


def mutual_information(log_probabilities: Tensor) -> Tensor:
    """Information that the label gives about the weights: what samples disagree on (epistemic).

    Total minus expected entropy, computed as the mean divergence of the samples from their mean:
    exactly 0 where samples agree.

    Parameters
    ----------
    log_probabilities : Tensor, shape (n_samples, n, n_classes)

    Returns
    -------
    Tensor, shape (n,)
        In [0, min(log n_classes, log n_samples)], nats, but for rounding.

    Examples
    --------
    >>> same, apart = ([[[0.9, 0.1]], [[p, 1.0 - p]]] for p in (0.9, 0.1))
    >>> [round(mutual_information(torch.tensor(one).log()).item(), 4) for one in (same, apart)]
    [0.0, 0.3681]
    """
    logs = _check(log_probabilities).double()
    mean = log_mean(logs)
    smallest = torch.finfo(logs.dtype).min
    # divergences from the samples' own mean are of second order in what the samples are wrong by:
    # logarithms in float32 do where samples nearly agree
    ratio = logs.clamp(min=smallest) - mean.clamp(min=smallest)
    return (logs.exp() * ratio).sum(dim=-1).mean(dim=0).to(log_probabilities.dtype)


# --- scores -------------------------------------------------------------------------------------


def _flags(name: str, value: ArrayLike, length: int) -> Array:
    flags = np.asarray(value)
    if flags.dtype != np.bool_:
        flags = real_array(name, value)
        if not np.isin(flags, (0.0, 1.0)).all():
            raise ValueError(
                f"{name} must hold True and False, got {flags[~np.isin(flags, (0, 1))][0]}"
            )
    if flags.shape != (length,):
        raise ValueError(f"{name} must have the shape ({length},), got {flags.shape}")
    return flags.astype(np.float64)


def auroc(clean: ArrayLike, bad: ArrayLike) -> float:
    """Probability that a bad input scores above a clean one, ties counting half.

    Parameters
    ----------
    clean, bad : array_like, shape (n_clean,), (n_bad,)
        Finite scores, at least one of each.

    Returns
    -------
    float
        Area under the receiver operating characteristic; 0.5 for a score that is constant.

    Examples
    --------
    >>> auroc([0.1, 0.2], [0.2, 0.3]), auroc([0.0, 0.0], [0.0])
    (0.875, 0.5)
    """
    low, high = real_array("clean", clean, ndim=1), real_array("bad", bad, ndim=1)
    if not low.size or not high.size:
        raise ValueError(
            f"clean and bad must have at least one score, got {low.size} and {high.size}"
        )
    ranks = rankdata(np.concatenate([low, high]))[low.size :]
    return float((ranks.mean() - (high.size + 1) / 2) / low.size)


def selective_accuracy_area(uncertainty: ArrayLike, correct: ArrayLike) -> float:
    r"""Mean accuracy of the k least uncertain inputs, over k = 1, ..., n.

    Parameters
    ----------
    uncertainty : array_like, shape (n,)
        Finite, n >= 1.
    correct : array_like of bool, shape (n,)
        False for an input that has no right answer, such as one of another data set.

    Returns
    -------
    float
        In [0, 1]. Inputs of equal uncertainty come in any order, of which this is the mean.

    Notes
    -----
    For large n with a fraction r correct: perfect ranking :math:`r + r \log(1/r)`, useless ranking
    r, worst ranking :math:`r - (1-r) \log(1/(1-r))`.

    Examples
    --------
    >>> scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    >>> round(selective_accuracy_area(scores, [1, 1, 1, 0, 1, 0, 1, 0]), 6)
    0.819494
    """
    scores = _scores(uncertainty)
    return _selective_mean(scores, _flags("correct", correct, scores.size))


def _scores(uncertainty: ArrayLike) -> Array:
    scores = real_array("uncertainty", uncertainty, ndim=1)
    if not scores.size:
        raise ValueError("uncertainty must have at least one entry, got 0")
    return scores


def _selective_mean(scores: Array, values: Array) -> float:
    """Mean over k of the mean value of the k smallest scores; over all orders of ties."""
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    share = np.bincount(group, weights=values) / sizes  # expected value at a place in a tie
    kept = np.cumsum(np.repeat(share, sizes))
    return float((kept / np.arange(1, scores.size + 1)).mean())


def selective_loss_area(uncertainty: ArrayLike, log_probabilities: ArrayLike) -> float:
    r"""Mean negative log-likelihood of the k least uncertain inputs, over k = 1, ..., n.

    Parameters
    ----------
    uncertainty : array_like, shape (n,)
        Finite, n >= 1.
    log_probabilities : array_like, shape (n,)
        Log-probability of the label of each input, :math:`\log\bar p_y`, <= 0 and finite. An input
        without a right label has none, and no place here.

    Returns
    -------
    float
        In nats, >= 0, the smaller the better. Inputs of equal uncertainty come in any order, of
        which this is the mean.

    Notes
    -----
    Our reading of a score that the paper is reported to use; its exact definition was not at hand.
    It is `selective_accuracy_area` with a loss for the accuracy.

    Examples
    --------
    >>> round(selective_loss_area([0.1, 0.2], np.log([0.9, 0.5])), 6)
    0.252307
    """
    scores = _scores(uncertainty)
    logs = real_array("log_probabilities", log_probabilities, maximum=0.0)
    if logs.shape != scores.shape:
        raise ValueError(
            f"log_probabilities must have the shape ({scores.size},), got {logs.shape}"
        )
    return _selective_mean(scores, -logs)


def selective_accuracy_percentiles(uncertainty: ArrayLike, correct: ArrayLike) -> float:
    """Area under accuracy against the percentage kept, on a grid of percentiles.

    Keeps the inputs whose uncertainty is at most its percentile t, for t = 100, 99, ..., 1 and 0.1,
    and integrates their accuracy over t by the trapezoid rule.

    Parameters
    ----------
    uncertainty : array_like, shape (n,)
        Finite, n >= 1.
    correct : array_like of bool, shape (n,)
        As in `selective_accuracy_area`.

    Returns
    -------
    float
        In percent, in [0, 99.9].

    Notes
    -----
    For comparison with numbers computed so; `selective_accuracy_area` is the mean over all n
    inputs, in [0, 1]. At least the input with the least uncertainty is always kept, so that for
    small n the low percentiles repeat it. Equal uncertainties are kept together.

    References
    ----------
    As in the public code of one of the paper's authors, ``trainer.py`` of timrudner/FSVI.

    Examples
    --------
    >>> scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    >>> round(selective_accuracy_percentiles(scores, [1, 1, 1, 0, 1, 0, 1, 0]), 4)
    84.4958
    """
    scores = _scores(uncertainty)
    right = _flags("correct", correct, scores.size)
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    tenths = np.concatenate([[1], np.arange(10, 1001, 10)])
    # the percentile lies at or after this rank and before the next: no rounding decides
    last = (scores.size - 1) * tenths // 1000
    kept = np.searchsorted(ranked, ranked[last], side="right")
    accuracy = np.cumsum(right[order])[kept - 1] / kept
    return float((0.5 * (accuracy[1:] + accuracy[:-1]) * np.diff(tenths / 10.0)).sum())


class Calibration(NamedTuple):
    """Confidence against accuracy.

    Attributes
    ----------
    error : float
        Expected calibration error: mean gap, weighted by the inputs of a bin; in [0, 1].
    confidence, accuracy : ndarray, shape (n_bins,)
        Means in a bin, 0 where it is empty.
    counts : ndarray, shape (n_bins,)
        Inputs in a bin.

    Examples
    --------
    >>> found = calibration([0.95, 0.95, 0.65, 0.65], [True, True, True, False], n_bins=10)
    >>> found.counts[[6, 9]].tolist(), round(found.error, 3)
    ([2.0, 2.0], 0.1)
    """

    error: float
    confidence: Array
    accuracy: Array
    counts: Array


def calibration(confidence: ArrayLike, correct: ArrayLike, *, n_bins: int = 15) -> Calibration:
    """How far confidence is from accuracy, in bins of equal width.

    Parameters
    ----------
    confidence : array_like, shape (n,)
        Largest probability of each input, in [0, 1]; n >= 1.
    correct : array_like of bool, shape (n,)
    n_bins : int
        >= 1. A bin holds its upper edge; the first one 0 too.

    Returns
    -------
    Calibration

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Examples
    --------
    >>> round(calibration([0.9, 0.9, 0.6, 0.6], [1, 1, 1, 0]).error, 12)
    0.1
    """
    sure = real_array("confidence", confidence, ndim=1, minimum=0.0, maximum=1.0)
    if not sure.size:
        raise ValueError("confidence must have at least one entry, got 0")
    right, bins = _flags("correct", correct, sure.size), whole_number("n_bins", n_bins)
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    counts, sums, hits = (
        np.bincount(place, weights=weights, minlength=bins)
        for weights in (np.ones_like(sure), sure, right)
    )
    full = np.maximum(counts, 1.0)
    error = float(np.abs(sums - hits).sum() / sure.size)
    return Calibration(error, sums / full, hits / full, np.asarray(counts, dtype=np.float64))
