"""One table for simulated and observed events.

In: a Polars frame with the columns below. Out: an `EventTable`, sorted by replicate and time, that carries its span,
its resolution and an account of what happened to every row on the way in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from powderkeg.errors import EventError, Fault

RESOLUTIONS = ("exact", "second", "day", "month")

REQUIRED = ("time", "source", "act", "target")
"""time: days since midnight UTC of `start` (Float64; a whole number where the resolution is a day);
source, act, target: names (String, Categorical or Enum); target may be null where an act has none."""

OPTIONAL = (
    "replicate",  # which simulated history; absent for observed events
    "channel",  # channel index in the model that the table was matched to or made by
    "parent",  # row of the parent within its replicate, null for a root (simulated events only)
    "mechanism",  # name of the mechanism that bore the event, null for a root
    "code",  # the source's own code, text with its leading zeros
    "tone",  # "verbal cooperation", "material cooperation", "verbal conflict", "material conflict"
    "goldstein",
    "weight",
    "deaths",
    "source_name",  # the names as they stood in the file
    "target_name",
    "event_id",
    "file",
    "line",
)


@dataclass(frozen=True)
class EventTable:
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
            raise EventError(Fault(None, None, "", f"no column {', '.join(missing)}", f"columns {', '.join(REQUIRED)}"))
        if self.resolution not in RESOLUTIONS:
            raise EventError(Fault(None, None, "resolution", repr(self.resolution), f"one of {', '.join(RESOLUTIONS)}"))

    def __len__(self) -> int:
        return self.frame.height

    @property
    def n_replicates(self) -> int:
        """Number of histories in the table that have events; 1 for observed events."""
        if "replicate" not in self.frame.columns:
            return 1
        return int(self.frame["replicate"].n_unique())
