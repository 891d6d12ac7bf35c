"""How does a dataframe, of whatever library, become rows like those of a file?

In: a dataframe and, where its columns do not say it, a mapping. Out: its fields as texts, so that one and the same code
reads files and frames, sets bad rows aside and counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from powderkeg.errors import EventError, Fault
from powderkeg.events.codes import entries
from powderkeg.events.digits import with_plain_digits
from powderkeg.events.files import FileFault
from powderkeg.events.foreign import read_by_others
from powderkeg.events.layout import Layout, Wishes, book_of, counting, directed_of, form_of_parts, format_named, ids_of
from powderkeg.events.numbers import NUMBER_FIELDS
from powderkeg.events.recognition import columns_of, recognised
from powderkeg.events.settling import DATES, Seen, settled
from powderkeg.formats import Format


def polars_of(frame: Any) -> pl.DataFrame:
    """Any dataframe that Narwhals knows, as a Polars frame.

    Raises EventError for anything else.
    """
    frame = _plain_columns(frame)
    try:
        table = nw.from_native(frame)
    except TypeError as error:
        found = f"a {type(frame).__module__}.{type(frame).__qualname__}"
        raise EventError(Fault.at("events", found, "a dataframe (Polars, pandas, Arrow, DuckDB, Dask)")) from error
    try:
        with read_by_others("dataframe", "one", "columns of text, numbers or dates"):
            rows: pl.DataFrame = (table.collect("polars") if isinstance(table, nw.LazyFrame) else table).to_polars()
    except FileFault as fault:
        raise EventError(fault.fault, "nothing was read") from fault
    return rows


def _plain_columns(frame: Any) -> Any:
    """A pandas frame with its periods as the texts that pandas writes of them (2015-05 for a month), which are read as
    spans; any other frame as it is.

    Raises EventError for several columns of one name.
    """
    # Only pandas is asked for its columns: Polars' lazy frames must be worked out first to know theirs.
    names = getattr(frame, "columns", None) if type(frame).__module__.partition(".")[0] == "pandas" else None
    if names is None:
        return frame
    repeated = sorted({str(name) for name in names if list(names).count(name) > 1})
    if repeated:
        shown = ", ".join(map(repr, repeated))
        raise EventError(Fault.at("events", f"several columns called {shown}", "one column of each name"))
    periods = [name for name, kind in frame.dtypes.items() if str(kind).startswith("period[")]
    return frame.assign(**{str(name): frame[name].astype(str) for name in periods}) if periods else frame


def layout_of_frame(
    frame: pl.DataFrame,
    wishes: Wishes,
    name: str,
    start: date | None,
    more: Callable[[list[str]], Iterable[pl.DataFrame]] | None = None,
) -> Layout:
    """Which column holds what, and how its values are written.

    start  the day that a column of plain numbers counts from
    more   gives the columns of these names of the rows that follow those of `frame`
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
    book = wishes.book or kind.book
    if "code" in columns and book is None:
        codes = [code for code in _texts(frame[names[columns["code"]]]) if code]
        book = book_of(names[columns["code"]], codes, said)
    form = form_of_parts(found)
    layout = Layout(
        kind, ",", False, names, columns, None, form, book, ids=ids, directed=directed_of(kind, wishes),
        said=tuple(said),
    )  # fmt: skip
    return settled(layout, _seen(frame, layout, name, more), wishes, start, name)


def _seen(
    frame: pl.DataFrame, layout: Layout, name: str, more: Callable[[list[str]], Iterable[pl.DataFrame]] | None
) -> Seen:
    """What all rows show of how values are written; what has a type of its own shows nothing."""
    seen = Seen()
    numeric = {key for key in NUMBER_FIELDS if key in layout.columns and _dtype(frame, layout, key).is_numeric()}
    looked = replace(layout, columns={key: at for key, at in layout.columns.items() if key not in numeric})
    seen.add(text_of_frame(frame, looked, name, 1))
    open_ = {
        key: at for key, at in looked.columns.items()
        if key in (*DATES, *NUMBER_FIELDS, "code") and _dtype(frame, layout, key) != pl.Date
    }  # fmt: skip
    if more is not None and open_:
        looked = replace(layout, columns=open_)
        for portion in more([layout.names[at] for at in open_.values()]):
            seen.add(text_of_frame(portion, looked, name, 1))
    return seen


def _dtype(frame: pl.DataFrame, layout: Layout, key: str) -> pl.DataType:
    return frame.schema[layout.names[layout.columns[key]]]


def text_of_frame(frame: pl.DataFrame, layout: Layout, name: str, first_line: int) -> pl.DataFrame:
    """The fields of a layout as texts, with file and line (rows are counted from 1)."""
    wanted = []
    for key, number in layout.columns.items():
        column = pl.col(layout.names[number])
        dtype = frame.schema[layout.names[number]]
        if key in DATES and dtype.is_temporal():
            wanted.append(_time_text(column, dtype).alias(key))
        elif dtype.is_float():
            # Numbers in full, never 1.5e8; pandas turns a whole-number column with gaps into floats.
            whole = (column == column.floor()) & (column.abs() < 2**53)
            number_text = pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String))
            wanted.append(number_text.otherwise(column.cast(pl.String)).alias(key))
        else:
            wanted.append(column.cast(pl.String).alias(key))
    texts = with_plain_digits(frame.select(wanted))
    file = pl.lit(name, dtype=pl.String).cast(pl.Categorical).alias("file")
    return texts.with_columns(file, line=pl.int_range(first_line, first_line + pl.len(), dtype=pl.UInt32))


def _texts(column: pl.Series) -> list[str | None]:
    return column.head(100_000).cast(pl.String).to_list()


def _time_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Dates and times as texts, with the offset of the zone in which they are kept."""
    if dtype == pl.Date:
        return column.dt.strftime("%Y-%m-%d")
    if isinstance(dtype, pl.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f" + ("%:z" if dtype.time_zone else ""))
    return column.cast(pl.String)
