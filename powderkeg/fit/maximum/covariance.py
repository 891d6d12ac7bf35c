"""How sure are the estimates: covariance, intervals, and parameters that the data cannot tell apart.

In: a `Climber` and its `Solution`. Out: a `Covariance` over what is free and off its bounds; intervals by Wald or by
profile. Wald intervals are on the natural scale for rates and answers, on the log scale for factors and half-lives; an
interval of a rate or of answers that would touch 0 comes from the profile likelihood instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from powderkeg.engine.arrays import Floats
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.newton import uphill

STEP = 1e-4
"""Relative step of finite differences."""
FARTHEST = 1.0
"""Most that a logarithm is taken to follow a parameter whose profile is drawn."""
CLOSE = 1e-3
"""Share of what a profile is to fall by within which one more step, unseen, ends the search: right to its square."""
SHORT = 1e-2
"""Longest such step, in shares of the value and of its distance from the estimate."""
MOST_LOOKS = 40
MOST_FARTHER = 3.0
"""Most that the distance from the estimate grows in a step, in shares of it, while no value is known to be too far."""
FLAT_DIRECTION = 1e-7
"""Eigenvalue of the scaled information below which its direction is not identified."""


@dataclass(frozen=True)
class Covariance:
    """Spread of the estimates.

    places       (k,) positions in the parameter vector that it covers
    matrix       (k, k) in the vector's own scales (natural for linear, log for the rest)
    condition    condition number of the scaled information
    blurred      positions left out because the information has a direction without curvature in which they lie
    zeros        (z,) positions of rates and answers that are estimated as 0
    information  (k + z, k + z) of `places` and then of `zeros`
    """

    places: NDArray[np.int64]
    matrix: Floats
    condition: float
    blurred: NDArray[np.int64]
    zeros: NDArray[np.int64]
    information: Floats

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
    places = np.array(
        [p for p in np.flatnonzero(~held & ~active) if not _idle_decay(climber, vector, int(p))], np.int64
    )
    zeros = np.flatnonzero(~held[: problem.n_linear] & (vector[: problem.n_linear] <= 1e-9))
    if len(places) + len(zeros) == 0:
        return Covariance(places, np.zeros((0, 0)), 1.0, np.zeros(0, np.int64), zeros, np.zeros((0, 0)))
    k = len(places)
    whole = curvature(climber, solution, np.concatenate([places, zeros]), replay=True)
    seen, condition = _identified(whole[:k, :k], vector[places]) if k else (np.zeros(0, np.bool_), 1.0)
    kept = np.append(seen, np.ones(len(zeros), np.bool_))
    blurred, places, whole = places[~seen], places[seen], whole[np.ix_(kept, kept)]
    matrix = _spread(climber, solution, places, whole[: len(places), : len(places)])
    return Covariance(places, matrix, condition, blurred, zeros, whole)


def _spread(climber: Climber, solution: Solution, places: NDArray[np.int64], information: Floats) -> Floats:
    """Covariance of what stands clear of a bound."""
    if len(places) == 0:
        return np.zeros((0, 0))
    plain = _inverse(information)
    if not climber.hidden:
        return plain
    slope = curvature(climber, solution, places, replay=False)
    try:
        inverse = linalg.inv(slope)
    except (linalg.LinAlgError, ValueError):
        return plain
    sandwich = inverse @ information @ inverse.T
    # Far from where the equations are regular the sandwich means nothing: no variance below half the plain one.
    good = np.isfinite(sandwich).all() and bool((np.diag(sandwich) > 0.5 * np.diag(plain)).all())
    return np.asarray(sandwich if good else plain)


def _idle_decay(climber: Climber, vector: Floats, place: int) -> bool:
    """A half-life whose mechanism has no answers: nothing depends on it."""
    problem = climber.problem
    if place < problem.n_smooth:
        return False
    components = np.flatnonzero(problem.component_decay == place - problem.n_smooth)
    mechanism = np.searchsorted(problem.kernel_start, components, side="right") - 1
    return bool((vector[problem.n_rates + mechanism] <= 1e-9).all())


def curvature(climber: Climber, solution: Solution, places: NDArray[np.int64], replay: bool) -> Floats:
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


def _identified(information: Floats, values: Floats) -> tuple[NDArray[np.bool_], float]:
    """(which parameters lie in no flat direction, condition number of the rest's scaled information)."""
    keep = np.isfinite(information).all(axis=0) & (np.diag(information) * np.maximum(np.abs(values), 1e-3) ** 2 > 1e-6)
    while keep.any():
        part = information[np.ix_(keep, keep)]
        scale = 1.0 / np.sqrt(np.diag(part))
        found, vectors = linalg.eigh(part * scale[:, None] * scale[None, :])
        if found[0] > FLAT_DIRECTION:
            return keep, float(found[-1] / found[0])
        # the parameter that moves most along the flattest direction goes first; the rest may then be identified
        keep[np.flatnonzero(keep)[int(np.abs(vectors[:, 0]).argmax())]] = False
    return keep, float("inf")


def _inverse(information: Floats) -> Floats:
    """Inverse of a positive definite matrix."""
    scale = 1.0 / np.sqrt(np.diag(information))
    factor = linalg.cho_factor(information * scale[:, None] * scale[None, :])
    inverse: Floats = linalg.cho_solve(factor, np.eye(len(scale))) * scale[:, None] * scale[None, :]
    return inverse


def profile_interval(
    climber: Climber, solution: Solution, held: NDArray[np.bool_], place: int, z: float, spread: float | None
) -> tuple[float, float]:
    """Values of a linear parameter at which twice the log likelihood falls by z^2; half-lives and beliefs are held."""
    profile = _Profile(climber, solution, held, place)
    estimate = float(solution.vector[place])
    low = 0.0
    step = spread if spread is not None and spread > 0 else max(0.1 * estimate, _first_step(climber, solution, place))
    if estimate > 1e-9:
        tiny = min(1e-9, 1e-3 * estimate)
        if profile.fallen(tiny) > z:
            low = _where_fallen(profile, z, max(estimate - z * step, 0.1 * estimate), estimate, tiny)
    return low, _where_fallen(profile, z, estimate + z * step, estimate, float("inf"))


def _where_fallen(profile: _Profile, z: float, begin: float, near: float, far: float) -> float:
    """The value between `near` and `far` at which the profile has fallen by z, by Newton's steps from `begin`.

    The root of the fall is next to straight in the parameter, and its slope is known with every look, so two or three
    looks are enough; a step that leaves what is known to hold the value is cut. Infinite where it never falls so far.
    """
    value = begin
    for _ in range(MOST_LOOKS):
        fallen, slope = profile.fallen(value), profile.slope(value)
        if fallen < z:
            near = value
        else:
            far = value
        step = (z - fallen) / slope if slope != 0.0 and np.isfinite(slope) else np.inf
        # On a shelf that is next to z high the fall is close to z where its end is far away.
        if abs(fallen - z) < CLOSE * z and abs(step) < SHORT * min(value, abs(value - profile.estimate)):
            return float(np.clip(value + step, min(near, far), max(near, far)))
        most = value + MOST_FARTHER * (value - profile.estimate) if np.isinf(far) else far
        value = value + step
        if not min(near, far) < value < max(near, far) or abs(value - near) > abs(most - near):
            value = most if np.isinf(far) else 0.5 * (near + far)
        if abs(value - near) < 1e-12 * max(abs(near), 1e-3):
            return value
    return float("inf") if np.isinf(far) else value


def _first_step(climber: Climber, solution: Solution, place: int) -> float:
    """A value of a linear parameter at 0 that would make a difference: one expected event."""
    objective = solution.objective
    per_unit = climber.problem.terms.slopes(solution.vector[climber.problem.n_linear : climber.problem.n_smooth])
    exposure = float((objective.rows.exposure * per_unit)[climber.problem.terms.linear == place].sum())
    return 1.0 / exposure if exposure > 0 else 1.0


class _Profile:
    """The best log posterior as one linear parameter is moved; what is best is looked for along the line through the
    nearest that are known."""

    def __init__(self, climber: Climber, solution: Solution, held: NDArray[np.bool_], place: int) -> None:
        self.climber, self.solution, self.place = climber, solution, place
        self.held = held.copy()
        self.held[place] = True
        self.estimate = float(solution.vector[place])
        self.known: dict[float, tuple[Floats, float, float]] = {}

    def fallen(self, value: float) -> float:
        """Root of twice what the log posterior is below that at the estimate; 0 where it is not below."""
        return float(np.sqrt(max(2.0 * (self._at(self.estimate)[1] - self._at(value)[1]), 0.0)))

    def slope(self, value: float) -> float:
        """Derivative of `fallen`: what is best at each value moves the profile no further."""
        fallen = self.fallen(value)
        return -self._at(value)[2] / fallen if fallen > 0.0 else 0.0

    def _at(self, value: float) -> tuple[Floats, float, float]:
        """(vector, log posterior, its slope by the parameter)."""
        if value not in self.known:
            vector, found = self.climber.inner(self.solution.objective, self._begin(value), self.held)
            self.known[value] = vector, found.value, float(found.gradient[self.place])
        return self.known[value]

    def _begin(self, value: float) -> Floats:
        """Every event has an intensity there: nothing linear falls to less than a tenth of what it nearby is."""
        near = sorted(self.known, key=lambda one: abs(one - value))[:2]
        vector = (self.known[near[0]][0] if near else self.solution.vector).copy()
        if near:
            follow = self._follow() if len(near) == 1 else self._secant(*near)
            n = self.climber.problem.n_linear
            moved = vector + follow * (value - near[0])
            moved[:n] = np.maximum(moved[:n], 0.1 * vector[:n])
            far = np.abs(moved[n:] - vector[n:]) > FARTHEST
            vector = np.where(np.append(np.zeros(n, np.bool_), far), vector, moved)
        vector[self.place] = value
        return vector

    def _secant(self, one: float, other: float) -> Floats:
        return np.asarray((self.known[one][0] - self.known[other][0]) / (one - other))

    def _follow(self) -> Floats:
        """How the rest follows the parameter at the estimate."""
        n, hessian = self.climber.problem.n_smooth, self.solution.maximum.hessian
        inside = ~self.held[:n] & ~self.solution.maximum.active
        result = np.zeros_like(self.solution.vector)
        if inside.any():
            result[:n][inside] = uphill(hessian[:n, self.place][inside], hessian[np.ix_(inside, inside)])
        return result
