"""The face of the page that runs, in a real browser on a toy engine: levers, worlds, undo, addresses, files, sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from face_page import face_page, toy
from playwright.sync_api import Browser, BrowserContext, Page

from powderkeg.compare.effects import effect
from powderkeg.compare.measures import Measure

ECHO = "mechanisms.echo.answers"
HERE = "scenario=toy&digest=0123456789ab&version=9.9.9"
PROBLEMS: dict[Page, list[str]] = {}


def opened(context: BrowserContext, folder: Path, meta: dict[str, Any], state: str = "") -> Page:
    """The page of a scenario, opened from the disk; what goes wrong in it is kept."""
    file = folder / "page.html"
    file.write_text(face_page(meta), encoding="utf-8")
    page = context.new_page()
    wrong = PROBLEMS[page] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "blob:")) else wrong.append(request.url)
    )
    page.goto(file.as_uri() + state)
    page.wait_for_selector("html.alive")
    page.evaluate("powderkeg.face.runs.limit = 200")  # the toy runs in the page's own thread
    return page


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for the module; whatever it says on the console or asks of the network fails the test that made it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    found = opened(context, tmp_path_factory.mktemp("face"), toy())
    yield found
    context.close()


@pytest.fixture(autouse=True)
def nothing_goes_wrong() -> Iterator[None]:
    yield
    said = [line for lines in PROBLEMS.values() for line in lines]
    for lines in PROBLEMS.values():
        lines.clear()
    assert said == []


@pytest.fixture
def fresh(page: Page) -> Page:
    page.click("#view-worlds")
    page.evaluate("() => { const f = powderkeg.face; f.asked.reset(); f.asked.past = []; f.changed(); f.settled(); }")
    return page


def move(page: Page, path: str, position: int) -> None:
    """Drag a lever to a position out of a thousand."""
    lever = page.locator(f'input[data-path="{path}"]')
    lever.evaluate(
        "(lever, to) => { lever.value = to; lever.dispatchEvent(new Event('input')); "
        "lever.dispatchEvent(new Event('change')); }",
        position,
    )


def runs_of(page: Page, least: int) -> None:
    """Wait until every world that is shown has so many runs."""
    page.wait_for_function(
        "n => { const { reference, worlds } = powderkeg.face.results.shown();"
        " return [reference, ...worlds].every(({ entry }) => entry.n >= n); }",
        arg=least,
    )
    page.wait_for_function("() => !powderkeg.face.frame")


def difference(page: Page, outcome: str) -> str:
    return page.inner_text(f'tbody[data-outcome="{outcome}"] .difference')


def width(said: str) -> float:
    """Of the interval in "-0.5 [-0.7, -0.3]"."""
    low, high = said.replace("\u2212", "-").split("[")[1].rstrip("]").split(", ")
    return float(high) - float(low)


def test_a_lever_that_moves_redraws_the_paired_difference(fresh: Page) -> None:
    runs_of(fresh, 200)
    assert difference(fresh, "raids") == ""
    assert "World 1: no change from Baseline until a lever" in fresh.inner_text("#runs-behind")
    move(fresh, ECHO, 900)
    runs_of(fresh, 200)
    assert difference(fresh, "raids").startswith("+")
    assert fresh.inner_text('tbody[data-outcome="raids"] .verdict') == "worse"
    assert fresh.input_value(f'input[data-number="{ECHO}"]') == "0.65"
    assert fresh.get_attribute(f'input[data-path="{ECHO}"]', "aria-valuetext") == "0.65 acts"
    assert "1 assumption differs" in fresh.inner_text(".card.current")


def test_runs_are_added_while_nobody_touches_anything_and_narrow_the_band(fresh: Page) -> None:
    fresh.evaluate("powderkeg.face.runs.kept.clear()")
    move(fresh, "moves.m23.rate", 300)
    runs_of(fresh, 200)
    assert fresh.inner_text("#runs-behind").startswith("200 runs of 10\u00a0years in each world. Seed 1")
    few = width(difference(fresh, "raids"))
    fresh.evaluate("powderkeg.face.runs.limit = 1000; powderkeg.face.changed()")
    runs_of(fresh, 1000)
    fresh.wait_for_function("() => document.getElementById('runs-behind').textContent.startsWith('1,000 runs')")
    fresh.evaluate("powderkeg.face.runs.limit = 200")
    assert 0 < width(difference(fresh, "raids")) < few / 1.5


def test_undo_redo_and_reset_step_through_whole_moves(fresh: Page) -> None:
    move(fresh, ECHO, 800)
    move(fresh, "moves.m23.rate", 100)
    fresh.fill(f'input[data-number="{ECHO}"]', "0.3")
    fresh.keyboard.press("Enter")
    sets = "powderkeg.face.asked.world.set"
    assert fresh.evaluate(sets)[ECHO] == 0.3
    fresh.click("#undo")
    assert fresh.evaluate(sets)[ECHO] == 0.6
    fresh.locator("h2#h-levers").click()
    fresh.keyboard.press("Control+z")
    assert fresh.evaluate(sets) == {ECHO: 0.6}
    fresh.keyboard.press("Control+Shift+z")
    assert set(fresh.evaluate(sets)) == {ECHO, "moves.m23.rate"}
    fresh.click("#reset")
    assert fresh.evaluate(sets) == {}
    assert fresh.is_disabled("#redo")


def test_a_drag_is_one_step_to_undo(fresh: Page) -> None:
    fresh.locator(f'input[data-path="{ECHO}"]').evaluate(
        "lever => { for (const to of [600, 700, 800]) { lever.value = to; lever.dispatchEvent(new Event('input')); }"
        " lever.dispatchEvent(new Event('change')); }"
    )
    assert fresh.evaluate("powderkeg.face.asked.past.length") == 1


def test_worlds_are_copied_named_compared_and_dropped(fresh: Page) -> None:
    fresh.check('[data-switch="envoys"]')
    fresh.click("#add-world")
    move(fresh, ECHO, 900)
    names = fresh.locator(".world-name")
    names.nth(1).fill("Envoys and echo")
    names.nth(1).blur()
    assert fresh.evaluate("powderkeg.face.asked.now.worlds.map(w => [w.name, w.on, Object.keys(w.set).length])") == [
        ["World 1", ["envoys"], 0], ["Envoys and echo", ["envoys"], 1],
    ]  # fmt: skip
    runs_of(fresh, 200)
    assert fresh.locator('tbody[data-outcome="raids"] tr').count() == 2
    fresh.select_option("#against", "0")
    runs_of(fresh, 200)
    assert fresh.inner_text('tbody[data-outcome="raids"] .of-world').strip() == "Envoys and echo"
    assert fresh.inner_text(".base-name >> nth=0") == "World 1"
    fresh.click("#add-world")
    assert fresh.is_disabled("#add-world")
    fresh.click("[aria-label='Drop world 1']")
    assert fresh.evaluate("powderkeg.face.asked.now.against") == -1
    assert fresh.locator(".world-name").count() == 2


def test_every_state_is_in_the_address_and_comes_back_from_it(fresh: Page) -> None:
    move(fresh, ECHO, 100)
    fresh.check('[data-switch="envoys"]')
    fresh.wait_for_function("() => location.hash.includes('envoys')")
    state, before = fresh.evaluate("location.hash"), fresh.evaluate("powderkeg.face.asked.now")
    fresh.click("#reset")
    fresh.wait_for_function("() => !location.hash.includes('envoys')")
    fresh.evaluate("hash => { location.hash = hash }", state)
    fresh.wait_for_function("() => powderkeg.face.asked.world.on.length === 1")
    assert fresh.evaluate("powderkeg.face.asked.now") == before
    assert fresh.is_hidden("#wrong")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("scenario=other&digest=0123456789ab&version=9.9.9&world=a", "belongs to the scenario other, this page"),
        ("scenario=toy&digest=0123456789ab&version=1.0&world=a", "belongs to powderkeg 1.0, this page holds 9.9.9"),
        ("scenario=toy&digest=ffff&version=9.9.9&world=a", "another edition of the scenario"),
        (HERE + "&world=a&set=moves.no=1", "sets 'moves.no', which"),
        (HERE + "&world=a&set=mechanisms.echo.answers=much", "answers' is no"),
        (HERE + "&world=a&years=-1", "its years is '-1'"),
        (HERE + "&on=envoys", "before it names a world"),
        ("%3Cscript%3Ealert(1)%3C/script%3E", "it does not say which scenario"),
    ],
)  # fmt: skip
def test_a_state_of_elsewhere_is_told_and_the_baseline_opened(fresh: Page, state: str, said: str) -> None:
    move(fresh, ECHO, 100)
    fresh.evaluate("hash => { location.hash = hash }", state)
    fresh.wait_for_selector("#wrong:not([hidden])")
    assert said in fresh.inner_text("#wrong")
    assert fresh.inner_text("#wrong").endswith("The baseline is shown.")
    assert fresh.evaluate("powderkeg.face.asked.world.set") == {}
    fresh.evaluate("powderkeg.face.sayWrong(null)")


def test_a_world_is_saved_as_a_file_and_loaded_again(fresh: Page, tmp_path: Path) -> None:
    move(fresh, ECHO, 700)
    fresh.click("summary:has-text('Runs and files')")
    with fresh.expect_download() as saving:
        fresh.click("#save-world")
    saving.value.save_as(tmp_path / "world.yaml")
    assert saving.value.suggested_filename == "toy-World-1.yaml"
    fresh.click("#reset")
    fresh.set_input_files("#load-world", tmp_path / "world.yaml")
    fresh.wait_for_function(f"() => powderkeg.face.asked.world.set['{ECHO}'] === 0.55")
    (tmp_path / "no.yaml").write_text("nothing\nof ours")
    fresh.set_input_files("#load-world", tmp_path / "no.yaml")
    fresh.wait_for_function(
        "() => document.getElementById('file-message').textContent.startsWith('Not done: it is no scenario')"
    )
    fresh.click("summary:has-text('Runs and files')")


def test_levers_that_nobody_weighed_are_weighed_while_the_page_is_idle(browser: Browser, tmp_path: Path) -> None:
    """Without `moves` in the model the page finds out itself, and watching one outcome sorts anew."""
    meta = toy(n_levers=6)
    for lever in meta["levers"]:
        lever["moves"] = {}
    meta["levers"].reverse()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = opened(context, tmp_path, meta)
    page.wait_for_function("() => powderkeg.face.runs.weights.done")
    for watched in ("raids", "first_talk"):
        page.select_option("#watch", watched)
        moves = page.evaluate(f"powderkeg.face.asked.meta.levers.map(l => [Math.abs(l.moves.{watched}), l.path])")
        assert page.get_attribute(".lever-list input >> nth=0", "data-path") == max(moves)[1]
    assert max(moves)[0] > 0
    context.close()


def test_levers_are_found_ordered_and_grouped(fresh: Page) -> None:
    shown = "[...document.querySelectorAll('.lever-list .lever label')].map(l => l.textContent)"
    first = fresh.evaluate(shown)
    assert len(first) == 12
    assert first[0].startswith("Echo")
    fresh.fill("#find-lever", "1999 talks")
    assert fresh.evaluate(shown) == ["Rate 18 of talks with", "Rate 6 of talks with"]
    assert not fresh.locator(".switch:visible").count()
    fresh.fill("#find-lever", "stands by")
    assert fresh.locator(".switch:visible label").all_inner_texts() == ["The envoy stands by the town"]
    assert "No lever, 1 switch found" in fresh.inner_text("#levers")
    fresh.fill("#find-lever", "")
    assert fresh.evaluate("[...document.querySelectorAll('.switches details')].map(d => d.open)") == [True, False]
    fresh.select_option("#order-levers", "groups")
    assert fresh.locator(".lever-list summary").all_inner_texts() == ["Mechanisms (1)", "Rates (12)", "Gates (12)"]
    fresh.select_option("#order-levers", "moves")
    fresh.click(".more")
    assert len(fresh.evaluate(shown)) == 25
    fresh.click(".more")


def test_a_number_outside_its_range_is_taken_and_marked_and_one_the_engine_refuses_is_said(fresh: Page) -> None:
    fresh.fill(f'input[data-number="{ECHO}"]', "0.75")
    fresh.keyboard.press("Enter")
    assert fresh.is_visible(".lever.moved .outside")
    fresh.fill(f'input[data-number="{ECHO}"]', "-1")
    fresh.keyboard.press("Enter")
    fresh.wait_for_selector("#warnings .warning")
    assert "a number below 0 was set; expected 0 or more" in fresh.inner_text("#warnings")
    fresh.click("#undo")
    fresh.wait_for_selector("#warnings .warning", state="detached")


def test_runs_that_explode_are_counted_and_blamed(fresh: Page) -> None:
    fresh.fill(f'input[data-number="{ECHO}"]', "1.6")
    fresh.keyboard.press("Enter")
    fresh.wait_for_selector("#warnings .warning", timeout=60_000)
    assert "were stopped at the limit of acts" in fresh.inner_text("#warnings")
    assert "What feeds itself: echo" in fresh.inner_text("#warnings")
    fresh.wait_for_function("() => document.querySelector('#brink .over')")
    assert "over the brink" in fresh.inner_text("#brink .over")
    fresh.click("#undo")
    fresh.evaluate("powderkeg.face.runs.kept.clear()")


def test_what_differs_between_two_histories_is_marked_and_said(fresh: Page) -> None:
    move(fresh, ECHO, 900)
    fresh.wait_for_function("() => document.querySelectorAll('#histories .rug').length")
    assert "the two part on" in fresh.inner_text("#histories .note[role=status]")
    fresh.click("#histories summary")
    rows = fresh.locator("#histories details table").nth(3).locator("tbody tr").count()
    assert rows == fresh.evaluate("powderkeg.face.histories.panels[1].shared.filter(x => !x).length")
    with fresh.expect_download() as saving:
        fresh.click("#histories .export button >> nth=0")
    text = saving.value.path().read_text(encoding="utf-8")
    assert text.startswith("<svg") and "stroke=" in text and "class=" not in text
    with fresh.expect_download() as saving:
        fresh.click("#histories .export button >> nth=1")
    assert saving.value.path().read_bytes().startswith(b"\x89PNG")
    with fresh.expect_download() as saving:
        fresh.click(".outcomes .export button >> nth=0")
    assert "Raids" in saving.value.path().read_text(encoding="utf-8")


def test_model_and_record_are_held_together_live(fresh: Page) -> None:
    move(fresh, ECHO, 990)
    runs_of(fresh, 200)
    fresh.wait_for_function("() => document.querySelectorAll('.agreeing li').length === 2")
    verdicts = fresh.locator(".record tbody td.of-one").all_inner_texts()
    values = [json.loads(text.split()[0].replace("\u2013", "null")) for text in verdicts]
    assert [text.split()[1] for text in verdicts] == [
        "agrees" if 0.1 <= value <= 1.2 else "differs" for value in values
    ]


@pytest.mark.parametrize("kind", ["any", "count", "mean"])
@pytest.mark.parametrize("n", [2, 40, 300])
@pytest.mark.parametrize("shift", [0.0, 0.02, 0.6])
def test_differences_and_bands_are_those_of_compare(page: Page, kind: str, n: int, shift: float) -> None:
    """The same numbers as `compare.effects`, to nine digits: the page claims what the runs carry, no more."""
    draw = np.random.default_rng([n, int(shift * 100)])
    one = (draw.random(n) < 0.4).astype(float) if kind == "any" else draw.poisson(3.0, n).astype(float)
    moved = draw.random(n) < shift
    other = np.where(moved, 1.0 - one if kind == "any" else one + draw.integers(-2, 4, n), one)
    event = {"any": 1.0, "count": 0.1, "mean": 0.0}[kind]
    expected = effect(Measure("x", "x", kind, "", one, event), Measure("x", "x", kind, "", other, event))
    found = page.evaluate(
        "([a, b, kind, event]) => powderkeg.effectOf(...[a, b].map(x => Float64Array.from(x)), { kind, event })",
        [one.tolist(), other.tolist(), kind, event],
    )
    for name in ("baseline", "value", "difference", "low", "high"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-12), name
    assert (found["runs"], found["differing"]) == (expected.runs, expected.differing)


def test_memory_is_flat_over_many_moves(fresh: Page) -> None:
    fresh.evaluate("powderkeg.face.runs.kept.clear()")
    client = fresh.context.new_cdp_session(fresh)

    def used_after(moves: int) -> tuple[float, int]:
        fresh.evaluate(
            """async ([moves, path]) => {
                const { asked, runs } = powderkeg.face;
                const values = n => Object.fromEntries(asked.meta.outcomes.map(o => [o.id, new Float64Array(n)]));
                runs.engine.run = async ({ replicates }) => (
                    { replicates, capped: 0, median: 0, record: {}, outcomes: values(replicates) });
                for (let n = 0; n < moves; n += 1) {
                    asked.setLever(path, 0.2 + (n % 400) / 1000);
                    if (n % 4 === 0) await new Promise(go => setTimeout(go, 0));
                }
                await new Promise(go => setTimeout(go, 300));
            }""",
            [moves, ECHO],
        )
        client.send("HeapProfiler.collectGarbage")
        return (
            client.send("Runtime.getHeapUsage")["usedSize"] / 1e6,
            fresh.evaluate("document.querySelectorAll('*').length"),
        )

    run = "powderkeg.face.engine.run"
    fresh.evaluate(f"void (window.kept = {run})")
    (early, elements), (late, later_elements) = used_after(100), used_after(300)
    fresh.evaluate(f"{run} = window.kept; powderkeg.face.runs.kept.clear()")
    assert late < early + 1.5
    assert later_elements <= elements + 20


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (768, "dark"), (1440, "light")])
def test_both_views_fit_and_are_accessible_at_every_size(
    browser: Browser, tmp_path: Path, width: int, scheme: Any
) -> None:
    """Nothing runs out of the page sideways, and axe finds nothing serious, in both looks."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = opened(context, tmp_path, toy())
    move(page, ECHO, 900)
    page.wait_for_function("() => document.querySelectorAll('#histories .rug').length")
    for view in ("#view-worlds", "#view-play"):
        page.click(view)
        if view == "#view-play":
            page.wait_for_function("() => powderkeg.face.play.playback.setting")
            page.select_option("#play-part", "town")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []
    context.close()


def test_hostile_names_are_text_and_leave_the_page_readable(browser: Browser, tmp_path: Path) -> None:
    nasty = (
        "<img src=x onerror=\"document.title='broken'\">\u202eabc\u202c</script><script>alert(1)</script>" + "W" * 500
    )
    meta = json.loads(json.dumps(toy(title=nasty)).replace("The town", json.dumps(nasty)[1:-1]))
    for rows in ("levers", "switches", "outcomes", "record", "facts", "ties", "acts"):
        for row in meta[rows]:
            row["title"] = nasty
    for lever in meta["levers"]:
        lever |= {"source": nasty, "unit": nasty, "note": nasty}
    context = browser.new_context(viewport={"width": 360, "height": 800})
    page = opened(context, tmp_path, meta)
    move(page, ECHO, 900)
    page.wait_for_function("() => document.querySelectorAll('#histories .rug').length")
    page.click("#view-play")
    page.wait_for_function("() => powderkeg.face.play.playback.setting")
    page.click("#play-step")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3
    assert page.title().startswith("<img src=x")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_fifty_actors_and_five_hundred_levers_open_quickly(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    meta = toy(n_levers=500, n_actors=50)
    meta["toy"]["rates"] = [0.05, 0.03, 0.04, 0.02]
    page = opened(context, tmp_path, meta)
    page.wait_for_function("() => document.querySelectorAll('#histories .strip .lane').length >= 80")
    assert page.evaluate("performance.now()") < 20_000
    page.fill("#find-lever", "rate 499")
    assert page.locator(".lever").count() == 1
    context.close()
