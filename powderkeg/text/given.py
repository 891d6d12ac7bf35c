"""A table of sentences whose source and target are given becomes an event table with one row each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from powderkeg.events.codes import entries
from powderkeg.events.table import EventTable
from powderkeg.text.coder import FAINT, SCHEMA, day_of
from powderkeg.text.giving import classified
from powderkeg.text.reports import Report, reports

UNDATED = dt.date(2000, 1, 1)
"""The day of rows without one: what is asked here is the act alone."""


def code_given(
    paths: Iterable[str | Path],
    date: dt.date | str | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
    patterns: Sequence[str | Path] = (),
    actors: Sequence[str | Path] = (),
    least: float = 0.0,
    statements: bool = False,
    opinion: bool = True,
) -> EventTable:
    """One row for each row of the tables: what its source does to its target; never nothing.

    least  least probability of an act that is told; rows that are less sure are left out, and counted
    """
    kept: list[Report] = [one for one in reports(paths, day_of(date), mapping, given=True) if one.given is not None]
    asked = [(one.text, *(one.given or ("", ""))) for one in kept]
    rows: list[tuple[Any, ...]] = []
    files = {"patterns": tuple(map(str, patterns)), "actors": tuple(map(str, actors))}
    found = classified(asked, statements=statements, opinion=opinion, **files)
    for report, (text, source, target), one in zip(kept, asked, found, strict=True):
        if one.probability < least:
            continue
        when = float((report.day or UNDATED).toordinal())
        rows.append(
            (when, source or "?", one.code, target or None, one.code, one.code, one.tone,
             entries("cameo")[one.code].goldstein, source, target, None, None, None, None, report.id, report.name,
             report.line, 1.0, one.probability, 1, text, None, " < ".join(one.rules), None, report.source or None)
        )  # fmt: skip
    faint = len(kept) - len(rows)
    frame = (
        pl.DataFrame(rows, schema=SCHEMA, orient="row")
        .with_columns(given=pl.lit(True))
        .sort("time", maintain_order=True)
    )
    first = int(frame["time"].min()) if rows else UNDATED.toordinal()  # type: ignore[arg-type]
    days = float(int(frame["time"].max()) - first + 1) if rows else 1.0  # type: ignore[arg-type]
    account = {
        "format": "text", "codebooks": ["cameo"], "reports": len(kept), "sentences": len(kept), "rows_read": len(kept),
        "rows_kept": len(rows), "rows_set_aside": 0, "rows_dropped": {FAINT: faint} if faint else {},
        "set_aside_by_reason": {}, "unknown_codes": {}, "said": [],
    }  # fmt: skip
    return EventTable(frame.with_columns(pl.col("time") - first), dt.date.fromordinal(first), days, "day", account)
