"""Reachable states: which combinations of facts the model can bring about, and which acts can happen at all.

In: a Model. Out: `ReachableStates`: the states that acts, facts that run out and facts that come up by themselves can
lead to from the initial state, and the channels that can fire in at least one of them.

Facts that nothing changes (most ties), and facts that neither scale an answer nor forbid anything, are left out of the
search, so that the work follows the states of the facts that matter. A channel can fire in a state if its gates are
open there and either its background is, or an edge into it is from a channel that can fire in some reachable state.
The last clause forgets in which order things must have happened: a state may be listed that needs an act which could
only have come later. Never the reverse: no reachable state is left out.

Beyond MOST_STATES the search stops and facts are taken one by one: which levels each can come to, whatever the others
do. That lists too much, never too little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.model.parts import Model
from powderkeg.model.spectral import edge_sources

MOST_STATES = 65_536
MOST_WORK = 300_000_000
"""Numbers that the search may touch, some seconds of work: few states can still take many steps each."""
CALL = 4_000
"""What a step costs besides, in such numbers."""
MOST_UNSURE = 12
"""Effects of one act that may or may not come about, up to which every way they can turn out is followed."""

Bools = NDArray[np.bool_]
Terms = tuple[tuple[int, tuple[float, ...]], ...]
"""A product over axes: (axis, factor at each of its levels)."""


class TooManyStates(Exception):
    """The search passed its limit, on states or on work."""


@dataclass(frozen=True, eq=False)
class ReachableStates:
    """What can come about.

    axes         (A,) the facts that can change and that matter
    states       (N, A) reachable levels of those facts, the initial state first; empty if there were too many
    levels       (A,) for each of them the levels it can come to
    can_fire     (C,) channels that can fire in some reachable state
    edge_static  (E,) edge mass times the factors of facts that cannot change; 0 where the source cannot fire
    edge_factor  (E,) row of `factors` that scales an edge
    factors      the distinct products of the factors of `axes`
    searched     where there were too many: the states met until then, (., A)
    """

    axes: Ints
    states: Ints
    levels: tuple[tuple[int, ...], ...]
    can_fire: Bools
    edge_static: Floats
    edge_factor: Ints
    factors: tuple[Terms, ...]
    searched: Ints | None = None

    def factor_values(self, states: Ints) -> Floats:
        """(N, F) every distinct factor in states (N, A)."""
        return _values(self.factors, states)

    def highest_factors(self) -> Floats:
        """(F,) every distinct factor at its highest over the levels that each fact can come to."""
        highest = [
            [max(vector[level] for level in self.levels[axis]) for axis, vector in terms] for terms in self.factors
        ]
        return np.array([math.prod(factors) for factors in highest])


def reach(model: Model, acts: Iterable[int] = (), most: int = MOST_STATES) -> ReachableStates:
    """Explore from the initial state.

    acts   channels that may also fire by hand at any time (the acts of an intervention)
    most   number of states at which to give up the search for the fact-by-fact answer
    """
    search = _Search(model, acts)
    searched = None
    try:
        states = search.explore(most)
        levels = tuple(tuple(int(level) for level in np.unique(states[:, axis])) for axis in range(states.shape[1]))
    except TooManyStates:
        searched = np.concatenate(search.met) if search.met else None
        states = np.zeros((0, len(search.axes)), dtype=np.int64)
        levels = search.explore_by_fact()
    static = np.where(search.can_fire[search.sources], search.edge_static, 0.0)
    return ReachableStates(
        search.axes, states, levels, search.can_fire, static, search.edge_terms, tuple(search.terms), searched
    )


@dataclass(frozen=True)
class _Deed:
    """Channels with the same effects on the axes: each way they can change the state, and the terms under which."""

    changes: tuple[tuple[tuple[int, int], ...], ...]
    channels: Ints
    by_itself: tuple[int, ...]
    edges: Ints


class _StateSet:
    """State numbers met so far: a table of bits where all states fit, sorted numbers where they do not."""

    def __init__(self, n_states: int) -> None:
        self.table = np.zeros(n_states, dtype=np.bool_) if n_states <= 2**24 else None
        self.numbers = np.zeros(0, dtype=np.int64)

    def add(self, numbers: Ints) -> Ints:
        """Where in `numbers` those stand that were not met before, each once."""
        if self.table is not None:
            new = np.flatnonzero(~self.table[numbers])
            new = new[np.unique(numbers[new], return_index=True)[1]]
            self.table[numbers[new]] = True
            return new
        fresh, first = np.unique(numbers, return_index=True)
        new = first[~np.isin(fresh, self.numbers)]
        self.numbers = np.concatenate([self.numbers, numbers[new]])
        return new


class _Search:
    """The model, cut down to what the search needs."""

    def __init__(self, model: Model, acts: Iterable[int]) -> None:
        system = model.system
        self.system = system
        self.by_hand = np.zeros(system.n_channels, dtype=np.bool_)
        self.by_hand[list(acts)] = True
        self.axes = _axes(system)
        self.axis_of = np.full(system.n_facts, -1, dtype=np.int64)
        self.axis_of[self.axes] = np.arange(len(self.axes))
        self.n_levels = np.diff(system.level_start)[self.axes]
        self.sources = edge_sources(system)
        self.terms: list[Terms] = [()]
        self._index: dict[Terms, int] = {(): 0}

        row_static, row_terms = self._rows()
        highest = _highest_profile(system)[system.profile]
        self.background = system.rate * highest * row_static[system.background_gate] > 0
        self.background &= row_static[system.channel_gate] > 0
        self.background_terms = self._pairs(row_terms, system.channel_gate, system.background_gate)
        self.edge_static = (
            system.edge_mass * row_static[system.edge_gate] * row_static[system.channel_gate][system.edge_target]
        )
        self.edge_terms = self._pairs(row_terms, system.channel_gate[system.edge_target], system.edge_gate)
        self.timer_terms, self.timer_channel = self._timers()
        self.deeds = self._deeds()
        self.can_fire = self.by_hand.copy()
        self.left = MOST_WORK
        self.met: list[Ints] = []

    def _spend(self, numbers: int) -> None:
        """Raises TooManyStates when the work that the search may do is done."""
        self.left -= numbers + CALL
        if self.left < 0:
            raise TooManyStates

    def explore(self, most: int) -> Ints:
        """Reachable states (N, A), initial first; settles `can_fire`. Raises TooManyStates."""
        if self.is_wide or np.prod(self.n_levels.astype(np.float64)) > 2.0**62:
            raise TooManyStates
        while True:
            states, ever_open = self._spread(most)
            if not self._grow(ever_open):
                return states

    def explore_by_fact(self) -> tuple[tuple[int, ...], ...]:
        """Levels that each fact can come to, whatever the others do; settles `can_fire`."""
        start = self.system.initial_level[self.axes]
        levels = [{int(level)} for level in start]
        while True:
            before = sum(len(found) for found in levels)
            is_open = np.array([_can_be_open(terms, levels) for terms in self.terms])
            for deed in self.deeds:
                if self._fires(deed, is_open[None, :])[0]:
                    for change in deed.changes:
                        for axis, level in change:
                            levels[axis].add(level)
            grew = self._grow(is_open)
            if not grew and sum(len(found) for found in levels) == before:
                return tuple(tuple(sorted(found)) for found in levels)

    def _spread(self, most: int) -> tuple[Ints, Bools]:
        """All states that follow from the initial one if the channels in `can_fire` can fire; terms ever open."""
        weights = np.concatenate([[1], np.cumprod(self.n_levels[:-1])]).astype(np.int64)[: len(self.axes)]
        frontier = self.system.initial_level[self.axes][None, :]
        states, seen = [frontier], _StateSet(int(np.prod(self.n_levels)))
        self.met = states
        size = sum(len(terms) for terms in self.terms)
        seen.add(frontier @ weights)
        ever_open = np.zeros(len(self.terms), dtype=np.bool_)
        while len(frontier):
            self._spend(len(frontier) * size)
            is_open = _values(self.terms, frontier) > 0
            ever_open |= is_open.any(axis=0)
            found = []
            for deed in self.deeds:
                self._spend(len(frontier) + len(deed.edges))
                moved = frontier[self._fires(deed, is_open)]
                for change in deed.changes:
                    self._spend(len(moved) * (3 * len(self.axes) + 20) + len(seen.numbers))
                    after = moved.copy()
                    for axis, level in change:
                        after[:, axis] = level
                    found.append(after[seen.add(after @ weights)])
            frontier = np.concatenate(found) if found else frontier[:0]
            states.append(frontier)
            if sum(map(len, states)) > most:
                raise TooManyStates
        return np.concatenate(states), ever_open

    def _fires(self, deed: _Deed, is_open: Bools) -> Bools:
        """States in which one of the deed's channels can fire."""
        if self.by_hand[deed.channels].any():
            return np.ones(len(is_open), dtype=np.bool_)
        terms = {*deed.by_itself, *np.unique(self.edge_terms[deed.edges[self.can_fire[self.sources[deed.edges]]]])}
        return np.asarray(is_open[:, sorted(terms)].any(axis=1))

    def _grow(self, ever_open: Bools) -> bool:
        """Add every channel that can fire now that these terms are open; True if there were any."""
        before = int(self.can_fire.sum())
        fires = self.can_fire | (self.background & ever_open[self.background_terms])
        fires[self.timer_channel[ever_open[self.timer_terms]]] = True
        live = np.flatnonzero((self.edge_static > 0) & ever_open[self.edge_terms])
        sources, targets = self.sources[live], self.system.edge_target[live]
        while True:
            reached = targets[fires[sources]]
            if fires[reached].all():
                break
            fires[reached] = True
        self.can_fire = fires
        return int(fires.sum()) > before

    def _rows(self) -> tuple[Floats, list[Terms]]:
        """Each gate row as the factor of facts that cannot change, and the product over axes of those that can."""
        system = self.system
        n_rows = len(system.row_start) - 1
        row = np.repeat(np.arange(n_rows), np.diff(system.row_start))
        fixed = self.axis_of[system.entry_fact] < 0
        static = np.ones(n_rows)
        cells = system.entry_offset + system.initial_level[system.entry_fact]
        np.multiply.at(static, row[fixed], system.level_factor[cells[fixed]])
        terms: list[Terms] = [()] * n_rows
        for entry in np.flatnonzero(~fixed):
            axis = int(self.axis_of[system.entry_fact[entry]])
            offset = system.entry_offset[entry]
            vector = tuple(system.level_factor[offset : offset + self.n_levels[axis]].tolist())
            terms[row[entry]] = _times(terms[row[entry]], ((axis, vector),))
        return static, terms

    def _pairs(self, row_terms: Sequence[Terms], one: Ints, other: Ints) -> Ints:
        """Index in `terms` of the product of two rows, for arrays of row pairs."""
        pairs, inverse = np.unique(one * len(row_terms) + other, return_inverse=True)
        rows = [divmod(pair, len(row_terms)) for pair in pairs.tolist()]
        index = [self._term(_times(row_terms[a], row_terms[b])) for a, b in rows]
        return np.array(index, dtype=np.int64)[inverse]

    def _term(self, terms: Terms) -> int:
        if terms not in self._index:
            self._index[terms] = len(self.terms)
            self.terms.append(terms)
        return self._index[terms]

    def _timers(self) -> tuple[Ints, Ints]:
        """For each timer the term "its fact is at its level" and the channel that it fires."""
        system = self.system
        terms, channels = [], []
        for axis, fact in enumerate(self.axes):
            for level in range(self.n_levels[axis]):
                cell = system.level_start[fact] + level
                for timer in range(system.timer_start[cell], system.timer_start[cell + 1]):
                    vector = tuple(float(other == level) for other in range(self.n_levels[axis]))
                    terms.append(self._term(((axis, vector),)))
                    channels.append(system.timer_channel[timer])
        return np.array(terms, dtype=np.int64), np.array(channels, dtype=np.int64)

    def _deeds(self) -> list[_Deed]:
        """Channels with effects on the axes, put together where the effects are the same."""
        system = self.system
        together: dict[tuple[tuple[int, int, bool], ...], list[int]] = {}
        for channel in np.flatnonzero(np.diff(system.effect_start)):
            effects = []
            for entry in range(system.effect_start[channel], system.effect_start[channel + 1]):
                axis, chance = int(self.axis_of[system.effect_fact[entry]]), system.effect_probability[entry]
                if axis >= 0 and chance > 0:
                    effects.append((axis, int(system.effect_level[entry]), bool(chance < 1)))
            if effects:
                together.setdefault(tuple(effects), []).append(int(channel))
        self.is_wide = any(sum(is_chance for *_, is_chance in effects) > MOST_UNSURE for effects in together)
        into = np.argsort(system.edge_target, kind="stable")
        into = into[self.edge_static[into] > 0]
        deeds = []
        for effects_of, members in together.items():
            channels = np.array(members, dtype=np.int64)
            timers = self.timer_terms[np.isin(self.timer_channel, channels)]
            by_itself = {*self.background_terms[channels[self.background[channels]]].tolist(), *timers.tolist()}
            low = np.searchsorted(system.edge_target[into], channels, side="left")
            high = np.searchsorted(system.edge_target[into], channels, side="right")
            edges = np.concatenate([into[a:b] for a, b in zip(low, high, strict=True)])
            deeds.append(_Deed(_outcomes(effects_of), channels, tuple(sorted(by_itself)), edges))
        none = np.zeros(0, dtype=np.int64)
        turns = {(int(self.axis_of[s]), int(z)) for s, z in zip(system.turn_fact, system.turn_level, strict=True)}
        turns |= {(int(self.axis_of[s]), int(system.initial_level[s])) for s in system.turn_fact}
        deeds += [_Deed(((turn,),), none, (0,), none) for turn in sorted(turns) if turn[0] >= 0]
        return deeds


def _axes(system: System) -> Ints:
    """Facts that can change and matter: they scale an edge, or forbid something somewhere."""
    changed = np.unique(np.concatenate([system.effect_fact[system.effect_probability > 0], system.turn_fact]))
    n_rows = len(system.row_start) - 1
    row = np.repeat(np.arange(n_rows), np.diff(system.row_start))
    on_edges = np.zeros(n_rows, dtype=np.bool_)
    on_edges[np.concatenate([system.edge_gate, system.channel_gate[system.edge_target]])] = True
    in_use = on_edges.copy()
    in_use[np.concatenate([system.channel_gate, system.background_gate])] = True
    size = np.diff(system.level_start)[system.entry_fact]
    forbids = np.array(
        [(system.level_factor[a : a + n] == 0).any() for a, n in zip(system.entry_offset, size, strict=True)],
        dtype=np.bool_,
    )
    return np.intersect1d(changed, system.entry_fact[on_edges[row] | (in_use[row] & forbids)])


def _highest_profile(system: System) -> Floats:
    """(P + 1,) highest step of each profile; the last cell, index -1, is 1 for a constant background."""
    steps = [
        system.step_value[system.profile_start[p] : system.profile_start[p + 1]].max()
        for p in range(len(system.profile_start) - 1)
    ]
    return np.array([*steps, 1.0])


def _outcomes(effects: tuple[tuple[int, int, bool], ...]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Each way in which effects, some of them uncertain, can turn out: the changes that are made, in order."""
    if sum(is_chance for *_, is_chance in effects) > MOST_UNSURE:  # fact by fact is all that is asked for then
        return tuple(((axis, level),) for axis, level, _ in effects)
    choices = [((change, True), (change, False)) if is_chance else ((change, True),) for *change, is_chance in effects]
    outcomes = {tuple(tuple(change) for change, happens in choice if happens) for choice in product(*choices)}
    return tuple(sorted(outcomes - {()}))  # type: ignore[arg-type]


def _times(one: Terms, other: Terms) -> Terms:
    """Product of two products; factors of one axis are multiplied level by level."""
    axes = dict(one)
    for axis, vector in other:
        axes[axis] = tuple(a * b for a, b in zip(axes[axis], vector, strict=True)) if axis in axes else vector
    return tuple(sorted(axes.items()))


def _can_be_open(terms: Terms, levels: Sequence[Iterable[int]]) -> bool:
    """True if the axes can come to levels at which the product is not 0."""
    return all(any(vector[level] > 0 for level in levels[axis]) for axis, vector in terms)


def _values(factors: Sequence[Terms], states: Ints) -> Floats:
    """(N, F) value of each product in each state."""
    values = np.ones((len(states), len(factors)))
    for column, terms in enumerate(factors):
        for axis, vector in terms:
            values[:, column] *= np.array(vector)[states[:, axis]]
    return values
