"""Where does a run of hostility begin, where does it end, and what was in it?

In: events of one or many streams (histories, dyads) in time order as arrays, a heat and marks for each channel.
Out: one row of numbers per standoff episode. No names, no files; the rules in words are in docs/episodes.md.

A score rises by the heat of every counted act and fades by a factor e each `memory` days. Acts with the same stamp
are one batch: their order is unknown and must not matter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.elementary import exponential, logarithm

OPENS = 1
RESOLVES = 2
SUSPENDS = 4
"""Bits of a channel's marks: it puts a new bone of contention on the table; it removes one; it puts one off."""

RESOLVED, SUSPENDED, SPENT, CHAINED, OPEN = range(5)
"""How an episode ended."""

NEVER = -np.inf
"""The time of something that has not happened, where the latest time is kept."""

_INT_COLUMNS = 5
_FLOAT_COLUMNS = 5


class Episodes(NamedTuple):
    """One entry per episode, by stream and time. Events `first[i]:stop[i]` fall in episode i."""

    stream: Ints
    first: Ints
    stop: Ints
    state: Ints
    opener: Ints  # the event that stands for the first act
    start: Floats  # days
    last: Floats  # days: the last counted act, or the closing act that came after it
    end: Floats  # days: when the score fell below the closing level, or the next episode cut in, or the horizon
    peak: Floats  # highest score
    opened: Floats  # days: when the score had reached the opening level, which its first act is dated back from


def cut_episodes(
    offsets: Ints,
    time: Floats,
    channel: NDArray[np.integer[Any]],
    heat: Floats,
    marks: NDArray[np.uint8],
    memory: float,
    opens_at: float,
    closes_at: float,
    chained_within: float,
    horizon: Floats,
) -> Episodes:
    """Episodes of every stream; stream s is the events `offsets[s]:offsets[s + 1]`.

    time     (N,) days, not falling within a stream
    channel  (N,) index into heat and marks
    heat     (C,) what one act adds to the score; 0 where the channel is not counted
    marks    (C,) bits OPENS, RESOLVES, SUSPENDS
    horizon  (S,) end of each stream's window, days
    raises   ValueError naming the first event that stands out of order
    """
    whole = np.empty((max(64, len(time) // 64), _INT_COLUMNS), np.int64)
    real = np.empty((len(whole), _FLOAT_COLUMNS), np.float64)
    rule = np.array([memory, opens_at, closes_at, chained_within])
    stream = n = 0
    while True:
        stream, n, out_of_order = _cut(offsets, time, channel, heat, marks, rule, horizon, whole, real, stream, n)
        if out_of_order >= 0:
            raise ValueError(f"event {out_of_order} stands before the one above it in time")
        if stream == len(offsets) - 1:
            break
        whole = np.concatenate([whole[:n], np.empty((len(whole) + 64, _INT_COLUMNS), np.int64)])
        real = np.concatenate([real[:n], np.empty((len(real) + 64, _FLOAT_COLUMNS), np.float64)])
    return Episodes(*np.ascontiguousarray(whole[:n].T), *np.ascontiguousarray(real[:n].T))


@loop
def _cut(offsets, time, channel, heat, marks, rule, horizon, whole, real, stream, n):  # type: ignore[no-untyped-def]
    """Streams from `stream` on, episodes from row n on. Returns the stream that found no more room, or their number.

    Nothing is allocated here: that, and every array handed around, costs seconds of compilation.
    """
    memory, opens_at, closes_at, chained_within = rule[0], rule[1], rule[2], rule[3]
    for s in range(stream, len(offsets) - 1):
        begin, finish = offsets[s], offsets[s + 1]
        n_before = n
        inside = False
        score = 0.0
        scored_at = 0.0
        rise = begin  # first event since the score was last below the closing level
        free = begin  # events before this one belong to an earlier episode
        # of the running episode
        first = begin
        start = 0.0
        last = 0.0
        peak = 0.0
        opened = 0.0
        after_cut = False
        resolved_at = suspended_at = NEVER  # latest closing acts
        resolved_after = suspended_after = np.inf  # first closing acts not before the last counted act
        # of the act that may cut it
        candidate = -1
        candidate_score = 0.0
        candidate_peak = 0.0
        old_last = old_peak = 0.0
        old_resolved_at = old_suspended_at = NEVER
        old_resolved_after = old_suspended_after = np.inf

        i = begin
        while i < finish:
            now = time[i]
            j, gain, mark = _batch(i, finish, time, channel, heat, marks)
            if j < finish and not time[j] > now:
                return s, n, j
            # A batch ends at most one episode; two rows also leave room for the one that the window ends.
            if n + 2 > len(whole):
                return s, n_before, -1
            if gain == 0.0 and mark == 0:
                i = j
                continue

            fade = exponential((scored_at - now) / memory)
            before = score * fade
            if inside and before < closes_at:
                end = scored_at + memory * logarithm(score / closes_at)
                stop = _last_until(end, i, first, time)
                state, settled = _ending(
                    start, after_cut, last, memory, resolved_at, suspended_at, resolved_after, suspended_after
                )
                n = _write(whole, real, n, s, first, stop, state, start, settled, end, peak, opened)
                inside = False
                free = stop
                candidate = -1
            if not inside and before < closes_at:
                rise = i
            score = before + gain
            scored_at = now

            if candidate >= 0:
                candidate_score *= fade
                if candidate_score < closes_at and now > time[candidate] + memory:
                    candidate = -1
            fresh = now - start >= chained_within or max(resolved_at, suspended_at) > start
            if inside and mark & OPENS and candidate < 0 and fresh:
                candidate = i
                candidate_score = candidate_peak = 0.0
                old_last, old_peak = last, peak
                old_resolved_at, old_suspended_at = resolved_at, suspended_at
                old_resolved_after, old_suspended_after = resolved_after, suspended_after
                # A closing act with the stamp of the cut is credited to what it can have closed: the old episode.
                if mark & RESOLVES:
                    old_resolved_at, old_resolved_after = now, min(old_resolved_after, now)
                if mark & SUSPENDS:
                    old_suspended_at, old_suspended_after = now, min(old_suspended_after, now)

            if gain > 0.0:
                last = now
                peak = max(peak, score)
                resolved_after = suspended_after = np.inf
            if mark & RESOLVES:
                resolved_at, resolved_after = now, min(resolved_after, now)
            if mark & SUSPENDS:
                suspended_at, suspended_after = now, min(suspended_after, now)

            if not inside:
                if score >= opens_at:
                    first = _opened_by(rise, free, memory, time, channel, marks)
                    start = time[first]
                    if n > n_before and whole[n - 1, 3] == SPENT and start - real[n - 1, 1] <= chained_within:
                        whole[n - 1, 3] = CHAINED
                    inside = True
                    after_cut = False
                    opened = now
                    peak = score
                    candidate = -1
            elif candidate >= 0:
                candidate_score += gain
                candidate_peak = max(candidate_peak, candidate_score)
                if candidate_score >= opens_at:
                    end = time[candidate]
                    state, settled = _ending(
                        start,
                        after_cut,
                        old_last,
                        memory,
                        old_resolved_at,
                        old_suspended_at,
                        old_resolved_after,
                        old_suspended_after,
                    )
                    if state == SPENT:
                        state = CHAINED
                    n = _write(whole, real, n, s, first, candidate, state, start, settled, end, old_peak, opened)
                    first = free = candidate
                    start = time[first]
                    opened = now
                    after_cut = True
                    score = candidate_score
                    peak = candidate_peak
                    if resolved_after <= start:
                        resolved_after = np.inf
                    if suspended_after <= start:
                        suspended_after = np.inf
                    candidate = -1
            i = j

        if inside:
            left = score * exponential((scored_at - horizon[s]) / memory)
            state, settled = _ending(
                start, after_cut, last, memory, resolved_at, suspended_at, resolved_after, suspended_after
            )
            stop = finish
            if left >= closes_at:
                state, settled, end = OPEN, last, max(horizon[s], last)
            else:
                end = scored_at + memory * logarithm(score / closes_at)
                stop = _last_until(end, finish, first, time)
            n = _write(whole, real, n, s, first, stop, state, start, settled, end, peak, opened)
        for e in range(n_before, n):
            whole[e, 4] = _first_act(whole[e, 1], time, channel, heat, marks)
    return len(offsets) - 1, n, -1


@inner
def _batch(i, finish, time, channel, heat, marks):  # type: ignore[no-untyped-def]
    """Events with the stamp of event i: the first after them, their heat in all, their marks."""
    gain = 0.0
    mark = 0
    j = i
    while j < finish and time[j] == time[i]:
        c = channel[j]
        gain += heat[c]
        mark |= marks[c]
        j += 1
    return j, gain, mark


@inner
def _last_until(end, stop, first, time):  # type: ignore[no-untyped-def]
    """`stop`, less the events before it that come after `end`; not before `first`."""
    while stop > first and time[stop - 1] > end:
        stop -= 1
    return stop


@inner
def _opened_by(rise, free, memory, time, channel, marks):  # type: ignore[no-untyped-def]
    """The first event of an episode whose score rose with event `rise`: the act that put the matter on the table."""
    first = rise
    k = rise - 1
    while k >= free and time[k] >= time[rise] - memory:
        if marks[channel[k]] & OPENS:
            first = k
        k -= 1
    while first > free and time[first - 1] == time[first]:
        first -= 1
    return first


@inner
def _ending(start, after_cut, last, memory, resolved_at, suspended_at, resolved_after, suspended_after):  # type: ignore[no-untyped-def]
    """State and last day of an episode that is over: a closing act counts from `memory` before the last counted act."""
    since = max(start, last - memory)
    if resolved_at >= since and not (after_cut and resolved_at <= start):
        return RESOLVED, (resolved_after if resolved_after < np.inf else last)
    if suspended_at >= since and not (after_cut and suspended_at <= start):
        return SUSPENDED, (suspended_after if suspended_after < np.inf else last)
    return SPENT, last


@inner
def _write(whole, real, n, stream, first, stop, state, start, last, end, peak, opened):  # type: ignore[no-untyped-def]
    whole[n, 0], whole[n, 1], whole[n, 2], whole[n, 3], whole[n, 4] = stream, first, stop, state, first
    real[n, 0], real[n, 1], real[n, 2], real[n, 3], real[n, 4] = start, last, end, peak, opened
    return n + 1


@inner
def _first_act(first, time, channel, heat, marks):  # type: ignore[no-untyped-def]
    """Of the acts with the first stamp: one that opens, else the hottest, else the lowest channel."""
    best = first
    k = first + 1
    while k < len(time) and time[k] == time[first]:
        c, b = channel[k], channel[best]
        opens, best_opens = marks[c] & OPENS, marks[b] & OPENS
        if opens > best_opens or (opens == best_opens and (heat[c] > heat[b] or (heat[c] == heat[b] and c < b))):
            best = k
        k += 1
    return best


class Contents(NamedTuple):
    """What was in each episode. `joined_*` list, episode by episode, the actors other than the first act's two."""

    counted: Ints  # (E,) counted acts
    hurting: Ints  # (E,) counted acts that hurt or killed
    lethal: Ints  # (E,) counted acts that killed
    classes: Ints  # (E, K) all acts, by class
    patterns: Ints  # (E, P) all acts that fit a pattern
    joined_episode: Ints
    joined_actor: Ints


def describe_episodes(
    episodes: Episodes,
    channel: NDArray[np.integer[Any]],
    heat: Floats,
    hostile: NDArray[np.bool_],
    hurts: Ints,
    source: Ints,
    target: Ints,
    kind: Ints,
    n_classes: int,
    patterns: NDArray[np.uint64],
    n_patterns: int,
    n_actors: int,
) -> Contents:
    """Count what happened inside each episode.

    heat      (C,) 0 where not counted;  hostile (C,) a hostile act, counted or not;  hurts (C,) 0, 1 injury, 2 death
    source    (C,) actor index or -1;  target likewise;  kind (C,) class index or -1
    patterns  (C,) bit p set where an act of the channel fits pattern p; at most 64 patterns
    """
    n = len(episodes.first)
    bits = [patterns >> np.uint64(p) & np.uint64(1) > 0 for p in range(n_patterns)]
    tables = np.stack([source, target, kind, hurts, heat > 0, hostile, *bits]).astype(np.int64)
    counts = np.zeros((n, 3 + n_classes + n_patterns), np.int64)
    seen = np.full(n_actors, -1, np.int64)
    joined = np.empty((max(64, n), 2), np.int64)
    done = n_joined = 0
    while True:
        done, n_joined = _describe(
            episodes.first,
            episodes.stop,
            episodes.opener,
            channel,
            tables,
            n_classes,
            counts,
            seen,
            joined,
            done,
            n_joined,
        )
        if done == n:
            break
        joined = np.concatenate([joined, np.empty((len(joined) + n_actors, 2), np.int64)])
    joined = joined[:n_joined]
    joined = joined[np.lexsort((joined[:, 1], joined[:, 0]))]
    return Contents(
        counted=counts[:, 0],
        hurting=counts[:, 1],
        lethal=counts[:, 2],
        classes=counts[:, 3 : 3 + n_classes],
        patterns=counts[:, 3 + n_classes :],
        joined_episode=joined[:, 0],
        joined_actor=joined[:, 1],
    )


_SOURCE, _TARGET, _KIND, _HURTS, _COUNTED, _HOSTILE, _FIRST_PATTERN = range(7)
"""Rows of the table by channel that `_describe` reads."""


@loop
def _describe(first, stop, opener, channel, tables, n_classes, counts, seen, joined, done, n_joined):  # type: ignore[no-untyped-def]
    """Episodes from `done` on. Returns the episode that found no more room for who joined, or their number."""
    for e in range(done, len(first)):
        if n_joined + len(seen) > len(joined):
            return e, n_joined
        c = channel[opener[e]]
        for side in range(_SOURCE, _TARGET + 1):
            if tables[side, c] >= 0:
                seen[tables[side, c]] = e
        for i in range(first[e], stop[e]):
            c = channel[i]
            if tables[_COUNTED, c]:
                counts[e, 0] += 1
                if tables[_HURTS, c] > 0:
                    counts[e, 1] += 1
                if tables[_HURTS, c] > 1:
                    counts[e, 2] += 1
            if tables[_KIND, c] >= 0:
                counts[e, 3 + tables[_KIND, c]] += 1
            for p in range(_FIRST_PATTERN, len(tables)):
                counts[e, 3 + n_classes + p - _FIRST_PATTERN] += tables[p, c]
            a = tables[_SOURCE, c]
            if tables[_HOSTILE, c] and a >= 0 and seen[a] != e:
                seen[a] = e
                joined[n_joined, 0] = e
                joined[n_joined, 1] = a
                n_joined += 1
    return len(first), n_joined
