"""Facts that no event reports, from acts stamped with a day; and the day likelihood that follows.

In: a `Design`, what moves the facts, decays, parameters, events in day order. Out: the probability of every level of
every fact on each day before its acts, and `DayRows` in which every gate is its mean over those probabilities.

As `beliefs`, with two changes. Within a day the order of acts is unknown: gates are read half before and half after the
day's acts, a channel's own acts read as not yet done, its answers' as done. And a day's counts speak at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.beliefs import (
    FAINT,
    Drift,
    act_on_facts,
    configurations,
    drift_facts,
    learn_from_silence,
    weigh,
)
from powderkeg.engine.daypass import (
    age,
    collect,
    find_blocks,
    find_root,
    grown_floats,
    grown_ints,
    grown_rows,
    later_bend,
    later_share,
    next_bend,
    next_day,
    same_day,
)
from powderkeg.engine.design import Design
from powderkeg.engine.likelihood import SMALLEST, calm_level, cell_of, season_integral


@njit(cache=True, nogil=True, error_model="numpy")
def hidden_day_pass(
    d: Design,
    f: Drift,
    decay: Floats,
    slope: Floats,
    linear: Floats,
    course: Floats,
    day: Ints,
    channel: Ints,
    days: int,
    sloped: bool,
    at_day: Floats,
    replay: bool,
) -> tuple[Ints, Ints, Floats, Floats, Ints, Ints, Ints, Ints, Floats, Floats, Floats, Floats, Floats, Ints, Ints]:
    """Rows, echoes, blocks and exposures over days 0..days-1, gates at their mean over what is believed.

    slope    (T,) coefficient of every term per unit of its linear parameter;  linear (n,) those parameters
    course   (shapes,) factor of the background in each shape
    at_day   (days from the first event's or day 0 on, cells) probabilities at noon of each day before its acts: read
             if `replay`, else filled
    returns  the fields of `DayRows`
    """
    n = len(day)
    n_groups, n_grounds, n_pairs = len(d.group_term), len(d.ground_term), len(d.pair_size)
    n_mechanisms = len(d.kernel_start) - 1
    n_cells = f.level_start[-1]
    n_channels = len(d.channel_ground)
    widest = 1
    largest = 1
    for m in range(n_mechanisms):
        widest = max(widest, d.kernel_start[m + 1] - d.kernel_start[m])
    for q in range(n_pairs):
        largest = max(largest, d.pair_size[q])
    echo_share = np.zeros(n_mechanisms)
    echo_slope = np.zeros((n_mechanisms, widest))
    for m in range(n_mechanisms):
        for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
            echo_share[m] += d.kernel_share[j] * same_day(decay[j])
            echo_slope[m, j - d.kernel_start[m]] = -d.kernel_share[j] * later_bend(decay[j])
    slot_channel = np.empty(len(d.slot_group), np.int64)
    for c in range(n_channels):
        for s in range(d.slot_start[c], d.slot_start[c + 1]):
            slot_channel[s] = c
    p = np.zeros(n_cells)
    for s in range(len(f.comes)):
        p[f.level_start[s] + d.initial_level[s]] = 1.0
    origin = min(0, day[0]) if n > 0 else 0

    start = np.zeros(n + 1, np.int64)
    acts = np.empty(n, np.float64)
    row_channel = np.empty(n, np.int64)
    row_day = np.empty(n, np.int64)
    block = np.zeros(n + 1, np.int64)
    echo_start = np.zeros(n + 1, np.int64)
    term = np.empty(16 * n + 64, np.int64)
    value = np.empty(16 * n + 64, np.float64)
    bend = np.zeros((16 * n + 64 if sloped else 0, widest))
    echo_from = np.empty(4 * n + 16, np.int64)
    echo_term = np.empty(4 * n + 16, np.int64)
    echo_value = np.empty(4 * n + 16, np.float64)
    echo_bend = np.zeros((4 * n + 16 if sloped else 0, widest))
    exposure = np.zeros(len(d.term_linear))
    exposure_bend = np.zeros((len(d.term_linear) if sloped else 0, widest))
    used = rows = blocks = echoes = 0

    reach = np.zeros((len(d.slot_group), widest))
    reach_age = np.zeros((len(d.slot_group), widest))
    reach_day = np.full(len(d.slot_group), origin)
    total = np.zeros((n_groups, widest))
    total_age = np.zeros((n_groups, widest))
    x = np.zeros(len(d.calm_decay))
    n_calms = len(d.calm_set_start) - 1
    calm_now = np.ones(n_calms + 1)  # last place: no calm
    mass = np.zeros(n_groups)
    mass_bend = np.zeros((n_groups, widest))
    ground_mass = np.zeros(n_grounds)
    pair_mass = np.zeros(n_pairs)
    expected = np.zeros(n_cells)
    tally = np.zeros(n_cells)
    speaks = np.zeros(n_cells)
    before = np.zeros(n_cells)
    after = np.zeros(n_cells)
    own = np.zeros(n_cells)
    other = np.zeros(n_cells)
    chance = np.zeros(largest)
    chance_after = np.zeros(largest)
    changed = np.zeros(len(f.comes), np.bool_)
    slope_here = np.zeros(widest)

    busiest = 1
    i = 0
    while i < n:
        last = i
        while last < n and day[last] == day[i]:
            last += 1
        busiest = max(busiest, last - i)
        i = last
    row_of = np.full(n_channels, -1, np.int64)
    today = np.empty(busiest, np.int64)
    times = np.empty(busiest, np.float64)
    parent = np.empty(busiest, np.int64)
    order = np.empty(busiest, np.int64)
    place = np.empty(busiest, np.int64)
    sizes = np.empty(busiest, np.int64)
    link_to = np.empty(64, np.int64)
    link_from = np.empty(64, np.int64)
    link_slot = np.empty(64, np.int64)
    link_value = np.empty(64, np.float64)

    i = 0
    for now in range(origin, days):
        scored = now >= 0
        last = i
        n_today = 0
        if i < n and day[i] == now:
            last, n_today = collect(day, channel, i, row_of, today, times)
        # beliefs before and after today's acts
        if replay:
            before[:] = at_day[now - origin]
        else:
            drift_facts(f, p, 0.5)
            before[:] = p
            at_day[now - origin] = p
        after[:] = before
        for s in range(len(f.comes)):
            changed[s] = False
        for e in range(i, last):
            act_on_facts(f, after, channel[e])
            for k in range(f.start[channel[e]], f.start[channel[e] + 1]):
                changed[f.fact[k]] = True

        # what is expected today of the days before, were every gate 1
        for k in range(n_calms):
            calm_now[k] = calm_level(d, x, 0.0, k, 0.5)
        pair_mass[:] = 0.0
        for g in range(n_groups):
            mass[g] = 0.0
            m = d.group_mechanism[g]
            calm = calm_now[d.group_calm[g]]
            for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
                k = j - d.kernel_start[m]
                mass_bend[g, k] = 0.0
                if total[g, k] > 0.0:
                    b = decay[j]
                    w = later_share(b)
                    gone = -np.expm1(-b)
                    part = d.kernel_share[j] * calm
                    mass[g] += part * w * gone * total[g, k]
                    fade = np.exp(-b)
                    shift = fade * (total_age[g, k] + total[g, k]) - total_age[g, k]
                    mass_bend[g, k] = part * (later_bend(b) * gone * total[g, k] + w * b * shift)
            age(d.kernel_start, m, total[g], total_age[g], decay, 1)
            pair_mass[d.group_pair[g]] += mass[g] * linear[d.term_linear[d.group_term[g]]]
        cell = cell_of(d.cell_time, now + 0.5)
        for b in range(n_grounds):
            q = d.ground_profile[b]
            season = season_integral(d.profile_swing[q], d.profile_peak[q], float(now), now + 1.0)
            ground_mass[b] = d.ground_scale[b] * d.cell_value[q, cell] * season * calm_now[d.ground_calm[b]]
            own_rate = course[d.cell_shape[cell]] * linear[d.term_linear[d.ground_term[b]]]
            pair_mass[d.ground_pair[b]] += ground_mass[b] * own_rate
        expected[:] = 0.0
        for q in range(n_pairs):
            facts = d.pair_fact[d.pair_fact_start[q] : d.pair_fact_start[q + 1]]
            configurations(facts, f.level_start, before, chance)
            if not replay and pair_mass[q] > 0.0 and d.pair_size[q] > 1:
                gate = slope[d.pair_term[q] :]
                weigh(facts, f.level_start, d.pair_size[q], before, chance, gate, pair_mass[q], expected)
            if not scored:
                continue
            configurations(facts, f.level_start, after, chance_after)
            for k in range(d.pair_size[q]):
                c_mean = 0.5 * (chance[k] + chance_after[k])
                if c_mean <= FAINT:
                    continue
                for r in range(d.pair_group_start[q], d.pair_group_start[q + 1]):
                    g = d.pair_group[r]
                    if mass[g] > 0.0:
                        exposure[d.group_term[g] + k] += c_mean * mass[g]
                        if sloped:
                            for h in range(widest):
                                exposure_bend[d.group_term[g] + k, h] += c_mean * mass_bend[g, h]
                for r in range(d.pair_ground_start[q], d.pair_ground_start[q + 1]):
                    b = d.pair_ground[r]
                    exposure[d.ground_term[b] + k * d.n_shapes + d.cell_shape[cell]] += c_mean * ground_mass[b]

        # echoes among today's rows, and the blocks they form
        links = 0
        for r in range(n_today):
            parent[r] = r
        for r in range(n_today if scored else 0):
            c = today[r]
            for k in range(d.out_start[c], d.out_start[c + 1]):
                s = d.out_slot[k]
                to = row_of[slot_channel[s]]
                if to < 0:
                    continue
                v = echo_share[d.group_mechanism[d.slot_group[s]]] * d.out_mass[k] * times[r]
                if v <= SMALLEST:
                    continue
                if links == len(link_to):
                    link_to = grown_ints(link_to, links + 1)
                    link_from = grown_ints(link_from, links + 1)
                    link_slot = grown_ints(link_slot, links + 1)
                    link_value = grown_floats(link_value, links + 1)
                link_to[links] = to
                link_from[links] = r
                link_slot[links] = s
                link_value[links] = v
                links += 1
                a = find_root(parent, to)
                z = find_root(parent, r)
                if a != z:
                    parent[max(a, z)] = min(a, z)
        n_blocks = find_blocks(parent, n_today, place, order, sizes)
        if scored:
            first = rows
            for b in range(n_blocks):
                first += sizes[b]
                block[blocks + 1] = first
                blocks += 1
        need = echoes + 2 * links * largest
        echo_from = grown_ints(echo_from, need)
        echo_term = grown_ints(echo_term, need)
        echo_value = grown_floats(echo_value, need)
        if sloped:
            echo_bend = grown_rows(echo_bend, need)

        # rows
        first_row = rows
        tally[:] = 0.0
        for at in range(n_today):
            r = order[at]
            c = today[r]
            calm = calm_now[d.ground_calm[d.channel_ground[c]]]
            own[:] = after
            if f.start[c + 1] > f.start[c]:  # its own acts read as not yet done
                own[:] = before
                for e in range(i, last):
                    if channel[e] != c:
                        act_on_facts(f, own, channel[e])
            n_slots = d.slot_start[c + 1] - d.slot_start[c]
            n_links = 0
            for k in range(links):
                if link_to[k] == r:
                    n_links += 1
            need = used + 2 * (n_slots + 1 + n_links) * largest
            term = grown_ints(term, need)
            value = grown_floats(value, need)
            if sloped:
                bend = grown_rows(bend, need)
            speaks[:] = 0.0
            alike = 0.0
            for k in range(-1, n_slots + links):
                echo = k >= n_slots
                for h in range(widest):
                    slope_here[h] = 0.0
                if k < 0:
                    b = d.channel_ground[c]
                    q = d.ground_profile[b]
                    pair = d.ground_pair[b]
                    first, apart = d.ground_term[b] + d.cell_shape[cell], d.n_shapes
                    v = d.channel_scale[c] * d.cell_value[q, cell] * calm
                    v *= season_integral(d.profile_swing[q], d.profile_peak[q], float(now), now + 1.0)
                    weight = v * course[d.cell_shape[cell]] * linear[d.term_linear[first]]
                else:
                    if echo:
                        if link_to[k - n_slots] != r:
                            continue
                        s = link_slot[k - n_slots]
                    else:
                        s = d.slot_start[c] + k
                    g = d.slot_group[s]
                    m = d.group_mechanism[g]
                    pair = d.group_pair[g]
                    first, apart = d.group_term[g], 1
                    if echo:
                        v = link_value[k - n_slots] * calm
                        for h in range(widest):
                            slope_here[h] = v / echo_share[m] * echo_slope[m, h]
                    else:
                        age(d.kernel_start, m, reach[s], reach_age[s], decay, now - reach_day[s])
                        reach_day[s] = now
                        v = 0.0
                        for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
                            h = j - d.kernel_start[m]
                            part = d.kernel_share[j] * calm
                            v += part * next_day(decay[j]) * reach[s, h]
                            slope_here[h] = part * (
                                next_bend(decay[j]) * reach[s, h] - next_day(decay[j]) * decay[j] * reach_age[s, h]
                            )
                    weight = v * linear[d.term_linear[first]]
                if v <= SMALLEST:
                    continue
                facts = d.pair_fact[d.pair_fact_start[pair] : d.pair_fact_start[pair + 1]]
                other[:] = before
                if echo:
                    source = today[link_from[k - n_slots]]
                    for e in range(i, last):
                        if channel[e] == source:
                            act_on_facts(f, other, source)
                configurations(facts, f.level_start, other, chance)
                configurations(facts, f.level_start, own, chance_after)
                if scored:
                    for h in range(d.pair_size[pair]):
                        c_mean = 0.5 * (chance[h] + chance_after[h])
                        if c_mean > FAINT:
                            term[used] = first + h * apart
                            value[used] = v * c_mean
                            if sloped:
                                for w in range(widest):
                                    bend[used, w] = slope_here[w] * c_mean
                            used += 1
                            if echo:
                                echo_from[echoes] = first_row + place[link_from[k - n_slots]]
                                echo_term[echoes] = first + h * apart
                                echo_value[echoes] = v * c_mean
                                if sloped:
                                    for w in range(widest):
                                        echo_bend[echoes, w] = slope_here[w] * c_mean
                                echoes += 1
                if not replay:
                    # r given each level of each fact; components that do not read a fact add to its levels alike
                    gate = slope[d.pair_term[pair] :]
                    for half in range(2):
                        expected_here = np.zeros(n_cells)
                        probabilities = other if half == 0 else own
                        chances = chance if half == 0 else chance_after
                        mean = weigh(
                            facts, f.level_start, d.pair_size[pair], probabilities, chances, gate, 0.5 * weight,
                            expected_here,
                        )  # fmt: skip
                        alike += mean
                        for fact in facts:
                            told = changed[fact] and (half == 1 or echo)  # today's acts decide it, not this morning
                            for level in range(f.level_start[fact], f.level_start[fact + 1]):
                                speaks[level] += 0.0 if told else expected_here[level] - mean
            if not replay and alike > 0.0:
                for level in range(n_cells):
                    if before[level] > 0.0:
                        tally[level] += times[r] * np.log(max((alike + speaks[level]) / alike, 1e-300))
            if scored:
                acts[rows] = times[r]
                row_channel[rows] = c
                row_day[rows] = now
                rows += 1
                start[rows] = used
                echo_start[rows] = echoes

        # today's acts raise tomorrow and after; their echoes are expected today
        for r in range(n_today):
            c = today[r]
            other[:] = before
            for e in range(i, last):
                if channel[e] == c:
                    act_on_facts(f, other, c)
            for k in range(d.out_start[c], d.out_start[c + 1]):
                s = d.out_slot[k]
                m = d.group_mechanism[d.slot_group[s]]
                age(d.kernel_start, m, reach[s], reach_age[s], decay, now + 1 - reach_day[s])
                reach_day[s] = now + 1
                for h in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    reach[s, h] += d.out_mass[k] * times[r]
            for k in range(d.feed_start[c], d.feed_start[c + 1]):
                g = d.feed_group[k]
                m = d.group_mechanism[g]
                for h in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    total[g, h] += d.feed_mass[k] * times[r]
                if scored:
                    pair = d.group_pair[g]
                    facts = d.pair_fact[d.pair_fact_start[pair] : d.pair_fact_start[pair + 1]]
                    configurations(facts, f.level_start, other, chance)
                    configurations(facts, f.level_start, after, chance_after)
                    amount = d.feed_mass[k] * times[r] * calm_now[d.group_calm[g]]
                    for h in range(d.pair_size[pair]):
                        c_mean = 0.5 * (chance[h] + chance_after[h])
                        if c_mean > FAINT:
                            exposure[d.group_term[g] + h] += c_mean * amount * echo_share[m]
                            if sloped:
                                for w in range(widest):
                                    exposure_bend[d.group_term[g] + h, w] += c_mean * amount * echo_slope[m, w]
        if not replay:
            # the day's counts and silences speak of this morning; where today's acts decide a fact, silence does half
            for s in range(len(f.comes)):
                share = 0.5 if changed[s] else 1.0
                for level in range(f.level_start[s], f.level_start[s + 1]):
                    expected[level] = share * expected[level] - tally[level]
            learn_from_silence(f, p, expected, 1.0)
            for e in range(i, last):
                act_on_facts(f, p, channel[e])
            drift_facts(f, p, 0.5)
        for k in range(len(x)):
            x[k] *= np.exp(-d.calm_decay[k])
        for e in range(i, last):
            c = channel[e]
            for k in range(d.calm_add_start[c], d.calm_add_start[c + 1]):
                j = d.calm_add_index[k]
                x[j] += d.calm_add_amount[k] * np.exp(-0.5 * d.calm_decay[j])
        for r in range(n_today):
            row_of[today[r]] = -1
        i = last
    if sloped:
        bend = bend[:used].copy()
        echo_bend = echo_bend[:echoes].copy()
    return (
        start[: rows + 1].copy(), term[:used].copy(), value[:used].copy(), acts[:rows].copy(),
        block[: blocks + 1].copy(), echo_start[: rows + 1].copy(), echo_from[:echoes].copy(),
        echo_term[:echoes].copy(), echo_value[:echoes].copy(), exposure, bend, echo_bend, exposure_bend,
        row_channel[:rows].copy(), row_day[:rows].copy(),
    )  # fmt: skip
