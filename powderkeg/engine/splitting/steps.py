"""The steps of a copy that a plain simulation does not have: it goes on from an entry, keeps what timers and policies
wait for, is told how far it has come, and hands on what it has reached.

In: one row of an entry, or what moves. Out: the same arrays, changed. All stand in the loop of `copies`.
"""

# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

import math
from typing import Any

import numpy as np

from powderkeg.engine.arrays import HISTORY, TWO_WAITS, Floats, Ints
from powderkeg.engine.compiled import inlined, inner
from powderkeg.engine.draws import (
    CHOICE,
    COMPONENT,
    DELAY,
    EFFECT_COIN,
    FIRST,
    HISTORY_TAG,
    LARGEST_MEAN,
    LAYER,
    LEFT,
    OFFSPRING,
    TIMER_TAG,
    child,
    draw,
    poisson,
)
from powderkeg.engine.elementary import exponential, logarithm
from powderkeg.engine.simulation.alias import pick
from powderkeg.engine.simulation.queue import FREE, IN_HEAP, N_FREE, WIDTH, Queue
from powderkeg.engine.simulation.state import Clock, InPhase, Places, wait
from powderkeg.engine.simulation.tables import TableLayout
from powderkeg.engine.simulation.thinning import component, is_timed_anew, timer_due
from powderkeg.engine.splitting.layout import (
    DAY,
    I_ACT,
    N_HISTORY,
    ORIGIN,
    PHASE,
    SCORE,
    CopyEvents,
    Entrances,
    EntryPlaces,
    Levels,
    Reached,
    Task,
)

FORGOTTEN = 1e-12
"""Past events with less than this to be expected of them bear nothing more."""


@inlined
def forget_queue(queue: Queue) -> None:
    """Free what the copy before left in the queue."""
    for i in range(queue.counts[IN_HEAP]):
        s = queue.heap_slot[i]
        queue.slot[WIDTH * s] = queue.counts[FREE]
        queue.counts[FREE] = s
    queue.counts[N_FREE] += queue.counts[IN_HEAP]
    queue.counts[IN_HEAP] = 0


@inlined
def begin_copy(copy: int, begin: float, at: TableLayout, state: Ints, state_f: Floats, of: EntryPlaces) -> None:
    """An entry before anything has happened; levels and calms stand as a replicate of `run` begins."""
    for i in range(of.fact_phase, of.end):
        state[i] = 0
    for i in range(at.n_facts):
        state[of.fact_by + i] = -1
    for i in range(of.since, of.end_f):
        state_f[i] = begin
    state[of.end + ORIGIN] = copy


@inlined
def take_up(e: int, given: Entrances, state: Ints, state_f: Floats, told: CopyEvents) -> int:
    """Entry e becomes the copy at hand; returns how many events it has had, -1 if there is no room for them."""
    first = given.start[e]
    n = given.start[e + 1] - first
    if n >= len(told.time):
        return -1
    for i in range(given.ints.shape[1]):
        state[i] = given.ints[e, i]
    for i in range(given.floats.shape[1]):
        state_f[i] = given.floats[e, i]
    for i in range(n):
        told.time[i] = given.time[first + i]
        told.channel[i] = given.channel[first + i]
        told.parent[i] = given.parent[first + i]
        told.mechanism[i] = given.mechanism[first + i]
        told.done[i] = given.done[first + i]
    return n


@inlined
def timers_go_on(
    key0: Any, now: float, at: TableLayout, ints: Ints, floats: Floats, state: Ints, state_f: Floats, of: EntryPlaces,
    queue: Queue, clock: Clock,
) -> bool:  # fmt: skip
    """Timers go on: without age if exponential, else when they were to fire. False if the queue may be too small."""
    if queue.counts[N_FREE] < at.n_timers + at.n_policies:
        return False
    for s in range(at.n_facts):
        cell = ints[at.fact + 3 * s + 1] + state[s]
        for j in range(ints[at.timer_start + cell], ints[at.timer_start + cell + 1]):
            if state[of.timer_runs + j] == 0:
                continue
            k = child(key0, TIMER_TAG, j)
            mean = floats[at.timer_mean + state[of.fact_phase + s] * at.n_timers + j]
            if ints[at.timer + 3 * j + 2] != 0:
                when = state_f[of.since + s] + mean
            else:
                when = now - logarithm(draw(k, DELAY)) * mean
            if when < clock.horizon:
                wait(queue, clock, when, k, -1 - s, state[of.fact_by + s], ints[at.timer + 3 * j + 1], j, FIRST)
    for q in range(at.n_policies):
        if state[of.policy_waits + q] == 0:
            continue
        when = max(state_f[of.policy_since + q] + floats[at.policy_f + 3 * q], floats[at.policy_f + 3 * q + 1])
        if when < min(clock.horizon, floats[at.policy_f + 3 * q + 2]):
            k = child(child(key0, TIMER_TAG, ints[at.policy + 4 * q + 2]), TIMER_TAG, FIRST)
            fires, me = ints[at.policy + 4 * q + 1], state[of.policy_by + q]
            wait(queue, clock, when, k, -1 - (at.n_facts + q), me, fires, FIRST, FIRST)
    return True


@inlined
def answers_go_on(
    key0: Any, now: float, phase: int, n_told: int, slowest: float, at: TableLayout, ints: Ints, floats: Floats,
    entry: Ints, keep: Floats, task: Task, told: CopyEvents, queue: Queue, clock: Clock,
) -> bool:  # fmt: skip
    """What past events still have in store, drawn anew; False if the queue is too small."""
    p = phase
    for h in range(n_told - 1, -1, -1):
        age = now - told.time[h]
        if task.most * task.late * exponential(-slowest * age) < FORGOTTEN:
            break
        while p > 0 and floats[at.phase_time + p] > told.time[h]:
            p -= 1
        slow = task.slow[p, told.channel[h]]
        left = min(task.late * exponential(-slow * age), 1.0)
        if task.most * left < FORGOTTEN:
            continue
        kernel = at.kernel + p * at.n_kernel
        c = np.int64(told.channel[h])
        if not _still_answers(
            child(key0, HISTORY_TAG, h), h, c, now, age, left, kernel, at, ints, floats, entry, keep, queue, clock
        ):
            return False
    return True


@inlined
def _still_answers(
    k_h: Any, h: int, c: int, now: float, age: float, left: float, kernel: int, at: TableLayout,
    ints: Ints, floats: Floats, entry: Ints, keep: Floats, queue: Queue, clock: Clock,
) -> bool:  # fmt: skip
    """What event h of channel c still has in store. Proposed as if `left` of all were still to come."""
    for i in range(at.n_streams):
        row = c + i * at.n_channels
        e0 = ints[at.branch_start + row]
        n_row = ints[at.branch_start + row + 1] - e0
        if n_row == 0:
            continue
        mean = left * floats[at.branch + 3 * row] * floats[at.branch + 3 * row + 1]
        if mean < FORGOTTEN:
            continue
        k0 = k_h if i == 0 else child(k_h, LAYER, ints[at.stream + 2 * i])
        parts = max(np.int64(math.ceil(mean / LARGEST_MEAN)), 1)
        n_born = poisson(k0, mean / parts, parts, exponential(-mean / parts))
        if queue.counts[N_FREE] < n_born:
            return False
        for n in range(n_born):
            k = child(k0, OFFSPRING, n)
            e, share = pick(draw(k, CHOICE), e0, n_row)
            if share >= keep[8 * e + 7]:
                e = entry[8 * e + 4]
            m = entry[8 * e + 2]
            when = now + _rest(k, m, entry[8 * e + 6], age, left, kernel, at, ints, floats)
            if when < clock.horizon:
                wait(queue, clock, when, k, e, h, entry[8 * e + 1], m, FIRST)
    return True


@inlined
def _rest(
    k: Any, m: int, fixed: int, age: float, left: float, kernel: int, at: TableLayout, ints: Ints, floats: Floats,
) -> float:  # fmt: skip
    """Days until an answer by mechanism m that was not there after `age` days, proposed with chance `left`; inf if it
    was. Where answers build up, one that is still to come waits twice, or, its first wait over, once."""
    u = draw(k, LEFT) * left
    first = ints[at.kernel_start + m]
    share = floats[kernel + 2 * first]
    slow = floats[kernel + 2 * first + 1]
    if share > TWO_WAITS and fixed != first:
        fast = floats[kernel + 2 * first + 3]
        both = exponential(-age / fast)
        if u >= share * exponential(-age / slow) - (share - 1.0) * both:
            return np.inf
        before = -logarithm(draw(k, COMPONENT)) * fast if u < both else 0.0
        return before - logarithm(draw(k, DELAY)) * slow
    days = floats[kernel + 2 * component(k, m, fixed, at, ints, floats, kernel) + 1]
    if u >= exponential(-age / days):
        return np.inf
    return -logarithm(draw(k, DELAY)) * days


@inlined
def came_about(c: int, key: Any, at: TableLayout, ints: Ints, floats: Floats, here: InPhase) -> int:
    """Bit n: the n-th effect of this act of channel c came about."""
    i = ints[at.channel + 7 * c + 4]
    done = np.int64(0)
    for n in range(ints[at.channel + 7 * c + 11] - i):
        chance = floats[here.chance + i + n]
        if chance >= 1.0 or draw(key, np.uint64(EFFECT_COIN + n)) < chance:
            done |= np.int64(1) << np.int64(min(n, 62))
    return done


@inlined
def change_facts(
    n_changing: int, key: Any, now: float, phase: int, me: int, is_real: bool, at: TableLayout, ints: Ints,
    floats: Floats, state: Ints, state_f: Floats, to: Places, of: EntryPlaces, queue: Queue, clock: Clock,
    here: InPhase,
) -> bool:  # fmt: skip
    """Facts at hand change; False if the queue may be too small. What is not real starts no timer."""
    for n in range(n_changing):
        s = state[to.changing + 2 * n]
        new = state[to.changing + 2 * n + 1]
        old = state[s]
        if old == new and not is_timed_anew(s, new, at, ints):
            continue
        if queue.counts[N_FREE] < at.n_timers + at.n_policies:
            return False
        if old >= 0:
            cell = ints[at.fact + 3 * s + 1] + old
            for j in range(ints[at.timer_start + cell], ints[at.timer_start + cell + 1]):
                state[of.timer_runs + j] = 0
        state[s] = new
        state[of.fact_phase + s] = phase
        state[of.fact_by + s] = me
        state_f[of.since + s] = now
        state[to.epoch + s] += 1
        cell = ints[at.fact + 3 * s + 1] + new
        for j in range(ints[at.timer_start + cell], ints[at.timer_start + cell + 1]):
            state[of.timer_runs + j] = 1
            k, when = timer_due(j, key, now, at, ints, floats, clock, here)
            if when < clock.horizon and is_real:
                wait(queue, clock, when, k, -1 - s, me, ints[at.timer + 3 * j + 1], j, state[to.epoch + s])
        _start_policies(s, old, new, key, now, me, is_real, at, ints, floats, state, state_f, to, of, queue, clock)
    return True


@inlined
def _start_policies(
    s: int, old: int, new: int, key: Any, now: float, me: int, is_real: bool, at: TableLayout, ints: Ints,
    floats: Floats, state: Ints, state_f: Floats, to: Places, of: EntryPlaces, queue: Queue, clock: Clock,
) -> None:  # fmt: skip
    """Fact s has come from level `old` to `new`: policies that watch it begin to wait, or no longer do."""
    for q in range(ints[at.fact + 3 * s + 2], ints[at.fact + 3 * s + 5]):
        j = at.policy_holds + ints[at.policy + 4 * q]
        holds = ints[j + new] != 0
        if old >= 0 and holds == (ints[j + old] != 0):
            continue
        watch = at.n_facts + q
        state[to.epoch + watch] += 1
        state[of.policy_waits + q] = 0
        if not holds:
            continue
        state[of.policy_waits + q] = 1
        state[of.policy_by + q] = me
        state_f[of.policy_since + q] = now
        k = child(child(key, TIMER_TAG, ints[at.policy + 4 * q + 2]), TIMER_TAG, FIRST)
        when = max(now + floats[at.policy_f + 3 * q], floats[at.policy_f + 3 * q + 1])
        if when < min(clock.horizon, floats[at.policy_f + 3 * q + 2]) and is_real:
            wait(queue, clock, when, k, -1 - watch, me, ints[at.policy + 4 * q + 1], FIRST, state[to.epoch + watch])


@inlined
def is_counted(n: int, c: int, mechanism: int, levels: Levels) -> bool:
    """Whether an event of channel c, born of this mechanism, counts for level n."""
    return (levels.touches[c] >> n) & 1 != 0 and levels.via[n, mechanism - HISTORY]


@inner
def _is_met(
    n: int, c: int, mechanism: int, now: float, levels: Levels, state: Ints, came: int, n_told: int, told: CopyEvents,
    seen: Ints,
) -> bool:  # fmt: skip
    """Whether level n is reached just now, by an event of channel c, or with c < 0 by facts that changed."""
    for i in range(levels.fact_start[n], levels.fact_start[n + 1]):
        if not levels.allowed[i, state[levels.fact[i]]]:
            return False
    if levels.count[n] == 0:
        return True
    if c < 0 or not is_counted(n, c, mechanism, levels):
        return False
    if levels.group[n, c] < 0 and levels.within[n] == np.inf:
        return state[came + n] >= levels.count[n]
    found = 0
    i = n_told - 1
    while i >= 0 and told.time[i] >= now - levels.within[n] and found < levels.count[n]:
        if is_counted(n, told.channel[i], told.mechanism[i], levels):
            g = levels.group[n, told.channel[i]]
            if g < 0:
                found += 1
            elif seen[g] == 0:
                seen[g] = 1
                found += 1
        i -= 1
    for k in range(i + 1, n_told):
        g = levels.group[n, told.channel[k]]
        if g >= 0:
            seen[g] = 0
    return found >= levels.count[n]


@inlined
def look_how_far(
    c: int, mechanism: int, now: float, is_new: bool, levels: Levels, state: Ints, of: EntryPlaces, n_told: int,
    told: CopyEvents, seen: Ints,
) -> None:  # fmt: skip
    """How far has it come, by an event of channel c or, with c < 0, by facts? `is_new`: facts may have changed."""
    for n in range(len(levels.count) - 1, state[of.end + SCORE] - 1, -1):
        is_touched = c >= 0 and (levels.touches[c] >> n) & 1 != 0
        if (is_touched or (is_new and levels.count[n] == 0)) and _is_met(
            n, c, mechanism, now, levels, state, of.came, n_told, told, seen
        ):
            state[of.end + SCORE] = n + 1
            break


@inlined
def close_entry(
    phase: int, i_act: int, n_told: int, now: float, state: Ints, state_f: Floats, of: EntryPlaces
) -> None:  # fmt: skip
    """What moves beside the row of an entry is written into it."""
    state[of.end + PHASE] = phase
    state[of.end + I_ACT] = i_act
    state[of.end + N_HISTORY] = n_told
    state_f[of.end_f + DAY] = now


@inner
def hand_on(
    weight: float, state: Ints, state_f: Floats, of: EntryPlaces, told: CopyEvents, out: Reached, got: Ints
) -> bool:  # fmt: skip
    """The copy at hand becomes an entry; False if there is no room for it."""
    i, o, n = got[0], got[1], state[of.end + N_HISTORY]
    if i == len(out.ints) or o + n > len(out.events.time):
        return False
    out.weight[i] = weight
    for j in range(of.end):
        out.ints[i, j] = state[j]
    for j in range(of.end_f):
        out.floats[i, j] = state_f[j]
    for j in range(n):
        out.events.time[o + j] = told.time[j]
        out.events.channel[o + j] = told.channel[j]
        out.events.parent[o + j] = told.parent[j]
        out.events.mechanism[o + j] = told.mechanism[j]
        out.events.done[o + j] = told.done[j]
    got[0] += 1
    got[1] += n
    return True


@inlined
def put(state: Ints, state_f: Floats, there: Ints, there_f: Floats, to: Places, of: EntryPlaces) -> None:
    """Write the entry at hand and its epochs from the first two arrays into the others."""
    for i in range(to.changing):
        there[i] = state[i]
    for i in range(of.end_f):
        there_f[i] = state_f[i]
