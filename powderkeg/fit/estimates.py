"""What is every parameter after the fit, and how sure is that?

In: the climber at its maximum, the covariance there. Out: an `Estimate` for each parameter, those held included: with a
Wald interval where the estimate stands clear of its bound, else with a profile interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats
from powderkeg.fit.likelihood.parameter import FitParameter
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.covariance import Covariance, covariance, profile_interval
from powderkeg.units import spoken_rate

AT_ZERO = "at 0: no event needs it"
UNITS = {"rate": "per day", "half_life": "days"}
WIDEST = 10.0
"""Half width of an interval on the log scale from which the parameter is said not to be identified."""


@dataclass(frozen=True)
class Estimate:
    """One parameter after the fit, in the unit the scenario uses inside: per day, days, or a plain number.

    estimate   the value; that of the scenario where it was held
    se         standard error, None where it was held, stands at a bound, or could not be computed
    low, high  interval at the fit's level, None where there is none
    interval   how it was found: "wald", "profile", "exact" (binomial), or "" where there is none
    note       what to know about it, "" for nothing
    """

    path: str
    kind: str
    estimate: float
    se: float | None
    low: float | None
    high: float | None
    free: bool
    before: float
    interval: str = ""
    note: str = ""

    @property
    def unit(self) -> str:
        """What its numbers are in: "per day", "days", or "" for a plain number."""
        return UNITS.get(self.kind, "")

    @property
    def spoken(self) -> tuple[float, str]:
        """(scale, unit) in which people read it: a rate a year, unless there is more than one in three days."""
        return spoken_rate(max(self.estimate, self.before)) if self.kind == "rate" else (1.0, self.unit)

    def as_dict(self) -> dict[str, Any]:
        """The estimate as plain data, for `--json`."""
        return {
            "unit": self.unit or None, "estimate": self.estimate, "se": self.se, "low": self.low, "high": self.high,
            "free": self.free, "before": self.before, "interval": self.interval or None, "note": self.note or None,
        }  # fmt: skip


def estimate_parameters(climber: Climber, solution: Solution, level: float) -> dict[str, Estimate]:
    """Key path -> estimate with its interval at `level`."""
    return estimates_at(climber, solution, covariance(climber, solution, climber.problem.held), level)


def estimates_at(climber: Climber, solution: Solution, spread: Covariance, level: float) -> dict[str, Estimate]:
    """The same where the covariance is known."""
    return {p.path: _estimate(climber, solution, spread, p, level) for p in climber.problem.parameters}


def _estimate(climber: Climber, solution: Solution, spread: Covariance, p: FitParameter, level: float) -> Estimate:
    problem = climber.problem
    vector = solution.vector
    natural = problem.natural(p, vector)
    note = note_of(p, problem, vector)
    if not p.free:
        return Estimate(p.path, p.kind, p.value, None, None, None, False, p.value, "", note)
    z = float(special.ndtri(0.5 + 0.5 * level))
    sd = spread.spread(p.place)
    if p.kind in ("factor", "half_life", "shape"):
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


def note_of(parameter: FitParameter, problem: Problem, vector: Floats) -> str:
    """What to know about an estimate at its bound, or about a parameter that was held."""
    if not parameter.free:
        return parameter.why_held
    value = vector[parameter.place]
    if parameter.kind in ("rate", "answers"):
        return AT_ZERO if value <= 1e-9 else ""
    near = 1e-6 * max(1.0, abs(value))
    if value <= problem.lower[parameter.place] + near or value >= problem.upper[parameter.place] - near:
        if parameter.kind == "factor":
            return "at a bound: the record says never" if value < 0 else "at a bound: the record says always"
        return "at a bound"
    return ""
