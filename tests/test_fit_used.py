"""Which events a fit rests on is said, and intervals of a fit that explains next to nothing are not told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.events.table import EventTable

SCENARIO = """
powderkeg: 1
name: theatre
start: 2010-01-01
years: 3
actors: {north: {}, south: {}, patron: {}, west: {}}
acts: {threaten: {tone: hostile, cameo: "138"}, talk: {tone: cooperative, cameo: "04"}}
ties:
  quarrel: {kind: rivalry, from: north, to: south}
moves:
  threats: {who: [north, south], does: threaten, to: [north, south], rate: 0.1 per day}
  far_threats: {who: [patron, west], does: threaten, to: [patron, west], rate: 0.1 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.2, half_life: 2 days}
"""


def observed(local: float, far: float, talks: int = 0) -> EventTable:
    """Threats at these rates, and talks for which the scenario has no move."""
    model = pk.compile(pk.edit(pk.loads(SCENARIO), {"moves.threats.rate": local, "moves.far_threats.rate": far}))
    table = pk.simulate(model, replicates=1, seed=2).table()
    frame = table.frame.select(pl.col("time"), pl.col("source", "act", "target").cast(pl.String))
    time = np.random.default_rng(1).random(talks) * table.days
    more = pl.DataFrame(
        {"time": time, "source": ["north"] * talks, "act": ["talk"] * talks, "target": ["south"] * talks}
    )
    return EventTable(pl.concat([frame, more.cast(frame.schema)]).sort("time"), table.start, table.days)


def fitted(events: EventTable) -> pk.fit.Fit:  # type: ignore[name-defined]
    return pk.fit(pk.loads(SCENARIO), events, background="scenario", unmatched="drop", test_mechanisms=False)


def test_a_fit_says_between_whom_its_events_are() -> None:
    fit = fitted(observed(0.1, 0.1))
    assert fit.used.pairs["events"].sum() == fit.events_used == fit.used.given
    assert set(fit.used.pairs["a"]) == {"north", "patron"}
    assert "north - south" in fit.summary() and "patron - west" in fit.summary()
    assert not any("not the parties" in said for said in fit.warnings)
    assert fit.as_dict()["pairs"][0]["share"] == pytest.approx(fit.used.pairs["share"][0])


def test_nine_in_ten_from_a_pair_outside_the_dispute_is_told() -> None:
    far = fitted(observed(0.003, 0.2))
    told = [str(said) for said in far.warnings if "not the parties" in said]
    assert len(told) == 1 and "patron and west" in told[0] and "north,south" in told[0]
    own = fitted(observed(0.2, 0.003))
    assert not any("not the parties" in said for said in own.warnings)


@pytest.mark.filterwarnings("ignore:.*are of no move of the scenario")
def test_a_fit_of_a_tenth_of_its_events_has_no_intervals() -> None:
    whole, part = observed(0.1, 0.1), observed(0.1, 0.1, talks=5_000)
    plain, found = fitted(whole), fitted(part)
    assert found.used.given == part.frame.height and found.events_used == plain.events_used
    assert found.used.share < 0.2
    free = [e for e in found.parameters.values() if e.free]
    assert free and all(e.low is None and e.high is None and e.se is None for e in free)
    assert [e.estimate for e in free] == [e.estimate for e in plain.parameters.values() if e.free]
    assert "% of" in found.summary() or f"of {part.frame.height:,} events" in found.summary()
    assert any("withheld" in said for said in found.warnings)
    assert all(e.high is not None for e in plain.parameters.values() if e.free)


@pytest.mark.filterwarnings("ignore:.*are of no move of the scenario")
def test_a_fit_of_half_its_events_says_so_and_keeps_its_intervals() -> None:
    found = fitted(observed(0.1, 0.1, talks=600))
    assert 0.2 < found.used.share < 0.8
    assert any("events are explained" in said and "withheld" not in said for said in found.warnings)
    assert any(e.high is not None for e in found.parameters.values())


def test_a_table_of_some_actors_says_that_moves_of_others_were_not_looked_at() -> None:
    events = replace(observed(0.1, 0.0001), account={"touching": ["north", "south"]})
    assert any("north or south" in said for said in fitted(events).warnings)
