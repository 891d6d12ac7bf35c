"""The links of a model as the forecast's loops read them.

In: a `System`. Out: `Slots`: slots into which answers fall, gates day by day along a past.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.fixed_timers import expiries
from powderkeg.engine.forecast.days import excited_days


class Slots(NamedTuple):
    """edge_slot (E,) first slot of an edge; slot_target, slot_component, slot_gate (slots,)."""

    edge_slot: Ints
    slot_target: Ints
    slot_component: Ints
    slot_gate: Ints


def links_of(system: System) -> Slots:
    """Answers to one channel by one mechanism through one gate share their slots, one for each part of the kernel."""
    E = system.n_edges
    if not E:
        none = np.zeros(0, np.int64)
        return Slots(none, none, none, none)
    key = np.stack([system.edge_target, system.edge_mechanism, system.edge_gate], axis=1)
    kinds, of_edge = np.unique(key, axis=0, return_inverse=True)
    width = np.diff(system.kernel_start)[kinds[:, 1]]
    first = np.concatenate([[0], np.cumsum(width)])
    part = np.arange(first[-1]) - np.repeat(first[:-1], width)
    return Slots(
        edge_slot=first[:-1][of_edge.ravel()].astype(np.int64),
        slot_target=np.repeat(kinds[:, 0], width).astype(np.int64),
        slot_component=(np.repeat(system.kernel_start[kinds[:, 1]], width) + part).astype(np.int64),
        slot_gate=np.repeat(kinds[:, 2], width).astype(np.int64),
    )


class SetOff(NamedTuple):
    """What an act of channel c sets off: rows start[c] to start[c + 1]. An act comes at an even hour of its day.

    slot, target  (P,) where the answers go
    later, now    (P,) answers on later days, and on the same day
    """

    start: Ints
    slot: Ints
    target: Ints
    later: Floats
    now: Floats


def pairs_of(system: System, links: Slots) -> SetOff:
    """One row for each edge that sets off anything and each part of its kernel."""
    width = np.diff(system.kernel_start)[system.edge_mechanism] if system.n_edges else np.zeros(0, np.int64)
    width = np.where(system.edge_mass != 0.0, width, 0)
    edge = np.repeat(np.arange(system.n_edges), width)
    part = np.arange(len(edge)) - np.repeat(np.cumsum(width) - width, width)
    component = system.kernel_start[system.edge_mechanism[edge]] + part
    decay = system.kernel_decay[component]
    mass = system.edge_mass[edge] * system.kernel_share[component]
    later = -np.expm1(-decay) / decay
    source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))[edge]
    start = np.searchsorted(source, np.arange(system.n_channels + 1)).astype(np.int64)
    slot = (links.edge_slot[edge] + part).astype(np.int64)
    return SetOff(start, slot, system.edge_target[edge].astype(np.int64), mass * later, mass * (1.0 - later))


def gates_at(system: System, levels: Ints) -> Floats:
    """(n, R) products of all gate rows at each of n states (n, S)."""
    n, R = len(levels), len(system.row_start) - 1
    value = np.ones((n, R))
    row = np.repeat(np.arange(R), np.diff(system.row_start))
    for i, r in enumerate(row):
        value[:, r] *= system.level_factor[system.entry_offset[i] + levels[:, system.entry_fact[i]]]
    return value


def levels_along(system: System, time: Floats, channel: Ints, n_days: int) -> Ints:
    """(1 or n_days, S) levels of the facts at the start of each day, as the acts set them.

    An effect that may or may not come is taken to come where that is likelier than not. Facts that run out unseen stay:
    where there are such, the past must hold what they did (see `imputed`).
    """
    level = np.array(system.initial_level, np.int64)
    moved = np.diff(system.effect_start)[channel] > 0 if len(channel) else np.zeros(0, bool)
    ends, fact, to = expiries(system, time, channel, False, float(n_days))
    known = system.turn_time < n_days
    ends = np.concatenate([system.turn_time[known], ends])
    fact, to = np.append(system.turn_fact[known], fact), np.append(system.turn_level[known], to)
    if not moved.any() and not len(ends):
        return level[None]
    day = np.minimum(np.floor(time[moved]).astype(np.int64), n_days - 1)
    along = np.empty((n_days, len(level)), np.int64)
    at = 0
    turns = [
        (d, t, c, 0, 0) for d, t, c in zip(day.tolist(), time[moved].tolist(), channel[moved].tolist(), strict=True)
    ]
    turns += [
        (max(math.ceil(t) - 1, -1), t, -1, s, z)
        for t, s, z in zip(ends.tolist(), fact.tolist(), to.tolist(), strict=True)
    ]
    for d, _, c, s, z in sorted(turns, key=lambda turn: turn[:2]):
        if d + 1 > at:
            along[at : d + 1] = level
            at = d + 1
        if c < 0:
            level[s] = z
            continue
        for k in range(system.effect_start[c], system.effect_start[c + 1]):
            if system.effect_probability[k] >= 0.5:
                level[system.effect_fact[k]] = system.effect_level[k]
    along[at:] = level
    return along


def expected_answers(
    system: System, links: Slots, time: Floats, channel: Ints, n_days: int, gates: Floats
) -> tuple[Floats, Floats]:
    """((D, C) acts expected by day as answers to earlier ones, (slots,) answers still to come at the end, ungated)."""
    held = np.zeros(len(links.slot_target))
    expected = np.zeros((n_days, system.n_channels))
    order = np.argsort(time, kind="stable")
    excited_days(
        np.ascontiguousarray(time[order]), np.ascontiguousarray(channel[order]), n_days, system.edge_start,
        system.edge_target, system.edge_mechanism, system.edge_mass, links.edge_slot, system.kernel_start,
        system.kernel_share, system.kernel_decay, links.slot_target, links.slot_component, links.slot_gate,
        system.channel_gate, gates, held, expected,
    )  # fmt: skip
    return expected, held
