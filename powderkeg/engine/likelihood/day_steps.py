"""The steps of a pass over days: what one day's acts need, change and leave behind.

In: arrays of a `Design`, what is remembered of the days before, the acts of a day. Out: the same arrays, changed in
place. `day` puts the steps in order; `day_filtered` uses those that know nothing of facts. Steps allocate nothing and
take the arrays they read: see `engine.compiled` for why.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.likelihood.exact_steps import SMALLEST, cell_of, season_integral


class Fades(NamedTuple):
    """What decays make of a mechanism: what falls on a parent's own day, and on the day after. M mechanisms.

    echo_share, echo_slope   (M,), (M, components) chance of an answer on the same day, and its derivatives by the log
                             decays
    lag_share, lag_slope     (components of all mechanisms,) chance of the next day by component, and its derivative
    """

    kernel_start: Ints
    kernel_share: Floats
    decay: Floats
    echo_share: Floats
    echo_slope: Floats
    lag_share: Floats
    lag_slope: Floats


class Facts(NamedTuple):
    """State before and after today's acts, and the configurations of pairs that it makes.

    flipped  (pairs,) whether a fact that the pair reads changed today, if only for a while
    effects  (., 3) channel, fact, level: today's effects in their order
    """

    level: Ints
    old_level: Ints
    config: Ints
    old_config: Ints
    flipped: Ints
    effects: Ints
    dep_start: Ints
    dep_pair: Ints
    dep_stride: Ints


@loop
def later_share(b: float) -> float:
    """Chance W(b) = (1 - e^-b) / b that a child with delay Exp(b) falls on a later day than its parent."""
    if b < 1e-4:
        return 1.0 - b / 2.0 + b * b / 6.0
    return -np.expm1(-b) / b


@inner
def later_bend(b: float) -> float:
    """b * dW/db: derivative of `later_share` by the log decay."""
    if b < 1e-3:
        return b * (-0.5 + b / 3.0 - b * b / 8.0)
    return np.exp(-b) + np.expm1(-b) / b


@loop
def same_day(b: float) -> float:
    """Chance that a child falls on its parent's own day: 1 - (1 - e^-b) / b, without cancellation."""
    if b < 1e-4:
        return b / 2.0 - b * b / 6.0
    return 1.0 + np.expm1(-b) / b


@loop
def next_day(b: float) -> float:
    """Chance that it falls on the day after: (1 - e^-b)^2 / b; day j after has this times e^(-b (j - 1))."""
    return b * later_share(b) ** 2


@inner
def next_bend(b: float) -> float:
    """Derivative of `next_day` by the log decay."""
    w = later_share(b)
    return b * w * w + 2.0 * b * w * later_bend(b)


@loop
def fill_fades(f: Fades) -> None:
    """Fill the shares of a `Fades`, which come as zeros, from its decays."""
    for m in range(len(f.kernel_start) - 1):
        for j in range(f.kernel_start[m], f.kernel_start[m + 1]):
            f.echo_share[m] += f.kernel_share[j] * same_day(f.decay[j])
            f.echo_slope[m, j - f.kernel_start[m]] = -f.kernel_share[j] * later_bend(f.decay[j])
            f.lag_share[j] = f.kernel_share[j] * next_day(f.decay[j])
            f.lag_slope[j] = f.kernel_share[j] * next_bend(f.decay[j])


def fades(kernel_start: Ints, kernel_share: Floats, decay: Floats) -> Fades:
    """The `Fades` of kernels with these decays."""
    n, widest = len(kernel_start) - 1, widest_kernel(kernel_start)
    found = Fades(
        kernel_start,
        kernel_share,
        decay,
        np.zeros(n),
        np.zeros((n, widest)),
        np.zeros(len(decay)),
        np.zeros(len(decay)),
    )
    fill_fades(found)
    return found


def widest_kernel(kernel_start: Ints) -> int:
    """Most components of one mechanism, at least 1."""
    return int(np.diff(kernel_start).max(initial=1))


def busiest_day(day: Ints) -> int:
    """Most acts of one day."""
    return int(np.diff(np.flatnonzero(np.diff(day, prepend=day[:1] - 1, append=day[-1:] + 1))).max(initial=0))


@inner
def expose_ground(
    b: int, first: int, last: int, config: int, share: float, ground_profile: Ints, ground_term: Ints,
    ground_scale: Floats, n_shapes: int, cell_time: Floats, cell_value: Floats, cell_shape: Ints, swing: Floats,
    peak: Floats, out: Floats,
) -> None:  # fmt: skip
    """Add `share` of the background exposure of ground b over days first..last-1 to `out`."""
    first = max(first, 0)
    if last <= first:
        return
    p = ground_profile[b]
    base = ground_term[b] + config * n_shapes
    k = cell_of(cell_time, float(first))
    low = float(first)
    while low < last:
        high = min(float(last), cell_time[k + 1]) if k < len(cell_shape) - 1 else float(last)
        mass = season_integral(swing[p], peak[p], low, high)
        out[base + cell_shape[k]] += share * ground_scale[b] * cell_value[p, k] * mass
        low = high
        k += 1


@inner
def expose_group(
    g: int, level: Floats, moment: Floats, first: int, last: int, config: int, share: float, group_mechanism: Ints,
    group_term: Ints, kernel_start: Ints, kernel_share: Floats, decay: Floats, out: Floats, out_bend: Floats,
) -> None:  # fmt: skip
    """Add `share` of the exposure of group g over days first..last-1 to `out`; its levels do not change.

    level   (groups, components) sum of mass * e^(-b lag) at day `first`;  moment the same times lag
    """
    m = group_mechanism[g]
    skip = float(max(0, -first))  # days before the window count for nothing
    width = float(last - first)
    if width <= skip:
        return
    row = group_term[g] + config
    for j in range(kernel_start[m], kernel_start[m + 1]):
        k = j - kernel_start[m]
        if level[g, k] > 0.0:
            b = decay[j]
            begun, ended = np.exp(-b * skip), np.exp(-b * width)
            mass = -level[g, k] * begun * np.expm1(-b * (width - skip))
            out[row] += share * kernel_share[j] * later_share(b) * mass
            if len(out_bend) > 0:
                shift = ended * (moment[g, k] + width * level[g, k]) - begun * (moment[g, k] + skip * level[g, k])
                out_bend[row, k] += share * kernel_share[j] * (later_bend(b) * mass + later_share(b) * b * shift)


@inner
def age(kernel_start: Ints, decay: Floats, m: int, level: Floats, moment: Floats, i: int, n_days: int) -> None:
    """Let row i of levels and moments, of a group or slot of mechanism m, decay over `n_days`."""
    if n_days <= 0:
        return
    for j in range(kernel_start[m], kernel_start[m + 1]):
        k = j - kernel_start[m]
        if level[i, k] > 0.0:
            fade = np.exp(-decay[j] * n_days)
            moment[i, k] = fade * (moment[i, k] + n_days * level[i, k])
            level[i, k] *= fade
            if level[i, k] < SMALLEST:
                level[i, k] = 0.0
                moment[i, k] = 0.0


@inner
def find_root(parent: Ints, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@inner
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


@inner
def forget_day(row_of: Ints, today: Ints, n_today: int) -> None:
    """Take today's channels off the list."""
    for r in range(n_today):
        row_of[today[r]] = -1


@inner
def link_acts(
    today: Ints, n_today: int, times: Floats, row_of: Ints, parent: Ints, out_start: Ints, out_slot: Ints,
    out_mass: Floats, slot_channel: Ints, slot_group: Ints, group_mechanism: Ints, echo_share: Floats, link_to: Ints,
    link_from: Ints, link_slot: Ints, link_value: Floats,
) -> int:  # fmt: skip
    """Which of today's rows may answer which, and by how much; `parent` joins what hangs together.

    Returns how many links there are, or -1 if they do not fit.
    """
    links = 0
    for r in range(n_today):
        parent[r] = r
    for r in range(n_today):
        c = today[r]
        for k in range(out_start[c], out_start[c + 1]):
            s = out_slot[k]
            to = row_of[slot_channel[s]]
            if to < 0:
                continue
            v = echo_share[group_mechanism[slot_group[s]]] * out_mass[k] * times[r]
            if v <= SMALLEST:
                continue
            if links == len(link_to):
                return -1
            link_to[links] = to
            link_from[links] = r
            link_slot[links] = s
            link_value[links] = v
            links += 1
            a = find_root(parent, to)
            z = find_root(parent, r)
            if a != z:
                parent[max(a, z)] = min(a, z)
    return links


@inner
def weigh_acts(
    channel: Ints, worth: Floats, i: int, last: int, row_of: Ints, n_today: int, stands: Floats
) -> None:  # fmt: skip
    """How many acts each of today's rows stands for as a cause: the sum of `worth` over its events i..last-1."""
    for r in range(n_today):
        stands[r] = 0.0
    for e in range(i, last):
        stands[row_of[channel[e]]] += worth[e]


@inner
def weigh_links(
    n_links: int, link_from: Ints, link_slot: Ints, link_value: Floats, times: Floats, stands: Floats,
    slot_group: Ints, group_mechanism: Ints, repeats: Ints,
) -> None:  # fmt: skip
    """Let links come from as many acts as their rows stand for; further reports come from the reports themselves."""
    for k in range(n_links):
        r = link_from[k]
        if stands[r] != times[r] and repeats[group_mechanism[slot_group[link_slot[k]]]] == 0:
            link_value[k] *= stands[r] / times[r]


@inner
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


@inner
def sort_links(links: int, link_to: Ints, place: Ints, n_today: int, first: Ints, by_row: Ints) -> None:
    """Links by the place of the row that answers: those of place `at` are by_row[first[at]:first[at + 1]]."""
    for at in range(n_today + 1):
        first[at] = 0
    for k in range(links):
        first[place[link_to[k]] + 1] += 1
    for at in range(n_today):
        first[at + 1] += first[at]
    for k in range(links):
        at = place[link_to[k]]
        by_row[first[at]] = k
        first[at] += 1
    for at in range(n_today, 0, -1):  # the fill moved every start to the next row's: move them back
        first[at] = first[at - 1]
    first[0] = 0


@inner
def excite_slots(
    today: Ints, n_today: int, times: Floats, now: int, out_start: Ints, out_slot: Ints, out_mass: Floats,
    slot_group: Ints, group_mechanism: Ints, kernel_start: Ints, decay: Floats, reach: Floats, reach_age: Floats,
    reach_day: Ints,
) -> None:  # fmt: skip
    """Today's acts raise what slots hold for tomorrow and after."""
    for r in range(n_today):
        c = today[r]
        for k in range(out_start[c], out_start[c + 1]):
            s = out_slot[k]
            m = group_mechanism[slot_group[s]]
            age(kernel_start, decay, m, reach, reach_age, s, now + 1 - reach_day[s])
            reach_day[s] = now + 1
            for h in range(kernel_start[m + 1] - kernel_start[m]):
                reach[s, h] += out_mass[k] * times[r]


@inner
def change_facts(
    effect_start: Ints, effect_fact: Ints, effect_level: Ints, channel: Ints, i: int, last: int, level: Ints,
    effects: Ints,
) -> int:  # fmt: skip
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


@inner
def turn_pairs(f: Facts, n_effects: int, is_new: Ints, pairs_flipped: Ints) -> int:
    """Bring the configurations of all pairs that read what today's effects changed; returns how many those are."""
    level, old_level, config, flipped, effects = f.level, f.old_level, f.config, f.flipped, f.effects
    n_pairs = 0
    for k in range(n_effects):
        s = effects[k, 1]
        change = level[s] - old_level[s]
        if (change != 0 or effects[k, 2] != old_level[s]) and is_new[s] == 0:  # changed, if only for a while
            is_new[s] = 1
            for q in range(f.dep_start[s], f.dep_start[s + 1]):
                pair = f.dep_pair[q]
                config[pair] += f.dep_stride[q] * change
                if flipped[pair] == 0:
                    flipped[pair] = 1
                    pairs_flipped[n_pairs] = pair
                    n_pairs += 1
    return n_pairs


@inner
def settle_facts(f: Facts, n_effects: int, is_new: Ints, pairs_flipped: Ints, n_pairs: int) -> None:
    """What changed today is old tomorrow."""
    for k in range(n_pairs):
        f.old_config[pairs_flipped[k]] = f.config[pairs_flipped[k]]
        f.flipped[pairs_flipped[k]] = 0
    for k in range(n_effects):
        s = f.effects[k, 1]
        f.old_level[s] = f.level[s]
        is_new[s] = 0


@inner
def stride_of(dep_start: Ints, dep_pair: Ints, dep_stride: Ints, s: int, pair: int) -> int:
    """Stride of fact s in the configurations of `pair`, 0 if it does not read the fact."""
    for q in range(dep_start[s], dep_start[s + 1]):
        if dep_pair[q] == pair:
            return dep_stride[q]
    return 0


@inner
def after_config(f: Facts, pair: int, n_effects: int, c: int) -> int:
    """Configuration of `pair` after the acts of all channels but c today: an act must not open its own gate."""
    effects, old_level, level = f.effects, f.old_level, f.level
    result = f.config[pair]
    for k in range(n_effects):
        if effects[k, 0] != c:
            continue
        s = effects[k, 1]
        known = False
        for j in range(k):
            known = known or (effects[j, 0] == c and effects[j, 1] == s)
        if known:
            continue
        without = old_level[s]
        for j in range(n_effects):
            if effects[j, 1] == s and effects[j, 0] != c:
                without = effects[j, 2]
        if without != level[s]:
            result += (without - level[s]) * stride_of(f.dep_start, f.dep_pair, f.dep_stride, s, pair)
    return result


@inner
def before_config(f: Facts, pair: int, n_effects: int, c: int) -> int:
    """Configuration of `pair` before today's acts but after those of channel c: its answers see what it did."""
    effects, old_level = f.effects, f.old_level
    result = f.old_config[pair]
    for k in range(n_effects):
        if effects[k, 0] != c:
            continue
        s = effects[k, 1]
        last = True
        for j in range(k + 1, n_effects):
            last = last and not (effects[j, 0] == c and effects[j, 1] == s)
        if last and effects[k, 2] != old_level[s]:
            result += (effects[k, 2] - old_level[s]) * stride_of(f.dep_start, f.dep_pair, f.dep_stride, s, pair)
    return result


@inner
def excite_groups(
    now: int, scored: bool, n_today: int, today: Ints, times: Floats, f: Facts, n_effects: int, d: Fades,
    feed_start: Ints, feed_group: Ints, feed_mass: Floats, group_mechanism: Ints, group_pair: Ints, group_term: Ints,
    total: Floats, total_age: Floats, total_day: Ints, exposure: Floats, exposure_bend: Floats, stands: Floats,
    stands_now: Floats, repeats: Ints,
) -> None:  # fmt: skip
    """Today's acts raise what groups hold for tomorrow and after; their echoes are expected today."""
    for r in range(n_today):
        c = today[r]
        for k in range(feed_start[c], feed_start[c + 1]):
            g = feed_group[k]
            m = group_mechanism[g]
            many = stands[r] if repeats[m] == 0 else times[r]
            many_now = stands_now[r] if repeats[m] == 0 else times[r]
            now_config = f.config[group_pair[g]]
            begun = total_day[g]
            expose_group(
                g, total, total_age, begun, now + 1, now_config, 1.0, group_mechanism, group_term, d.kernel_start,
                d.kernel_share, d.decay, exposure, exposure_bend,
            )  # fmt: skip
            age(d.kernel_start, d.decay, m, total, total_age, g, now + 1 - begun)
            total_day[g] = now + 1
            for h in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                total[g, h] += feed_mass[k] * many
            if scored:
                mass = d.echo_share[m] * feed_mass[k] * many_now
                before = now_config
                if f.flipped[group_pair[g]] != 0:
                    before = before_config(f, group_pair[g], n_effects, c)
                exposure[group_term[g] + before] += 0.5 * mass
                exposure[group_term[g] + now_config] += 0.5 * mass
                for j in range(exposure_bend.shape[1] if len(exposure_bend) > 0 else 0):
                    lift = 0.5 * feed_mass[k] * many_now * d.echo_slope[m, j]
                    exposure_bend[group_term[g] + before, j] += lift
                    exposure_bend[group_term[g] + now_config, j] += lift
