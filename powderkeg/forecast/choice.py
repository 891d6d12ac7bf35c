"""How would each way of carrying the background on have foretold the time before the origin?

In: acts by day, the model's links. Out: the `LevelDrift` that did best.

From an origin a week apart, over the last two years, the mean of the next 1, 7 and 30 days is reckoned for each
directed dyad (`means_ahead`: exact for systems without facts that move) and held against what came, by the log score of
a negative binomial whose dispersion is free for each horizon. What is chosen is chosen for the mean; how unsure levels
are, and how lucky days, follows from how wide the misses were. Nothing after the origin is seen.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.forecast.days import means_ahead
from powderkeg.forecast.ground import Groups, LevelDrift, dyads_of, levels_of, shares
from powderkeg.forecast.links import Slots, expected_answers, pairs_of
from powderkeg.simulate.workers import in_order, workers_for

HALF_LIVES = (10.0, 20.0, 40.0, 80.0, 160.0)
SLOW = (90.0, 180.0, 365.0, 1000.0)
STRENGTHS = (0.5, 2.0, 8.0)
ANSWERS = (1.0, 0.7, 0.45, 0.2)
CHOSEN = 3.0
"""Numbers that are chosen on the misses they are judged by: pace, pull, answers."""
PRIOR_WINDOWS = 100.0
"""Windows of one act that the doubt of all dyads is worth against a dyad's own: a dyad's own few misses say little."""
RECENT = 180.0
"""Days after which a judged origin counts half: how fast levels move changes, as between a war and the years after."""
GUESS = (0.3, 0.5)
"""Relative variance of a level over 7 and 30 days where the record is too short to tell."""
LEAST_FREEDOM, MOST_DOUBT = 4.0, 4.0
"""Fewest windows that a doubt is taken to rest on; the most that a set may have of it: a level must not collapse."""
SPREADS = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)
AHEAD = (1, 7, 30)
"""Days ahead that are judged, each as much as the others."""
JUDGED = 730
"""Days before the origin from which it is tried."""
STEP = 7
BLOCK = 8
"""Neighbouring origins that are weighted alike."""
LEAST_DAYS = 120
"""Days of a record below which nothing is chosen: a guess is taken."""


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
    """How levels may move: what did best, and what else was tried.

    drifts, doubts  each way tried and its `Ground.doubt`, the best first
    scores          (K, O) score of each at each origin that was judged, weighted; empty where nothing could be judged
    freedom         windows of 7 and of 30 days, none overlapping, that doubts rest on, less the numbers spent
    """

    drifts: tuple[LevelDrift, ...]
    doubts: tuple[Floats, ...]
    scores: Floats
    freedom: tuple[float, float] = (np.inf, np.inf)

    def of_set(self, rng: np.random.Generator) -> tuple[LevelDrift, Floats]:
        """A way that did best with the judged origins weighted at random, neighbours alike (Bayesian bootstrap of
        blocks): which way is best is not known, and sets of draws differ by it. Nor is how wide its misses are: each
        set has a doubt of its own, by the chi-squared law of a variance estimated from so many windows."""
        if not self.scores.size:
            return self.drifts[0], self.doubts[0]
        n = self.scores.shape[1]
        weight = np.repeat(rng.exponential(size=-(-n // BLOCK)), BLOCK)[:n]
        best = int(np.argmax(self.scores @ weight))
        freedom = np.array(self.freedom)
        return self.drifts[best], self.doubts[best] * np.minimum(freedom / rng.chisquare(freedom), MOST_DOUBT)


def choose(record: Tried, groups: Groups, answers: bool = True, workers: int | None = None) -> Chosen:
    """The ways that were tried, coordinate by coordinate, twice round; the one that would have foretold best first."""
    unit = units(groups)
    if min(len(record.counts), record.whole) < LEAST_DAYS or len(record.time) < 30:
        doubt = np.tile(GUESS, (int(unit.max()) + 1, 1))
        return Chosen((LevelDrift(spread=1.3),), (doubt,), np.zeros((1, 0)))
    D = min(len(record.counts), record.whole)
    origin = np.arange(max(D - JUDGED, 60), D - max(AHEAD) + 1, STEP).astype(np.int64)
    came = _came(record.counts, origin, unit)
    weight = 0.5 ** ((origin[-1] - origin) / RECENT)
    told: dict[LevelDrift, Floats] = {}
    scores: dict[LevelDrift, Floats] = {}
    best = LevelDrift()
    tries = {"answers": ANSWERS if answers else (1.0,), "half_life": HALF_LIVES, "slow": SLOW, "strength": STRENGTHS}
    for _ in range(2):
        for name, values in tries.items():
            asked = [best._replace(**{name: x}) for x in values]
            asked = [drift for drift in asked if drift.slow >= drift.half_life]
            new = [drift for drift in asked if drift not in told]
            work = partial(_foretold_of, record, groups, origin, unit, new)
            for drift, means in zip(new, in_order(work, len(new), workers_for(len(new), workers)), strict=True):
                told[drift] = means
                each = [_free_score(means[:, k], came[:, k]) for k in range(len(AHEAD))]
                scores[drift] = weight * np.sum(each, axis=0)
            best = max((drift for drift in [best, *asked] if drift in scores), key=lambda drift: scores[drift].mean())
    order = sorted(scores, key=lambda drift: -scores[drift].mean())
    wide = [_wide(drift, told[drift], came) for drift in order]
    week, month = (max(len(origin) * STEP / h - CHOSEN, LEAST_FREEDOM) for h in AHEAD[1:])
    each_score = np.array([scores[x] for x in order])
    return Chosen(tuple(drift for drift, _ in wide), tuple(doubt for _, doubt in wide), each_score, (week, month))


def _foretold_of(
    record: Tried, groups: Groups, origin: Ints, unit: Ints, drifts: list[LevelDrift], number: int
) -> Floats:  # fmt: skip
    return foretold(record, groups, drifts[number], origin, unit)


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
        levels.acts[origin] / np.maximum(levels.told[origin], 1e-12), levels.means[origin], drift.keep, drift.strength,
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


def _score(mean: Floats, variance: Floats, came: Floats) -> Floats:
    """(O,) log score at each origin, summed over units: negative binomial."""
    variance = np.maximum(variance, 1.0001 * mean)
    size = mean**2 / (variance - mean)
    score = (
        special.gammaln(came + size) - special.gammaln(size) - special.gammaln(came + 1.0)
        + size * np.log(size / (size + mean)) + came * np.log(mean / (size + mean))
    )  # fmt: skip
    return np.asarray(score.sum(axis=1), np.float64)


def _free_score(mean: Floats, came: Floats) -> Floats:
    """(O,) log score at each origin by the best of all dispersions: variance = mean + (a + b * mean) * mean."""
    tried = (
        _score(mean, mean * (1.0 + a + b * mean), came) for a in (0.0, 0.3, 1.0, 2.5) for b in (0.05, 0.2, 0.5, 1.2)
    )
    return max(tried, key=lambda score: float(score.sum()))


def _wide(best: LevelDrift, told: Floats, came: Floats) -> tuple[LevelDrift, Floats]:
    """A day's luck from single days; what levels were off over 7 and 30 days, beyond that luck, dyad by dyad."""
    scores = [_score(told[:, 0], x * told[:, 0] + 0.2 * told[:, 0] ** 2, came[:, 0]).sum() for x in SPREADS]
    spread = SPREADS[int(np.argmax(scores))]
    doubt = np.empty((told.shape[2], 2))
    for k in (1, 2):
        excess = ((came[:, k] - told[:, k]) ** 2 - spread * told[:, k]).sum(axis=0)
        base = (told[:, k] ** 2).sum(axis=0)
        # Misses of what was chosen to miss least: as many windows that do not overlap as there are, less those spent.
        apart = len(came) * STEP / AHEAD[k]
        spent = apart / max(apart - CHOSEN, 0.5 * apart)
        pooled = max(float(excess.sum() / base.sum()), 0.02)
        doubt[:, k - 1] = spent * np.maximum((excess + PRIOR_WINDOWS * pooled) / (base + PRIOR_WINDOWS), 0.02)
    return best._replace(spread=spread), doubt
