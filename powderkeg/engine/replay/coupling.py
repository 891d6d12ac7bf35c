"""Two worlds side by side: what stands and what acts on it in either, and how far they are apart.

In: a `Ledger`, an event or a change in one world or both. Out: levels, what channels hold, calms; for every process
whether its intensities differ, and a ceiling of how far the other world's is above the factual one until something
happens to it: between events what excites only fades.
"""

from __future__ import annotations

import math

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner
from powderkeg.engine.draws import (
    EFFECT_COIN,
    draw,
)
from powderkeg.engine.replay.intensity import (
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
    IN_FACTUAL,
    IN_OTHER,
    LEVEL_START,
    MASS,
    MOST_LEVELS,
    N_CALMS,
    N_CHANNELS,
    N_FACTS,
    N_HELD,
    N_POLICIES,
    N_TIMERS,
    PEAK,
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
    SLOT_FIRST,
    SLOT_GATE,
    SLOT_MECHANISM,
    SLOT_START,
    STEP_TIME,
    STEP_VALUE,
    SWING,
    TIMER_CHANNEL,
    TURN_FACT,
    TURN_LEVEL,
    TURN_WORLD,
    Ledger,
    excite,
    gate,
    intensity,
    lowering,
)

FORGOTTEN = 1e-12
"""Excitation, 1/day, by which worlds may differ without being held apart."""

BASE = np.int64(0)

# Both worlds now, in two blocks: where each thing begins stands at the head of the whole numbers. Things that both
# worlds have come twice, first for the factual one.
LEVEL, DIFFERS, ACTIVE, PLACE, DIRTY, IS_DIRTY = range(6)
N_ACTIVE, N_APART, N_DIRTY = range(6, 9)  # counts: processes with a ceiling, facts that differ, processes to look at
HELD, SINCE, CALM, CALM_SINCE, BOUND, STOOD, DUE = range(9, 16)  # in the real numbers
HEAD = 16


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
def _bring(ints: Ints, floats: Floats, w: Ints, x: Floats, c: int, time: float) -> None:
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
                if x[one + j] != 0.0 or x[other + j] != 0.0:
                    left = math.exp(-floats[decay + j] * gone)
                    x[one + j] *= left
                    x[other + j] *= left
        x[since] = time


@inner
def _bring_calm(ints: Ints, floats: Floats, w: Ints, x: Floats, d: int, phase: int, time: float) -> None:
    since = w[CALM_SINCE] + d
    gone = time - x[since]
    if gone > 0.0:
        x[w[CALM] + d] *= math.exp(-floats[ints[CALM_DECAY] + d] * gone)
        x[w[CALM] + ints[N_CALMS] + d] *= math.exp(-floats[ints[CALM_DECAY] + phase * ints[CALM_DECAY + 1] + d] * gone)
        x[since] = time


@inner
def ready(ints: Ints, floats: Floats, w: Ints, x: Floats, q: int, phase: int, time: float) -> None:
    """Bring all that process q is read from to `time`."""
    if q < ints[N_CHANNELS]:
        _bring(ints, floats, w, x, q, time)
        for i in range(ints[ints[CALM_LOW_START] + q], ints[ints[CALM_LOW_START] + q + 1]):
            _bring_calm(ints, floats, w, x, ints[ints[CALM_LOW_INDEX] + i], phase, time)


@inner
def factual_intensity(ints: Ints, floats: Floats, w: Ints, x: Floats, q: int, time: float) -> float:
    found: float = intensity(ints, floats, q, BASE, w, w[LEVEL], x, w[HELD], w[CALM], time)
    return found


@inner
def other_intensity(ints: Ints, floats: Floats, w: Ints, x: Floats, q: int, phase: int, time: float) -> float:
    found: float = intensity(
        ints, floats, q, phase, w, w[LEVEL] + ints[N_FACTS], x, w[HELD] + ints[N_HELD], w[CALM] + ints[N_CALMS], time
    )
    return found


@inner
def _ceiling(w: Ints, x: Floats, q: int, value: float) -> None:
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
def _lowest(ints: Ints, floats: Floats, p: int, phase: int) -> float:
    low: float = np.inf
    value = ints[STEP_VALUE] + phase * ints[STEP_VALUE + 1]
    for i in range(ints[ints[PROFILE_START] + p], ints[ints[PROFILE_START] + p + 1]):
        low = min(low, floats[value + i])
    low *= 1.0 - abs(floats[ints[SWING] + phase * ints[SWING + 1] + p])
    return low


@inner
def _highest(ints: Ints, floats: Floats, p: int, phase: int) -> float:
    high: float = 0.0
    value = ints[STEP_VALUE] + phase * ints[STEP_VALUE + 1]
    for i in range(ints[ints[PROFILE_START] + p], ints[ints[PROFILE_START] + p + 1]):
        high = max(high, floats[value + i])
    high *= 1.0 + abs(floats[ints[SWING] + phase * ints[SWING + 1] + p])
    return high


@inner
def _same_profile(ints: Ints, floats: Floats, p: int, phase: int) -> bool:
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
def look(ints: Ints, floats: Floats, w: Ints, x: Floats, q: int, phase: int, time: float) -> None:
    """Whether process q differs between the worlds now, and a ceiling of what may come anew until it is looked at."""
    if q >= ints[N_CHANNELS]:
        one = factual_intensity(ints, floats, w, x, q, time)
        other = other_intensity(ints, floats, w, x, q, phase, time)
        w[w[DIFFERS] + q] = one != other
        _ceiling(w, x, q, max(other - one, 0.0))
        return
    ready(ints, floats, w, x, q, phase, time)
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
    # What each component adds to the difference only fades, so what adds to it now is the most that they come to: also
    # where answers build up and the second component takes away, because both together are never below 0.
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
def _mark(w: Ints, q: int) -> None:
    if w[w[IS_DIRTY] + q] == 0:
        w[w[IS_DIRTY] + q] = 1
        w[w[DIRTY] + w[N_DIRTY]] = q
        w[N_DIRTY] += 1


@inner
def look_again(ints: Ints, floats: Floats, w: Ints, x: Floats, phase: int, time: float) -> None:
    """At every process that was marked."""
    for i in range(w[N_DIRTY]):
        q = w[w[DIRTY] + i]
        w[w[IS_DIRTY] + q] = 0
        look(ints, floats, w, x, q, phase, time)
    w[N_DIRTY] = 0


@inner
def arm(ints: Ints, floats: Floats, w: Ints, x: Floats, q: int, time: float, turn: float) -> None:
    """The condition of policy q holds from `time` on."""
    due = max(time + floats[ints[POLICY_DAYS] + q], floats[ints[POLICY_FROM] + q], turn)
    x[w[DUE] + q] = due if due < floats[ints[POLICY_UNTIL] + q] else np.inf


@inner
def _change(
    ints: Ints, floats: Floats, w: Ints, x: Floats, is_other: bool, s: int, new: int, time: float, turn: float,
    level_time: Floats, level_first: Floats, r: int,
) -> None:  # fmt: skip
    """Fact s comes to a level in one world."""
    at = w[LEVEL] + (ints[N_FACTS] if is_other else 0) + s
    old = w[at]
    if old == new:
        return
    if is_other:
        if time > turn:
            cell = ints[ints[LEVEL_START] + s] + old
            level_time[r, cell] += time - x[w[STOOD] + s]
            if x[w[STOOD] + s] < time:  # what stood for no time at all was never so
                level_first[r, cell] = min(level_first[r, cell], x[w[STOOD] + s])
        x[w[STOOD] + s] = time
        for q in range(ints[N_POLICIES]):
            if ints[ints[POLICY_FACT] + q] == s:
                row = ints[POLICY_HOLDS] + q * ints[MOST_LEVELS]
                if ints[row + new] != ints[row + old]:
                    if ints[row + new] != 0:
                        arm(ints, floats, w, x, q, time, turn)
                    else:
                        x[w[DUE] + q] = np.inf
    factual = w[LEVEL] + s
    if w[factual] != w[factual + ints[N_FACTS]]:
        w[N_APART] -= 1
    w[at] = new
    if w[factual] != w[factual + ints[N_FACTS]]:
        w[N_APART] += 1


@inner
def _mark_readers(ints: Ints, w: Ints, s: int, altered: int) -> None:
    """Fact s changed: whatever reads it may differ now, or no longer, or have another ceiling."""
    for k in range(ints[ints[READER_START] + s], ints[ints[READER_START] + s + 1]):
        reader = ints[ints[READER] + k]
        if w[N_APART] > 0 or w[w[DIFFERS] + reader] != 0 or ints[altered + reader] != 0:
            _mark(w, reader)


@inner
def turn_known(
    ints: Ints, floats: Floats, w: Ints, x: Floats, i: int, phase: int, time: float, turn: float, level_time: Floats,
    level_first: Floats, r: int,
) -> None:  # fmt: skip
    """Turn i of the facts with a known path, in the worlds that it is of."""
    s = ints[ints[TURN_FACT] + i]
    to = ints[ints[TURN_LEVEL] + i]
    worlds = ints[ints[TURN_WORLD] + i]
    if worlds & IN_OTHER != 0:
        _change(ints, floats, w, x, True, s, to, time, turn, level_time, level_first, r)
    if worlds & IN_FACTUAL != 0:
        _change(ints, floats, w, x, False, s, to, time, turn, level_time, level_first, r)
    _mark_readers(ints, w, s, ints[ALTERED] + phase * (ints[N_CHANNELS] + ints[N_TIMERS]))


@inner
def happen(
    ints: Ints, floats: Floats, w: Ints, x: Floats, q: int, in_one: bool, in_other: bool, phase: int, time: float,
    coins: int, key: np.uint64, turn: float, level_time: Floats, level_first: Floats, r: int,
) -> None:  # fmt: skip
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
                _change(ints, floats, w, x, True, s, to, time, turn, level_time, level_first, r)
        if in_one and took:
            _change(ints, floats, w, x, False, s, to, time, turn, level_time, level_first, r)
        _mark_readers(ints, w, s, altered)
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
def begin_phase(
    ints: Ints, floats: Floats, w: Ints, x: Floats, phase: int, time: float, turn: float, level_time: Floats,
    level_first: Floats, r: int, past_time: Floats, past: Ints, n_past: int, n_room: int,
) -> None:  # fmt: skip
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
        s, to = ints[ints[SET_FACT] + i], ints[ints[SET_LEVEL] + i]
        _change(ints, floats, w, x, True, s, to, time, turn, level_time, level_first, r)
    for q in range(ints[N_CHANNELS] + ints[N_TIMERS]):
        look(ints, floats, w, x, q, phase, time)
