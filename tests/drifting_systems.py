"""Records of a small system whose background drifts, whose weekends are reported thinly, and whose reports come late.

In plain Python, day by day: nothing here shares code with what is tested.
"""

from __future__ import annotations

import math
from datetime import date

import forecast_systems as quarrel
import numpy as np
import polars as pl

from powderkeg.events import EventTable

SHOWN = np.array([0.95, 0.9, 0.9, 0.9, 0.85, 0.45, 0.4])
"""Share of the acts of each weekday that is reported at all, Monday first."""
DELAY = np.array([0.5, 0.2, 0.1, 0.08, 0.05, 0.04, 0.03])
"""Share of reports that come so many days late."""
WIDE, HALF = 0.7, 60.0
"""Standard deviation of the log of the background's level, and the days in which it forgets half."""


def record(days: int, seed: int, busy: float = 2.0) -> EventTable:
    """All that is ever reported of `days` days, each act with its delay; `busy` multiplies the scenario's rates."""
    rng = np.random.default_rng(seed)
    keep = 0.5 ** (1.0 / HALF)
    level = rng.normal(0.0, WIDE, 3)
    left = dict.fromkeys(quarrel.ANSWERS, 0.0)
    blocked = False
    rows: list[tuple[float, int]] = []
    start = date(2020, 1, 1)
    for day in range(days):
        level = keep * level + rng.normal(0.0, WIDE * math.sqrt(1 - keep**2), 3)
        today: list[tuple[float, int]] = []
        for c in range(3):
            rate = busy * quarrel.RATE[c] * math.exp(level[c] - WIDE**2 / 2)
            for (_, effect), held in left.items():
                if effect == c:
                    rate += held
            today += [(day + u, c) for u in rng.random(rng.poisson(rate * (quarrel.HOT if c == 1 and blocked else 1)))]
        for key, (_, half_life) in quarrel.ANSWERS.items():
            left[key] *= 0.5 ** (1.0 / half_life)
        for time, c in sorted(today):
            blocked = c == 0 or (c == 1 and blocked)
            for (cause, effect), (mass, half_life) in quarrel.ANSWERS.items():
                if cause == c:
                    left[cause, effect] += mass * 0.6 * (1.0 - 0.5 ** (1.0 / half_life))
            if rng.random() < SHOWN[(start.weekday() + day) % 7]:
                rows.append((time, c))
    table = quarrel.record([float(int(t)) for t, _ in rows], [c for _, c in rows], float(days), "day")
    delay = rng.choice(len(DELAY), len(rows), p=DELAY)
    return EventTable(table.frame.with_columns(delay=pl.Series(delay, dtype=pl.Int32)), table.start, table.days, "day")
