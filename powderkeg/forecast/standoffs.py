"""Does a new standoff open ahead?

In: histories ahead (or what came), what was seen before. Out: how many standoffs open ahead in each history, and when
the first does. A standoff opens when its score reaches the opening level; its first act, from which it is dated, comes
before that, and may have been seen (see `analyze.episodes.openings`). One that is open at the origin is not new.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from powderkeg.analyze.episodes import Rules, openings
from powderkeg.analyze.streams import marks_of, score_heat_of
from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.episodes import OPEN
from powderkeg.forecast.seen import Watched
from powderkeg.model import Model
from powderkeg.simulate import Runs

NEW_STANDOFF = "new_standoff"
TITLE = "A new standoff opens"
NEW_MEANS = (
    "A standoff is new where it opens ahead: its score reaches the opening level on one of these days, whether its "
    "first act lies ahead or was seen before."
)
OPENS, BEGINS = "opens", "begins"
"""What is new: a standoff that opens ahead; until version 0.5, one whose first act lies ahead."""
RULES = (OPENS, BEGINS)
WARM_DAYS = 90.0
WARM_MEMORIES = 13.0
"""Days before the origin whose acts count towards a score, and how often it fades by e in them at the least."""
PART = 4_000_000
"""Acts that are looked at together."""


def open_since(model: Model, seen: Watched) -> date | None:
    """First day of the standoff that is open at the origin, None where none is."""
    found = _standing(model, seen)
    return None if found is None else seen.start + timedelta(days=int(np.floor(found)))


def meaning(since: date | None) -> str:
    """What a new standoff is, in words, where one is open at the origin since a day."""
    if since is None:
        return NEW_MEANS
    return (
        f"{NEW_MEANS} The one that is open at the origin, dated from {since} on, is not new; an act that keeps it open "
        "can lower the chance of another."
    )


def new_standoffs(model: Model, runs: Runs, seen: Watched, rule: str = OPENS) -> tuple[Floats, Floats]:
    """((R,) standoffs that are new, (R,) days to the first of them, infinite where none is).

    Where the source stamps days the acts ahead count with their days too: several on one day reach a level together.

    rule  OPENS, or BEGINS, by which forecasts were made that say so
    """
    counts = (score_heat_of(model) > 0.0) | (marks_of(model) > 0)
    time, channel = _before(model, seen, counts)
    R = runs.replicates
    number, first = np.zeros(R), np.full(R, np.inf)
    size = np.diff(runs.offsets) + len(time)
    part = np.cumsum(size) // PART
    for p in np.unique(part):
        a, b = (int(x) for x in np.searchsorted(part, (p, p + 1)))
        offsets, times, channels = _joined(runs.part(a, b), time, channel, counts)
        if seen.by_day and rule == OPENS:
            times = np.floor(times - seen.begin) + seen.begin
        found = openings(model, offsets, times, channels, runs.begin + runs.days)
        when = found.opened if rule == OPENS else found.start
        new = when >= seen.begin
        np.minimum.at(first[a:b], found.stream[new], when[new] - seen.begin)
        number[a:b] = np.bincount(found.stream[new], minlength=b - a)
    return number, first


def _joined(runs: Runs, time: Floats, channel: Ints, counts: NDArray[np.bool_]) -> tuple[Ints, Floats, Ints]:
    """Offsets, times and channels of histories that begin with the acts seen; only of what counts."""
    n, R = len(time), runs.replicates
    kept = counts[runs.channel]
    each = np.bincount(runs.replicate[kept], minlength=R)
    offsets = np.concatenate([[0], np.cumsum(each + n)]).astype(np.int64)
    old = (offsets[:-1, None] + np.arange(n)).ravel()
    new = np.arange(int(kept.sum())) + np.repeat(n * np.arange(1, R + 1), each)
    times, channels = np.empty(offsets[-1]), np.empty(offsets[-1], np.int32)
    times[old], times[new] = np.tile(time, R), runs.time[kept]
    channels[old], channels[new] = np.tile(channel, R), runs.channel[kept]
    return offsets, times, channels


def _before(model: Model, seen: Watched, counts: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """The last acts seen that count: those that still weigh in the score, and all of a standoff that is still open."""
    fades = WARM_MEMORIES * Rules.of(model.scenario).memory
    standing = _standing(model, seen)
    since = seen.days - max(WARM_DAYS, fades)
    if standing is not None:
        since = min(since, standing - fades)
    late = (seen.time >= since) & counts[seen.channel]
    return seen.time[late] + seen.shift, seen.channel[late]


def _standing(model: Model, seen: Watched) -> float | None:
    """Day, of those watched, on which the first act of the standoff came that is open at the origin."""
    offsets = np.array([0, len(seen.time)])
    found = openings(model, offsets, seen.time, seen.channel.astype(np.int32), seen.days)
    last = found.start[found.state == OPEN]
    return float(last[0]) if len(last) else None
