"""What changes on known days, whatever anybody does? The `covariates` section of a scenario file.

Elections, sanctions, ceasefires, visits, prices. In: nothing. Out: `Covariate` and `CovariateSpan`, which `declared`
puts into the scenario, and the course of a covariate for one pair of actors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from powderkeg.reading import (
    NUMBER,
    SOURCE,
    Amount,
    ByKey,
    Day,
    Quantity,
    Reader,
    RecordKind,
    Reference,
    Several,
    Slip,
    Text,
    declare,
)

VALUE: Final = Amount(NUMBER, least=-1e6, most=1e6, estimate=False)
MOST_VALUES: Final = 64
"""Different values of one covariate for one pair: each is a level that gates are tabled by."""


@dataclass(frozen=True)
class CovariateSpan:
    """Days on which a covariate has a value, for all or for some."""

    from_: date = declare(Day(), "The first of the days.", key="from")
    to: date | None = declare(Day(), "The last of the days; by default for good.", default=None)
    value: Quantity = declare(VALUE, "Its value on these days.", default=Quantity(1.0))
    who: str | None = declare(Reference("actor"), "Only for what this actor does.", default=None)
    towards: str | None = declare(Reference("actor"), "Only for what is done to this actor.", default=None)


def _span(span: CovariateSpan, reader: Reader, path: str) -> Iterator[Slip]:
    if span.to is not None and span.to < span.from_:
        yield Slip("to", f"{span.to}, before from", f"{span.from_} or later")
    if span.who is not None and span.who == span.towards:
        yield Slip("towards", f"{span.who}, who also does it", "another actor")


@dataclass(frozen=True)
class Covariate:
    """A number that has a known course in time. Gates with `with` multiply by their factor to the power of it."""

    title: str = declare(Text(200), "What it is, in words.", default="")
    values: tuple[tuple[date, Quantity], ...] = declare(
        ByKey(Day(), VALUE, least=0), "Its value from each date on, until the next.", default=()
    )
    spans: tuple[CovariateSpan, ...] = declare(
        Several(RecordKind(CovariateSpan, "span", _span), distinct=False),
        "Days with a value of their own; a pair before an actor before all, later entries before earlier.",
        default=(),
    )
    otherwise: Quantity = declare(
        VALUE, "Its value on days of no span, before the first of `values`.", default=Quantity(0.0)
    )
    known_until: date | None = declare(
        Day(), "Last day on which it is known; by default its last value holds for good.", default=None
    )
    after: Quantity | None = declare(
        VALUE,
        "What it is taken to be after that day; without it, nothing that reaches further can be run or fitted.",
        default=None,
    )
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _covariate(covariate: Covariate, reader: Reader, path: str) -> Iterator[Slip]:
    if not covariate.values and not covariate.spans:
        yield Slip(None, "a covariate without a value", "values, spans, or both")
    days = [day for day, _ in covariate.values]
    if days != sorted(days):
        yield Slip("values", "dates out of order", "the earliest date first")
    if covariate.after is not None and covariate.known_until is None:
        yield Slip("after", "a value after no day", "known_until: the last day on which it is known")
    if covariate.known_until is not None and days and covariate.known_until < days[-1]:
        yield Slip("known_until", f"{covariate.known_until}, before the last of values", f"{days[-1]} or later")


COVARIATE: Final = RecordKind(Covariate, "covariate", _covariate)


def course(covariate: Covariate, start: date, who: str | None, towards: str | None) -> list[tuple[float, float]]:
    """(day since `start`, value from then on) for what `who` does to `towards`; the first day is 0."""
    end = covariate.known_until
    turns = {start, *(day for day, _ in covariate.values), *(span.from_ for span in covariate.spans)}
    turns |= {span.to + timedelta(days=1) for span in covariate.spans if span.to is not None}
    if end is not None:
        turns.add(end + timedelta(days=1))
    found: list[tuple[float, float]] = []
    for day in sorted(turn for turn in turns if turn >= start):
        value = value_on(covariate, day, who, towards)
        if not found or found[-1][1] != value:
            found.append((float((day - start).days), value))
    return found


def value_on(covariate: Covariate, day: date, who: str | None, towards: str | None) -> float:
    """Its value on a day; after the last known one what it is taken to be, or what it was on that day."""
    if covariate.known_until is not None and day > covariate.known_until:
        if covariate.after is not None:
            return float(covariate.after)
        day = covariate.known_until
    best, value = -1, float(covariate.otherwise)
    for first, level in covariate.values:
        if first <= day:
            best, value = 0, float(level)
    for span in covariate.spans:
        fits = (span.who is None or span.who == who) and (span.towards is None or span.towards == towards)
        rank = 1 + (span.who is not None) + (span.towards is not None)
        if fits and span.from_ <= day and (span.to is None or day <= span.to) and rank >= best:
            best, value = rank, float(span.value)
    return value
