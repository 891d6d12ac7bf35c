"""The likelihood with effects on backgrounds integrated out, under a normal law for each, at exact times and by day.

In: the likelihood at given half-lives (`Objective`), the effects (`Varying`). Out: a `VaryingObjective`: value,
gradient and Hessian in all parameters, effects included, at a given spread of the effects.

Effects have a normal law before the data, and are taken to have one, q, after them. The value is

    E_q[log likelihood]  -  KL(q from the law),

a lower bound of the log of the marginal likelihood, highest over q where q's precision is that of the law less the
mean curvature of the likelihood. Expected counts under q are exact (the mean of a lognormal); what acts bring is taken
at the two points one standard deviation of their background's log rate away, which is exact up to the third order.
Put at their most likely values instead, effects would take the slow answers away: a handful of events a channel cannot
tell both, and the sum of what is most likely is not what is most likely in sum.
Source: Ormerod & Wand (2012), J. Comput. Graph. Stat. 21(1), 2-17 (Gaussian variational approximation); Wood & Fasiolo
(2017), Biometrics 73(4), 1071-1081 (the steps of the variances); the rule of two points is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.fit.likelihood.effects import ANCHOR, CHANNEL, DYAD, EffectBlock, Varying, shared_effects
from powderkeg.fit.likelihood.objective import Objective
from powderkeg.fit.likelihood.problem import Problem

LEAST_SD = {False: 0.01, True: 0.002}
"""Standard deviations of effects, and of steps of a course, at which nothing differs: they are sought from here ..."""
MOST_SD = 6.0
"""... to here."""
FIRST_SD = {False: 0.5, True: 0.15}
"""Where they are begun at: of effects, and of steps of a course."""


@dataclass(frozen=True)
class Spread:
    """What is believed of the effects beside where they are.

    sd          (blocks,) standard deviations of the law: of effects, or of the steps of courses
    covariance  (n, n) of the effects given the data;  log_det its log determinant
    variance    (T,) of the log rate of every term, 0 where no effect stands in it
    """

    sd: Floats
    covariance: Floats
    log_det: float
    variance: Floats


def first_spread(varying: Varying, n_terms: int) -> Spread:
    """Before anything is known: the laws' first guesses, effects taken for sure."""
    sd = np.array([FIRST_SD[bool(block.rows)] for block in varying.blocks])
    return Spread(sd, np.zeros((varying.count, varying.count)), 0.0, np.zeros(n_terms))


class Laws:
    """The Gaussian laws of the blocks, and which effects stand in which terms."""

    def __init__(self, problem: Problem) -> None:
        varying = problem.varying
        assert varying is not None
        self.varying, self.blocks, self.places = varying, varying.blocks, problem.effect_places
        self.structures = [block.structure() for block in self.blocks]
        self.anchors = [block.anchor() for block in self.blocks]
        terms = problem.terms
        first = problem.effect_places.start - problem.n_linear
        self.n_terms, self.kind = len(terms.linear), terms.kind
        own = np.flatnonzero(terms.shape.index >= first)
        self.pair_kind, self.pair_one, self.pair_other = _pairs(terms.shape.owner[own], terms.shape.index[own] - first)

    @property
    def finest(self) -> EffectBlock | None:
        """The effects of pairs of actors, or of acts in them where those have their own; None where there are none."""
        own = [block for block in self.blocks if block.name in (DYAD, CHANNEL)]
        return own[-1] if own else None

    def span(self, block: EffectBlock) -> slice:
        return slice(block.first, block.first + block.count)

    def precision(self, sd: Floats) -> Floats:
        """(n, n) precision of all effects."""
        result = np.zeros((self.varying.count, self.varying.count))
        for block, one, structure, anchor in zip(self.blocks, sd, self.structures, self.anchors, strict=True):
            result[self.span(block), self.span(block)] = structure / one**2 + anchor
        return result

    def log_det(self, sd: Floats) -> float:
        """Log determinant of the precision."""
        found = 0.0
        for block, one in zip(self.blocks, sd, strict=True):
            found -= 2.0 * block.rank * float(np.log(one))
            # first differences of n numbers have n as the product of their eigenvalues, the anchor has ANCHOR / n
            found += len(block.labels) * float(np.log(ANCHOR)) if block.rows else 0.0
        return found

    def variance(self, covariance: Floats) -> Floats:
        """(T,) variance of the log rate of every term."""
        both = covariance[self.pair_one, self.pair_other]
        found = np.bincount(self.pair_kind, weights=both, minlength=int(self.kind.max(initial=-1)) + 1)
        return np.asarray(np.maximum(found, 0.0)[self.kind], np.float64)

    def taken(self, spread: Spread, blocks: tuple[EffectBlock, ...], found: Spread) -> Spread:
        """A spread with what was found for blocks of another problem, as far as these are the same."""
        sd, covariance = spread.sd, spread.covariance.copy()
        known = {block.name: one for block, one in zip(blocks, found.sd, strict=True)}
        sd = np.array([known.get(block.name, one) for block, one in zip(self.blocks, sd, strict=True)])
        own, old = shared_effects(self.blocks, blocks)
        covariance[np.ix_(own, own)] = found.covariance[np.ix_(old, old)]
        return Spread(sd, covariance, 0.0, self.variance(covariance))

    def edf(self, spread: Spread) -> Floats:
        """(blocks,) effective degrees of freedom: how many numbers the events make of each block."""
        return np.array(
            [
                block.rank - float((structure * spread.covariance[self.span(block), self.span(block)]).sum()) / one**2
                for block, structure, one in zip(self.blocks, self.structures, spread.sd, strict=True)
            ]
        )

    def improved(self, effects: Floats, spread: Spread) -> Floats:
        """(blocks,) standard deviations after a step of Fellner and Schall's."""
        result = spread.sd.copy()
        for k, edf in enumerate(self.edf(spread)):
            own = effects[self.span(self.blocks[k])]
            size = float(own @ self.structures[k] @ own)
            result[k] = np.sqrt(size / max(edf, 1e-10))
        return self.clipped(result)

    def clipped(self, sd: Floats) -> Floats:
        """Standard deviations within their bounds."""
        return np.clip(sd, [LEAST_SD[bool(block.rows)] for block in self.blocks], MOST_SD)


def _pairs(owner: Ints, index: Ints) -> tuple[Ints, Ints, Ints]:
    """(owner, effect, other effect) for every pair of effects of one owner."""
    order = np.argsort(owner, kind="stable")
    owner, index = owner[order], index[order]
    terms, begin, count = np.unique(owner, return_index=True, return_counts=True)
    many = count**2
    term = np.repeat(terms, many)
    at = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    width, base = np.repeat(count, many), np.repeat(begin, many)
    return term.astype(np.int64), index[base + at // width], index[base + at % width]


class VaryingObjective:
    """The bound at given half-lives; see `Objective`. `spread` is replaced as the climb learns it."""

    def __init__(self, plain: Objective, laws: Laws, spread: Spread) -> None:
        self.plain, self.laws, self.terms = plain, laws, plain.terms
        self.rows, self.unexplained, self.weight, self.replies = (
            plain.rows, plain.unexplained, plain.weight, plain.replies
        )  # fmt: skip
        self.is_settled = False
        """Whether spread and laws are held where they are while parameters move."""
        self.kept = np.zeros(len(laws.blocks), bool)
        """Blocks whose standard deviation stays as it is."""
        self.tilt = np.zeros(laws.varying.count)
        """Slope of the log of the effects' law beside its Gaussian part."""
        self.hold(spread)

    def roomy(self, sd: float) -> VaryingObjective:
        """The same, not settled, with room for whatever rate each pair of actors, or each act in it, has.

        The law is flat in the rate, not in its logarithm: that would hold small rates likely and leave an event a pair
        to answers.
        """
        finest = self.laws.finest
        wide = np.array([block is finest for block in self.laws.blocks], bool)
        found = VaryingObjective(
            self.plain,
            self.laws,
            replace(self.spread, sd=np.where(wide, np.maximum(self.spread.sd, sd), self.spread.sd)),
        )
        found.kept = wide
        if finest is not None:
            found.tilt[self.laws.span(finest)] = 1.0
        return found

    def with_answers_of(self, other: VaryingObjective, moved: NDArray[np.bool_]) -> VaryingObjective | None:
        """See `Objective`."""
        plain = self.plain.with_answers_of(other.plain, moved)
        return None if plain is None else VaryingObjective(plain, self.laws, other.spread)

    def hold(self, spread: Spread) -> None:
        self.spread = spread
        self.precision = self.laws.precision(spread.sd)
        deviation = np.sqrt(spread.variance)
        self.sides = [(1.0, None)] if not deviation.any() else [(0.5, np.exp(deviation)), (0.5, np.exp(-deviation))]
        self.lift = np.exp(0.5 * spread.variance)
        self.own = 0.5 * (self.laws.log_det(spread.sd) + spread.log_det + len(self.precision))
        self.own -= 0.5 * float((self.precision * spread.covariance).sum())

    def evaluate(self, parameters: Floats, curved: bool = True) -> tuple[float, Floats, Floats]:
        """(value, gradient, Hessian) at parameters (linear, log); the Hessian is zeros unless `curved`."""
        terms, exposure = self.terms, self.rows.exposure
        slope = terms.slopes(parameters[terms.n_linear :])
        linear = parameters[: terms.n_linear][terms.linear]
        lifted = slope * self.lift
        value = self.own + self.plain.constant - float(exposure @ (lifted * linear))
        gradient = terms.chain(-exposure, lifted, lifted * linear)
        n = len(parameters)
        hessian: Floats | None = None
        pulls = -exposure * lifted
        for share, times in self.sides:
            moved = slope if times is None else slope * times
            seen, by, pull, bent = self.plain.seen(moved, moved * linear, curved)
            if not np.isfinite(seen):
                return -np.inf, gradient, np.zeros((n, n))
            value += share * seen
            gradient += share * by
            if curved:
                bent *= share
                hessian = bent if hessian is None else np.add(hessian, bent, out=hessian)
                pulls += share * pull * moved
        at = self.laws.places
        away = self.precision @ parameters[at]
        value += float(self.tilt @ parameters[at]) - 0.5 * float(parameters[at] @ away)
        gradient[at] += self.tilt - away
        if hessian is None:
            return float(value), gradient, np.zeros((n, n))
        hessian += terms.bend(pulls, np.ones_like(pulls), linear)
        hessian[at, at] -= self.precision
        return float(value), gradient, hessian

    def decay_gradient(self, parameters: Floats, kernel_start: Ints) -> Floats:
        """(kernel components,) derivative of the value by the log decays; the pass must have been `sloped`."""
        found = [share * self.plain.decay_gradient_at(parameters, kernel_start, times) for share, times in self.sides]
        return np.asarray(sum(found))

    def expected(self, parameters: Floats) -> Floats:
        """(T,) expected count of every term."""
        found: Floats = self.plain.expected(parameters) * self.lift
        return found

    def spread_at(self, hessian: Floats, sd: Floats) -> Spread:
        """What is believed of the effects where the value has this Hessian."""
        at = self.laws.places
        covariance, log_det = _inverse(-hessian[at, at])
        return Spread(sd, covariance, log_det, self.laws.variance(covariance))


def _inverse(matrix: Floats) -> tuple[Floats, float]:
    """(inverse of a positive definite matrix, log determinant of the inverse); eigenvalues are kept above 0."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-8))
    scaled = matrix * scale[:, None] * scale[None, :]
    factor, failed = linalg.lapack.dpotrf(scaled, lower=1)
    if not failed:
        log_det = -2.0 * float(np.log(np.diag(factor)).sum())
        below, _ = linalg.lapack.dpotri(factor, lower=1)
        inverse = np.tril(below)
        inverse += np.tril(inverse, -1).T
    else:
        values, vectors = linalg.eigh(scaled)
        values = np.maximum(values, 1e-4)
        inverse, log_det = (vectors / values) @ vectors.T, -float(np.log(values).sum())
    return inverse * scale[:, None] * scale[None, :], log_det + 2.0 * float(np.log(scale).sum())
