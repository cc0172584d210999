"""The claims on networks that learn from distilled images, and how each is judged.

The margins are the plan's and were written before the archived tables. A bound on a mean is judged
by the 95 % interval (Student's t) of the mean over replicates, paired where two methods are
compared: a claim agrees if the interval lies on its side of the bound, differs if it lies on the
other, and is inconclusive if the bound is inside. A single replicate has no interval and decides
nothing. The paper's text was not at hand: what is known of it beyond the abstract is called "as
reported". Accuracies in summaries are in per cent, their differences in points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from fragile_learning.claims import Claim, Outcome, Verdict, rows_with, verdict_of
from fragile_learning.statistics import mean_plus_minus, plus_minus, significant

__all__ = ["TRAINED_CLAIMS", "Mean"]

Tables = Mapping[str, pd.DataFrame]

PAPER = "Feng, Vedantam, Kempe 2024"
ABSTRACT = PAPER + ", abstract"

_FINITE_DIFFERENCES, _MODES = 1e-6, 1e-12  # relative
_WILD, _CALMER = 50.0, 3.0  # largest over median norm; BPTT's over RaT-BPTT's
_BLOCKS, _NETWORKS = 5, 512  # blocks that decide, networks in one that speak against the claim
_CUT, _SMOOTH = 50.0, 2.0  # variances with over without the first step
_STEPS = 0.02  # of the ratio of outer steps, from the count
_APART = 20.0  # points, subset below directly distilled
_NEAR = 3.0  # points, nested below directly distilled
_PRICE, _RUINED = 5.0, 30.0  # points
_BEATS = 2.0  # points, over chosen real images
_REPAIR, _NOT_WORSE = 1.0, -1.0  # points
_TRANSFER = 25.0  # points lost to the source
_CONFIDENCE = 0.95

_WINDOWS = ("T-BPTT", "BPTT", "R-BPTT")
_CHOSEN = ("class means", "herding", "k-centre")


class Mean(NamedTuple):
    """A mean with its 95 % interval (Student's t).

    Attributes
    ----------
    value, low, high : float
        With one observation the interval is the whole line.

    Examples
    --------
    >>> found = Mean.of([0.8, 0.9, 0.85])
    >>> round(found.value, 4), found.low < 0.8, found.high > 0.9
    (0.85, True, True)
    >>> Mean.of([0.8])  # of one, nothing is known
    Mean(value=0.8, low=-inf, high=inf)
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Any) -> Mean:
        """Mean of independent values.

        Parameters
        ----------
        values : array_like, shape (n,)
            Finite, n >= 1.

        Raises
        ------
        ValueError
            If there are none, or one is not finite.

        Examples
        --------
        >>> Mean.of([1.0, 2.0, 3.0])
        Mean(value=2.0, low=-0.4841377118, high=4.4841377118)
        """
        found = np.asarray(values, float).ravel()
        if not found.size or not np.isfinite(found).all():
            raise ValueError(f"values must be finite numbers, at least one, got {found}")
        mean = float(found.mean())
        if found.size == 1:
            return cls(mean, -math.inf, math.inf)
        quantile = stdtrit(found.size - 1, 0.5 + _CONFIDENCE / 2.0)
        half = float(quantile * found.std(ddof=1) / math.sqrt(found.size))
        return cls(mean, mean - half, mean + half)

    def above(self, bound: float) -> int:
        """1 if the interval is above the bound, -1 if it is below, 0 if the bound is inside."""
        return int(self.low > bound) - int(self.high < bound)

    def below(self, bound: float) -> int:
        """1 if the interval is below the bound, -1 if it is above, 0 if the bound is inside."""
        return -self.above(bound)

    def __str__(self) -> str:
        if math.isinf(self.low):
            return f"{self.value:.1f} (one replicate)"
        return f"{self.value:.1f} ± {self.high - self.value:.1f}"


def _written(mean: Mean) -> str:
    """Write a mean with half of its 95 % interval; that of one replicate alone."""
    if math.isinf(mean.high):
        return significant(mean.value)
    return plus_minus(mean.value, mean.high - mean.value)


def _numbers(**means: Mean) -> dict[str, float]:
    """Each mean with the ends of its interval."""
    found: dict[str, float] = {}
    for name, mean in means.items():
        found |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high}
    return found


def _judged(sides: list[int], summary: str, numbers: Mapping[str, Any], measured: str) -> Verdict:
    """Agrees if every bound is kept, differs if one is broken, inconclusive otherwise.

    The level of intervals is added to what was measured, if it has any.
    """
    if "±" in measured or " to " in measured:
        measured += f" ({100 * _CONFIDENCE:g} %)"
    agrees = all(side > 0 for side in sides)
    decided = agrees or min(sides) < 0
    return verdict_of(agrees, summary, numbers, decided=decided, measured=measured)


def _table(tables: Tables, name: str) -> Any:
    """Table of an experiment; untyped, for pandas' own types do not follow columns."""
    return tables[f"distillation/{name}"]


def _name(rule: str, repair: str = "none") -> str:
    """Name of a rule with its repair."""
    names = {"none": "", "skip first": " without the first step", "guard": " with the guard"}
    return rule + names[repair]


def _values(frame: Any, column: str, rule: str, repair: str = "none") -> Any:
    """One column of a method, by replicate."""
    rows = rows_with(frame, method=rule, repair=repair)
    return rows.set_index("replicate")[column].sort_index()


def _points(one: Any, other: Any) -> Mean:
    """Paired difference of accuracies, in points."""
    if not one.index.equals(other.index):
        raise ValueError(f"replicates differ: {list(one.index)} and {list(other.index)}")
    return Mean.of(100.0 * (one - other))


def _has(frame: Any, rule: str, repair: str = "none") -> bool:
    return bool(((frame["method"] == rule) & (frame["repair"] == repair)).any())


def _exp(value: float) -> float:
    """Exponential of a logarithm, infinite where it is too large."""
    return math.exp(value) if value < 700.0 else math.inf


def _cents(values: Any) -> str:
    return f"{100.0 * float(np.mean(values)):.1f}"


# --- gradients --------------------------------------------------------------------------------


def _exact(tables: Tables) -> Verdict:
    frame = _table(tables, "derivatives")
    worst = {
        against: float(rows_with(frame, against=against)["difference"].to_numpy().max())
        for against in ("finite differences", "adjoint")
    }
    agrees = worst["finite differences"] <= _FINITE_DIFFERENCES and worst["adjoint"] <= _MODES
    return verdict_of(
        agrees,
        f"{len(frame)} comparisons, {frame['optimiser'].nunique()} optimisers, "
        f"{frame['window'].nunique()} windows: meta-gradients are at most "
        f"{worst['finite differences']:.1e} from finite differences, and those of the other modes "
        f"at most {worst['adjoint']:.1e} from those of the adjoint.",
        {
            "from_finite_differences": worst["finite differences"],
            "between_modes": worst["adjoint"],
            "n_comparisons": len(frame),
        },
        measured=f"at most {significant(worst['finite differences'], 2)} (finite differences), "
        f"{significant(worst['adjoint'], 2)} (modes)",
    )


def _size(value: float, digits: int = 3) -> str:
    """Write a ratio, which may be infinite."""
    return "∞" if math.isinf(value) else significant(value, digits)


def _ratio(log: Mean) -> str:
    """Write a geometric mean, of which the logarithm is given, with its interval."""
    if math.isinf(log.high):
        return _size(_exp(log.value))
    return f"{_size(_exp(log.value))} ({_size(_exp(log.low), 2)} to {_size(_exp(log.high), 2)})"


def _norms(tables: Tables) -> Verdict:
    frame = rows_with(_table(tables, "methods"), data="digits")
    logs = {
        rule: np.log(_values(frame, "norm_ratio", rule)) for rule in ("BPTT", "RaT-BPTT", *_WINDOWS)
    }
    wild, calmer = Mean.of(logs["BPTT"]), Mean.of(logs["BPTT"] - logs["RaT-BPTT"])
    drawn = rows_with(_table(tables, "norms"), repair="none")
    one = drawn.groupby("rule")["norm"].max() / drawn.groupby("rule")["norm"].median()
    ratios = {rule: math.exp(float(values.mean())) for rule, values in logs.items()}
    return _judged(
        [wild.above(math.log(_WILD)), calmer.above(math.log(_CALMER))],
        "Largest over median norm of the meta-gradient in equally many outer steps, geometric mean "
        f"of {len(logs['BPTT'])} replicates: "
        + ", ".join(f"{rule} {ratios[rule]:.3g}" for rule in ("BPTT", "R-BPTT", "RaT-BPTT"))
        + f", T-BPTT {ratios['T-BPTT']:.3g}; BPTT's is {math.exp(calmer.value):.3g} times that of "
        f"RaT-BPTT (95 % interval {_exp(calmer.low):.2g} to {_exp(calmer.high):.2g}). "
        f"In the replicate that is drawn: BPTT {one['BPTT']:.3g}, RaT-BPTT {one['RaT-BPTT']:.3g}.",
        {
            **{f"ratio_{rule}": ratio for rule, ratio in ratios.items()},
            **{
                name: _exp(value)
                for name, value in _numbers(bptt=wild, bptt_over_rat=calmer).items()
            },
            "n_replicates": len(logs["BPTT"]),
        },
        f"BPTT {_size(ratios['BPTT'])}, {_ratio(calmer)} times RaT-BPTT's",
    )


def _last_over_rest(frame: Any, **values: Any) -> Any:
    """By block: variance of the whole unroll over that of the window without the first step."""
    rows = rows_with(frame, **values)
    whole = rows_with(rows[rows["window"] == rows["n_steps"]]).set_index("block")["variance"]
    less = rows_with(rows[rows["window"] == rows["n_steps"] - 1]).set_index("block")["variance"]
    if set(whole.index) != set(less.index):
        raise ValueError("every block needs both windows")
    return (whole / less).sort_index()


def _first_step(tables: Tables) -> Verdict:
    frame = _table(tables, "variance")
    usual = float(frame["eps"].min())
    distilled = rows_with(frame, network="MLP", data="distilled")
    adam = _last_over_rest(distilled, optimiser="Adam", eps=usual)
    descent = _last_over_rest(distilled, optimiser="SGD")
    medians = {"adam": float(adam.median()), "sgd": float(descent.median())}
    beside = {}
    for network, data in (("MLP", "real"), ("ConvNet", "distilled")):
        rows = frame[(frame["network"] == network) & (frame["data"] == data)]
        for (optimiser, eps), _ in rows.groupby(["optimiser", "eps"]):
            name = f"{network} on {data} images, {optimiser}"
            name += f" eps {eps:g}" if optimiser == "Adam" else ""
            chosen = {"network": network, "data": data, "optimiser": optimiser, "eps": eps}
            beside[name] = float(_last_over_rest(frame, **chosen).median())
    agrees = medians["adam"] > _CUT and medians["sgd"] < _SMOOTH
    enough = min(len(adam), len(descent)) >= _BLOCKS
    many = int(distilled["n_networks"].min()) >= _NETWORKS
    more = "; ".join(f"{name}: {ratio:.3g}" for name, ratio in beside.items())
    return verdict_of(
        agrees,
        f"Variance of the whole unroll's meta-gradient over that without the first step, digits, "
        f"distilled images: {medians['adam']:.3g} with Adam ({adam.min():.3g} to {adam.max():.3g} "
        f"in {len(adam)} blocks of networks), {medians['sgd']:.3g} with gradient descent. "
        f"Beside it: {more or 'nothing'}.",
        {
            **medians,
            "adam_least": float(adam.min()),
            "adam_largest": float(adam.max()),
            **{f"beside: {name}": ratio for name, ratio in beside.items()},
            "n_blocks": len(adam),
        },
        decided=enough and (agrees or many),
        measured=f"Adam {_size(medians['adam'])} ({_size(float(adam.min()), 2)} to "
        f"{_size(float(adam.max()), 2)}), descent {_size(medians['sgd'])}",
    )


# --- rules ------------------------------------------------------------------------------------


def _order(frame: Any) -> dict[str, Mean]:
    """RaT-BPTT as published minus each other rule, in points."""
    best = _values(frame, "accuracy", "RaT-BPTT")
    return {
        rule: _points(best, _values(frame, "accuracy", rule))
        for rule in _WINDOWS
        if _has(frame, rule)
    }


def _rules(tables: Tables) -> Verdict:
    table = _table(tables, "methods")
    gains = _order(rows_with(table, data="digits"))
    if set(gains) != set(_WINDOWS):
        raise ValueError(f"needs {', '.join(_WINDOWS)}, got {', '.join(gains)}")
    numbers = _numbers(**gains)
    frame = rows_with(table, data="digits")
    own = _values(frame, "accuracy", "RaT-BPTT")
    told = ", ".join(f"{rule} {gain}" for rule, gain in gains.items())
    summary = (
        f"On digits RaT-BPTT reaches {_cents(own)} %; points above the others at equal arithmetic "
        f"({len(own)} replicates): {told}."
    )
    for data in sorted(set(table["data"]) - {"digits"}):
        rows = rows_with(table, data=data)
        if not _has(rows, "RaT-BPTT"):
            continue
        others = _order(rows)
        numbers |= _numbers(**{f"{data}: {rule}": gain for rule, gain in others.items()})
        told = ", ".join(f"{rule} {gain}" for rule, gain in others.items())
        summary += f" Beside it, {data}: {told}."
    told = ", ".join(f"{rule} {_written(gains[rule])}" for rule in ("BPTT", "R-BPTT", "T-BPTT"))
    return _judged([gain.above(0.0) for gain in gains.values()], summary, numbers, f"{told} points")


def _faster(tables: Tables) -> Verdict:
    frame = rows_with(_table(tables, "methods"), data="digits")
    steps = {rule: _values(frame, "outer_steps", rule) for rule in ("BPTT", "RaT-BPTT")}
    ratios = steps["RaT-BPTT"] / steps["BPTT"]
    ratio = float(ratios.mean())
    (run,) = {
        (int(one.n_steps), int(one.window), float(one.outer_batch), int(one.n_images))
        for one in rows_with(frame, method="RaT-BPTT").itertuples()
    }
    n_steps, window, outer, images = run
    counted = (3.0 * n_steps + outer / images) / (
        (n_steps - window) / 2.0 + 3.0 * window + outer / images
    )
    return verdict_of(
        abs(ratio / counted - 1.0) <= _STEPS and ratio > 1.0,
        f"For the same arithmetic RaT-BPTT takes {ratio:.3f} times the outer steps of BPTT "
        f"({steps['RaT-BPTT'].mean():.0f} and {steps['BPTT'].mean():.0f}); the count says "
        f"{counted:.3f}.",
        {"ratio": ratio, "counted": counted, "n_replicates": len(steps["BPTT"])},
        measured=mean_plus_minus(ratios),
    )


def _baselines(tables: Tables) -> Verdict:
    table = _table(tables, "methods")
    gains: dict[str, Mean] = {}
    levels = []
    for data in sorted(set(table["data"]) & {"digits", "fashion"}):
        rows = rows_with(table, data=data)
        own = _values(rows, "accuracy", "RaT-BPTT")
        others = {name: _values(rows, "accuracy", name) for name in (*_CHOSEN, "random real")}
        gains |= {f"{data}: {name}": _points(own, others[name]) for name in _CHOSEN}
        told = ", ".join(f"{name} {_cents(values)}" for name, values in others.items())
        levels.append(f"{data}: RaT-BPTT {_cents(own)} %, {told}")
    least = min(gains, key=lambda name: gains[name].value)
    return _judged(
        [gain.above(_BEATS) for gain in gains.values()],
        f"One image per class, {'; '.join(levels)}. The smallest gain, over {least}, is "
        f"{gains[least]} points.",
        _numbers(**gains),
        f"at least {_written(gains[least])} points ({least})",
    )


def _repairs(frame: Any) -> dict[str, Mean]:
    """Gains of the repaired rules, and repaired R-BPTT minus RaT-BPTT as published, in points."""
    found = {}
    for rule in ("BPTT", "R-BPTT", "RaT-BPTT"):
        for repair in ("skip first", "guard"):
            if _has(frame, rule, repair) and _has(frame, rule):
                found[_name(rule, repair)] = _points(
                    _values(frame, "accuracy", rule, repair), _values(frame, "accuracy", rule)
                )
    for repair in ("skip first", "guard"):
        if _has(frame, "R-BPTT", repair) and _has(frame, "RaT-BPTT"):
            found[f"{_name('R-BPTT', repair)}, minus RaT-BPTT"] = _points(
                _values(frame, "accuracy", "R-BPTT", repair), _values(frame, "accuracy", "RaT-BPTT")
            )
    return found


def _repaired(tables: Tables) -> Verdict:
    table = _table(tables, "methods")
    net = _table(tables, "convnet").rename(columns={"rule": "method"})
    gains = _repairs(rows_with(table, data="digits"))
    bounds = {
        "BPTT without the first step": _REPAIR,
        "BPTT with the guard": _REPAIR,
        "R-BPTT without the first step": 0.0,
        "R-BPTT without the first step, minus RaT-BPTT": _NOT_WORSE,
    }
    missing = set(bounds) - set(gains)
    if missing:
        raise ValueError(f"no rows for {', '.join(sorted(missing))}")
    told = ", ".join(f"{name} {gains[name]}" for name in bounds)
    summary = f"Points on digits: {told}."
    numbers = _numbers(**gains)
    others = {data: rows_with(table, data=data) for data in set(table["data"]) - {"digits"}}
    for count in set(net["n_per_class"]):
        others[f"ConvNet, {count} per class"] = rows_with(net, n_per_class=count)
    for data, rows in sorted(others.items()):
        more = _repairs(rows)
        if more:
            told = ", ".join(f"{name} {gain}" for name, gain in more.items())
            summary += f" Beside it, {data}: {told}."
            numbers |= _numbers(**{f"{data}: {name}": gain for name, gain in more.items()})
    return _judged(
        [gains[name].above(bound) for name, bound in bounds.items()],
        summary,
        numbers,
        "BPTT {}, {}; R-BPTT {}, {}".format(*(_written(gains[name]) for name in bounds)),
    )


# --- sets -------------------------------------------------------------------------------------


def _kind(frame: Any, kind: str, count: int) -> Any:
    """Accuracy by replicate, the mean over its draws."""
    rows = rows_with(frame, kind=kind, n_per_class=count)
    return rows.groupby("replicate")["accuracy"].mean()


def _subsets(tables: Tables) -> Verdict:
    frame = _table(tables, "subsets")
    part, real, direct = (_kind(frame, kind, 1) for kind in ("subset", "random real", "distilled"))
    apart, over = _points(direct, part), _points(part, real)
    whole = int(frame["n_per_class"].max())
    levels = {
        count: tuple(
            _cents(_kind(frame, kind, count)) for kind in ("subset", "random real", "distilled")
        )
        for count in sorted(set(frame["n_per_class"]) - {1, whole})
    }
    more = "; ".join(
        f"{count} of {whole}: {one} against {two} and {three}"
        for count, (one, two, three) in levels.items()
    )
    return _judged(
        [apart.above(_APART), over.below(0.0)],
        f"One image per class taken at random from {whole} distilled ones teaches {_cents(part)} "
        f"%, a random real one {_cents(real)} %, one distilled directly {_cents(direct)} %: the "
        f"subset is {apart} points below the last and {over} points above the real images"
        + (f" ({more})." if more else "."),
        {**_numbers(below_direct=apart, above_real=over), "n_replicates": len(part)},
        f"points below direct {_written(apart)}, above real {_written(over)}",
    )


def _boosted(frame: Any, rate: float) -> Any:
    """Accuracy of the first blocks, and that of sets distilled directly, by replicate and size."""
    rows = frame[np.isclose(frame["block_rate"], rate)]
    if not len(rows):
        raise ValueError(f"no row with block_rate {rate:g}")
    return (
        rows.pivot_table("accuracy", "replicate", "n_per_class"),
        rows.pivot_table("direct", "replicate", "n_per_class"),
    )


def _nested(tables: Tables) -> Verdict:
    found, direct = _boosted(_table(tables, "boost"), 0.0)
    sizes = sorted(found.columns)[1:]
    if not sizes:
        raise ValueError("needs two blocks or more")
    losses = {size: _points(direct[size], found[size]) for size in sizes}
    most = max(losses, key=lambda size: losses[size].value)
    return _judged(
        [loss.below(_NEAR) for loss in losses.values()],
        "Points that the first blocks of a boosted set are below a set of their size distilled "
        "directly with as much arithmetic: "
        + ", ".join(
            f"{loss} at {size} per class ({_cents(found[size])} and {_cents(direct[size])} %)"
            for size, loss in losses.items()
        )
        + ".",
        {
            **_numbers(**{f"loss_{size}": loss for size, loss in losses.items()}),
            "n_replicates": len(found),
        },
        f"at most {_written(losses[most])} points below, at {most} per class",
    )


def _price(tables: Tables) -> Verdict:
    frame = _table(tables, "boost")
    (strong, _), (plain, direct) = _boosted(frame, 0.0), _boosted(frame, 1.0)
    last, first = max(strong.columns), min(strong.columns)
    price = _points(plain[last], strong[last])
    ruined = _points(direct[first], plain[first])
    rates = sorted(set(frame["block_rate"]))
    levels = "; ".join(
        f"rate {rate:g}: "
        + ", ".join(_cents(_boosted(frame, rate)[0][size]) for size in sorted(strong.columns))
        for rate in rates
    )
    return _judged(
        [price.above(0.0), price.below(_PRICE), ruined.above(_RUINED)],
        f"With old images held fast, {last} per class teach {price} points less than with all "
        f"learning; there the first block alone falls {ruined} points below a set of its own. "
        f"Accuracy of the first blocks, in %, {levels}.",
        {**_numbers(price=price, first_block_loss=ruined), "n_replicates": len(strong)},
        f"price {_written(price)}, loss of the first block {_written(ruined)} points",
    )


def _chosen(tables: Tables) -> Verdict:
    frame = _table(tables, "selection")
    excess = frame.assign(
        excess=100.0
        * (
            (frame["accuracy_seen"] - frame["mean_seen"])
            - (frame["accuracy_fresh"] - frame["mean_fresh"])
        )
    )
    inflation = {
        on: Mean.of(rows_with(excess, chosen_on=on).groupby("replicate")["excess"].mean())
        for on in ("test", "validation")
    }
    seen, fresh = (
        rows_with(frame, chosen_on="test")[column].mean()
        for column in ("accuracy_seen", "accuracy_fresh")
    )
    honest = rows_with(frame, chosen_on="validation")["accuracy_fresh"].mean()
    size = inflation["test"]
    return _judged(
        [size.above(0.0)],
        f"The best of {int(frame['n_candidates'].iloc[0])} sets and lengths on "
        f"{int(frame['n_seen'].iloc[0])} test images has {_cents(seen)} % there and "
        f"{_cents(fresh)} % on as many fresh ones; freed of how hard the two are, choosing adds "
        f"{size.value:.2f} points (95 % interval {size.low:.2f} to {size.high:.2f}). One chosen on "
        f"validation images has {_cents(honest)} % on the fresh ones.",
        {**_numbers(**inflation), "seen": float(seen), "fresh": float(fresh)},
        f"{_written(size)} points",
    )


def _transfer(tables: Tables) -> Verdict:
    frame = _table(tables, "transfer")
    losses, gains = {}, {}
    for source in sorted(set(frame["source"])):
        rows = rows_with(frame, source=source)
        own = rows_with(rows, target=source).set_index("replicate")["accuracy"].sort_index()
        for target in sorted(set(rows["target"]) - {source}):
            there = rows_with(rows, target=target).set_index("replicate").sort_index()
            name = f"{source} to {target}"
            losses[name] = _points(own, there["accuracy"])
            gains[name] = _points(there["accuracy"], there["random_real"])
    if not losses:
        raise ValueError("needs a target other than the source")
    worst = max(losses, key=lambda name: losses[name].value)
    least = min(gains, key=lambda name: gains[name].value)
    return _judged(
        [loss.below(_TRANSFER) for loss in losses.values()]
        + [gain.above(0.0) for gain in gains.values()],
        f"{len(losses)} transfers: the largest loss to the source's own accuracy is "
        f"{losses[worst]} points ({worst}), the smallest gain over random real images "
        f"{gains[least]} points ({least}).",
        {
            **_numbers(**{f"loss, {name}": loss for name, loss in losses.items()}),
            **_numbers(**{f"gain, {name}": gain for name, gain in gains.items()}),
        },
        f"loses at most {_written(losses[worst])}, gains at least {_written(gains[least])} points",
    )


# --- not run ----------------------------------------------------------------------------------


def _stand_in(tables: Tables) -> tuple[str, dict[str, float]]:
    """Tell what small networks on small pictures reach, in words and in numbers."""
    net = _table(tables, "convnet")
    numbers: dict[str, float] = {}
    parts = []
    for (count, rule, repair), rows in net.groupby(["n_per_class", "rule", "repair"]):
        name = f"{_name(str(rule), str(repair))}, {count} per class"
        mean = Mean.of(100.0 * rows["accuracy"])
        numbers |= _numbers(**{name: mean})
        parts.append(f"{name} {mean}")
    return "; ".join(parts), numbers


def _published(tables: Tables) -> Verdict:
    """Not run, whatever the table says; what it says is told beside."""
    told, numbers = _stand_in(tables)
    return Verdict(
        Outcome.NOT_RUN,
        "The paper's network at 28 × 28 pixels needs a GPU; its settings are in GPU_SIZE. In its "
        f"place a small ConvNet on down-sampled Fashion-MNIST, accuracy in %: {told}.",
        numbers,
    )


def _cifar(tables: Tables) -> Verdict:
    """Not run, whatever the table says."""
    told, numbers = _stand_in(tables)
    return Verdict(
        Outcome.NOT_RUN,
        "CIFAR-10 is not here, and the run needs a GPU. In its place a small ConvNet on "
        f"down-sampled Fashion-MNIST, accuracy in %, which says nothing about CIFAR-10: {told}.",
        numbers,
    )


# --- the claims -------------------------------------------------------------------------------


def _claim(number: int, statement: str, **fields: Any) -> Claim:
    experiments = tuple(f"distillation/{name}" for name in fields.pop("experiments"))
    values = {"tier": "quick", "expected": Outcome.AGREES, **fields}
    return Claim(f"DST-{number}", statement=statement, experiments=experiments, **values)


_OURS = "derived in this book"
_DIGITS = (
    "digits (8 × 8), one image per class, perceptron 64-64-10, at most 40 inner steps of Adam, "
    "windows of 12"
)

TRAINED_CLAIMS: tuple[Claim, ...] = (
    _claim(
        1,
        "The meta-gradients of all modes are the derivative of the outer loss.",
        source=_OURS,
        reported="difference 0",
        measure="Largest relative difference of the adjoint to central finite differences in which "
        "images of steps before the window stay frozen, and of the forward, checkpointed, graph "
        "and several-networks modes to the adjoint; gradient descent, momentum, Adam; several "
        "windows; float64.",
        margin="1e-6 from finite differences, 1e-12 between modes",
        margin_reason="In trials, central differences with a step of 1e-5 were off by 2e-8 of the "
        "largest entry at most, in runs that stay away from places without a derivative; modes do "
        "the same arithmetic in another order.",
        experiments=("derivatives",),
        judge=_exact,
    ),
    _claim(
        5,
        "The meta-gradient of full back-propagation through time is far more erratic than that of "
        "a random truncated window.",
        source=ABSTRACT + ' ("pronounced variance"); numbers of this book',
        measure="Largest over median norm in equally many outer steps, BPTT and RaT-BPTT, "
        f"geometric mean; {_DIGITS}.",
        margin="BPTT above 50, and at least 3 times RaT-BPTT",
        margin_reason="The plan's trial had 625 and 47, and 2.0 with pixels that are not "
        "standardised: a factor 3 is far from noise of ten seeds and not from what scaling can do.",
        experiments=("methods", "norms"),
        judge=_norms,
    ),
    _claim(
        6,
        "With Adam the first inner step carries nearly all variance of the full meta-gradient; "
        "with gradient descent it does not.",
        source=_OURS,
        measure="Variance over 512 networks of the meta-gradient of 40 steps over that of the last "
        "39, distilled digits, median over 5 blocks or more.",
        margin="above 50 with Adam, below 2 with gradient descent; smaller blocks can agree but "
        "not differ",
        margin_reason="The ratio is heavy-tailed: blocks of 512 networks had 1,499 to 8,010 in the "
        "plan's trials, smaller ones 1.7 to 59,000. Gradient descent had 1.2.",
        experiments=("variance",),
        judge=_first_step,
    ),
    _claim(
        8,
        "RaT-BPTT beats BPTT, R-BPTT and T-BPTT at equal compute.",
        source=ABSTRACT + "; sizes of this book",
        reported="points over each > 0",
        measure="Accuracy of fresh networks, paired by seed, with the same counted arithmetic; "
        f"{_DIGITS}. Beside it: pixels in [0, 1], and Fashion-MNIST at 14 × 14.",
        margin="each difference above 0, 95 % interval",
        margin_reason="The plan's trial had +4.7, +2.3 and +21.6 with errors of 0.5 and more; an "
        "independent one with pixels in [0, 1] had another order, so that result stands beside.",
        experiments=("methods",),
        judge=_rules,
    ),
    _claim(
        10,
        "Distilled sets are intercorrelated: a random part of one teaches far less than a set of "
        "that size distilled directly, and no more than random real images.",
        source=ABSTRACT + "; sizes of this book",
        reported="points below direct > 0, above real ≤ 0",
        measure="Accuracy with one of five distilled images of each class at random, one random "
        "real image, and one distilled directly; digits; mean over draws, replicates paired.",
        margin="more than 20 points below the directly distilled set; not above real images",
        margin_reason="The plan's trial had 45 points, and 15 below real images; single draws "
        "differ by 7.",
        experiments=("subsets",),
        judge=_subsets,
    ),
    _claim(
        11,
        "The first blocks of a boosted set (old images held fast) are nearly as good as a set of "
        "that size distilled directly.",
        source=ABSTRACT + " (near optimal at every budget); sizes of this book",
        measure="Accuracy of a set distilled directly with the arithmetic of all stages so far "
        "minus that of the first j >= 2 blocks; digits.",
        margin="below 3 points at every size",
        margin_reason="The plan's trials lost 0.5 to 2.6 at the top. One-sided: blocks that are "
        "better than a direct set do not speak against the claim. Block 1 is a direct set.",
        experiments=("boost",),
        judge=_nested,
    ),
    _claim(
        12,
        "Holding old images fast costs little at the largest budget; without it the first block "
        "alone is ruined.",
        source=_OURS,
        measure="Accuracy at the largest size with all images learning minus that with old ones "
        "held fast; with all learning, what the first block alone loses to a set of its size.",
        margin="0 to 5 points; more than 30 points",
        margin_reason="The plan's trials had 0.5 to 2.6, and 63.",
        experiments=("boost",),
        judge=_price,
    ),
    _claim(
        13,
        "At one image per class distilled images beat class means and chosen real images.",
        source=PAPER + ", comparisons, as reported; sizes of this book",
        reported="points over each > 0",
        measure="Accuracy of RaT-BPTT minus that of class means, of herding (the image nearest to "
        "the class mean) and k-centre (smallest largest distance); digits, Fashion-MNIST at "
        "14 × 14 in the full tier; paired.",
        margin="above 2 points for each",
        margin_reason="The plan's trials had 4 over class means, the strongest, on both data sets; "
        "a standard error is 0.2 to 0.8.",
        experiments=("methods",),
        judge=_baselines,
    ),
    _claim(
        14,
        "Choosing checkpoint and training length on the test set inflates the accuracy.",
        source=_OURS + "; a caution about selection as the authors' code does it",
        reported="points > 0",
        measure="Best of 20 checkpoints and 4 lengths on a test set, against the same choice on "
        "fresh test images; from both the mean over all candidates is subtracted, which takes out "
        "how hard the two sets are; digits.",
        margin="above 0, 95 % interval; the size is what is reported",
        margin_reason="The sign is certain in the limit of many replicates; the size has no "
        "prediction.",
        experiments=("selection",),
        judge=_chosen,
    ),
    _claim(
        15,
        "On Fashion-MNIST, RaT-BPTT is at least as good as published one-step and kernel methods "
        "at 1, 10 and 50 images per class.",
        source=PAPER + ", comparisons, as reported",
        measure="Not measured. Beside it: a ConvNet of width 16 at 14 × 14 pixels.",
        margin="none: not run. Asked of the run: at most 1 point below the numbers remembered of "
        "those methods, with the length chosen on validation images",
        margin_reason="Those numbers are from memory, and evaluation networks differ by a point.",
        experiments=("convnet",),
        judge=_published,
        tier="full",
        expected=Outcome.NOT_RUN,
    ),
    _claim(
        16,
        "A distilled set teaches networks of other architectures.",
        source=PAPER + ", transfer, as reported; small networks of this book",
        measure="Accuracy of each target on the set minus the source's own, and minus that of the "
        "target on random real images; Fashion-MNIST at 14 × 14, one image per class; paired.",
        margin="loses less than 25 points to the source, is above random real images",
        margin_reason="The plan's. Accuracies of architectures differ by more than those of seeds.",
        experiments=("transfer",),
        judge=_transfer,
        tier="full",
        expected=None,  # nothing is derived about it
    ),
    _claim(
        17,
        "Leaving the first step out, or the guard, improves BPTT and R-BPTT; repaired R-BPTT is no "
        "worse than RaT-BPTT.",
        source=_OURS,
        reported="BPTT > 0 (first step), > 0 (guard); R-BPTT > 0 (first step), ≥ 0 (to RaT-BPTT)",
        measure=f"Paired differences in accuracy at equal arithmetic; {_DIGITS}. Beside it: pixels "
        "in [0, 1], Fashion-MNIST at 14 × 14, a small ConvNet.",
        margin="BPTT gains more than 1 point by either repair, R-BPTT more than 0 by the first; "
        "repaired R-BPTT above RaT-BPTT minus 1 point; 95 % intervals, on digits",
        margin_reason="The plan's trial had +3.0, +3.2, +2.5 and +0.2, with errors of 0.3 to 0.6; "
        "only digits are cheap enough for ten seeds and more.",
        experiments=("methods", "convnet"),
        judge=_repaired,
    ),
    _claim(
        18,
        "CIFAR-10: the accuracies that are reported for 1, 10 and 50 images per class.",
        source=PAPER + ", main table, as reported by later papers",
        measure="Not measured. Beside it: a small ConvNet on down-sampled Fashion-MNIST.",
        margin="none: not run. Asked of the run: within 2 points of what later papers report",
        margin_reason="Reported errors are up to 0.7, and our selection is on validation images.",
        experiments=("convnet",),
        judge=_cifar,
        tier="full",
        expected=Outcome.NOT_RUN,
    ),
    _claim(
        22,
        "For the same arithmetic RaT-BPTT takes more outer steps than BPTT, by the counted factor.",
        source=ABSTRACT + " (speeds up); count of this book",
        reported="(3T + b)/((T − M)/2 + 3M + b) = 1.926",
        measure="Ratio of outer steps in runs of equal budget, against (3 T + b) / ((T - M) / 2 + "
        "3 M + b), b the outer batch over the number of distilled images.",
        margin="2 %",
        margin_reason="Counted exactly but for the drawn lengths: their mean over 300 steps has an "
        "error below 1 % of a step's cost, and the last step may end short of the budget.",
        experiments=("methods",),
        judge=_faster,
    ),
)
