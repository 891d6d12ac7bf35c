"""Which act brought an actor in, and from which root does an event descend?

In: parents and actors as arrays. Out: for every event its root and the entry of its actor. No names, no files.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from powderkeg.engine.arrays import HISTORY, Floats, Ints

Codes = NDArray[np.integer[Any]]
"""Indices as runs keep them, in as few bytes as will do."""


def roots_and_entries(offsets: Ints, channel: Codes, parent: Codes, source: Ints) -> tuple[Ints, Ints]:
    """(N,) index of each event's root, and of the first act by the same actor on the path from that root to the event.

    parent  (N,) index within the replicate, below 0 for a root; a parent stands before its children
    source  (C,) actor of a channel, -1 where it has none; such an event's entry is -1
    raises  ValueError naming the first event whose parent does not stand before it
    """
    root = np.empty(len(channel), np.int64)
    entry = np.empty(len(channel), np.int64)
    for begin, stop in pairwise(offsets):
        part = slice(begin, stop)
        wrong = _walk(channel[part], parent[part], source, root[part], entry[part])
        if wrong >= 0:
            raise ValueError(f"event {begin + wrong}: its parent does not stand before it in its replicate")
        root[part] += begin
        entry[part] = np.where(entry[part] >= 0, entry[part] + begin, -1)
    return root, entry


@njit(cache=True, nogil=True)
def _walk(channel, parent, source, root, entry):  # type: ignore[no-untyped-def]
    """Fills root and entry of one replicate; the first event whose parent comes after it, or -1."""
    for i in range(len(channel)):
        if parent[i] >= i:
            return i
        actor = source[channel[i]]
        above = np.int64(parent[i])
        root[i] = root[above] if above >= 0 else i
        entry[i] = -1
        if actor < 0:
            continue
        # The nearest earlier act of the same actor on the path knows where that actor came in.
        while above >= 0 and source[channel[above]] != actor:
            above = np.int64(parent[above])
        entry[i] = entry[above] if above >= 0 else i
    return -1


def entry_counts(
    offsets: Ints,
    channel: Codes,
    parent: Codes,
    mechanism: Codes,
    source: Ints,
    target: Ints,
    shape: tuple[int, int, int, int],
    lowest_mechanism: int,
) -> tuple[Ints, Ints, Ints]:
    """How many events of each replicate came in in which way: replicate, way, number of events, where not 0.

    A way is an index into an array of this shape, whose axes are: the actor; 0 if it is one of the root's two, else 1;
    the mechanism of its entry, counted from the lowest; 1 + the actor of the entry's parent, 0 if there is none.
    raises  as `roots_and_entries`
    """
    replicate, way, number, wrong = _count(offsets, channel, parent, mechanism, source, target, shape, lowest_mechanism)
    if wrong >= 0:
        raise ValueError(f"event {wrong}: its parent does not stand before it in its replicate")
    return replicate, way, number


@njit(cache=True, nogil=True)
def _count(offsets, channel, parent, mechanism, source, target, shape, lowest_mechanism):  # type: ignore[no-untyped-def]
    longest = 0
    for replicate in range(len(offsets) - 1):
        longest = max(longest, offsets[replicate + 1] - offsets[replicate])
    root = np.empty(longest, np.int64)
    entry = np.empty(longest, np.int64)
    ways = np.empty(longest, np.int64)
    found = np.empty((1024, 3), np.int64)
    n = 0
    for replicate in range(len(offsets) - 1):
        begin, stop = offsets[replicate], offsets[replicate + 1]
        wrong = _walk(channel[begin:stop], parent[begin:stop], source, root, entry)
        if wrong >= 0:
            return found[:0, 0], found[:0, 1], found[:0, 2], begin + wrong
        n_ways = 0
        for i in range(stop - begin):
            came = entry[i]
            if came < 0:
                continue
            actor = source[channel[begin + i]]
            top = channel[begin + root[i]]
            is_drawn = 0 if actor == source[top] or actor == target[top] else 1
            above = parent[begin + came]
            by = source[channel[begin + above]] + 1 if above >= 0 else 0
            kind = (mechanism[begin + came] if above >= -1 else HISTORY) - lowest_mechanism
            ways[n_ways] = ((actor * shape[1] + is_drawn) * shape[2] + kind) * shape[3] + by
            n_ways += 1
        ways[:n_ways].sort()
        for i in range(n_ways):
            if i > 0 and ways[i] == ways[i - 1]:
                found[n - 1, 2] += 1
                continue
            if n == len(found):
                wider = np.empty((2 * n, 3), np.int64)
                wider[:n] = found
                found = wider
            found[n, 0], found[n, 1], found[n, 2] = replicate, ways[i], 1
            n += 1
    return found[:n, 0].copy(), found[:n, 1].copy(), found[:n, 2].copy(), -1


def tally(
    offsets: Ints,
    time: Floats,
    channel: Codes,
    mechanism: Codes,
    wanted_start: Ints,
    wanted: Ints,
    via: NDArray[np.bool_],
    lowest_mechanism: int,
) -> tuple[Ints, Floats]:
    """(R, O) how many events of each replicate answer to each of O questions, and the time of the first (inf if none).

    wanted_start, wanted  CSR by channel: the questions that an act of the channel answers to
    via                   (O, mechanisms - lowest_mechanism) question o takes events born by this mechanism
    lowest_mechanism      the code that stands in column 0 of via
    """
    counts = np.zeros((len(offsets) - 1, via.shape[0]), np.int64)
    first = np.full((len(offsets) - 1, via.shape[0]), np.inf)
    _tally(offsets, time, channel, mechanism, wanted_start, wanted, via, lowest_mechanism, counts, first)
    return counts, first


@njit(cache=True, nogil=True)
def _tally(offsets, time, channel, mechanism, wanted_start, wanted, via, lowest_mechanism, counts, first):  # type: ignore[no-untyped-def]
    for replicate in range(len(offsets) - 1):
        for i in range(offsets[replicate], offsets[replicate + 1]):
            c = channel[i]
            for k in range(wanted_start[c], wanted_start[c + 1]):
                question = wanted[k]
                if via[question, mechanism[i] - lowest_mechanism]:
                    counts[replicate, question] += 1
                    if time[i] < first[replicate, question]:
                        first[replicate, question] = time[i]
