"""Which dated standoffs of a record were found in event data, which were missed, and which came on top?

In: two frames with dates, one found by `episodes`, one recorded. Out: pairs, and what stayed without a partner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from powderkeg.errors import EventError, Fault, must_be
from powderkeg.showing import ShowsItself, as_html


@dataclass(frozen=True)
class EpisodeComparison(ShowsItself):
    """Found standoffs beside recorded ones.

    pairs   one row for each recorded standoff that was found: found, recorded (row numbers), first_day and
            recorded_day, off_by (days from the recorded onset to the found one), overlap (days both were on), and
            opener, recorded_opener, end_state, recorded_end, id where the tables tell
    missed  recorded standoffs without a partner;  extra  found ones without
    """

    pairs: pl.DataFrame
    missed: pl.DataFrame
    extra: pl.DataFrame

    def __repr__(self) -> str:
        missed, extra = self.missed.height, self.extra.height
        return f"EpisodeComparison({self.pairs.height:,} found, {missed:,} missed, {extra:,} extra)"

    def _repr_html_(self) -> str:
        return as_html(self, self.pairs)

    @property
    def recall(self) -> float | None:
        """Share of the recorded standoffs that were found."""
        n = self.pairs.height + self.missed.height
        return self.pairs.height / n if n else None

    @property
    def precision(self) -> float | None:
        """Share of the found standoffs that the record knows; a record that is no census makes it too low."""
        n = self.pairs.height + self.extra.height
        return self.pairs.height / n if n else None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "found": self.pairs.height,
            "missed": self.missed.height,
            "extra": self.extra.height,
            "recall": self.recall,
            "precision": self.precision,
            "pairs": self.pairs.to_dicts(),
            "missed_episodes": self.missed.to_dicts(),
            "extra_episodes": self.extra.to_dicts(),
        }


def compare_episodes(
    found: pl.DataFrame,
    record: pl.DataFrame,
    tolerance_days: float = 7.0,
    *,
    window: tuple[date, date] | None = None,
) -> EpisodeComparison:
    """Match found standoffs to recorded ones, one to one.

    found, record   frames with dates first_day and last_day; any other columns are carried along
    tolerance_days  a recorded standoff may be found if the two spans overlap or come within so many days of each other
    window          first and last day that both cover; standoffs that lie wholly outside are left out of either

    Of all ways to match, the one with most pairs is taken, and among these the one with the closest onsets.

    Raises EventError if a frame has no dates.
    """
    for name, frame in (("found", found), ("record", record)):
        must_be(name, frame, pl.DataFrame, "a frame of standoffs, such as episodes(...) gives")
        missing = [column for column in ("first_day", "last_day") if column not in frame.columns]
        undated = [] if missing else [c for c in ("first_day", "last_day") if frame[c].null_count()]
        if missing or undated:
            raise EventError(
                Fault.at(name, f"no dates in {', '.join(missing or undated)}", "first_day and last_day, as dates")
            )
    if window is not None:
        first, last = window
        within = (pl.col("first_day") <= last) & (pl.col("last_day") >= first)
        found, record = found.filter(within), record.filter(within)
    begin, stop = _days(found, "first_day"), _days(found, "last_day")
    begin_recorded, stop_recorded = _days(record, "first_day"), _days(record, "last_day")
    apart = np.maximum(begin[:, None] - stop_recorded, begin_recorded - stop[:, None])
    off_by = begin[:, None] - begin_recorded
    shared = np.minimum(stop[:, None], stop_recorded) - np.maximum(begin[:, None], begin_recorded) + 1
    near = apart <= tolerance_days
    # One pair more outweighs any distance between onsets.
    cost = np.where(
        near, np.abs(off_by) / (np.abs(off_by).max(initial=0.0) + 1.0) / (min(near.shape, default=0) + 1), 1.0
    )
    from scipy.optimize import linear_sum_assignment  # half a second to import, and rarely wanted

    rows, columns = linear_sum_assignment(cost)
    kept = near[rows, columns]
    rows, columns = rows[kept], columns[kept]
    order = np.argsort(columns)
    rows, columns = rows[order], columns[order]
    pairs = pl.DataFrame(
        {
            "found": pl.Series(rows, dtype=pl.Int64),
            "recorded": pl.Series(columns, dtype=pl.Int64),
            "first_day": found["first_day"].gather(rows),
            "recorded_day": record["first_day"].gather(columns),
            "off_by": pl.Series(off_by[rows, columns], dtype=pl.Int64),
            "overlap": pl.Series(np.maximum(shared[rows, columns], 0), dtype=pl.Int64),
        }
    )
    for column, name in (("id", "id"), ("opener", "recorded_opener"), ("end_state", "recorded_end")):
        if column in record.columns:
            pairs = pairs.with_columns(record[column].gather(columns).alias(name))
        if column in found.columns and column != "id":
            pairs = pairs.with_columns(found[column].gather(rows).alias(column))
    return EpisodeComparison(
        pairs=pairs,
        missed=record.filter(~pl.Series(np.isin(np.arange(record.height), columns), dtype=pl.Boolean)),
        extra=found.filter(~pl.Series(np.isin(np.arange(found.height), rows), dtype=pl.Boolean)),
    )


def _days(frame: pl.DataFrame, column: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return frame[column].cast(pl.Date).to_physical().to_numpy().astype(np.int64)
