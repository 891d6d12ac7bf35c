"""When did it happen, and how exactly do we know?

In: texts of one column, and the form in which they are written. Out: days since 1 January 1970 as numbers, missing
where a text is no date; and the number of days that a text leaves open (May 2018 is 31 of them). Nothing invents a time
of day: a text without one is the day, and the table then says that its resolution is a day.

A form is a key of TIME_FORMS, with a clock where times stand beside the dates ("day-first second"), or a format such as
"%d/%m/%y". Which form a column has is found by `dating`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events.months import MONTHS

EPOCH = date(1970, 1, 1)
EARLIEST, LATEST = date(1800, 1, 1), date(2100, 12, 31)
NUMBERS = ("whole", "exact")
MICROSECONDS = 86_400_000_000
PIVOT = 45
"""Years of two digits stand for 1945 to 2044."""
SERIALS = {"serial": -25569.0, "serial-1904": -24107.0}
"""Day 0 of a spreadsheet's numbers, from 1970 on: 30 December 1899, and 1 January 1904."""
UNITS = {"unix-days": 1.0, "unix": 86_400.0, "unix-ms": 86_400e3, "unix-us": 86_400e6, "unix-ns": 86_400e9}
"""How many of them a day has; all count from 1970."""


@dataclass(frozen=True)
class Form:
    """A way to write a date. `formats` are tried in turn; `resolution` is what the text is good for."""

    formats: tuple[str, ...]
    resolution: str
    shown: str


TIME_FORMS = {
    "day": Form(("%Y-%m-%d",), "day", "2018-06-01"),
    "compact": Form(("%Y%m%d",), "day", "20180601"),
    "compact-number": Form((), "day", "20180601.0"),
    "slashed": Form(("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d"), "day", "2018/06/01"),
    "words": Form((), "day", "1 June 2018, June 1, 2018, 01-Jun-18, 1. Juni 2018, June 2018"),
    "long": Form((), "day", "1 June 2018"),
    "us-long": Form((), "day", "June 1, 2018"),
    "dotted": Form(("%d.%m.%Y",), "day", "01.06.2018"),
    "dotted-month-first": Form(("%m.%d.%Y",), "day", "06.01.2018"),
    "day-first": Form(("%d/%m/%Y",), "day", "01/06/2018 or 01-06-18, first of June"),
    "month-first": Form(("%m/%d/%Y",), "day", "06/01/2018 or 06-01-18, first of June"),
    "year-first": Form(("%Y/%m/%d",), "day", "18-06-01, first of June"),
    "month": Form(("%Y-%m-%d", "%d-%m-%Y"), "month", "2018-06 or 06/2018"),
    "year": Form((), "day", "2018, some day of that year"),
    "partial": Form((), "day", "2018-06-01, 2018-06, 2018, 2018-06-XX, 2018-06-01/2018-06-03, 2018-06-01..2018-06-03"),
    "range": Form((), "day", "3-5 May 2015, May 28 - June 3, 2015, 05/03/2015 - 05/27/2015"),
    "about": Form((), "day", "ca. 2015, about May 2015, some day of them; ca. 3 May 2015: 30 April to 6 May"),
    "week": Form(("%G-W%V-%u",), "day", "2018-W22-5, or 2018-W22, some day of that week"),
    "quarter": Form((), "day", "2018-Q2 or Q2 2018, some day of those three months"),
    "ordinal": Form(("%Y-%j",), "day", "2018-152"),
    "second": Form(
        ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"),
        "second", "2018-06-01 14:30:00, in UTC",
    ),
    "zoned": Form((), "second", "2018-06-01T14:30:00+02:00"),
    "seconds": Form(("%Y%m%d%H%M%S",), "second", "20180601143000"),
    "midnight": Form((), "day", "2018-06-01 00:00:00, day only"),
    "serial": Form((), "day", "43252, a spreadsheet's day number"),
    "serial-1904": Form((), "day", "41790, that of a spreadsheet that counts from 1904"),
    "unix": Form((), "second", "1527811200, seconds since 1970"),
    "unix-ms": Form((), "second", "1527811200000, milliseconds since 1970"),
    "unix-us": Form((), "second", "microseconds since 1970"),
    "unix-ns": Form((), "second", "nanoseconds since 1970"),
    "unix-days": Form((), "day", "17683, days since 1970"),
    "keds": Form(("%Y%m%d",), "day", "990601, or 19990601"),
    "whole": Form((), "day", "152, days since the start"),
    "exact": Form((), "exact", "152.25, days since the start"),
}  # fmt: skip
CLOCKS = {
    "midnight": "day",  # every time is midnight where it was written: the day there
    "nearest": "day",  # every time is a midnight that was carried over to UTC: the day that begins then
    "second": "second",
    "zoned": "second",
}
SAME_AS = {"second": "day second", "zoned": "day zoned", "midnight": "day midnight", "long": "words",
           "us-long": "words"}  # fmt: skip

ZONES = {
    "": 0, "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2,
    "EET": 2, "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CDT": -5, "PST": -8, "PDT": -7,
}  # fmt: skip
"""Hours ahead of UTC of names that mean one zone wherever events are reported (IST and CST do not)."""
CLOCK = (
    r"^(.*?)(?:[Tt]|[\s,]+)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:[.,][0-9]+)?))?\s*([AaPp])?(?:\.?\s?[Mm]\.?)?\s*"
    r"([+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{1,2}|[A-Za-z]{1,4})?(?:\s*\[[^\]]*\])?$"
)
_ZONED_DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$"
_SEPARATED = r"\s*[/\-\u2010-\u2015\s]\s*"


def bare(texts: pl.Expr) -> pl.Expr:
    """Texts of dates without blanks around them, without the apostrophe by which spreadsheets mark a text, and without
    the zone that XML writes behind a day (2018-06-01Z): it is the day there."""
    return texts.str.strip_chars().str.replace(r"^'([0-9])", "${1}").str.replace(_ZONED_DAY, "${1}")


def days_of(texts: pl.Expr, form: str) -> pl.Expr:
    """Days since 1970-01-01 as Float64, a whole number where the form is a day; null where the text is no date."""
    return reading_of(texts, form)[0]


def reading_of(texts: pl.Expr, form: str) -> tuple[pl.Expr, pl.Expr | None]:
    """Days as `days_of` gives them, the first where a text leaves several open; and how many it leaves open, or None
    where the form leaves none."""
    if "%" in form:
        return _by_formats(texts, (form,), _resolution(form)), None
    name, _, clock = SAME_AS.get(form, form).partition(" ")
    if form == "second":
        end = pl.when(texts.str.slice(11).is_in(["24:00", "24:00:00"])).then(texts.str.head(10))
        ends = _by_formats(end, ("%Y-%m-%d",), "day") + 1
        return pl.coalesce(_by_formats(texts, TIME_FORMS[form].formats, "second"), ends), None
    if not clock:
        return _dates(texts, name)
    if name in (*SERIALS, *UNITS):
        days = _dates(texts, name)[0]
        return (days.floor() if CLOCKS[clock] == "day" else days), None
    return _with_clock(texts, name, clock), None


def resolution_of(form: str) -> str:
    """What stamps of this form are good for: day, month or second."""
    if "%" in form:
        return _resolution(form)
    name, _, clock = form.partition(" ")
    return CLOCKS[clock] if clock else TIME_FORMS[name].resolution


def checked_form(form: str) -> str:
    """The form, if it can be one.

    Raises UsageError for an unknown name, and for a format that no date can be read by.
    """
    if "%" not in form:
        name, _, clock = form.partition(" ")
        if name in TIME_FORMS and (not clock or clock in CLOCKS):
            return form
        known = ", ".join(f"{key} ({one.shown})" for key, one in TIME_FORMS.items())
        near = nearest_name(name, TIME_FORMS)
        expected = f"one of {known}; or a format such as %d/%m/%Y"
        raise UsageError(Fault.at("date_format", repr(form), expected, near))
    tried = pl.DataFrame({"t": ["2018-06-01 10:30:00", "01/06/2018", "x"]})
    try:
        tried.select(days_of(pl.col("t"), form))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        why = str(error).splitlines()[0][:120]
        expected = f"a format such as %d/%m/%Y, or one of {', '.join(TIME_FORMS)}"
        raise UsageError(Fault.at("date_format", f"{form!r} reads no date ({why})", expected)) from error
    if not any(part in form for part in ("%Y", "%y", "%G", "%D", "%F", "%c", "%x", "%s", "%+", "%C")):
        raise UsageError(
            Fault.at("date_format", f"{form!r} has no year", "a format such as %d/%m/%Y")
        )  # fmt: skip
    return form


def spread(texts: pl.Expr) -> pl.Expr:
    """Times as 14:30:00 where they stand as 143000 behind a T (ISO 8601's basic form)."""
    full = texts.str.replace(r"^([0-9]{8})[Tt]([0-9]{2})([0-9]{2})([0-9]{2})", "${1}T$2:$3:$4")
    return full.str.replace(r"^([0-9]{8})[Tt]([0-9]{2})([0-9]{2})([^0-9:]|$)", "${1}T$2:$3$4")


def parts_of(texts: pl.Expr) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """A text cut into its date, the time of day in seconds (null without one), and the zone as it stands."""
    found = texts.str.extract_groups(CLOCK)
    hour, minute = (found.struct.field(n).cast(pl.Float64, strict=False) for n in ("2", "3"))
    second = found.struct.field("4").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).fill_null(0.0)
    half = found.struct.field("5").str.to_lowercase()
    hour = (
        pl.when(half.is_null()).then(hour).when((hour < 1) | (hour > 12)).then(None)
        .when(half == "p").then(hour % 12 + 12).otherwise(hour % 12)
    )  # fmt: skip
    # 24:00 is the midnight that ends the day.
    sound = ((hour < 24) & (minute < 60) & (second < 61)) | ((hour == 24) & (minute == 0) & (second == 0))
    clock = pl.when(sound).then(hour * 3600 + minute * 60 + second)
    return pl.coalesce(found.struct.field("1"), texts), clock, found.struct.field("6").fill_null("")


def offset_of(zone: pl.Expr) -> pl.Expr:
    """Seconds that a zone is ahead of UTC; null for a zone that is not known."""
    sign = pl.when(zone.str.starts_with("-")).then(-1.0).otherwise(1.0)
    digits = zone.str.replace_all(r"\D", "")
    hours = digits.str.slice(0, 2).cast(pl.Float64, strict=False)
    minutes = digits.str.slice(2, 2).cast(pl.Float64, strict=False).fill_null(0.0)
    named = zone.str.to_uppercase().replace_strict(
        list(ZONES), [3600.0 * hours for hours in ZONES.values()], default=None, return_dtype=pl.Float64
    )
    return pl.when(zone.str.contains(r"^[+-][0-9]")).then(sign * (hours * 3600 + minutes * 60)).otherwise(named)


def _with_clock(texts: pl.Expr, name: str, clock: str) -> pl.Expr:
    texts = spread(texts) if name == "compact" else texts
    date_part, seconds, zone = parts_of(texts)
    day = _dates(date_part, name)[0]
    if clock == "midnight":
        next_day = pl.when(seconds == 86_400).then(1.0).otherwise(0.0)
        return pl.when(~texts.str.contains(CLOCK) | seconds.is_not_null()).then(day + next_day)
    moment = day + (seconds - offset_of(zone)) / 86_400
    if clock == "nearest":
        return (moment + 0.5).floor()
    # A stamp without a time of day would become midnight: it is no moment.
    return moment


def _dates(texts: pl.Expr, name: str) -> tuple[pl.Expr, pl.Expr | None]:
    """Dates without a time of day."""
    if name in _SPECIAL:
        return _SPECIAL[name](texts)
    if name in NUMBERS:
        return texts.cast(pl.Float64, strict=False), None
    if name in SERIALS:
        number = _number(texts)
        number = pl.when(number >= 0).then(number)
        # The spreadsheet of 1900 counts a 29 February that never was: day 60. Before it the numbers are one less.
        leap = pl.when(number < 60).then(1.0).otherwise(0.0) if name == "serial" else 0.0
        return number + SERIALS[name] + leap, None
    if name in UNITS:
        # -1 is what programs put for a time that is not known; only a number of days can be one that is.
        number = _number(texts)
        return (number if name == "unix-days" else pl.when(number != -1).then(number)) / UNITS[name], None
    one = TIME_FORMS[name]
    return _by_formats(_tidied(texts, name), one.formats, one.resolution), None


def _by_formats(texts: pl.Expr, formats: tuple[str, ...], resolution: str) -> pl.Expr:
    if resolution in ("day", "month"):
        dates = [texts.str.to_date(f, strict=False) for f in formats]
        return pl.coalesce(dates).cast(pl.Int32).cast(pl.Float64)
    zoned = ("%+", "%z", "%:z", "%#z")
    moments = [
        texts.str.to_datetime(f, strict=False, time_unit="us", time_zone="UTC" if any(z in f for z in zoned) else None)
        .cast(pl.Int64)
        for f in formats
    ]  # fmt: skip
    return pl.coalesce(moments) / MICROSECONDS


def _tidied(texts: pl.Expr, name: str) -> pl.Expr:
    """Texts as the formats of a form want them: one kind of stroke, years of four digits."""
    if name in ("day-first", "month-first"):
        text = texts.str.replace_all(_SEPARATED, "/")
        short = text.str.extract(r"^[0-9]{1,2}/[0-9]{1,2}/([0-9]{2})$")
        return pl.when(short.is_not_null()).then(text.str.head(-2) + _year(short)).otherwise(text)
    if name in ("dotted", "dotted-month-first"):
        text = texts.str.replace_all(r"\s*\.\s*", ".").str.strip_suffix(".")
        short = text.str.extract(r"^[0-9]{1,2}\.[0-9]{1,2}\.([0-9]{2})$")
        return pl.when(short.is_not_null()).then(text.str.head(-2) + _year(short)).otherwise(text)
    if name == "year-first":
        text = texts.str.replace_all(r"\s*[./\-\s]\s*", "/")
        short = text.str.extract(r"^([0-9]{2})/[0-9]{1,2}/[0-9]{1,2}$")
        return pl.when(short.is_not_null()).then(_year(short) + text.str.slice(2))
    if name == "month":
        # Stata writes 2018m6.
        text = texts.str.replace_all(r"[/.]", "-").str.replace(r"^([0-9]{4})[mM]([0-9]{1,2})$", "${1}-${2}")
        first = pl.when(text.str.contains(r"^[0-9]{4}-[0-9]{1,2}$")).then(text + "-01")
        return first.when(text.str.contains(r"^[0-9]{1,2}-[0-9]{4}$")).then("01-" + text)
    if name == "keds":
        short = texts.str.len_bytes() == 6
        return pl.when(short).then(_year(texts.str.head(2)) + texts.str.slice(2)).otherwise(texts)
    return texts


def _year(two: pl.Expr) -> pl.Expr:
    return pl.when(two >= str(PIVOT)).then(pl.lit("19")).otherwise(pl.lit("20")) + two


def _number(texts: pl.Expr) -> pl.Expr:
    number = texts.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _ymd(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Days of dates from their three numbers as texts; null where there is no such day."""
    text = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    return text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Float64)


def _month_length(first: pl.Expr) -> pl.Expr:
    return (first.cast(pl.Int32).cast(pl.Date).dt.month_end().cast(pl.Int32) - first + 1).cast(pl.Float64)


def _compact_number(texts: pl.Expr) -> tuple[pl.Expr, None]:
    whole = _number(texts)
    whole = pl.when((whole == whole.floor()) & (whole.abs() < 1e9)).then(whole)
    return _by_formats(whole.cast(pl.Int64).cast(pl.String), ("%Y%m%d",), "day"), None


_GAP = r"[\s\-./,]*"
_WORD = r"(\p{L}+)\.?"
_OF = r"(?:(?:de|del|of|d[ei])\s+)?"
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th|er|\.|º|°)?"
_WEEKDAYS = (
    "(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend|"
    "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo|"
    "(?:lune|marte|mercole|giove|vener)dì|sabato|domenica"
)
_WEEKDAY = rf"^(?:\p{{L}}+\.?,\s*|(?:{_WEEKDAYS})\.?\s+)?"
"""Any word before a comma; without one only the names of days, for "about 3 May" is no 3 May."""
_END = r"\.?(?:\s*(?:г|god|godine|года|р|року|p)\.?)?$"
_WORDED = (
    # the order of day, month word, year in the groups
    (rf"{_WEEKDAY}{_DAY}{_GAP}{_OF}{_WORD}{_GAP}{_OF}([0-9]{{4}}|[0-9]{{2}}){_END}", (1, 2, 3)),
    (rf"{_WEEKDAY}{_WORD}{_GAP}{_DAY}(?:\s*,\s*|\s+|-)([0-9]{{4}}){_END}", (2, 1, 3)),
    (rf"^([0-9]{{4}}){_GAP}{_WORD}{_GAP}{_DAY}$", (3, 2, 1)),
)
_WORDED_MONTHS = ((rf"^{_WORD}{_GAP}{_OF}([0-9]{{4}}){_END}", (1, 2)), (rf"^([0-9]{{4}}){_GAP}{_WORD}$", (2, 1)))


def _month(word: pl.Expr) -> pl.Expr:
    """The number of a month, as a text."""
    return word.replace_strict(list(MONTHS), [str(n) for n in MONTHS.values()], default=None, return_dtype=pl.String)


def _words(texts: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    text = texts.str.to_lowercase()
    days = []
    for pattern, (day, word, year) in _WORDED:
        groups = text.str.extract_groups(pattern)
        full = groups.struct.field(str(year))
        full = pl.when(full.str.len_bytes() == 2).then(_year(full)).otherwise(full)
        days.append(_ymd(full, _month(groups.struct.field(str(word))), groups.struct.field(str(day))))
    firsts = []
    for pattern, (word, year) in _WORDED_MONTHS:
        groups = text.str.extract_groups(pattern)
        firsts.append(_ymd(groups.struct.field(str(year)), _month(groups.struct.field(str(word))), pl.lit("1")))
    known, first = pl.coalesce(days), pl.coalesce(firsts)
    return pl.coalesce(known, first), pl.when(known.is_not_null()).then(1.0).otherwise(_month_length(first))


def _weeks(texts: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    groups = texts.str.to_uppercase().str.extract_groups(r"^([0-9]{4})-?W([0-9]{2})(?:-?([1-7]))?$")
    year, week, day = (groups.struct.field(n) for n in "123")
    text = year + "-W" + week + "-" + day.fill_null("1")
    days = _by_formats(text, ("%G-W%V-%u",), "day")
    return days, pl.when(day.is_null()).then(7.0).otherwise(1.0)


def _quarters(texts: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Quarters of a year: the first day and how many there are."""
    text = texts.str.to_uppercase()
    after = text.str.extract_groups(r"^([0-9]{4})[\s\-/.:]*Q([1-4])$")
    before = text.str.extract_groups(r"^Q([1-4])[\s\-/.:]*([0-9]{4})$")
    year = pl.coalesce(after.struct.field("1"), before.struct.field("2"))
    month = 3 * pl.coalesce(after.struct.field("2"), before.struct.field("1")).cast(pl.Int32, strict=False)
    first = _ymd(year, (month - 2).cast(pl.String), pl.lit("1"))
    last_month = _ymd(year, month.cast(pl.String), pl.lit("1"))
    return first, last_month + _month_length(last_month) - first


def _years(texts: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    year = texts.str.extract(r"^([0-9]{4})(?:\.0*)?$")
    first = _ymd(year, pl.lit("1"), pl.lit("1"))
    return first, _ymd(year, pl.lit("12"), pl.lit("31")) - first + 1


_PIECE = r"^([0-9]{4})(?:[-/.]([0-9]{1,2}|[XxUu?*]{1,2}))?(?:[-/.]([0-9]{1,2}|[XxUu?*]{1,2}))?(?:[0-9]{4}-)?\s*[~?%]*$"
_RANGE = r"^([^/]+?)(?:\s*(?:\.\.+|/|\u2013|\u2014)\s*|\s+(?:to|until|bis|-)\s+)([0-9]{4}.*)$"


def _partial(texts: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    groups = texts.str.extract_groups(_RANGE)
    left = pl.coalesce(groups.struct.field("1"), texts)
    right = pl.coalesce(groups.struct.field("2"), texts)
    first, last = _bounds(left)[0], _bounds(right)[1]
    return pl.when(last >= first).then(first), last - first + 1


def _bounds(piece: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """First and last day of a date of which the day, or the month too, may not be known."""
    groups = piece.str.extract_groups(_PIECE)
    year, month, day = (groups.struct.field(n) for n in "123")
    month, day = (pl.when(part.str.contains(r"^0?[1-9]$|^[1-3][0-9]$")).then(part) for part in (month, day))
    lost = month.is_null() & day.is_not_null()
    year = pl.when(~lost).then(year)
    first = _ymd(year, month.fill_null("1"), day.fill_null("1"))
    whole_year = _ymd(year, pl.lit("12"), pl.lit("31"))
    whole_month = first + _month_length(first) - 1
    last = pl.when(month.is_null()).then(whole_year).when(day.is_null()).then(whole_month).otherwise(first)
    return first, last


_BETWEEN = r"(?:\s*[\-\u2010-\u2015]\s*|\s*\.\.+\s*|\s+(?:to|until|till|through|bis|and|/)\s+)"
_APART = r"(?:\s+[\-/]\s+|\s*[\u2010-\u2015]\s*|\s*\.\.+\s*|\s+(?:to|until|till|through|bis|and)\s+)"
_SHORT_RANGES = (
    # the order of first day, its month, last day, its month, year in the groups
    (rf"^{_DAY}{_BETWEEN}{_DAY}{_GAP}{_OF}{_WORD}{_GAP}{_OF}([0-9]{{4}}){_END}", (1, 3, 2, 3, 4)),
    (rf"^{_WORD}\s+{_DAY}{_BETWEEN}{_DAY}(?:\s*,\s*|\s+)([0-9]{{4}})$", (2, 1, 3, 1, 4)),
    (rf"^{_DAY}\s+{_OF}{_WORD}{_BETWEEN}{_DAY}\s+{_OF}{_WORD}{_GAP}([0-9]{{4}}){_END}", (1, 2, 3, 4, 5)),
    (rf"^{_WORD}\s+{_DAY}{_BETWEEN}{_WORD}\s+{_DAY}(?:\s*,\s*|\s+)([0-9]{{4}})$", (2, 1, 4, 3, 5)),
)
_MONTH_RANGE = rf"^{_WORD}{_BETWEEN}{_WORD}{_GAP}([0-9]{{4}}){_END}"
ABOUT_A_DAY = 3
"""Days on either side of "about 3 May 2015" on which it may have been: a week in all, as ACLED reckons with."""
ABOUT = r"(?i)^(?:circa|ca\.?|c\.?|about|around|approximately|approx\.?|~)\s*"


def ranges(texts: pl.Expr, order: str = "") -> tuple[pl.Expr, pl.Expr]:
    """First days of ranges, and how many days each has; null where the first day is after the last.

    order  "day-first" or "month-first" where dates in numbers are known to be so; else they are read where only one of
           the two makes a range of them
    """
    return _apart(texts, _TWO, partial(_ranges, order=order))


def _about(texts: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Years and months that are said to be near enough: any day of them. About a day: three days before to three days
    after."""
    return _apart(texts, ABOUT, _abouts)


_READ = pl.Struct({"day": pl.Float64, "span": pl.Float64})
_TWO = r"[\-\u2010-\u2015/]|\.\.|\s(?i:to|until|till|through|bis|and)\s"
"""What stands between the two days of every range."""


def _apart(texts: pl.Expr, looks: str, read: Callable[[pl.DataFrame], pl.DataFrame]) -> tuple[pl.Expr, pl.Expr]:
    """Days and how many, by steps over the few texts that may be of a form; in one expression, those steps would be a
    tree of thousands of nodes, which takes a second for any number of texts.

    looks  what each text of the form contains
    read   from a frame with such texts as `text` to one with `day` and `span`
    """

    def batch(values: pl.Series) -> pl.Series:
        frame = pl.DataFrame({"text": values.cast(pl.String)}).with_row_index("row")
        likely = frame.filter(pl.col("text").str.contains(looks))
        if not likely.height:
            return pl.Series(values.name, [None], dtype=_READ).new_from_index(0, len(values))
        found = frame.select("row").join(read(likely), on="row", how="left", maintain_order="left")
        return found.select(pl.struct("day", "span"))["day"].alias(values.name)

    found = texts.map_batches(batch, return_dtype=_READ, is_elementwise=True)
    return found.struct.field("day"), found.struct.field("span")


def _ranges(frame: pl.DataFrame, order: str) -> pl.DataFrame:
    text = pl.col("text").str.to_lowercase().str.replace(r"^(?:between|from)\s+", "")
    sides = text.str.extract_groups(rf"^(.*?[0-9]{{2}}.*?){_APART}(.*[0-9]{{2}}.*)$")
    frame = frame.with_columns(text, left=sides.struct.field("1"), right=sides.struct.field("2"))
    text, left, right = pl.col("text"), pl.col("left"), pl.col("right")
    found = []
    for pattern, (first_day, first_month, last_day, last_month, year) in _SHORT_RANGES:
        groups = text.str.extract_groups(pattern)
        part = {n: groups.struct.field(str(n)) for n in range(1, year + 1)}
        found.append((_ymd(part[year], _month(part[first_month]), part[first_day]),
                      _ymd(part[year], _month(part[last_month]), part[last_day])))  # fmt: skip
    groups = text.str.extract_groups(_MONTH_RANGE)
    one, other = (_ymd(groups.struct.field("3"), _month(groups.struct.field(n)), pl.lit("1")) for n in "12")
    found.append((one, other + _month_length(other) - 1))
    for name in ("words", "slashed", "dotted"):
        last, more = _dates(right, name)
        found.append((_dates(left, name)[0], last if more is None else last + more - 1))
    for name in (order,) if order else ("day-first", "month-first"):
        found.append((_dates(left, name)[0], _dates(right, name)[0]))
    pairs = {
        f"{side}{k}": day for k, pair in enumerate(found) for side, day in zip(("first", "last"), pair, strict=True)
    }
    frame = frame.with_columns(**pairs)
    if not order:
        frame = _in_one_order(frame, len(found) - 2, len(found) - 1)
    sound = [pl.col(f"last{k}") >= pl.col(f"first{k}") for k in range(len(found))]
    days = [pl.when(right).then(f"first{k}") for k, right in enumerate(sound)]
    spans = [pl.when(right).then(pl.col(f"last{k}") - pl.col(f"first{k}") + 1) for k, right in enumerate(sound)]
    return frame.select("row", day=pl.coalesce(days), span=pl.coalesce(spans))


def _in_one_order(frame: pl.DataFrame, by_day: int, by_month: int) -> pl.DataFrame:
    """Ranges that both orders make, of different days, are none; those that both make alike stand once."""
    (d_first, d_last), (m_first, m_last) = ((pl.col(f"first{k}"), pl.col(f"last{k}")) for k in (by_day, by_month))
    is_day, is_month = (d_last >= d_first).fill_null(False), (m_last >= m_first).fill_null(False)
    same = (d_first == m_first) & (d_last == m_last)
    return frame.with_columns(
        pl.when(is_day & (~is_month | same)).then(d_first).alias(f"first{by_day}"),
        pl.when(is_month & ~is_day).then(m_first).alias(f"first{by_month}"),
    )


def _abouts(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(pl.col("text").str.replace(ABOUT, ""))
    near = pl.col("text")
    columns: dict[str, pl.Expr] = {}
    for name in ("year", "words", "partial"):
        columns[name], span = _dates(near, name)
        columns[f"{name} span"] = pl.lit(1.0) if span is None else span
    for name in ("day", "dotted", "slashed"):
        columns[name] = _dates(near, name)[0]
    frame = frame.with_columns(**columns)
    days = pl.coalesce("day", "words", "dotted", "slashed")
    wide = [(pl.col(name), pl.col(f"{name} span")) for name in ("year", "words", "partial")]
    first = pl.coalesce([pl.when(span > 1).then(day) for day, span in wide] + [days - ABOUT_A_DAY])
    about = pl.when(days.is_not_null()).then(2.0 * ABOUT_A_DAY + 1)
    span = pl.coalesce([pl.when((span > 1) & day.is_not_null()).then(span) for day, span in wide] + [about])
    return frame.select("row", day=first, span=span)


_SPECIAL: dict[str, Callable[[pl.Expr], tuple[pl.Expr, pl.Expr | None]]] = {
    "compact-number": _compact_number,
    "words": _words,
    "week": _weeks,
    "quarter": _quarters,
    "year": _years,
    "partial": _partial,
    "range": ranges,
    "about": _about,
}


def _resolution(form: str) -> str:
    if any(part in form for part in ("%H", "%I", "%T", "%s", "%R", "%c", "%+", "%r", "%X")):
        return "second"
    return "day" if any(part in form for part in ("%d", "%e", "%j", "%D", "%F", "%x", "%u", "%w")) else "month"
