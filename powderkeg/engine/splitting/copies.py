"""Multilevel splitting: start many copies where a history came nearer to something rare.

In: the `Tables` of a world, the levels of a ladder, the entries at which copies start. Out: the entries at which they
reach the next level. What the events of an entry still have in store is *not* copied: every copy draws it anew from
the history, with a key of its own, or copies of one entry would all go the same way. What is drawn anew has the law it
had: given the events so far, the candidates still to come are independent Poisson processes, and an exponential timer
has no age.

Where one act by itself reaches a level, copies help little: it comes or does not, and nothing announces it. Such acts
are proposed `boost` times as often; each that is accepted is an entry with weight 1 / boost, and with probability
1 / boost it is real and ends the copy, else the copy goes on as if it had not been. A Poisson process at boost times
the intensity, each point of which is real with probability 1 / boost, has real points at the intensity itself; until
the first of them copy and history have the same law. So the weights of a copy's entries have the expectation of a hit,
whatever the boost (as forced collisions in particle transport: Spanier & Gelbard 1969, Monte Carlo Principles).
Sources: Garvels (2000), The splitting method in rare event simulation; Cérou, Del Moral, Furon & Guyader (2012),
Stat. Comput. 22, 795-808, for fixed effort. The steps between two events are those of `simulation.run`.
"""

# mypy: disable-error-code="assignment,no-any-return"

from __future__ import annotations

from typing import Any

import numpy as np

from powderkeg.engine.arrays import BACKGROUND, SCHEDULED, TIMER, Floats, Ints
from powderkeg.engine.compiled import inlined, loop
from powderkeg.engine.draws import (
    CHOICE,
    COPY,
    FIRST,
    MARK,
    PHASE_TAG,
    REAL,
    REPLICATE,
    SCHEDULED_TAG,
    SPLIT,
    child,
    draw,
)
from powderkeg.engine.simulation.backgrounds import earliest, from_stream, key_of_next
from powderkeg.engine.simulation.queue import CHANNEL, ENTRY, EPOCH, IN_HEAP, MECHANISM, PARENT, WIDTH, Queue, pop
from powderkeg.engine.simulation.state import Clock, Places, in_phase
from powderkeg.engine.simulation.tables import TableLayout
from powderkeg.engine.simulation.thinning import (
    EXPLODED,
    FINISHED,
    FULL,
    MOST_WAITING,
    NO_SLOTS,
    STOP,
    STOPPED,
    answer,
    begin_replicate,
    gated,
    take_effect,
    turn_phase,
)
from powderkeg.engine.splitting.layout import (
    DAY,
    I_ACT,
    PHASE,
    SCORE,
    CopyEvents,
    Entrances,
    EntryPlaces,
    Levels,
    Reached,
    Task,
    held,
    moving,
)
from powderkeg.engine.splitting.steps import (
    answers_go_on,
    begin_copy,
    came_about,
    change_facts,
    close_entry,
    forget_queue,
    hand_on,
    is_counted,
    look_how_far,
    put,
    take_up,
    timers_go_on,
)

DEEP = 7
"""Why the loop returned, beside those of `simulation`: a history is longer than its buffer."""


@inlined
def _follow(
    key0: Any, n_told: int, is_start: bool, at: TableLayout, ints: Ints, floats: Floats, entry: Ints, keep: Floats,
    task: Task, levels: Levels, clock: Clock, state: Ints, state_f: Floats, kept: Ints, kept_f: Floats, seen: Ints,
    to: Places, of: EntryPlaces, queue: Queue, told: CopyEvents, out: Reached, got: Ints, most_waiting: float,
) -> tuple[int, float, int, int]:  # fmt: skip
    """The copy at hand until it reaches the level or the horizon, or is stopped.

    Returns why it ended, the weight of the entry that it now is (0: none), how many events and candidates it had.
    """
    phase, i_act, now = state[of.end + PHASE], state[of.end + I_ACT], state_f[of.end_f + DAY]
    n_events, n_candidates = 0, 0
    here = in_phase(at, floats, phase)
    stream = earliest(at, state_f, to)
    key, c, parent, mechanism, me = key0, -1, -1, BACKGROUND, -1
    n_changing, is_boosted, is_real = at.n_facts, False, True
    while True:
        if not is_start:
            # What comes next: a phase, an act put in by hand, a background candidate, or what the queue holds.
            until = min(min(state_f[to.stream_next + stream], task.horizon), here.upcoming)
            if i_act < at.n_acts:
                until = min(until, floats[at.act_time + i_act])
            c, parent, mechanism, n_changing = -1, -1, BACKGROUND, 0
            is_candidate, worth, low, width, row = False, 0.0, 0.0, 0.0, 0
            is_born, is_boosted, is_real = False, False, True
            if queue.counts[IN_HEAP] > 0 and queue.heap_time[0] < until:
                s = pop(queue.counts, queue.slot_key, queue.slot, queue.heap_time, queue.heap_slot)
                e = queue.slot[WIDTH * s + ENTRY]
                if e < 0 and queue.slot[WIDTH * s + EPOCH] != state[to.epoch - 1 - e]:
                    continue
                now = queue.slot_time[s]
                key = queue.slot_key[s]
                c = queue.slot[WIDTH * s + CHANNEL]
                parent = queue.slot[WIDTH * s + PARENT]
                mechanism = queue.slot[WIDTH * s + MECHANISM]
                if e >= 0:
                    n_candidates += 1
                    is_born = True
                    if entry[8 * e + 5] == 0:
                        is_candidate, worth, row = True, floats[here.mass + entry[8 * e]], entry[8 * e + 3]
                        low, width = floats[at.entry_f + 2 * e], floats[at.entry_f + 2 * e + 1]
                elif -1 - e < at.n_facts:
                    state[of.timer_runs + mechanism] = 0
                    mechanism = TIMER
                else:
                    state[of.policy_waits + (-1 - e) - at.n_facts] = 0
                    mechanism = TIMER
            elif until >= task.horizon:
                return FINISHED, 0.0, n_events, n_candidates
            elif here.upcoming <= until:
                now, me = until, -1
                phase += 1
                key = child(key0, PHASE_TAG, ints[at.phase + 2 * phase])
                n_changing = turn_phase(now, phase, at, ints, here.calm_decay, floats, state, state_f, to)
                here = in_phase(at, floats, phase)
            elif i_act < at.n_acts and floats[at.act_time + i_act] <= until:
                now, c, mechanism = until, ints[at.act + 2 * i_act], SCHEDULED
                key = child(child(key0, SCHEDULED_TAG, c), SCHEDULED_TAG, ints[at.act + 2 * i_act + 1])
                i_act += 1
            else:
                now = until
                n_candidates += 1
                is_born = True
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
            if is_born and task.boost > 1.0 and is_counted(task.stage, c, mechanism, levels):
                is_boosted = True
                is_real = draw(key, REAL) * task.boost < 1.0
                if not is_real:
                    put(state, state_f, kept, kept_f, to, of)
            if c >= 0:
                if n_told == len(told.time):
                    return DEEP, 0.0, n_events, n_candidates
                me = n_told
                told.time[me] = now
                told.channel[me] = c
                told.parent[me] = parent
                told.mechanism[me] = mechanism
                told.done[me] = came_about(c, key, at, ints, floats, here)
                n_told += 1
                n_events += 1
                for n in range(len(levels.count)):
                    if is_counted(n, c, mechanism, levels):
                        state[of.came + n] += 1
                n_changing = take_effect(c, key, now, n_changing, at, ints, floats, state, state_f, to, here)
        if not change_facts(
            n_changing, key, now, phase, me, is_real, at, ints, floats, state, state_f, to, of, queue, clock, here
        ):
            return NO_SLOTS, 0.0, n_events, n_candidates
        look_how_far(c, mechanism, now, n_changing > 0 or is_start, levels, state, of, n_told, told, seen)
        is_start = False
        if state[of.end + SCORE] > task.stage:
            close_entry(phase, i_act, n_told, now, state, state_f, of)
            # A real hit among those that are proposed more often counts as one of them; any other as itself.
            weight = 1.0 / task.boost if is_boosted else 1.0
            if is_real:
                return FINISHED, weight, n_events, n_candidates
            if not hand_on(weight, state, state_f, of, told, out, got):
                return FULL, 0.0, n_events, n_candidates
            # As if it had not been.
            put(kept, kept_f, state, state_f, to, of)
            n_told -= 1
            n_events -= 1
            continue
        if c < 0:
            continue
        if n_events >= task.limit:
            return EXPLODED, 0.0, n_events, n_candidates
        why = answer(
            c, at.n_channels, key, now, me, at, ints, floats, entry, keep, queue, clock, here, most_waiting
        )  # fmt: skip
        if why != FINISHED:
            return why, 0.0, n_events, n_candidates


@loop
def split(
    at: TableLayout, ints: Ints, floats: Floats, entry: Ints, keep: Floats, task: Task, levels: Levels,
    given: Entrances, first: int, n_copies: int, state: Ints, state_f: Floats, kept: Ints, kept_f: Floats, seen: Ints,
    queue: Queue, told: CopyEvents, out: Reached, got: Ints, control: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Copies `first` to `n_copies - 1` of a stage, each until it reaches level `task.stage` or the horizon.

    at .. keep  the parts of `Tables`
    given   entries to start from, each by as many copies as its share of the weights, to within one; none: all start at
            `task.begin`. Its `weight` is (entries,) how many copies start from this or an earlier one
    state   what moves: an entry (see `EntryPlaces`) and behind it what `Places` says
    kept    the same, of before an event that is not real
    out     entries reached; `got` (5,) counts them, the events of their histories, candidates, copies stopped at
            `task.limit` events, and events
    Returns how many copies are done, and why no more.
    """
    of = held(at, len(levels.count))
    to = moving(at, of)
    stage_key = child(child(task.root, REPLICATE, task.repetition), COPY, task.stage)
    shift = draw(child(stage_key, SPLIT, FIRST), CHOICE)
    slowest = np.inf
    for p in range(task.slow.shape[0]):
        for c in range(task.slow.shape[1]):
            slowest = min(slowest, task.slow[p, c])
    is_start = len(given.ints) == 0
    start_from = 0
    for copy in range(first, n_copies):
        if control[STOP] != 0.0:
            return copy, STOPPED
        key0 = child(stage_key, COPY, copy)
        # A copy that does not fit is begun again: what it has reached so far is not to be counted twice.
        got_entries, got_events = got[0], got[1]
        forget_queue(queue)
        begin, n_told = task.begin, 0
        if not is_start:
            while start_from < len(given.ints) - 1 and given.weight[start_from] <= copy + shift:
                start_from += 1
            begin = given.floats[start_from, of.end_f + DAY]
        clock = Clock(begin, begin, task.horizon, 0.0, 1, False)
        begin_replicate(key0, clock, at, ints, floats, state, state_f, to)
        if is_start:
            begin_copy(copy, begin, at, state, state_f, of)
        else:
            n_told = take_up(start_from, given, state, state_f, told)
            if n_told < 0:
                return copy, DEEP
        why, weight, n_events, n_candidates = FINISHED, 1.0, 0, 0
        if state[of.end + SCORE] <= task.stage:
            if not is_start:
                phase = state[of.end + PHASE]
                if not timers_go_on(key0, begin, at, ints, floats, state, state_f, of, queue, clock):
                    return copy, NO_SLOTS
                if not answers_go_on(
                    key0, begin, phase, n_told, slowest, at, ints, floats, entry, keep, task, told, queue, clock
                ):
                    return copy, NO_SLOTS
            why, weight, n_events, n_candidates = _follow(
                key0, n_told, is_start, at, ints, floats, entry, keep, task, levels, clock, state, state_f, kept,
                kept_f, seen, to, of, queue, told, out, got, control[MOST_WAITING],
            )  # fmt: skip
        if weight > 0.0 and not hand_on(weight, state, state_f, of, told, out, got):
            why = FULL
        if why in (NO_SLOTS, DEEP, FULL):
            got[0], got[1] = got_entries, got_events
            return copy, why
        got[2] += n_candidates + 1
        got[3] += why == EXPLODED
        got[4] += n_events
    return n_copies, FINISHED
