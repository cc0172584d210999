"""The machine that computes: what a result's manifest says of it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = ["description", "peak_memory", "versions"]

_VERSIONED = ("numpy", "scipy", "pandas", "torch", "scikit-learn")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results may depend on.

    Returns
    -------
    dict of str to str
        ``"python"``, and those of numpy, scipy, pandas, torch and scikit-learn that are installed.

    Examples
    --------
    >>> {"python", "numpy"} <= set(versions())
    True
    """
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def description() -> str:
    """Return this machine in words: architecture, processors, system, and a GPU if torch runs.

    The GPU is named only where torch has been imported: only then can a result come from it.

    Examples
    --------
    >>> "processors" in description()
    True
    """
    parts = [platform.machine(), f"{os.cpu_count()} processors", platform.system()]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def peak_memory() -> int:
    """Return the largest resident set, in bytes, of this process or of an ended child of it.

    Returns
    -------
    int
        0 where it cannot be measured.

    Examples
    --------
    >>> peak_memory() >= 0
    True
    """
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    own, children = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return int(max(own, children)) * unit
