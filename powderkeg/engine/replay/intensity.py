"""Two worlds side by side, kept up to date event by event: what each channel's intensity is made of.

In: a `World`. Out: a `Ledger`, the model's numbers sorted by the channel that they make likelier, phase by phase, and
the small functions that read it. Simulation needs no intensities; whoever asks what an observed act was worth does.

A slot is what one mechanism under one gate row adds to one channel. What a slot holds is a sum over past events of
mass * share * decay * exp(-decay * age), one such sum for each component of the kernel, brought to now when it is read.
A kernel that changes from one phase to the next has components of both: an event's answers keep the delays they were
born with, as in the simulation.

The numbers lie in two blocks, and where each thing begins stands at the head of the first (`ints[ROW_START]` and so
on): named tuples of arrays cost the loops ten times as long, and a minute of compilation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.compiled import inner
from powderkeg.engine.elementary import cosine_of_turns
from powderkeg.engine.worlds import Phase, World, known_paths
from powderkeg.units import YEAR

# What stands at the head of the whole numbers. First sizes: P phases, C channels, S facts, T timers, D calms,
# Q policies, A acts put in by hand, K components, H places in what a world holds, N turns of facts with a known path.
# Processes are what can happen:
# channels 0 to C - 1, then timers C to C + T - 1.
N_CHANNELS, N_FACTS, N_TIMERS, N_CALMS, N_POLICIES, N_ACTS, N_PHASES, N_COMPONENTS, N_HELD, MOST_LEVELS, N_TURNS = (
    range(11)
)
# Then where each thing begins. In the whole numbers:
WHOLE = (
    "level_start", "initial", "row_start", "entry_fact", "entry_offset", "channel_gate", "background_gate", "profile",
    "profile_start", "slot_start", "slot_gate", "slot_mechanism", "slot_first", "component_start", "edge_start",
    "edge_slot", "edge_target", "effect_start", "effect_fact", "effect_level", "timer_fact", "timer_level",
    "timer_channel", "calm_add_start", "calm_add_index", "calm_low_start", "calm_low_index", "reader_start", "reader",
    "calmed_start", "calmed", "set_start", "set_fact", "set_level", "renewed", "silenced", "act_channel",
    "policy_fact", "policy_channel", "policy_holds", "altered", "edge_altered", "turn_fact", "turn_level", "turn_world",
)  # fmt: skip
(
    LEVEL_START, INITIAL, ROW_START, ENTRY_FACT, ENTRY_OFFSET, CHANNEL_GATE, BACKGROUND_GATE, PROFILE,
    PROFILE_START, SLOT_START, SLOT_GATE, SLOT_MECHANISM, SLOT_FIRST, COMPONENT_START, EDGE_START,
    EDGE_SLOT, EDGE_TARGET, EFFECT_START, EFFECT_FACT, EFFECT_LEVEL, TIMER_FACT, TIMER_LEVEL,
    TIMER_CHANNEL, CALM_ADD_START, CALM_ADD_INDEX, CALM_LOW_START, CALM_LOW_INDEX, READER_START, READER,
    CALMED_START, CALMED, SET_START, SET_FACT, SET_LEVEL, RENEWED, SILENCED, ACT_CHANNEL,
    POLICY_FACT, POLICY_CHANNEL, POLICY_HOLDS, ALTERED, EDGE_ALTERED, TURN_FACT, TURN_LEVEL, TURN_WORLD,
) = range(11, 56)  # fmt: skip
# In the real numbers, once:
ONCE = ("phase_time", "component_decay", "act_time", "policy_days", "policy_from", "policy_until", "turn_time")
PHASE_TIME, COMPONENT_DECAY, ACT_TIME, POLICY_DAYS, POLICY_FROM, POLICY_UNTIL, TURN_TIME = range(56, 63)
# In the real numbers, phase by phase; `X + 1` stands for how long one phase's are:
BY_PHASE = (
    "factor", "rate", "mass", "step_time", "step_value", "swing", "peak", "share", "probability", "timer_rate",
    "calm_decay", "calm_amount", "calm_strength",
)  # fmt: skip
(
    FACTOR, RATE, MASS, STEP_TIME, STEP_VALUE, SWING, PEAK, SHARE, PROBABILITY, TIMER_RATE,
    CALM_DECAY, CALM_AMOUNT, CALM_STRENGTH,
) = range(63, 89, 2)  # fmt: skip
HEAD = 89
N_HEAD = 11
IN_FACTUAL, IN_OTHER = 1, 2
"""Worlds in which a fact with a known path turns."""


Part = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_]


class Ledger(NamedTuple):
    """A world by target channel; phase 0 is the base.

    parts  every array by name, for whoever builds on it:
           slot_...        slots by target (C + 1,); slot_first: where the slot's components begin in what a world holds
           reader          processes whose intensity reads a fact; calmed: channels that a calm lowers
           share           (P, K) share of a component in its mechanism's kernel, 0 where it is of another phase
           renewed         (P, slots) masses into the slot are not those of the phase before
           silenced        (P, C) nothing can make the channel act, though in the base something can
           altered         (P, C + T) what the process is read by (rate, gates, profile, calms) is not as in the base
           edge_altered    (P, E) the edge's mass or its mechanism's kernel is not as in the base
           turn_...        (N,) when a fact with a known path comes to which level in which worlds, in time order; what
                           the other world's path is as a phase begins is among that phase's set_...
    """

    ints: Ints
    floats: Floats
    parts: dict[str, Part]

    def size(self, what: int) -> int:
        """One of the sizes at the head."""
        return int(self.ints[what])


def ledger(world: World, begin: float) -> Ledger:
    """The ledger of a world whose phases, acts and policies count from `begin` on. Its phases are those that change
    numbers: facts with a known path turn by themselves in both worlds, so the world is made with `follow` False.

    Raises ValueError for timers that fire after a fixed delay, or that leave their fact where it stands.
    """
    base = world.base
    if base.timer_is_fixed.any():
        raise ValueError("facts that last a fixed time cannot be replayed")
    C, S = base.n_channels, base.n_facts
    later = world.phases[1:]
    systems: list[System] = [base, *(phase.system for phase in later)]
    # slots: target, mechanism, gate row
    columns = np.stack([base.edge_target, base.edge_mechanism, base.edge_gate], axis=1).reshape(-1, 3)
    slots, edge_slot = np.unique(columns, axis=0, return_inverse=True)
    edge_slot = edge_slot.reshape(-1).astype(np.int64)
    # components: those of every phase whose kernel is not that of the phase before
    decay: list[float] = []
    component_start = [0]
    where: list[list[tuple[int, int]]] = [[] for _ in systems]
    for m in range(base.n_mechanisms):
        first, last = int(base.kernel_start[m]), int(base.kernel_start[m + 1])
        known: dict[bytes, int] = {}
        for p, system in enumerate(systems):
            kernel = system.kernel_share[first:last].tobytes() + system.kernel_decay[first:last].tobytes()
            if kernel not in known:
                known[kernel] = len(decay)
                decay += system.kernel_decay[first:last].tolist()
            where[p].append((known[kernel], first))
        component_start.append(len(decay))
    share = np.zeros((len(systems), len(decay)))
    for p, system in enumerate(systems):
        for m, (place, first) in enumerate(where[p]):
            n = int(base.kernel_start[m + 1]) - first
            share[p, place : place + n] = system.kernel_share[first : first + n]
    widths = np.diff(component_start)
    slot_first = np.concatenate([[0], np.cumsum(widths[slots[:, 1]])]) if len(slots) else np.zeros(1)
    fact_of = np.repeat(np.arange(S), np.diff(base.level_start))
    cell = np.repeat(np.arange(len(fact_of)), np.diff(base.timer_start))
    for k, c in zip(cell.tolist(), base.timer_channel.tolist(), strict=True):
        own = range(int(base.effect_start[c]), int(base.effect_start[c + 1]))
        leaves = [i for i in own if base.effect_fact[i] == fact_of[k] and base.effect_probability[i] >= 1.0]
        if not any(base.level_start[fact_of[k]] + base.effect_level[i] != k for i in leaves):
            raise ValueError("facts that run out into the level they stand at cannot be replayed")
    # who reads what
    rows = [base.entry_fact[base.row_start[r] : base.row_start[r + 1]].tolist() for r in range(len(base.row_start) - 1)]
    readers: list[set[int]] = [set() for _ in range(S)]
    for c in range(C):
        for row in {int(base.channel_gate[c]), int(base.background_gate[c])}:
            for s in rows[row]:
                readers[s].add(c)
    for target, _, row in slots.tolist():
        for s in rows[row]:
            readers[s].add(target)
    for j, s in enumerate(fact_of[cell].tolist()):
        readers[s].add(C + j)
    lowered: list[list[int]] = [[] for _ in base.calm_decay]
    low_owner = np.repeat(np.arange(C), np.diff(base.calm_low_start))
    for c, d in zip(low_owner.tolist(), base.calm_low_index.tolist(), strict=True):
        lowered[d].append(c)
    masses = np.array([system.edge_mass for system in systems]).reshape(len(systems), -1)
    renewed = np.zeros((len(systems), len(slots)), np.bool_)
    silenced = np.zeros((len(systems), C), np.bool_)
    able = (base.rate > 0) | (np.bincount(base.edge_target, base.edge_mass, C) > 0)
    for p in range(1, len(systems)):
        renewed[p, edge_slot[masses[p] != masses[p - 1]]] = True
        silenced[p] = able & (systems[p].rate <= 0) & (np.bincount(base.edge_target, masses[p], C) <= 0)
    acts = sorted((act for act in world.acts if act.at >= begin), key=lambda act: act.at)
    turns, set_now = _known_turns(base, later, begin)
    levels = [(*phase.levels, *now) for phase, now in zip(later, set_now, strict=True)]
    most = int(np.diff(base.level_start).max(initial=1))
    holds = np.zeros((len(world.policies), most), np.bool_)
    for q, policy in enumerate(world.policies):
        holds[q, list(policy.levels)] = True
    pairs = [pair for one in levels for pair in one]

    def by_phase(name: str) -> Floats:
        return np.array([getattr(system, name) for system in systems], np.float64).reshape(len(systems), -1)

    kernels = np.array([[place != where[0][m] for m, place in enumerate(one)] for one in where], np.bool_)
    kernels = kernels.reshape(len(systems), base.n_mechanisms)
    timer_rate = 1.0 / by_phase("timer_delay")
    parts: dict[str, Part] = {
        "level_start": ints(base.level_start),
        "initial": ints(base.initial_level),
        "row_start": ints(base.row_start),
        "entry_fact": ints(base.entry_fact),
        "entry_offset": ints(base.entry_offset),
        "channel_gate": ints(base.channel_gate),
        "background_gate": ints(base.background_gate),
        "profile": ints(base.profile),
        "profile_start": ints(base.profile_start),
        "slot_start": ints(np.searchsorted(slots[:, 0], np.arange(C + 1))),
        "slot_gate": ints(slots[:, 2]),
        "slot_mechanism": ints(slots[:, 1]),
        "slot_first": ints(slot_first),
        "component_start": ints(component_start),
        "component_decay": np.array(decay, np.float64),
        "edge_start": ints(base.edge_start),
        "edge_slot": edge_slot,
        "edge_target": ints(base.edge_target),
        "effect_start": ints(base.effect_start),
        "effect_fact": ints(base.effect_fact),
        "effect_level": ints(base.effect_level),
        "timer_fact": ints(fact_of[cell]),
        "timer_level": ints(cell - base.level_start[fact_of[cell]]),
        "timer_channel": ints(base.timer_channel),
        "calm_add_start": ints(base.calm_add_start),
        "calm_add_index": ints(base.calm_add_index),
        "calm_low_start": ints(base.calm_low_start),
        "calm_low_index": ints(base.calm_low_index),
        "reader_start": _starts(readers),
        "reader": ints([c for one in readers for c in sorted(one)]),
        "calmed_start": _starts(lowered),
        "calmed": ints([c for one in lowered for c in one]),
        "phase_time": np.array([-np.inf, *(max(phase.at, begin) for phase in later)]),
        "set_start": ints([0, *np.cumsum([0, *(len(one) for one in levels)])]),
        "set_fact": ints([s for s, _ in pairs]),
        "set_level": ints([level for _, level in pairs]),
        "factor": by_phase("level_factor"),
        "rate": by_phase("rate"),
        "mass": masses,
        "step_time": by_phase("step_time"),
        "step_value": by_phase("step_value"),
        "swing": by_phase("profile_swing"),
        "peak": by_phase("profile_peak"),
        "share": share,
        "probability": by_phase("effect_probability"),
        "timer_rate": timer_rate,
        "calm_decay": by_phase("calm_decay"),
        "calm_amount": by_phase("calm_add_amount"),
        "calm_strength": by_phase("calm_low_strength"),
        "renewed": renewed,
        "silenced": silenced,
        "act_time": np.array([act.at for act in acts], np.float64),
        "act_channel": ints([act.channel for act in acts]),
        "policy_fact": ints([policy.fact for policy in world.policies]),
        "policy_channel": ints([policy.channel for policy in world.policies]),
        "policy_holds": holds,
        "policy_days": np.array([policy.days for policy in world.policies], np.float64),
        "policy_from": np.array([policy.start for policy in world.policies], np.float64),
        "altered": _altered(base, systems, slots, rows, timer_rate),
        "edge_altered": (masses != masses[0]) | kernels[:, base.edge_mechanism],
        "policy_until": np.array([policy.end for policy in world.policies], np.float64),
        "turn_time": np.array([turn[0] for turn in turns], np.float64),
        "turn_fact": ints([turn[1] for turn in turns]),
        "turn_level": ints([turn[2] for turn in turns]),
        "turn_world": ints([turn[3] for turn in turns]),
    }
    sizes = (
        C, S, len(base.timer_channel), len(base.calm_decay), len(world.policies), len(acts), len(systems), len(decay),
        int(slot_first[-1]), most, len(turns),
    )  # fmt: skip
    head = np.zeros(HEAD, np.int64)
    head[: len(sizes)] = sizes
    place = HEAD
    for i, name in enumerate(WHOLE):
        head[N_HEAD + i] = place
        place += np.size(parts[name])
    place = 0
    for i, name in enumerate(ONCE):
        head[N_HEAD + len(WHOLE) + i] = place
        place += np.size(parts[name])
    for i, name in enumerate(BY_PHASE):
        head[N_HEAD + len(WHOLE) + len(ONCE) + 2 * i] = place
        head[N_HEAD + len(WHOLE) + len(ONCE) + 2 * i + 1] = parts[name].shape[1]
        place += np.size(parts[name])
    whole = np.concatenate([head, *(np.asarray(parts[name], np.int64).ravel() for name in WHOLE)])
    real = np.concatenate([np.asarray(parts[name], np.float64).ravel() for name in (*ONCE, *BY_PHASE)])
    return Ledger(whole, real, parts)


def _known_turns(
    base: System, later: tuple[Phase, ...], begin: float
) -> tuple[list[tuple[float, int, int, int]], list[tuple[tuple[int, int], ...]]]:
    """(time, fact, level, worlds) of facts with a known path, in time order; and for each phase but the base what they
    come to in the other world as it begins."""
    phases = [Phase(-np.inf, base), *(phase._replace(at=max(phase.at, begin)) for phase in later)]
    paths = known_paths(phases)
    found: dict[tuple[float, int, int], int] = {}
    for at, fact, level in zip(base.turn_time.tolist(), base.turn_fact.tolist(), base.turn_level.tolist(), strict=True):
        found[at, fact, level] = IN_FACTUAL if at >= begin else IN_FACTUAL | IN_OTHER
    for turn in (turn for _, turns in paths for turn in turns if turn[0] >= begin):
        found[turn] = found.get(turn, 0) | IN_OTHER
    return sorted((*turn, worlds) for turn, worlds in found.items()), [levels for levels, _ in paths[1:]]


def _altered(
    base: System, systems: list[System], slots: Ints, rows: list[list[int]], timer_rate: Floats
) -> NDArray[np.bool_]:
    """(P, C + T) whether anything that a process is read by differs from the base."""
    C = base.n_channels
    altered = np.zeros((len(systems), C + len(base.timer_channel)), np.bool_)
    altered[:, C:] = timer_rate != timer_rate[0]
    low_owner = np.repeat(np.arange(C), np.diff(base.calm_low_start))
    add_owner = base.calm_add_index
    for p, system in enumerate(systems):
        of_channel = system.rate != base.rate
        changed = system.level_factor != base.level_factor
        row_changed = np.zeros(len(rows), np.bool_)
        if changed.any():
            for r in range(len(rows)):
                for i in range(int(base.row_start[r]), int(base.row_start[r + 1])):
                    s, first = base.entry_fact[i], base.entry_offset[i]
                    row_changed[r] |= changed[first : first + base.level_start[s + 1] - base.level_start[s]].any()
        of_channel |= row_changed[base.channel_gate] | row_changed[base.background_gate]
        np.logical_or.at(of_channel, slots[:, 0], row_changed[slots[:, 2]])
        for k in range(len(base.profile_start) - 1):
            own = slice(int(base.profile_start[k]), int(base.profile_start[k + 1]))
            is_same = all(
                np.array_equal(getattr(system, name)[own], getattr(base, name)[own])
                for name in ("step_time", "step_value")
            )
            is_same &= system.profile_swing[k] == base.profile_swing[k]
            is_same &= system.profile_peak[k] == base.profile_peak[k]
            of_channel |= (base.profile == k) & (not is_same)
        calm = system.calm_decay != base.calm_decay
        np.logical_or.at(calm, add_owner, system.calm_add_amount != base.calm_add_amount)
        lowers = (system.calm_low_strength != base.calm_low_strength) | calm[base.calm_low_index]
        np.logical_or.at(of_channel, low_owner, lowers)
        altered[p, :C] = of_channel
    return altered


def ints(x: object) -> Ints:
    """A copy as whole numbers."""
    return np.array(x, np.int64, copy=True)


def _starts(lists: list[set[int]] | list[list[int]]) -> Ints:
    return ints(np.concatenate([[0], np.cumsum([len(one) for one in lists])]))


@inner
def gate(ints: Ints, floats: Floats, row: int, phase: int, w: Ints, level: int) -> float:
    """Product of a gate row at the levels w[level:]."""
    product = 1.0
    factor = ints[FACTOR] + phase * ints[FACTOR + 1]
    for i in range(ints[ints[ROW_START] + row], ints[ints[ROW_START] + row + 1]):
        product *= floats[factor + ints[ints[ENTRY_OFFSET] + i] + w[level + ints[ints[ENTRY_FACT] + i]]]
    return product


@inner
def shape(ints: Ints, floats: Floats, p: int, phase: int, time: float) -> float:
    """Background profile p at `time`: the last step at or before it, times the season."""
    i = ints[ints[PROFILE_START] + p]
    last = ints[ints[PROFILE_START] + p + 1] - 1
    step = ints[STEP_TIME] + phase * ints[STEP_TIME + 1]
    while i < last and floats[step + i + 1] <= time:
        i += 1
    value: float = floats[ints[STEP_VALUE] + phase * ints[STEP_VALUE + 1] + i]
    swing = floats[ints[SWING] + phase * ints[SWING + 1] + p]
    if swing != 0.0:
        peak = floats[ints[PEAK] + phase * ints[PEAK + 1] + p]
        value *= 1.0 + swing * cosine_of_turns((time - peak) / YEAR)
    return value


@inner
def bring(ints: Ints, floats: Floats, c: int, x: Floats, held: int, since: int, time: float) -> None:
    """Let what channel c holds, x[held:], fade to `time`; x[since + c] says to when it was brought last."""
    gone = time - x[since + c]
    if gone > 0.0:
        for k in range(ints[ints[SLOT_START] + c], ints[ints[SLOT_START] + c + 1]):
            j0 = ints[ints[SLOT_FIRST] + k]
            decay = ints[COMPONENT_DECAY] + ints[ints[COMPONENT_START] + ints[ints[SLOT_MECHANISM] + k]] - j0
            for j in range(j0, ints[ints[SLOT_FIRST] + k + 1]):
                if x[held + j] != 0.0:
                    x[held + j] *= math.exp(-floats[decay + j] * gone)
        x[since + c] = time


@inner
def lowering(ints: Ints, floats: Floats, c: int, phase: int, x: Floats, calm: int) -> float:
    """Exponent by which calms, brought to now, lower channel c."""
    total = 0.0
    strength = ints[CALM_STRENGTH] + phase * ints[CALM_STRENGTH + 1]
    for i in range(ints[ints[CALM_LOW_START] + c], ints[ints[CALM_LOW_START] + c + 1]):
        total += floats[strength + i] * x[calm + ints[ints[CALM_LOW_INDEX] + i]]
    return total


@inner
def background(ints: Ints, floats: Floats, c: int, phase: int, w: Ints, level: int, time: float) -> float:
    """Background of a channel under its own gate, before the channel's."""
    rate: float = floats[ints[RATE] + phase * ints[RATE + 1] + c]
    if rate > 0.0:
        rate *= gate(ints, floats, ints[ints[BACKGROUND_GATE] + c], phase, w, level)
        p = ints[ints[PROFILE] + c]
        if p >= 0:
            rate *= shape(ints, floats, p, phase, time)
    return rate


@inner
def intensity(
    ints: Ints, floats: Floats, q: int, phase: int, w: Ints, level: int, x: Floats, held: int, calm: int, time: float,
) -> float:  # fmt: skip
    """Intensity of a process, 1/day; what it holds and its calms brought to `time`."""
    if q >= ints[N_CHANNELS]:
        j = q - ints[N_CHANNELS]
        if w[level + ints[ints[TIMER_FACT] + j]] == ints[ints[TIMER_LEVEL] + j]:
            rate: float = floats[ints[TIMER_RATE] + phase * ints[TIMER_RATE + 1] + j]
            return rate
        return 0.0
    whole: float = gate(ints, floats, ints[ints[CHANNEL_GATE] + q], phase, w, level)
    if whole == 0.0:
        return 0.0
    total = background(ints, floats, q, phase, w, level, time)
    for k in range(ints[ints[SLOT_START] + q], ints[ints[SLOT_START] + q + 1]):
        inside = 0.0
        for j in range(ints[ints[SLOT_FIRST] + k], ints[ints[SLOT_FIRST] + k + 1]):
            inside += x[held + j]
        if inside > 0.0:
            total += inside * gate(ints, floats, ints[ints[SLOT_GATE] + k], phase, w, level)
    if ints[ints[CALM_LOW_START] + q] < ints[ints[CALM_LOW_START] + q + 1]:
        whole *= math.exp(-lowering(ints, floats, q, phase, x, calm))
    whole *= total
    return whole


@inner
def excite(ints: Ints, floats: Floats, e: int, phase: int, x: Floats, held: int) -> None:
    """Add an event's excitation along edge e, in the numbers of `phase`; the target brought to now."""
    k = ints[ints[EDGE_SLOT] + e]
    mass = floats[ints[MASS] + phase * ints[MASS + 1] + e]
    if mass > 0.0:
        j0 = ints[ints[SLOT_FIRST] + k]
        first = ints[ints[COMPONENT_START] + ints[ints[SLOT_MECHANISM] + k]] - j0
        share = ints[SHARE] + phase * ints[SHARE + 1] + first
        for j in range(j0, ints[ints[SLOT_FIRST] + k + 1]):
            x[held + j] += mass * floats[share + j] * floats[ints[COMPONENT_DECAY] + first + j]
