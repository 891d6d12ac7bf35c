"""What a fit found: estimates with errors, what was used, what to look at next, and the scenario that follows.

In: nothing of its own; `fitting` fills it. Out: `Fit`, `Estimate`, and their plain forms for tables, JSON and files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from powderkeg.calls import answered_at
from powderkeg.engine.arrays import Floats
from powderkeg.errors import FitError, ModelError, argument
from powderkeg.fit import differences
from powderkeg.fit.background.courses import shape_steps
from powderkeg.fit.deaths import FittedDeaths
from powderkeg.fit.differing_scenario import step_at, with_differences
from powderkeg.fit.estimates import AT_ZERO, Estimate
from powderkeg.fit.known import as_said, name_of
from powderkeg.fit.likelihood.problem import Problem, filled_arrays
from powderkeg.fit.likelihood.spans import Spans
from powderkeg.fit.maximum.bounded import FitLaw
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.told_rates import tell, told_model
from powderkeg.fit.maximum.varying import VaryingClimber
from powderkeg.fit.ratios import Ratio
from powderkeg.fit.reported import Reported
from powderkeg.fit.used import Used
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.model.parting import part_of, part_path, together
from powderkeg.scenario import Move, Profile, Quantity, Reporting, Scenario, Source, edit
from powderkeg.showing import Plotted, as_html
from powderkeg.wording import bracketed, chance, counted, plain

if TYPE_CHECKING:
    from powderkeg.fit.checks.report import Checks
    from powderkeg.fit.posterior import Posterior

FITTED = "fitted"
"""Name under which estimates stand among a scenario's sources."""
TOLD_LAST = {"rate": 1, "shape": 2}
"""Kinds of parameters that the summary lists after the others: there may be many of them."""
MOST_TOLD = 60
"""Estimates that the summary lists one by one."""
FEW_AT_ZERO = 6
"""Parameters at 0 that the summary lists one by one."""
COURSE = "fitted_course"
"""Name of the profile that holds a fitted course of the background."""


@dataclass(frozen=True)
class Fit(Plotted):
    """A model fitted to events.

    parameters        key path -> Estimate, those held included
    log_likelihood    of the events used, natural logarithm
    likelihood        which likelihood it is, in words
    prior             which prior, in words
    events_used       events that the likelihood scores
    used              how many of the events that were given these are, and between whom
    unexplained       events it does not: no rule of the scenario allows them (columns day, source, act, target, rule)
    ratio             the branching ratio and what it rests on; its value is `branching_ratio`
    background        course of the background that was chosen
    backgrounds       all that were tried: background, parameters, log_likelihood, aic, branching_ratio, one column of
                      answers for each mechanism
    mechanisms        for each free mechanism: answers, lr (twice the log likelihood lost without it), p (half
                      chi-square law), aic (what leaving it out changes), needed at 5 % and 1 %
    spans             what was done with events whose day the source does not know
    reporting         what the source shows of what happens, None where that was not asked
    deaths            laws of how many die, by act, that were found
    source_kind       kind of event data that the events are, None where that is not known
    warnings          sentences that name a parameter and a remedy
    level             of the intervals
    gradient          largest step, in standard errors, that the gradient still asked for: near 0 at the maximum
    covariance        (k, k) of `covariance_paths`, log scale for factors and half-lives: what stands clear of a bound
    law               of all that was left open, what is at 0 included
    drawn             the law weighed by the likelihood, where draws within the fit's errors are to come from that
    """

    scenario_before: Scenario | None
    parameters: Mapping[str, Estimate]
    log_likelihood: float
    likelihood: str
    prior: str
    events_used: int
    used: Used
    unexplained: pl.DataFrame
    ratio: Ratio
    background: str
    backgrounds: pl.DataFrame
    mechanisms: pl.DataFrame
    warnings: tuple[str, ...]
    level: float
    converged: bool
    gradient: float
    covariance: Floats
    covariance_paths: tuple[str, ...]
    law: FitLaw = field(repr=False)
    problem: Problem = field(repr=False)
    climber: Climber = field(repr=False)
    solution: Solution = field(repr=False)
    frame: pl.DataFrame = field(repr=False)
    window_start: Any = None
    spans: Spans = field(default_factory=Spans)
    job: Any = field(default=None, repr=False)
    reporting: Reported | None = None
    deaths: tuple[FittedDeaths, ...] = ()
    drawn: Posterior | None = field(default=None, repr=False)
    source_kind: str | None = None

    def _repr_html_(self) -> str:
        return as_html(self, self.table().filter("free"))

    def __repr__(self) -> str:
        free = sum(e.free for e in self.parameters.values())
        used = counted(self.events_used, "event")
        return f"Fit({counted(free, 'parameter')}, {used}, log likelihood {self.log_likelihood:.1f})"

    @property
    def branching_ratio(self) -> float:
        """With every fact at its initial level, among acts that can happen: `pk.stability(fit.model).initial`."""
        return self.ratio.value

    @cached_property
    def model(self) -> Model:
        """The model with the estimates in it: what simulates, attributes and forecasts."""
        if self.scenario_before is not None and self.problem.model.stands_for is None:
            return compile_model(self.scenario)
        if isinstance(self.climber, VaryingClimber):
            found = tell(self.problem, self.solution.vector, self.climber.spread)
            return together(told_model(self.problem, self.solution.vector, found))
        return together(filled_arrays(self.problem, self.solution.vector))

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario with every estimate, its interval as range, and `fitted` as its source.

        Raises ModelError for a model made from bare arrays, which has no scenario.
        """
        if self.scenario_before is None:
            raise ModelError("a model made from bare arrays has no scenario; use fit.model")
        return _fitted_scenario(self)

    def channel_rates(self) -> pl.DataFrame:
        """How busy each channel is by itself, given its events, where rates were integrated out.

        columns  source, act, target; events; rate (events/day that no answer explains, posterior mean); times (that
                 rate as a multiple of its move's)

        Raises FitError where channels share their rate.
        """
        from powderkeg.fit.maximum.gamma_rates import channel_rates

        return channel_rates(self.climber, self.solution)

    def law_by_path(self) -> tuple[tuple[str, ...], Floats, Floats]:
        """(paths, covariance, slope) of all of the scenario that was left open, as `law`, by key path; what a source
        shows is no part of it."""
        if isinstance(self.climber, VaryingClimber):
            return differences.law_by_path(self.climber, self.solution.vector, self.law, self.parameters)
        named = {p.place: p.path for p in self.problem.parameters}
        kept = [k for k, place in enumerate(self.law.places) if named.get(int(place)) in self.parameters]
        paths = tuple(named[int(self.law.places[k])] for k in kept)
        return paths, self.law.matrix[np.ix_(kept, kept)], self.law.slope[kept]

    @property
    def random_effects(self) -> pl.DataFrame:
        """By how much senders, receivers, dyads, acts in a dyad and courses differ; no rows where all are alike.

        columns  what; numbers (how many may differ); sd (standard deviation of the log of a rate, or of a step of a
                 course), low, high; times (exp(sd)); edf (effective degrees of freedom)
        """
        if not isinstance(self.climber, VaryingClimber):
            return pl.DataFrame(schema=differences.SPREADS)
        return pl.DataFrame(differences.spreads(self.climber, self.level), schema=differences.SPREADS)

    @property
    def effects(self) -> pl.DataFrame:
        """How many times the usual rate each sender, receiver, dyad and act in a dyad has: what, name, times, low,
        high, events."""
        if not isinstance(self.climber, VaryingClimber):
            return pl.DataFrame(schema=differences.EFFECTS)
        return differences.effects(self.climber, self.solution.vector, self.level)

    @property
    def courses(self) -> pl.DataFrame:
        """The course of each group's background that wanders, mean 1 over the window: group, from, until, times, low,
        high."""
        if not isinstance(self.climber, VaryingClimber):
            return pl.DataFrame(schema=differences.STEPS)
        return differences.courses(self.climber, self.solution.vector, self.level, self.window_start)

    def courses_ahead(self, days: float, draws: int = 200, seed: int = 1) -> differences.CoursesAhead:
        """Draws of how the courses go on after the window, as random walks with the steps that they had.

        Raises FitError where no course is told apart from the background's.
        """
        if not isinstance(self.climber, VaryingClimber):
            raise FitError("no rates differ in this fit; fit with " + argument("courses", "common"))
        return differences.ahead(self.climber, self.solution.vector, days, draws, seed)

    def posterior(self, draws: int = 1000, seed: int = 1) -> Posterior:
        """Weighed draws of all that was left open, and what they are worth: see `fit.posterior.posterior`."""
        from powderkeg.fit.posterior import posterior

        return posterior(self, draws, seed)

    def check(self, **options: Any) -> Checks:
        """Residuals, simulated histories, the last part foreseen: see `fit.checks.report.check` for options."""
        from powderkeg.fit.checks.report import check

        return answered_at(check, "Fit.check", own=1)(self, **options)

    def as_dict(self) -> dict[str, Any]:
        """The fit as plain data, for `--json`; numbers that do not exist are None, never not-a-number."""
        return {
            "parameters": {path: e.as_dict() for path, e in self.parameters.items()},
            "log_likelihood": self.log_likelihood,
            "likelihood": self.likelihood,
            "prior": self.prior,
            "events_used": self.events_used,
            "events_given": self.used.given,
            "explained": self.used.share,
            "pairs": self.used.pairs.to_dicts(),
            "events_unexplained": self.unexplained.height,
            "unexplained": [_plain(row) for row in self.unexplained.to_dicts()],
            "branching_ratio": self.branching_ratio,
            "branching_ratio_all_acts": self.ratio.all_acts,
            "branching_ratio_held": self.ratio.held,
            "background": self.background,
            "backgrounds": [_plain(row) for row in self.backgrounds.to_dicts()],
            "mechanisms": [_plain(row) for row in self.mechanisms.to_dicts()],
            "random_effects": [_plain(row) for row in self.random_effects.to_dicts()],
            "effects": [_plain(row) for row in self.effects.to_dicts()],
            "courses": [_plain(row) for row in self.courses.to_dicts()],
            "level": self.level,
            "uncertainty": "normal" if self.drawn is None else "posterior",
            "converged": self.converged,
            "gradient": self.gradient,
            "spans": self.spans.as_dict(),
            "reporting": None if self.reporting is None else self.reporting.as_dict(),
            "deaths": [one.as_dict() for one in self.deaths],
            "warnings": list(self.warnings),
        }

    def table(self) -> pl.DataFrame:
        """Estimates as a frame: path, unit (per day, days, or none), estimate, se, low, high, before, free, note."""
        rows = [
            {"path": e.path, "unit": e.unit, "estimate": e.estimate, "se": e.se, "low": e.low, "high": e.high,
             "before": e.before, "free": e.free, "interval": e.interval, "note": e.note}
            for e in self.parameters.values()
        ]  # fmt: skip
        numbers = dict.fromkeys(("estimate", "se", "low", "high", "before"), pl.Float64)
        texts = dict.fromkeys(("interval", "note"), pl.String)
        schema = {"path": pl.String, "unit": pl.String, **numbers, "free": pl.Boolean, **texts}
        return pl.DataFrame(rows, schema=schema)

    def summary(self, written: Callable[[str], str] = str) -> str:
        """The fit in words and a table, as `powderkeg fit` prints it.

        written  how a warning is told that names arguments; by default as they are in Python
        """
        lines = [
            f"{self._events()} over {self.problem.data.days:,.0f} days; likelihood: {self.likelihood}; "
            f"{self.prior}; background: {self.background}",
            f"log likelihood {self.log_likelihood:.2f}; branching ratio {self.branching_ratio:.3f}"
            + (f" ({self._band()})" if self.backgrounds.height > 1 else "")
            + (f"; {100 * self.ratio.held:.0f} % of it held at the file's values" if self.ratio.held_paths else ""),
            *([f"events by pair: {self.used.words()}"] if self.used.pairs.height > 1 else []),
            "",
        ]
        percent = f"{100 * self.level:.0f} %"
        free = sorted((e for e in self.parameters.values() if e.free), key=lambda e: TOLD_LAST.get(e.kind, 0))
        none = [e for e in free if e.note == AT_ZERO]
        shown = free if len(none) <= FEW_AT_ZERO else [e for e in free if e.note != AT_ZERO]
        width = max([len(e.path) for e in shown[:MOST_TOLD]] + [9])
        lines.append(
            f"{'parameter':<{width}}  {'estimate':>10}  {'se':>9}  {percent + ' interval':>23}  {'before':>8}  unit"
        )
        for e in shown[:MOST_TOLD]:
            scale, unit = e.spoken
            error = "" if e.se is None else plain(scale * e.se)
            span = "" if e.low is None or e.high is None else bracketed(scale * e.low, scale * e.high, 4)
            found, before = plain(scale * e.estimate, 4), plain(scale * e.before, 4)
            told = f"{e.path:<{width}}  {found:>10}  {error:>9}  {span:>23}  {before:>8}"
            lines.append(f"{told}  {unit:<8}  {e.note}".rstrip())
        if len(shown) > MOST_TOLD:
            lines.append(
                f"and {len(shown) - MOST_TOLD:,} more: --json, the table of a report and `fit.table()` have all"
            )
        if len(shown) < len(free):
            named = ", ".join(e.path for e in none[:MOST_TOLD]) + (", and others" if len(none) > MOST_TOLD else "")
            lines.append(f"{len(none)} more are {AT_ZERO}: {named}")
        lines += differences.lines(self.random_effects)
        held = sum(not e.free for e in self.parameters.values())
        if held:
            lines.append(f"{counted(held, 'parameter was', 'parameters were')} held at the scenario's values.")
        if self.reporting is not None:
            lines += ["", *self.reporting.lines(self.level)]
        if self.mechanisms.height:
            lines += ["", "does the record need the mechanism? (twice the log likelihood lost without it)"]
            idle = [row["mechanism"] for row in self.mechanisms.iter_rows(named=True) if row["lr"] == 0.0]
            for row in self.mechanisms.iter_rows(named=True):
                said = "yes" if row["needed_1"] else "at 5 %" if row["needed_5"] else self._not_needed(row["mechanism"])
                if row["lr"] is None:
                    lines.append(f"{row['mechanism']:<{width}}  yes: some events could not have come without it")
                elif row["lr"] > 0.0 or len(idle) <= FEW_AT_ZERO:
                    lines.append(f"{row['mechanism']:<{width}}  {row['lr']:10.2f}  p {chance(row['p'])}  {said}")
            if len(idle) > FEW_AT_ZERO:
                lines.append(f"no, nothing is lost without: {', '.join(idle)}")
        if self.unexplained.height:
            lines += [
                "",
                f"left out: {counted(self.unexplained.height, 'event')} that no rule of the scenario allows, such as",
            ]
            for row in self.unexplained.head(5).iter_rows(named=True):
                who = " ".join(str(row[k]) for k in ("source", "act", "target") if row[k] is not None)
                lines.append(f"  day {row['day']:.0f}: {who}: {row['rule']}")
        for warning in self.warnings:
            lines += ["", f"look at: {written(warning)}"]
        return "\n".join(lines)

    def _not_needed(self, name: str) -> str:
        """No; and why, where the interval of its answers seems to say the contrary."""
        answers = self.parameters.get(f"mechanisms.{name}.answers")
        if answers is None or answers.low is None or answers.low <= 0.0:
            return "no"
        return "no: its interval leaves 0 out, as it does not count what else the mechanism was free to choose"

    def _events(self) -> str:
        if self.used.share < 1.0:
            return f"{self.events_used:,} of {counted(self.used.given, 'event')} ({100 * self.used.share:.0f} %)"
        return counted(self.events_used, "event")

    def _band(self) -> str:
        ratios = self.backgrounds["branching_ratio"].drop_nulls()
        least, most = ratios.to_numpy().min(), ratios.to_numpy().max()
        return f"{least:.3f} to {most:.3f} under the backgrounds tried"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON can hold it: dates as text, no number where there is none."""
    plain = {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in plain.items()
    }


def _fitted_scenario(fit: Fit) -> Scenario:
    scenario = fit.scenario_before
    assert scenario is not None
    title = (
        f"Fitted to {fit.events_used:,} events, {fit.window_start} and {fit.problem.data.days:.0f} days on; "
        f"likelihood: {fit.likelihood}; {fit.prior}"
    )
    scenario = replace(scenario, sources={**scenario.sources, FITTED: Source(title=title)})
    changes = {
        e.path: _quantity(e) for e in fit.parameters.values()
        if e.free and e.kind not in ("shape", "share") and part_of(e.path) is None
    }  # fmt: skip
    scenario = _with_shares(edit(scenario, changes), fit)
    problem = fit.problem
    if fit.reporting is not None and not fit.reporting.said and problem.layer is not None:
        found = as_said(fit.reporting, problem.layer, FITTED)
        name = name_of(fit.reporting, fit.source_kind)
        if found != Reporting():
            scenario = replace(scenario, reporting={**scenario.reporting, name: found})
    if isinstance(fit.climber, VaryingClimber):
        told = tell(problem, fit.solution.vector, fit.climber.spread)
        return with_differences(scenario, problem, told, fit.window_start, COURSE, FITTED)
    if problem.shape.basis.shape[1]:
        steps = shape_steps(problem.shape, fit.solution.vector[problem.shape_places], fit.window_start)
        scenario = _with_course(scenario, steps)
    return scenario


def _with_shares(scenario: Scenario, fit: Fit) -> Scenario:
    """The scenario with the shares of half-lives, which are one whole and so are put in at once."""
    mechanisms = dict(scenario.mechanisms)
    for name, one in mechanisms.items():
        paths = [part_path(name, k, "share") for k in range(1, len(one.half_lives) + 1)]
        if all(path in fit.parameters for path in paths):
            shares = [_quantity(fit.parameters[path]) for path in paths]
            lives = tuple(half._replace(share=share) for half, share in zip(one.half_lives, shares, strict=True))
            mechanisms[name] = replace(one, half_lives=lives)
    return replace(scenario, mechanisms=mechanisms)


def _quantity(e: Estimate) -> Quantity:
    low, high = e.low, e.high
    if low is not None and high is not None:
        low, high = min(max(low, 0.0), e.estimate), max(high, e.estimate)
        if not (np.isfinite(low) and np.isfinite(high)) or (e.kind == "half_life" and low <= 0):
            low, high = None, None
    else:
        low, high = None, None
    return Quantity(e.estimate, low, high, FITTED, False)


def _with_course(scenario: Scenario, steps: list[Any]) -> Scenario:
    """The scenario with a profile for the fitted course, laid over each profile that moves had."""
    profiles = dict(scenario.profiles)
    moves: dict[str, Move] = {}
    for name, move in scenario.moves.items():
        own = scenario.profiles[move.varies] if move.varies is not None else None
        made = COURSE if own is None else f"{COURSE}_{move.varies}"
        if made not in profiles:
            days = sorted({day for day, _ in steps} | {day for day, _ in (own.steps if own else ())})
            factors = [
                (day, Quantity(step_at(steps, day) * (step_at(own.steps, day) if own else 1.0), source=FITTED))
                for day in days
            ]
            profiles[made] = Profile(
                title="fitted course of the background", steps=tuple(factors), season=own.season if own else None
            )
        moves[name] = replace(move, varies=made) if float(move.rate) > 0 or own is not None else move
    return replace(scenario, profiles=profiles, moves=moves)
