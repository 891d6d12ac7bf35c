"""What nobody reported: when in the day an act came, which facts ran out or came up in between, how its coins fell.

In: the `Ledger` of a model, observed acts at exact times or by day. Out: complete histories, each a draw from what the
model believes given all acts.

A particle filter: many copies of the history go on together, each with its own hidden facts and hours. Between acts
facts run out and come up by their own rates; a copy loses weight by exp(-expected acts) while none is seen, and gains
by the intensity of each act that is. When few copies carry the weight they are drawn anew. The history of one copy
drawn at the end is one draw; each comes from a filter of its own, so that draws share no ancestors. With more copies
the draws come nearer to the exact law (Andrieu, Doucet & Holenstein 2010, JRSS B 72, 269-342).

An act that is impossible whatever is hidden is lived through as it is and gives no weight; where the acts of a day are
possible in some order, orders in which fewer are die out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.draws import CHOICE, COPY, DELAY, EFFECT_COIN, IMMIGRANT, MARK, REPLICATE, child, draw
from powderkeg.engine.elementary import logarithm
from powderkeg.engine.replay.intensity import (
    CALM_ADD_INDEX,
    CALM_ADD_START,
    CALM_AMOUNT,
    CALM_DECAY,
    CALM_LOW_START,
    CHANNEL_GATE,
    COMPONENT_DECAY,
    COMPONENT_START,
    EDGE_START,
    EDGE_TARGET,
    EFFECT_FACT,
    EFFECT_LEVEL,
    EFFECT_START,
    IN_FACTUAL,
    INITIAL,
    N_CALMS,
    N_CHANNELS,
    N_COMPONENTS,
    N_FACTS,
    N_HELD,
    N_TURNS,
    PROBABILITY,
    SLOT_FIRST,
    SLOT_GATE,
    SLOT_MECHANISM,
    SLOT_START,
    TIMER_CHANNEL,
    TURN_FACT,
    TURN_LEVEL,
    TURN_TIME,
    TURN_WORLD,
    Ledger,
    background,
    bring,
    excite,
    gate,
    intensity,
    lowering,
)

FIRST_PANEL = 0.5
"""Days of the first panel after an act, in which calms and seasons are taken at the middle; each next is longer."""
PANEL_GROWTH = 1.3
LONGEST_PANEL = 10.0

BASE = np.int64(0)
NO_ROOM = -2
# Of each copy, in the whole numbers: impossible acts of the moment, draws made, last record, turns of known facts that
# are past; then levels.
IMPOSSIBLE, DRAWS, LAST, TURNED, LEVEL = range(5)
# In the real numbers: now, logarithm of the weight; then what it holds, days to which that was brought, calms, and
# last what components fade by.
NOW, WEIGHT, HELD = range(3)
# Columns of a record.
PROCESS, COINS, EVENT, WAS_IMPOSSIBLE, BEFORE = range(5)


class Hidden(NamedTuple):
    """What changes unseen, and what speaks about it.

    process  timers (as processes C + j) and pseudo-channels with a rate of their own
    watched  act channels whose silence says something: they read a fact that may be hidden, or hours are hidden
    breaks   days on which background profiles step, in order
    smooth   no calms and no profiles: silence is one exact integral
    still    nothing that is read changes but what acts excite: what an act sets off, expected in full at once, is the
             same in every copy, and only what is still to come at the end differs by the hours
    """

    process: Ints
    watched: Ints
    breaks: Floats
    smooth: bool
    still: bool


class Drawn(NamedTuple):
    """One complete history, in time order.

    event       (N,) row of the observed act, -1 for what nobody reported
    impossible  (N,) the act had intensity 0
    level       (S,) levels of the facts at the end
    """

    time: Floats
    process: Ints
    coins: Ints
    event: Ints
    impossible: NDArray[np.bool_]
    level: Ints


def hidden(b: Ledger, n_acts: int, by_day: bool) -> Hidden:
    """What is hidden in a model, and which acts speak about it.

    Raises ValueError where what is hidden is itself excited, excites, calms, or varies over time.
    """
    has, C = b.parts, b.size(N_CHANNELS)
    own = np.arange(n_acts, C)
    is_odd = np.isin(has["edge_target"], own).any() or (has["profile"][own] >= 0).any()
    for name in ("edge_start", "calm_add_start", "calm_low_start"):
        is_odd = is_odd or (np.diff(has[name])[own] > 0).any()
    if is_odd:
        raise ValueError("facts that change unseen may neither answer acts nor be answered by them")
    process = np.concatenate([own[has["rate"][0, own] > 0], C + np.arange(len(has["timer_channel"]))])
    facts: set[int] = set()
    for c in {*own.tolist(), *has["timer_channel"].tolist()}:
        facts |= set(has["effect_fact"][has["effect_start"][c] : has["effect_start"][c + 1]].tolist())
    chance = (has["probability"][0] > 0) & (has["probability"][0] < 1)
    facts |= set(has["effect_fact"][chance].tolist())
    watched = set(range(n_acts))
    if not by_day:
        start, reader = has["reader_start"], has["reader"]
        watched &= {int(q) for s in facts for q in reader[start[s] : start[s + 1]]}
    steps = has["step_time"][0]
    smooth = not len(has["calm_low_index"]) and len(has["profile_start"]) == 1
    still = not len(process) and not len(has["effect_fact"]) and not len(has["calm_low_index"])
    still = still and not len(has["turn_time"])
    return Hidden(
        process.astype(np.int64),
        np.array(sorted(watched), np.int64),
        np.unique(steps[np.isfinite(steps)]),
        smooth,
        still,
    )


@inner
def _next(w: Ints, at: int, p: int, key: np.uint64) -> np.uint64:
    """Key of copy p's next draw."""
    k: np.uint64 = child(child(key, COPY, p), IMMIGRANT, w[at + DRAWS])
    w[at + DRAWS] += 1
    return k


@inner
def _fade_calms(ints: Ints, floats: Floats, x: Floats, calm: int, width: float) -> None:
    for d in range(ints[N_CALMS]):
        if x[calm + d] > 0.0:
            x[calm + d] *= math.exp(-floats[ints[CALM_DECAY] + d] * width)


@inner
def _silence(
    ints: Ints, floats: Floats, watched: Ints, breaks: Floats, smooth: bool, w: Ints, x: Floats, at: int, xt: int,
    until: float,
) -> None:  # fmt: skip
    """A copy lives to `until` without an act or a change of facts: its weight, what it holds, its calms."""
    level = at + LEVEL
    held = xt + HELD
    since = held + ints[N_HELD]
    calm = since + ints[N_CHANNELS]
    fade = calm + ints[N_CALMS]
    panel = FIRST_PANEL
    while x[xt + NOW] < until:
        start = x[xt + NOW]
        end = until
        if not smooth:
            end = min(until, start + panel)
            panel = min(panel * PANEL_GROWTH, LONGEST_PANEL)
            for i in range(len(breaks)):
                if start < breaks[i] < end:
                    end = breaks[i]
        width = end - start
        middle = start + 0.5 * width
        _fade_calms(ints, floats, x, calm, 0.5 * width)
        for j in range(ints[N_COMPONENTS]):
            x[fade + j] = math.exp(-floats[ints[COMPONENT_DECAY] + j] * width)
        expected = 0.0
        for i in range(len(watched)):
            c = watched[i]
            whole = gate(ints, floats, ints[ints[CHANNEL_GATE] + c], BASE, w, level)
            total = 0.0
            if whole > 0.0:
                total = width * background(ints, floats, c, BASE, w, level, middle)
            for k in range(ints[ints[SLOT_START] + c], ints[ints[SLOT_START] + c + 1]):
                j0 = ints[ints[SLOT_FIRST] + k]
                first = ints[ints[COMPONENT_START] + ints[ints[SLOT_MECHANISM] + k]] - j0
                inside = 0.0
                for j in range(j0, ints[ints[SLOT_FIRST] + k + 1]):
                    if x[held + j] != 0.0:
                        left = x[fade + first + j]
                        inside += x[held + j] * (1.0 - left) / floats[ints[COMPONENT_DECAY] + first + j]
                        x[held + j] *= left
                if inside > 0.0 and whole > 0.0:
                    total += inside * gate(ints, floats, ints[ints[SLOT_GATE] + k], BASE, w, level)
            x[since + c] = end
            if whole > 0.0 and ints[ints[CALM_LOW_START] + c] < ints[ints[CALM_LOW_START] + c + 1]:
                whole *= math.exp(-lowering(ints, floats, c, BASE, x, calm))
            expected += whole * total
        x[xt + WEIGHT] -= expected
        _fade_calms(ints, floats, x, calm, 0.5 * width)
        x[xt + NOW] = end


@inner
def _to_come(ints: Ints, floats: Floats, w: Ints, x: Floats, at: int, xt: int, horizon: float) -> float:
    """Acts that a copy's past would still set off after `horizon`, where gates never change."""
    held = xt + HELD
    since = held + ints[N_HELD]
    expected = 0.0
    for c in range(ints[N_CHANNELS]):
        bring(ints, floats, c, x, held, since, horizon)
        whole = gate(ints, floats, ints[ints[CHANNEL_GATE] + c], BASE, w, at + LEVEL)
        for k in range(ints[ints[SLOT_START] + c], ints[ints[SLOT_START] + c + 1]):
            j0 = ints[ints[SLOT_FIRST] + k]
            decay = ints[COMPONENT_DECAY] + ints[ints[COMPONENT_START] + ints[ints[SLOT_MECHANISM] + k]] - j0
            inside = 0.0
            for j in range(j0, ints[ints[SLOT_FIRST] + k + 1]):
                inside += x[held + j] / floats[decay + j]
            if inside > 0.0:
                expected += whole * inside * gate(ints, floats, ints[ints[SLOT_GATE] + k], BASE, w, at + LEVEL)
    return expected


@inner
def _rate(ints: Ints, floats: Floats, q: int, w: Ints, level: int) -> float:
    """Rate of a hidden process: it holds no excitation and nothing calms it."""
    if q >= ints[N_CHANNELS]:
        timer: float = intensity(ints, floats, q, BASE, w, level, floats, BASE, BASE, 0.0)
        return timer
    rate: float = background(ints, floats, q, BASE, w, level, 0.0)
    rate *= gate(ints, floats, ints[ints[CHANNEL_GATE] + q], BASE, w, level)
    return rate


@inner
def _effects(ints: Ints, floats: Floats, w: Ints, at: int, c: int, k: np.uint64) -> int:
    """Toss the coins of an event's effects; how they fell, as bits."""
    coins = 0
    first = ints[ints[EFFECT_START] + c]
    for i in range(first, ints[ints[EFFECT_START] + c + 1]):
        n = i - first
        chance = floats[ints[PROBABILITY] + i]
        if chance >= 1.0 or draw(k, np.uint64(EFFECT_COIN + n)) < chance:
            coins |= 1 << n
            w[at + LEVEL + ints[ints[EFFECT_FACT] + i]] = ints[ints[EFFECT_LEVEL] + i]
    return coins


@inner
def _record(
    log_time: Floats, log: Ints, w: Ints, at: int, n: int, time: float, process: int, coins: int, event: int,
    impossible: int,
) -> None:  # fmt: skip
    log_time[n] = time
    log[n, PROCESS] = process
    log[n, COINS] = coins
    log[n, EVENT] = event
    log[n, WAS_IMPOSSIBLE] = impossible
    log[n, BEFORE] = w[at + LAST]
    w[at + LAST] = n


@inner
def _live(
    ints: Ints, floats: Floats, process: Ints, watched: Ints, breaks: Floats, smooth: bool, w: Ints, x: Floats, at: int,
    xt: int, p: int, until: float, key: np.uint64, log_time: Floats, log: Ints, n: int,
) -> int:  # fmt: skip
    """A copy lives to `until`: facts run out and come up. Returns the number of records, or NO_ROOM."""
    n_channels = ints[N_CHANNELS]
    while x[xt + NOW] < until:
        total = 0.0
        for i in range(len(process)):
            total += _rate(ints, floats, process[i], w, at + LEVEL)
        when = until
        k = key
        if total > 0.0:
            k = _next(w, at, p, key)
            when = x[xt + NOW] - logarithm(draw(k, DELAY)) / total
        _silence(ints, floats, watched, breaks, smooth, w, x, at, xt, min(when, until))
        if when >= until:
            break
        left = draw(k, CHOICE) * total
        chosen = process[0]
        for i in range(len(process)):
            rate = _rate(ints, floats, process[i], w, at + LEVEL)
            if rate > 0.0 and left >= 0.0:
                chosen = process[i]
                left -= rate
        if n == len(log_time):
            return NO_ROOM
        c = chosen
        if c >= n_channels:
            c = ints[ints[TIMER_CHANNEL] + c - n_channels]
        coins = _effects(ints, floats, w, at, c, k)
        _record(log_time, log, w, at, n, when, chosen, coins, -1, 0)
        n += 1
    return n


@inner
def _live_on(
    ints: Ints, floats: Floats, process: Ints, watched: Ints, breaks: Floats, smooth: bool, w: Ints, x: Floats, at: int,
    xt: int, p: int, until: float, key: np.uint64, log_time: Floats, log: Ints, n: int,
) -> int:  # fmt: skip
    """The same, with the turns of facts with a known path on the way; one at `until` is past."""
    i = w[at + TURNED]
    while i < ints[N_TURNS] and floats[ints[TURN_TIME] + i] <= until:
        if ints[ints[TURN_WORLD] + i] & IN_FACTUAL != 0:
            when = floats[ints[TURN_TIME] + i]
            n = _live(ints, floats, process, watched, breaks, smooth, w, x, at, xt, p, when, key, log_time, log, n)
            if n < 0:
                return n
            w[at + LEVEL + ints[ints[TURN_FACT] + i]] = ints[ints[TURN_LEVEL] + i]
        i += 1
        w[at + TURNED] = i
    told: int = _live(ints, floats, process, watched, breaks, smooth, w, x, at, xt, p, until, key, log_time, log, n)
    return told


@inner
def _act(
    ints: Ints, floats: Floats, w: Ints, x: Floats, at: int, xt: int, p: int, c: int, event: int, time: float,
    key: np.uint64, log_time: Floats, log: Ints, n: int,
) -> None:  # fmt: skip
    """A copy sees an act: its weight, and what the act does."""
    level = at + LEVEL
    held = xt + HELD
    since = held + ints[N_HELD]
    calm = since + ints[N_CHANNELS]
    bring(ints, floats, c, x, held, since, time)
    worth = intensity(ints, floats, c, BASE, w, level, x, held, calm, time)
    impossible = 0
    if worth > 0.0:
        x[xt + WEIGHT] += math.log(worth)
    else:
        impossible = 1
        w[at + IMPOSSIBLE] += 1
    coins = _effects(ints, floats, w, at, c, _next(w, at, p, key))
    for i in range(ints[ints[CALM_ADD_START] + c], ints[ints[CALM_ADD_START] + c + 1]):
        x[calm + ints[ints[CALM_ADD_INDEX] + i]] += floats[ints[CALM_AMOUNT] + i]
    for e in range(ints[ints[EDGE_START] + c], ints[ints[EDGE_START] + c + 1]):
        bring(ints, floats, ints[ints[EDGE_TARGET] + e], x, held, since, time)
        excite(ints, floats, e, BASE, x, held)
    _record(log_time, log, w, at, n, time, c, coins, event, impossible)


@inner
def _settle(w: Ints, x: Floats, wide: int, deep: int, n: int, key: np.uint64, batch: int, cumulative: Floats) -> None:
    """After the acts of one moment: copies with more impossible acts than need be die, and if few are left with weight
    all are drawn anew (systematic resampling)."""
    least = 1 << 30
    for p in range(n):
        if x[p * deep + WEIGHT] > -np.inf:  # a copy that is dead already sets no standard
            least = min(least, w[p * wide + IMPOSSIBLE])
    most = -np.inf
    for p in range(n):
        if w[p * wide + IMPOSSIBLE] > least:
            x[p * deep + WEIGHT] = -np.inf
        w[p * wide + IMPOSSIBLE] = 0
        most = max(most, x[p * deep + WEIGHT])
    total = 0.0
    squares = 0.0
    for p in range(n):
        x[p * deep + WEIGHT] -= most
        share = math.exp(x[p * deep + WEIGHT])
        total += share
        squares += share * share
        cumulative[p] = total
    if total * total >= 0.5 * n * squares:
        return
    u = draw(child(key, REPLICATE, batch), MARK)
    # How many of each live on. They stay where they are, so that only the dead are written over.
    before = 0
    for p in range(n):
        until = math.ceil(cumulative[p] / total * n - u)
        if p == n - 1:
            until = n
        until = min(max(until, before), n)
        cumulative[p] = until - before
        before = until
    dead = 0
    for p in range(n):
        while cumulative[p] > 1.0:
            while cumulative[dead] > 0.0:
                dead += 1
            for i in range(wide):
                if i != DRAWS:
                    w[dead * wide + i] = w[p * wide + i]
            for i in range(deep):
                x[dead * deep + i] = x[p * deep + i]
            cumulative[dead] = 1.0
            cumulative[p] -= 1.0
    for p in range(n):
        x[p * deep + WEIGHT] = 0.0


@loop
def filter_acts(
    ints: Ints, floats: Floats, process: Ints, watched: Ints, breaks: Floats, smooth: bool, still: bool, w: Ints,
    x: Floats, n_copies: int, time: Floats, channel: Ints, width: float, begin: float, horizon: float, key: np.uint64,
    log_time: Floats, log: Ints, cumulative: Floats, order: Ints, hours: Floats,
) -> int:  # fmt: skip
    """Take all copies through the observed acts, to `horizon`; returns which copy is drawn, or NO_ROOM for its records.

    w, x     whole and real numbers of the copies, one after the other
    time     (N,) in order; with `width` 1 whole days, within which hours are drawn, else the times themselves
    log      (room, 5) records; log_time (room,)
    order, hours  room for the acts of the busiest moment
    """
    wide = len(w) // n_copies
    deep = len(x) // n_copies
    for p in range(n_copies):
        w[p * wide + LAST] = -1
        x[p * deep + NOW] = begin
        for s in range(ints[N_FACTS]):
            w[p * wide + LEVEL + s] = ints[ints[INITIAL] + s]
        for c in range(ints[N_CHANNELS]):
            x[p * deep + HELD + ints[N_HELD] + c] = begin
    n = 0
    i = 0
    while i <= len(time):
        j = i + 1
        while j < len(time) and time[j] == time[i]:
            j += 1
        n_acts = min(j, len(time)) - i
        for p in range(n_copies):
            at = p * wide
            xt = p * deep
            for a in range(n_acts):
                order[a] = i + a
                hours[a] = time[i]
            if width > 0.0 and n_acts > 0:
                first = max(time[i], begin)
                last = min(time[i] + width, horizon)
                for a in range(n_acts):
                    hour = first + (last - first) * draw(_next(w, at, p, key), DELAY)
                    b = a
                    while b > 0 and hours[b - 1] > hour:
                        hours[b] = hours[b - 1]
                        b -= 1
                    hours[b] = hour
                for a in range(n_acts - 1, 0, -1):
                    b = int(draw(_next(w, at, p, key), CHOICE) * (a + 1))
                    o = order[a]
                    order[a] = order[b]
                    order[b] = o
            for a in range(n_acts + (n_acts == 0)):
                until = hours[a] if n_acts > 0 else horizon
                if not still:
                    n = _live_on(
                        ints, floats, process, watched, breaks, smooth, w, x, at, xt, p, until, key, log_time, log, n
                    )
                elif n_acts == 0:
                    x[xt + WEIGHT] += _to_come(ints, floats, w, x, at, xt, horizon)
                if n < 0 or n == len(log_time):
                    return NO_ROOM
                if n_acts > 0:
                    _act(ints, floats, w, x, at, xt, p, channel[order[a]], order[a], until, key, log_time, log, n)
                    n += 1
        _settle(w, x, wide, deep, n_copies, key, i, cumulative)
        i = j
    total = 0.0
    for p in range(n_copies):
        total += math.exp(x[p * deep + WEIGHT])
        cumulative[p] = total
    u = draw(child(key, REPLICATE, len(time) + 1), MARK) * total
    p = 0
    while p < n_copies - 1 and cumulative[p] <= u:
        p += 1
    return p


def impute(
    b: Ledger, h: Hidden, time: Floats, channel: Ints, by_day: bool, begin: float, horizon: float, key: np.uint64,
    n_copies: int,
) -> Drawn:  # fmt: skip
    """One complete history given observed acts.

    time, channel  (N,) in time order; with `by_day` whole days
    begin          day on which facts are as the model starts them, at or before the first act
    n_copies       copies in the filter; where nothing is hidden one is exact
    """
    room = n_copies * (2 * len(time) + 64)
    _, busy = np.unique(time, return_counts=True)
    busiest = int(busy.max(initial=1))
    wide = LEVEL + b.size(N_FACTS)
    deep = HELD + b.size(N_HELD) + b.size(N_CHANNELS) + b.size(N_CALMS) + b.size(N_COMPONENTS)
    while True:
        w, x = np.zeros(n_copies * wide, np.int64), np.zeros(n_copies * deep)
        log_time, log = np.empty(room), np.empty((room, 5), np.int64)
        chosen = filter_acts(
            b.ints, b.floats, *h, w, x, n_copies, time, channel, 1.0 if by_day else 0.0, begin, horizon, key, log_time,
            log, np.empty(n_copies), np.empty(busiest, np.int64), np.empty(busiest),
        )  # fmt: skip
        if chosen != NO_ROOM:
            break
        room *= 2
    own = w[chosen * wide : (chosen + 1) * wide]
    rows, at = [], int(own[LAST])
    while at >= 0:
        rows.append(at)
        at = int(log[at, BEFORE])
    found = np.array(rows[::-1], np.int64)
    one = log[found]
    return Drawn(
        log_time[found], one[:, PROCESS].copy(), one[:, COINS].copy(), one[:, EVENT].copy(),
        one[:, WAS_IMPOSSIBLE] != 0, own[LEVEL:].copy(),
    )  # fmt: skip


NOTHING_HIDDEN = 1
AT_TIMES, BY_DAY = 100, 200
"""Copies in a filter, at exact times and by day, unless asked otherwise."""


def enough_copies(b: Ledger, h: Hidden, by_day: bool) -> int:
    """How many copies a filter needs: one where nothing is hidden."""
    chance = b.parts["probability"][0]
    if not by_day and not len(h.process) and not ((chance > 0) & (chance < 1)).any():
        return NOTHING_HIDDEN
    return BY_DAY if by_day else AT_TIMES
