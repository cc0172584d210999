"""The mixtures of the room's experiments: builders, and named settings with golden values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import choice
from fragile_learning.spectra import Spectrum
from fragile_learning.strong_collapse import theory
from fragile_learning.strong_collapse.mixture import (
    FixedShift,
    Group,
    Mixture,
    MixtureRisk,
    RandomShift,
)
from fragile_learning.strong_collapse.simulation import simulate_general_excess_risk

__all__ = [
    "GOLDEN",
    "SETTINGS",
    "Problem",
    "power_law_mixture",
    "problem_of",
    "sampled_mixture",
    "setting",
    "white_mixture",
]

Array = NDArray[np.float64]


class Problem(NamedTuple):
    """Arguments of `theory.general_excess_risk`.

    Examples
    --------
    >>> risk = setting("G3").limit()
    >>> round(risk.collapse, 6), GOLDEN["G3"][2]
    (0.027838, 0.027838)
    """

    groups: tuple[Group, ...]
    target: Array
    covariance: Array
    ridge: float
    width: int | None

    def limit(self) -> MixtureRisk:
        """Predicted risk."""
        groups, target, covariance, ridge, width = self
        return theory.general_excess_risk(groups, target, covariance, ridge=ridge, width=width)

    def simulate(self, n_replicates: int, rng: np.random.Generator) -> MixtureRisk:
        """Draw risks."""
        groups, target, covariance, ridge, width = self
        return simulate_general_excess_risk(
            groups, target, covariance, n_replicates, ridge=ridge, width=width, rng=rng
        )

    def finite_size(self) -> float:
        """``1 / (n - D)``: the relative size of the first correction to the limit.

        Unequal weights leave ``n`` effective samples, ``(sum a)^2 / sum a^2``.
        """
        unit = tuple(_with(group, noise_std=1.0) for group in self.groups)
        counts = np.array([group.n_samples for group in self.groups], dtype=float)
        weights = np.array([group.weight for group in self.groups])
        effective = (counts @ weights) ** 2 / (counts @ weights**2)
        return float((1.0 + self._replace(groups=unit).limit().variance) / effective)


def _with(group: Group, **change: Any) -> Group:
    fields = ("n_samples", "covariance", "shift", "weight", "noise_std")
    return Group(**{name: getattr(group, name) for name in fields} | change)


def problem_of(mixture: Mixture) -> Problem:
    """Return a mixture as a problem of several groups.

    Examples
    --------
    >>> mixture = white_mixture(n_features=40, n_samples=400, n_synthetic=200)
    >>> problem = problem_of(mixture)
    >>> len(problem.groups), round(float(problem.limit().collapse), 4)
    (2, 0.2778)
    """
    values = mixture.spectrum.eigenvalues
    return Problem(mixture.groups, mixture.target, values, mixture.ridge, mixture.width)


def _harmonic(n: int, width: int | None, ridge: float, fraction: float) -> Mixture:
    """Eigenvalues 1/j, target and shift spread evenly, unit signal, shift size 0.4."""
    d = 240
    total = float(np.sum(1.0 / np.arange(1, d + 1)))
    synthetic = round(n * fraction)
    return Mixture(
        Spectrum.power_law(d, 1.0),
        np.full(d, total**-0.5),
        RandomShift(np.full(d, 0.4 / total)),
        n - synthetic,
        synthetic,
        ridge,
        0.3,
        0.6,
        width,
    )


def white_mixture(
    *,
    n_features: int,
    n_samples: int,
    n_synthetic: int,
    ridge: float = 0.0,
    noise_std: float = 0.5,
    shift_size: float = 1.0,
    width: int | None = None,
    synthetic_weight: float | None = None,
) -> Mixture:
    """White features, unit signal, a random shift of the given size ``c^2`` in all directions.

    Examples
    --------
    >>> mixture = white_mixture(n_features=100, n_samples=1000, n_synthetic=100)
    >>> mixture.synthetic_fraction, round(mixture.shift_size, 12)
    (0.1, 1.0)
    """
    return Mixture(
        Spectrum.isotropic(n_features),
        np.full(n_features, n_features**-0.5),
        RandomShift(np.full(n_features, shift_size / n_features)),
        n_samples - n_synthetic,
        n_synthetic,
        ridge,
        noise_std,
        noise_std,
        width,
        synthetic_weight,
    )


def _white(n: int, d: int, width: int | None, ridge: float, fraction: float) -> Problem:
    return problem_of(
        white_mixture(
            n_features=d, n_samples=n, n_synthetic=round(n * fraction), ridge=ridge, width=width
        )
    )


def _steep(n: int, width: int | None, ridge: float, fraction: float) -> Problem:
    mixture = power_law_mixture(n_features=200, n_samples=n, ridge=ridge, fraction=fraction)
    return problem_of(mixture)._replace(width=width)


def _reweighted() -> Problem:
    plain = problem_of(_harmonic(360, 190, 0.01, 0.25))
    real, synthetic = plain.groups
    return plain._replace(groups=(_with(real, weight=1.2), _with(synthetic, weight=0.4)))


def _shifted_inputs() -> Problem:
    plain = problem_of(_harmonic(360, 190, 0.01, 0.25))
    real, synthetic = plain.groups
    return plain._replace(groups=(real, _with(synthetic, covariance=plain.covariance[::-1])))


def _fixed_shift() -> Problem:
    plain = problem_of(_harmonic(360, 190, 0.01, 0.25))
    j = np.arange(1, 241)
    total = float(np.sum(1.0 / j))
    target = np.cos(j) / np.sqrt(total / 2)
    shift = FixedShift(0.8 * np.cos(1.3 * j) * np.sqrt(0.8 / total) + 0.3 * target)
    real, synthetic = plain.groups
    return plain._replace(groups=(real, _with(synthetic, shift=shift)), target=target)


SETTINGS: Mapping[str, Callable[[], Problem]] = {
    "G1": lambda: problem_of(_harmonic(360, None, 0.01, 0.25)),
    "G2": lambda: problem_of(_harmonic(150, None, 0.0, 0.2)),
    "G3": lambda: problem_of(_harmonic(360, 190, 0.01, 0.25)),
    "G4": lambda: problem_of(_harmonic(150, 100, 0.0, 0.6)),
    "G5": lambda: problem_of(_harmonic(150, 220, 0.0, 0.6)),
    "G6": lambda: problem_of(_harmonic(150, 150, 0.001, 1.0)),
    "G7": _reweighted,
    "G8": _shifted_inputs,
    "G9": _fixed_shift,
    "G10": lambda: problem_of(_harmonic(1000, None, 0.0, 0.001)),
    "white, n > d": lambda: _white(400, 200, None, 0.1, 0.3),
    "white, n > d, no ridge": lambda: _white(400, 200, None, 0.0, 0.3),
    "white, n < d": lambda: _white(150, 300, None, 0.1, 0.3),
    "white, n < d, no ridge": lambda: _white(150, 300, None, 0.0, 0.3),
    "steep, n > d": lambda: _steep(400, None, 0.001, 0.5),
    "steep, n < d, no ridge": lambda: _steep(120, None, 0.0, 0.5),
    "steep, n < m": lambda: _steep(120, 180, 0.001, 0.5),
    "white, m < n": lambda: _white(250, 300, 150, 0.0, 0.12),
    "white, m just below n": lambda: _white(250, 300, 230, 0.0, 0.12),
    "white, m just above n": lambda: _white(250, 300, 280, 0.0, 0.12),
}
"""The mixtures on which simulation and limit are compared."""

# Bias, variance, collapse, total of the settings G1 to G10: computed from the formulas by two
# programs that share no code with this package, printed to 1e-6.
GOLDEN: Mapping[str, tuple[float, float, float, float]] = {
    "G1": (0.137357, 0.027980, 0.029613, 0.194950),
    "G2": (0.143785, 0.286565, 0.141062, 0.571412),
    "G3": (0.242301, 0.025362, 0.027838, 0.295501),
    "G4": (0.763056, 0.504000, 0.372627, 1.639682),
    "G5": (0.451897, 1.041489, 0.564421, 2.057807),
    "G6": (0.412725, 0.478381, 0.378635, 1.269742),
    "G7": (0.247605, 0.018194, 0.006962, 0.272760),
    "G8": (0.270139, 0.023196, 0.011589, 0.304925),
    "G9": (0.241532, 0.025362, 0.023751, 0.281561),
    "G10": (0.0, 0.028506, 0.000127, 0.028633),
}


def setting(name: str) -> Problem:
    """Return one of the named settings.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> setting("G3").width
    190
    """
    return SETTINGS[choice("name", name, tuple(SETTINGS))]()


def power_law_mixture(*, n_features: int, n_samples: int, ridge: float, fraction: float) -> Mixture:
    """Eigenvalues j^-1.5, target and shift of unit size with coefficients j^-0.5, noise 0.3.

    Examples
    --------
    >>> mixture = power_law_mixture(n_features=50, n_samples=200, ridge=0.01, fraction=0.25)
    >>> mixture.n_synthetic, round(mixture.shift_size, 12)
    (50, 1.0)
    """
    j = np.arange(1.0, n_features + 1.0)
    square = j**-0.5 / np.sum(j**-2.0)
    synthetic = round(n_samples * fraction)
    return Mixture(
        Spectrum.power_law(n_features, 1.5),
        np.sqrt(square),
        RandomShift(square),
        n_samples - synthetic,
        synthetic,
        ridge,
        0.3,
        0.3,
    )


def sampled_mixture(
    *, policy: str, n_features: int, n_samples: int, synthetic_fraction: float
) -> Mixture:
    """Mixture of the experiment ``sample-sweep``.

    ``"least squares"``: white features, noise 1, no ridge; ``"ridge 1/n"``: a power law.

    Examples
    --------
    >>> mixture = sampled_mixture(
    ...     policy="ridge 1/n", n_features=50, n_samples=200, synthetic_fraction=0.1
    ... )
    >>> mixture.ridge, mixture.n_synthetic
    (0.005, 20)
    """
    choice("policy", policy, ("least squares", "ridge 1/n"))
    if policy == "ridge 1/n":
        return power_law_mixture(
            n_features=n_features,
            n_samples=n_samples,
            ridge=1.0 / n_samples,
            fraction=synthetic_fraction,
        )
    return white_mixture(
        n_features=n_features,
        n_samples=n_samples,
        n_synthetic=round(n_samples * synthetic_fraction),
        noise_std=1.0,
    )
