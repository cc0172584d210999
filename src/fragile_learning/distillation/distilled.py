"""Distilled sets: images, labels, how they were made; on disk and as a picture. Without torch."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import whole_number
from fragile_learning.tables import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DistilledError",
    "DistilledSet",
    "LabelledImages",
    "labelled",
    "read_arrays",
    "write_arrays",
]

FORMAT = "fragile-learning distilled set 1"


class DistilledError(ValueError):
    """A file of a distilled set is damaged or something else. It was not used."""


class LabelledImages(NamedTuple):
    """Real images and their classes; see `labelled`.

    Attributes
    ----------
    images : ndarray of float32, shape (n, ...)
    labels : ndarray of int64, shape (n,)

    Examples
    --------
    >>> real = labelled([[0.0, 1.0], [1.0, 0.0]], [3, 0])
    >>> real.images.shape, real.labels
    ((2, 2), array([3, 0]))
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def labelled(images: ArrayLike, labels: ArrayLike) -> LabelledImages:
    """Check images and classes.

    Parameters
    ----------
    images : array_like, shape (n, ...)
        Finite; at least one.
    labels : array_like of int, shape (n,)
        Classes from 0.

    Returns
    -------
    LabelledImages

    Raises
    ------
    TypeError, ValueError
        If shapes or types do not fit.

    Examples
    --------
    >>> labelled([[0.0, 1.0]], [3]).labels
    array([3])
    """
    pixels = np.asarray(images, dtype=np.float32)
    if pixels.ndim < 2 or not len(pixels):
        raise ValueError(f"images must have the shape (n, ...) with n >= 1, got {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise ValueError("images must be finite, got NaN or infinity")
    classes = np.asarray(labels)
    if classes.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got dtype {classes.dtype}")
    if classes.shape != pixels.shape[:1] or classes.min() < 0:
        raise ValueError(
            f"labels must be {len(pixels)} classes >= 0, got shape {classes.shape}"
            + (f" and {classes.min()}" if classes.size else "")
        )
    return LabelledImages(pixels, classes.astype(np.int64))


@dataclass(frozen=True, eq=False)
class DistilledSet:
    """A few images with labels, and how they came about.

    Attributes
    ----------
    images : ndarray of float32, shape (n, ...)
    labels : ndarray of float32, shape (n, n_classes)
        Weights of classes; one-hot unless they were learned.
    history : mapping of str to ndarray, each of shape (n_outer_steps,)
        What the distillation went through; see `ratbptt.RatBptt.fit`. Empty for sets that were
        chosen, not learned.
    config : mapping
        Settings of the distillation, as JSON knows them.

    Raises
    ------
    ValueError
        If shapes do not fit together, or a number is not finite.

    Examples
    --------
    >>> found = DistilledSet([[0.0, 1.0], [1.0, 0.0]], [[0.9, 0.1], [0.2, 0.8]])
    >>> len(found), found.classes, found.take([1]).labels
    (2, array([0, 1]), array([[0.2, 0.8]], dtype=float32))
    """

    images: NDArray[np.float32]
    labels: NDArray[np.float32]
    history: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        images = np.asarray(self.images, dtype=np.float32)
        labels = np.asarray(self.labels, dtype=np.float32)
        if images.ndim < 2 or not len(images) or labels.shape[:-1] != images.shape[:1]:
            raise ValueError(
                "images and labels must have the shapes (n, ...) and (n, n_classes), n >= 1, got "
                f"{images.shape} and {labels.shape}"
            )
        if not (np.isfinite(images).all() and np.isfinite(labels).all()):
            raise ValueError("images and labels must be finite, got NaN or infinity")
        for name, array in (("images", images), ("labels", labels)):
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def of_classes(
        cls, images: ArrayLike, classes: ArrayLike, *, n_classes: int, **more: Any
    ) -> DistilledSet:
        """Make a set of images with hard labels.

        Examples
        --------
        >>> DistilledSet.of_classes([[0.5, 0.5]], [1], n_classes=3).labels
        array([[0., 1., 0.]], dtype=float32)
        """
        count = whole_number("n_classes", n_classes)
        known = labelled(images, classes)
        if known.labels.max() >= count:
            raise ValueError(f"classes must be < n_classes = {count}, got {known.labels.max()}")
        return cls(known.images, np.eye(count, dtype=np.float32)[known.labels], **more)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> NDArray[np.int64]:
        """Heaviest class of each image."""
        return np.asarray(self.labels.argmax(axis=1), dtype=np.int64)

    def take(self, rows: ArrayLike) -> DistilledSet:
        """Take the images of these row numbers, without the history."""
        chosen = np.asarray(rows)
        return DistilledSet(self.images[chosen], self.labels[chosen], {}, self.config)

    def save(self, path: Path | str) -> None:
        """Write the set to one file, at once or not at all.

        Parameters
        ----------
        path : path
            Ends in ``.safetensors`` (needs that package) or ``.npz`` (needs nothing).

        Raises
        ------
        ImportError
            If safetensors is wanted but not installed.
        ValueError
            If the name ends in something else.
        """
        arrays = {"images": self.images, "labels": self.labels}
        arrays |= {f"history/{name}": np.asarray(a) for name, a in self.history.items()}
        notes = {"format": FORMAT, "config": json.dumps(self.config, sort_keys=True)}
        write_arrays(path, arrays, notes)

    @classmethod
    def load(cls, path: Path | str) -> DistilledSet:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        DistilledError
            If it is damaged, or not a distilled set.
        ImportError, ValueError
            See `save`.
        """
        arrays, notes = read_arrays(path)
        if notes.get("format") != FORMAT or not {"images", "labels"} <= set(arrays):
            raise DistilledError(f"{path} is not a distilled set")
        history = {
            name.removeprefix("history/"): array
            for name, array in arrays.items()
            if name.startswith("history/")
        }
        return cls(arrays["images"], arrays["labels"], history, json.loads(notes["config"]))

    def grid_figure(self, *, columns: int | None = None) -> Figure:
        """Draw all images, the classes side by side.

        Parameters
        ----------
        columns : int, optional
            Images in a row. None: one a class.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If the images are not grey or coloured pictures.
        """
        plt = importlib.import_module("matplotlib.pyplot")
        pictures = self.images
        if pictures.ndim == 3:
            pictures = pictures[:, None]
        if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
            raise ValueError(
                "images must have the shape (n, height, width) or (n, 1 or 3, height, width), got "
                f"{self.images.shape}"
            )
        across = self.labels.shape[1] if columns is None else whole_number("columns", columns)
        ordered = np.argsort(self.classes, kind="stable")
        if columns is None:  # down a column: images of one class
            places = [np.flatnonzero(self.classes[ordered] == c) for c in range(across)]
            depth = max(len(place) for place in places)
            cells = [
                int(ordered[place[row]]) if row < len(place) else -1
                for row in range(depth)
                for place in places
            ]
        else:
            cells = ordered.tolist()
            depth = -(-len(cells) // across)
        figure, axes = plt.subplots(
            depth, across, squeeze=False, figsize=(0.62 * across, 0.72 * depth)
        )
        for axis in axes.flat:
            axis.set_axis_off()
        for axis, i in zip(axes.flat, cells, strict=False):
            if i >= 0:
                picture = pictures[i].transpose(1, 2, 0)
                low, high = picture.min(), picture.max()
                shown = (picture - low) / (high - low if high > low else 1.0)
                axis.imshow(shown.squeeze(), cmap="gray", vmin=0.0, vmax=1.0)
                axis.set_title(str(self.classes[i]), fontsize=8)
        found: Figure = figure
        return found


# --- arrays on disk -----------------------------------------------------------------------------


def _safetensors() -> ModuleType:
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise ImportError(
            "a path that ends in .safetensors needs the package safetensors: install it, or let "
            "the name end in .npz"
        ) from error


def _kind(path: Path | str) -> tuple[Path, str]:
    target = Path(path)
    if target.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"path must end in .npz or .safetensors, got {str(path)!r}")
    return target, target.suffix


def write_arrays(
    path: Path | str, arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, str]
) -> None:
    """Write arrays and notes to one file, at once or not at all.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors`` or ``.npz``.
    arrays : mapping of str to ndarray
        Of numbers.
    notes : mapping of str to str

    Raises
    ------
    ImportError, ValueError
        See `DistilledSet.save`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_arrays(Path(folder) / "kept.npz", {"norms": np.array([1.0, 2.0])}, {"seed": "1"})
    ...     read_arrays(Path(folder) / "kept.npz")
    ({'norms': array([1., 2.])}, {'seed': '1'})
    """
    target, suffix = _kind(path)
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if suffix == ".safetensors":
        content: bytes = _safetensors().save(plain, metadata=dict(notes))
    else:
        stream = io.BytesIO()
        text = np.frombuffer(json.dumps(dict(notes)).encode(), dtype=np.uint8)
        everything: dict[str, Any] = {"notes.json": text, **plain}
        np.savez(stream, **everything)
        content = stream.getvalue()
    write_atomically(target, content)


def read_arrays(path: Path | str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read what `write_arrays` wrote.

    Returns
    -------
    arrays : dict of str to ndarray
    notes : dict of str to str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DistilledError
        If it is damaged, or was not written by `write_arrays`.
    ImportError, ValueError
        See `DistilledSet.save`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "kept.npz"
    ...     write_arrays(path, {"norms": np.array([1.0, 2.0])}, {"seed": "1"})
    ...     arrays, notes = read_arrays(path)
    >>> arrays["norms"], notes["seed"]
    (array([1., 2.]), '1')
    """
    target, suffix = _kind(path)
    library = _safetensors() if suffix == ".safetensors" else None
    content = target.read_bytes()
    try:
        if library is not None:
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            return library.load(content), dict(header["__metadata__"])
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, dict(json.loads(arrays.pop("notes.json").tobytes()))
    except (EOFError, KeyError, OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DistilledError(f"{target} is damaged or not a file of this kind: {error}") from error
    except Exception as error:
        if type(error).__name__ == "SafetensorError":
            raise DistilledError(f"{target} is damaged: {error}") from error
        raise
