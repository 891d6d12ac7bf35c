"""How hot is it usually? Thresholds of standoffs on top of what is usual for a source and its dyads.

In: events, simulated or observed, and rules. Out: the usual score, and rules whose thresholds stand on it. Heat is
counted in reports, and sources differ in how many they give of the same deed: fixed thresholds find one standoff in a
thin year and forty in a dense one. The usual score is the median over days of the fading score, so that a war of some
months does not become usual; where it is 0 the thresholds are what they were.

A standoff then closes at `closes_at` above the usual score and opens at as many times that as before: nothing new is
chosen. The rules that come out are numbers, so that one yardstick, read from a record, serves simulated histories and
those of other worlds; a threshold taken from each history itself would move with the intervention that is judged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from powderkeg.analyze.episodes import Rules, compiled
from powderkeg.analyze.streams import Streams, streams
from powderkeg.engine.arrays import Floats
from powderkeg.events.table import EventTable, must_be_table
from powderkeg.model import Model

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario
    from powderkeg.simulate import Runs

WARM = 5.0
"""Memories of the first days that are left out: the score begins at 0 whatever came before."""


def relative_rules(
    events: Runs | EventTable, model: Model | Scenario | None = None, *, rules: Rules | None = None, by: str = "system"
) -> Rules:
    """Rules whose thresholds stand on the usual score of these events.

    rules  what they are on top of; unless given 6 and 2, with the scenario's memory: thresholds that a scenario sets
           were chosen for one source, and have its usual score in them
    by     "system": thresholds are raised for all together. "dyad": each two actors have their own usual score
           (`Rules.usual`), and a dyad that these events do not have is judged as before
    """
    if not hasattr(events, "offsets"):
        must_be_table(events)
    known = compiled(model, events)
    if rules is None:
        own = Rules.of(known.scenario if known is not None else None)
        rules = Rules(memory=own.memory, chained_within=own.chained_within)
    found = usual_scores(streams(events, known, by), rules.memory)
    if by == "dyad":
        return replace(rules, usual=found)
    raised = 1.0 + found.get("", 0.0) / rules.closes_at
    return replace(rules, opens_at=rules.opens_at * raised, closes_at=rules.closes_at * raised)


def usual_scores(stream: Streams, memory: float) -> dict[str, float]:
    """Median over days of the fading score, over all histories, by dyad; under "" where dyads are not told apart."""
    n_days = max(1, int(np.ceil(stream.days)))
    heat = stream.score_heat[stream.code]
    by_name: dict[str, list[Floats]] = {}
    first = min(int(WARM * memory), n_days // 2)
    for s in range(len(stream.offsets) - 1):
        part = slice(int(stream.offsets[s]), int(stream.offsets[s + 1]))
        day = np.clip(np.floor(stream.time[part]).astype(np.int64), 0, n_days - 1)
        hot = np.bincount(day, weights=heat[part], minlength=n_days).astype(np.float64)
        name = "" if stream.dyad is None else " - ".join(sorted(stream.dyads[int(stream.dyad[s])].split(" - ")))
        by_name.setdefault(name, []).append(_faded(hot, np.exp(-1.0 / memory))[first:])
    return {name: round(float(np.median(np.concatenate(parts))), 6) for name, parts in by_name.items()}


def _faded(hot: Floats, fade: float) -> Floats:
    """The score at the end of each day."""
    score = np.empty(len(hot))
    now = 0.0
    for k, gained in enumerate(hot):
        now = now * fade + gained
        score[k] = now
    return score
