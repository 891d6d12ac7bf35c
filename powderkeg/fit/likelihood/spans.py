"""What is to be done with events of which the source does not know the day.

In: an `EventTable` with a column `span`, what the caller wishes. Out: the table as it is to be read, and `Spans`, which
says in words how many there are and what was done with them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.likelihood.design import moving_facts
from powderkeg.engine.likelihood.filtered_facts import is_hidden
from powderkeg.engine.likelihood.latent_days import rooms
from powderkeg.errors import EventError, Fault, UsageError, argument, nearest_name
from powderkeg.events.spans import words_for_unsure
from powderkeg.events.table import EventTable
from powderkeg.model import Model

WAYS = ("reckon", "leave out", "first day")
MOST_CELLS = 40_000_000
"""Kinds of event, times days, that are held at once."""
MOST_TOGETHER = 300
"""Kinds of event that may come on one day: their determinant is weighed for every event that moves."""


@dataclass(frozen=True)
class Spans:
    """What was done with events whose day is not known.

    unsure, total  events whose day the source does not know, and all
    count          how many, in words
    way            one of WAYS; "" where every day is known
    why            why they were not reckoned with, where nobody asked for another way
    """

    unsure: int = 0
    total: int = 0
    count: str = ""
    way: str = ""
    why: str = ""

    @property
    def words(self) -> str:
        """One sentence, "" where every day is known."""
        if not self.way:
            return ""
        if self.way == "reckon":
            return (
                f"{self.count}. Such an event may have happened on any of its days, and these are weighed together "
                "with all the rest. This takes it that the source is as vague about one day as about another"
            )
        if self.way == "first day":
            return (
                f"{self.count}. Each was put on the first of its days, as asked. Days on which weeks or months begin "
                "get events that happened later, which reads as answers"
            )
        share = 100.0 * self.unsure / max(self.total, 1)
        return (
            f"{self.count}. These events were left out{f', because {self.why}' if self.why else ''}. Rates are those "
            f"of the other events, about {share:.0f} % too low for all; answers to or by those left out are missed"
        )

    def as_dict(self) -> dict[str, Any] | None:
        """Plain data, for --json; None where every day is known."""
        return {**asdict(self), "words": self.words} if self.way else None


def settle_spans(
    model: Model, events: EventTable, by_day: bool, wish: str | None, hindrance: str = ""
) -> tuple[EventTable, Spans]:
    """The table as it is to be read, and what was done.

    wish       one of WAYS; None: reckoned with where that can be done, else left out
    hindrance  why the caller cannot reckon with them, "" for none

    Raises UsageError for another wish, and for "reckon" where it cannot be done; EventError if nothing is left.
    """
    if wish is not None and wish not in WAYS:
        raise UsageError(
            Fault.at("spans", repr(wish), f"one of {', '.join(map(repr, WAYS))}", nearest_name(wish, WAYS))
        )
    span = spans_of(events.frame)
    unsure = span > 1
    if not unsure.any():
        return events, Spans()
    why = (hindrance or _why_not(model, events, by_day, span)) if wish in (None, "reckon") else ""
    if wish == "reckon" and why:
        raise UsageError(
            Fault.at("spans", "days cannot be reckoned with: " + why,
                  argument("spans", "leave out") + " or " + argument("spans", "first day")
                  + ("" if by_day else ", or " + argument("likelihood", "day")))
        )  # fmt: skip
    way = wish or ("leave out" if why else "reckon")
    found = Spans(int(unsure.sum()), len(span), words_for_unsure(events), way, why if wish is None else "")
    if way == "first day":
        return replace(events, frame=events.frame.with_columns(span=pl.lit(1.0))), found
    if way == "leave out":
        if unsure.all():
            raise EventError(
                Fault.at("span", f"{found.count}; " + (f"they are left out, because {why}" if why else
                      "they were to be left out"), "events whose day is known, or " + argument("spans", "first day"))
            )  # fmt: skip
        return replace(events, frame=events.frame.filter(pl.Series(~unsure))), found
    return events, found


def spans_of(frame: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(N,) days within which each event happened, from its stamp on: 1 where the day is known."""
    if "span" not in frame.columns:
        return np.ones(frame.height, np.int64)
    span = frame["span"].cast(pl.Float64).fill_null(1.0).fill_nan(1.0).to_numpy()
    return np.asarray(np.ceil(np.clip(span, 1.0, 1e6)), np.int64)


def _why_not(model: Model, events: EventTable, by_day: bool, span: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """Why days cannot be reckoned with, "" if they can."""
    system = model.system
    if not by_day:
        return "the fit is on exact times"
    if is_hidden(system, model.n_acts) or moving_facts(system)[system.entry_fact].any():
        return "what may happen hangs on facts that acts or time change"
    kinds = events.frame.select("source", "act", "target").n_unique()
    days = int(np.ceil(events.days))
    if kinds * days > MOST_CELLS:
        return f"{kinds:,} kinds of event over {days:,} days are too many"
    first = np.clip(np.floor(events.frame["time"].to_numpy()).astype(np.int64), 0, days - 1)
    longest = rooms(first, np.minimum(first + span - 1, days - 1), kinds, days)[1]
    if longest > MOST_TOGETHER:
        return f"up to {longest:,} kinds of event may have come on one day, which is too many"
    return ""
