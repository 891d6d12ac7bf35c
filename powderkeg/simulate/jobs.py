"""One job of many replicates: what is asked for, checked; shared out to threads; put together again.

In: the arguments of `simulate`. Out: `Runs`, or what was finished when somebody stopped it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from powderkeg.engine.arrays import System
from powderkeg.engine.draws import root_key
from powderkeg.engine.simulation.chunks import Chunk, Workspace, simulate_chunk
from powderkeg.engine.simulation.tables import Tables, tables
from powderkeg.engine.simulation.thinning import DONE, STOP
from powderkeg.engine.worlds import Past, World
from powderkeg.engine.worlds import world as make_world
from powderkeg.errors import Fault, ModelError, UsageError, warn
from powderkeg.model import Model
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Given
from powderkeg.showing import progress_shown
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.gathering import Gathered
from powderkeg.simulate.memory import Budget, Held, budget
from powderkeg.simulate.pieces import made_elsewhere
from powderkeg.simulate.plans import JobPlan, plan_of
from powderkeg.simulate.runs import Runs, cut, system_of
from powderkeg.simulate.sizes import candidates_of
from powderkeg.simulate.workers import Spares, in_order, workers_for
from powderkeg.units import YEAR
from powderkeg.wording import plain

EVENT_LIMIT = 1_000_000
"""Events in one replicate before it is stopped and called exploded, unless `limit` says otherwise."""
TRIAL = 8
"""If each of so many replicates, the first, is stopped, so would nearly all others be: the job ends there."""
AFFORDABLE = 10_000_000
"""Events, at the limit of each replicate, up to which a job is carried out all the same: no machine minds them."""
BYTES = 18 + 18
"""What an event takes: in its column, and again if that cannot grow in place. Its key takes as many as two numbers."""

_CHUNK = 100_000  # candidates to expect in one chunk: some 20 ms of work, so that a stop is prompt
_FILE = 2_000_000  # the same for a checkpoint: some 40 MB, half a second of work to lose


class Interrupted(KeyboardInterrupt):
    """Stopped by hand. `runs` holds the replicates that were finished: the same as those of a job with fewer."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        super().__init__(f"stopped after {runs.replicates:,} replicates")


def simulate(
    model: Given | Model | System,
    *,
    years: float | None = None,
    days: float | None = None,
    replicates: int = 1000,
    seed: int = 1,
    workers: int | None = None,
    limit: int | None = None,
    memory: int | str | Budget | None = None,
    history: Past | None = None,
    world: World | None = None,
    keys: bool = False,
    progress: Callable[[float], None] | None = None,
    checkpoint: str | os.PathLike[str] | JobPlan | None = None,
    executor: Executor | None = None,
    whole: str | None = None,
    span: tuple[int, int] | None = None,
) -> Runs:
    """Histories of a model. The same model, seed and version give the same events, bit for bit.

    years, days  length of the window; default: the scenario's
    workers      threads; default: all cores. Changes nothing but the time it takes
    limit        events recorded in one replicate before it is stopped, flagged in `exploded` and warned about; it is
                 stopped too when as many answers wait in it as two such replicates have events
    memory       bytes, or such as "4 GB", that all events together may take; default: half of what is free. It decides
                 whether there is a result, never which
    history      what happened before, see `past_of`; the window then begins at `history.begin`
    world        what is different from the model, see `engine.worlds.world`; its baseline must be this model's
    keys         keep every event's key
    progress     called now and then with the share done, 0 to 1
    checkpoint   folder in which finished parts are kept. Called again after a stop, or a kill, the job goes on where
                 it was, to the same bytes; a folder that belongs to another job, or that another process works
                 in, is refused; parts that were changed or cut off are named and made again. A `JobPlan` says more: a
                 share of the job, or that its shares are to be put together
    executor     of `concurrent.futures`, or what keeps to its protocol, instead of threads here. It changes nothing
                 but where the work is done
    span         only replicates [first, end) of them, numbered from 0 on here
    whole        what the replicates are of, such as "intervention calm", where fewer than asked for are of no use

    If each of the first `TRIAL` replicates is stopped and the others could have more than `AFFORDABLE` events, the job
    ends there, whatever else was asked for: a warning says
    so and `Runs.asked` tells it, or with `whole` it is a ModelError. Raises UsageError for arguments that cannot be
    met, ModelError if the events would not fit, which is said as soon as the first replicates tell how many there will
    be, DiskError if there is no room for a part of a checkpoint, WorkerError if the executor fails, PartDone at the end
    of a share. Ctrl-C raises Interrupted, with the replicates that were finished.
    """
    progress = progress_shown(progress, "simulating")
    if not isinstance(model, System):
        model = compile_scenario(model)
    held = Held(budget(memory), BYTES + 16 * keys, "events")
    job = _job(model, years, days, replicates, seed, limit, history, world, keys, span)
    chunks = Gathered(job.span[1] - job.span[0])
    try:
        for chunk in _made(job, plan_of(checkpoint), held, progress, workers, executor):
            chunks.add(chunk)
    except KeyboardInterrupt:
        raise Interrupted(_runs(job, chunks.column, job.span[0])) from None
    runs = _runs(job, chunks.column, job.span[0])
    if runs.is_cut and whole is not None:
        raise ModelError(Fault.at(whole, _explosion(job, runs.replicates, runs.replicates)))
    if runs.exploded.any():
        warn(_explosion(job, runs.replicates, int(runs.exploded.sum())))
    return runs


def simulate_parts(
    model: Model,
    *,
    years: float | None = None,
    replicates: int = 1000,
    seed: int = 1,
    workers: int | None = None,
    limit: int | None = None,
    memory: int | str | Budget | None = None,
    progress: Callable[[float], None] | None = None,
    plan: JobPlan | None = None,
    executor: Executor | None = None,
) -> Generator[Runs]:
    """The same histories part by part, as `Runs.parts` cuts them: their events never stand in memory together.

    memory  that events may take which are made and not yet handed on
    plan    see `checkpoint` of `simulate`, which tells the other arguments too; of a share nothing comes

    After Ctrl-C what was finished comes as a last part, then KeyboardInterrupt.
    """
    held = Held(budget(memory), BYTES, "events on the way", fewer="workers")
    job = _job(model, years, None, replicates, seed, limit, None, None, False, None)
    done = exploded = 0

    def made() -> Iterator[Runs]:
        first = 0
        for chunk in _made(job, plan, held, progress, workers, executor, in_parts=True):
            yield _runs(job, chunk._asdict().__getitem__, first)
            first += len(chunk.n_events)

    for part in cut(made()):
        yield part
        held.let_go(len(part))
        done, exploded = done + part.replicates, exploded + int(part.exploded.sum())
    if exploded:
        warn(_explosion(job, done, exploded))


def _made(
    job: _Job,
    plan: JobPlan | None,
    held: Held,
    progress: Callable[[float], None] | None,
    workers: int | None,
    executor: Executor | None,
    in_parts: bool = False,
) -> Iterator[Chunk]:
    """The chunks of a job in order; of a share none, as nothing but its kept pieces is wanted."""
    each = _each(job, _CHUNK if plan is None and executor is None else _FILE)
    with nullcontext() if plan is None else JobFolder(plan, _identity(job, each)) as folder:
        for chunk in _Chunks(job, each, folder, held, progress, in_parts).made(workers, executor):
            if plan is None or plan.part is None:
                yield chunk
        if folder is not None:
            folder.finish()


def _explosion(job: _Job, replicates: int, exploded: int) -> str:
    """What was stopped of so many replicates, and what to look at next."""
    if not exploded == replicates < job.span[1] - job.span[0]:
        return stopped_words(exploded, replicates, job.limit)
    said = f"each of the first {replicates} replicates exploded (stopped at {job.limit:,} events)"
    said += f", so the other {job.replicates - replicates:,} were not begun; {blame(job.model, job.world)}"
    return said


def stopped_words(stopped: int, replicates: int, limit: int) -> str:
    """What some replicates that were stopped say of a model."""
    return (
        f"{stopped:,} of {replicates:,} replicates were stopped at {limit:,} events: "
        "the state can explode; look at the branching ratio and what drives it"
    )


def needs_trial(replicates: int, limit: int) -> bool:
    """Whether so many replicates would cost a lot if each came to its limit."""
    return replicates > TRIAL and replicates * limit > AFFORDABLE


def blame(model: Model | System, world: World | None = None) -> str:
    """What makes a model explode, in words: the mechanism that has most of the worst branching ratio."""
    if isinstance(model, System):
        return "look at the branching ratio of its arrays"
    from powderkeg.model import stability

    last = model if world is None else replace(model, system=world.phases[-1].system)
    found = stability(last)
    if not found.drivers:
        return "no mechanism feeds it: its background rates are that high"
    path, share = found.drivers[0]
    return f"branching ratio {plain(found.worst)} {found.departure}, largest contributor {path} ({share:.2f})"


@dataclass(frozen=True)
class _Job:
    model: Model | System
    world: World
    tables: Tables
    seed: int
    begin: float
    days: float
    replicates: int
    limit: int
    is_complete: bool
    keys: bool
    expected: float
    span: tuple[int, int]


def _job(
    model: Model | System,
    years: float | None,
    days: float | None,
    replicates: int,
    seed: int,
    limit: int | None,
    history: Past | None,
    given: World | None,
    keys: bool,
    span: tuple[int, int] | None,
) -> _Job:
    faults: list[Fault] = []

    def fault(path: str, found: object, expected: str) -> None:
        faults.append(Fault.at(path, str(found), expected))

    def is_whole(x: Any, least: int) -> bool:
        return isinstance(x, int | np.integer) and not isinstance(x, bool) and int(x) >= least

    if years is not None and days is not None:
        fault("years", "both years and days", "one of them")
    if years is not None:
        days = days_of(years)
    elif days is None:
        scenario = None if isinstance(model, System) else model.scenario
        if scenario is None:
            fault("days", "nothing", "days or years: bare arrays have no length of their own")
        else:
            days = float(scenario.years) * YEAR
    if days is not None and not (0.0 < days < 1e7):
        name, value = ("years", years) if years is not None else ("days", days)
        fault(name, value, "more than 0, and less than 10,000,000 days")
    if not is_whole(replicates, 1):
        fault("replicates", replicates, "a whole number from 1 on")
    if not is_whole(seed, 0):
        fault("seed", seed, "a whole number from 0 on")
    if limit is not None and not (is_whole(limit, 1) and limit < 2**31 - 1):
        fault("limit", limit, "a whole number from 1 on, below 2,147,483,647")
    if span is not None and not (0 <= span[0] < span[1] <= replicates):
        fault("span", span, f"the first and the end of some of {replicates:,} replicates")
    if faults or days is None:
        raise UsageError(faults)
    if not isinstance(model, System):
        model.must_be_known((0.0 if history is None else history.begin) + days, "the run")
    system = system_of(model)
    if given is None:
        given = make_world(system)
    elif given.base is not system and not all(np.array_equal(a, b) for a, b in zip(given.base, system, strict=True)):
        raise ModelError("the world was made over another model")
    built = tables(given, history)
    begin, limit = 0.0 if history is None else float(history.begin), EVENT_LIMIT if limit is None else int(limit)
    span = (0, int(replicates)) if span is None else span
    return _Job(
        model=model,
        world=given,
        tables=built,
        seed=int(seed),
        begin=begin,
        days=float(days),
        replicates=int(replicates),
        limit=limit,
        is_complete=history is not None and history.complete,
        keys=keys,
        expected=candidates_of(built, root_key(int(seed)), begin, float(days), span[1] - span[0], limit),
        span=span,
    )


def _identity(job: _Job, each: int) -> dict[str, Any]:
    """What must agree for a checkpoint to belong to this job."""
    return {
        "tables": job.tables.digest(),
        "seed": job.seed,
        "begin": job.begin,
        "days": job.days,
        "replicates": job.replicates,
        "limit": job.limit,
        "is_complete": job.is_complete,
        "keys": job.keys,
        "each": each,
        "trial": TRIAL if needs_trial(job.replicates, job.limit) else 0,
    }


def _each(job: _Job, candidates: float) -> int:
    """Replicates of a chunk: it must not depend on the number of workers, or a checkpoint would."""
    return int(min(max(candidates / max(job.expected, 1.0), 1), 4096, max(job.replicates // 8, 1)))


@dataclass(frozen=True)
class ChunkTask:
    """Makes chunks of a job in any process: what it needs for that, and nothing else."""

    tables: Tables
    root: np.uint64
    begin: float
    horizon: float
    limit: int
    expected: float
    keys: bool
    is_complete: bool
    firsts: tuple[int, ...]
    end: int

    def __call__(self, number: int) -> Chunk:
        chunk = self.made(number, Workspace(), None)
        assert chunk is not None  # nobody stops it
        return chunk

    def made(self, number: int, space: Workspace, hold: Callable[[int], None] | None) -> Chunk | None:
        """Chunk `number`; None if it was stopped."""
        ends = (*self.firsts[number + 1 : number + 2], self.end)
        return simulate_chunk(
            self.tables, self.root, self.firsts[number], ends[0], self.begin, self.horizon, self.limit, space,
            self.expected, self.keys, self.is_complete, hold,
        )  # fmt: skip


class _Chunks:
    """The chunks of a job in order.

    The first replicates are chunks of their own, and the others wait for them: see TRIAL.
    """

    def __init__(
        self,
        job: _Job,
        each: int,
        folder: JobFolder | None,
        held: Held,
        progress: Callable[[float], None] | None,
        in_parts: bool,
    ) -> None:
        self.job, self.folder, self.held, self.progress = job, folder, held, progress
        first, end = job.span
        # Before a few of the later ones a trial would cost more than they do.
        is_tried = needs_trial(job.replicates, job.limit) and (first == 0 or end - first > TRIAL)
        self.trials = TRIAL if is_tried else 0
        if first == 0:
            self.trials = min(self.trials, end)
        firsts = [*range(first, min(self.trials, end)), *range(max(first, self.trials), end, each)]
        if first:
            # The first replicates of all are looked at all the same; between them and the span is a chunk nobody makes.
            firsts = [*range(self.trials + 1), *firsts]
        self.task = ChunkTask(
            job.tables, root_key(job.seed), job.begin, job.begin + job.days, job.limit, job.expected, job.keys,
            job.is_complete, tuple(firsts), end,
        )  # fmt: skip
        self.drops = folder is not None and folder.plan.part is not None
        self.foresees = not (self.drops or in_parts)
        self.n_done = self.n_exploded = 0
        self.told = 0.0
        self.running: Sequence[Workspace] = ()

    def made(self, workers: int | None, executor: Executor | None) -> Iterator[Chunk]:
        """Made by several threads, whose loops let go of the interpreter's lock, or by an executor."""
        firsts = self.task.firsts
        is_later = self.job.span[0] > 0
        n_workers = workers_for(len(firsts), workers)
        spaces = Spares([Workspace() for _ in range(n_workers)])
        self.running = spaces.all
        mine = self._mine()
        trials = range(self.trials)
        for chunk in self._here([*trials], mine, spaces):
            self._count(chunk)
            if not is_later:
                yield chunk
        if self.trials and self.n_exploded == self.n_done:
            if is_later:
                raise ModelError(f"each of the first {self.trials} replicates exploded; {blame(self.job.model)}")
            return
        if is_later:
            self.n_done = 0
        rest = range(self.trials + is_later, len(firsts))
        rest = range(max(rest.start, mine.start), min(rest.stop, mine.stop))
        if executor is None:
            made = self._here([*rest], mine, spaces)
        else:
            made = made_elsewhere(self.task, rest, self.folder, executor, self._tick)
        for chunk in made:
            if executor is not None:
                self._hold(len(chunk.time))
            self._count(chunk)
            yield chunk

    def _mine(self) -> range:
        """Numbers of the chunks that are made or read here."""
        if self.folder is None:
            return range(len(self.task.firsts))
        if self.folder.plan.gathers and self.trials:
            first = [self.folder.read(number) for number in range(self.trials)]
            if all(one is not None and one.exploded.all() for one in first):
                return self.folder.begin(self.trials)
        return self.folder.begin(len(self.task.firsts))

    def _here(self, numbers: Sequence[int], mine: range, spaces: Spares[Workspace]) -> Iterator[Chunk]:
        for space in spaces.all:
            space.control[STOP] = 0.0

        def make(number: int) -> Chunk | None:
            with spaces.one() as space:
                chunk = self.task.made(number, space, self._hold)
                space.control[DONE] = 0.0
            return chunk

        def work(place: int) -> Chunk | None:
            number = numbers[place]
            if self.folder is None:
                return make(number)
            chunk: Chunk | None = self.folder.read(number)
            if chunk is None:
                return self.folder.keep(number, make) if number in mine else make(number)
            self._hold(len(chunk.time))
            return chunk

        for chunk in in_order(work, len(numbers), len(spaces.all), tick=self._tick, stop=self._stop):
            assert chunk is not None  # only a stop from here leaves a chunk unfinished
            yield chunk

    def _hold(self, n: int) -> None:
        """So many events more in memory; those of a share go to the disk and are let go."""
        if not self.drops:
            self.held.add(n)

    def _count(self, chunk: Chunk) -> None:
        self.n_done += len(chunk.n_events)
        self.n_exploded += int(chunk.exploded.sum())
        if self.foresees:
            self.held.foresee(chunk.n_events, self.job.span[1] - self.job.span[0])

    def _tick(self) -> None:
        if self.progress is not None:
            running = sum(float(space.control[DONE]) for space in self.running)
            # What runs is a sum in any order, and a chunk is counted just after it has run: neither may lead back.
            self.told = max(self.told, min((self.n_done + running) / self.job.replicates, 1.0))
            self.progress(self.told)

    def _stop(self) -> None:
        for space in self.running:
            space.control[STOP] = 1.0


def _runs(job: _Job, column: Callable[[str], Any], first: int) -> Runs:
    """Replicates from `first` on, of which `column` gives a column by name."""
    n_events = column("n_events")
    cells = int(system_of(job.model).level_start[-1])
    return Runs(
        model=job.model,
        seed=job.seed,
        days=job.days,
        asked=job.replicates if job.span == (0, job.replicates) else len(n_events),
        replicates=len(n_events),
        offsets=np.concatenate([[0], np.cumsum(n_events)]).astype(np.int64),
        time=column("time"),
        channel=column("channel"),
        parent=column("parent"),
        mechanism=column("mechanism"),
        exploded=column("exploded"),
        reached=column("reached"),
        limit=job.limit,
        level_time=column("level_time").reshape(len(n_events), cells),
        level_first=column("level_first").reshape(len(n_events), cells),
        begin=job.begin,
        key=column("key") if job.keys else None,
        candidates=int(column("n_candidates").sum()),
        origin=first,
    )


def days_of(years: object) -> float:
    """The days of so many years. Raises UsageError for what is no number."""
    if isinstance(years, bool) or not isinstance(years, int | float | np.number):
        raise UsageError(Fault.at("years", repr(years), "a number, such as 10 or 0.5"))
    return float(years) * YEAR
