"""Learn from a record who is met next.

In: an `EventTable`, and the day from which on nothing is known. Out: a `Ranking`, which names likely others for an
actor, an act and a day, with what speaks for each, and scores itself on what came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.ranking.arrays import N_FADES, N_TONES, N_WAYS, Limits, Weighing
from powderkeg.engine.ranking.scores import learn
from powderkeg.errors import Fault, UsageError, argument, must_be, nearest_name
from powderkeg.events.table import EventTable, must_be_table
from powderkeg.ranking.causes import because
from powderkeg.ranking.scoring import RankScores, scored
from powderkeg.ranking.shelving import Book, shelve
from powderkeg.showing import ShowsItself, progress_shown

LOOKS_BACK = Limits(dyad=100_000, list=400, anybody=2_000, partners=60, theirs=40)
LEARNS_BACK = LOOKS_BACK._replace(dyad=3_000)
MOST_QUESTIONS = 40_000
"""Questions that weights are learnt from: the latest before the day, a sample of them where there are more."""
LATEST = 120
"""Days before the day whose events are such questions."""
ROUNDS = 8
FIRMNESS = 5.0
"""Events' worth of what all pairs of acts have in common that one pair of acts starts with."""


@dataclass(frozen=True)
class Weights:
    """answer (acts, acts) of a row's act for the act asked; fade (8, 8, 3) and weight (10, 8) by class of act."""

    answer: Floats
    fade: Floats
    weight: Floats


@dataclass(frozen=True, repr=False)
class Ranking(ShowsItself):
    """What was learnt from the events before `until`.

    log_chance  mean logarithm of the chance that the last rounds gave to what came, by round
    """

    book: Book
    weights: Weights
    until: date
    log_chance: tuple[float, ...] = field(default=())

    def __repr__(self) -> str:
        return (
            f"Ranking(of {len(self.book.actors):,} actors and {len(self.book.acts):,} acts, learnt from "
            f"{int((self.book.past.day < self.book.day(self.until)).sum()) // 2:,} events before {self.until})"
        )

    def next(
        self, source: str, act: str, day: date | None = None, most: int = 10, suffered: bool = False
    ) -> pl.DataFrame:
        """Whom will an actor meet by an act, if it does one?

        source    an actor of the record
        act       an act of the record, as the record writes it
        day       the day asked about; all events before it are known. By default the first that is not.
        suffered  who will do it to `source`, instead

        Columns rank, actor, chance (of all actors; sums to 1 over them), because (the way that speaks most for it),
        share (of that way in the score), event_day, event_source, event_act, event_target (the earlier event that
        speaks most).

        Raises UsageError for an unknown name, with the nearest.
        """
        asker = _number(source, self.book.actors, "source")
        asked = _number(act, self.book.acts, "act") + (len(self.book.acts) if suffered else 0)
        when = self.book.day(day or self.until)
        return because(self.book, self.weights_for(LOOKS_BACK), asker, asked, when, most)

    def score(self, first: date | None = None, last: date | None = None) -> RankScores:
        """Ranks of all that came from one day to another (by default all that was not learnt from), each asked knowing
        everything before its day: mean reciprocal rank and hits, filtered by time, both directions."""
        return scored(self.book, self.weights_for(LOOKS_BACK), self.book.day(first or self.until),
                      None if last is None else self.book.day(last))  # fmt: skip

    def weights_for(self, limits: Limits) -> Weighing:
        """What the loops take after the shelves."""
        return (limits, self.weights.answer, self.weights.fade, self.weights.weight)


def ranking(events: EventTable, until: date, seed: int = 1, progress: Callable[[float], None] | None = None) -> Ranking:
    """Learn from the events before a day who is met next, by whom and by which act.

    events  observed events; each kind of act, dyad and day counts once
    until   the first day that nothing is learnt from
    seed    of the sample of questions, where there are more than can be learnt from

    Raises UsageError if fewer than 100 events stand before that day, EventError if the table has no two sides.

    Source: scores are linear in what was seen, as intensities of a mutually exciting process; fading as in Gastinger
    et al. (2024), IJCAI, with a mixture in place of one delay; weights by the multiplicative updates of mixtures.
    """
    progress = progress_shown(progress, "learning whom each meets next")
    must_be_table(events)
    must_be("until", until, date, "a date")
    when = (until - events.start).days
    book = shelve(events, when)
    known = np.flatnonzero((book.past.day < when) & (book.past.day >= when - LATEST))
    if (book.past.day < when).sum() < 200:
        found = f"{int((book.past.day < when).sum()) // 2} events before {until}"
        raise UsageError(Fault.of(argument("until", f"{until}") + f": {found}", "at least 100 to learn from"))
    questions = np.sort(np.random.default_rng(seed).permutation(known)[:MOST_QUESTIONS]).astype(np.int64)
    weights = _start(len(book.past.tone))
    base, told = weights.answer.copy(), []
    for i in range(ROUNDS):
        weights, log_chance = _round(book, questions, weights, base, i)
        told.append(log_chance)
        if progress is not None:
            progress((i + 1) / ROUNDS)
    return Ranking(book, weights, until, tuple(told))


def _start(n_acts: int) -> Weights:
    """Every pair of acts alike, the same act much more."""
    answer = np.full((n_acts, n_acts), 0.02)
    answer[np.arange(n_acts), np.arange(n_acts)] = 0.2
    fade = np.full((N_TONES, N_TONES, N_FADES), 0.1)
    fade[:, :, 0] = 1.0
    weight = np.full((2 * (N_WAYS - 1), N_TONES), 1e-3)
    weight[: N_WAYS - 1] = 1e-2
    return Weights(answer, fade, weight)


def _round(book: Book, questions: Ints, weights: Weights, base: Floats, i: int) -> tuple[Weights, float]:
    """One update: of the ways in every round; of fading and of the pairs of acts in turn."""
    n = len(book.actors)
    shapes = (weights.answer, weights.fade, weights.weight)
    gained, spent = (tuple(np.zeros_like(one) for one in shapes) for _ in range(2))
    log_chance = learn(
        questions, book.past, book.shelves, LEARNS_BACK, *shapes, np.zeros(n), np.zeros(n, np.int64), np.zeros(N_WAYS),
        np.zeros(N_WAYS), gained, spent,
    )  # fmt: skip
    answer, fade = weights.answer, weights.fade
    if i % 2:
        fade = _updated(gained[1], spent[1], fade, 0.5)
    else:
        tone = book.past.tone
        answer = _updated(gained[0], spent[0], _common(gained[0], spent[0], base, tone), FIRMNESS)
    return Weights(answer, fade, _updated(gained[2], spent[2], weights.weight, 1e-3)), log_chance / len(questions)


def _updated(gained: Floats, spent: Floats, prior: Floats, firmness: float) -> Floats:
    """gained / spent, held by `firmness` events at the prior."""
    result: Floats = (gained + firmness) / (spent + firmness / np.maximum(prior, 1e-9))
    return result


def _common(gained: Floats, spent: Floats, base: Floats, tone: Ints) -> Floats:
    """What pairs of acts of two classes have in common; the same act done again, and returned, by themselves."""
    n = len(tone) // 2
    act = np.arange(2 * n)
    alike = np.where(act[:, None] == act[None, :], 1, np.where(act[:, None] % n == act[None, :] % n, 2, 0))
    group = (alike * N_TONES + tone[:, None]) * N_TONES + tone[None, :]
    size = 3 * N_TONES * N_TONES

    def together(values: Floats) -> Floats:
        return np.bincount(group.ravel(), values.ravel(), size).astype(np.float64)

    start = together(base) / np.maximum(together(np.ones_like(base)), 1.0)
    result: Floats = _updated(together(gained), together(spent), start, 1.0)[group]
    return result


def _number(name: str, known: tuple[str, ...], what: str) -> int:
    if name in known:
        return known.index(name)
    near = nearest_name(name, known)
    kinds = f"one of the {len(known):,} {'actors' if what == 'source' else 'acts'} of the record"
    raise UsageError(Fault.at(what, f"unknown name {name!r}", kinds, near))
