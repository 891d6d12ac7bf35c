"""One pass over events stamped with a day: what each active channel-day's count depends on.

In: a `Design`, decays, events in day order. Out: `DayRows`: for every active channel-day the terms of its intensity,
the links between acts of one day (the *echoes*), the connected blocks they form, and every term's exposure.

Within a day the order of acts is unknown. On a day on which a fact changes, gates are read half as before, half as
after; the channel that changed it reads it as before, and its answers of the same day as after. What these rows are
worth as a likelihood is `day_value`'s business.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.likelihood.day_calendar import (
    DayPast,
    PassCalendar,
    echo_unseen,
    feed_unseen,
    fold,
    pass_days,
    repeating_terms,
    see,
)
from powderkeg.engine.likelihood.day_steps import (
    Facts,
    Fades,
    after_config,
    age,
    before_config,
    busiest_day,
    change_facts,
    collect,
    excite_groups,
    excite_slots,
    expose_ground,
    expose_group,
    fades,
    find_blocks,
    forget_day,
    link_acts,
    settle_facts,
    sort_links,
    turn_pairs,
    weigh_acts,
    weigh_links,
)
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact_steps import SMALLEST, cell_of, season_integral


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


class Today(NamedTuple):
    """Room for one day's rows: channels that act, how often, the blocks they form, and facts that they changed.

    row_of   (C,) row of each channel today, or -1
    stands, stands_now   how many acts each row stands for as a cause of later days, and of its own
    order    row at each place, rows of a block together;  place its inverse
    """

    row_of: Ints
    today: Ints
    times: Floats
    stands: Floats
    stands_now: Floats
    parent: Ints
    order: Ints
    place: Ints
    sizes: Ints
    first_link: Ints
    is_new: Ints
    pairs_flipped: Ints
    slot_echo: Floats


class DayLinks(NamedTuple):
    """Room for who may answer whom today; `by_row` sorts them by the row that answers."""

    to: Ints
    source: Ints
    slot: Ints
    value: Floats
    by_row: Ints


# What a pass has done so far: events read; rows, entries, blocks, echoes written; lines of the calendar, days passed.
EVENTS, ROWS, ENTRIES, BLOCKS, ECHOES, FLIPS, NEXT_DAY, DAYS = range(8)
FINISHED, MORE_ENTRIES, MORE_LINKS = 0, 1, 2


@inner
def _expose_changed_groups(
    n_pairs: int, pairs_flipped: Ints, pair_group_start: Ints, pair_group: Ints, old_config: Ints, config: Ints,
    now: int, group_mechanism: Ints, group_term: Ints, kernel_start: Ints, kernel_share: Floats, decay: Floats,
    total: Floats, total_age: Floats, total_day: Ints, exposure: Floats, exposure_bend: Floats,
) -> None:  # fmt: skip
    """Groups whose gates changed: the days before as before, today half and half."""
    for k in range(n_pairs):
        pair = pairs_flipped[k]
        for r in range(pair_group_start[pair], pair_group_start[pair + 1]):
            g = pair_group[r]
            m = group_mechanism[g]
            first, last, share = total_day[g], now, 1.0
            for part in range(3):
                expose_group(
                    g, total, total_age, first, last, config[pair] if part == 2 else old_config[pair], share,
                    group_mechanism, group_term, kernel_start, kernel_share, decay, exposure, exposure_bend,
                )  # fmt: skip
                if part == 0:
                    age(kernel_start, decay, m, total, total_age, g, now - total_day[g])
                    first, last, share = now, now + 1, 0.5
            age(kernel_start, decay, m, total, total_age, g, 1)
            total_day[g] = now + 1


@inner
def _expose_changed_grounds(
    n_pairs: int, pairs_flipped: Ints, pair_ground_start: Ints, pair_ground: Ints, old_config: Ints, config: Ints,
    now: int, ground_profile: Ints, ground_term: Ints, ground_scale: Floats, n_shapes: int, cell_time: Floats,
    cell_value: Floats, cell_shape: Ints, swing: Floats, peak: Floats, ground_day: Ints, exposure: Floats,
) -> None:  # fmt: skip
    """Grounds whose gates changed, likewise."""
    for k in range(n_pairs):
        pair = pairs_flipped[k]
        for r in range(pair_ground_start[pair], pair_ground_start[pair + 1]):
            b = pair_ground[r]
            for part in range(3):
                expose_ground(
                    b, ground_day[b] if part == 0 else now, now if part == 0 else now + 1,
                    config[pair] if part == 2 else old_config[pair], 1.0 if part == 0 else 0.5, ground_profile,
                    ground_term, ground_scale, n_shapes, cell_time, cell_value, cell_shape, swing, peak, exposure,
                )  # fmt: skip
            ground_day[b] = now + 1


@inner
def _write_background(
    c: int, now: int, cell: int, f: Facts, n_effects: int, channel_ground: Ints, channel_scale: Floats,
    ground_profile: Ints, ground_pair: Ints, ground_term: Ints, n_shapes: int, cell_value: Floats, cell_shape: Ints,
    swing: Floats, peak: Floats, term: Ints, value: Floats, used: int,
) -> int:  # fmt: skip
    """What channel c does by itself today; returns the entries used."""
    b = channel_ground[c]
    p = ground_profile[b]
    v = channel_scale[c] * cell_value[p, cell]
    v *= season_integral(swing[p], peak[p], float(now), now + 1.0)
    if v > 0.0:
        pair = ground_pair[b]
        base = ground_term[b] + cell_shape[cell]
        before = f.old_config[pair]
        after = before
        if f.flipped[pair] != 0:
            after = after_config(f, pair, n_effects, c)
        halves = 2 if after != before else 1
        for half in range(halves):
            term[used] = base + (before if half == 0 else after) * n_shapes
            value[used] = v / halves
            used += 1
    return used


@inner
def _write_answers(
    c: int, now: int, f: Facts, n_effects: int, d: Fades, slot_start: Ints, slot_group: Ints, group_mechanism: Ints,
    group_pair: Ints, group_term: Ints, reach: Floats, reach_age: Floats, reach_day: Ints, slot_echo: Floats,
    slope_here: Floats, term: Ints, value: Floats, bend: Floats, used: int,
) -> int:  # fmt: skip
    """What channel c is excited to today, by the days before and, where no gate changed, by today's acts."""
    sloped = len(bend) > 0
    for s in range(slot_start[c], slot_start[c + 1]):
        g = slot_group[s]
        m = group_mechanism[g]
        pair = group_pair[g]
        echo = 0.0 if f.flipped[pair] != 0 else slot_echo[s]
        slot_echo[s] = 0.0
        v = echo
        age(d.kernel_start, d.decay, m, reach, reach_age, s, now - reach_day[s])
        reach_day[s] = now
        for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
            k = j - d.kernel_start[m]
            v += d.lag_share[j] * reach[s, k]
            if sloped:
                slope_here[k] = d.lag_slope[j] * reach[s, k] - d.lag_share[j] * d.decay[j] * reach_age[s, k]
                if echo > 0.0:
                    slope_here[k] += echo / d.echo_share[m] * d.echo_slope[m, k]
        if v > SMALLEST:
            before = f.old_config[pair]
            after = before
            if f.flipped[pair] != 0:
                after = after_config(f, pair, n_effects, c)
            halves = 2 if after != before else 1
            for half in range(halves):
                term[used] = group_term[g] + (before if half == 0 else after)
                value[used] = v / halves
                if sloped:
                    for j in range(len(slope_here)):
                        bend[used, j] = slope_here[j] / halves
                used += 1
    return used


@inner
def _write_echoes(
    c: int, at: int, f: Facts, n_effects: int, d: Fades, links: DayLinks, first_link: Ints, today: Ints, place: Ints,
    first_row: int, slot_group: Ints, group_mechanism: Ints, group_pair: Ints, group_term: Ints, slope_here: Floats,
    term: Ints, value: Floats, bend: Floats, echo_from: Ints, echo_term: Ints, echo_value: Floats, echo_bend: Floats,
    used: int, echoes: int,
) -> tuple[int, int]:  # fmt: skip
    """The links of the row at place `at` to acts that it may answer today; returns entries and echoes used."""
    sloped = len(bend) > 0
    widest = len(slope_here)
    for q in range(first_link[at], first_link[at + 1]):
        k = links.by_row[q]
        g = slot_group[links.slot[k]]
        pair = group_pair[g]
        m = group_mechanism[g]
        v = links.value[k]
        for j in range(widest):
            slope_here[j] = v / d.echo_share[m] * d.echo_slope[m, j]
        halves = 2 if f.flipped[pair] != 0 else 1
        for half in range(halves):
            here = f.config[pair]
            if halves == 2:
                if half == 0:
                    here = before_config(f, pair, n_effects, today[links.source[k]])
                else:
                    here = after_config(f, pair, n_effects, c)
                term[used] = group_term[g] + here
                value[used] = 0.5 * v
                if sloped:
                    for j in range(widest):
                        bend[used, j] = 0.5 * slope_here[j]
                used += 1
            echo_from[echoes] = first_row + place[links.source[k]]
            echo_term[echoes] = group_term[g] + here
            echo_value[echoes] = v / halves
            if sloped:
                for j in range(widest):
                    echo_bend[echoes, j] = slope_here[j] / halves
            echoes += 1
    return used, echoes


@inner
def _room_needed(today: Ints, n_today: int, slot_start: Ints, links: int) -> int:
    """Entries that today's rows may need."""
    need = 2 * links
    for r in range(n_today):
        need += 2 * (1 + slot_start[today[r] + 1] - slot_start[today[r]])
    return need


@loop
def _pass(
    d: Design, k: Fades, day: Ints, channel: Ints, worth: Floats, calendar: PassCalendar | None, slot_channel: Ints,
    f: Facts, past: DayPast, t: Today, links: DayLinks, rows: DayRows, slope_here: Floats, done: Ints,
) -> int:  # fmt: skip
    """Days from event done[EVENTS] on, to the end of the window at done[DAYS].

    Says what it lacks room for, with everything as it was before that day.

    calendar  None where nothing is known beforehand: what it would do is then not compiled
    """
    # A tuple of many arrays is unpacked once: wherever it is handed on, its parts are copied.
    slot_start, slot_group, group_mechanism, group_pair = d.slot_start, d.slot_group, d.group_mechanism, d.group_pair
    group_term, ground_term, ground_pair, ground_profile = d.group_term, d.ground_term, d.ground_pair, d.ground_profile
    ground_scale, channel_ground, channel_scale, n_shapes = (
        d.ground_scale,
        d.channel_ground,
        d.channel_scale,
        d.n_shapes,
    )
    cell_time, cell_value, cell_shape = d.cell_time, d.cell_value, d.cell_shape
    swing, peak = d.profile_swing, d.profile_peak
    effect_start, effect_fact, effect_level = d.effect_start, d.effect_fact, d.effect_level
    pair_group_start, pair_group = d.pair_group_start, d.pair_group
    pair_ground_start, pair_ground = d.pair_ground_start, d.pair_ground
    out_start, out_slot, out_mass = d.out_start, d.out_slot, d.out_mass
    feed_start, feed_group, feed_mass = d.feed_start, d.feed_group, d.feed_mass
    kernel_start, kernel_share, decay = k.kernel_start, k.kernel_share, k.decay
    flip_time, repeats, share = d.flip_time, d.mechanism_repeats, past.share
    stands, stands_now = t.stands, t.stands_now
    row_of, today, times, parent, order, place = t.row_of, t.today, t.times, t.parent, t.order, t.place
    is_new, pairs_flipped, slot_echo, first_link, sizes = t.is_new, t.pairs_flipped, t.slot_echo, t.first_link, t.sizes
    link_to, link_from, link_slot, link_value = links.to, links.source, links.slot, links.value
    reach, reach_age, reach_day = past.reach, past.reach_age, past.reach_day
    total, total_age, total_day, ground_day = past.total, past.total_age, past.total_day, past.ground_day
    start, term, value, bend = rows.start, rows.term, rows.value, rows.bend
    exposure, exposure_bend = rows.exposure, rows.exposure_bend
    echo_from, echo_term, echo_value, echo_bend = rows.echo_from, rows.echo_term, rows.echo_value, rows.echo_bend
    i, n_rows, used, blocks, echoes = done[EVENTS], done[ROWS], done[ENTRIES], done[BLOCKS], done[ECHOES]
    origin = 0
    if len(day) > 0 and day[0] < 0:
        origin = day[0]
    lacks = FINISHED
    while i < len(day):
        now = day[i]
        scored = now >= 0
        if calendar is not None and (done[FLIPS] < len(flip_time) or len(calendar.unseen) > 0):
            done[FLIPS] = pass_days(
                done[FLIPS], done[NEXT_DAY], now, origin, calendar, d, k, f, past, exposure, exposure_bend
            )
            done[NEXT_DAY] = now
        last, n_today = collect(day, channel, i, row_of, today, times)
        weigh_acts(channel, worth[0], i, last, row_of, n_today, stands)
        weigh_acts(channel, worth[1], i, last, row_of, n_today, stands_now)
        n_links = 0
        if scored:
            n_links = link_acts(
                today, n_today, times, row_of, parent, out_start, out_slot, out_mass, slot_channel, slot_group,
                group_mechanism, k.echo_share, link_to, link_from, link_slot, link_value,
            )  # fmt: skip
            weigh_links(
                n_links, link_from, link_slot, link_value, times, stands_now, slot_group, group_mechanism, repeats
            )  # fmt: skip
            if n_links < 0:
                lacks = MORE_LINKS
            elif (
                used + _room_needed(today, n_today, slot_start, n_links) > len(term)
                or echoes + 2 * n_links > len(echo_from)
            ):  # fmt: skip
                lacks = MORE_ENTRIES
        if lacks != FINISHED:
            forget_day(row_of, today, n_today)
            break
        n_effects = change_facts(effect_start, effect_fact, effect_level, channel, i, last, f.level, f.effects)
        n_pairs = turn_pairs(f, n_effects, is_new, pairs_flipped)
        _expose_changed_groups(
            n_pairs, pairs_flipped, pair_group_start, pair_group, f.old_config, f.config, now, group_mechanism,
            group_term, kernel_start, kernel_share, decay, total, total_age, total_day, exposure, exposure_bend,
        )  # fmt: skip
        _expose_changed_grounds(
            n_pairs, pairs_flipped, pair_ground_start, pair_ground, f.old_config, f.config, now, ground_profile,
            ground_term, ground_scale, n_shapes, cell_time, cell_value, cell_shape, swing, peak, ground_day, exposure,
        )  # fmt: skip
        if scored:
            for q in range(n_links):
                slot_echo[link_slot[q]] += link_value[q]
            if calendar is not None and len(calendar.unseen) > 0 and calendar.shows_less[now] != 0:
                echo_unseen(
                    now, calendar.foretold, row_of, slot_channel, out_start, out_slot, out_mass, slot_group,
                    group_mechanism, repeats, k.echo_share, slot_echo,
                )  # fmt: skip
            n_blocks = find_blocks(parent, n_today, place, order, sizes)
            first = n_rows
            for b in range(n_blocks):
                first += sizes[b]
                blocks += 1
                rows.block[blocks] = first
            sort_links(n_links, link_to, place, n_today, first_link, links.by_row)
            first_row = n_rows
            cell = cell_of(cell_time, float(now))
            for at in range(n_today):
                r = order[at]
                c = today[r]
                first_entry, first_echo = used, echoes
                used = _write_background(
                    c, now, cell, f, n_effects, channel_ground, channel_scale, ground_profile, ground_pair,
                    ground_term, n_shapes, cell_value, cell_shape, swing, peak, term, value, used,
                )  # fmt: skip
                used = _write_answers(
                    c, now, f, n_effects, k, slot_start, slot_group, group_mechanism, group_pair, group_term, reach,
                    reach_age, reach_day, slot_echo, slope_here, term, value, bend, used,
                )  # fmt: skip
                used, echoes = _write_echoes(
                    c, at, f, n_effects, k, links, first_link, today, place, first_row, slot_group, group_mechanism,
                    group_pair, group_term, slope_here, term, value, bend, echo_from, echo_term, echo_value, echo_bend,
                    used, echoes,
                )  # fmt: skip
                if calendar is not None and share[0] != 1.0:
                    see(share[0], first_entry, used, term, value, bend, calendar.term_repeats)
                    see(share[0], first_echo, echoes, echo_term, echo_value, echo_bend, calendar.term_repeats)
                rows.acts[n_rows] = times[r]
                rows.channel[n_rows] = c
                rows.day[n_rows] = now
                n_rows += 1
                start[n_rows] = used
                rows.echo_start[n_rows] = echoes
        excite_slots(
            today, n_today, stands, now, out_start, out_slot, out_mass, slot_group, group_mechanism, kernel_start,
            decay, reach, reach_age, reach_day,
        )  # fmt: skip
        excite_groups(
            now, scored, n_today, today, times, f, n_effects, k, feed_start, feed_group, feed_mass, group_mechanism,
            group_pair, group_term, total, total_age, total_day, exposure, exposure_bend, stands, stands_now,
            repeats,
        )  # fmt: skip
        if calendar is not None and scored and len(calendar.unseen) > 0:
            if calendar.shows_less[now] != 0:
                feed_unseen(now, calendar.unseen, calendar.foretold, d, k, f, past, exposure, exposure_bend)
            done[NEXT_DAY] = now + 1
        settle_facts(f, n_effects, is_new, pairs_flipped, n_pairs)
        forget_day(row_of, today, n_today)
        i = last
    done[EVENTS], done[ROWS], done[ENTRIES], done[BLOCKS], done[ECHOES] = i, n_rows, used, blocks, echoes
    if lacks == FINISHED:
        days = done[DAYS]
        if calendar is not None:
            pass_days(
                done[FLIPS], done[NEXT_DAY], days - 1, origin, calendar, d, k, f, past, exposure, exposure_bend
            )  # fmt: skip
            if len(calendar.unseen) > 0 and done[NEXT_DAY] < days and calendar.shows_less[days - 1] != 0:
                feed_unseen(days - 1, calendar.unseen, calendar.foretold, d, k, f, past, exposure, exposure_bend)
        _expose_rest(
            days, f.config, group_pair, group_mechanism, group_term, kernel_start, kernel_share, decay, total,
            total_age, total_day, ground_pair, ground_profile, ground_term, ground_scale, n_shapes, cell_time,
            cell_value, cell_shape, swing, peak, ground_day, exposure, exposure_bend,
        )  # fmt: skip
        if calendar is not None and len(past.seen) > 0:
            _keep_seen(calendar, past, exposure, exposure_bend)
    return lacks


@inner
def _expose_rest(
    days: int, config: Ints, group_pair: Ints, group_mechanism: Ints, group_term: Ints, kernel_start: Ints,
    kernel_share: Floats, decay: Floats, total: Floats, total_age: Floats, total_day: Ints, ground_pair: Ints,
    ground_profile: Ints, ground_term: Ints, ground_scale: Floats, n_shapes: int, cell_time: Floats,
    cell_value: Floats, cell_shape: Ints, swing: Floats, peak: Floats, ground_day: Ints, exposure: Floats,
    exposure_bend: Floats,
) -> None:  # fmt: skip
    """What is still expected between what happened last and the end of the window."""
    for g in range(len(group_term)):
        expose_group(
            g, total, total_age, total_day[g], days, config[group_pair[g]], 1.0, group_mechanism, group_term,
            kernel_start, kernel_share, decay, exposure, exposure_bend,
        )  # fmt: skip
    for b in range(len(ground_term)):
        expose_ground(
            b, ground_day[b], days, config[ground_pair[b]], 1.0, ground_profile, ground_term, ground_scale, n_shapes,
            cell_time, cell_value, cell_shape, swing, peak, exposure,
        )  # fmt: skip


@inner
def _keep_seen(calendar: PassCalendar, past: DayPast, exposure: Floats, exposure_bend: Floats) -> None:
    """Leave of the exposure what the source would see of it."""
    fold(past.share[0], calendar.term_repeats, exposure, exposure_bend, past)
    for j in range(len(exposure)):
        exposure[j] = past.seen[j]
        if len(exposure_bend) > 0:
            for h in range(exposure_bend.shape[1]):
                exposure_bend[j, h] = past.seen_bend[j, h]


def day_pass(
    d: Design, decay: Floats, day: Ints, channel: Ints, days: int, sloped: bool, worth: Floats | None = None,
    unseen: tuple[Floats, Floats] | None = None,
) -> DayRows:  # fmt: skip
    """Rows, echoes, blocks and exposures over days 0..days-1.

    decay    (kernel components,) 1/day
    day      (N,) whole days, sorted; days before 0 are history: they excite and set facts but are not scored
    channel  (N,)
    sloped   whether derivatives by the log decays are wanted
    worth    (2, N) how many acts an event stands for as a cause: on later days, and on its own; 1 each by default
    unseen   (days, C, M), (days, C) acts that are expected beside those that were seen: causes of others on later days
             by each mechanism (or by all: (days, C, 1)), and on their own; none by default
    """
    n, origin = len(day), min(0, int(day[0])) if len(day) else 0
    worth = np.ones((2, n)) if worth is None else np.ascontiguousarray(worth, np.float64)
    later, own = (np.zeros((0, 0, 1)), np.zeros((0, 0))) if unseen is None else unseen
    shares_change, calendar = bool((d.flip_fact < 0).any()), None
    if later.size or len(d.flip_time):
        shows_less = np.asarray((later != 0).any(axis=(1, 2)), np.int64)
        calendar = PassCalendar(
            np.ascontiguousarray(later, np.float64), np.ascontiguousarray(own, np.float64), shows_less,
            repeating_terms(d),
        )  # fmt: skip
    n_groups, n_slots, n_pairs = len(d.group_term), len(d.slot_group), len(d.initial_config)
    k = fades(d.kernel_start, d.kernel_share, np.ascontiguousarray(decay, np.float64))
    widest = k.echo_slope.shape[1]
    slot_channel = np.repeat(np.arange(len(d.channel_ground)), np.diff(d.slot_start))
    effects_by_event = np.concatenate([[0], np.cumsum(np.diff(d.effect_start)[channel])])
    new_day = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    most_effects = int(np.diff(effects_by_event[np.append(new_day, n)]).max(initial=0))
    facts = Facts(
        d.initial_level.copy(), d.initial_level.copy(), d.initial_config.copy(), d.initial_config.copy(),
        np.zeros(n_pairs, np.int64), np.empty((most_effects, 3), np.int64), d.dep_start, d.dep_pair, d.dep_stride,
    )  # fmt: skip
    past = DayPast(
        np.zeros((n_slots, widest)), np.zeros((n_slots, widest)), np.full(n_slots, origin),
        np.zeros((n_groups, widest)), np.zeros((n_groups, widest)), np.full(n_groups, origin),
        np.zeros(len(d.ground_term), np.int64), np.ones(1), np.zeros(int(shares_change) * d.n_terms),
        np.zeros((int(shares_change and sloped) * d.n_terms, widest)),
    )  # fmt: skip
    most = busiest_day(day)
    ints = np.empty((6, most + 1), np.int64)
    today = Today(
        np.full(len(d.channel_ground), -1, np.int64), ints[0], np.empty(most), np.empty(most), np.empty(most), ints[1],
        ints[2], ints[3], ints[4], ints[5], np.zeros(len(d.initial_level), np.int64), np.empty(n_pairs, np.int64),
        np.zeros(n_slots),
    )  # fmt: skip
    links = room_for_links(64)
    rows = room_for_rows(n, 4 * n + 16, n + 16, d.n_terms, widest, sloped)
    done = np.zeros(8, np.int64)
    done[DAYS] = days
    while True:
        lacks = _pass(
            d, k, day, channel, worth, calendar, slot_channel, facts, past, today, links, rows, np.zeros(widest), done
        )
        if lacks == FINISHED:
            break
        if lacks == MORE_LINKS:
            links = room_for_links(2 * len(links.to))
        else:
            need = int(4 * len(links.to))
            rows = with_more_entries(rows, max(len(rows.term), need), max(len(rows.echo_from), need))
    return cut(rows, done)


def room_for_links(n: int) -> DayLinks:
    """Room for so many links of one day."""
    return DayLinks(
        np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n, np.int64)
    )


def room_for_rows(n: int, n_entries: int, n_echoes: int, n_terms: int, widest: int, sloped: bool) -> DayRows:
    """Empty rows of a pass: `n` rows and blocks, so many entries and echoes."""
    slopes = int(sloped)
    return DayRows(
        start=np.zeros(n + 1, np.int64), term=np.empty(n_entries, np.int64), value=np.empty(n_entries),
        acts=np.empty(n), block=np.zeros(n + 1, np.int64), echo_start=np.zeros(n + 1, np.int64),
        echo_from=np.empty(n_echoes, np.int64), echo_term=np.empty(n_echoes, np.int64), echo_value=np.empty(n_echoes),
        exposure=np.zeros(n_terms), bend=np.zeros((slopes * n_entries, widest)),
        echo_bend=np.zeros((slopes * n_echoes, widest)), exposure_bend=np.zeros((slopes * n_terms, widest)),
        channel=np.empty(n, np.int64), day=np.empty(n, np.int64),
    )  # fmt: skip


def longer(a: NDArray[Any], more: int) -> NDArray[Any]:
    """The array with room for so many rows more."""
    if more == 0:
        return a
    made = np.zeros((len(a) + more, *a.shape[1:]), a.dtype)
    made[: len(a)] = a
    return made


def with_more_entries(rows: DayRows, entries: int, echoes: int) -> DayRows:
    """The rows with room for so many entries and echoes more."""
    slopes = int(len(rows.exposure_bend) > 0)
    return rows._replace(
        term=longer(rows.term, entries), value=longer(rows.value, entries), bend=longer(rows.bend, slopes * entries),
        echo_from=longer(rows.echo_from, echoes), echo_term=longer(rows.echo_term, echoes),
        echo_value=longer(rows.echo_value, echoes), echo_bend=longer(rows.echo_bend, slopes * echoes),
    )  # fmt: skip


def cut(rows: DayRows, done: Ints) -> DayRows:
    """What a pass has written, without the room that it did not need."""
    n, used, blocks, echoes = (int(done[what]) for what in (ROWS, ENTRIES, BLOCKS, ECHOES))
    return DayRows(
        start=rows.start[: n + 1].copy(), term=rows.term[:used].copy(), value=rows.value[:used].copy(),
        acts=rows.acts[:n].copy(), block=rows.block[: blocks + 1].copy(), echo_start=rows.echo_start[: n + 1].copy(),
        echo_from=rows.echo_from[:echoes].copy(), echo_term=rows.echo_term[:echoes].copy(),
        echo_value=rows.echo_value[:echoes].copy(), exposure=rows.exposure, bend=rows.bend[:used].copy(),
        echo_bend=rows.echo_bend[:echoes].copy(), exposure_bend=rows.exposure_bend, channel=rows.channel[:n].copy(),
        day=rows.day[:n].copy(),
    )  # fmt: skip
