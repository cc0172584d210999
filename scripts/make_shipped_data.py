"""Make the data files that ship with the package, from their public sources.

    python scripts/make_shipped_data.py            # compare with the shipped files, write nothing
    python scripts/make_shipped_data.py --write    # write them, print the checksums to record

``digits.npz`` is made from scikit-learn's copy of the digits, ``fashion-mnist-mini.npz`` from the
whole of Fashion-MNIST, which must be on this machine (``fragile-learning data list``). Both hold
two arrays of bytes: ``images`` (N, H, W) and ``labels`` (N,). What counts is the SHA-256 of the
arrays' bytes, not that of the compressed file, which may depend on the version of zlib.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fragile_learning import datasets

FOLDER = Path(datasets.__file__).parent / "data"
TRAIN_PER_CLASS = 200
TEST_PER_CLASS = 100

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def digits() -> Arrays:
    """Take the 1,797 digits of scikit-learn, whose pixels are whole numbers from 0 to 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)


def fashion_mnist_mini() -> Arrays:
    """Take the first images of each class, of the training and the test part, in file order."""
    full = datasets.load("fashion-mnist")
    chosen = []
    for start, stop, per_class in (
        (0, full.n_train, TRAIN_PER_CLASS),
        (full.n_train, len(full), TEST_PER_CLASS),
    ):
        labels = full.labels[start:stop]
        firsts = [np.flatnonzero(labels == label)[:per_class] for label in range(10)]
        chosen.append(start + np.sort(np.concatenate(firsts)))
    rows = np.concatenate(chosen)
    images = np.rint(255 * full.images[rows]).astype(np.uint8)
    return images, full.labels[rows].astype(np.uint8)


def checksum(arrays: Arrays) -> str:
    """SHA-256 of the images' bytes, then the labels'."""
    images, labels = arrays
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()


def shipped(path: Path) -> str:
    """Checksum of a shipped file's arrays; empty if it is not there."""
    if not path.exists():
        return ""
    with np.load(path) as arrays:
        return checksum((arrays["images"], arrays["labels"]))


def main() -> int:
    """Compare or write; 0 if the shipped files hold what the sources give."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the files")
    write = parser.parse_args().write
    agree = True
    for name, make in (("digits", digits), ("fashion-mnist-mini", fashion_mnist_mini)):
        arrays = make()
        found = checksum(arrays)
        path = FOLDER / f"{name}.npz"
        if write:
            np.savez_compressed(path, images=arrays[0], labels=arrays[1])
        verdict = "as recorded"
        if found != datasets.describe(name).checksum:
            verdict = "NOT what datasets.py records"
        elif found != shipped(path):
            verdict = "NOT what the shipped file holds"
        agree &= verdict == "as recorded"
        size = f"{path.stat().st_size:,} bytes" if path.exists() else "no file"
        print(f"{path.name}: {size}, arrays {found}, {verdict}")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
