"""An intervention that cannot act is said to be one, not shown as `no change`."""

from __future__ import annotations

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.cli.app import _exit_code as run
from powderkeg.model import why_idle
from powderkeg.model.idle import _edited

TEXT = """
powderkeg: 1
name: idle
start: 2020-01-01
years: 2
actors: {a: , b: , c: }
ties: {friends: {kind: alliance, from: a, to: c}}
facts: {war: , flag: , fence: {lasts: 10 days}}
acts: {hit: {tone: hostile}, build: {tone: neutral}}
moves:
  hits: {who: a, does: hit, to: b, rate: 4 per year}
  builds: {who: b, does: build, to: a, rate: 3 per year, sets: [fence, flag]}
  fights: {who: b, does: hit, to: a, rate: 4 per year, needs: war}
gates:
  at_war: {while: war, moves: hits, factor: 3}
  fenced: {while: fence, moves: hits, factor: 0.5}
outcomes: {hits: {count: {does: hit}}}
interventions:
  nothing: {title: Nothing}
  same: {set: {moves.hits.rate: 4 per year}}
  sleeping_gate: {set: {gates.at_war.factor: 9}}
  sleeping_move: {set: {moves.fights.rate: 9 per year}}
  unread: {set: {facts.flag.starts: on}}
  tie: {set: {ties.friends.holds: false}}
  fence: {set: {gates.fenced.factor: 0.1}}
  war: {set: {facts.war.starts: on}}
"""
WHY = {
    "same": "what the file says already",
    "sleeping_gate": "the gate at_war waits for war",
    "sleeping_move": "moves.fights can never happen",
    "unread": "nothing in the scenario asks for flag",
}


def test_a_comparison_says_which_cannot_act_and_why() -> None:
    found = pk.compare(pk.loads(TEXT), replicates=50, ranges=False)
    told = {one.name: one.idle for one in found.interventions if one.idle}
    assert {name: WHY[name] in told.pop(name, "") for name in WHY} == dict.fromkeys(WHY, True)
    assert set(told) <= {"tie"}
    assert next(one for one in found.interventions if one.name == "war").differing > 0


def test_check_says_so_before_anything_runs(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "idle.yaml"
    file.write_text(TEXT)
    assert run(["check", str(file)]) == 0
    said = capsys.readouterr().out
    assert all(f"The intervention {name} cannot change anything" in said for name in WHY)
    assert "intervention war" not in said and "intervention fence" not in said and "intervention nothing" not in said


def test_a_gate_that_waits_for_no_fact_but_follows_a_covariate_can_act() -> None:
    text = TEXT.replace("gates:\n", "gates:\n  cold: {with: winter, moves: hits, factor: 0.5}\n")
    text = text.replace("moves:\n", "covariates: {winter: {values: {2020-12-01: 1, 2021-03-01: 0}}}\nmoves:\n", 1)
    model = pk.compile(pk.loads(text))
    assert why_idle(model, {"gates.cold.factor": 0.1}) == ""
    assert why_idle(model, {"gates.cold.factor": 0.1, "gates.at_war.factor": 9}) == ""
    assert "waits for war" in why_idle(model, {"gates.at_war.factor": 9})


def test_a_move_without_a_rate_is_woken_by_one() -> None:
    """It was said of it that it cannot change anything, because it slept in the scenario as it stands."""
    text = TEXT.replace("gates:\n", "  rests: {who: c, does: hit, to: b, rate: 0 per year}\ngates:\n", 1)
    model = pk.compile(pk.loads(text))
    assert why_idle(model, {"moves.rests.rate": 0.01}) == ""
    assert why_idle(model, {"moves.rests.rate": 0.01, "moves.fights.rate": 0.01}) == ""
    assert "moves.fights can never happen" in why_idle(model, {"moves.fights.rate": 0.01})


def test_where_a_fact_or_a_tie_begins_is_filled_in_as_it_is_compiled() -> None:
    """To compile anew for each intervention was a quarter of a check; the answer hangs on every array."""
    n_tried = 0
    for name in pk.names():
        scenario = pk.load(name)
        model = pk.compile(scenario)
        changes: dict[str, object] = {f"ties.{tie}.holds": not one.holds for tie, one in scenario.ties.items()}
        changes |= {
            f"facts.{fact}.starts": next(level for level in one.levels if level != one.starts)
            for fact, one in scenario.facts.items()
        }
        for path, value in changes.items():
            anew = pk.compile(pk.edit(scenario, {path: value})).system
            filled = _edited(model, {path: value})
            assert not np.array_equal(filled.initial_level, model.system.initial_level)
            for field, one, other in zip(filled._fields, filled, anew, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=f"{name}: {path}: {field}")
            n_tried += 1
    assert n_tried > 20
