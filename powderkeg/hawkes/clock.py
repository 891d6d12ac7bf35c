"""On which clock do times run, and where on it does the window begin?

In: times as numbers, dates or date-times of any library; the ends of the window as they were given. Out: times from the
start of the window; or an EventError where they cannot run from 0, with what they look like and what to type instead.

Rates are events by time watched. Seconds since 1970 read from 0 put half a century of silence before the first event,
and all of it is then explained by excitation: branching ratios of 1.03, with standard errors. So times that begin where
no window of theirs can is asked about. `start=0` insists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats
from powderkeg.errors import EventError, Fault, UsageError

EPOCH = date(1970, 1, 1)
DAY_US = 86_400e6
LATE = 3.0
"""The first event comes so many times the span of all events after 0: they do not run from 0."""
ALONE = 10.0
"""Or so many times the longest wait between two of them."""
FEWEST = 20
"""Events from which the longest wait is believed."""


@dataclass(frozen=True)
class ClockWindow:
    """time (N,) from the start; length None where it is not known; first_day of dates; resolution "day", "exact" or
    None where the times are numbers."""

    time: Floats
    length: float | None
    first_day: date
    resolution: str | None


def moments(values: Any) -> Floats | None:
    """(N,) days since 1970 of dates or date-times, not-a-number where one is missing; None of anything else.

    Times with a zone are taken at their own wall if all of them are midnights there (dates written with an offset),
    else as instants.
    """
    if isinstance(values, pl.Series):
        return _of_series(values)
    array = np.asarray(values)
    if array.ndim != 1:
        return None
    if array.dtype.kind == "M":
        days: Floats = array.astype("datetime64[us]").astype(np.int64) / DAY_US
        return np.where(np.isnat(array), np.nan, days)
    if array.dtype == object and len(array) and _holds_dates(array):
        return _of_objects(array)
    return None


def open_window(time: Floats, dated: bool, start: Any, end: Any, days: float | None) -> ClockWindow:
    """Times from the start of the window. start, end as they were given: numbers beside numbers, dates beside dates."""
    if end is not None and days is not None:
        raise UsageError(Fault.at("end", "`end` beside `days`", "one of them: days is end less start"))
    begin = 0.0 if start is None else _bound(start, "start", dated)
    if dated and start is None:
        known = time[np.isfinite(time)]
        begin = float(math.floor(known.min())) if len(known) else 0.0
    if dated and begin != math.floor(begin):
        raise UsageError(Fault.at("start", str(start), "a day: a date, or its midnight"))
    length = days
    if end is not None:
        length = _bound(end, "end", dated) - begin
        if not length > 0:
            raise UsageError(Fault.at("end", str(end), f"an end after the start, {_written(begin, dated)}"))
    if not dated and start is None:
        _refuse_origin(time, length is not None)
    _refuse_outside(time, begin, length, dated, start is not None)
    if not dated:
        return ClockWindow(time - begin, length, EPOCH, None)
    whole = bool((time == np.floor(time)).all())
    return ClockWindow(time - begin, length, EPOCH + timedelta(days=int(begin)), "day" if whole else "exact")


# -- dates -------------------------------------------------------------------------------------------------------------


def _holds_dates(values: Any) -> bool:
    return any(isinstance(one, date) for one in values)


def _of_series(values: pl.Series) -> Floats | None:
    if not (values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime)):
        return None
    walls = None
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        walls = values.dt.replace_time_zone(None)
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return _walls_or_instants(_days(values), None if walls is None else _days(walls))


def _days(values: pl.Series) -> Floats:
    result: Floats = (
        values.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64).fill_null(np.nan).to_numpy() / DAY_US
    )
    return result


def _of_objects(values: Any) -> Floats | None:
    instants, walls = np.full(len(values), np.nan), np.full(len(values), np.nan)
    zoned = False
    for k, one in enumerate(values):
        if one is None or one != one:  # NaT is not itself
            continue
        if not isinstance(one, date):
            return None
        moment = one if isinstance(one, datetime) else datetime(one.year, one.month, one.day)
        bare = moment.replace(tzinfo=None)
        walls[k] = _since_1970(bare)
        zoned = zoned or moment.tzinfo is not None
        instants[k] = walls[k] if moment.tzinfo is None else _since_1970(moment.astimezone(UTC))
    return _walls_or_instants(instants, walls if zoned else None)


def _since_1970(moment: datetime) -> float:
    passed = moment.replace(tzinfo=None) - datetime(1970, 1, 1)
    return passed / timedelta(days=1)


def _walls_or_instants(instants: Floats, walls: Floats | None) -> Floats:
    if walls is None:
        return instants
    known = walls[np.isfinite(walls)]
    return walls if (known == np.floor(known)).all() else instants


def _bound(value: Any, place: str, dated: bool) -> float:
    """An end of the window on the clock of the times."""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        if dated:
            raise UsageError(Fault.at(place, f"{value} beside dates", f"a date, such as {place}='2015-01-01'"))
        if math.isfinite(value):
            return float(value)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str) and dated:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise UsageError(
                Fault.at(place, repr(value), f"a date as year-month-day, such as {place}='2015-01-01'")
            ) from None
    if isinstance(value, date) and dated:
        found = _of_objects(np.array([value], object))
        assert found is not None
        return float(found[0])
    raise UsageError(
        Fault.at(place, repr(value), "a date, as the times are" if dated else "a number, as the times are")
    )


def _written(moment: float, dated: bool) -> str:
    if not dated:
        return f"{moment:.12g}"
    then = datetime(1970, 1, 1) + timedelta(days=moment)
    return f"{then:%Y-%m-%d}" if moment == math.floor(moment) else f"{then:%Y-%m-%d %H:%M:%S}"


# -- what cannot be ----------------------------------------------------------------------------------------------------


def _refuse_outside(time: Floats, begin: float, length: float | None, dated: bool, given: bool) -> None:
    faults = []
    early = time < begin
    if early.any() and (given or dated):
        faults.append(
            Fault.at("start", f"{int(early.sum())} times before {_written(begin, dated)}, the first "
                  f"{_written(float(time[early].min()), dated)}", "no start after the first event",
                  f"start={_typed(float(time[early].min()), dated)}")
        )  # fmt: skip
    if length is not None and dated:
        late = time > begin + length
        if late.any():
            faults.append(
                Fault.at("end", f"{int(late.sum())} times after {_written(begin + length, dated)}, the last "
                      f"{_written(float(time[late].max()), dated)}", "an end after the last event; a date is its first "
                      "moment", f"end={_typed(math.floor(float(time[late].max())) + 1.0, dated)}")
            )  # fmt: skip
    if faults:
        raise EventError(faults, aftermath="nothing was fitted")


def _typed(moment: float, dated: bool) -> str:
    return f"'{_written(math.floor(moment), True)}'" if dated else f"{moment:.12g}"


INSTANTS = (("seconds", "s", 1.0), ("milliseconds", "ms", 1e3), ("microseconds", "us", 1e6), ("nanoseconds", "ns", 1e9))
SINCE_1979, UNTIL_2103 = 3e8, 4.2e9
"""Seconds since 1970 between which numbers are taken for instants of our time."""


def _refuse_origin(time: Floats, end_given: bool) -> None:
    known = np.sort(time[np.isfinite(time)])
    if len(known) < 3 or known[0] <= 0:
        return
    first, last = float(known[0]), float(known[-1])
    span = last - first
    kind, dates, whole = _origin(known)
    far = first > LATE * span
    alone = len(known) >= FEWEST and first > ALONE * float(np.diff(known).max()) and first > 0.25 * span
    if dates.startswith("pandas") and kind.endswith("since 1970") and "days" not in kind:
        wrong = first > 0.2 * last
    elif kind:
        wrong = far or (alone and not end_given)
    else:
        wrong = not end_given and (alone or (first > ALONE * span and len(known) >= 5))
    if not wrong:
        return
    looks = f", which look like {kind}" if kind else f", and none in the {first:.6g} from 0 on"
    or_dates = f"; or dates: {dates}" if dates else ""
    raise EventError(
        Fault.at("time", f"times that run from {first:.10g} to {last:.10g}{looks}",
              "times from the start of the window, or where it begins in `start` (and `end`); 0 if it was watched from "
              f"there on{or_dates}", f"start={math.floor(first / whole) * int(whole)}"),
        aftermath="nothing was fitted",
    )  # fmt: skip


def _origin(known: Floats) -> tuple[str, str, float]:
    """(what sorted times look like, how they become dates, what a start is rounded down to); "" where unknown."""
    first, last = float(known[0]), float(known[-1])
    for name, unit, size in INSTANTS:
        if SINCE_1979 * size <= first and last <= UNTIL_2103 * size:
            return f"{name} since 1970", f"pandas.to_datetime(times, unit='{unit}')", 86_400.0 * size
    integers = bool((known == np.floor(known)).all())
    if integers and first >= 1500_01_01 and last <= 2200_12_31 and _are_dates(known):
        return "dates written as numbers, year month day", "pandas.to_datetime(times, format='%Y%m%d')", 1.0
    if first >= 1500.0 and last <= 2200.0:
        return "years", "", 1.0
    if first >= 657_000.0 and last <= 804_000.0:
        return "days since the year 1", "[datetime.date.fromordinal(int(t)) for t in times]", 1.0
    if first >= 3_650.0 and last <= 73_000.0:
        found = "days since 1970 (or since 1900, as spreadsheets count)"
        return found, "pandas.to_datetime(times, unit='D')", 1.0
    return "", "", 1.0


def _are_dates(known: Floats) -> bool:
    month, day = np.floor(known / 100) % 100, known % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())
