"""One set of numbers, many histories ahead: each with its own level of the background, drifting day by day.

In: a model's arrays, the past with its hours, a `Ground`, the worlds to live in. Out: events as the simulation
gives them.

Every day ahead is a phase of the world, with rates and answers of its own: level times weekday times what the pair of
actors has of luck that day. All draws of a set share tables, whose ceilings are the highest that any needs, and only
the numbers of the phases are put in anew for each. Worlds that differ by an intervention are proposed over the
same ceilings with the same keys, so what the intervention does not touch stays the same, event for event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.simulation.chunks import Chunk, Workspace, simulate_chunk
from powderkeg.engine.simulation.tables import Tables, tables
from powderkeg.engine.worlds import ForcedAct, Past, Phase, StandingPolicy, World, known_facts, path_at
from powderkeg.forecast.ground import Ground

LEAST_SHAPE = 0.15
"""Smallest shape of a day's luck: below it nearly all days of a pair are empty and few are crowded."""
OVER = 1.0 + 1e-9
WEEKS_TO_30 = 0.97
"""Weekly steps that count in the mean over 30 days: those of days 7, 14, 21, 28 weigh (23, 16, 9, 2) / 30, squared."""


@dataclass(frozen=True)
class Paths:
    """What multiplies what, for R draws and H days ahead.

    rate   (R, H, C) acts a day of the background, gates aside
    times  (R, H, P) factor on the background of a pair of actors: weekday and luck
    week   (H,) factor on answers. Luck on answers too would make answers of answers explode on a lucky day
    """

    rate: Floats
    times: Floats
    week: Floats


@dataclass(frozen=True)
class Turns:
    """A world in which something is done: systems in force from a day of the forecast on, acts, policies.

    turns  (day from the origin on, its arrays, channels that are idle, facts set then); by day
    """

    turns: tuple[tuple[float, System, Ints, tuple[tuple[int, int], ...]], ...] = ()
    acts: tuple[ForcedAct, ...] = ()
    policies: tuple[StandingPolicy, ...] = ()


def paths(ground: Ground, week: Floats, draws: int, rng: np.random.Generator) -> Paths:
    """Levels, weekdays and luck of `draws` histories.

    week  (H,) density of each day ahead
    """
    H, G = len(week), len(ground.shape)
    level = drift(ground, H, draws, rng)
    times = np.empty((draws, H, len(ground.busy)))
    if ground.drift.spread > 1.0:
        shape = np.maximum(ground.busy / (ground.drift.spread - 1.0), LEAST_SHAPE)
        times[:] = rng.standard_gamma(np.broadcast_to(shape, times.shape)) / shape
    else:
        times[:] = 1.0
    times *= week[None, :, None]
    known = ground.group >= 0
    rate = np.zeros((draws, H, len(ground.group)))
    if G:
        rate[:, :, known] = level[:, :, ground.group[known]] * ground.share[known] * times[:, :, ground.pair[known]]
    return Paths(rate, times, week)


def drift(ground: Ground, days: int, draws: int, rng: np.random.Generator) -> Floats:
    """(draws, days, G) levels of the days ahead: on the mean they go to what they are drawn to.

    All levels of a dyad are off by one Gamma factor, as far as levels were off over a week before; from week to week
    they move on, so far that over 30 days they are as far off as they were over 30 days.
    """
    keep, strength = ground.drift.keep, ground.drift.strength
    a, b = ground.shape.copy(), ground.exposure.copy()
    mean = np.empty((days, len(a)))
    for d in range(days):
        mean[d] = a / b
        a = keep * a + (1.0 - keep) * strength
        b = keep * b + (1.0 - keep) * strength / ground.slow
    factor = np.empty((draws, days, len(ground.doubt)))
    now = _gamma(np.minimum(ground.doubt[:, 0], ground.doubt[:, 1]), draws, rng)
    step = (
        np.maximum(ground.doubt[:, 1] - ground.doubt[:, 0], 0.0) / WEEKS_TO_30
        if keep < 1.0
        else 0.0 * ground.doubt[:, 0]
    )
    for d in range(days):
        if d and d % 7 == 0:
            now = now * _gamma(step, draws, rng)
        factor[:, d] = now
    return mean * factor[:, :, ground.unit]


def _gamma(variance: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """(draws, U) factors of mean 1 and these variances; exactly 1 where the variance is 0."""
    shape = 1.0 / np.maximum(variance, 1e-9)
    drawn = rng.standard_gamma(np.broadcast_to(shape, (draws, len(variance)))) / shape
    return np.where(variance > 1e-9, drawn, 1.0)


@dataclass(frozen=True)
class Stretch:
    """A stretch of days ahead over which one set of arrays is in force.

    at     days from the origin on;  day: index into the paths
    idle   (C,) channels that do nothing;  levels: facts set at its beginning
    """

    at: float
    day: int
    system: System
    factor: Floats
    more: Floats
    levels: tuple[tuple[int, int], ...]


def stretches(system: System, turns: Turns, days: int, begin: float = 0.0) -> list[Stretch]:
    """Each day ahead, cut where a turn of the world comes within it, or a fact with a known path turns.

    begin  the origin on the clock of the systems

    Rates of a turn scale the level: twice the rate is twice the level; where the rate was 0 they are added to it.
    """
    C = system.n_channels
    followed = (system, *(changed for _, changed, *_ in turns.turns))
    facts = known_facts(followed)
    turning = {float(t) - begin for one in followed for t in one.turn_time}
    begun = {*map(float, range(days)), *(at for at, *_ in turns.turns if 0.0 <= at < days)}
    times = sorted(begun | {at for at in turning if 0.0 < at < days})
    cut = []
    now, factor, more = system, np.ones(C), np.zeros(C)
    for at in times:
        levels: tuple[tuple[int, int], ...] = ()
        for first, changed, idle, set_then in turns.turns:
            if first == at:
                now, levels = changed, set_then
                known = system.rate > 0
                factor = np.where(known, changed.rate / np.where(known, system.rate, 1.0), 1.0)
                more = np.where(known, 0.0, changed.rate)
                factor[idle] = more[idle] = 0.0
        levels += tuple(path_at(now, begin + at, facts).items())
        cut.append(Stretch(at, int(at), now, factor, more, levels))
    return cut


def live(
    system: System, past: Past, path: Paths, turns: Turns, root: np.uint64, first: int, limit: int,
    space: Workspace,
) -> list[Chunk]:  # fmt: skip
    """The histories of one set, replicate `first` on, each over its own path; see `Turns` for the world."""
    R, H, C = path.rate.shape
    cut = stretches(system, turns, H, past.begin)
    made = _tables(system, past, path, cut, turns)
    at, begin = made.at, past.begin
    chunks = []
    expected = 2.0 * float(path.rate.sum()) / R + 100.0
    for r in range(R):
        for p, one in enumerate(cut, 1):
            rates = made.floats[at.rate + p * C : at.rate + (p + 1) * C]
            rates[:] = path.rate[r, one.day] * one.factor + one.more
            mass = made.floats[at.mass + p * at.n_mass : at.mass + (p + 1) * at.n_mass]
            mass[:] = one.system.edge_mass * path.week[one.day]
        chunk = simulate_chunk(
            made, root, first + r, first + r + 1, begin, begin + H, limit, space, expected, False, past.complete
        )
        assert chunk is not None  # nobody stops it from outside
        chunks.append(chunk)
    return chunks


def _tables(system: System, past: Past, path: Paths, cut: list[Stretch], turns: Turns) -> Tables:
    """The tables of all draws of a set: proposals at the highest that any of them needs on any day."""
    flat: dict[str, Any] = {
        "profile": np.full(system.n_channels, -1, np.int64),
        "profile_start": np.zeros(1, np.int64),
        "step_time": np.zeros(0), "step_value": np.zeros(0), "profile_swing": np.zeros(0), "profile_peak": np.zeros(0),
    }  # fmt: skip
    rates = path.rate.max(axis=0)
    base = system._replace(**flat, rate=rates.max(axis=0) * OVER, edge_mass=system.edge_mass * path.week.max() * OVER)
    phases = [Phase(-np.inf, base)]
    for one in cut:
        top = one.system._replace(
            **flat,
            rate=rates[one.day] * one.factor + one.more,
            edge_mass=one.system.edge_mass * path.week[one.day],
        )
        phases.append(Phase(past.begin + one.at, top, one.levels))
    made = tables(World(base, tuple(phases), turns.acts, turns.policies, 0), past)
    # Nothing is certain: the numbers of the phases are put in later, draw by draw.
    made.entry.reshape(-1, 8)[:, 5] = 0
    n = int(made.ints[made.at.stream + 2 * made.at.n_streams + 1])
    made.ints[made.at.background + 2 : made.at.background + 3 * n : 3] = 0
    return made
