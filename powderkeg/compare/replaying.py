"""Would it have happened without X? An observed history replayed in the world without it.

In: a scenario, observed events, what is left out. Out: a `Replay`: which acts and standoffs stay how often, what comes
anew, what becomes of the scenario's outcomes; beside it what simulation from the same day on says, which knows nothing
of what happened later.

The replay holds the chance of the observed history fixed: what X does not touch stays as it was. That is one way to
couple two worlds. It is a good one (as much as can be shared at each moment is shared), but no data can test it.
"""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from powderkeg.analyze import LEVEL, episodes
from powderkeg.analyze.intervals import proportion
from powderkeg.compare.effects import Effect, effect
from powderkeg.compare.measures import Measure, outcome_measures
from powderkeg.compare.without import Observed, Without, leave_out
from powderkeg.engine.arrays import HISTORY, Floats, System
from powderkeg.engine.draws import COPY, child, root_key
from powderkeg.engine.imputation import Drawn, enough_copies, hidden, impute
from powderkeg.engine.ledger import Ledger, ledger
from powderkeg.engine.replay import Given, Replayed, replays
from powderkeg.engine.worlds import Past, Phase, world
from powderkeg.errors import Fault, ModelError, PowderkegWarning, UsageError
from powderkeg.events.table import EventTable
from powderkeg.fit.data import calendar_shift, read_data
from powderkeg.model import Model, filled
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Scenario, digest
from powderkeg.simulate import Runs, simulate

IMPUTATIONS = 20
"""Complete histories drawn where hours or facts are not known."""
FORWARD = 5
"""Of these, how many states the simulation beside the replay starts from."""

RESTS_ON = (
    "What a replay rests on: the model, its numbers, and how chance is shared between the two worlds. An act that is "
    "as likely without X as it was stays; one that is half as likely stays half of the time; what becomes likelier "
    "comes anew. No data can test this sharing: another that fits the same two worlds would answer otherwise. The "
    "simulation beside it does not rest on it, and answers another question: what usually follows from that day on, "
    "not what would have become of these events."
)


@dataclass(frozen=True)
class Number:
    """One number in the observed history and in its replays.

    observed     what it was (mean over the imputed histories)
    value        mean over replays; low, high: how sure that mean is
    least, most  between which the replays lie, with probability `level`
    imputation   share of the replays' variance that is between imputed histories, not between replays of one; None
                 where there is no variance, or one history only
    """

    name: str
    title: str
    unit: str
    better: str | None
    observed: float
    value: float
    low: float
    high: float
    least: float
    most: float
    imputation: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Replay:
    """An observed history with and without X.

    turn        the day on which the worlds part; before it everything is as it was
    outcomes    the scenario's outcomes from `turn` to the end of the events
    counts      acts of each actor and kind after `turn`: actor, act, and the columns of `Number`
    acts        observed acts: date, time, source, act, target, stays (share of replays), impossible (share of imputed
                histories in which the model gave it intensity 0), tone, heat
    standoffs   observed standoffs that reach beyond `turn`: first_day, last_day, opener, first_act, hurt, end_state;
                happens (share of replays in which some standoff overlaps it), hurt_anyway, acts_stay
    added       new acts: time, source, act, target, per_replay; by day and channel
    new_standoffs  standoffs a replay that overlap none observed; low, high
    forward     the outcomes by simulation from `turn` on, with and without X, paired
    impossible  observed acts that were impossible in most imputed histories; they stay unless X takes them out
    """

    scenario: Scenario
    without: Without
    start: date
    begin: float
    turn: float
    end: float
    seed: int
    replicates: int
    imputations: int
    by_day: bool
    level: float
    events: int
    impossible: int
    stopped: int
    outcomes: tuple[Number, ...]
    all_acts: Number
    counts: pl.DataFrame
    acts: pl.DataFrame
    standoffs: pl.DataFrame
    new_standoffs: Number
    added: pl.DataFrame
    forward: tuple[Effect, ...]

    def day(self, time: float) -> date:
        """The calendar day of a day of the scenario."""
        return self.start + timedelta(days=math.floor(time))

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "scenario": self.scenario.name,
            "digest": digest(self.scenario),
            "without": self.without.name,
            "kind": self.without.kind,
            "title": self.without.title,
            "from": str(self.day(self.turn)),
            "window": [str(self.day(self.begin)), str(self.day(self.end))],
            "seed": self.seed,
            "replicates": self.replicates,
            "imputations": self.imputations,
            "stamps": "day" if self.by_day else "exact",
            "level": self.level,
            "events": self.events,
            "impossible": self.impossible,
            "stopped": self.stopped,
            "outcomes": {one.name: one.as_dict() for one in self.outcomes},
            "all_acts": self.all_acts.as_dict(),
            "counts": self.counts.to_dicts(),
            "standoffs": self.standoffs.to_dicts(),
            "new_standoffs": self.new_standoffs.as_dict(),
            "acts": self.acts.to_dicts(),
            "simulation": {one.name: one.as_dict() for one in self.forward},
            "rests_on": RESTS_ON,
        }


def replay(
    scenario: Scenario | Model,
    events: EventTable,
    without: str,
    *,
    since: date | float | None = None,
    replicates: int = 2_000,
    imputations: int = IMPUTATIONS,
    seed: int = 1,
    workers: int | None = None,
    level: float = LEVEL,
    unmatched: str = "refuse",
    sets: Sequence[Mapping[str, float]] | None = None,
    copies: int | None = None,
    limit: int = 100_000,
    progress: Callable[[float], None] | None = None,
) -> Replay:
    """An observed history, replayed without something.

    without      an actor, mechanism, tie, fact, act or intervention of the scenario by name, `path=value`, or one
                 observed act such as "kosovo arrests north_serbs on 2018-03-26"
    since        date, or day since the scenario's start, from which it is left out; default: the events' first
    replicates   replays in all; imputations: complete histories they are shared out to, one at least to each
    unmatched    "refuse" or "drop": events that no move of the scenario allows
    sets         numbers of the scenario {key path: value}, one set for each imputation in turn, such as draws of a fit
    copies       copies in the filter that draws what nobody reported; default: enough for short histories
    limit        new acts in a replay before it is stopped and counted in `stopped`

    Same scenario, events, seed and version: same bytes, however many workers. Raises EventError if the events do not
    fit the scenario, UsageError for what cannot be left out.
    """
    model = scenario if isinstance(scenario, Model) else compile_scenario(scenario)
    source = model.scenario
    if source is None:
        raise ModelError("a model made from bare arrays has no names to leave out")
    _check(replicates, imputations, level, limit)
    shift = calendar_shift(model, events)
    data, frame = read_data(model, events, None, unmatched, 0.0)
    seen = Observed(data.time + shift, data.channel, data.by_day, shift, shift + data.days)
    turn = float((since - source.start).days) if isinstance(since, date) else since
    x = leave_out(model, seen, without, turn)
    job = _Job(model, seen, x, replicates, imputations, seed, copies, limit, [dict(one) for one in sets or ()])
    histories = job.run(workers, _part(progress, 0.0, 0.7))
    forward = _forward(job, level, workers, _part(progress, 0.7, 1.0))
    return _told(job, source, histories, forward, frame, level)


def _check(replicates: int, imputations: int, level: float, limit: int) -> None:
    faults = []
    if replicates < 2:
        faults.append(Fault(None, None, "replicates", str(replicates), "2 or more"))
    if imputations < 1:
        faults.append(Fault(None, None, "imputations", str(imputations), "1 or more"))
    if not 0.0 < level < 1.0:
        faults.append(Fault(None, None, "level", str(level), "more than 0, less than 1"))
    if limit < 1:
        faults.append(Fault(None, None, "limit", str(limit), "1 or more"))
    if faults:
        raise UsageError(faults)


def _part(progress: Callable[[float], None] | None, low: float, high: float) -> Callable[[float], None]:
    return lambda share: None if progress is None else progress(low + (high - low) * share)


@dataclass(frozen=True)
class _History:
    """One imputed history and its replays."""

    drawn: Drawn
    replayed: Replayed
    level_time: Floats  # (cells,) of the factual world, from the parting on


class _Job:
    """What is asked for; histories are made one by one, each from its number alone."""

    def __init__(
        self, model: Model, seen: Observed, x: Without, replicates: int, imputations: int, seed: int,
        copies: int | None, limit: int, sets: list[dict[str, float]],
    ) -> None:  # fmt: skip
        self.model, self.seen, self.x, self.seed, self.limit, self.sets = model, seen, x, seed, limit, sets
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
        self.each = max(replicates // self.imputations, 1)
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

    def history(self, number: int) -> _History:
        """Imputation `number` and its replays."""
        b = self.ledger_of(number)
        drawn = self.draw(number, b)
        gone = np.zeros(len(drawn.time), np.bool_)
        observed = drawn.event >= 0
        gone[observed] = self.x.gone[drawn.event[observed]]
        given = Given(drawn.time, drawn.process, drawn.coins, gone)
        spans = (self.seen.begin, self.x.turn, self.seen.end, root_key(self.seed))
        replayed = replays(b, given, *spans, number * self.each, self.each, self.limit)
        plain = ledger(world(self.systems[number % len(self.systems)]), self.x.turn)
        same = replays(plain, given._replace(gone=np.zeros_like(gone)), *spans, 0, 1, self.limit)
        return _History(drawn, replayed, same.level_time[0])

    def run(self, workers: int | None, tell: Callable[[float], None]) -> list[_History]:
        """All histories; threads share them out, the loops let go of the interpreter's lock."""
        n = self.imputations
        workers = max(min(workers or len(os.sched_getaffinity(0)), n), 1)
        stop, done = threading.Event(), 0

        def work(number: int) -> _History | None:
            return None if stop.is_set() else self.history(number)

        found: list[_History] = []
        with ThreadPoolExecutor(workers) as pool:
            try:
                for one in pool.map(work, range(n)):
                    assert one is not None
                    found.append(one)
                    done += 1
                    tell(done / n)
            finally:
                stop.set()
        return found


def _channels(system: System, process: NDArray[np.int64]) -> NDArray[np.int64]:
    """Channel of every process."""
    timer = process - system.n_channels
    if not len(system.timer_channel):
        return process
    return np.where(timer >= 0, system.timer_channel[np.maximum(timer, 0)], process)


def _runs(
    job: _Job, replicate: NDArray[np.int64], time: Floats, channel: NDArray[np.int64], mechanism: NDArray[np.int64],
    level_time: Floats, exploded: Floats, begin: float,
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
        begin=begin,
    )


def _worlds(job: _Job, histories: list[_History], begin: float) -> tuple[Runs, Runs]:
    """The imputed histories, one replicate each, and all replays, from `begin` on."""
    system = job.model.system
    rows: list[list[NDArray[Any]]] = [[], [], [], []]
    new: list[list[NDArray[Any]]] = [[], [], [], []]
    for m, one in enumerate(histories):
        d, r = one.drawn, one.replayed
        channel = _channels(system, d.process)
        told = np.full(len(channel), HISTORY)
        for column, part in zip(rows, (np.full(len(channel), m), d.time, channel, told), strict=True):
            column.append(part)
        replicate, at = np.nonzero(r.kept)
        first = m * job.each
        parts = (
            np.concatenate([replicate, r.replicate]) + first,
            np.concatenate([d.time[at], r.time]),
            np.concatenate([channel[at], _channels(system, r.process)]),
            np.concatenate([told[at], r.mechanism]),
        )
        for column, part in zip(new, parts, strict=True):
            column.append(part)
    factual = [np.concatenate(column) for column in rows]
    other = [np.concatenate(column) for column in new]
    never = np.full(len(histories), np.inf)
    times = np.stack([one.level_time for one in histories])
    level_time = np.concatenate([one.replayed.level_time for one in histories])
    exploded = np.concatenate([one.replayed.exploded for one in histories])
    return (
        _runs(job, factual[0], factual[1], factual[2], factual[3], times, never, begin),
        _runs(job, other[0], other[1], other[2], other[3], level_time, exploded, begin),
    )


def _number(name: str, title: str, unit: str, better: str | None, before: Floats, after: Floats, level: float,
            share: bool = False) -> Number:  # fmt: skip
    """before (imputations,), after (replays,): imputation by imputation."""
    m = len(before)
    groups = after.reshape(m, -1)
    means, n = groups.mean(axis=1), len(after)
    value = float(after.mean())
    whole = float(after.var())
    within = float(groups.var(axis=1, ddof=1).mean()) if groups.shape[1] > 1 else 0.0
    between = None
    if m > 1 and whole > 1e-12 * max(value * value, 1.0) and groups.shape[1] > 1:
        apart = max(float(means.var(ddof=1)) - within / groups.shape[1], 0.0)
        between = apart / (apart + within) if apart + within > 0.0 else None
    tail = (1.0 - level) / 2.0
    if m > 1:
        half = float(stats.t.ppf(1.0 - tail, m - 1)) * float(means.std(ddof=1)) / math.sqrt(m)
    else:
        half = float(stats.t.ppf(1.0 - tail, n - 1)) * float(after.std(ddof=1)) / math.sqrt(n)
    low, high = value - half, value + half
    if share:
        exact = proportion(float(after.sum()), n, level)
        assert exact.low is not None and exact.high is not None
        low, high = max(min(low, exact.low), 0.0), min(max(high, exact.high), 1.0)
    least, most = np.quantile(after, [tail, 1.0 - tail])
    return Number(name, title, unit, better, float(before.mean()), value, low, high, float(least), float(most), between)


def _told(
    job: _Job, source: Scenario, histories: list[_History], forward: tuple[Effect, ...], frame: pl.DataFrame,
    level: float,
) -> Replay:  # fmt: skip
    seen, x, model = job.seen, job.x, job.model
    factual, other = _worlds(job, histories, x.turn)
    outcomes = [
        _number(one.name, one.title, one.unit, one.better, one.values, two.values, level, one.kind == "any")
        for one, two in zip(outcome_measures(model, factual), outcome_measures(model, other), strict=True)
    ]
    counts, total = _counts(job, factual, other, level)
    standoffs, new = _standoffs(job, histories, level)
    stays = np.zeros(len(seen.time))
    impossible = np.zeros(len(seen.time))
    for one in histories:
        observed = one.drawn.event >= 0
        rows = one.drawn.event[observed]
        stays[rows] += one.replayed.kept[:, observed].mean(axis=0) / len(histories)
        impossible[rows] += one.drawn.impossible[observed] / len(histories)
    acts = _act_rows(job, source, stays, impossible)
    stopped = int(other.exploded.sum())
    if stopped:
        warnings.warn(
            f"{stopped:,} of {job.replicates:,} replays were stopped at {job.limit:,} new acts: the state without "
            "this can explode; look at the branching ratio",
            PowderkegWarning,
            stacklevel=3,
        )
    return Replay(
        scenario=source,
        without=x,
        start=source.start,
        begin=seen.begin,
        turn=x.turn,
        end=seen.end,
        seed=job.seed,
        replicates=job.replicates,
        imputations=job.imputations,
        by_day=seen.by_day,
        level=level,
        events=len(seen.time),
        impossible=int((impossible > 0.5).sum()),
        stopped=stopped,
        outcomes=tuple(outcomes),
        all_acts=total,
        counts=counts,
        acts=acts,
        standoffs=standoffs,
        new_standoffs=new,
        added=_added(job, source, histories),
        forward=forward,
    )


def _act_rows(job: _Job, source: Scenario, stays: Floats, impossible: Floats) -> pl.DataFrame:
    channels = [job.model.channels[c] for c in job.seen.channel.tolist()]
    dates = [source.start + timedelta(days=math.floor(t)) for t in job.seen.time.tolist()]
    return pl.DataFrame(
        {
            "date": pl.Series(dates, dtype=pl.Date),
            "time": job.seen.time,
            "source": pl.Series([c.source for c in channels], dtype=pl.String),
            "act": pl.Series([c.act for c in channels], dtype=pl.String),
            "target": pl.Series([c.target for c in channels], dtype=pl.String),
            "stays": stays,
            "impossible": impossible,
            "tone": pl.Series([source.acts[c.act].tone for c in channels], dtype=pl.String),
            "heat": job.model.heat[job.seen.channel],
        }
    )


def _added(job: _Job, source: Scenario, histories: list[_History]) -> pl.DataFrame:
    """New acts by day and channel, a replay."""
    time = np.concatenate([one.replayed.time for one in histories])
    channel = np.concatenate([_channels(job.model.system, one.replayed.process) for one in histories])
    act = channel < job.model.n_acts
    days, rows = np.floor(time[act]).astype(np.int64), channel[act]
    pairs, number = np.unique(np.stack([days, rows], axis=1).reshape(-1, 2), axis=0, return_counts=True)
    channels = [job.model.channels[c] for c in pairs[:, 1].tolist()]
    return pl.DataFrame(
        {
            "date": pl.Series([source.start + timedelta(days=d) for d in pairs[:, 0].tolist()], dtype=pl.Date),
            "time": pairs[:, 0].astype(np.float64),
            "source": pl.Series([c.source for c in channels], dtype=pl.String),
            "act": pl.Series([c.act for c in channels], dtype=pl.String),
            "target": pl.Series([c.target for c in channels], dtype=pl.String),
            "per_replay": number / job.replicates,
        }
    )


def _counts(job: _Job, factual: Runs, other: Runs, level: float) -> tuple[pl.DataFrame, Number]:
    """Acts of each actor and kind after the parting."""
    acts = job.model.channels[: job.model.n_acts]
    kinds = list(dict.fromkeys((str(c.source), c.act) for c in acts))
    column = np.full(len(job.model.channels), -1)
    for c, one in enumerate(acts):
        column[c] = kinds.index((str(one.source), one.act))

    def table(runs: Runs) -> Floats:
        which = column[runs.channel]
        cell = runs.replicate[which >= 0].astype(np.int64) * len(kinds) + which[which >= 0]
        counted = np.bincount(cell, minlength=runs.replicates * len(kinds))
        found: Floats = counted.reshape(runs.replicates, len(kinds)).astype(np.float64)
        return found

    before, after = table(factual), table(other)
    rows = []
    for k, (actor, kind) in enumerate(kinds):
        if before[:, k].any() or after[:, k].any():
            told = _number("", "", "acts", None, before[:, k], after[:, k], level).as_dict()
            for name in ("name", "title", "unit", "better"):
                del told[name]
            rows.append({"actor": actor, "act": kind, **told})
    schema = {"actor": pl.String, "act": pl.String} | dict.fromkeys(
        ("observed", "value", "low", "high", "least", "most", "imputation"), pl.Float64
    )
    total = _number("acts", "all acts", "acts", None, before.sum(axis=1), after.sum(axis=1), level)
    return pl.DataFrame(rows, schema=schema), total


def _standoffs(job: _Job, histories: list[_History], level: float) -> tuple[pl.DataFrame, Number]:
    """Observed standoffs that reach beyond the parting, and how often each happens; new ones."""
    factual, other = _worlds(job, histories, job.seen.begin)
    observed, replayed = episodes(factual), episodes(other)
    own = observed.filter((pl.col("replicate") == 0) & (pl.col("last") >= job.x.turn))
    first, last = replayed["start"].to_numpy(), replayed["last"].to_numpy()
    replicate = replayed["replicate"].to_numpy()
    hurt, events = replayed["hurt"].to_numpy(), job.seen
    stays = np.zeros(len(events.time))
    for one in histories:
        seen = one.drawn.event >= 0
        stays[one.drawn.event[seen]] += one.replayed.kept[:, seen].mean(axis=0) / len(histories)
    # By day an act has no hour: a standoff holds the whole of its first and its last day.
    slack = 1.0 if events.by_day else 0.0
    new = last >= job.x.turn
    rows = []
    for row in own.iter_rows(named=True):
        start, stop = row["start"], row["last"]
        if slack:
            start, stop = math.floor(start), math.floor(stop) + slack
        over = (first <= stop) & (last >= start)
        new &= ~over
        inside = (events.time >= start) & (events.time <= stop) & (job.model.heat[events.channel] > 0)
        rows.append(
            {
                **{name: row[name] for name in ("first_day", "last_day", "opener", "first_act", "hurt", "end_state")},
                "start": row["start"],
                "last": row["last"],
                "acts": int(inside.sum()),
                "happens": len(np.unique(replicate[over])) / job.replicates,
                "hurt_anyway": len(np.unique(replicate[over & hurt])) / job.replicates,
                "acts_stay": float(stays[inside].mean()) if inside.any() else None,
            }
        )
    schema = {
        "first_day": pl.Date, "last_day": pl.Date, "opener": pl.String, "first_act": pl.String, "hurt": pl.Boolean,
        "end_state": pl.String, "start": pl.Float64, "last": pl.Float64, "acts": pl.Int64, "happens": pl.Float64,
        "hurt_anyway": pl.Float64, "acts_stay": pl.Float64,
    }  # fmt: skip
    counted = np.bincount(replicate[new], minlength=job.replicates).astype(np.float64)
    fresh = _number(
        "new_standoffs", "standoffs that overlap none observed", "standoffs", None, np.zeros(len(histories)), counted,
        level,
    )  # fmt: skip
    return pl.DataFrame(rows, schema=schema), fresh


def _forward(job: _Job, level: float, workers: int | None, tell: Callable[[float], None]) -> tuple[Effect, ...]:
    """The outcomes by simulation from the parting on, with X and without, on the same draws."""
    model, x = job.model, job.x
    n = min(FORWARD, job.imputations)
    each = max(job.replicates // n, 2)
    before: list[list[Measure]] = []
    after: list[list[Measure]] = []
    for number in range(n):
        k = number % len(job.systems)
        base, values = job.systems[k], job.sets[k] if job.sets else {}
        drawn = job.draw(number, job.ledger_of(number), x.turn)
        acts = drawn.event >= 0
        past = Past(x.turn, drawn.time[acts], drawn.process[acts], complete=True)
        # The facts stand as drawn when the worlds part, whatever the coins of the past would say.
        stand = Phase(x.turn, base, tuple((s, int(z)) for s, z in enumerate(drawn.level)))
        without = x.build(base, values)
        worlds = (
            world(base, (stand,), x.acts),
            world(base, (stand, *without.phases[1:]), without.acts, without.policies),
        )
        one = Model(**{**model.__dict__, "system": base}) if job.sets else model
        for found, each_world in zip((before, after), worlds, strict=True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PowderkegWarning)
                runs = simulate(
                    one, days=job.seen.end - x.turn, replicates=each, seed=job.seed + number, workers=workers,
                    limit=job.limit, history=past, world=each_world,
                )  # fmt: skip
            found.append(outcome_measures(one, runs))
        tell((number + 1) / n)
    return tuple(
        effect(_joined([told[i] for told in before]), _joined([told[i] for told in after]), level)
        for i in range(len(before[0]))
    )


def _joined(parts: list[Measure]) -> Measure:
    one = parts[0]
    values = np.concatenate([part.values for part in parts])
    return Measure(one.name, one.title, one.kind, one.unit, values, one.event, one.better)
