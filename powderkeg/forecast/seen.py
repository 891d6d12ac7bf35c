"""What was known when the forecast is made: acts before the origin, by channel.

In: a `Model`, an `EventTable`, the first day foretold. Out: `Watched`. Nothing from that day on is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import EventError, Fault, UsageError, argument, warn
from powderkeg.events.rows import DELAY
from powderkeg.events.table import EventTable
from powderkeg.forecast.late import NEARLY, Lateness, last_entry, lateness
from powderkeg.model import Model

FEWEST = 1
"""Acts before the origin below which there is nothing to go on from."""


@dataclass(frozen=True)
class Watched:
    """Acts before the origin, in time order.

    time     (N,) days since `start`: whole numbers where only the day is known
    channel  (N,)
    start    first day that was watched
    days     days watched, to the origin
    begin    the origin, in days since the scenario's start: the clock of the model
    row      (N,) row of the act in the table that was given
    lost     acts that no move of the scenario allows
    late     how late reports come, where the source says when each was entered
    """

    time: Floats
    channel: Ints
    start: date
    days: float
    begin: float
    by_day: bool
    row: Ints
    lost: int
    late: Lateness | None = None

    @property
    def origin(self) -> date:
        """The first day that is foretold."""
        return self.start + timedelta(days=int(np.ceil(self.days - 1e-9)))

    @property
    def shift(self) -> float:
        """Day of the model's clock on which the watched days begin."""
        return self.begin - self.days

    @property
    def n_days(self) -> int:
        """Days that were watched; a last one that was watched in part counts as one."""
        return max(int(np.ceil(self.days - 1e-9)), 1)

    @property
    def day(self) -> Ints:
        """(N,) day of each act."""
        return np.minimum(np.floor(self.time), self.n_days - 1).astype(np.int64)

    def shown(self, model: Model) -> Floats:
        """(1 or D, C) share of the acts of each day that had been entered; 1 where reports are taken as complete."""
        if self.late is None:
            return np.ones((1, model.n_channels))
        found = self.late.shown(model, self.start, self.n_days)
        return found if (found < NEARLY).any() else np.ones((1, model.n_channels))


def seen(
    model: Model, events: EventTable, origin: date | None = None, unmatched: str = "refuse", known: date | None = None
) -> Watched:
    """The acts before `origin` (default: the day after the table's last), by channel of the model.

    known  the last day of entry that the table was cut to; by default the last that its rows tell

    Raises UsageError for an origin that the events do not reach or that comes before them, EventError where nothing is
    left; with `unmatched` "refuse" also for acts that no move allows, which are otherwise counted.
    """
    days = _days_before(events, origin, unmatched)
    frame = events.frame.with_row_index("_row").filter(pl.col("time") < days, pl.col("time") >= 0).sort("time")
    channel = channels_of(model, frame)
    known_rows = channel >= 0
    lost = int((~known_rows).sum())
    if lost and unmatched == "refuse":
        raise EventError(
            Fault.at("events", f"{lost:,} of {len(known_rows):,} acts that no move of the scenario allows",
                  "acts of the scenario's moves, or " + argument("unmatched", "drop"))
        )  # fmt: skip
    if int(known_rows.sum()) < FEWEST:
        raise EventError(
            Fault.at("events", f"{int(known_rows.sum())} acts of the scenario before the origin",
                  "some weeks of acts; `powderkeg events match SCENARIO FILE` lists the names that nobody has")
        )  # fmt: skip
    if lost:
        warn(f"{lost:,} of {len(known_rows):,} acts before the origin are of no move of the scenario and were left out")
    time = frame["time"].to_numpy().astype(np.float64)[known_rows]
    by_day = events.resolution == "day"
    start = events.start if model.scenario is None else model.scenario.start
    late, entered = None, known or last_entry(events)
    if entered is not None and DELAY in frame.columns:
        delay = frame[DELAY].fill_null(-1).to_numpy().astype(np.int64)[known_rows]
        late = lateness(model, np.floor(time).astype(np.int64), delay, channel[known_rows], entered, events.start)
    return Watched(
        time=np.floor(time) if by_day else time,
        channel=channel[known_rows],
        start=events.start,
        days=float(days),
        begin=float((events.start - start).days) + float(days),
        by_day=by_day,
        row=frame["_row"].to_numpy().astype(np.int64)[known_rows],
        lost=lost,
        late=late,
    )


def _days_before(events: EventTable, origin: date | None, unmatched: str) -> float:
    """Days of the table before the origin. Raises UsageError, EventError for what cannot be gone on from."""
    if unmatched not in ("refuse", "drop"):
        raise UsageError(Fault.at("unmatched", repr(unmatched), "'refuse' or 'drop'"))
    if events.n_replicates > 1:
        found = f"{events.n_replicates:,} histories in one table"
        raise EventError(Fault.at("replicate", found, "one history: the one that was observed"))
    if events.resolution == "month":
        expected = "stamps good for a day or better: a month hides what is still to be answered"
        raise EventError(Fault.at("resolution", "stamps good for a month", expected))
    ends = events.start + timedelta(days=int(np.ceil(events.days - 1e-9)))
    days = float(events.days)
    if origin is not None:
        if origin > ends:
            found = f"{origin}, but the events end on {ends - timedelta(days=1)}"
            raise UsageError(
                Fault.at("origin", found, f"at most {ends}, the day after; for later days ask for a longer "
                      "forecast, or bring newer events")
            )  # fmt: skip
        if origin <= events.start:
            raise UsageError(
                Fault.at("origin", f"{origin}, but the events begin on {events.start}", "a day after that")
            )
        days = min(days, float((origin - events.start).days))
    return days


def channels_of(model: Model, frame: pl.DataFrame) -> NDArray[np.int64]:
    """Channel of every row, -1 where no move of the model allows the act."""
    acts = model.channels[: model.n_acts]
    if model.scenario is None:
        of_act = {c.act: i for i, c in reversed(list(enumerate(acts)))}
        return np.array([of_act.get(str(act), -1) for act in frame["act"].to_list()], np.int64)
    place = {(c.source, c.act, c.target): i for i, c in reversed(list(enumerate(acts)))}
    rows = frame.select(pl.col("source", "act", "target").cast(pl.String)).rows()
    return np.array([place.get(row, -1) for row in rows], np.int64)


def gap(seen: Watched) -> float:
    """Days before the origin without any act, where the record is otherwise too dense for that; else 0.

    A stretch is a gap if it is longer than all others of the last two years and would come once in a thousand tries.
    """
    recent = np.unique(np.floor(seen.time[seen.time > seen.days - 730.0]))
    if len(recent) < 20:
        return 0.0
    pauses = np.diff(recent) - 1.0
    last = seen.days - 1.0 - float(recent[-1])
    busy = len(recent) / max(seen.days - float(recent[0]), 1.0)
    rare = (1.0 - busy) ** last < 1e-3 if busy < 1.0 else last > 0
    return float(last) if rare and last > float(pauses.max(initial=0.0)) else 0.0


def between(events: EventTable, first: date, days: int) -> EventTable:
    """The part of a table that a forecast is held against."""
    return events.between(first, first + timedelta(days=days - 1))


def before(events: EventTable, origin: date) -> EventTable:
    """The part of a table that was known at the origin."""
    cut = events.between(None, origin - timedelta(days=1))
    return replace(cut, account=events.account)
