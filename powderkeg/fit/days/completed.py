"""A fit with a day for every event: what checks can take apart, and how what they say of several such fits is pooled.

In: a `Fit` for which days were drawn. Out: the same fit on records with days drawn given it, or on the events whose day
is known; of several checks of one name, the one in the middle.

Under the fitted model a record with days drawn given the record is a record of that model, so each check of it has the
level that it has elsewhere. The one in the middle of several, by its p, is on the careful side.
Source: Meng (1994), Annals of Statistics 22, 1142-1160.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.design import flat_shape
from powderkeg.fit.days.climb import DaysClimber
from powderkeg.fit.days.drawing import Drawer
from powderkeg.fit.days.possible import Possible
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.prior import make_prior
from powderkeg.fit.likelihood.problem import pose
from powderkeg.fit.maximum.climb import Climber
from powderkeg.model import Model

if TYPE_CHECKING:
    from powderkeg.fit.result import Fit

RECORDS = 7
"""Records with drawn days that are looked at."""
SETTLE, APART = 40, 5
"""Sweeps before the first of them is drawn, and between one and the next."""


class _Checked(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def p(self) -> float: ...


T = TypeVar("T", bound=_Checked)


def completed(fit: Fit, records: int = RECORDS) -> list[Fit]:
    """The fit on `records` records with days drawn given it; the fit itself where every day is known."""
    climber = fit.climber
    if not isinstance(climber, DaysClimber):
        return [fit]
    at = np.unique(np.linspace(0, len(climber.drawn) - 1, records).round().astype(int))
    return [_on(fit, climber.possible.completed(climber.drawn[k])[0]) for k in at]


def records_given(climber: Climber, vector: Floats, seed: int, number: int = RECORDS) -> list[tuple[Climber, Ints]]:
    """Likelihoods of `number` records with days drawn given a set of numbers, and which event stands where in each.

    The climber itself, with its events as they stand, where every day is known.
    """
    problem = climber.problem
    if problem.data.first is None:
        return [(climber, np.arange(len(problem.data.time)))]
    possible = Possible.of(problem.data)
    drawer = Drawer(problem, vector, possible, seed)
    day = possible.uniform(np.random.default_rng(seed))
    drawer.move(day, SETTLE)
    found = []
    for one in drawer.draws(day, number, APART):
        data, order = possible.completed(one)
        found.append((Climber(replace(problem, data=data), climber.prior), order))
    return found


def drawn_record(model: Model, data: Data, shift: float, seed: int) -> Data:
    """The data with days drawn given a model's own numbers; shift as `pose` has it."""
    problem = pose(model, data, ["*"], None, flat_shape(data.days), shift)
    climber = Climber(problem, make_prior(problem, None, False))
    return records_given(climber, problem.start, seed, 1)[0][0].problem.data


def known(fit: Fit) -> Fit:
    """The fit on those events whose day is known, with its numbers as they are."""
    climber = fit.climber
    if not isinstance(climber, DaysClimber):
        return fit
    data = fit.problem.data
    kept = ~climber.possible.unsure
    return _on(fit, Data(data.time[kept], data.channel[kept], data.days, True))


def _on(fit: Fit, data: Data) -> Fit:
    problem = replace(fit.problem, data=data)
    climber = Climber(problem, fit.climber.prior)
    objective = climber.filter(fit.solution.vector)[0]
    job: Any = None if fit.job is None else replace(fit.job, data=data)
    return replace(fit, problem=problem, climber=climber, solution=replace(fit.solution, objective=objective), job=job)


def middle_ones(several: Sequence[Sequence[T]]) -> list[T]:
    """Of the checks of each name, the one with the middle p; names in the order of the first that has most."""
    order = max(several, key=len)
    found = []
    for name in dict.fromkeys(one.name for one in order):
        own = sorted((one for checks in several for one in checks if one.name == name), key=lambda one: one.p)
        found.append(own[len(own) // 2])
    return found
