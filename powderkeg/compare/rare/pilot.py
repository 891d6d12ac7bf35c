"""Which levels are worth having, and how often must the acts of a level be proposed?

In: a world and a ladder. Out: shares from a trial, the choice of levels that a few repetitions speak for, and one
repetition itself: a product of fractions, with the ways by which some of its histories came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from powderkeg.compare.rare.levels import Step, levels
from powderkeg.compare.rare.paths import Guide, Way, sample
from powderkeg.engine.splitting.layout import ORIGIN, Levels
from powderkeg.engine.splitting.stages import Proposed, Splitter, can_boost, proposed
from powderkeg.engine.worlds import World
from powderkeg.model import Model

APART = 0.5
"""A level that the model suggests is kept if at most this share of the copies come to it."""

MOST_BOOST = 4096.0
"""What one act reaches by itself is proposed at most so many times as often."""

SEEN = 20
"""Entries from which a trial takes the share that came to a level."""

TRIALS, CLEARLY = 8, 5.0
"""Repetitions by which choices of levels are told apart, and how many times as good another must look: a few
repetitions make a choice that misses the rare great contribution look better than it is."""

MOST_CHOSEN = 3
"""Levels below the last up to which every choice among them is tried; of more, only the last ones."""

SHOWN = 100
"""Histories of one repetition whose ways are followed."""

_TRIAL = 1_000_000_000  # the number of the first trial among the repetitions; choices of levels come after it


class Repetition(NamedTuple):
    """One product of fractions.

    shares     fraction at each level, weighted
    distinct   entries from which the copies of the stage that failed set out
    ancestors  copies of the first stage behind all that came to the end
    ways       by which some of the histories came
    """

    estimate: float
    copies: list[int]
    reached: list[int]
    shares: list[float]
    distinct: list[int]
    ancestors: int
    work: int
    stopped: int
    ways: list[Way]


class Stopped(Exception):
    """A stage returned before its end because somebody asked it to."""


def trial(
    world: World, rungs: Levels, root: np.uint64, starts: int, window: float, limit: int, memory: int
) -> tuple[list[float], int]:
    """Share of copies that come from each level to the next, as far as a trial comes, and the work it took.

    Where fewer than `SEEN` come to a level that one act reaches by itself, its acts are proposed more and more often.
    """
    n_levels = len(rungs.count)
    stages = [proposed(world, rungs, n) for n in range(n_levels)]
    splitter = Splitter(stages, rungs, 0.0, window, limit, memory)
    shares, work, entries = list[float](), 0, splitter.nowhere()
    for stage in range(n_levels):
        while True:
            done = splitter.stage(root, _TRIAL, stage, starts, entries)
            assert done is not None
            work += done.candidates
            boost = stages[stage].boost
            if done.reached.n >= SEEN or boost >= MOST_BOOST or not can_boost(rungs, stage):
                break
            stages[stage] = proposed(world, rungs, stage, boost * 8.0)
        entries = done.reached
        shares.append(float(entries.weight.sum()) / starts)
        if not entries.n:
            break
    return shares, work


def choose_levels(
    model: Model,
    world: World,
    ladder: Sequence[Step],
    shares: list[float],
    root: np.uint64,
    starts: int,
    window: float,
    limit: int,
    memory: int,
) -> tuple[tuple[Step, ...], list[float], int] | None:
    """The ladder, or what is left of it if some of its levels do more harm than good: its shares, and the work it took.

    A level off the way to what is asked about hands on few histories, and the wrong ones. Every choice of levels is
    tried a few times; by the mean square distance from the middle of all estimates, times work, another is taken if it
    does `CLEARLY` better than the whole ladder. Any choice estimates the same. None where a trial did not come to the
    end.
    """
    if len(ladder) == 1 or len(shares) < len(ladder) or not shares[-1]:
        return None
    rungs = range(len(ladder) - 1)
    most = len(rungs) if len(rungs) <= MOST_CHOSEN else 0
    choices = [
        *(choice for n in range(most + 1) for choice in combinations(rungs, n)),
        *([] if most else [tuple(rungs[n:]) for n in rungs]),
    ]
    found = []
    for number, choice in enumerate(choices):
        kept = [*choice, len(ladder) - 1]
        ours = [
            math.prod(shares[first:last])
            for first, last in zip([0, *(n + 1 for n in kept[:-1])], [n + 1 for n in kept], strict=True)
        ]
        steps_kept = tuple(ladder[n] for n in kept)
        marks = levels(model, steps_kept)
        splitter = Splitter(stages_of(world, marks, ours), marks, 0.0, window, limit, memory)
        done = [repeat(splitter, None, root, _TRIAL + 2 + 100 * number + i, starts) for i in range(TRIALS)]
        found.append((steps_kept, ours, np.array([one.estimate for one in done]), sum(one.work for one in done)))
    # What does not come to the end every time says too little about itself.
    sure = [bool((estimates > 0.0).all()) for _, _, estimates, _ in found]
    whole = next(n for n, choice in enumerate(choices) if len(choice) == len(rungs))
    middle = float(np.median([one[2].mean() for one, good in zip(found, sure, strict=True) if good or not any(sure)]))
    costs = [
        float(((estimates - middle) ** 2).mean()) * work if good else math.inf
        for (_, _, estimates, work), good in zip(found, sure, strict=True)
    ]
    best = int(np.argmin(costs))
    if not costs[best] * CLEARLY < costs[whole]:
        best = whole
    return found[best][0], found[best][1], sum(work for *_, work in found)


def stages_of(world: World, rungs: Levels, shares: Sequence[float]) -> list[Proposed]:
    """What is proposed in each stage, given the shares of copies that come to its level, as far as they are known."""
    return [
        proposed(world, rungs, n, boost_of(shares[n]) if n < len(shares) and can_boost(rungs, n) else 1.0)
        for n in range(len(rungs.count))
    ]


def boost_of(share: float) -> float:
    """How often the acts of a level are proposed: about once a copy."""
    if share >= APART:
        return 1.0
    return min(1.0 / share, MOST_BOOST) if share > 0.0 else MOST_BOOST


def repeat(splitter: Splitter, guide: Guide | None, root: np.uint64, repetition: int, starts: int) -> Repetition:
    n_levels = len(splitter.levels.count)
    copies, reached, distinct = [0] * n_levels, [0] * n_levels, [0] * n_levels
    shares = [0.0] * n_levels
    entries = splitter.nowhere()
    estimate, work, stopped = 1.0, 0, 0
    for stage in range(n_levels):
        done = splitter.stage(root, repetition, stage, starts, entries)
        if done is None:
            raise Stopped
        copies[stage], reached[stage] = starts, done.reached.n
        distinct[stage] = starts if stage == 0 else len(np.unique(entries.ints[:, ORIGIN])) if entries.n else 0
        entries = done.reached
        shares[stage] = float(entries.weight.sum()) / starts
        estimate *= shares[stage]
        work += done.candidates
        stopped += done.exploded
        if not entries.n:
            break
    came = entries.n if estimate > 0 else 0
    ancestors = len(np.unique(entries.ints[:, ORIGIN])) if came else 0
    ways = [guide.follow(entries, i) for i in sample(entries, SHOWN)] if came and guide is not None else []
    return Repetition(estimate, copies, reached, shares, distinct, ancestors, work, stopped, ways)
