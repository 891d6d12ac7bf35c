"""The acts of the week up to each day: as seen, as foretold, as they came.

In: counts of a forecast, what was watched. Out: a frame for the fan figure. Weeks, because single days of most dyads
hold no act or one, and a running week of the first days ahead still holds days that were seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError, as_found
from powderkeg.events.table import EventTable
from powderkeg.forecast.counts import ActsAhead, Units, blocks, observed
from powderkeg.forecast.seen import Watched, channels_of
from powderkeg.model import Model

WEEK = 7
MOST_UNITS = 6
ENDS = ("low", "q25", "median", "q75", "high")


def fan(
    model: Model, seen: Watched, told: ActsAhead, units: Units, level: float, before: int, after: EventTable | None,
    most: int | None = None,
) -> pl.DataFrame:  # fmt: skip
    """See `Forecast.fan`."""
    _check(before, most)
    n_past, H = min(before, int(seen.days)), told.days
    unit = units.of_channel[told.channel]
    busy = np.argsort(-np.bincount(unit[unit >= 0], minlength=len(units)), kind="stable")[:most]
    units = units.among(busy)
    first = int(np.ceil(seen.days - 1e-9)) - n_past - WEEK
    day = np.floor(seen.time).astype(np.int64) - first
    past = observed(day, seen.channel, n_past + WEEK, units)
    U, n = len(units), n_past + H
    # What the days before have of the weeks ahead is the same in all draws.
    tail = _running(np.concatenate([past[-(WEEK - 1) :], np.zeros((H, U))]))[WEEK - 1 :].T
    numbers = {key: np.full((U, n), np.nan) for key in ("seen", *ENDS, "came")}
    numbers["seen"][:, :n_past] = _running(past)[WEEK:].T
    for part in blocks(told, units):
        ends = part.ends(_running(part.acts), _shares(level))
        for key, end in zip(ENDS, ends, strict=True):
            numbers[key][part.unit, n_past:] = end + tail[part.unit]
    if after is not None:
        came = _came(model, seen, units, after, past, H)
        numbers["came"][:, n_past : n_past + len(came)] = came.T
    names = [" → ".join(part.replace("_", " ") for part in key if part) for key in units.keys]
    days = pl.date_range(seen.origin - timedelta(days=n_past), seen.origin + timedelta(days=H - 1), eager=True)
    columns: dict[str, Any] = {
        "name": pl.Series(names, dtype=pl.String)[np.repeat(np.arange(U), n)],
        "day": days[np.tile(np.arange(n), U)],
    }
    columns |= {key: pl.Series(values.ravel(), nan_to_null=True) for key, values in numbers.items()}
    return pl.DataFrame(columns)


def _check(before: Any, most: Any) -> None:
    given = {"before": before} if most is None else {"before": before, "most": most}
    faults = [
        Fault.at(name, as_found(number), "a whole number from 0 on")
        for name, number in given.items()
        if not isinstance(number, int | np.integer) or number < 0
    ]
    if faults:
        raise UsageError(faults)


def week_ends(past: Floats, ahead: NDArray[np.int32], level: float) -> Floats:
    """(5, days, units) ends of the middle `level` and half of the draws, and their middle, of the week up to each day.

    past  (at least 6, units) acts by day before the origin;  ahead (draws, days, units)
    """
    R, _, U = ahead.shape
    tail = np.broadcast_to(past[-(WEEK - 1) :], (R, WEEK - 1, U))
    week = _running(np.concatenate([tail, ahead], axis=1))[:, WEEK - 1 :]
    return np.quantile(week, _shares(level), axis=0, method="inverted_cdf").astype(np.float64)


def _shares(level: float) -> tuple[float, ...]:
    """Shares of the draws below each of `ENDS`."""
    low = (1.0 - level) / 2.0
    return low, 0.25, 0.5, 0.75, 1.0 - low


def told_and_came(
    units: Units, told: Mapping[date, Floats], counts: Floats, start: date, before: int = 60, most: int = MOST_UNITS
) -> pl.DataFrame:
    """What was foretold from several origins, and what was seen all along: what `plots.fans_and_what_came` draws.

    told    origin -> `week_ends` at it; of origins whose days overlap the first is taken
    counts  (days, units) acts from `start` on

    columns  name, origin (null for what was seen), day, low, q25, median, q75, high, came; busiest dyads first
    """
    kept: list[date] = []
    for origin in sorted(told):
        if not kept or (origin - kept[-1]).days >= told[kept[-1]].shape[1]:
            kept.append(origin)
    first = max((kept[0] - start).days - before, 0)
    last = min(max((origin - start).days + told[origin].shape[1] for origin in kept), len(counts))
    seen = _running(counts)[first:last]
    rows: list[dict[str, Any]] = []
    for u in np.argsort(-counts[first:last].sum(axis=0), kind="stable")[:most].tolist():
        name = " → ".join(part.replace("_", " ") for part in units.keys[u] if part)
        for d, came in enumerate(seen[:, u].tolist()):
            rows.append({"name": name, "origin": None, "day": start + timedelta(days=first + d), "came": came})
        for origin in kept:
            for d, (low, q25, median, q75, high) in enumerate(told[origin][:, :, u].T.tolist()):
                rows.append({"name": name, "origin": origin, "day": origin + timedelta(days=d), "low": low,
                             "q25": q25, "median": median, "q75": q75, "high": high})  # fmt: skip
    numbers = dict.fromkeys(("low", "q25", "median", "q75", "high", "came"), pl.Float64)
    return pl.DataFrame(rows, schema={"name": pl.String, "origin": pl.Date, "day": pl.Date, **numbers})


def _running(counts: Any) -> Floats:
    """Sums over the week up to each day, along the last axis but one; the first days have fewer."""
    total = np.cumsum(counts, axis=-2).astype(np.float64)
    result = total.copy()
    result[..., WEEK:, :] -= total[..., :-WEEK, :]
    return result


def _came(model: Model, seen: Watched, units: Units, after: EventTable, past: Floats, days: int) -> Floats:
    """(days known, units) acts of the week up to each day ahead that the table reaches."""
    shift = (seen.origin - after.start).days
    reach = min(days, int(np.floor(after.days)) - shift)
    if reach <= 0:
        return np.zeros((0, past.shape[1]))
    frame = after.frame.filter((pl.col("time") >= shift) & (pl.col("time") < shift + reach))
    channel = channels_of(model, frame)
    day = np.floor(frame["time"].to_numpy()).astype(np.int64) - shift
    got = observed(day[channel >= 0], channel[channel >= 0], reach, units)
    return _running(np.concatenate([past[-(WEEK - 1) :], got]))[WEEK - 1 :]
