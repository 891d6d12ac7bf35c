"""In which form are the dates of a column written?

In: all its texts, in any number of portions. Out: the form, and what was assumed. A form is taken when the texts leave
no choice: one day above twelve tells 13/1/2017 from 1/13/2017 for the whole column, wherever it stands. Where they
leave a choice it is asked for; where they contradict each other it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from powderkeg.errors import argument, joined
from powderkeg.events.missing import is_missing
from powderkeg.events.times import (
    CLOCK,
    EARLIEST,
    EPOCH,
    LATEST,
    SERIALS,
    UNITS,
    ZONES,
    bare,
    days_of,
    offset_of,
    parts_of,
    spread,
)

TEXTUAL = ("day", "compact", "slashed", "words", "dotted", "dotted-month-first", "day-first", "month-first",
           "year-first", "month", "partial", "week", "quarter", "ordinal", "range", "about")  # fmt: skip
"""In the order in which they are preferred where they read the same texts to the same days."""
ORDERS = ("day-first", "month-first", "year-first")
MOST_DATES = 200_000
MOST_CLOCKS = 100
NUMERIC = r"^(?:[0-9]+(?:[.,][0-9]*)?(?:[eE]\+?[0-9]{1,3})?|inf)$"
LOW, HIGH = (EARLIEST - EPOCH).days, (LATEST - EPOCH).days + 1
BEYOND = 1e19
SERIAL_RANGE = (25_569.0, 73_415.0)
"""1970 to 2100 as a spreadsheet counts; below, the same numbers are as likely to be days since 1970."""
UNIX_RANGES = {"unix": (3e8, 4.2e9), "unix-ms": (3e11, 4.2e12), "unix-us": (3e14, 4.2e15), "unix-ns": (3e17, 4.2e18)}


class UnknownDates(Exception):
    """The form of a column's dates cannot be told. `found` says what stands there, `expected` what would help."""

    def __init__(self, found: str, expected: str) -> None:
        self.found, self.expected = found, expected
        super().__init__(found)


@dataclass
class Dates:
    """What the texts of a column show of their form, gathered over portions.

    parts    different dates, without their times of day
    bare     texts without a time of day; `clocked` those with one
    clocks   different times of day (seconds, UTC taken off or not): pairs (local, UTC)
    zones    zones as they stand
    numbers  of texts that are numbers: how many, least, greatest, whether whole, whether whole days in each unit
    """

    parts: pl.Series = field(default_factory=lambda: pl.Series("date", [], dtype=pl.String))
    rows: int = 0
    missing: int = 0
    bare: int = 0
    clocked: int = 0
    local: set[float] = field(default_factory=set)
    utc: set[float] = field(default_factory=set)
    zones: set[str] = field(default_factory=set)
    numeric: int = 0
    low: float = float("inf")
    high: float = float("-inf")
    whole: bool = True
    dotted: bool = False
    whole_days: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(UNITS, True))

    def add(self, texts: pl.Series) -> None:
        """Look at more texts of the column."""
        frame = texts.to_frame("text").with_columns(bare(pl.col("text")))
        frame = frame.filter(~is_missing(pl.col("text"), False))
        self.rows += frame.height
        self.missing += len(texts) - frame.height
        frame = frame.unique("text", maintain_order=True)
        numeric = frame.filter(pl.col("text").str.contains(NUMERIC))["text"]
        if len(numeric):
            self._numbers(numeric)
        rest = frame.filter(~pl.col("text").str.contains(NUMERIC))
        if rest.height:
            self._texts(rest)

    def _numbers(self, texts: pl.Series) -> None:
        value = texts.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        # Beyond the nanoseconds of any date: no number of a date, whatever the others are.
        value = value.filter(value.abs() < BEYOND)
        self.numeric += len(texts)
        if not len(value):
            return
        self.dotted |= bool(texts.str.contains(r"\D").any())
        self.low = min(self.low, float(value.min()))  # type: ignore[arg-type]
        self.high = max(self.high, float(value.max()))  # type: ignore[arg-type]
        self.whole &= bool((value == value.floor()).all())
        for unit, length in UNITS.items():
            self.whole_days[unit] &= bool((value % length == 0).all())
        self._keep(texts.filter(texts.str.len_bytes() <= 14))

    def _texts(self, frame: pl.DataFrame) -> None:
        frame = frame.with_columns(spread(pl.col("text")))
        date, seconds, zone = parts_of(pl.col("text"))
        found = frame.select("text", date=date, seconds=seconds, zone=zone)
        clocked = found.filter(pl.col("text").str.contains(CLOCK))
        self.clocked += clocked.height
        self.bare += found.height - clocked.height
        if clocked.height:
            self.zones |= set(clocked["zone"].unique())
            moments = clocked.select(local="seconds", utc=(pl.col("seconds") - offset_of(pl.col("zone"))) % 86_400)
            for name, known in (("local", self.local), ("utc", self.utc)):
                if len(known) < MOST_CLOCKS:
                    known |= set(moments[name].drop_nulls().unique().head(MOST_CLOCKS))
        self._keep(found["date"])

    def _keep(self, dates: pl.Series) -> None:
        if len(self.parts) < MOST_DATES:
            self.parts = pl.concat([self.parts, dates.rename("date")]).unique(maintain_order=True)

    @property
    def is_numeric(self) -> bool:
        return self.numeric > 0 and self.numeric >= 9 * (self.bare + self.clocked)


def reads_as_dates(texts: Sequence[str]) -> bool:
    """Whether most of these texts are dates of some form."""
    seen = Dates()
    seen.add(pl.Series("date", texts, dtype=pl.String))
    if not seen.rows:
        return False
    try:
        name, _ = form_of(seen)
    except UnknownDates as error:
        return "ways" in error.found
    days = pl.select(days_of(bare(pl.lit(pl.Series("date", texts, dtype=pl.String))), name)).to_series()
    return 2 * days.null_count() < len(days)


def form_of(seen: Dates, first_choice: tuple[str, ...] = (), starts: bool = False) -> tuple[str, tuple[str, ...]]:
    """The form of a column's dates, and what was assumed, to be said.

    first_choice  forms that the format's own documents name, the usual one first: they decide where the texts do not
    starts        the user named a first day: plain numbers count from it
    Raises UnknownDates.
    """
    if not seen.rows and seen.missing and not first_choice:
        raise UnknownDates("dates that are all missing cannot be read", "a day for each event")
    if not seen.rows:
        return first_choice[0] if first_choice else "day", ()
    if seen.is_numeric and seen.low > seen.high and first_choice:
        return first_choice[0], ()
    if seen.is_numeric:
        return _number_form(seen, starts)
    name, said = _date_form(seen, first_choice)
    if not seen.clocked:
        return name, said
    clock, more = _clock(seen)
    if name == "day" and clock == "second" and not seen.bare:
        return "second" if seen.zones <= {""} else "day zoned", (*said, *more)
    return f"{name} {clock}", (*said, *more)


def _number_form(seen: Dates, starts: bool) -> tuple[str, tuple[str, ...]]:
    found = _form_of_numbers(seen, starts)
    if found is None and not starts:
        # A few numbers that are no dates, such as 99999999 for a day that is not known, do not hide what the others
        # are: their rows are set aside.
        inner = _without_ends(seen)
        found = None if inner is None else _form_of_numbers(inner, starts)
        if found is not None and _are_days(found[0].split(" ")[0], (seen.low, seen.high)):
            found = None
    if found is not None:
        return found
    if starts:
        return ("whole" if seen.whole else "exact"), ()
    if seen.low > seen.high:
        raise UnknownDates("times that are plain numbers, none of which can be a day", "dates")
    raise _unknown_numbers(seen.low, seen.high)


def _are_days(form: str, ends: tuple[float, ...]) -> bool:
    """Whether an end beyond what the form is taken for would be read as a day all the same: 0 as 1 January 1970."""
    if form not in (*SERIALS, *UNITS):
        return False
    least, most = UNIX_RANGES.get(form, SERIAL_RANGE)
    days = [end / UNITS[form] if form in UNITS else end + SERIALS[form] for end in ends if not least <= end <= most]
    return any(LOW <= day < HIGH for day in days)


def _without_ends(seen: Dates) -> Dates | None:
    """What the middle nine tenths of the different numbers show; None where they are too few to leave any out."""
    texts = seen.parts.filter(seen.parts.str.contains(NUMERIC))
    if len(texts) < 10:
        return None
    value = pl.col("date").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    frame = texts.to_frame("date").with_columns(value=value).sort("value", nulls_last=True)
    few = max(len(texts) // 20, 1)
    inner = Dates()
    inner._numbers(frame["date"][few : len(texts) - few])
    return inner


def _form_of_numbers(seen: Dates, starts: bool) -> tuple[str, tuple[str, ...]] | None:
    low, high, whole = seen.low, seen.high, seen.whole
    if low > high:  # not one number that a date could be
        return None
    if whole and 18_000_101 <= high <= 21_001_231 and low >= 0:
        inside = seen.parts.str.contains(r"^(18|19|20)[0-9]{6}$").mean()
        return ("compact" if inside and float(inside) > 0.5 else "compact-number"), ()  # type: ignore[arg-type]
    if whole and low >= 18_000_101_000_000 and high <= 21_001_231_235_959:
        return "seconds", ()
    if whole and low >= 1800 and high <= 2100 and not starts:
        return "year", ("dates are years: each event is on some day of its year",)
    for unit, (least, most) in UNIX_RANGES.items():
        if least <= low and high <= most:
            days = seen.whole_days[unit]
            kind = {"unix": "seconds", "unix-ms": "milliseconds", "unix-us": "microseconds", "unix-ns": "nanoseconds"}
            return f"{unit} {'midnight' if days else 'second'}", (f"times are read as {kind[unit]} since 1970, in UTC",)
    if SERIAL_RANGE[0] <= low and high <= SERIAL_RANGE[1]:
        shown = _day_of("serial", low)
        said = f"dates are read as a spreadsheet's day numbers: {low:g} is {shown} (or serial-1904: "
        said += f"{_day_of('serial-1904', low)})"
        return ("serial" if whole else "serial second"), (said,)
    return None


def _unknown_numbers(low: float, high: float) -> UnknownDates:
    shown = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    known = "serial, serial-1904 (a spreadsheet's day numbers), unix-days, unix, unix-ms (since 1970)"
    if low >= 7_000 and high <= SERIAL_RANGE[1]:
        found = f"times that are plain numbers, {shown}: {_day_of('serial', low)} as a spreadsheet counts, "
        return UnknownDates(
            f"{found}{_day_of('unix-days', low)} as days since 1970",
            argument("date_format") + f" {known}; or " + argument("start") + ", the day that they count from",
        )
    return UnknownDates(
        f"times that are plain numbers, {shown}",
        "dates, or "
        + argument("start")
        + ", the day that they count from, or "
        + argument("date_format")
        + f" {known}",
    )


def _day_of(form: str, number: float) -> str:
    days = number + SERIALS.get(form, 0.0)
    return str(EPOCH + timedelta(days=int(days // 1)))


def _date_form(seen: Dates, first_choice: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    read = _readings(seen.parts)
    count = {name: len(days) - days.null_count() for name, days in read.items()}
    best = max(count.values())
    if not best and first_choice:
        return first_choice[0], ()
    if not best:
        shown = ", ".join(repr(text[:40]) for text in seen.parts.head(3))
        raise UnknownDates(
            f"dates such as {shown} cannot be read",
            argument("date_format")
            + " day-first, month-first, a format such as %d/%m/%Y, or another of docs/events.md",
        )
    name = next(one for one in TEXTUAL if count.get(one) == best)
    if name not in ORDERS:
        return name, ()
    return _ordered(seen, read, count, first_choice)


def _ordered(
    seen: Dates, read: dict[str, pl.Series], count: dict[str, int], first_choice: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Which of day, month and year comes first, where all are numbers."""
    said: tuple[str, ...] = ()
    if seen.parts.str.contains(r"^[0-9]{1,2}\D+[0-9]{1,2}\D+[0-9]{2}$").any():
        said = ("years of two digits are read as 1945 to 2044",)
    only = {}
    for name in ORDERS:
        others = [read[one].is_null() for one in ORDERS if one != name]
        alone = read[name].is_not_null() & others[0] & others[1]
        if alone.any():
            only[name] = seen.parts.filter(alone)[0]
    best = max(count[name] for name in ORDERS)
    winners = [name for name in ORDERS if count[name] == best]
    if len(only) > 1:
        shown = " and ".join(f"{text!r} ({name})" for name, text in only.items())
        raise UnknownDates(f"dates of two kinds in one column: {shown}", "one form in the whole column")
    if len(winners) == 1:
        return winners[0], said
    documented = [name for name in first_choice if name in winners]
    if documented:
        what = "month" if documented[0] == "month-first" else documented[0].split("-")[0]
        return documented[0], (*said, f"dates such as {seen.parts[0]!r} are read {what} first, as the format has them")
    shown = ", ".join(repr(text[:40]) for text in seen.parts.head(3))
    raise UnknownDates(
        f"dates such as {shown} can be read in {'two' if len(winners) == 2 else 'three'} ways",
        joined(" or ", (argument("date_format", one) for one in winners)),
    )


def _readings(parts: pl.Series) -> dict[str, pl.Series]:
    """The days that each form makes of texts; null where it makes none, or none that can be. Forms that are preferred
    to one that reads everything, and is plain, are all that is needed."""
    frame = parts.to_frame("date")
    found: dict[str, pl.Series] = {}
    for name in TEXTUAL:
        day = days_of(pl.col("date"), name)
        found[name] = frame.select(pl.when((day >= LOW) & (day < HIGH)).then(day).alias(name))[name]
        if name not in ORDERS and not found[name].null_count():
            break
    return found


def _clock(seen: Dates) -> tuple[str, tuple[str, ...]]:
    """What the times of day are good for."""
    unknown = sorted(zone for zone in seen.zones if not _is_zone(zone))
    if seen.local <= {0.0, 86_400.0}:
        offsets = seen.zones - {"", "Z", "z", "UTC", "GMT"}
        shown = f", where it was written ({_shown(offsets)})" if offsets else ""
        late = "; 24:00 is the midnight that ends a day, and counts as the next" if 86_400.0 in seen.local else ""
        return "midnight", (f"every time is midnight{shown}: dates are days{late}",) if offsets or late else ()
    if unknown:
        raise UnknownDates(
            f"times in a zone that is not known: {', '.join(repr(zone) for zone in unknown[:3])}",
            "times in UTC, or with an offset such as +02:00",
        )
    if seen.bare:
        return "midnight", (f"only {seen.clocked:,} of {seen.bare + seen.clocked:,} dates have a time: dates are days",)
    carried = _carried(seen)
    if carried:
        return carried
    offsets = seen.zones - {"", "Z", "z", "UTC", "GMT"}
    if not offsets:
        return ("second", ("times without a zone are taken as UTC",)) if "" in seen.zones else ("zoned", ())
    bare = "; those without a zone are taken as UTC" if "" in seen.zones else ""
    return "zoned", (f"times with an offset ({_shown(offsets)}) are carried over to UTC{bare}",)


def _carried(seen: Dates) -> tuple[str, tuple[str, ...]] | None:
    """Whether all times are one time of day, or two an hour apart as summer and winter have it: then they are days.

    A midnight carried over to UTC is 22:00 and 23:00 of the day before in Belgrade, 4:00 and 5:00 in New York.
    """
    times = sorted(seen.utc)
    if len(seen.parts) < 5 or not times or times[-1] % 900 or len(times) > 2:
        return None
    if (len(times) == 2 and times[1] - times[0] != 3600) or len(seen.zones) > 1:
        return None
    shown = " or ".join(f"{int(t // 3600):02}:{int(t % 3600 // 60):02}" for t in times)
    if times[0] >= 13 * 3600:
        ahead = " or ".join(f"{24 - t / 3600:g}" for t in times)
        return "nearest", (f"every time is {shown}, midnight {ahead} hours ahead of UTC: dates are days, those there",)
    return "midnight", (f"every time is {shown}: dates are days",)


def _is_zone(zone: str) -> bool:
    return zone.upper() in ZONES or zone[:1] in "+-"


def _shown(zones: set[str]) -> str:
    ordered = sorted(zones)
    return " and ".join(ordered) if len(ordered) < 4 else f"{', '.join(ordered[:3])} and {len(ordered) - 3} more"
