"""Pictures of cells as files beside the pages: a Sphinx extension.

A cell's figure comes twice, for light and for dark pages, inside the page's HTML. That suits a
notebook; on the site it would make a chapter weigh three to four megabytes. Here each picture
becomes a file named by its content, and is asked for when it comes into view: of the two only
the one that is shown.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "_images"
_PICTURE = re.compile(r'src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)"')


def to_files(body: str, folder: Path, address: str) -> str:
    """Write the SVG pictures of a page to files, and return the page with links to them.

    Parameters
    ----------
    body : str
        HTML.
    folder : Path
        Where the files go; made if there is a picture.
    address : str
        Of the folder, as seen from the page, with a slash at its end.
    """

    def replace(match: re.Match[str]) -> str:
        picture = base64.b64decode(match[1], validate=True)
        name = f"{hashlib.sha256(picture).hexdigest()[:20]}.svg"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture)
        return f'src="{address}{name}" loading="lazy"'

    return _PICTURE.sub(replace, body)


def on_page(app: Sphinx, page: str, _: str, context: dict[str, Any], __: Any) -> None:
    """Do so for a page that is about to be written."""
    if "body" in context and app.builder.format == "html":
        address = "../" * page.count("/") + f"{FOLDER}/"
        context["body"] = to_files(context["body"], Path(app.outdir) / FOLDER, address)


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to pages."""
    app.connect("html-page-context", on_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
