"""The second built-in scenario: sourced like the first, near its dated record, and rare where it should be."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.compare import choose, intervene
from powderkeg.model import Model, branching_ratio, stability
from powderkeg.scenario import Quantity, Scenario, edit, paths
from powderkeg.score import Record, record
from powderkeg.simulate import Runs, simulate

SEED = 11
NAME = "nato-russia-ukraine"
CONVENTIONS = ("years", "standoffs.", "interventions.")
"""Paths whose values are definitions, not claims about the world."""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return pk.load(NAME)


@pytest.fixture(scope="module")
def model(scenario: Scenario) -> Model:
    return pk.compile(scenario)


@pytest.fixture(scope="module")
def runs(model: Model) -> Runs:
    return simulate(model, years=10, replicates=2000, seed=SEED)


@pytest.fixture(scope="module")
def held(model: Model) -> Record:
    return record(model, replicates=300, seed=SEED)


def per_run(model: Model, runs: Runs, *acts: str) -> float:
    """Acts of these kinds per run."""
    mask = np.array([channel.kind == "act" and channel.act in acts for channel in model.channels])
    return float(mask[runs.channel].sum()) / runs.replicates


def changed(scenario: Scenario, model: Model, name: str) -> Runs:
    world = intervene(model, choose(scenario, [name])[0], 3652.5)
    return simulate(model, years=10, replicates=2000, seed=SEED, world=world)


# --- What the file says


def test_every_number_names_its_source_or_says_that_it_is_a_guess(scenario: Scenario) -> None:
    bare = [
        path
        for path, value in paths(scenario).items()
        if isinstance(value, Quantity)
        and value.value not in (0.0, 1.0)
        and value.source is None
        and not value.guess
        and not path.startswith(CONVENTIONS)
        and not (".then." in path and value.value == 0.5)
    ]
    assert bare == []


def test_every_guess_has_a_range_around_it(scenario: Scenario) -> None:
    guesses = {path: value for path, value in paths(scenario).items() if isinstance(value, Quantity) and value.guess}
    assert len(guesses) > 50
    for path, value in guesses.items():
        if ".then." not in path and value.value not in (0.0, 1.0):
            assert value.low is not None and value.high is not None, path
            assert value.low <= value.value <= value.high and value.low < value.high, path


def test_every_source_is_used_and_can_be_looked_up(scenario: Scenario) -> None:
    used = {value.source for value in paths(scenario).values() if isinstance(value, Quantity)}
    assert set(scenario.sources) - used == set()
    assert [name for name, source in scenario.sources.items() if source.url is None] == ["incidents"]


def test_every_intervention_has_a_title_and_a_plain_question(scenario: Scenario) -> None:
    wanted = {"nothing", "ukraine_joins", "neighbour_joins", "arm_more", "arm_less", "deploy_more", "withdraw_edge"}
    assert wanted | {"hotline", "ceasefire"} == set(scenario.interventions)
    assert all(item.title and item.question.endswith("?") for item in scenario.interventions.values())


def test_both_sides_readings_are_facts_of_their_own(scenario: Scenario) -> None:
    assert {"encircled_felt", "exposed_felt", "emboldened_felt"} <= set(scenario.facts)


def test_every_row_of_the_record_has_a_page_and_a_confidence() -> None:
    table = (resources.files("powderkeg") / "records" / f"{NAME}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    assert 15 <= len(rows) <= 40
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["url"].startswith(("http://", "https://")) and row["source"] in row["url"] for row in rows)
    assert {row["confidence"] for row in rows} <= {"high", "medium", "low"}


# --- What it does


def test_it_is_no_nearer_the_brink_than_the_literature_would_have_it(model: Model) -> None:
    found = stability(model)
    assert 0.3 < branching_ratio(model, model.system.initial_level) < 0.67
    assert found.method == "states"
    assert found.initial <= found.worst < 0.7


def test_the_lines_of_the_record_are_computed_and_most_agree(held: Record) -> None:
    assert held.standoffs == 34
    assert len(held.lines) == 20
    assert all(line.record is not None and line.model is not None for line in held.lines)
    assert held.agreeing >= 17, str(held)


def test_the_record_refuses_a_line_that_the_war_does_not_feed(scenario: Scenario) -> None:
    """Planted error: no strays and no cables cut, so too few incidents: 2.0 a year, not 2.1 or more."""
    changes = {"mechanisms.spill_over.answers": 0, "gates.war_at_sea.factor": 1, "moves.invades.rate": "0 per year",
               "moves.breaks_cables.rate": "0 per year"}  # fmt: skip
    lines = {line.name: line for line in record(edit(scenario, changes), replicates=200, seed=SEED).lines}
    assert not lines["onsets"].agrees


def test_rare_things_are_rare_and_rarer_step_by_step(model: Model, runs: Runs) -> None:
    """Beckley 2015: a patron's forces are hardly ever drawn into fighting; each step is rare given the one before."""
    incidents = per_run(model, runs, "violate", "stray", "sabotage", "press", "mass")
    consulted = per_run(model, runs, "consult")
    shots = per_run(model, runs, "fire_at")
    assert 20 < incidents < 80
    assert 0.02 * incidents < consulted < 0.3 * incidents
    assert 0 < shots < 0.03 * consulted
    assert per_run(model, runs, "battle") < shots
    clash = np.array([c.act == "battle" and "nato" in (c.source, c.target) for c in model.channels])
    assert clash[runs.channel].sum() <= 3
    assert not runs.exploded.any()


def test_a_clash_is_possible(scenario: Scenario) -> None:
    """With two steps made common it is reached: the chain of states is not broken."""
    raised = pk.compile(
        edit(scenario, {"mechanisms.shots_for_shots.answers": 0.5, "mechanisms.shots_become_battle.answers": 0.5})
    )
    found = simulate(raised, years=10, replicates=300, seed=SEED)
    clash = np.array([c.act == "battle" and "nato" in (c.source, c.target) for c in raised.channels])
    assert clash[found.channel].sum() > 0


def test_membership_deters_and_draws_in(scenario: Scenario, model: Model, runs: Runs) -> None:
    joined = changed(scenario, model, "ukraine_joins")
    assert per_run(model, joined, "invade") < 0.6 * per_run(model, runs, "invade")
    assert per_run(model, joined, "fire_at") > per_run(model, runs, "fire_at")


def test_a_ceasefire_calms_the_line(scenario: Scenario, model: Model, runs: Runs) -> None:
    quiet = changed(scenario, model, "ceasefire")
    assert per_run(model, quiet, "stray", "hit") < 0.7 * per_run(model, runs, "stray", "hit")


def test_nothing_changes_nothing(scenario: Scenario, model: Model, runs: Runs) -> None:
    assert changed(scenario, model, "nothing").digest() == runs.digest()
