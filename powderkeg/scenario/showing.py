"""What does a source show of what happens? The `reporting` section of a scenario file.

In: nothing. Out: `Reporting` and its parts, which `declared` puts into the scenario. A share is how often an act is
seen; levels of coverage and of breaks are only known against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from powderkeg.reading import (
    SHARE,
    SOURCE,
    Amount,
    ByKey,
    ByName,
    Day,
    Matching,
    Quantity,
    Reader,
    RecordKind,
    Several,
    Slip,
    Text,
    declare,
)

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEEN: Final = Amount(SHARE, least=0.0, most=100.0, certain=(0.0, 1.0))
STEPS: Final = ByKey(Day(), SEEN, least=0)


@dataclass(frozen=True)
class Holidays:
    """Public holidays of a country, or days of one's own, and how much of an act the source shows on them."""

    share: Quantity = declare(SEEN, "How often an act is seen on such a day, a usual working day being 1.")
    country: str | None = declare(
        Matching(r"[A-Z]{2}", "a country code of two capital letters, such as XK"),
        "Whose public holidays they are (package `holidays`).",
        default=None,
    )
    days: tuple[date, ...] = declare(Several(Day()), "Days of one's own.", default=())


def _holidays(holidays: Holidays, reader: Reader, path: str) -> Iterator[Slip]:
    if (holidays.country is None) == (not holidays.days):
        yield Slip(None, "both country and days" if holidays.days else "no days", "country, or days")


@dataclass(frozen=True)
class Reporting:
    """What one source shows of what happens: a factor on what is seen, not on what happens."""

    title: str = declare(Text(200), "The source in words.", default="")
    weekday: dict[str, Quantity] = declare(
        ByName(SEEN, "share", among=WEEKDAYS),
        "How often an act of each day of the week is seen, a usual working day being 1; 1 for days not named.",
        default={},
    )
    holidays: Holidays | None = declare(
        RecordKind(Holidays, "holidays", _holidays), "How often an act of a public holiday is seen.", default=None
    )
    breaks: tuple[tuple[date, Quantity], ...] = declare(
        STEPS,
        "Level of the source from each date on, before the first date the first; only their ratios matter.",
        default=(),
    )
    coverage: tuple[tuple[date, Quantity], ...] = declare(
        STEPS, "Known volume of the source from each date on, as `breaks`.", default=()
    )
    detection: dict[str, Quantity] = declare(
        ByName(Amount(SHARE, above=0.0, most=1.0, certain=(1.0,)), "share"),
        "Share of such acts that is reported at all, by name of the act; all of those not named.",
        default={},
    )
    batches: Quantity | None = declare(
        Amount(SHARE, least=0.0, most=0.98, certain=(0.0,)),
        "Share of reports that tell an act once more, on the same day.",
        default=None,
        spoken="each act has one report",
    )
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _reporting(reporting: Reporting, reader: Reader, path: str) -> Iterator[Slip]:
    if not any((reporting.weekday, reporting.holidays, reporting.breaks, reporting.coverage, reporting.detection,
                reporting.batches)):  # fmt: skip
        yield Slip(None, "a source that shows everything",
                   "at least one of weekday, holidays, breaks, coverage, detection, batches")  # fmt: skip
    for key in ("breaks", "coverage"):
        steps = getattr(reporting, key)
        days = [day for day, _ in steps]
        if days != sorted(days):
            yield Slip(key, "dates out of order", "the earliest date first")
        if steps and not any(float(level) > 0 for _, level in steps):
            yield Slip(key, "levels of 0 throughout", "some level above 0")
    if reporting.weekday and not any(float(reporting.weekday.get(day, 1.0)) > 0 for day in WEEKDAYS):
        yield Slip("weekday", "0 on all days", "some day on which an act is seen")
    acts = reader.names.get("act")
    for act in reporting.detection:
        if acts is not None and act not in acts:
            yield Slip(f"detection.{act}", f"unknown act {act!r}", "an act of this file", reader.nearest(act, acts))


REPORTING: Final = RecordKind(Reporting, "reporting", _reporting)
