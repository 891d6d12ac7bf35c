"""What splitting starts from, and what it hands on: ladders of levels, entries, and where an entry keeps what.

In: the `Tables` of a world. Out: `Levels`, `Entrances`, the widths of their rows, how slowly answers fade. An entry is
all that the future depends on: the time, the state, timers that run, and the events so far.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inlined
from powderkeg.engine.simulation.state import Places
from powderkeg.engine.simulation.tables import TableLayout, Tables

# The last whole numbers of an entry, and its last float, counted from the end.
PHASE, I_ACT, SCORE, ORIGIN, N_HISTORY = -5, -4, -3, -2, -1
N_HEAD = 5
DAY = -1


class Levels(NamedTuple):
    """A ladder of at most 62 levels, the last of which is what is asked about.

    A level is reached when its events came `count` times (in `within` days, in as many different groups) and its facts
    are so, and then all below it count as reached.
    """

    touches: Ints  # (C,) bit l: an event of this channel counts for level l
    via: NDArray[np.bool_]  # (L, M - HISTORY) born of what, see analyze.outcomes.mechanism_mask
    count: Ints  # type: ignore[assignment]  # (L,) 0: facts alone
    within: Floats  # (L,) days, inf for ever
    group: Ints  # (L, C) events of one group count once; -1 where each counts
    fact_start: Ints  # (L + 1,)
    fact: Ints
    allowed: NDArray[np.bool_]  # (., most levels of a fact)


class Entrances(NamedTuple):
    """Where copies start: rows of whole numbers and of floats, their weights, and their histories end to end."""

    ints: Ints
    floats: Floats
    weight: Floats  # of a hit: 1, or 1 / boost
    start: Ints  # (n + 1,)
    time: Floats
    channel: NDArray[np.int32]
    parent: NDArray[np.int32]  # index within the history
    mechanism: NDArray[np.int16]
    done: Ints  # bit n: the n-th effect of the channel came about

    @property
    def n(self) -> int:
        """How many."""
        return len(self.ints)


class CopyEvents(NamedTuple):
    """The events of the copy at hand; columns as in `Entrances`."""

    time: Floats
    channel: NDArray[np.int32]
    parent: NDArray[np.int32]
    mechanism: NDArray[np.int16]
    done: Ints


class Reached(NamedTuple):
    """Where entries go that reach the level: columns as in `Entrances`; the length of each history is in its row."""

    ints: Ints
    floats: Floats
    weight: Floats
    events: CopyEvents


class Task(NamedTuple):
    """One stage of one repetition, and the window."""

    root: Any  # uint64 key of the seed
    repetition: int
    stage: int
    boost: float  # how many times as often the events of this level are proposed as they come
    slow: Floats  # (phases, C) and the next two: see `slowest`
    most: float
    late: float
    begin: float
    horizon: float
    limit: int  # events of one copy, beyond which it is stopped


class EntryPlaces(NamedTuple):
    """Where an entry's whole numbers and floats keep what: each fact's level stands first, each calm's two floats.

    fact_phase, fact_by      the phase in which each fact came to its level, and the event that brought it there
    timer_runs               for each timer, whether it runs
    policy_waits, policy_by  for each policy, whether it waits, and the event since which it does
    came                     how often each level's events came
    end, end_f               how long an entry is: the head and the day are counted from there
    since, policy_since      in floats: the day since when each fact stands, since when each policy waits
    """

    fact_phase: int
    fact_by: int
    timer_runs: int
    policy_waits: int
    policy_by: int
    came: int
    end: int
    since: int
    policy_since: int
    end_f: int


@inlined
def held(at: TableLayout, n_levels: int) -> EntryPlaces:
    """The places of an entry."""
    runs = 3 * at.n_facts
    waits = runs + at.n_timers
    came = waits + 2 * at.n_policies
    since = 2 * at.n_calms
    policy_since = since + at.n_facts
    return EntryPlaces(
        at.n_facts, 2 * at.n_facts, runs, waits, waits + at.n_policies, came, came + n_levels + N_HEAD, since,
        policy_since, policy_since + at.n_policies + 1,
    )  # fmt: skip


@inlined
def moving(at: TableLayout, of: EntryPlaces) -> Places:
    """The places of what moves while a copy is followed: behind those of its entry. Strips there are none."""
    changing = of.end + at.n_facts + at.n_policies
    return Places(of.end, changing, changing + 2 * at.n_changes, of.end_f, of.since, 0, 0, 0)


def widths(t: Tables, n_levels: int) -> tuple[int, int]:
    """How many whole numbers and floats an entry has."""
    at = t.at
    n_ints = N_HEAD + 3 * at.n_facts + at.n_timers + 2 * at.n_policies + n_levels
    return n_ints, 1 + at.n_facts + at.n_policies + 2 * at.n_calms


def slowest(t: Tables) -> tuple[Floats, float, float]:
    """(phases, C) the slowest decay among what an event of each channel bears; the most that one event bears; how many
    times as much of it may be left at any age as that decay leaves: more than once where answers build up."""
    at = t.at
    C, L = at.n_channels, at.n_streams
    start = t.ints[at.branch_start : at.branch_start + C * L + 1]
    mechanism = t.entry.reshape(-1, 8)[: start[-1], 2]
    kernel_start = t.ints[at.kernel_start : at.kernel_start + (int(mechanism.max()) + 2 if len(mechanism) else 1)]
    slow = np.full((at.n_phases, C), np.inf)
    late = 1.0
    row_channel = np.repeat(np.tile(np.arange(C), L), np.diff(start))
    for phase in range(at.n_phases):
        first = at.kernel + phase * at.n_kernel
        share, mean = t.floats[first : first + at.n_kernel].reshape(-1, 2).T
        if len(mechanism):
            late = max(late, float(share[kernel_start[:-1]].max()))
            longest = np.array([mean[a:b].max() for a, b in pairwise(kernel_start)])
            np.minimum.at(slow[phase], row_channel, 1.0 / longest[mechanism])
    branch = t.floats[at.branch : at.branch + 3 * C * L].reshape(-1, 3)
    return slow, float((branch[:, 0] * branch[:, 1]).reshape(L, C).sum(axis=0).max(initial=0.0)), late
