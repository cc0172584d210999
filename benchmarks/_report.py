"""Timing and the table that every benchmark prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One comparison: ``value`` must reach ``goal`` (None: for information only)."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool:
        if self.goal is None:
            return True
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def best_time(work: Callable[[], object], repeats: int = 5) -> float:
    """Smallest wall time of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def report(title: str, lines: list[Line]) -> int:
    """Print a table; exit status 1 if a goal is missed."""
    print(f"\n{title}")
    for line in lines:
        sign = "<=" if line.at_most else ">="
        goal = "" if line.goal is None else f"  goal {sign} {line.goal:g}"
        mark = "" if line.goal is None else ("  met" if line.met else "  MISSED")
        print(f"  {line.what:64} {line.value:10.3g} {line.unit:3}{goal}{mark}")
    return 0 if all(line.met for line in lines) else 1


def main(title: str, lines: Callable[[], list[Line]]) -> None:
    sys.exit(report(title, lines()))
