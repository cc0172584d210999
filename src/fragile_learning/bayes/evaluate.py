r"""Evaluation of a Bayesian classifier under attack: label, detection, semantic shift.

`robustness_report` attacks the whole pipeline, with attacks that know what a detector looks at, and
then doubts itself: a report whose attacks were broken says so in plain words. It needs only a
function of inputs that returns the log-probabilities of each posterior sample; see
`fragile_learning.bayes.attacks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fragile_learning._validation import (
    as_generator,
    choice,
    real_number,
    whole_number,
)
from fragile_learning.bayes.attacks import (
    Attack,
    LogProbabilities,
    Norm,
    Score,
    _Ball,
    _check_classes,
    _inputs,
    _labels,
    _log_probabilities,
    fgsm,
    pgd,
    pgd_targeted,
    predictive_log_mean,
    random_noise,
    transfer,
)
from fragile_learning.bayes.uncertainty import auroc, selective_accuracy_area
from fragile_learning.bayes.views import SCORES, View, mixed_area, successful, view
from fragile_learning.statistics import Interval, share_interval

__all__ = [
    "AtRadius",
    "Check",
    "Detection",
    "EvaluationData",
    "RobustnessReport",
    "ShiftDetection",
    "robustness_report",
]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rng = np.random.Generator | np.random.SeedSequence | int


# --- records --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationData:
    """Inputs on which a model is judged.

    Attributes
    ----------
    inputs : Tensor, shape (n, ...)
        In [0, 1], float32 or float64.
    labels : Tensor of int, shape (n,)
    shifted : Tensor, shape (n_shifted, ...), or None
        Inputs of none of the classes, which a detector should notice; of the shape of the others.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Examples
    --------
    >>> import torch
    >>> images, noise = torch.full((20, 8, 8), 0.2), torch.full((10, 8, 8), 0.5)
    >>> data = EvaluationData(images, torch.arange(20) % 10, shifted=noise)
    >>> data.inputs.shape, len(data.shifted)
    (torch.Size([20, 8, 8]), 10)
    """

    inputs: Tensor
    labels: Tensor
    shifted: Tensor | None = None

    def __post_init__(self) -> None:
        clean = _inputs(self.inputs)
        _labels(self.labels, clean)
        if self.shifted is not None:
            other = _inputs(self.shifted, "shifted")
            if other.shape[1:] != clean.shape[1:] or other.dtype != clean.dtype:
                sizes = ", ".join(map(str, clean.shape[1:]))
                raise ValueError(
                    f"shifted must have shape (n, {sizes}) and dtype {clean.dtype} as inputs, got "
                    f"{tuple(other.shape)} and {other.dtype}"
                )


class Check(NamedTuple):
    """A doubt about the evaluation itself.

    Attributes
    ----------
    name : str
    passed : bool
    measured : float
        Compared with a limit that ``words`` state.
    words : str
        What was seen, and what it means if not passed.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.9, 0.1], [0.8, 0.3], [0.6, 0.5], [0.2, 0.7]])
    >>> data = EvaluationData(inputs, torch.tensor([0, 0, 0, 1]))
    >>> report = robustness_report(model, data, radii=(0.1,), n_steps=4)
    >>> [check.name for check in report.checks if check.passed][:2]
    ['flat model', 'vanishing gradients']
    """

    name: str
    passed: bool
    measured: float
    words: str


class Detection(NamedTuple):
    """Detection of attacked inputs by an uncertainty.

    Attributes
    ----------
    score : {"total_entropy", "mutual_information"}
    adaptive : bool
        Whether the attack lowers the score (two stages), or looks at the label alone.
    auroc : float
        Area under the curve, all attacked inputs against all clean ones; 1/2 is chance.
    auroc_successful : float or None
        Those that were right and are wrong under the attack, against clean ones that are right;
        None if there are none.
    caught : Interval or None
        Share of these above the threshold that flags 5 % of the clean ones that are right.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.9, 0.1], [0.8, 0.3], [0.6, 0.5], [0.2, 0.7]])
    >>> data = EvaluationData(inputs, torch.tensor([0, 0, 0, 1]))
    >>> report = robustness_report(model, data, radii=(0.1,), n_steps=4)
    >>> detections = report.by_radius[0].detection
    >>> sorted({one.score for one in detections}), sum(one.adaptive for one in detections)
    (['mutual_information', 'total_entropy'], 2)
    >>> all(0.0 <= one.auroc <= 1.0 for one in detections)
    True
    """

    score: Score
    adaptive: bool
    auroc: float
    auroc_successful: float | None
    caught: Interval | None


class ShiftDetection(NamedTuple):
    """Detection of shifted inputs by an uncertainty.

    Attributes
    ----------
    score : {"total_entropy", "mutual_information"}
    auroc : float
        Shifted against clean inputs; if attacked, by an attack that lowers this score.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.9, 0.1], [0.8, 0.3], [0.6, 0.5], [0.2, 0.7]])
    >>> data = EvaluationData(inputs, torch.tensor([0, 0, 0, 1]), shifted=torch.full((2, 2), 0.5))
    >>> report = robustness_report(model, data, radii=(0.1,), n_steps=4)
    >>> [entropy, information] = report.clean_shift
    >>> entropy.score, entropy.auroc, information.auroc
    ('total_entropy', 1.0, 0.5)
    """

    score: Score
    auroc: float


@dataclass(frozen=True, slots=True)
class AtRadius:
    """What is left at a radius.

    Attributes
    ----------
    radius : float
    accuracy : Interval
        Share of all inputs that are right under every attack tried: an upper bound of the true
        robust accuracy.
    by_attack : tuple of (str, float)
        Accuracy under each attack by itself.
    detection : tuple of Detection
    shift : tuple of ShiftDetection
        Of attacked shifted inputs; empty without such data.
    selective_area, adaptive_selective_area : float
        Area under the accuracy of selective prediction, by total entropy, on the clean inputs
        together with the attacked: by label alone, and in two stages.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.9, 0.1], [0.8, 0.3], [0.6, 0.5], [0.2, 0.7]])
    >>> data = EvaluationData(inputs, torch.tensor([0, 0, 0, 1]))
    >>> report = robustness_report(model, data, radii=(0.1,), n_steps=4)
    >>> row = report.by_radius[0]
    >>> row.accuracy.estimate, min(share for _, share in row.by_attack)
    (0.75, 0.75)
    """

    radius: float
    accuracy: Interval
    by_attack: tuple[tuple[str, float], ...]
    detection: tuple[Detection, ...]
    shift: tuple[ShiftDetection, ...]
    selective_area: float
    adaptive_selective_area: float


@dataclass(frozen=True, slots=True)
class RobustnessReport:
    """What attacks leave of a model, and whether the attacks can be believed.

    ``str`` of it is a report.

    Attributes
    ----------
    norm : {"linf", "l2"}
    n_inputs, n_shifted, n_samples, n_classes : int
    confidence : float
        Of each interval by itself.
    temperature : float
        Of the tempered attack; 1 if there was none.
    clean_accuracy : Interval
    clean_selective_area : float
    clean_shift : tuple of ShiftDetection
        Without an attack; empty without such data.
    by_radius : tuple of AtRadius
    checks : tuple of Check

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.9, 0.1], [0.8, 0.3], [0.6, 0.5], [0.2, 0.7]])
    >>> data = EvaluationData(inputs, torch.tensor([0, 0, 0, 1]))
    >>> report = robustness_report(model, data, radii=(0.1,), n_steps=4)
    >>> print(str(report).splitlines()[0])
    1 posterior samples, 2 classes, 4 inputs; linf ball, 95% intervals
    """

    norm: Norm
    n_inputs: int
    n_shifted: int
    n_samples: int
    n_classes: int
    confidence: float
    temperature: float
    clean_accuracy: Interval
    clean_selective_area: float
    clean_shift: tuple[ShiftDetection, ...]
    by_radius: tuple[AtRadius, ...]
    checks: tuple[Check, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Words of the checks that did not pass."""
        return tuple(check.words for check in self.checks if not check.passed)

    def __str__(self) -> str:
        rows = self.by_radius
        sizes = f"{self.n_samples} posterior samples, {self.n_classes} classes"
        arrow = "label attack -> adaptive attack"
        lines = [
            f"{sizes}, {self.n_inputs} inputs; {self.norm} ball, {self.confidence:.0%} intervals",
            f"clean accuracy {self.clean_accuracy}",
            _line("radius", [f"{row.radius:g}" for row in rows]),
            _line("right under every attack", [str(row.accuracy) for row in rows]),
        ]
        for place, (name, _) in enumerate(rows[0].by_attack):
            lines.append(_line(f"  {name}", [f"{row.by_attack[place][1]:.3f}" for row in rows]))
        lines.append(f"attacked inputs found by uncertainty, AUROC: {arrow}")
        for score in SCORES:
            pairs = [
                [
                    one.auroc
                    for one in sorted(row.detection, key=lambda one: one.adaptive)
                    if one.score == score
                ]
                for row in rows
            ]
            cells = [f"{plain:.3f} -> {adaptive:.3f}" for plain, adaptive in pairs]
            lines.append(_line(f"  {_plain(score)}", cells))
        lines.append(f"selective prediction on clean and attacked, area: {arrow}")
        areas = [f"{r.selective_area:.3f} -> {r.adaptive_selective_area:.3f}" for r in rows]
        lines.append(_line(f"  (clean alone {self.clean_selective_area:.3f})", areas))
        if self.clean_shift:
            lines.append(f"semantic shift found by uncertainty, AUROC, {self.n_shifted} inputs")
        for place, (score, found) in enumerate(self.clean_shift):
            cells = [f"{row.shift[place].auroc:.3f}" for row in rows]
            lines.append(_line(f"  {_plain(score)} ({found:.3f} if let be)", cells))
        failed = [check for check in self.checks if not check.passed]
        lines.append(f"self-checks: {len(self.checks) - len(failed)} of {len(self.checks)} passed")
        lines += [f"  WARNING, {check.name}: {check.words}." for check in failed]
        return "\n".join(lines)


def _plain(score: Score) -> str:
    return score.replace("_", " ")


def _line(name: str, cells: Sequence[str]) -> str:
    return "".join([f"{name:40}", *(f"{cell:26}" for cell in cells)]).rstrip()


# --- measures -------------------------------------------------------------------------------------


def _numbers(values: Tensor) -> Array:
    return np.asarray(values.detach().double().cpu().numpy())


def _flags(values: Tensor) -> Flags:
    return np.asarray(values.cpu().numpy(), dtype=bool)


def _detect(
    score: Score, clean: View, attacked: View, *, adaptive: bool, confidence: float
) -> Detection:
    before, after, found = clean.scores[score], attacked.scores[score], None
    hit = successful(score, clean, attacked)
    if hit.n_successful:
        found = share_interval(hit.n_caught, hit.n_successful, confidence=confidence)
    return Detection(score, adaptive, auroc(before, after), hit.auroc, found)


# --- self-checks ----------------------------------------------------------------------------------


def _loses(stronger: Flags, weaker: Flags) -> tuple[bool, float]:
    """Whether an attack that should be stronger fools fewer, beyond noise; and by which share.

    Of the inputs on which the two differ, either should win at least half: two standard errors, and
    one input, are allowed.
    """
    lost, won = int((weaker & ~stronger).sum()), int((stronger & ~weaker).sum())
    return lost - won > max(1.0, 2.0 * math.sqrt(lost + won)), (lost - won) / len(stronger)


def _linear_surrogate(
    model: LogProbabilities, inputs: Tensor, ball: _Ball, batch_size: int | None, seed: int
) -> LogProbabilities:
    """Linear classifier of the model's own answers near the inputs, by ridge regression."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.cat([inputs, *(ball.draw(generator) for _ in range(4))])
    answers = predictive_log_mean(model, rows, batch_size=batch_size)
    targets = torch.nn.functional.one_hot(answers.argmax(dim=1), answers.shape[1]).double()
    design = rows.double().flatten(1)
    centre, middle = design.mean(dim=0), targets.mean(dim=0)
    design, targets = design - centre, targets - middle
    penalty = 1e-2 * float(design.square().sum(dim=1).mean().clamp(min=1e-12))
    few = len(design) < design.shape[1]
    gram = design @ design.T if few else design.T @ design
    gram.diagonal().add_(penalty)
    weights = torch.linalg.solve(gram, targets if few else design.T @ targets)
    weights = design.T @ weights if few else weights

    def surrogate(x: Tensor) -> Tensor:
        scores = (x.double().flatten(1) - centre) @ weights + middle
        found: Tensor = (10.0 * scores).log_softmax(dim=1)
        return found[None]

    return surrogate


def _gradient_checks(attack: Attack, right: Flags) -> list[Check]:
    """Look at the first gradients of inputs that are right."""
    true, scaled = _numbers(attack.gradient_norms[0, 0]), _numbers(attack.direction_norms[0, 0])
    true, scaled = true[right], scaled[right]
    if not len(true):
        return []
    flat = float((scaled == 0.0).mean())
    tiny = float(torch.finfo(attack.gradient_norms.dtype).eps)
    blind = float(((true < tiny * scaled) & (scaled > 0.0)).mean())
    return [
        Check(
            "flat model",
            flat <= 0.01,
            flat,
            f"the model's own derivative is exactly zero at {flat:.1%} of the inputs (limit 1%): "
            "no gradient attack can move them, and their robustness is no evidence. Look for "
            "clamped, rounded or saturated layers",
        ),
        Check(
            "vanishing gradients",
            blind <= 0.01,
            blind,
            f"the gradient of the loss is below rounding at {blind:.1%} of the inputs (limit 1%), "
            "because predictions are saturated: attacks by plain back-propagation would leave them "
            "as they are. Those here go on in the log domain; believe no weaker attack",
        ),
    ]


def _white_box_checks(
    noise: Flags, moved: Flags, white: Flags, right: Flags, radius: float
) -> list[Check]:
    """Compare gradient attacks with two that see no gradient; success on inputs that are right."""
    found = []
    for name, blind, words in (
        ("transfer", moved & right, "an attack that saw only another model"),
        ("noise", noise & right, "random noise"),
    ):
        lucky = int((blind & ~white).sum())
        share = lucky / max(1, int(right.sum()))
        limit = max(1.0, 0.01 * right.sum())
        beaten = int(blind.sum()) > int((white & right).sum()) or lucky > limit
        found.append(
            Check(
                name,
                not beaten,
                share,
                f"at radius {radius:g} {words} fools {int(blind.sum())} inputs, {lucky} of them "
                f"not fooled by gradient attacks, which fool {int((white & right).sum())}: "
                "gradients mislead, and robust accuracies are too high",
            )
        )
    return found


# --- the report -----------------------------------------------------------------------------------


def robustness_report(
    log_probabilities: LogProbabilities,
    data: EvaluationData,
    *,
    radii: Sequence[float] = (0.02, 0.05, 0.1),
    norm: Norm = "linf",
    n_steps: int = 20,
    n_restarts: int = 1,
    targeted: bool = True,
    temperature: float | None = None,
    surrogate: LogProbabilities | None = None,
    confidence: float = 0.95,
    batch_size: int | None = None,
    rng: Rng = 0,
) -> RobustnessReport:
    r"""Attack a Bayesian classifier as a whole, and check the attacks.

    Parameters
    ----------
    log_probabilities : callable
        Inputs, shape (n, ...), to log-probabilities, shape (n_samples, n, n_classes); frozen (the
        same twice) and differentiable.
    data : EvaluationData
    radii : sequence of float
        > 0, increasing.
    norm : {"linf", "l2"}
    n_steps, n_restarts : int
        >= 4 and >= 1, of each ascent; attacks in two stages take twice the steps.
    targeted : bool
        Whether to try each wrong class for inputs that the margin does not fool.
    temperature : float, optional
        > 0, of a further attack on the margin; none at 1. By default the median gap between the two
        likeliest log-probabilities of a sample if that is above 10, else 1.
    surrogate : callable, optional
        Model for the transfer attack. By default a linear classifier of the model's own answers.
    confidence : float
        In (0, 1).
    batch_size : int, optional
        Inputs in one call of the model; by default as in `attacks.pgd`.
    rng : Generator, SeedSequence or int

    Returns
    -------
    RobustnessReport

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or as `fragile_learning.bayes.attacks.pgd`.

    Notes
    -----
    Self-checks: the model's derivative is not zero, nor the gradient of the loss too small for
    plain back-propagation; many steps fool no fewer inputs than a quarter of them or than one; a
    larger radius fools no fewer; neither a transferred attack nor noise beats gradients; radius 0
    changes nothing; without a bound next to no input stays right; intervals are narrow enough to
    tell methods apart.

    References
    ----------
    Feng, Rudner, Tsilivis, Kempe, "Attacking Bayes", arXiv:2404.19640: the three tasks; Carlini et
    al., "On evaluating adversarial robustness", arXiv:1902.06705: such checks; both as reported.

    Examples
    --------
    >>> import torch
    >>> def model(x):
    ...     score = 4.0 * (x[:, :1] - x[:, 1:])
    ...     return torch.cat([score, -score], dim=1).log_softmax(dim=1)[None]
    >>> inputs = torch.tensor([[0.9, 0.1], [0.8, 0.3], [0.6, 0.5], [0.2, 0.7]])
    >>> data = EvaluationData(inputs, torch.tensor([0, 0, 0, 1]))
    >>> report = robustness_report(model, data, radii=(0.1,), n_steps=4)
    >>> report.clean_accuracy.estimate, [row.accuracy.estimate for row in report.by_radius]
    (1.0, [0.75])
    """
    if not isinstance(data, EvaluationData):
        raise TypeError(f"data must be EvaluationData, got {type(data).__name__}")
    sizes = _radii(radii)
    choice("norm", norm, get_args(Norm))
    steps = whole_number("n_steps", n_steps, minimum=4)
    restarts = whole_number("n_restarts", n_restarts)
    level = real_number(
        "confidence", confidence, minimum=0.0, maximum=1.0, open_minimum=True, open_maximum=True
    )
    batch = None if batch_size is None else whole_number("batch_size", batch_size)
    heat = None
    if temperature is not None:
        heat = real_number("temperature", temperature, minimum=0.0, open_minimum=True)
    clean = _inputs(data.inputs).clone()  # a model that writes into its inputs must not spoil them
    labels = _labels(data.labels, clean)
    generator = as_generator(rng)
    trial = _Trial(log_probabilities, clean, labels, norm, steps, restarts, batch, generator, level)
    n_samples, n_classes, gap = trial.first_look()
    if heat is None:
        heat = gap if gap > 10.0 else 1.0

    before = view(log_probabilities, clean, labels, batch)
    if surrogate is None:
        surrogate = _linear_surrogate(
            log_probabilities, clean, _Ball(clean, norm, sizes[-1]), batch, trial.seed()
        )
    shifted = None if data.shifted is None else _inputs(data.shifted).clone()
    shift_scores = None if shifted is None else view(log_probabilities, shifted, None, batch).scores
    clean_shift = _shift(before, shift_scores)
    rows, outcomes = [], []
    for size in sizes:
        outcome = trial.attack(size, heat, targeted, surrogate)
        outcomes.append(outcome)
        rows.append(_row(size, outcome, before, trial.shift(size, shifted, before), trial))
    return RobustnessReport(
        norm=norm,
        n_inputs=len(clean),
        n_shifted=0 if shifted is None else len(shifted),
        n_samples=n_samples,
        n_classes=n_classes,
        confidence=level,
        temperature=heat,
        clean_accuracy=share_interval(int(before.right.sum()), len(clean), confidence=level),
        clean_selective_area=selective_accuracy_area(before.scores[SCORES[0]], before.right),
        clean_shift=clean_shift,
        by_radius=tuple(rows),
        checks=tuple(trial.checks(data.inputs, before, sizes, outcomes, rows)),
    )


def _radii(radii: Sequence[float]) -> list[float]:
    sizes = [
        real_number(f"radii[{i}]", radius, minimum=0.0, open_minimum=True)
        for i, radius in enumerate(radii)
    ]
    if not sizes or any(b <= a for a, b in pairwise(sizes)):
        raise ValueError(f"radii must hold >= 1 increasing numbers > 0, got {list(radii)!r}")
    return sizes


def _shift(before: View, scores: dict[Score, Array] | None) -> tuple[ShiftDetection, ...]:
    if scores is None:
        return ()
    return tuple(
        ShiftDetection(score, auroc(before.scores[score], scores[score])) for score in SCORES
    )


class _Outcome(NamedTuple):
    """Attacks of one radius by name, and what the pipeline says of some of the inputs."""

    attacks: dict[str, Attack]
    by_label: View
    adaptive: dict[Score, View]

    def fooled(self, *, blind: bool) -> Flags:
        """Say which inputs any attack fools; with or without those that see no gradient."""
        found = np.zeros(len(self.by_label.right), dtype=bool)
        for name, attack in self.attacks.items():
            if blind or name not in BLIND:
                found |= _flags(attack.success)
        return found


BLIND = ("noise", "transfer")


def _row(
    size: float,
    outcome: _Outcome,
    before: View,
    shift: tuple[ShiftDetection, ...],
    trial: _Trial,
) -> AtRadius:
    n = len(before.right)
    detection = []
    for score in SCORES:
        for adaptive, seen in ((False, outcome.by_label), (True, outcome.adaptive[score])):
            detection.append(
                _detect(score, before, seen, adaptive=adaptive, confidence=trial.confidence)
            )
    robust = int((~outcome.fooled(blind=True)).sum())
    return AtRadius(
        radius=size,
        accuracy=share_interval(robust, n, confidence=trial.confidence),
        by_attack=tuple(
            (name, float((~_flags(attack.success)).mean()))
            for name, attack in outcome.attacks.items()
        ),
        detection=tuple(detection),
        shift=shift,
        selective_area=mixed_area(SCORES[0], before, outcome.by_label),
        adaptive_selective_area=mixed_area(SCORES[0], before, outcome.adaptive[SCORES[0]]),
    )


class _Trial(NamedTuple):
    """A model, data and settings, with the attacks on them."""

    model: LogProbabilities
    clean: Tensor
    labels: Tensor
    norm: Norm
    n_steps: int
    n_restarts: int
    batch_size: int | None
    generator: np.random.Generator
    confidence: float

    def seed(self) -> int:
        return int(self.generator.integers(0, 2**62))

    @torch.no_grad()
    def first_look(self) -> tuple[int, int, float]:
        """Numbers of samples and classes, and the median gap of the two likeliest classes."""
        log_p = _log_probabilities(self.model, self.clean[: self.batch_size])
        _check_classes(self.labels, log_p)
        top = log_p.topk(2, dim=2).values
        return len(log_p), log_p.shape[2], float((top[..., 0] - top[..., 1]).median())

    def ascend(self, radius: float, **changes: Any) -> Attack:
        settings = {
            "radius": radius,
            "norm": self.norm,
            "n_steps": self.n_steps,
            "n_restarts": self.n_restarts,
            "batch_size": self.batch_size,
            "rng": self.seed(),
        }
        method: Callable[..., Attack] = changes.pop("method", pgd)
        return method(self.model, self.clean, self.labels, **(settings | changes))

    def attack(
        self, radius: float, heat: float, targeted: bool, surrogate: LogProbabilities
    ) -> _Outcome:
        """All attacks of one radius."""
        common: dict[str, Any] = {
            "radius": radius,
            "norm": self.norm,
            "batch_size": self.batch_size,
        }
        found = {
            "noise": random_noise(self.model, self.clean, self.labels, rng=self.seed(), **common),
            "one step": fgsm(self.model, self.clean, self.labels, **common),
            "label": self.ascend(radius, objective="label"),
        }
        if targeted:
            found["margin and targets"] = self.ascend(radius, method=pgd_targeted)
        else:
            found["margin"] = self.ascend(radius)
        if heat != 1.0:
            found["tempered margin"] = self.ascend(radius, temperature=heat)
        for score in SCORES:
            found[f"two-stage on {_plain(score)}"] = self.ascend(
                radius, objective="two_stage", score=score, n_steps=2 * self.n_steps
            )
        source = pgd(surrogate, self.clean, self.labels, n_steps=10, rng=self.seed(), **common)
        found["transfer"] = transfer(
            source, self.model, self.clean, self.labels, batch_size=self.batch_size
        )
        return _Outcome(
            found,
            self.view(found["label"]),
            {score: self.view(found[f"two-stage on {_plain(score)}"]) for score in SCORES},
        )

    def view(self, attack: Attack) -> View:
        return view(self.model, attack.inputs, self.labels, self.batch_size)

    def shift(
        self, radius: float, shifted: Tensor | None, before: View
    ) -> tuple[ShiftDetection, ...]:
        """Shifted inputs under attacks that lower their uncertainty, each score by its own."""
        if shifted is None:
            return ()
        scores: dict[Score, Array] = {}
        for score in SCORES:
            attack = pgd(
                self.model,
                shifted,
                None,
                radius=radius,
                norm=self.norm,
                objective="low_entropy" if score == "total_entropy" else "low_mutual_information",
                n_steps=self.n_steps,
                n_restarts=self.n_restarts,
                batch_size=self.batch_size,
                rng=self.seed(),
            )
            scores[score] = view(self.model, attack.inputs, None, self.batch_size).scores[score]
        return _shift(before, scores)

    def checks(
        self,
        given: Tensor,
        before: View,
        sizes: list[float],
        outcomes: list[_Outcome],
        rows: list[AtRadius],
    ) -> list[Check]:
        """Doubts about all of the above."""
        white = [outcome.fooled(blind=False) for outcome in outcomes]
        shares = [
            float(flags[before.right].mean()) if before.right.any() else 1.0 for flags in white
        ]
        middle = int(np.argmin(np.abs(np.array(shares) - 0.5)))  # where most is to be seen
        found = _gradient_checks(outcomes[-1].attacks["one step"], before.right)
        found += self._steps(sizes[middle], outcomes[middle])
        found.append(_radius_check(sizes, white))
        last = outcomes[-1].attacks
        found += _white_box_checks(
            _flags(last["noise"].success),
            _flags(last["transfer"].success),
            white[-1],
            before.right,
            sizes[-1],
        )
        found.append(self._nothing(given, before))
        found.append(self._everything())
        worst = max((row.accuracy.high - row.accuracy.low) / 2 for row in rows)
        found.append(
            Check(
                "sample size",
                worst <= 0.1,
                worst,
                f"with {len(self.clean)} inputs a robust accuracy is known to +-{worst:.2f} only "
                "(limit 0.1): do not rank models by it",
            )
        )
        return found

    def _steps(self, radius: float, outcome: _Outcome) -> list[Check]:
        many = _flags(outcome.attacks["label"].success)
        few = _flags(self.ascend(radius, objective="label", n_steps=self.n_steps // 4).success)
        one = _flags(outcome.attacks["one step"].success)
        found = []
        for name, weaker, words in (
            ("steps", few, f"{self.n_steps // 4} steps"),
            ("one step", one, "one step"),
        ):
            loses, share = _loses(many, weaker)
            found.append(
                Check(
                    name,
                    not loses,
                    share,
                    f"at radius {radius:g} {words} fool {max(share, 0.0):.1%} more inputs than "
                    f"{self.n_steps}: the ascent is misled by its gradients or its step size",
                )
            )
        return found

    def _nothing(self, given: Tensor, before: View) -> Check:
        """Radius 0 changes no bit and no answer."""
        attack = self.ascend(0.0)
        same = attack.inputs.cpu().numpy().tobytes() == given.detach().cpu().numpy().tobytes()
        moved = float((_flags(attack.success) == before.right).mean())
        again = view(self.model, self.clean, self.labels, self.batch_size)
        drift = max(
            float(np.abs(again.scores[score] - before.scores[score]).max()) for score in SCORES
        )
        still = same and moved == 0.0 and drift == 0.0
        return Check(
            "radius 0",
            still,
            max(moved, drift),
            "the model answers differently when asked twice, or writes into its inputs: draw its "
            "random numbers before, or each step attacks another model",
        )

    def _everything(self) -> Check:
        """Without a bound next to nothing stays right."""
        dimension = self.clean[0].numel()
        radius = 1.0 if self.norm == "linf" else math.sqrt(dimension)
        left = 1.0 - float(_flags(self.ascend(radius).success).mean())
        return Check(
            "no bound",
            left <= 0.05,
            left,
            f"with the whole cube to choose from the attack still leaves {left:.1%} of the inputs "
            "right (limit 5%): it is broken, or the model hardly depends on its inputs",
        )


def _radius_check(sizes: list[float], white: list[Flags]) -> Check:
    worst, place, broken = 0.0, 0, False
    for i, (smaller, larger) in enumerate(pairwise(white)):
        loses, share = _loses(larger, smaller)
        if share > worst:
            worst, place = share, i
        broken |= loses
    return Check(
        "radius",
        not broken,
        worst,
        f"{worst:.1%} fewer inputs are fooled at a radius larger than {sizes[place]:g}: attacks "
        "with more room must not be weaker",
    )
