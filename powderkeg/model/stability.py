"""Stability: can acts set off acts without end, in which state, and which mechanism is to blame.

In: a Model. Out: `Stability`: the branching ratio in the initial state and in the worst state that the model can reach,
what drives it there, and a bound that holds in every state.

A ratio below 1 in every reachable state is enough for a calm system; a ratio of 1 or more in some state is not yet an
explosion, because the state moves on (facts run out, acts clear them). It means that runs must be capped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import warn
from powderkeg.model.gates import row_values
from powderkeg.model.masses import MassMatrix
from powderkeg.model.parts import Model
from powderkeg.model.reachable import MOST_STATES, ReachableStates, reach
from powderkeg.model.spectral import edge_sources, edge_weights, spectral_radius, weight_by_path
from powderkeg.model.wording import both
from powderkeg.showing import ShowsItself

NEAR = 0.9
"""Branching ratio from which a state counts as near the brink."""

ROUNDING = 1e-9
"""A ratio that is short of a threshold by less than this has reached it."""

MOST_WORK = 5_000_000
"""Work (distinct states times edges) up to which states near the brink are counted, where there are any."""

MOST_COMPARED = 300_000_000
"""Numbers that may be compared to find the states that no other exceeds, some seconds of work."""

MOST_TRIED = 200
"""States, of those met by a search that did not come to its end, whose ratio is worked out."""

Method = Literal["states", "levels", "bound"]


@dataclass(frozen=True)
class Stability(ShowsItself):
    """How near the system can come to breeding acts without end. Mechanisms only, over acts that can happen at all.

    initial           branching ratio in the initial state
    worst             highest branching ratio over the reachable states; where `method` is not "states", a bound on it
    worst_state       the state that has it: {fact: level}, ties only where they are not as at the start
    method            "states": every reachable state was looked at. "levels": too many to list, so every combination
                      of the levels that each fact can come to. "bound": too many of those too, so every gate at its
                      highest
    sufficient_bound  ratio with every gate at its highest over the levels each fact can come to: below 1, no state,
                      and no moving from state to state, can make the system explode
    drivers           (key path of a mechanism, its share of the worst ratio), largest first; shares sum to 1
    elasticities      per cent by which the worst ratio moves when a value moves by one per cent, by key path: answers
                      of mechanisms, factors of gates
    n_states          reachable states of the facts that matter to answers, None where there were too many to list
    n_near            how many of them have a ratio of NEAR or more, None where there were too many to compute
    n_critical        how many have a ratio of 1 or more, None likewise
    at_least          where not all states could be searched: the highest ratio found in some of those that were; the
                      truth lies between it and `worst`
    n_searched        how many states were met by then: there are at least so many
    departure         the worst state in words: the facts in which it differs from the initial state
    """

    initial: float
    worst: float
    worst_state: dict[str, str]
    method: Method
    sufficient_bound: float
    drivers: tuple[tuple[str, float], ...]
    elasticities: dict[str, float]
    n_states: int | None
    n_near: int | None
    n_critical: int | None
    departure: str
    at_least: float | None = None
    n_searched: int | None = None

    def __repr__(self) -> str:
        worst = f"{self.worst:.2f} in the worst state: {self.departure}"
        return f"Stability(branching ratio {self.initial:.2f} at the start, {worst})"

    @property
    def warning(self) -> str | None:
        """What to look at next, None where the worst ratio is below NEAR."""
        if self.worst < NEAR - ROUNDING:
            return None
        at_most = "" if self.method == "states" else "at most "
        where = self.departure
        driver, share = self.drivers[0]
        blame = f"largest contributor {driver} ({share:.2f})"
        if self.at_least is not None:
            blame += f"; at least {self.at_least:.2f} in the {self.n_searched:,} states that were searched"
        if self.worst < 1.0 - ROUNDING:
            return f"branching ratio {at_most}{self.worst:.2f} {where}: runs may be long; {blame}"
        could = "sets off" if self.method == "states" else "may set off"
        return (
            f"branching ratio {at_most}{self.worst:.2f} {where}: there an act {could} more than one other, so runs can "
            f"explode and are stopped at the event limit, which is reported; {blame}"
        )

    def as_dict(self) -> dict[str, object]:
        """Plain data, for `--json`."""
        return {
            "initial": self.initial,
            "worst": self.worst,
            "worst_state": self.worst_state,
            "method": self.method,
            "sufficient_bound": self.sufficient_bound,
            "drivers": [{"path": path, "share": share} for path, share in self.drivers],
            "elasticities": self.elasticities,
            "n_states": self.n_states,
            "n_near": self.n_near,
            "n_critical": self.n_critical,
            "warning": self.warning,
            **({} if self.at_least is None else {"at_least": self.at_least, "n_searched": self.n_searched}),
        }


def stability(model: Model, acts: Iterable[int] = (), most: int = MOST_STATES) -> Stability:
    """Branching ratio in the worst reachable state, and what drives it.

    acts   channels that may also fire by hand (the acts of an intervention), by index
    most   reachable states up to which they are listed one by one
    """
    acts = tuple(acts)
    if not acts and most == MOST_STATES:
        return looked_over(model)[1]
    return stability_over(model, reach(model, acts, most), most)


def looked_over(model: Model) -> tuple[ReachableStates, Stability]:
    """The states of a model and its stability, worked out once: a check asks for both again and again."""
    if model not in _LOOKED_OVER:
        found = reach(model)
        _LOOKED_OVER[model] = found, stability_over(model, found)
    return _LOOKED_OVER[model]


_LOOKED_OVER: WeakKeyDictionary[Model, tuple[ReachableStates, Stability]] = WeakKeyDictionary()


def stability_over(model: Model, found: ReachableStates, most: int = MOST_STATES) -> Stability:
    """The same for states that have been explored already."""
    ratio_of = _Ratios(model, found)
    bound = ratio_of(found.highest_factors())
    method: Method = "states"
    states = found.states
    if not len(states):
        axes = _gating_axes(found)
        n_combinations = float(np.prod([float(len(found.levels[axis])) for axis in axes]))
        method = "levels" if n_combinations <= most else "bound"
        states = _combinations(model, found, axes if method == "levels" else [])
    worst, worst_index = bound, 0
    counts: tuple[int | None, int | None] = (None, None)
    if method != "bound":
        within = _worst(model, found, states, ratio_of)
        if within is None:
            method, states = "bound", _combinations(model, found, [])
        else:
            worst, worst_index, counts = within
    levels = model.system.initial_level.copy()
    levels[found.axes] = states[worst_index]
    factors = found.highest_factors() if method == "bound" else found.factor_values(states[[worst_index]])[0]
    weights = edge_weights(model.system, found.edge_static * factors[found.edge_factor])
    shares = np.bincount(model.system.edge_mechanism, weights, model.system.n_mechanisms)
    order = [index for index in np.argsort(-shares, kind="stable") if shares[index] > 0]
    listed = method == "states"
    at_least = n_searched = None
    if found.searched is not None or (len(found.states) and not listed):
        met = found.states if found.searched is None else found.searched
        tried = np.unique(found.factor_values(met[: 50 * MOST_TRIED]), axis=0)
        tried = tried[np.argsort(-tried.sum(axis=1), kind="stable")[:MOST_TRIED]]
        at_least, n_searched = max(ratio_of(row) for row in tried), len(met)
    return Stability(
        initial=ratio_of(found.factor_values(model.system.initial_level[found.axes][None, :])[0]),
        worst=worst,
        worst_state=model.state_names(levels),
        method=method,
        sufficient_bound=max(bound, worst),
        drivers=tuple((f"mechanisms.{model.mechanisms[index]}", float(shares[index])) for index in order),
        elasticities=weight_by_path(model, weights, None if method == "bound" else levels),
        n_states=len(states) if listed else None,
        n_near=counts[0] if listed else None,
        n_critical=counts[1] if listed else None,
        at_least=at_least,
        n_searched=n_searched,
        departure=_departure(model, levels) if method != "bound" else "with every gate at its highest",
    )


def warn_of_instability(model: Model, found: Stability | None = None) -> Stability:
    """Issue a PowderkegWarning if the worst reachable state is near the brink or over it."""
    found = found if found is not None else stability(model)
    if found.warning is not None:
        warn(found.warning)
    return found


def branching_ratios(model: Model, levels: Ints) -> Floats:
    """Branching ratio of each of many states, (N, S) level indices: (N,). Equal matrices are solved once."""
    system = model.system
    pairs, pairing = np.unique(
        np.stack([system.edge_gate, system.channel_gate[system.edge_target]], axis=1), axis=0, return_inverse=True
    )
    rows = row_values(system, np.asarray(levels, dtype=np.int64))
    values = rows[:, pairs[:, 0]] * rows[:, pairs[:, 1]]
    distinct, inverse = np.unique(values, axis=0, return_inverse=True)
    sources, size = edge_sources(system), system.n_channels
    ratios = [
        spectral_radius(MassMatrix(sources, system.edge_target, system.edge_mass * row[pairing], size))
        for row in distinct
    ]
    return np.array(ratios)[inverse]


class _Ratios:
    """Branching ratio as a function of the distinct factors of the states, on the edges that can carry anything."""

    def __init__(self, model: Model, found: ReachableStates) -> None:
        system = model.system
        live = np.flatnonzero(found.edge_static > 0)
        source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))[live]
        self.row, self.column = source, system.edge_target[live]
        self.mass, self.factor = found.edge_static[live], found.edge_factor[live]
        self.used = np.unique(self.factor)
        self.size = system.n_channels
        self.known: dict[bytes, float] = {}

    def __call__(self, factors: Floats) -> float:
        key = factors[self.used].tobytes()
        if key not in self.known:
            mass = self.mass * factors[self.factor]
            self.known[key] = spectral_radius(MassMatrix(self.row, self.column, mass, self.size))
        return self.known[key]


def _worst(
    model: Model, found: ReachableStates, states: Ints, ratio_of: _Ratios
) -> tuple[float, int, tuple[int | None, int | None]] | None:
    """Highest ratio, the state nearest to the initial one that has it, and how many states are near or over 1.

    The ratio grows with every factor, so only states that no other reaches or exceeds in all factors can be worst.
    None where they are too many to work out.
    """
    used = ratio_of.used
    distinct, kind = np.unique(found.factor_values(states)[:, used], axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    factors = np.zeros((len(distinct), len(found.factors)))
    factors[:, used] = distinct
    candidates = undominated(distinct)
    if candidates is None or len(candidates) * (len(ratio_of.mass) + 1_000) > MOST_WORK:
        return None
    ratios = np.array([ratio_of(factors[index]) for index in candidates])
    best = float(ratios.max())
    at_best = np.flatnonzero(np.isin(kind, candidates[ratios >= best * (1.0 - ROUNDING)]))
    changed = (states[at_best] != model.system.initial_level[found.axes]).sum(axis=1)
    worst = int(at_best[np.argmin(changed)])
    if best < NEAR - ROUNDING:
        return best, worst, (0, 0)
    if len(distinct) * (len(ratio_of.mass) + 1_000) > MOST_WORK:
        return best, worst, (None, None)
    every = np.array([ratio_of(row) for row in factors])[kind]
    return best, worst, (int((every >= NEAR - ROUNDING).sum()), int((every >= 1.0 - ROUNDING).sum()))


def undominated(rows: Floats) -> Ints | None:
    """Rows that no other row reaches or exceeds everywhere; None where finding them is too much work."""
    left = MOST_COMPARED
    kept = np.zeros((0, rows.shape[1]))
    found: list[int] = []
    for index in np.argsort(-rows.sum(axis=1), kind="stable"):
        left -= kept.size + 2_000
        if left < 0:
            return None
        if not (kept >= rows[index]).all(axis=1).any():
            kept = np.concatenate([kept, rows[[index]]])
            found.append(int(index))
    return np.array(found, dtype=np.int64)


def _gating_axes(found: ReachableStates) -> list[int]:
    """Axes that scale at least one edge that can carry anything."""
    used = np.unique(found.edge_factor[found.edge_static > 0])
    return sorted({axis for index in used for axis, _ in found.factors[index]})


def _combinations(model: Model, found: ReachableStates, axes: list[int]) -> Ints:
    """Every combination of the levels that these axes can come to, the others as at the start."""
    start = model.system.initial_level[found.axes]
    choices = [found.levels[axis] if axis in axes else (int(start[axis]),) for axis in range(len(start))]
    count = math.prod(len(choice) for choice in choices)
    return np.array(list(product(*choices)), dtype=np.int64).reshape(count, len(start))


def _departure(model: Model, levels: Ints) -> str:
    """ "in the initial state", or "when dispute and roadblock are on and kfor_posture is clear"."""
    changed: dict[str, list[str]] = {}
    for index in np.flatnonzero(levels != model.system.initial_level):
        changed.setdefault(model.levels[index][levels[index]], []).append(model.facts[index])
    if not changed:
        return "in the initial state"
    parts = [f"{both(names)} {'is' if len(names) == 1 else 'are'} {level}" for level, names in changed.items()]
    return f"when {both(parts)}"
