"""What a model means, said back: the whole page of one small scenario, and what must never be missing."""

from __future__ import annotations

import json
from datetime import date

import pytest

from powderkeg.model import compile, describe, from_arrays
from powderkeg.model.wording import effects, estimate, span
from powderkeg.scenario import FactEffect, Quantity, edit, load, loads, names
from powderkeg.wording import bracketed, chance, number, percent, plain, signed, signed_span

SMALL = """
powderkeg: 1
name: brink
title: Two neighbours
about: Threats, road blocks and a patron.
start: 2008-02-17
years: 1
sources:
  book: {title: A book of counts}
actors:
  a: {title: The south}
  b: {title: The north}
  c: {title: The patron, is: [state]}
ties:
  patron: {kind: patronage, from: c, to: b}
  treaty: {kind: alliance, from: c, to: a, holds: false}
facts:
  road: {title: roads are blocked, lasts: "20 [10, 40] days", source: guess}
  mood: {levels: [calm, sour, bitter]}
  unused: {}
acts:
  threaten: {tone: hostile, cameo: "138"}
  block: {tone: hostile, hurts: injury}
  help: {tone: cooperative}
profiles:
  pace: {season: {peak: 1 August, swing: 30 %}}
moves:
  threats: {who: [a, b], does: threaten, to: [a, b], rate: "2 [1, 4] per year", varies: pace, source: guess}
  blocks: {who: b, does: block, to: a, forbids: [mood.bitter], sets: {road: 100 %, mood.sour: 30 %}}
  helps: {who: c, does: help, to: b, given: who backs to, clears: [road]}
  stands_by: {who: c, does: threaten, to: b, needs: [treaty]}
mechanisms:
  retaliation: {when: [x threatens y, x blocks y], then: {y threatens x: 60 %, y blocks x: 40 %},
    answers: "0.35 [0.2, 0.5]", half_life: "0.5 [0.2, 1] days", source: book}
  rescue: {when: a threatens b, given: z backs b, then: z helps b, answers: 0.1,
    half_lives: {1 day: 75 %, 3 years: 25 %}, needs: [road]}
gates:
  heat: {while: road, mechanisms: [retaliation], background: [threats], factor: 2, source: book}
  sulk: {while: mood.bitter, moves: [helps], factor: 0}
calms:
  relief: {after: [helps], lowers: [blocks], strength: 0.7, half_life: 10 days}
standoffs: {among: [a, b], opened_by: [blocks], suspended_by: [helps]}
"""

PAGE = """\
Two neighbours (brink)
======================

Threats, road blocks and a patron.

3 actors and 5 channels: an act that one of them can do to another. 2 mechanisms say what answers
what, over 5 links from channel to channel. 3 facts and 2 ties are the state of things. Runs start
on 17 February 2008 and last 1 year. A question mark stands at a guess, brackets hold the range in
which a value may lie.

HOW NEAR THE BRINK

  Branching ratio 0.27 at the start, 0.54 in the worst state that can come about: when road is on (4
  reachable states looked at). By that factor each generation of answers differs in number from the
  one before.
  Below 1: whatever happens, answers to answers die out.
  What carries it there: retaliation 100 %.
  Only mechanisms count: facts that run out and policies are no answers.

WHO DOES WHAT

  state stands for c.

  a and b
    threats               threatens a or b: 2 pairs, each 2? [1 to 4] a year unprovoked, times pace.

  b: The north
    blocks                blocks a: only in answer, only while mood is not bitter; sets road and
                          mood to sour (30 %); people are hurt.

  c: The patron
    helps                 helps b: only in answer, given who backs to; clears road.
    stands_by             threatens b: only in answer, only while treaty holds. Cannot happen as
                          things stand.

WHAT ANSWERS WHAT

  retaliation           When x threatens or blocks y: y threatens x (60 %) or blocks x (40 %). 0.35
                        [0.2 to 0.5] answers, half of them within 12 [4.8 to 24] hours; scaled by
                        heat. 4 channel pairs.
  rescue                When a threatens b, given z backs b: z helps b. 0.1 answers, 75 % with
                        half-life 1 day and 25 % with half-life 3 years, only while road is on. 1
                        channel pair.

WHAT IS THE CASE

  road                  Roads are blocked. Set by blocks. Cleared by helps. Lasts 20? [10 to 40]
                        days on average. Matters to rescue and heat.
  mood                  Levels calm, sour and bitter. Put to sour by blocks. Matters to blocks and
                        sulk.
  unused                Nothing sets it, nothing asks for it.

TIES

  patron                c backs b.
  treaty                c allies a: not at the start.

WHAT QUICKENS AND SLOWS

  heat                  While road is on, 2 times as often: threats when unprovoked and answers by
                        retaliation.
  sulk                  While mood is bitter, never: helps.
  relief                After helps, 0.5 times as often, half of it gone within 10 days: blocks.
  pace                  Up and down by 30 % over the year with its peak on 1 August: threats, when
                        unprovoked.

WHAT COUNTS AS A STANDOFF

  Hostile acts between a and b add heat, which falls to 37 % in 7 days. A standoff opens at heat 6
  and closes below 2. Something new is put on the table by blocks. It is suspended by helps. One
  that nothing ended runs on into the next within 3 days.

ASLEEP: nothing in the scenario wakes these, but an edit or an intervention can

  stands_by             Move: waits until treaty holds.
  Facts that nothing changes: unused.
  Facts that nothing asks for: unused.

WHERE THE NUMBERS COME FROM

  13 values, 2 of them guesses (15 %), 4 with a range, 8 without a source.
  book                  A book of counts (3 values)
"""


def test_the_whole_page_of_a_small_scenario() -> None:
    assert describe(compile(loads(SMALL))).text() == PAGE


@pytest.mark.parametrize("width", [60, 100])
def test_no_line_is_wider_than_asked(width: int) -> None:
    for scenario in (loads(SMALL), *map(load, names())):
        lines = describe(compile(scenario)).text(width).splitlines()
        assert all(len(line) <= width for line in lines)
        assert not any(line != line.rstrip() for line in lines)


def test_data_is_plain_and_a_copy() -> None:
    description = describe(compile(loads(SMALL)))
    data = description.as_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    data["moves"].clear()
    assert description.as_dict()["moves"]


def test_data_say_what_a_program_needs() -> None:
    data = describe(compile(loads(SMALL))).as_dict()
    assert data["size"] == {"channels": 5, "links": 5, "mechanisms": 2, "facts": 3, "ties": 2, "actors": 3}
    threats = next(move for move in data["moves"] if move["name"] == "threats")
    rate = threats["rate_per_year"]
    assert [rate[key] for key in ("value", "low", "high", "guess")] == [*map(pytest.approx, (2, 1, 4)), True]
    assert threats["channels"] == 2
    retaliation = data["mechanisms"][0]
    assert (retaliation["pairs"], retaliation["events"]) == (4, 3)
    # a's threat draws b's threat and b's block; b's threat and b's block draw a's threat, and a cannot block
    assert retaliation["mean_answers_at_start"] == pytest.approx((0.35 + 0.21 + 0.21) / 3)
    assert data["stability"]["worst"] >= data["stability"]["initial"] > 0
    assert data["values"]["guesses"] == 2
    assert [source["values"] for source in data["values"]["sources"]] == [3]


def test_what_cannot_happen_is_named_with_what_it_waits_for() -> None:
    asleep = describe(compile(loads(SMALL))).as_dict()["asleep"]
    assert {"name": "stands_by", "waits_for": ["treaty holds"]} in asleep["moves"]
    assert asleep["facts_nothing_reads"] == ["unused"]
    assert asleep["facts_nothing_changes"] == ["unused"]
    awake = describe(compile(edit(loads(SMALL), {"ties.treaty.holds": "true", "moves.stands_by.rate": "1 per year"})))
    assert "stands_by" not in [one["name"] for one in awake.as_dict()["asleep"]["moves"]]


def test_the_brink_is_named_with_the_mechanism_to_blame() -> None:
    """The start is calm; with the road blocked retaliation doubles."""
    text = SMALL.replace('"0.35 [0.2, 0.5]"', '"0.9 [0.2, 1.0]"')
    page = " ".join(describe(compile(loads(text))).text().split())
    assert "in the worst state that can come about: when road is on" in page
    assert "in that state acts set off acts without end" in page
    assert "What carries it there: retaliation 100 %" in page


def test_bare_arrays_have_a_page_too() -> None:
    page = describe(from_arrays([1.0], [[0.5]], 1.0)).text()
    assert "1 channel, 1 link between them." in page
    assert "Branching ratio 0.50" in page


def test_a_crowd_is_counted_not_listed() -> None:
    """2,000 actors: the page stays short."""
    actors = "\n".join(f"  a{index}: {{is: [group]}}" for index in range(2_000))
    ties = "\n".join(f"  t{index}: {{kind: rivalry, from: a{index}, to: a{index + 1}}}" for index in range(1_999))
    text = f"""
powderkeg: 1
name: crowd
start: 2000-01-01
actors:\n{actors}
ties:\n{ties}
acts: {{threaten: {{tone: hostile}}}}
moves: {{threats: {{who: any, does: threaten, to: any, rate: 1 per year, given: who contests to}}}}
mechanisms: {{back: {{when: x threatens y, then: y threatens x, answers: 0.5, half_life: 1 day}}}}
"""
    page = describe(compile(loads(text))).text()
    assert "2,000 actors and 3,998 channels" in page
    assert "3,998 pairs, each 1 a year unprovoked" in page
    assert len(page.splitlines()) < 120


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (number(0.35), "0.35"),
        (number(4_000.0), "4,000"),
        (number(0.0003), "0.0003"),
        (number(0.0), "0"),
        (number(1e-7), "0.0000001"),
        (number(-2.5e-9), "−2.5 × 10⁻⁹"),
        (number(-0.0), "0"),
        (chance(3e-58), "<0.0001"),
        (chance(0.0312), "0.031"),
        (signed(-0.00004, 3), "0.000"),
        (signed_span(-0.3, 0.25, 2), "[−0.30, +0.25]"),
        (bracketed(-0.00012, 12_345.6, 4), "[−0.00012, 12,346]"),
        (plain(1e20), "1 × 10²⁰"),
        (plain(float("-inf")), "−∞"),
        (percent(0.3), "30 %"),
        (percent(0.025), "2.5 %"),
        (percent(0.0001), "0.01 %"),
        (percent(0.00001), "<0.01 %"),
        (percent(0.0), "0 %"),
        (percent(0.996), "99.6 %"),
        (percent(1.0), "100 %"),
        (estimate(0.35, 0.2, 0.5, True), "0.35? [0.2 to 0.5]"),
        (span(0.5), "12 hours"),
        (span(1.0), "1 day"),
        (span(3.0, 2.0, 5.0), "3 [2 to 5] days"),
        (span(3652.5), "10 years"),
    ],
)
def test_numbers_are_said_as_people_say_them(said: str, expected: str) -> None:
    assert said == expected


def test_effects_are_grouped_by_what_is_done() -> None:
    scenario = loads(SMALL)
    sure = Quantity(1.0)
    every = (
        FactEffect("road", "on", sure), FactEffect("mood", "sour", Quantity(0.3)), FactEffect("mood", "calm", sure),
        FactEffect("patron", "absent", sure), FactEffect("treaty", "holds", sure),
    )  # fmt: skip
    assert effects(every, scenario) == "sets road and mood to sour (30 %); clears mood; cuts patron; makes treaty"
    assert scenario.start == date(2008, 2, 17)


def test_pairs_that_differ_from_their_move_are_told() -> None:
    text = """
powderkeg: 1
name: quarrel
start: 2020-01-01
actors: {north: {}, south: {}, east: {}}
acts: {threaten: {tone: hostile, heat: 1}}
profiles: {tide: {season: {peak: 1 August, swing: 30 %}}}
moves:
  threats:
    who: any
    does: threaten
    to: any
    rate: 4 per year
    times: {north: {south: "3 [2, 5]", east: 0}}
    follows: {east: {north: tide}}
"""
    description = describe(compile(loads(text)))
    told = " ".join(description.text(100).split())
    assert (
        "6 pairs, each 4 a year unprovoked, but north to south 3 [2 to 5] times that and north to east 0 times" in told
    )
    assert "east to north times tide" in told
    (move,) = description.as_dict()["moves"]
    pairs = [(one["who"], one["to"], one["value"]) for one in move["times"]]
    assert pairs == [("north", "south", 3), ("north", "east", 0)]
    assert move["follows"] == [{"who": "east", "to": "north", "profile": "tide"}]
