"""Work for several threads: how many cores there are for us, and how numbered pieces of work are shared out to them.

In: a function of a piece's number. Out: its results in order. The loops that take the time let go of the interpreter's
lock, so threads do; processes, whose ways of starting differ from system to system, are not needed. Nothing here can be
seen in a result: which thread makes a piece, and when, changes only how long it takes.
"""

from __future__ import annotations

import math
import os
import queue
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np

from powderkeg.errors import Fault, UsageError
from powderkeg.simulate.groups import granted

T = TypeVar("T")

AHEAD = 4
"""Pieces in flight for each worker: what waits in line for an earlier piece must not fill the memory."""


def cores() -> int:
    """Cores that this process may use, at least 1.

    Python 3.13 counts them itself; before, Linux says which ones we are held to, and macOS and Windows, which hold
    nobody, how many there are. A container may grant less time than it shows cores.
    """
    counted: Callable[[], int | None] | None = getattr(os, "process_cpu_count", None)
    held: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    n = counted() if counted is not None else len(held(0)) if held is not None else os.cpu_count()
    return max(min(n or 1, _granted()), 1)


def workers_for(pieces: int, asked: int | None) -> int:
    """Threads for so many pieces: as many as asked for, or one a core, and never more than there are pieces.

    Raises UsageError for what is no whole number.
    """
    if not (asked is None or isinstance(asked, int | np.integer)):
        raise UsageError(Fault.at("workers", repr(asked), "a whole number from 1 on"))
    return max(min(int(asked or cores()), pieces), 1)


def in_order(
    work: Callable[[int], T],
    pieces: int,
    workers: int,
    *,
    tick: Callable[[], None] | None = None,
    stop: Callable[[], None] | None = None,
) -> Iterator[T]:
    """work(0), work(1), ... of so many pieces, each as soon as it and all before it are made.

    workers  threads; with 0 the pieces are made one after the other by whoever iterates
    tick  called a few times a second, from the thread that waits
    stop  called once when the iteration ends, however it ends: makes work that still runs return soon

    The first error in the order of the pieces is raised, whichever came first.
    """
    if not workers:
        for number in range(pieces):
            yield work(number)
            if tick is not None:
                tick()
        return
    waiting: list[Future[T]] = []
    submitted = 0
    pool = ThreadPoolExecutor(workers, "powderkeg")
    try:
        while waiting or submitted < pieces:
            while submitted < pieces and len(waiting) < AHEAD * workers:
                waiting.append(pool.submit(work, submitted))
                submitted += 1
            wait(waiting[:1], timeout=0.1)
            while waiting and waiting[0].done():
                yield waiting.pop(0).result()
            if tick is not None:
                tick()
    finally:
        if stop is not None:
            stop()
        pool.shutdown(wait=True, cancel_futures=True)


class Spares(Generic[T]):
    """Things that one thread at a time may use, such as buffers: one a worker."""

    def __init__(self, things: Sequence[T]) -> None:
        self.all = things
        self._free: queue.SimpleQueue[T] = queue.SimpleQueue()
        for thing in things:
            self._free.put(thing)

    @contextmanager
    def one(self) -> Iterator[T]:
        """One that nobody else uses in the meantime."""
        thing = self._free.get()
        try:
            yield thing
        finally:
            self._free.put(thing)


def _granted() -> int:
    """Cores' worth of time that control groups grant, rounded up; very many where nothing is said."""
    least = math.inf
    for controller, names in (("", ("cpu.max",)), ("cpu", ("cpu.cfs_quota_us", "cpu.cfs_period_us"))):
        for quota, period in granted(controller, *names):
            if quota.isdigit() and period.isdigit() and int(quota) and int(period):  # else "max", or -1: no bound
                least = min(least, int(quota) / int(period))
    return math.ceil(least) if least < math.inf else sys.maxsize
