"""Data sets: found, verified, refused. No test here reaches beyond this machine."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import http.server
import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fragile_learning import datasets

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class NetworkUsedError(Exception):
    """Not an OSError on purpose: nothing in the module may catch it."""


@pytest.fixture(autouse=True)
def no_network(request, monkeypatch):
    """Any connection is an error, except in tests that bring their own server on this machine."""
    if "server" in request.fixturenames:
        return

    def refuse(*args, **kwargs):
        raise NetworkUsedError(f"{args} {kwargs}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def idx(array: np.ndarray) -> bytes:
    """An IDX file, written from the format's description."""
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def register(monkeypatch, name: str, raws: dict[str, bytes], url: str = "http://nowhere/", **facts):
    """Replace what is recorded of a data set by small files of the same kinds."""
    files = tuple(
        datasets.DataFile(file, len(raw), sha256(raw), f"{url}{file}") for file, raw in raws.items()
    )
    info = dataclasses.replace(
        datasets.describe(name), files=files, checksum=sha256(b"".join(raws.values())), **facts
    )
    monkeypatch.setitem(datasets._REGISTRY, name, info)
    return info


def fill(folder: Path, raws: dict[str, bytes], packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in raws.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(raw) if packed else raw)
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def system(tmp_path):
    return tmp_path / "system"


@pytest.fixture
def tiny(monkeypatch, system):
    """A Fashion-MNIST of 5 + 2 images of 3 x 2 pixels; returns its unpacked files."""
    rng = np.random.default_rng(0)
    arrays = (
        rng.integers(0, 256, (5, 3, 2)),
        np.array([9, 0, 3, 3, 1]),
        rng.integers(0, 256, (2, 3, 2)),
        np.array([7, 2]),
    )
    raws = {name: idx(array) for name, array in zip(IDX_FILES, arrays, strict=True)}
    register(
        monkeypatch,
        "fashion-mnist",
        raws,
        n_images=7,
        n_train=5,
        image_shape=(3, 2),
        system_folder=str(system),
    )
    return raws


@pytest.fixture
def tiny_json(monkeypatch):
    """An MNIST of ten files with 1, 2, 1, 2, ... images of 2 x 2 pixels; returns its files."""
    rng = np.random.default_rng(1)
    raws = {}
    for digit in range(10):
        pixels = rng.integers(0, 256, 4 * (1 + digit % 2))
        text = ",".join(f"{v:g}" for v in np.round(pixels / 255, 3))
        raws[f"{digit}.json"] = f'{{ "data": [{text}] }}'.encode()
    register(monkeypatch, "mnist-10k", raws, n_images=15, n_train=15, image_shape=(2, 2))
    return raws


# ---- what is recorded ------------------------------------------------------------------------


@pytest.mark.parametrize("name", datasets.names())
def test_what_is_recorded_is_complete(name):
    info = datasets.describe(name)
    assert info.name == name
    assert 0 < info.n_train <= info.n_images
    assert info.n_classes == 10
    for text in (info.title, info.split, info.order, info.licence, info.citation, info.homepage):
        assert text
    for file in info.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.n_bytes > 0
        if not info.shipped:
            # a commit, never a branch: the bytes behind the address cannot change
            assert re.match(
                r"https://raw\.githubusercontent\.com/\w+/[\w-]+/[0-9a-f]{40}/", file.url
            )
            assert file.url.removesuffix(".gz").endswith(f"/{file.name}")
    assert re.fullmatch(r"[0-9a-f]{64}", info.checksum)
    assert len(info.ways) == (1 if info.shipped else 3)


def test_only_the_small_sets_ship():
    shipped = [name for name in datasets.names() if datasets.describe(name).shipped]
    assert shipped == ["digits", "fashion-mnist-mini"]
    sizes = [p.stat().st_size for p in datasets._SHIPPED_FOLDER.glob("*.npz")]
    assert len(sizes) == 2
    assert sum(sizes) < 1_500_000
    for name in ("fashion-mnist", "digits"):
        assert (datasets._SHIPPED_FOLDER / f"LICENSE-{name}.txt").stat().st_size > 200


def test_importing_costs_no_heavy_library():
    code = (
        "import sys, fragile_learning.datasets\n"
        "print(sorted({'pooch', 'pandas', 'requests', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_default_cache_is_the_users_cache_folder():
    import pooch

    assert datasets.cache_folder() == Path(pooch.os_cache("fragile-learning"))
    assert datasets.cache_folder("~/here") == Path.home() / "here"


# ---- the shipped sets ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits", "fashion-mnist-mini"])
def test_shipped_sets_load_anywhere(name, tmp_path):
    info = datasets.describe(name)
    data = datasets.load(name, cache_dir=tmp_path / "nothing")
    assert data.source == "shipped with the package"
    assert data.images.shape == (info.n_images, *info.image_shape)
    assert data.images.dtype == np.float32
    assert data.labels.dtype == np.int64
    assert data.images.min() == 0
    assert data.images.max() == 1
    assert set(data.labels.tolist()) == set(range(10))
    pixels = np.rint(data.images * info.levels).astype(np.uint8)
    assert sha256(pixels.tobytes() + data.labels.astype(np.uint8).tobytes()) == data.checksum


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    theirs = load_digits()
    ours = datasets.load("digits")
    assert np.array_equal(ours.images, (theirs.images / 16).astype(np.float32))
    assert np.array_equal(ours.labels, theirs.target)
    assert ours.n_train == len(ours) == 1797
    assert ours.n_test == 0


def test_mini_is_balanced():
    mini = datasets.load("fashion-mnist-mini")
    assert (mini.n_train, mini.n_test) == (2000, 1000)
    assert np.bincount(mini.labels[:2000]).tolist() == [200] * 10
    assert np.bincount(mini.labels[2000:]).tolist() == [100] * 10


def real(name: str) -> datasets.Dataset:
    if not datasets.available(name):
        pytest.skip(f"{name} is not on this machine: {datasets.describe(name).ways[1]}")
    return datasets.load(name)


@pytest.mark.data
def test_mini_is_the_first_images_of_each_class():
    full = real("fashion-mnist")
    mini = datasets.load("fashion-mnist-mini")
    # Walk through the official order and take an image while its class is not full.
    rows = []
    for start, stop, per_class in ((0, 60_000, 200), (60_000, 70_000, 100)):
        taken = [0] * 10
        for row in range(start, stop):
            label = full.labels[row]
            if taken[label] < per_class:
                taken[label] += 1
                rows.append(row)
    assert np.array_equal(mini.images, full.images[rows])
    assert np.array_equal(mini.labels, full.labels[rows])


@pytest.mark.data
def test_shipped_files_are_what_the_script_makes(monkeypatch, capsys):
    real("fashion-mnist")
    script = pytest.importorskip(
        "make_shipped_data", reason="the scripts are in the repository only"
    )
    monkeypatch.setattr(sys, "argv", ["make_shipped_data"])
    assert script.main() == 0
    assert capsys.readouterr().out.count("as recorded") == 2


@pytest.mark.parametrize("change", ["missing", "altered", "none"])
def test_the_script_looks_into_the_shipped_files(monkeypatch, tmp_path, capsys, change):
    script = pytest.importorskip(
        "make_shipped_data", reason="the scripts are in the repository only"
    )
    arrays = {}
    for name in ("digits", "fashion-mnist-mini"):
        with np.load(script.FOLDER / f"{name}.npz") as content:
            arrays[name] = (content["images"], content["labels"])
    # what the script makes, without the whole of Fashion-MNIST
    monkeypatch.setattr(script, "digits", lambda: arrays["digits"])
    monkeypatch.setattr(script, "fashion_mnist_mini", lambda: arrays["fashion-mnist-mini"])
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_shipped_data"])
    for name, (images, labels) in arrays.items():
        np.savez(tmp_path / f"{name}.npz", images=images, labels=labels)
    path = tmp_path / "digits.npz"
    if change == "missing":
        path.unlink()
    elif change == "altered":
        images, labels = arrays["digits"]
        np.savez(path, images=images ^ np.uint8(1), labels=labels)
    assert script.main() == (0 if change == "none" else 1)
    assert ("NOT what the shipped file holds" in capsys.readouterr().out) is (change != "none")


# ---- the real larger sets --------------------------------------------------------------------


@pytest.mark.data
def test_real_fashion_mnist():
    data = real("fashion-mnist")
    assert data.images.shape == (70_000, 28, 28)
    assert (data.n_train, data.n_test) == (60_000, 10_000)
    assert np.bincount(data.labels[:60_000]).tolist() == [6000] * 10
    # The published checksum of the labels' file is that of a header and our labels.
    raw = idx(data.labels[60_000:])
    assert sha256(raw) == "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    raw = idx(np.rint(data.images[60_000:] * 255))
    assert sha256(raw) == "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"


@pytest.mark.data
def test_real_fashion_mnist_total_checksum():
    info = datasets.describe("fashion-mnist")
    found = datasets.locate("fashion-mnist")
    if found is None:
        pytest.skip(f"fashion-mnist is not on this machine: {info.ways[1]}")
    total = hashlib.sha256()
    for file in info.files:
        path = datasets._find(found[1], file)
        raw = path.read_bytes()
        total.update(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    assert total.hexdigest() == info.checksum


@pytest.mark.data
def test_real_mnist_10k():
    data = real("mnist-10k")
    info = datasets.describe("mnist-10k")
    assert data.images.shape == (10_000, 28, 28)
    assert np.bincount(data.labels).tolist() == [
        *(1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978)
    ]
    assert data.n_test == 0
    # Undo the order with an independent reading of the files.
    _, folder = datasets.locate("mnist-10k")
    raws = [(folder / file.name).read_bytes() for file in info.files]
    assert sha256(b"".join(raws)) == info.checksum
    values = np.concatenate([json.loads(raw)["data"] for raw in raws]).reshape(-1, 28, 28)
    keys = [sha256(f"mnist-10k/{i}".encode()) for i in range(10_000)]
    order = sorted(range(10_000), key=lambda i: keys[i])
    assert np.abs(data.images - values[order]).max() <= 0.00051
    levels = data.images.astype(np.float64) * 255
    assert np.abs(levels - np.rint(levels)).max() < 1e-4
    # Mixed: a thousand images hold about 100 of each class; a plain reading would hold one class.
    counts = np.bincount(data.labels[:1000], minlength=10)
    assert counts.min() > 60


# ---- where it is looked for ------------------------------------------------------------------


def test_images_labels_and_split(tiny, cache):
    fill(cache / "fashion-mnist", tiny)
    data = datasets.load("fashion-mnist", cache_dir=cache)
    pixels = b"".join(tiny[name][16:] for name in IDX_FILES[::2])
    want = np.frombuffer(pixels, np.uint8).reshape(7, 3, 2) / 255
    assert np.array_equal(data.images, want.astype(np.float32))
    assert data.labels.tolist() == [9, 0, 3, 3, 1, 7, 2]
    assert (len(data), data.n_train, data.n_test) == (7, 5, 2)
    assert data.checksum == sha256(b"".join(tiny.values()))
    assert data.source == "cache"
    assert "MIT" in data.licence
    assert "1708.07747" in data.citation


def test_cache_comes_before_the_system_package(tiny, cache, system):
    assert not datasets.available("fashion-mnist", cache_dir=cache)
    assert datasets.locate("fashion-mnist", cache_dir=cache) is None
    fill(system, tiny, packed=True)
    assert datasets.load("fashion-mnist", cache_dir=cache).source == "system package"
    fill(cache / "fashion-mnist", tiny)
    assert datasets.load("fashion-mnist", cache_dir=str(cache)).source == "cache"
    assert datasets.locate("fashion-mnist", cache_dir=cache) == ("cache", cache / "fashion-mnist")
    assert datasets.available("fashion-mnist", cache_dir=cache)


def test_incomplete_cache_is_passed_over(tiny, cache, system):
    fill(cache / "fashion-mnist", {IDX_FILES[0]: tiny[IDX_FILES[0]]})
    fill(system, tiny)
    assert datasets.load("fashion-mnist", cache_dir=cache).source == "system package"


def test_plain_and_packed_files_may_be_mixed(tiny, cache):
    fill(cache / "fashion-mnist", {name: tiny[name] for name in IDX_FILES[:2]})
    fill(cache / "fashion-mnist", {name: tiny[name] for name in IDX_FILES[2:]}, packed=True)
    assert len(datasets.load("fashion-mnist", cache_dir=cache)) == 7


def test_missing_names_the_three_ways(tiny, cache, system):
    fill(cache / "fashion-mnist", {IDX_FILES[0]: tiny[IDX_FILES[0]]})
    with pytest.raises(datasets.DataUnavailableError) as caught:
        datasets.load("fashion-mnist", cache_dir=cache)
    message = str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    for part in (
        "'fashion-mnist'",
        f"{cache / 'fashion-mnist'} (cache: 1 of 4 files)",
        f"{system} (system package: 0 of 4 files)",
        "dataset-fashion-mnist",
        "`fragile-learning data download fashion-mnist`",
        "`fragile-learning data import fashion-mnist FOLDER`",
    ):
        assert part in message


def test_missing_says_so_where_no_system_package_exists(tiny_json, cache):
    with pytest.raises(datasets.DataUnavailableError, match="none holds this data set") as caught:
        datasets.load("mnist-10k", cache_dir=cache)
    assert "`fragile-learning data download mnist-10k`" in str(caught.value)
    assert "0.json to 9.json" in str(caught.value)


def test_missing_shipped_file(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "_SHIPPED_FOLDER", tmp_path)
    with pytest.raises(datasets.DataUnavailableError, match="reinstall fragile-learning"):
        datasets.load("digits")


def test_load_first(tiny, tiny_json, cache):
    with pytest.raises(datasets.DataUnavailableError) as caught:
        datasets.load_first(["mnist-10k", "fashion-mnist"], cache_dir=cache)
    assert "'mnist-10k'" in str(caught.value)
    assert "'fashion-mnist'" in str(caught.value)
    wanted = ["mnist-10k", "fashion-mnist", "digits"]
    assert datasets.load_first(wanted, cache_dir=cache).name == "digits"
    fill(cache / "fashion-mnist", tiny)
    assert datasets.load_first(wanted, cache_dir=cache).name == "fashion-mnist"
    fill(cache / "mnist-10k", tiny_json)
    assert datasets.load_first(wanted, cache_dir=cache).name == "mnist-10k"


def test_load_first_does_not_step_over_a_corrupt_file(tiny, cache):
    fill(cache / "fashion-mnist", tiny | {IDX_FILES[3]: b"nonsense"})
    with pytest.raises(datasets.DataCorruptError, match=IDX_FILES[3]):
        datasets.load_first(["fashion-mnist", "digits"], cache_dir=cache)


# ---- corrupt files ---------------------------------------------------------------------------


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


DAMAGES = {
    "one flipped bit": (flipped, "holds other bytes"),
    "one byte short": (lambda raw: raw[:-1], "too short"),
    "one byte long": (lambda raw: raw + b"\0", "too long"),
    "empty": (lambda raw: b"", "too short"),
    "a web page": (lambda raw: b"<html>404</html>", "expected SHA-256"),
}
PACKED_DAMAGES = {
    "truncated": (lambda raw: gzip.compress(raw)[:-9], "cannot be unpacked"),
    "truncated in the header": (lambda raw: gzip.compress(raw)[:5], "cannot be unpacked"),
    "trailing rubbish": (lambda raw: gzip.compress(raw) + b"rubbish", "cannot be unpacked"),
    "a web page": (lambda raw: b"<html>404</html>", "cannot be unpacked"),
    "another content": (lambda raw: gzip.compress(flipped(raw)), "holds other bytes"),
    "checksum of gzip wrong": (
        lambda raw: gzip.compress(raw)[:-8] + b"12345678",
        "cannot be unpacked",
    ),
}
CASES = [(name, *case, "") for name, case in DAMAGES.items()] + [
    (name, *case, ".gz") for name, case in PACKED_DAMAGES.items()
]


@pytest.mark.parametrize("file", IDX_FILES)
@pytest.mark.parametrize(
    ("damage", "problem", "suffix"),
    [case[1:] for case in CASES],
    ids=[f"{case[0]}{case[3]}" for case in CASES],
)
def test_corrupt_cache_is_an_error_and_is_kept(tiny, cache, system, file, damage, problem, suffix):
    fill(system, tiny)  # a good copy elsewhere must not hide it
    fill(cache / "fashion-mnist", {name: raw for name, raw in tiny.items() if name != file})
    path = cache / "fashion-mnist" / f"{file}{suffix}"
    content = damage(tiny[file])
    path.write_bytes(content)
    with pytest.raises(datasets.DataCorruptError) as caught:
        datasets.load("fashion-mnist", cache_dir=cache)
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    found = gzip.decompress(content) if problem != "cannot be unpacked" and suffix else content
    for part in (
        str(path),
        problem,
        sha256(tiny[file])[:16],
        sha256(found)[:16],
        "kept and not used",
        "`fragile-learning data download fashion-mnist`",
    ):
        assert part in message
    assert path.read_bytes() == content


def test_a_correct_file_passes_the_same_path(tiny, cache):
    # The negative control of the test above: undamaged, packed and plain.
    fill(cache / "fashion-mnist", tiny, packed=True)
    assert len(datasets.load("fashion-mnist", cache_dir=cache)) == 7


def test_every_changed_byte_is_seen(tiny, cache):
    folder = fill(cache / "fashion-mnist", tiny)
    raw = tiny[IDX_FILES[2]]
    for i in range(len(raw)):
        changed = raw[:i] + bytes([raw[i] ^ 0x40]) + raw[i + 1 :]
        (folder / IDX_FILES[2]).write_bytes(changed)
        with pytest.raises(datasets.DataCorruptError, match=IDX_FILES[2]):
            datasets.load("fashion-mnist", cache_dir=cache)


def test_a_change_after_a_load_is_seen(tiny, cache):
    folder = fill(cache / "fashion-mnist", tiny)
    datasets.load("fashion-mnist", cache_dir=cache)
    (folder / IDX_FILES[1]).write_bytes(flipped(tiny[IDX_FILES[1]]))
    with pytest.raises(datasets.DataCorruptError, match=IDX_FILES[1]):
        datasets.load("fashion-mnist", cache_dir=cache)


def test_corrupt_system_package(tiny, cache, system):
    fill(system, tiny | {IDX_FILES[0]: flipped(tiny[IDX_FILES[0]])})
    with pytest.raises(
        datasets.DataCorruptError, match="Reinstall the system package dataset-fashion-mnist"
    ):
        datasets.load("fashion-mnist", cache_dir=cache)


def test_corrupt_shipped_file_in_every_kind_of_place(monkeypatch, tmp_path):
    """A flipped bit anywhere gives DataCorruptError or, in a date of the zip, the same arrays."""
    whole = (datasets._SHIPPED_FOLDER / "digits.npz").read_bytes()
    want = datasets.load("digits")
    monkeypatch.setattr(datasets, "_SHIPPED_FOLDER", tmp_path)
    path = tmp_path / "digits.npz"
    n = len(whole)
    refusals = []
    places = [*range(0, 120, 3), *range(120, n, n // 20), *range(n - 220, n, 3)]
    for i in places:
        path.write_bytes(whole[:i] + bytes([whole[i] ^ (1 << i % 8)]) + whole[i + 1 :])
        try:
            data = datasets.load("digits")
        except datasets.DataCorruptError as error:
            refusals.append(str(error))
        else:
            assert np.array_equal(data.images, want.images)
            assert np.array_equal(data.labels, want.labels)
    assert len(refusals) > len(places) / 2
    for message in refusals:
        assert str(path) in message
        assert "Reinstall fragile-learning" in message


def test_shipped_arrays_of_another_type_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "_SHIPPED_FOLDER", tmp_path)
    good = np.zeros((1797, 8, 8), np.uint8)
    for arrays in (
        {"images": good, "labels": np.zeros(1797)},  # not bytes
        {"images": good},  # one is missing
        {"images": good, "labels": np.array([{}])},  # pickled
    ):
        np.savez(tmp_path / "digits.npz", **arrays)
        with pytest.raises(datasets.DataCorruptError, match="cannot be unpacked"):
            datasets.load("digits")


def with_file(monkeypatch, cache, name, raws, file, raw):
    """Record and store a file that verifies but does not make sense."""
    info = datasets.describe(name)
    facts = {"n_images": info.n_images, "n_train": info.n_train, "image_shape": info.image_shape}
    raws = raws | {file: raw}
    register(monkeypatch, name, raws, **facts)
    fill(cache / name, raws)


@pytest.mark.parametrize(
    ("file", "raw", "problem"),
    [
        (0, b"\0\0\x08\x01" + bytes(100), "begins with 00 00 08 01, not with 00 00 08 03"),
        (1, b"\0\0\x0d\x01" + bytes(9), "begins with 00 00 0d 01, not with 00 00 08 01"),
        (1, b"", "not an IDX file"),
        (1, idx(np.zeros(5))[:-1], "promises 5 bytes after its header but holds 4"),
        (0, idx(np.zeros((5, 3, 2))) + b"\0", "promises 5 × 3 × 2 bytes"),
        (0, idx(np.zeros((5, 2, 3))), r"shape \(5, 2, 3\), not \(5, 3, 2\)"),
        (2, idx(np.zeros((5, 3, 2))), r"shape \(5, 3, 2\), not \(2, 3, 2\)"),
        (3, idx(np.zeros(3)), r"shape \(3,\), not \(2,\)"),
        (3, idx(np.array([1, 10])), "label above 9"),
    ],
)
def test_idx_files_that_make_no_sense(monkeypatch, tiny, cache, file, raw, problem):
    with_file(monkeypatch, cache, "fashion-mnist", tiny, IDX_FILES[file], raw)
    with pytest.raises(datasets.DataCorruptError, match=problem) as caught:
        datasets.load("fashion-mnist", cache_dir=cache)
    assert IDX_FILES[file] in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not a JSON file"),
        (b'{"data": [0, 1', "not a JSON file"),
        (b"\xff\xfe\xfa", "not a JSON file"),
        (b'{"pixels": [0]}', "not a JSON file"),
        (b"[0, 0, 0, 0]", "not a JSON file"),
        (b'{"data": ["a"]}', "not a JSON file"),
        (b'{"data": [[0, 0], [0]]}', "not a JSON file"),
        (b'{"data": [0, 0, 0]}', "whole images of 4 pixels"),
        (b'{"data": []}', "whole images of 4 pixels"),
        (b'{"data": [[0, 0, 0, 0]]}', "whole images of 4 pixels"),
        (b'{"data": [0, 0, 0, 1.001]}', "outside"),
        (b'{"data": [0, 0, 0, -0.001]}', "outside"),
        (b'{"data": [0, 0, 0, NaN]}', "outside"),
        (b'{"data": [0, 0, 0, 1, 0, 0, 0, 1]}', "16 images, not 15"),
    ],
)
def test_json_files_that_make_no_sense(monkeypatch, tiny_json, cache, raw, problem):
    with_file(monkeypatch, cache, "mnist-10k", tiny_json, "0.json", raw)
    with pytest.raises(datasets.DataCorruptError, match=problem) as caught:
        datasets.load("mnist-10k", cache_dir=cache)
    assert "0.json" in str(caught.value)


def test_json_order_is_the_documented_one(tiny_json, cache):
    fill(cache / "mnist-10k", tiny_json)
    data = datasets.load("mnist-10k", cache_dir=cache)
    flat = np.concatenate([json.loads(raw)["data"] for raw in tiny_json.values()])
    labels = np.repeat(np.arange(10), [1, 2] * 5)
    order = sorted(range(15), key=lambda i: sha256(f"mnist-10k/{i}".encode()))
    assert order != sorted(order)
    want = np.rint(255 * flat).reshape(15, 2, 2)[order] / 255
    assert np.array_equal(data.images, want.astype(np.float32))
    assert data.labels.tolist() == labels[order].tolist()
    assert data.n_train == 15


# ---- download --------------------------------------------------------------------------------


@pytest.fixture
def server():
    """A web server on this machine: a dict of path -> (status, bytes, promised length)."""
    pages = {}
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, content, promised = pages.get(self.path, (404, b"no such page", None))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if promised is None else promised))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        httpd.pages, httpd.asked = pages, asked
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture
def served(server, tiny, monkeypatch):
    """The tiny Fashion-MNIST, offered packed by the server."""
    info = datasets.describe("fashion-mnist")
    files = tuple(
        dataclasses.replace(file, url=f"http://127.0.0.1:{server.server_port}/{file.name}.gz")
        for file in info.files
    )
    info = dataclasses.replace(info, files=files)
    monkeypatch.setitem(datasets._REGISTRY, "fashion-mnist", info)
    for file in files:
        server.pages[f"/{file.name}.gz"] = (200, gzip.compress(tiny[file.name]), None)
    return server


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_download(served, cache, capfd):
    folder = datasets.download("fashion-mnist", cache_dir=cache)
    assert folder == cache / "fashion-mnist"
    assert names_in(folder) == sorted(f"{name}.gz" for name in IDX_FILES)
    assert datasets.load("fashion-mnist", cache_dir=cache).source == "cache"
    assert len(served.asked) == 4
    datasets.download("fashion-mnist", cache_dir=cache)
    assert len(served.asked) == 4  # nothing is fetched twice
    assert capfd.readouterr().err == ""


def test_download_completes_a_partial_cache(served, tiny, cache):
    fill(cache / "fashion-mnist", {IDX_FILES[1]: tiny[IDX_FILES[1]]})
    datasets.download("fashion-mnist", cache_dir=cache)
    assert served.asked == [f"/{name}.gz" for name in IDX_FILES if name != IDX_FILES[1]]


def test_download_shows_progress_when_asked(served, cache, capfd):
    datasets.download("fashion-mnist", cache_dir=cache, progress=True)
    assert "100%" in capfd.readouterr().err


def test_download_of_a_page_that_is_gone(served, cache):
    del served.pages[f"/{IDX_FILES[1]}.gz"]
    with pytest.raises(
        datasets.DataUnavailableError, match=rf"could not download .*{IDX_FILES[1]}"
    ):
        datasets.download("fashion-mnist", cache_dir=cache)
    assert names_in(cache / "fashion-mnist") == [f"{IDX_FILES[0]}.gz"]  # verified, worth keeping


def test_download_of_other_bytes(served, tiny, cache):
    page = f"/{IDX_FILES[0]}.gz"
    served.pages[page] = (200, gzip.compress(flipped(tiny[IDX_FILES[0]])), None)
    with pytest.raises(datasets.DataCorruptError, match="Nothing was stored") as caught:
        datasets.download("fashion-mnist", cache_dir=cache)
    assert f"http://127.0.0.1:{served.server_port}{page}" in str(caught.value)
    assert names_in(cache / "fashion-mnist") == []


def test_download_that_breaks_off(served, cache):
    page = f"/{IDX_FILES[0]}.gz"
    content = served.pages[page][1]
    served.pages[page] = (200, content[:-5], len(content))
    with pytest.raises((datasets.DataUnavailableError, datasets.DataCorruptError)):
        datasets.download("fashion-mnist", cache_dir=cache)
    assert names_in(cache / "fashion-mnist") == []


def test_download_keeps_a_corrupt_file_and_says_so(served, cache):
    folder = fill(cache / "fashion-mnist", {IDX_FILES[0]: b"precious?"})
    with pytest.raises(datasets.DataCorruptError, match="kept and not used"):
        datasets.download("fashion-mnist", cache_dir=cache)
    assert (folder / IDX_FILES[0]).read_bytes() == b"precious?"
    assert served.asked == []


def test_interrupted_download_leaves_nothing(tiny, cache, monkeypatch):
    def interrupted(url, target, *, progress):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "_fetch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        datasets.download("fashion-mnist", cache_dir=cache)
    assert names_in(cache / "fashion-mnist") == []


def test_nothing_but_download_connects(tiny, cache):
    # The guard works: download trips over it. Every load in this file runs under the same guard.
    with pytest.raises(NetworkUsedError):
        datasets.download("fashion-mnist", cache_dir=cache)
    with pytest.raises(datasets.DataUnavailableError):
        datasets.load("fashion-mnist", cache_dir=cache)


def test_downloading_a_shipped_set_needs_no_network(tmp_path):
    folder = datasets.download("digits", cache_dir=tmp_path)
    assert (folder / "digits.npz").is_file()
    assert names_in(tmp_path) == []


# ---- import ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sub", ["", "src/digits", "package/src/digits"])
@pytest.mark.parametrize("packed", [False, True])
def test_import_folder(tiny_json, cache, tmp_path, sub, packed):
    mine = fill(tmp_path / "mine" / sub, tiny_json, packed=packed)
    before = names_in(mine)
    target = datasets.import_folder("mnist-10k", tmp_path / "mine", cache_dir=cache)
    assert target == cache / "mnist-10k"
    assert names_in(target) == before == names_in(mine)
    assert datasets.load("mnist-10k", cache_dir=cache).source == "cache"
    assert datasets.import_folder("mnist-10k", str(mine), cache_dir=cache) == target
    assert names_in(target) == before


def test_import_reads_torchvisions_layout(tiny, cache, tmp_path):
    fill(tmp_path / "FashionMNIST" / "raw", tiny)
    datasets.import_folder("fashion-mnist", tmp_path, cache_dir=cache)
    assert len(datasets.load("fashion-mnist", cache_dir=cache)) == 7


def test_import_of_an_incomplete_folder(tiny_json, cache, tmp_path):
    fill(tmp_path / "mine", {name: raw for name, raw in tiny_json.items() if name != "3.json"})
    with pytest.raises(datasets.DataUnavailableError, match=r"lacks 3\.json") as caught:
        datasets.import_folder("mnist-10k", tmp_path / "mine", cache_dir=cache)
    assert "0.json to 9.json" in str(caught.value)
    with pytest.raises(datasets.DataUnavailableError, match="is not a folder"):
        datasets.import_folder("mnist-10k", tmp_path / "nowhere", cache_dir=cache)
    assert not cache.exists()


def test_import_of_a_corrupt_file_imports_nothing(tiny_json, cache, tmp_path):
    mine = fill(tmp_path / "mine", tiny_json | {"9.json": flipped(tiny_json["9.json"])})
    with pytest.raises(datasets.DataCorruptError, match="nothing was imported") as caught:
        datasets.import_folder("mnist-10k", mine, cache_dir=cache)
    assert str(mine / "9.json") in str(caught.value)
    assert not cache.exists()


def test_import_keeps_a_corrupt_file_of_the_cache(tiny_json, cache, tmp_path):
    mine = fill(tmp_path / "mine", tiny_json)
    target = fill(cache / "mnist-10k", {"5.json": b"precious?"})
    with pytest.raises(datasets.DataCorruptError, match="kept and not used"):
        datasets.import_folder("mnist-10k", mine, cache_dir=cache)
    assert (target / "5.json").read_bytes() == b"precious?"


def test_import_of_a_shipped_set():
    with pytest.raises(ValueError, match="'digits', which ships with the package"):
        datasets.import_folder("digits", "anywhere")


# ---- bad input -------------------------------------------------------------------------------

TAKING_A_NAME = [
    datasets.describe,
    datasets.locate,
    datasets.available,
    datasets.load,
    datasets.download,
    lambda name: datasets.import_folder(name, "."),
    lambda name: datasets.load_first([name]),
    lambda name: datasets.load_first(["digits", name]),
]


@pytest.mark.parametrize("function", TAKING_A_NAME)
@pytest.mark.parametrize("name", [3, None, b"digits", ["digits"], Path("digits"), True])
def test_name_of_the_wrong_type(function, name):
    with pytest.raises(TypeError, match=r"name must be a string, one of 'fashion-mnist', .*got "):
        function(name)


@pytest.mark.parametrize("function", TAKING_A_NAME)
@pytest.mark.parametrize("name", ["", "mnist", "Digits", "digits ", "../digits"])
def test_unknown_name(function, name):
    with pytest.raises(ValueError, match="name must be one of 'fashion-mnist', 'mnist-10k'") as e:
        function(name)
    assert repr(name) in str(e.value)


def test_names_of_load_first():
    with pytest.raises(TypeError, match="single string 'digits'"):
        datasets.load_first("digits")
    with pytest.raises(ValueError, match="at least one name"):
        datasets.load_first([])


@pytest.mark.parametrize("cache_dir", [3, b"bytes", ["x"], True])
@pytest.mark.parametrize("name", ["digits", "mnist-10k"])
def test_cache_dir_of_the_wrong_type(name, cache_dir):
    with pytest.raises(TypeError, match="cache_dir must be a path or None, got "):
        datasets.load(name, cache_dir=cache_dir)


def test_folder_of_the_wrong_type(cache):
    with pytest.raises(TypeError, match="folder must be a path, got None"):
        datasets.import_folder("mnist-10k", None, cache_dir=cache)


def test_cache_dir_that_is_a_file(tiny, tmp_path):
    path = tmp_path / "file"
    path.write_text("I am not a folder")
    with pytest.raises(datasets.DataUnavailableError):
        datasets.load("fashion-mnist", cache_dir=path)


# ---- Dataset ---------------------------------------------------------------------------------


def dataset(**changes):
    facts = {
        "name": "x",
        "images": np.zeros((3, 2, 2), np.float32),
        "labels": np.zeros(3, np.int64),
        "n_train": 2,
        "licence": "",
        "citation": "",
        "checksum": "",
        "source": "",
    }
    return datasets.Dataset(**(facts | changes))


def test_dataset_is_read_only():
    images = np.zeros((3, 2, 2), np.float32)
    data = dataset(images=images)
    for array in (data.images, data.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.n_train = 0
    images[0] = 1  # the caller's own array stays as it was
    assert (len(data), data.n_test) == (3, 1)
    assert "array" not in repr(data)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": np.zeros((3, 2, 2))}, TypeError, "images must be float32, got float64"),
        ({"labels": np.zeros(3, np.int32)}, TypeError, "labels must be int64, got int32"),
        ({"images": np.zeros((3, 4), np.float32)}, ValueError, r"got \(3, 4\)"),
        ({"labels": np.zeros(2, np.int64)}, ValueError, r"shape \(3,\), got \(2,\)"),
        ({"labels": np.zeros((3, 1), np.int64)}, ValueError, r"got \(3, 1\)"),
        ({"n_train": 4}, ValueError, "n_train must be an integer >= 0 and <= 3, got 4"),
        ({"n_train": -1}, ValueError, "n_train"),
        ({"n_train": 1.0}, TypeError, "n_train"),
    ],
)
def test_dataset_refuses(changes, error, message):
    with pytest.raises(error, match=message):
        dataset(**changes)
