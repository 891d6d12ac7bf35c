"""How many acts of which class, in which dyad, on which day: of draws, and of what was observed.

In: acts of histories ahead, or by channel and day. Out: arrays (draws, days, units) and the names of the units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.model import Model
from powderkeg.simulate import Runs

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CLASSES = ("verbal cooperation", "material cooperation", "verbal conflict", "material conflict")
CELLS = 8_000_000
"""Draws times days times units of a table that is made at once; of each unit only the draws that hold any act."""
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

    def among(self, chosen: Ints) -> Units:
        """These units alone, in this order."""
        place = np.full(len(self) + 1, -1, np.int64)  # the last is of channels of no unit
        place[chosen] = np.arange(len(chosen))
        return Units(place[self.of_channel], tuple(self.keys[u] for u in chosen.tolist()), self.columns)

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


class Occupied(NamedTuple):
    """The acts of some units, draw by draw, without the draws in which a unit does nothing.

    unit   (u,) which units
    acts   (u, days, K) acts of each day in each draw that holds any, K the most that a unit of these has
    draw   (u, K) which draw that is; -1 where a unit has fewer
    draws  all draws: in those that are left out nothing came
    """

    unit: Ints
    acts: NDArray[np.int32]
    draw: Ints
    draws: int

    def ends(self, counts: NDArray[Any], shares: Sequence[float]) -> Floats:
        """(shares, u, days) ends of counts (u, days, K) over all draws: the draws left out stand first, with 0."""
        ranks = np.quantile(np.arange(self.draws), shares, axis=0, method="inverted_cdf").astype(np.int64)
        rising = np.sort(counts, axis=-1)
        ends = np.zeros((len(ranks), *counts.shape[:-1]))
        for k, rank in enumerate(ranks - self.draws + counts.shape[-1]):
            if rank >= 0:
                ends[k] = rising[..., rank]
        return ends


def blocks(ahead: ActsAhead, units: Units) -> Iterator[Occupied]:
    """All units, those of few draws first, as many at once as fit."""
    R, H, U = ahead.replicates, ahead.days, len(units)
    unit = units.of_channel[ahead.channel]
    kept = unit >= 0
    unit, day = unit[kept], ahead.day[kept].astype(np.int64)
    pair, of = np.unique(unit * R + ahead.replicate[kept], return_inverse=True)
    own = np.bincount(pair // R, minlength=U)
    first = np.concatenate([[0], np.cumsum(own)])
    order = np.argsort(own, kind="stable")
    place = np.empty(U, np.int64)
    place[order] = np.arange(U)
    acts = np.argsort(place[unit], kind="stable")
    begin = np.searchsorted(place[unit][acts], np.arange(U + 1))
    for low, high in _ranges(np.maximum(own[order], 1) * H):
        chosen, rows = order[low:high], acts[begin[low] : begin[high]]
        K = max(int(own[chosen[-1]]), 1)
        cell = (place[unit[rows]] - low) * H * K + day[rows] * K + of[rows] - first[unit[rows]]
        found = np.bincount(cell, minlength=(high - low) * H * K).reshape(high - low, H, K)
        column = np.arange(K) + first[chosen][:, None]
        draw = np.where(np.arange(K) < own[chosen][:, None], np.append(pair % R, -1)[np.minimum(column, len(pair))], -1)
        yield Occupied(chosen, found.astype(np.int32), draw, R)


def _ranges(cells: Ints) -> Iterator[tuple[int, int]]:
    """Stretches of units, each in one table as wide as its last, of which cells (U,) rise."""
    low = 0
    for high in range(1, len(cells) + 1):
        if high == len(cells) or (high + 1 - low) * cells[high] > CELLS:
            yield low, high
            low = high


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


def summary(ahead: ActsAhead, units: Units) -> pl.DataFrame:
    """One row a unit: mean and quantiles of its acts over all days, chance of any, median first day."""
    U, R = len(units), ahead.replicates
    mean, sd, q, any_, first = np.zeros(U), np.zeros(U), np.zeros((len(QUANTILES), U)), np.zeros(U), np.zeros(U)
    for part in blocks(ahead, units):
        total = part.acts.sum(axis=1)
        mean[part.unit] = total.sum(axis=-1) / R
        sd[part.unit] = _spread(part, total)
        q[:, part.unit] = part.ends(total, QUANTILES)
        by_day = np.logical_or.accumulate(part.acts > 0, axis=1).sum(axis=-1) / R
        any_[part.unit] = by_day[:, -1]
        first[part.unit] = np.where(by_day[:, -1] >= 0.5, (by_day >= 0.5).argmax(axis=1) + 1, 0)
    columns: dict[str, Any] = units.names() | {"mean": mean, "sd": sd}
    columns |= {f"q{round(100 * p):02d}": q[i] for i, p in enumerate(QUANTILES)}
    columns |= {"any": any_, "first_day": [int(day) or None for day in first.tolist()]}
    return pl.DataFrame(columns, schema_overrides={"first_day": pl.Int64})


def _spread(part: Occupied, total: Ints) -> Floats:
    """(u,) standard deviations over all draws of totals (u, K)."""
    found = np.empty(len(total))
    width = max(CELLS // part.draws, 2)
    for first in range(0, len(total), width):
        own, draw = total[first : first + width], part.draw[first : first + width]
        every = np.zeros((part.draws, len(own)), np.int64)
        u, k = np.nonzero(draw >= 0)
        every[draw[u, k], u] = own[u, k]
        found[first : first + width] = every.std(axis=0)
    return found


def by_day(ahead: ActsAhead, units: Units) -> pl.DataFrame:
    """One row a unit and day: mean and quantiles of the acts of the day, and of all up to it."""
    U, H = len(units), ahead.days
    mean = {prefix: np.zeros((U, H)) for prefix in ("", "total_")}
    q = {prefix: np.zeros((len(QUANTILES), U, H)) for prefix in mean}
    for part in blocks(ahead, units):
        for prefix, acts in (("", part.acts), ("total_", part.acts.cumsum(axis=1, dtype=np.int32))):
            mean[prefix][part.unit] = acts.sum(axis=-1) / part.draws
            q[prefix][:, part.unit] = part.ends(acts, QUANTILES)
    row = np.repeat(np.arange(U), H)
    columns: dict[str, Any] = {name: pl.Series(values, dtype=pl.String)[row] for name, values in units.names().items()}
    columns["day"] = np.tile(np.arange(1, H + 1), U)
    for prefix in mean:
        columns[f"{prefix}mean"] = mean[prefix].ravel()
        columns |= {f"{prefix}q{round(100 * p):02d}": q[prefix][i].ravel() for i, p in enumerate(QUANTILES)}
    return pl.DataFrame(columns)
