"""The simulation loop: keyed branching with gate thinning.

In: the `Tables` of a world, a seed's key, a range of replicates. Out: their events, in time order.

Candidates come from the background at its highest and from every accepted event; each is accepted at its own time
with probability (what it is worth then) / (its ceiling). That is exact for any modifier that depends on the past and
stays under its ceiling (superposition and thinning of Poisson processes); no intensity is ever tracked, so the cost
of an event does not grow with channels or links. `engine.md` in the documentation has the whole argument.
Sources: Hawkes & Oakes (1974), J. Appl. Prob. 11; Lewis & Shedler (1979), Nav. Res. Log. Q. 26; Ogata (1981),
IEEE Trans. Inf. Theory 27.
"""

# mypy: disable-error-code="assignment"

from __future__ import annotations

import math

import numpy as np

from powderkeg.engine.arrays import BACKGROUND, SCHEDULED, TIMER
from powderkeg.engine.compiled import inner, loop
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
from powderkeg.engine.simulation.alias import pick
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
    advance,
    bucket_of,
    clear,
    pop,
    push,
)
from powderkeg.engine.simulation.tables import ADDS_CALM, HAS_EFFECTS, IS_CALMED
from powderkeg.units import YEAR

# Places in `control`, which the loop shares with the thread that watches it.
STOP = 0  # set to 1 from outside: return as soon as possible
DONE = 1  # replicates done so far, and a part of one
CANDIDATES = 2  # candidates considered so far
MOST_WAITING = 3  # candidates that may wait in the queue of one replicate: beyond them it has exploded
N_CONTROL = 4

# Why the loop returned.
FINISHED, STOPPED, FULL, NO_SLOTS = 0, 1, 2, 5


@inner
def _product(row, row_start, gate, factor, ints, floats, level):  # type: ignore[no-untyped-def]
    product = 1.0
    for i in range(ints[row_start + row], ints[row_start + row + 1]):
        product *= floats[factor + ints[gate + 2 * i + 1] + level[ints[gate + 2 * i]]]
    return product


@inner
def _shape(time, first, end, step, season, floats):  # type: ignore[no-untyped-def]
    """Background profile: the last step at or before `time`, times the season."""
    i = first
    while i + 1 < end and floats[step + 2 * i + 2] <= time:
        i += 1
    value = floats[step + 2 * i + 1]
    if floats[season] != 0.0:
        value *= 1.0 + floats[season] * math.cos(2.0 * math.pi * (time - floats[season + 1]) / YEAR)
    return value


@loop
def run(  # type: ignore[no-untyped-def]
    at, ints, floats, entry, keep, root, first, done, n_replicates, begin, horizon, limit, is_complete,
    result, state, state_f, waiting, slot_time, slot_key, slot, heap_time, heap_slot, head,
    out_time, out_channel, out_parent, out_mechanism, out_key, control,
):  # fmt: skip
    """Simulate replicates `first + done` to `first + n_replicates - 1`. Returns how many are done now, and why no more.

    at .. keep   the parts of `Tables`
    result       (replicates, 3 + cells) events, 1 if exploded (at `limit` events, or with as many waiting as
                 may wait), day reached, days of the window at each level by cell
    state        levels, epochs of facts and policies, changes at hand (fact, level), background candidates by stream
    state_f      calms (amount, day at which it had that amount), next background candidate by stream, day since when
                 each fact has its level
    waiting ...  the queue
    out_...      events, from replicate `done` on
    """
    # Nothing is allocated and no array replaced below: see `queue` for why.
    capacity = len(out_time)
    room_for_timers = at.n_timers + at.n_policies
    level = 0
    epoch = level + at.n_facts
    changing = epoch + at.n_facts + at.n_policies
    stream_count = changing + 2 * at.n_changes
    calm = 0
    stream_next = calm + 2 * at.n_calms
    stands_since = stream_next + at.n_streams
    n_buckets = len(head)
    start = min(begin, floats[at.phase_time])
    per_day = n_buckets / (horizon - start)
    n_out = 0
    clear(waiting, slot, head)

    for r in range(done, n_replicates):
        if control[STOP] != 0.0:
            return r, STOPPED
        key0 = child(root, REPLICATE, first + r)
        waiting[BUCKET] = 0
        waiting[PUSHED] = 0
        for i in range(at.n_facts + at.n_policies):
            state[epoch + i] = 0
        for i in range(at.n_calms):
            state_f[calm + 2 * i] = 0.0
            state_f[calm + 2 * i + 1] = start
        phase = 0
        n_candidates = 0
        base_out = n_out
        exploded = 0.0
        reached = horizon
        i_act = 0
        i_past = 0
        stream = 0
        for i in range(at.n_streams):
            state[stream_count + i] = 0
            state_f[stream_next + i] = np.inf
            rate = floats[at.background_rate + i]
            if rate > 0.0:
                k = key0 if i == 0 else child(key0, LAYER, ints[at.stream + 2 * i])
                state_f[stream_next + i] = begin - math.log(draw(child(k, IMMIGRANT, FIRST), DELAY)) / rate
            if state_f[stream_next + i] < state_f[stream_next + stream]:
                stream = i
        for i in range(3, result.shape[1]):
            result[r, i] = 0.0
        # The first thing that happens is that every fact comes to where it starts.
        now = start
        key = key0
        for i in range(at.n_facts):
            state[level + i] = -1
            state_f[stands_since + i] = begin
            state[changing + 2 * i] = i
            state[changing + 2 * i + 1] = ints[at.fact + 3 * i]
        n_changing = at.n_facts
        c = -1
        me = -1
        is_start = True

        seen = -1

        while True:
            if seen != phase:
                # Where the numbers of this phase begin.
                seen = phase
                factor = at.factor + phase * at.n_factor
                mass = at.mass + phase * at.n_mass
                rate0 = at.rate + phase * at.n_channels
                kernel = at.kernel + phase * at.n_kernel
                chance0 = at.effect_probability + phase * at.n_effect
                calm_decay = at.calm_decay + phase * at.n_calms
                upcoming = floats[at.phase_time + phase + 1] if phase + 1 < at.n_phases else np.inf
            if not is_start:
                # What comes next: a phase, a past event, an act put in by hand, a background candidate,
                # or what the queue holds.
                until = min(state_f[stream_next + stream], horizon)
                until = min(until, upcoming)
                if i_act < at.n_acts:
                    until = min(until, floats[at.act_time + i_act])
                if i_past < at.n_past:
                    until = min(until, floats[at.past_time + i_past])
                if waiting[IN_HEAP] == 0:
                    last_bucket = bucket_of(until, start, per_day, n_buckets)
                    advance(waiting, slot_time, slot_key, slot, heap_time, heap_slot, head, last_bucket)

                # What it is. A candidate has a worth before gates, a gate row, and the marks it may have.
                c = -1
                parent = -1
                mechanism = BACKGROUND
                is_candidate = False
                n_changing = 0
                worth = 0.0
                low = 0.0
                width = 0.0
                row = 0
                if waiting[IN_HEAP] > 0 and heap_time[0] < until:
                    s = pop(waiting, slot_key, slot, heap_time, heap_slot)
                    now = slot_time[s]
                    key = slot_key[s]
                    e = slot[WIDTH * s + ENTRY]
                    c = slot[WIDTH * s + CHANNEL]
                    parent = slot[WIDTH * s + PARENT]
                    mechanism = slot[WIDTH * s + MECHANISM]
                    if e >= 0:
                        n_candidates += 1
                        if entry[8 * e + 5] == 0:
                            is_candidate = True
                            worth = floats[mass + entry[8 * e]]
                            row = entry[8 * e + 3]
                            low = floats[at.entry_f + 2 * e]
                            width = floats[at.entry_f + 2 * e + 1]
                    elif slot[WIDTH * s + EPOCH] != state[epoch - 1 - e]:
                        continue
                elif until >= horizon:
                    break
                elif upcoming <= until:
                    now = until
                    for i in range(at.n_calms):
                        decay = floats[calm_decay + i]
                        state_f[calm + 2 * i] *= math.exp(-decay * (now - state_f[calm + 2 * i + 1]))
                        state_f[calm + 2 * i + 1] = now
                    phase += 1
                    key = child(key0, PHASE_TAG, ints[at.phase + 2 * phase])
                    me = -1
                    n_changing = ints[at.phase + 2 * phase + 3] - ints[at.phase + 2 * phase + 1]
                    for i in range(n_changing):
                        j = at.phase_set + 2 * (ints[at.phase + 2 * phase + 1] + i)
                        state[changing + 2 * i] = ints[j]
                        state[changing + 2 * i + 1] = ints[j + 1]
                elif i_past < at.n_past and floats[at.past_time + i_past] <= until:
                    now = until
                    c = ints[at.past + 2 * i_past]
                    key = child(child(key0, HISTORY_TAG, c), HISTORY_TAG, ints[at.past + 2 * i_past + 1])
                    parent = -2 - i_past
                    i_past += 1
                elif i_act < at.n_acts and floats[at.act_time + i_act] <= until:
                    now = until
                    c = ints[at.act + 2 * i_act]
                    key = child(child(key0, SCHEDULED_TAG, c), SCHEDULED_TAG, ints[at.act + 2 * i_act + 1])
                    mechanism = SCHEDULED
                    i_act += 1
                else:
                    now = until
                    n_candidates += 1
                    if n_candidates & 65535 == 0 and control[STOP] != 0.0:
                        return r, STOPPED
                    k = key0 if stream == 0 else child(key0, LAYER, ints[at.stream + 2 * stream])
                    key = child(k, IMMIGRANT, state[stream_count + stream])
                    i = ints[at.stream + 2 * stream + 1]
                    j, share = pick(draw(key, CHOICE), i, ints[at.stream + 2 * stream + 3] - i)
                    if share >= floats[at.background_f + 3 * j]:
                        j = ints[at.background + 3 * j + 1]
                    c = ints[at.background + 3 * j]
                    if ints[at.background + 3 * j + 2] == 0:
                        is_candidate = True
                        worth = floats[rate0 + c]
                        row = ints[at.channel + 7 * c]
                        low = floats[at.background_f + 3 * j + 1]
                        width = floats[at.background_f + 3 * j + 2]
                        p = ints[at.channel + 7 * c + 2]
                        if p >= 0:
                            worth *= _shape(
                                now, ints[at.profile_start + p], ints[at.profile_start + p + 1],
                                at.step + phase * at.n_step, at.season + phase * at.n_season + 2 * p, floats,
                            )  # fmt: skip
                    state[stream_count + stream] += 1
                    k = child(k, IMMIGRANT, state[stream_count + stream])
                    state_f[stream_next + stream] = now - math.log(draw(k, DELAY)) / floats[at.background_rate + stream]
                    if at.n_streams > 1:
                        stream = 0
                        for i in range(1, at.n_streams):
                            if state_f[stream_next + i] < state_f[stream_next + stream]:
                                stream = i

                ch = at.channel + 7 * c
                # Does it happen? Read before the event moves the state: no event opens its own gate.
                if is_candidate:
                    worth *= _product(row, at.row_start, at.gate, factor, ints, floats, state)
                    worth *= _product(ints[ch + 1], at.row_start, at.gate, factor, ints, floats, state)
                    if ints[ch + 3] & IS_CALMED:
                        lowering = 0.0
                        for i in range(ints[ch + 6], ints[ch + 13]):
                            j = ints[at.calm_low + i]
                            decay = floats[calm_decay + j]
                            strength = floats[at.calm_strength + phase * at.n_calm_strength + i]
                            lowering += (
                                strength * state_f[calm + 2 * j] * math.exp(-decay * (now - state_f[calm + 2 * j + 1]))
                            )
                        worth *= math.exp(-lowering)
                    if worth < low + width and low + width * draw(key, MARK) >= worth:
                        continue

                if c >= 0:
                    # It happens. What came before the window, given or latent, moves the state but is not recorded.
                    me = parent
                    if now >= begin:
                        me = n_out - base_out
                        if n_out == capacity:
                            return r, FULL
                        out_time[n_out] = now
                        out_channel[n_out] = c
                        out_parent[n_out] = parent
                        out_mechanism[n_out] = mechanism
                        out_key[n_out] = key
                        n_out += 1
                        if me & 1023 == 1023:
                            control[DONE] = r + (now - start) / (horizon - start)
                            if control[STOP] != 0.0:
                                return r, STOPPED
                    flags = ints[ch + 3]
                    if flags & HAS_EFFECTS:
                        i = ints[ch + 4]
                        n_effects = ints[ch + 11] - i
                        for n in range(n_effects):
                            chance = floats[chance0 + i + n]
                            if chance >= 1.0 or draw(key, np.uint64(EFFECT_COIN + n)) < chance:
                                j = at.effect + 2 * (i + n)
                                state[changing + 2 * n_changing] = ints[j]
                                state[changing + 2 * n_changing + 1] = ints[j + 1]
                                n_changing += 1
                    if flags & ADDS_CALM:
                        for i in range(ints[ch + 5], ints[ch + 12]):
                            j = ints[at.calm_add + i]
                            decay = floats[calm_decay + j]
                            state_f[calm + 2 * j] *= math.exp(-decay * (now - state_f[calm + 2 * j + 1]))
                            state_f[calm + 2 * j] += floats[at.calm_amount + phase * at.n_calm_amount + i]
                            state_f[calm + 2 * j + 1] = now

            # Facts change, and what is timed by them starts or stops.
            for n in range(n_changing):
                s = state[changing + 2 * n]
                new = state[changing + 2 * n + 1]
                fact = at.fact + 3 * s
                old = state[level + s]
                if old == new:
                    continue
                if old >= 0 and now > begin:
                    cell = ints[fact + 1] + old
                    result[r, 3 + cell] += now - state_f[stands_since + s]
                    state_f[stands_since + s] = now
                state[level + s] = new
                state[epoch + s] += 1
                if waiting[N_FREE] < room_for_timers:
                    return r, NO_SLOTS
                cell = ints[fact + 1] + new
                i = ints[at.timer_start + cell]
                n_timed = ints[at.timer_start + cell + 1] - i
                n_watching = ints[fact + 5] - ints[fact + 2]
                for timed in range(n_timed + n_watching):
                    if timed < n_timed:
                        j = i + timed
                        k = child(key, TIMER_TAG, j)
                        mean = floats[at.timer_mean + phase * at.n_timers + j]
                        fires = ints[at.timer + 3 * j + 1]
                        watch = s
                        if ints[at.timer + 3 * j + 2] != 0:
                            when = now + mean
                        elif is_complete and now < begin:
                            # Known to have stood until the window begins, an exponential time starts afresh there.
                            when = begin - math.log(draw(k, DELAY)) * mean
                        else:
                            when = now - math.log(draw(k, DELAY)) * mean
                    else:
                        q = ints[fact + 2] + timed - n_timed
                        j = at.policy_holds + ints[at.policy + 4 * q]
                        holds = ints[j + new] != 0
                        if old >= 0 and holds == (ints[j + old] != 0):
                            continue
                        watch = at.n_facts + q
                        state[epoch + watch] += 1
                        if not holds:
                            continue
                        k = child(child(key, TIMER_TAG, ints[at.policy + 4 * q + 2]), TIMER_TAG, FIRST)
                        fires = ints[at.policy + 4 * q + 1]
                        when = max(now + floats[at.policy_f + 3 * q], floats[at.policy_f + 3 * q + 1], begin)
                        if when >= floats[at.policy_f + 3 * q + 2]:
                            continue
                    if when < horizon and not (is_complete and when < begin):
                        push(
                            waiting, slot_time, slot_key, slot, heap_time, heap_slot, head,
                            bucket_of(when, start, per_day, n_buckets),
                            when, k, -1 - watch, np.int64(me), fires, np.int64(TIMER), state[epoch + watch],
                        )  # fmt: skip
            is_start = False
            if c < 0:
                continue

            # It bears candidates, with a delay from now; a past event what is left of them when the window begins.
            row = c
            n_rows = at.n_channels
            since = now
            if now < begin:
                if parent > -2 or mechanism == TIMER:
                    continue
                row = at.n_streams * at.n_channels + (-2 - parent)
                n_rows = at.n_past
                since = begin
            elif n_out - base_out >= limit:
                exploded = 1.0
                reached = now
                break
            for i in range(at.n_streams):
                e0 = ints[at.branch_start + row]
                n_entries = ints[at.branch_start + row + 1] - e0
                if n_entries > 0:
                    k0 = key if i == 0 else child(key, LAYER, ints[at.stream + 2 * i])
                    j = at.branch + 3 * row
                    # So many that counting them would take long, or keeping them all the memory there is.
                    if floats[j] * floats[j + 1] > 2.0 * control[MOST_WAITING]:
                        exploded = 1.0
                        break
                    n_born = poisson(k0, floats[j], np.int64(floats[j + 1]), floats[j + 2])
                    if len(slot_time) - waiting[N_FREE] + n_born > control[MOST_WAITING]:
                        exploded = 1.0
                        break
                    if waiting[N_FREE] < n_born:
                        return r, NO_SLOTS
                    for n in range(n_born):
                        k = child(k0, OFFSPRING, n)
                        e, share = pick(draw(k, CHOICE), e0, n_entries)
                        if share >= keep[8 * e + 7]:
                            e = entry[8 * e + 4]
                        m = entry[8 * e + 2]
                        if entry[8 * e + 6] >= 0:
                            j = entry[8 * e + 6]
                        else:
                            j = ints[at.kernel_start + m]
                            j_last = ints[at.kernel_start + m + 1] - 1
                            if j < j_last:
                                u = draw(k, COMPONENT)
                                while j < j_last and u >= floats[kernel + 2 * j]:
                                    j += 1
                        when = since - math.log(draw(k, DELAY)) * floats[kernel + 2 * j + 1]
                        if when < horizon:
                            push(
                                waiting, slot_time, slot_key, slot, heap_time, heap_slot, head,
                                bucket_of(when, start, per_day, n_buckets),
                                when, k, e, np.int64(me), entry[8 * e + 1], m, FIRST,
                            )  # fmt: skip
                row += n_rows
            if exploded != 0.0:
                reached = now
                break

        for s in range(at.n_facts):
            cell = ints[at.fact + 3 * s + 1] + state[level + s]
            result[r, 3 + cell] += max(reached - state_f[stands_since + s], 0.0)
        result[r, 0] = n_out - base_out
        result[r, 1] = exploded
        result[r, 2] = reached
        control[DONE] = r + 1
        control[CANDIDATES] += n_candidates
        if exploded != 0.0:
            clear(waiting, slot, head)
    return n_replicates, FINISHED
