"""Figures draw what they are given, in both modes, and change nothing."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from fragile_learning import style
from fragile_learning.scaling_laws import figures


def frame(**axes):
    """All combinations of some values."""
    rows = itertools.product(*axes.values())
    return pd.DataFrame([dict(zip(axes, row, strict=True)) for row in rows])


def drawn(table, suffix=""):
    """Add means and standard errors that tell rows apart."""
    values = 0.1 + 0.01 * np.arange(len(table))
    return table.assign(**{f"mean{suffix}": values, f"se{suffix}": 1e-3})


def lined(table, *columns):
    """Add predictions that tell rows and columns apart."""
    steps = 0.001 * np.arange(len(table))
    return table.assign(**{name: 0.1 * k + steps for k, name in enumerate(columns, 1)})


SIZES = [1e3, 1e4, 1e5]
CUT = drawn(frame(tail_exponent=[1.5, 2.0], rank=[10, 100], n_samples=[1e3, 1234.0, 1e4, 1e9]))
CUT.loc[CUT["n_samples"] == 1e9, ["mean", "se"]] = np.nan
CUT_LINES = lined(frame(rank=[10, 100], n_samples=SIZES), "exact", "clean")
CUT_LINES["floor"] = 1.0 / CUT_LINES["rank"]
CUT_LINES["crossover"] = 20.0 * CUT_LINES["rank"]
NARROW = drawn(frame(tail_exponent=[1.5, 2.0], narrowed_exponent=[1.5, 3.0], n_samples=SIZES))
NARROW_LINES = lined(frame(narrowed_exponent=[1.5, 3.0], n_samples=SIZES), "exact")
NARROW_LINES["slope"] = -0.5 / NARROW_LINES["narrowed_exponent"]
TOP_P = frame(tail_exponent=[1.2, 1.5], top_p=[0.9, 0.99, 0.123], generation=[1, 2, 3])
TOP_P = lined(TOP_P, "floor", "linear")
TOP_P["floor_law"] = 1.0 - TOP_P["top_p"] ** TOP_P["generation"]
GROWTH = lined(
    frame(tail_exponent=[1.2, 1.5, 2.0], n_samples=[1e6, 2000.0], generation=[0, 1, 10, 200]),
    "chain",
    "fresh_prompts",
    "linear_bound",
    "skills",
)
CHAIN = frame(
    tail_exponent=[1.2, 1.5, 2.0], sample_sizes=["[2000]", "[500]"], generation=[0, 10, 100]
)
CHAIN = drawn(drawn(CHAIN), "_skills")
CHAIN["mean_skills"] *= 100.0
CHAIN = CHAIN[(CHAIN["tail_exponent"] > 1.2) | (CHAIN["sample_sizes"] == "[500]")]
MIX = drawn(
    frame(tail_exponent=[1.5, 2.0], rank=[30, 100], real_fraction=[0.1, 0.01], n_samples=SIZES)
)
MIX_LINES = lined(frame(real_fraction=[0.1, 0.01], n_samples=SIZES), "exact", "clean", "late")
MIX_LINES = MIX_LINES.assign(
    floor=0.07,
    start=2e3,
    end=2e3 / MIX_LINES["real_fraction"],
    error_at_end=MIX_LINES["real_fraction"],
)
TAIL = drawn(frame(n_tail_from=[1001, 2000], n_samples=SIZES))
TAIL_LINES = lined(frame(n_tail_from=[1001, 2000], n_samples=SIZES), "exact", "plain")
TAIL_LINES["floor"] = np.where(TAIL_LINES["n_tail_from"] == 1001, 0.0, 0.03)
REGULAR = drawn(frame(tail_exponent=[1.5, 2.0], n_samples=[2000, 10**7], real_fraction=[0.01, 0.1]))
REGULAR_LINES = lined(
    frame(tail_exponent=[1.5, 2.0], real_fraction=[0.01, 0.1, 1.0]),
    "stationary",
    "stationary_law",
    "error",
    "without_copies",
)
REGULAR_LINES["error"] /= REGULAR_LINES["tail_exponent"] ** 4
BIGRAM = drawn(frame(tail_exponent=[1.2, 1.5, 1.8, 2.5, 3.0], n_samples=[1000, 10_000]))
BIGRAM = lined(BIGRAM, "exact", "two_terms", "leading_term", "largest_error")
CONTEXTS = frame(tail_exponent=[1.5, 3.0], context_exponent=[1.2, 1.5, 3.0], n_samples=[1e3, 1e6])
CONTEXTS = lined(drawn(CONTEXTS).assign(row_exponent=1 / 3), "scaled_error")
CONTEXTS["scaled_error"] *= 20.0
CONTEXTS.loc[CONTEXTS["n_samples"] > 1e3, ["mean", "se"]] = np.nan
MEMORY = drawn(frame(capacity=[20, 80], rank=[15, 300], n_samples=[60, 20_000]))
MEMORY_LINES = frame(capacity=[20, 80], rank=[15, 300], n_samples=[10.0, 1e6])
MEMORY_LINES = lined(MEMORY_LINES, "theory", "unlimited")
MEMORY_LINES["dimension"] = MEMORY_LINES["capacity"] * 8
DIMENSIONS = drawn(
    frame(weighting=["threshold", "root", "count"], tail_exponent=[1.5, 2.0], dimension=[32, 512])
)
DIMENSIONS["exponent"] = DIMENSIONS["weighting"].map({"threshold": 0.5, "root": 0.3, "count": 0.2})


def measured(column, **axes):
    """Five replicates: all of them ten apart, but for a scatter."""
    table = frame(**axes, replicate=range(5))
    place = table.groupby(list(axes), sort=False).ngroup()
    return table.assign(**{column: 100.0 + 10 * place + 0.1 * table["replicate"]})


SKILLS = ["1 2 3", "1 2", "2"]
GCD_FULL = frame(replicate=range(5), real_fraction=[0.0, 0.1, 1.0], generation=[0, 1, 2])
GCD_FULL = pd.concat(
    [
        GCD_FULL.assign(operands="uniform", temperature=1.0),
        GCD_FULL[GCD_FULL["real_fraction"] == 0].assign(operands="uniform", temperature=0.0),
        GCD_FULL[GCD_FULL["real_fraction"] == 0].assign(operands="log-uniform", temperature=1.0),
    ],
    ignore_index=True,
)
GCD_FULL["learnt"] = [SKILLS[g] for g in GCD_FULL["generation"]]
late = (GCD_FULL["generation"] == 2) & (GCD_FULL["replicate"] < 2)
GCD_FULL.loc[late & (GCD_FULL["real_fraction"] == 0), "learnt"] = "2 60"
GCD_FULL["n_learnt"] = [len(words.split()) for words in GCD_FULL["learnt"]]
GCD_QUICK = GCD_FULL[
    (GCD_FULL["replicate"] == 0)
    & (GCD_FULL["temperature"] == 1.0)
    & (GCD_FULL["operands"] == "uniform")
    & (GCD_FULL["real_fraction"] != 0.1)
]
RECOVERY = measured(
    "n_learnt",
    mix=["omitting", "relabelled"],
    real_fraction=[0.0, 0.2],
    n_samples=[12_800, 51_200, 153_600],
).assign(teacher_learnt=105.0)
RECOVERY_QUICK = RECOVERY[(RECOVERY["mix"] == "omitting") & (RECOVERY["replicate"] == 0)]
TEXT = measured("perplexity", real_fraction=[0.0, 0.1, 1.0], generation=[0, 1, 2])
TEXT["n_types"] = TEXT["perplexity"] * 7
SCALING = measured(
    "perplexity", data=["real", "synthetic"], n_writer_tokens=[20_000, 50_000], tokens=[2000, 10**6]
)
SCALING = SCALING[(SCALING["data"] == "synthetic") | (SCALING["n_writer_tokens"] == 50_000)]
SCALING["writer_perplexity"] = SCALING["n_writer_tokens"] / 200 + SCALING["replicate"]

# case, arguments, panels
CASES = [
    ("cut_figure", (CUT, CUT_LINES), 1),
    ("narrow_figure", (NARROW, NARROW_LINES), 1),
    ("top_p_figure", (TOP_P,), 1),
    ("generations_figure", (GROWTH, CHAIN), 1),
    ("skills_figure", (GROWTH, CHAIN), 1),
    ("mix_figure", (MIX, MIX_LINES), 1),
    ("acquisition_figure", (TAIL, TAIL_LINES), 1),
    ("regular_figure", (REGULAR, REGULAR_LINES), 2),
    ("bigram_figure", (BIGRAM,), 2),
    ("context_figure", (CONTEXTS,), 1),
    ("memory_figure", (MEMORY, MEMORY_LINES), 1),
    ("dimension_figure", (DIMENSIONS,), 2),
    ("divisors_figure", (GCD_FULL,), 2),
    ("divisors_figure quick", (GCD_QUICK,), 2),
    ("chains_figure", (GCD_FULL,), 2),
    ("chains_figure quick", (GCD_QUICK,), 1),
    ("recovery_figure", (RECOVERY,), 2),
    ("recovery_figure quick", (RECOVERY_QUICK,), 1),
    ("text_figure", (TEXT,), 2),
    ("text_scaling_figure", (SCALING,), 1),
]
ARGUMENTS = {case: arguments for case, arguments, _ in CASES}
UNTOUCHED = {case: [one.copy() for one in arguments] for case, arguments in ARGUMENTS.items()}


@pytest.fixture(scope="module")
def draw():
    """Draw a figure of the cases in a mode, once; close all at the end."""
    kept = {}

    def drawn(case, mode="light"):
        if (case, mode) not in kept:
            with style.use(mode):
                kept[case, mode] = getattr(figures, case.split()[0])(*ARGUMENTS[case])
                kept[case, mode].canvas.draw()
        return kept[case, mode]

    with plt.rc_context({"figure.max_open_warning": 0}):
        yield drawn
    plt.close("all")


def test_every_figure_is_drawn_here():
    assert {case.split()[0] for case in ARGUMENTS} == set(figures.__all__)


@pytest.mark.parametrize(("case", "panels"), [(case, panels) for case, _, panels in CASES])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_draws_in_both_modes_and_changes_nothing(case, panels, mode, draw):
    figure = draw(case, mode)
    for now, then in zip(ARGUMENTS[case], UNTOUCHED[case], strict=True):
        pd.testing.assert_frame_equal(now, then)
    assert len(figure.axes) == panels
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.has_data()
    assert figure.get_figwidth() <= style.FIGURE_WIDTH  # fits a phone
    legends = [*figure.legends, *(one for axes in figure.axes if (one := axes.get_legend()))]
    assert legends
    for legend in legends:
        assert len(legend.get_texts()) >= 2
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        for axes in figure.axes:  # hides nothing
            assert not box.overlaps(axes.get_window_extent())
            if axes.get_title():
                assert not box.overlaps(axes.title.get_window_extent())


@pytest.mark.parametrize("case", ARGUMENTS)
def test_panels_stand_below_each_other(case, draw):
    boxes = [axes.get_tightbbox() for axes in draw(case).axes]
    assert all(above.y0 >= below.y1 - 1 for above, below in itertools.pairwise(boxes))


@pytest.mark.parametrize("case", ARGUMENTS)
def test_text_stays_inside_and_apart(case, draw):
    figure = draw(case)
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.width + 1
        words = [*axes.texts, *(one for one in axes.get_xticklabels() if one.get_text())]
        shown = [
            one.get_window_extent() for one in words if 0 <= one.get_window_extent().x0 <= box.x1
        ]
        pairs = itertools.combinations(shown, 2)
        assert not any(one.overlaps(other) for one, other in pairs)


# --- what is drawn ----------------------------------------------------------------------------


def rounded(values):
    return tuple(np.round(np.asarray(values, float), 9))


def lines(axes):
    """Rounded heights of all lines, but for those of error bars."""
    bars = {id(part) for bar in axes.containers for part in [bar.lines[0], *bar.lines[1]]}
    return {rounded(one.get_ydata()) for one in axes.lines if id(one) not in bars}


def points(axes):
    """Rounded means of error bars, and from them twice the standard errors."""
    found = {}
    for bar in axes.containers:
        means = np.asarray(bar.lines[0].get_ydata(), float)
        if means.size:
            ends = np.array(bar.lines[2][0].get_segments())
            found[rounded(means)] = rounded(np.ptp(ends, axis=1)[:, 1] / 2)
    return found


def column(table, name, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    assert len(table)
    return rounded(table[name])


def stars(axes):
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == "*" and len(line.get_xdata())
    ]


def check(axes, line_columns, point_columns, error=2e-3):
    assert set(line_columns) <= lines(axes)
    found = points(axes)
    assert set(found) == set(point_columns)
    for bars in found.values():
        assert bars == pytest.approx([error] * len(bars), abs=1e-8)


def test_cut_figure(draw):
    (axes,) = draw("cut_figure").axes
    keys = [{"rank": rank} for rank in (10, 100)]
    kept = CUT[CUT["n_samples"].isin([1e3, 1e4]) & (CUT["tail_exponent"] == 1.5)]
    check(
        axes,
        [column(CUT_LINES, name, **key) for name in ("exact", "floor") for key in keys]
        + [column(CUT_LINES, "clean", rank=100)],
        [column(kept, "mean", **key) for key in keys],  # two a decade, where there are any
    )
    assert sorted(stars(axes)) == [(200.0, 0.1), (2000.0, 0.01)]
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_narrow_figure(draw):
    (axes,) = draw("narrow_figure").axes
    keys = [{"narrowed_exponent": value} for value in (1.5, 3.0)]
    check(
        axes,
        [column(NARROW_LINES, "exact", **key) for key in keys],
        [column(NARROW, "mean", tail_exponent=1.5, **key) for key in keys],
    )
    names = [text.get_text() for text in draw("narrow_figure").legends[0].get_texts()]
    assert [name.split()[-1] for name in names] == ["−0.333", "−0.167"]
    assert axes.lines[0].get_color() == style.PALETTE["real"]  # not narrowed


def test_top_p_figure(draw):
    (axes,) = draw("top_p_figure").axes
    shown = lines(axes)
    for mass in (0.9, 0.99):
        assert column(TOP_P, "linear", top_p=mass, tail_exponent=1.2) in shown
        assert column(TOP_P, "floor_law", top_p=mass, tail_exponent=1.2) in shown
        for beta in (1.2, 1.5):
            assert column(TOP_P, "floor", top_p=mass, tail_exponent=beta) in shown
    assert column(TOP_P, "floor_law", top_p=0.123, tail_exponent=1.2) not in shown


def test_generations_figure(draw):
    (axes,) = draw("generations_figure").axes
    here = {"tail_exponent": 1.5, "n_samples": 2000.0}
    names = ("chain", "fresh_prompts", "linear_bound")
    check(
        axes,
        [column(GROWTH, name, **here) for name in names],
        [column(CHAIN, "mean", tail_exponent=1.5, sample_sizes="[2000]")],
    )


def test_skills_figure(draw):
    (axes,) = draw("skills_figure").axes
    check(
        axes,
        [
            column(GROWTH, "skills", tail_exponent=beta, n_samples=2000.0)
            for beta in (1.2, 1.5, 2.0)
        ],
        [  # chains of another size are no points of these lines
            column(CHAIN, "mean_skills", tail_exponent=beta, sample_sizes="[2000]")
            for beta in (1.5, 2.0)
        ],
    )


def test_mix_figure(draw):
    (axes,) = draw("mix_figure").axes
    keys = [{"real_fraction": share} for share in (0.1, 0.01)]
    check(
        axes,
        [column(MIX_LINES, name, **key) for name in ("exact", "late") for key in keys]
        + [column(MIX_LINES, "clean", real_fraction=0.1), (0.07, 0.07)],
        [column(MIX, "mean", tail_exponent=1.5, rank=100, **key) for key in keys],
    )
    assert sorted(stars(axes)) == [(2e4, 0.1), (2e5, 0.01)]
    assert [line.get_xdata()[0] for line in axes.lines if rounded(line.get_ydata()) == (0, 1)] == [
        2e3
    ]


def test_acquisition_figure(draw):
    (axes,) = draw("acquisition_figure").axes
    keys = [{"n_tail_from": first} for first in (1001, 2000)]
    check(
        axes,
        [column(TAIL_LINES, "exact", **key) for key in keys]
        + [column(TAIL_LINES, "plain", n_tail_from=1001), (0.03,) * 3],
        [column(TAIL, "mean", **key) for key in keys],
    )


def test_regular_figure(draw):
    above, below = draw("regular_figure").axes
    names = ("stationary", "stationary_law", "real_fraction")
    check(above, [column(REGULAR_LINES, name, tail_exponent=1.5) for name in names], [])
    keys = [{"tail_exponent": beta} for beta in (1.5, 2.0)]
    check(
        below,
        [
            column(REGULAR_LINES, name, **key)
            for name in ("error", "without_copies")
            for key in keys
        ],
        [column(REGULAR, "mean", n_samples=2000, **key) for key in keys],
    )


def test_bigram_figure(draw):
    above, below = draw("bigram_figure").axes
    found, drawn_, off, bars = [], [], [], {}
    for beta in (1.2, 1.5, 1.8, 3.0):
        rows = BIGRAM[BIGRAM["tail_exponent"] == beta]
        scale = rows["n_samples"] ** (0.5 if beta > 2 else 1 - 1 / beta)
        found += [rounded(rows[name] * scale) for name in ("two_terms", "leading_term")]
        drawn_.append(rounded(rows["mean"] * scale))
        bars[drawn_[-1]] = 2e-3 * scale
        off += [rounded(rows["largest_error"])]
        off += [rounded((rows["leading_term"] / rows["exact"] - 1).abs())]
    assert set(found) <= lines(above)
    assert set(off) == lines(below)
    assert set(points(above)) == set(drawn_)
    for means, error in points(above).items():
        np.testing.assert_allclose(error, bars[means], atol=1e-8)


def test_context_figure(draw):
    (axes,) = draw("context_figure").axes
    keys = [{"context_exponent": rho, "tail_exponent": 1.5} for rho in (1.2, 1.5, 3.0)]
    assert {column(CONTEXTS, "scaled_error", **key) for key in keys} <= lines(axes)
    found = {means[0]: bars[0] for means, bars in points(axes).items()}
    means = [column(CONTEXTS, "mean", n_samples=1e3, **key)[0] for key in keys]
    np.testing.assert_allclose(sorted(found), sorted(10 * mean for mean in means))
    np.testing.assert_allclose(list(found.values()), 10 * 2e-3)
    names = [text.get_text() for text in draw("context_figure").legends[0].get_texts()]
    assert "T^{0.17}" in names[-1]  # 1/1.2 - 1/1.5
    assert "log T" in names[1]


def test_memory_figure(draw):
    (axes,) = draw("memory_figure").axes
    keys = [{"capacity": capacity, "rank": rank} for capacity in (20, 80) for rank in (15, 300)]
    check(
        axes,
        [column(MEMORY_LINES, "theory", **key) for key in keys]
        + [column(MEMORY_LINES, "unlimited", **keys[0])],
        [column(MEMORY, "mean", **key) for key in keys],
    )


def test_dimension_figure(draw):
    for axes, beta in zip(draw("dimension_figure").axes, (1.5, 2.0), strict=True):
        found = points(axes)
        for weighting, slope in (("threshold", 0.5), ("root", 0.3), ("count", 0.2)):
            means = column(DIMENSIONS, "mean", weighting=weighting, tail_exponent=beta)
            assert found[means] == pytest.approx((2e-3, 2e-3), abs=1e-8)
            assert rounded([means[1] * 16**slope, means[1]]) in lines(axes)
        assert sorted(text.get_text() for text in axes.texts) == ["−0.20", "−0.30", "−0.50"]
        assert axes.get_title() == rf"$\beta$ = {beta:g}"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_divisors_figure(mode, draw):
    figure = draw("divisors_figure", mode)
    sampled, control = figure.axes
    for axes in (sampled, control):
        assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "3", "60"]
        low, high = axes.get_ylim()
        assert low > high  # generation 0 on top
    shares = [one.collections[0].get_array().reshape(3, 4) for one in (sampled, control)]
    np.testing.assert_allclose(shares[0], [[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 0.4]])
    np.testing.assert_allclose(shares[1], [[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 0]])
    for axes, color in ((sampled, "synthetic"), (control, "real")):
        (mesh,) = axes.collections
        np.testing.assert_allclose(mesh.to_rgba(1.0)[:3], to_rgb(style.PALETTE[color]), atol=0.01)
        np.testing.assert_allclose(mesh.to_rgba(0.0)[:3], to_rgb(style.BACKGROUND[mode]), atol=0.01)
    assert "the other 96" in control.get_xlabel()
    assert len(figure.legends[0].get_texts()) == 3


def test_divisors_of_one_replicate(draw):
    figure = draw("divisors_figure quick")
    sampled = figure.axes[0]
    assert set(sampled.collections[0].get_array().ravel()) == {0.0, 1.0}
    assert [text.get_text() for text in sampled.get_xticklabels()] == ["1", "2", "3", "60"]
    assert len(figure.legends[0].get_texts()) == 2


def test_chains_figure(draw):
    above, below = draw("chains_figure").axes
    assert set(points(above)) == {(3, 2, 1), (3, 2, 1.4)}
    spread = np.array([2, 2, 1, 1, 1])
    assert points(above)[3, 2, 1.4] == pytest.approx((0, 0, 2 * spread.std(ddof=1) / np.sqrt(5)))
    assert len(above.get_legend().get_texts()) == 3
    names = [text.get_text() for text in below.get_legend().get_texts()]
    assert names == ["likeliest answer", r"$\tau$ = 1", r"$\tau$ = 1, log-uniform"]
    runs = [line for line in above.lines if line.get_alpha() == 0.5]
    assert len(runs) == 15  # five of each of three shares
    (single,) = draw("chains_figure quick").axes
    assert set(points(single)) == {(3, 2, 1), (3, 2, 2)}
    assert all(bars == (0, 0, 0) for bars in points(single).values())


# Twice the standard error of five values 0.1 apart, as in `measured`.
ERROR = 2 * 0.1 * np.sqrt(2.5) / np.sqrt(5)


def check_means(axes, table, by, name, keys, times=1):
    """Points are means of the replicates, and a line joins them."""
    expected = set()
    for key in keys:
        rows = table
        for label, value in key.items():
            rows = rows[rows[label] == value]
        expected.add(rounded(rows.groupby(by)[name].mean()))
    found = points(axes)
    assert set(found) == expected <= lines(axes)
    for bars in found.values():
        assert bars == pytest.approx([times * ERROR] * len(bars))


def test_recovery_figure(draw):
    keys = [{"real_fraction": share} for share in (0.0, 0.2)]
    for axes, mix in zip(draw("recovery_figure").axes, ("omitting", "relabelled"), strict=True):
        rows = RECOVERY[RECOVERY["mix"] == mix]
        check_means(axes, rows, "n_samples", "n_learnt", keys)
        assert (105.0, 105.0) in lines(axes)
    (single,) = draw("recovery_figure quick").axes
    check_means(single, RECOVERY_QUICK, "n_samples", "n_learnt", keys, times=0)


def test_text_figure(draw):
    above, below = draw("text_figure").axes
    keys = [{"real_fraction": share} for share in (0.0, 0.1, 1.0)]
    check_means(above, TEXT, "generation", "perplexity", keys)
    check_means(below, TEXT, "generation", "n_types", keys, times=7)


def test_text_scaling_figure(draw):
    (axes,) = draw("text_scaling_figure").axes
    keys = [{"data": "synthetic", "n_writer_tokens": size} for size in (20_000, 50_000)]
    check_means(axes, SCALING, "tokens", "perplexity", [{"data": "real"}, *keys])
    assert {(102.0, 102.0), (252.0, 252.0)} <= lines(axes)  # the writers' means


# --- tables as they are archived --------------------------------------------------------------


def test_archived_chains_are_found():
    """A list of sizes is text in a table, as the points above assume."""
    from fragile_learning.scaling_laws.experiments import archived, run_quick

    for table in (run_quick("chain"), archived("chain")):
        with style.use("light"):
            figure = figures.generations_figure(run_quick("growth"), table)
            plt.close(figure)
        (found,) = points(figure.axes[0])
        assert len(found) == 6
