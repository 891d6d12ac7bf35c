"""Histories ahead, set by set: numbers drawn from a fit, hours from their days, levels from their law.

In: a model, `Watched`, how many. Out: `Ahead`: `Runs` of each world, and every act's root among what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.draws import root_key
from powderkeg.engine.simulation.chunks import Workspace
from powderkeg.engine.worlds import Past
from powderkeg.forecast.ahead import DriftingLevels, Paths, Turns, drift, live, luck
from powderkeg.forecast.choice import Chosen, Tried, choose
from powderkeg.forecast.completed import imputed, is_hidden, order_last, past_at, with_hours
from powderkeg.forecast.days_before import DaysBefore
from powderkeg.forecast.ground import Ground, Groups, LevelDrift, ground_of, groups_of
from powderkeg.forecast.late import NEARLY, unseen
from powderkeg.forecast.links import gates_at, levels_along, links_of
from powderkeg.forecast.seen import Watched
from powderkeg.forecast.short import LONG, Leaning, leaning, with_answers
from powderkeg.forecast.weeks import said_week, week_profile, weekdays
from powderkeg.model import Model, filled
from powderkeg.scenario import Reporting
from powderkeg.simulate import Runs
from powderkeg.simulate.gathering import Gathered
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
        progress: Callable[[float], None] | None = None,
    ) -> None:  # fmt: skip
        self.model, self.seen, self.days, self.settings, self.seed = model, seen, days, settings, seed
        self.sets = sets
        self.groups: Groups = groups_of(model)
        self.n_days = seen.n_days
        self.shown = seen.shown(model) if settings.late else np.ones((1, model.n_channels))
        self.day = weekdays(seen.start, self.n_days)
        total = np.bincount(seen.day, minlength=self.n_days).astype(np.float64)
        self.week = week_profile(total, seen.start) if settings.weekdays else np.ones(7)
        ahead = weekdays(seen.origin, days)
        if settings.said is not None and settings.weekdays:
            self.week, kinds = said_week(settings.said, seen.start, (seen.origin - seen.start).days + days)
            self.day, ahead = kinds[: self.n_days], kinds[len(kinds) - days :]
        self.week_ahead = self.week[ahead]
        self.hidden = is_hidden(model.system, model.n_acts)
        system = self._system({})
        self.links = links_of(system)
        rng = np.random.default_rng([seed, 0x66637374])
        time = with_hours(seen, rng)
        self.chosen = self._chosen(system, time, workers, progress)
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

    def _chosen(
        self, system: System, time: Floats, workers: int | None, progress: Callable[[float], None] | None
    ) -> Chosen:
        """How levels move, as it would have foretold best; the scenario's own answers stay as they are."""
        whole = self.n_days - int((self.shown < NEARLY).any(axis=1).sum() if len(self.shown) > 1 else 0)
        days = self._days_before(system, time, self.seen.channel, np.ones((1, self.model.n_channels)))
        record = Tried(days, self.week[self.day], whole)
        free = self.settings.mechanisms and self.settings.background == "local"
        found = choose(record, self.groups, free, workers, progress)
        if self.settings.background == "scenario":
            return found._replace(drifts=tuple(one._replace(answers=1.0) for one in found.drifts))
        return found

    def _days_before(self, system: System, time: Floats, channel: Ints, shown: Floats) -> DaysBefore:
        """What came, and what acts at these times explain of it."""
        order = np.argsort(time, kind="stable")
        time, channel = np.ascontiguousarray(time[order]), np.ascontiguousarray(channel[order])
        gates = self._gates(system, time, channel)
        seen = self.seen
        if self.n_days < LONG:  # the scenario's rates count: those that its courses give now
            system = system._replace(rate=self._rates_now(system))
        return DaysBefore(system, self.links, time, channel, seen.day, seen.channel, self.n_days, gates, shown)

    @property
    def lean(self) -> Leaning:
        """How far the record leans on the scenario's rates, which are those that its courses give now."""
        return leaning(self.n_days, float(self._rates_now(self.model.system)[: self.model.n_acts].sum()))

    def said(self) -> Floats:
        """(C,) acts a day by the scenario as things stand at the origin, answers and all."""
        system = self._system({})
        gates = self._gates(system, self.seen.time, self.seen.channel)[-1]
        open_ = gates[system.channel_gate]
        return with_answers(system, self._rates_now(system) * gates[system.background_gate] * open_)

    def _rates_now(self, system: System) -> Floats:
        """(C,) acts a day by themselves, as the courses of the scenario have them at the origin."""
        return np.asarray(system.rate * courses_ahead(system, self.seen.begin, 1)[0])

    def _gates(self, system: System, time: Floats, channel: Ints) -> Floats:
        return gates_at(system, levels_along(self._watched(system), time, channel, self.n_days))

    def _watched(self, system: System) -> System:
        """The system with its known paths on the clock of what was watched."""
        return system._replace(turn_time=system.turn_time - self.seen.shift) if len(system.turn_time) else system

    def _ground(self, system: System, time: Floats, way: Way, channel: Ints | None = None) -> Ground:
        """The levels that acts at these times leave; by default those seen."""
        record = self._days_before(system, time, self.seen.channel if channel is None else channel, self.shown)
        return ground_of(self.groups, *way, record, self.week, self.day)

    def _expected(self, system: System, time: Floats, channel: Ints, way: Way) -> Floats:
        """(D, C) acts a day that channels are expected to have, seen or not."""
        record = self._days_before(system, time, channel, self.shown)
        ground = ground_of(self.groups, *way, record, self.week, self.day)
        own = np.zeros(system.n_channels)
        known = ground.group >= 0
        own[known] = ground.level[ground.group[known]] * ground.share[known]
        everything = np.arange(system.n_channels)
        return np.asarray(self.week[self.day][:, None] * (record.gated(everything) * own + record.answers(everything)))

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
            rate = self._expected(system, times, channels, way)
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
        level = levels_along(self._watched(system), time[order], channel[order], self.n_days)[-1]
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
        levels: DriftingLevels | None = drift(ground, self.days, draws, rng)
        times = luck(ground, self.week_ahead, draws, rng)
        # Facts that come up by themselves keep the scenario's rates.
        fixed = system.rate[None, :]
        if self.settings.background == "scenario":
            levels, fixed = None, system.rate * courses_ahead(system, self.seen.begin, self.days)
        return Paths(
            levels, ground.share, ground.group, fixed, self.model.n_acts, self.groups.pair, times, self.week_ahead
        )


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

    gathered = [Gathered(draws) for _ in worlds]
    root: list[list[Ints]] = [[] for _ in worlds]
    level = []
    for number, (lived, completed, levels) in enumerate(in_order(work, n_sets, n_workers)):
        level.append(levels)
        for chunks, into, roots in zip(lived, gathered, root, strict=True):
            for chunk in chunks:
                into.add(chunk)
                roots.append(roots_of(chunk.parent, completed.row))
        if progress is not None:
            progress((number + 1) / n_sets)
    facts = np.concatenate(level)
    return [
        Ahead(_runs(drawer, into, draws), np.concatenate(roots), facts, drawer.point)
        for into, roots in zip(gathered, root, strict=True)
    ]


def _runs(drawer: Draughtsman, made: Gathered, draws: int) -> Runs:
    return Runs(
        model=drawer.model,
        seed=drawer.seed,
        days=float(drawer.days),
        replicates=draws,
        offsets=np.concatenate([[0], np.cumsum(made.column("n_events"))]).astype(np.int64),
        time=made.column("time"),
        channel=made.column("channel"),
        parent=made.column("parent"),
        mechanism=made.column("mechanism"),
        exploded=made.column("exploded"),
        reached=made.column("reached"),
        limit=LIMIT,
        level_time=made.column("level_time").reshape(draws, -1),
        level_first=made.column("level_first").reshape(draws, -1),
        begin=drawer.seen.begin,
        candidates=int(made.column("n_candidates").sum()),
        asked=draws,
    )


def roots_of(parent: NDArray[np.int32], row: Ints) -> Ints:
    """For every act of one history the row of the act seen that it goes back to; -1 where it goes back to none.

    parent  as in `Chunk`;  row (acts of the past,) of each in the table
    """
    root = np.full(len(parent), -1, np.int64)
    old = parent <= -2
    root[old] = row[-2 - parent[old].astype(np.int64)]
    waiting = np.flatnonzero(parent >= 0)
    known = parent < 0
    while len(waiting):  # a generation at a time
        after = known[parent[waiting]]
        now = waiting[after]
        root[now] = root[parent[now]]
        known[now] = True
        waiting = waiting[~after]
    return root


__all__ = ["Ahead", "Draughtsman", "Past", "Settings", "draw"]
