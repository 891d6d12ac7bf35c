"""By which way did it come: which acts, in what order?

In: histories that came to the last level. Out: for each the acts without which it would not have come so: who set off
whom, back to the spark, and who brought about the facts that these acts needed, and what set those off. A fact is
needed where the act's gate, at the level at which the fact stood, is open or at least `RAISED` times as high, and at
the level with which the fact began is not. What stands as it began was opened by nobody. An act that came several times
on one way is named once, where it came first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from powderkeg.engine.arrays import BACKGROUND, Ints, System
from powderkeg.engine.splitting.layout import DAY, Entrances
from powderkeg.engine.worlds import World
from powderkeg.model import Model

RAISED = 2.0
"""A fact that makes an act so many times as frequent is on the way to it; one that does less is not."""


TYPICAL = 0.5
"""An act on more than this share of the ways is on the typical one."""


OFTEN = 0.1
"""A fact that an act opened on more than this share of its ways is told of it."""


class Stop(NamedTuple):
    """An act on the way, whether it is in the chain of who set off whom, and the facts by which it opened it."""

    channel: int
    is_ancestor: bool
    opened: tuple[int, ...]


class Way(NamedTuple):
    """From the first act to the last, and how many days before the end each of them first came."""

    stops: tuple[Stop, ...]
    before: tuple[float, ...]


class PathsFound(NamedTuple):
    """Ways put together, see `told`."""

    paths: pl.DataFrame
    acts: pl.DataFrame
    typical: tuple[str, ...]


Turns = dict[int, tuple[list[float], list[int]]]


class Guide:
    """What needs which facts, in a world over a model."""

    def __init__(self, world: World) -> None:
        system = world.phases[0].system
        self.phases = world.phases
        self.first = system.initial_level.tolist()
        self.rows: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))
        for k in range(system.n_edges):
            at = (int(source[k]), int(system.edge_mechanism[k]), int(system.edge_target[k]))
            if int(system.edge_gate[k]) not in self.rows[at]:
                self.rows[at].append(int(system.edge_gate[k]))
        facts, levels = system.effect_fact.tolist(), system.effect_level.tolist()
        ends = system.effect_start.tolist()
        self.effects = [list(zip(facts[a:b], levels[a:b], strict=True)) for a, b in pairwise(ends)]

    def follow(self, entries: Entrances, i: int) -> Way:
        """The way of entry i; nobody's where no act brought it about, such as a world's phase that turned a fact."""
        events = slice(int(entries.start[i]), int(entries.start[i + 1]))
        if events.start == events.stop or entries.time[events.stop - 1] < entries.floats[i, DAY]:
            return Way((), ())
        time, channel = entries.time[events].tolist(), entries.channel[events].tolist()
        parent, mechanism = entries.parent[events].tolist(), entries.mechanism[events].tolist()
        turns = self._turns(time, channel, entries.done[events])
        end = len(time) - 1
        chain, place = set[int](), end
        while place >= 0:
            chain.add(place)
            place = parent[place]
        opened: dict[int, set[int]] = defaultdict(set)
        seen, waiting = {end}, [end]
        while waiting:
            place = waiting.pop()
            before = {parent[place]} if parent[place] >= 0 else set[int]()
            above = channel[parent[place]] if parent[place] >= 0 else -1
            rows = self._rows(channel[place], mechanism[place], above)
            for setter, fact in self._openers(rows, place, time[place], turns):
                opened[setter].add(fact)
                before.add(setter)
            waiting += before - seen
            seen |= before
        acts: dict[int, tuple[float, bool, set[int]]] = {}
        for e in sorted(seen):
            first, is_ancestor, facts = acts.get(channel[e], (time[end] - time[e], False, set()))
            acts[channel[e]] = (first, is_ancestor or e in chain, facts | opened[e])
        stops = tuple(Stop(c, ancestor, tuple(sorted(facts))) for c, (_, ancestor, facts) in acts.items())
        return Way(stops, tuple(first for first, _, _ in acts.values()))

    def _turns(self, time: list[float], channel: list[int], done: Ints) -> Turns:
        """For each fact that changed: where in the history, and to which level; changes between events lie between."""
        changes = [
            (bisect_left(time, phase.at) - 0.5, fact, level)
            for phase in self.phases[1:]
            for fact, level in phase.levels
        ]
        for e in np.flatnonzero(done).tolist():
            came = int(done[e])
            changes += [
                (float(e), *effect) for n, effect in enumerate(self.effects[channel[e]]) if came >> min(n, 62) & 1
            ]
        changes.sort(key=lambda change: change[0])
        turns: Turns = {}
        for place, fact, level in changes:
            places, to = turns.setdefault(fact, ([], []))
            if level != (to[-1] if to else self.first[fact]):
                places.append(place)
                to.append(level)
        return turns

    def _rows(self, channel: int, mechanism: int, above: int) -> list[int]:
        """Gate rows that an event had to pass; none where it was forced or a timer fired it."""
        system = self.phases[0].system
        if mechanism == BACKGROUND:
            return [int(system.channel_gate[channel]), int(system.background_gate[channel])]
        if mechanism < 0:
            return []
        return [int(system.channel_gate[channel]), *self.rows.get((above, mechanism, channel), ())]

    def _openers(self, rows: list[int], place: int, time: float, turns: Turns) -> Iterator[tuple[int, int]]:
        """(event, fact) that opened the gates of the event at a place."""
        system = self._system(time)
        for row in rows:
            for k in range(system.row_start[row], system.row_start[row + 1]):
                fact = int(system.entry_fact[k])
                places, to = turns.get(fact, ((), ()))
                n = bisect_left(places, place) - 1
                if n < 0 or places[n] != int(places[n]):  # stands as it began, or the world turned it
                    continue
                offset = int(system.entry_offset[k])
                now, first = system.level_factor[offset + to[n]], system.level_factor[offset + self.first[fact]]
                if now > first and now >= RAISED * first:
                    yield int(places[n]), fact

    def _system(self, time: float) -> System:
        system = self.phases[0].system
        for phase in self.phases[1:]:
            if phase.at <= time:
                system = phase.system
        return system


def sample(entries: Entrances, most: int) -> list[int]:
    """About `most` of the entries, each as often as its share of the weights."""
    until = np.cumsum(entries.weight)
    n = min(most, entries.n)
    return np.searchsorted(until, (np.arange(n) + 0.5) / n * until[-1]).tolist() if n else []


def told(model: Model, repetitions: Sequence[tuple[float, Sequence[Way]]]) -> PathsFound:
    """Ways of independent repetitions, each of which counts by its weight, put together.

    paths    path (acts in order, each with the facts by which it opened the way), steps, share, histories looked at;
             the commonest first
    acts     act, share of the ways it is on, ancestor (of these: in the chain of who set off whom), days_before
             (median, from when it first came to the end), opened (facts, if it opened them on a tenth of these ways
             at least); the commonest first
    typical  acts on more than half of the ways, in the order of days_before
    """
    total = sum(weight for weight, ways in repetitions if ways)
    share: dict[tuple[Stop, ...], float] = defaultdict(float)
    number: dict[tuple[Stop, ...], int] = defaultdict(int)
    on: dict[int, list[tuple[float, float, Stop]]] = defaultdict(list)
    for weight, ways in repetitions:
        each = weight / total / len(ways) if ways else 0.0
        for way in ways:
            key = tuple(stop._replace(is_ancestor=False) for stop in way.stops)
            share[key] += each
            number[key] += 1
            for stop, before in zip(way.stops, way.before, strict=True):
                on[stop.channel].append((before, each, stop))

    def name(channel: int, facts: Sequence[int]) -> str:
        opened = ", ".join(model.facts[fact] for fact in facts)
        return f"{model.channels[channel]} (opens {opened})" if opened else str(model.channels[channel])

    order = sorted(share, key=lambda key: (-share[key], key))
    paths = pl.DataFrame(
        {
            "path": [" > ".join(name(stop.channel, stop.opened) for stop in key) or "no act" for key in order],
            "steps": [len(key) for key in order],
            "share": [share[key] for key in order],
            "histories": [number[key] for key in order],
        },
        schema={"path": pl.String, "steps": pl.Int64, "share": pl.Float64, "histories": pl.Int64},
    )
    rows: list[dict[str, Any]] = []
    for channel, found in on.items():
        found.sort(key=lambda one: one[0])
        weights = np.array([each for _, each, _ in found])
        middle = int(np.searchsorted(np.cumsum(weights), 0.5 * weights.sum()))
        opened: dict[int, float] = defaultdict(float)
        for _, each, stop in found:
            for fact in stop.opened:
                opened[fact] += each
        often = sorted(fact for fact, times in opened.items() if times > OFTEN * weights.sum())
        mostly = [fact for fact in often if opened[fact] > TYPICAL * weights.sum()]
        rows.append(
            {
                "act": str(model.channels[channel]), "share": min(float(weights.sum()), 1.0),
                "ancestor": min(float(sum(each for _, each, stop in found if stop.is_ancestor) / weights.sum()), 1.0),
                "days_before": found[middle][0], "opened": [model.facts[fact] for fact in often],
                "_name": name(channel, mostly),
            }
        )  # fmt: skip
    rows.sort(key=lambda row: (-row["share"], -row["days_before"], row["act"]))
    typical = sorted((row for row in rows if row["share"] > TYPICAL), key=lambda row: -row["days_before"])
    acts = pl.DataFrame(
        rows,
        schema={"act": pl.String, "share": pl.Float64, "ancestor": pl.Float64, "days_before": pl.Float64,
                "opened": pl.List(pl.String)},
    )  # fmt: skip
    return PathsFound(paths, acts, tuple(row["_name"] for row in typical))
