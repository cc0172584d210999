"""Real images: found on this machine, verified byte by byte, never downloaded behind your back.

:func:`load` looks in three places, in this order: our cache folder, the folder of the operating
system's package, the files shipped with this package. It never opens a connection. Only
:func:`download` does, and only when it is called. Whatever the place, every byte is compared with
a recorded SHA-256 before it is used: a truncated or altered file raises
:class:`DataCorruptError`, is kept for you to look at, and is not replaced by another source.

================== ================ ======= ===================================================
name               images           size    where from
================== ================ ======= ===================================================
fashion-mnist      60,000 + 10,000  28 × 28 system package, download, or a folder of yours
mnist-10k          10,000           28 × 28 download, or a folder of yours
digits             1,797            8 × 8   shipped with the package
fashion-mnist-mini 2,000 + 1,000    28 × 28 shipped with the package
================== ================ ======= ===================================================
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from fragile_learning._validation import choice, whole_number

__all__ = [
    "DataCorruptError",
    "DataFile",
    "DataUnavailableError",
    "Dataset",
    "DatasetInfo",
    "available",
    "cache_folder",
    "describe",
    "download",
    "import_folder",
    "load",
    "load_first",
    "locate",
    "names",
]

Bytes = NDArray[np.uint8]

_SHIPPED_FOLDER = Path(__file__).parent / "data"


class DataUnavailableError(FileNotFoundError):
    """The data set is not on this machine, or could not be fetched. The message says what to do."""


class DataCorruptError(ValueError):
    """A data file is truncated, altered, or something else than its name says. It was not used."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set.

    Attributes
    ----------
    name : str
        File name when unpacked. A file with ``.gz`` added is read as well.
    n_bytes : int
        Length when unpacked.
    sha256 : str
        SHA-256 of the unpacked bytes, 64 hexadecimal digits. For an ``.npz``: of the bytes of its
        array ``images``, then of its array ``labels``.
    url : str or None
        Where :func:`download` takes it from; None if it ships with the package.

    Examples
    --------
    >>> file = describe("mnist-10k").files[0]
    >>> file.name, file.n_bytes, len(file.sha256)
    ('0.json', 2314420, 64)
    """

    name: str
    n_bytes: int
    sha256: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What is known of a data set before it is loaded.

    Attributes
    ----------
    name, title : str
        Its name for :func:`load`, and its full name.
    n_images, n_train : int
        Number of images, and how many of them, at the front, are the official training part.
    image_shape : tuple of int
        Height and width in pixels.
    class_names : tuple of str
        Names of the labels 0, 1, 2, ...
    levels : int
        Largest stored pixel value; :func:`load` divides by it.
    split, order : str
        The official split, and the order of the images, in words.
    licence, citation, homepage : str
        Under which terms, whom to cite, where it lives.
    files : tuple of DataFile
        Files that hold it.
    checksum : str
        SHA-256 of all unpacked files, one after another in the order of ``files``.
    system_package, system_folder : str or None
        Package of Debian and Ubuntu that holds it, and where that puts the files.
    subfolders : tuple of str
        Where :func:`import_folder` looks below the folder that it is given.

    Examples
    --------
    >>> info = describe("fashion-mnist")
    >>> info.n_classes, info.class_names[:2], info.shipped
    (10, ('T-shirt/top', 'Trouser'), False)
    >>> print(info.ways[1])
    Download it: `fragile-learning data download fashion-mnist`.
    """

    name: str
    title: str
    n_images: int
    n_train: int
    image_shape: tuple[int, int]
    class_names: tuple[str, ...]
    levels: int
    split: str
    order: str
    licence: str
    citation: str
    homepage: str
    files: tuple[DataFile, ...]
    checksum: str
    system_package: str | None = None
    system_folder: str | None = None
    subfolders: tuple[str, ...] = ("",)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def shipped(self) -> bool:
        """Whether the files are part of this package."""
        return all(file.url is None for file in self.files)

    @property
    def ways(self) -> tuple[str, ...]:
        """Ways to get the data set onto a machine, one sentence each."""
        if self.shipped:
            return ("It ships with the package: nothing to do.",)
        package = (
            f"Install the system package {self.system_package} (Debian, Ubuntu)."
            if self.system_package
            else "System package: none holds this data set."
        )
        return (
            package,
            f"Download it: `fragile-learning data download {self.name}`.",
            (
                f"Import a folder that holds {_file_list(self)} (.gz is fine): "
                f"`fragile-learning data import {self.name} FOLDER`."
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Labelled grey-scale images, read-only.

    Attributes
    ----------
    name : str
        Name of the data set.
    images : ndarray of float32, shape (N, H, W)
        Pixel values in [0, 1], 0 is the background.
    labels : ndarray of int64, shape (N,)
        Classes, from 0.
    n_train : int
        The first ``n_train`` images are the official training part, the others the official test
        part. It equals N where there is no official split.
    licence, citation : str
        Terms of use, and whom to cite.
    checksum : str
        SHA-256 of the unpacked files that were read, one after another.
    source : str
        Where they were found: "cache", "system package" or "shipped with the package".

    Raises
    ------
    TypeError
        If images are not float32 or labels not int64, or ``n_train`` is not an integer.
    ValueError
        If shapes do not fit together, or ``n_train`` is not in [0, N].

    Examples
    --------
    >>> squares = Dataset(
    ...     name="two squares",
    ...     images=np.zeros((3, 2, 2), dtype=np.float32),
    ...     labels=np.array([0, 1, 0]),
    ...     n_train=2,
    ...     licence="CC0-1.0",
    ...     citation="none",
    ...     checksum="0" * 64,
    ...     source="made here",
    ... )
    >>> len(squares), squares.n_test
    (3, 1)
    >>> squares.images[0, 0, 0] = 1.0
    Traceback (most recent call last):
        ...
    ValueError: assignment destination is read-only
    """

    name: str
    images: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    n_train: int
    licence: str
    citation: str
    checksum: str
    source: str

    def __post_init__(self) -> None:
        if self.images.dtype != np.float32:
            raise TypeError(f"images must be float32, got {self.images.dtype}")
        if self.labels.dtype != np.int64:
            raise TypeError(f"labels must be int64, got {self.labels.dtype}")
        if self.images.ndim != 3:
            raise ValueError(f"images must have shape (N, H, W), got {self.images.shape}")
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels must have one entry per image, shape {self.images.shape[:1]}, "
                f"got {self.labels.shape}"
            )
        whole_number("n_train", self.n_train, minimum=0, maximum=len(self.images))
        for name in ("images", "labels"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_test(self) -> int:
        """Number of images in the official test part; 0 where there is no official split."""
        return len(self.images) - self.n_train


def names() -> tuple[str, ...]:
    """Return the names that :func:`load` knows.

    Examples
    --------
    >>> names()
    ('fashion-mnist', 'mnist-10k', 'digits', 'fashion-mnist-mini')
    """
    return tuple(_REGISTRY)


def describe(name: str) -> DatasetInfo:
    """Return what is known of a data set: size, licence, citation, checksums, ways to get it.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Raises
    ------
    TypeError
        If ``name`` is not a string.
    ValueError
        If it is not one of :func:`names`.

    Examples
    --------
    >>> info = describe("digits")
    >>> info.n_images, info.image_shape, info.shipped
    (1797, (8, 8), True)
    """
    if not isinstance(name, str):
        raise TypeError(
            f"name must be a string, one of {', '.join(map(repr, names()))}, "
            f"got {name!r} of type {type(name).__name__}"
        )
    return _REGISTRY[choice("name", name, names())]


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that keeps downloaded and imported files, one folder per data set.

    Parameters
    ----------
    cache_dir : path, optional
        Returned as it is (with ``~`` expanded). Default: the user's cache folder, as
        ``pooch.os_cache("fragile-learning")`` finds it.

    Raises
    ------
    TypeError
        If ``cache_dir`` is not a path.

    Examples
    --------
    >>> cache_folder("my-data").as_posix()
    'my-data'
    >>> cache_folder().name
    'fragile-learning'
    """
    if cache_dir is None:
        return Path(_pooch().os_cache("fragile-learning"))
    if not isinstance(cache_dir, str | os.PathLike):
        raise TypeError(
            f"cache_dir must be a path or None, got {cache_dir!r} of type "
            f"{type(cache_dir).__name__}"
        )
    return Path(cache_dir).expanduser()


def locate(
    name: str, *, cache_dir: str | os.PathLike[str] | None = None
) -> tuple[str, Path] | None:
    """Say where :func:`load` would read a data set, without reading it.

    A place counts when all files of the data set are there; their bytes are not looked at.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    cache_dir : path, optional
        See :func:`cache_folder`.

    Returns
    -------
    (str, Path) or None
        The source in words ("cache", "system package", "shipped with the package") and its
        folder; None if no place has all files.

    Raises
    ------
    TypeError, ValueError
        See :func:`describe` and :func:`cache_folder`.

    Examples
    --------
    >>> locate("digits")[0]
    'shipped with the package'
    """
    found = _located(describe(name), cache_dir)
    return None if found is None else (found[0], found[1])


def available(name: str, *, cache_dir: str | os.PathLike[str] | None = None) -> bool:
    """Whether the files of a data set are on this machine; :func:`load` then verifies their bytes.

    Parameters and errors are those of :func:`locate`.

    Examples
    --------
    >>> available("digits")
    True
    """
    return locate(name, cache_dir=cache_dir) is not None


def load(name: str, *, cache_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set that is on this machine, every byte verified.

    Looks in the cache folder, then in the system package's folder, then among the files shipped
    with the package, and takes the first place that has all files. Never downloads. Nothing is
    remembered from one call to the next: the files are read and verified each time (about one
    second for the larger sets), so keep the result.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    cache_dir : path, optional
        See :func:`cache_folder`.

    Returns
    -------
    Dataset
        Images in [0, 1], float32, and int64 labels, in the order that ``describe(name).order``
        states.

    Raises
    ------
    DataUnavailableError
        If no place has all files. The message names the ways to get them.
    DataCorruptError
        If a file is not what it should be, byte by byte. The message names the file, the expected
        and the found checksum, and what to do. The file is kept, and no other place is tried.
    TypeError, ValueError
        See :func:`describe` and :func:`cache_folder`.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.images.shape, digits.images.dtype.name, digits.labels[:5].tolist()
    ((1797, 8, 8), 'float32', [0, 1, 2, 3, 4])
    """
    info = describe(name)
    found = _located(info, cache_dir)
    if found is None:
        raise DataUnavailableError(_unavailable(info, cache_dir))
    source, _, paths = found
    origins = [_Origin(str(path), _remedy(info, source)) for path in paths]
    raws = [
        _verified(path.read_bytes(), path.name, file, origin)
        for path, file, origin in zip(paths, info.files, origins, strict=True)
    ]
    images, labels = _PARSERS[name](info, raws, origins)
    return Dataset(
        name=info.name,
        images=np.divide(images, info.levels, dtype=np.float32),
        labels=labels.astype(np.int64),
        n_train=info.n_train,
        licence=info.licence,
        citation=info.citation,
        checksum=info.checksum,
        source=source,
    )


def load_first(names: Sequence[str], *, cache_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load the first of several data sets that is on this machine.

    A corrupt file is an error, not a reason to try the next name.

    Parameters
    ----------
    names : sequence of str
        Names in order of preference, at least one.
    cache_dir : path, optional
        See :func:`cache_folder`.

    Returns
    -------
    Dataset
        Its ``name`` says which one it is: print it beside every result.

    Raises
    ------
    DataUnavailableError
        If none is on this machine.
    DataCorruptError
        See :func:`load`.
    TypeError, ValueError
        If ``names`` is a single string, is empty, or holds an unknown name.

    Examples
    --------
    >>> load_first(["digits", "fashion-mnist-mini"]).name
    'digits'
    """
    if isinstance(names, str):
        raise TypeError(f"names must be a sequence of names, got the single string {names!r}")
    infos = [describe(name) for name in names]
    if not infos:
        raise ValueError("names must hold at least one name, got none")
    for info in infos:
        if available(info.name, cache_dir=cache_dir):
            return load(info.name, cache_dir=cache_dir)
    raise DataUnavailableError("\n".join(_unavailable(info, cache_dir) for info in infos))


def download(
    name: str, *, cache_dir: str | os.PathLike[str] | None = None, progress: bool = False
) -> Path:
    """Download a data set into the cache folder. The only function here that uses the network.

    Files that are already in the cache are verified and not fetched again. A fetched file is
    verified under a temporary name and then renamed, so an interrupted download leaves nothing
    that looks complete.

    Parameters
    ----------
    name : str
        One of :func:`names`. For a data set that ships with the package there is nothing to
        fetch; its files are verified.
    cache_dir : path, optional
        See :func:`cache_folder`.
    progress : bool
        Whether to show a progress bar for each file, on standard error.

    Returns
    -------
    Path
        Folder that now holds the files.

    Raises
    ------
    DataUnavailableError
        If a file could not be fetched.
    DataCorruptError
        If a fetched file is not what it should be (it is dropped), or if a file that is already
        in the cache is not (it is kept).
    TypeError, ValueError
        See :func:`describe` and :func:`cache_folder`.

    Examples
    --------
    >>> folder = download("digits")  # ships with the package: verified, nothing is fetched
    >>> folder == locate("digits")[1]
    True
    """
    info = describe(name)
    if info.shipped:
        load(name)
        return _SHIPPED_FOLDER
    folder = cache_folder(cache_dir) / info.name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
        for file in info.files:
            if _verified_in_cache(info, folder, file) or file.url is None:
                continue
            target = Path(partial) / file.url.rsplit("/", 1)[-1]
            _fetch(file.url, target, progress=bool(progress))
            remedy = "Nothing was stored. Try again; if it happens again, please report it."
            origin = _Origin(f"the file fetched from {file.url}", remedy)
            _verified(target.read_bytes(), target.name, file, origin)
            target.replace(folder / target.name)
    return folder


def import_folder(
    name: str,
    folder: str | os.PathLike[str],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Copy the files of a data set from a folder of yours into the cache, verified.

    All files are verified before the first is copied. Each is written under a temporary name and
    then renamed. Nothing in ``folder`` is changed.

    Parameters
    ----------
    name : str
        One of :func:`names`, but not one that ships with the package.
    folder : path
        Folder with the files, plain or with ``.gz``; the usual subfolders (``src/digits`` of the
        JavaScript package ``mnist``, torchvision's ``FashionMNIST/raw``) are looked at too.
    cache_dir : path, optional
        See :func:`cache_folder`.

    Returns
    -------
    Path
        Folder in the cache that now holds the files.

    Raises
    ------
    DataUnavailableError
        If ``folder`` does not hold all files.
    DataCorruptError
        If a file there, or one already in the cache, is not what it should be.
    TypeError, ValueError
        If ``folder`` is not a path, or the data set ships with the package; see also
        :func:`describe` and :func:`cache_folder`.

    Examples
    --------
    >>> import_folder("mnist-10k", "no-such-folder")
    Traceback (most recent call last):
        ...
    fragile_learning.datasets.DataUnavailableError: cannot import 'mnist-10k': no-such-folder ...
    """
    info = describe(name)
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder must be a path, got {folder!r} of type {type(folder).__name__}")
    importable = [known for known in names() if not _REGISTRY[known].shipped]
    if info.shipped:
        raise ValueError(
            f"name must be one of {', '.join(map(repr, importable))}, got {name!r}, which ships "
            "with the package: there is nothing to import"
        )
    given = Path(folder).expanduser()
    tried = [given / sub for sub in info.subfolders]
    paths = next((found for at in tried if (found := _find_all(at, info))), None)
    if paths is None:
        missing = [file.name for file in info.files if not any(_find(at, file) for at in tried)]
        what = f"lacks {', '.join(missing)}" if given.is_dir() else "is not a folder"
        raise DataUnavailableError(
            f"cannot import {info.name!r}: {given} {what}. It must hold {_file_list(info)}, "
            "plain or with .gz, all in one folder."
        )
    remedy = "Get a fresh copy of that file and import again; nothing was imported."
    contents = [path.read_bytes() for path in paths]
    for content, path, file in zip(contents, paths, info.files, strict=True):
        _verified(content, path.name, file, _Origin(str(path), remedy))
    target = cache_folder(cache_dir) / info.name
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=target) as partial:
        for content, path, file in zip(contents, paths, info.files, strict=True):
            if _verified_in_cache(info, target, file):
                continue
            copy = Path(partial) / path.name
            copy.write_bytes(content)
            copy.replace(target / path.name)
    return target


# ---- places -----------------------------------------------------------------------------------


def _places(
    info: DatasetInfo, cache_dir: str | os.PathLike[str] | None
) -> tuple[tuple[str, Path], ...]:
    """Return the sources of a data set and their folders, in the order in which they are tried."""
    if cache_dir is not None:
        cache_folder(cache_dir)  # refuse a wrong type for every data set alike
    if info.shipped:
        return (("shipped with the package", _SHIPPED_FOLDER),)
    places = [("cache", cache_folder(cache_dir) / info.name)]
    if info.system_folder is not None:
        places.append(("system package", Path(info.system_folder)))
    return tuple(places)


def _find(folder: Path, file: DataFile) -> Path | None:
    """Find a file in a folder, plain or with ``.gz``."""
    for candidate in (folder / file.name, folder / f"{file.name}.gz"):
        if candidate.is_file():
            return candidate
    return None


def _find_all(folder: Path, info: DatasetInfo) -> list[Path] | None:
    """Find all files of a data set in a folder; None if one is missing."""
    paths = [path for file in info.files if (path := _find(folder, file))]
    return paths if len(paths) == len(info.files) else None


def _located(
    info: DatasetInfo, cache_dir: str | os.PathLike[str] | None
) -> tuple[str, Path, list[Path]] | None:
    """Return source, folder and files of the first place that has all of them."""
    for source, folder in _places(info, cache_dir):
        paths = _find_all(folder, info)
        if paths is not None:
            return source, folder, paths
    return None


def _verified_in_cache(info: DatasetInfo, folder: Path, file: DataFile) -> bool:
    """Whether the cache has the file; a corrupt one raises."""
    path = _find(folder, file)
    if path is None:
        return False
    origin = _Origin(str(path), _remedy(info, "cache"))
    _verified(path.read_bytes(), path.name, file, origin)
    return True


def _pooch() -> ModuleType:
    """Import pooch; in a notebook its progress bar asks for widgets, which nobody needs here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import pooch
    found: ModuleType = pooch
    return found


def _fetch(url: str, target: Path, *, progress: bool) -> None:
    """Fetch one file over HTTP."""
    downloader = _pooch().HTTPDownloader(progressbar=progress, chunk_size=2**16, timeout=30)
    try:
        downloader(url, str(target), None)
    except OSError as error:  # every error of the HTTP library is one
        raise DataUnavailableError(f"could not download {url}: {error}") from error


# ---- words ------------------------------------------------------------------------------------


def _file_list(info: DatasetInfo) -> str:
    """Name the files of a data set, in words."""
    file_names = [file.name for file in info.files]
    if len(file_names) > 4:
        return f"{file_names[0]} to {file_names[-1]}"
    return ", ".join(file_names)


def _unavailable(info: DatasetInfo, cache_dir: str | os.PathLike[str] | None) -> str:
    """Say where a data set was looked for, and the ways to get it."""
    looked = []
    for source, folder in _places(info, cache_dir):
        there = sum(_find(folder, file) is not None for file in info.files)
        looked.append(f"{folder} ({source}: {there} of {len(info.files)} files)")
    start = f"the data set {info.name!r} is not on this machine; looked in {' and '.join(looked)}."
    if info.shipped:
        return f"{start} It is part of the package: reinstall fragile-learning."
    ways = " ".join(f"({i}) {way}" for i, way in enumerate(info.ways, start=1))
    return (
        f"{start} Three ways to get it: {ways} Files placed in "
        f"{cache_folder(cache_dir) / info.name} by hand are found as well."
    )


def _remedy(info: DatasetInfo, source: str) -> str:
    """Say what to do about a corrupt file, by where it was found."""
    if source == "cache":
        return (
            "It was kept and not used. Delete it or move it away, then run "
            f"`fragile-learning data download {info.name}` or `fragile-learning data import "
            f"{info.name} FOLDER`."
        )
    if source == "system package":
        return f"It was not used. Reinstall the system package {info.system_package}."
    return "It was not used. Reinstall fragile-learning."


# ---- bytes ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where bytes came from, and what to do if they are wrong: the frame of an error message."""

    place: str
    remedy: str

    def refuse(self, problem: str) -> DataCorruptError:
        """Make the error that says so."""
        return DataCorruptError(f"{self.place} {problem}. {self.remedy}")


# What gzip, zipfile and numpy raise on damaged input (found by flipping every bit of headers).
_UNPACKING_ERRORS = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def _verified(packed: bytes, file_name: str, file: DataFile, origin: _Origin) -> bytes:
    """Unpack the content of a file and compare it with what was recorded.

    Raises
    ------
    DataCorruptError
        If it cannot be unpacked, or its SHA-256 is another.
    """
    expected = f"expected SHA-256 {file.sha256[:16]}… of {file.n_bytes:,} unpacked bytes"
    try:
        raw = _unpacked(packed, file_name)
    except _UNPACKING_ERRORS as error:
        found = hashlib.sha256(packed).hexdigest()[:16]
        raise origin.refuse(
            f"is truncated or damaged and cannot be unpacked ({error}): {expected}, found a file "
            f"of {len(packed):,} bytes, itself of SHA-256 {found}…"
        ) from error
    found = hashlib.sha256(raw).hexdigest()
    if found != file.sha256:
        size = len(raw)
        problem = (
            "holds other bytes than it should"
            if size == file.n_bytes
            else f"is too {'short' if size < file.n_bytes else 'long'}"
        )
        raise origin.refuse(f"{problem}: {expected}, found {found[:16]}… of {size:,} bytes")
    return raw


def _unpacked(packed: bytes, file_name: str) -> bytes:
    """Unpack a ``.gz``, or the two arrays of an ``.npz``; a plain file is what it is."""
    if file_name.endswith(".gz"):
        return gzip.decompress(packed)
    if file_name.endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:  # checks each member's CRC
            members = [
                np.lib.format.read_array(io.BytesIO(archive.read(f"{key}.npy")))
                for key in ("images", "labels")
            ]
        if any(member.dtype != np.uint8 for member in members):
            raise ValueError(f"arrays must be uint8, got {[str(m.dtype) for m in members]}")
        return b"".join(member.tobytes() for member in members)
    return packed


def _parse_idx(
    info: DatasetInfo, raws: Sequence[bytes], origins: Sequence[_Origin]
) -> tuple[Bytes, Bytes]:
    """Images and labels of four IDX files: training images and labels, test images and labels.

    References
    ----------
    The IDX format of the MNIST database: two zero bytes, the type (8: unsigned byte), the number
    of dimensions, each dimension as a big-endian 32-bit integer, the data.
    """
    arrays = []
    for raw, origin, ndim in zip(raws, origins, (3, 1, 3, 1), strict=True):
        if raw[:4] != bytes((0, 0, 8, ndim)):
            raise origin.refuse(
                f"is not an IDX file of {ndim}-dimensional bytes: it begins with "
                f"{raw[:4].hex(' ')}, not with 00 00 08 0{ndim}"
            )
        shape = tuple(np.frombuffer(raw, dtype=">u4", count=ndim, offset=4).tolist())
        start = 4 + 4 * ndim
        if len(raw) != start + int(np.prod(shape)):
            raise origin.refuse(
                f"promises {' × '.join(map(str, shape))} bytes after its header but holds "
                f"{len(raw) - start:,}"
            )
        arrays.append(np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape))
    n_test = info.n_images - info.n_train
    for i, count in ((0, info.n_train), (1, info.n_train), (2, n_test), (3, n_test)):
        shape = (count, *info.image_shape) if i % 2 == 0 else (count,)
        if arrays[i].shape != shape:
            raise origins[i].refuse(f"holds an array of shape {arrays[i].shape}, not {shape}")
        if i % 2 == 1 and arrays[i].max(initial=0) >= info.n_classes:
            raise origins[i].refuse(f"holds a label above {info.n_classes - 1}")
    return np.concatenate(arrays[0::2]), np.concatenate(arrays[1::2])


def _parse_json(
    info: DatasetInfo, raws: Sequence[bytes], origins: Sequence[_Origin]
) -> tuple[Bytes, Bytes]:
    """Images and labels of one JSON file per class, ``{"data": [v, ...]}`` with v in [0, 1].

    Values are pixel/255 rounded to three decimals, so ``round(255 * v)`` gives the byte back.
    Classes come mixed: see :func:`_mixed_order`.
    """
    n_pixels = info.image_shape[0] * info.image_shape[1]
    classes = []
    for raw, origin in zip(raws, origins, strict=True):
        try:
            values = np.asarray(json.loads(raw)["data"], dtype=np.float64)
        except (ValueError, KeyError, TypeError) as error:
            raise origin.refuse(
                f'is not a JSON file with a list of numbers under "data" ({error})'
            ) from error
        if values.ndim != 1 or values.size == 0 or values.size % n_pixels:
            raise origin.refuse(
                f"holds numbers of shape {values.shape}, not a flat list of whole images of "
                f"{n_pixels} pixels"
            )
        if not (values.min() >= 0 and values.max() <= 1):
            raise origin.refuse("holds pixel values outside [0, 1]")
        classes.append(np.rint(255 * values).astype(np.uint8).reshape(-1, *info.image_shape))
    counts = [len(images) for images in classes]
    if sum(counts) != info.n_images:
        raise origins[0].refuse(
            f"and the files beside it hold {sum(counts):,} images, not {info.n_images:,}"
        )
    order = _mixed_order(info.name, info.n_images)
    labels = np.repeat(np.arange(len(classes), dtype=np.uint8), counts)
    return np.concatenate(classes)[order], labels[order]


def _parse_npz(
    info: DatasetInfo,
    raws: Sequence[bytes],
    origins: Sequence[_Origin],  # noqa: ARG001 - all parsers take the same
) -> tuple[Bytes, Bytes]:
    """Images and labels of a shipped file; its bytes are ours, so its layout needs no checks."""
    pixels = np.frombuffer(raws[0], dtype=np.uint8)
    n_labels = info.n_images
    return pixels[:-n_labels].reshape(n_labels, *info.image_shape), pixels[-n_labels:]


def _mixed_order(name: str, n_images: int) -> NDArray[np.int64]:
    """Return a fixed order that mixes classes: indices by the SHA-256 of ``NAME/INDEX``.

    It needs no random numbers, so it is the same in every version of every library.
    """
    keys = [hashlib.sha256(f"{name}/{i}".encode()).digest() for i in range(n_images)]
    return np.array(sorted(range(n_images), key=keys.__getitem__), dtype=np.int64)


_PARSERS: dict[
    str, Callable[[DatasetInfo, Sequence[bytes], Sequence[_Origin]], tuple[Bytes, Bytes]]
] = {
    "fashion-mnist": _parse_idx,
    "mnist-10k": _parse_json,
    "digits": _parse_npz,
    "fashion-mnist-mini": _parse_npz,
}


# ---- the data sets ----------------------------------------------------------------------------

_ZALANDO = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/{}.gz"
)
_CAZALA = (
    "https://raw.githubusercontent.com/cazala/mnist/"
    "76157793a26e2eed9313a6cde6ee60d8167a04fd/src/digits/{}"
)
_FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_FASHION_CITATION = (
    "H. Xiao, K. Rasul, R. Vollgraf (2017). Fashion-MNIST: a Novel Image Dataset for Benchmarking "
    "Machine Learning Algorithms. arXiv:1708.07747."
)
_FASHION_LICENCE = "MIT, Copyright (c) 2017 Zalando SE"
_FASHION_HOMEPAGE = "https://github.com/zalandoresearch/fashion-mnist"
_DIGIT_CLASSES = tuple("0123456789")

_REGISTRY: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="fashion-mnist",
            title="Fashion-MNIST",
            n_images=70_000,
            n_train=60_000,
            image_shape=(28, 28),
            class_names=_FASHION_CLASSES,
            levels=255,
            split="official: 60,000 training images, then 10,000 test images",
            order="as in the official files; the classes are mixed",
            licence=_FASHION_LICENCE,
            citation=_FASHION_CITATION,
            homepage=_FASHION_HOMEPAGE,
            files=tuple(
                DataFile(name, n_bytes, sha256, _ZALANDO.format(name))
                for name, n_bytes, sha256 in (
                    (
                        "train-images-idx3-ubyte",
                        47_040_016,
                        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                    ),
                    (
                        "train-labels-idx1-ubyte",
                        60_008,
                        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                    ),
                    (
                        "t10k-images-idx3-ubyte",
                        7_840_016,
                        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                    ),
                    (
                        "t10k-labels-idx1-ubyte",
                        10_008,
                        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                    ),
                )
            ),
            checksum="14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214",
            system_package="dataset-fashion-mnist",
            system_folder="/usr/share/datasets/fashion-mnist",
            subfolders=("", "raw", "FashionMNIST/raw", "data/fashion"),
        ),
        DatasetInfo(
            name="mnist-10k",
            title="MNIST, 10,000 digits",
            n_images=10_000,
            n_train=10_000,
            image_shape=(28, 28),
            class_names=_DIGIT_CLASSES,
            levels=255,
            split="none: no image is marked as training or test, so n_train counts all of them",
            order=(
                "fixed and mixed: the files hold one class each, so image INDEX of the ten files "
                "read one after another is sorted by the SHA-256 of the text 'mnist-10k/INDEX'"
            ),
            licence=(
                "CC BY-SA 3.0, as MNIST is commonly given (Y. LeCun and C. Cortes); its JSON form "
                "is MIT, Copyright (c) Juan Cazala"
            ),
            citation=(
                "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998). Gradient-based learning "
                "applied to document recognition. Proceedings of the IEEE 86(11), 2278-2324."
            ),
            homepage="https://github.com/cazala/mnist",
            files=tuple(
                DataFile(f"{digit}.json", n_bytes, sha256, _CAZALA.format(f"{digit}.json"))
                for digit, (n_bytes, sha256) in enumerate(
                    (
                        (
                            2_314_420,
                            "64c965faccfe0483cf69df89a24fb69ee338abb4dcf4ddc890258d66e40d5de2",
                        ),
                        (
                            2_142_037,
                            "2143d080bd62935928448372a5315c2ddfdcb0c517f2939e12eb0472ffc9b25e",
                        ),
                        (
                            2_187_973,
                            "7db7b18ebab81b02468fb36acd349137fff8d9024988a7c64361ab5e6567be90",
                        ),
                        (
                            2_263_065,
                            "c12910410ef545feacb25e36d96af981833f45fb814899e7f7d82cedbb54fa54",
                        ),
                        (
                            2_062_695,
                            "b2cb87a1d05a8bd86b0a84d12070bb31f2a4c6cffa19a5c5f598502afc28b5a8",
                        ),
                        (
                            1_839_848,
                            "9286c3b47bdcb24c6b10552e81159233dd1c4c4c13aff7833a2ebaba6bf396ca",
                        ),
                        (
                            2_191_413,
                            "0ef0d890993b69694719899c0a326b026caa48cee34508ad15ac5427f92d641a",
                        ),
                        (
                            2_217_089,
                            "14b83ca1b3d3db6f05c4ed1b386ddc9ad9072230856500950b491bd3d21a2a33",
                        ),
                        (
                            2_099_802,
                            "6ea5298d9b7e4012e0980d97b565e0cdde50befee0e20b2ef8a86d0abce0c762",
                        ),
                        (
                            2_068_860,
                            "bd0ffaad429227dacd35988a05dc0801a294a021e28da86392d628278cfa58ab",
                        ),
                    )
                )
            ),
            checksum="34b86aa3c0321bfd52282cf88656e438edc3a47cea3ffda8d3f649e957961d4f",
            subfolders=("", "src/digits", "package/src/digits"),
        ),
        DatasetInfo(
            name="digits",
            title="Optical recognition of handwritten digits, test part",
            n_images=1_797,
            n_train=1_797,
            image_shape=(8, 8),
            class_names=_DIGIT_CLASSES,
            levels=16,
            split=(
                "none: all of it is the original test part, commonly used alone, so n_train "
                "counts all images"
            ),
            order="as in scikit-learn's load_digits; the classes are mixed",
            licence="CC BY 4.0, E. Alpaydin and C. Kaynak",
            citation=(
                "E. Alpaydin, C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI "
                "Machine Learning Repository."
            ),
            homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
            files=(
                DataFile(
                    "digits.npz",
                    1_797 * 65,
                    "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826",
                ),
            ),
            checksum="87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826",
        ),
        DatasetInfo(
            name="fashion-mnist-mini",
            title="Fashion-MNIST, a balanced subset",
            n_images=3_000,
            n_train=2_000,
            image_shape=(28, 28),
            class_names=_FASHION_CLASSES,
            levels=255,
            split=(
                "ours, inside the official one: the first 200 training images and the first 100 "
                "test images of each class"
            ),
            order="as in the official files; the classes are mixed",
            licence=_FASHION_LICENCE,
            citation=_FASHION_CITATION,
            homepage=_FASHION_HOMEPAGE,
            files=(
                DataFile(
                    "fashion-mnist-mini.npz",
                    3_000 * 785,
                    "5d92096aa1365b497fc09a413b7bd7032a772594842f11bece68dfdac1154286",
                ),
            ),
            checksum="5d92096aa1365b497fc09a413b7bd7032a772594842f11bece68dfdac1154286",
        ),
    )
}
