"""A scenario becomes arrays: compared with the scenario read slowly, actor by actor, straight from its patterns."""

from __future__ import annotations

import builtins
import dataclasses
import itertools
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import blocks

from powderkeg.errors import ModelError, UsageError
from powderkeg.model import Model, compile, from_arrays
from powderkeg.model.filling import filled
from powderkeg.model.gates import disjoint, row_values
from powderkeg.model.spectral import edge_sources
from powderkeg.scenario import (
    Act,
    Actor,
    AnswerShare,
    Condition,
    Fact,
    Gate,
    HalfLife,
    Mechanism,
    Move,
    Pattern,
    Quantity,
    Scenario,
    Tie,
    TiePattern,
    expand_moves,
    loads,
    names,
    paths,
)
from powderkeg.scenario import edit as edit_scenario
from powderkeg.scenario import load as load_scenario

SMALL = """
powderkeg: 1
name: small
start: 2008-02-17
actors: {kosovo: {}, north: {}, serbia: {}, west: {}}
ties:
  serbia_north: {kind: patronage, from: serbia, to: north}
  west_kosovo: {kind: patronage, from: west, to: kosovo, holds: false}
facts:
  measure: {}
  roadblock: {lasts: 20 days}
  posture: {levels: [guard, mixed, clear], starts: mixed, lasts: 50 days}
  tension: {comes: 0.5 per year}
acts:
  impose: {tone: hostile, cameo: "172"}
  block: {tone: hostile, cameo: "144", goldstein: -7.5, hurts: injury}
  threaten: {tone: hostile, cameo: "138"}
  suspend: {tone: cooperative}
profiles:
  pace: {steps: {2008-02-17: 1, 2009-02-17: 3}, season: {peak: 1 March, swing: 20 %}}
moves:
  imposes: {who: kosovo, does: impose, to: north, rate: 1 per year, varies: pace, sets: {measure: 40 %}}
  blocks: {who: north, does: block, to: kosovo, rate: 2 per year, needs: [measure], forbids: [posture.clear],
    sets: [roadblock, posture.clear]}
  suspends: {who: kosovo, does: suspend, to: north, rate: 3 per year, clears: [measure, roadblock]}
  threats: {who: any, does: threaten, to: [kosovo, north], rate: 0.5 per year}
mechanisms:
  retaliation:
    when: [x threatens y, x blocks y]
    then: {y threatens x: 75 %, y blocks x: 25 %}
    answers: 0.4 [0.2, 0.5]
    half_life: 3 days
  entrapment:
    when: x threatens y
    given: z backs y
    then: z threatens x
    answers: 0.2
    half_lives: {1 day: 60 %, 14 days: 40 %}
    needs: [roadblock]
gates:
  deters: {while: posture.clear, moves: [threats], mechanisms: [retaliation], factor: "0.5 [0.2, 0.8]"}
  tense: {while: tension, background: [threats, imposes], factor: 4}
calms:
  cools: {after: [suspends], lowers: [threats, blocks], strength: 0.7, half_life: 10 days}
standoffs:
  among: [kosovo, north]
  opened_by: [imposes]
  suspended_by: [suspends]
"""

Q = Quantity


@pytest.fixture(scope="module")
def small() -> Model:
    return compile(loads(SMALL))


def edges_between(
    model: Model, source: tuple[str, str, str], target: tuple[str, str, str]
) -> list[tuple[str, float, int]]:
    """(mechanism, mass, gate row) of every edge from one channel to another."""
    system = model.system
    of, to = model.channel(*source), model.channel(*target)
    every = range(system.edge_start[of], system.edge_start[of + 1])
    return [
        (model.mechanisms[system.edge_mechanism[k]], float(system.edge_mass[k]), int(system.edge_gate[k]))
        for k in every
        if system.edge_target[k] == to
    ]


# --- what a scenario becomes, by hand


def test_each_move_makes_a_channel_for_every_pair_in_file_order(small: Model) -> None:
    assert [str(channel) for channel in small.channels] == [
        "kosovo impose north",
        "north block kosovo",
        "kosovo suspend north",
        "kosovo threaten north",
        "north threaten kosovo",
        "serbia threaten kosovo",
        "serbia threaten north",
        "west threaten kosovo",
        "west threaten north",
        "roadblock runs out",
        "posture runs out",
        "tension comes up",
    ]
    assert small.n_acts == 9
    assert [channel.kind for channel in small.channels[9:]] == ["expire", "expire", "arise"]
    np.testing.assert_allclose(small.system.rate * 365.25, [1, 2, 3, *[0.5] * 6, 0, 0, 0.5])


def test_answers_are_split_by_shares_and_lost_where_an_actor_has_no_such_move(small: Model) -> None:
    threat = ("north", "threaten", "kosovo")
    (to_threat,) = edges_between(small, threat, ("kosovo", "threaten", "north"))
    assert to_threat[:2] == ("retaliation", pytest.approx(0.3))
    (to_block,) = edges_between(small, ("kosovo", "threaten", "north"), ("north", "block", "kosovo"))
    assert to_block[:2] == ("retaliation", pytest.approx(0.1))
    # nobody can threaten serbia, so a Serbian threat draws no retaliation
    system, of = small.system, small.channel("serbia", "threaten", "kosovo")
    assert system.edge_start[of] == system.edge_start[of + 1]


def test_an_edge_that_asks_for_a_tie_is_there_but_shut_while_the_tie_is_absent(small: Model) -> None:
    ((name, mass, row),) = edges_between(small, ("north", "threaten", "kosovo"), ("west", "threaten", "north"))
    assert (name, mass) == ("entrapment", pytest.approx(0.2))
    open_at = {
        (road, tie): row_values(small.system, small.levels_of({"roadblock": road, "west_kosovo": tie}))[row]
        for road in ("off", "on")
        for tie in ("absent", "holds")
    }
    assert open_at == {("off", "absent"): 0, ("off", "holds"): 0, ("on", "absent"): 0, ("on", "holds"): 1}


def test_half_lives_become_decays_with_their_shares(small: Model) -> None:
    system = small.system
    assert system.kernel_start.tolist() == [0, 1, 3]
    np.testing.assert_allclose(np.log(2) / system.kernel_decay, [3, 1, 14])
    np.testing.assert_allclose(system.kernel_share, [1, 0.6, 0.4])
    assert [small.parameters[p].path for p in small.kernel_parameter] == [
        "mechanisms.retaliation.half_life",
        "mechanisms.entrapment.half_lives.1",
        "mechanisms.entrapment.half_lives.2",
    ]


def test_guards_gates_and_background_gates_scale_what_they_name(small: Model) -> None:
    system = small.system
    blocks, threat = small.channel("north", "block", "kosovo"), small.channel("west", "threaten", "north")
    imposes = small.channel("kosovo", "impose", "north")

    def values(**state: str) -> np.ndarray:
        return row_values(system, small.levels_of(state))

    assert values()[system.channel_gate[blocks]] == 0  # needs measure
    assert values(measure="on")[system.channel_gate[blocks]] == 1
    assert values(measure="on", posture="clear")[system.channel_gate[blocks]] == 0  # forbids
    assert values(posture="clear")[system.channel_gate[threat]] == 0.5
    assert values(tension="on")[system.channel_gate[threat]] == 1
    assert values(tension="on")[system.background_gate[threat]] == 4
    assert values(tension="on")[system.background_gate[imposes]] == 4
    assert values(tension="on")[system.background_gate[blocks]] == 1
    ((_, _, row),) = edges_between(small, ("north", "threaten", "kosovo"), ("kosovo", "threaten", "north"))
    assert values(posture="clear")[row] == 0.5


def test_effects_timers_and_comings_change_the_facts_they_name(small: Model) -> None:
    system = small.system

    def effects(channel: int) -> list[tuple[str, str, float]]:
        return [
            (small.facts[system.effect_fact[k]], small.levels[system.effect_fact[k]][system.effect_level[k]],
             float(system.effect_probability[k]))
            for k in range(system.effect_start[channel], system.effect_start[channel + 1])
        ]  # fmt: skip

    assert effects(0) == [("measure", "on", 0.4)]
    assert effects(1) == [("roadblock", "on", 1), ("posture", "clear", 1)]
    assert effects(2) == [("measure", "off", 1), ("roadblock", "off", 1)]
    assert effects(3) == []
    assert [effects(channel) for channel in (9, 10, 11)] == [
        [("roadblock", "off", 1)], [("posture", "guard", 1)], [("tension", "on", 1)]
    ]  # fmt: skip
    timers = {
        (fact, level): [
            (float(system.timer_delay[k]), int(system.timer_channel[k]), bool(system.timer_is_fixed[k]))
            for cell in [system.level_start[index] + number]
            for k in range(system.timer_start[cell], system.timer_start[cell + 1])
        ]
        for index, fact in enumerate(small.facts)
        for number, level in enumerate(small.levels[index])
    }
    assert {cell: found for cell, found in timers.items() if found} == {
        ("roadblock", "on"): [(20, 9, False)],
        ("posture", "mixed"): [(50, 10, False)],
        ("posture", "clear"): [(50, 10, False)],
    }
    arise = system.channel_gate[11]
    assert row_values(system, small.levels_of(None))[arise] == 1
    assert row_values(system, small.levels_of({"tension": "on"}))[arise] == 0


def test_profiles_are_in_days_since_the_start(small: Model) -> None:
    system = small.system
    assert system.step_time.tolist() == [-np.inf, 366.0]  # 2008 is a leap year
    assert system.step_value.tolist() == [1, 3]
    assert system.profile_swing.tolist() == [0.2]
    assert system.profile_peak.tolist() == [13.0]
    assert system.profile.tolist() == [0, *[-1] * 11]


def test_single_pairs_have_their_own_rate_and_profile() -> None:
    """`times` multiplies the move's rate and `follows` wins over `varies`; a pair that the move lacks is named."""
    text = """
powderkeg: 1
name: pairs
start: 2020-01-01
actors: {north: {}, south: {}, east: {}}
acts: {threaten: {tone: hostile}}
profiles: {louder: {steps: {2020-01-01: 1, 2021-01-01: 3}}, quieter: {steps: {2020-01-01: 1, 2021-01-01: 0.5}}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.2 per day, varies: quieter,
    times: {north: {south: 2.5}}, follows: {south: {north: louder}}}
"""
    model = compile(loads(text))
    at = {(c.source, c.target): k for k, c in enumerate(model.channels)}
    assert model.system.rate[at["north", "south"]] == 0.2 * 2.5
    assert model.system.rate[at["south", "north"]] == 0.2
    assert model.scenario is not None
    assert model.system.profile[at["south", "north"]] == 0
    assert model.system.profile[at["north", "south"]] == 1
    other = edit_scenario(model.scenario, {"moves.threats.times.north.south": 4, "moves.threats.rate": "0.1 per day"})
    values = {"moves.threats.times.north.south": 4.0, "moves.threats.rate": 0.1}
    assert (filled(model, values).rate == compile(other).system.rate).all()
    with pytest.raises(ModelError, match="no pair of this move"):
        compile(loads(text.replace("who: any", "who: [north, east]")))


def test_calms_add_to_one_level_and_lower_the_others(small: Model) -> None:
    system = small.system
    np.testing.assert_allclose(system.calm_decay, [np.log(2) / 10])
    assert np.flatnonzero(np.diff(system.calm_add_start)).tolist() == [2]
    assert np.flatnonzero(np.diff(system.calm_low_start)).tolist() == [1, 3, 4, 5, 6, 7, 8]
    assert set(system.calm_low_strength.tolist()) == {0.7}
    assert system.calm_add_amount.tolist() == [1]


def test_marks_for_standoffs_follow_acts_and_moves(small: Model) -> None:
    assert small.heat.tolist() == [2, 2, 0, *[1] * 6, 0, 0, 0]
    assert small.hurts.tolist() == [0, 1, *[0] * 10]
    assert small.goldstein[1] == -7.5
    assert np.isnan(small.goldstein[0])
    assert small.counted.tolist() == [True] * 5 + [False] * 7
    assert np.flatnonzero(small.opens).tolist() == [0]
    assert np.flatnonzero(small.suspends).tolist() == [2]
    assert not small.resolves.any()


def test_every_parameter_is_an_editable_value_and_stands_where_it_says(small: Model) -> None:
    known = paths(small.scenario)
    for parameter in small.parameters:
        assert float(known[parameter.path]) == parameter.value
    system, value = small.system, np.array([parameter.value for parameter in small.parameters])
    has_rate = small.rate_parameter >= 0
    np.testing.assert_array_equal(system.rate[has_rate], value[small.rate_parameter[has_rate]])
    np.testing.assert_array_equal(system.edge_mass, value[small.edge_parameter] * small.edge_weight)
    np.testing.assert_allclose(system.kernel_decay, np.log(2) / value[small.kernel_parameter])
    is_gate = small.factor_parameter >= 0
    np.testing.assert_array_equal(system.level_factor[is_gate], value[small.factor_parameter[is_gate]])
    assert [small.parameters[p].path for p in small.factor_parameter[is_gate]] == [
        "gates.deters.factor", "gates.tense.factor"
    ]  # fmt: skip
    answers = next(one for one in small.parameters if one.path == "mechanisms.retaliation.answers")
    assert (answers.low, answers.high, answers.kind) == (0.2, 0.5, "answers")


def test_gate_rows_are_stored_once(small: Model) -> None:
    system = small.system
    rows = [
        tuple(
            zip(
                system.entry_fact[a:b].tolist(), system.entry_offset[a:b].tolist(), strict=True
            )
        )
        for a, b in itertools.pairwise(system.row_start)
    ]  # fmt: skip
    assert rows[0] == ()
    assert len(set(rows)) == len(rows)


def test_states_are_named_and_found_by_name(small: Model) -> None:
    assert small.facts == ("measure", "roadblock", "posture", "tension", "serbia_north", "west_kosovo")
    levels = small.levels_of({"posture": "clear", "west_kosovo": "holds"})
    assert small.state_names(levels) == {
        "measure": "off", "roadblock": "off", "posture": "clear", "tension": "off", "west_kosovo": "holds"
    }  # fmt: skip
    np.testing.assert_array_equal(small.levels_of(levels), levels)
    with pytest.raises(UsageError, match="nearest: 'posture'"):
        small.levels_of({"postur": "clear"})
    with pytest.raises(UsageError, match="one of guard, mixed, clear"):
        small.levels_of({"posture": "open"})
    with pytest.raises(UsageError, match="nearest: 'serbia threaten kosovo'"):
        small.channel("serbia", "threatens", "kosovo")


def test_an_answering_actor_splits_its_answers_over_the_acts_that_fit(small: Model) -> None:
    """z may threaten x by one act only, but "z threatens w" fits several: together they get what z gives."""
    scenario = loads(
        SMALL.replace("then: z threatens x", "then: z threatens w").replace("given: z backs y", "given: z backs y")
    )
    model = compile(scenario)
    system, of = model.system, model.channel("kosovo", "threaten", "north")
    entrapment = [k for k in range(system.edge_start[of], system.edge_start[of + 1]) if system.edge_mechanism[k] == 1]
    # serbia backs north; w is neither kosovo nor north nor serbia, and nobody can threaten west: nothing
    assert entrapment == []
    of = model.channel("west", "threaten", "north")
    targets = {
        str(model.channels[system.edge_target[k]]): float(system.edge_mass[k])
        for k in range(system.edge_start[of], system.edge_start[of + 1])
        if system.edge_mechanism[k] == 1
    }
    assert targets == {"serbia threaten kosovo": pytest.approx(0.2)}


# --- the same, read slowly


def standing_for(word: str, letters: dict[str, str], scenario: Scenario) -> list[str]:
    """The actors a word of a pattern stands for, given the letters."""
    if word in letters:
        return [letters[word]]
    return [name for name, actor in scenario.actors.items() if name == word or word in actor.classes]


def tied(pattern: TiePattern, letters: dict[str, str], scenario: Scenario, state: dict[str, bool]) -> bool:
    """True if a tie that holds in this state fits the pattern."""
    for name, tie in scenario.ties.items():
        orders = [(tie.from_, tie.to)] + [(tie.to, tie.from_)] * (tie.kind in ("alliance", "rivalry"))
        if tie.kind == pattern.kind and state[name]:
            for first, second in orders:
                if first in standing_for(pattern.subject, letters, scenario) and second in standing_for(
                    pattern.object, letters, scenario
                ):
                    return True
    return False


def slow_masses(model: Model, index: int, state: dict[str, bool]) -> dict[tuple[int, int], float]:
    """Mass of one mechanism from channel to channel, every assignment of letters tried in turn."""
    scenario = model.scenario
    assert scenario is not None
    mechanism = list(scenario.mechanisms.values())[index]
    acts = list(enumerate(model.channels[: model.n_acts]))
    used = {word for p in (*mechanism.when, *(a.pattern for a in mechanism.then)) for word in (p.subject, p.object)}
    used |= {word for tie in mechanism.given for word in (tie.subject, tie.object)}
    letters = sorted(used & {"x", "y", "z", "w"})
    assignments = [
        dict(zip(letters, actors, strict=True)) for actors in itertools.permutations(scenario.actors, len(letters))
    ]
    every_state = [
        dict(zip(scenario.ties, on, strict=True)) for on in itertools.product((True, False), repeat=len(scenario.ties))
    ]
    if not mechanism.given:
        every_state = [state]
    total: dict[tuple[int, int], float] = {}
    for reply, share in mechanism.then:
        declared: dict[int, set[int]] = {}
        now: dict[int, set[int]] = {}
        for event in mechanism.when:
            for bound in assignments:
                possible = any(
                    all(tied(p, bound, scenario, other) == p.holds for p in mechanism.given) for other in every_state
                )
                holds = all(tied(p, bound, scenario, state) == p.holds for p in mechanism.given)
                if not possible:
                    continue
                fits = [
                    (c, d)
                    for c, one in acts
                    if one.act == event.act
                    and one.source in standing_for(event.subject, bound, scenario)
                    and one.target in standing_for(event.object, bound, scenario)
                    for d, other in acts
                    if other.act == reply.act
                    and other.source in standing_for(reply.subject, bound, scenario)
                    and other.target in standing_for(reply.object, bound, scenario)
                ]
                for c, d in fits:
                    declared.setdefault(c, set()).add(d)
                    if holds:
                        now.setdefault(c, set()).add(d)
        for c, answering in now.items():
            for d in answering:
                rivals = [e for e in declared[c] if model.channels[e].source == model.channels[d].source]
                mass = float(mechanism.answers) * float(share) / len(rivals)
                total[c, d] = total.get((c, d), 0.0) + mass
    return total


def fast_masses(model: Model, index: int, state: dict[str, bool]) -> dict[tuple[int, int], float]:
    """The same from the arrays."""
    system = model.system
    levels = model.levels_of({name: "holds" if on else "absent" for name, on in state.items()})
    open_now = row_values(system, levels)
    total: dict[tuple[int, int], float] = {}
    for k, source in enumerate(edge_sources(system)):
        mass = system.edge_mass[k] * open_now[system.edge_gate[k]]
        if system.edge_mechanism[k] == index and mass > 0:
            pair = int(source), int(system.edge_target[k])
            total[pair] = total.get(pair, 0.0) + float(mass)
    return total


ACTORS = ("a", "b", "c", "d")
WORDS = st.sampled_from(("x", "y", "z", "w", "a", "b", "big"))
KINDS = st.sampled_from(("patronage", "alliance"))


@st.composite
def patterned(draw: st.DrawFn) -> Scenario:
    """Four actors, some of them big, some ties, two acts, one or two mechanisms over random patterns."""
    ties = {
        f"t{index}": Tie(draw(KINDS), *draw(st.permutations(ACTORS))[:2], holds=draw(st.booleans()))
        for index in range(draw(st.integers(0, 4)))
    }
    who = st.sampled_from((("any",), ("big",), ("a", "b"), ("c", "big")))
    moves = {
        f"m{index}": Move(who=draw(who), does=act, to=draw(who), rate=Q(0.1))
        for index, act in enumerate(("hit", "say"))
    }

    def pattern() -> Pattern:
        subject, target = draw(st.lists(WORDS, min_size=2, max_size=2, unique=True))
        return Pattern(subject, draw(st.sampled_from(("hit", "say"))), target)

    mechanisms = {}
    for index in range(draw(st.integers(1, 2))):
        when = tuple(dict.fromkeys(pattern() for _ in range(draw(st.integers(1, 2)))))
        then = tuple(dict.fromkeys(pattern() for _ in range(draw(st.integers(1, 2)))))
        bound = {word for p in (*when, *then) for word in (p.subject, p.object)}
        given_ties = []
        for _ in range(draw(st.integers(0, 2))):
            subject, target = draw(st.lists(WORDS, min_size=2, max_size=2, unique=True))
            holds = draw(st.booleans()) or not {subject, target} & {"x", "y", "z", "w"} <= bound
            given_ties.append(TiePattern(subject, draw(KINDS), target, holds))
        mechanisms[f"k{index}"] = Mechanism(
            when=when,
            then=tuple(AnswerShare(p, Q(1 / len(then))) for p in then),
            answers=Q(0.5),
            half_lives=(HalfLife(Q(3.0), Q(1.0)),),
            given=tuple(given_ties),
        )
    return Scenario(
        powderkeg=1,
        name="patterned",
        start=date(2000, 1, 1),
        actors={name: Actor(classes=("big",) if draw(st.booleans()) or name == "a" else ()) for name in ACTORS},
        ties=ties,
        acts={"hit": Act(tone="hostile"), "say": Act(tone="neutral")},
        moves=moves,
        mechanisms=mechanisms,
    )


@settings(max_examples=100, deadline=None)
@given(patterned(), st.lists(st.booleans(), min_size=4, max_size=4))
def test_masses_agree_with_patterns_read_actor_by_actor(scenario: Scenario, on: list[bool]) -> None:
    """In every state of the ties, whatever the letters, names, classes and absences a mechanism asks for."""
    try:
        model = compile(scenario)
    except ModelError:
        return  # nothing fits: said, and tested below
    state = dict(zip(scenario.ties, on, strict=False))
    for index in range(len(scenario.mechanisms)):
        assert fast_masses(model, index, state) == pytest.approx(slow_masses(model, index, state))


@settings(max_examples=60, deadline=None)
@given(patterned())
def test_channels_are_those_that_the_scenario_lists(scenario: Scenario) -> None:
    try:
        model = compile(dataclasses.replace(scenario, mechanisms={}))
    except ModelError:
        assert any(not pairs for pairs in _pairs_by_move(scenario).values())
        return
    assert [(one.source, one.act, one.target, one.move) for one in model.channels] == in_order(scenario)


def in_order(scenario: Scenario) -> list[tuple[str, str, str, str]]:
    """The channels as the scenario module lists them, in order of moves, then of actors as they stand in the file."""
    actors, moves = list(scenario.actors), list(scenario.moves)
    return sorted(
        ((one.actor, one.act, one.target, one.move) for one in expand_moves(scenario)),
        key=lambda one: (moves.index(one[3]), actors.index(one[0]), actors.index(one[2])),
    )


def _pairs_by_move(scenario: Scenario) -> dict[str, list[object]]:
    listed = expand_moves(scenario)
    return {name: [one for one in listed if one.move == name] for name in scenario.moves}


def test_built_in_scenarios_compile_and_list_the_same_channels() -> None:
    for name in names():
        scenario = load_scenario(name)
        model = compile(scenario)
        acts = model.channels[: model.n_acts]
        assert [(one.source, one.act, one.target, one.move) for one in acts] == in_order(scenario)
        known = paths(scenario)
        assert all(float(known[one.path]) == one.value for one in model.parameters)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.frozensets(st.tuples(st.integers(0, 3), st.booleans()), max_size=3), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_disjoint_terms_say_the_same_and_never_two_at_once(
    terms: list[frozenset[tuple[int, bool]]], on: list[bool]
) -> None:
    possible = [term for term in terms if not any((fact, not wanted) in term for fact, wanted in term)]
    apart = disjoint(possible)
    hold = [all(on[fact] == wanted for fact, wanted in term) for term in apart]
    assert sum(hold) == any(all(on[fact] == wanted for fact, wanted in term) for term in possible)


# --- faults


def broken(**changes: object) -> str:
    """The message that SMALL gives with some moves or mechanisms changed."""
    scenario = loads(SMALL)
    for section, item in changes.items():
        scenario = dataclasses.replace(scenario, **{section: item})
    with pytest.raises(ModelError) as caught:
        compile(scenario)
    return str(caught.value)


def changed(section: str, name: str, **fields: object) -> dict[str, object]:
    items = dict(getattr(loads(SMALL), section))
    items[name] = dataclasses.replace(items[name], **fields)
    return items


def test_a_scenario_without_moves_is_refused() -> None:
    assert "moves: no moves: nothing can happen" in broken(moves={})


def test_a_move_that_fits_no_two_actors_is_named() -> None:
    said = broken(moves=changed("moves", "blocks", given=(TiePattern("who", "recognition", "to"),)))
    assert "moves.blocks: fits no two actors" in said


def test_a_mechanism_that_links_nothing_says_why() -> None:
    nowhere = (TiePattern("z", "recognition", "y"),)
    assert "mechanisms.entrapment.given: no tie says that z recognizes y" in broken(
        mechanisms=changed("mechanisms", "entrapment", given=nowhere)
    )
    assert "mechanisms.retaliation.when: no move makes serbia blocks x possible" in broken(
        mechanisms=changed("mechanisms", "retaliation", when=(Pattern("serbia", "block", "x"),))
    )
    apart = (AnswerShare(Pattern("y", "impose", "x"), Q(1.0)),)
    assert "mechanisms.entrapment: links nothing: no acts fit all its patterns together" in broken(
        mechanisms=changed("mechanisms", "entrapment", then=apart, when=(Pattern("x", "impose", "y"),), given=())
    )


def test_an_absent_tie_of_nobody_is_refused() -> None:
    """In "y threatens x" there is no z whose tie could be absent; "nobody backs y" and "someone does not" differ."""
    then = (AnswerShare(Pattern("y", "threaten", "x"), Q(0.5)), AnswerShare(Pattern("z", "threaten", "x"), Q(0.5)))
    given_tie = (TiePattern("z", "patronage", "y", False),)
    said = broken(mechanisms=changed("mechanisms", "entrapment", then=then, given=given_tie))
    assert "mechanisms.entrapment.given: z is nobody when x threatens y and y threatens x" in said


def test_all_faults_come_at_once_with_their_lines() -> None:
    mechanisms = changed("mechanisms", "entrapment", given=(TiePattern("z", "recognition", "y"),))
    mechanisms["retaliation"] = dataclasses.replace(mechanisms["retaliation"], when=(Pattern("west", "block", "x"),))
    with pytest.raises(ModelError) as caught:
        compile(dataclasses.replace(loads(SMALL), mechanisms=mechanisms))
    assert len(caught.value.faults) == 2
    assert all(fault.line is not None for fault in caught.value.faults)


def test_a_channel_made_twice_names_both_moves() -> None:
    moves = dict(loads(SMALL).moves)
    moves["again"] = Move(who=("north",), does="block", to=("kosovo",))
    said = broken(moves=moves)
    assert "moves.again: north block kosovo, which moves.blocks makes possible too" in said


def test_two_ties_that_would_each_allow_an_act_are_refused() -> None:
    """A channel's gate is a product and cannot say "or"; an edge can be two edges, a channel not two channels."""
    ties = {**loads(SMALL).ties, "second": Tie("patronage", "serbia", "north")}
    moves = changed("moves", "threats", given=(TiePattern("who", "patronage", "to"),))
    assert "several ways to allow serbia and north (second, serbia_north)" in broken(
        ties=ties, moves=moves, mechanisms={}
    )


def test_patterns_that_match_millions_of_times_are_refused_before_memory_is() -> None:
    actors = {f"a{index}": Actor() for index in range(2_500)}
    scenario = dataclasses.replace(
        loads(SMALL), actors=actors, ties={}, facts={}, gates={}, calms={}, mechanisms={}, profiles={},
        moves={"m": Move(who=("any",), does="threaten", to=("any",), rate=Q(1.0))},
        standoffs=dataclasses.replace(loads(SMALL).standoffs, among=(), opened_by=(), suspended_by=()),
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"moves.m: 6,250,000 matches"):
        compile(scenario)


# --- size


def crowd(n_actors: int) -> Scenario:
    """Actors who each contest one other and back one other: five channels and sixteen edges an actor."""
    rng = np.random.default_rng(1)
    ties = {}
    for kind in ("rivalry", "patronage"):
        order = rng.permutation(n_actors)
        for index in range(n_actors):
            one, other = order[index], order[(index + 1) % n_actors]
            ties[f"{kind}_{index}"] = Tie(kind, f"a{one}", f"a{other}")
    contest, back = TiePattern("who", "rivalry", "to"), TiePattern("who", "patronage", "to")
    threat, block = Pattern("x", "threaten", "y"), Pattern("x", "block", "y")
    half_life = (HalfLife(Q(3.0), Q(1.0)),)
    return Scenario(
        powderkeg=1,
        name="crowd",
        start=date(2000, 1, 1),
        actors={f"a{index}": Actor(classes=(f"c{index % 50}",)) for index in range(n_actors)},
        ties=ties,
        facts={"road": Fact(lasts=Q(20.0))},
        acts={act: Act(tone="hostile", heat=1.0) for act in ("threaten", "block", "help")},
        moves={
            "threats": Move(who=("any",), does="threaten", to=("any",), rate=Q(0.001), given=(contest,)),
            "blocks": Move(who=("any",), does="block", to=("any",), rate=Q(0.001), given=(contest,)),
            "helps": Move(who=("any",), does="help", to=("any",), rate=Q(0.001), given=(back,)),
        },
        mechanisms={
            "retaliation": Mechanism(
                when=(threat, block),
                then=(
                    AnswerShare(Pattern("y", "threaten", "x"), Q(0.5)),
                    AnswerShare(Pattern("y", "block", "x"), Q(0.5)),
                ),
                answers=Q(0.3),
                half_lives=half_life,
            ),
            "support": Mechanism(
                when=(threat,),
                given=(TiePattern("z", "patronage", "y"),),
                then=(AnswerShare(Pattern("z", "help", "y"), Q(1.0)),),
                answers=Q(0.3),
                half_lives=half_life,
            ),
        },
        gates={"g": Gate(while_=Condition("road"), factor=Q(1.5), mechanisms=("retaliation",))},
    )


def test_work_follows_channels_and_matches_not_pairs_of_actors() -> None:
    """4,000 actors are 16 million pairs; the model has 20,000 channels and is made in about a second."""
    model = compile(crowd(4_000))
    assert model.n_acts == 5 * 4_000
    assert model.system.n_edges >= 2 * 2 * 2 * 4_000
    assert model.system.n_facts == 1 + 2 * 4_000


@pytest.mark.nightly
def test_twenty_thousand_actors_compile_in_seconds() -> None:
    model = compile(crowd(20_000))
    assert model.n_acts == 100_000


# --- bare arrays


def test_bare_arrays_become_a_model_with_the_same_matrix() -> None:
    excitation = np.array([[0.5, 0.2, 0.0], [0.0, 0.4, 0.1], [0.3, 0.0, 0.0]])
    model = from_arrays([1.0, 2.0, 0.5], excitation, 1.5, names=["a", "b", "c"])
    system = model.system
    dense = np.zeros((3, 3))
    dense[edge_sources(system), system.edge_target] = system.edge_mass
    np.testing.assert_array_equal(dense, excitation)
    assert system.kernel_decay.tolist() == [1.5]
    assert [str(channel) for channel in model.channels] == ["a", "b", "c"]
    assert model.n_acts == 3


def test_bare_arrays_take_several_decays_in_three_ways() -> None:
    masses = np.array([[0.5, 0.2], [0.0, 0.4]])
    mixed = from_arrays([1, 1], masses, [0.1, 2.0], share=[0.3, 0.7]).system
    assert (mixed.kernel_start.tolist(), mixed.kernel_share.tolist()) == ([0, 2], [0.3, 0.7])
    stacked = from_arrays([1, 1], [masses, masses.T], [0.1, 2.0]).system
    assert stacked.n_mechanisms == 2
    assert stacked.n_edges == 6
    paired = from_arrays([1, 1], masses, [[1.0, 2.0], [9.0, 1.0]]).system
    assert paired.kernel_decay.tolist() == [1.0, 2.0]
    assert paired.edge_mechanism.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([], [[]], 1.0), "no channels"),
        (([1.0], [[-0.1]], 1.0), "excitation holds -0.1"),
        (([1.0], [[np.nan]], 1.0), "excitation holds nan"),
        (([-1.0], [[0.1]], 1.0), "rate holds -1"),
        (([1.0], [[0.1]], 0.0), "decay 0"),
        (([1.0, 1.0], [[0.1]], 1.0), "expected (2, 2)"),
        (([1.0], [[0.1]], [1.0, 2.0]), "expected one decay, or one for each"),
    ],
)
def test_bare_arrays_that_make_no_sense_are_refused(arguments: tuple[object, object, object], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        from_arrays(*arguments)
    assert said in str(caught.value)


def test_compiling_does_not_touch_the_scenario(small: Model) -> None:
    assert small.scenario == loads(SMALL)
    again = compile(loads(SMALL))
    for one, other in zip(small.system, again.system, strict=True):
        np.testing.assert_array_equal(one, other)


def test_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = [text for language, text in blocks("model") if language == "python"]
    assert len(examples) == 3
    for example in examples:
        exec(builtins.compile(example, "docs/model.md", "exec"), {})
    assert "HOW NEAR THE BRINK" in capsys.readouterr().out
