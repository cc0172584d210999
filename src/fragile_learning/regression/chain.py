"""The setting: a chain of regressions in which each model labels the data of the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import real_array, real_number, whole_number
from fragile_learning.spectra import Spectrum

__all__ = ["Chain", "RiskParts", "Stage"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stage:
    """One fit of the chain.

    Parameters
    ----------
    n_samples : int
        Rows ``T`` >= 1 of the design of this stage.
    ridge : float
        Penalty >= 0, in units of the eigenvalues. It multiplies ``n_samples``: the fit minimises
        ``||y - X w||^2 / n_samples + ridge ||w||^2``. Zero means least squares, of minimum norm
        when ``n_samples < n_features``.
    noise_std : float
        Standard deviation >= 0 of the noise on the labels of this stage, in label units.

    Raises
    ------
    TypeError, ValueError
        If a field has the wrong type or is out of range.

    Examples
    --------
    >>> Stage(600, noise_std=0.2)
    Stage(n_samples=600, ridge=0.0, noise_std=0.2)
    """

    n_samples: int
    ridge: float = 0.0
    noise_std: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_samples", whole_number("n_samples", self.n_samples))
        object.__setattr__(self, "ridge", real_number("ridge", self.ridge, minimum=0.0))
        object.__setattr__(self, "noise_std", real_number("noise_std", self.noise_std, minimum=0.0))


@dataclass(frozen=True, eq=False)
class Chain:
    """A teacher, generators that label each other's data, and a student that learns last.

    Stage ``m`` draws its own Gaussian design with the given covariance, receives labels from the
    model of stage ``m - 1`` (the teacher ``w_0`` for the first stage) plus noise, and fits.

    Parameters
    ----------
    spectrum : Spectrum
        Eigenvalues of the feature covariance, shared by all stages and by the test distribution.
    target : array_like, shape (n_features,)
        Coordinates of the teacher ``w_0`` in the eigenbasis of the covariance.
    stages : sequence of Stage
        Generators first, the student last; at least the student.
    shared_design : bool
        Whether all generators reuse one design (the student always has its own). They must then
        agree in ``n_samples``.

    Raises
    ------
    TypeError, ValueError
        If a field has the wrong type, the target the wrong length, there is no stage, or
        generators with a shared design differ in ``n_samples``.

    Examples
    --------
    >>> chain = Chain(Spectrum.isotropic(4), [1, 0, 0, 0], [Stage(9, noise_std=0.1), Stage(20)])
    >>> chain.n_generations, chain.student
    (1, Stage(n_samples=20, ridge=0.0, noise_std=0.0))
    """

    spectrum: Spectrum
    target: Array
    stages: tuple[Stage, ...]
    shared_design: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.spectrum, Spectrum):
            raise TypeError(f"spectrum must be a Spectrum, got {type(self.spectrum).__name__}")
        target = real_array("target", self.target, ndim=1)
        if target.size != self.spectrum.n_features:
            raise ValueError(
                f"target must have length n_features = {self.spectrum.n_features}, "
                f"got {target.size}"
            )
        target.setflags(write=False)
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "stages", _stages(self.stages))
        if not isinstance(self.shared_design, bool | np.bool_):
            raise TypeError(f"shared_design must be True or False, got {self.shared_design!r}")
        object.__setattr__(self, "shared_design", bool(self.shared_design))
        sizes = {stage.n_samples for stage in self.generators}
        if self.shared_design and len(sizes) > 1:
            raise ValueError(
                "generators with shared_design=True must have one n_samples, "
                f"got n_samples = {sorted(sizes)}"
            )

    @classmethod
    def repeated(
        cls,
        spectrum: Spectrum,
        target: Any,
        n_generations: int,
        generator: Stage,
        student: Stage,
        *,
        shared_design: bool = False,
    ) -> Chain:
        """Chain of ``n_generations`` >= 0 equal generators and a student."""
        count = whole_number("n_generations", n_generations, minimum=0)
        stages = [generator] * count + [student]
        return cls(spectrum, target, tuple(stages), shared_design=shared_design)

    @property
    def generators(self) -> tuple[Stage, ...]:
        """All stages but the last."""
        return self.stages[:-1]

    @property
    def student(self) -> Stage:
        """The last stage, whose excess risk is measured."""
        return self.stages[-1]

    @property
    def n_generations(self) -> int:
        """Number of generators; 0 is training on clean data."""
        return len(self.stages) - 1

    @property
    def signal(self) -> float:
        """Squared Mahalanobis norm of the target: the excess risk of predicting zero."""
        return float(self.spectrum.eigenvalues @ self.target**2)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chain):
            return NotImplemented
        return (
            self.spectrum == other.spectrum
            and np.array_equal(self.target, other.target)
            and self.stages == other.stages
            and self.shared_design == other.shared_design
        )

    def __hash__(self) -> int:
        return hash((self.spectrum, self.target.tobytes(), self.stages, self.shared_design))


class RiskParts(NamedTuple):
    """Excess risk and the three terms that it is the sum of; floats or arrays of one shape.

    Attributes
    ----------
    bias
        Risk that remains without any label noise.
    variance
        Contribution of the student's own label noise.
    generator_noise
        Contribution of the label noise of all generators.
    total
        Sum of the three: the excess risk ``E ||w - w_0||_Sigma^2``, no noise floor included.

    Examples
    --------
    >>> parts = RiskParts(bias=0.0, variance=0.01, generator_noise=0.25, total=0.26)
    >>> parts.generator_noise / parts.total > 0.9
    True
    """

    bias: Any
    variance: Any
    generator_noise: Any
    total: Any


def _stages(value: Iterable[Stage] | Sequence[Stage]) -> tuple[Stage, ...]:
    if isinstance(value, Stage) or not isinstance(value, Iterable):
        raise TypeError(f"stages must be a sequence of Stage, got {type(value).__name__}")
    stages = tuple(value)
    if not stages:
        raise ValueError("stages must hold at least 1 Stage (the student), got none")
    for index, stage in enumerate(stages):
        if not isinstance(stage, Stage):
            raise TypeError(f"stages[{index}] must be a Stage, got {stage!r}")
    return stages
