"""The way in: first page, glossary, indexes, citing; and chapters on paper, and their weight."""

from __future__ import annotations

import functools
import html
import os
import re
from urllib.parse import urldefrag

import pytest
from headless import ROOT, SITE, on_the_way

from fragile_learning import claims

book_indexes = pytest.importorskip("book_indexes")  # needs sphinx
yaml = pytest.importorskip("yaml")
pytest.importorskip("playwright.sync_api")


BOOK = ROOT / "book"

CHAPTERS = (
    "collapse/iterated_regression",
    "collapse/strong_collapse",
    "collapse/scaling_laws",
    "collapse/verification",
    "robustness/bayesian_networks",
    "distillation/dataset_distillation",
)
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
PAPER = {"width": 718, "height": 1047}  # A4 between margins of one centimetre, at 96 dots an inch
HEAVIEST = 2_000_000  # bytes of a chapter beside MathJax
STATEMENT = re.compile(r"^:{3,}\{prf:(?!proof)(\w+)\}", re.MULTILINE)


@pytest.fixture
def open_page(browser, site):
    """Open pages of the site; they are closed at the end."""
    contexts = []

    def opened(name, viewport=DESKTOP, scheme="light", on_response=None):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        if on_response:
            page.on("response", on_response)
        page.goto(f"{site}/book/{name}.html", wait_until="load")
        return page

    yield opened
    for context in contexts:
        context.close()


@functools.cache
def built(name: str) -> str:
    return (SITE / name).read_text(encoding="utf-8")


def sources() -> dict[str, str]:
    return {
        p.relative_to(BOOK).as_posix(): p.read_text(encoding="utf-8")
        for p in sorted(BOOK.rglob("*.md"))
    }


def links(markup: str, entry: str) -> list[str]:
    """The first link of each list entry of a class."""
    return re.findall(
        rf'<li class="{entry}">\s*<p>\s*<a class="reference internal" href="([^"]+)"', markup
    )


def dead(page: str, addresses: list[str]) -> list[str]:
    """Links of a page that lead to no element of the site."""
    found = []
    for address in addresses:
        path, anchor = urldefrag(address)
        target = (SITE / "book" / page).parent / path if path else SITE / "book" / f"{page}.html"
        name = os.path.relpath(target, SITE)
        known = (SITE / name).is_file() and f'id="{anchor}"' in built(name)
        if not anchor or not known:
            found.append(address)
    return found


def test_the_check_of_links_sees_a_dead_one():
    address = "../collapse/iterated_regression.html#reg-thm-rho"
    assert dead("reference/theorems", [address]) == []
    assert dead("reference/theorems", [address + "x"]) == [address + "x"]
    assert dead("reference/theorems", ["nowhere.html#x", "theorems.html"]) != []


# --- the first page ---------------------------------------------------------------------------

CARDS = """() => [...document.querySelectorAll('.fl-front .sd-card')].map(card => ({
  bottom: card.getBoundingClientRect().bottom + scrollY,
  link: card.querySelector('a.sd-stretched-link')?.getAttribute('href'),
  text: card.innerText,
  shown: [...card.querySelectorAll('img')].filter(i => i.offsetWidth > 0)
    .map(i => [i.className, i.alt, i.offsetWidth, i.getBoundingClientRect().right]),
}))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("viewport", "screens"), [(DESKTOP, 1), (PHONE, 2)])
def test_six_results_stand_near_the_title(open_page, viewport, screens, scheme):
    page = open_page("index", viewport, scheme)
    title = page.locator("main article h1:visible").bounding_box()
    start = title["y"] + title["height"]
    cards = page.evaluate(CARDS)
    assert [card["link"].removesuffix(".html") for card in cards] == list(CHAPTERS)
    for card in cards:
        assert card["bottom"] <= start + screens * viewport["height"], card
        ((classes, alt, width, right),) = card["shown"]  # one of the two, with a text
        assert f"fl-{scheme}" in classes.split()
        assert len(alt.split()) > 10
        assert width > 120
        assert right <= viewport["width"]
        assert re.search(r"\d", card["text"]), "the sentence has its number"
        assert "{" not in card["text"]


def test_the_first_page_counts_the_verdicts_of_the_ledger(open_page):
    text = open_page("index").inner_text("main")
    totals = claims.verdict_totals(claims.read_ledger())
    words = {
        "agrees": "agree,",
        "differs": "differ,",
        "inconclusive": "are inconclusive",
        "not run": "were not run",
    }
    for outcome, word in words.items():
        assert f"{totals[outcome]} {word}" in text.replace("\u2060", "")
    assert f"Of {sum(totals.values())} claims" in text.replace("\u2060", "")


# --- glossary and indexes ---------------------------------------------------------------------


def test_every_linked_word_leads_to_the_glossary():
    for chapter in CHAPTERS:
        addresses = re.findall(
            r'href="(\.\./reference/glossary\.html#term-[^"]+)"', built(f"book/{chapter}.html")
        )
        assert len(addresses) == sources()[f"{chapter}.md"].count("{term}`"), chapter
        assert dead(chapter, addresses) == []


def test_the_index_of_theorems_has_every_statement():
    count = sum(len(STATEMENT.findall(text)) for text in sources().values())
    found = links(built("book/reference/theorems.html"), "fl-statement")
    assert count > 80
    assert len(found) == len(set(found)) == count
    assert dead("reference/theorems", found) == []


def test_the_index_of_theorems_has_the_numbers_of_the_pages(open_page):
    page = open_page("reference/theorems")
    entries = page.eval_on_selector_all(
        ".fl-statement", "all => all.map(e => [e.querySelector('a').href, e.innerText])"
    )
    href, text = next((h, t) for h, t in entries if h.endswith("#reg-thm-rho"))
    page.goto(href)
    title = page.inner_text("[id='reg-thm-rho'] > .admonition-title")
    number, name = re.fullmatch(r"(Theorem [\d.]+)\s+\((.*)\)", " ".join(title.split())).groups()
    assert " ".join(text.split()) == f"{number}: {name}"


def test_the_index_of_figures_has_every_figure_and_its_commands():
    page = built("book/reference/figures.html")
    drawn = {
        name: book_indexes.page_figures(text)
        for name, text in sources().items()
        if name != "index.md"
    }
    found = links(page, "fl-figure-entry")
    assert len(found) == len(set(found)) == sum(map(len, drawn.values())) > 90
    assert dead("reference/figures", found) == []
    plain = html.unescape(re.sub(r"<[^>]+>", "", page))
    for figures in drawn.values():
        for figure in figures:
            assert figure.alt in plain
            for source in figure.sources:
                assert source.command in plain


def test_an_entry_of_the_index_of_figures_leads_to_that_figure(open_page):
    page = open_page("reference/figures")
    entries = page.eval_on_selector_all(
        ".fl-figure-entry",
        "all => all.map(e => [e.querySelector('a').href, e.querySelector('p').innerText])",
    )
    for href, text in entries[::31]:
        page.goto(href)
        anchor = urldefrag(href).fragment
        alts = page.eval_on_selector_all(f"#{anchor} img", "all => all.map(i => i.alt)")
        assert len(alts) == 2
        assert set(alts) == {text.partition(": ")[2]}


def test_the_page_on_citing_says_what_the_citation_file_says(open_page):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    page = open_page("reference/citing")
    assert page.inner_text(".fl-apa").strip() == book_indexes.apa(citation)
    listings = page.eval_on_selector_all("main pre", "all => all.map(e => e.textContent.trim())")
    assert listings[0] == book_indexes.bibtex(citation)
    assert len(listings) == 1 + len(CHAPTERS)


# --- paper and weight -------------------------------------------------------------------------

PRINTED = """async () => {
  if (window.MathJax && window.MathJax.startup) await window.MathJax.startup.promise;
  const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
  const wide = [...document.querySelectorAll('main p, main img, main pre, main table, main h2')]
    .filter(e => shown(e) && e.getBoundingClientRect().right > innerWidth + 1);
  return {
    navigation: [...document.querySelectorAll(
      '.bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-area, .copybtn'
    )].filter(shown).length,
    background: getComputedStyle(document.body).backgroundColor,
    light: [...document.querySelectorAll('img.fl-light')].filter(shown).length,
    dark: [...document.querySelectorAll('img.fl-dark')].filter(shown).length,
    headings: [...document.querySelectorAll('main h1, main h2')].filter(shown)
      .map(e => e.firstChild.textContent),
    solutions: [...document.querySelectorAll('.solution')]
      .map(e => [...e.querySelectorAll('.solution-content, section')].some(shown)),
    wide: wide.slice(0, 5).map(e => e.outerHTML.slice(0, 120)),
    width: document.scrollingElement.scrollWidth,
    pale: [...document.querySelectorAll('.highlight span, .admonition-title')].filter(shown)
      .map(e => getComputedStyle(e).color)
      .filter(c => c.match(/\\d+/g).slice(0, 3).reduce((sum, v) => sum + Number(v), 0) > 480),
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("chapter", ["collapse/iterated_regression", "collapse/verification"])
def test_a_chapter_can_be_printed(open_page, chapter, scheme):
    page = open_page(chapter, PAPER, scheme)
    page.emulate_media(media="print", color_scheme=scheme)
    found = page.evaluate(PRINTED)
    assert found["navigation"] == 0
    assert found["background"] == "rgb(255, 255, 255)"
    assert found["light"] == len(book_indexes.page_figures(sources()[f"{chapter}.md"]))
    assert found["dark"] == 0
    assert found["headings"][0] == "Iterated regression" or "Verifiers" in found["headings"][0]
    assert found["headings"][-1] == "Where next"
    assert len(found["solutions"]) >= 5
    assert all(found["solutions"]), "solutions are open"
    assert found["wide"] == []
    assert found["pale"] == [], "text that paper would not show"
    assert found["width"] <= PAPER["width"]
    pdf = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 5


def test_the_screen_still_has_its_navigation(open_page):
    """Negative control: what is hidden on paper is there on the screen."""
    found = open_page("collapse/verification", DESKTOP, "dark").evaluate(PRINTED)
    assert found["navigation"] > 0
    assert found["background"] != "rgb(255, 255, 255)"
    assert found["dark"] > 0
    assert found["light"] == 0
    assert found["pale"] != []
    assert not any(found["solutions"])


@pytest.mark.parametrize("chapter", [*CHAPTERS, "index"])
def test_a_chapter_read_to_its_end_is_light(open_page, chapter):
    """Bytes on the way to a reader: text is compressed, as every host of pages does."""
    answers = []
    page = open_page(chapter, DESKTOP, "dark", lambda answer: answers.append(answer))
    # all that a reader sees who scrolls through; the figures of the other theme are not asked for
    page.evaluate(
        """async () => {
          const seen = [...document.images].filter(i => i.offsetWidth > 0);
          for (const image of seen) image.loading = 'eager';
          await Promise.all(seen.map(i => i.decode()));
        }"""
    )
    page.wait_for_load_state("networkidle")
    sizes = {
        answer.url: on_the_way(answer)
        for answer in answers
        if answer.url.startswith("http") and "/mathjax/" not in answer.url
    }
    pictures = [url for url in sizes if re.search(r"/_images/\w+\.svg$", url)]
    if chapter != "index":
        figures = len(book_indexes.page_figures(sources()[f"{chapter}.md"]))
        assert figures <= len(pictures) < 1.5 * figures, "one picture of a figure, not two"
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert 100_000 < sum(sizes.values()) < HEAVIEST, heaviest
