"""Covariates out of a table: one row for a date or a span of days.

In: a scenario, and a CSV file or rows. Out: the scenario with these values of the covariates that the rows name. Which
covariates there are, what each is, and which gates read it stays in the scenario: rows say what was the case when.

    name,date,value,who,towards
    sanctions,2016-07-01,1,,
    election,2019-03-01/2019-04-30,1,town,

A date alone holds until the next row of the same name and actors, the last for good; a span for its days.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.reading import Quantity
from powderkeg.scenario.covariates import CovariateSpan
from powderkeg.scenario.declared import Scenario
from powderkeg.scenario.files import Given, dump, loads, scenario_of

COLUMNS = ("name", "date", "value", "who", "towards")
"""All but the first two may be left out: the value is then 1, and it holds for all."""
LARGEST = 1e6
"""As in a scenario's file."""


@dataclass(frozen=True)
class CovariateRow:
    """One row: `last` is None for a date that holds until the next."""

    name: str
    first: date
    last: date | None
    value: float
    who: str | None
    towards: str | None
    line: int


def with_covariates(scenario: Given, table: str | Path | Iterable[Mapping[str, Any]]) -> Scenario:
    """The scenario with values of its covariates from a table, in place of all that it said of those named there.

    table  a CSV file, or rows such as {"name": "sanctions", "date": "2016-07-01", "value": 1}: `date` may be a span
           ("2019-03-01/2019-04-30"), `who` and `towards` name actors

    Raises UsageError with the line of every fault: an unknown covariate, actor or column, a date that is none, two
    values at once.
    """
    scenario = scenario_of(scenario)
    where = str(table) if isinstance(table, str | Path) else None
    faults: list[Fault] = []
    rows = [
        row for line, cells in _lines(table, faults) if (row := _row(cells, line, scenario, where, faults)) is not None
    ]
    _refuse_doubles(rows, where, faults)
    if faults:
        raise UsageError(faults)
    if not rows:
        raise UsageError(Fault(where, None, "", "no rows", "rows of name, date and value"))
    covariates = dict(scenario.covariates)
    for name in dict.fromkeys(row.name for row in rows):
        own = sorted((row for row in rows if row.name == name), key=lambda row: row.first)
        lasting = [row for row in own if row.last is None and row.who is None and row.towards is None]
        covariates[name] = replace(
            covariates[name],
            values=tuple((row.first, Quantity(row.value)) for row in lasting),
            spans=tuple(_span(row, own) for row in own if row not in lasting),
        )
    return loads(dump(replace(scenario, covariates=covariates)), file=where or "covariates")


def _span(row: CovariateRow, own: list[CovariateRow]) -> CovariateSpan:
    """The days of a row: to its end, or until the next date of the same actors."""
    last = row.last
    if last is None:
        later = [one.first for one in own if one.last is None and _whose(one) == _whose(row) and one.first > row.first]
        last = min(later) - timedelta(days=1) if later else None
    return CovariateSpan(row.first, last, Quantity(row.value), row.who, row.towards)


def _whose(row: CovariateRow) -> tuple[str, str | None, str | None]:
    return row.name, row.who, row.towards


def _lines(table: str | Path | Iterable[Mapping[str, Any]], faults: list[Fault]) -> list[tuple[int, dict[str, str]]]:
    """(line, text by column) of every row."""
    if not isinstance(table, str | Path):
        return [
            (k, {str(key): "" if cell is None else str(cell) for key, cell in row.items()})
            for k, row in enumerate(table, start=1)
        ]
    try:
        with Path(table).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            found = [(reader.line_num, row) for row in reader]
            columns = [name or "" for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = f"a file that cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(Fault(str(table), None, "", reason, "a CSV file")) from error
    missing = [name for name in COLUMNS[:2] if name not in columns]
    expected = f"a first line with name and date, and any of {', '.join(COLUMNS[2:])}"
    for name in columns:
        if name not in COLUMNS:
            faults.append(Fault(str(table), 1, name, "an unknown column", expected, nearest_name(name, COLUMNS)))
    if missing:
        faults.append(Fault(str(table), 1, "", f"no column {' and no column '.join(missing)}", expected))
    if faults:
        return []
    for line, row in found:
        if None in row:
            faults.append(Fault(str(table), line, "", "more cells than columns", f"{len(columns)} cells"))
    return [(line, {key: cell or "" for key, cell in row.items() if key is not None}) for line, row in found]


def _row(
    cells: Mapping[str, str], line: int, scenario: Scenario, file: str | None, faults: list[Fault]
) -> CovariateRow | None:
    """A row read, None for one with faults, which are added."""
    before = len(faults)

    def tell(column: str, found: str, expected: str, near: str | None = None) -> None:
        faults.append(Fault(file, line, column if file else f"row {line}: {column}", found, expected, near))

    text = {key: cell.strip() for key, cell in cells.items()}
    for key in text:
        if key not in COLUMNS and file is None:
            tell(key, "an unknown column", f"one of {', '.join(COLUMNS)}", nearest_name(key, COLUMNS))
    name = text.get("name", "")
    if name not in scenario.covariates:
        known = tuple(scenario.covariates)
        tell("name", f"unknown covariate {name!r}", f"a covariate of the scenario: {', '.join(known) or 'it has none'}",
             nearest_name(name, known))  # fmt: skip
    days: list[date] = []
    for one in text.get("date", "").split("/"):
        try:
            days.append(date.fromisoformat(one.strip()))
        except ValueError:
            tell("date", repr(text.get("date", "")), "a date such as 2016-07-01, or days such as 2016-07-01/2016-08-31")
            break
    if len(days) > 2 or (len(days) == 2 and days[1] < days[0]):
        tell("date", repr(text["date"]), "a first day and a last one, not before it")
    value = 1.0
    if written := text.get("value", ""):
        try:
            value = float(written)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            tell("value", repr(written), f"a number from {-LARGEST:g} to {LARGEST:g}")
    whose: list[str | None] = []
    for column in ("who", "towards"):
        actor = text.get(column) or None
        if actor is not None and actor not in scenario.actors:
            tell(column, f"unknown actor {actor!r}", "an actor of the scenario", nearest_name(actor, scenario.actors))
        whose.append(actor)
    if len(faults) > before:
        return None
    return CovariateRow(name, days[0], days[1] if len(days) == 2 else None, value, whose[0], whose[1], line)


def _refuse_doubles(rows: list[CovariateRow], file: str | None, faults: list[Fault]) -> None:
    """Two values of one covariate for the same actors at once."""
    seen: dict[tuple[Any, ...], int] = {}
    for row in rows:
        key = (*_whose(row), row.first, row.last)
        if key in seen:
            where = f"{row.name} on {row.first}"
            faults.append(Fault(file, row.line, where, f"a second value, after line {seen[key]}", "one value"))
        seen.setdefault(key, row.line)
