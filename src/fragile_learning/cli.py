"""The command line: ``fragile-learning data`` lists, fetches, imports and verifies data sets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fragile_learning import datasets

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a known error is one line on stderr and exit status 2."""
    parser = argparse.ArgumentParser(prog="fragile-learning", description=__doc__)
    rooms = parser.add_subparsers(dest="room", required=True)
    data = rooms.add_parser("data", help="data sets: list, download, import, verify")
    actions = data.add_subparsers(dest="action", required=True)
    for action, text in (("list", "what there is"), ("verify", "read and check all that is here")):
        add = actions.add_parser(action, help=text)
        add.add_argument("--cache-dir", help="folder to look in instead of the user's cache")
    download = actions.add_parser("download", help="fetch a data set and check it")
    imported = actions.add_parser("import", help="copy checked files from a folder to the cache")
    for add in (download, imported):
        add.add_argument("name", help="one of " + ", ".join(datasets.names()))
    imported.add_argument("folder")
    for add in (download, imported):
        add.add_argument("--cache-dir", help="folder to write to instead of the user's cache")
    chosen = parser.parse_args(arguments)
    try:
        return _data(chosen)
    except (TypeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _data(chosen: argparse.Namespace) -> int:
    cache = chosen.cache_dir
    if chosen.action == "download":
        print(datasets.download(chosen.name, cache_dir=cache, progress=True))
    elif chosen.action == "import":
        print(datasets.import_folder(chosen.name, chosen.folder, cache_dir=cache))
    else:
        for name in datasets.names():
            found = datasets.locate(name, cache_dir=cache)
            place = "not here" if found is None else f"{found[0]}: {found[1]}"
            checked = ""
            if chosen.action == "verify" and found is not None:
                images = datasets.load(name, cache_dir=cache).images
                checked = f", {len(images)} images verified"
            print(f"{name:20} {place}{checked}")
    return 0
