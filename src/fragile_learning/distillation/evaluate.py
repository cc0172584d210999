"""What fresh networks learn from a small set, and from parts of it; all networks at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from fragile_learning._validation import as_generator, real_number, whole_number
from fragile_learning.distillation.augment import apply_change, draw_change
from fragile_learning.distillation.distilled import DistilledSet, LabelledImages, labelled
from fragile_learning.distillation.meta_gradient import (
    MetaGradients,
    StepView,
    networks_of,
    train,
)
from fragile_learning.distillation.models import draw_parameters
from fragile_learning.distillation.products import DenseNetworks, Networks
from fragile_learning.distillation.settings import InnerOptimizer, Unroll
from fragile_learning.statistics import Interval

__all__ = ["Evaluation", "block_cosines", "evaluate", "leave_one_out", "subsets"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracies of networks that learned from one set.

    Attributes
    ----------
    lengths : tuple of int
        Training steps after which they were tested.
    accuracies : ndarray, shape (n_lengths, n_networks)
        Shares of the test images, in [0, 1].

    Examples
    --------
    >>> found = Evaluation((10, 20), np.array([[0.5, 0.7], [0.8, 0.9]]))
    >>> found.means.round(2), round(found.interval(20).estimate, 2)
    (array([0.6 , 0.85]), 0.85)
    """

    lengths: tuple[int, ...]
    accuracies: Array

    @property
    def means(self) -> Array:
        """Mean over networks, shape (n_lengths,)."""
        return np.asarray(self.accuracies.mean(axis=1))

    def interval(self, length: int | None = None, *, confidence: float = 0.95) -> Interval:
        """Mean accuracy at a length, with Student's interval over the networks.

        Parameters
        ----------
        length : int, optional
            One of ``lengths``. None: the last.
        confidence : float
            In (0, 1).

        Returns
        -------
        Interval
            Of networks trained on this one set, on these test images. It says nothing of the
            scatter between sets of the same method: for that, distil again with other seeds; nor
            of that between draws of the test images.

        Raises
        ------
        ValueError
            If there is no such length, or only one network.
        """
        level = real_number(
            "confidence", confidence, minimum=0, maximum=1, open_minimum=True, open_maximum=True
        )
        chosen = self.lengths[-1] if length is None else length
        if chosen not in self.lengths:
            raise ValueError(f"length must be one of {self.lengths}, got {chosen}")
        values = self.accuracies[self.lengths.index(chosen)]
        if len(values) < 2:
            raise ValueError("accuracies must be of at least 2 networks for an interval, got 1")
        mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
        half = float(stats.t.ppf(0.5 + 0.5 * level, len(values) - 1)) * error
        return Interval(mean, mean - half, mean + half)


def evaluate(
    distilled: DistilledSet,
    test: LabelledImages,
    module: nn.Module,
    *,
    optimizer: InnerOptimizer,
    lengths: Sequence[int],
    n_networks: int = 8,
    augment: bool = False,
    rng: np.random.Generator | np.random.SeedSequence | int,
    device: str = "cpu",
    initialise: Callable[[nn.Module, int, torch.Generator], Mapping[str, Tensor]] | None = None,
) -> Evaluation:
    """Train fresh networks on a set and test them.

    Parameters
    ----------
    distilled : DistilledSet
        All of its images are used in each step.
    test : LabelledImages
        Real images that the distillation has not seen.
    module : torch.nn.Module
        See `ratbptt.RatBptt`; it may be another one than that of the distillation.
    optimizer : InnerOptimizer
    lengths : sequence of int
        Training steps, >= 0, rising; the networks are tested at each. Choose one on other images
        than those that are reported: the best of several on the test set is too good.
    n_networks : int
        >= 1.
    augment : bool
        Flip or rotate in each training step; the networks see the same changes.
    rng : Generator, SeedSequence or int
    device : str
        As PyTorch names it. The module must be there, too.
    initialise : callable, optional
        See `ratbptt.RatBptt`.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Perceptrons are trained together, and so is everything on an accelerator; convolutions on a CPU
    gain nothing from it and go one by one. The result is the same up to rounding.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP
    >>> taught = DistilledSet.of_classes([[1.0, 0.0], [0.0, 1.0]], [0, 1], n_classes=2)
    >>> found = evaluate(
    ...     taught,
    ...     labelled([[2.0, 0.0], [0.0, 2.0]], [0, 1]),
    ...     MLP((2,), widths=(16,), n_classes=2),
    ...     optimizer=InnerOptimizer(learning_rate=0.05),
    ...     lengths=[0, 50],
    ...     n_networks=4,
    ...     rng=1,
    ... )
    >>> found.accuracies.shape, float(found.means[-1])
    ((2, 4), 1.0)
    """
    known, draw = labelled(*test), as_generator(rng)
    count = whole_number("n_networks", n_networks)
    if known.labels.max() >= distilled.labels.shape[1]:
        raise ValueError(
            f"test must have labels < {distilled.labels.shape[1]}, got {known.labels.max()}"
        )
    networks = networks_of(module)
    weights_seed, view_seed = (int(n) for n in draw.integers(2**63, size=2))
    generator = torch.Generator().manual_seed(weights_seed)
    law = initialise or draw_parameters
    parameters = law(module, count, generator)
    images = torch.tensor(distilled.images, device=device)
    labels = torch.tensor(distilled.labels, device=device)
    steps = [whole_number(f"lengths[{i}]", n, minimum=0) for i, n in enumerate(lengths)]
    view = _view(len(images), max(steps, default=0), view_seed) if augment else None
    together = isinstance(networks, DenseNetworks) or images.device.type != "cpu"
    groups = [range(count)] if together else [range(k, k + 1) for k in range(count)]
    found = np.empty((len(steps), count))
    for group in groups:
        part = {name: tensor[group.start : group.stop] for name, tensor in parameters.items()}
        trained = train(
            networks, part, images, labels, optimizer=optimizer, lengths=steps, view=view
        )
        for i, weights in enumerate(trained):
            found[i, group.start : group.stop] = _accuracies(networks, weights, known, device)
    return Evaluation(tuple(steps), found)


def _view(n: int, n_steps: int, seed: int) -> StepView:
    generator = torch.Generator().manual_seed(seed)
    changes = [draw_change(n, generator=generator) for _ in range(n_steps)]

    def view(step: int, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return apply_change(images, changes[step]), labels

    return view


def _accuracies(
    networks: Networks, weights: Mapping[str, Tensor], test: LabelledImages, device: str
) -> Array:
    """Share of right answers of each network, (n_networks,)."""
    theta = networks.pack(weights)
    right = np.zeros(theta.n_networks)
    for start in range(0, len(test.images), 1000):
        images = torch.tensor(test.images[start : start + 1000], device=device)
        labels = torch.tensor(test.labels[start : start + 1000], device=device)
        answers = networks.logits(theta, images).argmax(-1)
        right += (answers == labels).sum(1).cpu().numpy()
    return np.asarray(right / len(test.images))


def _rounds(distilled: DistilledSet) -> NDArray[np.int64]:
    """Row numbers of each class, shape (n_classes, images_per_class)."""
    classes = distilled.classes
    counts = np.bincount(classes, minlength=distilled.labels.shape[1])
    if len(set(counts.tolist())) != 1:
        raise ValueError(f"distilled must hold as many images of each class, got {counts.tolist()}")
    return np.argsort(classes, kind="stable").reshape(len(counts), -1)


def subsets(
    distilled: DistilledSet,
    test: LabelledImages,
    module: nn.Module,
    *,
    images_per_class: int,
    n_draws: int,
    optimizer: InnerOptimizer,
    n_steps: int,
    n_networks: int = 8,
    rng: np.random.Generator | np.random.SeedSequence | int,
    device: str = "cpu",
) -> Array:
    """Test what random parts of a distilled set teach.

    Parameters
    ----------
    distilled : DistilledSet
        With as many images of each class.
    test : LabelledImages
    module : torch.nn.Module
    images_per_class : int
        In a part, >= 1; at most as many as there are.
    n_draws : int
        Parts, >= 1, each with its own images of each class and its own networks.
    optimizer, n_networks, device
        See `evaluate`.
    n_steps : int
        Training steps, >= 0.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (n_draws, n_networks)
        Accuracies in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP
    >>> pixels = [[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 2.0]]
    >>> found = subsets(
    ...     DistilledSet.of_classes(pixels, [0, 1, 0, 1], n_classes=2),
    ...     labelled([[1.5, 0.0], [0.0, 1.5]], [0, 1]),
    ...     MLP((2,), widths=(16,), n_classes=2),
    ...     images_per_class=1,
    ...     n_draws=3,
    ...     optimizer=InnerOptimizer(learning_rate=0.05),
    ...     n_steps=50,
    ...     n_networks=2,
    ...     rng=1,
    ... )
    >>> found.shape, float(found.mean())
    ((3, 2), 1.0)
    """
    rounds, draw = _rounds(distilled), as_generator(rng)
    part = whole_number("images_per_class", images_per_class, maximum=rounds.shape[1])
    found = []
    for _ in range(whole_number("n_draws", n_draws)):
        rows = np.concatenate([draw.permutation(row)[:part] for row in rounds])
        result = evaluate(
            distilled.take(np.sort(rows)),
            test,
            module,
            optimizer=optimizer,
            lengths=[n_steps],
            n_networks=n_networks,
            rng=draw,
            device=device,
        )
        found.append(result.accuracies[0])
    return np.stack(found)


def leave_one_out(
    distilled: DistilledSet,
    test: LabelledImages,
    module: nn.Module,
    *,
    optimizer: InnerOptimizer,
    n_steps: int,
    n_networks: int = 8,
    rng: int,
    device: str = "cpu",
) -> tuple[float, Array]:
    """Test how much accuracy is lost without each image: how much the others need it.

    Parameters
    ----------
    distilled, test, module, optimizer, n_steps, n_networks, device
        See `subsets`.
    rng : int
        >= 0. All sets teach the same fresh networks.

    Returns
    -------
    whole : float
        Mean accuracy of networks taught by all images.
    without : ndarray, shape (n,)
        Mean accuracies without the image of that row.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the set has fewer than 2 images.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP
    >>> whole, without = leave_one_out(
    ...     DistilledSet.of_classes([[1.0, 0.0], [0.0, 1.0]], [0, 1], n_classes=2),
    ...     labelled([[2.0, 0.0], [0.0, 2.0]], [0, 1]),
    ...     MLP((2,), widths=(16,), n_classes=2),
    ...     optimizer=InnerOptimizer(learning_rate=0.05),
    ...     n_steps=100,
    ...     n_networks=4,
    ...     rng=1,
    ... )
    >>> whole, bool(without.max() < whole)  # each class has only one image
    (1.0, True)
    """
    seed = whole_number("rng", rng, minimum=0)
    if len(distilled) < 2:
        raise ValueError(f"distilled must hold at least 2 images, got {len(distilled)}")

    def mean(part: DistilledSet) -> float:
        result = evaluate(
            part,
            test,
            module,
            optimizer=optimizer,
            lengths=[n_steps],
            n_networks=n_networks,
            rng=seed,
            device=device,
        )
        return float(result.means[0])

    rows = np.arange(len(distilled))
    return mean(distilled), np.array([mean(distilled.take(rows[rows != i])) for i in rows])


def block_cosines(
    distilled: DistilledSet,
    real: LabelledImages,
    module: nn.Module,
    *,
    optimizer: InnerOptimizer,
    unroll: Unroll,
    n_networks: int = 8,
    guard: float = 0.0,
    rng: np.random.Generator | np.random.SeedSequence | int,
    device: str = "cpu",
) -> Array:
    """Cosines between the meta-gradients of rounds of images, one image of each class a round.

    Parameters
    ----------
    distilled : DistilledSet
        With as many images of each class, I.
    real : LabelledImages
        For the outer loss, all of them.
    module, optimizer, n_networks, device
        See `evaluate`.
    unroll : Unroll
        One run is drawn from it.
    guard : float
        See `meta_gradient.MetaGradients`.
    rng : Generator, SeedSequence or int

    Returns
    -------
    ndarray, shape (I, I)
        Symmetric, 1 on the diagonal.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from fragile_learning.distillation.models import MLP
    >>> pixels = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]  # both rounds alike
    >>> found = block_cosines(
    ...     DistilledSet.of_classes(pixels, [0, 1, 0, 1], n_classes=2),
    ...     labelled([[2.0, 0.0], [0.0, 2.0]], [0, 1]),
    ...     MLP((2,), widths=(16,), n_classes=2),
    ...     optimizer=InnerOptimizer(kind="sgd", learning_rate=0.1),
    ...     unroll=Unroll(n_steps=5, window=3),
    ...     n_networks=2,
    ...     rng=1,
    ... )
    >>> found.round(3)
    array([[1., 1.],
           [1., 1.]])
    """
    rounds, draw, known = _rounds(distilled), as_generator(rng), labelled(*real)
    run = unroll.draw(rng=draw)
    generator = torch.Generator().manual_seed(int(draw.integers(2**63)))
    parameters = draw_parameters(
        module, n_networks=whole_number("n_networks", n_networks), generator=generator
    )
    found = MetaGradients(module, optimizer, guard=guard)(
        parameters,
        torch.tensor(distilled.images, device=device),
        torch.tensor(distilled.labels, device=device),
        torch.tensor(known.images, device=device),
        torch.tensor(known.labels, device=device),
        run,
    )
    gradient = found.images.double().cpu().numpy()
    blocks = gradient[rounds.T].reshape(rounds.shape[1], -1)
    norms = np.linalg.norm(blocks, axis=1, keepdims=True)
    blocks = blocks / np.where(norms > 0.0, norms, 1.0)
    return np.asarray(blocks @ blocks.T)
