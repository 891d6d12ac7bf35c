"""A history played in the page, in a real browser on a toy engine: steps, causes, choices, branches, keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from face_page import toy
from playwright.sync_api import Browser, Page
from test_face import PROBLEMS, move, nothing_goes_wrong, opened

__all__ = ["nothing_goes_wrong"]

AT = "powderkeg.face.play.playback.at"
BACK = "powderkeg.face.play.playback"


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    found = opened(context, tmp_path_factory.mktemp("play"), toy())
    found.click("#view-play")
    found.wait_for_function(f"() => {BACK}.setting")
    yield found
    context.close()


@pytest.fixture
def start(page: Page) -> Page:
    """The history at its beginning, nobody played, no branch."""
    page.select_option("#play-part", "")
    page.select_option("#play-world", "-1")
    page.fill("#play-run", "7")
    page.click("#play-open")
    page.wait_for_function(f"() => {BACK}.setting.replicate === 7 && {AT} === -1 && {BACK}.branches.length === 1")
    return page


def test_steps_go_forth_and_back_and_to_the_next_standoff(start: Page) -> None:
    for _ in range(3):
        start.click("#play-step")
    start.click("#play-back")
    assert start.evaluate(AT) == 1
    event = start.evaluate(f"{BACK}.events[1]")
    assert f"The {event['source']}" in start.inner_text(".act-now")
    start.click("#play-next")
    expected = start.evaluate(
        f"Math.min(...{BACK}.branch.history.standoffs.map(s => s.start).filter(t => t > {event['t']}))"
    )
    assert start.evaluate(f"{BACK}.time") == pytest.approx(expected)
    start.locator("#play-scrub").focus()
    start.keyboard.press("End")
    assert start.evaluate(f"{BACK}.ended")


def test_playing_runs_by_itself_and_stops_when_asked(start: Page) -> None:
    start.select_option("#play-speed", "80")
    start.click("#play-toggle")
    start.wait_for_function(f"() => {AT} >= 3")
    start.click("#play-toggle")
    at = start.evaluate(AT)
    start.wait_for_timeout(250)
    assert start.evaluate(AT) == at
    assert start.inner_text("#play-toggle") == "Play"


def test_the_chain_of_causes_leads_from_the_spark_to_the_act(start: Page) -> None:
    index = start.evaluate(f"{BACK}.events.findIndex((e, i) => e.cause >= 0 && {BACK}.events[e.cause].cause >= 0)")
    start.evaluate(f"powderkeg.face.play.jump({index})")
    chain = start.evaluate(f"{BACK}.chain()")
    assert chain[-1] == index and len(chain) >= 3
    assert [start.evaluate(f"{BACK}.events[{one}].cause") for one in chain] == [-1, *chain[:-1]]
    assert "by echo" in start.inner_text(".now")
    start.click(".chain ol li >> nth=0 >> button")
    assert start.evaluate(AT) == chain[0]
    assert "Of its own accord" in start.inner_text(".now")


def test_facts_and_ties_are_told_as_they_stand(start: Page) -> None:
    assert "a truce holds" in start.inner_text(".standing")
    changes = start.evaluate(f"{BACK}.branch.history.facts")
    siege = next(row for row in changes if row["fact"] == "siege" and row["on"])
    index = start.evaluate(f"{BACK}.events.findIndex(e => e.t === {siege['t']!r})")
    start.evaluate(f"powderkeg.face.play.jump({index})")
    assert "the town is cut off" in start.inner_text(".standing")
    assert "an old feud" in start.inner_text(".standing")
    assert "pact" not in start.evaluate(f"[...{BACK}.ties()]")


def test_an_actor_is_let_held_back_or_does_otherwise_and_the_ghost_is_beside_it(start: Page, tmp_path: Path) -> None:
    start.select_option("#play-part", "town")
    for _ in range(40):
        start.click("#play-step")
        if start.evaluate(f"{BACK}.pending !== null"):
            break
    assert "your move" in start.inner_text("#play-choice")
    at = start.evaluate(AT)
    start.click("#play-let")
    assert start.evaluate(AT) == at + 1
    assert start.evaluate(f"{BACK}.event.source") == "town"
    for _ in range(40):
        start.click("#play-step")
        if start.evaluate(f"{BACK}.pending !== null"):
            break
    pending = start.evaluate(f"{BACK}.pending")
    start.click("#play-hold")
    start.wait_for_function(f"() => {BACK}.branches.length === 2 && {BACK}.pending === null")
    held = start.evaluate(f"{BACK}.events.map(e => [e.t, e.source, e.act])")
    assert [pending["t"], "town", pending["act"]] not in held
    assert start.locator("#play .rug").count() >= 1
    start.wait_for_function("() => !document.getElementById('play-instead').disabled")
    start.select_option("#play-other", label="raids \u2192 The valley")
    start.click("#play-instead")
    start.wait_for_function(f"() => {BACK}.events.some(e => e.forced)")
    forced = start.evaluate(f"{BACK}.event")
    assert (forced["forced"], forced["source"], forced["act"]) == (True, "town", "raid")
    assert "Done by hand" in start.inner_text(".now")
    rows = start.locator(".branches tbody tr")
    assert rows.count() == 2
    counts = start.evaluate(f"{BACK}.branches.map(b => b.history.events.length)")
    assert [int(rows.nth(n).locator("td").nth(1).inner_text()) for n in (0, 1)] == counts
    saved_and_loaded_again(start, tmp_path)


def test_the_next_standoff_lets_the_actor_act_and_asks_where_it_would_open_one(start: Page) -> None:
    standoffs = f"{BACK}.branch.history.standoffs"
    openers = start.evaluate(f"{standoffs}.map(s => {BACK}.events.find(e => e.t === s.start).source)")
    actor = openers[1]
    start.select_option("#play-part", actor)
    for number, opener in enumerate(openers[:6]):
        start.click("#play-next")
        begins = start.evaluate(f"{standoffs}[{number}].start")
        if opener == actor:
            assert start.evaluate(f"{BACK}.pending.t") == begins
            assert "It opens a standoff." in start.inner_text("#play-choice")
        else:
            assert start.evaluate(f"{BACK}.pending") is None
            assert start.evaluate(f"{BACK}.time") == begins
    assert start.evaluate(f"{BACK}.branches.length") == 1


def test_names_beside_the_lanes_are_cut_by_what_they_measure(start: Page) -> None:
    renamed = """title => {
        const actor = powderkeg.face.asked.meta.actors.find(one => one.id === "town"), before = actor.title;
        actor.title = title;
        powderkeg.face.play.drawStrip();
        return before;
    }"""
    before = start.evaluate(renamed, "W" * 40)
    lanes = start.evaluate(
        "[...document.querySelectorAll('#play .lane-name')].map(t => [t.firstChild.data, t.getBBox().x])"
    )
    start.evaluate(renamed, before)
    (wide,) = (one for one in lanes if one[0].startswith("WWW"))
    assert wide[0].endswith("\u2026")
    assert min(left for _, left in lanes) >= 0


def saved_and_loaded_again(page: Page, folder: Path) -> None:
    """A played history that is loaded is the same, act for act; one of elsewhere is refused, and nothing changes."""
    acts = page.evaluate(f"{BACK}.branches.map(b => b.history.events)")
    with page.expect_download() as saving:
        page.click("#play-save")
    saving.value.save_as(folder / "played.json")
    page.click("#play-open")
    page.wait_for_function(f"() => {BACK}.branches.length === 1")
    page.set_input_files("#play-load", folder / "played.json")
    page.wait_for_function(f"() => {BACK}.branches.length === 2")
    assert page.evaluate(f"{BACK}.branches.map(b => b.history.events)") == acts
    other = json.loads((folder / "played.json").read_text()) | {"digest": "of another"}
    (folder / "other.json").write_text(json.dumps(other))
    page.set_input_files("#play-load", folder / "other.json")
    page.wait_for_function("() => document.getElementById('play-message').textContent.startsWith('Not done')")
    assert "another edition" in page.inner_text("#play-message")
    (folder / "broken.json").write_text("{")
    page.set_input_files("#play-load", folder / "broken.json")
    page.wait_for_function("() => document.getElementById('play-message').textContent.includes('it is no JSON')")
    assert page.evaluate(f"{BACK}.branches.length") == 2


def test_everything_is_reached_with_the_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    """From the top: the first lever moves, undo takes it back, the other view opens, a step is taken."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = opened(context, tmp_path, toy())
    here = "document.activeElement.id || document.activeElement.dataset.path || ''"

    def tab_to(wanted: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(here) == wanted:
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                return
        raise AssertionError(f"{wanted} is not reached with the Tab key")

    first = page.locator(".lever input[type=range]").first.get_attribute("id") or ""
    tab_to(first)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    assert page.evaluate("Object.keys(powderkeg.face.asked.world.set).length") == 1
    page.wait_for_function(
        "() => document.getElementById('announced').textContent.startsWith('World 1. There is a raid')"
    )
    page.keyboard.press("Control+z")
    assert page.evaluate("Object.keys(powderkeg.face.asked.world.set).length") == 0
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.locator("#view-play").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => {BACK}.setting")
    tab_to("play-step")
    page.keyboard.press("Enter")
    assert page.evaluate(AT) == 0
    page.wait_for_function("() => /\\d{4}: /.test(document.getElementById('announced').textContent)")
    context.close()


def test_a_history_of_a_moved_world_is_played_as_that_world(start: Page) -> None:
    start.click("#view-worlds")
    move(start, "mechanisms.echo.answers", 900)
    start.wait_for_function("() => document.querySelectorAll('#histories .rug').length")
    start.click("text=Play this history")
    start.wait_for_function(f"() => {BACK}.setting.world.name === 'World 1'")
    assert start.evaluate(f"{BACK}.events.length") == start.evaluate(
        "powderkeg.face.histories.panels[1].history.events.length"
    )
    assert not PROBLEMS[start]
