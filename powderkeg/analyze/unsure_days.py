"""Standoffs among events of which the source does not know the day of all.

In: an `EventTable` with spans, how standoffs are cut. Out: the standoffs, and how far each hangs on the unknown days.

An event that may have happened on more days than the memory of a standoff says nothing about when one was: on the first
of its days a month's events would make one out of nothing. Such events are left out, and it is said. The others are put
on the middle of their days, and on days drawn from theirs, any as likely as the next, many times over; told is in how
many of these draws a standoff is there, from when to when it begins, and how often the same side opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.errors import warn
from powderkeg.events.spans import words_for_unsure
from powderkeg.events.table import EventTable

DRAWS = 40
"""Records with drawn days."""
LEVEL = 0.9
"""Middle share of the draws between the earliest and the latest begin that are told."""


def has_unknown_days(events: object) -> bool:
    """Whether these are observed events of which the source does not know the day of all."""
    if not isinstance(events, EventTable) or "span" not in events.frame.columns:
        return False
    return bool((events.frame["span"] > 1).any())


def over_days(
    events: EventTable, memory: float, cut: Callable[[EventTable], pl.DataFrame], draws: int = DRAWS
) -> pl.DataFrame:
    """The standoffs that `cut` finds with unsure events on the middle of their days, with further columns.

    chance                 share of the draws in which a standoff overlaps it
    start_low, start_high  between which 90 % of those begin
    opener_chance          share of them with the same opener, null where it is not known
    """
    span = events.frame["span"].cast(pl.Float64).fill_null(1.0).fill_nan(1.0).to_numpy()
    vague = span > memory
    said = words_for_unsure(events)
    if vague.any():
        said += (
            f". {int(vague.sum()):,} may have happened on more days than a standoff's memory has ({memory:g}), and no "
            "standoff is made of them"
        )
    warn(said)
    kept = replace(events, frame=events.frame.filter(pl.Series(~vague)))
    span = np.floor(span[~vague])
    found = cut(_dated(kept, np.floor(0.5 * (span - 1.0))))
    rng = np.random.default_rng(1)
    others = [cut(_dated(kept, np.floor(rng.random(len(span)) * span))) for _ in range(draws)]
    return found.with_columns(_held_against(found, others))


def _dated(events: EventTable, later: NDArray[np.float64]) -> EventTable:
    """The events so many days after the first on which they may have happened, still within the window."""
    time = events.frame["time"].to_numpy()
    moved = np.where(later > 0, np.minimum(time + later, max(events.days - 1.0, 0.0)), time)
    frame = events.frame.with_columns(time=pl.Series(np.maximum(moved, time)), span=pl.lit(1.0))
    return replace(events, frame=frame.sort("time", maintain_order=True))


def _held_against(found: pl.DataFrame, others: list[pl.DataFrame]) -> list[pl.Series]:
    """Columns that say in how many of the others each standoff is, when it begins there, and by whom."""
    own = [name for name in ("dyad",) if name in found.columns]
    starts: list[list[float]] = [[] for _ in range(found.height)]
    same = np.zeros(found.height)
    rows = found.select("start", "end", "opener", *own).rows()
    for other in others:
        theirs = other.select("start", "end", "opener", *own).rows()
        for i, row in enumerate(rows):
            match = [one for one in theirs if one[3:] == row[3:] and one[0] <= row[1] and one[1] >= row[0]]
            if match:
                starts[i].append(match[0][0])
                same[i] += match[0][2] == row[2]
    tail = 0.5 * (1.0 - LEVEL)
    known = [row[2] is not None and len(s) > 0 for row, s in zip(rows, starts, strict=True)]
    return [
        pl.Series("chance", [len(s) / len(others) for s in starts], dtype=pl.Float64),
        pl.Series("start_low", [float(np.quantile(s, tail)) if s else None for s in starts], dtype=pl.Float64),
        pl.Series("start_high", [float(np.quantile(s, 1.0 - tail)) if s else None for s in starts], dtype=pl.Float64),
        pl.Series(
            "opener_chance",
            [n / len(s) if is_known else None for n, s, is_known in zip(same, starts, known, strict=True)],
            dtype=pl.Float64,
        ),
    ]
