"""Sets on disk, sets of real images, preprocessing and augmentation, against plain numpy."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from scipy import linalg, ndimage

torch = pytest.importorskip("torch")

from fragile_learning.distillation.augment import Change, apply_change, draw_change  # noqa: E402
from fragile_learning.distillation.baselines import (  # noqa: E402
    class_means,
    herding,
    k_centre,
    random_real,
)
from fragile_learning.distillation.distilled import (  # noqa: E402
    DistilledError,
    DistilledSet,
    labelled,
)
from fragile_learning.distillation.models import MLP, ConvNet, draw_parameters  # noqa: E402
from fragile_learning.distillation.preprocessing import standardise, zca  # noqa: E402

RNG = np.random.default_rng(0)
PICTURES = RNG.normal(size=(40, 2, 5, 6)) * np.linspace(0.5, 2, 6) + 1.0


def test_zca_is_the_formula_image_by_image():
    found = zca(PICTURES[:30], PICTURES[30:], regularization=0.2)
    rows = []
    for picture in PICTURES:
        flat = picture.ravel() - picture.mean()
        rows.append(flat / np.sqrt((flat**2).sum()))
    train = np.array(rows[:30])
    centred = train - train.mean(0)
    covariance = sum(np.outer(r, r) for r in centred) / 29
    inner = covariance + 0.2 * np.trace(covariance) / 60 * np.eye(60)
    matrix = linalg.inv(linalg.sqrtm(inner))
    assert found.matrix == pytest.approx(matrix, abs=1e-9)
    expected = (np.array(rows) - train.mean(0)) @ matrix
    assert found.train.reshape(30, -1) == pytest.approx(expected[:30], abs=1e-9)
    assert found.test.reshape(10, -1) == pytest.approx(expected[30:], abs=1e-9)


def test_standardised_pixels():
    train, test = standardise(PICTURES[:30], PICTURES[30:])
    assert train.mean() == pytest.approx(0.0, abs=1e-12)
    assert train.std() == pytest.approx(1.0)
    assert test == pytest.approx((PICTURES[30:] - PICTURES[:30].mean()) / PICTURES[:30].std())
    with pytest.raises(ValueError, match="train must hold different pixels"):
        standardise(np.ones((3, 4)), np.ones((1, 4)))


@pytest.mark.parametrize("size", [(9, 9), (8, 12)])
def test_rotations_are_those_of_scipy(size):
    picture = RNG.normal(size=size)
    angles = np.array([-0.26, 0.1, 1.2])
    images = torch.tensor(np.stack([picture] * 3))[:, None]
    found = apply_change(images, Change(None, torch.tensor(angles)))[:, 0].numpy()
    middle = (np.array(size) - 1) / 2
    for one, angle in zip(found, angles, strict=True):
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, sine], [-sine, cosine]])  # from (row, column) to where it was
        padded = np.pad(picture, 3)  # outside is 0, between the border and it by interpolation
        offset = middle + 3 - turn @ middle
        expected = ndimage.affine_transform(
            padded, turn, offset=offset, output_shape=size, order=1, mode="constant"
        )
        assert one == pytest.approx(expected, abs=1e-6)


def test_a_quarter_turn_is_anticlockwise():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    found = apply_change(image, Change(None, torch.tensor([np.pi / 2])))
    torch.testing.assert_close(found[0, 0], torch.rot90(image[0, 0]), rtol=0, atol=1e-5)


def test_changes_are_drawn_as_stated():
    """About 2,000 batches of 3: flips in half of them, of half of the images; 6 s.e. bounds."""
    generator = torch.Generator().manual_seed(1)
    drawn = [draw_change(3, generator=generator) for _ in range(2000)]
    flips = [c.flips.float().numpy() for c in drawn if c.flips is not None]
    angles = np.concatenate([c.angles.numpy() for c in drawn if c.angles is not None])
    assert len(flips) / 2000 == pytest.approx(0.5, abs=6 * 0.0112)
    assert np.mean(flips) == pytest.approx(0.5, abs=6 * 0.5 / np.sqrt(3 * len(flips)))
    limit = np.radians(15)
    assert np.abs(angles).max() <= limit
    assert angles.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)
    assert angles.mean() == pytest.approx(0, abs=6 * limit / np.sqrt(3 * len(angles)))


@pytest.mark.parametrize("kind", ["flips", "angles"])
def test_changes_are_differentiable(kind):
    images = torch.tensor(PICTURES[:3])
    flips = torch.tensor([True, False, True])
    change = Change(flips, None) if kind == "flips" else Change(None, torch.tensor([0.2, -0.1, 0]))
    assert torch.autograd.gradcheck(lambda x: apply_change(x, change), images.requires_grad_())


# --- chosen real images -------------------------------------------------------------------------


def real():
    rng = np.random.default_rng(3)
    return labelled(rng.normal(size=(24, 4)), np.arange(24) % 2)


def test_herding_is_the_best_next_image():
    known = real()
    found = herding(known, 3)
    for label in range(2):
        members = known.images[known.labels == label].astype(float)
        mean, taken = members.mean(0), []
        for _ in range(3):
            left = [i for i in range(12) if i not in taken]
            gaps = [np.linalg.norm(members[[*taken, i]].mean(0) - mean) for i in left]
            taken.append(left[int(np.argmin(gaps))])
        assert np.array_equal(found.images[label::2], members[taken].astype(np.float32))


def test_k_centre_starts_in_the_middle_and_is_within_twice_the_best_radius():
    known = real()
    first, three = k_centre(known, 1), k_centre(known, 3)
    for label in range(2):
        members = known.images[known.labels == label].astype(float)
        gaps = np.linalg.norm(members[:, None] - members[None], axis=2)
        middle = members[gaps.max(1).argmin()]
        assert np.array_equal(first.images[label], middle.astype(np.float32))
        rows = [int(np.abs(members - i).sum(1).argmin()) for i in three.images[label::2]]
        radius = gaps[rows].min(0).max()
        best = min(gaps[list(c)].min(0).max() for c in itertools.combinations(range(12), 3))
        assert len(set(rows)) == 3
        assert best - 1e-9 <= radius <= 2 * best + 1e-9


def test_random_images_and_means():
    known = real()
    found = random_real(known, 5, rng=1)
    assert np.array_equal(found.classes, np.tile([0, 1], 5))
    assert len({image.tobytes() for image in found.images}) == 10
    sources = {(i.tobytes(), int(label)) for i, label in zip(*known, strict=True)}
    assert {(i.tobytes(), int(c)) for i, c in zip(found.images, found.classes, strict=True)} < (
        sources
    )
    assert class_means(known).images[1] == pytest.approx(known.images[1::2].mean(0), rel=1e-6)
    with pytest.raises(ValueError, match="images_per_class must be an integer >= 1 and <= 12"):
        random_real(known, 13, rng=1)
    with pytest.raises(ValueError, match=r"got none of \[1\]"):
        class_means(labelled([[0.0], [1.0]], [0, 2]))


# --- on disk ------------------------------------------------------------------------------------


def a_set():
    return DistilledSet(
        PICTURES[:4].astype(np.float32),
        np.eye(2)[[0, 1, 0, 1]],
        {"loss": np.array([1.0, 0.5]), "window": np.array([3, 3])},
        {"unroll": {"mode": "full"}, "budget": None},
    )


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_sets_survive_the_disk(tmp_path, suffix):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    path, before = tmp_path / f"set.{suffix}", a_set()
    before.save(path)
    after = DistilledSet.load(path)
    assert np.array_equal(after.images, before.images)
    assert np.array_equal(after.labels, before.labels)
    assert after.config == before.config
    for name, column in before.history.items():
        assert np.array_equal(after.history[name], column)
        assert after.history[name].dtype == column.dtype
    content = path.read_bytes()
    for damaged in (content[:-30], b"", content[:50]):
        path.write_bytes(damaged)
        with pytest.raises(DistilledError):
            DistilledSet.load(path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"needs the package safetensors.*end in \.npz"):
        a_set().save(tmp_path / "set.safetensors")
    with pytest.raises(ValueError, match=r"path must end in \.npz or \.safetensors"):
        a_set().save(tmp_path / "set.pt")
    with pytest.raises(FileNotFoundError):
        DistilledSet.load(tmp_path / "none.npz")


def test_a_grid_shows_every_image():
    figure = DistilledSet(PICTURES[:4, :1], np.eye(2)[[1, 0, 0, 0]]).grid_figure()
    titles = [axis.get_title() for axis in figure.axes if axis.images]
    assert titles == ["0", "1", "0", "0"]
    assert len(figure.axes) == 6
    with pytest.raises(ValueError, match="images must have the shape"):
        DistilledSet(np.zeros((2, 9)), np.eye(2)).grid_figure()


def test_bad_sets():
    with pytest.raises(ValueError, match="images and labels must have the shapes"):
        DistilledSet(np.zeros((2, 3)), np.eye(3))
    with pytest.raises(ValueError, match="must be finite"):
        DistilledSet(np.full((2, 3), np.nan), np.eye(2))
    with pytest.raises(TypeError, match="labels must be integers"):
        labelled(np.zeros((2, 3)), [0.0, 1.0])
    with pytest.raises(ValueError, match="classes must be < n_classes = 2, got 2"):
        DistilledSet.of_classes(np.zeros((2, 3)), [0, 2], n_classes=2)


# --- networks -----------------------------------------------------------------------------------


def test_weights_have_the_law_of_torch():
    """Means and variances of 200 networks against torch's own start, within 6 s.e."""
    module = ConvNet((1, 8, 8), width=3, depth=2, bias=True)
    drawn = draw_parameters(module, n_networks=200, generator=torch.Generator().manual_seed(1))
    for name, parameter in module.named_parameters():
        assert drawn[name].shape == (200, *parameter.shape)
        if "norms" in name:
            assert torch.equal(drawn[name][7], parameter.detach())
            continue
        fan_in = 9 if name.startswith("convolutions.0") else 27 if "conv" in name else 12
        values, bound = drawn[name].double().numpy().ravel(), fan_in**-0.5
        assert np.abs(values).max() <= bound
        assert parameter.detach().abs().max() <= bound
        assert values.mean() == pytest.approx(0, abs=6 * bound / np.sqrt(3 * values.size))
        assert values.var() == pytest.approx(bound**2 / 3, rel=6 * 0.9 / np.sqrt(values.size))


def test_unknown_modules_and_shapes_are_refused():
    with pytest.raises(ValueError, match="got Embedding with"):
        draw_parameters(
            torch.nn.Embedding(3, 2), n_networks=1, generator=torch.Generator().manual_seed(1)
        )
    with pytest.raises(ValueError, match="depth must leave something"):
        ConvNet((1, 4, 4))
    with pytest.raises(ValueError, match=r"widths\[0\] must be an integer >= 1"):
        MLP((4,), widths=(0,))


def test_making_networks_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    MLP((4,)), ConvNet((1, 8, 8), width=2)
    assert torch.equal(before, torch.random.get_rng_state())
