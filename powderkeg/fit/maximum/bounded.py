"""What numbers may be that a fit puts at their bound: the law of all that it left open, zeros included.

In: a climber at its maximum, the covariance of what stands clear of a bound. Out: a `FitLaw`, vectors drawn from it.

At a bound of 0 the likelihood falls by slope * x + curvature * x^2 / 2 and there is nothing on the other side: where
the slope is steep the number is exponential, where it is flat half a normal, in between a normal cut off at 0. The
slope is that of the likelihood, the curvature such that the law falls at the end of the profile interval as the
likelihood does. How the others move with it is read from the information. Left out, zeros would be as certain as a
rule: the acts that their neighbours explain would have that cause in every draw.
Source for bounds: Self & Liang (1987), JASA 82, 605-610. Draws are Gibbs steps (Geweke 1991, Computing Science and
Statistics 23, 571-578), one chain a draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from powderkeg.engine.arrays import Floats
from powderkeg.fit.estimates import Estimate
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.covariance import Covariance

NEAR = 5.0
"""Standard deviations from 0 within which the bound is felt."""
SWEEPS = 100
"""Gibbs steps of a chain over all numbers near their bound."""
LEAST_CURVATURE = 0.01
"""Least curvature at a bound, in squares of the slope: a law that is an exponential but for its far end."""
FAR_TAIL = 30.0
"""Standard deviations beyond which the tail of a normal is an exponential."""


@dataclass(frozen=True)
class FitLaw:
    """exp(-slope'd - d' matrix^-1 d / 2) in d, the distance from the estimate, where nothing linear falls below 0.

    places   (K,) positions in the parameter vector
    matrix   (K, K)
    slope    (K,) 0 but for numbers at 0
    bounded  (K,) whether a number cannot be below 0
    """

    places: NDArray[np.int64]
    matrix: Floats
    slope: Floats
    bounded: NDArray[np.bool_]


def law_at(
    climber: Climber, solution: Solution, spread: Covariance, estimates: Mapping[str, Estimate], level: float
) -> FitLaw:
    """The law of everything that is free, identified, and not at a bound other than 0.

    level  of the estimates' intervals
    """
    problem, own = climber.problem, spread.places
    bounded = own < problem.n_linear
    high = {
        p.place: float(e.high)
        for p in problem.parameters
        if (e := estimates[p.path]).free and p.place < problem.n_linear and e.estimate <= 1e-9 and e.high
    }
    k = len(own)
    told = np.array([int(place) in high for place in spread.zeros], np.bool_)
    zeros, kept = spread.zeros[told], np.append(np.ones(k, np.bool_), told)
    if not len(zeros):
        return FitLaw(own, spread.matrix, np.zeros(k), bounded)
    information = spread.information[np.ix_(kept, kept)]
    across = information[:k, k:]
    response = -_solved(information[:k, :k], across)
    slope = np.maximum(-solution.maximum.gradient[zeros], 0.0)
    ends = np.array([high[int(place)] for place in zeros])
    fall = 0.5 * float(special.ndtri(0.5 + 0.5 * level)) ** 2
    least = LEAST_CURVATURE * np.maximum(slope, 1.0 / ends) ** 2
    own_curvature = np.maximum(2.0 * (fall - slope * ends) / ends**2, least)
    of_zeros = _covariance_of(information[k:, k:] + across.T @ response, own_curvature)
    both = response @ of_zeros
    return FitLaw(
        np.concatenate([own, zeros]),
        np.block([[spread.matrix + both @ response.T, both], [both.T, of_zeros]]),
        np.concatenate([np.zeros(k), slope]),
        np.concatenate([bounded, np.ones(len(zeros), bool)]),
    )


def _solved(matrix: Floats, right: Floats) -> Floats:
    """matrix^-1 right for a positive definite matrix, whatever its scales."""
    if not len(matrix):
        return np.zeros_like(right)
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * scale[:, None] * scale[None, :]
    return np.asarray(scale[:, None] * linalg.lstsq(scaled, scale[:, None] * right)[0])


def _covariance_of(curvature: Floats, diagonal: Floats) -> Floats:
    """Inverse of a curvature whose diagonal is put at `diagonal`, its correlations kept as far as they are definite."""
    bends = np.diag(curvature) > 1e-100  # what no act has in it has no curvature, and hangs together with nothing
    size = np.sqrt(np.where(bends, np.diag(curvature), 1.0))
    together = np.where(bends[:, None] & bends[None, :], curvature, 0.0) / size[:, None] / size[None, :]
    together = np.where(np.isfinite(together) & (np.abs(together) <= 1.0), together, 0.0)
    np.fill_diagonal(together, 1.0)
    values, axes = linalg.eigh(0.5 * (together + together.T))
    inverse = (axes / np.maximum(values, 1e-3)) @ axes.T
    return np.asarray(inverse / np.sqrt(diagonal)[:, None] / np.sqrt(diagonal)[None, :])


def draw_bounded(
    centre: Floats, matrix: Floats, slope: Floats, bounded: NDArray[np.bool_], sets: int, rng: np.random.Generator
) -> Floats:
    """(sets, K) draws from a `FitLaw` around `centre`; independent of each other."""
    sd = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    near = np.flatnonzero(bounded & (sd > 0) & ((slope > 0) | (centre < NEAR * sd)))
    rest = np.setdiff1d(np.arange(len(centre)), near)
    found = np.tile(centre, (sets, 1))
    across = matrix[np.ix_(rest, near)]
    of_rest = matrix[np.ix_(rest, rest)]
    if len(near):
        size = sd[near]
        values, axes = linalg.eigh(matrix[np.ix_(near, near)] / size[:, None] / size[None, :])
        inverse = (axes / np.maximum(values, 1e-9)) @ axes.T
        # in units of a standard deviation
        start, tilt = centre[near] / size, slope[near] * size
        found[:, near] = size * _gibbs(start, inverse, tilt, sets, rng)
        back = across / size[None, :] @ inverse
        found[:, rest] += (found[:, near] - centre[near]) / size[None, :] @ back.T
        of_rest = of_rest - back @ (across / size[None, :]).T
    if len(rest):
        spread, axes = linalg.eigh(0.5 * (of_rest + of_rest.T))
        found[:, rest] += rng.standard_normal((sets, len(rest))) @ (axes * np.sqrt(np.maximum(spread, 0.0))).T
    return np.where(bounded, np.maximum(found, 0.0), found)


def _gibbs(start: Floats, precision: Floats, slope: Floats, sets: int, rng: np.random.Generator) -> Floats:
    """(sets, n) draws above 0 from exp(-slope'd - d' precision d / 2), d from `start`."""
    x = np.tile(start, (sets, 1))
    width = 1.0 / np.sqrt(np.diag(precision))
    for _ in range(SWEEPS):
        for i in range(len(start)):
            pull = (x - start) @ precision[i] - (x[:, i] - start[i]) * precision[i, i]
            mean = start[i] - (slope[i] + pull) * width[i] ** 2
            x[:, i] = _above_zero(mean, width[i], rng.random(sets))
    return x


def _above_zero(mean: Floats, sd: float, u: Floats) -> Floats:
    """Normals cut off below 0, by their quantile functions at 1 - u."""
    low = -mean / sd
    far = low > FAR_TAIL
    near = mean - sd * special.ndtri(np.maximum(u, 1e-300) * special.ndtr(-np.where(far, 0.0, low)))
    tail = -sd * np.log(np.maximum(u, 1e-300)) / np.where(far, low, 1.0)
    return np.maximum(np.where(far, tail, near), 1e-300)
