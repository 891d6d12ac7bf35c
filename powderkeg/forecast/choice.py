"""How would each way of carrying the background on have foretold the time before the origin?

In: acts by day, the model's links. Out: ways, and the weight of each: the share of draws that go by it.

From an origin a week apart, over the last two years, the mean of the next 7 and 30 days is reckoned for each directed
dyad (`means_ahead`: exact for systems without facts that move) and held against what came, by the log score of a
negative binomial as wide as its misses were (`widths`). Weights are the products of these chances, the older the less
(averaging of models that may change: Raftery, Karny & Ettler 2010, Technometrics 52, 52-66): after few days all ways
weigh nearly alike, after many a few have most. Nothing after the origin is seen.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.forecast.days import means_ahead
from powderkeg.forecast.ground import Groups, LevelDrift, dyads_of, levels_of, shares
from powderkeg.forecast.links import Slots, expected_answers, pairs_of
from powderkeg.forecast.widths import AHEAD, Width, log_law, width
from powderkeg.simulate.workers import in_order, workers_for

WANDERS = (0.001, 0.003, 0.01, 0.03)
FADES = ((80.0, 90.0), (180.0, 180.0), (1000.0, 1000.0))
"""Half-lives of the level and of the mean that it is drawn to."""
ANSWERS = (1.0, 0.45, 0.0)
RECENT = 90.0
"""Days after which a judged origin counts half: how fast levels move changes, as between a war and the years after."""
GUESS = (0.3, 0.5)
"""Relative variance of a level over 7 and 30 days where the record is too short to tell."""
JUDGED = 730
"""Days before the origin from which it is tried."""
STEP = 7
LEAST_DAYS = 120
"""Days of a record below which nothing is judged: all ways weigh alike, as wide as a guess."""
GOLDEN = 0.6180339887498949
"""Multiples of it, less their whole part, lie evenly however many there are."""


class Tried(NamedTuple):
    """What is tried on: acts with hours, counts by day, gates along the days, the week; days that are all reported."""

    system: System
    slots: Slots
    time: Floats
    channel: Ints
    counts: Floats
    gates: Floats
    factor: Floats
    whole: int


class Chosen(NamedTuple):
    """Ways for levels to move, the most heavily weighed first.

    drifts, doubts  each way and its `Ground.doubt`
    weights         (K,) sum 1
    """

    drifts: tuple[LevelDrift, ...]
    doubts: tuple[Floats, ...]
    weights: Floats

    def of_set(self, number: int, shift: float) -> tuple[LevelDrift, Floats]:
        """The way of a set of draws: sets are shared out by the weights, as evenly as their number lets them.

        shift  from 0 to 1, the same for all sets
        """
        at = (shift + number * GOLDEN) % 1.0
        k = min(int(np.searchsorted(np.cumsum(self.weights), at, side="right")), len(self.drifts) - 1)
        return self.drifts[k], self.doubts[k]

    @property
    def answers(self) -> float:
        """Factor on the answers of all mechanisms, in the mean over draws."""
        return float(self.weights @ [drift.answers for drift in self.drifts])


def choose(record: Tried, groups: Groups, answers: bool = True, workers: int | None = None) -> Chosen:
    """All ways, each with the weight that the days before give it."""
    ways = [
        LevelDrift(half_life, slow, answers=part, wander=wander)
        for part, (half_life, slow), wander in product(ANSWERS if answers else (1.0,), FADES, WANDERS)
    ]
    even = np.full(len(ways), 1.0 / len(ways))
    unit = units(groups)
    D = min(len(record.counts), record.whole)
    if D < LEAST_DAYS or len(record.time) < 30:
        doubt = np.tile(GUESS, (int(unit.max()) + 1, 1))
        return Chosen(tuple(way._replace(spread=1.3) for way in ways), (doubt,) * len(ways), even)
    past = np.arange(max(D - JUDGED, 60), D - AHEAD[-1] + 1, STEP).astype(np.int64)
    came = _came(record.counts, past, unit)
    work = partial(_judged, _and_the_next_day(record), groups, np.append(past, D), unit, came, ways)
    judged = list(in_order(work, len(ways), workers_for(len(ways), workers)))
    # Windows overlap: those of 30 days with the next ones, those of 7 days with those of 30.
    weight = 0.5 ** ((past[-1] - past) / RECENT) * STEP / AHEAD[-1] / 2.0
    weights = weighed(np.array([scores for _, _, scores in judged]), weight)
    order = np.argsort(-weights, kind="stable")
    drifts = tuple(ways[k]._replace(spread=judged[k][0].spread) for k in order)
    return Chosen(drifts, tuple(judged[k][1] for k in order), weights[order])


def weighed(scores: Floats, weight: Floats) -> Floats:
    """(K,) weights, sum 1: even ones, times what each of K ways gave to what came.

    scores  (K, O) log score of each way at each origin;  weight (O,) of each origin
    """
    total = scores @ weight
    found = np.exp(total - total.max())
    return np.asarray(found / found.sum(), np.float64)


def _judged(
    record: Tried, groups: Groups, origin: Ints, unit: Ints, came: Floats, ways: list[LevelDrift], number: int
) -> tuple[Width, Floats, Floats]:
    """Of one way: its width, the doubt of each dyad at the last origin, and (O,) its scores at those before."""
    told = foretold(record, groups, ways[number], origin, unit)
    wide = width(told[:-1], came)
    scores = sum(log_law(told[:-1, k], wide.variance(told[:-1, k], k), came[:, k]).sum(axis=1) for k in (1, 2))
    doubt = np.stack([wide.doubt(told[-1, k], k) for k in (1, 2)], axis=1)
    return wide, doubt, np.asarray(scores, np.float64)


def _and_the_next_day(record: Tried) -> Tried:
    """The same with one more day, of which nothing is known: the origin is foretold from like those before."""
    gates = record.gates if len(record.gates) == 1 else np.vstack([record.gates, record.gates[-1:]])
    counts = np.vstack([record.counts, np.zeros((1, record.counts.shape[1]))])
    return record._replace(counts=counts, gates=gates, factor=np.append(record.factor, record.factor[-7]))


def units(groups: Groups) -> Ints:
    """(C,) directed dyad of each channel."""
    of_group = dyads_of(groups)
    return np.array([of_group[g] if g >= 0 else 0 for g in groups.group], np.int64)


def foretold(record: Tried, groups: Groups, drift: LevelDrift, origin: Ints, unit: Ints) -> Floats:
    """(O, A, U) mean that would have been said at each origin of each stretch of days ahead."""
    system, slots, factor = record.system, record.slots, record.factor
    system = system._replace(edge_mass=system.edge_mass * drift.answers)
    D = len(record.counts)
    expected, _ = expected_answers(system, slots, record.time, record.channel, D, record.gates)
    open_ = record.gates[:, system.background_gate] * record.gates[:, system.channel_gate]
    share = shares(groups, record.counts, expected, factor)
    levels = levels_of(groups, drift, record.counts, expected, open_, factor, share)
    H, n, G, U = max(AHEAD), len(origin), len(groups.names), int(unit.max()) + 1
    week = np.stack(
        [np.resize(factor[d : d + 7], H) if d + 7 <= D else np.resize(factor[d - 7 : d], H) for d in origin]
    )
    mean, ground = np.zeros((n, H, U)), np.zeros((n, G))
    n_slots, C = len(slots.slot_target), system.n_channels
    order = np.argsort(record.time, kind="stable")
    pairs = pairs_of(system, slots)
    means_ahead(
        np.ascontiguousarray(record.time[order]), np.ascontiguousarray(record.channel[order]), origin, H,
        system.edge_start, system.edge_mechanism, system.edge_mass, slots.edge_slot, system.kernel_start,
        system.kernel_share, system.kernel_decay, *pairs, slots.slot_target, slots.slot_component, slots.slot_gate,
        system.channel_gate, record.gates, share, open_, groups.group, levels.acts[origin],
        levels.acts[origin] / np.maximum(levels.told[origin], 1e-12), levels.means[origin], drift.keep, drift.wander,
        drift.strength,
        week, unit, np.zeros(n_slots), np.zeros(n_slots), np.zeros(len(system.kernel_decay)),
        np.zeros(len(pairs.slot)), np.zeros(C), np.zeros(C), mean, ground, np.zeros(G), np.zeros(G),
    )  # fmt: skip
    total = np.cumsum(mean, axis=1)[:, np.array(AHEAD) - 1]
    return np.maximum(total, 1e-9)


def _came(counts: Floats, origin: Ints, unit: Ints) -> Floats:
    """(O, A, U) acts that came in each stretch."""
    U = int(unit.max()) + 1
    by_unit = np.zeros((len(counts), U))
    np.add.at(by_unit.T, unit, counts.T)
    total = np.concatenate([np.zeros((1, U)), np.cumsum(by_unit, axis=0)])
    return np.stack([total[origin + h] - total[origin] for h in AHEAD], axis=1)
