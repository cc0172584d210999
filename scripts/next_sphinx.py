"""Build the book's unchanged sources with the newest Sphinx and without Jupyter Book.

Jupyter Book 1 holds Sphinx at version 7. This keeps the way out open: it writes the conf.py that
``_config.yml`` stands for, takes Jupyter Book's own extensions out of it, and builds strictly in a
second environment under ``_build/next``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEXT = ROOT / "_build" / "next"
OWN = ("jupyter_book", "sphinx_jupyterbook_latex")
NEWEST = ["sphinx>=9", "sphinx-book-theme", "sphinx-comments", "sphinx-copybutton", "sphinx-design"]
NEWEST += ["sphinx-external-toc", "sphinx-multitoc-numbering", "sphinx-togglebutton"]


def run(*command: str | Path) -> None:
    """Run a command in the checkout; raise if it fails."""
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True)


def main() -> None:
    """Make the environment, write conf.py, build, and remove conf.py again."""
    conf = ROOT / "conf.py"
    if conf.exists():
        raise SystemExit("conf.py is in the way: move it and try again")
    python = NEXT / "venv" / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", NEXT / "venv")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    book = [r for r in project["optional-dependencies"]["book"] if not r.startswith("jupyter-book")]
    index = os.environ.get("TORCH_INDEX")
    extra = ["--extra-index-url", index] if index else []
    run(python, "-m", "pip", "install", "-q", *extra, "--upgrade", *book, *NEWEST, "-e", ".[torch]")
    try:
        run(Path(sys.executable).with_name("jupyter-book"), "config", "sphinx", ".")
        text = conf.read_text(encoding="utf-8")
        for extension in OWN:
            text = re.sub(rf"['\"]{extension}['\"],?\s*", "", text)
        # Jupyter Book finds the extension beside this script by _config.yml; Sphinx needs the path.
        path = f"import sys\n\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        # Types are written for people: "ndarray, shape (n_samples,)". From Sphinx 8 on their words
        # are looked up among the attributes of all classes, too.
        quiet = "\nsuppress_warnings = [*globals().get('suppress_warnings', []), 'ref.python']\n"
        conf.write_text(path + text + quiet, encoding="utf-8")
        sphinx = [python, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-n"]
        run(*sphinx, ".", NEXT / "html")
    finally:
        conf.unlink(missing_ok=True)
    print(f"The book is at {NEXT / 'html' / 'index.html'}")


if __name__ == "__main__":
    main()
