"""A small system with a fact, its conditional law lived through in plain Python, and records made from it."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events import EventTable

TEXT = """
powderkeg: 1
name: quarrel
start: 2020-01-01
years: 2
actors: {north: , south: , guard: }
facts: {blocked: }
acts:
  block: {tone: hostile, cameo: "14"}
  answer: {tone: hostile, cameo: "11"}
  calm: {tone: cooperative, cameo: "03"}
moves:
  blocks: {who: north, does: block, to: south, rate: 0.2 per day, sets: [blocked]}
  answers: {who: south, does: answer, to: north, rate: 0.1 per day}
  calms: {who: guard, does: calm, to: north, rate: 0.1 per day, clears: [blocked]}
mechanisms:
  retaliation: {when: north blocks south, then: south answers north, answers: 0.6, half_life: 2 days}
  insistence: {when: south answers north, then: north blocks south, answers: 0.5, half_life: 4 days}
  visits: {when: north blocks south, then: guard calms north, answers: 0.4, half_life: 1 day}
gates:
  hot: {while: blocked, moves: [answers], factor: 2}
outcomes:
  calmed: {title: Somebody calms, any: {does: calm}}
  blocks: {title: Blockades, count: {does: block}}
interventions:
  no_retaliation: {set: {mechanisms.retaliation.answers: 0}}
  nothing: {title: Nothing changes}
"""
NAMES = (("north", "block", "south"), ("south", "answer", "north"), ("guard", "calm", "north"))
RATE = (0.2, 0.1, 0.1)
ANSWERS = {(0, 1): (0.6, 2.0), (1, 0): (0.5, 4.0), (0, 2): (0.4, 1.0)}
HOT = 2.0


def scenario() -> pk.Scenario:
    return pk.loads(TEXT)


def record(times: list[float], channels: list[int], days: float, resolution: str = "exact") -> EventTable:
    rows = [{"time": t, **dict(zip(("source", "act", "target"), NAMES[c], strict=True))}
            for t, c in zip(times, channels, strict=True)]  # fmt: skip
    return EventTable(pl.DataFrame(rows), date(2020, 1, 1), days, resolution)


def simulated(days: float, seed: int) -> EventTable:
    runs = pk.simulate(pk.compile(scenario()), days=days, replicates=1, seed=seed)
    frame = runs.table().frame.select("time", *(pl.col(name).cast(pl.String) for name in ("source", "act", "target")))
    return EventTable(frame, date(2020, 1, 1), days)


def by_day(table: EventTable) -> EventTable:
    return EventTable(table.frame.with_columns(pl.col("time").floor()), table.start, table.days, resolution="day")


def channels(table: EventTable) -> list[int]:
    return [NAMES.index(row) for row in table.frame.select("source", "act", "target").rows()]


def intensities(past: list[tuple[float, int]], blocked: bool, now: float) -> list[float]:
    """Of the three kinds of act, given all that happened and whether the road is blocked."""
    rate = list(RATE)
    for at, source in past:
        for (cause, effect), (mass, half_life) in ANSWERS.items():
            if cause == source:
                decay = math.log(2.0) / half_life
                rate[effect] += mass * decay * math.exp(-decay * (now - at))
    rate[1] *= HOT if blocked else 1.0
    return rate


def ahead(table: EventTable, days: float, paths: int, seed: int) -> np.ndarray:
    """(paths, 3) acts of each kind in `days` after the table's end: Ogata's thinning from a running ceiling."""
    rng = np.random.default_rng(seed)
    before = list(zip(table.frame["time"].to_list(), channels(table), strict=True))
    before = [(t, c) for t, c in before if t > table.days - 80.0]
    blocked_at_first = False
    for c in channels(table):
        blocked_at_first = c == 0 or (c == 1 and blocked_at_first)
    counts = np.zeros((paths, 3))
    for p in range(paths):
        past, blocked, now = list(before), blocked_at_first, table.days
        while True:
            rate = intensities(past, True, now)
            ceiling = sum(rate)
            now += rng.exponential(1.0 / ceiling)
            if now >= table.days + days:
                break
            rate = intensities(past, blocked, now)
            u = rng.random() * ceiling
            c = 0
            while c < 3 and u >= rate[c]:
                u -= rate[c]
                c += 1
            if c < 3:
                past.append((now, c))
                counts[p, c] += 1
                blocked = c == 0 or (c == 1 and blocked)
    return counts
