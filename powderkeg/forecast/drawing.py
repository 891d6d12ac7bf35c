"""Histories ahead, set by set: numbers drawn from a fit, hours from their days, levels from their law.

In: a model, `Watched`, how many. Out: `Ahead`: `Runs` of each world, and every act's root among what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.draws import root_key
from powderkeg.engine.simulation.chunks import Chunk, Workspace
from powderkeg.engine.worlds import Past
from powderkeg.forecast.ahead import Paths, Turns, live, paths
from powderkeg.forecast.choice import Chosen, Tried, choose
from powderkeg.forecast.completed import Completed, imputed, is_hidden, order_last, past_at, with_hours
from powderkeg.forecast.ground import Ground, Groups, LevelDrift, ground_of, groups_of
from powderkeg.forecast.late import NEARLY, unseen
from powderkeg.forecast.links import expected_answers, gates_at, levels_along, links_of
from powderkeg.forecast.seen import Watched
from powderkeg.forecast.weeks import said_week, week_profile, weekdays
from powderkeg.model import Model, filled
from powderkeg.scenario import Reporting
from powderkeg.simulate import Runs
from powderkeg.simulate.workers import Spares, in_order, workers_for
from powderkeg.units import YEAR

LIMIT = 100_000
"""Acts in one history ahead before it is stopped and called exploded."""
SETS = 40
"""Sets of numbers, hours and levels' laws; draws are shared out among them."""
Way = tuple[LevelDrift, Floats]
"""How levels move, and how unsure they are (`Ground.doubt`)."""
WORLDS = Callable[[System, Mapping[str, float]], Turns]


@dataclass(frozen=True)
class Settings:
    """What of the model of reporting and of the background is used.

    background  "local": a level that drifts, estimated; "scenario": the scenario's rates and courses as they stand
    weekdays    days of the week are reported unevenly
    spread      a pair's days are luckier or less
    mechanisms  earlier acts set off later ones;  absent: mechanisms that do not
    late        reports that are still to come are reckoned with
    drift       levels move on; without, they stay where they are, as unsure as they are
    said        what the scenario says of the source, for its weekdays and holidays; None: they are estimated
    """

    background: str = "local"
    weekdays: bool = True
    spread: bool = True
    mechanisms: bool = True
    drift: bool = True
    said: Reporting | None = None
    absent: frozenset[int] = frozenset()
    late: bool = True


@dataclass(frozen=True)
class Ahead:
    """Histories ahead in one world; rows (N,) of the act seen that each act descends from, -1 for the background, -2
    for what was put in by hand or by a policy; level (R, S) facts at the origin."""

    runs: Runs
    root: Ints
    level: Ints
    ground: Ground


def answering(system: System, settings: Settings) -> System:
    """The same arrays without the answers of mechanisms that are left out."""
    if not settings.mechanisms:
        return system._replace(edge_mass=np.zeros_like(system.edge_mass))
    if not settings.absent:
        return system
    gone = np.isin(system.edge_mechanism, list(settings.absent))
    return system._replace(edge_mass=np.where(gone, 0.0, system.edge_mass))


class Draughtsman:
    """What all sets share: counts, the week, how fast levels drift."""

    def __init__(
        self, model: Model, seen: Watched, days: int, settings: Settings, sets: list[dict[str, float]], seed: int,
        drift: LevelDrift | None = None, workers: int | None = None,
    ) -> None:  # fmt: skip
        self.model, self.seen, self.days, self.settings, self.seed = model, seen, days, settings, seed
        self.sets = sets
        self.groups: Groups = groups_of(model)
        self.counts = seen.counts(model.n_channels)
        self.shown = seen.shown(model) if settings.late else np.ones((1, model.n_channels))
        self.day = weekdays(seen.start, len(self.counts))
        total = self.counts.sum(axis=1)
        self.week = week_profile(total, seen.start) if settings.weekdays else np.ones(7)
        ahead = weekdays(seen.origin, days)
        if settings.said is not None and settings.weekdays:
            self.week, kinds = said_week(settings.said, seen.start, (seen.origin - seen.start).days + days)
            self.day, ahead = kinds[: len(self.counts)], kinds[len(kinds) - days :]
        self.week_ahead = self.week[ahead]
        self.hidden = is_hidden(model.system, model.n_acts)
        system = self._system({})
        self.links = links_of(system)
        rng = np.random.default_rng([seed, 0x66637374])
        time = with_hours(seen, rng)
        self.chosen = self._chosen(system, time, workers)
        if drift is not None:
            self.chosen = Chosen((drift,), (self.chosen.doubts[0],), np.zeros((1, 0)))
        self.way = self.chosen.drifts[0], self.chosen.doubts[0]
        self.point = self._ground(self._scaled(system, self.way[0]), time, self.way)

    def _system(self, values: Mapping[str, float]) -> System:
        system = filled(self.model, values) if values else self.model.system
        return answering(system, self.settings)

    def _scaled(self, system: System, drift: LevelDrift) -> System:
        """The answers that the record bears out: see `LevelDrift.answers`."""
        return system._replace(edge_mass=system.edge_mass * drift.answers)

    def _borne_out(self, turns: Turns, drift: LevelDrift) -> Turns:
        """The same with the answers of every system scaled as those of the world without."""
        scaled = tuple((at, self._scaled(system, drift), idle, levels) for at, system, idle, levels in turns.turns)
        return replace(turns, turns=scaled)

    def _chosen(self, system: System, time: Floats, workers: int | None) -> Chosen:
        """How levels move, as it would have foretold best; the scenario's own answers stay as they are."""
        order = np.argsort(time, kind="stable")
        time, channel = time[order], self.seen.channel[order]
        factor = self.week[self.day]
        gates = self._gates(system, time, channel)
        whole = len(self.counts) - int((self.shown < NEARLY).any(axis=1).sum() if len(self.shown) > 1 else 0)
        record = Tried(system, self.links, time, channel, self.counts, gates, factor, whole)
        free = self.settings.mechanisms and self.settings.background == "local"
        found = choose(record, self.groups, free, workers)
        if self.settings.background == "scenario":
            return found._replace(drifts=tuple(one._replace(answers=1.0) for one in found.drifts))
        return found

    def _gates(self, system: System, time: Floats, channel: Ints) -> Floats:
        return gates_at(system, levels_along(self._watched(system), time, channel, len(self.counts)))

    def _watched(self, system: System) -> System:
        """The system with its known paths on the clock of what was watched."""
        return system._replace(turn_time=system.turn_time - self.seen.shift) if len(system.turn_time) else system

    def _ground(self, system: System, time: Floats, way: Way, channel: Ints | None = None) -> Ground:
        """The levels that acts at these times leave; by default those seen."""
        return self._explained(system, time, self.seen.channel if channel is None else channel, way)[0]

    def _explained(self, system: System, time: Floats, channel: Ints, way: Way) -> tuple[Ground, Floats]:
        """The levels, and the acts a day that (D, C) channels are expected to have, seen or not."""
        order = np.argsort(time, kind="stable")
        time, channel = time[order], channel[order]
        gates = self._gates(system, time, channel)
        expected, _ = expected_answers(system, self.links, time, channel, len(self.counts), gates)
        open_ = gates[:, system.background_gate] * gates[:, system.channel_gate]
        ground = ground_of(
            self.groups, *way, self.counts, expected * self.shown, open_ * self.shown, self.week,
            self.day,
        )  # fmt: skip
        own = np.zeros(system.n_channels)
        known = ground.group >= 0
        own[known] = ground.level[ground.group[known]] * ground.share[known]
        return ground, self.week[self.day][:, None] * (open_ * own + expected)

    def _with_late(
        self, system: System, time: Floats, way: Way, rng: np.random.Generator
    ) -> tuple[Floats, Ints]:  # fmt: skip
        """((N,) times, channels) of acts that came and are not entered yet, drawn: first as those seen let expect, then
        as those seen and those let expect."""
        if len(self.shown) == 1:
            return np.zeros(0), np.zeros(0, np.int64)
        more, channel = np.zeros(0), np.zeros(0, np.int64)
        for _ in range(2):
            times, channels = np.concatenate([time, more]), np.concatenate([self.seen.channel, channel])
            _, rate = self._explained(system, times, channels, way)
            more, channel = unseen(self.shown, rate, rng)
        return more, channel

    def one(self, number: int, first: int, draws: int, worlds: list[WORLDS], space: Workspace) -> list[Any]:
        """Set `number`: for each world its chunks; the completed past; the levels of facts at the origin."""
        rng = np.random.default_rng([self.seed, number, 0x66637374])
        values = self.sets[number % len(self.sets)] if self.sets else {}
        way = self.chosen.of_set(rng) if self.settings.background == "local" else self.way
        system = self._scaled(self._system(values), way[0])
        if self.hidden:
            completed = imputed(system, self.model.n_acts, self.seen, self.seed, number)
            time, channel = completed.past.time - self.seen.shift, completed.past.channel
            own, of_own = time[completed.row >= 0], channel[completed.row >= 0]
        else:
            own = with_hours(self.seen, rng)
            gates = self._gates(system, own, self.seen.channel)[-1]
            own = order_last(self.seen, own, system, self._rate(system, gates), gates, rng)
            late, of_late = self._with_late(system, own, way, rng)
            time, channel = np.concatenate([own, late]), np.concatenate([self.seen.channel, of_late])
            completed = past_at(self.seen, time, channel, system)
            own, of_own = time, channel
        ground = self._ground(system, own, way, of_own)
        path = self._paths(system, ground, draws, rng)
        order = np.argsort(time, kind="stable")
        level = levels_along(self._watched(system), time[order], channel[order], len(self.counts))[-1]
        root = root_key(self.seed)
        lived = [
            live(
                system,
                completed.past,
                path,
                self._borne_out(build(system, values), way[0]),
                root,
                first,
                LIMIT,
                space,
            )
            for build in worlds
        ]
        return [lived, completed, np.tile(level, (draws, 1))]

    def _rate(self, system: System, gates: Floats) -> Floats:
        """(C,) background as it stands, its gates taken in."""
        if self.settings.background == "scenario":
            rate = system.rate
        else:
            known = self.point.group >= 0
            rate = np.zeros(system.n_channels)
            rate[known] = self.point.level[self.point.group[known]] * self.point.share[known]
        return np.maximum(rate * gates[system.background_gate] * gates[system.channel_gate], 1e-12)

    def _paths(self, system: System, ground: Ground, draws: int, rng: np.random.Generator) -> Paths:
        if not self.settings.spread:
            ground = replace(ground, drift=ground.drift._replace(spread=1.0))
        if not self.settings.drift:
            ground = replace(ground, drift=ground.drift._replace(half_life=np.inf))
        made = paths(ground, self.week_ahead, draws, rng)
        if self.settings.background == "scenario":
            shape = courses_ahead(system, self.seen.begin, self.days)
            rate = system.rate * shape * made.times[:, :, self.groups.pair]
            return Paths(rate, made.times, made.week)
        # Facts that come up by themselves keep the scenario's rates.
        made.rate[:, :, self.model.n_acts :] = system.rate[self.model.n_acts :]
        return made


def courses_ahead(system: System, begin: float, days: int) -> Floats:
    """(days, C) factor of each channel's profile at the middle of each day ahead."""
    factor = np.ones((days, system.n_channels))
    middle = begin + np.arange(days) + 0.5
    for p in range(len(system.profile_start) - 1):
        rows = slice(int(system.profile_start[p]), int(system.profile_start[p + 1]))
        step = np.searchsorted(system.step_time[rows], middle, side="right") - 1
        season = 1.0 + system.profile_swing[p] * np.cos(2 * np.pi * (middle - system.profile_peak[p]) / YEAR)
        factor[:, system.profile == p] = (system.step_value[rows][np.maximum(step, 0)] * season)[:, None]
    return factor


def draw(
    drawer: Draughtsman, draws: int, worlds: list[WORLDS], workers: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Ahead]:  # fmt: skip
    """All draws of all worlds, paired: draw r of each world shares its numbers, hours, levels and luck."""
    n_sets = min(SETS, draws)
    edges = np.linspace(0, draws, n_sets + 1).astype(np.int64)
    n_workers = workers_for(n_sets, workers)
    spaces = Spares([Workspace() for _ in range(n_workers)])

    def work(number: int) -> list[Any]:
        with spaces.one() as space:
            first = int(edges[number])
            return drawer.one(number, first, int(edges[number + 1]) - first, worlds, space)

    done: list[list[Any]] = []
    for one in in_order(partial(work), n_sets, n_workers):
        done.append(one)
        if progress is not None:
            progress(len(done) / n_sets)
    level = np.concatenate([one[2] for one in done])
    found = []
    for w in range(len(worlds)):
        chunks = [chunk for one in done for chunk in one[0][w]]
        completed = [one[1] for one, a, b in zip(done, edges, edges[1:], strict=False) for _ in range(int(b - a))]
        runs = _runs(drawer, chunks)
        found.append(Ahead(runs, roots(chunks, completed), level, drawer.point))
    return found


def _runs(drawer: Draughtsman, chunks: list[Chunk]) -> Runs:
    def join(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(chunk, name) for chunk in chunks])

    counts = join("n_events")
    return Runs(
        model=drawer.model,
        seed=drawer.seed,
        days=float(drawer.days),
        replicates=len(chunks),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        time=join("time"),
        channel=join("channel"),
        parent=join("parent"),
        mechanism=join("mechanism"),
        exploded=join("exploded"),
        reached=join("reached"),
        limit=LIMIT,
        level_time=join("level_time").reshape(len(chunks), -1),
        level_first=join("level_first").reshape(len(chunks), -1),
        begin=drawer.seen.begin,
        candidates=int(join("n_candidates").sum()),
        asked=len(chunks),
    )


def roots(chunks: list[Chunk], completed: list[Completed]) -> Ints:
    """For every act ahead the row of the act seen that it goes back to; -1 where it goes back to none."""
    found = []
    for chunk, one in zip(chunks, completed, strict=True):
        root = np.full(len(chunk.parent), -1, np.int64)
        parent = chunk.parent
        old = parent <= -2
        root[old] = one.row[-2 - parent[old].astype(np.int64)]
        for i in np.flatnonzero(parent >= 0).tolist():  # parents stand before their children
            root[i] = root[parent[i]]
        found.append(root)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


__all__ = ["Ahead", "Draughtsman", "Past", "Settings", "draw"]
