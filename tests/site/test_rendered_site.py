"""The built site as a reader without a network meets it: every page in a headless browser."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import re
import shutil
import threading
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
PHONE = 390
TALLEST = 60_000  # pixels of a screenshot; all of a page is checked, whatever its height
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROBE = """async () => {
  if (window.MathJax && window.MathJax.startup) await window.MathJax.startup.promise;
  // figures come when they are seen; here the whole page is
  const seen = [...document.images].filter(i => i.offsetWidth > 0);
  for (const image of seen) image.loading = 'eager';
  await Promise.all(seen.map(i => i.decode().catch(() => {})));
  const wide = [...document.querySelectorAll('main *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map(e => e.outerHTML.slice(0, 120));
  return {
    maths: document.querySelectorAll('mjx-container').length,
    broken: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(e => e.textContent),
    unnamed: [...document.images].filter(i => !i.alt.trim()).map(i => i.outerHTML.slice(0, 120)),
    width: document.scrollingElement.scrollWidth,
    wide,
  };
}"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def browser():
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs chromium")
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        instance = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield instance
        instance.close()


def on_the_way(answer) -> int:
    """Bytes of an answer when its text is compressed, as every host of pages does."""
    body = answer.body()
    text = re.search("text|javascript|json|svg", answer.headers.get("content-type", ""))
    return len(gzip.compress(body) if text else body)


def serve(folder: Path):
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").is_file():
        pytest.fail("the site is not built: run `make book`")
    server, address = serve(SITE)
    yield address
    server.shutdown()
    server.server_close()


def inspect(browser, url, *, width=PHONE, scheme="light", picture=None) -> list[str]:
    """Open a page with every outside request blocked, and list all that is wrong with it."""
    faults: list[str] = []
    host = urlsplit(url).netloc
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, service_workers="block"
    )
    page = context.new_page()

    def route(request_route):
        if urlsplit(request_route.request.url).netloc in (host, ""):
            request_route.continue_()
        else:
            faults.append(f"outside request: {request_route.request.url}")
            request_route.abort()

    page.route("**/*", route)
    page.on("console", lambda m: m.type == "error" and faults.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("requestfailed", lambda r: faults.append(f"failed: {r.url}"))
    page.on("response", lambda r: r.status >= 400 and faults.append(f"{r.status}: {r.url}"))
    page.goto(url, wait_until="load")
    found = page.evaluate(PROBE)
    faults += [f"formula: {text}" for text in found["broken"]]
    faults += [f"no alt text: {tag}" for tag in found["unnamed"]]
    if found["width"] > width:
        faults.append(f"page is {found['width']} px wide on {width}: {found['wide']}")
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        height = page.evaluate("document.documentElement.scrollHeight")
        # Chromium cannot paint a page of any height at once; the reference is the longest
        shown = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST)}
        page.screenshot(path=str(picture), full_page=True, clip=shown)
    context.close()
    return faults


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


def test_every_page_is_clean(browser, site):
    names = pages()
    assert any(name.startswith("book/") for name in names)
    faults = {}
    for name in names:
        for width, scheme in ((PHONE, "light"), (1280, "light"), (PHONE, "dark"), (1280, "dark")):
            shown = name.startswith("book/")
            if not shown and (width, scheme) != (PHONE, "light"):
                continue
            stem = name.removesuffix(".html").replace("/", "-")
            picture = SCREENSHOTS / f"{stem}-{scheme}-{width}.png" if shown else None
            wrong = inspect(browser, f"{site}/{name}", width=width, scheme=scheme, picture=picture)
            if wrong:
                faults[f"{name} {scheme} {width}"] = wrong
    listing = "\n".join(f"{where}: {wrong}" for where, wrong in faults.items())
    assert not faults, listing


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
        assert inspect(browser, f"{address}/good.html") == []
        assert any(message in fault for fault in inspect(browser, f"{address}/bad.html"))
    finally:
        server.shutdown()
        server.server_close()
