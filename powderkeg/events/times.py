"""When did it happen, and how exactly do we know?

In: texts of one column. Out: days since 1 January 1970 as numbers, missing where a text is no date. Nothing invents a
time of day: a text without one is the day, and the table then says that its resolution is a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

EPOCH = date(1970, 1, 1)
EARLIEST, LATEST = date(1800, 1, 1), date(2100, 12, 31)
NUMBERS = ("whole", "exact")
NEVER_GUESSED = ("keds", *NUMBERS)
MICROSECONDS = 86_400_000_000


@dataclass(frozen=True)
class Form:
    """A way to write a date. `formats` are tried in turn; `resolution` is what the text is good for."""

    formats: tuple[str, ...]
    resolution: str
    shown: str


TIME_FORMS = {
    "day": Form(("%Y-%m-%d",), "day", "2018-06-01"),
    "compact": Form(("%Y%m%d",), "day", "20180601"),
    "slashed": Form(("%Y/%m/%d",), "day", "2018/06/01"),
    "long": Form(("%d %B %Y", "%d-%B-%Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y"), "day", "1 June 2018"),
    "us-long": Form(("%B %d, %Y", "%b %d, %Y"), "day", "June 1, 2018"),
    "dotted": Form(("%d.%m.%Y",), "day", "01.06.2018"),
    "day-first": Form(("%d/%m/%Y", "%d-%m-%Y"), "day", "01/06/2018, first of June"),
    "month-first": Form(("%m/%d/%Y", "%m-%d-%Y"), "day", "06/01/2018, first of June"),
    "month": Form(("%Y-%m",), "month", "2018-06"),
    "second": Form(
        ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"),
        "second", "2018-06-01 14:30:00, in UTC",
    ),
    "zoned": Form(("%+", "%Y-%m-%d %H:%M:%S%.f%:z"), "second", "2018-06-01T14:30:00+02:00"),
    "seconds": Form(("%Y%m%d%H%M%S",), "second", "20180601143000"),
    "midnight": Form(
        ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d"), "day", "2018-06-01 00:00:00, day only",
    ),
    "keds": Form(("%Y%m%d",), "day", "990601, or 19990601"),
    "whole": Form((), "day", "152, days since the start"),
    "exact": Form((), "exact", "152.25, days since the start"),
}  # fmt: skip


def days_of(texts: pl.Expr, form: str) -> pl.Expr:
    """Days since 1970-01-01 as Float64, a whole number where the form is a day; null where the text is no date.

    form  key of TIME_FORMS, or a format such as "%d/%m/%y"
    """
    if form in NUMBERS:
        return texts.cast(pl.Float64, strict=False)
    one = TIME_FORMS.get(form) or Form((form,), _resolution(form), form)
    if form == "keds":
        texts = (
            pl.when(texts.str.len_bytes() == 6)
            .then(pl.when(texts.str.slice(0, 2) >= "45").then(pl.lit("19")).otherwise(pl.lit("20")) + texts)
            .otherwise(texts)
        )
    if one.resolution == "day" and form != "midnight":
        parsed = [texts.str.to_date(f, strict=False) for f in one.formats]
        return pl.coalesce(parsed).cast(pl.Int32).cast(pl.Float64)
    if one.resolution == "month":
        return pl.coalesce([texts.str.to_date(f, strict=False) for f in one.formats]).cast(pl.Int32).cast(pl.Float64)
    moments = [
        texts.str.to_datetime(f, strict=False, time_unit="us", time_zone="UTC" if f == "%+" or "z" in f else None)
        .cast(pl.Int64)
        for f in one.formats
    ]  # fmt: skip
    days = pl.coalesce(moments) / MICROSECONDS
    return days.floor() if form == "midnight" else days


def resolution_of(form: str) -> str:
    """What stamps of this form are good for: day, month or second."""
    return TIME_FORMS[form].resolution if form in TIME_FORMS else _resolution(form)


def likeliest_form(stamps: Iterable[str]) -> list[str]:
    """The forms that read most of these texts; more than one if they cannot be told apart, none if none reads any.

    Forms that read every text to the same days are one. Stamps that are all at midnight are days.
    """
    texts = pl.DataFrame({"t": [text for text in stamps if text]}, schema={"t": pl.String})
    if not texts.height:
        return []
    read: dict[str, list[float | None]] = {}
    for name in TIME_FORMS:
        if name not in NEVER_GUESSED:
            read[name] = texts.select(t=days_of(pl.col("t"), name))["t"].to_list()
    count = {name: sum(value is not None for value in values) for name, values in read.items()}
    best = max(count.values())
    if not best:
        return []
    if count["midnight"] == best and count["second"] < best and count["day"] < best:
        return ["midnight"]
    if {"day-first", "month-first"} <= {name for name in count if count[name] == best}:
        # Even where every text reads the same both ways (5/5/2018): the next rows may not.
        return ["day-first", "month-first"]
    chosen: list[str] = []
    for name in (name for name in TIME_FORMS if name != "midnight" and name in count and count[name] == best):
        if not any(read[other] == read[name] for other in chosen):
            chosen.append(name)
    if chosen == ["second"] and all(v is None or v == int(v) for v in read["second"]):
        return ["midnight"]
    return chosen


def _resolution(form: str) -> str:
    if any(part in form for part in ("%H", "%I", "%T", "%s", "%R", "%c", "%+")):
        return "second"
    return "day" if any(part in form for part in ("%d", "%e", "%j", "%D", "%F", "%x")) else "month"
