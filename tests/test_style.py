"""One style, two modes: what it promises about colours, bytes and what it leaves alone."""

from __future__ import annotations

import base64
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fragile_learning import style


def draw(values, *, title=""):
    figure, axes = plt.subplots()
    axes.plot(values, label="line")
    axes.set(xlabel="x", ylabel="y", title=title)
    return figure


def luminance(color):
    """Relative luminance of the accessibility guidelines."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, two):
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("color", [*style.PALETTE.values(), *style.GENERATION_COLORS])
def test_every_colour_stands_out_from_both_pages(mode, color):
    assert contrast(color, style.BACKGROUND[mode]) >= 2.9


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out(mode):
    with style.use(mode):
        assert contrast(style.foreground(), style.BACKGROUND[mode]) > 7
        assert mpl.rcParams["text.color"] == style.foreground()


def deuteranope(color):
    """Colour as one without green cones sees it (Vienot, Brettel, Mollon 1999)."""
    matrix = np.array(
        [[0.33066007, 0.66933993, 0], [0.33066007, 0.66933993, 0], [-0.02785538, 0.02785538, 1]]
    )
    return np.clip(matrix @ np.array(to_rgb(color)) ** 2.2, 0, 1) ** (1 / 2.2)


def test_real_and_synthetic_differ_for_the_colour_blind():
    for one, two in (("real", "synthetic"), ("synthetic", "theory"), ("real", "theory")):
        seen = [deuteranope(style.PALETTE[name]) for name in (one, two)]
        assert np.linalg.norm(seen[0] - seen[1]) > 0.15


def test_settings_outside_stay_as_they_are():
    before = dict(mpl.rcParams)
    with style.use("dark"):
        assert mpl.rcParams["axes.facecolor"] == style.BACKGROUND["dark"]
    assert dict(mpl.rcParams) == before
    with pytest.raises(RuntimeError), style.use("dark"):
        raise RuntimeError
    assert dict(mpl.rcParams) == before
    wrong = pytest.raises(ValueError, match="mode must be one of 'light', 'dark', got 'sepia'")
    with wrong, style.use("sepia"):
        pass


def test_a_length_has_one_look():
    looks = [style.generation_style(n) for n in (0, 1, 5, 10, 20)]
    for key in ("color", "marker", "linestyle"):
        assert len({str(look[key]) for look in looks}) == 5
    assert looks[0]["color"] == style.PALETTE["real"]
    assert looks[-1]["color"] == style.PALETTE["synthetic"]
    assert style.generation_style(3, (3,))["color"] == style.PALETTE["real"]
    with pytest.raises(ValueError, match="generation must be one of 0, 1, got 7"):
        style.generation_style(7, (0, 1))
    with pytest.raises(ValueError, match="must not repeat"):
        style.generation_style(1, (1, 1))


def test_a_shown_figure_is_two_pictures_with_one_text():
    shown = style.show(draw, [1, 2, 3], alt="It rises <steadily>\n  & straight.")
    page = shown._repr_html_()
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 2
    for image, mode in zip(images, ("light", "dark"), strict=True):
        assert f"fl-{mode}" in image
        assert 'alt="It rises &lt;steadily&gt; &amp; straight."' in image
        svg = base64.b64decode(re.search(r"base64,([^\"]*)", image)[1]).decode()
        assert style.BACKGROUND[mode] in svg
        assert "<dc:date>" not in svg
    assert repr(shown) == "Figure: It rises <steadily> & straight."
    assert shown.light != shown.dark
    assert plt.get_fignums() == []


def test_the_same_figure_has_the_same_bytes():
    one, two = (style.show(draw, [1, 2], alt="A line.") for _ in range(2))
    assert (one.light, one.dark) == (two.light, two.dark)
    assert one.light != style.show(draw, [2, 1], alt="A line.").light


def test_arguments_reach_the_drawing():
    assert style.show(draw, [1], title="T", alt="A.").light != style.show(draw, [1], alt="A.").light


@pytest.mark.parametrize(
    ("function", "alt", "error", "message"),
    [
        (draw, None, TypeError, "alt must be a string, got None"),
        (draw, "  ", ValueError, "alt must say in words"),
        (lambda values: values, "A.", TypeError, "draw must return a matplotlib Figure"),
    ],
)
def test_a_figure_without_words_is_refused(function, alt, error, message):
    with pytest.raises(error, match=message):
        style.show(function, [1], alt=alt)
    assert plt.get_fignums() == []


def test_figures_that_were_open_stay_open():
    mine = plt.figure()
    style.show(draw, [1], alt="A.")
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


def test_values_run_from_real_to_synthetic_whichever_end_is_real():
    rising, falling = style.looks_of([3, 1, 2, 1]), style.looks_of([3, 1, 2], falling=True)
    assert list(rising) == [1.0, 2.0, 3.0]
    assert list(falling) == [3.0, 2.0, 1.0]
    for found in (rising, falling):
        colors = [look["color"] for look in found.values()]
        assert colors[0] == style.PALETTE["real"]
        assert colors[-1] == style.PALETTE["synthetic"]
        assert len({look["marker"] for look in found.values()}) == 3
        assert len({str(look["linestyle"]) for look in found.values()}) == 3
    assert style.looks_of([2, 3], skip=1) == {key: rising[key] for key in (2.0, 3.0)}


def test_points_have_two_standard_errors_and_lines_none():
    look = style.looks_of([0.0])[0.0]
    with style.use("light"):
        _, axes = plt.subplots()
        style.draw_line(axes, [1, 2], [3, 4], look, lw=3.0, label="law")
        style.draw_points(axes, [1, 2], [3, 4], [0.5, 0.25], look)
        plt.close()
    line, *_ = axes.lines
    assert (line.get_color(), line.get_linewidth()) == (look["color"], 3.0)
    assert line.get_label() == "law"
    (bars,) = axes.containers
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, [[2.0, 4.0], [3.5, 4.5]])


def test_plain_ticks_are_numbers_inside_the_axis():
    with style.use("light"):
        _, axes = plt.subplots()
        axes.set(xscale="log", xlim=(0.3, 20_000))
        style.plain_ticks(axes.xaxis, (0.1, 0.5, 12_800))
        axes.figure.canvas.draw()
        plt.close()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.5", "12,800"]
    assert not axes.get_xticks(minor=True).size
