"""What the calendar says beforehand, in a pass over days: facts that turn on known days, and how much a source sees.

In: the calendar's lines in a `Design`, what a pass remembers. Out: the same, changed in place. Facts with a known path
cost what an act that changes them would: what reads them is counted up to that day. A share seen is a factor on all
that is expected and on every row, so exposures are added up under one share and put away when it changes.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner
from powderkeg.engine.likelihood.day_steps import Facts, Fades, age, expose_ground, expose_group
from powderkeg.engine.likelihood.design import Design


class DayPast(NamedTuple):
    """What is remembered of the days before: of slots and of groups, by component, and on which day it stood so.

    reach, reach_age   (slots, components) sum of mass * e^(-b lag), and the same times lag;  reach_day (slots,)
    total, total_age   (groups, components);  total_day (groups,)
    ground_day         (grounds,) day up to which the background is counted
    share              (1,) share of what happens that is seen by now
    seen, seen_bend    (T,), (T, components) exposures that were added up under other shares; no rows where the share
                       never changes
    """

    reach: Floats
    reach_age: Floats
    reach_day: Ints
    total: Floats
    total_age: Floats
    total_day: Ints
    ground_day: Ints
    share: Floats
    seen: Floats
    seen_bend: Floats


class PassCalendar(NamedTuple):
    """What a pass is told beforehand, beside the lines of its design.

    unseen        (days, C, M) acts that are expected beside those that were seen, as causes by each mechanism, or
                  (days, C, 1) by all; no rows where there are none
    foretold      (days, C) those of them that the morning let expect, which may set off others of the same day
    shows_less    (days,) 1 where `unseen` has any act
    term_repeats  (T,) 1 where a term stands for further reports of an act
    """

    unseen: Floats
    foretold: Floats
    shows_less: Ints
    term_repeats: Ints


def repeating_terms(d: Design) -> Ints:
    """(T,) 1 where a term stands for further reports of an act."""
    found = np.zeros(d.n_terms, np.int64)
    for g in np.flatnonzero(d.mechanism_repeats[d.group_mechanism]) if len(d.group_mechanism) else []:
        found[d.group_term[g] : d.group_term[g] + d.pair_size[d.group_pair[g]]] = 1
    return found


@inner
def _expose_pair(
    d: Design, k: Fades, pair: int, config: int, now: int, past: DayPast, exposure: Floats, exposure_bend: Floats
) -> None:
    """Count groups and grounds of a pair up to day `now`, on which nothing has happened yet."""
    total_day, ground_day = past.total_day, past.ground_day
    for r in range(d.pair_group_start[pair], d.pair_group_start[pair + 1]):
        g = d.pair_group[r]
        if now > total_day[g]:
            expose_group(
                g, past.total, past.total_age, total_day[g], now, config, 1.0, d.group_mechanism, d.group_term,
                k.kernel_start, k.kernel_share, k.decay, exposure, exposure_bend,
            )  # fmt: skip
            age(k.kernel_start, k.decay, d.group_mechanism[g], past.total, past.total_age, g, now - total_day[g])
            total_day[g] = now
    for r in range(d.pair_ground_start[pair], d.pair_ground_start[pair + 1]):
        b = d.pair_ground[r]
        if now > ground_day[b]:
            expose_ground(
                b, ground_day[b], now, config, 1.0, d.ground_profile, d.ground_term, d.ground_scale, d.n_shapes,
                d.cell_time, d.cell_value, d.cell_shape, d.profile_swing, d.profile_peak, exposure,
            )  # fmt: skip
            ground_day[b] = now


@inner
def fold(share: float, term_repeats: Ints, exposure: Floats, exposure_bend: Floats, past: DayPast) -> None:
    """Put away what was added up under a share, times it; further reports of an act come whatever is seen."""
    seen, seen_bend = past.seen, past.seen_bend
    for j in range(len(exposure)):
        times = 1.0 if term_repeats[j] != 0 else share
        seen[j] += times * exposure[j]
        exposure[j] = 0.0
        if len(exposure_bend) > 0:
            for h in range(exposure_bend.shape[1]):
                seen_bend[j, h] += times * exposure_bend[j, h]
                exposure_bend[j, h] = 0.0


@inner
def read_calendar(
    line: int, until: int, origin: int, d: Design, k: Fades, f: Facts, past: DayPast, term_repeats: Ints,
    exposure: Floats, exposure_bend: Floats,
) -> int:  # fmt: skip
    """Lines of the calendar up to the morning of day `until`; returns how many lines are read."""
    level, old_level, config, old_config = f.level, f.old_level, f.config, f.old_config
    while line < len(d.flip_time) and d.flip_time[line] <= until:
        now = origin
        if d.flip_time[line] > origin:
            now = int(np.floor(d.flip_time[line]))
        s = d.flip_fact[line]
        first, last, change = 0, len(config), 0
        if s >= 0:
            change = d.flip_level[line] - level[s]
            first, last = d.dep_start[s], d.dep_start[s + 1]
            if change == 0:
                last = first
        for q in range(first, last):
            pair = d.dep_pair[q] if s >= 0 else q
            _expose_pair(d, k, pair, config[pair], now, past, exposure, exposure_bend)
            if s >= 0:
                config[pair] += d.dep_stride[q] * change
                old_config[pair] = config[pair]
        if s >= 0:
            level[s] = d.flip_level[line]
            old_level[s] = d.flip_level[line]
        else:
            fold(past.share[0], term_repeats, exposure, exposure_bend, past)
            past.share[0] = d.flip_share[line]
        line += 1
    return line


@inner
def feed_unseen(
    day: int, unseen: Floats, foretold: Floats, d: Design, k: Fades, f: Facts, past: DayPast, exposure: Floats,
    exposure_bend: Floats,
) -> None:  # fmt: skip
    """Acts of a day that are expected and were not seen raise what slots and groups hold, like those that were.

    unseen, foretold  (days, C, M), (days, C) how many of each channel: for later days, and for this one
    """
    total_day, reach_day = past.total_day, past.reach_day
    widest = unseen.shape[2] - 1
    for c in range(unseen.shape[1]):
        some = False
        for h in range(unseen.shape[2]):
            some = some or unseen[day, c, h] != 0.0
        if not some:
            continue
        for j in range(d.out_start[c], d.out_start[c + 1]):
            s = d.out_slot[j]
            m = d.group_mechanism[d.slot_group[s]]
            if d.mechanism_repeats[m] == 0:
                age(k.kernel_start, k.decay, m, past.reach, past.reach_age, s, day + 1 - reach_day[s])
                reach_day[s] = max(day + 1, reach_day[s])
                for h in range(k.kernel_start[m + 1] - k.kernel_start[m]):
                    past.reach[s, h] += d.out_mass[j] * unseen[day, c, min(m, widest)]
        for j in range(d.feed_start[c], d.feed_start[c + 1]):
            g = d.feed_group[j]
            m = d.group_mechanism[g]
            if d.mechanism_repeats[m] != 0:
                continue
            config = f.config[d.group_pair[g]]
            if total_day[g] < day + 1:
                expose_group(
                    g, past.total, past.total_age, total_day[g], day + 1, config, 1.0, d.group_mechanism,
                    d.group_term, k.kernel_start, k.kernel_share, k.decay, exposure, exposure_bend,
                )  # fmt: skip
                age(k.kernel_start, k.decay, m, past.total, past.total_age, g, day + 1 - total_day[g])
                total_day[g] = day + 1
            for h in range(k.kernel_start[m + 1] - k.kernel_start[m]):
                past.total[g, h] += d.feed_mass[j] * unseen[day, c, min(m, widest)]
            now = d.feed_mass[j] * foretold[day, c]
            exposure[d.group_term[g] + config] += k.echo_share[m] * now
            for h in range(exposure_bend.shape[1] if len(exposure_bend) > 0 else 0):
                exposure_bend[d.group_term[g] + config, h] += k.echo_slope[m, h] * now


@inner
def pass_days(
    line: int, first: int, until: int, origin: int, calendar: PassCalendar, d: Design, k: Fades, f: Facts,
    past: DayPast, exposure: Floats, exposure_bend: Floats,
) -> int:  # fmt: skip
    """Days from `first` on up to the morning of day `until`, on which nothing was seen; returns lines read."""
    unseen, foretold, term_repeats = calendar.unseen, calendar.foretold, calendar.term_repeats
    for day in range(max(first, 0), min(until, len(unseen))):
        if calendar.shows_less[day] != 0:
            line = read_calendar(line, day, origin, d, k, f, past, term_repeats, exposure, exposure_bend)
            feed_unseen(day, unseen, foretold, d, k, f, past, exposure, exposure_bend)
    return read_calendar(line, until, origin, d, k, f, past, term_repeats, exposure, exposure_bend)


@inner
def echo_unseen(
    day: int, foretold: Floats, row_of: Ints, slot_channel: Ints, out_start: Ints, out_slot: Ints, out_mass: Floats,
    slot_group: Ints, group_mechanism: Ints, repeats: Ints, echo_share: Floats, slot_echo: Floats,
) -> None:  # fmt: skip
    """What today's rows may answer of unseen acts that the morning let expect, where no gate turned today."""
    for c in range(foretold.shape[1]):
        if foretold[day, c] > 0.0:
            for j in range(out_start[c], out_start[c + 1]):
                s = out_slot[j]
                m = group_mechanism[slot_group[s]]
                if row_of[slot_channel[s]] >= 0 and repeats[m] == 0:
                    slot_echo[s] += echo_share[m] * out_mass[j] * foretold[day, c]


@inner
def see(
    share: float, first: int, last: int, term: Ints, value: Floats, bend: Floats, term_repeats: Ints
) -> None:  # fmt: skip
    """Of entries first..last-1 only a share is seen, but of further reports all."""
    for e in range(first, last):
        if term_repeats[term[e]] == 0:
            value[e] *= share
            if len(bend) > 0:
                for j in range(bend.shape[1]):
                    bend[e, j] *= share
