"""The unrolled runs: worked numbers, differences, and draws against counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import chi2

from fragile_learning.distillation import simulation

WIDTHS = (3, 4, 2)
PARAMETERS = 0.6 * np.sin(1.3 * np.arange(1, 27))
IMAGES = np.sin(0.7 * np.arange(1, 13)).reshape(4, 3)
REAL = np.sin(0.53 * np.arange(1, 31)).reshape(10, 3)
EXAMPLES = (IMAGES, np.arange(4) % 2, REAL, np.arange(10) % 2)

# optimiser, rate, window: outer loss, norm, two entries of the gradient after 6 steps
WORKED = [
    ("sgd", 0.2, 6, 0.7331446520, 0.0377184818, -0.0145966536, 0.0188023257),
    ("sgd", 0.2, 2, 0.7331446520, 0.0151333745, -0.0064132463, 0.0077012594),
    ("momentum", 0.1, 6, 0.7439486652, 0.0792230186, -0.0367385614, 0.0276833009),
    ("momentum", 0.1, 2, 0.7439486652, 0.0153178006, -0.0080810381, 0.0058748576),
    ("adam", 0.05, 6, 0.7673472339, 0.3825553805, 0.0712753514, 0.2164310510),
    ("adam", 0.05, 2, 0.7673472339, 0.1329841520, -0.0562172780, 0.0786351614),
]


@pytest.mark.parametrize(("optimizer", "rate", "window", "loss", "norm", "first", "last"), WORKED)
def test_worked_network(optimizer, rate, window, loss, norm, first, last):
    sizes = {"optimizer": optimizer, "learning_rate": rate, "n_steps": 6, "window": window}
    found = simulation.mlp_run(PARAMETERS, WIDTHS, *EXAMPLES, **sizes)
    numbers = (
        found.outer_loss,
        np.linalg.norm(found.gradient),
        found.gradient[0, 0],
        found.gradient[3, 2],
    )
    assert numbers == pytest.approx((loss, norm, first, last), abs=6e-11)
    differenced = simulation.central_difference(
        lambda u: simulation.mlp_outer_loss(
            PARAMETERS, WIDTHS, u, *EXAMPLES[1:], **sizes, frozen=IMAGES
        ),
        IMAGES,
    )
    assert np.abs(found.gradient - differenced).max() < 1e-6 * np.abs(differenced).max()


def test_worked_losses_at_the_start():
    sizes = {"optimizer": "adam", "learning_rate": 0.05, "n_steps": 0, "window": 0}
    outer = simulation.mlp_run(PARAMETERS, WIDTHS, *EXAMPLES, **sizes)
    assert outer.outer_loss == pytest.approx(0.7193009923266047, abs=1e-14)
    assert not outer.gradient.any()
    np.testing.assert_array_equal(outer.end, PARAMETERS)
    swapped = simulation.mlp_run(PARAMETERS, WIDTHS, *EXAMPLES[2:], *EXAMPLES[:2], **sizes)
    assert swapped.outer_loss == pytest.approx(0.6913158088683253, abs=1e-14)


@pytest.mark.parametrize("optimizer", simulation.OPTIMIZERS)
@pytest.mark.parametrize("window", [0, 1, 3, 5])
def test_gradient_of_a_deeper_network(optimizer, window):
    widths, rng = (4, 6, 5, 3), np.random.default_rng(3)
    parameters = rng.standard_normal(sum((a + 1) * b for a, b in itertools.pairwise(widths))) / 2
    examples = (
        rng.standard_normal((3, 4)),
        [0, 1, 2],
        rng.standard_normal((8, 4)),
        rng.integers(3, size=8),
    )
    sizes = {"optimizer": optimizer, "learning_rate": 0.03, "n_steps": 5, "window": window}
    found = simulation.mlp_run(parameters, widths, *examples, **sizes)
    differenced = simulation.central_difference(
        lambda u: simulation.mlp_outer_loss(
            parameters, widths, u, *examples[1:], **sizes, frozen=examples[0]
        ),
        examples[0],
    )
    size = max(np.abs(differenced).max(), 1e-3)
    assert np.abs(found.gradient - differenced).max() < 1e-6 * size


def test_a_window_over_the_run_is_the_full_gradient():
    sizes = {"optimizer": "adam", "learning_rate": 0.05, "n_steps": 6}
    full = simulation.mlp_run(PARAMETERS, WIDTHS, *EXAMPLES, **sizes, window=6)
    less = simulation.mlp_run(PARAMETERS, WIDTHS, *EXAMPLES, **sizes, window=5)
    assert full.outer_loss == less.outer_loss
    assert np.abs(full.gradient - less.gradient).max() > 1e-3
    differenced = simulation.central_difference(
        lambda u: (
            simulation.mlp_run(PARAMETERS, WIDTHS, u, *EXAMPLES[1:], **sizes, window=0).outer_loss
        ),
        IMAGES,
    )
    assert np.abs(full.gradient - differenced).max() < 1e-6 * np.abs(differenced).max()


def test_many_starts_at_once():
    rng = np.random.default_rng(1)
    H, Q = np.diag([1.0, 0.3]), np.array([[2.0, 0.5], [0.5, 1.0]])
    starts = rng.standard_normal((2, 3, 2))
    place = {"target": [1.0, 2.0], "data": [0.1, 0.2], "learning_rate": 0.4}
    place |= {"n_steps": 5, "window": 3}
    together = simulation.unrolled_meta_gradient(H, Q, start=starts, **place)
    for index in itertools.product(range(2), range(3)):
        one = simulation.unrolled_meta_gradient(H, Q, start=starts[index], **place)
        np.testing.assert_allclose(together[index], one, rtol=1e-13)


def test_central_differences_of_a_cubic():
    """Error step^2 of the third derivative over 6, exactly."""
    found = simulation.central_difference(lambda x: float(np.sum(x**3)), [1.0, -2.0], step=0.1)
    np.testing.assert_allclose(found, [3.01, 12.01], rtol=1e-12)


def test_the_search_says_when_it_fails():
    place = {"target": [1.0], "start": [0.0], "learning_rate": 0.5, "windows": [(1, 0)]}
    # without a window there is no gradient: every place is a root, and the first is taken
    found = simulation.search_solution(np.eye(1), np.eye(1), basis=[[1.0]], **place)
    assert found == pytest.approx([0.0])
    # a saddle that is flat along the basis, and tilted
    place |= {"target": [1.0, 0.0], "start": [0.0, 0.0], "windows": [(1, 1)]}
    with pytest.raises(ValueError, match="the search for a root did not end"):
        simulation.search_solution(np.eye(2), np.diag([1.0, -1.0]), basis=[[1.0], [1.0]], **place)


@pytest.mark.parametrize("rule", ["random", "random-truncated"])
def test_drawn_lengths_are_uniform(rule):
    """False alarm 1e-6, from the chi-squared law with 6 degrees of freedom."""
    n_draws = 70_000
    found = simulation.draw_windows(rule, 10, 4, n_draws=n_draws, rng=8)
    ends = -np.diff(np.append(found, 0.0))[3:]  # of the last four steps on: runs that end there
    if rule == "random":
        counts = ends * n_draws
        assert len(counts) == 7
        statistic = np.sum((counts - n_draws / 7) ** 2) / (n_draws / 7)
        assert statistic < chi2.isf(1e-6, 6)
    else:
        assert found[3] == pytest.approx(4 / 7, abs=0.01)
    assert found.sum() * n_draws == pytest.approx(
        n_draws * 4 if rule != "random" else 490_000, rel=0.01
    )


def test_rules_without_chance():
    full = simulation.draw_windows("full", 5, 2, n_draws=3, rng=1)
    np.testing.assert_array_equal(full, np.ones(5))
    last = simulation.draw_windows("truncated", 5, 2, n_draws=3, rng=1)
    np.testing.assert_array_equal(last, [0, 0, 0, 1, 1])


def test_one_is_left_of_a_contraction():
    """The Jacobians to data and start add up to 1 in every run: the sum of all weights."""
    places = {"law": "uniform", "rng": 3}
    data = simulation.simulate_contractions(0.6, 1.0, [1, 3, 7], 50, **places)
    start = simulation.simulate_contractions(0.6, 1.0, [1, 3, 7], 50, of="start", **places)
    np.testing.assert_allclose(data + start, 1.0, atol=1e-12)
    assert start[:, 0].std(ddof=1) == pytest.approx(1.0, abs=0.3)
    assert np.abs(start[:, 0] - 0.6).max() <= np.sqrt(3.0)


def test_adam_by_differences():
    rng = np.random.default_rng(2)
    g = rng.standard_normal((6, 4))

    def update(last, row):
        m = v = 0.0
        for now in (*row[:-1], last):
            m, v = 0.9 * m + 0.1 * now, 0.999 * v + 0.001 * now**2
        return -0.3 * (m / (1 - 0.9**4)) / (np.sqrt(v / (1 - 0.999**4)) + 1e-3)

    found = simulation.adam_derivative(g, learning_rate=0.3, eps=1e-3)
    for row, slope in zip(g, found, strict=True):
        step = (update(row[-1] + 1e-6, row) - update(row[-1] - 1e-6, row)) / 2e-6
        assert slope == pytest.approx(step, rel=1e-7, abs=1e-9)


def test_first_steps_by_drawing():
    """The quadrature and the integral over lengths against 400,000 gradients."""
    g = np.random.default_rng(4).standard_normal((400_000, 2))
    for step, rtol in ((1, 0.05), (2, 0.1)):
        slopes = simulation.adam_derivative(g[:, :step], learning_rate=0.02, eps=0.01)
        found, error = simulation.adam_independent(
            learning_rate=0.02, eps=0.01, step=step, n_directions=4000, rng=1
        )
        assert found == pytest.approx(np.mean(slopes**2), rel=rtol, abs=5 * error)
    first, second = simulation.adam_quadrature(learning_rate=0.02, eps=0.01)
    slopes = simulation.adam_derivative(g[:, :1], learning_rate=0.02, eps=0.01)
    assert first == pytest.approx(np.mean(np.abs(slopes)), rel=0.03)
    assert second == pytest.approx(np.mean(slopes**2), rel=0.05)
    one, _ = simulation.adam_independent(
        learning_rate=0.02, eps=0.01, step=1, n_directions=2, rng=1
    )
    assert one == pytest.approx(second, rel=1e-6)


def test_independent_gradients_have_no_power_of_epsilon():
    found = [
        simulation.adam_independent(learning_rate=1.0, eps=eps, step=3, n_directions=300, rng=1)[0]
        for eps in (1e-3, 1e-5)
    ]
    assert found[1] / found[0] < 1.1
    alone = [simulation.adam_quadrature(learning_rate=1.0, eps=e, step=3)[1] for e in (1e-3, 1e-5)]
    assert alone[1] / alone[0] == pytest.approx(100.0, rel=1e-3)
