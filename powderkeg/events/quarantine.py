"""Where do rows go that cannot be read?

In: rows that were set aside, as they are met. Out: a CSV file of them that takes its place when the reading is whole.
Where a reading sets no row aside, the file of an earlier one goes: it would tell of rows that are no longer there.
The text of a row is written as a JSON string, so that control characters and spreadsheet formulas in it do nothing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from powderkeg.errors import EventError, Fault
from powderkeg.events.cutting import BadRow
from powderkeg.writing.files import check_place, is_of_disk, reason, replacing

COLUMNS = {"file": pl.String, "line": pl.Int64, "reason": pl.String, "text": pl.String}
HEADER = (",".join(COLUMNS) + "\r\n").encode()


class Quarantine:
    """A quarantine file that is being written."""

    def __init__(self, place: Path, read: Iterable[str | Path] = ()) -> None:
        """Raises UsageError if no file can come to stand there; `read` are files that must not be replaced."""
        check_place(place, read)
        self.place = place
        self._stack = ExitStack()
        self._writer: Any = None

    def write(self, row: BadRow) -> None:
        """One more row. Raises EventError if the disk takes no more."""
        with self._to_disk("nothing was read"):
            if self._writer is None:
                passing = self._stack.enter_context(replacing(self.place))
                stream = self._stack.enter_context(passing.open("w", encoding="utf-8", newline=""))
                self._writer = csv.writer(stream)
                self._writer.writerow(COLUMNS)
            self._writer.writerow(_written(row))

    def finish(self) -> None:
        """The file takes its place; without any row an older one of ours goes."""
        with self._to_disk("nothing was written"):
            if self._writer is not None:
                self._writer = None
                self._stack.close()
            elif _is_ours(self.place):
                self.place.unlink()

    def abandon(self) -> None:
        """What was written is of no use: what stood there before stays."""
        self._writer = None
        self._stack.__exit__(InterruptedError, InterruptedError("abandoned"), None)

    @contextmanager
    def _to_disk(self, aftermath: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not is_of_disk(error):
                raise
            found = f"cannot be written: {reason(error)}"
            raise EventError(Fault(str(self.place), None, "", found), aftermath) from error


def write_quarantine(bad: pl.DataFrame, path: str | Path) -> None:
    """Write rows that were set aside as CSV, as a reading does."""
    out = Quarantine(Path(path))
    for row in bad.select(list(COLUMNS)).iter_rows():
        out.write(BadRow(*row))
    out.finish()


def _written(row: BadRow) -> tuple[str, int, str, str]:
    return json.dumps(row.file)[1:-1], row.line, row.reason, json.dumps(row.text)


def _is_ours(place: Path) -> bool:
    try:
        with place.open("rb") as stream:
            return stream.read(len(HEADER)) == HEADER
    except OSError:
        return False
