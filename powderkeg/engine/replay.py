"""What would have happened: an observed history lived through once more in another world.

In: a `Ledger`, a complete factual history (acts, what ran out and came up unseen, how coins fell), the day on which the
worlds part. Out: for every replicate which events stay and which new ones come.

Two worlds run side by side, the factual one, whose events are given, and the other. Where an event of process c is
given and the two intensities are l and l', it stays in the other world with probability min(1, l'/l); between given
events new ones come in c at rate (l' - l)^+. That is how two Poisson processes are coupled that count the points of one
random measure below two heights: the most that two worlds can share one channel at a time. What is equal in both worlds
is never drawn, so a world that changes nothing gives the history back. New events are found by thinning: between events
what excites only fades, so each process has a ceiling that holds until something happens to it.

Source of the idea: counterfactuals by thinning (Noorbakhsh & Gomez-Rodriguez 2022, NeurIPS 35); here the coupling is
that of the random measures, which needs no common ceiling. No data can test a coupling: another one with the same two
worlds would give other answers to the same question.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import BACKGROUND, SCHEDULED, TIMER, Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.draws import (
    CHOICE,
    COMPONENT,
    DELAY,
    EFFECT_COIN,
    HISTORY_TAG,
    IMMIGRANT,
    MARK,
    OFFSPRING,
    REPLICATE,
    SCHEDULED_TAG,
    TIMER_TAG,
    child,
    draw,
)
from powderkeg.engine.ledger import (
    ACT_CHANNEL,
    ACT_TIME,
    ALTERED,
    BACKGROUND_GATE,
    CALM_ADD_INDEX,
    CALM_ADD_START,
    CALM_AMOUNT,
    CALM_DECAY,
    CALM_LOW_INDEX,
    CALM_LOW_START,
    CALMED,
    CALMED_START,
    CHANNEL_GATE,
    COMPONENT_DECAY,
    COMPONENT_START,
    EDGE_ALTERED,
    EDGE_SLOT,
    EDGE_START,
    EDGE_TARGET,
    EFFECT_FACT,
    EFFECT_LEVEL,
    EFFECT_START,
    INITIAL,
    LEVEL_START,
    MASS,
    MOST_LEVELS,
    N_ACTS,
    N_CALMS,
    N_CHANNELS,
    N_FACTS,
    N_HELD,
    N_PHASES,
    N_POLICIES,
    N_TIMERS,
    PEAK,
    PHASE_TIME,
    POLICY_CHANNEL,
    POLICY_DAYS,
    POLICY_FACT,
    POLICY_FROM,
    POLICY_HOLDS,
    POLICY_UNTIL,
    PROBABILITY,
    PROFILE,
    PROFILE_START,
    RATE,
    READER,
    READER_START,
    RENEWED,
    SET_FACT,
    SET_LEVEL,
    SET_START,
    SHARE,
    SILENCED,
    SLOT_FIRST,
    SLOT_GATE,
    SLOT_MECHANISM,
    SLOT_START,
    STEP_TIME,
    STEP_VALUE,
    SWING,
    TIMER_CHANNEL,
    Ledger,
    background,
    excite,
    gate,
    intensity,
    lowering,
)

FORGOTTEN = 1e-12
"""Excitation, 1/day, by which worlds may differ without being held apart."""

FINISHED, FULL = 0, 1
NO_COINS = np.int64(0)
BASE = np.int64(0)

# Both worlds now, in two blocks: where each thing begins stands at the head of the whole numbers. Things that both
# worlds have come twice, first for the factual one.
LEVEL, DIFFERS, ACTIVE, PLACE, DIRTY, IS_DIRTY = range(6)
N_ACTIVE, N_APART, N_DIRTY = range(6, 9)  # counts: processes with a ceiling, facts that differ, processes to look at
HELD, SINCE, CALM, CALM_SINCE, BOUND, STOOD, DUE = range(9, 16)  # in the real numbers
HEAD = 16


class Given(NamedTuple):
    """A complete factual history, in time order.

    time, process  (N,) days; channel, or C + timer
    coins          (N,) bit n: the n-th effect of the event's channel took place
    gone           (N,) taken out of the other world by hand
    """

    time: Floats
    process: Ints
    coins: Ints
    gone: NDArray[np.bool_]


def pair(b: Ledger) -> tuple[Ints, Floats]:
    """Room for both worlds: levels, what differs, ceilings; what they hold, calms, days.

    BOUND  ceiling of what may come anew in a process;  ACTIVE the processes with one, PLACE where they stand there
    SINCE, CALM_SINCE  day to which things were brought;  STOOD since when a fact stands, in the other world
    DUE    day on which a policy fires
    """
    C, S, D = b.size(N_CHANNELS), b.size(N_FACTS), b.size(N_CALMS)
    n, held = C + b.size(N_TIMERS), b.size(N_HELD)
    whole = np.cumsum([HEAD, 2 * S, n, n, n, n, n])
    real = np.cumsum([0, 2 * held, C, 2 * D, D, n, S, b.size(N_POLICIES)])
    w, x = np.zeros(whole[-1], np.int64), np.zeros(real[-1])
    w[:N_ACTIVE], w[HELD:HEAD] = whole[:-1], real[:-1]
    w[w[PLACE] : w[PLACE] + n] = -1
    x[w[DUE] :] = np.inf
    return w, x


@inner
def _bring(ints, floats, w, x, c, time):  # type: ignore[no-untyped-def]
    """What channel c holds, brought to `time` in both worlds."""
    since = w[SINCE] + c
    gone = time - x[since]
    if gone > 0.0:
        one = w[HELD]
        other = one + ints[N_HELD]
        for k in range(ints[ints[SLOT_START] + c], ints[ints[SLOT_START] + c + 1]):
            j0 = ints[ints[SLOT_FIRST] + k]
            decay = ints[COMPONENT_DECAY] + ints[ints[COMPONENT_START] + ints[ints[SLOT_MECHANISM] + k]] - j0
            for j in range(j0, ints[ints[SLOT_FIRST] + k + 1]):
                if x[one + j] > 0.0 or x[other + j] > 0.0:
                    left = math.exp(-floats[decay + j] * gone)
                    x[one + j] *= left
                    x[other + j] *= left
        x[since] = time


@inner
def _bring_calm(ints, floats, w, x, d, phase, time):  # type: ignore[no-untyped-def]
    since = w[CALM_SINCE] + d
    gone = time - x[since]
    if gone > 0.0:
        x[w[CALM] + d] *= math.exp(-floats[ints[CALM_DECAY] + d] * gone)
        x[w[CALM] + ints[N_CALMS] + d] *= math.exp(-floats[ints[CALM_DECAY] + phase * ints[CALM_DECAY + 1] + d] * gone)
        x[since] = time


@inner
def _ready(ints, floats, w, x, q, phase, time):  # type: ignore[no-untyped-def]
    """Bring all that process q is read from to `time`."""
    if q < ints[N_CHANNELS]:
        _bring(ints, floats, w, x, q, time)
        for i in range(ints[ints[CALM_LOW_START] + q], ints[ints[CALM_LOW_START] + q + 1]):
            _bring_calm(ints, floats, w, x, ints[ints[CALM_LOW_INDEX] + i], phase, time)


@inner
def _factual(ints, floats, w, x, q, time):  # type: ignore[no-untyped-def]
    return intensity(ints, floats, q, BASE, w, w[LEVEL], x, w[HELD], w[CALM], time)


@inner
def _other(ints, floats, w, x, q, phase, time):  # type: ignore[no-untyped-def]
    return intensity(
        ints, floats, q, phase, w, w[LEVEL] + ints[N_FACTS], x, w[HELD] + ints[N_HELD], w[CALM] + ints[N_CALMS], time
    )


@inner
def _ceiling(w, x, q, value):  # type: ignore[no-untyped-def]
    x[w[BOUND] + q] = value
    place = w[PLACE] + q
    if value > 0.0 and w[place] < 0:
        w[place] = w[N_ACTIVE]
        w[w[ACTIVE] + w[N_ACTIVE]] = q
        w[N_ACTIVE] += 1
    elif value <= 0.0 and w[place] >= 0:
        w[N_ACTIVE] -= 1
        last = w[w[ACTIVE] + w[N_ACTIVE]]
        w[w[ACTIVE] + w[place]] = last
        w[w[PLACE] + last] = w[place]
        w[place] = -1


@inner
def _lowest(ints, floats, p, phase):  # type: ignore[no-untyped-def]
    low = np.inf
    value = ints[STEP_VALUE] + phase * ints[STEP_VALUE + 1]
    for i in range(ints[ints[PROFILE_START] + p], ints[ints[PROFILE_START] + p + 1]):
        low = min(low, floats[value + i])
    return low * (1.0 - abs(floats[ints[SWING] + phase * ints[SWING + 1] + p]))


@inner
def _highest(ints, floats, p, phase):  # type: ignore[no-untyped-def]
    high = 0.0
    value = ints[STEP_VALUE] + phase * ints[STEP_VALUE + 1]
    for i in range(ints[ints[PROFILE_START] + p], ints[ints[PROFILE_START] + p + 1]):
        high = max(high, floats[value + i])
    return high * (1.0 + abs(floats[ints[SWING] + phase * ints[SWING + 1] + p]))


@inner
def _same_profile(ints, floats, p, phase):  # type: ignore[no-untyped-def]
    if (
        floats[ints[SWING] + p] != floats[ints[SWING] + phase * ints[SWING + 1] + p]
        or floats[ints[PEAK] + p] != floats[ints[PEAK] + phase * ints[PEAK + 1] + p]
    ):
        return False
    for i in range(ints[ints[PROFILE_START] + p], ints[ints[PROFILE_START] + p + 1]):
        if (
            floats[ints[STEP_VALUE] + i] != floats[ints[STEP_VALUE] + phase * ints[STEP_VALUE + 1] + i]
            or floats[ints[STEP_TIME] + i] != floats[ints[STEP_TIME] + phase * ints[STEP_TIME + 1] + i]
        ):
            return False
    return True


@inner
def _look(ints, floats, w, x, q, phase, time):  # type: ignore[no-untyped-def]
    """Whether process q differs between the worlds now, and a ceiling of what may come anew until it is looked at."""
    if q >= ints[N_CHANNELS]:
        one = _factual(ints, floats, w, x, q, time)
        other = _other(ints, floats, w, x, q, phase, time)
        w[w[DIFFERS] + q] = one != other
        _ceiling(w, x, q, max(other - one, 0.0))
        return
    _ready(ints, floats, w, x, q, phase, time)
    level = w[LEVEL]
    other_level = level + ints[N_FACTS]
    row = ints[ints[CHANNEL_GATE] + q]
    dn = gate(ints, floats, row, BASE, w, level)
    up = gate(ints, floats, row, phase, w, other_level)
    apart = dn != up
    if ints[ints[CALM_LOW_START] + q] < ints[ints[CALM_LOW_START] + q + 1]:
        low = lowering(ints, floats, q, BASE, x, w[CALM])
        altered = ints[ints[ALTERED] + phase * (ints[N_CHANNELS] + ints[N_TIMERS]) + q] != 0
        if altered or low != lowering(ints, floats, q, phase, x, w[CALM] + ints[N_CALMS]):
            # Calms only fade: the factual one lowers most now, the other's may be gone. Calms that lower alike now part
            # later where they fade at another pace.
            apart = True
            dn *= math.exp(-low)
    total = 0.0
    one = floats[ints[RATE] + q]
    other = floats[ints[RATE] + phase * ints[RATE + 1] + q]
    if one > 0.0 or other > 0.0:
        row = ints[ints[BACKGROUND_GATE] + q]
        one *= gate(ints, floats, row, BASE, w, level)
        other *= gate(ints, floats, row, phase, w, other_level)
        apart = apart or one != other
        p = ints[ints[PROFILE] + q]
        if p < 0:
            total += max(up * other - dn * one, 0.0)
        elif _same_profile(ints, floats, p, phase):
            total += _highest(ints, floats, p, phase) * max(up * other - dn * one, 0.0)
        else:
            apart = True
            total += max(up * other * _highest(ints, floats, p, phase) - dn * one * _lowest(ints, floats, p, BASE), 0.0)
    for k in range(ints[ints[SLOT_START] + q], ints[ints[SLOT_START] + q + 1]):
        one = -1.0
        other = 0.0
        for j in range(ints[ints[SLOT_FIRST] + k], ints[ints[SLOT_FIRST] + k + 1]):
            a = x[w[HELD] + j]
            z = x[w[HELD] + ints[N_HELD] + j]
            if a == 0.0 and z == 0.0:
                continue
            if a != z:
                if abs(a - z) < FORGOTTEN:
                    x[w[HELD] + ints[N_HELD] + j] = a
                    z = a
                else:
                    apart = True
            if one < 0.0:
                row = ints[ints[SLOT_GATE] + k]
                one = dn * gate(ints, floats, row, BASE, w, level)
                other = up * gate(ints, floats, row, phase, w, other_level)
                apart = apart or one != other
            total += max(other * z - one * a, 0.0)
    w[w[DIFFERS] + q] = apart
    _ceiling(w, x, q, total if apart else 0.0)


@inner
def _mark(w, q):  # type: ignore[no-untyped-def]
    if w[w[IS_DIRTY] + q] == 0:
        w[w[IS_DIRTY] + q] = 1
        w[w[DIRTY] + w[N_DIRTY]] = q
        w[N_DIRTY] += 1


@inner
def _look_again(ints, floats, w, x, phase, time):  # type: ignore[no-untyped-def]
    """At every process that was marked."""
    for i in range(w[N_DIRTY]):
        q = w[w[DIRTY] + i]
        w[w[IS_DIRTY] + q] = 0
        _look(ints, floats, w, x, q, phase, time)
    w[N_DIRTY] = 0


@inner
def _arm(ints, floats, w, x, q, time, turn):  # type: ignore[no-untyped-def]
    """The condition of policy q holds from `time` on."""
    due = max(time + floats[ints[POLICY_DAYS] + q], floats[ints[POLICY_FROM] + q], turn)
    x[w[DUE] + q] = due if due < floats[ints[POLICY_UNTIL] + q] else np.inf


@inner
def _change(ints, floats, w, x, is_other, s, new, time, turn, level_time, r):  # type: ignore[no-untyped-def]
    """Fact s comes to a level in one world."""
    at = w[LEVEL] + (ints[N_FACTS] if is_other else 0) + s
    old = w[at]
    if old == new:
        return
    if is_other:
        if time > turn:
            level_time[r, ints[ints[LEVEL_START] + s] + old] += time - x[w[STOOD] + s]
        x[w[STOOD] + s] = time
        for q in range(ints[N_POLICIES]):
            if ints[ints[POLICY_FACT] + q] == s:
                row = ints[POLICY_HOLDS] + q * ints[MOST_LEVELS]
                if ints[row + new] != ints[row + old]:
                    if ints[row + new] != 0:
                        _arm(ints, floats, w, x, q, time, turn)
                    else:
                        x[w[DUE] + q] = np.inf
    factual = w[LEVEL] + s
    if w[factual] != w[factual + ints[N_FACTS]]:
        w[N_APART] -= 1
    w[at] = new
    if w[factual] != w[factual + ints[N_FACTS]]:
        w[N_APART] += 1


@inner
def _happen(  # type: ignore[no-untyped-def]
    ints, floats, w, x, q, in_one, in_other, phase, time, coins, key, turn, level_time, r
):
    """An event of process q in one world or in both: its effects, its calm, its excitation.

    coins  how they fell in the factual world; the other world's follow them as far as its chances allow
    """
    c = q
    if q >= ints[N_CHANNELS]:
        c = ints[ints[TIMER_CHANNEL] + q - ints[N_CHANNELS]]
    apart = in_one != in_other
    altered = ints[ALTERED] + phase * (ints[N_CHANNELS] + ints[N_TIMERS])
    edge_altered = ints[EDGE_ALTERED] + phase * ints[MASS + 1]
    first = ints[ints[EFFECT_START] + c]
    for i in range(first, ints[ints[EFFECT_START] + c + 1]):
        n = i - first
        s = ints[ints[EFFECT_FACT] + i]
        to = ints[ints[EFFECT_LEVEL] + i]
        took = (coins >> n) & 1 != 0
        if in_other:
            chance = floats[ints[PROBABILITY] + i]
            other = floats[ints[PROBABILITY] + phase * ints[PROBABILITY + 1] + i]
            takes = took
            if not in_one:
                takes = other >= 1.0 or draw(key, np.uint64(EFFECT_COIN + n)) < other
            elif other != chance:
                u = draw(key, np.uint64(EFFECT_COIN + n))
                takes = (u * chance if took else chance + u * (1.0 - chance)) < other
            if takes:
                _change(ints, floats, w, x, True, s, to, time, turn, level_time, r)
        if in_one and took:
            _change(ints, floats, w, x, False, s, to, time, turn, level_time, r)
        for k in range(ints[ints[READER_START] + s], ints[ints[READER_START] + s + 1]):
            reader = ints[ints[READER] + k]
            if w[N_APART] > 0 or w[w[DIFFERS] + reader] != 0 or ints[altered + reader] != 0:
                _mark(w, reader)
    for i in range(ints[ints[CALM_ADD_START] + c], ints[ints[CALM_ADD_START] + c + 1]):
        d = ints[ints[CALM_ADD_INDEX] + i]
        _bring_calm(ints, floats, w, x, d, phase, time)
        amount = floats[ints[CALM_AMOUNT] + i]
        other = floats[ints[CALM_AMOUNT] + phase * ints[CALM_AMOUNT + 1] + i]
        if in_one:
            x[w[CALM] + d] += amount
        if in_other:
            x[w[CALM] + ints[N_CALMS] + d] += other
        for k in range(ints[ints[CALMED_START] + d], ints[ints[CALMED_START] + d + 1]):
            reader = ints[ints[CALMED] + k]
            if apart or w[w[DIFFERS] + reader] != 0 or ints[altered + reader] != 0:
                _mark(w, reader)
    for e in range(ints[ints[EDGE_START] + c], ints[ints[EDGE_START] + c + 1]):
        target = ints[ints[EDGE_TARGET] + e]
        _bring(ints, floats, w, x, target, time)
        if in_one:
            excite(ints, floats, e, BASE, x, w[HELD])
        if in_other:
            excite(ints, floats, e, phase, x, w[HELD] + ints[N_HELD])
        may_differ = w[N_APART] > 0 or ints[altered + target] != 0 or ints[edge_altered + e] != 0
        if apart or may_differ or w[w[DIFFERS] + target] != 0:
            _mark(w, target)


@inner
def _begin_phase(  # type: ignore[no-untyped-def]
    ints, floats, w, x, phase, time, turn, level_time, r, past_time, past, n_past, n_room
):
    """The other world's numbers change; what it holds is made anew where masses did."""
    n_slots = ints[SLOT_MECHANISM] - ints[SLOT_GATE]
    renewed = ints[RENEWED] + phase * n_slots
    other = w[HELD] + ints[N_HELD]
    for d in range(ints[N_CALMS]):
        _bring_calm(ints, floats, w, x, d, phase - 1, time)
    any_new = False
    for c in range(ints[N_CHANNELS]):
        _bring(ints, floats, w, x, c, time)
    for k in range(n_slots):
        if ints[renewed + k] != 0:
            any_new = True
            for j in range(ints[ints[SLOT_FIRST] + k], ints[ints[SLOT_FIRST] + k + 1]):
                x[other + j] = 0.0
    if any_new:
        for i in range(n_past):
            c = past[i]
            for e in range(ints[ints[EDGE_START] + c], ints[ints[EDGE_START] + c + 1]):
                k = ints[ints[EDGE_SLOT] + e]
                mass = floats[ints[MASS] + phase * ints[MASS + 1] + e]
                if ints[renewed + k] != 0 and mass > 0.0:
                    j0 = ints[ints[SLOT_FIRST] + k]
                    first = ints[ints[COMPONENT_START] + ints[ints[SLOT_MECHANISM] + k]] - j0
                    share = ints[SHARE] + past[n_room + i] * ints[SHARE + 1] + first
                    for j in range(j0, ints[ints[SLOT_FIRST] + k + 1]):
                        decay = floats[ints[COMPONENT_DECAY] + first + j]
                        x[other + j] += mass * floats[share + j] * decay * math.exp(-decay * (time - past_time[i]))
    for i in range(ints[ints[SET_START] + phase], ints[ints[SET_START] + phase + 1]):
        _change(
            ints, floats, w, x, True, ints[ints[SET_FACT] + i], ints[ints[SET_LEVEL] + i], time, turn, level_time, r
        )
    for q in range(ints[N_CHANNELS] + ints[N_TIMERS]):
        _look(ints, floats, w, x, q, phase, time)


@inner
def _born_by(ints, floats, w, x, q, phase, time, u):  # type: ignore[no-untyped-def]
    """Which part of the other world's intensity a new event is put down to."""
    if q >= ints[N_CHANNELS]:
        return TIMER
    level = w[LEVEL] + ints[N_FACTS]
    other = w[HELD] + ints[N_HELD]
    part = background(ints, floats, q, phase, w, level, time)
    total = part
    for k in range(ints[ints[SLOT_START] + q], ints[ints[SLOT_START] + q + 1]):
        g = gate(ints, floats, ints[ints[SLOT_GATE] + k], phase, w, level)
        for j in range(ints[ints[SLOT_FIRST] + k], ints[ints[SLOT_FIRST] + k + 1]):
            total += g * x[other + j]
    left = u * total - part
    found = BACKGROUND
    for k in range(ints[ints[SLOT_START] + q], ints[ints[SLOT_START] + q + 1]):
        if left < 0.0:
            break
        g = gate(ints, floats, ints[ints[SLOT_GATE] + k], phase, w, level)
        for j in range(ints[ints[SLOT_FIRST] + k], ints[ints[SLOT_FIRST] + k + 1]):
            left -= g * x[other + j]
        found = ints[ints[SLOT_MECHANISM] + k]
    return found


@loop
def lead_up(ints, floats, w, x, given_time, given_process, given_coins, start, turn, level_time):  # type: ignore[no-untyped-def]
    """Live through what happened before the worlds part, in both alike; returns how many events that were.

    start  day on which facts are as the model starts them, at or before the first event
    """
    key = np.uint64(0)
    for s in range(ints[N_FACTS]):
        w[w[LEVEL] + s] = ints[ints[INITIAL] + s]
        w[w[LEVEL] + ints[N_FACTS] + s] = ints[ints[INITIAL] + s]
    for c in range(ints[N_CHANNELS]):
        x[w[SINCE] + c] = start
    for d in range(ints[N_CALMS]):
        x[w[CALM_SINCE] + d] = start
    for q in range(ints[N_POLICIES]):
        if ints[ints[POLICY_HOLDS] + q * ints[MOST_LEVELS] + ints[ints[INITIAL] + ints[ints[POLICY_FACT] + q]]] != 0:
            _arm(ints, floats, w, x, q, start, turn)
    n = 0
    while n < len(given_time) and given_time[n] < turn:
        _happen(
            ints, floats, w, x, given_process[n], True, True, BASE, given_time[n], given_coins[n], key, turn,
            level_time, 0,
        )  # fmt: skip
        n += 1
    return n


@loop
def replay(  # type: ignore[no-untyped-def]
    ints, floats, w, x, start_w, start_x, given_time, given_process, given_coins, given_gone, n_before, turn, horizon,
    root, first, done, n_replicates, limit, kept, ends, new_time, new, level_time, exploded, past_time, past,
):  # fmt: skip
    """Replicates first + done .. first + n_replicates - 1 of the other world, from `turn` to `horizon`.

    w, x .. start_x  a `pair` to work in, and both worlds as they part: see `lead_up`, which gives n_before
    kept         (replicates, N) out: the event stays in the other world
    ends         (replicates,) out: where the replicate's new events end in new_time and new (room, 2: process,
                 mechanism)
    level_time   (replicates, cells) out: days after `turn` at each level in the other world
    exploded     (replicates,) out: day on which it was stopped at `limit` new events, or inf
    past_time, past  (N + room,), (2 * (N + room),): room for the times, channels and phases of the other world's events
    returns      (replicates done, FINISHED or FULL)
    """
    n_channels = ints[N_CHANNELS]
    n_given = len(given_time)
    n_room = len(past_time)
    n_new = 0 if done == 0 else ends[done - 1]
    for r in range(done, n_replicates):
        key = child(root, REPLICATE, first + r)
        for i in range(len(w)):
            w[i] = start_w[i]
        for i in range(len(x)):
            x[i] = start_x[i]
        for i in range(level_time.shape[1]):
            level_time[r, i] = 0.0
        for s in range(ints[N_FACTS]):
            x[w[STOOD] + s] = turn
        exploded[r] = np.inf
        n_past = 0
        for i in range(n_before):
            q = given_process[i]
            past_time[n_past] = given_time[i]
            past[n_past] = q if q < n_channels else ints[ints[TIMER_CHANNEL] + q - n_channels]
            past[n_room + n_past] = 0
            n_past += 1
        now = turn
        phase = BASE
        i = n_before
        i_act = 0
        tries = 0
        fired = 0
        n_first = n_new
        while True:
            # What is certain to come next: nothing (0), a given event, a policy, an act put in by hand, a phase.
            until = horizon
            what = 0
            policy = 0
            if i < n_given and given_time[i] < until:
                until = given_time[i]
                what = 1
            for q in range(ints[N_POLICIES]):
                if x[w[DUE] + q] < until or (x[w[DUE] + q] == until and what == 1):
                    until = x[w[DUE] + q]
                    what = 2
                    policy = q
            if i_act < ints[N_ACTS]:
                at = floats[ints[ACT_TIME] + i_act]
                if at <= until and at < horizon:
                    until = at
                    what = 3
            if phase + 1 < ints[N_PHASES]:
                at = floats[ints[PHASE_TIME] + phase + 1]
                if at <= until and at < horizon:
                    until = max(at, now)
                    what = 4
            # What may come before it: something new in the other world.
            mechanism = SCHEDULED
            is_new = False
            total = 0.0
            for k in range(w[N_ACTIVE]):
                total += x[w[BOUND] + w[w[ACTIVE] + k]]
            k0 = key
            q = 0
            if total > 0.0:
                k0 = child(child(key, OFFSPRING, i), IMMIGRANT, tries)
                when = now - math.log(draw(k0, DELAY)) / total
                tries += 1
                if when < until:
                    now = when
                    left = draw(k0, CHOICE) * total
                    at_place = 0
                    while at_place < w[N_ACTIVE] - 1 and left >= x[w[BOUND] + w[w[ACTIVE] + at_place]]:
                        left -= x[w[BOUND] + w[w[ACTIVE] + at_place]]
                        at_place += 1
                    q = w[w[ACTIVE] + at_place]
                    _ready(ints, floats, w, x, q, phase, now)
                    more = _other(ints, floats, w, x, q, phase, now) - _factual(ints, floats, w, x, q, now)
                    if draw(k0, MARK) * x[w[BOUND] + q] >= more:
                        _look(ints, floats, w, x, q, phase, now)
                        continue
                    mechanism = _born_by(ints, floats, w, x, q, phase, now, draw(k0, COMPONENT))
                    is_new = True
            if not is_new:
                if what == 0:
                    break
                now = until
                if what == 4:
                    phase += 1
                    _begin_phase(ints, floats, w, x, phase, now, turn, level_time, r, past_time, past, n_past, n_room)
                    continue
                if what == 2:
                    q = ints[ints[POLICY_CHANNEL] + policy]
                    x[w[DUE] + policy] = np.inf
                    k0 = child(child(key, TIMER_TAG, policy), TIMER_TAG, fired)
                    mechanism = TIMER
                    fired += 1
                    is_new = True
                elif what == 3:
                    q = ints[ints[ACT_CHANNEL] + i_act]
                    k0 = child(key, SCHEDULED_TAG, i_act)
                    i_act += 1
                    is_new = True
            in_other = True
            coins = NO_COINS
            if is_new:
                if n_new == len(new_time):
                    return r, FULL
                new_time[n_new] = now
                new[n_new, 0] = q
                new[n_new, 1] = mechanism
                n_new += 1
            else:
                q = given_process[i]
                coins = given_coins[i]
                k0 = child(key, HISTORY_TAG, i)
                if given_gone[i]:
                    in_other = False
                elif w[w[DIFFERS] + q] != 0:
                    _ready(ints, floats, w, x, q, phase, now)
                    one = _factual(ints, floats, w, x, q, now)
                    if one > 0.0:
                        in_other = draw(k0, MARK) * one < _other(ints, floats, w, x, q, phase, now)
                    else:
                        # The factual world could not do it either: the model has no view, so it stays unless its
                        # channel is taken away.
                        in_other = q >= n_channels or ints[ints[SILENCED] + phase * n_channels + q] == 0
                kept[r, i] = in_other
                i += 1
                tries = 0
            if in_other:
                past_time[n_past] = now
                past[n_past] = q if q < n_channels else ints[ints[TIMER_CHANNEL] + q - n_channels]
                past[n_room + n_past] = phase
                n_past += 1
            _happen(ints, floats, w, x, q, not is_new, in_other, phase, now, coins, k0, turn, level_time, r)
            _look_again(ints, floats, w, x, phase, now)
            if n_new - n_first >= limit:
                exploded[r] = now
                break
        last = min(exploded[r], horizon)
        for s in range(ints[N_FACTS]):
            cell = ints[ints[LEVEL_START] + s] + w[w[LEVEL] + ints[N_FACTS] + s]
            level_time[r, cell] += max(last - x[w[STOOD] + s], 0.0)
        for k in range(i, n_given):
            kept[r, k] = False
        ends[r] = n_new
    return n_replicates, FINISHED


class Replayed(NamedTuple):
    """Replicates of the other world.

    kept        (R, N) which of the given events stay; those before the worlds part do
    replicate   (M,) of every new event; time, process, mechanism what it is, and what it is put down to
    level_time  (R, cells) days at each level from the parting on
    exploded    (R,) day on which it was stopped at the limit of new events, or inf
    """

    kept: NDArray[np.bool_]
    replicate: Ints
    time: Floats
    process: Ints
    mechanism: Ints
    level_time: Floats
    exploded: Floats


def replays(
    b: Ledger, given: Given, start: float, turn: float, horizon: float, root: np.uint64, first: int, n: int,
    limit: int = 1_000_000,
) -> Replayed:  # fmt: skip
    """Replicates `first` to `first + n - 1`: the same whatever others are made with them.

    start  day on which facts are as the model starts them
    turn   day on which the worlds part; what came before is the same in both
    """
    w, x = pair(b)
    start_w, start_x = pair(b)
    cells = int(b.parts["level_start"][-1])
    level_time = np.zeros((n, cells))
    columns = (given.time, given.process, given.coins)
    n_before = int(lead_up(b.ints, b.floats, start_w, start_x, *columns, start, turn, np.zeros((1, cells))))
    n_given = len(given.time)
    kept = np.zeros((n, n_given), np.bool_)
    kept[:, :n_before] = True
    ends, exploded = np.zeros(n, np.int64), np.zeros(n)
    room, done = max(4096, 2 * n_given), 0
    new_time, new = np.empty(room), np.empty((room, 2), np.int64)
    while True:
        past_time, past = np.empty(n_given + room), np.empty(2 * (n_given + room), np.int64)
        done, why = replay(
            b.ints, b.floats, w, x, start_w, start_x, *columns, given.gone, n_before, turn, horizon, root, first, done,
            n, limit, kept, ends, new_time, new, level_time, exploded, past_time, past,
        )  # fmt: skip
        if why == FINISHED:
            break
        new_time, new = np.concatenate([new_time, np.empty(room)]), np.concatenate([new, np.empty((room, 2), np.int64)])
        room *= 2
    last = int(ends[-1])
    replicate = np.repeat(np.arange(n), np.diff(ends, prepend=0))
    return Replayed(
        kept, replicate, new_time[:last].copy(), new[:last, 0].copy(), new[:last, 1].copy(), level_time, exploded
    )
