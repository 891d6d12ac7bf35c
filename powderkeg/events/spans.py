"""On which days may an event have happened, where its source does not know the day?

In: what a source says of a day: a last possible day, or a degree of precision. Out: the first possible day and the
number of days from it on; and, of a table, how many days are not known, in words.

Sources: ACLED codebook, "time precision": 1 the day; 2 some time in a week or a like period, dated to its middle; 3 the
month, dated to its middle. UCDP GED codebook, `date_prec`: 1 the day; 2 two to six days; 3 the week; 4 the month (8 to
30 days); 5 more than a month, up to a year; `date_start` and `date_end` bound it.
"""

from __future__ import annotations

from typing import Any

import polars as pl

WEEK = 7
GRADES = ((7, "within a week"), (31, "a month"), (366, "a year"))
UCDP_DAYS = {"1": 1, "2": 6, "3": 7, "4": 31, "5": 366}
"""Days from the first possible one on, by UCDP's `date_prec`, where no last day stands."""


def acled_span(day: pl.Expr, precision: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """First possible day and number of possible days of ACLED's dates, which stand in the middle of their period.

    precision  "1", "2", "3"; anything else is a day known
    """
    date = day.floor().cast(pl.Int32).cast(pl.Date)
    month = date.dt.month_start().cast(pl.Int32).cast(pl.Float64)
    length = (date.dt.month_end().cast(pl.Int32) - date.dt.month_start().cast(pl.Int32) + 1).cast(pl.Float64)
    first = pl.when(precision == "2").then(day.floor() - WEEK // 2).when(precision == "3").then(month).otherwise(day)
    days = pl.when(precision == "2").then(float(WEEK)).when(precision == "3").then(length).otherwise(1.0)
    return first, days


def ucdp_span(precision: pl.Expr) -> pl.Expr:
    """Number of possible days by UCDP's `date_prec`, from the first possible one on."""
    return precision.replace_strict(
        list(UCDP_DAYS), [float(n) for n in UCDP_DAYS.values()], default=1.0, return_dtype=pl.Float64
    )


def unsure(frame: pl.DataFrame) -> dict[str, int]:
    """Rows whose day is not known, by how unsure it is: "within a week", "a month", "a year", "longer"."""
    if "span" not in frame.columns:
        return {}
    span = frame["span"].fill_null(1.0).fill_nan(1.0)
    found: dict[str, int] = {}
    least = 1.0
    for most, name in (*GRADES, (float("inf"), "longer")):
        number = int(((span > least) & (span <= most)).sum())
        if number:
            found[name] = number
        least = most
    return found


def words_for_unsure(table: Any) -> str:
    """What every screen that reads events says of days that are not known: "4 of 5 days are not known to the day: 1
    within a week, 2 a month, 1 a year"; nothing where all are.

    table  an EventTable
    """
    found = unsure(table.frame)
    number = sum(found.values())
    if not number:
        return ""
    of = f"{number:,} of {table.frame.height:,} days {'is' if number == 1 else 'are'} not known to the day"
    return f"{of}: {', '.join(f'{n:,} {grade}' for grade, n in found.items())}"
