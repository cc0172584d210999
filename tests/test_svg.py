"""Small SVG: the same drawing, as a browser and as a reader of its numbers see it."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from fragile_learning import style
from fragile_learning._svg import compact

START = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'


def small(inside: str) -> str:
    text = compact((START + inside + "</svg>").encode()).decode()
    return text.removeprefix("<svg xmlns='http://www.w3.org/2000/svg'>").removesuffix("</svg>")


def drawing() -> bytes:
    """A figure with all that the book's figures have: text, marks, dashes, clips, an image."""
    with style.use("light"):
        figure, axes = plt.subplots(1, 2)
        x = np.linspace(0.1, 3.0, 40)
        for i in range(4):
            axes[0].plot(x, np.exp(i - x), marker="os^d"[i], linestyle=["-", "--", ":", "-."][i])
        axes[0].set_yscale("log")
        axes[0].errorbar(x[::9], x[::9], yerr=0.1, fmt="o", capsize=3)
        axes[0].fill_between(x, 0.1, x, alpha=0.3)
        axes[0].set_xlabel(r"$\kappa$ < 3 & more")
        axes[1].imshow(np.arange(12.0).reshape(3, 4))
        axes[1].annotate("here", (1, 1), rotation=30, arrowprops={"arrowstyle": "->"})
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return buffer.getvalue()


def outline(svg: bytes) -> list[tuple[str, list[float]]]:
    """Every path, copy and image in order, with its numbers; copies refer to what they copy."""
    root = ET.fromstring(svg)
    order = {
        element.get("id"): place
        for place, element in enumerate(
            e for e in root.iter() if e.tag.endswith(("}path", "}image", "}clipPath"))
        )
    }
    found = []
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "path":
            lines = _absolute(element.get("d", ""))
            found.append((tag, lines))
        elif tag == "use":
            address = element.get("href") or element.get("{http://www.w3.org/1999/xlink}href")
            moved = re.fullmatch(r"translate\(([^ )]+) ([^ )]+)\)", element.get("transform", ""))
            place = (
                [float(moved[1]), float(moved[2])]
                if moved
                else [float(element.get(name, 0)) for name in ("x", "y")]
            )
            found.append((tag, [order[address[1:]], *place]))
        elif tag == "image":
            found.append((tag, [float(element.get("width")), float(element.get("height"))]))
    return found


def _absolute(d: str) -> list[float]:
    """Numbers of a path, in order; the letters are absolute in both forms."""
    assert not re.search(r"[a-y]", d), d
    return [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", d)]


def test_all_coordinates_stay_to_a_hundredth_of_a_point():
    before = drawing()
    after = compact(before)
    one, two = outline(before), outline(after)
    assert [(tag, len(numbers)) for tag, numbers in one] == [
        (tag, len(numbers)) for tag, numbers in two
    ]
    assert sum(tag == "use" for tag, _ in one) > 100
    for (_, first), (_, second) in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=0.00501)


def test_a_moved_mark_is_seen():
    after = compact(drawing())
    moved = after.replace(b"<use href='#", b"<use x='99' href='#", 1)
    assert outline(after) != outline(moved)


def test_it_is_less_than_half_and_the_same_each_time():
    before = drawing()
    after = compact(before)
    assert len(after) < 0.5 * len(before)
    assert after == compact(before)
    assert outline(compact(after)) == outline(after)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<metadata><a/></metadata><!-- note --><path d='M 1 2'/>", "<path d='M1 2'/>"),
        ("<g id='a'><g id='b'><path d='M 1 2'/></g></g>", "<path d='M1 2'/>"),
        (
            "<path d='M 0.001 -0.004 L 1.996 2 L 3 -4 z M 1 1 L 2 2'/>",
            "<path d='M0 0 2 2 3-4zM1 1 2 2'/>",
        ),
        (
            "<path d='M 1 1 Q 1 2 3 4 Q 5 6 7 8 L 1 1 C 1 2 3 4 5 6'/>",
            "<path d='M1 1Q1 2 3 4 5 6 7 8L1 1C1 2 3 4 5 6'/>",
        ),
        ("<path d='M 1 1 M 2 2 L 3 3'/>", "<path d='M1 1M2 2 3 3'/>"),
        ("<text>a &lt; b &amp; 'c'</text>", "<text>a &lt; b &amp; 'c'</text>"),
        ("<path fill='a&apos;b' d='M 0 0'/>", "<path fill='a&#39;b' d='M0 0'/>"),
        (
            "<path id='long' d='M 0 0'/><use xlink:href='#long' transform='translate(1.234 0)'/>",
            "<path id='a' d='M0 0'/><use href='#a' x='1.23'/>",
        ),
        (
            "<g transform='translate(1.239 2) scale(0.1 -0.1)'><path d='M 0 0'/></g>",
            "<g transform='translate(1.24 2)scale(0.1 -0.1)'><path d='M0 0'/></g>",
        ),
        (
            "<path d='M 0 0' style='fill: none; stroke: #fff'/>" * 2,
            "<style>.a{fill:none;stroke:#fff}</style>" + "<path d='M0 0' class='a'/>" * 2,
        ),
        (
            "<g clip-path='url(#p1)'><path d='M 0 0'/></g><clipPath id='p1'><rect/></clipPath>",
            "<g clip-path='url(#a)'><path d='M0 0'/></g><clipPath id='a'><rect/></clipPath>",
        ),
    ],
)
def test_each_rule(inside, expected):
    assert small(inside) == expected


@pytest.mark.parametrize("text", [b"", b"<svg", b"<html/>", b"<svg/>"])
def test_what_is_no_svg_is_refused(text):
    with pytest.raises(ValueError, match="svg must be an SVG document"):
        compact(text)
