"""The command line as ``python -m fragile_learning``, where no script is on the path."""

from __future__ import annotations

from fragile_learning.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
