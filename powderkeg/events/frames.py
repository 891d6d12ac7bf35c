"""How does a dataframe, of whatever library, become rows like those of a file?

In: a dataframe and, where its columns do not say it, a mapping. Out: its fields as texts, so that one and the same code
reads files and frames, sets bad rows aside and counts them.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from powderkeg.errors import EventError, Fault
from powderkeg.events.codes import entries
from powderkeg.events.files import FileFault
from powderkeg.events.foreign import read_by_others
from powderkeg.events.layout import PARTS_FORMS, Layout, Wishes, book_of, counting, directed_of, format_named, ids_of
from powderkeg.events.recognition import columns_of, recognised
from powderkeg.events.times import EPOCH, NUMBERS, likeliest_form
from powderkeg.formats import Format


def polars_of(frame: Any) -> pl.DataFrame:
    """Any dataframe that Narwhals knows, as a Polars frame.

    Raises EventError for anything else.
    """
    try:
        table = nw.from_native(frame)
    except TypeError as error:
        found = f"a {type(frame).__module__}.{type(frame).__qualname__}"
        raise EventError(
            Fault(None, None, "events", found, "a dataframe (Polars, pandas, Arrow, DuckDB, Dask)")
        ) from error
    try:
        with read_by_others("dataframe", "one", "columns of text, numbers or dates"):
            rows: pl.DataFrame = (table.collect("polars") if isinstance(table, nw.LazyFrame) else table).to_polars()
    except FileFault as fault:
        raise EventError(fault.fault, "nothing was read") from fault
    return rows


def layout_of_frame(frame: pl.DataFrame, wishes: Wishes, name: str, start: date | None) -> Layout:
    """Which column holds what, and how its dates are written.

    start  the day that a column of plain numbers counts from
    Raises FileFault as `detect` does for files.
    """
    names = tuple(frame.columns)

    def agrees(kind: Format) -> bool:
        at = [columns_of(kind, names, wishes.mapping, name).columns.get(key) for key in ("code", "coarse")]
        codes = [code for n in at if n is not None for code in _texts(frame[names[n]]) if code]
        return sum(code in entries(kind.book or "") for code in codes) * 2 > len(codes)

    kind = format_named(wishes.format, name) or recognised(names, wishes.mapping, agrees)
    found = columns_of(kind, names, wishes.mapping, name)
    ids, within = ids_of(kind, found.columns, names)
    columns = {**found.columns, **within}
    said = list(found.said)
    if "count" in columns:
        counts = [text or "" for text in _texts(frame[names[columns["count"]]])]
        columns = counting(kind, columns, names, counts, wishes, said)
    if found.parts:
        form = PARTS_FORMS["day" in columns]
    else:
        form = wishes.date_format or _form(frame[names[columns["time"]]], name, start)
    book, pad = wishes.book or kind.book, False
    if "code" in columns:
        column = frame[names[columns["code"]]]
        codes = [code for code in _texts(column) if code]
        if book is None:
            book = book_of(names[columns["code"]], codes, said)
        if book in ("cameo", "weis") and column.dtype.is_numeric():
            pad = any(len(code) < 3 for code in codes)
            if pad:
                said.append("codes have lost their leading zeros; they are put back")
    origin = float((start - EPOCH).days) if form in NUMBERS and start is not None else 0.0
    return Layout(
        kind,
        ",",
        False,
        names,
        columns,
        None,
        form,
        book,
        pad,
        origin,
        ids=ids,
        directed=directed_of(kind, wishes),
        said=tuple(said),
    )


def text_of_frame(frame: pl.DataFrame, layout: Layout, name: str, first_line: int) -> pl.DataFrame:
    """The fields of a layout as texts, with file and line (rows are counted from 1)."""
    wanted = []
    for key, number in layout.columns.items():
        column = layout.names[number]
        dtype = frame.schema[column]
        if key in ("time", "until", "reported"):
            wanted.append(_time_text(pl.col(column), dtype, layout.form).alias(key))
        elif dtype.is_float() and key in ("code", "event_id"):
            # pandas turns a whole-number column with gaps into floats.
            wanted.append(pl.col(column).cast(pl.String).str.strip_suffix(".0").alias(key))
        else:
            wanted.append(pl.col(column).cast(pl.String).alias(key))
    texts = frame.select(wanted)
    file = pl.lit(name, dtype=pl.String).cast(pl.Categorical).alias("file")
    return texts.with_columns(file, line=pl.int_range(first_line, first_line + pl.len(), dtype=pl.UInt32))


def _texts(column: pl.Series) -> list[str | None]:
    return column.head(100_000).cast(pl.String).to_list()


def _form(when: pl.Series, name: str, start: date | None) -> str:
    if when.dtype == pl.Date:
        return "day"
    if when.dtype.is_temporal():
        moments = when.drop_nulls().cast(pl.Datetime("us")).cast(pl.Int64)
        return "day" if (moments % 86_400_000_000 == 0).all() else "second"
    if when.dtype.is_numeric():
        values = when.drop_nulls().cast(pl.Float64)
        if len(values) and values.is_between(18_000_101, 21_001_231).all():
            return "compact"
        if start is None:
            raise FileFault(name, "times that are plain numbers", "dates, or start=: the day that they count from")
        return "whole" if (values == values.floor()).all() else "exact"
    forms = likeliest_form(when.cast(pl.String).drop_nulls().head(500).to_list())
    shown = ", ".join(repr(str(value)[:40]) for value in when.drop_nulls().head(3)) or "none"
    if not forms:
        raise FileFault(name, f"dates such as {shown} cannot be read", "a date_format")
    if len(forms) > 1:
        raise FileFault(name, f"dates such as {shown} can be read in two ways", f"a date_format: {' or '.join(forms)}")
    return forms[0]


def _time_text(column: pl.Expr, dtype: pl.DataType, form: str) -> pl.Expr:
    if dtype == pl.Date:
        return column.dt.strftime("%Y-%m-%d")
    if isinstance(dtype, pl.Datetime):
        plain = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else column
        return plain.dt.strftime("%Y-%m-%d" if form == "day" else "%Y-%m-%dT%H:%M:%S%.6f")
    if dtype.is_float() and form == "compact":
        return column.cast(pl.Int64).cast(pl.String)
    return column.cast(pl.String)
