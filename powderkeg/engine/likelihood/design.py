"""The likelihood's view of a system: which parameter stands behind every number, and what may be added up together.

In: a `System` and, for each of its numbers, the index of the parameter it comes from. Out: a `Design`, read by the
passes over exact times (`likelihood`) and over days (`daylikelihood`).

Two ideas keep the cost with events and links, never with channels times facts:

- A *slot* is what one mechanism may add to one channel; only slots of channels that act are ever read. A *group* is
  all slots (or all backgrounds: a *ground*) that share parameter and gate rows; expected counts need only group sums.
- A *pair* is a channel's gate row with a component's gate row. Its *configuration* is the levels of the facts it
  reads. Every (group, configuration) is a *term*; the intensity is a sum over terms of value times coefficient,

      coefficient[term] = factor[term] * linear[term's parameter] * exp(x[term] . log parameters),

  so both likelihoods and their derivatives need only the terms, whatever the gates are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System

MOST_CONFIGURATIONS = 1 << 16
"""Configurations of one pair of gate rows beyond which `build` gives up: 16 two-level facts in one channel's gates."""


class Design(NamedTuple):
    """Shapes: C channels (acts only), S facts, Q pairs, G groups, B grounds, L slots, T terms, K time cells, H shapes.

    CSR as in `System`: entries of item i are `x[start[i]:start[i + 1]]`.
    """

    # state
    initial_level: Ints  # (S,)
    effect_start: Ints  # (C + 1,) sure effects only
    effect_fact: Ints
    effect_level: Ints

    # pairs of gate rows
    initial_config: Ints  # (Q,)
    dep_start: Ints  # (S + 1,) pairs that read a fact
    dep_pair: Ints
    dep_stride: Ints
    pair_group_start: Ints  # (Q + 1,)
    pair_group: Ints
    pair_ground_start: Ints  # (Q + 1,)
    pair_ground: Ints
    pair_fact_start: Ints  # (Q + 1,) facts that a pair reads; stride 1 first
    pair_fact: Ints
    pair_size: Ints  # (Q,) number of configurations
    pair_term: Ints  # (Q,) terms without exposure whose coefficient per unit is the gate's value, by configuration

    # groups of excitation and of background
    group_pair: Ints  # (G,)
    group_mechanism: Ints  # (G,)
    group_term: Ints  # (G,) term of configuration 0
    group_calm: Ints  # (G,) calm set or -1
    ground_pair: Ints  # (B,)
    ground_profile: Ints  # (B,)
    ground_term: Ints  # (B,) term of configuration 0, shape 0; configurations are n_shapes apart
    ground_scale: Floats  # (B,) sum of the channels' scales
    ground_calm: Ints  # (B,)

    # channels
    channel_ground: Ints  # (C,)
    channel_scale: Floats  # (C,) rate per unit of its parameter
    slot_start: Ints  # (C + 1,) slots of a channel
    slot_group: Ints  # (L,)
    out_start: Ints  # (C + 1,) slots fed by an event
    out_slot: Ints
    out_mass: Floats
    feed_start: Ints  # (C + 1,) groups fed by an event, sums over all channels, those that never act included
    feed_group: Ints
    feed_mass: Floats

    # kernels; decays are given to each pass
    kernel_start: Ints  # (M + 1,)
    kernel_share: Floats

    # terms
    term_linear: Ints  # (T,) linear parameter
    term_factor: Floats  # (T,) product of the fixed factors
    x_start: Ints  # (T + 1,) log parameters of a term
    x_index: Ints
    x_value: Floats

    # time: background factor of profile p in cell k, times its season; shape index of a cell
    cell_time: Floats  # (K + 1,) days, from 0 to the end of the window
    cell_value: Floats  # (P, K)
    cell_shape: Ints  # (K,)
    profile_swing: Floats  # (P,)
    profile_peak: Floats  # (P,)
    n_shapes: int

    # calm: sets of (calm, strength); what an event adds
    calm_decay: Floats
    calm_set_start: Ints
    calm_set_index: Ints
    calm_set_strength: Floats
    calm_add_start: Ints  # (C + 1,)
    calm_add_index: Ints
    calm_add_amount: Floats

    # what the calendar says beforehand, and which mechanisms are further reports of one act
    flip_time: Floats  # (F,) ascending
    flip_fact: Ints  # (F,) fact that comes to `flip_level`, or -1: from then on `flip_share` of what happens is seen
    flip_level: Ints
    flip_share: Floats
    mechanism_repeats: Ints  # (M,) 1 where answers are further reports of the act itself: no gate, no share

    @property
    def n_terms(self) -> int:
        return len(self.term_linear)


class Sources(NamedTuple):
    """Where the numbers of a `System` come from. Linear parameters: rates first, then one for each mechanism.

    rate_parameter    (C,) linear parameter of a channel's rate
    rate_scale        (C,) rate = scale * parameter
    edge_scale        (E,) mass = scale * parameter of the mechanism
    factor_parameter  (len level_factor,) log parameter of a gate's factor, -1 where it is fixed
    n_rates, n_factors
    repeats           (M,) mechanisms whose answers are further reports of the act itself; None where there are none
    factor_power      (len level_factor,) power of the log parameter in each cell; None where all are 1
    """

    rate_parameter: Ints
    rate_scale: Floats
    edge_scale: Floats
    factor_parameter: Ints
    n_rates: int
    n_factors: int
    repeats: NDArray[np.bool_] | None = None
    factor_power: Floats | None = None


class Shape(NamedTuple):
    """Time course of the background beyond the profiles: exp(basis . log parameters), constant within a cell.

    time    (K + 1,) cell bounds in days, from 0 to the end of the window
    offset  (K,) known factor, such as coverage
    row     (K,) row of `basis` that holds in a cell
    basis   (H, n) covariates
    """

    time: Floats
    offset: Floats
    row: Ints
    basis: Floats


class Calendar(NamedTuple):
    """What is known beforehand, whatever happens: facts with a known path, and how much a source sees.

    time   (F,) days of the window, ascending; before the first entry facts stand where the system starts them
    fact   (F,) fact that comes to a level then, or -1: from then on a known share of what happens is seen
    level  (F,) the level, where a fact is named
    share  (F,) the share, where none is; 1 before the first
    """

    time: Floats
    fact: Ints
    level: Ints
    share: Floats


def joined(*calendars: Calendar) -> Calendar:
    """Several calendars as one; of lines at one time, those of the first come first."""
    time, fact, level, share = (np.concatenate(columns) for columns in zip(*calendars, strict=True))
    order = np.argsort(time, kind="stable")
    return Calendar(time[order], fact[order], level[order], share[order])


def empty_calendar() -> Calendar:
    """Nothing is known beforehand."""
    return Calendar(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


class ChannelEffects(NamedTuple):
    """What tells the backgrounds of channels apart beyond their rates: log parameters of their own, after the shape's.

    level   (C, a) log parameters that hold all the time, counted from the first effect, or -1
    course  (C, b) first of as many log parameters in a row as the shape has rows, one for each, or -1
    many    number of these log parameters
    """

    level: Ints
    course: Ints
    many: int


def flat_shape(days: float) -> Shape:
    """A background without a time course of its own."""
    return Shape(np.array([0.0, days]), np.ones(1), np.zeros(1, np.int64), np.zeros((1, 0)))


def starts(counts: NDArray[np.int64] | Sequence[int]) -> Ints:
    """CSR starts of items with these numbers of entries."""
    result = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=result[1:])
    return result


def by_owner(owner: Ints, n_owners: int) -> tuple[Ints, Ints]:
    """(starts, order): entries sorted by owner, original order kept within one."""
    return starts(np.bincount(owner, minlength=n_owners)), np.argsort(owner, kind="stable").astype(np.int64)


def edge_source(system: System) -> Ints:
    """(E,) source channel of every edge."""
    return np.repeat(np.arange(system.n_channels), np.diff(system.edge_start)).astype(np.int64)


def build(
    system: System,
    sources: Sources,
    days: float,
    shape: Shape | None = None,
    n_acts: int | None = None,
    calendar: Calendar | None = None,
    effects: ChannelEffects | None = None,
) -> Design:
    """The design of a system for a window of `days`; channels from `n_acts` on (timers) are left out.

    calendar  facts that change on known days, and how much is seen; none by default
    effects   what tells the backgrounds of channels apart beyond their rates, if anything does

    Raises ValueError where there is no channel, or one channel's gates read so many facts that they cannot be listed.
    """
    shape = flat_shape(days) if shape is None else shape
    calendar = empty_calendar() if calendar is None else calendar
    repeats = np.zeros(system.n_mechanisms, bool) if sources.repeats is None else sources.repeats
    n_acts = system.n_channels if n_acts is None else n_acts
    if n_acts == 0:
        raise ValueError("the system has no channel")
    pairs = _Pairs(system, sources, calendar)
    calm_set, sets = _calm_sets(system, n_acts)

    # Backgrounds that share parameter, gates, profile, calm and effects are one ground.
    profile = system.profile[:n_acts] + 1
    apart, own = _own_effects(effects, n_acts)
    keys = np.stack(
        [
            sources.rate_parameter[:n_acts],
            system.channel_gate[:n_acts],
            system.background_gate[:n_acts],
            profile,
            calm_set,
            own,
        ],
        axis=1,
    )
    grounds, channel_ground = _unique_rows(keys)
    ground_pair = np.array([pairs.number(int(k[1]), int(k[2])) for k in grounds], np.int64)

    # Excitation of one channel by one mechanism under one gate row is a slot; slots of like channels are one group.
    origin = edge_source(system)
    kept = np.flatnonzero((origin < n_acts) & (system.edge_target < n_acts) & (sources.edge_scale > 0))
    origin, target = origin[kept], system.edge_target[kept]
    mechanism, gate, mass = system.edge_mechanism[kept], system.edge_gate[kept], sources.edge_scale[kept]
    slots, edge_slot = _unique_rows(np.stack([target, mechanism, gate], axis=1))
    slot_target = slots[:, 0]
    plain = ~repeats[slots[:, 1]]  # a further report of an act comes whatever the gates say by now
    target_gate = np.where(plain, system.channel_gate[slot_target], 0)
    target_calm = np.where(plain, calm_set[slot_target], -1)
    groups, slot_group = _unique_rows(np.stack([slots[:, 1], target_gate, slots[:, 2], target_calm], axis=1))
    group_pair = np.array([pairs.number(int(k[1]), int(k[2])) for k in groups], np.int64)

    out, out_edge = _unique_rows(np.stack([origin, edge_slot], axis=1))
    out_mass = _sums(out_edge, mass, len(out))
    feed, feed_edge = _unique_rows(np.stack([origin, slot_group[edge_slot]], axis=1))
    feed_mass = _sums(feed_edge, mass, len(feed))

    cell_time, cell_value, cell_shape = _cells(system, shape, days)
    n_shapes = len(shape.basis)
    terms = _Terms(pairs, sources.n_factors, shape.basis)
    group_term = np.array(
        [terms.add(int(q), sources.n_rates + int(k[0])) for q, k in zip(group_pair, groups, strict=True)], np.int64
    )
    ground_term = np.array(
        [terms.add(int(q), int(k[0]), apart[int(k[5])]) for q, k in zip(ground_pair, grounds, strict=True)], np.int64
    )
    pair_term = np.array([terms.add(q, 0) for q in range(len(pairs))], np.int64)
    term_linear, term_factor, x_start, x_index, x_value = terms.listed()
    effect_start, effect_fact, effect_level = sure_effects(system, n_acts)
    dep_start, dep_pair, dep_stride = pairs.dependents()
    pair_group_start, pair_group = by_owner(group_pair, len(pairs))
    pair_ground_start, pair_ground = by_owner(ground_pair, len(pairs))
    return Design(
        initial_level=system.initial_level.astype(np.int64),
        effect_start=effect_start,
        effect_fact=effect_fact,
        effect_level=effect_level,
        initial_config=pairs.initial(),
        dep_start=dep_start,
        dep_pair=dep_pair,
        dep_stride=dep_stride,
        pair_group_start=pair_group_start,
        pair_group=pair_group,
        pair_ground_start=pair_ground_start,
        pair_ground=pair_ground,
        pair_fact_start=starts([len(facts) for facts in pairs.facts]),
        pair_fact=np.array([s for facts in pairs.facts for s in facts], np.int64),
        pair_size=np.array([pairs.size(q) for q in range(len(pairs))], np.int64),
        pair_term=pair_term,
        group_pair=group_pair,
        group_mechanism=_column(groups, 0),
        group_term=group_term,
        group_calm=_column(groups, 3),
        ground_pair=ground_pair,
        ground_profile=_column(grounds, 3),
        ground_term=ground_term,
        ground_scale=_sums(channel_ground, sources.rate_scale[:n_acts], len(grounds)),
        ground_calm=_column(grounds, 4),
        channel_ground=channel_ground,
        channel_scale=sources.rate_scale[:n_acts].astype(np.float64),
        slot_start=starts(np.bincount(slot_target, minlength=n_acts)),
        slot_group=slot_group,
        out_start=starts(np.bincount(out[:, 0], minlength=n_acts)),
        out_slot=_column(out, 1),
        out_mass=out_mass,
        feed_start=starts(np.bincount(feed[:, 0], minlength=n_acts)),
        feed_group=_column(feed, 1),
        feed_mass=feed_mass,
        kernel_start=system.kernel_start.astype(np.int64),
        kernel_share=system.kernel_share.astype(np.float64),
        term_linear=term_linear,
        term_factor=term_factor,
        x_start=x_start,
        x_index=x_index,
        x_value=x_value,
        cell_time=cell_time,
        cell_value=cell_value,
        cell_shape=cell_shape,
        profile_swing=np.concatenate([[0.0], system.profile_swing]),
        profile_peak=np.concatenate([[0.0], system.profile_peak]),
        n_shapes=n_shapes,
        calm_decay=system.calm_decay.astype(np.float64),
        calm_set_start=starts([len(s) for s in sets]),
        calm_set_index=np.array([d for s in sets for d, _ in s], np.int64),
        calm_set_strength=np.array([k for s in sets for _, k in s], np.float64),
        calm_add_start=system.calm_add_start[: n_acts + 1].astype(np.int64),
        calm_add_index=system.calm_add_index.astype(np.int64),
        calm_add_amount=system.calm_add_amount.astype(np.float64),
        flip_time=calendar.time.astype(np.float64),
        flip_fact=calendar.fact.astype(np.int64),
        flip_level=calendar.level.astype(np.int64),
        flip_share=calendar.share.astype(np.float64),
        mechanism_repeats=repeats.astype(np.int64),
    )


def _own_effects(effects: ChannelEffects | None, n_acts: int) -> tuple[list[tuple[Ints, Ints]], Ints]:
    """(levels and courses of each kind of channel, kind of each channel)."""
    none = np.zeros(0, np.int64)
    if effects is None:
        return [(none, none)], np.zeros(n_acts, np.int64)
    kinds, own = _unique_rows(np.concatenate([effects.level, effects.course], axis=1)[:n_acts])
    cut = effects.level.shape[1]
    return [(kind[:cut][kind[:cut] >= 0], kind[cut:][kind[cut:] >= 0]) for kind in kinds], own


def _sums(owner: Ints, value: Floats, n_owners: int) -> Floats:
    """(n_owners,) sum of the values of each owner."""
    return np.bincount(owner, weights=value, minlength=n_owners).astype(np.float64)


def _column(rows: Ints, k: int) -> Ints:
    return np.ascontiguousarray(rows[:, k])


def _unique_rows(rows: Ints) -> tuple[Ints, Ints]:
    """(distinct rows in lexical order, index of each row among them); rows of non-negative or -1 integers."""
    if len(rows) == 0:
        return rows.reshape(0, rows.shape[1]).astype(np.int64), np.zeros(0, np.int64)
    shifted = rows.astype(np.int64) + 1
    spans = shifted.max(axis=0) + 1
    if float(np.prod(spans.astype(np.float64))) < 2.0**62:  # one integer a row: far faster than unique(axis=0)
        key = np.zeros(len(rows), np.int64)
        for k in range(rows.shape[1]):
            key = key * spans[k] + shifted[:, k]
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        return rows[first].astype(np.int64), inverse.astype(np.int64).ravel()
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    return distinct.astype(np.int64), inverse.astype(np.int64).ravel()


def sure_effects(system: System, n_acts: int) -> tuple[Ints, Ints, Ints]:
    """CSR (start, fact, level) of the effects of acts that come with probability 1."""
    owner = np.repeat(np.arange(system.n_channels), np.diff(system.effect_start))
    kept = (owner < n_acts) & (system.effect_probability >= 1.0)
    return (
        starts(np.bincount(owner[kept], minlength=n_acts)),
        system.effect_fact[kept].astype(np.int64),
        system.effect_level[kept].astype(np.int64),
    )


def moving_facts(system: System) -> NDArray[np.bool_]:
    """(S,) whether anything can change a fact."""
    moving = np.zeros(system.n_facts, bool)
    moving[system.effect_fact[system.effect_probability > 0]] = True
    moving[system.turn_fact] = True
    return moving


def _calm_sets(system: System, n_acts: int) -> tuple[Ints, list[tuple[tuple[int, float], ...]]]:
    """(calm set of each channel or -1, the sets)."""
    numbers: dict[tuple[tuple[int, float], ...], int] = {}
    of_channel = np.full(n_acts, -1, np.int64)
    for c in np.flatnonzero(np.diff(system.calm_low_start[: n_acts + 1])):
        span = slice(system.calm_low_start[c], system.calm_low_start[c + 1])
        key = tuple(zip(system.calm_low_index[span].tolist(), system.calm_low_strength[span].tolist(), strict=True))
        of_channel[c] = numbers.setdefault(key, len(numbers))
    return of_channel, list(numbers)


def _cells(system: System, shape: Shape, days: float) -> tuple[Floats, Floats, Ints]:
    """Time cells in which every profile, the offset and the shape are constant; values by profile (0 = constant)."""
    inner = np.concatenate([shape.time[1:-1], system.step_time[np.isfinite(system.step_time)]])
    bounds = np.unique(np.concatenate([[0.0, days], inner[(inner > 0) & (inner < days)]]))
    middle = 0.5 * (bounds[1:] + bounds[:-1])
    cell = np.clip(np.searchsorted(shape.time, middle, side="right") - 1, 0, len(shape.row) - 1)
    n_profiles = len(system.profile_start) - 1
    value = np.empty((n_profiles + 1, len(middle)))
    value[0] = shape.offset[cell]
    for p in range(n_profiles):
        span = slice(system.profile_start[p], system.profile_start[p + 1])
        step = np.clip(np.searchsorted(system.step_time[span], middle, side="right") - 1, 0, None)
        value[p + 1] = value[0] * system.step_value[span][step]
    return bounds, value, shape.row[cell].astype(np.int64)


class _Pairs:
    """Pairs of gate rows, numbered as they are asked for, and the facts that each reads."""

    def __init__(self, system: System, sources: Sources, calendar: Calendar) -> None:
        self.system, self.parameter, self.power = system, sources.factor_parameter, sources.factor_power
        self.moving = moving_facts(system)
        self.moving[calendar.fact[calendar.fact >= 0]] = True
        self.levels = np.diff(system.level_start)
        self.numbers: dict[tuple[int, int], int] = {}
        self.facts: list[list[int]] = []
        self.entries: list[list[tuple[int, int]]] = []

    def __len__(self) -> int:
        return len(self.facts)

    def number(self, channel_row: int, component_row: int) -> int:
        key = (channel_row, component_row)
        if key not in self.numbers:
            entries = [
                (int(self.system.entry_fact[k]), int(self.system.entry_offset[k]))
                for row in key
                for k in range(self.system.row_start[row], self.system.row_start[row + 1])
            ]
            self.numbers[key] = len(self.facts)
            self.entries.append(entries)
            self.facts.append(sorted({s for s, _ in entries if self.moving[s]}))
            if self.size(self.numbers[key]) > MOST_CONFIGURATIONS:
                raise ValueError(
                    f"the gates of one channel read {len(self.facts[-1])} changing facts: too many to list"
                )
        return self.numbers[key]

    def size(self, q: int) -> int:
        """Number of configurations."""
        return int(np.prod([self.levels[s] for s in self.facts[q]], dtype=np.float64)) if self.facts[q] else 1

    def strides(self, q: int) -> list[int]:
        strides, stride = [], 1
        for s in self.facts[q]:
            strides.append(stride)
            stride *= int(self.levels[s])
        return strides

    def initial(self) -> Ints:
        start = self.system.initial_level
        return np.array(
            [
                sum(int(start[s]) * k for s, k in zip(self.facts[q], self.strides(q), strict=True))
                for q in range(len(self))
            ],
            np.int64,
        )

    def dependents(self) -> tuple[Ints, Ints, Ints]:
        rows = [(s, q, k) for q in range(len(self)) for s, k in zip(self.facts[q], self.strides(q), strict=True)]
        rows.sort()
        owner = np.array([r[0] for r in rows], np.int64)
        return (
            starts(np.bincount(owner, minlength=self.system.n_facts)),
            np.array([r[1] for r in rows], np.int64),
            np.array([r[2] for r in rows], np.int64),
        )

    def configurations(self, q: int) -> list[tuple[float, dict[int, float]]]:
        """For every configuration: the product of its fixed factors, and how often each free factor stands in it."""
        result = []
        level = self.system.initial_level.copy()
        for config in range(self.size(q)):
            rest = config
            for s in self.facts[q]:
                rest, level[s] = divmod(rest, int(self.levels[s]))
            fixed = 1.0
            free: dict[int, float] = {}
            for s, offset in self.entries[q]:
                cell = offset + int(level[s])
                parameter = int(self.parameter[cell])
                if parameter < 0:
                    fixed *= float(self.system.level_factor[cell])
                else:
                    power = 1.0 if self.power is None else float(self.power[cell])
                    free[parameter] = free.get(parameter, 0.0) + power
            result.append((fixed, free))
        return result


class _Terms:
    """The list of terms as it grows. Entries of a term are listed in the order in which they are added."""

    def __init__(self, pairs: _Pairs, n_factors: int, basis: Floats) -> None:
        self.pairs, self.n_factors, self.basis = pairs, n_factors, basis
        self.n_terms = 0
        self.linear: list[Ints] = []
        self.factor: list[Floats] = []
        self.entries: list[tuple[Ints, Ints, Floats]] = []
        """(term, log parameter, times) of entries."""
        self.known: dict[tuple[int, bool], tuple[Floats, list[tuple[Ints, Ints, Floats]]]] = {}

    def add(self, q: int, parameter: int, effects: tuple[Ints, Ints] | None = None) -> int:
        """Terms for every configuration of pair `q`; returns the first one's number.

        effects  of a background, for which each is listed for every row of the shape: its own levels and courses
        """
        first = self.n_terms
        if (q, effects is not None) not in self.known:
            self.known[q, effects is not None] = self._gates(q, effects is not None)
        fixed, entries = self.known[q, effects is not None]
        n = len(fixed)
        self.n_terms += n
        self.linear.append(np.full(n, parameter, np.int64))
        self.factor.append(fixed)
        self.entries += [(first + term, index, value) for term, index, value in entries]
        if effects is not None:
            after, row = self.n_factors + self.basis.shape[1], np.arange(n) % len(self.basis)
            for each, moves in ((effects[0], 0), (effects[1], 1)):
                if len(each):
                    index = after + moves * row[:, None] + each[None, :]
                    term = np.repeat(np.arange(first, first + n), len(each))
                    self.entries.append((term, index.ravel(), np.ones(len(term))))
        return first

    def _gates(self, q: int, by_row: bool) -> tuple[Floats, list[tuple[Ints, Ints, Floats]]]:
        """(fixed factor of each term of a pair, entries of free factors and of the shape), terms counted from 0.

        by_row  whether each configuration is listed for every row of the shape
        """
        known = self.pairs.configurations(q)
        n_rows = len(self.basis) if by_row else 1
        fixed = np.repeat(np.array([one for one, _ in known], np.float64), n_rows)
        config = np.repeat(np.arange(len(known)), [len(free) for _, free in known])
        factor = np.array([k for _, free in known for k in free], np.int64)
        power = np.array([value for _, free in known for value in free.values()], np.float64)
        row = np.arange(n_rows)
        entries = []
        if len(factor):
            term = (config[:, None] * n_rows + row[None, :]).ravel()
            entries.append((term, np.repeat(factor, n_rows), np.repeat(power, n_rows)))
        if by_row and self.basis.any():
            at, column = np.nonzero(self.basis)
            term = (np.arange(len(known))[:, None] * n_rows + at[None, :]).ravel()
            index = np.tile(self.n_factors + column, len(known))
            entries.append((term, index, np.tile(self.basis[at, column], len(known))))
        return fixed, entries

    def listed(self) -> tuple[Ints, Floats, Ints, Ints, Floats]:
        """(linear parameter, fixed factor) of every term, and its entries: (start, log parameter, times)."""
        none = np.zeros(0, np.int64)
        term, index = (np.concatenate([none, *(one[k] for one in self.entries)]) for k in (0, 1))
        value = np.concatenate([np.zeros(0), *(one[2] for one in self.entries)])
        start, order = by_owner(term, self.n_terms)
        linear, factor = np.concatenate([none, *self.linear]), np.concatenate([np.zeros(0), *self.factor])
        return linear, factor, start, index[order].astype(np.int64), value[order]
