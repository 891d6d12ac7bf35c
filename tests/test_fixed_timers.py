"""Facts that last a fixed time: windows as published relational-event models have them, simulated and fitted."""

from __future__ import annotations

import math
import warnings
from datetime import date

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.engine.fixed_timers import expiries
from powderkeg.errors import FitError, UsageError
from powderkeg.events.table import EventTable
from powderkeg.fit.checks.expected import expected_acts

SCENARIO = """
powderkeg: 1
name: windows
start: 2020-01-01
years: 4
actors: {north: {}, south: {}}
acts: {call: {tone: neutral}}
facts:
  north_called: {lasts: 2 days, exactly: true}
moves:
  north_calls: {who: north, does: call, to: south, rate: 0.3 per day, sets: [north_called]}
  south_calls: {who: south, does: call, to: north, rate: 0.2 per day}
gates:
  answer: {while: north_called, background: [south_calls], factor: 4}
"""


def record(time: list[float], source: list[str], days: float, resolution: str = "exact") -> EventTable:
    target = ["south" if one == "north" else "north" for one in source]
    frame = pl.DataFrame({"time": time, "source": source, "act": ["call"] * len(time), "target": target})
    return EventTable(frame, date(2020, 1, 1), days, resolution)


def test_the_likelihood_of_a_window_is_that_computed_by_hand() -> None:
    """Calls of north at 1, 2.5 and 8: the window is open over [1, 4.5) and [8, 10]; renewed by the second call."""
    events = record([1.0, 2.5, 3.2, 4.6, 8.0], ["north", "north", "south", "south", "north"], 10.0)
    model = pk.compile(pk.loads(SCENARIO))
    fit = pk.fit(
        model, events, free=["moves.north_calls.rate"], prior=None, background="constant", test_mechanisms=False
    )
    open_days = 3.5 + 2.0
    by_hand = (
        3 * math.log(0.3) - 0.3 * 10 + math.log(0.2 * 4) + math.log(0.2) - 0.2 * ((10 - open_days) + 4 * open_days)
    )
    assert fit.parameters["moves.north_calls.rate"].estimate == pytest.approx(0.3, rel=1e-4)
    assert fit.log_likelihood == pytest.approx(by_hand, abs=1e-6)
    not_renewed = 3.0 + 2.0  # the planted error: open over [1, 3) and [8, 10], and the call at 3.2 comes of nothing
    wrong = 3 * math.log(0.3) - 3 + 2 * math.log(0.2) - 0.2 * ((10 - not_renewed) + 4 * not_renewed)
    assert abs(fit.log_likelihood - wrong) > 0.5


def test_a_window_by_day_is_open_on_as_many_days_as_it_lasts() -> None:
    system = pk.compile(pk.loads(SCENARIO)).system
    time, fact, level = expiries(system, np.array([3.0, 4.0, 9.0]), np.array([0, 0, 0]), True, 20.0)
    assert time.tolist() == [7.0, 12.0] and fact.tolist() == [0, 0] and level.tolist() == [0, 0]


def test_simulated_windows_close_when_they_should() -> None:
    """Every closing comes 2 days after the last call of north; a window renewed is not closed before."""
    runs = pk.simulate(pk.compile(pk.loads(SCENARIO)), days=2000.0, replicates=1, seed=3)
    calls, closings = runs.time[runs.channel == 0], runs.time[runs.channel == 2]
    due = calls[np.append(np.diff(calls) > 2.0, True)] + 2.0
    np.testing.assert_array_equal(closings, due[due < 2000.0])
    assert (np.diff(calls) <= 2.0).sum() > 100
    found = expiries(runs.model.system, runs.time[runs.channel < 2], runs.channel[runs.channel < 2], False, 2000.0)
    np.testing.assert_array_equal(found[0], closings)


@pytest.mark.parametrize("resolution", ["exact", "day"])
def test_the_factor_of_a_window_is_found_again(resolution: str) -> None:
    """False alarm 1e-3 on a 99.9 % interval."""
    scenario = pk.loads(SCENARIO)
    runs = pk.simulate(pk.compile(scenario), days=3000.0, replicates=1, seed=8)
    acts = runs.channel < 2
    time = runs.time[acts] if resolution == "exact" else np.floor(runs.time[acts])
    events = record(time.tolist(), np.where(runs.channel[acts] == 0, "north", "south").tolist(), 3000.0, resolution)
    fit = pk.fit(scenario, events, background="constant", level=0.999)
    found = fit.parameters["gates.answer.factor"]
    assert found.low is not None and found.high is not None
    assert found.low < 4.0 < found.high and found.high < 1.7 * found.low
    expected = expected_acts(fit.climber, fit.solution.vector, np.arange(2), 2)
    seen = [float((runs.channel == c).sum()) for c in range(2)]
    assert expected.by_class.sum(axis=0) == pytest.approx(seen, rel=2e-3)


def test_a_fit_without_the_window_misses_what_it_does() -> None:
    scenario = pk.loads(SCENARIO)
    runs = pk.simulate(pk.compile(scenario), days=3000.0, replicates=1, seed=8)
    acts = runs.channel < 2
    source = np.where(runs.channel[acts] == 0, "north", "south").tolist()
    events = record(runs.time[acts].tolist(), source, 3000.0)
    right = pk.fit(scenario, events, background="constant")
    # 8 days instead of 2: the planted error
    wrong = pk.fit(pk.edit(scenario, {"facts.north_called.lasts": "8 days"}), events, background="constant")
    assert right.log_likelihood - wrong.log_likelihood > 50.0
    assert wrong.parameters["gates.answer.factor"].estimate < 3.0


def test_what_cannot_be_done_with_windows_is_said() -> None:
    scenario = pk.loads(SCENARIO)
    events = record([1.0, 2.5, 3.2, 4.6, 8.0], ["north", "north", "south", "south", "north"], 10.0)
    with pytest.raises(UsageError, match="facts that last a fixed time"):
        pk.replay(scenario, events, "north")
    mixed = pk.loads(SCENARIO.replace("moves:", "  storm: {comes: 1 per year, lasts: 3 days}\nmoves:"))
    with pytest.raises(FitError, match="beside facts that no act reports"):
        pk.fit(mixed, events)
    with pytest.raises(pk.PowderkegError, match="a fact that does not run out"):
        pk.loads(SCENARIO.replace("lasts: 2 days, ", ""))


def test_a_forecast_goes_on_from_an_open_window() -> None:
    """Called on the eve of the origin, south answers at four times its rate for two days."""
    scenario = pk.loads(SCENARIO)
    time = [float(k) for k in range(0, 200, 10)] + [199.9]
    events = record(time, ["north"] * len(time), 200.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ahead = pk.forecast(scenario, events, days=10, draws=4000, background="scenario", spread=False)
    runs = ahead.worlds[next(iter(ahead.worlds))].runs
    south = np.floor(runs.time[runs.channel == 1] - runs.begin).astype(int)
    by_day = np.bincount(south, minlength=10) / 4000
    assert by_day[0] == pytest.approx(0.8, abs=0.08)
    assert by_day[9] < 0.6


@pytest.mark.parametrize("resolution", ["exact", "day"])
def test_an_act_after_its_window_is_told_with_the_fact_that_ran_out(resolution: str) -> None:
    """The likelihood leaves it out because the window is closed; the rule that is named must be that one."""
    guarded = SCENARIO.replace("rate: 0.2 per day}", "rate: 0.2 per day, needs: [north_called]}")
    guarded = guarded[: guarded.index("gates:")]
    events = record([1.0, 2.0, 6.0, 8.0, 9.0], ["north", "south", "south", "north", "south"], 12.0, resolution)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pk.fit(pk.loads(guarded), events, prior=None, background="constant", test_mechanisms=False)
    told = fit.unexplained.select("day", "rule").rows()
    assert told == [(6.0, "moves.south_calls: north_called must be on, is off")]
