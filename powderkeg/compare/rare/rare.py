"""How likely is something that plain runs would never show, and by which way does it come?

In: a model and what is asked about. Out: a `Rare`: a probability with its interval from independent repetitions, what
it cost beside plain runs, and by which acts it comes. Fixed-effort multilevel splitting: see `engine.splitting.copies`.
The estimate is the product of the fractions that reached each level; it is unbiased whatever the ladder, which decides
only how much work it takes.
Sources: Garvels (2000), The splitting method in rare event simulation; Cérou, Del Moral, Furon & Guyader (2012),
Stat. Comput. 22, 795-808.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy import special

from powderkeg.analyze import LEVEL
from powderkeg.compare.rare.levels import Level, Step, levels, steps, thinned
from powderkeg.compare.rare.paths import Guide, Stop, Way, told
from powderkeg.compare.rare.pilot import APART, Repetition, choose_levels, repeat, stages_of, trial
from powderkeg.engine.arrays import Floats
from powderkeg.engine.draws import root_key
from powderkeg.engine.splitting.layout import Levels
from powderkeg.engine.splitting.stages import Proposed, Splitter, TooLong, proposed
from powderkeg.engine.worlds import World
from powderkeg.engine.worlds import world as make_world
from powderkeg.errors import Fault, ModelError, UsageError, warn
from powderkeg.model import Model
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Given, digest
from powderkeg.showing import ShowsItself, as_html, progress_shown
from powderkeg.simulate import EVENT_LIMIT, TRIAL, blame
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.jobs import days_of
from powderkeg.simulate.kept_pieces import plain_pieces
from powderkeg.simulate.memory import Budget, budget, in_words
from powderkeg.simulate.pieces import made_in_order
from powderkeg.simulate.plans import JobPlan, plan_of
from powderkeg.simulate.workers import Spares, workers_for
from powderkeg.units import YEAR
from powderkeg.wording import bracketed, plain

PIECES = plain_pieces("splitting job")
ENOUGH = 20
"""Repetitions below which an interval from them is not to be trusted."""

PILOT = 10
"""A trial takes a tenth of the starts."""

_PLAIN = 1_000_000_001
_PLAIN_RUNS = 200


@dataclass(frozen=True)
class Rung:
    """A level of the ladder, over all repetitions.

    copies   how many set out for it
    reached  how many came there; where its acts were proposed `boost` times as often, how often they would have
    boost    1 where they were not
    share    of those that set out, weighted; None where nobody did
    """

    title: str
    copies: int
    reached: int
    boost: float
    share: float | None


@dataclass(frozen=True)
class Rare(ShowsItself):
    """How likely it is that the last level is reached within the window.

    probability     mean over the repetitions; None where no copy ever reached it: then `less_than` holds
    low, high       interval at `level` from the repetitions, see `interval`
    less_than       bound that holds with confidence `level`, where nothing was reached
    relative_error  standard error over probability
    repetitions     the estimates one by one
    rungs           the ladder
    ancestors       least number, over the repetitions that came there, of copies of the first stage from which all that
                    reached the end descend: with few, the repetitions differ much
    work            candidates considered, in all of it
    plain_work      candidates that plain runs would need for the same relative error; None where that is not known
    plain_runs      how many plain runs that is
    seconds         time it took
    paths           by which acts in which order it came, the commonest first: path, steps, share, histories, see `ways`
    acts            on which share of the ways each act is, and what it opened there
    typical         the acts that are on more than half of the ways, in order
    stopped         copies that hit the limit of events, counted as not having come there
    """

    title: str
    days: float
    seed: int
    starts: int
    level: float
    probability: float | None
    low: float | None
    high: float | None
    less_than: float | None
    relative_error: float | None
    repetitions: tuple[float, ...]
    rungs: tuple[Rung, ...]
    ancestors: int
    work: int
    plain_work: float | None
    plain_runs: float | None
    seconds: float
    stopped: int
    paths: pl.DataFrame
    acts: pl.DataFrame
    typical: tuple[str, ...]

    @property
    def gain(self) -> float | None:
        """How many times as much work plain runs would take."""
        return None if self.plain_work is None else self.plain_work / self.work

    def __repr__(self) -> str:
        return f"Rare({self})"

    def _repr_html_(self) -> str:
        return as_html(self, pl.DataFrame([rung.__dict__ for rung in self.rungs], infer_schema_length=None))

    def __str__(self) -> str:
        within = f"within {plain(self.days / YEAR)} years"
        if self.probability is None:
            most = plain(self.less_than, 2)
            return f"{self.title}, {within}: less than {most} with {100 * self.level:g} % confidence"
        return (
            f"{self.title}, {within}: {plain(self.probability)} "
            f"{bracketed(self.low, self.high, 2)} with {100 * self.level:g} % confidence"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        data = {name: value for name, value in self.__dict__.items() if name not in ("paths", "acts", "rungs")}
        data["repetitions"] = list(self.repetitions)
        data["gain"] = self.gain
        data["levels"] = [dict(rung.__dict__) for rung in self.rungs]
        data["typical"] = list(self.typical)
        data["acts"] = self.acts.to_dicts()
        data["paths"] = self.paths.to_dicts()
        return data


def rare(
    model: Given | Model,
    asked: str | Sequence[Level],
    *,
    years: float | None = None,
    days: float | None = None,
    starts: int = 10_000,
    repetitions: int = ENOUGH,
    seed: int = 1,
    world: World | None = None,
    workers: int | None = None,
    level: float = LEVEL,
    limit: int = EVENT_LIMIT,
    memory: int | str | Budget | None = None,
    folder: str | os.PathLike[str] | JobPlan | None = None,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
) -> Rare:
    """The chance that something happens within the window, however small.

    asked        name of an outcome: the levels on the way are taken from the model, thinned out by a trial; or levels,
                 the last of which is what is asked about, see `ladder.steps`
    starts       copies at every level in each repetition
    repetitions  independent ones, from which the error comes; at least 2, with a warning below 20
    world        what is different from the model, see `engine.worlds.world`
    memory       bytes, or such as "4 GB", for the histories that levels hand on; default: half of what is free
    folder       where finished repetitions are kept: called again after a stop, or a kill, it goes on from them
    executor     of `concurrent.futures`, or what keeps to its protocol: makes the repetitions instead of threads here

    Raises UsageError for what cannot be met, ModelError if the histories would not fit, WorkerError if the executor
    fails. The same arguments give the same result, whatever `workers`. Ctrl-C raises KeyboardInterrupt; without a
    folder nothing is kept.
    """
    progress = progress_shown(progress, "rare event")
    began = time.perf_counter()
    model = model if isinstance(model, Model) else compile_scenario(model)
    window = _window(model, years, days, starts, repetitions, seed, level, limit)
    if repetitions < ENOUGH:
        warn(f"{repetitions} repetitions: an interval from fewer than {ENOUGH} is not to be trusted")
    given = make_world(model.system) if world is None else world
    root = root_key(seed)
    n_workers = workers_for(repetitions, workers if executor is None else 1)
    room = budget(memory).bytes // n_workers
    ladder, shares, work = _climbable(model, given, asked, root, starts, window, limit, room)
    rungs = levels(model, ladder)
    stages = stages_of(given, rungs, shares)
    task = RepetitionTask(tuple(stages), rungs, Guide(given), root, starts, window, limit, room)
    identity = {
        "scenario": None if model.scenario is None else digest(model.scenario),
        "world": hashlib.sha256(pickle.dumps((given, asked))).hexdigest(), "days": window, "seed": seed,
        "starts": starts, "repetitions": repetitions, "limit": limit,
    }  # fmt: skip
    plan = plan_of(folder)
    with nullcontext() if plan is None else JobFolder(plan, identity, PIECES) as kept:
        found = _repetitions(task, repetitions, n_workers, kept, executor, progress)
    only = levels(model, ladder[-1:])
    target = Splitter([proposed(given, only, 0)], only, 0.0, window, limit, room)
    plain = target.stage(root, _PLAIN, 0, _PLAIN_RUNS, target.nowhere())
    assert plain is not None
    stopped = sum(one.stopped for one in found)
    if stopped:
        warn(f"{stopped:,} copies were stopped at {limit:,} events and counted as not having come there")
    estimates = np.array([one.estimate for one in found])
    sure = _how_sure(found, estimates, level)
    ways = told(model, [(one.estimate, one.ways) for one in found])
    return Rare(
        title=ladder[-1].title,
        days=window,
        seed=seed,
        starts=starts,
        level=level,
        probability=sure.probability,
        low=sure.low,
        high=sure.high,
        less_than=sure.less_than,
        relative_error=sure.relative_error,
        repetitions=tuple(estimates.tolist()),
        rungs=tuple(
            _rung(
                step.title,
                [one.copies[n] for one in found],
                [one.reached[n] for one in found],
                [one.shares[n] for one in found],
                stages[n].boost,
            )
            for n, step in enumerate(ladder)
        ),
        ancestors=min((one.ancestors for one in found if one.estimate > 0), default=0),
        work=work + sum(one.work for one in found),
        plain_work=None if sure.plain_runs is None else sure.plain_runs * plain.candidates / _PLAIN_RUNS,
        plain_runs=sure.plain_runs,
        seconds=time.perf_counter() - began,
        stopped=stopped,
        paths=ways.paths,
        acts=ways.acts,
        typical=ways.typical,
    )


def _climbable(
    model: Model,
    given: World,
    asked: str | Sequence[Level],
    root: np.uint64,
    starts: int,
    window: float,
    limit: int,
    room: int,
) -> tuple[Sequence[Step], list[float], int]:
    """The levels that are worth having, the share that reached each in a trial, and what the trial cost."""
    ladder = steps(model, asked)
    _must_end(model, given, ladder[-1:], root, window, limit, room)
    shares, work = trial(given, levels(model, ladder), root, max(starts // PILOT, 100), window, limit, room)
    if isinstance(asked, str):
        ladder, shares = thinned(ladder, shares, APART)
        chosen = choose_levels(model, given, ladder, shares, root, max(starts // PILOT, 50), window, limit, room)
        if chosen is not None:
            ladder, shares, more = chosen
            work += more
    return ladder, shares, work


class _Sure(NamedTuple):
    """A probability and how sure it is; `plain_runs` that would be as sure. Where nothing came there: `less_than`."""

    probability: float | None = None
    low: float | None = None
    high: float | None = None
    less_than: float | None = None
    relative_error: float | None = None
    plain_runs: float | None = None


def _how_sure(found: list[Repetition], estimates: Floats, level: float) -> _Sure:
    mean = float(estimates.mean())
    if mean <= 0.0:
        return _Sure(less_than=_bound(found, level))
    relative = float(estimates.std(ddof=1)) / math.sqrt(len(estimates)) / mean
    low, high = interval(estimates, level)
    return _Sure(mean, low, high, None, relative, (1.0 - mean) / mean / relative**2 if relative > 0.0 else None)


def _must_end(
    model: Model, given: World, asked: Sequence[Step], root: np.uint64, window: float, limit: int, room: int
) -> None:
    """Raises ModelError if each of a few plain runs is stopped before it comes to what is asked about."""
    only = levels(model, asked)
    done = Splitter([proposed(given, only, 0)], only, 0.0, window, limit, room)
    tried = done.stage(root, _PLAIN + 1, 0, TRIAL, done.nowhere())
    assert tried is not None
    if tried.exploded == TRIAL:
        raise ModelError(f"each of {TRIAL} runs exploded (stopped at {limit:,} events); {blame(model, given)}")


def _rung(title: str, copies: list[int], reached: list[int], shares: list[float], boost: float) -> Rung:
    out = sum(copies)
    share = sum(n * share for n, share in zip(copies, shares, strict=True)) / out if out else None
    return Rung(title, out, sum(reached), boost, share)


@dataclass(frozen=True)
class RepetitionTask:
    """Makes repetitions in any process."""

    stages: tuple[Proposed, ...]
    rungs: Levels
    guide: Guide
    root: np.uint64
    starts: int
    window: float
    limit: int
    room: int

    def splitter(self) -> Splitter:
        """Buffers for one thread."""
        return Splitter(self.stages, self.rungs, 0.0, self.window, self.limit, self.room)

    def __call__(self, number: int, splitter: Splitter | None = None) -> Repetition:
        return repeat(splitter or self.splitter(), self.guide, self.root, number, self.starts)


def _repetitions(
    task: RepetitionTask,
    repetitions: int,
    n_workers: int,
    kept: JobFolder | None,
    executor: Executor | None,
    progress: Callable[[float], None] | None,
) -> list[Repetition]:
    splitters = Spares([task.splitter() for _ in range(n_workers)] if executor is None else [])
    found: list[Repetition] = []

    def work(number: int) -> Repetition:
        with splitters.one() as splitter:
            return task(number, splitter)

    def tick() -> None:
        if progress is not None:
            progress(len(found) / repetitions)

    def stop() -> None:
        for splitter in splitters.all:
            splitter.stop()

    make = task if executor is not None else work
    try:
        for one in made_in_order(
            make, repetitions, workers=n_workers, kept=kept, executor=executor, tick=tick, stop=stop
        ):
            found.append(_repetition(one))
    except TooLong:
        raise ModelError(
            f"the histories that a level hands on would not fit into {in_words(task.room)} for each of {n_workers} "
            "workers: fewer starts, a shorter window or more memory would do"
        ) from None
    return found


def _repetition(kept: Sequence[Any]) -> Repetition:
    """A repetition as it was before it was kept, which keeps no names."""
    found = Repetition(*kept)
    return found._replace(ways=[Way(tuple(Stop(*stop) for stop in stops), before) for stops, before in found.ways])


def interval(estimates: Floats, level: float) -> tuple[float, float]:
    """Interval for what the repetitions estimate, some of which must be above 0.

    Student's on the scale of the logarithm. Products of fractions are skew: most repetitions lie below their mean and
    show too little of the spread, so that interval would too often end below the answer. Its upper end is therefore at
    least that of Cox's interval for the mean of a lognormal law with a share of zeros (Zhou & Gao 1997, Statistics in
    Medicine 16, 783-790; the share as in Aitchison 1955, JASA 50, 901-908), which takes the spread from logarithms.
    """
    n, mean = len(estimates), float(estimates.mean())
    t = float(special.stdtrit(n - 1, 0.5 + level / 2.0))
    half = t * float(estimates.std(ddof=1)) / math.sqrt(n) / mean
    low, high = mean * math.exp(-half), mean * math.exp(half)
    logs = np.log(estimates[estimates > 0.0])
    share = len(logs) / n
    if share > 0.5 and len(logs) > 2:
        spread = float(logs.var(ddof=1))
        centre = math.log(share) + float(logs.mean()) + spread / 2.0
        error = spread / len(logs) + spread**2 / (2.0 * (len(logs) - 1)) + (1.0 - share) / (share * n)
        high = max(high, math.exp(min(centre + t * math.sqrt(error), 0.0)))
    return low, min(high, 1.0)


def _bound(found: list[Repetition], level: float) -> float:
    """Above this the probability is not, with confidence `level`, where no copy came to the end.

    At the first level that none reached: at most -log(alpha/2) / n, with n the copies that are surely independent, one
    for each copy of the first stage that any entry descends from; times a bound for coming to the level before.
    """
    alpha = 1.0 - level
    n_levels = len(found[0].copies)
    last = max(n for one in found for n in range(n_levels) if one.copies[n])
    failed = min(sum(one.distinct[last] for one in found), sum(one.copies[last] for one in found))
    if last == 0:
        return min(-math.log(alpha) / failed, 1.0)
    before = np.array([np.prod([one.shares[n] for n in range(last)]) for one in found])
    mean, error = float(before.mean()), float(before.std(ddof=1)) / math.sqrt(len(before))
    half = float(special.stdtrit(len(before) - 1, 1.0 - alpha / 2.0)) * error / mean
    return min(mean * math.exp(half), 1.0) * min(-math.log(alpha / 2.0) / failed, 1.0)


def _window(
    model: Model,
    years: float | None,
    days: float | None,
    starts: int,
    repetitions: int,
    seed: int,
    level: float,
    limit: int,
) -> float:
    faults = []
    if years is not None and days is not None:
        faults.append(Fault.at("years", "both years and days", "one of them"))
    if years is None and days is None:
        if model.scenario is None:
            faults.append(Fault.at("days", "nothing", "days or years: bare arrays have no length of their own"))
        else:
            years = float(model.scenario.years)
    window = 0.0
    if not faults:
        window = days if days is not None else days_of(years)
    if not faults and not 0.0 < window < 1e7:
        faults.append(Fault.at("days", f"{window:g}", "more than 0, and less than 10,000,000 days"))
    for name, value, least in (("starts", starts, 1), ("repetitions", repetitions, 2), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            faults.append(Fault.at(name, str(value), f"a whole number from {least} on"))
    if not 0.0 < level < 1.0:
        faults.append(Fault.at("level", f"{level:g}", "between 0 and 1"))
    if limit < 1:
        faults.append(Fault.at("limit", str(limit), "a whole number from 1 on"))
    if faults:
        raise UsageError(faults)
    return float(window)
