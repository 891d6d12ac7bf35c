"""At what level does the background stand, how sure is that, and how fast does it drift?

In: acts by day, what earlier acts explain of them. Out: `Ground`: the law of every group's level at the origin.

The background of a scenario is a number, or a course that ends with its last block. What comes next rests on neither:
levels drift, and the last block carried on for ever loses to a weighted mean. So the level of each group (the acts of
one tone in one dyad) is filtered from the acts that no earlier act explains, forgets at a rate chosen by how well
the days before the origin were foretold one by one, and is drawn towards the group's own slow mean, and that towards
the mean of all groups of its tone. Ahead it drifts on as it did, so what is said grows wider with the days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.forecast.days import filter_levels
from powderkeg.model import Model

HALF_LIVES = (7.0, 14.0, 30.0, 60.0, 120.0, 240.0, 480.0)
"""Days after which the level has forgotten half: those that are tried."""
STRENGTHS = (0.25, 1.0, 4.0)
"""Acts that a group's slow mean is worth against what the last days showed: those that are tried."""
SLOW = 730.0
"""Half-life of the slow mean, in days. A guess: shorter means were tried in `HALF_LIVES`."""
PRIOR = 2.0
"""Acts that the mean of a group's tone is worth against the group's own."""
SHARE_PRIOR = 2.0
"""Acts by which the shares of a group's channels start even."""
JUDGED = 730
"""Days before the origin by which half-life, strength and spread are chosen."""
WARM = 30
"""First days of a record that only warm the levels up."""
LEAST = 1e-7
"""Acts a day that a group has at the least: rare is not never."""


class Groups(NamedTuple):
    """group (C,) of each channel, -1 for what is no act; name (G,) source, target, tone; pair (C,) of two actors."""

    group: Ints
    names: tuple[tuple[str | None, str | None, str], ...]
    pair: Ints
    n_pairs: int


@dataclass(frozen=True)
class Ground:
    """The law of the background at the origin.

    share      (C,) of its group's background; group (C,)
    shape      (G,) acts that each level rests on; exposure (G,) days; mean = shape / exposure, acts a day
    slow       (G,) the level that it is drawn to
    keep, strength  what stays of the law from day to day, and what the slow mean is worth
    spread     variance of a day's total over its mean; 1 where days are Poisson
    busy       (P,) acts a day of each pair of actors, lately
    week       (7,) how densely each weekday is reported
    score      log score a day of the days before the origin, by (half-life, strength)
    """

    share: Floats
    group: Ints
    shape: Floats
    exposure: Floats
    slow: Floats
    keep: float
    strength: float
    spread: float
    pair: Ints
    busy: Floats
    week: Floats
    half_life: float
    score: dict[tuple[float, float], float]

    @property
    def level(self) -> Floats:
        return self.shape / self.exposure


def groups_of(model: Model) -> Groups:
    """Acts of one tone in one directed dyad are a group."""
    tones = {} if model.scenario is None else {name: act.tone for name, act in model.scenario.acts.items()}
    place: dict[tuple[str | None, str | None, str], int] = {}
    pairs: dict[tuple[str, ...], int] = {}
    group = np.full(model.n_channels, -1, np.int64)
    pair = np.zeros(model.n_channels, np.int64)
    for c, channel in enumerate(model.channels[: model.n_acts]):
        name = (channel.source, channel.target, tones.get(channel.act, ""))
        if model.scenario is None:
            name = (None, None, channel.act)
        group[c] = place.setdefault(name, len(place))
        pair[c] = pairs.setdefault(tuple(sorted(str(x) for x in name[:2])), len(pairs))
    return Groups(group, tuple(place), pair, max(len(pairs), 1))


def ground_of(
    groups: Groups, counts: Floats, expected: Floats, open_: Floats, week: Floats, day: Ints,
    chosen: Ground | None = None,
) -> Ground:  # fmt: skip
    """The law of the levels after the last of the days.

    counts, expected  (D, C) acts seen; answers to earlier acts
    open_             (1 or D, C) factor of the background's gates
    week, day         (7,) density of weekdays; (D,) weekday of each day
    chosen            another ground whose half-life, strength and spread are taken over; else they are chosen
    """
    factor = week[day]
    share = shares(groups, counts, expected, factor)
    means = _means(groups, counts, expected, factor, share * open_.mean(axis=0))
    if chosen is None:
        tried = _tried(groups, counts, expected, open_, factor, share, means)
        (half_life, strength), _ = max(tried.items(), key=lambda one: one[1])
    else:
        tried, half_life, strength = chosen.score, chosen.half_life, chosen.strength
    keep = 0.5 ** (1.0 / half_life)
    a, b, slow, told, told_a = _filtered(counts, expected, open_, factor, share, groups.group, keep, strength, means)
    spread, busy = _spread(groups, counts, expected, open_, factor, share, told, told_a)
    if chosen is not None:
        spread = chosen.spread
    return Ground(share, groups.group, a, b, slow, keep, strength, spread, groups.pair, busy, week, half_life, tried)


def shares(groups: Groups, counts: Floats, expected: Floats, factor: Floats) -> Floats:
    """(C,) share of each channel in its group's background, the older the less, drawn towards even shares."""
    D, C = counts.shape
    weight = 0.5 ** ((D - 1 - np.arange(D)) / SLOW)
    own = np.maximum(weight @ counts - weight @ (factor[:, None] * expected), 0.1 * (weight @ counts))
    known = groups.group >= 0
    G = len(groups.names)
    members = np.bincount(groups.group[known], minlength=G)
    total = np.bincount(groups.group[known], own[known], G)
    share = np.zeros(C)
    of = groups.group[known]
    share[known] = (own[known] + SHARE_PRIOR / members[of]) / (total[of] + SHARE_PRIOR)
    return share


def _means(groups: Groups, counts: Floats, expected: Floats, factor: Floats, exposure: Floats) -> Floats:
    """(G,) mean level of the groups of each one's tone: what a group starts from of which nothing is known."""
    known = groups.group >= 0
    G = len(groups.names)
    total = counts.sum(axis=0)
    own = np.maximum(total - (factor[:, None] * expected).sum(axis=0), 0.1 * total)
    got = np.bincount(groups.group[known], own[known], G)
    days = np.bincount(groups.group[known], (factor.sum() * exposure)[known], G)
    tone = np.unique([name[2] for name in groups.names], return_inverse=True)[1]
    mean = (np.bincount(tone, got) + 0.5) / np.maximum(np.bincount(tone, days), 1.0)
    return np.asarray(np.maximum(mean[tone], LEAST), np.float64)


def _filtered(
    counts: Floats, expected: Floats, open_: Floats, factor: Floats, share: Floats, group: Ints, keep: float,
    strength: float, means: Floats,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:  # fmt: skip
    """(shape, exposure, slow mean) after the last day; what was told of each day, and the acts it rested on."""
    G, D = len(means), len(counts)
    a, b, slow_a, slow_b = np.zeros(G), np.zeros(G), np.zeros(G), np.zeros(G)
    told, told_a = np.zeros((D, G)), np.zeros((D, G))
    filter_levels(
        counts, expected, open_, factor, share, group, keep, strength, 0.5 ** (1.0 / SLOW), means, a, b, slow_a, slow_b,
        PRIOR, told, told_a,
    )  # fmt: skip
    return a, b, slow_a / slow_b, told, told_a


class _Totals(NamedTuple):
    """Days that are judged, by unit (a directed dyad): acts, mean told, variance of the level within it."""

    acts: Floats
    mean: Floats
    doubt: Floats


def _totals(
    groups: Groups, counts: Floats, expected: Floats, open_: Floats, factor: Floats, share: Floats, told: Floats,
    told_a: Floats, unit: Ints,
) -> _Totals:  # fmt: skip
    """Of the last days: acts by unit of channels, what was told of them, and how unsure their level was."""
    first = max(len(counts) - JUDGED, min(WARM, len(counts) - 1))
    known = np.flatnonzero(groups.group >= 0)
    U, G = int(unit.max()) + 1, told.shape[1]
    into = np.zeros((len(unit), U))
    into[known, unit[known]] = 1.0
    o = open_[first:] if len(open_) > 1 else open_
    of = groups.group[known]
    own = told[first:][:, of] * (share * o)[:, known] * factor[first:, None]
    doubt = np.zeros((len(counts) - first, U))
    unit_of_group = np.zeros(G, np.int64)
    unit_of_group[of] = unit[known]
    by_group = np.zeros((len(counts) - first, G))
    np.add.at(by_group.T, of, own.T)
    np.add.at(doubt.T, unit_of_group, (by_group**2 / np.maximum(told_a[first:], 1e-9)).T)
    mean = own @ into[known] + factor[first:, None] * (expected[first:] @ into)
    return _Totals(counts[first:] @ into, mean, doubt)


def _log_score(totals: _Totals, spread: float) -> float:
    """Mean over days of the log score, negative binomial with variance spread * mean + doubt about the level."""
    mean = np.maximum(totals.mean, 1e-9)
    variance = np.maximum(spread * mean + totals.doubt, 1.0001 * mean)
    size = mean**2 / (variance - mean)
    y = totals.acts
    p = np.log(size / (size + mean)) * size + y * np.log(mean / (size + mean))
    score = special.gammaln(y + size) - special.gammaln(size) - special.gammaln(y + 1.0) + p
    return float(score.sum() / max(len(y), 1))


def _units(groups: Groups) -> Ints:
    """(C,) directed dyad of each channel."""
    place: dict[tuple[str | None, str | None], int] = {}
    of_group = [place.setdefault(name[:2], len(place)) for name in groups.names]
    return np.array([of_group[g] if g >= 0 else 0 for g in groups.group], np.int64)


def _tried(
    groups: Groups, counts: Floats, expected: Floats, open_: Floats, factor: Floats, share: Floats, means: Floats
) -> dict[tuple[float, float], float]:
    """How well each half-life and strength would have foretold the days before the origin, one by one."""
    unit = _units(groups)
    found = {}
    for half_life in HALF_LIVES:
        for strength in STRENGTHS:
            keep = 0.5 ** (1.0 / half_life)
            *_, told, told_a = _filtered(
                counts, expected, open_, factor, share, groups.group, keep, strength, means
            )  # fmt: skip
            totals = _totals(groups, counts, expected, open_, factor, share, told, told_a, unit)
            found[half_life, strength] = max(_log_score(totals, spread) for spread in (1.0, 1.3, 1.7, 2.2))
    return found


def _spread(
    groups: Groups, counts: Floats, expected: Floats, open_: Floats, factor: Floats, share: Floats, told: Floats,
    told_a: Floats,
) -> tuple[float, Floats]:  # fmt: skip
    """(variance over mean of a pair's day that the level's doubt leaves, acts a day of each pair lately)."""
    totals = _totals(groups, counts, expected, open_, factor, share, told, told_a, groups.pair)
    tries = np.linspace(1.0, 4.0, 31)
    best = float(tries[int(np.argmax([_log_score(totals, float(x)) for x in tries]))])
    return best, np.maximum(totals.mean[-60:].mean(axis=0), 1e-6)
