"""How densely is each day of the week reported?

In: acts by day. Out: seven factors with mean 1, Monday first, drawn towards 1 where there is little to go by.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.fit.known import kinds_of
from powderkeg.scenario import Reporting

PRIOR = 30.0
"""Acts of an even week that the estimate starts from: a guess, seen to matter only for records of a few dozen acts."""
FADES = 730.0
"""Days after which a day counts half: reporting changes over the years."""


def weekdays(start: date, n_days: int) -> Ints:
    """(D,) day of the week, 0 for Monday."""
    return ((start.weekday() + np.arange(n_days)) % 7).astype(np.int64)


def week_profile(counts: Floats, start: date) -> Floats:
    """(7,) factors from (D,) acts by day: each day against the mean of the seven days about it, older ones less."""
    D = len(counts)
    if D < 28:
        return np.ones(7)
    around = np.convolve(counts, np.ones(7) / 7.0, mode="same")
    weight = 0.5 ** ((D - 1 - np.arange(D)) / FADES)
    day = weekdays(start, D)
    inside = slice(3, D - 3)
    got = np.bincount(day[inside], (weight * counts)[inside], 7) + PRIOR / 7.0
    expected = np.bincount(day[inside], (weight * around)[inside], 7) + PRIOR / 7.0
    factor = got / expected
    return np.asarray(factor / factor.mean(), np.float64)


def said_week(said: Reporting, start: date, n_days: int) -> tuple[Floats, Ints]:
    """(factor of each kind of day, (D,) kind of each day from `start` on) as a scenario says them of the source.

    An even week has mean 1; holidays are a kind of their own after the seven days. Levels of the source are left to the
    level of the background, which is filtered.
    """
    _, factor, kind = kinds_of(said, [start + timedelta(days=k) for k in range(n_days)])
    if not len(factor):
        return np.ones(7), weekdays(start, n_days)
    return np.asarray(factor / factor[: 7 if len(factor) >= 7 else 1].mean(), np.float64), kind
