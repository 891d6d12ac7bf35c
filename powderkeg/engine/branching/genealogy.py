"""Which act brought an actor in, and from which root does an event descend?

In: parents and actors as arrays. Out: for every event its root and the entry of its actor. No names, no files.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import HISTORY, Floats, Ints
from powderkeg.engine.compiled import loop

Codes = NDArray[np.integer[Any]]
"""Indices as runs keep them, in as few bytes as will do."""


def roots_and_entries(offsets: Ints, channel: Codes, parent: Codes, source: Ints) -> tuple[Ints, Ints]:
    """(N,) index of each event's root, and of the first act by the same actor on the path from that root to the event.

    parent  (N,) index within the replicate, below 0 for a root; a parent stands before its children
    source  (C,) actor of a channel, -1 where it has none; such an event's entry is -1
    raises  ValueError naming the first event whose parent does not stand before it
    """
    root, entry = np.empty((2, len(channel)), np.int64)
    for begin, stop in pairwise(offsets):
        wrong = _walk(channel, parent, source, begin, stop, root, entry, begin)
        if wrong >= 0:
            raise ValueError(f"event {wrong}: its parent does not stand before it in its replicate")
        root[begin:stop] += begin
        entry[begin:stop][entry[begin:stop] >= 0] += begin
    return root, entry


@loop
def _walk(channel, parent, source, begin, stop, root, entry, to):  # type: ignore[no-untyped-def]
    """Fills root and entry, counted within the replicate, from place `to` on; returns a wrong event, or -1."""
    for i in range(stop - begin):
        if parent[begin + i] >= i:
            return begin + i
        actor = source[channel[begin + i]]
        above = np.int64(parent[begin + i])
        root[to + i] = root[to + above] if above >= 0 else i
        entry[to + i] = -1
        if actor < 0:
            continue
        # The nearest earlier act of the same actor on the path knows where that actor came in.
        while above >= 0 and source[channel[begin + above]] != actor:
            above = np.int64(parent[begin + above])
        entry[to + i] = entry[to + above] if above >= 0 else i
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
    n_ways = int(np.prod(shape, dtype=np.int64))
    sizes = np.array([*shape, lowest_mechanism], dtype=np.int64)
    found = []
    first, n_replicates = 0, len(offsets) - 1
    while first < n_replicates:
        # Some replicates at a time, and at least one: the scratch arrays stay small.
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + _AT_A_TIME, side="right")) - 1)
        begin, stop = offsets[first], offsets[last]
        root, entry, way = np.empty((3, stop - begin), np.int64)
        wrong = _ways(offsets[first : last + 1], channel, parent, mechanism, source, target, sizes, root, entry, way)
        if wrong >= 0:
            raise ValueError(f"event {wrong}: its parent does not stand before it in its replicate")
        # A key of replicate and way; replicates are few enough for it to fit.
        key = np.repeat(np.arange(last - first), np.diff(offsets[first : last + 1])) * n_ways + way
        keys, number = np.unique(key[way >= 0], return_counts=True)
        found.append(np.stack([keys // n_ways + first, keys % n_ways, number]))
        first = last
    replicate, ways, numbers = np.concatenate(found, axis=1) if found else np.empty((3, 0), np.int64)
    return replicate, ways, numbers


_AT_A_TIME = 500_000
"""Events whose ways are found together."""


@loop
def _ways(offsets, channel, parent, mechanism, source, target, sizes, root, entry, way):  # type: ignore[no-untyped-def]
    """Fills the way of every event of some replicates, -1 where it has no actor; returns a wrong event, or -1."""
    for replicate in range(len(offsets) - 1):
        begin, stop = offsets[replicate], offsets[replicate + 1]
        shift = begin - offsets[0]
        wrong = _walk(channel, parent, source, begin, stop, root, entry, shift)
        if wrong >= 0:
            return wrong
        for i in range(stop - begin):
            came = entry[shift + i]
            way[shift + i] = -1
            if came < 0:
                continue
            actor = source[channel[begin + i]]
            top = channel[begin + root[shift + i]]
            is_drawn = 0 if actor == source[top] or actor == target[top] else 1
            above = np.int64(parent[begin + came])
            by = source[channel[begin + above]] + 1 if above >= 0 else 0
            kind = (np.int64(mechanism[begin + came]) if above >= -1 else HISTORY) - sizes[4]
            way[shift + i] = ((actor * sizes[1] + is_drawn) * sizes[2] + kind) * sizes[3] + by
    return -1


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


@loop
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
