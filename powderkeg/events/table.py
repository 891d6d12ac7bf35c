"""One table for simulated and observed events.

In: a Polars frame with the columns below. Out: an `EventTable`, sorted by replicate and time, that carries its span,
its resolution and an account of what happened to every row on the way in.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from types import NoneType
from typing import Any

import polars as pl

from powderkeg.errors import EventError, Fault, as_found, must_be
from powderkeg.showing import Plotted, as_html
from powderkeg.wording import counted

RESOLUTIONS = ("exact", "second", "day", "month")

REQUIRED = ("time", "source", "act", "target")
"""time: days since midnight UTC of `start` (Float64; a whole number where the resolution is a day);
source, act, target: names (String, Categorical or Enum); target may be null where an act has none."""

OPTIONAL = (
    "replicate",  # which simulated history; absent for observed events
    "channel",  # channel index in the model that the table was matched to or made by
    "parent",  # row of the parent within its replicate, null for a root (simulated events only)
    "mechanism",  # name of the mechanism that set off the event, null for a root
    "code",  # the source's own code, text with its leading zeros
    "cameo",  # the CAMEO code nearest to it, whatever codebook the code is from
    "tone",  # "verbal cooperation", "material cooperation", "verbal conflict", "material conflict"
    "goldstein",
    "weight",
    "deaths",
    "undirected",  # True where the source does not say which of the two sides acted; missing or False: source did
    "delay",  # days from its day to the day on which it entered the data, where the source says
    "changed",  # the same to the day on which its row was last changed, where the source says no more than that
    "span",  # days within which it happened, from its stamp on, where the source says that it is not sure of the day
    "source_name",  # the names as they stood in the file
    "target_name",
    "source_country",
    "target_country",
    "source_sectors",
    "target_sectors",
    "event_id",
    "file",
    "line",
)


@dataclass(frozen=True)
class EventTable(Plotted):
    """Events in time order.

    frame       Polars frame: REQUIRED columns, any of OPTIONAL, and any others the user brought
    start       first day of the observed window
    days        length of the window, days
    resolution  one of RESOLUTIONS: what the stamps are good for
    account     rows_read, rows_kept, rows_set_aside, rows_dropped by policy; empty for simulated events
    coverage    events of all kinds a month (columns month, events), or None: what a fit may use as exposure
    quarantine  rows set aside (columns file, line, reason, text), or None
    """

    frame: pl.DataFrame
    start: date
    days: float
    resolution: str = "exact"
    account: Mapping[str, object] = field(default_factory=dict)
    coverage: pl.DataFrame | None = None
    quarantine: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        missing = [name for name in REQUIRED if name not in self.frame.columns]
        if missing:
            raise EventError(Fault.of(f"no column {', '.join(missing)}", f"columns {', '.join(REQUIRED)}"))
        if self.resolution not in RESOLUTIONS:
            raise EventError(Fault.at("resolution", repr(self.resolution), f"one of {', '.join(RESOLUTIONS)}"))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The frame as an Arrow stream, by which dataframe libraries take each other's tables: pl.DataFrame(table)."""
        return self.frame.__arrow_c_stream__(requested_schema)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Row after row, each with its column names: pd.DataFrame(table) takes them so."""
        return self.frame.iter_rows(named=True)

    def __repr__(self) -> str:
        last = self.end.isoformat()
        return f"EventTable({counted(len(self), 'event')}, {self.start} to {last}, stamps good for: {self.resolution})"

    def _repr_html_(self) -> str:
        return as_html(self, self.frame)

    def __len__(self) -> int:
        return self.frame.height

    @property
    def end(self) -> date:
        """Last day of the window."""
        return self.start + timedelta(days=max(math.ceil(self.days), 1) - 1)

    def between(self, first: date | None = None, last: date | None = None) -> EventTable:
        """The part of the table from one day to another, both counted; the rows left out are counted in the account
        as dropped by "outside the window".

        Raises UsageError for what is no date.
        """
        for name, day in (("first", first), ("last", last)):
            must_be(name, day, (date, NoneType), "a date, such as date(2024, 3, 1)")
        low, high = first or self.start, last or self.end
        since = float((low - self.start).days)
        inside = self.frame.filter(pl.col("time") >= since, pl.col("time") < since + (high - low).days + 1)
        account = dict(self.account)
        if "rows_kept" in account:
            dropped = dict(account["rows_dropped"])  # type: ignore[call-overload]
            left_out = self.frame.height - inside.height
            if left_out:
                dropped["outside the window"] = dropped.get("outside the window", 0) + left_out
            account |= {"rows_kept": inside.height, "rows_dropped": dropped}
        days = float(max((high - low).days + 1, 1))
        frame = inside.with_columns(pl.col("time") - since)
        return replace(self, frame=frame, start=low, days=days, account=account)

    @property
    def n_undirected(self) -> int:
        """Events whose source does not say which of the two sides acted."""
        return int(self.frame["undirected"].sum() or 0) if "undirected" in self.frame.columns else 0

    @property
    def n_replicates(self) -> int:
        """Number of histories in the table that have events; 1 for observed events."""
        if "replicate" not in self.frame.columns:
            return 1
        return int(self.frame["replicate"].n_unique())

    @property
    def n_histories(self) -> int:
        """Number of histories, those without an event too where the account says how many (`replicates`), or by the
        highest `replicate`; 1 for observed events."""
        known = self.account.get("replicates", 1)
        highest = int(self.frame["replicate"].to_numpy().max(initial=0)) if "replicate" in self.frame.columns else 0
        return max(known if isinstance(known, int) else 1, highest + 1)


def must_be_table(events: object) -> None:
    """Raises UsageError for what is no event table: the name of a file, a frame, a scenario in its place."""
    file = as_found(events) if isinstance(events, str | os.PathLike) else "..."
    file = file if file[-1] in "'\"" else "..."  # too long to be repeated
    must_be("events", events, EventTable, f"an EventTable, such as read_events({file}) gives")
