"""The page in a browser gives what Python gives: the same arrays, acts, causes, outcomes, to the last bit."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comes_about import COMES_ABOUT, STILL
from command_line import command_line
from playwright.sync_api import Browser, Error, Page
from test_build_up import TEXT as LATE

import powderkeg as pk
from powderkeg.compare.interventions import choose, intervene
from powderkeg.compare.measures import outcome_measures, standoff_measures
from powderkeg.engine.simulation.tables import tables
from powderkeg.engine.worlds import ForcedAct, Phase, World, silenced
from powderkeg.engine.worlds import world as make_world
from powderkeg.model import Model, filled
from powderkeg.units import YEAR
from powderkeg.web.page import page as page_of

SCENARIOS = ("north-kosovo", "nato-russia-ukraine", "two-theatres")
YEARS, RUNS, SEED = 4.0, 6, 7


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {name: page_of(pk.load(name), replicates=20) for name in SCENARIOS}


@pytest.fixture(scope="module")
def opened(
    browser: Browser, texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Page]]:
    folder, pages = tmp_path_factory.mktemp("pages"), {}
    for name, text in texts.items():
        file = folder / f"{name}.html"
        file.write_text(text, encoding="utf-8")
        pages[name] = browser.new_page()
        pages[name].goto(file.as_uri())
    yield pages
    for one in pages.values():
        one.close()


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return {name: pk.compile(pk.load(name)) for name in SCENARIOS}


def asked(page: Page, call: str, given: dict[str, Any]) -> Any:
    return page.evaluate(f"given => window.powderkeg.ready.then(engine => {call})", given)


def settings(model: Model, seed: int) -> dict[str, float]:
    """Random values within their ranges of about half of all numbers that have one."""
    chance = np.random.default_rng(seed)
    ranged = [p for p in model.parameters if p.low is not None and p.high is not None and chance.random() < 0.5]
    return {p.path: float(chance.uniform(p.low, p.high)) for p in ranged}


def rows(model: Model, world: World | None = None, seed: int = SEED) -> list[tuple[Any, ...]]:
    runs = pk.simulate(model, years=YEARS, replicates=RUNS, seed=seed, world=world)
    frame = runs.table().frame.select("replicate", "time", "source", "act", "target", "parent", "mechanism")
    return [(*row[:5], -1 if row[5] is None else row[5], row[6]) for row in frame.rows()]


def page_rows(page: Page, **given: Any) -> list[tuple[Any, ...]]:
    found = page.evaluate("given => powderkeg.run(given)", {"replicates": RUNS, "years": YEARS, "seed": SEED, **given})
    names = ("replicate", "time", "source", "act", "target", "parent", "mechanism")
    return [tuple(event[name] for name in names) for event in found["events"]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"replicates": -1}, "replicates: -1; expected a whole number from 1"),
        ({"replicates": 2.5}, "replicates: 2.5; expected a whole number from 1"),
        ({"years": 0}, "years: 0; expected a number above 0"),
        ({"seed": 1.5}, "seed: 1.5; expected a whole number from 0"),
        ({"set": {"no.such": 1}}, "no.such is nothing that this model can be filled from"),
    ],
)
def test_numbers_that_are_none_are_refused_in_words(opened: dict[str, Page], given: dict[str, Any], said: str) -> None:
    refused = "given => powderkeg.run(given).then(() => 'taken', error => error.message)"
    assert opened[SCENARIOS[0]].evaluate(refused, {"replicates": 2, "years": 1, "seed": 1, **given}) == said


@pytest.mark.parametrize("name", SCENARIOS)
def test_arrays_at_random_settings_are_those_of_the_edited_scenario(
    name: str, opened: dict[str, Page], models: dict[str, Model]
) -> None:
    """What a lever does to the arrays is what editing the scenario and compiling it anew does, bit for bit."""
    scenario = models[name].scenario
    assert scenario is not None
    ties = {f"ties.{tie}.holds": not one.holds for tie, one in list(scenario.ties.items())[:2]}
    for seed in range(3):
        values = settings(models[name], seed) | ties
        made = tables(make_world(pk.compile(pk.edit(scenario, values)).system))
        found = asked(opened[name], "engine.tables(given)", {"world": {"set": values}})
        assert found["at"] == made.at._asdict()
        assert [int(x) for x in found["ints"]] == made.ints.tolist()
        assert found["floats"] == made.floats.tolist()
        assert [int(x) for x in found["entry"]] == made.entry.tolist()


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_act_is_that_of_python(name: str, opened: dict[str, Page], models: dict[str, Model]) -> None:
    assert page_rows(opened[name]) == rows(models[name])


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_act_at_other_numbers_is_that_of_the_edited_scenario(
    name: str, opened: dict[str, Page], models: dict[str, Model]
) -> None:
    scenario, values = models[name].scenario, settings(models[name], 5)
    assert scenario is not None
    assert page_rows(opened[name], set=values) == rows(pk.compile(pk.edit(scenario, values)))


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_act_of_a_paired_world_is_that_of_an_intervention(
    name: str, opened: dict[str, Page], models: dict[str, Model]
) -> None:
    model, values = models[name], settings(models[name], 6)
    world = make_world(model.system, (Phase(0.0, filled(model, values)),))
    assert page_rows(opened[name], set=values, paired=True) == rows(model, world)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_act_under_every_intervention_is_that_of_compare(
    name: str, opened: dict[str, Page], models: dict[str, Model]
) -> None:
    model = models[name]
    assert model.scenario is not None
    names = list(model.scenario.interventions)
    for asked_for in [*names, f"{names[1]}+{names[2]}"]:
        (named,) = choose(model.scenario, [asked_for])
        world = intervene(model, named, YEARS * YEAR)
        assert page_rows(opened[name], on=asked_for.split("+")) == rows(model, world), asked_for


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_intervention_over_other_numbers_is_that_of_the_edited_scenario(
    name: str, opened: dict[str, Page], models: dict[str, Model]
) -> None:
    scenario, values = models[name].scenario, settings(models[name], 8)
    assert scenario is not None
    model = pk.compile(pk.edit(scenario, values))
    for chosen in list(scenario.interventions)[1:4]:
        (named,) = choose(scenario, [chosen])
        world = intervene(model, named, YEARS * YEAR)
        assert page_rows(opened[name], set=values, on=[chosen]) == rows(model, world), chosen


@pytest.mark.parametrize("name", SCENARIOS)
def test_outcomes_and_standoffs_of_every_run_are_those_of_python(
    name: str, opened: dict[str, Page], models: dict[str, Model]
) -> None:
    runs = pk.simulate(models[name], years=10.0, replicates=40, seed=3)
    found = opened[name].evaluate("powderkeg.run({replicates: 40, years: 10, seed: 3})")["outcomes"]
    for measure in outcome_measures(models[name], runs):
        assert found[measure.name] == pytest.approx(measure.values, rel=1e-12), measure.name
    for measure in standoff_measures(runs):
        assert found[f"standoffs.{measure.name}"] == pytest.approx(measure.values, rel=1e-12), measure.name


def test_days_until_a_fact_comes_about_are_those_of_python(browser: Browser, tmp_path: Path) -> None:
    """Of a model with facts that acts, chances and time bring, and of one of whose facts nothing ever changes."""
    for text in (COMES_ABOUT, STILL):
        scenario = pk.loads(text)
        file = tmp_path / "page.html"
        file.write_text(page_of(scenario, replicates=5), encoding="utf-8")
        page = browser.new_page()
        page.goto(file.as_uri())
        found = page.evaluate("powderkeg.run({replicates: 60, years: 1, seed: 3})")["outcomes"]
        model = pk.compile(scenario)
        for measure in outcome_measures(model, pk.simulate(model, years=1.0, replicates=60, seed=3)):
            assert found[measure.name] == measure.values.tolist(), measure.name
        page.close()


@pytest.mark.parametrize("name", SCENARIOS[:2])
def test_the_record_is_held_against_the_same_histories(
    name: str, opened: dict[str, Page], models: dict[str, Model]
) -> None:
    expected = pk.record(models[name], replicates=100, seed=3)
    given = {"replicates": 120, "years": 1.0, "seed": 3, "slot": "record"}
    found = asked(opened[name], "engine.run(given)", given)
    lines = {line["id"]: line for line in asked(opened[name], "engine.meta.record", {})}
    for line in expected.lines:
        assert found["record"].get(line.name) == (None if line.model is None else pytest.approx(line.model, rel=1e-9))
        assert (lines[line.name]["low"], lines[line.name]["high"]) == (line.record_low, line.record_high)


def test_runs_shared_out_to_threads_are_the_same_runs(opened: dict[str, Page]) -> None:
    page = opened["north-kosovo"]
    call = """engine.run(given).then(found => Object.fromEntries(Object.entries(found.outcomes)
        .map(([id, values]) => [id, Array.from(values)])))"""
    found = asked(page, call, {"replicates": 50, "years": 2.0, "seed": 3, "slot": "threads"})
    whole = page.evaluate("powderkeg.run({replicates: 50, years: 2, seed: 3})")["outcomes"]
    assert found == {name: values for name, values in whole.items() if name in found}
    assert len(found) > 10


def test_answers_build_up_in_the_page_too(browser: Browser, tmp_path: Path) -> None:
    """As they are, with another half-life; and an intervention on how they build up is refused in words."""
    scenario, file = pk.loads(LATE), tmp_path / "page.html"
    file.write_text(page_of(scenario, replicates=5), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page_rows(page) == rows(pk.compile(scenario))
    values = {"mechanisms.retaliation.half_life": 2.5}
    assert page_rows(page, set=values) == rows(pk.compile(pk.edit(scenario, values)))
    call = "powderkeg.run({replicates: 2, years: 1, seed: 1, on: ['later']})"
    with pytest.raises(Error, match="build_up"):
        page.evaluate(call)
    page.close()


def test_covariates_turn_on_their_days_in_the_page_too(browser: Browser, tmp_path: Path) -> None:
    scenario = pk.load(Path(__file__).parent / "scenarios" / "good" / "covariates.yaml")
    model, file = pk.compile(scenario), tmp_path / "page.html"
    file.write_text(page_of(pk.edit(scenario, {"years": 2}), replicates=5), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page_rows(page) == rows(model)
    (named,) = choose(scenario, ["lifted"])
    assert page_rows(page, on=["lifted"]) == rows(model, intervene(model, named, YEARS * YEAR))
    page.close()


def test_facts_of_a_history_stand_as_long_as_python_says(opened: dict[str, Page], models: dict[str, Model]) -> None:
    model = models["north-kosovo"]
    runs = pk.simulate(model, years=YEARS, replicates=3, seed=SEED)
    told = asked(opened["north-kosovo"], "engine.history(given)", {"replicate": 2, "years": YEARS, "seed": SEED})
    days = np.zeros(int(model.system.level_start[-1]))
    for index, fact in enumerate(model.facts):
        turns = [turn for turn in told["facts"] if turn["fact"] == fact]
        for turn, end in zip(turns, [*(turn["t"] for turn in turns[1:]), YEARS * YEAR], strict=True):
            days[model.system.level_start[index] + model.levels[index].index(turn["level"])] += end - turn["t"]
    assert days == pytest.approx(runs.level_time[2], abs=1e-6)
    assert len(told["events"]) == runs.table().frame.filter(replicate=2).height


def test_a_played_history_is_a_world_of_forced_and_silent_acts(
    opened: dict[str, Page], models: dict[str, Model]
) -> None:
    """One act does not come about, another is put in: all that does not follow from them stays, in every bit."""
    model, page = models["north-kosovo"], opened["north-kosovo"]
    given = {"replicate": 1, "years": YEARS, "seed": SEED, "actor": "kosovo"}
    free = asked(page, "engine.play(given)", given)
    lost = next(event for event in free["events"] if event["source"] == "kosovo")
    put = {"t": lost["t"] + 5.0, "source": "kosovo", "act": lost["act"], "target": lost["target"]}
    told = asked(page, "engine.play(given)", given | {"script": [put], "withhold": [lost], "at": lost["t"]})
    channel, t = lost["channel"], lost["t"]
    world = make_world(
        model.system,
        (Phase(t, silenced(model.system, np.array([channel]))), Phase(math.nextafter(t, math.inf), model.system)),
        (ForcedAct(put["t"], channel),),
    )
    frame = pk.simulate(model, years=YEARS, replicates=2, seed=SEED, world=world).table().frame.filter(replicate=1)
    names = ("time", "source", "act", "target")
    assert [(e["t"], e["source"], e["act"], e["target"]) for e in told["events"]] == frame.select(names).rows()
    assert [e["t"] for e in told["events"] if e.get("forced")] == [put["t"]]
    assert [e for e in told["events"] if e["t"] < t] == [e for e in free["events"] if e["t"] < t]
    assert t not in [e["t"] for e in told["events"]]
    assert {"source": "kosovo", "act": lost["act"], "target": lost["target"]} in told["allowed"]
    assert {one["source"] for one in told["allowed"]} == {"kosovo"}
    idle = asked(page, "engine.play(given)", given | {"from": 0.0})
    assert "kosovo" not in {e["source"] for e in idle["events"]}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_saved_world_gives_compare_the_numbers_of_the_page(
    name: str, opened: dict[str, Page], models: dict[str, Model], tmp_path: Path
) -> None:
    scenario, values = models[name].scenario, settings(models[name], 9)
    assert scenario is not None
    tie, chosen = next(iter(scenario.ties)), list(scenario.interventions)[1]
    world = {"set": values, "on": [chosen], "off": [f"ties.{tie}"]}
    text = opened[name].evaluate("world => powderkeg.engine.yaml(world)", world)
    file = tmp_path / "saved.yaml"
    file.write_text(text, encoding="utf-8")
    saved = pk.compile(pk.load(file))
    assert saved.scenario is not None
    (named,) = choose(saved.scenario, [f"page_world+{chosen}"])
    expected = rows(saved, intervene(saved, named, YEARS * YEAR))
    assert page_rows(opened[name], **world, paired=True) == expected
    read = opened[name].evaluate("text => powderkeg.engine.parse(text)", text)
    assert {key: read[key] for key in world} == world


@pytest.mark.parametrize("name", SCENARIOS[:2])
def test_the_brink_is_as_near_as_python_says(name: str, opened: dict[str, Page], models: dict[str, Model]) -> None:
    scenario = models[name].scenario
    assert scenario is not None
    for seed in range(2):
        values = settings(models[name], seed)
        expected = pk.stability(pk.compile(pk.edit(scenario, values)))
        found = asked(opened[name], "engine.stability(given)", {"set": values})
        assert found["initial"] == pytest.approx(expected.initial, abs=1e-4)
        if found["complete"]:
            assert found["worst"] == pytest.approx(expected.worst, abs=1e-4)
            assert f"mechanisms.{found['blame']}" == expected.drivers[0][0]
        else:
            assert found["worst"] <= expected.worst + 1e-4


def test_a_page_asks_for_nothing_and_says_nothing_wrong(
    browser: Browser, texts: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(texts["two-theatres"], encoding="utf-8")
    page, asked_for, said = browser.new_page(), [], []
    page.on("request", lambda request: asked_for.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-engine=ready]")
    assert page.evaluate("powderkeg.run({replicates: 2, years: 1}).then(found => Object.keys(found).sort())") == [
        "events", "outcomes",
    ]  # fmt: skip
    page.close()
    assert [url for url in asked_for if not url.startswith(("file:", "blob:", "data:"))] == []
    assert said == []


def test_a_browser_without_script_shows_the_summary(browser: Browser, texts: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(texts["north-kosovo"], encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("#summary").is_visible()
    assert page.locator("#summary tbody tr").count() == len(pk.load("north-kosovo").outcomes)
    context.close()


def test_a_title_with_markup_is_text(browser: Browser, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)><!-- \u202e" + "x" * 60
    scenario = pk.edit(pk.load("north-kosovo"), {})
    text = page_of(scenario.__class__(**{**vars(scenario), "title": evil}), replicates=5)
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    page, opened_dialogs = browser.new_page(), []
    page.on("dialog", lambda dialog: (opened_dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-engine=ready]")
    assert page.locator("img").count() == 0
    assert asked(page, "engine.meta.title", {}) == evil
    assert opened_dialogs == []
    page.close()


def test_a_page_weighs_little(texts: dict[str, str]) -> None:
    assert len(texts["north-kosovo"].encode()) < 2_000_000
    assert math.isfinite(len(texts["two-theatres"]))


def test_a_lever_pulled_too_far_is_capped_and_blamed(opened: dict[str, Page], models: dict[str, Model]) -> None:
    page = opened["north-kosovo"]
    values = {p.path: 6.0 * p.value for p in models["north-kosovo"].parameters if p.kind == "answers"}
    given = {"world": {"set": values}, "replicates": 40, "years": 10.0, "slot": "blast", "recorded": 0, "limit": 60_000}
    found = asked(page, "engine.run(given)", given)
    assert found["replicates"] == found["capped"] == 8
    edited = pk.compile(pk.edit(models["north-kosovo"].scenario, values))
    assert f"mechanisms.{found['blame']}" == pk.stability(edited).drivers[0][0]


def test_refusals_are_sentences(opened: dict[str, Page]) -> None:
    def said(given: dict[str, Any]) -> str:
        call = "given => powderkeg.run(given).then(() => '', error => error.message)"
        return str(opened["north-kosovo"].evaluate(call, {"replicates": 2, "years": 1, **given}))

    assert "nowhere.to_be" in said({"set": {"nowhere.to_be": 1}})
    assert "no switch" in said({"on": ["unheard_of"]})
    assert "after the end" in said({"on": ["recognition"], "years": 0.5})
    assert said({}) == ""


def test_a_policy_question_answered_by_hand_is_what_compare_answers(
    browser: Browser, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole page, made with an edit: a lever moved by the keyboard, an intervention switched on; the page shows
    what the saved file and the command in its first lines give."""
    scenario = pk.edit(pk.load(SCENARIOS[0]), {"mechanisms.entrapment.answers": 0.2})
    file = tmp_path / "page.html"
    file.write_text(page_of(scenario, replicates=60, seed=5, edits=["mechanisms.entrapment.answers=0.2"]))
    page = browser.new_page()
    page.goto(file.as_uri())
    page.wait_for_function("() => powderkeg.face && powderkeg.face.results")
    page.evaluate("powderkeg.face.runs.limit = 60")
    lever = page.locator("input[type=range][data-path]").first
    lever.press("PageUp")
    lever.press("PageUp")
    page.locator('input[data-switch="withdraw_kfor"]').evaluate("box => box.click()")
    page.wait_for_function("() => powderkeg.face.results.shown().worlds.every(({ entry }) => entry.n >= 60)")
    page.wait_for_function("() => !powderkeg.face.frame")
    page.evaluate("document.getElementById('save-world').closest('details').open = true")
    with page.expect_download() as saving:
        page.click("#save-world")
    saving.value.save_as(tmp_path / "world.yaml")
    typed = shlex.split((tmp_path / "world.yaml").read_text(encoding="utf-8").splitlines()[1].removeprefix("# "))
    assert typed[-2:] == ["--set", "mechanisms.entrapment.answers=0.2"]
    typed[2] = str(tmp_path / "world.yaml")
    said = command_line(capfd)(*typed[1:], "--json")
    (effects,) = (one for name, one in said.data["interventions"].items() if name != "nothing")
    found = {name: one["difference"] for name, one in effects["outcomes"].items()}
    shown = page.evaluate("""() => {
        const { results, asked } = powderkeg.face, { reference, worlds } = results.shown();
        const few = { ...reference, entry: { ...reference.entry, n: 60 } };
        const difference = one => results.effect(one, few, worlds[0])?.difference;
        return Object.fromEntries(asked.meta.outcomes.map(one => [one.id, difference(one)]));
    }""")
    page.close()
    assert len(shown) > 10
    assert {name: shown[name] for name in found if name in shown} == pytest.approx(
        {name: value for name, value in found.items() if name in shown}, rel=1e-9, abs=1e-12
    )
