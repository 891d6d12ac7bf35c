"""A fit with laws for its channels' rates, as one in which every channel's rate is what its events make of it.

In: a `Climber` at a parameter vector. Out: a plain `Climber` and its vector, which checks can take apart channel by
channel. Where channels share their rates nothing changes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.engine.likelihood.design import Shape
from powderkeg.fit.likelihood.gamma_objective import RandomObjective, stands_for
from powderkeg.fit.likelihood.prior import make_prior
from powderkeg.fit.likelihood.problem import Problem, pose
from powderkeg.fit.likelihood.terms import Terms
from powderkeg.fit.maximum.climb import Climber
from powderkeg.fit.maximum.told_rates import rates_by_path, tell, told_model
from powderkeg.fit.maximum.varying import VaryingClimber


def settled(climber: Climber, vector: Floats) -> tuple[Climber, Floats]:
    """The climber with each channel's rate at its posterior mean, and the vector without the laws' shapes."""
    problem = climber.problem
    if isinstance(climber, VaryingClimber):
        return _with_effects(climber, vector)
    k = len(problem.law_rates)
    if k == 0:
        return climber, vector
    plain = without_laws(problem, multiples(climber, vector))
    return Climber(plain, climber.prior), np.delete(vector, np.arange(problem.n_smooth - k, problem.n_smooth))


def _with_effects(climber: VaryingClimber, vector: Floats) -> tuple[Climber, Floats]:
    """The same where effects tell channels apart: a model with every channel's rate and course in its arrays."""
    old = climber.problem
    told = tell(old, vector, climber.spread)
    shape = Shape(old.shape.time, old.shape.offset, np.zeros_like(old.shape.row), np.zeros((1, 0)))
    new = pose(told_model(old, vector, told), old.data, None, None, shape, old.shift, layer=old.layer)
    known, rates = {p.path: p for p in old.parameters}, rates_by_path(old, told)
    result, held = new.start.copy(), new.held.copy()
    parameters = []
    for p in new.parameters:
        before = known.get(p.path)
        if p.kind == "rate":
            result[p.place] = rates[p.path]
        elif before is not None:
            result[p.place] = vector[before.place]
        is_free = before.free if before is not None else True
        held[p.place] = not is_free
        parameters.append(replace(p, free=is_free, why_held="" if before is None else before.why_held))
    new = replace(new, parameters=tuple(parameters), held=held)
    return Climber(new, make_prior(new, None, False)), result


def multiples(climber: Climber, vector: Floats) -> Floats:
    """(C,) posterior mean of each channel's multiple of its move's rate; those without an event included."""
    problem = climber.problem
    d = problem.design
    objective = climber.filter(vector)[0]
    assert isinstance(objective, RandomObjective)
    found = objective.at(vector[: problem.n_smooth], False)
    result = np.ones(len(d.channel_ground))
    present = objective.present
    lawful = objective.law >= 0
    result[present] = np.where(lawful[: len(present)], found.mean[: len(present)], 1.0)
    silent = np.ones(len(result), bool)
    silent[present] = False
    silent &= objective.ground_law[d.channel_ground] >= 0
    for j in range(len(present), len(objective.ground)):  # one entry stands for all alike
        alike = silent & (d.channel_ground == objective.ground[j]) & (objective.scale_of == objective.scale[j])
        result[alike] = found.mean[j]
    return result


def without_laws(problem: Problem, times: Floats) -> Problem:
    """The problem with each channel's rate `times` (C,) what its move says, and no laws."""
    d, k = problem.design, len(problem.law_rates)
    scale = d.channel_scale * times
    design = d._replace(
        channel_scale=scale,
        ground_scale=np.bincount(d.channel_ground, weights=scale, minlength=len(d.ground_term)).astype(np.float64),
    )
    n = problem.n_smooth
    laws = np.arange(n - k, n)
    kept = [p for p in problem.parameters if p.kind != "shape"]
    return replace(
        problem,
        design=design,
        terms=Terms(design, problem.n_linear, problem.terms.n_log - k),
        parameters=tuple(replace(p, place=p.place - k) if p.place >= n else p for p in kept),
        start=np.delete(problem.start, laws),
        lower=np.delete(problem.lower, laws),
        upper=np.delete(problem.upper, laws),
        held=np.delete(problem.held, laws),
        law_rates=np.zeros(0, np.int64),
    )


def can_be_simulated(problem: Problem) -> bool:
    """Whether every channel of the model is itself: one that stands for many cannot act for them."""
    return problem.model.stands_for is None


def drawn_multiples(problem: Problem, vector: Floats, seed: int) -> Floats:
    """(C,) multiples drawn from the laws; 1 for channels without one."""
    d = problem.design
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    result = np.ones(len(rate_of))
    generator = np.random.default_rng(seed)
    for k, place in enumerate(problem.law_rates):
        shape = float(np.exp(vector[problem.n_smooth - len(problem.law_rates) + k]))
        own = rate_of == place
        result[own] = generator.gamma(shape, 1.0 / shape, int(own.sum())) / stands_for(problem)[own]
    return result
