"""A world as the simulation loop reads it: three blocks of numbers, and where in them each thing begins.

In: a `World`, perhaps a `Past`, the day on which the window begins. Out: `Tables`.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.simulation.candidates import floats, ints, propose, with_past
from powderkeg.engine.simulation.strips import block_days
from powderkeg.engine.worlds import Past, Phase, StandingPolicy, World


class TableLayout(NamedTuple):
    """Where each thing begins in the blocks of `Tables`, and how many there are. P phases, L streams, C channels.

    In `ints`, rows of a CSR table hold `start`s; in `floats`, numbers that change from phase to phase come P times,
    each `n_...` long. Widths of rows are given where they are not 1.
    """

    n_channels: int
    n_facts: int
    n_phases: int
    n_streams: int
    n_timers: int
    n_policies: int
    n_calms: int
    n_acts: int
    n_past: int
    n_entries: int
    n_changes: int  # most facts that one event can change
    n_strips: int
    n_groups: int
    # ints
    fact: int  # (S + 1, 3) first level, first cell, first policy
    row_start: int  # (R + 1,)
    gate: int  # (., 2) fact, place in factor
    channel: int  # (C + 1, 7) background gate, channel gate, profile, flags, first effect, first calm added, lowering
    profile_start: int
    stream: int  # (L + 1, 2) number, first background entry
    branch_start: int  # (L * C + L * past + 1,) entries that stream l offers channel c are those of row l * C + c
    background: int  # (., 3) channel, other, certain
    strip: int  # (N + 1, 3) group, address, first background entry
    group: int  # (G + 1, 3) background gate, channel gate, first strip
    fact_group_start: int  # (S + 1,) groups that look at each fact
    fact_group: int
    kernel_start: int
    effect: int  # (., 2) fact, level
    timer_start: int  # (cells + 1,)
    timer: int  # (., 3) fact, channel, is fixed
    policy: int  # (., 4) first cell in policy_holds, channel, address, fact
    policy_holds: int
    calm_add: int
    calm_low: int
    phase: int  # (P + 1, 2) address, first set
    phase_set: int  # (., 2) fact, level
    act: int  # (., 2) channel, address
    past: int  # (., 2) channel, address
    # floats, the same in all phases
    background_rate: int  # (L,)
    background_f: int  # (., 3) keep, mark from, width
    strip_f: int  # (N, 3) share of the ceiling above which it lies, candidates a day, days of a block
    branch: int  # (rows, 3) mean of a part, parts, exp(-mean of a part)
    entry_f: int  # (., 2) mark from, width
    policy_f: int  # (., 3) days, start, end
    phase_time: int
    act_time: int
    past_time: int
    # floats by phase, and the length of one phase's
    factor: int
    n_factor: int
    rate: int
    mass: int
    n_mass: int
    step: int  # (., 2) time, value
    n_step: int
    season: int  # (., 2) swing, peak
    n_season: int
    kernel: int  # (., 2) cumulative share, mean in days
    n_kernel: int
    effect_probability: int
    n_effect: int
    timer_mean: int
    calm_decay: int
    calm_amount: int
    n_calm_amount: int
    calm_strength: int
    n_calm_strength: int
    most: int  # (G,) what a group's channels are worth at most with gates of 1, as a share of the ceiling


class Tables(NamedTuple):
    """All that the simulation loop reads, in three blocks: every array handed to it costs seconds of compilation."""

    at: TableLayout
    ints: Ints
    floats: Floats
    # Eight words each, one line of the cache: edge, target, mechanism, gate, other, certain, kernel component or -1,
    # and the share kept of the alias cell, a float. The same memory twice, read as whole numbers and as floats.
    entry: Ints
    keep: Floats

    def digest(self) -> str:
        """SHA-256 of all of it: what differs in any number differs here."""
        sha = hashlib.sha256(repr(tuple(self.at)).encode())
        for block in (self.ints, self.floats, self.entry):
            sha.update(block.data)
        return sha.hexdigest()


HAS_EFFECTS, ADDS_CALM, IS_CALMED = 1, 2, 4


def tables(world: World, past: Past | None = None, begin: float = 0.0, sleep: bool = True) -> Tables:
    """The tables of a world for a window that begins at `begin` (`past.begin`, if there is a past).

    sleep  False: without strips, for a loop that does not know them
    """
    if past is not None:
        begin = past.begin
        if np.any(np.diff(past.time) < 0) or np.any(past.time >= begin):
            raise ValueError("past events must be in time order, and before the window begins")
    base = world.base
    initial = ints(base.initial_level)
    if past is None:  # what was set before the window is how it starts
        early = [phase for phase in world.phases if phase.at <= begin]
        for phase in early:
            for fact, level in phase.levels:
                initial[fact] = level
        phases = [Phase(begin, early[-1].system), *(phase for phase in world.phases if phase.at > begin)]
    else:
        phases = [Phase(min(past.time[0], begin) if len(past.time) else begin, base)]
        phases += [Phase(max(phase.at, begin), phase.system, phase.levels) for phase in world.phases[1:]]
    systems = [phase.system for phase in phases]

    entries = propose(base, phases, initial, world.layers, sleep)
    if past is not None:
        entries = with_past(entries, base, [p.system for p in phases if p.at <= begin][-1], past)
    calmed = np.diff(base.calm_low_start) > 0
    effects, adds = np.diff(base.effect_start) > 0, np.diff(base.calm_add_start) > 0
    flags = HAS_EFFECTS * effects + ADDS_CALM * adds + IS_CALMED * calmed
    channel = np.zeros((base.n_channels + 1, 7), np.int64)
    channel[:-1, :4] = np.stack([base.background_gate, base.channel_gate, base.profile, flags], axis=1)
    channel[:, 4:] = np.stack([base.effect_start, base.calm_add_start, base.calm_low_start], axis=1)
    cells = np.repeat(np.arange(base.n_facts), np.diff(base.level_start))
    policies = sorted(world.policies, key=lambda policy: policy.fact)
    facts = np.zeros((base.n_facts + 1, 3), np.int64)
    facts[:-1, 0] = initial
    facts[:, 1] = base.level_start
    facts[:, 2] = np.searchsorted([policy.fact for policy in policies], np.arange(base.n_facts + 1))
    holds, policy = _policies(policies, base)
    acts = sorted((act for act in world.acts if act.at >= begin), key=lambda act: act.at)
    act_time, act_channel = floats([act.at for act in acts]), ints([act.channel for act in acts])
    past_time = floats([] if past is None else past.time)
    past_channel = ints([] if past is None else past.channel)
    phase_time = floats([phase.at for phase in phases])
    set_start = np.cumsum([0] + [len(phase.levels) for phase in phases])

    strips, n_streams = entries.strips, len(entries.stream)
    strip_rate = entries.background_rate[n_streams:]
    strip = np.zeros((len(strips.group) + 1, 3), np.int64)
    strip[:-1, 0], strip[:-1, 1], strip[:, 2] = strips.group, strips.address, entries.background_start[n_streams:]

    whole, real = _Block(np.int64), _Block(np.float64)
    at = TableLayout(
        n_channels=base.n_channels,
        n_facts=base.n_facts,
        n_phases=len(phases),
        n_streams=n_streams,
        n_timers=len(base.timer_channel),
        n_policies=len(policies),
        n_calms=len(base.calm_decay),
        n_acts=len(acts),
        n_past=len(past_time),
        n_entries=len(entries.entry),
        n_changes=max(base.n_facts, *np.diff(base.effect_start), *np.diff(set_start)),
        n_strips=len(strips.group),
        n_groups=len(strips.gate),
        fact=whole.add(facts),
        row_start=whole.add(base.row_start),
        gate=whole.add(np.stack([base.entry_fact, base.entry_offset], axis=1)),
        channel=whole.add(channel),
        profile_start=whole.add(base.profile_start),
        stream=whole.add(np.stack([[*entries.stream, 0], entries.background_start[: n_streams + 1]], axis=1)),
        branch_start=whole.add(entries.start),
        background=whole.add(entries.background),
        strip=whole.add(strip),
        group=whole.add(
            np.column_stack([[*strips.gate, (0, 0)], np.searchsorted(strips.group, np.arange(len(strips.gate) + 1))])
        ),
        fact_group_start=whole.add(strips.fact_start),
        fact_group=whole.add(strips.fact_group),
        kernel_start=whole.add(base.kernel_start),
        effect=whole.add(np.stack([base.effect_fact, base.effect_level], axis=1)),
        timer_start=whole.add(base.timer_start),
        timer=whole.add(
            np.stack([np.repeat(cells, np.diff(base.timer_start)), base.timer_channel, base.timer_is_fixed], axis=1)
        ),
        policy=whole.add(policy),
        policy_holds=whole.add(holds),
        calm_add=whole.add(base.calm_add_index),
        calm_low=whole.add(base.calm_low_index),
        phase=whole.add(np.stack([[*_bits(phase_time), 0], set_start], axis=1)),
        phase_set=whole.add([pair for phase in phases for pair in phase.levels]),
        act=whole.add(np.stack([act_channel, _addresses(act_time, act_channel)], axis=1)),
        past=whole.add(np.stack([past_channel, _addresses(past_time, past_channel)], axis=1)),
        background_rate=real.add(entries.background_rate[:n_streams]),
        background_f=real.add(entries.background_f),
        strip_f=real.add(np.stack([strips.low, strip_rate, block_days(strip_rate)], axis=1)),
        branch=real.add(entries.branch),
        entry_f=real.add(entries.entry_f[:, 1:]),
        policy_f=real.add([(p.days, p.start, p.end) for p in policies]),
        phase_time=real.add(phase_time),
        act_time=real.add(act_time),
        past_time=real.add(past_time),
        factor=real.add([system.level_factor for system in systems]),
        n_factor=len(base.level_factor),
        rate=real.add([system.rate for system in systems]),
        mass=real.add([system.edge_mass for system in systems]),
        n_mass=base.n_edges,
        step=real.add([np.stack([s.step_time, s.step_value], axis=1) for s in systems]),
        n_step=2 * len(base.step_time),
        season=real.add([np.stack([s.profile_swing, s.profile_peak], axis=1) for s in systems]),
        n_season=2 * len(base.profile_swing),
        kernel=real.add([np.stack([_cumulative(s), 1.0 / s.kernel_decay], axis=1) for s in systems]),
        n_kernel=2 * len(base.kernel_decay),
        effect_probability=real.add([system.effect_probability for system in systems]),
        n_effect=len(base.effect_fact),
        timer_mean=real.add([system.timer_delay for system in systems]),
        calm_decay=real.add([system.calm_decay for system in systems]),
        calm_amount=real.add([system.calm_add_amount for system in systems]),
        n_calm_amount=len(base.calm_add_index),
        calm_strength=real.add([system.calm_low_strength for system in systems]),
        n_calm_strength=len(base.calm_low_index),
        most=real.add(strips.most),
    )
    words = np.empty((len(entries.entry), 8), np.int64)
    words[:, :7] = entries.entry
    words[:, 7] = entries.entry_f[:, 0].copy().view(np.int64)
    return Tables(at, whole.block(), real.block(), words.ravel(), words.ravel().view(np.float64))


class _Block:
    """Arrays laid end to end."""

    def __init__(self, dtype: type) -> None:
        self.dtype, self.n = dtype, 0
        self.parts: list[NDArray[Any]] = [np.zeros(0, dtype)]

    def add(self, x: Any) -> int:
        """Add an array; where it begins."""
        part: NDArray[Any] = np.array(x, self.dtype)
        self.parts.append(part.ravel())
        self.n += part.size
        return self.n - part.size

    def block(self) -> NDArray[Any]:
        """All of it."""
        return np.concatenate(self.parts)


def expected_events(t: Tables, days: float, most: float = 1e7) -> float:
    """Candidates to expect in a window with every gate at its highest: a hint for sizes, capped at `most`."""
    at, C = t.at, t.at.n_channels
    start = t.ints[at.branch_start : at.branch_start + C + 1]
    source, n = np.repeat(np.arange(C), np.diff(start)), int(start[C])
    target, width = t.entry.reshape(-1, 8)[:n, 1], t.floats[at.entry_f : at.entry_f + 2 * n].reshape(-1, 2)[:, 1]
    m = int(t.ints[at.strip + 3 * at.n_strips + 2])
    proposed = np.zeros(m, np.bool_)
    proposed[: t.ints[at.stream + 3]] = True
    strip = t.ints[at.strip : at.strip + 3 * at.n_strips + 3].reshape(-1, 3)[:, 2]
    within = t.floats[at.strip_f : at.strip_f + 3 * at.n_strips].reshape(-1, 3)[:, 0] < 1.0
    proposed[strip[0] :] = np.repeat(within, np.diff(strip))
    first = t.ints[at.background : at.background + 3 * m].reshape(-1, 3)[proposed, 0]
    width_of = t.floats[at.background_f : at.background_f + 3 * m].reshape(-1, 3)[proposed, 2]
    born = np.bincount(first, width_of * days, C)
    total = float(born.sum())
    for _ in range(60):
        born = np.bincount(target, width * born[source], C)
        total += float(born.sum())
        if total > most or born.sum() < 1e-3 * total:
            break
    return min(total, most)


def _policies(policies: list[StandingPolicy], base: System) -> tuple[list[bool], Ints]:
    """For each policy at which levels it holds, and first cell of that, channel, address, fact."""
    holds: list[bool] = []
    rows = np.zeros((len(policies), 4), np.int64)
    mask = [sum(1 << level for level in policy.levels) for policy in policies]
    content = ints([(p.channel * 8191 + p.fact) * 131 + m for p, m in zip(policies, mask, strict=True)])
    address = _addresses(floats([policy.days for policy in policies]), content)
    for i, policy in enumerate(policies):
        rows[i] = len(holds), policy.channel, address[i], policy.fact
        n = int(base.level_start[policy.fact + 1] - base.level_start[policy.fact])
        holds += [level in policy.levels for level in range(n)]
    return holds, rows


def _bits(time: Floats) -> Ints:
    """The 64 bits of each time, as whole numbers: stacked beside int64, uint64 would turn into float64."""
    bits: Ints = (time + 0.0).view(np.int64)  # + 0.0 makes -0.0 the 0.0 it equals
    return bits


def _addresses(time: Floats, channel: Ints) -> Ints:
    """An address by content: it stays the same when other acts are added. Equal ones are told apart by counting."""
    seen: dict[tuple[float, int], int] = {}
    nth = np.empty(len(time), np.int64)
    for i, pair in enumerate(zip(time.tolist(), channel.tolist(), strict=True)):
        nth[i] = seen[pair] = seen.get(pair, -1) + 1
    step = np.uint64(0x9E3779B97F4A7C15).view(np.int64)
    addresses: Ints = _bits(time) + channel * step + (nth << np.int64(40))
    return addresses


def _cumulative(system: System) -> Floats:
    until = floats(system.kernel_share).copy()
    for first, end in zip(system.kernel_start, system.kernel_start[1:], strict=False):
        until[first:end] = np.cumsum(until[first:end])
    return until
