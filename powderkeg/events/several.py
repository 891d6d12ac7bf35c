"""How many events is a row, between whom, and who acted?

In: rows that were read, and their layout. Out: a row for each actor where a field names several, all with the event id
of the row; and, at the end of a reading, as many rows as a count says. So that the account balances, both say how many
rows they add.
"""

from __future__ import annotations

import polars as pl

from powderkeg.events.layout import Layout

SEVERAL = "several actors"
COUNTED = "counted events"
MOST = 100_000
"""Events that one row may stand for: a greater number is no count of events."""
PARTS = ("", "_name", "_country", "_sectors")


def apart(frame: pl.DataFrame, layout: Layout) -> tuple[pl.DataFrame, int]:
    """A row for each actor and each target that a row names; and how many rows that adds.

    Countries, sectors and raw names are taken apart with the names if they are as many; one is that of all.
    """
    mark = layout.format.list_mark
    if mark is None or not frame.height:
        return frame, 0
    before = frame.height
    for side in ("source", "target"):
        named = frame[side].cast(pl.String).str.contains(mark, literal=True).fill_null(False)
        if named.any():
            rows = frame.with_row_index("_row")
            split = _split(rows.filter(named), side, mark)
            frame = pl.concat([rows.filter(~named), split]).sort("_row", maintain_order=True).drop("_row")
    return frame, frame.height - before


def _split(frame: pl.DataFrame, side: str, mark: str) -> pl.DataFrame:
    columns = [side + part for part in PARTS if side + part in frame.columns]
    lists = frame.with_columns(pl.col(columns).cast(pl.String).str.split(mark))
    number = pl.col(side).list.len()
    even = [
        pl.when(pl.col(name).list.len() == number).then(name)
        .when(pl.col(name).list.len() == 1).then(pl.col(name).list.first().repeat_by(number))
        .otherwise(pl.lit(None, dtype=pl.String).repeat_by(number)).alias(name)
        for name in columns
    ]  # fmt: skip
    whole = lists.with_columns(even).explode(columns)
    texts = whole.with_columns(pl.col(columns).str.strip_chars())
    kept = texts.filter(pl.col(side) != "")
    return kept.with_columns(pl.col(name).cast(frame.schema[name]) for name in columns)


def sided(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Rows with a mark, `undirected`, where the source does not say which of two sides acted."""
    if layout.directed is None:
        return frame
    two = pl.col("target").is_not_null()
    if layout.directed:
        two &= ~pl.col("code").cast(pl.String).is_in(list(layout.directed)).fill_null(False)
    return frame.with_columns(undirected=two)


def repeated(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """As many rows as the column `count` says, without that column; and how many rows that adds.

    The dead of a row are those of all its events: each event gets an equal part of them, in whole numbers.
    """
    if "count" not in frame.columns:
        return frame, 0
    # Rows of a file without such a column, read beside one that has it, are one event each.
    times = frame["count"].fill_null(1).cast(pl.UInt32)
    frame = frame.drop("count")
    if not frame.height or times.max() == 1:
        return frame, 0
    rows = pl.int_range(frame.height, eager=True).repeat_by(times).explode()
    whole = frame[rows]
    if "deaths" in frame.columns:
        number, place = times[rows], pl.int_ranges(times, eager=True).explode()
        each = whole["deaths"] // number
        whole = whole.with_columns(deaths=each + (place < whole["deaths"] - each * number).cast(pl.Float64))
    return whole, len(rows) - frame.height
