"""What would a source have shown of these acts?

In: acts, simulated or made up, as `Runs` or an `EventTable`; what a source shows, found by a fit or written down. Out:
an `EventTable` of reports, so that histories and records are held against each other like with like. Every act is seen
with the share that its day, epoch and kind of act show; a seen act has a number of reports with Borel's law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError, must_be, nearest_name
from powderkeg.events.holidays import dates_of, holidays_of
from powderkeg.events.table import EventTable
from powderkeg.fit.likelihood.showing import borel
from powderkeg.fit.reported import Reported
from powderkeg.fit.result import Fit
from powderkeg.scenario import WEEKDAYS, Quantity, Reporting, Scenario
from powderkeg.simulate import Runs

PARTS = ("weekday", "holidays", "breaks", "detection", "batches")


@dataclass(frozen=True)
class Shown:
    """What a source shows, in shares of what happens, 0 to 1.

    weekday    name of the day -> share;  others show all
    holidays   holidays, and their share
    breaks     (first day, share) of epochs, in order; before the first, all is shown
    coverage   the same for what is known of the source's volume
    detection  act -> share
    batches    share of reports that tell an act once more
    """

    weekday: Mapping[str, float] = field(default_factory=dict)
    holidays: tuple[frozenset[date], float] | None = None
    country: str | None = None
    breaks: tuple[tuple[date, float], ...] = ()
    coverage: tuple[tuple[date, float], ...] = ()
    detection: Mapping[str, float] = field(default_factory=dict)
    batches: float = 0.0


def observe(
    acts: Runs | EventTable,
    source: Fit | Reported | Reporting | Scenario | Mapping[str, Any] | str | None = None,
    seed: int = 1,
) -> EventTable:
    """The reports that a source makes of acts; histories of one table stay apart.

    source  a fit with `reporting`, what it found (`fit.reporting`), a scenario's `reporting` or the name of one source
            in it (None: the only one there is), or shares written down:
            {"weekday": {"saturday": 0.5, "sunday": 0.4}, "holidays": {"2018-02-17": 0.3} or {"XK": 0.3},
            "breaks": {"2018-07-01": 0.6}, "detection": {"make_statement": 0.4}, "batches": 0.2}
    seed    the same seed, acts and source give the same reports

    Coverage and breaks are relative, as a fit finds and a scenario says them: the time that shows most is taken to show
    all, and so is a day that shows more than a usual one. Coverage that a fit was given is in its scenario
    (`fit.scenario.reporting`), not in `fit.reporting`. Raises UsageError for a fit without reporting, a scenario that
    says nothing of the source, an unknown part, or a share that is none.
    """
    must_be("acts", acts, (Runs, EventTable), "Runs, or an EventTable")
    table = acts.table() if isinstance(acts, Runs) else acts
    shown = _shown(source, acts)
    frame = table.frame
    rng = np.random.default_rng([seed, 11])
    kept = rng.random(frame.height) < _shares(table, shown)
    seen = frame.filter(pl.Series(kept))
    number = borel(shown.batches, seen.height, rng)
    reports = seen[np.repeat(np.arange(seen.height), number).tolist()] if number.sum() > len(number) else seen
    return replace(table, frame=reports)


def _shares(table: EventTable, shown: Shown) -> Floats:
    """(N,) share of each act that is seen."""
    day = np.floor(table.frame["time"].to_numpy().astype(np.float64)).astype(np.int64)
    share = np.ones(len(day))
    first = table.start.toordinal()
    weekday = np.array([shown.weekday.get(name, 1.0) for name in WEEKDAYS])
    share *= weekday[(first + day - 1) % 7]  # day 1 of the calendar was a Monday
    days, factor = _holidays(table, shown)
    if days is not None:
        is_holiday = np.isin(first + day, np.array([one.toordinal() for one in days], np.int64))
        share = np.where(is_holiday, factor, share)
    for steps in (shown.breaks, shown.coverage):
        if steps:
            begun: Ints = np.array([one.toordinal() for one, _ in steps])
            epoch = np.searchsorted(begun, first + day, side="right")
            share *= np.append(1.0, [level for _, level in steps])[epoch]
    if shown.detection:
        acts = table.frame["act"].cast(pl.String).to_list()
        share *= np.array([shown.detection.get(act, 1.0) for act in acts])
    return share


def _holidays(table: EventTable, shown: Shown) -> tuple[Any, float]:
    if shown.holidays is None:
        return None, 1.0
    days, share = shown.holidays
    return (holidays_of(shown.country, table.start, table.end) if shown.country else days), share


def _shown(source: Any, acts: Runs | EventTable) -> Shown:
    if source is None or isinstance(source, str | Scenario):
        source = _of_scenario(source, acts)
    if isinstance(source, Reporting):
        return _of_said(source)
    if isinstance(source, Fit):
        if source.reporting is None:
            raise UsageError(Fault.at("source", "a fit without reporting", "a fit with reporting=..., or shares"))
        source = source.reporting
    return _of_fit(source) if isinstance(source, Reported) else _of_mapping(source)


def _of_scenario(source: str | Scenario | None, acts: Runs | EventTable) -> Reporting:
    """What the scenario of the acts, or the one given, says of a source."""
    scenario = source if isinstance(source, Scenario) else getattr(getattr(acts, "model", None), "scenario", None)
    every = {} if scenario is None else scenario.reporting
    if isinstance(source, str) and source in every:
        return every[source]
    if not isinstance(source, str) and len(every) == 1:
        return next(iter(every.values()))
    expected = f"one of {', '.join(every)}" if every else "acts of a scenario with a `reporting` section, or shares"
    found, near = "no source", None
    if isinstance(source, str):
        found, near = f"unknown source {source!r}", nearest_name(source, every)
    raise UsageError(Fault.at("source", found, expected, near))


def _of_said(one: Reporting) -> Shown:
    days = one.holidays
    return Shown(
        weekday={name: min(float(share), 1.0) for name, share in one.weekday.items()},
        holidays=None if days is None else (frozenset(days.days), min(float(days.share), 1.0)),
        country=None if days is None else days.country,
        breaks=_relative(one.breaks),
        coverage=_relative(one.coverage),
        detection={act: float(share) for act, share in one.detection.items()},
        batches=0.0 if one.batches is None else float(one.batches),
    )


def _relative(steps: tuple[tuple[date, Quantity], ...]) -> tuple[tuple[date, float], ...]:
    """Levels against the highest; the first holds from the beginning of time."""
    most = max((float(level) for _, level in steps), default=1.0)
    return tuple((day if k else date.min, float(level) / most) for k, (day, level) in enumerate(steps))


def _of_fit(found: Reported) -> Shown:
    by_name = {one.name: one.factor for one in found.shares}
    week = [by_name[name] for name in WEEKDAYS] if "monday" in by_name else [by_name.get("ordinary", 1.0)]
    usual = float(np.sort(week)[-4:-1].mean()) if len(week) == 7 else week[0]
    most = max((one.factor for one in found.breaks), default=1.0)
    epochs = [(date.min if one.name == "before" else date.fromisoformat(one.name), one.factor) for one in found.breaks]
    holiday = by_name.get("holiday")
    return Shown(
        weekday={name: min(by_name[name] / usual, 1.0) for name in WEEKDAYS if name in by_name},
        holidays=None if holiday is None else (frozenset(found.holidays), min(holiday / usual, 1.0)),
        country=found.country,
        breaks=tuple((day, factor / most) for day, factor in epochs),
        detection=found.detection,
        batches=0.0 if found.repeats is None else found.repeats[0],
    )


def _of_mapping(source: Mapping[str, Any]) -> Shown:
    for name in source:
        if name not in PARTS:
            raise UsageError(Fault.at("source", f"unknown part {name!r}", ", ".join(PARTS), nearest_name(name, PARTS)))
    weekday = dict(source.get("weekday") or {})
    for name in weekday:
        if name not in WEEKDAYS:
            raise UsageError(
                Fault.at("source.weekday", f"unknown day {name!r}", ", ".join(WEEKDAYS),
                      nearest_name(name, WEEKDAYS))
            )  # fmt: skip
    breaks = tuple(
        sorted((dates_of([day], "source.breaks")[0], _share("breaks", level))
               for day, level in dict(source.get("breaks") or {}).items())
    )  # fmt: skip
    days = dict(source.get("holidays") or {})
    levels = {_share("holidays", level) for level in days.values()}
    if len(levels) > 1:
        raise UsageError(Fault.at("source.holidays", f"{len(levels)} shares", "one share for all holidays"))
    country = next((str(key) for key in days if len(str(key)) == 2), None)
    own = frozenset() if country else frozenset(dates_of(days, "source.holidays"))
    batches = float(source.get("batches") or 0.0)
    if not 0.0 <= batches < 1.0:
        raise UsageError(Fault.at("source.batches", f"{batches:g}", "a share from 0 to below 1"))
    return Shown(
        weekday={name: _share("weekday", level) for name, level in weekday.items()},
        holidays=(own, levels.pop()) if levels else None,
        country=country,
        breaks=breaks,
        detection={act: _share("detection", level) for act, level in dict(source.get("detection") or {}).items()},
        batches=batches,
    )


def _share(part: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= float(value) <= 1.0:
        raise UsageError(Fault.at(f"source.{part}", repr(value), "a share from 0 to 1"))
    return float(value)
