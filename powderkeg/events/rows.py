"""What do the texts of a row say: which day, who, what, to whom?

In: texts by field, and the layout. Out: the same rows with days, names and numbers; the number of those that a named
policy drops; and the rows whose date or code cannot be read, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from powderkeg.events.formats import Layout
from powderkeg.events.times import EARLIEST, EPOCH, LATEST, days_of

NO_SOURCE = "no source"
OUTSIDE_WINDOW = "outside the window"
REPORTED_LATE = "reported late"
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

    frame    day (Float64, since 1970-01-01), source, target, code (String), what else the layout has, file, line
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
    frame = frame.with_columns(*_columns(frame.columns, layout))
    sound = _is_sound(frame)
    bad = _EMPTY_BAD
    if not frame.select(sound.all())[0, 0]:
        bad = frame.filter(~sound).select("file", "line", reason=_reason(frame.columns))
        frame = frame.filter(sound)
    months = (
        frame.group_by(month=(pl.col("day").cast(pl.Int32).cast(pl.Date).dt.truncate("1mo")))
        .agg(events=pl.len())
        .sort("month")
    )
    early = int(frame.select((pl.col("reported") - pl.col("day") >= 365).sum())[0, 0]) if "reported" in frame else 0
    dropped: dict[str, int] = {}
    for policy, keep in _policies(frame.columns, window):
        kept = frame.filter(keep)
        if kept.height < frame.height:
            dropped[policy] = frame.height - kept.height
        frame = kept
    useless = [name for name in ("time", "reported", "until", "precision", "coarse", "mode") if name in frame]
    return Typed(frame.drop(useless), bad, dropped, months, early)


_EMPTY_BAD = pl.DataFrame(schema={"file": pl.Categorical, "line": pl.UInt32, "reason": pl.String})


def _columns(has: list[str], layout: Layout) -> list[pl.Expr]:
    """Every field in its own type; the day beside the text of the date, which the reason of a bad row shows."""
    strip = layout.separator != "\t" or layout.quoted
    text = pl.col("time").str.strip_chars() if strip else pl.col("time")
    day = days_of(text, layout.form) + layout.origin if layout.origin else days_of(text, layout.form)
    found = [day.alias("day")]
    for side in ("source", "target"):
        if side in has:
            who = _name(side, layout, strip)
            if layout.format.name.startswith("gdelt"):
                who = pl.coalesce(who, pl.col(f"{side}_name"))
            found.append(who.alias(side))
        for more in ("_name", "_country", "_sectors"):
            if side + more in has:
                found.append(_name(side + more, layout, strip))
    found.append(_code(has, layout, strip).alias("code"))
    if "act" in has:
        found.append(_name("act", layout, strip))
    for number in ("goldstein", "deaths", "mentions"):
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
        form = "compact" if layout.form == "compact" else layout.form
        found.append(days_of(pl.col("reported").str.slice(0, 8 if form == "compact" else 10), form).alias("reported"))
    return found


def _name(column: str, layout: Layout, strip: bool) -> pl.Expr:
    text = pl.col(column).str.strip_chars() if strip else pl.col(column)
    nothing = list(layout.format.missing)
    if layout.format.name == "keds":
        nothing.append("---")
    if strip:
        nothing.append("")
    return pl.when(text.is_in(nothing)).then(None).otherwise(text).alias(column) if nothing else text


def _code(has: list[str], layout: Layout, strip: bool) -> pl.Expr:
    if "code" not in has:
        return _name("act", layout, strip)
    code = _name("code", layout, strip)
    if "coarse" in has:
        code = pl.coalesce(code, _name("coarse", layout, strip))
    if "mode" in has:
        mode = _name("mode", layout, strip).str.split(";").list.first().str.strip_chars().str.to_lowercase()
        code = pl.when(mode.is_null() | (mode == "")).then(code).otherwise(code + ":" + mode)
    if layout.pad:
        code = pl.when(code.str.contains(r"^\d{1,2}$")).then(code.str.zfill(3)).otherwise(code)
    return code


def _is_sound(frame: pl.DataFrame) -> pl.Expr:
    low, high = (EARLIEST - EPOCH).days, (LATEST - EPOCH).days + 1
    sound = pl.col("day").is_not_null() & (pl.col("day") >= low) & (pl.col("day") < high)
    sound &= pl.col("code").is_not_null() & (pl.col("code") != "")
    if "until" in frame:
        sound &= pl.col("span").fill_null(0.0) >= 1
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
        .when(pl.col("code").is_null() | (pl.col("code") == ""))
        .then(pl.lit("no act code"))
    )
    return reason.otherwise(pl.lit("bad last date"))


def _policies(has: list[str], window: Window) -> list[tuple[str, pl.Expr]]:
    found = [(NO_SOURCE, pl.col("source").is_not_null())]
    inside = pl.lit(True)
    if window.first is not None:
        inside &= pl.col("day") >= (window.first - EPOCH).days
    if window.last is not None:
        inside &= pl.col("day") < (window.last - EPOCH).days + 1
    if window.first is not None or window.last is not None:
        found.append((OUTSIDE_WINDOW, inside))
    if window.lag is not None and "reported" in has:
        found.append((REPORTED_LATE, (pl.col("reported") - pl.col("day")).fill_null(0.0) <= window.lag))
    return found
