"""Entropies at their edges; scores against closed forms, enumeration and scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate

torch = pytest.importorskip("torch")

from fragile_learning.bayes.uncertainty import (  # noqa: E402
    auroc,
    calibration,
    expected_entropy,
    mutual_information,
    selective_accuracy_area,
    selective_accuracy_percentiles,
    selective_loss_area,
    total_entropy,
)

ALL = (total_entropy, expected_entropy, mutual_information)


def entropies(probabilities, dtype=torch.float64):
    logs = torch.tensor(probabilities, dtype=dtype).log()[:, None]
    return [float(function(logs)) for function in ALL]


def test_given_numbers():
    assert entropies([[0.9, 0.1], [0.1, 0.9]]) == pytest.approx(
        [0.693147, 0.325083, 0.368064], abs=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 3, 10])
def test_edges_are_exact(dtype, n):
    assert entropies([[1.0, 0.0, 0.0]] * n, dtype) == [0.0, 0.0, 0.0]
    total, expected, information = entropies([[0.25] * 4] * n, dtype)
    assert total == pytest.approx(math.log(4), rel=1e-6)
    assert expected == pytest.approx(math.log(4), rel=1e-6)
    assert information == 0.0
    assert entropies([[0.7, 0.2, 0.1]] * n, dtype)[2] == 0.0


def test_certain_members_that_disagree():
    identity = torch.eye(4, dtype=torch.float64).tolist()
    assert entropies(identity) == pytest.approx([math.log(4), 0.0, math.log(4)], abs=1e-15)
    # no more than the number of members allows
    assert entropies(identity[:2]) == pytest.approx([math.log(2), 0.0, math.log(2)], abs=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_logits(dtype):
    logits = torch.tensor([[[1e4, 0.0, -1e4]], [[0.0, 1e4, -1e4]]], dtype=dtype).requires_grad_()
    logs = logits.log_softmax(-1)
    values = [function(logs) for function in ALL]
    assert [float(v.detach()) for v in values] == pytest.approx(
        [math.log(2), 0.0, math.log(2)], rel=1e-6
    )
    sum(v.sum() for v in values).backward()
    assert bool(logits.grad.isfinite().all())
    same = torch.tensor([[[1e4, 0.0, -1e4]]] * 3, dtype=dtype).log_softmax(-1)
    assert [float(function(same)) for function in ALL] == [0.0, 0.0, 0.0]


def random_logs(scale=2.0):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn((6, 50, 5), generator=generator, dtype=torch.float64)
    return (scale * logits).log_softmax(-1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_the_parts_add_up_and_stay_in_their_bounds(scale):
    logs = random_logs(scale)
    total, expected, information = (function(logs) for function in ALL)
    torch.testing.assert_close(total, expected + information, rtol=0, atol=1e-14)
    assert float(information.min()) >= 0
    assert float(information.max()) <= math.log(5)
    torch.testing.assert_close(expected, torch.special.entr(logs.exp()).sum(-1).mean(0))
    torch.testing.assert_close(total, torch.special.entr(logs.exp().mean(0)).sum(-1))


@pytest.mark.parametrize("scale", [1e-4, 1e-3, 1e-1])
def test_information_survives_single_precision_where_samples_nearly_agree(scale):
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn((8, 500, 10), generator=generator, dtype=torch.float64)
    logits = torch.randn((500, 10), generator=generator, dtype=torch.float64) + scale * noise
    probabilities = logits.softmax(-1)
    expected = (probabilities * (probabilities / probabilities.mean(0)).log()).sum(-1).mean(0)
    found = mutual_information(logits.float().log_softmax(-1))
    assert found.dtype == torch.float32
    assert float(found.min()) > 0
    torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0)


def test_entropies_are_differentiable():
    logits = torch.randn((3, 2, 4), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for function in ALL:
        assert torch.autograd.gradcheck(
            lambda z, f=function: f(z.log_softmax(-1)), logits.requires_grad_()
        )


def test_what_is_no_logarithm_of_probabilities_is_refused():
    logs = random_logs()
    for wrong in (logs.exp(), logs + 1.0, logs * math.nan):
        for function in ALL:
            with pytest.raises(ValueError, match="log_probabilities must be logarithms"):
                function(wrong)
    with pytest.raises(ValueError, match=r"shape \(n_samples, n, n_classes\)"):
        total_entropy(logs[0])


# --- scores -------------------------------------------------------------------------------------


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    for decimals in (8, 1, 0):  # from no ties to many
        clean, bad = rng.random(80).round(decimals), (rng.random(50) + 0.3).round(decimals)
        labels = np.repeat([0, 1], [80, 50])
        expected = metrics.roc_auc_score(labels, np.concatenate([clean, bad]))
        assert auroc(clean, bad) == pytest.approx(expected, abs=1e-12)
    assert auroc([1.0] * 3, [1.0] * 4) == 0.5
    assert auroc([0.0, 1.0], [2.0]) == 1.0
    assert auroc([2.0], [0.0, 1.0]) == 0.0


def test_the_selective_area_is_the_mean_over_orders_of_ties():
    scores = np.array([0.2, 0.1, 0.2, 0.3, 0.2, 0.1])
    correct = np.array([1, 0, 0, 1, 1, 1])
    areas = []
    for order in itertools.permutations(range(6)):
        if np.all(np.diff(scores[list(order)]) >= 0):
            areas.append((np.cumsum(correct[list(order)]) / np.arange(1, 7)).mean())
    assert len(areas) == 12
    assert selective_accuracy_area(scores, correct) == pytest.approx(np.mean(areas), abs=1e-14)
    assert selective_accuracy_area(scores, correct > 0) == pytest.approx(np.mean(areas), abs=1e-14)


def test_the_selective_area_of_rankings():
    n, r = 4000, 0.5
    right = np.arange(n) < r * n
    found = [selective_accuracy_area(u, right) for u in (np.arange(n), -np.arange(n), np.zeros(n))]
    log = math.log(2)
    assert found == pytest.approx([(1 + log) / 2, r - r * log, r], abs=5e-4)


def test_the_selective_loss_is_the_mean_over_orders_of_ties():
    scores = np.array([0.2, 0.1, 0.2, 0.3, 0.2, 0.1])
    logs = -np.random.default_rng(1).exponential(size=6)
    areas = []
    for order in itertools.permutations(range(6)):
        if np.all(np.diff(scores[list(order)]) >= 0):
            areas.append((np.cumsum(-logs[list(order)]) / np.arange(1, 7)).mean())
    assert len(areas) == 12
    assert selective_loss_area(scores, logs) == pytest.approx(np.mean(areas), abs=1e-14)
    # a log-probability of -1 is an error, one of 0 none
    right = np.random.default_rng(2).random(50) < 0.7
    ranks = np.random.default_rng(3).random(50).round(1)
    both = selective_accuracy_area(ranks, right) + selective_loss_area(ranks, right - 1.0)
    assert both == pytest.approx(1.0, abs=1e-12)


TOY = np.arange(0.1, 0.85, 0.1), np.array([1, 1, 1, 0, 1, 0, 1, 0])


def areas_by_percentiles(scores, correct):
    """The definition, one threshold at a time."""
    percent = [0.1, *range(1, 101)]
    accuracy = [correct[scores <= np.percentile(scores, t) + 1e-12].mean() for t in percent]
    return integrate.trapezoid(accuracy, percent)


def test_the_selective_area_by_percentiles():
    assert selective_accuracy_percentiles(*TOY) == pytest.approx(84.4958, abs=5e-5)
    assert selective_accuracy_percentiles(TOY[0], np.ones(8)) == pytest.approx(99.9, abs=1e-12)
    assert selective_accuracy_percentiles(TOY[0], np.zeros(8)) == 0.0
    rng = np.random.default_rng(4)
    for n, decimals in ((1, 8), (7, 8), (30, 1), (101, 8), (500, 2), (500, 8)):
        scores, correct = rng.random(n).round(decimals), rng.random(n) < 0.6
        found = selective_accuracy_percentiles(scores, correct)
        assert found == pytest.approx(areas_by_percentiles(scores, correct), abs=1e-9)
        shuffled = rng.permutation(n)
        assert found == selective_accuracy_percentiles(scores[shuffled], correct[shuffled])


def test_both_selective_areas_agree_for_many_inputs():
    rng = np.random.default_rng(5)
    scores = rng.random(20_000)
    correct = rng.random(20_000) > scores
    area = selective_accuracy_area(scores, correct)
    assert selective_accuracy_percentiles(scores, correct) / 99.9 == pytest.approx(area, abs=2e-3)


def test_wrong_selective_arguments_are_refused():
    for function in (selective_accuracy_area, selective_accuracy_percentiles):
        with pytest.raises(ValueError, match="uncertainty must have at least one entry"):
            function([], [])
        with pytest.raises(ValueError, match=r"correct must have the shape \(2,\)"):
            function([0.1, 0.2], [1])
        with pytest.raises(ValueError, match="uncertainty must be finite"):
            function([0.1, np.nan], [1, 0])
    with pytest.raises(ValueError, match="log_probabilities must be finite and <= 0"):
        selective_loss_area([0.1], [0.1])
    with pytest.raises(ValueError, match=r"log_probabilities must have the shape \(2,\)"):
        selective_loss_area([0.1, 0.2], [-0.1])
    with pytest.raises(ValueError, match="uncertainty must have at least one entry"):
        selective_loss_area([], [])


def test_calibration():
    rng = np.random.default_rng(1)
    sure = rng.random(200_000)
    good = calibration(sure, rng.random(sure.size) < sure)
    assert good.error < 0.01
    assert good.counts.sum() == sure.size
    np.testing.assert_allclose(good.confidence, (np.arange(15) + 0.5) / 15, atol=2e-3)
    over = calibration(sure, rng.random(sure.size) < sure**2)
    assert over.error == pytest.approx(1 / 2 - 1 / 3, abs=0.005)
    edges = calibration([0.0, 0.5, 1.0], [0, 0, 1], n_bins=2)
    assert edges.counts.tolist() == [2, 1]
    assert edges.error == pytest.approx(0.5 / 3)
    assert edges.accuracy.tolist() == [0.0, 1.0]


def test_wrong_scores_are_refused():
    with pytest.raises(ValueError, match="clean and bad must have at least one score"):
        auroc([], [1.0])
    with pytest.raises(ValueError, match="bad must be finite"):
        auroc([1.0], [math.nan])
    with pytest.raises(ValueError, match=r"correct must have the shape \(2,\)"):
        selective_accuracy_area([0.1, 0.2], [1])
    with pytest.raises(ValueError, match="correct must hold True and False"):
        selective_accuracy_area([0.1, 0.2], [1, 2])
    with pytest.raises(ValueError, match="uncertainty must have at least one entry"):
        selective_accuracy_area([], [])
    with pytest.raises(ValueError, match="confidence must be finite and >= 0 and <= 1"):
        calibration([1.2], [1])
    with pytest.raises(ValueError, match="confidence must have at least one entry"):
        calibration([], [])
    with pytest.raises(ValueError, match="n_bins"):
        calibration([0.5], [1], n_bins=0)
