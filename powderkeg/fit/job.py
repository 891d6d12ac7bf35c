"""What is asked of the data, whatever the course of the background: by a fit, by its choice of a course, by its checks.

In: the model, the data, what is free, the priors. Out: a `Job`, which poses the problem under any course, holds what
these events cannot show, and gives the likelihood ready to be climbed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.engine.likelihood.day import DayRows
from powderkeg.engine.likelihood.design import Shape
from powderkeg.errors import Fault, FitError, argument
from powderkeg.fit.background.courses import WANDERING, make_shape
from powderkeg.fit.days.climb import DaysClimber
from powderkeg.fit.likelihood.effects import NOTHING, Differences, n_courses, walk_shape
from powderkeg.fit.likelihood.layer import Layer
from powderkeg.fit.likelihood.objective import Data, Likelihood
from powderkeg.fit.likelihood.parameter import FitParameter
from powderkeg.fit.likelihood.prior import make_prior
from powderkeg.fit.likelihood.problem import Problem, pose
from powderkeg.fit.maximum.climb import Climber
from powderkeg.fit.maximum.gamma_rates import random_climber
from powderkeg.fit.maximum.varying import VaryingClimber
from powderkeg.model import Model

LEAST_EXPOSED = 0.05
"""Share of the window (rates), or acts that could be answered (answers), below which a parameter is held."""
LEAST_SEEN = 5.0
"""A gate is estimated if at least so many events came while it was on, and so many while it was off."""
SMALL_ANSWERS = 1e-3
"""Answers below this are begun at as the scenario has them; others at 0.05 at least."""


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
    differences: Differences = NOTHING
    alike: bool = False
    """Whether `auto` may not look for differences."""
    layer: Layer | None = None

    def wandering(self) -> Shape:
        """The shape for courses that wander."""
        data, many = self.data, n_courses(self.model, self.differences.courses)
        return walk_shape(data.days, data.by_day, many, self.shape("constant"))

    def shape(self, name: str) -> Shape:
        """The course called `name`, other than epochs: those are searched for."""
        if name == WANDERING:
            return self.wandering()
        return make_shape(name, self.start, self.data.days, self.data.time, self.data.by_day, self.offset)

    def climber(self, name: str, said: list[str] | None = None) -> Climber:
        """The likelihood under the course called `name`, ready to be climbed."""
        return self.under(self.shape(name), said)

    def under(self, shape: Shape, said: list[str] | None = None) -> Climber:
        """The same under a shape."""
        problem = _hold_unseen(self.pose(shape), self.use_ranges or self.prior == "weak", said)
        if problem.varying is not None:
            return VaryingClimber(problem, make_prior(problem, self.prior, self.use_ranges))
        if self.baselines == "gamma":
            return random_climber(problem, lambda posed: make_prior(posed, self.prior, self.use_ranges))
        prior = make_prior(problem, self.prior, self.use_ranges)
        return Climber(problem, prior) if self.data.first is None else DaysClimber(problem, prior)

    def pose(self, shape: Shape) -> Problem:
        """The problem under a course of the background."""
        return pose(
            self.model, self.data, self.free, self.fix, shape, self.shift, self.differences, self.layer
        )  # fmt: skip


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


def _hold_unseen(problem: Problem, has_prior: bool, said: list[str] | None) -> Problem:
    """Hold what these events cannot show, and say so."""
    climber = Climber(problem, make_prior(problem, None, False))
    at = begin(problem)
    objective, _ = climber.filter(at)
    holds: dict[str, str] = {}
    # what is counted while a gate or a tie stands at 0 shows nothing
    exposure = objective.rows.exposure * (problem.terms.slopes(at[problem.n_linear : problem.n_smooth]) > 0.0)
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
            + "ranges in the scenario with "
            + argument("use_ranges", True)
            + ", would let them move"
        )
    held = problem.hold(holds)
    if held.held.all():
        wanted = "events that can show it, or other parameters in " + argument("free")
        faults = [Fault.at(path, why, wanted) for path, why in holds.items()]
        raise FitError(faults or "nothing to estimate")
    return held


def _seen(problem: Problem, objective: Likelihood, p: FitParameter) -> tuple[float, float]:
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
    acts = rows.acts if isinstance(rows, DayRows) else np.ones(len(rows.start) - 1)
    weight = objective.weight
    if isinstance(rows, DayRows):
        weight = np.repeat(weight, np.diff(rows.block))
    owner = np.repeat(np.arange(len(acts)), np.diff(rows.start))
    total = np.bincount(owner, weights=rows.value, minlength=len(acts))
    share = rows.value / np.maximum(total[owner], 1e-300) * (acts * weight)[owner]
    on = float(share[on_term[rows.term]].sum())
    return on, float(share[reads[rows.term] & ~on_term[rows.term]].sum())
