"""The simulation loop: keyed branching with gate thinning.

In: the `Tables` of a world, a seed's key, a range of replicates. Out: their events, in time order.

Candidates come from the background at its highest and from every accepted event; each is accepted at its own time
with probability (what it is worth then) / (its ceiling). That is exact for any modifier that depends on the past and
stays under its ceiling (superposition and thinning of Poisson processes); no intensity is ever tracked, so the cost
of an event does not grow with channels or links. Background candidates that only an open gate lets through are asleep
while it is shut (`strips`). `engine.md` in the documentation has the whole argument.
Sources: Hawkes & Oakes (1974), J. Appl. Prob. 11; Lewis & Shedler (1979), Nav. Res. Log. Q. 26; Ogata (1981),
IEEE Trans. Inf. Theory 27.
"""

# mypy: disable-error-code="assignment,no-any-return"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import BACKGROUND, SCHEDULED, TIMER, TWO_WAITS, Floats, Ints
from powderkeg.engine.compiled import inlined, loop
from powderkeg.engine.draws import (
    CHOICE,
    COMPONENT,
    DELAY,
    EFFECT_COIN,
    FIRST,
    HISTORY_TAG,
    IMMIGRANT,
    LAYER,
    MARK,
    OFFSPRING,
    PHASE_TAG,
    REPLICATE,
    SCHEDULED_TAG,
    TIMER_TAG,
    child,
    draw,
    poisson,
)
from powderkeg.engine.elementary import exponential, logarithm
from powderkeg.engine.simulation.alias import pick
from powderkeg.engine.simulation.backgrounds import ASLEEP, earliest, from_stream, from_strip, key_of_next, wake
from powderkeg.engine.simulation.queue import (
    BUCKET,
    CHANNEL,
    ENTRY,
    EPOCH,
    IN_HEAP,
    MECHANISM,
    N_FREE,
    PARENT,
    PUSHED,
    WIDTH,
    Queue,
    advance,
    bucket_of,
    clear,
    pop,
)
from powderkeg.engine.simulation.state import Clock, InPhase, Places, in_phase, places, product, wait
from powderkeg.engine.simulation.tables import ADDS_CALM, HAS_EFFECTS, IS_CALMED, TableLayout

# Places in `control`, which the loop shares with the thread that watches it.
STOP = 0  # set to 1 from outside: return as soon as possible
DONE = 1  # replicates done so far, and a part of one
CANDIDATES = 2  # candidates considered so far
MOST_WAITING = 3  # candidates that may wait in the queue of one replicate: beyond them it has exploded
N_CONTROL = 4

# Why the loop returned.
FINISHED, STOPPED, FULL, NO_SLOTS = 0, 1, 2, 5
EXPLODED = 6  # within: this replicate


class Recorded(NamedTuple):
    """Where accepted events go, replicate after replicate: the columns of a `Chunk`."""

    time: Floats
    channel: NDArray[np.int32]
    parent: NDArray[np.int32]
    mechanism: NDArray[np.int16]
    key: NDArray[np.uint64]


@inlined
def begin_replicate(
    key0: Any, clock: Clock, at: TableLayout, ints: Ints, floats: Floats, state: Ints, state_f: Floats, to: Places
) -> None:
    """Nothing has happened yet; every fact is about to come to where it starts."""
    for i in range(at.n_facts + at.n_policies):
        state[to.epoch + i] = 0
    for i in range(at.n_calms):
        state_f[2 * i] = 0.0
        state_f[2 * i + 1] = clock.start
    for i in range(at.n_streams):
        state[to.stream_count + i] = 0
        state_f[to.stream_next + i] = np.inf
        rate = floats[at.background_rate + i]
        if rate > 0.0:
            k = key0 if i == 0 else child(key0, LAYER, ints[at.stream + 2 * i])
            state_f[to.stream_next + i] = clock.begin - logarithm(draw(child(k, IMMIGRANT, FIRST), DELAY)) / rate
    for i in range(at.n_strips):
        state_f[to.strip_next + i] = ASLEEP
    for i in range(at.n_facts):
        state[i] = -1
        state_f[to.stands_since + i] = clock.begin
        state[to.changing + 2 * i] = i
        state[to.changing + 2 * i + 1] = ints[at.fact + 3 * i]


@inlined
def _close_replicate(
    n_events: int, exploded: float, reached: float, at: TableLayout, ints: Ints, state: Ints, state_f: Floats,
    to: Places, result: Floats,
) -> None:  # fmt: skip
    """What is kept of a replicate beside its events."""
    n_cells = ints[at.fact + 3 * at.n_facts + 1]
    for s in range(at.n_facts):
        cell = ints[at.fact + 3 * s + 1] + state[s]
        result[3 + cell] += max(reached - state_f[to.stands_since + s], 0.0)
        result[3 + n_cells + cell] = min(result[3 + n_cells + cell], state_f[to.stands_since + s])
    result[0] = n_events
    result[1] = exploded
    result[2] = reached


@inlined
def turn_phase(
    now: float, phase: int, at: TableLayout, ints: Ints, calm_decay: int, floats: Floats, state: Ints, state_f: Floats,
    to: Places,
) -> int:  # fmt: skip
    """Phase `phase` begins: calms fade under the old one's rates up to now; returns how many facts it sets."""
    for i in range(at.n_calms):
        decay = floats[calm_decay + i]
        state_f[2 * i] *= exponential(-decay * (now - state_f[2 * i + 1]))
        state_f[2 * i + 1] = now
    first = ints[at.phase + 2 * phase + 1]
    n_changing = ints[at.phase + 2 * phase + 3] - first
    for i in range(n_changing):
        j = at.phase_set + 2 * (first + i)
        state[to.changing + 2 * i] = ints[j]
        state[to.changing + 2 * i + 1] = ints[j + 1]
    return n_changing


@inlined
def gated(
    worth: float, c: int, row: int, now: float, at: TableLayout, ints: Ints, floats: Floats, state: Ints,
    state_f: Floats, here: InPhase,
) -> float:  # fmt: skip
    """What a candidate of channel c is worth now, after the gates of its row and of its channel, and after calms."""
    ch = at.channel + 7 * c
    worth *= product(row, at.row_start, at.gate, here.factor, ints, floats, state)
    worth *= product(ints[ch + 1], at.row_start, at.gate, here.factor, ints, floats, state)
    if ints[ch + 3] & IS_CALMED:
        lowering = 0.0
        for i in range(ints[ch + 6], ints[ch + 13]):
            j = ints[at.calm_low + i]
            decay = floats[here.calm_decay + j]
            strength = floats[here.calm_strength + i]
            lowering += strength * state_f[2 * j] * exponential(-decay * (now - state_f[2 * j + 1]))
        worth *= exponential(-lowering)
    return worth


@inlined
def take_effect(
    c: int, key: Any, now: float, n_changing: int, at: TableLayout, ints: Ints, floats: Floats, state: Ints,
    state_f: Floats, to: Places, here: InPhase,
) -> int:  # fmt: skip
    """What an act of channel c does to facts, which it lists, and to calms; returns how many facts are listed."""
    ch = at.channel + 7 * c
    flags = ints[ch + 3]
    if flags & HAS_EFFECTS:
        i = ints[ch + 4]
        for n in range(ints[ch + 11] - i):
            chance = floats[here.chance + i + n]
            if chance >= 1.0 or draw(key, np.uint64(EFFECT_COIN + n)) < chance:
                j = at.effect + 2 * (i + n)
                state[to.changing + 2 * n_changing] = ints[j]
                state[to.changing + 2 * n_changing + 1] = ints[j + 1]
                n_changing += 1
    if flags & ADDS_CALM:
        for i in range(ints[ch + 5], ints[ch + 12]):
            j = ints[at.calm_add + i]
            decay = floats[here.calm_decay + j]
            state_f[2 * j] *= exponential(-decay * (now - state_f[2 * j + 1]))
            state_f[2 * j] += floats[here.calm_amount + i]
            state_f[2 * j + 1] = now
    return n_changing


@inlined
def timer_due(
    j: int, key: Any, now: float, at: TableLayout, ints: Ints, floats: Floats, clock: Clock, here: InPhase
) -> tuple[Any, float]:
    """Key and time of timer j, which starts now."""
    k = child(key, TIMER_TAG, j)
    mean = floats[here.timer_mean + j]
    if ints[at.timer + 3 * j + 2] != 0:
        return k, now + mean
    if clock.is_complete and now < clock.begin:
        # Known to have stood until the window begins, an exponential time starts afresh there.
        return k, clock.begin - logarithm(draw(k, DELAY)) * mean
    return k, now - logarithm(draw(k, DELAY)) * mean


@inlined
def is_timed_anew(s: int, level: int, at: TableLayout, ints: Ints) -> bool:
    """Whether fact s, put to the level at which it stands, has its time anew: if it lasts a fixed time. Where times are
    exponential that would change nothing."""
    j = at.timer_start + ints[at.fact + 3 * s + 1] + level
    return ints[j] != ints[j + 1] and ints[at.timer + 3 * ints[j] + 2] != 0


@inlined
def _start_timers(
    s: int, old: int, new: int, key: Any, now: float, me: int, at: TableLayout, ints: Ints, floats: Floats,
    state: Ints, to: Places, queue: Queue, clock: Clock, here: InPhase,
) -> None:  # fmt: skip
    """Fact s has come from level `old` to `new`: what is timed by that starts or stops."""
    fact = at.fact + 3 * s
    i = ints[at.timer_start + ints[fact + 1] + new]
    n_timed = ints[at.timer_start + ints[fact + 1] + new + 1] - i
    n_watching = ints[fact + 5] - ints[fact + 2]
    for timed in range(n_timed + n_watching):
        if timed < n_timed:
            k, when = timer_due(i + timed, key, now, at, ints, floats, clock, here)
            fires = ints[at.timer + 3 * (i + timed) + 1]
            watch = s
        else:
            q = ints[fact + 2] + timed - n_timed
            j = at.policy_holds + ints[at.policy + 4 * q]
            holds = ints[j + new] != 0
            if old >= 0 and holds == (ints[j + old] != 0):
                continue
            watch = at.n_facts + q
            state[to.epoch + watch] += 1
            if not holds:
                continue
            k = child(child(key, TIMER_TAG, ints[at.policy + 4 * q + 2]), TIMER_TAG, FIRST)
            fires = ints[at.policy + 4 * q + 1]
            when = max(now + floats[at.policy_f + 3 * q], floats[at.policy_f + 3 * q + 1], clock.begin)
            if when >= floats[at.policy_f + 3 * q + 2]:
                continue
        if when < clock.horizon and not (clock.is_complete and when < clock.begin):
            wait(queue, clock, when, k, -1 - watch, me, fires, np.int64(TIMER), state[to.epoch + watch])


@inlined
def _change_facts(
    n_changing: int, key: Any, now: float, me: int, at: TableLayout, ints: Ints, floats: Floats, state: Ints,
    state_f: Floats, to: Places, queue: Queue, clock: Clock, here: InPhase, result: Floats,
) -> bool:  # fmt: skip
    """Facts at hand change, and the days at their old levels are counted; False if the queue may be too small."""
    n_cells = ints[at.fact + 3 * at.n_facts + 1]
    for n in range(n_changing):
        s = state[to.changing + 2 * n]
        new = state[to.changing + 2 * n + 1]
        old = state[s]
        if old == new and not is_timed_anew(s, new, at, ints):
            continue
        if old >= 0 and now > clock.begin:
            cell = ints[at.fact + 3 * s + 1] + old
            since = state_f[to.stands_since + s]
            result[3 + cell] += now - since
            if since < now:  # what stood for no time at all was never so
                result[3 + n_cells + cell] = min(result[3 + n_cells + cell], since)
            state_f[to.stands_since + s] = now
        state[s] = new
        state[to.epoch + s] += 1
        if queue.counts[N_FREE] < at.n_timers + at.n_policies:
            return False
        _start_timers(s, old, new, key, now, me, at, ints, floats, state, to, queue, clock, here)
    return True


@inlined
def component(k: Any, m: int, fixed: int, at: TableLayout, ints: Ints, floats: Floats, kernel: int) -> int:
    """The kernel component of an answer by mechanism m: the entry's own, or one that is drawn."""
    if fixed >= 0:
        return fixed
    j = ints[at.kernel_start + m]
    j_last = ints[at.kernel_start + m + 1] - 1
    if j < j_last:
        u = draw(k, COMPONENT)
        while j < j_last and u >= floats[kernel + 2 * j]:
            j += 1
    return j


@inlined
def delay(k: Any, m: int, fixed: int, at: TableLayout, ints: Ints, floats: Floats, kernel: int) -> float:
    """Days until an answer by mechanism m comes. `fixed`: the kernel component that it is known to come by, or -1.

    Where answers build up, the first component is the second wait; who is not known to be in it yet has both before it.
    """
    first = ints[at.kernel_start + m]
    j = component(k, m, fixed, at, ints, floats, kernel)
    if floats[kernel + 2 * first] > TWO_WAITS and fixed != first:
        before = -logarithm(draw(k, COMPONENT)) * floats[kernel + 2 * first + 3]
        return float(before - logarithm(draw(k, DELAY)) * floats[kernel + 2 * first + 1])
    return float(-logarithm(draw(k, DELAY)) * floats[kernel + 2 * j + 1])


@inlined
def answer(
    row: int, n_rows: int, key: Any, since: float, me: int, at: TableLayout, ints: Ints, floats: Floats, entry: Ints,
    keep: Floats, queue: Queue, clock: Clock, here: InPhase, most_waiting: float,
) -> int:  # fmt: skip
    """Candidates that an act may be answered by, with a delay from `since`; what stands in the way, if anything."""
    for i in range(at.n_streams):
        e0 = ints[at.branch_start + row]
        n_entries = ints[at.branch_start + row + 1] - e0
        if n_entries > 0:
            k0 = key if i == 0 else child(key, LAYER, ints[at.stream + 2 * i])
            j = at.branch + 3 * row
            # So many that counting them would take long, or keeping them all the memory there is.
            if floats[j] * floats[j + 1] > 2.0 * most_waiting:
                return EXPLODED
            n_offspring = poisson(k0, floats[j], np.int64(floats[j + 1]), floats[j + 2])
            if len(queue.slot_time) - queue.counts[N_FREE] + n_offspring > most_waiting:
                return EXPLODED
            if queue.counts[N_FREE] < n_offspring:
                return NO_SLOTS
            for n in range(n_offspring):
                k = child(k0, OFFSPRING, n)
                e, share = pick(draw(k, CHOICE), e0, n_entries)
                if share >= keep[8 * e + 7]:
                    e = entry[8 * e + 4]
                m = entry[8 * e + 2]
                when = since + delay(k, m, entry[8 * e + 6], at, ints, floats, here.kernel)
                if when < clock.horizon:
                    wait(queue, clock, when, k, e, me, entry[8 * e + 1], m, FIRST)
        row += n_rows
    return FINISHED


@loop
def run(
    at: TableLayout, ints: Ints, floats: Floats, entry: Ints, keep: Floats, root: Any, first: int, done: int,
    n_replicates: int, begin: float, horizon: float, limit: int, is_complete: bool, result: Floats, state: Ints,
    state_f: Floats, queue: Queue, out: Recorded, control: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Simulate replicates `first + done` to `first + n_replicates - 1`. Returns how many are done now, and why no more.

    at .. keep      the parts of `Tables`
    result          (replicates, 3 + 2 * cells) events, 1 if exploded (at `limit` events, or with as many waiting as
                    may wait), day reached, days of the window at each level by cell, day of it on which each first
                    stood so, infinite where it never did
    state, state_f  what moves: see `Places`;  calms are an amount, and the day at which it was that
    out             events, from replicate `done` on
    """
    start = min(begin, floats[at.phase_time])
    clock = Clock(start, begin, horizon, len(queue.head) / (horizon - start), len(queue.head), is_complete)
    to = places(at)
    n_out = 0
    clear(queue.counts, queue.slot, queue.head)
    for r in range(done, n_replicates):
        if control[STOP] != 0.0:
            return r, STOPPED
        key0 = child(root, REPLICATE, first + r)
        queue.counts[BUCKET] = 0
        queue.counts[PUSHED] = 0
        phase, n_candidates, base_out, i_act, i_past = 0, 0, n_out, 0, 0
        exploded, reached = 0.0, horizon
        n_cells = ints[at.fact + 3 * at.n_facts + 1]
        for i in range(n_cells):
            result[r, 3 + i] = 0.0
            result[r, 3 + n_cells + i] = np.inf
        begin_replicate(key0, clock, at, ints, floats, state, state_f, to)
        stream = earliest(at, state_f, to)
        here = in_phase(at, floats, phase)
        now, key, n_changing, c, parent, mechanism, me = start, key0, at.n_facts, -1, -1, BACKGROUND, -1
        is_start = turns = True
        while True:
            if not is_start:
                # What comes next: a phase, a past event, an act put in by hand, a background candidate,
                # or what the queue holds.
                until = min(min(state_f[to.stream_next + stream], horizon), here.upcoming)
                if i_act < at.n_acts:
                    until = min(until, floats[at.act_time + i_act])
                if i_past < at.n_past:
                    until = min(until, floats[at.past_time + i_past])
                if queue.counts[IN_HEAP] == 0:
                    advance(
                        queue.counts, queue.slot_time, queue.slot_key, queue.slot, queue.heap_time, queue.heap_slot,
                        queue.head, bucket_of(until, start, clock.per_day, clock.n_buckets),
                    )  # fmt: skip
                # What it is. A candidate has a worth before gates, a gate row, and the marks it may have.
                c, parent, mechanism, n_changing = -1, -1, BACKGROUND, 0
                is_candidate, worth, low, width, row = False, 0.0, 0.0, 0.0, 0
                if queue.counts[IN_HEAP] > 0 and queue.heap_time[0] < until:
                    s = pop(queue.counts, queue.slot_key, queue.slot, queue.heap_time, queue.heap_slot)
                    now = queue.slot_time[s]
                    key = queue.slot_key[s]
                    e = queue.slot[WIDTH * s + ENTRY]
                    c = queue.slot[WIDTH * s + CHANNEL]
                    parent = queue.slot[WIDTH * s + PARENT]
                    mechanism = queue.slot[WIDTH * s + MECHANISM]
                    if e >= 0:
                        n_candidates += 1
                        if entry[8 * e + 5] == 0:
                            is_candidate, worth, row = True, floats[here.mass + entry[8 * e]], entry[8 * e + 3]
                            low, width = floats[at.entry_f + 2 * e], floats[at.entry_f + 2 * e + 1]
                    elif mechanism == BACKGROUND:
                        n_candidates += 1
                        if n_candidates & 65535 == 0 and control[STOP] != 0.0:
                            return r, STOPPED
                        c, row, is_candidate, worth, low, width = from_strip(
                            -1 - e, now, key, key0, at, ints, floats, state, state_f, to, queue, clock, here
                        )
                    elif queue.slot[WIDTH * s + EPOCH] != state[to.epoch - 1 - e]:
                        continue
                elif until >= horizon:
                    break
                elif here.upcoming <= until:
                    now, me = until, -1
                    phase += 1
                    turns = True
                    key = child(key0, PHASE_TAG, ints[at.phase + 2 * phase])
                    n_changing = turn_phase(now, phase, at, ints, here.calm_decay, floats, state, state_f, to)
                    here = in_phase(at, floats, phase)
                elif i_past < at.n_past and floats[at.past_time + i_past] <= until:
                    now, c, parent = until, ints[at.past + 2 * i_past], -2 - i_past
                    key = child(child(key0, HISTORY_TAG, c), HISTORY_TAG, ints[at.past + 2 * i_past + 1])
                    i_past += 1
                elif i_act < at.n_acts and floats[at.act_time + i_act] <= until:
                    now, c, mechanism = until, ints[at.act + 2 * i_act], SCHEDULED
                    key = child(child(key0, SCHEDULED_TAG, c), SCHEDULED_TAG, ints[at.act + 2 * i_act + 1])
                    i_act += 1
                else:
                    now = until
                    n_candidates += 1
                    if n_candidates & 65535 == 0 and control[STOP] != 0.0:
                        return r, STOPPED
                    key = key_of_next(stream, key0, at, ints, state, to)
                    c, row, is_candidate, worth, low, width = from_stream(
                        stream, now, key, key0, at, ints, floats, state, state_f, to, here
                    )
                    stream = earliest(at, state_f, to)
                # Does it happen? Read before the event moves the state: no event opens its own gate.
                if is_candidate:
                    worth = gated(worth, c, row, now, at, ints, floats, state, state_f, here)
                    if worth < low + width and low + width * draw(key, MARK) >= worth:
                        continue
                if c >= 0:
                    # It happens. What came before the window, given or latent, moves the state but is not recorded.
                    me = parent
                    if now >= begin:
                        me = n_out - base_out
                        if n_out == len(out.time):
                            return r, FULL
                        out.time[n_out] = now
                        out.channel[n_out] = c
                        out.parent[n_out] = parent
                        out.mechanism[n_out] = mechanism
                        out.key[n_out] = key
                        n_out += 1
                        if me & 1023 == 1023:
                            control[DONE] = r + (now - start) / (horizon - start)
                            if control[STOP] != 0.0:
                                return r, STOPPED
                    n_changing = take_effect(c, key, now, n_changing, at, ints, floats, state, state_f, to, here)
            if not _change_facts(
                n_changing, key, now, me, at, ints, floats, state, state_f, to, queue, clock, here, result[r]
            ):
                return r, NO_SLOTS
            if at.n_groups > 0 and not wake(
                turns, n_changing, now, key0, at, ints, floats, state, state_f, to, queue, clock, here
            ):
                return r, NO_SLOTS
            turns = False
            is_start = False
            if c < 0:
                continue
            # It is answered, with a delay from now; a past event by what is left of that when the window begins.
            row, n_rows, since = c, at.n_channels, now
            if now < begin:
                if parent > -2 or mechanism == TIMER:
                    continue
                row, n_rows, since = at.n_streams * at.n_channels + (-2 - parent), at.n_past, begin
            elif n_out - base_out >= limit:
                exploded, reached = 1.0, now
                break
            why = answer(
                row, n_rows, key, since, me, at, ints, floats, entry, keep, queue, clock, here, control[MOST_WAITING]
            )
            if why == NO_SLOTS:
                return r, NO_SLOTS
            if why == EXPLODED:
                exploded, reached = 1.0, now
                break

        _close_replicate(n_out - base_out, exploded, reached, at, ints, state, state_f, to, result[r])
        control[DONE] = r + 1
        control[CANDIDATES] += n_candidates
        if exploded != 0.0:
            clear(queue.counts, queue.slot, queue.head)
    return n_replicates, FINISHED
