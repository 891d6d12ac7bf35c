"""How many acts of which class, in which dyad, on which day: of draws, and of what was observed.

In: acts of histories ahead, or by channel and day. Out: arrays (draws, days, units) and the names of the units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.model import Model
from powderkeg.simulate import Runs

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CLASSES = ("verbal cooperation", "material cooperation", "verbal conflict", "material conflict")
CELLS = 8_000_000
"""Draws times days times units of a table that is made at once."""
Whole = np.ndarray[Any, np.dtype[np.signedinteger[Any]]]
_BY_TONE = {"hostile": "verbal conflict", "cooperative": "verbal cooperation", "neutral": "verbal cooperation"}


@dataclass(frozen=True)
class Units:
    """What is counted: unit (C,) of each channel, -1 for none; keys, one a unit."""

    of_channel: Ints
    keys: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, first: int, end: int) -> Units:
        """Units [first, end)."""
        of = np.where((self.of_channel >= first) & (self.of_channel < end), self.of_channel - first, -1)
        return Units(of, self.keys[first:end], self.columns)

    def names(self) -> dict[str, list[str]]:
        return {column: [key[i] for key in self.keys] for i, column in enumerate(self.columns)}


def act_class(model: Model, act: str) -> str:
    """Words or deeds, cooperation or conflict: by the root of its CAMEO code, else by its tone (then words)."""
    known = None if model.scenario is None else model.scenario.acts.get(act)
    if known is None:
        return "acts"
    if known.cameo:
        root = int(known.cameo[:2])
        return CLASSES[0 if root <= 5 else 1 if root <= 8 else 2 if root <= 13 else 3]
    return _BY_TONE[known.tone]


def units_of(model: Model, by: str = "dyad") -> Units:
    """Directed dyads ("dyad"), dyads by class of act ("class"), or single channels ("channel")."""
    place: dict[tuple[str, ...], int] = {}
    of = np.full(model.n_channels, -1, np.int64)
    for c, channel in enumerate(model.channels[: model.n_acts]):
        key: tuple[str, ...] = (channel.source or "", channel.target or "")
        if model.scenario is None:
            key = (channel.act, "")
        if by == "class":
            key = (*key, act_class(model, channel.act))
        elif by == "channel":
            key = (*key, channel.act)
        of[c] = place.setdefault(key, len(place))
    columns = ("source", "target", *({"class": ("class",), "channel": ("act",)}.get(by, ())))
    return Units(of, tuple(place), columns)


class ActsAhead(NamedTuple):
    """The acts of some draws: replicates, how many draws, of so many days; draw, day ahead and channel of each act."""

    replicates: int
    days: int
    replicate: Whole
    day: Whole
    channel: Whole


def acts_ahead(runs: Runs) -> ActsAhead:
    """Those of the model's histories."""
    H = int(np.ceil(runs.days))
    day = np.minimum((runs.time - runs.begin).astype(np.int32), H - 1)
    return ActsAhead(runs.replicates, H, runs.replicate, day, runs.channel)


def daily(ahead: ActsAhead, units: Units) -> np.ndarray[Any, np.dtype[np.int32]]:
    """(draws, days, units) acts of each draw on each day ahead."""
    R, H, U = ahead.replicates, ahead.days, len(units)
    unit = units.of_channel[ahead.channel]
    kept = unit >= 0
    cell = (ahead.replicate[kept].astype(np.int64) * H + ahead.day[kept]) * U + unit[kept]
    return np.bincount(cell, minlength=R * H * U).reshape(R, H, U).astype(np.int32)


def blocks(ahead: ActsAhead, units: Units) -> Iterator[tuple[Units, np.ndarray[Any, np.dtype[np.int32]]]]:
    """`daily` for some units after the other: of all at once where they fit."""
    R, H = ahead.replicates, ahead.days
    width = max(CELLS // max(R * H, 1), 1)
    if width >= len(units):
        yield units, daily(ahead, units)
        return
    unit = units.of_channel[ahead.channel]
    order = np.argsort(unit, kind="stable")
    firsts = range(0, len(units), width)
    begin = np.searchsorted(unit[order], [*firsts, len(units)])
    for k, first in enumerate(firsts):
        part = units.part(first, min(first + width, len(units)))
        rows = order[begin[k] : begin[k + 1]]
        cell = (ahead.replicate[rows].astype(np.int64) * H + ahead.day[rows]) * len(part) + unit[rows] - first
        found = np.bincount(cell, minlength=R * H * len(part))
        yield part, found.reshape(R, H, len(part)).astype(np.int32)


def totals(runs: Runs, units: Units) -> Floats:
    """(draws, units) acts of each draw on all days ahead."""
    unit = units.of_channel[runs.channel]
    kept = unit >= 0
    cell = runs.replicate[kept].astype(np.int64) * len(units) + unit[kept]
    found = np.bincount(cell, minlength=runs.replicates * len(units))
    return found.reshape(runs.replicates, len(units)).astype(np.float64)


class Acts(NamedTuple):
    """Where there are any: draw, day ahead, unit, how many acts; by draw, day and unit."""

    draw: Ints
    day: Ints
    unit: Ints
    acts: Ints


def acts_of(ahead: ActsAhead, units: Units) -> Acts:
    """The cells of `daily` that hold any acts."""
    H, U = ahead.days, max(len(units), 1)
    unit = units.of_channel[ahead.channel]
    kept = unit >= 0
    cells = (ahead.replicate[kept].astype(np.int64) * H + ahead.day[kept]) * U + unit[kept]
    cell, acts = np.unique(cells, return_counts=True)
    return Acts(cell // (H * U), cell // U % H, cell % U, acts.astype(np.int32))


def observed(day: Ints, channel: Ints, days: int, units: Units) -> Floats:
    """(days, units) acts that came, by day from the origin on; acts of no channel (-1) are of no unit."""
    unit = np.where(channel >= 0, units.of_channel[channel], -1)
    kept = (unit >= 0) & (day >= 0) & (day < days)
    cell = day[kept] * len(units) + unit[kept]
    return np.bincount(cell, minlength=days * len(units)).reshape(days, len(units)).astype(np.float64)


def summary(counts: np.ndarray[Any, Any], units: Units) -> pl.DataFrame:
    """One row a unit: mean and quantiles of its acts over all days, chance of any, median first day."""
    total = counts.sum(axis=1)
    q = np.quantile(total, QUANTILES, axis=0, method="inverted_cdf")
    came = np.logical_or.accumulate(counts > 0, axis=1)
    by_day = came.mean(axis=0)
    likely = by_day[-1] >= 0.5
    first = np.where(likely, (by_day >= 0.5).argmax(axis=0) + 1, 0)
    columns: dict[str, Any] = units.names() | {"mean": total.mean(axis=0), "sd": total.std(axis=0)}
    columns |= {f"q{round(100 * p):02d}": q[i].astype(np.float64) for i, p in enumerate(QUANTILES)}
    columns |= {"any": by_day[-1], "first_day": [int(d) if ok else None for d, ok in zip(first, likely, strict=True)]}
    return pl.DataFrame(columns, schema_overrides={"first_day": pl.Int64})


def by_day(counts: np.ndarray[Any, Any], units: Units) -> pl.DataFrame:
    """One row a unit and day: mean and quantiles of the acts of the day, and of all up to it."""
    H, U = counts.shape[1:]
    names = units.names()
    columns: dict[str, Any] = {column: np.repeat(values, H) for column, values in names.items()}
    columns["day"] = np.tile(np.arange(1, H + 1), U)
    for prefix, part in (("", counts), ("total_", counts.cumsum(axis=1))):
        q = np.quantile(part, QUANTILES, axis=0, method="inverted_cdf")
        columns[f"{prefix}mean"] = part.mean(axis=0).T.ravel()
        columns |= {f"{prefix}q{round(100 * p):02d}": q[i].T.ravel().astype(float) for i, p in enumerate(QUANTILES)}
    return pl.DataFrame(columns)
