"""How would each way of carrying the background on have foretold the time before the origin?

In: acts by day, the model's links. Out: the `LevelDrift` that did best.

From an origin a week apart, over the last two years, the mean of the next 1, 7 and 30 days is reckoned for each
directed dyad (`means_ahead`: exact for systems without facts that move) and held against what came, by the log score of
a negative binomial whose dispersion is free for each horizon. What is chosen is chosen for the mean; how unsure levels
are, and how lucky days, follows from how wide the misses were. Nothing after the origin is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.forecast.days import means_ahead
from powderkeg.forecast.days_before import DaysBefore
from powderkeg.forecast.ground import Groups, LevelDrift, dyads_of, levels_of
from powderkeg.forecast.links import pairs_of
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
MOST_STEPS = 300_000_000
"""Steps of one way, a second's work, beyond which ways are tried on the channels that came; and where these are many
too, from fewer origins and once round, not twice."""
FEWEST_ORIGINS = 24
"""Origins that are left at the least: where there are so many channels each of them says much."""
LEAST_DAYS = 120
"""Days of a record below which nothing is chosen: a guess is taken."""


class Tried(NamedTuple):
    """What is tried on: what came, how densely each day is reported, days that are all reported."""

    days: DaysBefore
    factor: Floats
    whole: int


class Chosen(NamedTuple):
    """How levels may move: what did best, and what else was tried.

    drifts, doubts  each way tried and its `Ground.doubt`, the best first
    scores          (K, O) score of each at each origin that was judged, weighted; empty where nothing could be judged
    freedom         windows of 7 and of 30 days, none overlapping, that doubts rest on, less the numbers spent
    alone           channels that came, where ways were tried on these alone; else None
    block           neighbouring origins that are weighted alike
    """

    drifts: tuple[LevelDrift, ...]
    doubts: tuple[Floats, ...]
    scores: Floats
    freedom: tuple[float, float] = (np.inf, np.inf)
    alone: int | None = None
    block: int = BLOCK

    def of_set(self, rng: np.random.Generator) -> tuple[LevelDrift, Floats]:
        """A way that did best with the judged origins weighted at random, neighbours alike (Bayesian bootstrap of
        blocks): which way is best is not known, and sets of draws differ by it. Nor is how wide its misses are: each
        set has a doubt of its own, by the chi-squared law of a variance estimated from so many windows."""
        if not self.scores.size:
            return self.drifts[0], self.doubts[0]
        n = self.scores.shape[1]
        weight = np.repeat(rng.exponential(size=-(-n // self.block)), self.block)[:n]
        best = int(np.argmax(self.scores @ weight))
        freedom = np.array(self.freedom)
        return self.drifts[best], self.doubts[best] * np.minimum(freedom / rng.chisquare(freedom), MOST_DOUBT)


def choose(
    record: Tried, groups: Groups, answers: bool = True, workers: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Chosen:  # fmt: skip
    """The ways that were tried, coordinate by coordinate, twice round; the one that would have foretold best first.

    Where there are many channels, ways are tried on those that came; where these are many, from fewer origins.
    """
    unit = units(groups)
    U, D = int(unit.max()) + 1, min(record.days.n_days, record.whole)
    if D < LEAST_DAYS or len(record.days.time) < 30:
        return Chosen((LevelDrift(spread=1.3),), (np.tile(GUESS, (U, 1)),), np.zeros((1, 0)))
    origin = np.arange(max(D - JUDGED, 60), D - max(AHEAD) + 1, STEP).astype(np.int64)
    days = record.days
    if steps(days.system, len(days.slots.slot_target)) * max(AHEAD) * len(origin) <= MOST_STEPS:
        return _chosen(record, groups, unit, U, origin, answers, workers, progress)
    kept = np.unique(days.of)
    small = among(groups, kept)
    alone, own = record._replace(days=days.among(kept)), units(small)
    # One unit more, of which nothing is known, stands for the dyads that are left out.
    left_out = int(own.max()) + 1
    every = thinned(steps(alone.days.system, len(alone.days.slots.slot_target)) * max(AHEAD), len(origin))
    origin = np.ascontiguousarray(origin[::-1][::every][::-1])
    found = _chosen(alone, small, own, left_out + 1, origin, answers, workers, progress, every)
    place = np.full(U, left_out)
    place[unit[kept]] = own
    doubts = tuple(doubt[place] for doubt in found.doubts)
    return found._replace(doubts=doubts, alone=len(kept), block=max(BLOCK // every, 1))


def thinned(cost: int, origins: int) -> int:
    """Which of so many origins are judged, one in how many, where a way costs so much from each."""
    return max(min(-(-cost * origins // MOST_STEPS), origins // FEWEST_ORIGINS), 1)


def steps(system: System, n_slots: int) -> int:
    """What one day ahead of one origin costs."""
    return n_slots + 2 * system.n_channels + 3 * system.n_edges


def among(groups: Groups, kept: Ints) -> Groups:
    """The groups of these channels alone."""
    of, group = np.unique(groups.group[kept], return_inverse=True)
    _, pair = np.unique(groups.pair[kept], return_inverse=True)
    names = tuple(groups.names[g] for g in of)
    return Groups(group.astype(np.int64), names, pair.astype(np.int64), int(pair.max()) + 1)


def _chosen(
    record: Tried, groups: Groups, unit: Ints, n_units: int, origin: Ints, answers: bool, workers: int | None,
    progress: Callable[[float], None] | None, every: int = 1,
) -> Chosen:  # fmt: skip
    windows = apart(len(origin), every * STEP)
    rounds = 2 if every == 1 else 1
    came = _came(record.days, origin, unit, n_units)
    weight = 0.5 ** ((origin[-1] - origin) / RECENT)
    wide: dict[LevelDrift, tuple[LevelDrift, Floats]] = {}
    scores: dict[LevelDrift, Floats] = {}
    best = LevelDrift()
    tries = {"answers": ANSWERS if answers else (1.0,), "half_life": HALF_LIVES, "slow": SLOW, "strength": STRENGTHS}
    for turn in range(rounds):
        for number, (name, values) in enumerate(tries.items(), turn * len(tries)):
            asked = [best._replace(**{name: x}) for x in values]
            asked = [drift for drift in asked if drift.slow >= drift.half_life]
            new = [drift for drift in asked if drift not in scores]
            work = partial(_tried, record, groups, origin, unit, came, windows, new)
            found = in_order(work, len(new), workers_for(len(new), workers))
            for k, (drift, (score, doubt)) in enumerate(zip(new, found, strict=True), 1):
                scores[drift], wide[drift] = weight * score, doubt
                if progress is not None:
                    progress((number + k / len(new)) / (rounds * len(tries)))
            best = max((drift for drift in [best, *asked] if drift in scores), key=lambda drift: scores[drift].mean())
    order = sorted(scores, key=lambda drift: -scores[drift].mean())
    week, month = (max(n - CHOSEN, LEAST_FREEDOM) for n in windows)
    each_score = np.array([scores[x] for x in order])
    return Chosen(
        tuple(wide[x][0] for x in order), tuple(wide[x][1] for x in order), each_score, (week, month)
    )  # fmt: skip


def apart(origins: int, step: int) -> tuple[float, ...]:
    """Windows of 7 and of 30 days, none overlapping, that begin at so many origins."""
    return tuple(min(origins * step / h, float(origins)) for h in AHEAD[1:])


def _tried(
    record: Tried, groups: Groups, origin: Ints, unit: Ints, came: Floats, windows: tuple[float, ...],
    drifts: list[LevelDrift], number: int,
) -> tuple[Floats, tuple[LevelDrift, Floats]]:  # fmt: skip
    """Of one way: (O,) its score at each origin; with a day's luck, how wide its misses were."""
    means = foretold(record, groups, drifts[number], origin, unit, came.shape[2])
    each = [_free_score(means[:, k], came[:, k]) for k in range(len(AHEAD))]
    return np.sum(each, axis=0), _wide(drifts[number], means, came, windows)


def units(groups: Groups) -> Ints:
    """(C,) directed dyad of each channel."""
    of_group = dyads_of(groups)
    return np.array([of_group[g] if g >= 0 else 0 for g in groups.group], np.int64)


def foretold(
    record: Tried, groups: Groups, drift: LevelDrift, origin: Ints, unit: Ints, n_units: int
) -> Floats:  # fmt: skip
    """(O, A, U) mean that would have been said at each origin of each stretch of days ahead."""
    days, factor = record.days.scaled(drift.answers), record.factor
    system, slots, D = days.system, days.slots, days.n_days
    everything = np.arange(system.n_channels)
    share, levels = levels_of(groups, drift, days, factor, origin)
    H, n, G = max(AHEAD), len(origin), len(groups.names)
    week = np.stack(
        [np.resize(factor[d : d + 7], H) if d + 7 <= D else np.resize(factor[d - 7 : d], H) for d in origin]
    )
    mean, ground = np.zeros((n, H, n_units)), np.zeros((n, G))
    n_slots, C = len(slots.slot_target), system.n_channels
    pairs = pairs_of(system, slots)
    means_ahead(
        days.time, days.channel, origin, H,
        system.edge_start, system.edge_mechanism, system.edge_mass, slots.edge_slot, system.kernel_start,
        system.kernel_share, system.kernel_decay, *pairs, slots.slot_target, slots.slot_component, slots.slot_gate,
        system.channel_gate, days.gates, share, days.gated(everything), groups.group, levels.acts,
        levels.acts / np.maximum(levels.told, 1e-12), levels.means, drift.keep, drift.strength,
        week, unit, np.zeros(n_slots), np.zeros(n_slots), np.zeros(len(system.kernel_decay)),
        np.zeros(len(pairs.slot)), np.zeros(C), np.zeros(C), mean, ground, np.zeros(G), np.zeros(G),
    )  # fmt: skip
    total = np.cumsum(mean, axis=1, out=mean)[:, np.array(AHEAD) - 1]
    return np.maximum(total, 1e-9)


def _came(days: DaysBefore, origin: Ints, unit: Ints, n_units: int) -> Floats:
    """(O, A, U) acts that came in each stretch."""
    D, U = days.n_days, n_units
    by_unit = np.bincount(days.day * U + unit[days.of], minlength=D * U).reshape(D, U)
    total = np.concatenate([np.zeros((1, U)), np.cumsum(by_unit, axis=0)])
    return np.stack([total[origin + h] - total[origin] for h in AHEAD], axis=1)


def _score(mean: Floats, variance: Floats, came: Floats) -> Floats:
    """(O,) log score at each origin, summed over units: negative binomial."""
    variance = np.maximum(variance, 1.0001 * mean)
    size = mean**2 / (variance - mean)
    score = size * np.log(size / (size + mean))
    # Of most units nothing came, and of what did not come all other terms are nought.
    hit = came > 0
    came, mean, size = came[hit], mean[hit], size[hit]
    score[hit] = (
        special.gammaln(came + size) - special.gammaln(size) - special.gammaln(came + 1.0)
        + score[hit] + came * np.log(mean / (size + mean))
    )  # fmt: skip
    return np.asarray(score.sum(axis=1), np.float64)


def _free_score(mean: Floats, came: Floats) -> Floats:
    """(O,) log score at each origin by the best of all dispersions: variance = mean + (a + b * mean) * mean."""
    tried = (
        _score(mean, mean * (1.0 + a + b * mean), came) for a in (0.0, 0.3, 1.0, 2.5) for b in (0.05, 0.2, 0.5, 1.2)
    )
    return max(tried, key=lambda score: float(score.sum()))


def _wide(best: LevelDrift, told: Floats, came: Floats, windows: tuple[float, ...]) -> tuple[LevelDrift, Floats]:
    """A day's luck from single days; what levels were off over 7 and 30 days, beyond that luck, dyad by dyad."""
    scores = [_score(told[:, 0], x * told[:, 0] + 0.2 * told[:, 0] ** 2, came[:, 0]).sum() for x in SPREADS]
    spread = SPREADS[int(np.argmax(scores))]
    doubt = np.empty((told.shape[2], 2))
    for k in (1, 2):
        excess = ((came[:, k] - told[:, k]) ** 2 - spread * told[:, k]).sum(axis=0)
        base = (told[:, k] ** 2).sum(axis=0)
        # Misses of what was chosen to miss least: as many windows that do not overlap as there are, less those spent.
        n = windows[k - 1]
        spent = n / max(n - CHOSEN, 0.5 * n)
        pooled = max(float(excess.sum() / base.sum()), 0.02)
        doubt[:, k - 1] = spent * np.maximum((excess + PRIOR_WINDOWS * pooled) / (base + PRIOR_WINDOWS), 0.02)
    return best._replace(spread=spread), doubt
