"""What do the texts of a row say: which day, who, what, to whom?

In: texts by field, and the layout. Out: the same rows with days, names and numbers; the number of those that a named
policy drops; and the rows whose date or code cannot be read, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl

from powderkeg.events.codes import mended
from powderkeg.events.layout import Layout
from powderkeg.events.missing import without_marks
from powderkeg.events.numbers import COUNTS, NUMBER_FIELDS, numbers_of
from powderkeg.events.piecing import IN_WORDS
from powderkeg.events.settling import FLOAT_ID
from powderkeg.events.several import MOST
from powderkeg.events.spans import acled_span, ucdp_span
from powderkeg.events.times import ABOUT, EARLIEST, EPOCH, LATEST, bare, ranges, reading_of

NO_SOURCE = "no source"
OUTSIDE_WINDOW = "outside the window"
REPORTED_LATE = "reported late"
DATED_AHEAD = "dated after publication"
NO_EVENT = "a count of 0"
ROUNDED_ID = r"^[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+$"
NAMES = (
    "source", "target", "act", "code", "coarse", "mode", "source_name", "target_name", "source_country",
    "target_country", "source_sectors", "target_sectors",
)  # fmt: skip
USELESS = ("time", "reported", "until", "last", "stamp", "precision", "coarse", "mode")
SOONEST = 1.0
"""Days by which an event may be dated after it entered the data: the day there may be a day ahead of UTC's."""
REWRITTEN = "unix"
"""How formats write the day of entry whose rows enter again with every change (ACLED): of it no lateness is told."""
DELAY, CHANGED = "delay", "changed"
"""Columns for the days from an event to its entry, and to the last change of its row."""
MOST_SHOWN = 20
OTHER_FORMS = ("partial", "words", "slashed", "range", "quarter", "week", "about")
Notes = Counter[tuple[str, str]]
"""What became of values that did not mean what they looked like: (kind, value) -> rows. Kinds: "zeros" (put back),
"unsure zeros" (left), "no number: <field>", "lost id"."""


@dataclass(frozen=True)
class RowWindow:
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
    months   events by month, of all rows that have a date
    early    rows dated a year or more before they were added to the data
    notes    values that did not mean what they looked like
    """

    frame: pl.DataFrame
    bad: pl.DataFrame
    dropped: Mapping[str, int]
    months: Mapping[date, int]
    early: int = 0
    notes: Notes = field(default_factory=Counter)


def typed(frame: pl.DataFrame, layout: Layout, window: RowWindow) -> Typed:
    """Read the texts of rows that were cut soundly."""
    notes: Notes = Counter()
    frame = _named(frame, layout)
    frame = _coded(frame, layout, notes)
    frame = _numbered(frame, layout, notes)
    frame = _identified(frame, layout, notes)
    frame = _dated(frame, layout, notes)
    rewritten = layout.format.reported == REWRITTEN
    sound = _is_sound(frame)
    bad = _EMPTY_BAD
    if not frame.select(sound.all())[0, 0]:
        bad = frame.filter(~sound).select("file", "line", reason=_reason(frame.columns))
        frame = frame.filter(sound)
    months = _months(frame["day"], frame["count"] if "count" in frame.columns else None)
    early = (
        0
        if rewritten
        else int(frame.select((pl.col("reported") - pl.col("day") >= 365).sum())[0, 0])
        if "reported" in frame
        else 0
    )
    dropped: dict[str, int] = {}
    alive: pl.Series | None = None
    for policy, keep in _policies(frame, window, rewritten):
        kept = frame.select(keep=keep)["keep"]
        lost = int((~kept).sum() if alive is None else (alive & ~kept).sum())
        if lost:
            dropped[policy] = lost
            alive = kept if alive is None else alive & kept
    if "span" in frame.columns:
        frame = _inside(frame, window)
    if "reported" in frame.columns:
        frame = frame.with_columns(_delay().alias(CHANGED if rewritten else DELAY))
    # Filtering copies: only what is wanted, and once.
    frame = frame.select(name for name in frame.columns if name not in USELESS)
    return Typed(frame if alive is None else frame.filter(alive), bad, dropped, months, early, notes)


def at_once(layout: Layout) -> frozenset[str]:
    """The names and codes of a layout that are categories as they stand: nothing is stripped off or put together.
    A category met while text is cut costs a third of one that is made of a text later."""
    if layout.separator != "\t" or layout.quoted or layout.format.line or "label" in layout.columns:
        return frozenset()
    if layout.book in (*IN_WORDS, "ucdp"):
        return frozenset()
    read_otherwise = {layout.guard, *(number for key, number in layout.columns.items() if key not in NAMES)}
    return frozenset(key for key in NAMES if key in layout.columns and layout.columns[key] not in read_otherwise)


def _delay() -> pl.Expr:
    """Whole days from an event's day to that of its entry in the data; an entry a day ahead counts as the same day."""
    return (pl.col("reported").floor() - pl.col("day").floor()).clip(0).cast(pl.Int32)


def _months(days: pl.Series, counts: pl.Series | None = None) -> dict[date, int]:
    """Events by month: rows, or what they count."""
    found: dict[date, int] = {}
    if not len(days):
        return found
    # By days first: they are few, and only each different one is taken to its month.
    day = np.trunc(days.to_numpy()).astype(np.int64)
    low = int(day.min())
    rows = np.bincount(day - low)
    events = rows if counts is None else np.bincount(day - low, counts.to_numpy())
    for at in np.flatnonzero(rows):
        month = (EPOCH + timedelta(days=low + int(at))).replace(day=1)
        found[month] = found.get(month, 0) + int(events[at])
    return found


_EMPTY_BAD = pl.DataFrame(schema={"file": pl.Categorical, "line": pl.UInt32, "reason": pl.String})


def _named(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Names and codes as categories; missing where a mark stands, or nothing."""
    strip = layout.separator != "\t" or layout.quoted
    if "target" not in frame.columns:
        frame = frame.with_columns(target=pl.lit(None, dtype=pl.String))
    schema = frame.schema
    names = [name for name in NAMES if name in schema]
    texts = [name for name in names if schema[name] != pl.Categorical]
    if texts:
        text = pl.col(texts).str.strip_chars() if strip else pl.col(texts)
        frame = frame.with_columns(text.cast(pl.Categorical))
    marked = frame.select(name for name in (*names, "until", "precision") if name in frame.columns)
    frame = frame.with_columns(without_marks(marked, layout.format.missing, layout.countries))
    if layout.format.or_name:
        sides = [side for side in ("source", "target") if f"{side}_name" in frame.columns]
        frame = frame.with_columns(pl.coalesce(side, f"{side}_name").alias(side) for side in sides)
    return frame


def _coded(frame: pl.DataFrame, layout: Layout, notes: Notes) -> pl.DataFrame:
    """The code in full: with its mode, without a spreadsheet's dress, with its leading zeros."""
    if "code" not in frame.columns:
        return frame.with_columns(code=pl.col("act"))
    if "coarse" in frame.columns:
        frame = frame.with_columns(code=pl.coalesce("code", "coarse"))
    seen = frame["code"].unique().drop_nulls().cast(pl.String).to_list()
    whole = mended(seen, layout.book, layout.zeros)
    if whole.zeros or whole.unsure:
        counted = frame.filter(
            pl.col("code").is_in(pl.Series([*whole.zeros, *whole.unsure]).cast(pl.Categorical).implode())
        )
        for text, rows in counted.group_by(pl.col("code").cast(pl.String)).agg(pl.len()).iter_rows():
            notes["zeros" if text in whole.zeros else "unsure zeros", text] += rows
    if whole.whole:
        text = pl.col("code").cast(pl.String).replace(list(whole.whole), list(whole.whole.values()))
        frame = frame.with_columns(code=text.cast(pl.Categorical))
    if "mode" in frame.columns:
        mode = pl.col("mode").cast(pl.String).str.split(";").list.first().str.strip_chars().str.to_lowercase()
        joined = (pl.col("code").cast(pl.String) + ":" + mode).cast(pl.Categorical)
        frame = frame.with_columns(code=pl.when(mode.is_null() | (mode == "")).then("code").otherwise(joined))
    return frame


def _numbered(frame: pl.DataFrame, layout: Layout, notes: Notes) -> pl.DataFrame:
    """Numbers of the columns that hold some. What is no number, or no number of dead, is left empty and noted; a weight
    that cannot be read is NaN here, so that the codebook's does not take its place."""
    for name in NUMBER_FIELDS:
        if name not in frame.columns:
            continue
        texts = without_marks(frame.select(pl.col(name).str.strip_chars()), (), frozenset())[name]
        mark = layout.marks.get(name, "point")
        number = texts.cast(pl.Float64, strict=False)
        if mark == "comma" or not (number.is_finite() | texts.is_null()).fill_null(False).all():
            number = texts.to_frame().select(numbers_of(pl.col(name), mark))[name]
        if name in COUNTS:
            number = number.set(number < 0, None)
        wrong = texts.is_not_null() & number.is_null()
        if wrong.any():
            for text, rows in texts.filter(wrong).value_counts(sort=True).head(MOST_SHOWN).iter_rows():
                notes[f"no number: {name}", text[:40]] += rows
            if name not in COUNTS:
                number = number.set(wrong, float("nan"))
        frame = frame.with_columns(number.alias(name))
    if "count" in frame.columns:
        count = pl.col("count").str.strip_chars().str.replace(r"\.0+$", "").cast(pl.UInt32, strict=False)
        frame = frame.with_columns(pl.when(count <= MOST).then(count).alias("count"))
    return frame


def _identified(frame: pl.DataFrame, layout: Layout, notes: Notes) -> pl.DataFrame:
    """Event ids. One that a spreadsheet rounded (1.23E+11) is none: many rows share it."""
    if "event_id" not in frame.columns:
        return frame
    texts = frame["event_id"]
    if not layout.plain_ids and texts.cast(pl.Int64, strict=False).null_count() == texts.null_count():
        return frame  # whole numbers, as most ids are: nothing odd can be among them
    odd = texts.filter(~texts.str.contains(r"^[ -~]*[0-9][ -~]*$") | texts.str.contains(ROUNDED_ID)).drop_nulls()
    if not len(odd) and not layout.plain_ids:
        return frame
    frame = frame.with_columns(without_marks(frame.select("event_id"), layout.format.missing, frozenset()))
    text = pl.col("event_id")
    rounded = text.str.contains(ROUNDED_ID)
    lost = int(frame.select(rounded.sum())[0, 0] or 0)
    if lost:
        notes["lost id", frame.filter(rounded)["event_id"][0]] += lost
        text = pl.when(~rounded).then(text)
    if layout.plain_ids:
        text = pl.when(text.str.contains(FLOAT_ID)).then(text.str.replace(r"\.0+$", "")).otherwise(text)
    return frame.with_columns(text.alias("event_id"))


def _dated(frame: pl.DataFrame, layout: Layout, notes: Notes) -> pl.DataFrame:
    """First possible day, number of possible days, and the day of entry, beside the text of the date, which the reason
    of a bad row shows."""
    plain = layout.separator == "\t" and not layout.quoted and layout.format.form is not None
    text = pl.col("time") if plain else bare(pl.col("time"))
    day, open_days = reading_of(text, layout.form)
    frame = frame.with_columns((day + layout.origin if layout.origin else day).alias("day"))
    if open_days is not None and frame.select((open_days > 1).any())[0, 0]:
        frame = frame.with_columns(open_days.alias("span"))
    if layout.form == "about":
        _note_about(frame, notes)
    if layout.loose and frame["day"].null_count():
        frame = _in_other_forms(frame, layout.form.partition(" ")[0], notes)
    if "until" in frame.columns:
        form = layout.other_forms.get("until", layout.form)
        last, more = reading_of(bare(pl.col("until")), form)
        last = (last if more is None else last + more - 1) + (layout.origin if layout.origin else 0.0)
        own = pl.col("span") if "span" in frame.columns else pl.lit(1.0)
        if "precision" in frame.columns and layout.format.name == "ucdp":
            own = ucdp_span(_digit("precision"))
        frame = frame.with_columns(last=last.floor())
        # A day that is its own last one, and known to a month by its precision, bounds nothing.
        bounds = (pl.col("last") != pl.col("day").floor()) | (own == 1)
        one = pl.when(pl.col("until").is_null() | ~bounds).then(own)
        frame = frame.with_columns(span=one.otherwise(pl.col("last") - pl.col("day").floor() + 1))
    elif "precision" in frame.columns:
        precision = _digit("precision")
        if layout.format.name == "ucdp":
            frame = frame.with_columns(span=ucdp_span(precision))
        else:
            first, span = acled_span(pl.col("day"), precision)
            frame = frame.with_columns(stamp=pl.col("day"), day=first, span=span)
    if "reported" in frame.columns:
        known, entered = layout.other_forms.get("reported", layout.form), pl.col("reported").str.strip_chars()
        if known == "seconds":
            known, entered = "compact", entered.str.slice(0, 8)
        frame = frame.with_columns(reading_of(entered, known)[0].alias("reported"))
    return frame


def _digit(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.strip_chars().str.replace(r"\.0+$", "")


def _note_about(frame: pl.DataFrame, notes: Notes) -> None:
    read = frame.filter(pl.col("day").is_not_null() & pl.col("time").str.strip_chars().str.contains(ABOUT))
    for text, rows in read["time"].value_counts(sort=True).head(MOST_SHOWN).iter_rows():
        notes["about", text.strip()[:40]] += rows


def _in_other_forms(frame: pl.DataFrame, form: str, notes: Notes) -> pl.DataFrame:
    """Dates that the form of the column does not read, where they stand in a form that can be no other."""
    text = bare(pl.col("time"))
    days, spans = [], []
    order = form if form in ("day-first", "month-first") else ""
    unread = frame["day"].is_null()
    for form in OTHER_FORMS:
        day, open_days = ranges(text, order) if form == "range" else reading_of(text, form)
        days.append(day)
        spans.append(pl.when(day.is_not_null()).then(pl.lit(1.0) if open_days is None else open_days))
    own = pl.col("span") if "span" in frame.columns else pl.lit(1.0)
    found = frame.filter(pl.col("day").is_null()).select(
        "file", "line", other_day=pl.coalesce(days), other_span=pl.coalesce(spans)
    )  # fmt: skip
    if not found["other_day"].is_not_null().any():
        return frame
    frame = frame.join(found, on=["file", "line"], how="left", maintain_order="left")
    span = pl.when(pl.col("day").is_null()).then(pl.col("other_span")).otherwise(own).alias("span")
    if (found["other_span"].fill_null(1.0) > 1).any() or "span" in frame.columns:
        frame = frame.with_columns(span)
    frame = frame.with_columns(pl.coalesce("day", "other_day").alias("day")).drop("other_day", "other_span")
    _note_about(frame.filter(unread), notes)
    return frame


def _inside(frame: pl.DataFrame, window: RowWindow) -> pl.DataFrame:
    """The possible days of an event that lie in the window: it is kept for a day that does."""
    if window.first is not None:
        first = float((window.first - EPOCH).days)
        early = (first - pl.col("day").floor()).clip(0)
        frame = frame.with_columns(
            day=pl.when(early > 0).then(first).otherwise("day"), span=(pl.col("span") - early).clip(1)
        )
    if window.last is not None:
        left = float((window.last - EPOCH).days + 1) - pl.col("day").floor()
        frame = frame.with_columns(span=pl.min_horizontal("span", left.clip(1)))
    return frame


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
    if "until" in has:
        until = pl.col("until").cast(pl.String).str.slice(0, 40)
        reason = reason.when(pl.col("span").is_null()).then(pl.lit("bad last date '") + until + "'")
        reason = reason.when(pl.col("span") < 1).then(pl.lit("last date before the first '") + until + "'")
    return reason.otherwise(pl.lit("bad row"))


def _policies(frame: pl.DataFrame, window: RowWindow, rewritten: bool) -> list[tuple[str, pl.Expr]]:
    found = []
    if frame["source"].null_count():
        found.append((NO_SOURCE, pl.col("source").is_not_null()))
    if "count" in frame.columns:
        found.append((NO_EVENT, pl.col("count") > 0))
    if "reported" in frame.columns:
        # What is reported has happened: a later day is a mistake, and would stretch the window to it.
        entered = (pl.col("reported").floor() + SOONEST >= pl.col("day").floor()).fill_null(True)
        # Stamps that most rows are later than are no days of entry: of an update, or of a copy.
        if not rewritten or frame.select(entered.mean() >= 0.5)[0, 0]:
            found.append((DATED_AHEAD, entered))
    inside = pl.lit(True)
    stamp = pl.col("stamp" if "stamp" in frame.columns else "day")
    if window.first is not None:
        inside &= stamp >= (window.first - EPOCH).days
    if window.last is not None:
        inside &= stamp < (window.last - EPOCH).days + 1
    if window.first is not None or window.last is not None:
        found.append((OUTSIDE_WINDOW, inside))
    if window.lag is not None and "reported" in frame.columns:
        found.append((REPORTED_LATE, (pl.col("reported") - pl.col("day")).fill_null(0.0) <= window.lag))
    return found
