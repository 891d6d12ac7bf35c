"""Which course did the background take? A fit under every candidate, and the choice among them.

In: a `Job`: the model, the data, what is free. Out: the best fit, and a table of all that were tried.

The candidates are compared by AIC, at half-lives of their own. Every parameter that is free counts, those that end at
a bound too: a block without an act costs as much as any. A block must be ten times as wide as the slowest mean delay
*found under it*; asked of the delay under a constant background, as an earlier version did, the rule shuts out what is
needed most, because a course that is missed is read as slow answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.likelihood.design import Shape
from powderkeg.errors import Fault, UsageError, argument
from powderkeg.fit.background.courses import SLOWEST, WANDERING, candidate_names, with_offset
from powderkeg.fit.background.epochs import best_changes, border_cost, cell_bounds, epochs_shape, level_table, starts_of
from powderkeg.fit.job import Job, begin
from powderkeg.fit.likelihood.effects import Differences
from powderkeg.fit.likelihood.problem import carry
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.gamma_rates import acts_unevenly, dyads_may_differ, first_shapes, law_is_settled
from powderkeg.fit.ratios import ratio

Tell = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and what is being done."""

LEAST_BORN = 0.05
"""Share of all answers that a mechanism must have given for its delay to say how wide blocks must be."""
SEARCHES = ((1.0, 4.0), (0.4, 4.0), (0.05, 4.0), (0.4, 6.0))
"""Where the search for epochs begins: share of the answers kept, log likelihood asked of a change."""
MOST_TURNS = 5
"""Turns of searching and fitting from one beginning."""


@dataclass(frozen=True)
class Candidate:
    """A fit under one course; `cost` is what naming the course takes beside its parameters."""

    name: str
    climber: Climber
    solution: Solution
    cost: float = 0.0

    @property
    def count(self) -> int:
        """Parameters that are free, those at a bound included; of effects the spreads of their laws."""
        problem = self.climber.problem
        free = int((~problem.held).sum())
        return free if problem.varying is None else free - problem.varying.count + len(problem.varying.blocks)

    @property
    def aic(self) -> float:
        return 2.0 * (self.count + self.cost) - 2.0 * self.solution.log_likelihood

    @property
    def slowest(self) -> float:
        """Slowest mean delay, days, of the mechanisms that gave answers worth the name; 0 where there are none."""
        problem, vector = self.climber.problem, self.solution.vector
        start = problem.kernel_start
        if len(start) < 2:
            return 0.0
        decay = problem.decay(vector)
        delays = np.add.reduceat(problem.design.kernel_share / decay, start[:-1])
        expected = self.solution.objective.expected(vector[: problem.n_smooth])
        born = np.bincount(problem.terms.linear, weights=expected, minlength=problem.n_linear)[problem.n_rates :]
        has = born > LEAST_BORN * max(float(born.sum()), 1e-300)
        return float(delays[has & (born > 0)].max(initial=0.0))

    @property
    def is_wide(self) -> bool:
        """Whether its blocks are wide enough for the delays found under it."""
        if not self.name.startswith("blocks"):
            return True
        return float(self.name.removeprefix("blocks")) >= SLOWEST * self.slowest

    def row(self) -> dict[str, Any]:
        problem = self.climber.problem
        row: dict[str, Any] = {
            "background": self.name,
            "rates": "shared" if problem.varying is None and not len(problem.law_rates) else "differ",
            "parameters": self.count,
            "log_likelihood": self.solution.log_likelihood,
            "aic": self.aic,
            "branching_ratio": ratio(problem, self.solution.vector),
            "slowest_delay": self.slowest,
            "eligible": self.is_wide,
        }
        for m, mechanism in enumerate(problem.model.mechanisms):
            name = f"answers {mechanism.partition('.half_lives.')[0]}"  # of all its half-lives
            row[name] = row.get(name, 0.0) + float(self.solution.vector[problem.n_rates + m])
        return row


def tell_nobody(share: float, what: str) -> None:
    """Where nobody asked."""


def choose_background(
    job: Job, background: str, said: list[str], tell: Tell = tell_nobody
) -> tuple[tuple[Climber, Solution], pl.DataFrame]:
    """The fit under the best background, and a table of all that were tried."""
    if job.differences.any:
        return _with_differences(job, background, said, tell)
    first = "constant" if background in ("auto", "scenario", "epochs") else background
    tell(0.0, f"background {first}")
    climber = job.climber(first, said)
    top = climber.elsewhere(_climb(climber), climber.problem.held)
    found = [Candidate("scenario" if background == "scenario" else first, climber, top)]
    job, found[0] = _uneven(job, found[0], said, tell)
    climber = found[0].climber
    if background in ("auto", "epochs"):
        names = candidate_names(job.data.days)[1:] if background == "auto" else []
        for k, name in enumerate(names):
            tell(0.8 * (1 + k) / (len(names) + 4), f"background {name}")
            other = job.climber(name)
            found.append(Candidate(name, other, _climb_from(found[0], other)))
        tell(0.8 * (1 + len(names)) / (len(names) + 4), "background epochs")
        epochs = _search_epochs(job, climber, found[0].solution)
        found = [epochs] if background == "epochs" else [*found, epochs]
    best = min((one for one in found if one.is_wide), key=lambda one: one.aic, default=found[0])
    if best.climber.is_drawn:
        tell(0.8, "days that the source does not know")
        finished = replace(best, solution=best.climber.finish(best.solution, best.climber.problem.held))
        found = [finished if one is best else one for one in found]
        best = finished
    tried = pl.DataFrame([one.row() for one in found]).with_columns(chosen=pl.Series([one is best for one in found]))
    return (best.climber, best.solution), tried


def _uneven(job: Job, alike: Candidate, said: list[str], tell: Tell) -> tuple[Job, Candidate]:
    """(the job from here on, the fit to go on from): with rates that differ where they seem to, if AIC agrees."""
    climber, auto = alike.climber, job.baselines == "auto" and not job.alike
    if climber.is_drawn and auto and acts_unevenly(climber):
        said.append(
            "channels act unevenly, and their rates cannot be told apart while days are reckoned with, so each move "
            "has one rate: slow answers may be overstated; give the busiest channels a move of their own, or see what "
            + argument("baselines", "gamma")
            + " with "
            + argument("spans", "leave out")
            + " finds"
        )
    elif auto and not climber.is_drawn and dyads_may_differ(climber):
        tell(0.1, "dyads that differ")
        uneven = replace(job, baselines="shared", differences=Differences(by_dyad=True))
        better = _differing(uneven, alike, climber.problem.shape)
        if better.solution.converged and better.aic < alike.aic:
            said.append(
                "dyads differ in how busy they are: the fit with rates that differ by dyad has an AIC "
                f"{alike.aic - better.aic:,.1f} lower and is the one told; "
                + argument("baselines", "shared")
                + " keeps one rate a move"
            )
            return uneven, better
    elif auto and acts_unevenly(climber):
        tell(0.1, "channels that are not equally busy")
        uneven = replace(job, baselines="gamma")
        random = uneven.under(climber.problem.shape)
        start = first_shapes(random.problem, carry(climber.problem, alike.solution.vector, random.problem))
        better = Candidate(alike.name, random, random.climb(start, random.problem.held))
        if not law_is_settled(random.problem, better.solution):
            said.append(
                "channels act unevenly, but the law of their rates could not be settled on these events, so each move "
                "has one rate: slow answers may be overstated; give the busiest channels a move of their own, or see "
                "what " + argument("baselines", "gamma") + " finds"
            )
        elif better.aic < alike.aic:
            return uneven, better
    return job, alike


def _with_differences(
    job: Job, background: str, said: list[str], tell: Tell
) -> tuple[tuple[Climber, Solution], pl.DataFrame]:
    """The fit with what was asked to differ, from the best fit without; courses that wander are the background's."""
    alike = replace(job, differences=Differences(), baselines="shared")
    wanders = job.differences.courses != "none"
    if wanders and background not in ("auto", "scenario", "constant"):
        raise UsageError(
            Fault.at("background", f"{background!r} beside courses that wander",
                  argument("background", "constant") + ", or " + argument("courses", "none"))
        )  # fmt: skip
    (plain, first), tried = choose_background(
        alike, "constant" if wanders else background, said, lambda share, what: tell(0.4 * share, what)
    )
    tell(0.4, "rates that differ")
    name = tried["background"][tried["chosen"].arg_max() or 0]
    found = _differing(job, Candidate(name, plain, first), job.wandering() if wanders else plain.problem.shape)
    found = replace(found, name=WANDERING) if wanders else found
    rows = [found.row()] if wanders and background == "scenario" else [*tried.drop("chosen").to_dicts(), found.row()]
    made = pl.DataFrame(rows)
    chosen = pl.Series([k == len(rows) - 1 for k in range(len(rows))])
    return (found.climber, found.solution), made.with_columns(chosen=chosen)


def _differing(job: Job, alike: Candidate, shape: Shape) -> Candidate:
    """The fit with differences under a shape, from where that without them ended."""
    climber = job.under(shape)
    start = begin(climber.problem)
    known = {p.path: p.place for p in alike.climber.problem.parameters}
    for p in climber.problem.parameters:
        if p.free and p.path in known and p.kind != "rate":
            start[p.place] = alike.solution.vector[known[p.path]]
            if p.kind == "answers":
                start[p.place] = max(start[p.place], 1e-3)
    return replace(alike, climber=climber, solution=climber.climb(start, climber.problem.held))


def _climb(climber: Climber) -> Solution:
    return climber.climb(first_shapes(climber.problem, begin(climber.problem)), climber.problem.held)


def _climb_from(one: Candidate, other: Climber) -> Solution:
    """The same under another course, from where the first fit ended; from the scenario's numbers too where half-lives
    are free and facts are seen, because those that took a missed course for slow answers may not find back."""
    problem = other.problem
    other.begin_at(one.climber, one.solution)
    solution = other.climb(carry(one.climber.problem, one.solution.vector, problem), problem.held)
    slow = other.hidden or other.is_drawn or problem.varying is not None
    if not slow and not problem.held[problem.n_smooth :].all():
        again = _climb(other)
        if again.log_posterior > solution.log_posterior:
            return again
    return solution


def _search_epochs(job: Job, climber: Climber, solution: Solution) -> Candidate:
    """The best course of epochs that is found; that without a border if none is worth its cost.

    Where days are drawn, borders are sought in one drawn record, and the best course is then fitted to what was seen.
    """
    if climber.is_drawn:
        drawn = replace(job, data=climber.one_record())
        plain = drawn.climber("constant")
        sought = _search_epochs(drawn, plain, _climb(plain))
        if sought.cost == 0.0:
            return Candidate("epochs", climber, solution)
        under = job.under(sought.climber.problem.shape)
        return Candidate("epochs", under, _climb_from(Candidate("constant", climber, solution), under), sought.cost)
    bounds = cell_bounds(job.data.days, job.data.by_day)
    n_cells, time = len(bounds) - 1, job.data.time[job.data.time >= 0]
    best = Candidate("epochs", climber, solution)
    seen: dict[tuple[int, ...], Candidate] = {(): best}
    for share, cost in SEARCHES[1:2] if climber.hidden else SEARCHES:  # a fit with unseen facts takes long
        here, vector = climber, starts_of(climber, solution, share)
        met: set[tuple[int, ...]] = set()
        for _ in range(MOST_TURNS):
            changes = best_changes(level_table(here, vector, bounds), cost)
            key = tuple(changes.tolist())
            if key in met:
                break
            met.add(key)
            if key not in seen:
                shape = with_offset(epochs_shape(bounds, changes, time), job.start, job.data.days, job.offset)
                made = job.under(shape)
                found = made.climb(carry(here.problem, vector, made.problem), made.problem.held)
                seen[key] = Candidate("epochs", made, found, border_cost(len(changes), n_cells))
            here, vector = seen[key].climber, seen[key].solution.vector
    return min(seen.values(), key=lambda one: one.aic)
