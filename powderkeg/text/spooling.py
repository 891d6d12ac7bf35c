"""How do the events of a million sentences become one file in little memory?

In: coded rows in the order of the texts. Out: a table in order of time, as `events read --out` writes it. Rows wait in
Parquet files in a folder of the system's; they are put in order a few thousand at a time, by their days.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from powderkeg.text.stories import Stories

SLICE = 20_000
"""Rows in memory at a time; more where one day has more."""


class WaitingRows:
    """Coded rows on disk. Use it in a `with`: what it wrote goes when it ends."""

    def __init__(self, schema: dict[str, Any], rows: int = SLICE) -> None:
        self.schema, self.most = schema, rows
        self.height = 0
        self._waiting: list[tuple[Any, ...]] = []
        self._slices: list[Path] = []
        self._days: dict[float, int] = {}

    def __enter__(self) -> WaitingRows:
        self._held = tempfile.TemporaryDirectory(prefix="powderkeg-")
        self.folder = Path(self._held.name)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.cleanup()

    def add(self, rows: list[tuple[Any, ...]]) -> None:
        """Rows, in the order in which they are to stand within a day."""
        self._waiting += rows
        self.height += len(rows)
        for row in rows:
            self._days[row[0]] = self._days.get(row[0], 0) + 1
        if len(self._waiting) >= self.most:
            self._empty()

    def _empty(self) -> None:
        if self._waiting:
            path = self.folder / f"waiting-{len(self._slices):06d}.parquet"
            frame = pl.DataFrame(self._waiting, schema=self.schema, orient="row")
            frame.write_parquet(path)
            self._slices.append(path)
            self._waiting = []

    def in_order(self) -> Iterator[pl.DataFrame]:
        """All rows in order of time, in frames of whole days."""
        self._empty()
        for first, last in self._spans():
            parts = [
                pl.scan_parquet(path).filter(pl.col("time").is_between(first, last)).collect() for path in self._slices
            ]
            if parts:
                yield pl.concat(parts).sort("time", maintain_order=True)

    def _spans(self) -> Iterator[tuple[float, float]]:
        """First and last day of each frame."""
        days: list[float] = []
        rows = 0
        for day in sorted(self._days):
            if days and rows + self._days[day] > self.most:
                yield days[0], days[-1]
                days, rows = [], 0
            days.append(day)
            rows += self._days[day]
        if days:
            yield days[0], days[-1]

    def finished(self, mentions: bool) -> tuple[list[Path], int, float, float]:
        """Files of the rows to keep, in order, times counted from the first day; how many rows; first and last day.

        mentions  True: every row is kept, not one an event
        """
        keep: tuple[np.ndarray, np.ndarray] | None = None
        if not mentions:
            stories = Stories()
            for frame in self.in_order():
                stories.add(frame)
            keep = stories.chosen()
        first = min(self._days, default=0.0)
        files: list[Path] = []
        at, place, kept, last = 0, 0, 0, first
        for frame in self.in_order():
            if keep is not None:
                ends = int(np.searchsorted(keep[0], at + frame.height))
                counts = pl.Series(keep[1][place:ends], dtype=pl.UInt32)
                here, place = keep[0][place:ends] - at, ends
                at, frame = at + frame.height, frame[here].with_columns(mentions=counts)
            if frame.height:
                last = max(last, float((frame["time"] + frame["span"] - 1).max()))  # type: ignore[arg-type]
                files.append(self.folder / f"kept-{len(files):06d}.parquet")
                frame.with_columns(pl.col("time") - first).write_parquet(files[-1])
                kept += frame.height
        return files, kept, first, last
