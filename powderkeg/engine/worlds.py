"""Worlds: a system, and what is different in it from when on.

In: a baseline `System`; phases with other numbers, acts put in by hand, policies that react, a past to start from.
Out: the `Tables` that the simulation loop reads. Two worlds over one baseline share every draw where they agree.

How they share: candidates are always proposed from the baseline. An edge (or a channel's background) has in the
baseline a ceiling b, its mean offspring with every factor at its highest; a candidate gets a mark, uniform in [0, b),
and is accepted if the mark lies below what the edge is worth at that moment in that world. Where a world may be worth
more than b, further streams propose on top: layer l covers the marks [2^(l-1) b, 2^l b), and a last one, NEW, whatever
lies above (or everything, where b is 0). Each stream has keys of its own; the baseline never sees them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from powderkeg.engine.alias import alias_rows
from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.draws import parts_of

LAYERS = 8
"""Layers double: eight reach 256 times the baseline's ceiling. NEW takes what lies above."""
NEW = 32
"""Number of the stream that has no share in the baseline."""
FORGOTTEN = 1e-12
"""Past events with less than this to be expected of them bear nothing."""

STRUCTURE = (
    "level_start", "profile", "background_gate", "channel_gate", "profile_start", "edge_start", "edge_target",
    "edge_mechanism", "edge_gate", "kernel_start", "row_start", "entry_fact", "entry_offset", "effect_start",
    "effect_fact", "effect_level", "timer_start", "timer_is_fixed", "timer_channel", "calm_add_start",
    "calm_add_index", "calm_low_start", "calm_low_index",
)  # fmt: skip
"""Fields of a `System` that all phases of a world must share; every other field may change from phase to phase."""


class Phase(NamedTuple):
    """From `at` on the numbers are those of `system`, and at `at` the facts in `levels` are set.

    levels  (fact, level) pairs; setting a fact to the level it stands at changes nothing
    """

    at: float
    system: System
    levels: tuple[tuple[int, int], ...] = ()


class Act(NamedTuple):
    """An act that happens at `at`, whatever the state: forced, without a parent, with its effects and its offspring."""

    at: float
    channel: int


class Policy(NamedTuple):
    """Each time `fact` has been at one of `levels` for `days` without a break, `channel` fires, once.

    It acts within [start, end): what has stood long enough when the policy starts makes it fire then.
    """

    fact: int
    levels: tuple[int, ...]
    days: float
    channel: int
    start: float = -np.inf
    end: float = np.inf


class World(NamedTuple):
    """See `world`."""

    base: System
    phases: tuple[Phase, ...]
    acts: tuple[Act, ...]
    policies: tuple[Policy, ...]
    layers: int


class Past(NamedTuple):
    """What happened before the simulated window: the window begins at `begin`, all times are before it.

    time, channel  (N,) in time order
    complete       True: the events include what timers did (a simulated past). False: timers run during the past
                   and fire there unseen, differently in every replicate (an observed past: nobody reports that a
                   fact ran out)
    """

    begin: float
    time: Floats
    channel: Ints
    complete: bool = False


def world(
    base: System,
    phases: tuple[Phase, ...] = (),
    acts: tuple[Act, ...] = (),
    policies: tuple[Policy, ...] = (),
    layers: int = 0,
) -> World:
    """A world over `base`; without further arguments the baseline itself.

    A phase whose system starts a fact at another level than the phase before it sets that fact when it begins.
    `layers` asks for at least so many layers on every edge: more work, the same events (for tests).
    Raises ValueError if a phase's system is not built like `base`, naming the field.
    """
    for phase in phases:
        for name in STRUCTURE:
            if not np.array_equal(getattr(phase.system, name), getattr(base, name)):
                raise ValueError(f"the system of the phase at day {phase.at:g} has another {name} than the baseline")
    resolved = [Phase(-np.inf, base)]
    for phase in sorted(phases, key=lambda phase: phase.at):
        before, now = resolved[-1].system.initial_level, phase.system.initial_level
        turned = tuple((int(s), int(now[s])) for s in np.flatnonzero(before != now))
        resolved.append(Phase(phase.at, phase.system, turned + tuple(phase.levels)))
    return World(base, tuple(resolved), tuple(acts), tuple(policies), layers)


def silenced(system: System, channels: Ints) -> System:
    """The system without these channels' own doing: no background, no answers. Forced acts can still use them."""
    rate, mass = system.rate.copy(), system.edge_mass.copy()
    rate[channels] = 0.0
    mass[np.isin(system.edge_target, channels)] = 0.0
    return system._replace(rate=rate, edge_mass=mass)


class Layout(NamedTuple):
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
    # ints
    fact: int  # (S + 1, 3) first level, first cell, first policy
    row_start: int  # (R + 1,)
    gate: int  # (., 2) fact, place in factor
    channel: int  # (C + 1, 7) background gate, channel gate, profile, flags, first effect, first calm added, lowering
    profile_start: int
    stream: int  # (L + 1, 2) number, first background entry
    branch_start: int  # (L * C + L * past + 1,) entries that stream l offers channel c are those of row l * C + c
    background: int  # (., 3) channel, other, certain
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
    branch: int  # (rows, 3) mean of a part, parts, exp(-mean of a part)
    entry_f: int  # (., 3) keep, mark from, width
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


class Tables(NamedTuple):
    """All that the simulation loop reads, in three blocks: every array handed to it costs seconds of compilation."""

    at: Layout
    ints: Ints
    floats: Floats
    entry: NDArray[np.int32]  # 7 numbers each: edge, target, mechanism, gate, other, certain, kernel component or -1


HAS_EFFECTS, ADDS_CALM, IS_CALMED = 1, 2, 4


def tables(world: World, past: Past | None = None, begin: float = 0.0) -> Tables:
    """The tables of a world for a window that begins at `begin` (`past.begin`, if there is a past)."""
    if past is not None:
        begin = past.begin
    base = world.base
    initial = _ints(base.initial_level)
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

    entries = _proposals(world, initial, phases, systems)
    if past is not None:
        entries = _with_past(entries, base, [p.system for p in phases if p.at <= begin][-1], past)
    calmed = np.diff(base.calm_low_start) > 0
    effects, adds = np.diff(base.effect_start) > 0, np.diff(base.calm_add_start) > 0
    flags = HAS_EFFECTS * effects + ADDS_CALM * adds + IS_CALMED * calmed
    channel = np.zeros((base.n_channels + 1, 7), np.int64)
    channel[:-1, :4] = np.stack([base.background_gate, base.channel_gate, base.profile, flags], axis=1)
    channel[:, 4:] = np.stack([base.effect_start, base.calm_add_start, base.calm_low_start], axis=1)
    cells = np.repeat(np.arange(base.n_facts), np.diff(base.level_start))
    policies = sorted(world.policies, key=lambda policy: policy.fact)
    fact = np.zeros((base.n_facts + 1, 3), np.int64)
    fact[:-1, 0] = initial
    fact[:, 1] = base.level_start
    fact[:, 2] = np.searchsorted([policy.fact for policy in policies], np.arange(base.n_facts + 1))
    holds, policy = _policies(policies, base)
    acts = sorted((act for act in world.acts if act.at >= begin), key=lambda act: act.at)
    act_time, act_channel = _floats([act.at for act in acts]), _ints([act.channel for act in acts])
    past_time = _floats([] if past is None else past.time)
    past_channel = _ints([] if past is None else past.channel)
    phase_time = _floats([phase.at for phase in phases])
    set_start = np.cumsum([0] + [len(phase.levels) for phase in phases])

    ints, floats = _Block(np.int64), _Block(np.float64)
    at = Layout(
        n_channels=base.n_channels,
        n_facts=base.n_facts,
        n_phases=len(phases),
        n_streams=len(entries.stream),
        n_timers=len(base.timer_channel),
        n_policies=len(policies),
        n_calms=len(base.calm_decay),
        n_acts=len(acts),
        n_past=len(past_time),
        n_entries=len(entries.entry),
        n_changes=max(base.n_facts, *np.diff(base.effect_start), *np.diff(set_start)),
        fact=ints.add(fact),
        row_start=ints.add(base.row_start),
        gate=ints.add(np.stack([base.entry_fact, base.entry_offset], axis=1)),
        channel=ints.add(channel),
        profile_start=ints.add(base.profile_start),
        stream=ints.add(np.stack([[*entries.stream, 0], entries.background_start], axis=1)),
        branch_start=ints.add(entries.start),
        background=ints.add(entries.background),
        kernel_start=ints.add(base.kernel_start),
        effect=ints.add(np.stack([base.effect_fact, base.effect_level], axis=1)),
        timer_start=ints.add(base.timer_start),
        timer=ints.add(
            np.stack([np.repeat(cells, np.diff(base.timer_start)), base.timer_channel, base.timer_is_fixed], axis=1)
        ),
        policy=ints.add(policy),
        policy_holds=ints.add(holds),
        calm_add=ints.add(base.calm_add_index),
        calm_low=ints.add(base.calm_low_index),
        phase=ints.add(np.stack([[*_bits(phase_time), 0], set_start], axis=1)),
        phase_set=ints.add([pair for phase in phases for pair in phase.levels]),
        act=ints.add(np.stack([act_channel, _addresses(act_time, act_channel)], axis=1)),
        past=ints.add(np.stack([past_channel, _addresses(past_time, past_channel)], axis=1)),
        background_rate=floats.add(entries.background_rate),
        background_f=floats.add(entries.background_f),
        branch=floats.add(entries.branch),
        entry_f=floats.add(entries.entry_f),
        policy_f=floats.add([(p.days, p.start, p.end) for p in policies]),
        phase_time=floats.add(phase_time),
        act_time=floats.add(act_time),
        past_time=floats.add(past_time),
        factor=floats.add([system.level_factor for system in systems]),
        n_factor=len(base.level_factor),
        rate=floats.add([system.rate for system in systems]),
        mass=floats.add([system.edge_mass for system in systems]),
        n_mass=base.n_edges,
        step=floats.add([np.stack([s.step_time, s.step_value], axis=1) for s in systems]),
        n_step=2 * len(base.step_time),
        season=floats.add([np.stack([s.profile_swing, s.profile_peak], axis=1) for s in systems]),
        n_season=2 * len(base.profile_swing),
        kernel=floats.add([np.stack([_cumulative(s), 1.0 / s.kernel_decay], axis=1) for s in systems]),
        n_kernel=2 * len(base.kernel_decay),
        effect_probability=floats.add([system.effect_probability for system in systems]),
        n_effect=len(base.effect_fact),
        timer_mean=floats.add([system.timer_delay for system in systems]),
        calm_decay=floats.add([system.calm_decay for system in systems]),
        calm_amount=floats.add([system.calm_add_amount for system in systems]),
        n_calm_amount=len(base.calm_add_index),
        calm_strength=floats.add([system.calm_low_strength for system in systems]),
        n_calm_strength=len(base.calm_low_index),
    )
    return Tables(at, ints.block(), floats.block(), entries.entry.ravel())


class _Block:
    """Arrays laid end to end."""

    def __init__(self, dtype: type) -> None:
        self.dtype, self.parts, self.n = dtype, [np.zeros(0, dtype)], 0

    def add(self, x: object) -> int:
        part = np.array(x).astype(self.dtype)
        self.parts.append(part.ravel())
        self.n += part.size
        return self.n - part.size

    def block(self) -> np.ndarray:
        return np.concatenate(self.parts)


def expected_events(t: Tables, days: float, most: float = 1e7) -> float:
    """Candidates to expect in a window with every gate at its highest: a hint for sizes, capped at `most`."""
    at, C = t.at, t.at.n_channels
    start = t.ints[at.branch_start : at.branch_start + C + 1]
    source, n = np.repeat(np.arange(C), np.diff(start)), int(start[C])
    target, width = t.entry.reshape(-1, 7)[:n, 1], t.floats[at.entry_f : at.entry_f + 3 * n].reshape(-1, 3)[:, 2]
    m = int(t.ints[at.stream + 3])
    first = t.ints[at.background : at.background + 3 * m].reshape(-1, 3)[:, 0]
    born = np.bincount(first, t.floats[at.background_f : at.background_f + 3 * m].reshape(-1, 3)[:, 2] * days, C)
    total = float(born.sum())
    for _ in range(60):
        born = np.bincount(target, width * born[source], C)
        total += float(born.sum())
        if total > most or born.sum() < 1e-3 * total:
            break
    return min(total, most)


# -- helpers of `tables`, in the order they are called ----------------------------------------------------------------


class _Entries(NamedTuple):
    """What is proposed, stream by stream: see `Layout`."""

    stream: list[int]
    background_rate: Floats
    background_start: Ints
    background: Ints
    background_f: Floats
    start: Ints
    branch: Floats
    entry: NDArray[np.int32]
    entry_f: Floats


def _proposals(world: World, initial: Ints, phases: list[Phase], systems: list[System]) -> _Entries:
    base, C = world.base, world.base.n_channels
    # Ceilings: the baseline's decide what is proposed, the world's how far the layers must reach.
    reach = _reachable(base, [base], ())
    edge_base, rate_base = _ceilings(base, reach)
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
    streams = _streams(edge_base, edge_top, rate_base, rate_top, world.layers)
    background, background_f, entry, entry_f, n_background, n_entry = [], [], [], [], [[0]], [[0]]
    for stream in streams:
        c, e = np.flatnonzero(stream.rate_width > 0), np.flatnonzero(stream.edge_width > 0)
        first = stream.number == 0
        background.append(np.stack([c, c, free_rate[c] & first], axis=1))
        background_f.append(np.stack([c, stream.rate_from[c], stream.rate_width[c]], axis=1, dtype=np.float64))
        n_background.append([len(c)])
        certain = free_edge[e] & first
        columns = (e, base.edge_target[e], base.edge_mechanism[e], base.edge_gate[e], e, certain, 0 * e - 1)
        entry.append(np.stack(columns, axis=1, dtype=np.int32, casting="unsafe"))
        entry_f.append(np.stack([e, stream.edge_from[e], stream.edge_width[e]], axis=1, dtype=np.float64))
        n_entry.append(np.bincount(source[e], minlength=C))
    result = _Entries(
        stream=[stream.number for stream in streams],
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


def _with_past(entries: _Entries, base: System, system: System, past: Past) -> _Entries:
    """Add a row for each stream and past event: the candidates it may still have in store when the window begins."""
    entry, entry_f, weight, counts = [entries.entry], [entries.entry_f], [], []
    age = past.begin - past.time
    for s in range(len(entries.stream)):
        for h, c in enumerate(past.channel):
            row = slice(*entries.start[s * base.n_channels + c : s * base.n_channels + c + 2])
            n = 0
            for x, numbers in zip(entries.entry[row], entries.entry_f[row], strict=True):
                for j in range(base.kernel_start[x[2]], base.kernel_start[x[2] + 1]):
                    left = numbers[2] * system.kernel_share[j] * np.exp(-system.kernel_decay[j] * age[h])
                    if left > FORGOTTEN:
                        entry.append(np.array([[*x[:6], j]], np.int32))
                        entry_f.append(numbers[None])
                        weight.append(left)
                        n += 1
            counts.append(n)
    start, weights = np.cumsum([0, *counts]), _floats(weight)
    keep, other, means = _alias(start, weights)
    old = len(entries.entry)
    entry, entry_f = np.concatenate(entry), np.concatenate(entry_f)
    entry[old:, 4] = other + old
    entry_f[old:, 0] = keep
    return entries._replace(
        start=np.concatenate([entries.start, start[1:] + old]),
        branch=np.concatenate([entries.branch, np.stack(parts_of(means), axis=1)]),
        entry=entry,
        entry_f=entry_f,
    )


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


@njit(cache=True, nogil=True, error_model="numpy")
def _row_ceilings(row_start, row_fact, row_offset, factor, level_start, reach):  # type: ignore[no-untyped-def]
    # The same products in the same order as in the loop, so that a gate at its highest gives exactly the ceiling.
    top = np.empty(len(row_start) - 1, np.float64)
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
    return top


def _ceilings(system: System, reach: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Most that each edge and each channel's background can be worth, over the reachable levels and all of time."""
    row = _row_ceilings(
        _ints(system.row_start), _ints(system.entry_fact), _ints(system.entry_offset), _floats(system.level_factor),
        _ints(system.level_start), reach,
    )  # fmt: skip
    shape = np.ones(system.n_channels)
    if len(system.profile_start) > 1:
        highest = np.array(
            [system.step_value[a:b].max() for a, b in zip(system.profile_start, system.profile_start[1:], strict=False)]
        )
        varies = system.profile >= 0
        shape[varies] = (highest * (1.0 + system.profile_swing))[system.profile[varies]]
    edge = system.edge_mass * row[system.edge_gate] * row[system.channel_gate[system.edge_target]]
    rate = system.rate * shape * row[system.background_gate] * row[system.channel_gate]
    return edge, rate


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
    alias_rows(start, _floats(weight), keep, other, sums)
    return keep, other, sums


def _policies(policies: list[Policy], base: System) -> tuple[list[bool], Ints]:
    """For each policy at which levels it holds, and first cell of that, channel, address, fact."""
    holds: list[bool] = []
    rows = np.zeros((len(policies), 4), np.int64)
    mask = [sum(1 << level for level in policy.levels) for policy in policies]
    content = _ints([(p.channel * 8191 + p.fact) * 131 + m for p, m in zip(policies, mask, strict=True)])
    address = _addresses(_floats([policy.days for policy in policies]), content)
    for i, policy in enumerate(policies):
        rows[i] = len(holds), policy.channel, address[i], policy.fact
        n = int(base.level_start[policy.fact + 1] - base.level_start[policy.fact])
        holds += [level in policy.levels for level in range(n)]
    return holds, rows


def _bits(time: Floats) -> Ints:
    """The 64 bits of each time, as whole numbers: stacked beside int64, uint64 would turn into float64."""
    return (time + 0.0).view(np.int64)  # + 0.0 makes -0.0 the 0.0 it equals


def _addresses(time: Floats, channel: Ints) -> Ints:
    """An address by content: it stays the same when other acts are added. Equal ones are told apart by counting."""
    seen: dict[tuple[float, int], int] = {}
    nth = np.empty(len(time), np.int64)
    for i, pair in enumerate(zip(time.tolist(), channel.tolist(), strict=True)):
        nth[i] = seen[pair] = seen.get(pair, -1) + 1
    step = np.uint64(0x9E3779B97F4A7C15).view(np.int64)
    return _bits(time) + channel * step + (nth << np.int64(40))


def _cumulative(system: System) -> Floats:
    until = _floats(system.kernel_share).copy()
    for first, end in zip(system.kernel_start, system.kernel_start[1:], strict=False):
        until[first:end] = np.cumsum(until[first:end])
    return until


def _ints(x: object) -> Ints:
    return np.array(x, np.int64, copy=True)


def _floats(x: object) -> Floats:
    return np.array(x, np.float64, copy=True)
