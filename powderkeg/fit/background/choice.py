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

from powderkeg.errors import argument
from powderkeg.fit.background.courses import SLOWEST, candidate_names, with_offset
from powderkeg.fit.background.epochs import best_changes, border_cost, cell_bounds, epochs_shape, level_table, starts_of
from powderkeg.fit.job import Job, begin
from powderkeg.fit.likelihood.problem import carry
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.gamma_rates import acts_unevenly, first_shapes, law_is_settled
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
        """Parameters that are free, those at a bound included."""
        return int((~self.climber.problem.held).sum())

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
            "parameters": self.count,
            "log_likelihood": self.solution.log_likelihood,
            "aic": self.aic,
            "branching_ratio": ratio(problem, self.solution.vector),
            "slowest_delay": self.slowest,
            "eligible": self.is_wide,
        }
        for m, mechanism in enumerate(problem.model.mechanisms):
            row[f"answers {mechanism}"] = float(self.solution.vector[problem.n_rates + m])
        return row


def tell_nobody(share: float, what: str) -> None:
    """Where nobody asked."""


def choose_background(
    job: Job, background: str, said: list[str], tell: Tell = tell_nobody
) -> tuple[tuple[Climber, Solution], pl.DataFrame]:
    """The fit under the best background, and a table of all that were tried."""
    first = "constant" if background in ("auto", "scenario", "epochs") else background
    tell(0.0, f"background {first}")
    climber = job.climber(first, said)
    top = climber.elsewhere(_climb(climber), climber.problem.held)
    found = [Candidate("scenario" if background == "scenario" else first, climber, top)]
    if climber.is_drawn and job.baselines == "auto" and acts_unevenly(climber):
        said.append(
            "channels act unevenly, and their rates cannot be told apart while days are reckoned with, so each move "
            "has one rate: slow answers may be overstated; give the busiest channels a move of their own, or see what "
            + argument("baselines", "gamma")
            + " with "
            + argument("spans", "leave out")
            + " finds"
        )
    elif job.baselines == "auto" and acts_unevenly(climber):
        tell(0.1, "channels that are not equally busy")
        uneven = replace(job, baselines="gamma")
        random = uneven.climber(first)
        start = carry(climber.problem, found[0].solution.vector, random.problem)
        better = Candidate(
            found[0].name, random, random.climb(first_shapes(random.problem, start), random.problem.held)
        )
        if not law_is_settled(random.problem, better.solution):
            said.append(
                "channels act unevenly, but the law of their rates could not be settled on these events, so each move "
                "has one rate: slow answers may be overstated; give the busiest channels a move of their own, or see "
                "what " + argument("baselines", "gamma") + " finds"
            )
        elif better.aic < found[0].aic:
            job, climber, found = uneven, random, [better]
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


def _climb(climber: Climber) -> Solution:
    return climber.climb(first_shapes(climber.problem, begin(climber.problem)), climber.problem.held)


def _climb_from(one: Candidate, other: Climber) -> Solution:
    """The same under another course, from where the first fit ended; from the scenario's numbers too where half-lives
    are free and facts are seen, because those that took a missed course for slow answers may not find back."""
    problem = other.problem
    other.begin_at(one.climber, one.solution)
    solution = other.climb(carry(one.climber.problem, one.solution.vector, problem), problem.held)
    if not (other.hidden or other.is_drawn) and not problem.held[problem.n_smooth :].all():
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
