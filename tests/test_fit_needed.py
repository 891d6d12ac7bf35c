"""Does the record need a mechanism? The data must answer, whatever was held likely before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.events.table import EventTable

SCENARIO = """
powderkeg: 1
name: rivals
start: 2010-01-01
years: 4
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.15 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: {value: 0.3, range: [0.15, 0.6]}, half_life: 0.6 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: {value: 0.3, range: [0.1, 0.7]}, half_life: 0.6 days}
"""
FREE = ["moves", "mechanisms.inertia.answers", "mechanisms.retaliation.answers"]
HISTORIES = 12


@pytest.fixture(scope="module")
def model() -> pk.Model:
    return pk.compile(pk.loads(SCENARIO))


@pytest.fixture(scope="module")
def unanswered() -> list[EventTable]:
    """Four years in which nobody repeats himself: inertia is not there."""
    truth = pk.edit(pk.loads(SCENARIO), {"mechanisms.inertia.answers": 0.0})
    table = pk.simulate(pk.compile(truth), replicates=HISTORIES, seed=11).table()
    return [
        EventTable(part.select("time", "source", "act", "target"), table.start, table.days)
        for part in table.frame.partition_by("replicate", maintain_order=True)
    ]


def mechanisms_of(model: pk.Model, events: EventTable, **options: object) -> dict[str, dict[str, float]]:
    fit = pk.fit(model, events, free=FREE, background="scenario", **options)  # type: ignore[arg-type]
    return {row["mechanism"]: row for row in fit.mechanisms.to_dicts()}


@pytest.mark.parametrize("options", [{"use_ranges": True}, {"prior": "weak"}])
def test_a_prior_that_keeps_answers_off_zero_makes_no_mechanism_needed(
    model: pk.Model, unanswered: list[EventTable], options: dict[str, object]
) -> None:
    """Of 12 histories without inertia, 4 or more that need it at 5 % come once in 400; all 12 did."""
    needed, p = 0, []
    for events in unanswered:
        found = mechanisms_of(model, events, **options)
        needed += bool(found["inertia"]["needed_5"])
        p.append(found["inertia"]["p"])
        assert found["retaliation"]["needed_1"]
    assert needed < 4
    assert np.median(p) > 0.05


def test_the_test_of_ranged_answers_is_that_of_the_data(model: pk.Model, unanswered: list[EventTable]) -> None:
    """Where only the tested answers have a range, it takes no part: the ratio is that of the fit without ranges."""
    plain = pk.loads(SCENARIO.replace("{value: 0.3, range: [0.1, 0.7]}", "0.3"))
    for events in unanswered[:3]:
        with_range = mechanisms_of(pk.compile(plain), events, use_ranges=True, prior=None)["inertia"]
        without = mechanisms_of(model, events, prior=None)["inertia"]
        assert with_range["lr"] == pytest.approx(without["lr"], abs=1e-5)
        assert with_range["answers"] > without["answers"]


def test_what_is_planted_is_needed_under_ranges(model: pk.Model) -> None:
    table = pk.simulate(model, replicates=1, seed=3).table()
    events = EventTable(table.frame.select("time", "source", "act", "target"), table.start, table.days)
    days = replace(events, frame=events.frame.with_columns(pl.col("time").floor()), resolution="day")
    for stamped in (events, days):
        found = mechanisms_of(model, stamped, use_ranges=True)
        assert found["inertia"]["needed_1"] and found["retaliation"]["needed_1"]
