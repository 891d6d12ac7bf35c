"""Does a table that says it is ours have the shape that ours have?

In: what stands in its file beside the columns, and the columns. Out: every fault, by name. Such a file may have been
made by another hand or changed by one: each field and column is checked for its type and range before anything uses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from powderkeg.errors import Fault
from powderkeg.events.table import REQUIRED, RESOLUTIONS
from powderkeg.events.times import EARLIEST, LATEST

VERSION = 1
MOST_DAYS = float((LATEST - EARLIEST).days + 1)
SHOWN = 80
Check = Callable[[Any], bool]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and EARLIEST <= date.fromisoformat(value) <= LATEST
    except ValueError:
        return False


def _is_length(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 < value <= MOST_DAYS


def _list_of(*kinds: Check) -> Check:
    """A list of one kind, or of rows whose cells are of these kinds."""
    if len(kinds) == 1:
        return lambda value: isinstance(value, list) and all(map(kinds[0], value))
    return lambda value: (
        isinstance(value, list)
        and all(
            isinstance(row, list)
            and len(row) == len(kinds)
            and all(k(cell) for k, cell in zip(kinds, row, strict=True))
            for row in value
        )
    )


def _counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _or_none(kind: Check) -> Check:
    return lambda value: value is None or kind(value)


ABOUT: Mapping[str, tuple[Check, str]] = {
    "start": (_is_day, f"a day from {EARLIEST} to {LATEST}"),
    "days": (_is_length, f"more than 0 and at most {MOST_DAYS:,.0f} days"),
    "resolution": (lambda value: value in RESOLUTIONS, f"one of {', '.join(RESOLUTIONS)}"),
    "account": (lambda value: isinstance(value, dict), "an account, name by name"),
    "coverage": (_or_none(_list_of(_is_day, _is_count)), "months with their number of events"),
    "quarantine": (_or_none(_list_of(_is_text, _is_count, _is_text, _is_text)), "rows of file, line, reason and text"),
}
"""What stands beside the columns: what it must be, and that in words."""

COUNTS = ("files", "rows_read", "rows_kept", "rows_set_aside", "recoded", "trimmed", "dated_a_year_early")
COUNTS_BY_NAME = ("rows_dropped", "set_aside_by_reason", "unknown_codes")
LISTS = ("codebooks", "said", "files_passed_over")

NUMBERS = ("time", "goldstein", "weight", "deaths", "span")
WHOLE = ("replicate", "channel", "parent", "line", "delay", "changed")
TEXTS = (
    "source", "act", "target", "mechanism", "code", "cameo", "tone", "source_name", "target_name", "source_country",
    "target_country", "source_sectors", "target_sectors", "event_id", "file",
)  # fmt: skip


def faults_of_about(about: object, file: str) -> list[Fault]:
    """What is wrong with what stands beside the columns."""
    if not isinstance(about, dict):
        return [Fault(file, None, "", f"broken: {_shown(about)} beside its columns", "a table that powderkeg wrote")]
    version = about.get("version")
    if not isinstance(version, int) or not _is_count(version):
        return [Fault(file, None, "version", _shown(version), "a whole number")]
    if version > VERSION:
        return [Fault(file, None, "version", str(version), f"version {VERSION} or older")]
    faults = [
        Fault(file, None, name, _shown(about[name]) if name in about else "missing", expected)
        for name, (is_right, expected) in ABOUT.items()
        if name not in about or not is_right(about[name])
    ]
    account = about.get("account")
    return faults + ([] if not isinstance(account, dict) else list(_faults_of_account(account, file)))


def faults_of_frame(frame: pl.DataFrame, about: Mapping[str, Any], file: str) -> list[Fault]:
    """What is wrong with the columns, given what stands beside them (and is right)."""
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        found = f"no column {', '.join(missing)}"
        return [Fault(file, None, "", found, f"columns {', '.join(REQUIRED)}")]
    faults = list(_faults_of_types(frame, file))
    if faults:
        return faults
    faults.extend(_faults_of_values(frame, float(about["days"]), file))
    kept = about["account"].get("rows_kept")
    if kept is not None and kept != frame.height:
        expected = f"the {kept:,} rows that its account says were kept; part of a table is written by `write_events`"
        faults.append(Fault(file, None, "", f"{frame.height:,} rows", expected))
    return faults


def typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns in which nothing stands, and of which a file therefore does not say what would, as what they are."""
    kinds = ((NUMBERS, pl.Float64), (WHOLE, pl.Int32), (TEXTS, pl.String))
    nothing = [(name, kind) for names, kind in kinds for name in names if frame.schema.get(name) == pl.Null]
    return frame.with_columns(pl.col(name).cast(kind) for name, kind in nothing)


def _faults_of_account(account: Mapping[str, Any], file: str) -> Iterator[Fault]:
    checks: dict[str, tuple[Check, str]] = {
        **dict.fromkeys(COUNTS, (_is_count, "a count")),
        **dict.fromkeys(COUNTS_BY_NAME, (_counts, "counts by name")),
        **dict.fromkeys(LISTS, (_list_of(_is_text), "a list of texts")),
        "format": (lambda value: _is_text(value) or _list_of(_is_text)(value), "the name of a format, or several"),
        "files_at_fault": (lambda value: isinstance(value, list), "a list of faults"),
    }
    for name, (is_right, expected) in checks.items():
        if name in account and not is_right(account[name]):
            yield Fault(file, None, f"account.{name}", _shown(account[name]), expected)
    needed = ("rows_read", "rows_kept", "rows_set_aside", "rows_dropped")
    missing = [name for name in needed if name not in account]
    if missing and len(missing) < len(needed):
        yield Fault(file, None, "account", f"no {', '.join(missing)}", "the whole account of rows")


def _faults_of_types(frame: pl.DataFrame, file: str) -> Iterator[Fault]:
    for name, dtype in frame.schema.items():
        is_text = isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Null))
        if name in NUMBERS and not (dtype.is_numeric() or (dtype == pl.Null and name != "time")):
            yield Fault(file, None, f"column {name}", f"values of the type {dtype}", "numbers")
        elif name in WHOLE and not (dtype.is_integer() or dtype == pl.Null):
            yield Fault(file, None, f"column {name}", f"values of the type {dtype}", "whole numbers")
        elif name in TEXTS and not is_text:
            yield Fault(file, None, f"column {name}", f"values of the type {dtype}", "text")


def _faults_of_values(frame: pl.DataFrame, days: float, file: str) -> Iterator[Fault]:
    def bad(name: str, wrong: pl.Expr, expected: str) -> Iterator[Fault]:
        row = frame.select(wrong.fill_null(False).arg_max())[0, 0] if frame.height else None
        if row is not None and frame.select(wrong.fill_null(False).any())[0, 0]:
            yield Fault(file, None, f"column {name}, row {row + 1}", _shown(frame[name][row]), expected)

    time = pl.col("time").cast(pl.Float64)
    inside = time.is_finite() & (time >= 0) & (time <= days)
    yield from bad("time", ~inside | time.is_null(), f"0 to {days:g}, days since the start of the window")
    for name in ("source", "act"):
        yield from bad(name, pl.col(name).is_null(), "a name")
    for name in NUMBERS[1:]:
        if name in frame.columns and frame.schema[name].is_float():
            yield from bad(name, ~pl.col(name).is_finite(), "a finite number, or none")
    for name in ("span", "deaths", "weight", "delay", "changed"):
        if name in frame.columns:
            yield from bad(name, pl.col(name) < 0, "0 or more")
    later = time.diff() >= 0
    if "replicate" in frame.columns:
        step = pl.col("replicate").cast(pl.Int64).diff()
        later = (step > 0) | ((step == 0) & later)
    in_order = frame.select(later.all())[0, 0]
    if not in_order:
        yield Fault(file, None, "column time", "rows that are not in order of time", "rows in order of time")


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = "something too deep or too large to show"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
