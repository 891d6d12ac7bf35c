"""Facts and the order of a day's acts, from acts stamped with a day; and the day likelihood that follows.

In: a `Design`, what moves the facts, decays, parameters, events in day order. Out: the probability of every level of
every fact on each day before its acts; the `Trail` of the days whose acts read facts that acts of the same day change;
and `DayRows` in which every gate is its mean over what is believed.

A day whose acts leave each other's gates alone is scored as in `daylikelihood`. Else the order of its acts matters, and
is not in the data: all orders (or, of more than five acts, 120 drawn ones) are walked through with the filter of
`beliefs`, an act answering only to what came before it, and weighed by how likely the acts were in that order. An act
that comes before in a random order excites at twice the rate that the day's mean has. Where more than `MOST_ORDERED`
acts fall on such a day, gates are read half before and half after the other acts of the day instead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import allocating, allocating_loop, inner
from powderkeg.engine.likelihood.day_steps import (
    age,
    collect,
    find_blocks,
    later_bend,
    later_share,
    link_acts,
    next_bend,
    next_day,
    same_day,
    sort_links,
)
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact_filtered import (
    FAINT,
    Drift,
    act_on_facts,
    configurations,
    copy_into,
    drift_facts,
    learn_from_act,
    learn_from_silence,
    weigh,
)
from powderkeg.engine.likelihood.exact_steps import SMALLEST, Calms, calm_level, cell_of, season_integral

MOST_ORDERED = 10
"""Acts of one day up to which their orders are weighed."""
ORDERS = 120
"""Orders weighed: all of five acts, a sample of more."""
UNLIKELY = 1e-4
"""Posterior weight below which an order is dropped."""


class Trail(NamedTuple):
    """States along the kept orders of the days on which order matters, one step after the other.

    size    (days,) steps of each day
    belief  (steps, cells) probabilities just before the act of the step, or after the last act of an order
    weight  (steps,) posterior weight of the order that the step belongs to
    row     (steps,) which of the day's channels acts, in order of appearance; -1 where an order ends
    """

    size: Ints
    belief: Floats
    weight: Floats
    row: Ints


@allocating
def grown_ints(a: Ints, need: int) -> Ints:
    if need <= len(a):
        return a
    b = np.empty(max(need, 2 * len(a)), np.int64)
    for i in range(len(a)):  # a slice would compile the message for shapes that differ: two seconds
        b[i] = a[i]
    return b


@allocating
def grown_floats(a: Floats, need: int) -> Floats:
    if need <= len(a):
        return a
    b = np.empty(max(need, 2 * len(a)), np.float64)
    for i in range(len(a)):
        b[i] = a[i]
    return b


@allocating
def grown_rows(a: Floats, need: int) -> Floats:
    if need <= len(a):
        return a
    b = np.zeros((max(need, 2 * len(a)), a.shape[1]))
    for i in range(len(a)):
        for k in range(a.shape[1]):
            b[i, k] = a[i, k]
    return b


@inner
def scramble(x: int) -> int:
    """A 31-bit hash: orders are drawn the same way every time."""
    x = (x ^ (x >> 16)) * 73244475 & 0x7FFFFFFF
    x = (x ^ (x >> 15)) * 73244475 & 0x7FFFFFFF
    return x ^ (x >> 16)


@inner
def next_order(order: Ints) -> bool:
    """The next permutation in lexical order, in place; False after the last. Equal entries are not told apart."""
    i = len(order) - 2
    while i >= 0 and order[i] >= order[i + 1]:
        i -= 1
    if i < 0:
        return False
    j = len(order) - 1
    while order[j] <= order[i]:
        j -= 1
    order[i], order[j] = order[j], order[i]
    left, right = i + 1, len(order) - 1
    while left < right:
        order[left], order[right] = order[right], order[left]
        left += 1
        right -= 1
    return True


def no_trail(n_days: int, n_cells: int) -> Trail:
    """The trail before anything is known."""
    return Trail(np.zeros(n_days, np.int64), np.zeros((0, n_cells)), np.zeros(0), np.zeros(0, np.int64))


@allocating
def list_orders(times: Floats, n_today: int, now: int) -> Ints:
    """(orders, acts) sequences of today's rows, each as often as it acted."""
    m = 0
    for r in range(n_today):
        m += int(times[r])
    first = np.empty(m, np.int64)
    at = 0
    for r in range(n_today):
        for _ in range(int(times[r])):
            first[at] = r
            at += 1
    found = np.empty((ORDERS, m), np.int64)
    n_orders = 0
    if m <= 5:
        more = True
        while more:
            found[n_orders] = first
            n_orders += 1
            more = next_order(first)
        return found[:n_orders].copy()
    for k in range(ORDERS):
        for i in range(m - 1, 0, -1):
            j = scramble(now * 7919 + k * 104729 + i * 31) % (i + 1)
            first[i], first[j] = first[j], first[i]
        found[k] = first
    return found


@allocating
def walk(
    orders: Ints,
    today: Ints,
    part_start: Ints,
    part_pair: Ints,
    part_weight: Floats,
    link_start: Ints,
    link_from: Ints,
    link_pair: Ints,
    link_weight: Floats,
    times: Floats,
    pair_fact_start: Ints,
    pair_fact: Ints,
    pair_size: Ints,
    pair_term: Ints,
    pair_mass: Floats,
    f: Drift,
    slope: Floats,
    largest: int,
    begin: Floats,
    end: Floats,
) -> tuple[Floats, Floats, Ints, float]:
    """Filter the day's acts in every order; (beliefs, weights, rows) of the steps of kept orders, log mean likelihood.

    begin  (cells,) beliefs before the day's acts;  end (cells,) receives the mean belief after them
    """
    n_orders, m = orders.shape
    n_cells = len(begin)
    belief = np.zeros((n_orders, m + 1, n_cells))
    log_likelihood = np.zeros(n_orders)
    chance = np.zeros(largest)
    intensity = np.zeros(n_cells)
    p = np.zeros(n_cells)
    n_facts = len(f.comes)
    reads = np.empty(n_facts, np.int64)
    is_read = np.zeros(n_facts, np.bool_)
    done = np.zeros(len(times))
    widest = 1
    for r in range(len(part_start) - 1):
        widest = max(widest, part_start[r + 1] - part_start[r] + link_start[r + 1] - link_start[r])
    used_pair = np.empty(widest, np.int64)
    used_mean = np.empty(widest)
    best = -np.inf
    for k in range(n_orders):
        copy_into(p, begin)
        done[:] = 0.0
        for step in range(m + 1):
            copy_into(belief[k, step], p)
            for q in range(len(pair_size)):
                if pair_mass[q] > 0.0 and pair_size[q] > 1:
                    facts = pair_fact[pair_fact_start[q] : pair_fact_start[q + 1]]
                    configurations(facts, f.level_start, p, chance)
                    mean = 0.0
                    for i in range(pair_size[q]):
                        mean += chance[i] * slope[pair_term[q] + i]
                    log_likelihood[k] -= pair_mass[q] * mean / (m + 1.0)
            if step == m:
                break
            r = orders[k, step]
            intensity[:] = 0.0
            n_reads = 0
            n_used = 0
            total = 0.0
            n_parts = part_start[r + 1] - part_start[r]
            for i in range(n_parts + link_start[r + 1] - link_start[r]):
                if i < n_parts:
                    pair = part_pair[part_start[r] + i]
                    weight = part_weight[part_start[r] + i]
                else:
                    j = link_start[r] + i - n_parts
                    pair = link_pair[j]
                    weight = 2.0 * link_weight[j] * done[link_from[j]] / times[link_from[j]]
                if weight <= 0.0:
                    continue
                facts = pair_fact[pair_fact_start[pair] : pair_fact_start[pair + 1]]
                configurations(facts, f.level_start, p, chance)
                gate = slope[pair_term[pair] :]
                mean = weigh(facts, f.level_start, pair_size[pair], p, chance, gate, weight, intensity)
                total += mean
                used_pair[n_used] = pair
                used_mean[n_used] = mean
                n_used += 1
                for s in facts:
                    if not is_read[s]:
                        is_read[s] = True
                        reads[n_reads] = s
                        n_reads += 1
            for i in range(n_reads):  # parts that do not read a fact add to its levels alike
                is_read[reads[i]] = False
                alike = 0.0
                for j in range(n_used):
                    has = False
                    for h in range(pair_fact_start[used_pair[j]], pair_fact_start[used_pair[j] + 1]):
                        has = has or pair_fact[h] == reads[i]
                    if not has:
                        alike += used_mean[j]
                for level in range(f.level_start[reads[i]], f.level_start[reads[i] + 1]):
                    intensity[level] += alike
            if not total > 0.0:
                log_likelihood[k] = -np.inf
                break
            log_likelihood[k] += np.log(total)
            learn_from_act(f, p, intensity, reads, n_reads)
            act_on_facts(f, p, today[r])
            done[r] += 1.0
        best = max(best, log_likelihood[k])
    end[:] = 0.0
    if not best > -np.inf:
        return np.zeros((0, n_cells)), np.zeros(0), np.zeros(0, np.int64), -np.inf
    weight_of = np.empty(n_orders)
    mass = 0.0
    for k in range(n_orders):
        weight_of[k] = np.exp(log_likelihood[k] - best)
        mass += weight_of[k]
    mean = mass / n_orders
    for k in range(n_orders):
        weight_of[k] /= mass
    kept = 0.0
    n_kept = 0
    for k in range(n_orders):
        if weight_of[k] > UNLIKELY:
            kept += weight_of[k]
            n_kept += 1
    steps = np.zeros((n_kept * (m + 1), n_cells))
    weights = np.zeros(n_kept * (m + 1))
    rows = np.full(n_kept * (m + 1), -1, np.int64)
    at = 0
    for k in range(n_orders):
        if weight_of[k] > UNLIKELY:
            for step in range(m + 1):
                steps[at] = belief[k, step]
                weights[at] = weight_of[k] / kept
                if step < m:
                    rows[at] = orders[k, step]
                else:
                    for i in range(n_cells):
                        end[i] += weights[at] * belief[k, step, i]
                at += 1
    return steps, weights, rows, best + np.log(mean)


@inner
def expect_groups(
    calm_now: Floats, decay: Floats, linear: Floats, group_mechanism: Ints, group_calm: Ints, group_pair: Ints,
    group_term: Ints, term_linear: Ints, kernel_start: Ints, kernel_share: Floats, total: Floats, total_age: Floats,
    mass: Floats, mass_bend: Floats, pair_mass: Floats,
) -> None:  # fmt: skip
    """Answers that each group expects today of the days before, were every gate 1; levels go on to tomorrow."""
    for g in range(len(group_term)):
        mass[g] = 0.0
        m = group_mechanism[g]
        calm = calm_now[group_calm[g]]
        for j in range(kernel_start[m], kernel_start[m + 1]):
            k = j - kernel_start[m]
            mass_bend[g, k] = 0.0
            if total[g, k] > 0.0:
                b = decay[j]
                w = later_share(b)
                gone = -np.expm1(-b)
                share = kernel_share[j] * calm
                mass[g] += share * w * gone * total[g, k]
                fade = np.exp(-b)
                shift = fade * (total_age[g, k] + total[g, k]) - total_age[g, k]
                mass_bend[g, k] = share * (later_bend(b) * gone * total[g, k] + w * b * shift)
        age(kernel_start, decay, m, total, total_age, g, 1)
        pair_mass[group_pair[g]] += mass[g] * linear[term_linear[group_term[g]]]


@inner
def expect_grounds(
    now: int, cell: int, calm_now: Floats, course: Floats, linear: Floats, ground_profile: Ints, ground_calm: Ints,
    ground_pair: Ints, ground_term: Ints, ground_scale: Floats, term_linear: Ints, cell_value: Floats,
    cell_shape: Ints, swing: Floats, peak: Floats, ground_mass: Floats, pair_mass: Floats,
) -> None:  # fmt: skip
    """What each ground expects today by itself, likewise."""
    for b in range(len(ground_term)):
        q = ground_profile[b]
        season = season_integral(swing[q], peak[q], float(now), now + 1.0)
        ground_mass[b] = ground_scale[b] * cell_value[q, cell] * season * calm_now[ground_calm[b]]
        rate = course[cell_shape[cell]] * linear[term_linear[ground_term[b]]]
        pair_mass[ground_pair[b]] += ground_mass[b] * rate


@allocating_loop
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
    given: Trail,
    replay: bool,
) -> tuple[
    tuple[Ints, Ints, Floats, Floats, Ints, Ints, Ints, Ints, Floats, Floats, Floats, Floats, Floats, Ints, Ints],
    Floats,
    Trail,
    float,
    tuple[Ints, Ints, Ints, Floats],
]:
    """Rows, echoes, blocks and exposures over days 0..days-1, gates at their mean over what is believed.

    slope    (T,) coefficient of every term per unit of its linear parameter;  linear (n,) those parameters
    course   (shapes,) factor of the background in each shape
    at_day   (days from the first event's or day 0 on, cells) probabilities at noon of each day before its acts: read
             if `replay`, else filled
    given    the trail to replay
    returns  the fields of `DayRows`; the weight of each block; the trail; what the entropy of the orders adds to the
             log likelihood; for rows of ordered days, their answers to acts of the same day: row, channel answered,
             term, value
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

    room = n + 1  # rows that the arrays hold
    start = np.zeros(room + 1, np.int64)
    acts = np.empty(room, np.float64)
    row_channel = np.empty(room, np.int64)
    row_day = np.empty(room, np.int64)
    block = np.zeros(room + 1, np.int64)
    block_weight = np.ones(room)
    echo_start = np.zeros(room + 1, np.int64)
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
    trail_size = np.zeros(days - origin, np.int64)
    trail_belief = np.zeros((64, n_cells))
    trail_weight = np.zeros(64)
    trail_row = np.empty(64, np.int64)
    trails = 0
    entropy = 0.0
    reply_row = np.empty(64, np.int64)
    reply_channel = np.empty(64, np.int64)
    reply_term = np.empty(64, np.int64)
    reply_value = np.empty(64, np.float64)
    replies = 0

    reach = np.zeros((len(d.slot_group), widest))
    reach_age = np.zeros((len(d.slot_group), widest))
    reach_day = np.full(len(d.slot_group), origin)
    total = np.zeros((n_groups, widest))
    total_age = np.zeros((n_groups, widest))
    q_calm = Calms(
        d.calm_decay, d.calm_set_start, d.calm_set_index, d.calm_set_strength, d.calm_add_start, d.calm_add_index,
        d.calm_add_amount,
    )  # fmt: skip
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
    expected_here = np.zeros(n_cells)
    chance = np.zeros(largest)
    chance_after = np.zeros(largest)
    changed = np.zeros(len(f.comes), np.bool_)

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
    part_start = np.zeros(busiest + 1, np.int64)
    part_pair = np.empty(64, np.int64)
    part_first = np.empty(64, np.int64)
    part_apart = np.empty(64, np.int64)
    part_value = np.empty(64, np.float64)
    part_weight = np.empty(64, np.float64)
    part_slope = np.zeros((64, widest))
    link_start = np.zeros(busiest + 1, np.int64)
    found_to = np.empty(64, np.int64)
    found_from = np.empty(64, np.int64)
    found_slot = np.empty(64, np.int64)
    found_value = np.empty(64, np.float64)
    by_to = np.empty(64, np.int64)
    every_row = np.arange(busiest)

    i = 0
    for now in range(origin, days):
        scored = now >= 0
        last = i
        n_today = 0
        if i < n and day[i] == now:
            last, n_today = collect(day, channel, i, row_of, today, times)
        if replay:
            copy_into(before, at_day[now - origin])
        else:
            drift_facts(f, p, 0.5)
            copy_into(before, p)
            copy_into(at_day[now - origin], p)
        copy_into(after, before)
        for e in range(i, last):
            act_on_facts(f, after, channel[e])
        for s in range(len(f.comes)):
            changed[s] = False
            for level in range(f.level_start[s], f.level_start[s + 1]):
                changed[s] = changed[s] or abs(after[level] - before[level]) > 1e-6

        # what is expected today of the days before, were every gate 1
        for k in range(n_calms):
            calm_now[k] = calm_level(q_calm, x, 0.0, k, 0.5)
        for q in range(n_pairs):
            pair_mass[q] = 0.0
        expect_groups(
            calm_now, decay, linear, d.group_mechanism, d.group_calm, d.group_pair, d.group_term, d.term_linear,
            d.kernel_start, d.kernel_share, total, total_age, mass, mass_bend, pair_mass,
        )  # fmt: skip
        cell = cell_of(d.cell_time, now + 0.5)
        expect_grounds(
            now, cell, calm_now, course, linear, d.ground_profile, d.ground_calm, d.ground_pair, d.ground_term,
            d.ground_scale, d.term_linear, d.cell_value, d.cell_shape, d.profile_swing, d.profile_peak, ground_mass,
            pair_mass,
        )  # fmt: skip

        # parts of today's rows: what each channel's intensity is made of, were every gate 1
        n_parts = 0
        n_acts_today = last - i
        reads_changed = False
        for r in range(n_today):
            c = today[r]
            calm = calm_now[d.ground_calm[d.channel_ground[c]]]
            n_slots = d.slot_start[c + 1] - d.slot_start[c]
            if n_parts + n_slots + 1 > len(part_pair):
                need = n_parts + n_slots + 1
                part_pair = grown_ints(part_pair, need)
                part_first = grown_ints(part_first, need)
                part_apart = grown_ints(part_apart, need)
                part_value = grown_floats(part_value, need)
                part_weight = grown_floats(part_weight, need)
                part_slope = grown_rows(part_slope, need)
            b = d.channel_ground[c]
            q = d.ground_profile[b]
            part_pair[n_parts] = d.ground_pair[b]
            part_first[n_parts] = d.ground_term[b] + d.cell_shape[cell]
            part_apart[n_parts] = d.n_shapes
            v = d.channel_scale[c] * d.cell_value[q, cell] * calm
            v *= season_integral(d.profile_swing[q], d.profile_peak[q], float(now), now + 1.0)
            part_value[n_parts] = v
            part_weight[n_parts] = v * course[d.cell_shape[cell]] * linear[d.term_linear[part_first[n_parts]]]
            for h in range(widest):
                part_slope[n_parts, h] = 0.0
            n_parts += 1
            for s in range(d.slot_start[c], d.slot_start[c + 1]):
                g = d.slot_group[s]
                m = d.group_mechanism[g]
                age(d.kernel_start, decay, m, reach, reach_age, s, now - reach_day[s])
                reach_day[s] = now
                v = 0.0
                for h in range(widest):
                    part_slope[n_parts, h] = 0.0
                for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
                    h = j - d.kernel_start[m]
                    share = d.kernel_share[j] * calm
                    v += share * next_day(decay[j]) * reach[s, h]
                    part_slope[n_parts, h] = share * (
                        next_bend(decay[j]) * reach[s, h] - next_day(decay[j]) * decay[j] * reach_age[s, h]
                    )
                if v > SMALLEST:
                    part_pair[n_parts] = d.group_pair[g]
                    part_first[n_parts] = d.group_term[g]
                    part_apart[n_parts] = 1
                    part_value[n_parts] = v
                    part_weight[n_parts] = v * linear[d.term_linear[d.group_term[g]]]
                    n_parts += 1
            part_start[r + 1] = n_parts

        # links: which of today's acts may answer which, sorted by the one that answers
        links = -1
        while links < 0:
            links = link_acts(
                today, n_today, times, row_of, parent, d.out_start, d.out_slot, d.out_mass, slot_channel, d.slot_group,
                d.group_mechanism, echo_share, found_to, found_from, found_slot, found_value,
            )  # fmt: skip
            if links < 0:
                room_for_links = 2 * len(found_to)
                found_to = np.empty(room_for_links, np.int64)
                found_from = np.empty(room_for_links, np.int64)
                found_slot = np.empty(room_for_links, np.int64)
                found_value = np.empty(room_for_links, np.float64)
                by_to = np.empty(room_for_links, np.int64)
        link_from = np.empty(links, np.int64)
        link_pair = np.empty(links, np.int64)
        link_first = np.empty(links, np.int64)
        link_mechanism = np.empty(links, np.int64)
        link_value = np.empty(links, np.float64)
        link_weight = np.empty(links, np.float64)
        sort_links(links, found_to, every_row, n_today, link_start, by_to)
        for r in range(n_today):
            for at in range(link_start[r], link_start[r + 1]):
                k = by_to[at]
                g = d.slot_group[found_slot[k]]
                calm = calm_now[d.ground_calm[d.channel_ground[today[r]]]]
                link_from[at] = found_from[k]
                link_pair[at] = d.group_pair[g]
                link_first[at] = d.group_term[g]
                link_mechanism[at] = d.group_mechanism[g]
                link_value[at] = found_value[k] * calm
                link_weight[at] = found_value[k] * calm * linear[d.term_linear[d.group_term[g]]]
        for k in range(n_parts):
            for h in range(d.pair_fact_start[part_pair[k]], d.pair_fact_start[part_pair[k] + 1]):
                reads_changed = reads_changed or changed[d.pair_fact[h]]
        for k in range(links):
            for h in range(d.pair_fact_start[link_pair[k]], d.pair_fact_start[link_pair[k] + 1]):
                reads_changed = reads_changed or changed[d.pair_fact[h]]
        ordered = reads_changed and 2 <= n_acts_today <= MOST_ORDERED
        if replay:
            ordered = given.size[now - origin] > 0

        if ordered and not replay:
            steps, weights, which, worth = walk(
                list_orders(times, n_today, now), today, part_start, part_pair, part_weight, link_start, link_from,
                link_pair, link_weight, times, d.pair_fact_start, d.pair_fact, d.pair_size, d.pair_term, pair_mass, f,
                slope, largest, before, after,
            )  # fmt: skip
            ordered = worth > -np.inf
            if ordered:
                need = trails + len(which)
                trail_belief = grown_rows(trail_belief, need)
                trail_weight = grown_floats(trail_weight, need)
                trail_row = grown_ints(trail_row, need)
                for k in range(len(which)):
                    trail_belief[trails + k] = steps[k]
                    trail_weight[trails + k] = weights[k]
                    trail_row[trails + k] = which[k]
                trail_size[now - origin] = len(which)
                n_orders = ORDERS if n_acts_today > 5 else len(list_orders(times, n_today, now))
                if scored:
                    for k in range(len(which)):
                        if which[k] < 0:
                            entropy -= weights[k] * np.log(weights[k] * n_orders)
            else:  # no order makes today's acts possible: read them half and half, and let the caller report them
                copy_into(after, before)
                for e in range(i, last):
                    act_on_facts(f, after, channel[e])

        if ordered:
            first_step = trails
            if replay:
                size = given.size[now - origin]
                trail_size[now - origin] = size
            else:
                size = trail_size[now - origin]
            trails += size
            done = np.zeros(n_today)
            for k in range(first_step, first_step + size):
                here = given.belief[k] if replay else trail_belief[k]
                weight = given.weight[k] if replay else trail_weight[k]
                r = given.row[k] if replay else trail_row[k]
                if not scored:
                    continue
                # the share of the day for which this state stood
                for q in range(n_pairs):
                    configurations(
                        d.pair_fact[d.pair_fact_start[q] : d.pair_fact_start[q + 1]], f.level_start, here, chance
                    )
                    for h in range(d.pair_size[q]):
                        stood = weight * chance[h] / (n_acts_today + 1.0)
                        if stood <= FAINT:
                            continue
                        for j in range(d.pair_group_start[q], d.pair_group_start[q + 1]):
                            g = d.pair_group[j]
                            if mass[g] > 0.0:
                                exposure[d.group_term[g] + h] += stood * mass[g]
                                if sloped:
                                    for w in range(widest):
                                        exposure_bend[d.group_term[g] + h, w] += stood * mass_bend[g, w]
                        for j in range(d.pair_ground_start[q], d.pair_ground_start[q + 1]):
                            b = d.pair_ground[j]
                            where = d.ground_term[b] + h * d.n_shapes + d.cell_shape[cell]
                            exposure[where] += stood * ground_mass[b]
                # echoes expected of an act are spread over what follows it: counted at the end of the order
                if r < 0:
                    for e in range(n_today):
                        c = today[e]
                        for j in range(d.feed_start[c], d.feed_start[c + 1]):
                            g = d.feed_group[j]
                            m = d.group_mechanism[g]
                            pair = d.group_pair[g]
                            facts = d.pair_fact[d.pair_fact_start[pair] : d.pair_fact_start[pair + 1]]
                            # states after each act of c, later ones standing for all that follows
                            count = 0.0
                            for step in range(k - n_acts_today, k):
                                one = given.row[step] if replay else trail_row[step]
                                if one == e:
                                    count += 1.0
                            left = weight * d.feed_mass[j] * calm_now[d.group_calm[g]]
                            for step in range(k - n_acts_today + 1, k + 1):
                                # acts of c before this state, weighed by the state's share of the time that follows
                                so_far = 0.0
                                for earlier in range(k - n_acts_today, step):
                                    one = given.row[earlier] if replay else trail_row[earlier]
                                    if one == e:
                                        follow = k - earlier
                                        so_far += 1.0 / follow
                                if so_far <= 0.0:
                                    continue
                                there = given.belief[step] if replay else trail_belief[step]
                                configurations(facts, f.level_start, there, chance)
                                for h in range(d.pair_size[pair]):
                                    amount = left * so_far * chance[h]
                                    if amount > FAINT:
                                        exposure[d.group_term[g] + h] += amount * echo_share[m]
                                        if sloped:
                                            for w in range(widest):
                                                exposure_bend[d.group_term[g] + h, w] += amount * echo_slope[m, w]
                    done[:] = 0.0
                    continue
                # the act itself: answers only to what came before it
                c = today[r]
                need = used + (part_start[r + 1] - part_start[r] + link_start[r + 1] - link_start[r]) * largest
                term = grown_ints(term, need)
                value = grown_floats(value, need)
                if sloped:
                    bend = grown_rows(bend, need)
                if rows + 1 > room:
                    room = 2 * (rows + 1)
                    acts = grown_floats(acts, room)
                    row_channel = grown_ints(row_channel, room)
                    row_day = grown_ints(row_day, room)
                    block_weight = grown_floats(block_weight, room)
                    start = grown_ints(start, room + 1)
                    echo_start = grown_ints(echo_start, room + 1)
                    block = grown_ints(block, room + 1)
                own_parts = part_start[r + 1] - part_start[r]
                for j in range(own_parts + link_start[r + 1] - link_start[r]):
                    if j < own_parts:
                        one = part_start[r] + j
                        pair, first, apart, v = part_pair[one], part_first[one], part_apart[one], part_value[one]
                    else:
                        one = link_start[r] + j - own_parts
                        pair, first, apart = link_pair[one], link_first[one], 1
                        v = 2.0 * link_value[one] * done[link_from[one]] / times[link_from[one]]
                    if v <= SMALLEST:
                        continue
                    facts = d.pair_fact[d.pair_fact_start[pair] : d.pair_fact_start[pair + 1]]
                    configurations(facts, f.level_start, here, chance)
                    for h in range(d.pair_size[pair]):
                        if chance[h] > FAINT:
                            term[used] = first + h * apart
                            value[used] = v * chance[h]
                            if j >= own_parts:
                                reply_row = grown_ints(reply_row, replies + 1)
                                reply_channel = grown_ints(reply_channel, replies + 1)
                                reply_term = grown_ints(reply_term, replies + 1)
                                reply_value = grown_floats(reply_value, replies + 1)
                                reply_row[replies] = rows
                                reply_channel[replies] = today[link_from[one]]
                                reply_term[replies] = term[used]
                                reply_value[replies] = value[used]
                                replies += 1
                            if sloped:
                                for w in range(widest):
                                    if j < own_parts:
                                        bend[used, w] = part_slope[one, w] * chance[h]
                                    else:
                                        m = link_mechanism[one]
                                        bend[used, w] = v / echo_share[m] * echo_slope[m, w] * chance[h]
                            used += 1
                done[r] += 1.0
                acts[rows] = 1.0
                row_channel[rows] = c
                row_day[rows] = now
                rows += 1
                start[rows] = used
                echo_start[rows] = echoes
                block_weight[blocks] = weight
                blocks += 1
                block[blocks] = rows
            if not replay:
                copy_into(p, after)  # the walk left the mean belief after the day's acts there
                expected[:] = 0.0
                for q in range(n_pairs):
                    if pair_mass[q] > 0.0 and d.pair_size[q] > 1:
                        facts = d.pair_fact[d.pair_fact_start[q] : d.pair_fact_start[q + 1]]
                        configurations(facts, f.level_start, p, chance)
                        gate = slope[d.pair_term[q] :]
                        weigh(facts, f.level_start, d.pair_size[q], p, chance, gate, pair_mass[q], expected)
                learn_from_silence(f, p, expected, 1.0)
        else:
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
                    stood = 0.5 * (chance[k] + chance_after[k])
                    if stood <= FAINT:
                        continue
                    for j in range(d.pair_group_start[q], d.pair_group_start[q + 1]):
                        g = d.pair_group[j]
                        if mass[g] > 0.0:
                            exposure[d.group_term[g] + k] += stood * mass[g]
                            if sloped:
                                for w in range(widest):
                                    exposure_bend[d.group_term[g] + k, w] += stood * mass_bend[g, w]
                    for j in range(d.pair_ground_start[q], d.pair_ground_start[q + 1]):
                        b = d.pair_ground[j]
                        where = d.ground_term[b] + k * d.n_shapes + d.cell_shape[cell]
                        exposure[where] += stood * ground_mass[b]
            n_blocks = find_blocks(parent, n_today, place, order, sizes)
            if rows + n_today > room:
                room = 2 * (rows + n_today)
                acts = grown_floats(acts, room)
                row_channel = grown_ints(row_channel, room)
                row_day = grown_ints(row_day, room)
                block_weight = grown_floats(block_weight, room)
                start = grown_ints(start, room + 1)
                echo_start = grown_ints(echo_start, room + 1)
                block = grown_ints(block, room + 1)
            if scored:
                first = rows
                for b in range(n_blocks):
                    first += sizes[b]
                    block_weight[blocks] = 1.0
                    blocks += 1
                    block[blocks] = first
            need = echoes + links * largest
            echo_from = grown_ints(echo_from, need)
            echo_term = grown_ints(echo_term, need)
            echo_value = grown_floats(echo_value, need)
            if sloped:
                echo_bend = grown_rows(echo_bend, need)
            first_row = rows
            tally[:] = 0.0
            for at in range(n_today):
                r = order[at]
                c = today[r]
                copy_into(own, after)
                if f.start[c + 1] > f.start[c]:  # its own acts read as not yet done
                    copy_into(own, before)
                    for e in range(i, last):
                        if channel[e] != c:
                            act_on_facts(f, own, channel[e])
                own_parts = part_start[r + 1] - part_start[r]
                own_links = link_start[r + 1] - link_start[r]
                need = used + (own_parts + own_links) * largest
                term = grown_ints(term, need)
                value = grown_floats(value, need)
                if sloped:
                    bend = grown_rows(bend, need)
                speaks[:] = 0.0
                alike = 0.0
                for j in range(own_parts + own_links):
                    echo = j >= own_parts
                    if echo:
                        one = link_start[r] + j - own_parts
                        pair, first, apart, v = link_pair[one], link_first[one], 1, link_value[one]
                        weight = link_weight[one]
                        source = today[link_from[one]]
                    else:
                        one = part_start[r] + j
                        pair, first, apart, v = part_pair[one], part_first[one], part_apart[one], part_value[one]
                        weight = part_weight[one]
                        source = -1
                    if v <= SMALLEST:
                        continue
                    facts = d.pair_fact[d.pair_fact_start[pair] : d.pair_fact_start[pair + 1]]
                    copy_into(other, before)
                    if echo:
                        for e in range(i, last):
                            if channel[e] == source:
                                act_on_facts(f, other, source)
                    configurations(facts, f.level_start, other, chance)
                    configurations(facts, f.level_start, own, chance_after)
                    if scored:
                        for h in range(d.pair_size[pair]):
                            stood = 0.5 * (chance[h] + chance_after[h])
                            if stood <= FAINT:
                                continue
                            term[used] = first + h * apart
                            value[used] = v * stood
                            if sloped:
                                for w in range(widest):
                                    if echo:
                                        m = link_mechanism[one]
                                        bend[used, w] = v / echo_share[m] * echo_slope[m, w] * stood
                                    else:
                                        bend[used, w] = part_slope[one, w] * stood
                            used += 1
                            if echo:
                                echo_from[echoes] = first_row + place[link_from[one]]
                                echo_term[echoes] = first + h * apart
                                echo_value[echoes] = v * stood
                                if sloped:
                                    for w in range(widest):
                                        echo_bend[echoes, w] = bend[used - 1, w]
                                echoes += 1
                    if not replay:
                        # r given each level of each fact; parts that do not read a fact add to its levels alike
                        gate = slope[d.pair_term[pair] :]
                        for half in range(2):
                            expected_here[:] = 0.0
                            seen = other if half == 0 else own
                            seen_chance = chance if half == 0 else chance_after
                            mean = weigh(
                                facts, f.level_start, d.pair_size[pair], seen, seen_chance, gate, 0.5 * weight,
                                expected_here,
                            )  # fmt: skip
                            alike += mean
                            for fact in facts:
                                told = changed[fact] and (half == 1 or echo)  # today's acts decide it
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
            for r in range(n_today if scored else 0):
                c = today[r]
                copy_into(other, before)
                for e in range(i, last):
                    if channel[e] == c:
                        act_on_facts(f, other, c)
                for k in range(d.feed_start[c], d.feed_start[c + 1]):
                    g = d.feed_group[k]
                    m = d.group_mechanism[g]
                    pair = d.group_pair[g]
                    facts = d.pair_fact[d.pair_fact_start[pair] : d.pair_fact_start[pair + 1]]
                    configurations(facts, f.level_start, other, chance)
                    configurations(facts, f.level_start, after, chance_after)
                    amount = d.feed_mass[k] * times[r] * calm_now[d.group_calm[g]]
                    for h in range(d.pair_size[pair]):
                        stood = 0.5 * (chance[h] + chance_after[h])
                        if stood > FAINT:
                            exposure[d.group_term[g] + h] += stood * amount * echo_share[m]
                            if sloped:
                                for w in range(widest):
                                    exposure_bend[d.group_term[g] + h, w] += stood * amount * echo_slope[m, w]
            if not replay:
                # counts and silence speak of this morning; where today's acts decide a fact, silence does half
                for s in range(len(f.comes)):
                    share = 0.5 if changed[s] else 1.0
                    for level in range(f.level_start[s], f.level_start[s + 1]):
                        expected[level] = share * expected[level] - tally[level]
                learn_from_silence(f, p, expected, 1.0)
                for e in range(i, last):
                    act_on_facts(f, p, channel[e])
        if not replay:
            drift_facts(f, p, 0.5)

        # today's acts raise tomorrow and after
        for r in range(n_today):
            c = today[r]
            for k in range(d.out_start[c], d.out_start[c + 1]):
                s = d.out_slot[k]
                m = d.group_mechanism[d.slot_group[s]]
                age(d.kernel_start, decay, m, reach, reach_age, s, now + 1 - reach_day[s])
                reach_day[s] = now + 1
                for h in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    reach[s, h] += d.out_mass[k] * times[r]
            for k in range(d.feed_start[c], d.feed_start[c + 1]):
                g = d.feed_group[k]
                m = d.group_mechanism[g]
                for h in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    total[g, h] += d.feed_mass[k] * times[r]
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
    found = (
        start[: rows + 1].copy(), term[:used].copy(), value[:used].copy(), acts[:rows].copy(),
        block[: blocks + 1].copy(), echo_start[: rows + 1].copy(), echo_from[:echoes].copy(),
        echo_term[:echoes].copy(), echo_value[:echoes].copy(), exposure, bend, echo_bend, exposure_bend,
        row_channel[:rows].copy(), row_day[:rows].copy(),
    )  # fmt: skip
    trail = given
    if not replay:
        trail = Trail(trail_size, trail_belief[:trails].copy(), trail_weight[:trails].copy(), trail_row[:trails].copy())
    answered = (
        reply_row[:replies].copy(), reply_channel[:replies].copy(), reply_term[:replies].copy(),
        reply_value[:replies].copy(),
    )  # fmt: skip
    return found, block_weight[:blocks].copy(), trail, entropy, answered
