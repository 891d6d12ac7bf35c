"""The search of reachable states stops by work done, and says what it knows then."""

from __future__ import annotations

import time

import pytest

import powderkeg as pk
from powderkeg.model import reachable
from powderkeg.model.reachable import reach
from powderkeg.model.stability import stability


def many(n_facts: int, unsure: bool, answers: float = 0.5) -> pk.Model:
    """Facts that each act may switch, and each of which scales the answers."""
    chance = " 50 %" if unsure else " 100 %"
    facts = ", ".join(f"f{k}: {{levels: [low, middle, high]}}" for k in range(n_facts))
    sets = ", ".join(f"f{k}.{level}:{chance}" for k in range(n_facts) for level in ("middle",))
    moves = "\n".join(
        f"  m{k}: {{who: a, does: hit{k}, to: b, rate: 1 per year, sets: {{f{k}.high:{chance}}}}}"
        for k in range(n_facts)
    )
    acts = ", ".join(f"hit{k}: {{tone: hostile}}" for k in range(n_facts))
    gates = "\n".join(f"  g{k}: {{while: f{k}.high, mechanisms: [k], factor: 1.05}}" for k in range(n_facts))
    return pk.compile(
        pk.loads(f"""
powderkeg: 1
name: many
start: 2000-01-01
years: 1
actors: {{a: , b: }}
acts: {{{acts}, all: {{tone: hostile}}}}
facts: {{{facts}}}
moves:
{moves}
  all: {{who: b, does: all, to: a, rate: 1 per year, sets: {{{sets}}}}}
mechanisms:
  k: {{when: x hit0 y, then: y all x, answers: {answers}, half_life: 3 days}}
  l: {{when: x all y, then: y hit0 x, answers: {answers}, half_life: 3 days}}
gates:
{gates}
""")
    )


@pytest.mark.parametrize(("n_facts", "unsure"), [(9, False), (10, True), (14, True), (30, False), (38, True)])
def test_many_facts_levels_and_effects_take_no_longer_than_a_few_seconds(n_facts: int, unsure: bool) -> None:
    model = many(n_facts, unsure)
    began = time.process_time()
    found = stability(model)
    assert time.process_time() - began < 5.0
    assert found.initial <= found.worst <= found.sufficient_bound * (1 + 1e-9)


def test_where_the_search_stops_the_answer_is_between_two_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = many(6, False)
    whole = stability(model)
    assert whole.method == "states" and whole.at_least is None
    monkeypatch.setattr(reachable, "MOST_WORK", 300_000)
    some = reach(model)
    assert not len(some.states) and some.searched is not None and 0 < len(some.searched) < (whole.n_states or 0)
    found = stability(many(6, False))
    assert found.at_least is not None and found.n_searched == len(some.searched)
    assert found.at_least <= whole.worst * (1 + 1e-9) and whole.worst <= found.worst * (1 + 1e-9)
    loud = stability(many(6, False, 1.2))
    assert loud.warning is not None and "states that were searched" in loud.warning
