"""What a scenario's file says of a source, as a layer that is held; and what a fit found, as the file says it.

In: a `Reporting` of a scenario and the days of a window, or a `Reported` and the layer it was found around. Out: a
`Layer`, or a `Reporting`.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events.holidays import holidays_of
from powderkeg.events.table import EventTable
from powderkeg.fit.likelihood.asked import ReportingAsked, read_asked
from powderkeg.fit.likelihood.layer import NEVER, Layer
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.reported import Reported, Share
from powderkeg.model import Model
from powderkeg.scenario import WEEKDAYS, Holidays, Quantity, Reporting, Scenario

SAID = "scenario"
"""Word that asks for what the scenario says of the source."""


def kind_of(events: EventTable) -> str | None:
    """The kind of event data that a table was read from, None where there is none or several."""
    formats = events.account.get("formats")
    return next(iter(formats)) if isinstance(formats, dict) and len(formats) == 1 else None


def said_by(scenario: Scenario | None, events: EventTable, name: str | None = None) -> ReportingAsked | None:
    """What the scenario says of a source: `name`, or the one named after the kind of the events; None if nothing.

    Raises UsageError for a name that the scenario does not have.
    """
    every = {} if scenario is None else scenario.reporting
    if name is not None and name not in every:
        known = ", ".join(every) if every else "a `reporting` section in the scenario, which has none"
        raise UsageError(Fault.at("reporting", f"unknown source {name!r}", known, nearest_name(name, every)))
    name = kind_of(events) if name is None else name
    if name not in every:
        return None
    one = every[str(name)]
    return ReportingAsked(
        weekday=bool(one.weekday),
        country=None if one.holidays is None else one.holidays.country,
        days=() if one.holidays is None else one.holidays.days,
        coverage=True if one.breaks or one.coverage else None,
        batches=one.batches is not None,
        detection={act: float(share) for act, share in one.detection.items()},
        source=str(name),
        said=one,
    )


def asked_of(reporting: Any, scenario: Scenario | None, events: EventTable) -> tuple[ReportingAsked | None, bool]:
    """(what is asked for, whether nobody asked and the scenario says it of these events).

    reporting  as for a fit: parts to find, "scenario" or "scenario=NAME" for what the file says, "none", or None
    """
    if reporting is None:
        return said_by(scenario, events), True
    word, _, name = reporting.partition("=") if isinstance(reporting, str) else ("", "", "")
    if word.strip() == SAID:
        return said_by(scenario, events, name.strip() or only_source(scenario, events)), False
    return read_asked(reporting), False


def only_source(scenario: Scenario | None, events: EventTable) -> str:
    """The source that is meant where none is named: that of the events' kind, or the only one there is."""
    every = [] if scenario is None else list(scenario.reporting)
    kind = kind_of(events)
    if kind in every:
        return str(kind)
    if len(every) == 1:
        return every[0]
    expected = "one of " + ", ".join(f"{SAID}={name}" for name in every) if every else "a scenario with `reporting`"
    raise UsageError(Fault.at("reporting", f"{SAID!r}, which names no source of these events", expected))


def known_layer(asked: ReportingAsked, model: Model, data: Data, start: date) -> Layer:
    """The layer that the scenario says, held. Levels of coverage and breaks have mean 1 over the window."""
    one = asked.said
    assert one is not None
    origin = min(0, int(np.floor(data.time[0]))) if len(data.time) else 0
    dates = [start + timedelta(days=origin + k) for k in range(int(np.ceil(data.days)) - origin)]
    names, factor, kind = kinds_of(one, dates)
    level = level_of(one, dates)
    inside = level[max(-origin, 0) :].mean()
    if inside <= 0:
        raise UsageError(
            Fault.at(f"reporting.{asked.source}", f"no news from {dates[0]} to {dates[-1]}",
                  "a window in which its level is above 0")
        )  # fmt: skip
    acts = [channel.act for channel in model.channels[: model.n_acts]]
    detection = np.array([asked.detection.get(act, 1.0) for act in acts]) if asked.detection else np.zeros(0)
    return Layer(
        asked, start, origin, names, kind, np.maximum(factor, NEVER), (), np.zeros(len(dates), np.int64), np.ones(1),
        np.maximum(level / inside, NEVER), None if one.batches is None else float(one.batches), detection,
        model.n_acts, held=True,
    )  # fmt: skip


def kinds_of(one: Reporting, dates: list[date]) -> tuple[tuple[str, ...], Floats, Ints]:
    """(names of the kinds of day, share that each shows, (D,) kind of each day); no names where all days are alike."""
    if not one.weekday and one.holidays is None:
        return (), np.zeros(0), np.zeros(len(dates), np.int64)
    names: tuple[str, ...] = WEEKDAYS if one.weekday else ("ordinary",)
    factor = [float(one.weekday.get(name, 1.0)) for name in names]
    kind = np.array([day.weekday() if one.weekday else 0 for day in dates], np.int64)
    days = free_days(one, dates[0], dates[-1])
    if one.holidays is not None and days:
        kind = np.where(np.array([day in days for day in dates]), len(names), kind)
        names, factor = (*names, "holiday"), [*factor, float(one.holidays.share)]
    return names, np.array(factor), kind.astype(np.int64)


def free_days(one: Reporting, first: date, last: date) -> set[date]:
    """Holidays from one day to another."""
    if one.holidays is None:
        return set()
    if one.holidays.country is None:
        return {day for day in one.holidays.days if first <= day <= last}
    return set(holidays_of(one.holidays.country, first, last))


def level_of(one: Reporting, dates: list[date]) -> Floats:
    """(D,) level of the source: breaks times coverage."""
    level = np.ones(len(dates))
    for steps in (one.breaks, one.coverage):
        if steps:
            begun = np.array([day.toordinal() for day, _ in steps])
            at = np.searchsorted(begun, [day.toordinal() for day in dates], side="right") - 1
            level *= np.array([float(value) for _, value in steps])[np.maximum(at, 0)]
    return level


def as_said(found: Reported, layer: Layer, source: str) -> Reporting:
    """What a fit found of a source, as a scenario says it: a usual working day shows all.

    source  name of the source of the numbers
    """
    week = {one.name: one for one in found.shares if one.name in WEEKDAYS}
    usual = next((one.factor for one in found.shares if one.name == "ordinary"), 1.0)
    if len(week) == len(WEEKDAYS):
        usual = float(np.sort([one.factor for one in week.values()])[-4:-1].mean())
    holiday = next((one for one in found.shares if one.name == "holiday"), None)
    first = layer.start + timedelta(days=layer.origin)
    holidays = None
    if holiday is not None:
        days = () if found.country is not None else found.holidays
        holidays = Holidays(_relative(holiday, usual, source), found.country, days)
    breaks = tuple(
        (first if one.name == "before" else date.fromisoformat(one.name), _relative(one, 1.0, source))
        for one in found.breaks
    )
    turns = np.flatnonzero(np.diff(layer.known, prepend=np.nan) != 0)
    coverage = tuple(
        (first + timedelta(days=int(k)), Quantity(float(f"{layer.known[k]:.6g}"), source=source))
        for k in (turns if found.coverage else ())
    )
    batches = None
    if found.repeats is not None and found.repeats[0] > 0:
        share, _, low, high = found.repeats
        whole = low is not None and high is not None
        batches = Quantity(share, min(low, share) if whole else None, max(high, share) if whole else None, source)  # type: ignore[type-var]
    return Reporting(
        weekday={name: _relative(one, usual, source) for name, one in week.items()},
        holidays=holidays,
        breaks=breaks,
        coverage=coverage,
        detection={act: Quantity(share, source=source) for act, share in found.detection.items()},
        batches=batches,
    )


def name_of(found: Reported, events_kind: str | None) -> str:
    """Under which name a source stands in a file: its own, or the kind of its data."""
    name = re.sub(r"[^a-z0-9]+", "_", found.source.lower()).strip("_")
    if name in ("", "record") or not name[0].isalpha():
        return events_kind or "record"
    return name


def _relative(one: Share, whole: float, source: str) -> Quantity:
    value = float(one.factor / whole)
    if one.low is None or one.high is None:
        return Quantity(value, source=source)
    return Quantity(value, float(min(one.low / whole, value)), float(max(one.high / whole, value)), source)
