"""The built-in scenarios between two states and within one: sourced, near their record, and of the sign they claim."""

from __future__ import annotations

import ast
import csv
import datetime
import re
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.compare import choose, intervene
from powderkeg.model import Model, stability
from powderkeg.scenario import Quantity, Scenario, edit, paths
from powderkeg.score import Record, record
from powderkeg.simulate import Runs, simulate

SEED = 11
NAMES = ("line-of-control", "jonglei")
CONVENTIONS = ("years", "standoffs.", "interventions.")
"""Paths whose values are definitions, not claims about the world."""


@cache
def compiled(name: str) -> tuple[Scenario, Model]:
    scenario = pk.load(name)
    return scenario, pk.compile(scenario)


@cache
def runs_of(name: str, intervention: str | None = None) -> Runs:
    scenario, model = compiled(name)
    world = intervene(model, choose(scenario, [intervention])[0], 3652.5) if intervention else None
    return simulate(model, years=10, replicates=600, seed=SEED, world=world)


@cache
def held(name: str) -> Record:
    return record(compiled(name)[1], replicates=200, seed=SEED)


def per_run(name: str, act: str, intervention: str | None = None) -> float:
    model, runs = compiled(name)[1], runs_of(name, intervention)
    mask = np.array([channel.kind == "act" and channel.act == act for channel in model.channels])
    return float(mask[runs.channel].sum()) / runs.replicates


@pytest.mark.parametrize("name", NAMES)
def test_every_number_names_its_source_or_says_that_it_is_a_guess(name: str) -> None:
    """0 (never), 1 (always) and shares of a split need none."""
    bare = [
        path
        for path, value in paths(compiled(name)[0]).items()
        if isinstance(value, Quantity)
        and value.value not in (0.0, 1.0)
        and value.source is None
        and not value.guess
        and not path.startswith(CONVENTIONS)
        and not (".then." in path and value.value in (0.25, 0.5))
    ]
    assert bare == []


@pytest.mark.parametrize("name", NAMES)
def test_every_source_is_used_and_can_be_looked_up(name: str) -> None:
    scenario = compiled(name)[0]
    used = {value.source for value in paths(scenario).values() if isinstance(value, Quantity)}
    used |= {item.source for part in ("acts", "moves", "facts") for item in getattr(scenario, part).values()}
    assert set(scenario.sources) - used == set()
    assert [source for source, item in scenario.sources.items() if item.url is None] == ["record"]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_the_record_has_a_page_and_lies_in_order(name: str) -> None:
    table = (resources.files("powderkeg") / "records" / f"{name}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    assert len({row["id"] for row in rows}) == len(rows) >= 12
    assert all(row["url"].startswith(("http://", "https://")) and row["source"] in row["url"] for row in rows)
    starts = [row["start"] for row in rows]
    assert starts == sorted(starts)
    whole = [row for row in rows if len(row["start"]) == len(row["end"]) == 10]
    assert all(datetime.date.fromisoformat(row["start"]) <= datetime.date.fromisoformat(row["end"]) for row in whole)


@pytest.mark.parametrize(("name", "standoffs", "least"), [("line-of-control", 13, 12), ("jonglei", 16, 7)])
def test_most_lines_of_the_record_agree(name: str, standoffs: int, least: int) -> None:
    assert held(name).standoffs == standoffs
    assert held(name).agreeing >= least, str(held(name))


def test_the_record_refuses_a_quiet_line_of_control() -> None:
    """Planted error: militants never attack, so hardly anything opens and nobody strikes."""
    quiet = edit(compiled("line-of-control")[0], {"moves.militants_attack.rate": "0 per year"})
    lines = {line.name: line for line in record(quiet, replicates=100, seed=SEED).lines}
    assert not lines["opened_by_militants"].agrees
    assert not lines["india_struck"].agrees


def test_the_record_refuses_a_jonglei_without_revenge() -> None:
    """Planted error: nobody answers a large attack with another."""
    calm = {"mechanisms.murle_strike_back.answers": 0, "mechanisms.nuer_gather_again.answers": 0}
    lines = {line.name: line for line in record(edit(compiled("jonglei")[0], calm), replicates=100, seed=SEED).lines}
    assert not lines["onsets"].agrees


@pytest.mark.parametrize("name", NAMES)
def test_nothing_feeds_itself_for_ever(name: str) -> None:
    found = stability(compiled(name)[1])
    assert found.initial <= found.worst < 0.9
    assert not runs_of(name).exploded.any()


def test_strikes_follow_attacks_and_war_is_rare() -> None:
    strikes, war = per_run("line-of-control", "strike"), per_run("line-of-control", "invade")
    assert 1 < strikes < 5
    assert war < 0.02 * strikes
    assert per_run("line-of-control", "strike", "no_strikes") == 0
    assert per_run("line-of-control", "strike", "fewer_attacks") < 0.7 * strikes


def test_a_kept_truce_quietens_the_line() -> None:
    usual = per_run("line-of-control", "fire")
    assert per_run("line-of-control", "fire", "truce_lasts") < 0.7 * usual
    assert per_run("line-of-control", "fire", "no_truce") > 1.2 * usual


def test_an_army_that_comes_in_time_and_a_mission_that_stays_hold_large_attacks_back() -> None:
    usual = per_run("jonglei", "assault")
    assert per_run("jonglei", "assault", "army_at_once") < 0.8 * usual
    assert per_run("jonglei", "assault", "mission_leaves") > 1.3 * usual


@pytest.mark.parametrize("name", NAMES)
def test_every_intervention_asks_a_plain_question(name: str) -> None:
    scenario = compiled(name)[0]
    assert len(scenario.interventions) >= 6
    assert all(item.title and item.question.endswith("?") for item in scenario.interventions.values())


KNOWN = re.compile(r"kosov|kfor|serb|\bnato\b|pristina|belgrade|pakistan|murle", re.IGNORECASE)
EXAMPLE = re.compile(r"such as|default |or one act: |\(ISO codes; NATO|^north-kosovo$")
"""What gives an example in a message, the organisations of the book of leaders, the default's name."""


def places_known(source: str) -> list[str]:
    """Texts and names of a module, but for docstrings, that know a place of a built-in scenario."""
    tree = ast.parse(source)
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes
    ]
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return [text for text in texts + names if KNOWN.search(text) and not EXAMPLE.search(text)]


def test_no_module_knows_a_place() -> None:
    package = Path(pk.__file__).parent
    found = {
        file.relative_to(package).as_posix(): places
        for file in sorted(package.rglob("*.py"))
        if (places := places_known(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_a_planted_place_is_found() -> None:
    assert places_known('"""North Kosovo."""\nif actor == "kfor":\n    serbia = 1\nprint("such as nato")\n') == [
        "kfor",
        "serbia",
    ]
