"""How often, how soon, how much of the time: the named questions of a scenario, answered by every run.

In: a model and its `Runs`. Out: one row per outcome with its interval and the number of runs behind it.
Sources: Kaplan & Meier (1958), JASA 53, 457-481; Royston & Parmar (2013), BMC Medical Research Methodology 13, 152, for
the mean within the horizon.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

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
from powderkeg.simulate.deaths import KILLS
from powderkeg.units import YEAR

if TYPE_CHECKING:
    from powderkeg.model import Model
    from powderkeg.scenario import Condition, EventPattern, Given, Outcome
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
    "median": pl.Float64,
    "never": pl.Float64,
    "better": pl.String,
}


def outcomes(model: Given | Model, runs: Runs, level: float = LEVEL) -> pl.DataFrame:
    """Each named outcome of the scenario: mean, low, high, and the number of runs.

    kind           unit            mean
    any            share of runs   share of histories in which it happened; exact binomial interval
    count          per year        events per year
    deaths         per year        people killed in such events per year
    first          days            mean time to the first one within the horizon, where it happened or not; `median` is
                                   that of Kaplan and Meier, null where fewer than half came to it; `never` is the
                                   share of histories in which it did not happen before the horizon
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
        estimate, median, never = _summary(kind, values, cut_off, days, level)
        told = {"name": name, "title": one.title or name, "kind": kind, "unit": UNITS[kind], "better": one.better}
        rows.append({**told, **estimate._asdict(), "median": median, "never": never})
    return pl.DataFrame(rows, schema=SCHEMA)


UNITS = {
    "any": "share of runs",
    "count": "per year",
    "deaths": "per year",
    "first": "days",
    "share_of_time": "share of days",
}
APART = ("deaths", "share_of_time")
"""Questions that are not answered by counting events."""


def per_run(model: Model, runs: Runs) -> list[PerRun]:
    """For each outcome its kind, its value in every run, and where that value is cut off by the end of the run.

    any: 0 or 1. count: events. deaths: people. first: days to the first, or to the end of the run. share_of_time: share
    of days. Paired comparisons of two worlds start from these values.
    """
    asked = [(name, one, *_question(one)) for name, one in _named(model)]
    masks = [channel_mask(model, what) for _, _, kind, what in asked if kind not in APART]
    ways = [mechanism_mask(model, what) for _, _, kind, what in asked if kind not in APART]
    counts, first = _tally(runs, masks, ways)
    span = _lengths(runs)
    answers = []
    k = 0
    for _name, _one, kind, what in asked:
        if kind == "share_of_time":
            answers.append((kind, _share_of_time(model, runs, what), np.zeros(len(span), dtype=bool)))
            continue
        if kind == "deaths":
            killed = np.bincount(runs.replicate, dead_in(model, runs, what), len(span)).astype(np.float64)
            answers.append((kind, killed, np.zeros(len(span), dtype=bool)))
            continue
        if kind == "first":
            cut_off = ~np.isfinite(first[:, k])
            answers.append((kind, np.where(cut_off, span, first[:, k] - runs.begin), cut_off))
        else:
            value = counts[:, k] > 0 if kind == "any" else counts[:, k]
            answers.append((kind, value.astype(np.float64), np.zeros(len(span), dtype=bool)))
        k += 1
    return answers


def dead_in(model: Model, runs: Runs, pattern: EventPattern) -> Floats:
    """(N,) people killed in each event that fits: drawn where its act has a law of deaths, else one where it kills."""
    dead = runs.deaths()
    if dead is None:
        dead = (np.asarray(model.hurts)[runs.channel] == KILLS).astype(np.float64)
    fits = channel_mask(model, pattern)[runs.channel]
    fits &= mechanism_mask(model, pattern)[runs.mechanism.astype(np.int64) - HISTORY]
    return np.where(fits, dead, 0.0)


def channel_mask(model: Model, pattern: EventPattern) -> NDArray[np.bool_]:
    """(C,) acts that fit who, does, to and hurts; a part that is not given fits all.

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
    hurts = {"none": 0, "injury": 1, "death": 2}
    harm = [hurts[word] for word in pattern.hurts]
    return np.array(
        [
            c.kind == "act"
            and (not who or c.source in who)
            and (not does or c.act in does)
            and (not to or c.target in to)
            and (not harm or int(model.hurts[i]) in harm)
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


def _lengths(runs: Runs) -> Floats:
    """(R,) days that each run lasted: less than its window where it hit the event limit."""
    span: Floats = np.asarray(runs.reached, dtype=np.float64) - runs.begin
    return span


def _share_of_time(model: Model, runs: Runs, condition: Condition) -> Floats:
    fact, level = condition
    index = model.fact(fact)
    cells = slice(int(model.system.level_start[index]), int(model.system.level_start[index + 1]))
    days: Floats = np.asarray(runs.level_time, dtype=np.float64)[:, cells]
    if level is None:
        standing = days[:, 1:].sum(axis=1)
    else:
        if level not in model.levels[index]:
            known = model.levels[index]
            expected = f"one of {', '.join(known)}"
            raise UsageError(Fault.at(fact, f"unknown level {level!r}", expected, nearest_name(level, known)))
        standing = days[:, model.levels[index].index(level)]
    total = days.sum(axis=1)
    share: Floats = np.divide(standing, total, out=np.zeros_like(standing), where=total > 0)
    return share


def _summary(
    kind: str, values: Floats, cut_off: NDArray[np.bool_], days: float, level: float
) -> tuple[IntervalEstimate, float | None, float | None]:
    if kind == "any":
        return intervals.proportion(float(values.sum()), len(values), level), None, None
    if kind in ("count", "deaths"):
        return intervals.rate(values, days / YEAR, level), None, None
    if kind == "share_of_time":
        estimate = intervals.average(values, level)
        low = None if estimate.low is None else max(0.0, estimate.low)
        high = None if estimate.high is None else min(1.0, estimate.high)
        return estimate._replace(low=low, high=high), None, None
    estimate, median = time_to_first(values, cut_off, days, level)
    return estimate, median, float(cut_off.mean())


def time_to_first(
    times: Floats, cut_off: NDArray[np.bool_], days: float, level: float = LEVEL
) -> tuple[IntervalEstimate, float | None]:
    """Mean time to a first event within `days`, and the median, when some histories end before it came.

    times    (R,) days to the event, or to the end of the history where `cut_off`
    The mean is the area under the Kaplan-Meier curve up to `days`; a history without the event counts as `days`. Its
    variance is Greenwood's.
    """
    order = np.lexsort((cut_off, times))
    time, came = times[order], ~cut_off[order]
    n = len(time)
    at_risk = n - np.arange(n, dtype=np.float64)
    alive = np.cumprod(np.where(came, 1.0 - 1.0 / at_risk, 1.0))
    edges = np.concatenate([[0.0], time, [days]])
    height = np.concatenate([[1.0], alive])
    widths = np.diff(np.minimum(edges, days))
    areas = height * widths
    mean = float(areas.sum())
    beyond = mean - np.cumsum(areas)[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(came & (at_risk > 1), beyond**2 / (at_risk * (at_risk - 1.0)), 0.0)
    half = intervals.normal_quantile(0.5 + level / 2.0) * float(np.sqrt(np.nansum(terms)))
    below = np.flatnonzero(alive <= 0.5)
    median = float(time[below[0]]) if len(below) else None
    low, high = (None, None) if n < 2 else (max(0.0, mean - half), min(days, mean + half))
    return IntervalEstimate(mean, low, high, n), median
