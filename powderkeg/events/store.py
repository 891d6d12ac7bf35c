"""How does an event table go into a file and come back the same?

In: an `EventTable`, and a path. Out: one Parquet file whose metadata hold what the columns cannot: start, length,
resolution, account, coverage, and the rows that were set aside. Other tools read the columns as they read any Parquet.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from powderkeg.errors import EventError, Fault
from powderkeg.events.account import QUARANTINE
from powderkeg.events.table import EventTable
from powderkeg.writing.files import is_of_disk, reason, replacing

KEY = "powderkeg.events"
VERSION = 1
MOST_BAD_ROWS = 10_000


def write_events(table: EventTable, path: str | Path) -> None:
    """Write a table as one Parquet file. A file of that name is replaced only once the new one is whole."""
    metadata = _metadata(table.start, table.days, table.resolution, table.account, table.coverage, table.quarantine)
    with _replacing(Path(path)) as part:
        table.frame.write_parquet(part, metadata=metadata)


def write_slices(slices: Iterable[Path], path: Path, about: dict[str, Any]) -> None:
    """Join Parquet files, in order, into one such table; only a part of them is in memory at a time.

    about  start, days, resolution, account, coverage, quarantine, as `EventTable` has them
    """
    metadata = _metadata(**about)
    with _replacing(path) as part:
        pl.scan_parquet(list(slices), missing_columns="insert").sink_parquet(part, metadata=metadata)


def read_table(path: str | Path) -> EventTable:
    """The table that `write_events` wrote.

    Raises EventError for a file that is none.
    """
    file = Path(path)
    about = _about(file)
    if about is None:
        raise EventError(
            Fault(str(path), None, "", "not a table that powderkeg wrote", "a file of `events read --out`")
        )
    try:
        if about["version"] > VERSION:
            raise EventError(Fault(str(path), None, "", f"version {about['version']}", f"version {VERSION} or older"))
        coverage = about["coverage"]
        quarantine = about["quarantine"]
        return EventTable(
            pl.read_parquet(file),
            start=date.fromisoformat(about["start"]),
            days=float(about["days"]),
            resolution=about["resolution"],
            account=about["account"],
            coverage=None if coverage is None else _coverage(coverage),
            quarantine=None if quarantine is None else pl.DataFrame(quarantine, schema=QUARANTINE, orient="row"),
        )
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        found = f"broken: {str(error).splitlines()[0][:200]}"
        raise EventError(Fault(str(path), None, "", found, "a table that powderkeg wrote")) from error


def is_own(path: Path) -> bool:
    """Whether a file is a table that we wrote."""
    return _about(path) is not None


def _about(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as stream:
            if stream.read(4) != b"PAR1":
                return None
        text = pl.read_parquet_metadata(path).get(KEY)
        about = json.loads(text) if text else None
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
    return about if isinstance(about, dict) else None


def _metadata(
    start: date,
    days: float,
    resolution: str,
    account: Any,
    coverage: pl.DataFrame | None,
    quarantine: pl.DataFrame | None,
) -> dict[str, str]:
    about = {
        "version": VERSION,
        "start": start.isoformat(),
        "days": days,
        "resolution": resolution,
        "account": dict(account),
        "coverage": None if coverage is None else [[m.isoformat(), n] for m, n in coverage.iter_rows()],
        "quarantine": None if quarantine is None else [list(row) for row in quarantine.head(MOST_BAD_ROWS).iter_rows()],
    }
    return {KEY: json.dumps(about)}


def _coverage(rows: list[list[Any]]) -> pl.DataFrame:
    months = [date.fromisoformat(month) for month, _ in rows]
    schema = {"month": pl.Date, "events": pl.Int64}
    return pl.DataFrame({"month": months, "events": [events for _, events in rows]}, schema=schema)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as part:
            yield part
    except Exception as error:
        if not is_of_disk(error):
            raise
        found = f"cannot be written: {reason(error)}"
        raise EventError(Fault(str(path), None, "", found), "nothing was written") from error
