"""A table of dated standoffs, one a row, as a frame that lines can be computed from like from simulated ones.

In: a CSV file with columns start, end, opener, end_state, and any of id, hurt, injured, deaths and columns that marks
read. Out: a frame with the columns of `episodes` that lines use, or every fault of the file at once.
Dates may be partial: 2016-12 begins on its first day or ends on its last.
"""

from __future__ import annotations

import calendar
import csv
import io
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from powderkeg.analyze import END_STATES
from powderkeg.errors import EventError, Fault, UsageError, nearest_name
from powderkeg.score.definition import AFTERMATH, Mark, Window

NEEDED = ("start", "end", "opener", "end_state")
MOST_BYTES = 10_000_000
WORDS = {"yes": True, "no": False, "true": True, "false": False}

SCHEMA = {
    "replicate": pl.Int64,
    "id": pl.String,
    "start": pl.Float64,
    "last": pl.Float64,
    "days": pl.Float64,
    "calendar_days": pl.Int64,
    "first_day": pl.Date,
    "last_day": pl.Date,
    "opener": pl.String,
    "end_state": pl.String,
    "hurt": pl.Boolean,
    "deaths": pl.Boolean,
    "killed": pl.Int64,
}


def read_table(path: Any, marks: Mapping[str, Mark], window: Window | None = None) -> tuple[pl.DataFrame, Window]:
    """The standoffs of a table that begin within the window, in order, and the window.

    path     a file, or a resource of the package
    marks    each adds a column with 1 where the row has the mark, else 0
    window   by default from the first onset to the last day of the table

    Raises EventError with every fault of the table, UsageError if there is no such file.
    """
    name = str(path.name if hasattr(path, "name") and not isinstance(path, Path) else path)
    lines = _lines(path, name)
    faults: list[Fault] = []
    heads = lines[0][1] if lines else []
    wanted = [*NEEDED, *dict.fromkeys(mark.column for mark in marks.values())]
    for column in dict.fromkeys(wanted):
        if column not in heads:
            expected = f"columns {', '.join(dict.fromkeys(wanted))}"
            faults.append(Fault(name, 1, column, "no such column", expected, nearest_name(column, heads)))
    if not faults and len(lines) < 2:
        faults.append(Fault(name, None, "", "no row", "at least one standoff"))
    if faults:
        raise EventError(faults, AFTERMATH)
    rows = [_row(dict(zip(heads, cells, strict=False)), name, line, marks, faults) for line, cells in lines[1:]]
    for (line, cells), row in zip(lines[1:], rows, strict=True):
        if len(cells) != len(heads):
            faults.append(Fault(name, line, "", f"{len(cells)} fields", f"{len(heads)}, as in the first line"))
        elif row is not None and row["last_day"] < row["first_day"]:
            faults.append(Fault(name, line, "end", f"{row['last_day']}, before start", f"{row['first_day']} or later"))
    if faults:
        raise EventError(sorted(faults, key=lambda fault: fault.line or 0), AFTERMATH)
    whole = [row for row in rows if row is not None]
    first = min(row["first_day"] for row in whole)
    span = window or Window(first, max(row["last_day"] for row in whole))
    kept = sorted((row for row in whole if span.from_ <= row["first_day"] <= span.to), key=lambda row: row["first_day"])
    if not kept:
        expected = f"standoffs between {span.from_} and {span.to}"
        raise EventError(Fault(name, None, "", "no standoff within the window", expected), AFTERMATH)
    for row in kept:
        row["start"] = float((row["first_day"] - span.from_).days)
        row["last"] = float((row["last_day"] - span.from_).days)
        row["days"] = row["last"] - row["start"]
    return pl.DataFrame(kept, schema={**SCHEMA, **dict.fromkeys(marks, pl.Int64)}), span


def _lines(path: Any, name: str) -> list[tuple[int, list[str]]]:
    """Line number and fields of every row that is not empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            Fault(name, None, "", f"cannot be read: {reason}", "a table of standoffs"), AFTERMATH
        ) from None
    if len(data) > MOST_BYTES:
        found = f"a file of {len(data) / 1e6:.1f} MB"
        raise EventError(Fault(name, None, "", found, f"at most {MOST_BYTES // 1_000_000} MB"), AFTERMATH)
    try:
        text = data.decode("utf-8-sig")
        if "\x00" in text:
            raise EventError(Fault(name, None, "", "a binary file", "text: a CSV file in UTF-8"), AFTERMATH)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EventError(Fault(name, line, "", "not UTF-8 text", "a CSV file in UTF-8"), AFTERMATH) from None
    except csv.Error as error:
        raise EventError(Fault(name, reader.line_num, "", str(error), "a CSV file"), AFTERMATH) from None


def _row(
    cells: Mapping[str, str], name: str, line: int, marks: Mapping[str, Mark], faults: list[Fault]
) -> dict[str, Any] | None:
    before = len(faults)

    def wrong(column: str, found: str, expected: str, nearest: str | None = None) -> None:
        faults.append(Fault(name, line, column, found, expected, nearest))

    def day(column: str, *, at_end: bool) -> date | None:
        text = cells.get(column, "")
        made = _day(text, at_end)
        if made is None:
            wrong(column, f"{text!r}", "a date such as 2022-12-10, or 2016-12 where the day is not known")
        return made

    def count(column: str) -> int:
        text = cells.get(column, "")
        if text and not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            wrong(column, f"{text!r}", "a number, or nothing where it is not known")
            return 0
        return int(text or 0)

    first, last = day("start", at_end=False), day("end", at_end=True)
    injured, killed = count("injured"), count("deaths")
    hurt = cells.get("hurt", "")
    if hurt and hurt not in WORDS:
        wrong("hurt", f"{hurt!r}", "yes or no", nearest_name(hurt, WORDS))
    state = cells.get("end_state", "")
    if state not in END_STATES:
        wrong("end_state", f"{state!r}", f"one of {', '.join(END_STATES)}", nearest_name(state, END_STATES))
    if len(faults) > before or first is None or last is None:
        return None
    row = {
        "replicate": 0,
        "id": cells.get("id") or first.isoformat(),
        "calendar_days": (last - first).days + 1,
        "first_day": first,
        "last_day": last,
        "opener": cells.get("opener") or None,
        "end_state": state,
        "hurt": WORDS[hurt] if hurt else injured + killed > 0,
        "deaths": killed > 0,
        "killed": killed,
    }
    for mark_name, mark in marks.items():
        words = re.split(r"[\s;|]+", cells.get(mark.column, ""))
        row[mark_name] = int(mark.has in words if mark.has is not None else any(words))
    return row


def _day(text: str, at_end: bool) -> date | None:
    found = re.fullmatch(r"(\d{4})-(\d{2})(?:-(\d{2}))?", text, re.ASCII)
    if found is None:
        return None
    year, month = int(found[1]), int(found[2])
    try:
        if found[3] is not None:
            return date(year, month, int(found[3]))
        return date(year, month, calendar.monthrange(year, month)[1] if at_end else 1)
    except (ValueError, calendar.IllegalMonthError):
        return None
