"""Which outcomes came in the days that a forecast spoke of?

In: acts that came, what was seen before them. Out: days to the first of each outcome, measured as on draws.
"""

from __future__ import annotations

import numpy as np

from powderkeg.analyze.outcomes import told_by_dead
from powderkeg.engine.arrays import Floats, Ints
from powderkeg.forecast.answers import first_days
from powderkeg.forecast.seen import Watched
from powderkeg.forecast.standoffs import OPENS
from powderkeg.model import Model
from powderkeg.simulate import Runs


def first_came(
    model: Model, seen: Watched, time: Floats, channel: Ints, days: int, rule: str = OPENS
) -> dict[str, float]:
    """Days to the first, infinite where it did not come, of each outcome that a record of acts can show.

    time, channel  (N,) days from the origin on, in order; where the source stamps days, each counts as its noon
    rule           which standoffs are new: see `new_standoffs`
    """
    time = np.floor(time) + 0.5 if seen.by_day else time
    n, cells = len(time), int(model.system.level_start[-1])
    real = Runs(
        model=model, seed=0, days=float(days), replicates=1, offsets=np.array([0, n]), time=time + seen.begin,
        channel=channel.astype(np.int32), parent=np.full(n, -1, np.int32), mechanism=np.full(n, -1, np.int16),
        exploded=np.zeros(1, bool), reached=np.array([seen.begin + days]), limit=max(n, 1),
        level_time=np.zeros((1, cells)), level_first=np.full((1, cells), np.inf), begin=seen.begin,
    )  # fmt: skip
    found = first_days(model, real, seen, rule)
    return {name: float(first[0]) for name, (_, _, first) in found.items() if is_shown(model, name)}


def is_shown(model: Model, name: str) -> bool:
    """Whether a record of acts shows an outcome: nobody reports facts, nor what set off an act, and how many died not
    in every record."""
    outcomes = {} if model.scenario is None else model.scenario.outcomes
    if name not in outcomes:
        return True
    pattern = outcomes[name].events
    if pattern is None or pattern.via or outcomes[name].deaths is not None:
        return False
    return not told_by_dead(model, pattern).any()
