"""Fit a scenario to events: which numbers fit them best, how sure that is, and whether each mechanism is needed.

In: a `Model` (or a `Scenario`), an `EventTable`, what is free. Out: a `Fit`.
The likelihood follows the table's resolution: exact times, or days whose acts may answer each other (Borel-Tanner). The
course of the background is chosen by AIC among candidates, and the branching ratio under each of them is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy import special

from powderkeg.engine.likelihood.filtered_facts import is_hidden
from powderkeg.errors import Fault, FitError, UsageError, argument, nearest_name, warn
from powderkeg.events.table import EventTable, must_be_table
from powderkeg.fit.advice import advice
from powderkeg.fit.background.choice import Tell, choose_background, tell_nobody
from powderkeg.fit.background.courses import coverage_offset
from powderkeg.fit.deaths import DeathFits, asked_deaths, fit_deaths
from powderkeg.fit.differences import advice_of, with_rates
from powderkeg.fit.estimates import Estimate, estimates_at
from powderkeg.fit.job import Job
from powderkeg.fit.known import asked_of, kind_of
from powderkeg.fit.laying import begin_layer, in_the_way
from powderkeg.fit.likelihood.data import calendar_shift, read_data, reads_by_day
from powderkeg.fit.likelihood.effects import Differences, check_differences
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.spans import Spans, settle_spans
from powderkeg.fit.maximum.bounded import FitLaw, law_at
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.covariance import Covariance, covariance
from powderkeg.fit.maximum.gamma_rates import check_baselines
from powderkeg.fit.maximum.newton import in_one_thread
from powderkeg.fit.maximum.varying import VaryingClimber
from powderkeg.fit.mixtures import DelaySearch, apart, check_delays, whole_name, with_wholes
from powderkeg.fit.posterior import UNCERTAINTY, settled_posterior
from powderkeg.fit.ratios import ratio_told
from powderkeg.fit.reported import reported
from powderkeg.fit.result import Fit
from powderkeg.fit.rounds import found_by, settle
from powderkeg.fit.unexplained import unexplained_events
from powderkeg.fit.used import used_events, without_intervals
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.scenario import Scenario
from powderkeg.showing import progress_shown


@in_one_thread
def fit(
    model: Model | Scenario,
    events: EventTable,
    *,
    free: Sequence[str] | None = None,
    fix: Sequence[str] | None = None,
    use_ranges: bool = False,
    prior: str | None = "delays",
    likelihood: str | None = None,
    background: str = "auto",
    exposure: Any = None,
    level: float = 0.9,
    history_days: float = 0.0,
    unmatched: str = "refuse",
    baselines: str = "auto",
    actors: str = "auto",
    courses: str = "none",
    spans: str | None = None,
    reporting: Any = None,
    delays: str = "written",
    uncertainty: str = "normal",
    test_mechanisms: bool = True,
    progress: Tell | None = None,
) -> Fit:
    """Estimate a scenario's numbers from events.

    free, fix        key paths to estimate, or to hold; `mechanisms` means all in that section, `*` any letters. By
                     default all answers, half-lives, gate factors and rates above 0 are free
    use_ranges       the file's ranges as priors (the middle 90 % of a lognormal)
    prior            "delays": a weak prior on half-lives alone; "weak": on everything; None: maximum likelihood
    likelihood       "exact" or "day"; by default what the table's resolution asks for
    background       "auto": chosen by AIC; "scenario" or "constant": the scenario's profiles and nothing more;
                     "season", "season2", "blocks365", "blocks180", "blocks90", "blocks45", "epochs": that course on top
    exposure         "coverage", or a frame (month, events) or (day, events): how densely the source reported, as a
                     factor on backgrounds
    level            of the intervals
    history_days     first days whose events only act on later ones
    unmatched        "refuse" or "drop": events that no move allows
    baselines        "shared": channels of one move are equally busy; "gamma": each has its own multiple of the
                     move's rate, integrated out under a Gamma law; "dyad": dyads, and acts in them, have effects;
                     "auto": one of these where channels act unevenly, if AIC agrees
    actors           "vary": senders, receivers and dyads have effects on the rates, with spreads that are estimated;
                     "alike": none has; "auto": as `baselines` says
    courses          "none": the course of the background is the same for all, as `background` says; "common", "class",
                     "act", "dyad": one that wanders, and by class of act, by act or by dyad its own around it
    spans            events of which the source does not know the day: "reckon" with all days on which they may have
                     happened; "leave out"; "first day": take the first for the day. None: reckoned with where that can
                     be done, else left out, and said
    reporting        what the source shows of what happens: "weekday", "holidays=XK", "coverage", "breaks=2018-07-01",
                     "batches", several with commas between, or a mapping of the same; "auto" keeps weekday and batches
                     where AIC and held-out blocks agree; "scenario", or "scenario=NAME": what the scenario's
                     `reporting` says, held; "none": it shows everything, and every report is an act. None: what the
                     scenario says of this kind of event data, if anything
    delays           "written": as many half-lives as the scenario says; "mixtures": mechanisms get a second and a third
                     where AIC falls by 2 or more. Shares of several half-lives are estimated, unless `fix` names them
                     (`mechanisms.NAME.half_lives.1.share`)
    uncertainty      where attribution, comparison, replay and forecast draw numbers within the errors of this fit:
                     "normal", the law around the estimates; "posterior", that law weighed by the likelihood, which
                     takes a pass over the events for each of 1,000 draws or more
    progress         called with the share done, 0 to 1, and what is being done

    Raises EventError if the events do not fit the scenario, UsageError for an unknown path or option, FitError if the
    data cannot answer.
    """
    progress = progress_shown(progress, "fitting")
    must_be_table(events)
    differences = _checked(baselines, actors, courses, delays, uncertainty, level)
    if isinstance(model, Scenario | str | Path):
        model = compile_model(model, events)
    integrates = baselines == "gamma" or differences.any
    record = _read(model, events, likelihood, spans, integrates, unmatched, history_days)
    whole, file = model, model.scenario
    wanted, free, fix = asked_deaths(model, free, fix)
    model, free, fix = apart(model, free, fix)
    job = Job(model, record.data, free, fix, use_ranges, prior, record.shift, record.start,
              coverage_offset(record.events, exposure), baselines, differences, actors == "alike")  # fmt: skip
    said: list[str] = [record.unknown.words] if record.unknown.way else []
    tell = progress or tell_nobody
    job, layers = _layered(job, reporting, record.events, background, said, tell)
    top = _highest(job, whole, record.events, background, delays, said, tell)
    tell(0.85, "errors and intervals")
    climber, solution = top.climber, top.solution
    spread = covariance(climber, solution, climber.problem.held)
    estimates = estimates_at(climber, solution, spread, level)
    law = law_at(climber, solution, spread, estimates, level)
    tell(0.95, "leaving out each mechanism in turn")
    tests = _test_mechanisms(climber, solution) if test_mechanisms else _no_tests()
    deaths = fit_deaths(whole, record.frame, wanted, level)
    result = _told(record, top, spread, estimates, law, tests, deaths, said, level, use_ranges, layers, file)
    if uncertainty == "posterior":
        tell(0.97, "weighing draws by the likelihood")
        drawn = settled_posterior(result)
        result = replace(result, drawn=drawn, warnings=(*result.warnings, drawn.said))
    tell(1.0, "done")
    if not solution.converged:
        warn(
            "the fit did not settle: hold some parameters with "
            + argument("fix")
            + ", or give ranges and "
            + argument("use_ranges", True)
        )
    return result


def _checked(
    baselines: str, actors: str, courses: str, delays: str, uncertainty: str, level: float
) -> Differences:  # fmt: skip
    """What may tell backgrounds apart. Raises UsageError for words that are not known or do not go together."""
    check_baselines(baselines)
    check_differences(actors, courses)
    check_delays(delays)
    if uncertainty not in UNCERTAINTY:
        near = nearest_name(uncertainty, UNCERTAINTY)
        raise UsageError(Fault.at("uncertainty", repr(uncertainty), " or ".join(UNCERTAINTY), near))
    differences = Differences(actors == "vary", baselines == "dyad" or courses == "dyad", courses)
    if differences.any and baselines == "gamma":
        raise UsageError(
            Fault.at("baselines", "'gamma' beside actors or courses that vary",
                  argument("baselines", "dyad") + " or " + argument("baselines", "shared"))
        )  # fmt: skip
    if not 0.0 < level < 1.0:
        raise UsageError(Fault.at("level", f"{level:g}", "a share between 0 and 1, such as 0.9"))
    return differences


class _Read(NamedTuple):
    """The events as the likelihood takes them.

    events        with a day for each, or with the days that each may have had
    unknown       what became of events whose day the source does not know
    data, frame   as arrays, and the rows behind them
    history_days  first days whose events only act on later ones;  start, shift  of the window: its first day, and days
                  from the model's start to it
    """

    events: EventTable
    unknown: Spans
    data: Data
    frame: pl.DataFrame
    history_days: float
    shift: float
    start: date


def _read(
    model: Model, events: EventTable, likelihood: str | None, spans: str | None, integrates: bool, unmatched: str,
    history_days: float,
) -> _Read:  # fmt: skip
    """The record of a model. `integrates`: rates of channels are integrated out, where days cannot be drawn."""
    by_day = reads_by_day(events, likelihood)
    why_not = "rates of channels are integrated out" if integrates else ""
    events, unknown = settle_spans(model, events, by_day, spans, why_not)
    data, frame = read_data(model, events, likelihood, unmatched, history_days)
    if data.by_day:
        history_days = float(np.floor(history_days))
    shift = calendar_shift(model, events, history_days)
    model.must_be_known(shift + data.days, "the window")
    start = events.start + timedelta(days=int(history_days))
    return _Read(events, unknown, data, frame, history_days, shift, start)


def _layered(
    job: Job, reporting: Any, events: EventTable, background: str, said: list[str], tell: Tell
) -> tuple[Job, pl.DataFrame | None]:  # fmt: skip
    """(the job seen through its source, if anything is known or asked of that; what was tried)."""
    asked, unasked = asked_of(reporting, job.model.scenario, events)
    if asked is not None and unasked and (fault := in_the_way(job, asked)) is not None:
        said.append(f"reporting.{asked.source} of the scenario was left aside: {fault.found}")
        asked = None
    if asked is None:
        return job, None
    tell(0.0, "what the source shows")
    first = "constant" if background in ("auto", "scenario", "epochs") else background
    return begin_layer(replace(job, alike=job.alike or not job.differences.any), asked, events, first)


class _Top(NamedTuple):
    """The maximum under the background that was kept, and the backgrounds that were tried."""

    job: Job
    climber: Climber
    solution: Solution
    tried: pl.DataFrame


def _highest(
    job: Job, whole: Model, events: EventTable, background: str, delays: str, said: list[str], tell: Tell
) -> _Top:  # fmt: skip
    """The background, the half-lives, and what the source shows, each given the ones before. Raises FitError if nothing
    explains the events."""
    fallen, tried = choose_background(job, background, said, tell)
    job = replace(job, baselines="gamma" if len(fallen[0].problem.law_rates) else "shared",
                  differences=fallen[0].differences)  # fmt: skip
    looking = DelaySearch(lambda one: _compiled(one, whole, events), said, tell)
    job, climber, solution = looking.chosen((job, *fallen), delays)
    if job.layer is not None:
        tell(0.8, "what the source shows")
        shape = climber.problem.shape
        job, climber, solution = settle(job, lambda one: one.under(shape), (climber, solution), True)
    if not np.isfinite(solution.log_likelihood):
        raise FitError(
            "the likelihood is 0 wherever it was tried; look at events.unexplained and the scenario's guards"
        )
    return _Top(job, climber, solution, tried)


def _told(
    record: _Read, top: _Top, spread: Covariance, estimates: dict[str, Estimate], law: FitLaw, tests: pl.DataFrame,
    deaths: DeathFits, said: list[str], level: float, use_ranges: bool, layers: pl.DataFrame | None,
    file: Scenario | None,
) -> Fit:  # fmt: skip
    """The fit as it is told: estimates of the scenario's own numbers, what the events leave open, what to look at."""
    job, climber, solution, tried = top
    problem, vector, missed = climber.problem, solution.vector, solution.objective.unexplained
    used = used_events(job.model, record.events, record.frame, missed, record.history_days)
    unexplained = unexplained_events(problem, missed, record.frame, record.start)
    ratio = ratio_told(problem, vector)
    said += [*ratio.said, *used.said]
    said += advice(problem, solution, spread, estimates, unexplained.height, use_ranges)
    shown = None
    if problem.layer is not None:
        shown = reported(problem, vector, spread, level, found_by(climber, vector)[1], layers)
        said += shown.warnings
    paths = {p.place: p.path for p in problem.parameters if not p.path.startswith("reporting.")}
    named = [k for k, place in enumerate(spread.places) if int(place) in paths]
    matrix, covered = spread.matrix[np.ix_(named, named)], tuple(paths[int(spread.places[k])] for k in named)
    if isinstance(climber, VaryingClimber):
        estimates, matrix, covered = with_rates(climber, solution, spread, estimates, level)
        said += advice_of(climber, vector)
    estimates = with_wholes(problem, vector, spread, estimates, level, file) | deaths.estimates
    said += deaths.said
    estimates = without_intervals(estimates) if used.withholds else estimates
    return Fit(
        scenario_before=job.model.scenario,
        parameters={path: e for path, e in estimates.items() if not path.startswith("reporting.")},
        log_likelihood=solution.log_likelihood,
        likelihood=_likelihood_words(climber),
        prior=climber.prior.words,
        events_used=int((record.data.time >= 0).sum()) - len(missed),
        used=used,
        unexplained=unexplained,
        ratio=ratio,
        background=tried["background"][tried["chosen"].arg_max() or 0],
        backgrounds=tried.drop("chosen"),
        mechanisms=tests,
        warnings=tuple(said),
        level=level,
        converged=solution.converged,
        gradient=solution.maximum.steepest,
        covariance=matrix,
        law=law,
        covariance_paths=covered,
        problem=problem,
        climber=climber,
        solution=solution,
        frame=record.frame,
        window_start=record.start,
        job=job,
        spans=record.unknown,
        reporting=shown,
        deaths=deaths.found,
        source_kind=kind_of(record.events),
    )


def _compiled(scenario: Scenario, whole: Model, events: EventTable) -> Model:
    """The model of a scenario, of the channels of these events where `whole` was of such."""
    return compile_model(scenario) if whole.stands_for is None else compile_model(scenario, events)


def _no_tests() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"mechanism": pl.String, "answers": pl.Float64, "lr": pl.Float64, "p": pl.Float64, "aic": pl.Float64,
                "needed_5": pl.Boolean, "needed_1": pl.Boolean}
    )  # fmt: skip


def _test_mechanisms(climber: Climber, solution: Solution) -> pl.DataFrame:
    """Leave out each free mechanism in turn; half-lives and beliefs of the others are held where they were found.

    A mechanism at its bound 0 has half a chi-square with one degree of freedom. Where its half-life is free too, that
    is not identified without it, and half a chi-square with two degrees is used: on the careful side. Where some events
    could not have happened without it, there is no ratio (None), and it is needed.
    """
    problem = climber.problem
    rows = []
    alone = {p.path.removeprefix("mechanisms.").removesuffix(".answers"): [p.place] for p in problem.parameters
             if p.kind == "answers" and p.free}  # fmt: skip
    wholes: dict[str, list[int]] = {}
    for name, places in alone.items():
        wholes.setdefault(whole_name(name), []).extend(places)
    # a mechanism with several half-lives as a whole, and then each of them
    for name, places in (wholes | alone).items():
        at = np.array(places)
        own = np.concatenate(
            [problem.component_decay[slice(*problem.kernel_start[m : m + 2])] for m in at - problem.n_rates]
        )
        free_decays = sum(not problem.held[problem.n_smooth + k] for k in own if k >= 0)
        answers = float(solution.vector[at].sum())
        lr = climber.lost_without(solution, at) if answers > 1e-9 else 0.0
        freedom = len(at) + (free_decays if len(at) > 1 else free_decays > 0)
        value = 1.0 if lr == 0.0 else 0.5 * float(special.chdtrc(freedom, lr))
        possible = bool(np.isfinite(lr))
        rows.append(
            {
                "mechanism": name,
                "answers": answers,
                "lr": lr if possible else None,
                "p": value,
                "aic": lr - 2.0 * (len(at) + free_decays) if possible else None,
                "needed_5": value < 0.05,
                "needed_1": value < 0.01,
            }
        )
    return pl.DataFrame(rows, schema=_no_tests().schema)


def _likelihood_words(climber: Climber) -> str:
    data = climber.problem.data
    unseen = is_hidden(climber.problem.system, climber.problem.model.n_acts)
    words = "days (acts of one day may answer each other, Borel-Tanner)" if data.by_day else "exact times"
    if data.by_day and climber.hidden:
        words += ", order within the day weighed where gates depend on it"
    if unseen:
        words += ", facts that no act reports filtered"
    if climber.is_drawn:
        words += ", days that the source does not know summed over"
    if climber.problem.varying is not None:
        words += ", differences between rates integrated out under normal laws"
    if climber.problem.layer is not None:
        words += ", through what the source shows"
    if len(climber.problem.law_rates):
        words += ", rates of channels integrated out under a Gamma law"
    return words
