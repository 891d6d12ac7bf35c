"""What is told of replays: every number in the observed history and without X, and how sure it is.

In: histories with their replays, those under other numbers, the simulation beside them. Out: a `Replay`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy import special

from powderkeg.analyze import episodes
from powderkeg.analyze.intervals import proportion
from powderkeg.analyze.outcomes import SHARE_UNITS, mechanism_mask, told_by_dead
from powderkeg.compare.effects import Effect, doubt
from powderkeg.compare.measures import outcome_measures
from powderkeg.compare.ranges import FEWEST, DrawnSets
from powderkeg.compare.replay.histories import History, ReplayJob, both_worlds, channels_of
from powderkeg.compare.replay.without import Without
from powderkeg.engine.arrays import Floats
from powderkeg.errors import warn
from powderkeg.events.table import EventTable
from powderkeg.model import Model
from powderkeg.scenario import Scenario, digest
from powderkeg.showing import Plotted, as_html
from powderkeg.simulate import Runs
from powderkeg.wording import counted

RESTS_ON = (
    "What a replay rests on: the model, its numbers, and how chance is shared between the two worlds. An act that is "
    "as likely without X as it was stays; one that is half as likely stays half of the time; what becomes likelier "
    "comes anew. No data can test this sharing: another that fits the same two worlds would answer otherwise. The "
    "simulation beside it does not rest on it, and answers another question: what usually follows from that day on, "
    "not what would have become of these events."
)

NOT_OBSERVABLE = (
    "A record does not say what set an act off, so an outcome that asks by which mechanism acts came (via) is neither "
    "observed nor replayed, only simulated; attribution (powderkeg attribute) tells how likely each cause is. The same "
    "holds of how many died, and of whether anyone did in acts that have a law of deaths."
)


@dataclass(frozen=True)
class Number:
    """One number in the observed history and in its replays.

    observed     what it was (mean over the imputed histories)
    value        mean over replays; low, high: how sure that mean is
    least, most  between which the replays lie, with probability `level`
    imputation   share of the replays' variance that is between imputed histories, not between replays of one; None
                 where there is no variance, or one history only
    range_low, range_high  where the mean lies under other numbers, chance set apart; None where the ranges were left
                 aside or what they do is lost in chance

    All are None for an outcome that asks by which mechanism acts came: no record says so.
    """

    name: str
    title: str
    unit: str
    better: str | None
    observed: float | None
    value: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None
    imputation: float | None
    range_low: float | None = None
    range_high: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Replay(Plotted):
    """An observed history with and without X.

    turn        the day on which the worlds part; before it everything is as it was
    outcomes    the scenario's outcomes from `turn` to the end of the events
    counts      acts of each actor and kind after `turn`: actor, act, and the columns of `Number`
    acts        observed acts: date, time, source, act, target, stays (share of replays), impossible (share of imputed
                histories in which the model gave it intensity 0), tone, heat
    standoffs   observed standoffs that reach beyond `turn`: first_day, last_day, opener, first_act, hurt, end_state;
                happens (share of replays in which some standoff overlaps it), happens_low and happens_high (where that
                lies under other numbers), hurt_anyway, acts_stay
    added       new acts: time, source, act, target, per_replay; by day and channel
    new_standoffs  standoffs a replay that overlap none observed; low, high
    forward     the outcomes by simulation from `turn` on, with and without X, paired
    impossible  observed acts that were impossible in most imputed histories; they stay unless X takes them out
    sets        other sets of numbers, each with `each` replays of one drawn history; 0 where ranges were left aside
    fitted      paths of the numbers that were drawn together, from what a fit left open
    stopped, stopped_under  replays that hit the limit of new acts, at the scenario's numbers and under others
    aside       sets that were drawn and left aside, because under them the system feeds itself from its start
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
    sets: int = 0
    each: int = 0
    fitted: tuple[str, ...] = ()
    stopped_under: int = 0
    aside: int = 0

    def __repr__(self) -> str:
        since, replays = self.day(self.turn), counted(self.replicates, "replay")
        return f"Replay({self.scenario.name}: {self.without.title} from {since}, {replays}, seed {self.seed})"

    def _repr_html_(self) -> str:
        return as_html(self, self.outcome_table())

    def day(self, time: float) -> date:
        """The calendar day of a day of the scenario."""
        return self.start + timedelta(days=math.floor(time))

    @property
    def last_day(self) -> date:
        """The last day of the window: a record of days that ends with one ends before the next begins."""
        return self.start + timedelta(days=max(math.ceil(self.end) - 1, math.floor(self.begin)))

    def outcome_table(self) -> pl.DataFrame:
        """One row for each outcome; the columns alone where the scenario asks nothing."""
        if not self.outcomes:
            return pl.DataFrame(schema=[field.name for field in fields(Number)])
        return pl.DataFrame([one.as_dict() for one in self.outcomes], infer_schema_length=None)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "scenario": self.scenario.name,
            "digest": digest(self.scenario),
            "without": self.without.name,
            "kind": self.without.kind,
            "title": self.without.title,
            "from": str(self.day(self.turn)),
            "window": [str(self.day(self.begin)), str(self.last_day)],
            "seed": self.seed,
            "replicates": self.replicates,
            "imputations": self.imputations,
            "parameter_sets": self.sets,
            "parameter_sets_left_aside": self.aside,
            "replays_a_set": self.each,
            "drawn_together": list(self.fitted),
            "stamps": "day" if self.by_day else "exact",
            "level": self.level,
            "events": self.events,
            "impossible": self.impossible,
            "stopped": self.stopped,
            "stopped_under_other_numbers": self.stopped_under,
            "outcomes": {one.name: one.as_dict() for one in self.outcomes},
            "not_observable": {one.name: NOT_OBSERVABLE for one in self.outcomes if one.observed is None},
            "all_acts": self.all_acts.as_dict(),
            "counts": self.counts.to_dicts(),
            "standoffs": self.standoffs.to_dicts(),
            "new_standoffs": self.new_standoffs.as_dict(),
            "acts": self.acts.to_dicts(),
            "simulation": {one.name: one.as_dict() for one in self.forward},
            "rests_on": RESTS_ON,
        }


def _number(
    about: tuple[str, str, str, str | None], before: Floats, after: Floats, under: Floats | None, level: float,
    share: bool = False, constant: bool = False,
) -> Number:  # fmt: skip
    """about name, title, unit, better; before (imputations,); after (replays,), imputation by imputation; under (sets,
    replays of a set) by other numbers; share: 1 or 0 in every replay; constant: what is the same in all is so for sure.
    """
    m = len(before)
    groups = after.reshape(m, -1)
    means, n = groups.mean(axis=1), len(after)
    value = float(after.mean())
    whole = float(after.var())
    within = float(groups.var(axis=1, ddof=1).mean()) if groups.shape[1] > 1 else 0.0
    # What one drawn history differs from another by, beyond what the chance of its replays makes.
    apart = max(float(means.var(ddof=1)) - within / groups.shape[1], 0.0) if m > 1 else 0.0
    between = None
    if m > 1 and whole > 1e-12 * max(value * value, 1.0) and groups.shape[1] > 1:
        between = apart / (apart + within) if apart + within > 0.0 else None
    tail = (1.0 - level) / 2.0
    if m > 1:
        half = float(special.stdtrit(m - 1, 1.0 - tail)) * float(means.std(ddof=1)) / math.sqrt(m)
    else:
        half = float(special.stdtrit(n - 1, 1.0 - tail)) * float(after.std(ddof=1)) / math.sqrt(n)
    # Counts, shares and days: none is below 0, and a share not above 1.
    low, high = max(value - half, 0.0), min(value + half, 1.0 if about[2] in SHARE_UNITS else math.inf)
    if share:
        exact = proportion(float(after.sum()), n, level)
        assert exact.low is not None and exact.high is not None
        low, high = max(min(low, exact.low), 0.0), min(max(high, exact.high), 1.0)
    # Values that replays had: half an act is none.
    least, most = np.quantile(after, [tail, 1.0 - tail], method="inverted_cdf")
    number = Number(*about, float(before.mean()), value, low, high, float(least), float(most), between)
    if under is None or len(under) < FEWEST:
        return number
    if constant and under.min() == under.max():
        return replace(number, range_low=float(under.min()), range_high=float(under.max()))
    range_low, range_high = _range(under, apart, level)
    return replace(number, range_low=range_low, range_high=range_high)


def _range(under: Floats, apart: float, level: float) -> tuple[float | None, float | None]:
    """Where means lie under other numbers: `under` (sets, replays of one drawn history), `apart` the variance that
    drawing another history adds."""
    chance = float(under.var(axis=1, ddof=1).mean()) / under.shape[1] + apart
    means: Floats = under.mean(axis=1)
    drawn = doubt(means, chance)
    if drawn is None:
        return None, None
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return float(low), float(high)


class Lived(NamedTuple):
    """What was asked for, and its histories."""

    job: ReplayJob
    histories: list[History]

    def by_set(self, values: Floats) -> Floats:
        """(sets, replays of a set) values of all replays."""
        return values.reshape(len(self.histories), -1)


def tell(
    source: Scenario, lived: Lived, under: Lived | None, drawn: DrawnSets, forward: tuple[Effect, ...],
    observed: pl.DataFrame, level: float,
) -> Replay:  # fmt: skip
    """under: by other numbers, one history for each set of those drawn; observed: what `observed_standoffs` gives."""
    job, histories = lived
    seen, x, model = job.seen, job.x, job.model
    factual, other = both_worlds(job, histories, x.turn)
    by_others = None if under is None else both_worlds(*under, x.turn)[1]
    measured = None if by_others is None else outcome_measures(model, by_others)
    outcomes = []
    unseen = _asks_what_no_record_says(model)
    for k, (one, two) in enumerate(zip(outcome_measures(model, factual), outcome_measures(model, other), strict=True)):
        about = (one.name, one.title, one.unit, one.better)
        if one.name in unseen:
            outcomes.append(Number(*about, None, None, None, None, None, None, None))
            continue
        others = None if under is None or measured is None else under.by_set(measured[k].values)
        outcomes.append(_number(about, one.values, two.values, others, level, one.kind == "any"))
    counts, total = _counts(lived, under, (factual, other, by_others), level)
    standoffs, new = _standoffs(lived, under, observed, level)
    stays = np.zeros(len(seen.time))
    impossible = np.zeros(len(seen.time))
    for each in histories:
        told = each.drawn.event >= 0
        rows = each.drawn.event[told]
        stays[rows] += each.replayed.kept[:, told].mean(axis=0) / len(histories)
        impossible[rows] += each.drawn.impossible[told] / len(histories)
    acts = _act_rows(job, source, stays, impossible)
    stopped = int(other.exploded.sum())
    if stopped:
        warn(
            f"{stopped:,} of {job.replicates:,} replays were stopped at {job.limit:,} new acts: the state without "
            "this can explode; look at the branching ratio"
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
        sets=0 if under is None else len(under.histories),
        each=0 if under is None else under.job.each,
        fitted=drawn.together,
        stopped_under=0 if by_others is None else int(by_others.exploded.sum()),
        aside=drawn.aside,
    )


def _asks_what_no_record_says(model: Model) -> set[str]:
    """Outcomes for which what set an act off counts, or who died: acts that replays add have no dead told."""
    assert model.scenario is not None
    asked = model.scenario.outcomes.items()
    via = {name for name, one in asked if one.events is not None and not mechanism_mask(model, one.events)[0]}
    dead = {name for name, one in asked if one.deaths is not None}
    return (
        via | dead | {name for name, one in asked if one.events is not None and told_by_dead(model, one.events).any()}
    )


def _act_rows(job: ReplayJob, source: Scenario, stays: Floats, impossible: Floats) -> pl.DataFrame:
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


def _added(job: ReplayJob, source: Scenario, histories: list[History]) -> pl.DataFrame:
    """New acts by day and channel, a replay."""
    time = np.concatenate([one.replayed.time for one in histories])
    channel = np.concatenate([channels_of(job.model.system, one.replayed.process) for one in histories])
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


def _counts(
    lived: Lived, under: Lived | None, runs: tuple[Runs, Runs, Runs | None], level: float
) -> tuple[pl.DataFrame, Number]:
    """Acts of each actor and kind after the parting, in the factual world, the other, and that under other numbers."""
    job = lived.job
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

    before, after = table(runs[0]), table(runs[1])
    others = None if runs[2] is None else table(runs[2])

    def number(about: tuple[str, str], which: slice) -> Number:
        by_set = None if under is None or others is None else under.by_set(others[:, which].sum(axis=1))
        parts = (before[:, which].sum(axis=1), after[:, which].sum(axis=1))
        return _number((*about, "acts", None), *parts, by_set, level, constant=True)

    rows = []
    for k, (actor, kind) in enumerate(kinds):
        if before[:, k].any() or after[:, k].any():
            told = number(("", ""), slice(k, k + 1)).as_dict()
            for name in ("name", "title", "unit", "better"):
                del told[name]
            rows.append({"actor": actor, "act": kind, **told})
    schema = {"actor": pl.String, "act": pl.String} | dict.fromkeys(
        ("observed", "value", "low", "high", "least", "most", "imputation", "range_low", "range_high"), pl.Float64
    )
    return pl.DataFrame(rows, schema=schema), number(("acts", "all acts"), slice(None))


class _Episodes:
    """Standoffs of all replays."""

    def __init__(self, runs: Runs, turn: float) -> None:
        found = episodes(runs)
        self.first, self.last = found["start"].to_numpy(), found["last"].to_numpy()
        self.replicate, self.hurt, self.replicates = (
            found["replicate"].to_numpy(),
            found["hurt"].to_numpy(),
            runs.replicates,
        )
        self.new = self.last >= turn

    def overlap(self, start: float, stop: float) -> tuple[Floats, Floats]:
        """(replays,) each: whether some standoff overlaps start to stop, and one in which people are hurt; 1 or 0."""
        over = (self.first <= stop) & (self.last >= start)
        self.new &= ~over
        happens, hurt = np.zeros(self.replicates), np.zeros(self.replicates)
        happens[self.replicate[over]] = 1.0
        hurt[self.replicate[over & self.hurt]] = 1.0
        return happens, hurt

    def fresh(self) -> Floats:
        """(replays,) standoffs that overlapped nothing asked about before."""
        return np.bincount(self.replicate[self.new], minlength=self.replicates).astype(np.float64)


def observed_standoffs(model: Model, events: EventTable, shift: float) -> pl.DataFrame:
    """Standoffs of the events as `powderkeg episodes` names them: nobody's hours are drawn for it.

    shift    days from the scenario's start to that of the events
    returns  as `episodes` does, start and last since the scenario's start
    """
    return episodes(events, model).with_columns(pl.col("start", "last") + shift)


def _standoffs(lived: Lived, under: Lived | None, observed: pl.DataFrame, level: float) -> tuple[pl.DataFrame, Number]:
    """Observed standoffs that reach beyond the parting, and how often each happens; new ones."""
    job, histories = lived
    replayed = _Episodes(both_worlds(job, histories, job.seen.begin)[1], job.x.turn)
    others = None if under is None else _Episodes(both_worlds(*under, job.seen.begin)[1], job.x.turn)
    nothing, events = np.zeros(len(histories)), job.seen
    stays = np.zeros(len(events.time))
    for one in histories:
        seen = one.drawn.event >= 0
        stays[one.drawn.event[seen]] += one.replayed.kept[:, seen].mean(axis=0) / len(histories)
    # By day an act has no hour: a standoff holds the whole of its first and its last day.
    slack = 1.0 if events.by_day else 0.0
    last = pl.col("last")
    own = observed.filter(last.floor() + 1.0 > job.x.turn if events.by_day else last >= job.x.turn)
    rows = []
    for row in own.iter_rows(named=True):
        start, stop = row["start"], row["last"]
        if slack:
            start, stop = math.floor(start), math.floor(stop) + slack
        happens, hurt = replayed.overlap(start, stop)
        by_set = None if under is None or others is None else under.by_set(others.overlap(start, stop)[0])
        told = _number(("", "", "", None), nothing, happens, by_set, level)
        inside = (events.time >= start) & (events.time <= stop) & (job.model.heat[events.channel] > 0)
        rows.append(
            {
                **{name: row[name] for name in ("first_day", "last_day", "opener", "first_act", "hurt", "end_state")},
                "start": row["start"],
                "last": row["last"],
                "acts": int(inside.sum()),
                "happens": told.value,
                "happens_low": told.range_low,
                "happens_high": told.range_high,
                "hurt_anyway": float(hurt.mean()),
                "acts_stay": float(stays[inside].mean()) if inside.any() else None,
            }
        )
    schema = {
        "first_day": pl.Date, "last_day": pl.Date, "opener": pl.String, "first_act": pl.String, "hurt": pl.Boolean,
        "end_state": pl.String, "start": pl.Float64, "last": pl.Float64, "acts": pl.Int64, "happens": pl.Float64,
        "happens_low": pl.Float64, "happens_high": pl.Float64, "hurt_anyway": pl.Float64, "acts_stay": pl.Float64,
    }  # fmt: skip
    by_set = None if under is None or others is None else under.by_set(others.fresh())
    about = ("new_standoffs", "standoffs that overlap none observed", "standoffs", None)
    return pl.DataFrame(rows, schema=schema), _number(about, nothing, replayed.fresh(), by_set, level)
