"""How near did events come to a standoff, where there was none?

In: an EventTable, perhaps a scenario, thresholds. Out: the highest score that was reached, and its day.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import NamedTuple

from powderkeg.analyze.episodes import Rules, compiled, weight_of_dyads
from powderkeg.analyze.streams import streams
from powderkeg.events.table import EventTable
from powderkeg.model import Model
from powderkeg.scenario import Scenario


class HottestDay(NamedTuple):
    """The day of the highest score. `acts` are those that add to one: hostile, and of whom standoffs are counted."""

    score: float
    day: date | None
    acts: int


def hottest(events: EventTable, model: Model | Scenario | None, rules: Rules, by: str) -> HottestDay:
    """The highest score of all streams of hostile acts, by the rules that standoffs are cut by.

    The score rises by the heat of each act and fades by a factor e each `rules.memory` days, as in `episodes`; what an
    act that resolves or suspends does to a standoff has no part in it.
    """
    stream = streams(events, compiled(model, events), by)
    heat = (stream.score_heat * weight_of_dyads(stream, rules))[stream.code]
    best, when, acts = 0.0, None, 0
    for first, end in zip(stream.offsets[:-1].tolist(), stream.offsets[1:].tolist(), strict=True):
        score, last = 0.0, 0.0
        for time, gain in zip(stream.time[first:end].tolist(), heat[first:end].tolist(), strict=True):
            if gain > 0.0:
                acts += 1
                score = score * math.exp((last - time) / rules.memory) + gain
                last = time
                if score > best:
                    best, when = score, time
    day = None if when is None else events.start + timedelta(days=math.floor(when))
    return HottestDay(best, day, acts)
