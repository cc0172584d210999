"""Sampled projections against dense projectors, and the printed product as negative control."""

from __future__ import annotations

import numpy as np
import pytest

from fragile_learning.regression import published, theory
from fragile_learning.regression.projections import simulate_projections
from fragile_learning.spectra import Spectrum
from fragile_learning.statistics import check_mean, z_bound

FALSE_ALARM = 1e-8
SPECTRUM = Spectrum([2.0, 1.0, 0.5, 0.25])
TARGET = np.array([1.0, -1.0, 2.0, 0.5])


def dense(spectrum, target, counts, rng):
    """Build each projector as a matrix, by the pseudo-inverse."""
    root = np.sqrt(spectrum.eigenvalues)
    weights, overlaps, signals = target, [], []
    for count in counts:
        rows = rng.standard_normal((count, root.size)) * root
        weights = np.linalg.pinv(rows) @ rows @ weights
        overlaps.append(target @ weights)
        signals.append(weights @ np.diag(spectrum.eigenvalues) @ weights)
    return overlaps, signals


def test_same_law_as_dense_projectors():
    rng = np.random.default_rng(1)
    drawn = simulate_projections(SPECTRUM, TARGET, [2, 3, 6], 4000, rng=2)
    plain = np.array([dense(SPECTRUM, TARGET, [2, 3, 6], rng) for _ in range(4000)])
    bound = z_bound(FALSE_ALARM, n_checks=6)
    for index, field in enumerate((drawn.overlap, drawn.signal)):
        for step in range(3):
            mine, other = field[:, step], plain[:, index, step]
            error = np.hypot(mine.std(ddof=1), other.std(ddof=1)) / np.sqrt(4000)
            assert abs(mine.mean() - other.mean()) <= bound * error
            assert bound * error < 0.2 * abs(other.mean())  # power: a fifth is seen
    # the last design has full rank: nothing changes
    assert np.array_equal(drawn.signal[:, 1], drawn.signal[:, 2])


def test_white_projections_keep_the_exact_share():
    size, counts = 40, [20, 10]
    target = np.ones(size) / np.sqrt(size)
    drawn = simulate_projections(Spectrum.isotropic(size), target, counts, 3000, rng=3)
    bound = z_bound(FALSE_ALARM, n_checks=4)
    for step, law in enumerate((0.5, 0.125)):
        for field in (drawn.overlap, drawn.signal):
            check = check_mean(field[:, step], law)
            assert abs(check.z) < bound
            assert bound * check.relative_error < 0.25


def test_the_printed_product_is_rejected():
    spectrum = Spectrum.isotropic(60, scale=2.0)
    target = np.ones(60)
    drawn = simulate_projections(spectrum, target, [20, 20], 2000, rng=4)
    right = float(theory.projection_second_moment(spectrum, [20, 20]) @ target**2)
    printed = float(published.projection_second_moment(spectrum, [20, 20]) @ target**2)
    bound = z_bound(FALSE_ALARM, n_checks=2)
    assert abs(check_mean(drawn.signal[:, 1], right).z) < bound  # exact: 2 d (T/d)^2
    assert abs(check_mean(drawn.signal[:, 1], printed).z) > bound


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1.0], TARGET, [2], 3), TypeError, "spectrum must be a Spectrum"),
        ((SPECTRUM, TARGET[:2], [2], 3), ValueError, "target must have length n_features = 4"),
        ((SPECTRUM, TARGET, [], 3), ValueError, "n_samples must hold at least 1"),
        ((SPECTRUM, TARGET, [0], 3), ValueError, "n_samples"),
        ((SPECTRUM, TARGET, [2], 0), ValueError, "n_replicates must be an integer >= 1"),
        ((SPECTRUM, TARGET * np.nan, [2], 3), ValueError, "target"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        simulate_projections(*arguments, rng=0)
