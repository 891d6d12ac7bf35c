"""Climb with effects on the backgrounds: parameters by Newton, the effects' spread and their laws in turns with it.

In: a `Problem` with `varying`, a `Prior`. Out: a `VaryingClimber`, which is climbed like any other. Its log likelihood
is the bound of the marginal one (`varying_objective`), so tests and AIC compare what is left when effects are
integrated out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, FitError, argument
from powderkeg.fit.likelihood.objective import Beliefs, Likelihood, Objective
from powderkeg.fit.likelihood.prior import Prior
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.likelihood.varying_objective import Laws, Spread, VaryingObjective, first_spread
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.half_lives import Bend
from powderkeg.fit.maximum.newton import Maximum, Rule

MOST_TURNS = 60
"""Turns of parameters and spread at given half-lives."""
SETTLED = 2e-3
"""What a turn may still bring, in log likelihood, for it to be the last."""
FARTHEST = 1.5
"""Most that the log of a standard deviation moves in a turn."""


def _ahead(at: list[Floats], step: list[Floats]) -> Floats:
    """Where steps of the logs of standard deviations are heading: by secants, because steps towards 0 hardly shrink."""
    if len(at) < 2:
        return step[-1]
    moved = at[-1] - at[-2]
    slope = (step[-2] - step[-1]) / np.where(np.abs(moved) > 1e-9, moved, np.inf)
    return np.clip(step[-1] / np.clip(slope, 0.15, 1.5), -FARTHEST, FARTHEST)


def _varying(objective: Likelihood) -> VaryingObjective:
    """The objective of a `VaryingClimber`, known as what it is."""
    assert isinstance(objective, VaryingObjective)
    return objective


ROOM = 3.0
"""Standard deviation of pairs' effects while a mechanism is tested: rates may differ by exp(3) and more."""


class VaryingClimber(Climber):
    """As `Climber`, with effects on backgrounds integrated out."""

    def __init__(self, problem: Problem, prior: Prior) -> None:
        super().__init__(problem, prior)
        if self.hidden:
            raise FitError(
                Fault.at(
                    "actors", "rates that differ where facts change without an act, or gates read acts of "
                    "one day",
                    argument("actors", "alike") + " and " + argument("courses", "none")
                    + "; or leave out the facts that come and go by themselves",
                )
            )  # fmt: skip
        self.laws = Laws(problem)
        self.differences = self.laws.varying.asked
        self.spread: Spread = first_spread(self.laws.varying, self.laws.n_terms)
        self._room: tuple[Solution, Prior, VaryingObjective, Floats, float] | None = None

    def begin_at(self, other: Climber, solution: Solution) -> None:
        """Laws that were found there are where these begin, and so is what is believed of the same effects."""
        if isinstance(other, VaryingClimber):
            self.spread = self.laws.taken(self.spread, other.laws.blocks, other.spread)

    def filter(self, vector: Floats, sloped: bool = False) -> tuple[VaryingObjective, Beliefs | None]:
        """The likelihood at `vector`, the effects as widely spread as was found last."""
        return VaryingObjective(self.plain(vector, sloped), self.laws, self.spread), None

    def variance_of_terms(self) -> Floats:
        """(T,) variance of the log rate of every term under the effects' law, as it was found last."""
        return self.spread.variance

    def log_density(self, vector: Floats, objective: Likelihood) -> float:
        """Log likelihood with every effect as `vector` says, plus log prior and the effects' law as it was found."""
        effects = vector[self.laws.places]
        law = -0.5 * float(effects @ self.laws.precision(self.spread.sd) @ effects)
        return law + super().log_density(vector, _varying(objective).plain)

    def for_causes(self, vector: Floats) -> Objective:
        """The likelihood with every effect where its events put it."""
        return self.plain(vector)

    def elsewhere(self, solution: Solution, held: NDArray[np.bool_]) -> Solution:
        """Other lengths of half-lives are tried where rates are shared, from where this climb begins."""
        return solution

    def climb(self, start: Floats, held: NDArray[np.bool_]) -> Solution:
        """The maximum over everything not held, from `start`; then spread and laws are held where they are."""
        solution = super().climb(start, held)
        objective = _varying(solution.objective)
        objective.is_settled = True
        self.spread = objective.spread
        return solution

    def lost_without(self, solution: Solution, place: int | Ints) -> float:
        """Twice the log likelihood lost with the linear parameters at `place` at 0.

        Both sides give each pair, and each act in it, room for whatever rate it has (`ROOM`), the other effects held.
        Under the laws as found, a mechanism that goes with who is busy would count for it, because busy pairs are held
        unlikely: with two camps and nobody drawn in, entrapment was "needed" at 5 % in 8 histories of 40. A mechanism
        must show in time, in acts that come after others, and not in who acts much.
        """
        settled = _varying(solution.objective)
        bare = self.without_prior_of(place)
        n = self.problem.n_smooth
        wide, best, top = bare._with_room(solution)
        held, vector = bare.without(replace(solution, vector=best), place)
        free = settled.roomy(ROOM)
        free.hold(wide.spread)
        possible = np.isfinite(free.evaluate(vector[:n], False)[0])
        rest = bare.inner(free, vector, self._pairs_only(held))[1].value if possible else -np.inf
        self.spread = settled.spread
        return float(max(0.0, 2.0 * (top - rest)))

    def _with_room(self, solution: Solution) -> tuple[VaryingObjective, Floats, float]:
        """(the likelihood that gives pairs room, its best parameters, its value), found once for all mechanisms."""
        if self._room is None or self._room[0] is not solution or self._room[1] is not self.prior:
            wide = _varying(solution.objective).roomy(ROOM)
            best, top = self.inner(wide, solution.vector, self._pairs_only(self.problem.held))
            self._room = solution, self.prior, wide, best, top.value
        return self._room[2:]

    def _pairs_only(self, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The same with all rates and effects held but those of pairs, which could shift against each other."""
        result = held.copy()
        result[: self.problem.n_rates] = True
        finest = self.laws.finest
        for block in self.laws.blocks:
            if not block.rows and finest is not None and block.name != finest.name:
                span = self.laws.span(block)
                at = self.problem.effect_places.start
                result[at + span.start : at + span.stop] = True
        return result

    def _bend(self, solution: Solution, free: Ints, held: NDArray[np.bool_]) -> Bend:
        """The same at the spread that was found there."""
        objective = _varying(solution.objective)
        self.spread = objective.spread
        return super()._bend(solution, free, held)

    def inner(
        self, objective: Likelihood, vector: Floats, held: NDArray[np.bool_], worth: float = -np.inf
    ) -> tuple[Floats, Maximum[None]]:
        """Best rates, answers, gates and effects at the half-lives of `vector`, and how widely effects spread.

        Finished, whatever it is worth."""
        objective = _varying(objective)
        if objective.is_settled:
            return super().inner(objective, vector, held)
        rough, fair, fine = (Rule(tolerance=tolerance, linear=self.is_linear) for tolerance in (1e-2, 3e-5, 1e-7))
        at: list[Floats] = []
        step: list[Floats] = []
        value, gain = -np.inf, np.inf
        for _ in range(MOST_TURNS):
            vector, found = self.best(objective.evaluate, vector, held, rough if gain > 0.1 else fair)
            fresh = objective.spread_at(found.hessian, objective.spread.sd)
            at.append(np.log(fresh.sd))
            improved = self.laws.improved(vector[self.laws.places], fresh)
            step.append(np.where(objective.kept, 0.0, np.log(improved) - at[-1]))
            objective.hold(replace(fresh, sd=self.laws.clipped(np.exp(at[-1] + _ahead(at, step)))))
            gain, value = found.value - value, found.value
            if abs(gain) < SETTLED and np.abs(step[-1]).max() < 0.02:
                break
        vector, found = self.best(objective.evaluate, vector, held, fine)
        self.spread = objective.spread
        return vector, found
