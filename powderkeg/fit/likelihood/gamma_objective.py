"""The likelihood with the rates of channels integrated out, at exact times and by day.

In: the likelihood at given half-lives (`Objective`), a `Problem` with laws. Out: a `RandomObjective`, which gives
value, gradient and Hessian as any objective does.

At exact times the value is the marginal log-likelihood itself. By day it is a lower bound of it, the best one under
which how a day's acts are split (born on the day, or not) and how busy each channel is are independent: each is found
with the other held, in turns. At the split the bound's gradient is exact, because both are at their best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day import DayRows
from powderkeg.engine.likelihood.day_value import evaluate_days
from powderkeg.engine.likelihood.exact import Rows, evaluate_rows
from powderkeg.engine.likelihood.gamma_rates import evaluate_marginal
from powderkeg.fit.likelihood.objective import Objective
from powderkeg.fit.likelihood.problem import Problem

MOST_SPLITS = 8
"""Rounds of splitting days and integrating rates at one parameter vector."""
ROUGH = 2
"""Rounds where only a rough curvature is wanted."""
SPLIT = 3e-6
"""Mean change of log rates in a round from which they count as settled."""
DIFFERENCE = 3e-3
"""Relative step of the differences that curvature by day is taken from."""


def stands_for(problem: Problem) -> Floats:
    """(C,) how many channels each channel of the arrays stands for."""
    many = problem.model.stands_for
    n = len(problem.design.channel_ground)
    return np.ones(n) if many is None else many[:n].astype(np.float64)


def _ahead(before: list[tuple[Floats, Floats]]) -> Floats:
    """Where rounds that led from the first to the second of each pair are heading (Anderson's mixing)."""
    was, now = before[-1]
    if len(before) == 1:
        return now
    left, last = now - was, before[-2][1] - before[-2][0]
    change = left - last
    size = float((change * change).sum())
    share = float((left * change).sum()) / size if size > 0 else 0.0
    share = min(max(share, -1.0), 0.5)
    return now - share * (now - before[-2][1])


@dataclass(frozen=True)
class _Entries:
    """Entries of rows, CSR: term and value of each, and its derivatives by the log decays where asked for."""

    start: Ints
    term: Ints
    value: Floats
    bend: Floats
    factor: Ints
    """Which of the rows' factors scales an entry: 2 * row for background, 2 * row + 1 for excitation, -1 for none."""

    def take(self, order: Ints) -> _Entries:
        size = np.diff(self.start)[order]
        start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        at = np.repeat(self.start[:-1][order] - start[:-1], size) + np.arange(start[-1])
        bend = self.bend[at] if len(self.bend) else self.bend
        return _Entries(start, self.term[at], self.value[at], bend, self.factor[at])


@dataclass(frozen=True)
class _AtVector:
    """What is known at one parameter vector; rows sorted by channel, as in `RandomObjective.sorted`.

    acts       (N,) acts that a row stands for: 1, or by day those not born on their day
    mean       (J,) E[x] of each channel
    by_ground, by_past, log_rate   (N,) E[x / intensity], E[1 / intensity], E[log intensity]
    exposure   (T,) expected count per unit of coefficient, channels as busy as their events say
    born       (echoes,) acts born along each echo of a day
    """

    value: float
    gradient: Floats
    hessian: Floats
    coefficient: Floats
    pull: Floats
    acts: Floats
    mean: Floats
    by_ground: Floats
    by_past: Floats
    log_rate: Floats
    exposure: Floats
    born: Floats


def _factors(found: _AtVector) -> Floats:
    """(N, 2) what to multiply background and excitation of a row by, so that shares and sum are as expected."""
    rate = np.exp(found.log_rate)
    return np.stack([rate * found.by_ground, rate * found.by_past], axis=1)


def _past(rows: Rows | DayRows, is_ground: Ints) -> _Entries:
    """Entries of each row without what acts of its own day bore; by day, entries of one term are one."""
    n, n_terms = len(rows.start) - 1, len(rows.exposure)
    owner = np.repeat(np.arange(n), np.diff(rows.start))
    if not isinstance(rows, DayRows):
        factor = 2 * owner + (is_ground[rows.term] == 0)
        return _Entries(rows.start, rows.term, rows.value, rows.bend, factor)
    echo_owner = np.repeat(np.arange(n), np.diff(rows.echo_start))
    key, inverse = np.unique(owner * n_terms + rows.term, return_inverse=True)
    inverse = inverse.ravel()
    full = np.bincount(inverse, weights=rows.value, minlength=len(key))
    at = np.searchsorted(key, echo_owner * n_terms + rows.echo_term)
    echo = np.bincount(at, weights=rows.echo_value, minlength=len(key))
    value = np.where(echo > 0, np.where(full - echo > 1e-11 * full, full - echo, 0.0), full)
    bend = rows.bend
    if len(bend):
        bend = np.zeros((len(key), rows.bend.shape[1]))
        np.add.at(bend, inverse, rows.bend)
        np.subtract.at(bend, at, rows.echo_bend)
    kept = value > 0
    row, term = np.divmod(key[kept], n_terms)
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
    term = term.astype(np.int64)
    factor = 2 * row + (is_ground[term] == 0)
    return _Entries(start, term, value[kept], bend[kept] if len(bend) else bend, factor)


def _past_and_echoes(rows: DayRows, past: _Entries) -> _Entries:
    """Entries of the past, then those of the same day."""
    n = len(rows.acts)
    sizes = np.diff(past.start), np.diff(rows.echo_start)
    owner = np.concatenate([np.repeat(np.arange(n), size) for size in sizes])
    order = np.argsort(owner, kind="stable")
    return _Entries(
        np.concatenate([[0], np.cumsum(sizes[0] + sizes[1])]).astype(np.int64),
        np.concatenate([past.term, rows.echo_term])[order],
        np.concatenate([past.value, rows.echo_value])[order],
        np.concatenate([past.bend, rows.echo_bend])[order] if len(past.bend) else past.bend,
        np.concatenate([past.factor, np.full(len(rows.echo_term), -1)])[order],
    )


class RandomObjective:
    """The likelihood at given half-lives with the rates of channels integrated out; see `Objective`.

    plain   the likelihood whose rows it reads
    start   (rows, 2) by day: how a first split of each channel-day weighs background and excitation; filled in place
    """

    def __init__(self, plain: Objective, problem: Problem, start: Floats) -> None:
        self.plain, self.problem, self.terms, self.factors = plain, problem, plain.terms, start
        self.rows, self.unexplained, self.weight = plain.rows, plain.unexplained, plain.weight
        d, rows = problem.design, plain.rows
        n_laws, stands = len(problem.law_rates), stands_for(problem)
        self.shape_place = np.arange(problem.n_smooth - n_laws, problem.n_smooth)
        ground_of = np.full(d.n_terms, -1, np.int64)
        for b in range(len(d.ground_term)):
            first = d.ground_term[b]
            ground_of[first : first + d.pair_size[d.ground_pair[b]] * d.n_shapes] = b
        self.ground_of = ground_of
        self.is_ground = (ground_of >= 0).astype(np.int64)
        law_of_rate = np.full(problem.n_rates, -1, np.int64)
        law_of_rate[problem.law_rates] = np.arange(n_laws)
        self.ground_law = law_of_rate[d.term_linear[d.ground_term]]
        self.scale_of = d.channel_scale / stands

        by_day = isinstance(rows, DayRows)
        self.row_channel = rows.channel if isinstance(rows, DayRows) else problem.data.channel[rows.event]
        self.past = _past(rows, self.is_ground)
        self.order = np.argsort(self.row_channel, kind="stable")
        self.sorted = self.past.take(self.order)
        self.owner = np.repeat(np.arange(len(self.order)), np.diff(self.sorted.start))
        if by_day:
            self.both = _past_and_echoes(rows, self.past)  # type: ignore[arg-type]
            self.past_owner = np.repeat(np.arange(len(self.order)), np.diff(self.past.start))
        present, count = np.unique(self.row_channel, return_counts=True)
        self.present = present
        row_start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        # channels without events: one for each ground and scale stands for all of them
        silent = np.ones(len(stands), bool)
        silent[present] = False
        silent &= self.ground_law[d.channel_ground] >= 0
        kinds, kind = np.unique(
            np.stack([d.channel_ground[silent].astype(np.float64), self.scale_of[silent]]), axis=1, return_inverse=True
        )
        many = np.bincount(kind.ravel(), weights=stands[silent], minlength=kinds.shape[1])
        self.row_start = np.concatenate([row_start, np.full(kinds.shape[1], row_start[-1])]).astype(np.int64)
        self.ground = np.concatenate([d.channel_ground[present], kinds[0].astype(np.int64)]).astype(np.int64)
        self.scale = np.concatenate([self.scale_of[present], kinds[1]])
        self.count = np.concatenate([np.ones(len(present)), many])
        self.law = self.ground_law[self.ground]
        # expected background of each ground for one channel of scale 1
        on = np.flatnonzero(self.is_ground)
        per_unit = rows.exposure[on] / np.maximum(d.ground_scale[ground_of[on]], 1e-300)
        self.unit = sparse.csr_matrix((per_unit, (ground_of[on], on)), shape=(len(d.ground_term), d.n_terms))
        self.lawless = np.where((ground_of >= 0) & (self.ground_law[np.maximum(ground_of, 0)] >= 0), 0.0, rows.exposure)

    def evaluate(self, parameters: Floats, curved: bool = True) -> tuple[float, Floats, Floats]:
        """(value, gradient, Hessian), as `Objective.evaluate`; by day the value is the bound of the split.

        By day the Hessian is that of differences of the gradient over what is free: the split follows the parameters.
        """
        by_day = isinstance(self.rows, DayRows)
        found = self.at(parameters, curved and not by_day)
        if not (curved and by_day):
            return found.value, found.gradient, found.hessian
        hessian = np.zeros_like(found.hessian)
        free = np.flatnonzero(~self.problem.held[: len(parameters)])
        for p in free:
            width = DIFFERENCE * max(abs(parameters[p]), 1e-6 if p < self.terms.n_linear else 0.1)
            moved = parameters.copy()
            moved[p] += width
            hessian[free, p] = (self.at(moved, False).gradient - found.gradient)[free] / width
        return found.value, found.gradient, 0.5 * (hessian + hessian.T)

    def decay_gradient(self, parameters: Floats, kernel_start: Ints) -> Floats:
        """(kernel components,) derivative of the value by the log decays; the pass must have been sloped."""
        found = self.at(parameters, False)
        terms, rows, coefficient = self.terms, self.rows, found.coefficient
        result = np.zeros(int(kernel_start[-1]))
        n_rates = terms.n_linear - (len(kernel_start) - 1)
        width = np.diff(kernel_start)

        def add(term: Ints, amount: Floats, bend: Floats) -> None:
            mechanism = terms.linear[term] - n_rates
            for k in range(bend.shape[1]):
                has = (mechanism >= 0) & (width[np.maximum(mechanism, 0)] > k)
                np.add.at(result, kernel_start[mechanism[has]] + k, amount[has] * bend[has, k])

        by_past = (found.acts * found.by_past)[self.owner]
        add(self.sorted.term, by_past * coefficient[self.sorted.term], self.sorted.bend)
        add(np.arange(len(coefficient)), -coefficient, rows.exposure_bend)
        if isinstance(rows, DayRows):
            add(rows.echo_term, found.born / np.maximum(rows.echo_value, 1e-300), rows.echo_bend)
        return result

    def expected(self, parameters: Floats) -> Floats:
        """(T,) expected count of every term."""
        found = self.at(parameters, False)
        result: Floats = found.exposure * found.coefficient
        return result

    def with_answers_of(self, other: RandomObjective, moved: NDArray[np.bool_]) -> RandomObjective | None:
        """See `Objective`."""
        plain = self.plain.with_answers_of(other.plain, moved)
        return None if plain is None else RandomObjective(plain, self.problem, self.factors)

    def as_plain(self, parameters: Floats) -> Objective:
        """The likelihood with background and excitation of each row as likely as its channel's law makes them."""
        found = self.at(parameters, False, logs=True)
        factors = np.empty((len(self.order), 2))
        factors[self.order] = _factors(found)
        entries = self.both if isinstance(self.rows, DayRows) else self.past
        value = self._scaled(entries, factors)
        rows = self.rows._replace(start=entries.start, term=entries.term, value=value, bend=entries.bend)
        return replace(self.plain, rows=rows)

    def at(self, parameters: Floats, curved: bool, logs: bool = False) -> _AtVector:
        """Everything that is known at these parameters."""
        terms, d = self.terms, self.problem.design
        slope = terms.slopes(parameters[terms.n_linear :])
        coefficient = slope * parameters[: terms.n_linear][terms.linear]
        by_linear = self.unit.multiply(slope[None, :]).tocsr() @ terms.by_linear.T
        by_log = self.unit.multiply(coefficient[None, :]).tocsr() @ terms.x
        ground_slope = np.ascontiguousarray(sparse.hstack([by_linear, by_log]).toarray())
        ground_total = self.unit @ coefficient
        shape = np.exp(parameters[self.shape_place])

        def marginal(acts: Floats, bent: bool, logs: bool) -> _AtVector:
            entries = self.sorted
            value, by_shape, pull, hessian, mean, by_ground, by_past, log_rate = evaluate_marginal(
                self.row_start, entries.start, entries.term, entries.value, acts, self.is_ground, coefficient, slope,
                terms.linear, terms.x_start, terms.x_index, terms.x_value, terms.n_linear, terms.n_log, self.law,
                shape, self.shape_place, self.ground, self.scale, self.count, ground_total, ground_slope, bent, logs,
            )  # fmt: skip
            gradient = np.zeros(terms.n_linear + terms.n_log)
            gradient[self.shape_place] = by_shape
            return _AtVector(
                value, gradient, hessian, coefficient, pull, acts, mean, by_ground, by_past, log_rate,
                self.rows.exposure, np.zeros(0),
            )  # fmt: skip

        if isinstance(self.rows, DayRows):
            found = self._split(marginal, coefficient, slope, curved)
        else:
            found = marginal(np.ones(len(self.order)), curved, logs)
        if not np.isfinite(found.value):
            return replace(found, value=-np.inf)
        # exposure of the background, each channel as busy as its events say
        total = np.bincount(self.ground, weights=self.count * found.mean * self.scale, minlength=len(d.ground_term))
        share = np.where(self.ground_law >= 0, total / np.maximum(d.ground_scale, 1e-300), 1.0)
        exposure = self.rows.exposure * np.where(self.is_ground > 0, share[self.ground_of], 1.0)
        pull = found.pull
        if isinstance(self.rows, DayRows):
            per_unit = found.born / np.maximum(coefficient[self.rows.echo_term], 1e-300)
            pull = pull + np.bincount(self.rows.echo_term, weights=per_unit, minlength=len(coefficient))
        return replace(
            found,
            value=float(found.value + self.plain.constant - self.lawless @ coefficient),
            gradient=found.gradient + terms.chain(pull - exposure, slope, coefficient),
            hessian=found.hessian + terms.bend(pull - exposure, slope, coefficient) if curved else found.hessian,
            exposure=exposure,
        )

    def _scaled(self, entries: _Entries, factors: Floats) -> Floats:
        """Values of entries with background and excitation of the past weighed by row."""
        result: Floats = entries.value * np.take(np.append(factors.ravel(), 1.0), entries.factor)
        return result

    def _split(
        self, marginal: Callable[[Floats, bool, bool], _AtVector], coefficient: Floats, slope: Floats, curved: bool
    ) -> _AtVector:
        """Split each day's acts and integrate rates until both agree: the best bound of its kind.

        With the law of each rate held, a day is split as if row i's intensity were exp(E[log intensity]); with the
        split held, each rate has a law of its own given the acts that were not born on their day.
        """
        rows, terms = self.rows, self.terms
        assert isinstance(rows, DayRows)
        shape = (terms.linear, terms.x_start, terms.x_index, terms.x_value, terms.n_linear, terms.n_log)
        echo_owner = np.repeat(np.arange(len(rows.acts)), np.diff(rows.echo_start))

        def days(bent: bool) -> Any:
            value = self._scaled(self.both, self.factors)
            return evaluate_days(
                self.both.start, self.both.term, value, rows.acts, rows.block, self.weight, rows.echo_start,
                rows.echo_from, rows.echo_term, rows.echo_value, coefficient, slope, *shape, bent,
            )  # fmt: skip

        if np.isnan(self.factors).any():
            # Begun with every act of a day counted as none of its own: begun with idle pairs as busy as the rest, acts
            # of a day are taken for answers to each other, and it takes very many turns to find out.
            found = marginal(rows.acts[self.order], False, True)
            if not np.isfinite(found.value):
                return replace(found, value=-np.inf, born=np.zeros(len(rows.echo_from)))
            self.factors[self.order] = _factors(found)
        before: list[tuple[Floats, Floats]] = []
        for turn in range(MOST_SPLITS):
            day = days(False)
            value = self._scaled(self.past, self.factors)
            intensity = np.bincount(
                self.past_owner, weights=coefficient[self.past.term] * value, minlength=len(rows.acts)
            )
            acts = np.maximum(day[4] * intensity, 0.0)
            found = marginal(acts[self.order], False, True)
            if not np.isfinite(found.value + day[0]):
                return replace(found, value=-np.inf, born=np.zeros(len(rows.echo_from)))
            bound = float(found.value + day[0] - acts @ np.log(np.maximum(intensity, 1e-300)))
            fresh = np.empty_like(self.factors)
            fresh[self.order] = _factors(found)
            was, now = np.log(np.maximum(self.factors, 1e-300)), np.log(np.maximum(fresh, 1e-300))
            if turn == (ROUGH if curved else MOST_SPLITS) - 1 or float(np.abs(now - was).mean()) < SPLIT:
                break
            before.append((was, now))
            self.factors[:] = np.exp(_ahead(before))
        born = coefficient[rows.echo_term] * rows.echo_value * (day[4][echo_owner] + day[5])
        found = replace(found, value=bound, born=born)
        if not curved:
            return found
        bent = marginal(acts[self.order], True, False)
        held = evaluate_rows(
            self.past.start, self.past.term, value, acts, coefficient, slope, *shape, True
        )[3]  # fmt: skip
        return replace(found, hessian=bent.hessian + days(True)[3] - held)
