"""The scoreboard as a reader uses it: filters, search, keyboard, links, phone, dark, no script."""

from __future__ import annotations

import json

import pytest
from headless import PHONE, on_the_way

from fragile_learning.claims import read_ledger

playwright = pytest.importorskip("playwright.sync_api")

PAGE = "book/synthesis/scoreboard.html"
HEAVIEST = 2_000_000  # bytes on the way, beside MathJax
READY = "document.querySelector('.fl-filters') && !document.querySelector('.fl-filters').hidden"
SHOWN = "[...document.querySelectorAll('.fl-scoreboard tbody tr')].filter(r => !r.hidden)"
# Contrast of a text with what is painted behind it, by the formula of WCAG 2.
CONTRAST = """elements => elements.map(element => {
  const numbers = text => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = element, ground = [0, 0, 0, 0];
  while (behind && !(ground = numbers(getComputedStyle(behind).backgroundColor))[3] !== false
         && ground.length === 4 && ground[3] === 0) behind = behind.parentElement;
  if (!behind) ground = [255, 255, 255];
  const [one, two] = [light(numbers(getComputedStyle(element).color)), light(ground)];
  return {text: element.className + ' ' + element.textContent.slice(0, 30),
          ratio: (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)};
})"""
TEXTS = ", ".join(
    f".fl-scoreboard {one}"
    for one in (
        ".fl-statement",
        ".fl-source",
        ".fl-verdict",
        ".fl-stale",
        "tbody a",
        "td:last-child",
        "summary",
        "dd",
        "select",
        "label",
        ".fl-count",
    )
)


@pytest.fixture(scope="module")
def ledger():
    return read_ledger()


@pytest.fixture
def board(browser, site):
    """The page with a query and a fragment, in a window of a size and a scheme."""
    opened = []

    def go(query="", *, width=1280, scheme="light", script=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        opened.append(context)
        page = context.new_page()
        page.goto(f"{site}/{PAGE}{query}", wait_until="load")
        if script:
            page.wait_for_function(READY)
        return page

    yield go
    for context in opened:
        context.close()


def shown(page):
    return page.evaluate(f"{SHOWN}.map(r => r.id)")


def counted(page):
    return page.inner_text(".fl-count")


def settles(page, wanted):
    page.wait_for_function(f"wanted => {SHOWN}.length === wanted", arg=wanted)


def test_every_claim_is_shown_and_counted(board, ledger):
    page = board()
    assert shown(page) == [entry.id for entry in ledger]
    assert counted(page) == f"All {len(ledger)} claims are shown."


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("paper", "regression", "room"), ("verdict", "differs", "outcome")],
)
def test_a_filter_leaves_what_it_names(board, ledger, name, value, field):
    wanted = [entry.id for entry in ledger if str(getattr(entry, field)) == value]
    assert 0 < len(wanted) < len(ledger)
    page = board()
    page.select_option(f"#fl-filter-{name}", value)
    settles(page, len(wanted))
    assert shown(page) == wanted
    assert counted(page) == f"{len(wanted)} of {len(ledger)} claims are shown."
    assert f"?{name}={value}" in page.url
    again = board(f"?{name}={value}")  # the address alone gives the same rows
    assert shown(again) == wanted
    page.click("button[type=reset]")
    settles(page, len(ledger))
    assert "?" not in page.url


def test_the_other_filters_follow_the_rows_own_data(board):
    page = board()
    for name in ("tier", "from", "state"):
        values = page.eval_on_selector_all(
            f"#fl-filter-{name} option", "options => options.map(o => o.value).filter(Boolean)"
        )
        assert values
        for value in values:
            wanted = page.locator(f".fl-scoreboard tr[data-{name}='{value}']").count()
            page.select_option(f"#fl-filter-{name}", value)
            settles(page, wanted)
        page.select_option(f"#fl-filter-{name}", "")


def test_filters_and_search_combine(board, ledger):
    page = board()
    page.select_option("#fl-filter-paper", "regression")
    page.fill("#fl-filter-text", "Theorem 4.5  FIGURE")
    wanted = [
        entry.id
        for entry in ledger
        if entry.room == "regression"
        and "theorem 4.5" in entry.source.lower()
        and "figure" in entry.source.lower()
    ]
    assert wanted
    page.wait_for_function("location.search.includes('text=')")
    assert set(wanted) <= set(shown(page))
    assert len(shown(page)) < 21
    page.fill("#fl-filter-text", "no such words anywhere")
    settles(page, 0)
    assert counted(page) == f"0 of {len(ledger)} claims are shown."


def test_an_unknown_value_in_the_address_filters_nothing(board, ledger):
    page = board("?paper=nobody&verdict=%3Cscript%3E")
    assert len(shown(page)) == len(ledger)


def test_the_keyboard_reaches_and_works_everything(board, ledger):
    page = board()
    page.focus("#fl-filter-paper")
    order = ["fl-filter-paper"]
    for _ in range(6):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.type"))
    assert order == [
        "fl-filter-paper",
        "fl-filter-verdict",
        "fl-filter-tier",
        "fl-filter-from",
        "fl-filter-state",
        "fl-filter-text",
        "reset",
    ]
    page.focus("#fl-filter-verdict")
    page.keyboard.press("ArrowDown")
    first = page.input_value("#fl-filter-verdict")
    wanted = [entry.id for entry in ledger if str(entry.outcome) == first]
    settles(page, len(wanted))
    page.focus("#fl-filter-text")
    page.keyboard.type("zzzz")
    settles(page, 0)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # on "Show all"
    settles(page, len(ledger))
    page.focus(".fl-scoreboard tbody tr summary")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('.fl-scoreboard details').open")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_the_controls_are_labelled_and_the_count_is_announced(board):
    page = board()
    unlabelled = page.eval_on_selector_all(
        ".fl-filters :is(select, input)",
        "all => all.filter(c => !c.labels.length || !c.labels[0].textContent).map(c => c.id)",
    )
    assert unlabelled == []
    assert page.get_attribute(".fl-count", "aria-live") == "polite"
    for role, name in (("combobox", "Paper"), ("searchbox", "Search"), ("table", "All claims")):
        assert page.get_by_role(role, name=name, exact=True).count() == 1


def test_a_link_leads_to_one_claim(board):
    page = board("#REG-7")
    row = page.locator("#REG-7")
    assert row.locator("details").evaluate("d => d.open")
    top = row.evaluate("r => r.getBoundingClientRect().top")
    assert -5 <= top < 300
    hidden = board("?paper=bayes#REG-7")  # the claim is shown, whatever the filters say
    assert hidden.locator("#REG-7").is_visible()
    assert hidden.input_value("#fl-filter-paper") == ""


def test_a_fragment_that_is_no_text_is_no_error(board, ledger):
    page = board()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.evaluate("location.hash = '#%E0%A4'")
    page.evaluate("location.hash = '#REG-7'")
    page.wait_for_function("document.getElementById('REG-7').querySelector('details').open")
    assert errors == []
    assert len(shown(page)) == len(ledger)


def test_formulas_are_set(board):
    page = board()
    page.wait_for_function("window.MathJax && MathJax.startup && MathJax.startup.promise")
    page.evaluate("MathJax.startup.promise")
    assert page.locator(".fl-scoreboard .fl-statement mjx-container").count() > 10
    assert page.locator(".fl-scoreboard mjx-merror").count() == 0


def test_on_a_phone_each_claim_is_a_card(board):
    page = board("#REG-7", width=PHONE)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE
    boxes = page.eval_on_selector_all(
        "#REG-7 > *", "cells => cells.map(c => c.getBoundingClientRect()).map(b => [b.left, b.top])"
    )
    assert len({round(left) for left, _ in boxes}) == 1  # one below the other
    assert [top for _, top in boxes] == sorted(top for _, top in boxes)
    label = page.evaluate(
        "getComputedStyle(document.querySelector('#REG-7 td:last-child'), '::before').content"
    )
    assert "measured here" in label
    wide = board("#REG-7")
    boxes = wide.eval_on_selector_all("#REG-7 > *", "cells => cells.map(c => c.offsetLeft)")
    assert len(set(boxes)) == 5  # side by side


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1280])
def test_every_text_stands_out(board, scheme, width):
    page = board("#REG-7", width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.wait_for_timeout(500)  # colours change gradually
    found = page.eval_on_selector_all(TEXTS, CONTRAST)
    assert len(found) > 500
    assert [one for one in found if one["ratio"] < 4.5] == []


def test_the_contrast_check_sees_a_faint_text(board):
    page = board("#REG-7", scheme="dark")
    page.add_style_tag(content=".fl-scoreboard .fl-statement { color: #222 !important; }")
    found = page.eval_on_selector_all(".fl-statement", CONTRAST)
    assert all(one["ratio"] < 4.5 for one in found)


def test_without_a_script_the_whole_table_is_there(board, ledger):
    page = board(script=False)
    assert page.locator(".fl-scoreboard tbody tr").count() == len(ledger)
    assert page.locator(".fl-scoreboard tbody tr:visible").count() == len(ledger)
    assert not page.locator(".fl-filters").is_visible()


def test_a_verdict_is_a_word(board, ledger):
    page = board()
    texts = page.eval_on_selector_all(".fl-verdict", "all => all.map(e => e.innerText)")
    assert [text.split(" ", 1)[1] for text in texts] == [str(entry.outcome) for entry in ledger]


def test_the_page_is_light(browser, site):
    page = browser.new_page()
    sizes = {}
    page.on("response", lambda r: sizes.__setitem__(r.url, on_the_way(r) if r.ok else 0))
    page.goto(f"{site}/{PAGE}", wait_until="networkidle")
    total = sum(size for url, size in sizes.items() if "mathjax" not in url)
    page.close()
    assert 200_000 < total < HEAVIEST, json.dumps(sizes, indent=1)
