"""Which rows are the same event told again?

In: rows with event ids, and within what the ids are unique. Out: the first row of each event, and how many others there
were, by kind of data. An id that is unique in the whole data set makes two rows of a day one event. An id that is
unique in its file alone (a table of one's own, a release of UCDP) does so only where the rows say the same: two lists
of one's own may both begin with 1. Ids of one kind of data say nothing of those of another.
"""

from __future__ import annotations

from collections import Counter

import polars as pl

from powderkeg.events.layout import Layout
from powderkeg.formats import FORMATS, IN_ITS_FILE

SCOPE = "id_scope"
SAME = "*"
"""Ends the scope of ids that make an event the same only where the rows say the same."""


def scoped(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Rows with the scope of their ids."""
    if "event_id" not in frame.columns:
        return frame
    # Several actors of one row share its id.
    weak = layout.ids == IN_ITS_FILE or layout.format.list_mark is not None
    return frame.with_columns(pl.lit(layout.format.kind + SAME * weak, dtype=pl.Categorical).alias(SCOPE))


def has_doubles(frame: pl.DataFrame) -> bool:
    """Whether any event id is met twice."""
    if "event_id" not in frame.columns:
        return False
    named = frame["event_id"].drop_nulls()
    # Two hashes may meet by chance: then the slow way is taken for nothing, and nothing is lost.
    return named.hash().n_unique() < len(named)


def without_same_events(frame: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str], int]:
    """The first row of each event of a day; the others by scope; and the rows that share an id and a day with a row
    that says something else, and are kept.

    frame  columns day (since 1970-01-01), source, target, code or act, event_id, and where known SCOPE
    """
    scope = pl.col(SCOPE).cast(pl.String).fill_null("") if SCOPE in frame.columns else pl.lit("")
    act = "code" if "code" in frame.columns else "act"
    weak = scope.str.ends_with(SAME)
    text = (pl.when(weak).then(pl.col(name).cast(pl.String)).alias(f"_{name}") for name in ("source", act, "target"))
    rows = frame.with_columns(*text, _day=pl.col("day").floor(), _scope=scope).with_row_index("_row")
    nameless = rows["event_id"].is_null()
    loose = ["event_id", "_day", "_scope"]
    firsts = rows.filter(~nameless).unique([*loose, "_source", f"_{act}", "_target"], keep="first", maintain_order=True)
    kept = pl.concat([firsts, rows.filter(nameless)]).sort("_row")
    dropped = Counter(rows["_scope"].to_list()) if kept.height < rows.height else Counter()
    dropped.subtract(Counter(kept["_scope"].to_list()) if dropped else Counter())
    # Where a row names several actors, its events share an id and differ, as they should.
    listed = [name + SAME for name, kind in FORMATS.items() if kind.list_mark is not None]
    alone = firsts.filter(~pl.col("_scope").is_in(listed))
    differing = alone.height - alone.select(loose).n_unique()
    return kept.select(frame.columns), +dropped, differing


def of_table(frame: pl.DataFrame, formats: object) -> pl.DataFrame:
    """The rows of a table that was read, with a scope for their ids: that of the kinds of data it was read from."""
    kinds = [FORMATS[str(name)] for name in (formats if isinstance(formats, list) else [formats]) if name in FORMATS]
    weak = any(kind.list_mark or IN_ITS_FILE in kind.ids.values() for kind in kinds) or not kinds
    return frame.with_columns(pl.lit(SAME * weak).alias(SCOPE))


def told(dropped: Counter[str], differing: int) -> list[str]:
    """What was done, for the user."""
    said = []
    for scope, number in dropped.items():
        name = scope.removesuffix(SAME)
        title = FORMATS[name].title if name in FORMATS else name
        same = (
            "event id, day, source, act and target are those" if scope.endswith(SAME) else "event id and day are those"
        )
        said.append(f"{number:,} double{'s' * (number != 1)} dropped: {same} of another row of {title}")
    if differing:
        said.append(
            f"{differing:,} row{'s' * (differing != 1)} kept whose event id and day are those of another row that says "
            "something else: such ids are unique in their file, if at all"
        )
    return said
