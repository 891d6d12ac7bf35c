"""The log likelihood of what was seen, near a set of parameters, from completed data.

In: days drawn at one set of parameters (the *centre*). Out: an `Average`, evaluated like any other objective:

    mean over draws of log p(completed; x)  +  (x - centre)' V (x - centre) / 2

V is the covariance of the completed scores at the centre: what was missing. The mean alone (V left out) is the Q of EM:
its slope at the centre is that of the log likelihood of what was seen, but it curves as if every day had been known;
with V it curves as the log likelihood of what was seen does. Beyond that the two agree to the second order.
Sources: Dempster, Laird & Rubin (1977), JRSS B 39, 1-38; Louis (1982), JRSS B 44, 226-233.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day import DayRows, day_pass
from powderkeg.fit.days.possible import Possible
from powderkeg.fit.likelihood.objective import Objective, reached_rows, take_day_rows
from powderkeg.fit.likelihood.problem import Problem


@dataclass(frozen=True)
class Missing:
    """What the unknown days take away, at a centre; over the whole vector.

    covariance  of the completed scores
    tilt        mean of the completed scores over all draws less that over the draws of the average: many more draws can
                be scored than kept
    """

    centre: Floats
    covariance: Floats
    tilt: Floats


@dataclass(frozen=True)
class Average(Objective):
    """Mean of completed log likelihoods; with what was missing taken off where that is known.

    missing          None: the mean alone
    beyond           (decays,) how far the log decays of this pass lie from the centre's
    component_decay  (components,) which decay parameter each component has, or -1
    """

    missing: Missing | None = None
    beyond: Floats = field(default_factory=lambda: np.zeros(0))
    component_decay: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def evaluate(self, parameters: Floats, curved: bool = True) -> tuple[float, Floats, Floats]:
        value, gradient, hessian = super().evaluate(parameters, curved)
        if self.missing is None or not np.isfinite(value):
            return value, gradient, hessian
        n = len(parameters)
        away = np.concatenate([parameters - self.missing.centre[:n], self.beyond])
        lack = self.missing.covariance @ away
        value += float(away @ (0.5 * lack + self.missing.tilt))
        if curved:
            hessian = hessian + self.missing.covariance[:n, :n]
        return value, gradient + (lack + self.missing.tilt)[:n], hessian

    def decay_gradient(self, parameters: Floats, kernel_start: Ints) -> Floats:
        result = super().decay_gradient(parameters, kernel_start)
        if self.missing is not None:
            n = len(parameters)
            away = np.concatenate([parameters - self.missing.centre[:n], self.beyond])
            lack = (self.missing.covariance @ away + self.missing.tilt)[n:]
            for k, value in enumerate(lack):  # the components of one half-life are summed up again: any may carry it
                result[np.flatnonzero(self.component_decay == k)[0]] += value
        return result

    def with_answers_of(self, other: Self, moved: NDArray[np.bool_]) -> Self | None:
        """None: what is missing hangs on all half-lives at once."""
        return None


def average(
    problem: Problem, possible: Possible, draws: Sequence[Ints], vector: Floats, sloped: bool, missing: Missing | None
) -> Average:
    """The average over these days at the decays of `vector`."""
    decay = problem.decay(vector)
    parts, lost = [], np.zeros(len(possible.channel))
    able = (problem.terms.factor > 0) & ~problem.dead[problem.terms.linear]
    for day in draws:
        data, order = possible.completed(day)
        whole = data.time.astype(np.int64)
        rows = day_pass(problem.design, decay, whole, data.channel, round(data.days), sloped)
        reached = reached_rows(rows, able)
        if not reached.all():
            cells = set(zip(rows.channel[~reached].tolist(), rows.day[~reached].tolist(), strict=True))
            gone = [k for k, key in enumerate(zip(data.channel.tolist(), whole.tolist(), strict=True)) if key in cells]
            lost[order[gone]] += 1.0
            rows, _ = take_day_rows(rows, reached)
        parts.append(rows)
    rows = _joined(parts)
    weight = np.full(len(rows.block) - 1, 1.0 / len(parts))
    beyond = np.zeros(0) if missing is None else (vector - missing.centre)[problem.n_smooth :]
    unexplained = np.flatnonzero(2.0 * lost > len(parts)).astype(np.int64)
    return Average(problem.terms, rows, 0.0, unexplained, weight, None, missing, beyond, problem.component_decay)


def score(problem: Problem, possible: Possible, day: Ints, vector: Floats) -> Floats:
    """Gradient of the completed log likelihood over the whole vector."""
    one = average(problem, possible, [day], vector, True, None)
    smooth = one.evaluate(vector[: problem.n_smooth], False)[1]
    by_component = one.decay_gradient(vector[: problem.n_smooth], problem.kernel_start)
    return np.concatenate([smooth, problem.decay_gradient(by_component)])


def _joined(parts: Sequence[DayRows]) -> DayRows:
    """Rows of several passes one after the other; exposures are their mean."""

    def shifted(name: str, by: Sequence[int]) -> Ints:
        return np.concatenate([getattr(p, name) + k for p, k in zip(parts, by, strict=True)])

    def starts(name: str, sizes: Sequence[int]) -> Ints:
        offset = np.concatenate([[0], np.cumsum(sizes)])
        tails = [getattr(p, name)[1:] + k for p, k in zip(parts, offset, strict=False)]
        return np.concatenate([np.zeros(1, np.int64), *tails]).astype(np.int64)

    def joined(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(p, name) for p in parts])

    n_rows = [len(p.acts) for p in parts]
    before = np.concatenate([[0], np.cumsum(n_rows)])[:-1].tolist()
    share = 1.0 / len(parts)
    return DayRows(
        start=starts("start", [len(p.term) for p in parts]),
        term=shifted("term", [0] * len(parts)),
        value=joined("value"),
        acts=joined("acts"),
        block=starts("block", n_rows),
        echo_start=starts("echo_start", [len(p.echo_from) for p in parts]),
        echo_from=shifted("echo_from", before),
        echo_term=shifted("echo_term", [0] * len(parts)),
        echo_value=joined("echo_value"),
        exposure=np.sum([p.exposure for p in parts], axis=0) * share,
        bend=joined("bend"),
        echo_bend=joined("echo_bend"),
        exposure_bend=np.sum([p.exposure_bend for p in parts], axis=0) * share,
        channel=shifted("channel", [0] * len(parts)),
        day=shifted("day", [0] * len(parts)),
    )
