"""Lay what is asked of a source's reporting over a job, and choose among its parts: by AIC and by what was foretold.

In: a `Job` without a layer, a `ReportingAsked`. Out: the job with its layer settled under a first course of the
background, and what each part brought; or a UsageError that says what stands in the way.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.filtered_facts import is_hidden
from powderkeg.errors import Fault, UsageError, argument, nearest_name
from powderkeg.events.holidays import holidays_of
from powderkeg.events.table import EventTable
from powderkeg.fit.background.courses import coverage_offset
from powderkeg.fit.checks.held_out import rolling_scores
from powderkeg.fit.job import Job
from powderkeg.fit.known import known_layer
from powderkeg.fit.likelihood.asked import ReportingAsked
from powderkeg.fit.likelihood.layer import Layer
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.rounds import settle
from powderkeg.model import Model
from powderkeg.scenario import WEEKDAYS


def begin_layer(job: Job, asked: ReportingAsked, events: EventTable, first: str) -> tuple[Job, pl.DataFrame]:
    """(the job with its layer, what was tried: reporting, parameters, log_likelihood, aic, held_out, chosen).

    first  course of the background under which the layer is settled before others are tried
    """
    if (fault := in_the_way(job, asked)) is not None:
        raise UsageError(fault)
    if not asked.auto:
        job = replace(job, layer=lay(asked, job.model, job.data, events, job.start), baselines="shared")
        return settle(job, lambda one: one.climber(first), None, whole=False)[0], _table([])
    job = replace(job, baselines="shared")
    climber = job.climber(first)
    kept = ("none", job, climber, settle(job, lambda one: one.climber(first), None, whole=True)[2])
    tried = [kept]
    ahead = {"none": _ahead(*kept[1:], first)}
    for name in ("weekday", "batches"):
        if name == "batches" and not job.data.by_day:
            continue
        before = kept[1].layer.asked if kept[1].layer is not None else replace(asked, weekday=False, batches=False)
        more = replace(before, auto=False, weekday=before.weekday or name == "weekday", batches=name == "batches")
        laid = replace(job, layer=lay(more, job.model, job.data, events, job.start))
        made = settle(laid, lambda one: one.climber(first), None, whole=True)
        words = name if kept[0] == "none" else f"{kept[0]}, {name}"
        tried.append((words, *made))
        ahead[words] = _ahead(*made, first)
        known, of_kept = ahead[words], ahead[kept[0]]
        foretells = known is None or of_kept is None or known > of_kept
        if _aic(*tried[-1][2:]) < _aic(*kept[2:]) and foretells:
            kept = tried[-1]
    rows = [
        {"reporting": words, "parameters": _count(made), "log_likelihood": top.log_likelihood, "aic": _aic(made, top),
         "held_out": ahead[words], "chosen": words == kept[0]}
        for words, _, made, top in tried
    ]  # fmt: skip
    return kept[1], _table(rows)


def _ahead(job: Job, climber: Climber, solution: Solution, first: str) -> float | None:
    """Log score of the last four tenths of the window, each tenth by a fit of what came before; None where too little
    is there. What the unseen weigh as causes is as the whole window has it; the factors are found on what came before.
    """
    found = rolling_scores(job, climber.problem, solution.vector, first)
    return None if found is None else float(found.sum())


def _count(climber: Climber) -> int:
    return int((~climber.problem.held).sum())


def _aic(climber: Climber, solution: Solution) -> float:
    return 2.0 * _count(climber) - 2.0 * solution.log_likelihood


def _table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={"reporting": pl.String, "parameters": pl.Int64, "log_likelihood": pl.Float64, "aic": pl.Float64,
                "held_out": pl.Float64, "chosen": pl.Boolean},
    )  # fmt: skip


def in_the_way(job: Job, asked: ReportingAsked) -> Fault | None:
    """Why a layer cannot be laid over this model and these events; None where it can."""
    if is_hidden(job.model.system, job.model.n_acts):
        return Fault.at("reporting", "a scenario with facts that no act reports (they come or run out by "
                     "themselves, or by chance)", "no reporting with such a scenario yet ("
                     + argument("reporting", "none") + "); or facts that acts alone change")  # fmt: skip
    if job.data.first is not None:
        unsure = int((job.data.last > job.data.first).sum())  # type: ignore[operator]
        return Fault.at("reporting", f"{unsure:,} event{'s' * (unsure != 1)} whose day the source does not "
                     "know", argument("spans", "leave out") + ", or " + argument("spans", "first day"))  # fmt: skip
    if job.shift % 1.0:
        return Fault.at("reporting", "a window that begins within a day (" + argument("history_days") + ")",
                     "whole days of history: what a source shows is told by days")  # fmt: skip
    if job.baselines == "gamma":
        return Fault.at("reporting", "rates integrated out (" + argument("baselines", "gamma") + ")",
                     argument("baselines", "shared") + ", or no reporting")  # fmt: skip
    if asked.batches and not asked.auto and not job.data.by_day:
        return Fault.at("reporting", "batches asked of exact times: a further report has the stamp of its own "
                     "story, not of the act", argument("likelihood", "day") + ", where reports of one day are "
                     "counted")  # fmt: skip
    return None


def lay(asked: ReportingAsked, model: Model, data: Data, events: EventTable, start: date) -> Layer:
    """The layer to begin with: how much each kind of day shows by its count of events.

    start  day 0 of the window

    Raises UsageError for a part that this window, or this model, cannot show.
    """
    if asked.said is not None:
        return known_layer(asked, model, data, start)
    origin = min(0, int(np.floor(data.time[0])))
    n_days = int(np.ceil(data.days)) - origin
    dates = [start + timedelta(days=origin + k) for k in range(n_days)]
    day = np.floor(data.time).astype(np.int64) - origin
    counts = np.bincount(day, minlength=n_days)[:n_days].astype(np.float64)
    kinds, kind = _kinds(asked, dates)
    inside = [one for one in asked.breaks if dates[0] < one <= dates[-1]]
    if asked.breaks and len(inside) < len(asked.breaks):
        outside = ", ".join(str(one) for one in asked.breaks if one not in inside)
        raise UsageError(
            Fault.at("reporting", f"a break of the source on {outside}, outside the window",
                  f"days after {dates[0]} and up to {dates[-1]}")
        )  # fmt: skip
    epoch = np.searchsorted(np.array([(one - dates[0]).days for one in inside]), np.arange(n_days), side="right")
    known = _coverage(asked, events, dates)
    layer = Layer(
        asked, start, origin, kinds, kind, np.ones(len(kinds)), tuple(inside), epoch.astype(np.int64),
        np.ones(len(inside) + 1), known, 0.05 if asked.batches else None, _detection(asked, model), model.n_acts,
    )  # fmt: skip
    if len(inside):
        layer = replace(layer, epoch_factor=layer.scaled("breaks", _means(counts, known, epoch, len(inside) + 1)))
    if kinds:
        shown = known * layer.epoch_factor[layer.epoch]
        layer = replace(layer, kind_factor=layer.scaled("days", _means(counts, shown, kind, len(kinds))))
    return layer


def _means(counts: Floats, shown: Floats, level: Ints, n_levels: int) -> Floats:
    """(levels,) events for what the rest of the layer shows."""
    found = np.bincount(level, weights=counts, minlength=n_levels)
    return np.asarray(found / np.maximum(np.bincount(level, weights=shown, minlength=n_levels), 1e-9))


def _kinds(asked: ReportingAsked, dates: list[date]) -> tuple[tuple[str, ...], Ints]:
    """(names of the kinds of day, kind of each day)."""
    if not asked.weekday and not asked.holidays:
        return (), np.zeros(len(dates), np.int64)
    names: tuple[str, ...] = WEEKDAYS if asked.weekday else ("ordinary",)
    kind = np.array([one.weekday() if asked.weekday else 0 for one in dates], np.int64)
    if asked.weekday and len(set(kind.tolist())) < 7:
        raise UsageError(
            Fault.at("reporting", f"a weekday profile from {len(dates)} days", "a window of weeks at least")
        )
    if asked.holidays:
        days = set(holidays_of(asked.country, dates[0], dates[-1]) if asked.country is not None else asked.days)
        is_holiday = np.array([one in days for one in dates])
        if not is_holiday.any():
            raise UsageError(
                Fault.at("reporting", f"no holiday from {dates[0]} to {dates[-1]}",
                      "holidays within the window, or none")
            )  # fmt: skip
        names, kind = (*names, "holiday"), np.where(is_holiday, len(names), kind)
    return names, kind.astype(np.int64)


def _coverage(asked: ReportingAsked, events: EventTable, dates: list[date]) -> Floats:
    """(D,) known coverage of every day."""
    if asked.coverage is None:
        return np.ones(len(dates))
    factors = coverage_offset(events, "coverage" if asked.coverage is True else asked.coverage) or {}
    begun = sorted(factors)
    at = np.searchsorted(np.array([one.toordinal() for one in begun]), [one.toordinal() for one in dates], "right") - 1
    found = np.array([factors[begun[k]] for k in np.maximum(at, 0)])
    return np.asarray(found / found.mean())


def _detection(asked: ReportingAsked, model: Model) -> Floats:
    """(acts,) known share of each channel's acts that are reported; no rows where nothing is known."""
    if not asked.detection:
        return np.zeros(0)
    acts = [channel.act for channel in model.channels[: model.n_acts]]
    for act in asked.detection:
        if act not in acts:
            known = sorted(set(acts))
            raise UsageError(
                Fault.at(f"reporting.detection.{act}", f"unknown act {act!r}", f"one of {', '.join(known)}",
                      nearest_name(act, known))
            )  # fmt: skip
    return np.array([asked.detection.get(act, 1.0) for act in acts])
