"""What does an exponentially weighted mean say of the days ahead? Whole histories of it, of all dyads at once.

In: acts by day and dyad before the origin, how densely each day is reported. Out: draws of acts by day and dyad.

The mean of a dyad is that of its days, the older the less, drawn towards that of all its days, and this towards the
mean of all dyads by an estimated Gamma law of rates (`prior`): of most pairs little is ever reported. About it counts
are negative binomial: a Poisson law whose rate is off by a Gamma factor. How far it is off over 1, 7 and 30 days is how
far it was over such windows before (moments; a dyad's own, drawn to those of all as if that rested on five windows of
mean 1). One history must be right at each of the three, so the factor is made of parts: one for all days, which may go
its way from week to week, one for each week, one for each day (`parts_of`). The two directions of a pair, and all
dyads, are off together as they were: factors hang together by a Gaussian copula, which leaves the law of each dyad as
it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.forecast.ahead import weekly_step
from powderkeg.forecast.short import Leaning

WINDOWS = (1, 7, 30)
"""Days over which it is looked how far the mean was off."""
JUDGED = 730
"""Days back over which that is looked at."""
FIRST = 30
"""Days of a record before which a mean is not judged."""
OWN_WINDOWS = 5.0
UNKNOWN = 0.5
"""Relative variance of the factor where a record is too short to tell."""
LEAST_OFF, MOST_OFF, MOST_TOGETHER = 0.01, 25.0, 0.95
"""Relative variance of the factor, least and most. Among dyads of KEDS Balkans and ICEWS Kosovo the highest is 6.1. A
first burst after 300 days of quiet makes it 450,000 over a week, and then a mean of 41 acts is none in 4,000 histories,
or 100,000 in one of them."""
PULL = 0.1
"""Acts that the mean of all its days is worth against a dyad's last: a quiet dyad is not for ever at nothing. A mean
that is drawn there more (2 acts) foretells better by itself and worse in the pool: the model is drawn there too."""
PRIORS = np.geomspace(0.003, 3.0, 22)
"""Acts that the mean of all dyads may be worth against a dyad's own."""
WEEK_OF_30 = (4 * 7**2 + 2**2) / 30**2
"""Relative variance of the mean of 30 days of that of each week's own factor; of 7 days of each day's it is 1 / 7."""
CELLS = 1_000_000
"""Draws times days times dyads that are made at once."""


class PastDays(NamedTuple):
    """Of dyads that ever acted: counts (D, U) acts by day, exposure (D, U or 1) how much of each day is reported; pair
    (U,) the two actors of each; others: how many dyads never acted. lean: how far a short record leans on the scenario,
    by which a dyad has `said` (U,) acts a day, and one that never acted `said_other`."""

    counts: Floats
    exposure: Floats
    pair: Ints
    others: int
    lean: Leaning = Leaning()
    said: Floats | float = 0.0
    said_other: float = 0.0


class FactorParts(NamedTuple):
    """Relative variances (U,) of the parts of a factor: of every day and every week by itself, of all days, and of the
    steps of this from week to week."""

    day: Floats
    week: Floats
    whole: Floats
    step: Floats


@dataclass(frozen=True)
class WeightedMean:
    """The law at the origin.

    rate      (U,) acts a day of each dyad that ever acted; other: of each of the `others` that did not
    parts     what its factor is made of
    together  share of the factor (of its normal score) that the directions of a pair have in common, and all dyads
    """

    rate: Floats
    other: float
    others: int
    parts: FactorParts
    pair: Ints
    together: tuple[float, float]

    def histories(self, density: Floats, draws: int, rng: np.random.Generator) -> list[Ints]:
        """Where any acts are: draw, day, dyad (U for one that never acted, the caller picks which), how many.

        density  (H,) how densely each day ahead is reported
        """
        H, U = len(density), len(self.rate)
        weeks = -(-H // 7)
        common = rng.standard_normal((weeks, 3, draws, 1))
        order = np.argsort(self.pair, kind="stable")
        cut = np.flatnonzero(np.diff(self.pair[order], prepend=-1))  # where a pair begins
        width = max(CELLS // max(draws * H, 1), 2)
        found = []
        for first in range(0, len(cut), max(width // 2, 1)):
            last = first + max(width // 2, 1)
            block = order[cut[first] : cut[last] if last < len(cut) else U]
            rate = self.rate[block] * self._factors(block, common, H, rng) * density[:, None]
            acts = rng.poisson(rate)
            draw, day, unit = np.nonzero(acts)
            found.append([draw, day, block[unit], acts[draw, day, unit]])
        others = rng.poisson(self.other * self.others * density, (draws, H))
        draw, day = np.nonzero(others)
        found.append([draw, day, np.full(len(draw), U), others[draw, day]])
        return [np.concatenate(column).astype(np.int64) for column in zip(*found, strict=True)]

    def _factors(self, block: Ints, common: Floats, days: int, rng: np.random.Generator) -> Floats:
        """(draws, days, dyads of the block) factors of mean 1."""
        parts = FactorParts(*(part[block] for part in self.parts))
        draws = common.shape[2]
        pairs, pair = np.unique(self.pair[block], return_inverse=True)
        for_pair, for_all = self.together

        def off(variance: Floats, shared: Floats) -> Floats:
            """Gamma factors that hang together; exactly 1 where the variance is 0."""
            factor = np.ones((draws, len(block)))
            if not variance.any():
                return factor
            score = np.sqrt(for_all) * shared
            score = score + np.sqrt(for_pair) * rng.standard_normal((draws, len(pairs)))[:, pair]
            score += np.sqrt(1.0 - for_all - for_pair) * rng.standard_normal((draws, len(block)))
            some = variance > 0.0
            shape = 1.0 / variance[some]
            factor[:, some] = special.gammaincinv(shape, special.ndtr(score[:, some])) / shape
            return factor

        whole = off(parts.whole, common[0, 0])
        factor = np.empty((draws, days, len(block)))
        for week in range(len(common)):
            if week:
                whole = whole * off(parts.step, common[week, 1])
            factor[:, 7 * week : 7 * week + 7] = (whole * off(parts.week, common[week, 2]))[:, None]
        lucky = parts.day > 0.0
        shape = 1.0 / parts.day[lucky]
        factor[:, :, lucky] *= rng.standard_gamma(shape, (draws, days, len(shape))) / shape
        return factor


def weighted_mean(past: PastDays, half_life: float) -> WeightedMean:
    """The law of the mean whose days count half after `half_life` of them."""
    rates, other = weighted_rates(past, half_life)
    off, together = misses(past, rates)
    return WeightedMean(rates[-1], other, past.others, parts_of(off), past.pair, together)


def weighted_rates(past: PastDays, half_life: float) -> tuple[Floats, float]:
    """((D + 1, U) mean before each day and after the last, that of a dyad that never acted)."""
    keep = 0.5 ** (1.0 / half_life)
    D, U = past.counts.shape
    worth = prior(past)
    all_acts = np.concatenate([np.zeros((1, U)), np.cumsum(past.counts, axis=0)])
    all_days = np.concatenate([np.zeros((1, past.exposure.shape[1])), np.cumsum(past.exposure, axis=0)])
    watched = all_days.mean(axis=1) + past.lean.days
    said = past.lean.days * np.broadcast_to(past.said, U)
    other = past.lean.days * past.said_other
    unsaid = 1.0 - past.lean.share  # where the scenario says nothing, the mean starts from half an act in 30 days
    mean = (all_acts.sum(axis=1) + said.sum() + past.others * other + 0.5 * unsaid) / (
        (U + past.others) * (watched + 30.0 * unsaid)
    )
    slow = (all_acts + said + worth) / (all_days + past.lean.days + (worth / mean)[:, None])
    acts, days = np.zeros(U), np.zeros(past.exposure.shape[1])
    rates = np.zeros((D + 1, U))
    for d in range(D + 1):
        rates[d] = (acts + said + PULL) / (days + past.lean.days + PULL / slow[d])
        if d < D:
            acts, days = keep * acts + past.counts[d], keep * days + past.exposure[d]
    return rates, float((other + worth) / (watched[-1] + worth / mean[-1]))


def prior(past: PastDays) -> float:
    """Acts that the mean of all dyads is worth: the likeliest shape of a Gamma law of their rates."""
    got = np.concatenate([past.counts.sum(axis=0), np.zeros(1)])
    number = np.concatenate([np.ones(len(got) - 1), [float(past.others)]])
    expected = float(got.sum() / number.sum())
    shape = PRIORS[:, None]
    law = special.gammaln(got + shape) - special.gammaln(shape) + shape * np.log(shape / (shape + expected))
    return float(PRIORS[int(np.argmax((law - got * np.log(shape + expected)) @ number))])


def misses(past: PastDays, rates: Floats) -> tuple[Floats, tuple[float, float]]:
    """((3, U) relative variance of what came about the mean over 1, 7 and 30 days, beyond chance; how much of it a pair
    has in common, and all dyads: over 7 and 30 days)."""
    D, U = past.counts.shape
    total = np.concatenate([np.zeros((1, U)), np.cumsum(past.counts, axis=0)])
    told = np.concatenate([np.zeros((1, past.exposure.shape[1])), np.cumsum(past.exposure, axis=0)])
    off, pairs, everyone = np.full((len(WINDOWS), U), UNKNOWN), [], []
    order = np.argsort(past.pair, kind="stable")
    both = np.flatnonzero(past.pair[order][1:] == past.pair[order][:-1])
    one, other = order[both], order[both + 1]
    for k, n in enumerate(WINDOWS):
        origin = np.arange(max(D - JUDGED, FIRST), D - n + 1, n)
        if not len(origin):
            continue
        mean = np.maximum(rates[origin] * (told[origin + n] - told[origin]), 1e-9)
        miss = total[origin + n] - total[origin] - mean
        excess, base = (miss**2 - mean).sum(axis=0), (mean**2).sum(axis=0)
        pooled = float(np.clip(excess.sum() / base.sum(), LEAST_OFF, MOST_OFF))
        off[k] = np.clip((excess + OWN_WINDOWS * pooled) / (base + OWN_WINDOWS), LEAST_OFF, MOST_OFF)
        if n == 1:
            continue
        wide = np.sqrt(off[k]) * mean
        pairs.append(_ratio((miss[:, one] * miss[:, other]).sum(), (wide[:, one] * wide[:, other]).sum()))
        apart = [float(x.sum(axis=1) @ x.sum(axis=1) - (x**2).sum() - 2.0 * (x[:, one] * x[:, other]).sum())
                 for x in (miss, wide)]  # fmt: skip
        everyone.append(_ratio(*apart))
    for_all = float(np.mean(everyone)) if everyone else 0.0
    for_pair = max(float(np.mean(pairs)) - for_all, 0.0) if pairs else 0.0
    return off, (for_pair, for_all)


def _ratio(part: float, whole: float) -> float:
    return float(np.clip(part / whole, 0.0, MOST_TOGETHER)) if whole > 0.0 else 0.0


def parts_of(off: Floats) -> FactorParts:
    """What a factor is made of that is off by so much (3, U) over 1, 7 and 30 days.

    What is off more over a day than over a week is luck of the days, more over a week than over 30 days luck of the
    weeks; what is off less over a week than over 30 days goes its way from week to week.
    """
    day, week = _within(off[0], off[1], 1.0 / 7.0)
    month = np.maximum((1.0 + off[2]) / (1.0 + day / 30.0) - 1.0, 0.0)
    own, whole = _within(week, np.minimum(month, week), WEEK_OF_30)
    return FactorParts(day, own, whole, weekly_step(week, month))


def _within(short: Floats, long: Floats, share: float) -> tuple[Floats, Floats]:
    """Relative variances of a part of each short stretch by itself and of a whole, whose product is off by `short` over
    one stretch and by `long` over many, where a share of the first is left. Where `long` is too small for that, all is
    in the stretches; where it is more than `short`, nothing is."""
    ratio = (1.0 + long) / (1.0 + short)
    own = np.where(ratio > share, (1.0 - ratio) / np.maximum(ratio - share, 1e-12), np.inf)
    own = np.clip(own, 0.0, short)
    return own, np.maximum((1.0 + long) / (1.0 + share * own) - 1.0, 0.0)
