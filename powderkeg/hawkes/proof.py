"""Is it the maximum, and how far off can it be?

In: a point where a climb ended. Out: a `Proof`, on which `converged` rests.

- Known decays at exact times: the log-likelihood is concave in background and links, so what is missing can be bounded.
  For n events of a channel with intensities l = a . X, the weights s / l with s = min over columns of cost / (sum of
  X / l) are feasible for the dual problem; the gap between the two is (a . cost - n) - n log s, in nats. It rests on
  sums over the events alone, not on how the point was found.
- By day nothing so sharp is known (the determinant that couples types is not concave): what Newton's step on the exact
  second derivatives would still gain, and that they turn down in every direction that is free.
- Unknown decays: the same two things for them, the coefficients following.

Source: Boyd & Vandenberghe (2004), Convex Optimization, sec. 5.5 and 9.5.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from powderkeg.engine.arrays import Floats
from powderkeg.hawkes.by_day import DayLikelihood, DayPoint
from powderkeg.hawkes.exact import ExactLikelihood, Point
from powderkeg.hawkes.standard_errors import StandardErrors, day_spread, definite, exact_spread

LITTLE = 0.01
"""Nats that may be missing at a maximum: a hundredth of what an estimate moves the likelihood by chance."""


class Proof(NamedTuple):
    """spread    errors, None under a penalty
    gradient  largest step, in standard errors, that the gradient still asks for
    missing   nats that the log-likelihood (less penalty) can be short of its greatest value: at exact times and given
              decays for certain, else as far as the second derivatives tell
    is_top    whether the second derivatives turn down in every direction that is free"""

    spread: StandardErrors | None
    gradient: float
    missing: float
    is_top: bool

    @property
    def holds(self) -> bool:
        return self.is_top and self.missing < LITTLE


def prove(rows: ExactLikelihood | DayLikelihood, point: Point | DayPoint, free: NDArray[np.bool_]) -> Proof:
    """free  (G,) decays that were sought and stand inside their bounds"""
    if isinstance(rows, ExactLikelihood) and isinstance(point, Point):
        return _exact(rows, point, free)
    assert isinstance(rows, DayLikelihood) and isinstance(point, DayPoint)
    return _by_day(rows, point, free)


def gaps(rows: ExactLikelihood, point: Point) -> Floats:
    """(C,) how many nats each channel can be short of its best at the point's decays, at most."""
    d = rows.layout
    cost = rows.cost(rows.exposures(point.decay, 0)[0])
    pull = point.gradient + cost
    result = np.zeros(d.n_types)
    for i, n in enumerate(rows.counts):
        here = d.of(i)
        able = (rows.held[here] == 0) & (pull[here] > 0)
        if n == 0 or not able.any():
            continue
        charged = float(point.a[here] @ cost[here])
        share = float((cost[here][able] / pull[here][able]).min())
        result[i] = max((charged - n) - n * math.log(share), 0.0) if share > 0 else math.inf
    return result


def _exact(rows: ExactLikelihood, point: Point, free: NDArray[np.bool_]) -> Proof:
    spread = None if rows.penalty.any() else exact_spread(rows, point, free)
    missing = gaps(rows, point)
    # Newton's decrement is a second bound: the likelihood is self-concordant. It is the sharper one for rare types.
    small = point.decrement < 0.1
    missing = np.where(small, np.minimum(missing, 2.0 * point.decrement), missing)
    diagonal = rows.diagonal(point)
    stands = (point.a == 0) & (rows.held == 0)
    push = np.where(stands & (diagonal > 0), point.gradient / np.sqrt(np.maximum(diagonal, 1e-300)), 0.0)
    steps = [math.sqrt(float(point.decrement.sum())), float(push.max(initial=0.0))]
    gain, is_top = 0.0, True
    moving = np.flatnonzero(free & (np.diag(point.curve) != 0.0))
    if len(moving):
        gain, is_top = _left(point.slope[moving], -point.curve[np.ix_(moving, moving)])
    if spread is not None and free.any():
        asks = np.abs(point.slope) * np.sqrt(np.diag(spread.decays))
        steps.append(float(np.nanmax(np.where(free, asks, 0.0), initial=0.0)))
    return Proof(spread, max(steps), float(missing.sum()) + gain, is_top)


def _by_day(rows: DayLikelihood, point: DayPoint, free: NDArray[np.bool_]) -> Proof:
    if rows.penalty.any():
        return Proof(None, point.steepest, 0.5 * point.steepest**2, True)
    point = rows.curved(point, bool(free.any()))
    p = rows.layout.n_coefficients
    moving = np.flatnonzero((point.a > 1e-12) & ~rows.held)
    slope = point.gradient
    if free.any():
        moving = np.concatenate([moving, p + np.flatnonzero(free)])
        slope = np.concatenate([slope, point.slope])
    some = moving[-np.diag(point.hessian)[moving] > 1e-12]
    bent = point.hessian[np.ix_(some, some)]
    gain, is_top = _left(slope[some], np.negative(bent, out=bent))
    del bent
    spread = day_spread(rows, point, free)
    gradient = point.steepest
    if free.any():
        asks = np.abs(point.slope) * np.sqrt(np.diag(spread.decays))
        gradient = max(gradient, float(np.nanmax(np.where(free, asks, 0.0), initial=0.0)))
    return Proof(spread, gradient, max(gain, 0.5 * point.steepest**2), is_top)


def _left(slope: Floats, curvature: Floats) -> tuple[float, bool]:
    """(what Newton's step would still gain, whether the curvature is positive but for rounding); it is written over."""
    if len(slope) == 0:
        return 0.0, True
    diagonal = np.diag(curvature)
    if (diagonal < 0).any():
        return math.inf, False
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-300))
    scaled = curvature
    scaled *= scale[:, None]
    scaled *= scale[None, :]
    if (factor := definite(scaled)) is not None:
        step = linalg.cho_solve((factor, True), slope * scale, check_finite=False)
        return 0.5 * float(step @ (slope * scale)), True
    values, vectors = np.linalg.eigh(scaled)
    turned = (vectors.T @ (slope * scale)) ** 2
    known = values > 1e-7
    return float(0.5 * (turned[known] / values[known]).sum()), bool(values[0] > -1e-5)
