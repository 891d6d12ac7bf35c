"""How good were frozen forecasts, now that their days have come?

In: `Frozen` forecasts, events that hold the past they were made from and the days they foretold. Out: a `Backtest`.
What one forecast scored can be kept, so that a desk need not score years of them anew every night.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError
from powderkeg.events.table import EventTable
from powderkeg.forecast.backtest import ALONE, HORIZONS, OURS, AtOrigin, Backtest, Cell, baseline_cells, cells_of
from powderkeg.forecast.baselines import REFERENCE
from powderkeg.forecast.came import first_came
from powderkeg.forecast.counts import Units, observed, units_of
from powderkeg.forecast.fan import told_and_came, week_ends
from powderkeg.forecast.frozen import WRITTEN, Frozen, digest_of
from powderkeg.forecast.seen import Watched, channels_of
from powderkeg.forecast.standoffs import BEGINS
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.reading.stored import (
    AnyShape,
    MappingShape,
    read_stored,
    seal_of,
)

CHANGED = 0.1
"""Share of the acts before the origin by which later events may differ: sources add late reports, and mend."""
KEPT = "what `powderkeg desk` keeps of a scored forecast"


@dataclass(frozen=True)
class Scored:
    """What one forecast scored.

    ends      (5, days, units): see `fan.week_ends`
    outcomes  name, chance that was said, whether it came within all its days (1 or 0)
    scored    last day of the events then
    """

    one: Frozen
    by: str
    level: float
    cells: tuple[Cell, ...]
    ends: Floats
    outcomes: tuple[tuple[str, float, float], ...]
    events: str
    scored: date


def not_yet(one: Frozen, events: EventTable, wait: float = 0.0) -> str | None:
    """Why a frozen forecast cannot be scored yet, in words; None where its days have come.

    wait  days that reports are given to come in
    """
    if events.end >= one.end + timedelta(days=int(wait)):
        return None
    until = f" and reports are given {wait:g} days" if wait else ""
    return f"its days have not come: it foretells {one.origin} to {one.end}{until}, and the events end on {events.end}"


def strangers(one: Frozen, events: EventTable) -> str | None:
    """What speaks against these being the events that a forecast was made from; late reports do not."""
    if events.start > one.origin - timedelta(days=1):
        return f"the events begin on {events.start}, so what was known before {one.origin} is not among them"
    known = events.between(max(one.start, events.start), one.origin - timedelta(days=1))
    if events.start <= one.start and digest_of(known) == one.events:
        return None
    if abs(len(known) - one.acts) > CHANGED * max(one.acts, 1):
        return f"{len(known):,} acts before the origin, where the forecast was made from {one.acts:,} others"
    return None


def score_frozen(
    files: Sequence[Frozen], events: EventTable, by: str = "class", level: float = 0.9, seed: int = 1
) -> Backtest:
    """Scores of frozen forecasts of one scenario, beside the baselines from the same past.

    by  "class": dyads by class of act; "dyad"

    Raises UsageError if the days of none have come, or the events before an origin are not those it was made from.
    """
    faults = []
    for one in files:
        late = not_yet(one, events)
        if late:
            faults.append(Fault(str(one.path), None, "", late, "events up to then"))
        elif words := strangers(one, events):
            faults.append(Fault(str(one.path), None, "events", words, "the source it was made from, read the same way"))
    if faults:
        raise UsageError(faults)
    return board([scored(one, events, by, level, seed) for one in files], events, seed)


def scored(
    one: Frozen, events: EventTable, by: str, level: float, seed: int, horizons: Sequence[int] = HORIZONS
) -> Scored:
    """What one forecast and the baselines at its origin scored; its last day is a horizon too."""
    model = compile_model(one.scenario)
    ahead, units = _by(one, model, by)
    channel = channels_of(model, events.frame)
    first = (one.origin - events.start).days
    stamp: Ints = np.floor(events.frame["time"].to_numpy()).astype(np.int64)
    past, came = observed(stamp, channel, first, units), observed(stamp - first, channel, one.days, units)
    at = AtOrigin(one.origin, events, past, came)
    asked = tuple(sorted({int(h) for h in horizons if h < one.days} | {one.days}))
    cells = cells_of(OURS, at, ahead, asked, np.random.default_rng([seed, one.origin.toordinal()]))
    if one.of_model is not None and one.of_model.any():
        cells += cells_of(ALONE, at, ahead[one.of_model], asked, np.random.default_rng([seed, one.origin.toordinal()]))
    cells += baseline_cells(at, asked, min(len(ahead), 1000), seed + one.origin.toordinal())
    ends = week_ends(_padded(past), ahead, level)
    outcomes = _outcomes(one, model, events, channel)
    return Scored(one, by, level, tuple(cells), ends, outcomes, digest_of(events), events.end)


def _outcomes(one: Frozen, model: Model, events: EventTable, channel: Ints) -> tuple[tuple[str, float, float], ...]:
    """Chances that were said, and whether it came, by what the file says is a new standoff."""
    first = float((one.origin - events.start).days)
    time = events.frame["time"].to_numpy().astype(np.float64)
    known = (channel >= 0) & (time >= 0.0)
    before, ahead = known & (time < first), known & (time >= first) & (time < first + one.days)
    by_day = events.resolution == "day"
    watched = Watched(
        time=np.floor(time[before]) if by_day else time[before], channel=channel[before], start=events.start,
        days=first, begin=float((one.origin - one.scenario.start).days), by_day=by_day,
        row=np.flatnonzero(before), lost=0,
    )  # fmt: skip
    came = first_came(model, watched, time[ahead] - first, channel[ahead], one.days, one.new_standoff)
    return tuple((name, said, float(came[name] < one.days)) for name, said in one.chances.items() if name in came)


def _padded(past: Floats) -> Floats:
    """At least a week of days before the origin."""
    return past if len(past) >= 7 else np.concatenate([np.zeros((7 - len(past), past.shape[1])), past])


def board(found: Sequence[Scored], events: EventTable | None, seed: int = 1) -> Backtest:
    """The scoreboard of forecasts of one scenario that were scored alike; without events it has no fans.

    Raises UsageError where there is none.
    """
    if not found:
        raise UsageError(Fault.of("no forecast whose days have come", "later events"))
    found = sorted(found, key=lambda one: (one.one.origin, one.one.path.name))
    cells = _cells(found)
    # A horizon that some forecasts do not reach is told over those that do.
    horizons = tuple(sorted({cell.horizon for cell in cells}))
    rows = [(OURS, one.one.origin, one.one.days, *outcome) for one in found for outcome in one.outcomes]
    schema = {"model": pl.String, "origin": pl.Date, "horizon": pl.Int64, "name": pl.String, "chance": pl.Float64,
              "came": pl.Float64}  # fmt: skip
    outcomes = pl.DataFrame(rows, schema=schema, orient="row")
    notes = tuple(
        f"{one.one.path.name}: made {one.one.made}, {one.one.origin}, {one.one.days} days, seal {one.one.seal[:12]}"
        + ("; its new standoffs are those whose first act lay ahead" if one.one.new_standoff == BEGINS else "")
        for one in found
    )
    return Backtest(
        tuple(one.one.origin for one in found), horizons, found[-1].by, REFERENCE, found[-1].level, seed, tuple(cells),
        outcomes, notes, None if events is None else _fans(found, events),
    )  # fmt: skip


def _cells(found: Sequence[Scored]) -> list[Cell]:
    """Those of all. Where some forecasts are pools, the model's own draws of the others are all their draws."""
    pools = any(cell.model == ALONE for one in found for cell in one.cells)
    cells: list[Cell] = []
    for one in found:
        cells += one.cells
        if pools and not any(cell.model == ALONE for cell in one.cells):
            cells += [replace(cell, model=ALONE) for cell in one.cells if cell.model == OURS]
    return cells


def _fans(found: Sequence[Scored], events: EventTable) -> pl.DataFrame:
    """What was foretold and what came, of the units of the last forecast."""
    model = compile_model(found[-1].one.scenario)
    units = units_of(model, found[-1].by)
    stamp = np.floor(events.frame["time"].to_numpy()).astype(np.int64)
    counts = observed(stamp, channels_of(model, events.frame), int(np.ceil(events.days)), units)
    told = {one.one.origin: one.ends for one in found if one.ends.shape[2] == len(units)}
    return told_and_came(units, told, counts, events.start)


def kept_text(found: Scored) -> str:
    """What one forecast scored as a text to keep, sealed."""
    cells = [
        {"model": c.model, "horizon": c.horizon, "over": c.over, "quiet": c.quiet.tolist(),
         "scores": {name: values.tolist() for name, values in c.scores.items()}}
        for c in found.cells
    ]  # fmt: skip
    content: dict[str, Any] = {
        "by": found.by, "level": found.level, "events": found.events, "scored": found.scored.isoformat(),
        "frozen": found.one.seal, "cells": cells, "ends": found.ends.tolist(),
        "outcomes": [list(row) for row in found.outcomes],
    }  # fmt: skip
    return json.dumps({"seal": seal_of(content), **content}, allow_nan=False, separators=(",", ":")) + "\n"


def read_kept(place: Path, one: Frozen, by: str, level: float) -> Scored | None:
    """What was kept of a forecast; None where nothing was, or of another forecast, or scored otherwise, or changed."""
    try:
        data = read_stored(place, MappingShape(AnyShape()), KEPT)
    except (FileNotFoundError, UsageError):
        return None
    content = {key: value for key, value in data.items() if key != "seal"}
    if data.get("seal") != seal_of(content) or (data.get("frozen"), data.get("by"), data.get("level")) != (
        one.seal, by, level,
    ):  # fmt: skip
        return None
    cells = tuple(
        Cell(
            row["model"], one.origin, int(row["horizon"]), row["over"],
            {name: np.array(values, np.float64) for name, values in row["scores"].items()},
            np.array(row["quiet"], bool),
        )
        for row in data["cells"]
    )  # fmt: skip
    ends = np.array(data["ends"], np.float64)
    # What was kept until version 0.5 has no outcomes.
    outcomes = tuple((str(name), float(said), float(came)) for name, said, came in data.get("outcomes", []))
    return Scored(one, by, level, cells, ends, outcomes, data["events"], date.fromisoformat(data["scored"]))


def _by(one: Frozen, model: Model, by: str) -> tuple[np.ndarray[Any, np.dtype[np.int32]], Units]:
    """The draws by the units asked for. Raises UsageError for a file whose units are not those of its scenario."""
    classes = units_of(model, "class")
    if classes.keys != one.units:
        raise UsageError(Fault(str(one.path), None, "units", "others than those of the scenario in the file", WRITTEN))
    if by == "class":
        return one.counts, classes
    dyads = units_of(model, "dyad")
    into = [dyads.keys.index(key[:2]) for key in one.units]
    summed = np.zeros((*one.counts.shape[:2], len(dyads)), np.int32)
    for unit, dyad in enumerate(into):
        summed[:, :, dyad] += one.counts[:, :, unit]
    return summed, dyads
