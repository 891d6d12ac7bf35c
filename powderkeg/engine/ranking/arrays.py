"""What ranking reads: events from both sides, who belongs with whom, and shelves of events by what they share.

In: nothing. Out: the tuples that `powderkeg.ranking` fills and the loops here read. An act has two numbers: that of
doing it, and, half the acts further on, that of having it done to one; an event is two rows, one for each side.
"""

from __future__ import annotations

from typing import NamedTuple

from powderkeg.engine.arrays import Floats, Ints

DYAD, NEIGHBOURS, ANYBODY, NAMESAKES, TWO_STEPS, HOUSEHOLD = range(6)
"""Ways by which an actor gets a score: what the two did before; what others of the household did by this act; who is
met by this act at all; who holds the place in one household that was met in another; partners' partners; whom the
household meets."""
N_WAYS = 6
N_TONES = 8
"""Four classes of act, done and suffered."""
N_FADES = 3


class PastEvents(NamedTuple):
    """Rows in order of day.

    source, act, target, day  (rows,)
    household  (actors,) the country or group that an actor belongs to, -1: not known
    seat       (actors,) the same, only where the name itself says so: those that have namesakes elsewhere
    role       (actors,) the name without its household: Police of Police (India)
    namesake   (roles, households) actor of that role there, -1: none
    tone       (acts,) class of act, 0 to 7
    """

    source: Ints
    act: Ints
    target: Ints
    day: Ints
    household: Ints
    seat: Ints
    role: Ints
    namesake: Ints
    tone: Ints


class Shelves(NamedTuple):
    """Rows by what they share, in order of day: those of key k are `order[start[k]:start[k + 1]]`.

    source; household of the source and act; act; role of the source and act; household of the source
    """

    by_source: Ints
    source_start: Ints
    by_neighbours: Ints
    neighbours_start: Ints
    by_act: Ints
    act_start: Ints
    by_role: Ints
    role_start: Ints
    by_household: Ints
    household_start: Ints


class Limits(NamedTuple):
    """Most rows, the latest ones, that each way looks back at."""

    dyad: int
    list: int
    anybody: int
    partners: int
    theirs: int


Weighing = tuple[Limits, Floats, Floats, Floats]
"""What the loops take after the shelves: how far to look back, answers, fading and weights of the ways."""
