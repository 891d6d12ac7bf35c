"""Find the maximum of what was seen where the day of some events is not known.

In: a `Problem` whose data carry the days on which each event may have happened. Out: a `Solution` whose objective is
that of what was seen, near the maximum.

First EM: days are drawn given the parameters, the parameters improved on the mean over the draws, and so on; a few
draws are enough as long as the parameters are on the move. Then, with more draws, the mean is corrected by what was
missing (`average`), which steps straight to the maximum where EM only creeps; it ends where a step is small beside the
errors.
Sources: Wei & Tanner (1990), JASA 85, 699-704 (Monte Carlo EM); Louis (1982), JRSS B 44, 226-233.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.fit.days.average import Average, Missing, average, score
from powderkeg.fit.days.drawing import Drawer
from powderkeg.fit.days.evidence import absolute, along, between
from powderkeg.fit.days.possible import Possible
from powderkeg.fit.likelihood.objective import Beliefs, Data
from powderkeg.fit.likelihood.prior import Prior
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.maximum.climb import UNEXPLAINED, Climber, Solution
from powderkeg.fit.maximum.covariance import curvature

FIRST_ROUNDS = (2, 2, 2, 2, 4, 4, 8)
"""Draws in each round of EM from a far start."""
NEXT_ROUNDS = (2, 2, 4, 8)
"""The same from where a fit under another course ended."""
FINAL_DRAWS = 16
"""Draws behind the mean at the end."""
SCORES = 160
"""Draws behind what was missing."""
NULL_ROUNDS = (4, 4, 8, 16)
"""Draws in each round of EM with a mechanism left out and half-lives held."""
MOST_FINAL_ROUNDS = 5
SMALL_STEP = 0.2
"""Step, in standard errors, at which the climb ends."""
MOST_MISSING = 0.95
"""Share of the information in any direction that may be missing: more is put down to the draws."""
SETTLE = 20
"""Sweeps before days that were as likely as each other are taken for draws."""


class DaysClimber(Climber):
    """The likelihood of one problem with days unknown.

    day      (N,) the last days drawn
    drawn    the draws that the objective rests on, taken at `at`
    missing  what is known to be missing there
    """

    is_drawn = True
    by_second_order = False

    def __init__(self, problem: Problem, prior: Prior, seed: int = 1) -> None:
        super().__init__(problem, prior)
        self.possible = Possible.of(problem.data)
        self.seed = seed
        self.turn = 0
        self.day: Ints = self.possible.uniform(np.random.default_rng(seed))
        self.drawn: list[Ints] = [self.day]
        self.missing: Missing | None = None
        self.reference: tuple[DaysClimber, Floats, float] | None = None

    def begin_at(self, other: Climber, solution: Solution) -> None:
        if isinstance(other, DaysClimber):
            self.day = other.day.copy()
            self.reference = (other, solution.vector, solution.log_likelihood)

    def filter(self, vector: Floats, sloped: bool = False) -> tuple[Average, Beliefs | None]:
        return average(self.problem, self.possible, self.drawn, vector, sloped, self.missing), None

    def one_record(self) -> Data:
        return self.possible.completed(self.day)[0]

    def drawer(self, vector: Floats) -> Drawer:
        """Draws at a vector; each call another stream."""
        self.turn += 1
        return Drawer(self.problem, vector, self.possible, 1_000 * self.seed + self.turn)

    def climb(self, start: Floats, held: NDArray[np.bool_]) -> Solution:
        self.missing = None
        vector = np.clip(start, self.lower, self.problem.upper)
        rounds = FIRST_ROUNDS if self.reference is None else NEXT_ROUNDS
        for k, number in enumerate(rounds):
            drawer = self.drawer(vector)
            drawer.move(self.day, SETTLE if k == 0 else 4)
            self.drawn = drawer.draws(self.day, number, 2)
            solution = self._climb_seen(vector, held, None)
            vector = solution.vector
        return self._told(solution)

    def finish(self, solution: Solution, held: NDArray[np.bool_]) -> Solution:
        """Step to the maximum with what was missing taken off."""
        if self.reference is None:
            self.reference = (self, solution.vector, solution.log_likelihood)
        settled = False
        for _ in range(MOST_FINAL_ROUNDS):
            centre = solution.vector
            seen = self._look(solution, held)
            solution = self._climb_seen(centre, held, None)
            moved = solution.vector - centre
            step = float(np.sqrt(max(float(moved @ seen @ moved), 0.0) / max(1, int(np.count_nonzero(~held)))))
            if step < SMALL_STEP:
                settled = True
                break
        return self._told(replace(solution, converged=solution.converged and settled))

    def _look(self, solution: Solution, held: NDArray[np.bool_]) -> Floats:
        """Draws and scores at a solution, and what they say was missing; returns the information that was not."""
        vector = solution.vector
        drawer = self.drawer(vector)
        drawer.move(self.day, SETTLE)
        days = drawer.draws(self.day, SCORES, 2)
        scores = np.array([score(self.problem, self.possible, day, vector) for day in days])
        self.drawn, self.missing = days[:: SCORES // FINAL_DRAWS], None
        objective = self.filter(vector, True)[0]
        here = replace(solution, objective=objective, beliefs=None)
        places = np.flatnonzero(~held)
        complete = curvature(self, here, places, replay=True)
        covariance = np.zeros((len(vector), len(vector)))
        covariance[np.ix_(places, places)] = _within(np.cov(scores[:, places].T).reshape(complete.shape), complete)
        tilt = scores.mean(axis=0) - scores[:: SCORES // FINAL_DRAWS].mean(axis=0)
        self.missing = Missing(vector.copy(), covariance, tilt)
        seen = np.zeros_like(covariance)
        seen[np.ix_(places, places)] = complete
        return seen - covariance

    def _told(self, solution: Solution) -> Solution:
        """The solution with the log likelihood of what was seen, rather than of its completed data."""
        value = self.evidence(solution.vector)
        lost = UNEXPLAINED * len(solution.objective.unexplained)
        prior = self.prior.evaluate(solution.vector)[0]
        return replace(solution, log_likelihood=value, log_posterior=value + prior + lost)

    def evidence(self, vector: Floats) -> float:
        """Log likelihood of what was seen."""
        own = self.drawer(vector)
        if self.reference is not None:
            other, at, value = self.reference
            gain = between(other.drawer(at), other.day.copy(), own, self.day.copy())
            if gain is not None:
                return value + gain
        return absolute(own, self.day.copy())

    def lost_without(self, solution: Solution, place: int | Ints) -> float:
        """Twice the log likelihood of what was seen that is lost with the parameter at `place` held at 0."""
        bare = self.without_prior_of(place)
        top = solution.vector if bare is self else bare.inner(solution.objective, solution.vector, self.problem.held)[0]
        held, vector = self.without(solution, place)
        day = self.day.copy()
        for number in NULL_ROUNDS:
            drawer = self.drawer(vector)
            drawer.move(day, SETTLE)
            objective = average(
                self.problem, self.possible, drawer.draws(day, number, 2), vector, False, None
            )  # fmt: skip
            vector, found = bare.inner(objective, vector, held)
            if not np.isfinite(found.value):
                return float("inf")
        gain = along(self.drawer, vector, top, day)
        prior = bare.prior.evaluate(top)[0] - bare.prior.evaluate(vector)[0]
        return max(0.0, 2.0 * (gain + prior))


def _within(covariance: Floats, complete: Floats) -> Floats:
    """What was missing, no more than nearly all of what there is in any direction."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(complete), 1e-300))
    values, axes = linalg.eigh(complete * scale[:, None] * scale[None, :])
    good = values > 1e-9
    root = axes[:, good] * np.sqrt(values[good])
    back = axes[:, good] / np.sqrt(values[good])
    share, turned = linalg.eigh(back.T @ (covariance * scale[:, None] * scale[None, :]) @ back)
    kept = (root @ turned) * np.clip(share, 0.0, MOST_MISSING) @ (root @ turned).T
    return np.asarray(kept / scale[:, None] / scale[None, :])
