"""The built site in a headless browser: what the tests of its pages share."""

from __future__ import annotations

import functools
import gzip
import http.server
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PHONE = 390
DESKTOP = 1280
TALLEST = 60_000  # pixels of a screenshot; all of a page is checked, whatever its height
PROBE = """async () => {
  if (window.MathJax && window.MathJax.startup) await window.MathJax.startup.promise;
  // a change of scheme reaches the page some frames later
  const root = document.documentElement.dataset;
  const scheme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  for (let i = 0; i < 100 && 'theme' in root && root.theme !== scheme; i++)
    await new Promise(requestAnimationFrame);
  // figures come when they are seen; here the whole page is
  const seen = [...document.images].filter(i => i.offsetWidth > 0);
  for (const image of seen) image.loading = 'eager';
  await Promise.all(seen.map(i => i.decode().catch(() => {})));
  const wide = [...document.querySelectorAll('main *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map(e => e.outerHTML.slice(0, 120));
  // words of tables that are cut in two, as a column is too narrow
  const torn = [];
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const cell = text.parentElement.closest('td, th');
    if (!cell || text.parentElement.closest('mjx-container')) continue;
    if (cell.closest('.indextable')) continue; // dotted names of the general index
    if (cell.closest('table, thead').clientWidth <= 1) continue; // for screen readers alone
    for (const word of text.data.matchAll(/\\p{L}{4,}/gu)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(b => Math.round(b.top))).size > 1)
        torn.push(word[0]);
    }
  }
  const cut = [...document.querySelectorAll('main mjx-container:not([display])')].filter(e => {
    const block = e.closest('p, li, dd');
    return block && e.getBoundingClientRect().right > block.getBoundingClientRect().right + 1;
  }).map(e => e.textContent.slice(0, 60));
  return {
    cut,
    torn,
    broken: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(e => e.textContent),
    unnamed: [...document.images].filter(i => !i.alt.trim()).map(i => i.outerHTML.slice(0, 120)),
    theme: root.theme ?? null,
    width: document.scrollingElement.scrollWidth,
    wide,
  };
}"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder: Path):
    """Serve a folder; give the server and its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def on_the_way(answer) -> int:
    """Bytes of an answer when its text is compressed, as every host of pages does."""
    body = answer.body()
    text = re.search("text|javascript|json|svg", answer.headers.get("content-type", ""))
    return len(gzip.compress(body) if text else body)


def inspect(
    browser,
    url: str,
    *,
    width: int = PHONE,
    schemes: Sequence[str] = ("light",),
    pictures: Mapping[str, Path] | None = None,
) -> list[str]:
    """Open a page with every outside request blocked, and list all that is wrong with it.

    A long page takes seconds to typeset. So it is opened once, and then shown in each of the
    schemes in turn, as when the reader's machine changes from day to night. ``pictures`` says
    where the screenshot of a scheme goes, if one is wanted.
    """
    faults: list[str] = []
    host = urlsplit(url).netloc
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=schemes[0], service_workers="block"
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
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(PROBE)
        faults += [f"{scheme}: formula: {text}" for text in found["broken"]]
        faults += [f"{scheme}: no alt text: {tag}" for tag in found["unnamed"]]
        faults += [f"{scheme}: formula runs out of its paragraph: {text}" for text in found["cut"]]
        faults += [f"{scheme}: torn word: {text}" for text in found["torn"]]
        if found["theme"] not in (scheme, None):
            faults.append(f"{scheme}: the page is {found['theme']}")
        if found["width"] > width:
            faults.append(f"{scheme}: page is {found['width']} px wide on {width}: {found['wide']}")
        if pictures is not None and scheme in pictures:
            picture = pictures[scheme]
            picture.parent.mkdir(parents=True, exist_ok=True)
            height = page.evaluate("document.documentElement.scrollHeight")
            # Chromium cannot paint a page of any height at once; the reference is the longest
            shown = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST)}
            page.screenshot(path=str(picture), full_page=True, clip=shown)
    context.close()
    return faults
