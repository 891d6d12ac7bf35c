"""The scenario that is fitted to event data: sourced, stable, and finds its actors and acts in the data it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

import powderkeg as pk
from powderkeg.events import balance, match, read_events
from powderkeg.model import stability
from powderkeg.scenario import Quantity, Scenario, paths

NAME = "kosovo-events"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return pk.load(NAME)


def test_every_number_names_its_source_or_says_that_it_is_a_guess_with_a_range(scenario: Scenario) -> None:
    numbers = {
        path: value
        for path, value in paths(scenario).items()
        if isinstance(value, Quantity) and path.startswith(("moves.", "mechanisms.")) and ".then." not in path
        if not (path.endswith(".build_up") and value.value == 0.0)  # no number, but that there is none
    }
    assert len(numbers) > 140
    for path, value in numbers.items():
        assert value.source == "keds" or value.guess, path
        assert value.low is not None and value.high is not None, path
        assert value.low <= value.value <= value.high and value.low < value.high, path
    guesses = [path for path, value in numbers.items() if value.guess]
    assert len(guesses) < 0.1 * len(numbers)


def test_the_sources_can_be_looked_up_and_interventions_ask_something(scenario: Scenario) -> None:
    assert all(source.url for source in scenario.sources.values())
    assert "nothing" in scenario.interventions
    assert all(item.title and item.question.endswith("?") for item in scenario.interventions.values())


def test_it_feeds_on_itself_but_does_not_explode(scenario: Scenario) -> None:
    found = stability(pk.compile(scenario))
    assert 0.5 < found.initial <= found.worst < 0.85


def test_a_patron_that_stays_out_is_not_drawn_in(scenario: Scenario) -> None:
    from powderkeg.compare import choose, intervene

    model = pk.compile(scenario)
    world = intervene(model, choose(scenario, ["no_patron"])[0], 365.25)
    before, after = (pk.simulate(model, years=1, replicates=50, seed=3, world=w) for w in (None, world))
    drawn = [
        pk.outcomes(model, runs).filter(name="drawn_in").row(0, named=True)["mean"] for runs in (before, after)
    ]  # fmt: skip
    assert drawn[0] > 5 and drawn[1] < 0.5 * drawn[0]  # Russia and Serbia remain patrons


def test_it_finds_its_actors_and_acts_in_keds(scenario: Scenario, shared_data: Path) -> None:
    table = read_events(shared_data / "keds_balkans" / "events.csv.gz", start="1998-01-01", end="2003-07-31")
    matched, report = match(scenario, table, doubles=("mirrored", "same_day_matched"))
    assert report.source == "keds" and report.unused == () and balance(matched.account) == 0
    assert len(matched) == 6978
    acts = dict(report.acts.filter(report.acts["act"].is_not_null()).select("code", "act").iter_rows())
    assert {acts[code] for code in ("223", "222")} == {"fight"}
    assert {acts[code] for code in ("212", "182", "224")} == {"coerce"}
    assert (acts["150"], acts["170"], acts["031"], acts["012"]) == ("accuse", "threaten", "talk", "give")


def test_the_albanians_of_macedonia_are_not_those_of_kosovo(scenario: Scenario, shared_data: Path) -> None:
    """Planted error: without the date of the rule the fighting of 2001 in Macedonia would be Kosovo's."""
    table = read_events(shared_data / "keds_balkans" / "events.csv.gz", start="2001-01-01", end="2001-12-31")
    matched, _ = match(scenario, table)
    assert "ETHALB" not in matched.frame["source_name"].cast(str).to_list()
    assert table.frame.filter(table.frame["source"].cast(str) == "ETHALB").height > 200


def test_it_finds_its_actors_in_icews(scenario: Scenario, shared_data: Path) -> None:
    table = read_events(shared_data / "kosovo_icews" / "events_2018.csv.gz")
    matched, report = match(scenario, table)
    assert report.source == "icews" and len(matched) > 500
    ours = dict(report.matched.select("name", "actor").iter_rows())
    assert ours["Police (Kosovo)"] == "kosovo" and ours["Aleksandar Vučić"] == "serbia"
    assert ours["Oliver Ivanovic"] == "kosovo_serbs" and ours["Donald Trump"] == "west"
