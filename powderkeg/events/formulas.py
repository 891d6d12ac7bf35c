"""What in a table of ours would a spreadsheet take for a formula?

In: a frame that is about to be written as CSV. Out: the same with an apostrophe before each text (and column name) that
begins with = + - @, a tab or a line end and is no number: the practice of the field (OWASP, CSV injection), by which a
spreadsheet shows the text and runs nothing. Names come from files that anybody may have made. Numbers stay numbers, and
what we read back loses the apostrophe again.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

STARTS = "=+-@\t\r\n＝＋－＠"
NUMBER = r"^[+-](\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?%?$"
MARKS = tuple(f"'{start}".encode() for start in STARTS)
_CLASS = "[" + "".join(f"\\{start}" if start in "=+-@" else start for start in STARTS) + "]"
DANGEROUS = rf"(?s)^'*{_CLASS}"
GUARDED = rf"(?s)^'('*{_CLASS}.*)$"


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV in which nothing is a formula; a list of names becomes the names with spaces between."""
    frame = frame.with_columns(pl.col(pl.List(pl.String)).list.join(" "))
    safe(frame).write_csv(path)


def safe(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before each text, and column name, that a spreadsheet would take for a formula. A
    text that has one before such a sign already gets another, so that reading back gives what was written."""
    texts = [name for name, dtype in frame.schema.items() if isinstance(dtype, (pl.String, pl.Categorical, pl.Enum))]
    text = pl.col(texts).cast(pl.String)
    is_formula = text.str.contains(DANGEROUS) & ~text.str.contains(NUMBER)
    changed = frame.with_columns(pl.when(is_formula).then("'" + text).otherwise(text).name.keep()) if texts else frame
    return changed.rename({name: f"'{name}" for name in frame.columns if name[:1] in STARTS and name})


def has_marks(data: bytes) -> bool:
    """Whether bytes may hold texts that were made safe."""
    return any(mark in data for mark in MARKS)


def read_back(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Texts of some columns as they were before they were made safe."""
    return frame.with_columns(pl.col(names).str.replace(GUARDED, "$1"))
