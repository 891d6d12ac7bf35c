"""The likelihood of events at exact times: one pass over the data, then value, gradient and Hessian.

In: a `Design`, decays, events in time order. Out: for every event the terms of its intensity, for every term its
expected count per unit of coefficient (its exposure); from these the log-likelihood

    sum over events of log(sum of coefficient * value)  -  sum over terms of coefficient * exposure

and its first and second derivatives in the linear and the log parameters. The pass costs events times out-degree plus
fact changes times dependents; the gates cost nothing more, because exposures are added up by configuration.

An event at the very time of another does not excite it, and facts are read before the events of that time act.
Source: Ozaki (1979), Ann. Inst. Stat. Math. 31, 145-155 for the recursion; the compression by gate class is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import allocating_loop, inlined, inner, loop
from powderkeg.engine.likelihood.design import Design
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
    expose_ground,
    expose_group,
    grounds_of,
    groups_of,
    season,
    timeline_of,
)


class Rows(NamedTuple):
    """What a pass found. N rows (events, or active channel-days), T terms.

    start, term, value   CSR (N + 1,): row i's intensity is sum of coefficient[term] * value
    bend                 (entries, components) derivative of value by the log decay of each component of the term's
                         mechanism; no rows where it was not asked for
    exposure             (T,) expected count per unit of coefficient
    exposure_bend        (T, components) its derivative by the log decays
    event                (N,) index of the event each row stands for
    """

    start: Ints
    term: Ints
    value: Floats
    bend: Floats
    exposure: Floats
    exposure_bend: Floats
    event: Ints


class ChannelSlots(NamedTuple):
    """What excites each channel, and what its acts excite; C channels, CSR as in `Design`.

    start, group, mechanism   slots of a channel: CSR (C + 1,); the group and the mechanism of each slot
    out_start, out, out_mass  slots that an act raises
    feed_start, feed, feed_mass   groups that it raises
    repeats                   (M,) 1 where answers of a mechanism are further reports of the act itself
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
    repeats: Ints


class Flips(NamedTuple):
    """What the calendar says beforehand, as in `Design`, and room for what was expected under each share seen.

    repeats         (T,) 1 where a term stands for further reports of an act
    seen, seen_bend (T,), (T, components) exposures under the shares so far
    """

    time: Floats
    fact: Ints
    level: Ints
    share: Floats
    repeats: Ints
    seen: Floats
    seen_bend: Floats


class FactChanges(NamedTuple):
    """What acts do to facts, and what hangs on a fact: the pairs that read it, their groups and grounds."""

    start: Ints
    fact: Ints
    level: Ints
    dep_start: Ints
    dep_pair: Ints
    dep_stride: Ints
    group_start: Ints
    group: Ints
    ground_start: Ints
    ground: Ints


class Sink(NamedTuple):
    """Where exposures go, by term, with their derivatives by the log decays; no rows of those where none are wanted."""

    exposure: Floats
    bend: Floats


@inlined
def _write_background(
    c: int, t: float, cell: int, config: Ints, channel_ground: Ints, channel_scale: Floats, grounds: Grounds,
    clock: Timeline, q: Calms, x: Floats, x_time: float, share: float, term: Ints, value: Floats, used: int,
) -> tuple[int, float]:  # fmt: skip
    """What channel c does by itself at time t; returns the entries used, and how calm the channel is."""
    b = channel_ground[c]
    p = grounds.profile[b]
    calm = 1.0
    if grounds.calm[b] >= 0:
        calm = calm_level(q, x, x_time, grounds.calm[b], t)
    v = channel_scale[c] * clock.cell_value[p, cell] * calm
    if clock.swing[p] != 0.0:
        v *= season(clock.swing[p], clock.peak[p], t)
    v *= share
    if v > 0.0:
        term[used] = grounds.term[b] + config[grounds.pair[b]] * clock.n_shapes + clock.cell_shape[cell]
        value[used] = v
        used += 1
    return used, calm


@inlined
def _write_answers(
    c: int, t: float, calm: float, share: float, config: Ints, slots: ChannelSlots, groups: AnswerGroups,
    delays: Delays, reach: Carried, term: Ints, value: Floats, bend: Floats, used: int,
) -> int:  # fmt: skip
    """What channel c is excited to at time t; returns the entries used."""
    sloped = len(bend) > 0
    for s in range(slots.start[c], slots.start[c + 1]):
        g = slots.group[s]
        m = slots.mechanism[s]
        age_slot(delays.start, delays.decay, m, s, t, reach)
        v = 0.0
        here_share = calm * (share if slots.repeats[m] == 0 else 1.0)
        for j in range(delays.start[m], delays.start[m + 1]):
            k = j - delays.start[m]
            part = delays.share[j] * delays.decay[j]
            v += part * reach.level[s, k]
            if sloped:
                bend[used, k] = part * (reach.level[s, k] - delays.decay[j] * reach.moment[s, k]) * here_share
        if v > SMALLEST:
            term[used] = groups.term[g] + config[groups.pair[g]]
            value[used] = v * here_share
            used += 1
        elif sloped:
            for k in range(bend.shape[1]):
                bend[used, k] = 0.0
    return used


@inlined
def _excite_groups(
    c: int, t: float, worth: Floats, reports: int, config: Ints, slots: ChannelSlots, groups: AnswerGroups,
    delays: Delays, q: Calms, x: Floats, x_time: float, total: Carried, out: Floats, out_bend: Floats,
) -> None:  # fmt: skip
    """An act of channel c at time t raises what groups hold."""
    last = len(worth) - 1
    for k in range(slots.feed_start[c], slots.feed_start[c + 1]):
        g = slots.feed[k]
        m = groups.mechanism[g]
        expose_group(g, t, config, groups, delays, q, x, x_time, total.level, total.moment, total.since, out, out_bend)
        for h in range(delays.start[m + 1] - delays.start[m]):
            total.level[g, h] += slots.feed_mass[k] * (worth[min(m, last)] if slots.repeats[m] == 0 else reports)


@inlined
def _set_fact(
    f: int, to: int, t: float, level: Ints, config: Ints, effects: FactChanges, groups: AnswerGroups, grounds: Grounds,
    clock: Timeline, delays: Delays, q: Calms, x: Floats, x_time: float, total: Carried, ground_time: Floats,
    exposure: Floats, out: Floats, out_bend: Floats,
) -> None:  # fmt: skip
    """Fact f comes to level `to` at time t: what hangs on it is counted up to now before it changes."""
    change = to - level[f]
    if change == 0:
        return
    level[f] = to
    for r in range(effects.dep_start[f], effects.dep_start[f + 1]):
        pair = effects.dep_pair[r]
        for i in range(effects.group_start[pair], effects.group_start[pair + 1]):
            expose_group(
                effects.group[i], t, config, groups, delays, q, x, x_time, total.level, total.moment, total.since,
                out, out_bend,
            )  # fmt: skip
        for i in range(effects.ground_start[pair], effects.ground_start[pair + 1]):
            expose_ground(effects.ground[i], t, config, grounds, clock, q, x, x_time, ground_time, exposure)
        config[pair] += effects.dep_stride[r] * change


@inner
def _fold_shares(
    share: float, repeats: Ints, exposure: Floats, exposure_bend: Floats, seen: Floats, seen_bend: Floats
) -> None:
    """Put away what was added up under a share, times it; further reports of an act come whatever is seen."""
    for j in range(len(exposure)):
        times = 1.0 if repeats[j] != 0 else share
        seen[j] += times * exposure[j]
        exposure[j] = 0.0
        for k in range(exposure_bend.shape[1] if len(exposure_bend) > 0 else 0):
            seen_bend[j, k] += times * exposure_bend[j, k]
            exposure_bend[j, k] = 0.0


@inlined
def _expose_all(
    t: float, calmed_only: bool, config: Ints, groups: AnswerGroups, grounds: Grounds, clock: Timeline, delays: Delays,
    q: Calms, x: Floats, x_time: float, total: Carried, ground_time: Floats, exposure: Floats, out: Floats,
    out_bend: Floats,
) -> None:  # fmt: skip
    """Count all groups and grounds up to t, or those only that some calm lowers."""
    for g in range(len(groups.calm)):
        if not calmed_only or groups.calm[g] >= 0:
            expose_group(
                g, t, config, groups, delays, q, x, x_time, total.level, total.moment, total.since, out, out_bend
            )
    for b in range(len(grounds.calm)):
        if not calmed_only or grounds.calm[b] >= 0:
            expose_ground(b, t, config, grounds, clock, q, x, x_time, ground_time, exposure)


@inner
def _take_back(exposure: Floats, exposure_bend: Floats, seen: Floats, seen_bend: Floats) -> None:
    """What was put away is the exposure."""
    for j in range(len(exposure)):
        exposure[j] = seen[j]
        for k in range(exposure_bend.shape[1] if len(exposure_bend) > 0 else 0):
            exposure_bend[j, k] = seen_bend[j, k]


@loop
def _pass(
    time: Floats, channel: Ints, worth: Floats, seen_act: Ints, end: float, level: Ints, config: Ints,
    channel_ground: Ints, channel_scale: Floats, slots: ChannelSlots, effects: FactChanges, flips: Flips,
    groups: AnswerGroups, grounds: Grounds, clock: Timeline, delays: Delays, q: Calms, x: Floats, reach: Carried,
    total: Carried, ground_time: Floats, rows: Rows, before: Sink,
) -> int:  # fmt: skip
    """Fill rows and exposures; returns the entries used. What is exposed before the window goes to `before`."""
    start, term, value, bend, event = rows.start, rows.term, rows.value, rows.bend, rows.event
    exposure = rows.exposure
    out, out_bend = before.exposure, before.bend
    origin = min(0.0, time[0]) if len(time) > 0 else 0.0
    x_time, share, opened = origin, 1.0, False
    used, row, line, i = 0, 0, 0, 0
    while i <= len(time):
        # what comes next: an event, the start of the window, a line of the calendar; after the last event, its end
        t = time[i] if i < len(time) else end
        turns = line < len(flips.time) and flips.time[line] <= t and (i < len(time) or flips.time[line] < end)
        if turns:
            t = max(flips.time[line], origin)
        if not opened and t >= 0.0:
            for g in range(len(groups.calm)):  # grounds are counted from 0 on, whatever happened before
                expose_group(
                    g, 0.0, config, groups, delays, q, x, x_time, total.level, total.moment, total.since, out, out_bend
                )
            out, out_bend = exposure, rows.exposure_bend
            opened = True
        if turns and flips.fact[line] >= 0:
            _set_fact(
                flips.fact[line], flips.level[line], t, level, config, effects, groups, grounds, clock, delays, q, x,
                x_time, total, ground_time, exposure, out, out_bend,
            )  # fmt: skip
        elif turns or i == len(time):
            _expose_all(
                t, False, config, groups, grounds, clock, delays, q, x, x_time, total, ground_time, exposure, out,
                out_bend,
            )  # fmt: skip
            if turns or line > 0:
                _fold_shares(share, flips.repeats, exposure, rows.exposure_bend, flips.seen, flips.seen_bend)
                share = flips.share[line] if turns else share
            if not turns and line > 0:
                _take_back(exposure, rows.exposure_bend, flips.seen, flips.seen_bend)
        if turns:
            line += 1
            continue
        if i == len(time):
            break
        last = i
        while last < len(time) and time[last] == t:
            last += 1
        if opened:
            cell = cell_of(clock.cell_time, t)
            for e in range(i, last):
                if seen_act[e] == 0:
                    continue
                c = channel[e]
                used, calm = _write_background(
                    c, t, cell, config, channel_ground, channel_scale, grounds, clock, q, x, x_time, share, term,
                    value, used,
                )  # fmt: skip
                used = _write_answers(c, t, calm, share, config, slots, groups, delays, reach, term, value, bend, used)
                event[row] = e
                row += 1
                start[row] = used
        for e in range(i, last):
            c = channel[e]
            excite_slots(
                c, t, worth[e], seen_act[e], slots.out_start, slots.out, slots.out_mass, slots.mechanism, slots.repeats,
                delays.start, delays.decay, reach,
            )  # fmt: skip
            _excite_groups(
                c, t, worth[e], seen_act[e], config, slots, groups, delays, q, x, x_time, total, out, out_bend
            )
            if seen_act[e] == 0:
                continue
            for k in range(effects.start[c], effects.start[c + 1]):
                _set_fact(
                    effects.fact[k], effects.level[k], t, level, config, effects, groups, grounds, clock, delays, q, x,
                    x_time, total, ground_time, exposure, out, out_bend,
                )  # fmt: skip
            if q.add_start[c + 1] > q.add_start[c]:
                _expose_all(
                    t, True, config, groups, grounds, clock, delays, q, x, x_time, total, ground_time, exposure, out,
                    out_bend,
                )  # fmt: skip
                add_calm(q, x, x_time, c, t)
                x_time = t
        i = last
    return used


def exact_pass(
    d: Design, decay: Floats, time: Floats, channel: Ints, end: float, sloped: bool, worth: Floats, seen_act: Ints,
    term_repeats: Ints,
) -> Rows:  # fmt: skip
    """Terms of every event's intensity and exposure of every term, over [0, end].

    decay    (kernel components,) 1/day
    time     (N,) days, sorted; events before 0 are history: they excite and set facts but are not scored
    channel  (N,)
    sloped   whether derivatives by the log decays are wanted
    worth    (N, M) how many acts an event stands for as a cause of others by each mechanism, or (N, 1) by all
    seen_act (N,) 1 for events, 0 for acts that are expected and were not seen: `worth` of them as causes, nothing else
    term_repeats (T,) 1 where a term stands for further reports of an act
    """
    delays = delays_of(d, decay)
    widest = int(np.diff(d.kernel_start).max(initial=1))
    scored = channel[(time >= 0.0) & (seen_act != 0)]
    n, origin = len(scored), min(0.0, float(time[0])) if len(time) else 0.0
    entries, slopes = n + int(np.diff(d.slot_start)[scored].sum()), int(sloped)
    rows = Rows(
        start=np.zeros(n + 1, np.int64), term=np.empty(entries, np.int64), value=np.empty(entries),
        bend=np.zeros((slopes * entries, widest)), exposure=np.zeros(d.n_terms),
        exposure_bend=np.zeros((slopes * d.n_terms, widest)), event=np.empty(n, np.int64),
    )  # fmt: skip
    slots = ChannelSlots(
        d.slot_start, d.slot_group, d.group_mechanism[d.slot_group], d.out_start, d.out_slot, d.out_mass, d.feed_start,
        d.feed_group, d.feed_mass, d.mechanism_repeats,
    )  # fmt: skip
    flips = Flips(
        d.flip_time, d.flip_fact, d.flip_level, d.flip_share, term_repeats, np.zeros(d.n_terms),
        np.zeros(rows.exposure_bend.shape),
    )  # fmt: skip
    effects = FactChanges(
        d.effect_start, d.effect_fact, d.effect_level, d.dep_start, d.dep_pair, d.dep_stride, d.pair_group_start,
        d.pair_group, d.pair_ground_start, d.pair_ground,
    )  # fmt: skip
    used = _pass(
        time, channel, worth, seen_act, float(end), d.initial_level.copy(), d.initial_config.copy(), d.channel_ground,
        d.channel_scale, slots, effects, flips, groups_of(d), grounds_of(d), timeline_of(d), delays, calms_of(d),
        np.zeros(len(d.calm_decay)), carried(len(d.slot_group), widest, origin),
        carried(len(d.group_term), widest, origin), np.zeros(len(d.ground_term)), rows,
        Sink(np.zeros(d.n_terms), np.zeros((0, widest))),
    )  # fmt: skip
    return rows._replace(term=rows.term[:used].copy(), value=rows.value[:used].copy(), bend=rows.bend[:used].copy())


@allocating_loop
def evaluate_rows(
    start: Ints,
    term: Ints,
    value: Floats,
    weight: Floats,
    coefficient: Floats,
    slope: Floats,
    linear: Ints,
    x_start: Ints,
    x_index: Ints,
    x_value: Floats,
    n_linear: int,
    n_log: int,
    curved: bool,
) -> tuple[float, Floats, Floats, Floats]:
    """Sum over rows of weight * log(intensity), with derivatives.

    coefficient  (T,) coefficient of every term;  slope (T,) the same per unit of its linear parameter
    returns      value; gradient (n_linear + n_log,); per term, sum of weight * value / intensity (T,);
                 minus sum of weight * d d' / intensity^2 (n, n), zeros unless `curved`
    """
    n = n_linear + n_log
    total = 0.0
    gradient = np.zeros(n)
    pull = np.zeros(len(coefficient))
    hessian = np.zeros((n, n))
    d = np.zeros(n)
    touched = np.empty(n, np.int64)
    marked = np.zeros(n, np.bool_)
    for i in range(len(start) - 1):
        intensity = 0.0
        for e in range(start[i], start[i + 1]):
            intensity += coefficient[term[e]] * value[e]
        if not intensity > 0.0:
            return -np.inf, gradient, pull, hessian
        total += weight[i] * np.log(intensity)
        scale = 1.0 / intensity
        count = 0
        for e in range(start[i], start[i + 1]):
            j = term[e]
            v = value[e] * scale
            pull[j] += weight[i] * v
            p = linear[j]
            if not marked[p]:
                marked[p] = True
                touched[count] = p
                count += 1
            d[p] += slope[j] * v
            full = coefficient[j] * v
            for k in range(x_start[j], x_start[j + 1]):
                s = n_linear + x_index[k]
                if not marked[s]:
                    marked[s] = True
                    touched[count] = s
                    count += 1
                d[s] += full * x_value[k]
        for a in range(count):
            p = touched[a]
            gradient[p] += weight[i] * d[p]
            if curved:
                left = weight[i] * d[p]
                for b in range(count):
                    hessian[p, touched[b]] -= left * d[touched[b]]
        for a in range(count):
            d[touched[a]] = 0.0
            marked[touched[a]] = False
    return total, gradient, pull, hessian


@allocating_loop
def bend_rows(
    start: Ints,
    term: Ints,
    value: Floats,
    bend: Floats,
    weight: Floats,
    coefficient: Floats,
    linear: Ints,
    n_rates: int,
    kernel_start: Ints,
    n_components: int,
) -> Floats:
    """(kernel components,) derivative of the sum over rows of weight * log(intensity) by the log decays."""
    result = np.zeros(n_components)
    for i in range(len(start) - 1):
        intensity = 0.0
        for e in range(start[i], start[i + 1]):
            intensity += coefficient[term[e]] * value[e]
        scale = weight[i] / intensity
        for e in range(start[i], start[i + 1]):
            m = linear[term[e]] - n_rates
            if m >= 0:
                for j in range(kernel_start[m], kernel_start[m + 1]):
                    result[j] += scale * coefficient[term[e]] * bend[e, j - kernel_start[m]]
    return result
