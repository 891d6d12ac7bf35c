"""From rows to counts: map codes, choose actors, drop doubles, count by day, the same on any dataframe.

In: a table with a row per event, of any kind that Narwhals knows (Polars, pandas, DuckDB, Dask, ...), eager or lazy.
Out: a table of the same kind. Written once: reading, matching and a user's own cluster job run these same lines, and a
test holds the results on four engines against each other.

Columns, where not said otherwise: day (anything that can be grouped by), source, target, code, and event_id where
events have one. A missing target stays missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import narwhals as nw
import polars as pl

from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events.codes import TONES, codebook


@dataclass(frozen=True)
class DoublesPolicy:
    """A rule by which two rows are the same event. `says` is for the user."""

    name: str
    says: str


DOUBLES = {
    one.name: one
    for one in (
        DoublesPolicy(
            "same_event", "rows with the same event id on the same day, as when files overlap: the first stays"
        ),
        DoublesPolicy("same_day", "rows with the same source, code and target on the same day: the first stays"),
        DoublesPolicy(
            "mirrored",
            "one meeting told from both sides on the same day (A visits B, B receives A; A and B consult): the visit "
            "stays, or the side whose name sorts first",
        ),
        DoublesPolicy(
            "same_day_matched", "after matching: the same actor, act and target on the same day: the first stays"
        ),
    )
}
NOBODY = ""


def map_codes(frame: Any, book: str, code: str = "code") -> Any:
    """Add cameo (nearest CAMEO code), tone (class) and goldstein to every row; missing where the book has no such code.

    Columns of these names that are there already are replaced.
    """
    table = nw.from_native(frame)
    columns = _columns(table)
    has = [name for name in ("cameo", "tone", "goldstein") if name in columns]
    as_categories = table.implementation.is_polars() and nw.to_native(table).collect_schema()[code] == pl.Categorical
    known = _known(book, code, as_categories)
    if has and code not in has:
        table = table.drop(has)
    return _left_join(table, known, [code]).to_native()


def choose_actors(frame: Any, actors: Mapping[str, str] | pl.DataFrame, keys: Sequence[str] = ("",)) -> Any:
    """Add source_actor and target_actor: who, of the actors that matter, the names in the data are; missing where
    nobody is.

    actors  name -> actor; or a frame with a column who<key> for every key, and actor; with columns first and last too
            (days, both counted, as in `day`) the row is good from one to the other, and rows for one who must
            together cover all days without overlap
    keys    what tells who it is: "" is the column source (target), "_country" is source_country, and so on
    """
    table = nw.from_native(frame)
    if isinstance(actors, Mapping):
        texts = {"who": pl.String, "actor": pl.String}
        actors = pl.DataFrame({"who": list(actors), "actor": list(actors.values())}, schema=texts)
    timed = "first" in actors.columns
    for side in ("source", "target"):
        on = [f"_{side}{key}" for key in keys]
        own = actors.rename({**{f"who{key}": f"_{side}{key}" for key in keys}, "actor": f"{side}_actor"})
        if timed:
            own = own.rename({"first": "_first", "last": "_last"})
        table = table.with_columns(*(nw.col(f"{side}{key}").fill_null(NOBODY).alias(f"_{side}{key}") for key in keys))
        table = _left_join(table, own, on).drop(on)
        if timed:
            inside = (nw.col("day") >= nw.col("_first")) & (nw.col("day") <= nw.col("_last"))
            table = table.filter(nw.col("_first").is_null() | inside).drop(["_first", "_last"])
    return table.to_native()


def drop_doubles(frame: Any, policy: str, book: str | None = None) -> Any:
    """Leave one row of each event that `policy` calls the same (see DOUBLES).

    book  codebook whose mirrored codes count, for "mirrored"
    On an eager table the first row stays and the order is kept. A lazy table has no order but that of a column `row`;
    without one any of the rows may stay, which matters only to "same_event" where rows of one event id differ.
    """
    if policy not in DOUBLES:
        raise UsageError(
            Fault.at("doubles", f"unknown policy {policy!r}", f"one of {', '.join(DOUBLES)}",
                  nearest_name(policy, DOUBLES))
        )  # fmt: skip
    table = nw.from_native(frame)
    if policy == "mirrored":
        return _drop_mirrored(table, book or "cameo").to_native()
    if policy == "same_event":
        if "event_id" not in _columns(table):
            return frame
        nameless = nw.col("event_id").is_null()
        return _concat([_first_of(table.filter(~nameless), ["event_id", "day"]), table.filter(nameless)]).to_native()
    act = "code" if policy == "same_day" and "code" in _columns(table) else "act"
    names = ["day", "source", act, "target"]
    if policy == "same_day":
        names = [f"{n}_name" if n != act and f"{n}_name" in _columns(table) else n for n in names]
    return _first_of(table, names).to_native()


def count_by_day(frame: Any, by: Sequence[str] = ("source", "target")) -> Any:
    """Events by day and `by`: those columns and `events`. Days without events have no row."""
    table = nw.from_native(frame)
    keys = ["day", *by]
    filled = table.with_columns(*(nw.col(name).fill_null(NOBODY).alias(name) for name in by))
    counted = filled.group_by(keys).agg(nw.len().alias("events"))
    return counted.with_columns(
        *(nw.when(nw.col(name) != NOBODY).then(nw.col(name)).alias(name) for name in by)
    ).to_native()


def dyad_days(
    frame: Any,
    actors: Mapping[str, str],
    book: str,
    doubles: Sequence[str] = ("same_day",),
    by: Sequence[str] = ("source", "tone", "target"),
) -> Any:
    """The whole preparation in one: doubles dropped, actors chosen (both sides must match), codes mapped, counted."""
    for policy in doubles:
        frame = drop_doubles(frame, policy, book)
    table = nw.from_native(choose_actors(frame, actors))
    both = ~nw.col("source_actor").is_null() & ~nw.col("target_actor").is_null()
    table = table.filter(both & (nw.col("source_actor") != nw.col("target_actor")))
    table = table.drop(["source", "target"]).rename({"source_actor": "source", "target_actor": "target"})
    return count_by_day(map_codes(table.to_native(), book), by)


def _columns(table: Any) -> list[str]:
    return list(table.collect_schema().names())


def _first_of(table: Any, keys: list[str]) -> Any:
    """One row for each value of `keys`, missing values being equal to each other."""
    if isinstance(table, nw.DataFrame):
        return table.unique(keys, keep="first", maintain_order=True)
    filled = [f"_key_{name}" for name in keys]
    marked = table.with_columns(
        *((nw.col(name).fill_null(NOBODY) if name != "day" else nw.col(name)).alias(f"_key_{name}") for name in keys)
    )
    if "row" in _columns(table):
        return marked.unique(filled, keep="first", order_by=["row"]).drop(filled)
    return marked.unique(filled, keep="any").drop(filled)


def _drop_mirrored(table: Any, book: str) -> Any:
    mirrors = codebook(book).filter(pl.col("mirror").is_not_null()).select("code", _mirror="mirror")
    if table.implementation.is_polars():
        kind = nw.to_native(table).collect_schema()["code"]
        mirrors = mirrors.with_columns(pl.col("_mirror").cast(kind))
    schema = table.collect_schema()
    if schema["target"] != schema["source"]:
        table = table.with_columns(nw.col("target").cast(schema["source"]))
    wide = _left_join(table, mirrors, ["code"])
    both_ways = ~nw.col("_mirror").is_null() & ~nw.col("target").is_null() & (nw.col("source") != nw.col("target"))
    # By letters: some kinds of category have an order of their own.
    code, mirror, source, target = (nw.col(name).cast(nw.String) for name in ("code", "_mirror", "source", "target"))
    second = ((code == mirror) & (source > target)) | (code > mirror)
    others = wide.filter(~both_ways).drop("_mirror")
    told = wide.filter(both_ways)
    firsts = told.filter(~second).drop("_mirror")
    seconds = told.filter(second)
    # What the first side would look like, to find which second sides have one.
    partner = firsts.select(
        nw.col("day").alias("_day"),
        nw.col("source").alias("_source"),
        nw.col("code").alias("_code"),
        nw.col("target").alias("_target"),
    ).unique(["_day", "_source", "_code", "_target"], keep="any")
    alone = seconds.join(
        partner,
        left_on=["day", "target", "_mirror", "source"],
        right_on=["_day", "_source", "_code", "_target"],
        how="anti",
    ).drop("_mirror")
    return _concat([others, firsts, alone])


def _concat(tables: list[Any]) -> Any:
    return nw.concat(tables, how="vertical")


@cache
def _known(book: str, code: str, as_categories: bool) -> pl.DataFrame:
    """What a book says of its codes, which stand in the column `code`."""
    known = codebook(book).select(pl.col("code").alias(code), "cameo", "tone", "goldstein")
    if not as_categories:
        return known
    return known.with_columns(pl.col(code, "cameo").cast(pl.Categorical), pl.col("tone").cast(pl.Enum(TONES)))


def _left_join(table: Any, data: pl.DataFrame, on: list[str]) -> Any:
    other = _beside(table, data)
    if table.implementation.is_polars():
        # Polars promises the order of rows only when asked, and Narwhals cannot ask.
        left, right = nw.to_native(table), nw.to_native(other)
        return nw.from_native(left.join(right, on=on, how="left", maintain_order="left"))
    return table.join(other, on=on, how="left")


def _beside(table: Any, data: pl.DataFrame) -> Any:
    """`data` as a table of the same kind as `table`, so that the two can be joined."""
    kind = table.implementation
    if kind.is_polars():
        native = nw.to_native(table)
        schema = native.collect_schema()
        casts = {n: schema[n] for n in data.columns if n in schema and schema[n] != data.schema[n]}
        own = data.cast(casts) if casts else data  # type: ignore[arg-type]
        return nw.from_native(own if isinstance(native, pl.DataFrame) else own.lazy())
    columns = data.to_dict(as_series=False)
    if kind.is_duckdb():
        return nw.from_native(_duckdb_values(nw.to_native(table), columns, data.schema))
    if isinstance(table, nw.DataFrame):
        return nw.from_dict(columns, schema=nw.from_native(data).schema, backend=kind)
    eager = nw.from_dict(columns, schema=nw.from_native(data).schema, backend="pandas")
    return eager.lazy(backend=kind)


def _duckdb_values(relation: Any, columns: Mapping[str, list[Any]], schema: pl.Schema) -> Any:
    """A relation on the same connection as `relation`; DuckDB joins no others."""
    kinds = {name: "DOUBLE" if dtype.is_numeric() else "VARCHAR" for name, dtype in schema.items()}

    def literal(value: Any) -> str:
        if value is None:
            return "NULL"
        return repr(float(value)) if isinstance(value, (int, float)) else "'" + str(value).replace("'", "''") + "'"

    rows = ", ".join(f"({', '.join(literal(v) for v in row)})" for row in zip(*columns.values(), strict=True))
    quoted = [f'"{name}"' for name in columns]
    picked = ", ".join(f"{q}::{kinds[name]} AS {q}" for q, name in zip(quoted, columns, strict=True))
    if not rows:
        empty = ", ".join(f"NULL::{kinds[name]} AS {q}" for q, name in zip(quoted, columns, strict=True))
        return relation.query("_events", f"SELECT {empty} WHERE false")
    return relation.query("_events", f"SELECT {picked} FROM (VALUES {rows}) AS known({', '.join(quoted)})")
