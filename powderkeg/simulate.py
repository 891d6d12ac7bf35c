"""Run a model many times: histories, each with every event's parent.

In: a `Model` (or a bare `System`), how long, how often, a seed; perhaps a past, a world. Out: `Runs`.
Replicates are shared out to threads in chunks; a replicate's events depend on its seed and number alone, so neither
the number of workers nor the size of chunks can be seen in the result.
"""

from __future__ import annotations

import hashlib
import os
import queue
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import SCHEDULED, TIMER, System
from powderkeg.engine.chunks import Chunk, Workspace, simulate_chunk
from powderkeg.engine.draws import root_key
from powderkeg.engine.simulation import DONE, STOP
from powderkeg.engine.tables import Tables, expected_events, tables
from powderkeg.engine.worlds import Past, World, world
from powderkeg.errors import Fault, ModelError, PowderkegWarning, UsageError
from powderkeg.events.table import EventTable

if TYPE_CHECKING:
    from powderkeg.model import Model

EVENT_LIMIT = 1_000_000
"""Events in one replicate before it is stopped and called exploded, unless `limit` says otherwise."""
MOST_EVENTS = 300_000_000
"""Events in all replicates together, about 6 GB, before the job is refused."""
DAYS_PER_YEAR = 365.25

_CHUNK = 100_000  # candidates to expect in one chunk: some 20 ms of work, so that a stop is prompt
_EXTRA = {SCHEDULED: "(scheduled)", TIMER: "(timer)"}


class Interrupted(KeyboardInterrupt):
    """Stopped by hand. `runs` holds the replicates that were finished: the same as those of a job with fewer."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        super().__init__(f"stopped after {runs.replicates:,} replicates")


@dataclass(frozen=True)
class Runs:
    """Simulated histories, one after the other: events of replicate r are offsets[r]:offsets[r + 1], in time order.

    time        float64, days since the scenario's start
    channel     int32, with the pseudo-channels by which facts come and go
    parent      int32, index within the replicate; -1 none; -2 - h: event h of the past it started from
    mechanism   int16, what bore it, or BACKGROUND, SCHEDULED, TIMER
    exploded    (R,) stopped at `limit` events, on day reached[r]; what came before is as it would have been
    key         uint64 address of the event's draws, or None; two worlds that share an event share its key
    level_time  (R, cells) days of the window that each fact spent at each level; cell = level_start[fact] + level
    begin, days the window is [begin, begin + days)
    """

    model: Model | System
    seed: int
    days: float
    replicates: int
    offsets: NDArray[np.int64]
    time: NDArray[np.float64]
    channel: NDArray[np.int32]
    parent: NDArray[np.int32]
    mechanism: NDArray[np.int16]
    exploded: NDArray[np.bool_]
    reached: NDArray[np.float64]
    limit: int
    level_time: NDArray[np.float64]
    begin: float = 0.0
    key: NDArray[np.uint64] | None = None
    candidates: int = 0

    def __len__(self) -> int:
        return len(self.time)

    @property
    def system(self) -> System:
        return system_of(self.model)

    @property
    def replicate(self) -> NDArray[np.int32]:
        """Replicate of every event."""
        return np.repeat(np.arange(self.replicates, dtype=np.int32), np.diff(self.offsets))

    def digest(self) -> str:
        """SHA-256 of every event, bit for bit."""
        sha = hashlib.sha256()
        for x in (self.offsets, self.time, self.channel, self.parent, self.mechanism, self.exploded, self.reached):
            sha.update(np.ascontiguousarray(x).view(np.uint8).data)
        return sha.hexdigest()

    def table(self, acts_only: bool = True) -> EventTable:
        """The events by name. Pseudo-events (a fact runs out, or comes) are left out, or come as act `expire`, `arise`.

        `parent` is the row of the parent within the replicate's rows (of an act that a pseudo-event set off: of the
        nearest act before it), null for a root. `mechanism` is null for a root from the background; acts put in by
        hand have "(scheduled)", acts that a policy forced "(timer)".
        """
        if isinstance(self.model, System):
            raise ModelError("a bare System has no names: simulate a model to get a table")
        return _table(self, self.model, acts_only)


def simulate(
    model: Model | System,
    *,
    years: float | None = None,
    days: float | None = None,
    replicates: int = 1000,
    seed: int = 1,
    workers: int | None = None,
    limit: int | None = None,
    history: Past | None = None,
    world: World | None = None,
    keys: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Runs:
    """Histories of a model. The same model, seed and version give the same events, bit for bit.

    years, days  length of the window; default: the scenario's
    workers      threads; default: all cores. Changes nothing but the time it takes
    limit        events recorded in one replicate before it is stopped, flagged in `exploded` and warned about
    history      what happened before; the window then begins at `history.begin`
    world        what is different from the model, see `engine.worlds.world`; its baseline must be this model's
    keys         keep every event's key
    progress     called now and then with the share done, 0 to 1

    Ctrl-C raises Interrupted, with the replicates that were finished.
    """
    job = _job(model, years, days, replicates, seed, limit, history, world, keys)
    chunks: list[Chunk] = []
    try:
        for chunk in _chunks(job, _plan(job, _CHUNK), workers, progress):
            chunks.append(chunk)
    except KeyboardInterrupt:
        raise Interrupted(_runs(job, chunks)) from None
    runs = _runs(job, chunks)
    if runs.exploded.any():
        warnings.warn(
            f"{runs.exploded.sum():,} of {runs.replicates:,} replicates were stopped at {runs.limit:,} events: "
            "the state can explode; look at the branching ratio and what drives it",
            PowderkegWarning,
            stacklevel=2,
        )
    return runs


def system_of(model: Model | System) -> System:
    """The arrays of a model; a System is its own."""
    return model if isinstance(model, System) else model.system


@dataclass(frozen=True)
class _Job:
    model: Model | System
    tables: Tables
    seed: int
    begin: float
    days: float
    replicates: int
    limit: int
    is_complete: bool
    keys: bool
    expected: float


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
) -> _Job:
    system = system_of(model)
    faults: list[Fault] = []

    def fault(path: str, found: object, expected: str) -> None:
        faults.append(Fault(None, None, path, str(found), expected))

    if years is not None and days is not None:
        fault("years", "both years and days", "one of them")
    if years is not None:
        days = years * DAYS_PER_YEAR
    elif days is None:
        if isinstance(model, System):
            fault("days", "nothing", "days or years: a bare System has no length of its own")
        else:
            days = float(model.scenario.years) * DAYS_PER_YEAR
    if days is not None and not (0.0 < days < 1e7):
        fault("years" if years is not None else "days", f"{days:g} days", "more than 0, less than 10,000,000 days")
    if not (isinstance(replicates, int | np.integer) and replicates >= 1):
        fault("replicates", replicates, "a whole number from 1 on")
    if not (isinstance(seed, int | np.integer) and seed >= 0):
        fault("seed", seed, "a whole number from 0 on")
    if limit is not None and not (isinstance(limit, int | np.integer) and 1 <= limit <= 2**31 - 2):
        fault("limit", limit, "a whole number from 1 on")
    if faults or days is None:
        raise UsageError(faults)
    if given is None:
        given = world(system)
    elif given.base is not system and not all(np.array_equal(a, b) for a, b in zip(given.base, system, strict=True)):
        raise ModelError("the world was made over another model")
    built = tables(given, history)
    if len(built.entry) // 7 >= 2**31 or system.n_channels >= 2**31:
        raise ModelError("more than two thousand million edges")
    return _Job(
        model=model,
        tables=built,
        seed=int(seed),
        begin=0.0 if history is None else float(history.begin),
        days=float(days),
        replicates=int(replicates),
        limit=EVENT_LIMIT if limit is None else int(limit),
        is_complete=history is not None and history.complete,
        keys=keys,
        expected=expected_events(built, float(days)),
    )


def _plan(job: _Job, candidates: float) -> list[tuple[int, int]]:
    """Replicates of each chunk."""
    each = int(min(max(candidates / max(job.expected, 1.0), 1), 4096, max(job.replicates // 8, 1)))
    return [(first, min(first + each, job.replicates)) for first in range(0, job.replicates, each)]


def _chunks(
    job: _Job, plan: list[tuple[int, int]], workers: int | None, progress: Callable[[float], None] | None
) -> Iterator[Chunk]:
    """Chunks in order, made by several threads; the loops let go of the interpreter's lock."""
    n_workers = min(workers or len(os.sched_getaffinity(0)), len(plan))
    root = root_key(job.seed)
    spaces: queue.SimpleQueue[Workspace] = queue.SimpleQueue()
    all_spaces = [Workspace() for _ in range(n_workers)]
    for space in all_spaces:
        spaces.put(space)
    horizon = job.begin + job.days

    def work(first: int, last: int) -> Chunk | None:
        space = spaces.get()
        try:
            return simulate_chunk(
                job.tables, root, first, last, job.begin, horizon, job.limit, space, job.expected, job.keys,
                job.is_complete,
            )  # fmt: skip
        finally:
            space.control[DONE] = 0.0
            spaces.put(space)

    n_done = n_events = 0
    pool = ThreadPoolExecutor(n_workers)
    try:
        # A few in flight for each worker: what waits in line for an earlier chunk must not fill the memory.
        waiting: list[Future[Chunk | None]] = []
        submitted = 0
        while waiting or submitted < len(plan):
            while submitted < len(plan) and len(waiting) < 4 * n_workers:
                waiting.append(pool.submit(work, *plan[submitted]))
                submitted += 1
            wait(waiting[:1], timeout=0.1, return_when=FIRST_COMPLETED)
            while waiting and waiting[0].done():
                chunk = waiting.pop(0).result()
                assert chunk is not None
                n_done += len(chunk.n_events)
                n_events += len(chunk.time)
                if n_events > MOST_EVENTS:
                    raise ModelError(
                        f"more than {MOST_EVENTS:,} events after {n_done:,} of {job.replicates:,} replicates: "
                        "fewer replicates, a shorter window or a lower limit would fit"
                    )
                yield chunk
            if progress is not None:
                running = sum(float(space.control[DONE]) for space in all_spaces)
                progress(min((n_done + running) / job.replicates, 1.0))
    finally:
        for space in all_spaces:
            space.control[STOP] = 1.0
        pool.shutdown(wait=True, cancel_futures=True)


def _runs(job: _Job, chunks: list[Chunk]) -> Runs:
    def join(name: str, dtype: type) -> NDArray[Any]:
        return np.concatenate([getattr(chunk, name) for chunk in chunks]) if chunks else np.empty(0, dtype)

    count = join("n_events", np.int64)
    return Runs(
        model=job.model,
        seed=job.seed,
        days=job.days,
        replicates=len(count),
        offsets=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        time=join("time", np.float64),
        channel=join("channel", np.int32),
        parent=join("parent", np.int32),
        mechanism=join("mechanism", np.int16),
        exploded=join("exploded", np.bool_),
        reached=join("reached", np.float64),
        limit=job.limit,
        level_time=join("level_time", np.float64).reshape(len(count), int(system_of(job.model).level_start[-1])),
        begin=job.begin,
        key=join("key", np.uint64) if job.keys else None,
    )


def _table(runs: Runs, model: Model, acts_only: bool) -> EventTable:
    keep: NDArray[Any] | slice = slice(None)
    parent = runs.parent
    # Rows start at the replicate's offset; a parent is a row number within it.
    if acts_only and (runs.channel >= model.n_acts).any():
        is_act = runs.channel < model.n_acts
        base = np.repeat(runs.offsets[:-1], np.diff(runs.offsets))
        parent = np.where(parent >= 0, parent + base, -1)
        while True:  # climb over pseudo-events to the act they came from
            over = np.flatnonzero((parent >= 0) & ~is_act[parent])
            if not len(over):
                break
            parent[over] = np.where(runs.parent[parent[over]] >= 0, runs.parent[parent[over]] + base[over], -1)
        row = np.cumsum(is_act) - 1
        before = np.concatenate([[0], np.cumsum(is_act)])[base]
        parent = np.where(parent >= 0, row[parent] - before, -1)
        keep = np.flatnonzero(is_act)
    channel = runs.channel[keep]
    mechanism = runs.mechanism[keep].astype(np.int32)
    names = [*model.mechanisms, *_EXTRA.values()]
    code = mechanism.copy()
    code[mechanism < 0] = len(names)
    for i, special in enumerate(_EXTRA):
        code[mechanism == special] = len(model.mechanisms) + i
    parent = parent[keep]
    frame = pl.DataFrame(
        {
            "replicate": runs.replicate[keep],
            "time": runs.time[keep],
            "source": _named([c.source for c in model.channels], channel),
            "act": _named([c.act for c in model.channels], channel),
            "target": _named([c.target for c in model.channels], channel),
            "channel": channel,
            "parent": _with_nulls(pl.Series(parent.astype(np.int32)), parent >= 0),
            "mechanism": pl.Series([*names, None], dtype=pl.Enum(names)).gather(code),
        }
    )
    account = {"replicates": runs.replicates}
    return EventTable(frame=frame, start=_start(model), days=runs.begin + runs.days, account=account)


def _start(model: Model) -> date:
    return model.scenario.start


def _named(names: list[str | None], channel: NDArray[np.int32]) -> pl.Series:
    """The name of each event's channel as an Enum."""
    distinct = sorted({name for name in names if name is not None})
    return pl.Series(names, dtype=pl.Enum(distinct)).gather(channel)


def _with_nulls(values: pl.Series, valid: NDArray[np.bool_]) -> pl.Series:
    return pl.select(pl.when(pl.Series(valid)).then(values)).to_series()
