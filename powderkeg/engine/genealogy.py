"""Which act brought an actor in, and from which root does an event descend?

In: parents and actors as arrays. Out: for every event its root and the entry of its actor. No names, no files.
"""

from __future__ import annotations

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
    root, entry, wrong = _walk(offsets, channel, parent, source)
    if wrong >= 0:
        raise ValueError(f"event {wrong}: its parent does not stand before it in its replicate")
    return root, entry


@njit(cache=True, nogil=True)
def _walk(offsets, channel, parent, source):  # type: ignore[no-untyped-def]
    root = np.empty(len(channel), np.int64)
    entry = np.full(len(channel), -1, np.int64)
    for replicate in range(len(offsets) - 1):
        begin = offsets[replicate]
        for i in range(begin, offsets[replicate + 1]):
            if parent[i] >= i - begin:
                return root, entry, i
            actor = source[channel[i]]
            above = begin + parent[i] if parent[i] >= 0 else np.int64(-1)
            root[i] = root[above] if above >= 0 else i
            if actor < 0:
                continue
            # The nearest earlier act of the same actor on the path knows where that actor came in.
            while above >= 0 and source[channel[above]] != actor:
                above = begin + parent[above] if parent[above] >= 0 else np.int64(-1)
            entry[i] = entry[above] if above >= 0 else i
    return root, entry, -1


def entry_cells(
    offsets: Ints,
    channel: Codes,
    parent: Codes,
    mechanism: Codes,
    source: Ints,
    target: Ints,
    shape: tuple[int, int, int, int],
    lowest_mechanism: int,
) -> Ints:
    """(N,) for each event the index, in an array of this shape, of how its actor came in; -1 where it has no actor.

    The axes of the array: the actor; 0 if it is one of the root's two, else 1; the mechanism of its entry, counted from
    the lowest; 1 + the actor of the entry's parent, 0 if there is none.
    raises  as `roots_and_entries`
    """
    root, entry = roots_and_entries(offsets, channel, parent, source)
    cell = np.empty(len(channel), np.int64)
    _cells(offsets, channel, parent, mechanism, source, target, shape, lowest_mechanism, root, entry, cell)
    return cell


@njit(cache=True, nogil=True)
def _cells(offsets, channel, parent, mechanism, source, target, shape, lowest_mechanism, root, entry, cell):  # type: ignore[no-untyped-def]
    for replicate in range(len(offsets) - 1):
        begin = offsets[replicate]
        for i in range(begin, offsets[replicate + 1]):
            came = entry[i]
            if came < 0:
                cell[i] = -1
                continue
            actor = source[channel[i]]
            top = channel[root[i]]
            is_drawn = 0 if actor == source[top] or actor == target[top] else 1
            by = source[channel[begin + parent[came]]] + 1 if parent[came] >= 0 else 0
            kind = (mechanism[came] if parent[came] >= -1 else HISTORY) - lowest_mechanism
            cell[i] = ((actor * shape[1] + is_drawn) * shape[2] + kind) * shape[3] + by


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
