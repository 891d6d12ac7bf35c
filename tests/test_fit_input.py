"""What does not fit is told in one plain message with a remedy, and no number that is none ever comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import powderkeg as pk
from powderkeg.errors import EventError, FitError, PowderkegError, PowderkegWarning
from powderkeg.events.table import EventTable

SCENARIO = """
powderkeg: 1
name: rivals
start: 2010-01-01
years: 2
actors: {north: {}, south: {}, east: {}}
facts: {alarm: {}}
acts:
  threaten: {tone: hostile, cameo: "138"}
  strike: {tone: hostile, cameo: "190"}
  talk: {tone: cooperative, cameo: "04"}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.1 per day, sets: [alarm]}
  strikes: {who: any, does: strike, to: any, rate: 0.02 per day, needs: [alarm]}
  talks: {who: any, does: talk, to: any, rate: 0.05 per day, clears: [alarm]}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.3, half_life: 2 days}
  retaliation: {when: x strikes y, then: y strikes x, answers: 0.3, half_life: 1 day}
gates:
  nerves: {while: alarm, moves: [threats], factor: 1.5}
"""


@pytest.fixture(scope="module")
def model() -> pk.Model:
    return pk.compile(pk.loads(SCENARIO))


@pytest.fixture(scope="module")
def events(model: pk.Model) -> EventTable:
    table = pk.simulate(model, years=2, replicates=1, seed=3).table()
    frame = table.frame.select("time", pl.col("source", "act", "target").cast(pl.String))
    return EventTable(frame, table.start, table.days)


def refused(model: pk.Model, events: EventTable, **options: object) -> str:
    with pytest.raises(PowderkegError) as caught:
        pk.fit(model, events, background="scenario", test_mechanisms=False, **options)  # type: ignore[arg-type]
    return str(caught.value)


def made(rows: list[tuple[float, str, str, str]], days: float, resolution: str = "exact") -> EventTable:
    frame = pl.DataFrame(rows, schema=["time", "source", "act", "target"], orient="row")
    return EventTable(frame.with_columns(pl.col("time").cast(pl.Float64)), date(2010, 1, 1), days, resolution)


# --- the window -----------------------------------------------------------------------------------------------------


def test_events_beyond_the_scenarios_years_are_fitted(model: pk.Model, events: EventTable) -> None:
    """`years` says how long a scenario is simulated; it does not end the world."""
    shorter = pk.compile(pk.edit(model.scenario, {"years": 1}))
    one, two = (
        pk.fit(m, events, free=["moves"], background="scenario", test_mechanisms=False) for m in (model, shorter)
    )
    assert one.log_likelihood == pytest.approx(two.log_likelihood)


def test_events_before_the_scenarios_start_name_the_options(model: pk.Model, events: EventTable) -> None:
    early = replace(events, start=date(2009, 12, 1))
    told = refused(model, early)
    assert "2009-12-01" in told and "2010-01-01" in told and "history_days=31" in told
    assert "Traceback" not in told


def test_events_before_the_start_can_be_history(model: pk.Model, events: EventTable) -> None:
    """The 31 days before the start act on later ones, and are not fitted themselves."""
    early = replace(events, start=date(2009, 12, 1))
    found = pk.fit(model, early, history_days=31, free=["moves"], background="scenario", test_mechanisms=False)
    assert found.events_used + len(found.unexplained) == int((events.frame["time"] >= 31).sum())
    assert found.window_start == date(2010, 1, 1)
    assert "history_days=31" not in refused(model, early, history_days=10_000)


@pytest.mark.parametrize("time", [-1.0, 1e6])
def test_a_stamp_outside_the_tables_own_window_is_named(model: pk.Model, events: EventTable, time: float) -> None:
    row = pl.DataFrame({"time": [time], "source": ["north"], "act": ["threaten"], "target": ["south"]})
    told = refused(model, replace(events, frame=pl.concat([events.frame, row])))
    assert "1 events outside the table's own window" in told and "cut the table" in told


def test_a_stamp_that_is_no_number_is_named(model: pk.Model, events: EventTable) -> None:
    row = pl.DataFrame({"time": [float("nan")], "source": ["north"], "act": ["threaten"], "target": ["south"]})
    assert "not a number" in refused(model, replace(events, frame=pl.concat([events.frame, row])))


# --- who and what ---------------------------------------------------------------------------------------------------


def test_an_actor_that_the_scenario_does_not_know_is_named_with_the_nearest(model: pk.Model) -> None:
    rows = [(float(k), "nort", "threaten", "south") for k in range(10)]
    told = refused(model, made([*rows, (20.0, "north", "threaten", "south")], 60.0))
    assert "unknown actor 'nort' in 10 of 11 events" in told and "nearest: 'north'" in told and "unmatched" in told


def test_an_actor_without_events_is_no_obstacle(model: pk.Model, events: EventTable) -> None:
    without = replace(events, frame=events.frame.filter(~pl.any_horizontal(pl.col("source", "target") == "east")))
    found = pk.fit(model, without, background="scenario", test_mechanisms=False)
    json.dumps(found.as_dict(), allow_nan=False)


def test_an_act_without_events_has_rate_zero_and_a_remedy(model: pk.Model, events: EventTable) -> None:
    without = replace(events, frame=events.frame.filter(pl.col("act") != "talk"))
    found = pk.fit(model, without, background="scenario", test_mechanisms=False)
    assert found.parameters["moves.talks.rate"].estimate == 0.0
    assert any("moves.talks.rate" in said and "fix" in said for said in found.warnings)
    json.dumps(found.as_dict(), allow_nan=False)


# --- too little -----------------------------------------------------------------------------------------------------


def test_no_events_and_one_event_are_too_few(model: pk.Model, events: EventTable) -> None:
    assert "no events" in refused(model, replace(events, frame=events.frame.head(0)))
    assert "1 event in the window" in refused(model, replace(events, frame=events.frame.head(1)))
    strangers = replace(events, frame=events.frame.head(0), account={"rows_read": 1335})
    assert "none of 1,335 rows is of the scenario's actors" in refused(model, strangers)


def test_all_events_on_one_day_of_many_are_noticed(model: pk.Model) -> None:
    rows = [(3.0, "north", "threaten", "south")] * 20
    told = refused(model, made(rows, 365.0, "day"))
    assert "all 20 events on one day of 365" in told and "date column" in told
    assert "all 20 events on one day\n" in refused(model, made([(0.0, *row[1:]) for row in rows], 1.0, "day"))


def test_ties_at_exact_times_are_refused_with_the_remedy(model: pk.Model, events: EventTable) -> None:
    tied = replace(events, frame=events.frame.with_columns(pl.col("time").floor()))
    told = refused(model, tied, likelihood="exact")
    assert "share their stamp" in told and "likelihood='day'" in told and "whole days" in told


def test_a_few_ties_at_exact_times_are_said(model: pk.Model, events: EventTable) -> None:
    doubled = replace(events, frame=pl.concat([events.frame, events.frame.slice(4, 1)]).sort("time"))
    with pytest.warns(PowderkegWarning, match="1 of .* events share their stamp"):
        pk.fit(model, doubled, free=["moves"], background="scenario", test_mechanisms=False)


def test_two_mechanisms_that_do_the_same_cannot_be_told_apart(events: EventTable) -> None:
    """Each is named, neither gets an error that means nothing, and a remedy is given."""
    twice = SCENARIO.replace(
        "  retaliation:",
        "  again: {when: x threatens y, then: x threatens y, answers: 0.1, half_life: 2 days}\n  retaliation:",
    )
    free = ["mechanisms.inertia.answers", "mechanisms.again.answers", "moves"]
    found = pk.fit(pk.loads(twice), events, free=free, background="scenario", test_mechanisms=False)
    said = " ".join(found.warnings)
    assert "mechanisms.inertia.answers" in said or "mechanisms.again.answers" in said
    assert "fix" in said and ("not identified" in said or "cannot be told apart" in said)
    json.dumps(found.as_dict(), allow_nan=False)


def test_nothing_that_the_events_could_show_is_an_error(model: pk.Model) -> None:
    with pytest.raises((FitError, EventError), match=r"estimate|show"):
        pk.fit(model, made([(1.0, "north", "talk", "south"), (9.0, "north", "talk", "south")], 20.0),
               free=["mechanisms.retaliation.answers"], background="scenario")  # fmt: skip


# --- no number that is none -----------------------------------------------------------------------------------------

CHANNELS = [(a, act, b) for a in ("north", "south", "east") for b in ("north", "south", "east") if a != b
            for act in ("threaten", "strike", "talk")]  # fmt: skip


def told_in_full(model: pk.Model, events: EventTable, **options: object) -> bool:
    """Whether the events could be fitted; everything a fit tells is a number then, or absent."""
    try:
        found = pk.fit(model, events, **options)  # type: ignore[arg-type]
    except PowderkegError as error:
        assert str(error).strip()
        return False
    json.dumps(found.as_dict(), allow_nan=False)
    assert "nan" not in found.summary()
    pk.loads(pk.dump(found.scenario))
    for e in found.parameters.values():
        assert np.isfinite(e.estimate)
        assert e.se is None or (np.isfinite(e.se) and e.se >= 0)
        assert (
            e.low is None or e.high is None or e.low <= e.estimate * (1 + 1e-6) + 1e-12 <= e.high * (1 + 2e-6) + 2e-12
        )
    return True


@settings(
    max_examples=12,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::powderkeg.errors.PowderkegWarning")
def test_small_odd_data_give_numbers_or_a_message(model: pk.Model, data: st.DataObject) -> None:
    """Two to fifteen acts in 3 to 400 days, by day or exact, half-lives free, with and without priors."""
    days = data.draw(st.sampled_from([3.0, 20.0, 400.0]))
    by_day = data.draw(st.booleans())
    times = data.draw(st.lists(st.floats(0.0, 0.999), min_size=2, max_size=15))
    channels = [data.draw(st.sampled_from(CHANNELS)) for _ in times]
    at = sorted(np.floor(t * days) if by_day else t * days for t in times)
    rows = [(t, a, act, b) for t, (a, act, b) in zip(at, channels, strict=True)]
    background = data.draw(st.sampled_from(["scenario", "auto"]))
    prior = data.draw(st.sampled_from([None, "delays", "weak"]))
    told_in_full(model, made(rows, days, "day" if by_day else "exact"), background=background, prior=prior)


@pytest.mark.nightly
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), by_day=st.booleans(), prior=st.sampled_from([None, "delays", "weak"]))
@pytest.mark.filterwarnings("ignore::powderkeg.errors.PowderkegWarning")
def test_small_odd_data_give_numbers_or_a_message_at_full_size(
    model: pk.Model, seed: int, by_day: bool, prior: str | None
) -> None:
    rng = np.random.default_rng(seed)
    days, n = float(rng.choice([3, 10, 40, 200, 800])), int(rng.integers(2, 40))
    at = np.sort(rng.uniform(0.0, days, n))
    chosen = [CHANNELS[k] for k in rng.integers(0, int(rng.choice([1, 3, len(CHANNELS)])), n)]
    rows = [(float(np.floor(t) if by_day else t), *c) for t, c in zip(at, chosen, strict=True)]
    told_in_full(model, made(rows, days, "day" if by_day else "exact"), prior=prior)
