"""What would have happened: an observed history lived through once more in another world.

In: a `Ledger`, a complete factual history (acts, what ran out and came up unseen, how coins fell), the day on which the
worlds part. Out: for every replicate which events stay and which new ones come.

Two worlds run side by side, the factual one, whose events are given, and the other. Where an event of process c is
given and the two intensities are l and l', it stays in the other world with probability min(1, l'/l); between given
events new ones come in c at rate (l' - l)^+. That is how two Poisson processes are coupled that count the points of one
random measure below two heights: the most that two worlds can share one channel at a time. What is equal in both worlds
is never drawn, so a world that changes nothing gives the history back. New events are found by thinning: between events
each component of what excites only fades, so each process has a ceiling that holds until something happens to it.

Source of the idea: counterfactuals by thinning (Noorbakhsh & Gomez-Rodriguez 2022, NeurIPS 35); here the coupling is
that of the random measures, which needs no common ceiling. No data can test a coupling: another one with the same two
worlds would give other answers to the same question.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import BACKGROUND, SCHEDULED, TIMER, Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.draws import (
    CHOICE,
    COMPONENT,
    DELAY,
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
from powderkeg.engine.elementary import logarithm
from powderkeg.engine.replay.coupling import (
    ACTIVE,
    BASE,
    BOUND,
    CALM_SINCE,
    DIFFERS,
    DUE,
    HELD,
    LEVEL,
    N_ACTIVE,
    SINCE,
    STOOD,
    arm,
    begin_phase,
    factual_intensity,
    happen,
    look,
    look_again,
    other_intensity,
    pair,
    ready,
    turn_known,
)
from powderkeg.engine.replay.intensity import (
    ACT_CHANNEL,
    ACT_TIME,
    INITIAL,
    LEVEL_START,
    MOST_LEVELS,
    N_ACTS,
    N_CALMS,
    N_CHANNELS,
    N_FACTS,
    N_HELD,
    N_PHASES,
    N_POLICIES,
    N_TURNS,
    PHASE_TIME,
    POLICY_CHANNEL,
    POLICY_FACT,
    POLICY_HOLDS,
    SILENCED,
    SLOT_FIRST,
    SLOT_GATE,
    SLOT_MECHANISM,
    SLOT_START,
    TIMER_CHANNEL,
    TURN_TIME,
    Ledger,
    background,
    gate,
)

FINISHED, FULL = 0, 1
NO_COINS = np.int64(0)


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


@inner
def _born_by(ints: Ints, floats: Floats, w: Ints, x: Floats, q: int, phase: int, time: float, u: float) -> int:
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
def lead_up(
    ints: Ints, floats: Floats, w: Ints, x: Floats, given_time: Floats, given_process: Ints, given_coins: Ints,
    start: float, turn: float, level_time: Floats, level_first: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Live through what happened before the worlds part, in both alike; returns how many events, and turns of facts
    with a known path, that were.

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
            arm(ints, floats, w, x, q, start, turn)
    n = 0
    n_turns = 0
    while True:
        until = given_time[n] if n < len(given_time) and given_time[n] < turn else turn
        while (
            n_turns < ints[N_TURNS]
            and floats[ints[TURN_TIME] + n_turns] < turn
            and (floats[ints[TURN_TIME] + n_turns] <= until)
        ):
            at = floats[ints[TURN_TIME] + n_turns]
            turn_known(ints, floats, w, x, n_turns, BASE, at, turn, level_time, level_first, 0)
            n_turns += 1
        if until == turn:
            return n, n_turns
        happen(
            ints, floats, w, x, given_process[n], True, True, BASE, given_time[n], given_coins[n], key, turn,
            level_time, level_first, 0,
        )  # fmt: skip
        n += 1


@inner
def _part_ways(
    ints: Ints, w: Ints, x: Floats, start_w: Ints, start_x: Floats, turn: float, level_time: Floats,
    level_first: Floats, r: int,
) -> None:  # fmt: skip
    """Both worlds as they part."""
    for i in range(len(w)):
        w[i] = start_w[i]
    for i in range(len(x)):
        x[i] = start_x[i]
    for i in range(level_time.shape[1]):
        level_time[r, i] = 0.0
        level_first[r, i] = np.inf
    for s in range(ints[N_FACTS]):
        x[w[STOOD] + s] = turn


@inner
def _stand_still(ints: Ints, w: Ints, x: Floats, last: float, level_time: Floats, level_first: Floats, r: int) -> None:
    """Facts of the other world stand as they are until day `last`, and no longer."""
    for s in range(ints[N_FACTS]):
        cell = ints[ints[LEVEL_START] + s] + w[w[LEVEL] + ints[N_FACTS] + s]
        level_time[r, cell] += max(last - x[w[STOOD] + s], 0.0)
        level_first[r, cell] = min(level_first[r, cell], x[w[STOOD] + s])


@loop
def replay(
    ints: Ints, floats: Floats, w: Ints, x: Floats, start_w: Ints, start_x: Floats, given_time: Floats,
    given_process: Ints, given_coins: Ints, given_gone: Ints, n_before: int, n_turned: int, turn: float, horizon: float,
    root: np.uint64, first: int, done: int, n_replicates: int, limit: int, kept: NDArray[np.bool_], ends: Ints,
    new_time: Floats, new: Ints, level_time: Floats, level_first: Floats, exploded: Floats, past_time: Floats,
    past: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Replicates first + done .. first + n_replicates - 1 of the other world, from `turn` to `horizon`.

    w, x .. start_x  a `pair` to work in, and both worlds as they part: see `lead_up`, which gives n_before and
                 n_turned
    kept         (replicates, N) out: the event stays in the other world
    ends         (replicates,) out: where the replicate's new events end in new_time and new (room, 2: process,
                 mechanism)
    level_time   (replicates, cells) out: days after `turn` at each level in the other world
    level_first  (replicates, cells) out: day from `turn` on on which it first stood so, or inf
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
        _part_ways(ints, w, x, start_w, start_x, turn, level_time, level_first, r)
        exploded[r] = np.inf
        n_past = n_before
        for i in range(n_before):
            q = given_process[i]
            past_time[i] = given_time[i]
            past[i] = q if q < n_channels else ints[ints[TIMER_CHANNEL] + q - n_channels]
            past[n_room + i] = 0
        now = turn
        phase = BASE
        i = n_before
        i_act = 0
        i_turn = n_turned
        tries = 0
        fired = 0
        n_first = n_new
        while True:
            # What is certain to come next: nothing (0), a given event, a policy, an act put in by hand, a phase, a turn
            # of a known fact.
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
            if i_turn < ints[N_TURNS]:
                at = floats[ints[TURN_TIME] + i_turn]
                if at <= until and at < horizon:
                    until = at
                    what = 5
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
                when = now - logarithm(draw(k0, DELAY)) / total
                tries += 1
                if when < until:
                    now = when
                    left = draw(k0, CHOICE) * total
                    at_place = 0
                    while at_place < w[N_ACTIVE] - 1 and left >= x[w[BOUND] + w[w[ACTIVE] + at_place]]:
                        left -= x[w[BOUND] + w[w[ACTIVE] + at_place]]
                        at_place += 1
                    q = w[w[ACTIVE] + at_place]
                    ready(ints, floats, w, x, q, phase, now)
                    more = other_intensity(ints, floats, w, x, q, phase, now) - factual_intensity(
                        ints, floats, w, x, q, now
                    )
                    if draw(k0, MARK) * x[w[BOUND] + q] >= more:
                        look(ints, floats, w, x, q, phase, now)
                        continue
                    mechanism = _born_by(ints, floats, w, x, q, phase, now, draw(k0, COMPONENT))
                    is_new = True
            if not is_new:
                if what == 0:
                    break
                now = until
                if what == 5:
                    turn_known(ints, floats, w, x, i_turn, phase, now, turn, level_time, level_first, r)
                    look_again(ints, floats, w, x, phase, now)
                    i_turn += 1
                    continue
                if what == 4:
                    phase += 1
                    begin_phase(
                        ints, floats, w, x, phase, now, turn, level_time, level_first, r, past_time, past, n_past,
                        n_room,
                    )  # fmt: skip
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
                    ready(ints, floats, w, x, q, phase, now)
                    one = factual_intensity(ints, floats, w, x, q, now)
                    if one > 0.0:
                        in_other = draw(k0, MARK) * one < other_intensity(ints, floats, w, x, q, phase, now)
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
            happen(ints, floats, w, x, q, not is_new, in_other, phase, now, coins, k0, turn, level_time, level_first, r)
            look_again(ints, floats, w, x, phase, now)
            if n_new - n_first >= limit:
                exploded[r] = now
                break
        _stand_still(ints, w, x, min(exploded[r], horizon), level_time, level_first, r)
        for k in range(i, n_given):
            kept[r, k] = False
        ends[r] = n_new
    return n_replicates, FINISHED


class Replayed(NamedTuple):
    """Replicates of the other world.

    kept        (R, N) which of the given events stay; those before the worlds part do
    replicate   (M,) of every new event; time, process, mechanism what it is, and what it is put down to
    level_time  (R, cells) days at each level from the parting on
    level_first (R, cells) day from the parting on on which each first stood so, or inf
    exploded    (R,) day on which it was stopped at the limit of new events, or inf
    """

    kept: NDArray[np.bool_]
    replicate: Ints
    time: Floats
    process: Ints
    mechanism: Ints
    level_time: Floats
    level_first: Floats
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
    level_time, level_first = np.zeros((n, cells)), np.full((n, cells), np.inf)
    columns = (given.time, given.process, given.coins)
    parted = lead_up(b.ints, b.floats, start_w, start_x, *columns, start, turn, *np.zeros((2, 1, cells)))
    n_before, n_turned = (int(n) for n in parted)
    n_given = len(given.time)
    kept = np.zeros((n, n_given), np.bool_)
    kept[:, :n_before] = True
    ends, exploded = np.zeros(n, np.int64), np.zeros(n)
    room, done = max(4096, 2 * n_given), 0
    new_time, new = np.empty(room), np.empty((room, 2), np.int64)
    while True:
        past_time, past = np.empty(n_given + room), np.empty(2 * (n_given + room), np.int64)
        done, why = replay(
            b.ints, b.floats, w, x, start_w, start_x, *columns, given.gone, n_before, n_turned, turn, horizon, root,
            first, done, n, limit, kept, ends, new_time, new, level_time, level_first, exploded, past_time, past,
        )  # fmt: skip
        if why == FINISHED:
            break
        new_time, new = np.concatenate([new_time, np.empty(room)]), np.concatenate([new, np.empty((room, 2), np.int64)])
        room *= 2
    last = int(ends[-1])
    replicate = np.repeat(np.arange(n), np.diff(ends, prepend=0))
    added = new_time[:last].copy(), new[:last, 0].copy(), new[:last, 1].copy()
    return Replayed(kept, replicate, *added, level_time, level_first, exploded)
