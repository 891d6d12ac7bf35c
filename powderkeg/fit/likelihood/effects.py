"""Rates that differ: by sender, receiver, dyad, kind of act in a dyad, and with time by groups of moves.

In: a `Model`, its rates, what is asked for (`Differences`). Out: a `Varying`: for every channel the log parameters that
stand in its background beside its rate, in blocks that share a variance, each block with a Gaussian law.

A rate that is one channel's alone would leave its effect nothing to explain, and a handful of events would set it as
they please. Such rates of one act are pooled: one rate for the act, and each channel's own an effect around it.
Source: mixed models, and random walks as penalties on first differences: Rue & Held (2005), Gaussian Markov Random
Fields, ch. 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.design import ChannelEffects, Shape
from powderkeg.errors import Fault, FitError, UsageError, argument, nearest_name
from powderkeg.fit.likelihood.parameter import FitParameter
from powderkeg.model import Model

ACTORS = ("auto", "alike", "vary")
COURSES = ("none", "common", "class", "act", "dyad")
STEP = 30.0
"""Days between the steps of a course that wanders."""
MOST_EFFECTS = 800
"""Effects beyond which the matrices of a fit would take minutes: wider steps, or a law for the rates, instead."""
LEAST_CHANNELS = 3
"""Channels that must share a rate for it to stand by itself; below, rates of one act are pooled."""
ANCHOR = 1e4
"""Weight that keeps the mean of each course at 0: its level is what rates and other effects tell."""
SENDER, RECEIVER, DYAD, CHANNEL, COMMON, GROUP = "sender", "receiver", "dyad", "act in a dyad", "course", "own course"
QUAD = {
    **dict.fromkeys(range(1, 6), "verbal cooperation"),
    **dict.fromkeys(range(6, 10), "material cooperation"),
    **dict.fromkeys(range(10, 14), "verbal conflict"),
    **dict.fromkeys(range(14, 21), "material conflict"),
}
"""Class of a kind of act by the root of its CAMEO code, as event data are usually counted."""


@dataclass(frozen=True)
class Differences:
    """What may differ.

    actors   whether senders, receivers, dyads, and acts within dyads, have effects
    by_dyad  whether dyads, and acts within them, have effects
    courses  one of `COURSES`: "none" leaves the course to the background's shape
    """

    actors: bool = False
    by_dyad: bool = False
    courses: str = "none"

    @property
    def any(self) -> bool:
        return self.actors or self.by_dyad or self.courses != "none"


NOTHING = Differences()
"""All alike, one course."""


@dataclass(frozen=True)
class EffectBlock:
    """Effects that share a variance.

    name    what differs
    first   the first of them, counted from the first effect
    labels  whose each is: of each effect, or of each course
    rows    0 where each effect is a number by itself; else how many steps each course has
    """

    name: str
    first: int
    labels: tuple[str, ...]
    rows: int = 0

    @property
    def count(self) -> int:
        return len(self.labels) * max(self.rows, 1)

    @property
    def rank(self) -> int:
        """Numbers that its variance is learnt from: a course's mean is none."""
        return len(self.labels) * (self.rows - 1) if self.rows else self.count

    def is_like(self, other: EffectBlock) -> bool:
        """Whether its effects are the same ones, wherever they stand."""
        return (self.name, self.labels, self.rows) == (other.name, other.labels, other.rows)

    def structure(self) -> Floats:
        """(count, count) quadratic form of its law, per unit of precision."""
        if not self.rows:
            return np.eye(self.count)
        step = np.diff(np.eye(self.rows), axis=0)
        return np.asarray(np.kron(np.eye(len(self.labels)), step.T @ step), np.float64)

    def anchor(self) -> Floats:
        """(count, count) what holds the mean of each course at 0."""
        if not self.rows:
            return np.zeros((self.count, self.count))
        return np.kron(np.eye(len(self.labels)), np.full((self.rows, self.rows), ANCHOR / self.rows**2))


@dataclass(frozen=True)
class Varying:
    """Effects on the backgrounds of channels.

    effects    as the design takes them
    blocks     by variance
    rate_path  (C,) path of each channel's rate in the scenario, whether it was pooled or not
    steps      (H + 1,) days at which courses may step, None where there is none
    """

    effects: ChannelEffects
    blocks: tuple[EffectBlock, ...]
    rate_path: tuple[str, ...]
    steps: Floats | None
    asked: Differences = NOTHING

    @property
    def count(self) -> int:
        return self.effects.many


def shared_effects(blocks: Sequence[EffectBlock], others: Sequence[EffectBlock]) -> tuple[Ints, Ints]:
    """(number among `blocks`, number among `others`) of every effect that both have."""
    here, there = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for block in blocks:
        for other in others:
            if other.is_like(block):
                here.append(block.first + np.arange(block.count))
                there.append(other.first + np.arange(block.count))
    return np.concatenate(here), np.concatenate(there)


def check_differences(actors: str, courses: str) -> None:
    """Raises UsageError for a word that is not known."""
    faults = [
        Fault.at(option, repr(word), f"one of {', '.join(known)}", nearest_name(word, known))
        for option, word, known in (("actors", actors, ACTORS), ("courses", courses, COURSES))
        if word not in known
    ]
    if faults:
        raise UsageError(faults)


def walk_shape(days: float, by_day: bool, n_courses: int, offset_shape: Shape) -> Shape:
    """The shape of courses that wander: steps of `STEP` days, wider where there would be too many, no basis.

    offset_shape  a shape with the known offset alone
    """
    most = max(MOST_EFFECTS // max(n_courses, 1), 2)
    count = int(np.clip(round(days / STEP), 2, most))
    bounds = np.linspace(0.0, days, count + 1)
    bounds = np.unique(np.round(bounds)) if by_day else bounds
    time = np.unique(np.concatenate([bounds, offset_shape.time]))
    middle = 0.5 * (time[1:] + time[:-1])
    row = np.searchsorted(bounds, middle, side="right") - 1
    offset = offset_shape.offset[np.searchsorted(offset_shape.time, middle, side="right") - 1]
    return Shape(time, offset, row.astype(np.int64), np.zeros((len(bounds) - 1, 0)))


def pool_rates(
    model: Model, rate_of: Ints, rates: Sequence[FitParameter]
) -> tuple[Ints, list[FitParameter], tuple[str, ...]]:
    """(rate of each channel, rates, path of each channel's rate before): free rates of few channels pooled by act."""
    before = tuple(rates[k].path for k in rate_of)
    channels = np.bincount(rate_of, minlength=len(rates))
    act_of = {int(k): model.channels[c].act for c, k in enumerate(rate_of)}
    alone: dict[str, list[int]] = {}
    for k, p in enumerate(rates):
        if p.free and channels[k] < LEAST_CHANNELS:
            alone.setdefault(act_of[k] if model.scenario is not None else "all", []).append(k)
    made: list[FitParameter] = []
    place = np.full(len(rates), -1, np.int64)
    for act, members in alone.items():
        if len(members) > 1:
            value = float(np.mean([rates[k].value for k in members]))
            place[members] = len(made)
            made.append(replace(rates[members[0]], path=f"rates.{act}", value=value, low=None, high=None))
    for k, p in enumerate(rates):
        if place[k] < 0:
            place[k] = len(made)
            made.append(p)
    return place[rate_of], made, before


def make_varying(
    model: Model,
    asked: Differences,
    rate_of: Ints,
    rates: Sequence[FitParameter],
    before: tuple[str, ...],
    shape: Shape,
) -> Varying:
    """The effects that are asked for. Raises FitError where nothing can differ."""
    channels = model.channels[: model.n_acts]
    free = np.array([rates[k].free for k in rate_of], bool)
    blocks: list[EffectBlock] = []
    level: list[Ints] = []
    course: list[Ints] = []
    first = 0

    def add(name: str, whose: list[str | None], rows: int, to: list[Ints]) -> None:
        nonlocal first
        labels = tuple(sorted({one for one in whose if one is not None}))
        if len(labels) < 2 and not (rows and name == COMMON):
            return
        index = {label: k for k, label in enumerate(labels)}
        width = max(rows, 1)
        to.append(np.array([-1 if one is None else first + width * index[one] for one in whose], np.int64))
        blocks.append(EffectBlock(name, first, labels, rows))
        first += blocks[-1].count

    def of_free(names: list[str | None]) -> list[str | None]:
        return [name if is_free else None for name, is_free in zip(names, free, strict=True)]

    dyads = of_free([f"{c.source} > {c.target}" if c.source and c.target else None for c in channels])
    if asked.actors:
        add(SENDER, of_free([c.source for c in channels]), 0, level)
        add(RECEIVER, of_free([c.target for c in channels]), 0, level)
    if asked.actors or asked.by_dyad:
        add(DYAD, dyads, 0, level)
    by_channel: list[str | None] = of_free([str(c) for c in channels])
    if (asked.actors or asked.by_dyad) and len(set(by_channel)) > len(set(dyads)):
        add(CHANNEL, by_channel, 0, level)
    n_rows = len(shape.basis)
    if asked.courses != "none":
        add(COMMON, ["all"] * len(channels), n_rows, course)
        if asked.courses != "common":
            add(GROUP, groups_of(model, asked.courses), n_rows, course)
    if first == 0:
        raise FitError(
            Fault.at(
                "actors" if asked.actors else "baselines", "rates that may differ, but there are none",
                "at least two actors with a rate that is estimated, or " + argument("actors", "alike"),
            )
        )  # fmt: skip
    if first > MOST_EFFECTS + 200:
        raise FitError(
            Fault.at(
                "actors" if asked.actors else "baselines", f"{first:,} numbers that may differ",
                f"at most {MOST_EFFECTS + 200:,}; " + argument("baselines", "gamma") + " holds thousands of channels",
            )
        )  # fmt: skip
    none = np.zeros((len(channels), 0), np.int64)
    effects = ChannelEffects(np.stack(level, 1) if level else none, np.stack(course, 1) if course else none, first)
    return Varying(effects, tuple(blocks), before, shape.time if course else None, asked)


def n_courses(model: Model, courses: str) -> int:
    """How many courses there are, the common one included."""
    return 1 if courses == "common" else 1 + len(set(groups_of(model, courses)))


def groups_of(model: Model, courses: str) -> list[str | None]:
    """(C,) the group whose course a channel's background follows."""
    channels = model.channels[: model.n_acts]
    if courses == "dyad":
        return [f"{c.source} > {c.target}" for c in channels]
    if courses == "act":
        return [c.act for c in channels]
    return [_class_of(model, c.act) for c in channels]


def _class_of(model: Model, act: str) -> str:
    if model.scenario is None:
        return act
    found = model.scenario.acts[act]
    return QUAD[int(found.cameo[:2])] if found.cameo else found.tone
