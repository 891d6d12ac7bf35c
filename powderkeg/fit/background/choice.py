"""Which course did the background take? A fit under every candidate, and the choice among them.

In: a `Job`: the model, the data, what is free. Out: the best fit, and a table of all that were tried.

The candidates are compared by AIC, at half-lives of their own. Every parameter that is free counts, those that end at
a bound too: a block without an act costs as much as any. A block must be ten times as wide as the slowest mean delay
*found under it*; asked of the delay under a constant background, as an earlier version did, the rule shuts out what is
needed most, because a course that is missed is read as slow answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats
from powderkeg.engine.likelihood.design import Shape
from powderkeg.errors import Fault, FitError
from powderkeg.fit.background.courses import SLOWEST, candidate_names, make_shape, with_offset
from powderkeg.fit.background.epochs import best_changes, border_cost, cell_bounds, epochs_shape, level_table, starts_of
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.prior import make_prior
from powderkeg.fit.likelihood.problem import Parameter, Problem, pose
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.gamma_rates import acts_unevenly, first_shapes, law_is_settled, random_climber
from powderkeg.fit.result import filled_arrays
from powderkeg.model import Model, branching_ratio

Tell = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and what is being done."""

LEAST_EXPOSED = 0.05
"""Share of the window (rates), or acts that could be answered (answers), below which a parameter is held."""
LEAST_SEEN = 5.0
"""A gate is estimated if at least so many events came while it was on, and so many while it was off."""
SMALL_ANSWERS = 1e-3
"""Answers below this are begun at as the scenario has them; others at 0.05 at least."""
LEAST_BORN = 0.05
"""Share of all answers that a mechanism must have given for its delay to say how wide blocks must be."""
SEARCHES = ((1.0, 4.0), (0.4, 4.0), (0.05, 4.0), (0.4, 6.0))
"""Where the search for epochs begins: share of the answers kept, log likelihood asked of a change."""
MOST_TURNS = 5
"""Turns of searching and fitting from one beginning."""


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
    baselines: str = "auto"

    def shape(self, name: str) -> Shape:
        """The course called `name`; for epochs that of a fit that looks for them."""
        if name == "epochs":
            first = self.climber("constant")
            return _search_epochs(self, first, _climb(first)).climber.problem.shape
        return make_shape(name, self.start, self.data.days, self.data.time, self.data.by_day, self.offset)

    def climber(self, name: str, said: list[str] | None = None) -> Climber:
        """The likelihood under the course called `name`, ready to be climbed."""
        return self.under(self.shape(name), said)

    def under(self, shape: Shape, said: list[str] | None = None) -> Climber:
        """The same under a shape."""
        problem = _hold_unseen(self.pose(shape), self.use_ranges or self.prior == "weak", said)
        if self.baselines == "gamma":
            return random_climber(problem, lambda posed: make_prior(posed, self.prior, self.use_ranges))
        return Climber(problem, make_prior(problem, self.prior, self.use_ranges))

    def pose(self, shape: Shape) -> Problem:
        """The problem under a course of the background."""
        return pose(self.model, self.data, self.free, self.fix, shape, self.shift)


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
    found = [Candidate("scenario" if background == "scenario" else first, climber, _climb(climber))]
    if job.baselines == "auto" and acts_unevenly(climber):
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
                "what baselines='gamma' finds"
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
    tried = pl.DataFrame([one.row() for one in found]).with_columns(chosen=pl.Series([one is best for one in found]))
    return (best.climber, best.solution), tried


def _climb(climber: Climber) -> Solution:
    return climber.climb(first_shapes(climber.problem, begin(climber.problem)), climber.problem.held)


def _climb_from(one: Candidate, other: Climber) -> Solution:
    """The same under another course, from where the first fit ended; from the scenario's numbers too where half-lives
    are free and facts are seen, because those that took a missed course for slow answers may not find back."""
    problem = other.problem
    solution = other.climb(carry(one.climber.problem, one.solution.vector, problem), problem.held)
    if not other.hidden and not problem.held[problem.n_smooth :].all():
        again = _climb(other)
        if again.log_posterior > solution.log_posterior:
            return again
    return solution


def _search_epochs(job: Job, climber: Climber, solution: Solution) -> Candidate:
    """The best course of epochs that is found; that without a border if none is worth its cost."""
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


def begin(problem: Problem) -> Floats:
    """Where to begin: the scenario's numbers, rates that are free at half of what the events would ask for."""
    start = problem.start.copy()
    d, data = problem.design, problem.data
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    counts = np.bincount(rate_of[data.channel[data.time >= 0]], minlength=problem.n_rates)
    scale = problem.rate_scale
    for p in problem.parameters:
        if p.free and p.kind == "rate":
            start[p.place] = max(0.5 * counts[p.place] / (max(scale[p.place], 1e-12) * data.days), 1e-6 / data.days)
        elif p.free and p.kind == "answers":
            # what is written as small answers for each of thousands: a twentieth of that each would be far too much
            least = 0.05 if not 0.0 < p.value < SMALL_ANSWERS else p.value
            start[p.place] = min(max(start[p.place], least), 1.0) if problem.model.scenario is not None else 0.3
    return np.clip(start, problem.lower, problem.upper)


def carry(old: Problem, vector: Floats, new: Problem) -> Floats:
    """A parameter vector as the start of the same problem under another course; what is free leaves 0."""
    start = new.start.copy()
    place = {p.path: p.place for p in old.parameters}
    for b in new.parameters:
        start[b.place] = vector[place[b.path]] if b.path in place else start[b.place]
        if b.free and b.kind in ("rate", "answers"):
            start[b.place] = max(start[b.place], 1e-6 / new.data.days if b.kind == "rate" else 1e-3)
    return start


def ratio(problem: Problem, vector: Floats) -> float:
    """Branching ratio of a problem's model at a parameter vector."""
    return float(branching_ratio(filled_arrays(problem, vector)))


def _hold_unseen(problem: Problem, has_prior: bool, said: list[str] | None) -> Problem:
    """Hold what these events cannot show, and say so."""
    climber = Climber(problem, make_prior(problem, None, False))
    objective, _ = climber.filter(begin(problem))
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
