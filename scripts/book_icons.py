"""Only the icons that the pages show: a Sphinx extension.

The theme ships two thousand icons in one script of 1.5 MB, of which the book shows some twenty.
After the build, those that no page names are taken out of the built copy of that script.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx

SCRIPT = Path("_static/scripts/fontawesome.js")
FEWEST = 1000  # icons of the theme's script; fewer are found: its form is not the one known here

_NAME = re.compile(r"\bfa-([a-z0-9][a-z0-9-]*)")
_ICON = re.compile(
    r'"?(?P<name>[\w-]+)"?:\[\d+,\d+,\[(?P<others>[^\]]*)\],'
    r'"[0-9a-f]+",(?:"[^"]*"|\["[^"]*","[^"]*"\])\](?P<end>,?)'
)


def names_in(pages: Iterable[Path]) -> set[str]:
    """Return the names of icons in the pages and scripts of a site.

    Parameters
    ----------
    pages : iterable of Path
        HTML files, and scripts that put icons into pages.
    """
    return {name for page in pages for name in _NAME.findall(page.read_text(encoding="utf-8"))}


def only(script: str, names: set[str]) -> str:
    """Return the script with these icons alone; unchanged if it is not of the known form.

    Parameters
    ----------
    script : str
        The theme's script.
    names : set of str
        Names without ``fa-``; other names of an icon count as its own.
    """

    def keep(icon: re.Match[str]) -> str:
        mine = {icon["name"], *re.findall(r'"([^"]*)"', icon["others"])}
        return icon[0] if mine & names else ""

    if sum(1 for _ in _ICON.finditer(script)) < FEWEST:
        return script
    # An object that ends in a comma is still one.
    return _ICON.sub(keep, script)


def on_finish(app: Sphinx, error: Exception | None) -> None:
    """Take the icons out once all pages are there."""
    site = Path(app.outdir)
    script = site / SCRIPT
    if error is not None or app.builder.format != "html" or not script.is_file():
        return
    scripts = [path for path in (site / "_static").rglob("*.js") if path != script]
    names = names_in([*site.rglob("*.html"), *scripts])
    text = script.read_text(encoding="utf-8")
    script.write_text(only(text, names), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to the end of a build."""
    app.connect("build-finished", on_finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
