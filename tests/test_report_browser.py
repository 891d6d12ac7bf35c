"""Every page of ours in a real browser: phones, screens, dark, paper, keyboard, readers of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.page_maker import NAMES, make_pages

PAPER = {"A4": 794 - 2 * 53, "Letter": 816 - 2 * 53}
"""Pixels of a line on paper, the margins of the page taken off."""
CUT = """() => [...document.querySelectorAll('.wide, figure, table, svg, pre')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible'
        || e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(e => e.outerHTML.slice(0, 120))"""
SPILT = """() => [...document.querySelectorAll('figure > .wide')].flatMap(box => {
    const paper = box.getBoundingClientRect();
    return [...box.querySelectorAll('text')].filter(text => {
        const at = text.getBoundingClientRect();
        return at.width && (at.left < paper.left - 1 || at.right > paper.right + 1);
    }).map(text => text.textContent);
})"""
CROWDED = """() => [...document.querySelectorAll('svg .role-legend')].flatMap(legend => {
    const at = (one) => ({one, ...one.getBoundingClientRect().toJSON()});
    const texts = [...legend.querySelectorAll('text')].map(at).filter(t => t.width && t.one.textContent.trim());
    const all = [...texts, ...[...legend.querySelectorAll('.role-legend-symbol path')].map(at).filter(m => m.width)];
    return texts.filter(t => all.some(m => m.one !== t.one && m.left > t.left && m.top < t.bottom && m.bottom > t.top
        && m.left - t.right < 0.15 * t.width)).map(t => t.one.textContent);
})"""
BEYOND = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(pages[request.param].as_uri())
    yield page
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_for_nothing_and_fits_every_screen(browser: Browser, pages: dict[str, Path], name: str) -> None:
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        heard: list[str] = []
        page.on("console", lambda message, heard=heard: heard.append(message.text))
        page.on("request", lambda asked, heard=heard: heard.append(asked.url))
        page.goto(pages[name].as_uri())
        assert heard == [pages[name].as_uri()]
        for width in (360, 768, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(BEYOND) == 0, (scheme, width)
        context.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1440, "dark")])
def test_axe_finds_nothing(browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    told = Axe().run(page).response
    assert len(told["passes"]) > 10
    assert [(one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in told["violations"]] == []
    context.close()


@pytest.mark.parametrize("opened", NAMES, indirect=True)
def test_nothing_is_cut_on_paper(opened: Page) -> None:
    """Whole tables and figures, opened and without scroll bars, in the width that paper leaves."""
    opened.emulate_media(media="print")
    opened.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    for sheet, width in PAPER.items():
        opened.set_viewport_size({"width": width, "height": 1000})
        assert opened.evaluate(CUT) == [], sheet
        assert opened.evaluate(SPILT) == [], sheet


@pytest.mark.parametrize("opened", ["comparison"], indirect=True)
def test_words_of_a_figure_beyond_its_box_would_be_seen(opened: Page) -> None:
    """Paper cuts at the margin: where a system lacks the font of a figure its longest words went beyond it."""
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": PAPER["A4"], "height": 1000})
    opened.evaluate(
        "document.querySelector('figure text').textContent += ' and much more than there is room for'.repeat(9)"
    )
    assert opened.evaluate(SPILT)


@pytest.mark.parametrize("opened", ["report", "attribution", "fit", "comparison"], indirect=True)
def test_entries_of_legends_have_room_for_a_wider_font(opened: Page) -> None:
    """Where Arial and what is as wide are missing, letters are up to a sixth wider: entries ran into each other."""
    for width in (1440, 360):
        opened.set_viewport_size({"width": width, "height": 900})
        assert opened.evaluate(CROWDED) == [], width


@pytest.mark.parametrize("opened", ["report"], indirect=True)
def test_a_cut_table_would_be_seen(opened: Page) -> None:
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": PAPER["A4"], "height": 1000})
    opened.evaluate("document.querySelector('table').style.minWidth = '900px'")
    assert opened.evaluate(CUT)


@pytest.mark.parametrize("opened", ["comparison"], indirect=True)
def test_boxes_that_scroll_are_reached_and_moved_by_keyboard(opened: Page) -> None:
    opened.set_viewport_size({"width": 360, "height": 900})
    wider = "[...document.querySelectorAll('.wide')].filter(one => one.scrollWidth > one.clientWidth + 1)[0]"
    opened.evaluate(f"{wider}.focus()")
    assert opened.evaluate("document.activeElement.classList.contains('wide')")
    opened.keyboard.press("ArrowRight")
    for _ in range(100):  # it glides; the page's policy forbids a function that is waited for
        if opened.evaluate("document.activeElement.scrollLeft > 0"):
            return
        opened.wait_for_timeout(50)
    pytest.fail("an arrow does not move the box")


@pytest.mark.parametrize("opened", NAMES, indirect=True)
def test_every_figure_says_what_it_shows(opened: Page) -> None:
    for figure in opened.locator("figure svg").all():
        assert figure.get_attribute("role") == "img"
        assert len(figure.get_attribute("aria-label") or "") > 20
