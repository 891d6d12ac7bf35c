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
from powderkeg.engine.forecast.rates import levelled_rates, raise_to
from powderkeg.engine.simulation.chunks import Chunk, Workspace, simulate_chunk
from powderkeg.engine.simulation.tables import Tables, tables
from powderkeg.engine.worlds import ForcedAct, Past, Phase, StandingPolicy, World, known_facts, path_at
from powderkeg.forecast.ground import Ground

LEAST_SHAPE = 0.15
"""Smallest shape of a day's luck: below it nearly all days of a pair are empty and few are crowded."""
OVER = 1.0 + 1e-9
AFTER = np.array([30.0, 23.0, 16.0, 9.0, 2.0, 0.0]) / 30.0
"""Share of 30 days from the beginning on, and from each weekly step on: those of days 7, 14, 21 and 28."""


@dataclass(frozen=True)
class DriftingLevels:
    """Levels of R draws. mean (H, G) of every draw; factor (R, weeks, U) of each dyad's; unit (G,) dyad of each."""

    mean: Floats
    factor: Floats
    unit: Ints


@dataclass(frozen=True)
class Paths:
    """What multiplies what, for R draws and H days ahead. Rates are made draw by draw: all at once would not fit where
    there are many channels.

    levels   where the background drifts; then share, group (C,) are those of `Ground`
    fixed    (H or 1, C) acts a day of what no level moves: all channels, or with levels those from `n_acts` on
    pair     (C,) pair of actors of each channel
    times    (R, H, P) factor on the background of a pair of actors: weekday and luck
    week     (H,) factor on answers. Luck on answers too would make answers of answers explode on a lucky day
    """

    levels: DriftingLevels | None
    share: Floats
    group: Ints
    fixed: Floats
    n_acts: int
    pair: Ints
    times: Floats
    week: Floats

    @property
    def draws(self) -> int:
        return len(self.times)

    def rate(self, r: int, into: Floats | None = None) -> Floats:
        """(H, C) acts a day of the background in one draw, gates aside; `into` is overwritten with it."""
        if self.levels is None:
            return np.asarray(self.fixed * self.times[r][:, self.pair])
        rate = np.empty((len(self.week), len(self.group))) if into is None else into
        levels = self.levels
        levelled_rates(
            levels.mean, levels.factor[r], levels.unit, self.group, self.share, self.times[r], self.pair, self.n_acts,
            rate,
        )  # fmt: skip
        rate[:, self.n_acts :] = self.fixed[:, self.n_acts :]
        return rate

    def highest(self) -> tuple[Floats, float]:
        """(H, C) highest rate in any draw, and the sum of all rates of all draws."""
        most, total, room = self.rate(0), 0.0, np.empty((len(self.week), len(self.group)))
        for r in range(self.draws):
            total += float(raise_to(most, self.rate(r, room)))
        return most, total


@dataclass(frozen=True)
class Turns:
    """A world in which something is done: systems in force from a day of the forecast on, acts, policies.

    turns  (day from the origin on, its arrays, channels that are idle, facts set then); by day
    """

    turns: tuple[tuple[float, System, Ints, tuple[tuple[int, int], ...]], ...] = ()
    acts: tuple[ForcedAct, ...] = ()
    policies: tuple[StandingPolicy, ...] = ()


def luck(ground: Ground, week: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """(draws, H, P) weekdays and luck of each pair of actors.

    week  (H,) density of each day ahead
    """
    times = np.empty((draws, len(week), len(ground.busy)))
    if ground.drift.spread > 1.0:
        shape = np.maximum(ground.busy / (ground.drift.spread - 1.0), LEAST_SHAPE)
        times[:] = rng.standard_gamma(np.broadcast_to(shape, times.shape))
        times /= shape
    else:
        times[:] = 1.0
    times *= week[None, :, None]
    return times


def drift(ground: Ground, days: int, draws: int, rng: np.random.Generator) -> DriftingLevels:
    """Levels of the days ahead: on the mean they go to what they are drawn to.

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
    factor = np.empty((draws, -(-days // 7), len(ground.doubt)))
    now = _gamma(np.minimum(ground.doubt[:, 0], ground.doubt[:, 1]), draws, rng)
    step = weekly_step(*ground.doubt.T) if keep < 1.0 else 0.0 * ground.doubt[:, 0]
    for week in range(factor.shape[1]):
        if week:
            now = now * _gamma(step, draws, rng)
        factor[:, week] = now
    return DriftingLevels(mean, factor, ground.unit)


def weekly_step(week: Floats, month: Floats) -> Floats:
    """(U,) relative variance of the factor from week to week, by which the mean over 30 days of levels that are off by
    `week` at first has the relative variance `month`; 0 where that is no more than `week`.

    The second moment of that mean is (1 + week) times a polynomial of 1 + step whose coefficients are positive: it
    rises ever steeper, so Newton's steps from above come down to the root. Above it are
    where its slope at 1 leads, and where its last power alone would be enough.
    """
    weight = AFTER[:-1] ** 2 - AFTER[1:] ** 2
    excess = np.maximum((1.0 + month) / (1.0 + week), 1.0)
    rise = np.polynomial.Polynomial(weight)
    grown = np.minimum(1.0 + (excess - 1.0) / rise.deriv()(1.0), (excess / weight[-1]) ** (1.0 / (len(weight) - 1)))
    for _ in range(20):
        grown = grown - (rise(grown) - excess) / rise.deriv()(grown)
    return np.asarray(np.maximum(grown - 1.0, 0.0))


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
    R, H, C = path.draws, len(path.week), system.n_channels
    cut = stretches(system, turns, H, past.begin)
    highest, total = path.highest()
    made = _tables(system, past, path, highest, cut, turns)
    at, begin = made.at, past.begin
    chunks = []
    expected = 2.0 * total / R + 100.0
    for p, one in enumerate(cut, 1):
        mass = made.floats[at.mass + p * at.n_mass : at.mass + (p + 1) * at.n_mass]
        mass[:] = one.system.edge_mass * path.week[one.day]
    room = np.empty((H, C))
    for r in range(R):
        rate = path.rate(r, room)
        for p, one in enumerate(cut, 1):
            rates = made.floats[at.rate + p * C : at.rate + (p + 1) * C]
            rates[:] = rate[one.day] * one.factor + one.more
        chunk = simulate_chunk(
            made, root, first + r, first + r + 1, begin, begin + H, limit, space, expected, False, past.complete
        )
        assert chunk is not None  # nobody stops it from outside
        chunks.append(chunk)
    return chunks


def _tables(system: System, past: Past, path: Paths, rates: Floats, cut: list[Stretch], turns: Turns) -> Tables:
    """The tables of all draws of a set: proposals at the highest that any of them needs on any day, `rates` (H, C)."""
    flat: dict[str, Any] = {
        "profile": np.full(system.n_channels, -1, np.int64),
        "profile_start": np.zeros(1, np.int64),
        "step_time": np.zeros(0), "step_value": np.zeros(0), "profile_swing": np.zeros(0), "profile_peak": np.zeros(0),
    }  # fmt: skip
    base = system._replace(**flat, rate=rates.max(axis=0) * OVER, edge_mass=system.edge_mass * path.week.max() * OVER)
    phases = [Phase(-np.inf, base)]
    # Days that are reported alike share their answers: a copy for each would not fit where there are many links.
    masses: dict[tuple[int, float], Floats] = {}
    for one in cut:
        key = id(one.system), float(path.week[one.day])
        if key not in masses:
            masses[key] = one.system.edge_mass * path.week[one.day]
        top = one.system._replace(**flat, rate=rates[one.day] * one.factor + one.more, edge_mass=masses[key])
        phases.append(Phase(past.begin + one.at, top, one.levels))
    made = tables(World(base, tuple(phases), turns.acts, turns.policies, 0), past)
    # Nothing is certain: the numbers of the phases are put in later, draw by draw.
    made.entry.reshape(-1, 8)[:, 5] = 0
    n = int(made.ints[made.at.stream + 2 * made.at.n_streams + 1])
    made.ints[made.at.background + 2 : made.at.background + 3 * n : 3] = 0
    return made
