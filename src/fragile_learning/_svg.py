"""Small SVG: the drawing that matplotlib wrote, in about a third of the bytes.

Matplotlib's SVG repeats a style for each mark, names each group, and gives six decimals of a
point. A page with thirty figures then weighs some megabytes. Here the same drawing is written
again: coordinates to a hundredth of a point (a seventy-fifth of a pixel), each style once, no
groups without meaning, no metadata, no names that nothing refers to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

__all__ = ["compact"]

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_DECIMALS = 2

_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COMMAND = re.compile(rf"([MLHVCSQTAZmlhvcsqtaz])|({_NUMBER})")
_TRANSLATION = re.compile(rf"translate\(({_NUMBER})[ ,]+({_NUMBER})\)")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_LENGTHS = frozenset({"x", "y", "width", "height", "cx", "cy", "r", "x1", "x2", "y1", "y2"})
_WORDS = frozenset({"style", "text", "tspan", "title", "desc"})
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def compact(svg: bytes) -> bytes:
    """Return an SVG that draws the same in fewer bytes.

    Parameters
    ----------
    svg : bytes
        As matplotlib writes it.

    Returns
    -------
    bytes
        UTF-8, attributes in single quotes. The same input gives the same bytes.

    Raises
    ------
    ValueError
        If `svg` is not an SVG document.

    Examples
    --------
    >>> compact(
    ...     b'<svg xmlns="http://www.w3.org/2000/svg"><g id="figure_1">'
    ...     b'<path d="M 0.123456 1 L 2 3 L 4 5.0"/></g></svg>'
    ... )
    b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M.12 1 2 3 4 5'/></svg>"
    """
    try:
        root = ET.fromstring(svg)  # noqa: S314 - our own drawing, not a stranger's
    except ET.ParseError as error:
        raise ValueError(f"svg must be an SVG document, got {svg[:40]!r}: {error}") from None
    if root.tag != f"{{{_SVG}}}svg":
        raise ValueError(f"svg must be an SVG document, got one of <{root.tag}>")
    used = set(_references(root))
    _simplify(root, used)
    _rename(root, used)
    _share_styles(root)
    return _text(root).encode("utf-8")


# --- what can go ------------------------------------------------------------------------------


def _references(root: ET.Element) -> Iterator[str]:
    """Names that something in the drawing refers to."""
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in {_HREF, "href"} and value.startswith("#"):
                yield value[1:]
            yield from _REFERENCE.findall(value)


def _simplify(element: ET.Element, used: set[str]) -> None:
    """Drop names, metadata, spaces and groups that say nothing; round coordinates."""
    tag = _tag(element)
    if element.get("id") not in used:
        element.attrib.pop("id", None)
    if _HREF in element.attrib:
        element.set("href", element.attrib.pop(_HREF))
    for name, value in list(element.attrib.items()):
        element.set(name, _shorter(tag, name, value))
    if tag == "use":
        _place(element)
    children = []
    for child in list(element):
        element.remove(child)
        if _tag(child) == "metadata":
            continue
        _simplify(child, used)
        child.tail = None if tag not in _WORDS else child.tail
        unwrapped = _tag(child) == "g" and not child.attrib
        children += list(child) if unwrapped else [child]
    if tag not in _WORDS:
        element.text = None
    element.extend(child for child in children if len(child) or _tag(child) not in {"g", "defs"})


def _shorter(tag: str, name: str, value: str) -> str:
    if name == "d":
        return _path(value)
    if name == "style":
        parts = (part.split(":", 1) for part in value.split(";") if part.strip())
        return ";".join(f"{key.strip()}:{text.strip()}" for key, text in parts)
    if name == "transform":
        moved = _TRANSLATION.sub(lambda found: f"translate({_pair(found[1], found[2])})", value)
        return re.sub(r"\)\s+", ")", moved)
    if name in _LENGTHS and tag != "svg" and re.fullmatch(_NUMBER, value):
        return _rounded(value)
    return value


def _place(element: ET.Element) -> None:
    """Write the translation of a copy as its place."""
    moved = _TRANSLATION.fullmatch(element.get("transform", ""))
    if moved is not None and not {"x", "y"} & set(element.attrib):
        del element.attrib["transform"]
        element.attrib.update({"x": _rounded(moved[1]), "y": _rounded(moved[2])})
    for name in ("x", "y"):
        if element.get(name) == "0":
            del element.attrib[name]


def _rounded(number: str) -> str:
    """Return a number to a hundredth, in its shortest form."""
    text = f"{float(number):.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return {"-0": "0"}.get(text, re.sub(r"^(-?)0\.", r"\1.", text))


def _pair(first: str, second: str) -> str:
    return f"{_rounded(first)} {_rounded(second)}"


def _path(data: str) -> str:
    """Return the commands of a path: rounded, and a line after a line without its letter."""
    written: list[str] = []
    current = ""
    for letter, number in _COMMAND.findall(data):
        if letter:
            implied = "L" if current == "M" else "l" if current == "m" else current
            if letter != implied or letter in "MmZz":
                written.append(letter)
            current = letter
        else:
            text = _rounded(number)
            apart = bool(written) and written[-1][-1] not in _LETTERS + _LETTERS.upper()
            written.append(f" {text}" if apart and not text.startswith("-") else text)
    return "".join(written)


# --- names and styles -------------------------------------------------------------------------


def _short_names() -> Iterator[str]:
    """Names a, b, ..., z, aa, ab, ... without end."""
    ends = [""]
    while True:
        ends = [end + letter for end in ends for letter in _LETTERS]
        yield from ends


def _rename(root: ET.Element, used: set[str]) -> None:
    """Give what is referred to the shortest names, the most frequent first."""
    counts = Counter(_references(root))
    known = [element.get("id") for element in root.iter() if element.get("id") in used]
    order = sorted((name for name in known if name), key=lambda name: -counts[name])
    short = dict(zip(order, _short_names(), strict=False))

    def address(found: re.Match[str]) -> str:
        return f"url(#{short.get(found[1], found[1])})"

    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, short[value])
            elif name == "href" and value.startswith("#"):
                element.set(name, f"#{short.get(value[1:], value[1:])}")
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(address, value))


def _share_styles(root: ET.Element) -> None:
    """Write each style that returns once, as a class."""
    counts = Counter(style for element in root.iter() if (style := element.get("style")))
    shared = [style for style, times in counts.most_common() if times > 1]
    names = dict(zip(shared, _short_names(), strict=False))
    for element in root.iter():
        style = element.get("style")
        if style in names:
            del element.attrib["style"]
            element.set("class", names[style])
    if names:
        rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
        sheet = next(root.iter(f"{{{_SVG}}}style"), None)
        if sheet is None:
            sheet = ET.Element(f"{{{_SVG}}}style")
            root.insert(0, sheet)
        sheet.text = (sheet.text or "") + rules


# --- writing ----------------------------------------------------------------------------------


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ET.Element, *, top: bool = True) -> str:
    """Return an element as text, attributes in single quotes."""
    attributes = dict(element.attrib)
    if top:
        attributes = {"xmlns": _SVG, **attributes}
    quoted = (
        f" {name}='" + escape(value, {"'": "&#39;"}) + "'" for name, value in attributes.items()
    )
    tag = _tag(element)
    start = f"<{tag}{''.join(quoted)}"
    inside = escape(element.text or "") + "".join(
        _text(child, top=False) + escape(child.tail or "") for child in element
    )
    return f"{start}>{inside}</{tag}>" if inside else f"{start}/>"
