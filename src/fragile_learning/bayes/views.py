"""What a pipeline says of inputs, and how well its uncertainty finds attacked ones.

Shared by the report on a model and by the experiments of the room.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fragile_learning.bayes.attacks import (
    LogProbabilities,
    Score,
    _batch_size,
    _log_probabilities,
)
from fragile_learning.bayes.predict import log_mean
from fragile_learning.bayes.uncertainty import (
    auroc,
    mutual_information,
    selective_accuracy_area,
    total_entropy,
)

__all__ = ["FALSE_POSITIVES", "SCORES", "Found", "View", "mixed_area", "successful", "view"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SCORES: tuple[Score, ...] = get_args(Score)
FALSE_POSITIVES = 0.05
"""Share of clean, rightly classified inputs that a detector's threshold flags."""

_MEASURES = {"total_entropy": total_entropy, "mutual_information": mutual_information}


class View(NamedTuple):
    """Predictions for n inputs.

    Attributes
    ----------
    right : ndarray of bool, shape (n,)
        Whether the predicted class is the label; False without labels.
    log_labels : ndarray, shape (n,)
        Log-probability of the label, in nats; -inf without labels.
    scores : dict of ndarray, shape (n,)
        Uncertainties in nats, by `Score`.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.7]])
    >>> clean = view(model, inputs, torch.tensor([0, 0, 1]))
    >>> clean.right.tolist(), clean.scores["total_entropy"].round(2).tolist()
    ([True, True, True], [0.45, 0.01, 0.09])
    """

    right: Flags
    log_labels: Array
    scores: dict[Score, Array]


@torch.no_grad()
def view(
    model: LogProbabilities,
    inputs: Tensor,
    labels: Tensor | None = None,
    batch_size: int | None = None,
) -> View:
    """Look at inputs, a batch at a time.

    Parameters
    ----------
    model : callable
        See `fragile_learning.bayes.attacks`.
    inputs : Tensor, shape (n, ...)
    labels : Tensor of int, shape (n,), optional
        None: inputs of none of the classes.
    batch_size : int, optional
        Inputs in one call. By default as many as there is room for.

    Raises
    ------
    TypeError, ValueError
        If what the model returns is not as described.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.7]])
    >>> clean = view(model, inputs, torch.tensor([0, 0, 1]))
    >>> clean.right.tolist(), view(model, inputs).right.tolist()
    ([True, True, True], [False, False, False])
    """
    size = _batch_size(model, inputs, batch_size)
    right, logs = np.zeros(len(inputs), dtype=bool), np.full(len(inputs), -np.inf)
    scores = {score: np.empty(len(inputs)) for score in SCORES}
    for start in range(0, len(inputs), size):
        part = slice(start, start + size)
        log_p = _log_probabilities(model, inputs[part])
        if labels is not None:
            mean, known = log_mean(log_p), labels[part]
            right[part] = (mean.argmax(dim=1) == known).cpu().numpy()
            logs[part] = mean.gather(1, known[:, None])[:, 0].double().cpu().numpy()
        for score, values in scores.items():
            values[part] = _MEASURES[score](log_p).double().cpu().numpy()
    return View(right, logs, scores)


class Found(NamedTuple):
    """Attacked inputs that were right and are wrong, against clean ones that are right.

    Attributes
    ----------
    auroc : float or None
        None if no attack succeeds.
    n_caught, n_successful : int
        Those above the threshold that flags `FALSE_POSITIVES` of the clean ones; and all.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.7]])
    >>> clean = view(model, inputs, torch.tensor([0, 0, 1]))
    >>> attacked = view(model, inputs.flip(1).clamp(0.3, 0.7), torch.tensor([0, 0, 1]))
    >>> found = successful("total_entropy", clean, attacked)
    >>> found.n_successful, found.n_caught, round(found.auroc, 2)
    (3, 1, 0.72)
    """

    auroc: float | None
    n_caught: int
    n_successful: int


def successful(score: Score, clean: View, attacked: View) -> Found:
    """Find successful attacks by an uncertainty.

    Parameters
    ----------
    score : {"total_entropy", "mutual_information"}
    clean, attacked : View
        Of the same inputs, with labels.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.7]])
    >>> clean = view(model, inputs, torch.tensor([0, 0, 1]))
    >>> successful("total_entropy", clean, clean)
    Found(auroc=None, n_caught=0, n_successful=0)
    """
    hit = clean.right & ~attacked.right
    if not hit.any():
        return Found(None, 0, 0)
    calm, found = clean.scores[score][clean.right], attacked.scores[score][hit]
    limit = float(np.quantile(calm, 1.0 - FALSE_POSITIVES))
    return Found(auroc(calm, found), int((found > limit).sum()), int(hit.sum()))


def mixed_area(score: Score, one: View, other: View) -> float:
    """Area under the accuracy of selective prediction on both kinds of inputs together.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.7]])
    >>> clean = view(model, inputs, torch.tensor([0, 0, 1]))
    >>> attacked = view(model, inputs.flip(1).clamp(0.3, 0.7), torch.tensor([0, 0, 1]))
    >>> areas = [mixed_area("total_entropy", clean, other) for other in (clean, attacked)]
    >>> [round(area, 2) for area in areas]
    [1.0, 0.69]
    """
    return selective_accuracy_area(
        np.concatenate([one.scores[score], other.scores[score]]),
        np.concatenate([one.right, other.right]),
    )
