"""Fit a scenario to events: which numbers fit them best, how sure that is, and whether each mechanism is needed.

In: a `Model` (or a `Scenario`), an `EventTable`, what is free. Out: a `Fit`.
The likelihood follows the table's resolution: exact times, or days with acts of one day bred within it. The course of
the background is chosen by AIC among candidates, and the branching ratio under each of them is kept.
"""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from powderkeg.engine.arrays import Floats
from powderkeg.engine.beliefs import is_hidden
from powderkeg.engine.design import Shape
from powderkeg.errors import Fault, FitError, PowderkegWarning, UsageError
from powderkeg.events.table import EventTable
from powderkeg.fit.advice import advice
from powderkeg.fit.background import candidate_names, coverage_offset, make_shape
from powderkeg.fit.climb import Climber, Solution
from powderkeg.fit.data import calendar_shift, read_data
from powderkeg.fit.objective import Data
from powderkeg.fit.prior import make_prior
from powderkeg.fit.problem import Parameter, Problem, pose
from powderkeg.fit.result import Estimate, Fit, filled_arrays, note_of
from powderkeg.fit.rules import unexplained_events
from powderkeg.fit.uncertainty import Covariance, covariance, profile_interval
from powderkeg.model import Model, branching_ratio
from powderkeg.model import compile as compile_model
from powderkeg.scenario import Scenario

Tell = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and what is being done."""

LEAST_EXPOSED = 0.05
"""Share of the window (rates), or acts that could be answered (answers), below which a parameter is held."""
WIDEST = 10.0
"""Half width of an interval on the log scale from which the parameter is said not to be identified."""
FIRST_COSTS = 3.0
"""Time that the first background takes, in units of each further one: it starts far away. For progress only."""
LEAST_SEEN = 5.0
"""A gate is estimated if at least so many events came while it was on, and so many while it was off."""


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
                     "season", "season2", "blocks365", "blocks180", "blocks90", "blocks45": that course on top of them
    exposure         "coverage", or a frame (month, events): how densely the source reported, as a factor on backgrounds
    level            of the intervals
    history_days     first days whose events only act on later ones
    unmatched        "refuse" or "drop": events that no move allows
    progress         called with the share done, 0 to 1, and what is being done

    Raises EventError if the events do not fit the scenario, UsageError for an unknown path or option, FitError if the
    data cannot answer.
    """
    if isinstance(model, Scenario):
        model = compile_model(model)
    if not 0.0 < level < 1.0:
        raise UsageError(Fault(None, None, "level", f"{level:g}", "a share between 0 and 1, such as 0.9"))
    shift = calendar_shift(model, events) + history_days
    data, frame = read_data(model, events, likelihood, unmatched, history_days)
    start = events.start + timedelta(days=int(history_days))
    job = Job(model, data, free, fix, use_ranges, prior, shift, start, coverage_offset(events, exposure))
    said: list[str] = []
    tell = progress or _tell_nobody
    fallen, tried = choose_background(job, background, said, tell)
    climber, solution = fallen
    problem = climber.problem
    if not np.isfinite(solution.log_likelihood):
        raise FitError(
            "the likelihood is 0 wherever it was tried; look at events.unexplained and the scenario's guards"
        )
    tell(0.85, "errors and intervals")
    spread = covariance(climber, solution, problem.held)
    estimates = _estimates(climber, solution, spread, level)
    tell(0.95, "leaving out each mechanism in turn")
    tests = _test_mechanisms(climber, solution) if test_mechanisms else _no_tests()
    unexplained = unexplained_events(problem, solution.objective.unexplained, frame, start)
    said += advice(problem, solution, spread, estimates, unexplained.height, use_ranges)
    paths = {p.place: p.path for p in problem.parameters}
    named = [k for k, place in enumerate(spread.places) if int(place) in paths]
    result = Fit(
        scenario_before=model.scenario,
        parameters=estimates,
        log_likelihood=solution.log_likelihood,
        likelihood=_likelihood_words(climber),
        prior=climber.prior.words,
        events_used=int((data.time >= 0).sum()) - len(solution.objective.unexplained),
        unexplained=unexplained,
        branching_ratio=_ratio(problem, solution.vector),
        background=tried["background"][tried["chosen"].arg_max() or 0],
        backgrounds=tried.drop("chosen"),
        mechanisms=tests,
        warnings=tuple(said),
        level=level,
        converged=solution.converged,
        gradient=solution.maximum.steepest,
        covariance=spread.matrix[np.ix_(named, named)],
        covariance_paths=tuple(paths[int(spread.places[k])] for k in named),
        problem=problem,
        climber=climber,
        solution=solution,
        frame=frame,
        window_start=start,
        job=job,
    )
    tell(1.0, "done")
    if not solution.converged:
        python_warnings.warn(
            "the fit did not settle: hold some parameters with `fix`, or give ranges and use_ranges=True",
            PowderkegWarning,
            stacklevel=2,
        )
    return result


@dataclass(frozen=True)
class Job:
    """What is asked of the data: what stays the same while backgrounds are tried, and when a check fits anew."""

    model: Model
    data: Data
    free: Sequence[str] | None
    fix: Sequence[str] | None
    use_ranges: bool
    prior: str | None
    shift: float
    start: date
    offset: dict[date, float] | None

    def shape(self, name: str) -> Shape:
        time = self.data.time[self.data.time >= 0]
        return make_shape(name, self.start, self.data.days, np.ones(len(time)), time, self.data.by_day, self.offset)

    def climber(self, name: str, said: list[str] | None = None) -> Climber:
        problem = self.pose(self.shape(name))
        problem = _hold_unseen(problem, self.use_ranges or self.prior == "weak", said)
        return Climber(problem, make_prior(problem, self.prior, self.use_ranges))

    def pose(self, shape: Shape) -> Problem:
        """The problem under a course of the background."""
        return pose(self.model, self.data, self.free, self.fix, shape, self.shift)


def _tell_nobody(share: float, what: str) -> None:
    """Where nobody asked."""


def choose_background(
    job: Job, background: str, said: list[str], tell: Tell = _tell_nobody
) -> tuple[tuple[Climber, Solution], pl.DataFrame]:
    """The fit under the best background, and a table of all that were tried."""
    first = "constant" if background in ("auto", "scenario") else background
    tell(0.0, f"background {first}")
    climber = job.climber(first, said)
    solution = climber.climb(_start(climber.problem), climber.problem.held)
    found = {first: (climber, solution)}
    if background == "auto":
        delays = _mean_delays(climber.problem, solution.vector)
        others = candidate_names(job.data.days, float(delays.max(initial=0.0)))[1:]
        for k, name in enumerate(others):
            tell(0.8 * (FIRST_COSTS + k) / (FIRST_COSTS + len(others)), f"background {name}")
            other = job.climber(name)
            begin = _carry(climber, solution, other)
            held = other.problem.held.copy()
            if other.hidden:
                held[other.problem.n_smooth :] = True  # half-lives stay where the constant background put them
            found[name] = (other, other.climb(begin, held))
    rows: list[dict[str, Any]] = []
    for name, (one, at) in found.items():
        count = int((~one.problem.held).sum() - at.maximum.active.sum())
        row: dict[str, Any] = {
            "background": name if background != "scenario" else "scenario",
            "parameters": count,
            "log_likelihood": at.log_likelihood,
            "aic": 2.0 * count - 2.0 * at.log_likelihood,
            "branching_ratio": _ratio(one.problem, at.vector),
        }
        for m, mechanism in enumerate(one.problem.model.mechanisms):
            row[f"answers {mechanism}"] = float(at.vector[one.problem.n_rates + m])
        rows.append(row)
    best = min(found, key=lambda name: rows[list(found).index(name)]["aic"])
    chosen, solution = found[best]
    if best != first and chosen.hidden:
        solution = chosen.climb(solution.vector, chosen.problem.held)
    tried = pl.DataFrame(rows).with_columns(chosen=pl.Series([name == best for name in found]))
    return (chosen, solution), tried


def _start(problem: Problem) -> Floats:
    """Where to begin: the scenario's numbers, rates that are free at half of what the events would ask for."""
    start = problem.start.copy()
    d, data = problem.design, problem.data
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    counts = np.bincount(rate_of[data.channel[data.time >= 0]], minlength=problem.n_rates)
    scale = np.bincount(rate_of, weights=d.channel_scale, minlength=problem.n_rates)
    for p in problem.parameters:
        if p.free and p.kind == "rate":
            start[p.place] = max(0.5 * counts[p.place] / (max(scale[p.place], 1e-12) * data.days), 1e-6 / data.days)
        elif p.free and p.kind == "answers":
            start[p.place] = min(max(start[p.place], 0.05), 1.0) if problem.model.scenario is not None else 0.3
    return np.clip(start, problem.lower, problem.upper)


def _carry(climber: Climber, solution: Solution, other: Climber) -> Floats:
    """A solution as the start of the same problem under another background."""
    start = other.problem.start.copy()
    for old, new in zip(climber.problem.parameters, other.problem.parameters, strict=True):
        start[new.place] = solution.vector[old.place]
    rates = slice(0, other.problem.n_rates)
    start[rates] = np.maximum(start[rates], np.where(other.problem.held[rates], 0.0, 1e-6 / other.problem.data.days))
    return start


def _mean_delays(problem: Problem, vector: Floats) -> Floats:
    """(M,) mean delay of each mechanism that has answers, days."""
    decay, start = problem.decay(vector), problem.kernel_start
    delays = np.add.reduceat(problem.design.kernel_share / decay, start[:-1]) if len(start) > 1 else np.zeros(0)
    has = vector[problem.n_rates : problem.n_linear] > 1e-6
    return np.asarray(delays[has])


def _ratio(problem: Problem, vector: Floats) -> float:
    return float(branching_ratio(filled_arrays(problem, vector)))


def _hold_unseen(problem: Problem, has_prior: bool, said: list[str] | None) -> Problem:
    """Hold what these events cannot show, and say so."""
    climber = Climber(problem, make_prior(problem, None, False))
    objective, _ = climber.filter(_start(problem))
    holds: dict[str, str] = {}
    exposure = objective.rows.exposure
    by_linear = np.bincount(problem.terms.linear, weights=exposure, minlength=problem.n_linear)
    by_kind = {"rate": problem.data.days, "answers": 1.0}
    components = problem.component_decay
    mechanism_of = np.searchsorted(problem.kernel_start, np.arange(len(components)), side="right") - 1
    for p in problem.parameters:
        if not p.free:
            continue
        if p.kind in ("rate", "answers") and by_linear[p.place] <= LEAST_EXPOSED * by_kind[p.kind]:
            holds[p.path] = "nothing in these events could show it"
        elif p.kind == "half_life":
            own = mechanism_of[components == p.place - problem.n_smooth]
            if all(by_linear[problem.n_rates + m] <= LEAST_EXPOSED for m in own):
                holds[p.path] = "nothing in these events could show it"
            elif all(problem.held[problem.n_rates + m] and problem.start[problem.n_rates + m] == 0 for m in own):
                holds[p.path] = "its mechanism is off"
    if not has_prior:
        for p in problem.parameters:
            if p.free and p.kind == "factor":
                on, off = _seen(problem, objective, p)
                if min(on, off) < LEAST_SEEN:
                    holds[p.path] = f"{on:.1f} events while it was on and {off:.1f} while off"
    if holds and said is not None:
        shown = "; ".join(f"{path} ({why})" for path, why in list(holds.items())[:6])
        more = f" and {len(holds) - 6} more" if len(holds) > 6 else ""
        said.append(
            f"{len(holds)} parameters were held because these events cannot show them: {shown}{more}. More events, or "
            "ranges in the scenario with use_ranges=True, would let them move"
        )
    held = problem.hold(holds)
    if held.held.all():
        raise FitError(
            [Fault(None, None, path, why, "events that can show it, or other parameters in `free`") for path, why in
             holds.items()] or "nothing to estimate"
        )  # fmt: skip
    return held


def _seen(problem: Problem, objective: Any, p: Parameter) -> tuple[float, float]:
    """Events (in expectation, where facts are unseen) of the acts that a factor scales, while it was on and off."""
    terms, rows = problem.terms, objective.rows
    log_place = p.place - problem.n_linear
    on_term = np.zeros(len(terms.linear), bool)
    on_term[np.repeat(np.arange(len(terms.linear)), np.diff(terms.x_start))[terms.x_index == log_place]] = True
    d = problem.design
    reads = np.zeros(len(terms.linear), bool)  # terms of a group or ground in some configuration of which it is on
    for first, pair, apart in [
        *((d.group_term[g], d.group_pair[g], 1) for g in range(len(d.group_term))),
        *((d.ground_term[b], d.ground_pair[b], d.n_shapes) for b in range(len(d.ground_term))),
    ]:
        span = slice(int(first), int(first) + int(d.pair_size[pair]) * apart)
        reads[span] = on_term[span].any()
    acts = rows.acts if hasattr(rows, "acts") else np.ones(len(rows.start) - 1)
    weight = objective.weight
    if hasattr(rows, "block"):
        weight = np.repeat(weight, np.diff(rows.block))
    owner = np.repeat(np.arange(len(acts)), np.diff(rows.start))
    total = np.bincount(owner, weights=rows.value, minlength=len(acts))
    share = rows.value / np.maximum(total[owner], 1e-300) * (acts * weight)[owner]
    on = float(share[on_term[rows.term]].sum())
    return on, float(share[reads[rows.term] & ~on_term[rows.term]].sum())


def estimate_parameters(climber: Climber, solution: Solution, level: float) -> dict[str, Estimate]:
    """Key path -> estimate with its interval at `level`."""
    return _estimates(climber, solution, covariance(climber, solution, climber.problem.held), level)


def _estimates(climber: Climber, solution: Solution, spread: Covariance, level: float) -> dict[str, Estimate]:
    return {p.path: _estimate(climber, solution, spread, p, level) for p in climber.problem.parameters}


def _estimate(climber: Climber, solution: Solution, spread: Covariance, p: Parameter, level: float) -> Estimate:
    problem = climber.problem
    vector = solution.vector
    natural = problem.natural(p, vector)
    note = note_of(p, problem, vector)
    if not p.free:
        return Estimate(p.path, p.kind, p.value, None, None, None, False, p.value, "", note)
    z = float(stats.norm.ppf(0.5 + 0.5 * level))
    sd = spread.spread(p.place)
    if p.kind in ("factor", "half_life"):
        if sd is None or z * sd > WIDEST:
            return Estimate(p.path, p.kind, natural, None, None, None, True, p.value, "", note or "not identified")
        ends = sorted(
            problem.natural(p, _moved(vector, p.place, float(np.clip(sign * z * sd, -50.0, 50.0))))
            for sign in (-1.0, 1.0)
        )
        return Estimate(p.path, p.kind, natural, natural * sd, ends[0], ends[1], True, p.value, "wald", note)
    if sd is not None and natural - z * sd > 0:
        return Estimate(p.path, p.kind, natural, sd, natural - z * sd, natural + z * sd, True, p.value, "wald", note)
    low, high = profile_interval(climber, solution, problem.held, p.place, z, sd)
    if not np.isfinite(high):
        return Estimate(p.path, p.kind, natural, None, low, None, True, p.value, "", note or "not identified")
    return Estimate(p.path, p.kind, natural, sd, low, high, True, p.value, "profile", note)


def _moved(vector: Floats, place: int, by: float) -> Floats:
    result = vector.copy()
    result[place] += by
    return result


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
    for p in problem.parameters:
        if p.kind != "answers" or not p.free:
            continue
        m = p.place - problem.n_rates
        own = problem.component_decay[problem.kernel_start[m] : problem.kernel_start[m + 1]]
        free_decays = sum(not problem.held[problem.n_smooth + k] for k in own if k >= 0)
        held = problem.held.copy()
        held[p.place] = True
        vector = solution.vector.copy()
        vector[p.place] = 0.0
        vector[: problem.n_rates] = np.where(
            problem.held[: problem.n_rates], vector[: problem.n_rates], np.maximum(vector[: problem.n_rates], 1e-9)
        )
        lr = 0.0
        if solution.vector[p.place] > 1e-9:
            top = climber.inner(solution.objective, solution.vector, problem.held)[1].value
            lr = max(0.0, 2.0 * (top - climber.inner(solution.objective, vector, held)[1].value))
        value = 1.0 if lr == 0.0 else 0.5 * float(stats.chi2.sf(lr, 1 + (free_decays > 0)))
        possible = bool(np.isfinite(lr))
        rows.append(
            {
                "mechanism": p.path.split(".")[1],
                "answers": float(solution.vector[p.place]),
                "lr": lr if possible else None,
                "p": value,
                "aic": lr - 2.0 * (1 + free_decays) if possible else None,
                "needed_5": value < 0.05,
                "needed_1": value < 0.01,
            }
        )
    return pl.DataFrame(rows, schema=_no_tests().schema)


def _likelihood_words(climber: Climber) -> str:
    data = climber.problem.data
    unseen = is_hidden(climber.problem.system, climber.problem.model.n_acts)
    words = "days (acts of one day bred within it, Borel-Tanner)" if data.by_day else "exact times"
    if data.by_day and climber.hidden:
        words += ", order within the day weighed where gates depend on it"
    if unseen:
        words += ", facts that no act reports filtered"
    return words
