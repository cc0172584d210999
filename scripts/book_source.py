"""Links from the library's pages to the source of each name: a Sphinx extension.

The links lead to the file and lines in the project's repository. Pages with copies of all sources,
as ``sphinx.ext.viewcode`` makes them, would be two thirds of the site.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[1]


def file_of(module: str) -> Path | None:
    """Return the file of a module, relative to the repository; None if it is not one of ours."""
    stem = Path("src", *module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if (ROOT / path).is_file():
            return path
    return None


@functools.cache
def lines_in(path: Path) -> dict[str, tuple[int, int]]:
    """Return first and last line of each definition and constant of a file, by dotted name."""
    found: dict[str, tuple[int, int]] = {}

    def walk(body: list[ast.stmt], before: str) -> None:
        for node in body:
            span = (node.lineno, node.end_lineno or node.lineno)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[before + node.name] = span
                if isinstance(node, ast.ClassDef):
                    walk(node.body, f"{before}{node.name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                found.update({before + name: span for name in names})

    walk(ast.parse((ROOT / path).read_text(encoding="utf-8")).body, "")
    return found


def address(module: str, name: str, *, repository: str, branch: str) -> str | None:
    """Return the address of a name's source; None if the module does not define it.

    Parameters
    ----------
    module, name : str
        Such as ``"fragile_learning.tables"`` and ``"Manifest.write"``.
    repository, branch : str
        Address of the project's page, and the branch to show.
    """
    path = file_of(module)
    if path is None or (span := lines_in(path).get(name)) is None:
        return None
    first, last = span
    return f"{repository}/blob/{branch}/{path.as_posix()}#L{first}-L{last}"


def on_config(_: Sphinx, config: Config) -> None:
    """Tell sphinx.ext.linkcode where sources are."""
    options = config.html_theme_options

    def resolve(domain: str, info: dict[str, Any]) -> str | None:
        if domain != "py" or not info["module"]:
            return None
        return address(
            info["module"],
            info["fullname"],
            repository=options["repository_url"].rstrip("/"),
            branch=options["repository_branch"],
        )

    config.linkcode_resolve = resolve


def setup(app: Sphinx) -> dict[str, Any]:
    """Use Sphinx's own links to code, with our addresses."""
    app.setup_extension("sphinx.ext.linkcode")
    app.connect("config-inited", on_config)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
