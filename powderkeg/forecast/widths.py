"""How wide is the law of what comes about its mean?

In: means that were foretold from past origins, what came. Out: a `Width`: variance and doubt of any mean.

Negative binomials, with variance = spread * mean + (common + rare / sqrt(mean)) * mean ** 2. The spread is a day's
luck, from single days. The rest is doubt of the level, over 7 and over 30 days: a part that all means share, as where a
crisis comes, and one that is the larger the less is going on: of a level whose logarithm wanders, acts tell the less
the fewer they are, by the root of its rate. Both are the likeliest over all dyads and origins together. (Squared misses
over squared means, dyad by dyad, rest on the few worst months of the busiest dyads, and were too wide for the others.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats

AHEAD = (1, 7, 30)
"""Days ahead that are judged."""
SPREADS = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)
COMMON = (0.01, 0.04, 0.1, 0.2, 0.4, 0.8)
RARE = (0.0, 0.05, 0.12, 0.25, 0.5, 1.0)
MOST = 4.0
"""The most that a doubt comes to: of what is nearly never seen, the root of the mean says nothing more."""


class Width(NamedTuple):
    """spread of single days; common and rare part of the doubt over 7 and 30 days, as `AHEAD` from its second on."""

    spread: float
    common: tuple[float, float]
    rare: tuple[float, float]

    def doubt(self, mean: Floats, k: int) -> Floats:
        """Relative variance of the level that leaves these means over AHEAD[k] days."""
        return np.asarray(np.minimum(self.common[k - 1] + self.rare[k - 1] / np.sqrt(mean), MOST), np.float64)

    def variance(self, mean: Floats, k: int) -> Floats:
        return np.asarray(self.spread * mean + self.doubt(mean, k) * mean**2, np.float64)


def width(told: Floats, came: Floats) -> Width:
    """The likeliest width. told, came (O, 3, U): means of stretches of `AHEAD` days, and what came."""
    day = told[:, 0]
    scores = [log_law(day, x * day + 0.2 * day**2, came[:, 0]).sum() for x in SPREADS]
    spread = SPREADS[int(np.argmax(scores))]
    common, rare = zip(*(_doubt(told[:, k], came[:, k], spread) for k in (1, 2)), strict=True)
    return Width(spread, common, rare)


def _doubt(told: Floats, came: Floats, spread: float) -> tuple[float, float]:
    """(common, rare): one after the other, three times round, from the middle on."""
    root = 1.0 / np.sqrt(told)

    def score(common: float, rare: float) -> float:
        doubt = np.minimum(common + rare * root, MOST)
        return float(log_law(told, spread * told + doubt * told**2, came).sum())

    common, rare = 0.2, 0.12
    for _ in range(3):
        before = common, rare
        common = max(COMMON, key=lambda x: score(x, rare))
        rare = max(RARE, key=lambda x: score(common, x))
        if before == (common, rare):
            break
    return common, rare


def log_law(mean: Floats, variance: Floats, came: Floats) -> Floats:
    """Logarithm of the chance of what came: negative binomial, barely wider than Poisson at the least."""
    variance = np.maximum(variance, 1.0001 * mean)
    size = mean**2 / (variance - mean)
    return np.asarray(
        special.gammaln(came + size) - special.gammaln(size) - special.gammaln(came + 1.0)
        + size * np.log(size / (size + mean)) + came * np.log(mean / (size + mean)),
        np.float64,
    )  # fmt: skip
