"""Would the fitted model bring forth a record like this one?

In: a `Fit`. Out: numbers of the record beside the same numbers of histories that the fitted model simulates over the
same window, with the share of histories that lie as far out: counts, days without acts, how many acts come on one day,
how counts of one month carry over to the next, and whatever else the caller counts (`also`), such as standoffs, which
are cut by a module that comes after this one.
Source: posterior predictive checks, Gelman, Meng & Stern (1996), Statistica Sinica 6, 733-807, here at one estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError
from powderkeg.events.table import EventTable
from powderkeg.fit.days.completed import middle_ones
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.problem import Problem, filled_arrays
from powderkeg.fit.likelihood.showing import reports_of
from powderkeg.fit.maximum.posterior_rates import can_be_simulated, settled
from powderkeg.model import Model
from powderkeg.simulate import simulate
from powderkeg.simulate.memory import Budget, OverMemory, budget

if TYPE_CHECKING:
    from powderkeg.fit.result import Fit

MONTH = 30.0
FEWEST_HISTORIES = 20
EVENTS_SHARE = 0.2
"""Of the memory, for the events as they are simulated: what is counted of them takes four times as much again."""
LIMIT = 200_000
"""Acts in one simulated history before it is stopped: an explosive fit is seen without waiting for it."""
LIMIT_OVER = 20
"""A history is stopped at this many times the record's acts, if that is more than 2,000 and less than `LIMIT`."""

Counter = Callable[[EventTable], Mapping[str, Floats]]
"""Counts something in every history of a table: title -> (replicates,) numbers, nan where a history has none."""


@dataclass(frozen=True)
class Check:
    """One number of the record and where it lies among simulated histories.

    simulated  middle of the histories;  low, high  their middle 90 %
    p          chance of a history at least as far out as the record, on either side
    """

    name: str
    title: str
    observed: float
    simulated: float
    low: float
    high: float
    p: float

    @property
    def passes(self) -> bool:
        return self.p >= 0.05

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passes": self.passes}


@dataclass(frozen=True)
class Predictive:
    """The checks, and the counts by kind of act behind the one called `kinds`.

    kinds       act, observed, simulated, low, high
    replicates  histories behind them, 0 where there are none; `stopped` of these hit the limit of acts
    missing     why there are none
    """

    checks: tuple[Check, ...]
    kinds: pl.DataFrame
    replicates: int
    stopped: int
    seed: int
    missing: str = ""


def predictive(
    fit: Fit,
    replicates: int = 200,
    seed: int = 1,
    workers: int | None = None,
    also: Sequence[Counter] = (),
    progress: Callable[[float], None] | None = None,
    records: Sequence[Data] = (),
    memory: int | str | Budget | None = None,
) -> Predictive:
    """The record held against histories that the fitted model simulates over the same window.

    Histories start from the scenario's own state at its own start and are cut to the window of the events, which
    matters where the record begins in the middle of a crisis. A source that reports by day is simulated by day.

    records  the record with days drawn for events whose day is not known, several times over: of each check the one in
             the middle is told, by its p; none: the fit's own data
    memory   bytes, or such as "4 GB", for the acts of all histories; default: half of what is free. Where they do not
             fit there are no checks, and it is said why

    Raises UsageError for fewer than 20 histories.
    """
    if replicates < FEWEST_HISTORIES:
        raise UsageError(Fault.at("replicates", str(replicates), f"at least {FEWEST_HISTORIES} histories"))
    climber, vector = settled(fit.climber, fit.solution.vector)
    problem = climber.problem
    data = problem.data
    if not can_be_simulated(problem):
        why = "channels of this model stand for many, and cannot act for them"
        return Predictive((), pl.DataFrame(), 0, 0, seed, why)
    before = window_shift(fit)
    model = with_course(problem, vector, before)
    records = records or (data,)
    many_acts = max(int((one.time >= 0).sum()) for one in records)
    limit = int(np.clip(LIMIT_OVER * (many_acts + 1) * (1.0 + before / data.days), 2_000, LIMIT))
    try:
        runs = simulate(
            model, days=before + data.days, replicates=replicates, seed=seed, workers=workers, limit=limit,
            progress=progress, memory=budget(memory).part(EVENTS_SHARE),
        )  # fmt: skip
    except OverMemory as error:
        return Predictive((), pl.DataFrame(), 0, 0, seed, error.faults[0].found)
    replicates = runs.replicates  # fewer than asked for where the fitted model explodes from the first run on
    acts = (runs.channel < model.n_acts) & (runs.time >= before)
    time, channel, replicate = reports_of(
        problem.layer,
        runs.time[acts] - before,
        runs.channel[acts].astype(np.int64),
        runs.replicate[acts].astype(np.int64),
        seed,
    )
    kinds, kind_of = np.unique([c.act for c in model.channels[: model.n_acts]], return_inverse=True)
    cuts = [slice(int(a), int(b)) for a, b in pairwise(np.searchsorted(replicate, np.arange(replicates + 1)))]
    many = np.array([_numbers(time[part], data.days) for part in cuts])
    by_kind = np.array([np.bincount(kind_of[channel[part]], minlength=len(kinds)) for part in cuts], np.float64)
    own_kinds = np.bincount(kind_of[data.channel[data.time >= 0]], minlength=len(kinds)).astype(np.float64)
    counters = also if model.scenario is not None else ()
    table = EventTable(
        frame=pl.DataFrame({"replicate": replicate, "time": time}).with_columns(*_names(model, channel)),
        start=fit.window_start, days=data.days, account={"replicates": replicates},
    ) if counters else None  # fmt: skip
    if table is not None and data.by_day:
        table = replace(table, frame=table.frame.with_columns(pl.col("time").floor()), resolution="day")
    counted = [count(table) for count in counters if table is not None]
    told = []
    for record in records:
        one = _numbers(record.time[record.time >= 0], data.days)
        checks = [_check(*title, seen, found) for title, seen, found in zip(TITLES, one, many.T, strict=True)]
        if len(kinds) > 1:
            checks.append(_kinds_check(own_kinds, by_kind))
        own = _as_table(record, model, fit) if counters else None
        for count, found_all in zip(counters, counted, strict=True):
            seen_all = count(own) if own is not None else {}
            for title in seen_all:
                checks.append(_check(title.replace(" ", "_"), title, float(seen_all[title][0]), found_all[title]))
        told.append([check for check in checks if check is not None])
    low, middle, high = np.quantile(by_kind, [0.05, 0.5, 0.95], axis=0)
    frame = pl.DataFrame({"act": kinds, "observed": own_kinds, "simulated": middle, "low": low, "high": high})
    return Predictive(tuple(middle_ones(told)), frame, replicates, int(runs.exploded.sum()), seed)


def _as_table(record: Data, model: Model, fit: Fit) -> EventTable:
    """The acts of a record inside the window, by name."""
    inside = record.time >= 0
    return EventTable(
        frame=pl.DataFrame({"time": record.time[inside]}).with_columns(*_names(model, record.channel[inside])),
        start=fit.window_start, days=record.days, resolution="day" if record.by_day else "exact",
    )  # fmt: skip


def window_shift(fit: Fit) -> float:
    """Days from the scenario's start to the start of the fitted window."""
    scenario = fit.problem.model.scenario
    return 0.0 if scenario is None or fit.window_start is None else float((fit.window_start - scenario.start).days)


def with_course(problem: Problem, vector: Floats, before: float) -> Model:
    """The model at a parameter vector, its backgrounds following the fitted course, the known coverage and the times at
    which the source shows more or less.

    before  days from the model's start to the window; before the window the course stands at its first value
    """
    model = filled_arrays(problem, vector)
    shape = problem.shape
    if problem.layer is not None:
        shape = problem.layer.laid_over(shape)
    course = np.exp(shape.basis @ vector[problem.shape_places])[shape.row] * shape.offset
    if np.all(course == 1.0):
        return model
    system = model.system
    n_profiles = len(system.profile_start) - 1
    starts, times, values = [0], [], []
    for p in range(-1, n_profiles):
        span = slice(*system.profile_start[p : p + 2]) if p >= 0 else slice(0, 0)
        own_time, own_value = system.step_time[span], system.step_value[span]
        at = np.unique(np.concatenate([shape.time[:-1] + before, own_time[np.isfinite(own_time)]]))
        value = course[np.clip(np.searchsorted(shape.time + before, at, side="right") - 1, 0, len(course) - 1)]
        if len(own_time):
            value = value * own_value[np.clip(np.searchsorted(own_time, at, side="right") - 1, 0, None)]
        times.append(at)
        values.append(value)
        starts.append(starts[-1] + len(at))
    return replace(
        model,
        system=system._replace(
            profile=np.where(np.arange(system.n_channels) < model.n_acts, system.profile + 1, -1),
            profile_start=np.array(starts, np.int64),
            step_time=np.concatenate(times),
            step_value=np.concatenate(values),
            profile_swing=np.concatenate([[0.0], system.profile_swing]),
            profile_peak=np.concatenate([[0.0], system.profile_peak]),
        ),
    )


def _names(model: Model, channel: Ints) -> list[pl.Series]:
    found = []
    for column in ("source", "act", "target"):
        names = [getattr(c, column) for c in model.channels]
        kind = pl.Enum(sorted({name for name in names if name is not None}))
        found.append(pl.Series(column, names, dtype=kind).gather(channel))
    return found


TITLES = (
    ("events", "acts"),
    ("quiet_days", "share of days without an act"),
    ("batch", "acts a day, where there are any"),
    ("largest_day", "acts on the busiest day"),
    ("persistence", "correlation of one month's acts with the next's"),
)


def _numbers(time: Floats, days: float) -> list[float]:
    """The numbers of one history, in the order of `TITLES`. Stamps count by the day, whatever they are good for."""
    n_days = max(int(np.ceil(days)), 1)
    by_day = np.bincount(np.minimum(np.floor(time).astype(np.int64), n_days - 1), minlength=n_days)
    busy = int((by_day > 0).sum())
    months = max(int(n_days / MONTH), 1)
    by_month = by_day[: int(months * MONTH)].reshape(months, -1).sum(axis=1).astype(np.float64)
    return [
        float(len(time)),
        float((by_day == 0).mean()),
        len(time) / busy if busy else 0.0,
        float(by_day.max()),
        _carried_over(by_month),
    ]


def _carried_over(counts: Floats) -> float:
    """Correlation of neighbours; 0 where nothing varies or there are fewer than four."""
    if len(counts) < 4:
        return 0.0
    one, next_one = counts[:-1] - counts[:-1].mean(), counts[1:] - counts[1:].mean()
    scale = float(np.sqrt((one**2).sum() * (next_one**2).sum()))
    return float((one * next_one).sum()) / scale if scale > 0 else 0.0


def _check(name: str, title: str, seen: float, found: NDArray[Any]) -> Check | None:
    """None where the record, or all but a few histories, have no such number, or where it is the same in all."""
    found = found[np.isfinite(found)]
    if len(found) < FEWEST_HISTORIES or not np.isfinite(seen) or (found == seen).all():
        return None
    low, middle, high = np.quantile(found, [0.05, 0.5, 0.95])
    # The record counts as one more history: with R of them no p is below 2 / (R + 1), and none is 0.
    below, above = (np.sum(found <= seen) + 1) / (len(found) + 1), (np.sum(found >= seen) + 1) / (len(found) + 1)
    p = float(min(1.0, 2.0 * min(below, above)))
    return Check(name, title, float(seen), float(middle), float(low), float(high), p)


def _kinds_check(seen: Floats, found: Floats) -> Check:
    """How far the counts by kind lie from the histories' mean, in their spread, taken together."""
    mean = found.mean(axis=0)
    spread = np.sqrt(found.var(axis=0) + 0.5)

    def distance(counts: Floats) -> Floats:
        return np.asarray(np.sqrt((((counts - mean) / spread) ** 2).mean(axis=-1)))

    away, own = distance(found), float(distance(seen))
    p = float((np.sum(away >= own) + 1) / (len(away) + 1))
    low, middle, high = np.quantile(away, [0.05, 0.5, 0.95])
    return Check("kinds", "mix of kinds of act, distance", own, float(middle), float(low), float(high), p)
