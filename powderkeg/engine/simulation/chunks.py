"""A chunk of replicates: buffers that grow as needed, and the loop that fits.

In: `Tables`, which replicates of which seed. Out: their events, replicate by replicate, in time order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.simulation.clusters import DEEP, OVER_LIMIT, is_stateless, run_clusters
from powderkeg.engine.simulation.queue import WIDTH, Queue
from powderkeg.engine.simulation.tables import Tables
from powderkeg.engine.simulation.thinning import (
    CANDIDATES,
    DONE,
    FINISHED,
    FULL,
    MOST_WAITING,
    N_CONTROL,
    NO_SLOTS,
    STOPPED,
    Recorded,
    run,
)

_MOST_BUCKETS = 4_000_000
_FIRST_BUCKETS = 1 << 16  # as long as nothing has been seen: what is to be expected at the highest gates may never come
_MOST_ROOM = 2_000_000  # events that buffers are made for without having been needed
_LEAST_WAITING = 1_000_000
_AGAIN = -1


def most_waiting(limit: int) -> float:
    """Answers that may wait in one replicate that is stopped at `limit` events. One in 80 bytes of memory."""
    return float(max(2 * limit, _LEAST_WAITING))


class Chunk(NamedTuple):
    """Events of a run of replicates, one after the other."""

    n_events: NDArray[np.int64]  # (replicates,)
    exploded: NDArray[np.bool_]  # (replicates,) bool: stopped at the event limit, or with as many answers waiting
    reached: NDArray[np.float64]  # (replicates,) day at which it stopped; the horizon, unless exploded
    time: NDArray[np.float64]  # float64, days
    channel: NDArray[np.int32]  # int32
    parent: NDArray[np.int32]  # int32 index within the replicate; -1 none; -2 - h: event h of the given past
    mechanism: NDArray[np.int16]  # int16
    key: NDArray[np.uint64]  # uint64, empty unless asked for
    level_time: NDArray[np.float64]  # (replicates, cells) days of the window that each fact spent at each level
    level_first: NDArray[np.float64]  # (replicates, cells) day of the window on which each first stood so, or inf
    n_candidates: NDArray[np.int64]  # (1,) candidates considered: what the work was


class Workspace:
    """Buffers of one thread, used again for chunk after chunk; they grow, never shrink."""

    def __init__(self) -> None:
        self.control = np.zeros(N_CONTROL)
        self.waiting = np.zeros(5, np.int64)
        self.room(0)
        self.follow(0)
        self.events(1 << 16)
        self.head = np.empty(0, np.int64)
        self.seen = 0.0  # candidates of a replicate, in the chunk before

    def room(self, slots: int) -> None:
        """For so many candidates in the queue."""
        self.slot_time = np.empty(slots)
        self.slot_key = np.empty(slots, np.uint64)
        self.slot = np.empty(slots * WIDTH, np.int64)
        self.heap_time = np.empty(slots)
        self.heap_slot = np.empty(slots, np.int64)

    def queue(self) -> Queue:
        """The queue that the loop shares with us."""
        return Queue(self.waiting, self.slot_time, self.slot_key, self.slot, self.heap_time, self.heap_slot, self.head)

    def follow(self, n: int) -> None:
        """For families of so many events altogether, and half as many waiting to be followed."""
        self.stack = (np.empty(n // 2), np.empty(n // 2, np.uint64), np.empty(3 * (n // 2), np.int32))
        self.family = (
            np.empty(n), np.empty(n, np.uint64), np.empty(n, np.int32), np.empty(2 * n, np.int32),
            np.empty(n, np.int32), np.empty(n, np.int32),
        )  # fmt: skip

    def events(self, n: int) -> None:
        """For so many recorded events."""
        self.out = (
            np.empty(n), np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int16), np.empty(n, np.uint64)
        )  # fmt: skip

    def buckets(self, n: float) -> None:
        """About so many buckets."""
        n = int(min(max(n, 16), _MOST_BUCKETS))
        if not len(self.head) / 8 <= n <= len(self.head) * 2:
            self.head = np.empty(n, np.int64)


def simulate_chunk(
    tables: Tables,
    root: np.uint64,
    first: int,
    last: int,
    begin: float,
    horizon: float,
    limit: int,
    workspace: Workspace,
    expected: float,
    keep_keys: bool = False,
    is_complete: bool = False,
    hold: Callable[[int], None] | None = None,
) -> Chunk | None:
    """Simulate replicates `first` to `last - 1` of the window [begin, horizon); None if stopped on the way.

    root         key of the seed
    limit        events recorded in one replicate before it is stopped and called exploded
    expected     candidates to expect in a replicate: sizes buffers, changes nothing
    is_complete  the given past includes what timers did
    hold         told of every so many events that are kept; raises what ends the chunk if there are too many
    """
    at, w = tables.at, workspace
    n = last - first
    stateless = is_stateless(tables)
    n_cells = int(tables.ints[at.fact + 3 * at.n_facts + 1])
    result = np.zeros((n, 3 + 2 * n_cells))
    state = np.zeros(at.n_facts * 2 + at.n_policies + 2 * at.n_changes + at.n_streams + 2 * at.n_strips, np.int64)
    state_f = np.zeros(2 * at.n_calms + at.n_streams + at.n_facts + at.n_groups + at.n_strips)
    pieces: list[list[NDArray[Any]]] = []
    w.buckets(w.seen or min(expected, _FIRST_BUCKETS))
    # Room for one replicate as it is expected: to run out of room means to start it again.
    room = int(min(1.2 * expected + 1000.0, _MOST_ROOM))
    if len(w.out[0]) < room:
        w.events(room)
    if stateless and len(w.family[0]) < room:
        w.follow(room)
    w.control[DONE] = w.control[CANDIDATES] = 0.0
    w.control[MOST_WAITING] = most_waiting(limit)
    done = 0
    by_family = stateless
    while True:
        before, candidates = done, w.control[CANDIDATES]
        if by_family:
            done, why = run_clusters(
                *tables, root, first, done, n, begin, horizon, limit, result, *w.stack, *w.family, w.head, *w.out,
                w.control,
            )  # fmt: skip
        else:
            if not len(w.slot_time):
                w.room(4096)
            # After a replicate that exploded the next is followed by family again.
            end = done + 1 if stateless else n
            done, why = run(
                *tables, root, first, done, end, begin, horizon, limit, is_complete, result, state, state_f, w.queue(),
                Recorded(*w.out), w.control,
            )  # fmt: skip
            if why == FINISHED and stateless:
                by_family, why = True, FINISHED if done == n else _AGAIN
        got = int(result[before:done, 0].sum())
        if hold is not None:
            hold(got)
        pieces.append([column[:got].copy() for column in (w.out if keep_keys else w.out[:4])])
        if why == STOPPED:
            return None
        if why == FINISHED:
            break
        if why == NO_SLOTS:
            w.room(2 * len(w.slot_time) + at.n_timers + at.n_policies)
        elif why == DEEP:
            w.follow(2 * len(w.family[0]))
        elif why == OVER_LIMIT:
            by_family = False
        elif why == FULL and done == before:  # one replicate fills the whole buffer
            w.events(2 * len(w.out[0]))
        if done > before:
            w.buckets((w.control[CANDIDATES] - candidates) / (done - before))
    w.seen = float(w.control[CANDIDATES]) / n
    if stateless:  # nothing ever changes a fact
        cells = tables.ints[at.fact : at.fact + 3 * at.n_facts].reshape(-1, 3)[:, :2].sum(axis=1)
        result[:, 3 + cells] = (result[:, 2] - begin)[:, None]
        result[:, 3 + n_cells :] = np.inf
        result[:, 3 + n_cells + cells] = begin
    columns = [np.concatenate(column) if len(pieces) > 1 else column[0] for column in zip(*pieces, strict=True)]
    return Chunk(
        n_events=result[:, 0].astype(np.int64),
        exploded=result[:, 1] > 0,
        reached=result[:, 2],
        time=columns[0],
        channel=columns[1],
        parent=columns[2],
        mechanism=columns[3],
        key=columns[4] if keep_keys else np.empty(0, np.uint64),
        level_time=result[:, 3 : 3 + n_cells],
        level_first=result[:, 3 + n_cells :],
        n_candidates=np.array([w.control[CANDIDATES]], np.int64),
    )
