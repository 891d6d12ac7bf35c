"""`scenario`: edits by key path, and which acts patterns match."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from powderkeg.errors import ScenarioError, UsageError
from powderkeg.reading import Quantity
from powderkeg.scenario import (
    FactEffect,
    HalfLife,
    Pattern,
    Scenario,
    TiePattern,
    digest,
    dump,
    edit,
    expand_moves,
    load,
    loads,
)
from powderkeg.scenario import checks as checks_module
from powderkeg.scenario.matching import Cast, GaveUp, matches

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = CHECKOUT / "tests" / "scenarios"
GOOD = sorted((FILES / "good").glob("*.yaml"))
HEAD = "powderkeg: 1\nname: test\nstart: 2020-01-01\n"
NORTH = load(FILES / "good" / "north.yaml")


def stem(path: Path) -> str:
    return path.stem


def faults_of(text: str | bytes) -> str:
    """What is wrong with a text, as the user sees it."""
    with pytest.raises(ScenarioError) as caught:
        loads(text, file="f.yaml")
    return str(caught.value)


# --- edits


def test_edits_are_read_as_in_the_file_and_leave_the_original_alone():
    before = digest(NORTH)
    changed = edit(
        NORTH,
        {
            "mechanisms.retaliation.half_life": "1 week",
            "mechanisms.retaliation.answers": "0.5 [0.3, 0.6]",
            "gates.presence_deters.factor": "20 %",
            "ties.kfor_presence.holds": "false",
            "facts.kfor_posture.starts": "clear",
            "moves.imposes.rate": {"value": "2 per year", "source": "record"},
            "start": "2011-07-20",
            "years": "5",
            "standoffs.memory": "10 days",
        },
    )
    assert changed.mechanisms["retaliation"].half_lives == (HalfLife(Quantity(7.0), Quantity(1.0)),)
    assert changed.mechanisms["retaliation"].answers == Quantity(0.5, 0.3, 0.6)
    assert float(changed.gates["presence_deters"].factor) == 0.2
    assert changed.ties["kfor_presence"].holds is False
    assert changed.facts["kfor_posture"].starts == "clear"
    assert changed.moves["imposes"].rate == Quantity(2 / 365.25, source="record")
    assert changed.start.isoformat() == "2011-07-20"
    assert digest(NORTH) == before


def test_a_number_is_taken_in_the_unit_used_inside():
    changed = edit(NORTH, {"mechanisms.retaliation.half_life": 10.0, "moves.imposes.rate": 0.25})
    assert float(changed.mechanisms["retaliation"].half_lives[0].days) == 10.0
    assert float(changed.moves["imposes"].rate) == 0.25


def test_a_value_set_by_hand_has_no_source_and_is_no_guess():
    scenario = load(FILES / "good" / "sources.yaml")
    assert scenario.moves["often"].rate.guess
    changed = edit(scenario, {"moves.often.rate": "12 per year"})
    assert changed.moves["often"].rate == Quantity(12 / 365.25)
    assert loads(dump(changed)) == changed


def test_edits_that_only_fit_together_are_made_together():
    changed = edit(NORTH, {"standoffs.opens_at": 1.5, "standoffs.closes_at": 0.5})
    assert (float(changed.standoffs.opens_at), float(changed.standoffs.closes_at)) == (1.5, 0.5)
    with pytest.raises(ScenarioError) as caught:
        edit(NORTH, {"standoffs.opens_at": 1.5, "standoffs.memory": 3.0})
    assert str(caught.value).startswith("standoffs.opens_at: 2, not below opens_at")


def test_a_share_that_is_edited_leaves_the_rest_to_the_others():
    scenario = load(FILES / "good" / "mechanisms.yaml")
    changed = edit(scenario, {"mechanisms.two_with_shares.then.north blocks south": 0.9})
    assert [answer.share.value for answer in changed.mechanisms["two_with_shares"].then] == pytest.approx([0.9, 0.1])
    changed = edit(scenario, {"mechanisms.several_triggers.half_lives.2.share": 0.5})
    assert [half_life.share.value for half_life in changed.mechanisms["several_triggers"].half_lives] == [0.5, 0.5]
    changed = edit(scenario, {"mechanisms.several_triggers.half_lives.2": "30 days"})
    assert changed.mechanisms["several_triggers"].half_lives[1].days == Quantity(30.0)


def test_the_level_of_an_effect_may_be_left_out_of_its_path():
    changed = edit(NORTH, {"moves.blocks.sets.roadblock": "40 %"})
    assert changed.moves["blocks"].effects == (FactEffect("roadblock", "on", Quantity(0.4)),)


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("mechanisms.retaliation.answer", "mechanisms.retaliation.answers"),
        ("mechanisms.retalation.answers", "mechanisms.retaliation.answers"),
        ("ties.kfor_presence", "ties.kfor_presence.holds"),
        ("retaliation", None),
        ("", None),
        ("moves.blocks.who", None),
    ],
)
def test_an_unknown_path_is_a_usage_error_with_the_nearest(path: str, nearest: str | None):
    with pytest.raises(UsageError) as caught:
        edit(NORTH, {path: "1"})
    fault = caught.value.faults[0]
    assert fault.found == "unknown key path"
    assert "NAME is one of" in fault.expected or fault.expected == nearest
    if nearest is not None:
        assert fault.nearest == nearest


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("mechanisms.retaliation.half_life", "3", "3 without a unit"),
        ("mechanisms.retaliation.half_life", -3.0, "-3 days"),
        ("mechanisms.retaliation.half_life", float("nan"), "nan days: too large a number"),
        ("mechanisms.retaliation.half_life", None, "nothing"),
        ("mechanisms.retaliation.half_life", [1, 2], "a list"),
        ("mechanisms.retaliation.answers", "", "nothing"),
        ("mechanisms.retaliation.answers", "0.5 [0.6, 0.7]", "0.5 [0.6, 0.7], a value outside its range"),
        ("mechanisms.retaliation.answers", {"value": 0.5, "source": "nobody"}, "unknown source 'nobody'"),
        ("ties.kfor_presence.holds", "absent", "'absent'"),
        ("facts.kfor_posture.starts", "cleer", "unknown level 'cleer'"),
        ("start", "yesterday", "'yesterday'"),
    ],
)
def test_a_value_that_does_not_fit_is_a_scenario_error(path: str, value: Any, found: str):
    with pytest.raises(ScenarioError) as caught:
        edit(NORTH, {path: value})
    assert (caught.value.faults[0].path, caught.value.faults[0].found) == (path, found)


def test_interventions_hold_settings_that_edit_takes_as_they_are():
    scenario = load(FILES / "good" / "interventions.yaml")
    settings_of = scenario.interventions["many"].set
    assert settings_of["facts.roadblock.lasts"] == "10 [5, 20] days"
    changed = edit(scenario, settings_of)
    assert changed.facts["roadblock"].lasts == Quantity(10.0, 5.0, 20.0)
    assert changed.moves["clears"].effects[0].probability == Quantity(1.0)
    withdrawn = edit(scenario, scenario.interventions["withdraw"].set)
    assert withdrawn.ties["presence"].holds is False


# --- channels and matches


def test_moves_expand_to_channels_in_order():
    scenario = load(FILES / "good" / "ties.yaml")
    channels = expand_moves(scenario)
    assert channels[:2] == [("south", "threaten", "north", "rivals"), ("north", "threaten", "south", "rivals")]
    assert ("patron", "warn", "south", "warnings") in channels, "a tie that must not hold limits nothing by itself"
    assert len(channels) == len({channel[:3] for channel in channels}) == 2 + 8 + 1
    classes = expand_moves(load(FILES / "good" / "classes.yaml"))
    assert sum(channel.move == "states" for channel in classes) == 3 * 2
    assert sum(channel.move == "mixed" for channel in classes) == 1


def slow_matches(scenario: Scenario, when: Pattern, then: Pattern, ties: tuple[TiePattern, ...]) -> set[frozenset]:
    """Every assignment of letters to actors, tried one by one."""

    cast = Cast(scenario)
    channels = {channel[:3] for channel in expand_moves(scenario)}
    letters = sorted({end for p in (when, then, *ties) for end in (p[0], p[2]) if end in ("x", "y", "z", "w")})
    found = set()
    for chosen in itertools.permutations(scenario.actors, len(letters)):
        bound = dict(zip(letters, chosen, strict=True))

        def ends(end: str) -> list[str]:
            return [bound[end]] if end in bound else list(cast.members[end])  # noqa: B023

        acts = all(
            any((a, pattern.act, b) in channels for a in ends(pattern.subject) for b in ends(pattern.object))
            for pattern in (when, then)
        )
        tied = all(
            any((a, b) in cast.ties.get(tie.kind, {}) for a in ends(tie.subject) for b in ends(tie.object))
            for tie in ties
        )
        if acts and tied:
            found.add(frozenset(bound.items()))
    return found


@pytest.mark.parametrize("path", [p for p in GOOD if load(p).mechanisms], ids=stem)
def test_matches_are_those_found_by_trying_everything(path: Path):
    scenario = load(path)
    for mechanism in scenario.mechanisms.values():
        ties = tuple(tie for tie in mechanism.given if tie.holds)
        for when in mechanism.when:
            for answer in mechanism.then:
                found = {frozenset(m.items()) for m in matches(Cast(scenario), when, answer.pattern, ties)}
                assert found == slow_matches(scenario, when, answer.pattern, ties)


def test_matching_follows_ties_however_many_actors_there_are():
    """5,000 actors in a chain, everybody may threaten everybody: 25 million channels, 10,000 matches."""
    actors = "".join(f"  a{i}:\n" for i in range(5_000))
    ties = "".join(f"  t{i}: {{kind: patronage, from: a{i}, to: a{i + 1}}}\n" for i in range(4_999))
    text = (
        f"{HEAD}actors:\n{actors}ties:\n{ties}acts: {{threaten: {{tone: hostile}}}}\n"
        "moves:\n  all: {who: any, does: threaten, to: any}\n"
        "mechanisms:\n  chain: {when: x threatens y, given: [z backs y, y backs x], then: z threatens x, "
        "answers: 0.1, half_life: 1 day}\n"
    )
    scenario = loads(text)
    cast = Cast(scenario, most_steps=50_000)
    mechanism = scenario.mechanisms["chain"]
    assert sum(1 for _ in matches(cast, mechanism.when[0], mechanism.then[0].pattern, mechanism.given)) == 4_998


BACKED = "{who: any, does: threaten, to: any, given: who backs to}"


@pytest.mark.parametrize(
    ("first", "second", "pair"),
    [
        ("{who: any, does: threaten, to: any}", "{who: a1, does: threaten, to: a2}", "a1 threatens a2"),
        ("{who: a1, does: threaten, to: a2}", "{who: any, does: threaten, to: any}", "a1 threatens a2"),
        ("{who: any, does: threaten, to: any}", "{who: odd, does: threaten, to: any}", "a1 threatens a0"),
        ("{who: any, does: threaten, to: a7}", "{who: any, does: threaten, to: a7}", "a0 threatens a7"),
        ("{who: odd, does: threaten, to: any}", "{who: even, does: threaten, to: any}", None),
        ("{who: a1, does: threaten, to: a2}", "{who: a2, does: threaten, to: a1}", None),
        (
            "{who: any, does: threaten, to: any, given: who backs to}",
            "{who: a0, does: threaten, to: any}",
            "a0 threatens a1",
        ),
        ("{who: any, does: threaten, to: any, given: who backs to}", "{who: odd, does: threaten, to: any}", None),
    ],
)
def test_a_channel_defined_twice_is_found_among_few_and_many(first: str, second: str, pair: str | None):
    """Moves of more than 1,000 pairs are compared without a list of their pairs."""
    actors = "".join(f"  a{i}: {{is: {'odd' if i % 2 else 'even'}}}\n" for i in range(60))
    text = (
        f"{HEAD}actors:\n{actors}ties: {{t: {{kind: patronage, from: a0, to: a1}}}}\n"
        f"acts: {{threaten: {{tone: hostile}}}}\nmoves:\n  first: {first}\n  second: {second}\n"
    )
    if pair is None:
        assert len(loads(text).moves) == 2
    else:
        with pytest.raises(ScenarioError) as caught:
            loads(text)
        assert [fault.found for fault in caught.value.faults] == [f"'{pair}' is already defined by moves.first"]


EVERY_PAIR = set(itertools.permutations(["north", "south", "patron"], 2))


@pytest.mark.parametrize(
    ("given_tie", "pairs"),
    [
        ("who backs to", {("patron", "north")}),
        ("to backs who", {("north", "patron")}),
        ("patron backs who", {("north", "south"), ("north", "patron")}),
        ("who backs north", {("patron", "north"), ("patron", "south")}),
        (
            "patron backs north",
            EVERY_PAIR,
        ),
        (
            "to does not back who",
            EVERY_PAIR,
        ),
    ],
)
def test_ties_limit_the_pairs_of_a_move(given_tie: str, pairs: set[tuple[str, str]]):
    text = (
        f"{HEAD}actors: {{north: , south: , patron: }}\nties: {{t: {{kind: patronage, from: patron, to: north}}}}\n"
        "acts: {threaten: {tone: hostile}}\n"
        f"moves: {{m: {{who: any, does: threaten, to: any, given: {given_tie}}}}}\n"
    )
    assert {(channel.actor, channel.target) for channel in expand_moves(loads(text))} == pairs


def test_a_share_cannot_take_everything():
    scenario = load(FILES / "good" / "mechanisms.yaml")
    with pytest.raises(ScenarioError, match="leaves nothing for the others"):
        edit(scenario, {"mechanisms.two_with_shares.then.north blocks south": "100 %"})


def test_a_search_without_end_is_given_up_and_says_nothing():
    scenario = load(FILES / "good" / "classes.yaml")
    with pytest.raises(GaveUp):
        list(matches(Cast(scenario, most_steps=3), Pattern("x", "threaten", "y"), Pattern("w", "threaten", "z")))


def test_a_file_too_large_to_check_is_loaded(monkeypatch: pytest.MonkeyPatch):
    """What cannot be checked in time is left to the model; the planted error shows that the check is what finds it."""
    text = (FILES / "bad" / "pattern_never_possible.yaml").read_text(encoding="utf-8")
    monkeypatch.setattr(checks_module, "MOST_STEPS", 0)
    assert loads(text).mechanisms
    monkeypatch.undo()
    assert "which no move makes possible" in faults_of(text)


def test_an_intervention_begins_on_a_date_counted_from_the_start():
    text = (
        "powderkeg: 1\nname: dated\nstart: 2020-01-01\nactors: {a: , b: }\nfacts: {war: }\n"
        "acts: {hit: {tone: hostile}}\n"
        "moves: {hits: {who: a, does: hit, to: b, rate: 3 per decade}}\n"
        "interventions: {late: {at: 2020-03-01, until: 2021-01-01, set: {facts.war.starts: on}, "
        "do: [{who: a, does: hit, to: b, at: 2020-01-31}]}}\n"
    )
    scenario = loads(text)
    late = scenario.interventions["late"]
    assert (float(late.at), float(late.until or 0), float(late.do[0].at)) == (60.0, 366.0, 30.0)
    assert float(scenario.moves["hits"].rate) == pytest.approx(0.3 / 365.25, rel=1e-12)
    assert loads(dump(scenario)) == scenario
    moved = edit(scenario, {"interventions.late.until": "2022-01-01"})
    assert float(moved.interventions["late"].until or 0) == 731.0


@pytest.mark.parametrize(
    ("path", "meant"),
    [("facts.roadblock", "facts.roadblock.starts"), ("ties.kfor_presence", "ties.kfor_presence.holds")],
)
def test_a_fact_or_tie_as_such_is_answered_with_how_it_stands(path: str, meant: str):
    with pytest.raises(UsageError) as caught:
        edit(load("north-kosovo"), {path: "on"})
    assert caught.value.faults[0].nearest == meant


def test_shares_of_one_whole_stand_as_they_were_given_together() -> None:
    """One after the other, each would scale those before it, and none would be what was asked but the last."""
    lives = "half_lives: {1 day: 20 %, 5 days: 30 %, 20 days: 50 %}"
    scenario = loads(
        "powderkeg: 1\nname: shares\nstart: 2018-01-01\nactors: {a: {}, b: {}}\nacts: {threaten: {tone: hostile}}\n"
        "moves: {threats: {who: any, does: threaten, to: any, rate: 0.1 per day}}\n"
        f"mechanisms: {{echo: {{when: x threatens y, then: y threatens x, answers: 0.6, {lives}}}}}\n"
    )

    def shares(changes: dict[int, float]) -> list[float]:
        found = edit(scenario, {f"mechanisms.echo.half_lives.{k}.share": value for k, value in changes.items()})
        return [float(one.share) for one in found.mechanisms["echo"].half_lives]

    assert shares({1: 0.5, 2: 0.25, 3: 0.25}) == pytest.approx([0.5, 0.25, 0.25], abs=1e-12)
    assert shares({3: 0.3, 1: 0.6}) == pytest.approx([0.6, 0.1, 0.3], abs=1e-12)
    assert shares({2: 0.9}) == pytest.approx([0.2 / 7, 0.9, 0.5 / 7])
    for changes in ({1: 0.6, 3: 0.5}, {1: 0.6, 2: 0.3, 3: 0.3}):
        with pytest.raises(ScenarioError, match="cannot be one whole"):
            shares(changes)
