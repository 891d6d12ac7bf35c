"""Find the maximum: Newton on rates, answers and gates, a quasi-Newton climb over half-lives around it.

In: a `Problem` and a `Prior`. Out: a `Solution`, with the gradient it stopped at.

At given half-lives one pass over the data serves every Newton step. Over half-lives the inner maximum is climbed with
its exact gradient (the inner parameters are at their best, so theirs is the only one left).

Where facts change unseen, the beliefs that the filter holds depend on the parameters too. Beliefs are held while the
parameters are improved, then filtered anew, until nothing moves. Because beliefs are settled by the past alone, the
equations so solved are those of a martingale with mean 0 at the truth: the estimates are consistent, and their errors
come from the sandwich of that equation's slope and variance (`uncertainty`).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.filtered_facts import Drift, drift, is_hidden
from powderkeg.fit.likelihood.effects import NOTHING
from powderkeg.fit.likelihood.objective import Beliefs, Data, Likelihood, Objective, no_beliefs, prepare, prepare_hidden
from powderkeg.fit.likelihood.prior import Prior
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.maximum.half_lives import Bend, bend_of, climb_half_lives
from powderkeg.fit.maximum.newton import Function, Maximum, Rule, maximise

UNEXPLAINED = -27.6
"""Log density charged for an event that nothing explains (log 1e-12), so that half-lives cannot shed events."""
MOST_ROUNDS = 30
"""Rounds of filtering and improving before a fit with unseen facts is said not to have settled."""
MOST_STARTS = 3
"""How often the climb over half-lives is begun again where it stopped on a slope."""
DIFFERENCE = 5e-3
"""Step of a log decay over which gradients are differenced for their bend."""
FLAT_ENOUGH = 0.02
"""Slope of the log likelihood by a log half-life at which the climb is at its top: 0.0002 of it at a spread of 0.01."""
LENGTHS = 5
"""Lengths at which each half-life is tried once more, over all that it may have."""
HOPELESS = 30.0
"""Log posterior below the best at which a half-life of another length is not climbed from."""
MOST_CLIMBED = 2
"""Half-lives of another length that are climbed from in a round."""
ROUNDS_ELSEWHERE = 3
LEAST_RATE = 0.1
"""Events of a channel, over the whole window, that a rate begins at where half-lives are new."""
MOST_SEARCHED = 20_000
"""Events beyond which half-lives are climbed from one start: every look takes a pass over all of them."""
SETTLED = 1e-3
"""Largest move of a parameter in a round, in units of its spread, that counts as settled."""


@dataclass(frozen=True)
class Solution:
    """Where the climb ended.

    vector          all parameters
    log_likelihood  without prior
    log_posterior   with it
    objective       the likelihood there
    maximum         of the inner climb
    beliefs         what the filter held, None where every fact is seen
    converged       whether gradient and rounds settled
    """

    vector: Floats
    log_likelihood: float
    log_posterior: float
    objective: Likelihood
    maximum: Maximum[None]
    beliefs: Beliefs | None
    converged: bool


class Climber:
    """The likelihood of one problem, ready to be climbed from any start."""

    is_drawn = False
    """Whether days are drawn for events whose day is not known."""
    by_second_order = True
    """Whether half-lives are climbed by second-order steps; where gradients are dear, or drawn, by slopes alone."""
    differences = NOTHING
    """What tells backgrounds apart beside rates."""

    def __init__(self, problem: Problem, prior: Prior) -> None:
        self.problem, self.prior = problem, prior
        model = problem.model
        self.drift: Drift | None = (
            drift(problem.system, model.n_acts) if is_hidden(problem.system, model.n_acts) else None
        )
        self.lower = problem.lower.copy()
        self.lower[prior.keeps_off_zero] = 1e-9

    @property
    def hidden(self) -> bool:
        return self.drift is not None

    def begin_at(self, other: Climber, solution: Solution) -> None:
        """Told before a climb that begins where that of another climber ended."""

    def finish(self, solution: Solution, held: NDArray[np.bool_]) -> Solution:
        """What is left to do once a solution is the one that is kept: nothing, where every day is known."""
        return solution

    def one_record(self) -> Data:
        """The data with a day for every event."""
        return self.problem.data

    def without(self, solution: Solution, place: int | Ints) -> tuple[NDArray[np.bool_], Floats]:
        """(what is held, where to start) for the best fit with the linear parameters at `place` at 0."""
        problem = self.problem
        held = problem.held.copy()
        held[place] = True
        vector = solution.vector.copy()
        vector[place] = 0.0
        rates = slice(0, problem.n_rates)
        vector[rates] = np.where(problem.held[rates], vector[rates], np.maximum(vector[rates], 1e-9))
        return held, vector

    def without_prior_of(self: Self, place: int | Ints) -> Self:
        """The same with nothing held likely beforehand of the rate or answers at `place`, so that it may be 0.

        A test of a parameter asks the data. Its own prior has no place in it: one that keeps answers off 0 would call
        every mechanism needed, whatever the events say.
        """
        if not np.isin(place, self.prior.keeps_off_zero).any():
            return self
        result = copy(self)
        result.prior, result.lower = self.prior.without(place), self.lower.copy()
        result.lower[place] = self.problem.lower[place]
        return result

    def lost_without(self, solution: Solution, place: int | Ints) -> float:
        """Twice the log likelihood lost with the linear parameters at `place` held at 0; half-lives and beliefs held.

        Priors of the other parameters hold on both sides, that of this one on neither.
        """
        bare = self.without_prior_of(place)
        held, vector = bare.without(solution, place)
        top = bare.inner(solution.objective, solution.vector, self.problem.held)[1].value
        return max(0.0, 2.0 * (top - bare.inner(solution.objective, vector, held)[1].value))

    def new_beliefs(self) -> Beliefs:
        return no_beliefs(self.problem.data, int(self.problem.system.level_start[-1]))

    def plain(self, vector: Floats, sloped: bool = False) -> Objective:
        """The likelihood at `vector` where every fact is seen, with nothing integrated out."""
        problem = self.problem
        return prepare(problem.data, problem.design, problem.terms, problem.decay(vector), problem.dead, sloped)

    def filter(self, vector: Floats, sloped: bool = False) -> tuple[Likelihood, Beliefs | None]:
        """The likelihood at `vector`, and what is believed there of the facts; None where every fact is seen."""
        if self.drift is None:
            return self.plain(vector, sloped), None
        return self._hidden(vector, sloped, self.new_beliefs(), replay=False)

    def replay(self, vector: Floats, beliefs: Beliefs | None, sloped: bool = False) -> Likelihood:
        """The likelihood at `vector` with beliefs as they were found before."""
        if beliefs is None:
            return self.filter(vector, sloped)[0]
        return self._hidden(vector, sloped, beliefs, replay=True)[0]

    def _hidden(self, vector: Floats, sloped: bool, beliefs: Beliefs, replay: bool) -> tuple[Objective, Beliefs]:
        problem = self.problem
        assert self.drift is not None
        course = np.exp(problem.shape.basis @ vector[problem.shape_places])
        return prepare_hidden(
            problem.data, problem.design, problem.terms, self.drift, problem.decay(vector),
            np.ascontiguousarray(vector[: problem.n_smooth]), course, problem.dead, beliefs, replay, sloped,
        )  # fmt: skip

    def variance_of_terms(self) -> Floats:
        """(T,) what is not known of the log of every term: nothing, where no effect is integrated out."""
        return np.zeros(len(self.problem.terms.linear))

    def for_causes(self, vector: Floats) -> Objective:
        """The likelihood as attribution reads it."""
        objective = self.filter(vector)[0]
        assert isinstance(objective, Objective)
        return objective

    def inner(
        self, objective: Likelihood, vector: Floats, held: NDArray[np.bool_], worth: float = -np.inf
    ) -> tuple[Floats, Maximum[None]]:
        """Best rates, answers and gates at the half-lives of `vector`; the new vector and the maximum.

        worth  log posterior below which a maximum is of no use, and may be left unfinished
        """
        return self.best(objective.evaluate, vector, held, Rule(linear=self.is_linear, worth=worth))

    def best(
        self, likelihood: Function, vector: Floats, held: NDArray[np.bool_], rule: Rule
    ) -> tuple[Floats, Maximum[None]]:
        """The smooth parameters at which a likelihood of them and their prior are highest; the others stay.

        likelihood  of the smooth parameters
        """
        n = self.problem.n_smooth

        def function(x: Floats, curved: bool) -> tuple[float, Floats, Floats]:
            value, gradient, hessian = likelihood(x, curved)
            prior_value, prior_gradient, prior_bend = self.prior.evaluate(np.concatenate([x, vector[n:]]))
            if curved:
                np.fill_diagonal(hessian, hessian.diagonal() + prior_bend[:n])
            return value + prior_value, gradient + prior_gradient[:n], hessian

        found = maximise(function, vector[:n], self.lower[:n], self.problem.upper[:n], held[:n], rule)
        result = vector.copy()
        result[:n] = found.parameters
        return result, found

    @property
    def is_linear(self) -> NDArray[np.bool_]:
        """(smooth parameters,) which of them are rates or answers, not logarithms."""
        linear: NDArray[np.bool_] = np.arange(self.problem.n_smooth) < self.problem.n_linear
        return linear

    def log_density(self, vector: Floats, objective: Likelihood) -> float:
        """Log likelihood plus log prior at `vector`. `objective`: the likelihood at its half-lives, from `filter`."""
        value = objective.evaluate(vector[: self.problem.n_smooth], False)[0]
        return float(value + self.prior.evaluate(vector)[0])

    def gradient(self, objective: Likelihood, vector: Floats) -> Floats:
        """Gradient of log likelihood plus log prior over the whole vector; the pass must have been sloped."""
        problem = self.problem
        _, smooth, _ = objective.evaluate(vector[: problem.n_smooth], False)
        by_component = objective.decay_gradient(vector[: problem.n_smooth], problem.kernel_start)
        _, prior, _ = self.prior.evaluate(vector)
        return np.concatenate([smooth, problem.decay_gradient(by_component)]) + prior

    def climb(self, start: Floats, held: NDArray[np.bool_]) -> Solution:
        """The maximum over everything not held, from `start`."""
        start = np.clip(start, self.lower, self.problem.upper)
        if self.drift is None:
            return self._climb_seen(start, held, None)
        return self._climb_hidden(start, held)

    def elsewhere(self, solution: Solution, held: NDArray[np.bool_]) -> Solution:
        """A higher top over the half-lives, if one of them at quite another length leads to it.

        Where answers come within the hour and within weeks, two mechanisms that share the hour stand on a top of their
        own, dozens of nats too low. Each free half-life is put to a few lengths over all that it may have, the others
        as they are; what is not hopelessly lower is climbed from.
        """
        problem, n = self.problem, self.problem.n_smooth
        free = np.flatnonzero(~held[n:]) + n
        if self.hidden or self.is_drawn or len(free) == 0 or len(problem.data.time) > MOST_SEARCHED:
            return solution
        for _ in range(ROUNDS_ELSEWHERE):
            higher = solution
            for vector in self._best_lengths(solution, held, free):
                other = self.climb(vector, held)
                higher = other if other.log_posterior > higher.log_posterior else higher
            if not higher.log_posterior > solution.log_posterior + 1e-3:
                break
            solution = higher
        return solution

    def _best_lengths(self, solution: Solution, held: NDArray[np.bool_], free: Ints) -> list[Floats]:
        """Where it is best to begin with one of the half-lives at `free` of another length; nothing hopeless."""
        problem, n = self.problem, self.problem.n_smooth
        tries: list[tuple[float, Floats]] = []
        for place in free:
            for length in np.linspace(self.lower[place], problem.upper[place], LENGTHS + 2)[1:-1]:
                vector = solution.vector.copy()
                if abs(vector[place] - length) < 0.5:
                    continue
                vector[place] = length
                vector[: problem.n_rates] = self._lifted(vector[: problem.n_rates], held)
                objective = self.replay(vector, None)
                if np.isfinite(objective.evaluate(vector[:n], False)[0]):
                    lost = UNEXPLAINED * len(objective.unexplained)
                    worth = max(
                        solution.log_posterior - HOPELESS, tries[-1][0] if len(tries) == MOST_CLIMBED else -np.inf
                    )
                    vector, found = self.inner(objective, vector, held, worth - lost)
                    if found.value + lost > worth:
                        tries = sorted([*tries, (found.value + lost, vector)], key=lambda one: -one[0])[:MOST_CLIMBED]
        return [vector for _, vector in tries]

    def _lifted(self, rates: Floats, held: NDArray[np.bool_]) -> Floats:
        """Rates none of which is next to 0, but where they are held.

        That is a poor start at other half-lives: an event that only its rate can explain there has no likelihood, and
        from next to 0 the way back only doubles.
        """
        least = np.where(held[: len(rates)], 0.0, LEAST_RATE / self.problem.data.days)
        return np.maximum(rates, least)

    def _climb_seen(self, start: Floats, held: NDArray[np.bool_], beliefs: Beliefs | None) -> Solution:
        """Climb with beliefs (if any) held."""
        problem, n = self.problem, self.problem.n_smooth
        free = np.flatnonzero(~held[n:]) + n
        rates = problem.n_rates
        best: Solution | None = None

        def at(log_decay: Floats | None, sloped: bool, guess: Floats | None = None) -> Solution:
            nonlocal best
            vector = start.copy() if best is None else best.vector.copy()
            if guess is not None:
                vector[:n] = np.clip(guess, np.minimum(self.lower[:n], 0.1 * vector[:n]), problem.upper[:n])
                vector[: problem.n_linear] = np.maximum(vector[: problem.n_linear], self.lower[: problem.n_linear])
            if log_decay is not None:
                vector[free] = log_decay
                vector[:rates] = self._lifted(vector[:rates], held)
            objective = self.replay(vector, beliefs, sloped)
            if best is not None and not np.isfinite(objective.evaluate(vector[:n], False)[0]):
                vector[:n] = start[:n]  # so may be answers
            vector, found = self.inner(objective, vector, held)
            lost = UNEXPLAINED * len(objective.unexplained)
            prior_value = self.prior.evaluate(vector)[0]
            solution = Solution(
                vector, found.value - prior_value, found.value + lost, objective, found, beliefs, found.converged
            )
            if best is None or solution.log_posterior > best.log_posterior:
                best = solution
            return solution

        if len(free) == 0:
            return at(None, False)

        def slope(solution: Solution) -> Floats:
            by_component = solution.objective.decay_gradient(solution.vector[:n], problem.kernel_start)
            gradient = problem.decay_gradient(by_component) + self.prior.evaluate(solution.vector)[1][n:]
            return np.asarray(gradient[free - n])

        lower, upper = self.lower[free], problem.upper[free]
        begin = start[free]
        steep = np.inf
        for _ in range(MOST_STARTS):
            bend = (lambda one: self._bend(one, free, held)) if self.by_second_order else None
            climb_half_lives(lambda x, guess: at(x, True, guess), slope, bend, begin, lower, upper)
            assert best is not None
            begin = best.vector[free]
            uphill = slope(best)
            pushes = ((begin <= lower + 1e-9) & (uphill < 0)) | ((begin >= upper - 1e-9) & (uphill > 0))
            steep = float(np.abs(uphill[~pushes]).max(initial=0.0))
            if steep < FLAT_ENOUGH:
                break
        assert best is not None
        return replace(best, converged=best.converged and steep < 5.0 * FLAT_ENOUGH)

    def _bend(self, solution: Solution, free: Ints, held: NDArray[np.bool_]) -> Bend:
        """How the best value bends with the half-lives at `free`: gradients as each moves, the rest left alone."""
        problem, n, vector = self.problem, self.problem.n_smooth, solution.vector
        step = np.zeros_like(vector)
        step[free] = np.where(vector[free] + DIFFERENCE <= problem.upper[free], DIFFERENCE, -DIFFERENCE)
        # One pass moves them all: what an answer brings hangs on its own half-life, so each is taken from it in turn.
        together = self.replay(vector + step, None, True) if solution.beliefs is None and len(free) > 1 else None
        still = self.gradient(solution.objective, vector)
        changes = []
        for place in free:
            moved = vector.copy()
            moved[place] += step[place]
            other = None
            if together is not None and (terms := self._terms_of(place, free)) is not None:
                other = solution.objective.with_answers_of(together, terms)
            other = self.replay(moved, solution.beliefs, True) if other is None else other
            changes.append((self.gradient(other, moved) - still) / (moved[place] - vector[place]))
        by = np.nan_to_num(np.stack(changes, axis=1))
        inside = ~held[:n] & ~solution.maximum.active
        return bend_of(solution.maximum.hessian, inside, by[:n], by[free])

    def _terms_of(self, place: int, free: Ints) -> NDArray[np.bool_] | None:
        """(T,) terms that move with the half-life at `place`; None if some move with another one at `free` too."""
        problem = self.problem
        place_of = np.where(problem.component_decay >= 0, problem.n_smooth + problem.component_decay, -1)
        mechanism = np.repeat(np.arange(len(problem.kernel_start) - 1), np.diff(problem.kernel_start))
        own = np.unique(mechanism[place_of == place])
        if np.isin(place_of[np.isin(mechanism, own)], np.setdiff1d(free, place)).any():
            return None
        moved: NDArray[np.bool_] = np.isin(problem.terms.linear - problem.n_rates, own)
        return moved

    def _climb_hidden(self, start: Floats, held: NDArray[np.bool_]) -> Solution:
        """Filter, improve with beliefs held, filter again, until nothing moves."""
        n = self.problem.n_smooth
        vector = start.copy()
        decays_held = held.copy()
        decays_held[n:] = True
        coarse = bool((~held[n:]).any())  # rates and gates first: half-lives mean little while beliefs are far off
        rounds = 0
        while rounds < MOST_ROUNDS:
            rounds += 1
            _, beliefs = self.filter(vector)
            solution = self._climb_seen(vector, decays_held if coarse else held, beliefs)
            spread = np.maximum(0.1 * np.abs(vector), 1e-3)
            spread[self.problem.n_linear :] = 0.3
            move = float(np.max(np.abs(solution.vector - vector) / spread, initial=0.0))
            vector = solution.vector
            if move < (0.1 if coarse else SETTLED):
                if not coarse:
                    break
                coarse = False
        objective, beliefs = self.filter(vector)
        value = objective.evaluate(vector[:n], False)[0]
        prior = self.prior.evaluate(vector)[0]
        lost = UNEXPLAINED * len(objective.unexplained)
        settled = rounds < MOST_ROUNDS and solution.converged
        return Solution(vector, value, value + prior + lost, objective, solution.maximum, beliefs, settled)
