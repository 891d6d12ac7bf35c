"""The log likelihood of what was seen, where the days of some events were not.

In: `Drawer`s. Out: the log likelihood itself, or how much one set of parameters is ahead of another.

By itself it is found along the powers p^t of the law of days, from days as likely as each other (t = 0) to days given
the events (t = 1): its log is the integral of the mean of log p over t. Ahead: from draws under either, weighed by how
likely the other holds them.
Sources: Gelman & Meng (1998), Statistical Science 13, 163-185 (paths); Bennett (1976), J. Comput. Phys. 22, 245-268.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize, special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.fit.days.drawing import Drawer

NODES = 8
"""Powers at which the mean is taken (Gauss and Legendre's)."""
SWEEPS = 100
"""Sweeps at each."""
SETTLE = 10
"""Sweeps before them."""
DRAWS = 80
"""Draws on either side where two sets of parameters are held against each other."""
LEAST_COMMON = 0.05
"""Mean weight of draws under the other's law below which the two have too little in common."""
MOST_LINKS = 12
"""Parameters between two sets that have little in common."""


def absolute(drawer: Drawer, day: Ints) -> float:
    """Log likelihood of what was seen; `day` is changed."""
    possible = drawer.possible
    powers, weights = np.polynomial.legendre.leggauss(NODES)
    total = 0.0
    for power, weight in zip(0.5 * (powers + 1.0), 0.5 * weights, strict=True):
        drawer.move(day, SETTLE, float(power))
        total += float(weight) * float(drawer.move(day, SWEEPS, float(power))[1:].mean())
    ways = float(np.log(possible.last - possible.first + 1.0).sum())
    return total + ways + possible.names - drawer.by_itself


def between(a: Drawer, day_a: Ints, b: Drawer, day_b: Ints) -> float | None:
    """Log likelihood of what was seen under b, less that under a; None if their draws have too little in common."""
    ahead = []
    for own, day in ((a, day_a), (b, day_b)):
        own.move(day, SETTLE)
        ahead.append(np.array([b.value(one) - a.value(one) for one in own.draws(day, DRAWS, 2)]))
    gain, common = bennett(*ahead)
    return None if common < LEAST_COMMON else gain + a.by_itself - b.by_itself


def bennett(from_a: Floats, from_b: Floats) -> tuple[float, float]:
    """(log of the ratio of b's norm to a's, share that the two have in common) from log (b / a) at draws of either."""

    def lack(gain: float) -> float:
        return float(special.expit(from_a - gain).mean() - special.expit(gain - from_b).mean())

    low, high = min(from_a.min(), from_b.min()) - 1.0, max(from_a.max(), from_b.max()) + 1.0
    gain = float(optimize.brentq(lack, low, high)) if lack(low) * lack(high) < 0 else 0.5 * float(low + high)
    return gain, 2.0 * float(special.expit(from_a - gain).mean())


def along(drawer: Callable[[Floats], Drawer], start: Floats, end: Floats, day: Ints) -> float:
    """Log likelihood of what was seen at `end`, less that at `start`, by steps that have enough in common."""
    first, last = drawer(start), drawer(end)
    there = day.copy()
    last.move(there, SETTLE)
    ahead = [last.value(one) - first.value(one) for one in last.draws(there, DRAWS // 2, 2)]
    links = int(np.clip(np.ceil(np.std(ahead)), 1, MOST_LINKS))
    total = 0.0
    one = first
    for k in range(1, links + 1):
        other = drawer(start + k / links * (end - start))
        found = []
        for own in (one, other):
            own.move(day, SETTLE)
            found.append(np.array([other.value(days) - one.value(days) for days in own.draws(day, DRAWS, 2)]))
        total += bennett(*found)[0] + one.by_itself - other.by_itself
        one = other
    return total
