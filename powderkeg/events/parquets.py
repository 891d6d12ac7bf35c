"""How is a Parquet file that anybody may have made read without trusting it?

In: a path. Out: its rows in portions. The file says how many rows it has and a reader makes room for them: a file of
29 KB can hold twenty million, so what swells beyond the measure of archives is left. What the reader raises, a panic
included, is one fault that names the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from powderkeg.events.archives import Room
from powderkeg.events.foreign import read_by_others

PORTION = 500_000
WHAT = "Parquet file"


def metadata(path: Path, file: str) -> dict[str, str]:
    """The texts that a file carries beside its columns. Raises FileFault for what is no Parquet file."""
    with read_by_others(file, WHAT):
        return dict(pl.read_parquet_metadata(path))


def column_names(path: Path, file: str) -> list[str]:
    """The columns of a file."""
    with read_by_others(file, WHAT):
        return list(pl.read_parquet_schema(path))


def first_rows(path: Path, file: str, rows: int) -> pl.DataFrame:
    """The first rows, from which the columns can be told."""
    with read_by_others(file, WHAT):
        return pl.scan_parquet(path, glob=False).head(rows).collect()


def portions(path: Path, file: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows of some columns, in order.

    Raises FileFault: broken, or it swells to more than an archive may.
    """
    with read_by_others(file, WHAT):
        room = Room(file, path.stat().st_size)
        lazy = pl.scan_parquet(path, glob=False).select(columns)
        rows = int(lazy.select(pl.len()).collect().item())
    for at in range(0, rows, PORTION):
        with read_by_others(file, WHAT):
            portion = lazy.slice(at, PORTION).collect()
            room.take(int(portion.estimated_size()))
        yield portion
