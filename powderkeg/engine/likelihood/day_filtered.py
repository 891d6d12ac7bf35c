"""The likelihood by day of a system with facts that no event reports, or whose order within a day matters.

In: a `Design`, what moves the facts, decays, parameters, events in day order. Out: the probability of every level of
every fact on each day before its acts; the `Trail` of the days whose acts read facts that acts of the same day change;
and `DayRows` in which every gate is its mean over what is believed.

A day whose acts leave each other's gates alone is scored as in `day`. Else the order of its acts matters, and is not in
the data: see `day_orders`. Where more acts fall on such a day than are put into orders, gates are read half before and
half after the other acts of the day instead. `replay` uses probabilities and trails found before instead of filtering.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.likelihood.day import BLOCKS, ECHOES, ENTRIES, EVENTS, ROWS, DayRows, cut, longer, room_for_rows
from powderkeg.engine.likelihood.day_filtered_steps import (
    DayBelief,
    DayExpectation,
    DayPaths,
    Replies,
    add_calms,
    excite_groups,
    expect_grounds,
    expect_groups,
    expose_answers,
    expose_halves,
    expose_order_end,
    expose_state,
    learn_from_day,
    list_parts,
    morning,
    reads_changed,
    room_for_beliefs,
    write_in_order,
    write_row,
)
from powderkeg.engine.likelihood.day_orders import (
    MOST_ORDERED,
    Parts,
    Trail,
    Walk,
    most_orders,
    no_trail,
    room_to_walk,
    walk,
)
from powderkeg.engine.likelihood.day_steps import (
    Fades,
    collect,
    excite_slots,
    fades,
    find_blocks,
    forget_day,
    link_acts,
    sort_links,
)
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact_steps import (
    AnswerGroups,
    Calms,
    Grounds,
    Timeline,
    calm_level,
    calms_of,
    cell_of,
    grounds_of,
    groups_of,
    timeline_of,
)
from powderkeg.engine.likelihood.filtered_facts import (
    Assumed,
    Drift,
    GatePairs,
    act_on_facts,
    clear,
    copy_into,
    drift_facts,
    expect_by_level,
    initial_belief,
    learn_from_silence,
    pairs_of,
)

__all__ = ["FilteredDays", "Replies", "Trail", "hidden_day_pass", "no_trail"]


class FilteredDays(NamedTuple):
    """What a pass found: rows, the weight of each block, the trail, what the entropy of the orders adds to the log
    likelihood, and for rows of ordered days their answers to acts of the same day."""

    rows: DayRows
    weight: Floats
    trail: Trail
    entropy: float
    replies: Replies


class DayMemory(NamedTuple):
    """What is remembered of the days before, by slot and by group, and room for who acts today and who may answer."""

    reach: Floats
    reach_age: Floats
    reach_day: Ints
    total: Floats
    total_age: Floats
    row_of: Ints
    today: Ints
    times: Floats
    parent: Ints
    order: Ints
    place: Ints
    sizes: Ints
    every_row: Ints
    first_link: Ints
    link_to: Ints
    link_from: Ints
    link_slot: Ints
    link_value: Floats
    by_row: Ints


# What a pass has done, beside what `day` counts: replies and steps written, the day. What it needs, in the same places.
REPLIES, STEPS, DAY = range(5, 8)


@inner
def _needs(
    orders: int, channel: Ints, i: int, last: int, most: Ints, links: int, link_to: Ints, link_slot: Ints,
    slot_group: Ints, group_pair: Ints, size: Ints, times: Floats, done: Ints, needs: Ints,
) -> None:  # fmt: skip
    """Room that the rows of events i..last-1 may need in all, where each stands in so many orders."""
    own, answers, echoes = 0, 0, 0
    for e in range(i, last):
        own += most[channel[e]]
    for k in range(links):
        entries = size[group_pair[slot_group[link_slot[k]]]]
        echoes += entries
        answers += entries * int(times[link_to[k]])
    needs[ROWS] = done[ROWS] + orders * (last - i)
    needs[ENTRIES] = done[ENTRIES] + orders * (own + answers)
    needs[ECHOES] = done[ECHOES] + echoes
    needs[REPLIES] = done[REPLIES] + orders * answers
    needs[STEPS] = done[STEPS] + orders * (last - i + 1)


@inner
def _write_ordered(
    now: int, m: int, n_today: int, first: int, n_steps: int, shape: int, n_shapes: int, today: Ints,
    times: Floats, calm_now: Floats, parts: Parts, pairs: GatePairs, k: Fades, paths: DayPaths, seen: DayExpectation,
    groups: AnswerGroups, grounds: Grounds, trail: Trail, w: Walk, b: DayBelief, rows: DayRows, block_weight: Floats,
    replied: Replies, done: Ints,
) -> None:  # fmt: skip
    """Rows and exposures of a day along the kept orders, each step with the weight of its order."""
    clear(w.acted)
    for step in range(first, first + n_steps):
        weight, r = trail.weight[step], trail.row[step]
        expose_state(
            trail.belief[step], weight, m, shape, n_shapes, pairs, groups, grounds, seen, b, rows.exposure,
            rows.exposure_bend,
        )  # fmt: skip
        if r < 0:
            expose_order_end(
                step, m, n_today, today, weight, calm_now, k, paths, pairs, groups, trail, b, rows.exposure,
                rows.exposure_bend,
            )  # fmt: skip
            clear(w.acted)
            continue
        row = done[ROWS]
        done[ENTRIES], done[REPLIES] = write_in_order(
            r, row, trail.belief[step], today, times, w.acted, parts, pairs, k, b, rows.term, rows.value, rows.bend,
            replied, done[ENTRIES], done[REPLIES],
        )  # fmt: skip
        w.acted[r] += 1.0
        rows.acts[row] = 1.0
        rows.channel[row] = today[r]
        rows.day[row] = now
        rows.start[row + 1] = done[ENTRIES]
        rows.echo_start[row + 1] = done[ECHOES]
        block_weight[done[BLOCKS]] = weight
        rows.block[done[BLOCKS] + 1] = row + 1
        done[ROWS] += 1
        done[BLOCKS] += 1


@inner
def _write_unordered(
    now: int, scored: bool, replay: bool, i: int, last: int, n_today: int, channel: Ints, times: Floats,
    calm_now: Floats, memory: DayMemory, parts: Parts, f: Drift, pairs: GatePairs, slope: Floats, k: Fades,
    paths: DayPaths, groups: AnswerGroups, b: DayBelief, rows: DayRows, block_weight: Floats, done: Ints,
) -> None:  # fmt: skip
    """Rows of a day whose order is left alone; what its acts say of the facts goes to `b.tally`."""
    today, order, place = memory.today, memory.order, memory.place
    n_blocks = find_blocks(memory.parent, n_today, place, order, memory.sizes)
    first_row = done[ROWS]
    first = first_row
    for block in range(n_blocks if scored else 0):
        first += memory.sizes[block]
        block_weight[done[BLOCKS]] = 1.0
        done[BLOCKS] += 1
        rows.block[done[BLOCKS]] = first
    clear(b.tally)
    for at in range(n_today):
        r = order[at]
        c = today[r]
        copy_into(b.own, b.after)
        if f.start[c + 1] > f.start[c]:  # its own acts read as not yet done
            copy_into(b.own, b.before)
            for e in range(i, last):
                if channel[e] != c:
                    act_on_facts(f, b.own, channel[e])
        done[ENTRIES], done[ECHOES] = write_row(
            r, scored, replay, i, last, channel, today, times[r], place, first_row, parts, f, pairs, slope, k, b,
            rows, done[ENTRIES], done[ECHOES],
        )  # fmt: skip
        if scored:
            row = done[ROWS]
            rows.acts[row] = times[r]
            rows.channel[row] = c
            rows.day[row] = now
            rows.start[row + 1] = done[ENTRIES]
            rows.echo_start[row + 1] = done[ECHOES]
            done[ROWS] += 1
    for r in range(n_today if scored else 0):
        expose_answers(
            today[r], times[r], i, last, channel, calm_now, f, k, paths, pairs, groups, b, rows.exposure,
            rows.exposure_bend,
        )  # fmt: skip


@loop
def _pass(
    day: Ints, channel: Ints, origin: int, days: int, replay: bool, f: Drift, pairs: GatePairs, assumed: Assumed,
    paths: DayPaths, groups: AnswerGroups, grounds: Grounds, clock: Timeline, k: Fades, q: Calms, x: Floats,
    memory: DayMemory, parts: Parts, seen: DayExpectation, b: DayBelief, w: Walk, at_day: Floats, out: FilteredDays,
    done: Ints, needs: Ints,
) -> float:  # fmt: skip
    """Days from done[DAY] on; stops before one that `needs` more room. What the entropy of the orders adds."""
    row_of, today, times, calm_now = memory.row_of, memory.today, memory.times, b.calm_now
    rows, block_weight, trail, entropy, replied = out.rows, out.weight, out.trail, out.entropy, out.replies
    for now in range(done[DAY], days):
        done[DAY] = now
        scored = now >= 0
        i = done[EVENTS]
        last, n_today = i, 0
        if i < len(day) and day[i] == now:
            last, n_today = collect(day, channel, i, row_of, today, times)
        m = last - i
        links = link_acts(
            today, n_today, times, row_of, memory.parent, paths.out_start, paths.out, paths.out_mass,
            paths.slot_channel, paths.group, groups.mechanism, k.echo_share, memory.link_to, memory.link_from,
            memory.link_slot, memory.link_value,
        )  # fmt: skip
        may_order = trail.size[now - origin] > 0 if replay else 2 <= m <= MOST_ORDERED
        _needs(
            most_orders(m) if may_order else 1, channel, i, last, paths.most, links, memory.link_to, memory.link_slot,
            paths.group, groups.pair, pairs.size, times, done, needs,
        )  # fmt: skip
        if (
            needs[ROWS] > len(rows.acts) or needs[ENTRIES] > len(rows.term) or needs[ECHOES] > len(rows.echo_from)
            or needs[REPLIES] > len(replied.row) or (may_order and not replay and needs[STEPS] > len(trail.row))
        ):  # fmt: skip
            forget_day(row_of, today, n_today)
            return entropy
        if not replay:
            drift_facts(f, b.p, 0.5)
            copy_into(at_day[now - origin], b.p)
        morning(i, last, channel, f, at_day[now - origin], b)
        for s in range(len(q.set_start) - 1):
            calm_now[s] = calm_level(q, x, 0.0, s, 0.5)
        clear(seen.pair_mass)
        expect_groups(
            calm_now, assumed.linear, assumed.term_linear, groups, k, memory.total, memory.total_age, seen.mass,
            seen.mass_bend, seen.pair_mass,
        )  # fmt: skip
        cell = cell_of(clock.cell_time, now + 0.5)
        expect_grounds(now, cell, calm_now, assumed, grounds, clock, seen.ground_mass, seen.pair_mass)
        shape = clock.cell_shape[cell]
        if n_today > 0:
            sort_links(links, memory.link_to, memory.every_row, n_today, memory.first_link, memory.by_row)
            list_parts(
                now, cell, n_today, today, calm_now, assumed, paths, groups, grounds, clock, k, memory.reach,
                memory.reach_age, memory.reach_day, memory.first_link, memory.by_row, memory.link_from,
                memory.link_slot, memory.link_value, parts,
            )  # fmt: skip
        first, n_steps = done[STEPS], trail.size[now - origin] if replay else 0
        if may_order and not replay and reads_changed(parts, n_today, pairs, b.changed):
            n_steps, n_orders = walk(
                now, m, n_today, today, parts, times, pairs, seen.pair_mass, assumed.slope, f, w, b.before, b.after,
                trail, first,
            )  # fmt: skip
            trail.size[now - origin] = n_steps
            for step in range(first, first + n_steps if scored else first):
                if trail.row[step] < 0:
                    entropy -= trail.weight[step] * np.log(trail.weight[step] * n_orders)
            if n_steps == 0:  # no order makes today's acts possible: half and half, and the caller reports them
                morning(i, last, channel, f, at_day[now - origin], b)
        done[STEPS] += n_steps
        if n_steps > 0:
            if scored:
                _write_ordered(
                    now, m, n_today, first, n_steps, shape, clock.n_shapes, today, times, calm_now,
                    parts, pairs, k, paths, seen, groups, grounds, trail, w, b, rows, block_weight, replied, done,
                )  # fmt: skip
            if not replay:
                copy_into(b.p, b.after)  # the walk left the mean belief after the day's acts there
                expect_by_level(pairs, seen.pair_mass, assumed.slope, b.p, b.chance, b.expected)
                learn_from_silence(f, b.p, b.expected, 1.0)
        else:
            if scored:
                expose_halves(
                    n_today > 0, shape, clock.n_shapes, pairs, groups, grounds, seen, b, rows.exposure,
                    rows.exposure_bend,
                )  # fmt: skip
            _write_unordered(
                now, scored, replay, i, last, n_today, channel, times, calm_now, memory, parts, f, pairs,
                assumed.slope, k, paths, groups, b, rows, block_weight, done,
            )  # fmt: skip
            if not replay:
                expect_by_level(pairs, seen.pair_mass, assumed.slope, b.before, b.chance, b.expected)
                learn_from_day(i, last, channel, f, b)
        if not replay:
            drift_facts(f, b.p, 0.5)
        excite_slots(
            today, n_today, times, now, paths.out_start, paths.out, paths.out_mass, paths.group, groups.mechanism,
            k.kernel_start, k.decay, memory.reach, memory.reach_age, memory.reach_day,
        )  # fmt: skip
        excite_groups(n_today, today, times, paths, groups, k, memory.total)
        add_calms(i, last, channel, q, x)
        forget_day(row_of, today, n_today)
        done[EVENTS] = last
    done[DAY] = days
    return entropy


def hidden_day_pass(
    d: Design, f: Drift, decay: Floats, slope: Floats, linear: Floats, course: Floats, day: Ints, channel: Ints,
    days: int, sloped: bool, at_day: Floats, given: Trail, replay: bool,
) -> FilteredDays:  # fmt: skip
    """Rows, echoes, blocks and exposures over days 0..days-1, gates at their mean over what is believed.

    slope    (T,) coefficient of every term per unit of its linear parameter;  linear (n,) those parameters
    course   (shapes,) factor of the background in each shape
    at_day   (days from the first event's or day 0 on, cells) probabilities at noon of each day before its acts: read
             if `replay`, else filled
    given    the trail to replay
    """
    n, origin = len(day), min(0, int(day[0])) if len(day) else 0
    k = fades(d.kernel_start, d.kernel_share, np.ascontiguousarray(decay, np.float64))
    widest, largest = k.echo_slope.shape[1], int(d.pair_size.max(initial=1))
    paths, pairs = paths_of(d), pairs_of(d, f.level_start)
    busiest, n_parts, n_links = _busiest(d, day, channel)
    p = initial_belief(d, f)
    memory = room_for_days(d, busiest, n_links, widest, origin)
    parts = room_for_parts(busiest, n_parts + n_links, widest)
    seen = DayExpectation(
        np.zeros(len(d.group_term)), np.zeros((len(d.group_term), widest)), np.zeros(len(d.ground_term)),
        np.zeros(len(d.pair_size)),
    )  # fmt: skip
    room = room_for_beliefs(p, len(f.comes), largest, widest, len(d.calm_set_start))
    way = room_to_walk(busiest, len(p), len(f.comes), n_parts + n_links, largest)
    trail = given if replay else no_trail(days - origin, len(p))
    out = FilteredDays(
        room_for_rows(n + 1, 16 * n + 64, 4 * n + 16, d.n_terms, widest, sloped), np.ones(n + 1), trail, 0.0,
        Replies(np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64)),
    )  # fmt: skip
    arrays = (
        f, pairs, Assumed(slope, linear, course, d.term_linear), paths, groups_of(d), grounds_of(d), timeline_of(d), k,
        calms_of(d), np.zeros(len(d.calm_decay)), memory, parts, seen, room, way, at_day,
    )  # fmt: skip
    done, needs = np.zeros(8, np.int64), np.zeros(8, np.int64)
    done[DAY] = origin
    while done[DAY] < days:
        out = _with_room(out, needs, replay)
        out = out._replace(entropy=_pass(day, channel, origin, days, replay, *arrays, out, done, needs))
    trail, replied, replies, steps = out.trail, out.replies, int(done[REPLIES]), int(done[STEPS])
    if not replay:
        trail = Trail(trail.size, trail.belief[:steps].copy(), trail.weight[:steps].copy(), trail.row[:steps].copy())
    answered = Replies(
        replied.row[:replies].copy(), replied.channel[:replies].copy(), replied.term[:replies].copy(),
        replied.value[:replies].copy(),
    )  # fmt: skip
    return FilteredDays(cut(out.rows, done), out.weight[: int(done[BLOCKS])].copy(), trail, out.entropy, answered)


def paths_of(d: Design) -> DayPaths:
    """What excites each channel of a design, and what its acts excite."""
    slots = np.concatenate([[0], np.cumsum(d.pair_size[d.group_pair[d.slot_group]])])[d.slot_start]
    most = d.pair_size[d.ground_pair[d.channel_ground]] + np.diff(slots)
    slot_channel = np.repeat(np.arange(len(d.channel_ground)), np.diff(d.slot_start))
    return DayPaths(
        d.slot_start, d.slot_group, slot_channel, d.out_start, d.out_slot, d.out_mass, d.feed_start, d.feed_group,
        d.feed_mass, most.astype(np.int64), d.channel_ground, d.channel_scale,
    )  # fmt: skip


def _busiest(d: Design, day: Ints, channel: Ints) -> tuple[int, int, int]:
    """Most acts of one day; most parts that its rows may have; most links among them. At least 1 each."""
    if not len(day):
        return 1, 1, 1
    begins = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    counts = (np.ones(len(day), np.int64), np.diff(d.slot_start)[channel] + 1, np.diff(d.out_start)[channel] + 1)
    acts, parts, links = (int(np.add.reduceat(count, begins).max()) for count in counts)
    return acts, parts, links


def room_for_days(d: Design, busiest: int, n_links: int, widest: int, origin: int) -> DayMemory:
    """Nothing remembered yet, and room for days of so many acts and links."""
    n_slots, n_groups = len(d.slot_group), len(d.group_term)
    ints, links = np.zeros((6, busiest + 1), np.int64), np.empty((4, n_links), np.int64)
    return DayMemory(
        np.zeros((n_slots, widest)), np.zeros((n_slots, widest)), np.full(n_slots, origin),
        np.zeros((n_groups, widest)), np.zeros((n_groups, widest)), np.full(len(d.channel_ground), -1, np.int64),
        ints[0], np.empty(busiest), ints[1], ints[2], ints[3], ints[4], np.arange(busiest), ints[5], links[0], links[1],
        links[2], np.empty(n_links), links[3],
    )  # fmt: skip


def room_for_parts(busiest: int, n: int, widest: int) -> Parts:
    """Room for the parts of a day's rows."""
    ints = np.empty((5, n), np.int64)
    return Parts(
        np.zeros(busiest + 1, np.int64), ints[0], ints[1], ints[2], np.empty(n), np.empty(n), np.zeros((n, widest)),
        ints[3], ints[4],
    )  # fmt: skip


def _with_room(out: FilteredDays, needs: Ints, replay: bool) -> FilteredDays:
    """Room for what the pass says that it needs; what is lengthened has room for twice as much as it had."""
    rows, replied, trail = out.rows, out.replies, out.trail
    slopes = int(len(rows.exposure_bend) > 0)

    def more(has: int, need: int) -> int:
        return max(has, int(need) - has) if need > has else 0

    n = more(len(rows.acts), needs[ROWS])
    entries, echoes = more(len(rows.term), needs[ENTRIES]), more(len(rows.echo_from), needs[ECHOES])
    rows = rows._replace(
        start=longer(rows.start, n), acts=longer(rows.acts, n), block=longer(rows.block, n),
        echo_start=longer(rows.echo_start, n), channel=longer(rows.channel, n), day=longer(rows.day, n),
        term=longer(rows.term, entries), value=longer(rows.value, entries), bend=longer(rows.bend, slopes * entries),
        echo_from=longer(rows.echo_from, echoes), echo_term=longer(rows.echo_term, echoes),
        echo_value=longer(rows.echo_value, echoes), echo_bend=longer(rows.echo_bend, slopes * echoes),
    )  # fmt: skip
    replies = more(len(replied.row), needs[REPLIES])
    replied = Replies(
        longer(replied.row, replies), longer(replied.channel, replies), longer(replied.term, replies),
        longer(replied.value, replies),
    )  # fmt: skip
    steps = 0 if replay else more(len(trail.row), needs[STEPS])
    trail = Trail(
        trail.size, longer(trail.belief, steps), longer(trail.weight, steps), longer(trail.row, steps)
    )  # fmt: skip
    return FilteredDays(rows, longer(out.weight, n), trail, out.entropy, replied)
