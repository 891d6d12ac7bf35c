"""Which background candidates need not be drawn while the facts stand as they do.

In: the baseline of a world, its phases, how high each channel's background can come in it. Out: `Strips`.

A background candidate is a point in the plane of time and mark, and happens if its mark lies below what its channel is
worth then. While a gate is shut, every point with a high mark is refused; so the plane is cut by marks into strips,
and a strip is looked at only while some state of the facts reaches into it. Points of a Poisson process in disjoint
parts of the plane are independent, so that changes nothing in the law; and because a strip's points are addressed by
block of time, they are the same points whenever somebody looks, in every world over the baseline.

Channels under the same gates are a group. A group's strips are cut at shares of its ceiling that its gates can have,
each at most half of the one above; what lies under the lowest of them is always drawn, together with all that has no
gates, by the stream itself. Layers (see `candidates`) are more strips on top.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System

HALF = 0.5
"""A bound is at most this share of the one above it: a state proposes at most twice what it needs."""
ABOVE = 1.0 + 1e-6
"""Bounds stand this much above the shares they are made for, so that rounding does not open the strip above."""
ALIKE = 1.02
"""Shares that differ by less are one, as long as bounds are only looked for."""
LEFT_OUT = 0.01
"""Groups that together save less than this share of all background candidates stay with the stream."""
MOST_BOUNDS = 64
"""Strips of a group, at most: what lies below them is drawn with the lowest."""
MOST_GROUPS = 64
"""Groups that look at one fact, at most: all of them are looked at when it changes."""
BLOCK = 2.0
"""Candidates of a strip in one block of time: from this to twice this."""
LAYER_ADDRESS, ADDRESSES = 128, 256
"""Strips of a group are numbered from its lowest, layers from LAYER_ADDRESS on; each group has so many numbers."""


class SharedGates(NamedTuple):
    """Channels by the gates that they stand under. G groups.

    of       (C,) group of each channel, -1 without
    gate     (G, 2) gate row of the background, of the channel
    first    (G,) first channel: the address, which does not hang on what other groups there are
    bounds   shares of the ceiling, from the lowest strip's lower end to 1
    ground   (C,) share of its ceiling that each channel's stream proposes all the time
    """

    of: Ints
    gate: Ints
    first: Ints
    bounds: list[list[float]]
    ground: Floats

    @property
    def n(self) -> int:
        return len(self.first)


class Strips(NamedTuple):
    """N strips of G groups: those of a group one after the other, from the lowest up; see `TableLayout`.

    gate         (G, 2) as in `SharedGates`
    group        (N,) group
    address      (N,) what its draws are addressed by
    low          (N,) share of the ceiling above which it lies
    start        (N + 1,) its channels, within the three that follow
    channel, mark_from, width    marks of each channel's candidates
    most         (P, G) most that the group's channels are worth with gates of 1, as a share of the ceiling, by phase
    fact_start   (S + 1,) groups that look at each fact, within fact_group
    """

    gate: Ints
    group: Ints
    address: Ints
    low: Floats
    start: Ints
    channel: Ints
    mark_from: Floats
    width: Floats
    most: Floats
    fact_start: Ints
    fact_group: Ints


def grouped(base: System, reach: NDArray[np.bool_], rate_base: Floats) -> SharedGates:
    """The groups of a baseline; it alone decides, so that all worlds over it have the same."""
    none = no_groups(base.n_channels)
    gate = np.stack([base.background_gate, base.channel_gate], axis=1)
    by_row = _shares(base, reach)
    lowest = np.array([_lowest(row) for row in by_row])
    saved = rate_base * (1.0 - lowest[gate[:, 0]] * lowest[gate[:, 1]])
    inside = np.flatnonzero(saved > 0)
    if not len(inside):
        return none
    _, first, place = np.unique(gate[inside, 0] * len(lowest) + gate[inside, 1], return_index=True, return_inverse=True)
    sums = np.bincount(place, saved[inside])
    looked = np.zeros(base.n_facts, np.int64)
    taken: list[int] = []
    bounds: list[list[float]] = []
    # Added up one by one, as other engines do it: which groups are taken must not hang on a last bit.
    rest, few = float(np.cumsum(sums)[-1]), LEFT_OUT * (1.0 + 1e-9) * float(np.cumsum(rate_base)[-1])
    for k in np.argsort(-sums, kind="stable"):
        if rest <= few:
            break
        rest -= float(sums[k])
        shares = _joined(by_row[gate[inside[first[k]], 0]], by_row[gate[inside[first[k]], 1]])
        facts = list(shares)
        found = _bounds([*shares.values()])
        if len(found) > 1 and (looked[facts] < MOST_GROUPS).all():
            looked[facts] += 1
            taken.append(int(k))
            bounds.append(found)
    if not taken:
        return none
    number = np.full(len(first), -1)
    number[taken] = np.arange(len(taken))
    of = none.of.copy()
    of[inside] = number[place]
    ground = np.where(of >= 0, np.array([one[0] for one in bounds])[of], 1.0)
    firsts = inside[first[taken]]
    return SharedGates(of, gate[firsts], firsts, bounds, ground)


def no_groups(n_channels: int) -> SharedGates:
    """All of it is proposed by the streams."""
    none, empty = np.full(n_channels, -1), np.zeros(0, np.int64)
    return SharedGates(none, np.zeros((0, 2), np.int64), empty, [], np.ones(n_channels))


def cut(
    base: System, groups: SharedGates, rate_base: Floats, rate_top: Floats, tops: list[Floats], layers: int, most: int
) -> Strips:
    """The strips of a world.

    rate_base, rate_top   most that each channel's background can be worth: in the baseline, in this world
    tops                  for each phase, most that it can be worth with gates of 1
    layers, most          layers that there are in any case, and at most
    """
    members = [np.flatnonzero((groups.of == g) & (rate_base > 0)) for g in range(groups.n)]
    group, address, low = [], [], []
    start, channel, mark_from, width = [0], [], [], []
    for g, c in enumerate(members):
        bounds, base_c = groups.bounds[g], rate_base[c]
        pieces = [(k, bounds[k], bounds[k + 1], c) for k in range(len(bounds) - 1)]
        for layer in range(1, most + 1):
            at = 2.0 ** (layer - 1)
            pieces.append((LAYER_ADDRESS + layer, at, 2.0 * at, c[(rate_top[c] > at * base_c) | (layer <= layers)]))
        for number, lower, upper, who in pieces:
            if len(who):
                group.append(g)
                address.append(int(groups.first[g]) * ADDRESSES + number)
                low.append(lower)
                start.append(start[-1] + len(who))
                channel.append(who)
                mark_from.append(lower * rate_base[who])
                width.append(upper * rate_base[who] - lower * rate_base[who])
    highest = [[float((top[c] / rate_base[c]).max()) for c in members] for top in tops]
    readers: list[list[int]] = [[] for _ in range(base.n_facts)]
    for g in range(groups.n):
        entries = [i for row in groups.gate[g] for i in range(base.row_start[row], base.row_start[row + 1])]
        for s in sorted({int(base.entry_fact[i]) for i in entries}):
            readers[s].append(g)
    return Strips(
        gate=groups.gate,
        group=np.array(group, np.int64),
        address=np.array(address, np.int64),
        low=np.array(low, np.float64),
        start=np.array(start, np.int64),
        channel=np.concatenate([np.zeros(0, np.int64), *channel]),
        mark_from=np.concatenate([np.zeros(0), *mark_from]),
        width=np.concatenate([np.zeros(0), *width]),
        most=np.array(highest, np.float64).reshape(len(tops), groups.n),
        fact_start=np.cumsum([0] + [len(one) for one in readers]),
        fact_group=np.array([g for one in readers for g in one], np.int64),
    )


def block_days(rates: Floats) -> Floats:
    """Days of each strip's block: a power of two, with `BLOCK` to twice as many candidates in it."""
    days: Floats = 2.0 ** np.frexp(BLOCK / rates)[1]
    return days


def _shares(base: System, reach: NDArray[np.bool_]) -> list[dict[int, list[float]]]:
    """For each gate row: fact -> its factor at each level that it can come to, as a share of the highest."""
    rows = []
    for row in range(len(base.row_start) - 1):
        found: dict[int, list[float]] = {}
        for i in range(base.row_start[row], base.row_start[row + 1]):
            s, offset = int(base.entry_fact[i]), int(base.entry_offset[i])
            first, end = int(base.level_start[s]), int(base.level_start[s + 1])
            factors = [float(base.level_factor[offset + k]) for k in range(end - first) if reach[first + k]]
            best = max(factors)
            share = [x / best if best > 0 else 1.0 for x in factors]
            found[s] = [x * y for x, y in zip(found[s], share, strict=True)] if s in found else share
        rows.append(found)
    return rows


def _lowest(row: dict[int, list[float]]) -> float:
    product = 1.0
    for share in row.values():
        product *= min(share)
    return product


def _joined(one: dict[int, list[float]], other: dict[int, list[float]]) -> dict[int, list[float]]:
    """The shares of two rows together; a fact that both look at once."""
    joined = dict(one)
    for s, share in other.items():
        joined[s] = [x * y for x, y in zip(joined[s], share, strict=True)] if s in joined else share
    return joined


def _bounds(shares: list[list[float]]) -> list[float]:
    """Where to cut, from the lowest bound (0 if a gate can be shut) up to 1."""
    values, shuts = [1.0], False
    for share in shares:
        shuts = shuts or min(share) == 0.0
        values = _thinned(sorted((v * x for v in values for x in share if x > 0.0), reverse=True))
    bounds = [1.0]
    for value in values:
        if value * ABOVE <= HALF * bounds[-1] and len(bounds) < MOST_BOUNDS:
            bounds.append(value * ABOVE)
    if shuts:
        bounds.append(0.0)
    return bounds[::-1]


def _thinned(values: list[float]) -> list[float]:
    """Of values in falling order those that differ from the one kept before."""
    kept = values[:1]
    for value in values:
        if value * ALIKE < kept[-1]:
            kept.append(value)
    return kept
