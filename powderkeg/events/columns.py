"""Which columns of a foreign table can be read at all, and as what?

In: a frame whose columns may have any type (a Parquet file, a dataframe). Out: the same frame with plain types only:
text, numbers, days and moments, with nothing in them that a later step would stumble over; and the columns that hold
lists, records or bytes, by what they are. A dictionary, a category, a decimal, bytes that are text all along: these are
legitimate ways to write text and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from powderkeg.events.files import FileFault
from powderkeg.events.foreign import read_by_others

FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31: days that can be written."""
PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@dataclass(frozen=True)
class PlainColumns:
    """A frame of plain columns; those that cannot be read are empty texts in it, and `refused` says what they are."""

    frame: pl.DataFrame
    refused: Mapping[str, str]

    def check(self, used: list[str], file: str) -> None:
        """Raises FileFault that names each used column that cannot be read."""
        wrong = [f"column {name!r} holds {self.refused[name]}" for name in used if name in self.refused]
        if wrong:
            raise FileFault(file, "; ".join(wrong), "text, numbers or dates")


def plain(frame: pl.DataFrame, file: str) -> PlainColumns:
    """A frame with plain columns only.

    Raises FileFault for moments in a time zone that is not known.
    """
    changes: list[pl.Series] = []
    refused: dict[str, str] = {}
    for column in frame.iter_columns():
        dtype = column.dtype
        what = _unreadable(column)
        if what is not None:
            refused[column.name] = what
            changes.append(pl.Series(column.name, [None] * frame.height, dtype=pl.String))
        elif isinstance(dtype, pl.Binary):
            changes.append(column.cast(pl.String))
        elif dtype.is_float():
            changes.append(column.fill_nan(None))
        elif dtype.is_decimal():
            changes.append(column.cast(pl.Float64) if getattr(dtype, "scale", 0) else column.cast(pl.String))
        elif isinstance(dtype, pl.Date):
            changes.append(_days(column))
        elif isinstance(dtype, pl.Datetime):
            changes.append(_moments(column, dtype, file))
        elif isinstance(dtype, pl.Boolean):
            changes.append(column.cast(pl.String))
    return PlainColumns(frame.with_columns(changes), refused)


def _unreadable(column: pl.Series) -> str | None:
    """What a column holds, where that is neither text nor number nor date."""
    dtype = column.dtype
    if isinstance(dtype, (pl.List, pl.Array)):
        return f"lists ({dtype})"
    if isinstance(dtype, pl.Struct):
        return "records"
    if isinstance(dtype, pl.Duration):
        return "lengths of time"
    if isinstance(dtype, pl.Time):
        return "times of day without a day"
    if isinstance(dtype, pl.Binary):
        row = _first_no_text(column)
        return None if row is None else f"bytes that are no UTF-8 text (row {row + 1})"
    known = dtype.is_numeric() or isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Null, pl.Boolean))
    return None if known or isinstance(dtype, (pl.Date, pl.Datetime)) else f"values of the type {dtype}"


def _first_no_text(column: pl.Series) -> int | None:
    """The first row whose bytes are no UTF-8; None if all are."""
    try:
        column.cast(pl.String)
    except pl.exceptions.PolarsError:
        for row, value in enumerate(column):
            try:
                (value or b"").decode()
            except UnicodeDecodeError:
                return row
    return None


def _days(column: pl.Series) -> pl.Series:
    """Days; as texts, where some are beyond what a calendar can write: the rows of those are then set aside."""
    number = column.to_physical()
    beyond = (number < FIRST_DAY) | (number > LAST_DAY)
    if not beyond.any():
        return column
    written = number.clip(FIRST_DAY, LAST_DAY).cast(pl.Date).dt.strftime("%Y-%m-%d")
    return _or_number(column.name, beyond, written, number, "day")


def _moments(column: pl.Series, dtype: pl.Datetime, file: str) -> pl.Series:
    """Moments; as texts, where some are beyond what a calendar can write."""
    if dtype.time_zone is not None:
        with read_by_others(file, f"column {column.name!r} (time zone {dtype.time_zone!r})"):
            column.head(1).dt.convert_time_zone("UTC")
    number = column.to_physical()
    per_day = PER_DAY[dtype.time_unit]
    low, high = (FIRST_DAY + 1) * per_day, LAST_DAY * per_day - 1
    low, high = max(low, -(1 << 63)), min(high, (1 << 63) - 1)
    beyond = (number < low) | (number > high)
    if not beyond.any():
        return column
    moments = number.clip(low, high).cast(pl.Datetime(dtype.time_unit))
    written = moments.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
    return _or_number(column.name, beyond, written, number, "moment")


def _or_number(name: str, beyond: pl.Series, written: pl.Series, number: pl.Series, word: str) -> pl.Series:
    told = pl.select(pl.when(beyond).then(f"{word} " + number.cast(pl.String)).otherwise(written).alias(name))
    return told.to_series()
