r"""Audit of a pipeline: whether training on what a verifier keeps is predicted to help.

Take examples as the generator makes them, before any selection, and note of each whether its label
is right and whether the verifier keeps it. `audit` says what the theory predicts for training on
what is kept, with intervals, and what would change it.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri

from fragile_learning._validation import real_number, whole_number
from fragile_learning.statistics import Interval, share_interval

__all__ = ["Audit", "Interval", "audit", "breakdown_interval", "share_interval"]


def _confidence(value: float) -> float:
    return real_number(
        "confidence", value, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
    )


def _counts(found: Any, total: Any, names: tuple[str, str]) -> tuple[int, int]:
    most = whole_number(names[1], total)
    return whole_number(names[0], found, minimum=0, maximum=most), most


def breakdown_interval(
    kept_correct: int,
    n_correct: int,
    kept_wrong: int,
    n_wrong: int,
    *,
    n_classes: int = 2,
    confidence: float = 0.95,
) -> Interval:
    r"""Breakdown point of a verifier from counts, with an interval.

    Parameters
    ----------
    kept_correct, n_correct : int
        Of ``n_correct >= 1`` examples with a right label, so many were kept.
    kept_wrong, n_wrong : int
        The same of ``n_wrong >= 1`` examples with a wrong label.
    n_classes : int
        >= 2; see `fragile_learning.verification.theory.breakdown_point`.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval
        If nothing was kept the counts say nothing: estimate 1/2, from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Koopman's score interval of the ratio :math:`\psi/\varphi` of two shares, mapped to
    :math:`p^*`. It holds for small and empty counts too, where the interval from the variance of
    the logarithms, :math:`\frac{1-\varphi}{\varphi n_c} + \frac{1-\psi}{\psi n_w}`, does not exist;
    for large counts the two are the same. Its coverage is close to what it says, not at least that.

    References
    ----------
    Koopman, "Confidence intervals for the ratio of two binomial proportions", Biometrics 40, 1984.

    Examples
    --------
    >>> str(breakdown_interval(180, 200, 30, 100))
    '0.75 (0.694 to 0.805)'
    >>> str(breakdown_interval(180, 200, 0, 100))
    '1 (0.961 to 1)'
    """
    x, m = _counts(kept_wrong, n_wrong, ("kept_wrong", "n_wrong"))
    y, n = _counts(kept_correct, n_correct, ("kept_correct", "n_correct"))
    others = whole_number("n_classes", n_classes, minimum=2) - 1
    z2 = float(ndtri(0.5 * (1.0 - _confidence(confidence)))) ** 2
    if x + y == 0:
        return Interval(0.5, 0.0, 1.0)

    def point(log_ratio: float) -> float:
        return float(1.0 / (1.0 + np.exp(log_ratio) / others))

    def excess(log_ratio: float) -> float:
        return _score(x, m, y, n, log_ratio) - z2

    best = np.log(x / m) - np.log(y / n) if x * y else (-60.0 if y else 60.0)
    ends = []
    for far, known in ((-60.0, x > 0), (60.0, y > 0)):  # the ratio psi/phi, from below, from above
        if not known or excess(far) <= 0.0:
            ends.append(far)
            continue
        # without a wrong one kept the best ratio is 0, far below where the score is small
        start = best if x * y else -far
        ends.append(float(brentq(excess, start, far, xtol=1e-12)))
    estimate = 1.0 if x == 0 else 0.0 if y == 0 else point(best)
    high = 1.0 if x == 0 else point(ends[0])
    low = 0.0 if y == 0 else point(ends[1])
    return Interval(estimate, low, high)


def _score(x: int, m: int, y: int, n: int, log_ratio: float) -> float:
    """Squared score of a ratio of two shares, at the likeliest shares that have it.

    The two shares are ``R q`` and ``q``; the likelier end of the quadratic is written so that
    nothing cancels.
    """
    swapped = log_ratio > 0.0
    if swapped:  # a ratio below one, of the other two counts
        x, m, y, n, log_ratio = y, n, x, m, -log_ratio
    ratio = float(np.exp(log_ratio))
    b = ratio * (m + y) + x + n
    root = np.sqrt(max(b * b - 4.0 * ratio * (m + n) * (x + y), 0.0))
    q = min(2.0 * (x + y) / (b + root), 1.0)
    total = 0.0
    for count, size, share in ((x, m, ratio * q), (y, n, q)):
        spread = size * share * (1.0 - share)
        distance = count - size * share
        if spread > 0.0:
            total += distance**2 / spread
        elif abs(distance) > 1e-9:
            return np.inf
    return float(total)


# --- the audit -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Audit:
    """What a labelled sample says about a pipeline; see `audit`.

    Attributes
    ----------
    n_examples, n_kept : int
        Of the sample.
    n_classes : int
    confidence : float
        Of each interval.
    error_rate : Interval
        Of the generator.
    keep_if_correct, keep_if_wrong : Interval
        Of the verifier. From 0 to 1 if no such example is in the sample.
    breakdown_point : Interval
        Error rate that the verifier would bear.
    selected_error_rate : Interval
        Wrong labels among those kept. From 0 to 1 if none is kept.
    highest_selected_error_rate : float
        What a student bears, ``1 - 1/n_classes``.
    information : float
        Clean examples that a generated one is worth, after selection; negative above breakdown.
    unverified_information : float
        The same without selection.
    gain : Interval
        Ratio of the two, ``inf`` where unselected data teach nothing or the opposite; from 0 to
        ``inf`` where the sample says nothing.
    keep_if_wrong_limit : float
        Rate of keeping wrong labels up to which the kept ones teach the right rule; above 1 if no
        verifier that keeps right labels as often could fail.
    examples_to_decide : float
        Size of a sample that would decide an unclear outcome at the rates found; ``inf`` if none
        would.
    outcome : str
        ``"helps"``, ``"harms"`` or ``"unclear"``: whether a student of the kept examples is on the
        right side of breakdown, at this confidence.
    recommendation : str
        In plain words.

    Examples
    --------
    >>> import numpy as np
    >>> correct = np.arange(1000) % 10 < 3
    >>> found = audit(kept=correct | (np.arange(1000) % 7 == 0), correct=correct)
    >>> found.outcome, round(found.keep_if_wrong_limit, 3), round(found.keep_if_wrong.estimate, 3)
    ('helps', 0.429, 0.143)
    """

    n_examples: int
    n_kept: int
    n_classes: int
    confidence: float
    error_rate: Interval
    keep_if_correct: Interval
    keep_if_wrong: Interval
    breakdown_point: Interval
    selected_error_rate: Interval
    highest_selected_error_rate: float
    information: float
    unverified_information: float
    gain: Interval
    keep_if_wrong_limit: float
    examples_to_decide: float
    outcome: str
    recommendation: str

    def __str__(self) -> str:
        rows = (
            ("generator's error rate", self.error_rate),
            ("kept if right", self.keep_if_correct),
            ("kept if wrong", self.keep_if_wrong),
            ("breakdown point p*", self.breakdown_point),
            ("wrong among kept", self.selected_error_rate),
            ("gain over no selection", self.gain),
        )
        head = f"{self.n_kept} of {self.n_examples} examples kept ({self.confidence:.0%} intervals)"
        lines = [head, *(f"  {name:24}{value}" for name, value in rows)]
        return "\n".join([*lines, textwrap.fill(self.recommendation, 72)])


def audit(
    kept: ArrayLike, correct: ArrayLike, *, n_classes: int = 2, confidence: float = 0.95
) -> Audit:
    r"""Predict whether training on what a verifier keeps helps, and say what would change it.

    Parameters
    ----------
    kept : array_like of bool, shape (n,)
        Whether the verifier keeps each example of a random sample of *generated* ones.
    correct : array_like of bool, shape (n,)
        Whether its label is right.
    n_classes : int
        >= 2. Beyond two, wrong labels are taken to be spread evenly over the wrong classes.
    confidence : float
        In (0, 1), of each interval by itself.

    Returns
    -------
    Audit
        ``str`` of it is a report.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not one-dimensional, boolean (or 0 and 1) and of one length >= 1, or an
        argument is out of range.

    Notes
    -----
    The condition :math:`p < p^*` says that among those kept fewer than :math:`1 - 1/K` are wrong:
    the outcome is an exact binomial test of that, "unclear" if the interval holds the bar. The
    interval of the gain is Fieller's, which holds where unselected data teach next to nothing; it
    takes the counts as normal. Information and gain are those of the one-shot student
    (`fragile_learning.verification.theory.effective_samples`).

    What it rests on: errors and decisions do not depend on the input. If wrong labels are all of
    one kind, or the verifier errs where the generator does, the kept examples are still those
    counted here, but what a student makes of them is not (`bisector_accuracy` for linear rules:
    right of 1/2, and yet worse than the generator).

    References
    ----------
    That rates are measurable proxies: the paper, as reported. Tests and intervals derived here.

    Examples
    --------
    >>> import numpy as np
    >>> correct = np.arange(200) % 10 < 6
    >>> kept = correct & (np.arange(200) % 3 > 0) | (np.arange(200) % 11 == 0)
    >>> report = audit(kept, correct)
    >>> report.outcome, str(report.selected_error_rate)
    ('helps', '0.0769 (0.0315 to 0.152)')
    """
    keeps, right = _flags("kept", kept), _flags("correct", correct)
    if keeps.size != right.size:
        raise ValueError(
            f"kept and correct must have one length, got {keeps.size} and {right.size}"
        )
    classes = whole_number("n_classes", n_classes, minimum=2)
    level = _confidence(confidence)
    n, n_right, n_kept = keeps.size, int(right.sum()), int(keeps.sum())
    both = int((keeps & right).sum())
    cells = (both, n_kept - both, n_right - both, n - n_right - n_kept + both)

    def share(found: int, total: int) -> Interval:
        if total == 0:
            return Interval(0.5, 0.0, 1.0)
        return share_interval(found, total, confidence=level)

    bar = 1.0 - 1.0 / classes
    wrong_kept = share(cells[1], n_kept)
    point = (
        breakdown_interval(
            both, n_right, cells[1], n - n_right, n_classes=classes, confidence=level
        )
        if 0 < n_right < n
        else Interval(0.5, 0.0, 1.0)
    )
    outcome = "helps" if wrong_kept.high < bar else "harms" if wrong_kept.low > bar else "unclear"
    worth, plain = (
        _worth(cells[0], cells[1], n, classes),
        _worth(n_right, n - n_right, n, classes),
    )
    found = Audit(
        n_examples=n,
        n_kept=n_kept,
        n_classes=classes,
        confidence=level,
        error_rate=share(n - n_right, n),
        keep_if_correct=share(both, n_right),
        keep_if_wrong=share(cells[1], n - n_right),
        breakdown_point=point,
        selected_error_rate=wrong_kept,
        highest_selected_error_rate=bar,
        information=worth,
        unverified_information=plain,
        gain=_gain(cells, classes, level),
        keep_if_wrong_limit=_limit(cells, classes),
        examples_to_decide=_to_decide(wrong_kept, bar, n_kept / n, level),
        outcome=outcome,
        recommendation="",
    )
    return replace(found, recommendation=_words(found))


def _flags(name: str, value: ArrayLike) -> np.ndarray[Any, np.dtype[np.bool_]]:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of booleans, got dtype {array.dtype}")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must have one dimension and >= 1 entry, got shape {array.shape}")
    other = ~((array == 0) | (array == 1))
    if other.any():
        at = int(np.argmax(other))
        raise ValueError(f"{name} must hold False and True only, got {name}[{at}] = {array[at]!r}")
    return array.astype(bool)


def _worth(right: float, wrong: float, total: float, classes: int) -> float:
    """Signed information of a generated example."""
    if right + wrong == 0:
        return 0.0
    net = right - wrong / (classes - 1)
    return float(net * abs(net) / (right + wrong) / total)


def _gain(cells: tuple[int, ...], classes: int, level: float) -> Interval:
    """Ratio of the information with and without selection, by Fieller's theorem.

    The root of the ratio is ``x / y`` of two means that are nearly normal, ``x`` the net signal of
    the kept examples over the root of their share, ``y`` that of all.
    """
    worth = _worth(cells[0], cells[1], sum(cells), classes)
    without = _worth(cells[0] + cells[2], cells[1] + cells[3], sum(cells), classes)
    estimate = 0.0 if worth <= 0.0 else worth / without if without > 0.0 else np.inf
    counts = np.array(cells, float)
    if (counts == 0.0).any():
        counts += 0.5  # of the interval, not of the estimate
    share = counts / counts.sum()
    other = 1.0 / (classes - 1)
    kept = float(share[0] + share[1])
    signal = np.array([1.0, -other, 1.0, -other])
    chosen = np.array([1.0, 1.0, 0.0, 0.0])
    net, plain = float(share @ (signal * chosen)), float(share @ signal)
    # of each example: its part in x, with that in the root of the share, and its part in y
    parts = np.stack([(signal - 0.5 * net / kept) * chosen / np.sqrt(kept), signal])
    middle = parts @ share
    z2 = float(ndtri(0.5 * (1.0 - level))) ** 2
    spread = z2 * ((parts * share) @ parts.T - np.outer(middle, middle)) / counts.sum()
    x, y = net / np.sqrt(kept), plain
    # ratios rho with (x - rho y)^2 <= variance of x - rho y: a rho^2 - 2 b rho + c <= 0
    a, b, c = y * y - spread[1, 1], x * y - spread[0, 1], x * x - spread[0, 0]
    root = np.sqrt(max(b * b - a * c, 0.0))
    if a > 0.0 and y > 0.0:
        low, high = max((b - root) / a, 0.0) ** 2, max((b + root) / a, 0.0) ** 2
    elif c <= 0.0:
        low, high = 0.0, np.inf
    elif x < 0.0:
        low = high = 0.0
    else:  # without selection perhaps nothing, or surely the opposite
        low, high = (np.inf if a > 0.0 else ((b - root) / a) ** 2), np.inf
    return Interval(estimate, float(min(low, estimate)), float(max(high, estimate)))


def _limit(cells: tuple[int, ...], classes: int) -> float:
    """Rate of keeping wrong labels at which the kept examples stop to teach the right rule."""
    wrong = cells[1] + cells[3]
    return float((classes - 1) * cells[0] / wrong) if wrong else np.inf


def _to_decide(wrong: Interval, bar: float, kept_share: float, level: float) -> float:
    """Size of a sample whose interval of the errors among the kept would just leave the bar out."""
    distance = wrong.estimate - bar
    if distance == 0.0 or kept_share == 0.0:
        return np.inf
    z = float(ndtri(0.5 * (1.0 - level)))
    kept = z**2 * max(wrong.estimate * (1.0 - wrong.estimate), 0.05) / distance**2
    return float(np.ceil(kept / kept_share))


def _words(found: Audit) -> str:
    """Plain words for an audit."""
    wrong, gain, bar = (
        found.selected_error_rate,
        found.gain,
        found.highest_selected_error_rate,
    )
    limit = found.keep_if_wrong_limit
    if found.n_kept == 0:
        return "Nothing of the sample is kept: loosen the verifier, or label a larger sample."
    share = (
        f"{wrong.estimate:.1%} of the kept labels are wrong ({wrong.low:.1%} to {wrong.high:.1%})"
    )
    most = f"a student bears up to {bar:.1%}"
    if found.outcome == "unclear":
        more = (
            f"about {found.examples_to_decide:,.0f} labelled examples would decide, if the rates "
            "stay as they are"
            if np.isfinite(found.examples_to_decide)
            else "no sample decides at these rates"
        )
        return f"Do not rely on the kept data yet: {share}, and {most}; {more}."
    if found.outcome == "harms":
        return (
            f"Do not train on the kept data: {share}, and {most}, so that more of them teach the "
            f"opposite rule better. It would change with a verifier that keeps less than "
            f"{min(limit, 1.0):.1%} of the wrong labels (now {found.keep_if_wrong.estimate:.1%}), "
            f"or a generator that errs in less than {found.breakdown_point.estimate:.1%}."
        )
    words = f"Train on the kept data: {share}, and {most}. "
    words += (
        f"It would change if the verifier kept more than {limit:.1%} of the wrong labels. "
        if limit <= 1.0
        else "No rise in the wrong labels that are kept would change that, at this error rate. "
    )
    if gain.low > 1.0:
        return words + (
            f"Selection pays: a generated example is worth {_times(gain)} as much as without it."
        )
    if gain.high < 1.0:
        return words + (
            "But selection discards more than it cleans: a generated example is worth "
            f"{_times(gain)} as much as without it. Keep all of them, or loosen the verifier."
        )
    return words + (
        f"Whether selection pays is open: a generated example is worth {_times(gain)} as much as "
        "without it."
    )


def _times(gain: Interval) -> str:
    return f"{gain.estimate:.2g} times ({gain.low:.2g} to {gain.high:.2g})"
