"""Do the events behave as the fitted process would have them?

In: a fitted point and its streams. Out: `HawkesResiduals`: tests in which a right fit fails no more often than said.

- `ground`: all events on the clock of the whole process. Between them lie waits of the exponential law with mean 1.
- `types`: every type on its own clock, laid end to end; the wait that the end of the window cuts off goes on in the
  next type. (Pooling each type's waits and dropping the cut ones rejects right models 15 to 27 times in 100.)
- `counts`: events less expected events, by type and twentieth of the window, against their own spread: chi-square.

By day only `counts` exists: within a day there is no order. Parameters come from the same events, so a right fit fails
even less often than the p-values say. Source: Brown et al. (2002), Neural Comput. 14(2), 325-346, for the first two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats
from powderkeg.hawkes.by_day import DayLikelihood, DayPoint
from powderkeg.hawkes.exact import ExactLikelihood, Point
from powderkeg.wording import chance

BLOCKS = 20
LEAST_EXPECTED = 5.0
"""Events that a block must expect of a type to count."""


@dataclass(frozen=True)
class HawkesResiduals:
    """tests: name -> statistic, p, n; counts: (types, blocks) events less expected, in standard deviations;
    waits: transformed waits of the ground process (exact times; empty by day), Exp(1) if the fit is right."""

    tests: Mapping[str, Mapping[str, float]]
    counts: Floats
    waits: Floats

    @property
    def failed(self) -> tuple[str, ...]:
        """Tests with p below 0.05."""
        return tuple(name for name, test in self.tests.items() if test["p"] < 0.05)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"tests": {name: dict(test) for name, test in self.tests.items()}, "failed": list(self.failed)}

    def summary(self) -> str:
        """The tests as lines."""
        titles = {"ground": "waits between events, all types", "types": "waits between events, type by type",
                  "counts": "events by type and part of the window"}  # fmt: skip
        return "\n".join(
            f"{titles[name]:<40} p {chance(test['p'])}" + ("" if test["p"] >= 0.05 else "  does not fit")
            for name, test in self.tests.items()
        )


def exact_residuals(rows: ExactLikelihood, point: Point) -> HawkesResiduals:
    """All three tests; several histories one after another on the clocks of the process."""
    d = rows.layout
    parts = rows.streams.histories()
    n_blocks = max(BLOCKS // len(parts), 1)
    passed, by_type = 0.0, np.zeros(d.n_types)
    ground, own_clock, seen, expected = [], [], [], []
    for s in parts:
        mine = ExactLikelihood(s, d)
        own, every, end = mine.compensators(point)
        ground.append(passed + every)
        own_clock.append((s.kind, by_type[s.kind] + own))
        passed += float(end.sum())
        by_type = by_type + end
        bounds = np.linspace(0.0, s.days, n_blocks + 1)
        expected.append(_expected(mine, point, bounds))
        counts = np.zeros((d.n_types, n_blocks))
        block = np.clip(np.searchsorted(bounds, s.time, side="right") - 1, 0, n_blocks - 1)
        np.add.at(counts, (s.kind, block), 1.0)
        seen.append(counts)
    waits = np.diff(np.concatenate(ground), prepend=0.0)
    before = np.concatenate([[0.0], np.cumsum(by_type)])
    joined = np.sort(np.concatenate([before[kind] + clock for kind, clock in own_clock]))
    tests = {"ground": _exponential(waits), "types": _exponential(np.diff(joined, prepend=0.0))}
    left, tests["counts"] = _chi_square(np.concatenate(seen, axis=1), np.concatenate(expected, axis=1))
    return HawkesResiduals(tests, left, waits)


def _exponential(waits: Floats) -> dict[str, float]:
    from scipy import stats  # a second to import, and only these tests ask for it

    found = stats.kstest(waits, "expon")
    return {"statistic": float(found.statistic), "p": float(found.pvalue), "n": float(len(waits))}


def _expected(rows: ExactLikelihood, point: Point, bounds: Floats) -> Floats:
    """(C, blocks) expected events given the past: background, and what each past event had left to give."""
    s, d = rows.streams, rows.layout
    pieces = point.a[d.is_background].reshape(d.n_types, d.n_pieces)
    ends = np.append(d.cut[:-1], s.days)
    risen = np.concatenate([np.zeros((d.n_types, 1)), np.cumsum(pieces * np.diff(ends), axis=1)], axis=1)
    result = np.diff(np.array([np.interp(bounds, ends, row) for row in risen]), axis=1)
    given = np.zeros((len(d.column_decay), len(bounds)))
    for j in range(d.n_types):
        mine = s.time[s.kind == j]
        for column in range(j, len(d.column_decay), d.n_types):
            decay = point.decay[d.column_decay[column]]
            for b, bound in enumerate(bounds):
                past = mine[: np.searchsorted(mine, bound)]
                given[column, b] = -np.expm1(-decay * (bound - past)).sum()
    share = np.diff(given, axis=1)
    np.add.at(result, d.link_target, point.a[d.link_places][:, None] * share[d.in_column])
    return result


def _chi_square(seen: Floats, expected: Floats) -> tuple[Floats, dict[str, float]]:
    """Counts of a process given its past are uncorrelated, with the variance of their expectation."""
    enough = expected >= LEAST_EXPECTED
    z = np.where(enough, (seen - expected) / np.sqrt(np.maximum(expected, 1e-12)), 0.0)
    return z, {
        "statistic": float((z**2).sum()), "p": float(special.chdtrc(max(int(enough.sum()), 1), (z**2).sum())),
        "n": float(enough.sum()),
    }  # fmt: skip


def day_residuals(rows: DayLikelihood, point: DayPoint) -> HawkesResiduals:
    """Counts by type and block. Events of one day answer each other, so they spread more than their mean and go
    together across types: mean (I - K)^-1 lambda, covariance (I - K)^-1 diag(mean) (I - K)^-T, days uncorrelated."""
    from scipy import signal  # a second to import

    s, d = rows.streams, rows.layout
    c, days = d.n_types, round(s.days)
    counts = np.zeros((c, days))
    np.add.at(counts, (s.kind, s.time.astype(np.int64)), 1.0)
    rate = np.zeros((c, days))
    pieces = point.a[d.is_background].reshape(c, d.n_pieces)
    cell = np.clip(np.searchsorted(d.cut, np.arange(days), side="right") - 1, 0, d.n_pieces - 1)
    rate += pieces[:, cell]
    same = np.zeros((c, c))  # [target, source]
    a = point.a[d.link_places]
    for g in range(d.n_decays):
        b = float(point.decay[g])
        fade = np.exp(-b)
        later = -np.expm1(-b) / b
        links = np.flatnonzero(d.link_decay == g)
        matrix = np.zeros((c, c))
        np.add.at(matrix, (d.link_target[links], d.link_source[links]), a[links])
        same += matrix * (1.0 - later)
        past = signal.lfilter([0.0, b * later * later], [1.0, -fade], counts, axis=1)
        rate += matrix @ past
    grown = np.linalg.inv(np.eye(c) - same)
    mean = grown @ rate
    block = np.minimum(np.arange(days) * BLOCKS // days, BLOCKS - 1)
    n_blocks = int(block.max()) + 1
    z = np.zeros((c, n_blocks))
    total, freedom = 0.0, 0
    for k in range(n_blocks):
        at = block == k
        left = (counts[:, at] - mean[:, at]).sum(axis=1)
        spread = grown @ np.diag(mean[:, at].sum(axis=1)) @ grown.T
        enough = np.flatnonzero(mean[:, at].sum(axis=1) >= LEAST_EXPECTED)
        if len(enough):
            z[enough, k] = left[enough] / np.sqrt(np.diag(spread)[enough])
            inner = spread[np.ix_(enough, enough)]
            total += float(left[enough] @ np.linalg.solve(inner, left[enough]))
            freedom += len(enough)
    test = {"statistic": total, "p": float(special.chdtrc(max(freedom, 1), total)), "n": float(freedom)}
    return HawkesResiduals({"counts": test}, z, np.zeros(0))
