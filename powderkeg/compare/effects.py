"""How different are two worlds in one number, how sure is that, and how far does it hang on what nobody knows?

In: one `Measure` of two worlds, run by run. Out: an `Effect`. Chance and doubt about the numbers are kept apart: chance
would shrink with more runs, doubt would not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from powderkeg.analyze import LEVEL
from powderkeg.analyze.intervals import proportion
from powderkeg.compare.measures import Measure
from powderkeg.engine.arrays import Floats

FEW = 100
"""Runs that differ, below which, where they are less than a tenth, the interval comes from their number and size."""

FARTHEST = 10_000_000
"""Runs beyond which nobody is told to make more."""
DOUBT = 0.9
"""Share of times that chance alone must make sets of numbers differ less than they do, or it is put down to chance."""


@dataclass(frozen=True)
class Effect:
    """One outcome in two worlds. Everything is in `unit`; None where it cannot be known.

    baseline, value  means without and with the intervention
    difference       value - baseline; low, high: its interval by chance, at the scenario's own numbers
    unpaired_ratio   how many times as many runs without pairing would have been as sure; None where nothing varied
    runs, differing  pairs of runs, and in how many of them this number differs
    range_low, range_high  where the difference lies under other numbers from the scenario's ranges, chance set apart;
                     None where the ranges were left aside or what they do is lost in chance
    same_sign        share of the sets of numbers in which the difference has the sign of this one, chance set apart;
                     None where there is no difference to have a sign
    runs_to_tell     replicates with which what the ranges do would stand out from chance, as it looks now; None where
                     it stands out already, and where nothing of it shows
    """

    name: str
    title: str
    kind: str
    unit: str
    better: str | None
    baseline: float
    value: float
    difference: float
    low: float
    high: float
    unpaired_ratio: float | None
    runs: int
    differing: int
    range_low: float | None = None
    range_high: float | None = None
    same_sign: float | None = None
    runs_to_tell: int | None = None

    @property
    def verdict(self) -> str:
        """Whether the scenario calls the change better or worse; "no clear change" where the interval holds 0."""
        if self.low <= 0.0 <= self.high:
            return "no change" if self.low == self.high == 0.0 else "no clear change"
        if self.better is None:
            return "more" if self.difference > 0 else "less"
        return "better" if (self.difference < 0) == (self.better == "less") else "worse"

    @property
    def hangs_on_ranges(self) -> bool:
        """The difference is clear at the scenario's own numbers, but not under others from its ranges."""
        if self.range_low is None or self.range_high is None or self.low <= 0.0 <= self.high:
            return False
        return self.range_low <= 0.0 <= self.range_high

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dict(self.__dict__) | {"verdict": self.verdict}


def effect(one: Measure, other: Measure, level: float = LEVEL, alike: bool = False) -> Effect:
    """One measure in two worlds run by run, with the interval of the mean difference.

    alike  the runs of the two worlds are the same, event for event: then the difference is 0 and nothing else

    Student's interval. For what happens in a run or does not, and where few runs differ: from the numbers of runs that
    went up and that went down, each with its exact interval (Clopper & Pearson 1934; Garwood 1936), put together as Zou
    & Donner (2008, Statistics in Medicine 27, 1693-1702) do. Where worlds differ but this number does not in any run,
    that is the rule of three: not seen in n pairs is not the same as never.
    """
    d = other.values - one.values
    n = len(d)
    mean = float(d.mean())
    spread = float(d.var(ddof=1))
    apart = float(one.values.var(ddof=1) + other.values.var(ddof=1))
    up, down = d > 0, d < 0
    differing = int(up.sum() + down.sum())
    if alike or (differing == 0 and not one.event):
        low = high = 0.0
    elif one.kind == "any":
        low, high = _shares(int(up.sum()), int(down.sum()), n, level)
    elif one.event and differing < min(FEW, n / 10.0):
        low, high = _few(d, up, down, one.event, level)
    else:
        half = float(special.stdtrit(n - 1, 0.5 + level / 2.0)) * math.sqrt(spread / n)
        low, high = mean - half, mean + half
    return Effect(
        one.name, one.title, one.kind, one.unit, one.better, float(one.values.mean()), float(other.values.mean()),
        mean, low, high, apart / spread if spread > 0 else None, n, differing,
    )  # fmt: skip


def _shares(up: int, down: int, n: int, level: float) -> tuple[float, float]:
    """Interval of the share of runs that went up minus the share that went down; the two shares exclude each other."""
    rise, fall = proportion(up, n, level), proportion(down, n, level)
    p, q = up / n, down / n
    along = -math.sqrt(p * q / ((1.0 - p) * (1.0 - q))) if 0.0 < p < 1.0 and 0.0 < q < 1.0 else 0.0

    def reach(one: float, other: float) -> float:
        return math.sqrt(one * one + other * other - 2.0 * along * one * other)

    assert rise.low is not None and rise.high is not None and fall.low is not None and fall.high is not None
    low = p - q - reach(p - rise.low, fall.high - q)
    high = p - q + reach(rise.high - p, q - fall.low)
    return max(low, -1.0), min(high, 1.0)


def _few(d: Floats, up: NDArray[np.bool_], down: NDArray[np.bool_], event: float, level: float) -> tuple[float, float]:
    """Interval of a mean difference from how many runs rose and how many fell, and by how much.

    A sum of N sizes with N a Poisson count varies as N times the mean square of the sizes: the limits of N are taken
    in units of their root mean square.
    """
    tail = (1.0 - level) / 2.0

    def side(which: NDArray[np.bool_]) -> tuple[float, float, float]:
        count = int(which.sum())
        total = float(np.abs(d[which]).sum())
        size = math.sqrt(float((d[which] ** 2).mean())) if count else event
        below = count - float(special.gammaincinv(count, tail)) if count else 0.0
        above = float(special.gammaincinv(count + 1, 1.0 - tail)) - count
        return total, below * size, above * size

    (rise, rise_below, rise_above), (fall, fall_below, fall_above) = side(up), side(down)
    low = rise - fall - math.hypot(rise_below, fall_above)
    high = rise - fall + math.hypot(rise_above, fall_below)
    return low / len(d), high / len(d)


@dataclass(frozen=True)
class Under:
    """A difference under one other set of numbers: its mean over runs, and the variance of that mean by chance."""

    mean: float
    chance: float

    @staticmethod
    def of(one: Measure, other: Measure) -> Under:
        d = other.values - one.values
        return Under(float(d.mean()), float(d.var(ddof=1)) / len(d))


def with_ranges(one: Effect, found: Sequence[Under], level: float) -> Effect:
    """The effect with where it lies under other numbers; as it was where the sets cannot tell doubt from chance.

    See `doubt` for how chance is set apart.
    """
    if one.low == one.high == 0.0:
        return replace(one, range_low=0.0, range_high=0.0)
    if len(found) < 2:
        return one
    means, chance = np.array([under.mean for under in found]), float(np.mean([under.chance for under in found]))
    drawn = doubt(means, chance)
    if drawn is None:
        return replace(one, runs_to_tell=_runs_to_tell(means, chance, one.runs))
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    agree = None if one.difference == 0.0 else float((np.sign(drawn) == np.sign(one.difference)).mean())
    return replace(one, range_low=float(low), range_high=float(high), same_sign=agree)


def doubt(means: Floats, chance: float) -> Floats | None:
    """(sets,) means under each of several sets of numbers without what chance adds; None where chance hides it all.

    means   (sets,), each with a variance of `chance` by chance

    What the sets differ by is doubt and chance together. Where it is more than chance alone would give nine times in
    ten, the sets are drawn towards their mean until their variance is what chance does not explain (Louis 1984, JASA
    79, 393-398), so that few runs a set do not pass for doubt.
    """
    whole = float(means.var(ddof=1))
    if whole <= chance * _most_by_chance(len(means)):
        return None
    drawn: Floats = means.mean() + math.sqrt(1.0 - chance / whole) * (means - means.mean())
    return drawn


def _most_by_chance(sets: int) -> float:
    """How many times what chance makes sets differ on average it makes them differ at most, DOUBT of the time."""
    return float(2.0 * special.gammaincinv((sets - 1) / 2.0, DOUBT)) / (sets - 1)


def _runs_to_tell(means: Floats, chance: float, runs: int) -> int | None:
    """Runs with which the sets would differ by more than chance makes them, two digits; None where nothing shows.

    What chance does not explain stays as it is while chance goes down with the number of runs. At the edge it is a toss
    whether it stands out, and what is seen of it is known badly, so it is three times as many: in trials with spreads
    of 0.2, 0.3 and 0.5 beside a chance of 1 that was enough in 55, 81 and 96 cases of a hundred.
    """
    seen = float(means.var(ddof=1)) - chance
    if seen <= 0.0:
        return None
    needed = 3.0 * runs * max((_most_by_chance(len(means)) - 1.0) * chance / seen, 1.0)
    unit = 10.0 ** (math.floor(math.log10(needed)) - 1)
    found = math.ceil(needed / unit) * unit
    return int(found) if found <= FARTHEST else None
