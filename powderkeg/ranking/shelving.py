"""Events as ranking reads them: from both sides, with the household that each actor belongs to.

In: an `EventTable`. Out: `Book`: rows, shelves, and the names behind the numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Ints
from powderkeg.engine.ranking.arrays import PastEvents, Shelves
from powderkeg.errors import EventError, Fault
from powderkeg.events.codes import TONES
from powderkeg.events.table import EventTable

IN_BRACKETS = re.compile(r"^(.*?)\s*\(([^()]+)\)\s*$")
FIRM = 0.3
"""An actor whose household no name tells belongs to the one it meets most, if that is at least this share of all."""


@dataclass(frozen=True)
class Book:
    """The rows and what stands behind them.

    event  (rows,) row of the table's frame; done  (rows,) whether the row is seen from the side that acted
    """

    past: PastEvents
    shelves: Shelves
    actors: tuple[str, ...]
    acts: tuple[str, ...]
    households: tuple[str, ...]
    start: date
    event: Ints
    done: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def n_rows(self) -> int:
        return len(self.past.day)

    def day(self, when: date) -> int:
        """A date as a day of the rows."""
        return (when - self.start).days

    def date(self, day: int) -> date:
        """A day of the rows as a date."""
        return self.start + timedelta(days=int(day))


def shelve(table: EventTable, known_until: int) -> Book:
    """Rows from both sides, each kind of act, dyad and day once.

    known_until  day before which households are found out by whom an actor meets: nothing later is looked at

    Raises EventError if fewer than two actors or no act with a target are left.
    """
    frame = table.frame.with_row_index("_row").with_columns(_day=pl.col("time").floor().cast(pl.Int64))
    frame = frame.filter(pl.all_horizontal(pl.col("source", "act", "target").is_not_null()))
    frame = frame.filter(pl.col("source").cast(pl.String) != pl.col("target").cast(pl.String))
    frame = frame.unique(["_day", "source", "act", "target"], keep="first", maintain_order=True)
    if frame.is_empty():
        found = f"none of {len(table):,} events has two different sides and an act"
        raise EventError(Fault.of(found, "events with source, act and target"))
    source, act, target = (frame[one].cast(pl.String) for one in ("source", "act", "target"))
    actors = pl.concat([source, target]).unique().sort()
    kinds = act.unique().sort()
    number = {name: i for i, name in enumerate(actors)}
    kind = {name: i for i, name in enumerate(kinds)}
    one, other, by = (np.array([of[x] for x in column], np.int64) for column, of in
                      ((source, number), (target, number), (act, kind)))  # fmt: skip
    day = frame["_day"].to_numpy().astype(np.int64)
    order = np.argsort(np.r_[day, day], kind="stable")
    households, seat, role = _seats(actors, frame)
    past = PastEvents(
        source=np.r_[one, other][order],
        act=np.r_[by, by + len(kinds)][order],
        target=np.r_[other, one][order],
        day=np.r_[day, day][order],
        household=seat,
        seat=seat,
        role=role,
        namesake=_namesakes(seat, role, len(households)),
        tone=_tones(kinds, frame),
    )
    past = past._replace(household=_households(past, known_until))
    return Book(
        past=past,
        shelves=_shelves(past, len(actors), len(households)),
        actors=tuple(actors),
        acts=tuple(kinds),
        households=tuple(households),
        start=table.start,
        event=np.concatenate([frame["_row"].to_numpy()] * 2).astype(np.int64)[order],
        done=(order < len(day)),
    )


def _seats(actors: pl.Series, frame: pl.DataFrame) -> tuple[list[str], Ints, Ints]:
    """(households, seat, role): the country in brackets after a name, or told beside it; or a country's own name."""
    told: dict[str, str] = {}
    for side in ("source", "target"):
        if f"{side}_country" in frame.columns:
            pairs = frame.select(pl.col(side, f"{side}_country").cast(pl.String)).drop_nulls().group_by(side)
            told |= dict(pairs.agg(pl.col(f"{side}_country").mode().sort().first()).iter_rows())
    parts = [IN_BRACKETS.match(name) for name in actors]
    land = [match[2] if match else told.get(name) for name, match in zip(actors, parts, strict=True)]
    households = sorted({one for one in land if one})
    index = {one: i for i, one in enumerate(households)}
    seat = [index.get(one or name, -1) for name, one in zip(actors, land, strict=True)]
    roles = [match[1] if match else ("" if name in index else name) for name, match in zip(actors, parts, strict=True)]
    kinds = {one: i for i, one in enumerate(sorted(set(roles)))}
    return households, np.array(seat, np.int64), np.array([kinds[one] for one in roles], np.int64)


def _households(past: PastEvents, known_until: int) -> Ints:
    """Seats, and for those without one the household they met most before `known_until`."""
    seat = past.seat
    untold = (past.day < known_until) & (seat[past.source] < 0) & (seat[past.target] >= 0)
    met: dict[int, Counter[int]] = {}
    for who, where in zip(past.source[untold].tolist(), seat[past.target[untold]].tolist(), strict=True):
        met.setdefault(who, Counter())[where] += 1
    household = seat.copy()
    for who, counts in met.items():
        where, times = counts.most_common(1)[0]
        if times >= 2 and times >= FIRM * counts.total():
            household[who] = where
    return household


def _namesakes(seat: Ints, role: Ints, n_households: int) -> Ints:
    """(roles, households) the actor of that role there, -1: none."""
    found = np.full((int(role.max()) + 1, max(n_households, 1)), -1, np.int64)
    for who in np.flatnonzero(seat >= 0)[::-1]:
        found[role[who], seat[who]] = who
    return found


def _tones(kinds: pl.Series, frame: pl.DataFrame) -> Ints:
    """(2 acts,) class of an act, done and suffered; an act without one counts as the first."""
    known: dict[str, str] = {}
    if "tone" in frame.columns:
        pairs = frame.select(pl.col("act", "tone").cast(pl.String)).drop_nulls().group_by("act")
        known = dict(pairs.agg(pl.col("tone").mode().sort().first()).iter_rows())
    tone = np.array([TONES.index(known[one]) if known.get(one) in TONES else 0 for one in kinds], np.int64)
    return np.concatenate([tone, tone + len(TONES)])


def _shelves(past: PastEvents, n_actors: int, n_households: int) -> Shelves:
    n_acts = len(past.tone)
    home = past.household[past.source]
    n_roles = len(past.namesake)
    keys: Sequence[tuple[Ints, int]] = (
        (past.source, n_actors),
        (np.where(home >= 0, home * n_acts + past.act, n_households * n_acts), n_households * n_acts + 1),
        (past.act, n_acts),
        (past.role[past.source] * n_acts + past.act, n_roles * n_acts),
        (np.where(home >= 0, home, n_households), n_households + 1),
    )
    parts = []
    for key, number in keys:
        order = np.argsort(key, kind="stable").astype(np.int64)
        parts += [order, np.searchsorted(key[order], np.arange(number + 1)).astype(np.int64)]
    return Shelves(*parts)
