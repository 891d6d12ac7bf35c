"""What do the texts of a row say: which day, who, what, to whom?

In: texts by field, and the layout. Out: the same rows with days, names and numbers; the number of those that a named
policy drops; and the rows whose date or code cannot be read, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from powderkeg.events.layout import Layout
from powderkeg.events.several import MOST
from powderkeg.events.times import EARLIEST, EPOCH, LATEST, days_of

NO_SOURCE = "no source"
OUTSIDE_WINDOW = "outside the window"
REPORTED_LATE = "reported late"
DATED_AHEAD = "dated after publication"
NO_EVENT = "a count of 0"
NAMES = (
    "source", "target", "act", "code", "coarse", "mode", "source_name", "target_name", "source_country",
    "target_country", "source_sectors", "target_sectors",
)  # fmt: skip
USELESS = ("time", "reported", "until", "precision", "coarse", "mode")
SPANS = {"1": 1, "2": 7, "3": 30}
"""ACLED's time_precision: a day, within a week, within a month."""


@dataclass(frozen=True)
class Window:
    """Which rows are wanted.

    first, last  days, both counted; None: no bound
    lag          most days between an event and the day it was added to the data; None: any
    """

    first: date | None = None
    last: date | None = None
    lag: float | None = None


@dataclass(frozen=True)
class Typed:
    """Rows read.

    frame    day (Float64, since 1970-01-01), source, target, code (Categorical), what else the layout has, file, line
    bad      rows that cannot be read: columns file, line, reason
    dropped  rows by the policy that drops them
    months   rows by month, of all that have a date: columns month, events
    early    rows dated a year or more before they were added to the data
    """

    frame: pl.DataFrame
    bad: pl.DataFrame
    dropped: Mapping[str, int]
    months: pl.DataFrame
    early: int = 0


def typed(frame: pl.DataFrame, layout: Layout, window: Window) -> Typed:
    """Read the texts of rows that were cut soundly."""
    frame = _named(frame, layout)
    frame = frame.with_columns(*_columns(frame.columns, layout))
    sound = _is_sound(frame)
    bad = _EMPTY_BAD
    if not frame.select(sound.all())[0, 0]:
        bad = frame.filter(~sound).select("file", "line", reason=_reason(frame.columns))
        frame = frame.filter(sound)
    months = _months(frame["day"], frame["count"] if "count" in frame.columns else None)
    early = int(frame.select((pl.col("reported") - pl.col("day") >= 365).sum())[0, 0]) if "reported" in frame else 0
    dropped: dict[str, int] = {}
    alive: pl.Series | None = None
    for policy, keep in _policies(frame, window):
        kept = frame.select(keep=keep)["keep"]
        lost = int((~kept).sum() if alive is None else (alive & ~kept).sum())
        if lost:
            dropped[policy] = lost
            alive = kept if alive is None else alive & kept
    # Filtering copies: only what is wanted, and once.
    frame = frame.select(name for name in frame.columns if name not in USELESS)
    return Typed(frame if alive is None else frame.filter(alive), bad, dropped, months, early)


def _months(days: pl.Series, counts: pl.Series | None = None) -> pl.DataFrame:
    """Events by month: rows, or what they count."""
    if not len(days):
        return pl.DataFrame(schema={"month": pl.Date, "events": pl.UInt32})
    first, last = (
        pl.Series([day]).cast(pl.Int32).cast(pl.Date).dt.truncate("1mo")[0] for day in (days.min(), days.max())
    )
    if first == last:
        events = len(days) if counts is None else int(counts.sum())
        return pl.DataFrame({"month": [first], "events": [events]}, schema={"month": pl.Date, "events": pl.UInt32})
    month = days.cast(pl.Int32).cast(pl.Date).dt.truncate("1mo").alias("month")
    if counts is not None:
        return pl.DataFrame([month, counts]).group_by("month").agg(events=pl.col("count").sum()).sort("month")
    return month.to_frame().group_by("month").agg(events=pl.len()).sort("month")


_EMPTY_BAD = pl.DataFrame(schema={"file": pl.Categorical, "line": pl.UInt32, "reason": pl.String})


def _named(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Names and codes as categories; missing where the format says so, or nothing stands there."""
    strip = layout.separator != "\t" or layout.quoted
    if "target" not in frame.columns:
        frame = frame.with_columns(target=pl.lit(None, dtype=pl.String))
    names = [name for name in NAMES if name in frame.columns]
    text = pl.col(names).str.strip_chars() if strip else pl.col(names)
    frame = frame.with_columns(text.cast(pl.Categorical))
    nothing = [*layout.format.missing, *(("",) if strip else ())]
    for one in nothing:
        frame = frame.with_columns(pl.when(pl.col(name) != one).then(name).alias(name) for name in names)
    return frame


def _columns(has: list[str], layout: Layout) -> list[pl.Expr]:
    """Days and numbers; the day beside the text of the date, which the reason of a bad row shows."""
    text = pl.col("time").str.strip_chars() if layout.separator != "\t" or layout.quoted else pl.col("time")
    day = days_of(text, layout.form) + layout.origin if layout.origin else days_of(text, layout.form)
    found = [day.alias("day"), _code(has, layout).alias("code")]
    if layout.format.or_name:
        found += [pl.coalesce(s, f"{s}_name").alias(s) for s in ("source", "target") if f"{s}_name" in has]
    for number in ("goldstein", "deaths"):
        if number in has:
            found.append(pl.col(number).str.strip_chars().cast(pl.Float64, strict=False))
    if "until" in has:
        until = days_of(pl.col("until").str.strip_chars(), layout.form)
        found.append((until - days_of(text, layout.form) + 1).alias("span"))
    elif "precision" in has:
        codes, days = list(SPANS), list(SPANS.values())
        span = pl.col("precision").str.strip_chars().replace_strict(codes, days, default=None, return_dtype=pl.Float64)
        found.append(span.alias("span"))
    if "reported" in has:
        found.append(_reported(layout).alias("reported"))
    if "count" in has:
        count = pl.col("count").str.strip_chars().str.strip_suffix(".0").cast(pl.UInt32, strict=False)
        found.append(pl.when(count <= MOST).then(count).alias("count"))
    return found


def _reported(layout: Layout) -> pl.Expr:
    """The day on which an event was entered or published."""
    text = pl.col("reported").str.strip_chars()
    how = layout.format.reported
    if how == "unix":
        return (text.cast(pl.Float64, strict=False) / 86_400).floor()
    if how == "iso":
        return days_of(text.str.slice(0, 10), "day")
    if how == "compact":
        compact = days_of(text.str.slice(0, 8), "compact")
        # With a header, the file has been through a program, which may have written days in its own way.
        return compact if layout.header is None else pl.coalesce(compact, days_of(text.str.slice(0, 10), "day"))
    return days_of(text.str.slice(0, 8 if layout.form == "compact" else 10), layout.form)


def _code(has: list[str], layout: Layout) -> pl.Expr:
    """The code in full: with its mode, without a gap, with its leading zeros."""
    if "code" not in has:
        return pl.col("act")
    code = pl.coalesce("code", "coarse") if "coarse" in has else pl.col("code")
    if "mode" in has:
        mode = pl.col("mode").cast(pl.String).str.split(";").list.first().str.strip_chars().str.to_lowercase()
        whole = code.cast(pl.String) + ":" + mode
        code = pl.when(mode.is_null() | (mode == "")).then(code).otherwise(whole.cast(pl.Categorical))
    if layout.pad:
        text = code.cast(pl.String)
        short = text.str.contains(r"^\d{1,2}$")
        code = pl.when(short).then(text.str.zfill(3).cast(pl.Categorical)).otherwise(code)
    return code


def _is_sound(frame: pl.DataFrame) -> pl.Expr:
    low, high = (EARLIEST - EPOCH).days, (LATEST - EPOCH).days + 1
    sound = pl.col("day").is_not_null() & (pl.col("day") >= low) & (pl.col("day") < high)
    sound &= pl.col("code").is_not_null()
    if "until" in frame:
        sound &= pl.col("span").fill_null(0.0) >= 1
    if "count" in frame:
        sound &= pl.col("count").is_not_null()
    return sound


def _reason(has: list[str]) -> pl.Expr:
    shown = pl.col("time").str.slice(0, 40)
    low, high = (EARLIEST - EPOCH).days, (LATEST - EPOCH).days + 1
    reason = (
        pl.when(pl.col("time").is_null() | (pl.col("time").str.strip_chars() == ""))
        .then(pl.lit("no date"))
        .when(pl.col("day").is_null())
        .then(pl.lit("bad date '") + shown + "'")
        .when((pl.col("day") < low) | (pl.col("day") >= high))
        .then(pl.lit("date out of range '") + shown + "'")
        .when(pl.col("code").is_null())
        .then(pl.lit("no act code"))
    )
    if "count" in has:
        reason = reason.when(pl.col("count").is_null()).then(pl.lit("bad count of events"))
    return reason.otherwise(pl.lit("bad last date"))


def _policies(frame: pl.DataFrame, window: Window) -> list[tuple[str, pl.Expr]]:
    found = []
    if frame["source"].null_count():
        found.append((NO_SOURCE, pl.col("source").is_not_null()))
    if "count" in frame.columns:
        found.append((NO_EVENT, pl.col("count") > 0))
    if "reported" in frame.columns:
        # What is reported has happened: a later day is a mistake, and would stretch the window to it.
        found.append((DATED_AHEAD, (pl.col("reported") >= pl.col("day").floor()).fill_null(True)))
    inside = pl.lit(True)
    if window.first is not None:
        inside &= pl.col("day") >= (window.first - EPOCH).days
    if window.last is not None:
        inside &= pl.col("day") < (window.last - EPOCH).days + 1
    if window.first is not None or window.last is not None:
        found.append((OUTSIDE_WINDOW, inside))
    if window.lag is not None and "reported" in frame.columns:
        found.append((REPORTED_LATE, (pl.col("reported") - pl.col("day")).fill_null(0.0) <= window.lag))
    return found
