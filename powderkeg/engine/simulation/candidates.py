"""What is proposed to happen, so that two worlds share every draw where they agree.

In: a world's baseline and what its phases may make of it. Out: for every channel (and the background) the candidates
that an event offers, as alias tables in streams.

Candidates are always proposed from the baseline. An edge (or a channel's background) has in the baseline a ceiling b,
its mean offspring with every factor at its highest; a candidate gets a mark, uniform in [0, b), and is accepted if the
mark lies below what the edge is worth at that moment in that world. Where a world may be worth more than b, further
streams propose on top: layer l covers the marks [2^(l-1) b, 2^l b), and a last one, NEW, whatever lies above (or
everything, where b is 0). Each stream has keys of its own; the baseline never sees them. Of the background, what only
some states of the facts can make happen is not in a stream but in `strips`, which are looked at in such a state only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.compiled import loop
from powderkeg.engine.draws import parts_of
from powderkeg.engine.simulation import strips
from powderkeg.engine.simulation.alias import alias_rows
from powderkeg.engine.worlds import Past, Phase

LAYERS = 8
"""Layers double: eight reach 256 times the baseline's ceiling. NEW takes what lies above."""
NEW = 32
"""Number of the stream that has no share in the baseline."""
FORGOTTEN = 1e-12
"""Past events with less than this to be expected of them bear nothing."""


class Entries(NamedTuple):
    """What is proposed, stream by stream: see `TableLayout`; backgrounds of streams, then of strips."""

    stream: list[int]
    strips: strips.Strips
    background_rate: Floats
    background_start: Ints
    background: Ints
    background_f: Floats
    start: Ints
    branch: Floats
    entry: NDArray[np.int32]
    entry_f: Floats


def propose(base: System, phases: list[Phase], initial: Ints, layers: int, sleep: bool = True) -> Entries:
    """What a world over `base` proposes: from `initial` on, through `phases`, in at least `layers` layers.

    sleep  False: all backgrounds are proposed by the streams, whatever the facts
    """
    C, systems = base.n_channels, [phase.system for phase in phases]
    # Ceilings: the baseline's decide what is proposed, the world's how far the layers must reach.
    reach = _reachable(base, [base], ())
    edge_base, rate_base = _ceilings(base, reach)
    groups = strips.grouped(base, reach, rate_base) if sleep else strips.no_groups(C)
    reach |= _reachable(base, systems, [*enumerate(initial), *(pair for phase in phases for pair in phase.levels)])
    tops = [_ceilings(system, reach) for system in systems]
    edge_top = np.maximum.reduce([edge for edge, _ in tops])
    rate_top = np.maximum.reduce([rate for _, rate in tops])

    # Certain: nothing can lower it, in any phase; such candidates are taken without looking.
    row_empty = np.diff(base.row_start) == 0
    free_channel = row_empty[base.channel_gate] & (np.diff(base.calm_low_start) == 0)
    free_rate = free_channel & row_empty[base.background_gate] & (base.profile < 0)
    free_rate &= np.all([system.rate >= rate_base for system in systems], axis=0)
    free_edge = free_channel[base.edge_target] & row_empty[base.edge_gate]
    free_edge &= np.all([system.edge_mass >= edge_base for system in systems], axis=0)

    source = np.repeat(np.arange(C), np.diff(base.edge_start))
    streams = _streams(edge_base, edge_top, rate_base, rate_top, layers)
    background: list[NDArray[Any]] = []
    background_f: list[Floats] = []
    entry: list[NDArray[np.int32]] = []
    entry_f: list[Floats] = []
    n_background, n_entry = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    for stream in streams:
        first = stream.number == 0
        share = groups.ground if first else 1.0 * ((groups.of < 0) | (stream.number == NEW))
        width = stream.rate_width * share
        c, e = np.flatnonzero(width > 0), np.flatnonzero(stream.edge_width > 0)
        background.append(np.stack([c, c, free_rate[c] & first], axis=1))
        background_f.append(np.stack([c, stream.rate_from[c], width[c]], axis=1, dtype=np.float64))
        n_background.append(np.array([len(c)]))
        certain = free_edge[e] & first
        columns = (e, base.edge_target[e], base.edge_mechanism[e], base.edge_gate[e], e, certain, 0 * e - 1)
        entry.append(np.stack(columns, axis=1, dtype=np.int32, casting="unsafe"))
        entry_f.append(np.stack([e, stream.edge_from[e], stream.edge_width[e]], axis=1, dtype=np.float64))
        n_entry.append(np.bincount(source[e], minlength=C))
    seldom = strips.cut(base, groups, rate_base, rate_top, [s.rate * _shape_tops(s) for s in systems], layers, LAYERS)
    background.append(np.stack([seldom.channel, seldom.channel, 0 * seldom.channel], axis=1))
    background_f.append(np.stack([seldom.channel, seldom.mark_from, seldom.width], axis=1, dtype=np.float64))
    n_background += np.diff(seldom.start)[:, None].tolist()
    result = Entries(
        stream=[stream.number for stream in streams],
        strips=seldom,
        background_rate=np.zeros(len(streams)),
        background_start=np.cumsum(np.concatenate(n_background)),
        background=np.concatenate(background),
        background_f=np.concatenate(background_f),
        start=np.cumsum(np.concatenate(n_entry)),
        branch=np.zeros((0, 3)),
        entry=np.concatenate(entry),
        entry_f=np.concatenate(entry_f),
    )
    keep, result.background[:, 1], rates = _alias(result.background_start, result.background_f[:, 2])
    result.background_f[:, 0] = keep
    keep, result.entry[:, 4], means = _alias(result.start, result.entry_f[:, 2])
    result.entry_f[:, 0] = keep
    return result._replace(background_rate=rates, branch=np.stack(parts_of(means), axis=1))


def with_past(entries: Entries, base: System, system: System, past: Past) -> Entries:
    """Add a row for each stream and past event: the candidates it may still have in store when the window begins."""
    entry, entry_f = [entries.entry], [entries.entry_f]
    age = past.begin - past.time
    weight: list[Floats] = []
    counts: list[Ints] = []
    parts = np.diff(base.kernel_start)
    for s in range(len(entries.stream)):
        row = s * base.n_channels + past.channel
        n_row = entries.start[row + 1] - entries.start[row]
        x = _runs(entries.start[row], n_row)
        h = np.repeat(np.arange(len(row)), n_row)
        n_parts = parts[entries.entry[x, 2]]
        j = _runs(base.kernel_start[entries.entry[x, 2]], n_parts)
        x, h = np.repeat(x, n_parts), np.repeat(h, n_parts)
        left = _left(base, system, j, age[h], entries.entry_f[x, 2])
        kept = left > FORGOTTEN
        x, j, h = x[kept], j[kept], h[kept]
        more = entries.entry[x].copy()
        more[:, 6] = j
        entry.append(more)
        entry_f.append(entries.entry_f[x])
        weight.append(left[kept])
        counts.append(np.bincount(h, minlength=len(row)))
    start, weights = np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts])), np.concatenate(weight)
    keep, other, means = _alias(start, weights)
    old = len(entries.entry)
    all_entries, all_numbers = np.concatenate(entry), np.concatenate(entry_f)
    all_entries[old:, 4] = other + old
    all_numbers[old:, 0] = keep
    return entries._replace(
        start=np.concatenate([entries.start, start[1:] + old]),
        branch=np.concatenate([entries.branch, np.stack(parts_of(means), axis=1)]),
        entry=all_entries,
        entry_f=all_numbers,
    )


def _left(base: System, system: System, component: Ints, age: Floats, mass: Floats) -> Floats:
    """Answers of an act that are still to come `age` days after it, of `mass` in all, by kernel component.

    Where answers build up: by the first those whose first wait is over, by the second those who still have both.
    """
    stays = np.exp(-system.kernel_decay[component] * age)
    left = mass * system.kernel_share[component] * stays
    first = base.kernel_start[:-1][system.builds_up]
    second, tail = np.isin(component, first + 1), np.isin(component, first)
    both = mass * np.exp(-system.kernel_decay[np.where(tail, component + 1, component)] * age)
    left[second] = both[second]
    left[tail] -= system.kernel_share[component[tail]] * both[tail]
    return np.asarray(np.maximum(left, 0.0))


def _runs(start: Ints, length: Ints) -> Ints:
    """The numbers from each start on, as many as each length, one run after the other."""
    offset = np.cumsum(length) - length
    number: Ints = np.arange(int(length.sum())) + np.repeat(start - offset, length)
    return number


def _reachable(base: System, systems: list[System], pairs: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """By cell: can the fact ever come to this level? A superset: every effect counts, whether its channel can fire."""
    reach = np.zeros(int(base.level_start[-1]), np.bool_)
    for system in systems:
        reach[base.level_start[:-1] + system.initial_level] = True
        live = system.effect_probability > 0
        reach[base.level_start[system.effect_fact[live]] + system.effect_level[live]] = True
    for fact, level in pairs:
        reach[base.level_start[fact] + level] = True
    return reach


@loop
def _row_ceilings(row_start, row_fact, row_offset, factor, level_start, reach, top):  # type: ignore[no-untyped-def]
    # The same products in the same order as in the loop, so that a gate at its highest gives exactly the ceiling.
    for row in range(len(top)):
        product = 1.0
        for i in range(row_start[row], row_start[row + 1]):
            s = row_fact[i]
            best = 0.0
            for level in range(level_start[s + 1] - level_start[s]):
                if reach[level_start[s] + level]:
                    best = max(best, factor[row_offset[i] + level])
            product *= best
        top[row] = product


def _ceilings(system: System, reach: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Most that each edge and each channel's background can be worth, over the reachable levels and all of time."""
    row = np.empty(len(system.row_start) - 1)
    _row_ceilings(
        ints(system.row_start), ints(system.entry_fact), ints(system.entry_offset), floats(system.level_factor),
        ints(system.level_start), reach, row,
    )  # fmt: skip
    edge = system.edge_mass * row[system.edge_gate] * row[system.channel_gate[system.edge_target]]
    rate = system.rate * _shape_tops(system) * row[system.background_gate] * row[system.channel_gate]
    return edge, rate


def _shape_tops(system: System) -> Floats:
    """Most that each channel's background profile comes to."""
    shape = np.ones(system.n_channels)
    if len(system.profile_start) > 1:
        highest = np.array(
            [system.step_value[a:b].max() for a, b in zip(system.profile_start, system.profile_start[1:], strict=False)]
        )
        varies = system.profile >= 0
        shape[varies] = (highest * (1.0 + system.profile_swing))[system.profile[varies]]
    return shape


class _Stream(NamedTuple):
    number: int
    edge_from: Floats
    edge_width: Floats
    rate_from: Floats
    rate_width: Floats


def _streams(edge_base: Floats, edge_top: Floats, rate_base: Floats, rate_top: Floats, layers: int) -> list[_Stream]:
    """The baseline's stream, and those above it that hold anything."""
    none_e, none_r = np.zeros_like(edge_base), np.zeros_like(rate_base)
    streams = [_Stream(0, none_e, edge_base, none_r, rate_base)]
    for layer in range(1, LAYERS + 1):
        low = 2.0 ** (layer - 1)
        edge = np.where((edge_top > low * edge_base) | (layer <= layers), low * edge_base, 0.0)
        rate = np.where((rate_top > low * rate_base) | (layer <= layers), low * rate_base, 0.0)
        streams.append(_Stream(layer, edge, edge, rate, rate))
    most = 2.0**LAYERS
    pieces = []
    for base, top in ((edge_base, edge_top), (rate_base, rate_top)):
        rest = top - most * base
        over = rest > 0
        width = np.zeros_like(base)
        # A power of two, so that worlds which differ only in how large the new thing is share its draws.
        width[over] = 2.0 ** np.ceil(np.log2(rest[over]))
        pieces += [most * base, width]
    streams.append(_Stream(NEW, *pieces))
    return [s for s in streams if s.number == 0 or s.edge_width.any() or s.rate_width.any()]


def _alias(start: Ints, weight: Floats) -> tuple[Floats, Ints, Floats]:
    """Shares kept, who takes the rest, and the sum of each row."""
    keep, other, sums = np.empty(len(weight)), np.empty(len(weight), np.int64), np.empty(len(start) - 1)
    alias_rows(start, floats(weight), keep, other, sums)
    return keep, other, sums


def ints(x: Any) -> Ints:
    """A copy, as the loops want it: whatever it was, they are compiled for one kind only."""
    return np.array(x, np.int64, copy=True)


def floats(x: Any) -> Floats:
    """A copy, as the loops want it."""
    return np.array(x, np.float64, copy=True)
