"""Channels that share a rate but are not equally busy: each has its own multiple of the rate, drawn from a Gamma law.

In: a `Problem` whose rates are shared by many channels. Out: a `RandomClimber`, which is climbed like any other, with
the shapes of the laws as further parameters (`moves.threats.rate.shape`); and what it says of each channel.

A shared rate reads differences between channels as answers that come slowly; a free rate for every channel takes the
answers away again, because a handful of events cannot tell both. Integrating the channel's own rate out does neither.
At exact times that is the marginal likelihood itself. By day, acts of one day hang together across channels; there the
acts of a day are split, in expectation, into those born on it and those that were not, and the rate is integrated out
over the latter; both steps are repeated until they agree (docs/scale.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day import DayRows
from powderkeg.errors import Fault, FitError, UsageError, argument
from powderkeg.fit.likelihood.gamma_objective import RandomObjective, stands_for
from powderkeg.fit.likelihood.objective import Beliefs, Likelihood, Objective
from powderkeg.fit.likelihood.parameter import FitParameter
from powderkeg.fit.likelihood.prior import Prior
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.likelihood.terms import Terms
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.newton import Maximum, Rule

BASELINES = ("auto", "shared", "gamma", "dyad")
LEAST_CHANNELS = 20
"""Channels that must share a rate before their differences are worth a law."""
FEWEST_CHANNELS = 3
"""The same where dyads have effects, whose law has a width only."""
MOST_DYADS = 300
"""Channels up to which effects of dyads are tried by themselves; beyond, a law for the rates is cheaper."""
LEAST_EVENTS = 40
"""Events that they must have between them."""
UNEVEN = 2.0
"""Variance of their counts, in units of the mean, from which a law is tried when nothing was asked for."""
LEAST_SHAPE, MOST_SHAPE = -16.0, 7.0
"""Bounds of log shapes: from one channel in ten million that acts at all, to channels that differ by 3 %."""
NEAR = 10.0
"""Newton decrement below which curvature is learnt rather than computed anew."""
CLOSE = 1e-7
"""Newton decrement at which a climb by day ends: a step of a 3000th of a standard error."""
MOST_STEPS = 60
FRESH = 20
"""Learnt steps after which curvature is computed anew: where it was learnt upside down, secants do not turn it over."""
DIFFERENCE = 3e-3
"""Relative step of the differences from which curvature is taken where the rough one is of no use."""
FARTHEST = 1.0
"""Most that the log of a shape or a factor moves in a step."""


def lawful_rates(problem: Problem, uneven: float, least: int = LEAST_CHANNELS) -> list[FitParameter]:
    """Free rates shared by `least` channels or more whose counts vary by more than `uneven` times their mean."""
    d, data = problem.design, problem.data
    stands = stands_for(problem)
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    counts = np.bincount(data.channel[data.time >= 0], minlength=len(rate_of)).astype(np.float64)
    channels = np.bincount(rate_of, weights=stands, minlength=problem.n_rates)
    total = np.bincount(rate_of, weights=counts, minlength=problem.n_rates)
    square = np.bincount(rate_of, weights=counts**2, minlength=problem.n_rates)
    found = []
    for p in problem.parameters:
        if p.kind != "rate" or not p.free:
            continue
        n, events = channels[p.place], total[p.place]
        if n >= least and events >= LEAST_EVENTS:
            mean = events / n
            if square[p.place] / n - mean**2 > uneven * mean:
                found.append(p)
    return found


def with_laws(problem: Problem, rates: Sequence[FitParameter]) -> Problem:
    """The problem with a shape for each of these rates, placed before the half-lives."""
    n, k = problem.n_smooth, len(rates)
    laws = [FitParameter(f"{p.path}.shape", "shape", 1.0, None, None, n + i, True) for i, p in enumerate(rates)]
    moved = [replace(p, place=p.place + k) if p.place >= n else p for p in problem.parameters]
    after = sum(p.place < n for p in moved)
    return replace(
        problem,
        terms=Terms(problem.design, problem.n_linear, problem.terms.n_log + k),
        parameters=(*moved[:after], *laws, *moved[after:]),
        start=np.insert(problem.start, n, np.zeros(k)),
        lower=np.insert(problem.lower, n, np.full(k, LEAST_SHAPE)),
        upper=np.insert(problem.upper, n, np.full(k, MOST_SHAPE)),
        held=np.insert(problem.held, n, np.zeros(k, bool)),
        law_rates=np.array([p.place for p in rates], np.int64),
    )


def first_shapes(problem: Problem, vector: Floats) -> Floats:
    """The vector with each law's shape as its channels' counts suggest, answers taken for differences or not."""
    d, data = problem.design, problem.data
    stands = stands_for(problem)
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    counts = np.bincount(data.channel[data.time >= 0], minlength=len(rate_of)).astype(np.float64)
    result = vector.copy()
    for k, place in enumerate(problem.law_rates):
        own = rate_of == place
        n, events = stands[own].sum(), counts[own].sum()
        mean = events / n
        excess = max((counts[own] ** 2).sum() / n - mean**2 - mean, 1e-3 * mean)
        result[problem.n_smooth - len(problem.law_rates) + k] = np.clip(
            np.log(mean**2 / excess), LEAST_SHAPE + 1.0, MOST_SHAPE - 1.0
        )
    return result


def law_is_settled(problem: Problem, solution: Solution) -> bool:
    """Whether the climb settled and no shape stands at its lower bound, where the law says nothing of any channel."""
    n, k = problem.n_smooth, len(problem.law_rates)
    return solution.converged and bool((solution.vector[n - k : n] > LEAST_SHAPE + 1e-6).all())


class RandomClimber(Climber):
    """As `Climber`, with the rates of some channels integrated out."""

    by_second_order = False

    def __init__(self, problem: Problem, prior: Prior) -> None:
        super().__init__(problem, prior)
        if self.hidden:
            raise FitError(
                Fault.at(
                    "baselines", "'gamma' where facts change without an act, or gates read acts of one day",
                    "'shared'; or leave out the facts that come and go by themselves",
                )
            )  # fmt: skip
        self.factors = np.ones((0, 2))

    def filter(self, vector: Floats, sloped: bool = False) -> tuple[RandomObjective, Beliefs | None]:
        """The likelihood at `vector`."""
        plain = self.plain(vector, sloped)
        if isinstance(plain.rows, DayRows) and len(self.factors) != len(plain.rows.acts):
            self.factors = np.full((len(plain.rows.acts), 2), np.nan)
        return RandomObjective(plain, self.problem, self.factors), None

    def climb(self, start: Floats, held: NDArray[np.bool_]) -> Solution:
        """The maximum over everything not held, from `start`.

        Shapes and half-lives wait until rates and answers are at their best: while answers are far off a shape finds
        that channels hardly differ, and from there no slope leads back.
        """
        first = held.copy()
        first[self.problem.n_smooth - len(self.problem.law_rates) :] = True
        if not first.all():
            start = super().climb(start, first).vector
        return super().climb(start, held)

    def inner(
        self, objective: Likelihood, vector: Floats, held: NDArray[np.bool_], worth: float = -np.inf
    ) -> tuple[Floats, Maximum[None]]:
        """Best rates, answers, gates and shapes at the half-lives of `vector`; finished, whatever it is worth.

        By day the Hessian is rough and dear, so near the top it is learnt. It holds the split of each day's acts, and
        may bend upwards where the value bends down; then a climb goes to and fro just below the top, whatever it
        learns, so there the Hessian is taken from differences of the gradient. A shape that leaps to where channels
        hardly differ finds no slope there that leads back, so shapes and factors keep to short steps.
        """
        assert isinstance(objective, RandomObjective)

        def likelihood(x: Floats, curved: bool) -> tuple[float, Floats, Floats]:
            found = objective.at(x, curved)
            if not curved or not isinstance(objective.rows, DayRows) or not np.isfinite(found.value):
                return found.value, found.gradient, found.hessian
            free = np.flatnonzero(~held[: len(x)] & (x > self.lower[: len(x)]))
            if _bends_down(found.hessian[np.ix_(free, free)]):
                return found.value, found.gradient, found.hessian
            least = np.where(self.is_linear, 1e-6, 0.1)  # logarithms pass through 0
            hessian = by_differences(lambda at: objective.at(at, False).gradient, x, free, least)
            return found.value, found.gradient, hessian

        rule = Rule(
            tolerance=CLOSE, good_enough=1e-3, most_steps=MOST_STEPS, shortest=1e-6, grain=1e-9, learns_below=NEAR,
            fresh=FRESH, farthest=np.where(self.is_linear, np.inf, FARTHEST), each=True, linear=self.is_linear,
            creeps=True,
        )  # fmt: skip
        return self.best(likelihood, vector, held, rule)

    def for_causes(self, vector: Floats) -> Objective:
        """The likelihood with every channel's rate where its events put it."""
        return self.filter(vector)[0].as_plain(vector[: self.problem.n_smooth])


def _bends_down(hessian: Floats) -> bool:
    """Whether it is negative definite."""
    try:
        np.linalg.cholesky(-hessian)
    except np.linalg.LinAlgError:
        return False
    return True


def by_differences(slope: Callable[[Floats], Floats], x: Floats, free: Ints, least: Floats) -> Floats:
    """Curvature over what is free, from differences of the gradient; 0 for the others.

    slope  the gradient at a place;  least (n,) size of a parameter below which its step is not made smaller
    """
    hessian = np.zeros((len(x), len(x)))
    here = slope(x)
    for p in free:
        moved = x.copy()
        moved[p] += DIFFERENCE * max(abs(x[p]), least[p])
        hessian[free, p] = (slope(moved) - here)[free] / (moved[p] - x[p])
    return 0.5 * (hessian + hessian.T)


def random_climber(problem: Problem, prior: Callable[[Problem], Prior]) -> RandomClimber:
    """The climber with a law for every rate that many channels share. Raises FitError if there is none."""
    rates = lawful_rates(problem, 0.0)
    if not rates:
        raise FitError(
            Fault.at(
                "baselines", "'gamma', but no free rate is shared by enough channels",
                f"a rate with at least {LEAST_CHANNELS} channels and {LEAST_EVENTS} events that vary more than by "
                "chance, or " + argument("baselines", "shared"),
            )
        )  # fmt: skip
    problem = with_laws(problem, rates)
    return RandomClimber(problem, prior(problem))


def acts_unevenly(climber: Climber) -> bool:
    """Whether some rate is shared by many channels whose counts vary so much that a law is worth trying."""
    return not climber.hidden and bool(lawful_rates(climber.problem, UNEVEN))


def dyads_may_differ(climber: Climber) -> bool:
    """Whether effects of dyads are worth trying when nothing was asked for: few channels, some of them uneven."""
    problem = climber.problem
    few = problem.model.stands_for is None and problem.model.n_acts <= MOST_DYADS
    return few and not climber.hidden and bool(lawful_rates(problem, UNEVEN, FEWEST_CHANNELS))


def check_baselines(baselines: str) -> None:
    """Raises UsageError for a word that is none of `BASELINES`."""
    if baselines not in BASELINES:
        raise UsageError(Fault.at("baselines", repr(baselines), f"one of {', '.join(BASELINES)}"))


def channel_rates(climber: Climber, solution: Solution) -> pl.DataFrame:
    """How busy each channel is by itself, given its events.

    columns  source, act, target; events; rate (events/day, posterior mean without answers); times (that, as a multiple
             of the rate its move has), of every channel with an event and a law
    """
    problem = climber.problem
    objective = solution.objective
    if not isinstance(objective, RandomObjective):
        raise FitError("the channels of a move share its rate in this fit; fit with " + argument("baselines", "gamma"))
    found = objective.at(solution.vector[: problem.n_smooth], False)
    present = objective.present
    lawful = objective.law[: len(present)] >= 0
    channel, times = present[lawful], found.mean[: len(present)][lawful]
    d = problem.design
    rate = solution.vector[d.term_linear[d.ground_term[d.channel_ground[channel]]]] * objective.scale_of[channel]
    counts = np.bincount(problem.data.channel[problem.data.time >= 0], minlength=len(d.channel_ground))
    named = [problem.model.channels[c] for c in channel]
    return pl.DataFrame(
        {
            "source": [c.source for c in named], "act": [c.act for c in named], "target": [c.target for c in named],
            "events": counts[channel], "rate": rate * times, "times": times,
        }
    )  # fmt: skip
