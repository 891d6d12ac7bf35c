"""A stage of splitting: buffers that grow as needed, and the loop that fits.

In: a world, a ladder, the entries at which copies start. Out: the entries that they reach, and what it cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import BACKGROUND, HISTORY, Floats
from powderkeg.engine.simulation.chunks import most_waiting
from powderkeg.engine.simulation.queue import WIDTH, Queue, clear
from powderkeg.engine.simulation.tables import Tables, tables
from powderkeg.engine.simulation.thinning import FULL, MOST_WAITING, N_CONTROL, NO_SLOTS, STOP, STOPPED
from powderkeg.engine.splitting.copies import DEEP, split
from powderkeg.engine.splitting.layout import N_HISTORY, CopyEvents, Entrances, Levels, Reached, Task, slowest, widths
from powderkeg.engine.worlds import World, boosted

BYTES = 26 + 26
"""What an event takes in a history that a stage hands on, and once more while the histories are joined."""


class TooLong(ValueError):
    """The histories that one stage hands on would not fit into the memory they may take."""


class Stage(NamedTuple):
    """What came of a stage: entries reached, candidates and events that it took, copies stopped at the limit."""

    reached: Entrances
    candidates: int
    events: int
    exploded: int


class Proposed(NamedTuple):
    """What is proposed in a stage: the tables, and what the loop reads besides."""

    tables: Tables
    slow: Floats
    most: float
    late: float
    boost: float


def proposed(world: World, levels: Levels, stage: int, boost: float = 1.0) -> Proposed:
    """For a stage, with the events of its level `boost` times as often. Raises ValueError where that is not exact."""
    if boost != 1.0:
        if not can_boost(levels, stage) or boost < 1.0:
            raise ValueError(f"level {stage} is not reached by one act of itself")
        via = levels.via[stage]
        acts = (levels.touches >> np.int64(stage)) & 1 != 0
        world = boosted(world, acts, via[-HISTORY:], bool(via[BACKGROUND - HISTORY]), boost)
    made = tables(world, sleep=False)
    slow, most, late = slowest(made)
    return Proposed(made, slow, most, late, boost)


def can_boost(levels: Levels, stage: int) -> bool:
    """Whether a level is reached by any one of its events, whatever else is so."""
    return bool(levels.count[stage] == 1 and levels.fact_start[stage] == levels.fact_start[stage + 1])


class Splitter:
    """One thread's buffers for one world and ladder; `stages` holds what is proposed in each stage, `memory` how many
    bytes the histories that one hands on may take."""

    def __init__(
        self, stages: Sequence[Proposed], levels: Levels, begin: float, horizon: float, limit: int, memory: int = 2**32
    ) -> None:
        at = stages[0].tables.at
        self.most = memory // BYTES
        self.stages, self.levels, self.begin, self.horizon, self.limit = stages, levels, begin, horizon, limit
        self.control = np.zeros(N_CONTROL)
        self.control[MOST_WAITING] = most_waiting(limit)
        self.widths = widths(stages[0].tables, len(levels.count))
        watched, streams = at.n_facts + at.n_policies, max(stage.tables.at.n_streams for stage in stages)
        n_ints, n_floats = self.widths
        self.state = np.zeros(n_ints + watched + 2 * at.n_changes + streams, np.int64)
        self.state_f = np.zeros(n_floats + streams)
        self.kept = (self.state.copy(), self.state_f.copy())
        self.seen = np.zeros(int(levels.group.max(initial=0)) + 1, np.int64)
        self.waiting, self.head = np.zeros(5, np.int64), np.full(1, -1, np.int64)
        self._room(4096)
        self._history(4096)
        self._hits(1024, 1 << 18)

    def stop(self) -> None:
        """Make a running stage return soon."""
        self.control[STOP] = 1.0

    def _room(self, n: int) -> None:
        self.queue = Queue(
            self.waiting, np.empty(n), np.empty(n, np.uint64), np.empty(WIDTH * n, np.int64), np.empty(n),
            np.empty(n, np.int64), self.head,
        )  # fmt: skip
        clear(self.waiting, self.queue.slot, self.head)

    def _history(self, n: int) -> None:
        self.told = _events(n)

    def _hits(self, entries: int, events: int) -> None:
        n_ints, n_floats = self.widths
        self.out = Reached(
            np.empty((entries, n_ints), np.int64), np.empty((entries, n_floats)), np.empty(entries), _events(events)
        )

    def nowhere(self) -> Entrances:
        """No entries: copies start at the beginning."""
        return Entrances(
            np.zeros((0, self.widths[0]), np.int64), np.zeros((0, self.widths[1])), np.zeros(0),
            np.zeros(1, np.int64), np.zeros(0), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int16),
            np.zeros(0, np.int64),
        )  # fmt: skip

    def stage(self, root: np.uint64, repetition: int, stage: int, n_copies: int, entries: Entrances) -> Stage | None:
        """`n_copies` copies from these entries until they reach level `stage`, counted from 0; None if stopped.
        Raises TooLong.
        """
        got, done = np.zeros(5, np.int64), 0
        ours = self.stages[stage]
        until = np.cumsum(entries.weight) * (n_copies / max(float(entries.weight.sum()), 1e-300))
        given = entries._replace(weight=until)
        task = Task(
            root, repetition, stage, ours.boost, ours.slow, ours.most, ours.late, self.begin, self.horizon, self.limit
        )  # fmt: skip
        pieces: list[list[NDArray[Any]]] = []
        kept = 0
        while True:
            done, why = split(
                *ours.tables, task, self.levels, given, done, n_copies, self.state, self.state_f, *self.kept, self.seen,
                self.queue, self.told, self.out, got, self.control,
            )  # fmt: skip
            n, m = int(got[0]), int(got[1])
            pieces.append([*(x[:n].copy() for x in self.out[:3]), *(x[:m].copy() for x in self.out.events)])
            got[:2] = 0
            kept += m
            if kept > self.most:
                raise TooLong
            if why == STOPPED:
                return None
            if why == NO_SLOTS:
                self._room(2 * len(self.queue.slot_time) + ours.tables.at.n_timers + ours.tables.at.n_policies)
            elif why == DEEP:
                self._history(2 * len(self.told.time))
            elif why == FULL:
                if n == 0:
                    self._hits(2 * len(self.out.ints), 2 * len(self.out.events.time))
            else:
                break
        columns: list[NDArray[Any]] = [np.concatenate(column) for column in zip(*pieces, strict=True)]
        start = np.concatenate([[0], np.cumsum(columns[0][:, N_HISTORY])]).astype(np.int64)
        reached = Entrances(columns[0], columns[1], columns[2], start, *columns[3:])
        return Stage(reached, int(got[2]), int(got[4]), int(got[3]))


def _events(n: int) -> CopyEvents:
    """Room for so many events."""
    return CopyEvents(
        np.empty(n), np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int16), np.empty(n, np.int64)
    )
