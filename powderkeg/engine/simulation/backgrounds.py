"""Background candidates as the simulation draws them: streams that never rest, strips that sleep while they can.

In: the `Tables`, the state of a replicate. Out: the next candidate of a stream or strip, and what it proposes. Why
strips may sleep, and how they are cut: `strips`.
"""

# mypy: disable-error-code="assignment,no-any-return"

from __future__ import annotations

from typing import Any

import numpy as np

from powderkeg.engine.arrays import BACKGROUND, Floats, Ints
from powderkeg.engine.compiled import inlined, inner
from powderkeg.engine.draws import CHOICE, DELAY, FIRST, IMMIGRANT, LAYER, STRIP, child, draw
from powderkeg.engine.elementary import cosine_of_turns, logarithm
from powderkeg.engine.simulation.alias import pick
from powderkeg.engine.simulation.queue import N_FREE, Queue
from powderkeg.engine.simulation.state import Clock, InPhase, Places, product, wait
from powderkeg.engine.simulation.tables import TableLayout
from powderkeg.units import YEAR

ASLEEP = -np.inf
"""When the next candidate is due of a strip that has none in the queue."""
SLACK = 1.0 + 1e-9
"""What a state reaches is rounded up: a strip may be looked at in vain, never missed."""


@inner
def shape(time, first, end, step, season, floats):  # type: ignore[no-untyped-def]
    """Background profile: the last step at or before `time`, times the season."""
    i = first
    while i + 1 < end and floats[step + 2 * i + 2] <= time:
        i += 1
    value = floats[step + 2 * i + 1]
    if floats[season] != 0.0:
        value *= 1.0 + floats[season] * cosine_of_turns((time - floats[season + 1]) / YEAR)
    return value


@inlined
def earliest(at: TableLayout, state_f: Floats, to: Places) -> int:
    """The stream whose next background candidate is due first."""
    stream = 0
    for i in range(1, at.n_streams):
        if state_f[to.stream_next + i] < state_f[to.stream_next + stream]:
            stream = i
    return stream


@inlined
def propose(
    now: float, key: Any, first: int, end: int, at: TableLayout, ints: Ints, floats: Floats, here: InPhase
) -> tuple[int, bool, float, float, float]:
    """A candidate of backgrounds first .. end - 1: (channel, whether it is tried, worth before gates, its marks)."""
    j, share = pick(draw(key, CHOICE), first, end - first)
    if share >= floats[at.background_f + 3 * j]:
        j = ints[at.background + 3 * j + 1]
    c = ints[at.background + 3 * j]
    if ints[at.background + 3 * j + 2] != 0:
        return c, False, 0.0, 0.0, 0.0
    worth = floats[here.rate + c]
    p = ints[at.channel + 7 * c + 2]
    if p >= 0:
        worth *= shape(
            now, ints[at.profile_start + p], ints[at.profile_start + p + 1], here.step, here.season + 2 * p, floats
        )
    return c, True, worth, floats[at.background_f + 3 * j + 1], floats[at.background_f + 3 * j + 2]


@inlined
def key_of_next(stream: int, key0: Any, at: TableLayout, ints: Ints, state: Ints, to: Places) -> Any:
    """Key of the background candidate of a stream that is due next."""
    k = key0 if stream == 0 else child(key0, LAYER, ints[at.stream + 2 * stream])
    return child(k, IMMIGRANT, state[to.stream_count + stream])


@inlined
def from_stream(
    stream: int, now: float, key: Any, key0: Any, at: TableLayout, ints: Ints, floats: Floats, state: Ints,
    state_f: Floats, to: Places, here: InPhase,
) -> tuple[int, int, bool, float, float, float]:  # fmt: skip
    """The candidate of a stream that is due now, with its gate row; see `propose`. The one after it is set."""
    j = at.stream + 2 * stream
    c, is_candidate, worth, low, width = propose(now, key, ints[j + 1], ints[j + 3], at, ints, floats, here)
    state[to.stream_count + stream] += 1
    k = key_of_next(stream, key0, at, ints, state, to)
    state_f[to.stream_next + stream] = now - logarithm(draw(k, DELAY)) / floats[at.background_rate + stream]
    return c, ints[at.channel + 7 * c], is_candidate, worth, low, width


@inlined
def next_of_strip(
    i: int, after: float, key0: Any, at: TableLayout, ints: Ints, floats: Floats, state: Ints, state_f: Floats,
    to: Places, queue: Queue, clock: Clock,
) -> None:  # fmt: skip
    """Strip i's next candidate after `after` waits in the queue, which has room for it.

    Every block of time has candidates of its own, counted from its beginning: they are the same whenever one looks.
    """
    days = floats[at.strip_f + 3 * i + 2]
    when = state_f[to.strip_next + i]
    block, n = state[to.strip + 2 * i], state[to.strip + 2 * i + 1] + 1
    if when == ASLEEP:
        block, n = np.int64((after - clock.begin) / days), FIRST
        while clock.begin + block * days > after:
            block -= 1
        when = clock.begin + block * days
    strip = child(key0, STRIP, ints[at.strip + 3 * i + 1])
    k0 = child(strip, STRIP, block)
    while True:
        k = child(k0, IMMIGRANT, n)
        when -= logarithm(draw(k, DELAY)) / floats[at.strip_f + 3 * i + 1]
        end = clock.begin + (block + 1) * days
        if when >= end:
            when = end
            if end >= clock.horizon:
                break
            block, n = block + 1, FIRST
            k0 = child(strip, STRIP, block)
        elif when > after:
            break
        else:
            n += 1
    state[to.strip + 2 * i] = block
    state[to.strip + 2 * i + 1] = n
    state_f[to.strip_next + i] = when
    if when < clock.horizon:
        wait(queue, clock, when, k, -1 - i, -1, FIRST, np.int64(BACKGROUND), FIRST)


@inlined
def from_strip(
    i: int, now: float, key: Any, key0: Any, at: TableLayout, ints: Ints, floats: Floats, state: Ints, state_f: Floats,
    to: Places, queue: Queue, clock: Clock, here: InPhase,
) -> tuple[int, int, bool, float, float, float]:  # fmt: skip
    """The candidate of strip i that is due now, as `from_stream`; out of the state's reach it falls asleep."""
    j = at.strip + 3 * i
    c, is_candidate, worth, low, width = propose(now, key, ints[j + 2], ints[j + 5], at, ints, floats, here)
    if state_f[to.reaches + ints[j]] > floats[at.strip_f + 3 * i]:
        next_of_strip(i, now, key0, at, ints, floats, state, state_f, to, queue, clock)
    else:
        state_f[to.strip_next + i] = ASLEEP
    return c, ints[at.channel + 7 * c], is_candidate, worth, low, width


@inlined
def wake(
    whole: bool, n_changed: int, now: float, key0: Any, at: TableLayout, ints: Ints, floats: Floats, state: Ints,
    state_f: Floats, to: Places, queue: Queue, clock: Clock, here: InPhase,
) -> bool:  # fmt: skip
    """Strips that the state reaches now have a candidate in the queue; False if that is too small.

    Looked at are the groups that look at one of the facts at hand, or the whole of them.
    """
    for n in range(1 if whole else n_changed):
        first, end = FIRST, at.n_groups
        if not whole:
            s = state[to.changing + 2 * n]
            first, end = ints[at.fact_group_start + s], ints[at.fact_group_start + s + 1]
        for i in range(first, end):
            g = i if whole else ints[at.fact_group + i]
            group = at.group + 3 * g
            reaches = floats[here.most + g]
            reaches *= product(ints[group], at.row_start, at.gate, here.factor, ints, floats, state)
            reaches *= product(ints[group + 1], at.row_start, at.gate, here.factor, ints, floats, state)
            reaches *= SLACK
            state_f[to.reaches + g] = reaches
            for strip in range(ints[group + 2], ints[group + 5]):
                if reaches <= floats[at.strip_f + 3 * strip]:
                    break
                if state_f[to.strip_next + strip] == ASLEEP:
                    if queue.counts[N_FREE] == 0:
                        return False
                    next_of_strip(
                        strip, max(now, clock.begin), key0, at, ints, floats, state, state_f, to, queue, clock
                    )
    return True
