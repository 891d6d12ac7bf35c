"""Did the background change with time? Candidate courses, and the choice among them.

In: the length of the window, perhaps coverage by month. Out: a `Shape` for each candidate: constant, one or two yearly
waves, or blocks of time with a level each (`epochs` finds borders of its own). A background that is held constant while
the world changed is read as excitation (a branching ratio of 0 as 0.75 to 0.79), so the candidates are compared by AIC
(`choice`), and the branching ratio under every one of them is part of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats
from powderkeg.engine.likelihood.design import Shape
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events.table import EventTable
from powderkeg.units import YEAR

CANDIDATES = ("constant", "season", "season2", "blocks365", "blocks180", "blocks90", "blocks45")
"""Courses of a given form; epochs, whose borders are found from the events, come on top (`epochs`)."""
WANDERING = "wandering"
"""Courses that are effects, with a law of their own, are none of the candidates: they are asked for."""
SEASON_CELLS = 24
"""Cells of a year within which a yearly wave is taken as constant: half-months."""
SLOWEST = 10.0
"""A block must be at least this many times the slowest mean delay, or it takes answers for background."""


def candidate_names(days: float) -> list[str]:
    """Courses that a window of `days` can show, epochs apart."""
    names = ["constant"]
    if days >= 2 * YEAR:
        names += ["season", "season2"]
    return names + [name for name in CANDIDATES if name.startswith("blocks") and days >= 2 * _width(name)]


def _width(name: str) -> float:
    return float(name.removeprefix("blocks"))


def make_shape(
    name: str, start: date, days: float, time: Floats, by_day: bool, offset: Mapping[date, float] | None
) -> Shape:
    """The shape called `name`.

    start   first day of the window
    time    (N,) events; the block with most is the one that the others are measured by
    offset  first day of each month -> known factor of the background there, or None
    """
    if name not in CANDIDATES:
        raise UsageError(
            Fault.at(
                "background",
                repr(name),
                f"auto, scenario, {', '.join(CANDIDATES)}, epochs",
                nearest_name(name, ["auto", "scenario", *CANDIDATES, "epochs"]),
            )
        )
    if name.startswith("blocks"):
        count = max(2, round(days / _width(name)))
        bounds = np.linspace(0.0, days, count + 1)
        bounds = np.unique(np.round(bounds)) if by_day else bounds
        row = np.arange(len(bounds) - 1)
        counts = np.histogram(time, bounds)[0]
        basis = np.delete(np.eye(len(row)), int(counts.argmax()), axis=1)
    elif name == "constant":
        bounds, row, basis = np.array([0.0, days]), np.zeros(1, np.int64), np.zeros((1, 0))
    else:
        first = start.timetuple().tm_yday - 1
        edges = np.arange(0.0, (days + YEAR) * SEASON_CELLS / YEAR + 1) * YEAR / SEASON_CELLS - first
        edges = np.round(edges) if by_day else edges
        inner = edges[(edges > 0) & (edges < days)]
        bounds = np.concatenate([[0.0], inner, [days]])
        middle = 0.5 * (bounds[1:] + bounds[:-1]) + first
        row = np.floor((middle % YEAR) * SEASON_CELLS / YEAR).astype(np.int64) % SEASON_CELLS
        phase = 2.0 * np.pi * (np.arange(SEASON_CELLS) + 0.5) / SEASON_CELLS
        waves = range(1, 3 if name == "season2" else 2)
        basis = np.stack([f(k * phase) for k in waves for f in (np.cos, np.sin)], axis=1)
    return with_offset(Shape(bounds, np.ones(len(row)), row.astype(np.int64), basis), start, days, offset)


def coverage_offset(events: EventTable, exposure: Any) -> dict[date, float] | None:
    """Known factors of the background by month or by day, mean 1, from the volume of all events.

    exposure  None; "coverage" for the table's own, by month; or a frame with columns events and month (date, or text
              2001-03), or events and day (date, or text 2001-03-17): the factor holds until the next day given
    """
    if exposure is None:
        return None
    frame = events.coverage if isinstance(exposure, str) and exposure == "coverage" else exposure
    column = "day" if isinstance(frame, pl.DataFrame) and "day" in frame.columns else "month"
    if not isinstance(frame, pl.DataFrame) or not {column, "events"} <= set(frame.columns) or frame.height == 0:
        raise UsageError(
            Fault.at("exposure", "no coverage by month or day",
                  "'coverage' with a table that has it, or a frame with columns month (or day) and events")
        )  # fmt: skip
    factors: dict[date, float] = {}
    mean = float(frame["events"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
    for stamp, count in frame.select(column, "events").iter_rows():
        text = str(stamp)[: 10 if column == "day" else 7].replace("/", "-")
        try:
            day = date.fromisoformat(text if column == "day" else _first_of_month(text))
        except ValueError:
            example = "2001-03-17" if column == "day" else "2001-03"
            raise UsageError(
                Fault.at("exposure", f"{column} {stamp!r}", f"a date, or text such as {example}")
            ) from None
        if not (float(count) >= 0 and np.isfinite(float(count))) or mean <= 0:
            raise UsageError(Fault.at("exposure", f"{count!r} events in {text}", "a count of at least 0"))
        factors[day] = max(float(count), 0.5) / mean
    return factors


def _first_of_month(text: str) -> str:
    digits = text.replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-01"


def with_offset(shape: Shape, start: date, days: float, offset: Mapping[date, float] | None) -> Shape:
    """The shape with known factors (first day -> factor, until the next) on top."""
    if not offset:
        return shape
    months = sorted(offset)
    at = np.array([(day - start).days for day in months], np.float64)
    inner = at[(at > 0) & (at < days)]
    bounds = np.unique(np.concatenate([shape.time, inner]))
    middle = 0.5 * (bounds[1:] + bounds[:-1])
    month = np.clip(np.searchsorted(at, middle, side="right") - 1, 0, len(months) - 1)
    cell = np.clip(np.searchsorted(shape.time, middle, side="right") - 1, 0, len(shape.row) - 1)
    factor = np.array([offset[months[k]] for k in month])
    return Shape(bounds, factor, shape.row[cell], shape.basis)


def shape_steps(shape: Shape, log: Floats, start: date) -> list[tuple[date, float]]:
    """The course as (first day, factor) steps, for a scenario file; the known offset is not part of it."""
    level = np.exp(shape.basis @ log)[shape.row]
    steps: list[tuple[date, float]] = []
    for at, value in zip(shape.time[:-1], level, strict=True):
        day = start + timedelta(days=float(np.floor(at)))
        if not steps or abs(value - steps[-1][1]) > 1e-12:
            if steps and steps[-1][0] == day:
                steps.pop()
            steps.append((day, float(value)))
    return steps
