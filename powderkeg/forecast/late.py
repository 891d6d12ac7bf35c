"""How much of the last days has been reported yet?

In: events whose source says when each entered the data; the last day of entry that was known. Out: the table as it was
known then; for every day and kind of act the share of its acts that had been entered by then.

Reports come late, the later the fewer. Of acts entered within k days, the share entered on the k-th itself is counted
among those days alone that are k days old: so days too young to show it say nothing of it (the reverse hazard of data
that are cut off on the right). The share known at an age is the product of what is left from there on. Each class of
act has its own, drawn towards that of all.
Source: Lagakos, Barraj & De Gruttola (1988), Biometrika 75, 515-523; Kalbfleisch & Lawless (1989), JASA 84, 360-372.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError
from powderkeg.events.rows import CHANGED, DELAY
from powderkeg.events.table import EventTable
from powderkeg.forecast.counts import CLASSES, act_class
from powderkeg.model import Model

LATEST = 60
"""Days after which no more is expected: what GDELT adds later is mostly dated wrongly."""
JUDGED = 730
"""Days before the last entry whose delays are counted: sources change."""
FEWEST = 50
"""Acts with a day of entry below which nothing is estimated."""
PRIOR = 30.0
"""Acts that the delays of all classes are worth against a class's own: a guess."""
LEAST = 0.01
NEARLY = 0.995
"""Share from which a day counts as complete."""


@dataclass(frozen=True)
class Lateness:
    """How late reports come.

    known     last day of entry that was looked at
    classes   class -> (LATEST + 1,) share of its acts that are entered by so many days after them
    """

    known: date
    classes: dict[str, Floats]

    def shown(self, model: Model, start: date, days: int) -> Floats:
        """(days, C) share of each channel's acts, on each day from `start` on, that was entered by `known`."""
        age = (self.known - start).days - np.arange(days)
        by_age = {name: np.append(share, 1.0) for name, share in self.classes.items()}
        found = np.ones((days, model.n_channels))
        for c, channel in enumerate(model.channels[: model.n_acts]):
            share = by_age[act_class(model, channel.act)]
            found[:, c] = np.where(age < 0, LEAST, share[np.clip(age, 0, LATEST + 1)])
        return np.maximum(found, LEAST)


def says_when(events: EventTable) -> bool:
    """Whether the rows say when they entered the data, or when they were last changed."""
    return any(name in events.frame.columns for name in (DELAY, CHANGED))


def as_known(events: EventTable, as_of: date) -> EventTable:
    """The rows that had been entered by the evening of a day; rows that do not say when, if they are dated by then.

    Where a source says only when a row was last changed, rows changed since are left out: what they said before is not
    known.
    """
    last = (as_of - events.start).days
    known = pl.col("time").floor() <= last
    for name in (DELAY, CHANGED):
        if name in events.frame.columns:
            known &= (pl.col("time").floor() + pl.col(name)).fill_null(0) <= last
    return replace(events, frame=events.frame.filter(known))


def last_entry(events: EventTable) -> date | None:
    """The last day on which a row entered the data; None where they do not say."""
    if DELAY not in events.frame.columns:
        return None
    last = events.frame.select((pl.col("time").floor() + pl.col(DELAY)).max())[0, 0]
    return None if last is None else events.start + timedelta(days=int(last))


def checked_as_of(events: EventTable, as_of: date | str, origin: date | None) -> date:
    """The day. Raises UsageError for one that is none, before the events, or so early that the origin is not known."""
    if isinstance(as_of, str):
        try:
            as_of = date.fromisoformat(as_of)
        except ValueError as error:
            raise UsageError(Fault.at("as_of", repr(as_of), "a day such as 2018-06-29")) from error
    if as_of < events.start:
        found = f"{as_of}, but the events begin on {events.start}"
        raise UsageError(Fault.at("as_of", found, "that day or a later one"))
    if origin is not None and origin > as_of + timedelta(days=1):
        found = f"{origin}, but only what was entered by {as_of} is to be known"
        raise UsageError(Fault.at("origin", found, f"at most {as_of + timedelta(days=1)}, the day after"))
    return as_of


def lateness(model: Model, day: Ints, delay: Ints, channel: Ints, known: date, start: date) -> Lateness | None:
    """How late reports come, from (N,) acts' days since `start`, days to their entry (-1: not told), and channels.

    None where too few say when they were entered.
    """
    last = (known - start).days
    told = delay >= 0
    if int(told.sum()) < FEWEST:
        return None
    # Where the files begin with a day of entry, of days before it only the late reports are there.
    first = max(int((day[told] + delay[told]).min()), last - JUDGED)
    kept = told & (day >= first) & (day + delay <= last) & (delay <= LATEST)
    if int(kept.sum()) < FEWEST or last - first < 14:
        return None
    classes = np.array([act_class(model, one.act) for one in model.channels[: model.n_acts]])[channel[kept]]
    age, late = last - day[kept], delay[kept]
    of_all, within = _hazards(age, late)
    pooled = of_all / np.maximum(within, 1.0)
    shares = {}
    for name in (*CLASSES, "acts"):
        own, base = _hazards(age[classes == name], late[classes == name])
        hazard = (own + PRIOR * pooled) / (base + PRIOR)
        left = np.append(np.cumprod((1.0 - hazard)[::-1])[::-1], 1.0)
        shares[name] = left[1:]  # entered by k days: none of the later delays
    return Lateness(known, shares)


def _hazards(age: Ints, late: Ints) -> tuple[Floats, Floats]:
    """((LATEST + 1,) acts entered on the k-th day, those entered by it), among days at least k days old."""
    got, base = np.zeros(LATEST + 1), np.zeros(LATEST + 1)
    for k in range(1, LATEST + 1):
        old = age >= k
        got[k] = (late[old] == k).sum()
        base[k] = (late[old] <= k).sum()
    return got, base


def unseen(shown: Floats, rate: Floats, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """(times, channels) of acts that came and are not entered yet, drawn: an even hour of their day.

    shown  (D, C) share that is entered;  rate (D, C) acts a day that the model expects
    """
    missing = rng.poisson(np.where(shown < NEARLY, rate * (1.0 - shown), 0.0))
    day, channel = np.nonzero(missing)
    number = missing[day, channel]
    times = np.repeat(day, number) + rng.random(int(number.sum()))
    return times, np.repeat(channel, number).astype(np.int64)
