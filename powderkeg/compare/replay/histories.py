"""Complete histories behind an observed one, each lived through again without X.

In: a model, what was observed, what is left out. Out: `History`s: a draw of what nobody reported (hours, hidden facts,
how chance fell), and its replays; the same as `Runs`, so that outcomes and standoffs are measured as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from powderkeg.compare.replay.without import Observed, Without, leave_out
from powderkeg.engine.arrays import HISTORY, Floats, Ints, System
from powderkeg.engine.draws import COPY, child, root_key
from powderkeg.engine.replay.intensity import Ledger, ledger
from powderkeg.engine.replay.particle_filter import Drawn, enough_copies, hidden, impute
from powderkeg.engine.replay.replay import Given, Replayed, replays
from powderkeg.engine.worlds import world
from powderkeg.errors import ModelError
from powderkeg.model import Model, filled
from powderkeg.simulate import TRIAL, Runs, blame, needs_trial
from powderkeg.simulate.memory import Held
from powderkeg.simulate.pieces import made_in_order
from powderkeg.simulate.workers import workers_for

BYTES = 32 + 60
"""What a new act takes in a replay, and while all replays are put together."""
LEVELS = ("level_time", "level_first")
KEPT = 1 + 60
"""What an observed act takes in every replay, whether it stays or not, with the same."""


@dataclass(frozen=True)
class History:
    """One imputed history and its replays."""

    drawn: Drawn
    replayed: Replayed
    level_time: Floats  # (cells,) of the factual world, from the parting on
    level_first: Floats  # (cells,)


class ReplayJob:
    """What is asked for; histories are made one by one, each from its number alone.

    sets  numbers {key path: value}, for the histories in turn; empty: the scenario's own
    each  replays of every history: as few as give `replicates` in all, or more
    """

    def __init__(self, asked: ReplayAsked, x: Without) -> None:
        model, seen, sets, replicates, imputations = (
            asked.model, asked.seen, asked.sets, asked.replicates, asked.imputations,
        )  # fmt: skip
        self.asked, self.model, self.seen, self.x, self.sets = asked, model, seen, x, sets
        self.seed, self.limit, copies = asked.seed, asked.limit, asked.copies
        self.systems = [filled(model, values) for values in sets] or [model.system]
        try:
            first = self.ledger_of(0)
            self.hidden = hidden(first, model.n_acts, seen.by_day)
        except ValueError as error:
            raise ModelError(str(error)) from error
        needed = enough_copies(first, self.hidden, seen.by_day)
        self.copies = needed if needed == 1 or copies is None else copies
        # Where nothing is hidden every imputation would be the same.
        self.imputations = min(imputations, replicates) if needed > 1 or len(sets) > 1 else 1
        self.each = -(-replicates // self.imputations)
        self.replicates = self.each * self.imputations

    def ledger_of(self, number: int) -> Ledger:
        """The ledger of the world without X, over the numbers of imputation `number`."""
        k = number % len(self.systems)
        return ledger(self.x.build(self.systems[k], self.sets[k] if self.sets else {}), self.x.turn)

    def draw(self, number: int, b: Ledger, until: float | None = None) -> Drawn:
        """What nobody reported, given all acts, or those before `until`."""
        time, channel, end = self.seen.time, self.seen.channel, self.seen.end
        if until is not None:
            early = time < until
            time, channel, end = time[early], channel[early], until
        tag = number if until is None else -1 - number
        key = np.uint64(child(root_key(self.seed), COPY, tag))
        return impute(b, self.hidden, time, channel, self.seen.by_day, self.seen.begin, end, key, self.copies)

    def history(self, number: int, held: Held | None = None) -> History:
        """Imputation `number` and its replays."""
        b = self.ledger_of(number)
        drawn = self.draw(number, b)
        gone = np.zeros(len(drawn.time), np.bool_)
        observed = drawn.event >= 0
        gone[observed] = self.x.gone[drawn.event[observed]]
        given = Given(drawn.time, drawn.process, drawn.coins, gone)
        spans = (self.seen.begin, self.x.turn, self.seen.end, root_key(self.seed))
        if number == 0 and not self.sets and needs_trial(self.replicates, self.limit):
            tried = replays(b, given, *spans, 0, TRIAL, self.limit)
            if np.isfinite(tried.exploded).all():
                raise ModelError(
                    f"each of the first {TRIAL} replays exploded (stopped at {self.limit:,} new acts), so nothing can "
                    f"be said of a world without this; {blame(self.model, self.x.build(self.model.system, {}))}"
                )
        replayed = replays(b, given, *spans, number * self.each, self.each, self.limit)
        if held is not None:
            held.add(len(replayed.time))
        plain = ledger(world(self.systems[number % len(self.systems)], follow=False), self.x.turn)
        same = replays(plain, given._replace(gone=np.zeros_like(gone)), *spans, 0, 1, self.limit)
        return History(drawn, replayed, same.level_time[0], same.level_first[0])

    def run(
        self, workers: int | None, held: Held, tell: Callable[[float], None], executor: Executor | None = None
    ) -> list[History]:
        """All histories; threads share them out, the loops let go of the interpreter's lock; or an executor."""
        n = self.imputations
        found: list[History] = []
        make = partial(self.history, held=held) if executor is None else HistoryTask(self.asked)
        for one in made_in_order(make, n, workers=workers_for(n, workers), executor=executor):
            if executor is not None:
                held.add(len(one.replayed.time))
            found.append(one)
            tell(len(found) / n)
        return found


class ReplayAsked(NamedTuple):
    """What a `ReplayJob` is made of, as it can be sent to another process: what is left out by its name."""

    model: Model
    seen: Observed
    without: str
    turn: float | None
    replicates: int
    imputations: int
    seed: int
    copies: int | None
    limit: int
    sets: list[dict[str, float]]


@dataclass(frozen=True)
class HistoryTask:
    """Makes histories in any process."""

    asked: ReplayAsked

    def __call__(self, number: int) -> History:
        return job_of(self.asked).history(number)


def job_of(asked: ReplayAsked) -> ReplayJob:
    """The job that was asked for. Raises UsageError for what cannot be left out."""
    x = leave_out(asked.model, asked.seen, asked.without, asked.turn)
    return ReplayJob(asked, x)


def channels_of(system: System, process: Ints) -> Ints:
    """Channel of every process."""
    timer = process - system.n_channels
    if not len(system.timer_channel):
        return process
    return np.where(timer >= 0, system.timer_channel[np.maximum(timer, 0)], process)


def _runs(
    job: ReplayJob, replicate: Ints, time: Floats, channel: Ints,
    mechanism: Ints, level_time: Floats, level_first: Floats, exploded: Floats, begin: float,
) -> Runs:  # fmt: skip
    """Events of the window from `begin` on as `Runs`."""
    inside = time >= begin
    replicate, time, channel, mechanism = replicate[inside], time[inside], channel[inside], mechanism[inside]
    order = np.lexsort((time, replicate))
    n = len(level_time)
    return Runs(
        model=job.model,
        seed=job.seed,
        days=job.seen.end - begin,
        replicates=n,
        offsets=np.concatenate([[0], np.cumsum(np.bincount(replicate, minlength=n))]).astype(np.int64),
        time=time[order],
        channel=channel[order].astype(np.int32),
        parent=np.full(len(order), -1, np.int32),
        mechanism=mechanism[order].astype(np.int16),
        exploded=np.isfinite(exploded),
        reached=np.minimum(exploded, job.seen.end),
        limit=job.limit,
        level_time=level_time,
        level_first=level_first,
        begin=begin,
    )


class _ActColumns(NamedTuple):
    """(acts,) each."""

    replicate: Ints
    time: Floats
    channel: Ints
    mechanism: Ints


def _joined(parts: list[_ActColumns]) -> _ActColumns:
    return _ActColumns(
        np.concatenate([one.replicate for one in parts]),
        np.concatenate([one.time for one in parts]),
        np.concatenate([one.channel for one in parts]),
        np.concatenate([one.mechanism for one in parts]),
    )


def both_worlds(job: ReplayJob, histories: list[History], begin: float) -> tuple[Runs, Runs]:
    """The imputed histories, one replicate each, and all replays, from `begin` on."""
    system = job.model.system
    rows: list[_ActColumns] = []
    new: list[_ActColumns] = []
    for m, one in enumerate(histories):
        d, r = one.drawn, one.replayed
        channel = channels_of(system, d.process)
        told = np.full(len(channel), HISTORY, np.int64)
        rows.append(_ActColumns(np.full(len(channel), m), d.time, channel, told))
        replicate, at = np.nonzero(r.kept)
        new.append(
            _ActColumns(
                np.concatenate([replicate, r.replicate]) + m * job.each,
                np.concatenate([d.time[at], r.time]),
                np.concatenate([channel[at], channels_of(system, r.process)]),
                np.concatenate([told[at], r.mechanism]),
            )
        )
    never = np.full(len(histories), np.inf)
    level_time, level_first = (np.stack([getattr(one, name) for one in histories]) for name in LEVELS)
    other_time, other_first = (np.concatenate([getattr(one.replayed, name) for one in histories]) for name in LEVELS)
    exploded = np.concatenate([one.replayed.exploded for one in histories])
    return (
        _runs(job, *_joined(rows), level_time, level_first, never, begin),
        _runs(job, *_joined(new), other_time, other_first, exploded, begin),
    )
