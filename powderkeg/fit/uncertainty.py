"""How sure are the estimates: covariance, intervals, and parameters that the data cannot tell apart.

In: a `Climber` and its `Solution`. Out: a `Covariance` over what is free and off its bounds; intervals by Wald or by
profile. Wald intervals are on the natural scale for rates and answers, on the log scale for factors and half-lives; an
interval of a rate or of answers that would touch 0 comes from the profile likelihood instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from powderkeg.engine.arrays import Floats
from powderkeg.fit.climb import Climber, Solution

STEP = 1e-4
"""Relative step of finite differences."""


@dataclass(frozen=True)
class Covariance:
    """Spread of the estimates.

    places       (k,) positions in the parameter vector that it covers
    matrix       (k, k) in the vector's own scales (natural for linear, log for the rest)
    condition    condition number of the scaled information
    indefinite   True where the information was not positive definite: errors are then not to be trusted
    """

    places: NDArray[np.int64]
    matrix: Floats
    condition: float
    indefinite: bool

    def spread(self, place: int) -> float | None:
        """Standard deviation at a position, None if it is not covered."""
        at = np.flatnonzero(self.places == place)
        if len(at) == 0:
            return None
        variance = float(self.matrix[at[0], at[0]])
        return variance**0.5 if variance > 0 and np.isfinite(variance) else None

    def strongest(self, least: float) -> list[tuple[int, int, float]]:
        """Pairs of positions whose estimates correlate more strongly than `least`, strongest first."""
        sd = np.sqrt(np.maximum(np.diag(self.matrix), 1e-300))
        correlation = self.matrix / sd[:, None] / sd[None, :]
        pairs = [
            (int(self.places[i]), int(self.places[j]), float(correlation[i, j]))
            for i in range(len(sd))
            for j in range(i)
            if abs(correlation[i, j]) > least
        ]
        return sorted(pairs, key=lambda pair: -abs(pair[2]))


def covariance(climber: Climber, solution: Solution, held: NDArray[np.bool_]) -> Covariance:
    """Inverse information, or the sandwich where facts are filtered."""
    problem = climber.problem
    n = problem.n_smooth
    vector = solution.vector
    active = np.zeros(len(vector), bool)
    active[:n] = solution.maximum.active
    active[: problem.n_linear] |= vector[: problem.n_linear] <= 1e-9
    near = 1e-6 * np.maximum(1.0, np.abs(vector))
    active[problem.n_linear :] |= ((vector <= problem.lower + near) | (vector >= problem.upper - near))[
        problem.n_linear :
    ]
    places = np.flatnonzero(~held & ~active)
    places = places[[not _idle_decay(climber, vector, int(p)) for p in places]] if len(places) else places
    if len(places) == 0:
        return Covariance(places, np.zeros((0, 0)), 1.0, False)
    if climber.hidden:
        information = _information(climber, solution, places, replay=True)
        slope = _information(climber, solution, places, replay=False)
        inverse, condition, bad = _invert(0.5 * (slope + slope.T))
        if not bad:
            inverse = linalg.inv(slope)
            return Covariance(places, inverse @ information @ inverse.T, condition, False)
        inverse, condition, bad = _invert(information)
        return Covariance(places, inverse, condition, True)
    inverse, condition, bad = _invert(_information(climber, solution, places, replay=True))
    return Covariance(places, inverse, condition, bad)


def _idle_decay(climber: Climber, vector: Floats, place: int) -> bool:
    """A half-life whose mechanism has no answers: nothing depends on it."""
    problem = climber.problem
    if place < problem.n_smooth:
        return False
    components = np.flatnonzero(problem.component_decay == place - problem.n_smooth)
    mechanism = np.searchsorted(problem.kernel_start, components, side="right") - 1
    return bool((vector[problem.n_rates + mechanism] <= 1e-9).all())


def _information(climber: Climber, solution: Solution, places: NDArray[np.int64], replay: bool) -> Floats:
    """Minus the derivative of the gradient, beliefs held (`replay`) or filtered anew at every point."""
    problem, n = climber.problem, climber.problem.n_smooth
    vector = solution.vector
    result = np.zeros((len(vector), len(vector)))
    if replay or not climber.hidden:
        _, _, hessian = solution.objective.evaluate(vector[:n], True)
        result[:n, :n] = -hessian
        by_difference = [p for p in places if p >= n]
    else:
        by_difference = list(places)
    bend = climber.prior.evaluate(vector)[2]
    for place in by_difference:
        step = STEP * max(abs(vector[place]), 0.05) if place < problem.n_linear else STEP * 10.0
        sides = []
        for sign in (1.0, -1.0):
            moved = vector.copy()
            moved[place] += sign * step
            sloped = bool(problem.n_decays)
            held = solution.beliefs
            objective = climber.replay(moved, held, sloped) if replay else climber.filter(moved, sloped)[0]
            if problem.n_decays:
                gradient = climber.gradient(objective, moved)
            else:
                gradient = objective.evaluate(moved[:n], False)[1] + climber.prior.evaluate(moved)[1]
            sides.append(gradient)
        result[:, place] = -(sides[0] - sides[1]) / (2.0 * step)
        if replay or not climber.hidden:
            result[place, :n] = result[:n, place]
    if replay or not climber.hidden:
        result[np.arange(n), np.arange(n)] -= bend[:n]
        tail = result[n:, n:]
        result[n:, n:] = 0.5 * (tail + tail.T)
    return result[np.ix_(places, places)]


def _invert(information: Floats) -> tuple[Floats, float, bool]:
    """(inverse, condition number of the scaled matrix, whether it was not positive definite)."""
    diagonal = np.diag(information)
    if not np.isfinite(information).all():
        return np.full_like(information, np.inf), np.inf, True
    scale = 1.0 / np.sqrt(np.maximum(np.abs(diagonal), 1e-300))
    scaled = information * scale[:, None] * scale[None, :]
    values, vectors = linalg.eigh(0.5 * (scaled + scaled.T))
    bad = bool(values.min() <= 1e-10)
    values = np.maximum(values, 1e-10)
    inverse = (vectors / values) @ vectors.T
    return inverse * scale[:, None] * scale[None, :], float(values.max() / values.min()), bad


def profile_interval(
    climber: Climber, solution: Solution, held: NDArray[np.bool_], place: int, z: float, spread: float | None
) -> tuple[float, float]:
    """Values of a linear parameter at which twice the log likelihood falls by z^2; half-lives and beliefs are held."""
    estimate = float(solution.vector[place])
    top = _profile(climber, solution, held, place, estimate)
    target = top - 0.5 * z * z
    low = 0.0
    if estimate > 1e-9:
        tiny = min(1e-9, 1e-3 * estimate)
        if _profile(climber, solution, held, place, tiny) < target:
            low = float(
                optimize.brentq(
                    lambda v: _profile(climber, solution, held, place, v) - target,
                    tiny,
                    estimate,
                    rtol=1e-3,
                    xtol=1e-10,
                )
            )
    step = spread if spread is not None and spread > 0 else max(0.1 * estimate, _first_step(climber, solution, place))
    high = estimate + z * step
    for _ in range(60):
        if _profile(climber, solution, held, place, high) < target:
            break
        high = estimate + 1.6 * (high - estimate)
    else:
        return low, float("inf")
    return low, float(
        optimize.brentq(
            lambda v: _profile(climber, solution, held, place, v) - target, estimate, high, rtol=1e-3, xtol=1e-10
        )
    )


def _first_step(climber: Climber, solution: Solution, place: int) -> float:
    """A value of a linear parameter at 0 that would make a difference: one expected event."""
    objective = solution.objective
    per_unit = climber.problem.terms.slopes(solution.vector[climber.problem.n_linear : climber.problem.n_smooth])
    exposure = float((objective.rows.exposure * per_unit)[climber.problem.terms.linear == place].sum())
    return 1.0 / exposure if exposure > 0 else 1.0


def _profile(climber: Climber, solution: Solution, held: NDArray[np.bool_], place: int, value: float) -> float:
    fixed = held.copy()
    fixed[place] = True
    vector = solution.vector.copy()
    vector[place] = value
    return climber.inner(solution.objective, vector, fixed)[1].value
