"""Multilevel splitting: start many copies where a history came nearer to something rare.

In: the `Tables` of a world, the levels of a ladder, the entries at which copies start. Out: the entries at which they
reach the next level. An entry is all that the future depends on: the time, the state, timers that run, and the events
so far. What those events still have in store is *not* copied: every copy draws it anew from the history, with a key of
its own, or copies of one entry would all go the same way. What is drawn anew has the law it had: given the events so
far, the candidates still to come are independent Poisson processes, and an exponential timer has no age.

Where one act by itself reaches a level, copies help little: it comes or does not, and nothing announces it. Such acts
are proposed `boost` times as often; each that is accepted is an entry with weight 1 / boost, and with probability
1 / boost it is real and ends the copy, else the copy goes on as if it had not been. A Poisson process at boost times
the intensity, each point of which is real with probability 1 / boost, has real points at the intensity itself; until
the first of them copy and history have the same law. So the weights of a copy's entries have the expectation of a hit,
whatever the boost (as forced collisions in particle transport: Spanier & Gelbard 1969, Monte Carlo Principles).
Sources: Garvels (2000), The splitting method in rare event simulation; Cérou, Del Moral, Furon & Guyader (2012),
Stat. Comput. 22, 795-808, for fixed effort. The steps between two events are those of `simulation.run`.
"""

# mypy: disable-error-code="assignment, operator"

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import BACKGROUND, HISTORY, SCHEDULED, TIMER, Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.draws import (
    CHOICE,
    COMPONENT,
    COPY,
    DELAY,
    EFFECT_COIN,
    FIRST,
    HISTORY_TAG,
    IMMIGRANT,
    LARGEST_MEAN,
    LAYER,
    LEFT,
    MARK,
    OFFSPRING,
    PHASE_TAG,
    REAL,
    REPLICATE,
    SCHEDULED_TAG,
    SPLIT,
    TIMER_TAG,
    child,
    draw,
    poisson,
)
from powderkeg.engine.elementary import exponential, logarithm
from powderkeg.engine.simulation.alias import pick
from powderkeg.engine.simulation.queue import (
    CHANNEL,
    ENTRY,
    EPOCH,
    FREE,
    IN_HEAP,
    MECHANISM,
    N_FREE,
    PARENT,
    WIDTH,
    pop,
    push,
)
from powderkeg.engine.simulation.tables import ADDS_CALM, HAS_EFFECTS, IS_CALMED, Tables
from powderkeg.engine.simulation.thinning import FINISHED, FULL, MOST_WAITING, NO_SLOTS, STOP, STOPPED, _product, _shape

DEEP = 6
"""Why the loop returned, beside those of `simulation`: a history is longer than its buffer."""

FORGOTTEN = 1e-12
"""Past events with less than this to be expected of them bear nothing more."""

# An entry in whole numbers: these, then for each fact its level, the phase in which it came to it and the event that
# brought it there, for each timer whether it runs, for each policy whether it waits and since which event, and how
# often each level's events came. In floats: the day, since when each fact stands, since when each policy waits, calms.
PHASE, I_ACT, SCORE, ORIGIN, N_HISTORY = 0, 1, 2, 3, 4
N_HEAD = 5


class Levels(NamedTuple):
    """A ladder of at most 62 levels, the last of which is what is asked about.

    A level is reached when its events came `count` times (in `within` days, in as many different groups) and its facts
    are so, and then all below it count as reached.
    """

    touches: Ints  # (C,) bit l: an event of this channel counts for level l
    via: NDArray[np.bool_]  # (L, M - HISTORY) born of what, see analyze.outcomes.mechanism_mask
    count: Ints  # (L,) 0: facts alone
    within: Floats  # (L,) days, inf for ever
    group: Ints  # (L, C) events of one group count once; -1 where each counts
    fact_start: Ints  # (L + 1,)
    fact: Ints
    allowed: NDArray[np.bool_]  # (., most levels of a fact)


class Entrances(NamedTuple):
    """Where copies start: rows of whole numbers and of floats, their weights, and their histories end to end."""

    ints: Ints
    floats: Floats
    weight: Floats  # of a hit: 1, or 1 / boost
    start: Ints  # (n + 1,)
    time: Floats
    channel: NDArray[np.int32]
    parent: NDArray[np.int32]  # index within the history
    mechanism: NDArray[np.int16]
    done: Ints  # bit n: the n-th effect of the channel came about

    @property
    def n(self) -> int:
        """How many."""
        return len(self.ints)


def widths(t: Tables, n_levels: int) -> tuple[int, int]:
    """How many whole numbers and floats an entry has."""
    at = t.at
    n_ints = N_HEAD + 3 * at.n_facts + at.n_timers + 2 * at.n_policies + n_levels
    return n_ints, 1 + at.n_facts + at.n_policies + 2 * at.n_calms


def slowest(t: Tables) -> tuple[Floats, float]:
    """(phases, C) the slowest decay among what an event of each channel bears, and the most that one event bears."""
    at = t.at
    C, L = at.n_channels, at.n_streams
    start = t.ints[at.branch_start : at.branch_start + C * L + 1]
    mechanism = t.entry.reshape(-1, 8)[: start[-1], 2]
    kernel_start = t.ints[at.kernel_start : at.kernel_start + (int(mechanism.max()) + 2 if len(mechanism) else 1)]
    slow = np.full((at.n_phases, C), np.inf)
    row_channel = np.repeat(np.tile(np.arange(C), L), np.diff(start))
    for phase in range(at.n_phases):
        first = at.kernel + phase * at.n_kernel
        mean = t.floats[first : first + at.n_kernel].reshape(-1, 2)[:, 1]
        if len(mechanism):
            longest = np.array([mean[a:b].max() for a, b in pairwise(kernel_start)])
            np.minimum.at(slow[phase], row_channel, 1.0 / longest[mechanism])
    branch = t.floats[at.branch : at.branch + 3 * C * L].reshape(-1, 3)
    return slow, float((branch[:, 0] * branch[:, 1]).reshape(L, C).sum(axis=0).max(initial=0.0))


def offers(t: Tables) -> tuple[Ints, Floats]:
    """What is proposed: 7 whole numbers each as in `Tables`, and the share kept, where the mark begins, its width."""
    n = t.at.n_entries
    words = t.entry.reshape(n, 8)
    marks = t.floats[t.at.entry_f : t.at.entry_f + 2 * n].reshape(n, 2)
    kept = t.keep.reshape(n, 8)[:, 7:8]
    return words[:, :7].astype(np.int64).ravel(), np.concatenate([kept, marks], axis=1).ravel()


@inner
def _is_met(  # type: ignore[no-untyped-def]
    n, c, mechanism, now, touches, via, count, within, group, fact_start, fact, allowed, level, counters, first_counter,
    n_history, h_time, h_channel, h_mechanism, seen,
):  # fmt: skip
    """Whether level n is reached just now, by an event of channel c, or with c < 0 by facts that changed."""
    for i in range(fact_start[n], fact_start[n + 1]):
        if not allowed[i, level[fact[i]]]:
            return False
    if count[n] == 0:
        return True
    if c < 0 or (touches[c] >> n) & 1 == 0 or not via[n, mechanism - HISTORY]:
        return False
    if group[n, c] < 0 and within[n] == np.inf:
        return counters[first_counter + n] >= count[n]
    found = 0
    i = n_history - 1
    while i >= 0 and h_time[i] >= now - within[n] and found < count[n]:
        d = h_channel[i]
        if (touches[d] >> n) & 1 != 0 and via[n, h_mechanism[i] - HISTORY]:
            g = group[n, d]
            if g < 0:
                found += 1
            elif seen[g] == 0:
                seen[g] = 1
                found += 1
        i -= 1
    for k in range(i + 1, n_history):
        g = group[n, h_channel[k]]
        if g >= 0:
            seen[g] = 0
    return found >= count[n]


@inner
def _hand_on(  # type: ignore[no-untyped-def]
    i, o, weight, now, phase, i_act, n_history, state, state_f, h_time, h_channel, h_parent, h_mechanism, h_done,
    o_ints, o_floats, o_weight, o_time, o_channel, o_parent, o_mechanism, o_done,
):  # fmt: skip
    """Write entry i, its history from o on."""
    state[PHASE] = phase
    state[I_ACT] = i_act
    state[N_HISTORY] = n_history
    state_f[0] = now
    o_weight[i] = weight
    for j in range(len(state)):
        o_ints[i, j] = state[j]
    for j in range(len(state_f)):
        o_floats[i, j] = state_f[j]
    for j in range(n_history):
        o_time[o + j] = h_time[j]
        o_channel[o + j] = h_channel[j]
        o_parent[o + j] = h_parent[j]
        o_mechanism[o + j] = h_mechanism[j]
        o_done[o + j] = h_done[j]


@loop
def split(  # type: ignore[no-untyped-def]
    at, ints, floats, entry, offer, root, repetition, stage, boost, first, n_copies, begin, horizon, limit, slow, most,
    touches, via, count, within, group, fact_start, fact, allowed,
    e_ints, e_floats, e_until, e_start, e_time, e_channel, e_parent, e_mechanism, e_done,
    state, state_f, kept, kept_f, kept_epoch, changing, epoch, seen, next_background, stream_count, waiting, slot_time,
    slot_key, slot, heap_time, heap_slot, head, h_time, h_channel, h_parent, h_mechanism, h_done,
    o_ints, o_floats, o_weight, o_time, o_channel, o_parent, o_mechanism, o_done, got, control,
):  # fmt: skip
    """Copies `first` to `n_copies - 1` of a stage, each until it reaches level `stage` or the horizon.

    entry, offer  what is proposed, see `offers`
    boost   how many times as often the events of this level are proposed as they come
    e_...   entries to start from, each by as many copies as its share of the weights, to within one; none: all start at
            `begin`. e_until  (entries,) how many copies start from this or an earlier one
    o_...   entries reached; `got` (5,) counts them, the events of their histories, candidates, copies stopped at
            `limit` events, and events
    Returns how many copies are done, and why no more.
    """
    n_levels = len(count)
    level = N_HEAD
    fact_phase = level + at.n_facts
    fact_me = fact_phase + at.n_facts
    armed = fact_me + at.n_facts
    policy_armed = armed + at.n_timers
    policy_me = policy_armed + at.n_policies
    counter = policy_me + at.n_policies
    since = 1
    policy_since = since + at.n_facts
    calm = policy_since + at.n_policies
    n_entries = len(e_ints)
    room_for_timers = at.n_timers + at.n_policies
    stage_key = child(child(root, REPLICATE, repetition), COPY, stage)
    shift = draw(child(stage_key, SPLIT, FIRST), CHOICE)
    from_entry = 0
    slowest_of_all = np.inf
    for i in range(slow.shape[0]):
        for j in range(slow.shape[1]):
            slowest_of_all = min(slowest_of_all, slow[i, j])

    for copy in range(first, n_copies):
        if control[STOP] != 0.0:
            return copy, STOPPED
        key0 = child(stage_key, COPY, copy)
        # A copy that does not fit is begun again: what it has reached so far is not to be counted twice.
        got_entries = got[0]
        got_history = got[1]
        n_candidates = 0
        n_events = 0
        # Free what the copy before left in the queue.
        for i in range(waiting[IN_HEAP]):
            s = np.int64(heap_slot[i])
            slot[WIDTH * s] = waiting[FREE]
            waiting[FREE] = s
        waiting[N_FREE] += waiting[IN_HEAP]
        waiting[IN_HEAP] = 0
        for i in range(at.n_facts + at.n_policies):
            epoch[i] = 0

        is_start = n_entries == 0
        is_restart = not is_start
        n_history = 0
        n_changing = 0
        now = begin
        if is_start:
            for i in range(len(state)):
                state[i] = 0
            for i in range(len(state_f)):
                state_f[i] = begin
            for i in range(at.n_calms):
                state_f[calm + 2 * i] = 0.0
            state[ORIGIN] = copy
            for i in range(at.n_facts):
                state[level + i] = -1
                state[fact_me + i] = -1
                changing[2 * i] = i
                changing[2 * i + 1] = ints[at.fact + 3 * i]
            n_changing = at.n_facts
        else:
            while from_entry < n_entries - 1 and e_until[from_entry] <= copy + shift:
                from_entry += 1
            for i in range(len(state)):
                state[i] = e_ints[from_entry, i]
            for i in range(len(state_f)):
                state_f[i] = e_floats[from_entry, i]
            now = state_f[0]
            n_history = e_start[from_entry + 1] - e_start[from_entry]
            if n_history >= len(h_time):
                return copy, DEEP
            for i in range(n_history):
                h_time[i] = e_time[e_start[from_entry] + i]
                h_channel[i] = e_channel[e_start[from_entry] + i]
                h_parent[i] = e_parent[e_start[from_entry] + i]
                h_mechanism[i] = e_mechanism[e_start[from_entry] + i]
                h_done[i] = e_done[e_start[from_entry] + i]
        is_hit = state[SCORE] > stage
        phase = state[PHASE]
        i_act = state[I_ACT]

        stream = 0
        for i in range(at.n_streams):
            stream_count[i] = 0
            next_background[i] = np.inf
            rate = floats[at.background_rate + i]
            if rate > 0.0:
                k = key0 if i == 0 else child(key0, LAYER, ints[at.stream + 2 * i])
                next_background[i] = now - logarithm(draw(child(k, IMMIGRANT, FIRST), DELAY)) / rate
            if next_background[i] < next_background[stream]:
                stream = i

        if is_restart and not is_hit:
            # Timers go on: without age if exponential, else when they were to fire.
            if waiting[N_FREE] < room_for_timers:
                return copy, NO_SLOTS
            for s in range(at.n_facts):
                cell = ints[at.fact + 3 * s + 1] + state[level + s]
                for j in range(ints[at.timer_start + cell], ints[at.timer_start + cell + 1]):
                    if state[armed + j] == 0:
                        continue
                    k = child(key0, TIMER_TAG, j)
                    mean = floats[at.timer_mean + state[fact_phase + s] * at.n_timers + j]
                    if ints[at.timer + 3 * j + 2] != 0:
                        when = state_f[since + s] + mean
                    else:
                        when = now - logarithm(draw(k, DELAY)) * mean
                    if when < horizon:
                        push(
                            waiting, slot_time, slot_key, slot, heap_time, heap_slot, head, 0, when, k, -1 - s,
                            state[fact_me + s], ints[at.timer + 3 * j + 1], j, epoch[s],
                        )  # fmt: skip
            for q in range(at.n_policies):
                if state[policy_armed + q] == 0:
                    continue
                when = max(state_f[policy_since + q] + floats[at.policy_f + 3 * q], floats[at.policy_f + 3 * q + 1])
                if when < min(horizon, floats[at.policy_f + 3 * q + 2]):
                    k = child(child(key0, TIMER_TAG, ints[at.policy + 4 * q + 2]), TIMER_TAG, FIRST)
                    push(
                        waiting, slot_time, slot_key, slot, heap_time, heap_slot, head, 0, when, k,
                        -1 - (at.n_facts + q), state[policy_me + q], ints[at.policy + 4 * q + 1], np.int64(0),
                        epoch[at.n_facts + q],
                    )  # fmt: skip
            # What past events still have in store.
            p = phase
            for h in range(n_history - 1, -1, -1):
                age = now - h_time[h]
                if most * exponential(-slowest_of_all * age) < FORGOTTEN:
                    break
                while p > 0 and floats[at.phase_time + p] > h_time[h]:
                    p -= 1
                c = np.int64(h_channel[h])
                left = exponential(-slow[p, c] * age)
                if most * left < FORGOTTEN:
                    continue
                k_h = child(key0, HISTORY_TAG, h)
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
                    if waiting[N_FREE] < n_born:
                        return copy, NO_SLOTS
                    for n in range(n_born):
                        k = child(k0, OFFSPRING, n)
                        e, share = pick(draw(k, CHOICE), e0, n_row)
                        if share >= offer[3 * e]:
                            e = np.int64(entry[7 * e + 4])
                        m = np.int64(entry[7 * e + 2])
                        kernel = at.kernel + p * at.n_kernel
                        j = ints[at.kernel_start + m]
                        j_last = ints[at.kernel_start + m + 1] - 1
                        if j < j_last:
                            u = draw(k, COMPONENT)
                            while j < j_last and u >= floats[kernel + 2 * j]:
                                j += 1
                        mean_delay = floats[kernel + 2 * j + 1]
                        # Proposed as if all decayed as slowly as the slowest; taken as its own decay left it.
                        if draw(k, LEFT) >= exponential(-(1.0 / mean_delay - slow[p, c]) * age):
                            continue
                        when = now - logarithm(draw(k, DELAY)) * mean_delay
                        if when < horizon:
                            push(
                                waiting, slot_time, slot_key, slot, heap_time, heap_slot, head, 0, when, k, e,
                                np.int64(h), np.int64(entry[7 * e + 1]), m, FIRST,
                            )  # fmt: skip

        key = key0
        c = -1
        me = -1
        is_boosted = False
        is_real = True
        while not is_hit:
            mechanism = BACKGROUND
            if not is_start:
                until = min(next_background[stream], horizon)
                if phase + 1 < at.n_phases:
                    until = min(until, floats[at.phase_time + phase + 1])
                if i_act < at.n_acts:
                    until = min(until, floats[at.act_time + i_act])
                c = -1
                parent = -1
                is_candidate = False
                is_born = False
                is_boosted = False
                is_real = True
                n_changing = 0
                worth = 0.0
                low = 0.0
                width = 0.0
                row = 0
                if waiting[IN_HEAP] > 0 and heap_time[0] < until:
                    s = pop(waiting, slot_key, slot, heap_time, heap_slot)
                    e = np.int64(slot[WIDTH * s + ENTRY])
                    if e < 0 and np.int64(slot[WIDTH * s + EPOCH]) != epoch[-1 - e]:
                        continue
                    now = slot_time[s]
                    key = slot_key[s]
                    c = np.int64(slot[WIDTH * s + CHANNEL])
                    parent = np.int64(slot[WIDTH * s + PARENT])
                    mechanism = np.int64(slot[WIDTH * s + MECHANISM])
                    if e >= 0:
                        n_candidates += 1
                        is_born = True
                        if entry[7 * e + 5] == 0:
                            is_candidate = True
                            worth = floats[at.mass + phase * at.n_mass + entry[7 * e + 0]]
                            row = np.int64(entry[7 * e + 3])
                            low = offer[3 * e + 1]
                            width = offer[3 * e + 2]
                    else:
                        if -1 - e < at.n_facts:
                            state[armed + mechanism] = 0
                        else:
                            state[policy_armed + (-1 - e) - at.n_facts] = 0
                        mechanism = TIMER
                elif until >= horizon:
                    break
                elif phase + 1 < at.n_phases and floats[at.phase_time + phase + 1] <= until:
                    now = until
                    for i in range(at.n_calms):
                        decay = floats[at.calm_decay + phase * at.n_calms + i]
                        state_f[calm + 2 * i] *= exponential(-decay * (now - state_f[calm + 2 * i + 1]))
                        state_f[calm + 2 * i + 1] = now
                    phase += 1
                    key = child(key0, PHASE_TAG, ints[at.phase + 2 * phase])
                    me = -1
                    n_changing = ints[at.phase + 2 * phase + 3] - ints[at.phase + 2 * phase + 1]
                    for i in range(n_changing):
                        j = at.phase_set + 2 * (ints[at.phase + 2 * phase + 1] + i)
                        changing[2 * i] = ints[j]
                        changing[2 * i + 1] = ints[j + 1]
                elif i_act < at.n_acts and floats[at.act_time + i_act] <= until:
                    now = until
                    c = ints[at.act + 2 * i_act]
                    key = child(child(key0, SCHEDULED_TAG, c), SCHEDULED_TAG, ints[at.act + 2 * i_act + 1])
                    mechanism = SCHEDULED
                    i_act += 1
                else:
                    now = until
                    n_candidates += 1
                    k = key0 if stream == 0 else child(key0, LAYER, ints[at.stream + 2 * stream])
                    key = child(k, IMMIGRANT, stream_count[stream])
                    i = ints[at.stream + 2 * stream + 1]
                    j, share = pick(draw(key, CHOICE), i, ints[at.stream + 2 * stream + 3] - i)
                    if share >= floats[at.background_f + 3 * j]:
                        j = ints[at.background + 3 * j + 1]
                    c = ints[at.background + 3 * j]
                    is_born = True
                    if ints[at.background + 3 * j + 2] == 0:
                        is_candidate = True
                        worth = floats[at.rate + phase * at.n_channels + c]
                        row = ints[at.channel + 7 * c]
                        low = floats[at.background_f + 3 * j + 1]
                        width = floats[at.background_f + 3 * j + 2]
                        p = ints[at.channel + 7 * c + 2]
                        if p >= 0:
                            worth *= _shape(
                                now, ints[at.profile_start + p], ints[at.profile_start + p + 1],
                                at.step + phase * at.n_step, at.season + phase * at.n_season + 2 * p, floats,
                            )  # fmt: skip
                    stream_count[stream] += 1
                    k = child(k, IMMIGRANT, stream_count[stream])
                    next_background[stream] = now - logarithm(draw(k, DELAY)) / floats[at.background_rate + stream]
                    if at.n_streams > 1:
                        stream = 0
                        for i in range(1, at.n_streams):
                            if next_background[i] < next_background[stream]:
                                stream = i

                if is_candidate:
                    factor = at.factor + phase * at.n_factor
                    levels = state[level : level + at.n_facts]
                    worth *= _product(row, at.row_start, at.gate, factor, ints, floats, levels)
                    worth *= _product(ints[at.channel + 7 * c + 1], at.row_start, at.gate, factor, ints, floats, levels)
                    if ints[at.channel + 7 * c + 3] & IS_CALMED:
                        lowering = 0.0
                        for i in range(ints[at.channel + 7 * c + 6], ints[at.channel + 7 * c + 13]):
                            j = ints[at.calm_low + i]
                            decay = floats[at.calm_decay + phase * at.n_calms + j]
                            strength = floats[at.calm_strength + phase * at.n_calm_strength + i]
                            lowering += (
                                strength
                                * state_f[calm + 2 * j]
                                * exponential(-decay * (now - state_f[calm + 2 * j + 1]))
                            )
                        worth *= exponential(-lowering)
                    if worth < low + width and low + width * draw(key, MARK) >= worth:
                        continue

                if is_born and boost > 1.0 and (touches[c] >> stage) & 1 != 0 and via[stage, mechanism - HISTORY]:
                    is_boosted = True
                    is_real = draw(key, REAL) * boost < 1.0
                    if not is_real:
                        for i in range(len(state)):
                            kept[i] = state[i]
                        for i in range(len(state_f)):
                            kept_f[i] = state_f[i]
                        for i in range(len(epoch)):
                            kept_epoch[i] = epoch[i]
                if c >= 0:
                    if n_history == len(h_time):
                        got[0] = got_entries
                        got[1] = got_history
                        return copy, DEEP
                    h_time[n_history] = now
                    h_channel[n_history] = c
                    h_parent[n_history] = parent
                    h_mechanism[n_history] = mechanism
                    h_done[n_history] = 0
                    me = n_history
                    n_history += 1
                    n_events += 1
                    for n in range(n_levels):
                        if (touches[c] >> n) & 1 != 0 and via[n, mechanism - HISTORY]:
                            state[counter + n] += 1
                    flags = ints[at.channel + 7 * c + 3]
                    if flags & HAS_EFFECTS:
                        i = ints[at.channel + 7 * c + 4]
                        for n in range(ints[at.channel + 7 * c + 11] - i):
                            chance = floats[at.effect_probability + phase * at.n_effect + i + n]
                            if chance >= 1.0 or draw(key, np.uint64(EFFECT_COIN + n)) < chance:
                                h_done[me] |= np.int64(1) << np.int64(min(n, 62))
                                changing[2 * n_changing] = ints[at.effect + 2 * (i + n)]
                                changing[2 * n_changing + 1] = ints[at.effect + 2 * (i + n) + 1]
                                n_changing += 1
                    if flags & ADDS_CALM:
                        for i in range(ints[at.channel + 7 * c + 5], ints[at.channel + 7 * c + 12]):
                            j = ints[at.calm_add + i]
                            decay = floats[at.calm_decay + phase * at.n_calms + j]
                            state_f[calm + 2 * j] *= exponential(-decay * (now - state_f[calm + 2 * j + 1]))
                            state_f[calm + 2 * j] += floats[at.calm_amount + phase * at.n_calm_amount + i]
                            state_f[calm + 2 * j + 1] = now

            for n in range(n_changing):
                s = changing[2 * n]
                old = state[level + s]
                new = changing[2 * n + 1]
                if old == new:
                    continue
                if waiting[N_FREE] < room_for_timers:
                    got[0] = got_entries
                    got[1] = got_history
                    return copy, NO_SLOTS
                if old >= 0:
                    cell = ints[at.fact + 3 * s + 1] + old
                    for j in range(ints[at.timer_start + cell], ints[at.timer_start + cell + 1]):
                        state[armed + j] = 0
                state[level + s] = new
                state[fact_phase + s] = phase
                state[fact_me + s] = me
                state_f[since + s] = now
                epoch[s] += 1
                cell = ints[at.fact + 3 * s + 1] + new
                for j in range(ints[at.timer_start + cell], ints[at.timer_start + cell + 1]):
                    k = child(key, TIMER_TAG, j)
                    mean = floats[at.timer_mean + phase * at.n_timers + j]
                    state[armed + j] = 1
                    when = now + mean if ints[at.timer + 3 * j + 2] != 0 else now - logarithm(draw(k, DELAY)) * mean
                    if when < horizon and is_real:
                        push(
                            waiting, slot_time, slot_key, slot, heap_time, heap_slot, head, 0, when, k, -1 - s,
                            np.int64(me), ints[at.timer + 3 * j + 1], j, epoch[s],
                        )  # fmt: skip
                for q in range(ints[at.fact + 3 * s + 2], ints[at.fact + 3 * s + 5]):
                    j = at.policy_holds + ints[at.policy + 4 * q]
                    holds = ints[j + new] != 0
                    if old >= 0 and holds == (ints[j + old] != 0):
                        continue
                    watch = at.n_facts + q
                    epoch[watch] += 1
                    state[policy_armed + q] = 0
                    if not holds:
                        continue
                    state[policy_armed + q] = 1
                    state[policy_me + q] = me
                    state_f[policy_since + q] = now
                    k = child(child(key, TIMER_TAG, ints[at.policy + 4 * q + 2]), TIMER_TAG, FIRST)
                    when = max(now + floats[at.policy_f + 3 * q], floats[at.policy_f + 3 * q + 1])
                    if when < min(horizon, floats[at.policy_f + 3 * q + 2]) and is_real:
                        push(
                            waiting, slot_time, slot_key, slot, heap_time, heap_slot, head, 0, when, k, -1 - watch,
                            np.int64(me), ints[at.policy + 4 * q + 1], np.int64(0), epoch[watch],
                        )  # fmt: skip

            # How far has it come?
            for n in range(n_levels - 1, state[SCORE] - 1, -1):
                is_touched = c >= 0 and (touches[c] >> n) & 1 != 0
                if (is_touched or (count[n] == 0 and (n_changing > 0 or is_start))) and _is_met(
                    n, c, mechanism, now, touches, via, count, within, group, fact_start, fact, allowed,
                    state[level : level + at.n_facts], state, counter, n_history, h_time, h_channel, h_mechanism, seen,
                ):  # fmt: skip
                    state[SCORE] = n + 1
                    break
            is_start = False
            if state[SCORE] > stage:
                is_hit = is_real
                if not is_real:
                    i = got[0]
                    o = got[1]
                    if i == len(o_ints) or o + n_history > len(o_time):
                        got[0] = got_entries
                        got[1] = got_history
                        return copy, FULL
                    _hand_on(
                        i, o, 1.0 / boost, now, phase, i_act, n_history, state, state_f, h_time, h_channel, h_parent,
                        h_mechanism, h_done, o_ints, o_floats, o_weight, o_time, o_channel, o_parent, o_mechanism,
                        o_done,
                    )  # fmt: skip
                    got[0] += 1
                    got[1] += n_history
                    # As if it had not been.
                    for j in range(len(state)):
                        state[j] = kept[j]
                    for j in range(len(state_f)):
                        state_f[j] = kept_f[j]
                    for j in range(len(epoch)):
                        epoch[j] = kept_epoch[j]
                    n_history -= 1
                    n_events -= 1
                    continue
                break
            if c < 0:
                continue
            if n_events >= limit:
                got[3] += 1
                break

            is_crowded = False
            for i in range(at.n_streams):
                row = c + i * at.n_channels
                e0 = ints[at.branch_start + row]
                n_row = ints[at.branch_start + row + 1] - e0
                if n_row > 0:
                    k0 = key if i == 0 else child(key, LAYER, ints[at.stream + 2 * i])
                    j = at.branch + 3 * row
                    if floats[j] * floats[j + 1] > 2.0 * control[MOST_WAITING]:
                        is_crowded = True
                        break
                    n_born = poisson(k0, floats[j], np.int64(floats[j + 1]), floats[j + 2])
                    if len(slot_time) - waiting[N_FREE] + n_born > control[MOST_WAITING]:
                        is_crowded = True
                        break
                    if waiting[N_FREE] < n_born:
                        got[0] = got_entries
                        got[1] = got_history
                        return copy, NO_SLOTS
                    for n in range(n_born):
                        k = child(k0, OFFSPRING, n)
                        e, share = pick(draw(k, CHOICE), e0, n_row)
                        if share >= offer[3 * e]:
                            e = np.int64(entry[7 * e + 4])
                        m = np.int64(entry[7 * e + 2])
                        kernel = at.kernel + phase * at.n_kernel
                        j = ints[at.kernel_start + m]
                        j_last = ints[at.kernel_start + m + 1] - 1
                        if j < j_last:
                            u = draw(k, COMPONENT)
                            while j < j_last and u >= floats[kernel + 2 * j]:
                                j += 1
                        when = now - logarithm(draw(k, DELAY)) * floats[kernel + 2 * j + 1]
                        if when < horizon:
                            push(
                                waiting, slot_time, slot_key, slot, heap_time, heap_slot, head, 0, when, k, e,
                                np.int64(me), np.int64(entry[7 * e + 1]), m, FIRST,
                            )  # fmt: skip
            if is_crowded:
                got[3] += 1
                break

        if is_hit:
            i = got[0]
            o = got[1]
            if i == len(o_ints) or o + n_history > len(o_time):
                got[0] = got_entries
                got[1] = got_history
                return copy, FULL
            # A real hit among those that are proposed more often counts as one of them; any other as itself.
            weight = 1.0 / boost if is_boosted else 1.0
            _hand_on(
                i, o, weight, now, phase, i_act, n_history, state, state_f, h_time, h_channel, h_parent, h_mechanism,
                h_done, o_ints, o_floats, o_weight, o_time, o_channel, o_parent, o_mechanism, o_done,
            )  # fmt: skip
            got[0] += 1
            got[1] += n_history
        got[2] += n_candidates + 1
        got[4] += n_events
    return n_copies, FINISHED
