"""Time to import the package and its theory in a fresh interpreter, and what comes along."""

from __future__ import annotations

import subprocess
import sys

from _report import Line, best_time, main


def start(statement: str) -> str:
    """Run a statement in a fresh interpreter; its output."""
    command = [sys.executable, "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def lines() -> list[Line]:
    empty = best_time(lambda: start("pass"))
    found = []
    for module in ("fragile_learning", "fragile_learning.regression.theory"):
        seconds = best_time(lambda m=module: start(f"import {m}")) - empty
        found.append(Line(f"import {module}", seconds, "s", 0.5, at_most=True))
    torch = start(
        "import sys, fragile_learning.regression.theory; print('torch' in sys.modules)"
    ).strip()
    found.append(Line("torch imported on the way (0: no)", float(torch == "True"), "", 0.0, True))
    return found


if __name__ == "__main__":
    main("Import", lines)
