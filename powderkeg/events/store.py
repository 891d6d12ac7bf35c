"""How does an event table go into a file and come back the same?

In: an `EventTable`, and a path. Out: one Parquet file whose metadata hold what the columns cannot: start, length,
resolution, account, coverage, and the rows that were set aside. Other tools read the columns as they read any Parquet.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from powderkeg.errors import EventError, Fault
from powderkeg.events.files import FileFault, shown_name
from powderkeg.events.foreign import first_line
from powderkeg.events.parquets import column_names, first_rows, metadata, portions
from powderkeg.events.quarantine import COLUMNS as QUARANTINE
from powderkeg.events.shape import VERSION, faults_of_about, faults_of_frame, typed
from powderkeg.events.table import EventTable
from powderkeg.writing.files import is_of_disk, reason, replacing

KEY = "powderkeg.events"
MOST_BAD_ROWS = 10_000
WAITING = 2
"""Frames that wait to be written while others are made."""


def write_events(table: EventTable, path: str | Path) -> None:
    """Write a table as one Parquet file. A file of that name is replaced only once the new one is whole."""
    metadata = _metadata(table.start, table.days, table.resolution, table.account, table.coverage, table.quarantine)
    with _replacing(Path(path)) as part:
        table.frame.write_parquet(part, metadata=metadata)


def write_frames(frames: Iterator[pl.DataFrame], path: Path, about: Callable[[], dict[str, Any]]) -> None:
    """Write a table that comes frame by frame, at least one: the same bytes as of the whole, which is never in memory.

    about   start, days, account, as `EventTable` has them; asked when all frames have come
    """
    plain = {"resolution": EventTable.resolution, "coverage": None, "quarantine": None}
    first = next(frames)

    def give(*asked: object) -> Iterator[pl.DataFrame]:
        return chain([first], frames)

    def told(_: object) -> dict[str, str]:
        return _metadata(**(plain | about()))

    with _replacing(path) as part:
        register_io_source(give, schema=first.schema).sink_parquet(part, metadata=told)


class FrameWriter:
    """Writes a table whose frames are still being made: in a thread of its own, as they come.

    path   of the file; where it cannot be written, `error` says why once all frames have come
    about  see `write_frames`
    taken  frames that are in the file: one that was on its way when Ctrl-C came may be, or not
    """

    def __init__(self, path: Path, about: Callable[[], dict[str, Any]]) -> None:
        self.path, self.about = path, about
        self.taken = 0
        self.error: BaseException | None = None
        self._frames: SimpleQueue[pl.DataFrame | None] = SimpleQueue()
        self._room = Semaphore(WAITING)
        self._thread = Thread(target=self._write, name="powderkeg-events", daemon=True)

    def __enter__(self) -> FrameWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, frame: pl.DataFrame) -> None:
        """One more; waits while others are still to be written."""
        self._room.acquire()
        self._frames.put(frame)

    def close(self) -> None:
        """All frames have come: wait until they are written."""
        for _ in range(2):  # once for the writer, once for what takes the rest where that fails
            self._frames.put(None)
        self._thread.join()

    def _coming(self) -> Iterator[pl.DataFrame]:
        while (frame := self._frames.get()) is not None:
            self._room.release()
            self.taken += 1
            yield frame

    def _write(self) -> None:
        frames = self._coming()
        try:
            first = next(frames, None)
            if first is not None:
                write_frames(chain([first], frames), self.path, self.about)
        except BaseException as error:  # Polars panics with errors that are no Exception
            self.error = error
            for _ in self._coming():  # whoever makes them goes on, as there is more to tell than events
                pass


def write_slices(slices: Iterable[Path], path: Path, about: dict[str, Any]) -> None:
    """Join Parquet files, in order, into one such table; only a part of them is in memory at a time.

    about  start, days, resolution, account, coverage, quarantine, as `EventTable` has them
    """
    metadata = _metadata(**about)
    with _replacing(path) as part:
        pl.scan_parquet(list(slices), missing_columns="insert").sink_parquet(part, metadata=metadata)


def read_table(path: str | Path) -> EventTable:
    """The table that `write_events` wrote.

    Raises EventError for a file that is none, and for one that was changed so that it cannot be one.
    """
    return table_at(Path(path), shown_name(path))


def table_at(path: Path, name: str) -> EventTable:
    """The table in a file that is called `name`."""
    try:
        about = _about(path, name)
        if about is _NOT_OURS:
            expected = "a file of `events read --out`"
            raise EventError(Fault(name, None, "", "not a table that powderkeg wrote", expected))
        faults = faults_of_about(about, name)
        if not faults:
            assert isinstance(about, dict)
            frame = pl.concat([*portions(path, name, column_names(path, name))] or [first_rows(path, name, 0)])
            faults = faults_of_frame(frame, about, name)
    except FileFault as fault:
        raise EventError(fault.fault, "nothing was read") from fault
    if faults:
        raise EventError(faults, "nothing was read")
    coverage, quarantine = about["coverage"], about["quarantine"]
    return EventTable(
        typed(frame).with_columns(pl.col("time").cast(pl.Float64)),
        start=date.fromisoformat(about["start"]),
        days=float(about["days"]),
        resolution=about["resolution"],
        account=about["account"],
        coverage=None if coverage is None else _coverage(coverage),
        quarantine=None if quarantine is None else pl.DataFrame(quarantine, schema=QUARANTINE, orient="row"),
    )


def first_of(path: Path, rows: int, account: dict[str, Any]) -> EventTable:
    """The first rows of a table that was just written, with its account: the rest stays on disk."""
    about = _about(path, str(path))
    frame = pl.scan_parquet(path).head(rows).collect()
    start, days = date.fromisoformat(about["start"]), float(about["days"])
    return EventTable(frame, start, days, about["resolution"], account)


def is_own(path: Path) -> bool:
    """Whether a file says that it is a table of ours; whether it is one is seen when it is read."""
    try:
        return _written_beside(path, str(path)) is not None
    except FileFault:
        return False


_NOT_OURS = object()


def _about(path: Path, name: str) -> Any:
    """What stands beside the columns of a table of ours; _NOT_OURS for another file."""
    text = _written_beside(path, name)
    if text is None:
        return _NOT_OURS
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFault(name, f"broken: {first_line(error)}", "a table that powderkeg wrote") from error


def _written_beside(path: Path, name: str) -> str | None:
    try:
        with path.open("rb") as stream:
            if stream.read(4) != b"PAR1":
                return None
    except OSError as error:
        raise FileFault(name, f"cannot be opened: {error.strerror or error}") from error
    return metadata(path, name).get(KEY)


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
