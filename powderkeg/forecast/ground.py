"""At what level does the background stand, how sure is that, and how fast does it drift?

In: acts by day, what earlier acts explain of them. Out: `Ground`: the law of every group's level at the origin.

The background of a scenario is a number, or a course that ends with its last block. What comes next rests on neither:
levels drift, and the last block carried on for ever loses to a weighted mean. So the level of each group (the acts of
one tone in one dyad) is filtered from the acts that no earlier act explains. It forgets, is drawn towards the group's
own slow mean, and that towards the mean of all groups of its tone. Ahead it drifts on as it did, so what is said grows
wider with the days. How fast it forgets, what it is drawn to and how strongly, and how much of the mechanisms' answers
the record bears out, is what would have foretold best from origins before this one: see `choice`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.forecast.days import filter_levels
from powderkeg.forecast.days_before import DaysBefore
from powderkeg.forecast.short import Leaning, leaning
from powderkeg.model import Model

PRIORS = tuple(float(x) for x in np.geomspace(0.1, 5.0, 18))
"""Acts that the mean of a group's tone may be worth against the group's own: the shape of a Gamma law of rates."""
USUAL_PRIOR = 1.0
"""What that shape is drawn to, by a law of deviation 1 in its logarithm: few groups of a tone say little."""
SHARE_PRIOR = 2.0
"""Acts by which the shares of a group's channels start even."""
SHARES_FADE = 730.0
"""Days after which an act counts half for its channel's share."""
LEAST = 1e-7
"""Acts a day that a group has at the least: rare is not never."""


class Groups(NamedTuple):
    """group (C,) of each channel, -1 for what is no act; name (G,) source, target, tone; pair (C,) of two actors."""

    group: Ints
    names: tuple[tuple[str | None, str | None, str], ...]
    pair: Ints
    n_pairs: int


class LevelDrift(NamedTuple):
    """How levels move, and how much of what the model says the record bears out.

    half_life  days after which the level has forgotten half;  slow: the same of the mean that it is drawn to
    strength   acts that the slow mean is worth
    answers    factor on the answers of all mechanisms: 1 takes them as they are
    spread     variance over mean of a pair's day that level and answers leave; 1 where days are Poisson
    """

    half_life: float = 30.0
    slow: float = 365.0
    strength: float = 1.0
    answers: float = 1.0
    spread: float = 1.0

    @property
    def keep(self) -> float:
        return float(0.5 ** (1.0 / self.half_life))


class LevelLaws(NamedTuple):
    """The law of every level after the last day, and what it was told to be on the days asked for.

    shape, exposure, slow  (G,)
    told, acts, means      (asked, G): level, acts that it rests on, and slow mean before such a day
    """

    shape: Floats
    exposure: Floats
    slow: Floats
    told: Floats
    acts: Floats
    means: Floats


@dataclass(frozen=True)
class Ground:
    """The law of the background at the origin.

    share      (C,) of its group's background; group (C,)
    shape      (G,) acts that each level rests on; exposure (G,) days; mean = shape / exposure, acts a day
    slow       (G,) the level that it is drawn to
    busy       (P,) acts a day of each pair of actors, lately
    week       how densely each weekday is reported: (7,), or by kind of day as a scenario says them
    unit       (G,) directed dyad of each group;  doubt (U, 2) relative variance of its level over 7 and over 30 days
    """

    share: Floats
    group: Ints
    shape: Floats
    exposure: Floats
    slow: Floats
    drift: LevelDrift
    pair: Ints
    busy: Floats
    week: Floats
    unit: Ints
    doubt: Floats

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


def ground_of(groups: Groups, drift: LevelDrift, doubt: Floats, record: DaysBefore, week: Floats, day: Ints) -> Ground:
    """The law of the levels after the last of the days.

    week, day  (7,) density of weekdays; (D,) weekday of each day
    """
    share, found = levels_of(groups, drift, record, week[day])
    busy = np.bincount(groups.pair, record.latest, groups.n_pairs)
    return Ground(
        share, groups.group, found.shape, found.exposure, found.slow, drift, groups.pair, np.maximum(busy, 1e-3), week,
        dyads_of(groups), doubt,
    )  # fmt: skip


def dyads_of(groups: Groups) -> Ints:
    """(G,) directed dyad of each group."""
    place: dict[tuple[str | None, str | None], int] = {}
    names = (
        groups.names
        if groups.names and groups.names[0][0] is not None
        else [(None, name[2], "") for name in groups.names]
    )
    return np.array([place.setdefault(name[:2], len(place)) for name in names], np.int64)


def levels_of(
    groups: Groups, drift: LevelDrift, record: DaysBefore, factor: Floats, asked: Ints | None = None
) -> tuple[Floats, LevelLaws]:
    """((C,) share of each channel in its group, the filter run through the days).

    factor  (D,) how densely each day is reported;  asked: days before which levels are told, in order
    """
    blocks = record.blocks(groups.group)
    known = {} if len(blocks) > 1 else {0: _block(record, blocks[0])}  # what does not fit is made twice
    own, total, explained, free = (np.zeros(len(groups.group)) for _ in range(4))
    for number, block in enumerate(blocks):
        looked_at, counts, expected, open_ = known.get(number) or _block(record, block)
        own[looked_at], total[looked_at], explained[looked_at] = _sums(counts, expected, factor)
        free[block] = open_.mean(axis=0)
    share = shares(groups, own)
    lean = leaning(record.n_days, float(record.system.rate[groups.group >= 0].sum()))
    means, prior = across(groups, total, explained, factor, share * free, record.system.rate, lean)
    days = np.zeros(0, np.int64) if asked is None else asked
    row = np.full(record.n_days, -1, np.int64)
    row[days] = np.arange(len(days))
    G = len(means)
    a, b, slow_a, slow_b = np.zeros(G), np.zeros(G), np.zeros(G), np.zeros(G)
    told, acts, slow = np.zeros((len(days), G)), np.zeros((len(days), G)), np.zeros((len(days), G))
    for number, block in enumerate(blocks):
        looked_at, counts, expected, open_ = known.get(number) or _block(record, block)
        column = np.full(len(block), -1, np.int64)
        column[np.searchsorted(block, looked_at)] = np.arange(len(looked_at))
        on = groups.group[block]
        of = np.unique(on[on >= 0])
        part = [np.zeros(len(of)) for _ in range(5)]
        rows = [np.zeros((len(days), len(of))) for _ in range(3)]
        filter_levels(
            counts, expected, column, open_, factor, share[block], np.where(on >= 0, np.searchsorted(of, on), -1),
            drift.keep, drift.strength, 0.5 ** (1.0 / drift.slow), means[of], *part, prior[of], row, *rows,
        )  # fmt: skip
        a[of], b[of], slow_a[of], slow_b[of] = part[:4]
        told[:, of], acts[:, of], slow[:, of] = rows
    return share, LevelLaws(a, b, slow_a / slow_b, told, acts, slow)


def _block(record: DaysBefore, block: Ints) -> tuple[Ints, Floats, Floats, Floats]:
    """Of a block the channels that are looked at, their acts and answers by day; the gates of all."""
    looked_at = np.intersect1d(block, record.came, assume_unique=True)
    return looked_at, record.counts(looked_at), record.expected(looked_at), record.open(block)


def _sums(counts: Floats, expected: Floats, factor: Floats) -> tuple[Floats, Floats, Floats]:
    """Of each channel: the acts of its own, the older the less; all acts; all that are answers."""
    D = len(counts)
    weight = 0.5 ** ((D - 1 - np.arange(D)) / SHARES_FADE)
    weighed, expected = weight @ counts, factor[:, None] * expected
    own = np.maximum(weighed - weight @ expected, 0.1 * weighed)
    return own, counts.sum(axis=0), expected.sum(axis=0)


def shares(groups: Groups, own: Floats) -> Floats:
    """(C,) share of each channel in its group's background, the older the less, drawn towards even shares."""
    known = groups.group >= 0
    G = len(groups.names)
    members = np.bincount(groups.group[known], minlength=G)
    total = np.bincount(groups.group[known], own[known], G)
    share = np.zeros(len(own))
    of = groups.group[known]
    share[known] = (own[known] + SHARE_PRIOR / members[of]) / (total[of] + SHARE_PRIOR)
    return share


def across(
    groups: Groups, total: Floats, explained: Floats, factor: Floats, exposure: Floats, said: Floats, lean: Leaning
) -> tuple[Floats, Floats]:
    """What a group starts from of which nothing is known: (G,) mean level of the groups of its tone, (G,) the acts that
    this is worth.

    Of most pairs little is ever reported, of few much: levels of a tone are taken as a Gamma law, whose shape is the
    likeliest given the groups' acts over all days (empirical Bayes: Gaver & O'Muircheartaigh 1987, Technometrics 29,
    1-15). Where rates differ much a group without an act is nearly never.

    said  (C,) acts a day by the scenario, which count as watched for the days that a short record leans on them; and
          how its groups differ counts with its share
    """
    known = groups.group >= 0
    G = len(groups.names)
    own = np.maximum(total - explained, 0.1 * total)
    got = np.bincount(groups.group[known], own[known], G)
    days = np.bincount(groups.group[known], (factor.sum() * exposure)[known], G)
    tone = np.unique([name[2] for name in groups.names], return_inverse=True)[1]
    usual = np.bincount(groups.group[known], said[known], G)
    before, watched = np.bincount(tone, lean.days * usual), np.bincount(tone) * lean.days
    mean = (np.bincount(tone, got) + before + 0.5 * (1.0 - lean.share)) / np.maximum(
        np.bincount(tone, days) + watched, 1.0
    )
    shape = np.array([_shape(got[tone == k], mean[k] * days[tone == k]) for k in range(len(mean))])
    each = mean[tone]
    if lean.share:
        of_tone = (np.bincount(tone, usual) / np.bincount(tone))[tone]
        each = each * (1.0 - lean.share + lean.share * np.divide(usual, of_tone, np.ones(G), where=of_tone > 0.0))
    return np.asarray(np.maximum(each, LEAST), np.float64), shape[tone]


def _shape(got: Floats, expected: Floats) -> float:
    """The likeliest shape of a Gamma law of mean 1 of what multiplies the acts expected of each group."""
    shape = np.array(PRIORS)[:, None]
    value = (
        special.gammaln(got + shape) - special.gammaln(shape) + shape * np.log(shape / (shape + expected))
        - got * np.log(shape + expected)
    ).sum(axis=1) - 0.5 * np.log(shape[:, 0] / USUAL_PRIOR) ** 2  # fmt: skip
    return float(PRIORS[int(np.argmax(value))])
