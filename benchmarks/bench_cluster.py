"""What a point of a sweep costs beside its own work: in a loop, in processes, on a Dask cluster."""

from __future__ import annotations

from distributed import Client, LocalCluster, as_completed

from _report import Line, best_time, main
from fragile_learning.sweeps import grid, run_sweep


def point(*, i, rng):
    """Next to nothing."""
    return {"u": i + float(rng.random())}


def plain_point(i):
    return i


def plain(client: Client, n_points: int) -> None:
    """What one writes first: all tasks at once, results as they complete."""
    futures = client.map(plain_point, range(n_points), pure=False)
    for _ in as_completed(futures, with_results=True):
        pass


def per_point(setting: dict, few: int, many: int) -> float:
    """Milliseconds for each further point: the start of a sweep is not counted."""
    times = []
    for count in (few, many):
        points = grid(i=list(range(count)))
        times.append(best_time(lambda p=points: run_sweep(point, p, seed=1, **setting), 2))
    return 1e3 * (times[1] - times[0]) / (many - few)


def lines() -> list[Line]:
    few, many = 50, 550
    serial = per_point({}, few, many)
    processes = per_point({"backend": "processes", "n_workers": 2}, few, many)
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as local:
        address = local.scheduler_address
        run_sweep(point, grid(i=[0, 1, 2, 3]), seed=1, backend="dask", cluster=address)  # warm
        ours = per_point({"backend": "dask", "cluster": address}, few, many)
        with Client(address, set_as_default=False) as client:
            plain(client, few)
            start = best_time(lambda: plain(client, few), 2)
            theirs = 1e3 * (best_time(lambda: plain(client, many), 2) - start) / (many - few)
    return [
        Line("serial: a point", serial, "ms"),
        Line("two processes: a point", processes, "ms"),
        Line("Dask, two workers: a point", ours, "ms"),
        Line("Dask, Client.map and as_completed: a task", theirs, "ms"),
        Line("Dask / serial", ours / serial, "x"),
        Line("Dask / Client.map", ours / theirs, "x", 3.0, at_most=True),
    ]


if __name__ == "__main__":
    main("Sweeps on a cluster", lines)
