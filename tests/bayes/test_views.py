"""What a pipeline says of inputs: by hand, and in batches."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fragile_learning.bayes import views  # noqa: E402
from fragile_learning.bayes.models import MLP  # noqa: E402
from fragile_learning.bayes.predict import Posterior  # noqa: E402


def view(right, scores):
    return views.View(
        np.array(right), np.zeros(len(right)), {"total_entropy": np.array(scores, float)}
    )


def test_caught_counts_what_was_right_and_is_wrong():
    """By hand: the third image was wrong before, the fourth withstands."""
    clean = view([True, True, False, True], [0.1, 0.3, 0.9, 0.2])
    attacked = view([False, False, False, True], [0.25, 0.5, 0.0, 0.0])
    found = views.successful("total_entropy", clean, attacked)
    # successful 0.25, 0.5 against right 0.1, 0.2, 0.3: 5 of 6 pairs; the threshold is 0.29
    assert found.auroc == pytest.approx(5 / 6)
    assert found[1:] == (1, 2)
    assert views.successful("total_entropy", clean, clean) == (None, 0, 0)


def test_mixed_area_keeps_the_surest_first():
    """Kept in order: right, wrong, right, wrong; mean of 1, 1/2, 2/3, 1/2."""
    area = views.mixed_area(
        "total_entropy", view([True, False], [0.1, 0.2]), view([True, False], [0.3, 0.4])
    )
    assert area == pytest.approx((1 + 1 / 2 + 2 / 3 + 1 / 2) / 4)


def test_views_are_those_of_numpy_in_any_batches():
    generator = torch.Generator().manual_seed(4)
    network = MLP(input_shape=(6,), widths=(5,), n_outputs=3)
    model = Posterior(network, torch.randn(7, network.n_parameters, generator=generator).double())
    inputs = torch.rand(23, 6, generator=generator).double()
    labels = torch.randint(3, (23,), generator=generator)
    p = model(inputs).exp().numpy()
    mean = p.mean(axis=0)
    total = -(mean * np.log(mean)).sum(axis=1)
    expected = -(p * np.log(p)).sum(axis=2).mean(axis=0)
    for batch_size in (None, 7):
        found = views.view(model, inputs, labels, batch_size)
        np.testing.assert_array_equal(found.right, mean.argmax(axis=1) == labels.numpy())
        np.testing.assert_allclose(found.log_labels, np.log(mean[np.arange(23), labels]))
        np.testing.assert_allclose(found.scores["total_entropy"], total, atol=1e-12)
        np.testing.assert_allclose(found.scores["mutual_information"], total - expected, atol=1e-12)
    nobody = views.view(model, inputs)
    assert not nobody.right.any()
    assert np.isneginf(nobody.log_labels).all()
    with pytest.raises(ValueError, match="log_probabilities must return logarithms"):
        views.view(model.logits, inputs)
