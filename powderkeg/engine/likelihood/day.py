"""One pass over events stamped with a day: what each active channel-day's count depends on.

In: a `Design`, decays, events in day order. Out: `DayRows`: for every active channel-day the terms of its intensity,
the links between acts of one day (the *echoes*), the connected blocks they form, and every term's exposure.

Within a day the order of acts is unknown. On a day on which a fact changes, gates are read half as before, half as
after; the channel that changed it reads it as before, and its answers of the same day as after. What these rows are
worth as a likelihood is `daylikelihood`'s business.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.caching import njit
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact import SMALLEST, cell_of, season_integral


class DayRows(NamedTuple):
    """What a pass over days found. N active channel-days ordered by day and block, T terms.

    start, term, value    CSR (N + 1,): row i's r is sum of coefficient[term] * value, its echoes included
    acts                  (N,) acts of the channel on that day
    block                 (n_blocks + 1,) rows of block b are block[b]:block[b + 1]; echoes stay within a block
    echo_start            (N + 1,) echoes by answering row
    echo_from             row that is answered
    echo_term, echo_value coefficient[term] * value is K[row, from] * n[from]
    exposure              (T,) expected count per unit of coefficient
    bend, echo_bend, exposure_bend   (., components) derivatives of value, echo_value and exposure by the log decay of
                          each component of the term's mechanism; no rows where they were not asked for
    channel, day          (N,) which channel-day a row is
    """

    start: Ints
    term: Ints
    value: Floats
    acts: Floats
    block: Ints
    echo_start: Ints
    echo_from: Ints
    echo_term: Ints
    echo_value: Floats
    exposure: Floats
    bend: Floats
    echo_bend: Floats
    exposure_bend: Floats
    channel: Ints
    day: Ints


@njit(cache=True, nogil=True, error_model="numpy")
def later_share(b: float) -> float:
    """Chance W(b) = (1 - e^-b) / b that a child with delay Exp(b) falls on a later day than its parent."""
    if b < 1e-4:
        return float(1.0 - b / 2.0 + b * b / 6.0)
    return float(-np.expm1(-b) / b)


@njit(cache=True, nogil=True, error_model="numpy")
def later_bend(b: float) -> float:
    """b * dW/db: derivative of `later_share` by the log decay."""
    if b < 1e-3:
        return float(b * (-0.5 + b / 3.0 - b * b / 8.0))
    return float(np.exp(-b) + np.expm1(-b) / b)


@njit(cache=True, nogil=True, error_model="numpy")
def same_day(b: float) -> float:
    """Chance that a child falls on its parent's own day: 1 - (1 - e^-b) / b, without cancellation."""
    if b < 1e-4:
        return float(b / 2.0 - b * b / 6.0)
    return float(1.0 + np.expm1(-b) / b)


@njit(cache=True, nogil=True, error_model="numpy")
def next_day(b: float) -> float:
    """Chance that it falls on the day after: (1 - e^-b)^2 / b; day j after has this times e^(-b (j - 1))."""
    return float(b * later_share(b) ** 2)


@njit(cache=True, nogil=True, error_model="numpy")
def next_bend(b: float) -> float:
    """Derivative of `next_day` by the log decay."""
    w = later_share(b)
    return float(b * w * w + 2.0 * b * w * later_bend(b))


@njit(cache=True, nogil=True, error_model="numpy")
def expose_ground(d: Design, b: int, first: int, last: int, config: int, share: float, out: Floats) -> None:
    """Add `share` of the background exposure of ground b over days first..last-1 to `out`."""
    first = max(first, 0)
    if last <= first:
        return
    p = d.ground_profile[b]
    base = d.ground_term[b] + config * d.n_shapes
    k = cell_of(d.cell_time, float(first))
    low = float(first)
    while low < last:
        high = min(float(last), d.cell_time[k + 1]) if k < len(d.cell_shape) - 1 else float(last)
        mass = season_integral(d.profile_swing[p], d.profile_peak[p], low, high)
        out[base + d.cell_shape[k]] += share * d.ground_scale[b] * d.cell_value[p, k] * mass
        low = high
        k += 1


@njit(cache=True, nogil=True, error_model="numpy")
def expose_group(
    d: Design,
    g: int,
    level: Floats,
    moment: Floats,
    decay: Floats,
    first: int,
    last: int,
    config: int,
    share: float,
    out: Floats,
    out_bend: Floats,
) -> None:
    """Add `share` of the exposure of group g over days first..last-1 to `out`; its levels do not change.

    level   (components,) sum of mass * e^(-b lag) at day `first`;  moment (components,) the same times lag
    """
    m = d.group_mechanism[g]
    skip = float(max(0, -first))  # days before the window count for nothing
    width = float(last - first)
    if width <= skip:
        return
    row = d.group_term[g] + config
    for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
        k = j - d.kernel_start[m]
        if level[k] > 0.0:
            b = decay[j]
            begun, ended = np.exp(-b * skip), np.exp(-b * width)
            mass = -level[k] * begun * np.expm1(-b * (width - skip))
            out[row] += share * d.kernel_share[j] * later_share(b) * mass
            if len(out_bend) > 0:
                shift = ended * (moment[k] + width * level[k]) - begun * (moment[k] + skip * level[k])
                out_bend[row, k] += share * d.kernel_share[j] * (later_bend(b) * mass + later_share(b) * b * shift)


@njit(cache=True, nogil=True, error_model="numpy")
def age(kernel_start: Ints, m: int, level: Floats, moment: Floats, decay: Floats, n_days: int) -> None:
    """Let levels and moments of a group or slot of mechanism m decay over `n_days`."""
    if n_days <= 0:
        return
    for j in range(kernel_start[m], kernel_start[m + 1]):
        k = j - kernel_start[m]
        if level[k] > 0.0:
            fade = np.exp(-decay[j] * n_days)
            moment[k] = fade * (moment[k] + n_days * level[k])
            level[k] *= fade
            if level[k] < SMALLEST:
                level[k] = 0.0
                moment[k] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def find_root(parent: Ints, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True, error_model="numpy")
def stride_of(dep_start: Ints, dep_pair: Ints, dep_stride: Ints, f: int, pair: int) -> int:
    """Stride of fact f in the configurations of `pair`, 0 if it does not read the fact."""
    for q in range(dep_start[f], dep_start[f + 1]):
        if dep_pair[q] == pair:
            return int(dep_stride[q])
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def after_config(
    dep_start: Ints,
    dep_pair: Ints,
    dep_stride: Ints,
    pair: int,
    config: Ints,
    effects: Ints,
    n_effects: int,
    c: int,
    old_level: Ints,
    level: Ints,
) -> int:
    """Configuration of `pair` after the acts of all channels but c today: an act must not open its own gate.

    effects  (n, 3) channel, fact, level: today's effects in their order
    """
    result = config[pair]
    for k in range(n_effects):
        if effects[k, 0] != c:
            continue
        f = effects[k, 1]
        known = False
        for j in range(k):
            known = known or (effects[j, 0] == c and effects[j, 1] == f)
        if known:
            continue
        without = old_level[f]
        for j in range(n_effects):
            if effects[j, 1] == f and effects[j, 0] != c:
                without = effects[j, 2]
        if without != level[f]:
            result += (without - level[f]) * stride_of(dep_start, dep_pair, dep_stride, f, pair)
    return int(result)


@njit(cache=True, nogil=True, error_model="numpy")
def before_config(
    dep_start: Ints,
    dep_pair: Ints,
    dep_stride: Ints,
    pair: int,
    config: Ints,
    effects: Ints,
    n_effects: int,
    c: int,
    old_level: Ints,
) -> int:
    """Configuration of `pair` before today's acts but after those of channel c: its answers see what it did."""
    result = config[pair]
    for k in range(n_effects):
        if effects[k, 0] != c:
            continue
        f = effects[k, 1]
        last = True
        for j in range(k + 1, n_effects):
            last = last and not (effects[j, 0] == c and effects[j, 1] == f)
        if last and effects[k, 2] != old_level[f]:
            result += (effects[k, 2] - old_level[f]) * stride_of(dep_start, dep_pair, dep_stride, f, pair)
    return int(result)


@njit(cache=True, nogil=True, error_model="numpy")
def collect(day: Ints, channel: Ints, i: int, row_of: Ints, today: Ints, times: Floats) -> tuple[int, int]:
    """Distinct channels of the day that starts at event i, with their counts; (events after it, channels)."""
    last = i
    n_today = 0
    while last < len(day) and day[last] == day[i]:
        c = channel[last]
        if row_of[c] < 0:
            row_of[c] = n_today
            today[n_today] = c
            times[n_today] = 0.0
            n_today += 1
        times[row_of[c]] += 1.0
        last += 1
    return last, n_today


@njit(cache=True, nogil=True, error_model="numpy")
def change_facts(
    effect_start: Ints,
    effect_fact: Ints,
    effect_level: Ints,
    channel: Ints,
    i: int,
    last: int,
    level: Ints,
    effects: Ints,
) -> int:
    """Apply the effects of events i..last-1 in their order, and list them; returns how many."""
    n_effects = 0
    for e in range(i, last):
        c = channel[e]
        for k in range(effect_start[c], effect_start[c + 1]):
            level[effect_fact[k]] = effect_level[k]
            effects[n_effects, 0] = c
            effects[n_effects, 1] = effect_fact[k]
            effects[n_effects, 2] = effect_level[k]
            n_effects += 1
    return n_effects


@njit(cache=True, nogil=True, error_model="numpy")
def count_effects(effect_start: Ints, channel: Ints, i: int, last: int) -> int:
    total = 0
    for e in range(i, last):
        total += effect_start[channel[e] + 1] - effect_start[channel[e]]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def find_blocks(parent: Ints, n_today: int, place: Ints, order: Ints, sizes: Ints) -> int:
    """Order today's rows by block: `order[at]` is the row at place `at`, `place` its inverse; returns the blocks."""
    n_blocks = 0
    for r in range(n_today):
        place[r] = 0
    for r in range(n_today):
        place[find_root(parent, r)] += 1
    first = 0
    for r in range(n_today):  # a block's root is its smallest row
        size = place[r]
        place[r] = first
        if size > 0:
            sizes[n_blocks] = size
            n_blocks += 1
        first += size
    for r in range(n_today):
        root = find_root(parent, r)
        order[place[root]] = r
        place[root] += 1
    for at in range(n_today):
        place[order[at]] = at
    return n_blocks


@njit(cache=True, nogil=True, error_model="numpy")
def grown_ints(a: Ints, need: int) -> Ints:
    if need <= len(a):
        return a
    b = np.empty(max(need, 2 * len(a)), np.int64)
    for i in range(len(a)):  # a slice would compile the message for shapes that differ: two seconds
        b[i] = a[i]
    return b


@njit(cache=True, nogil=True, error_model="numpy")
def grown_floats(a: Floats, need: int) -> Floats:
    if need <= len(a):
        return a
    b = np.empty(max(need, 2 * len(a)), np.float64)
    for i in range(len(a)):
        b[i] = a[i]
    return b


@njit(cache=True, nogil=True, error_model="numpy")
def grown_rows(a: Floats, need: int) -> Floats:
    if need <= len(a):
        return a
    b = np.zeros((max(need, 2 * len(a)), a.shape[1]))
    for i in range(len(a)):
        for k in range(a.shape[1]):
            b[i, k] = a[i, k]
    return b


@njit(cache=True, nogil=True, error_model="numpy")
def day_pass(
    d: Design, decay: Floats, day: Ints, channel: Ints, days: int, sloped: bool
) -> tuple[Ints, Ints, Floats, Floats, Ints, Ints, Ints, Ints, Floats, Floats, Floats, Floats, Floats, Ints, Ints]:
    """Rows, echoes, blocks and exposures over days 0..days-1.

    decay    (kernel components,) 1/day
    day      (N,) whole days, sorted; days before 0 are history: they excite and set facts but are not scored
    channel  (N,)
    sloped   whether derivatives by the log decays are wanted
    returns  the fields of `DayRows`
    """
    n = len(day)
    n_mechanisms = len(d.kernel_start) - 1
    widest = 1
    echo_share = np.zeros(n_mechanisms)
    for m in range(n_mechanisms):
        widest = max(widest, d.kernel_start[m + 1] - d.kernel_start[m])
        for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
            echo_share[m] += d.kernel_share[j] * same_day(decay[j])
    echo_slope = np.zeros((n_mechanisms, widest))
    lag_share = np.empty(len(decay))
    lag_slope = np.empty(len(decay))
    for m in range(n_mechanisms):
        for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
            echo_slope[m, j - d.kernel_start[m]] = -d.kernel_share[j] * later_bend(decay[j])
            lag_share[j] = d.kernel_share[j] * next_day(decay[j])
            lag_slope[j] = d.kernel_share[j] * next_bend(decay[j])

    n_channels = len(d.channel_ground)
    n_slots = len(d.slot_group)
    slot_channel = np.empty(n_slots, np.int64)
    for c in range(n_channels):
        for s in range(d.slot_start[c], d.slot_start[c + 1]):
            slot_channel[s] = c
    origin = min(0, day[0]) if n > 0 else 0
    level = d.initial_level.copy()
    old_level = level.copy()
    config = d.initial_config.copy()
    old_config = config.copy()
    flipped = np.zeros(len(config), np.bool_)
    reach = np.zeros((n_slots, widest))
    reach_age = np.zeros((n_slots, widest))
    reach_day = np.full(n_slots, origin)
    total = np.zeros((len(d.group_term), widest))
    total_age = np.zeros((len(d.group_term), widest))
    total_day = np.full(len(d.group_term), origin)
    ground_day = np.zeros(len(d.ground_term), np.int64)
    exposure = np.zeros(len(d.term_linear))
    exposure_bend = np.zeros((len(d.term_linear) if sloped else 0, widest))

    start = np.zeros(n + 1, np.int64)
    acts = np.empty(n, np.float64)
    row_channel = np.empty(n, np.int64)
    row_day = np.empty(n, np.int64)
    block = np.zeros(n + 1, np.int64)
    echo_start = np.zeros(n + 1, np.int64)
    term = np.empty(4 * n + 16, np.int64)
    value = np.empty(4 * n + 16, np.float64)
    echo_from = np.empty(n + 16, np.int64)
    echo_term = np.empty(n + 16, np.int64)
    echo_value = np.empty(n + 16, np.float64)
    bend = np.zeros((4 * n + 16 if sloped else 0, widest))
    echo_bend = np.zeros((n + 16 if sloped else 0, widest))
    slope_here = np.zeros(widest)
    used = 0
    rows = 0
    blocks = 0
    echoes = 0

    busiest = 0
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
    per_row = np.empty(busiest + 1, np.int64)
    slot_echo = np.zeros(n_slots)
    link_to = np.empty(64, np.int64)
    link_from = np.empty(64, np.int64)
    link_slot = np.empty(64, np.int64)
    link_value = np.empty(64, np.float64)
    sorted_link = np.empty(64, np.int64)
    pairs_flipped = np.empty(len(config), np.int64)
    effects = np.empty((16, 3), np.int64)
    is_new = np.zeros(len(level), np.bool_)  # facts that changed today

    i = 0
    while i < n:
        now = day[i]
        scored = now >= 0
        last, n_today = collect(day, channel, i, row_of, today, times)
        need = count_effects(d.effect_start, channel, i, last)
        if need > len(effects):
            effects = np.empty((2 * need, 3), np.int64)
        n_effects = change_facts(d.effect_start, d.effect_fact, d.effect_level, channel, i, last, level, effects)
        n_pairs = 0
        for k in range(n_effects):
            f = effects[k, 1]
            change = level[f] - old_level[f]
            if (change != 0 or effects[k, 2] != old_level[f]) and not is_new[f]:  # changed, if only for a while
                is_new[f] = True
                for q in range(d.dep_start[f], d.dep_start[f + 1]):
                    pair = d.dep_pair[q]
                    config[pair] += d.dep_stride[q] * change
                    if not flipped[pair]:
                        flipped[pair] = True
                        pairs_flipped[n_pairs] = pair
                        n_pairs += 1

        # groups and grounds whose gates changed: the days before as before, today half and half
        for k in range(n_pairs):
            pair = pairs_flipped[k]
            for r in range(d.pair_group_start[pair], d.pair_group_start[pair + 1]):
                g = d.pair_group[r]
                level_g, age_g = total[g], total_age[g]
                was = old_config[pair]
                expose_group(d, g, level_g, age_g, decay, total_day[g], now, was, 1.0, exposure, exposure_bend)
                age(d.kernel_start, d.group_mechanism[g], level_g, age_g, decay, now - total_day[g])
                expose_group(d, g, level_g, age_g, decay, now, now + 1, was, 0.5, exposure, exposure_bend)
                expose_group(d, g, level_g, age_g, decay, now, now + 1, config[pair], 0.5, exposure, exposure_bend)
                age(d.kernel_start, d.group_mechanism[g], level_g, age_g, decay, 1)
                total_day[g] = now + 1
            for r in range(d.pair_ground_start[pair], d.pair_ground_start[pair + 1]):
                b = d.pair_ground[r]
                expose_ground(d, b, ground_day[b], now, old_config[pair], 1.0, exposure)
                expose_ground(d, b, now, now + 1, old_config[pair], 0.5, exposure)
                expose_ground(d, b, now, now + 1, config[pair], 0.5, exposure)
                ground_day[b] = now + 1

        # echoes among today's rows, and the blocks they form
        links = 0
        if scored:
            for r in range(n_today):
                parent[r] = r
                per_row[r] = 0
            per_row[n_today] = 0
            for r in range(n_today):
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
                        sorted_link = np.empty(len(link_to), np.int64)
                    link_to[links] = to
                    link_from[links] = r
                    link_slot[links] = s
                    link_value[links] = v
                    slot_echo[s] += v
                    links += 1
                    a = find_root(parent, to)
                    z = find_root(parent, r)
                    if a != z:
                        parent[max(a, z)] = min(a, z)
            n_blocks = find_blocks(parent, n_today, place, order, sizes)
            first = rows
            for b in range(n_blocks):
                first += sizes[b]
                block[blocks + 1] = first
                blocks += 1
            for k in range(links):
                per_row[place[link_to[k]] + 1] += 1
            for at in range(n_today):
                per_row[at + 1] += per_row[at]
            for k in range(links):
                at = place[link_to[k]]
                sorted_link[per_row[at]] = k
                per_row[at] += 1
            for at in range(n_today, 0, -1):  # the fill moved every start to the next row's: move them back
                per_row[at] = per_row[at - 1]
            per_row[0] = 0
            echo_from = grown_ints(echo_from, echoes + 2 * links)
            echo_term = grown_ints(echo_term, echoes + 2 * links)
            echo_value = grown_floats(echo_value, echoes + 2 * links)
            if sloped:
                echo_bend = grown_rows(echo_bend, echoes + 2 * links)

        # rows
        first_row = rows
        cell = cell_of(d.cell_time, float(now)) if scored else 0
        for at in range(n_today if scored else 0):
            r = order[at]
            c = today[r]
            need = used + 2 * (1 + d.slot_start[c + 1] - d.slot_start[c] + per_row[at + 1] - per_row[at])
            if need > len(term):
                term = grown_ints(term, need)
                value = grown_floats(value, need)
                if sloped:
                    bend = grown_rows(bend, need)
            b = d.channel_ground[c]
            p = d.ground_profile[b]
            v = d.channel_scale[c] * d.cell_value[p, cell]
            v *= season_integral(d.profile_swing[p], d.profile_peak[p], float(now), now + 1.0)
            if v > 0.0:
                pair = d.ground_pair[b]
                base = d.ground_term[b] + d.cell_shape[cell]
                before = old_config[pair]
                after = (
                    after_config(
                        d.dep_start, d.dep_pair, d.dep_stride, pair, config, effects, n_effects, c, old_level, level
                    )
                    if flipped[pair]
                    else before
                )
                halves = 2 if after != before else 1
                for half in range(halves):
                    term[used] = base + (before if half == 0 else after) * d.n_shapes
                    value[used] = v / halves
                    used += 1
            for s in range(d.slot_start[c], d.slot_start[c + 1]):
                g = d.slot_group[s]
                mech = d.group_mechanism[g]
                pair = d.group_pair[g]
                echo = 0.0 if flipped[pair] else slot_echo[s]
                slot_echo[s] = 0.0
                v = echo
                age(d.kernel_start, mech, reach[s], reach_age[s], decay, now - reach_day[s])
                reach_day[s] = now
                for j in range(d.kernel_start[mech], d.kernel_start[mech + 1]):
                    k = j - d.kernel_start[mech]
                    v += lag_share[j] * reach[s, k]
                    if sloped:
                        slope_here[k] = lag_slope[j] * reach[s, k] - lag_share[j] * decay[j] * reach_age[s, k]
                        if echo > 0.0:
                            slope_here[k] += echo / echo_share[mech] * echo_slope[mech, k]
                if v > SMALLEST:
                    before = old_config[pair]
                    after = (
                        after_config(
                            d.dep_start, d.dep_pair, d.dep_stride, pair, config, effects, n_effects, c, old_level, level
                        )
                        if flipped[pair]
                        else before
                    )
                    halves = 2 if after != before else 1
                    for half in range(halves):
                        term[used] = d.group_term[g] + (before if half == 0 else after)
                        value[used] = v / halves
                        if sloped:
                            for j in range(widest):
                                bend[used, j] = slope_here[j] / halves
                        used += 1
            for q in range(per_row[at], per_row[at + 1]):
                k = sorted_link[q]
                g = d.slot_group[link_slot[k]]
                pair = d.group_pair[g]
                m = d.group_mechanism[g]
                for j in range(widest):
                    slope_here[j] = link_value[k] / echo_share[m] * echo_slope[m, j]
                if not flipped[pair]:
                    echo_from[echoes] = first_row + place[link_from[k]]
                    echo_term[echoes] = d.group_term[g] + config[pair]
                    echo_value[echoes] = link_value[k]
                    if sloped:
                        for j in range(widest):
                            echo_bend[echoes, j] = slope_here[j]
                    echoes += 1
                    continue
                for half in range(2):
                    if half == 0:
                        here = before_config(
                            d.dep_start,
                            d.dep_pair,
                            d.dep_stride,
                            pair,
                            old_config,
                            effects,
                            n_effects,
                            today[link_from[k]],
                            old_level,
                        )
                    else:
                        here = after_config(
                            d.dep_start, d.dep_pair, d.dep_stride, pair, config, effects, n_effects, c, old_level, level
                        )
                    term[used] = d.group_term[g] + here
                    value[used] = 0.5 * link_value[k]
                    if sloped:
                        for j in range(widest):
                            bend[used, j] = 0.5 * slope_here[j]
                            echo_bend[echoes, j] = 0.5 * slope_here[j]
                    used += 1
                    echo_from[echoes] = first_row + place[link_from[k]]
                    echo_term[echoes] = d.group_term[g] + here
                    echo_value[echoes] = 0.5 * link_value[k]
                    echoes += 1
            acts[rows] = times[r]
            row_channel[rows] = c
            row_day[rows] = now
            rows += 1
            start[rows] = used
            echo_start[rows] = echoes

        # today's acts raise tomorrow and after; their echoes are expected today
        for r in range(n_today):
            c = today[r]
            for k in range(d.out_start[c], d.out_start[c + 1]):
                s = d.out_slot[k]
                mech = d.group_mechanism[d.slot_group[s]]
                age(d.kernel_start, mech, reach[s], reach_age[s], decay, now + 1 - reach_day[s])
                reach_day[s] = now + 1
                for here in range(d.kernel_start[mech + 1] - d.kernel_start[mech]):
                    reach[s, here] += d.out_mass[k] * times[r]
            for k in range(d.feed_start[c], d.feed_start[c + 1]):
                g = d.feed_group[k]
                mech = d.group_mechanism[g]
                pair = d.group_pair[g]
                level_g, age_g, begun = total[g], total_age[g], total_day[g]
                expose_group(d, g, level_g, age_g, decay, begun, now + 1, config[pair], 1.0, exposure, exposure_bend)
                age(d.kernel_start, mech, level_g, age_g, decay, now + 1 - begun)
                total_day[g] = now + 1
                for here in range(d.kernel_start[mech + 1] - d.kernel_start[mech]):
                    total[g, here] += d.feed_mass[k] * times[r]
                if scored:
                    mass = echo_share[mech] * d.feed_mass[k] * times[r]
                    before = config[pair]
                    if flipped[pair]:
                        before = before_config(
                            d.dep_start, d.dep_pair, d.dep_stride, pair, old_config, effects, n_effects, c, old_level
                        )
                    exposure[d.group_term[g] + before] += 0.5 * mass
                    exposure[d.group_term[g] + config[pair]] += 0.5 * mass
                    if sloped:
                        for j in range(widest):
                            lift = 0.5 * d.feed_mass[k] * times[r] * echo_slope[mech, j]
                            exposure_bend[d.group_term[g] + before, j] += lift
                            exposure_bend[d.group_term[g] + config[pair], j] += lift

        for k in range(n_pairs):
            old_config[pairs_flipped[k]] = config[pairs_flipped[k]]
            flipped[pairs_flipped[k]] = False
        for k in range(n_effects):
            old_level[effects[k, 1]] = level[effects[k, 1]]
            is_new[effects[k, 1]] = False
        for r in range(n_today):
            row_of[today[r]] = -1
        i = last

    for g in range(len(d.group_term)):
        here = config[d.group_pair[g]]
        expose_group(d, g, total[g], total_age[g], decay, total_day[g], days, here, 1.0, exposure, exposure_bend)
    for b in range(len(d.ground_term)):
        expose_ground(d, b, ground_day[b], days, config[d.ground_pair[b]], 1.0, exposure)
    if sloped:
        bend = bend[:used].copy()
        echo_bend = echo_bend[:echoes].copy()
    return (
        start[: rows + 1].copy(), term[:used].copy(), value[:used].copy(), acts[:rows].copy(),
        block[: blocks + 1].copy(), echo_start[: rows + 1].copy(), echo_from[:echoes].copy(),
        echo_term[:echoes].copy(), echo_value[:echoes].copy(), exposure, bend, echo_bend, exposure_bend,
        row_channel[:rows].copy(), row_day[:rows].copy(),
    )  # fmt: skip
