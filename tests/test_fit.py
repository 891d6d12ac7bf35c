"""Estimates against known truth, at exact times and by day, and what is said where the events cannot answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.errors import PowderkegError
from powderkeg.events.table import EventTable
from powderkeg.fit import Estimate

TRUTH = {"mechanisms.inertia.answers": 0.35, "mechanisms.retaliation.answers": 0.25, "moves.threats.rate": 0.25}
SCENARIO = """
powderkeg: 1
name: rivals
start: 2010-01-01
years: 10
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.25 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.35, half_life: 0.35 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.25, half_life: 0.35 days}
"""
FREE = [*TRUTH]


@pytest.fixture(scope="module")
def model() -> pk.Model:
    return pk.compile(pk.loads(SCENARIO))


@pytest.fixture(scope="module")
def histories(model: pk.Model) -> list[EventTable]:
    """Twelve decades of some 4,500 acts each, as an observer with a clock would have them."""
    table = pk.simulate(model, replicates=12, seed=5).table()
    return [
        EventTable(part.select("time", "source", "act", "target"), table.start, table.days)
        for part in table.frame.partition_by("replicate", maintain_order=True)
    ]


def by_day(events: EventTable) -> EventTable:
    """The same events as a newspaper dates them."""
    return replace(events, frame=events.frame.with_columns(pl.col("time").floor()), resolution="day")


def fitted(model: pk.Model, events: EventTable) -> dict[str, Estimate]:
    return dict(pk.fit(model, events, free=FREE, background="scenario").parameters)


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_truth_is_found_again(model: pk.Model, histories: list[EventTable], stamp: str) -> None:
    """Mean estimates within 4.5 standard errors of the mean; at least 24 of 36 intervals of 90 % hold the truth.

    False alarm below 1e-3. A bias of a tenth in an answer would be caught 99 times in 100.
    """
    events = histories if stamp == "exact" else [by_day(one) for one in histories]
    found = [fitted(model, one) for one in events]
    covered = 0
    for path, truth in TRUTH.items():
        values = np.array([one[path].estimate for one in found])
        errors = np.array([one[path].se for one in found])
        assert abs(values.mean() - truth) < 4.5 * errors.mean() / np.sqrt(len(found)), path
        covered += sum(one[path].low <= truth <= one[path].high for one in found)
    assert covered >= 24


def test_a_wrong_half_life_is_noticed(histories: list[EventTable]) -> None:
    """The planted error of the test above: with memory thirty times too long the answers come out wrong."""
    wrong = pk.compile(
        pk.edit(pk.loads(SCENARIO), {f"mechanisms.{name}.half_life": 10.0 for name in ("inertia", "retaliation")})
    )
    found = [fitted(wrong, one) for one in histories[:4]]
    total = np.mean([one[FREE[0]].estimate + one[FREE[1]].estimate for one in found])
    assert abs(total - 0.6) > 0.05


def test_day_stamps_read_as_exact_times_are_refused_or_wrong(model: pk.Model, histories: list[EventTable]) -> None:
    """Why days have a likelihood of their own: ties read strictly hide the answers of the same day."""
    tied = replace(by_day(histories[0]), resolution="exact")
    try:
        naive = dict(pk.fit(model, tied, free=FREE, background="scenario", likelihood="exact").parameters)
    except PowderkegError as error:
        assert "day" in str(error)
        return
    assert naive[FREE[0]].estimate + naive[FREE[1]].estimate < 0.45


def test_the_maximum_is_one(model: pk.Model, histories: list[EventTable]) -> None:
    """No step from the estimate, one parameter at a time, is likelier: the fit's own model holds the maximum."""
    result = pk.fit(model, histories[0], free=FREE, background="scenario")
    for path in FREE:
        for factor in (0.97, 1.03):
            moved = pk.edit(result.scenario, {path: result.parameters[path].estimate * factor})
            held = pk.fit(pk.compile(moved), histories[0], free=["moves.threats.rate"], fix=None, background="scenario")
            assert held.log_likelihood <= result.log_likelihood + 1e-6


def test_a_climb_from_where_no_rate_explains_an_event_gets_out_of_there(
    model: pk.Model, histories: list[EventTable]
) -> None:
    """A rate of 0 and answers within minutes leave events without any cause: the climb must not stop there."""
    fit = pk.fit(model, by_day(histories[0].between(None, date(2010, 12, 31))), background="scenario")
    start = fit.solution.vector.copy()
    start[: fit.problem.n_rates] = 0.0
    start[fit.problem.n_smooth :] = fit.problem.upper[fit.problem.n_smooth :]
    assert not np.isfinite(fit.climber.filter(start)[0].evaluate(start[: fit.problem.n_smooth], False)[0])
    again = fit.climber.climb(start, fit.problem.held)
    assert again.converged
    assert again.log_likelihood == pytest.approx(fit.log_likelihood, abs=0.05)


def test_json_says_all_and_nothing_that_is_not_a_number(model: pk.Model, histories: list[EventTable]) -> None:
    told = pk.fit(model, by_day(histories[1]), free=FREE, background="scenario").as_dict()
    json.dumps(told, allow_nan=False)
    assert {"parameters", "log_likelihood", "likelihood", "events_used", "branching_ratio"} <= told.keys()
    assert told["events_used"] == len(histories[1])
    assert "day" in told["likelihood"]


def test_a_fit_becomes_a_scenario_that_runs(model: pk.Model, histories: list[EventTable]) -> None:
    result = pk.fit(model, histories[2], free=FREE, background="scenario")
    again = pk.loads(pk.dump(result.scenario))
    values = {p.path: p for p in pk.compile(again).parameters}
    for path in FREE:
        assert values[path].value == pytest.approx(result.parameters[path].estimate, rel=1e-6)
        assert values[path].source == "fitted"
    assert len(pk.simulate(pk.compile(again), years=1, replicates=3)) > 0


def test_an_unknown_path_is_named_with_the_nearest(model: pk.Model, histories: list[EventTable]) -> None:
    with pytest.raises(PowderkegError, match=r"mechanisms\.retaliation"):
        pk.fit(model, histories[0], free=["mechanisms.retaliaton.answers"])


def test_one_event_is_too_few(model: pk.Model, histories: list[EventTable]) -> None:
    one = replace(histories[0], frame=histories[0].frame.head(1))
    with pytest.raises(PowderkegError):
        pk.fit(model, one, free=FREE)


def test_a_right_model_passes_its_checks_and_a_wrong_one_does_not(model: pk.Model, histories: list[EventTable]) -> None:
    """The planted error: a system of the same acts that knows no answers sees too many quiet days and no batches."""
    right = pk.fit(model, by_day(histories[3]), free=FREE, background="scenario").check(replicates=100)
    assert right.failed == ()
    alone = pk.compile(pk.edit(model.scenario, dict.fromkeys(FREE[:2], 0.0)))
    poisson = pk.fit(alone, by_day(histories[3]), free=FREE[2:], background="scenario").check(replicates=100)
    assert {"quiet_days", "batch"} <= set(poisson.failed)
    json.dumps(poisson.as_dict(), allow_nan=False)
    assert "does not fit" in poisson.summary()


def weekly(seed: int) -> tuple[EventTable, pl.DataFrame]:
    """Ten years of independent acts, four times as many on working days; and that as an exposure by day."""
    draws = np.random.default_rng(seed)
    days = np.arange(3652)
    dates = [date(2010, 1, 1) + timedelta(days=int(k)) for k in days]
    share = np.array([0.25 if day.weekday() >= 5 else 1.0 for day in dates])
    time = np.repeat(days, draws.poisson(1.2 * share)).astype(np.float64)
    first = draws.random(len(time)) < 0.5
    frame = pl.DataFrame(
        {
            "time": time,
            "source": np.where(first, "north", "south"),
            "act": "threaten",
            "target": np.where(first, "south", "north"),
        }
    )
    return EventTable(frame, date(2010, 1, 1), 3652.0, "day"), pl.DataFrame({"day": dates, "events": share})


def test_a_week_that_is_told_is_not_taken_for_answers(model: pk.Model) -> None:
    """Nothing answers anything; the week alone makes days alike. Told of it, the fit finds next to no answers.

    Held to the short half-lives of the model, where a week's rhythm looks like answers. False alarm below 1e-4.
    """
    table, exposure = weekly(3)
    options = {"background": "constant", "free": FREE, "test_mechanisms": False}
    told, untold = (pk.fit(model, table, exposure=x, **options) for x in (exposure, None))  # type: ignore[arg-type]
    assert told.branching_ratio < 0.1
    assert untold.branching_ratio > told.branching_ratio + 0.05, "planted error: the week kept from the fit"
    assert told.log_likelihood > untold.log_likelihood + 100


def test_the_same_exposure_by_day_and_by_month_is_the_same(model: pk.Model, histories: list[EventTable]) -> None:
    events = by_day(histories[0].between(None, date(2010, 12, 31)))
    months = pl.DataFrame(
        {"month": [date(2010, m, 1) for m in range(1, 13)], "events": [float(m) for m in range(1, 13)]}
    )
    options = {"background": "constant", "free": FREE, "test_mechanisms": False}
    one = pk.fit(model, events, exposure=months, **options)  # type: ignore[arg-type]
    other = pk.fit(model, events, exposure=months.rename({"month": "day"}), **options)  # type: ignore[arg-type]
    assert one.log_likelihood == other.log_likelihood
    with pytest.raises(PowderkegError, match="a date, or text such as 2001-03-17"):
        pk.fit(model, events, exposure=pl.DataFrame({"day": ["2010"], "events": [1]}))


def test_a_climb_ends_where_only_rounding_is_left() -> None:
    """A value as large as that of 25,000 events, and a slope with its rounding: up to 200 steps were taken on it."""
    from powderkeg.fit.maximum.newton import maximise

    calls = 0

    def function(x: np.ndarray, curved: bool) -> tuple[float, np.ndarray, np.ndarray]:
        nonlocal calls
        calls += 1
        rough = 1e-7 * float(np.sin(1e12 * x).sum())
        noise = 3e-4 * np.sin(1e9 * x + 1.0)
        return -1.2e5 - 5.0 * float(((x - 0.3) ** 2).sum()) + rough, -10.0 * (x - 0.3) + noise, -10.0 * np.eye(len(x))

    found = maximise(function, np.full(3, 0.3), np.zeros(3), np.full(3, np.inf), np.zeros(3, bool))
    assert found.converged
    assert calls <= 3
    far = maximise(function, np.full(3, 2.0), np.zeros(3), np.full(3, np.inf), np.zeros(3, bool))
    assert np.abs(far.parameters - 0.3).max() < 1e-3
