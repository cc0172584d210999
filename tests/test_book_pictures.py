"""Figures leave the page's HTML, and stay the same."""

from __future__ import annotations

import base64

import pytest

import book_pictures

ONE, TWO = b"<svg>1</svg>", b"<svg>2</svg>"


def image(picture: bytes) -> str:
    return f'<img alt="a" src="data:image/svg+xml;base64,{base64.b64encode(picture).decode()}">'


def test_each_picture_becomes_one_file(tmp_path):
    body = f"<p>x</p>{image(ONE)}{image(TWO)}{image(ONE)}"
    found = book_pictures.to_files(body, tmp_path / "images", "../images/")
    files = sorted(path.read_bytes() for path in (tmp_path / "images").iterdir())
    assert files == [ONE, TWO]
    assert "base64" not in found
    assert found.count('src="../images/') == found.count('loading="lazy"') == 3
    for path in (tmp_path / "images").iterdir():
        assert f"../images/{path.name}" in found


def test_what_is_no_picture_of_a_cell_stays(tmp_path):
    body = '<img src="a.svg"><img src="data:image/png;base64,AAAA"><p>data:image/svg+xml</p>'
    assert book_pictures.to_files(body, tmp_path / "images", "") == body
    assert not (tmp_path / "images").exists()


def test_a_damaged_picture_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="padding"):
        book_pictures.to_files('<img src="data:image/svg+xml;base64,AAA">', tmp_path, "")
