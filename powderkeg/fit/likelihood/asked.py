"""Which parts of a source's reporting are asked for?

In: words such as "weekday,holidays=XK,batches", or a mapping. Out: a `ReportingAsked`, or a
UsageError that names the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events.holidays import dates_of
from powderkeg.scenario import Reporting

PARTS = ("weekday", "holidays", "coverage", "breaks", "batches", "detection", "source")
WORDS = ("weekday", "holidays=XK", "coverage", "breaks=2018-07-01", "batches", "auto", "scenario", "none")


@dataclass(frozen=True)
class ReportingAsked:
    """What is asked of a source's reporting.

    weekday    whether each day of the week has a factor of its own
    country    whose holidays have one, or None
    days       holidays as dates, where they are given by hand
    coverage   True for the table's own volume by month, or a frame (month or day, events), or None
    breaks     days from which on the source reports on another level
    batches    whether one act may have several reports
    detection  act -> known share of such acts that the source reports
    source     name of the source
    auto       parts that are kept only if AIC and held-out blocks agree
    said       what the scenario says of the source: all of it is held; None where it is to be found
    """

    weekday: bool = False
    country: str | None = None
    days: tuple[date, ...] = ()
    coverage: Any = None
    breaks: tuple[date, ...] = ()
    batches: bool = False
    detection: Mapping[str, float] = field(default_factory=dict)
    source: str = "record"
    auto: bool = False
    said: Reporting | None = None

    @property
    def holidays(self) -> bool:
        return self.country is not None or bool(self.days)


def read_asked(reporting: Any) -> ReportingAsked | None:
    """The request as it is written; None where nothing is asked for."""
    if reporting is None or isinstance(reporting, ReportingAsked):
        return reporting
    if isinstance(reporting, str):
        reporting = [part.strip() for part in reporting.split(",") if part.strip()]
    parts: dict[str, Any] = {}
    if isinstance(reporting, Mapping):
        parts = dict(reporting)
    elif isinstance(reporting, Iterable):
        for part in reporting:
            name, _, value = str(part).partition("=")
            parts[name.strip()] = value.strip() if value else True
    else:
        raise _fault(f"{reporting!r}")
    if parts in ({}, {"none": True}):
        return None
    if parts == {"auto": True}:
        return ReportingAsked(weekday=True, batches=True, auto=True)
    for name in parts:
        if name not in PARTS:
            raise _fault(f"unknown part {name!r}", nearest_name(name, PARTS))
    return ReportingAsked(
        weekday=bool(parts.get("weekday", False)),
        **_holidays(parts.get("holidays")),
        coverage=None if parts.get("coverage") is False else parts.get("coverage"),
        breaks=_breaks(parts.get("breaks")),
        batches=bool(parts.get("batches", False)),
        detection=_detection(parts.get("detection") or {}),
        source=str(parts.get("source", "record")),
    )


def _fault(found: str, nearest: str | None = None) -> UsageError:
    return UsageError(Fault.at("reporting", found, f"parts such as {', '.join(WORDS)}", nearest))


def _holidays(value: Any) -> dict[str, Any]:
    if value in (None, False):
        return {}
    if value is True:
        raise _fault("holidays of no country")
    if isinstance(value, str) and "-" not in value:
        return {"country": value}
    values = value.split("+") if isinstance(value, str) else value
    return {"days": dates_of(values)}


def _breaks(value: Any) -> tuple[date, ...]:
    if value in (None, False, ()):
        return ()
    if value is True:
        raise UsageError(
            Fault.at("reporting", "breaks without a day", "the days on which the source changed, such as "
                  "breaks=2018-07-01 or, for two, breaks=2018-07-01+2018-10-01")
        )  # fmt: skip
    if isinstance(value, date):
        return (value,)
    return dates_of(value.split("+") if isinstance(value, str) else value)


def _detection(value: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for act, share in value.items():
        if not isinstance(share, int | float) or not 0.0 < float(share) <= 1.0:
            raise UsageError(Fault.at(f"reporting.detection.{act}", repr(share), "a share above 0 and up to 1"))
        found[str(act)] = float(share)
    return found
