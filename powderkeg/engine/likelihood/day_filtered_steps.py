"""The steps of the filtered pass over days: what is expected, what a row is made of, what a day says of the facts.

In: the parts of a `Design` that a step reads, what is believed in the morning, a day's acts. Out: entries of rows,
exposures, and sums by level from which the beliefs learn. `day_filtered` puts the steps in order, `day_orders` walks
through the orders of a day. Steps allocate nothing: see `engine.compiled` for why.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inlined, inner
from powderkeg.engine.likelihood.day import DayRows
from powderkeg.engine.likelihood.day_orders import MOST_ORDERED, Parts, Trail
from powderkeg.engine.likelihood.day_steps import Fades, age, later_bend, later_share, next_bend, next_day
from powderkeg.engine.likelihood.exact_steps import (
    SMALLEST,
    AnswerGroups,
    Calms,
    Grounds,
    Timeline,
    season_integral,
)
from powderkeg.engine.likelihood.filtered_facts import (
    FAINT,
    Assumed,
    Drift,
    GatePairs,
    act_on_facts,
    clear,
    configurations,
    copy_into,
    expose_pair,
    learn_from_silence,
    weigh,
)


class DayPaths(NamedTuple):
    """What excites each channel and what its acts excite, as in `Design`; `slot_channel` is the channel of a slot.

    most  (C,) entries that a row may need besides its links;  ground, scale  (C,) of each channel
    """

    start: Ints
    group: Ints
    slot_channel: Ints
    out_start: Ints
    out: Ints
    out_mass: Floats
    feed_start: Ints
    feed: Ints
    feed_mass: Floats
    most: Ints
    ground: Ints
    scale: Floats


class DayExpectation(NamedTuple):
    """What is expected today of the days before, were every gate 1: of groups, of grounds, and of pairs in all."""

    mass: Floats
    mass_bend: Floats
    ground_mass: Floats
    pair_mass: Floats


class DayBelief(NamedTuple):
    """Probabilities of the facts' levels on one day, and room for what is learnt of them.

    p, before, after   (cells,) now; in the morning; after today's acts
    own, other         (cells,) as a row reads them; as the act of today that it answers left them
    expected, tally    (cells,) expected count given each level; what counts say
    here, speaks       (cells,) of one part; of one row
    chance, later, stood   (largest,) of a pair's configurations: before, after, on the whole
    changed            (facts,) 1 where today's acts move a fact
    slope_here         (components,)
    calm_now           (sets + 1,) factor of each set of calms; the last place stands for none
    so_far             acts before each step of an order, weighed by the step's share of the time that follows
    """

    p: Floats
    before: Floats
    after: Floats
    own: Floats
    other: Floats
    expected: Floats
    tally: Floats
    here: Floats
    speaks: Floats
    chance: Floats
    later: Floats
    stood: Floats
    changed: Ints
    slope_here: Floats
    calm_now: Floats
    so_far: Floats


def room_for_beliefs(p: Floats, n_facts: int, largest: int, widest: int, n_calms: int) -> DayBelief:
    """Room for beliefs that begin as `p`."""
    cell, state = np.zeros((8, len(p))), np.zeros((3, largest))
    return DayBelief(
        p, cell[0], cell[1], cell[2], cell[3], cell[4], cell[5], cell[6], cell[7], state[0], state[1], state[2],
        np.zeros(n_facts, np.int64), np.zeros(widest), np.ones(n_calms), np.zeros(MOST_ORDERED + 1),
    )  # fmt: skip


class Replies(NamedTuple):
    """Answers within a day whose order is weighed: row that answers, channel answered, term, value."""

    row: Ints
    channel: Ints
    term: Ints
    value: Floats


@inner
def morning(i: int, last: int, channel: Ints, f: Drift, at_noon: Floats, b: DayBelief) -> None:
    """Beliefs before and after today's acts, and the facts that these move."""
    copy_into(b.before, at_noon)
    copy_into(b.after, at_noon)
    for e in range(i, last):
        act_on_facts(f, b.after, channel[e])
    for s in range(len(f.comes)):
        b.changed[s] = 0
        for level in range(f.level_start[s], f.level_start[s + 1]):
            if abs(b.after[level] - b.before[level]) > 1e-6:
                b.changed[s] = 1


@inner
def expect_groups(
    calm_now: Floats, linear: Floats, term_linear: Ints, groups: AnswerGroups, k: Fades, total: Floats,
    total_age: Floats, mass: Floats, mass_bend: Floats, pair_mass: Floats,
) -> None:  # fmt: skip
    """Answers that each group expects today of the days before, were every gate 1; levels go on to tomorrow."""
    for g in range(len(groups.term)):
        mass[g] = 0.0
        m = groups.mechanism[g]
        calm = calm_now[groups.calm[g]]
        for j in range(k.kernel_start[m], k.kernel_start[m + 1]):
            h = j - k.kernel_start[m]
            mass_bend[g, h] = 0.0
            if total[g, h] > 0.0:
                b = k.decay[j]
                w = later_share(b)
                gone = -np.expm1(-b)
                share = k.kernel_share[j] * calm
                mass[g] += share * w * gone * total[g, h]
                fade = np.exp(-b)
                shift = fade * (total_age[g, h] + total[g, h]) - total_age[g, h]
                mass_bend[g, h] = share * (later_bend(b) * gone * total[g, h] + w * b * shift)
        age(k.kernel_start, k.decay, m, total, total_age, g, 1)
        pair_mass[groups.pair[g]] += mass[g] * linear[term_linear[groups.term[g]]]


@inner
def expect_grounds(
    now: int, cell: int, calm_now: Floats, assumed: Assumed, grounds: Grounds, clock: Timeline, ground_mass: Floats,
    pair_mass: Floats,
) -> None:  # fmt: skip
    """What each ground expects today by itself, likewise."""
    for b in range(len(grounds.term)):
        q = grounds.profile[b]
        season = season_integral(clock.swing[q], clock.peak[q], float(now), now + 1.0)
        ground_mass[b] = grounds.scale[b] * clock.cell_value[q, cell] * season * calm_now[grounds.calm[b]]
        rate = assumed.course[clock.cell_shape[cell]] * assumed.linear[assumed.term_linear[grounds.term[b]]]
        pair_mass[grounds.pair[b]] += ground_mass[b] * rate


@inlined
def _excitation(s: int, m: int, calm: float, k: Fades, reach: Floats, reach_age: Floats, parts: Parts, n: int) -> float:
    """What slot s of mechanism m adds today by the days before; its derivatives go to part n."""
    v = 0.0
    for h in range(parts.slope.shape[1]):
        parts.slope[n, h] = 0.0
    for j in range(k.kernel_start[m], k.kernel_start[m + 1]):
        h = j - k.kernel_start[m]
        share = k.kernel_share[j] * calm
        v += share * next_day(k.decay[j]) * reach[s, h]
        parts.slope[n, h] = share * (
            next_bend(k.decay[j]) * reach[s, h] - next_day(k.decay[j]) * k.decay[j] * reach_age[s, h]
        )
    return v


@inner
def list_parts(
    now: int, cell: int, n_today: int, today: Ints, calm_now: Floats, assumed: Assumed, paths: DayPaths,
    groups: AnswerGroups, grounds: Grounds, clock: Timeline, k: Fades, reach: Floats, reach_age: Floats,
    reach_day: Ints, first_link: Ints, by_row: Ints, link_from: Ints, link_slot: Ints, link_value: Floats,
    parts: Parts,
) -> None:  # fmt: skip
    """What each of today's rows is made of, were every gate 1: its background, its slots, its links."""
    linear, term_linear = assumed.linear, assumed.term_linear
    n = 0
    for r in range(n_today):
        c = today[r]
        b = paths.ground[c]
        q = grounds.profile[b]
        calm = calm_now[grounds.calm[b]]
        parts.pair[n], parts.source[n] = grounds.pair[b], -1
        parts.first[n], parts.apart[n] = grounds.term[b] + clock.cell_shape[cell], clock.n_shapes
        v = paths.scale[c] * clock.cell_value[q, cell] * calm
        v *= season_integral(clock.swing[q], clock.peak[q], float(now), now + 1.0)
        parts.value[n] = v
        parts.weight[n] = v * assumed.course[clock.cell_shape[cell]] * linear[term_linear[parts.first[n]]]
        for h in range(parts.slope.shape[1]):
            parts.slope[n, h] = 0.0
        n += 1
        for s in range(paths.start[c], paths.start[c + 1]):
            g = paths.group[s]
            m = groups.mechanism[g]
            age(k.kernel_start, k.decay, m, reach, reach_age, s, now - reach_day[s])
            reach_day[s] = now
            v = _excitation(s, m, calm, k, reach, reach_age, parts, n)
            if v > SMALLEST:
                parts.pair[n], parts.source[n] = groups.pair[g], -1
                parts.first[n], parts.apart[n] = groups.term[g], 1
                parts.value[n] = v
                parts.weight[n] = v * linear[term_linear[groups.term[g]]]
                n += 1
        for at in range(first_link[r], first_link[r + 1]):
            g = paths.group[link_slot[by_row[at]]]
            parts.pair[n], parts.source[n] = groups.pair[g], link_from[by_row[at]]
            parts.first[n], parts.apart[n] = groups.term[g], 1
            parts.mechanism[n] = groups.mechanism[g]
            parts.value[n] = link_value[by_row[at]] * calm
            parts.weight[n] = link_value[by_row[at]] * calm * linear[term_linear[groups.term[g]]]
            n += 1
        parts.start[r + 1] = n


@inner
def reads_changed(parts: Parts, n_today: int, pairs: GatePairs, changed: Ints) -> bool:
    """Whether some part of today's rows reads a fact that today's acts move."""
    for n in range(parts.start[n_today]):
        for h in range(pairs.fact_start[parts.pair[n]], pairs.fact_start[parts.pair[n] + 1]):
            if changed[pairs.fact[h]] != 0:
                return True
    return False


@inlined
def _write_entries(
    n: int, v: float, size: int, parts: Parts, k: Fades, b: DayBelief, term: Ints, value: Floats, bend: Floats,
    used: int,
) -> int:  # fmt: skip
    """Entries of part n, worth v, by how its configurations stood; returns the entries used."""
    slope_here = b.slope_here
    if len(bend) > 0:
        for w in range(len(slope_here)):
            if parts.source[n] >= 0:
                m = parts.mechanism[n]
                slope_here[w] = v / k.echo_share[m] * k.echo_slope[m, w]
            else:
                slope_here[w] = parts.slope[n, w]
    for h in range(size):
        if b.stood[h] > FAINT:
            term[used] = parts.first[n] + h * parts.apart[n]
            value[used] = v * b.stood[h]
            if len(bend) > 0:
                for w in range(len(slope_here)):
                    bend[used, w] = slope_here[w] * b.stood[h]
            used += 1
    return used


@inner
def expose_state(
    belief: Floats, weight: float, m: int, shape: int, n_shapes: int, pairs: GatePairs, groups: AnswerGroups,
    grounds: Grounds, seen: DayExpectation, b: DayBelief, exposure: Floats, exposure_bend: Floats,
) -> None:  # fmt: skip
    """What the days before expected goes to the terms, for the share of the day for which a state stood."""
    for q in range(len(pairs.size)):
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, belief, b.chance)
        for h in range(pairs.size[q]):
            b.stood[h] = weight * b.chance[h] / (m + 1.0)
        expose_pair(
            q, pairs.size[q], b.stood, shape, n_shapes, pairs.group_start, pairs.group, pairs.ground_start,
            pairs.ground, groups.term, grounds.term, seen.mass, seen.mass_bend, seen.ground_mass, exposure,
            exposure_bend,
        )  # fmt: skip


@inner
def expose_halves(
    acted: bool, shape: int, n_shapes: int, pairs: GatePairs, groups: AnswerGroups, grounds: Grounds,
    seen: DayExpectation, b: DayBelief, exposure: Floats, exposure_bend: Floats,
) -> None:  # fmt: skip
    """Likewise, half of the day as in the morning and half as after its acts."""
    for q in range(len(pairs.size)):
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, b.before, b.stood)
        if acted:
            configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, b.after, b.later)
            for h in range(pairs.size[q]):
                b.stood[h] = 0.5 * (b.stood[h] + b.later[h])
        expose_pair(
            q, pairs.size[q], b.stood, shape, n_shapes, pairs.group_start, pairs.group, pairs.ground_start,
            pairs.ground, groups.term, grounds.term, seen.mass, seen.mass_bend, seen.ground_mass, exposure,
            exposure_bend,
        )  # fmt: skip


@inlined
def _expose_echo(
    first: int, size: int, amount: float, m: int, k: Fades, stood: Floats, scale: float, exposure: Floats,
    exposure_bend: Floats,
) -> None:  # fmt: skip
    """Answers of the same day, of mechanism m: `scale` times how each configuration stood, times `amount`."""
    for h in range(size):
        mass = scale * stood[h]
        if mass > FAINT:
            exposure[first + h] += mass * amount * k.echo_share[m]
            if len(exposure_bend) > 0:
                for w in range(exposure_bend.shape[1]):
                    exposure_bend[first + h, w] += mass * amount * k.echo_slope[m, w]


@inner
def expose_order_end(
    end: int, m: int, n_today: int, today: Ints, weight: float, calm_now: Floats, k: Fades, paths: DayPaths,
    pairs: GatePairs, groups: AnswerGroups, trail: Trail, b: DayBelief, exposure: Floats, exposure_bend: Floats,
) -> None:  # fmt: skip
    """Answers expected of an act on its own day are spread over what follows it: counted where an order ends."""
    for r in range(n_today):
        for step in range(end - m + 1, end + 1):
            # acts of r before this state, weighed by the state's share of the time that follows
            so_far = 0.0
            for earlier in range(end - m, step):
                if trail.row[earlier] == r:
                    so_far += 1.0 / (end - earlier)
            b.so_far[step - end + m] = so_far
        for j in range(paths.feed_start[today[r]], paths.feed_start[today[r] + 1]):
            g = paths.feed[j]
            q = groups.pair[g]
            left = weight * paths.feed_mass[j] * calm_now[groups.calm[g]]
            for step in range(end - m + 1, end + 1):
                so_far = b.so_far[step - end + m]
                if so_far <= 0.0:
                    continue
                configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, trail.belief[step], b.chance)
                _expose_echo(
                    groups.term[g], pairs.size[q], 1.0, groups.mechanism[g], k, b.chance, left * so_far, exposure,
                    exposure_bend,
                )  # fmt: skip


@inner
def expose_answers(
    c: int, times: float, i: int, last: int, channel: Ints, calm_now: Floats, f: Drift, k: Fades, paths: DayPaths,
    pairs: GatePairs, groups: AnswerGroups, b: DayBelief, exposure: Floats, exposure_bend: Floats,
) -> None:  # fmt: skip
    """Answers expected today of channel c's acts, half as they leave the facts, half as the whole day does."""
    copy_into(b.other, b.before)
    for e in range(i, last):
        if channel[e] == c:
            act_on_facts(f, b.other, c)
    for j in range(paths.feed_start[c], paths.feed_start[c + 1]):
        g = paths.feed[j]
        q = groups.pair[g]
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, b.other, b.chance)
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, b.after, b.later)
        for h in range(pairs.size[q]):
            b.stood[h] = 0.5 * (b.chance[h] + b.later[h])
        amount = paths.feed_mass[j] * times * calm_now[groups.calm[g]]
        _expose_echo(
            groups.term[g], pairs.size[q], amount, groups.mechanism[g], k, b.stood, 1.0, exposure, exposure_bend
        )


@inner
def write_in_order(
    r: int, row: int, belief: Floats, today: Ints, times: Floats, acted: Floats, parts: Parts, pairs: GatePairs,
    k: Fades, b: DayBelief, term: Ints, value: Floats, bend: Floats, replied: Replies, used: int, replies: int,
) -> tuple[int, int]:  # fmt: skip
    """One act of row r in a given order: it answers only to what came before it; entries and replies used."""
    for n in range(parts.start[r], parts.start[r + 1]):
        source, v, q = parts.source[n], parts.value[n], parts.pair[n]
        if source >= 0:
            v = 2.0 * v * acted[source] / times[source]
        if v <= SMALLEST:
            continue
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, belief, b.stood)
        begun = used
        used = _write_entries(n, v, pairs.size[q], parts, k, b, term, value, bend, used)
        for e in range(begun, used if source >= 0 else begun):
            replied.row[replies] = row
            replied.channel[replies] = today[source]
            replied.term[replies] = term[e]
            replied.value[replies] = value[e]
            replies += 1
    return used, replies


@inlined
def _learn_from_half(
    n: int, half: int, answers: bool, alike: float, belief: Floats, chance: Floats, parts: Parts, f: Drift,
    pairs: GatePairs, slope: Floats, b: DayBelief,
) -> float:  # fmt: skip
    """What half of part n says of each level of the facts it reads, to `b.speaks`; returns `alike` plus its mean."""
    q = parts.pair[n]
    clear(b.here)
    mean = weigh(
        q, pairs.fact_start, pairs.fact, pairs.level_start, pairs.size[q], belief, chance, slope, pairs.term[q],
        0.5 * parts.weight[n], b.here,
    )  # fmt: skip
    for j in range(pairs.fact_start[q], pairs.fact_start[q + 1]):
        s = pairs.fact[j]
        told = b.changed[s] != 0 and (half == 1 or answers)  # today's acts decide it
        for level in range(f.level_start[s], f.level_start[s + 1]):
            b.speaks[level] += 0.0 if told else b.here[level] - mean
    return alike + mean


@inner
def write_row(
    r: int, scored: bool, replay: bool, i: int, last: int, channel: Ints, today: Ints, times: float, place: Ints,
    first_row: int, parts: Parts, f: Drift, pairs: GatePairs, slope: Floats, k: Fades, b: DayBelief, rows: DayRows,
    used: int, echoes: int,
) -> tuple[int, int]:  # fmt: skip
    """Row r, each part half as before and half as after the day's other acts; entries and echoes used."""
    clear(b.speaks)
    alike = 0.0
    for n in range(parts.start[r], parts.start[r + 1]):
        source, v, q = parts.source[n], parts.value[n], parts.pair[n]
        if v <= SMALLEST:
            continue
        copy_into(b.other, b.before)
        if source >= 0:
            for e in range(i, last):
                if channel[e] == today[source]:
                    act_on_facts(f, b.other, channel[e])
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, b.other, b.chance)
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, b.own, b.later)
        if scored:
            for h in range(pairs.size[q]):
                b.stood[h] = 0.5 * (b.chance[h] + b.later[h])
            begun = used
            used = _write_entries(n, v, pairs.size[q], parts, k, b, rows.term, rows.value, rows.bend, used)
            for e in range(begun, used if source >= 0 else begun):
                rows.echo_from[echoes] = first_row + place[source]
                rows.echo_term[echoes] = rows.term[e]
                rows.echo_value[echoes] = rows.value[e]
                for w in range(rows.bend.shape[1] if len(rows.bend) > 0 else 0):
                    rows.echo_bend[echoes, w] = rows.bend[e, w]
                echoes += 1
        if not replay:
            # the intensity given each level of each fact; parts that do not read a fact add to its levels alike
            alike = _learn_from_half(n, 0, source >= 0, alike, b.other, b.chance, parts, f, pairs, slope, b)
            alike = _learn_from_half(n, 1, source >= 0, alike, b.own, b.later, parts, f, pairs, slope, b)
    if not replay and alike > 0.0:
        for level in range(len(b.before)):
            if b.before[level] > 0.0:
                b.tally[level] += times * np.log(max((alike + b.speaks[level]) / alike, 1e-300))
    return used, echoes


@inner
def learn_from_day(i: int, last: int, channel: Ints, f: Drift, b: DayBelief) -> None:
    """Counts and silence speak of this morning; where today's acts decide a fact, silence does half."""
    for s in range(len(f.comes)):
        share = 0.5 if b.changed[s] != 0 else 1.0
        for level in range(f.level_start[s], f.level_start[s + 1]):
            b.expected[level] = share * b.expected[level] - b.tally[level]
    learn_from_silence(f, b.p, b.expected, 1.0)
    for e in range(i, last):
        act_on_facts(f, b.p, channel[e])


@inner
def excite_groups(
    n_today: int, today: Ints, times: Floats, paths: DayPaths, groups: AnswerGroups, k: Fades, total: Floats
) -> None:
    """Today's acts raise what groups hold for tomorrow and after."""
    for r in range(n_today):
        for j in range(paths.feed_start[today[r]], paths.feed_start[today[r] + 1]):
            g = paths.feed[j]
            m = groups.mechanism[g]
            for h in range(k.kernel_start[m + 1] - k.kernel_start[m]):
                total[g, h] += paths.feed_mass[j] * times[r]


@inner
def add_calms(i: int, last: int, channel: Ints, q: Calms, x: Floats) -> None:
    """Calms fade by a day, and today's acts add to them from noon on."""
    for k in range(len(x)):
        x[k] *= np.exp(-q.decay[k])
    for e in range(i, last):
        c = channel[e]
        for k in range(q.add_start[c], q.add_start[c + 1]):
            j = q.add_index[k]
            x[j] += q.add_amount[k] * np.exp(-0.5 * q.decay[j])
