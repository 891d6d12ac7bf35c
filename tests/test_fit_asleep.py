"""A mechanism whose tie never holds is held: no number of answers would change the likelihood."""

from __future__ import annotations

import pytest

import powderkeg as pk

ASLEEP = """
powderkeg: 1
name: asleep
start: 2010-01-01
years: 4
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
ties: {pact: {kind: alliance, from: north, to: south, holds: false}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.1 per day}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.3, half_life: 3 days}
  treaty: {when: south threatens north, given: north allies south, then: north threatens south, answers: 0.4,
    half_life: 3 days}
"""


@pytest.mark.parametrize("background", ["constant", "blocks180"])
def test_answers_whose_tie_never_holds_are_held(background: str) -> None:
    """They were estimated as whatever the climb came by: 0, the file's value, or more than a number of 140 digits."""
    scenario = pk.loads(ASLEEP)
    events = pk.simulate(pk.compile(scenario), replicates=1, seed=1).table()
    found = pk.fit(scenario, events, background=background, test_mechanisms=False)
    treaty = found.parameters["mechanisms.treaty.answers"]
    assert not treaty.free and treaty.estimate == 0.4
    assert treaty.note == "nothing in these events could show it"
    assert found.parameters["mechanisms.retaliation.answers"].free
