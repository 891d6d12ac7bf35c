"""Days that the source does not know, drawn given all the rest.

In: events of which some happened on an unknown day between two days, and what each channel expects by itself and in
answer. Out: days for all events, drawn from the law that the day likelihood gives them,

    log p = sum over active channel-days of (n - 1) log r + log det L  -  expected answers,

as in `day_value` (what is expected without an act before it is the same on all days), but for events that are told
apart: the n! of a day's count cancels against the ways in which its events can be named, so that without answers every
day of a steady background is as likely as the next.

One event is moved at a time (Metropolis within Gibbs). A move changes what the channels that answer expect on the days
after it, and nothing else, so only the days on which these act are weighed anew: where one channel acts alone, by the
ratio of what it expects, else by the determinant. Sums run as far as answers do: what comes later than all but a
millionth of them is left out of a move's odds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import allocating_loop, inner
from powderkeg.engine.draws import child, draw
from powderkeg.engine.likelihood.day_steps import expose_ground, next_day, same_day
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact_steps import cell_of, season_integral

LATENT_TAG = np.uint64(11)
"""Kind of descent of the draws here, beside those of `draws`."""
_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
TAIL = 1e-6
"""Share of answers whose lag is beyond what a move looks at."""
LEAST = 1e-12
"""Intensity of a channel-day that nothing explains: days are sought that explain it, but none is impossible."""
NEAR = 7
"""Days that a short step goes at most."""


class Chain(NamedTuple):
    """What the days hang on, for A channels that have events, T days of which the first `before` are history.

    background  (A, T) what a channel expects by itself on a day; 1 in the history, which is not scored
    pair_start  (A + 1,) pairs by the channel that acts
    pair_to     (P,) the channel that answers
    curve       (P, reach) answers that the pair lets expect so many days later; the first, on the same day
    within      (A, T) answers, in all channels, that an act lets expect by so many days later
    before      days of history
    """

    background: Floats
    pair_start: Ints
    pair_to: Ints
    curve: Floats
    within: Floats
    before: int


@allocating_loop
def make_chain(d: Design, decay: Floats, coefficient: Floats, channels: Ints, before: int, days: int) -> Chain:
    """The chain of a design whose gates stand still.

    coefficient  (T,) of every term
    channels     (A,) those with events, sorted
    """
    n_channels, total = len(d.channel_ground), before + days
    share, by_then, reach = answer_shares(d.kernel_start, d.kernel_share, decay, total)
    index = np.full(n_channels, -1, np.int64)
    for a in range(len(channels)):
        index[channels[a]] = a
    slot_channel = np.empty(len(d.slot_group), np.int64)
    for c in range(n_channels):
        for s in range(d.slot_start[c], d.slot_start[c + 1]):
            slot_channel[s] = c
    background = np.ones((len(channels), total))
    for t in range(days):
        cell = cell_of(d.cell_time, float(t))
        for a in range(len(channels)):
            c = channels[a]
            g = d.channel_ground[c]
            p = d.ground_profile[g]
            season = season_integral(d.profile_swing[p], d.profile_peak[p], float(t), t + 1.0)
            level = coefficient[d.ground_term[g] + d.cell_shape[cell]]
            background[a, before + t] = level * d.channel_scale[c] * d.cell_value[p, cell] * season
    pair_start = np.zeros(len(channels) + 1, np.int64)
    pair_of = np.full(len(channels), -1, np.int64)
    n_out = 0
    for a in range(len(channels)):
        n_out += d.out_start[channels[a] + 1] - d.out_start[channels[a]]
    pair_to = np.empty(n_out, np.int64)
    curve = np.zeros((n_out, reach))
    within = np.zeros((len(channels), total))
    pairs = 0
    for a in range(len(channels)):
        c = channels[a]
        for k in range(d.out_start[c], d.out_start[c + 1]):
            g = d.slot_group[d.out_slot[k]]
            to = index[slot_channel[d.out_slot[k]]]
            weight = coefficient[d.group_term[g]] * d.out_mass[k]
            if to < 0 or weight <= LEAST:
                continue
            if pair_of[to] < pair_start[a]:
                pair_of[to] = pairs
                pair_to[pairs] = to
                pairs += 1
            for lag in range(reach):
                curve[pair_of[to], lag] += weight * share[d.group_mechanism[g], lag]
        pair_start[a + 1] = pairs
        for k in range(d.feed_start[c], d.feed_start[c + 1]):
            g = d.feed_group[k]
            for lag in range(total):
                within[a, lag] += coefficient[d.group_term[g]] * d.feed_mass[k] * by_then[d.group_mechanism[g], lag]
    return Chain(background, pair_start, pair_to[:pairs].copy(), curve[:pairs].copy(), within, before)


@allocating_loop
def ground_exposure(d: Design, days: int) -> Floats:
    """(T,) expected count of every term of a background, per unit of its coefficient, over the window."""
    exposure = np.zeros(len(d.term_linear))
    for b in range(len(d.ground_term)):
        expose_ground(
            b, 0, days, d.initial_config[d.ground_pair[b]], 1.0, d.ground_profile, d.ground_term, d.ground_scale,
            d.n_shapes, d.cell_time, d.cell_value, d.cell_shape, d.profile_swing, d.profile_peak, exposure,
        )  # fmt: skip
    return exposure


@allocating_loop
def answer_shares(kernel_start: Ints, kernel_share: Floats, decay: Floats, total: int) -> tuple[Floats, Floats, int]:
    """(mechanisms, total) share of answers that come so many days later, and by then; days that hold nearly all."""
    n_mechanisms = len(kernel_start) - 1
    share = np.zeros((n_mechanisms, total))
    by_then = np.zeros((n_mechanisms, total))
    reach = 1
    for m in range(n_mechanisms):
        for j in range(kernel_start[m], kernel_start[m + 1]):
            b = decay[j]
            share[m, 0] += kernel_share[j] * same_day(b)
            for lag in range(1, total):
                share[m, lag] += kernel_share[j] * next_day(b) * np.exp(-b * (lag - 1))
        so_far = 0.0
        for lag in range(total):
            share[m, lag] = max(share[m, lag], 0.0)  # rounding, where answers build up
            so_far += share[m, lag]
            by_then[m, lag] = so_far
            if 1.0 - so_far > TAIL:
                reach = max(reach, lag + 2)
    return share, by_then, min(reach, total)


@inner
def answers_of(within, before, a, t):  # type: ignore[no-untyped-def]
    """Answers that an act of channel a on day t lets expect on scored days."""
    result = within[a, within.shape[1] - 1 - t]
    if t < before:
        result -= within[a, before - 1 - t]
    return result


@inner
def alone_log(n, morning, echo):  # type: ignore[no-untyped-def]
    """Borel-Tanner: n acts of a channel that acts alone, `echo` answers of the same day to an act."""
    if n == 1:
        return np.log(morning)
    return (n - 1) * np.log(morning + echo * n) + np.log(morning)


@inner
def day_log(t, first, size, listed, expect, count, pair_start, pair_to, curve, own_echo, row_of, matrix):  # type: ignore[no-untyped-def]
    """What the counts of day t add to log p, given what its channels expect in the morning.

    listed    channels that act on the day stand at listed[first:first + size]
    expect    (A, T) what a channel expects in the morning of a day
    own_echo  (A,) answers of the same day in the channel itself
    """
    if size == 0:
        return 0.0
    if size == 1:
        a = listed[first]
        return alone_log(count[a, t], max(expect[a, t], LEAST), own_echo[a])
    for i in range(size):
        row_of[listed[first + i]] = i
        for j in range(size):
            matrix[i, j] = 0.0
        matrix[i, i] = max(expect[listed[first + i], t], LEAST)
    # L = diag(r) - K diag(n): an echo in another row leaves that row's sum as it is, its own leaves the diagonal
    for j in range(size):
        a = listed[first + j]
        for k in range(pair_start[a], pair_start[a + 1]):
            i = row_of[pair_to[k]]
            if i >= 0 and i != j:
                echo = curve[k, 0] * count[a, t]
                matrix[i, j] -= echo
                matrix[i, i] += echo
    result = 0.0
    for i in range(size):
        a = listed[first + i]
        n = count[a, t]
        if n > 1:
            result += (n - 1) * np.log(matrix[i, i] + own_echo[a] * n)
        row_of[a] = -1
    for k in range(size):
        pivot = matrix[k, k]
        result += np.log(pivot)
        for i in range(k + 1, size):
            if matrix[i, k] != 0.0:
                f = matrix[i, k] / pivot
                for j in range(k + 1, size):
                    matrix[i, j] -= f * matrix[k, j]
    return result


@inner
def enter(t, a, list_start, list_size, listed, count):  # type: ignore[no-untyped-def]
    """One more act of channel a on day t."""
    count[a, t] += 1
    if count[a, t] == 1:
        listed[list_start[t] + list_size[t]] = a
        list_size[t] += 1


@inner
def leave(t, a, list_start, list_size, listed, count):  # type: ignore[no-untyped-def]
    """One act of channel a less on day t."""
    count[a, t] -= 1
    if count[a, t] == 0:
        at = list_start[t]
        while listed[at] != a:
            at += 1
        list_size[t] -= 1
        listed[at] = listed[list_start[t] + list_size[t]]


@inner
def shift_answers(pair_start, pair_to, curve, a, old, new, expect):  # type: ignore[no-untyped-def]
    """What is expected in answer to an act of channel a that moves from day `old` to day `new`."""
    total, reach = expect.shape[1], curve.shape[1]
    for k in range(pair_start[a], pair_start[a + 1]):
        to = pair_to[k]
        for lag in range(1, min(reach, total - old)):
            expect[to, old + lag] -= curve[k, lag]
        for lag in range(1, min(reach, total - new)):
            expect[to, new + lag] += curve[k, lag]


@inner
def weigh_alone(  # type: ignore[no-untyped-def]
    pair_start, pair_to, curve, own_echo, a, old, new, low, expect, count, list_size, mark, marked, n_marked
):
    """(log of the change on days on which one channel acts alone, days that are marked for the determinant).

    low  first day that is scored and may change
    """
    gain, ratio = 0.0, 1.0
    total, reach = expect.shape[1], curve.shape[1]
    high = min(max(old, new) + reach, total)
    for k in range(pair_start[a], pair_start[a + 1]):
        to = pair_to[k]
        for t in range(max(low, min(old, new) + 1), high):
            n = count[to, t]
            if n == 0 or mark[t]:
                continue
            if list_size[t] > 1:
                mark[t] = True
                marked[n_marked] = t
                n_marked += 1
                continue
            change = 0.0
            if new < t < new + reach:
                change += curve[k, t - new]
            if old < t < old + reach:
                change -= curve[k, t - old]
            morning = expect[to, t]
            ratio *= max(morning + change, LEAST) / max(morning, LEAST)
            if n > 1:
                r = max(morning, LEAST) + own_echo[to] * n
                factor = (max(morning + change, LEAST) + own_echo[to] * n) / r
                for _ in range(n - 1):
                    ratio *= factor
            if ratio > 1e100 or ratio < 1e-100:
                gain += np.log(ratio)
                ratio = 1.0
    return gain + np.log(ratio), n_marked


@inner
def proposal(key, near, old, first, last):  # type: ignore[no-untyped-def]
    """A day to move to: any of the event's days, or one a few days off; -1 where that is none of its days."""
    u = draw(key, _ZERO)
    if not near:
        return first + int(u * (last - first + 1))
    step = 1 + int(draw(key, _ONE) * min(NEAR, last - first))
    new = old + step if u < 0.5 else old - step
    return new if first <= new <= last else -1


@allocating_loop
def rooms(first: Ints, last: Ints, n_channels: int, total: int) -> tuple[Ints, int]:
    """(total + 1,) starts of each day's list of active channels, with room for all that may be on it; the longest."""
    covers = np.zeros(total + 1, np.int64)
    for i in range(len(first)):
        for t in range(first[i], last[i] + 1):
            covers[t + 1] += 1
    longest = 1
    for t in range(total):
        covers[t + 1] = min(covers[t + 1], n_channels)
        longest = max(longest, covers[t + 1])
    return np.cumsum(covers), longest


@allocating_loop
def draw_days(
    chain: Chain, channel: Ints, first: Ints, last: Ints, day: Ints, key: np.uint64, sweeps: int, power: float
) -> tuple[Floats, float]:
    """Move the events whose day is not known `sweeps` times over; `day` is changed.

    channel      (N,) position among the chain's channels
    first, last  (N,) days on which an event may have happened, counted from the first day of the history
    power        the law is p^power: 1 for days given the events, 0 for days as likely as each other
    returns      (log p at the start and after every sweep, share of the moves that were taken)
    """
    background, pair_start, pair_to, curve, within, before = chain
    n_channels, total = background.shape
    expect = background.copy()
    count = np.zeros((n_channels, total), np.int64)
    list_start, longest = rooms(first, last, n_channels, total)
    list_size = np.zeros(total, np.int64)
    listed = np.empty(max(int(list_start[total]), 1), np.int64)
    row_of = np.full(n_channels, -1, np.int64)
    matrix = np.zeros((longest, longest))
    own_echo = np.zeros(n_channels)
    for a in range(n_channels):
        for k in range(pair_start[a], pair_start[a + 1]):
            if pair_to[k] == a:
                own_echo[a] += curve[k, 0]
    value = 0.0
    for i in range(len(day)):
        a, t = channel[i], day[i]
        enter(t, a, list_start, list_size, listed, count)
        value -= answers_of(within, before, a, t)
        for k in range(pair_start[a], pair_start[a + 1]):
            for lag in range(1, min(curve.shape[1], total - t)):
                expect[pair_to[k], t + lag] += curve[k, lag]
    for t in range(before, total):
        value += day_log(
            t, list_start[t], list_size[t], listed, expect, count, pair_start, pair_to, curve, own_echo, row_of, matrix
        )
    mark = np.zeros(total, np.bool_)
    marked = np.empty(total, np.int64)
    values = np.empty(sweeps + 1)
    values[0] = value
    taken = 0
    tried = 0
    for sweep in range(sweeps):
        sweep_key = child(key, LATENT_TAG, sweep)
        for i in range(len(day)):
            if last[i] <= first[i]:
                continue
            a = channel[i]
            event_key = child(sweep_key, LATENT_TAG, i)
            for turn in range(2):
                move_key = child(event_key, LATENT_TAG, turn)
                old = day[i]
                new = proposal(move_key, turn == 1, old, first[i], last[i])
                tried += 1
                if new < 0 or new == old:
                    continue
                n_marked = 0
                for t in (old, new):
                    mark[t] = True
                    marked[n_marked] = t
                    n_marked += 1
                gain, n_marked = weigh_alone(
                    pair_start, pair_to, curve, own_echo, a, old, new, before, expect, count, list_size, mark, marked,
                    n_marked,
                )  # fmt: skip
                gain += answers_of(within, before, a, old) - answers_of(within, before, a, new)
                for q in range(n_marked):
                    t = marked[q]
                    mark[t] = False
                    if t >= before:
                        gain -= day_log(
                            t, list_start[t], list_size[t], listed, expect, count, pair_start, pair_to, curve,
                            own_echo, row_of, matrix,
                        )  # fmt: skip
                leave(old, a, list_start, list_size, listed, count)
                enter(new, a, list_start, list_size, listed, count)
                shift_answers(pair_start, pair_to, curve, a, old, new, expect)
                for q in range(n_marked):
                    t = marked[q]
                    if t >= before:
                        gain += day_log(
                            t, list_start[t], list_size[t], listed, expect, count, pair_start, pair_to, curve,
                            own_echo, row_of, matrix,
                        )  # fmt: skip
                if power * gain >= np.log(draw(move_key, _TWO)):
                    day[i] = new
                    taken += 1
                    value += gain
                else:
                    leave(new, a, list_start, list_size, listed, count)
                    enter(old, a, list_start, list_size, listed, count)
                    shift_answers(pair_start, pair_to, curve, a, new, old, expect)
        values[sweep + 1] = value
    return values, taken / max(tried, 1)
