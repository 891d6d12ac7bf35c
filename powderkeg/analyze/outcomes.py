"""How often, how soon, how much of the time: the named questions of a scenario, answered by every run.

In: a model and its `Runs`. Out: one row per outcome with its interval and the number of runs behind it.
Sources: Kaplan & Meier (1958), JASA 53, 457-481; Royston & Parmar (2013), BMC Medical Research Methodology 13, 152, for
the mean within the horizon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze import intervals
from powderkeg.analyze.intervals import LEVEL, IntervalEstimate
from powderkeg.analyze.streams import model_of
from powderkeg.engine.arrays import HISTORY, Floats
from powderkeg.engine.branching.genealogy import tally
from powderkeg.errors import Fault, ModelError, UsageError, nearest_name
from powderkeg.model import compile as compile_scenario
from powderkeg.model.deaths import laws_of
from powderkeg.scenario import EventPattern
from powderkeg.scenario.asked import HURTS
from powderkeg.simulate.deaths import KILLS
from powderkeg.units import YEAR
from powderkeg.wording import measured, percent

if TYPE_CHECKING:
    from powderkeg.model import Model
    from powderkeg.scenario import Condition, Given, Outcome
    from powderkeg.simulate import Runs


PerRun = tuple[str, Floats, NDArray[np.bool_]]
"""Of an outcome its kind, its value in every run, and where that is cut off by the end of the run."""

SCHEMA = {
    "name": pl.String,
    "title": pl.String,
    "kind": pl.String,
    "unit": pl.String,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "runs": pl.Int64,
    "q10": pl.Float64,
    "median": pl.Float64,
    "q90": pl.Float64,
    "never": pl.Float64,
    "better": pl.String,
}


def outcomes(model: Given | Model, runs: Runs, level: float = LEVEL) -> pl.DataFrame:
    """Each named outcome of the scenario: mean, low, high, and the number of runs.

    kind           unit            mean
    any            share of runs   share of histories in which it happened, or was so; exact binomial interval
    count          per year        events per year
    deaths         per year        people killed in such events per year
    first          days            mean time to the first one, or until it is first so, within the horizon, where it
                                   happened or not; `q10`, `median` and `q90` are the days by which a tenth, half and
                                   nine tenths of all histories came to it (Kaplan and Meier), null where fewer did;
                                   `never` is the share of histories in which it did not happen before the horizon
    share_of_time  share of days   days with the fact so over all days

    The interval holds `level` of the time for the mean over endless runs: it tells how well the model is known, not how
    much single histories differ. A history that hit its event limit is counted up to there.
    """
    model = compile_scenario(model)
    return outcomes_of(model, per_run(model, runs), float(runs.days), level)


def outcomes_of(model: Model, answers: Iterable[PerRun], days: float, level: float = LEVEL) -> pl.DataFrame:
    """The same from what `per_run` said of all runs, each of so many days."""
    rows = []
    for (name, one), (kind, values, cut_off) in zip(_named(model), answers, strict=True):
        told = {"name": name, "title": one.title or name, "kind": kind, "unit": UNITS[kind], "better": one.better}
        if kind == "first":
            curve = _product_limit(values, cut_off)
            estimate, reached = _mean_time(curve, days, level), _reached(curve)
        else:
            estimate, reached = _summary(kind, values, days, level), {}
        rows.append({**told, **estimate._asdict(), **reached})
    return pl.DataFrame(rows, schema=SCHEMA)


UNITS = {
    "any": "share of runs",
    "count": "per year",
    "deaths": "per year",
    "first": "days",
    "share_of_time": "share of days",
}
SHARE_UNITS = (UNITS["any"], UNITS["share_of_time"])
"""Units of outcomes that lie between 0 and 1."""


def unit_behind(unit: str) -> str:
    """What is said behind a number: "per year", "days"; behind a share, which has its per cent, of what: "of runs"."""
    return unit.removeprefix("share ")


BY_DAY = {"q10": 0.1, "median": 0.5, "q90": 0.9}
"""Share of histories that came to a first event by such a day."""


def when_first(row: Mapping[str, Any], days: float) -> str:
    """A row of a question `first` in words: in what share of runs it comes, and by when; "" for other questions.

    days  that every run lasts
    """
    if row["kind"] != "first":
        return ""
    window = f"{measured(days)} days"
    if row["never"] >= 1.0:
        return f"In no run within {window}."
    if row["never"] == 0.0 and row["q90"] == 0.0 == row["mean"]:
        return "So from the start."
    said = [f"In {percent(1.0 - row['never'])} of the runs within {window}"]
    shares = {"q10": "a tenth of all runs", "median": "half", "q90": "nine tenths"}
    told = [f"{share} by day {measured(row[name])}" for name, share in shares.items() if row[name] is not None]
    said += [", ".join(told)] if told else []
    counts = "; in the mean a run without it counts as the whole window" if row["never"] > 0.0 else ""
    return f"{'; '.join(said)}{counts}."


def per_run(model: Model, runs: Runs) -> list[PerRun]:
    """For each outcome its kind, its value in every run, and where that value is cut off by the end of the run.

    any: 0 or 1. count: events. deaths: people. first: days to the first, or until it is first so, or to the end of the
    run. share_of_time: share of days. Paired comparisons of two worlds start from these values.
    """
    asked = [_question(one) for _, one in _named(model)]
    by_dead = [_is_tallied(kind, what) and bool(told_by_dead(model, what).any()) for kind, what in asked]
    plain = [what for (kind, what), apart in zip(asked, by_dead, strict=True) if _is_tallied(kind, what) and not apart]
    tallied = _tally(runs, [channel_mask(model, one) for one in plain], [mechanism_mask(model, one) for one in plain])
    columns = zip(*(table.T for table in tallied), strict=True)
    span = _lengths(runs)
    whole = np.zeros(len(span), dtype=bool)
    answers: list[PerRun] = []
    for (kind, what), apart in zip(asked, by_dead, strict=True):
        if kind == "share_of_time":
            answers.append((kind, share_of_time(model, runs, what), whole))
            continue
        if kind == "deaths":
            killed = np.bincount(runs.replicate, dead_in(model, runs, what), len(span)).astype(np.float64)
            answers.append((kind, killed, whole))
            continue
        if apart:
            number, day = _tally_of(runs, hits(model, runs, what))
        elif _is_tallied(kind, what):
            number, day = next(columns)
        else:
            day = first_so(model, runs, what)
            number = np.isfinite(day)
        if kind == "first":
            cut_off = ~np.isfinite(day)
            answers.append((kind, np.where(cut_off, span, day - runs.begin), cut_off))
        else:
            answers.append((kind, (number > 0 if kind == "any" else number).astype(np.float64), whole))
    return answers


def hits(model: Model, runs: Runs, pattern: EventPattern) -> NDArray[np.bool_]:
    """(N,) events that are meant: by who does what to whom, by what set them off, by whether anyone died."""
    fits = channel_mask(model, pattern)[runs.channel]
    fits &= mechanism_mask(model, pattern)[runs.mechanism.astype(np.int64) - HISTORY]
    at = np.flatnonzero(fits & told_by_dead(model, pattern)[runs.channel])
    dead = runs.deaths() if len(at) else None
    if dead is not None:
        fits[at] = (dead[at] > 0) == ("death" in pattern.hurts)
    return fits


def told_by_dead(model: Model, pattern: EventPattern) -> NDArray[np.bool_]:
    """(C,) channels whose acts fit or not by whether anyone died in them: their act has a law of deaths under which
    nobody may, and the pattern asks for acts that kill without those that hurt, or the other way round."""
    if ("death" in pattern.hurts) == ("injury" in pattern.hurts):
        return np.zeros(len(model.channels), dtype=bool)
    return _may_spare(model) & channel_mask(model, pattern)


def _may_spare(model: Model) -> NDArray[np.bool_]:
    """(C,) channels of acts with a law of deaths under which nobody may die."""
    spare = {act for act, law in laws_of(model).items() if law.none > 0.0}
    return np.array([c.act in spare for c in model.channels], dtype=bool)


def first_so(model: Model, runs: Runs, condition: Condition) -> Floats:
    """(R,) day of the window on which a condition first held, infinite where it never did.

    A fact that comes by itself counts like one that an act sets; where it is so as the window begins, that is the day.
    """
    cells, _ = cells_of(model, condition)
    first: Floats = np.asarray(runs.level_first, dtype=np.float64)[:, cells].min(axis=1)
    return first


def share_of_time(model: Model, runs: Runs, condition: Condition) -> Floats:
    """(R,) share of its days on which a condition holds in each run."""
    meant, cells = cells_of(model, condition)
    days: Floats = np.asarray(runs.level_time, dtype=np.float64)
    standing, total = days[:, meant].sum(axis=1), days[:, cells].sum(axis=1)
    share: Floats = np.divide(standing, total, out=np.zeros_like(standing), where=total > 0)
    return share


def cells_of(model: Model, condition: Condition) -> tuple[slice, slice]:
    """Columns of `level_time` at which the condition holds, and all of its fact's.

    Raises UsageError, naming the nearest, for a level that the fact does not have.
    """
    fact, level = condition
    index = model.fact(fact)
    first, end = (int(at) for at in model.system.level_start[index : index + 2])
    if level is None:
        return slice(first + 1, end), slice(first, end)
    known = model.levels[index]
    if level not in known:
        expected = f"one of {', '.join(known)}"
        raise UsageError(Fault.at(fact, f"unknown level {level!r}", expected, nearest_name(level, known)))
    at = first + known.index(level)
    return slice(at, at + 1), slice(first, end)


def dead_in(model: Model, runs: Runs, pattern: EventPattern) -> Floats:
    """(N,) people killed in each event that fits: drawn where its act has a law of deaths, else one where it kills."""
    dead = runs.deaths()
    if dead is None:
        dead = (np.asarray(model.hurts)[runs.channel] == KILLS).astype(np.float64)
    return np.where(hits(model, runs, pattern), dead, 0.0)


def channel_mask(model: Model, pattern: EventPattern) -> NDArray[np.bool_]:
    """(C,) acts that fit who, does, to and hurts; a part that is not given fits all.

    An act with a law of deaths under which nobody may die fits `death` and `injury`: `hits` tells which, by event.
    Raises UsageError, naming the nearest, for an actor or act that the model does not have.
    """
    actors = {name for c in model.channels for name in (c.source, c.target) if name is not None}
    acts = {c.act for c in model.channels[: model.n_acts]}
    if model.scenario is not None:
        actors |= set(model.scenario.actors)
        acts |= set(model.scenario.acts)
    who = _known("who", pattern.who, actors, model)
    does = _known("does", pattern.does, acts, None)
    to = _known("to", pattern.to, actors, model)
    harms = [
        {HURTS[int(harm)], "injury"} if spares else {HURTS[int(harm)]}
        for harm, spares in zip(model.hurts, _may_spare(model), strict=True)
    ]
    return np.array(
        [
            c.kind == "act"
            and (not who or c.source in who)
            and (not does or c.act in does)
            and (not to or c.target in to)
            and (not pattern.hurts or not harms[i].isdisjoint(pattern.hurts))
            for i, c in enumerate(model.channels)
        ],
        dtype=bool,
    )


def mechanism_mask(model: Model, pattern: EventPattern) -> NDArray[np.bool_]:
    """(M - HISTORY,) whether such an event is meant: columns HISTORY, TIMER, SCHEDULED, BACKGROUND, mechanisms."""
    via = _known("via", pattern.via, {*model.mechanisms, "background"}, None)
    names = [None, None, None, "background", *model.mechanisms]
    return np.array([not via or name in via for name in names], dtype=bool)


def _named(model: Model) -> list[tuple[str, Outcome]]:
    if model.scenario is None:
        raise ModelError("a model made from bare arrays has no named outcomes")
    return list(model.scenario.outcomes.items())


def _question(outcome: Outcome) -> tuple[str, Any]:
    """Which of the questions it is, and about what."""
    return next((kind, what) for kind in UNITS if (what := getattr(outcome, kind)) is not None)


def _known(part: str, names: Iterable[str], known: Iterable[str], model: Model | None) -> frozenset[str]:
    """Names asked for, classes of actors spelt out."""
    valid = set(known)
    found: set[str] = set()
    faults = []
    for name in names:
        members: set[str] = set()
        if model is not None and model.scenario is not None:
            members = {actor for actor, one in model.scenario.actors.items() if name in one.classes}
        if name == "any":
            return frozenset()
        if name in valid:
            found.add(name)
        elif members:
            found |= members
        else:
            expected = f"one of {', '.join(sorted(valid))}"
            faults.append(Fault.at(part, f"unknown name {name!r}", expected, nearest_name(name, valid)))
    if faults:
        raise UsageError(faults)
    return frozenset(found)


def _tally(
    runs: Runs, masks: list[NDArray[np.bool_]], ways: list[NDArray[np.bool_]]
) -> tuple[NDArray[np.int64], Floats]:
    model = model_of(runs)
    n_channels = len(model.channels)
    asked = np.array(masks, dtype=bool).reshape(len(masks), n_channels)
    channel, question = np.nonzero(asked.T)
    start = np.searchsorted(channel, np.arange(n_channels + 1)).astype(np.int64)
    via = np.array(ways, dtype=bool).reshape(len(ways), len(model.mechanisms) - HISTORY)
    return tally(runs.offsets, runs.time, runs.channel, runs.mechanism, start, question, via, HISTORY)


def _tally_of(runs: Runs, hit: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats]:
    """(R,) how many of these events each replicate has, and the time of the first (inf if none)."""
    replicate, first = runs.replicate[hit], np.full(runs.replicates, np.inf)
    np.minimum.at(first, replicate, runs.time[hit])
    return np.bincount(replicate, minlength=runs.replicates), first


def _lengths(runs: Runs) -> Floats:
    """(R,) days that each run lasted: less than its window where it hit the event limit."""
    span: Floats = np.asarray(runs.reached, dtype=np.float64) - runs.begin
    return span


def _is_tallied(kind: str, what: Any) -> bool:
    """Whether the question is answered by counting events."""
    return kind != "deaths" and isinstance(what, EventPattern)


def _summary(kind: str, values: Floats, days: float, level: float) -> IntervalEstimate:
    """Of any kind but `first`."""
    if kind == "any":
        return intervals.proportion(float(values.sum()), len(values), level)
    if kind in ("count", "deaths"):
        return intervals.rate(values, days / YEAR, level)
    estimate = intervals.average(values, level)
    low = None if estimate.low is None else max(0.0, estimate.low)
    high = None if estimate.high is None else min(1.0, estimate.high)
    return estimate._replace(low=low, high=high)


def time_to_first(
    times: Floats, cut_off: NDArray[np.bool_], days: float, level: float = LEVEL
) -> tuple[IntervalEstimate, float | None]:
    """Mean time to a first event within `days`, and the median, when some histories end before it came.

    times    (R,) days to the event, or to the end of the history where `cut_off`
    The mean is the area under the Kaplan-Meier curve up to `days`; a history without the event counts as `days`. Its
    variance is Greenwood's; where no history came to the event, which leaves none, the lower end is that of the share
    that may yet come to it (Clopper and Pearson), all of it at once.
    """
    curve = _product_limit(times, cut_off)
    return _mean_time(curve, days, level), _day_reached(curve, 0.5)


class ProductLimit(NamedTuple):
    """The curve of Kaplan and Meier: times in order, whether it came then, how many histories were at risk, the share
    that goes on without it."""

    time: Floats
    came: NDArray[np.bool_]
    at_risk: Floats
    alive: Floats


def _mean_time(curve: ProductLimit, days: float, level: float) -> IntervalEstimate:
    """See `time_to_first`."""
    time, came, at_risk, alive = curve
    n = len(time)
    edges = np.concatenate([[0.0], time, [days]])
    height = np.concatenate([[1.0], alive])
    widths = np.diff(np.minimum(edges, days))
    areas = height * widths
    mean = float(areas.sum())
    beyond = mean - np.cumsum(areas)[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(came & (at_risk > 1), beyond**2 / (at_risk * (at_risk - 1.0)), 0.0)
    half = intervals.normal_quantile(0.5 + level / 2.0) * float(np.sqrt(np.nansum(terms)))
    low, high = (None, None) if n < 2 else (max(0.0, mean - half), min(days, mean + half))
    if low is not None and not came.any():
        low = mean * (1.0 - (intervals.proportion(0, n, level).high or 0.0))
    return IntervalEstimate(mean, low, high, n)


def _day_reached(curve: ProductLimit, share: float) -> float | None:
    """Days after which this share of all histories have come to the event; None where fewer do."""
    below = np.flatnonzero(curve.alive <= 1.0 - share + 1e-12)  # not short of a tenth by what rounding adds up to
    return float(curve.time[below[0]]) if len(below) else None


def _reached(curve: ProductLimit) -> dict[str, float | None]:
    """Days by which shares of the histories came to it, and the share that never did."""
    return {
        **{name: _day_reached(curve, share) for name, share in BY_DAY.items()},
        "never": float((~curve.came).mean()),
    }


def _product_limit(times: Floats, cut_off: NDArray[np.bool_]) -> ProductLimit:
    order = np.lexsort((cut_off, times))
    time, came = times[order], ~cut_off[order]
    at_risk = len(time) - np.arange(len(time), dtype=np.float64)
    alive = np.cumprod(np.where(came, 1.0 - 1.0 / at_risk, 1.0), dtype=np.float64)
    return ProductLimit(time, came, at_risk, alive)
