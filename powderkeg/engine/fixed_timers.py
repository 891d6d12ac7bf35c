"""When do facts run out that last a fixed time?

In: a `System`, the acts of a record in time order. Out: the turns that follow from them. Nothing is left to chance: a
fact runs out a fixed time after it came to its level, counted anew whenever an act puts it there again. So to the
likelihood it is a line in the calendar, known once the acts are known.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System


def has_fixed(system: System) -> bool:
    """Whether some fact lasts a fixed time."""
    return bool(system.timer_is_fixed.any())


def expiries(
    system: System, time: Floats, channel: Ints, by_day: bool, days: float, origin: float | None = None
) -> tuple[Floats, Ints, Ints]:
    """(time, fact, level) of what facts come to by running out, before `days`.

    time, channel  (N,) acts, in time order; by day, whole numbers
    by_day         a fact set on a day stands on that day and on as many after it as it lasts, rounded down
    origin         when timers of facts that stand at the start begin; by default at the first act, 0 at the latest
    """
    if not has_fixed(system):
        return np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)
    if origin is None:
        origin = min(0.0, float(time[0])) if len(time) else 0.0
    found = list(_turns(system, time.tolist(), channel.tolist(), by_day, days, origin))
    return (
        np.array([turn[0] for turn in found], np.float64),
        np.array([turn[1] for turn in found], np.int64),
        np.array([turn[2] for turn in found], np.int64),
    )


def _turns(
    system: System, time: list[float], channel: list[int], by_day: bool, days: float, origin: float
) -> Iterator[tuple[float, int, int]]:
    """Turns one by one. Timers that are not fixed never fire here: nobody reports when they do."""
    timers = _timers(system)
    level = system.initial_level.tolist()
    epoch = [0] * len(level)
    waiting: list[tuple[float, int, int, int]] = []  # when, fact, epoch, channel that fires

    def come(fact: int, to: int, now: float) -> None:
        own = timers.get((fact, to), ())
        if level[fact] == to and not own:
            return
        level[fact] = to
        epoch[fact] += 1
        for delay, fires in own:
            heapq.heappush(waiting, (np.floor(now + 1.0 + delay) if by_day else now + delay, fact, epoch[fact], fires))

    def run_out(until: float) -> Iterator[tuple[float, int, int]]:
        while waiting and waiting[0][0] <= until:
            when, fact, since, fires = heapq.heappop(waiting)
            if epoch[fact] == since:
                for changed, to in _effects(system, fires):
                    if level[changed] != to:
                        yield when, changed, to
                    come(changed, to, when)

    for fact, to in enumerate(system.initial_level.tolist()):
        level[fact] = -1
        come(fact, to, origin - 1.0 if by_day else origin)  # what stands at the start stands since the day before
    for at, c in zip(time, channel, strict=True):
        yield from run_out(at)
        for changed, to in _effects(system, c):
            come(changed, to, at)
    yield from (turn for turn in run_out(days) if turn[0] < days)


def _timers(system: System) -> dict[tuple[int, int], list[tuple[float, int]]]:
    """(fact, level) -> (delay, channel that fires) of its fixed timers."""
    fact_of = np.repeat(np.arange(system.n_facts), np.diff(system.level_start))
    found: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for cell, fact in enumerate(fact_of.tolist()):
        for k in range(system.timer_start[cell], system.timer_start[cell + 1]):
            if system.timer_is_fixed[k]:
                place = (fact, cell - int(system.level_start[fact]))
                found.setdefault(place, []).append((float(system.timer_delay[k]), int(system.timer_channel[k])))
    return found


def _effects(system: System, channel: int) -> list[tuple[int, int]]:
    """(fact, level) that an act puts for sure, or likelier than not."""
    span = slice(int(system.effect_start[channel]), int(system.effect_start[channel + 1]))
    sure = system.effect_probability[span] >= 0.5
    return list(zip(system.effect_fact[span][sure].tolist(), system.effect_level[span][sure].tolist(), strict=True))
