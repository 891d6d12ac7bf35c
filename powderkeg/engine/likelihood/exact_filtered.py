"""The likelihood at exact times of a system with facts that no event reports.

In: a `Design`, what moves the facts by themselves, decays, parameters, events at exact times. Out: the probability of
every level of every fact just before each event and along a grid of steps; and `Rows` as `exact` gives them, in which
every gate is its mean over those probabilities (see `filtered_facts`). Given the probabilities, which the past alone
determines, the expected intensity is a sum of terms like any other.

`replay` uses probabilities found before instead of filtering: the passes of a fit at other parameters.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inlined, loop
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact import Rows
from powderkeg.engine.likelihood.exact_steps import (
    SMALLEST,
    AnswerGroups,
    Calms,
    Carried,
    Delays,
    Grounds,
    Timeline,
    add_calm,
    age_slot,
    calm_level,
    calms_of,
    carried,
    cell_of,
    delays_of,
    excite_slots,
    grounds_of,
    groups_of,
    season,
    season_integral,
    timeline_of,
)
from powderkeg.engine.likelihood.filtered_facts import (
    FAINT,
    Assumed,
    Drift,
    GatePairs,
    act_on_facts,
    add_alike,
    clear,
    configurations,
    copy_into,
    drift_facts,
    expect_by_level,
    expose_pair,
    initial_belief,
    learn_from_act,
    learn_from_silence,
    note_reads,
    pairs_of,
    weigh,
)

FIRST_STEP = 0.05
"""Days of the first step after an event; each next one is longer by `STEP_GROWTH`, up to `LONGEST_STEP`."""
STEP_GROWTH = 1.6
LONGEST_STEP = 1.0


class EventPaths(NamedTuple):
    """What excites each channel and what its acts excite, as in `Design`; `mechanism` is that of each slot's group.

    most     (C,) entries that an act of a channel may need
    repeats  (M,) 1 where answers are further reports of the act itself
    ground, scale  (C,) ground of a channel, rate per unit of its parameter
    """

    start: Ints
    group: Ints
    mechanism: Ints
    out_start: Ints
    out: Ints
    out_mass: Floats
    feed_start: Ints
    feed: Ints
    feed_mass: Floats
    most: Ints
    repeats: Ints
    ground: Ints
    scale: Floats


class Expectation(NamedTuple):
    """What is expected in a step, were every gate 1: of groups (with derivatives), of grounds, and of pairs in all."""

    mass: Floats
    mass_bend: Floats
    ground_mass: Floats
    pair_mass: Floats


class Filtering(NamedTuple):
    """Probabilities of the facts' levels, and room for one step of the filter.

    p, middle, expected   (cells,) now, as read, and what is expected given each level
    chance                (largest,) of the configurations of a pair
    reads, is_read        (facts,) facts that an act's channel reads
    part_pair, part_mean  of the parts of its intensity
    slope_here            (components,)
    """

    p: Floats
    middle: Floats
    expected: Floats
    chance: Floats
    reads: Ints
    is_read: Ints
    part_pair: Ints
    part_mean: Floats
    slope_here: Floats


# What a pass has done so far: events read, rows and entries written, steps taken.
EVENTS, ROWS, ENTRIES, STEPS = range(4)
NOW, CALM_AT = range(2)


@loop
def step_end(t: float, step: float, last: float) -> float:
    """End of the step that starts at t: no step crosses an event or the start of the window."""
    high = min(t + step, last)
    return 0.0 if t < 0.0 < high else high


@loop
def count_steps(time: Floats, end: float) -> int:
    """Steps of the grid between events and to the end."""
    total = 0
    t = min(0.0, time[0]) if len(time) > 0 else 0.0
    for i in range(len(time) + 1):
        last = time[i] if i < len(time) else end
        step = FIRST_STEP
        while t < last - 1e-12:
            t = step_end(t, step, last)
            step = min(step * STEP_GROWTH, LONGEST_STEP)
            total += 1
        t = last
    return total


@inlined
def _expect_groups(
    width: float, calm_now: Floats, assumed: Assumed, groups: AnswerGroups, delays: Delays,
    level: Floats, moment: Floats, mass: Floats, mass_bend: Floats, pair_mass: Floats,
) -> None:  # fmt: skip
    """Answers that each group expects within `width` days, were every gate 1; levels go on to the end of them."""
    for g in range(len(groups.term)):
        mass[g] = 0.0
        m = groups.mechanism[g]
        calm = calm_now[groups.calm[g]]
        for j in range(delays.start[m], delays.start[m + 1]):
            k = j - delays.start[m]
            mass_bend[g, k] = 0.0
            if level[g, k] <= 0.0:
                continue
            b = delays.decay[j]
            fade = np.exp(-b * width)
            mass[g] -= delays.share[j] * calm * level[g, k] * np.expm1(-b * width)
            later = fade * (moment[g, k] + width * level[g, k])
            mass_bend[g, k] = delays.share[j] * calm * b * (later - moment[g, k])
            moment[g, k] = later
            level[g, k] *= fade
            if level[g, k] < SMALLEST:
                level[g, k] = 0.0
                moment[g, k] = 0.0
        pair_mass[groups.pair[g]] += mass[g] * assumed.linear[assumed.term_linear[groups.term[g]]]


@inlined
def _expect_grounds(
    low: float, high: float, cell: int, calm_now: Floats, assumed: Assumed, grounds: Grounds, clock: Timeline,
    ground_mass: Floats, pair_mass: Floats,
) -> None:  # fmt: skip
    """What each ground expects from low to high by itself, likewise."""
    for b in range(len(grounds.term)):
        q = grounds.profile[b]
        length = season_integral(clock.swing[q], clock.peak[q], low, high)
        ground_mass[b] = grounds.scale[b] * clock.cell_value[q, cell] * length * calm_now[grounds.calm[b]]
        own = assumed.course[clock.cell_shape[cell]] * assumed.linear[assumed.term_linear[grounds.term[b]]]
        pair_mass[grounds.pair[b]] += ground_mass[b] * own


@inlined
def _filter_step(width: float, f: Drift, pairs: GatePairs, pair_mass: Floats, slope: Floats, b: Filtering) -> None:
    """Beliefs over a step in which nothing happened: half the drift, what silence says, half the drift."""
    drift_facts(f, b.p, 0.5 * width)
    expect_by_level(pairs, pair_mass, slope, b.p, b.chance, b.expected)
    copy_into(b.middle, b.p)
    learn_from_silence(f, b.middle, b.expected, 0.5)
    learn_from_silence(f, b.p, b.expected, 1.0)
    drift_facts(f, b.p, 0.5 * width)


@inlined
def _expose_step(
    shape: int, n_shapes: int, pairs: GatePairs, b: Filtering, groups: AnswerGroups, grounds: Grounds,
    seen: Expectation, exposure: Floats, exposure_bend: Floats,
) -> None:  # fmt: skip
    """What was expected in this step goes to the terms, by how likely each configuration was."""
    for q in range(len(pairs.size)):
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, b.middle, b.chance)
        expose_pair(
            q, pairs.size[q], b.chance, shape, n_shapes, pairs.group_start, pairs.group, pairs.ground_start,
            pairs.ground, groups.term, grounds.term, seen.mass, seen.mass_bend, seen.ground_mass, exposure,
            exposure_bend,
        )  # fmt: skip


@inlined
def _excitation(s: int, m: int, t: float, calm: float, delays: Delays, reach: Carried, slope_here: Floats) -> float:
    """What slot s adds to its channel at time t, were the gate 1, with its derivatives by the log decays."""
    age_slot(delays.start, delays.decay, m, s, t, reach)
    v = 0.0
    for j in range(delays.start[m], delays.start[m + 1]):
        h = j - delays.start[m]
        part = delays.share[j] * delays.decay[j] * calm
        v += part * reach.level[s, h]
        slope_here[h] = part * (reach.level[s, h] - delays.decay[j] * reach.moment[s, h])
    return v


@inlined
def _act(
    c: int, t: float, replay: bool, f: Drift, pairs: GatePairs, assumed: Assumed,
    paths: EventPaths, groups: AnswerGroups, grounds: Grounds,
    clock: Timeline, delays: Delays, q: Calms, x: Floats, x_time: float, reach: Carried, b: Filtering,
    term: Ints, value: Floats, bend: Floats, used: int,
) -> int:  # fmt: skip
    """An act of channel c at time t: its row, and what it says of the facts; returns the entries used."""
    clear(b.expected)
    n_reads, n_parts = 0, 0
    slope, linear, term_linear = assumed.slope, assumed.linear, assumed.term_linear
    ground = paths.ground[c]
    profile = grounds.profile[ground]
    cell = cell_of(clock.cell_time, t)
    calm = 1.0
    if grounds.calm[ground] >= 0:
        calm = calm_level(q, x, x_time, grounds.calm[ground], t)
    v = paths.scale[c] * clock.cell_value[profile, cell] * calm
    if clock.swing[profile] != 0.0:
        v *= season(clock.swing[profile], clock.peak[profile], t)
    clear(b.slope_here)
    pair = grounds.pair[ground]
    first, apart = grounds.term[ground] + clock.cell_shape[cell], clock.n_shapes
    weight = v * assumed.course[clock.cell_shape[cell]] * linear[term_linear[first]]
    for s in range(paths.start[c] - 1, paths.start[c + 1]):
        if s >= paths.start[c]:
            g = paths.group[s]
            pair, first, apart = groups.pair[g], groups.term[g], 1
            v = _excitation(s, paths.mechanism[s], t, calm, delays, reach, b.slope_here)
            weight = v * linear[term_linear[first]]
        if v <= SMALLEST:
            continue
        configurations(pair, pairs.fact_start, pairs.fact, pairs.level_start, b.middle, b.chance)
        for h in range(pairs.size[pair]):
            if b.chance[h] > FAINT and t >= 0.0:
                term[used] = first + h * apart
                value[used] = v * b.chance[h]
                if len(bend) > 0:
                    for k in range(bend.shape[1]):
                        bend[used, k] = b.slope_here[k] * b.chance[h]
                used += 1
        if not replay:
            b.part_pair[n_parts] = pair
            b.part_mean[n_parts] = weigh(
                pair, pairs.fact_start, pairs.fact, pairs.level_start, pairs.size[pair], b.middle, b.chance, slope,
                pairs.term[pair], weight, b.expected,
            )  # fmt: skip
            n_parts += 1
            n_reads = note_reads(pair, pairs.fact_start, pairs.fact, b.is_read, b.reads, n_reads)
    if not replay:
        add_alike(
            b.reads, n_reads, b.is_read, b.part_pair, b.part_mean, n_parts, pairs.fact_start, pairs.fact,
            pairs.level_start, b.expected,
        )  # fmt: skip
        learn_from_act(f, b.p, b.expected, b.reads, n_reads)
    return used


@loop
def _pass(
    time: Floats, channel: Ints, end: float, replay: bool, f: Drift, pairs: GatePairs, assumed: Assumed,
    paths: EventPaths, groups: AnswerGroups,
    grounds: Grounds, clock: Timeline, delays: Delays, q: Calms, x: Floats, calm_now: Floats, reach: Carried,
    total: Carried, seen: Expectation, b: Filtering, at_event: Floats, at_step: Floats, rows: Rows, done: Ints,
    times: Floats,
) -> bool:  # fmt: skip
    """Events from done[EVENTS] on; False where the acts of an instant need more room, with all as it was before."""
    start, term, value, bend, event = rows.start, rows.term, rows.value, rows.bend, rows.event
    n = len(time)
    i, row, used, steps = done[EVENTS], done[ROWS], done[ENTRIES], done[STEPS]
    t, x_time = times[NOW], times[CALM_AT]
    fits = True
    while i <= n:
        last = time[i] if i < n else end
        step = FIRST_STEP
        while t < last - 1e-12:
            low, high = t, step_end(t, step, last)
            middle = 0.5 * (low + high)
            for k in range(len(q.set_start) - 1):
                calm_now[k] = calm_level(q, x, x_time, k, middle)
            clear(seen.pair_mass)
            _expect_groups(
                high - low, calm_now, assumed, groups, delays, total.level, total.moment, seen.mass,
                seen.mass_bend, seen.pair_mass,
            )  # fmt: skip
            cell = cell_of(clock.cell_time, middle)
            _expect_grounds(
                low, high, cell, calm_now, assumed, grounds, clock, seen.ground_mass,
                seen.pair_mass,
            )  # fmt: skip
            if replay:
                copy_into(b.middle, at_step[steps])
            else:
                _filter_step(high - low, f, pairs, seen.pair_mass, assumed.slope, b)
                copy_into(at_step[steps], b.middle)
            steps += 1
            if high > 0.0:
                _expose_step(
                    clock.cell_shape[cell], clock.n_shapes, pairs, b, groups, grounds, seen, rows.exposure,
                    rows.exposure_bend,
                )  # fmt: skip
            t = high
            step = min(step * STEP_GROWTH, LONGEST_STEP)
        t = last
        if i == n:
            break
        until, need = i, used
        while until < n and time[until] == t:
            need += paths.most[channel[until]]
            until += 1
        fits = need <= len(term)
        if not fits:
            break
        for e in range(i, until):
            if replay:
                copy_into(b.p, at_event[e])
            else:
                copy_into(at_event[e], b.p)
        for e in range(i, until):
            copy_into(b.middle, at_event[e])
            used = _act(
                channel[e], t, replay, f, pairs, assumed, paths, groups, grounds, clock, delays, q, x, x_time, reach,
                b, term, value, bend, used,
            )  # fmt: skip
            if t >= 0.0:
                event[row] = e
                row += 1
                start[row] = used
        for e in range(i, until):
            c = channel[e]
            if not replay:
                act_on_facts(f, b.p, c)
            excite_slots(
                c, t, (1.0,), 1, paths.out_start, paths.out, paths.out_mass, paths.mechanism, paths.repeats,
                delays.start, delays.decay, reach,
            )  # fmt: skip
            for k in range(paths.feed_start[c], paths.feed_start[c + 1]):
                m = groups.mechanism[paths.feed[k]]
                for h in range(delays.start[m + 1] - delays.start[m]):
                    total.level[paths.feed[k], h] += paths.feed_mass[k]
            if q.add_start[c + 1] > q.add_start[c]:
                add_calm(q, x, x_time, c, t)
                x_time = t
        i = until
    done[EVENTS], done[ROWS], done[ENTRIES], done[STEPS] = i, row, used, steps
    times[NOW], times[CALM_AT] = t, x_time
    return fits


def hidden_pass(
    d: Design, f: Drift, decay: Floats, slope: Floats, linear: Floats, course: Floats, time: Floats, channel: Ints,
    end: float, sloped: bool, at_event: Floats, at_step: Floats, replay: bool,
) -> Rows:  # fmt: skip
    """Rows and exposures with every gate at its mean over what is believed of the facts.

    slope     (T,) coefficient of every term per unit of its linear parameter;  linear (n,) those parameters
    course    (shapes,) factor of the background in each shape
    at_event  (N, cells) probabilities just before each event;  at_step (steps, cells) in the middle of each step:
              read if `replay`, else filled
    """
    n, origin = len(time), min(0.0, float(time[0])) if len(time) else 0.0
    n_groups, n_facts = len(d.group_term), len(f.comes)
    widest = int(np.diff(d.kernel_start).max(initial=1))
    largest = int(d.pair_size.max(initial=1))
    most_slots = int(np.diff(d.slot_start).max(initial=0))
    p = initial_belief(d, f)
    most = d.pair_size[d.ground_pair[d.channel_ground]] + np.diff(
        np.concatenate([[0], np.cumsum(d.pair_size[d.group_pair[d.slot_group]])])[d.slot_start]
    )
    paths = EventPaths(
        d.slot_start, d.slot_group, d.group_mechanism[d.slot_group], d.out_start, d.out_slot, d.out_mass, d.feed_start,
        d.feed_group, d.feed_mass, most.astype(np.int64), d.mechanism_repeats,
        d.channel_ground, d.channel_scale,
    )  # fmt: skip
    room = Filtering(
        p, p.copy(), np.zeros(len(p)), np.zeros(largest), np.empty(n_facts, np.int64), np.zeros(n_facts, np.int64),
        np.empty(most_slots + 1, np.int64), np.empty(most_slots + 1), np.zeros(widest),
    )  # fmt: skip
    seen = Expectation(
        np.zeros(n_groups), np.zeros((n_groups, widest)), np.zeros(len(d.ground_term)), np.zeros(len(d.pair_size))
    )
    entries, slopes = 16 * n + 64, int(sloped)
    rows = Rows(
        start=np.zeros(n + 1, np.int64), term=np.empty(entries, np.int64), value=np.empty(entries),
        bend=np.zeros((slopes * entries, widest)), exposure=np.zeros(d.n_terms),
        exposure_bend=np.zeros((slopes * d.n_terms, widest)), event=np.empty(n, np.int64),
    )  # fmt: skip
    arrays = (
        f, pairs_of(d, f.level_start), Assumed(slope, linear, course, d.term_linear), paths,
        groups_of(d), grounds_of(d), timeline_of(d), delays_of(d, decay), calms_of(d), np.zeros(len(d.calm_decay)),
        np.ones(len(d.calm_set_start)),  # the last place stands for no calm
        carried(len(d.slot_group), widest, origin), carried(n_groups, widest, origin), seen, room, at_event, at_step,
    )  # fmt: skip
    done, times = np.zeros(4, np.int64), np.array([origin, origin])
    while not _pass(time, channel, float(end), replay, *arrays, rows, done, times):
        rows = with_more_entries(rows, max(len(rows.term), int(most[channel].max()) * busiest_instant(time)))
    return cut(rows, int(done[ROWS]), int(done[ENTRIES]))


def busiest_instant(time: Floats) -> int:
    """Most events at one time."""
    return int(np.unique(time, return_counts=True)[1].max(initial=0))


def with_more_entries(rows: Rows, entries: int) -> Rows:
    """The rows with room for so many entries more."""
    slopes = entries * int(len(rows.exposure_bend) > 0)
    return rows._replace(
        term=np.concatenate([rows.term, np.zeros(entries, np.int64)]),
        value=np.concatenate([rows.value, np.zeros(entries)]),
        bend=np.concatenate([rows.bend, np.zeros((slopes, rows.bend.shape[1]))]),
    )


def cut(rows: Rows, n: int, used: int) -> Rows:
    """What a pass has written, without the room that it did not need."""
    return rows._replace(
        start=rows.start[: n + 1].copy(), term=rows.term[:used].copy(), value=rows.value[:used].copy(),
        bend=rows.bend[:used].copy(), event=rows.event[:n].copy(),
    )  # fmt: skip
