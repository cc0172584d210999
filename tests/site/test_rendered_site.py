"""The built site as a reader without a network meets it: every page in a headless browser."""

from __future__ import annotations

import os
import tomllib
from urllib.parse import urlsplit

import pytest
from headless import DESKTOP, PHONE, ROOT, SITE, inspect, serve

SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder for a picture of each page, if wanted
SCHEMES = ("light", "dark")


def pages() -> list[str]:
    found = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html"))
    # the root's index.html only sends the browser on to book/index.html
    return [n for n in found if n != "index.html" and not n.startswith(("_static/", "reports/"))]


def test_root_leads_to_the_first_page(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/index.html")
    page.wait_for_url("**/book/index.html", timeout=10_000)
    assert "Fragile Learning" in page.title()
    page.close()


def test_the_pages_are_found():
    assert sum(name.startswith("book/") for name in pages()) > 25


@pytest.mark.parametrize("name", pages())
def test_a_page_is_clean(browser, site, name):
    written = name.startswith("book/")  # the others are lists that the theme makes
    faults = []
    for width in (PHONE, DESKTOP) if written else (PHONE,):
        schemes = SCHEMES if written else SCHEMES[:1]
        pictures = {}
        if SCREENSHOTS and written:
            stem = name.removesuffix(".html").replace("/", "-")
            pictures = {s: ROOT / SCREENSHOTS / f"{stem}-{s}-{width}.png" for s in schemes}
        faults += inspect(
            browser, f"{site}/{name}", width=width, schemes=schemes, pictures=pictures
        )
    assert not faults, "\n".join(faults)


def test_formulas_break_only_where_the_page_is_too_narrow(browser, site):
    page = browser.new_page(viewport={"width": PHONE, "height": 900})
    page.goto(f"{site}/book/primer/equivalents.html")
    page.wait_for_selector("mjx-container.fl-breaks", state="attached")
    every = page.locator("main mjx-container:not([display])").count()
    assert page.locator(".fl-breaks").count() < every / 10
    page.set_viewport_size({"width": DESKTOP, "height": 900})
    page.wait_for_function("!document.querySelector('.fl-breaks')")
    page.close()


def test_search_finds_kappa(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/search.html?q=kappa", wait_until="networkidle")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    assert "kappa" in page.inner_text("#search-results").lower()
    page.close()


def test_colab_buttons_point_at_notebooks_of_this_repository(browser, site):
    identity = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "fragile-learning"
    ]
    prefix = "/github/{owner}/{name}/blob/{branch}/".format(**identity)
    notebooks = [p.relative_to(ROOT).as_posix() for p in (ROOT / "book").rglob("*.ipynb")]
    assert notebooks
    page = browser.new_page()
    for notebook in notebooks:
        page.goto(f"{site}/{notebook.removesuffix('.ipynb')}.html", wait_until="domcontentloaded")
        links = page.eval_on_selector_all(
            "a[href*='colab.research']", "links => links.map(a => a.href)"
        )
        assert {urlsplit(link).path for link in links} == {prefix + notebook}
    page.close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<img src='a.svg' alt=' '>", "no alt text"),
        ("<div style='width: 900px'>wide</div>", "px wide"),
        ("<script>console.error('x')</script>", "console: x"),
        ("<script>undefinedName()</script>", "script:"),
        ("<img src='missing.png' alt='gone'>", "404"),
        ("<img src='https://example.org/a.png' alt='away'>", "outside request"),
        ("<script>document.documentElement.dataset.theme = 'light'</script>", "dark: the page is"),
        (
            "<table><td style='width: 0; word-break: break-all'><b>word</b></table>",
            "torn word: word",
        ),
        (
            "<p style='width: 3em; white-space: nowrap'><mjx-container>a + b + c</mjx-container>",
            "formula runs out of its paragraph: a + b + c",
        ),
        ("<mjx-merror>Undefined control sequence</mjx-merror>", "formula:"),
    ],
)
def test_each_fault_is_seen(browser, tmp_path, body, message):
    """Negative control: a page with one fault, and the same page without."""
    for name, text in (("bad.html", body), ("good.html", "fine")):
        content = f"<!doctype html><link rel=icon href=a.svg><main>{text}</main>"
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "a.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", encoding="utf-8"
    )
    server, address = serve(tmp_path)
    try:
        assert inspect(browser, f"{address}/good.html", schemes=SCHEMES) == []
        found = inspect(browser, f"{address}/bad.html", schemes=SCHEMES)
        assert any(message in fault for fault in found)
    finally:
        server.shutdown()
        server.server_close()
