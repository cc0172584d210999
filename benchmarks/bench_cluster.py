"""What a point of a sweep costs beside its own work: in a loop, in processes, on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from distributed import Client, LocalCluster, as_completed

from _report import Line, best_time, main
from fragile_learning.sweeps import grid, run_sweep


def point(*, i, rng):
    """Next to nothing."""
    return {"u": i + float(rng.random())}


def plain_point(i):
    return point(i=i, rng=np.random.default_rng(i))


def plain(client: Client, n_points: int) -> list[dict[str, float]]:
    """What one writes first: all tasks at once, results as they complete."""
    futures = client.map(plain_point, range(n_points), pure=False)
    done = as_completed(futures, loop=client.loop, with_results=True)
    return [result for _, result in done]


def ours(n_points: int, **where) -> pd.DataFrame:
    return run_sweep(point, grid(i=list(range(n_points))), seed=1, **where)


def per_point(sweep: Callable[[int], object], few: int, many: int) -> float:
    """Milliseconds for each further point: the start of a sweep is not counted."""
    sweep(4)  # warm
    times = [best_time(lambda n=count: sweep(n), 2) for count in (few, many)]
    return 1e3 * (times[1] - times[0]) / (many - few)


def lines() -> list[Line]:
    few, many = 50, 550
    serial = per_point(ours, few, many)
    processes = per_point(partial(ours, backend="processes", n_workers=2), few, many)
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as local:
        address = local.scheduler_address
        dask = per_point(partial(ours, backend="dask", cluster=address), few, many)
        with Client(address, set_as_default=False) as client:
            theirs = per_point(partial(plain, client), few, many)
    return [
        Line("serial: a point", serial, "ms"),
        Line("two processes: a point", processes, "ms"),
        Line("Dask, two workers: a point", dask, "ms"),
        Line("Dask, Client.map and as_completed: a task", theirs, "ms"),
        Line("Dask / serial", dask / serial, "x"),
        Line("Dask / Client.map", dask / theirs, "x", 3.0, at_most=True),
    ]


if __name__ == "__main__":
    main("Sweeps on a cluster", lines)
