"""Only the icons that the pages show stay in the theme's script."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import book_icons

ROOT = Path(__file__).resolve().parents[1]
SHAPE = '[512,512,[{others}],"f00{i}","M{i} 1z"]'


def script(n):
    icons = [
        f"icon{i}:" + SHAPE.format(i=i, others='"other-name"' if i == 3 else "") for i in range(n)
    ]
    icons.append('"two-tone":[512,512,[],"f1",["M0 1z","M2 3z"]]')
    return "var icons={" + ",".join(icons) + "};draw(icons)"


def test_icons_that_no_page_names_go():
    small = book_icons.only(script(book_icons.FEWEST), {"icon7", "icon12"})
    assert small == (
        'var icons={icon7:[512,512,[],"f007","M7 1z"],icon12:[512,512,[],"f0012","M12 1z"],};'
        "draw(icons)"
    )


@pytest.mark.parametrize(
    ("name", "kept"), [("other-name", "icon3"), ("two-tone", '"two-tone"'), ("icon3", "icon3")]
)
def test_an_icon_has_several_names_and_shapes(name, kept):
    assert book_icons.only(script(book_icons.FEWEST), {name}).startswith(f"var icons={{{kept}:")


def test_a_script_of_another_form_stays_as_it_is():
    unknown = script(book_icons.FEWEST - 2)
    assert book_icons.only(unknown, {"icon1"}) == unknown


def test_names_come_from_pages_and_scripts(tmp_path):
    (tmp_path / "a.html").write_text('<i class="fa-solid fa-sun fa-lg"></i>', encoding="utf-8")
    (tmp_path / "b.js").write_text("add('fa-xmark')", encoding="utf-8")
    found = book_icons.names_in(sorted(tmp_path.iterdir()))
    assert found == {"solid", "sun", "lg", "xmark"}


@pytest.mark.parametrize("failed", [None, RuntimeError("no")])
def test_after_a_build_the_script_is_small(tmp_path, failed):
    path = tmp_path / book_icons.SCRIPT
    path.parent.mkdir(parents=True)
    path.write_text(script(book_icons.FEWEST), encoding="utf-8")
    (tmp_path / "page.html").write_text('<i class="fa-icon5">', encoding="utf-8")
    app = SimpleNamespace(outdir=str(tmp_path), builder=SimpleNamespace(format="html"))
    book_icons.on_finish(app, failed)
    assert ("icon6:" in path.read_text(encoding="utf-8")) is (failed is not None)
    assert "icon5:" in path.read_text(encoding="utf-8")
