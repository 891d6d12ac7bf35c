"""Candidates that wait for their time: a queue that gives them back in order.

In: candidates (time, key and five numbers). Out: always the earliest; at equal times the one with the smaller key.
A row of buckets over the window holds what is far off, unsorted; a binary heap holds the bucket at hand. With about
one candidate a bucket both are O(1); with all of them in one bucket it is an ordinary heap. The order that comes out
does not depend on the number of buckets.

A queue is seven arrays, made outside and never replaced inside a loop: growing them where they are used makes Numba
count references at every step, which cost 0.2 to 1.3 microseconds an event. Whoever runs out of slots starts the
replicate again with more; its draws are the same.

    counts     (5,) int64, see below
    slot_time, slot_key, slot   what waits; `slot` has WIDTH numbers each; free ones are chained by NEXT
    heap_time, heap_slot        the heap
    head       (buckets,) first slot of each bucket, or -1
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import anywhere, inner

# Places in a row of `slot`.
NEXT = 0  # written without its name below: it is the first
ENTRY = 1
PARENT = 2
CHANNEL = 3
MECHANISM = 4
EPOCH = 5
WIDTH = 6

# Places in `count`.
FREE = 0  # first free slot
N_FREE = 1
IN_HEAP = 2
BUCKET = 3  # the bucket at hand; all that is in it or before it is in the heap
PUSHED = 4  # candidates pushed since the count was last set to 0


class Queue(NamedTuple):
    """The arrays of a queue, as above."""

    counts: Ints
    slot_time: Floats
    slot_key: NDArray[np.uint64]
    slot: Ints
    heap_time: Floats
    heap_slot: Ints
    head: Ints


@anywhere
def clear(count, slot, head):  # type: ignore[no-untyped-def]
    """Forget every candidate."""
    for i in range(len(slot) // WIDTH):
        slot[WIDTH * i] = i + 1
    count[FREE] = 0
    count[N_FREE] = len(slot) // WIDTH
    count[IN_HEAP] = 0
    for i in range(len(head)):
        head[i] = -1


@inner
def bucket_of(time, start, per_day, n):  # type: ignore[no-untyped-def]
    """Bucket of a time; never falls as time rises."""
    return min(np.int64((time - start) * per_day), n - 1)


@inner
def heap_push(n, time, s, slot_key, heap_time, heap_slot):  # type: ignore[no-untyped-def]
    """Put slot `s` into a heap of `n`."""
    i = n
    while i > 0:
        up = (i - 1) >> 1
        if time > heap_time[up] or (time == heap_time[up] and slot_key[s] >= slot_key[heap_slot[up]]):
            break
        heap_time[i] = heap_time[up]
        heap_slot[i] = heap_slot[up]
        i = up
    heap_time[i] = time
    heap_slot[i] = s


@inner
def heap_pop(n, slot_key, heap_time, heap_slot):  # type: ignore[no-untyped-def]
    """Take the top off a heap of `n`: afterwards it holds n - 1."""
    n -= 1
    time = heap_time[n]
    s = heap_slot[n]
    i = 0
    while True:
        down = 2 * i + 1
        if down >= n:
            break
        if down + 1 < n and (
            heap_time[down + 1] < heap_time[down]
            or (heap_time[down + 1] == heap_time[down] and slot_key[heap_slot[down + 1]] < slot_key[heap_slot[down]])
        ):
            down += 1
        if time < heap_time[down] or (time == heap_time[down] and slot_key[s] <= slot_key[heap_slot[down]]):
            break
        heap_time[i] = heap_time[down]
        heap_slot[i] = heap_slot[down]
        i = down
    heap_time[i] = time
    heap_slot[i] = s


@inner
def push(  # type: ignore[no-untyped-def]
    count, slot_time, slot_key, slot, heap_time, heap_slot, head, bucket,
    time, key, entry, parent, channel, mechanism, epoch,
):  # fmt: skip
    """Add a candidate. There must be a free slot; `bucket` is `bucket_of(time, ...)`."""
    s = count[FREE]
    count[FREE] = slot[WIDTH * s]
    count[N_FREE] -= 1
    count[PUSHED] += 1
    slot_time[s] = time
    slot_key[s] = key
    slot[WIDTH * s + ENTRY] = entry
    slot[WIDTH * s + PARENT] = parent
    slot[WIDTH * s + CHANNEL] = channel
    slot[WIDTH * s + MECHANISM] = mechanism
    slot[WIDTH * s + EPOCH] = epoch
    if bucket <= count[BUCKET]:
        heap_push(count[IN_HEAP], time, s, slot_key, heap_time, heap_slot)
        count[IN_HEAP] += 1
    else:
        slot[WIDTH * s] = head[bucket]
        head[bucket] = s


@inner
def advance(count, slot_time, slot_key, slot, heap_time, heap_slot, head, until):  # type: ignore[no-untyped-def]
    """With an empty heap: bring buckets up to number `until` into it, stopping at the first that holds anything.

    Afterwards the heap's top, if there is one, is the earliest of all candidates in buckets up to `until`.
    """
    bucket = count[BUCKET]
    n = 0
    while n == 0 and bucket < until:
        bucket += 1
        s = head[bucket]
        head[bucket] = -1
        while s >= 0:
            heap_push(n, slot_time[s], s, slot_key, heap_time, heap_slot)
            n += 1
            s = slot[WIDTH * s]
    count[BUCKET] = bucket
    count[IN_HEAP] = n


@inner
def pop(count, slot_key, slot, heap_time, heap_slot):  # type: ignore[no-untyped-def]
    """Slot of the earliest candidate in the heap, which must not be empty.

    The slot is free again at once; its numbers can be read until the next push.
    """
    s = heap_slot[0]
    heap_pop(count[IN_HEAP], slot_key, heap_time, heap_slot)
    count[IN_HEAP] -= 1
    slot[WIDTH * s] = count[FREE]
    count[FREE] = s
    count[N_FREE] += 1
    return s
